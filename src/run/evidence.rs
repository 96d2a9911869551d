//! The lines behind the findings, fetched at the end and only for them.

use std::collections::BTreeMap;

use crate::model::finding::{Evidence, Finding, NearMiss, Problem};
use crate::model::{Input, Place, SourceId};
use crate::read;
use crate::report::escape::line_text;

/// Longest part of a line that is shown as evidence, in bytes.
const LONGEST: usize = 2_048;

/// Fills in file, line number, offset and text of every piece of evidence. A file that can no longer be read is a problem.
pub(super) fn fill(
    inputs: &[Input],
    findings: &mut [Finding],
    near_misses: &mut [NearMiss],
    problems: &mut Vec<Problem>,
) {
    let mut places: BTreeMap<SourceId, BTreeMap<Place, Vec<u8>>> = BTreeMap::new();
    for place in findings
        .iter()
        .flat_map(|f| &f.evidence)
        .chain(near_misses.iter().flat_map(|n| &n.example))
        .filter_map(|e| e.place)
    {
        places.entry(place.source).or_default().insert(place, Vec::new());
    }
    for (source, wanted) in &mut places {
        let Some(input) = inputs.iter().find(|input| input.id == *source) else {
            continue;
        };
        let spots: Vec<(u64, u32)> = wanted
            .keys()
            .map(|place| (place.offset, place.len.min(LONGEST as u32)))
            .collect();
        match read::lines_at(input, &spots) {
            Ok(lines) => wanted
                .values_mut()
                .zip(lines)
                .for_each(|(text, line)| *text = line),
            Err(error) => problems.push(error.problem(&input.shown)),
        }
    }
    let shown = |source: SourceId| {
        inputs
            .iter()
            .find(|input| input.id == source)
            .map(|i| i.shown.clone())
            .unwrap_or_default()
    };
    let complete = |evidence: &mut Evidence| {
        let Some(place) = evidence.place else { return };
        evidence.file = shown(place.source);
        evidence.line = place.line;
        evidence.offset = Some(place.offset);
        let text = places.get(&place.source).and_then(|lines| lines.get(&place));
        evidence.text = text.map(|line| line_text(line)).unwrap_or_default();
    };
    for finding in findings {
        finding.evidence.iter_mut().for_each(complete);
        for hop in &mut finding.hops {
            if let Some(place) = hop.place {
                hop.file = shown(place.source);
                hop.line = place.line;
                hop.offset = place.offset;
            }
        }
    }
    near_misses
        .iter_mut()
        .filter_map(|near_miss| near_miss.example.as_mut())
        .for_each(complete);
}
