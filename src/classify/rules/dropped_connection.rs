//! `dropped_connection`: the upstream, or something between, ended it; no timer of the proxy's ran out.
//!
//! Refusals, TLS rejections and answers that broke off are proven by the product's own words. A
//! connection that ended without a byte is `worker_crash` or `backend_restart` when requests of all
//! ages died together, connections were refused afterwards, or the host says so; otherwise it is
//! what the wire showed (`reset_before_response`, `premature_close`), and likely at most.
//! Not this: a race for an idle connection (`keep_alive_race`).

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::proxy_timeout::{gave_up_early, unnamed_timer};
use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::classify::burst::{self, Upset};
use crate::classify::case::hits;
use crate::classify::wait::outlived_us;
use crate::classify::weigh::{Balance, PROBABLE, idle_lacks};
use crate::classify::words::span;
use crate::model::Weight;
use crate::model::finding::Label;

const CAUSE: Cause = Cause::DroppedConnection;
/// A server that failed is left alone for this long (nginx `fail_timeout`, the longest common default but one).
const EJECTED_US: i64 = 10_000_000;

/// A server that a health check took out longer ago than this has lines of its own about it since.
const DOWN_US: i64 = 3_600_000_000;

/// Step 5: no upstream was left to try.
pub(crate) struct NoLive;

impl Rule for NoLive {
    fn question(&self) -> &'static str {
        "was no upstream left to try?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::NoLiveUpstream)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal() else {
            return case.unnamed(0);
        };
        let unserved = case.x.upstream.contains("<NOSRV>") && signal.fault == Fault::Refused;
        if signal.fault != Fault::NoLiveUpstream && !unserved {
            return Verdict::far("an upstream was tried");
        }
        let fact = format!("{} had no upstream left to try", case.name());
        let mut found = Candidate::new(CAUSE, Subtype::NoLiveUpstream, 0.95)
            .proven()
            .with(case.says(Weight::Proof, case.x.record(), fact));
        let until = case
            .x
            .end_us
            .unwrap_or(i64::MIN)
            .saturating_add(case.x.resolution_us);
        let down = case
            .survey
            .events(until.saturating_sub(DOWN_US), until)
            .filter(|e| e.hop == case.x.hop && e.signal.is_some_and(|s| s.fault == Fault::ServerDown))
            .last();
        if let Some(event) = down {
            found = found.with(case.says(Weight::Strong, Some(event), "the health check had taken it out"));
        }
        root(case, found).fires()
    }
}

/// Names the failures that took the upstreams out.
fn root(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    let Some(end) = case.x.end_us else { return found };
    let slack = case.x.resolution_us;
    let before = case
        .survey
        .failures_of(case.x.hop, end - EJECTED_US - slack, end + slack)
        .filter(|o| !burst::same(o, case.x))
        .filter(|o| o.signal().is_some_and(|s| s.fault != Fault::NoLiveUpstream))
        .filter(|o| !matches!(o.signal().map(|s| s.phase), Some(Phase::Client | Phase::Body)))
        .last();
    let Some(first) = before else {
        return found.lacking("the failures that took the upstreams out of rotation");
    };
    let label = simple(first);
    let fact = format!(
        "{} had failed shortly before: {}",
        first.upstream,
        label.subtype.plain()
    );
    found = found.with(case.says(Weight::Strong, first.record(), fact));
    found.contributing = Some(label);
    found
}

/// The label of a failure by its signal alone.
fn simple(x: &crate::classify::exchange::Exchange<'_>) -> Label {
    let timed = |subtype| label(Cause::ProxyTimeout, subtype);
    match x.signal().map(|s| (s.phase, s.fault)) {
        Some((Phase::Connect | Phase::ConnectOrTls, Fault::TimedOut)) => timed(Subtype::ConnectTimeout),
        Some((Phase::Tls, Fault::TimedOut)) => timed(Subtype::TlsHandshakeTimeout),
        Some((_, Fault::TimedOut)) => timed(Subtype::ResponseHeaderTimeout),
        Some((_, Fault::Refused)) => label(CAUSE, Subtype::Refused),
        Some((_, Fault::Unreachable)) => label(CAUSE, Subtype::Unreachable),
        Some((Phase::Tls, _)) => label(CAUSE, Subtype::TlsRejected),
        Some((_, Fault::Reset)) => label(CAUSE, Subtype::ResetBeforeResponse),
        _ => label(CAUSE, Subtype::PrematureClose),
    }
}

/// Step 6b: the handshake was refused.
pub(crate) struct Tls;

impl Rule for Tls {
    fn question(&self) -> &'static str {
        "was the TLS handshake refused?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::TlsRejected)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal() else {
            return case.unnamed(0);
        };
        if signal.phase != Phase::Tls
            && !matches!(signal.fault, Fault::TlsRejected | Fault::CertificateRejected)
        {
            return Verdict::far("no handshake failed");
        }
        if super::proxy_timeout::slow_handshake(case) {
            return Verdict::near(4, "a handshake that is refused does not take that long");
        }
        let what = match signal.fault {
            Fault::CertificateRejected => "did not accept the certificate of",
            _ => "had its TLS handshake rejected by",
        };
        let fact = format!("{} {what} {}", case.name(), case.upstream_name());
        let slow = case.x.lasted_us.is_some_and(|d| d > 1_000_000);
        let mut found = Candidate::new(CAUSE, Subtype::TlsRejected, if slow { 0.65 } else { 0.95 })
            .with(case.says(Weight::Proof, case.x.record(), fact));
        found.proof = !slow;
        found.fires()
    }
}

/// Step 7a: refused or unreachable.
pub(crate) struct Refused;

impl Rule for Refused {
    fn question(&self) -> &'static str {
        "was the connection refused, or the upstream out of reach?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::Refused)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal() else {
            return case.unnamed(0);
        };
        let phase = matches!(signal.phase, Phase::Connect | Phase::ConnectOrTls);
        let fact = |what: &str| {
            let text = format!("{} {what} {}", case.name(), case.upstream_name());
            let weight = if case.x.in_words() {
                Weight::Proof
            } else {
                Weight::Strong
            };
            case.says(weight, case.x.record(), text)
        };
        let unreachable = |what| {
            let found = Candidate::new(CAUSE, Subtype::Unreachable, 0.95).proven();
            found.with(fact(what)).fires()
        };
        match signal.fault {
            Fault::Unreachable => return unreachable("found no way to"),
            Fault::NameNotFound => return unreachable("found no address for the name of"),
            Fault::Refused => {}
            Fault::Reset | Fault::ResetOrClosed | Fault::Closed if phase => {}
            Fault::TimedOut if gave_up_early(case) => {}
            Fault::Other if phase => {
                return Candidate::new(CAUSE, Subtype::Refused, 0.5)
                    .with(fact("did not get a connection to"))
                    .over(
                        Cause::ProxyTimeout,
                        Subtype::ConnectTimeout,
                        "the log does not say whether it was refused or not answered",
                    )
                    .lacking(format!("how long connecting took in the log of {}", case.name()))
                    .fires();
            }
            _ => return Verdict::near(u8::from(case.x.is_cut()), "the connection had been made"),
        }
        let mut found = refused(case, signal.phase).with(fact("was refused by"));
        if let Some(first) = cut_just_before(case) {
            let text = "the attempt before, in the same request, had been cut without an answer";
            found = found.with(case.says(Weight::Strong, first.record(), text));
            found.contributing = Some(found.label);
            found.label = label(CAUSE, Subtype::WorkerCrash);
            found.score = 0.85;
            found.proof = false;
            return found.fires();
        }
        let late = case.x.lasted_us.filter(|&us| us > REFUSAL_AT_MOST_US);
        if let Some(us) = late.filter(|_| {
            matches!(case.x.product, Product::Caddy | Product::Squid)
                && case.x.attempt.is_none_or(|a| a.response_us.get().is_none())
                && others_failed(case)
        }) {
            let text = format!(
                "a refusal takes one round trip, this took {}: {} had tried another connection first, which was cut",
                span(us),
                case.name()
            );
            found = found.with(case.notes(Weight::Strong, text));
            found.contributing = Some(found.label);
            found.label = label(CAUSE, Subtype::WorkerCrash);
            found.score = 0.8;
            found.proof = false;
            return found.fires();
        }
        crashed(case, found).fires()
    }
}

/// Step 7c: the server itself says that the process went that was to answer.
pub(crate) struct Gone;

impl Rule for Gone {
    fn question(&self) -> &'static str {
        "does the server say that the process went?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::WorkerCrash)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal().filter(|s| s.phase == Phase::Process) else {
            return Verdict::far("no line about a process answers this request");
        };
        let (subtype, what) = match signal.fault {
            Fault::WorkerCrashed | Fault::WorkerTimedOut | Fault::OutOfMemory => {
                (Subtype::WorkerCrash, "its worker had died")
            }
            Fault::Recycled => (Subtype::AppPoolRecycle, "its application pool was recycled"),
            Fault::Stopping => (Subtype::BackendRestart, "it was stopped"),
            _ => return Verdict::far("the process was there"),
        };
        let fact = format!("{} answered so because {what}", case.name());
        Candidate::new(CAUSE, subtype, 0.95)
            .proven()
            .with(case.says(Weight::Proof, case.x.record(), fact))
            .fires()
    }
}

/// Whether other requests to the same upstream were cut or refused within seconds: a process that dies does not fail
/// one request only, while a proxy that tries again takes its time with each.
fn others_failed(case: &Case<'_, '_>) -> bool {
    let Some(end) = case.x.end_us else { return false };
    let mut others = case.survey.neighbours(case.x, end - EJECTED_US, end + EJECTED_US);
    others.any(|o| o.trace != case.x.trace && (o.is_cut() || o.is_refused()))
}

/// A refusal that took longer was not the first thing that happened.
const REFUSAL_AT_MOST_US: u64 = 200_000;

/// The host says why nothing was listening.
fn crashed(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    let Some(end) = case.x.end_us else { return found };
    let Some((upset, event)) = burst::upset(case.survey, &case.event_hops(), end) else {
        return found;
    };
    if upset == Upset::Down {
        return found;
    }
    let subtype = died_of(Some(upset));
    found.contributing = Some(label(CAUSE, subtype));
    let fact = format!("at that time: {}", subtype.plain());
    found.with(case.says(Weight::Strong, Some(event), fact))
}

/// An earlier attempt of the same request that was cut: the process died between the two.
fn cut_just_before<'s, 'a>(case: &'s Case<'_, 'a>) -> Option<&'s crate::classify::exchange::Exchange<'a>> {
    let number = case.x.number?;
    case.survey
        .failed(case.x.trace, case.x.link)
        .find(|o| o.number.is_some_and(|n| n < number) && o.upstream == case.x.upstream && o.is_cut())
}

fn refused(case: &Case<'_, '_>, phase: Phase) -> Candidate {
    let new = |score| Candidate::new(CAUSE, Subtype::Refused, score);
    if phase != Phase::ConnectOrTls {
        return new(0.95).proven();
    }
    let rejected = "the log does not tell a refused connection from a rejected TLS handshake";
    let tls = case.survey.world.limits.upstream_tls(case.x.hop, &case.scope());
    match tls {
        Some(false) if case.x.in_words() => new(0.93).proven(),
        Some(false) => new(0.85),
        Some(true) => Candidate::new(CAUSE, Subtype::TlsRejected, 0.6)
            .over(CAUSE, Subtype::Refused, rejected)
            .lacking(format!("the error log of {}, or a capture", case.name())),
        None => new(0.8)
            .over(
                CAUSE,
                Subtype::TlsRejected,
                format!("{rejected}, but nothing says that TLS is used"),
            )
            .lacking(format!(
                "the configuration of {}: is TLS used to the upstream",
                case.name()
            )),
    }
}

/// Step 9b: the answer broke off.
pub(crate) struct MidResponse;

impl Rule for MidResponse {
    fn question(&self) -> &'static str {
        "did the answer break off?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::ResetMidResponse)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if case.x.signal().is_none_or(|s| s.phase != Phase::Body) || !case.x.is_cut() {
            return Verdict::far("no answer broke off");
        }
        let fact = format!("{} broke off in the middle of its answer", case.upstream_name());
        Candidate::new(CAUSE, Subtype::ResetMidResponse, 0.95)
            .proven()
            .with(case.says(Weight::Proof, case.x.record(), fact))
            .fires()
    }
}

/// Step 10: the header broke off.
pub(crate) struct Partial;

impl Rule for Partial {
    fn question(&self) -> &'static str {
        "did the header of the answer break off?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::PrematureClose)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let signal = case.x.signal();
        let broke_off = signal.is_some_and(|s| {
            s.fault == Fault::ClosedPartial || s.fault == Fault::MalformedHeader && s.phase == Phase::Header
        });
        let bytes = case.x.bytes.unwrap_or(0);
        if !broke_off && (bytes == 0 || !case.x.is_cut()) {
            return Verdict::far("no byte of an answer had come");
        }
        let fact = match bytes {
            0 => format!("the header of {} broke off", case.upstream_name()),
            n => format!("{} closed after {n} bytes of its header", case.upstream_name()),
        };
        let mut found = Candidate::new(CAUSE, Subtype::PrematureClose, 0.95)
            .with(case.says(Weight::Proof, case.x.record(), fact))
            .over(
                Cause::KeepAliveRace,
                Subtype::FinBeforeRequest,
                "a connection lost to a race carries no byte of an answer",
            );
        found.proof = case.x.in_words();
        if !found.proof {
            found.score = 0.8;
            found = found
                .over(
                    Cause::InvalidResponse,
                    Subtype::MalformedHeader,
                    "no line says that the header was invalid",
                )
                .lacking(format!("the error log of {}", case.name()));
        }
        found.fires()
    }
}

/// Step 11c: closed or reset without a byte, and not a race.
pub(crate) struct Closed;

impl Rule for Closed {
    fn question(&self) -> &'static str {
        "did the upstream end the connection, or die?"
    }

    fn label(&self) -> Label {
        label(CAUSE, Subtype::PrematureClose)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.x.is_cut_without_a_byte() {
            return not_cut(case);
        }
        let sum = case.balance();
        if sum.is_race() {
            let why = format!("the facts weigh {} for a race, enough to explain it", sum.race());
            return Verdict::near(5, why);
        }
        let mut found = died(
            sum,
            case.upstream_hop.is_some() || !case.x.upstream.is_empty() && sum.upset.is_none(),
        )
        .unwrap_or_else(|| cut(case, sum));
        let fact = "the connection ended without one byte of an answer";
        found = found.with(case.says(Weight::Strong, case.x.record(), fact));
        if found.label.subtype == Subtype::PrematureClose
            && case.x.signal().map(|s| s.fault) == Some(Fault::ResetOrClosed)
        {
            found = found.lacking("whether it was FIN or RST: the log does not tell them apart");
        }
        if case.x.product == Product::AwsAlb {
            found.score = found.score.min(0.75);
            found = found.over(
                Cause::InvalidResponse,
                Subtype::MalformedHeader,
                format!(
                    "possible as well: {} logs an answer it cannot accept in the same way",
                    case.name()
                ),
            );
        }
        if case.upstream_hop.is_none() {
            found = found.lacking(format!("the log of {}", case.upstream_name()));
        }
        let race = sum.race();
        for term in sum.terms.iter().filter(|t| t.race != 0 || t.crash != 0) {
            let mut evidence = term.evidence.clone();
            if found.proof && evidence.weight == Weight::Counter {
                evidence.weight = Weight::Strong; // It speaks against the race, for this.
            }
            evidence.fact = format!("{} ({})", evidence.fact, term.worth());
            found.evidence.push(evidence);
        }
        if sum.excluded.is_none() && race > 0 {
            let why = format!("the facts weigh {race} for it, too little: {PROBABLE} are needed");
            found = found.over(Cause::KeepAliveRace, Subtype::FinBeforeRequest, why);
        }
        found.fires()
    }
}

/// Nothing ended without a byte, or nothing says so.
fn not_cut(case: &Case<'_, '_>) -> Verdict {
    match case.x.signal() {
        Some(_) => Verdict::near(1, "the connection did not end without a byte of an answer"),
        None => taken_along(case).map_or_else(|| case.unnamed(1), Candidate::fires),
    }
}

/// Nothing names the fault, but the server says that the process went just then, and has no record of the request.
fn taken_along(case: &Case<'_, '_>) -> Option<Candidate> {
    const GRAVE: [Upset; 3] = [Upset::Crash, Upset::Recycle, Upset::Restart];
    let nothing_known = case.x.fact.is_none() && !case.upstream_saw_it() && !unnamed_timer(case);
    let end = case.x.end_us.filter(|_| nothing_known)?;
    let (upset, event) = burst::upset(case.survey, &case.event_hops(), end)?;
    let at = event.end_us.or(event.start_us)?;
    let is_near = (at - end).abs() <= 5_000_000 && GRAVE.contains(&upset);
    if !is_near || burst::is_of_another(case.survey, case.x, at) {
        return None;
    }
    let subtype = died_of(Some(upset));
    let fact = format!(
        "{} of the failure: {}",
        span((at - end).unsigned_abs()),
        subtype.plain()
    );
    let covered = case.upstream_covered(60_000_000);
    let mut found = Candidate::new(CAUSE, subtype, if covered { 0.78 } else { 0.65 })
        .with(case.says(Weight::Strong, Some(event), format!("within {fact}")))
        .lacking(format!("the error log of {}", case.name()));
    if covered {
        let fact = format!(
            "{} has no record of it, though it logged others",
            case.upstream_name()
        );
        found = found.with(case.notes(Weight::Strong, fact));
    }
    found.joined = true;
    Some(found)
}

/// The process died: by what it left behind.
fn died(sum: &Balance, sure_of_hop: bool) -> Option<Candidate> {
    let signs = [
        sum.burst,
        sum.refused,
        sum.upset.is_some_and(|u| u != Upset::Down),
        sum.worker_limit,
    ];
    let signs = signs.into_iter().filter(|&s| s).count();
    if signs == 0 {
        return None;
    }
    let said = matches!(sum.upset, Some(Upset::Crash | Upset::Recycle));
    let sure = (signs >= 2 || said) && sure_of_hop;
    let mut found = Candidate::new(CAUSE, died_of(sum.upset), if sure { 0.93 } else { 0.8 });
    found.proof = sure;
    Some(found)
}

fn died_of(upset: Option<Upset>) -> Subtype {
    match upset {
        Some(Upset::Recycle) => Subtype::AppPoolRecycle,
        Some(Upset::Restart) => Subtype::BackendRestart,
        _ => Subtype::WorkerCrash,
    }
}

/// Nothing says why it ended: what the wire showed.
fn cut(case: &Case<'_, '_>, sum: &Balance) -> Candidate {
    let subtype = match case.x.signal().map(|s| s.fault) {
        Some(Fault::Reset | Fault::BrokenPipe) => Subtype::ResetBeforeResponse,
        _ => Subtype::PrematureClose,
    };
    let lasted = case.x.lasted_us.unwrap_or(0);
    let pile = case
        .learnt(&case.survey.learnt.cuts)
        .filter(|v| hits(lasted, v.us));
    if let Some(value) = pile {
        let fact = format!("{} requests were cut at {}", value.support, span(value.us));
        return Candidate::new(CAUSE, Subtype::IdleCutInFlight, 0.7)
            .with(case.notes(Weight::Strong, fact))
            .lacking("the idle limits of whatever stands between the two")
            .over(
                CAUSE,
                subtype,
                "a process that fails by itself does not keep to a round time",
            );
    }
    if let Some(more) = outlived_us(case) {
        let upstream = case.upstream_name();
        let fact = format!("{upstream} was still at it for another {}", span(more));
        let beyond = case.beyond.and_then(|link| link.outcome.as_ref());
        let mut found = Candidate::new(CAUSE, Subtype::IdleCutInFlight, 0.7)
            .with(case.says(Weight::Strong, beyond, fact))
            .lacking("the idle limits of whatever stands between the two")
            .over(
                CAUSE,
                subtype,
                format!("{upstream} did not end it: it was still at work"),
            );
        found.joined = true;
        return found;
    }
    let open = sum.excluded.is_none() && lasted <= 200_000 && sum.race() > 0;
    // Without the upstream's log, and no more for the one than for the other, either would be a guess.
    let undecided = open && sum.race() >= sum.drop() && !case.upstream_covered(5_000_000);
    let score = if sum.excluded.is_some() {
        0.85
    } else if lasted > 200_000 {
        0.8
    } else if sum.race() <= 0 {
        0.72
    } else {
        0.5
    };
    let mut found = if undecided {
        Candidate::new(Cause::Unexplained, Subtype::Ambiguous, 0.35).over(
            CAUSE,
            subtype,
            "it may as well have been a race, and nothing tells them apart",
        )
    } else {
        Candidate::new(CAUSE, subtype, score)
    };
    if sum.excluded.is_none() && lasted <= 200_000 {
        found = found.lacking("whether the connection had been used before");
    }
    if case.idle_us().is_none() {
        found = found.lacking(idle_lacks(case));
    }
    found
}
