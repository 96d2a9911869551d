//! ingress-nginx: `log-format-upstream` of its ConfigMap, or of the chart's values.
//!
//! Source: ingress-nginx documentation, "ConfigMap" and "Log format".

use super::super::LogDeclaration;
use super::super::tree::Tree;
use super::log;

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    if !text.contains("log-format-upstream") {
        return Vec::new();
    }
    let mut logs = Vec::new();
    let mut todo = Tree::yaml(text).unwrap_or_default();
    while let Some(tree) = todo.pop() {
        if let Some(format) = tree.get("log-format-upstream") {
            let escape = match tree.text_of("log-format-escape-json") {
                "true" => "escape=json ",
                _ => "",
            };
            let text = format!("{escape}{}", format.text());
            logs.push(log("", "log-format-upstream", &text, format.line));
        }
        todo.extend(tree.entries().map(|(_, value)| value.clone()));
    }
    logs
}
