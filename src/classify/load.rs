//! How busy a server was when a request failed, against what it served at other times.
//!
//! By Little's law the mean number of requests in service is their rate times their mean duration, which is the
//! time that all requests of a second took together, divided by a second.

use std::collections::BTreeMap;

use why502_parsers::Product;

use super::case::Case;
use super::words::count;
use crate::limits::CountKind;
use crate::model::{HopId, Seconds, Stats};

/// Rates below this say nothing about capacity.
const LEAST_PEAK: u32 = 4;
/// Of long exchanges, only this much before the end is looked at.
const LONGEST_US: i64 = 10_000_000;

/// What a hop was seen to do at its best.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Peak {
    /// Most requests answered in a second in which none failed.
    served: u32,
    /// Most requests in service at once, averaged over a second.
    in_service: f64,
}

/// The peaks of every hop.
pub(crate) fn peaks(stats: &Stats) -> BTreeMap<HopId, Peak> {
    let peak = |load: &Seconds| {
        load.iter().fold(Peak::default(), |peak, (_, second)| Peak {
            served: peak
                .served
                .max(if second.failed == 0 { second.requests } else { 0 }),
            in_service: peak.in_service.max(second.busy_us as f64 / 1e6),
        })
    };
    stats.load.iter().map(|(&hop, load)| (hop, peak(load))).collect()
}

/// The load of a server around a failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    name: &'a str,
    /// Requests a second while the failed one was under way.
    rate: f64,
    /// Requests in service meanwhile.
    in_service: f64,
    peak: Peak,
    /// How many it can have in service at once, if someone wrote that down.
    capacity: Option<u32>,
}

/// How many requests `hop` can have in service at once: as the user says, else its workers with their threads where
/// its program has one of them for each request.
fn capacity(case: &Case<'_, '_>, hop: HopId) -> Option<u32> {
    let world = case.survey.world;
    let counts = world.limits.counts(hop);
    let most = |kind| {
        let of_kind = counts.iter().filter(|count| count.kind == kind);
        of_kind.map(|count| count.value).max()
    };
    let product = world.hops.get(hop.0 as usize)?.product;
    let one_each = matches!(
        product,
        Product::Gunicorn
            | Product::PhpFpm
            | Product::Uwsgi
            | Product::Ruby
            | Product::Tomcat
            | Product::Jetty
    );
    most(CountKind::Slots).or_else(|| {
        let (workers, threads) = (most(CountKind::Workers), most(CountKind::Threads));
        let known = one_each && (workers.is_some() || threads.is_some());
        known.then(|| workers.unwrap_or(1).saturating_mul(threads.unwrap_or(1)))
    })
}

/// The load of the upstream of `case` while it was under way; where the upstream has no log, that of the failing hop.
pub(crate) fn around<'a>(case: &Case<'_, 'a>) -> Option<Load<'a>> {
    let world = case.survey.world;
    let hop = case
        .upstream_hop
        .filter(|hop| world.stats.load.get(hop).is_some_and(|load| !load.is_empty()))
        .unwrap_or(case.x.hop);
    let capacity = capacity(case, hop);
    let seen = case.survey.peak(hop).filter(|peak| peak.served >= LEAST_PEAK);
    let peak = seen.or_else(|| capacity.map(|_| Peak::default()))?;
    let end = case.x.end_us?;
    // A start after the end is a stamp that lies: the second of the end still tells.
    let start = case
        .x
        .start_us
        .unwrap_or(end)
        .clamp(end.saturating_sub(LONGEST_US), end);
    let (from, to) = (start.div_euclid(1_000_000), end.div_euclid(1_000_000));
    let (mut requests, mut busy_us) = (0, 0);
    for (_, second) in world.stats.load.get(&hop)?.range(from..=to) {
        requests += u64::from(second.requests);
        busy_us += second.busy_us;
    }
    let seconds = (to - from + 1) as f64;
    Some(Load {
        name: world.hop_name(hop),
        rate: requests as f64 / seconds,
        in_service: busy_us as f64 / 1e6 / seconds,
        peak,
        capacity,
    })
}

impl Load<'_> {
    /// It was far below what was served at other times without a failure, or below what the server is known to take.
    pub(crate) fn is_low(&self) -> bool {
        let was_more = self.peak.served > 0 && self.rate * 2.0 <= f64::from(self.peak.served);
        let at_its_most = self.capacity.is_some() && self.is_full();
        was_more && !at_its_most || self.is_below_capacity()
    }

    fn is_below_capacity(&self) -> bool {
        self.capacity
            .is_some_and(|most| self.in_service * 2.0 <= f64::from(most))
    }

    /// About as many requests were in service as ever, or as there can be.
    pub(crate) fn is_full(&self) -> bool {
        match self.capacity {
            Some(most) => self.in_service >= 0.9 * f64::from(most),
            None => self.peak.in_service >= 2.0 && self.in_service >= 0.8 * self.peak.in_service,
        }
    }

    /// The same in words.
    pub(crate) fn words(&self) -> String {
        if let Some(most) = self.capacity.filter(|_| self.is_below_capacity()) {
            return format!(
                "{} had {:.1} requests in service on average then; it can have {most} at once",
                self.name, self.in_service
            );
        }
        format!(
            "{} answered {} a second then; it answered {} in a second at other times and none of them failed",
            self.name,
            count(self.rate.round() as usize, "request"),
            self.peak.served
        )
    }

    /// How many requests were in service, in words.
    pub(crate) fn in_words(&self) -> String {
        if let Some(most) = self.capacity {
            return format!(
                "{} had {:.1} requests in service on average then, and can have {most} at once",
                self.name, self.in_service
            );
        }
        format!(
            "{} had {:.1} requests in service on average then, {:.1} at most at other times",
            self.name, self.in_service, self.peak.in_service
        )
    }
}
