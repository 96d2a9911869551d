//! Apigee Edge Router: nginx with an access log of its own, fields parted by tabs.
//!
//! `time  router  client ip:port  message processor ip:port  seconds  seconds  …  status  status  bytes  bytes  request line  agent  host  …  message id  …  fault source  fault code`
//! The time is ISO 8601 with its offset, written at the end of the request; the first number with decimals is the whole
//! request, the second the message processor's part, both seconds. Missing values are `-`; where no message processor was
//! left to be asked, nginx writes the name of their group in its place.
//! No public description of the layout was found, so only the first four fields are taken by their place; all others are
//! told by their shape: a request line, three digits (status to the client, then from the message processor), a message
//! id (`rrt…` or words joined by dashes that end in two numbers), a host, a fault code (`messaging.adaptors.http.flow.X`).

use crate::bytes::memmem;

use super::apigee_mp;
use crate::bytes::{decimal_scaled, each, filled, number};
use crate::engine::slot::{Slot, looks_like_host, unit};
use crate::engine::{id, paste_nginx};
use crate::entry::{Entry, Escape, Kind, Marks};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `apigee-router`.
#[derive(Debug, Clone, Copy)]
pub struct ApigeeRouter;

impl Plain for ApigeeRouter {
    const NAME: &'static str = "apigee-router";
    const PRODUCT: Product = Product::ApigeeRouter;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        if memchr::memchr(b'\t', head.bytes).is_none() {
            return Sniff::no();
        }
        let reason = "fields parted by tabs: time, router, client, message processor";
        Sniff::by_parsing(head, &mut Parser::default(), Score::Own, reason)
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
        let mut fields = fields(line);
        let stamp = fields.next().and_then(|text| time::iso(text, &mut self.day));
        let stamp = stamp.ok_or(LineError::new(0, "time"))?;
        let mut place = |want| fields.next().ok_or(LineError::new(line.len(), want));
        let _router = place("router")?;
        let client = place("client")?;
        let upstream = place("message processor")?;
        let at = |slice: &[u8]| slice.as_ptr() as usize - line.as_ptr() as usize;
        if !is_peer(client) {
            return Err(LineError::new(at(client), "client"));
        }
        if !upstream
            .split(|byte| *byte == b',')
            .all(|one| is_peer(one.trim_ascii()) || is_group(one.trim_ascii()))
        {
            return Err(LineError::new(at(upstream), "message processor"));
        }
        entry.kind = Kind::Request;
        entry.escape = Escape::Backslash;
        entry.time = Some(stamp.marking(Marks::End));
        Slot::ClientAndPort.write(client, entry);
        if is_group(upstream) {
            entry.upstream.group = upstream;
        }
        entry.upstream.addr = filled(upstream);
        let mut seen = Seen::default();
        for field in fields {
            seen.take(field, entry);
        }
        if entry.method.is_empty() && entry.status.is_none() {
            return Err(LineError::new(line.len(), "request line or status"));
        }
        if let Some(mut signal) = apigee_mp::fault_code(entry.error) {
            // A target's end during the body is not told from one before the header.
            signal.phase = match signal.phase {
                crate::entry::Phase::Body => crate::entry::Phase::Header,
                phase => phase,
            };
            entry.signal = Some(signal);
        } else {
            paste_nginx::finish(entry);
        }
        Ok(Line::Entry)
    }
}

/// At most this many fields are told apart; what follows is not looked at.
const MOST_FIELDS: usize = 32;

/// What stands between the tabs.
fn fields(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut fields = [&line[..0]; MOST_FIELDS];
    let (mut from, mut count) = (0, 0);
    let mut take = |end: usize| {
        if let Some(field) = fields.get_mut(count) {
            *field = &line[from..end];
            count += 1;
        }
        from = end + 1;
    };
    each(b'\t', line, &mut take);
    take(line.len());
    fields.into_iter().take(count)
}

/// `ip:port`, or `-`.
fn is_peer(text: &[u8]) -> bool {
    let Some(colon) = memchr::memrchr(b':', text) else {
        return text == b"-";
    };
    number(&text[colon + 1..]).is_some_and(|port| port <= 0xFFFF) && colon > 0 && !text.contains(&b' ')
}

/// The name of a group of message processors, of which none was asked.
fn is_group(text: &[u8]) -> bool {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(word)
}

/// Which of the fields that are told by shape have come.
#[derive(Default)]
struct Seen {
    times: u8,
    statuses: u8,
    sizes: u8,
}

impl Seen {
    fn take<'a>(&mut self, field: &'a [u8], entry: &mut Entry<'a>) {
        if self.statuses == 1 && self.sizes == 0 {
            // Right behind the status to the client: that of each message processor asked, or `-`.
            self.statuses = 2;
            if is_statuses(field) {
                Slot::UpstreamStatus.write(field, entry);
                return;
            }
        }
        let Some(&first) = field.first().filter(|_| field != b"-") else {
            return;
        };
        let is_counted = first.is_ascii_digit();
        if !is_counted && entry.method.is_empty() && memmem::find(field, b" HTTP/").is_some() {
            Slot::Request.write(field, entry);
        } else if is_counted && is_seconds(field) {
            match self.times {
                0 => entry.duration_us = decimal_scaled(field, u64::from(unit::S)),
                1 => _ = Slot::UpstreamResponse(unit::S).write(field, entry),
                _ => {}
            }
            self.times += 1;
        } else if let Some(count) = number(field).filter(|_| is_counted) {
            // Nothing but a status comes first, and the request line comes last of the numbers.
            if is_status(field) && self.statuses == 0 && self.sizes == 0 {
                Slot::Status.write(field, entry);
                self.statuses = 1;
            } else if entry.method.is_empty() {
                self.sizes += 1;
                // Received from the client, sent to it.
                if self.sizes == 2 {
                    entry.bytes_sent = Some(count);
                }
            }
        } else {
            told_by_shape(field, entry);
        }
    }
}

fn told_by_shape<'a>(field: &'a [u8], entry: &mut Entry<'a>) {
    const FAULTS: [&[u8]; 5] = [b"messaging.", b"protocol.", b"steps.", b"policies.", b"security."];
    let is_fault =
        matches!(field[0], b'm' | b'p' | b's') && FAULTS.iter().any(|start| field.starts_with(start));
    if is_fault {
        entry.error = field;
    } else if is_message_id(field) {
        entry.ids.push(field);
    } else if id::push_if_id(&mut entry.ids, field) {
    } else if entry.host.is_empty() && !entry.method.is_empty() && looks_like_host(field) {
        entry.host = field;
    }
}

/// `0.013`, or a list of such with commas.
fn is_seconds(field: &[u8]) -> bool {
    let (mut is_number, mut points) = (true, 0u32);
    for byte in field {
        points += u32::from(*byte == b'.');
        is_number &= byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b' ');
    }
    let is_list = || {
        field
            .split(|byte| *byte == b',')
            .all(|one| decimal_scaled(one.trim_ascii(), 1).is_some())
    };
    is_number && points > 0 && (points == 1 || is_list())
}

/// `502`.
fn is_status(field: &[u8]) -> bool {
    field.len() == 3 && number(field).is_some_and(|status| (100..600).contains(&status))
}

/// `502`, `502, 200`, `-, 200`.
fn is_statuses(field: &[u8]) -> bool {
    let is_one = |one: &[u8]| one == b"-" || is_status(one);
    field != b"-"
        && field
            .split(|byte| *byte == b',')
            .all(|one| is_one(one.trim_ascii()))
}

/// `rrt-04984fed9e5ad3551-c-wo-32168-77563-5`, `host-1-30312-13747-1`.
fn is_message_id(field: &[u8]) -> bool {
    if !field.last().is_some_and(u8::is_ascii_digit) {
        return false;
    }
    let mut rest = field;
    for _ in 0..2 {
        let Some(dash) = memchr::memrchr(b'-', rest).filter(|dash| number(&rest[dash + 1..]).is_some())
        else {
            return false;
        };
        rest = &rest[..dash];
    }
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    memchr::memchr(b'-', rest).is_some() && rest.iter().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Fault, Phase, Signal};

    const LINE: &str = "2026-11-20T16:23:16+00:00\trouter-1\t192.0.2.3:38132\t10.2.2.5:8998\t10.034\t10.030\t-\t502\t502\t229\t310\tGET /orders?id=7 HTTP/1.1\tcurl/7.47.0\tapi.example.com\trrt-03b69eb1091c4a886-c-sy-7180-75981-1\t-\ttarget\tmessaging.adaptors.http.flow.UnexpectedEOFAtTarget";

    #[test]
    fn fields_are_told_by_place_and_shape() {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(LINE.as_bytes(), &mut entry),
            Ok(Line::Entry)
        );
        assert_eq!(
            (entry.status, entry.duration_us, entry.response_us),
            (Some(502), Some(10_034_000), Some(10_030_000))
        );
        assert_eq!(
            (entry.method, entry.path),
            (b"GET".as_slice(), b"/orders?id=7".as_slice())
        );
        assert_eq!(
            (entry.client, entry.client_port),
            (b"192.0.2.3".as_slice(), Some(38_132))
        );
        let attempt = entry.upstream.last().unwrap();
        assert_eq!(
            (attempt.addr, attempt.status),
            (b"10.2.2.5:8998".as_slice(), Some(502))
        );
        assert_eq!(
            entry.ids.as_slice(),
            [b"rrt-03b69eb1091c4a886-c-sy-7180-75981-1".as_slice()]
        );
        assert_eq!(
            (entry.host, entry.bytes_sent),
            (b"api.example.com".as_slice(), Some(310))
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
        assert_eq!(
            entry.time.map(|time| (time.us, time.marks)),
            Some((1_795_191_796_000_000, Marks::End))
        );
    }

    #[test]
    fn tables_of_others_are_refused() {
        for line in [
            "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td1.cloudfront.net\t/x\t200",
            "2026-11-20T16:23:16+00:00\ta\tb\tc\td",
            "1331901000.000000\tCHEt7z3AzG4gyCNgci\t192.168.202.79\t50465",
        ] {
            assert!(
                Parser::default()
                    .parse(line.as_bytes(), &mut Entry::default())
                    .is_err(),
                "{line}"
            );
        }
    }
}
