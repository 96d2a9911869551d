//! Tomcat's access log: the `AccessLogValve` with its default pattern (`common`), `combined`, and what is appended to them.
//!
//! `10.0.0.1 - admin [02/Mar/2023:18:58:17 +0530] "POST /a HTTP/1.1" 200 20486 [10.0.0.2] [+] [400] ["referer" "agent"] [X-Forwarded-For="…"]`
//! The time is when the line was written, at the end of the request, unless the pattern says `%{begin:…}t`.
//! Fields behind the byte count are told by their shape: an address is the server's own (`%A`), `+` and `X` the state of
//! the connection (`%X`), a number with decimals seconds (`%T` before Tomcat 10), `http-nio-8080-exec-1` a thread (`%I`,
//! which only Tomcat writes).
//! A whole number is `%D`: milliseconds up to Tomcat 9, microseconds from 10 on, and the line does not say which. Over the
//! head of the file it is told by the values: Tomcat needs more than 60 µs for any request (observed on 10.1: never below
//! 250), so smaller numbers count milliseconds; where there are none and the median is above 2000, they are microseconds.
//! Otherwise the unit stays unknown and the number is not read. Of two whole numbers the smaller is `%T`, whole seconds
//! from Tomcat 10 on. A pasted pattern (`tomcat:`, `tomcat9:`) settles it.
//! Source: Tomcat 9.0 documentation, "Access Log Valve" ("in millis … aligned to httpd in Tomcat 10 onwards"), Tomcat 10.1
//! documentation, `AbstractAccessLogValve`.

use std::sync::Arc;

use crate::bytes::number;
use crate::engine::id::{self, Header};
use crate::engine::slot::{self, Slot, unit};
use crate::engine::template::end_of;
use crate::entry::{Entry, Escape, Marks};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::clf::{self, word};
use crate::time::{self, DayCache};

/// The format `tomcat`.
#[derive(Debug)]
pub struct Tomcat;

impl Format for Tomcat {
    fn name(&self) -> &str {
        "tomcat"
    }

    fn product(&self) -> Product {
        Product::Tomcat
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = Parser::new(None);
        let names_thread = head.lines().take(Head::LINES).any(|line| {
            let mut entry = Entry::default();
            parser.parse(line, &mut entry).is_ok() && parser.named_thread
        });
        if names_thread {
            return Sniff::by_parsing(
                head,
                &mut parser,
                Score::Own,
                "access lines with Tomcat's threads",
            );
        }
        if clf::hinted(head) != Some(Product::Tomcat) {
            return Sniff::no();
        }
        let reason = "common log format beside other files of tomcat";
        Sniff::by_parsing(head, &mut parser, Score::Shape, reason)
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedTomcat {
            unit_us: judge_unit(head),
        })
    }
}

struct PreparedTomcat {
    unit_us: Option<u32>,
}

impl Prepared for PreparedTomcat {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::new(self.unit_us))
    }
}

/// No request is served by Tomcat in fewer microseconds.
const LEAST_US: u64 = 60;

/// A median this large is no number of milliseconds.
const MEDIAN_US: u64 = 2_000;

/// The unit of `%D` in this file, as far as the values tell.
fn judge_unit(head: &Head<'_>) -> Option<u32> {
    let mut parser = Parser::new(None);
    let mut counts: Vec<u64> = head
        .lines()
        .take(Head::LINES)
        .filter_map(|line| {
            parser.count = None;
            parser.parse(line, &mut Entry::default()).ok()?;
            parser.count
        })
        .collect();
    counts.sort_unstable();
    let (&least, &median) = (counts.first()?, counts.get(counts.len() / 2)?);
    match (least, median) {
        (least, _) if least < LEAST_US => Some(unit::MS),
        (_, median) if median > MEDIAN_US => Some(unit::US),
        _ => None,
    }
}

struct Parser {
    day: DayCache,
    /// Unit of a whole number behind the byte count.
    unit_us: Option<u32>,
    /// That number in the line read last.
    count: Option<u64>,
    /// Whether the line read last names a thread of Tomcat's.
    named_thread: bool,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        (self.count, self.named_thread) = (None, false);
        let open = memchr::memchr(b'[', line).ok_or(LineError::new(0, "time"))?;
        let (stamp, used) =
            time::clf_prefix(&line[open + 1..], &mut self.day).ok_or(LineError::new(open, "time"))?;
        let at = open + 1 + used;
        let rest = line[at..]
            .strip_prefix(b"] \"")
            .ok_or(LineError::new(at, "request line"))?;
        entry.escape = Escape::Backslash;
        entry.time = Some(stamp.marking(Marks::End));
        clf::addresses(&line[..open], entry);
        let len = clf::request_end(rest).ok_or(LineError::new(at + 3, "request line"))?;
        slot::request(&rest[..len], entry);
        let (status, after) = word(&rest[len + 2..]);
        if !Slot::Status.write(status, entry) {
            return Err(LineError::new(at + len + 5, "status"));
        }
        let (bytes, after) = word(after);
        if !Slot::BytesSent.write(bytes, entry) {
            return Err(LineError::new(line.len() - after.len(), "byte count"));
        }
        self.tail(after, entry);
        Ok(Line::Entry)
    }
}

impl Parser {
    fn new(unit_us: Option<u32>) -> Self {
        Self {
            day: DayCache::default(),
            unit_us,
            count: None,
            named_thread: false,
        }
    }

    fn tail<'a>(&mut self, mut rest: &'a [u8], entry: &mut Entry<'a>) {
        let mut quoted = 0;
        while !rest.is_empty() {
            if rest[0] == b'"' {
                // A line may be cut inside its last value.
                let len = end_of(&rest[1..], b"\"").unwrap_or(rest.len() - 1);
                let value = &rest[1..1 + len];
                quoted += 1;
                if quoted > 2 {
                    self.value(value, entry);
                }
                rest = rest.get(len + 2..).unwrap_or_default().trim_ascii_start();
                continue;
            }
            let len = memchr::memchr2(b' ', b'"', rest).unwrap_or(rest.len());
            let (text, after) = rest.split_at(len);
            rest = after;
            if let [name @ .., b'='] = text
                && after.first() == Some(&b'"')
            {
                let len = end_of(&after[1..], b"\"").unwrap_or(after.len() - 1);
                named(name, &after[1..1 + len], entry);
                rest = after.get(len + 2..).unwrap_or_default();
            } else {
                self.value(text, entry);
            }
            rest = rest.trim_ascii_start();
        }
    }

    /// A field told by its shape.
    fn value<'a>(&mut self, text: &'a [u8], entry: &mut Entry<'a>) {
        if matches!(text, b"+" | b"X") {
            entry.termination = text;
        } else if let Some(count) = number(text) {
            if self.count.is_none_or(|other| other < count) {
                self.count = Some(count);
                entry.duration_us = self.unit_us.and_then(|unit| count.checked_mul(u64::from(unit)));
            }
        } else if text.first().is_some_and(u8::is_ascii_digit)
            && crate::bytes::decimal_scaled(text, 1).is_some()
        {
            Slot::OtherDuration(unit::S).write(text, entry);
        } else if clf::is_address_list(text) {
            if memchr::memchr(b',', text).is_some() || !entry.server.is_empty() {
                entry.forwarded_for = text;
            } else {
                entry.server = text;
            }
        } else if is_thread(text) {
            self.named_thread = true;
            entry.thread = super::jvm::thread(text);
        } else {
            id::push_if_id(&mut entry.ids, text);
        }
    }
}

/// `X-Forwarded-For="10.0.0.1, 10.0.0.2"`.
fn named<'a>(name: &[u8], value: &'a [u8], entry: &mut Entry<'a>) {
    match id::header(name) {
        Header::Id(kind) => id::push(&mut entry.ids, kind, value),
        Header::Host => entry.host = value,
        Header::ForwardedFor => entry.forwarded_for = value,
        Header::Other => {}
    }
}

/// `http-nio-8080-exec-1`, `https-jsse-nio-8443-exec-2`, `ajp-nio-127.0.0.1-8009-exec-3`.
fn is_thread(text: &[u8]) -> bool {
    let starts: [&[u8]; 3] = [b"http-", b"https-", b"ajp-"];
    starts.iter().any(|start| text.starts_with(start)) && crate::bytes::find(text, b"-exec-").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &[u8]) -> Head<'_> {
        Head {
            bytes,
            hints: &[],
            date_hint: None,
        }
    }

    fn read<'a>(sample: &str, line: &'a str) -> Entry<'a> {
        let mut entry = Entry::default();
        let mut parser = Tomcat.prepare(&head(sample.as_bytes())).open(b"");
        assert_eq!(
            parser.parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    fn with(count: &str) -> String {
        format!("10.0.0.1 - - [20/Nov/2026:16:23:16 +0000] \"GET /a HTTP/1.1\" 200 12 {count}\n")
    }

    #[test]
    fn the_unit_of_a_whole_number_is_told_by_all_of_them() {
        let line = with("2400");
        let of = |counts: &[&str]| {
            let sample: String = counts.iter().map(|count| with(count)).collect();
            read(&sample, line.trim_end()).duration_us
        };
        assert_eq!(of(&["3", "180", "2400"]), Some(2_400_000));
        assert_eq!(of(&["850", "12000", "30122"]), Some(2_400));
        assert_eq!(of(&["100", "400", "900"]), None);
    }

    #[test]
    fn fields_behind_the_bytes_are_told_by_shape() {
        let line = r#"10.0.0.1 - admin [02/Mar/2023:18:58:17 +0530] "POST /a HTTP/1.1" 200 20486 10.0.0.9 + 40 "http://x/" "Mozilla/5.0 (X11; 1.2)" X-Forwarded-For="127.0.0.1, 127.0.0.3""#;
        let entry = read(line, line);
        assert_eq!(
            (entry.server, entry.termination),
            (b"10.0.0.9".as_slice(), b"+".as_slice())
        );
        assert_eq!(
            (entry.duration_us, entry.bytes_sent),
            (Some(40_000), Some(20_486))
        );
        assert_eq!(entry.forwarded_for, b"127.0.0.1, 127.0.0.3");
        assert_eq!((entry.client, entry.status), (b"10.0.0.1".as_slice(), Some(200)));
        assert_eq!(entry.time.map(|time| time.marks), Some(Marks::End));
    }

    #[test]
    fn a_thread_is_a_mark_and_decimals_are_seconds() {
        let line = r#"10.0.0.1 - - [20/Nov/2026:16:23:16 +0000] "GET /a HTTP/1.1" 502 12 0.013 http-nio-8080-exec-7 4ad36c1d2060844c74439ca62bfb3e0e"#;
        assert_eq!(Tomcat.sniff(&head(line.as_bytes())).score, Score::Own);
        let entry = read(line, line);
        assert_eq!(entry.duration_us, Some(13_000));
        assert_eq!(
            entry.ids.as_slice(),
            [b"4ad36c1d2060844c74439ca62bfb3e0e".as_slice()]
        );
        assert_eq!(Tomcat.sniff(&head(with("1").as_bytes())).score, Score::No);
    }
}
