//! Envoy and Istio: every `access_log` of a bootstrap or xDS document, and the mesh's `accessLogFormat`.
//!
//! `typed_config` (or, before 1.14, `config`) has `path` and one of `log_format: {text_format_source: {inline_string}}`,
//! `log_format: {text_format}`, `log_format: {json_format}`, `format`, `json_format`, `typed_json_format`; without any Envoy's
//! default holds. Source: Envoy documentation, "File access log"; Istio documentation, "MeshConfig".

use super::super::LogDeclaration;
use super::super::tree::Tree;
use super::log;

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    let documents = match text.trim_start().starts_with('{') {
        true => Tree::json(text).map(|tree| vec![tree]),
        false => Tree::yaml(text),
    };
    let mut logs = Vec::new();
    let mut todo: Vec<Tree> = documents.unwrap_or_default();
    todo.reverse();
    while let Some(tree) = todo.pop() {
        mesh(&tree, &mut logs);
        for (key, value) in tree.entries() {
            match key {
                "access_log" | "accessLog" => logs.extend(value.items().iter().filter_map(of_log)),
                // A ConfigMap holds the mesh's configuration as a text.
                "mesh" | "bootstrap_override.json" => {
                    todo.extend(Tree::yaml(value.text()).unwrap_or_default())
                }
                _ => {}
            }
        }
        let mut below: Vec<Tree> = tree.entries().map(|(_, value)| value.clone()).collect();
        if tree.at(&["0"]).is_some() {
            below = tree.items().to_vec();
        }
        todo.extend(below.into_iter().rev());
    }
    logs.dedup_by(|a, b| (&a.path, &a.text) == (&b.path, &b.text));
    logs
}

/// One access log.
fn of_log(tree: &Tree) -> Option<LogDeclaration> {
    let config = tree.get("typed_config").or_else(|| tree.get("config"))?;
    let kind = config.text_of("@type");
    let path = match config.text_of("path") {
        "" if kind.contains("StdoutAccessLog") => "/dev/stdout",
        "" if kind.contains("StderrAccessLog") => "/dev/stderr",
        "" if kind.contains("FileAccessLog") || kind.is_empty() => "",
        // Sent to a service, not written.
        "" => return None,
        path => path,
    };
    let format = config.get("log_format").unwrap_or(config);
    let text = format
        .get("text_format_source")
        .map(|source| source.text_of("inline_string"))
        .filter(|text| !text.is_empty())
        .or_else(|| {
            [format.text_of("text_format"), format.text_of("format")]
                .into_iter()
                .find(|t| !t.is_empty())
        });
    let keys = format
        .get("json_format")
        .or_else(|| format.get("typed_json_format"));
    let text = match (text, keys) {
        (Some(text), _) => text.to_owned(),
        (None, Some(keys)) => json(keys),
        (None, None) => String::new(),
    };
    Some(log(path, "access_log", &text, config.line))
}

/// The format of a mesh.
fn mesh(tree: &Tree, logs: &mut Vec<LogDeclaration>) {
    let file = tree.text_of("accessLogFile");
    let format = tree.text_of("accessLogFormat");
    if file.is_empty() && format.is_empty() {
        return;
    }
    let is_json = tree.text_of("accessLogEncoding").eq_ignore_ascii_case("JSON");
    let text = match format {
        // Its default keys are those that the built-in format knows.
        "" if is_json => return,
        "" => "istio",
        format => format.trim_end_matches('\n'),
    };
    let line = tree
        .get("accessLogFormat")
        .or_else(|| tree.get("accessLogFile"))
        .map_or(0, |value| value.line);
    logs.push(log(file, "accessLogFormat", text, line));
}

/// A tree of keys and texts as JSON.
fn json(tree: &Tree) -> String {
    serde_json::to_string(&value(tree)).unwrap_or_default()
}

fn value(tree: &Tree) -> serde_json::Value {
    let entries: serde_json::Map<String, serde_json::Value> = tree
        .entries()
        .map(|(key, inner)| (key.to_owned(), value(inner)))
        .collect();
    if entries.is_empty() {
        return tree.text().into();
    }
    entries.into()
}
