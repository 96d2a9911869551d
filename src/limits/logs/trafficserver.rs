//! Traffic Server: `formats` and `logs` of `logging.yaml`.
//!
//! Source: Traffic Server documentation, "logging.yaml". Logs are `<filename>.log` unless binary; the formats `squid`, `common`,
//! `extended` and `extended2` are usually defined in the same file.

use super::super::LogDeclaration;
use super::super::tree::Tree;
use super::log;

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    let documents = Tree::yaml(text).unwrap_or_default();
    let Some(logging) = documents.iter().find_map(|document| {
        document
            .get("logging")
            .or_else(|| document.get("formats").map(|_| document))
    }) else {
        return Vec::new();
    };
    let formats: Vec<(&str, &str, u32)> = logging
        .list("formats")
        .iter()
        .map(|format| (format.text_of("name"), format.text_of("format"), format.line))
        .collect();
    let mut logs: Vec<LogDeclaration> = logging
        .list("logs")
        .iter()
        .filter(|entry| entry.text_of("mode") != "binary")
        .map(|entry| {
            let name = entry.text_of("format");
            let known = formats.iter().find(|(own, ..)| *own == name);
            let (text, line) = known.map_or((name, entry.line), |(_, text, line)| (*text, *line));
            let file = entry.text_of("filename");
            let path = if file.contains('.') || file.is_empty() {
                file.to_owned()
            } else {
                format!("{file}.log")
            };
            log(&path, name, text, line)
        })
        .collect();
    for (name, text, line) in formats {
        if !logs.iter().any(|known| known.name == name) {
            logs.push(log("", name, text, line));
        }
    }
    logs
}
