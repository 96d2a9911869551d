//! PHP-FPM: the error log of the process manager, its slow log, and PHP's own errors in the same shape.
//!
//! `[20-Nov-2026 16:23:16] WARNING: [pool www] server reached pm.max_children setting (5), consider raising it`
//! Local time to the second (microseconds at debug level; PHP's own errors name the zone, `[20-Nov-2026 16:23:16 UTC] PHP
//! Fatal error: …`). A request is named where a limit was met: `child 155, script '/a.php' (request: "GET /a.php?x") executing
//! too slow (1.176006 sec), logging` and `… execution timed out (30.1 sec), terminating`. The slow log has
//! `[20-Nov-2026 16:23:16]  [pool www] pid 155`, then `script_filename = …` and the frames, which belong to it.
//! Observed on PHP 8.2. Source: php-src `sapi/fpm/fpm/fpm_request.c`, `fpm_children.c`, `fpm_process_ctl.c`, `fpm_php_trace.c`.

use crate::bytes::memmem;

use crate::bytes::{self, decimal_scaled};
use crate::engine::memory::{self, Memory};
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `php-fpm`.
#[derive(Debug, Clone, Copy)]
pub struct PhpFpm;

impl Plain for PhpFpm {
    const NAME: &'static str = "php-fpm";
    const PRODUCT: Product = Product::PhpFpm;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        super::by_entries(
            head,
            &mut Parser::default(),
            Score::Own,
            "stamps and levels of PHP-FPM",
        )
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
    /// The child whose request was found too long last: it is the one that is killed next.
    timed_out: Memory<u32>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, record: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        self.timed_out.pass(record);
        let (line, rest) = super::jvm::split(record);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let Some((stamp, text)) = stamped(line, &mut self.day) else {
            return if goes_on(line) {
                Ok(Line::Continuation)
            } else {
                Err(LineError::new(0, "time in brackets"))
            };
        };
        entry.time = Some(stamp.marking(Marks::Event));
        if let Some(slow) = text.trim_ascii_start().strip_prefix(b"[pool ") {
            slow_record(slow, rest, entry);
            return Ok(Line::Entry);
        }
        let (level, text) =
            leveled(text.trim_ascii_start()).ok_or(LineError::new(line.len() - text.len(), "level"))?;
        entry.level = level;
        entry.error = text;
        fill(text, entry);
        self.remember_limit(entry);
        Ok(Line::Entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        Some(stamped(line, &mut DayCache::default()).is_some() || !goes_on(line))
    }

    fn lead_in(&self) -> usize {
        memory::LEAD_IN
    }
}

impl Parser {
    /// A child that exits after its request met the limit was killed for that.
    fn remember_limit(&mut self, entry: &mut Entry<'_>) {
        if entry.pid.is_none() {
            return;
        }
        match &mut entry.signal {
            Some(signal) if signal.fault == Fault::WorkerTimedOut => self.timed_out.set(entry.pid),
            Some(signal)
                if matches!(signal.fault, Fault::Stopping | Fault::WorkerCrashed)
                    && self.timed_out.get() == entry.pid =>
            {
                signal.fault = Fault::WorkerTimedOut;
            }
            _ => {}
        }
    }
}

/// The stamp and what follows its bracket.
fn stamped<'a>(line: &'a [u8], day: &mut DayCache) -> Option<(crate::entry::Stamp, &'a [u8])> {
    let inner = line.strip_prefix(b"[")?;
    let (stamp, used) = time::dashed_prefix(inner, day)?;
    // A zone's name may follow, `Europe/Berlin`; then the stamp is that zone's.
    let close = memchr::memchr(b']', &inner[used..]).filter(|at| *at < 40)?;
    Some((stamp, &inner[used + close + 1..]))
}

/// Lines of a slow log's record, and of PHP's traces.
fn goes_on(line: &[u8]) -> bool {
    let starts: [&[u8]; 7] = [
        b"script_filename = ",
        b"[0x",
        b"PHP ",
        b"Stack trace:",
        b"#",
        b"  ",
        b"\t",
    ];
    starts.iter().any(|start| line.starts_with(start))
}

fn leveled(text: &[u8]) -> Option<(Level, &[u8])> {
    const LEVELS: [(&str, Level); 12] = [
        ("DEBUG: ", Level::Debug),
        ("NOTICE: ", Level::Info),
        ("WARNING: ", Level::Warning),
        ("ERROR: ", Level::Error),
        ("ALERT: ", Level::Critical),
        ("PHP Fatal error: ", Level::Error),
        ("PHP Parse error: ", Level::Error),
        ("PHP Warning: ", Level::Warning),
        ("PHP Notice: ", Level::Info),
        ("PHP Deprecated: ", Level::Info),
        ("PHP Recoverable fatal error: ", Level::Error),
        ("PHP ", Level::None),
    ];
    LEVELS
        .iter()
        .find(|(start, _)| text.starts_with(start.as_bytes()))
        .map(|(start, level)| (*level, text[start.len()..].trim_ascii_start()))
}

fn fill<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    entry.kind = Kind::Note;
    let has = |needle: &str| memmem::find(text, needle.as_bytes()).is_some();
    entry.pid = child(text);
    if has("execution timed out (") {
        entry.kind = Kind::Failure;
        entry.signal = Some(Signal::new(Phase::Process, Fault::WorkerTimedOut));
        return request(text, entry);
    }
    if has("executing too slow (") {
        return request(text, entry);
    }
    let fault = if has("max_children setting (") {
        Some(Fault::WorkersExhausted)
    } else if has(" exited on signal ") {
        let orderly = has("(SIGTERM") || has("(SIGQUIT") || has("(SIGINT");
        Some(if orderly {
            Fault::Stopping
        } else {
            Fault::WorkerCrashed
        })
    } else if has("Allowed memory size of ") || has("Out of memory (allocated") {
        Some(Fault::OutOfMemory)
    } else if has("fpm is running, pid") {
        Some(Fault::Started)
    } else if [
        "Terminating ...",
        "exiting, bye-bye!",
        "Finishing ...",
        "Reloading in progress ...",
    ]
    .iter()
    .any(|start| text.starts_with(start.as_bytes()))
    {
        Some(Fault::Stopping)
    } else {
        None
    };
    if let Some(fault) = fault {
        entry.kind = Kind::Event;
        entry.signal = Some(Signal::new(Phase::Process, fault));
    }
}

/// The pid in `[pool www] child 155 exited` and `child 155, script …`.
fn child(text: &[u8]) -> Option<u32> {
    let at = memmem::find(text, b"child ").or_else(|| memmem::find(text, b"pid "))?;
    let rest = &text[at..];
    let digits = &rest[memchr::memchr(b' ', rest)? + 1..];
    let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    bytes::number(&digits[..len]).and_then(|pid| u32::try_from(pid).ok())
}

/// `(request: "GET /a.php?x") … (1.176006 sec)`.
fn request<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    if let Some(at) = memmem::find(text, b"(request: \"") {
        let line = &text[at + 11..];
        let line = &line[..memmem::find(line, b"\")").unwrap_or(line.len())];
        crate::engine::slot::request(line, entry);
    }
    if let Some(end) = memmem::find(text, b" sec)")
        && let Some(open) = memchr::memrchr(b'(', &text[..end])
    {
        entry.response_us = decimal_scaled(&text[open + 1..end], 1_000_000);
    }
}

/// `www] pid 155`, then the script and the frames.
fn slow_record<'a>(text: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
    entry.kind = Kind::Note;
    entry.level = Level::Warning;
    entry.pid = child(text);
    let scripts = bytes::lines(rest).find_map(|line| line.strip_prefix(b"script_filename = "));
    entry.error = scripts.unwrap_or(text);
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

    fn fault(text: &str) -> Option<Fault> {
        let line = format!("[20-Nov-2026 16:23:16] {text}");
        read(&line).signal.map(|signal| signal.fault)
    }

    #[test]
    fn exhaustion_and_deaths_are_events() {
        assert_eq!(
            fault("WARNING: [pool www] server reached pm.max_children setting (5), consider raising it"),
            Some(Fault::WorkersExhausted)
        );
        assert_eq!(
            fault("WARNING: [pool www] server reached max_children setting (5), consider raising it"),
            Some(Fault::WorkersExhausted)
        );
        let died =
            "WARNING: [pool www] child 25 exited on signal 11 (SIGSEGV) after 12.614072 seconds from start";
        assert_eq!(fault(died), Some(Fault::WorkerCrashed));
        assert_eq!(fault("NOTICE: fpm is running, pid 32300"), Some(Fault::Started));
        assert_eq!(fault("NOTICE: exiting, bye-bye!"), Some(Fault::Stopping));
        assert_eq!(fault("NOTICE: [pool www] child 30 started"), None);
    }

    #[test]
    fn a_request_that_met_the_limit_is_named() {
        let line = "[20-Nov-2026 16:23:16] WARNING: [pool www] child 155, script '/var/www/a.php' (request: \"GET /a.php?x=1\") execution timed out (30.176006 sec), terminating";
        let entry = read(line);
        assert_eq!((entry.kind, entry.pid), (Kind::Failure, Some(155)));
        assert_eq!(
            (entry.method, entry.path),
            (b"GET".as_slice(), b"/a.php?x=1".as_slice())
        );
        assert_eq!(entry.response_us, Some(30_176_006));
        assert_eq!(
            entry.time.map(|time| (time.us, time.zone)),
            Some((1_795_191_796_000_000, crate::entry::Zone::Local))
        );
        let slow = line.replace("execution timed out", "executing too slow");
        let slow = read(&slow);
        assert_eq!((slow.kind, slow.signal), (Kind::Note, None));
    }

    #[test]
    fn a_child_that_met_the_limit_did_not_stop_by_itself() {
        let mut parser = Parser::default();
        let lines = [
            "[20-Nov-2026 20:08:33] WARNING: [pool www] child 61, script '/slow.php' (request: \"GET /slow.php?n=6\") execution timed out (3.103523 sec), terminating",
            "[20-Nov-2026 20:08:33] WARNING: [pool www] child 61 exited on signal 15 (SIGTERM) after 4.339841 seconds from start",
            "[20-Nov-2026 20:08:34] WARNING: [pool www] child 62 exited on signal 15 (SIGTERM) after 4.339841 seconds from start",
        ];
        let faults = lines.map(|line| {
            let mut entry = Entry::default();
            parser.parse(line.as_bytes(), &mut entry).unwrap();
            entry.signal.map(|signal| signal.fault)
        });
        let limit = Some(Fault::WorkerTimedOut);
        assert_eq!(faults, [limit, limit, Some(Fault::Stopping)]);
    }

    #[test]
    fn a_slow_log_is_read_with_its_frames() {
        let record = "[20-Nov-2026 16:23:16]  [pool www] pid 155\nscript_filename = /var/www/a.php\n[0x00007f9d46213260] sleep() /var/www/a.php:5\n";
        let entry = read(record);
        assert_eq!(
            (entry.kind, entry.pid, entry.error),
            (Kind::Note, Some(155), b"/var/www/a.php".as_slice())
        );
        for line in record.lines().skip(1) {
            let read = Parser::default().parse(line.as_bytes(), &mut Entry::default());
            assert_eq!(read, Ok(Line::Continuation), "{line}");
        }
    }

    #[test]
    fn phps_own_errors_name_their_zone() {
        let entry = read(
            "[20-Nov-2026 16:23:16 UTC] PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted in /a.php on line 3",
        );
        assert_eq!(entry.time.map(|time| time.zone), Some(crate::entry::Zone::Known));
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Process, Fault::OutOfMemory))
        );
        read("[20-Nov-2026 16:23:16 Europe/Berlin] PHP Warning:  x in /a.php on line 3");
    }
}
