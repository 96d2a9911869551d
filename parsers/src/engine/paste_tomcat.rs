//! Tomcat `AccessLogValve` patterns: Apache's words with meanings of their own.
//!
//! `%D` is microseconds from Tomcat 10 on (dialect `tomcat`) and milliseconds before (dialect `tomcat9`); `%T` is seconds,
//! with decimals before Tomcat 10; `%F` the milliseconds to the commit of the response; `%I` the thread; `%S` the
//! session. The time of a line is when it was written unless the pattern says `%{begin:…}t`, and a format in braces is
//! Java's, not strftime's.
//! Source: Tomcat 9.0 and 10.1 documentation, "Access Log Valve".

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

const COMMON: &str = r#"%h %l %u %t "%r" %s %b"#;
const COMBINED: &str = r#"%h %l %u %t "%r" %s %b "%{Referer}i" "%{User-Agent}i""#;

/// The format called `name` whose lines `text` describes; `count_us` is how many microseconds one of `%D` is.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str, count_us: u32) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(
        name,
        Product::Tomcat,
        template(text, count_us)?,
    ))
}

/// The template of a pattern.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str, count_us: u32) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "pattern");
    // In server.xml quotes are entities.
    let text = text.trim().replace("&quot;", "\"").replace("\\\"", "\"");
    let text = match text.as_str() {
        "common" => COMMON,
        "combined" => COMBINED,
        other => other,
    };
    let mut builder = Builder::new("tomcat", Escape::Backslash);
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        builder.literal(&rest.as_bytes()[..percent]);
        let at = text.len() - rest.len() + percent;
        let (parameter, letter, used) = directive(&rest[percent + 1..], at)?;
        let written = &rest[percent..percent + 1 + used];
        match letter {
            '%' => builder.literal(b"%"),
            't' => time(parameter, written, &mut builder),
            // The query begins with its `?`, so `%U%q` is the whole target.
            'q' if builder.open_field().is_some_and(|field| field.slot == Slot::Path) => {}
            _ => {
                let slot = slot(letter, parameter, count_us);
                builder.field(Field::new(slot, wanted(slot)), written);
            }
        }
        rest = &rest[percent + 1 + used..];
    }
    builder.literal(rest.as_bytes());
    builder.finish_with(|entry| entry.query = entry.query.strip_prefix(b"?").unwrap_or(entry.query));
    builder.build()
}

/// Parameter in braces, letter and length of what follows a `%`.
fn directive(text: &str, at: usize) -> Result<(&str, char, usize), FormatError> {
    let error = |what: &str| FormatError::Syntax {
        dialect: "tomcat",
        what: what.to_owned(),
        at,
    };
    let (parameter, used) = match text.strip_prefix('{') {
        Some(inner) => {
            let end = inner.find('}').ok_or_else(|| error("'%{' without '}'"))?;
            (&inner[..end], end + 2)
        }
        None => ("", 0),
    };
    match text[used..].chars().next() {
        Some(letter) if letter.is_ascii_alphabetic() || letter == '%' => Ok((parameter, letter, used + 1)),
        _ => Err(error("'%' without a letter")),
    }
}

fn slot(letter: char, parameter: &str, count_us: u32) -> Slot {
    match (letter, parameter) {
        ('a' | 'h', _) => Slot::Client,
        ('A', _) => Slot::Server,
        ('b' | 'B', _) => Slot::BytesSent,
        ('D', _) => Slot::Duration(count_us),
        ('T', "us") => Slot::Duration(unit::US),
        ('T', "ms") => Slot::Duration(unit::MS),
        ('T', "ns") => Slot::Skip,
        ('T', _) => Slot::OtherDuration(unit::S),
        ('m', _) => Slot::Method,
        ('p', "remote") => Slot::ClientPort,
        ('q', _) => Slot::Query,
        ('r', "") => Slot::Request,
        ('s', _) => Slot::Status,
        ('U', _) => Slot::Path,
        ('v', _) => Slot::ServerName,
        ('X', _) => Slot::Termination,
        ('i', name) => match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            Header::Host => Slot::Host,
            Header::ForwardedFor => Slot::ForwardedFor,
            Header::Other => Slot::Skip,
        },
        // Response headers, request attributes and session attributes may carry an id.
        ('o' | 'r' | 'c', name) => match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            _ => Slot::Skip,
        },
        _ => Slot::Skip,
    }
}

/// `%t`, `%{begin:sec}t`, `%{yyyy-MM-dd HH:mm:ss.SSS}t`.
fn time(parameter: &str, written: &str, builder: &mut Builder) {
    let (pattern, marks) = match (parameter.strip_prefix("begin"), parameter.strip_prefix("end")) {
        (Some(rest), _) => (rest.strip_prefix(':').unwrap_or(rest), Marks::Start),
        (_, Some(rest)) => (rest.strip_prefix(':').unwrap_or(rest), Marks::End),
        _ => (parameter, Marks::End),
    };
    let shape = match pattern {
        "" => {
            builder.literal(b"[");
            builder.field(Field::time(TimeShape::Clf, marks), written);
            builder.literal(b"]");
            return;
        }
        "sec" => Some(TimeShape::EpochSeconds),
        "msec" => Some(TimeShape::EpochMs),
        _ => java_shape(pattern),
    };
    // Brackets and quotes of the pattern are the line's; quotes around a letter only keep Java from reading it.
    let lead = pattern.len() - pattern.trim_start_matches(['[', '"']).len();
    builder.literal(&pattern.as_bytes()[..lead]);
    builder.field(
        shape.map_or(Field::skip(), |shape| Field::time(shape, marks)),
        written,
    );
    if shape.is_some() {
        let trail = pattern.len() - pattern.trim_end_matches([']', '"']).len();
        builder.literal(&pattern.as_bytes()[(pattern.len() - trail).max(lead)..]);
    }
}

/// How one of Java's date patterns writes the time, if it is one we read.
pub(crate) fn java_shape(pattern: &str) -> Option<TimeShape> {
    let inner = pattern.trim_matches(['[', ']', '"']).replace('\'', "");
    let tail_is_known = |tail: &str| {
        let tail = tail.trim_start_matches(['.', ',']).trim_start_matches("SSS");
        matches!(
            tail.trim_start(),
            "" | "Z" | "ZZ" | "ZZZ" | "X" | "XX" | "XXX" | "z"
        )
    };
    if let Some(tail) = inner.strip_prefix("dd/MMM/yyyy:HH:mm:ss") {
        return tail_is_known(tail).then_some(TimeShape::Clf);
    }
    let tail = inner
        .strip_prefix("yyyy-MM-ddTHH:mm:ss")
        .or_else(|| inner.strip_prefix("yyyy-MM-dd HH:mm:ss"))?;
    tail_is_known(tail).then_some(TimeShape::Iso)
}
