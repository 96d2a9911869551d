//! The template of a definition: fixed text with `{fields}`, compiled with the engine that pasted format
//! strings use.
//!
//! `{{` and `}}` are braces, `{-}` is read over, `{?}` says that the line may end before the next field.

use crate::engine::id::IdKind;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Shape, Template, TimeShape};
use crate::engine::time_layout::{self, Layout};
use crate::entry::{Escape, Marks};
use crate::error::FormatError;
use crate::fields::closest;

/// What holds for a template as a whole.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    pub(super) escape: Escape,
    /// What `{time}` marks.
    pub(super) marks: Marks,
    pub(super) padded: bool,
    pub(super) separator: u8,
}

/// What is wrong with a template, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) what: String,
    pub(super) hint: String,
}

/// A field that a template may have.
pub struct SlotDef {
    /// Its name.
    pub name: &'static str,
    takes: Takes,
    /// What it says, and what an unparsed line is said to lack.
    pub what: &'static str,
}

#[derive(Clone, Copy)]
enum Takes {
    Nothing(Slot),
    Unit(fn(u32) -> Slot),
    Time(Option<Marks>),
    Id,
    Groups,
}

impl SlotDef {
    /// What may stand after its name and a colon; empty if nothing.
    pub const fn arguments(&self) -> &'static str {
        match self.takes {
            Takes::Nothing(_) | Takes::Groups => "",
            Takes::Unit(_) => "s, ms or us",
            Takes::Time(_) => {
                "clf, iso, slashed, asctime, epoch_s, epoch_ms, epoch_us, or a layout such as %d.%m.%Y %T%.f"
            }
            Takes::Id => {
                "nothing, or traceparent, amazon, b3, jaeger, google, cf-ray: the part that is shared is taken"
            }
        }
    }
}

const fn slot(name: &'static str, slot: Slot, what: &'static str) -> SlotDef {
    SlotDef {
        name,
        takes: Takes::Nothing(slot),
        what,
    }
}

const fn timed(name: &'static str, slot: fn(u32) -> Slot, what: &'static str) -> SlotDef {
    SlotDef {
        name,
        takes: Takes::Unit(slot),
        what,
    }
}

const fn stamp(name: &'static str, marks: Option<Marks>, what: &'static str) -> SlotDef {
    SlotDef {
        name,
        takes: Takes::Time(marks),
        what,
    }
}

/// Every field that a template may have.
pub const SLOTS: &[SlotDef] = &[
    stamp("time", None, "time"),
    stamp("start", Some(Marks::Start), "start of the request"),
    stamp("end", Some(Marks::End), "end of the request"),
    timed("duration", Slot::Duration, "duration"),
    timed("other_duration", Slot::OtherDuration, "coarser duration"),
    timed("queue", Slot::Queue, "queue time"),
    timed("connect", Slot::Connect, "connect time"),
    timed("header", Slot::Header, "time to the response header"),
    timed("response", Slot::Response, "time to the end of the response"),
    slot("request", Slot::Request, "request line"),
    slot("method", Slot::Method, "method"),
    slot("path", Slot::Path, "path"),
    slot("query", Slot::Query, "query"),
    slot("host", Slot::Host, "host"),
    slot("server_name", Slot::ServerName, "server name"),
    slot("client", Slot::Client, "client"),
    slot("client_port", Slot::ClientPort, "client port"),
    slot("client_and_port", Slot::ClientAndPort, "client and port"),
    slot("forwarded_for", Slot::ForwardedFor, "forwarded client"),
    slot("server", Slot::Server, "server address"),
    slot("status", Slot::Status, "status"),
    slot("other_status", Slot::OtherStatus, "earlier status"),
    slot("bytes_sent", Slot::BytesSent, "byte count"),
    slot("upstream_addr", Slot::UpstreamAddr, "upstream address"),
    slot("upstream_server", Slot::UpstreamServer, "upstream server"),
    slot("upstream_status", Slot::UpstreamStatus, "upstream status"),
    timed("upstream_connect", Slot::UpstreamConnect, "upstream connect time"),
    timed("upstream_header", Slot::UpstreamHeader, "upstream header time"),
    timed(
        "upstream_response",
        Slot::UpstreamResponse,
        "upstream response time",
    ),
    slot("upstream_bytes", Slot::UpstreamBytes, "upstream byte count"),
    slot("upstream_local", Slot::UpstreamLocal, "local upstream address"),
    slot("group", Slot::Group, "upstream group"),
    slot("retries", Slot::Retries, "retries"),
    slot("termination", Slot::Termination, "termination state"),
    slot("connection", Slot::Connection, "connection"),
    slot(
        "connection_requests",
        Slot::ConnectionRequests,
        "requests on the connection",
    ),
    slot(
        "earlier_requests",
        Slot::EarlierRequests,
        "earlier requests on the connection",
    ),
    slot("pid", Slot::Pid, "process"),
    SlotDef {
        name: "id",
        takes: Takes::Id,
        what: "id",
    },
    slot("maybe_id", Slot::MaybeId, "id, if it looks like one"),
    SlotDef {
        name: "captures",
        takes: Takes::Groups,
        what: "captured headers",
    },
    slot("tail", Slot::Tail, "words, of which ids are kept"),
    slot("level", Slot::Level, "severity"),
    slot("error", Slot::Error, "error text"),
    slot("-", Slot::Skip, "field"),
];

/// What a line of how a field stands may say after its other arguments.
const SHAPES: [(&str, Shape); 4] = [
    ("quoted", Shape::MaybeQuoted),
    ("cut", Shape::MayBeCut),
    ("list", Shape::List),
    ("one", Shape::Until),
];

/// Compiles `text`.
pub(super) fn compile(text: &str, options: Options) -> Result<Template, Wrong> {
    let mut builder = Builder::new("template", options.escape);
    if options.escape == Escape::None {
        builder.raw_quotes();
    }
    builder.padded(options.padded);
    builder.separate_lists_by(options.separator);
    let mut at = 0;
    while let Some(found) = text[at..].find(['{', '}']) {
        let brace = at + found;
        builder.literal(&text.as_bytes()[at..brace]);
        let rest = &text[brace..];
        if rest.starts_with("{{") || rest.starts_with("}}") {
            builder.literal(&rest.as_bytes()[..1]);
            at = brace + 2;
            continue;
        }
        let Some(inside) = rest.strip_prefix('{') else {
            return Err(wrong(
                brace,
                "a } without its {",
                "write }} for a brace in the line",
            ));
        };
        let Some(end) = inside.find('}') else {
            return Err(wrong(
                brace,
                "a { without its }",
                "write {{ for a brace in the line",
            ));
        };
        field(&inside[..end], brace, options, &mut builder)?;
        at = brace + end + 2;
    }
    builder.literal(&text.as_bytes()[at..]);
    builder.build().map_err(|error| of_build(&error, text))
}

fn field(written: &str, at: usize, options: Options, builder: &mut Builder) -> Result<(), Wrong> {
    if written == "?" {
        builder.optional_from_here();
        return Ok(());
    }
    let (name, arguments) = written.split_once(':').unwrap_or((written, ""));
    let Some(def) = SLOTS.iter().find(|def| def.name == name) else {
        let hint = match closest(name, SLOTS.iter().map(|def| def.name)) {
            Some(near) => format!("did you mean {{{near}}}?"),
            None => "'why502 formats fields' lists them; {-} is read over".to_owned(),
        };
        return Err(wrong(at, &format!("unknown field '{name}'"), &hint));
    };
    let list = options.separator != 0;
    let mut field = match def.takes {
        Takes::Time(marks) => {
            let marks = marks.unwrap_or(options.marks);
            let shape = time_shape(arguments, at + 2 + name.len())?;
            builder.field(Field::time(shape, marks), written);
            return Ok(());
        }
        Takes::Nothing(slot) => Field::new(slot, def.what),
        Takes::Groups => Field::new(Slot::Captures, def.what).shaped(Shape::Groups),
        Takes::Unit(of) => Field::new(of(unit::MS), def.what),
        Takes::Id => Field::new(Slot::Id(IdKind::Whole), def.what),
    };
    if list && field.shape == Shape::List {
        field.shape = Shape::Until;
    }
    let mut has_unit = !matches!(def.takes, Takes::Unit(_));
    for argument in arguments.split(':').filter(|argument| !argument.is_empty()) {
        if let Some((_, shape)) = SHAPES.iter().find(|(name, _)| *name == argument) {
            field.shape = *shape;
            continue;
        }
        let slot = match def.takes {
            Takes::Unit(of) => unit_named(argument).map(of),
            Takes::Id => id_kind(argument).map(Slot::Id),
            _ => None,
        };
        let Some(slot) = slot else {
            return Err(wrong_argument(def, argument, at));
        };
        field.slot = slot;
        has_unit = true;
    }
    if !has_unit {
        let what = format!("{{{name}}} does not say its unit");
        return Err(wrong(
            at,
            &what,
            &format!("write {{{name}:s}}, {{{name}:ms}} or {{{name}:us}}"),
        ));
    }
    builder.field(field, written);
    Ok(())
}

fn wrong_argument(def: &SlotDef, argument: &str, at: usize) -> Wrong {
    let shapes = "quoted, cut, list or one";
    let valid = match def.arguments() {
        "" => shapes.to_owned(),
        own => format!("{own}; {shapes}"),
    };
    wrong(
        at,
        &format!("'{argument}' means nothing to {{{}}}", def.name),
        &format!("valid after the colon: {valid}"),
    )
}

fn time_shape(text: &str, at: usize) -> Result<TimeShape, Wrong> {
    let named = [
        ("clf", TimeShape::Clf),
        ("iso", TimeShape::Iso),
        ("slashed", TimeShape::Slashed),
        ("asctime", TimeShape::Asctime),
        ("epoch_s", TimeShape::EpochSeconds),
        ("epoch_ms", TimeShape::EpochMs),
        ("epoch_us", TimeShape::EpochUs),
    ];
    if let Some((_, shape)) = named.iter().find(|(name, _)| *name == text) {
        return Ok(*shape);
    }
    if text.contains('%') {
        return Layout::new(text)
            .map(TimeShape::Layout)
            .map_err(|(what, inside)| {
                wrong(at + inside, &what, &format!("valid: {}", time_layout::LETTERS))
            });
    }
    let valid = named.map(|(name, _)| name).join(", ");
    Err(wrong(
        at,
        &format!("unknown time layout '{text}'"),
        &format!("valid: {valid}, or a layout such as %d/%b/%Y:%T %z"),
    ))
}

fn unit_named(name: &str) -> Option<u32> {
    match name {
        "s" => Some(unit::S),
        "ms" => Some(unit::MS),
        "us" => Some(unit::US),
        _ => None,
    }
}

fn id_kind(name: &str) -> Option<IdKind> {
    match name {
        "whole" => Some(IdKind::Whole),
        "traceparent" => Some(IdKind::Traceparent),
        "amazon" => Some(IdKind::Amazon),
        "b3" | "cf-ray" => Some(IdKind::Before(b'-')),
        "jaeger" => Some(IdKind::Before(b':')),
        "google" => Some(IdKind::Before(b'/')),
        _ => None,
    }
}

fn wrong(at: usize, what: &str, hint: &str) -> Wrong {
    Wrong {
        at,
        what: what.to_owned(),
        hint: hint.to_owned(),
    }
}

fn of_build(error: &FormatError, text: &str) -> Wrong {
    match error {
        FormatError::Unseparated { first, second, .. } => wrong(
            text.find(&format!("{{{first}}}")).unwrap_or(0),
            &format!("nothing separates {{{first}}} from {{{second}}}"),
            "put between them what stands between them in the line",
        ),
        FormatError::NoTime { .. } => wrong(
            0,
            "no field gives the time of a line",
            "add {time:…}, {start:…} or {end:…}",
        ),
        other => wrong(0, &other.to_string(), ""),
    }
}
