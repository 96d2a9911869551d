//! Within one hop: which error lines and steps belong to which request.

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;
use why502_parsers::entry::Kind;

use super::owners::{ALIKE, Index};
use crate::model::{HopId, Logs, Place, Record, SourceId, ids};

/// One request at one hop, before it is joined to other hops.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// Its outcome, if logged.
    pub outcome: Option<Record>,
    /// Error lines and steps.
    pub details: Vec<Record>,
    /// How many error lines are among them that were given to it.
    pub(super) failures: usize,
    /// Another request's error lines would fit it (nearly) as well, and tell of something else; or it has none, and
    /// another request's may be its.
    pub unsure: bool,
    /// Its path as the innermost hop is asked for it, as far as rewriting is known; filled in when hops are joined.
    pub(super) sent_path: Box<str>,
}

/// Error lines of one failure come within this time of each other.
const TOGETHER_US: i64 = 1_000_000;

impl Visit {
    /// Gives it error lines and steps.
    fn take(&mut self, cluster: Vec<Record>) {
        self.failures += cluster.iter().filter(|line| line.kind == Kind::Failure).count();
        self.details.extend(cluster);
    }

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

    /// Whether its records say when it began: the outcome, or steps before that.
    pub fn knows_start(&self) -> bool {
        let is_start = |record: &Record| record.start_us.is_some() || record.kind == Kind::Note;
        self.outcome.iter().chain(&self.details).any(is_start)
    }

    /// Whether its outcome says when it ended.
    pub fn knows_end(&self) -> bool {
        let ends = |outcome: &Record| outcome.end_us.is_some();
        self.outcome.as_ref().is_some_and(ends)
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

/// The visits that `records` of one hop, which `logs` belong to, are made of, by time and place.
pub fn visits(mut records: Vec<Record>, logs: &Logs) -> Vec<Visit> {
    records.sort_by_key(|record| (record.interval().map(|interval| interval.1), record.place));
    let (outcomes, rest): (Vec<_>, Vec<_>) = records
        .into_iter()
        .filter(|r| r.kind != Kind::Event)
        .partition(|r| r.kind == Kind::Request);
    let mut visits = merge_copies(merge_duplicates(outcomes, logs), &logs.copies);
    let index = Index::of(&visits);
    // Each log of the hop may tell of a failure; the parts of a rotated one are one log, whose order goes on.
    let mut alike: BTreeMap<SourceId, Vec<Vec<Record>>> = BTreeMap::new();
    let mut orphans = Vec::new();
    for cluster in clusters(rest) {
        match index.best(&visits, &cluster) {
            Some(best) if best.rank < ALIKE => {
                visits[best.at].unsure |= best.tied;
                visits[best.at].take(cluster);
            }
            Some(_) => {
                let log = logs.log_of(cluster[0].place.source);
                alike.entry(log).or_default().push(cluster);
            }
            None => orphans.push(cluster),
        }
    }
    for (log, clusters) in alike {
        let is_of_log = |line: &Record| logs.log_of(line.place.source) == log;
        let owners = index.owners(&visits, &is_of_log, &clusters);
        for (at, cluster) in clusters.into_iter().enumerate() {
            match owners.of.get(&at) {
                Some(&owner) => visits[owner].take(cluster),
                None => orphans.push(cluster),
            }
        }
        owners.unsure.iter().for_each(|&at| visits[at].unsure = true);
    }
    visits.extend(orphans.into_iter().map(|details| Visit {
        outcome: None,
        details,
        ..Visit::default()
    }));
    visits.iter_mut().for_each(|visit| {
        visit
            .details
            .sort_by_key(|r| (r.interval().map(|i| i.1), r.place))
    });
    visits
}

/// How many of the last requests with an id, and how many records of each, are looked at for one that a record of that
/// id says again.
const SAID_BEFORE: usize = 48;

/// One visit per request. Two outcomes with the same id may be one request logged twice (two steps of one gateway, or
/// the same line by way of syslog and file); a retry comes after, not within.
fn merge_duplicates(outcomes: Vec<Record>, logs: &Logs) -> Vec<Visit> {
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
            .filter_map(|key| by_id.get(key))
            .flat_map(|before| &before[before.len().saturating_sub(SAID_BEFORE)..])
            .copied()
            .find(|&at| {
                let mut known = visits[at].records().take(SAID_BEFORE);
                known.all(|known| is_duplicate(known, &record, logs))
            });
        let Some(at) = same else {
            keys.iter()
                .for_each(|&key| by_id.entry(key).or_default().push(visits.len()));
            visits.push(Visit {
                outcome: Some(record),
                ..Visit::default()
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
    let durations = first.duration_us.zip(second.duration_us);
    let resolution_us = i64::from(first.resolution_us.max(second.resolution_us));
    let ends = first.end_us.zip(second.end_us);
    first.status == second.status
        && may_be_one(first, second)
        && durations.is_none_or(|(a, b)| a.abs_diff(b) <= 2_000)
        && ends.is_some_and(|(a, b)| (a - b).abs() <= resolution_us)
}

/// Whether nothing that both records say of their request and its connection differs.
fn may_be_one(first: &Record, second: &Record) -> bool {
    fn agree<T: PartialEq>(a: Option<T>, b: Option<T>) -> bool {
        a.zip(b).is_none_or(|(a, b)| a == b)
    }
    let alike = |a: &str, b: &str| a.is_empty() || b.is_empty() || a == b;
    alike(&first.method, &second.method)
        && alike(first.bare_path(), second.bare_path())
        && alike(&first.client, &second.client)
        && agree(first.client_port, second.client_port)
        && agree(first.connection.get(), second.connection.get())
        && agree(first.connection_requests, second.connection_requests)
}

/// Stamps of this resolution still tell whether one request lies within another.
const NESTED_TO_US: i64 = 50_000;

/// Whether `second`, which shares an id with `first`, is the same request again.
fn is_duplicate(first: &Record, second: &Record, logs: &Logs) -> bool {
    let (Some(a), Some(b)) = (first.interval(), second.interval()) else {
        return false;
    };
    if first.status != second.status || !may_be_one(first, second) {
        return false;
    }
    let resolution_us = i64::from(first.resolution_us.max(second.resolution_us));
    let slack = resolution_us.min(NESTED_TO_US);
    if logs.log_of(first.place.source) == logs.log_of(second.place.source) {
        // Coarser stamps do not tell what is within what from what came after it.
        let tells = resolution_us <= NESTED_TO_US;
        let is_nested = is_within(a, b, slack) || is_within(b, a, slack);
        return says_the_same(first, second) || (tells && is_nested);
    }
    // Two logs of one server have the same line again, however coarse their stamps are.
    is_copy_of(first, second) || (a.0 <= b.1 + slack && b.0 <= a.1 + slack)
}

/// Whether one log has the same line twice: whatever tells one request from the next is the same.
fn says_the_same(first: &Record, second: &Record) -> bool {
    first.raw_us == second.raw_us
        && first.duration_us == second.duration_us
        && first.bytes_sent.get() == second.bytes_sent.get()
        && first.attempts == second.attempts
}

/// Whether `inner` is the shorter one and lies within `outer`, as a step or a subrequest does.
fn is_within(inner: (i64, i64), outer: (i64, i64), slack_us: i64) -> bool {
    let is_shorter = inner.1 - inner.0 < outer.1 - outer.0;
    is_shorter && inner.0 >= outer.0 - slack_us && inner.1 <= outer.1 + slack_us
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
        .get()
        .map(|serial| Common::Connection(record.pid, serial));
    let client = record
        .client_port
        .map(|port| Common::Client(record.pid, record.client.clone(), port));
    let thread = record
        .thread
        .get()
        .map(|thread| Common::Thread(record.pid, thread));
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

#[cfg(test)]
#[path = "details_tests.rs"]
mod tests;
