//! Limits learnt from the logs as a whole: failures that pile up at one duration, or after one idle time.

use std::collections::{BTreeMap, BTreeSet};

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::World;
use super::exchange::Exchange;
use super::survey::{Survey, Target};
use super::words::span;
use crate::limits::idle_slack_us;
use crate::model::HopId;
use crate::model::finding::Inference;

/// Values that people write into configuration files, in milliseconds.
const HUMAN_MS: [u64; 33] = [
    500, 1_000, 1_500, 2_000, 2_500, 3_000, 4_000, 5_000, 6_000, 7_000, 8_000, 10_000, 12_000, 15_000,
    20_000, 25_000, 30_000, 40_000, 45_000, 50_000, 55_000, 57_000, 60_000, 75_000, 90_000, 100_000, 110_000,
    120_000, 180_000, 240_000, 300_000, 600_000, 900_000,
];
/// Fewer records make no pile-up.
const LEAST: usize = 3;
/// A pile-up holds at least one record in this many.
const SHARE: usize = 5;
/// Shorter failures pile up at "at once", which is no limit.
const SHORTEST_US: u64 = 450_000;
/// A pile-up is at most this wide, or a hundredth of its value.
const WIDTH_US: u64 = 50_000;
/// A race is lost up to one round trip before the limit and a little after it.
const IDLE_WIDTH_US: u64 = 150_000;

/// A value and how many records support it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value {
    /// The limit in microseconds.
    pub(crate) us: u64,
    /// Records in the pile-up.
    pub(crate) support: u32,
    /// Of those, the ones that are known to have used a pooled connection.
    pub(crate) proven: u32,
}

/// What was learnt, per hop and upstream.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// Durations at which the hop gave up.
    pub(crate) timeouts: BTreeMap<Target, Value>,
    /// Of those, the ones that ran out before the connection was made.
    connects: BTreeSet<Target>,
    /// Durations at which the upstream cut requests off.
    pub(crate) cuts: BTreeMap<Target, Value>,
    /// Idle times after which the upstream closes.
    pub(crate) idle: BTreeMap<Target, Value>,
    /// Targets whose upstream closes later than its setting says, and by how much.
    late_closers: BTreeMap<Target, u64>,
}

/// What is learnt from, failure by failure.
#[derive(Debug, Default)]
pub(crate) struct Learning {
    timeouts: BTreeMap<Target, Vec<u64>>,
    cuts: BTreeMap<Target, Vec<u64>>,
    idle: BTreeMap<Target, Vec<(u64, bool)>>,
    connects: BTreeSet<Target>,
    late_closers: BTreeMap<Target, u64>,
}

impl Learning {
    /// Takes in one failed exchange of the run.
    pub(crate) fn add(&mut self, survey: &Survey<'_>, x: &Exchange<'_>) {
        let target = target(x);
        if x.signal().is_some_and(|s| {
            s.fault == Fault::TimedOut && matches!(s.phase, Phase::Connect | Phase::ConnectOrTls | Phase::Tls)
        }) {
            self.connects.insert(target.clone());
        }
        let timed_out = x
            .signal()
            .is_none_or(|s| matches!(s.fault, Fault::TimedOut | Fault::QueueTimedOut) || names_no_timer(x));
        if let Some(lasted) = x.lasted_us {
            if timed_out {
                self.timeouts.entry(target.clone()).or_default().push(lasted);
            } else if x.is_cut() {
                self.cuts.entry(target.clone()).or_default().push(lasted);
            }
        }
        let Some(gap) = survey.idle_us(x).filter(|_| x.is_cut_without_a_byte()) else {
            return;
        };
        if sharp(x) && x.number.unwrap_or(0) == 0 {
            let proven =
                x.twin == super::exchange::Twin::First || x.outcome.is_some_and(|r| r.reused == Some(true));
            let product = survey
                .hop_behind(x)
                .and_then(|hop| survey.world.hops.get(hop.0 as usize))
                .map(|hop| hop.product);
            if let Some(slack) = product.map(idle_slack_us).filter(|us| *us > 0) {
                self.late_closers.insert(target.clone(), slack);
            }
            self.idle
                .entry(target)
                .or_default()
                .push((gap.unsigned_abs(), proven));
        }
    }

    /// What all of them teach.
    pub(crate) fn learnt(self) -> Learnt {
        let idle = self.idle.into_iter();
        Learnt {
            timeouts: pile_ups(self.timeouts),
            connects: self.connects,
            cuts: pile_ups(self.cuts),
            late_closers: self.late_closers,
            idle: idle
                .filter_map(|(target, gaps)| Some((target, idle_limit(gaps)?)))
                .collect(),
        }
    }
}

/// Apache writes the same words for a handshake that was refused and one that was not answered.
fn names_no_timer(x: &Exchange<'_>) -> bool {
    x.product == Product::Apache
        && x.signal()
            .is_some_and(|s| s.phase == Phase::Tls && matches!(s.fault, Fault::TlsRejected | Fault::Other))
}

/// Hop and upstream of `x`.
pub(crate) fn target(x: &Exchange<'_>) -> Target {
    (x.hop, super::survey::upstream_key(x))
}

/// Idle times are only worth collecting where the stamps tell tenths of a second apart.
fn sharp(x: &Exchange<'_>) -> bool {
    x.logged_us <= 100_000
}

/// The value that people write into configuration files at which a wait of `us` ended, if it ended within a few
/// milliseconds after one. By chance one wait in fifty does.
pub(crate) fn written_value(us: u64) -> Option<u64> {
    const LATE_US: u64 = 10_000;
    let mut values = HUMAN_MS.iter().map(|ms| ms * 1_000);
    values.rfind(|&value| us >= value && us - value <= LATE_US)
}

fn pile_ups(all: BTreeMap<Target, Vec<u64>>) -> BTreeMap<Target, Value> {
    all.into_iter()
        .filter_map(|(target, durations)| Some((target, pile_up(durations)?)))
        .collect()
}

/// The value at which `durations` pile up. Timers fire late and never early, so it is the lower edge,
/// put to the value a person would have written if one lies just below.
pub(crate) fn pile_up(mut durations: Vec<u64>) -> Option<Value> {
    durations.retain(|&us| us >= SHORTEST_US);
    durations.sort_unstable();
    let least = LEAST.max(durations.len().div_ceil(SHARE));
    let (from, support) = densest(&durations, |edge| WIDTH_US.max(edge / 100))?;
    let edge = durations[from];
    if support < least {
        return None;
    }
    Some(Value {
        us: human(edge)?,
        support: u32::try_from(support).unwrap_or(u32::MAX),
        proven: 0,
    })
}

fn idle_limit(mut gaps: Vec<(u64, bool)>) -> Option<Value> {
    gaps.sort_unstable();
    let values: Vec<u64> = gaps.iter().map(|g| g.0).collect();
    let (from, support) = densest(&values, |edge| IDLE_WIDTH_US.max(edge / 50))?;
    if support < LEAST || support * 2 < values.len() || values[from] < SHORTEST_US {
        return None;
    }
    let pile = &gaps[from..from + support];
    let middle = pile[support / 2].0;
    Some(Value {
        us: near_human(middle).unwrap_or(middle),
        support: u32::try_from(support).unwrap_or(u32::MAX),
        proven: pile.iter().filter(|g| g.1).count() as u32,
    })
}

/// Start and size of the window `[edge, edge + width(edge)]` that holds most of the sorted `values`.
fn densest(values: &[u64], width: impl Fn(u64) -> u64) -> Option<(usize, usize)> {
    let mut best = None;
    for (from, &edge) in values.iter().enumerate() {
        let size = values[from..].partition_point(|&v| v <= edge.saturating_add(width(edge)));
        if best.is_none_or(|(_, most)| size > most) {
            best = Some((from, size));
        }
    }
    best
}

/// The human value of which `us` could be a late firing. Coarse timers fire up to 2 s late, but those
/// products are few; here the ordinary tolerance holds.
fn human(us: u64) -> Option<u64> {
    HUMAN_MS
        .iter()
        .map(|ms| ms * 1_000)
        .filter(|&h| us.saturating_add(2_000) >= h && us <= h + late(h))
        .max()
}

/// The human value within a twentieth of `us`, for limits that are missed on both sides.
fn near_human(us: u64) -> Option<u64> {
    HUMAN_MS
        .iter()
        .map(|ms| ms * 1_000)
        .filter(|&h| us.abs_diff(h) <= 60_000.max(h / 50))
        .min_by_key(|&h| us.abs_diff(h))
}

/// By how much a timer of `limit_us` may fire late.
pub(crate) fn late(limit_us: u64) -> u64 {
    WIDTH_US.max(limit_us / 50)
}

/// The inferences as the report lists them.
pub(crate) fn inferences(world: &World<'_>, learnt: &Learnt) -> Vec<Inference> {
    let name = |hop: HopId| world.hop_name(hop).to_owned();
    let mut all = Vec::new();
    let mut add = |target: &Target, value: &Value, what: &str, note: String| {
        all.push(Inference {
            hop: name(target.0),
            what: what.to_owned(),
            value_ms: value.us as f64 / 1e3,
            support: value.support,
            note,
        });
    };
    for (target, value) in &learnt.timeouts {
        let note = format!("gives up on {} after {}", shown(target), span(value.us));
        let what = if learnt.connects.contains(target) {
            "connect_timeout"
        } else {
            "read_timeout"
        };
        add(target, value, what, note);
    }
    for (target, value) in &learnt.cuts {
        let note = format!("{} cuts requests off after {}", shown(target), span(value.us));
        add(target, value, "server_limit", note);
    }
    for (target, value) in &learnt.idle {
        let mut note = format!("{} closes connections idle for {}", shown(target), span(value.us));
        let set_us = learnt
            .late_closers
            .get(target)
            .and_then(|late| value.us.checked_sub(*late));
        if let Some(us) = set_us.filter(|us| *us > 0) {
            note.push_str(&format!(
                "; newer releases close a second after their setting, which then is {}",
                span(us)
            ));
        }
        add(target, value, "upstream_keep_alive", note);
    }
    all
}

/// An upstream as people know it.
fn shown(target: &Target) -> String {
    let name = target.1.rsplit('\u{1f}').next().unwrap_or_default();
    match name {
        "" => "its upstream".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_that_pile_up_just_above_a_round_value_give_that_value() {
        let value = pile_up(vec![3_001_000, 3_002_000, 3_004_000, 17_000, 900_000]);
        assert_eq!(value.map(|v| (v.us, v.support)), Some((3_000_000, 3)));
    }

    #[test]
    fn durations_just_below_a_round_value_are_no_timer() {
        assert_eq!(pile_up(vec![2_930_000, 2_931_000, 2_932_000]), None);
    }

    #[test]
    fn many_failures_at_once_do_not_hide_a_pile_up() {
        let value = pile_up([vec![900; 40], vec![3_001_000, 3_002_000, 3_004_000]].concat());
        assert_eq!(value.map(|v| (v.us, v.support)), Some((3_000_000, 3)));
    }

    #[test]
    fn failures_at_once_are_no_pile_up() {
        assert_eq!(pile_up(vec![1_000; 50]), None);
    }

    #[test]
    fn idle_times_around_two_seconds_give_two_seconds() {
        let gaps = vec![
            (1_989_000, true),
            (1_997_000, false),
            (2_001_000, true),
            (40_000, false),
        ];
        let value = idle_limit(gaps);
        assert_eq!(
            value.map(|v| (v.us, v.support, v.proven)),
            Some((2_000_000, 3, 2))
        );
    }
}
