//! The zone of error logs whose stamps do not say it, from the requests that their lines belong to.

use std::num::NonZeroU64;

use rustc_hash::FxHashMap;

use crate::model::{OptionU64, Record, ids};

/// Zones are multiples of a quarter of an hour, from 12 hours behind to 14 ahead of UTC.
const QUARTER_US: i64 = 900_000_000;

/// Error lines that are looked at.
const LOOKED_AT: usize = 400;

/// What stands for a path: those of two paths are hardly ever the same.
pub type PathKey = NonZeroU64;

/// What of a record tells when its request was.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Where it stands in its file.
    pub offset: u64,
    /// The key of its path; `None` if it names none.
    path: Option<PathKey>,
    interval: Option<(i64, i64)>,
    /// When it was written, as far as that is known.
    at_us: Option<i64>,
    resolution_us: u32,
    connection: OptionU64,
}

impl Seen {
    /// The key of its path; `None` if it names none.
    pub fn path(&self) -> Option<PathKey> {
        self.path
    }

    /// Whether it names its path.
    pub fn names_path(&self) -> bool {
        self.path.is_some()
    }
}

impl From<&Record> for Seen {
    fn from(record: &Record) -> Self {
        let named = Some(&record.path).filter(|path| !path.is_empty());
        Self {
            offset: record.place.offset,
            // One key in 2^64 is another's too.
            path: named.map(|path| NonZeroU64::MIN | ids::request_key(b"", path.as_bytes())),
            interval: record.interval(),
            at_us: record.end_us.or(record.start_us),
            resolution_us: record.resolution_us,
            connection: record.connection,
        }
    }
}

/// What to add to the stamps of `failures` (as logged) so that they fall into the `requests` (of the same hop, as
/// logged but for their own zone) with the same path, and how many of them then do. `None` if none does in any zone.
pub fn of_failures(failures: &[&Seen], requests: &[&Seen]) -> Option<(i64, u32)> {
    let by_path = ByPath::of(requests);
    let mut votes: FxHashMap<i64, u32> = FxHashMap::default();
    for failure in failures
        .iter()
        .filter(|failure| failure.names_path())
        .take(LOOKED_AT)
    {
        by_path
            .zones(failure)
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

/// Requests by path and by what of their end is less than a zone, so that an error line is compared with those only
/// that it can lie in.
pub(super) struct ByPath<'r> {
    by_path: FxHashMap<PathKey, Vec<(i64, &'r Seen)>>,
    /// How far an error line may lie before the end of any of them, and after it.
    before_us: i64,
    after_us: i64,
}

impl<'r> ByPath<'r> {
    pub(super) fn of(requests: &[&'r Seen]) -> Self {
        let mut all = Self {
            by_path: FxHashMap::default(),
            before_us: 0,
            after_us: 0,
        };
        for request in requests {
            let (Some(key), Some((start, end))) = (request.path, request.interval) else {
                continue;
            };
            all.after_us = all.after_us.max(slack_us(request));
            all.before_us = all
                .before_us
                .max(end.saturating_sub(start).saturating_add(slack_us(request)));
            let of_path = all.by_path.entry(key).or_default();
            of_path.push((end.rem_euclid(QUARTER_US), request));
        }
        all.by_path
            .values_mut()
            .for_each(|of_path| of_path.sort_by_key(|(rest, _)| *rest));
        all
    }

    /// The zones that put `failure` into one of the requests with its path, in order.
    pub(super) fn zones(&self, failure: &Seen) -> Vec<i64> {
        let of_path = failure.path.and_then(|key| self.by_path.get(&key));
        let of_path = of_path.map_or(&[][..], Vec::as_slice);
        let Some(at) = failure.at_us else {
            return Vec::new();
        };
        let rest = at.rem_euclid(QUARTER_US);
        let (from, to) = (rest - self.after_us, rest.saturating_add(self.before_us));
        let near = |from: i64, to: i64| {
            let first = of_path.partition_point(|(end, _)| *end < from);
            let last = of_path.partition_point(|(end, _)| *end <= to);
            &of_path[first..last.max(first)]
        };
        // The rests go round: what ends just before a quarter of an hour lies near what ends just after one.
        let all = if to.saturating_sub(from) >= QUARTER_US {
            [of_path, &[], &[]]
        } else {
            [
                near(from, to),
                near(from + QUARTER_US, to + QUARTER_US),
                near(from - QUARTER_US, to - QUARTER_US),
            ]
        };
        let mut zones: Vec<i64> = all
            .into_iter()
            .flatten()
            .filter_map(|(_, request)| zone_between(request, failure))
            .collect();
        zones.sort_unstable();
        zones.dedup();
        zones
    }
}

/// How far an error line may lie outside its request.
fn slack_us(request: &Seen) -> i64 {
    1_500_000 + i64::from(request.resolution_us)
}

/// The zone that puts `failure` into `request`, if any does.
fn zone_between(request: &Seen, failure: &Seen) -> Option<i64> {
    let (start, end) = request.interval?;
    let at = failure.at_us?;
    let slack = slack_us(request);
    let zone = ((end - at) as f64 / QUARTER_US as f64).round() as i64 * QUARTER_US;
    let inside = at + zone >= start - slack && at + zone <= end + slack;
    (inside && zone.abs() <= 14 * 4 * QUARTER_US && serial_agrees(request, failure)).then_some(zone)
}

fn serial_agrees(request: &Seen, failure: &Seen) -> bool {
    match (request.connection.get(), failure.connection.get()) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use why502_parsers::entry::Kind;

    use super::*;
    use crate::correlate::testing::record;
    use crate::model::ids::mix;

    /// A request and an error line on the same path.
    fn at(kind: Kind, n: u64, end_us: i64, length_us: i64) -> Seen {
        let mut record = record(kind, n);
        record.end_us = Some(end_us);
        record.start_us = Some(end_us - length_us);
        record.path = "/a".into();
        Seen::from(&record)
    }

    #[test]
    fn the_zones_are_those_of_a_comparison_with_every_request() {
        for longest in [10_000_000, 100_000_000_000] {
            let requests: Vec<Seen> = (0..300)
                .map(|n| {
                    at(
                        Kind::Request,
                        n,
                        (mix(n) % 90_000_000_000) as i64,
                        (mix(n + 9) % longest) as i64,
                    )
                })
                .collect();
            let requests: Vec<&Seen> = requests.iter().collect();
            let by_path = ByPath::of(&requests);
            for n in 0..300 {
                let failure = at(Kind::Failure, n, (mix(n + 500) % 90_000_000_000) as i64, 0);
                let mut zones: Vec<i64> = requests
                    .iter()
                    .filter_map(|request| zone_between(request, &failure))
                    .collect();
                zones.sort_unstable();
                zones.dedup();
                assert_eq!(by_path.zones(&failure), zones);
            }
        }
    }
}
