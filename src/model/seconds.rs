//! Counts per second of time, compactly: a busy day is one and a half megabytes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::{Bound, RangeBounds};

use super::stats::Second;

/// What was counted, second by second. Counts may be added in any order.
#[derive(Debug, Clone, Default)]
pub struct Seconds {
    /// By their first second divided by [`TOGETHER`].
    pages: BTreeMap<i64, Page>,
}

/// Seconds that are kept together.
const TOGETHER: i64 = 64;

/// What was counted in the seconds of one page.
#[derive(Debug, Clone, Default)]
struct Page {
    /// The seconds in which something was counted, by bits.
    known: u64,
    /// What was counted in these, in order. No room is taken for the others.
    counts: Vec<Second>,
}

/// The page that a second is on, and its place there.
fn place(second: i64) -> (i64, u32) {
    (second.div_euclid(TOGETHER), second.rem_euclid(TOGETHER) as u32)
}

impl Page {
    /// Where the count of the second at `place` stands, or is to be put if there is none.
    fn search(&self, place: u32) -> Result<usize, usize> {
        let from_here = self.known >> place;
        let at = match from_here {
            // Mostly it is behind all others, or the last of them.
            0 => self.counts.len(),
            1 => self.counts.len() - 1,
            _ => (self.known & ((1 << place) - 1)).count_ones() as usize,
        };
        if from_here & 1 == 1 { Ok(at) } else { Err(at) }
    }

    fn add(&mut self, place: u32, count: Second) {
        match self.search(place) {
            Ok(at) => self.counts[at].add(count),
            Err(at) => {
                if self.counts.is_empty() {
                    // Where requests are few a page has no second one.
                    self.counts.reserve_exact(1);
                }
                self.known |= 1 << place;
                self.counts.insert(at, count);
            }
        }
    }

    /// The places from `first` to `last` at which something was counted, in order, with the counts.
    fn range(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, Second)> + '_ {
        let from = self.search(first).unwrap_or_else(|at| at);
        let mut left = self.known & (u64::MAX << first);
        let places = std::iter::from_fn(move || {
            let place = (left != 0).then(|| left.trailing_zeros())?;
            left &= left - 1;
            (place <= last).then_some(place)
        });
        places.zip(self.counts[from..].iter().copied())
    }
}

/// The last place of a page.
const LAST: u32 = TOGETHER as u32 - 1;

impl Seconds {
    /// Adds to what was counted in `second`.
    pub fn add(&mut self, second: i64, count: Second) {
        let (page, place) = place(second);
        // Mostly it is the last one.
        match self.pages.last_entry().filter(|last| *last.key() == page) {
            Some(mut last) => last.get_mut().add(place, count),
            None => self.pages.entry(page).or_default().add(place, count),
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        if self.pages.is_empty() {
            *self = other;
            return;
        }
        for (at, page) in other.pages {
            match self.pages.entry(at) {
                Entry::Vacant(place) => {
                    place.insert(page);
                }
                Entry::Occupied(mut known) => page
                    .range(0, LAST)
                    .for_each(|(place, count)| known.get_mut().add(place, count)),
            }
        }
    }

    /// The same counts in other seconds.
    #[must_use]
    pub fn moved(self, to: impl Fn(i64) -> i64) -> Self {
        let mut moved = Self::default();
        // Each page is given up as the next is begun, so that there are never two of all.
        for (at, page) in self.pages {
            for (place, count) in page.range(0, LAST) {
                moved.add(to(at * TOGETHER + i64::from(place)), count);
            }
        }
        moved
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// The seconds in which something was counted, in order, with the counts.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Second)> + '_ {
        self.range(..)
    }

    /// The same of some of the time.
    pub fn range(&self, range: impl RangeBounds<i64>) -> impl Iterator<Item = (i64, Second)> + '_ {
        let first = match range.start_bound() {
            Bound::Included(&from) => from,
            Bound::Excluded(&from) => from.saturating_add(1),
            Bound::Unbounded => i64::MIN,
        };
        let last = match range.end_bound() {
            Bound::Included(&to) => to,
            Bound::Excluded(&to) => to.saturating_sub(1),
            Bound::Unbounded => i64::MAX,
        };
        let is_any = first <= last;
        let (first, last) = (place(first), place(last));
        let pages = is_any.then(|| self.pages.range(first.0..=last.0));
        pages.into_iter().flatten().flat_map(move |(&page, counts)| {
            let from = if page == first.0 { first.1 } else { 0 };
            let to = if page == last.0 { last.1 } else { LAST };
            counts
                .range(from, to)
                .map(move |(place, count)| (page * TOGETHER + i64::from(place), count))
        })
    }

    /// What was counted in `second`; `None` if nothing was.
    pub fn get(&self, second: i64) -> Option<Second> {
        let (page, place) = place(second);
        let page = self.pages.get(&page)?;
        page.search(place).ok().map(|at| page.counts[at])
    }

    /// The first second in which something was counted.
    pub fn first(&self) -> Option<i64> {
        self.iter().next().map(|(second, _)| second)
    }
}

impl FromIterator<(i64, Second)> for Seconds {
    fn from_iter<T: IntoIterator<Item = (i64, Second)>>(counts: T) -> Self {
        let mut seconds = Self::default();
        counts
            .into_iter()
            .for_each(|(second, count)| seconds.add(second, count));
        seconds
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_counts_are_those_of_a_map_in_whatever_order_they_come(
            added in proptest::collection::vec((-40i64..5_000, 1u32..9), 0..6_000),
            parts in 1usize..5,
            (from, to) in (-50i64..5_100, -50i64..5_100),
        ) {
            let mut map: BTreeMap<i64, Second> = BTreeMap::new();
            let mut lists = vec![Seconds::default(); parts];
            for (n, &(second, requests)) in added.iter().enumerate() {
                let count = Second { requests, ..Second::default() };
                map.entry(second).or_default().add(count);
                lists[n % parts].add(second, count);
            }
            let mut seconds = Seconds::default();
            lists.into_iter().for_each(|list| seconds.merge(list));
            let all: Vec<(i64, Second)> = map.iter().map(|(&second, &count)| (second, count)).collect();
            prop_assert!(seconds.iter().eq(all.iter().copied()));
            prop_assert_eq!(seconds.get(from), map.get(&from).copied());
            prop_assert_eq!(seconds.first(), map.keys().next().copied());
            prop_assert_eq!(seconds.range(from..from).count(), 0);
            prop_assert_eq!(seconds.range(from.max(to) + 1..=from.min(to)).count(), 0);
            if from <= to {
                let some = map.range(from..to).map(|(&second, &count)| (second, count));
                prop_assert!(seconds.range(from..to).eq(some));
                let some = map.range(from..=to).map(|(&second, &count)| (second, count));
                prop_assert!(seconds.range(from..=to).eq(some));
            }
        }
    }
}
