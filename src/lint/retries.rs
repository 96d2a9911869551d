//! `retries`: attempts that together last longer than the server in front waits, or that multiply along the way.

use super::words::{listed, span};
use super::{Pair, hop, patience};
use crate::limits::{Retry, Route};
use crate::model::lint::{Level, LintFinding};
use crate::model::{Limit, LimitKind};
use why502_parsers::Product;

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    if pair.up.is_none() {
        return Vec::new();
    }
    further(pair)
        .into_iter()
        .flat_map(|route| too_long(pair, route).into_iter().chain(product(pair, route)))
        .collect()
}

/// The receiver's routes that requests of this way may take.
fn further<'a>(pair: &'a Pair<'_>) -> Vec<&'a Route> {
    let own = pair.route.path.as_str();
    let up = pair.up.unwrap_or_default();
    let routes = pair.given.limits.routes(hop(up)).filter(|route| route.leads_on());
    let fits = |route: &&Route| {
        own.is_empty() || route.path.is_empty() || own.starts_with(&route.path) || route.path.starts_with(own)
    };
    routes.filter(fits).collect()
}

/// Attempts at most on a route, if a lack of answer is tried again; nginx asks each server of a group once.
fn attempts(product: Product, route: &Route) -> (u32, Option<&Retry>) {
    let servers = u32::try_from(route.upstreams.len()).unwrap_or(1).max(1);
    match &route.retry {
        Some(retry) if !retry.covers_timeouts() && product != Product::Nginx => (1, Some(retry)),
        Some(retry) if product == Product::Nginx => {
            let is_on = retry.policy == "proxy_next_upstream" || retry.covers_timeouts();
            let tries = retry.tries.map_or(servers, |tries| tries.min(servers));
            (if is_on { tries } else { 1 }, Some(retry))
        }
        Some(retry) => (retry.tries.unwrap_or(servers), Some(retry)),
        // Without a word nginx goes on to the next server after an error or a timeout.
        None if product == Product::Nginx => (servers, None),
        None => (1, None),
    }
}

fn too_long(pair: &Pair<'_>, route: &Route) -> Option<LintFinding> {
    let (up, receiver) = (pair.up?, pair.receiver()?);
    let own = pair.patience()?;
    let own_us = own.value_us.filter(|us| *us > 0)?;
    let (tries, retry) = attempts(receiver.product, route);
    // Each attempt has the whole of the shorter timer; a limit on all of them ends the series.
    let read = pair.given.limits.of_route(hop(up), route, LimitKind::Read);
    let each: Limit = read.or_else(|| patience(pair.given, up, route))?;
    let each_us = each.value_us.filter(|us| *us > 0)?;
    let total = pair
        .given
        .limits
        .of_route(hop(up), route, LimitKind::Total)
        .and_then(|limit| limit.value_us);
    let cap_us = retry
        .and_then(|retry| retry.timeout_us)
        .map_or(u64::MAX, |us| us.saturating_add(each_us));
    let all_us = each_us
        .saturating_mul(u64::from(tries))
        .min(cap_us)
        .min(total.unwrap_or(u64::MAX));
    if tries < 2 || each_us >= own_us || all_us <= own_us {
        return None;
    }
    let summary = format!(
        "{} may try {tries} times for {} each, {} together, but {} waits only {}",
        receiver.name,
        span(each_us),
        span(all_us),
        pair.sender().name,
        span(own_us),
    );
    let why = "the later attempts are made for a client that is gone: they add load when there is too much of it already, \
               and save nothing";
    let mut finding = pair.finding(Level::Warning, "retries", summary, why);
    finding.values = vec![listed(pair.sender(), &own), listed(receiver, &each)];
    let advice = match receiver.product {
        Product::Nginx => "set proxy_next_upstream_timeout and proxy_next_upstream_tries",
        Product::Envoy => "set the route's timeout, and per_try_timeout below it divided by the attempts",
        _ => "fewer attempts, or a shorter time for each",
    };
    finding.cost = format!("{advice}, so that all attempts fit into {}", span(own_us));
    Some(finding)
}

/// Both sides try again after a lack of answer: the attempts multiply.
fn product(pair: &Pair<'_>, route: &Route) -> Option<LintFinding> {
    let receiver = pair.receiver()?;
    let (own, theirs) = (
        attempts(pair.sender().product, pair.route).0,
        attempts(receiver.product, route).0,
    );
    // A sender of several servers spreads its attempts over all that it may ask.
    let configured = |product: Product, route: &Route| attempts(product, route).1.is_some();
    if own < 2
        || theirs < 2
        || !(configured(pair.sender().product, pair.route) || configured(receiver.product, route))
    {
        return None;
    }
    let behind = pair
        .before
        .iter()
        .filter(|(down, other, _)| Some(*down) == pair.up && std::ptr::eq(*other, route));
    let last = behind
        .filter_map(|(.., up)| *up)
        .next()
        .map(|up| pair.given.servers[up].name.as_str());
    let summary = format!(
        "{} tries up to {own} times and {} up to {theirs} times each: {} requests reach {} for one that gets no answer",
        pair.sender().name,
        receiver.name,
        own.saturating_mul(theirs),
        last.unwrap_or("the last server"),
    );
    let why = "retries on several levels multiply just when the last server is too slow already";
    let mut finding = pair.finding(Level::Warning, "retries", summary, why);
    finding.cost = "let one level try again, best the one next to the failing server".to_owned();
    Some(finding)
}
