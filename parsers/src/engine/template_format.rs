//! A [`Format`] made of one [`Template`].

use std::sync::Arc;

use crate::engine::template::Template;
use crate::entry::Entry;
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::glance::Glance;
use crate::time::DayCache;

/// A format that is one template: what a pasted or configured format string becomes.
#[derive(Debug)]
pub struct TemplateFormat {
    name: String,
    product: Product,
    template: Arc<Template>,
}

impl TemplateFormat {
    /// The access log of `product` that `template` describes.
    pub fn new(name: &str, product: Product, template: Template) -> Self {
        Self {
            name: name.to_owned(),
            product,
            template: Arc::new(template),
        }
    }
}

impl Format for TemplateFormat {
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
        let mut parser = TemplateParser::new(Arc::clone(&self.template));
        Sniff::by_parsing_all(head, &mut parser, Score::Mark, "lines match the format string")
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(TemplatePrepared(Arc::clone(&self.template)))
    }
}

struct TemplatePrepared(Arc<Template>);

impl Prepared for TemplatePrepared {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(TemplateParser::new(Arc::clone(&self.0)))
    }
}

/// Reads lines by one template.
#[derive(Debug)]
pub struct TemplateParser {
    template: Arc<Template>,
    day: DayCache,
}

impl TemplateParser {
    /// A parser that has read nothing yet.
    pub fn new(template: Arc<Template>) -> Self {
        Self {
            template,
            day: DayCache::default(),
        }
    }
}

impl LineParser for TemplateParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        self.template.read(line, entry, &mut self.day)?;
        Ok(Line::Entry)
    }

    fn glance<'a>(&mut self, line: &'a [u8], glance: &mut Glance<'a>) -> bool {
        self.template.glance(line, glance, &mut self.day)
    }
}
