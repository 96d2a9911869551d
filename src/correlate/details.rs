//! Within one hop: which error lines and steps belong to which request.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Phase};

use super::assignment::{self, Edge, Given};
use crate::model::{Attempt, HopId, Place, Record, SourceId, ids};

/// One request at one hop, before it is joined to other hops.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// Its outcome, if logged.
    pub outcome: Option<Record>,
    /// Error lines and steps.
    pub details: Vec<Record>,
}

/// Error lines of one failure come within this time of each other.
const TOGETHER_US: i64 = 1_000_000;

/// An error line may be stamped this much before or after the request it belongs to.
const AROUND_US: i64 = 100_000;

impl Visit {
    /// All records.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.outcome.iter().chain(&self.details)
    }

    /// All records, given up.
    pub fn into_records(self) -> impl Iterator<Item = Record> {
        self.outcome.into_iter().chain(self.details)
    }

    /// The hop.
    pub fn hop(&self) -> HopId {
        self.records().next().map_or(HopId(0), |record| record.hop)
    }

    /// Start and end, as far as known: the outcome's if it knows its length, else what all records span.
    pub fn interval(&self) -> Option<(i64, i64)> {
        if let Some(outcome) = self
            .outcome
            .as_ref()
            .filter(|outcome| outcome.duration_us.is_some())
        {
            return outcome.interval();
        }
        let all = || self.records().filter_map(Record::interval);
        Some((all().map(|i| i.0).min()?, all().map(|i| i.1).max()?))
    }

    /// The keys of all ids on its records.
    pub fn ids(&self) -> Vec<u64> {
        let mut keys: Vec<u64> = self
            .records()
            .flat_map(|r| r.ids.iter())
            .filter_map(|id| ids::key(id.as_bytes()))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Coarsest resolution of its stamps.
    pub fn resolution_us(&self) -> i64 {
        self.records()
            .map(|record| i64::from(record.resolution_us))
            .max()
            .unwrap_or(0)
    }

    /// The first non-empty value of a text field, outcome first.
    pub fn text<'a>(&'a self, field: impl Fn(&'a Record) -> &'a str) -> &'a str {
        self.records()
            .map(field)
            .find(|text| !text.is_empty())
            .unwrap_or_default()
    }
}

/// The visits that `records` of one hop are made of, by time and place. What `copies` log is logged by another input
/// of the hop too.
pub fn visits(mut records: Vec<Record>, copies: &[SourceId]) -> Vec<Visit> {
    records.sort_by_key(|record| (record.interval().map(|interval| interval.1), record.place));
    let (outcomes, rest): (Vec<_>, Vec<_>) = records
        .into_iter()
        .filter(|r| r.kind != Kind::Event)
        .partition(|r| r.kind == Kind::Request);
    let mut visits = merge_copies(merge_duplicates(outcomes), copies);
    let index = Index::of(&visits);
    // Each log of the hop may tell of a failure.
    let mut alike: BTreeMap<SourceId, Vec<Vec<Record>>> = BTreeMap::new();
    let mut orphans = Vec::new();
    for cluster in clusters(rest) {
        match index.best(&visits, &cluster) {
            Some((rank, at)) if rank < ALIKE => visits[at].details.extend(cluster),
            Some(_) => alike.entry(cluster[0].place.source).or_default().push(cluster),
            None => orphans.push(cluster),
        }
    }
    for (source, clusters) in alike {
        let owners = index.owners(&visits, source, &clusters);
        for (at, cluster) in clusters.into_iter().enumerate() {
            match owners.get(&at) {
                Some(given) => visits[given.column].details.extend(cluster),
                None => orphans.push(cluster),
            }
        }
    }
    visits.extend(orphans.into_iter().map(|details| Visit {
        outcome: None,
        details,
    }));
    visits.iter_mut().for_each(|visit| {
        visit
            .details
            .sort_by_key(|r| (r.interval().map(|i| i.1), r.place))
    });
    visits
}

/// One visit per request. Two outcomes with the same id whose intervals overlap are one request logged twice (two
/// steps of one gateway, or the same line by way of syslog and file); a retry comes after, not within.
fn merge_duplicates(outcomes: Vec<Record>) -> Vec<Visit> {
    let mut visits: Vec<Visit> = Vec::new();
    let mut by_id: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for record in outcomes {
        let keys: Vec<u64> = record
            .ids
            .iter()
            .filter_map(|id| ids::key(id.as_bytes()))
            .collect();
        let same = keys
            .iter()
            .flat_map(|key| by_id.get(key).into_iter().flatten())
            .copied()
            .find(|&at| {
                visits[at]
                    .outcome
                    .as_ref()
                    .is_some_and(|first| is_duplicate(first, &record))
            });
        let Some(at) = same else {
            keys.iter()
                .for_each(|&key| by_id.entry(key).or_default().push(visits.len()));
            visits.push(Visit {
                outcome: Some(record),
                details: Vec::new(),
            });
            continue;
        };
        let visit = &mut visits[at];
        // The record that says what went wrong, or else the one that knows the duration, is the outcome.
        let better = visit.outcome.as_ref().is_some_and(|first| {
            (record.signal.is_some(), record.duration_us.is_some())
                > (first.signal.is_some(), first.duration_us.is_some())
        });
        let other = if better {
            visit.outcome.replace(record)
        } else {
            Some(record)
        };
        visit.details.extend(other);
    }
    visits
}

/// The visits without those that a copy of a log has again, whether or not they have an id.
fn merge_copies(visits: Vec<Visit>, copies: &[SourceId]) -> Vec<Visit> {
    if copies.is_empty() {
        return visits;
    }
    let is_copy = |visit: &Visit| {
        visit
            .outcome
            .as_ref()
            .is_some_and(|outcome| copies.contains(&outcome.place.source))
    };
    let (again, mut visits): (Vec<_>, Vec<_>) = visits.into_iter().partition(is_copy);
    let index = Index::of(&visits);
    // Each copy has a request once.
    let mut taken: BTreeSet<(usize, SourceId)> = BTreeSet::new();
    for visit in again {
        let Some(outcome) = &visit.outcome else { continue };
        let source = outcome.place.source;
        let original = index.near(&visits, outcome).find(|&at| {
            let is_same = visits[at]
                .outcome
                .as_ref()
                .is_some_and(|first| is_copy_of(first, outcome));
            is_same && !taken.contains(&(at, source))
        });
        match original {
            Some(at) => {
                taken.insert((at, source));
                let first = visits[at].outcome.as_ref();
                if first.is_none_or(|first| richness(outcome) > richness(first)) {
                    visits[at].outcome = visit.outcome;
                }
            }
            None => visits.push(visit),
        }
    }
    visits.sort_by_key(|visit| (visit.interval().map(|interval| interval.1), first_place(visit)));
    visits
}

/// How much a record says of its request.
fn richness(record: &Record) -> (bool, bool, bool, std::cmp::Reverse<u32>) {
    let ids = record.ids.iter().any(|id| ids::key(id.as_bytes()).is_some());
    (
        !record.attempts.is_empty(),
        record.duration_us.is_some(),
        ids,
        std::cmp::Reverse(record.resolution_us),
    )
}

fn first_place(visit: &Visit) -> Option<Place> {
    visit.records().next().map(|record| record.place)
}

/// Whether `second`, of another log of the same server, is the same line again.
pub fn is_copy_of(first: &Record, second: &Record) -> bool {
    let agree = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    let durations = first.duration_us.zip(second.duration_us);
    let resolution_us = i64::from(first.resolution_us.max(second.resolution_us));
    let ends = first.end_us.zip(second.end_us);
    first.status == second.status
        && agree(&first.method, &second.method)
        && agree(first.bare_path(), second.bare_path())
        && agree(&first.client, &second.client)
        && durations.is_none_or(|(a, b)| a.abs_diff(b) <= 2_000)
        && ends.is_some_and(|(a, b)| (a - b).abs() <= resolution_us)
        && (first.client_port.is_none()
            || second.client_port.is_none()
            || first.client_port == second.client_port)
}

fn is_duplicate(first: &Record, second: &Record) -> bool {
    let (Some(a), Some(b)) = (first.interval(), second.interval()) else {
        return false;
    };
    // Two logs of one server have the same line again, however coarse their stamps are.
    if first.place.source != second.place.source && is_copy_of(first, second) {
        return true;
    }
    let slack = i64::from(first.resolution_us.max(second.resolution_us)).min(50_000);
    first.status == second.status
        && a.0 <= b.1 + slack
        && b.0 <= a.1 + slack
        && (first.path.is_empty() || second.path.is_empty() || first.bare_path() == second.bare_path())
        && first.client_port == second.client_port
}

/// Error lines and steps that are of the same request: same id, connection, client or thread, close in time.
fn clusters(details: Vec<Record>) -> Vec<Vec<Record>> {
    let mut clusters: Vec<Vec<Record>> = Vec::new();
    let mut open: FxHashMap<Common, usize> = FxHashMap::default();
    for record in details {
        let keys: Vec<Common> = common(&record).collect();
        let known = keys.iter().filter_map(|key| Some((key, *open.get(key)?)));
        let same = known
            .filter(|(key, at)| continues(&clusters[*at], &record, key))
            .map(|(_, at)| at)
            .min();
        let at = same.unwrap_or(clusters.len());
        keys.into_iter().for_each(|key| {
            open.insert(key, at);
        });
        match clusters.get_mut(at) {
            Some(cluster) => cluster.push(record),
            None => clusters.push(vec![record]),
        }
    }
    clusters
}

/// What two lines of one request have in common.
#[derive(PartialEq, Eq, Hash)]
enum Common {
    Id(u64),
    Connection(Option<u32>, u64),
    Client(Option<u32>, Box<str>, u16),
    Thread(Option<u32>, u64),
}

fn common(record: &Record) -> impl Iterator<Item = Common> + '_ {
    let by_id = record
        .ids
        .iter()
        .filter_map(|id| ids::key(id.as_bytes()))
        .map(Common::Id);
    let connection = record
        .connection
        .map(|serial| Common::Connection(record.pid, serial));
    let client = record
        .client_port
        .map(|port| Common::Client(record.pid, record.client.clone(), port));
    let thread = record.thread.map(|thread| Common::Thread(record.pid, thread));
    by_id.chain(connection).chain(client).chain(thread)
}

/// Whether `record` is of the same request as the cluster with which it has `common` in common. Two lines that both
/// name their request are left apart unless they share its id: a connection may carry the same request again at once.
fn continues(cluster: &[Record], record: &Record, common: &Common) -> bool {
    let gap = match (cluster.last().and_then(Record::interval), record.interval()) {
        (Some(a), Some(b)) => b.1 - a.1,
        _ => 0,
    };
    let names_it = |record: &Record| !record.path.is_empty();
    let both_name_it = names_it(record) && cluster.iter().any(names_it);
    match common {
        Common::Id(_) => true,
        Common::Thread(..) => gap <= TOGETHER_US / 20 && !both_name_it,
        Common::Connection(..) | Common::Client(..) => gap <= TOGETHER_US && !both_name_it,
    }
}

/// Finds the visits that an error line may belong to without looking at all of them.
#[derive(Default)]
struct Index {
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
    fn of(visits: &[Visit]) -> Self {
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

    /// The visit that a cluster of error lines belongs to, and how badly it fits.
    fn best(&self, visits: &[Visit], cluster: &[Record]) -> Option<(u8, usize)> {
        let mut best: Option<((u8, bool, i64), usize)> = None;
        self.each(visits, cluster, &mut |at, (rank, distance)| {
            let visit = &visits[at];
            let wanted = visit.outcome.as_ref().map_or(1, failures);
            let full = visit.details.iter().filter(|d| d.kind == Kind::Failure).count() >= wanted;
            let score = (rank, full, distance);
            if best.is_none_or(|(so_far, other)| (score, at) < (so_far, other)) {
                best = Some((score, at));
            }
        });
        best.map(|((rank, ..), at)| (rank, at))
    }

    /// The visits that end at about the time of `record` and are of the same method and path.
    fn near<'i>(&'i self, visits: &'i [Visit], record: &Record) -> impl Iterator<Item = usize> + 'i {
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

    /// The visits of clusters that share nothing but method, path and time with them, cheapest over all of them. What
    /// the lines say of the upstream decides, then their order: both logs are written as requests end.
    fn owners(&self, visits: &[Visit], source: SourceId, clusters: &[Vec<Record>]) -> BTreeMap<usize, Given> {
        let mut edges = Vec::new();
        let mut lines = Places::default();
        let mut outcomes = Places::default();
        for (row, cluster) in clusters.iter().enumerate() {
            lines.add(cluster.first(), row);
            self.each(visits, cluster, &mut |column, (rank, distance)| {
                edges.push((row, column, rank, distance));
                outcomes.add(visits[column].outcome.as_ref(), column);
            });
        }
        let cost = |&(row, column, rank, distance): &(usize, usize, u8, i64)| {
            let outcome = visits[column].outcome.as_ref()?;
            let apart = lines
                .nth(clusters[row].first(), row)
                .abs_diff(outcomes.nth(Some(outcome), column));
            let said: i64 = clusters[row].iter().map(|line| odd(outcome, line)).sum();
            let cost =
                distance + i64::from(rank > ALIKE) * ALONE / 2 + said + (apart.min(1_000) as i64).pow(2);
            Some(Edge { cost, column, row })
        };
        let edges = edges.iter().filter_map(cost).collect();
        let places = |column: usize| {
            let visit: &Visit = &visits[column];
            let is_failure = |line: &&Record| line.kind == Kind::Failure && line.place.source == source;
            let had = visit.details.iter().filter(is_failure).count();
            visit.outcome.as_ref().map_or(1, failures).saturating_sub(had)
        };
        assignment::assign(edges, &places, ALONE)
    }
}

/// Ranks from here on say that line and request have nothing but method, path and time in common.
const ALIKE: u8 = 3;

/// What it costs to leave an error line without a request, in microseconds.
const ALONE: i64 = 60_000_000;

/// The order in the file of records with the same path and stamp.
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

    fn nth(&self, record: Option<&Record>, at: usize) -> usize {
        let place = record.and_then(|record| Some((self.by_stamp.get(&Self::key(record))?, record.place)));
        place.map_or(0, |(all, place)| all.range(..(place, at)).count())
    }
}

/// What speaks against `line` telling of `outcome`, as a cost in microseconds: another upstream, a connection that
/// was made although the line says that it was not, bytes of an answer that did not come.
fn odd(outcome: &Record, line: &Record) -> i64 {
    const SAYS_OTHERWISE: i64 = 2_000_000;
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
        let connected = attempt.connect_us.is_some();
        let answered = attempt.header_us.is_some();
        let received = attempt.bytes_received.map(|bytes| bytes > 0);
        match (signal.phase, signal.fault) {
            (Phase::Connect | Phase::Resolve | Phase::Tls | Phase::ConnectOrTls, _) => answered,
            (_, Fault::MalformedHeader | Fault::HeaderTooBig | Fault::InvalidResponse) => {
                received == Some(false)
            }
            (Phase::Header, _) => {
                answered || received == Some(true) || (!connected && outcome.connect_us.is_some())
            }
            (Phase::Body, _) => received == Some(false),
            _ => false,
        }
    };
    // A line that says how long the exchange took says it of the one attempt there was.
    let lasted = match outcome.attempts.as_slice() {
        [only] => only.response_us.or(outcome.duration_us),
        [] => outcome.duration_us,
        _ => None,
    };
    let differ = lasted.zip(line.duration_us.or(line.response_us));
    let differ = differ.map_or(0, |(a, b)| {
        i64::try_from(a.abs_diff(b))
            .unwrap_or(i64::MAX)
            .min(SAYS_OTHERWISE)
    });
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
    let connection = record.connection.map(|serial| (Shared::Connection, serial));
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
    if let (Some(a), Some(b)) = (outcome.connection, detail.connection) {
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
    if detail.path.is_empty() {
        // Apache's lines may name the client only; they are written as the request fails.
        let failed = outcome.status.is_some_and(|status| status >= 500);
        let same_client = !detail.client.is_empty() && detail.client == outcome.client;
        return (failed && same_client && distance <= AROUND_US).then_some((5, distance));
    }
    // Without any serial or port the path must be there to speak for them.
    (!outcome.path.is_empty()).then(|| {
        // An answer without a header (nginx logs status 009) and one that was cut short failed as well.
        let good = outcome.status.is_some_and(|status| (100..500).contains(&status));
        let cut_short = detail
            .signal
            .is_some_and(|signal| matches!(signal.phase, Phase::Body | Phase::Client));
        let failed = !good || cut_short || outcome.attempts.len() > 1;
        (if failed { 3 } else { 4 }, distance)
    })
}

/// How far `detail` is from the end of `outcome`, beyond what the stamps leave open; `None` if it is not within it.
fn distance(outcome: &Record, detail: &Record) -> Option<i64> {
    let (start, end) = outcome.interval()?;
    let at = detail.end_us.or(detail.start_us)?;
    let resolution = (i64::from(outcome.resolution_us), i64::from(detail.resolution_us));
    let slack = AROUND_US + resolution.0.max(resolution.1);
    let inside = at >= start - slack && at <= end + slack;
    inside.then_some((at - end - resolution.0).max(end - at - resolution.1).max(0))
}

#[cfg(test)]
mod tests {
    use why502_parsers::entry::Signal;

    use super::super::testing::*;
    use super::*;

    /// By the line number of the access line, the faults of its error lines.
    fn faults(records: Vec<Record>) -> BTreeMap<u64, Vec<Fault>> {
        let fault = |record: &Record| record.signal.map(|signal| signal.fault);
        visits(records, &[])
            .iter()
            .map(|visit| {
                let line = visit.outcome.as_ref().map_or(0, |outcome| outcome.place.line);
                (line, visit.details.iter().filter_map(fault).collect())
            })
            .collect()
    }

    #[test]
    fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_upstream() {
        let (one, other) = ("10.0.0.7:3000", "10.0.0.8:3000");
        let found = faults(vec![
            outcome(1, vec![attempt(one, None)]),
            outcome(2, vec![attempt(other, None)]),
            line(1, Fault::Reset, other),
            line(2, Fault::Closed, one),
        ]);
        assert_eq!(
            found,
            BTreeMap::from([(1, vec![Fault::Closed]), (2, vec![Fault::Reset])])
        );
    }

    #[test]
    fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_bytes() {
        let addr = "10.0.0.7:3000";
        let found = faults(vec![
            outcome(1, vec![attempt(addr, Some(0))]),
            outcome(2, vec![attempt(addr, Some(70))]),
            line(1, Fault::MalformedHeader, addr),
            line(2, Fault::Closed, addr),
        ]);
        let expected = [(1, vec![Fault::Closed]), (2, vec![Fault::MalformedHeader])];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_order() {
        let addr = "10.0.0.7:3000";
        let found = faults(vec![
            outcome(1, vec![attempt(addr, None)]),
            outcome(2, vec![attempt(addr, None)]),
            outcome(3, vec![attempt(addr, None)]),
            line(1, Fault::Closed, addr),
            line(2, Fault::MalformedHeader, addr),
            line(3, Fault::Reset, addr),
        ]);
        let expected = [
            (1, vec![Fault::Closed]),
            (2, vec![Fault::MalformedHeader]),
            (3, vec![Fault::Reset]),
        ];
        assert_eq!(found, BTreeMap::from(expected));
    }

    #[test]
    fn a_request_of_two_logs_of_one_server_is_one_visit() {
        let second = |n: u64| Record {
            place: Place {
                source: SourceId(7),
                ..outcome(n, Vec::new()).place
            },
            ..outcome(n, Vec::new())
        };
        let both = || {
            vec![
                outcome(1, Vec::new()),
                outcome(2, Vec::new()),
                second(1),
                second(2),
            ]
        };
        assert_eq!(visits(both(), &[SourceId(7)]).len(), 2);
        assert_eq!(visits(both(), &[]).len(), 4);
    }

    #[test]
    fn a_copy_with_finer_stamps_is_recognised_and_kept_for_them() {
        let mut fine = outcome(9, Vec::new());
        fine.place.source = SourceId(7);
        fine.end_us = fine.end_us.map(|us| us + 486_000);
        fine.resolution_us = 1;
        let all = visits(vec![outcome(1, Vec::new()), fine], &[SourceId(7)]);
        assert_eq!(all.len(), 1);
        assert_eq!(
            all[0].outcome.as_ref().map(|outcome| outcome.resolution_us),
            Some(1)
        );
    }

    #[test]
    fn a_line_that_names_its_client_only_belongs_to_the_failure_that_ended_then() {
        let mut apache = line(1, Fault::Refused, "10.0.0.7:3000");
        apache.path = "".into();
        apache.signal = Some(Signal {
            phase: Phase::Connect,
            fault: Fault::Refused,
        });
        let mut own = outcome(1, Vec::new());
        let mut refused = outcome(2, Vec::new());
        (own.product, refused.product, apache.product) = (Product::Apache, Product::Apache, Product::Apache);
        refused.status = Some(503);
        let found = faults(vec![own, refused, apache]);
        assert_eq!(found, BTreeMap::from([(1, vec![]), (2, vec![Fault::Refused])]));
    }

    #[test]
    fn two_failures_of_one_path_keep_their_error_lines_by_duration() {
        let lasted = |n: u64, us: u64| Record {
            duration_us: Some(us),
            start_us: Some(1_000_000_000_000 - us as i64),
            ..outcome(n, Vec::new())
        };
        let mut first = line(1, Fault::Closed, "");
        let mut second = line(2, Fault::Reset, "");
        (first.attempts, second.attempts) = (Vec::new(), Vec::new());
        (first.duration_us, second.duration_us) = (Some(35_400), Some(279_000));
        let found = faults(vec![lasted(1, 278_857), lasted(2, 35_375), first, second]);
        assert_eq!(
            found,
            BTreeMap::from([(1, vec![Fault::Reset]), (2, vec![Fault::Closed])])
        );
    }

    #[test]
    fn every_log_of_the_hop_may_tell_of_the_same_failure() {
        let addr = "10.0.0.7:3000";
        let mut second = line(1, Fault::Closed, addr);
        second.place.source = SourceId(7);
        let found = faults(vec![
            outcome(1, vec![attempt(addr, None)]),
            line(1, Fault::Closed, addr),
            second,
        ]);
        assert_eq!(found, BTreeMap::from([(1, vec![Fault::Closed, Fault::Closed])]));
    }

    #[test]
    fn a_line_of_an_answer_without_header_is_not_given_to_a_request_that_timed_out_later() {
        let addr = "10.0.0.7:3000";
        let mut garbled = outcome(1, vec![attempt(addr, None)]);
        garbled.status = Some(9);
        let mut late = outcome(2, vec![attempt(addr, None)]);
        late.end_us = late.end_us.map(|us| us + 3_000_000);
        (late.start_us, late.duration_us) = (Some(1_000_000_000_000), Some(3_000_000));
        let found = faults(vec![garbled, late, line(1, Fault::MalformedHeader, addr)]);
        assert_eq!(
            found,
            BTreeMap::from([(1, vec![Fault::MalformedHeader]), (2, vec![])])
        );
    }
}
