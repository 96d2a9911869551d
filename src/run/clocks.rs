//! What every input's stamps need to come to one clock: given by the user, learnt, or assumed.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use super::kept::{AllSeen, Kept};
use crate::correlate::topology::Topology;
use crate::correlate::zones::Seen;
use crate::correlate::{clocks, folds, zones};
use crate::model::finding::Clock;
use crate::model::{Fold, HopId, Micros, Shift, SourceId};
use crate::select::Survey;

/// How one input's stamps were brought to the common clock.
#[derive(Debug, Clone)]
pub(super) struct Correction {
    /// What is added to the stamps, zone and clock error together.
    pub shift: Shift,
    /// The part of it that the zone makes, in microseconds.
    pub zone_us: i64,
    /// The zone, as reports write it.
    pub zone: String,
    /// `logged`, `given`, `learnt` or `assumed`.
    pub zone_origin: &'static str,
    /// The clock's error, if one was found or given.
    pub clock: Option<Clock>,
}

/// What is known of an input before clocks are settled.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Its hop.
    pub hop: HopId,
    /// Zone given by the user, by name.
    pub given_zone: Option<String>,
    /// Clock correction given by the user.
    pub given_us: Option<i64>,
}

/// The correction of every input. `skew` says whether clock errors are corrected at all (zones always are).
pub(super) fn settle(
    facts: &BTreeMap<SourceId, Facts>,
    (survey, kept): (&Survey, &Kept),
    topology: &Topology,
    folds: &BTreeMap<SourceId, Fold>,
    skew: bool,
) -> BTreeMap<SourceId, Correction> {
    let mut all = BTreeMap::new();
    // Looked at only where a log does not say its zone.
    let seen = LazyCell::new(|| {
        let is_unknown =
            |source: &SourceId| survey.inputs.get(source).is_some_and(|input| input.zone_unknown);
        let (failing, mut requested): (BTreeSet<_>, BTreeSet<_>) =
            facts.keys().copied().partition(is_unknown);
        let hops: BTreeSet<HopId> = failing.iter().map(|source| facts[source].hop).collect();
        requested.retain(|source| hops.contains(&facts[source].hop));
        kept.seen(&failing, &requested)
    });
    for (&source, fact) in facts {
        let mut correction = correction(source, fact, facts, (survey, &|| &*seen), topology, skew);
        let fold = folds.get(&source).copied();
        correction.shift.fold = correction.shift.fold.or(fold);
        all.insert(source, correction);
    }
    all
}

fn correction<'k>(
    source: SourceId,
    fact: &Facts,
    facts: &BTreeMap<SourceId, Facts>,
    (survey, seen): (&Survey, &dyn Fn() -> &'k AllSeen),
    topology: &Topology,
    skew: bool,
) -> Correction {
    let zone_unknown = |source: &SourceId| survey.inputs.get(source).is_some_and(|input| input.zone_unknown);
    let unknown = zone_unknown(&source);
    let learnt = topology.clocks.get(&fact.hop);
    let logs_requests = survey.inputs.get(&source).is_some_and(|input| input.requests > 0);
    // The hop's clock error: all of the fit if its requests say their zone, else what no zone explains.
    let hop_unknown = facts
        .iter()
        .filter(|(_, other)| other.hop == fact.hop)
        .any(|(other, _)| {
            zone_unknown(other) && survey.inputs.get(other).is_some_and(|input| input.requests > 0)
        });
    let (hop_zone, hop_skew) = match learnt {
        Some((shift, _)) if hop_unknown => {
            let (zone, us) = clocks::zone_and_skew(shift.us);
            (zone, Shift { us, ..*shift })
        }
        Some((shift, _)) => (0, *shift),
        None => (0, Shift::default()),
    };
    let mut fold = None;
    let (zone_us, zone, zone_origin) = match (&fact.given_zone, unknown) {
        (Some(name), true) => (0, name.clone(), "given"),
        (Some(_), false) | (None, false) => (0, "logged".to_owned(), "logged"),
        (None, true) if logs_requests && learnt.is_some() => (hop_zone, offset_name(-hop_zone), "learnt"),
        (None, true) => match failure_zone(source, fact.hop, facts, seen()) {
            Some((us, change)) => {
                fold = change;
                (us, offset_name(-us), "learnt")
            }
            None => (0, "+00:00".to_owned(), "assumed"),
        },
    };
    let (clock_shift, clock) = match (fact.given_us, learnt) {
        (Some(us), _) => (Shift::of(us), Some(clock_of(Shift::of(us), 0, 0))),
        (None, Some((_, fit))) if skew && (hop_skew.us != 0 || hop_skew.drift_ppb != 0) => {
            (hop_skew, Some(clock_of(hop_skew, fit.pairs, fit.spread_us)))
        }
        _ => (Shift::default(), None),
    };
    Correction {
        shift: Shift {
            us: zone_us + clock_shift.us,
            fold,
            ..clock_shift
        },
        zone_us,
        zone,
        zone_origin,
        clock,
    }
}

fn clock_of(shift: Shift, pairs: u32, spread_us: i64) -> Clock {
    let drifts = shift.drift_ppb != 0;
    Clock {
        offset_ms: shift.us as f64 / 1_000.0,
        pairs,
        spread_ms: spread_us as f64 / 1_000.0,
        drift_ppm: drifts.then_some(shift.drift_ppb as f64 / 1_000.0),
        offset_at: drifts.then_some(Micros(shift.pivot_us)),
    }
}

/// What to add to the stamps of an error log without zone, from the requests of the same hop, and where that changes.
fn failure_zone(
    source: SourceId,
    hop: HopId,
    facts: &BTreeMap<SourceId, Facts>,
    seen: &AllSeen,
) -> Option<(i64, Option<Fold>)> {
    let failures: Vec<&Seen> = seen.failures.get(&source)?.iter().collect();
    let of_hop = seen
        .requests
        .iter()
        .filter(|(other, _)| facts.get(other).is_some_and(|f| f.hop == hop));
    let requests: Vec<&Seen> = of_hop.flat_map(|(_, all)| all).collect();
    if let Some((us, fold)) = folds::of_failures(&failures, &requests) {
        return Some((us, Some(fold)));
    }
    zones::of_failures(&failures, &requests).map(|(us, _)| (us, None))
}

/// `+05:30` for the offset of a zone in microseconds east of UTC.
fn offset_name(east_us: i64) -> String {
    let minutes = east_us / 60_000_000;
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}
