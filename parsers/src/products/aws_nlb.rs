//! Network Load Balancer of AWS: access logs, which exist for TLS listeners only.
//!
//! `tls 2.0 2026-11-20T16:23:16 net/shop/c6e77e28c25b2234 g3d4b5e8bb8464cd 198.51.100.7:51341 172.100.100.185:443 5 2 98 246 - arn:… - ECDHE-RSA-AES128-SHA tlsv12 - shop.example.com h2 h2 "h2","http/1.1" 2026-11-20T16:23:16`
//! A line is a connection, not a request: a note. The time is when it ended, without an offset; the log's file names and the
//! rest of the service count in UTC, so it is read as such. Connection and handshake time are milliseconds, the former includes
//! the latter. `destination` is the listener the client reached, not the target behind it.
//! Source: AWS, "Access logs for your Network Load Balancer" (units and meaning of the destination).

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::slot::{Slot, unit};
use crate::entry::{Entry, Kind, Marks, Zone};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::aws::Words;
use crate::time::{self, DayCache};

/// The format `aws-nlb`.
#[derive(Debug, Clone, Copy)]
pub struct AwsNlb;

impl Plain for AwsNlb {
    const NAME: &'static str = "aws-nlb";
    const PRODUCT: Product = Product::AwsNlb;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        if memmem::find(head.bytes, b" net/").is_none() {
            return Sniff::no();
        }
        Sniff::by_parsing(
            head,
            &mut Parser::default(),
            Score::Mark,
            "name of a network load balancer",
        )
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let mut words = Words::new(line);
        if words.word("type")? != b"tls" {
            return Err(LineError::new(0, "type"));
        }
        words.word("version")?;
        let at = words.at();
        let mut stamp = time::iso(words.word("time")?, &mut self.day).ok_or(LineError::new(at, "time"))?;
        stamp.zone = Zone::Known;
        entry.time = Some(stamp.marking(Marks::End));
        entry.kind = Kind::Note;
        words.word("load balancer")?;
        words.word("listener")?;
        for (slot, want) in [
            (Slot::ClientAndPort, "client"),
            (Slot::Server, "destination"),
            (Slot::Duration(unit::MS), "connection time"),
            (Slot::Skip, "handshake time"),
            (Slot::Skip, "received bytes"),
            (Slot::BytesSent, "sent bytes"),
        ] {
            let at = words.at();
            if !slot.write(words.word(want)?, entry) {
                return Err(LineError::new(at, want));
            }
        }
        let alert = filled(words.any());
        if number(alert).is_some() {
            entry.error = alert;
        }
        let (_certificate, _serial, _cipher, _protocol, _group) =
            (words.any(), words.any(), words.any(), words.any(), words.any());
        entry.host = filled(words.any());
        Ok(Line::Entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_a_note_that_ends_at_its_stamp() {
        let line = r#"tls 2.0 2020-04-01T08:51:42 net/my-network-loadbalancer/c6e77e28c25b2234 g3d4b5e8bb8464cd 72.21.218.154:51341 172.100.100.185:443 5 2 98 246 42 arn:aws:acm:us-east-2:671290407336:certificate/2a108f19 - ECDHE-RSA-AES128-SHA tlsv12 - my-network-loadbalancer-c6e77e28c25b2234.elb.us-east-2.amazonaws.com h2 h2 "h2","http/1.1" 2020-04-01T08:51:20"#;
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry)
        );
        let time = entry.time.unwrap();
        assert_eq!(
            (entry.kind, time.us, time.zone),
            (Kind::Note, 1_585_731_102_000_000, Zone::Known)
        );
        assert_eq!((entry.duration_us, entry.bytes_sent), (Some(5_000), Some(246)));
        assert_eq!(
            (entry.client, entry.client_port),
            (b"72.21.218.154".as_slice(), Some(51_341))
        );
        assert_eq!(
            (entry.server, entry.error),
            (b"172.100.100.185:443".as_slice(), b"42".as_slice())
        );
        assert!(entry.host.starts_with(b"my-network-loadbalancer"));
    }
}
