//! Several formats in one log: what a server writes to one place in more than one format.

use std::sync::Arc;

use crate::entry::{Entry, Kind};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};

/// The formats of one log, one of which each line is of. `None` if there are none; one alone is itself.
pub fn any_of(mut formats: Vec<Arc<dyn Format>>) -> Option<Arc<dyn Format>> {
    if formats.len() < 2 {
        return formats.pop();
    }
    let mut names: Vec<String> = formats.iter().map(|format| format.name().to_owned()).collect();
    names.dedup();
    Some(Arc::new(AnyOf {
        name: names.join(" or "),
        formats,
    }))
}

/// A format whose lines tell of failures, whatever they look like (HAProxy's `error-log-format`).
pub fn of_failures(format: Arc<dyn Format>) -> Arc<dyn Format> {
    Arc::new(OfFailures(format))
}

struct AnyOf {
    name: String,
    formats: Vec<Arc<dyn Format>>,
}

impl Format for AnyOf {
    fn name(&self) -> &str {
        &self.name
    }

    fn product(&self) -> Product {
        self.formats
            .first()
            .map_or(Product::Unknown, |format| format.product())
    }

    fn kind(&self) -> RecordKind {
        let mut kinds = self.formats.iter().map(|format| format.kind());
        let first = kinds.next().unwrap_or(RecordKind::Access);
        if kinds.all(|kind| kind == first) {
            first
        } else {
            RecordKind::Mixed
        }
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = self.prepare(head).open(b"");
        Sniff::by_parsing(
            head,
            parser.as_mut(),
            Score::Mark,
            "lines match one of the format strings",
        )
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(AnyPrepared(
            self.formats.iter().map(|format| format.prepare(head)).collect(),
        ))
    }
}

struct AnyPrepared(Vec<Arc<dyn Prepared>>);

impl Prepared for AnyPrepared {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(AnyParser(
            self.0.iter().map(|prepared| prepared.open(preamble)).collect(),
        ))
    }

    fn directive(&self) -> Option<&'static [u8]> {
        self.0.iter().find_map(|prepared| prepared.directive())
    }
}

/// The parsers, always in the same order: which one reads a line must not depend on the lines before.
struct AnyParser(Vec<Box<dyn LineParser>>);

impl LineParser for AnyParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut first = None;
        for parser in &mut self.0 {
            entry.clear();
            match parser.parse(line, entry) {
                Ok(read) => return Ok(read),
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        entry.clear();
        Err(first.unwrap_or(LineError::new(0, "line of the format")))
    }
}

struct OfFailures(Arc<dyn Format>);

impl Format for OfFailures {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn product(&self) -> Product {
        self.0.product()
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Error
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        self.0.sniff(head)
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(FailuresPrepared(self.0.prepare(head)))
    }
}

struct FailuresPrepared(Arc<dyn Prepared>);

impl Prepared for FailuresPrepared {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(FailuresParser(self.0.open(preamble)))
    }
}

struct FailuresParser(Box<dyn LineParser>);

impl LineParser for FailuresParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let read = self.0.parse(line, entry)?;
        if entry.kind == Kind::Request {
            entry.kind = Kind::Failure;
        }
        Ok(read)
    }
}
