//! Apache httpd error logs, in the layouts of 2.4 and 2.2.
//!
//! `[Fri Nov 20 16:32:23.169355 2026] [proxy_http:error] [pid 21203:tid 21215] (70007)The timeout specified has
//! expired: [client 127.0.0.1:40170] AH01102: error reading status line from remote server 127.0.0.1:9101`:
//! local time without zone. The number in parentheses (of the system or of the Apache runtime) tells
//! timeout from FIN from RST; the AH number tells in which part of the exchange.
//! Source: httpd's `mod_proxy.c`, `proxy_util.c`, `mod_proxy_http.c`, and lines observed on 2.4.71.

use crate::bytes::number;
use crate::engine::errno;
use crate::engine::slot;
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::apache::ApacheParser;
use crate::time::{self, DayCache};

/// Apache httpd error logs.
#[derive(Debug, Clone, Copy)]
pub struct ApacheError;

impl Plain for ApacheError {
    const NAME: &'static str = "apache-error";
    const PRODUCT: Product = Product::Apache;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(ApacheErrorParser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut parser = ApacheErrorParser {
            alone: true,
            ..ApacheErrorParser::default()
        };
        super::by_entries(head, &mut parser, Score::Own, "httpd error lines")
    }
}

#[derive(Default)]
struct ApacheErrorParser {
    day: DayCache,
    /// Reads access lines, which containers write to the same stream; made when the first one comes.
    access: Option<ApacheParser>,
    /// Whether other lines than the error log's own are refused.
    alone: bool,
}

impl LineParser for ApacheErrorParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some(read) = read(line, entry, &mut self.day) {
            return read;
        }
        // What a script wrote to its standard error stands without a time.
        let foreign = line.starts_with(b"[") || crate::bytes::find(line, b"] \"").is_some();
        if !foreign {
            return Ok(Line::Continuation);
        }
        if self.alone {
            return Err(LineError::new(0, "time"));
        }
        self.access
            .get_or_insert_with(ApacheParser::new)
            .parse(line, entry)
    }
}

/// Reads a line of the error log; `None` if it does not begin with a time as the error log has it.
pub(crate) fn read<'a>(
    line: &'a [u8],
    entry: &mut Entry<'a>,
    day: &mut DayCache,
) -> Option<Result<Line, LineError>> {
    let inner = line.strip_prefix(b"[")?;
    let (stamp, used) = time::asctime_prefix(inner, day)
        .or_else(|| time::iso_prefix(inner, day))
        .filter(|(_, used)| inner.get(*used) == Some(&b']'))?;
    entry.time = Some(stamp.marking(Marks::Event));
    entry.escape = Escape::Backslash;
    let rest = brackets(&line[used + 2..], entry);
    if entry.level == Level::None {
        return Some(Err(LineError::new(used + 2, "level")));
    }
    let (code, after) = status_code(source_file(rest));
    let rest = brackets(after, entry);
    let (ah, message) = ah_number(rest);
    entry.error = rest;
    judge(ah, code, message, entry);
    Some(Ok(Line::Entry))
}

/// Reads `[…] ` groups: level, process, client, ids. Returns what follows.
fn brackets<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> &'a [u8] {
    let mut rest = text.trim_ascii_start();
    while let Some(inner) = rest.strip_prefix(b"[") {
        let Some(end) = memchr::memchr(b']', inner) else {
            break;
        };
        // An IPv6 client stands in brackets of its own.
        let (value, end) = match crate::bytes::find(inner, b"] ") {
            Some(wide) if inner.starts_with(b"client [") => (&inner[..wide], wide),
            _ => (&inner[..end], end),
        };
        group(value, entry);
        rest = inner[end + 1..].trim_ascii_start();
    }
    rest
}

fn group<'a>(value: &'a [u8], entry: &mut Entry<'a>) {
    if let Some(pid) = value.strip_prefix(b"pid ") {
        let digits = pid.split(|b| *b == b':').next().unwrap_or_default();
        entry.pid = number(digits).and_then(|n| u32::try_from(n).ok());
        entry.thread = crate::bytes::find(pid, b":tid ").and_then(|at| number(&pid[at + 5..]));
    } else if let Some(client) = value
        .strip_prefix(b"client ")
        .or_else(|| value.strip_prefix(b"remote "))
    {
        set_client(client, entry);
    } else if let Some(id) = value.strip_prefix(b"R:") {
        entry.ids.push(id);
    } else if entry.level == Level::None {
        let word = value.rsplit(|b| *b == b':').next().unwrap_or_default();
        entry.level = level(word);
    }
}

/// `ip`, `ip:port`, `[ipv6]:port` or a bare IPv6 address with a port.
fn set_client<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    let port = memchr::memrchr(b':', text).and_then(|at| {
        let port = number(&text[at + 1..]).and_then(|n| u16::try_from(n).ok())?;
        Some((at, port))
    });
    // 2.2 logs no port: an address with several colons and no brackets is then taken whole.
    let (host, port) = match port {
        Some((at, port)) => (&text[..at], Some(port)),
        None => (text, None),
    };
    entry.client = match host {
        [b'[', inner @ .., b']'] => inner,
        _ => host,
    };
    entry.client_port = port;
}

fn level(word: &[u8]) -> Level {
    match word {
        b"emerg" | b"alert" | b"crit" => Level::Critical,
        b"error" => Level::Error,
        b"warn" => Level::Warning,
        b"notice" | b"info" => Level::Info,
        _ if word == b"debug" || word.starts_with(b"trace") => Level::Debug,
        _ => Level::None,
    }
}

/// Drops `mod_authz_core.c(820): `, which debug levels write.
fn source_file(text: &[u8]) -> &[u8] {
    let end = crate::bytes::find(text, b"): ").filter(|at| *at < 60);
    match end {
        Some(at) if crate::bytes::find(&text[..at], b".c(").is_some() => &text[at + 3..],
        _ => text,
    }
}

/// `(70007)The timeout specified has expired: ` as its number, and what follows.
fn status_code(text: &[u8]) -> (Option<u32>, &[u8]) {
    let Some(rest) = text.strip_prefix(b"(") else {
        return (None, text);
    };
    let Some(close) = memchr::memchr(b')', rest) else {
        return (None, text);
    };
    let Some(code) = number(&rest[..close]).and_then(|n| u32::try_from(n).ok()) else {
        return (None, text);
    };
    let words = &rest[close + 1..];
    let after = crate::bytes::find(words, b": ").map_or(words, |at| &words[at + 2..]);
    (Some(code), after)
}

/// `AH01102: ` as its number, and the message.
fn ah_number(text: &[u8]) -> (u32, &[u8]) {
    let found = text.strip_prefix(b"AH").and_then(|rest| {
        let colon = crate::bytes::find(rest, b": ").filter(|at| *at <= 6)?;
        let ah = number(&rest[..colon]).and_then(|n| u32::try_from(n).ok())?;
        Some((ah, &rest[colon + 2..]))
    });
    found.unwrap_or((0, text))
}

/// Sets kind, signal, upstream and path.
fn judge<'a>(ah: u32, code: Option<u32>, message: &'a [u8], entry: &mut Entry<'a>) {
    if let Some(fault) = process_fault(ah, message) {
        entry.kind = Kind::Event;
        entry.signal = Some(Signal::new(Phase::Process, fault));
        return;
    }
    entry.signal = proxy_signal(ah, code, message);
    entry.kind = match entry.signal {
        Some(Signal {
            fault: Fault::ServerDown,
            ..
        }) => Kind::Event,
        Some(_) => Kind::Failure,
        None if entry.client.is_empty() || entry.level < Level::Warning => Kind::Note,
        None => Kind::Failure,
    };
    if entry.signal.is_some() {
        entry.upstream.addr = upstream(message);
        entry.path = returned_by(message);
    }
}

fn has(text: &[u8], part: &str) -> bool {
    crate::bytes::find(text, part.as_bytes()).is_some()
}

/// What a message of the server as a whole says.
fn process_fault(ah: u32, message: &[u8]) -> Option<Fault> {
    Some(match ah {
        161 | 484 | 286 => Fault::WorkersExhausted,
        51 | 52 => Fault::WorkerCrashed,
        163 | 489 | 455 => Fault::Started,
        169 | 171 | 173 | 491 | 492 | 493 | 494 => Fault::Stopping,
        _ if has(message, "reached MaxRequestWorkers") || has(message, "reached MaxClients") => {
            Fault::WorkersExhausted
        }
        _ if has(message, "exit signal") => Fault::WorkerCrashed,
        _ if has(message, "resuming normal operations") => Fault::Started,
        _ if has(message, "shutting down") || has(message, "Graceful restart requested") => Fault::Stopping,
        _ => return None,
    })
}

/// What a message about a proxied request says: the part of the exchange from the AH number, the fault
/// from the code in parentheses.
fn proxy_signal(ah: u32, code: Option<u32>, message: &[u8]) -> Option<Signal> {
    let by_code = |otherwise| code.and_then(errno::fault).unwrap_or(otherwise);
    let (phase, fault) = match ah {
        898 => return Some(reason(message)),
        957 | 1079 => (Phase::Connect, by_code(Fault::Other)),
        1114 => (Phase::Connect, Fault::Other),
        959 => (Phase::Connect, Fault::ServerDown),
        940 | 1167 => (Phase::Connect, Fault::NoLiveUpstream),
        941 => (Phase::Queue, Fault::QueueTimedOut),
        961 => (Phase::Tls, by_code(Fault::Other)),
        // 20014 covers TLS trouble as well here: the reason line that follows tells.
        1084 | 1095 | 1097 if code == Some(20_014) || code.is_none() => (Phase::Send, Fault::Other),
        1084 | 1095 | 1097 => (Phase::Send, by_code(Fault::Other)),
        1102 if code == Some(22) => (Phase::Header, Fault::MalformedHeader),
        1102 => (Phase::Header, by_code(Fault::ResetOrClosed)),
        10_404 if matches!(code, Some(70_014)) => (Phase::Header, Fault::ClosedPartial),
        10_404 => (Phase::Header, by_code(Fault::ResetOrClosed)),
        10_124 => (Phase::Header, Fault::HeaderTooBig),
        1106 | 2475 | 2476 => (Phase::Header, Fault::InvalidResponse),
        1110 => (Phase::Body, by_code(Fault::ResetOrClosed)),
        1030 | 1067 | 1068 | 1070 | 1075 | 992 => (Phase::Header, by_code(Fault::ResetOrClosed)),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

/// `AH00898: <reason> returned by <path>`: the same words stand for timeout, FIN and RST, so the
/// fault is in the line before.
fn reason(message: &[u8]) -> Signal {
    if has(message, "SSL Handshake") {
        Signal::new(Phase::Tls, Fault::Other)
    } else if has(message, "DNS lookup failure") {
        Signal::new(Phase::Resolve, Fault::NameNotFound)
    } else if has(message, "Timeout on 100-Continue") {
        Signal::new(Phase::Header, Fault::TimedOut)
    } else if has(message, "Content-Length") || has(message, "Transfer-Encoding") {
        Signal::new(Phase::Header, Fault::BadFraming)
    } else if has(message, "Corrupt status line") || has(message, "Bad Status line") {
        Signal::new(Phase::Header, Fault::MalformedHeader)
    } else if has(message, "interim responses") {
        Signal::new(Phase::Header, Fault::InvalidResponse)
    } else {
        Signal::new(Phase::Header, Fault::Other)
    }
}

/// The upstream's `host:port` in a message, or its host where that is all there is.
fn upstream(message: &[u8]) -> &[u8] {
    for (before, after) in [
        ("remote server ", " "),
        ("attempt to connect to ", " "),
        ("connection to backend: ", " "),
        ("disabling worker for (", ")"),
        ("disabled connection for (", ")"),
        ("request body failed to ", " "),
    ] {
        let Some(at) = crate::bytes::find(message, before.as_bytes()) else {
            continue;
        };
        let rest = &message[at + before.len()..];
        let end = crate::bytes::find(rest, after.as_bytes()).unwrap_or(rest.len());
        let name = &rest[..end];
        if before == "remote server " && name == b"returned" {
            continue;
        }
        return slot::without_scheme(name.strip_suffix(b",").unwrap_or(name));
    }
    &message[..0]
}

/// The path after `returned by `.
fn returned_by(message: &[u8]) -> &[u8] {
    let Some(at) = crate::bytes::find(message, b" returned by ") else {
        return &message[..0];
    };
    let rest = &message[at + " returned by ".len()..];
    let rest = crate::bytes::find(rest, b", referer: ").map_or(rest, |end| &rest[..end]);
    crate::bytes::rfind(rest, b" (").map_or(rest, |end| &rest[..end])
}
