//! How long an upstream had been idle when a request was sent to it.

use std::collections::BTreeMap;

use crate::model::{Hop, HopId, Link, Place, Record, Trace};
use crate::select::gather::{Use, Uses};

/// Stamps coarser than this say nothing about idle gaps of seconds.
const FINE_US: u32 = 100_000;

/// For the outcome of every link that asked an upstream: the time since the exchange before it on that upstream, in
/// microseconds.
///
/// The upstream's own log is preferred where its stamps are finer; it is exact for one process and a later bound
/// where several share the address. Without ids of connections both are lower bounds of the idle gap.
pub(super) fn gaps(traces: &[Trace], uses: &Uses, hops: &[Hop]) -> BTreeMap<Place, i64> {
    let mut all = BTreeMap::new();
    for trace in traces {
        for link in &trace.links {
            let Some(outcome) = link.outcome.as_ref().or(link.details.first()) else {
                continue;
            };
            let Some(start) = sent_at(trace, link) else {
                continue;
            };
            let own = address(link).and_then(|address| uses.before(Use::address(link.hop, address), start));
            let own_is_fine = outcome.resolution_us < FINE_US;
            let served = upstream_hop(link, hops).and_then(|hop| uses.before(Use::Served(hop), start));
            let end = if own_is_fine {
                own.or(served)
            } else {
                served.or(own)
            };
            if let Some(end) = end {
                all.insert(outcome.place, start - end);
            }
        }
    }
    all
}

/// The address asked last.
fn address(link: &Link) -> Option<&str> {
    let of = |record: &Record| record.last_attempt().map(|attempt| attempt.addr.len());
    let record = link
        .records()
        .find(|record| of(record).is_some_and(|len| len > 0))?;
    record.last_attempt().map(|attempt| &*attempt.addr)
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
            let waited = record.queue_us.unwrap_or(0);
            return Some(start + i64::try_from(waited).unwrap_or(0));
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
