//! Format strings in the words of the server that writes the log, compiled to templates.

pub mod unknown;

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
