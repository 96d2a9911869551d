//! `why502 explain` for the terminal: the request, why it failed, its hops as a ladder drawn to scale, the lines
//! themselves, and what every rule said.

use std::io::{self, Write};

use super::bars::{Part, Scale};
use super::evidence::{joined_by, labelled, place};
use super::page::{Page, Role, Table};
use super::words::{Clock, duration};
use super::{answer, evidence};
use crate::model::explain::{Explained, Explanation, LoggedLine, RuleVerdict, Rung, Said, Try};
use crate::model::{Certainty, Micros};
use crate::report::Style;
use crate::report::escape::{columns, terminal, truncate};

/// Stamps coarser than this, in milliseconds, do not say where in time a request was.
const FINE_MS: f64 = 100.0;
/// The widest name before a bar, in columns.
const NAME: usize = 26;
/// Columns of a length of time before a bar.
const TOOK: usize = 9;
/// The longest bar, in columns: longer ones are harder to compare.
const BAR: usize = 96;

pub(in crate::report) fn write(
    explanation: &Explanation,
    style: &Style,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let mut page = Page::new(&mut out, style);
    for (at, request) in explanation.requests.iter().enumerate() {
        if at > 0 {
            page.blank()?;
        }
        one(&mut page, request, style)?;
    }
    super::coverage::problems(&mut page, &explanation.problems)?;
    out.flush()
}

fn one(page: &mut Page<'_>, request: &Explained, style: &Style) -> io::Result<()> {
    let span = span(request);
    let clock = Clock::new(style.zone, span.map(|(from, to)| (Micros(from), Micros(to))));
    head(page, request, &clock)?;
    page.title("Hops")?;
    times(page, request, &clock)?;
    if let Some(span) = span {
        page.blank()?;
        bars(page, request, &clock, span, style.ascii)?;
    }
    page.title("Lines")?;
    for hop in &request.hops {
        lines(page, hop)?;
    }
    facts(page, request)?;
    verdicts(page, request)
}

/// First and last instant of the request, corrected clock.
fn span(request: &Explained) -> Option<(i64, i64)> {
    let of_hop = |hop: &Rung| {
        let shift = shift_us(request, hop);
        let tries = hop.attempts.iter().flat_map(|one| [one.start, one.end]);
        let all = [hop.start, hop.end].into_iter().chain(tries).flatten();
        all.map(|time| time.0 + shift).collect::<Vec<_>>()
    };
    let times: Vec<i64> = request.hops.iter().flat_map(of_hop).collect();
    times.iter().min().copied().zip(times.iter().max().copied())
}

fn head(page: &mut Page<'_>, request: &Explained, clock: &Clock) -> io::Result<()> {
    let info = &request.request;
    let target = format!("{}{}", info.host, info.path);
    let client = match info.client.as_str() {
        "" => String::new(),
        client => format!("from {client}"),
    };
    let (role, status) = match request.status {
        None if request.finding.is_some() => (Role::Bad, "closed without an answer".to_owned()),
        None => (Role::Plain, "no answer logged".to_owned()),
        Some(status) if request.finding.is_some() => (Role::Bad, format!("answered {status}")),
        Some(status) => (Role::Plain, format!("answered {status}")),
    };
    let spans = [
        (Role::Title, info.method.as_str()),
        (Role::Title, target.as_str()),
        (Role::Plain, client.as_str()),
        (role, status.as_str()),
    ];
    page.block(0, (Role::Plain, ""), &spans)?;
    if !info.ids.is_empty() {
        let ids = info.ids.join(", ");
        page.block(2, (Role::Dim, &labelled("ids")), &[(Role::Plain, &ids)])?;
    }
    match &request.finding {
        Some(_) => why(page, request, clock),
        None if request.verdicts.is_empty() => {
            let text = "nothing: no hop logged a failure of it";
            page.block(2, (Role::Dim, &labelled("failed")), &[(Role::Plain, text)])
        }
        None => {
            let text = format!("an attempt only, the request was answered ({})", request.judged);
            page.block(2, (Role::Warn, &labelled("failed")), &[(Role::Plain, &text)])
        }
    }
}

fn why(page: &mut Page<'_>, request: &Explained, clock: &Clock) -> io::Result<()> {
    let Some(finding) = &request.finding else {
        return Ok(());
    };
    let name = format!("{}/{}:", finding.cause.name(), finding.subtype.name());
    let spans = [
        (Role::Name, name.as_str()),
        (Role::Plain, finding.subtype.plain()),
    ];
    page.block(2, (Role::Dim, &labelled("why")), &spans)?;
    if let Some(other) = finding.contributing {
        let text = format!("{}: {}", other.cause.name(), other.subtype.plain());
        page.block(2, (Role::Dim, &labelled("also")), &[(Role::Plain, &text)])?;
    }
    let sure = format!("{} ({:.2}),", finding.certainty.name(), finding.score);
    let rest = format!("finding {}, at {}", finding.id, clock.milli(finding.time));
    let spans = [
        (answer::role_of(finding.certainty), sure.as_str()),
        (Role::Plain, &rest),
    ];
    page.block(2, (Role::Dim, &labelled("certainty")), &spans)?;
    page.block(
        2,
        (Role::Dim, &labelled("judged")),
        &[(Role::Plain, &request.judged)],
    )?;
    if let Some(fix) = &finding.fix {
        page.block(2, (Role::Good, &labelled("fix")), &[(Role::Plain, &fix.summary)])?;
        fix.changes
            .iter()
            .try_for_each(|one| answer::change(page, 2 + evidence::LABEL, one))?;
    }
    Ok(())
}

/// Start, end, status and join of each hop; what its own clock said, where that was corrected.
fn times(page: &mut Page<'_>, request: &Explained, clock: &Clock) -> io::Result<()> {
    let is_corrected = request.hops.iter().any(|hop| hop.correction_ms != 0.0);
    let heads: &'static [&'static str] = if is_corrected {
        &[
            "hop",
            "start",
            "end",
            "took",
            "status",
            "as logged",
            "added",
            "joined",
        ]
    } else {
        &["hop", "start", "end", "took", "status", "joined"]
    };
    let mut table = Table::new(heads, &[3]);
    let shown = |time: Option<Micros>| time.map_or_else(dash, |time| clock.milli(time));
    for hop in &request.hops {
        let status = match (hop.status, hop.issuer) {
            (Some(status), true) => (Role::Bad, format!("{status} made here")),
            (None, true) => (Role::Bad, "made here".to_owned()),
            (Some(status), false) => (Role::Plain, status.to_string()),
            (None, false) => (Role::Plain, dash()),
        };
        let mut row = vec![
            (Role::Title, named(hop)),
            (Role::Plain, shown(hop.start)),
            (Role::Plain, shown(hop.end)),
            (Role::Plain, hop.duration_ms.map_or_else(dash, duration)),
            status,
        ];
        if is_corrected {
            row.push((Role::Dim, shown(hop.logged_start)));
            row.push((Role::Dim, format!("{:+.3} s", hop.correction_ms / 1e3)));
        }
        row.push((Role::Plain, joined_by(hop.joined_by, hop.ambiguous)));
        table.push(row);
    }
    if let Some((name, said)) = request.finding.as_ref().and_then(evidence::silent_upstream) {
        let mut row = vec![(Role::Title, name)];
        row.extend(["-", "-", "-", "-"].map(|cell| (Role::Dim, cell.to_owned())));
        if is_corrected {
            row.extend(["-", "-"].map(|cell| (Role::Dim, cell.to_owned())));
        }
        row.push((Role::Dim, said.to_owned()));
        table.push(row);
    }
    page.table(2, &table)?;
    if !is_corrected {
        page.block(
            2,
            (Role::Dim, ""),
            &[(Role::Dim, "times as logged: no clock was corrected")],
        )?;
    }
    for hop in request.hops.iter().filter(|hop| hop.resolution_ms > FINE_MS) {
        let text = format!(
            "{} logs to {} only: its times may be that much later",
            hop.hop,
            duration(hop.resolution_ms)
        );
        page.block(2, (Role::Dim, ""), &[(Role::Dim, &text)])?;
    }
    Ok(())
}

/// How much later than its stamps `hop` is drawn: of coarse stamps, as much as brings it to where the hops with fine
/// ones say that the request was.
fn shift_us(request: &Explained, hop: &Rung) -> i64 {
    let fine = |hop: &&Rung| hop.resolution_ms <= FINE_MS && hop.start.is_some();
    let began = request.hops.iter().filter(fine).filter_map(|hop| hop.start).min();
    match (began, hop.start) {
        (Some(began), Some(start)) if hop.resolution_ms > FINE_MS => {
            (began.0 - start.0).clamp(0, us(hop.resolution_ms))
        }
        _ => 0,
    }
}

fn dash() -> String {
    "-".to_owned()
}

fn named(hop: &Rung) -> String {
    if hop.product.is_empty() || hop.product == hop.hop {
        return hop.hop.clone();
    }
    format!("{} ({})", hop.hop, hop.product)
}

/// A name, a length of time, and what is drawn.
struct Bar {
    name: String,
    took: String,
    from_us: i64,
    parts: Vec<(Part, i64)>,
    role: Role,
}

impl Bar {
    fn later(mut self, us: i64) -> Self {
        self.from_us += us;
        self.parts.iter_mut().for_each(|(_, end)| *end += us);
        self
    }
}

/// Every hop and every attempt, drawn to scale on the corrected clock.
fn bars(
    page: &mut Page<'_>,
    request: &Explained,
    clock: &Clock,
    (from_us, to_us): (i64, i64),
    ascii: bool,
) -> io::Result<()> {
    let mut all = Vec::new();
    for hop in &request.hops {
        let depth = depth(request, hop);
        let shift = shift_us(request, hop);
        let bars = bar_of_hop(hop, depth).into_iter();
        let bars = bars.chain(hop.attempts.iter().filter_map(|one| bar_of_try(one, depth)));
        all.extend(bars.map(|bar| bar.later(shift)));
    }
    let name = all
        .iter()
        .map(|bar| columns(&terminal(&bar.name)))
        .max()
        .unwrap_or(0)
        .min(NAME);
    let before = 2 + name + 2 + TOOK + 2;
    let scale = Scale {
        from_us,
        to_us,
        columns: page.room(before).clamp(10, BAR),
        ascii,
    };
    let (first, last) = (clock.milli(Micros(from_us)), clock.milli(Micros(to_us)));
    let gap = scale.columns.saturating_sub(columns(&first) + columns(&last));
    let ruler = if gap > 0 {
        format!("{first}{}{last}", " ".repeat(gap))
    } else {
        first
    };
    let pad = |text: &str| {
        let text = terminal(text);
        let cut = truncate(&text, name);
        format!("{cut}{}", " ".repeat(name.saturating_sub(columns(&cut))))
    };
    page.raw(
        2,
        &[(Role::Dim, &format!("{}  {:>TOOK$}  {ruler}", pad(""), "took"))],
    )?;
    for bar in &all {
        let label = format!("{}  {:>TOOK$}  ", pad(&bar.name), bar.took);
        page.raw(
            2,
            &[
                (Role::Plain, &label),
                (bar.role, &scale.row(bar.from_us, &bar.parts)),
            ],
        )?;
    }
    let used: Vec<String> = Part::ALL
        .into_iter()
        .filter(|part| all.iter().any(|bar| bar.parts.iter().any(|(one, _)| one == part)))
        .map(|part| format!("{} {}", part.sign(ascii), part.name()))
        .collect();
    page.raw(
        2,
        &[(
            Role::Dim,
            &format!("{}  {:>TOOK$}  {}", pad(""), "", used.join(", ")),
        )],
    )
}

/// How many hops stand before `hop`.
fn depth(request: &Explained, hop: &Rung) -> usize {
    let mut depth = 0;
    let mut parent = hop.parent;
    while let Some(at) = parent {
        depth += 1;
        parent = request
            .hops
            .get(at)
            .and_then(|hop| hop.parent)
            .filter(|&up| up < at);
    }
    depth
}

fn us(ms: f64) -> i64 {
    (ms * 1e3).round() as i64
}

fn bar_of_hop(hop: &Rung, depth: usize) -> Option<Bar> {
    let (from, to) = (hop.start.or(hop.end)?.0, hop.end.or(hop.start)?.0);
    let queued = hop
        .queue_ms
        .filter(|&ms| ms > 0.0)
        .map(|ms| (Part::Queued, (from + us(ms)).min(to)));
    Some(Bar {
        name: format!("{}{}", " ".repeat(depth), hop.hop),
        took: hop.duration_ms.map_or_else(dash, duration),
        from_us: from,
        parts: queued.into_iter().chain([(Part::Busy, to)]).collect(),
        role: if hop.issuer { Role::Bad } else { Role::Plain },
    })
}

fn bar_of_try(one: &Try, depth: usize) -> Option<Bar> {
    let (from, to) = (one.start?.0, one.end?.0);
    let upto = |ms: Option<f64>| ms.filter(|&ms| ms > 0.0).map(|ms| (from + us(ms)).min(to));
    let connecting = upto(one.connect_ms).map(|end| (Part::Connecting, end));
    let parts = connecting
        .into_iter()
        .chain([(Part::Busy, one.header_ms.map_or(to, |ms| (from + us(ms)).min(to)))])
        .chain(
            one.header_ms
                .map(|_| (Part::Receiving, to))
                .filter(|&(_, end)| upto(one.header_ms) < Some(end)),
        );
    let status = one.status.map_or_else(String::new, |status| format!(" {status}"));
    Some(Bar {
        name: format!("{}-> {}{status}", " ".repeat(depth + 1), one.upstream),
        took: duration((to - from) as f64 / 1e3),
        from_us: from,
        parts: parts.collect(),
        role: Role::Dim,
    })
}

/// The lines of a hop as they stand in its logs.
fn lines(page: &mut Page<'_>, hop: &Rung) -> io::Result<()> {
    for line in &hop.lines {
        one_line(page, hop, line)?;
    }
    Ok(())
}

fn one_line(page: &mut Page<'_>, hop: &Rung, line: &LoggedLine) -> io::Result<()> {
    let says = match line.says.as_str() {
        "" => String::new(),
        says => format!("says {says}"),
    };
    let at = place(&line.file, line.line);
    let spans = [(Role::Dim, at.as_str()), (Role::Plain, &says)];
    page.block(2, (Role::Title, &format!("{}  ", hop.hop)), &spans)?;
    page.verbatim(4, Role::Plain, &line.text, usize::MAX)
}

/// What speaks for the finding, and what is missing.
fn facts(page: &mut Page<'_>, request: &Explained) -> io::Result<()> {
    let Some(finding) = &request.finding else {
        return Ok(());
    };
    page.title("Evidence")?;
    for piece in &finding.evidence {
        let (role, word) = evidence::weight(piece.weight);
        let at = match piece.file.as_str() {
            "" => String::new(),
            file => format!("({})", place(file, piece.line)),
        };
        let spans = [(Role::Plain, piece.fact.as_str()), (Role::Dim, &at)];
        page.block(2, (role, &labelled(word)), &spans)?;
    }
    for rival in &finding.rivals {
        let name = format!("{}/{}:", rival.cause.name(), rival.subtype.name());
        let spans = [
            (Role::Plain, name.as_str()),
            (Role::Plain, &rival.rejected_because),
        ];
        let word = if finding.certainty < Certainty::Likely {
            "weaker"
        } else {
            "ruled out"
        };
        page.block(2, (Role::Dim, &labelled(word)), &spans)?;
    }
    finding.missing.iter().try_for_each(|missing| {
        page.block(
            2,
            (Role::Warn, &labelled("missing")),
            &[(Role::Plain, missing.as_str())],
        )
    })
}

/// What every rule said, in the order in which they are asked.
fn verdicts(page: &mut Page<'_>, request: &Explained) -> io::Result<()> {
    if request.verdicts.is_empty() {
        return Ok(());
    }
    page.title(&format!(
        "Rules, in the order in which they are asked: {}",
        request.judged
    ))?;
    request.verdicts.iter().try_for_each(|one| verdict(page, one))
}

fn verdict(page: &mut Page<'_>, one: &RuleVerdict) -> io::Result<()> {
    let role = match one.verdict {
        Said::Won => Role::Good,
        Said::FitsToo => Role::Plain,
        Said::Rejected => Role::Dim,
        Said::Lacks => Role::Warn,
    };
    let answer = match (one.verdict, one.score) {
        (Said::Won | Said::FitsToo, Some(score)) => format!("yes ({score:.2}):"),
        (Said::Won | Said::FitsToo, None) => "yes:".to_owned(),
        (Said::Rejected, _) => "no:".to_owned(),
        (Said::Lacks, _) => "not known:".to_owned(),
    };
    let name = format!("{}/{}:", one.cause.name(), one.subtype.name());
    let spans = [
        (Role::Name, name.as_str()),
        (Role::Dim, &one.question),
        (role, &answer),
        (Role::Plain, &one.reason),
    ];
    page.block(2, (role, &labelled(one.verdict.word())), &spans)
}
