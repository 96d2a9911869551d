//! Everything about the run as a whole that single failures are judged by: which fields the logs
//! carry, every failed exchange, and what was learnt from them together.

use std::collections::BTreeMap;

use why502_parsers::entry::Kind;

use super::exchange::{self, Exchange};
use super::learn::{self, Learnt};
use super::{World, burst};
use crate::model::{HopId, Record};

/// Which fields a hop's records are seen to carry. Without this an absent value could mean either
/// "it did not happen" or "it is not logged".
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fields {
    /// Connect times.
    pub(crate) connect: bool,
    /// Header times.
    pub(crate) header: bool,
    /// Lines that name failures: an error log, or errors in the same stream.
    pub(crate) failures: bool,
    /// Outcomes: an access log.
    pub(crate) outcomes: bool,
}

/// The upstream of an exchange as its hop names it: the hop, its backend, the address.
pub(crate) type Target = (HopId, String);

/// The run, surveyed once.
pub(crate) struct Survey<'a> {
    /// What was given.
    pub(crate) world: &'a World<'a>,
    /// Failed exchanges, by trace, link and attempt.
    pub(crate) exchanges: Vec<Exchange<'a>>,
    /// Indices into [`Survey::exchanges`] per upstream, by time.
    pub(crate) by_upstream: BTreeMap<String, Vec<usize>>,
    /// Limits learnt from pile-ups.
    pub(crate) learnt: Learnt,
    /// Indices into [`Survey::exchanges`] per hop, by time.
    by_hop: BTreeMap<HopId, Vec<usize>>,
    /// Requests in service per hop as `(end, start, trace)`, by end.
    service: BTreeMap<HopId, Vec<(i64, i64, usize)>>,
    fields: BTreeMap<HopId, Fields>,
    by_trace: BTreeMap<(usize, usize), Vec<usize>>,
}

impl<'a> Survey<'a> {
    /// Looks through everything that was given.
    pub(crate) fn of(world: &'a World<'a>) -> Self {
        let fields = fields(world);
        let mut exchanges = Vec::new();
        for (trace_no, trace) in world.traces.iter().enumerate() {
            for (link_no, link) in trace.links.iter().enumerate() {
                let known = fields.get(&link.hop).copied().unwrap_or_default();
                exchanges.extend(Exchange::of_link(trace_no, trace, link_no, known));
            }
        }
        let mut by_upstream: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut by_trace: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        let mut by_hop: BTreeMap<HopId, Vec<usize>> = BTreeMap::new();
        for (n, x) in exchanges.iter().enumerate() {
            by_hop.entry(x.hop).or_default().push(n);
            by_trace.entry((x.trace, x.link)).or_default().push(n);
            if !x.upstream.is_empty() {
                by_upstream.entry(upstream_key(x)).or_default().push(n);
            }
        }
        for list in by_upstream.values_mut().chain(by_hop.values_mut()) {
            list.sort_by_key(|&n| (exchanges[n].end_us, place(&exchanges[n])));
        }
        let mut survey = Self {
            world,
            exchanges,
            by_upstream,
            learnt: Learnt::default(),
            by_hop,
            service: service(world),
            fields,
            by_trace,
        };
        survey.learnt = learn::learn(&survey);
        survey
    }

    /// Which fields `hop` logs.
    pub(crate) fn fields(&self, hop: HopId) -> Fields {
        self.fields.get(&hop).copied().unwrap_or_default()
    }

    /// The failed attempts of one link, in order.
    pub(crate) fn failed(&self, trace: usize, link: usize) -> impl Iterator<Item = &Exchange<'a>> {
        self.by_trace
            .get(&(trace, link))
            .into_iter()
            .flatten()
            .map(|&n| &self.exchanges[n])
    }

    /// Other failed exchanges on the same upstream as `x` that ended from `from_us` to `to_us`, by time.
    pub(crate) fn neighbours<'s>(
        &'s self,
        x: &'s Exchange<'a>,
        from_us: i64,
        to_us: i64,
    ) -> impl Iterator<Item = &'s Exchange<'a>> {
        let list = match x.upstream {
            "" => None,
            _ => self.by_upstream.get(&upstream_key(x)),
        };
        self.between(list, from_us, to_us)
            .filter(move |other| !burst::same(other, x))
    }

    /// Failed exchanges of `hop` that ended from `from_us` to `to_us`, by time.
    pub(crate) fn failures_of(
        &self,
        hop: HopId,
        from_us: i64,
        to_us: i64,
    ) -> impl Iterator<Item = &Exchange<'a>> {
        self.between(self.by_hop.get(&hop), from_us, to_us)
    }

    fn between<'s>(
        &'s self,
        list: Option<&'s Vec<usize>>,
        from_us: i64,
        to_us: i64,
    ) -> impl Iterator<Item = &'s Exchange<'a>> {
        let list = list.map(Vec::as_slice).unwrap_or_default();
        let end = |n: &usize| self.exchanges[*n].end_us;
        let from = list.partition_point(|n| end(n).is_none_or(|e| e < from_us));
        list[from..]
            .iter()
            .take_while(move |n| end(n).is_some_and(|e| e <= to_us))
            .take(MOST_LOOKED_AT)
            .map(|&n| &self.exchanges[n])
    }

    /// Server events from `from_us` to `to_us`, by time.
    pub(crate) fn events(&self, from_us: i64, to_us: i64) -> impl Iterator<Item = &'a Record> {
        let events = self.world.events;
        let at = |e: &Record| e.end_us.or(e.start_us);
        let from = events.partition_point(|e| at(e).is_none_or(|t| t < from_us));
        events[from..]
            .iter()
            .take_while(move |e| at(e).is_none_or(|t| t <= to_us))
    }

    /// How many requests of other traces `hop` worked on for at least `least_us` of the given time.
    pub(crate) fn busy(
        &self,
        hop: HopId,
        trace: usize,
        (from_us, to_us): (i64, i64),
        least_us: i64,
    ) -> usize {
        let list = self.service.get(&hop).map(Vec::as_slice).unwrap_or_default();
        let first = list.partition_point(|&(end, ..)| end < from_us.saturating_add(least_us));
        let shared = |&(end, start, _): &(i64, i64, usize)| end.min(to_us) - start.max(from_us);
        list[first..]
            .iter()
            .take(MOST_LOOKED_AT)
            .filter(|entry| entry.2 != trace && shared(entry) >= least_us.max(1))
            .count()
    }

    /// Idle time of the upstream before `x`: since the end of the exchange before it on the same address.
    pub(crate) fn idle_us(&self, x: &Exchange<'a>) -> Option<i64> {
        let outcome = x.outcome?;
        let last = self.world.last_use.get(&outcome.place)?;
        Some((x.start_us? - last).max(0))
    }
}

/// Under which name the upstream of `x` is shared with other exchanges. Bare server names
/// (HAProxy `s1`) repeat between backends, so these carry hop and backend along.
pub(crate) fn upstream_key(x: &Exchange<'_>) -> String {
    if x.upstream.contains([':', '/']) {
        return x.upstream.to_owned();
    }
    let group = x.outcome.map_or("", |r| &r.group);
    format!("{}\u{1f}{group}\u{1f}{}", x.hop.0, x.upstream)
}

/// The place that identifies `x`'s request at its hop.
pub(crate) fn place(x: &Exchange<'_>) -> Option<crate::model::Place> {
    x.outcome.or(x.record()).map(|r| r.place)
}

/// In a storm of failures the first of these say enough; more would make the work quadratic.
const MOST_LOOKED_AT: usize = 512;

fn service(world: &World<'_>) -> BTreeMap<HopId, Vec<(i64, i64, usize)>> {
    let mut all: BTreeMap<HopId, Vec<(i64, i64, usize)>> = BTreeMap::new();
    for (n, trace) in world.traces.iter().enumerate() {
        for record in trace.links.iter().filter_map(|l| l.outcome.as_ref()) {
            if let (Some(_), Some((start, end))) = (record.duration_us, record.interval()) {
                all.entry(record.hop).or_default().push((end, start, n));
            }
        }
    }
    all.values_mut().for_each(|list| list.sort_unstable());
    all
}

fn fields(world: &World<'_>) -> BTreeMap<HopId, Fields> {
    let mut all: BTreeMap<HopId, Fields> = BTreeMap::new();
    for link in world.traces.iter().flat_map(|t| &t.links) {
        let known = all.entry(link.hop).or_default();
        for record in link.records() {
            note_fields(known, record);
        }
    }
    for event in world.events {
        all.entry(event.hop).or_default().failures = true;
    }
    for (&hop, load) in &world.stats.load {
        all.entry(hop).or_default().outcomes |= !load.is_empty();
    }
    all
}

fn note_fields(known: &mut Fields, record: &Record) {
    let request = record.kind == Kind::Request;
    known.outcomes |= request;
    known.failures |=
        record.kind == Kind::Failure || record.signal.is_some_and(|s| exchange::is_specific(&s));
    known.connect |= record.connect_us.is_some() || record.attempts.iter().any(|a| a.connect_us.is_some());
    known.header |= record.header_us.is_some() || record.attempts.iter().any(|a| a.header_us.is_some());
}
