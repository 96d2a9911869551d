//! The two passes over the inputs: spans in parallel, one buffer per thread, partial results merged in any order.
//!
//! The spans wait in one list; each thread takes the next when it is done with one, reads it by positioned reads into
//! its own buffer and adds what it finds to its own sum. The sums of all threads are merged at the end, so that nothing
//! is shared while lines are read, and memory does not grow with the number of spans.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use why502_parsers::Entry;
use why502_parsers::format::RecordKind;

use super::detect::{Tallies, Tally};
use super::directives::{self, DirectiveLines, Directives};
use super::focus::{Extent, Focus};
use super::kept::{Kept, Surveyed};
use super::packed::{self, Room};
use super::pieces;
use crate::error::Error;
use crate::model::finding::Problem;
use crate::model::{Input, Record, SourceId, ids};
use crate::plan::Zone;
use crate::read::{self, Begins, Chunk, Span};
use crate::report::progress::Progress;
use crate::select::locus::Probe;
use crate::select::marks;
use crate::select::own::{self, Whence};
use crate::select::scan::{LineRef, Scanned};
use crate::select::sketch::Ceilings;
use crate::select::spots::Known;
use crate::select::survey::{Survey, Surveyor};
use crate::select::{Needles, Scanner};
use crate::sniff::Detected;

/// One input that is read, with everything needed to read it.
pub(super) struct Reading<'a> {
    /// The file.
    pub input: &'a Input,
    /// Its format.
    pub detected: &'a Detected,
    /// Zone of stamps without one, if the user gave it.
    pub zone: Option<Zone>,
    /// Which hop it is of, and what its clock needs.
    pub whence: Whence,
    /// Lines that change how later ones are read, with their offsets.
    pub directives: DirectiveLines,
    /// Where those of its part are to be put once they are known: until then those at its head are taken to hold.
    assumes: Option<&'a Directives>,
    /// About when the file was written, for stamps without year.
    pub written_us: i64,
    /// Bytes per span, if the file is plain.
    pub block_bytes: u64,
    /// Its lines that are read; `None` if none is.
    pub part: Option<Span>,
    /// Earliest and latest end of the entries that are taken, on the log's own clock; `None` if all are.
    pub keep: Option<(i64, i64)>,
}

impl<'a> Reading<'a> {
    /// A reading of all of `input`. Of its directives only those at its head are known.
    pub(super) fn new(
        input: &'a Input,
        detected: &'a Detected,
        zone: Option<Zone>,
        whence: Whence,
        block_bytes: u64,
    ) -> Self {
        let written_us = written_us(input, detected);
        Self {
            input,
            detected,
            zone,
            whence,
            directives: directives::at_head(input, detected),
            assumes: None,
            written_us,
            block_bytes,
            part: Some(read::whole(input)),
            keep: None,
        }
    }

    /// The same reading, of what `focus` says only, with the directives of that.
    ///
    /// # Errors
    /// As [`read::directives`].
    pub(super) fn focused(self, focus: Option<&Focus>, known: &Directives) -> Result<Self, Error> {
        let mut reading = self.on(focus);
        // What is read from its start meets its directives on the way.
        let mark = reading.directive().filter(|_| reading.input.is_plain());
        if let (Some(mark), Some(part)) = (mark, reading.part) {
            let found = known.look_up(reading.input, part, mark)?;
            reading.directives = directives::with_part(reading.directives, part.offset, found);
        }
        Ok(reading)
    }

    /// The same reading, of what `focus` says only, to be surveyed: its directives are put into `known` then.
    pub(super) fn surveying(self, focus: Option<&Focus>, known: &'a Directives) -> Self {
        let mut reading = self.on(focus);
        let is_assumed = reading.directive().is_some() && reading.input.is_plain();
        reading.assumes = is_assumed.then_some(known);
        reading
    }

    fn on(mut self, focus: Option<&Focus>) -> Self {
        if let Some(focus) = focus {
            self.keep = Some(focus.keep);
            self.part = match &focus.part {
                Extent::Whole(_) => self.part,
                Extent::Lines(span) => Some(*span),
                Extent::Nothing => None,
            };
        }
        self
    }

    /// The start of lines that change how later lines are read.
    pub(super) fn directive(&self) -> Option<&'static [u8]> {
        self.detected.prepared.directive()
    }

    /// Takes in the directives that were `found` in its part; whether it was read as they say.
    fn learn(&mut self, found: &DirectiveLines) -> bool {
        let (Some(known), Some(part)) = (self.assumes.take(), self.part) else {
            return true;
        };
        known.remember(self.input.id, part, found.clone());
        let all = directives::with_part(self.directives.clone(), part.offset, found.clone());
        let is_right = directives::agree(&self.directives, &all);
        self.directives = all;
        is_right
    }

    /// Whether records go on over several lines.
    pub(super) fn joins(&self) -> bool {
        self.detected.prepared.open(&[]).begins(&[]).is_some()
    }

    /// Tells where a record begins, if records go on over several lines of the file.
    fn begins(&self) -> Option<impl Fn(&[u8]) -> bool + use<>> {
        let parser = self.detected.prepared.open(&[]);
        let joins = self.detected.wrapper.is_empty() && parser.begins(&[]).is_some();
        joins.then_some(move |line: &[u8]| parser.begins(line) == Some(true))
    }

    /// The parts of its `part`, of about `block_bytes` each, that begin where a line and a record do. Where every line is
    /// a failure, which is kept until its part is done with, they are shorter.
    ///
    /// # Errors
    /// As [`read::read_span`].
    pub(super) fn spans(&self, part: &Span, block_bytes: u64) -> Result<Vec<Span>, Error> {
        const SHORTER: u64 = 16;
        let is_dense = self.detected.kind == RecordKind::Error;
        let bytes = if is_dense {
            block_bytes.div_ceil(SHORTER)
        } else {
            block_bytes
        };
        let spans = read::parts(self.input, part, bytes);
        let begins = self.begins();
        let begins: Option<&Begins<'_>> = begins.as_ref().map(|begins| begins as &Begins<'_>);
        pieces::aligned(self.input, self.detected.wrapper, begins, spans)
    }

    /// Reads the part that is `span`, records whole.
    ///
    /// # Errors
    /// As [`read::read_span`].
    pub(super) fn read(
        &self,
        span: &Span,
        buffer: &mut Vec<u8>,
        visit: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Error> {
        let begins = self.begins();
        let begins: Option<&Begins<'_>> = begins.as_ref().map(|begins| begins as &Begins<'_>);
        read::read_records(self.input, span, buffer, begins, visit)
    }

    /// Reads an input that is not plain up to byte `end` of its content, records whole.
    ///
    /// # Errors
    /// As [`read::read_until`].
    pub(super) fn read_until(
        &self,
        end: u64,
        buffer: &mut Vec<u8>,
        visit: &mut dyn FnMut(Chunk<'_>),
    ) -> Result<(), Error> {
        if self.joins() {
            return self.read(&read::whole(self.input), buffer, visit);
        }
        read::read_until(self.input, end, buffer, visit)
    }

    /// Whether what a line means may depend on lines before it, so that none can be read for itself.
    pub(super) fn goes_on(&self) -> bool {
        self.joins() || self.detected.wrapper.cut() || self.fresh(0).lead_in() > 0
    }

    /// A scanner for the part that begins at `offset`, which knows what its parser remembers of the lines before.
    pub(super) fn scanner(&self, offset: u64) -> Scanner {
        let mut scanner = self.fresh(offset);
        let lead_in = (scanner.lead_in() as u64).min(offset);
        if lead_in > 0 {
            let before = Span {
                offset: offset - lead_in,
                len: lead_in,
            };
            // What cannot be read here cannot be read where it counts, and is said there.
            let _ = read::read_span(self.input, &before, &mut Vec::new(), &mut |chunk| {
                scanner.scan(chunk.bytes, chunk.offset, |_, _, _| {});
            });
            scanner.restart();
        }
        scanner
    }

    /// A scanner that has read nothing yet.
    fn fresh(&self, offset: u64) -> Scanner {
        let preamble = directives::in_force(&self.directives, offset);
        Scanner::new(
            self.detected.prepared.open(preamble),
            self.detected.wrapper,
            self.zone,
            self.written_us,
        )
        .within(self.keep)
    }
}

/// About when `input` was written: its first stamp that says the year, else its last change on disk.
fn written_us(input: &Input, detected: &Detected) -> i64 {
    let changed = || {
        if input.changed_us.is_some() {
            return input.changed_us;
        }
        let modified = std::fs::metadata(&input.path).ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_micros()).ok()
    };
    let mut scanner = Scanner::new(detected.prepared.open(&[]), detected.wrapper, None, 0);
    let mut first = None;
    let head = read::head(input, 4_096).unwrap_or_default();
    scanner.scan(&head, 0, |scanned, _, _| {
        if let (None, Scanned::Entry(entry)) = (first, scanned) {
            // Stamps without year come out in the year of the reference given above, 1970.
            first = entry
                .time
                .map(|stamp| stamp.us)
                .filter(|&us| us > 10 * 366 * 86_400_000_000);
        }
    });
    first.or_else(changed).unwrap_or(0)
}

/// A span of one reading.
pub(super) struct Task<'r, 'a> {
    /// The reading.
    pub reading: &'r Reading<'a>,
    /// The span.
    pub span: Span,
}

fn tasks<'r, 'a>(readings: &'r [Reading<'a>]) -> Result<Vec<Task<'r, 'a>>, Error> {
    let mut tasks = Vec::new();
    for reading in readings {
        let Some(part) = &reading.part else { continue };
        let spans = reading.spans(part, reading.block_bytes)?;
        tasks.extend(spans.into_iter().map(|span| Task { reading, span }));
    }
    // Whole compressed files take longest; begun last they would keep one thread busy alone.
    tasks.sort_by_key(|task| std::cmp::Reverse(task.span.len));
    Ok(tasks)
}

/// What the first pass is asked for.
pub(super) struct Asked<'a> {
    /// The statuses that are to be explained.
    pub wanted: &'a (dyn Fn(u16) -> bool + Sync),
    /// Whether failures with other statuses are counted second by second, or all together.
    pub by_second: bool,
    /// See [`crate::plan::Plan::marked_most`]; 0 where nothing will be looked for.
    pub marked_most: u64,
}

impl Asked<'_> {
    /// Keeps of the counts what is asked for: what is to be explained is kept itself.
    fn retain(&self, failures: &mut BTreeMap<(u16, i64), u64>) {
        failures.retain(|&(status, _), _| !(self.wanted)(status));
        if !self.by_second {
            for ((status, _), count) in std::mem::take(failures) {
                *failures.entry((status, 0)).or_default() += count;
            }
        }
    }
}

/// First pass: counts everything, keeps the failures. Inputs that break half-way are counted as far as they went.
///
/// Where large logs of several hops are read, those of one hop go first: of the others is then noted what carries its
/// failures' ids, so that they need not be read or decompressed again.
///
/// # Errors
/// None that concern one input; those are problems.
pub(super) fn survey(
    readings: &mut [Reading<'_>],
    asked: &Asked<'_>,
    progress: &Progress,
) -> Result<(Surveyed, Vec<Problem>), Error> {
    let lead = packed::lead(readings);
    let has_packed = readings.iter().any(|reading| !reading.input.is_plain());
    let is_first =
        |reading: &Reading<'_>| lead.is_none_or(|lead| packed::goes_first(reading, lead, has_packed));
    let shared = Shared {
        asked,
        progress,
        room: Room::default(),
        marks: Arc::new(marks::Room::of(asked.marked_most)),
        ceilings: ceilings(readings),
    };
    let (mut all, mut problems) = each(
        readings,
        &|task| is_first(task.reading),
        &|buffer, task| {
            let (mut surveyed, problem) = survey_one(buffer, task, &shared, None);
            if lead.is_some() {
                surveyed.kept.ids = surveyed.survey.ids_kept();
            }
            (surveyed, problem)
        },
        Surveyed::merge,
    )?;
    if lead.is_some() {
        let known = Arc::new(Known::new(std::mem::take(&mut all.kept.ids)));
        let (others, more) = each(
            readings,
            &|task| !is_first(task.reading),
            &|buffer, task| survey_one(buffer, task, &shared, Some(&known)),
            Surveyed::merge,
        )?;
        all.merge(others);
        problems.extend(more);
        problems.sort();
    }
    let wrong: BTreeSet<SourceId> = readings
        .iter_mut()
        .filter_map(|reading| {
            let source = reading.input.id;
            let found = all.survey.directives.remove(&source).unwrap_or_default();
            (!reading.learn(&directives::in_order(found))).then_some(source)
        })
        .collect();
    if !wrong.is_empty() {
        all.survey.inputs.retain(|source, _| !wrong.contains(source));
        all.kept.forget(&wrong);
        let shared = Shared {
            ceilings: ceilings(readings),
            ..shared
        };
        let (again, _) = each(
            readings,
            &|task| wrong.contains(&task.reading.input.id),
            &|buffer, task| survey_one(buffer, task, &shared, None),
            Surveyed::merge,
        )?;
        all.merge(again);
    }
    let inputs = readings.iter().map(|reading| reading.input);
    all.survey
        .settle(&inputs.map(|input| (input.id, input.stream.as_str())).collect());
    all.kept.settle();
    Ok((all, problems))
}

/// What all tasks of the first pass share.
struct Shared<'s> {
    asked: &'s Asked<'s>,
    progress: &'s Progress,
    room: Room,
    marks: Arc<marks::Room>,
    ceilings: AllCeilings,
}

/// What the samples of an input's parts settle for those of the others, by input.
type AllCeilings = BTreeMap<SourceId, Ceilings>;

fn ceilings(readings: &[Reading<'_>]) -> AllCeilings {
    let inputs = readings.iter().map(|reading| reading.input.id);
    inputs.map(|source| (source, Ceilings::default())).collect()
}

/// Surveys one task, some ids being `known` to be wanted; of a compressed input also keeps what may be needed of it later.
fn survey_one(
    buffer: &mut Vec<u8>,
    task: &Task<'_, '_>,
    shared: &Shared<'_>,
    known: Option<&Arc<Known>>,
) -> (Surveyed, Option<Problem>) {
    let Shared {
        asked,
        progress,
        room,
        ..
    } = shared;
    let reading = task.reading;
    let scanner = reading.scanner(task.span.offset);
    let mut surveyor = Surveyor::new(
        scanner,
        reading.whence,
        (task.span.offset, reading.input.bytes_on_disk),
        asked.wanted,
    );
    if reading.detected.kind == RecordKind::Error {
        surveyor = surveyor.of_errors();
    }
    surveyor = match known.filter(|known| !known.keys().is_empty()) {
        _ if !packed::spots(reading) => surveyor,
        Some(known) => surveyor.spotting(Arc::clone(known)),
        None if shared.marks.is_there() => surveyor.marking(Arc::clone(&shared.marks)),
        None => surveyor,
    };
    let ceilings = shared.ceilings.get(&reading.input.id);
    if let Some(ceilings) = ceilings {
        surveyor = surveyor.below(ceilings);
    }
    let mut catcher = packed::catcher(
        reading,
        known.map(|known| Arc::clone(known.keys())).unwrap_or_default(),
    );
    if catcher.is_some() {
        let directive = reading.directive().and_then(|mark| mark.first().copied());
        surveyor = surveyor.noting(directive);
    }
    let mark = reading.directive().filter(|_| reading.assumes.is_some());
    let mut marked = mark.map(read::Marked::new);
    let result = reading.read(&task.span, buffer, &mut |chunk| {
        if let Some(marked) = &mut marked {
            marked.look_in(&chunk);
        }
        surveyor.chunk(chunk.bytes, chunk.offset);
        if let Some(catcher) = &mut catcher {
            catcher.chunk(chunk.bytes, chunk.offset, &mut surveyor, &|ids| room.take(ids));
        }
        progress.add(chunk.bytes.len() as u64);
    });
    let mut survey = surveyor.finish();
    for input in survey.inputs.values_mut() {
        asked.retain(&mut input.failures);
    }
    if let (Some(ceilings), Some(input)) = (ceilings, survey.inputs.get(&reading.input.id)) {
        ceilings.learn(&input.sketch);
    }
    let kept = catcher.map(|catcher| (reading.input.id, catcher.finish()));
    survey.packed.extend(kept);
    let marked = marked.map(|marked| (reading.input.id, marked.finish()));
    survey.directives.extend(marked);
    let surveyed = Surveyed {
        survey,
        kept: Kept::default(),
    };
    (surveyed, problem(task, result))
}

/// A record that is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sought {
    /// By an id: as logged, or by its normalised form.
    Id {
        /// As the user gave it.
        text: String,
        /// See [`ids::key`].
        key: Option<u64>,
    },
    /// By the line that it stands on, or that belongs to it.
    Line {
        /// The input.
        source: SourceId,
        /// Line number, from 1.
        line: u64,
    },
}

/// A record of several lines is sought at most this many lines above the one that was named.
const RECORD_LINES: u64 = 2_000;

impl Sought {
    fn may_be_in(&self, task: &Task<'_, '_>) -> bool {
        match self {
            Self::Id { .. } => true,
            Self::Line { source, .. } => task.reading.input.id == *source,
        }
    }

    /// Whether `entry` carries the id; never of one that is sought by its line.
    pub(super) fn has_id(&self, entry: &Entry<'_>) -> bool {
        entry.ids.as_slice().iter().any(|id| self.is(id))
    }

    /// Whether `id` is the one.
    fn is(&self, id: &[u8]) -> bool {
        let Self::Id { text, key } = self else {
            return false;
        };
        *id == *text.as_bytes() || key.is_some() && ids::key(id) == *key
    }
}

/// A line that may have what is looked for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// The input's id.
    pub source: SourceId,
    /// Where the line begins.
    pub offset: u64,
    /// The line, without its line end.
    pub line: Vec<u8>,
}

/// More lines than this have no id in common.
const CANDIDATES_MOST: usize = 10_000;

/// Finds the lines in which one of `needles` stands, by searching blocks before any line is cut or read; in order of
/// their places.
///
/// # Errors
/// As [`survey`].
pub(super) fn seek(
    readings: &[Reading<'_>],
    needles: &Needles,
    progress: &Progress,
) -> Result<Vec<Candidate>, Error> {
    let run = |buffer: &mut Vec<u8>, task: &Task<'_, '_>| {
        let input = task.reading.input;
        let mut found = Vec::new();
        // What breaks here breaks again when it is read; it is reported then.
        let mut visit = |chunk: Chunk<'_>| {
            needles.find(chunk.bytes, |at, line| {
                let nuls = line.iter().take_while(|byte| **byte == 0).count();
                if found.len() < CANDIDATES_MOST {
                    found.push(Candidate {
                        source: input.id,
                        offset: chunk.offset + (at + nuls) as u64,
                        line: line[nuls..].to_vec(),
                    });
                }
            });
            progress.add(chunk.bytes.len() as u64);
        };
        let _ = if input.is_plain() {
            read::read_with_nuls(input, &task.span, buffer, &mut visit)
        } else {
            read::read_span(input, &task.span, buffer, &mut visit)
        };
        (found, None)
    };
    let (mut found, _) = each(readings, &|_| true, &run, |all, more| all.extend(more))?;
    found.sort_unstable();
    Ok(found)
}

/// Finds the records that are `sought`, in order of their places.
///
/// # Errors
/// As [`survey`].
pub(super) fn find(
    readings: &[Reading<'_>],
    survey: &Survey,
    sought: &Sought,
    progress: &Progress,
) -> Result<Vec<Record>, Error> {
    let run = |buffer: &mut Vec<u8>, task: &Task<'_, '_>| {
        let reading = task.reading;
        let known = survey.inputs.get(&reading.input.id);
        let whence = Whence {
            lines_before: known.map_or(0, |input| input.lines_before(task.span.offset)),
            ..reading.whence
        };
        let mut found = Vec::new();
        let mut above = None;
        let mut scanner = reading.scanner(task.span.offset);
        let probe = known.and_then(|input| input.loci.places());
        let probe = probe.filter(|probe| {
            let is_by_id = matches!(sought, Sought::Id { .. });
            is_by_id && scanner.shows_ids(probe, reading.directive().is_some())
        });
        let may_have = |line: &[u8]| {
            let is_directive = reading.directive().is_some_and(|mark| line.starts_with(mark));
            let picks = |probe: &Probe| probe.may_want(line, |_| false, |id| sought.is(id));
            is_directive || probe.as_ref().is_none_or(picks)
        };
        let mut take = |scanned: Scanned<'_, '_>, at: LineRef, _: &[u8]| match (&sought, scanned) {
            (Sought::Id { .. }, Scanned::Entry(entry)) if sought.has_id(entry) => {
                found.push(own::record(entry, at, &whence));
            }
            (Sought::Line { line, .. }, scanned) => {
                let number = whence.lines_before + at.index + 1;
                if number > *line || number + RECORD_LINES < *line {
                    return;
                }
                match scanned {
                    Scanned::Entry(entry) | Scanned::Outside(entry) => {
                        above = Some(own::record(entry, at, &whence));
                    }
                    Scanned::Continuation => {}
                    Scanned::Directive | Scanned::Unparsed(_) => above = None,
                }
                if number == *line {
                    found.extend(above.take());
                }
            }
            _ => {}
        };
        // What breaks here broke in the first pass; it was reported then.
        let _ = read::read_span(reading.input, &task.span, buffer, &mut |chunk| {
            if probe.is_some() {
                scanner.scan_picked(chunk.bytes, chunk.offset, may_have, &mut take);
            } else {
                scanner.scan(chunk.bytes, chunk.offset, &mut take);
            }
            progress.add(chunk.bytes.len() as u64);
        });
        scanner.finish(&mut take);
        (found, None)
    };
    let (mut found, _) = each(readings, &|task| sought.may_be_in(task), &run, |all, more| {
        all.extend(more)
    })?;
    found.sort_unstable_by_key(|record: &Record| record.place);
    Ok(found)
}

/// Counts which fields the entries have.
///
/// # Errors
/// As [`survey`].
pub(super) fn tally(readings: &[Reading<'_>], progress: &Progress) -> Result<Tallies, Error> {
    let run = |buffer: &mut Vec<u8>, task: &Task<'_, '_>| {
        let mut scanner = task.reading.scanner(task.span.offset);
        let mut tally = Tally::default();
        // What breaks here broke in the first pass; it was reported then.
        let _ = task.reading.read(&task.span, buffer, &mut |chunk| {
            scanner.scan(chunk.bytes, chunk.offset, |scanned, _, _| {
                if let Scanned::Entry(entry) = scanned {
                    tally.add(entry);
                }
            });
            progress.add(chunk.bytes.len() as u64);
        });
        (Tallies::from([(task.reading.input.id, tally)]), None)
    };
    Ok(each(readings, &|_| true, &run, super::detect::merge)?.0)
}

/// What is done with one task, the buffer being scratch space: its result, and what was wrong with its input.
pub(super) type Run<'f, T> = dyn Fn(&mut Vec<u8>, &Task<'_, '_>) -> (T, Option<Problem>) + Sync + 'f;

/// Runs every task that `holds` and merges the results: each thread takes the next task when it is done with one, and
/// has one buffer and one sum for all it does.
pub(super) fn each<T: Default + Send>(
    readings: &[Reading<'_>],
    holds: &(dyn Fn(&Task<'_, '_>) -> bool + Sync),
    run: &Run<'_, T>,
    merge: fn(&mut T, T),
) -> Result<(T, Vec<Problem>), Error> {
    let mut tasks = tasks(readings)?;
    tasks.retain(holds);
    let next = AtomicUsize::new(0);
    let work = |_: rayon::BroadcastContext<'_>| {
        let mut buffer = Vec::new();
        let (mut sum, mut problems) = (T::default(), Vec::new());
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (result, problem) = run(&mut buffer, task);
            merge(&mut sum, result);
            problems.extend(problem);
        }
        (sum, problems)
    };
    let (mut result, mut problems) = (T::default(), Vec::new());
    for (sum, more) in rayon::broadcast(work) {
        merge(&mut result, sum);
        problems.extend(more);
    }
    problems.sort();
    problems.dedup();
    Ok((result, problems))
}

fn problem(task: &Task<'_, '_>, result: Result<(), Error>) -> Option<Problem> {
    result.err().map(|error| error.problem(&task.reading.input.shown))
}
