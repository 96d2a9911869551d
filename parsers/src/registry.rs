//! The list of built-in formats. A new format is one line here.

use crate::format::Format;
use crate::products::{
    apache, apache_error, app_json, caddy, clf, defined, edgemicro, gunicorn_error, haproxy, httperr, iis,
    nginx, nginx_error, process_text, uvicorn,
};

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    static BUILTIN: &[&dyn Format] = &[
        &caddy::Caddy,
        &edgemicro::EdgeMicro,
        &httperr::HttpErr,
        &iis::Iis,
        &gunicorn_error::GunicornError,
        &process_text::ProcessText,
        &app_json::AppJson::NGINX,
        &app_json::AppJson::IIS,
        &app_json::AppJson::NODE,
        &app_json::AppJson::JAVA,
        &app_json::AppJson::APPLICATION,
        &nginx_error::NginxError,
        &apache_error::ApacheError,
        &haproxy::Haproxy,
        &defined::BITBUCKET,
        &uvicorn::Uvicorn,
        &nginx::Nginx,
        &apache::Apache,
        &clf::Gunicorn,
        &clf::Clf,
    ];
    BUILTIN
}

/// The built-in format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    builtin().iter().copied().find(|format| format.name() == name)
}

/// The text of the built-in format called `name`, where it is a definition.
pub fn definition_of(name: &str) -> Option<&'static str> {
    defined::ALL
        .iter()
        .find(|definition| definition.name() == name)
        .map(|definition| definition.source())
}
