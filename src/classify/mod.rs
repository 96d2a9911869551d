//! Says why each failed request failed.
//!
//! For each trace: find the hop that made the status (`issuer`), gather what is known of its failed
//! exchange (`case`), ask the rules in their order (`rules`), turn the first that fires into a
//! finding (`finding`). Facts about the run as a whole come from `survey`, `burst` and `learn`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use rayon::prelude::*;

use crate::limits::{Count, Limits, Route, Scope};
use crate::model::finding::{Inference, NearMiss};
use crate::model::{Findings, Hop, HopId, Limit, LimitKind, Micros, Record, Stats, Traces};

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
use survey::{Failures, Part, Survey, Whole};

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

/// Classifies `traces`, all there are, which are given up as they are judged.
pub fn classify(world: &World<'_>, traces: Traces) -> Outcome {
    Judging::of(world, Cow::Owned(traces), BLOCKS).outcome(&[]).0
}

/// Classifies `traces`, all there are, and says of those numbered in `asked` what each rule said of them.
pub fn explain(world: &World<'_>, traces: &Traces, asked: &[usize]) -> (Outcome, Vec<Judgement>) {
    Judging::of(world, Cow::Borrowed(traces), BLOCKS).outcome(asked)
}

/// Blocks of traces that are unpacked at a time; all, if there are not twice as many.
const BLOCKS: usize = 40;

/// What happened further away in time than this does not bear on a failure.
const AROUND_US: i64 = 600_000_000;

/// Traces that are judged side by side before what was found is packed: what is not packed yet takes much room.
const TOGETHER: usize = 32;

/// The run, judged part by part, so that few traces have to be unpacked at a time.
struct Judging<'a> {
    world: &'a World<'a>,
    traces: Cow<'a, Traces>,
    /// The blocks of each part.
    parts: Vec<Range<usize>>,
    whole: Whole,
}

impl<'a> Judging<'a> {
    /// In parts of so many blocks each, if there are twice as many.
    fn of(world: &'a World<'a>, traces: Cow<'a, Traces>, of_part: usize) -> Self {
        let blocks = traces.blocks();
        let of_part = if blocks / 2 > of_part {
            of_part
        } else {
            blocks.max(1)
        };
        let parts: Vec<Range<usize>> = (0..blocks)
            .step_by(of_part)
            .map(|from| from..(from + of_part).min(blocks))
            .collect();
        Self {
            world,
            traces,
            parts,
            whole: Whole::of(world),
        }
    }

    fn outcome(mut self, asked: &[usize]) -> (Outcome, Vec<Judgement>) {
        let world = self.world;
        let mut judged = Judged::of(world, self.traces.len(), asked);
        // What is one part is unpacked, and looked through for failures, once.
        if let [only] = self.parts.as_slice() {
            let part = Part::of(&self.traces, only.clone(), 0);
            self.whole.note_traces(world, &part);
            self.whole.settle_traces(world);
            let failures = Failures::of(&part, &self.whole);
            self.whole.note_failures(&part, &failures);
            self.whole.learn(world, &part, &failures);
            self.whole.settle_learning();
            judged.add(
                &Survey::of(world, &self.whole, &part, &failures),
                part.numbers.clone(),
            );
            return judged.outcome(&self.whole);
        }
        self.round(0, false, |whole, part| whole.note_traces(world, part));
        self.whole.settle_traces(world);
        self.round(0, false, |whole, part| {
            whole.note_failures(part, &Failures::of(part, whole))
        });
        self.round(AROUND_US, false, |whole, part| {
            whole.learn(world, part, &Failures::of(part, whole))
        });
        self.whole.settle_learning();
        self.round(AROUND_US, true, |whole, part| {
            let failures = Failures::of(part, whole);
            judged.add(&Survey::of(world, whole, part, &failures), part.numbers.clone());
        });
        judged.outcome(&self.whole)
    }

    /// Shows `look` every part, with the traces within `around_us` of it. In the last round, what no later part needs is
    /// given up.
    fn round(&mut self, around_us: i64, is_last: bool, mut look: impl FnMut(&mut Whole, &Part)) {
        let all = self.parts.iter();
        let needed: Vec<Range<usize>> = all
            .map(|blocks| self.traces.around(blocks.clone(), around_us))
            .collect();
        for (at, blocks) in self.parts.iter().enumerate() {
            let part = Part::of(&self.traces, blocks.clone(), around_us);
            look(&mut self.whole, &part);
            let later = needed[at + 1..].iter().map(|blocks| blocks.start).min();
            if let (Cow::Owned(traces), true) = (&mut self.traces, is_last) {
                traces.forget(later.unwrap_or(usize::MAX));
            }
        }
    }
}

/// What was found so far.
struct Judged<'a> {
    world: &'a World<'a>,
    findings: finding::Collected,
    misses: near_miss::Misses,
    truncated: Vec<Micros>,
    /// The numbers of the traces that are asked about, and what was said of each.
    asked: &'a [usize],
    said: Vec<Judgement>,
}

impl<'a> Judged<'a> {
    fn of(world: &'a World<'a>, most: usize, asked: &'a [usize]) -> Self {
        Self {
            world,
            findings: finding::Collected::of(most),
            misses: near_miss::Misses::default(),
            truncated: Vec::new(),
            asked,
            said: vec![Judgement::default(); asked.len()],
        }
    }

    /// Judges the traces with these numbers, which are in `survey`.
    fn add(&mut self, survey: &Survey<'_>, numbers: Range<usize>) {
        for (said, &number) in self.said.iter_mut().zip(self.asked) {
            if numbers.contains(&number) {
                *said = explain::judge(survey, number);
            }
        }
        let all: Vec<usize> = numbers.collect();
        for some in all.chunks(TOGETHER) {
            let found: Vec<Option<finding::Found>> = some
                .par_iter()
                .map(|&trace_no| finding::of_trace(survey, trace_no))
                .collect();
            for (&trace_no, found) in some.iter().zip(found) {
                match found {
                    Some(found) => self.findings.push(&found),
                    None => {
                        self.truncated.extend(finding::truncated(survey, trace_no));
                        self.misses.add(survey, trace_no);
                    }
                }
            }
        }
    }

    fn outcome(mut self, whole: &Whole) -> (Outcome, Vec<Judgement>) {
        self.truncated.sort_unstable();
        let (findings, traces) = self.findings.identified(self.world.in_window);
        let outcome = Outcome {
            findings,
            traces,
            near_misses: self.misses.into_list(self.world),
            truncated: self.truncated,
            inferences: learn::inferences(self.world, &whole.learnt),
        };
        (outcome, self.said)
    }
}
