//! Counts per second of time, compactly: a day is two megabytes.

use std::ops::{Bound, RangeBounds};

use super::stats::Second;

/// What was counted, second by second. Counts may be added in any order; before any is read, [`Seconds::settle`] puts
/// them in order.
#[derive(Debug, Clone, Default)]
pub struct Seconds {
    /// The first `sorted` are in order and of different seconds.
    list: Vec<(i64, Second)>,
    sorted: usize,
}

/// So many counts may wait to be put in order, and besides as many as are in order already.
const WAITING: usize = 1_024;

/// Logs stamp requests a little out of order: so many of the counts added last are looked at for the same second.
const LOOKED_BACK: usize = 4;

impl Seconds {
    /// Adds to what was counted in `second`.
    pub fn add(&mut self, second: i64, count: Second) {
        let recent = self.list.len().saturating_sub(LOOKED_BACK);
        let same = self.list[recent..]
            .iter_mut()
            .rev()
            .find(|known| known.0 == second);
        if let Some((_, known)) = same {
            known.add(count);
            return;
        }
        let in_order = self.list.last().is_none_or(|last| last.0 < second);
        if in_order && self.sorted == self.list.len() {
            self.sorted += 1;
        }
        self.list.push((second, count));
        if self.list.len() > 2 * self.sorted + WAITING {
            self.put_in_order();
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        if self.list.is_empty() {
            *self = other;
            return;
        }
        other
            .list
            .into_iter()
            .for_each(|(second, count)| self.add(second, count));
    }

    /// The same counts in other seconds.
    pub fn moved(mut self, to: impl Fn(i64) -> i64) -> Self {
        self.list.iter_mut().for_each(|(second, _)| *second = to(*second));
        // Two seconds may have become one, or have changed places.
        self.sorted = 0;
        self
    }

    /// Puts the counts in order, once for all.
    pub fn settle(&mut self) {
        self.put_in_order();
        self.list.shrink_to_fit();
    }

    fn put_in_order(&mut self) {
        if self.sorted < self.list.len() {
            self.list.sort_by_key(|&(second, _)| second);
            self.list.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    kept.1.add(later.1);
                }
                same
            });
            self.sorted = self.list.len();
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The seconds in which something was counted, in order, with the counts.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Second)> + '_ {
        debug_assert_eq!(
            self.sorted,
            self.list.len(),
            "counts are read before they are in order"
        );
        self.list.iter().copied()
    }

    /// The same of some of the time.
    pub fn range(&self, range: impl RangeBounds<i64>) -> impl Iterator<Item = (i64, Second)> + '_ {
        let is_before = |second: i64| match range.start_bound() {
            Bound::Included(&from) => second < from,
            Bound::Excluded(&from) => second <= from,
            Bound::Unbounded => false,
        };
        let is_within = |second: i64| match range.end_bound() {
            Bound::Included(&to) => second <= to,
            Bound::Excluded(&to) => second < to,
            Bound::Unbounded => true,
        };
        let from = self.list.partition_point(|&(second, _)| is_before(second));
        let rest = &self.list[from..];
        rest[..rest.partition_point(|&(second, _)| is_within(second))]
            .iter()
            .copied()
    }

    /// What was counted in `second`; `None` if nothing was.
    pub fn get(&self, second: i64) -> Option<Second> {
        let at = self.list.binary_search_by_key(&second, |&(at, _)| at).ok()?;
        Some(self.list[at].1)
    }

    /// The first second in which something was counted.
    pub fn first(&self) -> Option<i64> {
        self.list.first().map(|&(second, _)| second)
    }
}

impl FromIterator<(i64, Second)> for Seconds {
    fn from_iter<T: IntoIterator<Item = (i64, Second)>>(counts: T) -> Self {
        let mut seconds = Self::default();
        counts
            .into_iter()
            .for_each(|(second, count)| seconds.add(second, count));
        seconds.settle();
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
            seconds.settle();
            let all: Vec<(i64, Second)> = map.iter().map(|(&second, &count)| (second, count)).collect();
            prop_assert!(seconds.iter().eq(all.iter().copied()));
            prop_assert_eq!(seconds.get(from), map.get(&from).copied());
            prop_assert_eq!(seconds.first(), map.keys().next().copied());
            if from <= to {
                let some = map.range(from..to).map(|(&second, &count)| (second, count));
                prop_assert!(seconds.range(from..to).eq(some));
                let some = map.range(from..=to).map(|(&second, &count)| (second, count));
                prop_assert!(seconds.range(from..=to).eq(some));
            }
        }
    }
}
