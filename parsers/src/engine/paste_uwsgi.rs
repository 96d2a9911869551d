//! uWSGI `log-format`: text with `%(name)` variables.
//!
//! `time`, `ltime`, `ftime`, `ctime`, `tmsecs` and `tmicros` are when the request began, `epoch` when the line was written; `size` is
//! header and body, `rsize` the body; `msecs`, `micros` and `secs` are the duration. `var.NAME` is a variable of the
//! request, `HTTP_X_REQUEST_ID` and kin among them. A variable without value is a dash; nothing is escaped.
//! Source: uWSGI documentation, "Formatting uWSGI requests logs"; `core/logging.c`.

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The variables that uWSGI has of its own.
pub const KNOWN: &[&str] = &[
    "uri",
    "method",
    "user",
    "addr",
    "host",
    "proto",
    "uagent",
    "referer",
    "status",
    "rsize",
    "hsize",
    "size",
    "cl",
    "micros",
    "msecs",
    "secs",
    "tmsecs",
    "tmicros",
    "time",
    "ltime",
    "ftime",
    "ctime",
    "epoch",
    "pid",
    "wid",
    "switches",
    "vars",
    "core",
    "vsz",
    "rss",
    "vszM",
    "rssM",
    "pktsize",
    "modifier1",
    "modifier2",
    "headers",
    "werr",
    "rerr",
    "ioerr",
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Uwsgi, template(text)?))
}

/// The names in `%(…)`, those of request variables and metrics left out.
pub(crate) fn variables(text: &str) -> Vec<String> {
    pieces(text)
        .filter_map(|piece| match piece {
            Ok(Piece::Variable(name)) if !name.starts_with("var.") && !name.starts_with("metric.") => {
                Some(name.to_owned())
            }
            _ => None,
        })
        .collect()
}

fn template(text: &str) -> Result<Template, FormatError> {
    let text = value(text);
    let mut builder = Builder::new("uwsgi", Escape::None);
    builder.raw_quotes();
    for piece in pieces(text) {
        match piece? {
            Piece::Text(bytes) => builder.literal(bytes.as_bytes()),
            Piece::Variable(name) => builder.field(field(name), &format!("%({name})")),
        }
    }
    builder.build()
}

/// The format of `log-format = …`; an ini file has no quotes around it, a command line has.
fn value(text: &str) -> &str {
    let text = text.trim();
    let after = text
        .strip_prefix("log-format")
        .or_else(|| text.strip_prefix("logformat"));
    let text = after.map_or(text, |rest| rest.trim_start_matches(['=', ' ']));
    let inner = |quote: char| {
        text.strip_prefix(quote)?
            .strip_suffix(quote)
            .filter(|inner| !inner.contains(quote))
    };
    inner('"').or_else(|| inner('\'')).unwrap_or(text)
}

/// A piece of a format string.
enum Piece<'t> {
    Text(&'t str),
    Variable(&'t str),
}

fn pieces(text: &str) -> impl Iterator<Item = Result<Piece<'_>, FormatError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let Some(inner) = rest.strip_prefix("%(") else {
            let end = rest.find("%(").unwrap_or(rest.len());
            at += end;
            return Some(Ok(Piece::Text(&rest[..end])));
        };
        let Some(end) = inner.find(')') else {
            let error = FormatError::Syntax {
                dialect: "uwsgi",
                what: "'%(' without ')'".to_owned(),
                at,
            };
            at = text.len();
            return Some(Err(error));
        };
        at += end + 3;
        Some(Ok(Piece::Variable(&inner[..end])))
    })
}

fn field(name: &str) -> Field {
    let slot = match name {
        "time" => return Field::time(TimeShape::EpochSeconds, Marks::Start),
        "epoch" => return Field::time(TimeShape::EpochSeconds, Marks::End),
        "tmsecs" => return Field::time(TimeShape::EpochMs, Marks::Start),
        "tmicros" => return Field::time(TimeShape::EpochUs, Marks::Start),
        "ltime" | "ftime" => return Field::time(TimeShape::Clf, Marks::Start),
        "ctime" => return Field::time(TimeShape::Asctime, Marks::Start),
        "uri" => Slot::Path,
        "method" => Slot::Method,
        "addr" => Slot::Client,
        "host" => Slot::Host,
        "status" => Slot::Status,
        "rsize" | "size" => Slot::BytesSent,
        "micros" => Slot::Duration(unit::US),
        "msecs" => Slot::OtherDuration(unit::MS),
        "secs" => Slot::OtherDuration(unit::S),
        "pid" => Slot::Pid,
        _ => own(name),
    };
    Field::new(slot, wanted(slot))
}

/// A request variable, or one that the application set.
fn own(name: &str) -> Slot {
    let name = name.strip_prefix("var.").unwrap_or(name);
    let lower = name.to_ascii_lowercase();
    match id::header(lower.strip_prefix("http_").unwrap_or(&lower).as_bytes()) {
        Header::Id(kind) => Slot::Id(kind),
        Header::Host => Slot::Host,
        Header::ForwardedFor => Slot::ForwardedFor,
        Header::Other => Slot::Skip,
    }
}
