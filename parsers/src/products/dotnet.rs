//! .NET text logs: the console logger of `Microsoft.Extensions.Logging`, and Serilog's default layouts.
//!
//! ```text
//! info: Microsoft.AspNetCore.Hosting.Diagnostics[2]
//!       Request finished HTTP/1.1 GET http://localhost:5000/a - 502 0 - 12.3456ms
//! 2026-11-20T16:23:16.123Z fail: Microsoft.AspNetCore.Server.Kestrel[13]
//! 2026-11-20 16:23:16.123 +00:00 [ERR] HTTP GET /a responded 502 in 12.3 ms
//! [16:23:16 INF] HTTP GET /a responded 200 in 12.3 ms
//! ```
//! The console logger has no time unless a `TimestampFormat` is set; its level words are four letters, the message is
//! indented below or, with `SingleLine`, follows. Serilog's console has the time of day, its file the offset too.
//! `Request finished` and Serilog's request line are written at the end; their durations are milliseconds. In a request
//! line with two more dashes (.NET 5 to 7) the request's own length and type come before the status.
//! Source: dotnet/runtime `SimpleConsoleFormatter`; dotnet/aspnetcore `HostingApplicationDiagnostics`,
//! `HostingRequestFinishedLog`; Serilog.AspNetCore, `RequestLoggingMiddleware`.

use std::sync::Arc;

use memchr::memmem;

use super::{jvm, openig};
use crate::bytes::{decimal_scaled, number};
use crate::engine::faults;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `dotnet-console`.
#[derive(Debug, Clone, Copy)]
pub struct DotNet;

impl Format for DotNet {
    fn name(&self) -> &str {
        "dotnet-console"
    }

    fn product(&self) -> Product {
        Product::DotNet
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        super::by_entries(
            head,
            &mut Parser::default(),
            Score::Own,
            "level words of .NET loggers",
        )
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedDotNet {
            midnight_us: head.date_hint.as_ref().and_then(time::midnight_us),
        })
    }
}

struct PreparedDotNet {
    midnight_us: Option<i64>,
}

impl Prepared for PreparedDotNet {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser {
            midnight_us: self.midnight_us,
            ..Parser::default()
        })
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
    midnight_us: Option<i64>,
    /// Time and level of the record whose message is on the next line, where records are given line by line.
    open: Option<(Option<Stamp>, Level)>,
}

/// How records of the console logger go on.
const INDENT: &[u8] = b"      ";

impl LineParser for Parser {
    fn parse<'a>(&mut self, record: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let (line, rest) = jvm::split(record);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some(text) = line.strip_prefix(INDENT) {
            return Ok(self.below(text, entry));
        }
        if crash(line, entry) {
            return Ok(Line::Entry);
        }
        let Some(message) = self.first(line, entry) else {
            return if line.starts_with(b" ") || jvm::is_trace(line) || line.starts_with(b"--- End of ") {
                Ok(Line::Continuation)
            } else {
                Err(LineError::new(0, "level"))
            };
        };
        let below = rest.strip_prefix(INDENT).unwrap_or(rest);
        let (message, rest) = if message.is_empty() {
            jvm::split(below)
        } else {
            (message, rest)
        };
        self.open = message.is_empty().then_some((entry.time, entry.level));
        fill(message, rest, entry);
        Ok(Line::Entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        Some(!line.starts_with(b" ") && !line.is_empty() && !line.starts_with(b"--- End of "))
    }
}

impl Parser {
    /// What stands before the message; the message if it is on the same line.
    fn first<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
        if let Some(inner) = line.strip_prefix(b"[") {
            // Serilog's console: `[16:23:16 INF] `.
            let (us, resolution_us, used) = time::clock_prefix(inner)?;
            let rest = inner[used..].strip_prefix(b" ")?;
            entry.level = serilog(rest.get(..3)?)?;
            entry.time = self.midnight_us.map(|midnight| Stamp {
                us: midnight + us,
                resolution_us,
                zone: Zone::Local,
                marks: Marks::Event,
            });
            return rest[3..].strip_prefix(b"] ");
        }
        let mut at = 0;
        if let Some((stamp, used)) = time::iso_prefix(line, &mut self.day) {
            entry.time = Some(stamp.marking(Marks::Event));
            at = used + usize::from(line.get(used) == Some(&b' '));
            if let Some(rest) = line[at..].strip_prefix(b"[") {
                // Serilog's file.
                entry.level = serilog(rest.get(..3)?)?;
                return rest[3..].strip_prefix(b"] ");
            }
        }
        at = jvm::skip_colour(line, at);
        entry.level = level(line.get(at..at + 4)?)?;
        at = jvm::skip_colour(line, at + 4);
        let rest = line.get(at..)?.strip_prefix(b": ")?;
        // `Category.Name[12]`, and with `SingleLine` the message.
        let open = memchr::memchr(b'[', rest)?;
        let close = memchr::memchr(b']', &rest[open..])? + open;
        let is_category = rest[..open].iter().all(|byte| byte.is_ascii_graphic());
        (is_category && number(&rest[open + 1..close]).is_some()).then(|| rest[close + 1..].trim_ascii())
    }

    /// A line below the first one of a record.
    fn below<'a>(&mut self, text: &'a [u8], entry: &mut Entry<'a>) -> Line {
        let Some((time, level)) = self.open.take() else {
            return Line::Continuation;
        };
        (entry.time, entry.level) = (time, level);
        fill(text, b"", entry);
        if entry.kind == Kind::Note {
            entry.clear();
            return Line::Continuation;
        }
        Line::Entry
    }
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

fn serilog(word: &[u8]) -> Option<Level> {
    Some(match word {
        b"VRB" | b"DBG" => Level::Debug,
        b"INF" => Level::Info,
        b"WRN" => Level::Warning,
        b"ERR" => Level::Error,
        b"FTL" => Level::Critical,
        _ => return None,
    })
}

/// The last words of a process: `Unhandled exception. System.Exception: …`.
fn crash<'a>(line: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let fault = if line.starts_with(b"Unhandled exception. ") {
        if memmem::find(line, b"OutOfMemoryException").is_some() {
            Fault::OutOfMemory
        } else {
            Fault::WorkerCrashed
        }
    } else if line == b"Out of memory." {
        Fault::OutOfMemory
    } else {
        return false;
    };
    entry.kind = Kind::Event;
    entry.level = Level::Critical;
    entry.error = line;
    entry.signal = Some(Signal::new(Phase::Process, fault));
    true
}

fn fill<'a>(message: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
    entry.error = message;
    entry.kind = Kind::Note;
    if let Some(text) = message.strip_prefix(b"Request finished ") {
        finished(text, entry);
        return;
    }
    if let Some(text) = message.strip_prefix(b"HTTP ")
        && responded(text, entry)
    {
        return;
    }
    let has = |needle: &str| memmem::find(message, needle.as_bytes()).is_some();
    let fault = if message.starts_with(b"Application started.") {
        Some(Fault::Started)
    } else if message.starts_with(b"Application is shutting down") {
        Some(Fault::Stopping)
    } else if has("thread pool starvation") {
        Some(Fault::WorkersExhausted)
    } else {
        None
    };
    if let Some(fault) = fault {
        entry.kind = Kind::Event;
        entry.signal = Some(Signal::new(Phase::Process, fault));
    } else if entry.level >= Level::Warning
        && let Some(found) = cause(rest).or_else(|| faults::application(b"", b"", message))
    {
        entry.kind = if found.signal.phase == Phase::Process {
            Kind::Event
        } else {
            Kind::Failure
        };
        entry.signal = Some(found.signal);
    }
}

/// The innermost exception below the message (` ---> System.Net.Sockets.SocketException (111): Connection refused`).
fn cause(rest: &[u8]) -> Option<faults::Found<'_>> {
    let mut found = None;
    for line in crate::bytes::lines(&rest[..rest.len().min(64 * 1024)]) {
        let text = line.trim_ascii();
        if !text.starts_with(b"at ") && !text.is_empty() {
            found = faults::application(b"", b"", text).or(found);
        }
    }
    found
}

/// `HTTP/1.1 GET http://host/a - 502 0 text/plain 12.3ms`, of .NET 5 to 7 `… - - - 502 0 - 12.3ms`, of older ones
/// `in 12.3ms 502 text/plain`.
fn finished<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    entry.kind = Kind::Request;
    entry.time = entry.time.map(|time| time.marking(Marks::End));
    let status_of = |word: &[u8]| {
        number(word)
            .filter(|_| word.len() == 3)
            .and_then(|n| u16::try_from(n).ok())
    };
    if let Some(old) = text.strip_prefix(b"in ") {
        let mut words = old.split(|byte| *byte == b' ');
        entry.duration_us = words.next().and_then(milliseconds);
        entry.status = words.next().and_then(status_of);
        return;
    }
    let mut words = text.split(|byte| *byte == b' ');
    let _protocol = words.next();
    entry.method = words.next().unwrap_or_default();
    (entry.host, entry.path) = openig::host_and_path(words.next().unwrap_or_default());
    let last = memchr::memrchr(b' ', text).map_or(text, |at| &text[at + 1..]);
    entry.duration_us = milliseconds(last);
    // After the dash: `status length type`, before .NET 8 `type length - status length type`.
    let Some(dash) = memmem::find(text, b" - ") else {
        return;
    };
    let mut tail = &text[dash + 3..];
    if let Some(second) = memmem::find(tail, b" - ").filter(|at| status_of(&tail[..*at.min(&3)]).is_none()) {
        tail = &tail[second + 3..];
    }
    let mut words = tail.split(|byte| *byte == b' ');
    entry.status = words.find_map(status_of);
    entry.bytes_sent = words.next().and_then(number);
}

/// `GET /a responded 502 in 12.3456 ms`.
fn responded<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let Some(at) = memmem::find(text, b" responded ") else {
        return false;
    };
    let mut words = text[at + 11..].split(|byte| *byte == b' ');
    let status = words
        .next()
        .and_then(number)
        .and_then(|status| u16::try_from(status).ok());
    let Some(space) = memchr::memchr(b' ', &text[..at]) else {
        return false;
    };
    if status.is_none() || words.next() != Some(b"in") {
        return false;
    }
    entry.kind = Kind::Request;
    entry.time = entry.time.map(|time| time.marking(Marks::End));
    entry.status = status;
    entry.duration_us = words.next().and_then(|count| decimal_scaled(count, 1_000));
    (entry.method, entry.path) = (&text[..space], &text[space + 1..at]);
    true
}

fn milliseconds(word: &[u8]) -> Option<u64> {
    decimal_scaled(word.strip_suffix(b"ms")?, 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(record: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(record.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{record}"
        );
        entry
    }

    #[test]
    fn a_finished_request_is_read_in_every_generation() {
        for text in [
            "Request finished HTTP/1.1 GET http://localhost:5000/a?b=1 - 502 12 text/plain 12.3456ms",
            "Request finished HTTP/1.1 GET http://localhost:5000/a?b=1 - - - 502 12 text/plain;+charset=utf-8 12.3456ms",
            "Request finished HTTP/1.1 GET http://localhost:5000/a?b=1 application/json 17 - 502 12 - 12.3456ms",
        ] {
            let record = format!("info: Microsoft.AspNetCore.Hosting.Diagnostics[2]\n      {text}");
            let entry = read(&record);
            assert_eq!((entry.kind, entry.status), (Kind::Request, Some(502)), "{text}");
            assert_eq!(
                (entry.duration_us, entry.bytes_sent),
                (Some(12_345), Some(12)),
                "{text}"
            );
            assert_eq!(
                (entry.host, entry.path),
                (b"localhost:5000".as_slice(), b"/a?b=1".as_slice())
            );
        }
        let old = read(
            "info: Microsoft.AspNetCore.Hosting.Internal.WebHost[2]\n      Request finished in 12.3ms 502 text/plain",
        );
        assert_eq!((old.status, old.duration_us), (Some(502), Some(12_300)));
    }

    #[test]
    fn line_by_line_the_message_is_the_entry() {
        let mut parser = Parser::default();
        let mut entry = Entry::default();
        let first = b"2026-11-20T16:23:16.123Z info: Microsoft.AspNetCore.Hosting.Diagnostics[2]";
        assert_eq!(parser.parse(first, &mut entry), Ok(Line::Entry));
        assert_eq!(entry.kind, Kind::Note);
        entry.clear();
        let second = b"      Request finished HTTP/1.1 GET http://x/a - 200 0 - 1.5ms";
        assert_eq!(parser.parse(second, &mut entry), Ok(Line::Entry));
        assert_eq!((entry.kind, entry.status), (Kind::Request, Some(200)));
        assert_eq!(entry.time.map(|time| time.us), Some(1_795_191_796_123_000));
        entry.clear();
        assert_eq!(
            parser.parse(b"      further text", &mut entry),
            Ok(Line::Continuation)
        );
    }

    #[test]
    fn serilogs_request_lines_are_read() {
        let entry = read("2026-11-20 16:23:16.123 +00:00 [INF] HTTP GET /a responded 502 in 12.3456 ms");
        assert_eq!(
            (entry.status, entry.duration_us, entry.path),
            (Some(502), Some(12_345), b"/a".as_slice())
        );
        let entry = read("[16:23:16 ERR] HTTP POST /a responded 500 in 3.0 ms");
        assert_eq!(
            (entry.level, entry.method, entry.time),
            (Level::Error, b"POST".as_slice(), None)
        );
    }

    #[test]
    fn exceptions_and_the_end_of_the_process_are_told() {
        let record = "fail: Shop.Orders[0]\n      no answer\n      System.Net.Http.HttpRequestException: Connection refused (app:80)\n       ---> System.Net.Sockets.SocketException (111): Connection refused\n         at a()";
        assert_eq!(
            read(record).signal,
            Some(Signal::new(Phase::Connect, Fault::Refused))
        );
        let dead = read("Unhandled exception. System.InvalidOperationException: no");
        assert_eq!(
            (dead.kind, dead.signal),
            (
                Kind::Event,
                Some(Signal::new(Phase::Process, Fault::WorkerCrashed))
            )
        );
        let starved = read(
            "warn: Microsoft.AspNetCore.Server.Kestrel[22]\n      As of \"11/20/2026\", the heartbeat has been running for \"00:00:02\". This could be caused by thread pool starvation.",
        );
        assert_eq!(
            starved.signal.map(|signal| signal.fault),
            Some(Fault::WorkersExhausted)
        );
    }
}
