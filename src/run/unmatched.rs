//! Error lines that belong to no request of a hop whose requests are logged: no requests of their own, but a sign that
//! something is wrong with the logs, a zone first of all.

use std::collections::BTreeMap;

use why502_parsers::entry::Kind;

use crate::model::finding::Problem;
use crate::model::{HopId, Record, SourceId, Trace};

/// What is known of a hop's requests.
pub(super) struct Requests<'m> {
    /// The span of its access logs, if it has any, on the common clock.
    pub(super) span: &'m dyn Fn(HopId) -> Option<(i64, i64)>,
    /// Whether a line's failure can have ended in a status that is asked for; the requests of others were not looked for.
    pub(super) is_asked_for: &'m dyn Fn(&Record) -> bool,
    /// The path of an input as reports name it.
    pub(super) shown: &'m dyn Fn(SourceId) -> String,
}

/// Error lines of one input.
#[derive(Debug, Default)]
struct Lines {
    matched: u64,
    unmatched: u64,
}

/// Takes the traces out that are nothing but error lines without a request, at hops that log their requests, and says
/// how many lines they had. Lines before or after the access log stay, unless no line of their file has a request.
pub(super) fn take_out(traces: &mut Vec<Trace>, requests: &Requests<'_>) -> Vec<Problem> {
    let mut lines: BTreeMap<SourceId, Lines> = BTreeMap::new();
    for trace in traces.iter() {
        for link in &trace.links {
            let has_request = link.outcome.is_some();
            for line in link.details.iter().filter(|line| names_its_request(line)) {
                let count = lines.entry(line.place.source).or_default();
                count.matched += u64::from(has_request);
            }
        }
    }
    traces.retain(|trace| {
        let Some(line) = unmatched(trace).filter(|line| (requests.is_asked_for)(line)) else {
            return true;
        };
        let Some((first, last)) = (requests.span)(line.hop) else {
            return true;
        };
        let count = lines.entry(line.place.source).or_default();
        let at = line.end_us.or(line.start_us).unwrap_or(first);
        let is_covered = (first..=last).contains(&at);
        if !is_covered && count.matched > 0 {
            return true;
        }
        count.unmatched += trace
            .links
            .iter()
            .map(|link| link.details.len() as u64)
            .sum::<u64>();
        false
    });
    let said = lines.into_iter().filter(|(_, count)| count.unmatched > 0);
    said.map(|(source, count)| problem((requests.shown)(source), &count))
        .collect()
}

/// The first line of a trace that is nothing but error lines of one hop which name their request.
fn unmatched(trace: &Trace) -> Option<&Record> {
    let [link] = trace.links.as_slice() else {
        return None;
    };
    let is_alone = link.outcome.is_none();
    link.details
        .iter()
        .find(|line| is_alone && names_its_request(line))
}

/// Whether a line is one that an access log has a request for.
fn names_its_request(line: &Record) -> bool {
    line.kind == Kind::Failure && !(line.path.is_empty() && line.client.is_empty() && line.ids.is_empty())
}

fn problem(path: String, count: &Lines) -> Problem {
    let (noun, verb) = if count.unmatched == 1 {
        ("line", "belongs")
    } else {
        ("lines", "belong")
    };
    Problem {
        message: format!(
            "{} error {noun} of {path} {verb} to no request in the access log beside it, and {} not counted as \
             requests",
            count.unmatched,
            if count.unmatched == 1 { "is" } else { "are" }
        ),
        hint: if count.matched == 0 {
            "none does: the zone of its stamps may be another, see --tz".to_owned()
        } else {
            "give the whole access log, rotated parts too".to_owned()
        },
        path,
    }
}
