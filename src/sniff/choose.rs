//! The best of all formats for one head.

use std::cmp::Reverse;
use std::sync::Arc;

use why502_parsers::bytes::lines;
use why502_parsers::format::{Format, Head, Prepared, Product, RecordKind, Score, Sniff};
use why502_parsers::wrap::Wrapper;
use why502_parsers::{registry, wrap};

use super::fallback::WithFallback;
use super::hints::{self, file_name, words};
use super::{DeclaredFormat, Detected, head};
use crate::model::Input;

/// A head, as it stands in the file and as formats see it.
pub(super) struct Sample {
    /// As in the file.
    pub(super) raw: Vec<u8>,
    /// Wrappers taken off; `None` if there are none.
    inner: Option<Vec<u8>>,
}

impl Sample {
    pub(super) fn plain(raw: Vec<u8>) -> Self {
        Self { raw, inner: None }
    }

    pub(super) fn unwrapped(raw: Vec<u8>, wrapper: Option<&'static dyn Wrapper>) -> Self {
        let inner = wrapper.map(|wrapper| {
            let mut inner = Vec::with_capacity(raw.len());
            for line in lines(&raw) {
                inner.extend_from_slice(wrapper.unwrap(line).map_or(line, |(_, inside)| inside));
                inner.push(b'\n');
            }
            inner
        });
        Self { raw, inner }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.raw.iter().all(u8::is_ascii_whitespace)
    }

    fn bytes(&self) -> &[u8] {
        self.inner.as_deref().unwrap_or(&self.raw)
    }
}

/// A format of whatever origin.
#[derive(Clone)]
pub(super) enum AnyFormat {
    /// From the registry.
    Builtin(&'static dyn Format),
    /// Compiled from a format string.
    Compiled(Arc<dyn Format>),
}

impl AnyFormat {
    pub(super) fn get(&self) -> &dyn Format {
        match self {
            Self::Builtin(format) => *format,
            Self::Compiled(format) => format.as_ref(),
        }
    }
}

/// A format that fits, and how well.
pub(super) struct Choice<'a> {
    format: AnyFormat,
    origin: Origin<'a>,
    pub(super) wrapper: Option<&'static dyn Wrapper>,
    pub(super) score: Score,
    /// Lines read per thousand.
    share: u32,
    pub(super) reason: String,
    rivals: Vec<String>,
}

/// Where a format comes from.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Builtin,
    Declared(&'a DeclaredFormat),
    Forced,
}

impl<'a> Choice<'a> {
    /// The format that the user forces on a file, whatever its lines say.
    pub(super) fn forced(format: AnyFormat, reason: String, raw: Vec<u8>) -> (Sample, Option<Self>) {
        let wrapper = wrapper_of(&raw);
        let choice = |sample: &Sample, wrapper| {
            let sniff = format
                .get()
                .sniff(&head(sample.bytes(), &[format.get().product()]));
            Self {
                format: format.clone(),
                origin: Origin::Forced,
                wrapper,
                score: sniff.score,
                share: share(&sniff),
                reason: reason.clone(),
                rivals: Vec::new(),
            }
        };
        let sample = Sample::unwrapped(raw, wrapper);
        let inside = choice(&sample, wrapper);
        if wrapper.is_none() || inside.score > Score::No {
            return (sample, Some(inside));
        }
        let sample = Sample::plain(sample.raw);
        let outside = choice(&sample, None);
        (sample, Some(outside))
    }

    pub(super) fn product(&self) -> Product {
        self.format.get().product()
    }

    pub(super) fn name(&self) -> &str {
        self.format.get().name()
    }

    pub(super) fn is_forced(&self) -> bool {
        matches!(self.origin, Origin::Forced)
    }

    /// Whether the format reads another head too.
    pub(super) fn fits(&self, sample: &Sample) -> bool {
        let hints = [self.product()];
        self.format.get().sniff(&head(sample.bytes(), &hints)).score > Score::No
    }

    pub(super) fn detected(&self, sample: &Sample) -> Detected {
        let format = self.format.get();
        let hints = [format.product()];
        let kind = match &self.format {
            AnyFormat::Compiled(_) => {
                builtin_of(format.product()).map_or(format.kind(), |b| wider(format, b))
            }
            AnyFormat::Builtin(_) => format.kind(),
        };
        Detected {
            format_name: format.name().to_owned(),
            product: format.product(),
            kind,
            prepared: prepare(&self.format, &head(sample.bytes(), &hints)),
            wrapper: self.wrapper,
            score: self.score,
            reason: self.reason.clone(),
            rivals: self.rivals.clone(),
        }
    }
}

/// The built-in format that reads what else a product writes into its access log.
fn builtin_of(product: Product) -> Option<&'static dyn Format> {
    registry::by_name(product.name())
}

/// What lines of either format record.
fn wider(one: &dyn Format, other: &dyn Format) -> RecordKind {
    if one.kind() == other.kind() {
        one.kind()
    } else {
        RecordKind::Mixed
    }
}

/// The format made ready; a compiled one falls back on the built-in one of its product.
fn prepare(format: &AnyFormat, head: &Head<'_>) -> Arc<dyn Prepared> {
    let prepared = format.get().prepare(head);
    match (format, builtin_of(format.get().product())) {
        (AnyFormat::Compiled(_), Some(builtin)) => Arc::new(WithFallback {
            declared: prepared,
            builtin: builtin.prepare(head),
        }),
        _ => prepared,
    }
}

/// What a compiled format says of `head`, the lines that only the product's built-in format reads counted too
/// if there is any that the format itself reads.
fn sniff_compiled(format: &AnyFormat, head: &Head<'_>) -> Sniff {
    let alone = format.get().sniff(head);
    if alone.parsed == 0 || alone.parsed == alone.looked_at {
        return alone;
    }
    let mut parser = prepare(format, head).open(b"");
    let both = Sniff::by_parsing(head, parser.as_mut(), Score::Mark, &alone.reason);
    if both.score == Score::No { alone } else { both }
}

/// The built-in format of `product` for lines that `chosen` reads, if it reads as many of them.
pub(super) fn of_product<'a>(sample: &Sample, chosen: &Choice<'a>, product: Product) -> Option<Choice<'a>> {
    let hints = [product];
    let head = head(sample.bytes(), &hints);
    registry::builtin()
        .iter()
        .filter(|format| format.product() == product)
        .map(|format| (format, format.sniff(&head)))
        .find(|(_, sniff)| sniff.score > Score::No && share(sniff) >= chosen.share)
        .map(|(format, sniff)| Choice {
            format: AnyFormat::Builtin(*format),
            origin: Origin::Builtin,
            wrapper: chosen.wrapper,
            score: sniff.score,
            share: share(&sniff),
            reason: sniff.reason,
            rivals: vec![chosen.name().to_owned()],
        })
}

/// The best format for `raw`, inside its wrapper if it has one. `None` if none fits.
pub(super) fn best<'a>(
    input: &Input,
    raw: Vec<u8>,
    declared: &'a [DeclaredFormat],
    hints: &[Product],
) -> (Sample, Option<Choice<'a>>) {
    let wrapper = wrapper_of(&raw);
    let sample = Sample::unwrapped(raw, wrapper);
    let inside = among(input, &sample, wrapper, declared, hints);
    if inside.is_some() || wrapper.is_none() {
        return (sample, inside);
    }
    let sample = Sample::plain(sample.raw);
    let outside = among(input, &sample, None, declared, hints);
    (sample, outside)
}

/// The wrapper that most of the first lines have.
fn wrapper_of(raw: &[u8]) -> Option<&'static dyn Wrapper> {
    let sample = head(raw, &[]);
    let looked_at = sample.lines().take(Head::LINES).count();
    wrap::all().iter().copied().find(|wrapper| {
        let wrapped = sample
            .lines()
            .take(Head::LINES)
            .filter(|line| wrapper.unwrap(line).is_some());
        let wrapped = wrapped.count();
        wrapped > 0 && wrapped * 2 > looked_at
    })
}

fn among<'a>(
    input: &Input,
    sample: &Sample,
    wrapper: Option<&'static dyn Wrapper>,
    declared: &'a [DeclaredFormat],
    hints: &[Product],
) -> Option<Choice<'a>> {
    let head = head(sample.bytes(), hints);
    let fitting = |format: AnyFormat, origin| {
        let sniff = match format {
            AnyFormat::Builtin(builtin) => builtin.sniff(&head),
            AnyFormat::Compiled(_) => sniff_compiled(&format, &head),
        };
        (sniff.score > Score::No).then(|| Choice {
            share: share(&sniff),
            score: sniff.score,
            reason: sniff.reason,
            format,
            origin,
            wrapper,
            rivals: Vec::new(),
        })
    };
    let mut builtin: Vec<Choice<'a>> = registry::builtin()
        .iter()
        .filter_map(|format| fitting(AnyFormat::Builtin(*format), Origin::Builtin))
        .collect();
    builtin.sort_by_key(rank);
    let mut all: Vec<Choice<'a>> = declared
        .iter()
        .filter_map(|d| fitting(AnyFormat::Compiled(Arc::clone(&d.format)), Origin::Declared(d)))
        .map(|choice| weighed(choice, input, builtin.first()))
        .collect();
    all.sort_by_key(|choice| Reverse(affinity(choice, input)));
    all.append(&mut builtin);
    all.sort_by_key(rank);
    let mut all = all.into_iter();
    let mut best = all.next()?;
    best.rivals = all
        .take_while(|other| rank(other) == rank(&best))
        // The built-in format of the same product reads the same fields of these lines.
        .filter(|other| matches!(other.origin, Origin::Declared(_)) || other.product() != best.product())
        .map(|other| other.name().to_owned())
        .filter(|name| name != best.name())
        .collect();
    best.rivals.dedup();
    Some(best)
}

/// Surest first, then the most lines read. Equals keep their order.
fn rank(choice: &Choice<'_>) -> (Reverse<Score>, Reverse<u32>) {
    (Reverse(choice.score), Reverse(choice.share))
}

fn share(sniff: &Sniff) -> u32 {
    (sniff.parsed * 1000).checked_div(sniff.looked_at).unwrap_or(0)
}

/// Puts a declared format where it belongs: its own log goes before all; on another file it is as good
/// as a built-in format of the same product that reads no more, good where no built-in reads the file,
/// and behind the built-in ones elsewhere.
fn weighed<'a>(mut choice: Choice<'a>, input: &Input, builtin: Option<&Choice<'a>>) -> Choice<'a> {
    let Origin::Declared(declared) = choice.origin else {
        return choice;
    };
    if declared.is_definition {
        choice.reason = format!("lines match the definition in {}", declared.config);
        return choice;
    }
    if names_file(declared, input) {
        choice.score = Score::Mark;
        choice.reason = format!("declared in {} for this log", declared.config);
        return choice;
    }
    choice.reason = format!("lines match a format declared in {}", declared.config);
    choice.score = match builtin {
        None => Score::Own,
        Some(other) if other.product() == choice.product() && other.share <= choice.share => other.score,
        Some(_) => {
            choice.share = 0;
            Score::Shape
        }
    };
    choice
}

/// Whether the declared log path is that of `input`: the same file name, or an ending of it where what
/// stands before (`edge-access.log`) is found in the configuration's path.
fn names_file(declared: &DeclaredFormat, input: &Input) -> bool {
    let (wanted, name) = (file_name(&declared.log_path), file_name(&input.stream));
    if wanted.is_empty() || wanted == name && !declared.log_path.starts_with("/dev/") {
        return !wanted.is_empty();
    }
    let Some(before) = name
        .strip_suffix(wanted)
        .and_then(|rest| rest.strip_suffix(['-', '_', '.']))
    else {
        return false;
    };
    let known = words(&declared.config);
    let product = hints::product_words(declared.format.product());
    words(before)
        .iter()
        .all(|word| known.contains(word) || product.contains(&word.as_str()))
}

/// How many words the paths of a declared format share with the file's.
fn affinity(choice: &Choice<'_>, input: &Input) -> usize {
    let Origin::Declared(declared) = choice.origin else {
        return 0;
    };
    let mut known = words(&declared.config);
    known.extend(words(&declared.log_path));
    words(&input.stream)
        .iter()
        .filter(|word| known.contains(word))
        .count()
}
