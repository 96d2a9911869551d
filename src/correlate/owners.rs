//! Within one hop: which request an error line belongs to, where several may be meant.
//!
//! An id, the serial of the connection or the client's port name it. Where lines share nothing but method, path and
//! time with requests, they are given out so that the whole fits best (`assignment`); where they would fit nearly as
//! well the other way round, though they tell of different things, that is said.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Marks, Phase, Signal};

use super::assignment::{self, Edge};
use super::details::Visit;
use crate::model::{Attempt, Place, Record, ids};

/// An error line may be stamped this much before or after the request it belongs to.
const AROUND_US: i64 = 100_000;

/// Of two ways to give out the lines, one that fits better by no more than this may be the wrong one.
const CLOSE_US: i64 = 20_000;

/// A request of which only the start is logged may fail this much later: longer than the usual timeouts ...
const OPEN_US: i64 = 130_000_000;

/// ... or, if the line names nothing but the client, this much.
const OPEN_NAMELESS_US: i64 = 10_000_000;

/// Finds the visits that an error line may belong to without looking at all of them.
#[derive(Default)]
pub(super) struct Index {
    /// Positions of visits by whatever a line can share with them, in order of their end.
    shared: FxHashMap<(Shared, u64), Vec<usize>>,
}

#[derive(PartialEq, Eq, Hash, Clone, Copy)]
enum Shared {
    Id,
    Connection,
    Port,
    Request,
    Client,
}

/// How many visits on either side of a line's instant are looked at for each thing shared.
const LOOKED_AT: usize = 48;

impl Index {
    /// An index of the outcomes of `visits`.
    pub(super) fn of(visits: &[Visit]) -> Self {
        let mut index = Self::default();
        for (at, record) in visits
            .iter()
            .enumerate()
            .filter_map(|(at, visit)| Some((at, visit.outcome.as_ref()?)))
        {
            for key in shared(record) {
                index.shared.entry(key).or_default().push(at);
            }
        }
        index
    }

    /// The visit that a cluster of error lines belongs to, by itself.
    pub(super) fn best(&self, visits: &[Visit], cluster: &[Record]) -> Option<Best> {
        let mut fits: Vec<(usize, (u8, i64))> = Vec::new();
        self.each(visits, cluster, &mut |at, fit| fits.push((at, fit)));
        // The line that fits a visit best speaks for the cluster: what follows is looked at once a visit.
        fits.sort_unstable();
        fits.dedup_by_key(|&mut (at, _)| at);
        let candidate = |(at, (rank, distance)): (usize, (u8, i64))| {
            let visit: &Visit = &visits[at];
            let outcome = visit.outcome.as_ref();
            let well = outcome.is_some_and(|outcome| cluster.iter().all(|line| went_well(outcome, line)));
            let wanted = outcome.map_or(1, failures);
            ((rank, well, visit.failures >= wanted, distance), at)
        };
        let all: Vec<((u8, bool, bool, i64), usize)> = fits.into_iter().map(candidate).collect();
        let &(best, at) = all.iter().min()?;
        let as_good = |&((rank, well, full, distance), other): &((u8, bool, bool, i64), usize)| {
            other != at && (rank, well, full) == (best.0, best.1, best.2) && distance - best.3 <= CLOSE_US
        };
        Some(Best {
            rank: best.0,
            at,
            tied: all.iter().any(as_good),
        })
    }

    /// The visits that end at about the time of `record` and are of the same method and path.
    pub(super) fn near<'i>(
        &'i self,
        visits: &'i [Visit],
        record: &Record,
    ) -> impl Iterator<Item = usize> + 'i {
        let key = (
            Shared::Request,
            ids::request_key(record.method.as_bytes(), record.path.as_bytes()),
        );
        let candidates = self.shared.get(&key).map_or(&[][..], Vec::as_slice);
        // The original's stamps may be coarser.
        let coarse_us = i64::from(record.resolution_us.max(1_000_000));
        let at = record.end_us.or(record.start_us).map(|us| us - coarse_us);
        let end = move |&visit: &usize| visits[visit].interval().map(|interval| interval.1);
        let from = candidates.partition_point(|visit| end(visit) < at);
        candidates[from..].iter().take(2 * LOOKED_AT).copied()
    }

    /// Gives `found` every visit near in time that a line of `cluster` may belong to.
    fn each(&self, visits: &[Visit], cluster: &[Record], found: &mut dyn FnMut(usize, (u8, i64))) {
        for record in cluster {
            let at = record.end_us.or(record.start_us);
            for candidates in shared(record).filter_map(|key| self.shared.get(&key)) {
                let end = |&visit: &usize| visits[visit].interval().map(|interval| interval.1);
                let middle = candidates.partition_point(|visit| end(visit) < at);
                let near =
                    &candidates[middle.saturating_sub(LOOKED_AT)..(middle + LOOKED_AT).min(candidates.len())];
                for &candidate in near {
                    let outcome = visits[candidate].outcome.as_ref();
                    if let Some(fit) = outcome.and_then(|outcome| belongs(outcome, record)) {
                        found(candidate, fit);
                    }
                }
            }
        }
    }

    /// The visits of clusters, all of one log, that share nothing but method, path and time with them, cheapest over all
    /// of them. What the lines say of the upstream decides, then their order: both logs are written as requests end.
    pub(super) fn owners(
        &self,
        visits: &[Visit],
        is_of_log: &dyn Fn(&Record) -> bool,
        clusters: &[Vec<Record>],
    ) -> Owners {
        let mut fits: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        let mut lines = Places::default();
        let mut outcomes = Places::default();
        for (row, cluster) in clusters.iter().enumerate() {
            lines.add(cluster.first(), row);
            self.each(visits, cluster, &mut |column, (rank, distance)| {
                let Some(outcome) = visits[column].outcome.as_ref() else {
                    return;
                };
                let said: i64 = cluster.iter().map(|line| odd(outcome, line)).sum();
                let cost = distance + i64::from(rank > ALIKE) * ALONE / 2 + said;
                let least = fits.entry((row, column)).or_insert(cost);
                *least = cost.min(*least);
                outcomes.add(Some(outcome), column);
            });
        }
        let (lines, outcomes) = (lines.order(), outcomes.order());
        let nth = |order: &BTreeMap<usize, usize>, at: usize| order.get(&at).copied().unwrap_or(0);
        let edge = |(&(row, column), fit): (&(usize, usize), &i64)| {
            let apart = nth(&lines, row).abs_diff(nth(&outcomes, column));
            let cost = fit + (apart.min(1_000) as i64).pow(2);
            Edge { cost, column, row }
        };
        let places = |column: usize| {
            let visit: &Visit = &visits[column];
            let is_failure = |line: &&Record| line.kind == Kind::Failure && is_of_log(line);
            let had = visit.details.iter().filter(is_failure).count();
            visit.outcome.as_ref().map_or(1, failures).saturating_sub(had)
        };
        let given = assignment::assign(fits.iter().map(edge).collect(), &places, ALONE);
        let of: BTreeMap<usize, usize> = given.iter().map(|(&row, given)| (row, given.column)).collect();
        let unsure = unsure(&fits, &of, &places, clusters);
        Owners { of, unsure }
    }
}

/// The visit that fits a cluster of error lines best.
pub(super) struct Best {
    /// How little they share; see [`ALIKE`].
    pub(super) rank: u8,
    /// Its position.
    pub(super) at: usize,
    /// Another visit fits as well.
    pub(super) tied: bool,
}

/// To whom clusters of error lines were given.
pub(super) struct Owners {
    /// By cluster, the visit.
    pub(super) of: BTreeMap<usize, usize>,
    /// Visits that would fit nearly as well with other lines, or with none, that tell of something else.
    pub(super) unsure: BTreeSet<usize>,
}

/// The visits for which it does not matter much to the whole whether they have these lines or others, though it matters
/// for what is said of them. The order in the files is no proof: it does not count here.
fn unsure(
    fits: &BTreeMap<(usize, usize), i64>,
    of: &BTreeMap<usize, usize>,
    places: &dyn Fn(usize) -> usize,
    clusters: &[Vec<Record>],
) -> BTreeSet<usize> {
    let mut rows_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    of.iter()
        .for_each(|(&row, &column)| rows_of.entry(column).or_default().push(row));
    let cost = |row, column| fits.get(&(row, column)).copied();
    let mut unsure = BTreeSet::new();
    for (&(row, other), &there) in fits {
        let Some(&own) = of.get(&row) else {
            // Lines that nobody took: they may be those of the visit that took others.
            let takers = rows_of.get(&other).into_iter().flatten();
            let close = |&&taker: &&usize| {
                tell_apart(clusters, row, taker)
                    && cost(taker, other).is_some_and(|had| there - had <= CLOSE_US)
            };
            if takers.clone().any(|taker| close(&taker)) {
                unsure.insert(other);
            }
            continue;
        };
        let Some(here) = cost(row, own).filter(|_| other != own) else {
            continue;
        };
        let rows = rows_of.get(&other).map(Vec::as_slice).unwrap_or_default();
        let free = rows.is_empty() && places(other) > 0 && there - here <= CLOSE_US;
        let swapped = |&mate: &usize| {
            let swap = cost(mate, own).zip(cost(mate, other));
            tell_apart(clusters, row, mate)
                && swap
                    .is_some_and(|(mate_here, mate_there)| there + mate_here - here - mate_there <= CLOSE_US)
        };
        if free || rows.iter().any(swapped) {
            unsure.extend([own, other]);
        }
    }
    unsure
}

/// Whether two clusters of lines tell of different failures.
fn tell_apart(clusters: &[Vec<Record>], one: usize, other: usize) -> bool {
    let told = |at: usize| -> BTreeSet<(Phase, Fault)> {
        let signals = clusters[at].iter().filter_map(|line| line.signal);
        signals
            .map(|Signal { phase, fault, .. }| (phase, fault))
            .collect()
    };
    told(one) != told(other)
}

/// Ranks from here on say that line and request have nothing but method, path and time in common.
pub(super) const ALIKE: u8 = 3;

/// What it costs to leave an error line without a request, in microseconds.
const ALONE: i64 = 60_000_000;

/// The order in the log, from its oldest part on, of records with the same path and stamp.
#[derive(Default)]
struct Places {
    by_stamp: BTreeMap<(u64, i64), BTreeSet<(Place, usize)>>,
}

impl Places {
    fn key(record: &Record) -> (u64, i64) {
        (ids::request_key(b"", record.path.as_bytes()), record.raw_us)
    }

    fn add(&mut self, record: Option<&Record>, at: usize) {
        if let Some(record) = record {
            self.by_stamp
                .entry(Self::key(record))
                .or_default()
                .insert((record.place, at));
        }
    }

    /// For each, how many with its path and stamp stand before it.
    fn order(self) -> BTreeMap<usize, usize> {
        let of_stamp = |all: BTreeSet<(Place, usize)>| all.into_iter().map(|(_, at)| at).zip(0..);
        self.by_stamp.into_values().flat_map(of_stamp).collect()
    }
}

/// What speaks against `line` telling of `outcome`, as a cost in microseconds: another upstream, another status, a
/// connection that was made although the line says that it was not, bytes of an answer that did not come.
fn odd(outcome: &Record, line: &Record) -> i64 {
    const SAYS_OTHERWISE: i64 = 2_000_000;
    /// A configuration may change the status on its way to the client.
    const OTHER_STATUS: i64 = 200_000;
    let asked = line.attempts.iter().find(|attempt| !attempt.addr.is_empty());
    let same = |attempt: &&Attempt| asked.is_none_or(|asked| asked.addr == attempt.addr);
    let mut attempts = outcome.attempts.iter().filter(same).peekable();
    if attempts.peek().is_none() && !outcome.attempts.is_empty() {
        return 5 * SAYS_OTHERWISE;
    }
    let Some(signal) = line.signal else { return 0 };
    // Apache answers 503 where it could not connect, and 502 or 504 afterwards (mod_proxy).
    let connects = matches!(signal.phase, Phase::Connect | Phase::Resolve);
    if outcome.product == Product::Apache && outcome.status.is_some_and(|status| connects != (status == 503))
    {
        return SAYS_OTHERWISE;
    }
    let contradicts = |attempt: &Attempt| {
        let connected = attempt.connect_us.get().is_some();
        let answered = attempt.header_us.get().is_some();
        let received = attempt.bytes_received.get().map(|bytes| bytes > 0);
        match (signal.phase, signal.fault) {
            (Phase::Connect | Phase::Resolve | Phase::Tls | Phase::ConnectOrTls, _) => answered,
            (_, Fault::MalformedHeader | Fault::HeaderTooBig | Fault::InvalidResponse) => {
                received == Some(false)
            }
            (Phase::Header, _) => {
                answered || received == Some(true) || (!connected && outcome.connect_us.get().is_some())
            }
            (Phase::Body, _) => received == Some(false),
            _ => false,
        }
    };
    // A line that says how long the exchange took says it of the one attempt there was.
    let lasted = match outcome.attempts.as_slice() {
        [only] => only.response_us.get().or(outcome.duration_us),
        [] => outcome.duration_us,
        _ => None,
    };
    let differ = lasted.zip(line.duration_us.or(line.response_us.get()));
    let differ = differ.map_or(0, |(a, b)| {
        i64::try_from(a.abs_diff(b))
            .unwrap_or(i64::MAX)
            .min(SAYS_OTHERWISE)
    });
    let statuses = outcome.status.zip(line.status);
    let differ = differ + i64::from(statuses.is_some_and(|(a, b)| a != b)) * OTHER_STATUS;
    let mut any = attempts.peekable();
    differ + i64::from(any.peek().is_some() && any.all(contradicts)) * SAYS_OTHERWISE
}

/// How many error lines a request is good for: one per failed attempt.
fn failures(outcome: &Record) -> usize {
    outcome
        .attempts
        .iter()
        .filter(|attempt| attempt.status.is_none_or(|status| status >= 500))
        .count()
        .max(1)
}

fn shared(record: &Record) -> impl Iterator<Item = (Shared, u64)> + '_ {
    let by_id = record
        .ids
        .iter()
        .filter_map(|id| ids::key(id.as_bytes()))
        .map(|key| (Shared::Id, key));
    let connection = record.connection.get().map(|serial| (Shared::Connection, serial));
    let port = record.client_port.map(|port| {
        (
            Shared::Port,
            ids::hash(record.client.as_bytes()) ^ u64::from(port),
        )
    });
    let named = !record.path.is_empty();
    let request = named.then(|| {
        (
            Shared::Request,
            ids::request_key(record.method.as_bytes(), record.path.as_bytes()),
        )
    });
    // A line that names its path but not its method (Apache) is looked up by the path alone.
    let path = named.then(|| (Shared::Request, ids::request_key(b"", record.path.as_bytes())));
    let client = (!record.client.is_empty()).then(|| (Shared::Client, ids::hash(record.client.as_bytes())));
    let all = by_id.chain(connection).chain(port);
    all.chain(request)
        .chain(path)
        .chain(client.filter(|_| !named || record.status.is_some_and(|status| status >= 500)))
}

/// How badly `detail` fits `outcome` (rank of what they share, distance in time); `None` if they contradict each other.
fn belongs(outcome: &Record, detail: &Record) -> Option<(u8, i64)> {
    let distance = distance(outcome, detail)?;
    let shares_id = detail
        .ids
        .iter()
        .any(|id| ids::key(id.as_bytes()).is_some() && outcome.ids.contains(id));
    if shares_id {
        return Some((0, distance));
    }
    let differs = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
    if differs(&outcome.method, &detail.method) || differs(outcome.bare_path(), detail.bare_path()) {
        return None;
    }
    if let (Some(a), Some(b)) = (outcome.connection.get(), detail.connection.get()) {
        return (a == b).then_some((1, distance));
    }
    if differs(&outcome.client, &detail.client) {
        return None;
    }
    match (outcome.client_port, detail.client_port) {
        (Some(a), Some(b)) if a == b => return Some((2, distance)),
        (Some(_), Some(_)) => return None,
        _ => {}
    }
    // A thread serves one request at a time.
    let threads = (
        outcome.pid.zip(outcome.thread.get()),
        detail.pid.zip(detail.thread.get()),
    );
    if let (Some(a), Some(b)) = threads
        && outcome.product == detail.product
    {
        return (a == b).then_some((2, distance));
    }
    if detail.path.is_empty() {
        // Apache's lines may name the client only; they are written as the request fails.
        let failed = outcome.status.is_some_and(|status| status >= 500);
        let same_client = !detail.client.is_empty() && detail.client == outcome.client;
        return (failed && same_client && distance <= AROUND_US).then_some((5, distance));
    }
    // Without any serial or port the path must be there to speak for them.
    (!outcome.path.is_empty()).then(|| (if went_well(outcome, detail) { 4 } else { 3 }, distance))
}

/// Whether `outcome` is of a request that did not fail in the way that `detail` tells of.
fn went_well(outcome: &Record, detail: &Record) -> bool {
    // An answer without a header (nginx logs status 009) and one that was cut short failed as well.
    let good = outcome.status.is_some_and(|status| (100..500).contains(&status));
    let cut_short = detail
        .signal
        .is_some_and(|signal| matches!(signal.phase, Phase::Body | Phase::Client));
    good && !cut_short && outcome.attempts.len() <= 1
}

/// How far `detail` is from the end of `outcome`, beyond what the stamps leave open; `None` if it is not within it.
fn distance(outcome: &Record, detail: &Record) -> Option<i64> {
    let (start, end) = outcome.interval()?;
    let at = detail.end_us.or(detail.start_us)?;
    let resolution = (i64::from(outcome.resolution_us), i64::from(detail.resolution_us));
    let slack = AROUND_US + resolution.0.max(resolution.1);
    if outcome.marks == Marks::Start && outcome.end_us.is_none() {
        return open_distance(outcome, at - start, detail.path.is_empty(), slack);
    }
    let inside = at >= start - slack && at <= end + slack;
    inside.then_some((at - end - resolution.0).max(end - at - resolution.1).max(0))
}

/// The same where only the start of `outcome` is logged: it failed some time later, in doubt rather sooner.
fn open_distance(outcome: &Record, after_us: i64, nameless: bool, slack: i64) -> Option<i64> {
    let most = if nameless { OPEN_NAMELESS_US } else { OPEN_US };
    let failed = outcome.status.is_some_and(|status| status >= 500);
    let inside = after_us >= -slack && after_us <= if failed { most } else { slack };
    inside.then_some((after_us - slack).max(0) / 1_000)
}
