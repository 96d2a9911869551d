//! Apache httpd access logs in the formats that httpd's own configuration files define, with what
//! configurations append to them (`%D`, `%{UNIQUE_ID}e`, `%{BALANCER_WORKER_NAME}e`).
//!
//! The time is when the request was received. The bare shape is shared with others (see [`super::clf`]);
//! any other `LogFormat` is compiled by [`crate::paste`].

use crate::entry::Entry;
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::apache_error;
use crate::products::clf::{self, ClfParser, Style, Tail};
use crate::time::DayCache;

/// Apache httpd access logs.
#[derive(Debug, Clone, Copy)]
pub struct Apache;

impl Plain for Apache {
    const NAME: &'static str = "apache";
    const PRODUCT: Product = Product::Apache;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(ApacheParser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut parser = ClfParser::new(Style::APACHE);
        // An application behind httpd may log the id that it was sent.
        let by_another = clf::hinted(head).is_some_and(|product| product != Product::Apache);
        if !by_another && parser.survey(head, Tail::UniqueId) > 0 {
            let reason = "common log format with ids of mod_unique_id";
            return Sniff::by_parsing(head, &mut parser, Score::Own, reason);
        }
        clf::by_hint(head, Product::Apache, Style::APACHE)
    }
}

/// Reads access lines, and error lines between them, which containers write to the same stream.
pub(crate) struct ApacheParser {
    clf: ClfParser,
    day: DayCache,
}

impl ApacheParser {
    pub(crate) fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::APACHE),
            day: DayCache::default(),
        }
    }
}

impl LineParser for ApacheParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        self.clf.parse(line, entry).or_else(|error| {
            entry.clear();
            apache_error::read(line, entry, &mut self.day).unwrap_or(Err(error))
        })
    }
}
