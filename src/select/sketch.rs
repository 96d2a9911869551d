//! A small fair sample of the traffic of one input, made so that all inputs sample the same requests.
//!
//! Clocks and the order of hops are learnt from requests that two inputs both logged. Keeping the keys with the
//! lowest hashes makes every input keep the same requests without knowing of the others (bottom-k sampling),
//! and merging two samples is taking the lowest of both.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::{HopId, Rewrite, ids, rewrite};

/// One sampled request, in the clock of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sample {
    /// Start, or the only known instant.
    pub start_us: i64,
    /// End, or the only known instant.
    pub end_us: i64,
    /// Resolution of both.
    pub resolution_us: u32,
    /// Whether start and end are both known.
    pub whole: bool,
    /// Hash of the address it was sent to, as [`ids::hash`] gives it; 0 if not logged. Filled in when it is offered.
    pub upstream: u64,
}

/// The samples under one key, and what their lines say besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// The earliest few, ascending.
    earliest: Vec<Sample>,
    /// The few that took longest, the longest first: of one kind of request they are the same ones in every log, and
    /// they lie anywhere in it. Only those whose duration is known.
    longest: Vec<Sample>,
    /// The lowest of their paths; for a method-and-path key, the only one.
    pub path: Box<str>,
    /// The upstream addresses they name, a few at most.
    pub upstreams: BTreeSet<Box<str>>,
}

/// Samples of one kind of request that are kept for being early, and as many for being long.
const EARLIEST: usize = 24;

/// Upstream addresses kept per key: those of a group of like servers.
const UPSTREAMS: usize = 16;

/// Methods by which the key of a path is made again.
const METHODS: [&[u8]; 8] = [
    b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"",
];

/// What a request's line says besides its times.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// Path as logged.
    pub path: &'a [u8],
    /// Address of the last upstream attempt; empty if not logged.
    pub upstream: &'a [u8],
}

/// Ids that are sampled.
const IDS: usize = 512;

/// Kinds of request that are sampled.
const REQUESTS: usize = 96;

/// The sample.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    /// Four suffice for one id: a request and its retries.
    ids: Lowest<IDS, 4>,
    requests: Lowest<REQUESTS, EARLIEST>,
}

/// The samples of hops.
pub type Sketches<'s> = BTreeMap<HopId, Cow<'s, Sketch>>;

impl Sketch {
    /// An empty sample of one part, which passes over what `ceilings` settle.
    pub fn below(ceilings: &Ceilings) -> Self {
        let mut sketch = Self::default();
        sketch.ids.highest = ceilings.ids.get();
        sketch.requests.highest = ceilings.requests.get();
        sketch
    }

    /// Offers a request (or, without a sample, only what a line tells of it) under one of its ids.
    #[inline]
    pub fn offer_id(&mut self, key: u64, sample: Option<Sample>, told: Told<'_>) {
        self.ids.offer(key, sample, told);
    }

    /// The same under its method and path.
    #[inline]
    pub fn offer_request(&mut self, key: u64, sample: Option<Sample>, told: Told<'_>) {
        self.requests.offer(key, sample, told);
    }

    /// The same with every sample moved by what `by` gives for its end, and without those it gives nothing for.
    #[must_use]
    pub fn moved(&self, by: &dyn Fn(i64) -> Option<i64>) -> Self {
        Self {
            ids: self.ids.moved(by),
            requests: self.requests.moved(by),
        }
    }

    /// The same, the samples of paths that `rules` change under the paths that they make as well.
    #[must_use]
    pub fn rewritten(&self, rules: &[Rewrite]) -> Self {
        let mut whole = self.clone();
        for (key, group) in self.sent_by(rules).requests.kept {
            whole.put(key, group);
        }
        whole
    }

    /// Only the samples of paths that `rules` change, under the paths that they make.
    #[must_use]
    pub fn sent_by(&self, rules: &[Rewrite]) -> Self {
        let mut sent = Self::default();
        for (&key, group) in &self.requests.kept {
            let path = ids::plain_path(&group.path);
            let Some(path) = rewrite::sent_on(rules, &path) else {
                continue;
            };
            let is_of = |method: &&&[u8]| ids::request_key(method, group.path.as_bytes()) == key;
            if let Some(method) = METHODS.iter().find(is_of) {
                sent.put(ids::request_key(method, path.as_bytes()), group.clone());
            }
        }
        sent
    }

    fn put(&mut self, key: u64, group: Group) {
        match self.requests.kept.entry(key) {
            Entry::Vacant(place) => {
                place.insert(group);
            }
            Entry::Occupied(mut known) => known.get_mut().merge(group, EARLIEST),
        }
    }

    /// Takes in what `other` sampled.
    pub fn merge(&mut self, other: Self) {
        self.ids.merge(other.ids);
        self.requests.merge(other.requests);
    }

    /// The samples by id key.
    pub fn ids(&self) -> &BTreeMap<u64, Group> {
        &self.ids.kept
    }

    /// The samples by method and path.
    pub fn requests(&self) -> &BTreeMap<u64, Group> {
        &self.requests.kept
    }
}

/// What the samples of some parts of an input settle for those of its other parts: keys above these are none of the lowest.
#[derive(Debug, Default)]
pub struct Ceilings {
    ids: Ceiling<IDS>,
    requests: Ceiling<REQUESTS>,
}

impl Ceilings {
    /// Takes in the sample of a part.
    pub fn learn(&self, sketch: &Sketch) {
        self.ids.learn(sketch.ids().keys());
        self.requests.learn(sketch.requests().keys());
    }
}

/// The lowest `KEYS` of the keys seen so far.
#[derive(Debug)]
struct Ceiling<const KEYS: usize> {
    lowest: Mutex<BTreeSet<u64>>,
    /// The highest of them, once there are so many.
    highest: AtomicU64,
}

impl<const KEYS: usize> Default for Ceiling<KEYS> {
    fn default() -> Self {
        Self {
            lowest: Mutex::default(),
            highest: AtomicU64::new(u64::MAX),
        }
    }
}

impl<const KEYS: usize> Ceiling<KEYS> {
    fn get(&self) -> Option<u64> {
        Some(self.highest.load(Ordering::Relaxed)).filter(|&highest| highest < u64::MAX)
    }

    fn learn<'k>(&self, keys: impl Iterator<Item = &'k u64>) {
        let mut lowest = self.lowest.lock().unwrap_or_else(PoisonError::into_inner);
        lowest.extend(keys);
        while lowest.len() > KEYS {
            lowest.pop_last();
        }
        if let Some(&highest) = lowest.last().filter(|_| lowest.len() == KEYS) {
            self.highest.store(highest, Ordering::Relaxed);
        }
    }
}

/// The `KEYS` lowest keys with the `EACH` earliest and the `EACH` longest samples of each.
#[derive(Debug, Clone, Default)]
struct Lowest<const KEYS: usize, const EACH: usize> {
    kept: BTreeMap<u64, Group>,
    /// The highest key that may be kept, known once all places are taken here or elsewhere; what is above is settled by
    /// this one look.
    highest: Option<u64>,
}

impl<const KEYS: usize, const EACH: usize> Lowest<KEYS, EACH> {
    #[inline]
    fn wants(&self, key: u64) -> bool {
        self.highest.is_none_or(|highest| key <= highest)
    }

    #[inline]
    fn offer(&mut self, key: u64, sample: Option<Sample>, told: Told<'_>) {
        if self.wants(key) {
            self.keep(key, sample, told);
        }
    }

    #[inline(never)]
    fn keep(&mut self, key: u64, sample: Option<Sample>, told: Told<'_>) {
        let group = self.kept.entry(key).or_insert_with(|| Group {
            path: String::from_utf8_lossy(told.path).into(),
            ..Group::default()
        });
        if let Some(mut sample) = sample {
            if !told.upstream.is_empty() {
                sample.upstream = ids::hash(told.upstream);
            }
            group.add(sample, EACH);
        }
        if group.path.as_bytes() > told.path {
            group.path = String::from_utf8_lossy(told.path).into();
        }
        if !told.upstream.is_empty()
            && !group
                .upstreams
                .iter()
                .any(|known| known.as_bytes() == told.upstream)
        {
            group.add_upstream(String::from_utf8_lossy(told.upstream).into());
        }
        self.trim();
    }

    fn trim(&mut self) {
        if self.kept.len() > KEYS {
            self.kept.pop_last();
        }
        if self.kept.len() == KEYS {
            self.highest = self.kept.last_key_value().map(|(&key, _)| key);
        }
    }

    fn moved(&self, by: &dyn Fn(i64) -> Option<i64>) -> Self {
        let moved = |(&key, group): (&u64, &Group)| (key, group.moved(by, EACH));
        Self {
            kept: self.kept.iter().map(moved).collect(),
            highest: self.highest,
        }
    }

    fn merge(&mut self, other: Self) {
        for (key, group) in other.kept {
            if !self.wants(key) {
                continue;
            }
            match self.kept.entry(key) {
                Entry::Vacant(place) => {
                    place.insert(group);
                }
                Entry::Occupied(mut known) => known.get_mut().merge(group, EACH),
            }
            self.trim();
        }
    }
}

impl Group {
    /// The samples, each once.
    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        let elsewhere = |sample: &&Sample| self.earliest.binary_search(sample).is_err();
        self.earliest.iter().chain(self.longest.iter().filter(elsewhere))
    }

    /// Whether every sample up to this one is kept.
    pub fn has_all_until(&self, sample: &Sample) -> bool {
        self.earliest.len() < EARLIEST || self.earliest.last().is_some_and(|last| sample <= last)
    }

    fn moved(&self, by: &dyn Fn(i64) -> Option<i64>, each: usize) -> Self {
        let mut moved = Self {
            path: self.path.clone(),
            upstreams: self.upstreams.clone(),
            ..Self::default()
        };
        for sample in self.samples() {
            if let Some(us) = by(sample.end_us) {
                let sample = Sample {
                    start_us: sample.start_us + us,
                    end_us: sample.end_us + us,
                    ..*sample
                };
                moved.add(sample, each);
            }
        }
        moved
    }

    fn add(&mut self, sample: Sample, each: usize) {
        insert(&mut self.earliest, sample, each, |sample| *sample);
        if sample.whole {
            insert(&mut self.longest, sample, each, |sample| {
                (std::cmp::Reverse(sample.end_us - sample.start_us), *sample)
            });
        }
    }

    fn add_upstream(&mut self, address: Box<str>) {
        self.upstreams.insert(address);
        if self.upstreams.len() > UPSTREAMS {
            self.upstreams.pop_last();
        }
    }

    fn merge(&mut self, other: Self, each: usize) {
        let samples = other.earliest.into_iter().chain(other.longest);
        samples.for_each(|sample| self.add(sample, each));
        other
            .upstreams
            .into_iter()
            .for_each(|address| self.add_upstream(address));
        if other.path < self.path {
            self.path = other.path;
        }
    }
}

/// Puts `sample` into `list`, which is in order of `key` and holds `each` at most, none twice.
fn insert<K: Ord>(list: &mut Vec<Sample>, sample: Sample, each: usize, key: impl Fn(&Sample) -> K) {
    let wanted = key(&sample);
    if list.len() == each && list.last().is_some_and(|last| wanted >= key(last)) {
        return;
    }
    let at = list.partition_point(|known| key(known) < wanted);
    if list.get(at) != Some(&sample) {
        list.insert(at, sample);
        list.truncate(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: Told<'_> = Told {
        path: b"/a",
        upstream: b"10.0.0.1:80",
    };

    fn sample(at: i64) -> Sample {
        Sample {
            start_us: at,
            end_us: at + 5,
            resolution_us: 1,
            whole: true,
            upstream: 0,
        }
    }

    #[test]
    fn what_other_parts_settle_does_not_change_the_sample() {
        let ceilings = Ceilings::default();
        let (mut merged, mut whole) = (Sketch::default(), Sketch::default());
        for part in 0..20i64 {
            let mut sketch = Sketch::below(&ceilings);
            for n in 0..2_000i64 {
                let key = crate::model::ids::mix((part * 1_013 + n * 7) as u64 % 9_000);
                let sample = sample(part * 10_000 + n);
                for to in [&mut sketch, &mut whole] {
                    to.offer_request(key, Some(sample), TOLD);
                    to.offer_id(key, Some(sample), TOLD);
                }
            }
            ceilings.learn(&sketch);
            merged.merge(sketch);
        }
        assert_eq!(merged.requests(), whole.requests());
        assert_eq!(merged.ids(), whole.ids());
        assert_eq!((merged.ids().len(), merged.requests().len()), (IDS, REQUESTS));
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let keys: Vec<u64> = (0..2_000u64).map(|n| crate::model::ids::mix(n % 700)).collect();
        let mut whole = Sketch::default();
        let (mut left, mut right) = (Sketch::default(), Sketch::default());
        for (n, &key) in keys.iter().enumerate() {
            whole.offer_request(key, Some(sample(n as i64)), TOLD);
            if n % 3 == 0 { &mut left } else { &mut right }.offer_request(key, Some(sample(n as i64)), TOLD);
        }
        let mut merged = right.clone();
        merged.merge(left.clone());
        left.merge(right);
        assert_eq!(merged.requests(), left.requests());
        assert_eq!(whole.requests(), left.requests());
        assert_eq!(left.requests().len(), 96);
    }
}
