//! `drain`: a server that is stopped, recycled or taken out ends requests that the one in front still waits for.

use super::Pair;
use super::words::{change, span, value};
use crate::model::LimitKind;
use crate::model::lint::{Level, LintFinding};

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    look(pair).into_iter().collect()
}

fn look(pair: &Pair<'_>) -> Option<LintFinding> {
    let receiver = pair.receiver()?;
    let own = pair.patience()?;
    let drain = pair.theirs(LimitKind::Drain)?;
    let drain_us = drain.value_us?;
    if own.value_us.is_some_and(|us| us <= drain_us) {
        return None;
    }
    let summary = format!(
        "{} ends requests {} after it is told to stop, while {} waits {} for them",
        receiver.name,
        span(drain_us),
        pair.sender().name,
        value(&own),
    );
    let why =
        "every restart, recycle or deployment cuts the requests that are slower than that (backend_restart)";
    let mut finding = pair.finding(Level::Note, "drain", summary, why);
    finding.values = pair.values(&[&own], &[&drain]);
    finding.changes = own
        .value_us
        .and_then(|us| change(receiver, LimitKind::Drain, Some(&drain), us))
        .into_iter()
        .collect();
    finding.cost = "a stop then takes as long as the slowest request".to_owned();
    Some(finding)
}
