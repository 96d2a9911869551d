//! Counts per second of time, compactly: a day is two megabytes.

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use super::stats::Second;

/// What was counted, second by second. Counts may be added in any order.
#[derive(Debug, Clone, Default)]
pub struct Seconds {
    /// The seconds in which something was counted, in order, a few hundred together, by the first of them. A list of all
    /// would be copied over and over as it grows.
    runs: BTreeMap<i64, Vec<(i64, Second)>>,
}

/// Seconds that are kept together at most.
const TOGETHER: usize = 256;

impl Seconds {
    /// Adds to what was counted in `second`.
    pub fn add(&mut self, second: i64, count: Second) {
        // Mostly it is in the last run, or behind it.
        let last = self.runs.last_entry().filter(|last| *last.key() <= second);
        let run = match last {
            Some(last) => Some(last.into_mut()),
            None => self.runs.range_mut(..=second).next_back().map(|(_, run)| run),
        };
        let Some(run) = run else {
            self.runs.insert(second, vec![(second, count)]);
            return;
        };
        let at = match run.last() {
            Some(last) if last.0 < second => Err(run.len()),
            Some(last) if last.0 == second => Ok(run.len() - 1),
            _ => run.binary_search_by_key(&second, |known| known.0),
        };
        match at {
            Ok(at) => run[at].1.add(count),
            Err(at) if run.len() < TOGETHER => run.insert(at, (second, count)),
            Err(at) => {
                let mut behind = run.split_off(at);
                behind.insert(0, (second, count));
                self.runs.insert(second, behind);
            }
        }
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (from, run) in other.runs {
            let to = run.last().map_or(from, |last| last.0);
            let before = self.runs.range(..=to).next_back().and_then(|(_, run)| run.last());
            // Long runs that stand apart, as those of the parts of a log mostly do, are taken over as they are.
            if run.len() > TOGETHER / 2 && before.is_none_or(|before| before.0 < from) {
                self.runs.insert(from, run);
            } else {
                run.into_iter()
                    .for_each(|(second, count)| self.add(second, count));
            }
        }
    }

    /// The same counts in other seconds.
    #[must_use]
    pub fn moved(self, to: impl Fn(i64) -> i64) -> Self {
        // Each run is given up as it is done with, so that there are never two of all.
        let all = self.runs.into_values().flatten();
        all.map(|(second, count)| (to(second), count)).collect()
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The seconds in which something was counted, in order, with the counts.
    pub fn iter(&self) -> impl Iterator<Item = (i64, Second)> + '_ {
        self.runs.values().flatten().copied()
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
        // The run before may reach into the time.
        let before = self.runs.range(..=first).next_back().map(|(&from, _)| from);
        let from = before.unwrap_or(first);
        let runs = (first <= last).then(|| self.runs.range(from..=last));
        runs.into_iter().flatten().flat_map(move |(_, run)| {
            let skipped = run.partition_point(|known| known.0 < first);
            let rest = &run[skipped..];
            rest[..rest.partition_point(|known| known.0 <= last)]
                .iter()
                .copied()
        })
    }

    /// What was counted in `second`; `None` if nothing was.
    pub fn get(&self, second: i64) -> Option<Second> {
        let (_, run) = self.runs.range(..=second).next_back()?;
        let at = run.binary_search_by_key(&second, |known| known.0).ok()?;
        Some(run[at].1)
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
