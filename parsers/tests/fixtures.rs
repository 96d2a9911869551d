//! Logs that other projects wrote: each file is recognised, and its lines are read.
//!
//! The files are not part of this repository. Set `WHY502_FIXTURES` to a folder of
//! `<format>/<origin>/<file>` to run this; without such a folder the test says so and passes.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use std::path::{Path, PathBuf};

use why502_parsers::format::{Head, Product, Score};
use why502_parsers::{Entry, Format, registry, wrap};

/// Folder, the product that its path suggests, the formats its files may be of.
const FOLDERS: [(&str, Product, &[&str]); 6] = [
    ("nginx-access", Product::Nginx, &["nginx"]),
    ("nginx-ingress", Product::Nginx, &["nginx"]),
    ("nginx-error", Product::Nginx, &["nginx-error", "nginx"]),
    ("haproxy", Product::Haproxy, &["haproxy"]),
    ("apache-access", Product::Apache, &["apache", "apache-error"]),
    ("apache-error", Product::Apache, &["apache-error"]),
];

fn folder() -> Option<PathBuf> {
    let path = std::env::var_os("WHY502_FIXTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    path.is_dir().then_some(path)
}

/// The log files below `path`, in order.
fn logs(path: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() {
            logs(&entry, out);
        } else if !["ORIGIN.md", ".json", ".assert", ".csv"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            out.push(entry);
        }
    }
}

/// The file's bytes with syslog headers taken off.
fn unwrapped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in why502_parsers::bytes::lines(bytes) {
        let syslog = wrap::all()
            .iter()
            .filter(|wrapper| wrapper.name().starts_with("syslog"));
        let inner = syslog.copied().find_map(|wrapper| wrapper.unwrap(line));
        out.extend_from_slice(inner.map_or(line, |inside| inside.text));
        out.push(b'\n');
    }
    out
}

/// The format that is surest of `head`, the first of equals.
fn detect(head: &Head<'_>) -> Option<&'static dyn Format> {
    let mut best: Option<(Score, &'static dyn Format)> = None;
    for format in registry::builtin() {
        let score = format.sniff(head).score;
        if score > best.map_or(Score::No, |(score, _)| score) {
            best = Some((score, *format));
        }
    }
    best.map(|(_, format)| format)
}

#[test]
fn files_of_other_projects_are_recognised_and_read() {
    let Some(root) = folder() else {
        eprintln!("skipped: no folder of foreign logs (set WHY502_FIXTURES)");
        return;
    };
    let mut complaints = Vec::new();
    for (name, product, formats) in FOLDERS {
        let mut files = Vec::new();
        logs(&root.join(name), &mut files);
        let (mut lines, mut read, mut left) = (0u32, 0u32, Vec::new());
        for file in files {
            let bytes = unwrapped(&std::fs::read(&file).unwrap());
            let hints = [product];
            let head = Head {
                bytes: &bytes,
                hints: &hints,
                date_hint: None,
            };
            let Some(format) = detect(&head) else {
                complaints.push(format!("{} is of no known format", file.display()));
                continue;
            };
            if !formats.contains(&format.name()) {
                complaints.push(format!("{} was taken for {}", file.display(), format.name()));
            }
            let mut parser = format.prepare(&head).open(b"");
            for line in head.lines() {
                let mut entry = Entry::default();
                lines += 1;
                match parser.parse(line, &mut entry) {
                    Ok(_) => read += 1,
                    Err(error) => left.push(format!(
                        "{}: {error}: {}",
                        file.file_name().unwrap().to_string_lossy(),
                        String::from_utf8_lossy(&line[..line.len().min(140)])
                    )),
                }
            }
        }
        eprintln!("{name}: {read} of {lines} lines");
        for line in &left {
            eprintln!("  left: {line}");
        }
        if read * 100 < lines * 99 {
            complaints.push(format!("{name}: only {read} of {lines} lines are read"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Folders of other products, and the text formats that may claim files there.
const ALSO: [(&str, &[&str]); 1] = [("kong", &["nginx-error"])];

#[test]
fn no_text_format_claims_files_of_other_products() {
    let Some(root) = folder() else {
        eprintln!("skipped: no folder of foreign logs (set WHY502_FIXTURES)");
        return;
    };
    let own = [
        "nginx-error",
        "apache-error",
        "haproxy",
        "uvicorn",
        "nginx",
        "apache",
        "gunicorn",
    ];
    let mut complaints = Vec::new();
    let mut folders: Vec<_> = std::fs::read_dir(&root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    for path in folders {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("wrap-") || FOLDERS.iter().any(|(folder, ..)| *folder == name) {
            continue;
        }
        let allowed = ALSO
            .iter()
            .find(|(folder, _)| *folder == name)
            .map_or(&[][..], |(_, formats)| formats);
        let mut files = Vec::new();
        logs(&path, &mut files);
        for file in files {
            let bytes = unwrapped(&std::fs::read(&file).unwrap());
            let head = Head {
                bytes: &bytes,
                hints: &[],
                date_hint: None,
            };
            for format in registry::builtin().iter().filter(|f| own.contains(&f.name())) {
                let is_own = name.starts_with(format.name()) || allowed.contains(&format.name());
                if format.sniff(&head).score > Score::No && !is_own {
                    complaints.push(format!("{} claims {}", format.name(), file.display()));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
