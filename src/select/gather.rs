//! Second pass: what belongs to the failures that the first pass kept.
//!
//! A record is gathered when it carries an id of a failure, or when it is of the same method and path and its
//! time fits. Same-hop look-alikes are gathered too: they compete for the upstream's entries, so that a request
//! that never arrived is not credited with its neighbour's.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};
use why502_parsers::entry::{Entry, Fault, Kind, Phase};

use super::own::{self, Whence};
use super::scan::{LineRef, Scanned, Scanner, interval};
use crate::model::record::{Place, Record};
use crate::model::{HopId, ids};

/// How many records of one hop are kept per failure when only method, path and time speak for them.
const CANDIDATES: usize = 12;

/// An id on more records than this is a constant (a health check, a placeholder), not an id.
const CONSTANT: usize = 48;

/// A queued request may reach the application long after the proxy gave up on it.
const LATE_US: i64 = 60_000_000;

/// Beyond this, a stamp's resolution and the clocks' uncertainty are not the reason for a misfit.
const SLACK_US: i64 = 1_500_000;

/// What the second pass looks for.
#[derive(Debug, Default)]
pub struct Wanted {
    ids: FxHashSet<u64>,
    /// Per method-and-path key, the intervals of failures, by start.
    requests: FxHashMap<u64, Vec<Seed>>,
    /// Where exchanges before failures are looked for, with the latest starts of those failures, ascending.
    uses: FxHashMap<Use, Vec<i64>>,
    /// Pairs of hops whose records are joined by id, so that look-alikes need not be gathered.
    by_id: FxHashSet<(HopId, HopId)>,
    /// Earliest and latest instant at which anything is wanted.
    reach: Option<(i64, i64)>,
}

/// Whose exchanges show when a connection was used last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Use {
    /// Those of a hop with one upstream address (by its hash).
    Address(HopId, u64),
    /// Whatever a hop served.
    Served(HopId),
}

impl Use {
    /// The exchanges of `hop` with the upstream at `address`.
    pub fn address(hop: HopId, address: &str) -> Self {
        Self::Address(hop, ids::hash(address.as_bytes()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seed {
    start_us: i64,
    end_us: i64,
    place: Place,
    hop: HopId,
    has_ids: bool,
}

/// How many failures of one method and path are considered for one record, nearest before it first.
const LOOK_BACK: usize = 256;

impl Wanted {
    /// Wants whatever belongs to `seeds` (failures, hidden failures, error-log lines; corrected clock).
    /// Hops in `by_id` (pairs, both ways) are known to write the same ids; `upstreams_of` gives the hops that a hop
    /// sends requests to.
    pub fn new(
        seeds: &[Record],
        by_id: FxHashSet<(HopId, HopId)>,
        upstreams_of: &dyn Fn(HopId) -> Vec<HopId>,
    ) -> Self {
        let mut wanted = Self {
            by_id,
            ..Self::default()
        };
        for record in seeds.iter().filter(|record| record.kind != Kind::Event) {
            wanted.add_ids(record);
            let Some((start, end)) = record.interval() else {
                continue;
            };
            let resolution = i64::from(record.resolution_us);
            let late = if end - start >= 1_000_000 || timed_out(record) {
                LATE_US
            } else {
                SLACK_US
            };
            let reach = wanted.reach.get_or_insert((start, end));
            *reach = (reach.0.min(start - SLACK_US), reach.1.max(end + late));
            if !record.path.is_empty() {
                let key = ids::request_key(record.method.as_bytes(), record.path.as_bytes());
                let seed = Seed {
                    start_us: start - SLACK_US,
                    end_us: end + resolution + late,
                    place: record.place,
                    hop: record.hop,
                    has_ids: record.ids.iter().any(|id| ids::key(id.as_bytes()).is_some()),
                };
                wanted.requests.entry(key).or_default().push(seed);
            }
            let latest_start = start + resolution;
            let addresses = record
                .attempts
                .iter()
                .map(|attempt| Use::address(record.hop, &attempt.addr));
            for place in addresses.chain(upstreams_of(record.hop).iter().map(|&hop| Use::Served(hop))) {
                wanted.uses.entry(place).or_default().push(latest_start);
            }
        }
        wanted
            .requests
            .values_mut()
            .for_each(|seeds| seeds.sort_unstable());
        wanted.uses.values_mut().for_each(|starts| {
            starts.sort_unstable();
            starts.dedup();
        });
        wanted
    }

    /// Wants only the ids of `records` that were not wanted before. `None` if there are none.
    pub fn widened(&self, records: &[&Record]) -> Option<Self> {
        let mut wider = Self {
            reach: self.reach,
            ..Self::default()
        };
        records.iter().for_each(|record| wider.add_ids(record));
        wider.ids.retain(|id| !self.ids.contains(id));
        (!wider.ids.is_empty()).then_some(wider)
    }

    /// Counts the ids of `other` as wanted, so that they are not looked for again.
    pub fn take_ids(&mut self, other: Self) {
        self.ids.extend(other.ids);
    }

    fn add_ids(&mut self, record: &Record) {
        self.ids
            .extend(record.ids.iter().filter_map(|id| ids::key(id.as_bytes())));
    }

    /// Whether a part whose entries lie in `[first_us, last_us]` (corrected clock) can hold anything wanted.
    pub fn may_be_in(&self, first_us: i64, last_us: i64) -> bool {
        // Idle gaps are looked up as far back as the longest keep-alive that is usual.
        const LONGEST_IDLE_US: i64 = 660_000_000;
        self.reach
            .is_some_and(|(from, to)| last_us >= from - LONGEST_IDLE_US && first_us <= to)
    }

    fn has_id(&self, entry: &Entry<'_>) -> bool {
        entry
            .ids
            .as_slice()
            .iter()
            .any(|id| ids::key(id).is_some_and(|key| self.ids.contains(&key)))
    }

    /// The failures that a record of the same method and path at `hop` may belong to.
    fn near(&self, key: u64, start: i64, end: i64, hop: HopId, has_ids: bool) -> impl Iterator<Item = &Seed> {
        let seeds = self.requests.get(&key).map_or(&[][..], Vec::as_slice);
        let upper = seeds.partition_point(|seed| seed.start_us <= end);
        seeds[..upper]
            .iter()
            .rev()
            .take(LOOK_BACK)
            .filter(move |seed| seed.end_us >= start)
            .filter(move |seed| !(has_ids && seed.has_ids && self.by_id.contains(&(seed.hop, hop))))
    }
}

fn timed_out(record: &Record) -> bool {
    record
        .signal
        .is_some_and(|signal| signal.fault == Fault::TimedOut && signal.phase != Phase::Connect)
}

/// What the second pass found.
#[derive(Debug, Default)]
pub struct Gathered {
    by_id: FxHashMap<u64, Vec<Record>>,
    by_time: BTreeMap<(Place, HopId), Vec<(i64, Record)>>,
    /// Per place and start of a failure: the latest few ends of exchanges since the failure before it, descending.
    ends: FxHashMap<(Use, i64), Vec<i64>>,
}

impl Gathered {
    /// Takes in what another task found.
    pub fn merge(&mut self, other: Self) {
        for (key, records) in other.by_id {
            let all = self.by_id.entry(key).or_default();
            all.extend(records);
            all.truncate(CONSTANT + 1);
        }
        for (key, records) in other.by_time {
            let all = self.by_time.entry(key).or_default();
            all.extend(records);
            nearest(all);
        }
        for (key, ends) in other.ends {
            let all = self.ends.entry(key).or_default();
            all.extend(ends);
            latest(all);
        }
    }

    /// The records, each once, by place.
    pub fn records(&self) -> Vec<Record> {
        let usable = |records: &&Vec<Record>| records.len() <= CONSTANT;
        let mut all: BTreeMap<Place, &Record> = BTreeMap::new();
        for record in self.by_id.values().filter(usable).flatten() {
            all.insert(record.place, record);
        }
        for (_, record) in self.by_time.values().flatten() {
            all.insert(record.place, record);
        }
        all.into_values().cloned().collect()
    }

    /// The ends of exchanges before failures, for look-ups by place and time.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::default();
        for (&(place, start), ends) in &self.ends {
            uses.ends.entry(place).or_default().insert(start, ends.clone());
        }
        uses
    }
}

/// When upstreams had been used last before failures.
#[derive(Debug, Default)]
pub struct Uses {
    ends: BTreeMap<Use, BTreeMap<i64, Vec<i64>>>,
}

impl Uses {
    /// The latest end of an exchange at `place` that is not after `start_us`, where a failure began.
    pub fn before(&self, place: Use, start_us: i64) -> Option<i64> {
        let ends = self.ends.get(&place)?;
        // An end is filed under the first failure after it, and that may lie after this one.
        let after = ends.range(start_us..).next().into_iter();
        let before = ends.range(..start_us).rev();
        after
            .chain(before)
            .flat_map(|(_, ends)| ends)
            .copied()
            .find(|&end| end <= start_us)
    }
}

/// Ends kept per failure: as many as may lie between a coarse stamp's latest and true start.
const ENDS: usize = 8;

fn latest(ends: &mut Vec<i64>) {
    ends.sort_unstable_by_key(|&end| std::cmp::Reverse(end));
    ends.dedup();
    ends.truncate(ENDS);
}

/// Keeps the nearest few; the place decides between equals, so that the order of arrival does not matter.
fn nearest(records: &mut Vec<(i64, Record)>) {
    records.sort_unstable_by_key(|(distance, record)| (*distance, record.place));
    records.dedup_by_key(|(_, record)| record.place);
    records.truncate(CANDIDATES);
}

/// Gathers from one part of one input.
pub struct Gatherer<'w> {
    scanner: Scanner,
    whence: Whence,
    wanted: &'w Wanted,
    found: Gathered,
}

impl<'w> Gatherer<'w> {
    /// A gatherer for one part.
    pub fn new(scanner: Scanner, whence: Whence, wanted: &'w Wanted) -> Self {
        Self {
            scanner,
            whence,
            wanted,
            found: Gathered::default(),
        }
    }

    /// Takes in whole lines.
    pub fn chunk(&mut self, bytes: &[u8], offset: u64) {
        let Self {
            scanner,
            whence,
            wanted,
            found,
        } = self;
        scanner.scan(bytes, offset, |scanned, line| {
            if let Scanned::Entry(entry) = scanned {
                consider(found, wanted, entry, line, whence);
            }
        });
    }

    /// What was found.
    pub fn finish(mut self) -> Gathered {
        let Self {
            scanner,
            whence,
            wanted,
            found,
        } = &mut self;
        scanner.finish(|scanned, line| {
            if let Scanned::Entry(entry) = scanned {
                consider(found, wanted, entry, line, whence);
            }
        });
        self.found
    }
}

fn consider(found: &mut Gathered, wanted: &Wanted, entry: &Entry<'_>, line: LineRef, whence: &Whence) {
    let times = interval(entry).map(|(start, end, stamp)| {
        let corrected = |us: i64| us + whence.correction_us;
        let start_us = corrected(start.or(end).unwrap_or(stamp.us));
        let end_us = corrected(end.or(start).unwrap_or(stamp.us));
        (start_us, end_us + i64::from(stamp.resolution_us), end_us)
    });
    if let Some((_, _, end)) = times {
        note_use(found, wanted, entry, end, whence.hop);
    }
    if wanted.has_id(entry) {
        let record = own::record(entry, line, whence);
        for key in entry.ids.as_slice().iter().filter_map(|id| ids::key(id)) {
            if wanted.ids.contains(&key) {
                let all = found.by_id.entry(key).or_default();
                if all.len() <= CONSTANT {
                    all.push(record.clone());
                }
            }
        }
    }
    let Some((start, latest, _)) = times else { return };
    if entry.path.is_empty() || entry.kind == Kind::Event {
        return;
    }
    let key = own::request_key(entry);
    let has_ids = entry.ids.as_slice().iter().any(|id| ids::key(id).is_some());
    let mut record = None;
    for seed in wanted.near(key, start, latest, whence.hop, has_ids) {
        let distance = (start - (seed.start_us + SLACK_US)).abs();
        let all = found.by_time.entry((seed.place, whence.hop)).or_default();
        if all.len() == CANDIDATES && all.last().is_some_and(|(worst, _)| distance > *worst) {
            continue;
        }
        let record = record.get_or_insert_with(|| own::record(entry, line, whence));
        all.push((distance, record.clone()));
        nearest(all);
    }
}

/// Remembers the end of an exchange for the failures that come after it.
fn note_use(found: &mut Gathered, wanted: &Wanted, entry: &Entry<'_>, end: i64, hop: HopId) {
    if wanted.uses.is_empty() || entry.kind == Kind::Event {
        return;
    }
    let mut note = |place: Use| {
        let Some(starts) = wanted.uses.get(&place) else {
            return;
        };
        let next = starts.partition_point(|&start| start < end);
        let Some(&start) = starts.get(next) else { return };
        let ends = found.ends.entry((place, start)).or_default();
        if ends.len() < ENDS || ends.last().is_some_and(|&last| end > last) {
            ends.push(end);
            latest(ends);
        }
    };
    if let Some(attempt) = entry.upstream.last()
        && attempt.status.or(entry.status).is_some_and(|status| status < 500)
    {
        note(Use::Address(hop, ids::hash(attempt.addr)));
    }
    if entry.kind == Kind::Request && entry.status.is_some() {
        note(Use::Served(hop));
    }
}
