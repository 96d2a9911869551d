//! Traefik 1 to 3: access log in its common log format or as JSON, and the proxy's own messages.
//!
//! `10.0.0.9 - - [02/Oct/2026:20:22:07 +0000] "GET /a HTTP/1.1" 502 11 "-" "curl" 262 "shop@docker" "http://172.19.0.3:5601" 2ms`:
//! the time is when the request began (UTC unless configured), the last fields are a count of requests, the
//! router, the server and the duration in milliseconds. JSON durations are nanoseconds; names that begin with
//! `Backend` and `Frontend` are version 1's. `ServiceURL` is an object in versions 1 and 2, a string in 3.
//!
//! `OriginStatus` is 0 where no server was asked at all. Where a server was asked and failed it is *not* 0: it is the
//! status that Traefik's error handler wrote, whose body is the bare name of the status (`Bad Gateway`, 11
//! bytes). That length is what tells Traefik's own 502 from one that was passed on. The error itself is only in the proxy's
//! log, at debug level (`502 Bad Gateway error=EOF`). Settled in Traefik's `accesslog/field_middleware.go`,
//! `accesslog/logger_formatters.go` and `proxy/httputil/proxy.go`; a failure is 502 for an end of file or another
//! network error, 504 for a network timeout, 499 for a client that went away, 500 for the rest.

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::faults;
use crate::engine::json::{self, Keys, Value};
use crate::engine::slot::without_scheme;
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::caddy::split_port;
use crate::products::clf::{self, ClfParser, Style};
use crate::time::{self, DayCache};

/// The format `traefik`.
#[derive(Debug, Clone, Copy)]
pub struct Traefik;

impl Plain for Traefik {
    const NAME: &'static str = "traefik";
    const PRODUCT: Product = Product::Traefik;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks = ["\"DownstreamStatus\":", "traefik/v", "\"entryPointName\":"];
        let is_marked = marks
            .iter()
            .any(|mark| memmem::find(head.bytes, mark.as_bytes()).is_some());
        if is_marked
            || head
                .lines()
                .take(Head::LINES)
                .any(|line| Tail::of(line).is_some())
        {
            let reason = "field names, or the end of an access line, that are Traefik's";
            return super::by_entries(head, &mut Parser::new(), Score::Mark, reason);
        }
        clf::by_hint(head, Product::Traefik, Style::AT_START)
    }
}

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Start,
    Time,
    Level,
    Message,
    Error,
    Method,
    Path,
    Host,
    ClientAddress,
    Status,
    OriginStatus,
    BytesSent,
    OriginBytes,
    Duration,
    OriginDuration,
    Retries,
    Upstream,
    Group,
    ForwardedFor,
    FirstId,
    // The slots of further ids follow.
}

/// Headers and fields that carry ids, the ones most often used first.
const ID_PATHS: [&str; 9] = [
    "request_X-Request-Id",
    "request_Traceparent",
    "TraceId",
    "trace_id",
    "request_X-Correlation-Id",
    "request_X-B3-Traceid",
    "request_Cf-Ray",
    "origin_X-Request-Id",
    "downstream_X-Request-Id",
];

const SLOTS: usize = Slot::FirstId as usize + ID_PATHS.len();

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    let mut add = |slot: Slot, paths: &[&str]| {
        for (rank, path) in paths.iter().enumerate() {
            keys.add(path, slot as u8, rank as u8);
        }
    };
    add(Slot::Start, &["StartUTC", "StartLocal"]);
    add(Slot::Time, &["time"]);
    add(Slot::Level, &["level"]);
    add(Slot::Message, &["message", "msg"]);
    add(Slot::Error, &["error"]);
    add(Slot::Method, &["RequestMethod"]);
    add(Slot::Path, &["RequestPath"]);
    add(Slot::Host, &["RequestAddr", "RequestHost"]);
    add(Slot::ClientAddress, &["ClientAddr", "ClientHost"]);
    add(Slot::Status, &["DownstreamStatus"]);
    add(Slot::OriginStatus, &["OriginStatus"]);
    add(Slot::BytesSent, &["DownstreamContentSize"]);
    add(Slot::OriginBytes, &["OriginContentSize"]);
    add(Slot::Duration, &["Duration"]);
    add(Slot::OriginDuration, &["OriginDuration"]);
    add(Slot::Retries, &["RetryAttempts"]);
    add(
        Slot::Upstream,
        &[
            "ServiceAddr",
            "ServiceURL.Host",
            "ServiceURL",
            "BackendAddr",
            "BackendURL.Host",
            "BackendURL",
        ],
    );
    add(Slot::Group, &["ServiceName", "BackendName"]);
    add(Slot::ForwardedFor, &["request_X-Forwarded-For"]);
    for (at, path) in ID_PATHS.iter().enumerate() {
        keys.add(path, Slot::FirstId as u8 + at as u8, 0);
    }
    keys
});

struct Parser {
    clf: ClfParser,
    day: DayCache,
}

impl Parser {
    fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::AT_START),
            day: DayCache::default(),
        }
    }

    fn json<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut values = [Value::default(); SLOTS];
        json::scan(line, &KEYS, &mut values)?;
        let slots = Slots(&values);
        entry.escape = Escape::Json;
        entry.level = level(slots.text(Slot::Level));
        if let Some(start) = slots.get(Slot::Start).stamp(&mut self.day) {
            entry.time = Some(start.marking(Marks::Start));
            slots.fill_request(entry);
            return Ok(Line::Entry);
        }
        let stamp = slots.get(Slot::Time).stamp(&mut self.day);
        entry.time = Some(
            stamp
                .ok_or(LineError::new(0, "StartUTC or time"))?
                .marking(Marks::Event),
        );
        if slots.get(Slot::Status).number().is_some() {
            // An access line whose start was dropped by the configuration: `time` is when it was written.
            entry.time = stamp.map(|stamp| stamp.marking(Marks::End));
            slots.fill_request(entry);
            return Ok(Line::Entry);
        }
        message(slots.text(Slot::Message), slots.text(Slot::Error), entry);
        Ok(Line::Entry)
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        match line.first() {
            None => return Ok(Line::Directive),
            Some(b'{') => return self.json(line, entry),
            Some(_) => {}
        }
        if let Some(tail) = Tail::of(line) {
            self.clf.parse(tail.front, entry)?;
            tail.fill(entry);
            return Ok(Line::Entry);
        }
        if console(line, entry, &mut self.day).is_some() || logrus(line, entry, &mut self.day).is_some() {
            return Ok(Line::Entry);
        }
        entry.clear();
        self.clf.parse(line, entry)
    }
}

/// The end of an access line, after the user agent.
struct Tail<'a> {
    front: &'a [u8],
    url: &'a [u8],
    router: &'a [u8],
    ms: u64,
}

impl<'a> Tail<'a> {
    /// Takes `262 "router" "http://a:80" 2ms` off the end of `line`.
    fn of(line: &'a [u8]) -> Option<Self> {
        let rest = line.strip_suffix(b"ms")?;
        let space = memchr::memrchr(b' ', rest)?;
        let ms = number(&rest[space + 1..])?;
        let (rest, url) = last_quoted(&rest[..space])?;
        let (rest, router) = last_quoted(rest)?;
        let space = memchr::memrchr(b' ', rest)?;
        let count = &rest[space + 1..];
        (count == b"-" || number(count).is_some()).then_some(Self {
            front: &rest[..space],
            url,
            router,
            ms,
        })
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.duration_us = self.ms.checked_mul(1000);
        let url = filled(self.url);
        if !url.starts_with(b"/") {
            entry.upstream.addr = without_scheme(url);
        }
        entry.upstream.group = filled(self.router);
        let asked = !entry.upstream.addr.is_empty();
        judge(entry, asked, entry.bytes_sent);
    }
}

/// `… "value"` as what stands before it and the value.
fn last_quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_suffix(b"\"")?;
    let open = memmem::rfind(inner, b" \"")?;
    Some((&text[..open], &inner[open + 2..]))
}

struct Slots<'v, 'a>(&'v [Value<'a>; SLOTS]);

impl<'a> Slots<'_, 'a> {
    fn get(&self, slot: Slot) -> Value<'a> {
        self.0[slot as usize]
    }

    fn text(&self, slot: Slot) -> &'a [u8] {
        self.get(slot).text()
    }

    /// Nanoseconds as microseconds.
    fn time_us(&self, slot: Slot) -> Option<u64> {
        self.get(slot).scaled(1).map(|ns| ns / 1000)
    }

    fn fill_request(&self, entry: &mut Entry<'a>) {
        entry.kind = Kind::Request;
        entry.method = self.text(Slot::Method);
        entry.path = self.text(Slot::Path);
        entry.host = self.text(Slot::Host);
        (entry.client, entry.client_port) = split_port(self.text(Slot::ClientAddress));
        entry.forwarded_for = self.text(Slot::ForwardedFor);
        entry.status = self.get(Slot::Status).small().filter(|status| *status != 0);
        entry.bytes_sent = self.get(Slot::BytesSent).number();
        entry.duration_us = self.time_us(Slot::Duration);
        for id in &self.0[Slot::FirstId as usize..] {
            crate::engine::id::push_if_id(&mut entry.ids, id.text());
            entry.ids.push(trace_of(id.text()));
        }
        let origin = self.get(Slot::OriginStatus).number().unwrap_or(0);
        let upstream = &mut entry.upstream;
        upstream.addr = without_scheme(self.text(Slot::Upstream));
        upstream.group = self.text(Slot::Group);
        upstream.retries = self.get(Slot::Retries).small().unwrap_or(0);
        if origin != 0 {
            upstream.status = self.text(Slot::OriginStatus);
            entry.response_us = self.time_us(Slot::OriginDuration);
        }
        let bytes = self.get(Slot::OriginBytes).number().or(entry.bytes_sent);
        judge(entry, origin != 0 && !entry.upstream.addr.is_empty(), bytes);
    }
}

/// The id in a header's value: of a `traceparent` it was taken already.
fn trace_of(value: &[u8]) -> &[u8] {
    if value.len() == 55 && value.starts_with(b"00-") {
        return &value[..0];
    }
    value
}

/// Tells who made a failure's answer: the server, if it was `asked` and the body of so many `bytes` is not
/// Traefik's own.
fn judge(entry: &mut Entry<'_>, asked: bool, bytes: Option<u64>) {
    let Some(status) = entry.status.filter(|status| *status >= 499) else {
        return;
    };
    let own_body = match status {
        502 => 11,
        504 => 15,
        499 | 500 => 21,
        _ => 0,
    };
    let is_own = own_body > 0 && bytes.is_none_or(|bytes| bytes == own_body);
    if is_own || !asked {
        entry.upstream.status = b"";
    }
    entry.signal = match status {
        499 => Some((Phase::Client, Fault::ClientGone)),
        503 if !asked => Some((Phase::Queue, Fault::NoLiveUpstream)),
        _ if !asked => None,
        504 if is_own => Some((Phase::Unknown, Fault::TimedOut)),
        // Which network error it was only the proxy's log says.
        _ if is_own => None,
        _ => Some((Phase::Header, Fault::UpstreamStatus)),
    }
    .map(|(phase, fault)| Signal::new(phase, fault));
}

/// A message of the proxy itself, and what it says of a failed request: `502 Bad Gateway` with an error, or in versions
/// 1 and 2 `'502 Bad Gateway' caused by: EOF`.
fn message<'a>(text: &'a [u8], error: &'a [u8], entry: &mut Entry<'a>) {
    let error = match memmem::find(text, b"' caused by: ") {
        Some(at) if error.is_empty() => &text[at + b"' caused by: ".len()..],
        _ => error,
    };
    let status = text.strip_prefix(b"'").unwrap_or(text);
    let of_request =
        status.len() > 4 && status[3] == b' ' && number(&status[..3]).is_some_and(|code| code >= 499);
    entry.kind = Kind::Note;
    if of_request && !error.is_empty() {
        entry.kind = Kind::Failure;
        entry.error = error;
        if let Some(found) = faults::go(error) {
            entry.signal = Some(found.signal);
            entry.upstream.addr = found.upstream;
            entry.upstream.local = found.local;
        }
        return;
    }
    let fault = if text.starts_with(b"Traefik version") {
        Some(Fault::Started)
    } else if text.starts_with(b"Stopping server gracefully") || text.starts_with(b"I have to go") {
        Some(Fault::Stopping)
    } else if memmem::find(text, b"Health check failed").is_some() {
        Some(Fault::ServerDown)
    } else if memmem::find(text, b"Health check up").is_some() {
        Some(Fault::ServerUp)
    } else {
        None
    };
    if let Some(fault) = fault {
        entry.kind = Kind::Event;
        let phase = match fault {
            Fault::ServerDown | Fault::ServerUp => Phase::Connect,
            _ => Phase::Process,
        };
        entry.signal = Some(Signal::new(phase, fault));
    }
    if fault.is_some() || entry.level >= Level::Error {
        entry.error = if error.is_empty() { text } else { error };
    }
}

/// `2024-05-26T11:42:52Z DBG github.com/traefik/traefik/v3/pkg/proxy/httputil/proxy.go:113 > 502 Bad Gateway error=EOF`, perhaps coloured.
fn console<'a>(line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<()> {
    let line = skip_colour(line);
    let (stamp, used) = time::iso_prefix(line, day)?;
    let rest = skip_colour(skip_colour(&line[used..]).strip_prefix(b" ")?);
    entry.level = match rest.get(..3)? {
        b"TRC" | b"DBG" => Level::Debug,
        b"INF" => Level::Info,
        b"WRN" => Level::Warning,
        b"ERR" => Level::Error,
        b"FTL" | b"PNC" => Level::Critical,
        _ => return None,
    };
    entry.time = Some(stamp.marking(Marks::Event));
    let text_at = memmem::find(rest, b" > ")
        .map(|at| at + 3)
        .or_else(|| memmem::find(rest, b" >\x1b[0m ").map(|at| at + 7))
        .unwrap_or(4);
    let text = skip_colour(rest[text_at.min(rest.len())..].trim_ascii_start());
    let error = memmem::find(text, b"error=").map_or(&text[..0], |at| {
        let value = skip_colour(&text[at + 6..]);
        match value.strip_prefix(b"\"") {
            Some(inner) => &inner[..memchr::memchr(b'"', inner).unwrap_or(inner.len())],
            None => &value[..memchr::memchr2(b' ', 0x1b, value).unwrap_or(value.len())],
        }
    });
    message(text, error, entry);
    Some(())
}

/// `time="2024-05-26T11:42:52Z" level=debug msg="'502 Bad Gateway' caused by: EOF"`, versions 1 and 2.
fn logrus<'a>(line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<()> {
    let rest = line.strip_prefix(b"time=\"")?;
    let (stamp, used) = time::iso_prefix(rest, day)?;
    let rest = rest[used..].strip_prefix(b"\" level=")?;
    let (word, rest) = rest.split_at(memchr::memchr(b' ', rest)?);
    entry.level = level(word);
    entry.time = Some(stamp.marking(Marks::Event));
    entry.escape = Escape::Backslash;
    let text = rest.strip_prefix(b" msg=")?;
    let text = match text.strip_prefix(b"\"") {
        Some(inner) => &inner[..crate::engine::template::end_of(inner, b"\"")?],
        None => &text[..memchr::memchr(b' ', text).unwrap_or(text.len())],
    };
    message(text, b"", entry);
    Some(())
}

/// `text` without the escape sequences at its start.
fn skip_colour(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b"\x1b[") {
        text = &rest[memchr::memchr(b'm', rest).map_or(rest.len(), |at| at + 1)..];
    }
    text
}

fn level(word: &[u8]) -> Level {
    match word {
        b"trace" | b"debug" => Level::Debug,
        b"info" => Level::Info,
        b"warn" | b"warning" => Level::Warning,
        b"error" => Level::Error,
        b"fatal" | b"panic" => Level::Critical,
        _ => Level::None,
    }
}

#[cfg(test)]
#[path = "traefik_tests.rs"]
mod tests;
