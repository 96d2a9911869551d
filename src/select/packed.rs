//! What the first pass keeps of inputs that can only be read from their start, so that they need not be read again.
//!
//! Three things: the lines that carry an id already known to be wanted, the text of the failures themselves, and what
//! ids all other lines carried. If no other line carries an id that turns out to be wanted, the second pass has all it
//! needs, and nothing is decompressed twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use why502_parsers::bytes;

use super::scan::LineRef;
use super::survey::Surveyor;

/// Ids remembered of the lines that were not kept, in all inputs together: beyond that, inputs are read again.
pub const OTHERS_MOST: u64 = 4 << 20;

/// Longest part of a line that is kept for showing, in bytes.
const SHOWN_MOST: usize = 2_048;

/// Keys of ids, as [`crate::model::ids::key`] gives them.
pub type Keys = FxHashSet<u64>;

/// What was kept of one input.
#[derive(Debug, Default)]
pub struct Packed {
    /// Ids that were known to be wanted when it was read.
    known: Arc<Keys>,
    /// Ids of lines that were not kept.
    others: Vec<u64>,
    /// Lines that carry a known id, and lines that change how others are read: by offset, with their number counted
    /// from 0.
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

/// A line whose id was noted; of several ids each has its own.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Where it begins.
    offset: u64,
    /// Its number in the part, counted from 0.
    number: u64,
    /// The id; `None` of a line that changes how others are read.
    key: Option<u64>,
}

/// What is noted of lines while they are surveyed.
#[derive(Debug)]
pub(super) struct Noted {
    /// The first byte of lines that change how others are read.
    pub(super) directive: Option<u8>,
    /// The lines.
    pub(super) lines: Vec<Line>,
}

impl Noted {
    /// Notes the `keys` of a line's ids.
    #[inline]
    pub(super) fn add(&mut self, keys: &[u64], line: LineRef) {
        self.lines.extend(keys.iter().map(|&key| Line {
            offset: line.offset,
            number: line.index,
            key: Some(key),
        }));
    }

    /// Notes a line without an entry if it changes how others are read.
    pub(super) fn add_directive(&mut self, text: &[u8], line: LineRef) {
        if self.directive.is_some() && text.first() == self.directive.as_ref() {
            self.lines.push(Line {
                offset: line.offset,
                number: line.index,
                key: None,
            });
        }
    }
}

/// Keeps what may be needed of one input while it is surveyed.
pub struct Catcher {
    packed: Packed,
    kept: usize,
}

impl Catcher {
    /// Looks for the ids `known`.
    pub fn new(known: Arc<Keys>) -> Self {
        Self {
            packed: Packed {
                known,
                ..Packed::default()
            },
            kept: 0,
        }
    }

    /// Takes in whole lines that `surveyor`, which notes ids, has taken in just before. `room` says whether so many more
    /// ids may be remembered.
    pub fn chunk(
        &mut self,
        lines: &[u8],
        offset: u64,
        surveyor: &mut Surveyor<'_>,
        room: &dyn Fn(u64) -> bool,
    ) {
        let text = |at: u64| {
            let from = usize::try_from(at.checked_sub(offset)?).ok()?;
            let rest = lines.get(from..)?;
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            Some(bytes::trim_cr(&rest[..end]))
        };
        let failures = &surveyor.kept()[self.kept..];
        let own: Keys = failures.iter().map(|record| record.place.offset).collect();
        self.kept += failures.len();
        for at in &own {
            let shown = text(*at).map(|line| line[..line.len().min(SHOWN_MOST)].into());
            self.packed.texts.extend(shown.map(|shown| (*at, shown)));
        }
        let noted = surveyor.take_noted();
        if self.packed.is_lost {
            return;
        }
        let before = self.packed.others.len();
        for line in noted.chunk_by(|a, b| a.offset == b.offset) {
            let Line { offset, number, .. } = line[0];
            let is_known = |key: &u64| self.packed.known.contains(key);
            if own.contains(&offset) {
                continue;
            }
            if line.iter().all(|line| !line.key.as_ref().is_none_or(is_known)) {
                self.packed.others.extend(line.iter().filter_map(|line| line.key));
                continue;
            }
            match text(offset) {
                Some(text) => _ = self.packed.lines.insert(offset, (number, text.into())),
                None => self.packed.is_lost = true,
            }
        }
        if self.packed.is_lost || !room((self.packed.others.len() - before) as u64) {
            self.packed.is_lost = true;
            self.packed.others = Vec::new();
            self.packed.lines.clear();
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
