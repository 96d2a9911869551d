//! Apigee Edge Microgateway, `edgemicro-<host>-<uid>-<n>-api.log`.
//!
//! One record a line: an ISO time in UTC, a space, then sixteen bracketed fields, empty ones kept:
//! `[level][host][pid][org][env][proxy][client ip][client id][correlation id][component][message][method][status][error][code][ms]`.
//! `host` is the target's `host:port` in lines about the target and the request's `Host` header in the others.
//! `proxy` is the request target without its first `/`, query included, so it may hold brackets.
//! A failed request gives a `targetRequest error` line (target and elapsed time, no status) and one of
//! `microgateway-core` (status, no time). Beside these there are `stats` records and console lines.
//! Source: microgateway-core, `lib/logging.js` and `lib/plugins-middleware.js`; lines observed on version 3.3.7.

use crate::bytes::memmem;

use crate::bytes;
use crate::engine::faults;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `edgemicro`.
#[derive(Debug, Clone, Copy)]
pub struct EdgeMicro;

impl Plain for EdgeMicro {
    const NAME: &'static str = "edgemicro";
    const PRODUCT: Product = Product::EdgeMicro;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let components: [&[u8]; 2] = [b"[plugins-middleware]", b"[microgateway-core]"];
        if !components
            .iter()
            .any(|name| memmem::find(head.bytes, name).is_some())
        {
            return Sniff::no();
        }
        Sniff::by_parsing(
            head,
            &mut Parser::default(),
            Score::Mark,
            "component names of Edge Microgateway",
        )
    }
}

#[derive(Default)]
struct Parser {
    cache: DayCache,
}

/// Number of bracketed fields in a record.
const FIELDS: usize = 16;

/// Most pieces a record is cut into; what a path with brackets adds beyond that makes the line unreadable.
const MOST_PIECES: usize = 64;

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let Some((stamp, used)) = time::iso_prefix(line, &mut self.cache) else {
            // Records start with their time; a stack trace or a stray message does not.
            return if names_component(line) {
                Err(LineError::new(0, "time"))
            } else {
                Ok(Line::Continuation)
            };
        };
        entry.time = Some(stamp.marking(Marks::Event));
        let Some(rest) = line[used..].strip_prefix(b" ") else {
            return Err(LineError::new(used, "space after the time"));
        };
        if rest.first() == Some(&b'[') && memmem::find(rest, b"][").is_some() {
            let record = Record::cut(rest).ok_or(LineError::new(used + 1, "bracketed fields"))?;
            record.fill(entry);
        } else {
            note(rest, entry);
        }
        Ok(Line::Entry)
    }
}

/// Whether a component that writes bracketed records is named.
fn names_component(text: &[u8]) -> bool {
    let components: [&[u8]; 2] = [b"[plugins-middleware]", b"[microgateway-core]"];
    components.iter().any(|name| memmem::find(text, name).is_some())
}

/// A `stats` record (`stats 28386 requests=4, …`) or a console line (`[28386] [microgateway] …`).
fn note<'a>(rest: &'a [u8], entry: &mut Entry<'a>) {
    entry.kind = Kind::Note;
    let (first, after) = rest.split_at(memchr::memchr(b' ', rest).unwrap_or(rest.len()));
    if let Some(pid) = first.strip_prefix(b"[").and_then(|pid| pid.strip_suffix(b"]")) {
        entry.pid = small(pid);
        return;
    }
    entry.level = level(first);
    let after = after.trim_ascii_start();
    entry.pid = small(&after[..memchr::memchr(b' ', after).unwrap_or(after.len())]);
    if entry.level >= Level::Error {
        entry.error = after;
    }
}

fn small<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    T::try_from(bytes::number(text)?).ok()
}

fn level(name: &[u8]) -> Level {
    match name {
        b"error" => Level::Error,
        b"warn" => Level::Warning,
        b"info" | b"stats" => Level::Info,
        b"debug" | b"trace" => Level::Debug,
        _ => Level::None,
    }
}

/// The fields of a record. Left of the proxy they count from the left, right of it from the component.
struct Record<'a> {
    level: &'a [u8],
    host: &'a [u8],
    pid: &'a [u8],
    proxy: &'a [u8],
    client: &'a [u8],
    id: &'a [u8],
    component: &'a [u8],
    message: &'a [u8],
    method: &'a [u8],
    status: &'a [u8],
    error: &'a [u8],
    code: &'a [u8],
    elapsed_ms: &'a [u8],
}

impl<'a> Record<'a> {
    fn cut(text: &'a [u8]) -> Option<Self> {
        let whole = text.trim_ascii_end().strip_prefix(b"[")?;
        // An error text may hold a line end (OpenSSL's do): the line then stops within it, and code and elapsed time
        // stand on the next one.
        let (inner, is_whole) = match whole.strip_suffix(b"]") {
            Some(inner) => (inner, true),
            None => (whole, false),
        };
        // Start and end of every piece between `][`.
        let mut spans = [(0usize, 0usize); MOST_PIECES];
        let (mut count, mut start) = (0, 0);
        for at in memchr::memchr_iter(b']', inner) {
            if at >= start && inner.get(at + 1) == Some(&b'[') {
                *spans.get_mut(count)? = (start, at);
                count += 1;
                start = at + 2;
            }
        }
        *spans.get_mut(count)? = (start, inner.len());
        count += 1;
        if count < if is_whole { FIELDS } else { FIELDS - 2 } {
            return None;
        }
        if !is_whole {
            for end in [spans[count - 1].1; 2] {
                *spans.get_mut(count)? = (end, end);
                count += 1;
            }
        }
        let piece = |at: usize| &inner[spans[at].0..spans[at].1];
        let known = |at: &usize| matches!(piece(*at), b"plugins-middleware" | b"microgateway-core");
        // The path and the error text may hold `][` themselves; the component between them does not.
        let component = (9..count - 6).find(known).unwrap_or(count - 7);
        Some(Self {
            level: piece(0),
            host: piece(1),
            pid: piece(2),
            proxy: &inner[spans[5].0..spans[component - 4].1],
            client: piece(component - 3),
            id: piece(component - 1),
            component: piece(component),
            message: piece(component + 1),
            method: piece(component + 2),
            status: piece(component + 3),
            error: &inner[spans[component + 4].0..spans[count - 3].1],
            code: piece(count - 2),
            elapsed_ms: piece(count - 1),
        })
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.level = level(self.level);
        entry.pid = small(self.pid);
        entry.path_base = b"/";
        entry.path = defined(self.proxy);
        entry.client = defined(self.client);
        entry.ids.push(defined(self.id));
        entry.method = defined(self.method);
        entry.status = small(self.status);
        entry.error = if self.error.is_empty() {
            self.code
        } else {
            self.error
        };
        if self.message.starts_with(b"target") {
            self.fill_target(entry);
        } else {
            self.fill_source(entry);
        }
    }

    /// Lines about the exchange with the target: `host` is its address, `status` what it answered.
    fn fill_target(&self, entry: &mut Entry<'a>) {
        let elapsed_us = small::<u64>(self.elapsed_ms).and_then(|ms| ms.checked_mul(1000));
        entry.status = None;
        entry.upstream.addr = defined(self.host);
        entry.upstream.status = self.status;
        entry.kind = Kind::Note;
        match self.message {
            b"targetRequest error" => {
                entry.kind = Kind::Failure;
                entry.response_us = elapsed_us;
                entry.signal = faults::node(self.code, self.error);
            }
            b"targetResponse error" | b"targetResponse aborted" => {
                entry.kind = Kind::Failure;
                entry.response_us = elapsed_us;
                entry.signal = Some(Signal::new(Phase::Body, Fault::ResetOrClosed));
            }
            b"targetResponse" => entry.header_us = elapsed_us,
            _ => entry.response_us = elapsed_us,
        }
    }

    /// Lines about the exchange with the client: `host` is the request's `Host` header.
    fn fill_source(&self, entry: &mut Entry<'a>) {
        entry.host = defined(self.host);
        let marks = match self.message {
            b"sourceRequest" => {
                entry.kind = Kind::Note;
                Marks::Start
            }
            b"sourceResponse" => {
                entry.kind = Kind::Request;
                entry.duration_us = small::<u64>(self.elapsed_ms).and_then(|ms| ms.checked_mul(1000));
                Marks::End
            }
            b"header length more than allowed size" => {
                entry.kind = Kind::Failure;
                entry.signal = Some(Signal::new(Phase::Header, Fault::HeaderTooBig));
                Marks::Event
            }
            message if memmem::find(message, b"source request aborted").is_some() => {
                entry.kind = Kind::Failure;
                entry.signal = Some(Signal::new(Phase::Client, Fault::ClientGone));
                Marks::Event
            }
            _ if self.component == b"microgateway-core" && entry.level >= Level::Warning => {
                self.fill_outcome(entry);
                Marks::End
            }
            _ => {
                entry.kind = Kind::Note;
                Marks::Event
            }
        };
        entry.time = entry.time.map(|time| time.marking(marks));
    }

    /// The line that says how a failed request ended. The gateway's timer covers connecting as well as waiting.
    fn fill_outcome(&self, entry: &mut Entry<'a>) {
        entry.kind = if entry.status.is_some() {
            Kind::Request
        } else {
            Kind::Failure
        };
        entry.signal = if memmem::find(self.error, b"timed out trying to reach target").is_some() {
            Some(Signal::new(Phase::Unknown, Fault::TimedOut))
        } else {
            faults::node(self.code, self.error)
        };
    }
}

/// `value`, or nothing if JavaScript had none.
fn defined(value: &[u8]) -> &[u8] {
    match value {
        b"undefined" | b"null" | b"-" => &[],
        value => value,
    }
}

#[cfg(test)]
#[path = "edgemicro_tests.rs"]
mod tests;
