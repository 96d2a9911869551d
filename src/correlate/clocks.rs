//! Clock offsets between hops, learnt from requests that two hops both logged.
//!
//! A request at the inner hop lies within the same request at the outer hop. Each pair of records allows an interval of
//! offsets. By ids the offsets that most pairs allow hold the clocks' difference, without ids those that explain most of
//! the inner log, if no others explain nearly as much. Within them the middles of the pairs' intervals decide, the narrow
//! ones above all: a stamp that was cut off to the second is as often early as late, and what a proxy adds lies on both
//! sides. Where a straight line through time is allowed by clearly more pairs than any constant, the clocks drift apart.
//! The same count, taken both ways round, says which hop is the outer one.

use std::collections::BTreeMap;

use super::drift;
use super::pairs::{Allowed, Deepest, Pairs, Peak, Profile, allowed, deepest};
use crate::model::Shift;
use crate::select::sketch::{Group, Sample, Sketch};

/// How two logs' clocks and requests fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fit {
    /// Brings the inner log's stamps to the outer log's clock.
    pub shift: Shift,
    /// How far the true offset may lie from it: what the pairs leave open, or less where those of many moments agree on
    /// their middle.
    pub spread_us: i64,
    /// Requests of the inner log that have a pair which allows the offset; by ids, pairs that do.
    pub pairs: u32,
    /// Pairs that allow it, of which a request may have several.
    pub agreeing: u32,
    /// Requests that were compared.
    pub compared: u32,
    /// Whether the pairs were matched by id.
    pub by_id: bool,
    /// Whether a log of the two has coarse stamps.
    pub coarse: bool,
    /// Whether the pairs agree with it all the time; otherwise a clock was set in between.
    pub steady: bool,
    /// Whether no other offset explains nearly as much: only then it is known.
    pub alone: bool,
    /// Over the requests that both logged, by how many microseconds they took longer in the outer log, each a few
    /// milliseconds at most; over kinds of requests, how many took longer there, less how many in the inner one.
    pub longer: i32,
}

/// Fewer agreeing pairs than this are an accident.
const FEWEST: u32 = 5;

/// One in so many requests of a sample must be explained: of several servers behind a proxy each gets its share only.
const SHARE: u32 = 10;

/// So much more must be explained if clocks are to drift apart.
const DRIFT_PERCENT: i64 = 105;

/// Stamps from here on are coarse.
const COARSE_US: u32 = 100_000;

/// How often the pairs that allow an offset are looked for anew, and how far it may move each time (microseconds).
const ROUNDS: usize = 8;
const OPEN_US: i64 = 500_000;

/// An offset that explains this share of what the best one does might be meant as well: requests that come in bursts, one
/// every few seconds, fit those of the burst before nearly as well as their own.
const RIVAL_PERCENT: i64 = 88;

/// Offsets so far apart are of different pairs.
const BESIDE_US: i64 = 250_000;

/// How `inner` fits into `outer`, or `None` if too few requests agree on any offset.
pub fn fit(outer: &Sketch, inner: &Sketch) -> Option<Fit> {
    let Some(fit) = of_ids(&Pairs::of(outer.ids(), inner.ids())) else {
        return by_request(outer, inner);
    };
    Some(Fit {
        longer: longer(outer.ids(), inner.ids(), MOST_ADDED_US),
        coarse: is_coarse(outer.ids()) || is_coarse(inner.ids()),
        ..fit
    })
}

/// The same by method and path alone.
pub(super) fn by_request(outer: &Sketch, inner: &Sketch) -> Option<Fit> {
    let pairs = Pairs::of(outer.requests(), inner.requests());
    // Where there are so many requests of a kind that any offset explains them, how long they took may tell them apart.
    let fit = of_requests(&pairs).or_else(|| of_requests(&pairs.alike()))?;
    Some(Fit {
        longer: longer(outer.requests(), inner.requests(), 1),
        coarse: is_coarse(outer.requests()) || is_coarse(inner.requests()),
        ..fit
    })
}

/// Whether most stamps are of whole seconds, or little better.
fn is_coarse(groups: &BTreeMap<u64, Group>) -> bool {
    let samples = groups.values().flat_map(Group::samples);
    let (coarse, all) = samples.fold((0, 0), |(coarse, all), sample| {
        (coarse + usize::from(sample.resolution_us >= COARSE_US), all + 1)
    });
    coarse * 2 > all
}

/// What one request counts at most when it is asked which hop is the outer one: a proxy adds little.
const MOST_ADDED_US: i64 = 5_000;

/// By how much the outer requests took longer than the inner ones of the same key, in microseconds over all keys. Each
/// counts `most_us` at most. The same request by its id is compared by how much, since rounded durations are right on
/// average; different requests of one kind only by which took longer (`most_us` is 1).
fn longer(outer: &BTreeMap<u64, Group>, inner: &BTreeMap<u64, Group>, most_us: i64) -> i32 {
    let mean = |group: &Group| {
        let whole = group.samples().filter(|sample| sample.whole);
        let (sum, count) = whole.fold((0, 0), |(sum, count), sample| {
            (sum + sample.end_us - sample.start_us, count + 1)
        });
        i64::checked_div(sum, count)
    };
    let difference = |(key, inside): (&u64, &Group)| Some(mean(outer.get(key)?)? - mean(inside)?);
    inner
        .iter()
        .filter_map(difference)
        .map(|us| us.clamp(-most_us, most_us) as i32)
        .sum()
}

/// Whether the two can be of one request, the inner one's clock corrected by `shift`.
pub fn agree(outer: &Sample, inner: &Sample, shift: Shift) -> bool {
    allowed(outer, inner).is_some_and(|pair| pair.allows(shift))
}

/// The offset on which most requests agree that both logs name by their ids.
fn of_ids(pairs: &Pairs) -> Option<Fit> {
    let constant = deepest(&pairs.all)?;
    let drifting = drift::of(&pairs.all, &constant);
    let best = drifting.map_or(constant, |drifting| drifting.best);
    // Each request is compared once, so most must agree.
    if best.pairs < FEWEST.max(pairs.compared / 2) {
        return None;
    }
    let line = line_of(drifting);
    let (us, spread_us) = weighed(&pairs.all, line, (best.low, best.high));
    let zone = zone_and_skew(us).0;
    let at_zone = contain(&pairs.all, zone);
    let is_zone = drifting.is_none() && at_zone * 100 >= best.pairs * 95;
    let found = Fit {
        shift: Shift { us, ..line },
        spread_us,
        pairs: best.pairs,
        agreeing: best.pairs,
        compared: pairs.compared,
        by_id: true,
        alone: true,
        ..Fit::default()
    };
    let at_zone = Fit {
        shift: Shift::of(zone),
        pairs: at_zone,
        ..found
    };
    Some(checked(if is_zone { at_zone } else { found }, pairs))
}

/// The offset that explains most of the inner log, its requests being told by method and path alone; `None` if that is too
/// little, or no more than by chance.
fn of_requests(pairs: &Pairs) -> Option<Fit> {
    let (line, profile) = tilted(pairs)?;
    let peak = profile.highest()?;
    let (us, spread_us) = middle_of(pairs, line, peak);
    let shift = Shift { us, ..line };
    let explained = pairs.explained(shift);
    let is_by_chance = peak.most * 2 <= profile.by_chance(us) * 3;
    if explained < FEWEST.max(pairs.compared / SHARE) || is_by_chance {
        return None;
    }
    let is_rival = |height: i64| height * 100 >= peak.most * RIVAL_PERCENT;
    let resolutions = pairs.that_allow(shift).map(|pair| pair.resolution_us);
    let beside_us = BESIDE_US + resolutions.max().unwrap_or(0);
    let found = Fit {
        shift,
        spread_us,
        pairs: explained,
        agreeing: pairs.that_allow(shift).count() as u32,
        compared: pairs.compared,
        alone: !is_rival(profile.elsewhere(peak, beside_us)),
        ..Fit::default()
    };
    // Clocks are right until the logs say otherwise: none at all, then a whole zone, is preferred if it explains nearly as
    // much. Where nothing rivals what was found, nearly all its requests must allow that too.
    let is_preferred = |&zone: &i64| {
        let at_zone = pairs.explained(Shift::of(zone));
        is_rival(profile.at(zone)) && (!found.alone || at_zone * 100 >= explained * 95)
    };
    let zone = [0, zone_and_skew(us).0].into_iter().find(is_preferred);
    let fit = zone.filter(|_| line.drift_ppb == 0).map_or(found, |zone| Fit {
        shift: Shift::of(zone),
        pairs: pairs.explained(Shift::of(zone)),
        alone: true,
        ..found
    });
    Some(checked(fit, pairs))
}

/// How the offset changes with time, and what each offset then explains: clocks drift apart if clearly more is explained
/// so.
fn tilted(pairs: &Pairs) -> Option<(Shift, Profile)> {
    let still = pairs.profile(Shift::default());
    let Peak { low, high, most } = still.highest()?;
    let drifting = |pairs: &Pairs| {
        let constant = Deepest {
            pairs: contain(&pairs.all, low.midpoint(high)),
            low,
            high,
        };
        drift::of(&pairs.all, &constant)
    };
    let line = line_of(drifting(&pairs.alike()).or_else(|| drifting(pairs)));
    let tilted = (line.drift_ppb != 0).then(|| pairs.profile(line));
    let more = |tilted: &Profile| {
        tilted
            .highest()
            .is_some_and(|peak| peak.most * 100 > most * DRIFT_PERCENT)
    };
    Some(match tilted.filter(more) {
        Some(tilted) => (line, tilted),
        None => (Shift::default(), still),
    })
}

/// How the offset changes with time, from nothing at the pivot.
fn line_of(drifting: Option<drift::Drifting>) -> Shift {
    Shift {
        us: 0,
        drift_ppb: drifting.map_or(0, |drifting| drifting.ppb),
        pivot_us: drifting.map_or(0, |drifting| drifting.pivot_us),
        fold: None,
    }
}

/// The same, with what the pairs say of clocks that were set.
fn checked(fit: Fit, pairs: &Pairs) -> Fit {
    Fit {
        steady: drift::is_steady(&pairs.all, fit.shift, fit.by_id),
        ..fit
    }
}

fn contain(pairs: &[Allowed], offset: i64) -> u32 {
    pairs.iter().filter(|pair| pair.contains(offset)).count() as u32
}

/// Where in `peak` the offset lies, by those pairs that lasted equally long, if there are any to speak of.
fn middle_of(pairs: &Pairs, line: Shift, Peak { low, high, .. }: Peak) -> (i64, i64) {
    let alike = pairs.alike();
    let center = low.midpoint(high);
    let agree = alike.that_allow(Shift { us: center, ..line });
    let is_enough = agree.count() >= FEWEST as usize;
    let heard = if is_enough { &alike.all } else { &pairs.all };
    // Pairs of different requests lie on both sides of what is meant, but not on both sides of anything else.
    (0..ROUNDS).fold((center, (high - low) / 2), |(at, _), _| {
        let (found, spread) = weighed(heard, line, (at - OPEN_US, at + OPEN_US));
        let found = found.clamp(low, high);
        (found, spread.min((high - found).max(found - low)).max(1))
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
    // Requests that come together have the same part of a second cut off. A few moments may lie closer together than
    // what was cut off would have them by itself.
    let mut by_moment: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (pair, off) in agree() {
        let moment = by_moment.entry(pair.at_us.div_euclid(BESIDE_US)).or_default();
        moment.0 += (off - mean) * weight(pair);
        moment.1 += pair.resolution_us as f64 * weight(pair);
    }
    let squares = by_moment
        .values()
        .map(|(off, cut)| off.powi(2).max(cut.powi(2) / 12.0));
    let variance = squares.sum::<f64>() / whole.powi(2);
    // What the outer hop added may all lie on one side.
    let added = |pair: &Allowed| (pair.high - pair.low - pair.resolution_us).max(0) as f64 / 2.0;
    let one_sided = agree().map(|(pair, _)| added(pair) * weight(pair)).sum::<f64>() / whole;
    let found = (center + mean.round() as i64).clamp(low, high);
    let off_by = (3.0 * variance.sqrt() + one_sided).round() as i64;
    (found, off_by.min((high - found).max(found - low)).max(1))
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
        let found = by_request(&outer, &inner).unwrap();
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
    fn clocks_that_drift_apart_are_followed_without_ids() {
        let (mut outer, mut inner) = (Sketch::default(), Sketch::default());
        for n in 0..900u64 {
            let start = 1_000_000_000_000 + n as i64 * 937_111;
            let length = 4_000 + (mix(n) % 60_000) as i64;
            let drift = n as i64 * 937_111 / 10_000; // 100 ppm.
            let of = |start_us: i64, end_us: i64| Sample {
                start_us,
                end_us,
                resolution_us: 1_000,
                whole: true,
                upstream: 0,
            };
            outer.offer_request(mix(n % 41), Some(of(start, start + length)), TOLD);
            let (from, to) = (start + 500 - drift, start + length - 500 - drift);
            inner.offer_request(mix(n % 41), Some(of(from, to)), TOLD);
        }
        let shift = fit(&outer, &inner).unwrap().shift;
        assert!((shift.drift_ppb - 100_000).abs() < 10_000, "{shift:?}");
    }

    /// Requests of a kind that come four together every 2.2 s; the outer log has whole seconds, and durations that
    /// are `added_us[burst]` longer.
    fn bursts(shift_us: i64, added_us: &[i64]) -> (Sketch, Sketch) {
        let (mut outer, mut inner) = (Sketch::default(), Sketch::default());
        for (burst, &added_us) in added_us.iter().enumerate() {
            for n in 0..4i64 {
                let end = 1_000_000_240_000 + burst as i64 * 2_200_000 + n * 3_000;
                let second = end - end.rem_euclid(1_000_000);
                let length = 26_000 + n * 500;
                let of = |end_us: i64, length_us: i64, resolution_us: u32| Sample {
                    start_us: end_us - length_us,
                    end_us,
                    resolution_us,
                    whole: true,
                    upstream: 0,
                };
                outer.offer_request(1, Some(of(second, length + added_us, 1_000_000)), TOLD);
                inner.offer_request(1, Some(of(end - 1_000 - shift_us, length, 1_000)), TOLD);
            }
        }
        (outer, inner)
    }

    #[test]
    fn bursts_are_not_taken_for_those_before_or_after() {
        // The first burst took longer at the proxy, so that only those of the second last alike in both logs.
        for shift_us in [0, 4_356_000, -31_000_000] {
            let (outer, inner) = bursts(shift_us, &[12_000, 2_000]);
            let fit = fit(&outer, &inner).unwrap();
            assert!(
                (fit.shift.us - shift_us).abs() <= fit.spread_us,
                "{shift_us}: {fit:?}"
            );
            assert_eq!(fit.pairs, 8);
        }
    }

    #[test]
    fn where_one_burst_is_as_good_as_the_next_no_offset_is_said_but_none() {
        // Of so many bursts it cannot be told whether the first or the last one has no partner.
        let added = [2_000; 20];
        let (outer, inner) = bursts(4_356_000, &added);
        assert_eq!(fit(&outer, &inner).map(|fit| fit.alone), Some(false));
        let (outer, inner) = bursts(0, &added);
        let fit = fit(&outer, &inner).unwrap();
        assert_eq!((fit.shift.us, fit.alone), (0, true));
    }

    #[test]
    fn few_stamps_of_whole_seconds_leave_much_open() {
        let (outer, inner) = bursts(70_000_000, &[2_000, 2_000]);
        let fit = fit(&outer, &inner).unwrap();
        // Two moments only, 0.24 and 0.44 s behind a whole second: what was cut off of them says little of the rest.
        assert!(fit.spread_us > 200_000, "{fit:?}");
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
