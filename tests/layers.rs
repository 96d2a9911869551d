//! Data flows one way: no stage imports a later one, and no stage imports another's insides except as listed.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::fs;
use std::path::{Path, PathBuf};

/// Each stage with the stages it may import. `run`, `cli` and `main` may import everything before them.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("error", &["model"]),
    ("model", &[]),
    ("plan", &["error", "model"]),
    ("read", &["error", "model", "plan"]),
    ("discover", &["error", "model", "plan", "read"]),
    ("sniff", &["error", "model", "plan", "read"]),
    ("select", &["error", "model", "plan"]),
    ("limits", &["error", "model", "plan"]),
    ("lint", &["error", "model", "plan", "limits"]),
    ("correlate", &["error", "model", "plan", "select"]),
    ("classify", &["error", "model", "plan", "limits"]),
    ("report", &["error", "model", "plan"]),
    (
        "run",
        &[
            "error",
            "model",
            "plan",
            "discover",
            "read",
            "sniff",
            "select",
            "limits",
            "lint",
            "correlate",
            "classify",
            "report",
        ],
    ),
    ("cli", &["error", "model", "plan", "report", "run"]),
    ("main", &["cli", "error", "plan", "report", "run"]),
    ("lib", &["*"]),
];

/// The same for the parsers' crate, by module.
const PARSERS_MAY_IMPORT: &[(&str, &[&str])] = &[
    ("bytes", &[]),
    ("time", &["bytes", "entry"]),
    ("entry", &["bytes"]),
    ("error", &[]),
    ("fields", &["bytes", "entry"]),
    ("glance", &["entry"]),
    ("format", &["bytes", "entry", "error", "glance"]),
    ("wrap", &["bytes", "entry", "error", "format", "time"]),
    (
        "engine",
        &["bytes", "entry", "error", "fields", "format", "glance", "time"],
    ),
    (
        "products",
        &[
            "bytes", "engine", "entry", "error", "format", "glance", "time", "wrap",
        ],
    ),
    (
        "paste",
        &[
            "bytes", "engine", "entry", "error", "fields", "format", "products", "time",
        ],
    ),
    (
        "define",
        &[
            "bytes", "engine", "entry", "error", "fields", "format", "paste", "time",
        ],
    ),
    ("registry", &["define", "engine", "format", "paste", "products"]),
    ("unread", &["format", "registry", "wrap"]),
    ("lib", &["*"]),
];

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            out.push(path);
        }
    }
}

/// The module a file belongs to: its first path component under the source directory, without `.rs`.
fn module(src: &Path, file: &Path) -> String {
    let first = file.strip_prefix(src).unwrap().components().next().unwrap();
    first
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

/// The names after every `crate::` in the part of the file that is not its tests.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut names = Vec::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let name: String = line[at + 7..]
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect();
            names.push(name);
        }
    }
    names
}

fn violations(src: &Path, rules: &[(&str, &[&str])], extra: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    rust_files(src, &mut files);
    assert!(files.len() >= rules.len(), "no sources under {}", src.display());
    let known: Vec<&str> = rules.iter().map(|rule| rule.0).collect();
    let mut found = Vec::new();
    for file in files {
        let own = module(src, &file);
        let Some((_, allowed)) = rules.iter().find(|rule| rule.0 == own) else {
            found.push(format!(
                "{}: module '{own}' has no place in the order of stages",
                file.display()
            ));
            continue;
        };
        for name in imports(&fs::read_to_string(&file).unwrap()) {
            // Types re-exported at the crate's root are nobody's inside.
            let is_stage = known.contains(&name.as_str());
            if is_stage
                && name != own
                && !allowed.contains(&name.as_str())
                && !allowed.contains(&"*")
                && !extra.contains(&name.as_str())
            {
                found.push(format!("{}: '{own}' imports '{name}'", file.display()));
            }
        }
    }
    found
}

#[test]
fn no_stage_imports_a_later_one() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let found = violations(&src, MAY_IMPORT, &[]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_parsers_import_inwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/src");
    let found = violations(&src, PARSERS_MAY_IMPORT, &[]);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_parsers_depend_on_nothing_of_the_program() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/Cargo.toml")).unwrap();
    assert!(
        !manifest.contains("path = \".."),
        "parsers/Cargo.toml depends on the program"
    );
}

#[test]
fn an_import_of_a_later_stage_would_be_found() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("model.rs"), "use crate::report::Style;\n").unwrap();
    fs::write(dir.path().join("report.rs"), "use crate::model::Cause;\n").unwrap();
    let rules: &[(&str, &[&str])] = &[("model", &[]), ("report", &["model"])];
    let found = violations(dir.path(), rules, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
}
