//! The clock offsets that pairs of records allow, and how much of the inner log an offset explains.
//!
//! A request at the inner hop lies within the same request at the outer hop, so a pair of records allows an interval of
//! offsets. Without ids most pairs are of different requests of one kind, which allow some offset or other by chance. So
//! not the pairs are counted that allow an offset, but the inner requests of which some pair does, each by how unlikely
//! that is at an offset that is not meant: a path that is asked for all the time says little, a rare one much.

use std::collections::BTreeMap;

use crate::model::Shift;
use crate::select::sketch::{Group, Sample};

/// The offsets that one pair of records allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Allowed {
    /// The inner record's stamp.
    pub at_us: i64,
    /// The least.
    pub low: i64,
    /// The greatest.
    pub high: i64,
    /// The offset if what the outer hop adds, and what both logs cut off, lie on both sides alike.
    pub middle: i64,
    /// What the stamps' resolutions leave open of it.
    pub resolution_us: i64,
    /// Whether both took equally long, but for what a proxy adds.
    pub alike: bool,
}

/// Offsets beyond this are not clocks but different days.
const FARTHEST_US: i64 = 26 * 3_600_000_000;

/// Time in the network and in kernel queues that may show on one side only.
const TOLERANCE_US: i64 = 1_000;

impl Allowed {
    /// Whether the pair allows `shift`.
    pub(super) fn allows(&self, shift: Shift) -> bool {
        self.contains(shift.without_fold(self.at_us))
    }

    /// Whether the pair allows `offset_us`.
    pub(super) const fn contains(&self, offset_us: i64) -> bool {
        self.low <= offset_us && offset_us <= self.high
    }

    /// The same where the clocks have gone apart by `us` already.
    pub(super) const fn less(self, us: i64) -> Self {
        Self {
            low: self.low - us,
            high: self.high - us,
            middle: self.middle - us,
            ..self
        }
    }
}

/// The offsets of `inner`'s clock with which it lies within `outer`.
pub(super) fn allowed(outer: &Sample, inner: &Sample) -> Option<Allowed> {
    // A sample without duration is an instant of the request, not its whole.
    let (before, after) = if outer.whole { (0, 0) } else { (1_000_000, 0) };
    let low = outer.start_us - before - inner.start_us - i64::from(inner.resolution_us) - TOLERANCE_US;
    let high = outer.end_us + after + i64::from(outer.resolution_us) - inner.end_us + TOLERANCE_US;
    let outer_sum = outer.start_us + outer.end_us + i64::from(outer.resolution_us);
    let inner_sum = inner.start_us + inner.end_us + i64::from(inner.resolution_us);
    (low <= high && low.abs() <= FARTHEST_US).then_some(Allowed {
        at_us: inner.end_us,
        low,
        high,
        middle: (outer_sum - inner_sum) / 2,
        resolution_us: i64::from(outer.resolution_us) + i64::from(inner.resolution_us),
        alike: lasted_alike(outer, inner),
    })
}

/// Whether the two took equally long, but for what a proxy adds.
fn lasted_alike(outer: &Sample, inner: &Sample) -> bool {
    let (a, b) = (outer.end_us - outer.start_us, inner.end_us - inner.start_us);
    outer.whole && inner.whole && (a - b).abs() <= 3_000 + b / 20
}

/// The pairs of samples with the same key.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// All of them, those of one inner sample one after the other.
    pub all: Vec<Allowed>,
    /// Where in `all` the pairs of each inner sample end, and how far apart the offsets are that those of its key allow.
    ends: Vec<(usize, i64)>,
    /// Inner samples that were compared, of each key at most as many as there are outer ones.
    pub compared: u32,
}

impl Pairs {
    /// Pairs every sample of `inner` with those of `outer` that have its key.
    pub(super) fn of(outer: &BTreeMap<u64, Group>, inner: &BTreeMap<u64, Group>) -> Self {
        let mut pairs = Self::default();
        let mut of_outer: Vec<&Sample> = Vec::new();
        for (key, inside) in inner {
            let Some(outside) = outer.get(key) else { continue };
            of_outer.clear();
            of_outer.extend(outside.samples());
            let (first, before) = (pairs.all.len(), pairs.ends.len());
            for b in inside.samples() {
                pairs.all.extend(of_outer.iter().filter_map(|a| allowed(a, b)));
                pairs.ends.push((pairs.all.len(), 0));
            }
            let range_us = range_us(&pairs.all[first..]);
            pairs.ends[before..].iter_mut().for_each(|end| end.1 = range_us);
            pairs.compared += (pairs.ends.len() - before).min(of_outer.len()) as u32;
        }
        pairs
    }

    /// Those of them that lasted equally long.
    #[must_use]
    pub(super) fn alike(&self) -> Self {
        let mut alike = Self {
            compared: self.compared,
            ..Self::default()
        };
        for (of_one, range_us) in self.by_inner() {
            alike.all.extend(of_one.iter().filter(|pair| pair.alike));
            alike.ends.push((alike.all.len(), range_us));
        }
        alike
    }

    /// The pairs of each inner sample, and how far apart the offsets are that those of its key allow.
    fn by_inner(&self) -> impl Iterator<Item = (&[Allowed], i64)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(end, _)| end));
        let spans = starts.zip(&self.ends);
        spans.map(|(from, &(to, range_us))| (&self.all[from..to], range_us))
    }

    /// The pairs that allow `shift`.
    pub(super) fn that_allow(&self, shift: Shift) -> impl Iterator<Item = &Allowed> {
        self.all.iter().filter(move |pair| pair.allows(shift))
    }

    /// How many inner samples have a pair that allows `shift`.
    pub(super) fn explained(&self, shift: Shift) -> u32 {
        let is_explained = |(of_one, _): &(&[Allowed], i64)| of_one.iter().any(|pair| pair.allows(shift));
        self.by_inner().filter(is_explained).count() as u32
    }

    /// How much of the inner log each offset explains, which changes with time as `line` does.
    pub(super) fn profile(&self, line: Shift) -> Profile {
        let mut steps: Vec<(i64, i64)> = Vec::with_capacity(self.ends.len() * 4);
        for (of_one, range_us) in self.by_inner() {
            let any = Open::of(of_one.iter(), line);
            let alike = Open::of(of_one.iter().filter(|pair| pair.alike), line);
            let says = any.unlikely(range_us);
            // That some lasted alike says more, but never as much as another request that is explained.
            let more = (alike.unlikely(range_us) - says).clamp(0, says / 2);
            for (open, says) in [(any, says), (alike, more)] {
                let ends = |(low, high)| [(low, says), (high + 1, -says)];
                steps.extend(open.joined().into_iter().flat_map(ends));
            }
        }
        Profile::of(steps)
    }
}

/// From the least to the greatest offset that any of the pairs allows.
fn range_us(pairs: &[Allowed]) -> i64 {
    let low = pairs.iter().map(|pair| pair.low).min();
    let high = pairs.iter().map(|pair| pair.high).max();
    low.zip(high).map_or(0, |(low, high)| high - low)
}

/// The offsets that the pairs of one inner sample allow, in order: least and greatest.
struct Open(Vec<(i64, i64)>);

/// Requests of one kind that were seen for a moment only might as well have been seen so much earlier or later.
const ELSEWHERE_US: i64 = 10_000_000;

impl Open {
    fn of<'p>(pairs: impl Iterator<Item = &'p Allowed>, line: Shift) -> Self {
        let moved = pairs.map(|pair| pair.less(line.without_fold(pair.at_us)));
        let mut open: Vec<(i64, i64)> = moved.map(|pair| (pair.low, pair.high)).collect();
        open.sort_unstable();
        Self(open)
    }

    /// The same, what overlaps as one.
    fn joined(&self) -> Vec<(i64, i64)> {
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for &(low, high) in &self.0 {
            match joined.last_mut() {
                Some((_, end)) if low <= *end => *end = (*end).max(high),
                _ => joined.push((low, high)),
            }
        }
        joined
    }

    /// How unlikely it is that some pair allows an offset that is not meant, among so many.
    fn unlikely(&self, range_us: i64) -> i64 {
        let open_us: f64 = self.0.iter().map(|open| (open.1 - open.0) as f64).sum();
        unlikely(open_us / (range_us + ELSEWHERE_US) as f64)
    }
}

/// How much an event says that is to be expected `times` by chance: the logarithm of its chance, in thousandths.
fn unlikely(times: f64) -> i64 {
    let chance = 1.0 - (-times).exp();
    if chance <= 0.0 {
        return 0; // It was never possible.
    }
    (-1_000.0 * chance.ln()).round().clamp(0.0, 12_000.0) as i64
}

/// How much of the inner log each offset explains.
#[derive(Debug, Default)]
pub(super) struct Profile {
    /// A height that holds from each of these offsets up to the next.
    heights: Vec<(i64, i64)>,
    /// What one request adds on average.
    one: i64,
}

/// Offsets that explain most of the inner log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peak {
    /// The least of them.
    pub low: i64,
    /// The greatest.
    pub high: i64,
    /// How much the best of them explains.
    pub most: i64,
}

/// So much less than the best offset explains is nearly as much, or one request: pairs of different requests decide about
/// more.
const NEARLY_LESS_PERCENT: i64 = 10;

impl Profile {
    fn of(mut steps: Vec<(i64, i64)>) -> Self {
        steps.sort_unstable();
        let up = || steps.iter().map(|&(_, step)| step).filter(|&step| step > 0);
        let one = up().sum::<i64>() / up().count().max(1) as i64;
        let mut heights: Vec<(i64, i64)> = Vec::with_capacity(steps.len());
        let mut height = 0;
        for (offset, step) in steps {
            height += step;
            match heights.last_mut() {
                Some(last) if last.0 == offset => last.1 = height,
                _ => heights.push((offset, height)),
            }
        }
        Self { heights, one }
    }

    /// How much is explained at best, and the offsets around the first one of those that explain nearly as much.
    pub(super) fn highest(&self) -> Option<Peak> {
        let heights = &self.heights;
        let most = heights
            .iter()
            .map(|&(_, height)| height)
            .max()
            .filter(|&most| most > 0)?;
        let top = heights.iter().position(|&(_, height)| height == most)?;
        let enough = (most - (most * NEARLY_LESS_PERCENT / 100).max(self.one)).max(1);
        let is_low = |&(_, height): &(i64, i64)| height < enough;
        let first = heights[..top]
            .iter()
            .rposition(is_low)
            .map_or(0, |below| below + 1);
        let after = heights[top..].iter().position(is_low)?;
        Some(Peak {
            low: heights[first].0,
            high: heights[top + after].0 - 1,
            most,
        })
    }

    /// How much `offset` explains.
    pub(super) fn at(&self, offset: i64) -> i64 {
        let next = self.heights.partition_point(|&(from, _)| from <= offset);
        next.checked_sub(1).map_or(0, |at| self.heights[at].1)
    }

    /// How much is explained near `offset` where it is surely not meant: that of servers that get the same kind of traffic.
    pub(super) fn by_chance(&self, offset: i64) -> i64 {
        // Beyond stamps of whole seconds, yet near, since the samples span little time.
        const ELSEWHERE_MS: [i64; 6] = [-4_700, -3_100, -2_300, 2_300, 3_100, 4_700];
        let sum: i64 = ELSEWHERE_MS
            .iter()
            .map(|ms| self.at(offset.saturating_add(ms * 1_000)))
            .sum();
        sum / ELSEWHERE_MS.len() as i64
    }

    /// How much any offset explains that is farther than `beside_us` from all of `peak`.
    pub(super) fn elsewhere(&self, peak: Peak, beside_us: i64) -> i64 {
        let is_far = |&(at, &(from, _)): &(usize, &(i64, i64))| {
            let to = self.heights.get(at + 1).map_or(from, |next| next.0 - 1);
            from < peak.low - beside_us || to > peak.high + beside_us
        };
        let far = self.heights.iter().enumerate().filter(is_far);
        far.map(|(_, &(_, height))| height).max().unwrap_or(0)
    }
}

/// The offsets that most pairs allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deepest {
    /// How many do.
    pub pairs: u32,
    /// The first such offset.
    pub low: i64,
    /// The last one next to it.
    pub high: i64,
}

/// The offsets that most intervals contain.
pub(super) fn deepest<'a>(intervals: impl IntoIterator<Item = &'a Allowed>) -> Option<Deepest> {
    let (mut opened, mut closed): (Vec<i64>, Vec<i64>) =
        intervals.into_iter().map(|pair| (pair.low, pair.high)).unzip();
    opened.sort_unstable();
    closed.sort_unstable();
    // At the same offset intervals open before others close.
    let (mut most, mut low, mut high) = (0, 0, 0);
    let mut ended = 0;
    for (at, &offset) in opened.iter().enumerate() {
        ended += closed[ended..].iter().take_while(|&&end| end < offset).count();
        let depth = at + 1 - ended;
        if depth > most {
            most = depth;
            low = offset;
            let next = opened.get(at + 1).into_iter().chain(closed.get(ended));
            high = next.copied().min().unwrap_or(offset);
        }
    }
    (most > 0).then_some(Deepest {
        pairs: most as u32,
        low,
        high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_its_peak_where_most_is_explained_and_a_rival_beside_it() {
        let requests = [
            (0, 100, 4),
            (0, 100, 4),
            (0, 90, 4),
            (50, 80, 3),
            (500, 510, 4),
            (500, 510, 4),
        ];
        let steps = requests
            .iter()
            .flat_map(|&(low, high, says)| [(low, says), (high, -says)]);
        let profile = Profile::of(steps.collect());
        // One request more or less is no border.
        let peak = Peak {
            low: 0,
            high: 89,
            most: 15,
        };
        assert_eq!(profile.highest(), Some(peak));
        assert_eq!(
            [-1, 0, 50, 79, 80, 90, 100].map(|offset| profile.at(offset)),
            [0, 12, 15, 15, 12, 8, 0]
        );
        assert_eq!(profile.elsewhere(peak, 100), 8);
        assert_eq!(profile.elsewhere(peak, 1_000), 0);
        assert_eq!(Profile::of(Vec::new()).highest(), None);
    }

    #[test]
    fn an_inner_request_counts_once_however_many_pairs_it_has() {
        let open = Open(vec![(0, 30), (20, 40), (60, 70)]);
        assert_eq!(open.joined(), [(0, 40), (60, 70)]);
    }

    #[test]
    fn a_path_that_is_asked_for_all_the_time_says_little_and_a_rare_one_much() {
        let rare = Open(vec![(0, 1_000_000)]);
        let often = Open((0..24).map(|n| (n * 500_000, n * 500_000 + 1_000_000)).collect());
        assert!((2_300..2_500).contains(&rare.unlikely(1_000_000)));
        assert!(often.unlikely(12_500_000) < 500);
    }

    #[test]
    fn what_is_to_be_expected_says_nothing_and_what_is_rare_says_much() {
        assert_eq!(unlikely(20.0), 0);
        assert_eq!(unlikely(0.0), 0);
        assert!((2_200..2_400).contains(&unlikely(0.105)));
        assert_eq!(unlikely(1e-9), 12_000);
    }
}
