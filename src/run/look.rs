//! The first pass: over everything, or over what a time window needs of it.
//!
//! To know which part of a file a window needs, its clock must be known, and clocks are learnt from what was read. So
//! clocks are taken as they stand first; where that turns out wrong, or remains open, they are learnt from all there is
//! and the window is looked at again.

use std::collections::BTreeMap;

use why502_parsers::format::RecordKind;

use super::Map;
use super::clocks::Correction;
use super::focus::{self, Focus, Focuses};
use super::inputs::Sources;
use super::kept::{Kept, Surveyed};
use super::passes::Asked;
use super::{parse, passes};
use crate::error::Error;
use crate::model::SourceId;
use crate::plan::{Plan, Window};
use crate::report::progress::Progress;
use crate::select::survey::{InputSurvey, Survey, earliest};

/// A clock that is off by more than this takes in the wrong time.
const OFF_US: i64 = 60_000_000;

/// What the first pass learnt, and what it was looked for in.
pub(super) struct Looked {
    /// What was learnt.
    pub survey: Survey,
    /// The failures of it.
    pub kept: Kept,
    /// Hops and clocks.
    pub map: Map,
    /// What of the inputs was read.
    pub focuses: Focuses,
}

/// Reads what the window of `plan` needs, or everything if there is none.
///
/// # Errors
/// An empty window, or what cannot be read at all.
pub(super) fn look(
    plan: &Plan,
    sources: &mut Sources,
    now_us: i64,
    wanted: &(dyn Fn(u16) -> bool + Sync),
    progress: &Progress,
) -> Result<Looked, Error> {
    let mut hints = parse::given(plan, sources);
    let mut focuses = Focuses::default();
    if let Some(window) = window(plan, sources, &hints, now_us)? {
        focuses = focus::find(plan, sources, &window, &hints)?;
    }
    let (mut surveyed, mut map) = survey(plan, sources, &focuses, wanted, progress)?;
    if !focuses.is_empty() && !is_settled((&map, &surveyed), sources, &focuses, &hints) {
        // Clocks alone are learnt from this, so nothing of it stays.
        let (_, known) = self::survey(plan, sources, &Focuses::default(), wanted, progress)?;
        hints = known.corrections;
        if let Some(window) = window(plan, sources, &hints, now_us)? {
            focuses = focus::find(plan, sources, &window, &hints)?;
        }
        (surveyed, map) = self::survey(plan, sources, &focuses, wanted, progress)?;
    }
    let Surveyed { survey, kept } = surveyed;
    Ok(Looked {
        survey,
        kept,
        map,
        focuses,
    })
}

/// The window as far as it can be told before anything is read; `None` if it cannot, or is open.
fn window(
    plan: &Plan,
    sources: &Sources,
    hints: &BTreeMap<SourceId, Correction>,
    now_us: i64,
) -> Result<Option<Window>, Error> {
    if plan.window.is_open() {
        return Ok(None);
    }
    let mut last = None;
    if plan.window.needs_last_entry() {
        last = focus::last_entry(plan, sources, hints)?;
        if last.is_none() {
            return Ok(None);
        }
    }
    let resolved = plan.window.resolve(now_us, last);
    resolved
        .map(Some)
        .map_err(|what| Error::usage("--since/--until", what, "name a later end"))
}

fn survey(
    plan: &Plan,
    sources: &mut Sources,
    focuses: &Focuses,
    wanted: &(dyn Fn(u16) -> bool + Sync),
    progress: &Progress,
) -> Result<(Surveyed, Map), Error> {
    let mut readings = sources.to_survey(plan, focuses);
    let parts = readings.iter().filter_map(|reading| reading.part);
    progress.restart("reading", parts.map(|part| part.len).sum());
    let asked = Asked {
        wanted,
        by_second: !plan.window.is_open(),
        marked_most: plan.marked_most,
    };
    let (mut surveyed, mut problems) = passes::survey(&mut readings, &asked, progress)?;
    drop(readings);
    for (source, focus) in focuses.iter() {
        let input = surveyed.survey.inputs.entry(source).or_default();
        input.zone_unknown |= focus.edges.no_zone;
        let coverage = &mut input.coverage;
        coverage.first_us = earliest(coverage.first_us, focus.edges.first_stamp);
        coverage.last_us = coverage.last_us.max(focus.edges.last_stamp);
    }
    sources.problems.append(&mut problems);
    progress.phase("joining");
    let map = Map::draw(plan, sources, &surveyed.survey, &surveyed.kept);
    Ok((surveyed, map))
}

/// Whether the clocks that the parts were chosen by are those that were found in them, and none remains open that all
/// of the logs may tell.
fn is_settled(
    looked: (&Map, &Surveyed),
    sources: &Sources,
    focuses: &Focuses,
    hints: &BTreeMap<SourceId, Correction>,
) -> bool {
    let (map, Surveyed { survey, .. }) = looked;
    let is_off = |source: SourceId, focus: &Focus| {
        let hint = hints.get(&source).map(|hint| hint.shift).unwrap_or_default();
        let (found, at) = (map.shift(source), focus.keep.0.max(0));
        found.fold.is_some() || (found.without_fold(at) - hint.without_fold(at)).abs() > OFF_US
    };
    let is_assumed = |source: &SourceId| {
        let known = map.corrections.get(source);
        known.is_some_and(|known| known.zone_origin == "assumed")
    };
    sources.detected().all(|(source, detected)| {
        let Some(focus) = focuses.get(source) else {
            return true;
        };
        let input = survey.inputs.get(&source);
        let no_zone = focus.edges.no_zone || input.is_some_and(|input| input.zone_unknown);
        let is_open = no_zone && is_assumed(&source) && may_be_told(looked, source, detected.kind);
        !is_off(source, focus) && !is_open
    })
}

/// Whether the zone of `source`, which its stamps do not say and the window does not show, may be told by other times.
fn may_be_told((map, surveyed): (&Map, &Surveyed), source: SourceId, kind: RecordKind) -> bool {
    let Surveyed { survey, kept } = surveyed;
    let hop = map.hop_of.get(&source);
    let logs_requests = |input: &InputSurvey| input.requests > 0;
    let mut of_hop = survey
        .inputs
        .iter()
        .filter(|(other, _)| map.hop_of.get(other) == hop);
    let fails_here = |(source, input): (&SourceId, &InputSurvey)| {
        logs_requests(input) && !input.zone_unknown && kept.has_request_of(*source)
    };
    if kind == RecordKind::Error {
        return of_hop.any(fails_here);
    }
    let is_joined = hop.is_some_and(|&hop| map.by_id.iter().any(|pair| pair.0 == hop || pair.1 == hop));
    let others = || {
        survey
            .inputs
            .iter()
            .filter(|(other, _)| map.hop_of.get(other) != hop)
    };
    let seen_here = of_hop.any(|(_, input)| logs_requests(input));
    !is_joined && (!seen_here || others().any(|(_, input)| logs_requests(input)))
}
