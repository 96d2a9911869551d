//! Azure Front Door (classic, Standard and Premium) and the CDN behind it: access logs, JSON, one record a line, alone
//! or under `records`.
//!
//! `{"category":"FrontDoorAccessLog","time":"2026-11-20T16:23:16.6479719Z","properties":{"trackingReference":"0k1y5YQ…","httpStatusCode":"503","timeTaken":"0.384","ErrorInfo":"OriginConnectionRefused","backendHostname":"shop.azurewebsites.net:443",…}}`
//! `time` is UTC, when the answer had been delivered; `timeTaken` is seconds. A status of 0 means that the origin did not answer in
//! time. `socketIp` is the peer, `clientIp` comes from `X-Forwarded-For` if there is one. `isReceivedFromClient` false marks the
//! second record of a request, from an edge to the origin shield: a note. So are health-probe and firewall records.
//! Source: Microsoft, "Monitor metrics and logs in Azure Front Door" (all of the above, and the values of `ErrorInfo`).

use std::sync::LazyLock;

use crate::engine::json::{Keys, Shape, Value};
use crate::engine::json_record;
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Sniff};
use crate::products::aws::origin_and_path;
use crate::time::DayCache;

/// The format `azure-frontdoor`.
#[derive(Debug, Clone, Copy)]
pub struct AzureFrontDoor;

impl Plain for AzureFrontDoor {
    const NAME: &'static str = "azure-frontdoor";
    const PRODUCT: Product = Product::AzureFrontDoor;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks = [
            "FrontdoorAccessLog",
            "FrontDoorAccessLog",
            "AzureCdnAccessLog",
            "FrontDoorHealthProbeLog",
            "FrontDoorWebApplicationFirewallLog",
        ];
        let keys = ["category", "operationName", "properties"];
        json_record::claim(
            head,
            &marks,
            &mut Parser::default(),
            "log categories of Front Door",
            &keys,
        )
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Key {
    Time,
    Category,
    Reference,
    Method,
    Uri,
    Host,
    Peer,
    Client,
    ClientPort,
    Status,
    Bytes,
    TimeTaken,
    Error,
    Backend,
    OriginName,
    FromClient,
}

const KEY_COUNT: usize = Key::FromClient as usize + 1;

const PROPERTIES: [(&str, Key, u8); 15] = [
    ("trackingReference", Key::Reference, 0),
    ("httpMethod", Key::Method, 0),
    ("requestUri", Key::Uri, 0),
    ("hostName", Key::Host, 0),
    ("socketIp", Key::Peer, 0),
    ("clientIp", Key::Client, 0),
    ("clientPort", Key::ClientPort, 0),
    ("httpStatusCode", Key::Status, 0),
    ("responseBytes", Key::Bytes, 0),
    ("timeTaken", Key::TimeTaken, 0),
    ("errorInfo", Key::Error, 0),
    ("originIp", Key::Backend, 0),
    ("backendHostname", Key::Backend, 2),
    ("originName", Key::OriginName, 0),
    ("isReceivedFromClient", Key::FromClient, 0),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    keys.add("time", Key::Time as u8, 0);
    keys.add("timeGenerated", Key::Time as u8, 1);
    keys.add("category", Key::Category as u8, 0);
    for (name, key, rank) in PROPERTIES {
        keys.add(&format!("properties.{name}"), key as u8, rank);
        keys.add(name, key as u8, rank + 1);
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
        let stamp = stamp.ok_or(LineError::new(0, "time"))?;
        entry.time = Some(stamp.marking(Marks::End));
        entry.escape = Escape::Json;
        entry.ids.push(fields.text(Key::Reference));
        let category = fields.text(Key::Category);
        let is_access = category.is_empty() || category.ends_with(b"AccessLog");
        if is_access {
            fields.fill(entry);
        }
        let is_second = fields.get(Key::FromClient).shape == Shape::False
            || fields.text(Key::FromClient).eq_ignore_ascii_case(b"false");
        if !is_access || is_second {
            entry.kind = Kind::Note;
        }
        Ok(Line::Entry)
    }
}

struct Fields<'v, 'a>(&'v [Value<'a>; KEY_COUNT]);

impl<'a> Fields<'_, 'a> {
    fn get(&self, key: Key) -> Value<'a> {
        self.0[key as usize]
    }

    /// The value as text; `N/A` is none.
    fn text(&self, key: Key) -> &'a [u8] {
        match self.get(key).text() {
            b"N/A" => &[],
            text => text,
        }
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.kind = Kind::Request;
        entry.method = self.text(Key::Method);
        (entry.host, entry.path) = origin_and_path(self.text(Key::Uri));
        if entry.host.is_empty() {
            entry.host = self.text(Key::Host);
        }
        let client = self.text(Key::Client);
        entry.client = match self.text(Key::Peer) {
            [] => client,
            peer => peer,
        };
        if entry.client != client {
            entry.forwarded_for = client;
        }
        entry.client_port = self.get(Key::ClientPort).small();
        let status = self.get(Key::Status).small::<u16>();
        entry.status = status.filter(|status| *status != 0);
        entry.bytes_sent = self.get(Key::Bytes).number();
        entry.duration_us = self.get(Key::TimeTaken).scaled(1_000_000);
        entry.upstream.addr = match self.text(Key::Backend) {
            [] => self.text(Key::OriginName),
            address => address,
        };
        let info = self.text(Key::Error);
        let found = fault(info, status).map(|(phase, fault)| Signal::new(phase, fault));
        entry.signal = found.filter(|_| {
            // An answer from the cache is nobody's failure.
            info != b"NoError" || !entry.upstream.addr.is_empty()
        });
        if info != b"NoError" {
            entry.error = info;
        } else if entry.signal.is_some() {
            entry.upstream.status = self.text(Key::Status);
        }
    }
}

/// What `ErrorInfo` says.
fn fault(info: &[u8], status: Option<u16>) -> Option<(Phase, Fault)> {
    Some(match info {
        b"OriginTimeout" => (Phase::Header, Fault::TimedOut),
        b"OriginConnectionRefused" => (Phase::Connect, Fault::Refused),
        b"OriginConnectionAborted" => (Phase::Header, Fault::ResetOrClosed),
        b"OriginConnectionError" => (Phase::ConnectOrTls, Fault::Other),
        b"OriginInvalidResponse" => (Phase::Header, Fault::InvalidResponse),
        b"ResponseHeaderTooBig" => (Phase::Header, Fault::HeaderTooBig),
        b"SSLHandshakeError" | b"SSLInvalidCipher" => (Phase::Tls, Fault::TlsRejected),
        b"SSLInvalidRootCA" | b"CertificateError" | b"CertificateNameCheckFailed" => {
            (Phase::Tls, Fault::CertificateRejected)
        }
        b"DNSFailure" | b"DNSNameNotResolved" => (Phase::Resolve, Fault::NameNotFound),
        b"DNSTimeout" => (Phase::Resolve, Fault::TimedOut),
        b"ClientDisconnected" => (Phase::Client, Fault::ClientGone),
        b"OriginError" | b"OriginInvalidRequest" | b"UnspecifiedError" => (Phase::Unknown, Fault::Other),
        _ if status == Some(0) => (Phase::Header, Fault::TimedOut),
        _ if status == Some(499) => (Phase::Client, Fault::ClientGone),
        b"NoError" if status.is_some_and(|status| status >= 500) => (Phase::Header, Fault::UpstreamStatus),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(status: &str, info: &str, rest: &str) -> String {
        format!(
            r#"{{"category":"FrontdoorAccessLog","operationName":"Microsoft.Network/FrontDoor/AccessLog/Write","properties":{{"ErrorInfo":"{info}","backendHostname":"shop.azurewebsites.net:443","clientIp":"203.0.113.9","clientPort":"50382","httpMethod":"POST","httpStatusCode":"{status}","requestUri":"https://shop.example.com:443/cart?id=7","responseBytes":"1205","socketIp":"198.51.100.7","timeTaken":"0.384","timeToFirstByte":"0.384","trackingReference":"0k1y5YQAAAAA="{rest}}},"time":"2021-12-15T03:10:11.6479719Z"}}"#
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
        let line = line("503", "OriginConnectionRefused", "");
        let entry = read(&line);
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.marks), (1_639_537_811_647_971, Marks::End));
        assert_eq!((entry.status, entry.duration_us), (Some(503), Some(384_000)));
        assert_eq!(
            (entry.host, entry.path),
            (b"shop.example.com".as_slice(), b"/cart?id=7".as_slice())
        );
        assert_eq!(
            (entry.client, entry.forwarded_for, entry.client_port),
            (
                b"198.51.100.7".as_slice(),
                b"203.0.113.9".as_slice(),
                Some(50_382)
            )
        );
        assert_eq!(entry.upstream.addr, b"shop.azurewebsites.net:443");
        assert_eq!(entry.ids.as_slice(), [b"0k1y5YQAAAAA=".as_slice()]);
        assert_eq!(entry.signal, Some(Signal::new(Phase::Connect, Fault::Refused)));
        assert_eq!(entry.bytes_sent, Some(1205));
    }

    #[test]
    fn a_status_of_zero_is_the_origins_silence() {
        let text = line("0", "OriginTimeout", "");
        let entry = read(&text);
        assert_eq!(entry.status, None);
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
    }

    #[test]
    fn an_error_that_the_origin_sent_is_its_own() {
        let text = line("502", "NoError", "");
        let entry = read(&text);
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Header, Fault::UpstreamStatus))
        );
        assert_eq!(entry.upstream.last().unwrap().status, Some(502));
        assert_eq!(entry.error, b"");
    }

    #[test]
    fn the_record_between_edge_and_shield_is_a_note() {
        for value in ["false", "\"False\""] {
            let text = line("200", "NoError", &format!(",\"isReceivedFromClient\":{value}"));
            assert_eq!(read(&text).kind, Kind::Note);
        }
        let text = line("200", "NoError", ",\"isReceivedFromClient\":true");
        assert_eq!((read(&text).kind, read(&text).signal), (Kind::Request, None));
    }

    #[test]
    fn a_record_whose_quotes_were_doubled_is_broken() {
        let mut entry = Entry::default();
        let broken =
            br#"{''"records"'': [{"time":"2021-02-02T07:15:37.3640748Z","category":"FrontdoorAccessLog"}]}"#;
        assert!(Parser::default().parse(broken, &mut entry).is_err());
    }
}
