//! The zone of error logs whose stamps do not say it, from the requests that their lines belong to.

use rustc_hash::FxHashMap;

use crate::model::{Record, ids};

/// Zones are multiples of a quarter of an hour, from 12 hours behind to 14 ahead of UTC.
const QUARTER_US: i64 = 900_000_000;

/// Error lines that are looked at.
const LOOKED_AT: usize = 400;

/// What to add to the stamps of `failures` (as logged) so that they fall into the `requests` (of the same hop, as
/// logged but for their own zone) with the same path, and how many of them then do. `None` if none does in any zone.
pub fn of_failures(failures: &[&Record], requests: &[&Record]) -> Option<(i64, u32)> {
    let mut by_path: FxHashMap<u64, Vec<&Record>> = FxHashMap::default();
    for request in requests.iter().filter(|request| !request.path.is_empty()) {
        by_path
            .entry(ids::request_key(b"", request.path.as_bytes()))
            .or_default()
            .push(request);
    }
    let mut votes: FxHashMap<i64, u32> = FxHashMap::default();
    for failure in failures
        .iter()
        .filter(|failure| !failure.path.is_empty())
        .take(LOOKED_AT)
    {
        let key = ids::request_key(b"", failure.path.as_bytes());
        let mut zones: Vec<i64> = by_path
            .get(&key)
            .into_iter()
            .flatten()
            .filter_map(|request| zone_between(request, failure))
            .collect();
        zones.sort_unstable();
        zones.dedup();
        zones
            .into_iter()
            .for_each(|zone| *votes.entry(zone).or_default() += 1);
    }
    // The likeliest zone; of equals the one nearest to UTC.
    votes
        .into_iter()
        .map(|(zone, count)| (count, std::cmp::Reverse((zone.abs(), zone))))
        .max()
        .map(|(count, zone)| (zone.0.1, count))
}

/// The zone that puts `failure` into `request`, if any does.
pub(super) fn zone_between(request: &Record, failure: &Record) -> Option<i64> {
    let (start, end) = request.interval()?;
    let at = failure.end_us.or(failure.start_us)?;
    let slack = 1_500_000 + i64::from(request.resolution_us);
    let zone = ((end - at) as f64 / QUARTER_US as f64).round() as i64 * QUARTER_US;
    let inside = at + zone >= start - slack && at + zone <= end + slack;
    (inside && zone.abs() <= 14 * 4 * QUARTER_US && serial_agrees(request, failure)).then_some(zone)
}

fn serial_agrees(request: &Record, failure: &Record) -> bool {
    match (request.connection, failure.connection) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}
