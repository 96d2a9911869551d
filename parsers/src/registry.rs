//! The list of built-in formats. A new format is one line here.

use crate::format::Format;
use crate::products;

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    &[
        &products::caddy::Caddy,
        &products::edgemicro::EdgeMicro,
        &products::httperr::HttpErr,
        &products::iis::Iis,
        &products::gunicorn_error::GunicornError,
        &products::process_text::ProcessText,
        &products::app_json::AppJson::NGINX,
        &products::app_json::AppJson::IIS,
        &products::app_json::AppJson::NODE,
        &products::app_json::AppJson::JAVA,
        &products::app_json::AppJson::APPLICATION,
    ]
}

/// The built-in format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    builtin().iter().copied().find(|format| format.name() == name)
}
