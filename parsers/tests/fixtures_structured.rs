//! Logs that other projects wrote, read with this crate's parsers: the right format wins, nearly every line is
//! read, and where the other project's parse stands beside the log, the two agree.
//!
//! Looks for the logs in `$WHY502_FIXTURES`, else beside the repository; without them there is nothing to test.

#![allow(clippy::unwrap_used)] // Helpers of tests.

use std::fs;
use std::path::{Path, PathBuf};

use why502_parsers::entry::{Kind, Stamp};
use why502_parsers::registry;
use why502_parsers::{Entry, Format, Head, Line, Score};

fn root() -> Option<PathBuf> {
    let root = match std::env::var_os("WHY502_FIXTURES") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
    };
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no fixtures at {} (set WHY502_FIXTURES)", root.display());
    None
}

/// The log as a reader hands it on: a compose prefix, if any, taken off.
fn load(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let lines = bytes.split(|&byte| byte == b'\n').map(|line| {
        let inner = line.strip_prefix(b"caddy  | ").unwrap_or(line);
        inner.strip_suffix(b"\r").unwrap_or(inner)
    });
    lines.collect::<Vec<_>>().join(&b'\n')
}

fn detect(bytes: &[u8]) -> Option<&'static dyn Format> {
    let head = Head {
        bytes,
        hints: &[],
        date_hint: None,
    };
    let mut best: Option<(Score, u32, &'static dyn Format)> = None;
    for &format in registry::builtin() {
        let sniff = format.sniff(&head);
        let better = best.is_none_or(|(score, parsed, _)| (sniff.score, sniff.parsed) > (score, parsed));
        if sniff.score > Score::No && better {
            best = Some((sniff.score, sniff.parsed, format));
        }
    }
    best.map(|(_, _, format)| format)
}

/// Entries of `bytes` and how many lines were read and not read.
fn parse<'a>(format: &dyn Format, bytes: &'a [u8]) -> (Vec<Entry<'a>>, usize, Vec<String>) {
    let head = Head {
        bytes,
        hints: &[],
        date_hint: None,
    };
    let mut parser = format.prepare(&head).open(b"");
    let (mut entries, mut read, mut broken) = (Vec::new(), 0, Vec::new());
    for line in head.lines() {
        let mut entry = Entry::default();
        match parser.parse(line, &mut entry) {
            Ok(Line::Entry) => {
                entries.push(entry);
                read += 1;
            }
            Ok(_) => read += 1,
            Err(error) => broken.push(format!("{error}: {}", String::from_utf8_lossy(line))),
        }
    }
    (entries, read, broken)
}

/// Files, the format that must win, and the least number of entries.
const FILES: [(&str, &str, usize); 22] = [
    ("caddy/crowdsec/caddy-logs.log", "caddy", 11),
    ("caddy/lnav/logfile_caddy_log.0", "caddy", 39),
    ("iis-w3c/integ/test-iis-8.log", "iis", 6),
    ("iis-w3c/plaso/iis10.log", "iis", 1),
    ("iis-w3c/plaso/iis7_owa.log", "iis", 3),
    ("iis-w3c/plaso/iis_without_date.log", "iis", 10),
    ("iis-w3c/plaso/iis10_edge_cases.log", "iis", 15),
    ("iis-w3c/public-lines/iis_arr_log_id.log", "iis", 1),
    ("iis-w3c/lnav/logfile_w3c.0", "iis", 1),
    ("iis-w3c/lnav/logfile_w3c.2", "iis", 14),
    ("iis-w3c/lnav/logfile_w3c.4", "iis", 2),
    ("iis-w3c/lnav/logfile_w3c.6", "iis", 1),
    ("iis-w3c/beats/test-x-forward-for.log", "iis", 9),
    ("iis-w3c/beats/test-iis-7.2.log", "iis", 5),
    ("iis-w3c/beats/test-ipv6zone.log", "iis", 1),
    ("httperr/logjoint/httperr_smoke.log", "httperr", 10),
    ("httperr/beats/ipv6_zone_id.log", "httperr", 1),
    ("httperr/beats/iis_error_url.log", "httperr", 8),
    ("edgemicro/public-docs/edgemicro_econnreset.log", "edgemicro", 2),
    ("node-json/lnav/logfile_pino.0", "node-json", 1),
    (
        "azure-appservice-http/integ/test-appservicehttplogs-raw.log",
        "iis-json",
        2,
    ),
    ("java-app/lnav/logfile_ecs_log.json", "app-json", 5),
];

#[test]
fn logs_of_other_projects_are_detected_and_read() {
    let Some(root) = root() else { return };
    let mut wrong = Vec::new();
    for (file, want, least) in FILES {
        let bytes = load(&root.join(file));
        let Some(format) = detect(&bytes) else {
            wrong.push(format!("{file}: not detected"));
            continue;
        };
        let (entries, read, broken) = parse(format, &bytes);
        if format.name() != want {
            wrong.push(format!("{file}: {} instead of {want}", format.name()));
        }
        if entries.len() < least || read * 100 < (read + broken.len()) * 99 {
            wrong.push(format!(
                "{file}: {} entries, {read} read, broken: {broken:#?}",
                entries.len()
            ));
        }
        if entries.iter().any(|entry| entry.time.is_none()) {
            wrong.push(format!("{file}: an entry without time"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The documents of an Elastic `*-expected.json`: a bare list (beats) or one under `expected` (integrations).
fn expected(path: &Path) -> Vec<serde_json::Value> {
    let bytes = fs::read(path).unwrap();
    let mut parsed: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let list = if parsed.is_array() {
        parsed
    } else {
        parsed["expected"].take()
    };
    list.as_array().unwrap().clone()
}

/// The value at `path`, whether its keys are nested or one flat key.
fn at<'j>(document: &'j serde_json::Value, path: &str) -> Option<&'j serde_json::Value> {
    let nested = path.split('.').try_fold(document, |value, key| value.get(key));
    nested.or_else(|| document.get(path))
}

fn text(document: &serde_json::Value, path: &str) -> Option<String> {
    let value = at(document, path)?;
    value
        .as_str()
        .map(str::to_owned)
        .or_else(|| Some(value.to_string()))
}

/// Compares one entry with the document of the same line; an absent field of the document asks nothing.
fn disagreements(entry: &Entry<'_>, document: &serde_json::Value) -> Vec<String> {
    let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut wrong = Vec::new();
    let mut check = |what: &str, want: Option<String>, got: String| {
        if let Some(want) = want.filter(|want| *want != got) {
            wrong.push(format!("{what}: {got} instead of {want}"));
        }
    };
    let time = text(document, "@timestamp").and_then(|time| why502_parsers::time::any(time.as_bytes()));
    // The other projects keep milliseconds.
    let ms = |stamp: Option<Stamp>| stamp.map(|stamp| (stamp.us / 1000).to_string());
    check("time", ms(time), ms(entry.time).unwrap_or_default());
    let status = entry.status.map(|status| status.to_string()).unwrap_or_default();
    check("status", text(document, "http.response.status_code"), status);
    check(
        "method",
        text(document, "http.request.method"),
        show(entry.method),
    );
    let path = text(document, "url.path").filter(|path| !path.contains('\u{fffd}'));
    check("path", path, show(entry.path));
    let want_us = at(document, "event.duration")
        .and_then(|ns| ns.as_f64())
        .map(|ns| ((ns / 1000.0).round() as u64).to_string());
    let got_us = entry.duration_us.map(|us| us.to_string()).unwrap_or_default();
    check("duration", want_us, got_us);
    let reason = text(document, "iis.error.reason_phrase");
    if entry.kind == Kind::Failure {
        check("reason", reason, show(entry.error));
    }
    wrong
}

#[test]
fn entries_agree_with_the_parses_that_stand_beside_the_logs() {
    let Some(root) = root() else { return };
    let files = [
        "iis-w3c/integ/test-iis-8.log",
        "iis-w3c/beats/test-x-forward-for.log",
        "iis-w3c/beats/test-iis-7.2.log",
        "iis-w3c/beats/test-ipv6zone.log",
        "httperr/beats/ipv6_zone_id.log",
        "httperr/beats/iis_error_url.log",
        "azure-appservice-http/integ/test-appservicehttplogs-raw.log",
    ];
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for file in files {
        let path = root.join(file);
        let bytes = load(&path);
        let Some(format) = detect(&bytes) else {
            wrong.push(format!("{file}: not detected"));
            continue;
        };
        let (entries, _, _) = parse(format, &bytes);
        let beside = PathBuf::from(format!("{}-expected.json", path.display()));
        let documents: Vec<_> = expected(&beside)
            .into_iter()
            .filter(|document| !document.is_null())
            .collect();
        if entries.len() != documents.len() {
            wrong.push(format!(
                "{file}: {} entries, {} documents",
                entries.len(),
                documents.len()
            ));
        }
        for (number, (entry, document)) in entries.iter().zip(&documents).enumerate() {
            compared += 1;
            let found = disagreements(entry, document);
            wrong.extend(
                found
                    .into_iter()
                    .map(|what| format!("{file} entry {}: {what}", number + 1)),
            );
        }
    }
    println!("{compared} entries compared");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
