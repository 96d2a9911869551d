//! The answer: how many requests failed, of what causes, made by whom, and what to change.

use std::collections::BTreeMap;
use std::io;

use super::coverage::in_trouble;
use super::page::{Page, Role};
use super::words::{counted, grouped, percent};
use super::{Group, View, read_span};
use crate::model::finding::{CauseCount, Change, Finding, NearMiss, WhatIf};
use crate::model::{Certainty, Micros};

/// Things that coincided which are shown unless `-v` is given.
const COINCIDED: usize = 3;

pub(super) fn write(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    match view.span {
        Some(span) => failed(page, view, &view.clock.span(span))?,
        None if view.report.findings.is_empty() => nothing(page, view)?,
        None => failed(page, view, "at a time that no line tells")?,
    }
    for entry in view.groups() {
        page.blank()?;
        self::entry(page, view, entry)?;
    }
    more(page, view)?;
    near_misses(page, view)?;
    other_statuses(page, view)?;
    filtered(page, view)?;
    unread(page, view)
}

/// `127 of 48,210 requests (0.26 %) ended in 502 between …`.
fn failed(page: &mut Page<'_>, view: &View<'_>, span: &str) -> io::Result<()> {
    let summary = &view.report.summary;
    let failed = view.report.findings.len() as u64;
    let text = if summary.requests >= failed {
        format!(
            "{} of {} ({}) {} {span}",
            grouped(failed),
            counted(summary.requests, "request"),
            percent(failed, summary.requests),
            ended_in(&view.report.findings)
        )
    } else {
        format!(
            "{} {} {span}",
            counted(failed, "request"),
            ended_in(&view.report.findings)
        )
    };
    page.block(0, (Role::Plain, ""), &[(Role::Bad, &text)])
}

/// `ended in 502`, or `ended in 502 (120) or 504 (7)`.
fn ended_in(findings: &[Finding]) -> String {
    let mut statuses = BTreeMap::<u16, u64>::new();
    for finding in findings {
        *statuses.entry(finding.status).or_default() += 1;
    }
    let word = |status: u16| match status {
        0 => "no answer".to_owned(),
        _ => status.to_string(),
    };
    if let (1, Some(&status)) = (statuses.len(), statuses.keys().next()) {
        return format!("ended in {}", word(status));
    }
    let parts: Vec<String> = statuses
        .iter()
        .map(|(&status, &count)| format!("{} ({})", word(status), grouped(count)))
        .collect();
    format!("ended in {}", parts.join(" or "))
}

/// Says that nothing failed, or that nothing could be searched, and what was.
fn nothing(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let report = view.report;
    let lines = report.inputs.iter().map(|input| input.lines).sum();
    let entries: u64 = report.inputs.iter().map(|input| input.entries).sum();
    let wanted = match report.statuses.as_slice() {
        [] => "a wanted status".to_owned(),
        statuses => statuses.join(" or "),
    };
    let headline = if entries == 0 {
        "No request was searched: no log entry could be read".to_owned()
    } else if report.filtered > 0 {
        format!("No request ended in {wanted} for the cause and hop asked for")
    } else {
        format!("No request ended in {wanted}")
    };
    page.block(0, (Role::Plain, ""), &[(Role::Title, &headline)])?;
    let searched = format!(
        "{}, {} in {}{}",
        counted(report.summary.requests, "request"),
        counted(lines, "line"),
        counted(report.inputs.len() as u64, "file"),
        read_span(report).map_or(String::new(), |span| format!(", {}", view.clock.span(span))),
    );
    page.block(2, (Role::Dim, "searched  "), &[(Role::Plain, &searched)])?;
    page.block(2, (Role::Dim, "window    "), &[(Role::Plain, &window(view))])
}

fn window(view: &View<'_>) -> String {
    let window = view.report.window;
    let side = |word: &str, time| format!("{word} {}", view.clock.second(time));
    match (window.since, window.until) {
        (None, None) => "all times".into(),
        (since, until) => {
            let sides = [since.map(|t| side("from", t)), until.map(|t| side("before", t))];
            sides.into_iter().flatten().collect::<Vec<_>>().join(", ")
        }
    }
}

fn entry(page: &mut Page<'_>, view: &View<'_>, entry: &Group<'_>) -> io::Result<()> {
    let cause = &entry.count;
    let total = view.report.summary.failed;
    let label = format!(
        "{:>6}  {:>7}  ",
        grouped(cause.count),
        percent(cause.count, total)
    );
    let hang = 17;
    let name = format!("{}:", cause.cause.name());
    page.block(
        0,
        (Role::Title, &label),
        &[(Role::Name, &name), (Role::Plain, &entry.what())],
    )?;
    page.block(hang, (Role::Plain, ""), &[(Role::Title, &entry.pair())])?;
    let (role, sure) = certainty(cause, &entry.findings);
    page.block(
        hang,
        (Role::Plain, ""),
        &[(Role::Plain, &when(view, entry)), (role, &sure)],
    )?;
    coincided(page, view, entry, hang)?;
    match &cause.fix {
        Some(fix) => {
            page.block(hang, (Role::Good, "fix: "), &[(Role::Plain, &fix.summary)])?;
            fix.changes.iter().try_for_each(|c| change(page, hang + 5, c))?;
            fix.what_if
                .as_ref()
                .map_or(Ok(()), |what_if| saved(page, hang + 5, what_if))
        }
        None => to_decide(page, hang, &entry.findings),
    }
}

/// `since 10:00:05, last 10:14:29, 3 times,`.
fn when(view: &View<'_>, entry: &Group<'_>) -> String {
    let (first, last) = (entry.count.first, entry.count.last);
    let times = match entry.incidents.len() {
        0 | 1 => String::new(),
        n => format!(" in {n} incidents,"),
    };
    match entry.count.count {
        1 => format!("at {},", view.clock.second(first)),
        _ => format!(
            "since {}, last {},{times}",
            view.clock.second(first),
            view.clock.second(last)
        ),
    }
}

/// What happened at the same time, the most telling lines only.
fn coincided(page: &mut Page<'_>, view: &View<'_>, entry: &Group<'_>, indent: usize) -> io::Result<()> {
    let mut all: Vec<(String, Micros, u64)> = Vec::new();
    for one in entry.incidents.iter().flat_map(|incident| &incident.coincided) {
        match all.iter_mut().find(|known| known.0 == one.what) {
            Some(known) => known.2 += one.count,
            None => all.push((one.what.clone(), one.time, one.count)),
        }
    }
    let shown = if view.verbose {
        all.len()
    } else {
        COINCIDED.min(all.len())
    };
    if shown == 0 {
        return Ok(());
    }
    let parts: Vec<String> = all[..shown]
        .iter()
        .map(|(what, time, count)| match count {
            1 => format!("{what} at {}", view.clock.second(*time)),
            _ => format!(
                "{what} {} times, first at {}",
                grouped(*count),
                view.clock.second(*time)
            ),
        })
        .collect();
    page.block(
        indent,
        (Role::Warn, "at that time: "),
        &[(Role::Plain, &parts.join("; "))],
    )
}

/// `61 s would have saved 15 of 16: ...`.
fn saved(page: &mut Page<'_>, indent: usize, what_if: &WhatIf) -> io::Result<()> {
    let WhatIf {
        value,
        saved,
        total,
        known,
        assumption,
        ..
    } = what_if;
    let unknown = match total - known {
        0 => String::new(),
        n => format!(" (of {} the logs do not show what they needed)", grouped(n)),
    };
    let text = format!(
        "would have saved {} of {}{unknown}, if {assumption}",
        grouped(*saved),
        grouped(*total)
    );
    page.block(
        indent,
        (Role::Plain, ""),
        &[(Role::Title, value), (Role::Dim, &text)],
    )
}

/// `orders-app (node): server.keepAliveTimeout -> 76 s (now 5 s, product default)`.
pub(super) fn change(page: &mut Page<'_>, indent: usize, change: &Change) -> io::Result<()> {
    let product = if change.product.is_empty() || change.product == change.hop {
        String::new()
    } else {
        format!(" ({})", change.product)
    };
    let place = format!("{}{product}:", change.hop);
    let current = match change.current.as_str() {
        "" => String::new(),
        current => format!("(now {current})"),
    };
    let spans = [
        (Role::Plain, place.as_str()),
        (Role::Title, change.setting.as_str()),
        (Role::Plain, "->"),
        (Role::Good, change.proposed.as_str()),
        (Role::Plain, current.as_str()),
    ];
    page.block(indent, (Role::Plain, ""), &spans)
}

/// Without a fix, what would lead to one.
fn to_decide(page: &mut Page<'_>, indent: usize, findings: &[&Finding]) -> io::Result<()> {
    let Some(missing) = findings.iter().find_map(|f| f.missing.first()) else {
        return Ok(());
    };
    page.block(indent, (Role::Warn, "to decide: "), &[(Role::Plain, missing)])
}

/// `proven`, or `91 proven, 5 likely` where they differ.
fn certainty(cause: &CauseCount, findings: &[&Finding]) -> (Role, String) {
    let role = role_of(cause.certainty);
    let mut counts = BTreeMap::<Certainty, u64>::new();
    for finding in findings {
        *counts.entry(finding.certainty).or_default() += 1;
    }
    match (counts.len(), cause.certainty) {
        (0 | 1, Certainty::Unknown) => return (role, "certainty unknown".to_owned()),
        (0 | 1, certainty) => return (role, certainty.name().to_owned()),
        _ => {}
    }
    let parts: Vec<String> = counts
        .iter()
        .rev()
        .map(|(certainty, &count)| format!("{} {}", grouped(count), certainty.name()))
        .collect();
    (role, parts.join(", "))
}

pub(super) const fn role_of(certainty: Certainty) -> Role {
    match certainty {
        Certainty::Proven => Role::Good,
        Certainty::Likely => Role::Plain,
        Certainty::Possible | Certainty::Unknown => Role::Warn,
    }
}

/// Names what is left out of the list of causes.
fn more(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let hidden = &view.groups[view.groups().len()..];
    if hidden.is_empty() {
        return Ok(());
    }
    let requests = hidden.iter().map(|entry| entry.count.count).sum();
    let text = format!(
        "and {} in {}: -v lists them",
        counted(requests, "request"),
        counted(hidden.len() as u64, "more place")
    );
    page.blank()?;
    page.block(17, (Role::Plain, ""), &[(Role::Dim, &text)])
}

fn near_misses(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let misses = &view.report.near_misses;
    if misses.is_empty() {
        return Ok(());
    }
    let total = misses.iter().map(|miss| miss.count).sum();
    page.title(&format!(
        "Near misses: {} saved by a retry",
        counted(total, "request")
    ))?;
    misses.iter().try_for_each(|miss| near_miss(page, view, miss))
}

fn near_miss(page: &mut Page<'_>, view: &View<'_>, miss: &NearMiss) -> io::Result<()> {
    let label = format!("{:>6}  ", grouped(miss.count));
    let pair = match miss.upstream.as_str() {
        "" => format!("{},", miss.hop),
        upstream => format!("{} -> {upstream},", miss.hop),
    };
    let cause = format!("{}/{},", miss.cause.name(), miss.subtype.name());
    let when = match miss.count {
        1 => format!("at {}", view.clock.second(miss.first)),
        _ => format!(
            "since {}, last {}",
            view.clock.second(miss.first),
            view.clock.second(miss.last)
        ),
    };
    page.block(
        0,
        (Role::Plain, &label),
        &[(Role::Title, &pair), (Role::Plain, &cause), (Role::Plain, &when)],
    )
}

fn other_statuses(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let others = &view.report.summary.other_statuses;
    truncated(page, view)?;
    if others.is_empty() {
        return Ok(());
    }
    let parts: Vec<String> = others
        .iter()
        .map(|other| format!("{} with {}", grouped(other.count), other.status))
        .collect();
    let wanted = if others.iter().all(|other| other.status / 100 == 5) {
        "5xx".to_owned()
    } else {
        let statuses: Vec<String> = others.iter().map(|other| other.status.to_string()).collect();
        statuses.join(",")
    };
    let text = format!("{} (--status {wanted} explains them)", parts.join(", "));
    page.blank()?;
    page.block(
        0,
        (Role::Plain, ""),
        &[(Role::Title, "Also failed:"), (Role::Plain, &text)],
    )
}

/// Names the answers that broke off: no status shows them.
fn truncated(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let count = view.report.summary.truncated;
    if count == 0 {
        return Ok(());
    }
    let text = format!(
        "{} after the header had been sent (--status 5xx explains them)",
        counted(count, "answer")
    );
    page.blank()?;
    page.block(
        0,
        (Role::Plain, ""),
        &[(Role::Title, "Broke off:"), (Role::Plain, &text)],
    )
}

/// Names the failures that a filter hides, so that silence about them is not taken for their absence.
fn filtered(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let hidden = view.report.filtered;
    if hidden == 0 {
        return Ok(());
    }
    let text = format!("{} with another cause or hop", counted(hidden, "request"));
    page.blank()?;
    page.block(0, (Role::Title, "Left out: "), &[(Role::Plain, &text)])
}

/// Says at once if the answer does not rest on everything that was given.
fn unread(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    let inputs = &view.report.inputs;
    let troubled: Vec<_> = inputs.iter().filter(|input| in_trouble(input)).collect();
    if troubled.is_empty() {
        return Ok(());
    }
    let unparsed = troubled.iter().map(|input| input.unparsed).sum();
    let unknown = troubled.iter().filter(|input| input.format.is_none()).count() as u64;
    let mut parts = Vec::new();
    if unparsed > 0 {
        let files = counted(troubled.iter().filter(|i| i.unparsed > 0).count() as u64, "file");
        parts.push(format!("{} in {files}", counted(unparsed, "line")));
    }
    if unknown > 0 {
        parts.push(format!("{} of unknown format", counted(unknown, "file")));
    }
    page.blank()?;
    page.block(
        0,
        (Role::Warn, "Not understood: "),
        &[(Role::Plain, &parts.join(", "))],
    )
}
