//! Undertow's access log patterns: Apache's letters, and names in braces, `%{i,X-Request-ID}`, `%{RESPONSE_TIME_MICROS}`.
//!
//! `%t` is when the line was written, `%e` when the request began, both as Apache writes a time; `%{time,PATTERN}` is in one
//! of Java's patterns, in the zone of the machine. `%D` and `%{RESPONSE_TIME}` are milliseconds, `%T` seconds with three
//! decimals; without `RECORD_REQUEST_START_TIME` they are dashes, as all missing values. Nothing is escaped.
//! Source: Undertow, `AccessLogHandler.java` and the classes of `io.undertow.attribute`.

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::paste_tomcat::java_shape;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The patterns that have a name.
const NAMED: [(&str, &str); 2] = [
    ("common", r#"%h %l %u %t "%r" %s %b"#),
    (
        "combined",
        r#"%h %l %u %t "%r" %s %b "%{i,Referer}" "%{i,User-Agent}""#,
    ),
];

/// The attributes that Undertow knows, letters and names.
pub const KNOWN: &[&str] = &[
    "a",
    "A",
    "b",
    "B",
    "D",
    "e",
    "h",
    "H",
    "I",
    "l",
    "m",
    "p",
    "q",
    "r",
    "R",
    "s",
    "t",
    "T",
    "u",
    "U",
    "v",
    "S",
    "BYTES_READ",
    "BYTES_SENT",
    "DATE_TIME",
    "EXCHANGE_START_TIME",
    "HOST_AND_PORT",
    "LOCAL_IP",
    "LOCAL_PORT",
    "LOCAL_SERVER_NAME",
    "METHOD",
    "PROTOCOL",
    "TRANSPORT_PROTOCOL",
    "QUERY_STRING",
    "BARE_QUERY_STRING",
    "RELATIVE_PATH",
    "REMOTE_HOST",
    "REMOTE_IP",
    "REMOTE_USER",
    "REQUEST_LINE",
    "REQUEST_PATH",
    "REQUEST_SIZE",
    "REQUEST_URL",
    "RESOLVED_PATH",
    "RESPONSE_CODE",
    "RESPONSE_REASON_PHRASE",
    "RESPONSE_SIZE",
    "RESPONSE_TIME",
    "RESPONSE_TIME_MICROS",
    "RESPONSE_TIME_NANOS",
    "SCHEME",
    "SECURE",
    "SSL_CIPHER",
    "SSL_CLIENT_CERT",
    "SSL_SESSION_ID",
    "SECURE_PROTOCOL",
    "THREAD_NAME",
    "AUTHENTICATION_TYPE",
    "NULL",
    "STORED_RESPONSE",
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Undertow, template(text)?))
}

/// The letters and names in `text`, those of headers, cookies and the like left out.
pub(crate) fn variables(text: &str) -> Vec<String> {
    pieces(text)
        .filter_map(|piece| match piece {
            Ok(Piece::Attribute(name)) if !name.contains(',') => Some(name.to_owned()),
            _ => None,
        })
        .collect()
}

fn template(text: &str) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "pattern");
    let text = text.trim().replace("&quot;", "\"");
    let text = NAMED
        .iter()
        .find(|(name, _)| *name == text)
        .map_or(text.as_str(), |(_, format)| *format);
    let mut builder = Builder::new("undertow", Escape::None);
    builder.raw_quotes();
    builder.finish_with(finish);
    for piece in pieces(text) {
        match piece? {
            Piece::Text(bytes) => builder.literal(bytes.as_bytes()),
            Piece::Context(name) => builder.field(Field::skip(), &format!("${{{name}}}")),
            Piece::Attribute(name) => attribute(name, &mut builder),
        }
    }
    builder.build()
}

/// Some releases write the query with its mark.
fn finish(entry: &mut Entry<'_>) {
    entry.query = entry.query.strip_prefix(b"?").unwrap_or(entry.query);
}

/// A piece of a pattern.
enum Piece<'t> {
    Text(&'t str),
    /// `%a`, `%{i,Host}`: the letter, or what stands in the braces.
    Attribute(&'t str),
    /// `${name}`, set by a predicate.
    Context(&'t str),
}

fn pieces(text: &str) -> impl Iterator<Item = Result<Piece<'_>, FormatError>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let start = at;
        let braced = |inner: &str| {
            inner.find('}').ok_or(FormatError::Syntax {
                dialect: "undertow",
                what: "a brace that is not closed".to_owned(),
                at: start,
            })
        };
        let mut next = |len: usize, piece| {
            at += len;
            Some(Ok(piece))
        };
        if rest.starts_with("%%") {
            return next(2, Piece::Text(&rest[..1]));
        }
        if let Some(inner) = rest.strip_prefix("%{").or_else(|| rest.strip_prefix("${")) {
            let is_context = rest.starts_with('$');
            return match braced(inner) {
                Ok(end) if is_context => next(end + 3, Piece::Context(&inner[..end])),
                Ok(end) => next(end + 3, Piece::Attribute(&inner[..end])),
                Err(error) => {
                    at = text.len();
                    Some(Err(error))
                }
            };
        }
        if let Some(after) = rest.strip_prefix('%') {
            let len = after.chars().next().map_or(0, char::len_utf8);
            return next(1 + len, Piece::Attribute(&after[..len]));
        }
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let end = rest[first..]
            .find(['%', '$'])
            .map_or(rest.len(), |found| found + first);
        next(end, Piece::Text(&rest[..end]))
    })
}

fn attribute(name: &str, builder: &mut Builder) {
    let written = format!("%{{{name}}}");
    let instant = match name {
        "t" | "DATE_TIME" => Some(Marks::End),
        "e" | "EXCHANGE_START_TIME" => Some(Marks::Start),
        _ => None,
    };
    if let Some(marks) = instant {
        builder.literal(b"[");
        builder.field(Field::time(TimeShape::Clf, marks), &written);
        builder.literal(b"]");
        return;
    }
    let custom = [("time,", Marks::End), ("exchange start time,", Marks::Start)]
        .into_iter()
        .find_map(|(start, marks)| Some((java_shape(name.strip_prefix(start)?)?, marks)));
    if let Some((shape, marks)) = custom {
        return builder.field(Field::time(shape, marks), &written);
    }
    let is_query = matches!(name, "q" | "QUERY_STRING");
    if is_query && builder.open_field().is_some_and(|field| field.slot == Slot::Path) {
        return;
    }
    let slot = slot(name);
    builder.field(Field::new(slot, wanted(slot)), &written);
}

fn slot(name: &str) -> Slot {
    match name {
        "a" | "h" | "REMOTE_IP" | "REMOTE_HOST" => Slot::Client,
        "A" | "LOCAL_IP" => Slot::Server,
        "b" | "B" | "BYTES_SENT" => Slot::BytesSent,
        "D" | "RESPONSE_TIME" => Slot::Duration(unit::MS),
        "RESPONSE_TIME_MICROS" => Slot::Duration(unit::US),
        "T" => Slot::OtherDuration(unit::S),
        "m" | "METHOD" => Slot::Method,
        "q" | "QUERY_STRING" | "BARE_QUERY_STRING" => Slot::Query,
        "r" | "REQUEST_LINE" => Slot::Request,
        "s" | "RESPONSE_CODE" => Slot::Status,
        "U" | "REQUEST_URL" => Slot::Path,
        "v" | "LOCAL_SERVER_NAME" => Slot::ServerName,
        "HOST_AND_PORT" => Slot::Host,
        name => match (
            name.split_once(','),
            id::header(name.get(2..).unwrap_or_default().as_bytes()),
        ) {
            (Some(("i", _)), Header::Host) => Slot::Host,
            (Some(("i", _)), Header::ForwardedFor) => Slot::ForwardedFor,
            (Some(("i" | "o", _)), Header::Id(kind)) => Slot::Id(kind),
            _ => Slot::Skip,
        },
    }
}
