//! Clock offsets between hops, learnt from requests that two hops both logged.
//!
//! A request at the inner hop lies within the same request at the outer hop. Each pair of records allows an
//! interval of offsets; the offsets that most pairs allow hold the clocks' difference. Within them the middles of the
//! pairs' intervals decide, the narrow ones above all: a stamp that was cut off to the second is as often early as late,
//! and what a proxy adds lies on both sides. Where a straight line through time is allowed by clearly more pairs than any
//! constant, the clocks drift apart. The same count, taken both ways round,
//! says which hop is the outer one.

use std::collections::BTreeMap;

use super::drift;
use crate::model::Shift;
use crate::select::sketch::{Group, Sample, Sketch};

/// How two logs' clocks and requests fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fit {
    /// Brings the inner log's stamps to the outer log's clock.
    pub shift: Shift,
    /// How far the true offset may lie from it: half the width of the interval that the pairs leave open, or less where
    /// many pairs agree on their middle.
    pub spread_us: i64,
    /// Pairs that allow the offset.
    pub pairs: u32,
    /// Pairs that were compared.
    pub compared: u32,
    /// Whether the pairs were matched by id.
    pub by_id: bool,
    /// Whether a log of the two has coarse stamps.
    pub coarse: bool,
    /// Whether the pairs agree with it all the time; otherwise a clock was set in between.
    pub steady: bool,
    /// Over the requests that both logged, by how many microseconds they took longer in the outer log, each a few
    /// milliseconds at most; over kinds of requests, how many took longer there, less how many in the inner one.
    pub longer: i32,
}

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
}

/// Fewer agreeing pairs than this are an accident.
const FEWEST: u32 = 5;

/// Offsets beyond this are not clocks but different days.
const FARTHEST_US: i64 = 26 * 3_600_000_000;

/// Stamps from here on are coarse.
const COARSE_US: u32 = 100_000;

/// How often the pairs that allow an offset are looked for anew, and how far it may move each time.
const ROUNDS: usize = 4;
const OPEN_US: i64 = 500_000;

/// Offsets so far apart are of different pairs.
const BESIDE_US: i64 = 250_000;

/// Time in the network and in kernel queues that may show on one side only.
const TOLERANCE_US: i64 = 1_000;

/// How `inner` fits into `outer`, or `None` if too few requests agree on any offset.
pub fn fit(outer: &Sketch, inner: &Sketch) -> Option<Fit> {
    let by_id = best(intervals(outer.ids(), inner.ids(), &|_, _| true), true);
    if let Some(fit) = by_id {
        return Some(Fit {
            longer: longer(outer.ids(), inner.ids(), MOST_ADDED_US),
            coarse: is_coarse(outer.ids()) || is_coarse(inner.ids()),
            ..fit
        });
    }
    by_request(outer, inner)
}

/// The same by method and path alone.
pub(super) fn by_request(outer: &Sketch, inner: &Sketch) -> Option<Fit> {
    // Requests of one kind are told apart by how long they took, where both logs say it.
    let told_apart = intervals(outer.requests(), inner.requests(), &lasted_alike);
    let any = || best(intervals(outer.requests(), inner.requests(), &|_, _| true), false);
    let fit = best(told_apart, false).or_else(any)?;
    Some(Fit {
        longer: longer(outer.requests(), inner.requests(), 1),
        coarse: is_coarse(outer.requests()) || is_coarse(inner.requests()),
        ..fit
    })
}

/// Whether most stamps are of whole seconds, or little better.
fn is_coarse(groups: &BTreeMap<u64, Group>) -> bool {
    let samples = || groups.values().flat_map(Group::samples);
    samples()
        .filter(|sample| sample.resolution_us >= COARSE_US)
        .count()
        * 2
        > samples().count()
}

/// What one request counts at most when it is asked which hop is the outer one: a proxy adds little.
const MOST_ADDED_US: i64 = 5_000;

/// By how much the outer requests took longer than the inner ones of the same key, in microseconds over all keys. Each
/// counts `most_us` at most. The same request by its id is compared by how much, since rounded durations are right on
/// average; different requests of one kind only by which took longer (`most_us` is 1).
fn longer(outer: &BTreeMap<u64, Group>, inner: &BTreeMap<u64, Group>, most_us: i64) -> i32 {
    let mean = |group: &Group| {
        let whole: Vec<i64> = group
            .samples()
            .filter(|s| s.whole)
            .map(|s| s.end_us - s.start_us)
            .collect();
        whole.iter().sum::<i64>().checked_div(whole.len() as i64)
    };
    let difference = |(key, inside): (&u64, &Group)| Some(mean(outer.get(key)?)? - mean(inside)?);
    inner
        .iter()
        .filter_map(difference)
        .map(|us| us.clamp(-most_us, most_us) as i32)
        .sum()
}

/// One interval of allowed offsets per pair of samples with the same key, and the number of inner samples compared.
fn intervals(
    outer: &BTreeMap<u64, Group>,
    inner: &BTreeMap<u64, Group>,
    may_be: &dyn Fn(&Sample, &Sample) -> bool,
) -> (Vec<Allowed>, u32) {
    let mut all = Vec::new();
    let mut compared = 0;
    for (key, inside) in inner {
        let Some(outside) = outer.get(key) else { continue };
        compared += inside.samples().count().min(outside.samples().count()) as u32;
        for a in outside.samples() {
            let may_be = inside.samples().filter(|b| may_be(a, b));
            all.extend(may_be.filter_map(|b| allowed(a, b)));
        }
    }
    (all, compared)
}

/// Whether the two took equally long, but for what a proxy adds.
fn lasted_alike(outer: &Sample, inner: &Sample) -> bool {
    let (a, b) = (outer.end_us - outer.start_us, inner.end_us - inner.start_us);
    outer.whole && inner.whole && (a - b).abs() <= 3_000 + b / 20
}

/// Whether the two can be of one request, the inner one's clock corrected by `shift`.
pub fn agree(outer: &Sample, inner: &Sample, shift: Shift) -> bool {
    allowed(outer, inner).is_some_and(|pair| pair.contains(shift.without_fold(pair.at_us)))
}

impl Allowed {
    /// Whether the pair allows `offset_us`.
    pub(super) const fn contains(&self, offset_us: i64) -> bool {
        self.low <= offset_us && offset_us <= self.high
    }
}

/// The offsets of `inner`'s clock with which it lies within `outer`.
fn allowed(outer: &Sample, inner: &Sample) -> Option<Allowed> {
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
    })
}

fn best((intervals, compared): (Vec<Allowed>, u32), by_id: bool) -> Option<Fit> {
    let constant = deepest(&intervals)?;
    let drifting = drift::of(&intervals, &constant);
    let (pairs, low, high) = drifting.map_or((constant.pairs, constant.low, constant.high), |drifting| {
        (drifting.best.pairs, drifting.best.low, drifting.best.high)
    });
    // By id each request is compared once, so most must agree; by path most combinations are of different requests.
    let needed = if by_id { compared / 2 } else { compared / 4 };
    if pairs < FEWEST.max(needed) {
        return None;
    }
    let contain = |offset: i64| intervals.iter().filter(|pair| pair.contains(offset)).count() as u32;
    let line = Shift {
        us: 0,
        drift_ppb: drifting.map_or(0, |drifting| drifting.ppb),
        pivot_us: drifting.map_or(0, |drifting| drifting.pivot_us),
        fold: None,
    };
    let (mut middle, mut spread_us) = weighed(&intervals, line, (low, high));
    if !by_id {
        // Some pairs are of different requests: the offsets that most allow may lie beside the one that is meant.
        let mut found = (middle, spread_us);
        for _ in 0..ROUNDS {
            found = weighed(&intervals, line, (found.0 - OPEN_US, found.0 + OPEN_US));
        }
        if (found.0 - middle).abs() > BESIDE_US {
            (middle, spread_us) = found;
        }
    }
    if !by_id && pairs <= 3 * by_chance(middle, &contain) / 2 {
        return None;
    }
    let found = Fit {
        shift: Shift { us: middle, ..line },
        spread_us,
        pairs,
        compared,
        by_id,
        coarse: false,
        steady: true,
        longer: 0,
    };
    let zone = zone_and_skew(middle).0;
    let at_zone = contain(zone);
    let fits_as_often = || {
        let times = (moments(&intervals, middle), moments(&intervals, zone));
        !by_id && times.0 < FEWEST && times.1 >= times.0
    };
    // Clocks are right until the logs say otherwise: a whole zone that nearly all pairs allow is preferred.
    let fit = if drifting.is_none() && (at_zone * 100 >= pairs * 95 || fits_as_often()) {
        Fit {
            shift: Shift::of(zone),
            pairs: at_zone,
            ..found
        }
    } else {
        found
    };
    Some(Fit {
        steady: drift::is_steady(&intervals, fit.shift, by_id),
        ..fit
    })
}

/// Where between `low` and `high` the offset lies, by the middles of the pairs that allow those offsets, and how far off
/// that may be. A pair that leaves twice as much open counts a quarter. `line` is how the offset changes with time.
fn weighed(intervals: &[Allowed], line: Shift, (low, high): (i64, i64)) -> (i64, i64) {
    let center = low.midpoint(high);
    let agree = || {
        intervals.iter().filter_map(move |pair| {
            let gone = line.without_fold(pair.at_us);
            let open = (pair.low - gone..=pair.high - gone).contains(&center);
            open.then_some((pair, (pair.middle - gone - center) as f64))
        })
    };
    let weight = |pair: &Allowed| 1.0 / ((pair.high - pair.low).max(1_000) as f64).powi(2);
    let whole: f64 = agree().map(|(pair, _)| weight(pair)).sum();
    if whole <= 0.0 {
        return (center, (high - low) / 2);
    }
    let mean = agree().map(|(pair, off)| off * weight(pair)).sum::<f64>() / whole;
    let variance = agree()
        .map(|(pair, off)| ((off - mean) * weight(pair)).powi(2))
        .sum::<f64>()
        / whole.powi(2);
    // What the outer hop added may all lie on one side.
    let added = |pair: &Allowed| (pair.high - pair.low - pair.resolution_us).max(0) as f64 / 2.0;
    let one_sided = agree().map(|(pair, _)| added(pair) * weight(pair)).sum::<f64>() / whole;
    let found = (center + mean.round() as i64).clamp(low, high);
    let off_by = (3.0 * variance.sqrt() + one_sided).round() as i64;
    (found, off_by.min((high - low) / 2).max(1))
}

/// At how many moments there are pairs that allow the offset: requests that come together, as probes do, fit those that
/// came together at another time all at once, and are one coincidence.
fn moments(intervals: &[Allowed], offset_us: i64) -> u32 {
    let agree = intervals.iter().filter(|pair| pair.contains(offset_us));
    let mut stamps: Vec<i64> = agree.map(|pair| pair.at_us).collect();
    stamps.sort_unstable();
    let gaps = stamps
        .windows(2)
        .filter(|two| two[1] - two[0] > BESIDE_US)
        .count();
    gaps as u32 + u32::from(!stamps.is_empty())
}

/// How many pairs agree where the clocks surely do not: those of servers that merely get the same kind of traffic.
fn by_chance(offset_us: i64, contain: &impl Fn(i64) -> u32) -> u32 {
    // Beyond stamps of whole seconds, yet near, since the samples span little time.
    const ELSEWHERE_MS: [i64; 6] = [-4_700, -3_100, -2_300, 2_300, 3_100, 4_700];
    let sum: u32 = ELSEWHERE_MS
        .iter()
        .map(|ms| contain(offset_us.saturating_add(ms * 1_000)))
        .sum();
    sum / ELSEWHERE_MS.len() as u32
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

/// Splits a correction of stamps without zone into a zone offset (a multiple of a quarter of an hour) and what is
/// left, the clock's error.
pub fn zone_and_skew(offset_us: i64) -> (i64, i64) {
    const QUARTER_US: i64 = 900_000_000;
    let zone = (offset_us + offset_us.signum() * QUARTER_US / 2) / QUARTER_US * QUARTER_US;
    (zone, offset_us - zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::mix;
    use crate::select::sketch::Told;

    const TOLD: Told<'_> = Told {
        path: b"/a",
        upstream: b"",
    };

    fn traffic(shift_us: i64, resolution_us: u32) -> (Sketch, Sketch) {
        let (mut outer, mut inner) = (Sketch::default(), Sketch::default());
        for n in 0..300u64 {
            let start = 1_000_000_000_000 + n as i64 * 337_111;
            let length = 4_000 + (mix(n) % 60_000) as i64;
            let floor = |us: i64| us - us.rem_euclid(i64::from(resolution_us));
            let whole = |start: i64, end: i64| Sample {
                start_us: start,
                end_us: end,
                resolution_us,
                whole: true,
                upstream: 0,
            };
            let a = whole(floor(start + length) - length, floor(start + length));
            let b_end = start + length - 900 - shift_us;
            let b = whole(floor(b_end) - (length - 2_000), floor(b_end));
            outer.offer_id(mix(n), Some(a), TOLD);
            inner.offer_id(mix(n), Some(b), TOLD);
            outer.offer_request(mix(n % 9), Some(a), TOLD);
            inner.offer_request(mix(n % 9), Some(b), TOLD);
        }
        (outer, inner)
    }

    #[test]
    fn a_shifted_clock_is_found_to_a_few_milliseconds() {
        let (outer, inner) = traffic(2_300_000, 1);
        let fit = fit(&outer, &inner).unwrap();
        assert!(fit.by_id);
        assert!((fit.shift.us - 2_300_000).abs() < 2_000, "{fit:?}");
    }

    #[test]
    fn a_shifted_clock_is_found_without_ids() {
        let (outer, inner) = traffic(-3_600_000_000 + 40_000, 1_000);
        let found = best(intervals(outer.requests(), inner.requests(), &|_, _| true), false).unwrap();
        assert!(
            (found.shift.us + 3_600_000_000 - 40_000).abs() < 20_000,
            "{found:?}"
        );
        assert_eq!(zone_and_skew(found.shift.us).0, -3_600_000_000);
    }

    #[test]
    fn logs_that_begin_hours_apart_are_compared_where_both_have_requests() {
        let (mut outer, mut inner) = (Sketch::default(), Sketch::default());
        for n in 0..4_000u64 {
            let start = 1_000_000_000_000 + n as i64 * 7_337_111; // Eight hours.
            let length = 4_000 + (mix(n) % 900_000) as i64;
            let whole = |start_us: i64, end_us: i64| Sample {
                start_us,
                end_us,
                resolution_us: 1_000,
                whole: true,
                upstream: 0,
            };
            outer.offer_request(mix(n % 3), Some(whole(start, start + length)), TOLD);
            if n >= 1_600 {
                let (from, to) = (start + 400 - 640_000, start + length - 400 - 640_000);
                inner.offer_request(mix(n % 3), Some(whole(from, to)), TOLD);
            }
        }
        let found = fit(&outer, &inner).unwrap();
        assert!((found.shift.us - 640_000).abs() < 5_000, "{found:?}");
    }

    #[test]
    fn two_servers_with_the_same_kind_of_traffic_do_not_talk_to_each_other() {
        let (mut one, mut other) = (Sketch::default(), Sketch::default());
        for n in 0..600u64 {
            let at = 1_000_000_000_000 + n as i64 * 70_000;
            let second = at - at.rem_euclid(1_000_000);
            let stamp = Sample {
                start_us: second,
                end_us: second,
                resolution_us: 1_000_000,
                whole: false,
                upstream: 0,
            };
            let sketch = if mix(n).is_multiple_of(2) {
                &mut one
            } else {
                &mut other
            };
            sketch.offer_request(mix(mix(n) % 5), Some(stamp), TOLD);
        }
        assert_eq!(fit(&one, &other), None);
        assert_eq!(fit(&other, &one), None);
    }

    #[test]
    fn probes_that_came_together_once_do_not_move_a_clock() {
        let from = |at_ms: i64, length_ms: i64| Sample {
            start_us: 1_000_000_000_000 + at_ms * 1_000,
            end_us: 1_000_000_000_000 + (at_ms + length_ms) * 1_000,
            resolution_us: 1_000,
            whole: length_ms > 0,
            upstream: 0,
        };
        let (mut outer, mut inner) = (Sketch::default(), Sketch::default());
        // Three probes that were answered, and three slow ones later that never reached the server.
        for n in 0..3 {
            outer.offer_request(1, Some(from(30 * n, 20)), TOLD);
            inner.offer_request(1, Some(from(30 * n + 10, 0)), TOLD);
            outer.offer_request(1, Some(from(4_100 + n, 900)), TOLD);
        }
        for ms in [1_700, 2_900] {
            outer.offer_request(2, Some(from(ms, 20)), TOLD);
            inner.offer_request(2, Some(from(ms + 10, 0)), TOLD);
        }
        assert_eq!(fit(&outer, &inner).map(|fit| fit.shift.us), Some(0));
    }

    #[test]
    fn clocks_that_agree_are_left_alone() {
        let (outer, inner) = traffic(0, 1_000_000);
        assert_eq!(fit(&outer, &inner).unwrap().shift.us, 0);
    }

    #[test]
    fn the_outer_hop_is_the_one_whose_requests_take_longer() {
        let (outer, inner) = traffic(500_000, 1);
        assert!(fit(&outer, &inner).unwrap().longer > 200);
        assert!(fit(&inner, &outer).is_none_or(|fit| fit.longer < -200));
    }

    #[test]
    fn durations_that_are_rounded_down_now_and_then_do_not_turn_the_hops_round() {
        let lasting = |us: i64| {
            let sample = Sample {
                start_us: 1_000_000_000_000,
                end_us: 1_000_000_000_000 + us,
                resolution_us: 1,
                whole: true,
                upstream: 0,
            };
            let mut group = Sketch::default();
            group.offer_id(1, Some(sample), TOLD);
            group.ids().values().next().cloned().unwrap()
        };
        // Two of three come out shorter by less than the third comes out longer.
        let pairs = [(50_000, 50_400), (33_000, 33_300), (32_000, 31_000)];
        let groups = |inner: bool| -> BTreeMap<u64, Group> {
            let lengths = pairs
                .iter()
                .map(|&(outside, inside)| if inner { inside } else { outside });
            lengths
                .enumerate()
                .map(|(key, us)| (key as u64, lasting(us)))
                .collect()
        };
        let (outer, inner) = (groups(false), groups(true));
        assert!(longer(&outer, &inner, MOST_ADDED_US) > 0);
        assert!(longer(&inner, &outer, MOST_ADDED_US) < 0);
    }
}
