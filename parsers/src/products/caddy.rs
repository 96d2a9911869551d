//! Caddy 2: access log, error log and everything else the server says, JSON lines or console lines in one stream.
//!
//! `{"level":"error","ts":1795193989.15,"logger":"http.log.access.log0","msg":"handled request","request":{…},"duration":0.0004,"size":0,"status":502,…}`
//! `ts` is seconds since the epoch unless configured otherwise, written at the end of the request; `duration` is
//! seconds. `http.log.error*` lines carry the same request with the error text as `msg`. The
//! console encoder writes `2024/05/26 11:42:52.601<TAB>INFO<TAB>http.log.access<TAB>handled request<TAB>{…}`, UTC.
//! Source: Caddy documentation, "log" and "How logging works"; lines observed on version 2.6.2.

use std::sync::{Arc, LazyLock};

use crate::bytes::memmem;

use crate::engine::caddy_encoder::{self, Layout};
use crate::engine::faults;
use crate::engine::json::{self, Keys, Shape, Value};
use crate::engine::paste_caddy;
use crate::engine::template::TemplateFormat;
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal, Stamp, Zone};
use crate::error::{FormatError, LineError};
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `caddy`.
#[derive(Debug, Clone, Copy)]
pub struct Caddy;

impl Format for Caddy {
    fn name(&self) -> &str {
        "caddy"
    }

    fn product(&self) -> Product {
        Product::Caddy
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 5] = [
            b"http.log.",
            b"http.handlers.reverse_proxy",
            b"Caddyfile",
            b"tls.cache",
            b"admin endpoint",
        ];
        if !marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        Sniff::by_parsing(head, &mut Parser::default(), Score::Mark, "logger names of Caddy")
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for Caddy {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }
}

/// The format as an encoder of the server's configuration changes it: a template, or other names for some keys.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn given(name: &str, text: &str) -> Result<Arc<dyn Format>, FormatError> {
    let encoder = caddy_encoder::read(text)?;
    Ok(match &encoder.layout {
        Layout::Template(template) => Arc::new(TemplateFormat::new(
            name,
            Product::Caddy,
            paste_caddy::template(template, &encoder)?,
        )),
        Layout::Json | Layout::Console => Arc::new(Given {
            name: name.to_owned(),
            keys: Arc::new(keys(&encoder.renamed)),
        }),
    })
}

/// [`Caddy`] with keys of other names.
struct Given {
    name: String,
    keys: Arc<Keys>,
}

impl Format for Given {
    fn name(&self) -> &str {
        &self.name
    }

    fn product(&self) -> Product {
        Product::Caddy
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = self.prepare(head).open(b"");
        Sniff::by_parsing(
            head,
            parser.as_mut(),
            Score::Mark,
            "lines have the keys of the format",
        )
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(GivenKeys(Arc::clone(&self.keys)))
    }
}

struct GivenKeys(Arc<Keys>);

impl Prepared for GivenKeys {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser {
            keys: Arc::clone(&self.0),
            cache: DayCache::default(),
        })
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Level,
    Time,
    Logger,
    Message,
    RemoteIp,
    RemotePort,
    RemoteAddress,
    Method,
    Host,
    Uri,
    ForwardedFor,
    Duration,
    Status,
    Size,
    Error,
    Upstream,
    Dial,
    FirstId,
    // The slots of further ids follow.
}

/// Headers and fields that carry ids, the ones most often used first.
const ID_PATHS: [&str; 10] = [
    "request.headers.x-request-id",
    "request.headers.traceparent",
    "request.headers.x-correlation-id",
    "request.headers.x-amzn-trace-id",
    "request.headers.x-b3-traceid",
    "request.headers.cf-ray",
    "resp_headers.x-request-id",
    "resp_headers.x-correlation-id",
    "traceid",
    "uuid",
];

const SLOTS: usize = Slot::FirstId as usize + ID_PATHS.len();

/// Where values stand, and which goes first where several may.
const PATHS: [(&str, Slot, u8); 19] = [
    ("level", Slot::Level, 0),
    ("ts", Slot::Time, 0),
    ("time", Slot::Time, 1),
    ("logger", Slot::Logger, 0),
    ("msg", Slot::Message, 0),
    ("request.remote_ip", Slot::RemoteIp, 0),
    ("request.remote_port", Slot::RemotePort, 0),
    ("request.remote_addr", Slot::RemoteAddress, 0),
    ("request.method", Slot::Method, 0),
    ("request.host", Slot::Host, 0),
    ("request.uri", Slot::Uri, 0),
    ("request.headers.x-forwarded-for", Slot::ForwardedFor, 0),
    ("duration", Slot::Duration, 0),
    ("status", Slot::Status, 0),
    ("size", Slot::Size, 0),
    ("error", Slot::Error, 0),
    ("upstream", Slot::Upstream, 0),
    ("dial", Slot::Dial, 0),
    // What an active health check looked at.
    ("host", Slot::Dial, 1),
];

static KEYS: LazyLock<Arc<Keys>> = LazyLock::new(|| Arc::new(keys(&[])));

/// The keys as Caddy writes them, save for those that are `renamed` (old path, new path).
fn keys(renamed: &[(String, String)]) -> Keys {
    let mut keys = Keys::new();
    let mut add = |path: &str, slot: u8, rank| keys.add(&written(path, renamed), slot, rank);
    for (path, slot, rank) in PATHS {
        add(path, slot as u8, rank);
    }
    for (at, path) in ID_PATHS.iter().enumerate() {
        add(path, Slot::FirstId as u8 + at as u8, 0);
    }
    keys
}

/// `path` under the name that it, or the object it stands in, was given.
fn written(path: &str, renamed: &[(String, String)]) -> String {
    let under = |(old, new): &(String, String)| {
        let rest = path.strip_prefix(old.as_str())?;
        (rest.is_empty() || rest.starts_with('.')).then(|| format!("{new}{rest}"))
    };
    renamed.iter().find_map(under).unwrap_or_else(|| path.to_owned())
}

struct Parser {
    keys: Arc<Keys>,
    cache: DayCache,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            keys: Arc::clone(&KEYS),
            cache: DayCache::default(),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let trimmed = line.trim_ascii_start();
        let mut values = [Value::default(); SLOTS];
        match trimmed.first() {
            None => return Ok(Line::Directive),
            Some(b'{') => json::scan(line, &self.keys, &mut values)?,
            // A panic's trace, and the frames of a stack that the console encoder puts below its line.
            Some(first) if line.len() > trimmed.len() || !first.is_ascii_digit() && is_trace(line) => {
                return Ok(Line::Continuation);
            }
            Some(_) => {
                let stamp = console(line, &self.keys, &mut values, &mut self.cache)?;
                entry.time = Some(stamp);
            }
        }
        let slots = Slots(&values);
        entry.time = entry
            .time
            .or_else(|| slots.get(Slot::Time).stamp(&mut self.cache));
        if entry.time.is_none() {
            return Err(LineError::new(0, "ts"));
        }
        slots.fill(entry);
        Ok(Line::Entry)
    }
}

fn is_trace(line: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [b"goroutine ", b"panic: ", b"created by ", b"net/http."];
    starts.iter().any(|start| line.starts_with(start)) || memmem::find(line, b".go:").is_some()
}

/// Reads `time<TAB>LEVEL<TAB>logger<TAB>message<TAB>{fields}`; logger and fields may be missing.
fn console<'a>(
    line: &'a [u8],
    keys: &Keys,
    values: &mut [Value<'a>],
    cache: &mut DayCache,
) -> Result<Stamp, LineError> {
    let (json_at, text) = match memmem::find(line, b"\t{") {
        Some(at) => (at + 1, &line[..at]),
        None => (line.len(), line),
    };
    if json_at < line.len() {
        json::scan(&line[json_at..], keys, values)
            .map_err(|error| LineError::new(json_at + error.at, error.want))?;
    }
    let mut parts = text.split(|&byte| byte == b'\t');
    let time = parts.next().unwrap_or_default();
    let mut stamp = time::slashed(time, cache)
        .or_else(|| time::iso(time, cache))
        .or_else(|| time::any(time))
        .ok_or(LineError::new(0, "time"))?;
    stamp.zone = Zone::Known;
    let level = parts.next().ok_or(LineError::new(time.len(), "level"))?;
    let (third, fourth) = (parts.next(), parts.next());
    let (logger, message) = match (third, fourth) {
        (Some(logger), Some(message)) => (logger, message),
        (message, _) => (&line[..0], message.unwrap_or_default()),
    };
    for (slot, raw) in [
        (Slot::Level, uncoloured(level)),
        (Slot::Logger, logger),
        (Slot::Message, message),
    ] {
        values[slot as usize] = Value {
            raw,
            shape: Shape::String,
            rank: 0,
        };
    }
    Ok(stamp)
}

/// `\x1b[34mINFO\x1b[0m` without its colours.
fn uncoloured(word: &[u8]) -> &[u8] {
    let Some(start) = word.strip_prefix(b"\x1b[") else {
        return word;
    };
    let word = &start[memchr::memchr(b'm', start).map_or(0, |at| at + 1)..];
    &word[..memchr::memchr(0x1b, word).unwrap_or(word.len())]
}

struct Slots<'v, 'a>(&'v [Value<'a>; SLOTS]);

impl<'a> Slots<'_, 'a> {
    fn get(&self, slot: Slot) -> Value<'a> {
        self.0[slot as usize]
    }

    fn text(&self, slot: Slot) -> &'a [u8] {
        self.get(slot).text()
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.escape = Escape::Json;
        entry.level = level(self.text(Slot::Level));
        let logger = self.text(Slot::Logger);
        if logger.starts_with(b"http.log.access") {
            self.fill_request(entry);
            entry.kind = Kind::Request;
        } else if logger.starts_with(b"http.log.error") {
            self.fill_request(entry);
            self.fill_error(self.text(Slot::Message), entry);
        } else if logger.starts_with(b"http.handlers.reverse_proxy") {
            self.fill_upstream(entry);
        } else {
            self.fill_server(entry);
        }
    }

    /// The request that access and error lines share.
    fn fill_request(&self, entry: &mut Entry<'a>) {
        entry.time = entry.time.map(|time| time.marking(Marks::End));
        entry.duration_us = duration_us(&self.get(Slot::Duration));
        entry.method = self.text(Slot::Method);
        entry.host = self.text(Slot::Host);
        entry.path = self.text(Slot::Uri);
        entry.client = self.text(Slot::RemoteIp);
        entry.client_port = self.get(Slot::RemotePort).small();
        if entry.client.is_empty() {
            // Before 2.5 address and port were one value.
            (entry.client, entry.client_port) = split_port(self.text(Slot::RemoteAddress));
        }
        entry.forwarded_for = self.text(Slot::ForwardedFor);
        // Zero: nothing was written, the client had gone or the connection was taken over.
        entry.status = self.get(Slot::Status).small().filter(|&status| status != 0);
        entry.bytes_sent = self.get(Slot::Size).number();
        for id in &self.0[Slot::FirstId as usize..] {
            entry.ids.push(id.text());
        }
    }

    fn fill_error(&self, text: &'a [u8], entry: &mut Entry<'a>) {
        entry.kind = Kind::Failure;
        entry.error = text;
        if let Some(found) = faults::go(text) {
            entry.signal = Some(found.signal);
            entry.upstream.local = found.local;
            if entry.upstream.addr.is_empty() {
                entry.upstream.addr = found.upstream;
            }
        }
    }

    /// Lines of the reverse proxy: one attempt (`upstream roundtrip`, at debug level), a body that broke off, health checks.
    fn fill_upstream(&self, entry: &mut Entry<'a>) {
        let message = self.text(Slot::Message);
        let error = self.text(Slot::Error);
        self.fill_request(entry);
        entry.time = entry.time.map(|time| time.marking(Marks::Event));
        entry.upstream.addr = match self.text(Slot::Upstream) {
            [] => self.text(Slot::Dial),
            upstream => upstream,
        };
        if message == b"upstream roundtrip" {
            entry.upstream.status = self.get(Slot::Status).text();
            let elapsed_us = entry.duration_us.take();
            if error.is_empty() {
                entry.header_us = elapsed_us;
            } else {
                entry.response_us = elapsed_us;
            }
        }
        entry.status = None;
        if self.text(Slot::Logger).ends_with(b"health_checker.active") {
            return fill_health(message, error, entry);
        }
        if error.is_empty() {
            entry.kind = Kind::Note;
            return;
        }
        self.fill_error(error, entry);
        let in_body = message == b"reading from backend" || message == b"aborting with incomplete response";
        if in_body
            && let Some(signal) = &mut entry.signal
            && signal.phase == Phase::Header
        {
            signal.phase = Phase::Body;
        }
    }

    /// Start and stop of the server; the rest is about no request.
    fn fill_server(&self, entry: &mut Entry<'a>) {
        entry.time = entry.time.map(|time| time.marking(Marks::Event));
        let fault = match self.text(Slot::Message) {
            b"serving initial configuration" => Some(Fault::Started),
            b"shutting down apps, then terminating" => Some(Fault::Stopping),
            _ => None,
        };
        entry.signal = fault.map(|fault| Signal::new(Phase::Process, fault));
        entry.kind = if fault.is_some() { Kind::Event } else { Kind::Note };
        if entry.level >= Level::Error {
            entry.error = match self.text(Slot::Error) {
                [] => self.text(Slot::Message),
                error => error,
            };
        }
    }
}

/// What an active health check found.
fn fill_health<'a>(message: &'a [u8], error: &'a [u8], entry: &mut Entry<'a>) {
    let fault = match message {
        b"host is up" => Fault::ServerUp,
        b"host is down"
        | b"HTTP request failed"
        | b"unexpected status code"
        | b"status code out of tolerances" => Fault::ServerDown,
        _ => {
            entry.kind = Kind::Note;
            return;
        }
    };
    entry.kind = Kind::Event;
    entry.error = if error.is_empty() { message } else { error };
    entry.signal = Some(Signal::new(Phase::Connect, fault));
}

fn level(name: &[u8]) -> Level {
    const NAMES: [(&[u8], Level); 7] = [
        (b"debug", Level::Debug),
        (b"info", Level::Info),
        (b"warn", Level::Warning),
        (b"error", Level::Error),
        (b"panic", Level::Critical),
        (b"fatal", Level::Critical),
        (b"dpanic", Level::Critical),
    ];
    let known = NAMES.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
    known.map_or(Level::None, |(_, level)| *level)
}

/// Seconds with decimals by default; nanoseconds as a whole number or Go's `1.5ms` if configured so.
fn duration_us(value: &Value<'_>) -> Option<u64> {
    if value.shape == Shape::String {
        return go_duration_us(value.text());
    }
    match value.number() {
        // No request lasts for days, so a whole number this large counts nanoseconds.
        Some(count) if count >= 1_000_000 => Some(count / 1000),
        _ => value.scaled(1_000_000),
    }
}

/// A duration as Go prints it: `2m3.5s`, `1.5ms`, `870µs`.
pub(crate) fn go_duration_us(text: &[u8]) -> Option<u64> {
    let mut rest = text;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
            .count();
        let unit_length = rest[digits..]
            .iter()
            .take_while(|byte| !byte.is_ascii_digit())
            .count();
        let (number, unit) = rest[..digits + unit_length].split_at(digits);
        let part = match unit {
            b"h" => crate::bytes::decimal_scaled(number, 3_600_000_000)?,
            b"m" => crate::bytes::decimal_scaled(number, 60_000_000)?,
            b"s" => crate::bytes::decimal_scaled(number, 1_000_000)?,
            b"ms" => crate::bytes::decimal_scaled(number, 1_000)?,
            b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => crate::bytes::decimal_scaled(number, 1)?,
            b"ns" => crate::bytes::decimal_scaled(number, 1)? / 1000,
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = &rest[digits + unit_length..];
    }
    (!text.is_empty()).then_some(total)
}

/// `10.0.0.1:5000` or `[::1]:5000` as address and port.
pub(crate) fn split_port(address: &[u8]) -> (&[u8], Option<u16>) {
    let whole = (address, None);
    let Some(colon) = memchr::memrchr(b':', address) else {
        return whole;
    };
    let port = crate::bytes::number(&address[colon + 1..]).and_then(|port| u16::try_from(port).ok());
    match &address[..colon] {
        [b'[', host @ .., b']'] => (host, port),
        host if host.contains(&b':') => whole,
        host if port.is_some() => (host, port),
        _ => whole,
    }
}

#[cfg(test)]
#[path = "caddy_tests.rs"]
mod tests;
