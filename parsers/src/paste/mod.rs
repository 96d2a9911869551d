//! Format strings in the words of the server that writes the log, compiled to templates.
//!
//! A new language is a file of its own and a line in `LANGUAGES`.

mod any_of;
pub mod unknown;
mod w3c;

use std::sync::Arc;

use crate::engine::slot::unit;
use crate::engine::template::TemplateFormat;
use crate::engine::{
    paste_apache, paste_envoy, paste_gunicorn, paste_haproxy, paste_jetty, paste_lighttpd, paste_nginx,
    paste_php_fpm, paste_squid, paste_tomcat, paste_trafficserver, paste_undertow, paste_uwsgi,
    paste_varnish,
};
use crate::error::FormatError;
use crate::format::{Format, Product};
use crate::products::{caddy, trafficserver};

pub use any_of::{any_of, of_failures};

/// Whose format language a format string is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// nginx `log_format`, OpenResty's and Tengine's too.
    Nginx,
    /// Apache httpd `LogFormat`.
    Apache,
    /// HAProxy `log-format`.
    Haproxy,
    /// Envoy's access-log format strings.
    Envoy,
    /// Caddy's encoders: `json { … }`, `transform "…"`.
    Caddy,
    /// Pattern of Tomcat's access log valve, from version 10 on.
    Tomcat,
    /// The same up to version 9, where `%D` is milliseconds.
    Tomcat9,
    /// varnishncsa `-F`.
    Varnish,
    /// Squid `logformat`.
    Squid,
    /// gunicorn `access_log_format`.
    Gunicorn,
    /// A `#Fields:` line of IIS, HTTP.sys or CloudFront.
    W3c,
    /// lighttpd `accesslog.format`.
    Lighttpd,
    /// LiteSpeed `logFormat`, which is Apache's.
    LiteSpeed,
    /// Formats of Traffic Server's `logging.yaml`.
    TrafficServer,
    /// uWSGI `log-format`.
    Uwsgi,
    /// PHP-FPM `access.format`.
    PhpFpm,
    /// Jetty's `CustomRequestLog`.
    Jetty,
    /// Undertow's access log `pattern`.
    Undertow,
}

/// Makes a format of a name and a format string.
type Compile = fn(&str, &str) -> Result<Arc<dyn Format>, FormatError>;

/// Every language: its name as typed before the colon of `--log-format`, what a server logs where no format is
/// configured, and how it is compiled.
const LANGUAGES: [(Dialect, &str, &str, Compile); 18] = [
    (Dialect::Nginx, "nginx", "combined", |name, text| {
        Ok(Arc::new(paste_nginx::format(name, text)?))
    }),
    (Dialect::Apache, "apache", "common", |name, text| {
        Ok(Arc::new(paste_apache::format(name, text)?))
    }),
    (Dialect::Haproxy, "haproxy", "httplog", paste_haproxy::format),
    (Dialect::Envoy, "envoy", "default", paste_envoy::format),
    (Dialect::Caddy, "caddy", "json", caddy::given),
    (Dialect::Tomcat, "tomcat", "common", |name, text| {
        Ok(Arc::new(paste_tomcat::format(name, text, unit::US)?))
    }),
    (Dialect::Tomcat9, "tomcat9", "common", |name, text| {
        Ok(Arc::new(paste_tomcat::format(name, text, unit::MS)?))
    }),
    (Dialect::Varnish, "varnish", "default", |name, text| {
        Ok(Arc::new(paste_varnish::format(name, text)?))
    }),
    (Dialect::Squid, "squid", "squid", |name, text| {
        Ok(Arc::new(paste_squid::format(name, text)?))
    }),
    (Dialect::Gunicorn, "gunicorn", "default", |name, text| {
        Ok(Arc::new(paste_gunicorn::format(name, text)?))
    }),
    (Dialect::W3c, "w3c", "", w3c::format),
    (Dialect::Lighttpd, "lighttpd", "default", |name, text| {
        Ok(Arc::new(paste_lighttpd::format(name, text)?))
    }),
    (Dialect::LiteSpeed, "litespeed", "combined", |name, text| {
        let template = paste_apache::template(text)?;
        Ok(Arc::new(TemplateFormat::new(name, Product::LiteSpeed, template)))
    }),
    (Dialect::TrafficServer, "trafficserver", "squid", |name, text| {
        Ok(Arc::new(paste_trafficserver::format(
            name,
            text,
            trafficserver::conclude,
        )?))
    }),
    (Dialect::Uwsgi, "uwsgi", "", |name, text| {
        Ok(Arc::new(paste_uwsgi::format(name, text)?))
    }),
    (Dialect::PhpFpm, "php-fpm", "default", |name, text| {
        Ok(Arc::new(paste_php_fpm::format(name, text)?))
    }),
    (Dialect::Jetty, "jetty", "EXTENDED_NCSA_FORMAT", |name, text| {
        Ok(Arc::new(paste_jetty::format(name, text)?))
    }),
    (Dialect::Undertow, "undertow", "common", |name, text| {
        Ok(Arc::new(paste_undertow::format(name, text)?))
    }),
];

/// Other names of programs that write another's language.
const ALIASES: [(&str, Dialect); 9] = [
    ("openresty", Dialect::Nginx),
    ("tengine", Dialect::Nginx),
    ("angie", Dialect::Nginx),
    ("kong", Dialect::Nginx),
    ("httpd", Dialect::Apache),
    ("istio", Dialect::Envoy),
    ("wildfly", Dialect::Undertow),
    ("iis", Dialect::W3c),
    ("http.sys", Dialect::W3c),
];

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; LANGUAGES.len()] = {
        let mut all = [Self::Nginx; LANGUAGES.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = LANGUAGES[at].0;
            at += 1;
        }
        all
    };

    fn language(self) -> &'static (Self, &'static str, &'static str, Compile) {
        static TABLE: [(Dialect, &str, &str, Compile); LANGUAGES.len()] = LANGUAGES;
        TABLE.iter().find(|(own, ..)| *own == self).unwrap_or(&TABLE[0])
    }

    /// Its name, as typed before the colon of `--log-format`.
    pub fn name(self) -> &'static str {
        self.language().1
    }

    /// The format of a log for which none is configured, in its own words; empty if there is no string for it.
    pub fn default_format(self) -> &'static str {
        self.language().2
    }

    /// The dialect called `name`, or of the program called so.
    ///
    /// # Errors
    /// [`FormatError::UnknownDialect`].
    pub fn by_name(name: &str) -> Result<Self, FormatError> {
        let name = name.trim();
        let is_it = |own: &str| own.eq_ignore_ascii_case(name);
        let named = LANGUAGES
            .iter()
            .find(|(_, own, ..)| is_it(own))
            .map(|(dialect, ..)| *dialect);
        let other = || {
            ALIASES
                .iter()
                .find(|(own, _)| is_it(own))
                .map(|(_, dialect)| *dialect)
        };
        named
            .or_else(other)
            .ok_or_else(|| FormatError::UnknownDialect(name.to_owned()))
    }
}

/// Compiles a format string (or a whole `log_format`, `LogFormat` or `log-format` directive, or the
/// name of one of the product's own formats) to a format called `name`.
///
/// # Errors
/// [`FormatError`] if the text breaks the dialect's grammar, if two fields cannot be told apart, or
/// if no field gives the time of a line.
pub fn compile(dialect: Dialect, name: &str, text: &str) -> Result<Arc<dyn Format>, FormatError> {
    dialect.language().3(name, text)
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
