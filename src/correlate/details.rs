//! Within one hop: which error lines and steps belong to which request.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;
use why502_parsers::entry::Kind;

use crate::model::{HopId, Record, ids};

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

/// The visits that `records` of one hop are made of, by time and place.
pub fn visits(mut records: Vec<Record>) -> Vec<Visit> {
    records.sort_by_key(|record| (record.interval().map(|interval| interval.1), record.place));
    let (outcomes, rest): (Vec<_>, Vec<_>) = records
        .into_iter()
        .filter(|r| r.kind != Kind::Event)
        .partition(|r| r.kind == Kind::Request);
    let mut visits = merge_duplicates(outcomes);
    let index = Index::of(&visits);
    let mut orphans = Vec::new();
    for cluster in clusters(rest) {
        match index.best(&visits, &cluster) {
            Some(at) => visits[at].details.extend(cluster),
            None => orphans.push(Visit {
                outcome: None,
                details: cluster,
            }),
        }
    }
    visits.extend(orphans);
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

fn is_duplicate(first: &Record, second: &Record) -> bool {
    let (Some(a), Some(b)) = (first.interval(), second.interval()) else {
        return false;
    };
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

    /// The visit that a cluster of error lines belongs to.
    fn best(&self, visits: &[Visit], cluster: &[Record]) -> Option<usize> {
        let mut best: Option<((u8, bool, i64), usize)> = None;
        for record in cluster {
            let at = record.end_us.or(record.start_us);
            for candidates in shared(record).filter_map(|key| self.shared.get(&key)) {
                let end = |&visit: &usize| visits[visit].interval().map(|interval| interval.1);
                let middle = candidates.partition_point(|visit| end(visit) < at);
                let near =
                    &candidates[middle.saturating_sub(LOOKED_AT)..(middle + LOOKED_AT).min(candidates.len())];
                for &candidate in near {
                    let visit = &visits[candidate];
                    let Some(outcome) = &visit.outcome else { continue };
                    let Some((rank, distance)) = belongs(outcome, record) else {
                        continue;
                    };
                    let full =
                        visit.details.iter().filter(|d| d.kind == Kind::Failure).count() >= failures(outcome);
                    let score = (rank, full, distance);
                    if best.is_none_or(|(so_far, at)| (score, candidate) < (so_far, at)) {
                        best = Some((score, candidate));
                    }
                }
            }
        }
        best.map(|(_, at)| at)
    }
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
    by_id.chain(connection).chain(port).chain(request).chain(path)
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
    // Without any serial or port the path must be there to speak for them.
    (!detail.path.is_empty() && !outcome.path.is_empty()).then(|| {
        let failed = outcome.status.is_some_and(|status| status >= 500) || outcome.attempts.len() > 1;
        (if failed { 3 } else { 4 }, distance)
    })
}

/// How far `detail` lies outside `outcome`, or from its end if inside; `None` if too far.
fn distance(outcome: &Record, detail: &Record) -> Option<i64> {
    let (start, end) = outcome.interval()?;
    let at = detail.end_us.or(detail.start_us)?;
    let slack = AROUND_US + i64::from(outcome.resolution_us.max(detail.resolution_us));
    let inside = at >= start - slack && at <= end + slack;
    inside.then_some((end - at).abs())
}
