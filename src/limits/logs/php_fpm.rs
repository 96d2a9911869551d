//! PHP-FPM: `access.log` and `access.format` of each pool.
//!
//! Source: php-fpm.conf. `$pool` in a path is the pool's name.

use super::super::LogDeclaration;
use super::{lines, log, unquoted};

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    let mut logs: Vec<LogDeclaration> = Vec::new();
    let mut pool = "";
    let lines = lines(text);
    for (number, line) in &lines {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            pool = name;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let of_pool = match logs.iter().position(|log| log.name == pool) {
            Some(at) => at,
            None if name.trim_end().starts_with("access.") => {
                logs.push(log("", pool, "", *number));
                logs.len() - 1
            }
            None => continue,
        };
        match name.trim_end() {
            "access.log" => logs[of_pool].path = unquoted(value).replace("$pool", pool),
            "access.format" => (logs[of_pool].text, logs[of_pool].line) = (unquoted(value), *number),
            _ => {}
        }
    }
    logs.retain(|log| !log.path.is_empty() || !log.text.is_empty());
    logs
}
