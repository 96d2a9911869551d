//! Where lines stand that carry an id which was known to be wanted when they were read.
//!
//! Hops whose logs are read after those of the hop that knows most failures need not be read again for their ids.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::packed::Keys;
use super::scan::LineRef;
use super::sieve::Bits;

/// A line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Where it begins.
    pub offset: u64,
    /// Its length, line end excluded.
    pub len: u32,
    /// Its number in its part of the input, counted from 0.
    pub number: u64,
}

/// The lines of one input that carry one of the ids known beforehand.
#[derive(Debug)]
pub struct Spots {
    known: Arc<Known>,
    /// In order, by where their part begins.
    by_part: BTreeMap<u64, Vec<Spot>>,
}

impl Spots {
    /// Whether every line with one of the ids `wanted` is among them.
    pub fn cover(&self, wanted: &Keys) -> bool {
        wanted.is_subset(&self.known.keys)
    }

    /// Those in the part that begins at `part`.
    pub fn of(&self, part: u64) -> &[Spot] {
        self.by_part.get(&part).map_or(&[], Vec::as_slice)
    }

    /// Takes in those of other parts.
    pub(super) fn merge(&mut self, other: Self) {
        self.by_part.extend(other.by_part);
    }
}

/// Those of `spots`, which are in order, that begin from one byte of the input on and before another.
pub fn within(spots: &[Spot], (from, to): (u64, u64)) -> &[Spot] {
    let before = |offset: u64| spots.partition_point(|spot| spot.offset < offset);
    &spots[before(from)..before(to)]
}

/// Ids that are known to be wanted.
#[derive(Debug)]
pub struct Known {
    keys: Arc<Keys>,
    bits: Bits,
}

impl Known {
    /// Those with these `keys`.
    pub fn new(keys: Keys) -> Self {
        let halves: Vec<u32> = keys.iter().map(|&key| key as u32).collect();
        Self {
            bits: Bits::of(&halves),
            keys: Arc::new(keys),
        }
    }

    /// Their keys.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    #[inline]
    fn has(&self, key: u64) -> bool {
        self.bits.may_have(key as u32) && self.keys.contains(&key)
    }
}

/// Notes lines while they are surveyed.
#[derive(Debug)]
pub(super) struct Spotter {
    known: Arc<Known>,
    spots: Vec<Spot>,
}

impl Spotter {
    /// Looks for the ids `known`.
    pub(super) fn new(known: Arc<Known>) -> Self {
        Self {
            known,
            spots: Vec::new(),
        }
    }

    /// Notes `line` if one of the `keys` of its ids is known.
    #[inline]
    pub(super) fn look(&mut self, keys: &[u64], line: LineRef) {
        if keys.iter().any(|&key| self.known.has(key)) {
            self.spots.push(Spot {
                offset: line.offset,
                len: line.len,
                number: line.index,
            });
        }
    }

    /// What was noted of the part that begins at `part`.
    pub(super) fn finish(mut self, part: u64) -> Spots {
        self.spots.shrink_to_fit();
        Spots {
            known: self.known,
            by_part: BTreeMap::from([(part, self.spots)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids;

    const ID: &[u8] = b"4c5e9f6684f3297806650969d075d15f";

    #[test]
    fn lines_with_a_known_id_are_found_by_their_places() {
        let known: Keys = ids::key(ID).into_iter().collect();
        let mut spotter = Spotter::new(Arc::new(Known::new(known.clone())));
        for (index, id) in [ID, b"another-id-1", ID].into_iter().enumerate() {
            let line = LineRef {
                offset: 100 + index as u64 * 10,
                len: 9,
                index: index as u64,
            };
            spotter.look(&[ids::key(id).unwrap()], line);
        }
        let spots = spotter.finish(100);
        let numbers = |range| {
            let within = within(spots.of(100), range).iter();
            within.map(|spot| spot.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers((100, 121)), [0, 2]);
        assert_eq!(numbers((101, 120)), [0; 0]);
        assert!(spots.cover(&known) && !spots.cover(&Keys::from_iter([1])));
    }
}
