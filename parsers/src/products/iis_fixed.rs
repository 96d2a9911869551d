//! IIS in its own fixed format (`in*.log`): values parted by a comma and a blank, a comma at the end.
//!
//! `192.168.114.201, -, 03/20/01, 7:55:20, W3SVC2, SERVER, 172.21.13.45, 4502, 163, 3223, 200, 0, GET, /DeptLogo.gif, -,`
//! client, user, date, time, service, machine, server address, milliseconds, bytes received, bytes sent, status, Windows
//! status, method, target, parameters. Local time, one second, as in the W3C format of the moment the response ended; the
//! date is written as the machine's locale has it: month first unless a first number above 12 shows that the day is. `-` is
//! missing. A user name may hold blanks, not commas.
//! Source: Microsoft, "IIS Log File Formats"; the order of day and month is not documented, hence told from the file.

use std::sync::Arc;

use super::iis;
use crate::bytes::{self, filled, number};
use crate::entry::{Entry, Kind, Marks, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time;

/// The format `iis-fixed`.
#[derive(Debug, Clone, Copy)]
pub struct IisFixed;

impl Format for IisFixed {
    fn name(&self) -> &str {
        "iis-fixed"
    }

    fn product(&self) -> Product {
        Product::Iis
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = Parser::new(day_first(head));
        Sniff::by_parsing(head, &mut parser, Score::Own, "columns of IIS's fixed format")
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedFixed {
            day_first: day_first(head),
        })
    }
}

struct PreparedFixed {
    day_first: bool,
}

impl Prepared for PreparedFixed {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::new(self.day_first))
    }
}

struct Parser {
    day_first: bool,
    /// The date read last, filled up with blanks, and its midnight.
    date: [u8; 10],
    midnight_us: i64,
}

impl Parser {
    fn new(day_first: bool) -> Self {
        Self {
            day_first,
            date: [0; 10],
            midnight_us: 0,
        }
    }

    fn stamp(&mut self, date: &[u8], clock: &[u8]) -> Option<Stamp> {
        let mut padded = [b' '; 10];
        if date.len() > padded.len() {
            return None;
        }
        for (to, from) in padded.iter_mut().zip(date) {
            *to = *from;
        }
        if self.date != padded {
            self.midnight_us = midnight_us(date, self.day_first)?;
            self.date = padded;
        }
        at_clock(self.midnight_us, clock)
    }
}

/// Columns of a row; the parameters may hold further commas.
const COLUMNS: usize = 15;

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if iis::is_directive(line) {
            return Ok(Line::Directive);
        }
        let columns = columns(line)?;
        let stamp = self
            .stamp(columns[2], columns[3])
            .ok_or(LineError::new(0, "date and time"))?;
        let count = |at: usize, want| {
            let value = number(columns[at]);
            (value.is_some() || columns[at] == b"-")
                .then_some(value)
                .ok_or(LineError::new(0, want))
        };
        entry.kind = Kind::Request;
        entry.time = Some(stamp);
        entry.client = filled(columns[0]);
        entry.server = filled(columns[6]);
        entry.duration_us = count(7, "milliseconds")?.and_then(|ms| ms.checked_mul(1_000));
        entry.bytes_sent = count(9, "byte count")?;
        entry.status = count(10, "status")?.and_then(|status| u16::try_from(status).ok());
        entry.win32_status = count(11, "Windows status")?.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX));
        entry.method = filled(columns[12]);
        entry.path = filled(columns[13]);
        entry.query = filled(columns[14]);
        entry.signal = iis::signal(entry.status.unwrap_or(0), 0, entry.win32_status);
        Ok(Line::Entry)
    }
}

fn columns(line: &[u8]) -> Result<[&[u8]; COLUMNS], LineError> {
    let line = line.trim_ascii_end();
    let line = line.strip_suffix(b",").unwrap_or(line);
    let mut columns = [&line[..0]; COLUMNS];
    let mut rest = line;
    for column in &mut columns[..COLUMNS - 1] {
        let at = end_of_column(rest).ok_or(LineError::new(line.len() - rest.len(), "further column"))?;
        *column = &rest[..at];
        rest = &rest[at + 2..];
    }
    columns[COLUMNS - 1] = rest;
    Ok(columns)
}

/// Where a comma and a blank stand in `text`.
#[inline]
fn end_of_column(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes::find_near(b',', text.get(from..)?)?;
        if text.get(at + 1) == Some(&b' ') {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether the first number of the dates is the day: one above 12 says so.
fn day_first(head: &Head<'_>) -> bool {
    head.lines().take(Head::LINES).any(|line| {
        let date = columns(line).ok().and_then(|columns| parts(columns[2]));
        date.is_some_and(|(first, ..)| (13..=31).contains(&first))
    })
}

/// The three numbers of a date, whatever parts them.
fn parts(date: &[u8]) -> Option<(u32, u32, u32)> {
    let mut numbers = date
        .split(|byte| matches!(byte, b'/' | b'.' | b'-'))
        .map(|part| number(part).and_then(|n| u32::try_from(n).ok()));
    let found = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(found)
}

pub(super) fn stamp(date: &[u8], clock: &[u8], day_first: bool) -> Option<Stamp> {
    at_clock(midnight_us(date, day_first)?, clock)
}

/// The midnight at which the day `date` begins.
fn midnight_us(date: &[u8], day_first: bool) -> Option<i64> {
    let (first, second, third) = parts(date)?;
    let (year, month, day) = match (first, day_first) {
        (1900.., _) => (first, second, third),
        (_, true) => (third, second, first),
        (_, false) => (third, first, second),
    };
    // Two digits: IIS is younger than 1970.
    let year = match year {
        0..70 => year + 2000,
        70..100 => year + 1900,
        year => year,
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year > 9999 {
        return None;
    }
    time::days_from_civil(i32::try_from(year).ok()?, month, day).checked_mul(time::DAY_US)
}

/// `7:55:20` of the day that begins at `midnight_us`.
fn at_clock(midnight_us: i64, clock: &[u8]) -> Option<Stamp> {
    let padded = match *clock {
        [h, c, m, n, d, s, t] => [b'0', h, c, m, n, d, s, t],
        [g, h, c, m, n, d, s, t] => [g, h, c, m, n, d, s, t],
        _ => return None,
    };
    let (us, resolution_us, _) = time::clock_prefix(&padded)?;
    Some(Stamp {
        us: midnight_us + us,
        resolution_us,
        zone: Zone::Local,
        marks: Marks::End,
    })
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

    const LINE: &str = "192.168.1.109, NT AUTHORITY\\LOCAL SERVICE, 11/20/2026, 7:55:20, W3SVC1, WEB1, 192.168.1.110, 4502, 379, 336, 502, 64, GET, /a, id=1,2, ";

    #[test]
    fn a_row_is_read_with_its_units() {
        let mut entry = Entry::default();
        let mut parser = IisFixed.prepare(&head(LINE.as_bytes())).open(b"");
        assert_eq!(parser.parse(LINE.as_bytes(), &mut entry), Ok(Line::Entry));
        assert_eq!(
            (entry.status, entry.win32_status, entry.duration_us),
            (Some(502), 64, Some(4_502_000))
        );
        assert_eq!(
            (entry.client, entry.server),
            (b"192.168.1.109".as_slice(), b"192.168.1.110".as_slice())
        );
        assert_eq!(
            (entry.path, entry.query, entry.bytes_sent),
            (b"/a".as_slice(), b"id=1,2".as_slice(), Some(336))
        );
        assert_eq!(
            entry.time.map(|time| (time.us, time.zone)),
            Some((1_795_161_320_000_000, Zone::Local))
        );
    }

    #[test]
    fn the_days_place_is_told_by_the_file() {
        let us = |line: &str, other: &str| {
            let sample = format!("{line}\n{other}");
            let mut entry = Entry::default();
            let mut parser = IisFixed.prepare(&head(sample.as_bytes())).open(b"");
            parser.parse(line.as_bytes(), &mut entry).unwrap();
            entry.time.unwrap().us
        };
        let early = LINE.replace("11/20/2026", "11/10/2026");
        let day_first = LINE.replace("11/20/2026", "20.11.2026");
        let month_first = us(&early, LINE);
        assert_eq!(us(&early, &day_first) - month_first, -30 * time::DAY_US);
        assert_eq!(us(LINE, LINE), us(&day_first, &day_first));
    }

    #[test]
    fn other_tables_are_refused() {
        for line in ["a, b, c", "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,"] {
            assert!(
                Parser::new(false)
                    .parse(line.as_bytes(), &mut Entry::default())
                    .is_err()
            );
        }
    }
}
