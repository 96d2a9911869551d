//! The lines behind the findings, fetched only for them, and only as they are written.

use std::collections::{BTreeMap, BTreeSet};

use super::lines_before::LinesBefore;
use crate::model::explain::Explained;
use crate::model::finding::{Evidence, Finding, Problem};
use crate::model::{Input, Place, SourceId};
use crate::read;
use crate::report::escape::line_text;
use crate::select::packed::Packed;

/// Longest part of a line that is shown as evidence, in bytes.
const LONGEST: usize = 2_048;

/// What lines are fetched from.
pub(super) struct Lines {
    inputs: BTreeMap<SourceId, Input>,
    before: LinesBefore,
    /// Lines kept of inputs that can only be read from their start.
    packed: BTreeMap<SourceId, Packed>,
    /// Lines of such inputs that were not kept.
    held: Texts,
}

/// The bytes of lines, by input.
type Texts = BTreeMap<SourceId, BTreeMap<Place, Vec<u8>>>;

impl Lines {
    /// Lines of `inputs`. `before` says how many lines stand before what was read of them; `packed` are those kept of
    /// inputs that can only be read from their start.
    pub(super) fn of(
        inputs: impl IntoIterator<Item = Input>,
        before: LinesBefore,
        packed: BTreeMap<SourceId, Packed>,
    ) -> Self {
        Self {
            inputs: inputs.into_iter().map(|input| (input.id, input)).collect(),
            before,
            packed,
            held: Texts::new(),
        }
    }

    /// The number of the line of `source` that is the `line`-th of what was read; zero if it is not known.
    pub(super) fn number(&self, source: SourceId, line: u64) -> u64 {
        self.before.number(source, line)
    }

    /// Whether all lines of `source` that are named have to be known at once, since it is read from its start for them.
    pub(super) fn is_read_once(&self, source: SourceId) -> bool {
        self.inputs.get(&source).is_some_and(|input| !input.is_plain())
    }

    /// Makes ready for lines of `sources`, of which `places` are those in inputs that are read once. A file that can no
    /// longer be read is a problem.
    pub(super) fn prepare(
        &mut self,
        sources: &BTreeSet<SourceId>,
        places: impl Iterator<Item = Place>,
        problems: &mut Vec<Problem>,
    ) {
        let plain = sources
            .iter()
            .filter_map(|source| self.inputs.get(source).filter(|input| input.is_plain()));
        problems.extend(plain.filter_map(|input| {
            let error = read::line_at(input, 0, 0).err()?;
            Some(error.problem(&input.shown))
        }));
        let mut wanted = Texts::new();
        for place in places.filter(|place| self.is_read_once(place.source)) {
            wanted.entry(place.source).or_default().insert(place, Vec::new());
        }
        // What is compressed is not read once more for lines that are known.
        wanted.retain(|_, lines| !lines.keys().all(|place| self.kept(*place).is_some()));
        for (source, lines) in &mut wanted {
            let Some(input) = self.inputs.get(source) else {
                continue;
            };
            if let Err(error) = fetch(input, lines) {
                problems.push(error.problem(&input.shown));
            }
        }
        self.held = wanted;
    }

    /// The line at `place`, if it was kept.
    fn kept(&self, place: Place) -> Option<&[u8]> {
        self.packed.get(&place.source)?.text(place.offset)
    }

    /// The lines at `places` in inputs of which any part can be read by itself. What cannot be read is left empty.
    fn fetched(&self, places: impl Iterator<Item = Place>) -> Texts {
        let mut wanted = Texts::new();
        for place in places.filter(|place| !self.is_read_once(place.source)) {
            wanted.entry(place.source).or_default().insert(place, Vec::new());
        }
        for (source, lines) in &mut wanted {
            let _ = self.inputs.get(source).map(|input| fetch(input, lines));
        }
        wanted
    }

    /// Fills in file, line number, offset and text of `evidence`, and where the records of `findings` stand.
    pub(super) fn complete(&self, findings: &mut [Finding]) {
        let of_findings = || findings.iter().flat_map(|finding| &finding.evidence);
        let texts = self.fetched(of_findings().filter_map(|evidence| evidence.place));
        for finding in findings {
            finding
                .evidence
                .iter_mut()
                .for_each(|evidence| self.put(evidence, &texts));
            for hop in &mut finding.hops {
                if let Some(place) = hop.place {
                    hop.file = self.file(place);
                    hop.line = self.number(place.source, place.line);
                    hop.offset = place.offset;
                }
            }
        }
    }

    /// The same for single pieces of evidence.
    pub(super) fn complete_all(&self, mut all: Vec<&mut Evidence>) {
        let texts = self.fetched(all.iter().filter_map(|evidence| evidence.place));
        all.iter_mut().for_each(|evidence| self.put(evidence, &texts));
    }

    /// The same for requests that are explained. A file that can no longer be read is a problem.
    pub(super) fn complete_explained(&mut self, requests: &mut [Explained], problems: &mut Vec<Problem>) {
        let places: BTreeSet<Place> = requests.iter().flat_map(places_of).collect();
        let sources = places.iter().map(|place| place.source).collect();
        self.prepare(&sources, places.iter().copied(), problems);
        let texts = self.fetched(places.into_iter());
        for request in requests {
            self.complete(request.finding.as_mut_slice());
            for line in request.hops.iter_mut().flat_map(|hop| &mut hop.lines) {
                let Some(place) = line.place else { continue };
                line.file = self.file(place);
                line.line = self.number(place.source, place.line);
                line.text = self.text(place, &texts);
            }
        }
    }

    fn file(&self, place: Place) -> String {
        let input = self.inputs.get(&place.source);
        input.map(|input| input.shown.clone()).unwrap_or_default()
    }

    fn text(&self, place: Place, fetched: &Texts) -> String {
        let of = |texts: &'_ Texts| {
            let line = texts.get(&place.source)?.get(&place)?;
            Some(line_text(line))
        };
        let kept = || {
            let line = self.kept(place)?;
            Some(line_text(&line[..line.len().min(LONGEST)]))
        };
        of(fetched)
            .or_else(|| of(&self.held))
            .or_else(kept)
            .unwrap_or_default()
    }

    fn put(&self, evidence: &mut Evidence, texts: &Texts) {
        let Some(place) = evidence.place else { return };
        evidence.file = self.file(place);
        evidence.line = self.number(place.source, place.line);
        evidence.offset = Some(place.offset);
        evidence.text = self.text(place, texts);
    }
}

/// Where the lines stand that are shown of a request.
fn places_of(request: &Explained) -> Vec<Place> {
    let evidence = request.finding.iter().flat_map(|finding| &finding.evidence);
    let lines = request.hops.iter().flat_map(|hop| &hop.lines);
    evidence
        .filter_map(|evidence| evidence.place)
        .chain(lines.filter_map(|line| line.place))
        .collect()
}

/// Reads `lines` of `input`, as far as they are shown.
fn fetch(input: &Input, lines: &mut BTreeMap<Place, Vec<u8>>) -> Result<(), crate::error::Error> {
    let spots: Vec<(u64, u32)> = lines
        .keys()
        .map(|place| (place.offset, place.len.min(LONGEST as u32)))
        .collect();
    let read = read::lines_at(input, &spots)?;
    lines.values_mut().zip(read).for_each(|(text, line)| *text = line);
    Ok(())
}
