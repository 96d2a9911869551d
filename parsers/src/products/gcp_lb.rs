//! Google Cloud's Application Load Balancers: log entries as JSON, one a line, alone or in an array.
//!
//! `{"httpRequest":{"requestMethod":"GET","requestUrl":"https://shop.example.com/","status":502,"latency":"0.123s",…},"jsonPayload":{"statusDetails":"backend_timeout",…},"timestamp":"2026-11-20T16:23:16.078651Z","trace":"projects/p/traces/…"}`
//! `timestamp` is UTC to the microsecond and taken for the time when the request came in, `latency` for the seconds from then
//! to the end of the answer; the reference names both fields without saying which instant the first one is.
//! `statusDetails` says in one word how the request ended, `proxyStatus` (balancers built on Envoy) the same in the words of
//! RFC 9209. Numbers may be quoted.
//! Every word of `statusDetails` that is given a meaning here stands in the reference's table of failure messages;
//! `failed_to_connect_to_backend` is said there to include timeouts while connecting.
//! Pretty-printed exports are recognised but not read.
//! Source: Google Cloud documentation, "Logging and monitoring" of the external Application Load Balancers, "statusDetails HTTP failure messages".

use std::sync::LazyLock;

use crate::engine::json::{Keys, Value};
use crate::engine::{json_record, proxy_status};
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Sniff};
use crate::products::aws::origin_and_path;
use crate::products::caddy::split_port;
use crate::time::DayCache;

/// The format `gcp-lb`.
#[derive(Debug, Clone, Copy)]
pub struct GcpLb;

impl Plain for GcpLb {
    const NAME: &'static str = "gcp-lb";
    const PRODUCT: Product = Product::GcpLb;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks = [
            "LoadBalancerLogEntry",
            "\"http_load_balancer\"",
            "\"http_external_regional_lb_rule\"",
            "\"internal_http_lb_rule\"",
        ];
        let keys = ["httpRequest", "insertId", "timestamp"];
        json_record::claim(
            head,
            &marks,
            &mut Parser::default(),
            "log entries of a load balancer",
            &keys,
        )
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Key {
    Time,
    Method,
    Url,
    Status,
    Size,
    Client,
    Server,
    Latency,
    Trace,
    Details,
    ProxyStatus,
    Backend,
    Severity,
}

const KEY_COUNT: usize = Key::Severity as usize + 1;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (path, key) in [
        ("timestamp", Key::Time),
        ("httpRequest.requestMethod", Key::Method),
        ("httpRequest.requestUrl", Key::Url),
        ("httpRequest.status", Key::Status),
        ("httpRequest.responseSize", Key::Size),
        ("httpRequest.remoteIp", Key::Client),
        ("httpRequest.serverIp", Key::Server),
        ("httpRequest.latency", Key::Latency),
        ("trace", Key::Trace),
        ("jsonPayload.statusDetails", Key::Details),
        ("jsonPayload.proxyStatus", Key::ProxyStatus),
        ("resource.labels.backend_service_name", Key::Backend),
        ("severity", Key::Severity),
    ] {
        keys.add(path, key as u8, 0);
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
        let stamp = stamp.ok_or(LineError::new(0, "timestamp"))?;
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

    fn text(&self, key: Key) -> &'a [u8] {
        self.get(key).text()
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.escape = Escape::Json;
        entry.level = level(self.text(Key::Severity));
        entry.method = self.text(Key::Method);
        entry.status = self.get(Key::Status).small().filter(|status| *status != 0);
        entry.ids.push(last_segment(self.text(Key::Trace)));
        if entry.method.is_empty() && entry.status.is_none() {
            // Another log of the same project.
            entry.kind = Kind::Note;
            entry.time = entry.time.map(|time| time.marking(Marks::Event));
            return;
        }
        entry.kind = Kind::Request;
        (entry.host, entry.path) = origin_and_path(self.text(Key::Url));
        (entry.client, entry.client_port) = split_port(self.text(Key::Client));
        entry.bytes_sent = self.get(Key::Size).number();
        let latency = self.text(Key::Latency);
        let seconds = latency.strip_suffix(b"s").unwrap_or(latency);
        entry.duration_us = crate::bytes::decimal_scaled(seconds, 1_000_000);
        entry.upstream.addr = self.text(Key::Server);
        entry.upstream.group = self.text(Key::Backend);
        let details = self.text(Key::Details);
        if details == b"response_sent_by_backend" {
            entry.upstream.status = self.text(Key::Status);
        }
        let failed = entry.status.is_none_or(|status| status >= 400);
        let found = fault(details, entry.status).map(|(phase, fault)| Signal::new(phase, fault));
        entry.signal = found.or_else(|| proxy_status::signal(self.text(Key::ProxyStatus)).filter(|_| failed));
        if entry.signal.is_some() {
            entry.error = details;
        }
    }
}

/// `241d69833e64b3bf83fabac8c873d992` of `projects/p/traces/241d69833e64b3bf83fabac8c873d992`.
fn last_segment(trace: &[u8]) -> &[u8] {
    memchr::memrchr(b'/', trace).map_or(trace, |at| &trace[at + 1..])
}

fn level(severity: &[u8]) -> Level {
    match severity {
        b"DEBUG" => Level::Debug,
        b"INFO" | b"NOTICE" => Level::Info,
        b"WARNING" => Level::Warning,
        b"ERROR" => Level::Error,
        b"CRITICAL" | b"ALERT" | b"EMERGENCY" => Level::Critical,
        _ => Level::None,
    }
}

/// What `statusDetails` says.
fn fault(details: &[u8], status: Option<u16>) -> Option<(Phase, Fault)> {
    Some(match details {
        b"response_sent_by_backend" if status.is_some_and(|status| status >= 500) => {
            (Phase::Header, Fault::UpstreamStatus)
        }
        b"backend_timeout" => (Phase::Header, Fault::TimedOut),
        b"backend_connection_closed_before_data_sent_to_client" => (Phase::Header, Fault::ResetOrClosed),
        b"backend_connection_closed_after_partial_response_sent" => (Phase::Body, Fault::ResetOrClosed),
        b"failed_to_connect_to_backend" => (Phase::ConnectOrTls, Fault::Other),
        b"failed_to_pick_backend" => (Phase::Queue, Fault::NoLiveUpstream),
        b"failed_to_negotiate_alpn" => (Phase::Tls, Fault::ProtocolMismatch),
        b"ssl_certificate_san_verification_failed" | b"ssl_certificate_chain_verification_failed" => {
            (Phase::Tls, Fault::CertificateRejected)
        }
        // The balancer's own trouble while it looked at the certificate.
        b"server_cert_validation_internal_error"
        | b"server_cert_validation_timed_out"
        | b"server_cert_validation_unavailable" => (Phase::Tls, Fault::Other),
        _ if details.starts_with(b"server_cert_") => (Phase::Tls, Fault::CertificateRejected),
        b"backend_early_response_with_non_error_status"
        | b"aborted_request_due_to_backend_early_response"
        | b"websocket_handshake_failed" => (Phase::Header, Fault::InvalidResponse),
        b"backend_response_corrupted" | b"error_uncompressing_gzipped_body" => {
            (Phase::Body, Fault::BadFraming)
        }
        b"client_disconnected_before_any_response" | b"client_disconnected_after_partial_response" => {
            (Phase::Client, Fault::ClientGone)
        }
        b"client_timed_out" => (Phase::Client, Fault::TimedOut),
        b"internal_error"
        | b"config_not_found"
        | b"request_loop_detected"
        | b"retriable_error"
        | b"serverless_neg_routing_failed"
        | b"service_extension_error" => (Phase::Unknown, Fault::Other),
        b"fault_filter_abort" | b"denied_by_security_policy" => (Phase::Unknown, Fault::PolicyBlocked),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;
    use crate::format::Score;

    fn line(status: u16, payload: &str) -> String {
        format!(
            r#"{{"insertId":"1oek5rg3l3fxj7","jsonPayload":{{"@type":"type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry",{payload}}},"httpRequest":{{"requestMethod":"GET","requestUrl":"https://shop.example.com/cart?id=7","requestSize":"577","status":{status},"responseSize":"157","remoteIp":"198.51.100.7:9989","latency":"30.001542s","serverIp":"10.5.3.1:9090"}},"resource":{{"type":"http_load_balancer","labels":{{"backend_service_name":"shop-backend"}}}},"timestamp":"2020-06-08T23:41:30.078651Z","severity":"WARNING","trace":"projects/p/traces/241d69833e64b3bf83fabac8c873d992","spanId":"7b6537d3672e08e1"}}"#
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
    fn every_field_is_read() {
        let line = line(502, r#""statusDetails":"backend_timeout""#);
        let entry = read(&line);
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.marks), (1_591_659_690_078_651, Marks::Start));
        assert_eq!((entry.status, entry.duration_us), (Some(502), Some(30_001_542)));
        assert_eq!(
            (entry.host, entry.path),
            (b"shop.example.com".as_slice(), b"/cart?id=7".as_slice())
        );
        assert_eq!(
            (entry.client, entry.client_port),
            (b"198.51.100.7".as_slice(), Some(9989))
        );
        assert_eq!(
            (entry.upstream.addr, entry.upstream.group),
            (b"10.5.3.1:9090".as_slice(), b"shop-backend".as_slice())
        );
        assert_eq!(
            entry.ids.as_slice(),
            [b"241d69833e64b3bf83fabac8c873d992".as_slice()]
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(
            (entry.error, entry.level),
            (b"backend_timeout".as_slice(), Level::Warning)
        );
    }

    #[test]
    fn the_details_say_who_failed() {
        let of = |status: u16, payload: &str| {
            let line = line(status, payload);
            let entry = read(&line);
            (
                entry.signal.map(|signal| (signal.phase, signal.fault)),
                entry.upstream.last().and_then(|attempt| attempt.status),
            )
        };
        assert_eq!(
            of(502, r#""statusDetails":"response_sent_by_backend""#),
            (Some((Phase::Header, Fault::UpstreamStatus)), Some(502))
        );
        assert_eq!(
            of(200, r#""statusDetails":"response_sent_by_backend""#),
            (None, Some(200))
        );
        assert_eq!(
            of(
                502,
                r#""statusDetails":"backend_connection_closed_before_data_sent_to_client""#
            ),
            (Some((Phase::Header, Fault::ResetOrClosed)), None)
        );
        assert_eq!(
            of(
                503,
                r#""proxyStatus":"error=\"connection_refused\"; details=\"x\"""#
            ),
            (Some((Phase::Connect, Fault::Refused)), None)
        );
    }

    #[test]
    fn an_entry_in_an_array_is_read_and_another_log_is_a_note() {
        let array = format!("[{},", line(200, "\"a\":1"));
        assert_eq!(read(&array).kind, Kind::Request);
        let other = r#"{"textPayload":"started","timestamp":"2020-06-08T23:41:30Z","severity":"INFO"},"#;
        assert_eq!(read(other).kind, Kind::Note);
    }

    #[test]
    fn a_pretty_printed_export_is_claimed_and_says_why_it_is_not_read() {
        let text = "[\n  {\n    \"httpRequest\": {\n      \"status\": 502\n    },\n    \"insertId\": \"x\",\n    \"resource\": {\n      \"type\": \"http_load_balancer\"\n    },\n    \"timestamp\": \"2020-06-08T23:41:30Z\"\n  }\n]\n";
        let head = Head {
            bytes: text.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let sniff = GcpLb.sniff(&head);
        assert_eq!((sniff.score, sniff.parsed), (Score::Own, 0));
        let mut entry = Entry::default();
        let error = Parser::default()
            .parse(b"    \"insertId\": \"x\",", &mut entry)
            .unwrap_err();
        assert!(error.to_string().contains("pretty-printed"), "{error}");
    }
}
