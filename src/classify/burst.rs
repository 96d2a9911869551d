//! What else happened on the same upstream around a failure.
//!
//! A process that dies takes every request it holds with it, whatever their ages; afterwards the
//! port refuses. A race for an idle connection kills requests that had just been sent and leaves
//! the listener healthy.

use super::exchange::Exchange;
use super::survey::{Survey, place};
use crate::model::{HopId, Record};
use why502_parsers::entry::Fault;

/// Requests that die together die within this time.
const TOGETHER_US: i64 = 100_000;
/// A restart refuses connections within this time after the failure.
const REFUSED_AFTER_US: i64 = 10_000_000;
/// Host events count from this long before a failure ...
const EVENT_BEFORE_US: i64 = 2_000_000;
/// ... to this long after it: a start-up takes time.
const EVENT_AFTER_US: i64 = 30_000_000;
/// A death is noticed and logged sooner than that: a later one is another one.
const NOTICED_AFTER_US: i64 = 3_000_000;
/// Ages that differ by more than this are not those of requests sent together.
const AGES_APART_US: u64 = 50_000;

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
        coarse: x.resolution_us > TOGETHER_US,
        ages_us: (low, high),
    }
}

/// The first exchange that the same upstream refused soon after `x`, or just before it.
pub(crate) fn refused_after<'s, 'a>(survey: &'s Survey<'a>, x: &'s Exchange<'a>) -> Option<&'s Exchange<'a>> {
    let end = x.end_us?;
    let slack = x.resolution_us.max(TOGETHER_US);
    survey
        .neighbours(x, end - slack, end + REFUSED_AFTER_US + slack)
        .find(|o| o.is_refused() && !x.upstream.is_empty())
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
