//! What proves each cause: one or two requests, hop by hop, with the lines.

use std::io;

use super::answer::role_of;
use super::page::{Page, Role, Table};
use super::words::{duration, grouped};
use super::{Group, View};
use crate::model::finding::{Evidence, Finding, HopRecord, Weight};
use crate::model::{Certainty, JoinedBy};
use crate::report::escape::{terminal, truncate};
use crate::report::summary::ranked;

/// Rows of a logged line that are shown unless `-v` is given.
const ROWS: usize = 2;

/// Columns after which a request's target and ids are cut unless `-v` is given: a URL can be of any length.
const CLIP: usize = 160;

/// Columns of the word before a fact.
pub(super) const LABEL: usize = 11;

pub(super) fn write(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    for entry in view.groups() {
        let shown = if view.verbose {
            entry.findings.clone()
        } else {
            examples(&entry.leading())
        };
        if shown.is_empty() {
            continue;
        }
        heading(page, entry, &shown)?;
        for (at, finding) in shown.into_iter().enumerate() {
            if at > 0 {
                page.blank()?;
            }
            one(page, view, finding)?;
        }
    }
    Ok(())
}

/// The most certain finding, and the least certain one if it is doubtful where the first is not.
fn examples<'a>(group: &[&'a Finding]) -> Vec<&'a Finding> {
    let ranked = ranked(group);
    let Some(&best) = ranked.first() else {
        return ranked;
    };
    let doubtful = |finding: &Finding| finding.certainty < Certainty::Likely;
    let worst = ranked.into_iter().min_by(|a, b| a.score.total_cmp(&b.score));
    let second = worst.filter(|worst| doubtful(worst) && !doubtful(best));
    std::iter::once(best).chain(second).collect()
}

fn heading(page: &mut Page<'_>, entry: &Group<'_>, examples: &[&Finding]) -> io::Result<()> {
    let cause = &entry.count;
    // Of subtypes that are counted as one, that of the example.
    let subtype = examples.first().map_or(cause.subtype, |finding| finding.subtype);
    let shown = examples.len();
    let title = format!(
        "Evidence: {}/{}, {}",
        cause.cause.name(),
        subtype.name(),
        entry.hops()
    );
    page.title(&title)?;
    let hidden = cause.count.saturating_sub(shown as u64);
    if hidden == 0 {
        return Ok(());
    }
    let text = format!(
        "{shown} of {}, -v shows the other {}",
        grouped(cause.count),
        grouped(hidden)
    );
    page.block(2, (Role::Plain, ""), &[(Role::Dim, &text)])
}

fn one(page: &mut Page<'_>, view: &View<'_>, finding: &Finding) -> io::Result<()> {
    request(page, view, finding)?;
    ladder(page, view, finding)?;
    finding
        .evidence
        .iter()
        .try_for_each(|e| evidence(page, view, e))?;
    for rival in &finding.rivals {
        let name = format!("{}/{}:", rival.cause.name(), rival.subtype.name());
        let spans = [
            (Role::Plain, name.as_str()),
            (Role::Plain, &rival.rejected_because),
        ];
        // Where the finding itself is a guess, its rivals are only less likely.
        let word = if finding.certainty < Certainty::Likely {
            "weaker"
        } else {
            "ruled out"
        };
        page.block(4, (Role::Dim, &labelled(word)), &spans)?;
    }
    for missing in &finding.missing {
        page.block(
            4,
            (Role::Warn, &labelled("missing")),
            &[(Role::Plain, missing.as_str())],
        )?;
    }
    Ok(())
}

fn request(page: &mut Page<'_>, view: &View<'_>, finding: &Finding) -> io::Result<()> {
    let request = &finding.request;
    let target = clip(view, &format!("{}{}", request.host, request.path));
    let client = match request.client.as_str() {
        "" => String::new(),
        client => format!("from {client}"),
    };
    let status = match finding.status {
        0 => "closed without an answer".to_owned(),
        status => format!("answered {status}"),
    };
    let time = view.clock.milli(finding.time);
    let spans = [
        (Role::Title, request.method.as_str()),
        (Role::Title, target.as_str()),
        (Role::Plain, client.as_str()),
        (Role::Bad, status.as_str()),
    ];
    page.block(2, (Role::Plain, &format!("{time}  ")), &spans)?;
    let sure = format!("{} ({:.2}),", finding.certainty.name(), finding.score);
    let ids = match request.ids.as_slice() {
        [] => format!("finding {}", finding.id),
        ids => format!(
            "finding {}, request id {}",
            finding.id,
            clip(view, &ids.join(", "))
        ),
    };
    let spans = [
        (role_of(finding.certainty), sure.as_str()),
        (Role::Dim, ids.as_str()),
    ];
    page.block(4, (Role::Plain, &labelled("certainty")), &spans)?;
    if let Some(other) = finding.contributing {
        let text = format!("{}: {}", other.cause.name(), other.subtype.plain());
        page.block(4, (Role::Warn, &labelled("also")), &[(Role::Plain, &text)])?;
    }
    Ok(())
}

/// The hops, outermost first, with the upstream that has no record.
fn ladder(page: &mut Page<'_>, view: &View<'_>, finding: &Finding) -> io::Result<()> {
    let mut table = Table::new(&["hop", "start", "took", "status", "joined", "at"], &[2]);
    for hop in &finding.hops {
        table.push(rung(view, finding, hop));
    }
    if let Some((name, said)) = silent_upstream(finding) {
        let mut row = vec![(Role::Title, name)];
        row.extend(["-", "-", "-", said].map(|cell| (Role::Dim, cell.to_owned())));
        table.push(row);
    }
    page.table(4, &table)
}

fn rung(view: &View<'_>, finding: &Finding, hop: &HopRecord) -> Vec<(Role, String)> {
    let dash = || "-".to_owned();
    let issued = hop.hop == finding.issuer.hop && hop.product == finding.issuer.product;
    let status = match (hop.status, issued) {
        (Some(status), true) => (Role::Bad, format!("{status} made here")),
        (None, true) => (Role::Bad, "made here".to_owned()),
        (Some(status), false) => (Role::Plain, status.to_string()),
        (None, false) => (Role::Plain, dash()),
    };
    let name = if hop.product.is_empty() || hop.product == hop.hop {
        hop.hop.clone()
    } else {
        format!("{} ({})", hop.hop, hop.product)
    };
    vec![
        (Role::Title, name),
        (
            Role::Plain,
            hop.start.map_or_else(dash, |time| view.clock.milli(time)),
        ),
        (Role::Plain, hop.duration_ms.map_or_else(dash, duration)),
        status,
        (Role::Plain, joined_by(hop.joined_by, hop.ambiguous)),
        (Role::Dim, place(&hop.file, hop.line)),
    ]
}

/// How a hop was joined to the one before it.
pub(super) fn joined_by(by: JoinedBy, ambiguous: bool) -> String {
    let by = match by {
        JoinedBy::Origin => "-",
        JoinedBy::Id => "by id",
        JoinedBy::Address => "by address",
        JoinedBy::Time => "by time",
    };
    let doubt = if ambiguous { ", ambiguous" } else { "" };
    format!("{by}{doubt}")
}

/// The issuer's upstream, if it left no record: its name, and what that means.
pub(super) fn silent_upstream(finding: &Finding) -> Option<(String, &'static str)> {
    let issuer = &finding.issuer;
    match &issuer.upstream_hop {
        Some(name) if finding.hops.iter().all(|hop| hop.hop != *name) => Some((name.clone(), "no record")),
        None if !issuer.upstream.is_empty() => Some((issuer.upstream.clone(), "no logs given")),
        _ => None,
    }
}

/// The word for a weight.
pub(super) const fn weight(weight: Weight) -> (Role, &'static str) {
    match weight {
        Weight::Proof => (Role::Good, "proof"),
        Weight::Strong => (Role::Good, "strong"),
        Weight::Weak => (Role::Plain, "weak"),
        Weight::Counter => (Role::Warn, "against"),
        Weight::Context => (Role::Dim, "context"),
    }
}

fn evidence(page: &mut Page<'_>, view: &View<'_>, evidence: &Evidence) -> io::Result<()> {
    let (role, word) = weight(evidence.weight);
    page.block(4, (role, &labelled(word)), &[(Role::Plain, &evidence.fact)])?;
    if evidence.file.is_empty() {
        return Ok(());
    }
    let place = place(&evidence.file, evidence.line);
    page.block(4 + LABEL, (Role::Plain, ""), &[(Role::Dim, &place)])?;
    if evidence.text.is_empty() {
        return Ok(());
    }
    let rows = if view.verbose { usize::MAX } else { ROWS };
    page.verbatim(6 + LABEL, Role::Plain, &evidence.text, rows)
}

/// `text`, cut to [`CLIP`] columns unless all is to be shown.
fn clip(view: &View<'_>, text: &str) -> String {
    let limit = if view.verbose { 0 } else { CLIP };
    truncate(&terminal(text), limit).into_owned()
}

/// `edge/error.log:812`.
pub(super) fn place(file: &str, line: u64) -> String {
    match line {
        0 => file.to_owned(),
        line => format!("{file}:{line}"),
    }
}

pub(super) fn labelled(word: &str) -> String {
    format!("{word:<LABEL$}")
}
