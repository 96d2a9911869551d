//! gunicorn `access_log_format`: text with `%(name)s` atoms.
//!
//! The time of a line is when the request ended. `%(D)s` is microseconds, `%(M)s` milliseconds, `%(T)s` whole seconds,
//! `%(L)s` seconds with decimals; `%(p)s` is the worker's process in angle brackets; `{name}i`, `{name}o` and `{name}e` are
//! request headers, response headers and environment variables, lower case.
//! Source: gunicorn documentation, "access_log_format"; `glogging.py`, `atoms`.

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// gunicorn's built-in format.
pub const DEFAULT: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Gunicorn, template(text)?))
}

/// The template of a format string.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "access_log_format");
    let text = match text.trim() {
        "default" => DEFAULT,
        other => other,
    };
    let mut builder = Builder::new("gunicorn", Escape::Backslash);
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        builder.literal(&rest.as_bytes()[..percent]);
        let at = text.len() - rest.len() + percent;
        let after = &rest[percent + 1..];
        if let Some(next) = after.strip_prefix('%') {
            builder.literal(b"%");
            rest = next;
            continue;
        }
        let error = |what: &str| FormatError::Syntax {
            dialect: "gunicorn",
            what: what.to_owned(),
            at,
        };
        let inner = after.strip_prefix('(').ok_or_else(|| error("'%' without '('"))?;
        let end = inner.find(')').ok_or_else(|| error("'%(' without ')'"))?;
        let (name, after) = (&inner[..end], &inner[end + 1..]);
        let conversion = after.chars().next().filter(char::is_ascii_alphabetic);
        let conversion = conversion.ok_or_else(|| error("'%(name)' without its 's'"))?;
        atom(name, &mut builder);
        rest = &after[conversion.len_utf8()..];
    }
    builder.literal(rest.as_bytes());
    builder.build()
}

fn atom(name: &str, builder: &mut Builder) {
    let written = format!("%({name})s");
    let slot = match name {
        "t" => {
            builder.literal(b"[");
            builder.field(Field::time(TimeShape::Clf, Marks::End), &written);
            builder.literal(b"]");
            return;
        }
        "p" => {
            builder.literal(b"<");
            builder.field(Field::new(Slot::Pid, "process"), &written);
            builder.literal(b">");
            return;
        }
        "h" => Slot::Client,
        "r" => Slot::Request,
        "m" => Slot::Method,
        "U" => Slot::Path,
        "q" => Slot::Query,
        "s" => Slot::Status,
        "b" | "B" => Slot::BytesSent,
        "D" => Slot::Duration(unit::US),
        "M" => Slot::Duration(unit::MS),
        "L" => Slot::OtherDuration(unit::S),
        "T" => Slot::OtherDuration(unit::S),
        _ => variable(name),
    };
    builder.field(Field::new(slot, wanted(slot)), &written);
}

/// `{x-request-id}i` and its kin.
fn variable(name: &str) -> Slot {
    let Some((inner, kind)) = name.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
        return Slot::Skip;
    };
    // The WSGI environment has headers as HTTP_X_REQUEST_ID.
    let lower = inner.to_ascii_lowercase();
    let header = lower.strip_prefix("http_").unwrap_or(&lower);
    match (id::header(header.as_bytes()), kind) {
        (Header::Id(kind), _) => Slot::Id(kind),
        (Header::Host, "i" | "e") => Slot::Host,
        (Header::ForwardedFor, "i" | "e") => Slot::ForwardedFor,
        _ => Slot::Skip,
    }
}
