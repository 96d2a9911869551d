//! When each upstream had been used last, as the lines go by.
//!
//! Access logs are written as requests end, so the ends seen just before a failure's line are those that can have
//! used its connection before it.

use rustc_hash::FxHashMap;

/// Ends kept per upstream: as many as may lie between a failure's start and its line.
const KEPT: usize = 8;

/// Upstreams followed per part of an input. With more than this, idle gaps are not what fails.
const UPSTREAMS: usize = 512;

/// Places in [`Recent::near`].
const NEAR: usize = 64;

/// The latest ends of exchanges, per upstream address (by hash), in the clock of the log.
#[derive(Debug, Clone)]
pub struct Recent {
    rings: Vec<(u64, Ring)>,
    places: FxHashMap<u64, u16>,
    /// Which ring an address of these low bits had last: a look that nearly always finds it.
    near: [u16; NEAR],
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            rings: Vec::new(),
            places: FxHashMap::default(),
            near: [0; NEAR],
        }
    }
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
    #[inline]
    pub fn note(&mut self, address: u64, end_us: i64) {
        let near = usize::from(self.near[address as usize % NEAR]);
        match self.rings.get_mut(near) {
            Some((known, ring)) if *known == address => ring.push(end_us),
            _ => self.note_anew(address, end_us),
        }
    }

    fn note_anew(&mut self, address: u64, end_us: i64) {
        let known = self.places.get(&address).copied();
        let place = known.unwrap_or(self.rings.len() as u16);
        if known.is_none() {
            if self.rings.len() == UPSTREAMS {
                return;
            }
            self.places.insert(address, place);
            self.rings.push((address, Ring::default()));
        }
        self.rings[usize::from(place)].1.push(end_us);
        self.near[address as usize % NEAR] = place;
    }

    /// The latest ends of exchanges with `address`, newest line first.
    pub fn ends(&self, address: u64) -> Vec<i64> {
        let place = self.places.get(&address);
        place.map_or_else(Vec::new, |&place| {
            self.rings[usize::from(place)].1.newest().collect()
        })
    }

    /// Whether no line named an upstream.
    pub fn is_empty(&self) -> bool {
        self.rings.is_empty()
    }

    /// Whether [`Recent::follow`] can add all that `later` has.
    pub fn has_room_for(&self, later: &Self) -> bool {
        self.rings.len() + later.rings.len() <= UPSTREAMS
    }

    /// Adds what was seen in a later part of the same input.
    pub fn follow(&mut self, later: &Self) {
        for (address, ring) in &later.rings {
            let mut ends: Vec<i64> = ring.newest().collect();
            ends.reverse();
            ends.into_iter().for_each(|end| self.note(*address, end));
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
