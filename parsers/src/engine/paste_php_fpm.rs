//! PHP-FPM `access.format`: text with `%` letters, some with a parameter in braces before them.
//!
//! `%t` is when the request was taken on, `%T` when the line was written, both as `%d/%b/%Y:%H:%M:%S %z` without brackets unless a
//! strftime pattern says otherwise; `%d` is the duration in seconds unless it is asked for in `mili` or `micro`
//! (`milli` too from PHP 8.1 on); `%r` is the path without query, `%Q` the question mark if there is a query, `%q` the query.
//! Nothing is escaped.
//! Source: php-fpm.conf, "access.format"; php-src `sapi/fpm/fpm/fpm_log.c`.

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::engine::time_layout::Layout;
use crate::entry::{Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The format where none is given.
pub const DEFAULT: &str = r#"%R - %u %t "%m %r" %s"#;

/// The letters that PHP-FPM knows.
pub const KNOWN: &[&str] = &[
    "C", "d", "e", "f", "l", "m", "M", "n", "o", "p", "P", "q", "Q", "r", "R", "s", "t", "T", "u",
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::PhpFpm, template(text)?))
}

fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "access.format");
    let text = match text.trim() {
        "default" => DEFAULT,
        other => other,
    };
    let mut builder = Builder::new("php-fpm", Escape::None);
    builder.raw_quotes();
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|found| at + found) {
        builder.literal(&text.as_bytes()[at..percent]);
        let (parameter, letter, used) = directive(&text[percent..], percent)?;
        let written = &text[percent..percent + used];
        match letter {
            '%' => builder.literal(b"%"),
            // The mark and the query go on with the path.
            'Q' | 'q' if builder.open_field().is_some_and(|field| field.slot == Slot::Path) => {}
            't' | 'T' => builder.field(time(parameter, letter), written),
            _ => {
                let slot = slot(letter, parameter);
                builder.field(Field::new(slot, wanted(slot)), written);
            }
        }
        at = percent + used;
    }
    builder.literal(&text.as_bytes()[at..]);
    builder.build()
}

/// Parameter, letter and length of what begins with a `%`.
fn directive(text: &str, at: usize) -> Result<(&str, char, usize), FormatError> {
    let error = |what: &str| FormatError::Syntax {
        dialect: "php-fpm",
        what: what.to_owned(),
        at,
    };
    let (parameter, used) = match text[1..].strip_prefix('{') {
        Some(inner) => {
            let end = inner.find('}').ok_or_else(|| error("'%{' without '}'"))?;
            (&inner[..end], end + 3)
        }
        None => ("", 1),
    };
    match text[used..].chars().next() {
        Some(letter) if letter.is_ascii_alphabetic() || letter == '%' => Ok((parameter, letter, used + 1)),
        _ => Err(error("'%' without a letter")),
    }
}

/// When, by a strftime pattern; without one as the common log format has it.
fn time(pattern: &str, letter: char) -> Field {
    let marks = if letter == 't' { Marks::Start } else { Marks::End };
    let shape = match pattern {
        "" => Some(TimeShape::Clf),
        "%s" => Some(TimeShape::EpochSeconds),
        _ => Layout::new(pattern).ok().map(TimeShape::Layout),
    };
    shape.map_or(Field::skip(), |shape| Field::time(shape, marks))
}

fn slot(letter: char, parameter: &str) -> Slot {
    let duration = |parameter: &str| match parameter.to_ascii_lowercase().as_str() {
        "" | "seconds" => Slot::Duration(unit::S),
        "mili" | "miliseconds" | "milli" | "milliseconds" => Slot::Duration(unit::MS),
        "micro" | "microseconds" => Slot::Duration(unit::US),
        _ => Slot::Skip,
    };
    let header = |name: &str| {
        let lower = name.to_ascii_lowercase();
        match id::header(lower.strip_prefix("http_").unwrap_or(&lower).as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            Header::Host if letter == 'e' => Slot::Host,
            Header::ForwardedFor if letter == 'e' => Slot::ForwardedFor,
            _ => Slot::Skip,
        }
    };
    match letter {
        'R' => Slot::Client,
        'm' => Slot::Method,
        'r' => Slot::Path,
        'q' => Slot::Query,
        's' => Slot::Status,
        'p' => Slot::Pid,
        'd' => duration(parameter),
        'e' if parameter == "REQUEST_URI" => Slot::Path,
        'e' if parameter == "REMOTE_ADDR" => Slot::Client,
        'e' if parameter == "REMOTE_PORT" => Slot::ClientPort,
        'e' if parameter == "SERVER_NAME" => Slot::ServerName,
        'e' | 'o' => header(parameter),
        _ => Slot::Skip,
    }
}
