//! `why502 detect`: what every file is, which fields its records have, and how to have more of them logged.

use std::collections::BTreeMap;

use why502_parsers::entry::{Entry, Kind};
use why502_parsers::fields::{self, FIELDS};
use why502_parsers::format::{RecordKind, Score};

use super::advice::{self, Need, QUESTIONS};
use super::focus::Focuses;
use super::inputs::{self, Sources};
use super::kept::Surveyed;
use super::lines_before::LinesBefore;
use super::passes::Asked;
use super::{Map, passes};
use crate::error::Error;
use crate::model::detect::{Advice, DetectedFile, Detection, FieldFound, IdsFound, MissingField};
use crate::model::{HopId, Micros, SourceId, finding};
use crate::plan::Plan;
use crate::report::progress::Progress;
use crate::sniff::Detected;

/// How many records of a log have what.
#[derive(Debug, Default)]
pub(super) struct Tally {
    entries: u64,
    requests: u64,
    failures: u64,
    requests_with_id: u64,
    /// Requests whose stamp is finer than a second.
    fine: u64,
    /// Per field of [`FIELDS`].
    filled: Vec<u64>,
    shapes: BTreeMap<&'static str, u64>,
    /// Whether a list of the upstream's times was logged at all, be it of dashes: connecting, header, response.
    lists: [bool; 3],
}

/// A tally per input.
pub(super) type Tallies = BTreeMap<SourceId, Tally>;

/// Takes in what another task counted.
pub(super) fn merge(sum: &mut Tallies, other: Tallies) {
    for (source, more) in other {
        let tally = sum.entry(source).or_default();
        tally.entries += more.entries;
        tally.requests += more.requests;
        tally.failures += more.failures;
        tally.requests_with_id += more.requests_with_id;
        tally.fine += more.fine;
        for (to, from) in tally.lists.iter_mut().zip(more.lists) {
            *to |= from;
        }
        tally.filled.resize(FIELDS.len(), 0);
        for (to, from) in tally.filled.iter_mut().zip(more.filled) {
            *to += from;
        }
        for (shape, count) in more.shapes {
            *tally.shapes.entry(shape).or_default() += count;
        }
    }
}

impl Tally {
    /// Counts what `entry` has.
    pub(super) fn add(&mut self, entry: &Entry<'_>) {
        self.filled.resize(FIELDS.len(), 0);
        self.entries += 1;
        let upstream = &entry.upstream;
        for (logged, list) in
            self.lists
                .iter_mut()
                .zip([upstream.connect, upstream.header, upstream.response])
        {
            *logged |= !list.is_empty();
        }
        for (count, field) in self.filled.iter_mut().zip(FIELDS) {
            *count += u64::from((field.get)(entry).is_filled());
        }
        match entry.kind {
            Kind::Request => {
                self.requests += 1;
                self.fine += u64::from(entry.time.is_some_and(|stamp| stamp.resolution_us < 1_000_000));
                self.requests_with_id += u64::from(!entry.ids.as_slice().is_empty());
                for id in entry.ids.as_slice() {
                    *self.shapes.entry(shape(id)).or_default() += 1;
                }
            }
            Kind::Failure | Kind::Event => self.failures += 1,
            Kind::Note => {}
        }
    }

    fn has(&self, field: &str) -> bool {
        fields::position(field).is_some_and(|at| self.filled.get(at).is_some_and(|count| *count > 0))
    }

    fn meets(&self, question: &advice::Question) -> bool {
        match question.need {
            Need::FineTime => self.fine > 0,
            Need::ConnectTime if self.lists[0] => true,
            Need::HeaderTime if self.lists[1] || self.lists[2] => true,
            _ => question.fields.iter().any(|field| self.has(field)),
        }
    }
}

fn shape(id: &[u8]) -> &'static str {
    let hex = |text: &[u8]| text.iter().all(u8::is_ascii_hexdigit);
    match id.len() {
        36 if id.iter().filter(|byte| **byte == b'-').count() == 4 => "uuid",
        _ if id.iter().all(u8::is_ascii_digit) => "digits",
        32 if hex(id) => "hex32",
        16 if hex(id) => "hex16",
        _ => "other",
    }
}

/// Reads what `plan` names and says what it is. `now_us` is the present, for the result's own stamp.
///
/// # Errors
/// Nothing to read, or no known format anywhere.
pub fn detect(plan: &Plan, now_us: i64, progress: &Progress) -> Result<Detection, Error> {
    let mut sources = inputs::open(plan)?;
    let mut readings = sources.readings(plan, &BTreeMap::new());
    let bytes = || sources.inputs.iter().map(|input| input.bytes_on_disk).sum();
    progress.restart("reading", bytes());
    let (Surveyed { survey, kept }, mut problems) = passes::survey(
        &mut readings.list,
        &Asked {
            wanted: &|status| plan.statuses.contains(status),
            by_second: false,
            marked_most: 0,
        },
        progress,
    )?;
    progress.restart("counting fields", bytes());
    let tallies = passes::tally(&readings.list, progress)?;
    problems.append(&mut readings.problems);
    drop(readings);
    sources.problems.append(&mut problems);
    sources.problems.sort();
    sources.problems.dedup();
    progress.phase("joining");
    let map = Map::draw(plan, &mut sources, &survey, &kept);
    let coverage = sources.coverage(
        &survey,
        &map.corrections,
        &map.hops,
        &Focuses::default(),
        &LinesBefore::default(),
    );
    let hop_of = sources.hop_of();
    let shared = |hop: HopId| -> Vec<String> {
        let pairs = map.by_id.iter().filter_map(|(a, b)| match hop {
            hop if hop == *a => Some(*b),
            hop if hop == *b => Some(*a),
            _ => None,
        });
        let mut names: Vec<String> = pairs
            .map(|other| map.hops[other.0 as usize].name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    };
    let none = Tally::default();
    let files = sources
        .detected()
        .zip(coverage)
        .map(|((source, detected), input)| {
            let tally = tallies.get(&source).unwrap_or(&none);
            let shared = hop_of.get(&source).map_or_else(Vec::new, |hop| shared(*hop));
            file(detected, input, tally, shared)
        })
        .collect();
    Ok(Detection {
        schema: Detection::SCHEMA.to_owned(),
        generated_at: Micros(now_us),
        files,
        hops: map.hop_infos(&survey),
        passed_over: passed_over(&sources),
        problems: sources.problems,
    })
}

/// Inputs that are neither read nor named by a problem.
fn passed_over(sources: &Sources) -> Vec<String> {
    let known: Vec<SourceId> = sources.detected().map(|(source, _)| source).collect();
    sources
        .inputs
        .iter()
        .filter(|input| !known.contains(&input.id))
        .filter(|input| !sources.problems.iter().any(|problem| problem.path == input.shown))
        .map(|input| input.shown.clone())
        .collect()
}

fn file(detected: &Detected, input: finding::Input, tally: &Tally, shared_with: Vec<String>) -> DetectedFile {
    let mut shapes: Vec<(&str, u64)> = tally
        .shapes
        .iter()
        .map(|(shape, count)| (*shape, *count))
        .collect();
    shapes.sort_by_key(|(shape, count)| (std::cmp::Reverse(*count), *shape));
    let missing = missing(detected, tally);
    let advice = advice::setting(detected.product)
        .filter(|_| missing.iter().any(|field| !field.written.is_empty()))
        .map(|setting| Advice {
            place: setting.place.to_owned(),
            line: setting.line.to_owned(),
            note: setting.note.to_owned(),
        });
    DetectedFile {
        input,
        product: detected.product.name().to_owned(),
        kind: match detected.kind {
            RecordKind::Access => "access",
            RecordKind::Error => "error",
            RecordKind::Mixed => "mixed",
        }
        .to_owned(),
        certainty: match detected.score {
            Score::No => "none",
            Score::Shape => "shape",
            Score::Own => "own",
            Score::Mark => "mark",
        }
        .to_owned(),
        rivals: detected.rivals.clone(),
        wrapper: (!detected.wrapper.is_empty()).then(|| detected.wrapper.name()),
        requests: tally.requests,
        failures: tally.failures,
        ids: IdsFound {
            requests: tally.requests_with_id,
            shapes: shapes.into_iter().map(|(shape, _)| shape.to_owned()).collect(),
            shared_with,
        },
        fields: found(tally),
        missing,
        advice,
    }
}

fn found(tally: &Tally) -> Vec<FieldFound> {
    FIELDS
        .iter()
        .zip(&tally.filled)
        .filter(|(_, count)| **count > 0)
        .map(|(field, count)| FieldFound {
            name: field.name.to_owned(),
            entries: *count,
            share: *count as f64 / tally.entries.max(1) as f64,
        })
        .collect()
}

/// What the requests of a log do not say. A log without requests is not asked.
fn missing(detected: &Detected, tally: &Tally) -> Vec<MissingField> {
    if tally.requests == 0 {
        return Vec::new();
    }
    let setting = advice::setting(detected.product);
    QUESTIONS
        .iter()
        .filter(|question| advice::applies(question.need, detected.product) && !tally.meets(question))
        .map(|question| MissingField {
            what: question.what.to_owned(),
            decides: question.decides.to_owned(),
            written: setting
                .and_then(|setting| setting.gives.iter().find(|(need, _)| *need == question.need))
                .map_or_else(String::new, |(_, written)| (*written).to_owned()),
        })
        .collect()
}
