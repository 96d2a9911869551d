//! What Linux and systemd say in the system's log (`kern.log`, `messages`, `syslog`): why a process is gone, and what the
//! network dropped.
//!
//! The syslog header, and with it the time, is taken off before; the kernel's own `[12345.678901] ` may remain.
//! - `Out of memory: Killed process 77 (node) total-vm:…` (older: `Kill process`), `Memory cgroup out of memory: Killed …`;
//! - `TCP: request_sock_TCP: Possible SYN flooding on port 8080. Sending cookies.` (`… Dropping request.`): the accept queue
//!   of that port is full;
//! - `nf_conntrack: table full, dropping packet` (`nf_conntrack: nf_conntrack: …`);
//! - `node[77]: segfault at …`, `traps: …`;
//! - systemd: `app.service: Main process exited, code=killed, status=9/KILL`, `… Failed with result 'oom-kill'`.
//!
//! Lines of other programs are theirs: they count as understood but tell nothing here.
//! Source: Linux `mm/oom_kill.c`, `net/ipv4/tcp_input.c`, `net/netfilter/nf_conntrack_core.c`; systemd `src/core/service.c`.

use std::sync::Arc;

use crate::bytes::memmem;

use crate::bytes;
use crate::entry::{Entry, Fault, Kind, Level, Phase, Signal};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};

/// The format `linux`.
#[derive(Debug, Clone, Copy)]
pub struct Linux;

impl Format for Linux {
    fn name(&self) -> &str {
        "linux"
    }

    fn product(&self) -> Product {
        Product::Linux
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Error
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        // A log of many programs is read for the system's words only if it has some, and only if nothing else reads it.
        if !head.lines().take(Head::LINES).any(|line| signal(line).is_some()) {
            return Sniff::no();
        }
        Sniff::by_parsing(
            head,
            &mut Parser,
            Score::Shape,
            "messages of the kernel or of systemd",
        )
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for Linux {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser)
    }
}

/// Messages of whatever programs share a system's log or a composition's output, each a note with the time that stands
/// around it; the system's own words are events as in [`Linux`].
///
/// Any line would do, so this claims nothing by itself: detection takes it for wrapped lines that no other format reads.
#[derive(Debug, Clone, Copy)]
pub struct Messages;

impl Messages {
    /// Its name.
    pub const NAME: &'static str = "messages";
}

impl Format for Messages {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn product(&self) -> Product {
        Product::Linux
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Error
    }

    fn about(&self) -> String {
        "messages of programs that have no format of their own here, in the system's log".to_owned()
    }

    fn sniff(&self, _head: &Head<'_>) -> Sniff {
        Sniff::no()
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for Messages {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(MessageParser)
    }
}

struct MessageParser;

impl LineParser for MessageParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() || Parser.parse(line, entry)? == Line::Entry {
            return Ok(if line.is_empty() {
                Line::Directive
            } else {
                Line::Entry
            });
        }
        entry.kind = Kind::Note;
        entry.error = line;
        Ok(Line::Entry)
    }
}

struct Parser;

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let Some((found, pid)) = signal(line) else {
            return Ok(Line::Directive);
        };
        entry.kind = Kind::Event;
        entry.level = Level::Error;
        entry.signal = Some(found);
        entry.pid = pid;
        entry.error = line;
        Ok(Line::Entry)
    }
}

/// What a line of the kernel or of systemd tells, and of which process.
fn signal(line: &[u8]) -> Option<(Signal, Option<u32>)> {
    let has = |needle: &str| memmem::find(line, needle.as_bytes()).is_some();
    let after =
        |mark: &str| memmem::find(line, mark.as_bytes()).and_then(|at| digits(&line[at + mark.len()..]));
    let process = |fault, pid| Some((Signal::new(Phase::Process, fault), pid));
    if has("ut of memory: Kill") {
        return process(Fault::OutOfMemory, after(" process "));
    }
    if has("ossible SYN flooding on port") {
        return Some((Signal::new(Phase::Queue, Fault::BacklogFull), None));
    }
    if has("table full, dropping packet") {
        return Some((Signal::new(Phase::Connect, Fault::ResourceExhausted), None));
    }
    if has("]: segfault at ") || has("traps: ") && has(" general protection") {
        let pid = memmem::find(line, b"]: segfault")
            .and_then(|end| Some(memchr::memrchr(b'[', &line[..end])? + 1))
            .and_then(|at| digits(&line[at..]));
        return process(Fault::WorkerCrashed, pid);
    }
    if has("Failed with result 'oom-kill'") || has("A process of this unit has been killed by the OOM killer")
    {
        return process(Fault::OutOfMemory, None);
    }
    if has("Main process exited, code=killed") || has("main process exited, code=killed") {
        let orderly = has("status=15/TERM") || has("status=2/INT") || has("status=3/QUIT");
        let fault = if orderly {
            Fault::Stopping
        } else {
            Fault::WorkerCrashed
        };
        return process(fault, None);
    }
    if has("Main process exited, code=dumped")
        || has("Main process exited, code=exited") && !has("status=0/SUCCESS")
    {
        return process(Fault::WorkerCrashed, None);
    }
    None
}

fn digits(text: &[u8]) -> Option<u32> {
    let len = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes::number(&text[..len]).and_then(|pid| u32::try_from(pid).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_words_are_events() {
        for (line, phase, fault, pid) in [
            (
                "[12345.678901] Out of memory: Killed process 77 (node) total-vm:1kB, anon-rss:1kB",
                Phase::Process,
                Fault::OutOfMemory,
                Some(77),
            ),
            (
                "Out of memory: Kill process 77 (java) score 905 or sacrifice child",
                Phase::Process,
                Fault::OutOfMemory,
                Some(77),
            ),
            (
                "Memory cgroup out of memory: Killed process 77 (node) total-vm:1kB",
                Phase::Process,
                Fault::OutOfMemory,
                Some(77),
            ),
            (
                "TCP: request_sock_TCP: Possible SYN flooding on port 8080. Sending cookies.  Check SNMP counters.",
                Phase::Queue,
                Fault::BacklogFull,
                None,
            ),
            (
                "nf_conntrack: nf_conntrack: table full, dropping packet",
                Phase::Connect,
                Fault::ResourceExhausted,
                None,
            ),
            (
                "node[77]: segfault at 0 ip 0000 sp 0000 error 6 in node[400000+824000]",
                Phase::Process,
                Fault::WorkerCrashed,
                Some(77),
            ),
            (
                "shop.service: Main process exited, code=killed, status=9/KILL",
                Phase::Process,
                Fault::WorkerCrashed,
                None,
            ),
            (
                "shop.service: Main process exited, code=killed, status=15/TERM",
                Phase::Process,
                Fault::Stopping,
                None,
            ),
            (
                "shop.service: Failed with result 'oom-kill'.",
                Phase::Process,
                Fault::OutOfMemory,
                None,
            ),
        ] {
            let mut entry = Entry::default();
            assert_eq!(
                Parser.parse(line.as_bytes(), &mut entry),
                Ok(Line::Entry),
                "{line}"
            );
            assert_eq!(
                (entry.signal, entry.pid),
                (Some(Signal::new(phase, fault)), pid),
                "{line}"
            );
        }
    }

    #[test]
    fn a_message_of_any_program_is_a_note_and_the_systems_an_event() {
        for (line, kind) in [
            ("(root) CMD (run-parts)", Kind::Note),
            ("Out of memory: Killed process 77 (node)", Kind::Event),
        ] {
            let mut entry = Entry::default();
            assert_eq!(MessageParser.parse(line.as_bytes(), &mut entry), Ok(Line::Entry));
            assert_eq!((entry.kind, entry.error), (kind, line.as_bytes()));
        }
    }

    #[test]
    fn lines_of_others_tell_nothing() {
        for line in [
            "eth0: link up",
            "Started shop.service.",
            "shop.service: Main process exited, code=exited, status=0/SUCCESS",
        ] {
            assert_eq!(
                Parser.parse(line.as_bytes(), &mut Entry::default()),
                Ok(Line::Directive),
                "{line}"
            );
            let head = Head {
                bytes: line.as_bytes(),
                hints: &[],
                date_hint: None,
            };
            assert_eq!(Linux.sniff(&head).score, Score::No);
        }
    }
}
