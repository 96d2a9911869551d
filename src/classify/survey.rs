//! Everything about the run as a whole that single failures are judged by: which fields the logs
//! carry, every failed exchange, and what was learnt from them together.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use rayon::prelude::*;
use why502_parsers::entry::Kind;

use super::case::Join;
use super::exchange::{self, Exchange};
use super::learn::{self, Learning, Learnt};
use super::load::{self, Peak};
use super::{World, burst};
use crate::model::{Gap, HopId, Link, Record, Trace, Traces};

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

/// What is known of the run as a whole, learnt part by part in several rounds, each of which needs what those before it
/// learnt: [`Whole::note_traces`], [`Whole::note_failures`], [`Whole::learn`].
#[derive(Default)]
pub(crate) struct Whole {
    /// Limits learnt from pile-ups.
    pub(crate) learnt: Learnt,
    fields: BTreeMap<HopId, Fields>,
    /// Which hop is reached under which address, as far as addresses and joins tell.
    names: BTreeMap<String, HopId>,
    /// How often each address led to each hop.
    votes: BTreeMap<String, BTreeMap<HopId, usize>>,
    /// Ends of error lines per hop that belong to no outcome, in order.
    orphans: BTreeMap<HopId, Vec<i64>>,
    /// How many exchanges of each hop failed.
    failed: BTreeMap<HopId, usize>,
    /// The upstreams that failed exchanges of each hop name, and whether some connection to them was cut.
    sent_to: BTreeMap<HopId, BTreeMap<String, bool>>,
    /// Hops whose logs show requests that were cut off before they were answered, and how surely.
    records_cuts: BTreeMap<HopId, Join>,
    /// What each hop was seen to do at its best.
    peaks: BTreeMap<HopId, Peak>,
    learning: Learning,
    habits: Habits,
}

impl Whole {
    /// What is known before anything is looked at.
    pub(crate) fn of(world: &World<'_>) -> Self {
        let mut fields: BTreeMap<HopId, Fields> = BTreeMap::new();
        for event in world.events {
            fields.entry(event.hop).or_default().failures = true;
        }
        for (&hop, load) in &world.stats.load {
            fields.entry(hop).or_default().outcomes |= !load.is_empty();
        }
        Self {
            fields,
            orphans: world.stray.clone(),
            peaks: load::peaks(world.stats),
            ..Self::default()
        }
    }

    /// First round: what the records have, where requests went, and error lines without an outcome.
    pub(crate) fn note_traces(&mut self, world: &World<'_>, part: &Part) {
        for trace in part.own() {
            for link in &trace.links {
                let known = self.fields.entry(link.hop).or_default();
                link.records().for_each(|record| note_fields(known, record));
                if link.outcome.is_none() && !exchange::facts(link).is_empty() {
                    let orphans = self.orphans.entry(link.hop).or_default();
                    orphans.extend(link.interval().map(|i| i.1));
                }
            }
            vote(world, trace, &mut self.votes);
        }
    }

    /// Ends the first round.
    pub(crate) fn settle_traces(&mut self, world: &World<'_>) {
        self.orphans.values_mut().for_each(|list| list.sort_unstable());
        self.names = names(world, std::mem::take(&mut self.votes));
    }

    /// Second round: which upstreams failed, and whose logs show it.
    pub(crate) fn note_failures(&mut self, part: &Part, failures: &Failures<'_>) {
        for x in failures.own(part) {
            *self.failed.entry(x.hop).or_default() += 1;
            let known = self.sent_to.entry(x.hop).or_default();
            match known.get_mut(x.upstream) {
                Some(cut) => *cut |= x.is_cut(),
                None => _ = known.insert(x.upstream.to_owned(), x.is_cut()),
            }
            note_cuts(part, x, &mut self.records_cuts);
        }
    }

    /// Third round: limits and habits.
    pub(crate) fn learn(&mut self, world: &World<'_>, part: &Part, failures: &Failures<'_>) {
        let mut learning = std::mem::take(&mut self.learning);
        let mut habits = std::mem::take(&mut self.habits);
        let survey = Survey::of(world, self, part, failures);
        for x in failures.own(part) {
            learning.add(&survey, x);
            habits.add(&survey, x);
        }
        (self.learning, self.habits) = (learning, habits);
    }

    /// Ends the third round.
    pub(crate) fn settle_learning(&mut self) {
        self.learnt = std::mem::take(&mut self.learning).learnt();
    }
}

/// Traces that are judged together, with those around them in time that bear on them.
pub(crate) struct Part {
    traces: Vec<(Trace, Vec<Gap>)>,
    /// The number of the first of them.
    first: usize,
    /// The numbers of those to be judged.
    pub(crate) numbers: Range<usize>,
}

impl Part {
    /// The traces of `blocks`, and all that have to do with what happened within `around_us` of theirs.
    pub(crate) fn of(traces: &Traces, blocks: Range<usize>, around_us: i64) -> Self {
        let wider = traces.around(blocks.clone(), around_us);
        let numbers = traces.numbers(wider.clone());
        let unpacked: Vec<Vec<_>> = wider
            .into_par_iter()
            .map(|block| traces.unpacked(block..block + 1))
            .collect();
        // A list of this size is not to be copied as it grows.
        let mut all = Vec::with_capacity(numbers.len());
        all.extend(unpacked.into_iter().flatten());
        Self {
            first: numbers.start,
            traces: all,
            numbers: traces.numbers(blocks),
        }
    }

    /// The trace with this number.
    pub(crate) fn trace(&self, number: usize) -> Option<&Trace> {
        Some(&self.traces.get(number.checked_sub(self.first)?)?.0)
    }

    fn gap(&self, x: &Exchange<'_>) -> Option<Gap> {
        let gaps = &self.traces.get(x.trace.checked_sub(self.first)?)?.1;
        gaps.get(x.link).copied()
    }

    fn all(&self) -> impl Iterator<Item = (usize, &Trace)> {
        (self.first..).zip(self.traces.iter().map(|(trace, _)| trace))
    }

    fn own(&self) -> impl Iterator<Item = &Trace> {
        self.numbers.clone().filter_map(|number| self.trace(number))
    }
}

/// What failed in a part.
pub(crate) struct Failures<'a> {
    /// Failed exchanges, by trace, link and attempt.
    exchanges: Vec<Exchange<'a>>,
    /// Indices into [`Failures::exchanges`] per upstream, by time.
    by_upstream: BTreeMap<String, Vec<usize>>,
    /// The same per hop.
    by_hop: BTreeMap<HopId, Vec<usize>>,
    /// Requests in service per hop as `(end, start, trace)`, by end.
    service: BTreeMap<HopId, Vec<(i64, i64, usize)>>,
}

impl<'a> Failures<'a> {
    /// Looks for them; `whole` has been through its first round.
    pub(crate) fn of(part: &'a Part, whole: &Whole) -> Self {
        // Most links failed once; a list of this size is not to be copied as it grows.
        let mut exchanges = Vec::with_capacity(part.traces.iter().map(|(trace, _)| trace.links.len()).sum());
        for (trace_no, trace) in part.all() {
            for (link_no, link) in trace.links.iter().enumerate() {
                let known = whole.fields.get(&link.hop).copied().unwrap_or_default();
                exchanges.extend(Exchange::of_link(trace_no, trace, link_no, known));
            }
        }
        let mut by_upstream: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut by_hop: BTreeMap<HopId, Vec<usize>> = BTreeMap::new();
        for (n, x) in exchanges.iter().enumerate() {
            by_hop.entry(x.hop).or_default().push(n);
            if !x.upstream.is_empty() {
                by_upstream.entry(upstream_key(x)).or_default().push(n);
            }
        }
        for list in by_upstream.values_mut().chain(by_hop.values_mut()) {
            list.sort_by_key(|&n| (exchanges[n].end_us, place(&exchanges[n])));
        }
        Self {
            exchanges,
            by_upstream,
            by_hop,
            service: service(part),
        }
    }

    /// Those of the traces to be judged.
    pub(crate) fn own(&self, part: &Part) -> impl Iterator<Item = &Exchange<'a>> {
        let own = part.numbers.clone();
        let from = self.exchanges.partition_point(|x| x.trace < own.start);
        self.exchanges[from..]
            .iter()
            .take_while(move |x| x.trace < own.end)
    }
}

/// A part of the run, with what is known of the whole.
pub(crate) struct Survey<'a> {
    /// What was given.
    pub(crate) world: &'a World<'a>,
    /// Limits learnt from pile-ups.
    pub(crate) learnt: &'a Learnt,
    whole: &'a Whole,
    part: &'a Part,
    failures: &'a Failures<'a>,
}

impl<'a> Survey<'a> {
    /// A view of `part`.
    pub(crate) fn of(
        world: &'a World<'a>,
        whole: &'a Whole,
        part: &'a Part,
        failures: &'a Failures<'a>,
    ) -> Self {
        Self {
            world,
            learnt: &whole.learnt,
            whole,
            part,
            failures,
        }
    }

    /// The trace with this number, if it is of this part or near it.
    pub(crate) fn trace(&self, number: usize) -> Option<&'a Trace> {
        self.part.trace(number)
    }

    /// What the quick cuts of `x`'s upstream have in common.
    pub(crate) fn habit(&self, x: &Exchange<'_>) -> Habit {
        self.whole.habits.of(x)
    }

    /// What `hop` was seen to do at its best.
    pub(crate) fn peak(&self, hop: HopId) -> Option<Peak> {
        self.whole.peaks.get(&hop).copied()
    }

    /// Which fields `hop` logs.
    pub(crate) fn fields(&self, hop: HopId) -> Fields {
        self.whole.fields.get(&hop).copied().unwrap_or_default()
    }

    /// The failed attempts of one link, in order.
    pub(crate) fn failed(&self, trace: usize, link: usize) -> impl Iterator<Item = &Exchange<'a>> {
        let all = &self.failures.exchanges;
        let from = all.partition_point(|x| (x.trace, x.link) < (trace, link));
        all[from..]
            .iter()
            .take_while(move |x| (x.trace, x.link) == (trace, link))
    }

    /// Other failed exchanges on the same upstream as `x` that ended from `from_us` to `to_us`, by time.
    pub(crate) fn neighbours<'s>(
        &'s self,
        x: &'s Exchange<'a>,
        from_us: i64,
        to_us: i64,
    ) -> impl Iterator<Item = &'s Exchange<'a>> {
        let list = match x.upstream {
            // The product does not name the server (Go: "EOF"): any of the hop's may be the same one.
            "" => self.failures.by_hop.get(&x.hop),
            _ => self.failures.by_upstream.get(&upstream_key(x)),
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
        self.between(self.failures.by_hop.get(&hop), from_us, to_us)
    }

    fn between<'s>(
        &'s self,
        list: Option<&'s Vec<usize>>,
        from_us: i64,
        to_us: i64,
    ) -> impl Iterator<Item = &'s Exchange<'a>> {
        let list = list.map(Vec::as_slice).unwrap_or_default();
        let end = |n: &usize| self.failures.exchanges[*n].end_us;
        let from = list.partition_point(|n| end(n).is_none_or(|e| e < from_us));
        list[from..]
            .iter()
            .take_while(move |n| end(n).is_some_and(|e| e <= to_us))
            .take(MOST_LOOKED_AT)
            .map(|&n| &self.failures.exchanges[n])
    }

    /// Whether `hop` logs requests that were cut off as well, so that the lack of a record means that a
    /// request was never taken up; with how surely those were recognised.
    pub(crate) fn records_cuts(&self, hop: HopId) -> Option<Join> {
        self.whole.records_cuts.get(&hop).copied()
    }

    /// Whether the hop of `record` wrote an error line as it ended that was not recognised as any request's, or many at
    /// all. Where only its start is logged, it may have ended long after.
    pub(crate) fn has_orphan(&self, record: &Record) -> bool {
        let Some(end_us) = record.end_us.or(record.start_us) else {
            return false;
        };
        let hop = record.hop;
        let slack = i64::from(record.resolution_us).max(1_000_000);
        let late = if record.end_us.is_none() { LONGEST_US } else { 0 };
        let list = list_of(&self.whole.orphans, hop);
        // Where many lines found no request, the clocks or zones are wrong, and the rest says nothing either.
        let all = self.whole.failed.get(&hop).copied().unwrap_or(0);
        if list.len() >= 3 && list.len() * 4 > all {
            return true;
        }
        let from = list.partition_point(|&at| at < end_us - slack);
        list.get(from).is_some_and(|&at| at <= end_us + slack + late)
    }

    /// The hop behind `x`'s upstream address: by its known addresses, by joined requests, as the only
    /// one that `x`'s hop sends to, or as the only one left for the only address left.
    pub(crate) fn hop_behind(&self, x: &Exchange<'_>) -> Option<HopId> {
        if let Some(&hop) = self.whole.names.get(x.upstream) {
            return (hop != x.hop).then_some(hop);
        }
        let own = self.world.hops.get(x.hop.0 as usize)?;
        if let [only] = own.upstreams.as_slice() {
            // Unless it is known under another address, or may be: the hop sends to several.
            let addresses = self.sent_to(x.hop).filter(|(upstream, _)| is_address(upstream));
            let several = addresses.take(2).count() > 1;
            let elsewhere = several || self.whole.names.values().any(|h| h == only);
            if !(is_address(x.upstream) && elsewhere) {
                return Some(*only);
            }
        }
        let left = self.unclaimed_behind(x);
        let (&[hop], false) = (left.as_slice(), x.upstream.is_empty()) else {
            return None;
        };
        let other = |(upstream, cut): (&str, bool)| {
            cut && !upstream.is_empty() && upstream != x.upstream && !self.whole.names.contains_key(upstream)
        };
        (x.is_cut() && !self.sent_to(x.hop).any(other)).then_some(hop)
    }

    /// Hops behind `x`'s that are not known to be reached under some other address.
    pub(crate) fn unclaimed_behind(&self, x: &Exchange<'_>) -> Vec<HopId> {
        let claimed = |hop: &HopId| !x.upstream.is_empty() && self.whole.names.values().any(|h| h == hop);
        // A proxy's log would show what was sent to it.
        let aside = |hop: &HopId| {
            let own = self.world.hops.get(x.hop.0 as usize);
            is_proxy(self.world, *hop) && !own.is_some_and(|own| own.upstreams.contains(hop))
        };
        (x.hop.0 + 1..)
            .map(HopId)
            .take(self.world.hops.len().saturating_sub(x.hop.0 as usize + 1))
            .filter(|hop| !claimed(hop) && !aside(hop))
            .collect()
    }

    /// Whether failures of `x`'s hop name another address besides `x`'s of which it is not known whose it is.
    pub(crate) fn has_other_unknown(&self, x: &Exchange<'_>) -> bool {
        let is_unknown = |addr: &str| !addr.is_empty() && !self.whole.names.contains_key(addr);
        is_unknown(x.upstream)
            && self
                .sent_to(x.hop)
                .any(|(other, _)| other != x.upstream && is_unknown(other))
    }

    /// The upstreams that failed exchanges of `hop` name, and whether some connection to them was cut.
    fn sent_to(&self, hop: HopId) -> impl Iterator<Item = (&str, bool)> {
        let known = self.whole.sent_to.get(&hop).into_iter().flatten();
        known.map(|(upstream, cut)| (&**upstream, *cut))
    }

    /// Whether `hop` can be the one behind `x`'s upstream address: the address is not known to be another's.
    pub(crate) fn leads_to(&self, x: &Exchange<'_>, hop: HopId) -> bool {
        self.whole.names.get(x.upstream).is_none_or(|&known| known == hop)
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
        let list = list_of(&self.failures.service, hop);
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
        self.gap(x)?.idle_us
    }

    /// How many requests the connection that `x`'s upstream had used last before it had carried, where that is the most
    /// that any connection to that upstream carried.
    pub(crate) fn used_up(&self, x: &Exchange<'a>) -> Option<u32> {
        self.gap(x)?.used_up
    }

    fn gap(&self, x: &Exchange<'a>) -> Option<Gap> {
        x.outcome.and(self.part.gap(x))
    }
}

/// What the failures of one upstream have in common that ended quickly and without a byte of an answer, and that no
/// refusal followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Habit {
    /// Of requests that may be repeated, and were: the client saw nothing of it.
    pub(crate) hidden_safe: usize,
    /// Of requests that may be repeated, and came through.
    pub(crate) surfaced_safe: usize,
    /// Of requests that may not be repeated.
    pub(crate) surfaced_unsafe: usize,
    /// On how many paths, numbers in them set aside.
    pub(crate) paths: usize,
}

/// Requests of which only the start is logged may have lasted so long: more than the usual timeouts.
const LONGEST_US: i64 = 130_000_000;

/// A race is lost within a round trip; what took longer was cut while it was worked on.
const QUICK_US: u64 = 200_000;

/// Habits as they are learnt, failure by failure.
#[derive(Default)]
pub(crate) struct Habits {
    all: BTreeMap<Target, Habit>,
    paths: BTreeMap<Target, BTreeSet<String>>,
}

impl Habits {
    fn of(&self, x: &Exchange<'_>) -> Habit {
        self.all.get(&learn::target(x)).copied().unwrap_or_default()
    }

    fn add(&mut self, survey: &Survey<'_>, x: &Exchange<'_>) {
        let quick = x.lasted_us.is_none_or(|us| us <= QUICK_US);
        if !x.is_cut_without_a_byte() || !quick || burst::refused_after(survey, x).is_some() {
            return;
        }
        let Some(link) = survey.trace(x.trace).and_then(|t| t.links.get(x.link)) else {
            return;
        };
        let text =
            |field: fn(&Record) -> &str| link.records().map(field).find(|t| !t.is_empty()).unwrap_or("");
        let target = learn::target(x);
        let habit = self.all.entry(target.clone()).or_default();
        let saved = link
            .outcome
            .as_ref()
            .and_then(|r| r.status)
            .is_some_and(|s| s < 500);
        match (super::case::repeatable(text(|r| &r.method)), saved) {
            (None, _) => return,
            (Some(true), true) => habit.hidden_safe += 1,
            (Some(true), false) => habit.surfaced_safe += 1,
            (Some(false), _) => habit.surfaced_unsafe += 1,
        }
        let kinds = self.paths.entry(target).or_default();
        if kinds.len() < 64 {
            kinds.insert(
                text(Record::bare_path)
                    .chars()
                    .filter(|c| !c.is_ascii_digit())
                    .collect(),
            );
        }
        habit.paths = kinds.len();
    }
}

/// What `lists` have of `hop`.
fn list_of<T>(lists: &BTreeMap<HopId, Vec<T>>, hop: HopId) -> &[T] {
    lists.get(&hop).map_or(&[], Vec::as_slice)
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

/// Addresses of hops: as given, then as joined requests show them. An address that was seen to lead to
/// several hops names the one it led to most often.
fn names(world: &World<'_>, votes: BTreeMap<String, BTreeMap<HopId, usize>>) -> BTreeMap<String, HopId> {
    let most = |hops: &BTreeMap<HopId, usize>| {
        let best = hops.iter().max_by_key(|(hop, n)| (**n, std::cmp::Reverse(**hop)));
        best.map(|(hop, _)| *hop)
    };
    let mut names: BTreeMap<String, HopId> = votes
        .into_iter()
        .filter_map(|(addr, hops)| Some((addr, most(&hops)?)))
        .collect();
    for (n, hop) in world.hops.iter().enumerate() {
        for address in &hop.addresses {
            names.insert(address.clone(), HopId(n as u16));
        }
    }
    names
}

/// Which addresses of `trace` led to which hops.
fn vote(world: &World<'_>, trace: &Trace, votes: &mut BTreeMap<String, BTreeMap<HopId, usize>>) {
    for link in trace.links.iter().filter(|l| !l.ambiguous) {
        let parent = link.parent.and_then(|n| trace.links.get(n));
        // An id may join two hops that a proxy stands between.
        let between = |p: &&Link| (p.hop.0 + 1..link.hop.0).any(|n| is_proxy(world, HopId(n)));
        let Some(addr) = parent.filter(|p| !between(p)).and_then(only_address) else {
            continue;
        };
        if !votes.contains_key(addr) {
            votes.insert(addr.to_owned(), BTreeMap::new());
        }
        if let Some(hops) = votes.get_mut(addr) {
            *hops.entry(link.hop).or_default() += 1;
        }
    }
}

/// Notes which hops logged a request that `x` saw cut off.
fn note_cuts(part: &Part, x: &Exchange<'_>, all: &mut BTreeMap<HopId, Join>) {
    if !x.last || !x.is_cut_without_a_byte() {
        return;
    }
    let links = part
        .trace(x.trace)
        .map(|t| t.links.as_slice())
        .unwrap_or_default();
    for link in links
        .iter()
        .filter(|l| l.parent == Some(x.link) && l.outcome.is_some() && !l.ambiguous)
    {
        let join = Join::of(link);
        let best = all.entry(link.hop).or_insert(join);
        *best = join.min(*best);
    }
}

fn is_proxy(world: &World<'_>, hop: HopId) -> bool {
    world
        .hops
        .get(hop.0 as usize)
        .is_some_and(|h| h.product.is_proxy())
}

/// Whether an upstream is told by an address, not by a name that a configuration gave it.
fn is_address(upstream: &str) -> bool {
    upstream.contains(':') || upstream.parse::<std::net::IpAddr>().is_ok()
}

/// The one address that a link's records name: its outcome's, else that of its error lines (Go names it there).
fn only_address(link: &Link) -> Option<&str> {
    let listed = link.outcome.as_ref().filter(|r| !r.attempts.is_empty());
    let records = match listed {
        Some(outcome) => std::slice::from_ref(outcome),
        None => link.details.as_slice(),
    };
    let mut addresses = records.iter().flat_map(|r| &r.attempts).map(|a| &*a.addr);
    let first = addresses.next().filter(|a| is_address(a))?;
    addresses.all(|a| a == first).then_some(first)
}

fn service(part: &Part) -> BTreeMap<HopId, Vec<(i64, i64, usize)>> {
    let mut all: BTreeMap<HopId, Vec<(i64, i64, usize)>> = BTreeMap::new();
    for (n, trace) in part.all() {
        for record in trace.links.iter().filter_map(|l| l.outcome.as_ref()) {
            if let (Some(_), Some((start, end))) = (record.duration_us, record.interval()) {
                all.entry(record.hop).or_default().push((end, start, n));
            }
        }
    }
    all.values_mut().for_each(|list| list.sort_unstable());
    all
}

fn note_fields(known: &mut Fields, record: &Record) {
    let request = record.kind == Kind::Request;
    known.outcomes |= request;
    known.failures |=
        record.kind == Kind::Failure || record.signal.is_some_and(|s| exchange::is_specific(&s));
    known.connect |=
        record.connect_us.get().is_some() || record.attempts.iter().any(|a| a.connect_us.get().is_some());
    known.header |=
        record.header_us.get().is_some() || record.attempts.iter().any(|a| a.header_us.get().is_some());
}
