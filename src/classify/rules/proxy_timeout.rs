//! `proxy_timeout`: a timer of the proxy ran out while the upstream was still there.
//!
//! Proven by the product's own words for its timer. Likely when only status and duration say so,
//! or when the duration matches a limit that was learnt.
//! Not this: a duration that matches the upstream's limit (its worker was killed), or a header
//! timer that ran out while the request waited for a worker (that is `queueing_delay`).

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::classify::burst::burst;
use crate::classify::case::{hits, origin};
use crate::classify::learn::written_value;
use crate::classify::load;
use crate::classify::wait::{Wait, outlived_us, stuck_with};
use crate::classify::words::{count, span};
use crate::model::finding::Label;
use crate::model::{Limit, LimitKind, Weight};

/// Step 2: the client side gave up first.
pub(crate) struct Client;

impl Rule for Client {
    fn question(&self) -> &'static str {
        "did the client leave first?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::ClientTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.is(
            &[Phase::Client],
            &[Fault::ClientGone, Fault::TimedOut, Fault::Closed, Fault::Reset],
        ) {
            return Verdict::far("the client was still there");
        }
        let lasted = case
            .x
            .lasted_us
            .map_or_else(String::new, |d| format!(" after {}", span(d)));
        let fact = format!("{} saw its client go away{lasted}", case.name());
        Candidate::new(Cause::ProxyTimeout, Subtype::ClientTimeout, 0.95)
            .proven()
            .with(case.says(Weight::Proof, case.x.record(), fact))
            .lacking("the log of the client or of the hop before, for its timeout")
            .fires()
    }
}

/// Step 6a: the TLS handshake was not finished in time.
pub(crate) struct Tls;

impl Rule for Tls {
    fn question(&self) -> &'static str {
        "did the TLS handshake run out of time?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::TlsHandshakeTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal().filter(|s| s.phase == Phase::Tls) else {
            return Verdict::far("no handshake failed");
        };
        let new = |score| Candidate::new(Cause::ProxyTimeout, Subtype::TlsHandshakeTimeout, score);
        if signal.fault == Fault::TimedOut {
            return new(0.95)
                .proven()
                .with(words(case, "waited in vain for the TLS handshake with"))
                .fires();
        }
        if case.x.product != Product::Apache || signal.fault == Fault::CertificateRejected {
            return Verdict::near(3, "the handshake was refused, not left unanswered");
        }
        // Apache says "Error during SSL Handshake" for both; only the time tells them apart.
        let timer = case
            .timer(LimitKind::TlsHandshake)
            .or_else(|| case.timer(LimitKind::Read));
        let Some(lasted) = case.x.lasted_us.or(case.x.at_least_us) else {
            return Verdict::lacks(3, "how long the handshake took");
        };
        let ran_out = |limit: &Limit| limit.value_us.is_some_and(|us| lasted + 2_000 >= us);
        let Some(limit) = timer.filter(ran_out) else {
            if slow_handshake(case) {
                return new(0.65)
                    .with(words(case, "did not finish the TLS handshake with"))
                    .with(case.notes(
                        Weight::Strong,
                        "a handshake that is refused ends within a round trip or two",
                    ))
                    .over(
                        Cause::DroppedConnection,
                        Subtype::TlsRejected,
                        "Apache writes the same words for it, but it would not have taken that long",
                    )
                    .lacking(format!("the configuration of {}: its ProxyTimeout", case.name()))
                    .fires();
            }
            return Verdict::near(
                3,
                format!("it failed after {}, long before the timer", span(lasted)),
            );
        };
        new(if limit.origin.is_configured() { 0.93 } else { 0.8 })
            .with(words(case, "did not finish the TLS handshake with"))
            .with(case.notes(
                Weight::Strong,
                format!(
                    "{} is its timer's value ({})",
                    span(limit.value_us.unwrap_or(0)),
                    origin(&limit)
                ),
            ))
            .proven()
            .fires()
    }
}

/// Apache's words fit a refusal and a timer alike; only a timer takes a second and more.
pub(super) fn slow_handshake(case: &Case<'_, '_>) -> bool {
    const SLOW_US: u64 = 1_000_000;
    let vague = case
        .x
        .signal()
        .is_some_and(|s| s.phase == Phase::Tls && matches!(s.fault, Fault::TlsRejected | Fault::Other));
    let lasted = case.x.lasted_us.or(case.x.at_least_us);
    vague && case.x.product == Product::Apache && lasted.is_some_and(|us| us >= SLOW_US)
}

/// Step 7b: the connection, or the name, was not there in time.
pub(crate) struct Connect;

impl Rule for Connect {
    fn question(&self) -> &'static str {
        "did connecting, or finding the address, run out of time?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::ConnectTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal().filter(|s| s.fault == Fault::TimedOut) else {
            return Verdict::far("no timer of the proxy's ran out");
        };
        match signal.phase {
            Phase::Resolve => {
                return Candidate::new(Cause::ProxyTimeout, Subtype::NameResolutionTimeout, 0.95)
                    .proven()
                    .with(words(case, "could not resolve the name of"))
                    .fires();
            }
            Phase::Connect | Phase::ConnectOrTls => {}
            Phase::Unknown if case.x.connected == Some(false) => {}
            _ => return Verdict::near(1, "the connection had been made"),
        }
        if gave_up_early(case) {
            return Verdict::near(4, "the connect timer had not run out");
        }
        let mut found = either(case, signal.phase).with(words(case, "got no connection to"));
        if case.x.product == Product::Squid {
            // Its log has no error number: that the timer ran out follows from the time alone.
            found.proof = false;
            found.score = found.score.min(0.85);
        }
        found = with_timer(case, found, LimitKind::Connect);
        if case.x.product == Product::Haproxy && case.x.outcome.is_some_and(|r| r.retries > 0) {
            let tries = case.x.outcome.map_or(0, |r| usize::from(r.retries)) + 1;
            found = found.with(case.notes(
                Weight::Context,
                format!("the time covers {}", count(tries, "attempt")),
            ));
        }
        backlog(case, found).fires()
    }
}

/// Squid does not say why a connection was not made. The timer did not run out if it had more than a second to go
/// (Squid counts whole seconds), or if other connections to the same upstream were cut in the same instant: then it
/// was the second attempt at a request that had been cut like them.
pub(super) fn gave_up_early(case: &Case<'_, '_>) -> bool {
    const COUNTS_US: u64 = 1_000_000;
    if case.x.product != Product::Squid
        || !case.is(&[Phase::Connect, Phase::ConnectOrTls], &[Fault::TimedOut])
    {
        return false;
    }
    let limit = case
        .limit(LimitKind::Connect)
        .filter(|l| l.origin.is_configured());
    let early = |(us, lasted): (u64, u64)| lasted + COUNTS_US < us;
    limit
        .and_then(|l| l.value_us)
        .zip(case.x.lasted_us)
        .is_some_and(early)
        || !burst(case.survey, case.x).others.is_empty()
}

/// TCP or TLS? Some products have one timer for both.
fn either(case: &Case<'_, '_>, phase: Phase) -> Candidate {
    let connect = |score| Candidate::new(Cause::ProxyTimeout, Subtype::ConnectTimeout, score);
    if phase == Phase::Connect {
        return connect(0.95).proven();
    }
    let scope = case.scope();
    match case.survey.world.limits.upstream_tls(case.x.hop, &scope) {
        Some(false) => connect(0.93).proven(),
        Some(true) => Candidate::new(Cause::ProxyTimeout, Subtype::TlsHandshakeTimeout, 0.6)
            .over(
                Cause::ProxyTimeout,
                Subtype::ConnectTimeout,
                "the log does not tell TCP connect from TLS handshake; the upstream is spoken to over TLS",
            )
            .lacking(format!("the error log of {}, or a capture", case.name())),
        None => connect(0.75)
            .over(
                Cause::ProxyTimeout,
                Subtype::TlsHandshakeTimeout,
                "the log does not tell TCP connect from TLS handshake; nothing says that TLS is used",
            )
            .lacking(format!(
                "the configuration of {}: is TLS used to the upstream",
                case.name()
            )),
    }
}

/// A full accept queue swallows connections; with explicit evidence it is the cause, else a suspicion.
fn backlog(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    let (from, to) = (
        case.x.start_us.unwrap_or(i64::MAX),
        case.x.end_us.unwrap_or(i64::MIN),
    );
    let hops = case.event_hops();
    let full = case
        .survey
        .events(from.saturating_sub(2_000_000), to.saturating_add(2_000_000))
        .find(|e| {
            let fault = e.signal.map(|s| s.fault);
            let full = matches!(
                fault,
                Some(Fault::QueueFull | Fault::BacklogFull | Fault::WorkersExhausted)
            );
            full && hops.contains(&e.hop)
        });
    let backlog = label(Cause::QueueingDelay, Subtype::ListenBacklog);
    if let Some(event) = full {
        found = found.with(case.says(
            Weight::Strong,
            Some(event),
            "the upstream said that its queue was full",
        ));
        found.contributing = Some(found.label);
        found.label = backlog;
        found.joined = true;
        return found;
    }
    let stuck = stuck_with(case);
    if stuck >= 2 && case.upstream_covered(5_000_000) {
        let fact = format!(
            "{} got no connection at the same time, while the upstream served requests",
            count(stuck, "other request")
        );
        found = found.with(case.notes(Weight::Weak, fact));
        found.contributing = Some(backlog);
    }
    found
}

/// Whether the timer for the answer (or one that is not further named) ran out.
pub(crate) fn header_timer(case: &Case<'_, '_>) -> bool {
    case.is(
        &[Phase::Header, Phase::Unknown, Phase::Send, Phase::Process],
        &[Fault::TimedOut],
    )
}

/// Whether nothing names the fault, but it took as long as a timer of this hop that is known, or that its failures share.
pub(crate) fn unnamed_timer(case: &Case<'_, '_>) -> bool {
    let Some(lasted) = case.x.lasted_us.filter(|_| case.x.fact.is_none()) else {
        return false;
    };
    let is_known = |kind| {
        let value = case.limit(kind).and_then(|limit| limit.value_us);
        value.is_some_and(|us| us > 0 && hits(lasted, us))
    };
    is_known(LimitKind::Read)
        || is_known(LimitKind::Total)
        || case
            .learnt(&case.survey.learnt.timeouts)
            .is_some_and(|value| hits(lasted, value.us))
}

/// Step 8: no answer in time.
pub(crate) struct Header;

impl Rule for Header {
    fn question(&self) -> &'static str {
        "did the wait for an answer run out of time?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::ResponseHeaderTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !header_timer(case) {
            return no_timer(case);
        }
        let phase = case.x.signal().map(|s| s.phase);
        if matches!(
            case.wait(),
            Wait::Queued { .. } | Wait::Held { .. } | Wait::Piled { .. }
        ) {
            return Verdict::near(
                4,
                "the timer ran out while the request waited, not while it was worked on",
            );
        }
        if phase == Some(Phase::Send) {
            return Candidate::new(Cause::ProxyTimeout, Subtype::RequestSendTimeout, 0.95)
                .proven()
                .with(words(case, "could not send the whole request to"))
                .fires();
        }
        let subtype = if is_total(case) {
            Subtype::TotalTimeout
        } else {
            Subtype::ResponseHeaderTimeout
        };
        let mut found =
            Candidate::new(Cause::ProxyTimeout, subtype, 0.95).with(words(case, "got no answer from"));
        found.proof = case.x.in_words();
        if !found.proof {
            found.score = 0.85;
            found = found.lacking(format!("the error log of {}", case.name()));
        }
        found = with_timer(case, found, LimitKind::Read);
        found = why_slow(case, found);
        if phase != Some(Phase::Header) && !case.upstream_saw_it() {
            found = unnamed_phase(case, found);
        }
        if let Some(queued) = super::queueing_delay::waited_in_own_queue(case) {
            let fact = format!("before that it had waited {} for a slot", span(queued));
            found = found.with(case.says(Weight::Context, case.x.outcome, fact));
            found.contributing = Some(label(Cause::QueueingDelay, Subtype::ProxyQueueTimeout));
        }
        found.fires()
    }
}

/// The products whose timer for an answer is one for the whole exchange: Envoy's route timeout (but not the one for a
/// single try), and Google's backend service timeout.
fn is_total(case: &Case<'_, '_>) -> bool {
    let error = case.x.record().map_or("", |r| &r.error);
    match case.x.product {
        Product::Envoy => !error.contains("per_try"),
        Product::GcpLb => true,
        _ => false,
    }
}

fn no_timer(case: &Case<'_, '_>) -> Verdict {
    let Some(lasted) = case.x.lasted_us else {
        return Verdict::lacks(1, "how long it took, and whether a timer ran out");
    };
    let limit = case.limit(LimitKind::Read).and_then(|l| l.value_us);
    match limit {
        Some(us) if lasted < us => Verdict::near(
            3,
            format!("it failed after {}, the read timer is {}", span(lasted), span(us)),
        ),
        _ => Verdict::near(
            2,
            format!("nothing says that a timer ran out in the {}", span(lasted)),
        ),
    }
}

/// The product has one timer for everything up to the answer, and the upstream shows no trace.
fn unnamed_phase(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    let covered = case.upstream_covered(5_000_000);
    found.score = found.score.min(if covered { 0.6 } else { 0.8 });
    found
        .over(
            Cause::ProxyTimeout,
            Subtype::ConnectTimeout,
            format!(
                "{} has one timer for connecting and answering and does not say in which it was",
                case.name()
            ),
        )
        .lacking(format!(
            "the log of {}: did the request arrive",
            case.upstream_name()
        ))
}

/// The second verdict: why the upstream was slow.
fn why_slow(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    let upstream = case.beyond_name();
    let beyond = case.beyond.and_then(|l| l.outcome.as_ref());
    match case.wait() {
        Wait::Worked { worked, waited } => {
            let fact = format!("{upstream} worked on it for {}", span(worked));
            found = found.with(case.says(Weight::Strong, beyond, fact));
            if waited * 5 >= worked {
                let fact = format!("before that it had waited {}", span(waited));
                found = found.with(case.notes(Weight::Context, fact));
                found.contributing = Some(label(Cause::QueueingDelay, Subtype::AppQueue));
            }
        }
        Wait::Late => {
            let fact = format!("{upstream} has a record of the request");
            found = found
                .with(case.says(Weight::Context, beyond, fact))
                .lacking(format!("the duration of requests in the log of {upstream}"));
            found = crowded(case, found);
        }
        Wait::Lost => {
            let fact = format!("{upstream} had finished before; its answer did not arrive");
            found = found.with(case.says(Weight::Counter, beyond, fact));
            found.score = found.score.min(0.8);
        }
        Wait::Unseen => {
            let fact = format!("{upstream} has no record of it, though it logged others at that time");
            found = found.with(case.notes(Weight::Context, fact));
            found.score = found.score.min(0.8);
            found = loaded(case, found);
        }
        Wait::Blind => {
            found = found.lacking(format!(
                "the log of {upstream}, to separate slow work from queueing"
            ));
            found = crowded(case, found);
        }
        Wait::Queued { .. } | Wait::Held { .. } | Wait::Piled { .. } => {}
    }
    found
}

/// Others that ran out of time in the same seconds may have stood in one queue with it: that the timer ran out is
/// proven, but not why, where the upstream's log does not say how long it worked.
fn crowded(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    let stuck = stuck_with(case);
    if stuck < 2 {
        return found;
    }
    let others = count(stuck, "other request");
    found.proof = false;
    found.score = found.score.min(0.75);
    found.contributing = Some(label(Cause::QueueingDelay, Subtype::AppQueue));
    found.over(
        Cause::QueueingDelay,
        Subtype::AppQueue,
        format!("{others} ran out of time in the same seconds, as behind a queue; nothing says how long the work took"),
    )
}

/// Whether there was a queue to wait in, where the upstream does not say.
fn loaded(case: &Case<'_, '_>, mut found: Candidate) -> Candidate {
    match load::around(case) {
        Some(load) if load.is_full() => {
            found.contributing = Some(label(Cause::QueueingDelay, Subtype::AppQueue));
            found.with(case.notes(Weight::Weak, load.in_words()))
        }
        Some(load) if load.is_low() => found.with(case.notes(Weight::Context, load.words())),
        _ => found,
    }
}

/// Names the timer and compares it with the time that passed. A default that does not fit is no
/// contradiction (someone may have set it); a configured value that does not fit is one.
fn with_timer(case: &Case<'_, '_>, mut found: Candidate, kind: LimitKind) -> Candidate {
    let limit = case.timer(kind).or_else(|| case.timer(LimitKind::Total));
    let Some((limit, us)) = limit.and_then(|l| l.value_us.map(|us| (l, us))) else {
        return found;
    };
    let Some(lasted) = case.x.lasted_us else {
        return found;
    };
    let tries = case.x.outcome.map_or(0, |r| u64::from(r.retries)) + 1;
    let fits = hits(lasted, us) || (1..=tries).any(|n| hits(lasted, us * n));
    let value = format!("{} ({})", span(us), origin(&limit));
    if fits {
        found = found.with(case.notes(
            Weight::Strong,
            format!("{} is its timer's value: {value}", span(lasted)),
        ));
    } else if limit.origin.is_configured() {
        let fact = format!("the timer is {value}, but {} passed", span(lasted));
        found = found.with(case.notes(Weight::Counter, fact));
        found.score = found.score.min(0.85);
    }
    if !case.x.in_words() && fits && limit.origin.is_configured() {
        found.score = found.score.max(0.9);
        found.proof = true;
    } else if !case.x.in_words() && !limit.origin.is_configured() {
        found.score = found.score.min(0.8);
    }
    found
}

fn words(case: &Case<'_, '_>, what: &str) -> crate::model::finding::Evidence {
    let lasted = case
        .x
        .lasted_us
        .map_or_else(String::new, |d| format!(" for {}", span(d)));
    let fact = format!("{} {what} {}{lasted}", case.name(), case.upstream_name());
    let weight = if case.x.in_words() {
        Weight::Proof
    } else {
        Weight::Strong
    };
    case.says(weight, case.x.record(), fact)
}

/// Step 9a: the answer stalled.
pub(crate) struct Body;

impl Rule for Body {
    fn question(&self) -> &'static str {
        "did the rest of the answer not come in time?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::ResponseBodyTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.is(&[Phase::Body], &[Fault::TimedOut]) {
            return Verdict::far("no answer stalled");
        }
        Candidate::new(Cause::ProxyTimeout, Subtype::ResponseBodyTimeout, 0.95)
            .proven()
            .with(words(case, "waited for the rest of the answer of"))
            .fires()
    }
}

/// Step 11a: Node's `http-proxy` reports its own timer as `socket hang up`, like a close by the upstream.
pub(crate) struct Disguised;

impl Rule for Disguised {
    fn question(&self) -> &'static str {
        "is a close that keeps to a timer the proxy's own?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::ResponseHeaderTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if !case.x.is_cut_without_a_byte() || !matches!(case.x.product, Product::Node | Product::Application)
        {
            return Verdict::far("this product names its own timers");
        }
        let Some(lasted) = case.x.lasted_us else {
            return Verdict::lacks(2, "how long it took");
        };
        let known = case.limit(LimitKind::Read).and_then(|l| l.value_us);
        let learnt = case.learnt(&case.survey.learnt.cuts).map(|v| v.us);
        let working = matches!(case.wait(), Wait::Worked { .. } | Wait::Queued { .. });
        let measured = known.or(learnt).filter(|&us| us > 0 && hits(lasted, us));
        // Too few for a pile-up: an upstream that was at it until a round value had passed did not close by itself.
        let written = || written_value(lasted).filter(|_| working);
        let Some(limit) = measured.or_else(written) else {
            return Verdict::near(
                2,
                format!("{} is no value at which failures pile up", span(lasted)),
            );
        };
        let mut found = Candidate::new(
            Cause::ProxyTimeout,
            Subtype::ResponseHeaderTimeout,
            if working && measured.is_some() { 0.8 } else { 0.6 },
        )
        .with(case.says(
            if measured.is_some() {
                Weight::Strong
            } else {
                Weight::Weak
            },
            case.x.record(),
            match measured {
                Some(_) => format!(
                    "it failed after {}, where failures pile up at {}",
                    span(lasted),
                    span(limit)
                ),
                None => format!(
                    "it failed after {}, just past {}, which is a value that people set",
                    span(lasted),
                    span(limit)
                ),
            },
        ))
        .over(
            Cause::DroppedConnection,
            Subtype::PrematureClose,
            "the error text is the same, but a close by the upstream does not keep to a timer",
        );
        if working {
            let fact = format!("{} was still at it", case.upstream_name());
            found = found.with(case.notes(Weight::Strong, fact));
        }
        found.joined = working;
        found
            .lacking(format!("the timeout that {} is configured with", case.name()))
            .fires()
    }
}

/// One failure that nothing names and that no other is like: only the upstream's own record can tell.
fn alone(case: &Case<'_, '_>, lasted: u64) -> Verdict {
    let why = format!(
        "{} is neither a known timer nor a value that failures share",
        span(lasted)
    );
    let Some(more) = outlived_us(case) else {
        return Verdict::near(3, why);
    };
    let (upstream, name) = (case.upstream_name(), case.name());
    let fact = format!("{upstream} was still at it for another {}", span(more));
    let beyond = case.beyond.and_then(|link| link.outcome.as_ref());
    let score = if written_value(lasted).is_some() {
        0.85
    } else {
        0.7
    };
    let mut found = Candidate::new(Cause::ProxyTimeout, Subtype::ResponseHeaderTimeout, score)
        .with(case.says(Weight::Strong, beyond, fact))
        .over(
            Cause::DroppedConnection,
            Subtype::PrematureClose,
            format!("{upstream} did not end it: it was still at work"),
        )
        .lacking(format!("the timeout that {name} is configured with"))
        .lacking(format!("the error log of {name}"));
    if let Some(value) = written_value(lasted) {
        let fact = format!(
            "{name} waited for {}, just past {}, which is a value that people set",
            span(lasted),
            span(value)
        );
        found = found.with(case.says(Weight::Strong, case.x.outcome, fact));
    }
    found.joined = true;
    found.fires()
}

/// Step 12: nothing names the fault, but failures pile up at this duration.
pub(crate) struct Learnt;

impl Rule for Learnt {
    fn question(&self) -> &'static str {
        "does the duration match a timer although nothing names the fault?"
    }

    fn label(&self) -> Label {
        label(Cause::ProxyTimeout, Subtype::TotalTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        if case.x.fact.is_some() {
            return Verdict::far("something names the fault");
        }
        let Some(lasted) = case.x.lasted_us else {
            return Verdict::lacks(3, "how long it took");
        };
        let configured = [LimitKind::Read, LimitKind::Connect, LimitKind::Total]
            .into_iter()
            .find_map(|kind| {
                let limit = case.limit(kind)?;
                let us = limit.value_us.filter(|&us| us > 0 && hits(lasted, us))?;
                Some((kind, us, limit))
            });
        let learnt = case
            .learnt(&case.survey.learnt.timeouts)
            .filter(|v| hits(lasted, v.us));
        let subtype = match &configured {
            Some((LimitKind::Read, ..)) => Subtype::ResponseHeaderTimeout,
            Some((LimitKind::Connect, ..)) => Subtype::ConnectTimeout,
            None if case.upstream_saw_it() => Subtype::ResponseHeaderTimeout,
            _ => Subtype::TotalTimeout,
        };
        let (score, fact) = match (configured, learnt) {
            (Some((_, us, limit)), also) => {
                let sure = limit.origin.is_configured() || also.is_some();
                let fact = format!(
                    "{} is the timer's value: {} ({})",
                    span(lasted),
                    span(us),
                    origin(&limit)
                );
                (if sure { 0.8 } else { 0.6 }, fact)
            }
            (None, Some(v)) => {
                let fact = format!("{} failures pile up at {}", v.support, span(v.us));
                (0.72, fact)
            }
            (None, None) => return alone(case, lasted),
        };
        Candidate::new(Cause::ProxyTimeout, subtype, score)
            .with(case.says(Weight::Strong, case.x.outcome, fact))
            .lacking(format!("the error log of {}", case.name()))
            .fires()
    }
}
