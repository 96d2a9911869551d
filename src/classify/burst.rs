//! What else happened on the same upstream around a failure.
//!
//! A process that dies takes every request it holds with it, whatever their ages; afterwards the
//! port refuses. A race for an idle connection kills requests that had just been sent and leaves
//! the listener healthy.

use std::collections::BTreeSet;

use super::exchange::Exchange;
use super::survey::{Survey, place};
use crate::model::{HopId, Record};
use why502_parsers::entry::Fault;

/// Requests that die with their process die within this time: the kernel closes all its connections at once.
const TOGETHER_US: i64 = 20_000;
/// A refusal this long before a failure still belongs to it.
const JUST_BEFORE_US: i64 = 100_000;
/// A restart refuses connections within this time after the failure.
const REFUSED_AFTER_US: i64 = 10_000_000;
/// Host events count from this long before a failure ...
const EVENT_BEFORE_US: i64 = 2_000_000;
/// ... to this long after it: a start-up takes time.
const EVENT_AFTER_US: i64 = 30_000_000;
/// A death is noticed and logged sooner than that: a later one is another one.
const NOTICED_AFTER_US: i64 = 3_000_000;
/// Ages that differ by more than this are not those of requests sent together, nor of those that a stall held up.
const AGES_APART_US: u64 = 150_000;
/// Other upstreams on which requests were cut in the same instant: so many do not die at once.
const STALLED: usize = 2;

/// Exchanges that were cut in the same instant as another.
pub(crate) struct Burst<'s, 'a> {
    /// The others.
    pub(crate) others: Vec<&'s Exchange<'a>>,
    /// The requests had been under way for clearly different times.
    pub(crate) ages_differ: bool,
    /// The stamps are too coarse to tell an instant from a second.
    pub(crate) coarse: bool,
    /// Longest and shortest time under way.
    pub(crate) ages_us: (u64, u64),
    /// The proxy lost connections to several other upstreams in that instant too: it had stalled.
    pub(crate) stalled: bool,
}

/// The exchanges on the same upstream that were cut in the same instant as `x`.
pub(crate) fn burst<'s, 'a>(survey: &'s Survey<'a>, x: &'s Exchange<'a>) -> Burst<'s, 'a> {
    let mut others = Vec::new();
    if let Some(end) = x.end_us {
        let slack = TOGETHER_US.max(x.resolution_us);
        others.extend(
            survey
                .neighbours(x, end - slack, end + slack)
                .filter(|o| o.is_cut()),
        );
    }
    let ages = others.iter().copied().chain([x]).filter_map(|e| e.lasted_us);
    let (low, high) = ages.fold((u64::MAX, 0), |(low, high), age| (low.min(age), high.max(age)));
    let low = low.min(high);
    Burst {
        ages_differ: !others.is_empty() && high - low > AGES_APART_US.max(high / 5),
        others,
        coarse: x.resolution_us > TOGETHER_US * 5,
        ages_us: (low, high),
        stalled: elsewhere(survey, x) >= STALLED,
    }
}

/// On how many other upstreams the hop of `x` lost connections in the same instant.
fn elsewhere(survey: &Survey<'_>, x: &Exchange<'_>) -> usize {
    let Some(end) = x.end_us.filter(|_| !x.upstream.is_empty()) else {
        return 0;
    };
    let slack = JUST_BEFORE_US.max(x.resolution_us);
    let others = survey.failures_of(x.hop, end - slack, end + slack);
    let names: BTreeSet<&str> = others
        .filter(|o| o.is_cut_without_a_byte() && o.upstream != x.upstream && !o.upstream.is_empty())
        .map(|o| o.upstream)
        .collect();
    names.len()
}

/// The first exchange that the same upstream refused soon after `x`, or just before it.
pub(crate) fn refused_after<'s, 'a>(survey: &'s Survey<'a>, x: &'s Exchange<'a>) -> Option<&'s Exchange<'a>> {
    let end = x.end_us.filter(|_| !x.upstream.is_empty())?;
    let slack = x.resolution_us.max(JUST_BEFORE_US);
    let refused = survey
        .neighbours(x, end - slack, end + REFUSED_AFTER_US + slack)
        .find(|o| o.is_refused())?;
    let at = refused.end_us?;
    // Whoever answered in between was alive: what refuses later died later.
    let connected = |o: &&Exchange<'_>| !o.is_refused() && o.connected == Some(true);
    let tried = survey
        .neighbours(x, end + slack, at - slack)
        .filter(|o| o.start_us.is_some_and(|start| start > end + slack));
    let alive = tried.filter(connected).count() > 0
        || survey
            .hop_behind(x)
            .is_some_and(|hop| survey.world.stats.served_between(hop, end + slack, at - slack));
    (!alive).then_some(refused)
}

/// Whether the processes behind `x`'s upstream served before and after it failed, so that none of them died of it.
/// `None` if the logs do not say which process served.
pub(crate) fn lived_on(survey: &Survey<'_>, hop: HopId, x: &Exchange<'_>) -> Option<bool> {
    const IN_FLIGHT_US: i64 = 1_000_000;
    let slack = IN_FLIGHT_US.max(2 * x.resolution_us);
    survey.world.stats.lived_on(hop, x.end_us?, slack)
}

/// Whether an event at `at_us` of a hop that nobody knows the address of rather explains what happened at another
/// upstream: connections to that one were cut clearly nearer to it.
pub(crate) fn is_of_another(survey: &Survey<'_>, x: &Exchange<'_>, at_us: i64) -> bool {
    let Some(end) = x.end_us else { return false };
    let own = (end - at_us).abs();
    let slack = JUST_BEFORE_US + x.resolution_us;
    survey
        .failures_of(x.hop, at_us - own, at_us + own)
        .filter(|o| o.upstream != x.upstream && !o.upstream.is_empty() && o.is_cut_without_a_byte())
        .filter_map(|o| o.end_us)
        .any(|other| (other - at_us).abs() + slack < own)
}

/// What a host event means for the requests in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Upset {
    /// The process died or was killed.
    Crash,
    /// An application pool was recycled.
    Recycle,
    /// An orderly stop, reload or deploy.
    Restart,
    /// Only a start was seen: the stop before it left no line, so it was not orderly.
    Start,
    /// The proxy's own health check took the server out.
    Down,
}

/// The event at one of `hops` that fits the failure at `end_us` best: the gravest, then the nearest.
pub(crate) fn upset<'a>(survey: &Survey<'a>, hops: &[HopId], end_us: i64) -> Option<(Upset, &'a Record)> {
    let slack = 1_000_000; // Event logs are often stamped to the second.
    survey
        .events(end_us - EVENT_BEFORE_US - slack, end_us + EVENT_AFTER_US)
        .filter(|e| hops.contains(&e.hop))
        .filter_map(|e| {
            let at = e.end_us.or(e.start_us)?;
            let upset = kind(e)?;
            let after = if upset == Upset::Crash {
                NOTICED_AFTER_US
            } else {
                EVENT_AFTER_US
            };
            let resolution = i64::from(e.resolution_us);
            if at - end_us < -EVENT_BEFORE_US - resolution || at - end_us > after {
                return None;
            }
            Some((upset, (at - end_us).abs(), e))
        })
        .min_by_key(|&(upset, distance, e)| (upset, distance, e.place))
        .map(|(upset, _, e)| (upset, e))
}

fn kind(event: &Record) -> Option<Upset> {
    Some(match event.signal?.fault {
        Fault::WorkerCrashed | Fault::WorkerTimedOut | Fault::OutOfMemory => Upset::Crash,
        Fault::Recycled => Upset::Recycle,
        Fault::Stopping => Upset::Restart,
        Fault::Started => Upset::Start,
        Fault::ServerDown => Upset::Down,
        _ => return None,
    })
}

/// Whether two exchanges are one and the same.
pub(crate) fn same(a: &Exchange<'_>, b: &Exchange<'_>) -> bool {
    (a.trace, a.link, a.number) == (b.trace, b.link, b.number) || (place(a), a.number) == (place(b), b.number)
}
