//! `middlebox`: a connection that stands idle for longer than a stateful device between the two remembers it is lost
//! without a word, and the next request on it waits in vain.
//!
//! How long they remember, by their makers' documentation: Azure Load Balancer and its outbound NAT 4 min (TCP idle
//! timeout, adjustable), AWS Network Load Balancer and NAT gateway 350 s, the connection tracking of Google's VPC
//! firewall 10 min. Whether one stands there no configuration of a server says, so this is a note.

use super::Pair;
use super::words::{change, span};
use crate::model::LimitKind;
use crate::model::lint::{Level, LintFinding};

/// Devices and how long they remember an idle connection, the shortest first.
const DEVICES: [(&str, u64); 3] = [
    ("Azure Load Balancer", 240_000_000),
    ("AWS Network Load Balancer and NAT gateway", 350_000_000),
    ("Google VPC firewall", 600_000_000),
];

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    look(pair).into_iter().collect()
}

fn look(pair: &Pair<'_>) -> Option<LintFinding> {
    let sender = pair.sender();
    if pair.route.pooled == Some(false) || pair.route.upstreams.iter().all(|(_, address)| is_here(address)) {
        return None;
    }
    let own = pair.own(LimitKind::UpstreamIdle)?;
    let theirs = pair.theirs(LimitKind::ClientIdle);
    let their_us = theirs.as_ref().and_then(|limit| limit.value_us);
    // The side that closes first says how long a connection may stand idle.
    let idle_us = own.value_us?.min(their_us.unwrap_or(u64::MAX));
    let forgetful: Vec<String> = DEVICES
        .iter()
        .filter(|(_, us)| *us < idle_us)
        .map(|(name, us)| format!("{name} {}", span(*us)))
        .collect();
    if forgetful.is_empty() {
        return None;
    }
    let summary = format!(
        "connections from {} may stand idle for {}; a device between that forgets them sooner loses them silently: {}",
        sender.name,
        span(idle_us),
        forgetful.join(", "),
    );
    let why = "the next request on such a connection is sent into a void until a timer runs out (silent_middlebox_drop)";
    let mut finding = pair.finding(Level::Note, "middlebox", summary, why);
    let theirs: Vec<_> = theirs.iter().collect();
    finding.values = pair.values(&[&own], &theirs);
    let shortest = DEVICES[0].1 - 30_000_000;
    finding.changes = change(sender, LimitKind::UpstreamIdle, Some(&own), shortest)
        .into_iter()
        .collect();
    finding.cost = "TCP keep-alive probes more often than the device forgets are as good".to_owned();
    Some(finding)
}

/// Whether an address is this machine's, with nothing between.
fn is_here(address: &str) -> bool {
    let bare = address.trim_start_matches('[');
    bare.starts_with("127.")
        || bare.starts_with("::1")
        || bare.starts_with("localhost")
        || bare.starts_with("unix:")
}
