//! Fastly: request logs in the JSON of its documentation, behind a syslog or ISO prefix or bare.
//!
//! `2026-11-20T16:23:17.613304+00:00 192.0.2.1  {"timestamp":"2026-11-20T16:23:16+0000","client_ip":"198.51.100.7","host":"shop.example.com","url":"/","request_method":"GET","response_state":"MISS-CLUSTER","response_status":503,"response_reason":"first byte timeout","fastly_server":"cache-cdg20764-CDG","fastly_is_edge":true}`
//! The format is the user's own; the keys are those that Fastly proposes and common additions to them. `timestamp` is
//! `time.start`, when the request came in; an elapsed time is microseconds (`time.elapsed.usec`) unless its name says otherwise. Fastly
//! answers what it could not get with a 503 whose reason phrase says why. The prefix is passed over: its time is that of
//! delivery. Capitals differ between reasons, so parts of them are looked for; an unknown one gives no signal. A
//! `backend read error` may be a timeout as well as a lost connection, so it is not told which.
//! Source: Fastly documentation, "Useful log formats" (keys, also seen in exported service definitions), "Common 503 errors"
//! and "Fastly-generated 503 errors in VCL".

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::engine::id::{self, IdKind};
use crate::engine::json::{Keys, Value};
use crate::engine::json_record;
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::aws::origin_and_path;
use crate::time::DayCache;

/// The format `fastly`.
#[derive(Debug, Clone, Copy)]
pub struct Fastly;

impl Plain for Fastly {
    const NAME: &'static str = "fastly";
    const PRODUCT: Product = Product::Fastly;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        if !json_record::has_any(
            head.bytes,
            &["\"fastly_server\"", "\"fastly_is_edge\"", "\"fastly_info"],
        ) {
            return Sniff::no();
        }
        Sniff::by_parsing(
            head,
            &mut Parser::default(),
            Score::Mark,
            "keys that Fastly proposes",
        )
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Key {
    Time,
    Client,
    ClientPort,
    Host,
    Url,
    Method,
    Status,
    Reason,
    Bytes,
    ElapsedUs,
    ElapsedMs,
    Backend,
    BackendStatus,
    RequestId,
    Trace,
}

const KEY_COUNT: usize = Key::Trace as usize + 1;

/// Names, the surest of each first.
const NAMES: [(Key, &[&str]); KEY_COUNT] = [
    (
        Key::Time,
        &["timestamp", "time_start", "start_time", "time", "req_start"],
    ),
    (Key::Client, &["client_ip", "remote_addr", "fastly_client_ip"]),
    (Key::ClientPort, &["client_port"]),
    (Key::Host, &["host", "req_host", "domain"]),
    (Key::Url, &["url", "req_url", "request_url", "path"]),
    (
        Key::Method,
        &["request_method", "req_method", "method", "request"],
    ),
    (
        Key::Status,
        &["response_status", "resp_status", "status", "status_code"],
    ),
    (
        Key::Reason,
        &["response_reason", "resp_reason", "reason", "response"],
    ),
    (
        Key::Bytes,
        &["response_body_size", "resp_body_bytes", "body_size", "bytes_sent"],
    ),
    (
        Key::ElapsedUs,
        &[
            "request_latency",
            "time_elapsed",
            "elapsed_usec",
            "time_elapsed_usec",
        ],
    ),
    (
        Key::ElapsedMs,
        &["time_elapsed_msec", "elapsed_msec", "duration_ms"],
    ),
    (
        Key::Backend,
        &[
            "backend_ip",
            "origin_ip",
            "backend_name",
            "backend",
            "origin_name",
            "origin_host",
        ],
    ),
    (
        Key::BackendStatus,
        &["backend_status", "origin_status", "beresp_status"],
    ),
    (Key::RequestId, &["request_id", "x_request_id", "req_id"]),
    (Key::Trace, &["traceparent", "trace_id"]),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (key, names) in NAMES {
        for (rank, name) in names.iter().enumerate() {
            keys.add(name, key as u8, rank as u8);
        }
    }
    keys
});

#[derive(Default)]
struct Parser {
    day: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        // The record runs from the first brace; nothing that stands before it has one.
        let start = memchr::memchr(b'{', line).ok_or(LineError::new(0, "JSON object"))?;
        let mut values = [Value::default(); KEY_COUNT];
        let found = json_record::scan(&line[start..], &KEYS, &mut values)
            .map_err(|error| LineError::new(start + error.at, error.want))?;
        if !found {
            return Ok(Line::Directive);
        }
        let fields = Fields(&values);
        let stamp = fields.get(Key::Time).stamp(&mut self.day);
        let stamp = stamp.ok_or(LineError::new(start, "timestamp"))?;
        entry.time = Some(stamp.marking(Marks::Start));
        fields.fill(entry);
        Ok(Line::Entry)
    }
}

struct Fields<'v, 'a>(&'v [Value<'a>; KEY_COUNT]);

impl<'a> Fields<'_, 'a> {
    fn get(&self, key: Key) -> Value<'a> {
        self.0[key as usize]
    }

    /// The value as text; Fastly writes `(null)` for what is not set.
    fn text(&self, key: Key) -> &'a [u8] {
        match self.get(key).text() {
            b"(null)" => &[],
            text => text,
        }
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.kind = Kind::Request;
        entry.escape = Escape::Json;
        entry.client = self.text(Key::Client);
        entry.client_port = self.get(Key::ClientPort).small();
        let (host, path) = origin_and_path(self.text(Key::Url));
        entry.path = path;
        entry.host = match self.text(Key::Host) {
            [] => host,
            host => host,
        };
        entry.method = self.text(Key::Method);
        entry.status = self.get(Key::Status).small().filter(|status| *status != 0);
        entry.bytes_sent = self.get(Key::Bytes).number();
        entry.duration_us = self
            .get(Key::ElapsedUs)
            .scaled(1)
            .or_else(|| self.get(Key::ElapsedMs).scaled(1000));
        entry.upstream.addr = self.text(Key::Backend);
        entry.upstream.status = self.text(Key::BackendStatus);
        entry.ids.push(self.text(Key::RequestId));
        let trace = self.text(Key::Trace);
        if !trace.is_empty() {
            id::push(&mut entry.ids, IdKind::Traceparent, trace);
        }
        let reason = self.text(Key::Reason);
        if entry.status.is_some_and(|status| status >= 500) {
            entry.signal = signal(reason);
            if entry.signal.is_some() {
                entry.error = reason;
            }
        }
    }
}

/// Parts of the reasons that Fastly gives, specific ones first.
const REASONS: [(&str, Phase, Fault); 22] = [
    ("first byte timeout", Phase::Header, Fault::TimedOut),
    ("between bytes timeout", Phase::Body, Fault::TimedOut),
    ("connection timeout", Phase::Connect, Fault::TimedOut),
    ("connection timed out", Phase::Connect, Fault::TimedOut),
    ("onnection refused", Phase::Connect, Fault::Refused),
    ("etwork unreachable", Phase::Connect, Fault::Unreachable),
    ("No route to host", Phase::Connect, Fault::Unreachable),
    ("ackend read error", Phase::Header, Fault::Other),
    ("ackend write error", Phase::Send, Fault::ResetOrClosed),
    ("SSL handshake", Phase::Tls, Fault::TlsRejected),
    ("SSL error", Phase::Tls, Fault::TlsRejected),
    ("issuer certificate", Phase::Tls, Fault::CertificateRejected),
    ("certificate", Phase::Tls, Fault::CertificateRejected),
    ("max_conn reached", Phase::Queue, Fault::QueueFull),
    ("Maximum threads", Phase::Queue, Fault::QueueFull),
    ("unhealthy", Phase::Queue, Fault::NoLiveUpstream),
    ("All backends failed", Phase::Queue, Fault::NoLiveUpstream),
    ("quorum weight not reached", Phase::Queue, Fault::NoLiveUpstream),
    ("Header overflow", Phase::Header, Fault::HeaderTooBig),
    ("llegal HTTP", Phase::Header, Fault::MalformedHeader),
    ("client read error", Phase::Client, Fault::ClientGone),
    ("ackend unavailable", Phase::Unknown, Fault::Other),
];

fn signal(reason: &[u8]) -> Option<Signal> {
    REASONS
        .iter()
        .find(|(part, ..)| memmem::find(reason, part.as_bytes()).is_some())
        .map(|(_, phase, fault)| Signal::new(*phase, *fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"{ "timestamp": "2021-11-12T16:59:45+0000", "client_ip": "198.51.100.7", "host": "shop.example.com", "url": "/cart?id=7", "request_method": "GET", "response_state": "MISS-CLUSTER", "response_status": 503, "response_reason": "first byte timeout", "response_body_size": 564, "time_elapsed": 15000123, "fastly_server": "cache-cdg20764-CDG", "fastly_is_edge": true   }"#;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn the_record_is_found_behind_any_prefix() {
        for prefix in [
            "",
            "2021-11-12T16:59:46.613304+00:00 1.1.1.1  ",
            "<134>2021-11-12T16:59:46Z cache-cdg20764 shop-logs[423156]: ",
        ] {
            let line = format!("{prefix}{JSON}");
            let entry = read(&line);
            let time = entry.time.unwrap();
            assert_eq!((time.us, time.marks), (1_636_736_385_000_000, Marks::Start));
            assert_eq!((entry.status, entry.duration_us), (Some(503), Some(15_000_123)));
            assert_eq!(
                (entry.host, entry.path),
                (b"shop.example.com".as_slice(), b"/cart?id=7".as_slice())
            );
            assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
            assert_eq!(entry.error, b"first byte timeout");
        }
    }

    #[test]
    fn a_reason_phrase_of_the_origin_says_nothing() {
        let line = JSON.replace("first byte timeout", "Service Unavailable");
        assert_eq!((read(&line).signal, read(&line).error), (None, b"".as_slice()));
    }

    #[test]
    fn an_error_is_placed_in_the_whole_line() {
        let mut entry = Entry::default();
        let error = Parser::default()
            .parse(b"prefix {\"a\":x}", &mut entry)
            .unwrap_err();
        assert_eq!(error.at, 12);
    }
}
