//! Error lines that belong to no request of a hop whose requests are logged: no requests of their own, but a sign that
//! something is wrong with the logs, a zone first of all.

use std::collections::{BTreeMap, BTreeSet};

use why502_parsers::entry::Kind;

use super::seeds::instant;
use crate::model::finding::Problem;
use crate::model::{HopId, Link, Record, SourceId, Trace, Traces};

/// What is known of a hop's requests.
pub(super) struct Requests<'m> {
    /// The span of its access logs, if it has any, on the common clock.
    pub(super) span: &'m dyn Fn(HopId) -> Option<(i64, i64)>,
    /// Whether a line's failure can have ended in a status that is asked for; the requests of others were not looked for.
    pub(super) is_asked_for: &'m dyn Fn(&Record) -> bool,
    /// The path of an input as reports name it.
    pub(super) shown: &'m dyn Fn(SourceId) -> String,
}

/// Looks for traces that are nothing but error lines without a request, at hops that log their requests, to take them
/// out and say how many lines they had. Lines before or after the access log stay, unless no error line of that hop has
/// a request: of the hop, not of the file, since where a log was rotated must not matter.
pub(super) struct Unmatched<'m> {
    requests: Requests<'m>,
    /// Hops of which some error line has a request.
    matched: BTreeSet<HopId>,
    taken: Vec<Alone>,
    /// Those before or after the access log, by the numbers of their traces.
    undecided: Vec<(usize, Alone)>,
}

/// Lines without a request.
struct Alone {
    source: SourceId,
    hop: HopId,
    /// When (common clock).
    at_us: i64,
    lines: u64,
}

impl<'m> Unmatched<'m> {
    pub(super) fn of(requests: Requests<'m>) -> Self {
        Self {
            requests,
            matched: BTreeSet::new(),
            taken: Vec::new(),
            undecided: Vec::new(),
        }
    }

    /// Whether `trace`, which would be the `number`-th, is to be left out.
    pub(super) fn takes(&mut self, trace: &Trace, number: usize) -> bool {
        let has_request = |link: &&Link| link.outcome.is_some() && link.details.iter().any(names_its_request);
        self.matched
            .extend(trace.links.iter().filter(has_request).map(|link| link.hop));
        let Some(line) = unmatched(trace).filter(|line| (self.requests.is_asked_for)(line)) else {
            return false;
        };
        let Some((first, last)) = (self.requests.span)(line.hop) else {
            return false;
        };
        let at_us = instant(line).unwrap_or(first);
        let alone = Alone {
            source: line.place.source,
            hop: line.hop,
            at_us,
            lines: trace.links.iter().map(|link| link.details.len() as u64).sum(),
        };
        let is_covered = (first..=last).contains(&at_us);
        if is_covered {
            self.taken.push(alone);
        } else {
            self.undecided.push((number, alone));
        }
        is_covered
    }

    /// Takes out of `traces`, which are all there are, those that were not decided on.
    pub(super) fn finish(mut self, traces: &mut Traces) -> TakenOut {
        let of_others = |alone: &Alone| self.matched.contains(&alone.hop);
        self.undecided.retain(|(_, alone)| !of_others(alone));
        let numbers: BTreeSet<usize> = self.undecided.iter().map(|(number, _)| *number).collect();
        if !numbers.is_empty() {
            *traces = traces.without(&numbers);
        }
        self.taken
            .extend(self.undecided.into_iter().map(|(_, alone)| alone));
        let mut at_of: BTreeMap<HopId, Vec<i64>> = BTreeMap::new();
        let mut unmatched_lines: BTreeMap<SourceId, (u64, bool)> = BTreeMap::new();
        for alone in &self.taken {
            at_of.entry(alone.hop).or_default().push(alone.at_us);
            let others_match = self.matched.contains(&alone.hop);
            let (count, _) = unmatched_lines.entry(alone.source).or_insert((0, others_match));
            *count += alone.lines;
        }
        let problems = unmatched_lines
            .into_iter()
            .map(|(source, (count, others_match))| {
                problem((self.requests.shown)(source), count, others_match)
            })
            .collect();
        TakenOut { problems, at_of }
    }
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
