//! A small fair sample of the traffic of one input, made so that all inputs sample the same requests.
//!
//! Clocks and the order of hops are learnt from requests that two inputs both logged. Keeping the keys with the
//! lowest hashes makes every input keep the same requests without knowing of the others (bottom-k sampling),
//! and merging two samples is taking the lowest of both.

use std::collections::BTreeMap;

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
}

/// The sample.
#[derive(Debug, Clone, Default)]
pub struct Sketch {
    ids: Lowest<512, 4>,
    requests: Lowest<96, 48>,
}

impl Sketch {
    /// Offers a request under one of its ids.
    pub fn offer_id(&mut self, key: u64, sample: Sample) {
        self.ids.offer(key, sample);
    }

    /// Offers a request under its method and path.
    pub fn offer_request(&mut self, key: u64, sample: Sample) {
        self.requests.offer(key, sample);
    }

    /// Whether a request with this method-and-path key would be kept at all.
    pub fn wants_request(&self, key: u64) -> bool {
        self.requests.wants(key)
    }

    /// Takes in what `other` sampled.
    pub fn merge(&mut self, other: Self) {
        self.ids.merge(other.ids);
        self.requests.merge(other.requests);
    }

    /// The samples by id key.
    pub fn ids(&self) -> &BTreeMap<u64, Vec<Sample>> {
        &self.ids.kept
    }

    /// The samples by method and path.
    pub fn requests(&self) -> &BTreeMap<u64, Vec<Sample>> {
        &self.requests.kept
    }
}

/// The `KEYS` lowest keys with the `EACH` earliest samples of each.
#[derive(Debug, Clone, Default)]
struct Lowest<const KEYS: usize, const EACH: usize> {
    kept: BTreeMap<u64, Vec<Sample>>,
}

impl<const KEYS: usize, const EACH: usize> Lowest<KEYS, EACH> {
    fn wants(&self, key: u64) -> bool {
        self.kept.len() < KEYS || self.kept.last_key_value().is_some_and(|(&last, _)| key <= last)
    }

    fn offer(&mut self, key: u64, sample: Sample) {
        if !self.wants(key) {
            return;
        }
        let samples = self.kept.entry(key).or_default();
        if samples.len() < EACH {
            samples.push(sample);
            samples.sort_unstable();
        } else if let Some(last) = samples.last_mut()
            && sample < *last
        {
            *last = sample;
            samples.sort_unstable();
        }
        if self.kept.len() > KEYS {
            self.kept.pop_last();
        }
    }

    fn merge(&mut self, other: Self) {
        for (key, samples) in other.kept {
            for sample in samples {
                self.offer(key, sample);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: i64) -> Sample {
        Sample {
            start_us: at,
            end_us: at + 5,
            resolution_us: 1,
            whole: true,
        }
    }

    #[test]
    fn the_order_of_merging_does_not_matter() {
        let keys: Vec<u64> = (0..2_000u64).map(|n| crate::model::ids::mix(n % 700)).collect();
        let mut whole = Sketch::default();
        let (mut left, mut right) = (Sketch::default(), Sketch::default());
        for (n, &key) in keys.iter().enumerate() {
            whole.offer_request(key, sample(n as i64));
            if n % 3 == 0 { &mut left } else { &mut right }.offer_request(key, sample(n as i64));
        }
        let mut merged = right.clone();
        merged.merge(left.clone());
        left.merge(right);
        assert_eq!(merged.requests(), left.requests());
        assert_eq!(whole.requests(), left.requests());
        assert_eq!(left.requests().len(), 96);
    }
}
