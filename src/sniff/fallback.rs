//! A declared format for the lines it describes, the product's built-in format for the others.
//!
//! A server writes more than its format string says: HAProxy logs the state of its servers among the
//! requests, and a format that was changed leaves lines of the older one.

use std::sync::Arc;

use why502_parsers::entry::Entry;
use why502_parsers::error::LineError;
use why502_parsers::format::{Line, LineParser, Prepared};
use why502_parsers::glance::Glance;

/// Both formats, made ready.
pub(super) struct WithFallback {
    pub(super) declared: Arc<dyn Prepared>,
    pub(super) builtin: Arc<dyn Prepared>,
}

struct Parser {
    declared: Box<dyn LineParser>,
    builtin: Box<dyn LineParser>,
}

impl Prepared for WithFallback {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser {
            declared: self.declared.open(preamble),
            builtin: self.builtin.open(preamble),
        })
    }

    fn directive(&self) -> Option<&'static [u8]> {
        self.declared.directive()
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let error = match self.declared.parse(line, entry) {
            Ok(read) => return Ok(read),
            Err(error) => error,
        };
        entry.clear();
        self.builtin.parse(line, entry).map_err(|_| error)
    }

    fn lead_in(&self) -> usize {
        self.declared.lead_in().max(self.builtin.lead_in())
    }

    fn glance<'a>(&mut self, line: &'a [u8], glance: &mut Glance<'a>) -> bool {
        self.declared.glance(line, glance)
    }
}
