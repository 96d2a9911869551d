//! First pass: count every line, keep the failures, sample the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use why502_parsers::Glance;
use why502_parsers::entry::{Entry, Fault, Ids, Kind, Phase, Stamp, Zone};
use why502_parsers::unread::Around;

use super::cells::{Cell, Cells};
use super::gather::LONGEST_IDLE_US;
use super::locus::Loci;
use super::marks::{self, Marker, Marks};
use super::own::{self, Whence};
use super::packed::{Keys, Line, Noted, Packed};
use super::recent::{Prior, Recent};
use super::scan::{LineRef, Scanned, Scanner, Taker, interval, sides};
use super::sketch::{Ceilings, Sample, Sketch, Told};
use super::spots::{Known, Spots, Spotter};
use super::steps::{self, Jumps, Step};
use crate::model::record::{Record, SourceId};
use crate::model::stats::{Coverage, Lives, Second};
use crate::model::{Seconds, Shift, ids};

/// What the first pass learnt, input by input.
#[derive(Debug, Default)]
pub struct Survey {
    /// Per input.
    pub inputs: BTreeMap<SourceId, InputSurvey>,
    /// What was kept of inputs that can only be read from their start.
    pub packed: BTreeMap<SourceId, Packed>,
    /// Lines met that change how later ones are read, with their offsets, where that was to be found out.
    pub directives: BTreeMap<SourceId, Vec<(u64, Vec<u8>)>>,
}

/// What the first pass learnt of one input, or of a part of it. All times in the clock of the log.
#[derive(Debug, Default)]
pub struct InputSurvey {
    /// What was read, and how well.
    pub coverage: Coverage,
    /// Requests and their outcome, second by second of their end.
    pub seconds: Seconds,
    /// Requests answered with a gateway error or worse (499 and above), per status and second of their end.
    pub failures: BTreeMap<(u16, i64), u64>,
    /// Failures, hidden failures and events.
    pub kept: Vec<Record>,
    /// The most requests that a connection had carried, and how many requests were that one.
    pub most_carried: (u32, u32),
    /// When each process served requests.
    pub lives: Lives,
    /// A sample of the requests.
    pub sketch: Sketch,
    /// The parts of the input, for line numbers and for the second pass.
    pub parts: BTreeMap<u64, Part>,
    /// The lines with an id that was known to be wanted before, if they were noted.
    pub spots: Option<Spots>,
    /// Marks of the ids of its lines, if these were not known before and are worth it.
    pub marks: Option<Marks>,
    /// The stretches of each part, by where the part begins.
    pub cells: BTreeMap<u64, Vec<Cell>>,
    /// Coarsest resolution of the stamps.
    pub resolution_us: u32,
    /// For failures that name their upstream (by offset): when it had been used before.
    pub prior: BTreeMap<u64, Prior>,
    /// Where ids stand in its lines.
    pub loci: Loci,
    /// Some request names its upstream.
    pub names_upstreams: bool,
    /// The upstreams that were used in parts, by where these begin; those that follow each other are put together.
    recent: BTreeMap<u64, Used>,
    /// Where its stamps jump, if they do not say their zone.
    pub steps: Vec<Step>,
    /// The stamps of its first and last line, likewise.
    pub ends: Option<(i64, i64)>,
    jumps: BTreeMap<u64, Jumps>,
    /// Some stamps do not say their zone.
    pub zone_unknown: bool,
    /// Requests among the entries.
    pub requests: u64,
    /// Some request did not end just when its stamp of whole seconds says, was not answered, or counts the requests of
    /// its connection: then `seconds` do not say all about when requests were served.
    pub(crate) ends_are_finer: bool,
}

/// One part (span) of an input.
#[derive(Debug, Clone, Copy, Default)]
pub struct Part {
    /// Lines in it.
    pub lines: u64,
    /// Entries of the time that is looked at, with or without a stamp.
    pub entries: u64,
    /// Something between its lines was left out.
    pub has_holes: bool,
    /// Earliest instant of any entry in it.
    pub first_us: Option<i64>,
    /// Latest.
    pub last_us: Option<i64>,
}

/// Where the parts of an input begin, each with the lines before it.
#[derive(Debug)]
pub struct Starts(Vec<(u64, u64)>);

impl Starts {
    /// Lines of the input before the part in which byte `offset` is.
    pub fn lines_before(&self, offset: u64) -> u64 {
        let at = self.0.partition_point(|&(start, _)| start <= offset);
        at.checked_sub(1).map_or(0, |at| self.0[at].1)
    }
}

impl Survey {
    /// The ids of everything that was kept.
    pub fn ids_kept(&self) -> Keys {
        let records = self.inputs.values().flat_map(|input| &input.kept);
        let all = records.flat_map(|record| record.ids.iter());
        all.filter_map(|id| ids::key(id.as_bytes())).collect()
    }

    /// Takes in what another task learnt.
    pub fn merge(&mut self, other: Self) {
        self.packed.extend(other.packed);
        for (source, lines) in other.directives {
            self.directives.entry(source).or_default().extend(lines);
        }
        for (source, survey) in other.inputs {
            self.inputs.entry(source).or_default().merge(survey);
        }
    }

    /// Ends the first pass: turns line numbers counted within parts into line numbers of the file, and puts everything in
    /// file order. What was kept has been taken out before.
    ///
    /// `streams` says which inputs are parts of one rotated log: what was known of a failure's upstream may stand at the
    /// end of the part before.
    pub fn settle(&mut self, streams: &BTreeMap<SourceId, &str>) {
        let mut ends: BTreeMap<&str, (Recent, Option<i64>)> = BTreeMap::new();
        // Inputs are numbered in the order in which they were written.
        for (source, input) in &mut self.inputs {
            let stream = streams.get(source).copied().unwrap_or_default();
            let part = ends.remove(stream);
            let goes_on = |last: Option<i64>| {
                let pause = input
                    .coverage
                    .first_us
                    .zip(last)
                    .map(|(first, last)| first - last);
                // After a longer pause a part may be missing.
                pause.is_some_and(|us| us <= LONGEST_IDLE_US)
            };
            let earlier = part.filter(|(_, last)| goes_on(*last)).map(|(recent, _)| recent);
            let recent = input.settle(earlier.unwrap_or_default());
            ends.insert(stream, (recent, input.coverage.last_us));
        }
    }
}

impl InputSurvey {
    fn merge(&mut self, other: Self) {
        let (a, b) = (&mut self.coverage, other.coverage);
        a.bytes += b.bytes;
        a.lines += b.lines;
        a.entries += b.entries;
        a.directives += b.directives;
        a.continuations += b.continuations;
        a.first_us = earliest(a.first_us, b.first_us);
        a.last_us = a.last_us.max(b.last_us);
        a.merge_unread(b);
        self.seconds.merge(other.seconds);
        for (key, count) in other.failures {
            *self.failures.entry(key).or_default() += count;
        }
        self.kept.extend(other.kept);
        self.sketch.merge(other.sketch);
        self.parts.extend(other.parts);
        self.cells.extend(other.cells);
        match (&mut self.spots, other.spots) {
            (Some(spots), Some(more)) => spots.merge(more),
            (spots, more) => *spots = spots.take().or(more),
        }
        match (&mut self.marks, other.marks) {
            (Some(marks), Some(more)) => marks.merge(more),
            (marks, more) => *marks = marks.take().or(more),
        }
        self.resolution_us = self.resolution_us.max(other.resolution_us);
        self.prior.extend(other.prior);
        other
            .recent
            .into_iter()
            .for_each(|(start, used)| self.use_in(start, used));
        self.jumps.extend(other.jumps);
        self.loci.merge(other.loci);
        self.names_upstreams |= other.names_upstreams;
        self.zone_unknown |= other.zone_unknown;
        self.requests += other.requests;
        self.ends_are_finer |= other.ends_are_finer;
        self.lives.merge(other.lives);
        self.most_carried = most(self.most_carried, other.most_carried);
    }

    /// Lets go of what clocks and joins are learnt from.
    pub fn forget_samples(&mut self) {
        self.sketch = Sketch::default();
        self.prior = BTreeMap::new();
        self.loci = Loci::default();
        self.spots = None;
        self.marks = None;
        self.cells = BTreeMap::new();
    }

    /// Earliest and latest instant in the part that starts at `offset`, corrected; everything, if it has no times.
    pub fn span_of(&self, offset: u64, shift: Shift) -> (i64, i64) {
        let part = self.parts.get(&offset).copied().unwrap_or_default();
        match (part.first_us, part.last_us) {
            (Some(first), Some(last)) => shift.span(first, last),
            _ => (i64::MIN, i64::MAX),
        }
    }

    /// When requests were served, ascending, on the clock corrected by `shift`; `None` if only the lines themselves tell
    /// that to the last digit.
    pub fn served(&self, shift: Shift) -> Option<Vec<i64>> {
        if self.ends_are_finer || shift.fold.is_some() {
            return None;
        }
        let seconds = self.seconds.iter().map(|(second, _)| second * 1_000_000);
        let mut ends: Vec<i64> = seconds.map(|us| us + shift.without_fold(us)).collect();
        ends.sort_unstable();
        Some(ends)
    }

    /// Whether its requests may have ended up to a second after the end that is known of them: its stamps are whole
    /// seconds, and mark starts.
    pub fn has_early_ends(&self) -> bool {
        self.resolution_us >= 1_000_000 && self.ends_are_finer
    }

    /// Where its parts begin.
    pub fn starts(&self) -> Starts {
        let mut lines = 0;
        let start = |(&offset, part): (&u64, &Part)| {
            lines += part.lines;
            (offset, lines - part.lines)
        };
        Starts(self.parts.iter().map(start).collect())
    }

    /// Lines of the input before the part that starts at `offset`.
    pub fn lines_before(&self, offset: u64) -> u64 {
        self.parts.range(..offset).map(|(_, part)| part.lines).sum()
    }

    /// `earlier` is what the part of the log before this one knew of upstreams at its end; gives what this one does.
    fn settle(&mut self, earlier: Recent) -> Recent {
        let starts = self.starts();
        for line in &mut self.coverage.unparsed_at {
            line.line += starts.lines_before(line.offset);
        }
        let jumps = std::mem::take(&mut self.jumps);
        self.steps = steps::whole(&jumps);
        self.ends = steps::ends(&jumps);
        if let Some(marks) = &mut self.marks {
            marks.settle();
        }
        self.complete_prior(earlier)
    }

    /// Notes which upstreams were used in the part that begins at `start`: with those of the parts around it, if these
    /// are known.
    fn use_in(&mut self, start: u64, used: Used) {
        let (mut start, mut used) = (start, used);
        let before = self.recent.range_mut(..start).next_back();
        let joins = |earlier: &Used, end: u64, later: &Used| {
            earlier.end == end && earlier.recent.has_room_for(&later.recent)
        };
        if let Some((&at, _)) = before.filter(|(_, earlier)| joins(earlier, start, &used))
            && let Some(earlier) = self.recent.remove(&at)
        {
            used = earlier.followed(start, used, &mut self.prior);
            start = at;
        }
        if let Some(later) = self.recent.remove(&used.end) {
            let at = used.end;
            if joins(&used, at, &later) {
                used = used.followed(at, later, &mut self.prior);
            } else {
                self.recent.insert(at, later);
            }
        }
        self.recent.insert(start, used);
    }

    /// Lets failures near the start of a part know what earlier parts saw of their upstreams.
    fn complete_prior(&mut self, earlier: Recent) -> Recent {
        let mut earlier = Used {
            recent: earlier,
            end: 0,
        };
        let starts: Vec<u64> = self.recent.keys().skip(1).copied().collect();
        let ends = starts.into_iter().chain(std::iter::once(u64::MAX));
        for ((start, used), end) in std::mem::take(&mut self.recent).into_iter().zip(ends) {
            earlier = earlier.followed(start, Used { end, ..used }, &mut self.prior);
        }
        earlier.recent
    }
}

/// The upstreams that were used in some part of an input.
#[derive(Debug, Default)]
struct Used {
    recent: Recent,
    /// Where the part ends, by what was read of it.
    end: u64,
}

impl Used {
    /// The same with the part from byte `start` on that is `later`, whose failures' `prior` knowledge is added to.
    fn followed(mut self, start: u64, later: Self, prior: &mut BTreeMap<u64, Prior>) -> Self {
        for (_, prior) in prior.range_mut(start..later.end) {
            if prior.is_short() {
                prior.extend(&self.recent);
            }
        }
        self.recent.follow(&later.recent);
        self.end = later.end;
        self
    }
}

/// The greater number, with how often it occurs.
pub(crate) fn most(a: (u32, u32), b: (u32, u32)) -> (u32, u32) {
    match a.0.cmp(&b.0) {
        std::cmp::Ordering::Less => b,
        std::cmp::Ordering::Greater => a,
        std::cmp::Ordering::Equal => (a.0, a.1.saturating_add(b.1)),
    }
}

pub(crate) fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Statuses of which it is known beforehand whether they are wanted: all that there are.
const STATUSES: usize = 1_024;

/// The earliest and the latest of some instants.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    first_us: i64,
    last_us: i64,
}

impl Bounds {
    /// Of no instant.
    const NONE: Self = Self {
        first_us: i64::MAX,
        last_us: i64::MIN,
    };

    #[inline]
    fn widen(&mut self, first_us: i64, last_us: i64) {
        self.first_us = self.first_us.min(first_us);
        self.last_us = self.last_us.max(last_us);
    }

    fn sides(self) -> (Option<i64>, Option<i64>) {
        let is_any = self.first_us <= self.last_us;
        (is_any.then_some(self.first_us), is_any.then_some(self.last_us))
    }
}

/// The keys of a line's ids, of which several things are made.
struct IdKeys {
    keys: [u64; Ids::MOST],
    len: usize,
}

impl IdKeys {
    #[inline]
    fn of(ids: &[&[u8]]) -> Self {
        let mut found = Self {
            keys: [0; Ids::MOST],
            len: 0,
        };
        for (key, place) in ids.iter().filter_map(|id| ids::key(id)).zip(&mut found.keys) {
            *place = key;
            found.len += 1;
        }
        found
    }

    #[inline]
    fn as_slice(&self) -> &[u64] {
        &self.keys[..self.len]
    }
}

/// Surveys one part of one input.
pub struct Surveyor<'w> {
    scanner: Scanner,
    part_offset: u64,
    taken: Taken<'w>,
}

/// What a surveyor has taken in so far.
struct Taken<'w> {
    whence: Whence,
    wanted: &'w (dyn Fn(u16) -> bool + Sync),
    cells: Cells,
    /// The ids of the lines read last, if they are to be noted.
    noted: Option<Noted>,
    spotter: Option<Spotter>,
    marker: Option<Marker>,
    /// Entries that ended outside the time that is looked at.
    outside: u64,
    /// What `wanted` says of each status, by bits.
    statuses: [u64; STATUSES / 64],
    /// First and last stamp, as they stand.
    stamps: Bounds,
    /// The process that served the last request, and when it had served those before it.
    pid: Option<(u32, Bounds)>,
    recent: Recent,
    /// Whether its lines tell of failures only, so that upstreams are not seen to be used.
    is_of_errors: bool,
    jumps: Jumps,
    /// The second of the last request's end, and what was counted since another one was met.
    second: (i64, Second),
    result: InputSurvey,
}

impl<'w> Surveyor<'w> {
    /// A surveyor of the part that starts at byte `part_offset` of an input of `input_bytes`. `wanted` says which
    /// statuses are to be explained.
    pub fn new(
        scanner: Scanner,
        whence: Whence,
        (part_offset, input_bytes): (u64, u64),
        wanted: &'w (dyn Fn(u16) -> bool + Sync),
    ) -> Self {
        Self {
            scanner: scanner.glancing(),
            part_offset,
            taken: Taken {
                whence,
                wanted,
                cells: Cells::new((part_offset, input_bytes)),
                noted: None,
                spotter: None,
                marker: None,
                outside: 0,
                statuses: bits(wanted),
                stamps: Bounds::NONE,
                pid: None,
                recent: Recent::default(),
                is_of_errors: false,
                jumps: Jumps::default(),
                second: (0, Second::default()),
                result: InputSurvey::default(),
            },
        }
    }

    /// Takes in whole lines.
    pub fn chunk(&mut self, bytes: &[u8], offset: u64) {
        let Self { scanner, taken, .. } = self;
        taken.result.coverage.bytes += bytes.len() as u64;
        let before = (scanner.lines(), taken.entries());
        let end = offset + bytes.len() as u64;
        taken.cells.reach((offset, end), before);
        scanner.scan_for(bytes, offset, taken);
    }

    /// The same surveyor, for a log of errors.
    #[must_use]
    pub fn of_errors(mut self) -> Self {
        self.taken.is_of_errors = true;
        self
    }

    /// The same surveyor, which passes over what samples of other parts of its input settle.
    #[must_use]
    pub fn below(mut self, ceilings: &Ceilings) -> Self {
        self.taken.result.sketch = Sketch::below(ceilings);
        self
    }

    /// The same surveyor, which notes the ids of all lines, and the lines that begin with `directive`.
    #[must_use]
    pub fn noting(mut self, directive: Option<u8>) -> Self {
        self.taken.noted = Some(Noted {
            directive,
            lines: Vec::new(),
        });
        self
    }

    /// The same surveyor, which notes the places of lines with one of the ids `known`.
    #[must_use]
    pub fn spotting(mut self, known: Arc<Known>) -> Self {
        self.taken.spotter = Some(Spotter::new(known));
        self
    }

    /// The same surveyor, which marks the ids of lines as far as there is `room`.
    #[must_use]
    pub fn marking(mut self, room: Arc<marks::Room>) -> Self {
        self.taken.marker = Some(Marker::new(room));
        self
    }

    /// What was noted since this was asked last, in order.
    pub fn take_noted(&mut self) -> Vec<Line> {
        let noted = self.taken.noted.as_mut();
        noted.map_or_else(Vec::new, |noted| std::mem::take(&mut noted.lines))
    }

    /// What was kept so far, in order.
    pub fn kept(&self) -> &[Record] {
        &self.taken.result.kept
    }

    /// What was learnt.
    pub fn finish(self) -> Survey {
        let Self {
            mut scanner,
            part_offset,
            mut taken,
        } = self;
        scanner.finish(&mut taken);
        taken.end_second();
        taken.end_process();
        let read = (scanner.lines(), taken.entries());
        let Taken {
            whence,
            cells,
            spotter,
            marker,
            stamps,
            recent,
            jumps,
            mut result,
            ..
        } = taken;
        let (part, cells) = cells.finish(read);
        (result.coverage.first_us, result.coverage.last_us) = stamps.sides();
        result.parts.insert(part_offset, part);
        result.cells.insert(part_offset, cells);
        result.spots = spotter.map(|spotter| spotter.finish(part_offset));
        result.marks = marker.and_then(|marker| marker.finish(part_offset));
        // Where something between the lines was left out, the part is longer than what was read of it.
        let last = result.prior.last_key_value().map_or(0, |(&offset, _)| offset + 1);
        let end = last.max(part_offset + result.coverage.bytes);
        result.recent.insert(part_offset, Used { recent, end });
        result.jumps.insert(part_offset, jumps);
        Survey {
            inputs: BTreeMap::from([(whence.source, result)]),
            ..Survey::default()
        }
    }
}

impl Taker for Taken<'_> {
    /// Requests that are neither kept nor learnt from need no more than a glance.
    #[inline]
    fn glanced(&mut self, glance: &Glance<'_>, line: LineRef) -> bool {
        let Some(stamp) = glance.time else {
            return false;
        };
        let learns = self.result.loci.is_open() && !glance.ids.as_slice().is_empty();
        if learns || glance.status.is_some_and(|status| self.is_wanted(status)) {
            return false;
        }
        self.result.coverage.lines += 1;
        self.result.coverage.entries += 1;
        let (start, end) = sides(stamp, glance.duration_us);
        let span = self.span(start, end, stamp, line.offset);
        let keys = IdKeys::of(glance.ids.as_slice());
        self.request(glance, &keys, span, start.is_some() && end.is_some(), stamp);
        if let Some(end) = end {
            self.follow(glance, end, true);
        }
        self.note_ids(&keys, line);
        true
    }

    fn glanced_outside(&mut self, stamp: Stamp) {
        self.result.coverage.lines += 1;
        self.result.coverage.entries += 1;
        self.outside += 1;
        self.cover(stamp);
    }

    /// Counts a line, which stands in its file as `raw` (what is around it taken off), and observes the entry
    /// it may be.
    fn take(&mut self, scanned: Scanned<'_, '_>, line: LineRef, raw: &[u8]) {
        let coverage = &mut self.result.coverage;
        coverage.lines += 1;
        match scanned {
            Scanned::Entry(entry) => {
                coverage.entries += 1;
                let ids = entry.ids.as_slice();
                if self.result.loci.is_open() && !ids.is_empty() {
                    self.result.loci.learn(raw, ids);
                }
                let keys = IdKeys::of(ids);
                self.note_ids(&keys, line);
                self.observe(entry, &keys, line);
            }
            Scanned::Outside(entry) => {
                coverage.entries += 1;
                self.outside += 1;
                if let Some(stamp) = entry.time {
                    self.cover(stamp);
                }
            }
            Scanned::Continuation => coverage.continuations += 1,
            Scanned::Directive => {
                coverage.directives += 1;
                if let Some(noted) = &mut self.noted {
                    noted.add_directive(raw, line);
                }
            }
            Scanned::Unparsed(unread) => {
                let around = Around {
                    program: unread.program,
                    product: self.whence.product,
                    is_ended: unread.is_ended,
                };
                coverage.unread(raw, &around, unread.error, (line.offset, line.index + 1));
            }
        }
    }
}

impl Taken<'_> {
    /// Entries so far that are of the time that is looked at.
    fn entries(&self) -> u64 {
        self.result.coverage.entries - self.outside
    }

    fn observe(&mut self, entry: &Entry<'_>, keys: &IdKeys, line: LineRef) {
        let glance = Glance::of(entry);
        let times = interval(entry);
        if let Some((start, end, stamp)) = times {
            let span = self.span(start, end, stamp, line.offset);
            if entry.kind == Kind::Request {
                self.request(&glance, keys, span, start.is_some() && end.is_some(), stamp);
            } else if glance.names_upstream {
                // A step of a request may name the upstream that its outcome does not.
                sketch(&mut self.result.sketch, &glance, keys, None);
            }
        }
        if is_kept(entry, self.wanted) {
            self.result.kept.push(own::record(entry, line, &self.whence));
            self.note_prior(entry, line.offset);
        }
        if let Some((_, Some(end), _)) = times {
            self.follow(&glance, end, entry.kind == Kind::Request);
        }
    }

    /// Widens what is covered by an entry from `start` to `end`; gives both, one for the other where it is not known.
    #[inline]
    fn span(&mut self, start: Option<i64>, end: Option<i64>, stamp: Stamp, offset: u64) -> (i64, i64) {
        let first = start.or(end).unwrap_or(stamp.us);
        let last = end.or(start).unwrap_or(stamp.us);
        self.cells.cover(first, last);
        self.result.resolution_us = self.result.resolution_us.max(stamp.resolution_us);
        if stamp.zone != Zone::Known {
            self.jumps.note(stamp.us, offset);
        }
        self.cover(stamp);
        (first, last)
    }

    /// The coverage table shows the stamps as they stand, since that is what a reader will look for.
    #[inline]
    fn cover(&mut self, stamp: Stamp) {
        self.stamps.widen(stamp.us, stamp.us);
        self.result.zone_unknown |= stamp.zone != Zone::Known;
    }

    /// Whether a request with this status is to be explained.
    #[inline]
    fn is_wanted(&self, status: u16) -> bool {
        match self.statuses.get(usize::from(status) / 64) {
            Some(bits) => bits >> (status % 64) & 1 != 0,
            None => (self.wanted)(status),
        }
    }

    /// Notes that a process served a request.
    #[inline]
    fn process(&mut self, pid: u32, us: i64) {
        match &mut self.pid {
            Some((known, bounds)) if *known == pid => bounds.widen(us, us),
            _ => {
                self.end_process();
                let only = Bounds {
                    first_us: us,
                    last_us: us,
                };
                self.pid = Some((pid, only));
            }
        }
    }

    /// Puts what was noted of the last process with the others.
    fn end_process(&mut self) {
        if let Some((pid, bounds)) = self.pid.take() {
            self.result.lives.widen(pid, (bounds.first_us, bounds.last_us));
        }
    }

    /// Counts a request, and samples it.
    #[inline]
    fn request(
        &mut self,
        glance: &Glance<'_>,
        keys: &IdKeys,
        (first, last): (i64, i64),
        whole: bool,
        stamp: Stamp,
    ) {
        if let Some(pid) = glance.pid {
            self.process(pid, last);
        }
        let at = last.div_euclid(1_000_000);
        if at != self.second.0 {
            self.end_second();
            self.second.0 = at;
        }
        let second = &mut self.second.1;
        second.requests += 1;
        second.busy_us += glance.duration_us.unwrap_or(0);
        let result = &mut self.result;
        result.requests += 1;
        let carried = glance.connection_requests.unwrap_or(0);
        result.most_carried = most(result.most_carried, (carried, 1));
        let is_whole_second = last == stamp.us && last == at * 1_000_000 && carried == 0;
        result.ends_are_finer |= !is_whole_second || glance.status.is_none();
        if let Some(status) = glance.status.filter(|&status| status >= 499) {
            second.failed += u32::from(status >= 500);
            *result.failures.entry((status, at)).or_default() += 1;
        }
        let sample = Sample {
            start_us: first,
            end_us: last,
            resolution_us: stamp.resolution_us,
            whole,
            upstream: 0,
        };
        sketch(&mut result.sketch, glance, keys, Some(sample));
    }

    /// Notes where the ids of a line stand, as far as that was asked for.
    #[inline]
    fn note_ids(&mut self, keys: &IdKeys, line: LineRef) {
        if let Some(noted) = &mut self.noted {
            noted.add(keys.as_slice(), line);
        }
        if let Some(spotter) = &mut self.spotter {
            spotter.look(keys.as_slice(), line);
        }
        if let Some(marker) = &mut self.marker {
            marker.note(keys.as_slice(), line);
        }
    }

    /// Puts what was counted in the current second with the others.
    fn end_second(&mut self) {
        let (at, count) = std::mem::take(&mut self.second);
        if count.requests > 0 {
            self.result.seconds.add(at, count);
        }
    }

    /// Remembers, for a failure just kept, when its upstream had been used.
    fn note_prior(&mut self, entry: &Entry<'_>, offset: u64) {
        if entry.upstream.addr.is_empty() || self.is_of_errors {
            return;
        }
        if let Some(attempt) = entry.upstream.attempts().find(|attempt| !attempt.addr.is_empty()) {
            let address = ids::hash(attempt.addr);
            let ends = self.recent.ends(address);
            self.result.prior.insert(offset, Prior { address, ends });
        }
    }

    /// Remembers when an upstream was used.
    #[inline]
    fn follow(&mut self, glance: &Glance<'_>, end_us: i64, is_request: bool) {
        let status = glance.upstream_status.or(glance.status);
        if glance.names_upstream && status.is_some_and(|status| status < 500) {
            self.result.names_upstreams |= is_request;
            self.recent.note(ids::hash(glance.upstream), end_us);
        }
    }
}

/// What `wanted` says of each status, by bits.
fn bits(wanted: &dyn Fn(u16) -> bool) -> [u64; STATUSES / 64] {
    std::array::from_fn(|word| {
        let statuses = (0..64u16).filter(|&bit| wanted(word as u16 * 64 + bit));
        statuses.fold(0, |bits, bit| bits | 1 << bit)
    })
}

#[inline]
fn sketch(sketch: &mut Sketch, glance: &Glance<'_>, keys: &IdKeys, sample: Option<Sample>) {
    let told = Told {
        path: glance.path,
        upstream: glance.upstream,
    };
    for &key in keys.as_slice() {
        sketch.offer_id(key, sample, told);
    }
    if !glance.path.is_empty() {
        sketch.offer_request(own::glanced_key(glance), sample, told);
    }
}

/// Whether a record is a failure to be explained, a failure that a retry hid, or tells of one.
fn is_kept(entry: &Entry<'_>, wanted: &dyn Fn(u16) -> bool) -> bool {
    match entry.kind {
        Kind::Request => {
            entry.status.is_some_and(wanted) || hides_a_failure(entry) || tells(entry) || left(entry, wanted)
        }
        // HTTP.sys logs every orderly idle close; those are looked up by time when a failure needs them.
        Kind::Failure => entry
            .signal
            .is_some_and(|signal| signal.fault != Fault::IdleClosed || !entry.path.is_empty()),
        Kind::Event => entry.signal.is_some(),
        Kind::Note => false,
    }
}

/// Whether the client left before it was answered, which some products log without a status and others as 499.
fn left(entry: &Entry<'_>, wanted: &dyn Fn(u16) -> bool) -> bool {
    let unanswered = entry.status.is_none_or(|status| status == 0);
    unanswered
        && wanted(499)
        && entry
            .signal
            .is_some_and(|signal| signal.fault == Fault::ClientGone)
}

/// Whether a request that was not asked for tells of its upstream: it was refused, which dates a crash, or its answer
/// broke off, which its status does not show.
fn tells(entry: &Entry<'_>) -> bool {
    entry.signal.is_some_and(|signal| match signal.fault {
        Fault::Refused => true,
        Fault::Closed | Fault::ClosedPartial | Fault::Reset | Fault::ResetOrClosed | Fault::TimedOut => {
            signal.phase == Phase::Body
        }
        _ => false,
    })
}

/// Whether an upstream attempt failed although the client got a good answer.
fn hides_a_failure(entry: &Entry<'_>) -> bool {
    if !entry.status.is_some_and(|status| status < 500 && status != 499) {
        return false;
    }
    if entry.upstream.retries > 0 {
        return true;
    }
    // Only a list has a separator; most lines are settled by this look.
    if !entry.upstream.status.contains(&b' ') {
        return false;
    }
    let mut attempts = entry.upstream.attempts().collect::<Vec<_>>();
    attempts.pop();
    attempts
        .iter()
        .any(|attempt| attempt.status.is_none_or(|status| status >= 500))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of 100 bytes that begins at `start`: a failure at its 10th byte, whose upstream is used `before` and `after` it.
    fn part(start: u64, before: i64, after: i64) -> InputSurvey {
        let mut recent = Recent::default();
        let at = start as i64 * 1_000;
        (0..before).for_each(|n| recent.note(7, at + n));
        let ends = recent.ends(7);
        (0..after).for_each(|n| recent.note(7, at + 50 + n));
        let prior = Prior { address: 7, ends };
        InputSurvey {
            prior: BTreeMap::from([(start + 10, prior)]),
            recent: BTreeMap::from([(
                start,
                Used {
                    recent,
                    end: start + 100,
                },
            )]),
            parts: BTreeMap::from([(start, Part::default())]),
            ..InputSurvey::default()
        }
    }

    #[test]
    fn what_is_known_of_upstreams_is_the_same_in_whatever_order_parts_are_put_together() {
        // The last does not follow the one before it.
        let parts = || {
            vec![
                part(0, 2, 1),
                part(100, 0, 0),
                part(200, 1, 9),
                part(300, 3, 0),
                part(450, 0, 2),
            ]
        };
        let known = |order: [usize; 5]| {
            let mut all = InputSurvey::default();
            let mut parts: Vec<Option<InputSurvey>> = parts().into_iter().map(Some).collect();
            order
                .into_iter()
                .for_each(|at| all.merge(parts[at].take().unwrap()));
            let fragments = all.recent.len();
            let last = all.settle(Recent::default()).ends(7);
            let ends: Vec<Vec<i64>> = all.prior.into_values().map(|prior| prior.ends).collect();
            (fragments, ends, last)
        };
        let (fragments, ends, last) = known([0, 1, 2, 3, 4]);
        assert_eq!(fragments, 2);
        assert_eq!(ends[1], [50, 1, 0]);
        assert_eq!(ends[2], [200_000, 50, 1, 0]);
        assert_eq!(
            (ends[3].len(), &ends[3][2..5]),
            (8, &[300_000, 200_058, 200_057][..])
        );
        assert_eq!(ends[4][..2], [300_002, 300_001]);
        for order in [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [1, 3, 0, 2, 4], [3, 0, 1, 4, 2]] {
            assert_eq!(known(order), (fragments, ends.clone(), last.clone()), "{order:?}");
        }
    }
}
