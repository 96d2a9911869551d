//! `keep_alive_race`: the upstream closed an idle connection as the proxy sent a request on it.
//!
//! Fires when a connection ended without one byte of answer and reuse, idle time, keep-alives,
//! speed of the failure, method, neighbours and events speak for it on balance. Proven when reuse
//! is proven, or the idle time matches the upstream's keep-alive and the upstream never saw the
//! request, and nothing speaks against it.
//! Not a race: a new connection, any byte of answer, requests of all ages dying together.

use why502_parsers::entry::{Fault, Phase};

use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::classify::burst::Upset;
use crate::classify::load::{self, Load};
use crate::classify::wait::stuck_with;
use crate::classify::weigh::{Balance, PROBABLE, idle_known, idle_lacks};
use crate::classify::words::count;
use crate::classify::words::span;
use crate::model::finding::Label;
use crate::model::{Record, Weight};

/// Idle limits of common middleboxes, in seconds: load balancers and NAT gateways.
const MIDDLEBOX_S: [i64; 5] = [240, 300, 350, 600, 900];
/// The sum from which a race is as good as certain.
const CERTAIN: i32 = 5;

/// Step 8b: the request went into a void on an old connection.
pub(crate) struct SilentDrop;

impl Rule for SilentDrop {
    fn question(&self) -> &'static str {
        "did something between forget the idle connection?"
    }

    fn label(&self) -> Label {
        label(Cause::KeepAliveRace, Subtype::SilentMiddleboxDrop)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.is(&[Phase::Header, Phase::Send], &[Fault::TimedOut]) {
            return Verdict::far("the connection did not go silent");
        }
        let Some(idle) = case.idle_us() else {
            return Verdict::lacks(0, "how long the connection had been idle before");
        };
        let slack = case.x.logged_us;
        let Some(limit) = MIDDLEBOX_S.iter().find(|&&s| idle + slack >= s * 1_000_000) else {
            return Verdict::far("the connection had not been idle for long");
        };
        if case.upstream_saw_it() {
            return Verdict::near(2, "the upstream has a record of the request");
        }
        if !case.upstream_covered(60_000_000) {
            return Verdict::lacks(
                2,
                "whether the upstream saw the request: its log for that time is not there",
            );
        }
        let alone = stuck_with(case) == 0;
        if case.x.connect_us().is_some_and(|us| us > 0) || !alone {
            return Verdict::near(2, "the connection was new, or others failed alike");
        }
        Candidate::new(Cause::KeepAliveRace, Subtype::SilentMiddleboxDrop, 0.75)
            .with(case.says(
                Weight::Strong,
                case.x.record(),
                "the request was sent and nothing came back",
            ))
            .with(case.notes(
                Weight::Strong,
                format!(
                    "the address had been idle for {}; many middleboxes forget connections after {limit} s",
                    span(idle.unsigned_abs())
                ),
            ))
            .with(case.notes(
                Weight::Strong,
                format!(
                    "{} has no record of it, though it logged others",
                    case.upstream_name()
                ),
            ))
            .lacking("a capture on the proxy: retransmissions without an answer")
            .fires()
    }
}

/// A worker that retires closes its idle connections within this time of saying so.
const RETIRING_US: i64 = 1_500_000;

/// Step 11a: the connection had carried all the requests it was allowed, or its worker had.
pub(crate) struct MaxRequests;

impl Rule for MaxRequests {
    fn question(&self) -> &'static str {
        "did the upstream end the connection after its last allowed request?"
    }

    fn label(&self) -> Label {
        label(Cause::KeepAliveRace, Subtype::MaxRequestsClose)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.x.is_cut_without_a_byte() {
            return Verdict::far("the connection did not end without a byte");
        }
        let sum = case.balance();
        if let Some(why) = &sum.excluded {
            return Verdict::near(1, why.clone());
        }
        if sum.burst || sum.refused || sum.upset.is_some_and(|upset| upset != Upset::Restart) {
            return Verdict::near(1, "the upstream as a whole went down");
        }
        let used = case.upstream_use();
        let retired = retiring(case);
        if used.is_none() && retired.is_none() {
            return Verdict::lacks(
                1,
                "how many requests the connection had carried, and how many it may",
            );
        }
        let mut found =
            Candidate::new(Cause::KeepAliveRace, Subtype::MaxRequestsClose, 0.75).with(case.says(
                Weight::Strong,
                case.x.record(),
                "the connection ended without one byte of an answer",
            ));
        if let Some(used) = used {
            let fact = format!(
                "the connection that {} used last before had carried {}, the most that any had carried",
                case.upstream_name(),
                count(used as usize, "request")
            );
            found = found.with(case.notes(Weight::Strong, fact));
        }
        if let Some(event) = retired {
            let fact = format!(
                "a worker of {} retired after its last allowed request",
                case.upstream_name()
            );
            found = found.with(case.says(Weight::Strong, Some(event), fact));
        }
        if sum.unseen {
            let fact = format!(
                "{} has no record of it, though it logged others",
                case.upstream_name()
            );
            found = found.with(case.notes(Weight::Strong, fact));
            found.score = 0.85;
        }
        found
            .over(
                Cause::KeepAliveRace,
                Subtype::FinBeforeRequest,
                "it was closed for the number of its requests, not for the time it had been idle",
            )
            .lacking(format!(
                "how many requests {} had sent on the connection",
                case.name()
            ))
            .fires()
    }
}

/// The line in which a worker of the upstream says that it has served all it may.
fn retiring<'a>(case: &Case<'_, 'a>) -> Option<&'a Record> {
    let end = case.x.end_us?;
    let slack = RETIRING_US + case.x.resolution_us;
    let hops = case.event_hops();
    let says = |event: &&Record| {
        let stops = event.signal.is_some_and(|s| s.fault == Fault::Stopping);
        stops && hops.contains(&event.hop) && RETIRED.iter().any(|words| event.error.contains(words))
    };
    case.survey.events(end - slack, end + slack).find(says)
}

/// How servers say that a worker stops because of the number of its requests (gunicorn, uWSGI, PHP-FPM).
const RETIRED: [&str; 3] = ["Autorestarting worker", "max-requests", "max_requests"];

/// Step 11b: closed or reset without a byte.
pub(crate) struct Race;

impl Rule for Race {
    fn question(&self) -> &'static str {
        "did the upstream close the idle connection as the request was sent?"
    }

    fn label(&self) -> Label {
        label(Cause::KeepAliveRace, Subtype::FinBeforeRequest)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.x.is_cut_without_a_byte() {
            return Verdict::far("the connection did not end without a byte");
        }
        let sum = case.balance();
        if let Some(why) = &sum.excluded {
            return Verdict::near(5, why.clone());
        }
        if !sum.is_race() {
            return lacking(sum);
        }
        let subtype = match case.x.signal().map(|s| s.fault) {
            Some(Fault::Reset | Fault::BrokenPipe) => Subtype::RstOnReuse,
            _ => Subtype::FinBeforeRequest,
        };
        let strong = sum.idle_matches && sum.limit_sure && sum.unseen;
        let mut found = Candidate::new(Cause::KeepAliveRace, subtype, 0.78)
            .with(case.says(
                Weight::Strong,
                case.x.record(),
                "the connection ended without one byte of an answer",
            ))
            .over(Cause::DroppedConnection, Subtype::PrematureClose, rival(sum));
        if sum.race() < PROBABLE {
            found.score = 0.72;
        }
        if sum.race() >= CERTAIN {
            found.score = 0.93;
            found.proof = !sum.contradicted() && (sum.reused || strong) && sum.race() >= CERTAIN;
        }
        let idle_closed = case.x.signal().is_some_and(|s| s.fault == Fault::IdleClosed);
        if idle_closed {
            found.score = 0.95;
            found.proof = true;
        }
        if !sum.unseen && !idle_closed {
            // One hop's log alone never proves a race, unless the product itself says so.
            found.score = found.score.min(0.85);
            found.proof = false;
            found = found.lacking(format!("the log of {} for that time", case.upstream_name()));
        }
        if let Some(load) = load::around(case).filter(Load::is_low) {
            let why = format!("the load was below what can be served: {}", load.words());
            found = found.over(Cause::QueueingDelay, Subtype::AppQueue, why);
        }
        let (idle, limit) = idle_known(case);
        if !idle {
            found = found.lacking(idle_lacks(case));
        }
        if limit.is_none() {
            found = found.lacking(format!("the keep-alive timeout of {}", case.upstream_name()));
        }
        for term in sum.terms.iter().filter(|t| t.race != 0 || t.crash != 0) {
            let mut evidence = term.evidence.clone();
            if term.race >= 0 && evidence.weight == Weight::Counter {
                evidence.weight = Weight::Weak; // It speaks against a drop.
            }
            evidence.fact = format!("{} ({})", evidence.fact, term.worth());
            found.evidence.push(evidence);
        }
        found.fires()
    }
}

/// Why the crash lost.
fn rival(sum: &Balance) -> String {
    let against: i32 = sum.terms.iter().map(|t| t.crash).sum();
    let mut why = format!(
        "the facts weigh {} for a race and {against} for a drop",
        sum.race()
    );
    if !sum.burst && !sum.refused && sum.upset.is_none() {
        why.push_str("; nothing else died with it, and nothing says that the upstream went down");
    }
    why
}

/// Why the race lost.
fn lacking(sum: &Balance) -> Verdict {
    let counter = sum.terms.iter().filter(|t| t.race < 0).min_by_key(|t| t.race);
    match counter {
        Some(term) => Verdict::near(5, term.evidence.fact.clone()),
        None if !sum.reused => Verdict::lacks(5, "whether the connection had been used before"),
        None => Verdict::near(5, "too little speaks for it"),
    }
}
