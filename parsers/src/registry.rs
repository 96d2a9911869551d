//! The list of built-in formats. A new format is one line here.

use crate::format::Format;
use crate::products::{apache, apache_error, clf, haproxy, nginx, nginx_error, uvicorn};

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    &[
        &nginx_error::NginxError,
        &apache_error::ApacheError,
        &haproxy::Haproxy,
        &uvicorn::Uvicorn,
        &nginx::Nginx,
        &apache::Apache,
        &clf::Gunicorn,
        &clf::Clf,
    ]
}

/// The built-in format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    builtin().iter().copied().find(|format| format.name() == name)
}
