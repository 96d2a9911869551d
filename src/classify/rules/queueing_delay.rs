//! `queueing_delay`: the request spent its life waiting for capacity, not being worked on.
//!
//! Proven when the product says so (its own queue's timer, a full queue or backlog), or when the
//! server's own record shows a short service that began late. Likely when the upstream has no
//! record and others like it were stuck at the same time.
//! Not this: a retry that HAProxy counts as time in the queue, or slow work in the application.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::classify::load::{self, Load};
use crate::classify::wait::Wait;
use crate::classify::words::{count, span};
use crate::model::finding::Label;
use crate::model::{LimitKind, Weight};

/// Step 4: the product names its queue.
pub(crate) struct Explicit;

impl Rule for Explicit {
    fn question(&self) -> &'static str {
        "does the product name a queue?"
    }

    fn label(&self) -> Label {
        label(Cause::QueueingDelay, Subtype::ProxyQueueTimeout)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal() else {
            return case.unnamed(0);
        };
        let queue = signal.phase == Phase::Queue;
        let own = case.x.product.is_proxy();
        let subtype = match signal.fault {
            Fault::QueueTimedOut | Fault::TimedOut if queue && own => Subtype::ProxyQueueTimeout,
            Fault::QueueTimedOut => Subtype::AppQueue,
            Fault::QueueFull | Fault::WorkersExhausted | Fault::ResourceExhausted if own => {
                Subtype::ProxyQueueOverflow
            }
            Fault::QueueFull | Fault::WorkersExhausted => Subtype::ServerQueueRejected,
            Fault::BacklogFull => Subtype::ListenBacklog,
            _ => {
                let near = u8::from(waited_in_own_queue(case).is_some()) * 3;
                return Verdict::near(near, "it had left the proxy's queue before it failed");
            }
        };
        let exhausted = signal.fault == Fault::ResourceExhausted;
        let fact = match subtype {
            Subtype::ListenBacklog => format!("the accept queue of {} was full", case.upstream_name()),
            _ if exhausted => format!("{} ran out of ports, descriptors or memory", case.name()),
            Subtype::ProxyQueueOverflow | Subtype::ServerQueueRejected => {
                format!("the queue of {} was full", case.name())
            }
            _ => format!(
                "it waited in the queue of {} until the queue's timer ran out",
                case.name()
            ),
        };
        let mut found = Candidate::new(Cause::QueueingDelay, subtype, if exhausted { 0.8 } else { 0.95 })
            .with(case.says(Weight::Proof, case.x.record(), fact));
        if let Some(queued) = case.x.outcome.and_then(|r| r.queue_us.get()) {
            let text = format!("it waited {} for a slot", span(queued));
            found = found.with(case.says(Weight::Proof, case.x.outcome, text));
        }
        if let Some(limit) = case.limit(LimitKind::Queue).and_then(|l| l.value_us) {
            found = found.with(case.notes(Weight::Context, format!("the queue's timer is {}", span(limit))));
        }
        found.proof = !exhausted;
        found.fires()
    }
}

/// HAProxy's time in the queue, if it is really that: with a retry it is the failed attempt's time.
pub(crate) fn waited_in_own_queue(case: &Case<'_, '_>) -> Option<u64> {
    let record = case.x.outcome?;
    let queued = record.queue_us.get()?;
    let whole = record.duration_us?.max(1);
    (record.retries == 0 && queued * 5 >= whole && queued > 0).then_some(queued)
}

/// Step 8a: the header timer ran out while the request waited for a worker.
pub(crate) struct AppQueue;

impl Rule for AppQueue {
    fn question(&self) -> &'static str {
        "did the time pass in waiting for a worker?"
    }

    fn label(&self) -> Label {
        label(Cause::QueueingDelay, Subtype::AppQueue)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let unnamed = super::proxy_timeout::unnamed_timer(case);
        if !unnamed && !super::proxy_timeout::header_timer(case) {
            return Verdict::near(u8::from(case.x.is_cut()), "no timer of the proxy's ran out");
        }
        let (waited, worked, sure) = match case.wait() {
            Wait::Queued { waited, worked, sure } => (waited, worked, sure),
            Wait::Held { at, queued } => return held(case, at, queued),
            Wait::Piled { .. } if unnamed => return Verdict::lacks(3, "what ran out: nothing names it"),
            Wait::Piled { stuck, busy } => return piled(case, stuck, busy),
            Wait::Worked { worked, .. } => {
                let why = format!("{} worked on it for {}", case.beyond_name(), span(worked));
                return Verdict::near(4, why);
            }
            Wait::Late => return Verdict::lacks(3, "how long the upstream worked: its record does not say"),
            Wait::Lost => return Verdict::near(3, "the upstream had finished long before the proxy gave up"),
            Wait::Unseen => return Verdict::near(3, idle(case)),
            Wait::Blind => {
                return Verdict::lacks(3, "what the upstream did: its log for that time is not there");
            }
        };
        let share = waited * 100 / (waited + worked).max(1);
        let beyond = case.beyond.and_then(|l| l.outcome.as_ref());
        let mut found = Candidate::new(
            Cause::QueueingDelay,
            Subtype::AppQueue,
            if sure { 0.93 } else { 0.8 },
        )
        .with(timer_fact(case))
        .with(case.says(
            Weight::Strong,
            beyond,
            format!("{} worked on it for {} only", case.beyond_name(), span(worked)),
        ))
        .with(case.notes(
            Weight::Strong,
            format!("it had waited {} for that, {share} % of its time", span(waited)),
        ))
        .over(
            Cause::ProxyTimeout,
            Subtype::ResponseHeaderTimeout,
            format!("the work itself took {}, far below the timer", span(worked)),
        );
        if worked * 5 >= waited {
            found.contributing = Some(label(Cause::ProxyTimeout, Subtype::ResponseHeaderTimeout));
        }
        if case
            .beyond
            .is_some_and(|l| l.records().any(|r| r.product == Product::Iis))
        {
            found.score = 0.65;
            found = found.lacking("HTTPERR Timer_AppPool lines: IIS counts the pool's queue as its own time");
        }
        if unnamed {
            found.score = found.score.min(0.8);
            found = found.lacking(format!("the error log of {}", case.name()));
        }
        found.joined = true;
        found.proof = sure && !unnamed;
        found.fires()
    }
}

/// Why a request that the upstream never logged was not in its queue.
fn idle(case: &Case<'_, '_>) -> String {
    match load::around(case).filter(Load::is_low) {
        Some(load) => format!("the load was below what can be served: {}", load.words()),
        None => "no sign of load at the upstream in those seconds".to_owned(),
    }
}

fn timer_fact(case: &Case<'_, '_>) -> crate::model::finding::Evidence {
    let lasted = case
        .x
        .lasted_us
        .map_or_else(String::new, |d| format!(" after {}", span(d)));
    let fact = format!("{} gave up on {}{lasted}", case.name(), case.upstream_name());
    case.says(Weight::Strong, case.x.record(), fact)
}

/// A proxy between held it in its queue.
fn held(case: &Case<'_, '_>, at: &crate::model::Record, queued: u64) -> Verdict {
    let name = case.survey.world.hop_name(at.hop);
    let mut found = Candidate::new(Cause::QueueingDelay, Subtype::ProxyQueueTimeout, 0.92)
        .proven()
        .with(timer_fact(case))
        .with(case.says(
            Weight::Proof,
            Some(at),
            format!("it waited {} in the queue of {name}", span(queued)),
        ));
    found.joined = at.hop != case.x.hop;
    found.fires()
}

/// No record at the upstream, but it was busy and others were stuck as well.
fn piled(case: &Case<'_, '_>, stuck: usize, busy: usize) -> Verdict {
    let mut found = Candidate::new(Cause::QueueingDelay, Subtype::AppQueue, 0.75)
        .with(timer_fact(case))
        .with(case.notes(
            Weight::Strong,
            format!(
                "{} to {} ran out of time in the same seconds",
                count(stuck, "other request"),
                case.upstream_name()
            ),
        ))
        .lacking(format!("the time {} began to work on it", case.upstream_name()));
    if busy > 0 {
        let fact = format!("it was working on {} all the while", count(busy, "long request"));
        found = found.with(case.notes(Weight::Strong, fact));
    }
    match load::around(case) {
        Some(load) if load.is_low() && busy == 0 => {
            found = found.with(case.notes(Weight::Counter, load.words()));
            found.score = 0.65;
        }
        Some(load) if load.is_full() => {
            found = found.with(case.notes(Weight::Weak, load.in_words()));
        }
        _ => {}
    }
    found.contributing = Some(label(Cause::ProxyTimeout, Subtype::ResponseHeaderTimeout));
    found.fires()
}
