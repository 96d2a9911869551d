//! A number that may not be known, in the room of one that is.

use std::num::NonZeroU64;

/// As `Option<u64>`, in eight bytes: records are kept by the ten thousand, each with many numbers that most logs lack.
/// The greatest number of all is not told from none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OptionU64(Option<NonZeroU64>);

impl OptionU64 {
    /// None.
    pub const NONE: Self = Self(None);

    /// The number, if it is known.
    #[inline]
    pub const fn get(self) -> Option<u64> {
        match self.0 {
            Some(inverted) => Some(!inverted.get()),
            None => None,
        }
    }
}

impl From<Option<u64>> for OptionU64 {
    fn from(number: Option<u64>) -> Self {
        Self(number.and_then(|number| NonZeroU64::new(!number)))
    }
}

impl From<u64> for OptionU64 {
    fn from(number: u64) -> Self {
        Some(number).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_but_the_greatest_is_kept() {
        for number in [0, 1, 30_000_000, u64::MAX - 1] {
            assert_eq!(OptionU64::from(number).get(), Some(number));
        }
        assert_eq!(OptionU64::from(u64::MAX), OptionU64::NONE);
        assert_eq!(OptionU64::from(None).get(), None);
        assert_eq!(size_of::<OptionU64>(), size_of::<u64>());
    }
}
