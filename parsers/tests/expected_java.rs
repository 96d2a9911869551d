//! Logs of gateways and application servers that other projects wrote: the right format wins, every line is read, and
//! where the other project's parse stands beside the log, the two agree field by field.
//!
//! Looks for the logs in `$WHY502_FIXTURES`, else beside the repository; without them there is nothing to test.

#![allow(clippy::unwrap_used)] // Helpers of tests.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use why502_parsers::{Entry, Format, Head, Line, LineParser, Product, Score, registry, time};

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

fn detect(head: &Head<'_>) -> Option<&'static dyn Format> {
    let mut best: Option<(Score, u32, &'static dyn Format)> = None;
    for &format in registry::builtin() {
        let sniff = format.sniff(head);
        let share = (sniff.parsed * 1000).checked_div(sniff.looked_at).unwrap_or(0);
        if sniff.score > Score::No && best.is_none_or(|(score, most, _)| (sniff.score, share) > (score, most))
        {
            best = Some((sniff.score, share, format));
        }
    }
    best.map(|(_, _, format)| format)
}

/// Files, what their surroundings hint at, the format that must win, and how many entries they hold.
const FILES: [(&str, &[Product], &str, usize); 11] = [
    ("openig/openig-docs/route_relative_time.log", &[], "openig", 6),
    ("openig/public-docs/ig_console_502.log", &[], "openig", 10),
    (
        "forgerock-audit/integ/test-am-access.log",
        &[],
        "forgerock-audit",
        14,
    ),
    (
        "apigee-edge/public-docs/mp_system_handshake.log",
        &[],
        "apigee-mp",
        1,
    ),
    ("tomcat/integ/test-access.log", &[Product::Tomcat], "tomcat", 8),
    ("tomcat/integ/test-catalina.log", &[], "catalina", 3),
    ("java-app/lnav/logfile_java.0", &[], "java-text", 20),
    ("uwsgi/lnav/logfile_uwsgi.0", &[], "uwsgi", 19),
    ("uvicorn/crowdsec/litellm-logs.log", &[], "uvicorn", 6),
    ("iis-fixed/logjoint/iis_fixed_1.log", &[], "iis-fixed", 6),
    (
        "edgemicro/public-docs/edgemicro_econnreset.log",
        &[],
        "edgemicro",
        2,
    ),
];

#[test]
fn every_line_of_these_logs_is_read_by_the_right_format() {
    let Some(root) = root() else { return };
    let mut wrong = Vec::new();
    for (file, hints, want, entries) in FILES {
        let bytes = fs::read(root.join(file)).unwrap();
        let head = Head {
            bytes: &bytes,
            hints,
            date_hint: None,
        };
        let Some(format) = detect(&head) else {
            wrong.push(format!("{file}: not detected"));
            continue;
        };
        let mut parser = format.prepare(&head).open(b"");
        let (mut found, mut unread) = (0, 0);
        for line in head.lines() {
            match parser.parse(line, &mut Entry::default()) {
                Ok(Line::Entry) => found += 1,
                Ok(_) => {}
                Err(_) => unread += 1,
            }
        }
        if (format.name(), found, unread) != (want, entries, 0) {
            wrong.push(format!(
                "{file}: {} with {found} entries, {unread} lines unread",
                format.name()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The line of the hybrid runtime, out of its container wrapper.
#[test]
fn the_hybrid_runtimes_line_is_read_inside_its_wrapper() {
    let Some(root) = root() else { return };
    let bytes = fs::read(root.join("apigee-edge/public-docs/apigee_hybrid_runtime_cri.log")).unwrap();
    let at = memchr::memmem::find(&bytes, b" F ").unwrap() + 3;
    let head = Head {
        bytes: &bytes[at..],
        hints: &[],
        date_hint: None,
    };
    assert_eq!(detect(&head).map(Format::name), Some("apigee-mp"));
}

/// The records of a log: a line that begins one, with the lines that go on.
fn records<'a>(parser: &dyn LineParser, bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let (mut records, mut from, mut at) = (Vec::new(), 0, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if at > from && parser.begins(text) != Some(false) {
            records.push(bytes[from..at].trim_ascii_end());
            from = at;
        }
        at += line.len();
    }
    records.push(bytes[from..].trim_ascii_end());
    records
}

fn expected(path: &Path) -> Vec<Value> {
    let parsed: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let list = parsed["expected"].as_array().unwrap().clone();
    list.into_iter().filter(|document| !document.is_null()).collect()
}

fn text(document: &Value, path: &str) -> Option<String> {
    let value = document.pointer(path).or_else(|| document.get(&path[1..]))?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Compares what both have; counts the fields compared. Where the two differ by intent, the comparison says so:
///
/// - ForgeRock's path is a whole URI; this crate takes host and path apart, the other project keeps it whole. Put together
///   again they are the same.
/// - The outcome event with an empty `statusCode` has no status in either.
/// - Tomcat's `response_time` has no unit there. The file holds 40 and 50, fewer microseconds than Tomcat can reach, so they
///   are read as milliseconds, the unit of the version that the log is of.
/// - Tomcat's connection state `-` cannot be told from a missing value in that place: the other project, which knows the
///   pattern, is right; it is not kept here.
/// - Catalina's logger stands in the other project's message; it is taken off before comparing.
struct Comparison {
    compared: usize,
    wrong: Vec<String>,
}

impl Comparison {
    fn field(&mut self, what: &str, want: Option<String>, got: &str) {
        let Some(want) = want else { return };
        self.compared += 1;
        if want != got {
            self.wrong.push(format!("{what}: {got:?} instead of {want:?}"));
        }
    }
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn ms_of(document: &Value) -> Option<String> {
    let stamp = text(document, "/@timestamp")?;
    time::any(stamp.as_bytes()).map(|stamp| (stamp.us / 1000).to_string())
}

fn compare(file: &str, hints: &[Product], check: impl Fn(&mut Comparison, &Entry<'_>, &Value)) {
    let Some(root) = root() else { return };
    let bytes = fs::read(root.join(file)).unwrap();
    let head = Head {
        bytes: &bytes,
        hints,
        date_hint: None,
    };
    let format = detect(&head).unwrap();
    let mut parser = format.prepare(&head).open(b"");
    let records = records(parser.as_ref(), &bytes);
    let documents = expected(&root.join(format!("{file}-expected.json")));
    assert_eq!(records.len(), documents.len(), "{file}");
    let mut all = Comparison {
        compared: 0,
        wrong: Vec::new(),
    };
    for (record, document) in records.iter().zip(&documents) {
        let mut entry = Entry::default();
        assert_eq!(
            parser.parse(record, &mut entry),
            Ok(Line::Entry),
            "{}",
            show(record)
        );
        all.field(
            "time",
            ms_of(document),
            &number(entry.time.map(|stamp| stamp.us / 1000)),
        );
        check(&mut all, &entry, document);
    }
    println!(
        "{file}: {} fields compared, {} differ",
        all.compared,
        all.wrong.len()
    );
    assert!(all.wrong.is_empty(), "{}", all.wrong.join("\n"));
}

#[test]
fn audit_events_agree() {
    compare(
        "forgerock-audit/integ/test-am-access.log",
        &[],
        |all, entry, document| {
            all.field(
                "method",
                text(document, "/http/request/method"),
                &show(entry.method),
            );
            let uri = format!("https://{}{}", show(entry.host), show(entry.path));
            all.field("path", text(document, "/http/request/Path"), &uri);
            all.field(
                "status",
                text(document, "/http/response/status_code"),
                &number(entry.status),
            );
            all.field("client", text(document, "/client/ip"), &show(entry.client));
            all.field("port", text(document, "/client/port"), &number(entry.client_port));
            let id = entry.ids.as_slice().first().copied().unwrap_or_default();
            all.field("id", text(document, "/transaction/id"), &show(id));
            let ns = number(entry.duration_us.map(|us| us * 1000));
            all.field("duration", text(document, "/event/duration"), &ns);
        },
    );
}

#[test]
fn tomcats_access_lines_agree() {
    let hints = &[Product::Tomcat];
    compare("tomcat/integ/test-access.log", hints, |all, entry, document| {
        all.field(
            "method",
            text(document, "/http/request/method"),
            &show(entry.method),
        );
        all.field("path", text(document, "/url/original"), &show(entry.path));
        all.field(
            "status",
            text(document, "/http/response/status_code"),
            &number(entry.status),
        );
        all.field("client", text(document, "/source/ip"), &show(entry.client));
        all.field(
            "bytes",
            text(document, "/destination/bytes"),
            &number(entry.bytes_sent),
        );
        all.field(
            "server",
            text(document, "/apache_tomcat/access/ip/local"),
            &show(entry.server),
        );
        let state = text(document, "/apache_tomcat/access/connection_status").filter(|state| state != "-");
        all.field("connection", state, &show(entry.termination));
        let ms = document
            .pointer("/apache_tomcat/access/response_time")
            .and_then(Value::as_f64);
        let ms = ms.map(|ms| format!("{ms}"));
        all.field("duration", ms, &number(entry.duration_us.map(|us| us / 1000)));
        let addresses = document
            .pointer("/client/ip")
            .and_then(Value::as_array)
            .map(|list| {
                let list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
                list.join(", ")
            });
        all.field("forwarded for", addresses, &show(entry.forwarded_for));
    });
}

#[test]
fn catalinas_records_agree() {
    compare("tomcat/integ/test-catalina.log", &[], |all, entry, document| {
        let level = text(document, "/log/level").map(|level| level.to_lowercase());
        let own = match entry.level {
            why502_parsers::entry::Level::Error => "severe",
            why502_parsers::entry::Level::Warning => "warning",
            why502_parsers::entry::Level::Info => "info",
            _ => "",
        };
        all.field("level", level, own);
        // The other project leaves the logger in the message.
        let message = text(document, "/message").map(|message| {
            let first = message.split('\n').next().unwrap_or_default();
            first
                .split_once(' ')
                .map_or(String::new(), |(_, text)| text.to_owned())
        });
        all.field("message", message, &show(entry.error));
    });
}

/// Logs of real servers with known faults (`tests/data`): a request that met the server's own limit, a full accept queue,
/// too few workers, a 502 of the application, a client that left.
#[test]
fn what_was_done_to_real_servers_is_found_in_their_logs() {
    use why502_parsers::entry::{Fault, Kind};
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let limit = [
        Fault::WorkerTimedOut,
        Fault::WorkersExhausted,
        Fault::Started,
        Fault::Stopping,
    ];
    let files: [(&str, &str, usize, usize, &[Fault]); 9] = [
        ("morgan-tiny.log", "morgan", 4, 1, &[Fault::ClientGone]),
        ("morgan-short.log", "morgan", 4, 1, &[Fault::ClientGone]),
        ("morgan-dev.log", "morgan", 4, 1, &[Fault::ClientGone]),
        ("php-fpm.log", "php-fpm", 0, 0, &limit),
        ("php-fpm-slow.log", "php-fpm", 0, 0, &[]),
        ("php-errors.log", "php-fpm", 0, 0, &[Fault::OutOfMemory]),
        (
            "uwsgi.log",
            "uwsgi",
            4,
            1,
            &[
                Fault::WorkerTimedOut,
                Fault::BacklogFull,
                Fault::Started,
                Fault::Stopping,
            ],
        ),
        ("tomcat-access.log", "tomcat", 62, 0, &[]),
        (
            "tomcat-catalina.log",
            "catalina",
            0,
            0,
            &[Fault::Started, Fault::Stopping],
        ),
    ];
    for (file, want, requests, bad, faults) in files {
        let bytes = fs::read(data.join(file)).unwrap();
        let head = Head {
            bytes: &bytes,
            hints: &[],
            date_hint: None,
        };
        let format = detect(&head).unwrap();
        assert_eq!(format.name(), want, "{file}");
        let mut parser = format.prepare(&head).open(b"");
        let (mut found, mut answered, mut seen) = (0, 0, Vec::new());
        for line in head.lines() {
            let mut entry = Entry::default();
            let read = parser.parse(line, &mut entry);
            assert!(read.is_ok(), "{file}: {read:?} {}", show(line));
            if read == Ok(Line::Entry) {
                found += usize::from(entry.kind == Kind::Request);
                answered += usize::from(entry.status == Some(502));
                seen.extend(entry.signal.map(|signal| signal.fault));
            }
        }
        assert_eq!((found, answered), (requests, bad), "{file}");
        assert!(
            faults.iter().all(|fault| seen.contains(fault)),
            "{file}: {seen:?}"
        );
        assert!(
            seen.iter().all(|fault| faults.contains(fault)),
            "{file}: {seen:?}"
        );
    }
}
