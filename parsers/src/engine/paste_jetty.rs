//! Jetty's `CustomRequestLog`: Apache's letters with meanings of their own, `%MODIFIERS{PARAMETER}CODE`.
//!
//! `%{client}a` and `%{server}a` are the addresses as forwarding headers have them, `%{remote}a` and `%{local}a` those of
//! the connection; without a parameter `%a` and `%p` are the server's. `%D` is microseconds counted in milliseconds, `%T`
//! seconds, `%{ms}T` and `%{us}T` say their unit. `%t` and `%{PATTERN|ZONE|LOCALE}t` are the arrival, in brackets, in GMT
//! unless a zone is named; the pattern is Java's. `%k` counts the requests of the connection with this one. Missing values
//! are dashes, a missing query is `?null`; nothing is escaped.
//! Source: `CustomRequestLog.java` of Jetty 9.4 to 12.

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::paste_tomcat::java_shape;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The formats that Jetty has constants for.
const NAMED: [(&str, &str); 2] = [
    ("NCSA_FORMAT", r#"%{client}a - %u %t "%r" %s %O"#),
    (
        "EXTENDED_NCSA_FORMAT",
        r#"%{client}a - %u %t "%r" %s %O "%{Referer}i" "%{User-Agent}i""#,
    ),
];

/// The codes that Jetty knows.
pub const KNOWN: &[&str] = &[
    "a", "p", "I", "O", "S", "C", "D", "e", "f", "H", "i", "k", "m", "o", "q", "r", "R", "s", "t", "T", "u",
    "U", "X", "ti", "to",
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Jetty, template(text)?))
}

/// The codes in `text`.
pub(crate) fn variables(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        rest = &rest[percent + 1..];
        let Ok(code) = Code::read(rest, 0) else { break };
        if code.name != "%" {
            names.push(code.name.to_owned());
        }
        rest = &rest[code.len..];
    }
    names
}

fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "jetty.requestlog.formatString");
    let text = text.trim().replace("&quot;", "\"");
    let text = NAMED
        .iter()
        .find(|(name, _)| *name == text)
        .map_or(text.as_str(), |(_, format)| *format);
    let mut builder = Builder::new("jetty", Escape::None);
    builder.raw_quotes();
    builder.finish_with(finish);
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|found| at + found) {
        builder.literal(&text.as_bytes()[at..percent]);
        let code = Code::read(&text[percent + 1..], percent)?;
        at = percent + 1 + code.len;
        match code.name {
            "%" => builder.literal(b"%"),
            "t" => time(code.parameter, &text[percent..at], &mut builder),
            "q" if builder.open_field().is_some_and(|field| field.slot == Slot::Path) => {}
            _ => {
                let slot = code.slot();
                builder.field(Field::new(slot, wanted(slot)), &text[percent..at]);
            }
        }
    }
    builder.literal(&text.as_bytes()[at..]);
    builder.build()
}

/// A query that there is not is written as Java writes nothing.
fn finish(entry: &mut Entry<'_>) {
    entry.path = entry.path.strip_suffix(b"?null").unwrap_or(entry.path);
    entry.query = entry.query.strip_prefix(b"?").unwrap_or(entry.query);
    if entry.query == b"null" {
        entry.query = &[];
    }
}

/// What stands behind a percent sign.
struct Code<'t> {
    parameter: &'t str,
    name: &'t str,
    len: usize,
}

impl<'t> Code<'t> {
    /// The code at the start of `text`; `at` is where its percent sign stands.
    fn read(text: &'t str, at: usize) -> Result<Self, FormatError> {
        let error = |what: &str| FormatError::Syntax {
            dialect: "jetty",
            what: what.to_owned(),
            at,
        };
        let is_modifier = |c: char| matches!(c, '!' | ',') || c.is_ascii_digit();
        let mut len = text.len() - text.trim_start_matches(is_modifier).len();
        let mut parameter = "";
        if let Some(inner) = text[len..].strip_prefix('{') {
            let end = inner.find('}').ok_or_else(|| error("'%{' without '}'"))?;
            parameter = &inner[..end];
            len += end + 2;
        }
        let rest = &text[len..];
        let name = match rest.chars().next() {
            _ if rest.starts_with("ti") || rest.starts_with("to") => &rest[..2],
            Some(letter) if letter.is_ascii_alphabetic() || letter == '%' => &rest[..1],
            _ => return Err(error("'%' without a code")),
        };
        Ok(Self {
            parameter,
            name,
            len: len + name.len(),
        })
    }

    fn slot(&self) -> Slot {
        match (self.name, self.parameter) {
            ("a", "client") => Slot::Client,
            // The peer, where a proxy stands before the client.
            ("a", "remote") => Slot::Client,
            ("a", "local") => Slot::Server,
            ("a", _) => Slot::ServerName,
            ("p", "client" | "remote") => Slot::ClientPort,
            ("O", _) => Slot::BytesSent,
            ("D", _) | ("T", "us") => Slot::Duration(unit::US),
            ("T", "ms") => Slot::Duration(unit::MS),
            ("T", _) => Slot::OtherDuration(unit::S),
            ("k", _) => Slot::ConnectionRequests,
            ("m", _) => Slot::Method,
            ("q", _) => Slot::Query,
            ("r", _) => Slot::Request,
            ("s", _) => Slot::Status,
            ("U", _) => Slot::Path,
            ("X", _) => Slot::Termination,
            ("i", name) => match id::header(name.as_bytes()) {
                Header::Id(kind) => Slot::Id(kind),
                Header::Host => Slot::Host,
                Header::ForwardedFor => Slot::ForwardedFor,
                Header::Other => Slot::Skip,
            },
            ("o", name) => match id::header(name.as_bytes()) {
                Header::Id(kind) => Slot::Id(kind),
                _ => Slot::Skip,
            },
            _ => Slot::Skip,
        }
    }
}

/// The arrival, in brackets whatever the pattern.
fn time(parameter: &str, written: &str, builder: &mut Builder) {
    let pattern = parameter.split('|').next().unwrap_or_default();
    let shape = match pattern {
        "" => Some(TimeShape::Clf),
        pattern => java_shape(pattern),
    };
    builder.literal(b"[");
    builder.field(
        shape.map_or(Field::skip(), |shape| Field::time(shape, Marks::Start)),
        written,
    );
    builder.literal(b"]");
}
