//! Several formats in one stream: a container's standard output has the access lines and the error lines of its
//! server, and of its neighbours in the pod where streams were merged.

use std::sync::Arc;

use why502_parsers::entry::Entry;
use why502_parsers::error::LineError;
use why502_parsers::format::{Format, Head, Line, LineParser, Prepared, Score};
use why502_parsers::registry;

use super::head;

/// How many formats besides the first one a stream may have.
const MOST: usize = 3;

/// The formats of lines of `shown` that `first` (called `name`) does not read, the one of most lines first.
///
/// A shape that several products share is only believed on two lines or more.
pub(super) fn others(shown: &Head<'_>, first: &dyn Prepared, name: &str) -> Vec<&'static dyn Format> {
    let mut others: Vec<&'static dyn Format> = Vec::new();
    let mut left = unread(shown, first);
    while !left.is_empty() && others.len() < MOST {
        let next = registry::builtin()
            .iter()
            .copied()
            .filter(|format| {
                format.name() != name && others.iter().all(|known| known.name() != format.name())
            })
            .filter_map(|format| {
                let rest = read_by(format, &left, shown)?;
                Some((format, rest))
            })
            // Of several that leave the same, the first of the registry, which is the most specific one.
            .min_by_key(|(_, rest)| rest.len());
        let Some((format, rest)) = next else { break };
        others.push(format);
        left = rest;
    }
    others
}

/// `first` for the lines that it reads, each of `others` for those that none before it does.
pub(super) fn with(
    first: Arc<dyn Prepared>,
    others: &[&'static dyn Format],
    shown: &Head<'_>,
) -> Arc<dyn Prepared> {
    if others.is_empty() {
        return first;
    }
    let mut all = vec![first];
    for format in others {
        let left = unread(shown, &Interleaved(all.clone()));
        all.push(format.prepare(&head(&left, shown.hints)));
    }
    Arc::new(Interleaved(all))
}

/// Each of `others` for the lines that it reads, `last` for those that none of them does.
pub(super) fn before(
    last: Arc<dyn Prepared>,
    others: &[&'static dyn Format],
    shown: &Head<'_>,
) -> Arc<dyn Prepared> {
    let Some((first, others)) = others.split_first() else {
        return last;
    };
    let first = first.prepare(&head(&unread(shown, &Nothing), shown.hints));
    Arc::new(Interleaved(vec![with(first, others, shown), last]))
}

/// Reads no line at all.
pub(super) struct Nothing;

impl Prepared for Nothing {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser(Vec::new()))
    }
}

/// How many lines of `shown` are read, and how many were looked at.
pub(super) fn coverage(shown: &Head<'_>, prepared: &dyn Prepared) -> (u32, u32) {
    let mut parser = prepared.open(b"");
    let (mut parsed, mut looked_at) = (0, 0);
    for line in shown.lines().take(Head::LINES) {
        looked_at += 1;
        parsed += u32::from(parser.parse(line, &mut Entry::default()).is_ok());
    }
    (parsed, looked_at)
}

/// The lines that `prepared` does not read, of the whole head.
fn unread(shown: &Head<'_>, prepared: &dyn Prepared) -> Vec<u8> {
    let mut parser = prepared.open(b"");
    let mut left = Vec::new();
    for line in shown.lines() {
        if parser.parse(line, &mut Entry::default()).is_err() {
            left.extend_from_slice(line);
            left.push(b'\n');
        }
    }
    left
}

/// What `format` leaves of the lines `left`, if it believably reads some of them.
fn read_by(format: &'static dyn Format, left: &[u8], shown: &Head<'_>) -> Option<Vec<u8>> {
    let all = head(left, shown.hints);
    let prepared = format.prepare(&all);
    if prepared.directive().is_some() {
        return None; // Its lines cannot be read without what stands before them.
    }
    let mut parser = prepared.open(b"");
    let (mut its, mut rest, mut entries) = (Vec::new(), Vec::new(), 0);
    for line in all.lines() {
        // A line that only goes on, or says nothing, is no sign of a format.
        let is_its = parser.parse(line, &mut Entry::default()) == Ok(Line::Entry);
        entries += u32::from(is_its);
        let to = if is_its { &mut its } else { &mut rest };
        to.extend_from_slice(line);
        to.push(b'\n');
    }
    let sniff = format.sniff(&head(&its, shown.hints));
    let believed = sniff.score > Score::Shape || sniff.score == Score::Shape && entries > 1;
    believed.then_some(rest)
}

/// Formats in the order in which they are tried on a line.
struct Interleaved(Vec<Arc<dyn Prepared>>);

struct Parser(Vec<Box<dyn LineParser>>);

impl Prepared for Interleaved {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser(
            self.0.iter().map(|format| format.open(preamble)).collect(),
        ))
    }

    fn directive(&self) -> Option<&'static [u8]> {
        self.0.first().and_then(|first| first.directive())
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let Some((first, others)) = self.0.split_first_mut() else {
            return Err(LineError::new(0, "line of a known format"));
        };
        let error = match first.parse(line, entry) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        for other in others {
            entry.clear();
            if let Ok(read) = other.parse(line, entry) {
                return Ok(read);
            }
        }
        Err(error)
    }

    fn lead_in(&self) -> usize {
        self.0.iter().map(|format| format.lead_in()).max().unwrap_or(0)
    }

    /// A line begins a record if any of the formats says so; lines go on only where all formats know that they do.
    fn begins(&self, line: &[u8]) -> Option<bool> {
        self.0
            .iter()
            .try_fold(false, |any, format| Some(any | format.begins(line)?))
    }
}
