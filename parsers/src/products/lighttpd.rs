//! lighttpd: access log and error log.
//!
//! `10.0.0.9 shop.example.com - [20/Nov/2026:17:02:06 +0000] "GET /a HTTP/1.1" 500 365 "-" "curl" 101234`: the second
//! word is the name of the virtual host (`%V`), where other servers have a dash; that tells the format from theirs. The time
//! is when the line was written, at the end; a number after the user agent is `%D`, microseconds.
//! `2026-11-20 17:01:59: (gw_backend.c.274) text`, local time, is a line of the error log (`gw_backend.c:274` since 1.4.70).
//! An upstream that closes before it answers is status 500 and, for a FIN, no line here at all.
//! Source: lighttpd documentation, `mod_accesslog`; lines observed on version 1.4.69.

use crate::bytes::memmem;

use crate::bytes::filled;
use crate::engine::slot::{looks_like_host, split_origin};
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::clf::{self, ClfParser, Style, is_address};
use crate::time::{self, DayCache};

/// The format `lighttpd`.
#[derive(Debug, Clone, Copy)]
pub struct Lighttpd;

impl Plain for Lighttpd {
    const NAME: &'static str = "lighttpd";
    const PRODUCT: Product = Product::Lighttpd;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut day = DayCache::default();
        let is_own = |line: &[u8]| host_second(line).is_some() || source_line(line, &mut day).is_some();
        if head.lines().take(Head::LINES).any(is_own) {
            let reason = "the virtual host, or a place in the source, where lighttpd writes it";
            return super::by_entries(head, &mut Parser::new(), Score::Own, reason);
        }
        clf::by_hint(head, Product::Lighttpd, Style::LIGHTTPD)
    }
}

struct Parser {
    clf: ClfParser,
    day: DayCache,
}

impl Parser {
    fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::LIGHTTPD),
            day: DayCache::default(),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some((stamp, text)) = source_line(line, &mut self.day) {
            entry.time = Some(stamp.marking(Marks::Event));
            message(text, entry);
            return Ok(Line::Entry);
        }
        self.clf.parse(line, entry)?;
        if let Some((client, host)) = host_second(line) {
            (entry.client, entry.host) = (client, host);
        }
        Ok(Line::Entry)
    }
}

/// Client and virtual host of `10.0.0.9 shop.example.com - [`.
fn host_second(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let (client, host, _user, rest) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_host = looks_like_host(host) || is_address(host.split(|byte| *byte == b':').next()?);
    (rest.first() == Some(&b'[') && is_address(client) && is_host).then_some((client, host))
}

/// `2026-11-20 17:01:59: (gw_backend.c.274) text` as its time and text.
fn source_line<'a>(line: &'a [u8], day: &mut DayCache) -> Option<(crate::entry::Stamp, &'a [u8])> {
    let (stamp, used) = time::iso_prefix(line, day)?;
    let rest = line[used..].strip_prefix(b": (")?;
    let end = memchr::memchr(b')', rest)?;
    let place = &rest[..end];
    let is_place = memmem::find(place, b".c.")
        .or_else(|| memmem::find(place, b".c:"))
        .is_some();
    is_place.then_some((stamp, rest[end + 1..].trim_ascii_start()))
}

/// Texts of the error log and what they mean. Source: lighttpd's `gw_backend.c` and `http-header-glue.c`.
const TEXTS: [(&str, Phase, Fault); 16] = [
    ("all handlers for ", Phase::Queue, Fault::NoLiveUpstream),
    ("read timeout on socket", Phase::Header, Fault::TimedOut),
    ("write timeout on socket", Phase::Send, Fault::TimedOut),
    ("connect timeout on socket", Phase::Connect, Fault::TimedOut),
    ("response not received", Phase::Header, Fault::ResetOrClosed),
    ("response already sent out", Phase::Body, Fault::ResetOrClosed),
    ("response headers too large", Phase::Header, Fault::HeaderTooBig),
    ("unexpected end-of-file", Phase::Header, Fault::Closed),
    ("invalid HTTP response", Phase::Header, Fault::MalformedHeader),
    ("gw-server re-enabled", Phase::Connect, Fault::ServerUp),
    ("backend died", Phase::Connect, Fault::ServerDown),
    ("backend is overloaded", Phase::Queue, Fault::QueueFull),
    ("child exited", Phase::Process, Fault::WorkerCrashed),
    ("child signaled", Phase::Process, Fault::WorkerCrashed),
    ("server started", Phase::Process, Fault::Started),
    ("server stopped", Phase::Process, Fault::Stopping),
];

fn message<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    let (phase, fault) = if has("establishing connection failed") || has("connect failed:") {
        (Phase::Connect, connect_fault(text))
    } else if text.starts_with(b"read() ") && has("Connection reset by peer") {
        // Which part of the response was due the next line says.
        (Phase::Unknown, Fault::Reset)
    } else if let Some((_, phase, fault)) = TEXTS.iter().find(|(part, ..)| has(part)) {
        (*phase, *fault)
    } else {
        entry.kind = Kind::Note;
        return;
    };
    entry.error = text;
    entry.signal = Some(Signal::new(phase, fault));
    let of_server = matches!(fault, Fault::ServerUp | Fault::ServerDown) || phase == Phase::Process;
    entry.kind = if of_server { Kind::Event } else { Kind::Failure };
    entry.level = if of_server { Level::Warning } else { Level::Error };
    let after = |mark: &str| memmem::find(text, mark.as_bytes()).map(|at| &text[at + mark.len()..]);
    let socket = after("socket: ").or_else(|| after("re-enabled: "));
    if let Some(rest) = socket {
        let address = &rest[..memchr::memchr3(b' ', b',', b'(', rest).unwrap_or(rest.len())];
        let address = address.strip_suffix(b":").unwrap_or(address);
        entry.upstream.addr = address.strip_prefix(b"tcp:").unwrap_or(address);
    }
    if let Some(rest) = after(" for ") {
        let target = &rest[..memchr::memchr2(b' ', b',', rest).unwrap_or(rest.len())];
        if target.starts_with(b"/") {
            // The question mark stands there without a query as well.
            entry.path = target.strip_suffix(b"?").unwrap_or(target);
            split_origin(entry);
        }
    }
    entry.path = filled(entry.path);
}

fn connect_fault(text: &[u8]) -> Fault {
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    match () {
        () if has("refused") || has("No such file") => Fault::Refused,
        () if has("timed out") => Fault::TimedOut,
        () if has("unreachable") || has("No route") => Fault::Unreachable,
        () if has("reset by peer") => Fault::Reset,
        () if has("Resource temporarily unavailable") => Fault::BacklogFull,
        () if has("Cannot assign requested address") => Fault::ResourceExhausted,
        () => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Zone;
    use crate::format::Format;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::new().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn the_virtual_host_stands_second() {
        let entry = read(
            r#"10.0.0.9 shop.example.com - [20/Nov/2026:17:02:06 +0000] "GET /ok/rst HTTP/1.1" 500 365 "-" "UA" 101234"#,
        );
        assert_eq!(
            (entry.client, entry.host),
            (b"10.0.0.9".as_slice(), b"shop.example.com".as_slice())
        );
        assert_eq!((entry.status, entry.duration_us), (Some(500), Some(101_234)));
        assert_eq!(entry.time.map(|t| t.marks), Some(Marks::End));
        let plain = br#"10.0.0.9 - - [20/Nov/2026:17:02:06 +0000] "GET / HTTP/1.1" 200 3 "-" "UA""#;
        let head = |hints| Head {
            bytes: plain,
            hints,
            date_hint: None,
        };
        assert_eq!(Lighttpd.sniff(&head(&[])).score, Score::No);
        assert_eq!(Lighttpd.sniff(&head(&[Product::Lighttpd])).score, Score::Shape);
    }

    /// Lines of version 1.4.69, one fault each.
    #[test]
    fn every_line_of_the_error_log_seen_has_its_signal() {
        let cases = [
            (
                "(gw_backend.c.2708) read timeout on socket: tcp:127.0.0.1:9104 (fd: 11)",
                Phase::Header,
                Fault::TimedOut,
                "127.0.0.1:9104",
                "",
            ),
            (
                "(gw_backend.c.274) establishing connection failed: socket: tcp:127.0.0.1:9102: Connection refused",
                Phase::Connect,
                Fault::Refused,
                "127.0.0.1:9102",
                "",
            ),
            (
                "(gw_backend.c.274) establishing connection failed: socket: tcp:127.0.0.1:9103: Connection timed out",
                Phase::Connect,
                Fault::TimedOut,
                "127.0.0.1:9103",
                "",
            ),
            (
                "(gw_backend.c.960) all handlers for /down/a? on  are down.",
                Phase::Queue,
                Fault::NoLiveUpstream,
                "",
                "/down/a",
            ),
            (
                "(http-header-glue.c.1341) read() 10 11: Connection reset by peer",
                Phase::Unknown,
                Fault::Reset,
                "",
                "",
            ),
            (
                "(gw_backend.c.2389) response not received, request sent: 288 on socket: tcp:127.0.0.1:9101 for /ok/rst?, closing connection",
                Phase::Header,
                Fault::ResetOrClosed,
                "127.0.0.1:9101",
                "/ok/rst",
            ),
            (
                "(gw_backend.c.2396) response already sent out, but backend returned error on socket: tcp:127.0.0.1:9101 for /ok/mr?, terminating connection",
                Phase::Body,
                Fault::ResetOrClosed,
                "127.0.0.1:9101",
                "/ok/mr",
            ),
            (
                "(http-header-glue.c.1128) response headers too large for /ok/bh",
                Phase::Header,
                Fault::HeaderTooBig,
                "",
                "/ok/bh",
            ),
            (
                "(gw_backend.c.351) gw-server re-enabled: tcp:127.0.0.1:9102 127.0.0.1 9102 ",
                Phase::Connect,
                Fault::ServerUp,
                "127.0.0.1:9102",
                "",
            ),
            (
                "(server.c.1909) server started (lighttpd/1.4.69)",
                Phase::Process,
                Fault::Started,
                "",
                "",
            ),
        ];
        for (text, phase, fault, addr, path) in cases {
            let line = format!("2026-11-20 17:02:12: {text}");
            let entry = read(&line);
            assert_eq!(entry.signal, Some(Signal::new(phase, fault)), "{text}");
            assert_eq!(entry.upstream.addr, addr.as_bytes(), "{text}");
            assert_eq!(entry.path, path.as_bytes(), "{text}");
            assert_eq!(entry.time.map(|t| t.zone), Some(Zone::Local));
        }
    }
}
