//! Which format each input is in, decided by the first lines of its stream.
//!
//! What the user forces goes before everything; then the surest format wins, then the one that reads
//! more lines, then formats declared in server configuration, then the order of the registry. What
//! surrounds a file (its name, its neighbours) only breaks ties between products that write alike.

mod choose;
mod day;
mod definitions;
mod document;
mod fallback;
mod forced;
mod hints;
mod interleaved;

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use why502_parsers::format::{Format, Head, Prepared, Product, RecordKind, Score};
use why502_parsers::wrap::Layers;

use crate::error::Error;
use crate::model::finding::Problem;
use crate::model::{Input, SourceId};

pub use definitions::{definitions, files as definition_files};
pub use forced::Forced;

use choose::{Choice, Sample};

/// Bytes of a file that are looked at.
pub const HEAD: usize = 64 * 1024;

/// What an input was recognised as.
#[derive(Clone)]
pub struct Detected {
    /// Name of the format.
    pub format_name: String,
    /// Who writes it.
    pub product: Product,
    /// What its lines record.
    pub kind: RecordKind,
    /// The format, made ready for this file.
    pub prepared: Arc<dyn Prepared>,
    /// What stands around each line, to be taken off before parsing.
    pub wrapper: Layers,
    /// How sure the format was.
    pub score: Score,
    /// Why this format.
    pub reason: String,
    /// Formats that would have done as well, by name.
    pub rivals: Vec<String>,
    /// Those of them that read the lines otherwise, so that it matters which one is right.
    pub ties: Vec<String>,
    /// Lines looked at, and how many of them were read.
    pub looked_at: u32,
    /// See [`Detected::looked_at`].
    pub parsed: u32,
}

impl std::fmt::Debug for Detected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Detected")
            .field("format_name", &self.format_name)
            .field("product", &self.product)
            .field("wrapper", &self.wrapper)
            .field("score", &self.score)
            .field("reason", &self.reason)
            .field("rivals", &self.rivals)
            .finish_non_exhaustive()
    }
}

/// A log format that a server's configuration declares.
#[derive(Clone)]
pub struct DeclaredFormat {
    /// The format, compiled from the configuration's format string.
    pub format: Arc<dyn Format>,
    /// Path of the log as the configuration has it; may be empty or no path at all (`/dev/log`, `stdout`).
    pub log_path: String,
    /// The configuration file as reports name it.
    pub config: String,
    /// Whether it is a definition of the user's own and not of a server's configuration.
    pub is_definition: bool,
}

/// What detection is given beside the inputs.
#[derive(Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// Formats from server configuration.
    pub declared: &'a [DeclaredFormat],
    /// Server configuration that was found: the file as reports name it, and whose it is.
    pub configs: &'a [(String, Product)],
    /// Tells by a file's head whether it has words of server configuration; nothing has if it is not given.
    pub has_configuration_words: Option<fn(&[u8]) -> bool>,
}

/// Which part of an input is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first [`HEAD`] bytes.
    Head,
    /// As much from the middle.
    Middle,
}

/// Gives the bytes of a part of an input, cut at line ends.
pub type Look<'a> = dyn Fn(&Input, Part) -> Result<Vec<u8>, Error> + Sync + 'a;

/// The outcome of detection.
#[derive(Debug, Default)]
pub struct Sniffed {
    /// What each input is, by [`SourceId`]; `None` if it is not read: no log, or no format fits.
    pub formats: Vec<Option<Detected>>,
    /// Logs whose format is not known, and files that could not be read.
    pub problems: Vec<Problem>,
    /// Files that are no logs (configuration, documentation, reports): passed over in silence.
    pub passed_over: Vec<SourceId>,
    /// Files that do not look like logs of servers, but like nothing else either.
    pub unrecognised: Vec<SourceId>,
}

/// Recognises every input. The parts of one stream are taken to be of one format unless they do not parse so.
pub fn detect(inputs: &[Input], surroundings: Surroundings<'_>, forced: &Forced, look: &Look<'_>) -> Sniffed {
    let detector = Detector {
        inputs,
        surroundings,
        forced,
        look,
    };
    let mut streams: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    // The newest part decides what the log is: the others may be from before the format was changed.
    for (at, input) in inputs.iter().enumerate().rev() {
        streams.entry(&input.stream).or_default().push(at);
    }
    let members: Vec<Vec<usize>> = streams.into_values().collect();
    let first = members.into_par_iter().map(|members| {
        let mut found = Found::default();
        let stream = detector.first_look(members, &mut found);
        (stream, found)
    });
    let (first, mut found): (Vec<Option<Stream<'_>>>, Vec<Found>) = first.unzip();
    let first: Vec<Stream<'_>> = first.into_iter().flatten().collect();
    let certain: Vec<hints::Known<'_>> = first
        .iter()
        .filter_map(|stream| {
            let choice = stream.choice.as_ref()?;
            let known = choice.score > Score::Shape && choice.product() != Product::Unknown;
            known.then(|| hints::Known {
                stream: &inputs[stream.lead].stream,
                product: choice.product(),
                is_marked: choice.score == Score::Mark,
            })
        })
        .collect();
    let settled = first.into_par_iter().map(|stream| {
        let mut found = Found::default();
        detector.settle(stream, &certain, &mut found);
        found
    });
    found.extend(settled.collect::<Vec<_>>());
    let mut sniffed = Sniffed {
        formats: vec![None; inputs.len()],
        ..Sniffed::default()
    };
    for found in found {
        for (at, detected) in found.formats {
            sniffed.formats[at] = Some(detected);
        }
        sniffed.problems.extend(found.problems);
        sniffed.passed_over.extend(found.passed_over);
        sniffed.unrecognised.extend(found.unrecognised);
    }
    sniffed.problems.sort();
    sniffed.passed_over.sort();
    sniffed.unrecognised.sort();
    sniffed
}

/// What was found of one stream, as in [`Sniffed`].
#[derive(Default)]
struct Found {
    formats: Vec<(usize, Detected)>,
    problems: Vec<Problem>,
    passed_over: Vec<SourceId>,
    unrecognised: Vec<SourceId>,
}

/// The parts of one log, and what was made of the first of them that is not empty.
struct Stream<'a> {
    members: Vec<usize>,
    lead: usize,
    sample: Sample,
    choice: Option<Choice<'a>>,
}

struct Detector<'a> {
    inputs: &'a [Input],
    surroundings: Surroundings<'a>,
    forced: &'a Forced,
    look: &'a Look<'a>,
}

impl<'a> Detector<'a> {
    /// Chooses by content alone. `None` if no part can be read or all are empty.
    fn first_look(&self, mut members: Vec<usize>, found: &mut Found) -> Option<Stream<'a>> {
        while let Some(&lead) = members.first() {
            let input = &self.inputs[lead];
            match (self.look)(input, Part::Head) {
                Ok(head) if head.iter().all(u8::is_ascii_whitespace) => {
                    found.passed_over.push(input.id);
                }
                Ok(head) => {
                    let (sample, choice) = self.choose(input, head, &[]);
                    return Some(Stream {
                        members,
                        lead,
                        sample,
                        choice,
                    });
                }
                Err(error) => found.problems.push(error.problem(&input.shown)),
            }
            members.remove(0);
        }
        None
    }

    /// The best format for `head`, or for the middle of the file if the head is of none.
    fn choose(&self, input: &Input, head: Vec<u8>, hints: &[Product]) -> (Sample, Option<Choice<'a>>) {
        if document::is_own_report(&head) {
            return (Sample::plain(head), None);
        }
        if let Some((format, reason)) = self.forced.format_for(&input.shown) {
            return Choice::forced(format, reason, head);
        }
        let (sample, choice) = choose::best(input, head, self.surroundings, hints);
        // The middle of a document may look like a log; the document is none.
        if choice.is_some() || document::is_json_document(&sample.raw) {
            return (sample, choice);
        }
        let middle = (self.look)(input, Part::Middle).unwrap_or_default();
        if !middle.is_empty()
            && let (other, Some(choice)) = choose::best(input, middle, self.surroundings, hints)
        {
            return (other, Some(choice));
        }
        (sample, None)
    }

    /// Breaks ties by what surrounds the stream, then gives every part its format.
    fn settle(&self, stream: Stream<'a>, certain: &[hints::Known<'_>], found: &mut Found) {
        let Stream {
            members,
            lead,
            sample,
            choice,
        } = stream;
        let inputs = self.inputs;
        let input = &inputs[lead];
        let Some(choice) = choice else {
            return found.unknown(inputs, self.surroundings, &members, &sample);
        };
        let choice = match choice.score {
            Score::Shape => self
                .with_hints(input, &sample, &choice.reason, certain)
                .unwrap_or(choice),
            Score::Own => self
                .beside_marked(input, &sample, &choice, certain)
                .unwrap_or(choice),
            _ => choice,
        };
        if choice.is_forced() && choice.score == Score::No {
            found.problems.push(Problem {
                path: input.shown.clone(),
                message: format!("no line of {} is of the format {}", input.shown, choice.name()),
                hint: "leave --input-format and --log-format out to have the format recognised".to_owned(),
            });
        }
        for member in members {
            let detected = if member == lead {
                let detected = choice.detected(&sample, day::of(&inputs[member]));
                found.problems.extend(doubts(input, &choice, &detected));
                Some(detected)
            } else {
                self.member(member, &choice, found)
            };
            found.formats.extend(detected.map(|detected| (member, detected)));
        }
    }

    /// The choice under the first kind of hint that decides who wrote lines of this `shape`.
    fn with_hints(
        &self,
        input: &Input,
        sample: &Sample,
        shape: &str,
        certain: &[hints::Known<'_>],
    ) -> Option<Choice<'a>> {
        let tags = choose::tagged(&sample.raw);
        hints::tiers(input, tags, certain, self.surroundings.configs)
            .into_iter()
            .find_map(|tier| {
                let (_, choice) = choose::best(input, sample.raw.clone(), self.surroundings, &tier.products);
                let mut choice = choice.filter(|choice| tier.products.contains(&choice.product()))?;
                choice.reason = format!(
                    "{shape}, taken for {} by {}",
                    choice.product().name(),
                    tier.because
                );
                Some(choice)
            })
    }

    /// The format of the product whose mark the logs beside this one bear, where it reads these lines as well:
    /// what passes from server to server (an id, an address) makes one server's lines look like another's.
    fn beside_marked(
        &self,
        input: &Input,
        sample: &Sample,
        chosen: &Choice<'a>,
        certain: &[hints::Known<'_>],
    ) -> Option<Choice<'a>> {
        let product = hints::marked_neighbour(&input.stream, certain).filter(|p| *p != chosen.product())?;
        let mut choice = choose::of_product(sample, chosen, product)?;
        choice.reason = format!(
            "{}, taken for {} by the logs beside it",
            chosen.reason,
            product.name()
        );
        Some(choice)
    }

    /// Another part of a stream: the stream's format, unless its head does not parse so.
    fn member(&self, at: usize, stream: &Choice<'a>, found: &mut Found) -> Option<Detected> {
        let input = &self.inputs[at];
        let head = match (self.look)(input, Part::Head) {
            Ok(head) => head,
            Err(error) => {
                found.problems.push(error.problem(&input.shown));
                return None;
            }
        };
        let sample = Sample::unwrapped(head, stream.layers);
        if sample.is_empty() || stream.is_forced() || stream.fits(&sample) {
            return Some(stream.detected(&sample, day::of(input)));
        }
        let (sample, choice) = self.choose(input, sample.raw, &[stream.product()]);
        if choice.is_none() {
            found.unknown(self.inputs, self.surroundings, &[at], &sample);
        }
        choice.map(|choice| choice.detected(&sample, day::of(input)))
    }
}

impl Found {
    /// No format fits: a problem if it looks like a log, else passed over, or said to be not recognised.
    fn unknown(&mut self, inputs: &[Input], around: Surroundings<'_>, members: &[usize], sample: &Sample) {
        let Some(first) = members.first().map(|at| &inputs[*at]) else {
            return;
        };
        if first.is_document() || !document::looks_like_log(&first.shown, &sample.raw) {
            let is_beside = first.is_document()
                || document::is_beside_logs(&first.shown, &sample.raw)
                || around
                    .has_configuration_words
                    .is_some_and(|has_words| has_words(&sample.raw));
            let list = if is_beside {
                &mut self.passed_over
            } else {
                &mut self.unrecognised
            };
            return list.extend(members.iter().map(|at| inputs[*at].id));
        }
        let more = match members.len() {
            1 => String::new(),
            n => format!(" and {} more of the same log", n - 1),
        };
        self.problems.push(Problem {
            path: first.shown.clone(),
            message: format!(
                "no known log format in {}{more}{}",
                first.shown,
                choose::around(&sample.raw)
            ),
            hint: format!(
                "paste the server's own with --log-format '{}=nginx:…' (or apache:, haproxy:), or name one with --input-format",
                first.shown
            ),
        });
    }
}

/// Of a hundred lines looked at, this many should be read.
const ENOUGH_PERCENT: u32 = 90;

/// What speaks against the choice: others read the lines as well but otherwise, or many lines are not read.
fn doubts(input: &Input, choice: &Choice<'_>, detected: &Detected) -> Vec<Problem> {
    let shown = &input.shown;
    let mut doubts = Vec::new();
    if !detected.ties.is_empty() && !choice.is_forced() {
        let ties = detected.ties.join(", ");
        doubts.push(Problem {
            path: shown.clone(),
            message: format!(
                "{shown} is read as {}, but may as well be {ties}",
                detected.format_name
            ),
            hint: format!(
                "say which with --input-format '{shown}={}', or name the configuration with --server-config",
                detected.ties.first().map_or("", String::as_str)
            ),
        });
    }
    let short = detected.parsed * 100 < detected.looked_at * ENOUGH_PERCENT;
    // That a forced format reads nothing at all has been said.
    if short && detected.parsed > 0 {
        doubts.push(Problem {
            path: shown.clone(),
            message: format!(
                "only {} of the first {} lines of {shown} are read as {}",
                detected.parsed, detected.looked_at, detected.format_name
            ),
            hint: format!(
                "if they are of another format, name it with --input-format '{shown}=…' or paste it with --log-format"
            ),
        });
    }
    doubts
}

/// The head of a file as formats are shown it.
fn head<'a>(bytes: &'a [u8], hints: &'a [Product]) -> Head<'a> {
    Head {
        bytes,
        hints,
        date_hint: None,
    }
}

#[cfg(test)]
mod tests;
