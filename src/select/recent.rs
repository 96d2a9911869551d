//! When each upstream had been used last, as the lines go by.
//!
//! Access logs are written as requests end, so the ends seen just before a failure's line are those that can have
//! used its connection before it.

use rustc_hash::FxHashMap;

/// Ends kept per upstream: as many as may lie between a failure's start and its line.
const KEPT: usize = 8;

/// Upstreams followed per part of an input. With more than this, idle gaps are not what fails.
const UPSTREAMS: usize = 512;

/// The latest ends of exchanges, per upstream address (by hash), in the clock of the log.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    by_address: FxHashMap<u64, Ring>,
}

/// The last few values put in.
#[derive(Debug, Clone, Copy, Default)]
struct Ring {
    ends: [i64; KEPT],
    count: usize,
}

impl Ring {
    fn push(&mut self, end: i64) {
        self.ends[self.count % KEPT] = end;
        self.count += 1;
    }

    /// The values, the latest put in first.
    fn newest(&self) -> impl Iterator<Item = i64> + '_ {
        let held = self.count.min(KEPT);
        (1..=held).map(|back| self.ends[(self.count - back) % KEPT])
    }
}

impl Recent {
    /// An exchange with `address` ended.
    pub fn note(&mut self, address: u64, end_us: i64) {
        if let Some(ring) = self.by_address.get_mut(&address) {
            ring.push(end_us);
        } else if self.by_address.len() < UPSTREAMS {
            let mut ring = Ring::default();
            ring.push(end_us);
            self.by_address.insert(address, ring);
        }
    }

    /// The latest ends of exchanges with `address`, newest line first.
    pub fn ends(&self, address: u64) -> Vec<i64> {
        self.by_address
            .get(&address)
            .map(|ring| ring.newest().collect())
            .unwrap_or_default()
    }

    /// Whether no line named an upstream.
    pub fn is_empty(&self) -> bool {
        self.by_address.is_empty()
    }

    /// Adds what was seen in a later part of the same input.
    pub fn follow(&mut self, later: &Self) {
        for (&address, ring) in &later.by_address {
            let mut ends: Vec<i64> = ring.newest().collect();
            ends.reverse();
            ends.into_iter().for_each(|end| self.note(address, end));
        }
    }
}

/// What was known of a failure's upstream when its line was read.
#[derive(Debug, Clone, Default)]
pub struct Prior {
    /// The upstream's address, by hash.
    pub address: u64,
    /// Ends of exchanges with it before that line, newest first.
    pub ends: Vec<i64>,
}

impl Prior {
    /// Whether an earlier part of the input may know more.
    pub fn is_short(&self) -> bool {
        self.ends.len() < KEPT
    }

    /// Adds what earlier parts know.
    pub fn extend(&mut self, earlier: &Recent) {
        self.ends.extend(earlier.ends(self.address));
        self.ends.truncate(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_ends_are_kept_across_parts() {
        let (mut first, mut second) = (Recent::default(), Recent::default());
        (0..20).for_each(|end| first.note(1, end));
        second.note(1, 30);
        let mut prior = Prior {
            address: 1,
            ends: second.ends(1),
        };
        assert!(prior.is_short());
        prior.extend(&first);
        assert_eq!(prior.ends, [30, 19, 18, 17, 16, 15, 14, 13]);
        first.follow(&second);
        assert_eq!(first.ends(1)[..2], [30, 19]);
        assert!(first.ends(2).is_empty());
    }
}
