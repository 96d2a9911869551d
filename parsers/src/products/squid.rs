//! Squid: the `squid`, `common` and `combined` access-log formats, and `cache.log`.
//!
//! `1795193751.153    108 127.0.0.1 TCP_MISS/502 3333 GET http://shop.example.com/a - FIRSTUP_PARENT/127.0.0.1 text/html ERR_ZERO_SIZE_OBJECT/WITH_SERVER`:
//! seconds since the epoch at the end of the request, milliseconds padded to six places, client, result code and
//! status, bytes, method, URL, user, how the server was chosen and its address without port, content
//! type. What configurations append is searched for `%err_code/%err_detail` and for ids. The other two formats
//! are the common log format with result code and choice at the end (`TCP_MISS:HIER_DIRECT`), also written at
//! the end. `000` is the status of a request that got no answer. `cache.log` is in local time.
//! Source: Squid documentation, `logformat` and "Squid result codes"; lines observed on version 5.7.

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::id;
use crate::engine::slot::{Slot, split_origin, unit};
use crate::engine::squid_codes::finish;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::clf::{ClfParser, Style};
use crate::time::{self, DayCache};

/// The format `squid`.
#[derive(Debug, Clone, Copy)]
pub struct Squid;

impl Plain for Squid {
    const NAME: &'static str = "squid";
    const PRODUCT: Product = Product::Squid;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let (mut own, mut day) = (0u32, DayCache::default());
        for line in head.lines().take(Head::LINES) {
            let is_cache_log = cache_line(line, &mut Entry::default(), &mut day) == Some(Line::Entry);
            own += u32::from(is_padded(line) || result_at_end(line).is_some() || is_cache_log);
        }
        if own == 0 {
            return Sniff::no();
        }
        let reason = "result codes, or messages, as Squid writes them";
        super::by_entries(head, &mut Parser::new(), Score::Own, reason)
    }
}

struct Parser {
    clf: ClfParser,
    day: DayCache,
}

impl Parser {
    fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::UNKNOWN),
            day: DayCache::default(),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some((front, result)) = result_at_end(line) {
            self.clf.parse(front, entry)?;
            let colon = memchr::memchr(b':', result).unwrap_or(result.len());
            entry.termination = &result[..colon];
            finish(entry);
            return Ok(Line::Entry);
        }
        if let Some(read) = cache_line(line, entry, &mut self.day) {
            return Ok(read);
        }
        let native = Native::cut(line)?;
        native.fill(entry, Marks::End)?;
        if native.tail_says_no_error() && entry.status.is_some_and(|status| status >= 500) {
            entry.signal = Some(Signal::new(Phase::Header, Fault::UpstreamStatus));
        } else {
            finish(entry);
        }
        Ok(Line::Entry)
    }
}

/// Whether the second word is padded to six places, which tells Squid's lines from Traffic Server's.
fn is_padded(line: &[u8]) -> bool {
    let Some(space) = memchr::memchr(b' ', line) else {
        return false;
    };
    let rest = &line[space + 1..];
    let lead = rest.iter().take_while(|byte| **byte == b' ').count();
    let digits = rest[lead..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    digits > 0 && lead + digits >= 6 && Native::cut(line).is_ok()
}

/// `front TCP_MISS:HIER_DIRECT` as both parts.
fn result_at_end(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memrchr(b' ', line)?;
    let result = &line[space + 1..];
    let colon = memchr::memchr(b':', result)?;
    let is_code = |word: &[u8]| word.len() > 3 && word.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
    (is_code(&result[..colon]) && is_code(&result[colon + 1..])).then_some((&line[..space], result))
}

/// A line of the native format, cut into its words.
pub(crate) struct Native<'a> {
    time: &'a [u8],
    elapsed: &'a [u8],
    client: &'a [u8],
    /// `TCP_MISS`.
    pub(crate) result: &'a [u8],
    status: &'a [u8],
    bytes: &'a [u8],
    method: &'a [u8],
    /// The URL as logged.
    pub(crate) url: &'a [u8],
    /// `HIER_DIRECT`.
    pub(crate) choice: &'a [u8],
    /// Address or name of the server, without port.
    pub(crate) peer: &'a [u8],
    /// What follows the content type.
    tail: &'a [u8],
}

impl<'a> Native<'a> {
    /// Cuts `line`; the two pairs joined by a slash must look like what they are.
    pub(crate) fn cut(line: &'a [u8]) -> Result<Self, LineError> {
        let mut words = Words { line, at: 0 };
        let error = |words: &Words<'_>, want| LineError::new(words.at, want);
        let time = words.next();
        if memchr::memchr(b'.', time).is_none() || !time.first().is_some_and(u8::is_ascii_digit) {
            return Err(LineError::new(0, "time"));
        }
        let (elapsed, client) = (words.next(), words.next());
        let (result, status) = pair(words.next()).ok_or(error(&words, "result code"))?;
        if status.len() != 3 || number(status).is_none() {
            return Err(error(&words, "status"));
        }
        let (bytes, method, url) = (words.next(), words.next(), words.next());
        let _user = words.next();
        let (choice, peer) = pair(words.next()).ok_or(error(&words, "peer"))?;
        let _content_type = words.next();
        Ok(Self {
            time,
            elapsed,
            client,
            result,
            status,
            bytes,
            method,
            url,
            choice,
            peer,
            tail: line.get(words.at..).unwrap_or_default(),
        })
    }

    /// Fills `entry` with everything but the signal; `marks` says what the time denotes.
    pub(crate) fn fill(&self, entry: &mut Entry<'a>, marks: Marks) -> Result<(), LineError> {
        let stamp = time::epoch_seconds(self.time).ok_or(LineError::new(0, "time"))?;
        entry.time = Some(stamp.marking(marks));
        let at = self.time.len() + 1;
        let fields = [
            (Slot::Duration(unit::MS), self.elapsed, "duration"),
            (Slot::Client, self.client, "client"),
            (Slot::Status, self.status, "status"),
            (Slot::BytesSent, self.bytes, "byte count"),
        ];
        for (slot, text, want) in fields {
            if !slot.write(text, entry) {
                return Err(LineError::new(at, want));
            }
        }
        entry.method = filled(self.method);
        entry.path = filled(self.url);
        entry.upstream.addr = filled(self.peer);
        entry.termination = self.result;
        split_origin(entry);
        if entry.method == b"CONNECT" {
            entry.host = entry.path; // A tunnel's target is the host and its port.
        }
        for word in self.tail.split(|byte| *byte == b' ') {
            if word.starts_with(b"ERR_") {
                entry.error = word;
            } else {
                id::push_if_id(&mut entry.ids, word);
            }
        }
        Ok(())
    }

    /// Whether the tail has `%err_code/%err_detail`, and they are empty.
    fn tail_says_no_error(&self) -> bool {
        self.tail.split(|byte| *byte == b' ').any(|word| word == b"-/-")
    }
}

/// `TCP_MISS/502` or `HIER_DIRECT/10.0.0.1` as both parts; the first is upper-case letters.
fn pair(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let slash = memchr::memchr(b'/', word)?;
    let code = &word[..slash];
    let is_code = code.len() > 1
        && code
            .iter()
            .all(|b| b.is_ascii_uppercase() || matches!(b, b'_' | b'0'..=b'9'));
    is_code.then_some((code, &word[slash + 1..]))
}

/// Words parted by any number of spaces.
struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    /// The next word, empty at the end of the line.
    fn next(&mut self) -> &'a [u8] {
        let rest = self.line.get(self.at..).unwrap_or_default();
        let lead = rest.iter().take_while(|byte| **byte == b' ').count();
        let rest = &rest[lead..];
        let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        self.at += lead + len;
        &rest[..len]
    }
}

/// `2026/11/20 16:55:51 kid1| text`, and the indented lines that go on with it.
fn cache_line<'a>(line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<Line> {
    // What a process prints about itself when it ends.
    let totals: [&[u8]; 4] = [
        b"    ",
        b"CPU Usage: ",
        b"Maximum Resident Size: ",
        b"Page faults with ",
    ];
    if totals.iter().any(|start| line.starts_with(start)) {
        return Some(Line::Continuation);
    }
    let (stamp, used) = time::slashed_prefix(line, day)?;
    let rest = &line[used..];
    let bar = memchr::memchr(b'|', rest).filter(|at| *at <= 8)?;
    if bar > 0 && !rest.starts_with(b" kid") {
        return None;
    }
    let text = rest[bar + 1..].trim_ascii_start();
    entry.time = Some(stamp.marking(Marks::Event));
    let starts = |start: &str| text.starts_with(start.as_bytes());
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    entry.level = match () {
        () if starts("FATAL") => Level::Critical,
        () if starts("ERROR") => Level::Error,
        () if starts("WARNING") => Level::Warning,
        () => Level::Info,
    };
    let (kind, phase, fault) = match () {
        () if has("Detected DEAD Parent") => (Kind::Event, Phase::Connect, Fault::ServerDown),
        () if has("Detected REVIVED Parent") => (Kind::Event, Phase::Connect, Fault::ServerUp),
        () if starts("Starting Squid Cache") => (Kind::Event, Phase::Process, Fault::Started),
        () if starts("Preparing for shutdown") || starts("Reconfiguring Squid") => {
            (Kind::Event, Phase::Process, Fault::Stopping)
        }
        () if starts("FATAL") => (Kind::Event, Phase::Process, Fault::WorkerCrashed),
        () if has("running out of filedescriptors") => {
            (Kind::Event, Phase::Process, Fault::ResourceExhausted)
        }
        () if starts("TCP connection to ") && has(" failed") => (Kind::Failure, Phase::Connect, Fault::Other),
        () => {
            entry.kind = Kind::Note;
            entry.error = if entry.level >= Level::Warning { text } else { b"" };
            return Some(Line::Entry);
        }
    };
    (entry.kind, entry.error) = (kind, text);
    entry.signal = Some(Signal::new(phase, fault));
    let after = |mark: &str| memmem::find(text, mark.as_bytes()).map(|at| &text[at + mark.len()..]);
    if let Some(name) = after(" Parent: ").or_else(|| after("TCP connection to ")) {
        entry.upstream.addr = &name[..memchr::memchr(b' ', name).unwrap_or(name.len())];
    }
    Some(Line::Entry)
}

#[cfg(test)]
#[path = "squid_tests.rs"]
mod tests;
