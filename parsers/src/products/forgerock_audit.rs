//! ForgeRock audit events, topic `access`, as JSON: Identity Gateway, and Access Management and IDM beside it.
//!
//! `{"eventName":"OPENIG-HTTP-ACCESS","timestamp":"…Z","transactionId":"…","client":{…},"server":{…},"http":{"request":{…}},"response":{"statusCode":"502","elapsedTime":12,"elapsedTimeUnits":"MILLISECONDS"}}`
//! One event a line; in the cloud each is wrapped as `{"payload":{…},"timestamp":"…","type":"application/json"}`.
//! The gateway writes one event per request, at its end, but stamps it with the request's start. AM and IDM write two:
//! `…-ATTEMPT` at the start and `…-OUTCOME`, stamped at the end, with status and elapsed time.
//! Elapsed time is in the unit named beside it. The status is a string and may be empty. A transaction id grows by `/0`
//! with every further hop, so the part before the first `/` is an id too.
//! Source: OpenIG source, `HttpAccessAuditFilter` (`timestamp(time.now())` before the request is handed on);
//! ForgeRock audit framework, access event schema.

use std::sync::{Arc, LazyLock};

use crate::bytes::memmem;

use super::openig;
use crate::engine::json::{self, Keys, Value};
use crate::entry::{Entry, Escape, Kind, Level, Marks};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::DayCache;

/// The formats `openig-audit` and `forgerock-audit`, by who wrote the file.
#[derive(Debug, Clone, Copy)]
pub struct ForgeRockAudit(Product);

impl ForgeRockAudit {
    /// Identity Gateway.
    pub const GATEWAY: Self = Self(Product::OpenIg);
    /// Access Management, IDM and the others, which answer requests themselves.
    pub const PLATFORM: Self = Self(Product::Application);
}

impl Format for ForgeRockAudit {
    fn name(&self) -> &str {
        match self.0 {
            Product::OpenIg => "openig-audit",
            _ => "forgerock-audit",
        }
    }

    fn product(&self) -> Product {
        self.0
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let has = |needle: &str| memmem::find(head.bytes, needle.as_bytes()).is_some();
        let of_gateway = has("\"OPENIG-HTTP-ACCESS\"");
        let of_platform = has("-ACCESS-OUTCOME\"") || has("-ACCESS-ATTEMPT\"") || has("\"topic\":\"access\"");
        let is_own = match self.0 {
            Product::OpenIg => of_gateway,
            _ => of_platform && !of_gateway && has("\"transactionId\""),
        };
        if !is_own {
            return Sniff::no();
        }
        let reason = "access events of ForgeRock's audit framework";
        Sniff::by_parsing(head, &mut Parser::default(), Score::Mark, reason)
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for ForgeRockAudit {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Slot {
    EventName,
    Time,
    Transaction,
    ClientIp,
    ClientPort,
    ServerIp,
    Method,
    Path,
    Host,
    ForwardedFor,
    Status,
    Outcome,
    Elapsed,
    ElapsedUnits,
    Level,
    RequestId,
    TraceParent,
}

const SLOTS: usize = Slot::TraceParent as usize + 1;

const PATHS: [(&str, Slot); 17] = [
    ("eventName", Slot::EventName),
    ("timestamp", Slot::Time),
    ("transactionId", Slot::Transaction),
    ("client.ip", Slot::ClientIp),
    ("client.port", Slot::ClientPort),
    ("server.ip", Slot::ServerIp),
    ("http.request.method", Slot::Method),
    ("http.request.path", Slot::Path),
    ("http.request.headers.host", Slot::Host),
    ("http.request.headers.x-forwarded-for", Slot::ForwardedFor),
    ("http.request.headers.x-request-id", Slot::RequestId),
    ("http.request.headers.traceparent", Slot::TraceParent),
    ("response.statusCode", Slot::Status),
    ("response.status", Slot::Outcome),
    ("response.elapsedTime", Slot::Elapsed),
    ("response.elapsedTimeUnits", Slot::ElapsedUnits),
    ("level", Slot::Level),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (path, slot) in PATHS {
        // The wrapper has a time of its own, that of the delivery.
        keys.add(&format!("payload.{path}"), slot as u8, 0);
        keys.add(path, slot as u8, 1);
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
        let mut values = [Value::default(); SLOTS];
        json::scan(line, &KEYS, &mut values)?;
        let get = |slot: Slot| values[slot as usize];
        let text = |slot: Slot| get(slot).text();
        let time = get(Slot::Time).stamp(&mut self.day);
        let time = time.ok_or(LineError::new(0, "timestamp"))?;
        if text(Slot::Method).is_empty() {
            // Events of other topics (activity, authentication, config) share the stream.
            return Ok(Line::Directive);
        }
        entry.escape = Escape::Json;
        entry.level = match text(Slot::Level) {
            b"INFO" => Level::Info,
            b"WARN" => Level::Warning,
            b"ERROR" => Level::Error,
            _ => Level::None,
        };
        openig::push_transaction(text(Slot::Transaction), entry);
        crate::engine::id::push(
            &mut entry.ids,
            crate::engine::id::IdKind::Whole,
            text(Slot::RequestId),
        );
        crate::engine::id::push(
            &mut entry.ids,
            crate::engine::id::IdKind::Traceparent,
            text(Slot::TraceParent),
        );
        entry.method = text(Slot::Method);
        let (authority, path) = openig::host_and_path(text(Slot::Path));
        entry.path = path;
        entry.host = match text(Slot::Host) {
            [] => authority,
            host => host,
        };
        entry.client = text(Slot::ClientIp);
        entry.client_port = get(Slot::ClientPort).small();
        entry.server = text(Slot::ServerIp);
        entry.forwarded_for = text(Slot::ForwardedFor);
        entry.status = get(Slot::Status)
            .small()
            .filter(|status| (100..1000).contains(status));
        entry.duration_us = elapsed_us(&get(Slot::Elapsed), text(Slot::ElapsedUnits));
        let name = text(Slot::EventName);
        let (kind, marks) = if name.ends_with(b"-ATTEMPT") {
            (Kind::Note, Marks::Start)
        } else if name.ends_with(b"-OUTCOME") {
            (Kind::Request, Marks::End)
        } else {
            (Kind::Request, Marks::Start)
        };
        entry.kind = kind;
        entry.time = Some(time.marking(marks));
        Ok(Line::Entry)
    }
}

fn elapsed_us(value: &Value<'_>, units: &[u8]) -> Option<u64> {
    match units {
        b"SECONDS" => value.scaled(1_000_000),
        b"MICROSECONDS" => value.scaled(1),
        b"NANOSECONDS" => value.scaled(1).map(|ns| ns / 1_000),
        _ => value.scaled(1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry)
        );
        entry
    }

    const GATEWAY: &str = r#"{"_id":"830-41","timestamp":"2026-11-20T16:23:16.540Z","eventName":"OPENIG-HTTP-ACCESS","transactionId":"830-40","client":{"ip":"10.0.0.9","port":51666},"server":{"ip":"10.0.0.4","port":8080},"http":{"request":{"secure":false,"method":"GET","path":"http://ig.example.com:8080/home","headers":{"host":["ig.example.com:8080"]}}},"response":{"status":"FAILED","statusCode":"502","elapsedTime":10025,"elapsedTimeUnits":"MILLISECONDS"}}"#;

    #[test]
    fn the_gateways_event_is_stamped_at_the_start() {
        let entry = read(GATEWAY);
        assert_eq!((entry.kind, entry.status), (Kind::Request, Some(502)));
        assert_eq!(entry.duration_us, Some(10_025_000));
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.marks), (1_795_191_796_540_000, Marks::Start));
        assert_eq!(
            (entry.path, entry.host),
            (b"/home".as_slice(), b"ig.example.com:8080".as_slice())
        );
        assert_eq!(
            (entry.client, entry.client_port),
            (b"10.0.0.9".as_slice(), Some(51_666))
        );
    }

    #[test]
    fn the_two_writers_are_told_apart() {
        fn head(bytes: &[u8]) -> Head<'_> {
            Head {
                bytes,
                hints: &[],
                date_hint: None,
            }
        }
        let platform = GATEWAY.replace("OPENIG-HTTP-ACCESS", "AM-ACCESS-OUTCOME");
        let of = |line: &str| {
            [ForgeRockAudit::GATEWAY, ForgeRockAudit::PLATFORM].map(|f| f.sniff(&head(line.as_bytes())).score)
        };
        assert_eq!(of(GATEWAY), [Score::Mark, Score::No]);
        assert_eq!(of(&platform), [Score::No, Score::Mark]);
        assert_eq!(read(&platform).time.map(|time| time.marks), Some(Marks::End));
        let attempt = GATEWAY.replace("OPENIG-HTTP-ACCESS", "AM-ACCESS-ATTEMPT");
        assert_eq!(read(&attempt).kind, Kind::Note);
    }

    #[test]
    fn a_wrapped_event_keeps_its_own_time() {
        let wrapped = format!(
            r#"{{"payload":{GATEWAY},"timestamp":"2026-11-20T17:00:00Z","type":"application/json"}}"#
        );
        let entry = read(&wrapped);
        assert_eq!(entry.time.map(|time| time.us), Some(1_795_191_796_540_000));
        assert_eq!(entry.ids.as_slice(), [b"830-40".as_slice()]);
    }
}
