//! Application Load Balancer of AWS: access logs.
//!
//! `https 2026-11-20T16:23:16.376735Z app/shop/c86a326e7dc14222 198.51.100.7:56398 10.0.0.192:80 0.001 -1 -1 502 - 125 308 "GET https://shop.example.com:443/ HTTP/1.1" "curl" …`
//! The first time is when the response was made (the end; for WebSockets when the connection closed),
//! `request_creation_time` when the request was received; both UTC. The three durations are seconds. `-1`: the request was
//! not dispatched, or the target closed before or kept silent until the idle timeout. `-` is a missing value. Fields are
//! added at the end of the line now and then; older lines end early.
//! Source: AWS, "Access logs for your Application Load Balancer", "Troubleshoot your Application Load Balancers".
//! The URL is taken as it stands: how a quote in it is escaped is not documented.

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::id::{self, IdKind};
use crate::engine::slot::{Slot, unit};
use crate::entry::{Entry, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::aws::{self, Words};
use crate::time::{self, DAY_US, DayCache};

/// The format `aws-alb`.
#[derive(Debug, Clone, Copy)]
pub struct AwsAlb;

impl Plain for AwsAlb {
    const NAME: &'static str = "aws-alb";
    const PRODUCT: Product = Product::AwsAlb;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        if memmem::find(head.bytes, b" app/").is_none() {
            return Sniff::no();
        }
        Sniff::by_parsing(
            head,
            &mut Parser::default(),
            Score::Mark,
            "name of an application load balancer",
        )
    }
}

#[derive(Default)]
struct Parser {
    end: DayCache,
    start: DayCache,
}

/// The fields that several conclusions need.
struct Outcome<'a> {
    request_time: &'a [u8],
    target_time: &'a [u8],
    response_time: &'a [u8],
    reason: &'a [u8],
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let mut words = Words::new(line);
        let kind = words.word("type")?;
        if !matches!(kind, b"http" | b"https" | b"h2" | b"grpcs" | b"ws" | b"wss") {
            return Err(LineError::new(0, "type"));
        }
        let time_at = words.at();
        let end = time::iso(words.word("time")?, &mut self.end).ok_or(LineError::new(time_at, "time"))?;
        entry.kind = Kind::Request;
        entry.time = Some(end.marking(Marks::End));
        words.word("load balancer")?;
        let outcome = numbers(&mut words, entry)?;
        aws::request(words.quoted("request")?, entry);
        let reason = self.tail(&mut words, entry);
        entry.error = filled(reason);
        entry.signal = signal(&Outcome { reason, ..outcome }, entry);
        Ok(Line::Entry)
    }
}

/// Addresses, durations, statuses and sizes.
fn numbers<'a>(words: &mut Words<'a>, entry: &mut Entry<'a>) -> Result<Outcome<'a>, LineError> {
    let mut put = |slot: Slot, want: &'static str| {
        let at = words.at();
        let word = words.word(want)?;
        if slot.write(word, entry) {
            Ok(word)
        } else {
            Err(LineError::new(at, want))
        }
    };
    put(Slot::ClientAndPort, "client")?;
    put(Slot::UpstreamAddr, "target")?;
    let request_time = put(Slot::Skip, "request processing time")?;
    let target_time = put(Slot::UpstreamHeader(unit::S), "target processing time")?;
    let response_time = put(Slot::Skip, "response processing time")?;
    put(Slot::Status, "status")?;
    put(Slot::UpstreamStatus, "target status")?;
    put(Slot::Skip, "received bytes")?;
    put(Slot::BytesSent, "sent bytes")?;
    if entry.upstream.addr.is_empty() {
        // No target was tried, so there is no attempt of which the time could be.
        entry.upstream.header = &[];
    }
    Ok(Outcome {
        request_time,
        target_time,
        response_time,
        reason: &[],
    })
}

impl Parser {
    /// What follows the request; any of it may be missing. Returns the error reason.
    fn tail<'a>(&mut self, words: &mut Words<'a>, entry: &mut Entry<'a>) -> &'a [u8] {
        let mut next = || words.any();
        let (_agent, _cipher, _protocol, group) = (next(), next(), next(), next());
        let (trace, domain, _certificate, _rule, created) = (next(), next(), next(), next(), next());
        let (_actions, _redirect, reason) = (next(), next(), next());
        entry.upstream.group = group_name(group);
        id::push(&mut entry.ids, IdKind::Amazon, filled(trace));
        if entry.host.is_empty() {
            entry.host = filled(domain);
        }
        entry.duration_us = self.duration_us(created, entry);
        reason
    }

    /// From the creation time, if that makes sense: lines that were edited or cut do not.
    fn duration_us(&mut self, created: &[u8], entry: &Entry<'_>) -> Option<u64> {
        let start = time::iso(created, &mut self.start)?;
        let lasted = entry.time?.us.checked_sub(start.us)?;
        (0..DAY_US)
            .contains(&lasted)
            .then(|| u64::try_from(lasted).ok())
            .flatten()
    }
}

/// `shop-targets` of `arn:aws:elasticloadbalancing:eu-central-1:627959692251:targetgroup/shop-targets/8f04c4fe71f5f794`.
fn group_name(arn: &[u8]) -> &[u8] {
    const MARK: &[u8] = b":targetgroup/";
    let Some(at) = memmem::find(arn, MARK) else {
        return &[];
    };
    let name = &arn[at + MARK.len()..];
    &name[..memchr::memchr(b'/', name).unwrap_or(name.len())]
}

/// The balancer gives up connecting to a target, and a TLS handshake with it, after ten seconds.
const TEN_SECONDS_US: std::ops::RangeInclusive<u64> = 9_900_000..=10_900_000;

/// What status, target status, durations and reason say together.
fn signal(outcome: &Outcome<'_>, entry: &Entry<'_>) -> Option<Signal> {
    let status = entry.status?;
    let target_status = number(entry.upstream.status);
    let no_target = entry.upstream.addr.is_empty();
    let dispatched = aws::seconds(outcome.request_time).is_some();
    let target_us = aws::seconds(outcome.target_time);
    let is_silent = !dispatched && target_us.is_none() && aws::seconds(outcome.response_time).is_none();
    let in_ten_seconds = entry.duration_us.is_some_and(|us| TEN_SECONDS_US.contains(&us));
    let (phase, fault) = match (status, target_status) {
        (460, _) => (Phase::Client, Fault::ClientGone),
        _ if outcome.reason.starts_with(b"Lambda") => of_lambda(outcome.reason),
        (500.., Some(of_target)) if of_target == u64::from(status) => (Phase::Header, Fault::UpstreamStatus),
        (503, None) if no_target => (Phase::Queue, Fault::NoLiveUpstream),
        (502, None) if no_target => return None,
        // Nothing was dispatched: the handshake took all the time it may.
        (502, None) if is_silent && in_ten_seconds => (Phase::Tls, Fault::TimedOut),
        // A connection that was ended before the answer, and an answer that was no HTTP, are written alike.
        (502, None) if dispatched || target_us.is_some() => (Phase::Header, Fault::ResetOrClosed),
        // Refused, or closed while the request was outstanding: both are written so.
        (502, None) => (Phase::Unknown, Fault::ResetOrClosed),
        (504, None) if is_silent && in_ten_seconds => (Phase::Connect, Fault::TimedOut),
        (504, None) => (Phase::Header, Fault::TimedOut),
        // The target promised more body than it sent.
        (504, Some(200..=299)) => (Phase::Body, Fault::BadFraming),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

/// The reason codes of targets that are Lambda functions.
fn of_lambda(reason: &[u8]) -> (Phase, Fault) {
    match reason {
        b"LambdaInvalidResponse" => (Phase::Header, Fault::InvalidResponse),
        b"LambdaResponseTooLarge" => (Phase::Body, Fault::PolicyBlocked),
        b"LambdaConnectionTimeout" => (Phase::Connect, Fault::TimedOut),
        b"LambdaThrottling" | b"LambdaEC2ThrottledException" => (Phase::Queue, Fault::QueueFull),
        _ => (Phase::Unknown, Fault::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Zone;

    fn line(times: &str, statuses: &str, created: &str, reason: &str) -> String {
        format!(
            "https 2026-11-20T16:23:16.376735Z app/shop/c86a326e7dc14222 198.51.100.7:56398 10.0.0.192:80 {times} {statuses} 125 308 \
             \"POST https://shop.example.com:443/cart?id=7 HTTP/1.1\" \"curl/7.58.0\" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 \
             arn:aws:elasticloadbalancing:eu-central-1:627959692251:targetgroup/shop-targets/8f04c4fe71f5f794 \
             \"Self=1-67;Root=1-5da09932-2c342a443bfb96249aa50ed7\" \"shop.example.com\" \"session-reused\" 0 {created} \
             \"forward\" \"-\" \"{reason}\" \"10.0.0.192:80\" \"-\" \"-\" \"-\" TID_1234abcd5678ef90 \"-\" \"-\" \"-\""
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
        let line = line("0.001 -1 -1", "502 -", "2026-11-20T16:23:16.275000Z", "-");
        let entry = read(&line);
        let time = entry.time.unwrap();
        assert_eq!(
            (time.us, time.zone, time.marks),
            (1_795_191_796_376_735, Zone::Known, Marks::End)
        );
        assert_eq!(entry.duration_us, Some(101_735));
        assert_eq!(
            (entry.method, entry.host, entry.path),
            (
                b"POST".as_slice(),
                b"shop.example.com".as_slice(),
                b"/cart?id=7".as_slice()
            )
        );
        assert_eq!(
            (entry.client, entry.client_port),
            (b"198.51.100.7".as_slice(), Some(56_398))
        );
        assert_eq!((entry.status, entry.bytes_sent), (Some(502), Some(308)));
        assert_eq!(
            (entry.upstream.addr, entry.upstream.group),
            (b"10.0.0.192:80".as_slice(), b"shop-targets".as_slice())
        );
        assert_eq!(
            entry.ids.as_slice(),
            [b"1-5da09932-2c342a443bfb96249aa50ed7".as_slice()]
        );
        assert_eq!(entry.upstream.last().unwrap().header_us, None);
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Header, Fault::ResetOrClosed))
        );
    }

    #[test]
    fn status_and_times_say_what_failed() {
        let of = |times: &str, statuses: &str, created: &str, reason: &str| {
            let line = line(times, statuses, created, reason);
            read(&line).signal.map(|signal| (signal.phase, signal.fault))
        };
        let (soon, ten, minute) = (
            "2026-11-20T16:23:16.375000Z",
            "2026-11-20T16:23:06.300000Z",
            "2026-11-20T16:22:16.300000Z",
        );
        let unset = "-1 -1 -1";
        assert_eq!(
            of(unset, "502 -", soon, "-"),
            Some((Phase::Unknown, Fault::ResetOrClosed))
        );
        assert_eq!(of(unset, "502 -", ten, "-"), Some((Phase::Tls, Fault::TimedOut)));
        assert_eq!(
            of("0.001 -1 -1", "502 -", ten, "-"),
            Some((Phase::Header, Fault::ResetOrClosed))
        );
        assert_eq!(
            of("0.001 0.210 -1", "502 -", soon, "-"),
            Some((Phase::Header, Fault::ResetOrClosed))
        );
        assert_eq!(
            of("0.001 0.210 0.000", "502 502", soon, "-"),
            Some((Phase::Header, Fault::UpstreamStatus))
        );
        assert_eq!(
            of(unset, "504 -", ten, "-"),
            Some((Phase::Connect, Fault::TimedOut))
        );
        assert_eq!(
            of("0.001 -1 -1", "504 -", minute, "-"),
            Some((Phase::Header, Fault::TimedOut))
        );
        assert_eq!(
            of(unset, "460 -", soon, "-"),
            Some((Phase::Client, Fault::ClientGone))
        );
        assert_eq!(
            of("0.000 0.001 0.000", "502 -", soon, "LambdaInvalidResponse"),
            Some((Phase::Header, Fault::InvalidResponse))
        );
        assert_eq!(of("0.001 0.210 0.000", "404 404", soon, "-"), None);
    }

    #[test]
    fn a_request_that_went_to_no_target_has_no_attempt() {
        let text = line("-1 -1 -1", "503 -", "2026-11-20T16:23:16.375000Z", "-")
            .replace("10.0.0.192:80 -1", "- -1")
            .replace(
                "POST https://shop.example.com:443/cart?id=7 HTTP/1.1",
                "- http://shop:80- -",
            );
        let entry = read(&text);
        assert_eq!(entry.upstream.attempts().count(), 0);
        assert_eq!(
            (entry.method, entry.host, entry.path),
            (b"".as_slice(), b"shop".as_slice(), b"".as_slice())
        );
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Queue, Fault::NoLiveUpstream))
        );
    }

    #[test]
    fn lines_of_years_ago_end_early_and_times_that_do_not_fit_give_no_duration() {
        let whole = line("0.001 0.002 0.000", "200 200", "2018-07-02T22:22:48.364000Z", "-");
        assert_eq!(read(&whole).duration_us, None);
        let cut = &whole[..whole.find(" ECDHE").unwrap()];
        assert_eq!((read(cut).status, read(cut).signal), (Some(200), None));
        let mut entry = Entry::default();
        let error = Parser::default()
            .parse(&whole.as_bytes()[..60], &mut entry)
            .unwrap_err();
        assert!(error.at <= 60);
    }
}
