//! Clocks that run at different speeds, and clocks that were set while the log was written.

use super::pairs::{Allowed, Deepest, deepest};
use crate::model::Shift;

/// Faster apart than this (in thousand millionths) clocks do not drift; a crystal is a hundred times better.
const FASTEST_PPB: i64 = 1_000_000;

/// Shorter spans show no drift that matters.
const SHORTEST_US: i64 = 30_000_000;

/// Fewer pairs than this say nothing about a drift.
const FEWEST: usize = 20;

/// Parts into which the time is cut.
const PARTS: usize = 8;

/// Pairs that a part must have to be heard.
const PART_FEWEST: u32 = 5;

/// Offsets that change evenly with time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Drifting {
    /// The offsets at the pivot that most pairs allow, with this drift.
    pub best: Deepest,
    /// Change of the offset, in nanoseconds per second.
    pub ppb: i64,
    /// The stamp at which `best` holds.
    pub pivot_us: i64,
}

/// The drift that clearly more pairs allow than the best constant offset, if there is one.
pub(super) fn of(pairs: &[Allowed], constant: &Deepest) -> Option<Drifting> {
    let middle = constant.low.midpoint(constant.high);
    let (first, last) = span(pairs)?;
    let length = last - first;
    if length < SHORTEST_US || pairs.len() < FEWEST {
        return None;
    }
    let reach = length / 1_000_000 * FASTEST_PPB / 1_000 + 50_000;
    let near: Vec<Allowed> = pairs
        .iter()
        .filter(|pair| pair.low - reach <= middle && middle <= pair.high + reach)
        .copied()
        .collect();
    // No drift is allowed by more pairs than there are.
    let clearly = constant.pairs + (constant.pairs / 20).max(3);
    if near.len() < clearly as usize {
        return None;
    }
    let pivot_us = first.midpoint(last);
    let slope = slope(&near, first, length)?;
    // A step moves the ends of the span by as much as a pair leaves open, then by ever less.
    let mut best = Drifting {
        best: *constant,
        ppb: 0,
        pivot_us,
    };
    let mut center = slope;
    for step_us in [8_000, 1_000, 200] {
        let step = (step_us * 1_000_000 / (length / 2_000).max(1)).max(1);
        let tried: Vec<Drifting> = (-8..=8)
            .filter_map(|k| at(&near, center + k * step, pivot_us))
            .collect();
        let most = tried.iter().map(|one| one.best.pairs).max()?;
        let equal: Vec<&Drifting> = tried.iter().filter(|one| one.best.pairs == most).collect();
        best = *equal[equal.len() / 2];
        center = best.ppb;
    }
    (best.best.pairs >= clearly && best.ppb.abs() <= FASTEST_PPB).then_some(best)
}

/// Earliest and latest stamp, leaving out the farthest fiftieth on either side.
fn span(pairs: &[Allowed]) -> Option<(i64, i64)> {
    let mut at: Vec<i64> = pairs.iter().map(|pair| pair.at_us).collect();
    at.sort_unstable();
    let cut = at.len() / 50;
    Some((*at.get(cut)?, *at.get(at.len().checked_sub(1 + cut)?)?))
}

/// What the pairs allow at the pivot if the clocks drift by `ppb`.
fn at(pairs: &[Allowed], ppb: i64, pivot_us: i64) -> Option<Drifting> {
    let line = Shift {
        us: 0,
        drift_ppb: ppb,
        pivot_us,
        fold: None,
    };
    let moved: Vec<Allowed> = pairs
        .iter()
        .map(|pair| pair.less(line.without_fold(pair.at_us)))
        .collect();
    Some(Drifting {
        best: deepest(&moved)?,
        ppb,
        pivot_us,
    })
}

/// The pairs by time, in [`PARTS`] equally long parts.
fn parts(pairs: &[Allowed], first: i64, length: i64) -> Vec<Vec<Allowed>> {
    let mut parts = vec![Vec::new(); PARTS];
    for pair in pairs {
        let part = (pair.at_us - first).max(0) as i128 * PARTS as i128 / i128::from(length.max(1));
        parts[usize::try_from(part).unwrap_or(0).min(PARTS - 1)].push(*pair);
    }
    parts
}

/// The median change between the parts' best offsets (Theil and Sen), in nanoseconds per second.
fn slope(pairs: &[Allowed], first: i64, length: i64) -> Option<i64> {
    let points: Vec<(i64, i64)> = parts(pairs, first, length)
        .iter()
        .filter_map(|part| {
            let best = deepest(part).filter(|best| best.pairs >= PART_FEWEST)?;
            let offset = best.low.midpoint(best.high);
            let of_it: Vec<i64> = part
                .iter()
                .filter(|pair| pair.contains(offset))
                .map(|pair| pair.at_us)
                .collect();
            let sum: i128 = of_it.iter().map(|&at| i128::from(at)).sum();
            Some((i64::try_from(sum / of_it.len().max(1) as i128).ok()?, offset))
        })
        .collect();
    let mut slopes: Vec<i64> = Vec::new();
    for (n, a) in points.iter().enumerate() {
        for b in points[n + 1..].iter().filter(|b| b.0 > a.0) {
            let ppb = i128::from(b.1 - a.1) * 1_000_000_000 / i128::from(b.0 - a.0);
            slopes.extend(i64::try_from(ppb));
        }
    }
    slopes.sort_unstable();
    slopes.get(slopes.len() / 2).copied()
}

/// Offsets this far off are looked at where requests are not told apart by ids: beyond, other requests agree by chance.
const CHANCE_US: i64 = 10_000_000;

/// Whether at no time another offset is allowed by far more pairs than that of `shift`.
pub(super) fn is_steady(pairs: &[Allowed], shift: Shift, by_id: bool) -> bool {
    // Requests that are not told apart by ids agree on other offsets by chance.
    let (enough, share) = if by_id {
        (2 * PART_FEWEST, 2)
    } else {
        (6 * PART_FEWEST, 6)
    };
    let Some((first, last)) = span(pairs) else {
        return true;
    };
    let near = |pair: &&Allowed| {
        let offset = shift.without_fold(pair.at_us);
        by_id || (pair.low - CHANCE_US <= offset && offset <= pair.high + CHANCE_US)
    };
    let near: Vec<Allowed> = pairs.iter().filter(near).copied().collect();
    parts(&near, first, last - first).iter().all(|part| {
        let agree = part
            .iter()
            .filter(|pair| pair.contains(shift.without_fold(pair.at_us)))
            .count() as u32;
        deepest(part).is_none_or(|best| best.pairs < enough || agree * share >= best.pairs)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pair a second for ten minutes, each leaving 4 ms open around `offset`.
    fn pairs(offset: impl Fn(i64) -> i64) -> Vec<Allowed> {
        let one = |n: i64| {
            let at_us = n * 1_000_000;
            let off = offset(at_us) + n * 7 % 3_000 - 1_500;
            Allowed {
                at_us,
                low: off - 2_000,
                high: off + 2_000,
                middle: off,
                resolution_us: 2,
                alike: true,
            }
        };
        (0..600).map(one).collect()
    }

    #[test]
    fn a_drift_is_told_from_a_constant_offset() {
        let drifting = pairs(|at| 40_000 + at / 10_000); // 100 ppm: 60 ms in ten minutes.
        let found = of(&drifting, &deepest(&drifting).unwrap()).unwrap();
        assert!((found.ppb - 100_000).abs() < 5_000, "{found:?}");
        let constant = pairs(|_| 40_000);
        assert_eq!(of(&constant, &deepest(&constant).unwrap()), None);
    }

    #[test]
    fn a_clock_that_was_set_is_not_steady() {
        let set = pairs(|at| if at < 400_000_000 { 0 } else { 900_000 });
        assert!(!is_steady(&set, Shift::of(0), true));
        assert!(!is_steady(&set, Shift::of(0), false));
        assert!(is_steady(&pairs(|_| 0), Shift::of(0), true));
    }
}
