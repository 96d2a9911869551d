//! gunicorn's error log: the lives and deaths of its workers.
//!
//! `[2024-01-01 00:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:123)`
//! The bracketed pid wrote the line; a pid in the text is the worker it is about. Tracebacks follow on lines of their own.
//! Source: gunicorn `glogging.py` and `arbiter.py`.

use crate::bytes::memmem;

use crate::bytes;
use crate::engine::memory::{self, Memory};
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `gunicorn-error`.
#[derive(Debug, Clone, Copy)]
pub struct GunicornError;

impl Plain for GunicornError {
    const NAME: &'static str = "gunicorn-error";
    const PRODUCT: Product = Product::Gunicorn;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 4] = [
            b"gunicorn",
            b"Booting worker with pid",
            b"WORKER TIMEOUT (pid:",
            b"Worker exiting (pid:",
        ];
        let marked = marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some());
        let score = if marked { Score::Mark } else { Score::Shape };
        Sniff::by_parsing(head, &mut Parser::default(), score, "lines of gunicorn's logger")
    }
}

#[derive(Default)]
struct Parser {
    cache: DayCache,
    /// The worker that was last found too slow: it is the one that is killed next.
    timed_out: Memory<u32>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        self.timed_out.pass(line);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let Some(rest) = line.strip_prefix(b"[") else {
            return if is_traceback(line) {
                Ok(Line::Continuation)
            } else {
                Err(LineError::new(0, "time in brackets"))
            };
        };
        let (stamp, used) = time::iso_prefix(rest, &mut self.cache).ok_or(LineError::new(1, "time"))?;
        let at = 1 + used;
        let rest = line[at..].strip_prefix(b"] [").ok_or(LineError::new(at, "pid"))?;
        let (pid, rest) = until_bracket(rest).ok_or(LineError::new(at + 3, "pid"))?;
        let writer = small(pid).ok_or(LineError::new(at + 3, "pid"))?;
        let rest = rest
            .strip_prefix(b" [")
            .ok_or(LineError::new(at + 4 + pid.len(), "level"))?;
        let (name, text) = until_bracket(rest).ok_or(LineError::new(at + 6 + pid.len(), "level"))?;
        let text = text.trim_ascii_start();
        entry.time = Some(stamp.marking(Marks::Event));
        entry.level = level(name);
        entry.pid = worker_in(text).or(Some(writer));
        entry.error = text;
        self.fill(text, writer, entry);
        Ok(Line::Entry)
    }

    fn lead_in(&self) -> usize {
        memory::LEAD_IN
    }
}

impl Parser {
    fn fill<'a>(&mut self, text: &'a [u8], writer: u32, entry: &mut Entry<'a>) {
        let starts = |start: &str| text.starts_with(start.as_bytes());
        if let Some(request) = text.strip_prefix(b"Error handling request ") {
            return self.fill_failure(request, writer, entry);
        }
        let of_client = match () {
            () if starts("Ignoring EPIPE") => Some(Fault::ClientGone),
            () if starts("Invalid request from ip=") => Some(Fault::Other),
            () => None,
        };
        if let Some(fault) = of_client {
            entry.kind = Kind::Failure;
            entry.signal = Some(Signal::new(Phase::Client, fault));
            return;
        }
        let fault = self.fault(text, entry.pid);
        entry.kind = if fault.is_some() { Kind::Event } else { Kind::Note };
        entry.signal = fault.map(|fault| Signal::new(Phase::Process, fault));
    }

    /// A request whose handler raised: `/orders`, in recent versions `GET /orders`. A worker that is too slow
    /// is first asked to stop, which raises in whatever it was doing.
    fn fill_failure<'a>(&self, request: &'a [u8], writer: u32, entry: &mut Entry<'a>) {
        entry.kind = Kind::Failure;
        let (method, path) = match memchr::memchr(b' ', request) {
            Some(space) if request.first() != Some(&b'(') => (&request[..space], &request[space + 1..]),
            _ => (&request[..0], request),
        };
        entry.method = method;
        entry.path = if path == b"(no URI read)" { &[] } else { path };
        let fault = if self.timed_out.get() == Some(writer) {
            Fault::WorkerTimedOut
        } else {
            Fault::Other
        };
        entry.signal = Some(Signal::new(Phase::Process, fault));
    }

    fn fault(&mut self, text: &[u8], worker: Option<u32>) -> Option<Fault> {
        let starts = |start: &str| text.starts_with(start.as_bytes());
        let has = |needle: &str| memmem::find(text, needle.as_bytes()).is_some();
        if starts("WORKER TIMEOUT") {
            self.timed_out.set(worker);
            return Some(Fault::WorkerTimedOut);
        }
        if starts("Worker (pid:") {
            let killed = has("SIGKILL") || has("signal 9");
            let orderly = has("SIGTERM") || has("signal 15") || has("SIGINT") || has("SIGQUIT");
            return Some(match () {
                () if self.timed_out.get().is_some() && self.timed_out.get() == worker => {
                    Fault::WorkerTimedOut
                }
                () if killed => Fault::OutOfMemory,
                () if orderly => Fault::Stopping,
                () => Fault::WorkerCrashed,
            });
        }
        let stops = [
            "Worker exiting",
            "Shutting down",
            "Hang up: ",
            "Autorestarting worker",
            "Worker reloading",
        ];
        let signals = ["term", "hup", "int", "quit", "winch", "usr2"];
        let signal = text.strip_prefix(b"Handling signal: ");
        match () {
            () if starts("Starting gunicorn") || starts("Booting worker") => Some(Fault::Started),
            () if stops.iter().any(|start| starts(start)) => Some(Fault::Stopping),
            () if signal.is_some_and(|name| signals.iter().any(|known| name == known.as_bytes())) => {
                Some(Fault::Stopping)
            }
            () if starts("Exception in worker process") || starts("Worker failed to boot") => {
                Some(Fault::WorkerCrashed)
            }
            () => None,
        }
    }
}

/// `text` up to the next `]`, and what follows it.
fn until_bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b']', text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// The worker that `text` is about: `(pid:123)`, `(pid: 123)`, `with pid: 123`.
fn worker_in(text: &[u8]) -> Option<u32> {
    let at = memmem::find(text, b"pid:")?;
    let digits = text[at + 4..].trim_ascii_start();
    let end = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    small(&digits[..end])
}

fn small(digits: &[u8]) -> Option<u32> {
    u32::try_from(bytes::number(digits)?).ok()
}

/// Python tracebacks: indented frames, the line that opens them, and the exception that closes them.
fn is_traceback(line: &[u8]) -> bool {
    let starts: [&[u8]; 4] = [b" ", b"\t", b"Traceback ", b"During handling of "];
    let name = line
        .split(|&byte| byte == b':' || byte == b' ')
        .next()
        .unwrap_or_default();
    let named = [
        b"Error".as_slice(),
        b"Exception",
        b"SystemExit",
        b"KeyboardInterrupt",
    ];
    starts.iter().any(|start| line.starts_with(start)) || named.iter().any(|end| name.ends_with(end))
}

fn level(name: &[u8]) -> Level {
    match name {
        b"DEBUG" => Level::Debug,
        b"INFO" => Level::Info,
        b"WARNING" => Level::Warning,
        b"ERROR" => Level::Error,
        b"CRITICAL" => Level::Critical,
        _ => Level::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(parser: &mut Parser, line: &'a str) -> Entry<'a> {
        let mut entry = Entry::default();
        assert_eq!(
            parser.parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    fn fault(parser: &mut Parser, text: &str) -> Option<Fault> {
        let line = format!("[2024-01-01 00:00:00 +0000] [7] [INFO] {text}");
        read(parser, &line).signal.map(|signal| signal.fault)
    }

    #[test]
    fn a_worker_killed_after_its_timeout_did_not_run_out_of_memory() {
        let mut parser = Parser::default();
        let entry = read(
            &mut parser,
            "[2024-01-01 00:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:123)",
        );
        assert_eq!((entry.kind, entry.pid), (Kind::Event, Some(123)));
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Process, Fault::WorkerTimedOut))
        );
        assert_eq!(entry.time.unwrap().us, 1_704_067_200_000_000);
        let killed = "Worker (pid:123) was sent SIGKILL! Perhaps out of memory?";
        assert_eq!(fault(&mut parser, killed), Some(Fault::WorkerTimedOut));
        assert_eq!(fault(&mut Parser::default(), killed), Some(Fault::OutOfMemory));
    }

    #[test]
    fn starts_and_stops_are_events_and_the_rest_notes() {
        let mut parser = Parser::default();
        assert_eq!(
            fault(&mut parser, "Booting worker with pid: 8"),
            Some(Fault::Started)
        );
        assert_eq!(
            fault(&mut parser, "Starting gunicorn 20.1.0"),
            Some(Fault::Started)
        );
        assert_eq!(
            fault(&mut parser, "Worker exiting (pid: 8)"),
            Some(Fault::Stopping)
        );
        assert_eq!(fault(&mut parser, "Handling signal: hup"), Some(Fault::Stopping));
        assert_eq!(fault(&mut parser, "Handling signal: usr1"), None);
        assert_eq!(
            fault(&mut parser, "Worker (pid:9) exited with code 1"),
            Some(Fault::WorkerCrashed)
        );
        assert_eq!(
            fault(&mut parser, "Listening at: http://127.0.0.1:8000 (7)"),
            None
        );
    }

    #[test]
    fn a_failed_request_names_its_path_and_its_traceback_follows() {
        let mut parser = Parser::default();
        let entry = read(
            &mut parser,
            "[2024-01-01 00:00:00 +0000] [7] [ERROR] Error handling request /orders?id=7",
        );
        assert_eq!(
            (entry.kind, entry.path),
            (Kind::Failure, b"/orders?id=7".as_slice())
        );
        for line in [
            "Traceback (most recent call last):",
            "  File \"x.py\", line 1",
            "ValueError: no",
        ] {
            assert_eq!(
                parser.parse(line.as_bytes(), &mut Entry::default()),
                Ok(Line::Continuation)
            );
        }
        let other = parser.parse(b"127.0.0.1 - - \"GET / HTTP/1.1\" 200 1", &mut Entry::default());
        assert_eq!(other, Err(LineError::new(0, "time in brackets")));
    }
}
