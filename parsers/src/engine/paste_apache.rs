//! Apache httpd `LogFormat`: text with `%` directives.
//!
//! Source: httpd documentation, `mod_log_config`. The time of a line is when the request was
//! received unless the directive says `end:`; `%D` is microseconds, `%T` seconds.

use crate::engine::id::{self, Header, IdKind};
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The formats that httpd's own configuration files define, by nickname.
pub const NAMED: [(&str, &str); 5] = [
    ("common", r#"%h %l %u %t "%r" %>s %b"#),
    (
        "combined",
        r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i""#,
    ),
    (
        "combinedio",
        r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %I %O"#,
    ),
    (
        "vhost_combined",
        r#"%v:%p %h %l %u %t "%r" %>s %O "%{Referer}i" "%{User-Agent}i""#,
    ),
    ("vhost_common", r#"%v %h %l %u %t "%r" %>s %b"#),
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Apache, template(text)?))
}

/// The template of a format string.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "LogFormat");
    let text = text.trim().replace("\\\"", "\"");
    let text = NAMED
        .iter()
        .find(|(name, _)| *name == text)
        .map_or(text.as_str(), |(_, format)| *format);
    compile("apache", text, |_, _| None, |_| {})
}

/// The template of `text` in a dialect that has httpd's directives: `other` says what a letter with its parameter is
/// where the two differ, `finish` is called on each entry.
///
/// # Errors
/// See [`crate::paste::compile`].
pub(crate) fn compile(
    dialect: &'static str,
    text: &str,
    other: fn(&str, &str) -> Option<Slot>,
    finish: fn(&mut Entry<'_>),
) -> Result<Template, FormatError> {
    let parts = parts(text, dialect)?;
    let context = Context::of(&parts);
    let mut builder = Builder::new(dialect, Escape::Backslash);
    builder.finish_with(finish);
    let mut at = 0;
    while at < parts.len() {
        match &parts[at] {
            Part::Literal(bytes) => builder.literal(bytes.as_bytes()),
            Part::Directive(d) if d.letter == "t" => at += time(&parts[at..], d, &mut builder) - 1,
            Part::Directive(d) => {
                let slot = other(&d.letter, &d.parameter).unwrap_or_else(|| slot(d, &context));
                builder.field(Field::new(slot, wanted(slot)), &d.written);
            }
        }
        at += 1;
    }
    builder.build()
}

/// A piece of a format string.
#[derive(Debug)]
enum Part {
    Literal(String),
    Directive(Directive),
}

/// `%` modifiers `{parameter}` letter.
#[derive(Debug)]
struct Directive {
    written: String,
    original: bool,
    parameter: String,
    letter: String,
}

/// Which directives stand in the format beside a given one.
struct Context {
    peer: bool,
    body_bytes: bool,
}

impl Context {
    fn of(parts: &[Part]) -> Self {
        let any = |test: &dyn Fn(&Directive) -> bool| {
            parts
                .iter()
                .any(|part| matches!(part, Part::Directive(d) if test(d)))
        };
        Self {
            peer: any(&|d| d.letter == "a" && d.parameter == "c"),
            body_bytes: any(&|d| d.letter == "b" || d.letter == "B"),
        }
    }
}

fn parts(text: &str, dialect: &'static str) -> Result<Vec<Part>, FormatError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        literal.push_str(&rest[..percent]);
        let at = text.len() - rest.len() + percent;
        let after = &rest[percent + 1..];
        if let Some(next) = after.strip_prefix('%') {
            literal.push('%');
            rest = next;
            continue;
        }
        let (directive, used) = directive(after, at, dialect)?;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Directive(directive));
        rest = &after[used..];
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// The directive after a `%` and its length.
fn directive(text: &str, at: usize, dialect: &'static str) -> Result<(Directive, usize), FormatError> {
    let error = |what: &str| FormatError::Syntax {
        dialect,
        what: what.to_owned(),
        at,
    };
    let is_modifier = |c: char| matches!(c, '!' | '<' | '>' | ',') || c.is_ascii_digit();
    let modifiers = text.len() - text.trim_start_matches(is_modifier).len();
    let mut used = modifiers;
    let mut parameter = "";
    if text[used..].starts_with('{') {
        let end = text[used..].find('}').ok_or_else(|| error("'%{' without '}'"))?;
        parameter = &text[used + 1..used + end];
        used += end + 1;
        // Modifiers may stand after the parameter as well.
        used += text[used..].len() - text[used..].trim_start_matches(is_modifier).len();
    }
    let letter_len = match &text.as_bytes()[used..] {
        [b'^', b't', _, ..] => 3,
        [letter, ..] if letter.is_ascii_alphabetic() => 1,
        _ => return Err(error("'%' without a directive")),
    };
    let end = used + letter_len;
    let Some(letter) = text.get(used..end) else {
        return Err(error("'%^' without a directive"));
    };
    let directive = Directive {
        written: format!("%{}", &text[..end]),
        original: text[..modifiers].contains('<'),
        parameter: parameter.to_owned(),
        letter: letter.to_owned(),
    };
    Ok((directive, end))
}

fn slot(d: &Directive, context: &Context) -> Slot {
    match (d.letter.as_str(), d.parameter.as_str()) {
        ("a", "c") => Slot::Client,
        ("a" | "h", _) if context.peer => Slot::ForwardedFor,
        ("a" | "h", _) => Slot::Client,
        ("A", _) => Slot::Server,
        ("b" | "B", _) => Slot::BytesSent,
        ("O", _) if !context.body_bytes => Slot::BytesSent,
        ("D", _) => Slot::Duration(unit::US),
        ("T", "us") => Slot::Duration(unit::US),
        ("T", "ms") => Slot::Duration(unit::MS),
        ("T", _) => Slot::OtherDuration(unit::S),
        ("e", name) => environment(name),
        ("i" | "n", name) => match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            Header::Host => Slot::Host,
            Header::ForwardedFor => Slot::ForwardedFor,
            Header::Other => Slot::Skip,
        },
        ("o" | "^to" | "^ti", name) => match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            _ => Slot::Skip,
        },
        ("k", _) => Slot::EarlierRequests,
        // The entry's id in the error log, which the error log's `%L` repeats.
        ("L", "") => Slot::Id(IdKind::Whole),
        ("m", _) => Slot::Method,
        ("P", "" | "pid") => Slot::Pid,
        ("p", "remote") => Slot::ClientPort,
        ("q", _) => Slot::Query,
        ("r", _) => Slot::Request,
        ("s", _) if d.original => Slot::OtherStatus,
        ("s", _) if d.written.contains('>') => Slot::Status,
        ("s", _) => Slot::OtherStatus,
        ("U", _) => Slot::Path,
        ("v", _) => Slot::ServerName,
        ("V", _) => Slot::Host,
        ("X", _) => Slot::Termination,
        _ => Slot::Skip,
    }
}

/// An environment variable: mod_unique_id's, mod_proxy_balancer's, or one that carries an id.
fn environment(name: &str) -> Slot {
    match name {
        "UNIQUE_ID" => Slot::Id(IdKind::Whole),
        "BALANCER_WORKER_NAME" => Slot::UpstreamAddr,
        "BALANCER_WORKER_ROUTE" => Slot::UpstreamServer,
        "BALANCER_NAME" => Slot::Group,
        _ => match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            _ => Slot::Skip,
        },
    }
}

/// Adds the time that starts at `parts[0]`, which may be written by several directives in a row
/// (`%{%d/%b/%Y:%T}t.%{msec_frac}t %{%z}t`). Returns how many parts it took.
fn time(parts: &[Part], first: &Directive, builder: &mut Builder) -> usize {
    if first.parameter.is_empty() {
        builder.literal(b"[");
        builder.field(Field::time(TimeShape::Clf, Marks::Start), &first.written);
        builder.literal(b"]");
        return 1;
    }
    let (pattern, marks) = pattern(&first.parameter);
    let mut pattern = pattern.to_owned();
    let mut taken = 1;
    while let Some([Part::Literal(between), Part::Directive(next)]) = parts.get(taken..taken + 2)
        && next.letter == "t"
        && matches!(between.as_str(), "." | "," | ":" | " " | "T")
        && !next.parameter.is_empty()
    {
        pattern.push_str(between);
        pattern.push_str(self::pattern(&next.parameter).0);
        taken += 2;
    }
    // strftime's own literals around the time are the line's.
    let lead = pattern.len() - pattern.trim_start_matches(['[', '"', ' ']).len();
    let trail = pattern.len() - pattern.trim_end_matches([']', '"', ' ']).len();
    builder.literal(&pattern.as_bytes()[..lead]);
    let inner = pattern.get(lead..pattern.len() - trail).unwrap_or_default();
    let field = shape(inner).map_or(Field::skip(), |shape| Field::time(shape, marks));
    builder.field(field, &first.written);
    builder.literal(&pattern.as_bytes()[(pattern.len() - trail).max(lead)..]);
    taken
}

/// The strftime pattern of a parameter without `begin:` or `end:`, and what the time marks.
fn pattern(parameter: &str) -> (&str, Marks) {
    let (inner, marks) = match (parameter.strip_prefix("begin:"), parameter.strip_prefix("end:")) {
        (Some(inner), _) => (inner, Marks::Start),
        (_, Some(inner)) => (inner, Marks::End),
        _ => (parameter, Marks::Start),
    };
    (inner, marks)
}

/// How a strftime pattern writes the time, if it is one we read.
fn shape(pattern: &str) -> Option<TimeShape> {
    match pattern {
        "sec" | "%s" | "sec.msec_frac" | "sec.usec_frac" | "%s.msec_frac" | "%s.usec_frac" => {
            return Some(TimeShape::EpochSeconds);
        }
        "msec" => return Some(TimeShape::EpochMs),
        "usec" => return Some(TimeShape::EpochUs),
        _ => {}
    }
    let long = pattern.replace("%T", "%H:%M:%S").replace("%F", "%Y-%m-%d");
    let (clock, tail) = long.split_once("%H:%M:%S")?;
    let tail_is_known = |tail: &str| {
        let tail = tail
            .trim_start_matches(['.', ','])
            .trim_start_matches("msec_frac")
            .trim_start_matches("usec_frac");
        matches!(tail.trim_start(), "" | "%z" | "Z" | "%:z" | "%Z")
    };
    match clock {
        "%d/%b/%Y:" if tail_is_known(tail) => Some(TimeShape::Clf),
        "%Y-%m-%dT" | "%Y-%m-%d " if tail_is_known(tail) => Some(TimeShape::Iso),
        "%Y/%m/%d " if tail_is_known(tail) => Some(TimeShape::Slashed),
        "%a %b %d " if tail.ends_with(" %Y") => Some(TimeShape::Asctime),
        _ => None,
    }
}
