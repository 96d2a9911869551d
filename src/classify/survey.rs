//! Everything about the run as a whole that single failures are judged by: which fields the logs
//! carry, every failed exchange, and what was learnt from them together.

use std::collections::{BTreeMap, BTreeSet};

use why502_parsers::entry::Kind;

use super::case::Join;
use super::exchange::{self, Exchange};
use super::learn::{self, Learnt};
use super::load::{self, Peak};
use super::{World, burst};
use crate::model::{HopId, Link, Record};

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
    /// Hops whose logs show requests that were cut off before they were answered, and how surely.
    records_cuts: BTreeMap<HopId, Join>,
    /// Ends of error lines per hop that belong to no outcome, in order.
    orphans: BTreeMap<HopId, Vec<i64>>,
    /// Requests in service per hop as `(end, start, trace)`, by end.
    service: BTreeMap<HopId, Vec<(i64, i64, usize)>>,
    /// Which hop is reached under which address, as far as addresses and joins tell.
    names: BTreeMap<String, HopId>,
    /// The addresses to which each hop's failed exchanges went.
    sent_to: BTreeMap<HopId, BTreeSet<String>>,
    fields: BTreeMap<HopId, Fields>,
    /// What each hop was seen to do at its best.
    peaks: BTreeMap<HopId, Peak>,
    /// See [`Survey::habit`].
    habits: BTreeMap<Target, Habit>,
}

impl<'a> Survey<'a> {
    /// Looks through everything that was given.
    pub(crate) fn of(world: &'a World<'a>) -> Self {
        let fields = fields(world);
        // Most links failed once; a list of this size is not to be copied as it grows.
        let mut exchanges = Vec::with_capacity(world.traces.iter().map(|trace| trace.links.len()).sum());
        for (trace_no, trace) in world.traces.iter().enumerate() {
            for (link_no, link) in trace.links.iter().enumerate() {
                let known = fields.get(&link.hop).copied().unwrap_or_default();
                exchanges.extend(Exchange::of_link(trace_no, trace, link_no, known));
            }
        }
        exchanges.shrink_to_fit();
        let mut by_upstream: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut by_hop: BTreeMap<HopId, Vec<usize>> = BTreeMap::new();
        let mut sent_to: BTreeMap<HopId, BTreeSet<String>> = BTreeMap::new();
        for (n, x) in exchanges.iter().enumerate() {
            by_hop.entry(x.hop).or_default().push(n);
            if is_address(x.upstream) && !sent_to.get(&x.hop).is_some_and(|all| all.contains(x.upstream)) {
                sent_to.entry(x.hop).or_default().insert(x.upstream.to_owned());
            }
            if !x.upstream.is_empty() {
                by_upstream.entry(upstream_key(x)).or_default().push(n);
            }
        }
        for list in by_upstream.values_mut().chain(by_hop.values_mut()) {
            list.sort_by_key(|&n| (exchanges[n].end_us, place(&exchanges[n])));
        }
        let records_cuts = records_cuts(world, &exchanges);
        let mut survey = Self {
            world,
            records_cuts,
            exchanges,
            by_upstream,
            learnt: Learnt::default(),
            by_hop,
            orphans: orphans(world),
            service: service(world),
            names: names(world),
            sent_to,
            fields,
            habits: BTreeMap::new(),
            peaks: load::peaks(world.stats),
        };
        survey.learnt = learn::learn(&survey);
        survey.habits = habits(&survey);
        survey
    }

    /// What the quick cuts of `x`'s upstream have in common.
    pub(crate) fn habit(&self, x: &Exchange<'_>) -> Habit {
        self.habits.get(&learn::target(x)).copied().unwrap_or_default()
    }

    /// What `hop` was seen to do at its best.
    pub(crate) fn peak(&self, hop: HopId) -> Option<Peak> {
        self.peaks.get(&hop).copied()
    }

    /// Which fields `hop` logs.
    pub(crate) fn fields(&self, hop: HopId) -> Fields {
        self.fields.get(&hop).copied().unwrap_or_default()
    }

    /// The failed attempts of one link, in order.
    pub(crate) fn failed(&self, trace: usize, link: usize) -> impl Iterator<Item = &Exchange<'a>> {
        let from = self
            .exchanges
            .partition_point(|x| (x.trace, x.link) < (trace, link));
        self.exchanges[from..]
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
            "" => self.by_hop.get(&x.hop),
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

    /// Whether `hop` logs requests that were cut off as well, so that the lack of a record means that a
    /// request was never taken up; with how surely those were recognised.
    pub(crate) fn records_cuts(&self, hop: HopId) -> Option<Join> {
        self.records_cuts.get(&hop).copied()
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
        let list = self.orphans.get(&hop).map(Vec::as_slice).unwrap_or_default();
        // Where many lines found no request, the clocks or zones are wrong, and the rest says nothing either.
        let all = self.by_hop.get(&hop).map_or(0, Vec::len);
        if list.len() >= 3 && list.len() * 4 > all {
            return true;
        }
        let from = list.partition_point(|&at| at < end_us - slack);
        list.get(from).is_some_and(|&at| at <= end_us + slack + late)
    }

    /// The hop behind `x`'s upstream address: by its known addresses, by joined requests, as the only
    /// one that `x`'s hop sends to, or as the only one left for the only address left.
    pub(crate) fn hop_behind(&self, x: &Exchange<'_>) -> Option<HopId> {
        if let Some(&hop) = self.names.get(x.upstream) {
            return (hop != x.hop).then_some(hop);
        }
        let own = self.world.hops.get(x.hop.0 as usize)?;
        if let [only] = own.upstreams.as_slice() {
            // Unless it is known under another address, or may be: the hop sends to several.
            let several = self.sent_to.get(&x.hop).is_some_and(|all| all.len() > 1);
            let elsewhere = several || self.names.values().any(|h| h == only);
            if !(is_address(x.upstream) && elsewhere) {
                return Some(*only);
            }
        }
        let left = self.unclaimed_behind(x);
        let (&[hop], false) = (left.as_slice(), x.upstream.is_empty()) else {
            return None;
        };
        let mut connected = self
            .by_hop
            .get(&x.hop)
            .into_iter()
            .flatten()
            .map(|&n| &self.exchanges[n]);
        let other = |o: &Exchange<'_>| {
            o.is_cut()
                && !o.upstream.is_empty()
                && o.upstream != x.upstream
                && !self.names.contains_key(o.upstream)
        };
        (x.is_cut() && !connected.any(other)).then_some(hop)
    }

    /// Hops behind `x`'s that are not known to be reached under some other address.
    pub(crate) fn unclaimed_behind(&self, x: &Exchange<'_>) -> Vec<HopId> {
        let claimed = |hop: &HopId| !x.upstream.is_empty() && self.names.values().any(|h| h == hop);
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
        let of_hop = self
            .by_hop
            .get(&x.hop)
            .into_iter()
            .flatten()
            .map(|&n| &self.exchanges[n]);
        let is_unknown = |addr: &str| !addr.is_empty() && !self.names.contains_key(addr);
        is_unknown(x.upstream)
            && of_hop
                .into_iter()
                .any(|o| o.upstream != x.upstream && is_unknown(o.upstream))
    }

    /// Whether `hop` can be the one behind `x`'s upstream address: the address is not known to be another's.
    pub(crate) fn leads_to(&self, x: &Exchange<'_>, hop: HopId) -> bool {
        self.names.get(x.upstream).is_none_or(|&known| known == hop)
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
        self.world.idle_us.get(&outcome.place).copied()
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

fn habits(survey: &Survey<'_>) -> BTreeMap<Target, Habit> {
    let mut all: BTreeMap<Target, Habit> = BTreeMap::new();
    let mut paths: BTreeMap<Target, BTreeSet<String>> = BTreeMap::new();
    for x in &survey.exchanges {
        let quick = x.lasted_us.is_none_or(|us| us <= QUICK_US);
        if !x.is_cut_without_a_byte() || !quick || burst::refused_after(survey, x).is_some() {
            continue;
        }
        let Some(link) = survey.world.traces.get(x.trace).and_then(|t| t.links.get(x.link)) else {
            continue;
        };
        let text =
            |field: fn(&Record) -> &str| link.records().map(field).find(|t| !t.is_empty()).unwrap_or("");
        let target = learn::target(x);
        let habit = all.entry(target.clone()).or_default();
        let saved = link
            .outcome
            .as_ref()
            .and_then(|r| r.status)
            .is_some_and(|s| s < 500);
        match (super::case::repeatable(text(|r| &r.method)), saved) {
            (None, _) => continue,
            (Some(true), true) => habit.hidden_safe += 1,
            (Some(true), false) => habit.surfaced_safe += 1,
            (Some(false), _) => habit.surfaced_unsafe += 1,
        }
        let kinds = paths.entry(target).or_default();
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
    all
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
fn names(world: &World<'_>) -> BTreeMap<String, HopId> {
    let mut votes: BTreeMap<&str, BTreeMap<HopId, usize>> = BTreeMap::new();
    for trace in world.traces {
        for link in trace.links.iter().filter(|l| !l.ambiguous) {
            let parent = link.parent.and_then(|n| trace.links.get(n));
            // An id may join two hops that a proxy stands between.
            let between = |p: &&Link| (p.hop.0 + 1..link.hop.0).any(|n| is_proxy(world, HopId(n)));
            if let Some(addr) = parent.filter(|p| !between(p)).and_then(only_address) {
                *votes.entry(addr).or_default().entry(link.hop).or_default() += 1;
            }
        }
    }
    let most = |hops: &BTreeMap<HopId, usize>| {
        let best = hops.iter().max_by_key(|(hop, n)| (**n, std::cmp::Reverse(**hop)));
        best.map(|(hop, _)| *hop)
    };
    let mut names: BTreeMap<String, HopId> = votes
        .iter()
        .filter_map(|(addr, hops)| Some(((*addr).to_owned(), most(hops)?)))
        .collect();
    for (n, hop) in world.hops.iter().enumerate() {
        for address in &hop.addresses {
            names.insert(address.clone(), HopId(n as u16));
        }
    }
    names
}

fn records_cuts(world: &World<'_>, exchanges: &[Exchange<'_>]) -> BTreeMap<HopId, Join> {
    let mut all: BTreeMap<HopId, Join> = BTreeMap::new();
    for x in exchanges.iter().filter(|x| x.last && x.is_cut_without_a_byte()) {
        let links = world
            .traces
            .get(x.trace)
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
    all
}

fn orphans(world: &World<'_>) -> BTreeMap<HopId, Vec<i64>> {
    let mut all = world.stray.clone();
    for link in world.traces.iter().flat_map(|t| &t.links) {
        if link.outcome.is_none() && !exchange::facts(link).is_empty() {
            all.entry(link.hop)
                .or_default()
                .extend(link.interval().map(|i| i.1));
        }
    }
    all.values_mut().for_each(|list| list.sort_unstable());
    all
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
    known.connect |=
        record.connect_us.get().is_some() || record.attempts.iter().any(|a| a.connect_us.get().is_some());
    known.header |=
        record.header_us.get().is_some() || record.attempts.iter().any(|a| a.header_us.get().is_some());
}
