//! Gathers what belongs to the failures and joins it, stretch by stretch of time.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use super::passes::Reading;
use super::seeds::{Stretch, instant};
use super::unmatched::Unmatched;
use super::{Map, idle, search, second};
use crate::correlate;
use crate::error::Error;
use crate::model::finding::Problem;
use crate::model::{HopId, Link, Place, Record, SourceId, Trace, Traces};
use crate::report::progress::Progress;
use crate::select::Survey;
use crate::select::gather::{Served, Wanted};

/// How often ids found along the way lead to further reading.
const WIDENINGS: usize = 2;

/// The failures' traces, with how long their upstreams had been idle.
pub(super) struct Joined {
    pub(super) traces: Traces,
    /// When each hop wrote error lines that were found to belong to no request.
    pub(super) stray: BTreeMap<HopId, Vec<i64>>,
    /// What is said of these.
    pub(super) problems: Vec<Problem>,
}

/// What joining rests on.
pub(super) struct Run<'r> {
    pub(super) readings: &'r [Reading<'r>],
    pub(super) survey: &'r Survey,
    pub(super) map: &'r Map,
    pub(super) wanted: &'r (dyn Fn(u16) -> bool + Sync),
    pub(super) progress: &'r Progress,
}

/// Joins the failures of all stretches, and takes out those that `unmatched` takes.
pub(super) fn join(
    run: &Run<'_>,
    stretches: Vec<Stretch>,
    mut unmatched: Option<Unmatched<'_>>,
) -> Result<Joined, Error> {
    let map = run.map;
    let of_hops: Vec<search::Known> = (0..map.hops.len() as u16)
        .map(|hop| map.known(run.survey, HopId(hop)))
        .collect();
    let known = |hop: HopId| of_hops.get(hop.0 as usize).copied().unwrap_or_default();
    let carried = |hop| known(hop).most_carried;
    let mut traces = Traces::default();
    for stretch in stretches {
        let time = stretch.own.clone();
        let (mut failures, mut prior) = (Vec::new(), BTreeMap::new());
        for (record, ends) in stretch.into_list() {
            if !ends.is_empty() {
                prior.insert(record.place, ends);
            }
            failures.push(record);
        }
        let own: FxHashSet<Spot> = failures.iter().map(spot).collect();
        let (joined, served) = join_stretch(run, failures, &own, &prior, &known)?;
        for trace in joined {
            let Some(failed) = first_failure(&trace, &own) else {
                continue;
            };
            // What is around the stretch is told by those before and after it.
            let is_own = time
                .as_ref()
                .is_none_or(|time| instant(failed).is_some_and(|us| time.contains(&us)));
            let is_taken = |unmatched: &mut Unmatched<'_>| unmatched.takes(&trace, traces.len());
            if is_own && !unmatched.as_mut().is_some_and(is_taken) {
                let gaps = idle::gaps(&trace, &prior, &served, &map.hops, &carried);
                traces.push(&trace, &gaps);
            }
        }
    }
    traces.settle();
    let taken = unmatched.map(|unmatched| unmatched.finish(&mut traces));
    let (stray, problems) = taken.map_or_else(Default::default, |taken| (taken.at_of, taken.problems));
    Ok(Joined {
        traces,
        stray,
        problems,
    })
}

/// Gathers what belongs to `failures` and joins it; ids found along the way are followed. Besides, when requests had been
/// served last.
fn join_stretch(
    run: &Run<'_>,
    failures: Vec<Record>,
    own: &FxHashSet<Spot>,
    prior: &BTreeMap<Place, Vec<i64>>,
    known: &(dyn Fn(HopId) -> search::Known + Sync),
) -> Result<(Vec<Trace>, Served), Error> {
    let &Run {
        readings,
        survey,
        map,
        wanted,
        progress,
    } = run;
    let (searches, mut records) = search::searches(failures, prior, known, &map.hops, wanted);
    let by_id = search::by_id(&map.by_id, &map.hops);
    let mut wanted = Wanted::new(&searches, &records, by_id.clone());
    drop(searches);
    progress.phase("gathering");
    let mut gathered = second::gather(readings, survey, &wanted, progress)?;
    progress.phase("joining");
    let served = gathered.take_served();
    let mut more = gathered.into_records();
    let mut traces = Vec::new();
    for round in 0..=WIDENINGS {
        records.append(&mut more);
        traces = correlate::join(records, &map.hops);
        // Between hops that write the same ids, other ids lead nowhere new.
        let about = traces
            .iter()
            .filter(|trace| first_failure(trace, own).is_some())
            .flat_map(|trace| &trace.links);
        let leading = about
            .flat_map(Link::records)
            .filter(|r| !by_id.contains(&(r.hop, r.hop)));
        let Some(wider) = wanted.widened(leading).filter(|_| round < WIDENINGS) else {
            break;
        };
        more = second::gather(readings, survey, &wider, progress)?.into_records();
        let known: FxHashSet<Spot> = traces
            .iter()
            .flat_map(|t| &t.links)
            .flat_map(Link::records)
            .map(spot)
            .collect();
        more.retain(|record| !known.contains(&spot(record)));
        if more.is_empty() {
            break;
        }
        wanted.take_ids(wider);
        records = traces
            .drain(..)
            .flat_map(|trace| trace.links)
            .flat_map(Link::into_records)
            .collect();
    }
    Ok((traces, served))
}

/// The earliest failure of a trace; `None` if there are only neighbours of some in it.
fn first_failure<'t>(trace: &'t Trace, own: &FxHashSet<Spot>) -> Option<&'t Record> {
    let records = trace.links.iter().flat_map(Link::records);
    let failures = records.filter(|record| own.contains(&spot(record)));
    failures.min_by_key(|record| (instant(record), record.place))
}

/// What of a place tells it from all others.
type Spot = (SourceId, u64);

fn spot(record: &Record) -> Spot {
    (record.place.source, record.place.offset)
}
