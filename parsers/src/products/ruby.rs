//! What Puma and Unicorn log: their masters of the workers, Puma's threads of requests and of what the application raised.
//!
//! ```text
//! [1] ! Terminating timed out worker (worker failed to check in within 60 seconds): 77
//! [77] 10.0.0.7 - - [20/Nov/2026:16:23:16 +0000] "GET /orders?id=7 HTTP/1.1" 200 - 0.0033
//! 2026-11-20 16:23:16 +0000 Rack app ("GET /raise" - (10.0.0.7)): #<RuntimeError: no such order>
//! E, [2026-11-20T16:23:16.123456 #1] ERROR -- : worker=0 PID:77 timeout (61s > 60s), killing
//! ```
//! The first three are Puma's; as one process it writes no number in front. It says nothing of a worker that exits, only
//! that another has booted. A request is stamped when it has been answered, and took seconds. The last is Unicorn's, in the
//! layout of Ruby's `Logger`: local time, and the process that wrote it. An interpreter that crashes prints pages that begin with
//! `[BUG]`. Other processes write between their lines, so each of these is told by its own shape.
//! Source: Puma 5.6.5 and Unicorn 6.0.0, observed; Puma `lib/puma/cluster.rb`, `lib/puma/error_logger.rb`,
//! `lib/puma/commonlogger.rb`; Unicorn `lib/unicorn/http_server.rb`; Ruby `Logger::Formatter`, `vm_dump.c`,
//! `error.c`.

use crate::bytes::memmem;

use super::clf::{ClfParser, Style};
use crate::bytes;
use crate::engine::slot;
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
    const KIND: RecordKind = RecordKind::Mixed;

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
        let (score, reason) = if marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            (Score::Mark, "words of Puma or Unicorn")
        } else if head.lines().take(Head::LINES).any(is_of_worker) {
            (Score::Own, "requests with Puma's worker in front")
        } else {
            return Sniff::no();
        };
        super::by_entries(head, &mut Parser::default(), score, reason)
    }
}

/// Whether `line` is `[77] 10.0.0.7 - - [20/Nov/2026:16:23:16 +0000] "GET / HTTP/1.1" 200 - 0.0033`.
fn is_of_worker(line: &[u8]) -> bool {
    let entry = &mut Entry::default();
    line.starts_with(b"[") && puma(line, entry).is_some_and(|text| Parser::default().is_request(text, entry))
}

struct Parser {
    day: DayCache,
    requests: ClfParser,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            day: DayCache::default(),
            requests: ClfParser::new(Style::PLAIN),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if memmem::find(line, b": [BUG] ").is_some() {
            told(line, entry);
            return Ok(Line::Entry);
        }
        if is_of_crash(line) {
            return Ok(Line::Continuation);
        }
        if let Some(text) = self.logger(line, entry).or_else(|| puma(line, entry)) {
            if self.is_request(text, entry) {
                return Ok(Line::Entry);
            }
            told(text, entry);
            self.shut_down(text, entry);
            return Ok(Line::Entry);
        }
        if self.is_request(line, entry) || self.raised(line, entry) {
            return Ok(Line::Entry);
        }
        Err(LineError::new(0, "process in brackets"))
    }
}

/// How lines begin that a crashed interpreter prints: titles, frames, registers, what was loaded, how to report it.
const OF_CRASH: [&[u8]; 10] = [
    b"-- ",
    b"c:",
    b"* Loaded ",
    b"* Process memory map:",
    b"Total ractor count: ",
    b"Ruby thread count for this ractor: ",
    b"[NOTE]",
    b"You may have encountered a bug in the Ruby interpreter",
    b"Bug reports are welcome",
    b"For details: http",
];

/// Whether a line is one of those below `[BUG]`.
fn is_of_crash(line: &[u8]) -> bool {
    let has = |needle: &[u8]| memmem::find(line, needle).is_some();
    OF_CRASH.iter().any(|start| line.starts_with(start))
        || line.starts_with(b"ruby ") && has(b") [")
        // Registers, a frame in C, one in Ruby.
        || line.starts_with(b" ") && has(b": 0x")
        || has(b"0x") && line.ends_with(b"]") && !line.starts_with(b"[")
        || has(b":in `") || has(b":in '")
        || is_of_list(line)
}

/// Whether a line is a feature that was loaded, `   12 /usr/lib/ruby/3.1.0/etc.so`, or a mapping of memory,
/// `7f183ca29000-7f183cc00000 r--s 00000000 fe:00 326279`.
fn is_of_list(line: &[u8]) -> bool {
    let mut words = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let (Some(first), Some(second)) = (words.next(), words.next()) else {
        return false;
    };
    let is_hex = |word: &[u8]| word.len() >= 8 && word.iter().all(u8::is_ascii_hexdigit);
    let is_span = |at: usize| is_hex(&first[..at]) && is_hex(&first[at + 1..]);
    if let Some(at) = memchr::memchr(b'-', first) {
        return is_span(at) && second.len() == 4 && second.iter().all(|byte| b"rwxsp-".contains(byte));
    }
    line.starts_with(b" ")
        && first.iter().all(u8::is_ascii_digit)
        && (second.ends_with(b".rb") || second.ends_with(b".so"))
}

/// What a message tells of a process.
fn told<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    entry.error = text;
    entry.kind = Kind::Note;
    if let Some(fault) = fault(text) {
        entry.kind = Kind::Event;
        entry.signal = Some(Signal::new(Phase::Process, fault));
        entry.pid = worker(text).or(entry.pid);
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

    /// Whether `text` is one of Puma's access lines.
    fn is_request<'a>(&mut self, text: &'a [u8], entry: &mut Entry<'a>) -> bool {
        if memmem::find(text, b"] \"").is_none() {
            return false;
        }
        let pid = entry.pid;
        let is_request = self.requests.parse(text, entry) == Ok(Line::Entry);
        if !is_request {
            entry.clear();
        }
        entry.pid = pid;
        is_request
    }

    /// `2026-11-20 16:23:16 +0000 Rack app ("GET /raise" - (10.0.0.7)): #<RuntimeError: no such order>`: Puma answers 500.
    fn raised<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> bool {
        let Some((stamp, used)) = time::iso_prefix(line, &mut self.day) else {
            return false;
        };
        let Some((open, close)) = memmem::find(&line[used..], b" (\"")
            .zip(memmem::find(&line[used..], b"\" - ("))
            .filter(|(open, close)| open + 3 <= *close)
        else {
            return false;
        };
        let rest = &line[used..];
        entry.time = Some(stamp.marking(Marks::Event));
        entry.level = Level::Error;
        slot::request(&rest[open + 3..close], entry);
        let client = &rest[close + 5..];
        entry.client = &client[..memchr::memchr(b')', client).unwrap_or(0)];
        entry.error = rest.trim_ascii_start();
        entry.kind = Kind::Note;
        true
    }

    /// The time in `=== puma shutdown: 2026-11-20 16:23:16 +0000 ===`, the only one that Puma's master writes.
    fn shut_down(&mut self, text: &[u8], entry: &mut Entry<'_>) {
        let stamp = text.strip_prefix(b"=== puma shutdown: ");
        if let Some((stamp, _)) = stamp.and_then(|stamp| time::iso_prefix(stamp, &mut self.day)) {
            entry.time = Some(stamp.marking(Marks::Event));
        }
    }
}

/// How lines of Puma begin where it is one process.
const ALONE: [&[u8]; 6] = [
    b"Puma starting",
    b"* ",
    b"=== puma",
    b"Use Ctrl-C to stop",
    b"- Gracefully ",
    b"- Goodbye!",
];

/// `[1] ! text`, `[1] - text`, `[1] === puma shutdown: … ===`, and the same without the process.
fn puma<'a>(line: &'a [u8], entry: &mut Entry<'a>) -> Option<&'a [u8]> {
    if ALONE.iter().any(|start| line.starts_with(start)) {
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
    } else if has(": [BUG] ") {
        Some(Fault::WorkerCrashed)
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
    // Any other number at the end of a line is something else: an address, a count of threads.
    let ends = text.starts_with(b"! Terminating").then_some(text)?;
    small(&ends[memchr::memrchr(b' ', ends)? + 1..])
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
    fn what_a_crashed_interpreter_prints_is_understood_whatever_stands_between() {
        let page = "puma/cluster/worker.rb:136: [BUG] Segmentation fault at 0x000000000000518f
ruby 3.1.2p20 (2022-04-12 revision 4491bb740a) [x86_64-linux-gnu]

-- Control frame information -----------------------------------------------
c:0017 p:---- s:0104 e:000103 CFUNC  :join
[77] 10.0.0.7 - - [20/Nov/2026:16:23:16 +0000] \"GET / HTTP/1.1\" 200 - 0.0002
c:0011 p:0051 s:0065 e:000064 BLOCK  /usr/lib/ruby/puma/cluster.rb:79 [FINISH]

-- Ruby level backtrace information ----------------------------------------
puma/cluster.rb:97:in `fork'

-- Machine register context ------------------------------------------------
 RIP: 0x00007fc9fd93e267 RBP: 0x000000000000000b RSP: 0x00007fff91026d78
  R8: 0x0000000000000000  R9: 0x000055b9742e76f0 R10: 0x0000000000000010

-- C level backtrace information -------------------------------------------
/lib/x86_64-linux-gnu/libc.so.6(ppoll+0xa6) [0x7f1841d1a366]
puma: cluster worker 0: 22061 [puma](_start+0x21) [0x56410a109151]

-- Other runtime information -----------------------------------------------

* Loaded script: puma: cluster worker 0: 22061 [puma]

* Loaded features:

    0 enumerator.so
  101 /usr/lib/ruby/3.1.0/etc.so

* Process memory map:

56410d013000-56410d762000 rw-p 00000000 00:00 0                          [heap]
7f1820021000-7f1824000000 ---p 00000000 00:00 0

[1] - Worker 0 (PID: 78) booted in 0.07s, phase: 0";
        // Of a parser each: a part of a file may begin with any of them.
        let read = |line: &str| Parser::default().parse(line.as_bytes(), &mut Entry::default());
        let entries: Vec<&str> = page
            .lines()
            .filter(|line| read(line) == Ok(Line::Entry))
            .collect();
        assert_eq!(entries.len(), 3, "{entries:?}");
        for line in page.lines() {
            assert!(read(line).is_ok(), "{line}");
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
