//! `why502 parse`: every record, normalised, file by file and line by line, in constant memory.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use why502_parsers::Entry;

use super::clocks::Correction;
use super::inputs::{self, Sources};
use super::passes::{self, Asked, Reading};
use crate::error::Error;
use crate::model::finding::Problem;
use crate::model::{Shift, SourceId};
use crate::plan::{Plan, Statuses, Window};
use crate::read::{self, Chunk};
use crate::report::entries::{EntryFormat, Row};
use crate::report::progress::Progress;
use crate::select::scan::{Scanned, Scanner, interval};

/// Bytes of a plain file that are read before the output is looked at again.
const BLOCK: u64 = 4 << 20;

/// Which records are written, and how.
#[derive(Debug, Clone, Copy)]
pub struct Filter {
    /// Statuses of the requests wanted; every record if `None`.
    pub statuses: Option<Statuses>,
    /// How they are written.
    pub format: EntryFormat,
}

/// What was written and what was not.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Files read.
    pub files: usize,
    /// Lines in them.
    pub lines: u64,
    /// Records written.
    pub written: u64,
    /// Records that the window or a filter left out.
    pub left_out: u64,
    /// Lines that could not be read.
    pub unparsed: u64,
    /// The first of them: file, line and what was wrong.
    pub first_unparsed: Option<(String, u64, String)>,
    /// Whether the zone of some stamps is not known.
    pub zone_unknown: bool,
    /// What could not be used.
    pub problems: Vec<Problem>,
}

impl Parsed {
    /// The same in one sentence or two, for standard error.
    pub fn summary(&self) -> String {
        let noun = |n: u64, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
        let mut text = format!(
            "wrote {} from {} in {}",
            noun(self.written, "record"),
            noun(self.lines, "line"),
            noun(self.files as u64, "file")
        );
        if self.left_out > 0 {
            text.push_str(&format!(", {} left out as asked", self.left_out));
        }
        if let Some((file, line, reason)) = &self.first_unparsed {
            text.push_str(&format!(
                ", {} unparsed, the first at {file}:{line}: {reason}",
                noun(self.unparsed, "line")
            ));
        }
        if self.zone_unknown {
            text.push_str("; some stamps do not say their zone and were taken as UTC: --tz settles it");
        }
        text
    }
}

/// Writes the records of `plan`'s files to `out`, which errors call `name`. Clocks are corrected only as the user
/// said.
///
/// # Errors
/// What ends a run, and [`Error::Write`].
pub fn parse(
    plan: &Plan,
    now_us: i64,
    filter: &Filter,
    out: &mut dyn Write,
    name: &Path,
    progress: &Progress,
) -> Result<Parsed, Error> {
    let sources = inputs::open(plan)?;
    let names = sources.names_by_input();
    known_hops(plan, &names)?;
    let mut readings = sources.readings(plan, &given(plan, &sources));
    let mut parsed = Parsed {
        files: readings.list.len(),
        problems: sources.problems.clone(),
        ..Parsed::default()
    };
    parsed.problems.append(&mut readings.problems);
    let window = window(plan, &mut readings.list, now_us, progress)?;
    progress.restart(
        "writing",
        readings
            .list
            .iter()
            .map(|reading| reading.input.bytes_on_disk)
            .sum(),
    );
    let mut writer = Writer {
        out,
        buffer: Vec::new(),
        failed: None,
        window,
        filter,
        parsed,
    };
    filter.format.begin(&mut writer.buffer);
    writer.flush();
    for reading in &readings.list {
        let hop = names.get(&reading.input.id).map_or("", String::as_str);
        if plan.hops.is_empty() || plan.hops.iter().any(|wanted| wanted == hop) {
            writer.file(reading, hop, progress)?;
        } else {
            writer.parsed.files -= 1;
        }
    }
    if writer.failed.is_none() {
        writer.failed = writer.out.flush().err();
    }
    match writer.failed {
        Some(source) => Err(Error::Write {
            path: name.to_path_buf(),
            source,
        }),
        None => Ok(writer.parsed),
    }
}

/// The corrections that the user gave, by input.
pub(super) fn given(plan: &Plan, sources: &Sources) -> BTreeMap<SourceId, Correction> {
    let correction = |us| Correction {
        shift: Shift::of(us),
        zone_us: 0,
        zone: String::new(),
        zone_origin: "",
        clock: None,
    };
    sources
        .inputs
        .iter()
        .filter_map(|input| Some((input.id, correction(plan.offset_of(&input.shown)?))))
        .collect()
}

fn known_hops(plan: &Plan, names: &BTreeMap<SourceId, String>) -> Result<(), Error> {
    let Some(unknown) = plan
        .hops
        .iter()
        .find(|hop| !names.values().any(|name| name == *hop))
    else {
        return Ok(());
    };
    let mut known: Vec<&str> = names.values().map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    let hint = format!("hops found: {}", known.join(", "));
    Err(Error::usage(
        "--hop",
        format!("no hop is called '{unknown}'"),
        hint,
    ))
}

/// The window; the last entry is looked for only if times count back from it.
fn window(
    plan: &Plan,
    readings: &mut [Reading<'_>],
    now_us: i64,
    progress: &Progress,
) -> Result<Window, Error> {
    let mut last = None;
    if plan.window.needs_last_entry() {
        let bytes = readings.iter().map(|reading| reading.input.bytes_on_disk).sum();
        progress.restart("looking for the last entry", bytes);
        let asked = Asked {
            wanted: &|_| false,
            by_second: false,
            marked_most: 0,
        };
        let (surveyed, _) = passes::survey(readings, &asked, progress)?;
        let corrected = |reading: &Reading<'_>| {
            let last_us = surveyed.survey.inputs.get(&reading.input.id)?.coverage.last_us?;
            Some(reading.whence.shift.span(last_us, last_us).1)
        };
        last = readings.iter().filter_map(corrected).max();
    }
    plan.window
        .resolve(now_us, last)
        .map_err(|what| Error::usage("--since/--until", what, "name a later end"))
}

struct Writer<'w> {
    out: &'w mut dyn Write,
    buffer: Vec<u8>,
    /// Why nothing more can be written.
    failed: Option<io::Error>,
    window: Window,
    filter: &'w Filter,
    parsed: Parsed,
}

impl Writer<'_> {
    fn file(&mut self, reading: &Reading<'_>, hop: &str, progress: &Progress) -> Result<(), Error> {
        // One scanner for the whole file, so that it counts the lines and meets every directive.
        let mut scanner = reading.scanner(0);
        let mut block = Vec::new();
        for span in reading.spans(&read::whole(reading.input), BLOCK)? {
            let result = reading.read(&span, &mut block, &mut |chunk| {
                if self.failed.is_none() {
                    self.chunk(&mut scanner, &chunk, reading, hop);
                    self.flush();
                }
                progress.add(chunk.bytes.len() as u64);
            });
            if let Err(error) = result {
                self.parsed.problems.push(error.problem(&reading.input.shown));
                break;
            }
            if self.failed.is_some() {
                break;
            }
        }
        self.parsed.lines += scanner.lines();
        Ok(())
    }

    fn chunk(&mut self, scanner: &mut Scanner, chunk: &Chunk<'_>, reading: &Reading<'_>, hop: &str) {
        let Self {
            buffer,
            window,
            filter,
            parsed,
            ..
        } = self;
        scanner.scan(chunk.bytes, chunk.offset, |scanned, line, _| match scanned {
            Scanned::Entry(entry) => {
                let mut corrected = entry.clone();
                if let Some(stamp) = &mut corrected.time {
                    stamp.us = reading.whence.shift.apply(stamp.us, line.offset);
                    parsed.zone_unknown |= stamp.zone != why502_parsers::entry::Zone::Known;
                }
                if !is_wanted(&corrected, window, filter) {
                    parsed.left_out += 1;
                    return;
                }
                parsed.written += 1;
                let row = Row {
                    file: &reading.input.shown,
                    line: line.index + 1,
                    offset: line.offset,
                    hop,
                    format: &reading.detected.format_name,
                    product: reading.detected.product.name(),
                    entry: &corrected,
                };
                filter.format.row(&row, buffer);
            }
            Scanned::Unparsed(unread) => {
                parsed.unparsed += 1;
                parsed.first_unparsed.get_or_insert_with(|| {
                    (
                        reading.input.shown.clone(),
                        line.index + 1,
                        unread.error.to_string(),
                    )
                });
            }
            Scanned::Outside(_) | Scanned::Continuation | Scanned::Directive => {}
        });
    }

    fn flush(&mut self) {
        self.failed = self.out.write_all(&self.buffer).err();
        self.buffer.clear();
    }
}

fn is_wanted(entry: &Entry<'_>, window: &Window, filter: &Filter) -> bool {
    if let Some(statuses) = &filter.statuses
        && !entry.status.is_some_and(|status| statuses.contains(status))
    {
        return false;
    }
    if window.is_open() {
        return true;
    }
    interval(entry).is_some_and(|(start, end, stamp)| window.contains(end.or(start).unwrap_or(stamp.us)))
}
