//! Says why each failed request failed.
//!
//! For each trace: find the hop that made the status (`issuer`), gather what is known of its failed
//! exchange (`case`), ask the rules in their order (`rules`), turn the first that fires into a
//! finding (`finding`). Facts about the run as a whole come from `survey`, `burst` and `learn`.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::limits::{Count, Limits, Route, Scope};
use crate::model::finding::{Inference, NearMiss};
use crate::model::{Findings, Hop, HopId, Limit, LimitKind, Micros, Place, Record, Stats, Trace};

mod burst;
mod case;
mod derive;
mod exchange;
mod explain;
mod finding;
mod fix;
mod incident;
mod issuer;
mod learn;
mod load;
mod near_miss;
mod rules;
mod survey;
mod wait;
mod weigh;
mod what_if;
mod words;

#[cfg(test)]
mod tests;

pub use explain::Judgement;
pub use incident::incidents;

/// Everything the classification rests on.
pub struct World<'a> {
    /// The hops, indexed by [`HopId`].
    pub hops: &'a [Hop],
    /// Coverage and load of each hop.
    pub stats: &'a Stats,
    /// Timeouts and keep-alives of each hop.
    pub limits: &'a dyn Timers,
    /// Server events (worker died, reload, server down or up), by time, with their hop.
    pub events: &'a [Record],
    /// By place of a link's outcome: how long its upstream had been idle when the request was sent to it, in
    /// microseconds; a lower bound for the connection that was used.
    pub idle_us: &'a BTreeMap<Place, i64>,
    /// By place of a link's outcome: how many requests the connection that its upstream had used last before it had
    /// carried, where that is the most that any connection to that upstream carried.
    pub used_up: &'a BTreeMap<Place, u32>,
    /// All traces of the run.
    pub traces: &'a [Trace],
    /// When each hop wrote error lines that were found to belong to no request and are in no trace (common clock).
    pub stray: &'a BTreeMap<HopId, Vec<i64>>,
    /// Whether a status was asked for.
    pub wanted: &'a (dyn Fn(u16) -> bool + Sync),
    /// Whether answers that broke off were asked for: their status does not show it.
    pub truncated: bool,
    /// Whether an instant (microseconds since the epoch, common clock) was asked for.
    pub in_window: &'a (dyn Fn(i64) -> bool + Sync),
}

impl World<'_> {
    pub(crate) fn hop_name(&self, hop: HopId) -> &str {
        self.hops.get(hop.0 as usize).map_or("", |h| &h.name)
    }
}

/// What is asked of the limits. [`Limits`] is the one implementation outside tests.
pub trait Timers: Sync {
    /// See [`Limits::get`].
    fn get(&self, hop: HopId, kind: LimitKind, scope: &Scope<'_>) -> Option<Limit>;
    /// See [`Limits::pooled`].
    fn pooled(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool>;
    /// See [`Limits::upstream_tls`].
    fn upstream_tls(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool>;
    /// See [`Limits::behind`].
    fn behind(&self, _address: &str, _kind: LimitKind) -> Option<Limit> {
        None
    }
    /// See [`Limits::counts`].
    fn counts(&self, _hop: HopId) -> &[Count] {
        &[]
    }
    /// See [`Limits::route`].
    fn route(&self, _hop: HopId, _scope: &Scope<'_>) -> Option<&Route> {
        None
    }
}

impl Timers for Limits {
    fn get(&self, hop: HopId, kind: LimitKind, scope: &Scope<'_>) -> Option<Limit> {
        Self::get(self, hop, kind, scope)
    }

    fn pooled(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool> {
        Self::pooled(self, hop, scope)
    }

    fn upstream_tls(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool> {
        Self::upstream_tls(self, hop, scope)
    }

    fn behind(&self, address: &str, kind: LimitKind) -> Option<Limit> {
        Self::behind(self, address, kind)
    }

    fn counts(&self, hop: HopId) -> &[Count] {
        Self::counts(self, hop)
    }

    fn route(&self, hop: HopId, scope: &Scope<'_>) -> Option<&Route> {
        Self::route(self, hop, scope)
    }
}

/// The result of the classification.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// One per failed request with a wanted status, by time and id.
    pub findings: Findings,
    /// The trace of each of them, by its number.
    pub traces: Vec<usize>,
    /// Failures that a retry hid, by hop, upstream and cause.
    pub near_misses: Vec<NearMiss>,
    /// Answers that broke off, if they were not asked for: when.
    pub truncated: Vec<Micros>,
    /// Limits learnt from the failures together.
    pub inferences: Vec<Inference>,
}

/// Classifies every trace of `world`.
pub fn classify(world: &World<'_>) -> Outcome {
    outcome(&survey::Survey::of(world))
}

/// Classifies every trace of `world`, and says of those numbered in `asked` what each rule said of them.
pub fn explain(world: &World<'_>, asked: &[usize]) -> (Outcome, Vec<Judgement>) {
    let survey = survey::Survey::of(world);
    let judged = asked.iter().map(|&n| explain::judge(&survey, n)).collect();
    (outcome(&survey), judged)
}

/// Traces that are judged side by side before what was found is packed: what is not packed yet takes much room.
const TOGETHER: usize = 32;

fn outcome(survey: &survey::Survey<'_>) -> Outcome {
    let world = survey.world;
    let mut findings = finding::Collected::of(world.traces.len());
    let mut misses = near_miss::Misses::default();
    let mut truncated = Vec::new();
    let all: Vec<usize> = (0..world.traces.len()).collect();
    for some in all.chunks(TOGETHER) {
        let found: Vec<Option<finding::Found>> = some
            .par_iter()
            .map(|&trace_no| finding::of_trace(survey, trace_no))
            .collect();
        for (&trace_no, found) in some.iter().zip(found) {
            match found {
                Some(found) => findings.push(&found),
                None => {
                    truncated.extend(finding::truncated(survey, trace_no));
                    misses.add(survey, trace_no);
                }
            }
        }
    }
    truncated.sort_unstable();
    let (findings, traces) = findings.identified(world.in_window);
    Outcome {
        findings,
        traces,
        near_misses: misses.into_list(survey),
        truncated,
        inferences: learn::inferences(survey),
    }
}
