//! A format made of one table of JSON keys: what a pasted or configured JSON format becomes.

use std::sync::Arc;

use crate::engine::json_fields::JsonFields;
use crate::entry::Entry;
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::DayCache;

/// The access log of a product that writes one JSON object a line with known keys.
#[derive(Debug)]
pub struct JsonFormat {
    name: String,
    product: Product,
    fields: Arc<JsonFields>,
}

impl JsonFormat {
    /// The access log of `product` whose keys are `fields`.
    pub fn new(name: &str, product: Product, fields: JsonFields) -> Self {
        Self {
            name: name.to_owned(),
            product,
            fields: Arc::new(fields),
        }
    }
}

impl Format for JsonFormat {
    fn name(&self) -> &str {
        &self.name
    }

    fn product(&self) -> Product {
        self.product
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = JsonParser::new(Arc::clone(&self.fields));
        Sniff::by_parsing(
            head,
            &mut parser,
            Score::Mark,
            "lines have the keys of the format",
        )
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(JsonPrepared(Arc::clone(&self.fields)))
    }
}

struct JsonPrepared(Arc<JsonFields>);

impl Prepared for JsonPrepared {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(JsonParser::new(Arc::clone(&self.0)))
    }
}

struct JsonParser {
    fields: Arc<JsonFields>,
    day: DayCache,
}

impl JsonParser {
    fn new(fields: Arc<JsonFields>) -> Self {
        Self {
            fields,
            day: DayCache::default(),
        }
    }
}

impl LineParser for JsonParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        self.fields.read(line, entry, &mut self.day)?;
        // A line without the time is of another program in the same stream.
        match entry.time {
            Some(_) => Ok(Line::Entry),
            None => Err(LineError::new(0, "time")),
        }
    }
}
