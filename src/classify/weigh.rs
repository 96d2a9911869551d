//! A connection that ended without a byte: lost to a race, or to a crash? Every fact that bears on it
//! is a term of a sum, and every term is evidence.

use why502_parsers::Product;
use why502_parsers::entry::Fault;

use super::burst::{self, Upset};
use super::case::{Case, Join, Reuse, hits, origin};
use super::exchange::Exchange;
use super::words::{count, span};
use crate::model::finding::Evidence;
use crate::model::{FINE_US, Limit, LimitKind, Record, Weight};

/// The sum from which a race is probable.
pub(crate) const PROBABLE: i32 = 3;

/// One term of the sum.
#[derive(Debug, Clone)]
pub(crate) struct Term {
    /// What it adds to "race".
    pub(crate) race: i32,
    /// What it adds to "crash or drop".
    pub(crate) crash: i32,
    /// The fact.
    pub(crate) evidence: Evidence,
}

impl Term {
    /// What it adds, in words: `drop +2, race -3`.
    pub(crate) fn worth(&self) -> String {
        match (self.crash, self.race) {
            (0, race) => format!("race {race:+}"),
            (crash, 0) => format!("drop {crash:+}"),
            (crash, race) => format!("drop {crash:+}, race {race:+}"),
        }
    }
}

/// Race against crash, weighed.
#[derive(Debug, Default)]
pub(crate) struct Balance {
    /// Every term, in the order in which they were looked at.
    pub(crate) terms: Vec<Term>,
    /// Why it cannot have been a race.
    pub(crate) excluded: Option<String>,
    /// The connection is known to have been used before.
    pub(crate) reused: bool,
    /// The idle time matches the upstream's keep-alive, by stamps that can tell.
    pub(crate) idle_matches: bool,
    /// The keep-alive it matches was written down or is backed by connections known to be reused.
    pub(crate) limit_sure: bool,
    /// The host event that explains the failure.
    pub(crate) upset: Option<Upset>,
    /// Requests of different ages died together.
    pub(crate) burst: bool,
    /// The upstream refused connections soon after.
    pub(crate) refused: bool,
    /// The upstream's own limit for its workers was reached.
    pub(crate) worker_limit: bool,
    /// The upstream's log covers the moment and has no entry.
    pub(crate) unseen: bool,
    /// The processes of the upstream served before and after.
    pub(crate) alive: bool,
}

impl Balance {
    /// The sum for a race.
    pub(crate) fn race(&self) -> i32 {
        self.terms.iter().map(|t| t.race).sum()
    }

    /// The sum for a crash or a drop.
    pub(crate) fn drop(&self) -> i32 {
        self.terms.iter().map(|t| t.crash).sum()
    }

    /// Whether a race explains it: enough speaks for one, or something does and a request that was never taken up by
    /// processes that lived on leaves nothing else.
    pub(crate) fn is_race(&self) -> bool {
        let race = self.race();
        self.excluded.is_none()
            && (race >= PROBABLE || race + 1 >= PROBABLE && self.unseen && self.alive && self.drop() < 0)
    }

    /// Something speaks against a race.
    pub(crate) fn contradicted(&self) -> bool {
        self.terms.iter().any(|t| t.race < 0)
    }

    fn add(&mut self, race: i32, crash: i32, evidence: Evidence) {
        self.terms.push(Term {
            race,
            crash,
            evidence,
        });
    }
}

/// Weighs a connection that ended before the first byte of the answer.
pub(crate) fn balance(case: &Case<'_, '_>) -> Balance {
    let mut sum = Balance::default();
    reuse(case, &mut sum);
    keep_alives(case, &mut sum);
    idle(case, &mut sum);
    method(case, &mut sum);
    upstream_record(case, &mut sum);
    latency(case, &mut sum);
    alike(case, &mut sum);
    processes(case, &mut sum);
    together(case, &mut sum);
    aftermath(case, &mut sum);
    product(case, &mut sum);
    sum
}

fn reuse(case: &Case<'_, '_>, sum: &mut Balance) {
    match case.reuse() {
        Reuse::Proven(why) => {
            sum.reused = true;
            sum.add(3, 0, case.says(Weight::Strong, case.x.outcome, why));
        }
        Reuse::Fresh(why) | Reuse::Impossible(why) => {
            sum.add(0, 1, case.says(Weight::Strong, case.x.outcome, why.clone()));
            sum.excluded = Some(why);
        }
        Reuse::Unknown if case.x.twin == super::exchange::Twin::Second => {
            let why = "the attempt before had failed on a pooled connection to the same address";
            sum.add(1, 0, case.says(Weight::Weak, case.x.outcome, why));
        }
        Reuse::Unknown => {}
    }
}

/// `K_d` against `K_u`: the proxy must let go of an idle connection first.
fn keep_alives(case: &Case<'_, '_>, sum: &mut Balance) {
    let (Some(own), Some(theirs)) = (case.own_idle(), case.upstream_idle()) else {
        return;
    };
    let Some(theirs_us) = theirs.value_us else { return };
    let both = own.origin.is_configured() && theirs.origin.is_configured();
    let own_us = own.value_us.unwrap_or(u64::MAX);
    let shown = own.value_us.map_or_else(|| "for ever".to_owned(), span);
    // Whether nginx keeps any is a matter of its configuration.
    let unsure = case.x.product == Product::Nginx && !own.origin.is_configured() && case.pools().is_none();
    let facts = format!(
        "{} keeps idle connections{} {shown} ({}), {} closes them after {} ({})",
        case.name(),
        if unsure { ", if it keeps any," } else { "" },
        origin(&own),
        case.upstream_name(),
        span(theirs_us),
        origin(&theirs)
    );
    if own_us >= theirs_us {
        sum.add(if both { 2 } else { 1 }, 0, case.notes(Weight::Strong, facts));
    } else if own_us + 1_000_000 < theirs_us {
        sum.add(if both { -3 } else { -1 }, 0, case.notes(Weight::Counter, facts));
    }
}

/// A race is lost up to a round trip before the keep-alive runs out, or a little after it.
const BEFORE_US: i64 = 60_000;
const AFTER_US: i64 = 150_000;

fn idle(case: &Case<'_, '_>, sum: &mut Balance) {
    let (Some(idle), Some(limit)) = (case.idle_us(), case.upstream_idle()) else {
        return;
    };
    let Some(us) = limit.value_us.and_then(|us| i64::try_from(us).ok()) else {
        return;
    };
    let coarse = case.x.logged_us > 300_000;
    let slack = case.x.logged_us;
    // Node closes one second after its setting.
    let node = matches!(
        case.upstream_product(),
        Some(Product::Node | Product::EdgeMicro | Product::Application)
    );
    let learnt = matches!(limit.origin, crate::model::Origin::Learnt { .. });
    let late = if node && !learnt { 1_000_000 } else { 0 };
    let near = |target: i64| idle >= target - BEFORE_US - slack && idle <= target + AFTER_US + slack;
    let text = span(idle.unsigned_abs());
    let value = format!("{} ({})", span(us.unsigned_abs()), origin(&limit));
    let backed = case
        .learnt(&case.survey.learnt.idle)
        .is_some_and(|v| v.proven > 0);
    if near(us) || near(us + late) {
        let fact = format!("the address had been idle for {text}; the upstream's keep-alive is {value}");
        let worth = if coarse || learnt && !backed { 2 } else { 3 };
        sum.idle_matches = !coarse;
        sum.limit_sure = backed || limit.origin.is_configured();
        return sum.add(worth, 0, case.notes(Weight::Strong, fact));
    }
    if after_a_failure(case) {
        return; // A failed exchange leaves no connection idle; this one used another.
    }
    if matches!(limit.origin, crate::model::Origin::Default { .. }) {
        // Keep-alives are often set in code, but hardly below a second.
        if idle + slack < 500_000 {
            let fact = format!("the address had been in use {text} before");
            sum.add(-1, 0, case.notes(Weight::Counter, fact));
        }
    } else if idle * 2 < us {
        let fact = format!("the address had been idle for {text} only; the upstream's keep-alive is {value}");
        sum.add(-2, 0, case.notes(Weight::Counter, fact));
    }
}

/// The exchange before on that address was itself cut: its connection was not the one used now.
fn after_a_failure(case: &Case<'_, '_>) -> bool {
    let (Some(start), Some(idle)) = (case.x.start_us, case.idle_us()) else {
        return false;
    };
    let last = start - idle;
    let slack = case.x.logged_us + 20_000;
    case.survey
        .neighbours(case.x, last - slack, last + slack)
        .any(Exchange::is_cut)
}

fn latency(case: &Case<'_, '_>, sum: &mut Balance) {
    let Some(lasted) = case.x.lasted_us else { return };
    let fact = format!("the exchange ended {} after it began", span(lasted));
    if lasted <= 20_000 {
        sum.add(1, 0, case.says(Weight::Weak, case.x.outcome, fact));
    } else if lasted > 200_000 && case.x.outcome.is_none_or(|r| r.retries == 0) {
        sum.add(-3, 2, case.says(Weight::Counter, case.x.outcome, fact));
        let limit = case.upstream_limit(LimitKind::WorkerKill);
        if let Some(us) = limit
            .as_ref()
            .and_then(|l| l.value_us)
            .filter(|&us| us > 0 && hits(lasted, us))
        {
            sum.worker_limit = true;
            let source = limit.as_ref().map_or_else(String::new, origin);
            let fact = format!(
                "{} kills workers that are busy for {} ({source})",
                case.upstream_name(),
                span(us)
            );
            sum.add(0, 2, case.notes(Weight::Strong, fact));
        }
    } else if lasted > 50_000 && !sum.idle_matches && !sum.unseen {
        // A busy event loop can delay the close of an idle connection, but then the idle time shows it,
        // or the application never saw the request. Where its log is not there, nothing shows either.
        let blind = !case.upstream_covered(5_000_000);
        let worth = if blind { -2 } else { -1 };
        sum.add(worth, 1, case.says(Weight::Counter, case.x.outcome, fact));
    }
}

fn method(case: &Case<'_, '_>, sum: &mut Balance) {
    if case.idempotent() == Some(false) {
        let fact = format!(
            "a {} is not repeated by proxies, so its race is not hidden",
            case.method()
        );
        sum.add(1, 0, case.notes(Weight::Weak, fact));
    }
}

fn upstream_record(case: &Case<'_, '_>, sum: &mut Balance) {
    if let Some(link) = case.beyond {
        let fact = format!(
            "{} has a record of the request, so it had arrived",
            case.upstream_name()
        );
        let worth = if link.ambiguous { (-1, 1) } else { (-3, 2) };
        if case.join() == Join::Sure {
            sum.excluded.get_or_insert_with(|| fact.clone());
        }
        return sum.add(
            worth.0,
            worth.1,
            case.says(Weight::Counter, link.records().next(), fact),
        );
    }
    if case.upstream_covered(5_000_000) {
        sum.unseen = true;
        let fact = format!(
            "{} has no record of it, though it logged others at that time",
            case.upstream_name()
        );
        // A log that shows requests which were cut off shows every request that was taken up. One that is
        // written at the end of a request only (and by a process that may have died) says less.
        // Of an attempt before the last, the record may merely not have been found.
        let recorded = case.upstream_hop.filter(|_| case.x.last);
        let recorded = recorded.and_then(|hop| case.survey.records_cuts(hop));
        // What a process had in hand when it died it never logged.
        let (worth, more) = match recorded.filter(|_| !may_have_died(case)) {
            Some(Join::Sure) => (3, ", requests that were cut off among them"),
            Some(_) => (2, ", requests that were cut off among them"),
            None => (1, ""),
        };
        sum.add(worth, 0, case.notes(Weight::Strong, fact + more));
        if case.upstream_product() == Some(Product::Haproxy) {
            let fact = "HAProxy neither answers nor logs when a pooled server connection dies";
            sum.add(2, 0, case.notes(Weight::Strong, fact));
        }
    }
}

/// Whether the upstream's process may have died of what ended `case`: it refused connections afterwards, or requests
/// of different ages ended together.
fn may_have_died(case: &Case<'_, '_>) -> bool {
    let lived_on = |hop| burst::lived_on(case.survey, hop, case.x) == Some(true);
    if case.upstream_hop.is_some_and(lived_on) {
        return false;
    }
    let burst = burst::burst(case.survey, case.x);
    let together = burst.others.len() >= 2 && burst.ages_differ && !burst.stalled;
    together || burst::refused_after(case.survey, case.x).is_some()
}

/// Whether anything died at all.
fn processes(case: &Case<'_, '_>, sum: &mut Balance) {
    let Some(hop) = case.upstream_hop else { return };
    if burst::lived_on(case.survey, hop, case.x) != Some(true) {
        return;
    }
    sum.alive = true;
    let fact = format!(
        "the processes of {} served before and after: none died",
        case.upstream_name()
    );
    sum.add(0, -3, case.notes(Weight::Counter, fact));
}

/// What the failures of this upstream have in common over the whole run: races show as failures of requests that are
/// not repeated, because the others are, on whatever path.
fn alike(case: &Case<'_, '_>, sum: &mut Balance) {
    if case.idempotent() != Some(false) || sum.excluded.is_some() {
        return;
    }
    let habit = case.survey.habit(case.x);
    if habit.surfaced_safe > 0 {
        return;
    }
    if habit.hidden_safe >= 2 {
        let fact = format!(
            "{} to the same upstream were cut alike and saved by a retry; only requests that are not \
             repeated came through",
            count(habit.hidden_safe, "other request")
        );
        return sum.add(2, 0, case.notes(Weight::Strong, fact));
    }
    let repeats = matches!(
        case.x.product,
        Product::Nginx | Product::Caddy | Product::Traefik | Product::Varnish | Product::Squid
    );
    if repeats && habit.surfaced_unsafe >= 3 && habit.paths >= 2 {
        let worth = if habit.surfaced_unsafe >= 6 { 2 } else { 1 };
        let fact = format!(
            "all {} requests that were cut like this are of kinds that {} does not repeat, on {} paths",
            habit.surfaced_unsafe,
            case.name(),
            habit.paths
        );
        sum.add(worth, 0, case.notes(Weight::Strong, fact));
    }
}

/// So many other requests of other ages that end in one instant are no coincidence.
const MANY_TOGETHER: usize = 4;

fn together(case: &Case<'_, '_>, sum: &mut Balance) {
    let burst = burst::burst(case.survey, case.x);
    if burst.stalled {
        let fact = format!(
            "{} lost connections to several other upstreams in the same instant: it had stalled",
            case.name()
        );
        return sum.add(1, -1, case.notes(Weight::Weak, fact));
    }
    if burst.others.len() < 2 {
        return;
    }
    let others = count(burst.others.len(), "other request");
    let (low, high) = burst.ages_us;
    if burst.ages_differ && burst.coarse {
        let fact = format!(
            "{others} were cut in the same second, {} to {} old",
            span(low),
            span(high)
        );
        sum.add(-1, 1, case.notes(Weight::Weak, fact));
    } else if burst.ages_differ && sum.alive {
        let fact = format!("{others} were cut in the same instant, but no process died of it");
        sum.add(0, 0, case.notes(Weight::Context, fact));
    } else if burst.ages_differ {
        sum.burst = true;
        let fact = format!(
            "{others} died in the same instant, {} to {} old",
            span(low),
            span(high)
        );
        // Connections that are lost to races one by one do not agree on an instant: the more there are, the surer.
        let worth = if burst.others.len() >= MANY_TOGETHER { 5 } else { 3 };
        sum.add(-worth, worth, case.notes(Weight::Strong, fact));
    } else {
        let fact = format!("{others} were cut in the same instant, all sent together");
        sum.add(0, 0, case.notes(Weight::Context, fact));
    }
}

/// What a process that died leaves behind: refused connections, lines about stopping and starting.
fn aftermath(case: &Case<'_, '_>, sum: &mut Balance) {
    if let Some(other) = burst::refused_after(case.survey, case.x).filter(|_| !sum.alive) {
        sum.refused = true;
        let fact = format!("{} refused connections within seconds", case.upstream_name());
        sum.add(-3, 4, case.says(Weight::Strong, other.record(), fact));
    }
    let Some(end) = case.x.end_us else { return };
    let Some((upset, event)) = burst::upset(case.survey, &case.event_hops(), end) else {
        return;
    };
    let what = match upset {
        Upset::Crash => "a worker died",
        Upset::Recycle => "the application pool was recycled",
        Upset::Restart => "it was stopping",
        Upset::Start => "it was started",
        Upset::Down => "it was taken out of rotation",
    };
    let at = event.end_us.or(event.start_us).unwrap_or(end);
    if case.upstream_hop.is_none() && burst::is_of_another(case.survey, case.x, at) {
        return;
    }
    let near = (at - end).abs() <= 5_000_000;
    let when = if at < end { "before" } else { "after" };
    let fact = format!("{what} {} {when} the failure", span((at - end).unsigned_abs()));
    let grave = matches!(upset, Upset::Crash | Upset::Recycle) || near;
    if grave || sum.refused {
        sum.upset = Some(upset);
    }
    let worth = match (grave, sum.refused) {
        (_, true) => (0, 0),
        (true, _) => (-3, 4),
        (false, _) => (-2, 2),
    };
    sum.add(worth.0, worth.1, case.says(Weight::Strong, Some(event), fact));
}

fn product(case: &Case<'_, '_>, sum: &mut Balance) {
    let logged = case.x.product == Product::Haproxy && case.x.outcome.is_some();
    let empty = case.x.signal().is_some_and(|s| s.fault != Fault::IdleClosed);
    if logged && empty && !sum.reused && !sum.idle_matches {
        let fact = "HAProxy logs this state mostly for new server connections (http-reuse safe); a race leaves no line";
        sum.add(-2, 1, case.says(Weight::Counter, case.x.outcome, fact));
    }
}

/// What the log lacks where it is not known how long a connection had been idle.
pub(crate) fn idle_lacks(case: &Case<'_, '_>) -> String {
    let is_fine = |outcome: &Record| outcome.resolution_us < FINE_US;
    match case.x.upstream {
        "" => format!("the upstream's address in the log of {}", case.name()),
        upstream if case.x.outcome.is_some_and(is_fine) => format!(
            "how long the connection had been idle: no earlier line of {} says that {upstream} answered",
            case.name()
        ),
        _ => "how long the connection had been idle: stamps to the millisecond would tell".to_owned(),
    }
}

/// Whether a known keep-alive exists at all, for naming what is missing.
pub(crate) fn idle_known(case: &Case<'_, '_>) -> (bool, Option<Limit>) {
    (case.idle_us().is_some(), case.upstream_idle())
}
