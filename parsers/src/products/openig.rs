//! ForgeRock Identity Gateway and OpenIG: what the gateway prints (console, `catalina.out`) and its route logs.
//!
//! ```text
//! [I/O dispatcher 12] WARN  o.f.openig.handler.ClientHandler - An error occurred while processing the request
//! 14:38:59:667 | WARN  | I/O dispatcher 11 | o.f.o.f.LogAttachedExceptionFilter | Response [Status: 502 Bad Gateway] to `http://…` carries an exception [txId:…]
//! 14443 [I/O dispatcher 1] INFO  c.e.app.capture.top-level-handler -
//! ```
//! The console has no time at all (the wrapper has to give it) and colours its level and logger on a terminal. Route logs
//! have the time of day of the local zone, milliseconds after a third colon; the day is in the names of rolled files
//! (`route-<id>-yyyy-MM-dd.N.log`). An older pattern counts milliseconds since the start, which is no time of day.
//! A record goes on over several lines: captured requests and responses, and traces, root cause first on the console
//! (`Wrapped by:`) and last in route logs (`Caused by:`).
//! `LogAttachedExceptionFilter` tells the outcome of a request that the gateway answered itself; its time is the end, and
//! the `Elapsed time` that the same thread printed before is its duration, in the unit that is printed.
//! Source: OpenIG source, `LogAttachedExceptionFilter`, `ClientHandler`, `TimerDecorator`, `CaptureDecorator`,
//! `logback.xml`; OpenIG Gateway Guide, "Logging Events"; ForgeRock knowledge base, "502 Bad Gateway or
//! SocketTimeoutException when using IG".

use std::sync::Arc;

use crate::bytes::memmem;

use super::java_text::{self, Reader};
use super::jvm;
use crate::bytes;
use crate::engine::memory::{self, Memory};
use crate::entry::{Entry, Kind, Level, Marks, Phase, Signal, Stamp};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time;

/// The format `openig`.
#[derive(Debug, Clone, Copy)]
pub struct OpenIg;

/// What only the gateway prints: its loggers in full and abbreviated, and the heads of captured messages.
const MARKS: [&[u8]; 8] = [
    b"LogAttachedExceptionFilter",
    b"org.forgerock.openig.",
    b"o.f.openig.",
    b"o.f.o.",
    b"OpenIG",
    b"--- (request) id:",
    b"--- (response) id:",
    b"--- (filtered-re",
];

impl Format for OpenIg {
    fn name(&self) -> &str {
        "openig"
    }

    fn product(&self) -> Product {
        Product::OpenIg
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        if !MARKS.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        let mut parser = Parser::new(head.date_hint.as_ref().and_then(time::midnight_us));
        Sniff::by_parsing(head, &mut parser, Score::Mark, "loggers of the gateway")
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedIg {
            midnight_us: head.date_hint.as_ref().and_then(time::midnight_us),
        })
    }
}

struct PreparedIg {
    midnight_us: Option<i64>,
}

impl Prepared for PreparedIg {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::new(self.midnight_us))
    }
}

struct Parser {
    reader: Reader,
    /// What a thread's timer printed last, for the outcome that follows it.
    elapsed: Memory<(Option<u64>, u64)>,
    /// As in [`java_text::further`].
    pending: Option<(Option<Stamp>, Option<u64>)>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, record: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        self.elapsed.pass(record);
        let (line, rest) = jvm::split(record);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some(message) = self.head(line, entry) {
            self.fill(message, rest, entry);
            let awaits = entry.level >= Level::Warning && entry.signal.is_none();
            self.pending = awaits.then_some((entry.time, entry.thread));
            return Ok(Line::Entry);
        }
        // Given line by line, the head of a captured message is what carries its id.
        if let Some(id) = captured(line) {
            entry.kind = Kind::Note;
            entry.ids.push(id);
            return Ok(Line::Entry);
        }
        java_text::further(line, &mut self.pending, entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        let begun = Self::new(None).head(line, &mut Entry::default()).is_some();
        Some(begun || java_text::foreign(line))
    }

    fn lead_in(&self) -> usize {
        memory::LEAD_IN
    }
}

impl Parser {
    fn new(midnight_us: Option<i64>) -> Self {
        Self {
            reader: Reader::new(midnight_us),
            elapsed: Memory::default(),
            pending: None,
        }
    }

    /// Reads what stands before the message and gives the message; `None` if `line` begins no record.
    fn head<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
        if let Some(message) = self.route_head(line, entry) {
            return Some(message);
        }
        // Milliseconds since the start.
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let since_start = digits > 0 && line[digits..].starts_with(b" [");
        let first = self
            .reader
            .first(&line[if since_start { digits + 1 } else { 0 }..]);
        if let Some(first) = first {
            first.fill(entry);
            return Some(message_after(first.logger, first.message));
        }
        bare_head(line, entry)
    }

    /// `14:38:59:667 | WARN  | I/O dispatcher 11 | o.f.o.f.X | message`.
    fn route_head<'a>(&self, line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
        let (us, resolution_us, used) = time::clock_prefix(line)?;
        let mut parts = line[used..].strip_prefix(b" | ")?.splitn(4, |byte| *byte == b'|');
        let (level, thread) = (parts.next()?, parts.next()?);
        let (_logger, message) = (parts.next()?, parts.next()?);
        entry.level = jvm::level(level.trim_ascii())?;
        entry.thread = jvm::thread(thread.trim_ascii());
        entry.time = self.reader.at_clock(us, resolution_us);
        Some(message.trim_ascii())
    }

    fn fill<'a>(&mut self, message: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
        entry.error = message;
        if let Some(us) = elapsed_us(message) {
            entry.kind = Kind::Note;
            entry.duration_us = Some(us);
            self.elapsed.set(Some((entry.thread, us)));
        } else if let Some(response) = after(message, b"Response [Status: ") {
            self.fill_outcome(response, rest, entry);
        } else if memmem::find(message, b"An error occurred while processing the request").is_some() {
            entry.kind = Kind::Failure;
            entry.signal = cause(message, rest);
        } else if let Some(id) = jvm_lines(rest).find_map(captured) {
            fill_capture(id, rest, entry);
        } else {
            java_text::judge(message, rest, entry);
        }
    }

    /// ``502 Bad Gateway] to `http://host/path` carries an exception [txId:…]``.
    fn fill_outcome<'a>(&mut self, text: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
        let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        entry.status = bytes::number(&text[..digits]).and_then(|status| u16::try_from(status).ok());
        if let Some(quoted) = after(text, b"] to ")
            && let [b'`' | b'\'', uri @ ..] = quoted
        {
            let end = memmem::find(uri, b" carries an exception").unwrap_or(uri.len());
            (entry.host, entry.path) = host_and_path(&uri[..end.saturating_sub(1)]);
        }
        let mut told = text;
        if let Some(id) = after(text, b"[txId:") {
            let end = memchr::memchr(b']', id).unwrap_or(id.len());
            push_transaction(&id[..end], entry);
            told = id.get(end + 1..).unwrap_or_default();
        }
        entry.kind = if entry.status.is_some() {
            Kind::Request
        } else {
            Kind::Failure
        };
        entry.time = entry.time.map(|time| time.marking(Marks::End));
        entry.signal = cause(told, rest);
        if let Some((thread, us)) = self.elapsed.take()
            && thread == entry.thread
        {
            entry.duration_us = Some(us);
        }
    }
}

/// The exception's meaning, from the lines below the record's first one or from what that line itself ends with.
fn cause(message: &[u8], rest: &[u8]) -> Option<Signal> {
    jvm::exception(rest)
        .or_else(|| jvm::message(message))
        .map(|found| found.signal)
        .filter(|signal| signal.phase != Phase::Process)
}

/// Adds a transaction id, and the one it was derived from where further hops have appended `/0`.
pub(super) fn push_transaction<'a>(id: &'a [u8], entry: &mut Entry<'a>) {
    entry.ids.push(id);
    if let Some(slash) = memchr::memchr(b'/', id) {
        entry.ids.push(&id[..slash]);
    }
}

/// `host:port` and `/path?query` of a URI; a URI without scheme is all path.
pub(super) fn host_and_path(uri: &[u8]) -> (&[u8], &[u8]) {
    let Some(scheme) = memmem::find(uri, b"://").filter(|at| *at <= 5) else {
        return (&uri[..0], uri);
    };
    let rest = &uri[scheme + 3..];
    match memchr::memchr2(b'/', b'?', rest) {
        Some(at) => (&rest[..at], &rest[at..]),
        None => (rest, b"/"),
    }
}

/// The console of the knowledge base's extracts lacks the logger here and there: `[thread] INFO - message`.
fn bare_head<'a>(line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
    let at = jvm::skip_colour(line, 0);
    let inner = line[at..].strip_prefix(b"[")?;
    let end = memchr::memchr(b']', inner)?;
    let rest = &inner[end + 1..];
    let rest = rest[jvm::skip_colour(rest, 0)..].trim_ascii_start();
    let rest = &rest[jvm::skip_colour(rest, 0)..];
    let word = &rest[..memchr::memchr2(b' ', 0x1b, rest).unwrap_or(rest.len())];
    entry.level = jvm::level(word)?;
    entry.thread = jvm::thread(&inner[..end]);
    let message = &rest[word.len()..];
    let message = message[jvm::skip_colour(message, 0)..].trim_ascii();
    Some(message.strip_prefix(b"- ").unwrap_or(message))
}

/// The logger is part of the message where no separator was found: `GatewayHttpApplication-OpenIG base directory`.
fn message_after<'a>(logger: &'a [u8], message: &'a [u8]) -> &'a [u8] {
    // A lone dash took the logger's place.
    if logger == b"-" || !message.is_empty() {
        return message.trim_ascii();
    }
    memchr::memchr(b'-', logger).map_or(&logger[..0], |at| &logger[at + 1..])
}

fn after<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    memmem::find(text, mark).map(|at| &text[at + mark.len()..])
}

fn jvm_lines(record: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes::lines(record)
}

/// The id in `--- (request) id:<id> --->`, `<--- (response) id:<id> ---` and the filtered kinds; the angle
/// brackets may be lost.
fn captured(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_prefix(b"<").unwrap_or(line);
    let rest = line.strip_prefix(b"--- (")?;
    let at = memmem::find(rest, b") id:").filter(|at| *at < 24)?;
    let id = &rest[at + 5..];
    Some(&id[..memchr::memchr(b' ', id).unwrap_or(id.len())])
}

/// A captured message: the id, and the request line or the status line below it.
fn fill_capture<'a>(id: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
    entry.kind = Kind::Note;
    entry.ids.push(id);
    let mut lines = jvm_lines(rest)
        .skip_while(|line| captured(line).is_none())
        .skip(1);
    let Some(start) = lines.find(|line| !line.is_empty()) else {
        return;
    };
    let mut words = start.split(|byte| *byte == b' ');
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if first.starts_with(b"HTTP/") {
        entry.status = bytes::number(second).and_then(|status| u16::try_from(status).ok());
    } else if words.next().is_some_and(|version| version.starts_with(b"HTTP/")) {
        entry.method = first;
        (entry.host, entry.path) = host_and_path(second);
        entry.time = entry.time.map(|time| time.marking(Marks::Start));
    }
}

/// The time in `Elapsed time: 10025 ms` and `Elapsed time: 12 ms (internal: 2 ms, downstream: 10 ms)`.
fn elapsed_us(message: &[u8]) -> Option<u64> {
    let rest = after(message, b"Elapsed time: ")?;
    let mut words = rest.split(|byte| *byte == b' ');
    let count = bytes::number(words.next()?)?;
    let unit = words.next().unwrap_or(b"ms");
    match unit {
        b"ms" => count.checked_mul(1_000),
        b"s" => count.checked_mul(1_000_000),
        b"min" => count.checked_mul(60_000_000),
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => Some(count),
        b"ns" => Some(count / 1_000),
        _ => None,
    }
}

#[cfg(test)]
#[path = "openig_tests.rs"]
mod tests;
