//! How long an upstream had been idle when a request was sent to it.

use std::collections::BTreeMap;

use crate::model::{FINE_US, Gap, Hop, HopId, Link, Place, Record, Trace};
use crate::select::gather::Served;

/// For every link of `trace` that asked an upstream: the time since the exchange before it on that upstream, in
/// microseconds.
///
/// `prior` holds, by the place of a failure's record, the ends of exchanges with its upstream before it; `served` what
/// the upstreams themselves logged, which is preferred where the hop's own stamps are coarse. It is exact for one
/// process and a later bound where several share the address. Both are lower bounds for the connection that was used.
pub(super) fn gaps(
    trace: &Trace,
    prior: &BTreeMap<Place, Vec<i64>>,
    served: &Served,
    hops: &[Hop],
    carried: &dyn Fn(HopId) -> Option<u32>,
) -> Vec<Gap> {
    let gap = |link: &Link| {
        let mut gap = Gap::default();
        let (Some(outcome), Some(start)) = (link.records().next(), sent_at(trace, link)) else {
            return gap;
        };
        let before = |ends: &Vec<i64>| ends.iter().copied().filter(|&end| end <= start).max();
        let own = link
            .records()
            .find_map(|record| prior.get(&record.place))
            .and_then(before);
        let upstream = upstream_hop(link, hops);
        let last = upstream.and_then(|hop| served.before(hop, start));
        if let (Some((_, requests)), Some(most)) = (last, upstream.and_then(carried)) {
            gap.used_up = (requests == most).then_some(requests);
        }
        let theirs = last.map(|(end, _)| end);
        let is_fine = outcome.resolution_us < FINE_US;
        let end = if is_fine { own.or(theirs) } else { theirs.or(own) };
        gap.idle_us = end.map(|end| start - end);
        gap
    };
    trace.links.iter().map(gap).collect()
}

/// The address asked first.
fn address(link: &Link) -> Option<&str> {
    let first = |record: &'_ Record| {
        record
            .attempts
            .iter()
            .position(|attempt| !attempt.addr.is_empty())
    };
    let (record, at) = link.records().find_map(|record| Some((record, first(record)?)))?;
    Some(&record.attempts[at].addr)
}

/// The hop behind that address; without an address, the only upstream there is.
fn upstream_hop(link: &Link, hops: &[Hop]) -> Option<HopId> {
    if let Some(address) = address(link) {
        let known = |hop: &Hop| hop.addresses.iter().any(|own| own == address);
        return hops.iter().position(known).map(|at| HopId(at as u16));
    }
    match hops[link.hop.0 as usize].upstreams.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// When the request was sent to the upstream, by the finest stamp of this hop or of one before it.
fn sent_at(trace: &Trace, link: &Link) -> Option<i64> {
    let mut at = Some(link);
    while let Some(link) = at {
        if let Some(record) = link
            .outcome
            .as_ref()
            .filter(|record| record.resolution_us < FINE_US)
        {
            let (start, _) = link.interval()?;
            let waited = record.queue_us.get().unwrap_or(0);
            return Some(start + i64::try_from(waited).unwrap_or(0));
        }
        if let Some(start) = by_failure(link) {
            return Some(start);
        }
        at = link.parent.and_then(|parent| trace.links.get(parent));
    }
    let (start, _) = link.interval()?;
    let coarse = link
        .records()
        .map(|record| i64::from(record.resolution_us))
        .max()
        .unwrap_or(0);
    Some(start + coarse / 2)
}

/// When a request began, by the finer stamp of the line that tells of its failure as it ended.
fn by_failure(link: &Link) -> Option<i64> {
    let outcome = link.outcome.as_ref().filter(|record| record.attempts.len() < 2)?;
    let lasted = i64::try_from(outcome.duration_us?).ok()?;
    let line = link
        .details
        .iter()
        .find(|record| record.signal.is_some() && record.resolution_us < FINE_US)?;
    let end = line.ended_us()?;
    let apart = (end - outcome.interval()?.1).abs();
    (apart <= i64::from(outcome.resolution_us) + 100_000).then_some(end - lasted)
}
