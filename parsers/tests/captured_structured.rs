//! Logs captured from real programs, one fault at a time: Caddy 2.6.2, microgateway-core 3.3.7, gunicorn 27.0.1,
//! nginx 1.22.1 with JSON log formats, lighttpd 1.4.69, Traffic Server 9.2.5, Varnish 7.1, and Node 20.20.2 with pino-http,
//! bunyan and winston. Only paths and the machine's name were changed, and
//! Caddy's header maps emptied.

#![allow(clippy::unwrap_used)] // Helpers of tests.

use std::path::Path;

use why502_parsers::entry::{Fault, Kind, Phase, Signal};
use why502_parsers::{Entry, Head, Line, Product, Score, registry};

fn load(name: &str) -> Vec<u8> {
    std::fs::read(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/data")
            .join(name),
    )
    .unwrap()
}

/// The entries of `bytes`, read by the format that is surest of them, which must be `want`.
fn read<'a>(bytes: &'a [u8], want: &str) -> Vec<Entry<'a>> {
    let head = Head {
        bytes,
        hints: &[],
        date_hint: None,
    };
    let formats = registry::builtin().iter();
    let sure = formats.map(|format| (format.sniff(&head).score, format.name()));
    let best = sure
        .filter(|(score, _)| *score > Score::No)
        .max_by_key(|(score, _)| *score);
    assert_eq!(best.map(|(_, name)| name), Some(want));
    let mut parser = registry::by_name(want).unwrap().prepare(&head).open(b"");
    let mut entries = Vec::new();
    for line in head.lines() {
        let mut entry = Entry::default();
        if parser.parse(line, &mut entry).unwrap() == Line::Entry {
            entries.push(entry);
        }
    }
    entries
}

const fn is(phase: Phase, fault: Fault) -> Option<Signal> {
    Some(Signal::new(phase, fault))
}

#[test]
fn pino_http_tells_outcome_error_and_abort() {
    let bytes = load("pino-http.log");
    let entries = read(&bytes, "node-json");
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.kind, entry.status, entry.signal))
        .collect();
    assert_eq!(
        seen,
        [
            (Kind::Request, Some(200), None),
            (Kind::Failure, None, is(Phase::Connect, Fault::Refused)),
            (Kind::Request, Some(502), is(Phase::Connect, Fault::Refused)),
            (Kind::Failure, None, is(Phase::Header, Fault::Closed)),
            (Kind::Request, Some(502), is(Phase::Header, Fault::Closed)),
            (Kind::Request, None, is(Phase::Client, Fault::ClientGone)),
        ]
    );
    assert_eq!(entries[0].ids.as_slice(), [b"abcdef0123".as_slice()]);
    assert_eq!(
        (entries[0].path, entries[5].duration_us),
        (b"/a?x=1".as_slice(), Some(497_000))
    );
    // The failure and the outcome of one request share its id.
    assert_eq!(entries[3].ids.as_slice(), entries[4].ids.as_slice());
    assert_eq!(registry::by_name("node-json").unwrap().product(), Product::Node);
}

#[test]
fn bunyan_and_winston_tell_the_same_failures() {
    for (file, format) in [("bunyan.log", "node-json"), ("winston.log", "app-json")] {
        let bytes = load(file);
        let signals: Vec<_> = read(&bytes, format)
            .iter()
            .map(|entry| (entry.kind, entry.signal))
            .collect();
        assert_eq!(
            signals,
            [
                (Kind::Failure, is(Phase::Connect, Fault::Refused)),
                (Kind::Failure, is(Phase::Header, Fault::Closed)),
            ],
            "{file}"
        );
    }
}

#[test]
fn gunicorn_tells_a_slow_worker_from_a_failed_request() {
    let bytes = load("gunicorn-error.log");
    let entries = read(&bytes, "gunicorn-error");
    let failures = entries.iter().filter(|entry| entry.kind == Kind::Failure);
    let failures: Vec<_> = failures.map(|entry| (entry.path, entry.signal)).collect();
    assert_eq!(
        failures,
        [
            (b"/boom".as_slice(), is(Phase::Process, Fault::Other)),
            (b"/slow", is(Phase::Process, Fault::WorkerTimedOut)),
            (b"/stuck", is(Phase::Process, Fault::WorkerTimedOut)),
        ]
    );
    let count = |fault| {
        entries
            .iter()
            .filter(|entry| entry.kind == Kind::Event && entry.signal == is(Phase::Process, fault))
            .count()
    };
    assert_eq!(
        (
            count(Fault::WorkerTimedOut),
            count(Fault::OutOfMemory),
            count(Fault::WorkerCrashed)
        ),
        (3, 0, 0)
    );
}

#[test]
fn a_process_dies_once() {
    for (file, fault) in [
        ("node-crash.log", Fault::WorkerCrashed),
        ("node-heap.log", Fault::OutOfMemory),
    ] {
        let bytes = load(file);
        let entries = read(&bytes, "node-text");
        let events: Vec<_> = entries
            .iter()
            .filter(|entry| entry.kind == Kind::Event)
            .map(|entry| entry.signal)
            .collect();
        assert_eq!(events, [is(Phase::Process, fault)], "{file}");
    }
}

/// The distinct signals of the entries of `kind`, each with the paths it was seen on, in order of appearance.
fn signals_by_path(entries: &[Entry<'_>], kind: Kind) -> Vec<(String, Option<Signal>)> {
    let mut seen = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == kind) {
        let pair = (
            String::from_utf8_lossy(&entry.target()).into_owned(),
            entry.signal,
        );
        if !seen.contains(&pair) {
            seen.push(pair);
        }
    }
    seen
}

fn check(seen: &[(String, Option<Signal>)], want: &[(&str, Phase, Fault)]) {
    let want: Vec<_> = want
        .iter()
        .map(|&(path, phase, fault)| (path.to_owned(), is(phase, fault)))
        .collect();
    assert_eq!(seen, want);
}

#[test]
fn caddy_names_each_fault_in_its_error_log() {
    let bytes = load("caddy.log");
    let entries = read(&bytes, "caddy");
    check(
        &signals_by_path(&entries, Kind::Failure),
        &[
            ("/ok/slow", Phase::Header, Fault::TimedOut),
            ("/hang/a", Phase::Header, Fault::TimedOut),
            ("/down/a", Phase::Connect, Fault::Refused),
            ("/black/a", Phase::Connect, Fault::TimedOut),
            ("/tlshang/a", Phase::Tls, Fault::TimedOut),
            ("/tlsplain/a", Phase::Header, Fault::Closed),
            ("/ok/fin", Phase::Header, Fault::Closed),
            ("/ok/rst", Phase::Header, Fault::Reset),
            ("/ok/ph", Phase::Header, Fault::ClosedPartial),
            ("", Phase::Body, Fault::Closed),
            ("", Phase::Body, Fault::Reset),
            ("/ok/gb", Phase::Header, Fault::MalformedHeader),
            ("/kas/p", Phase::Header, Fault::Reset),
            ("/kan/p", Phase::Header, Fault::Reset),
            ("/retry/a", Phase::Connect, Fault::Refused),
            ("/both/a", Phase::Connect, Fault::Refused),
            ("/both/b", Phase::Queue, Fault::NoLiveUpstream),
            ("/ff/b", Phase::Header, Fault::Closed),
            ("/ff/c", Phase::Header, Fault::Closed),
            ("/ff/d", Phase::Header, Fault::TimedOut),
            ("/gun/long", Phase::Header, Fault::TimedOut),
            ("/gun/short", Phase::Header, Fault::TimedOut),
        ],
    );
    let mut requests = entries.iter().filter(|entry| entry.kind == Kind::Request);
    assert!(requests.all(|entry| entry.signal.is_none() && entry.duration_us.is_some()));
}

#[test]
fn caddys_console_encoder_loses_nothing() {
    let bytes = load("caddy-console.log");
    let entries = read(&bytes, "caddy");
    assert_eq!(
        entries.len(),
        bytes
            .split(|&byte| byte == b'\n')
            .filter(|line| !line.is_empty())
            .count()
    );
    let failures: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Failure)
        .collect();
    // The attempt at debug level, then the line of the error log.
    let seen: Vec<_> = failures
        .iter()
        .map(|entry| (entry.path, entry.status, entry.signal))
        .collect();
    let closed = is(Phase::Header, Fault::Closed);
    assert_eq!(
        seen,
        [(b"/fin".as_slice(), None, closed), (b"/fin", Some(502), closed)]
    );
    assert_eq!(
        (failures[0].upstream.addr, failures[0].response_us),
        (b"127.0.0.1:18781".as_slice(), Some(802))
    );
    let requests: Vec<_> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Request)
        .map(|entry| entry.status)
        .collect();
    assert_eq!(requests, [Some(200), Some(502), Some(200)]);
    let down = entries
        .iter()
        .filter(|entry| entry.signal == is(Phase::Connect, Fault::ServerDown));
    assert_eq!(down.count(), 3);
}

#[test]
fn edge_microgateway_names_each_fault_in_the_outcome() {
    let bytes = load("edgemicro.log");
    let entries = read(&bytes, "edgemicro");
    let mut outcomes = signals_by_path(&entries, Kind::Request);
    outcomes.retain(|(_, signal)| signal.is_some());
    check(
        &outcomes,
        &[
            ("/ok/slow", Phase::Unknown, Fault::TimedOut),
            ("/hang/a", Phase::Unknown, Fault::TimedOut),
            ("/down/a", Phase::Connect, Fault::Refused),
            ("/black/a", Phase::Unknown, Fault::TimedOut),
            ("/tlshang/a", Phase::Unknown, Fault::TimedOut),
            ("/tlsplain/a", Phase::Tls, Fault::TlsRejected),
            ("/ok/fin", Phase::Header, Fault::Closed),
            ("/ok/rst", Phase::Header, Fault::Reset),
            ("/ok/ph", Phase::Header, Fault::Closed),
            ("/ok/mr", Phase::Header, Fault::Reset),
            ("/ok/gb", Phase::Header, Fault::MalformedHeader),
            ("/ok/bh", Phase::Header, Fault::HeaderTooBig),
            ("/kas/g", Phase::Header, Fault::Reset),
            ("/kas/p", Phase::Send, Fault::Reset),
            ("/kan/p", Phase::Header, Fault::Reset),
            ("/gun/long", Phase::Unknown, Fault::TimedOut),
            ("/gun/short", Phase::Unknown, Fault::TimedOut),
        ],
    );
    let failures = entries.iter().filter(|entry| entry.kind == Kind::Failure);
    let told = |entry: &Entry<'_>| entry.response_us.is_some() && !entry.upstream.addr.is_empty();
    assert!(failures.clone().all(told) && failures.count() > 20);
}

#[test]
fn nginx_json_is_read_quoted_bare_and_with_hexadecimal_escapes() {
    for file in [
        "nginx-json-quoted.log",
        "nginx-json-bare.log",
        "nginx-json-hex.log",
    ] {
        let bytes = load(file);
        let entries = read(&bytes, "nginx-json");
        let statuses: Vec<_> = entries.iter().map(|entry| entry.status).collect();
        assert_eq!(
            statuses,
            [Some(200), Some(200), Some(502), Some(502), Some(200)],
            "{file}"
        );
        let attempts: Vec<_> = entries
            .iter()
            .map(|entry| entry.upstream.attempts().count())
            .collect();
        assert_eq!(attempts, [2, 1, 2, 1, 0], "{file}");
        let retried: Vec<_> = entries[0].upstream.attempts().collect();
        assert_eq!(
            (retried[0].status, retried[0].connect_us),
            (Some(502), None),
            "{file}"
        );
        assert_eq!(
            (retried[1].status, retried[1].connect_us),
            (Some(200), Some(0)),
            "{file}"
        );
        assert_eq!(entries[0].text(entries[0].path), r#"/a?x="q""#, "{file}");
    }
}

/// Logs of real servers with known faults (`tests/data`): a request that met the server's own limit, a full accept queue,
/// too few workers, a 502 of the application, a client that left.
#[test]
fn what_was_done_to_real_servers_is_found_in_their_logs() {
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
        let bytes = load(file);
        let entries = read(&bytes, want);
        let found = entries.iter().filter(|entry| entry.kind == Kind::Request).count();
        let answered = entries.iter().filter(|entry| entry.status == Some(502)).count();
        assert_eq!((found, answered), (requests, bad), "{file}");
        let seen: Vec<Fault> = entries
            .iter()
            .filter_map(|entry| Some(entry.signal?.fault))
            .collect();
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

/// lighttpd 1.4.69 as a proxy of an upstream that failed on purpose, one way a path.
#[test]
fn lighttpd_tells_how_its_upstream_failed_only_in_its_error_log() {
    let bytes = load("lighttpd-access.log");
    let statuses: Vec<_> = read(&bytes, "lighttpd")
        .iter()
        .map(|entry| (entry.path, entry.status))
        .collect();
    assert_eq!(
        statuses[1..4],
        [
            (&b"/reset"[..], Some(500)),
            (&b"/close"[..], Some(500)),
            (&b"/garbage"[..], Some(502))
        ]
    );
    let bytes = load("lighttpd-error.log");
    let entries = read(&bytes, "lighttpd");
    let told: Vec<_> = entries.iter().map(|entry| entry.signal).collect();
    assert_eq!(
        told,
        [
            is(Phase::Process, Fault::Started),
            is(Phase::Unknown, Fault::Reset),
            is(Phase::Header, Fault::ResetOrClosed),
            is(Phase::Connect, Fault::Refused),
            is(Phase::Queue, Fault::NoLiveUpstream),
            is(Phase::Connect, Fault::ServerUp),
            is(Phase::Header, Fault::TimedOut),
            is(Phase::Process, Fault::Stopping)
        ]
    );
}

/// Traffic Server 9.2.5 likewise; a connection that was refused and one that ended early look the same in its access log.
#[test]
fn traffic_server_s_error_log_tells_refused_connections_from_lost_ones() {
    let bytes = load("trafficserver-extended2.log");
    let entries = read(&bytes, "trafficserver");
    let lost = entries
        .iter()
        .filter(|entry| entry.termination == b"ERR_CONNECT_FAIL");
    assert_eq!(lost.count(), 4);
    let slow = entries.iter().find(|entry| entry.path == b"/slow").unwrap();
    assert_eq!(
        (slow.status, slow.signal),
        (Some(504), is(Phase::Header, Fault::TimedOut))
    );
    let bytes = load("trafficserver-error.log");
    let entries = read(&bytes, "trafficserver");
    assert!(
        entries
            .iter()
            .all(|entry| entry.signal == is(Phase::Connect, Fault::Refused))
    );
    assert_eq!(entries.len(), 2);
}

/// Varnish 7.1, `varnishlog -b`: each transaction with the backend is one record of many lines.
#[test]
fn varnishlog_s_backend_transactions_say_what_went_wrong() {
    let bytes = load("varnishlog.log");
    let head = Head {
        bytes: &bytes,
        hints: &[],
        date_hint: None,
    };
    let mut parser = registry::by_name("varnishlog").unwrap().prepare(&head).open(b"");
    let starts: Vec<usize> = std::iter::once(0)
        .chain(memchr::memmem::find_iter(&bytes, b"\n*").map(|at| at + 1))
        .chain([bytes.len()])
        .collect();
    let mut told = Vec::new();
    for bounds in starts.windows(2) {
        let mut entry = Entry::default();
        let record = bytes[bounds[0]..bounds[1]].trim_ascii_end();
        assert_eq!(parser.parse(record, &mut entry), Ok(Line::Entry));
        told.push((String::from_utf8_lossy(entry.path).into_owned(), entry.signal));
    }
    let seen: Vec<_> = told
        .iter()
        .map(|(path, signal)| (path.as_str(), *signal))
        .collect();
    assert_eq!(
        seen,
        [
            ("/ok", None),
            ("/reset", is(Phase::Header, Fault::ResetOrClosed)),
            ("/close", is(Phase::Header, Fault::ResetOrClosed)),
            ("/garbage", is(Phase::Header, Fault::MalformedHeader)),
            ("/bad", None),
            ("/slow", is(Phase::Header, Fault::TimedOut)),
            ("/ok/2", None),
            ("/refused", is(Phase::Connect, Fault::Refused))
        ]
    );
}
