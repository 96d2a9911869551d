//! A JSON object around a line, as collectors and log services write it: Fluent Bit, Filebeat, Vector, CloudWatch,
//! Cloud Logging, Loki, Splunk.
//!
//! The line stands under one of `LINES`. An object in its place is itself the record (structured logs), unless another
//! of them is a string: Filebeat's `log` tells the file and the offset of the line that `message` is. Elements of an
//! array that are one to a line have a comma behind them, which is passed over.
//!
//! Source: Elastic Common Schema, "Log fields": `log.file.path`, `log.offset`.

use super::members::{Members, quoted, scalar};
use super::{json_text, without_json_end};
use crate::entry::{Marks, Stamp};
use crate::time::{self, DayCache};
use crate::wrap::{Coding, Inside, Wrapper};

/// Keys of the line, best first.
const LINES: [&[u8]; 9] = [
    b"log",
    b"message",
    b"MESSAGE",
    b"textPayload",
    b"jsonPayload",
    b"line",
    b"_raw",
    b"event",
    b"short_message",
];

/// Objects that are looked into for [`LINES`]: search results of Elasticsearch and Splunk.
const AROUND: [&[u8]; 2] = [b"_source", b"result"];

/// Any of them.
#[derive(Debug)]
pub struct Envelope;

/// How good a candidate for the line is, less being better: whether it is an object, and the place of its key in
/// [`LINES`].
type Standing = (bool, usize);

/// What was found so far.
#[derive(Default)]
struct Found<'a> {
    inside: Inside<'a>,
    /// The line as written, and what it is compared with others by: less is better.
    line: Option<(Standing, &'a [u8])>,
    stamp: Option<&'a [u8]>,
}

impl Wrapper for Envelope {
    fn name(&self) -> &'static str {
        "json envelope"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let mut found = Found::default();
        found.object(line.strip_prefix(b"[").unwrap_or(line), true)?;
        let (_, raw) = found.line?;
        let mut inside = found.inside;
        inside.outer.time = found.stamp.and_then(stamp);
        (inside.text, inside.coding) = match quoted(raw) {
            Some(raw) => json_text(without_json_end(raw).0),
            None => message_of(raw).unwrap_or((raw, Coding::Plain)),
        };
        Some(inside)
    }

    fn cuts(&self) -> bool {
        true // Fluent Bit passes the tag of a cut line on as `logtag`.
    }

    fn is_unsure(&self) -> bool {
        true
    }
}

impl<'a> Found<'a> {
    /// Takes in the members of `text`, those of objects in it that are looked into included.
    fn object(&mut self, text: &'a [u8], is_outermost: bool) -> Option<()> {
        let mut members = Members::of(text)?;
        for (key, raw) in &mut members {
            self.member(key, raw, is_outermost);
        }
        members.is_whole().then_some(())
    }

    fn member(&mut self, key: &'a [u8], raw: &'a [u8], is_outermost: bool) {
        if let Some(rank) = LINES.iter().position(|known| *known == key) {
            let is_object = match raw.first() {
                Some(b'"') => false,
                Some(b'{') => true,
                _ => return,
            };
            let standing = (is_object, rank);
            if self.line.is_none_or(|(known, _)| standing < known) {
                self.line = Some((standing, raw));
            }
            return;
        }
        match key {
            b"@timestamp" | b"timestamp" | b"time" | b"date" | b"ts" => {
                self.stamp = self.stamp.or(Some(scalar(raw)));
            }
            b"hostname" | b"host" => self.inside.outer.host = quoted(raw).unwrap_or_default(),
            b"container_name" => self.inside.outer.program = quoted(raw).unwrap_or_default(),
            b"stream" => self.inside.stream = u8::from(raw == b"\"stderr\""),
            b"logtag" => self.inside.goes_on = raw.starts_with(b"\"P"),
            key if is_outermost && AROUND.contains(&key) => {
                let _ = self.object(raw, false); // Cannot be broken where the whole is not.
            }
            _ => {}
        }
    }
}

/// The `message` of a structured payload that has nothing else to say of a request: no key but that one
/// and such as loggers add.
fn message_of(payload: &[u8]) -> Option<(&[u8], Coding)> {
    let mut message = None;
    for (key, raw) in Members::of(payload)? {
        match key {
            b"message" | b"log" | b"MESSAGE" => message = Some(quoted(raw)?),
            b"@timestamp" | b"timestamp" | b"time" | b"stream" | b"level" | b"severity" | b"logger"
            | b"thread" | b"@type" | b"logName" | b"pid" | b"hostname" => {}
            _ => return None,
        }
    }
    Some(json_text(without_json_end(message?).0))
}

fn stamp(text: &[u8]) -> Option<Stamp> {
    let stamp = time::iso(text, &mut DayCache::default()).or_else(|| time::any(text))?;
    Some(stamp.marking(Marks::Event))
}
