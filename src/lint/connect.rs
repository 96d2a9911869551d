//! `connect`: waiting too long for a connection; and `missing`: a timer that is switched off by default and was not set.

use super::Pair;
use super::words::{change, span};
use crate::model::lint::{Level, LintFinding};
use crate::model::{Limit, LimitKind};
use why502_parsers::Product;

/// A connection within a data centre takes milliseconds; two lost first packets cost 3 s.
const LONG_US: u64 = 10_000_000;
/// What is proposed instead: room for two lost packets.
const PROPOSED_US: u64 = 4_000_000;

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    slow(pair).into_iter().chain(missing(pair)).collect()
}

fn slow(pair: &Pair<'_>) -> Option<LintFinding> {
    let own = pair.own(LimitKind::Connect)?;
    let own_us = own.value_us.filter(|us| *us > LONG_US)?;
    let sender = pair.sender();
    let others = pair.route.upstreams.len() > 1;
    let patience = pair
        .before
        .iter()
        .find(|(.., up)| *up == Some(pair.down) && pair.circle().is_none())
        .and_then(|(down, route, _)| {
            let limit = super::patience(pair.given, *down, route)?;
            Some((pair.given.servers[*down].name.as_str(), limit.value_us?))
        });
    let outlasts = patience.filter(|(_, us)| *us <= own_us);
    let (level, what) = match (outlasts, others) {
        (Some((name, us)), _) => (
            Level::Warning,
            format!(
                "{} {name} waits for the whole answer ({})",
                if us < own_us { "longer than" } else { "as long as" },
                span(us)
            ),
        ),
        (None, true) => (Level::Warning, "before it tries another server".to_owned()),
        (None, false) if own.origin.is_configured() => {
            (Level::Warning, "which a healthy one never needs".to_owned())
        }
        (None, false) => (Level::Note, "which a healthy one never needs".to_owned()),
    };
    let summary = format!(
        "{} waits up to {} for a connection, {what}",
        sender.name,
        span(own_us)
    );
    let why = "a server that is down or cut off by a filter holds every request for that long; a short connect timeout \
               fails fast, and lets another server be tried";
    let mut finding = pair.finding(level, "connect", summary, why);
    finding.values = pair.values(&[&own], &[]);
    finding.changes = change(sender, LimitKind::Connect, Some(&own), PROPOSED_US)
        .into_iter()
        .collect();
    Some(finding)
}

/// HAProxy waits for ever where nobody says how long; its own start-up warns of it.
fn missing(pair: &Pair<'_>) -> Vec<LintFinding> {
    if pair.sender().product != Product::Haproxy {
        return Vec::new();
    }
    let kinds = [(LimitKind::Connect, PROPOSED_US), (LimitKind::Read, 60_000_000)];
    let unset = kinds.into_iter().filter_map(|(kind, us)| {
        let limit = pair.own(kind)?;
        (limit.value_us.is_none() && !limit.origin.is_configured()).then_some((limit, us))
    });
    unset.map(|(limit, us)| unlimited(pair, &limit, us)).collect()
}

fn unlimited(pair: &Pair<'_>, limit: &Limit, us: u64) -> LintFinding {
    let summary = format!(
        "{} has no {}: it waits without limit",
        pair.sender().name,
        limit.setting
    );
    let why = "a server that never answers holds its connections for ever, until there are none left for the others";
    let mut finding = pair.finding(Level::Warning, "missing", summary, why);
    finding.values = pair.values(&[limit], &[]);
    finding.changes = change(pair.sender(), limit.kind, Some(limit), us)
        .into_iter()
        .collect();
    finding
}
