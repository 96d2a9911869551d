//! uWSGI: request lines and what the master says, in one stream.
//!
//! `[pid: 88185|app: 0|req: 1/1] 127.0.0.1 () {38 vars in 696 bytes} [Sun Mar 13 22:49:12 2016] POST /x => generated 47 bytes in 129 msecs (HTTP/1.1 200) 9 headers in 378 bytes (1 switches on core 3)`
//! The time is the start of the request, local, to the second; the duration is in the unit that follows it (`msecs` or
//! `micros`); the bytes after `generated` are the body. The numbers after `req` are the worker's and the server's serials.
//! Other lines may begin with `Sun Mar 13 22:49:12 2016 - `; many have no time.
//! - `*** uWSGI listen queue of socket "…" (fd: N) full !!! (101/100) ***`: the kernel's accept queue is full.
//! - `*** HARAKIRI ON WORKER N (pid: N, try: 1) ***`: the server's own limit; `HARAKIRI [core 0] address - METHOD path since
//!   <epoch>` names the request, `DAMN ! worker N (pid: N) died, killed by signal 9` follows.
//! - `…: Broken pipe [core/writer.c line 341] during GET /path (address)`: the proxy had gone.
//!
//! Observed on uWSGI 2.0.21. Source: uWSGI `core/logging.c` (`ctime_r` of `start_of_request_in_sec`), `core/master_checks.c`, `core/master_utils.c`.

use crate::bytes::memmem;

use crate::bytes::{self, number};
use crate::engine::memory::{self, Memory};
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `uwsgi`.
#[derive(Debug, Clone, Copy)]
pub struct Uwsgi;

impl Plain for Uwsgi {
    const NAME: &'static str = "uwsgi";
    const PRODUCT: Product = Product::Uwsgi;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 5] = [b"[pid: ", b"uWSGI", b"uwsgi_", b"HARAKIRI", b"WSGI app 0"];
        if !marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        super::by_entries(head, &mut Parser::default(), Score::Mark, "words of uWSGI")
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
    /// The worker that last met the server's own limit: it is the one that dies next.
    timed_out: Memory<u32>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        self.timed_out.pass(line);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if line.starts_with(b"[pid: ") {
            self.request(line, entry)?;
            return Ok(Line::Entry);
        }
        let mut text = line;
        if let Some((stamp, used)) = time::asctime_prefix(line, &mut self.day) {
            entry.time = Some(stamp.marking(Marks::Event));
            text = line[used..].strip_prefix(b" - ").unwrap_or(&line[used..]);
        }
        let told = told(text, entry);
        self.remember_limit(entry);
        if told || entry.time.is_some() || is_own(text) {
            entry.error = text;
            return Ok(Line::Entry);
        }
        // The application prints into the same stream, tracebacks and all.
        Ok(Line::Continuation)
    }

    fn lead_in(&self) -> usize {
        memory::LEAD_IN
    }
}

impl Parser {
    /// A worker that dies after it met the limit did not crash.
    fn remember_limit(&mut self, entry: &mut Entry<'_>) {
        if entry.kind != Kind::Event || entry.pid.is_none() {
            return;
        }
        match &mut entry.signal {
            Some(signal) if signal.fault == Fault::WorkerTimedOut => self.timed_out.set(entry.pid),
            Some(signal) if signal.fault == Fault::WorkerCrashed && self.timed_out.get() == entry.pid => {
                signal.fault = Fault::WorkerTimedOut;
            }
            _ => {}
        }
    }

    fn request<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<(), LineError> {
        let mut at = 6;
        let mut upto = |mark: &[u8], want| {
            let found = memmem::find(&line[at..], mark).ok_or(LineError::new(at, want))?;
            let text = &line[at..at + found];
            at += found + mark.len();
            Ok::<_, LineError>(text)
        };
        let pid = upto(b"|", "pid")?;
        upto(b"] ", "serials")?;
        let client = upto(b" (", "client")?;
        upto(b") {", "user")?;
        upto(b"} [", "variables")?;
        let stamp = upto(b"] ", "time")?;
        let method = upto(b" ", "method")?;
        let path = upto(b" => generated ", "path")?;
        let body = upto(b" bytes in ", "byte count")?;
        let elapsed = upto(b" ", "duration")?;
        // `msecs (HTTP/1.1 200) `, or ` via sendfile()` between the two.
        let unit = upto(b"(HTTP/", "status")?;
        upto(b" ", "protocol")?;
        let status = upto(b") ", "status")?;
        let stamp = time::asctime(stamp, &mut self.day).ok_or(LineError::new(0, "time"))?;
        entry.kind = Kind::Request;
        entry.time = Some(stamp.marking(Marks::Start));
        entry.pid = small(pid);
        entry.client = client;
        (entry.method, entry.path) = (method, path);
        entry.bytes_sent = number(body);
        entry.status = small(status).filter(|status| *status != 0);
        let unit_us = if unit.starts_with(b"micros") { 1 } else { 1_000 };
        entry.duration_us = number(elapsed).and_then(|count| count.checked_mul(unit_us));
        Ok(())
    }
}

/// Lines that are neither requests nor known events, yet plainly the server's own.
fn is_own(text: &[u8]) -> bool {
    let starts: [&[u8]; 12] = [
        b"*** ",
        b"uwsgi",
        b"uWSGI",
        b"WSGI app",
        b"mapped ",
        b"detected ",
        b"your ",
        b"mounting ",
        b"HARAKIRI",
        b"- HARAKIRI",
        b"worker ",
        b"gateway ",
    ];
    starts.iter().any(|start| text.starts_with(start))
}

/// The server or a worker stops in good order.
const STOPS: [&str; 5] = [
    "gracefully (RE)spawned",
    "...gracefully killing workers",
    "SIGINT/SIGTERM received",
    "SIGINT/SIGQUIT received",
    "is done. Seeya!",
];

/// Fills `entry` from an event or failure; whether it was one. Everything else becomes a note.
fn told<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> bool {
    entry.kind = Kind::Note;
    let has = |needle: &str| memmem::find(text, needle.as_bytes()).is_some();
    let text = text.strip_prefix(b"- ").unwrap_or(text);
    if let Some(request) = text.strip_prefix(b"HARAKIRI [core ") {
        return harakiri(request, entry);
    }
    let fault = if has("uWSGI listen queue of socket") && has("full !!!") {
        Fault::BacklogFull
    } else if has("HARAKIRI ON WORKER") {
        Fault::WorkerTimedOut
    } else if text.starts_with(b"DAMN ! worker ") {
        let orderly = has("killed by signal 15") || has("killed by signal 2 ");
        if orderly {
            Fault::Stopping
        } else {
            Fault::WorkerCrashed
        }
    } else if text.starts_with(b"!!! uWSGI process ") && has("got Segmentation Fault") {
        Fault::WorkerCrashed
    } else if text.starts_with(b"Respawned uWSGI worker ") || text.starts_with(b"spawned uWSGI ") {
        Fault::Started
    } else if STOPS.iter().any(|words| has(words)) {
        Fault::Stopping
    } else {
        return write_failure(text, entry);
    };
    entry.kind = Kind::Event;
    entry.level = match fault {
        Fault::Started | Fault::Stopping => Level::Info,
        _ => Level::Error,
    };
    let phase = match fault {
        Fault::BacklogFull => Phase::Queue,
        _ => Phase::Process,
    };
    entry.signal = Some(Signal::new(phase, fault));
    entry.pid = pid_in(text);
    true
}

/// `0] 127.0.0.1 - POST /bla?q since 1513692655`: the request that took too long. When it began is in seconds since the
/// epoch while the stamp is local, so the two give no duration.
fn harakiri<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let Some(close) = memmem::find(text, b"] ") else {
        return false;
    };
    let rest = &text[close + 2..];
    let dash = memmem::find(rest, b"- ").unwrap_or(0);
    entry.client = rest[..dash].trim_ascii();
    let mut words = rest
        .get(dash + 2..)
        .unwrap_or_default()
        .split(|byte| *byte == b' ');
    entry.method = words.next().unwrap_or_default();
    entry.path = words.next().unwrap_or_default();
    entry.kind = Kind::Failure;
    entry.level = Level::Error;
    entry.signal = Some(Signal::new(Phase::Process, Fault::WorkerTimedOut));
    true
}

/// `uwsgi_response_write_body_do(): Broken pipe [core/writer.c line 341] during GET /x (10.0.0.1)`, and `SIGPIPE: writing
/// to a closed pipe/socket/fd (probably the client disconnected) on request /x (ip 10.0.0.1) !!!`.
fn write_failure<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let (mark, has_method): (&[u8], bool) = if text.starts_with(b"SIGPIPE: ") {
        (b" on request ", false)
    } else if text.starts_with(b"uwsgi_response_") {
        (b" during ", true)
    } else {
        return false;
    };
    let Some(at) = memmem::find(text, mark) else {
        return false;
    };
    let mut words = text[at + mark.len()..].split(|byte| *byte == b' ');
    if has_method {
        entry.method = words.next().unwrap_or_default();
    }
    entry.path = words.next().unwrap_or_default();
    entry.kind = Kind::Failure;
    entry.level = Level::Warning;
    entry.signal = Some(Signal::new(Phase::Client, Fault::ClientGone));
    true
}

fn pid_in(text: &[u8]) -> Option<u32> {
    let at = memmem::find(text, b"pid: ")?;
    let digits = &text[at + 5..];
    small(&digits[..digits.iter().take_while(|byte| byte.is_ascii_digit()).count()])
}

fn small<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    T::try_from(bytes::number(digits)?).ok()
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

    #[test]
    fn a_request_starts_at_its_stamp_and_names_its_unit() {
        let line = "[pid: 88185|app: 0|req: 3/3] 127.0.0.1 () {34 vars in 617 bytes} [Fri Nov 20 16:23:16 2026] POST /a?b=1 => generated 215 bytes in 68 micros (HTTP/1.1 502) 9 headers in 373 bytes (1 switches on core 8)";
        let entry = read(line);
        assert_eq!(
            (entry.kind, entry.status, entry.duration_us),
            (Kind::Request, Some(502), Some(68))
        );
        assert_eq!(
            (entry.method, entry.path),
            (b"POST".as_slice(), b"/a?b=1".as_slice())
        );
        assert_eq!((entry.pid, entry.bytes_sent), (Some(88_185), Some(215)));
        assert_eq!(
            entry.time.map(|time| (time.us, time.marks)),
            Some((1_795_191_796_000_000, Marks::Start))
        );
        let via = line.replace("68 micros", "68 msecs via sendfile()");
        assert_eq!(read(&via).duration_us, Some(68_000));
    }

    #[test]
    fn the_masters_words_are_events() {
        for (line, phase, fault) in [
            (
                "Fri Nov 20 16:23:16 2026 - *** uWSGI listen queue of socket \"127.0.0.1:56644\" (fd: 4) full !!! (101/100) ***",
                Phase::Queue,
                Fault::BacklogFull,
            ),
            (
                "Fri Nov 20 16:23:16 2026 - *** HARAKIRI ON WORKER 1 (pid: 77, try: 1, graceful: yes) ***",
                Phase::Process,
                Fault::WorkerTimedOut,
            ),
            (
                "DAMN ! worker 1 (pid: 77) died, killed by signal 9 :( trying respawn ...",
                Phase::Process,
                Fault::WorkerCrashed,
            ),
            (
                "Respawned uWSGI worker 1 (new pid: 78)",
                Phase::Process,
                Fault::Started,
            ),
        ] {
            let entry = read(line);
            assert_eq!(
                (entry.kind, entry.signal),
                (Kind::Event, Some(Signal::new(phase, fault))),
                "{line}"
            );
        }
        let mut parser = Parser::default();
        let deaths = [
            "*** HARAKIRI ON WORKER 1 (pid: 77) ***",
            "DAMN ! worker 1 (pid: 77) died, killed by signal 9 :( trying respawn ...",
            "DAMN ! worker 2 (pid: 78) died, killed by signal 9 :( trying respawn ...",
        ];
        let faults = deaths.map(|line| {
            let mut entry = Entry::default();
            parser.parse(line.as_bytes(), &mut entry).unwrap();
            entry.signal.map(|signal| signal.fault)
        });
        let (limit, crash) = (Some(Fault::WorkerTimedOut), Some(Fault::WorkerCrashed));
        assert_eq!(faults, [limit, limit, crash]);
    }

    #[test]
    fn the_request_that_took_too_long_is_a_failure() {
        let entry =
            read("Fri Nov 20 16:23:16 2026 - HARAKIRI [core 0] 127.0.0.1 - POST /bla?q=1 since 1513692655");
        assert_eq!(
            (entry.kind, entry.method, entry.path),
            (Kind::Failure, b"POST".as_slice(), b"/bla?q=1".as_slice())
        );
        assert_eq!(entry.client, b"127.0.0.1");
        let gone = read(
            "uwsgi_response_write_body_do(): Broken pipe [core/writer.c line 341] during GET /x (10.0.0.1)",
        );
        assert_eq!(gone.signal, Some(Signal::new(Phase::Client, Fault::ClientGone)));
        assert_eq!(gone.path, b"/x");
    }
}
