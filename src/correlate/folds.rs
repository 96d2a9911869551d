//! The hour that is put back or forward while a log is written whose stamps do not say their zone.
//!
//! Where the clocks go back, the stamps of the file go back with them, which its own order shows. Where they go forward
//! the file shows a gap, as after an hour without requests: only requests that another log has too can tell the two
//! apart, and so can they wherever they are. Error logs are compared with the requests that their lines belong to.

use super::clocks;
use super::zones::{ByPath, Seen};
use crate::model::Fold;
use crate::select::sketch::Sketch;
use crate::select::steps::Step;

/// By how much zones change: an hour, or half of one (Lord Howe Island).
const CHANGES_US: [i64; 2] = [3_600_000_000, 1_800_000_000];

/// Time between the last line before the change and the first one after it, where nothing but the file's own order
/// speaks for a change.
const BETWEEN_ALONE_US: i64 = 120_000_000;

/// Stamps may be this much out of order.
const JITTER_US: i64 = 120_000_000;

/// Requests that began before the change end within this time after it.
const MIXED_US: i64 = 600_000_000;

/// Local hours at which clocks are put back to the hour before.
const HOURS: std::ops::RangeInclusive<i64> = 0..=4;

/// Gaps that are tried, those nearest to the change first.
const TRIED: usize = 8;

/// Fewer requests than this that speak for a change are chance.
const FEWEST: u32 = 5;

/// What is tried for a jump of the stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Try {
    step: Step,
    us: i64,
}

impl Try {
    /// The change that `step` can be, if any.
    fn of(step: &Step) -> impl Iterator<Item = Self> + '_ {
        let gone = step.to_us - step.from_us;
        CHANGES_US.iter().filter_map(move |&change| {
            let back = (change - change * 2 / 5..=change + JITTER_US).contains(&-gone);
            let forward = gone >= change - JITTER_US;
            let us = if back { change } else { -change };
            (back || forward).then_some(Self { step: *step, us })
        })
    }

    fn is_back(self) -> bool {
        self.us > 0
    }

    /// How far the jump is from the change alone.
    fn odd_us(self) -> i64 {
        (self.step.to_us - self.step.from_us + self.us).abs()
    }

    /// Whether the file's order alone is enough: the stamps go back to the hour before, at night, with nothing between.
    fn shows_by_itself(self) -> bool {
        let hour_us = CHANGES_US[0];
        let whole = (self.step.from_us + JITTER_US).div_euclid(hour_us);
        let at_the_hour = self.step.to_us + JITTER_US >= (whole - 1) * hour_us;
        self.is_back()
            && self.step.from_us <= whole * hour_us + JITTER_US
            && self.odd_us() <= BETWEEN_ALONE_US
            && at_the_hour
            && HOURS.contains(&whole.rem_euclid(24))
    }

    /// What is to be added to a stamp of which it is not known where it stands; `None` where it may be of either side.
    /// The stamps of the file's first and last line are given.
    fn moves(self, us: i64, (first_us, last_us): (i64, i64)) -> Option<i64> {
        let Step { from_us, to_us, .. } = self.step;
        if !self.is_back() {
            return Some(if us >= to_us - JITTER_US { self.us } else { 0 });
        }
        let before = us >= first_us - JITTER_US && us <= from_us + JITTER_US;
        let after = us >= to_us - JITTER_US && us <= last_us + JITTER_US;
        match (before, after) {
            (true, false) => Some(0),
            (false, true) => Some(self.us),
            _ => None,
        }
    }

    /// The change, with all jumps of the log: where its lines are stamped as requests begin, those that began before
    /// the change come among the others.
    fn fold(self, steps: &[Step]) -> Fold {
        let Step {
            from_us,
            to_us,
            offset,
        } = self.step;
        let near = |us: i64| (us - from_us).abs() <= MIXED_US || (us - to_us).abs() <= MIXED_US;
        let later = steps.iter().filter(|step| step.offset > offset);
        let mixed = later.take_while(|step| near(step.from_us) && near(step.to_us));
        Fold {
            from: offset,
            to: u64::MAX,
            us: self.us,
            after_us: from_us.max(to_us),
            mixed_to: mixed.map(|step| step.offset).last().unwrap_or(0),
            between_us: from_us.midpoint(to_us),
        }
    }
}

/// The change in the log of requests with these jumps and samples, and the samples with it undone. `ends` are the stamps
/// of the log's first and last line, `others` the samples of other hops.
pub fn of_requests(
    steps: &[Step],
    own: &Sketch,
    ends: (i64, i64),
    others: &[&Sketch],
) -> Option<(Fold, Sketch)> {
    let mut tries: Vec<Try> = steps.iter().flat_map(Try::of).collect();
    tries.sort_by_key(|one| (!one.is_back(), one.odd_us(), one.step.offset));
    tries.truncate(TRIED);
    let agree = |sketch: &Sketch| {
        let fits = others
            .iter()
            .flat_map(|other| [clocks::fit(other, sketch), clocks::fit(sketch, other)]);
        fits.flatten().map(|fit| fit.pairs).max().unwrap_or(0)
    };
    let judged = |one: Try| {
        let changed = own.moved(&|us| one.moves(us, ends));
        let unchanged = own.moved(&|us| one.moves(us, ends).map(|_| 0));
        let (with, without) = (agree(&changed), agree(&unchanged));
        let clearly = FEWEST.max(without / 20);
        let fits = with >= without + clearly || (one.shows_by_itself() && without < with + clearly);
        fits.then_some((one, with, changed))
    };
    let found = tries.into_iter().filter_map(judged);
    let best = found.reduce(|a, b| if b.1 > a.1 { b } else { a });
    best.map(|(one, _, changed)| (one.fold(steps), changed))
}

/// The change between whole logs of one hop: what is to be added to the stamps of `own` so that they are in the zone of
/// `reference`, by the requests that both share with `other`. `None` if they are in one zone.
pub fn between(reference: &Sketch, own: &Sketch, other: &Sketch) -> Option<Fold> {
    let offset = |sketch: &Sketch| {
        let there = clocks::fit(other, sketch).map(|fit| (fit.pairs, fit.shift.us));
        let back = clocks::fit(sketch, other).map(|fit| (fit.pairs, -fit.shift.us));
        there.max(back).filter(|&(pairs, _)| pairs >= 2 * FEWEST)
    };
    let us = offset(own)?.1 - offset(reference)?.1;
    let is_near = |&change: &i64| (us - change).abs() <= JITTER_US;
    let change = CHANGES_US.iter().flat_map(|&us| [us, -us]).find(is_near)?;
    Some(Fold {
        from: 0,
        to: u64::MAX,
        us: change,
        after_us: i64::MIN,
        mixed_to: 0,
        between_us: 0,
    })
}

/// The change among `failures` (error lines of one log, as logged, in the order of the file), by the `requests` of the
/// same hop (on the common clock, but for the hop's clock error) that they belong to, and the zone before it. `None` if
/// one zone fits as many of them.
pub fn of_failures(failures: &[&Seen], requests: &[&Seen]) -> Option<(i64, Fold)> {
    let by_path = ByPath::of(requests);
    let named = failures
        .iter()
        .filter(|failure| failure.names_path())
        .take(LOOKED_AT);
    let votes: Vec<(u64, Vec<i64>)> = named
        .map(|failure| (failure.offset, by_path.zones(failure)))
        .collect();
    let mut zones: Vec<i64> = votes.iter().flat_map(|(_, zones)| zones).copied().collect();
    zones.sort_unstable();
    zones.dedup();
    let fitting = |zone: i64| votes.iter().filter(|(_, all)| all.contains(&zone)).count() as u32;
    let one_zone = zones.iter().map(|&zone| fitting(zone)).max()?;
    let mut best: Option<(u32, i64, Fold)> = None;
    for &before in &zones {
        for us in CHANGES_US.iter().flat_map(|&us| [us, -us]) {
            let after = before + us;
            if !zones.contains(&after) {
                continue;
            }
            let (count, from) = split(&votes, before, after);
            if best.as_ref().is_none_or(|best| count > best.0) {
                let fold = Fold {
                    from,
                    to: u64::MAX,
                    us,
                    after_us: i64::MAX,
                    mixed_to: 0,
                    between_us: 0,
                };
                best = Some((count, before, fold));
            }
        }
    }
    let (count, before, fold) = best?;
    (count >= one_zone + FEWEST.max(one_zone / 5)).then_some((before, fold))
}

/// Error lines that are looked at.
pub const LOOKED_AT: usize = 2_000;

/// How many lines fit `before` up to some line and `after` from there on, at best, and where that line begins.
fn split(votes: &[(u64, Vec<i64>)], before: i64, after: i64) -> (u32, u64) {
    let later: u32 = votes.iter().filter(|(_, zones)| zones.contains(&after)).count() as u32;
    let (mut count, mut best) = (later, (later, votes.first().map_or(0, |vote| vote.0)));
    for (at, (_, zones)) in votes.iter().enumerate() {
        count += u32::from(zones.contains(&before));
        count -= u32::from(zones.contains(&after));
        let next = votes.get(at + 1).map_or(u64::MAX, |vote| vote.0);
        if count > best.0 {
            best = (count, next);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::mix;
    use crate::select::sketch::{Sample, Told};

    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    /// Noon, on the day the tests play.
    const NOON: i64 = 1_793_448_000_000_000;
    const TOLD: Told<'_> = Told {
        path: b"/a",
        upstream: b"",
    };

    /// Requests of four hours by id, in a log whose stamps are moved by `moved`.
    fn log(from: i64, moved: impl Fn(i64) -> i64) -> Sketch {
        let mut sketch = Sketch::default();
        for n in 0..480u64 {
            let at = from + n as i64 * MINUTE / 2;
            let sample = Sample {
                start_us: moved(at),
                end_us: moved(at) + 40_000,
                resolution_us: 1_000,
                whole: true,
                upstream: 0,
            };
            sketch.offer_id(mix(n), Some(sample), TOLD);
        }
        sketch
    }

    /// The change found in a log of four hours from `from` on whose clocks are put by `by` half-way.
    fn found(from: i64, by: i64, others: &[&Sketch]) -> Option<i64> {
        let middle = from + 2 * HOUR;
        let moved = |at: i64| if at < middle { at } else { at + by };
        let step = Step {
            offset: 100,
            from_us: middle - MINUTE / 2,
            to_us: moved(middle),
        };
        let ends = (from, moved(from + 4 * HOUR));
        of_requests(&[step], &log(from, moved), ends, others).map(|(fold, _)| fold.us)
    }

    #[test]
    fn requests_that_another_log_has_tell_a_change_either_way() {
        let other = log(NOON, |at| at);
        assert_eq!(found(NOON, -HOUR, &[&other]), Some(HOUR));
        assert_eq!(found(NOON, HOUR, &[&other]), Some(-HOUR));
        assert_eq!(found(NOON, -HOUR / 2, &[&other]), Some(HOUR / 2));
    }

    #[test]
    fn an_hour_without_requests_is_no_change() {
        let silent = |at: i64| if at < NOON + 2 * HOUR { at } else { at + HOUR };
        assert_eq!(found(NOON, HOUR, &[&log(NOON, silent)]), None);
        assert_eq!(found(NOON, HOUR, &[]), None);
    }

    #[test]
    fn alone_a_log_shows_only_that_its_clocks_were_put_back_at_night() {
        let one_at_night = NOON - 12 * HOUR;
        assert_eq!(found(one_at_night, -HOUR, &[]), Some(HOUR));
        assert_eq!(found(NOON, -HOUR, &[]), None);
        assert_eq!(found(one_at_night + 20 * MINUTE, -HOUR, &[]), None);
        assert_eq!(found(one_at_night, HOUR, &[]), None);
    }

    #[test]
    fn a_log_that_begins_after_the_change_is_told_from_the_others_of_its_hop() {
        let other = log(NOON, |at| at);
        let (before, after) = (log(NOON, |at| at + HOUR), log(NOON, |at| at));
        assert_eq!(between(&before, &after, &other).map(|fold| fold.us), Some(HOUR));
        assert_eq!(between(&before, &before, &other), None);
    }
}
