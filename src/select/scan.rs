//! From a block's bytes to entries, line by line, whatever stands around the lines.

use why502_parsers::entry::{Kind, Stamp, Zone as StampZone};
use why502_parsers::wrap::{Layers, Outer, Peeler};
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

/// Parses the lines of consecutive chunks of one input.
pub struct Scanner {
    pub(super) reader: Reader,
    /// Takes off what stands around lines; `None` if nothing does.
    pub(super) peeler: Option<Peeler<LineRef>>,
    pub(super) index: u64,
}

/// Reads single lines and puts their stamps right.
pub(super) struct Reader {
    parser: Box<dyn LineParser>,
    civil: Option<CivilClock>,
    reference_us: i64,
}

impl Scanner {
    /// A scanner that reads lines with `parser` after `wrappers` have been taken off. Stamps that do not say their
    /// zone are of `zone`, if that is given; those that do not say their year are of the one that brings them to
    /// about `reference_us`.
    pub fn new(parser: Box<dyn LineParser>, wrappers: Layers, zone: Option<Zone>, reference_us: i64) -> Self {
        Self {
            reader: Reader {
                parser,
                civil: zone.map(CivilClock::new),
                reference_us,
            },
            peeler: (!wrappers.is_empty()).then(|| Peeler::new(wrappers)),
            index: 0,
        }
    }

    /// Lines seen so far.
    pub fn lines(&self) -> u64 {
        self.index
    }

    /// Hands every line of `chunk`, which starts at byte `offset` of the input and consists of whole lines, to `sink`,
    /// with the line as its format sees it.
    pub fn scan(&mut self, chunk: &[u8], offset: u64, sink: impl FnMut(Scanned<'_, '_>, LineRef, &[u8])) {
        self.scan_where(chunk, offset, |_| true, sink);
    }

    /// The same for the lines that `wanted` picks; the others are counted and left unread.
    pub fn scan_where(
        &mut self,
        chunk: &[u8],
        offset: u64,
        wanted: impl Fn(&[u8]) -> bool,
        mut sink: impl FnMut(Scanned<'_, '_>, LineRef, &[u8]),
    ) {
        if self.peeler.is_some() {
            return self.scan_wrapped(chunk, offset, &wanted, &mut sink);
        }
        let mut entry = Entry::default();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk).chain(std::iter::once(chunk.len())) {
            if start >= chunk.len() {
                break;
            }
            let line = bytes::trim_cr(&chunk[start..end]);
            let at = offset + start as u64;
            start = end + 1;
            let index = self.index;
            self.index += 1;
            if wanted(line) {
                entry.clear();
                let len = u32::try_from(line.len()).unwrap_or(u32::MAX);
                sink(
                    self.reader.line(line, &mut entry, None),
                    LineRef {
                        offset: at,
                        len,
                        index,
                    },
                    line,
                );
            }
        }
    }
}

impl Reader {
    /// Reads `line`; what it does not say of itself is taken from the wrappers that stood around it.
    pub(super) fn line<'e, 'a>(
        &mut self,
        line: &'a [u8],
        entry: &'e mut Entry<'a>,
        outer: Option<&Outer<'_>>,
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
