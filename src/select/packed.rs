//! What the first pass keeps of inputs that can only be read from their start, so that they need not be read again.
//!
//! Three things: the lines that carry an id already known to be wanted, the text of the failures themselves, and what
//! ids all other lines carried. If no other line carries an id that turns out to be wanted, the second pass has all it
//! needs, and nothing is decompressed twice.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use why502_parsers::bytes;

use super::locus::Probe;
use super::survey::Surveyor;
use crate::model::ids;

/// Ids remembered of the lines that were not kept, in all inputs together: beyond that, inputs are read again.
pub const OTHERS_MOST: u64 = 4 << 20;

/// Longest part of a line that is kept for showing, in bytes.
const SHOWN_MOST: usize = 2_048;

/// Lines kept of one input although nothing says that they are wanted; with more it is read again.
const ODD_MOST: usize = 20_000;

/// Keys of ids, as [`ids::key`] gives them.
pub type Keys = FxHashSet<u64>;

/// What was kept of one input.
#[derive(Debug, Default)]
pub struct Packed {
    /// Ids that were known to be wanted when it was read.
    known: Arc<Keys>,
    /// Ids of lines that were not kept.
    others: Vec<u64>,
    /// Lines that carry a known id, and lines of a kind in which ids were not looked for: by offset, with their number
    /// counted from 0.
    lines: BTreeMap<u64, (u64, Box<[u8]>)>,
    /// The beginnings of the failures' own lines, by offset.
    texts: BTreeMap<u64, Box<[u8]>>,
    /// Not everything could be kept that may be needed.
    is_lost: bool,
}

impl Packed {
    /// Whether every line with one of the ids `wanted` has been kept.
    pub fn covers(&self, wanted: &Keys) -> bool {
        if self.is_lost {
            return false;
        }
        let late: Keys = wanted.difference(&self.known).copied().collect();
        late.is_empty() || !self.others.iter().any(|id| late.contains(id))
    }

    /// The kept lines: offset, number counted from 0, text without line end.
    pub fn lines(&self) -> impl Iterator<Item = (u64, u64, &[u8])> {
        self.lines
            .iter()
            .map(|(offset, (number, text))| (*offset, *number, &**text))
    }

    /// The beginning of the line at `offset`, if it was kept.
    pub fn text(&self, offset: u64) -> Option<&[u8]> {
        let line = self.lines.get(&offset).map(|(_, text)| &**text);
        self.texts.get(&offset).map(|text| &**text).or(line)
    }
}

/// Keeps what may be needed of one input while it is surveyed.
pub struct Catcher {
    packed: Packed,
    directive: Option<u8>,
    is_wrapped: bool,
    probe: Option<Probe>,
    kept: usize,
    number: u64,
    odd: usize,
}

impl Catcher {
    /// Looks for the ids `known`. Lines that start with `directive` change how others are read. Where something stands
    /// around the lines (`is_wrapped`), ids are found only at their ends.
    pub fn new(known: Arc<Keys>, directive: Option<u8>, is_wrapped: bool) -> Self {
        Self {
            packed: Packed {
                known,
                ..Packed::default()
            },
            directive,
            is_wrapped,
            probe: None,
            kept: 0,
            number: 0,
            odd: 0,
        }
    }

    /// Takes in whole lines that `surveyor` has taken in just before. `room` says whether so many more ids may be remembered.
    pub fn chunk(&mut self, lines: &[u8], offset: u64, surveyor: &Surveyor<'_>, room: &dyn Fn(u64) -> bool) {
        if self.probe.is_none() {
            let usable = |probe: &Probe| !self.is_wrapped || probe.is_at_end();
            self.probe = surveyor.loci().places().filter(usable);
            self.packed.is_lost |= self.probe.is_none();
        }
        let kept: FxHashSet<u64> = surveyor.kept()[self.kept..]
            .iter()
            .map(|record| record.place.offset)
            .collect();
        self.kept = surveyor.kept().len();
        let before = self.packed.others.len();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', lines).chain(std::iter::once(lines.len())) {
            if start >= lines.len() {
                break;
            }
            let at = offset + start as u64;
            self.line(bytes::trim_cr(&lines[start..end]), at, kept.contains(&at));
            self.number += 1;
            start = end + 1;
        }
        if self.packed.is_lost || !room((self.packed.others.len() - before) as u64) {
            self.packed.is_lost = true;
            self.packed.others = Vec::new();
            self.packed.lines.clear();
        }
    }

    fn line(&mut self, line: &[u8], offset: u64, is_kept: bool) {
        if is_kept {
            let shown = &line[..line.len().min(SHOWN_MOST)];
            self.packed.texts.insert(offset, shown.into());
            return;
        }
        let (Some(probe), false) = (&self.probe, self.packed.is_lost) else {
            return;
        };
        let before = self.packed.others.len();
        let is_known = Cell::new(false);
        let others = RefCell::new(&mut self.packed.others);
        let never = |_: &[u8]| false;
        let is_caught = probe.may_want(line, never, |id| {
            let key = ids::key(id);
            others.borrow_mut().extend(key);
            is_known.set(key.is_some_and(|key| self.packed.known.contains(&key)));
            is_known.get()
        });
        let is_directive = self.directive.is_some() && line.first() == self.directive.as_ref();
        if is_caught || is_directive {
            self.packed.others.truncate(before);
            self.packed.lines.insert(offset, (self.number, line.into()));
            self.odd += usize::from(!is_known.get());
            self.packed.is_lost |= self.odd > ODD_MOST;
        }
    }

    /// What was kept.
    pub fn finish(self) -> Packed {
        self.packed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(known: &[u64], others: &[u64]) -> Packed {
        Packed {
            known: Arc::new(known.iter().copied().collect()),
            others: others.to_vec(),
            ..Packed::default()
        }
    }

    #[test]
    fn an_id_that_came_too_late_matters_only_if_some_line_has_it() {
        let wanted: Keys = [1, 2].into_iter().collect();
        assert!(packed(&[1, 2], &[7]).covers(&wanted));
        assert!(packed(&[1], &[7]).covers(&wanted));
        assert!(!packed(&[1], &[7, 2]).covers(&wanted));
        let lost = Packed {
            is_lost: true,
            ..packed(&[1, 2], &[])
        };
        assert!(!lost.covers(&wanted));
    }
}
