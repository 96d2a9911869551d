//! One file per product whose lines need more than a template.

pub mod app_json;
mod app_json_keys;
pub mod caddy;
pub mod edgemicro;
pub mod gunicorn_error;
pub mod httperr;
pub mod iis;
pub mod process_text;
