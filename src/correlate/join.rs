//! Across hops: which visits are of the same request.
//!
//! Shared ids first, in any chain. What is left is matched between hops that are known to talk to each other: an
//! assignment of inner to outer visits with the same method and path, the cheapest over all of them (`assignment`), in
//! which requests that did not fail take part as well, so that a request that never arrived is not credited with its neighbour's entry.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use why502_parsers::entry::{Fault, Phase};

use super::assignment::{self, Edge};
use super::details::{Visit, visits};
use super::topology::Place;
use crate::model::{Hop, HopId, JoinedBy, Link, Record, Trace, ids, rewrite};

/// The same id this far apart is two requests (a client's own retry).
const SAME_ID_WITHIN_US: i64 = 180_000_000;

/// An application may begin this long after the proxy gave up: the request sat in a queue.
const LATE_US: i64 = 60_000_000;

/// A request of which only the end is logged may have begun this long before it.
const LONGEST_US: i64 = 600_000_000;

/// Clock error that is tolerated beside the stamps' resolution.
const TOLERANCE_US: i64 = 20_000;

/// The same where a log has whole seconds: a clock can be learnt from them to a third of a second only.
const COARSE_TOLERANCE_US: i64 = 300_000;

/// How far stamps of this resolution may be off.
const fn tolerance_us(resolution_us: i64) -> i64 {
    let of_clock = if resolution_us >= 1_000_000 {
        COARSE_TOLERANCE_US
    } else {
        TOLERANCE_US
    };
    of_clock + resolution_us
}

/// A join is ambiguous if the best assignment without it is dearer by no more than this.
const MARGIN_US: i64 = 5_000;

/// Worse than any distance in time that is still a good match.
const PENALTY_US: i64 = 500_000;

/// Worse than any match.
const ALONE_US: i64 = 1_000_000_000;

/// Joins `records` (corrected clock, any order) to traces, by time of their outermost record. `hops` in order,
/// outermost first, with their upstreams.
pub fn join(records: Vec<Record>, hops: &[Hop]) -> Vec<Trace> {
    let mut by_hop: BTreeMap<HopId, Vec<Record>> = BTreeMap::new();
    for record in records {
        by_hop.entry(record.hop).or_default().push(record);
    }
    let visits_of = |(hop, records): (HopId, Vec<Record>)| {
        let mut visits = visits(records, &hops[hop.0 as usize].logs);
        for visit in &mut visits {
            let path = visit.text(|record| &record.path);
            let sent = further_in(hops, hop, path).pop();
            visit.sent_path = sent.unwrap_or_default().into();
        }
        visits
    };
    let by_hop: Vec<(HopId, Vec<Record>)> = by_hop.into_iter().collect();
    let visits: Vec<Vec<Visit>> = by_hop.into_par_iter().map(visits_of).collect();
    // A list of this size is not to be copied as it grows.
    let mut all: Vec<Visit> = Vec::with_capacity(visits.iter().map(Vec::len).sum());
    all.extend(visits.into_iter().flatten());
    let mut parents: Vec<Option<Parent>> = vec![None; all.len()];
    join_by_id(&all, &mut parents);
    join_by_address(&all, &mut parents);
    join_by_time(&all, hops, &mut parents);
    put_between(&all, hops, &mut parents);
    traces(all, &parents)
}

#[derive(Debug, Clone, Copy)]
struct Parent {
    at: usize,
    by: JoinedBy,
    ambiguous: bool,
}

/// Gives every visit the nearest outer visit with a shared id, and joins what is connected by a chain of ids.
fn join_by_id(all: &[Visit], parents: &mut [Option<Parent>]) {
    let mut by_id: FxHashMap<u64, Vec<usize>> = FxHashMap::default();
    for (at, visit) in all.iter().enumerate() {
        for key in visit.ids() {
            by_id.entry(key).or_default().push(at);
        }
    }
    by_id.retain(|_, visits| !is_constant(all, visits));
    for (at, visit) in all.iter().enumerate() {
        let outer = visit
            .ids()
            .iter()
            .flat_map(|key| by_id.get(key).into_iter().flatten())
            .copied()
            .filter(|&other| all[other].hop() < visit.hop() && apart(&all[other], visit) <= SAME_ID_WITHIN_US)
            .min_by_key(|&other| {
                (
                    std::cmp::Reverse(all[other].hop()),
                    // Two requests may have come to the same id; a proxy may have changed the path.
                    !same_request(&all[other], visit),
                    misfit(&all[other], visit),
                    other,
                )
            });
        parents[at] = outer.map(|outer| Parent {
            at: outer,
            by: JoinedBy::Id,
            ambiguous: false,
        });
    }
}

/// Requests of one id that are still one request and its retries.
const SAME_ID: usize = 48;

/// Different paths that one request may have at one hop: as it came, and as it was rewritten.
const SAME_ID_PATHS: usize = 2;

/// Whether an id on these visits is no request's but a probe's, a client's or a placeholder: at one hop it is on too many
/// requests, or on requests for different things.
fn is_constant(all: &[Visit], visits: &[usize]) -> bool {
    let mut by_hop: BTreeMap<HopId, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for &at in visits {
        let (count, paths) = by_hop.entry(all[at].hop()).or_default();
        *count += 1;
        let path = all[at].text(|record| &record.path);
        paths.insert(path.split(['?', '#']).next().unwrap_or_default());
    }
    by_hop.values().any(|(count, paths)| {
        let named = paths.iter().filter(|path| !path.is_empty()).count();
        *count > SAME_ID || named > SAME_ID_PATHS
    })
}

/// Time between two visits; zero if they overlap.
fn apart(a: &Visit, b: &Visit) -> i64 {
    match (a.interval(), b.interval()) {
        (Some(a), Some(b)) => (b.0 - a.1).max(a.0 - b.1).max(0),
        _ => 0,
    }
}

/// How far `inner` sticks out of `outer`.
fn misfit(outer: &Visit, inner: &Visit) -> i64 {
    match (outer.interval(), inner.interval()) {
        (Some(a), Some(b)) => (a.0 - b.0).max(0) + (b.1 - a.1).max(0),
        _ => i64::MAX,
    }
}

/// The connection between two hops has the same address and port on both sides.
fn join_by_address(all: &[Visit], parents: &mut [Option<Parent>]) {
    let mut locals: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (at, visit) in all.iter().enumerate() {
        let local = visit.text(|record| &record.local);
        if !local.is_empty() {
            locals.entry(local).or_default().push(at);
        }
    }
    for (at, visit) in all.iter().enumerate().filter(|_| !locals.is_empty()) {
        let Some((client, port)) = visit.records().find_map(|r| Some((&r.client, r.client_port?))) else {
            continue;
        };
        let address = if client.contains(':') {
            format!("[{client}]:{port}")
        } else {
            format!("{client}:{port}")
        };
        let outer = locals
            .get(address.as_str())
            .into_iter()
            .flatten()
            .copied()
            .find(|&outer| {
                all[outer].hop() < visit.hop()
                    && apart(&all[outer], visit) == 0
                    && same_request(&all[outer], visit)
            });
        if let (None, Some(outer)) = (parents[at], outer) {
            parents[at] = Some(Parent {
                at: outer,
                by: JoinedBy::Address,
                ambiguous: false,
            });
        }
    }
}

/// Ways to write one path that are looked for.
const SPELLINGS: usize = 16;

/// The path that `hop` was asked for, as it and the hops behind it are asked for it: the innermost last.
fn further_in(hops: &[Hop], hop: HopId, path: &str) -> Vec<String> {
    let mut sent = ids::plain_path(path).into_owned();
    let mut all = Vec::new();
    if sent.is_empty() {
        return all;
    }
    let mut at = hops.get(hop.0 as usize);
    // A chain of hops ends; the bound is for hops that call each other.
    for _ in 0..hops.len() {
        let Some(hop) = at else { break };
        if let Some(path) = rewrite::sent_on(&hop.rewrites, &sent) {
            all.push(std::mem::replace(&mut sent, path));
        }
        // Where the request went from here is not known if there are several, and matters only if one does more.
        let further = hop.upstreams.iter().filter_map(|next| hops.get(next.0 as usize));
        at = further.max_by_key(|next| (!next.rewrites.is_empty(), next.upstreams.len()));
    }
    all.push(sent);
    all
}

/// The path that `hop` was asked for as any hop may have been asked for it, as far as rewriting is known.
pub fn spellings(hops: &[Hop], hop: HopId, path: &str) -> Vec<String> {
    let mut all = further_in(hops, hop, path);
    for outer in hops.iter().take(hop.0 as usize).rev() {
        let before: Vec<String> = outer
            .rewrites
            .iter()
            .flat_map(|rule| all.iter().filter_map(|path| rule.undo(path)))
            .collect();
        all.extend(before);
        all.truncate(SPELLINGS);
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// Method and path agree as far as both are logged.
fn same_request(outer: &Visit, inner: &Visit) -> bool {
    let method = (outer.text(|r| &r.method), inner.text(|r| &r.method));
    let path = (outer.text(|r| &r.path), inner.text(|r| &r.path));
    let agree = |(a, b): (&str, &str)| a.is_empty() || b.is_empty() || a == b;
    let query = |path: &str| path.split_once('?').map(|(_, query)| query.to_owned());
    let queries_agree = match (query(path.0), query(path.1)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    };
    agree(method) && agree((&outer.sent_path, &inner.sent_path)) && queries_agree
}

/// An id that a hop between does not log joins the hops on either side of it. Once that hop's own visit has been
/// found by time, the inner visit is its, not the outer hop's.
fn put_between(all: &[Visit], hops: &[Hop], parents: &mut [Option<Parent>]) {
    let leads_to = |from: HopId, to: HopId| hops[from.0 as usize].upstreams.contains(&to);
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, parent) in parents.iter().enumerate() {
        if let Some(parent) = parent {
            children.entry(parent.at).or_default().push(at);
        }
    }
    for (at, visit) in all.iter().enumerate() {
        let Some(parent) = parents[at].filter(|parent| !leads_to(all[parent.at].hop(), visit.hop())) else {
            continue;
        };
        let between = children[&parent.at].iter().copied().filter(|&sibling| {
            // Hops may call each other; a request is followed inwards only.
            all[sibling].hop() < visit.hop()
                && leads_to(all[sibling].hop(), visit.hop())
                && apart(&all[sibling], visit) <= TOLERANCE_US + visit.resolution_us()
                && same_request(&all[sibling], visit)
        });
        if let Some(between) = between.min_by_key(|&sibling| (misfit(&all[sibling], visit), sibling)) {
            parents[at] = Some(Parent {
                at: between,
                ..parent
            });
        }
    }
}

/// Matches visits that have no partner by id. All hops that may have served a request compete for it: one exchange
/// is one visit at one of them.
fn join_by_time(all: &[Visit], hops: &[Hop], parents: &mut [Option<Parent>]) {
    let mut by_request: BTreeMap<u64, BTreeMap<HopId, Vec<usize>>> = BTreeMap::new();
    for (at, visit) in all.iter().enumerate() {
        if !visit.sent_path.is_empty() && visit.interval().is_some() {
            let method = visit.text(|record| &record.method);
            let key = ids::request_key(method.as_bytes(), visit.sent_path.as_bytes());
            by_request
                .entry(key)
                .or_default()
                .entry(visit.hop())
                .or_default()
                .push(at);
        }
    }
    let linked = linked_by_id(all, parents);
    let mut taken = taken_by_id(all, hops, parents);
    for of_request in by_request.values() {
        let mut pairs = Vec::new();
        for (&inner_hop, inner) in of_request {
            let free = starts(all, inner.iter().copied().filter(|&at| parents[at].is_none()));
            for outer in outer_hops(hops, inner_hop)
                .iter()
                .filter_map(|hop| of_request.get(hop))
            {
                let open = outer
                    .iter()
                    .copied()
                    .filter(|at| !linked.contains(&(*at, inner_hop)));
                let open = open.filter(|&at| !sent_elsewhere(&all[at], inner_hop, hops));
                open.for_each(|outer| pairs.extend(partners(all, outer, &free)));
            }
        }
        assign(all, &pairs, &mut taken, parents);
    }
}

/// The visits `at` with their starts, by start.
fn starts(all: &[Visit], at: impl Iterator<Item = usize>) -> Vec<(i64, usize)> {
    let mut starts: Vec<(i64, usize)> = at.filter_map(|at| Some((all[at].interval()?.0, at))).collect();
    starts.sort_unstable();
    starts
}

/// Outer visits that already have a partner by id, with the inner hop.
fn linked_by_id(all: &[Visit], parents: &[Option<Parent>]) -> BTreeSet<(usize, HopId)> {
    parents
        .iter()
        .enumerate()
        .filter_map(|(at, parent)| Some((parent.as_ref()?.at, all[at].hop())))
        .collect()
}

/// How many of the exchanges of an outer visit have their inner side already.
fn taken_by_id(all: &[Visit], hops: &[Hop], parents: &[Option<Parent>]) -> FxHashMap<usize, usize> {
    let mut taken = FxHashMap::default();
    for (at, parent) in parents.iter().enumerate() {
        // An id may join hops that others stand between; those exchanges are still open.
        if let Some(parent) = parent
            && hops[all[parent.at].hop().0 as usize]
                .upstreams
                .contains(&all[at].hop())
        {
            *taken.entry(parent.at).or_default() += 1;
        }
    }
    taken
}

/// Whether every address that `outer` names is known to be another hop's than `inner`.
fn sent_elsewhere(outer: &Visit, inner: HopId, hops: &[Hop]) -> bool {
    let attempts = || outer.records().flat_map(|record| &record.attempts);
    let leads_to = |hop: &Hop, addr: &str| hop.addresses.iter().any(|own| own == addr);
    let elsewhere =
        |addr: &str| !leads_to(&hops[inner.0 as usize], addr) && hops.iter().any(|hop| leads_to(hop, addr));
    attempts().next().is_some() && attempts().all(|attempt| elsewhere(&attempt.addr))
}

/// The hops that send requests to `inner`. If nothing is known of any hop, an application is behind the one before
/// it in order; of two proxies none is, nor of two servers of which it is not known what they are: they may as well
/// stand side by side.
fn outer_hops(hops: &[Hop], inner: HopId) -> Vec<HopId> {
    let known: Vec<HopId> = (0..hops.len() as u16)
        .map(HopId)
        .filter(|&hop| hop < inner && hops[hop.0 as usize].upstreams.contains(&inner))
        .collect();
    let nothing_known = hops.iter().all(|hop| hop.upstreams.is_empty());
    let hop = &hops[inner.0 as usize];
    if !nothing_known || Place::of(hop.product, &hop.name) != Place::Inner {
        return known;
    }
    inner.0.checked_sub(1).map(HopId).into_iter().collect()
}

/// Inner visits on either side of an outer one's start that are compared with it. In a storm of like requests all
/// the others fit no better.
const COMPARED: usize = 32;

/// What `outer` may be paired with among the inner visits that start at `starts`.
fn partners(all: &[Visit], outer: usize, starts: &[(i64, usize)]) -> Vec<Edge> {
    let (Some((from, to)), Some((start, _))) = (reach(&all[outer]), all[outer].interval()) else {
        return Vec::new();
    };
    let middle = starts.partition_point(|&(at, _)| at < start);
    let near = &starts[middle.saturating_sub(COMPARED)..(middle + COMPARED).min(starts.len())];
    near.iter()
        .filter(|(at, _)| (from..=to).contains(at))
        .filter_map(|&(_, inner)| {
            let cost = cost(&all[outer], &all[inner])?;
            Some(Edge {
                cost,
                column: outer,
                row: inner,
            })
        })
        .collect()
}

/// Assigns inner visits to outer ones so that the whole costs least; each inner one is used once, an outer one as often
/// as it was tried. `taken` counts the exchanges of outer visits that are assigned already.
///
/// Pairs that fit well come first: a visit whose partner was not gathered must not push its neighbours off theirs.
fn assign(
    all: &[Visit],
    pairs: &[Edge],
    taken: &mut FxHashMap<usize, usize>,
    parents: &mut [Option<Parent>],
) {
    for alone in [PENALTY_US, ALONE_US] {
        let open = pairs
            .iter()
            .filter(|pair| parents[pair.row].is_none())
            .copied()
            .collect();
        // A request that was tried several times was several exchanges.
        let places =
            |outer: usize| tries(&all[outer]).saturating_sub(taken.get(&outer).copied().unwrap_or(0));
        for (inner, given) in assignment::assign(open, &places, alone) {
            *taken.entry(given.column).or_default() += 1;
            parents[inner] = Some(Parent {
                at: given.column,
                by: JoinedBy::Time,
                ambiguous: given.margin <= MARGIN_US,
            });
        }
    }
}

/// How many exchanges with upstreams a visit was.
fn tries(visit: &Visit) -> usize {
    visit.outcome.as_ref().map_or(1, |record| {
        record.attempts.len().max(1 + usize::from(record.retries))
    })
}

/// When an inner visit of this outer one can have started; `None` if the request never left this hop.
fn reach(outer: &Visit) -> Option<(i64, i64)> {
    if never_sent(outer) {
        return None;
    }
    let (start, end) = outer.interval()?;
    let slack = tolerance_us(outer.resolution_us().max(1_000_000));
    let early = if outer.knows_start() { 0 } else { LONGEST_US };
    let late = if waited(outer, end - start) { LATE_US } else { 0 };
    Some((start - slack - early, end + slack + late))
}

/// Whether the records say that no connection to the upstream was made.
fn never_sent(outer: &Visit) -> bool {
    if outer
        .outcome
        .as_ref()
        .is_some_and(|record| record.status.is_some_and(|status| status < 500))
    {
        return false;
    }
    let phase = |record: &Record| record.signal.map(|signal| (signal.phase, signal.fault));
    outer.records().filter_map(phase).any(|(phase, fault)| {
        matches!(
            phase,
            Phase::Resolve | Phase::Connect | Phase::Tls | Phase::ConnectOrTls | Phase::Queue
        ) && !matches!(fault, Fault::TimedOut)
    })
}

/// Whether the hop gave up waiting, so that the upstream may have begun later.
fn waited(outer: &Visit, length_us: i64) -> bool {
    let timed_out = outer
        .records()
        .any(|record| record.signal.is_some_and(|s| s.fault == Fault::TimedOut));
    timed_out
        || (length_us >= 1_000_000
            && outer
                .outcome
                .as_ref()
                .is_some_and(|r| r.status.is_none_or(|s| s >= 499)))
}

/// What it costs to take `inner` for the upstream side of `outer`, in microseconds; `None` if they contradict.
///
/// Two sides of one exchange begin together (or end together, where the outer one logs no more than its end), last equally
/// long (durations are exact to the millisecond even where stamps are not), end with the same status, and name the same
/// client.
fn cost(outer: &Visit, inner: &Visit) -> Option<i64> {
    if !same_request(outer, inner) {
        return None;
    }
    let ((a_start, a_end), (b_start, b_end)) = (outer.interval()?, inner.interval()?);
    let tolerance = tolerance_us(outer.resolution_us().max(inner.resolution_us()));
    let ending = Ending::of(outer);
    let latest_start = if ending == Ending::GaveUp {
        i64::MAX
    } else {
        a_end + tolerance
    };
    let by_ends = !outer.knows_start() && inner.knows_end();
    let is_early = if by_ends {
        b_end < a_end - tolerance
    } else {
        b_start < a_start - tolerance
    };
    if is_early || b_start > latest_start {
        return None;
    }
    // One that gave up, as a gateway's status without more may mean, knows nothing of how long the other went on.
    let is_left = matches!(ending, Ending::GaveUp | Ending::Unknown);
    if (ending == Ending::Answered || by_ends && !is_left) && b_end > a_end + tolerance {
        return None;
    }
    // A counter (a VXID, a serial) is too weak to be looked for, but not to decide between neighbours.
    let share = if share_counter(outer, inner) { 16 } else { 1 };
    let beyond = |a: i64, b: i64| beyond(a, outer.resolution_us(), b, inner.resolution_us());
    let apart = match by_ends {
        true if is_left => beyond(a_end, b_end).min(LENGTH_CAP_US),
        true => beyond(a_end, b_end),
        false => beyond(a_start, b_start),
    };
    let cost = apart
        + length_cost(outer, inner, ending)
        + status_cost(outer, inner, ending, b_end < a_end - tolerance)?
        + client_cost(outer, inner);
    Some(cost / share)
}

/// Whether both carry an id that is the same to the letter, though it is too weak to be joined by.
fn share_counter(outer: &Visit, inner: &Visit) -> bool {
    let ids = |visit: &'_ Visit| -> BTreeSet<Box<str>> {
        let all = visit.records().flat_map(|record| record.ids.iter());
        let is_count = |id: &str| id.len() > 1 && id.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
        all.filter(|id| is_count(id)).cloned().collect()
    };
    let outer = ids(outer);
    !outer.is_empty() && !outer.is_disjoint(&ids(inner))
}

/// How the outer side of an exchange ended, as far as that binds the inner one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It received an answer.
    Answered,
    /// It gave up waiting; the inner side may go on, or even begin, later.
    GaveUp,
    /// The exchange broke: both sides ended at about the same time.
    Broke,
    /// It does not say.
    Unknown,
}

impl Ending {
    fn of(outer: &Visit) -> Self {
        let Some(outcome) = &outer.outcome else {
            return Self::Unknown;
        };
        let faults = || {
            outer
                .records()
                .filter_map(|record| record.signal)
                .map(|signal| signal.fault)
        };
        if faults().any(|fault| matches!(fault, Fault::TimedOut | Fault::ClientGone)) {
            return Self::GaveUp;
        }
        let header_came = outcome
            .last_attempt()
            .is_some_and(|attempt| attempt.header_us.get().is_some());
        if header_came || faults().any(|fault| fault == Fault::UpstreamStatus) {
            return Self::Answered;
        }
        if faults().next().is_some() {
            return Self::Broke;
        }
        match outcome.status {
            Some(status) if status < 499 => Self::Answered,
            Some(499) | None => Self::GaveUp,
            Some(_) if outcome.duration_us.is_some_and(|us| us >= 1_000_000) => Self::GaveUp,
            Some(_) => Self::Unknown,
        }
    }
}

/// How far two instants are apart beyond what their resolutions leave open.
fn beyond(a: i64, a_resolution: i64, b: i64, b_resolution: i64) -> i64 {
    (b - (a + a_resolution)).max(a - (b + b_resolution)).max(0)
}

/// A difference in length that says as much as any greater one.
const LENGTH_CAP_US: i64 = 400_000;

fn length_cost(outer: &Visit, inner: &Visit, ending: Ending) -> i64 {
    let (Some(a), Some(b)) = (&outer.outcome, &inner.outcome) else {
        // A request that is logged is a better partner than an error line of one that is not.
        return LENGTH_CAP_US / 2;
    };
    let waited = a.queue_us.get().unwrap_or(0)
        + a.connect_us
            .get()
            .filter(|_| a.queue_us.get().is_some())
            .unwrap_or(0);
    let whole = a.duration_us.map(|us| us.saturating_sub(waited));
    let (Some(a), Some(b)) = (
        a.last_attempt()
            .and_then(|attempt| attempt.response_us.get())
            .or(whole),
        b.duration_us,
    ) else {
        return LENGTH_CAP_US / 4;
    };
    let difference = i64::try_from(a.abs_diff(b))
        .unwrap_or(i64::MAX)
        .min(LENGTH_CAP_US);
    // A side that gave up knows nothing of how long the other took.
    if ending == Ending::GaveUp {
        difference.min(LENGTH_CAP_US / 4)
    } else {
        difference
    }
}

/// Extra cost where the two sides' outcomes do not go together; `None` where they cannot.
fn status_cost(outer: &Visit, inner: &Visit, ending: Ending, inner_ended_before: bool) -> Option<i64> {
    let (Some(a), Some(b)) = (&outer.outcome, &inner.outcome) else {
        return Some(0);
    };
    let answered = b.status.filter(|&status| status != 499 && status >= 100);
    let received = a.last_attempt().and_then(|attempt| attempt.status).or(a.status);
    match ending {
        Ending::Answered if answered.is_some() && answered != received => None,
        Ending::Answered if answered.is_none() => Some(PENALTY_US),
        Ending::Answered => Some(0),
        // It ended in time with an answer, and yet none was received.
        Ending::GaveUp | Ending::Broke if answered.is_some_and(|s| s < 500) && inner_ended_before => {
            Some(PENALTY_US)
        }
        Ending::Broke if answered.is_some_and(|status| status < 400) => Some(PENALTY_US / 5),
        Ending::Unknown if answered == a.status => Some(0),
        Ending::Unknown => Some(PENALTY_US / 2),
        Ending::GaveUp | Ending::Broke => Some(0),
    }
}

/// Extra cost where the inner hop was told of another client than the outer one saw.
fn client_cost(outer: &Visit, inner: &Visit) -> i64 {
    let (client, told) = (outer.text(|r| &r.client), inner.text(|r| &r.forwarded_for));
    if client.is_empty() || told.is_empty() || told.split(',').any(|part| part.trim() == client) {
        return 0;
    }
    PENALTY_US / 2
}

/// One trace per group of joined visits.
fn traces(all: Vec<Visit>, parents: &[Option<Parent>]) -> Vec<Trace> {
    let mut roots: Vec<usize> = Vec::with_capacity(all.len());
    for at in 0..all.len() {
        let mut root = at;
        // Only outwards, so this ends whatever joined them.
        let outer = |at: usize| parents[at].filter(|parent| all[parent.at].hop() < all[at].hop());
        while let Some(parent) = outer(root) {
            root = parent.at;
        }
        roots.push(root);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, &root) in roots.iter().enumerate() {
        groups.entry(root).or_default().push(at);
    }
    let mut visits: Vec<Option<Visit>> = all.into_iter().map(Some).collect();
    let mut traces: Vec<Trace> = groups
        .into_values()
        .map(|group| trace(group, &mut visits, parents))
        .collect();
    traces.sort_by_key(|trace| (trace.links.first().and_then(Link::interval), first_place(trace)));
    traces
}

fn first_place(trace: &Trace) -> Option<crate::model::Place> {
    trace.links.first()?.records().next().map(|record| record.place)
}

fn trace(mut group: Vec<usize>, visits: &mut [Option<Visit>], parents: &[Option<Parent>]) -> Trace {
    let key = |at: &usize| {
        visits[*at].as_ref().map(|visit| {
            (
                visit.hop(),
                visit.interval(),
                visit.records().next().map(|r| r.place),
            )
        })
    };
    group.sort_by_key(key);
    let position: BTreeMap<usize, usize> = group
        .iter()
        .enumerate()
        .map(|(position, &at)| (at, position))
        .collect();
    let mut links = Vec::with_capacity(group.len());
    links.extend(group.iter().filter_map(|&at| {
        let visit = visits[at].take()?;
        let parent = parents[at];
        Some(Link {
            hop: visit.hop(),
            outcome: visit.outcome,
            details: visit.details,
            unsure: visit.unsure,
            parent: parent.and_then(|parent| position.get(&parent.at).copied()),
            joined_by: parent.map_or(JoinedBy::Origin, |parent| parent.by),
            ambiguous: parent.is_some_and(|parent| parent.ambiguous),
        })
    }));
    Trace { links }
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
