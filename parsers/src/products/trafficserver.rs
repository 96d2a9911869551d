//! Apache Traffic Server: the `squid`, `common`, `extended` and `extended2` access-log formats, `error.log` and `diags.log`.
//!
//! `1795203537.806 5033 127.0.0.1 ERR_READ_TIMEOUT/504 475 GET http://10.0.0.1:8080/slow - TIMEOUT_DIRECT/10.0.0.1 text/html`:
//! as Squid's native format, but not padded, and the time is when the request *began* (`%<cqtq>`; seen on version 9.2.9: the
//! next request of the same client begins after it by the duration). The URL is the one after remapping,
//! so its host and port are the server's. A result code beginning with `ERR_` tells of a failure, but
//! `ERR_CONNECT_FAIL` stands for a refused connection as well as for one that ended before the response
//! header; `error.log` has a line for the former only. `extended` adds nine numbers to the common log format, the
//! first of which is the server's status, `extended2` four words more.
//! `20261120.19h39m03s CONNECT: attempt fail [CONNECTION_ERROR] to 10.0.0.1:8080 …` is in local time.
//! Source: Traffic Server documentation, "Log fields"; lines observed on version 9.2.9.

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::errno;
use crate::engine::slot::{split_origin, without_scheme};
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::clf::{ClfParser, Style};
use crate::products::squid::Native;
use crate::time;

/// The format `trafficserver`.
#[derive(Debug, Clone, Copy)]
pub struct TrafficServer;

impl Plain for TrafficServer {
    const NAME: &'static str = "trafficserver";
    const PRODUCT: Product = Product::TrafficServer;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let is_own = |line: &[u8]| {
            unpadded(line).is_some()
                || extended(line).is_some()
                || own_time(line).is_some()
                || diagnostic(line).is_some() && memmem::find(line, b"traffic_server").is_some()
        };
        if head.lines().take(Head::LINES).any(is_own) {
            let reason = "lines as Traffic Server writes them";
            return super::by_entries(head, &mut Parser::new(), Score::Own, reason);
        }
        // Only Traffic Server writes UTC with a minus.
        let is_common = |line: &[u8]| memmem::find(line, b" -0000] \"").is_some();
        if head.lines().take(Head::LINES).any(is_common) {
            let reason = "common log format with the offset -0000";
            return Sniff::by_parsing(head, &mut Parser::new(), Score::Own, reason);
        }
        Sniff::no()
    }
}

struct Parser {
    clf: ClfParser,
}

impl Parser {
    fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::AT_START),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some(native) = unpadded(line) {
            native.fill(entry, Marks::Start)?;
            entry.upstream.addr = server(native.url, native.peer);
            judge(native.result, native.choice, entry);
            return Ok(Line::Entry);
        }
        if let Some((stamp, used)) = own_time(line) {
            message(&line[used..], stamp, entry);
            return Ok(Line::Entry);
        }
        if let Some((stamp, text)) = diagnostic(line) {
            diagnose(text, stamp, entry);
            return Ok(Line::Entry);
        }
        if let Some(extended) = extended(line) {
            self.clf.parse(extended.front, entry)?;
            extended.fill(entry);
            return Ok(Line::Entry);
        }
        self.clf.parse(line, entry)?;
        split_origin(entry);
        Ok(Line::Entry)
    }
}

/// The words of a native line whose second word is a number right after one space, not padded to six places.
fn unpadded(line: &[u8]) -> Option<Native<'_>> {
    let space = memchr::memchr(b' ', line)?;
    let digits = line[space + 1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let native = (1..6).contains(&digits).then(|| Native::cut(line).ok());
    native.flatten()
}

/// `host:port` of the URL if it is of the server that was asked, else the server's name as logged.
fn server<'a>(url: &'a [u8], peer: &'a [u8]) -> &'a [u8] {
    let authority = without_scheme(url);
    let host = &authority[..memchr::memrchr(b':', authority).unwrap_or(authority.len())];
    if host == peer { authority } else { filled(peer) }
}

/// Draws the signal from the result code and how the server was chosen.
fn judge<'a>(result: &'a [u8], choice: &[u8], entry: &mut Entry<'a>) {
    entry.termination = result;
    let answered = entry.status.is_some_and(|status| status < 400);
    let (phase, fault) = match result {
        b"ERR_READ_TIMEOUT" if answered => (Phase::Body, Fault::TimedOut),
        b"ERR_READ_TIMEOUT" => (Phase::Header, Fault::TimedOut),
        b"ERR_READ_ERROR" if answered => (Phase::Body, Fault::ResetOrClosed),
        b"ERR_READ_ERROR" => (Phase::Header, Fault::ResetOrClosed),
        b"ERR_CLIENT_ABORT" | b"ERR_CLIENT_READ_ERROR" => (Phase::Client, Fault::ClientGone),
        b"ERR_DNS_FAIL" => (Phase::Resolve, Fault::NameNotFound),
        b"ERR_CONNECT_FAIL" if choice.starts_with(b"TIMEOUT") => (Phase::Unknown, Fault::TimedOut),
        _ if result.starts_with(b"ERR_") => (Phase::Unknown, Fault::Other),
        _ if entry.status.is_some_and(|status| status >= 500) && !entry.upstream.addr.is_empty() => {
            (Phase::Header, Fault::UpstreamStatus)
        }
        _ => return,
    };
    entry.signal = Some(Signal::new(phase, fault));
    if result.starts_with(b"ERR_") {
        entry.error = result;
    }
}

/// What the result code says of an entry that a format string of the user's own describes.
pub(crate) fn conclude(entry: &mut Entry<'_>) {
    split_origin(entry);
    judge(entry.termination, b"", entry);
}

/// What `extended` and `extended2` add to the common log format.
struct Extended<'a> {
    front: &'a [u8],
    status: &'a [u8],
    seconds: u64,
    /// How the server was chosen and the result code, of `extended2`.
    words: Option<(&'a [u8], &'a [u8])>,
}

/// Cuts the nine numbers, and the four words of `extended2`, off the end of `line`.
fn extended(line: &[u8]) -> Option<Extended<'_>> {
    let request_end = memmem::rfind(line, b"\" ")? + 2;
    let mut words = [&line[..0]; 16];
    let mut count = 0;
    for word in line[request_end..].split(|byte| *byte == b' ') {
        *words.get_mut(count)? = word;
        count += 1;
    }
    let is_number = |word: &&[u8]| number(word).is_some() || **word == *b"-";
    let numbers = words.get(..11)?.iter().all(is_number);
    let is_word = |word: &&[u8]| word.iter().all(|b| b.is_ascii_uppercase() || *b == b'_') && word.len() > 2;
    if !numbers || !(count == 11 || count == 15 && words[11..15].iter().all(is_word)) {
        return None;
    }
    Some(Extended {
        front: &line[..request_end + words[0].len() + 1 + words[1].len()],
        status: words[2],
        seconds: number(words[10])?,
        words: (count == 15).then_some((words[11], words[14])),
    })
}

impl<'a> Extended<'a> {
    fn fill(&self, entry: &mut Entry<'a>) {
        // Whole seconds, rounded down.
        entry.duration_us = self.seconds.checked_mul(1_000_000);
        entry.upstream.addr = without_scheme(entry.path);
        split_origin(entry);
        if self.status != b"000" {
            entry.upstream.status = filled(self.status);
        }
        let (choice, result) = self.words.unwrap_or_default();
        judge(result, choice, entry);
        if self.words.is_none() && entry.upstream.status.is_empty() {
            entry.signal = None;
        }
    }
}

/// `20261120.19h39m03s ` at the start of `line`.
fn own_time(line: &[u8]) -> Option<(Stamp, usize)> {
    let text: &[u8; 19] = line.first_chunk()?;
    if text[8] != b'.' || text[11] != b'h' || text[14] != b'm' || text[17] != b's' || text[18] != b' ' {
        return None;
    }
    let field = |from: usize, to: usize| number(&text[from..to]).and_then(|n| u32::try_from(n).ok());
    let (year, month, day) = (field(0, 4)?, field(4, 6)?, field(6, 8)?);
    let (hour, minute, second) = (field(9, 11)?, field(12, 14)?, field(15, 17)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = time::days_from_civil(i32::try_from(year).ok()?, month, day);
    let seconds = days * 86_400 + i64::from(hour * 3600 + minute * 60 + second);
    let stamp = Stamp {
        us: seconds * 1_000_000,
        resolution_us: 1_000_000,
        zone: Zone::Local,
        marks: Marks::Event,
    };
    Some((stamp, text.len()))
}

/// A line of `error.log` after its time.
fn message<'a>(text: &'a [u8], stamp: Stamp, entry: &mut Entry<'a>) {
    entry.time = Some(stamp);
    entry.error = text;
    entry.level = Level::Error;
    let after = |mark: &str| memmem::find(text, mark.as_bytes()).map(|at| &text[at + mark.len()..]);
    let until = |text: &'a [u8], end: u8| &text[..memchr::memchr(end, text).unwrap_or(text.len())];
    if let Some(url) =
        after(" url='").or_else(|| after(" for 'http").map(|rest| &text[text.len() - rest.len() - 4..]))
    {
        entry.path = until(url, b'\'');
        split_origin(entry);
        // After remapping the host of the URL is the server's.
        entry.host = b"";
    }
    let marks_down = text.ends_with(b"marking down");
    if let Some(server) = after(" connecting to ").or_else(|| after("] to ")) {
        entry.upstream.addr = until(server, b' ');
    }
    if let Some(client) = after("RESPONSE: sent ") {
        entry.client = until(client, b' ');
        let status = after(" status ").map(|rest| until(rest, b' '));
        entry.status = status.and_then(number).and_then(|n| u16::try_from(n).ok());
    }
    entry.kind = Kind::Failure;
    let number = memchr::memchr_iter(b'[', text).find_map(|at| number_in(&text[at + 1..]));
    let fault = number.and_then(|n| u32::try_from(n).ok()).and_then(errno::fault);
    entry.signal = match fault {
        _ if marks_down => {
            entry.kind = Kind::Event;
            Some(Signal::new(Phase::Connect, Fault::ServerDown))
        }
        Some(fault) if text.starts_with(b"CONNECT") => Some(Signal::new(Phase::Connect, fault)),
        _ if text.starts_with(b"CONNECT") => Some(Signal::new(Phase::Connect, Fault::Other)),
        _ => None,
    };
}

fn number_in(text: &[u8]) -> Option<u64> {
    number(&text[..memchr::memchr(b']', text)?])
}

/// `[Nov 20 19:38:52.983] {0x7f} NOTE: text` of `diags.log` as its time and the text from the level on.
fn diagnostic(line: &[u8]) -> Option<(Stamp, &[u8])> {
    let rest = line.strip_prefix(b"[")?;
    let (stamp, used) = time::rfc3164_prefix(rest, time::ASSUMED_YEAR)?;
    let rest = rest[used..].strip_prefix(b"] ")?;
    let levels = [
        "DIAG: ",
        "DEBUG: ",
        "STATUS: ",
        "NOTE: ",
        "WARNING: ",
        "ERROR: ",
        "FATAL: ",
        "ALERT: ",
        "EMERGENCY: ",
    ];
    let at = levels
        .iter()
        .find_map(|level| memmem::find(rest, level.as_bytes()))?;
    Some((stamp, &rest[at..]))
}

fn diagnose<'a>(text: &'a [u8], stamp: Stamp, entry: &mut Entry<'a>) {
    entry.time = Some(stamp.marking(Marks::Event));
    entry.level = match text.first() {
        Some(b'W') => Level::Warning,
        Some(b'E') if text.starts_with(b"ERROR") => Level::Error,
        Some(b'F' | b'A' | b'E') => Level::Critical,
        _ => Level::Info,
    };
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    entry.kind = Kind::Note;
    let fault = if has("traffic server running") {
        Fault::Started
    } else if has("received exit signal") || has("Exiting") {
        Fault::Stopping
    } else {
        if entry.level >= Level::Warning {
            entry.error = text;
        }
        return;
    };
    (entry.kind, entry.error) = (Kind::Event, text);
    entry.signal = Some(Signal::new(Phase::Process, fault));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::new().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    fn is(phase: Phase, fault: Fault) -> Option<Signal> {
        Some(Signal::new(phase, fault))
    }

    #[test]
    fn a_native_line_tells_when_the_request_began() {
        let entry = read(
            "1795203537.806 5033 127.0.0.1 ERR_READ_TIMEOUT/504 475 GET http://127.0.0.1:19101/slow - TIMEOUT_DIRECT/127.0.0.1 text/html",
        );
        assert_eq!(
            entry.time.map(|t| (t.us, t.marks)),
            Some((1_795_203_537_806_000, Marks::Start))
        );
        assert_eq!(
            (entry.duration_us, entry.path),
            (Some(5_033_000), b"/slow".as_slice())
        );
        assert_eq!(entry.upstream.addr, b"127.0.0.1:19101");
        assert_eq!(entry.signal, is(Phase::Header, Fault::TimedOut));
    }

    #[test]
    fn result_codes_have_their_signals() {
        let of = |result: &str| {
            let line = format!(
                "1795203542.975 50 127.0.0.1 {result} 154 GET http://127.0.0.1:19101/mid - DIRECT/127.0.0.1 text/plain"
            );
            read(&line).signal
        };
        assert_eq!(of("ERR_READ_ERROR/200"), is(Phase::Body, Fault::ResetOrClosed));
        assert_eq!(of("ERR_CONNECT_FAIL/502"), is(Phase::Unknown, Fault::Other));
        assert_eq!(of("ERR_CLIENT_ABORT/000"), is(Phase::Client, Fault::ClientGone));
        assert_eq!(of("TCP_MISS/502"), is(Phase::Header, Fault::UpstreamStatus));
        assert_eq!(of("TCP_MISS/200"), None);
    }

    #[test]
    fn the_extended_formats_name_the_servers_status() {
        let entry = read(
            r#"127.0.0.1 - - [20/Nov/2026:19:38:57 -0000] "GET http://127.0.0.1:19101/slow HTTP/1.1" 504 265 000 0 0 0 153 210 277 17 5 TIMEOUT_DIRECT FIN TIMEOUT ERR_READ_TIMEOUT"#,
        );
        assert_eq!((entry.status, entry.upstream.status), (Some(504), b"".as_slice()));
        assert_eq!(
            (entry.duration_us, entry.signal),
            (Some(5_000_000), is(Phase::Header, Fault::TimedOut))
        );
        let own = read(
            r#"127.0.0.1 - - [20/Nov/2026:19:39:03 -0000] "GET http://127.0.0.1:19101/a502 HTTP/1.1" 502 3 502 3 0 0 153 161 277 129 0"#,
        );
        assert_eq!(
            (own.upstream.status, own.signal),
            (b"502".as_slice(), is(Phase::Header, Fault::UpstreamStatus))
        );
        assert_eq!(own.time.map(|t| t.marks), Some(Marks::Start));
    }

    #[test]
    fn the_error_log_names_server_and_reason() {
        let refused = read(
            "20261120.19h39m03s CONNECT: attempt fail [CONNECTION_ERROR] to 127.0.0.1:19102 for host='127.0.0.1' connection_result=Connection refused [111] error=Connection refused [111] attempts=0 url='http://127.0.0.1:19102/down/x'",
        );
        assert_eq!(refused.signal, is(Phase::Connect, Fault::Refused));
        assert_eq!(
            (refused.upstream.addr, refused.path),
            (b"127.0.0.1:19102".as_slice(), b"/down/x".as_slice())
        );
        assert_eq!(
            refused.time.map(|t| (t.us, t.zone)),
            Some((1_795_203_543_000_000, Zone::Local))
        );
        let down = read(
            "20261120.19h39m03s CONNECT: Connection refused [111] connecting to 127.0.0.1:19102 for host='127.0.0.1' url='http://127.0.0.1:19102/down/x' marking down",
        );
        assert_eq!(
            (down.kind, down.signal),
            (Kind::Event, is(Phase::Connect, Fault::ServerDown))
        );
        let sent = read(
            "20261120.19h39m03s RESPONSE: sent 10.0.0.9 status 502 (Connection Refused) for 'http://a.example/x'",
        );
        assert_eq!(
            (sent.status, sent.client, sent.path),
            (Some(502), b"10.0.0.9".as_slice(), b"/x".as_slice())
        );
        let running = read("[Nov 20 19:38:52.983] [TS_MAIN] NOTE: traffic server running");
        assert_eq!(
            (running.kind, running.signal),
            (Kind::Event, is(Phase::Process, Fault::Started))
        );
    }
}
