//! `why502 detect` for the terminal: a table, then per file what it has, what it lacks and the line that adds it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use why502_parsers::paste::Dialect;

use super::coverage;
use super::page::{Page, Role, Table};
use super::words::{Clock, counted, grouped, percent};
use crate::model::Micros;
use crate::model::detect::{Advice, DetectedFile, Detection};
use crate::report::Style;

pub(in crate::report) fn write(detection: &Detection, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let times = || {
        let files = detection.files.iter();
        files
            .flat_map(|file| [file.input.first, file.input.last])
            .flatten()
    };
    let span: Option<(Micros, Micros)> = times().min().zip(times().max());
    let clock = Clock::new(style.zone, span);
    let mut page = Page::new(&mut out, style);
    let lines = detection.files.iter().map(|file| file.input.lines).sum();
    let head = format!(
        "{}, {}",
        counted(detection.files.len() as u64, "log"),
        counted(lines, "line")
    );
    page.block(0, (Role::Plain, ""), &[(Role::Title, &head)])?;
    let heads = &[
        "file", "lines", "unparsed", "from", "to", "hop", "format", "zone", "ids",
    ];
    let mut table = Table::new(heads, &[1, 2]);
    for file in &detection.files {
        let mut row = coverage::row(&clock, &file.input);
        row.push((Role::Plain, ids(file)));
        table.push(row);
    }
    page.table(2, &table)?;
    for file in &detection.files {
        details(&mut page, file, detection.hops.len(), style)?;
    }
    advice(&mut page, detection)?;
    coverage::problems(&mut page, &detection.problems)?;
    if style.verbose > 0 && !detection.passed_over.is_empty() {
        page.title("Passed over, being no logs")?;
        page.block(
            2,
            (Role::Plain, ""),
            &[(Role::Plain, &detection.passed_over.join(", "))],
        )?;
    }
    out.flush()
}

fn ids(file: &DetectedFile) -> String {
    match (file.ids.requests, file.requests) {
        (0, _) => "-".to_owned(),
        (with, all) if with == all => "all".to_owned(),
        (with, all) => percent(with, all),
    }
}

fn details(page: &mut Page<'_>, file: &DetectedFile, hops: usize, style: &Style) -> io::Result<()> {
    page.title(&file.input.path)?;
    let certainty = match file.certainty.as_str() {
        "mark" => "certain",
        "own" => "the only one that fits",
        "shape" => "others write such lines too",
        _ => "forced",
    };
    let mut what = format!(
        "{}, {} log ({certainty}): {}",
        file.product, file.kind, file.input.format_reason
    );
    if let Some(wrapper) = &file.wrapper {
        what.push_str(&format!("; inside {wrapper}"));
    }
    if !file.rivals.is_empty() {
        what.push_str(&format!("; as well: {}", file.rivals.join(", ")));
    }
    page.block(2, (Role::Dim, "format   "), &[(Role::Plain, &what)])?;
    let entries = format!(
        "{} in {}: {}, {}",
        counted(file.input.entries, "record"),
        counted(file.input.lines, "line"),
        counted(file.requests, "request"),
        counted(file.failures, "failure"),
    );
    page.block(2, (Role::Dim, "records  "), &[(Role::Plain, &entries)])?;
    if !file.input.unparsed_lines.is_empty() {
        page.block(
            2,
            (Role::Dim, "         "),
            &[(Role::Warn, &coverage::unparsed(&file.input))],
        )?;
    }
    if file.ids.requests > 0 {
        let mut text = format!(
            "{} of {} requests, {}",
            grouped(file.ids.requests),
            grouped(file.requests),
            file.ids.shapes.join(", ")
        );
        if !file.ids.shared_with.is_empty() {
            text.push_str(&format!("; also logged by {}", file.ids.shared_with.join(", ")));
        } else if hops > 1 {
            text.push_str("; logged by no other hop");
        }
        page.block(2, (Role::Dim, "ids      "), &[(Role::Plain, &text)])?;
    }
    let has: Vec<String> = file
        .fields
        .iter()
        .filter(|field| {
            !matches!(
                field.name.as_str(),
                "kind" | "time_resolution_us" | "time_marks" | "time_zone"
            )
        })
        .map(|field| match field.share {
            share if share > 0.995 => field.name.clone(),
            _ => format!("{} {}", field.name, percent(field.entries, file.input.entries)),
        })
        .collect();
    if style.verbose > 0 {
        page.block(2, (Role::Dim, "has      "), &[(Role::Plain, &has.join(", "))])?;
    }
    for (at, field) in file.missing.iter().enumerate() {
        let label = if at == 0 { "lacks    " } else { "         " };
        let what = match field.written.as_str() {
            "" => format!("{}:", field.what),
            written => format!("{} ({written}):", field.what),
        };
        page.block(
            2,
            (Role::Dim, label),
            &[(Role::Warn, &what), (Role::Plain, &field.decides)],
        )?;
    }
    if file.missing.is_empty() && file.requests > 0 {
        page.block(
            2,
            (Role::Dim, "lacks    "),
            &[(Role::Good, "nothing that would decide more")],
        )?;
    }
    Ok(())
}

/// The lines to add, once for all files that they are for.
fn advice(page: &mut Page<'_>, detection: &Detection) -> io::Result<()> {
    let mut by_line: BTreeMap<(&str, &str), (&Advice, Vec<&str>)> = BTreeMap::new();
    for file in &detection.files {
        if let Some(advice) = &file.advice {
            let entry = by_line
                .entry((&file.product, &advice.line))
                .or_insert_with(|| (advice, Vec::new()));
            entry.1.push(&file.input.path);
        }
    }
    for ((product, _), (advice, files)) in by_line {
        page.title(&format!("To add for {product}: {}", advice.place))?;
        page.block(2, (Role::Dim, "for "), &[(Role::Plain, &files.join(", "))])?;
        page.blank()?;
        for line in advice.line.lines() {
            page.unbroken(4, Role::Name, line)?;
        }
        if !advice.note.is_empty() {
            page.blank()?;
            page.block(2, (Role::Good, "hint: "), &[(Role::Plain, &advice.note)])?;
        }
        if Dialect::by_name(product).is_ok() {
            let how = format!(
                "the new lines are read by the server's configuration beside the logs, or with --log-format '{product}:...'"
            );
            page.block(2, (Role::Good, "hint: "), &[(Role::Plain, &how)])?;
        }
    }
    Ok(())
}
