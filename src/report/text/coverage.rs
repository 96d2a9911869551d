//! What was learnt, what was read and how well, and what could not be used.

use std::io;

use why502_parsers::unread::Why;

use super::View;
use super::page::{Page, Role, Table};
use super::words::{Clock as Times, counted, duration, grouped, percent};
use crate::model::finding::{Clock, Input, Problem, UnparsedLine};

/// Files listed unless `-v` is given; files with trouble are always listed.
const FILES_SHOWN: usize = 12;

/// Unparsed lines named per file.
const UNPARSED_SHOWN: usize = 3;

pub(super) fn write(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    inferences(page, view)?;
    inputs(page, view)?;
    problems(page, &view.report.problems)
}

fn inferences(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let inferences = &view.report.inferences;
    if inferences.is_empty() {
        return Ok(());
    }
    page.title("Learnt from the logs")?;
    for inference in inferences {
        let value = match inference.what.as_str() {
            // The note names the zone; as a number of milliseconds nobody would recognise it.
            "zone" => format!("{} zone:", inference.hop),
            what => format!(
                "{} {what} {} ({}):",
                inference.hop,
                duration(inference.value_ms),
                counted(u64::from(inference.support), "record"),
            ),
        };
        let spans = [(Role::Title, value.as_str()), (Role::Plain, &inference.note)];
        page.block(2, (Role::Plain, ""), &spans)?;
    }
    Ok(())
}

fn inputs(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let inputs = &view.report.inputs;
    let lines = inputs.iter().map(|input| input.lines).sum();
    let unparsed = inputs.iter().map(|input| input.unparsed).sum();
    let rest = match unparsed {
        0 => "every line parsed".to_owned(),
        n => format!("{} unparsed ({})", grouped(n), percent(n, lines)),
    };
    let skipped = match inputs.iter().map(|input| input.skipped_bytes).sum() {
        0 => String::new(),
        n => format!(", {} outside the time window left out", indicatif::BinaryBytes(n)),
    };
    page.title(&format!(
        "Read: {}, {}, {rest}{skipped}",
        counted(inputs.len() as u64, "file"),
        counted(lines, "line")
    ))?;
    let shown: Vec<&Input> = inputs
        .iter()
        .enumerate()
        .filter(|(at, input)| view.verbose || *at < FILES_SHOWN || in_trouble(input))
        .map(|(_, input)| input)
        .collect();
    table(page, view, &shown)?;
    if shown.len() < inputs.len() {
        let text = format!(
            "and {} more, read without trouble: -v lists them",
            inputs.len() - shown.len()
        );
        page.block(2, (Role::Plain, ""), &[(Role::Dim, &text)])?;
    }
    notes(page, view, &shown)
}

/// Whether something in `input` was not understood.
pub(super) fn in_trouble(input: &Input) -> bool {
    input.unparsed > 0 || input.format.is_none()
}

fn table(page: &mut Page<'_>, view: &View<'_>, inputs: &[&Input]) -> io::Result<()> {
    if inputs.is_empty() {
        return Ok(());
    }
    let heads = &["file", "lines", "unparsed", "from", "to", "hop", "format", "zone"];
    let mut table = Table::new(heads, &[1, 2]);
    for input in inputs {
        table.push(row(&view.clock, input));
    }
    page.table(2, &table)
}

pub(super) fn row(clock: &Times, input: &Input) -> Vec<(Role, String)> {
    let dash = || "-".to_owned();
    let time = |time: Option<_>| (Role::Plain, time.map_or_else(dash, |t| clock.second(t)));
    let format = match &input.format {
        Some(format) => (Role::Plain, format.clone()),
        None => (Role::Warn, "unknown".to_owned()),
    };
    let unparsed = match input.unparsed {
        0 => (Role::Dim, "0".to_owned()),
        n => (Role::Warn, grouped(n)),
    };
    vec![
        (Role::Title, input.path.clone()),
        (Role::Plain, grouped(input.lines)),
        unparsed,
        time(input.first),
        time(input.last),
        (Role::Plain, input.hop.clone().unwrap_or_else(dash)),
        format,
        zone(input),
    ]
}

/// The zone, and how it is known if it does not stand in the stamps.
fn zone(input: &Input) -> (Role, String) {
    if input.first.is_none() {
        return (Role::Plain, "-".to_owned());
    }
    match input.zone_origin.as_str() {
        "logged" | "" => (Role::Plain, input.zone.clone()),
        "assumed" => (Role::Warn, format!("{} assumed", input.zone)),
        origin => (Role::Plain, format!("{} {origin}", input.zone)),
    }
}

fn offset(clock: Clock) -> String {
    let sign = if clock.offset_ms >= 0.0 { "+" } else { "" };
    format!("{sign}{}", duration(clock.offset_ms))
}

/// What does not fit a table: unparsed lines, how clocks were learnt, why a format.
fn notes(page: &mut Page<'_>, view: &View<'_>, inputs: &[&Input]) -> io::Result<()> {
    for input in inputs {
        let path = format!("{}:", input.path);
        let mut note =
            |text: &str| page.block(2, (Role::Plain, ""), &[(Role::Title, &path), (Role::Plain, text)]);
        if !input.unparsed_lines.is_empty() {
            note(&unparsed(input))?;
        }
        if let Some(clock) = input.clock.filter(|clock| view.verbose || clock.offset_ms != 0.0) {
            note(&clock_note(clock))?;
        }
        if let Some(why) = input.read_whole.as_ref().filter(|_| view.verbose) {
            note(&format!("read whole in spite of the time window: {why}"))?;
        }
        if view.verbose && !input.format_reason.is_empty() {
            note(&input.format_reason)?;
        }
    }
    Ok(())
}

pub(super) fn unparsed(input: &Input) -> String {
    let named: Vec<String> = input
        .unparsed_lines
        .iter()
        .take(UNPARSED_SHOWN)
        .map(|line| format!("line {} ({})", line.line, reason(line)))
        .collect();
    let more = input.unparsed.saturating_sub(named.len() as u64);
    let rest = match more {
        0 => String::new(),
        n => format!(" and {} more", grouped(n)),
    };
    format!("unparsed: {}{rest}{}", named.join(", "), reasons(input, more > 0))
}

/// Why a line could not be read, the kind of line rather than the byte where it is known.
fn reason(line: &UnparsedLine) -> String {
    match (&line.read_by, Why::by_name(&line.class)) {
        (Some(format), _) => format!("{}, {format} reads it", Why::OtherProgram.words()),
        (None, None | Some(Why::Unknown)) => line.reason.clone(),
        (None, Some(why)) => why.words().to_owned(),
    }
}

/// How many lines for which reason, if not all are named with theirs.
fn reasons(input: &Input, some_are_unnamed: bool) -> String {
    let known: Vec<String> = input
        .unparsed_reasons
        .iter()
        .filter(|reason| reason.reason != Why::Unknown.name())
        .map(|reason| format!("{} {}", grouped(reason.lines), reason.reason.replace('_', " ")))
        .collect();
    match some_are_unnamed && !known.is_empty() {
        true => format!("; in all {}", known.join(", ")),
        false => String::new(),
    }
}

fn clock_note(clock: Clock) -> String {
    let origin = match clock.pairs {
        0 => "as given".to_owned(),
        n => format!(
            "learnt from {} to within {}",
            counted(u64::from(n), "pair"),
            duration(clock.spread_ms)
        ),
    };
    format!("clock corrected by {}, {origin}", offset(clock))
}

pub(super) fn problems(page: &mut Page<'_>, problems: &[Problem]) -> io::Result<()> {
    if problems.is_empty() {
        return Ok(());
    }
    page.title("Problems")?;
    for problem in problems {
        let path = match problem.path.as_str() {
            "" => String::new(),
            path => format!("{path}:"),
        };
        let spans = [(Role::Title, path.as_str()), (Role::Warn, &problem.message)];
        page.block(2, (Role::Plain, ""), &spans)?;
        if !problem.hint.is_empty() {
            page.block(4, (Role::Good, "hint: "), &[(Role::Plain, &problem.hint)])?;
        }
    }
    Ok(())
}
