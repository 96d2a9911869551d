//! `why502 explain`: one request, hop by hop, with what every rule said of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::evidence::Lines;
use super::inputs::{self, Sources};
use super::lines_before::LinesBefore;
use super::passes::{self, Sought};
use super::{Joint, joint, near, on_threads};
use crate::classify::{self, Judgement};
use crate::error::Error;
use crate::model::explain::{Explained, Explanation, LoggedLine, Rung, Try};
use crate::model::{Attempt, Finding, Input, Link, Micros, Place, Record, SourceId, Trace, Traces, ids};
use crate::plan::Plan;
use crate::report::progress::Progress;

/// More requests with one id than this are not shown.
const MOST: usize = 20;

/// How finding ids begin.
const FINDING: &str = "f-";

/// What is asked about.
enum Ask {
    /// A finding, by its id.
    Finding,
    /// A record.
    Record(Sought),
}

/// Explains the request that `asked` names: an id, a finding's id, or `FILE:LINE`.
///
/// # Errors
/// As [`super::diagnose`], and if there is no such request.
pub fn explain(plan: &Plan, asked: &str, now_us: i64, progress: &Progress) -> Result<Explanation, Error> {
    on_threads(plan, || on_this_pool(plan, asked, now_us, progress))
}

/// Whatever failed in any way is of interest: what happened beside the request bears on it.
const fn failed(status: u16) -> bool {
    status >= 500 || matches!(status, 0 | 9 | 499 | 460)
}

fn on_this_pool(plan: &Plan, asked: &str, now_us: i64, progress: &Progress) -> Result<Explanation, Error> {
    let sources = inputs::open(plan)?;
    let window = match is_finding(asked) {
        true => None,
        false => near::around(plan, &sources, &by_id(asked), progress)?,
    };
    let Some(window) = window else {
        return explained_from(plan, sources, asked, now_us, progress);
    };
    let near = Plan {
        window,
        ..plan.clone()
    };
    match explained_from(&near, sources, asked, now_us, progress) {
        // A clock that is hours off puts the time found elsewhere.
        Err(Error::Usage { .. }) => explained_from(plan, inputs::open(plan)?, asked, now_us, progress),
        result => result,
    }
}

fn explained_from(
    plan: &Plan,
    sources: Sources,
    asked: &str,
    now_us: i64,
    progress: &Progress,
) -> Result<Explanation, Error> {
    let places = RefCell::new(BTreeSet::new());
    let mut joint = joint(
        plan,
        sources,
        now_us,
        progress,
        &failed,
        &|readings, survey, progress| {
            let inputs: Vec<&Input> = readings.iter().map(|reading| reading.input).collect();
            let lines = |source: SourceId| survey.inputs.get(&source).map_or(0, |i| i.coverage.lines);
            let Ask::Record(sought) = ask(asked, &inputs, &lines)? else {
                return Ok(Vec::new());
            };
            let found = passes::find(readings, survey, &sought, progress)?;
            if found.is_empty() {
                return Err(nothing(asked, &sought));
            }
            places
                .borrow_mut()
                .extend(found.iter().map(|record| record.place));
            Ok(found)
        },
        false,
    )?;
    progress.phase("explaining");
    let places = places.into_inner();
    let stats = joint.map.stats(&mut joint.survey);
    let world = joint.world(&stats, &failed, &|_| true);
    let of_places = traces_with(&joint.joined.traces, &places);
    let (outcome, judged) = classify::explain(&world, &joint.joined.traces, &of_places);
    let by_trace: BTreeMap<usize, usize> = outcome.traces.iter().copied().zip(0..).collect();
    let mut all: Vec<(usize, Judgement)> = of_places.into_iter().zip(judged).collect();
    if places.is_empty() {
        let Some(at) = outcome.findings.briefs().position(|f| f.id() == asked) else {
            return Err(no_finding(asked));
        };
        let trace = outcome.traces[at];
        let (_, judged) = classify::explain(&world, &joint.joined.traces, &[trace]);
        all = std::iter::once(trace).zip(judged).collect();
    }
    let mut requests: Vec<Explained> = all
        .into_iter()
        .map(|(n, judgement)| {
            let finding = by_trace.get(&n).and_then(|&at| outcome.findings.get(at));
            explained(&joint, n, judgement, finding.as_ref())
        })
        .collect();
    requests.sort_by_key(|request| request.hops.first().map(|hop| (hop.start, hop.end)));
    requests.truncate(MOST);
    let Joint {
        mut sources,
        focuses,
        survey,
        ..
    } = joint;
    let shown = sources_shown(&requests);
    let before = LinesBefore::count(&sources.inputs, &focuses, &shown);
    let mut lines = Lines::of(sources.inputs, before, survey.packed);
    lines.complete_explained(&mut requests, &mut sources.problems);
    sources.problems.sort();
    sources.problems.dedup();
    Ok(Explanation {
        schema: Explanation::SCHEMA.to_owned(),
        generated_at: Micros(now_us),
        asked: asked.to_owned(),
        requests,
        problems: sources.problems,
    })
}

/// The inputs of which lines are named.
fn sources_shown(requests: &[Explained]) -> BTreeSet<SourceId> {
    let lines = requests
        .iter()
        .flat_map(|request| &request.hops)
        .flat_map(|hop| &hop.lines);
    let evidence = requests
        .iter()
        .flat_map(|request| &request.finding)
        .flat_map(|f| &f.evidence);
    lines
        .filter_map(|line| line.place)
        .chain(evidence.filter_map(|e| e.place))
        .map(|place| place.source)
        .collect()
}

/// The traces that have a record at one of `places`.
fn traces_with(traces: &Traces, places: &BTreeSet<Place>) -> Vec<usize> {
    if places.is_empty() {
        return Vec::new();
    }
    let has = |trace: &Trace| {
        let mut records = trace.links.iter().flat_map(Link::records);
        records.any(|record| places.contains(&record.place))
    };
    let all = traces.iter().enumerate();
    all.filter(|(_, (trace, _))| has(trace)).map(|(n, _)| n).collect()
}

/// Reads what the user typed. A file with a line number goes before an id, since ids may have colons too.
fn ask(asked: &str, inputs: &[&Input], lines: &dyn Fn(SourceId) -> u64) -> Result<Ask, Error> {
    if is_finding(asked) {
        return Ok(Ask::Finding);
    }
    let by_line = asked
        .rsplit_once(':')
        .and_then(|(file, line)| Some((file, line.parse::<u64>().ok().filter(|&n| n > 0)?)));
    if let Some((file, line)) = by_line {
        let file = file.strip_prefix("./").unwrap_or(file);
        let fits = |input: &&&Input| {
            let ends = input
                .shown
                .strip_suffix(file)
                .is_some_and(|rest| rest.ends_with('/'));
            input.shown == file || ends
        };
        let found: Vec<&&Input> = inputs.iter().filter(fits).collect();
        match found.as_slice() {
            [] => {}
            [one] if lines(one.id) < line => {
                let what = format!("{} has {} lines only", one.shown, lines(one.id));
                return Err(Error::usage("REQUEST", what, "name a line that is there"));
            }
            [one] => {
                return Ok(Ask::Record(Sought::Line { source: one.id, line }));
            }
            several => {
                let names: Vec<&str> = several.iter().map(|input| &*input.shown).collect();
                let what = format!("'{file}' is the end of several names");
                return Err(Error::usage(
                    "REQUEST",
                    what,
                    format!("name one: {}", names.join(", ")),
                ));
            }
        }
        if file.contains(['/', '.']) {
            let what = format!("no log that was read is called '{file}'");
            return Err(Error::usage(
                "REQUEST",
                what,
                "write its name as 'why502 detect' shows it",
            ));
        }
    }
    Ok(Ask::Record(by_id(asked)))
}

fn is_finding(asked: &str) -> bool {
    let hex = asked.strip_prefix(FINDING);
    hex.is_some_and(|hex| hex.len() == 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn by_id(asked: &str) -> Sought {
    Sought::Id {
        text: asked.to_owned(),
        key: ids::key(asked.as_bytes()),
    }
}

fn nothing(asked: &str, sought: &Sought) -> Error {
    match sought {
        Sought::Id { .. } => Error::usage(
            "REQUEST",
            format!("no record has the id '{asked}'"),
            "give an id as a log writes it, the id of a finding (f-...), or FILE:LINE",
        ),
        Sought::Line { .. } => Error::usage(
            "REQUEST",
            format!("the line {asked} is no record"),
            "name a line of an access or error log; 'why502 detect' says how many lines of a file are read",
        ),
    }
}

fn no_finding(asked: &str) -> Error {
    Error::usage(
        "REQUEST",
        format!("no finding has the id {asked}"),
        "give the same paths and options as to the report that names it",
    )
}

fn explained(joint: &Joint, n: usize, judgement: Judgement, finding: Option<&Finding>) -> Explained {
    let trace = joint.joined.traces.get(n);
    let links = trace.iter().flat_map(|trace| &trace.links).enumerate();
    let mut kept: Vec<usize> = Vec::new();
    let mut hops = Vec::new();
    for (at, link) in links {
        let Some(mut rung) = rung(joint, link) else {
            continue;
        };
        rung.issuer = judgement.issuer == Some(at) && finding.is_some();
        // A link without any record has no rung; its children hang from the one above it.
        rung.parent = link
            .parent
            .and_then(|parent| kept.iter().position(|&k| k == parent));
        kept.push(at);
        hops.push(rung);
    }
    Explained {
        request: judgement.request,
        status: judgement.status,
        hops,
        finding: finding.cloned(),
        judged: judgement.exchange,
        verdicts: judgement.verdicts,
    }
}

fn rung(joint: &Joint, link: &Link) -> Option<Rung> {
    let record = link.records().next()?;
    let (start, end) = link.interval().unzip();
    let shift = joint.map.shift(record.place.source);
    let correction_us = shift.at(record.raw_us, record.place.offset);
    let logged = |us: Option<i64>| us.map(|us| Micros(us - correction_us));
    let outcome = link.outcome.as_ref();
    Some(Rung {
        hop: joint
            .map
            .hops
            .get(link.hop.0 as usize)
            .map_or_else(String::new, |hop| hop.name.clone()),
        product: record.product.name().to_owned(),
        parent: None,
        joined_by: link.joined_by,
        ambiguous: link.ambiguous,
        logged_start: logged(start),
        logged_end: logged(end),
        correction_ms: correction_us as f64 / 1e3,
        start: start.map(Micros),
        end: end.map(Micros),
        resolution_ms: f64::from(record.resolution_us) / 1e3,
        duration_ms: outcome.and_then(|r| ms(r.duration_us)),
        status: outcome.and_then(|r| r.status),
        issuer: false,
        queue_ms: outcome.and_then(|r| ms(r.queue_us.get())),
        attempts: outcome.map(|r| tries(r, start, end)).unwrap_or_default(),
        lines: link.records().map(line).collect(),
    })
}

fn ms(us: Option<u64>) -> Option<f64> {
    us.map(|us| us as f64 / 1e3)
}

/// The attempts of `record`, one after the other up to its end.
fn tries(record: &Record, start: Option<i64>, end: Option<i64>) -> Vec<Try> {
    let count = record.attempts.len();
    let mut until = end;
    let mut all: Vec<Try> = Vec::with_capacity(count);
    for (n, attempt) in record.attempts.iter().enumerate().rev() {
        let only = count == 1;
        // Where the attempt itself has no times, those of the request are its last attempt's.
        let own = |of_attempt: Option<u64>, of_record: Option<u64>| {
            of_attempt.or(of_record.filter(|_| n + 1 == count))
        };
        let connect = own(attempt.connect_us.get(), record.connect_us.get());
        let header = own(attempt.header_us.get(), record.header_us.get());
        let response = own(attempt.response_us.get(), record.response_us.get());
        let begin = match (until, response) {
            (Some(until), Some(us)) => Some(until - i64::try_from(us).unwrap_or(0)),
            _ if only => start.map(|s| s + i64::try_from(record.queue_us.get().unwrap_or(0)).unwrap_or(0)),
            _ => None,
        };
        all.push(one_try(attempt, begin, until, (connect, header, response)));
        until = begin;
    }
    all.reverse();
    all
}

fn one_try(
    attempt: &Attempt,
    start: Option<i64>,
    end: Option<i64>,
    (connect, header, response): (Option<u64>, Option<u64>, Option<u64>),
) -> Try {
    Try {
        upstream: attempt.addr.to_string(),
        start: start.map(Micros),
        end: end.filter(|_| start.is_some()).map(Micros),
        status: attempt.status,
        connect_ms: ms(connect),
        header_ms: ms(header),
        response_ms: ms(response),
    }
}

fn line(record: &Record) -> LoggedLine {
    LoggedLine {
        says: record
            .signal
            .map_or_else(String::new, |s| format!("{:?}/{:?}", s.phase, s.fault)),
        file: String::new(),
        line: record.place.line,
        offset: record.place.offset,
        text: String::new(),
        place: Some(record.place),
    }
}
