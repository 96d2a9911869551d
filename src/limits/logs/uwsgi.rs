//! uWSGI: `log-format`, and the file that requests are logged to, in an ini file.
//!
//! Source: uWSGI documentation, "Formatting uWSGI requests logs" and "Logging". Requests go to `req-logger` if there is one,
//! else where everything goes (`logto`, `logger`, `daemonize`).

use super::super::LogDeclaration;
use super::{lines, log};

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    let (mut format, mut requests, mut all) = (None, None, None);
    for (number, line) in lines(text) {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim();
        match name.trim() {
            "log-format" | "logformat" => format = Some((value.to_owned(), number)),
            "req-logger" | "logger-req" => requests = Some(value.to_owned()),
            "logto" | "logto2" | "logger" | "daemonize" | "daemonize2" => all = Some(value.to_owned()),
            _ => {}
        }
    }
    let Some((text, line)) = format else {
        return Vec::new();
    };
    let place = requests.or(all).unwrap_or_default();
    let path = place.strip_prefix("file:").unwrap_or(&place);
    vec![log(path, "log-format", &text, line)]
}
