//! Text logs of programs on the JVM: Spring Boot, logback and log4j patterns, WildFly, and Tomcat's and Jetty's own logs.
//!
//! ```text
//! 2025-01-24T07:00:30.139Z  INFO 1 --- [app] [nio-8080-exec-1] [<32 hex>-<16 hex>] c.e.Orders : text
//! 2025-01-24 07:00:30.139  INFO [app,<trace>,<span>] 1 --- [main] c.e.Orders : text
//! 2025-01-24 07:00:30,139 [main] INFO  com.example.Orders - text
//! 07:00:30.139 [main] INFO  com.example.Orders - text
//! 2025-01-24 07:00:30,139 INFO  [com.example.Orders] (default task-1) text
//! 06-Mar-2023 18:34:17.383 SEVERE [main] org.apache.catalina.startup.Catalina.start text
//! 2025-01-24 07:00:30.139:WARN:oejs.HttpChannel:qtp1-23: text
//! ```
//! The time is when the line was written: local time unless it has an offset; a time of day alone is of the day that the
//! file's name gives. A record goes on until the next line that begins one: multi-line messages and stack traces belong
//! to it. Trace ids in brackets (Sleuth, Spring Boot 3 correlation) are taken by their shape.
//! Source: Jetty 9.4.57, observed; Spring Boot reference, "Logging"; Tomcat documentation, `org.apache.juli.OneLineFormatter`; logback manual,
//! "Layouts".

use std::sync::Arc;

use crate::bytes::memmem;

use super::jvm;
use crate::bytes;
use crate::engine::id;
use crate::entry::{Entry, Fault, Ids, Kind, Level, Marks, Phase, Signal, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `java-text`.
#[derive(Debug, Clone, Copy)]
pub struct JavaText;

/// The format `catalina`: Tomcat's own log, and whatever the applications in it print.
#[derive(Debug, Clone, Copy)]
pub struct Catalina;

impl Format for JavaText {
    fn name(&self) -> &str {
        "java-text"
    }

    fn product(&self) -> Product {
        Product::Java
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let of_boot = |first: &First<'_>| first.of_boot;
        let sure = sniff(head, Score::Own, "lines of Spring Boot's layout", of_boot);
        if sure.score > Score::No {
            return sure;
        }
        let of_jetty = |first: &First<'_>| first.of_jetty;
        let sure = sniff(head, Score::Own, "lines of Jetty's own log", of_jetty);
        if sure.score > Score::No {
            return sure;
        }
        sniff(head, Score::Shape, "time, level, thread and logger", |first| {
            first.time.is_some() && !first.of_tomcat
        })
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedText::of(head))
    }
}

impl Format for Catalina {
    fn name(&self) -> &str {
        "catalina"
    }

    fn product(&self) -> Product {
        Product::Tomcat
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Error
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        sniff(head, Score::Own, "lines of Tomcat's own log", |first| {
            first.of_tomcat
        })
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedText::of(head))
    }
}

/// Scores `full` if there are records whose first line is `wanted` and at least half of the lines are such, other
/// records, or lines that plainly go on (indented, a stack trace).
fn sniff(head: &Head<'_>, full: Score, reason: &str, wanted: impl Fn(&First<'_>) -> bool) -> Sniff {
    let mut reader = Reader::of(head);
    let (mut begun, mut parsed, mut looked_at) = (0u32, 0u32, 0u32);
    for line in head.lines().take(Head::LINES) {
        looked_at += 1;
        let first = reader.first(line);
        begun += u32::from(first.as_ref().is_some_and(&wanted));
        let goes_on = matches!(line.first(), Some(b' ' | b'\t')) || jvm::is_trace(line);
        parsed += u32::from(first.is_some() || goes_on);
    }
    if begun == 0 || begun * 50 < looked_at || parsed * 2 < looked_at {
        return Sniff {
            parsed,
            looked_at,
            ..Sniff::no()
        };
    }
    Sniff {
        score: full,
        parsed,
        looked_at,
        reason: reason.to_owned(),
    }
}

struct PreparedText {
    midnight_us: Option<i64>,
}

impl PreparedText {
    fn of(head: &Head<'_>) -> Self {
        Self {
            midnight_us: head.date_hint.as_ref().and_then(time::midnight_us),
        }
    }
}

impl Prepared for PreparedText {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser {
            reader: Reader::new(self.midnight_us),
            pending: None,
        })
    }
}

struct Parser {
    reader: Reader,
    /// Time and thread of a problem whose exception has not come yet, where records are given line by line.
    pending: Option<(Option<Stamp>, Option<u64>)>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, record: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let (line, rest) = jvm::split(record);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let Some(first) = self.reader.first(line) else {
            return self.further(line, entry);
        };
        first.fill(entry);
        judge(first.message, rest, entry);
        let awaits = entry.level >= Level::Warning && entry.signal.is_none();
        self.pending = awaits.then_some((entry.time, entry.thread));
        Ok(Line::Entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        Some(Reader::default().first(line).is_some() || foreign(line))
    }
}

impl Parser {
    fn further<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        further(line, &mut self.pending, entry)
    }
}

/// A line below a record: its first exception that tells something is an entry of its own, since the record above
/// has been given away; the others are continuations.
pub(super) fn further<'a>(
    line: &'a [u8],
    pending: &mut Option<(Option<Stamp>, Option<u64>)>,
    entry: &mut Entry<'a>,
) -> Result<Line, LineError> {
    if foreign(line) {
        return Err(LineError::new(0, "time, level and thread"));
    }
    if pending.is_some()
        && jvm::is_trace(line)
        && let Some(found) = jvm::exception(line)
        && let Some((time, thread)) = pending.take()
    {
        (entry.time, entry.thread) = (time, thread);
        entry.level = Level::Error;
        entry.error = line.trim_ascii();
        entry.signal = Some(found.signal);
        entry.kind = kind_of(found.signal);
        return Ok(Line::Entry);
    }
    Ok(Line::Continuation)
}

fn kind_of(signal: Signal) -> Kind {
    match signal.phase {
        Phase::Process => Kind::Event,
        _ => Kind::Failure,
    }
}

/// Whether `line` is of another program: it has a stamp where a record would have one, or is an access line or JSON.
pub(super) fn foreign(line: &[u8]) -> bool {
    let day = &mut DayCache::default();
    let begin = line.strip_prefix(b"[").unwrap_or(line);
    let is_access = || {
        memchr::memchr_iter(b'[', line)
            .take(3)
            .any(|at| time::clf_prefix(&line[at + 1..], &mut DayCache::default()).is_some())
    };
    time::iso_prefix(begin, day).is_some()
        || time::dashed_prefix(line, day).is_some()
        || line.starts_with(b"{\"") && line.ends_with(b"}")
        || is_access()
}

/// Reads the first lines of records.
#[derive(Debug, Default)]
pub(super) struct Reader {
    day: DayCache,
    /// Midnight of the day that lines with a time of day are of.
    midnight_us: Option<i64>,
}

/// The parts of a record's first line.
#[derive(Debug, Default)]
pub(super) struct First<'a> {
    pub(super) time: Option<Stamp>,
    pub(super) level: Level,
    pub(super) thread: &'a [u8],
    pub(super) logger: &'a [u8],
    pub(super) message: &'a [u8],
    pid: Option<u32>,
    ids: Ids<'a>,
    /// `1 --- [`: only Spring Boot writes that.
    of_boot: bool,
    /// `06-Mar-2023 18:34:17.383 SEVERE [`.
    of_tomcat: bool,
    /// `2025-01-24 07:00:30.139:INFO:logger:thread: `.
    of_jetty: bool,
}

/// Words and brackets looked at before the logger must have come.
const PARTS: usize = 10;

impl Reader {
    pub(super) fn new(midnight_us: Option<i64>) -> Self {
        Self {
            day: DayCache::default(),
            midnight_us,
        }
    }

    fn of(head: &Head<'_>) -> Self {
        Self::new(head.date_hint.as_ref().and_then(time::midnight_us))
    }

    /// The stamp of a time of day.
    pub(super) fn at_clock(&self, us: i64, resolution_us: u32) -> Option<Stamp> {
        Some(Stamp {
            us: self.midnight_us?.checked_add(us)?,
            resolution_us,
            zone: Zone::Local,
            marks: Marks::Event,
        })
    }

    /// The first line of a record; `None` for any other line.
    pub(super) fn first<'a>(&mut self, line: &'a [u8]) -> Option<First<'a>> {
        let mut first = First::default();
        let mut at = jvm::skip_colour(line, 0);
        let mut timed = true;
        if let Some((stamp, used)) = time::iso_prefix(&line[at..], &mut self.day) {
            first.time = Some(stamp);
            at += used;
            if let Some(rest) = line[at..].strip_prefix(b":") {
                return first.of_jetty(rest);
            }
        } else if let Some((stamp, used)) = time::dashed_prefix(&line[at..], &mut self.day) {
            first.time = Some(stamp);
            first.of_tomcat = true;
            at += used;
        } else if let Some((stamp, used)) = time::java_prefix(&line[at..]) {
            // The two-line layout of Java's own logging: the level and the text are on the next line.
            first.time = Some(stamp);
            first.level = Level::Info;
            first.of_tomcat = true;
            first.logger = line[at + used..].trim_ascii();
            return Some(first);
        } else if let Some((us, resolution_us, used)) = time::clock_prefix(&line[at..]) {
            first.time = self.at_clock(us, resolution_us);
            at += used;
        } else {
            timed = false;
        }
        first.after_time(line, at, timed)
    }
}

impl<'a> First<'a> {
    /// `INFO:oejs.Server:main: Started @2906ms`; since Jetty 10 the level is filled up with blanks.
    fn of_jetty(mut self, rest: &'a [u8]) -> Option<Self> {
        let mut parts = rest.splitn(3, |byte| *byte == b':');
        self.level = jvm::level(parts.next()?.trim_ascii())?;
        self.logger = parts.next()?;
        let rest = parts.next()?;
        let end = memmem::find(rest, b": ").or_else(|| rest.strip_suffix(b":").map(<[u8]>::len))?;
        (self.thread, self.message) = (&rest[..end], rest[end + 1..].trim_ascii());
        self.of_jetty = true;
        Some(self)
    }

    fn after_time(mut self, line: &'a [u8], mut at: usize, timed: bool) -> Option<Self> {
        let mut has_level = false;
        let mut brackets = 0;
        for _ in 0..PARTS {
            at = skip_gap(line, at);
            let rest = &line[at..];
            match *rest.first()? {
                b'[' => {
                    let end = memchr::memchr(b']', rest)?;
                    let inner = rest[1..end].trim_ascii();
                    if !timed && brackets == 0 && time::iso_prefix(inner, &mut DayCache::default()).is_some()
                    {
                        return None;
                    }
                    if bytes::number(inner).is_some() {
                        // A process in brackets: servers of other kinds write it so.
                        return None;
                    }
                    brackets += 1;
                    match jvm::level(inner) {
                        Some(level) => (self.level, has_level) = (level, true),
                        None if self.take_ids(inner) || inner.is_empty() => {}
                        // With the application's name in the log there are two brackets; the thread comes second.
                        None => self.thread = inner,
                    }
                    at += end + 1;
                }
                b'(' if has_level => {
                    // WildFly: the bracket was the logger.
                    let end = memchr::memchr(b')', rest)?;
                    self.logger = self.thread;
                    self.thread = rest[1..end].trim_ascii();
                    self.message = rest[end + 1..].trim_ascii_start();
                    return Some(self);
                }
                b'-' if matches!(rest, [b'-', b'-', b'-', b' ' | 0x1b, ..]) => {
                    self.of_boot = timed && has_level && self.pid.is_some();
                    at += 3;
                }
                _ => {
                    let len = memchr::memchr3(b' ', 0x1b, b'|', rest).unwrap_or(rest.len());
                    let word = &rest[..len];
                    if let Some(level) = jvm::level(word).filter(|_| !has_level) {
                        (self.level, has_level) = (level, true);
                    } else if self.pid.is_none() && has_level && bytes::number(word).is_some() {
                        self.pid = bytes::number(word).and_then(|pid| u32::try_from(pid).ok());
                    } else {
                        if !has_level || brackets == 0 {
                            return None;
                        }
                        self.logger_and_message(rest, len);
                        return Some(self);
                    }
                    at += len;
                }
            }
        }
        None
    }

    /// `logger : text`, `logger - text`, `logger: text` or, in Tomcat's layout, `class.method text`.
    fn logger_and_message(&mut self, rest: &'a [u8], len: usize) {
        self.logger = rest[..len].strip_suffix(b":").unwrap_or(&rest[..len]);
        let after = &rest[skip_gap(rest, len)..];
        self.message = match after {
            [b':' | b'-', text @ ..] if matches!(text.first(), None | Some(b' ' | 0x1b)) => {
                &text[skip_gap(text, 0)..]
            }
            text => text,
        };
    }

    /// Ids among the words of a bracket: `<32 hex>-<16 hex>`, `app,<trace>,<span>`, `traceId=<trace>`.
    fn take_ids(&mut self, text: &'a [u8]) -> bool {
        if text.len() < 16 {
            return false;
        }
        let before = self.ids.as_slice().len();
        for word in text.split(|byte| matches!(byte, b',' | b' ' | b'=' | b':')) {
            match word.get(32) {
                Some(b'-') if word.len() == 49 => {
                    id::push_if_id(&mut self.ids, &word[..32]);
                }
                _ => {
                    id::push_if_id(&mut self.ids, word);
                }
            }
        }
        self.ids.as_slice().len() > before
    }

    pub(super) fn fill(&self, entry: &mut Entry<'a>) {
        entry.time = self.time.map(|time| time.marking(Marks::Event));
        entry.level = self.level;
        entry.pid = self.pid;
        entry.thread = jvm::thread(self.thread);
        entry.ids = self.ids;
        entry.error = self.message;
    }
}

/// The position after blanks, bars and colours.
fn skip_gap(text: &[u8], mut at: usize) -> usize {
    loop {
        let start = at;
        while matches!(text.get(at), Some(b' ' | b'\t' | b'|')) {
            at += 1;
        }
        at = jvm::skip_colour(text, at);
        if at == start {
            return at;
        }
    }
}

/// What a record tells beyond its words: the server's life, a failure of a request, or nothing.
pub(super) fn judge<'a>(message: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
    // Java's own logging has its level and its text on the second line.
    let (message, rest) = if message.is_empty() && !rest.is_empty() {
        second_line(rest, entry)
    } else {
        (message, rest)
    };
    if let Some(fault) = life(message) {
        entry.kind = Kind::Event;
        entry.signal = Some(Signal::new(Phase::Process, fault));
        return;
    }
    entry.kind = Kind::Note;
    if entry.level < Level::Warning {
        return;
    }
    if let Some(found) = jvm::exception(rest).or_else(|| jvm::message(message)) {
        entry.kind = kind_of(found.signal);
        entry.signal = Some(found.signal);
        entry.upstream.addr = found.upstream;
        entry.upstream.local = found.local;
    }
}

fn second_line<'a>(rest: &'a [u8], entry: &mut Entry<'a>) -> (&'a [u8], &'a [u8]) {
    let (second, further) = jvm::split(rest);
    let colon = memmem::find(second, b": ");
    let Some((level, at)) = colon.and_then(|at| Some((jvm::level(&second[..at])?, at))) else {
        return (&rest[..0], rest);
    };
    entry.level = level;
    entry.error = &second[at + 2..];
    (entry.error, further)
}

/// Start, stop and exhaustion of the server, by how the text begins.
const LIFE: [(&str, Fault); 11] = [
    ("Server startup in ", Fault::Started),
    ("Tomcat started on port", Fault::Started),
    ("A valid shutdown command was received", Fault::Stopping),
    ("Stopping service [", Fault::Stopping),
    ("Pausing ProtocolHandler [", Fault::Stopping),
    ("Stopping ProtocolHandler [", Fault::Stopping),
    ("Commencing graceful shutdown", Fault::Stopping),
    ("Graceful shutdown aborted", Fault::Stopping),
    ("Maximum number of threads (", Fault::WorkersExhausted),
    ("All threads (", Fault::WorkersExhausted),
    (
        "Terminating due to java.lang.OutOfMemoryError",
        Fault::OutOfMemory,
    ),
];

fn life(message: &[u8]) -> Option<Fault> {
    let known = LIFE
        .iter()
        .find(|(start, _)| message.starts_with(start.as_bytes()));
    if let Some((_, fault)) = known {
        return Some(*fault);
    }
    let started = message.starts_with(b"Started ") && memmem::find(message, b" seconds (").is_some();
    started.then_some(Fault::Started)
}

#[cfg(test)]
#[path = "java_text_tests.rs"]
mod tests;
