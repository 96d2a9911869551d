//! The lines behind the findings, fetched at the end and only for them.

use std::collections::BTreeMap;

use super::lines_before::LinesBefore;
use crate::model::explain::Explained;
use crate::model::finding::{Coincidence, Evidence, Finding, Incident, NearMiss, Problem};
use crate::model::{Input, Place, SourceId};
use crate::read;
use crate::report::escape::line_text;
use crate::select::packed::Packed;

/// Longest part of a line that is shown as evidence, in bytes.
const LONGEST: usize = 2_048;

/// Fills in file, line number, offset and text of every piece of evidence. A file that can no longer be read is a problem.
pub(super) fn fill(
    inputs: &[Input],
    known: &Known<'_>,
    findings: &mut [Finding],
    near_misses: &mut [NearMiss],
    incidents: &mut [Incident],
    problems: &mut Vec<Problem>,
) {
    fn coincided(incidents: &mut [Incident]) -> impl Iterator<Item = &mut Coincidence> {
        incidents.iter_mut().flat_map(|incident| &mut incident.coincided)
    }
    let places = findings
        .iter()
        .flat_map(|f| &f.evidence)
        .chain(near_misses.iter().flat_map(|n| &n.example))
        .chain(
            incidents
                .iter()
                .flat_map(|i| &i.coincided)
                .flat_map(|c| &c.evidence),
        )
        .filter_map(|e| e.place);
    let lines = Lines::fetch(inputs, known, places, problems);
    for finding in findings {
        lines.complete(finding);
    }
    near_misses
        .iter_mut()
        .filter_map(|near_miss| near_miss.example.as_mut())
        .chain(coincided(incidents).filter_map(|c| c.evidence.as_mut()))
        .for_each(|evidence| lines.put(evidence));
}

/// The same for requests that are explained.
pub(super) fn fill_explained(
    inputs: &[Input],
    known: &Known<'_>,
    requests: &mut [Explained],
    problems: &mut Vec<Problem>,
) {
    let of_finding = |request: &Explained| {
        let evidence = request.finding.iter().flat_map(|f| &f.evidence);
        evidence.filter_map(|e| e.place).collect::<Vec<_>>()
    };
    let of_hops = |request: &Explained| {
        let lines = request.hops.iter().flat_map(|hop| &hop.lines);
        lines.filter_map(|line| line.place).collect::<Vec<_>>()
    };
    let places: Vec<Place> = requests
        .iter()
        .flat_map(|request| [of_finding(request), of_hops(request)].concat())
        .collect();
    let lines = Lines::fetch(inputs, known, places.into_iter(), problems);
    for request in requests {
        if let Some(finding) = &mut request.finding {
            lines.complete(finding);
        }
        for line in request.hops.iter_mut().flat_map(|hop| &mut hop.lines) {
            let Some(place) = line.place else { continue };
            line.file = lines.file(place);
            line.line = known.lines_before.number(place.source, place.line);
            line.text = lines.text(place);
        }
    }
}

/// What is known of the inputs without reading them again.
pub(super) struct Known<'k> {
    /// How many lines stand before what was read of them.
    pub lines_before: &'k LinesBefore,
    /// Lines kept of those that can only be read from their start.
    pub packed: &'k BTreeMap<SourceId, Packed>,
}

/// The line at `place` as far as it is shown, if it was kept.
fn text_kept(packed: Option<&Packed>, place: &Place) -> Option<Vec<u8>> {
    let text = packed?.text(place.offset)?;
    Some(text[..text.len().min(LONGEST)].to_vec())
}

/// The lines at some places of the inputs.
struct Lines<'l> {
    known: &'l Known<'l>,
    files: BTreeMap<SourceId, String>,
    bytes: BTreeMap<SourceId, BTreeMap<Place, Vec<u8>>>,
}

impl<'l> Lines<'l> {
    fn fetch(
        inputs: &[Input],
        known: &'l Known<'l>,
        places: impl Iterator<Item = Place>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut bytes: BTreeMap<SourceId, BTreeMap<Place, Vec<u8>>> = BTreeMap::new();
        for place in places {
            bytes.entry(place.source).or_default().insert(place, Vec::new());
        }
        for (source, wanted) in &mut bytes {
            let Some(input) = inputs.iter().find(|input| input.id == *source) else {
                continue;
            };
            let packed = known.packed.get(source);
            if wanted
                .iter_mut()
                .all(|(place, text)| text_kept(packed, place).map(|kept| *text = kept).is_some())
            {
                continue; // What is compressed is not read once more for lines that are known.
            }
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
        let files = inputs
            .iter()
            .map(|input| (input.id, input.shown.clone()))
            .collect();
        Self { known, files, bytes }
    }

    fn file(&self, place: Place) -> String {
        self.files.get(&place.source).cloned().unwrap_or_default()
    }

    fn text(&self, place: Place) -> String {
        let line = self.bytes.get(&place.source).and_then(|lines| lines.get(&place));
        line.map(|line| line_text(line)).unwrap_or_default()
    }

    fn put(&self, evidence: &mut Evidence) {
        let Some(place) = evidence.place else { return };
        evidence.file = self.file(place);
        evidence.line = self.known.lines_before.number(place.source, place.line);
        evidence.offset = Some(place.offset);
        evidence.text = self.text(place);
    }

    fn complete(&self, finding: &mut Finding) {
        finding
            .evidence
            .iter_mut()
            .for_each(|evidence| self.put(evidence));
        for hop in &mut finding.hops {
            if let Some(place) = hop.place {
                hop.file = self.file(place);
                hop.line = self.known.lines_before.number(place.source, place.line);
                hop.offset = place.offset;
            }
        }
    }
}
