//! When a request was, found before anything else is read: so that explaining one request of large logs costs little
//! more than looking for its id.

use super::inputs::Sources;
use super::passes::{self, Sought};
use super::{focus, parse};
use crate::error::Error;
use crate::plan::{Moment, Plan, WindowSpec};
use crate::report::progress::Progress;
use crate::select::Needles;
use crate::select::scan::{Scanned, interval};

/// What happened within this time of a request bears on it: limits are learnt from it, and other failures.
const AROUND_US: i64 = 300_000_000;

/// An id that is seen over a longer time than this is no request's.
const LONGEST_US: i64 = 21_600_000_000;

/// The time around the request that is `sought`. `None` if everything is to be read: the logs are small, a window was
/// given, or nothing with that id and a time was found.
///
/// # Errors
/// As [`passes::seek`].
pub(super) fn around(
    plan: &Plan,
    sources: &Sources,
    sought: &Sought,
    progress: &Progress,
) -> Result<Option<WindowSpec>, Error> {
    let Sought::Id { text, .. } = sought else {
        return Ok(None);
    };
    let Some(needles) = Needles::of_id(text).filter(|_| plan.window.is_open()) else {
        return Ok(None);
    };
    if !focus::is_worth_it(sources, &plan.seek) {
        return Ok(None);
    }
    let readings = sources.glances(plan, &parse::given(plan, sources));
    progress.restart("searching", readings.iter().map(|r| r.input.bytes_on_disk).sum());
    let mut times: Option<(i64, i64)> = None;
    for candidate in passes::seek(&readings, &needles, progress)? {
        let Some(reading) = readings
            .iter()
            .find(|reading| reading.input.id == candidate.source)
        else {
            continue;
        };
        let shift = reading.whence.shift;
        let mut scanner = reading.scanner(candidate.offset.max(1));
        scanner.scan(&candidate.line, candidate.offset, |scanned, _, _| {
            if let Scanned::Entry(entry) = scanned
                && sought.has_id(entry)
                && let Some((start, end, stamp)) = interval(entry)
            {
                let (first, last) = shift.span(start.unwrap_or(stamp.us), end.unwrap_or(stamp.us));
                let (from, to) = times.unwrap_or((first, last));
                times = Some((from.min(first), to.max(last)));
            }
        });
    }
    Ok(times
        .filter(|(from, to)| to - from <= LONGEST_US)
        .map(|(from, to)| WindowSpec {
            since: Some(Moment::Instant(from - AROUND_US)),
            until: Some(Moment::Instant(to + AROUND_US)),
            ..WindowSpec::default()
        }))
}
