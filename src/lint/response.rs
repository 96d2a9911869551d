//! `response_order`: the nearer a server is to the client, the longer it has to wait for an answer; and `worker_kill`:
//! a limit on workers that ends requests before the server in front gives up.

use super::words::{change, listed, place, span, value};
use super::{Pair, hop, patience};
use crate::limits::Route;
use crate::model::lint::{Level, LintFinding};
use crate::model::{Limit, LimitKind};

/// The least difference: the error has to be made and sent.
const LEAST_US: u64 = 1_000_000;

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    order(pair).into_iter().chain(killed(pair)).collect()
}

/// The receiver's own routes that requests of this way may take, with how long it waits on each.
fn further<'a>(pair: &'a Pair<'_>) -> Vec<(&'a Route, Limit)> {
    let Some(up) = pair.up else { return Vec::new() };
    let routes = pair.given.limits.routes(hop(up)).filter(|route| route.leads_on());
    let own = pair.route.path.as_str();
    let fits = |route: &&Route| {
        let other = route.path.as_str();
        own.is_empty() || other.is_empty() || own.starts_with(other) || other.starts_with(own)
    };
    routes
        .filter(fits)
        .filter_map(|route| Some((route, patience(pair.given, up, route)?)))
        .collect()
}

fn order(pair: &Pair<'_>) -> Option<LintFinding> {
    let receiver = pair.receiver()?;
    if pair.circle().is_some() {
        return None; // Each would have to wait longer than the other.
    }
    let own = pair.patience()?;
    let own_us = own.value_us.filter(|us| *us > 0)?;
    let further = further(pair);
    let is_late = |limit: &Limit| limit.value_us.is_none_or(|us| us + LEAST_US > own_us);
    let late: Vec<&(&Route, Limit)> = further.iter().filter(|(_, limit)| is_late(limit)).collect();
    // Without a limit the receiver never gives up first; the longest of several speaks for them.
    let (worst, theirs) = late
        .iter()
        .max_by_key(|(_, limit)| limit.value_us.unwrap_or(u64::MAX))?;
    let sender = pair.sender();
    let level = match theirs.value_us {
        None => Level::Note,
        Some(_) if late.len() < further.len() => Level::Note,
        Some(_) => Level::Warning,
    };
    let relation = match theirs.value_us {
        Some(us) if us < own_us => "less than a second longer than",
        Some(us) if us == own_us => "no longer than",
        _ => "less than",
    };
    let where_to = place(worst).filter(|_| late.len() < further.len());
    let where_to = where_to.map_or_else(String::new, |place| format!(" (for {place})"));
    let summary = format!(
        "{} waits {} for an answer, {relation} {}, which waits {} for its own upstream{where_to}",
        sender.name,
        span(own_us),
        receiver.name,
        value(theirs),
    );
    let why = "the server in front gives up first: the client gets its error and not the one of the server that knows \
               why, and the work behind goes on for nobody (proxy_timeout)";
    let mut finding = pair.finding(level, "response_order", summary, why);
    finding.values = pair.values(&[&own], &[theirs]);
    if let Some(us) = theirs.value_us {
        let own_kind = change(sender, own.kind, Some(&own), us + 5 * LEAST_US);
        let shorter = own_us.checked_sub(LEAST_US).filter(|us| *us > 0);
        let other = shorter.and_then(|us| change(receiver, theirs.kind, Some(theirs), us));
        finding.changes = own_kind.into_iter().chain(other).collect();
        finding.cost =
            "waiting longer holds connections and, when requests queue, makes the queue longer; it helps \
                        only where the answer does come"
                .to_owned();
    } else {
        let shorter = own_us.checked_sub(LEAST_US).filter(|us| *us > 0);
        finding.changes = shorter
            .and_then(|us| change(receiver, LimitKind::Read, Some(theirs), us))
            .into_iter()
            .collect();
    }
    Some(finding)
}

/// A worker that is killed while the server in front still waits.
fn killed(pair: &Pair<'_>) -> Option<LintFinding> {
    let receiver = pair.receiver()?;
    let own = pair.patience()?;
    let kill = pair.theirs(LimitKind::WorkerKill)?;
    let kill_us = kill.value_us.filter(|us| *us > 0)?;
    if own.value_us.is_some_and(|us| us < kill_us) {
        return None;
    }
    let summary = format!(
        "{} kills a worker that is busy for {}, while {} waits {}",
        receiver.name,
        span(kill_us),
        pair.sender().name,
        value(&own),
    );
    let why = "a slow request does not end in a 504 that names it, but in a closed connection: a 502, and with threads \
               the other requests of that worker end too (worker_crash)";
    let mut finding = pair.finding(Level::Warning, "worker_kill", summary, why);
    finding.values = vec![listed(pair.sender(), &own), listed(receiver, &kill)];
    let longer = own
        .value_us
        .and_then(|us| change(receiver, LimitKind::WorkerKill, Some(&kill), us + LEAST_US));
    let shorter = kill_us.checked_sub(LEAST_US).filter(|us| *us > 0);
    let shorter = shorter.and_then(|us| change(pair.sender(), own.kind, Some(&own), us));
    finding.changes = longer.into_iter().chain(shorter).collect();
    finding.cost = "a longer limit lets a worker that hangs hang longer".to_owned();
    Some(finding)
}
