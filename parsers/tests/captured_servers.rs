//! Logs that `tests/live/lines.py` captured, one recipe of `tests/live/recipes` each: Jetty 9.4.57, Puma 5.6.5, Unicorn
//! 6.0.0, Kestrel of .NET, Logback 1.2.11 with Logstash's encoder over the JDK's own HTTP client, nginx 1.22.1 as Apigee's
//! router, and the log of a system with rsyslog. Only paths and the machine's name were changed.

#![allow(clippy::unwrap_used)] // Helpers of tests are tests too.

use std::path::Path;

use why502_parsers::entry::{Fault, Kind, Marks, Phase};
use why502_parsers::format::Head;
use why502_parsers::{Entry, Line, Product, registry};

fn load(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name);
    std::fs::read(path).unwrap()
}

/// The entries of `bytes` read by the format `name`, which must claim it when `hint` stands beside the log and be able to
/// read every record.
fn read<'a>(bytes: &'a [u8], name: &str, hint: Product) -> Vec<Entry<'a>> {
    let hints = [hint];
    let head = Head {
        bytes,
        hints: &hints,
        date_hint: None,
    };
    let format = registry::by_name(name).unwrap();
    assert!(format.sniff(&head).score > why502_parsers::Score::No, "{name}");
    let mut parser = format.prepare(&head).open(b"");
    let records = records(bytes, parser.as_ref());
    let mut entries = Vec::new();
    for record in records {
        let mut entry = Entry::default();
        let read = parser.parse(record, &mut entry);
        let shown = String::from_utf8_lossy(record);
        assert!(read.is_ok(), "{name}: {read:?}: {shown}");
        if read == Ok(Line::Entry) {
            entries.push(entry);
        }
    }
    entries
}

/// The lines of `bytes`, or where the format knows what begins a record, the records.
fn records<'a>(bytes: &'a [u8], parser: &dyn why502_parsers::LineParser) -> Vec<&'a [u8]> {
    let mut starts = Vec::new();
    let mut at = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if parser.begins(line.trim_ascii_end()).unwrap_or(true) || at == 0 {
            starts.push(at);
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let pairs = starts.iter().zip(ends);
    pairs
        .map(|(start, end)| bytes[*start..end].trim_ascii_end())
        .collect()
}

fn requests<'e, 'a>(entries: &'e [Entry<'a>]) -> Vec<&'e Entry<'a>> {
    entries
        .iter()
        .filter(|entry| entry.kind == Kind::Request)
        .collect()
}

fn signals(entries: &[Entry<'_>]) -> Vec<(Phase, Fault)> {
    let signals = entries.iter().filter_map(|entry| entry.signal);
    signals.map(|signal| (signal.phase, signal.fault)).collect()
}

#[test]
fn jetty_stamps_the_arrival_and_tells_milliseconds_if_asked_to() {
    let bytes = load("jetty-access.log");
    let entries = read(&bytes, "jetty", Product::Jetty);
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| (entry.status.unwrap(), entry.duration_us.is_some()))
        .collect();
    let mut wanted = vec![(502, true), (502, true), (200, true), (200, true), (504, true)];
    wanted.extend([(502, true); 4]);
    assert_eq!(seen, wanted);
    let slow = &entries[4];
    assert!(
        (1_500_000..1_600_000).contains(&slow.duration_us.unwrap()),
        "{slow:?}"
    );
    // It waited for 1.5 s, and only the next request is stamped later: the time is the arrival.
    assert_eq!(slow.time.unwrap().marks, Marks::Start);
    assert!(entries[5].time.unwrap().us > slow.time.unwrap().us);
    let custom = load("jetty-custom.log");
    let custom = read(&custom, "jetty", Product::Jetty);
    assert_eq!(custom.len(), entries.len());
    assert!(custom.iter().all(|entry| entry.duration_us.is_none()));
}

#[test]
fn jettys_own_log_tells_level_logger_and_thread() {
    let bytes = load("jetty-server.log");
    let entries = read(&bytes, "java-text", Product::Jetty);
    assert!(entries.len() > 10);
    assert!(
        entries
            .iter()
            .all(|entry| entry.time.is_some() && entry.thread.is_some())
    );
    assert!(
        entries
            .iter()
            .any(|entry| entry.error.starts_with(b"Started ServerConnector@"))
    );
}

#[test]
fn puma_tells_requests_in_seconds_and_its_master_what_became_of_workers() {
    let bytes = load("puma.log");
    let entries = read(&bytes, "ruby-workers", Product::Ruby);
    let requests = requests(&entries);
    assert_eq!(requests.len(), 5);
    for request in requests {
        assert!(request.pid.is_some() && request.duration_us.is_some_and(|us| us < 1_000_000));
    }
    let timed_out = entries.iter().find(|entry| {
        entry
            .signal
            .is_some_and(|signal| signal.fault == Fault::WorkerTimedOut)
    });
    let stuck = entries.iter().find(|entry| entry.path == b"/stuck").unwrap();
    assert_eq!(
        timed_out.unwrap().pid,
        stuck.pid,
        "the worker that hung is the one that was ended"
    );
    let crashed = signals(&entries)
        .into_iter()
        .filter(|signal| *signal == (Phase::Process, Fault::WorkerCrashed));
    assert_eq!(crashed.count(), 1);
    let raised = entries.iter().find(|entry| entry.path == b"/raise").unwrap();
    assert!(raised.time.is_some() && raised.kind == Kind::Note && raised.client == b"127.0.0.1");
}

#[test]
fn the_worker_in_front_of_pumas_requests_is_no_host() {
    let bytes = load("puma.log");
    let is_request = |line: &&[u8]| line.windows(10).any(|part| part == b" HTTP/1.1\"");
    let requests: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').filter(is_request).collect();
    let bytes = requests.join(&b'\n');
    let entries = read(&bytes, "ruby-workers", Product::Unknown);
    assert_eq!(entries.len(), 5);
    assert!(
        entries
            .iter()
            .all(|entry| entry.host.is_empty() && entry.pid.is_some())
    );
}

#[test]
fn puma_as_one_process_writes_no_number_in_front() {
    let bytes = load("puma-single.log");
    let entries = read(&bytes, "ruby-workers", Product::Ruby);
    assert_eq!(requests(&entries).len(), 2);
    assert_eq!(
        signals(&entries),
        [
            (Phase::Process, Fault::Started),
            (Phase::Process, Fault::Stopping)
        ]
    );
}

#[test]
fn unicorn_tells_how_each_worker_ended() {
    let bytes = load("unicorn.log");
    let entries = read(&bytes, "ruby-workers", Product::Ruby);
    let ends: Vec<Fault> = signals(&entries)
        .into_iter()
        .map(|(_, fault)| fault)
        .filter(|fault| *fault != Fault::Started)
        .collect();
    assert_eq!(
        ends,
        [
            Fault::WorkerCrashed,  // It exited with 3.
            Fault::WorkerTimedOut, // It hung,
            Fault::WorkerCrashed,  // and was killed for it.
            Fault::WorkerCrashed,  // The interpreter crashed,
            Fault::WorkerCrashed,  // and its master says by which signal.
            Fault::Stopping,
            Fault::Stopping,
        ]
    );
}

#[test]
fn kestrels_requests_are_the_same_in_every_layout_of_the_console() {
    for (name, timed, traced) in [
        ("simple", false, true),
        ("timed", true, true),
        ("single", true, false),
        ("systemd", false, true),
        ("json", true, true),
    ] {
        let bytes = load(&format!("kestrel-{name}.log"));
        let entries = read(&bytes, "dotnet", Product::DotNet);
        let requests = requests(&entries);
        let seen: Vec<_> = requests
            .iter()
            .map(|entry| (entry.method, entry.path, entry.status.unwrap()))
            .collect();
        let path: &[u8] = if name == "json" {
            b"/cart"
        } else {
            b"/cart?coupon=a%20b"
        };
        assert_eq!(
            seen,
            [
                (&b"GET"[..], path, 404),
                (&b"POST"[..], &b"/"[..], 400),
                (&b"POST"[..], &b"/"[..], 500)
            ],
            "{name}"
        );
        for request in &requests {
            assert!(request.duration_us.is_some(), "{name}");
            assert_eq!(request.time.is_some(), timed, "{name}");
            // With scopes every record names the trace; the caller's where it sent one.
            let has_trace = request.ids.as_slice().first().is_some_and(|id| id.len() == 32);
            assert_eq!(has_trace, traced, "{name}: {request:?}");
        }
        if traced {
            let trace = |at: usize| requests[at].ids.as_slice()[0];
            assert!(trace(0) == trace(1) && trace(1) != trace(2), "{name}");
        }
        assert_eq!(
            signals(&entries),
            [
                (Phase::Process, Fault::Started),
                (Phase::Process, Fault::Stopping)
            ],
            "{name}"
        );
    }
}

#[test]
fn the_jdks_http_client_tells_what_happened_by_exception_and_cause() {
    let wanted = [
        (Phase::Connect, Fault::Refused),
        (Phase::Header, Fault::Closed),
        (Phase::Header, Fault::Reset),
        (Phase::Header, Fault::MalformedHeader),
        (Phase::Unknown, Fault::TimedOut),
    ];
    for (file, format) in [("logback-json.log", "java-json"), ("logback.log", "java-text")] {
        let bytes = load(file);
        let entries = read(&bytes, format, Product::Java);
        assert_eq!(signals(&entries), wanted, "{file}");
        let failures = entries.iter().filter(|entry| entry.kind == Kind::Failure);
        assert!(
            failures.clone().all(|entry| !entry.ids.as_slice().is_empty()),
            "{file}"
        );
        assert_eq!(failures.count(), wanted.len(), "{file}");
    }
    let bytes = load("logback-json.log");
    let statuses: Vec<_> = read(&bytes, "java-json", Product::Java)
        .iter()
        .filter(|entry| entry.kind == Kind::Request)
        .map(|entry| entry.status.unwrap())
        .collect();
    assert_eq!(statuses, [502, 200, 502, 502, 502, 502]);
}

#[test]
fn the_routers_fields_hold_for_requests_that_were_tried_twice_or_not_at_all() {
    let bytes = load("apigee-router.log");
    let entries = read(&bytes, "apigee-router", Product::ApigeeRouter);
    let seen: Vec<_> = entries
        .iter()
        .map(|entry| {
            let upstream = String::from_utf8_lossy(entry.upstream.status).into_owned();
            (entry.status.unwrap(), upstream, entry.bytes_sent.unwrap())
        })
        .collect();
    let told = |status, upstream: &str, sent| (status, upstream.to_owned(), sent);
    assert_eq!(
        seen,
        [
            told(200, "200", 168),
            told(200, "200", 168),
            told(502, "502, 502", 314),
            told(502, "502, 502", 314),
            told(504, "504, 504", 329),
            told(502, "502, 502", 314),
            told(502, "502", 314),
            told(499, "", 0),
            told(400, "", 309),
        ]
    );
    assert_eq!(entries[6].upstream.group, b"retired");
    let ids = entries.iter().filter(|entry| !entry.ids.as_slice().is_empty());
    assert_eq!(ids.count(), 5);
}

#[test]
fn lines_without_a_time_are_read_and_the_systems_words_are_events() {
    let bytes = load("clf-untimed.log");
    let statuses: Vec<_> = read(&bytes, "clf-untimed", Product::Unknown)
        .iter()
        .map(|entry| {
            (
                entry.status.unwrap(),
                entry.duration_us.is_some(),
                entry.time.is_some(),
            )
        })
        .collect();
    let ok = (200, true, false);
    let failed = (502, true, false);
    assert_eq!(statuses, [ok, ok, failed, failed, failed]);
    let bytes = load("syslog.log");
    let events = signals(&read(&bytes, "linux", Product::Linux));
    assert_eq!(
        events,
        [
            (Phase::Process, Fault::OutOfMemory),
            (Phase::Process, Fault::WorkerCrashed), // A segmentation fault,
            (Phase::Process, Fault::WorkerCrashed), // a service that exited with 3,
            (Phase::Process, Fault::WorkerCrashed), // and one that was killed.
        ]
    );
}
