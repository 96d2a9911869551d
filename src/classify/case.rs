//! A `Case`: everything the rules ask about one failed exchange, in one place.

use std::cell::OnceCell;

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::exchange::Exchange;
use super::issuer::How;
use super::learn::{self, Value};
use super::rules::Verdict;
use super::survey::Survey;
use super::wait::{self, Wait};
use super::weigh::{self, Balance};
use super::words::span;
use crate::limits::Scope;
use crate::model::finding::Evidence;
use crate::model::{HopId, JoinedBy, Limit, LimitKind, Link, Origin, Record, Trace, Weight};

/// One failed exchange with its surroundings.
pub(crate) struct Case<'s, 'a> {
    /// The run.
    pub(crate) survey: &'s Survey<'a>,
    /// The request.
    pub(crate) trace: &'a Trace,
    /// The exchange that failed; for a status that was passed on, the one that carried it.
    pub(crate) x: &'s Exchange<'a>,
    /// How the hop came by the status.
    pub(crate) how: How,
    /// The link of the failing hop.
    pub(crate) link: &'a Link,
    /// The deepest link below it that was joined: what the application did meanwhile.
    pub(crate) beyond: Option<&'a Link>,
    /// The hop behind the upstream address, joined or not.
    pub(crate) upstream_hop: Option<HopId>,
    balance: OnceCell<Balance>,
    wait: OnceCell<Wait<'a>>,
}

/// What is known of whether the connection had been used before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// It had; the reason.
    Proven(String),
    /// It had not; the reason.
    Fresh(String),
    /// This hop keeps no connections; the reason.
    Impossible(String),
    /// Nothing says.
    Unknown,
}

impl<'s, 'a> Case<'s, 'a> {
    /// The case of `x`.
    pub(crate) fn new(survey: &'s Survey<'a>, x: &'s Exchange<'a>, how: How) -> Option<Self> {
        let trace = survey.trace(x.trace)?;
        let link = trace.links.get(x.link)?;
        let child = child_of(trace, x.link, x);
        let beyond = child.and_then(|n| trace.links.get(deepest(trace, n)));
        let upstream_hop = child
            .and_then(|n| trace.links.get(n))
            .map(|l| l.hop)
            .filter(|hop| survey.leads_to(x, *hop))
            .or_else(|| survey.hop_behind(x));
        Some(Self {
            survey,
            trace,
            x,
            how,
            link,
            beyond,
            upstream_hop,
            balance: OnceCell::new(),
            wait: OnceCell::new(),
        })
    }

    /// Whether the failing hop sends requests on to another whose log is here.
    pub(crate) fn sends_on(&self) -> bool {
        let own = self.survey.world.hops.get(self.x.hop.0 as usize);
        own.is_some_and(|hop| !hop.upstreams.is_empty())
    }

    /// Race against crash, weighed once for all rules that ask.
    pub(crate) fn balance(&self) -> &Balance {
        self.balance.get_or_init(|| weigh::balance(self))
    }

    /// Why no answer came in time, worked out once for all rules that ask.
    pub(crate) fn wait(&self) -> Wait<'a> {
        *self.wait.get_or_init(|| wait::wait(self))
    }

    /// The verdict of a rule that needs to know what went wrong where nothing says it.
    pub(crate) fn unnamed(&self, near: u8) -> Verdict {
        Verdict::lacks(
            near,
            format!("what {} saw go wrong: no line of its log names it", self.name()),
        )
    }

    /// What the request is known by, for looking up limits.
    pub(crate) fn scope(&self) -> Scope<'_> {
        let text = |f: fn(&Record) -> &str| self.x.record().map_or("", f);
        Scope {
            host: text(|r| &r.host),
            path: text(|r| r.bare_path()),
            upstream: self.x.upstream,
            group: text(|r| &r.group),
        }
    }

    /// A limit of the failing hop.
    pub(crate) fn limit(&self, kind: LimitKind) -> Option<Limit> {
        self.survey.world.limits.get(self.x.hop, kind, &self.scope())
    }

    /// A limit of the hop behind the upstream address.
    pub(crate) fn upstream_limit(&self, kind: LimitKind) -> Option<Limit> {
        let Some(hop) = self.upstream_hop else {
            return self.survey.world.limits.behind(self.x.upstream, kind);
        };
        let scope = self.scope();
        let there = Scope {
            upstream: "",
            group: "",
            ..scope
        };
        self.survey.world.limits.get(hop, kind, &there)
    }

    /// How long the upstream keeps an idle connection (`K_u`): configured, else learnt, else its default.
    pub(crate) fn upstream_idle(&self) -> Option<Limit> {
        let known = self.upstream_limit(LimitKind::ClientIdle);
        if known.as_ref().is_some_and(|l| l.origin.is_configured()) {
            return known;
        }
        let learnt = self.learnt(&self.survey.learnt.idle);
        learnt.map(|v| learnt_limit(LimitKind::ClientIdle, v)).or(known)
    }

    /// How long the failing hop keeps an idle connection to its upstream (`K_d`).
    pub(crate) fn own_idle(&self) -> Option<Limit> {
        self.limit(LimitKind::UpstreamIdle)
    }

    /// Whether this hop keeps connections to the upstream for reuse; `None` if that is not known.
    pub(crate) fn pools(&self) -> Option<bool> {
        self.survey.world.limits.pooled(self.x.hop, &self.scope())
    }

    /// A value learnt for this hop and upstream.
    pub(crate) fn learnt(
        &self,
        values: &std::collections::BTreeMap<super::survey::Target, Value>,
    ) -> Option<Value> {
        values.get(&learn::target(self.x)).copied()
    }

    /// The timer of the failing hop that the exchange ran into: configured, else learnt, else default.
    pub(crate) fn timer(&self, kind: LimitKind) -> Option<Limit> {
        let known = self.limit(kind);
        if known.as_ref().is_some_and(|l| l.origin.is_configured()) {
            return known;
        }
        let learnt = self
            .learnt(&self.survey.learnt.timeouts)
            .filter(|v| self.x.lasted_us.is_some_and(|d| hits(d, v.us)));
        let same = |v: &Value| known.as_ref().and_then(|l| l.value_us) == Some(v.us);
        match learnt {
            Some(v) if !same(&v) => Some(learnt_limit(kind, v)),
            _ => known,
        }
    }

    /// Whether the exchange's connection had been used before.
    pub(crate) fn reuse(&self) -> Reuse {
        use super::exchange::Twin;
        let x = self.x;
        let record = x.outcome;
        if x.signal().is_some_and(|s| s.fault == Fault::IdleClosed) {
            return Reuse::Proven(
                "the proxy itself says that the upstream closed the idle connection".to_owned(),
            );
        }
        // HTTP/2: the upstream ends one stream and says so on the connection, which goes on.
        let ended_the_stream = |r: &Record| r.error.contains("remote_reset") || &*r.termination == "UR";
        if x.product == Product::Envoy && x.record().is_some_and(ended_the_stream) {
            return Reuse::Fresh("the upstream reset the stream, on a connection that stood".to_owned());
        }
        // A proxy's error line may say it where the access line has no word of it.
        let said = x.record().and_then(|r| r.reused);
        match said.or_else(|| record.and_then(|r| r.reused)) {
            Some(true) => {
                return Reuse::Proven("the log says that the connection had been used before".to_owned());
            }
            Some(false) => return Reuse::Fresh("the log says that the connection was new".to_owned()),
            None => {}
        }
        if x.product == Product::Nginx && x.twin == Twin::First {
            return Reuse::Proven(format!(
                "nginx tried {} a second time, which it does only after a pooled connection failed",
                x.upstream
            ));
        }
        if let Some(us) = x
            .connect_us()
            .filter(|&us| us > 0 && x.number.is_none_or(|_| x.attempt.is_some()))
        {
            return Reuse::Fresh(format!("connecting took {}, so the connection was new", span(us)));
        }
        if self.pools() == Some(false) {
            return Reuse::Impossible(format!("{} keeps no connections to this upstream", self.name()));
        }
        if self.would_have_retried() {
            return Reuse::Fresh(format!(
                "a {} that fails on a pooled connection is tried again, and this one was not",
                self.method()
            ));
        }
        Reuse::Unknown
    }

    /// nginx, Caddy and other Go programs repeat a replayable request whose pooled connection was dead.
    fn would_have_retried(&self) -> bool {
        use super::exchange::Twin;
        let single = match self.x.product {
            Product::Nginx => self.x.number == Some(0) && self.x.last && self.x.twin == Twin::None,
            Product::Caddy => true,
            _ => false,
        };
        single && self.idempotent() == Some(true)
    }

    /// Whether the method may be repeated without harm; `None` if it is not logged.
    pub(crate) fn idempotent(&self) -> Option<bool> {
        repeatable(self.method())
    }

    /// The method, from whichever record has it.
    pub(crate) fn method(&self) -> &'a str {
        let own = self.link.records();
        let all = self.trace.links.iter().flat_map(|l| l.records());
        own.chain(all)
            .map(|r| &*r.method)
            .find(|m| !m.is_empty())
            .unwrap_or_default()
    }

    /// Idle time of the upstream address before the exchange.
    pub(crate) fn idle_us(&self) -> Option<i64> {
        self.survey.idle_us(self.x)
    }

    /// How many requests the upstream's connection had carried that was used last before the exchange, if that is the
    /// most that any of its connections carried.
    pub(crate) fn upstream_use(&self) -> Option<u32> {
        self.survey.used_up(self.x)
    }

    /// Whether the upstream's log can be trusted to show a request of that time: the hop is known and
    /// logged others within `slack_us`.
    pub(crate) fn upstream_covered(&self, slack_us: i64) -> bool {
        let (Some(hop), Some(end)) = (self.upstream_hop, self.x.end_us) else {
            return false;
        };
        self.survey.world.stats.covers(hop, end, slack_us)
    }

    /// Whether the upstream has a record of the request.
    pub(crate) fn upstream_saw_it(&self) -> bool {
        self.beyond.is_some()
    }

    /// Name of the failing hop.
    pub(crate) fn name(&self) -> &'a str {
        self.survey.world.hop_name(self.x.hop)
    }

    /// Name of the upstream: the hop's if known, else the address, else "the upstream".
    pub(crate) fn upstream_name(&self) -> &'a str {
        match self.upstream_hop {
            Some(hop) => self.survey.world.hop_name(hop),
            None if self.x.upstream.is_empty() => "the upstream",
            None => self.x.upstream,
        }
    }

    /// Name of the hop whose record shows what was done with the request: the deepest that has one, else the upstream.
    pub(crate) fn beyond_name(&self) -> &'a str {
        match self.beyond {
            Some(link) => self.survey.world.hop_name(link.hop),
            None => self.upstream_name(),
        }
    }

    /// The hop that sent the answer that was passed on; `None` if it is not among the hops: the one
    /// whose record was joined may have answered something else, to a hop between that has no record.
    pub(crate) fn sender(&self) -> Option<HopId> {
        let answered = |link: &Link| {
            link.outcome.as_ref().and_then(|r| r.status) == self.x.outcome.and_then(|r| r.status)
        };
        match self.child() {
            Some(child) if !answered(child) => self.upstream_hop.filter(|&hop| hop != child.hop),
            _ => self.upstream_hop,
        }
    }

    /// Its name, else the address, else "the upstream".
    pub(crate) fn sender_name(&self) -> &'a str {
        match self.sender() {
            Some(hop) => self.survey.world.hop_name(hop),
            None if self.x.upstream.is_empty() => "the upstream",
            None => self.x.upstream,
        }
    }

    /// Program behind the upstream address.
    pub(crate) fn upstream_product(&self) -> Option<Product> {
        let hop = self.upstream_hop?;
        self.survey.world.hops.get(hop.0 as usize).map(|h| h.product)
    }

    /// Hops whose events bear on the exchange: the upstream and what was joined behind it, or, if the
    /// upstream is not known, every hop behind the failing one.
    pub(crate) fn event_hops(&self) -> Vec<HopId> {
        let mut hops: Vec<HopId> = self.upstream_hop.into_iter().collect();
        hops.extend(self.beyond.map(|l| l.hop));
        if hops.is_empty() {
            hops = self.survey.unclaimed_behind(self.x);
            // What one of several happened to is not what happened to an address that may be another's.
            if !self.x.upstream.is_empty() && (hops.len() > 1 || self.survey.has_other_unknown(self.x)) {
                hops.clear();
            }
        }
        hops
    }

    /// A fact that stands in `record`.
    pub(crate) fn says(&self, weight: Weight, record: Option<&Record>, fact: impl Into<String>) -> Evidence {
        let hop = record.map_or("", |r| self.survey.world.hop_name(r.hop));
        Evidence {
            fact: fact.into(),
            weight,
            hop: hop.to_owned(),
            file: String::new(),
            line: 0,
            offset: None,
            text: String::new(),
            place: record.map(|r| r.place),
        }
    }

    /// A fact about several records, or about the lack of one.
    pub(crate) fn notes(&self, weight: Weight, fact: impl Into<String>) -> Evidence {
        self.says(weight, None, fact)
    }

    /// Whether phase and fault are these.
    pub(crate) fn is(&self, phases: &[Phase], faults: &[Fault]) -> bool {
        self.x
            .signal()
            .is_some_and(|s| phases.contains(&s.phase) && faults.contains(&s.fault))
    }

    /// How trustworthy the join to `beyond` is.
    pub(crate) fn join(&self) -> Join {
        let joined = self.beyond.into_iter().chain(self.child());
        joined.fold(Join::Sure, |worst, link| worst.max(Join::of(link)))
    }

    fn child(&self) -> Option<&'a Link> {
        child_of(self.trace, self.x.link, self.x).and_then(|n| self.trace.links.get(n))
    }
}

/// Whether a request with `method` may be repeated without harm; `None` if it is empty.
pub(crate) fn repeatable(method: &str) -> Option<bool> {
    match method {
        "" => None,
        "GET" | "HEAD" | "OPTIONS" | "TRACE" | "PUT" | "DELETE" => Some(true),
        _ => Some(false),
    }
}

/// How sure it is that two records are of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Join {
    /// By id or address.
    Sure,
    /// By nested times, with one candidate.
    ByTime,
    /// Another record would have fitted.
    Ambiguous,
}

impl Join {
    /// How surely `link` belongs to the request.
    pub(crate) fn of(link: &Link) -> Self {
        match link.joined_by {
            _ if link.ambiguous => Self::Ambiguous,
            JoinedBy::Time => Self::ByTime,
            _ => Self::Sure,
        }
    }
}

/// Whether a timer of `limit_us` explains a duration of `us`: late by a little, never early.
/// Logs that round down to milliseconds may show it a little short.
pub(crate) fn hits(us: u64, limit_us: u64) -> bool {
    us + 2_000 >= limit_us && us <= limit_us + learn::late(limit_us)
}

/// Where a limit's value comes from, in words.
pub(crate) fn origin(limit: &Limit) -> String {
    match &limit.origin {
        Origin::File { file, line } => format!("{file}:{line}"),
        Origin::Default { product } => format!("{} default", product.name()),
        Origin::Learnt { support } => format!("learnt from {support} failures"),
        Origin::Given => "given".to_owned(),
    }
}

/// A learnt value as a limit of `kind`.
pub(crate) fn learnt_limit(kind: LimitKind, value: Value) -> Limit {
    Limit {
        kind,
        value_us: Some(value.us),
        setting: String::new(),
        origin: Origin::Learnt {
            support: value.support,
        },
    }
}

/// The link that the attempt `x` led to. With a link for each attempt they are taken in order; with
/// fewer, the last one is that of the last attempt, and the others left no record that was found.
fn child_of(trace: &Trace, parent: usize, x: &Exchange<'_>) -> Option<usize> {
    let children = trace
        .links
        .iter()
        .enumerate()
        .filter(|(n, l)| *n != parent && l.parent == Some(parent));
    let mut in_order: Vec<(Option<i64>, usize)> =
        children.map(|(n, l)| (l.interval().map(|i| i.1), n)).collect();
    in_order.sort_unstable();
    let attempts = x.outcome.map_or(1, |r| r.attempts.len().max(1));
    let from_end = attempts - 1 - x.number.unwrap_or(attempts - 1).min(attempts - 1);
    if from_end > 0 && in_order.len() < attempts {
        return None;
    }
    let nth = in_order.len().checked_sub(from_end + 1)?;
    in_order.get(nth).map(|&(_, n)| n)
}

fn deepest(trace: &Trace, from: usize) -> usize {
    let mut at = from;
    for _ in 0..trace.links.len() {
        let next = trace
            .links
            .iter()
            .enumerate()
            .filter(|(n, l)| *n > at && l.parent == Some(at) && l.interval().is_some())
            .max_by_key(|(n, l)| (l.interval().map(|i| i.1), *n));
        match next {
            Some((n, _)) => at = n,
            None => break,
        }
    }
    at
}
