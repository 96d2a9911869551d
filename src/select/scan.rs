//! From a block's bytes to entries, line by line, whatever stands around the lines.

use why502_parsers::entry::{Kind, Stamp, Zone as StampZone};
use why502_parsers::wrap::Wrapper;
use why502_parsers::{Entry, Line, LineError, LineParser, bytes};

use crate::plan::{CivilClock, Zone, window};

/// Where a line stands within the part of the input that is being scanned.
#[derive(Debug, Clone, Copy)]
pub struct LineRef {
    /// Byte offset in the input.
    pub offset: u64,
    /// Length without line end.
    pub len: u32,
    /// Number of the line, counted from 0 at the start of the scanner's part.
    pub index: u64,
}

/// What a line was, with its entry where it is one.
pub enum Scanned<'e, 'a> {
    /// A record.
    Entry(&'e Entry<'a>),
    /// Belongs to the record above.
    Continuation,
    /// Nothing that happened.
    Directive,
    /// Could not be read.
    Unparsed(LineError),
}

/// Longest record of several lines that is read whole, in bytes; what goes on beyond is read line by line.
const RECORD_MOST: usize = 64 << 10;

/// Parses the lines of consecutive chunks of one input.
pub struct Scanner {
    parser: Box<dyn LineParser>,
    wrapper: Option<&'static dyn Wrapper>,
    civil: Option<CivilClock>,
    reference_us: i64,
    index: u64,
    /// Records may go on over several lines, which stand together in the file.
    joins: bool,
}

impl Scanner {
    /// A scanner that reads lines with `parser` after `wrapper` has been taken off. Stamps that do not say their
    /// zone are of `zone`, if that is given; those that do not say their year are of the one that brings them to
    /// about `reference_us`.
    pub fn new(
        parser: Box<dyn LineParser>,
        wrapper: Option<&'static dyn Wrapper>,
        zone: Option<Zone>,
        reference_us: i64,
    ) -> Self {
        Self {
            joins: wrapper.is_none() && parser.begins(b"").is_some(),
            parser,
            wrapper,
            civil: zone.map(CivilClock::new),
            reference_us,
            index: 0,
        }
    }

    /// Lines seen so far.
    pub fn lines(&self) -> u64 {
        self.index
    }

    /// Hands every line of `chunk`, which starts at byte `offset` of the input and consists of whole lines, to `sink`.
    pub fn scan<'a>(&mut self, chunk: &'a [u8], offset: u64, mut sink: impl FnMut(Scanned<'_, 'a>, LineRef)) {
        let mut entry = Entry::default();
        let mut rest = chunk;
        let mut at = offset;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest);
            let taken = end.map_or(rest.len(), |end| end + 1);
            let line = bytes::trim_cr(&rest[..end.unwrap_or(rest.len())]);
            rest = &rest[taken..];
            let place = LineRef {
                offset: at,
                len: u32::try_from(line.len()).unwrap_or(u32::MAX),
                index: self.index,
            };
            at += taken as u64;
            self.index += 1;
            entry.clear();
            let further = self.further(line, rest);
            if further.is_empty() {
                sink(self.line(line, &mut entry), place);
                continue;
            }
            let from = chunk.len() - rest.len() - taken;
            let record = &chunk[from..from + taken + further.len()];
            let scanned = self.line(record, &mut entry);
            let is_entry = matches!(scanned, Scanned::Entry(_));
            sink(scanned, place);
            if is_entry {
                self.pass_over(further, at, &mut sink);
                at += further.len() as u64;
                rest = &rest[further.len()..];
            }
        }
    }

    /// The lines at the start of `rest` that belong to the record that `line` begins.
    fn further<'a>(&self, line: &[u8], rest: &'a [u8]) -> &'a [u8] {
        if !self.joins || self.parser.begins(line) != Some(true) {
            return &rest[..0];
        }
        let mut len = 0;
        while let Some(end) = memchr::memchr(b'\n', &rest[len..]) {
            let next = bytes::trim_cr(&rest[len..len + end]);
            if self.parser.begins(next) != Some(false) || len + end + 1 > RECORD_MOST {
                break;
            }
            len += end + 1;
        }
        &rest[..len]
    }

    /// Hands the lines of a record below its first one to `sink` as what they are.
    fn pass_over<'a>(
        &mut self,
        lines: &'a [u8],
        offset: u64,
        sink: &mut impl FnMut(Scanned<'_, 'a>, LineRef),
    ) {
        let mut at = offset;
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let place = LineRef {
                offset: at,
                len: u32::try_from(line.len() - 1).unwrap_or(u32::MAX),
                index: self.index,
            };
            at += line.len() as u64;
            self.index += 1;
            let is_blank = line.trim_ascii().is_empty();
            sink(
                if is_blank {
                    Scanned::Directive
                } else {
                    Scanned::Continuation
                },
                place,
            );
        }
    }

    fn line<'e, 'a>(&mut self, line: &'a [u8], entry: &'e mut Entry<'a>) -> Scanned<'e, 'a> {
        if line
            .iter()
            .all(|&byte| byte == b' ' || byte == b'\t' || byte == 0)
        {
            return Scanned::Directive; // Blank, or NUL padding of a pre-allocated file.
        }
        let (outer, inner) = match self.wrapper.and_then(|wrapper| wrapper.unwrap(line)) {
            Some((outer, inner)) => (Some(outer), inner),
            None => (None, line),
        };
        match self.parser.parse(inner, entry) {
            Ok(Line::Entry) => {}
            Ok(Line::Continuation) => return Scanned::Continuation,
            Ok(Line::Directive) => return Scanned::Directive,
            Err(error) => return Scanned::Unparsed(error),
        }
        if let Some(outer) = outer {
            entry.time = entry.time.or(outer.time);
            entry.pid = entry.pid.or(outer.pid);
        }
        if let Some(stamp) = &mut entry.time
            && stamp.zone == StampZone::LocalNoYear
        {
            stamp.us = window::with_year(stamp.us, self.reference_us);
            stamp.zone = StampZone::Local;
        }
        if let (Some(civil), Some(stamp)) = (&mut self.civil, &mut entry.time)
            && stamp.zone != StampZone::Known
        {
            stamp.us = civil.instant(stamp.us);
            stamp.zone = StampZone::Known;
        }
        Scanned::Entry(entry)
    }
}

/// Start and end of what `entry` records, in the clock of its log: microseconds as in [`Stamp::us`].
/// An unknown side is `None`. A request without a known duration has only the side that its stamp marks.
pub fn interval(entry: &Entry<'_>) -> Option<(Option<i64>, Option<i64>, Stamp)> {
    use why502_parsers::entry::Marks;
    let stamp = entry.time?;
    let length = entry.duration_us.and_then(|us| i64::try_from(us).ok());
    let (start, end) = match (stamp.marks, entry.kind) {
        (Marks::Start, _) => (Some(stamp.us), length.map(|us| stamp.us + us)),
        (Marks::End, Kind::Request) => (length.map(|us| stamp.us - us), Some(stamp.us)),
        (Marks::End | Marks::Event, _) => {
            let spent = length.or(entry.response_us.and_then(|us| i64::try_from(us).ok()));
            (spent.map(|us| stamp.us - us), Some(stamp.us))
        }
    };
    Some((start, end, stamp))
}

#[cfg(test)]
mod tests {
    use why502_parsers::{Head, registry};

    use super::*;

    #[test]
    fn a_record_is_read_whole_and_its_lines_are_counted() {
        let chunk = b"2026-11-20 16:23:16.139 ERROR 1 --- [nio-1] c.e.Orders : no\n\njava.net.ConnectException: Connection refused\n\tat a.B.c(B.java:1)\n2026-11-20 16:23:17.139  INFO 1 --- [nio-1] c.e.Orders : yes\n";
        let head = Head {
            bytes: chunk,
            hints: &[],
            date_hint: None,
        };
        let prepared = registry::by_name("java-text").map(|format| format.prepare(&head));
        let parser = prepared.as_ref().map(|prepared| prepared.open(b""));
        let mut scanner = Scanner::new(parser.unwrap(), None, None, 0);
        let mut seen = Vec::new();
        scanner.scan(chunk, 0, |scanned, place| {
            let what = match scanned {
                Scanned::Entry(entry) if entry.signal.is_some() => "failure",
                Scanned::Entry(_) => "entry",
                Scanned::Continuation => "continuation",
                Scanned::Directive => "blank",
                Scanned::Unparsed(_) => "unparsed",
            };
            seen.push((what, place.offset, place.index));
        });
        let text = std::str::from_utf8(chunk).unwrap();
        let mut offset = 0;
        let places: Vec<_> = text
            .split_inclusive('\n')
            .enumerate()
            .map(|(index, line)| {
                let at = offset;
                offset += line.len() as u64;
                (at, index as u64)
            })
            .collect();
        assert_eq!(seen.iter().map(|s| (s.1, s.2)).collect::<Vec<_>>(), places);
        let what: Vec<_> = seen.iter().map(|s| s.0).collect();
        assert_eq!(
            what,
            ["failure", "blank", "continuation", "continuation", "entry"]
        );
    }
}
