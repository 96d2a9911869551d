//! What is looked for in the second pass, failure by failure.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use rustc_hash::FxHashSet;
use why502_parsers::entry::{Fault, Signal};

use crate::correlate::details::{Visit, visits};
use crate::correlate::join::spellings;
use crate::model::{FINE_US, Hop, HopId, Place, Record, ids};
use crate::select::Search;

/// What is known of a hop's logs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// It logs requests.
    pub(super) logs_requests: bool,
    /// Those name their upstream, attempt by attempt.
    pub(super) names_upstreams: bool,
    /// How many requests its connections carry at most, where its logs count them and many reach that number.
    pub(super) most_carried: Option<u32>,
}

/// One search per failure of `seeds`, and the seeds again. Error lines that belong to a failure already found need
/// none of their own.
pub(super) fn searches(
    seeds: Vec<Record>,
    prior: &BTreeMap<Place, Vec<i64>>,
    known: &(dyn Fn(HopId) -> Known + Sync),
    hops: &[Hop],
    is_wanted: &(dyn Fn(u16) -> bool + Sync),
) -> (Vec<Search>, Vec<Record>) {
    let mut by_hop: BTreeMap<HopId, Vec<Record>> = BTreeMap::new();
    for record in seeds {
        by_hop.entry(record.hop).or_default().push(record);
    }
    let of_hop = |(hop, records): (HopId, Vec<Record>)| {
        let visits = visits(records, &hops[hop.0 as usize].logs);
        let searches: Vec<Search> = visits
            .iter()
            .filter_map(|visit| search(visit, prior, known, hops, is_wanted))
            .collect();
        let records: Vec<Record> = visits.into_iter().flat_map(Visit::into_records).collect();
        (searches, records)
    };
    let (searches, records): (Vec<_>, Vec<_>) = by_hop.into_par_iter().map(of_hop).unzip();
    (
        searches.into_iter().flatten().collect(),
        records.into_iter().flatten().collect(),
    )
}

fn search(
    visit: &Visit,
    prior: &BTreeMap<Place, Vec<i64>>,
    known_of: &dyn Fn(HopId) -> Known,
    hops: &[Hop],
    is_wanted: &dyn Fn(u16) -> bool,
) -> Option<Search> {
    let known = known_of(visit.hop());
    let interval = visit.interval()?;
    let place = visit.records().next()?.place;
    let signals: Vec<Signal> = visit.records().filter_map(|record| record.signal).collect();
    let is_orphan = visit.outcome.is_none();
    let path = visit.text(|record| &record.path);
    // An error line whose request was answered otherwise than asked for: where access lines list their attempts, a
    // request that a retry saved has been found by itself.
    let is_settled = is_orphan
        && known.logs_requests
        && known.names_upstreams
        && !signals.iter().any(|signal| may_end_in(signal.fault, is_wanted));
    let method = visit.text(|record| &record.method);
    let mut requests = Vec::new();
    if !path.is_empty() && !is_settled {
        let spelt = spellings(hops, visit.hop(), path);
        requests.extend(
            spelt
                .iter()
                .map(|path| ids::request_key(method.as_bytes(), path.as_bytes())),
        );
    }
    let resolution_us = visit
        .records()
        .map(|record| record.resolution_us)
        .max()
        .unwrap_or(0);
    let timed_out = signals.iter().any(|signal| signal.fault == Fault::TimedOut);
    let knows_gap =
        resolution_us < FINE_US && visit.records().any(|record| prior.contains_key(&record.place));
    let hop = visit.hop();
    let upstreams = &hops[hop.0 as usize].upstreams;
    let counts = upstreams.iter().any(|&hop| known_of(hop).most_carried.is_some());
    let needs_gap = (!knows_gap || counts) && !is_settled && may_be_a_race(visit, &signals);
    Some(Search {
        place,
        hop,
        interval,
        resolution_us,
        requests,
        has_ids: !visit.ids().is_empty(),
        everywhere: !is_orphan || !known.logs_requests,
        gave_up: timed_out || interval.1 - interval.0 >= 1_000_000,
        served_by: if needs_gap { upstreams.clone() } else { Vec::new() },
        knows_gap: !counts && finds_gap(visit, prior),
    })
}

/// Whether the outcome's own stamps tell when its upstream was used last, so that the upstream's log is not asked.
fn finds_gap(visit: &Visit, prior: &BTreeMap<Place, Vec<i64>>) -> bool {
    let is_fine = |outcome: &&Record| outcome.resolution_us < FINE_US && outcome.duration_us.is_some();
    let Some(outcome) = visit.outcome.as_ref().filter(is_fine) else {
        return false;
    };
    let waited = i64::try_from(outcome.queue_us.get().unwrap_or(0)).unwrap_or(0);
    let (Some((start, _)), Some(ends)) = (outcome.interval(), prior.get(&outcome.place)) else {
        return false;
    };
    ends.iter().any(|&end| end <= start + waited)
}

/// Whether a failure of this kind can have been answered with a status that is asked for.
pub(super) fn may_end_in(fault: Fault, is_wanted: &dyn Fn(u16) -> bool) -> bool {
    match fault {
        Fault::ClientGone => is_wanted(499),
        Fault::TimedOut => is_wanted(504),
        _ => true,
    }
}

/// Only for a connection that ended without an answer does it matter how long it had been idle.
fn may_be_a_race(visit: &Visit, signals: &[Signal]) -> bool {
    let cut = |signal: &Signal| {
        matches!(
            signal.fault,
            Fault::Closed
                | Fault::Reset
                | Fault::ResetOrClosed
                | Fault::BrokenPipe
                | Fault::IdleClosed
                | Fault::TimedOut
        )
    };
    signals.iter().any(cut) || (signals.is_empty() && visit.outcome.is_some())
}

/// The pairs of hops whose records are joined by id, with every hop that needs no other way beside itself.
pub(super) fn by_id(pairs: &FxHashSet<(HopId, HopId)>, hops: &[Hop]) -> FxHashSet<(HopId, HopId)> {
    let mut all = pairs.clone();
    let ids = || (0..hops.len() as u16).map(HopId);
    for hop in ids() {
        let neighbours: BTreeSet<HopId> = ids()
            .filter(|other| {
                hops[hop.0 as usize].upstreams.contains(other)
                    || hops[other.0 as usize].upstreams.contains(&hop)
            })
            .collect();
        if neighbours.iter().all(|&other| pairs.contains(&(hop, other))) {
            all.insert((hop, hop));
        }
    }
    // Hops further apart than one step are joined by way of those between, if each step is by id.
    for (a, b) in ids().flat_map(|a| ids().map(move |b| (a, b))) {
        let both = all.contains(&(a, a)) && all.contains(&(b, b));
        if a != b && both {
            all.insert((a, b));
        }
    }
    all
}
