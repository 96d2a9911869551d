//! HAProxy `log-format`: text with `%` aliases and `%[…]` sample expressions.
//!
//! Source: HAProxy configuration manual, "Custom log format" and "Timing events". Durations are
//! milliseconds; `%tr` is when the request began, in local time without zone.

use std::sync::Arc;

use crate::engine::id::{self, Header, IdKind};
use crate::engine::json_fields::{JsonFields, Meaning};
use crate::engine::json_format::JsonFormat;
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Shape, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Fault, Marks, Phase, Signal};
use crate::error::FormatError;
use crate::format::{Format, Product};

/// `option httplog`.
pub const HTTPLOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r";

/// `option tcplog`.
pub const TCPLOG: &str = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq";

/// `option httpslog`.
pub const HTTPSLOG: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc";

/// `option httplog clf`.
pub const CLF: &str = r#"%{+Q}o %{-Q}ci - - [%trg] %r %ST %B "" "" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS %hrl %hsl"#;

/// Aliases that belong together, read as one field.
const JOINED: [(&str, &str); 5] = [
    ("%ci:%cp", "%client_and_port"),
    ("%si:%sp", "%server_and_port"),
    ("%bi:%bp", "%local_and_port"),
    ("%fi:%fp", "%front_and_port"),
    ("%Ts.%ms", "%seconds_and_ms"),
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<Arc<dyn Format>, FormatError> {
    if is_json(text) {
        let fields = json_fields(text)?;
        return Ok(Arc::new(JsonFormat::new(name, Product::Haproxy, fields)));
    }
    Ok(Arc::new(TemplateFormat::new(
        name,
        Product::Haproxy,
        template(text)?,
    )))
}

/// Whether the whole line is asked for as one JSON object.
fn is_json(text: &str) -> bool {
    let (_, text) = unquote(text, "log-format");
    text.trim_start()
        .strip_prefix("%{")
        .and_then(|rest| rest.split_once('}'))
        .is_some_and(|(flags, rest)| flags.contains("+json") && rest.starts_with('o'))
}

/// The keys of `%{+json}o %(name)alias …`: HAProxy writes the named items and leaves out the others.
fn json_fields(text: &str) -> Result<JsonFields, FormatError> {
    let (_, text) = unquote(text, "log-format");
    let mut fields = JsonFields::new(finish);
    let mut rest = text.as_str();
    while let Some(open) = rest.find("%(") {
        let at = text.len() - rest.len() + open;
        let error = |what: &str| FormatError::Syntax {
            dialect: "haproxy",
            what: what.to_owned(),
            at,
        };
        let after = &rest[open + 2..];
        let close = after.find(')').ok_or_else(|| error("'%(' without ')'"))?;
        let (name, mut item) = (&after[..close], &after[close + 1..]);
        // The name may have a type, `name:sint`.
        let name = name.split(':').next().unwrap_or_default();
        if item.starts_with('{') {
            let end = item.find('}').ok_or_else(|| error("'%{' without '}'"))?;
            item = &item[end + 1..];
        }
        let (field, used) = if item.starts_with('[') {
            let len = expression_len(item).ok_or_else(|| error("'%[' without ']'"))?;
            let slot = expression_slot(&item[1..len - 1]);
            (Field::new(slot, wanted(slot)), len)
        } else {
            let len = item.bytes().take_while(u8::is_ascii_alphanumeric).count();
            let field = match &item[..len] {
                "hr" | "hs" | "hrl" | "hsl" => Field::new(Slot::Captures, "captured headers"),
                alias => self::field(alias),
            };
            (field, len)
        };
        let meaning = match field.shape {
            Shape::Time(shape, marks) => Some(Meaning::TimeAs(shape, marks)),
            _ if field.slot == Slot::Skip => None,
            _ => Some(Meaning::Field(field.slot)),
        };
        if let Some(meaning) = meaning
            && !fields.add(&[name], meaning)
        {
            return Err(error("more fields than are read"));
        }
        rest = &item[used..];
    }
    if fields.is_timeless() {
        return Err(FormatError::NoTime { dialect: "haproxy" });
    }
    Ok(fields)
}

/// The template of a format string.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    compile(text, false)
}

/// As [`template`]; anything may follow the known fields, and ids in it are found by their shape.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn open_ended(text: &str) -> Result<Template, FormatError> {
    compile(text, true)
}

fn compile(text: &str, open_ended: bool) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "log-format");
    let mut text = match text.trim() {
        "httplog" => HTTPLOG.to_owned(),
        "tcplog" => TCPLOG.to_owned(),
        "httpslog" => HTTPSLOG.to_owned(),
        "clf" => CLF.to_owned(),
        other => other.replace("\\ ", " ").replace("\\\"", "\""),
    };
    for (from, to) in JOINED {
        text = text.replace(from, to);
    }
    let mut writer = Writer {
        builder: Builder::new("haproxy", Escape::HashHex),
        quoted: false,
        after_groups: false,
    };
    writer.builder.signal_with(finish);
    writer.all(&text)?;
    if open_ended {
        let tail = Field::new(Slot::Tail, "rest of the line");
        if writer.builder.open_field().is_some() {
            writer.builder.optional_from_here();
            writer.builder.literal(b" ");
        }
        writer.builder.field(tail, "rest");
    }
    writer.builder.build()
}

/// Walks a format string and fills the builder.
struct Writer {
    builder: Builder,
    /// `%{+Q}o` was seen: text fields come in quotes.
    quoted: bool,
    /// The last field was the captures, which take the space after them along.
    after_groups: bool,
}

impl Writer {
    fn all(&mut self, text: &str) -> Result<(), FormatError> {
        let mut at = 0;
        while let Some(found) = text[at..].find('%') {
            let percent = at + found;
            self.literal(&text[at..percent]);
            if text[percent + 1..].starts_with('%') {
                self.literal("%");
                at = percent + 2;
                continue;
            }
            at = percent + 1 + self.directive(&text[percent + 1..], percent)?;
        }
        self.literal(&text[at..]);
        Ok(())
    }

    /// Fixed text; HAProxy writes one space where the format has several, and none at the start.
    fn literal(&mut self, text: &str) {
        let mut text = text;
        if self.builder.is_empty() {
            text = text.trim_start_matches(' ');
        }
        if self.after_groups && !text.is_empty() {
            text = text.trim_start_matches(' ');
            if text.is_empty() {
                return;
            }
            self.after_groups = false;
        }
        let mut last_space = false;
        for byte in text.bytes() {
            if !(byte == b' ' && last_space) {
                self.builder.literal(&[byte]);
            }
            last_space = byte == b' ';
        }
    }

    /// One directive after its `%`; returns its length.
    fn directive(&mut self, text: &str, at: usize) -> Result<usize, FormatError> {
        let error = |what: &str| FormatError::Syntax {
            dialect: "haproxy",
            what: what.to_owned(),
            at,
        };
        let (mut used, mut flags) = (0, "");
        loop {
            let (close, what) = match text.as_bytes().get(used) {
                Some(b'{') => ('}', "'%{' without '}'"),
                Some(b'(') => (')', "'%(' without ')'"),
                _ => break,
            };
            let end = text[used..].find(close).ok_or_else(|| error(what))?;
            if close == '}' {
                flags = &text[used + 1..used + end];
            }
            used += end + 1;
        }
        if flags.contains("json") || flags.contains("cbor") {
            return Err(error(
                "an encoded log-format names its own fields and needs no template",
            ));
        }
        if text[used..].starts_with('[') {
            let len = expression_len(&text[used..]).ok_or_else(|| error("'%[' without ']'"))?;
            self.expression(&text[used + 1..used + len - 1], flags);
            return Ok(used + len);
        }
        let len = text[used..]
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        if len == 0 {
            return Err(error("'%' without an alias"));
        }
        self.alias(&text[used..used + len], flags);
        Ok(used + len)
    }

    fn alias(&mut self, name: &str, flags: &str) {
        match name {
            "o" => self.quoted = flags.contains("+Q") || (self.quoted && !flags.contains("-Q")),
            "hr" | "hs" => {
                if !self.after_groups {
                    let groups = Field::new(Slot::Captures, "captured headers").shaped(Shape::Groups);
                    self.builder.field(groups, "%hr");
                    self.after_groups = true;
                }
            }
            "r" if flags.contains("+Q") => {
                self.literal("\"");
                let request = Field::new(Slot::Request, "request line");
                self.builder.field(request.shaped(Shape::MayBeCut), "%r");
                self.literal("\"");
            }
            _ => {
                let mut field = field(name);
                if flags.contains("+X") && field.shape == Shape::Until {
                    // Numbers and addresses in hexadecimal are parts of an id.
                    field.slot = Slot::Skip;
                }
                self.field(field, flags, &format!("%{name}"));
            }
        }
    }

    fn expression(&mut self, expression: &str, flags: &str) {
        let slot = expression_slot(expression);
        self.field(Field::new(slot, wanted(slot)), flags, &format!("%[{expression}]"));
    }

    fn field(&mut self, mut field: Field, flags: &str, name: &str) {
        let quoted = flags.contains("+Q") || (self.quoted && !flags.contains("-Q"));
        if quoted && matches!(field.shape, Shape::Until | Shape::List) {
            field.shape = Shape::MaybeQuoted;
        }
        self.after_groups = false;
        self.builder.field(field, name);
    }
}

/// The length of `[…]` at the start of `text`; brackets inside quotes or parentheses belong to it.
fn expression_len(text: &str) -> Option<usize> {
    let (mut depth, mut quote) = (0u32, None);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(q), _) if byte == q => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[' | b'(') => depth += 1,
            (None, b']' | b')') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// What a sample expression yields, by its name and argument.
fn expression_slot(expression: &str) -> Slot {
    let head = expression.split(',').next().unwrap_or_default().trim();
    let (name, argument) = head.split_once('(').unwrap_or((head, ""));
    let argument = argument
        .trim_end_matches(')')
        .split(',')
        .next()
        .unwrap_or_default();
    let named = |text: &str, any_header: bool| match id::header(text.as_bytes()) {
        Header::Id(kind) => Slot::Id(kind),
        Header::Host if any_header => Slot::Host,
        Header::ForwardedFor if any_header => Slot::ForwardedFor,
        _ => Slot::Skip,
    };
    match name {
        "unique-id" | "unique_id" | "uuid" => Slot::Id(IdKind::Whole),
        "src" => Slot::Client,
        "src_port" => Slot::ClientPort,
        "method" | "capture.req.method" => Slot::Method,
        "path" | "pathq" | "url" | "capture.req.uri" | "baseq" => Slot::Path,
        "query" => Slot::Query,
        "ssl_fc_sni" => Slot::ServerName,
        "status" | "txn.status" => Slot::OtherStatus,
        "capture.req.hdr" | "capture.res.hdr" => Slot::MaybeId,
        "req.hdr" | "req.fhdr" | "hdr" | "fhdr" | "req.hdr_ip" => named(argument, true),
        "res.hdr" | "res.fhdr" | "var" | "http.id" => {
            named(argument.rsplit('.').next().unwrap_or_default(), false)
        }
        _ => Slot::Skip,
    }
}

fn field(name: &str) -> Field {
    let slot = match name {
        "tr" | "trg" | "trl" | "t" | "T" | "Tl" => return Field::time(TimeShape::Clf, Marks::Start),
        "Ts" | "seconds_and_ms" => return Field::time(TimeShape::EpochSeconds, Marks::Start),
        "client_and_port" => Slot::ClientAndPort,
        "server_and_port" | "si" => Slot::UpstreamAddr,
        "local_and_port" | "bi" => Slot::UpstreamLocal,
        "front_and_port" | "fi" => Slot::Server,
        "ci" => Slot::Client,
        "cp" => Slot::ClientPort,
        "b" => Slot::Group,
        "s" => Slot::UpstreamServer,
        "Tw" => Slot::Queue(unit::MS),
        "Tc" => Slot::Connect(unit::MS),
        "Tr" => Slot::Header(unit::MS),
        "Ta" => Slot::Duration(unit::MS),
        "Tt" | "Tu" => Slot::OtherDuration(unit::MS),
        "ST" => Slot::Status,
        "B" => Slot::BytesSent,
        "ts" | "tsc" => Slot::Termination,
        "rc" => Slot::Retries,
        "HM" => Slot::Method,
        "HP" | "HPO" | "HU" => Slot::Path,
        "HQ" => Slot::Query,
        "r" => Slot::Request,
        "ID" => Slot::Id(IdKind::Whole),
        "pid" => Slot::Pid,
        _ => Slot::Skip,
    };
    // HAProxy lists nothing: a space always ends a field.
    Field::new(slot, wanted(slot)).shaped(Shape::Until)
}

/// Reads the signal out of the termination state.
pub(crate) fn finish(entry: &mut Entry<'_>) {
    entry.signal = signal(entry);
}

/// What the termination state says: its first letter who ended the exchange, the second in which part.
/// Source: HAProxy configuration manual, "Session state at disconnection".
fn signal(entry: &Entry<'_>) -> Option<Signal> {
    let [who, part, ..] = *entry.termination else {
        return None;
    };
    let phase = match part {
        b'R' | b'T' => Phase::Client,
        b'Q' => Phase::Queue,
        b'C' => Phase::ConnectOrTls,
        b'H' => Phase::Header,
        b'D' | b'L' => Phase::Body,
        _ => Phase::Unknown,
    };
    let (phase, fault) = match (who, part) {
        (b'S', b'C') if entry.upstream.addr.is_empty() => (Phase::Connect, Fault::NoLiveUpstream),
        (b'S', b'C') => (phase, Fault::Refused),
        (b'S', _) => (phase, Fault::ResetOrClosed),
        (b's', b'Q') => (phase, Fault::QueueTimedOut),
        (b's', b'R') => (Phase::Send, Fault::TimedOut),
        (b's', _) => (phase, Fault::TimedOut),
        (b'P', b'H') => (phase, Fault::InvalidResponse),
        (b'P', b'D' | b'L') => (phase, Fault::BadFraming),
        (b'P', b'C' | b'Q') | (b'R', _) => (phase, Fault::ResourceExhausted),
        (b'C', _) => (Phase::Client, Fault::ClientGone),
        (b'c', _) => (Phase::Client, Fault::TimedOut),
        (b'D' | b'K' | b'U', _) => (phase, Fault::ServerDown),
        (b'P' | b'I', _) => (phase, Fault::Other),
        (b'-', _) if entry.status.is_some_and(|s| s >= 500) && entry.header_us.is_some() => {
            (Phase::Header, Fault::UpstreamStatus)
        }
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}
