//! What Puma's and Unicorn's masters say of their workers.
//!
//! `[1] ! Terminating timed out worker (Worker 0 failed to check in within 60 seconds): 77` (Puma, no time of its own) and
//! `E, [2026-11-20T16:23:16.123456 #1] ERROR -- : worker=0 PID:77 timeout (61s > 60s), killing` (Unicorn, the layout of
//! Ruby's `Logger`: local time, the process that wrote it).
//! Source: Puma `lib/puma/cluster.rb`; Unicorn `lib/unicorn/http_server.rb`; Ruby `Logger::Formatter`.

use crate::bytes::memmem;

use crate::bytes;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `ruby-workers`.
#[derive(Debug, Clone, Copy)]
pub struct RubyWorkers;

impl Plain for RubyWorkers {
    const NAME: &'static str = "ruby-workers";
    const PRODUCT: Product = Product::Ruby;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 6] = [
            b"Puma starting in ",
            b"] ! Terminating timed out worker",
            b"] - Worker ",
            b"=== puma ",
            b" -- : worker=",
            b" -- : reaped #<Process::Status",
        ];
        if !marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        super::by_entries(
            head,
            &mut Parser::default(),
            Score::Mark,
            "words of Puma or Unicorn",
        )
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let text = match self.logger(line, entry) {
            Some(text) => text,
            None => puma(line, entry).ok_or(LineError::new(0, "process in brackets"))?,
        };
        entry.error = text;
        entry.kind = Kind::Note;
        if let Some(fault) = fault(text) {
            entry.kind = Kind::Event;
            entry.signal = Some(Signal::new(Phase::Process, fault));
            entry.pid = worker(text).or(entry.pid);
        }
        Ok(Line::Entry)
    }
}

impl Parser {
    /// `E, [2026-11-20T16:23:16.123456 #1] ERROR -- : text`.
    fn logger<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
        let rest = line.get(1..)?.strip_prefix(b", [")?;
        let (stamp, used) = time::iso_prefix(rest, &mut self.day)?;
        let rest = rest[used..].strip_prefix(b" #")?;
        let close = memmem::find(rest, b"] ")?;
        let rest_of = &rest[close + 2..];
        let dashes = memmem::find(rest_of, b" -- ")?;
        entry.time = Some(stamp.marking(Marks::Event));
        entry.pid = small(&rest[..close]);
        entry.level = match rest_of[..dashes].trim_ascii() {
            b"DEBUG" => Level::Debug,
            b"INFO" => Level::Info,
            b"WARN" => Level::Warning,
            b"ERROR" => Level::Error,
            b"FATAL" => Level::Critical,
            _ => Level::None,
        };
        let text = &rest_of[dashes + 4..];
        Some(memmem::find(text, b": ").map_or(text, |at| &text[at + 2..]))
    }
}

/// `[1] ! text`, `[1] - text`, `[1] === puma shutdown: … ===`, and the first lines of a start.
fn puma<'a>(line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
    if line.starts_with(b"Puma starting") || line.starts_with(b"* ") || line.starts_with(b"=== puma") {
        return Some(line);
    }
    let inner = line.strip_prefix(b"[")?;
    let close = memmem::find(inner, b"] ").filter(|at| *at < 12)?;
    entry.pid = Some(small(&inner[..close])?);
    Some(&inner[close + 2..])
}

fn fault(text: &[u8]) -> Option<Fault> {
    let has = |needle: &str| memmem::find(text, needle.as_bytes()).is_some();
    let starts = |start: &str| text.starts_with(start.as_bytes());
    if starts("! Terminating timed out worker") || starts("worker=") && has(" timeout (") {
        Some(Fault::WorkerTimedOut)
    } else if starts("reaped #<Process::Status") {
        // Exit 0 and the signals of an orderly stop.
        let orderly = has("exit 0>") || has("SIGTERM") || has("SIGQUIT") || has("SIGINT");
        Some(if orderly {
            Fault::Stopping
        } else {
            Fault::WorkerCrashed
        })
    } else if starts("- Worker ") && has(" booted")
        || starts("worker=") && has(" ready")
        || has("Puma starting in ")
    {
        Some(Fault::Started)
    } else if starts("- Gracefully shutting down")
        || starts("- Gracefully stopping")
        || has("=== puma shutdown")
    {
        Some(Fault::Stopping)
    } else {
        None
    }
}

/// The worker's process: at the end of Puma's line, after `PID:` or `pid ` in Unicorn's.
fn worker(text: &[u8]) -> Option<u32> {
    for mark in ["PID: ", "PID:", "pid "] {
        if let Some(at) = memmem::find(text, mark.as_bytes()) {
            let rest = &text[at + mark.len()..];
            return small(&rest[..rest.iter().take_while(|byte| byte.is_ascii_digit()).count()]);
        }
    }
    small(&text[memchr::memrchr(b' ', text)? + 1..])
}

fn small(digits: &[u8]) -> Option<u32> {
    u32::try_from(bytes::number(digits)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_is_killed_is_named() {
        for (line, fault, pid) in [
            (
                "[1] ! Terminating timed out worker (Worker 0 failed to check in within 60 seconds): 77",
                Fault::WorkerTimedOut,
                77,
            ),
            (
                "[1] ! Terminating timed out worker: 77",
                Fault::WorkerTimedOut,
                77,
            ),
            (
                "[1] - Worker 0 (PID: 77) booted in 0.02s, phase: 0",
                Fault::Started,
                77,
            ),
            (
                "E, [2026-11-20T16:23:16.123456 #1] ERROR -- : worker=0 PID:77 timeout (61s > 60s), killing",
                Fault::WorkerTimedOut,
                77,
            ),
            (
                "E, [2026-11-20T16:23:16.123456 #1] ERROR -- : reaped #<Process::Status: pid 77 SIGKILL (signal 9)> worker=0",
                Fault::WorkerCrashed,
                77,
            ),
        ] {
            let mut entry = Entry::default();
            assert_eq!(
                Parser::default().parse(line.as_bytes(), &mut entry),
                Ok(Line::Entry),
                "{line}"
            );
            assert_eq!(
                (entry.signal, entry.pid),
                (Some(Signal::new(Phase::Process, fault)), Some(pid)),
                "{line}"
            );
        }
    }

    #[test]
    fn other_programs_in_brackets_are_refused() {
        for line in [
            "[Fri Nov 20 16:32:23 2026] [notice] x",
            "[pid: 1|app: 0] x",
            "I, am no log",
        ] {
            assert!(
                Parser::default()
                    .parse(line.as_bytes(), &mut Entry::default())
                    .is_err(),
                "{line}"
            );
        }
    }
}
