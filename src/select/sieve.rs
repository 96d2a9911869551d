//! Tells of most ids by a part of them that they are not among those looked for.

use crate::model::ids;

/// Bits for each id that is looked for: one in so many others has to be looked up in full.
const BITS_PER_ID: usize = 32;

/// Bits at least and at most, as powers of two: what the nearest cache holds, and what the one after it does.
const FEWEST: u32 = 12;
const MOST: u32 = 22;

/// Some numbers, of which nearly all others are told at a glance.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bits: Vec<u64>,
    /// How far a spread number is moved to be the number of a bit.
    shift: u32,
}

impl Bits {
    /// Of these numbers.
    pub(super) fn of(numbers: &[u32]) -> Self {
        let size = (numbers.len() * BITS_PER_ID).next_power_of_two().ilog2();
        let size = size.clamp(FEWEST, MOST);
        let mut bits = Self {
            bits: vec![0; 1 << (size - 6)],
            shift: 32 - size,
        };
        for &number in numbers {
            let (word, bit) = bits.place(number);
            bits.bits[word] |= bit;
        }
        bits
    }

    /// Whether `number` may be one of them; surely not, if not.
    #[inline]
    pub(super) fn may_have(&self, number: u32) -> bool {
        let (word, bit) = self.place(number);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    #[inline]
    fn place(&self, number: u32) -> (usize, u64) {
        let spread = number.wrapping_mul(0x9e37_79b1) >> self.shift;
        ((spread >> 6) as usize, 1 << (spread & 63))
    }
}

/// The ends of the ids that are looked for.
#[derive(Debug, Default)]
pub(super) struct Sieve(Bits);

impl Sieve {
    /// Looks for `ids`, as they are written somewhere.
    pub(super) fn new<'i>(ids: impl Iterator<Item = &'i str>) -> Self {
        let ends: Vec<u32> = ids.filter_map(|id| ids::end(id.as_bytes())).collect();
        Self(Bits::of(&ends))
    }

    /// Whether `id`, as it stands in a line, is of the usual kind and surely none of those looked for.
    #[inline]
    pub(super) fn rules_out(&self, id: &[u8]) -> bool {
        ids::usual_end(id).is_some_and(|end| !self.0.may_have(end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4c5e9f6684f3297806650969d075d15f";

    #[test]
    fn an_id_that_is_looked_for_is_never_ruled_out_however_it_is_written() {
        let ways = [
            ID,
            "4C5E9F66-84F3-2978-0665-0969D075D15F",
            "{4c5e9f66-84f3-2978-0665-0969d075d15f}",
            "00-4c5e9f6684f3297806650969d075d15f-00f067aa0ba902b7-01",
            "4c5e9f6684f3297806650969d075d15f:b7ad6b7169203331:0:1",
        ];
        for sought in ways {
            let sieve = Sieve::new([sought].into_iter());
            assert!(
                ways.iter().all(|way| !sieve.rules_out(way.as_bytes())),
                "{sought}"
            );
        }
    }

    #[test]
    fn other_ids_of_the_usual_kind_are_ruled_out_and_unusual_ones_never() {
        let sieve = Sieve::new([ID].into_iter());
        assert!(sieve.rules_out(b"00000000-0000-4000-8000-00000000000a"));
        assert!(sieve.rules_out(b"4c5e9f6684f3297806650969d075d150"));
        assert!(!sieve.rules_out(b"4c5e9f6684f3297806650969d075d15x"));
        assert!(!sieve.rules_out(b"req-17"));
        assert!(Sieve::default().rules_out(ID.as_bytes()));
    }
}
