//! What proves each cause: one or two requests, hop by hop, with the lines.

use std::io;

use super::View;
use super::answer::role_of;
use super::page::{Page, Role, Table};
use super::words::{duration, grouped};
use crate::model::JoinedBy;
use crate::model::finding::{CauseCount, Evidence, Finding, HopRecord, Weight};
use crate::report::summary::ranked;

/// Rows of a logged line that are shown unless `-v` is given.
const ROWS: usize = 2;

/// Columns of the word before a fact.
const LABEL: usize = 11;

pub(super) fn write(page: &mut Page<'_>, view: &View<'_>) -> io::Result<()> {
    for cause in view.causes() {
        let group = view.findings(cause);
        let shown = if view.verbose {
            group.to_vec()
        } else {
            examples(group)
        };
        if shown.is_empty() {
            continue;
        }
        heading(page, view, cause, shown.len())?;
        for (at, finding) in shown.into_iter().enumerate() {
            if at > 0 {
                page.blank()?;
            }
            one(page, view, finding)?;
        }
    }
    Ok(())
}

/// The most certain finding, and the least certain one if it is less certain.
fn examples<'a>(group: &[&'a Finding]) -> Vec<&'a Finding> {
    let ranked = ranked(group);
    let best = ranked.first().copied();
    let worst = ranked
        .iter()
        .copied()
        .min_by(|a, b| a.score.total_cmp(&b.score))
        .filter(|worst| best.is_some_and(|best| worst.certainty < best.certainty));
    best.into_iter().chain(worst).collect()
}

fn heading(page: &mut Page<'_>, view: &View<'_>, cause: &CauseCount, shown: usize) -> io::Result<()> {
    let title = format!(
        "Evidence: {}/{}, {}",
        cause.cause.name(),
        cause.subtype.name(),
        view.pair(cause)
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
        page.block(4, (Role::Dim, &labelled("ruled out")), &spans)?;
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
    let target = format!("{}{}", request.host, request.path);
    let client = match request.client.as_str() {
        "" => String::new(),
        client => format!("from {client}"),
    };
    let status = match finding.status {
        0 => "closed without an answer,".to_owned(),
        status => format!("answered {status},"),
    };
    let sure = format!("{} ({:.2})", finding.certainty.name(), finding.score);
    let time = view.clock.milli(finding.time);
    let spans = [
        (Role::Title, request.method.as_str()),
        (Role::Title, target.as_str()),
        (Role::Plain, client.as_str()),
        (Role::Plain, status.as_str()),
        (role_of(finding.certainty), sure.as_str()),
    ];
    page.block(2, (Role::Plain, &format!("{time}  ")), &spans)?;
    if let Some(other) = finding.contributing {
        let text = format!("{}/{}", other.cause.name(), other.subtype.name());
        page.block(4, (Role::Warn, &labelled("with")), &[(Role::Plain, &text)])?;
    }
    let ids = match request.ids.as_slice() {
        [] => finding.id.clone(),
        ids => format!("{} (request id {})", finding.id, ids.join(", ")),
    };
    page.block(4, (Role::Dim, &labelled("finding")), &[(Role::Dim, &ids)])
}

/// The hops, outermost first, with the upstream that has no record.
fn ladder(page: &mut Page<'_>, view: &View<'_>, finding: &Finding) -> io::Result<()> {
    let head = ["hop", "start", "took", "status", "joined", "line"];
    let mut table = Table::default();
    table.push(head.map(|cell| (Role::Dim, cell.to_owned())).into());
    for hop in &finding.hops {
        table.push(rung(view, finding, hop));
    }
    if let Some((name, said)) = silent_upstream(finding) {
        let mut row = vec![(Role::Title, name)];
        row.extend(["-", "-", "-", "-", said].map(|cell| (Role::Dim, cell.to_owned())));
        table.push(row);
    }
    page.table(4, &table)
}

fn rung(view: &View<'_>, finding: &Finding, hop: &HopRecord) -> Vec<(Role, String)> {
    let dash = || "-".to_owned();
    let issued = hop.hop == finding.issuer.hop && hop.product == finding.issuer.product;
    let status = match (hop.status, issued) {
        (Some(status), true) => (Role::Bad, format!("{status} *")),
        (None, true) => (Role::Bad, "- *".to_owned()),
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
        (Role::Plain, joined(hop)),
        (Role::Dim, format!("{}:{}", hop.file, hop.line)),
    ]
}

fn joined(hop: &HopRecord) -> String {
    let by = match hop.joined_by {
        JoinedBy::Origin => "-",
        JoinedBy::Id => "by id",
        JoinedBy::Address => "by address",
        JoinedBy::Time => "by time",
    };
    let doubt = if hop.ambiguous { ", ambiguous" } else { "" };
    format!("{by}{doubt}")
}

/// The issuer's upstream, if it left no record: its name, and what that means.
fn silent_upstream(finding: &Finding) -> Option<(String, &'static str)> {
    let issuer = &finding.issuer;
    match &issuer.upstream_hop {
        Some(name) if finding.hops.iter().all(|hop| hop.hop != *name) => {
            Some((name.clone(), "no record of this request"))
        }
        None if !issuer.upstream.is_empty() => Some((issuer.upstream.clone(), "no logs given")),
        _ => None,
    }
}

fn evidence(page: &mut Page<'_>, view: &View<'_>, evidence: &Evidence) -> io::Result<()> {
    let (role, word) = match evidence.weight {
        Weight::Proof => (Role::Good, "proof"),
        Weight::Strong => (Role::Good, "strong"),
        Weight::Weak => (Role::Plain, "weak"),
        Weight::Counter => (Role::Warn, "against"),
        Weight::Context => (Role::Dim, "context"),
    };
    page.block(4, (role, &labelled(word)), &[(Role::Plain, &evidence.fact)])?;
    if evidence.file.is_empty() {
        return Ok(());
    }
    let place = format!("{}:{}", evidence.file, evidence.line);
    page.block(4 + LABEL, (Role::Plain, ""), &[(Role::Dim, &place)])?;
    if evidence.text.is_empty() {
        return Ok(());
    }
    let rows = if view.verbose { usize::MAX } else { ROWS };
    page.verbatim(6 + LABEL, Role::Plain, &evidence.text, rows)
}

fn labelled(word: &str) -> String {
    format!("{word:<LABEL$}")
}
