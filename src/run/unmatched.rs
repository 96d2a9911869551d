//! Error lines that belong to no request of a hop whose requests are logged: no requests of their own, but a sign that
//! something is wrong with the logs, a zone first of all.

use std::collections::{BTreeMap, BTreeSet};

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

/// Takes the traces out that are nothing but error lines without a request, at hops that log their requests, and says
/// how many lines they had. Lines before or after the access log stay, unless no error line of that hop has a request:
/// of the hop, not of the file, since where a log was rotated must not matter.
pub(super) fn take_out(traces: &mut Vec<Trace>, requests: &Requests<'_>) -> TakenOut {
    let mut at_of: BTreeMap<HopId, Vec<i64>> = BTreeMap::new();
    let links = traces.iter().flat_map(|trace| &trace.links);
    let matched: BTreeSet<HopId> = links
        .filter(|link| link.outcome.is_some() && link.details.iter().any(names_its_request))
        .map(|link| link.hop)
        .collect();
    let mut unmatched_lines: BTreeMap<SourceId, (u64, bool)> = BTreeMap::new();
    traces.retain(|trace| {
        let Some(line) = unmatched(trace).filter(|line| (requests.is_asked_for)(line)) else {
            return true;
        };
        let Some((first, last)) = (requests.span)(line.hop) else {
            return true;
        };
        let at = line.end_us.or(line.start_us).unwrap_or(first);
        let is_covered = (first..=last).contains(&at);
        let others_match = matched.contains(&line.hop);
        if !is_covered && others_match {
            return true;
        }
        let (count, _) = unmatched_lines
            .entry(line.place.source)
            .or_insert((0, others_match));
        *count += trace
            .links
            .iter()
            .map(|link| link.details.len() as u64)
            .sum::<u64>();
        at_of.entry(line.hop).or_default().push(at);
        false
    });
    let problems = unmatched_lines
        .into_iter()
        .map(|(source, (count, others_match))| problem((requests.shown)(source), count, others_match))
        .collect();
    TakenOut { problems, at_of }
}

/// Error lines without a request.
pub(super) struct TakenOut {
    /// How many there were, in words.
    pub(super) problems: Vec<Problem>,
    /// When, by hop (common clock).
    pub(super) at_of: BTreeMap<HopId, Vec<i64>>,
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

fn problem(path: String, count: u64, others_match: bool) -> Problem {
    let (noun, verb, are) = if count == 1 {
        ("line", "belongs", "is")
    } else {
        ("lines", "belong", "are")
    };
    Problem {
        message: format!(
            "{count} error {noun} of {path} {verb} to no request in the access log beside it, and {are} not counted \
             as requests"
        ),
        hint: if others_match {
            "give the whole access log, rotated parts too".to_owned()
        } else {
            "none does: the zone of its stamps may be another, see --tz".to_owned()
        },
        path,
    }
}
