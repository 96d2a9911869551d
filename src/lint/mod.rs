//! Holds the timers of servers that follow each other against one another: no failure is needed, and no log.
//!
//! `chain` finds out which server sends to which; each rule looks at one such pair. A new rule is one file and one line
//! in `RULES`.

mod chain;
mod circle;
mod connect;
mod idle;
mod middlebox;
mod response;
mod retries;
mod shutdown;
mod words;

use crate::limits::{Limits, Route};
use crate::model::finding::Problem;
use crate::model::lint::{LintFinding, LintReport, LintServer};
use crate::model::{HopId, Limit, LimitKind};
use why502_parsers::Product;

/// A server.
#[derive(Debug, Clone)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// Its program.
    pub product: Product,
    /// Its main configuration file; empty if it is known from the user alone.
    pub file: String,
    /// Place in an order given by the user.
    pub rank: Option<usize>,
    /// Names or addresses of those it sends requests to, as the user says.
    pub upstreams: Vec<String>,
}

/// The servers; `HopId(n)` of `limits` is the one at place `n`.
pub struct Given<'a> {
    /// The servers.
    pub servers: &'a [Server],
    /// Their limits, routes and addresses.
    pub limits: &'a Limits,
}

/// One way from a server to the next.
pub(crate) struct Pair<'a> {
    given: &'a Given<'a>,
    /// The server that sends.
    down: usize,
    /// How it sends.
    route: &'a Route,
    /// The server it sends to, if anything is known of it.
    up: Option<usize>,
    /// All pairs, for rules that look further than one.
    before: &'a [(usize, &'a Route, Option<usize>)],
}

/// What looks at a pair.
type Rule = fn(&Pair<'_>) -> Vec<LintFinding>;

/// Every rule.
const RULES: &[Rule] = &[
    circle::check,
    idle::check,
    response::check,
    retries::check,
    connect::check,
    shutdown::check,
    middlebox::check,
];

/// Looks at every pair of servers that follow each other.
pub fn lint(given: &Given<'_>, problems: Vec<Problem>) -> LintReport {
    let links = chain::links(given);
    let bare: Vec<(usize, &Route, Option<usize>)> = links
        .pairs
        .iter()
        .map(|link| (link.down, link.route, link.up))
        .collect();
    let mut findings: Vec<LintFinding> = Vec::new();
    for &(down, route, up) in &bare {
        let pair = Pair {
            given,
            down,
            route,
            up,
            before: &bare,
        };
        for finding in RULES.iter().flat_map(|rule| rule(&pair)) {
            add(&mut findings, finding);
        }
    }
    findings.sort_by(|a, b| {
        let key = |finding: &LintFinding| (finding.level, finding.rule.clone());
        key(a).cmp(&key(b))
    });
    let servers = links.order.iter().map(|&at| server(given, &links, at)).collect();
    LintReport {
        schema: LintReport::SCHEMA.to_owned(),
        servers,
        findings,
        problems,
    }
}

/// Adds a finding, or its place to one that says the same of another place.
fn add(findings: &mut Vec<LintFinding>, finding: LintFinding) {
    let same = |known: &&mut LintFinding| {
        (known.level, &known.rule, &known.downstream, &known.upstream)
            == (
                finding.level,
                &finding.rule,
                &finding.downstream,
                &finding.upstream,
            )
            && known.values == finding.values
            && known.summary == finding.summary
    };
    match findings.iter_mut().find(same) {
        Some(known) => {
            let new: Vec<String> = finding
                .places
                .into_iter()
                .filter(|place| !known.places.contains(place))
                .collect();
            known.places.extend(new);
        }
        None => findings.push(finding),
    }
}

fn server(given: &Given<'_>, links: &chain::Links<'_>, at: usize) -> LintServer {
    let own = &given.servers[at];
    let mut upstreams: Vec<String> = Vec::new();
    for link in links.pairs.iter().filter(|link| link.down == at) {
        let name = link.up.map(|up| given.servers[up].name.clone());
        upstreams.extend(name.filter(|name| !upstreams.contains(name)));
    }
    let hop = hop(at);
    let mut listens = given.limits.addresses(hop).to_vec();
    listens.dedup();
    LintServer {
        name: own.name.clone(),
        product: own.product.name().to_owned(),
        file: own.file.clone(),
        listens,
        upstreams,
        unknown: links.unknown.get(&at).cloned().unwrap_or_default(),
    }
}

fn hop(at: usize) -> HopId {
    HopId(u16::try_from(at).unwrap_or(u16::MAX))
}

impl Pair<'_> {
    fn sender(&self) -> &Server {
        &self.given.servers[self.down]
    }

    fn receiver(&self) -> Option<&Server> {
        Some(&self.given.servers[self.up?])
    }

    /// A timer of the sender on this way.
    fn own(&self, kind: LimitKind) -> Option<Limit> {
        self.given.limits.of_route(hop(self.down), self.route, kind)
    }

    /// A timer of the receiver towards the sender.
    fn theirs(&self, kind: LimitKind) -> Option<Limit> {
        self.given.limits.front(hop(self.up?), kind)
    }

    /// How long the sender waits for an answer: for its beginning, else for all of it.
    fn patience(&self) -> Option<Limit> {
        patience(self.given, self.down, self.route)
    }
}

/// How long a server waits for an answer on a route: the shorter of its two timers.
fn patience(given: &Given<'_>, at: usize, route: &Route) -> Option<Limit> {
    let limit = |kind| given.limits.of_route(hop(at), route, kind);
    let (read, total) = (limit(LimitKind::Read), limit(LimitKind::Total));
    let length = |limit: &Limit| limit.value_us.unwrap_or(u64::MAX);
    match (read, total) {
        (Some(read), Some(total)) if length(&total) < length(&read) => Some(total),
        (read, total) => read.or(total),
    }
}
