//! `loop`: servers that send requests round in a circle.
//!
//! A way is followed as long as one path can take all of it: `/api` sent there and `/web` sent back are no circle. Who
//! goes before whom is not known in one, so that rules which compare the two sides' patience pass it over.

use std::collections::BTreeSet;

use super::Pair;
use super::chain;
use crate::limits::Route;
use crate::model::lint::{Level, LintFinding};

/// One step of a way: the server that sends, how, and the server it sends to.
type Step<'a> = (usize, &'a Route, usize);

pub(super) fn check(pair: &Pair<'_>) -> Vec<LintFinding> {
    look(pair).into_iter().collect()
}

fn look(pair: &Pair<'_>) -> Option<LintFinding> {
    let circle = pair.circle()?;
    // Told once, at the first of its servers.
    if circle.iter().any(|(down, ..)| *down < pair.down) {
        return None;
    }
    let name = |at: usize| pair.given.servers[at].name.as_str();
    let step = |&(down, route, up): &Step<'_>| {
        let reaches = |address: &str| chain::target(pair.given, down, address) == Some(up);
        let mut addresses = route.upstreams.iter().map(|(_, address)| address.as_str());
        let address = addresses.find(|address| reaches(address));
        let address = address.map_or_else(String::new, |address| format!("{address}, "));
        format!("{} to {} ({address}{})", name(down), name(up), path(route))
    };
    let steps: Vec<String> = circle.iter().map(step).collect();
    let is_only_way = |(_, route, _): &Step<'_>| route.hosts.is_empty() && route.upstreams.len() == 1;
    let (level, verb) = if circle.iter().all(is_only_way) {
        (Level::Error, "go round in a circle")
    } else {
        (Level::Warning, "can go round in a circle")
    };
    let summary = format!("requests {verb}: {}", steps.join(", "));
    let why = "each round takes a connection on every server, until one has none left or a timer ends: the client gets a \
               502 or a 504 of a request that no server ever answered";
    let mut finding = pair.finding(level, "loop", summary, why);
    finding.cost = "name the server that is to answer as the upstream of one of them".to_owned();
    Some(finding)
}

/// The path of a route, in words.
fn path(route: &Route) -> String {
    match route.path.as_str() {
        "" => "all paths".to_owned(),
        path => format!("path {path}"),
    }
}

/// Whether a request can take both routes.
fn go_together(a: &Route, b: &Route) -> bool {
    let (one, other) = (a.path.as_str(), b.path.as_str());
    let paths = one.starts_with(other) || other.starts_with(one);
    let hosts = a.hosts.is_empty() || b.hosts.is_empty() || a.hosts.iter().any(|host| b.hosts.contains(host));
    paths && hosts
}

impl<'a> Pair<'a> {
    /// The shortest way on from this pair that comes back to its sender, this pair first; nothing if there is none.
    pub(super) fn circle(&self) -> Option<Vec<Step<'a>>> {
        let mut ways = vec![vec![(self.down, self.route, self.up?)]];
        let mut reached: BTreeSet<usize> = BTreeSet::new();
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                let &(.., last) = way.last()?;
                if last == self.down {
                    return Some(way);
                }
                if !reached.insert(last) {
                    continue;
                }
                let onward = self.before.iter().filter(|(down, ..)| *down == last);
                let fits = |route: &Route| way.iter().all(|(_, known, _)| go_together(known, route));
                let onward = onward.filter_map(|&(down, route, up)| Some((down, route, up?)));
                for step in onward.filter(|(_, route, _)| fits(route)) {
                    longer.push(way.iter().copied().chain([step]).collect());
                }
            }
            ways = longer;
        }
        None
    }
}
