//! Looking at an input here and there: when the entries at some place ended.

use std::collections::BTreeMap;

use why502_parsers::entry::Zone;

use super::passes::Reading;
use crate::error::Error;
use crate::read::{self, Span};
use crate::select::Scanner;
use crate::select::scan::{Scanned, interval};

/// Bytes that are looked at in a cell; all of it if no entry with a stamp begins there.
const LOOK: u64 = 16 << 10;

/// Bytes of the head of a compressed input that are looked at.
const HEAD: usize = 64 << 10;

/// What was seen of the first and the last entries of an input, in the clock of its log.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Edges {
    /// When the earliest of the first entries ended.
    pub first_end: Option<i64>,
    /// When the latest of the last entries ended.
    pub last_end: Option<i64>,
    /// First stamp.
    pub first_stamp: Option<i64>,
    /// Last stamp.
    pub last_stamp: Option<i64>,
    /// Some stamps do not say their zone.
    pub no_zone: bool,
}

/// What was seen of a cell's entries.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// When the earliest ended.
    pub first_end: i64,
    /// When the latest ended.
    pub last_end: i64,
    /// Earliest stamp.
    pub first_stamp: i64,
    /// Latest stamp.
    pub last_stamp: i64,
    /// The most that an entry ended before one that stands before it.
    pub late_us: i64,
    /// Some stamp does not say its zone.
    pub no_zone: bool,
}

/// Looks at the cells of an input, each at most once.
pub(super) struct Probe<'r> {
    reading: &'r Reading<'r>,
    cell_bytes: u64,
    seen: BTreeMap<u64, Option<Seen>>,
    buffer: Vec<u8>,
}

impl<'r> Probe<'r> {
    /// Nothing looked at so far. `cell_bytes` is the size of a cell.
    pub(super) fn new(reading: &'r Reading<'r>, cell_bytes: u64) -> Self {
        Self {
            reading,
            cell_bytes: cell_bytes.max(1),
            seen: BTreeMap::new(),
            buffer: Vec::new(),
        }
    }

    /// How many cells there are.
    pub(super) fn cells(&self) -> u64 {
        self.reading.input.bytes_on_disk.div_ceil(self.cell_bytes)
    }

    /// The first entries of cell `at`; all entries of the last cell. `None` if it has no entry with a stamp.
    ///
    /// # Errors
    /// As [`read::read_span`].
    pub(super) fn cell(&mut self, at: u64) -> Result<Option<Seen>, Error> {
        if let Some(seen) = self.seen.get(&at) {
            return Ok(*seen);
        }
        let is_last = at + 1 == self.cells();
        let mut seen = None;
        if !is_last && LOOK < self.cell_bytes {
            seen = self.look(at, LOOK)?;
        }
        if seen.is_none() {
            seen = self.look(at, self.cell_bytes)?;
        }
        self.seen.insert(at, seen);
        Ok(seen)
    }

    fn look(&mut self, at: u64, len: u64) -> Result<Option<Seen>, Error> {
        let offset = at * self.cell_bytes;
        let mut scanner = self.reading.scanner(offset.max(1));
        let mut seen = None;
        read::read_span(
            self.reading.input,
            &Span { offset, len },
            &mut self.buffer,
            &mut |chunk| {
                look_at(&mut scanner, chunk.bytes, &mut seen);
            },
        )?;
        Ok(seen)
    }

    /// The first entries of an input that is not plain.
    ///
    /// # Errors
    /// As [`read::head`].
    pub(super) fn head(&mut self) -> Result<Edges, Error> {
        let mut seen = None;
        let head = read::head(self.reading.input, HEAD)?;
        look_at(&mut self.reading.scanner(0), &head, &mut seen);
        Ok(Edges {
            first_end: seen.map(|seen| seen.first_end),
            first_stamp: seen.map(|seen| seen.first_stamp),
            no_zone: seen.is_some_and(|seen| seen.no_zone),
            ..Edges::default()
        })
    }

    /// The first cell of which `holds`, or the number of cells if it holds of none: by halving, so it must hold of all
    /// cells after the first. `None` if a cell looked at has no stamps.
    ///
    /// # Errors
    /// As [`Probe::cell`].
    pub(super) fn search(&mut self, holds: impl Fn(&Seen) -> bool) -> Result<Option<u64>, Error> {
        let (mut low, mut high) = (0, self.cells());
        while low < high {
            let middle = low.midpoint(high);
            match self.cell(middle)? {
                None => return Ok(None),
                Some(seen) if holds(&seen) => high = middle,
                Some(_) => low = middle + 1,
            }
        }
        Ok(Some(low))
    }

    /// What is wrong with the order of the cells looked at: an entry that ended more than `late_us` before one that
    /// stands before it.
    pub(super) fn disorder(&self, late_us: i64) -> Option<&'static str> {
        let all: Vec<&Seen> = self.seen.values().flatten().collect();
        let mut latest = i64::MIN;
        for seen in &all {
            if seen.first_end < latest.saturating_sub(late_us) {
                let is_reversed = all.windows(2).all(|pair| {
                    pair[1].first_end <= pair[0].first_end && pair[1].last_end <= pair[0].last_end
                });
                return Some(if is_reversed {
                    "its newest entries come first"
                } else {
                    "its entries are not in order"
                });
            }
            latest = latest.max(seen.last_end);
        }
        None
    }

    /// The most that an entry ended before one that stands before it, among those looked at together.
    pub(super) fn late_us(&self) -> i64 {
        let late = self.seen.values().flatten().map(|seen| seen.late_us);
        late.max().unwrap_or(0)
    }

    /// First and last of what was looked at.
    pub(super) fn edges(&self) -> Edges {
        let all = || self.seen.values().flatten();
        Edges {
            first_end: all().map(|seen| seen.first_end).min(),
            last_end: all().map(|seen| seen.last_end).max(),
            first_stamp: all().map(|seen| seen.first_stamp).min(),
            last_stamp: all().map(|seen| seen.last_stamp).max(),
            no_zone: all().any(|seen| seen.no_zone),
        }
    }
}

/// Takes in the entries among `lines`. Lines of which most are not understood (their columns may have changed since
/// the head of the file) show nothing.
fn look_at(scanner: &mut Scanner, lines: &[u8], seen: &mut Option<Seen>) {
    let mut balance = 0i64;
    scanner.scan(lines, 0, |scanned, _, _| {
        let entry = match scanned {
            Scanned::Entry(entry) | Scanned::Outside(entry) => entry,
            Scanned::Unparsed(_) => return balance -= 1,
            Scanned::Continuation | Scanned::Directive => return,
        };
        balance += 1;
        let Some((start, end, stamp)) = interval(entry) else {
            return;
        };
        let end = end.or(start).unwrap_or(stamp.us);
        let seen = seen.get_or_insert(Seen {
            first_end: end,
            last_end: end,
            first_stamp: stamp.us,
            last_stamp: stamp.us,
            late_us: 0,
            no_zone: false,
        });
        seen.late_us = seen.late_us.max(seen.last_end.saturating_sub(end));
        seen.no_zone |= stamp.zone != Zone::Known;
        seen.first_end = seen.first_end.min(end);
        seen.last_end = seen.last_end.max(end);
        seen.first_stamp = seen.first_stamp.min(stamp.us);
        seen.last_stamp = seen.last_stamp.max(stamp.us);
    });
    if balance < 0 {
        *seen = None;
    }
}
