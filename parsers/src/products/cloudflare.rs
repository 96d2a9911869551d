//! Cloudflare: HTTP requests of Logpush and Logpull, JSON lines.
//!
//! `{"ClientIP":"198.51.100.7","ClientRequestHost":"shop.example.com","ClientRequestMethod":"GET","ClientRequestURI":"/","EdgeEndTimestamp":1712790000123000000,"EdgeResponseStatus":522,"EdgeStartTimestamp":"2026-11-20T16:23:16Z","OriginResponseStatus":0,"RayID":"87a1b2c3d4e5f001"}`
//! Both stamps are RFC 3339, seconds or nanoseconds since the epoch, as the job was set up. `Origin…Ms` are milliseconds,
//! `OriginResponseTime` nanoseconds; 0 means none. The handshakes with the origin are 0 on a connection that was used before.
//! `OriginResponseStatus` is what the origin returned, 0 where no answer of it came and the edge served its own: so beside
//! 520 to 526 and 530, which are Cloudflare's own and are not taken for the origin's where they stand there all the same.
//! 0 alone is no failure: hits of the cache have it, and so have requests that the edge makes to itself, whose 504 no client
//! sees (Early Hints, the cache API of Workers). `ClientRequestSource` tells those: they are notes.
//! Which fields there are is the customer's choice.
//! Source: Cloudflare Logs, "HTTP requests" (fields, units, reuse), "ClientRequestSource field", "504 responses with origin
//! status 0 in Logpush", and "Cloudflare 5xx errors" for the statuses.

use std::sync::LazyLock;

use crate::engine::id::{self, IdKind};
use crate::engine::json::{Keys, Shape, Value};
use crate::engine::json_record;
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Sniff};
use crate::time::{DAY_US, DayCache};

/// The format `cloudflare`.
#[derive(Debug, Clone, Copy)]
pub struct Cloudflare;

impl Plain for Cloudflare {
    const NAME: &'static str = "cloudflare";
    const PRODUCT: Product = Product::Cloudflare;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks = [
            "\"EdgeStartTimestamp\"",
            "\"EdgeEndTimestamp\"",
            "\"EdgeResponseStatus\"",
        ];
        let keys = ["EdgeResponseStatus", "RayID"];
        json_record::claim(
            head,
            &marks,
            &mut Parser::default(),
            "field names of Cloudflare",
            &keys,
        )
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Key {
    Start,
    End,
    Client,
    ClientPort,
    Host,
    Method,
    Target,
    Status,
    Bytes,
    Ray,
    ParentRay,
    RequestId,
    Trace,
    OriginIp,
    OriginStatus,
    OriginTimeNs,
    OriginTimeMs,
    OriginTcpMs,
    OriginTlsMs,
    OriginHeaderMs,
    Source,
}

const KEY_COUNT: usize = Key::Source as usize + 1;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (path, key, rank) in [
        ("EdgeStartTimestamp", Key::Start, 0),
        ("EdgeEndTimestamp", Key::End, 0),
        ("ClientIP", Key::Client, 0),
        ("ClientSrcPort", Key::ClientPort, 0),
        ("ClientRequestHost", Key::Host, 0),
        ("ClientRequestMethod", Key::Method, 0),
        ("ClientRequestURI", Key::Target, 0),
        ("ClientRequestPath", Key::Target, 1),
        ("EdgeResponseStatus", Key::Status, 0),
        ("EdgeResponseBytes", Key::Bytes, 0),
        ("RayID", Key::Ray, 0),
        ("ParentRayID", Key::ParentRay, 0),
        ("RequestHeaders.x-request-id", Key::RequestId, 0),
        ("ResponseHeaders.x-request-id", Key::RequestId, 1),
        ("RequestHeaders.traceparent", Key::Trace, 0),
        ("OriginIP", Key::OriginIp, 0),
        ("OriginResponseStatus", Key::OriginStatus, 0),
        ("OriginResponseTime", Key::OriginTimeNs, 0),
        ("OriginResponseDurationMs", Key::OriginTimeMs, 0),
        ("OriginTCPHandshakeDurationMs", Key::OriginTcpMs, 0),
        ("OriginTLSHandshakeDurationMs", Key::OriginTlsMs, 0),
        ("OriginResponseHeaderReceiveDurationMs", Key::OriginHeaderMs, 0),
        ("ClientRequestSource", Key::Source, 0),
        ("RequestSource", Key::Source, 1),
    ] {
        keys.add(path, key as u8, rank);
    }
    keys
});

#[derive(Default)]
struct Parser {
    start: DayCache,
    end: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut values = [Value::default(); KEY_COUNT];
        if !json_record::scan(line, &KEYS, &mut values)? {
            return Ok(Line::Directive);
        }
        let fields = Fields(&values);
        let start = fields.get(Key::Start).stamp(&mut self.start);
        let end = fields.get(Key::End).stamp(&mut self.end);
        let stamp = match (end, start) {
            (Some(end), _) => end.marking(Marks::End),
            (None, Some(start)) => start.marking(Marks::Start),
            (None, None) => return Err(LineError::new(0, "EdgeEndTimestamp")),
        };
        entry.time = Some(Stamp {
            zone: Zone::Known,
            ..stamp
        });
        entry.duration_us = start.zip(end).and_then(|(start, end)| lasted_us(start, end));
        fields.fill(entry);
        Ok(Line::Entry)
    }
}

/// From one stamp to the other; stamps in whole seconds say too little about the length of a request.
fn lasted_us(start: Stamp, end: Stamp) -> Option<u64> {
    if start.resolution_us >= 1_000_000 || end.resolution_us >= 1_000_000 {
        return None;
    }
    let lasted = end.us.checked_sub(start.us)?;
    (0..DAY_US)
        .contains(&lasted)
        .then(|| u64::try_from(lasted).ok())
        .flatten()
}

/// Statuses that no origin sends: Cloudflare's words for what happened on the way to it.
const fn is_cloudflares(status: u16) -> bool {
    matches!(status, 520..=526 | 530)
}

/// Whether the edge made the request to itself, by the name or the number of what made it: no client waits for the answer.
fn is_of_the_edge(source: &[u8]) -> bool {
    matches!(
        source,
        b"purge"
            | b"2"
            | b"edgeWorkerCacheAPI"
            | b"6"
            | b"edgeWorkerKV"
            | b"7"
            | b"sslDetector"
            | b"10"
            | b"earlyHintsCache"
            | b"11"
    )
}

struct Fields<'v, 'a>(&'v [Value<'a>; KEY_COUNT]);

impl<'a> Fields<'_, 'a> {
    fn get(&self, key: Key) -> Value<'a> {
        self.0[key as usize]
    }

    fn text(&self, key: Key) -> &'a [u8] {
        self.get(key).text()
    }

    /// A duration that is not zero.
    fn ms(&self, key: Key) -> Option<u64> {
        self.get(key).scaled(1000).filter(|us| *us > 0)
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.kind = match is_of_the_edge(self.text(Key::Source)) {
            true => Kind::Note,
            false => Kind::Request,
        };
        entry.escape = Escape::Json;
        entry.client = self.text(Key::Client);
        entry.client_port = self.get(Key::ClientPort).small().filter(|port| *port != 0);
        entry.host = self.text(Key::Host);
        entry.method = self.text(Key::Method);
        entry.path = self.text(Key::Target);
        entry.status = self.get(Key::Status).small().filter(|status| *status != 0);
        entry.bytes_sent = self.get(Key::Bytes).number();
        entry.ids.push(self.text(Key::Ray));
        // `00` where there is none.
        let parent = self.text(Key::ParentRay);
        if parent.len() > 2 {
            entry.ids.push(parent);
        }
        entry.ids.push(self.text(Key::RequestId));
        let trace = self.text(Key::Trace);
        if !trace.is_empty() {
            id::push(&mut entry.ids, IdKind::Traceparent, trace);
        }
        let answered = self.fill_origin(entry);
        if entry.kind == Kind::Request {
            entry.signal = signal(entry.status, answered);
        }
    }

    /// What the origin did; returns the status it sent.
    fn fill_origin(&self, entry: &mut Entry<'a>) -> Option<u16> {
        let status = self.get(Key::OriginStatus).small::<u16>();
        let answered = status.filter(|status| *status != 0 && !is_cloudflares(*status));
        let upstream = &mut entry.upstream;
        upstream.addr = self.text(Key::OriginIp);
        upstream.unit_us = 1000;
        if answered.is_some() {
            upstream.status = self.text(Key::OriginStatus);
        }
        let (tcp, tls) = (self.get(Key::OriginTcpMs), self.get(Key::OriginTlsMs));
        let handshake = self.ms(Key::OriginTcpMs).unwrap_or(0) + self.ms(Key::OriginTlsMs).unwrap_or(0);
        if handshake > 0 {
            upstream.reused = Some(false);
            entry.connect_us = Some(handshake);
        } else if tcp.shape == Shape::Number && tls.shape == Shape::Number && answered.is_some() {
            upstream.reused = Some(true);
        }
        if self.ms(Key::OriginHeaderMs).is_some() && answered.is_some() {
            upstream.header = self.text(Key::OriginHeaderMs);
            entry.header_us = self.ms(Key::OriginHeaderMs);
        }
        if self.ms(Key::OriginTimeMs).is_some() {
            upstream.response = self.text(Key::OriginTimeMs);
        }
        entry.response_us = self.ms(Key::OriginTimeMs).or_else(|| {
            let ns = self.get(Key::OriginTimeNs).number()?;
            (ns > 0).then_some(ns / 1000)
        });
        answered
    }
}

fn signal(status: Option<u16>, answered: Option<u16>) -> Option<Signal> {
    let status = status?;
    let (phase, fault) = match status {
        // An empty, unknown or broken answer, or a reset: one number for all of them.
        520 => (Phase::Header, Fault::Other),
        521 => (Phase::Connect, Fault::Refused),
        522 => (Phase::Connect, Fault::TimedOut),
        523 => (Phase::Connect, Fault::Unreachable),
        524 => (Phase::Header, Fault::TimedOut),
        525 => (Phase::Tls, Fault::TlsRejected),
        526 => (Phase::Tls, Fault::CertificateRejected),
        530 => (Phase::Unknown, Fault::Other),
        499 => (Phase::Client, Fault::ClientGone),
        500.. if answered == Some(status) => (Phase::Header, Fault::UpstreamStatus),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(start: &str, end: &str, rest: &str) -> String {
        format!(
            r#"{{"ClientIP":"198.51.100.7","ClientSrcPort":55028,"ClientRequestHost":"shop.example.com","ClientRequestMethod":"POST","ClientRequestPath":"/cart","ClientRequestURI":"/cart?id=7","EdgeEndTimestamp":{end},"EdgeResponseBytes":2848,"EdgeStartTimestamp":{start},"ParentRayID":"00","RayID":"500115ec386354d8",{rest}}}"#
        )
    }

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
    fn stamps_come_in_three_encodings() {
        for (start, end, duration) in [
            ("1795191796100000000", "1795191796147000000", Some(47_000)),
            ("1795191796", "1795191796", None),
            (
                "\"2026-11-20T16:23:16.1Z\"",
                "\"2026-11-20T16:23:16.147Z\"",
                Some(47_000),
            ),
            ("\"2026-11-20T16:23:16Z\"", "\"2026-11-20T16:23:16Z\"", None),
        ] {
            let line = line(start, end, "\"EdgeResponseStatus\":200");
            let entry = read(&line);
            let time = entry.time.unwrap();
            assert_eq!(
                (time.us / 1_000_000, time.marks),
                (1_795_191_796, Marks::End),
                "{end}"
            );
            assert_eq!(entry.duration_us, duration, "{end}");
        }
    }

    #[test]
    fn every_field_is_read() {
        let line = line(
            "1795191796100000000",
            "1795191796147000000",
            r#""EdgeResponseStatus":502,"OriginIP":"10.0.0.4","OriginResponseStatus":502,"OriginResponseDurationMs":41,"OriginTCPHandshakeDurationMs":0,"OriginTLSHandshakeDurationMs":0,"OriginResponseHeaderReceiveDurationMs":40,"RequestHeaders":{"x-request-id":"r-1"}"#,
        );
        let entry = read(&line);
        assert_eq!(
            (entry.client, entry.client_port),
            (b"198.51.100.7".as_slice(), Some(55_028))
        );
        assert_eq!(
            (entry.method, entry.host, entry.path),
            (
                b"POST".as_slice(),
                b"shop.example.com".as_slice(),
                b"/cart?id=7".as_slice()
            )
        );
        assert_eq!(entry.ids.as_slice(), [b"500115ec386354d8".as_slice(), b"r-1"]);
        assert_eq!((entry.header_us, entry.response_us), (Some(40_000), Some(41_000)));
        assert_eq!(entry.upstream.reused, Some(true));
        assert_eq!(entry.upstream.last().unwrap().status, Some(502));
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Header, Fault::UpstreamStatus))
        );
    }

    #[test]
    fn cloudflares_own_statuses_are_no_answers_of_the_origin() {
        for (status, phase, fault) in [
            (521, Phase::Connect, Fault::Refused),
            (522, Phase::Connect, Fault::TimedOut),
            (523, Phase::Connect, Fault::Unreachable),
            (524, Phase::Header, Fault::TimedOut),
            (525, Phase::Tls, Fault::TlsRejected),
            (526, Phase::Tls, Fault::CertificateRejected),
        ] {
            let rest = format!(
                r#""EdgeResponseStatus":{status},"OriginIP":"10.0.0.4","OriginResponseStatus":{status},"OriginTCPHandshakeDurationMs":0,"OriginTLSHandshakeDurationMs":0"#
            );
            let line = line("1795191796", "1795191797", &rest);
            let entry = read(&line);
            assert_eq!(entry.signal, Some(Signal::new(phase, fault)));
            assert_eq!(entry.upstream.last().unwrap().status, None);
            assert_eq!(entry.upstream.reused, None);
        }
    }

    #[test]
    fn zero_is_no_value() {
        let line = line(
            "1795191796",
            "1795191797",
            r#""EdgeResponseStatus":502,"OriginIP":"","OriginResponseStatus":0,"OriginResponseTime":0"#,
        );
        let entry = read(&line);
        assert_eq!((entry.signal, entry.response_us), (None, None));
        assert_eq!(entry.upstream.attempts().count(), 0);
    }

    #[test]
    fn what_the_edge_asks_itself_is_no_request_of_a_client() {
        let of = |source: &str| {
            let rest = format!(
                r#""EdgeResponseStatus":504,"OriginResponseStatus":0,"ClientRequestSource":"{source}""#
            );
            let line = line("1545155129696000000", "1545155129703000000", &rest);
            let entry = read(&line);
            (entry.kind, entry.signal)
        };
        assert_eq!(of("earlyHintsCache"), (Kind::Note, None));
        assert_eq!(of("edgeWorkerCacheAPI"), (Kind::Note, None));
        assert_eq!(of("eyeball").0, Kind::Request);
        assert_eq!(of("edgeWorkerFetch").0, Kind::Request);
    }
}
