//! Squid: `logformat NAME …` and `access_log PLACE [options] [NAME]`, in files that it includes too.
//!
//! Source: Squid documentation, `access_log` and `logformat`. Without `access_log` it is `access.log` in its own format.

use std::collections::BTreeMap;

use super::super::LogDeclaration;
use super::files::Files;
use super::log;

pub(super) fn logs(text: &str, files: &mut Files<'_>) -> Vec<LogDeclaration> {
    let mut formats: BTreeMap<String, (String, u32)> = BTreeMap::new();
    let mut uses: Vec<(String, String, u32)> = Vec::new();
    for (number, line) in files.inlined(text, included) {
        let line = line.trim();
        let mut words = line.split_whitespace();
        match words.next() {
            Some("logformat") => {
                let rest = line["logformat".len()..].trim_start();
                let (name, format) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                formats.insert(name.to_owned(), (format.trim().to_owned(), number));
            }
            Some("access_log") => {
                let place = words.next().unwrap_or_default();
                if place == "none" {
                    continue;
                }
                // The format stands in an option, or as a bare word before the ACLs.
                let rest: Vec<&str> = words.collect();
                let option = rest.iter().find_map(|word| word.strip_prefix("logformat="));
                let bare = rest.iter().find(|word| !word.contains('=')).copied();
                let name = option.or(bare).unwrap_or("squid");
                let path = place.split_once(':').map_or(place, |(_, path)| path);
                uses.push((path.to_owned(), name.to_owned(), number));
            }
            _ => {}
        }
    }
    let mut logs: Vec<LogDeclaration> = Vec::new();
    for (path, name, number) in uses {
        match formats.get(&name) {
            Some((format, line)) => logs.push(log(&path, &name, format, *line)),
            None if matches!(name.as_str(), "squid" | "common" | "combined") => {
                logs.push(log(&path, &name, &name, number));
            }
            // `referrer` and `useragent` say nothing of how requests went, and an ACL is no format.
            None => logs.push(log(&path, "squid", "squid", number)),
        }
    }
    for (name, (format, line)) in formats {
        if !logs.iter().any(|known| known.name == name) {
            logs.push(log("", &name, &format, line));
        }
    }
    logs
}

/// The file of `include FILE`.
fn included(line: &str) -> Option<String> {
    let name = line.trim().strip_prefix("include")?;
    let is_word = name.starts_with([' ', '\t']);
    is_word.then(|| name.trim().trim_matches('"').to_owned())
}
