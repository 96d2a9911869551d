//! `idle_order`: whoever sends on a connection must let go of it before the other side does.
//!
//! A request that is sent just as the receiver closes the idle connection is lost.

use super::Pair;
use super::words::{change, span, value};
use crate::model::LimitKind;
use crate::model::lint::{Level, LintFinding};
use why502_parsers::Product;

/// The least difference: a round trip, a stall and the coarseness of timers have to fit in.
const LEAST_US: u64 = 1_000_000;
/// A difference that leaves no doubt, or a tenth of the time.
const AMPLE_US: u64 = 5_000_000;

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    look(pair).into_iter().collect()
}

fn look(pair: &Pair<'_>) -> Option<LintFinding> {
    let (sender, receiver) = (pair.sender(), pair.receiver()?);
    if pair.route.pooled == Some(false) {
        return None;
    }
    let (own, theirs) = (
        pair.own(LimitKind::UpstreamIdle)?,
        pair.theirs(LimitKind::ClientIdle)?,
    );
    // A receiver that never closes loses no race, and neither does one that closes after every answer.
    let their_us = theirs.value_us.filter(|us| *us > 0)?;
    let own_us = own.value_us;
    let (level, relation) = judge(pair, own_us, their_us)?;
    let summary = format!(
        "{} keeps idle connections to {} {}, {} closes them after {}: {relation}",
        sender.name,
        receiver.name,
        own_us.map_or_else(|| "without limit".to_owned(), |us| format!("for {}", span(us))),
        receiver.name,
        value(&theirs),
    );
    let why = "a request that is sent just as the connection is closed gets no answer: a 502 now and then, most of them \
               after quiet moments (keep_alive_race)";
    let mut finding = pair.finding(level, "idle_order", summary, why);
    finding.values = pair.values(&[&own], &[&theirs]);
    let shorter_us = their_us.saturating_sub(ample(their_us)).max(their_us / 2);
    let longer = own_us.and_then(|us| change(receiver, LimitKind::ClientIdle, Some(&theirs), us + ample(us)));
    // HAProxy thins its pool out instead of timing each connection.
    let shorter = change(sender, LimitKind::UpstreamIdle, Some(&own), shorter_us)
        .filter(|_| sender.product != Product::Haproxy);
    finding.changes = longer.into_iter().chain(shorter).collect();
    finding.cost = match own_us {
        _ if sender.product == Product::Haproxy => {
            "`http-reuse never` ends it, at the price of a new connection for each request".to_owned()
        }
        Some(us) if level != Level::Note => format!(
            "either is enough, the least for {} is {}; longer times keep more idle connections open, shorter ones make \
             more new connections",
            receiver.name,
            span(us + LEAST_US)
        ),
        _ => String::new(),
    };
    Some(finding)
}

/// How bad it is that the sender keeps connections for `own_us` and the receiver for `their_us`; nothing if it is right.
fn judge(pair: &Pair<'_>, own_us: Option<u64>, their_us: u64) -> Option<(Level, &'static str)> {
    let product = pair.sender().product;
    Some(match own_us {
        Some(0) => return None,
        Some(us) if us + ample(us) <= their_us => return None,
        Some(us) if us + LEAST_US <= their_us => (Level::Note, "a margin that is enough, but thin"),
        Some(us) if us < their_us => (Level::Warning, "less than a second apart"),
        None if product == Product::Haproxy => (
            Level::Note,
            "no fixed time, but half of those that are too many go every 5 s",
        ),
        _ if pair.route.pooled.is_none() && product == Product::Nginx => (
            Level::Warning,
            "the wrong way round, if connections are kept at all, which depends on the release",
        ),
        Some(us) if us == their_us => (Level::Error, "either may be the first to close"),
        _ => (Level::Error, "the wrong way round"),
    })
}

/// The difference that leaves no doubt: five seconds or a tenth, and never less than the least.
fn ample(us: u64) -> u64 {
    AMPLE_US.min(us / 10).max(LEAST_US)
}
