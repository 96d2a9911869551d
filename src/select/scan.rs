//! From a block's bytes to entries, line by line, whatever stands around the lines.

use why502_parsers::engine::memory;
use why502_parsers::entry::{Kind, Marks, Stamp, Zone as StampZone};
use why502_parsers::wrap::{Layers, Outer, Peeler};
use why502_parsers::{Entry, Glance, Line, LineError, LineParser, bytes};

use super::locus::Probe;
use crate::model::RECORD_MOST;
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
    /// A record that ended outside the time that is looked at.
    Outside(&'e Entry<'a>),
    /// Belongs to the record above.
    Continuation,
    /// Nothing that happened.
    Directive,
    /// Could not be read.
    Unparsed(Unread<'e>),
}

/// A line that could not be read, with what tells why.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'e> {
    /// Where reading stopped.
    pub error: LineError,
    /// The program that wrote the line, if something around it says so.
    pub program: &'e [u8],
    /// Whether the line has an end.
    pub is_ended: bool,
}

/// What takes the lines of a scan.
pub trait Taker {
    /// Whether the line is to be read at all; one that is not is counted only.
    fn wants(&self, line: &[u8]) -> bool {
        let _ = line;
        true
    }

    /// Takes a request by a glance at its line, if that is enough; the answer says so. Its stamp is there, and is put
    /// right already.
    fn glanced(&mut self, glance: &Glance<'_>, line: LineRef) -> bool {
        let _ = (glance, line);
        false
    }

    /// Takes a request by a glance at its line that ended outside the time that is looked at, by its stamp alone.
    fn glanced_outside(&mut self, stamp: Stamp) {
        let _ = stamp;
    }

    /// Takes a line that was read; `raw` is the line as its format sees it.
    fn take(&mut self, scanned: Scanned<'_, '_>, line: LineRef, raw: &[u8]);
}

impl<S: FnMut(Scanned<'_, '_>, LineRef, &[u8])> Taker for S {
    fn take(&mut self, scanned: Scanned<'_, '_>, line: LineRef, raw: &[u8]) {
        self(scanned, line, raw);
    }
}

/// A taker made of a question and a sink.
struct Both<W, S>(W, S);

impl<W: Fn(&[u8]) -> bool, S: FnMut(Scanned<'_, '_>, LineRef, &[u8])> Taker for Both<W, S> {
    fn wants(&self, line: &[u8]) -> bool {
        (self.0)(line)
    }

    fn take(&mut self, scanned: Scanned<'_, '_>, line: LineRef, raw: &[u8]) {
        (self.1)(scanned, line, raw);
    }
}

/// Parses the lines of consecutive chunks of one input.
pub struct Scanner {
    pub(super) reader: Reader,
    /// Takes off what stands around lines; `None` if nothing does.
    pub(super) peeler: Option<Peeler<LineRef>>,
    pub(super) index: u64,
    /// Records may go on over several lines, which stand together in the file.
    joins: bool,
    /// What stands around lines is only ever put before them.
    prefixed: bool,
    /// Requests may be taken by a glance.
    pub(super) glances: bool,
}

/// Reads single lines and puts their stamps right.
pub(super) struct Reader {
    parser: Box<dyn LineParser>,
    civil: Option<CivilClock>,
    reference_us: i64,
    /// Earliest and latest end of the records that are looked at.
    keep: Option<(i64, i64)>,
}

impl Scanner {
    /// A scanner that reads lines with `parser` after `wrappers` have been taken off. Stamps that do not say their
    /// zone are of `zone`, if that is given; those that do not say their year are of the one that brings them to
    /// about `reference_us`.
    pub fn new(parser: Box<dyn LineParser>, wrappers: Layers, zone: Option<Zone>, reference_us: i64) -> Self {
        Self {
            joins: wrappers.is_empty() && parser.begins(b"").is_some(),
            reader: Reader {
                parser,
                civil: zone.map(CivilClock::new),
                reference_us,
                keep: None,
            },
            peeler: (!wrappers.is_empty()).then(|| Peeler::new(wrappers)),
            index: 0,
            prefixed: wrappers.are_prefixes(),
            glances: false,
        }
    }

    /// The same scanner, for records that ended within `keep` only (microseconds on the log's own clock).
    pub fn within(mut self, keep: Option<(i64, i64)>) -> Self {
        self.reader.keep = keep;
        self
    }

    /// How many bytes before a part of the file have to be scanned for the part to be read as in the whole file.
    pub fn lead_in(&self) -> usize {
        let parser = &self.reader.parser;
        let is_apart = self.peeler.is_some() && parser.begins(b"").is_some();
        // Of wrapped records the lines come one by one, and the later ones are told by the first.
        parser.lead_in().max(if is_apart { memory::LEAD_IN } else { 0 })
    }

    /// Counts lines from here on.
    pub fn restart(&mut self) {
        self.index = 0;
    }

    /// The same scanner, which offers requests by a glance where their format can do with one.
    #[must_use]
    pub fn glancing(mut self) -> Self {
        self.glance_if(true);
        self
    }

    /// Offers requests by a glance from here on, or not.
    pub(super) fn glance_if(&mut self, is_wanted: bool) {
        self.glances = is_wanted && !self.joins;
    }

    /// Lines seen so far.
    pub fn lines(&self) -> u64 {
        self.index
    }

    /// Hands every line of `chunk`, which starts at byte `offset` of the input and consists of whole lines, to `sink`,
    /// with the line as its format sees it.
    pub fn scan(&mut self, chunk: &[u8], offset: u64, mut sink: impl FnMut(Scanned<'_, '_>, LineRef, &[u8])) {
        self.scan_for(chunk, offset, &mut sink);
    }

    /// The same for the lines that `wanted` picks; the others are counted and left unread.
    pub fn scan_where(
        &mut self,
        chunk: &[u8],
        offset: u64,
        wanted: impl Fn(&[u8]) -> bool,
        sink: impl FnMut(Scanned<'_, '_>, LineRef, &[u8]),
    ) {
        self.scan_for(chunk, offset, &mut Both(wanted, sink));
    }

    /// As [`Scanner::scan_where`], where lines as they stand in the file tell whether they are wanted: of the others no
    /// more than the end is looked for.
    pub fn scan_picked(
        &mut self,
        chunk: &[u8],
        offset: u64,
        wanted: impl Fn(&[u8]) -> bool,
        sink: impl FnMut(Scanned<'_, '_>, LineRef, &[u8]),
    ) {
        self.pick_for(chunk, offset, &mut Both(wanted, sink));
    }

    /// Hands the lines to `taker` that it wants as they stand in the file.
    pub(super) fn pick_for(&mut self, chunk: &[u8], offset: u64, taker: &mut impl Taker) {
        let mut start = 0;
        while start < chunk.len() {
            let end = memchr::memchr(b'\n', &chunk[start..]).map_or(chunk.len(), |len| start + len + 1);
            let line = &chunk[start..end];
            if taker.wants(bytes::trim_cr(line.strip_suffix(b"\n").unwrap_or(line))) {
                self.scan_for(line, offset + start as u64, taker);
            } else {
                self.index += 1;
            }
            start = end;
        }
    }

    /// Whether lines as they stand in the file show `probe` all ids that it looks for, and those that are not wanted may
    /// be left out. `has_directives` says that some lines change how others are read.
    pub fn shows_ids(&self, probe: &Probe, has_directives: bool) -> bool {
        let is_bare = self.peeler.is_none() && !self.joins;
        // What is taken off only ever stands before the line.
        let is_outer = self.peeler.is_some() && self.prefixed && !has_directives;
        is_bare || is_outer && probe.is_at_end()
    }

    /// Hands every line that `taker` wants to it.
    pub fn scan_for(&mut self, chunk: &[u8], offset: u64, taker: &mut impl Taker) {
        if self.peeler.is_some() {
            return self.scan_wrapped(chunk, offset, taker);
        }
        let mut entry = Entry::default();
        let mut start = 0;
        // Lines that begin before this have been read as part of the record above them.
        let mut read_until = 0;
        for end in memchr::memchr_iter(b'\n', chunk).chain(std::iter::once(chunk.len())) {
            if start >= chunk.len() {
                break;
            }
            let (from, line) = (start, bytes::trim_cr(&chunk[start..end]));
            start = end + 1;
            let place = LineRef {
                offset: offset + from as u64,
                len: u32::try_from(line.len()).unwrap_or(u32::MAX),
                index: self.index,
            };
            self.index += 1;
            if self.glances {
                let mut glance = Glance::default();
                if self.reader.takes(line, &mut glance, None, place, taker) {
                    continue;
                }
            }
            if from < read_until {
                let is_blank = line.trim_ascii().is_empty();
                let further = if is_blank {
                    Scanned::Directive
                } else {
                    Scanned::Continuation
                };
                taker.take(further, place, line);
                continue;
            }
            let further = self.further(line, chunk.get(start..).unwrap_or_default());
            let record = if further == 0 {
                line
            } else {
                &chunk[from..start + further]
            };
            if !taker.wants(record) {
                continue;
            }
            entry.clear();
            let mut scanned = self.reader.line(record, &mut entry, None);
            if let Scanned::Unparsed(unread) = &mut scanned {
                unread.is_ended = end < chunk.len();
            }
            if further > 0 && matches!(scanned, Scanned::Entry(_) | Scanned::Outside(_)) {
                read_until = start + further;
            }
            taker.take(scanned, place, line);
        }
    }

    /// How many bytes of lines at the start of `rest` belong to the record that `line` begins.
    fn further(&self, line: &[u8], rest: &[u8]) -> usize {
        if !self.joins || self.reader.parser.begins(line) != Some(true) {
            return 0;
        }
        let mut len = 0;
        while let Some(end) = memchr::memchr(b'\n', &rest[len..]) {
            let next = bytes::trim_cr(&rest[len..len + end]);
            if self.reader.parser.begins(next) != Some(false) || len + end + 1 > RECORD_MOST {
                break;
            }
            len += end + 1;
        }
        len
    }
}

impl Reader {
    /// Reads `line`; what it does not say of itself is taken from the wrappers that stood around it.
    pub(super) fn line<'e, 'a>(
        &mut self,
        line: &'a [u8],
        entry: &'e mut Entry<'a>,
        outer: Option<&Outer<'e>>,
    ) -> Scanned<'e, 'a> {
        if line.first().is_none_or(|&byte| byte <= b' ')
            && line
                .iter()
                .all(|&byte| byte == b' ' || byte == b'\t' || byte == 0)
        {
            return Scanned::Directive; // Blank, or NUL padding of a pre-allocated file.
        }
        match self.parser.parse(line, entry) {
            Ok(Line::Entry) => {}
            Ok(Line::Continuation) => return Scanned::Continuation,
            Ok(Line::Directive) => return Scanned::Directive,
            Err(error) => {
                return Scanned::Unparsed(Unread {
                    error,
                    program: outer.map_or(&[], |outer| outer.program),
                    is_ended: true,
                });
            }
        }
        if let Some(outer) = outer {
            entry.time = entry.time.or(outer.time);
            entry.pid = entry.pid.or(outer.pid);
        }
        if let Some(stamp) = &mut entry.time {
            self.put_right(stamp);
        }
        if self.keep.is_some_and(|keep| is_outside(entry, keep)) {
            return Scanned::Outside(entry);
        }
        Scanned::Entry(entry)
    }

    /// Takes a glance at `line`; whether that shows a request and its time, and is enough for `taker`.
    #[inline]
    pub(super) fn takes<'a>(
        &mut self,
        line: &'a [u8],
        glance: &mut Glance<'a>,
        pid: Option<u32>,
        place: LineRef,
        taker: &mut impl Taker,
    ) -> bool {
        if line.first().is_none_or(|&byte| byte <= b' ') || !self.parser.glance(line, glance) {
            return false;
        }
        let Some(mut stamp) = glance.time else {
            return false;
        };
        self.put_right(&mut stamp);
        glance.time = Some(stamp);
        glance.pid = glance.pid.or(pid);
        if let Some(keep) = self.keep {
            let (start, end) = sides(stamp, glance.duration_us);
            let us = end.or(start).unwrap_or(stamp.us);
            if us < keep.0 || us > keep.1 {
                taker.glanced_outside(stamp);
                return true;
            }
        }
        taker.glanced(glance, place)
    }

    /// Gives a stamp the year and the zone that it does not say.
    #[inline]
    fn put_right(&mut self, stamp: &mut Stamp) {
        if stamp.zone == StampZone::LocalNoYear {
            stamp.us = window::with_year(stamp.us, self.reference_us);
            stamp.zone = StampZone::Local;
        }
        if let Some(civil) = &mut self.civil
            && stamp.zone != StampZone::Known
        {
            stamp.us = civil.instant(stamp.us);
            stamp.zone = StampZone::Known;
        }
    }
}

/// Whether what `entry` records ended before or after `keep`.
fn is_outside(entry: &Entry<'_>, keep: (i64, i64)) -> bool {
    interval(entry).is_some_and(|(start, end, stamp)| {
        let us = end.or(start).unwrap_or(stamp.us);
        us < keep.0 || us > keep.1
    })
}

/// Start and end of what `entry` records, in the clock of its log: microseconds as in [`Stamp::us`].
/// An unknown side is `None`. A request without a known duration has only the side that its stamp marks.
pub fn interval(entry: &Entry<'_>) -> Option<(Option<i64>, Option<i64>, Stamp)> {
    let stamp = entry.time?;
    let is_request = stamp.marks != Marks::Event && entry.kind == Kind::Request;
    let length = match entry.duration_us {
        None if stamp.marks != Marks::Start && !is_request => entry.response_us,
        length => length,
    };
    let (start, end) = sides(stamp, length);
    Some((start, end, stamp))
}

/// The same of a request whose stamp marks its start or its end, and that took `length_us`.
#[inline]
pub fn sides(stamp: Stamp, length_us: Option<u64>) -> (Option<i64>, Option<i64>) {
    let length = length_us.and_then(|us| i64::try_from(us).ok());
    match stamp.marks {
        Marks::Start => (Some(stamp.us), length.map(|us| stamp.us + us)),
        Marks::End | Marks::Event => (length.map(|us| stamp.us - us), Some(stamp.us)),
    }
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
        let mut scanner = Scanner::new(parser.unwrap(), Layers::default(), None, 0);
        let mut seen = Vec::new();
        scanner.scan(chunk, 0, |scanned, place, _| {
            let what = match scanned {
                Scanned::Entry(entry) if entry.signal.is_some() => "failure",
                Scanned::Entry(_) | Scanned::Outside(_) => "entry",
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
