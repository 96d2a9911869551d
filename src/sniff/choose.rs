//! The best of all formats for one head.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use why502_parsers::bytes::lines;
use why502_parsers::format::{Format, Head, Line, Prepared, Product, RecordKind, Score, Sniff};
use why502_parsers::products::linux::{Linux, Messages};
use why502_parsers::wrap::{Layers, Outer, Peeled, Peeler, Wrapper};
use why502_parsers::{Entry, registry, wrap};

use super::fallback::WithFallback;
use super::hints::{self, file_name, words};
use super::{DeclaredFormat, Detected, Surroundings, head, interleaved};
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

    pub(super) fn unwrapped(raw: Vec<u8>, layers: Layers) -> Self {
        let inner = (!layers.is_empty()).then(|| inside(&raw, layers));
        Self { raw, inner }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.raw.iter().all(u8::is_ascii_whitespace)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.inner.as_deref().unwrap_or(&self.raw)
    }
}

/// The lines of `raw` without what stands around them, those in pieces put together. Of a message of several
/// lines the first one.
fn inside(raw: &[u8], layers: Layers) -> Vec<u8> {
    let mut inside = Vec::with_capacity(raw.len());
    let mut peeler = Peeler::new(layers);
    let mut keep = |line: &[u8]| {
        let end = memchr::memchr(b'\n', line).unwrap_or(line.len());
        inside.extend_from_slice(&line[..end]);
        inside.push(b'\n');
    };
    for line in lines(raw) {
        match peeler.peel(line, ()) {
            Peeled::Bare => keep(line),
            Peeled::Held { .. } => {}
            Peeled::Whole { inner, .. } => keep(inner),
        }
    }
    while let Some(left) = peeler.left() {
        if let Peeled::Whole { inner, .. } = left {
            keep(inner);
        }
    }
    inside
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
    pub(super) layers: Layers,
    pub(super) score: Score,
    /// Lines read per thousand.
    share: u32,
    pub(super) reason: String,
    rivals: Vec<String>,
    /// Those of the rivals whose entries differ.
    ties: Vec<String>,
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
        let mut innermost = None;
        for layers in wrappings(&raw).into_iter().rev() {
            let sample = Sample::unwrapped(raw.clone(), layers);
            let hints = [format.get().product()];
            let sniff = format.get().sniff(&head(sample.bytes(), &hints));
            let choice = Self {
                format: format.clone(),
                origin: Origin::Forced,
                layers,
                score: sniff.score,
                share: share(&sniff),
                reason: reason.clone(),
                rivals: Vec::new(),
                ties: Vec::new(),
            };
            if sniff.score > Score::No {
                return (sample, Some(choice));
            }
            innermost.get_or_insert((sample, Some(choice)));
        }
        innermost.unwrap_or_else(|| (Sample::plain(raw), None))
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

    /// How many lines of `sample` tell of a request's outcome or of a failure when read so.
    fn says(&self, sample: &Sample) -> usize {
        let hints = [self.product()];
        let head = head(sample.bytes(), &hints);
        let mut parser = prepare(&self.format, &head).open(b"");
        let tells = |line: &&[u8]| {
            let mut entry = Entry::default();
            let read = parser.parse(line, &mut entry);
            read == Ok(Line::Entry) && (entry.status.is_some() || entry.signal.is_some())
        };
        head.lines().take(Head::LINES).filter(tells).count()
    }

    /// Whether the format reads another head too.
    pub(super) fn fits(&self, sample: &Sample) -> bool {
        let hints = [self.product()];
        self.format.get().sniff(&head(sample.bytes(), &hints)).score > Score::No
    }

    /// What is known of an input that was chosen to be of this format; `day` is the one it was written on.
    pub(super) fn detected(&self, sample: &Sample, day: Option<[u8; 10]>) -> Detected {
        let format = self.format.get();
        let hints = [format.product()];
        let kind = match &self.format {
            AnyFormat::Compiled(_) => {
                builtin_of(format.product()).map_or(format.kind(), |b| wider(format, b))
            }
            AnyFormat::Builtin(_) => format.kind(),
        };
        let shown = Head {
            date_hint: day,
            ..head(sample.bytes(), &hints)
        };
        let prepared = prepare(&self.format, &shown);
        // What reads any line, or passes over those of other programs, leaves every line to the others first.
        let is_last = self.name() == Messages::NAME || self.name() == Linux.name();
        let others = match (self.is_forced(), is_last) {
            (true, _) => Vec::new(),
            (false, true) => interleaved::others(&shown, &interleaved::Nothing, self.name()),
            (false, false) => interleaved::others(&shown, prepared.as_ref(), self.name()),
        };
        let mut reason = self.reason.clone();
        let mut kind = kind;
        for other in &others {
            reason = format!("{reason}; lines of {} among them", other.name());
            kind = if other.kind() == kind {
                kind
            } else {
                RecordKind::Mixed
            };
        }
        let prepared = match is_last {
            true => interleaved::before(prepared, &others, &shown),
            false => interleaved::with(prepared, &others, &shown),
        };
        let (parsed, looked_at) = interleaved::coverage(&shown, prepared.as_ref());
        Detected {
            format_name: format.name().to_owned(),
            product: format.product(),
            kind,
            prepared,
            wrapper: self.layers,
            score: self.score,
            reason,
            rivals: self.rivals.clone(),
            ties: self.ties.clone(),
            looked_at,
            parsed,
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
    let both = Sniff::by_parsing_all(head, parser.as_mut(), Score::Mark, &alone.reason);
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
            layers: chosen.layers,
            score: sniff.score,
            share: share(&sniff),
            reason: sniff.reason,
            rivals: vec![chosen.name().to_owned()],
            ties: Vec::new(),
        })
}

/// The best format for `raw`, inside its wrappers if it has any. `None` if none fits.
///
/// The innermost lines that are of a format count, unless that which was taken off last could be a record of
/// its own and as such says more of requests.
pub(super) fn best<'a>(
    input: &Input,
    raw: Vec<u8>,
    surroundings: Surroundings<'a>,
    hints: &[Product],
) -> (Sample, Option<Choice<'a>>) {
    let mut best: Option<(Sample, Choice<'a>)> = None;
    for layers in wrappings(&raw).into_iter().rev() {
        let sample = Sample::unwrapped(raw.clone(), layers);
        let Some(choice) = among(input, &sample, layers, surroundings, hints) else {
            continue;
        };
        let better = best.as_ref().is_none_or(|(inner, known)| {
            let said = known.says(inner);
            said == 0 || choice.says(&sample) > said
        });
        if better {
            best = Some((sample, choice));
        }
        if !layers.last().is_some_and(Wrapper::is_unsure) {
            break;
        }
    }
    match best {
        Some((sample, choice)) => (sample, Some(choice)),
        None => match messages(&raw) {
            Some((sample, choice)) => (sample, Some(choice)),
            None => (Sample::plain(raw), None),
        },
    }
}

/// Lines of no known format in the system's log or in a composition's output: messages of programs that have none here.
/// Not where a server wrote them whose format ought to be known: that has to be said.
fn messages<'a>(raw: &[u8]) -> Option<(Sample, Choice<'a>)> {
    let layers = wrappings(raw).pop()?;
    let naming = layers.iter().find(|wrapper| wrapper.names_programs())?;
    // A table of words parted by bars is no output of a composition: that has stamps, or replicas with numbers.
    let is_sure = |outer: &Outer<'_>| {
        let replica = outer
            .program
            .rsplit(|byte| matches!(byte, b'-' | b'_'))
            .next()
            .unwrap_or_default();
        outer.time.is_some() || replica.len() < outer.program.len() && replica.iter().all(u8::is_ascii_digit)
    };
    if said_around(raw, layers, is_sure)
        .iter()
        .filter(|sure| **sure)
        .count()
        * 2
        < lines(raw).take(Head::LINES).count()
    {
        return None;
    }
    let programs: Vec<String> = programs(raw, layers);
    let is_server = |name: &String| Product::by_tag(name).is_some_and(|product| product != Product::Linux);
    if programs.is_empty() || programs.iter().filter(|name| is_server(name)).count() * 2 > programs.len() {
        return None;
    }
    let sample = Sample::unwrapped(raw.to_vec(), layers);
    let choice = Choice {
        format: AnyFormat::Builtin(&Messages),
        origin: Origin::Builtin,
        layers,
        score: Score::Shape,
        share: 0,
        reason: format!(
            "messages of programs with no format of their own here, by {}",
            naming.name()
        ),
        rivals: Vec::new(),
        ties: Vec::new(),
    };
    Some((sample, choice))
}

/// The product that the syslog tag of most of the first lines names, if one does.
pub(super) fn tagged(raw: &[u8]) -> Vec<Product> {
    let layers = wrappings(raw).pop().unwrap_or_default();
    let programs = programs(raw, layers);
    let mut counts: BTreeMap<Product, usize> = BTreeMap::new();
    for product in programs.iter().filter_map(|name| Product::by_tag(name)) {
        *counts.entry(product).or_default() += 1;
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.filter(|(_, count)| count * 2 > programs.len())
        .map(|(product, _)| product)
        .into_iter()
        .collect()
}

/// The programs that the wrappers of the first lines name, line by line, lower case, the number of a replica left out.
fn programs(raw: &[u8], layers: Layers) -> Vec<String> {
    let name = |outer: &Outer<'_>| {
        let name = String::from_utf8_lossy(outer.program).to_ascii_lowercase();
        name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_'))
            .to_owned()
    };
    let mut programs = said_around(raw, layers, name);
    programs.retain(|name| !name.is_empty());
    programs
}

/// What `of` makes of what is said around each of the first lines that is wrapped.
fn said_around<T>(raw: &[u8], layers: Layers, of: impl Fn(&Outer<'_>) -> T) -> Vec<T> {
    let mut peeler = Peeler::new(layers);
    let mut said = Vec::new();
    for line in lines(raw).take(Head::LINES) {
        if let Peeled::Whole { outer, .. } = peeler.peel(line, ()) {
            said.push(of(&outer));
        }
    }
    said
}

/// The wrappers around the first lines: none, the outermost, that and the next, and so on.
fn wrappings(raw: &[u8]) -> Vec<Layers> {
    let mut all = vec![Layers::default()];
    let mut layers = Layers::default();
    let mut inner = raw.to_vec();
    while let Some(next) = wrapper_of(&inner).and_then(|wrapper| layers.with(wrapper)) {
        layers = next;
        inner = inside(raw, layers);
        all.push(layers);
    }
    all
}

/// What stands around the first lines, in words; empty if nothing does.
pub(super) fn around(raw: &[u8]) -> String {
    let innermost = wrappings(raw).pop().unwrap_or_default();
    match innermost.is_empty() {
        true => String::new(),
        false => format!(", inside {}", innermost.name()),
    }
}

/// The wrapper that most of the first lines have.
fn wrapper_of(raw: &[u8]) -> Option<&'static dyn Wrapper> {
    let sample = head(raw, &[]);
    wrap::all().iter().copied().find(|wrapper| {
        let (mut looked_at, mut wrapped, mut whole) = (0, 0, 0);
        for line in sample.lines().take(Head::LINES) {
            looked_at += 1;
            if let Some(inside) = wrapper.inside(line) {
                wrapped += 1;
                // Where no line ever ends, all lines are whole and the wrapper is another one.
                whole += u32::from(!inside.goes_on);
            }
        }
        whole > 0 && wrapped * 2 >= looked_at
    })
}

fn among<'a>(
    input: &Input,
    sample: &Sample,
    layers: Layers,
    surroundings: Surroundings<'a>,
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
            layers,
            rivals: Vec::new(),
            ties: Vec::new(),
        })
    };
    let mut builtin: Vec<Choice<'a>> = registry::builtin()
        .iter()
        .filter_map(|format| fitting(AnyFormat::Builtin(*format), Origin::Builtin))
        .collect();
    builtin.sort_by_key(rank);
    let mut all: Vec<Choice<'a>> = surroundings
        .declared
        .iter()
        .filter_map(|d| fitting(AnyFormat::Compiled(Arc::clone(&d.format)), Origin::Declared(d)))
        .map(|choice| weighed(choice, input, surroundings.configs, builtin.first()))
        .collect();
    all.sort_by_key(|choice| Reverse(affinity(choice, input)));
    all.append(&mut builtin);
    all.sort_by_key(rank);
    let mut all = all.into_iter();
    let mut best = all.next()?;
    let equals: Vec<Choice<'a>> = all
        .take_while(|other| rank(other) == rank(&best))
        // The built-in format of the same product reads the same fields of these lines.
        .filter(|other| matches!(other.origin, Origin::Declared(_)) || other.product() != best.product())
        .filter(|other| other.name() != best.name())
        .collect();
    best.rivals = equals.iter().map(|other| other.name().to_owned()).collect();
    best.rivals.dedup();
    best.ties = equals
        .iter()
        .filter(|other| !reads_alike(&best.format, &other.format, &head))
        .map(|other| other.name().to_owned())
        .collect();
    best.ties.dedup();
    Some(best)
}

/// Lines on which two formats are compared.
const COMPARED: usize = 20;

/// Whether it does not matter which of two formats of one product is taken.
fn reads_alike(one: &AnyFormat, other: &AnyFormat, head: &Head<'_>) -> bool {
    if one.get().product() != other.get().product() {
        return false;
    }
    let mut one = one.get().prepare(head).open(b"");
    let mut other = other.get().prepare(head).open(b"");
    head.lines().take(COMPARED).all(|line| {
        let (mut left, mut right) = (Entry::default(), Entry::default());
        let same = one.parse(line, &mut left).ok() == other.parse(line, &mut right).ok();
        same && format!("{left:?}") == format!("{right:?}")
    })
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
fn weighed<'a>(
    mut choice: Choice<'a>,
    input: &Input,
    configs: &[(String, Product)],
    builtin: Option<&Choice<'a>>,
) -> Choice<'a> {
    let Origin::Declared(declared) = choice.origin else {
        return choice;
    };
    if declared.is_definition {
        choice.reason = format!("lines match the definition in {}", declared.config);
        return choice;
    }
    if names_file(declared, input) && !is_of_another(declared, input, configs) {
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

/// Whether the configuration of another product lies nearer to `input` than the one that declares a format for a log of
/// its name: many servers call their logs `access.log`.
fn is_of_another(declared: &DeclaredFormat, input: &Input, configs: &[(String, Product)]) -> bool {
    let around = words(hints::directory(&input.stream));
    let shared = |path: &str| {
        let known = words(hints::directory(path));
        around.iter().filter(|word| known.contains(word)).count()
    };
    let own = shared(&declared.config).max(shared(&declared.log_path));
    let others = configs
        .iter()
        .filter(|(_, product)| *product != declared.format.product());
    others.map(|(path, _)| shared(path)).any(|other| other > own)
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
