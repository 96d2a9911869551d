//! Azure Application Gateway: access logs of both generations, JSON, one record a line, alone or under `records`.
//!
//! `{"timeStamp":"2026-11-20T16:23:16+00:00","category":"ApplicationGatewayAccessLog","properties":{"instanceId":"appgw_2","clientIP":"198.51.100.7","httpStatus":502,"timeTaken":20.034,"serverRouted":"10.0.0.4:443","serverStatus":"504","error_info":"ERRORINFO_UPSTREAM_TIMED_OUT",…}}`
//! The time is taken for the end of the request (the reference does not say). `timeTaken` is seconds in the second generation and
//! milliseconds in the first, whose instances are called `ApplicationGatewayRole_IN_N`; the first also writes what the second has
//! fields for into the query (`SERVER-ROUTED=…&X-AzureApplicationGateway-LOG-ID=…&SERVER-STATUS=…`) and may write a bare `-`
//! for a port. Firewall and performance records in the same stream are notes.
//! Source: Microsoft, "Monitoring data reference for Azure Application Gateway" (units, `error_info` codes, both layouts).

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::bytes;
use crate::engine::json::{Keys, Value};
use crate::engine::json_record;
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Sniff};
use crate::time::DayCache;

/// The format `azure-appgw`.
#[derive(Debug, Clone, Copy)]
pub struct AzureAppGateway;

impl Plain for AzureAppGateway {
    const NAME: &'static str = "azure-appgw";
    const PRODUCT: Product = Product::AzureAppGateway;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks = ["ApplicationGatewayAccess", "ApplicationGatewayFirewall"];
        let keys = ["category", "operationName", "properties"];
        json_record::claim(
            head,
            &marks,
            &mut Parser::default(),
            "log categories of an application gateway",
            &keys,
        )
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Key {
    Time,
    Category,
    Instance,
    Client,
    ClientPort,
    Method,
    OriginalTarget,
    Uri,
    Query,
    Status,
    BytesSent,
    TimeTaken,
    Transaction,
    Server,
    ServerStatus,
    ServerLatency,
    OriginalHost,
    Host,
    Error,
    Pool,
}

const KEY_COUNT: usize = Key::Pool as usize + 1;

/// Names below `properties`, or beside the time in exports of Log Analytics.
const PROPERTIES: [(&str, Key); 18] = [
    ("instanceId", Key::Instance),
    ("clientIP", Key::Client),
    ("clientPort", Key::ClientPort),
    ("httpMethod", Key::Method),
    ("originalRequestUriWithArgs", Key::OriginalTarget),
    ("requestUri", Key::Uri),
    ("requestQuery", Key::Query),
    ("httpStatus", Key::Status),
    ("sentBytes", Key::BytesSent),
    ("timeTaken", Key::TimeTaken),
    ("transactionId", Key::Transaction),
    ("serverRouted", Key::Server),
    ("serverStatus", Key::ServerStatus),
    ("serverResponseLatency", Key::ServerLatency),
    ("originalHost", Key::OriginalHost),
    ("host", Key::Host),
    ("error_info", Key::Error),
    ("errorInfo", Key::Error),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (rank, name) in ["timeStamp", "time", "timeGenerated"].into_iter().enumerate() {
        keys.add(name, Key::Time as u8, rank as u8);
    }
    keys.add("category", Key::Category as u8, 0);
    keys.add("backendPoolName", Key::Pool as u8, 0);
    for (name, key) in PROPERTIES {
        keys.add(&format!("properties.{name}"), key as u8, 0);
        keys.add(name, key as u8, 1);
    }
    keys
});

#[derive(Default)]
struct Parser {
    day: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut values = [Value::default(); KEY_COUNT];
        if !json_record::scan(line, &KEYS, &mut values)? {
            return Ok(Line::Directive);
        }
        let fields = Fields(&values);
        let stamp = fields.get(Key::Time).stamp(&mut self.day);
        let stamp = stamp.ok_or(LineError::new(0, "timeStamp"))?;
        let category = fields.text(Key::Category);
        let is_access = category.is_empty() || category == b"ApplicationGatewayAccessLog";
        entry.escape = Escape::Json;
        entry.kind = if is_access { Kind::Request } else { Kind::Note };
        entry.time = Some(stamp.marking(if is_access { Marks::End } else { Marks::Event }));
        entry.ids.push(fields.text(Key::Transaction));
        if is_access {
            fields.fill(entry);
        }
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
        entry.method = self.text(Key::Method);
        entry.client = self.text(Key::Client);
        entry.client_port = self.get(Key::ClientPort).small();
        entry.host = match self.text(Key::OriginalHost) {
            [] => self.text(Key::Host),
            host => host,
        };
        entry.status = self.get(Key::Status).small().filter(|status| *status != 0);
        entry.bytes_sent = self.get(Key::BytesSent).number();
        entry.duration_us = self.duration_us();
        entry.upstream.group = self.text(Key::Pool);
        entry.upstream.addr = self.text(Key::Server);
        entry.upstream.status = self.text(Key::ServerStatus);
        entry.upstream.response = self.text(Key::ServerLatency);
        entry.upstream.unit_us = 1_000_000;
        self.fill_target(entry);
        entry.response_us = entry.upstream.last().and_then(|attempt| attempt.response_us);
        let info = self.text(Key::Error);
        entry.signal = signal(info, entry);
        if info != b"ERRORINFO_NO_ERROR" {
            entry.error = info;
        }
    }

    /// The target as the client sent it, and what the first generation hides in the query.
    fn fill_target(&self, entry: &mut Entry<'a>) {
        let query = self.text(Key::Query);
        let (own, routed) = split_query(query);
        entry.path = self.text(Key::OriginalTarget);
        if entry.path.is_empty() {
            entry.path = self.text(Key::Uri);
            entry.query = own;
        }
        if routed.is_empty() {
            return;
        }
        entry
            .ids
            .push(parameter(routed, b"X-AzureApplicationGateway-LOG-ID="));
        if entry.upstream.addr.is_empty() {
            entry.upstream.addr = parameter(routed, b"SERVER-ROUTED=");
            entry.upstream.status = parameter(routed, b"SERVER-STATUS=");
        }
    }

    /// Seconds, or milliseconds where an instance of the first generation wrote the record. Without an instance name a whole
    /// number beside no field of the second generation is milliseconds.
    fn duration_us(&self) -> Option<u64> {
        let value = self.get(Key::TimeTaken);
        let instance = self.text(Key::Instance);
        let is_first = match instance {
            [] => {
                memchr::memchr(b'.', value.raw).is_none()
                    && !self.get(Key::ServerLatency).is_filled()
                    && !self.get(Key::Transaction).is_filled()
            }
            name => name.starts_with(b"ApplicationGatewayRole"),
        };
        value.scaled(if is_first { 1_000 } else { 1_000_000 })
    }
}

/// The client's own query, and what the gateway appended to it.
fn split_query(query: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = memmem::find(query, b"X-AzureApplicationGateway-") else {
        return (query, &[]);
    };
    let own = &query[..at];
    (own.strip_suffix(b"&").unwrap_or(own), &query[at..])
}

/// The value behind `name` in a query.
fn parameter<'a>(query: &'a [u8], name: &[u8]) -> &'a [u8] {
    let Some(at) = memmem::find(query, name) else {
        return &[];
    };
    let value = &query[at + name.len()..];
    bytes::filled(&value[..memchr::memchr(b'&', value).unwrap_or(value.len())])
}

/// What the reason code says, or the server's status where there is none.
fn signal(info: &[u8], entry: &Entry<'_>) -> Option<Signal> {
    let status = entry.status?;
    let last = entry.upstream.last();
    let (phase, fault) = match info {
        b"ERRORINFO_UPSTREAM_TIMED_OUT" => (Phase::Header, Fault::TimedOut),
        b"ERRORINFO_UPSTREAM_CLOSED_CONNECTION" => (Phase::Header, Fault::ResetOrClosed),
        b"ERRORINFO_UPSTREAM_NO_LIVE" => (Phase::Queue, Fault::NoLiveUpstream),
        b"ERRORINFO_CLIENT_CLOSED_REQUEST" => (Phase::Client, Fault::ClientGone),
        b"ERRORINFO_NO_ERROR" | b"" if status >= 500 => {
            if last.is_none_or(|attempt| attempt.status != Some(status)) {
                return None;
            }
            (Phase::Header, Fault::UpstreamStatus)
        }
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    fn second(status: u16, server: &str, error: &str) -> String {
        format!(
            r#"{{"timeStamp": "2021-10-14T22:17:11+00:00","backendPoolName": "shop","operationName": "ApplicationGatewayAccess","category": "ApplicationGatewayAccessLog","properties": {{"instanceId": "appgw_2","clientIP": "185.42.129.24","clientPort": 45057,"httpMethod": "GET","originalRequestUriWithArgs": "\/cart?id=7","requestUri": "\/new","requestQuery": "","httpStatus": {status},"receivedBytes": 184,"sentBytes": 466,"timeTaken": 20.034,"transactionId": "592d1649f75a8d480a3c4dc6a975309d","serverRouted": "52.239.221.65:443","serverStatus": "{server}","serverResponseLatency": "20.028","originalHost": "shop.example.com","host": "10.0.0.4"{error}}}}}"#
        )
    }

    #[test]
    fn the_second_generation_counts_seconds() {
        let line = second(504, "504", r#","error_info":"ERRORINFO_UPSTREAM_TIMED_OUT""#);
        let entry = read(&line);
        assert_eq!((entry.status, entry.duration_us), (Some(504), Some(20_034_000)));
        assert_eq!(entry.text(entry.path), "/cart?id=7");
        assert_eq!(entry.host, b"shop.example.com");
        assert_eq!(entry.response_us, Some(20_028_000));
        assert_eq!(entry.upstream.last().unwrap().status, Some(504));
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(
            (entry.client, entry.client_port),
            (b"185.42.129.24".as_slice(), Some(45_057))
        );
        assert_eq!(
            entry.ids.as_slice(),
            [b"592d1649f75a8d480a3c4dc6a975309d".as_slice()]
        );
        assert_eq!(entry.time.unwrap().us, 1_634_249_831_000_000);
    }

    #[test]
    fn a_status_of_the_server_is_its_own_unless_a_reason_says_otherwise() {
        let of = |server: &str, error: &str| {
            let line = second(502, server, error);
            read(&line).signal.map(|signal| (signal.phase, signal.fault))
        };
        let own = Some((Phase::Header, Fault::UpstreamStatus));
        assert_eq!(of("502", ""), own);
        assert_eq!(of("502", r#","error_info":"ERRORINFO_NO_ERROR""#), own);
        assert_eq!(of("", ""), None);
        assert_eq!(
            of("502", r#","error_info":"ERRORINFO_UPSTREAM_CLOSED_CONNECTION""#),
            Some((Phase::Header, Fault::ResetOrClosed))
        );
    }

    #[test]
    fn the_first_generation_counts_milliseconds_and_hides_the_server_in_the_query() {
        let entry = read(
            r#"{"records":[{"resourceId":"/S","operationName":"ApplicationGatewayAccess","time":"2017-04-26T19:27:38Z","category":"ApplicationGatewayAccessLog","properties":{"instanceId":"ApplicationGatewayRole_IN_0","clientIP":"191.96.249.97","clientPort":-,"httpMethod":"GET","requestUri":"/phpmyadmin/scripts/setup.php","requestQuery":"a=1&X-AzureApplicationGateway-CACHE-HIT=0&SERVER-ROUTED=10.4.0.4&X-AzureApplicationGateway-LOG-ID=874f1f0f-6807-41c9-b7bc-f3cfa74aa0b1&SERVER-STATUS=404","userAgent":"-","httpStatus":404,"receivedBytes":65,"sentBytes":553,"timeTaken":205,"sslEnabled":"off","host":"www.contoso.com"}}"#,
        );
        assert_eq!((entry.status, entry.duration_us), (Some(404), Some(205_000)));
        assert_eq!(entry.query, b"a=1");
        assert_eq!(entry.upstream.addr, b"10.4.0.4");
        assert_eq!(entry.upstream.last().unwrap().status, Some(404));
        assert_eq!(
            entry.ids.as_slice(),
            [b"874f1f0f-6807-41c9-b7bc-f3cfa74aa0b1".as_slice()]
        );
        assert_eq!(entry.client_port, None);
    }

    #[test]
    fn records_of_the_firewall_are_notes() {
        let entry = read(
            r#"{"timeStamp":"2021-10-14T22:17:11+00:00","category":"ApplicationGatewayFirewallLog","properties":{"clientIp":"185.42.129.24","transactionId":"592d1649f75a8d480a3c4dc6a975309d"}},"#,
        );
        assert_eq!((entry.kind, entry.status), (Kind::Note, None));
    }
}
