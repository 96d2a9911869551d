//! Traefik: where the access log goes. Its formats are its own and known; only that the file is Traefik's is told here.
//!
//! Source: Traefik documentation, "Access logs".

use super::super::LogDeclaration;
use super::super::tree::Tree;
use super::log;

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    let trees = Tree::toml(text)
        .map(|tree| vec![tree])
        .or_else(|_| Tree::yaml(text));
    let mut logs = Vec::new();
    for tree in trees.unwrap_or_default() {
        if let Some(access) = tree.get("accessLog") {
            logs.push(log(access.text_of("filePath"), "traefik", "", access.line));
        }
    }
    for (line, number) in text.lines().zip(1..) {
        if let Some(at) = line.to_ascii_lowercase().find("--accesslog.filepath=") {
            let rest = &line[at + "--accesslog.filepath=".len()..];
            let end = rest.find(['"', '\'', ' ', ',']).unwrap_or(rest.len());
            logs.push(log(&rest[..end], "traefik", "", number));
        }
    }
    logs
}
