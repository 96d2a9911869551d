//! Kong: access lines, the error log in the same stream, and the records of its logging plugins.
//!
//! The access line is nginx's combined format with `kong_request_id: "e2b3182856c96c23d61e880d0a28012f"` at its end;
//! lines of the error log end with `, request_id: "…"`, the same id. The plugins (file-log, http-log and so on)
//! write one JSON object a request: `started_at` is when it began, in milliseconds since the epoch;
//! `latencies` are milliseconds: `request` the whole, `proxy` the wait for the upstream's header (-1 if none
//! came), `kong` its own work. `tries` holds one object an attempt; `state` and `code` of one are written when the next
//! one begins, so the last has none. The last try's address decides; the earlier ones are counted as retries.
//! Source: Kong's `pdk/log.lua`, `init.lua` and `templates/nginx_kong.lua`.

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::engine::id::IdKind;
use crate::engine::json::{self, Keys, Value};
use crate::engine::json_fields::{JsonFields, Meaning};
use crate::engine::slot::{Slot, unit};
use crate::engine::template::TimeShape;
use crate::entry::{Entry, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::nginx::NginxParser;
use crate::time::DayCache;

/// The format `kong`.
#[derive(Debug, Clone, Copy)]
pub struct Kong;

impl Plain for Kong {
    const NAME: &'static str = "kong";
    const PRODUCT: Product = Product::Kong;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 3] = [b"kong_request_id: \"", b"\"latencies\":{", b", server: kong, "];
        if !marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        super::by_entries(
            head,
            &mut Parser::new(),
            Score::Mark,
            "ids, or records, that Kong writes",
        )
    }
}

static KEYS: LazyLock<JsonFields> = LazyLock::new(|| {
    let mut fields = JsonFields::new(|_| {});
    fields.add(&["started_at"], Meaning::TimeAs(TimeShape::EpochMs, Marks::Start));
    let mut add = |paths: &[&str], slot: Slot| fields.add(paths, Meaning::Field(slot));
    add(&["request.method"], Slot::Method);
    add(&["request.uri"], Slot::Path);
    add(&["request.headers.host"], Slot::Host);
    add(&["request.headers.x-forwarded-for"], Slot::ForwardedFor);
    add(&["client_ip"], Slot::Client);
    add(&["response.status"], Slot::Status);
    add(&["response.size"], Slot::BytesSent);
    add(&["latencies.request"], Slot::Duration(unit::MS));
    add(&["latencies.proxy"], Slot::UpstreamHeader(unit::MS));
    add(&["upstream_status"], Slot::UpstreamStatus);
    add(&["service.name", "service.host"], Slot::Group);
    add(&["request.id"], Slot::Id(IdKind::Whole));
    add(&["request.headers.x-request-id"], Slot::Id(IdKind::Whole));
    add(
        &[
            "request.headers.x-correlation-id",
            "request.headers.kong-request-id",
        ],
        Slot::Id(IdKind::Whole),
    );
    add(&["request.headers.traceparent"], Slot::Id(IdKind::Traceparent));
    fields
});

/// The keys of one try.
static TRY_KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (slot, path) in ["ip", "hostname", "state", "code"].iter().enumerate() {
        keys.add(path, slot as u8, 0);
    }
    keys
});

struct Parser {
    nginx: NginxParser,
    day: DayCache,
}

impl Parser {
    fn new() -> Self {
        Self {
            nginx: NginxParser::new(),
            day: DayCache::default(),
        }
    }

    fn record<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        KEYS.read(line, entry, &mut self.day)?;
        if entry.time.is_none() {
            return Err(LineError::new(0, "started_at"));
        }
        entry.kind = Kind::Request;
        tries(line, entry);
        // The times are the last attempt's, so its status alone goes with them.
        if let Some(comma) = memmem::rfind(entry.upstream.status, b", ") {
            entry.upstream.status = &entry.upstream.status[comma + 2..];
        }
        let header = entry.upstream.last().and_then(|attempt| attempt.header_us);
        entry.header_us = header;
        entry.signal = match entry.status {
            Some(499) => Some(Signal::new(Phase::Client, Fault::ClientGone)),
            // The header came: what it said was passed on.
            Some(500..) if header.is_some() => Some(Signal::new(Phase::Header, Fault::UpstreamStatus)),
            // A timer of nginx; which of them, and why a 502, only the error log says.
            Some(504) => Some(Signal::new(Phase::Unknown, Fault::TimedOut)),
            _ => None,
        };
        Ok(Line::Entry)
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.first() == Some(&b'{') {
            return self.record(line, entry);
        }
        self.nginx.parse(line, entry)
    }
}

/// Finds `tries`, keeps the address of the last and counts the others.
fn tries<'a>(line: &'a [u8], entry: &mut Entry<'a>) {
    let Some(at) = memmem::find(line, b"\"tries\":[") else {
        return;
    };
    let mut rest = &line[at + b"\"tries\":[".len()..];
    let mut count = 0u16;
    // A try holds no object and no brace, so its end is the next closing one.
    while let Some(end) = memchr::memchr(b'}', rest).filter(|_| rest.starts_with(b"{")) {
        let mut values = [Value::default(); 4];
        if json::scan(&rest[..=end], &TRY_KEYS, &mut values).is_err() {
            break;
        }
        entry.upstream.addr = match values[0].text() {
            [] => values[1].text(),
            ip => ip,
        };
        count = count.saturating_add(1);
        rest = &rest[end + 1..];
        rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
    entry.upstream.retries = count.saturating_sub(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::new().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn access_and_error_lines_share_an_id() {
        let access = r#"192.168.194.1 - - [28/Nov/2024:18:04:05 +0000] "GET /echo HTTP/1.1" 502 126 "-" "curl/8.7.1" kong_request_id: "e2b3182856c96c23d61e880d0a28012f""#;
        let error = r#"2024/11/28 18:04:05 [error] 1280#0: *20004 upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream, client: 192.168.194.1, server: kong, request: "GET /echo HTTP/1.1", upstream: "https://192.168.194.9:443/", host: "kong.example", request_id: "e2b3182856c96c23d61e880d0a28012f""#;
        assert_eq!(read(access).ids.as_slice(), read(error).ids.as_slice());
        assert_eq!(read(access).status, Some(502));
        assert_eq!(
            read(error).signal,
            Some(Signal::new(Phase::Tls, Fault::CertificateRejected))
        );
    }

    #[test]
    fn a_record_of_a_plugin_gives_latencies_and_the_last_try() {
        let line = r#"{"latencies":{"request":6043,"kong":12,"proxy":-1,"receive":0},"service":{"host":"orders.internal","port":80,"name":"orders"},"request":{"querystring":{},"size":138,"uri":"/orders/7?x=1","url":"http://gw.example:8000/orders/7?x=1","headers":{"host":"gw.example","x-request-id":"7c9e6679-7425-40de-944b-e07fc1f90ae7"},"method":"POST","id":"e2b3182856c96c23d61e880d0a28012f"},"client_ip":"10.0.0.9","tries":[{"balancer_latency":0,"port":8080,"balancer_start":1795193733120,"ip":"10.1.0.4","state":"failed","code":504},{"balancer_latency":0,"port":8080,"balancer_start":1795193736121,"ip":"10.1.0.5"}],"upstream_uri":"/orders/7?x=1","upstream_status":"504, 504","response":{"headers":{"content-type":"application/json"},"status":504,"size":300},"route":{"id":"a"},"started_at":1795193733118,"source":"kong"}"#;
        let entry = read(line);
        assert_eq!(
            entry.time.map(|t| (t.us, t.marks)),
            Some((1_795_193_733_118_000, Marks::Start))
        );
        assert_eq!((entry.duration_us, entry.header_us), (Some(6_043_000), None));
        assert_eq!(
            (entry.method, entry.path, entry.host),
            (
                b"POST".as_slice(),
                b"/orders/7?x=1".as_slice(),
                b"gw.example".as_slice()
            )
        );
        assert_eq!((entry.status, entry.bytes_sent), (Some(504), Some(300)));
        assert_eq!(entry.upstream.addr, b"10.1.0.5");
        assert_eq!(
            (entry.upstream.retries, entry.upstream.group),
            (1, b"orders".as_slice())
        );
        assert_eq!(entry.ids.as_slice().len(), 2);
        assert_eq!(entry.signal, Some(Signal::new(Phase::Unknown, Fault::TimedOut)));
        let own = line
            .replace("\"proxy\":-1", "\"proxy\":31")
            .replace("\"status\":504", "\"status\":502");
        let entry = read(&own);
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Header, Fault::UpstreamStatus))
        );
        assert_eq!(entry.header_us, Some(31_000));
    }
}
