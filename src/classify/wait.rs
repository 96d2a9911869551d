//! No answer came in time: slow work, a queue, or a void?

use super::case::Case;
use crate::model::Record;

/// Why no answer came in time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Wait<'a> {
    /// The upstream was at work most of the time.
    Worked {
        /// How long.
        worked: u64,
        /// How long the request had waited before.
        waited: u64,
    },
    /// The upstream worked on it for a short while, late.
    Queued {
        /// How long the request had waited.
        waited: u64,
        /// How long the work took.
        worked: u64,
        /// The records prove it, stamps and joins being what they are.
        sure: bool,
    },
    /// A proxy further in held it in its queue.
    Held {
        /// That proxy's record.
        at: &'a Record,
        /// How long.
        queued: u64,
    },
    /// The upstream has a record of it that says no duration.
    Late,
    /// The upstream was done long before; the answer got lost.
    Lost,
    /// No record, but the upstream was overloaded.
    Piled {
        /// Others that ran out of time meanwhile.
        stuck: usize,
        /// Long requests that the upstream was working on.
        busy: usize,
    },
    /// No record, although the upstream logged others.
    Unseen,
    /// The upstream's log is not there, or has a gap.
    Blind,
}

/// Weighs why the timer of `case` ran out.
pub(crate) fn wait<'a>(case: &Case<'_, 'a>) -> Wait<'a> {
    let lasted = case.x.lasted_us.unwrap_or_default();
    let below = case
        .trace
        .links
        .iter()
        .enumerate()
        .filter(|(n, l)| *n > case.x.link && l.parent.is_some())
        .filter_map(|(_, l)| l.outcome.as_ref());
    for record in below {
        let queued = record.queue_us.get().filter(|_| record.retries == 0).unwrap_or(0);
        if queued > 0 && queued * 2 >= lasted {
            return Wait::Held { at: record, queued };
        }
    }
    let Some(link) = case.beyond else {
        return without_record(case, lasted);
    };
    let Some(record) = link.outcome.as_ref() else {
        return Wait::Late;
    };
    let Some(worked) = record.duration_us else {
        return Wait::Late;
    };
    let slack = case.x.resolution_us + i64::from(record.resolution_us);
    let ended_before = match (record.end_us, case.x.end_us) {
        (Some(theirs), Some(ours)) => ours - theirs > slack + 200_000.max(lasted as i64 / 10),
        _ => false,
    };
    if ended_before {
        return Wait::Lost;
    }
    // The server cannot have finished before the proxy gave up, or there would have been an answer.
    // So it waited at least for the part of the proxy's time that it did not work.
    let by_time = lasted.saturating_sub(worked);
    let by_clock = match (record.start_us, case.x.start_us) {
        (Some(theirs), Some(ours)) => u64::try_from(theirs - ours - slack).unwrap_or(0),
        _ => 0,
    };
    let waited = by_time.max(by_clock);
    if worked * 10 >= lasted * 8 {
        return Wait::Worked { worked, waited };
    }
    match (worked * 2 < lasted, waited * 2 >= lasted) {
        (true, true) => Wait::Queued {
            waited,
            worked,
            sure: true,
        },
        _ if waited > worked => Wait::Queued {
            waited,
            worked,
            sure: false,
        },
        _ => Wait::Worked { worked, waited },
    }
}

/// How long the upstream was still at it when the exchange of `case` had ended, where both records tell: then it was
/// not the upstream that ended it. `None` if it was not, or not by more than the stamps can tell.
pub(crate) fn outlived_us(case: &Case<'_, '_>) -> Option<u64> {
    const SURE_US: i64 = 1_000_000;
    let record = case.beyond?.outcome.as_ref()?;
    let slack = case.x.resolution_us.max(i64::from(record.resolution_us)) + SURE_US;
    let more = record.end_us? - case.x.end_us?;
    let is_longer = record.duration_us? > case.x.lasted_us?;
    (is_longer && more > slack).then(|| more.unsigned_abs())
}

fn without_record<'a>(case: &Case<'_, 'a>, lasted: u64) -> Wait<'a> {
    let slack = i64::try_from(lasted).unwrap_or(0) + 5_000_000;
    if case.upstream_hop.is_none() || !case.upstream_covered(slack) {
        return Wait::Blind;
    }
    let stuck = stuck_with(case);
    let busy = match (case.x.start_us, case.x.end_us) {
        (Some(from), Some(to)) => {
            let least = i64::try_from(lasted / 10 * 8).unwrap_or(i64::MAX);
            case.upstream_hop
                .map_or(0, |hop| case.survey.busy(hop, case.x.trace, (from, to), least))
        }
        _ => 0,
    };
    if stuck >= 2 || busy > 0 && stuck > 0 {
        return Wait::Piled { stuck, busy };
    }
    Wait::Unseen
}

/// Others to the same upstream that failed like `case` while it waited, or were still waiting then.
pub(crate) fn stuck_with(case: &Case<'_, '_>) -> usize {
    let (Some(start), Some(end)) = (case.x.start_us, case.x.end_us) else {
        return 0;
    };
    case.survey
        .neighbours(case.x, start, end + (end - start))
        .filter(|o| o.last && o.signal() == case.x.signal() && o.start_us.is_some_and(|s| s <= end))
        .count()
}
