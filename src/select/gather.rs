//! Second pass: what belongs to the failures that the first pass kept.
//!
//! A record is gathered when it carries an id of a failure, or when it is of the same method and path and its
//! time fits. Same-hop look-alikes are gathered too: they compete for the upstream's entries, so that a request
//! that never arrived is not credited with its neighbour's.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use why502_parsers::Glance;
use why502_parsers::entry::{Entry, Kind};

use super::locus::Probe;
use super::own::{self, Whence};
use super::scan::{LineRef, Scanned, Scanner, Taker, interval, sides};
use super::sieve::Sieve;
use crate::model::record::{Place, Record, SourceId};
use crate::model::{HopId, ids};

/// How many records of one hop are kept per failure when only method, path and time speak for them.
const CANDIDATES: usize = 12;

/// An id on more records than this is a constant (a health check, a placeholder), not an id.
const CONSTANT: usize = 48;

/// A queued request may reach the application long after the proxy gave up on it.
const LATE_US: i64 = 60_000_000;

/// Idle gaps are looked up as far back as the longest keep-alive that is usual.
pub(super) const LONGEST_IDLE_US: i64 = 660_000_000;

/// Beyond this, a stamp's resolution and the clocks' uncertainty are not the reason for a misfit.
const SLACK_US: i64 = 1_500_000;

/// What the second pass looks for.
#[derive(Debug, Default)]
pub struct Wanted {
    ids: FxHashSet<u64>,
    /// Which ids are surely none of them.
    sieve: Sieve,
    /// Per method-and-path key, the intervals of failures, by start.
    requests: FxHashMap<u64, Vec<Seed>>,
    /// Hops whose served requests before failures are looked for, with the latest starts of those failures, ascending.
    served: FxHashMap<HopId, Vec<i64>>,
    /// Of those, the starts of failures for which nothing else tells how long the upstream had been idle, ascending.
    unsure: FxHashMap<HopId, Vec<i64>>,
    /// Pairs of hops whose records are joined by id, so that look-alikes need not be gathered.
    by_id: FxHashSet<(HopId, HopId)>,
    /// The failures' own records, which are not gathered again: input and offset.
    own: FxHashSet<(SourceId, u64)>,
    /// Earliest and latest instant at which anything is wanted.
    reach: Option<(i64, i64)>,
}

/// A failure whose other records are looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// The failure's own record.
    pub place: Place,
    /// Its hop.
    pub hop: HopId,
    /// Start and end of the request, or of what is known of it.
    pub interval: (i64, i64),
    /// Resolution of both.
    pub resolution_us: u32,
    /// Its method-and-path keys, one for each way in which hops write its path; none if it does not name them, or if
    /// nothing but ids is to be looked for.
    pub requests: Vec<u64>,
    /// Whether it carries an id that can be joined by.
    pub has_ids: bool,
    /// Whether it is looked for at all hops, or only at its own.
    pub everywhere: bool,
    /// Whether its hop gave up waiting, so that what it asked for may have come much later.
    pub gave_up: bool,
    /// Hops whose served requests show how long its upstream had been idle.
    pub served_by: Vec<HopId>,
    /// Whether its own log shows that too, so that no log has to be read for it.
    pub knows_gap: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Seed {
    start_us: i64,
    end_us: i64,
    place: Place,
    hop: HopId,
    has_ids: bool,
    everywhere: bool,
}

/// How many failures of one method and path are considered for one record, nearest before it first.
const LOOK_BACK: usize = 256;

impl Wanted {
    /// Wants whatever belongs to the failures of `searches`, whose records (with their ids) are `records`. Hops in
    /// `by_id` (pairs, both ways; a hop with itself if all its neighbours are) are known to write the same ids.
    pub fn new<'r>(
        searches: &[Search],
        records: impl IntoIterator<Item = &'r Record>,
        by_id: FxHashSet<(HopId, HopId)>,
    ) -> Self {
        let records: Vec<&Record> = records.into_iter().collect();
        let mut wanted = Self {
            by_id,
            own: records.iter().map(|record| own_place(record)).collect(),
            ..Self::default()
        };
        wanted.add_ids(&records);
        for search in searches {
            wanted.add(search);
        }
        wanted
            .requests
            .values_mut()
            .for_each(|seeds| seeds.sort_unstable());
        let starts = wanted.served.values_mut().chain(wanted.unsure.values_mut());
        starts.for_each(|starts| {
            starts.sort_unstable();
            starts.dedup();
        });
        wanted
    }

    fn add(&mut self, search: &Search) {
        let ((start, end), resolution) = (search.interval, i64::from(search.resolution_us));
        let late = if search.gave_up { LATE_US } else { SLACK_US };
        let reach = self.reach.get_or_insert((start, end));
        *reach = (reach.0.min(start - SLACK_US), reach.1.max(end + late));
        for &hop in &search.served_by {
            self.served.entry(hop).or_default().push(start + resolution);
            if !search.knows_gap {
                self.unsure.entry(hop).or_default().push(start + resolution);
            }
        }
        for &request in &search.requests {
            self.requests.entry(request).or_default().push(Seed {
                start_us: start - SLACK_US,
                end_us: end + resolution + late,
                place: search.place,
                hop: search.hop,
                has_ids: search.has_ids,
                everywhere: search.everywhere,
            });
        }
    }

    /// Whether lines that `hop` wrote within `span` must be read because only they tell when it had served requests.
    pub fn is_unsure_in(&self, hop: HopId, span: (i64, i64)) -> bool {
        self.unsure.get(&hop).is_some_and(|starts| {
            let after = starts.partition_point(|&start| start < span.0);
            let next = starts.get(after);
            next.is_some_and(|&start| start - LONGEST_IDLE_US <= span.1)
        })
    }

    /// When every line that `hop` wrote must be read, not only those with an id that is wanted, since it may be joined
    /// by method, path and time.
    pub fn windows(&self, hop: HopId) -> Windows {
        let seeds = self.requests.values().flatten().filter(|seed| {
            let by_id = seed.has_ids && self.by_id.contains(&(seed.hop, hop));
            if seed.everywhere { !by_id } else { seed.hop == hop }
        });
        Windows::new(seeds.map(|seed| (seed.start_us, seed.end_us)).collect())
    }

    /// Whether it is asked when `hop` had served requests.
    pub fn asks_when_served(&self, hop: HopId) -> bool {
        self.served.contains_key(&hop)
    }

    /// Whether an id (as it stands in a line) is wanted.
    pub fn wants_id(&self, id: &[u8]) -> bool {
        ids::key(id).is_some_and(|key| self.ids.contains(&key))
    }

    /// The ids wanted.
    pub fn ids(&self) -> &FxHashSet<u64> {
        &self.ids
    }

    /// Wants only the ids of `records` that were not wanted before. `None` if there are none.
    pub fn widened<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> Option<Self> {
        let mut wider = Self {
            reach: self.reach,
            ..Self::default()
        };
        wider.add_ids(&records.into_iter().collect::<Vec<_>>());
        wider.ids.retain(|id| !self.ids.contains(id));
        (!wider.ids.is_empty()).then_some(wider)
    }

    /// Counts the ids of `other` as wanted, so that they are not looked for again.
    pub fn take_ids(&mut self, other: Self) {
        self.ids.extend(other.ids);
    }

    fn add_ids(&mut self, records: &[&Record]) {
        let all = || records.iter().flat_map(|record| &record.ids).map(|id| &**id);
        self.sieve = Sieve::new(all());
        self.ids.extend(all().filter_map(|id| ids::key(id.as_bytes())));
    }

    /// Whether a part whose entries lie in `[first_us, last_us]` (corrected clock) can hold anything wanted.
    pub fn may_be_in(&self, first_us: i64, last_us: i64) -> bool {
        self.reach
            .is_some_and(|(from, to)| last_us >= from - LONGEST_IDLE_US && first_us <= to)
    }

    /// Whether what stands at byte `offset` of `source` is a failure's own record.
    pub fn has_own(&self, source: SourceId, offset: u64) -> bool {
        self.own.contains(&(source, offset))
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
            .filter(move |seed| seed.everywhere || seed.hop == hop)
            .filter(move |seed| !(has_ids && seed.has_ids && self.by_id.contains(&(seed.hop, hop))))
    }
}

/// Where a record stands that is known already.
fn own_place(record: &Record) -> (SourceId, u64) {
    (record.place.source, record.place.offset)
}

/// A record of the same method and path as a failure, by its distance in time.
type Alike = (i64, Arc<Record>);

/// What the second pass found.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Per id, where it was found; more often than [`CONSTANT`] times counts as once more.
    by_id: FxHashMap<u64, Vec<Place>>,
    /// The records found by id.
    records: FxHashMap<Place, Record>,
    /// Per failure and hop, the nearest few records of the same method and path. A busy path's failures share theirs.
    by_time: FxHashMap<(Place, HopId), Vec<Alike>>,
    /// Per hop and start of a failure: the latest few ends of requests it served since the failure before, descending.
    /// With each end, how many requests its connection had carried (zero where that is not logged).
    served: FxHashMap<(HopId, i64), Vec<(i64, u32)>>,
}

impl Gathered {
    /// Takes in what another task found.
    pub fn merge(&mut self, other: Self) {
        for (key, places) in other.by_id {
            let all = self.by_id.entry(key).or_default();
            all.extend(places);
            all.truncate(CONSTANT + 1);
        }
        self.records.extend(other.records);
        for (key, records) in other.by_time {
            let all = self.by_time.entry(key).or_default();
            for (distance, record) in records {
                add_near(all, distance, &record);
            }
        }
        for (key, ends) in other.served {
            let all = self.served.entry(key).or_default();
            all.extend(ends);
            latest(all);
        }
    }

    /// Takes in that `hop` served requests that ended at `ends`, ascending, without counts of their connections.
    pub fn add_served(&mut self, wanted: &Wanted, hop: HopId, ends: &[i64]) {
        let mut from = 0;
        for &start in wanted.served.get(&hop).into_iter().flatten() {
            let to = ends.partition_point(|&end| end <= start);
            let last = &ends[from.max(to.saturating_sub(ENDS))..to];
            if !last.is_empty() {
                let all = self.served.entry((hop, start)).or_default();
                all.extend(last.iter().map(|&end| (end, 0)));
                latest(all);
            }
            from = to;
        }
    }

    /// The records, each once, by place.
    pub fn into_records(self) -> Vec<Record> {
        let Self {
            by_id,
            mut records,
            by_time,
            ..
        } = self;
        let usable = by_id
            .into_values()
            .filter(|places| places.len() <= CONSTANT)
            .flatten();
        let mut all: BTreeMap<Place, Record> = usable
            .filter_map(|place| Some((place, records.remove(&place)?)))
            .collect();
        // Each is left with one owner before it is taken out, so that none is copied.
        let near: BTreeMap<Place, Arc<Record>> = by_time
            .into_values()
            .flatten()
            .map(|(_, record)| (record.place, record))
            .collect();
        all.extend(
            near.into_iter()
                .map(|(place, record)| (place, Arc::unwrap_or_clone(record))),
        );
        all.into_values().collect()
    }

    /// The ends of served requests before failures, for look-ups by hop and time.
    pub fn take_served(&mut self) -> Served {
        let mut served = Served::default();
        for ((hop, start), ends) in std::mem::take(&mut self.served) {
            served.ends.entry(hop).or_default().insert(start, ends);
        }
        served
    }
}

/// When hops had served requests last before failures.
#[derive(Debug, Default)]
pub struct Served {
    ends: BTreeMap<HopId, BTreeMap<i64, Vec<(i64, u32)>>>,
}

impl Served {
    /// The latest end of a request served by `hop` that is not after `start_us`, where a failure began, and how many
    /// requests its connection had carried by then (zero where that is not logged).
    pub fn before(&self, hop: HopId, start_us: i64) -> Option<(i64, u32)> {
        let ends = self.ends.get(&hop)?;
        // An end is filed under the first failure after it, and that may lie after this one.
        let after = ends.range(start_us..).next().into_iter();
        let before = ends.range(..start_us).rev();
        after
            .chain(before)
            .flat_map(|(_, ends)| ends)
            .copied()
            .find(|&(end, _)| end <= start_us)
    }
}

/// Ends kept per failure: as many as may lie between a coarse stamp's latest and true start.
const ENDS: usize = 8;

fn latest(ends: &mut Vec<(i64, u32)>) {
    ends.sort_unstable_by_key(|&end| std::cmp::Reverse(end));
    ends.dedup();
    ends.truncate(ENDS);
}

/// Adds a record if it is among the nearest few; the place decides between equals, so that the order of arrival does
/// not matter.
fn add_near(records: &mut Vec<Alike>, distance: i64, record: &Arc<Record>) {
    let wanted = (distance, record.place);
    let at = records.partition_point(|(distance, known)| (*distance, known.place) < wanted);
    let is_there = records
        .get(at)
        .is_some_and(|(_, known)| known.place == record.place);
    if at < CANDIDATES && !is_there {
        records.insert(at, (distance, Arc::clone(record)));
        records.truncate(CANDIDATES);
    }
}

/// Intervals of time, those that meet put together, ascending.
#[derive(Debug, Default)]
pub struct Windows(Vec<(i64, i64)>);

impl Windows {
    fn new(mut all: Vec<(i64, i64)>) -> Self {
        all.sort_unstable();
        all.dedup_by(|next, last| {
            let is_met = next.0 <= last.1;
            if is_met {
                last.1 = last.1.max(next.1);
            }
            is_met
        });
        Self(all)
    }

    /// Whether one of them has an instant in common with `span`.
    pub fn meet(&self, span: (i64, i64)) -> bool {
        let at = self.0.partition_point(|&(_, to)| to < span.0);
        self.0.get(at).is_some_and(|&(from, _)| from <= span.1)
    }
}

/// Gathers from one part of one input.
pub struct Gatherer<'w> {
    scanner: Scanner,
    taken: Taken<'w>,
}

/// What a gatherer looks for, and what it found so far.
struct Taken<'w> {
    whence: Whence,
    wanted: &'w Wanted,
    probe: Option<Probe>,
    /// Lines are read whatever ids they have.
    reads_all: bool,
    /// Of the lines that are read only those count that have an id that is wanted.
    only_ids: bool,
    directive: Option<u8>,
    found: Gathered,
}

impl<'w> Gatherer<'w> {
    /// A gatherer for one part. With a `probe`, only lines that may carry a wanted id are read (and those that start
    /// with `directive`, since they change how others are read).
    pub fn new(
        scanner: Scanner,
        whence: Whence,
        wanted: &'w Wanted,
        probe: Option<Probe>,
        directive: Option<u8>,
    ) -> Self {
        Self {
            // Where ids lead to the lines that matter, a look at the id is shorter than a glance.
            scanner: if probe.is_none() {
                scanner.glancing()
            } else {
                scanner
            },
            taken: Taken {
                whence,
                wanted,
                reads_all: probe.is_none(),
                only_ids: false,
                probe,
                directive,
                found: Gathered::default(),
            },
        }
    }

    /// From here on takes all lines, or only those with an id that is wanted, which its probe picks if it has one.
    pub fn take_all(&mut self, all: bool) {
        self.taken.reads_all = all || self.taken.probe.is_none();
        self.taken.only_ids = !all;
        self.scanner.glance_if(self.taken.reads_all);
    }

    /// From here on takes only lines with an id that is wanted, and is given hardly any others.
    pub fn take_picked(&mut self) {
        self.taken.reads_all = true;
        self.taken.only_ids = true;
    }

    /// Leaves whole lines out, which are counted only.
    pub fn skip(&mut self, lines: &[u8]) {
        let ends = memchr::memchr_iter(b'\n', lines).count() as u64;
        self.scanner.index += ends + u64::from(!lines.ends_with(b"\n"));
    }

    /// Takes in whole lines.
    pub fn chunk(&mut self, bytes: &[u8], offset: u64) {
        let Self { scanner, taken } = self;
        if !taken.passes_by(scanner) {
            return scanner.scan_for(bytes, offset, taken);
        }
        scanner.pick_for(bytes, offset, taken);
    }

    /// Takes in one line, the `number`-th of the part, counted from 0.
    pub fn line(&mut self, line: &[u8], offset: u64, number: u64) {
        self.scanner.index = number;
        self.chunk(line, offset);
    }

    /// What was found.
    pub fn finish(mut self) -> Gathered {
        let Self { scanner, taken } = &mut self;
        scanner.finish(taken);
        self.taken.found
    }
}

impl Taken<'_> {
    /// Whether lines as they stand in the file tell that they hold nothing wanted, so that no more than their ends and
    /// their ids have to be looked for.
    fn passes_by(&self, scanner: &Scanner) -> bool {
        let probe = self.probe.as_ref().filter(|_| !self.reads_all);
        probe.is_some_and(|probe| scanner.shows_ids(probe, self.directive.is_some()))
    }

    /// Whether `line` may have a wanted id, or must be read for another reason.
    fn may_hold(&self, line: &[u8]) -> bool {
        let Some(probe) = self.probe.as_ref().filter(|_| !self.reads_all) else {
            return true;
        };
        (self.directive.is_some() && line.first() == self.directive.as_ref())
            || probe.may_want(
                line,
                |id| self.wanted.sieve.rules_out(id),
                |id| self.wanted.wants_id(id),
            )
    }
}

impl Taker for Taken<'_> {
    fn wants(&self, line: &[u8]) -> bool {
        self.may_hold(line)
    }

    /// Requests that are not gathered only show when their hop had served one.
    fn glanced(&mut self, glance: &Glance<'_>, line: LineRef) -> bool {
        let Some(stamp) = glance.time else {
            return false;
        };
        let has_key = |key: &u64| self.wanted.ids.contains(key);
        let mut keys = glance
            .ids
            .as_slice()
            .iter()
            .filter_map(|id| ids::key(id))
            .peekable();
        let has_ids = keys.peek().is_some();
        if keys.any(|key| has_key(&key)) {
            return false;
        }
        if self.only_ids {
            return true;
        }
        let (start, end) = sides(stamp, glance.duration_us);
        let correction_us = self.whence.shift.at(stamp.us, line.offset);
        let corrected = |us: i64| us + correction_us;
        let first = corrected(start.or(end).unwrap_or(stamp.us));
        let last = corrected(end.or(start).unwrap_or(stamp.us));
        let latest = last + i64::from(stamp.resolution_us);
        if !glance.path.is_empty() && !self.wanted.requests.is_empty() {
            let key = own::glanced_key(glance);
            let mut near = self.wanted.near(key, first, latest, self.whence.hop, has_ids);
            if near.next().is_some() {
                return false;
            }
        }
        if glance.status.is_some() {
            let carried = glance.connection_requests.unwrap_or(0);
            note_served(&mut self.found, self.wanted, (last, carried), self.whence.hop);
        }
        true
    }

    fn take(&mut self, scanned: Scanned<'_, '_>, line: LineRef, _: &[u8]) {
        if let Scanned::Entry(entry) = scanned
            && (!self.only_ids || self.wanted.has_id(entry))
        {
            consider(&mut self.found, self.wanted, entry, line, &self.whence);
        }
    }
}

fn consider(found: &mut Gathered, wanted: &Wanted, entry: &Entry<'_>, line: LineRef, whence: &Whence) {
    let times = interval(entry).map(|(start, end, stamp)| {
        let correction_us = whence.shift.at(stamp.us, line.offset);
        let corrected = |us: i64| us + correction_us;
        let start_us = corrected(start.or(end).unwrap_or(stamp.us));
        let end_us = corrected(end.or(start).unwrap_or(stamp.us));
        (start_us, end_us + i64::from(stamp.resolution_us), end_us)
    });
    if let Some((_, _, end)) = times
        && entry.kind == Kind::Request
        && entry.status.is_some()
    {
        let carried = entry.connection_requests.unwrap_or(0);
        note_served(found, wanted, (end, carried), whence.hop);
    }
    if wanted.own.contains(&(whence.source, line.offset)) {
        return;
    }
    if wanted.has_id(entry) {
        take_by_id(found, wanted, entry, own::record(entry, line, whence));
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
        let record = record.get_or_insert_with(|| Arc::new(own::record(entry, line, whence)));
        add_near(all, distance, record);
    }
}

fn take_by_id(found: &mut Gathered, wanted: &Wanted, entry: &Entry<'_>, record: Record) {
    let place = record.place;
    for key in entry.ids.as_slice().iter().filter_map(|id| ids::key(id)) {
        if wanted.ids.contains(&key) {
            let all = found.by_id.entry(key).or_default();
            if all.len() <= CONSTANT {
                all.push(place);
            }
            if all.len() > CONSTANT {
                return;
            }
        }
    }
    found.records.insert(place, record);
}

/// Remembers the end of a served request for the failures that come after it.
fn note_served(found: &mut Gathered, wanted: &Wanted, (end, carried): (i64, u32), hop: HopId) {
    let Some(starts) = wanted.served.get(&hop) else {
        return;
    };
    let next = starts.partition_point(|&start| start < end);
    let Some(&start) = starts.get(next) else { return };
    let ends = found.served.entry((hop, start)).or_default();
    if ends.len() < ENDS || ends.last().is_some_and(|&(last, _)| end >= last) {
        ends.push((end, carried));
        latest(ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_meet_what_any_of_them_meets() {
        let all = vec![(10, 20), (15, 30), (50, 60), (5, 8)];
        let windows = Windows::new(all.clone());
        for (from, len) in (0..70).flat_map(|from| [(from, 0), (from, 7)]) {
            let span = (from, from + len);
            let any = all.iter().any(|&(a, b)| a <= span.1 && b >= span.0);
            assert_eq!(windows.meet(span), any, "{span:?}");
        }
    }

    #[test]
    fn ends_known_beforehand_are_filed_as_those_read_line_by_line() {
        let hop = HopId(1);
        let wanted = Wanted {
            served: FxHashMap::from_iter([(hop, vec![5, 30, 31, 70])]),
            ..Wanted::default()
        };
        let ends: Vec<i64> = (0..90).filter(|end| end % 3 != 1).collect();
        let (mut read, mut known) = (Gathered::default(), Gathered::default());
        for &end in ends.iter().rev().chain(&ends) {
            note_served(&mut read, &wanted, (end, 0), hop);
        }
        known.add_served(&wanted, hop, &ends);
        assert_eq!(known.served, read.served);
        assert_eq!(known.take_served().before(hop, 69), Some((69, 0)));
    }
}
