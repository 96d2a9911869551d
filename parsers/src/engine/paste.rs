//! Format strings in the words of the server that writes the log, compiled to templates.

use std::sync::Arc;

use crate::engine::slot::unit;
use crate::engine::{
    paste_apache, paste_envoy, paste_gunicorn, paste_haproxy, paste_nginx, paste_squid, paste_tomcat,
    paste_varnish,
};
use crate::error::FormatError;
use crate::format::Format;

/// Whose format language a format string is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// nginx `log_format`.
    Nginx,
    /// Apache httpd `LogFormat`.
    Apache,
    /// HAProxy `log-format`.
    Haproxy,
    /// Pattern of Tomcat's access log valve, from version 10 on.
    Tomcat,
    /// The same up to version 9, where `%D` is milliseconds.
    Tomcat9,
    /// gunicorn `access_log_format`.
    Gunicorn,
    /// Envoy's access-log format strings.
    Envoy,
    /// Squid `logformat`.
    Squid,
    /// varnishncsa `-F`.
    Varnish,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 9] = [
        Self::Nginx,
        Self::Apache,
        Self::Haproxy,
        Self::Tomcat,
        Self::Tomcat9,
        Self::Gunicorn,
        Self::Envoy,
        Self::Squid,
        Self::Varnish,
    ];

    /// Its name, as typed before the colon of `--log-format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
            Self::Haproxy => "haproxy",
            Self::Tomcat => "tomcat",
            Self::Tomcat9 => "tomcat9",
            Self::Gunicorn => "gunicorn",
            Self::Envoy => "envoy",
            Self::Squid => "squid",
            Self::Varnish => "varnish",
        }
    }

    /// The dialect called `name`.
    ///
    /// # Errors
    /// [`FormatError::UnknownDialect`].
    pub fn by_name(name: &str) -> Result<Self, FormatError> {
        Self::ALL
            .into_iter()
            .find(|dialect| dialect.name().eq_ignore_ascii_case(name.trim()))
            .ok_or_else(|| FormatError::UnknownDialect(name.trim().to_owned()))
    }
}

/// Compiles a format string (or a whole `log_format`, `LogFormat` or `log-format` directive, or the
/// name of one of the product's own formats) to a format called `name`.
///
/// # Errors
/// [`FormatError`] if the text breaks the dialect's grammar, if two fields cannot be told apart, or
/// if no field gives the time of a line.
pub fn compile(dialect: Dialect, name: &str, text: &str) -> Result<Arc<dyn Format>, FormatError> {
    Ok(match dialect {
        Dialect::Nginx => Arc::new(paste_nginx::format(name, text)?),
        Dialect::Apache => Arc::new(paste_apache::format(name, text)?),
        Dialect::Haproxy => paste_haproxy::format(name, text)?,
        Dialect::Tomcat => Arc::new(paste_tomcat::format(name, text, unit::US)?),
        Dialect::Tomcat9 => Arc::new(paste_tomcat::format(name, text, unit::MS)?),
        Dialect::Gunicorn => Arc::new(paste_gunicorn::format(name, text)?),
        Dialect::Envoy => paste_envoy::format(name, text)?,
        Dialect::Squid => Arc::new(paste_squid::format(name, text)?),
        Dialect::Varnish => Arc::new(paste_varnish::format(name, text)?),
    })
}

/// Compiles `DIALECT:FORMAT`, the value of `--log-format`.
///
/// # Errors
/// As [`compile`], and [`FormatError::UnknownDialect`] if what stands before the colon is no dialect.
pub fn compile_spec(spec: &str) -> Result<Arc<dyn Format>, FormatError> {
    let Some((dialect, text)) = spec.split_once(':') else {
        return Err(FormatError::UnknownDialect(spec.to_owned()));
    };
    let dialect = Dialect::by_name(dialect)?;
    compile(dialect, &format!("{} (given)", dialect.name()), text.trim())
}

/// The format string in `text`: its quotes taken off, pieces joined, `\"` and `\'` undone; what stands
/// before the first quote is returned too (directive, name, options). Text without quotes around it
/// is returned as it is.
pub(crate) fn unquote(text: &str, directive: &str) -> (String, String) {
    let trimmed = text.trim().trim_end_matches(';').trim_end();
    let is_directive = trimmed
        .get(..directive.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(directive));
    let quoted = |q: char| trimmed.len() > 1 && trimmed.starts_with(q) && trimmed.ends_with(q);
    if !is_directive && !quoted('"') && !quoted('\'') {
        return (String::new(), text.to_owned());
    }
    let (mut options, mut out) = (String::new(), String::new());
    let mut chars = trimmed.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (None, _) => options.push(c),
            (Some(q), _) if c == q => quote = None,
            (Some(_), '\\') => match chars.next() {
                Some(next @ ('"' | '\'' | '\\')) => out.push(next),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            (Some(_), _) => out.push(c),
        }
    }
    if out.is_empty() && is_directive {
        // A directive whose format stands without quotes, spaces escaped by backslashes.
        let bare = trimmed[directive.len()..].trim_start();
        return (String::new(), bare.replace("\\ ", " ").replace("\\\"", "\""));
    }
    (options, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_quotes_are_no_format_in_any_dialect() {
        for text in ["\"\"", "''", "\"\"\"\"", "\"\" \"\""] {
            for dialect in Dialect::ALL {
                assert!(
                    compile(dialect, "empty", text).is_err(),
                    "{text} {}",
                    dialect.name()
                );
            }
        }
    }
}
