//! LiteSpeed: `accesslog PATH { logFormat "…" }` of a server or virtual host.
//!
//! Source: OpenLiteSpeed documentation, "Log Format".

use super::super::LogDeclaration;
use super::{lines, log, unquoted};

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    let mut logs: Vec<LogDeclaration> = Vec::new();
    let mut inside = false;
    for (number, line) in lines(text) {
        let (name, value) = line
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or((line.trim(), ""));
        if name.eq_ignore_ascii_case("accesslog") {
            let path = value.trim_end_matches('{').trim();
            logs.push(log(path, "accesslog", "", number));
            inside = true;
        } else if inside && name.eq_ignore_ascii_case("logFormat") {
            if let Some(log) = logs.last_mut() {
                (log.text, log.line) = (unquoted(value), number);
            }
        } else if name == "}" {
            inside = false;
        }
    }
    logs
}
