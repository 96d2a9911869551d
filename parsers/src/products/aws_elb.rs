//! Classic Load Balancer of AWS: access logs.
//!
//! `2026-11-20T16:23:16.945958Z shop 198.51.100.7:2817 10.0.0.1:80 0.000086 0.001048 0.001337 200 200 0 57 "GET https://shop.example.com:443/ HTTP/1.1" "curl" DHE-RSA-AES128-SHA TLSv1.2`
//! The time is when the request was received (for TCP listeners when the connection was made), UTC. The three
//! durations are seconds with six decimals, `-1` where the request was not dispatched, or the instance closed early or kept
//! silent. Lines of TCP listeners have `-` for statuses and `"- - - "` for the request. Lines written before user
//! agent and cipher were added end with the request. No id.
//! A 502 of the balancer's own means an answer that it could not parse: broken headers, or more bytes than announced.
//! Source: AWS, "Access logs for your Classic Load Balancer", "Troubleshoot a Classic Load Balancer: HTTP errors", and the
//! knowledge centre's "HTTP 502 errors through a Classic Load Balancer".

use crate::bytes::number;
use crate::engine::slot::{Slot, unit};
use crate::entry::{Entry, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::aws::{self, Words};
use crate::time::{self, DayCache};

/// The format `aws-elb`.
#[derive(Debug, Clone, Copy)]
pub struct AwsElb;

impl Plain for AwsElb {
    const NAME: &'static str = "aws-elb";
    const PRODUCT: Product = Product::AwsElb;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        Sniff::by_parsing(
            head,
            &mut Parser::default(),
            Score::Own,
            "fields of a classic load balancer",
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
        let stamp = time::iso(words.word("time")?, &mut self.day).ok_or(LineError::new(0, "time"))?;
        words.word("load balancer")?;
        let mut put = |slot: Slot, want: &'static str| {
            let at = words.at();
            let word = words.word(want)?;
            let fits = slot.write(word, entry) && (slot != Slot::Skip || aws::is_number_or_missing(word));
            if fits {
                Ok(word)
            } else {
                Err(LineError::new(at, want))
            }
        };
        put(Slot::ClientAndPort, "client")?;
        put(Slot::UpstreamAddr, "backend")?;
        let request_time = put(Slot::Skip, "request processing time")?;
        let backend_time = put(Slot::UpstreamHeader(unit::S), "backend processing time")?;
        let response_time = put(Slot::Skip, "response processing time")?;
        put(Slot::Status, "status")?;
        put(Slot::UpstreamStatus, "backend status")?;
        put(Slot::Skip, "received bytes")?;
        put(Slot::BytesSent, "sent bytes")?;
        let times = [request_time, backend_time, response_time].map(aws::seconds);
        entry.duration_us = times.iter().try_fold(0u64, |sum, time| sum.checked_add((*time)?));
        aws::request(words.quoted("request")?, entry);
        if entry.upstream.addr.is_empty() {
            entry.upstream.header = &[];
        }
        entry.time = Some(stamp.marking(Marks::Start));
        entry.kind = if entry.status.is_some() {
            Kind::Request
        } else {
            Kind::Note // A connection of a TCP listener.
        };
        entry.signal = signal(entry);
        Ok(Line::Entry)
    }
}

/// What the two statuses say. A 504 without backend status is left open: the idle timeout and an instance that
/// closes its connection are both answered so, and the line does not say how long the request took.
fn signal(entry: &Entry<'_>) -> Option<Signal> {
    let status = entry.status?;
    let backend_status = number(entry.upstream.status);
    let (phase, fault) = match (status, backend_status) {
        (500.., Some(of_backend)) if of_backend == u64::from(status) => {
            (Phase::Header, Fault::UpstreamStatus)
        }
        (408, None) => (Phase::Client, Fault::TimedOut),
        (502, None) => (Phase::Header, Fault::InvalidResponse),
        (503, None) if entry.upstream.addr.is_empty() => (Phase::Queue, Fault::NoLiveUpstream),
        (504, None) => (Phase::Unknown, Fault::Other),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.000086 0.001048 0.001337 200 200 0 57 "GET https://www.example.com:443/a HTTP/1.1" "curl/7.38.0" DHE-RSA-AES128-SHA TLSv1.2"#;

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
    fn the_time_is_the_start_and_the_durations_add_up() {
        let entry = read(OK);
        assert_eq!(entry.duration_us, Some(2471));
        assert_eq!(entry.header_us, Some(1048));
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.marks), (1_431_560_383_945_958, Marks::Start));
        assert_eq!(
            (entry.host, entry.path),
            (b"www.example.com".as_slice(), b"/a".as_slice())
        );
        assert_eq!(entry.upstream.last().unwrap().status, Some(200));
    }

    #[test]
    fn a_line_may_end_with_the_request_and_name_no_backend() {
        let entry = read(
            r#"2015-04-10T08:11:09.865823Z us-west-1-production-media 49.150.87.133:55128 - -1 -1 -1 408 - 1294336 0 "PUT https://media.xxxyyyzzz.com:443/videos/F4_M HTTP/1.1""#,
        );
        assert_eq!((entry.status, entry.duration_us), (Some(408), None));
        assert_eq!(entry.signal, Some(Signal::new(Phase::Client, Fault::TimedOut)));
        assert_eq!(entry.upstream.attempts().count(), 0);
    }

    #[test]
    fn an_unreadable_answer_and_a_missing_instance_are_told_apart() {
        let of = |change: &str| {
            let line = OK.replace("10.0.0.1:80 0.000086 0.001048 0.001337 200 200", change);
            read(&line).signal.map(|signal| (signal.phase, signal.fault))
        };
        assert_eq!(
            of("10.0.0.1:80 0.000086 0.001048 0.001337 502 -"),
            Some((Phase::Header, Fault::InvalidResponse))
        );
        assert_eq!(
            of("- -1 -1 -1 503 -"),
            Some((Phase::Queue, Fault::NoLiveUpstream))
        );
        assert_eq!(
            of("10.0.0.1:80 0.1 -1 -1 504 -"),
            Some((Phase::Unknown, Fault::Other))
        );
        assert_eq!(
            of("10.0.0.1:80 0.1 0.2 0.1 502 502"),
            Some((Phase::Header, Fault::UpstreamStatus))
        );
    }

    #[test]
    fn a_connection_of_a_tcp_listener_is_no_request() {
        let entry = read(
            r#"2015-05-13T23:39:43.945958Z my-loadbalancer 192.168.131.39:2817 10.0.0.1:80 0.001069 0.000028 0.000041 - - 82 305 "- - - " "-" - -"#,
        );
        assert_eq!((entry.kind, entry.status), (Kind::Note, None));
        assert_eq!((entry.method, entry.path), (b"".as_slice(), b"".as_slice()));
    }
}
