//! systemd's journal as `journalctl` prints it: `-o json`, and the `short` forms that are no syslog headers.
//!
//! `-o short` and `short-precise` look like RFC 3164 and `short-iso` like its ISO form: see [`super::syslog`].
//! `-o export` has no lines of its own; it is made into `short-iso-precise` before lines are cut.

use super::json_text;
use super::members::{Members, quoted, scalar};
use super::syslog::host_and_tag;
use crate::bytes::number;
use crate::entry::{Marks, Stamp};
use crate::time::{self, DayCache};
use crate::wrap::{Coding, Inside, Wrapper};

/// `-o json`: one object per line. A `MESSAGE` that is no UTF-8 is an array of byte values; of a field that
/// occurs several times the value is an array, of which the first element counts.
#[derive(Debug)]
pub struct Json;

/// `-o short-full` (`Fri 2026-11-20 16:26:16 UTC host tag[pid]: …`) and `-o short-unix` (`1795168805.123456 host …`).
#[derive(Debug)]
pub struct Short;

impl Wrapper for Json {
    fn name(&self) -> &'static str {
        "journald json"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let mut inside = Inside::default();
        let (mut message, mut written, mut source, mut comm) = (None, None, None, None);
        let mut members = Members::of(line)?;
        for (key, raw) in &mut members {
            let value = scalar(first(raw));
            match key {
                b"MESSAGE" => message = Some(raw),
                b"__REALTIME_TIMESTAMP" => written = micros(value),
                b"_SOURCE_REALTIME_TIMESTAMP" => source = micros(value),
                b"_HOSTNAME" => inside.outer.host = value,
                b"SYSLOG_IDENTIFIER" => inside.outer.program = value,
                b"_COMM" => comm = Some(value),
                b"_PID" => inside.outer.pid = number(value).and_then(|pid| u32::try_from(pid).ok()),
                _ => {}
            }
        }
        if !members.is_whole() {
            return None;
        }
        inside.outer.time = Some(source.or(written)?);
        if inside.outer.program.is_empty() {
            inside.outer.program = comm.unwrap_or_default();
        }
        (inside.text, inside.coding) = text(message?)?;
        Some(inside)
    }

    fn names_programs(&self) -> bool {
        true
    }
}

impl Wrapper for Short {
    fn name(&self) -> &'static str {
        "journald text"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let (stamp, rest) = unix_stamp(line).or_else(|| full_stamp(line))?;
        let (mut outer, text) = host_and_tag(rest, true)?;
        outer.time = Some(stamp.marking(Marks::Event));
        Some(Inside {
            outer,
            text,
            ..Inside::default()
        })
    }

    fn names_programs(&self) -> bool {
        true
    }
}

/// `1795168805.123456 `.
fn unix_stamp(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let end = memchr::memchr(b' ', line).filter(|&end| end == 17)?;
    Some((time::epoch_seconds(&line[..end])?, &line[end + 1..]))
}

/// `Fri 2026-11-20 16:26:16 UTC `, the fraction of a second possible. Names of other zones than UTC are of no use.
fn full_stamp(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let weekday: &[u8; 4] = line.first_chunk()?;
    if !weekday[..3].iter().all(u8::is_ascii_alphabetic) || weekday[3] != b' ' {
        return None;
    }
    let rest = &line[4..];
    let (stamp, used) = time::iso_prefix(rest, &mut DayCache::default())?;
    let rest = rest[used..].strip_prefix(b" ")?;
    if stamp.zone == crate::entry::Zone::Known {
        return Some((stamp, rest));
    }
    let zone = memchr::memchr(b' ', rest).filter(|len| (2..=5).contains(len))?;
    rest[..zone]
        .iter()
        .all(u8::is_ascii_uppercase)
        .then(|| (stamp, &rest[zone + 1..]))
}

/// The first element of an array of strings, anything else as it is.
fn first(raw: &[u8]) -> &[u8] {
    let Some(inner) = raw.strip_prefix(b"[") else {
        return raw;
    };
    let inner = inner.trim_ascii_start();
    let quote = inner
        .strip_prefix(b"\"")
        .and_then(|rest| memchr::memchr(b'"', rest));
    quote.map_or(raw, |end| &inner[..end + 2])
}

/// The message and how it is written; `None` if it was too large for the export.
fn text(raw: &[u8]) -> Option<(&[u8], Coding)> {
    if let Some(raw) = quoted(first(raw)) {
        return Some(json_text(raw));
    }
    let numbers = raw.strip_prefix(b"[")?.strip_suffix(b"]")?;
    Some((numbers, Coding::Bytes))
}

fn micros(text: &[u8]) -> Option<Stamp> {
    let us = i64::try_from(number(text)?).ok()?;
    Some(Stamp {
        us,
        resolution_us: 1,
        zone: crate::entry::Zone::Known,
        marks: Marks::Event,
    })
}
