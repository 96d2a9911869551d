//! Amazon API Gateway: access logs, JSON or in the common log format.
//!
//! `{"requestId":"GQIVriFLIAMEMsA=","ip":"198.51.100.7","requestTime":"09/Jun/2023:12:54:08 +0000","httpMethod":"GET","routeKey":"GET /","status":"502",…}`
//! `198.51.100.7 - - [09/Jun/2023:12:54:08 +0000]"GET /pets HTTP/1.1" 502 47 c6af9ac6-7b61-11e6-9a41-93e8deadbeef GQIVriFLIAMEMsA=`
//! The format is the user's own, made of `$context` variables; the keys are those of the examples in the documentation and of the
//! variables' own names. `requestTime` is when the request came in, to the second, `requestTimeEpoch` the same in milliseconds. Latencies
//! are milliseconds. A missing value is `-`. The common log format of the documentation has no space behind the time, which
//! nobody else writes so.
//! Source: Amazon API Gateway Developer Guide, "Set up logging", "Variables for access logging" and "Gateway response types".
//! Key names beyond those that are `$context` variables are guesses, and so is the wording of integration errors.
//! That `requestTime` is the start, not the end, is the natural reading of its name and not said in so many words.

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::bytes;
use crate::engine::id::{self, IdKind};
use crate::engine::json::{Keys, Value};
use crate::engine::json_record;
use crate::engine::slot::{self, Slot};
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `aws-apigateway`.
#[derive(Debug, Clone, Copy)]
pub struct ApiGateway;

/// Keys that only this product's logs have; two of them make a file its own.
const MARKS: [&str; 10] = [
    "\"routeKey\"",
    "\"resourcePath\"",
    "\"extendedRequestId\"",
    "\"requestTime\"",
    "\"requestTimeEpoch\"",
    "\"integrationLatency\"",
    "\"integrationStatus\"",
    "\"integrationErrorMessage\"",
    "\"xrayTraceId\"",
    "\"apiId\"",
];

impl Plain for ApiGateway {
    const NAME: &'static str = "aws-apigateway";
    const PRODUCT: Product = Product::ApiGateway;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let found = MARKS
            .iter()
            .filter(|mark| memmem::find(head.bytes, mark.as_bytes()).is_some());
        let has_keys = memmem::find(head.bytes, b"\"requestId\"").is_some() && found.count() >= 2;
        let has_seam = memmem::find(head.bytes, b"]\"").is_some();
        if !has_keys && !has_seam {
            return Sniff::no();
        }
        let reason = "context variables of API Gateway";
        Sniff::by_parsing(head, &mut Parser::default(), Score::Own, reason)
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Key {
    Time,
    Method,
    Path,
    Route,
    Host,
    Client,
    Status,
    Bytes,
    Latency,
    IntegrationLatency,
    IntegrationStatus,
    IntegrationError,
    Error,
    ErrorType,
    RequestId,
    ExtendedId,
    Trace,
}

const KEY_COUNT: usize = Key::Trace as usize + 1;

/// Names, the surest of each first.
const NAMES: [(Key, &[&str]); KEY_COUNT] = [
    (
        Key::Time,
        &["requestTimeEpoch", "requestTime", "time", "timestamp"],
    ),
    (Key::Method, &["httpMethod", "http.method", "method"]),
    (
        Key::Path,
        &["path", "rawPath", "requestPath", "resourcePath", "resource"],
    ),
    (Key::Route, &["routeKey"]),
    (Key::Host, &["domainName", "host"]),
    (Key::Client, &["ip", "sourceIp", "identity.sourceIp", "clientIp"]),
    (Key::Status, &["status", "statusCode"]),
    (Key::Bytes, &["responseLength"]),
    (Key::Latency, &["responseLatency", "latency"]),
    (
        Key::IntegrationLatency,
        &["integrationLatency", "integration.latency"],
    ),
    (
        Key::IntegrationStatus,
        &[
            "integrationStatus",
            "integration.status",
            "integration.integrationStatus",
        ],
    ),
    (
        Key::IntegrationError,
        &["integrationErrorMessage", "integration.error", "integrationError"],
    ),
    (
        Key::Error,
        &["error.message", "error.messageString", "errorMessage", "error"],
    ),
    (
        Key::ErrorType,
        &["error.responseType", "errorResponseType", "responseType"],
    ),
    (Key::RequestId, &["requestId", "request_id"]),
    (Key::ExtendedId, &["extendedRequestId"]),
    (Key::Trace, &["xrayTraceId"]),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (key, names) in NAMES {
        for (rank, name) in names.iter().enumerate() {
            keys.add_spelt(name, key as u8, rank as u8);
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
        match line.trim_ascii_start().first() {
            None => return Ok(Line::Directive),
            Some(b'{' | b'[' | b']' | b',') => {}
            Some(_) => return self.common(line, entry),
        }
        let mut values = [Value::default(); KEY_COUNT];
        if !json_record::scan(line, &KEYS, &mut values)? {
            return Ok(Line::Directive);
        }
        let fields = Fields(&values);
        let stamp = fields.get(Key::Time).stamp(&mut self.day);
        let stamp = stamp.ok_or(LineError::new(0, "requestTime"))?;
        entry.time = Some(stamp.marking(Marks::Start));
        fields.fill(entry);
        if entry.status.is_none() && entry.ids.as_slice().is_empty() {
            return Err(LineError::new(0, "requestId or status"));
        }
        Ok(Line::Entry)
    }
}

impl Parser {
    /// `ip caller user [time]"METHOD path protocol" status length requestId extendedRequestId`.
    fn common<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let error = |at: usize, want: &'static str| LineError::new(at, want);
        let open = memchr::memchr(b'[', line).ok_or(error(0, "time"))?;
        let (stamp, used) =
            time::clf_prefix(&line[open + 1..], &mut self.day).ok_or(error(open + 1, "time"))?;
        let at = open + 1 + used;
        let rest = &line[at..];
        let rest = rest
            .strip_prefix(b"]\"")
            .ok_or(error(at, "request behind the time"))?;
        let len = memmem::find(rest, b"\" ").ok_or(error(at, "end of the request"))?;
        slot::request(&rest[..len], entry);
        let mut words = rest[len + 2..].split(|byte| *byte == b' ');
        let mut next = || words.next().unwrap_or_default();
        if !Slot::Status.write(next(), entry) {
            return Err(error(at + len + 4, "status"));
        }
        Slot::BytesSent.write(next(), entry);
        entry.ids.push(next());
        entry.ids.push(next());
        let client = line[..open]
            .split(|byte| *byte == b' ')
            .next()
            .unwrap_or_default();
        entry.client = bytes::filled(client);
        entry.time = Some(stamp.marking(Marks::Start));
        entry.kind = Kind::Request;
        Ok(Line::Entry)
    }
}

struct Fields<'v, 'a>(&'v [Value<'a>; KEY_COUNT]);

impl<'a> Fields<'_, 'a> {
    fn get(&self, key: Key) -> Value<'a> {
        self.0[key as usize]
    }

    fn text(&self, key: Key) -> &'a [u8] {
        self.get(key).text()
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.kind = Kind::Request;
        entry.escape = Escape::Json;
        entry.status = self.get(Key::Status).small().filter(|status| *status != 0);
        entry.duration_us = self.get(Key::Latency).scaled(1000);
        self.fill_target(entry);
        entry.host = self.text(Key::Host);
        entry.client = self.text(Key::Client);
        entry.bytes_sent = self.get(Key::Bytes).number();
        entry.ids.push(self.text(Key::RequestId));
        entry.ids.push(self.text(Key::ExtendedId));
        id::push(&mut entry.ids, IdKind::Amazon, self.text(Key::Trace));
        entry.upstream.status = self.text(Key::IntegrationStatus);
        entry.upstream.header = self.text(Key::IntegrationLatency);
        entry.upstream.unit_us = 1000;
        entry.header_us = self.get(Key::IntegrationLatency).scaled(1000);
        entry.error = [Key::IntegrationError, Key::Error]
            .into_iter()
            .map(|key| self.text(key))
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        entry.signal = self.signal(entry);
    }

    /// Method and path; a route key (`GET /pets/{id}`) stands in for what is not logged.
    fn fill_target(&self, entry: &mut Entry<'a>) {
        entry.method = self.text(Key::Method);
        entry.path = self.text(Key::Path);
        let mut route = self.text(Key::Route).splitn(2, |byte| *byte == b' ');
        if let (Some(method), Some(path)) = (route.next(), route.next()) {
            if entry.method.is_empty() && method != b"ANY" {
                entry.method = method;
            }
            if entry.path.is_empty() {
                entry.path = path;
            }
        }
    }

    fn signal(&self, entry: &Entry<'a>) -> Option<Signal> {
        let status = entry.status?;
        let has = |needle: &str| memmem::find(entry.error, needle.as_bytes()).is_some();
        let (phase, fault) = match self.text(Key::ErrorType) {
            b"INTEGRATION_TIMEOUT" => (Phase::Header, Fault::TimedOut),
            b"THROTTLED" | b"QUOTA_EXCEEDED" => (Phase::Queue, Fault::QueueFull),
            _ if status < 500 => return None,
            _ if has("timed out") || has("imeout") => (Phase::Header, Fault::TimedOut),
            _ if has("Malformed") || has("malformed") => (Phase::Header, Fault::InvalidResponse),
            b"INTEGRATION_FAILURE" | b"API_CONFIGURATION_ERROR" => (Phase::Unknown, Fault::Other),
            _ if bytes::number(entry.upstream.status) == Some(u64::from(status)) => {
                (Phase::Header, Fault::UpstreamStatus)
            }
            _ if !entry.error.is_empty() => (Phase::Unknown, Fault::Other),
            _ => return None,
        };
        Some(Signal::new(phase, fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

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
    fn quoted_numbers_and_a_route_key_are_read() {
        let entry = read(
            r#"{"requestId":"Iq8dHhlwIAMEV_g=","ip":"198.51.100.7","requestTime":"26/Jul/2023:12:13:33 +0000","httpMethod":"-","routeKey":"GET /pets","status":"504","responseLength":"33","responseLatency":"29015","integrationLatency":"29001","integrationStatus":"-","error":{"responseType":"INTEGRATION_TIMEOUT","message":"Endpoint request timed out"},"xrayTraceId":"1-5da09932-2c342a443bfb96249aa50ed7"}"#,
        );
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.marks), (1_690_373_613_000_000, Marks::Start));
        assert_eq!(
            (entry.method, entry.path),
            (b"GET".as_slice(), b"/pets".as_slice())
        );
        assert_eq!(
            (entry.status, entry.duration_us, entry.header_us),
            (Some(504), Some(29_015_000), Some(29_001_000))
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(entry.ids.as_slice().len(), 2);
        assert_eq!(entry.bytes_sent, Some(33));
    }

    #[test]
    fn the_common_log_format_is_known_by_its_seam() {
        let line = r#"198.51.100.7 - - [09/Jun/2023:12:54:08 +0000]"GET /pets HTTP/1.1" 502 47 c6af9ac6-7b61-11e6-9a41-93e8deadbeef GQIVriFLIAMEMsA="#;
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        assert_eq!(ApiGateway.sniff(&head).score, Score::Own);
        let entry = read(line);
        assert_eq!((entry.status, entry.bytes_sent), (Some(502), Some(47)));
        assert_eq!(entry.ids.as_slice().len(), 2);
        assert_eq!(entry.client, b"198.51.100.7");
    }

    #[test]
    fn what_the_integration_did_is_the_signal() {
        let of = |rest: &str| {
            let line = format!(
                r#"{{"requestId":"a","requestTimeEpoch":1690373613123,"routeKey":"$default","status":502,{rest}}}"#
            );
            read(&line).signal.map(|signal| (signal.phase, signal.fault))
        };
        assert_eq!(
            of(r#""integration":{"status":"502","latency":"12"}"#),
            Some((Phase::Header, Fault::UpstreamStatus))
        );
        assert_eq!(
            of(
                r#""integrationErrorMessage":"Execution failed due to configuration error: Malformed Lambda proxy response""#
            ),
            Some((Phase::Header, Fault::InvalidResponse))
        );
        assert_eq!(
            of(r#""integrationErrorMessage":"Network error communicating with endpoint""#),
            Some((Phase::Unknown, Fault::Other))
        );
        assert_eq!(of(r#""integrationStatus":"-""#), None);
    }
}
