//! .NET's console logger, as text and as JSON, with what Kestrel and the reverse proxy YARP say through it.
//!
//! ```text
//! warn: Yarp.ReverseProxy.Forwarder.HttpForwarder[48]
//!       Request: An error was encountered before receiving a response.
//!       System.Net.Http.HttpRequestException: Connection refused (localhost:5001)
//! ```
//! A record is a line with level, category and event number, and indented lines with message and exception. There is no time
//! unless `TimestampFormat` puts one in front; the wrapper's is taken. `SingleLine` puts the message after the number, the
//! systemd formatter has `<4>` for the level. JSON has `Timestamp`, `LogLevel`, `Category`, `Message`, `Exception`,
//! `State` and `Scopes`. `Request finished` ends a request; its duration is milliseconds. YARP's messages begin with the name
//! of its error; what the exception below says is surer. A reader of single lines gets the message but not the exception.
//! Source: .NET documentation, "Console log formatting"; YARP's `HttpForwarder.cs` and `ForwarderError.cs`.

use std::sync::{Arc, LazyLock};

use crate::bytes::memmem;

use crate::bytes::{decimal_scaled, number};
use crate::engine::faults;
use crate::engine::json::{self, Keys, Value};
use crate::engine::slot::{split_origin, without_scheme};
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal, Stamp};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The formats `dotnet` and `yarp`: one parser, told apart by whether the proxy writes there.
#[derive(Debug, Clone, Copy)]
pub struct DotNet(Product);

impl DotNet {
    /// Any application.
    pub const DOTNET: Self = Self(Product::DotNet);
    /// The reverse proxy.
    pub const YARP: Self = Self(Product::Yarp);
}

impl Format for DotNet {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn product(&self) -> Product {
        self.0
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let is_yarp = memmem::find(head.bytes, b"Yarp.ReverseProxy").is_some();
        if is_yarp != (self.0 == Product::Yarp) {
            return Sniff::no();
        }
        let (mut begun, mut read, mut lines) = (0u32, 0u32, 0u32);
        let mut day = DayCache::default();
        for line in head.lines().take(Head::LINES) {
            lines += 1;
            let begins = Header::of(line, &mut day).is_some() || is_record(line);
            begun += u32::from(begins);
            read += u32::from(begins || begun > 0 && line.starts_with(b"      "));
        }
        if begun == 0 || read * 2 < lines {
            return Sniff::no();
        }
        Sniff {
            score: Score::Mark,
            parsed: read,
            looked_at: lines,
            reason: "levels, categories and event numbers of .NET's console logger".to_owned(),
        }
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for DotNet {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }
}

/// Whether `line` is a record of the JSON formatter.
fn is_record(line: &[u8]) -> bool {
    let has = |part: &str| memmem::find(line, part.as_bytes()).is_some();
    line.starts_with(b"{") && has("\"EventId\":") && has("\"LogLevel\":") && has("\"Category\":")
}

#[derive(Default)]
struct Parser {
    day: DayCache,
    /// Of a header whose message comes on the next line: level, time, whether the category is the forwarder's.
    pending: Option<(Level, Option<Stamp>, bool)>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if line[0] == b'{' {
            return self.json(line, entry);
        }
        if let Some(header) = Header::of(line, &mut self.day) {
            (entry.level, entry.time) = (header.level, header.time);
            push_scopes(header.scopes, entry);
            self.pending = None;
            if header.message.is_empty() {
                self.pending = Some((header.level, header.time, header.of_forwarder));
                return Ok(Line::Directive);
            }
            message(header.message, header.message, header.of_forwarder, entry);
            return Ok(Line::Entry);
        }
        if !line.starts_with(b" ") {
            // What a process prints past its logger, an unhandled exception say.
            return super::process_text::crash(line, entry);
        }
        match self.pending.take() {
            Some((level, time, of_forwarder)) if !line.trim_ascii_start().starts_with(b"=>") => {
                (entry.level, entry.time) = (level, time);
                let text = line.trim_ascii();
                message(text, text, of_forwarder, entry);
                Ok(Line::Entry)
            }
            // The line of scopes stands between the header and the message.
            pending => {
                self.pending = pending;
                Ok(Line::Continuation)
            }
        }
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        Some(line.starts_with(b"{") || Header::of(line, &mut DayCache::default()).is_some())
    }
}

/// `warn: Category[48]`, perhaps with a time in front and colours around the level, and the message if it follows.
struct Header<'a> {
    level: Level,
    time: Option<Stamp>,
    of_forwarder: bool,
    /// What stands after `=>`, if it is there.
    scopes: &'a [u8],
    /// The message and what follows it; empty if it comes on a later line that is not there.
    message: &'a [u8],
}

impl<'a> Header<'a> {
    fn of(line: &'a [u8], day: &mut DayCache) -> Option<Self> {
        let first_len = memchr::memchr(b'\n', line).unwrap_or(line.len());
        let mut first = &line[..first_len];
        let mut time = None;
        if first
            .first()
            .is_some_and(|byte| byte.is_ascii_digit() || *byte == b'[')
        {
            let open = usize::from(first[0] == b'[');
            let (stamp, used) = time::iso_prefix(&first[open..], day)?;
            time = Some(stamp.marking(Marks::Event));
            let rest = &first[open + used..];
            first = rest.strip_prefix(b"]").unwrap_or(rest).trim_ascii_start();
        }
        let first = uncoloured(first);
        let (level, rest) = match first {
            [b'<', digit @ b'0'..=b'7', b'>', rest @ ..] => (severity(*digit), rest),
            _ => (
                level(first.get(..4)?)?,
                uncoloured(&first[4..]).strip_prefix(b": ")?,
            ),
        };
        let open = memchr::memchr(b'[', rest)?;
        let close = open + memchr::memchr(b']', &rest[open..])?;
        let category = &rest[..open];
        let is_category = !category.is_empty() && !category.contains(&b' ');
        if !is_category || number(&rest[open + 1..close]).is_none() {
            return None;
        }
        let after = rest[close + 1..].trim_ascii_start();
        let (scopes, message) = if after.is_empty() {
            rest_of(line, first_len)
        } else {
            split_scopes(after)
        };
        Some(Self {
            scopes,
            level,
            time,
            of_forwarder: category.starts_with(b"Yarp."),
            message,
        })
    }
}

/// The lines of a record after its first: that of scopes, and the others.
fn rest_of(line: &[u8], first_len: usize) -> (&[u8], &[u8]) {
    let rest = line.get(first_len..).unwrap_or_default().trim_ascii();
    if !rest.starts_with(b"=>") {
        return (&rest[..0], rest);
    }
    let (scopes, rest) = rest.split_at(memchr::memchr(b'\n', rest).unwrap_or(rest.len()));
    (scopes, rest.trim_ascii())
}

/// Scopes and message of a record that is one line. Nothing parts them, so the scopes end where the words after the last
/// `=>` are no longer pairs as the server's own scopes have them (`RequestPath:/cart RequestId:0HNQ:1`).
fn split_scopes(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(last) = memmem::rfind(text, b"=> ").filter(|_| text.starts_with(b"=> ")) else {
        return (&text[..0], text);
    };
    let mut at = last + 3;
    for word in text[at..].split(|byte| *byte == b' ') {
        let is_pair = memchr::memchr(b':', word).is_some_and(|colon| colon > 0 && colon + 1 < word.len());
        if !is_pair {
            break;
        }
        at += word.len() + 1;
    }
    let at = at.min(text.len());
    (&text[..at], &text[at..])
}

/// The ids among the scopes: the trace, and the request of this server.
fn push_scopes<'a>(scopes: &'a [u8], entry: &mut Entry<'a>) {
    for name in ["TraceId:", "RequestId:"] {
        let Some(at) = memmem::find(scopes, name.as_bytes()) else {
            continue;
        };
        let value = &scopes[at + name.len()..];
        let end = value
            .iter()
            .position(|byte| matches!(byte, b',' | b' ' | b'\r' | b'\n'));
        entry.ids.push(&value[..end.unwrap_or(value.len())]);
    }
}

/// `text` without an escape sequence at its start.
fn uncoloured(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b"\x1b[") {
        text = &rest[memchr::memchr(b'm', rest).map_or(rest.len(), |at| at + 1)..];
    }
    text
}

fn level(word: &[u8]) -> Option<Level> {
    Some(match word {
        b"trce" | b"dbug" => Level::Debug,
        b"info" => Level::Info,
        b"warn" => Level::Warning,
        b"fail" => Level::Error,
        b"crit" => Level::Critical,
        _ => return None,
    })
}

const fn severity(digit: u8) -> Level {
    match digit {
        b'0'..=b'2' => Level::Critical,
        b'3' => Level::Error,
        b'4' => Level::Warning,
        b'5' | b'6' => Level::Info,
        _ => Level::Debug,
    }
}

/// YARP's errors and what they mean where the exception says no more.
const ERRORS: [(&str, Phase, Fault); 15] = [
    ("Request", Phase::Unknown, Fault::Other),
    ("RequestCreation", Phase::Unknown, Fault::Other),
    ("RequestTimedOut", Phase::Unknown, Fault::TimedOut),
    ("RequestCanceled", Phase::Client, Fault::ClientGone),
    ("RequestBodyCanceled", Phase::Client, Fault::ClientGone),
    ("RequestBodyClient", Phase::Client, Fault::ClientGone),
    ("RequestBodyDestination", Phase::Send, Fault::ResetOrClosed),
    ("ResponseBodyCanceled", Phase::Client, Fault::ClientGone),
    ("ResponseBodyClient", Phase::Client, Fault::ClientGone),
    ("ResponseBodyDestination", Phase::Body, Fault::ResetOrClosed),
    ("ResponseHeaders", Phase::Header, Fault::InvalidResponse),
    ("UpgradeRequestDestination", Phase::Body, Fault::ResetOrClosed),
    ("UpgradeResponseDestination", Phase::Body, Fault::ResetOrClosed),
    ("UpgradeActivityTimeout", Phase::Body, Fault::TimedOut),
    ("NoAvailableDestinations", Phase::Queue, Fault::NoLiveUpstream),
];

/// Reads a message; `whole` is the message with the exception below it.
fn message<'a>(text: &'a [u8], whole: &'a [u8], of_forwarder: bool, entry: &mut Entry<'a>) {
    let first = &text[..memchr::memchr(b'\n', text).unwrap_or(text.len())];
    if let Some(rest) = first.strip_prefix(b"Request finished ") {
        return finished(rest, entry);
    }
    entry.kind = Kind::Note;
    let signal = if of_forwarder {
        forwarder(first, whole, entry)
    } else {
        lifetime(first)
    };
    if let Some(signal) = signal {
        entry.signal = Some(signal);
        entry.error = whole;
        entry.kind = if signal.phase == Phase::Process {
            Kind::Event
        } else {
            Kind::Failure
        };
    } else if entry.level >= Level::Error {
        entry.error = whole;
    }
}

/// `HTTP/1.1 GET http://localhost:5000/a?b=1 - 200 12 text/plain 12.3456ms`, in .NET 5 and before
/// `in 12.3456ms 200 text/plain`.
fn finished<'a>(rest: &'a [u8], entry: &mut Entry<'a>) {
    entry.time = entry.time.map(|time| time.marking(Marks::End));
    if let Some(old) = rest.strip_prefix(b"in ") {
        let mut words = old.split(|byte| *byte == b' ');
        entry.duration_us = words.next().and_then(milliseconds);
        entry.status = words.next().and_then(number).and_then(|n| u16::try_from(n).ok());
        return;
    }
    let mut words = rest.split(|byte| *byte == b' ');
    words.next();
    entry.method = words.next().unwrap_or_default();
    entry.path = words.next().unwrap_or_default();
    split_origin(entry);
    // Content type and length may be missing or hold spaces; status and duration are told by their shape.
    for word in words {
        if entry.status.is_none() && word.len() == 3 {
            entry.status = number(word).and_then(|n| u16::try_from(n).ok());
        }
        entry.duration_us = milliseconds(word).or(entry.duration_us);
    }
}

/// `12.3456ms` in microseconds.
fn milliseconds(word: &[u8]) -> Option<u64> {
    decimal_scaled(word.strip_suffix(b"ms")?, 1_000)
}

/// What the proxy's forwarder says.
fn forwarder<'a>(first: &'a [u8], whole: &'a [u8], entry: &mut Entry<'a>) -> Option<Signal> {
    if let Some(url) = first.strip_prefix(b"Proxying to ") {
        entry.upstream.addr = without_scheme(&url[..memchr::memchr(b' ', url).unwrap_or(url.len())]);
        return None;
    }
    if first.starts_with(b"No available destinations") {
        return Some(Signal::new(Phase::Queue, Fault::NoLiveUpstream));
    }
    let name = &first[..memmem::find(first, b": ")?];
    let (_, phase, fault) = ERRORS.iter().find(|(known, ..)| known.as_bytes() == name)?;
    let by_name = Signal::new(*phase, *fault);
    let is_open = matches!(fault, Fault::Other | Fault::ResetOrClosed);
    let exception = &whole[first.len().min(whole.len())..];
    // A stack trace names classes that have nothing to do with the fault, so only its head is asked.
    let head = &exception[..memmem::find(exception, b"\n   at ").unwrap_or(exception.len())];
    let exact = is_open.then(|| faults::application(b"", b"", head)).flatten();
    Some(exact.map_or(by_name, |found| match found.signal {
        Signal {
            phase: Phase::Header,
            fault,
        } if by_name.phase != Phase::Unknown => Signal::new(by_name.phase, fault),
        signal => signal,
    }))
}

fn lifetime(first: &[u8]) -> Option<Signal> {
    let fault = if first.starts_with(b"Application started") {
        Fault::Started
    } else if first.starts_with(b"Application is shutting down") {
        Fault::Stopping
    } else {
        return None;
    };
    Some(Signal::new(Phase::Process, fault))
}

/// Slots of the values wanted of a JSON record.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Time,
    Level,
    Category,
    Message,
    Exception,
    Method,
    Host,
    Path,
    Query,
    Status,
    Elapsed,
    Trace,
    Request,
}

const SLOTS: usize = Slot::Request as usize + 1;

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    let wanted: [(Slot, &[&str]); SLOTS] = [
        (Slot::Time, &["Timestamp"]),
        (Slot::Level, &["LogLevel"]),
        (Slot::Category, &["Category"]),
        (Slot::Message, &["Message", "State.Message"]),
        (Slot::Exception, &["Exception"]),
        (Slot::Method, &["State.Method"]),
        (Slot::Host, &["State.Host"]),
        (Slot::Path, &["State.Path"]),
        (Slot::Query, &["State.QueryString"]),
        (Slot::Status, &["State.StatusCode"]),
        (Slot::Elapsed, &["State.ElapsedMilliseconds"]),
        (Slot::Trace, &["Scopes.TraceId", "State.TraceId"]),
        (Slot::Request, &["Scopes.RequestId", "State.RequestId"]),
    ];
    for (slot, paths) in wanted {
        for (rank, path) in paths.iter().enumerate() {
            keys.add(path, slot as u8, rank as u8);
        }
    }
    keys
});

impl Parser {
    fn json<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut values = [Value::default(); SLOTS];
        json::scan(line, &KEYS, &mut values)?;
        let text = |slot: Slot| values[slot as usize].text();
        if text(Slot::Category).is_empty() {
            return Err(LineError::new(0, "Category"));
        }
        entry.escape = Escape::Json;
        entry.level = match text(Slot::Level) {
            b"Trace" | b"Debug" => Level::Debug,
            b"Information" => Level::Info,
            b"Warning" => Level::Warning,
            b"Error" => Level::Error,
            b"Critical" => Level::Critical,
            _ => Level::None,
        };
        let stamp = values[Slot::Time as usize].stamp(&mut self.day);
        entry.time = stamp.map(|stamp| stamp.marking(Marks::Event));
        let of_forwarder = text(Slot::Category).starts_with(b"Yarp.");
        message(text(Slot::Message), text(Slot::Message), of_forwarder, entry);
        if text(Slot::Message).starts_with(b"Request finished ") {
            if !text(Slot::Method).is_empty() {
                (entry.method, entry.host) = (text(Slot::Method), text(Slot::Host));
                entry.path = text(Slot::Path);
                let query = text(Slot::Query);
                entry.query = query.strip_prefix(b"?").unwrap_or(query);
                entry.status = values[Slot::Status as usize].small().or(entry.status);
                entry.duration_us = values[Slot::Elapsed as usize].scaled(1_000).or(entry.duration_us);
            }
        } else if let Some(signal) = &mut entry.signal
            && signal.phase == Phase::Unknown
            && let Some(found) = faults::application(b"", b"", head_of(text(Slot::Exception)))
        {
            *signal = found.signal;
        }
        if !text(Slot::Exception).is_empty() && entry.level >= Level::Warning {
            entry.error = text(Slot::Exception);
        }
        entry.ids.push(text(Slot::Trace));
        entry.ids.push(text(Slot::Request));
        Ok(Line::Entry)
    }
}

/// An exception without its stack trace.
fn head_of(exception: &[u8]) -> &[u8] {
    &exception[..memmem::find(exception, b"   at ").unwrap_or(exception.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    fn is(phase: Phase, fault: Fault) -> Option<Signal> {
        Some(Signal::new(phase, fault))
    }

    const REFUSED: &str = "warn: Yarp.ReverseProxy.Forwarder.HttpForwarder[48]
      Request: An error was encountered before receiving a response.
      System.Net.Http.HttpRequestException: Connection refused (localhost:5001)
       ---> System.Net.Sockets.SocketException (111): Connection refused
         at System.Net.Sockets.Socket.AwaitableSocketAsyncEventArgs.ThrowException(SocketError error)";

    #[test]
    fn the_exception_of_a_whole_record_makes_the_error_exact() {
        let entry = read(REFUSED);
        assert_eq!((entry.kind, entry.level), (Kind::Failure, Level::Warning));
        assert_eq!(entry.signal, is(Phase::Connect, Fault::Refused));
        let closed = REFUSED
            .replace(
                "Connection refused (localhost:5001)",
                "An error occurred while sending the request.",
            )
            .replace(
                "System.Net.Sockets.SocketException (111): Connection refused",
                "System.Net.Http.HttpIOException: The response ended prematurely. (ResponseEnded)",
            );
        assert_eq!(read(&closed).signal, is(Phase::Header, Fault::Closed));
    }

    #[test]
    fn line_by_line_the_message_is_the_record() {
        let mut parser = Parser::default();
        let mut kinds = Vec::new();
        for line in REFUSED.lines() {
            let mut entry = Entry::default();
            kinds.push(parser.parse(line.as_bytes(), &mut entry).unwrap());
            if kinds.len() == 2 {
                assert_eq!(entry.signal, is(Phase::Unknown, Fault::Other));
            }
        }
        use Line::{Continuation, Directive, Entry as Record};
        assert_eq!(
            kinds,
            [Directive, Record, Continuation, Continuation, Continuation]
        );
    }

    #[test]
    fn every_error_of_the_proxy_has_its_signal() {
        let of = |text: &str| {
            let line = format!(
                "2026-11-20T16:36:54.123Z warn: Yarp.ReverseProxy.Forwarder.HttpForwarder[48] {text}"
            );
            let entry = read(&line);
            assert!(entry.time.is_some());
            entry.signal
        };
        assert_eq!(
            of("RequestTimedOut: The request timed out before receiving a response."),
            is(Phase::Unknown, Fault::TimedOut)
        );
        assert_eq!(
            of("ResponseBodyDestination: The destination reported an error when copying the response body."),
            is(Phase::Body, Fault::ResetOrClosed)
        );
        assert_eq!(
            of("ResponseBodyClient: The client reported an error when copying the response body."),
            is(Phase::Client, Fault::ClientGone)
        );
        assert_eq!(
            of("No available destinations after load balancing for cluster 'c'."),
            is(Phase::Queue, Fault::NoLiveUpstream)
        );
        assert_eq!(of("Received HTTP/1.1 response 200."), None);
    }

    #[test]
    fn a_finished_request_is_a_request() {
        let entry = read(
            "info: Microsoft.AspNetCore.Hosting.Diagnostics[2]\n      Request finished HTTP/1.1 GET http://shop.example.com:5000/a?b=1 - 502 0 - 12.3456ms",
        );
        assert_eq!(
            (entry.kind, entry.status, entry.duration_us),
            (Kind::Request, Some(502), Some(12_345))
        );
        assert_eq!(
            (entry.host, entry.path),
            (b"shop.example.com:5000".as_slice(), b"/a?b=1".as_slice())
        );
        let json = r#"{"Timestamp":"2026-11-20T16:36:54.123Z","EventId":2,"LogLevel":"Information","Category":"Microsoft.AspNetCore.Hosting.Diagnostics","Message":"Request finished HTTP/1.1 GET http://a:5000/x - 200 - - 1.5ms","State":{"Message":"","ElapsedMilliseconds":1.5,"StatusCode":200,"Method":"GET","Host":"a:5000","Path":"/x","QueryString":"?q=1"},"Scopes":[{"Message":"","TraceId":"4bf92f3577b34da6a3ce929d0e0e4736"}]}"#;
        let entry = read(json);
        assert_eq!((entry.path, entry.query), (b"/x".as_slice(), b"q=1".as_slice()));
        assert_eq!(
            (entry.duration_us, entry.time.map(|t| t.marks)),
            (Some(1_500), Some(Marks::End))
        );
        assert_eq!(entry.ids.as_slice(), [b"4bf92f3577b34da6a3ce929d0e0e4736"]);
    }

    #[test]
    fn a_json_record_of_the_proxy_carries_its_exception() {
        let json = r#"{"Timestamp":"2026-11-20T16:36:54.123Z","EventId":48,"LogLevel":"Warning","Category":"Yarp.ReverseProxy.Forwarder.HttpForwarder","Message":"Request: An error was encountered before receiving a response.","Exception":"System.Net.Http.HttpRequestException: Connection refused (localhost:5001)\n ---> System.Net.Sockets.SocketException (111): Connection refused\n   at System.X()","State":{"error":"Request"}}"#;
        let entry = read(json);
        assert_eq!(
            (entry.kind, entry.signal),
            (Kind::Failure, is(Phase::Connect, Fault::Refused))
        );
        let coloured = read(
            "\x1b[40m\x1b[32minfo\x1b[39m\x1b[22m\x1b[49m: Microsoft.Hosting.Lifetime[0]\n      Application started. Press Ctrl+C to shut down.",
        );
        assert_eq!(
            (coloured.kind, coloured.signal),
            (Kind::Event, is(Phase::Process, Fault::Started))
        );
    }
}
