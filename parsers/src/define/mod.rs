//! Formats that are data: one TOML file each, compiled to the template engine.
//!
//! A definition names the product and the kind of its lines and has either a `template` or, with `dialect`,
//! a server's own format string. Samples must match and counter-samples must not, or the definition is refused.

mod builtin;
mod check;
mod template;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use crate::engine::template::Template;
use crate::engine::template_format::TemplateParser;
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal, Zone};
use crate::error::{FormatError, LineError};
use crate::fields::closest;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::paste::{self, Dialect, unknown};

pub use builtin::Builtin;
pub(crate) use builtin::definition;
pub use template::{SLOTS, SlotDef};

use template::Options;

/// What is wrong with a definition, and where: lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct DefinitionError {
    /// The file, as the caller names it.
    pub file: String,
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right; may be empty.
    pub hint: String,
}

/// A definition as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: Spanned<String>,
    product: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    about: Option<String>,
    template: Option<Spanned<String>>,
    dialect: Option<Spanned<String>>,
    format: Option<Spanned<String>>,
    escape: Option<Spanned<String>>,
    zone: Option<Spanned<String>>,
    mark: Option<Spanned<String>>,
    #[serde(default)]
    padded: bool,
    list_separator: Option<Spanned<String>>,
    #[serde(default)]
    signal: Vec<RawSignal>,
    #[serde(default)]
    pub(super) sample: Vec<RawSample>,
    #[serde(default)]
    counter_sample: Vec<RawCounter>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSignal {
    text: String,
    phase: Spanned<String>,
    fault: Spanned<String>,
    #[serde(default)]
    event: bool,
}

/// `[[sample]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSample {
    pub(super) line: Spanned<String>,
    #[serde(default)]
    pub(super) expect: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
}

/// `[[counter_sample]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCounter {
    line: Spanned<String>,
}

/// A text that lines tell failures by.
#[derive(Debug)]
struct Telling {
    text: Vec<u8>,
    signal: Signal,
    kind: Kind,
}

/// A format read from a definition.
pub struct Defined {
    name: String,
    about: String,
    product: Product,
    kind: RecordKind,
    body: Body,
    mark: Vec<u8>,
    extras: Arc<Extras>,
    samples: usize,
    sample_lines: String,
    unknown: Vec<String>,
    source: String,
}

enum Body {
    Template(Arc<Template>),
    Pasted(Arc<dyn Format>),
}

/// What is done with an entry after the template has read it.
#[derive(Debug)]
struct Extras {
    kind: RecordKind,
    /// Microseconds east of UTC, for stamps that do not say their zone.
    zone_us: Option<i64>,
    tells: Vec<Telling>,
}

impl std::fmt::Debug for Defined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Defined")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Defined {
    /// Reads the definition `text`, which errors call `file`, and checks its samples.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place and a hint.
    pub fn read(file: &str, text: &str) -> Result<Self, DefinitionError> {
        let place = Placed { file, text };
        let raw: Raw = toml::from_str(text).map_err(|error| place.of_toml(&error))?;
        let defined = place.compile(&raw)?;
        place.check(&raw, &defined)?;
        Ok(defined)
    }

    /// The same without looking at the samples: for definitions whose samples a test has checked.
    fn compiled(file: &str, text: &str) -> Result<Self, DefinitionError> {
        let place = Placed { file, text };
        let raw: Raw = toml::from_str(text).map_err(|error| place.of_toml(&error))?;
        place.compile(&raw)
    }

    /// How many samples and counter-samples it was checked by.
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// The lines that must match, as a log would have them.
    pub fn sample_lines(&self) -> &str {
        &self.sample_lines
    }

    /// What is to be said of variables that the dialect does not know.
    pub fn unknown_variables(&self) -> &[String] {
        &self.unknown
    }

    /// The definition as it stands in the file.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Format for Defined {
    fn name(&self) -> &str {
        &self.name
    }

    fn product(&self) -> Product {
        self.product
    }

    fn kind(&self) -> RecordKind {
        self.kind
    }

    fn about(&self) -> String {
        self.about.clone()
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let marked = !self.mark.is_empty();
        if marked && crate::bytes::find(head.bytes, &self.mark).is_none() {
            return Sniff::no();
        }
        let score = if marked { Score::Mark } else { Score::Own };
        let mut parser = self.prepare(head).open(b"");
        Sniff::by_parsing(head, parser.as_mut(), score, "lines match the definition")
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        let inner: Arc<dyn Prepared> = match &self.body {
            Body::Template(template) => Arc::new(Lines(Arc::clone(template))),
            Body::Pasted(format) => format.prepare(head),
        };
        Arc::new(DefinedPrepared {
            inner,
            extras: Arc::clone(&self.extras),
        })
    }
}

struct Lines(Arc<Template>);

impl Prepared for Lines {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(TemplateParser::new(Arc::clone(&self.0)))
    }
}

struct DefinedPrepared {
    inner: Arc<dyn Prepared>,
    extras: Arc<Extras>,
}

impl Prepared for DefinedPrepared {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        let inner = self.inner.open(preamble);
        if self.extras.is_nothing() {
            return inner;
        }
        Box::new(DefinedParser {
            inner,
            extras: Arc::clone(&self.extras),
        })
    }

    fn directive(&self) -> Option<&'static [u8]> {
        self.inner.directive()
    }
}

struct DefinedParser {
    inner: Box<dyn LineParser>,
    extras: Arc<Extras>,
}

impl LineParser for DefinedParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let read = self.inner.parse(line, entry)?;
        if read == Line::Entry {
            self.extras.apply(entry);
        }
        Ok(read)
    }
}

impl Extras {
    /// Whether there is nothing to do, as for most access logs.
    fn is_nothing(&self) -> bool {
        self.kind == RecordKind::Access && self.zone_us.is_none() && self.tells.is_empty()
    }

    fn apply(&self, entry: &mut Entry<'_>) {
        if let (Some(east_us), Some(stamp)) = (self.zone_us, &mut entry.time)
            && stamp.zone == Zone::Local
        {
            stamp.us -= east_us;
            stamp.zone = Zone::Known;
        }
        let is_request = match self.kind {
            RecordKind::Access => true,
            RecordKind::Mixed => entry.status.is_some(),
            RecordKind::Error => false,
        };
        if !is_request {
            entry.kind = Kind::Note;
        }
        let told = self
            .tells
            .iter()
            .find(|telling| crate::bytes::find(entry.error, &telling.text).is_some());
        if let Some(telling) = told {
            entry.signal = Some(telling.signal);
            if !is_request {
                entry.kind = telling.kind;
            }
        }
    }
}

/// A text and its name, for places in it.
pub(super) struct Placed<'t> {
    file: &'t str,
    text: &'t str,
}

impl Placed<'_> {
    /// An error at byte `at` of the file.
    pub(super) fn error(&self, at: usize, message: &str, hint: &str) -> DefinitionError {
        let mut end = at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        DefinitionError {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.to_owned(),
            hint: hint.to_owned(),
        }
    }

    fn of_toml(&self, error: &toml::de::Error) -> DefinitionError {
        const KEYS: [&str; 16] = [
            "name",
            "product",
            "kind",
            "about",
            "template",
            "dialect",
            "format",
            "escape",
            "zone",
            "mark",
            "padded",
            "list_separator",
            "signal",
            "sample",
            "counter_sample",
            "expect",
        ];
        let message = error.message().trim();
        let first = message.lines().next().unwrap_or(message);
        let hint = match message
            .strip_prefix("unknown field `")
            .and_then(|rest| rest.split('`').next())
        {
            Some(key) => match closest(key, KEYS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("valid: {}", KEYS.join(", ")),
            },
            None if message.starts_with("missing field") => {
                "add it; 'why502 formats show' prints a whole example".to_owned()
            }
            None => "write text in single quotes: nothing in them is an escape".to_owned(),
        };
        self.error(error.span().map_or(0, |span| span.start), first, &hint)
    }

    /// Where byte `at` of the value at `span` stands in the file: exactly, if the value has no escapes.
    fn inside(&self, span: &Range<usize>, value: &str, at: usize) -> usize {
        let written = self.text.get(span.clone()).unwrap_or_default();
        match written.find(value) {
            Some(start) if !value.is_empty() => span.start + start + at,
            _ => span.start,
        }
    }

    fn one_of<T: Copy>(
        &self,
        given: &Spanned<String>,
        what: &str,
        known: &[(&str, T)],
    ) -> Result<T, DefinitionError> {
        let name = given.get_ref().as_str();
        if let Some((_, value)) = known.iter().find(|(own, _)| *own == name) {
            return Ok(*value);
        }
        let hint = match closest(name, known.iter().map(|(own, _)| *own)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!(
                "valid: {}",
                known.iter().map(|(own, _)| *own).collect::<Vec<_>>().join(", ")
            ),
        };
        Err(self.error(given.span().start, &format!("unknown {what} '{name}'"), &hint))
    }

    fn compile(&self, raw: &Raw) -> Result<Defined, DefinitionError> {
        let name = raw.name.get_ref();
        if name.is_empty()
            || name
                .chars()
                .any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '='))
        {
            let hint = "it is typed after --input-format: letters, digits and hyphens";
            return Err(self.error(raw.name.span().start, "a name has no spaces, commas or =", hint));
        }
        let product = match &raw.product {
            Some(given) => self.one_of(given, "product", Product::NAMED)?,
            None => Product::Application,
        };
        let kinds = [
            ("access", RecordKind::Access),
            ("error", RecordKind::Error),
            ("mixed", RecordKind::Mixed),
        ];
        let kind = match &raw.kind {
            Some(given) => self.one_of(given, "kind", &kinds)?,
            None => RecordKind::Access,
        };
        let tells = raw
            .signal
            .iter()
            .map(|signal| self.telling(signal))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Defined {
            name: name.clone(),
            about: raw.about.clone().unwrap_or_default(),
            product,
            kind,
            body: self.body(raw, kind)?,
            mark: raw
                .mark
                .as_ref()
                .map(|mark| mark.get_ref().clone().into_bytes())
                .unwrap_or_default(),
            extras: Arc::new(Extras {
                kind,
                zone_us: raw.zone.as_ref().map(|zone| self.zone(zone)).transpose()?,
                tells,
            }),
            sample_lines: raw
                .sample
                .iter()
                .map(|sample| format!("{}\n", sample.line.get_ref()))
                .collect(),
            unknown: match (&raw.dialect, &raw.format) {
                (Some(dialect), Some(format)) => Dialect::by_name(dialect.get_ref())
                    .map(|dialect| unknown::unknown(dialect, format.get_ref()))
                    .unwrap_or_default(),
                _ => Vec::new(),
            },
            samples: raw.sample.len() + raw.counter_sample.len(),
            source: self.text.to_owned(),
        })
    }

    fn telling(&self, raw: &RawSignal) -> Result<Telling, DefinitionError> {
        Ok(Telling {
            text: raw.text.clone().into_bytes(),
            signal: Signal {
                phase: self.one_of(&raw.phase, "phase", Phase::NAMED)?,
                fault: self.one_of(&raw.fault, "fault", Fault::NAMED)?,
            },
            kind: if raw.event { Kind::Event } else { Kind::Failure },
        })
    }

    fn body(&self, raw: &Raw, kind: RecordKind) -> Result<Body, DefinitionError> {
        match (&raw.template, &raw.dialect, &raw.format) {
            (Some(template), None, None) => self.template(raw, template, kind),
            (None, Some(dialect), Some(format)) => {
                let known: Vec<(&str, Dialect)> = Dialect::ALL.iter().map(|d| (d.name(), *d)).collect();
                let dialect = self.one_of(dialect, "dialect", &known)?;
                paste::compile(dialect, raw.name.get_ref(), format.get_ref())
                    .map(Body::Pasted)
                    .map_err(|error| self.of_paste(&error, format))
            }
            (Some(_), Some(other), _) | (Some(_), None, Some(other)) => Err(self.error(
                other.span().start,
                "a definition has a template or a dialect, not both",
                "leave one of them out",
            )),
            (None, Some(one), None) | (None, None, Some(one)) => Err(self.error(
                one.span().start,
                "dialect and format belong together",
                "write dialect = 'nginx' and format = '…'",
            )),
            (None, None, None) => Err(self.error(
                raw.name.span().start,
                "the definition says nothing of its lines",
                "add template = '…', or dialect = '…' and format = '…'",
            )),
        }
    }

    fn template(&self, raw: &Raw, text: &Spanned<String>, kind: RecordKind) -> Result<Body, DefinitionError> {
        let escapes = [
            ("none", Escape::None),
            ("backslash", Escape::Backslash),
            ("json", Escape::Json),
            ("hash", Escape::HashHex),
        ];
        let escape = match &raw.escape {
            Some(given) => self.one_of(given, "escape", &escapes)?,
            None => Escape::None,
        };
        let separator = match &raw.list_separator {
            None => 0,
            Some(given) => match given.get_ref().as_bytes() {
                [byte] => *byte,
                _ => {
                    let hint = "leave it out for nginx's ', ' and ' : '";
                    return Err(self.error(given.span().start, "a list separator is one byte", hint));
                }
            },
        };
        let options = Options {
            escape,
            marks: if kind == RecordKind::Error {
                Marks::Event
            } else {
                Marks::End
            },
            padded: raw.padded,
            separator,
        };
        template::compile(text.get_ref(), options)
            .map(|template| Body::Template(Arc::new(template)))
            .map_err(|wrong| {
                let at = self.inside(&text.span(), text.get_ref(), wrong.at);
                self.error(at, &wrong.what, &wrong.hint)
            })
    }

    fn of_paste(&self, error: &FormatError, format: &Spanned<String>) -> DefinitionError {
        let at = match error {
            FormatError::Syntax { at, .. } => self.inside(&format.span(), format.get_ref(), *at),
            _ => format.span().start,
        };
        let hint = "write the format string as the server's configuration has it, in single quotes";
        self.error(at, &error.to_string(), hint)
    }

    /// Microseconds east of UTC.
    fn zone(&self, given: &Spanned<String>) -> Result<i64, DefinitionError> {
        let text = given.get_ref().as_str();
        if text.eq_ignore_ascii_case("utc") {
            return Ok(0);
        }
        let east = || {
            let sign = match text.as_bytes().first()? {
                b'+' => 1,
                b'-' => -1,
                _ => return None,
            };
            let (hours, minutes) = text[1..].split_once(':')?;
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            ((0..=14).contains(&hours) && (0..60).contains(&minutes))
                .then_some(sign * (hours * 60 + minutes) * 60_000_000)
        };
        east().ok_or_else(|| {
            let hint = "valid: utc, or an offset such as +02:00; leave it out for the server's local time";
            self.error(given.span().start, &format!("unknown zone '{text}'"), hint)
        })
    }

    fn check(&self, raw: &Raw, defined: &Defined) -> Result<(), DefinitionError> {
        if raw.sample.is_empty() {
            let hint = "add [[sample]] with line = '…', taken from a real log";
            return Err(self.error(raw.name.span().start, "the definition has no sample", hint));
        }
        for sample in &raw.sample {
            check::sample(self, sample, defined)?;
        }
        for counter in &raw.counter_sample {
            let line = counter.line.get_ref();
            if check::reads(defined, line.as_bytes()) {
                let hint = "make the template say more, or take the line out";
                return Err(self.error(
                    counter.line.span().start,
                    "this line must not match, but does",
                    hint,
                ));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
