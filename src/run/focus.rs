//! Which part of every input a time window needs: found by binary search in plain files, by the next file's first
//! entry in compressed ones. What is counted of a window does not depend on what was searched: every input's entries
//! are taken only if they ended near the window, wherever they were read from.

use std::collections::BTreeMap;

use super::clocks::Correction;
use super::inputs::Sources;
use super::passes::Reading;
use super::pieces;
use super::probe::{Edges, Probe};
use super::{AFTER_US, BEFORE_US};
use crate::error::Error;
use crate::model::SourceId;
use crate::plan::{Plan, Seek, Window};
use crate::read::Span;

/// How much earlier than an entry before it an entry may have ended, at most: writers that flush late, stamps of whole
/// seconds, several processes writing into one file.
const LATE_US: i64 = 600_000_000;

/// The same of a file in which nothing later was seen: IIS writes up to two minutes late.
const USUALLY_LATE_US: i64 = 180_000_000;

/// Between the entries looked at there may be some so many times later than any of those.
const LATER: i64 = 4;

/// Places at which a file is looked at to see whether its entries are in order, before it is searched.
const LOOKS: u64 = 16;

/// Of a file of fewer cells than this nobody asks why it was read whole.
const FEWEST_CELLS: u64 = 8;

/// What the window needs of every input.
#[derive(Debug, Default)]
pub(super) struct Focuses {
    by_input: BTreeMap<SourceId, Focus>,
}

/// What the window needs of one input.
#[derive(Debug, Clone)]
pub(super) struct Focus {
    /// Earliest and latest end of the entries that are taken, in the clock of the log.
    pub keep: (i64, i64),
    /// What is read.
    pub part: Extent,
    /// First and last stamp of the whole file, as far as it was looked at.
    pub edges: Edges,
}

/// A part of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it; why nothing could be left out, if that was tried.
    Whole(Option<&'static str>),
    /// The lines that begin in some range.
    Lines(Span),
    /// No entry in it can be near the window.
    Nothing,
}

impl Focuses {
    /// The focus of `source`; `None` if everything in it is taken.
    pub(super) fn get(&self, source: SourceId) -> Option<&Focus> {
        self.by_input.get(&source)
    }

    /// Whether everything is taken.
    pub(super) fn is_empty(&self) -> bool {
        self.by_input.is_empty()
    }

    /// The inputs that are not taken as a whole.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SourceId, &Focus)> {
        self.by_input.iter().map(|(source, focus)| (*source, focus))
    }
}

/// Finds what `window` needs of the inputs. `hints` are the corrections known so far. Nothing is left out of logs that
/// are small all together: knowing all of them costs less than it tells.
pub(super) fn find(
    plan: &Plan,
    sources: &Sources,
    window: &Window,
    hints: &BTreeMap<SourceId, Correction>,
) -> Result<Focuses, Error> {
    if window.is_open() || !is_worth_it(sources, &plan.seek) {
        return Ok(Focuses::default());
    }
    let near = (
        window
            .since
            .map_or(i64::MIN, |since| since.saturating_sub(BEFORE_US)),
        window
            .until
            .map_or(i64::MAX, |until| until.saturating_add(AFTER_US)),
    );
    let readings = sources.glances(plan, hints);
    let mut found = Vec::new();
    for reading in &readings {
        let shift = reading.whence.shift;
        if shift.fold.is_some() {
            continue; // One stamp may mean two instants; all of it is taken.
        }
        let shift = shift.without_fold(near.0.max(0));
        let keep = (near.0.saturating_sub(shift), near.1.saturating_sub(shift));
        let (part, edges) = match plan.seek.search {
            true => part(reading, keep, &plan.seek)?,
            false => (Extent::Whole(None), Edges::default()),
        };
        found.push((reading, Focus { keep, part, edges }));
    }
    skip_rotated(&mut found);
    let by_input = found
        .into_iter()
        .map(|(reading, focus)| (reading.input.id, focus));
    Ok(Focuses {
        by_input: by_input.collect(),
    })
}

/// The latest end of any entry, on the clocks corrected by `hints`: from the ends of the files. `None` if those do not
/// tell.
pub(super) fn last_entry(
    plan: &Plan,
    sources: &Sources,
    hints: &BTreeMap<SourceId, Correction>,
) -> Result<Option<i64>, Error> {
    if !is_worth_it(sources, &plan.seek) {
        return Ok(None);
    }
    let mut last = None;
    for reading in &sources.glances(plan, hints) {
        let mut probe = Probe::new(reading, plan.seek.grid_bytes);
        if !reading.input.is_plain() || reading.joins() {
            return Ok(None);
        }
        let cells = probe.cells();
        let Some(seen) = probe.cell(cells.saturating_sub(1))? else {
            return Ok(None);
        };
        last = last.max(Some(
            reading.whence.shift.span(seen.last_stamp, seen.last_stamp).1,
        ));
    }
    Ok(last)
}

/// Whether any log is large enough for its parts to be told apart.
pub(super) fn is_worth_it(sources: &Sources, seek: &Seek) -> bool {
    let mut streams: BTreeMap<&str, u64> = BTreeMap::new();
    for (source, _) in sources.detected() {
        if let Some(input) = sources.inputs.iter().find(|input| input.id == source) {
            *streams.entry(&input.stream).or_default() += input.bytes_on_disk;
        }
    }
    streams.values().any(|&bytes| bytes >= seek.from_bytes)
}

/// What is needed of one input so that every entry that ended within `keep` is read.
fn part(reading: &Reading<'_>, keep: (i64, i64), seek: &Seek) -> Result<(Extent, Edges), Error> {
    let mut probe = Probe::new(reading, seek.grid_bytes);
    if !reading.input.is_plain() {
        let edges = probe.head()?;
        let is_after = edges.first_end.is_some_and(|first| first > late(keep.1, LATE_US));
        let part = if is_after {
            Extent::Nothing
        } else {
            Extent::Whole(None)
        };
        return Ok((part, edges));
    }
    let cells = probe.cells();
    let whole = |why| {
        (
            Extent::Whole(Some(why).filter(|_| cells >= FEWEST_CELLS)),
            Edges::default(),
        )
    };
    if reading.joins() {
        return Ok(whole("its records go on over several lines"));
    }
    let looks = LOOKS.min(cells);
    for look in 0..looks {
        if probe.cell(look * (cells - 1) / (looks - 1).max(1))?.is_none() {
            return Ok(whole(NO_STAMPS));
        }
    }
    if let Some(why) = probe.disorder(LATE_US) {
        return Ok(whole(why));
    }
    // Writing late is a habit: it shows wherever the file is looked at.
    let late_us = probe.late_us().saturating_mul(LATER);
    let late_us = late_us.clamp(USUALLY_LATE_US, LATE_US);
    let late = |us: i64| late(us, late_us);
    let from = probe.search(|seen| late(seen.first_end) >= keep.0)?;
    let to = probe.search(|seen| seen.last_end > late(keep.1))?;
    let (Some(from), Some(to)) = (from, to) else {
        return Ok(whole(NO_STAMPS));
    };
    if let Some(why) = probe.disorder(LATE_US) {
        return Ok(whole(why));
    }
    let edges = probe.edges();
    let is_before = edges.last_end.is_some_and(|last| late(last) < keep.0);
    let is_after = edges.first_end.is_some_and(|first| first > late(keep.1));
    if is_before || is_after {
        return Ok((Extent::Nothing, edges));
    }
    // The cell before the first that may hold something ends in lines that may; the one that is surely after begins so.
    let (from, to) = (from.saturating_sub(1), (to + 1).min(cells));
    Ok((
        lines(reading, from * seek.grid_bytes, to * seek.grid_bytes)?,
        edges,
    ))
}

/// Why a file cannot be searched in which entries with stamps are not everywhere.
const NO_STAMPS: &str = "it has stretches without stamps";

/// The latest end that may stand behind an entry that ended at `us`, or the earliest before it.
const fn late(us: i64, late_us: i64) -> i64 {
    us.saturating_add(late_us)
}

/// The lines that begin between two offsets, both moved on to where no line in pieces is unfinished.
fn lines(reading: &Reading<'_>, from: u64, to: u64) -> Result<Extent, Error> {
    let (input, layers) = (reading.input, reading.detected.wrapper);
    let from = pieces::start_near(input, layers, from)?.unwrap_or(0);
    let to = pieces::start_near(input, layers, to)?.unwrap_or(input.bytes_on_disk);
    let to = to.min(input.bytes_on_disk);
    if from == 0 && to == input.bytes_on_disk {
        return Ok(Extent::Whole(None));
    }
    Ok(Extent::Lines(Span {
        offset: from,
        len: to.saturating_sub(from),
    }))
}

/// Leaves out compressed files whose successor in the same log begins before the window.
fn skip_rotated(found: &mut [(&Reading<'_>, Focus)]) {
    let mut begins: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (reading, focus) in found.iter() {
        if let Some(first) = focus.edges.first_end {
            begins.entry(&reading.input.stream).or_default().push(first);
        }
    }
    begins.values_mut().for_each(|firsts| firsts.sort_unstable());
    for (reading, focus) in found.iter_mut().filter(|(reading, _)| !reading.input.is_plain()) {
        let (Some(first), Some(all)) = (focus.edges.first_end, begins.get(reading.input.stream.as_str()))
        else {
            continue;
        };
        let next = all.get(all.partition_point(|&other| other <= first));
        if next.is_some_and(|&next| late(next, LATE_US) < focus.keep.0) {
            focus.part = Extent::Nothing;
        }
    }
}
