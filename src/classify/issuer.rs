//! Who made the status: the walk from the client to the deepest hop that did not merely pass it on.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::case::Join;
use super::exchange::{self, Fact};
use super::survey::{Fields, Survey};
use crate::model::{JoinedBy, Link, Record, Trace};

/// Where the walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Issued {
    /// Index of the deepest link that carries the failure.
    pub(crate) link: usize,
    /// How that link came by the status.
    pub(crate) how: How,
    /// The least sure of the joins that led there.
    pub(crate) join: Join,
}

/// How a hop came by the status it sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// It made it, because its own exchange with the upstream failed, or for want of better knowledge.
    Made,
    /// It is the application and answered so itself. The flag: it is no program that forwards requests.
    Answered(bool),
    /// It received it from an upstream whose log is not there. The flag: proven by a header time.
    Received(bool),
}

/// Walks from link `from` towards the application.
pub(crate) fn find(survey: &Survey<'_>, trace: &Trace, from: usize) -> Issued {
    let mut at = from;
    let mut join = Join::Sure;
    // A trace is finite and children stand after their parents, so this ends; the bound is for broken input.
    for _ in 0..trace.links.len() {
        let Some(link) = trace.links.get(at) else { break };
        let received = received(survey, link);
        match child_with_the_failure(trace, at, received.is_some()) {
            Some(child) if child > at => {
                join = join.max(Join::of(&trace.links[child]));
                at = child;
            }
            _ => return settle(survey, trace, (link, at), received, join),
        }
    }
    Issued {
        link: at,
        how: How::Made,
        join,
    }
}

fn settle(
    survey: &Survey<'_>,
    trace: &Trace,
    (link, at): (&Link, usize),
    received: Option<bool>,
    join: Join,
) -> Issued {
    let last = !trace.links.iter().any(|l| l.parent == Some(at));
    let ends_here = survey
        .world
        .hops
        .get(link.hop.0 as usize)
        .is_some_and(|h| h.upstreams.is_empty());
    let how = match received {
        _ if answered_itself(link) => How::Answered(true),
        // A server that is never seen to forward anything, with nothing amiss in its own records.
        _ if last && ends_here && link.parent.is_some() && plain(link) => How::Answered(false),
        Some(proof) => How::Received(proof),
        None => How::Made,
    };
    Issued { link: at, how, join }
}

/// The record of an answer and nothing else: no attempt, no failure.
fn plain(link: &Link) -> bool {
    let fails = |r: &Record| r.signal.is_some_and(|s| exchange::is_specific(&s));
    let outcome = link.outcome.as_ref();
    outcome.is_some_and(|r| r.attempts.is_empty() && r.status.is_some_and(|s| s >= 500))
        && !link.records().any(fails)
}

/// Whether `link` received its status from its upstream; `Some(true)` if a header time proves it.
fn received(survey: &Survey<'_>, link: &Link) -> Option<bool> {
    let record = link.outcome.as_ref()?;
    let status = record.status.filter(|&s| s >= 500)?;
    if record.signal.is_some_and(|s| s.fault == Fault::UpstreamStatus) {
        return Some(true);
    }
    if record.signal.is_some_and(|s| exchange::is_specific(&s)) {
        return None;
    }
    if let Some(attempt) = record.last_attempt() {
        let header = attempt
            .header_us
            .get()
            .or(record.header_us.get().filter(|_| record.attempts.len() == 1));
        if header.is_some() && attempt.status.is_none_or(|s| s == status) {
            return Some(true);
        }
    }
    let facts = exchange::facts(link);
    if own_failure(&facts) || !record.product.is_proxy() {
        return None;
    }
    if record.product == Product::Haproxy {
        return record.header_us.get().map(|_| true);
    }
    let fields = survey.fields(link.hop);
    let header_would_show = fields.header && record.attempts.iter().any(|a| a.header_us.get().is_some());
    // These products write a line for every failure of their own; none means the status came from upstream.
    // An error line nearby that was not recognised as any request's may well be this one's.
    let orphan = survey.has_orphan(record);
    let silent = fields.failures && !orphan && !unanswered(record, fields) && record.product != Product::Iis;
    (silent || header_would_show).then_some(false)
}

/// The log gives header times, or connect times, and this request has none: no answer came.
fn unanswered(record: &Record, fields: Fields) -> bool {
    let Some(last) = record.last_attempt() else {
        return false;
    };
    let no_header = fields.header && last.header_us.get().is_none() && record.header_us.get().is_none();
    let no_connection =
        fields.connect && last.connect_us.get().is_none() && record.connect_us.get().is_none();
    no_header || no_connection
}

fn own_failure(facts: &[Fact<'_>]) -> bool {
    facts.iter().any(|f| f.signal.phase != Phase::Process)
}

/// The child that holds the failure: it answered with a 5xx that `at` passed on, or it is Apache,
/// which drops the connection without sending the 502 that it logs.
fn child_with_the_failure(trace: &Trace, at: usize, received: bool) -> Option<usize> {
    let parent = trace.links.get(at)?;
    let status = parent.outcome.as_ref()?.status;
    let facts = exchange::facts(parent);
    let failed_itself = own_failure(&facts)
        || parent
            .outcome
            .as_ref()
            .is_some_and(|r| r.signal.is_some_and(|s| exchange::is_specific(&s)));
    let (child, link) = trace
        .links
        .iter()
        .enumerate()
        .filter(|(_, l)| l.parent == Some(at))
        .max_by_key(|(n, l)| (l.interval().map(|i| i.1), *n))?;
    let Some(theirs) = link.outcome.as_ref() else {
        // Only its error lines were found; they name what it answered to.
        return (received && own_failure(&exchange::facts(link))).then_some(child);
    };
    let code = theirs.status?;
    let same = Some(code) == status && code >= 500;
    let mute = theirs.product == Product::Apache
        && code >= 500
        && theirs.bytes_sent.get().unwrap_or(0) == 0
        && exchange::decisive(parent, &facts).is_some_and(|f| is_close(f.signal.fault));
    // By time alone, only the same status shows that it was the same request.
    let other_code = received && link.joined_by != JoinedBy::Time;
    let passed = code >= 500 && (same && (received || !failed_itself) || other_code);
    (passed || mute).then_some(child)
}

fn is_close(fault: Fault) -> bool {
    matches!(fault, Fault::Closed | Fault::Reset | Fault::ResetOrClosed)
}

/// A program that forwards nothing can only have answered itself.
fn answered_itself(link: &Link) -> bool {
    let Some(record) = link.outcome.as_ref() else {
        return false;
    };
    let forwards = record.product.is_proxy()
        || !record.attempts.is_empty()
        || (record.product == Product::Iis && matches!(record.substatus, 3 | 4));
    let says = link
        .records()
        .any(|r| r.signal.is_some_and(|s| exchange::is_specific(&s)));
    !forwards && !says && (link.parent.is_some() || record.product != Product::Unknown)
}
