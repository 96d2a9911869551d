//! Second pass: what belongs to the failures, from as few lines as can hold it.
//!
//! The first pass has said which stretch of an input holds which time. Where a failure may be joined by method, path
//! and time, or where ids cannot be found without reading, all lines of a stretch are read; elsewhere only those with
//! an id that is wanted, and nothing at all of an input whose lines have no ids. Where those lines stand is known of
//! inputs that were read when the ids were known ([`crate::select::spots`]), and of others as far as their lines were
//! marked ([`crate::select::marks`]); elsewhere ids are looked for in all lines.

use std::collections::{BTreeMap, BTreeSet};

use super::passes::{Reading, Task, each};
use crate::error::Error;
use crate::model::{HopId, SourceId};
use crate::read::{self, Span};
use crate::report::progress::Progress;
use crate::select::cells::Cell;
use crate::select::gather::{Gathered, Gatherer, Wanted, Windows};
use crate::select::locus::Probe;
use crate::select::marks::{Marks, Sought};
use crate::select::own::Whence;
use crate::select::packed::Packed;
use crate::select::spots::{self, Spot, Spots};
use crate::select::survey::{InputSurvey, Survey};

/// How the lines of a stretch are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    /// Not at all.
    Skip,
    /// For ids.
    Ids,
    /// All are read.
    All,
}

/// Lines that are looked at in the same way.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    span: Span,
    /// Lines of the input before it.
    lines_before: u64,
    look: Look,
}

/// What is known of an input from the first pass.
struct Known<'s> {
    survey: &'s InputSurvey,
    kept: Option<&'s Packed>,
    /// Where the lines with ids that are wanted stand, if that is known of all.
    spots: Option<&'s Spots>,
    /// By what they are found otherwise, if anything but reading them tells.
    marks: Option<&'s Marks>,
    /// When its lines may be joined by method, path and time.
    windows: &'s Windows,
    /// Its hop, and when that served requests, if that is asked and known already.
    served: Option<(HopId, Vec<i64>)>,
}

/// Gathers what belongs to the failures.
///
/// # Errors
/// As [`super::passes::survey`].
pub(super) fn gather(
    readings: &[Reading<'_>],
    survey: &Survey,
    wanted: &Wanted,
    progress: &Progress,
) -> Result<Gathered, Error> {
    let hops: BTreeSet<HopId> = readings.iter().map(|reading| reading.whence.hop).collect();
    let windows: BTreeMap<HopId, Windows> = hops.into_iter().map(|hop| (hop, wanted.windows(hop))).collect();
    let known: BTreeMap<SourceId, Known<'_>> = readings
        .iter()
        .filter_map(|reading| {
            let windows = windows.get(&reading.whence.hop)?;
            Some((reading.input.id, known(reading, survey, windows, wanted)?))
        })
        .collect();
    let sought = Sought::new(wanted.ids());
    let run = |buffer: &mut Vec<u8>, task: &Task<'_, '_>| {
        let mut found = Gathered::default();
        if let Some(known) = known.get(&task.reading.input.id) {
            let second = Second {
                reading: task.reading,
                known,
                wanted,
                sought: &sought,
                progress,
                probe: known.survey.loci.places(),
                kept: known.kept.filter(|kept| kept.covers(wanted.ids())),
            };
            second.gather(&task.span, buffer, &mut found);
        }
        (found, None)
    };
    let holds = |task: &Task<'_, '_>| {
        let shift = task.reading.whence.shift;
        let known = known.get(&task.reading.input.id);
        let part = known.and_then(|known| known.survey.parts.get(&task.span.offset));
        part.is_some_and(|part| match (part.first_us, part.last_us) {
            (Some(first), Some(last)) => {
                let (first, last) = shift.span(first, last);
                wanted.may_be_in(first, last)
            }
            _ => part.entries > 0, // Entries without times can still carry an id.
        })
    };
    let mut gathered = each(readings, &holds, &run, Gathered::merge)?.0;
    for (hop, ends) in known.values().filter_map(|known| known.served.as_ref()) {
        gathered.add_served(wanted, *hop, ends);
    }
    Ok(gathered)
}

fn known<'s>(
    reading: &Reading<'_>,
    survey: &'s Survey,
    windows: &'s Windows,
    wanted: &Wanted,
) -> Option<Known<'s>> {
    let source = reading.input.id;
    let whence = reading.whence;
    let input = survey.inputs.get(&source)?;
    let served = wanted
        .asks_when_served(whence.hop)
        .then(|| input.served(whence.shift))
        .flatten();
    Some(Known {
        survey: input,
        kept: survey.packed.get(&source),
        spots: input.spots.as_ref().filter(|spots| spots.cover(wanted.ids())),
        marks: input.marks.as_ref(),
        windows,
        served: served.map(|ends| (whence.hop, ends)),
    })
}

/// The second pass over one part.
struct Second<'s> {
    reading: &'s Reading<'s>,
    known: &'s Known<'s>,
    wanted: &'s Wanted,
    /// The marks of the ids that are wanted.
    sought: &'s Sought,
    progress: &'s Progress,
    probe: Option<Probe>,
    /// What was kept of the input, if every line with an id that is wanted is among it.
    kept: Option<&'s Packed>,
}

impl Second<'_> {
    fn gather(&self, span: &Span, buffer: &mut Vec<u8>, found: &mut Gathered) {
        let marked = self.marked(span);
        let stretches = self.stretches(span);
        if !self.reading.input.is_plain() {
            return self.stream(&stretches, buffer, found);
        }
        let part = self.known.survey.parts.get(&span.offset);
        let has_holes = part.is_none_or(|part| part.has_holes);
        let last = stretches.len().saturating_sub(1);
        for (at, stretch) in stretches.iter().enumerate() {
            if stretch.look == Look::Skip {
                continue;
            }
            let places = self
                .known
                .spots
                .map(|spots| spots.of(span.offset))
                .or(marked.as_deref());
            if let Some(places) = places.filter(|_| stretch.look == Look::Ids) {
                // A line of the part that stands behind NULs may begin behind the part.
                let end = match at {
                    at if at == last => u64::MAX,
                    _ => stretch.span.offset.saturating_add(stretch.span.len),
                };
                let places = spots::within(places, (stretch.span.offset, end));
                found.merge(self.at_spots(places, span, stretch));
                continue;
            }
            let mut gatherer = self.gatherer(stretch);
            gatherer.take_all(stretch.look == Look::All);
            let mut visit = |chunk: read::Chunk<'_>| {
                gatherer.chunk(chunk.bytes, chunk.offset);
                self.progress.add(chunk.bytes.len() as u64);
            };
            // What broke in the first pass breaks again; it was reported then.
            let _ = if has_holes || self.reading.joins() {
                self.reading.read(&stretch.span, buffer, &mut visit)
            } else {
                read::read_with_nuls(self.reading.input, &stretch.span, buffer, &mut visit)
            };
            found.merge(gatherer.finish());
        }
    }

    /// The lines in the part that is `span` that may have ids that are wanted, if they were marked.
    fn marked(&self, span: &Span) -> Option<Vec<Spot>> {
        let marks = self.known.marks.filter(|_| self.known.spots.is_none())?;
        let mut marked = marks.find(span.offset, self.sought)?;
        let whence = self.reading.whence;
        if self.known.served.is_some() || !self.wanted.asks_when_served(whence.hop) {
            marked.retain(|spot| !self.wanted.has_own(whence.source, spot.offset));
        }
        Some(marked)
    }

    /// What the lines of `stretch` hold, which is within the part that is `span`, if only those at `spots` matter.
    fn at_spots(&self, spots: &[Spot], span: &Span, stretch: &Stretch) -> Gathered {
        let from = stretch.span.offset;
        if spots.is_empty() {
            return Gathered::default();
        }
        let mut gatherer = self.gatherer(&Stretch {
            lines_before: self.known.survey.lines_before(span.offset),
            ..*stretch
        });
        // A line that was torn into another may have more ids than stand where ids are looked for: which of its ids counts
        // must not depend on how it was found.
        if self.probe.is_some() {
            gatherer.take_all(false);
        } else {
            gatherer.take_picked();
        }
        let places: Vec<(u64, u32)> = spots.iter().map(|spot| (spot.offset, spot.len)).collect();
        // What broke in the first pass breaks again; it was reported then.
        let lines = read::lines_at(self.reading.input, &places).unwrap_or_default();
        let directives = self.reading.directives.iter();
        let mut directives = directives.skip_while(|(at, _)| *at < from).peekable();
        for (spot, line) in spots.iter().zip(&lines) {
            while let Some((at, directive)) = directives.next_if(|(at, _)| *at < spot.offset) {
                gatherer.line(directive, *at, 0);
            }
            gatherer.line(line, spot.offset, spot.number);
        }
        gatherer.finish()
    }

    /// The same for an input that can only be read from its start: up to the last line that is needed, if what was kept
    /// of it does not do.
    fn stream(&self, stretches: &[Stretch], buffer: &mut Vec<u8>, found: &mut Gathered) {
        let Some(first) = stretches.first() else { return };
        if let Some(kept) = self.kept {
            found.merge(self.of_kept(kept, stretches));
        }
        let least = if self.kept.is_some() { Look::All } else { Look::Ids };
        let Some(last) = stretches.iter().rfind(|stretch| stretch.look >= least) else {
            return;
        };
        let mut gatherer = self.gatherer(first);
        let mut visit = |chunk: read::Chunk<'_>| {
            let end = chunk.offset + chunk.bytes.len() as u64;
            let meets = |stretch: &&Stretch| {
                stretch.span.offset < end
                    && stretch.span.offset.saturating_add(stretch.span.len) > chunk.offset
            };
            let look = stretches.iter().filter(meets).map(|stretch| stretch.look).max();
            let look = look.unwrap_or(Look::All);
            if look >= least {
                gatherer.take_all(look == Look::All);
                gatherer.chunk(chunk.bytes, chunk.offset);
            } else {
                gatherer.skip(chunk.bytes);
            }
            self.progress.add(chunk.bytes.len() as u64);
        };
        let end = last.span.offset.saturating_add(last.span.len);
        let _ = self.reading.read_until(end, buffer, &mut visit);
        found.merge(gatherer.finish());
    }

    /// What the lines kept hold, but for those that are read again with all around them.
    fn of_kept(&self, kept: &Packed, stretches: &[Stretch]) -> Gathered {
        let Some(first) = stretches.first() else {
            return Gathered::default();
        };
        let is_read_again = |offset: u64| {
            let at = stretches.partition_point(|stretch| stretch.span.offset <= offset);
            at.checked_sub(1)
                .is_some_and(|at| stretches[at].look == Look::All)
        };
        let mut gatherer = self.gatherer(first);
        gatherer.take_picked();
        let lines = kept.lines().filter(|(offset, ..)| !is_read_again(*offset));
        lines.for_each(|(offset, number, line)| gatherer.line(line, offset, number));
        gatherer.finish()
    }

    fn gatherer(&self, stretch: &Stretch) -> Gatherer<'_> {
        let whence = Whence {
            lines_before: stretch.lines_before,
            ..self.reading.whence
        };
        let directive = self.reading.directive().and_then(|mark| mark.first().copied());
        let scanner = self.reading.scanner(stretch.span.offset);
        Gatherer::new(scanner, whence, self.wanted, self.probe.clone(), directive)
    }

    /// The stretches of the part that is `span`, neighbours that are looked at alike put together.
    fn stretches(&self, span: &Span) -> Vec<Stretch> {
        let input = self.known.survey;
        let cells = input.cells.get(&span.offset).map_or(&[][..], Vec::as_slice);
        let part_span = input.span_of(span.offset, self.reading.whence.shift);
        let is_unsure =
            self.known.served.is_none() && self.wanted.is_unsure_in(self.reading.whence.hop, part_span);
        let end = if self.reading.input.is_plain() {
            span.offset.saturating_add(span.len)
        } else {
            u64::MAX
        };
        let mut lines_before = input.lines_before(span.offset);
        let mut all: Vec<Stretch> = Vec::new();
        let ends = cells.iter().skip(1).map(|cell| cell.offset);
        for (cell, end) in cells.iter().zip(ends.chain(std::iter::once(end))) {
            let look = if is_unsure { Look::All } else { self.look(cell) };
            let len = end.saturating_sub(cell.offset);
            match all.last_mut() {
                Some(last) if last.look == look => last.span.len = last.span.len.saturating_add(len),
                _ => all.push(Stretch {
                    span: Span {
                        offset: cell.offset,
                        len,
                    },
                    lines_before,
                    look,
                }),
            }
            lines_before += cell.part.lines;
        }
        if self.reading.goes_on() {
            join(&mut all);
        }
        all
    }

    fn look(&self, cell: &Cell) -> Look {
        let resolution_us = i64::from(self.known.survey.resolution_us);
        let span = match (cell.part.first_us, cell.part.last_us) {
            (Some(first), Some(last)) => {
                let (first, last) = self.reading.whence.shift.span(first, last);
                (first, last + resolution_us)
            }
            _ => (i64::MIN, i64::MAX),
        };
        let has_ids = !self.known.survey.loci.are_none();
        let sees_ids = self.probe.is_some() || self.kept.is_some() || self.known.spots.is_some();
        match has_ids {
            _ if cell.part.entries == 0 && self.reading.directive().is_none() => Look::Skip,
            _ if self.known.windows.meet(span) => Look::All,
            _ if sees_ids => Look::Ids,
            false if self.reading.directive().is_none() => Look::Skip,
            _ => Look::All,
        }
    }
}

/// Puts all stretches together, to be looked at as the one of them that is looked at most closely.
fn join(all: &mut Vec<Stretch>) {
    let look = all.iter().map(|stretch| stretch.look).max();
    let last = all.last().map(|stretch| stretch.span);
    all.truncate(1);
    if let (Some(first), Some(look), Some(last)) = (all.first_mut(), look, last) {
        first.look = look;
        first.span.len = last
            .offset
            .saturating_add(last.len)
            .saturating_sub(first.span.offset);
    }
}
