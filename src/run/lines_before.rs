//! Line numbers in inputs that were not read from their start.

use std::collections::{BTreeMap, BTreeSet};

use super::focus::{Extent, Focuses};
use crate::model::{Input, SourceId};
use crate::read::{self, Span};

/// Bytes that are read only to count the lines in them, in all inputs together. Beyond that, numbers of lines cost more
/// than the window: lines are then named by their offsets alone.
const COUNTED_MOST: u64 = 256 << 20;

/// How many lines stand before the part of each input that was read.
#[derive(Debug, Default)]
pub(super) struct LinesBefore {
    by_input: BTreeMap<SourceId, Option<u64>>,
}

impl LinesBefore {
    /// Counts the lines before the parts of those inputs that `wanted` names, if that is cheap.
    pub(super) fn count(inputs: &[Input], focuses: &Focuses, wanted: &BTreeSet<SourceId>) -> Self {
        let skipped: BTreeMap<SourceId, u64> = focuses
            .iter()
            .filter_map(|(source, focus)| match &focus.part {
                Extent::Lines(span) => Some((source, span.offset)),
                Extent::Whole(_) | Extent::Nothing => None,
            })
            .filter(|(source, offset)| *offset > 0 && wanted.contains(source))
            .collect();
        let is_cheap = skipped.values().sum::<u64>() <= COUNTED_MOST;
        let count = |(source, len): (SourceId, u64)| {
            let input = inputs
                .iter()
                .find(|input| input.id == source)
                .filter(|_| is_cheap);
            (source, input.and_then(|input| lines(input, len)))
        };
        Self {
            by_input: skipped.into_iter().map(count).collect(),
        }
    }

    /// The number of the line of `source` that is the `line`-th of what was read; zero if it is not known.
    pub(super) fn number(&self, source: SourceId, line: u64) -> u64 {
        match self.by_input.get(&source) {
            None => line,
            Some(Some(before)) => before + line,
            Some(None) => 0,
        }
    }
}

/// How many lines begin in the first `len` bytes of `input`; `None` if they cannot be read.
fn lines(input: &Input, len: u64) -> Option<u64> {
    let mut count = 0;
    let before = Span { offset: 0, len };
    read::read_with_nuls(input, &before, &mut Vec::new(), &mut |chunk| {
        count += memchr::memchr_iter(b'\n', chunk.bytes).count() as u64;
    })
    .ok()?;
    Some(count)
}
