//! Telling logs of unknown format from files that are no logs at all.

use why502_parsers::format::Head;

/// Endings of files that hold documentation, pages or programs.
const DOCUMENTS: [&str; 14] = [
    ".md", ".rst", ".adoc", ".html", ".htm", ".xml", ".css", ".js", ".mjs", ".ts", ".py", ".sh", ".rs",
    ".lock",
];

/// Endings of files that stand beside logs and are none: settings, keys, sources.
const BESIDE: [&str; 26] = [
    ".conf",
    ".cfg",
    ".cnf",
    ".config",
    ".ini",
    ".properties",
    ".toml",
    ".yaml",
    ".yml",
    ".json",
    ".env",
    ".vcl",
    ".lua",
    ".service",
    ".xsl",
    ".svg",
    ".pem",
    ".crt",
    ".key",
    ".rb",
    ".java",
    ".php",
    ".go",
    ".sql",
    ".tsx",
    ".jsx",
];

/// What the names of files begin with that stand beside logs and are none.
const NAMES_BESIDE: [&str; 12] = [
    ".",
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "changelog",
    "notes",
    "dockerfile",
    "makefile",
    "procfile",
    "caddyfile",
];

/// Whether the file is no log on purpose: a document, settings, a program, a report of this program. Whatever else is
/// not recognised may be a log, so that it has to be said that it was not read.
pub(super) fn is_beside_logs(shown: &str, head: &[u8]) -> bool {
    let lower = shown.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    DOCUMENTS
        .iter()
        .chain(&BESIDE)
        .any(|ending| name.ends_with(ending))
        || NAMES_BESIDE.iter().any(|start| name.starts_with(start))
        || head.starts_with(b"#!")
        || is_json_document(head)
}

/// Whether the file is a report of this program.
pub(super) fn is_own_report(head: &[u8]) -> bool {
    let start = &head[..head.len().min(200)];
    start.trim_ascii_start().starts_with(b"{") && memchr::memmem::find(start, b"\"why502.").is_some()
}

/// Whether the file is a log in all likelihood: a third of its lines have a clock time or begin with a
/// number of seconds, and it is neither one JSON document nor named like a document.
pub(super) fn looks_like_log(shown: &str, head: &[u8]) -> bool {
    let lower = shown.to_ascii_lowercase();
    if DOCUMENTS.iter().any(|ending| lower.ends_with(ending)) || is_json_document(head) {
        return false;
    }
    let sample = Head {
        bytes: head,
        hints: &[],
        date_hint: None,
    };
    let (mut looked_at, mut timed) = (0, 0);
    for line in sample.lines().take(Head::LINES) {
        looked_at += 1;
        timed += usize::from(has_clock(line) || starts_with_epoch(line));
    }
    timed > 0 && timed * 3 >= looked_at
}

/// An array, an object that goes on over several lines, or one of this program's reports.
pub(super) fn is_json_document(head: &[u8]) -> bool {
    let text = head.trim_ascii_start();
    let first_line = text
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    match text.first() {
        Some(b'{') => !first_line.ends_with(b"}") || is_own_report(head),
        Some(b'[') => matches!(
            text[1..].trim_ascii_start().first(),
            Some(b'{' | b'[' | b'"' | b']')
        ),
        _ => false,
    }
}

/// `dd:dd:dd` somewhere.
fn has_clock(line: &[u8]) -> bool {
    line.windows(8)
        .any(|w| w[2] == b':' && w[5] == b':' && [0, 1, 3, 4, 6, 7].iter().all(|at| w[*at].is_ascii_digit()))
}

/// Ten digits or more at the start.
fn starts_with_epoch(line: &[u8]) -> bool {
    line.iter().take_while(|byte| byte.is_ascii_digit()).count() >= 10
}
