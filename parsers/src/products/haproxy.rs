//! HAProxy: `option httplog`, `tcplog`, `httpslog` and `httplog clf`, JSON, and the process's own events.
//!
//! `127.0.0.1:37874 [20/Nov/2026:16:26:16.721] fe be_app/app1 0/0/0/-1/3001 504 253 - - sH-- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`:
//! the time is when the request began, in local time without zone; the line is written at its end.
//! What follows the request (a unique id, say) is searched for ids. The syslog header is a wrapper's business.
//! Source: HAProxy configuration manual, "Log formats" and "Session state at disconnection".

use std::sync::{Arc, LazyLock};

use crate::engine::paste_haproxy::{CLF, HTTPLOG, TCPLOG, open_ended};
use crate::engine::slot::Slot;
use crate::engine::template::Template;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::glance::Glance;
use crate::products::haproxy_json;
use crate::time::{self, DayCache};

/// HAProxy logs.
#[derive(Debug)]
pub struct Haproxy;

impl Format for Haproxy {
    fn name(&self) -> &'static str {
        "haproxy"
    }

    fn product(&self) -> Product {
        Product::Haproxy
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = HaproxyParser::new(layouts());
        if memchr::memchr(b'{', head.bytes).is_some() {
            let mut day = DayCache::default();
            let mut is_json = |line: &[u8]| {
                haproxy_json::read(without_tag(line), &mut Entry::default(), &mut day) == Some(Ok(()))
            };
            if head.lines().take(Head::LINES).any(&mut is_json) {
                let reason = "JSON with haproxy's termination states";
                return Sniff::by_parsing(head, &mut parser, Score::Mark, reason);
            }
        }
        Sniff::by_parsing(head, &mut parser, Score::Own, "haproxy log lines")
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(HaproxyPrepared { layouts: layouts() })
    }
}

struct HaproxyPrepared {
    layouts: Arc<[Template]>,
}

impl Prepared for HaproxyPrepared {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(HaproxyParser::new(Arc::clone(&self.layouts)))
    }
}

/// The layouts that lines are tried against, compiled once: they are asked for by every log that is looked at. The second
/// has one more word after the server, which configurations that insert `%[hdr(host)]` write.
fn layouts() -> Arc<[Template]> {
    static LAYOUTS: LazyLock<Arc<[Template]>> = LazyLock::new(|| {
        let with_host = HTTPLOG.replace("%b/%s ", "%b/%s %[req.hdr(host)] ");
        [HTTPLOG, with_host.as_str(), TCPLOG, CLF]
            .into_iter()
            .filter_map(|format| open_ended(format).ok())
            .collect()
    });
    Arc::clone(&LAYOUTS)
}

struct HaproxyParser {
    layouts: Arc<[Template]>,
    /// The layout that read the last line.
    likely: usize,
    day: DayCache,
}

impl HaproxyParser {
    fn new(layouts: Arc<[Template]>) -> Self {
        Self {
            layouts,
            likely: 0,
            day: DayCache::default(),
        }
    }

    /// Tries the layout of the last line, then the others; the error is that of the first tried.
    fn request<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<(), LineError> {
        let Some(likely) = self.layouts.get(self.likely) else {
            return Err(LineError::new(0, "layout"));
        };
        let Err(error) = likely.read(line, entry, &mut self.day) else {
            return Ok(());
        };
        for (n, layout) in self.layouts.iter().enumerate() {
            if n == self.likely {
                continue;
            }
            entry.clear();
            if layout.read(line, entry, &mut self.day).is_ok() {
                self.likely = n;
                return Ok(());
            }
        }
        entry.clear();
        Err(error)
    }

    /// `127.0.0.1:56059 [03/Dec/2012:17:35:10.380] frt/f1: Connection error during SSL handshake`
    fn client_error<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> bool {
        let Some(open) = crate::bytes::find(line, b" [") else {
            return false;
        };
        let Some((stamp, used)) = time::clf_prefix(&line[open + 2..], &mut self.day) else {
            return false;
        };
        let after = &line[open + 2 + used..];
        let Some(rest) = after.strip_prefix(b"] ") else {
            return false;
        };
        let Some(colon) = crate::bytes::find(rest, b": ") else {
            return false;
        };
        if memchr::memchr(b' ', &rest[..colon]).is_some() || !Slot::ClientAndPort.write(&line[..open], entry)
        {
            return false;
        }
        entry.kind = Kind::Failure;
        entry.level = Level::Warning;
        entry.time = Some(stamp.marking(Marks::Event));
        entry.error = &rest[colon + 2..];
        let fault = if entry.error.starts_with(b"Timeout") {
            Fault::TimedOut
        } else {
            Fault::Other
        };
        entry.signal = Some(Signal::new(Phase::Client, fault));
        true
    }
}

impl LineParser for HaproxyParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let line = without_tag(line);
        if let Some(read) = haproxy_json::read(line, entry, &mut self.day) {
            return read.map(|()| Line::Entry);
        }
        if event(line, entry) {
            return Ok(Line::Entry);
        }
        match self.request(line, entry) {
            Err(_) if self.client_error(line, entry) => Ok(Line::Entry),
            read => read.map(|()| Line::Entry),
        }
    }

    fn glance<'a>(&mut self, line: &'a [u8], glance: &mut Glance<'a>) -> bool {
        // Lines that begin with a letter or a brace may be events or JSON.
        line.first().is_some_and(u8::is_ascii_digit)
            && self
                .layouts
                .get(self.likely)
                .is_some_and(|likely| likely.glance(line, glance, &mut self.day))
    }
}

/// The line without `haproxy[1234]: `, which is left where only the stamp and the host were cut off.
fn without_tag(line: &[u8]) -> &[u8] {
    if !line.starts_with(b"haproxy[") {
        return line;
    }
    crate::bytes::find(line, b"]: ").map_or(line, |at| &line[at + 3..])
}

/// Lines about servers and proxies. They carry no time: the wrapper's is theirs.
fn event<'a>(line: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let text = without_console_prefix(line);
    if !text.first().is_some_and(u8::is_ascii_alphabetic) {
        return false;
    }
    let has = |part: &str| crate::bytes::find(text, part.as_bytes()).is_some();
    let starts = |part: &str| text.starts_with(part.as_bytes());
    let second = text.split(|b| *b == b' ').nth(1).unwrap_or_default();
    let (level, fault) = if starts("Connect from ") {
        return connect_from(text, entry);
    } else if starts("Server ") || starts("Backup Server ") {
        server_state(text, entry)
    } else if has(" has no server available") {
        entry.upstream.group = second;
        (Level::Critical, Some(Fault::NoLiveUpstream))
    } else if starts("Health check for ") || starts("Backup Health check for ") {
        (Level::Info, None)
    } else if starts("Proxy ") && has(" started") {
        (Level::Info, Some(Fault::Started))
    } else if (starts("Proxy ") && has(" stopped"))
        || starts("Stopping ")
        || starts("Pausing ")
        || starts("Proxy ") && has(" stopp")
        || has("exited with code") && has("orker")
    {
        (Level::Warning, Some(Fault::Stopping))
    } else if starts("New worker ") || starts("Loading success") {
        (Level::Info, Some(Fault::Started))
    } else {
        return false;
    };
    entry.kind = Kind::Event;
    entry.level = level;
    entry.error = text;
    let phase = match fault {
        Some(Fault::NoLiveUpstream | Fault::ServerDown | Fault::ServerUp) => Phase::Connect,
        _ => Phase::Process,
    };
    entry.signal = fault.map(|fault| Signal::new(phase, fault));
    true
}

/// `[WARNING]  (1234) : text` of a console without its prefix.
fn without_console_prefix(line: &[u8]) -> &[u8] {
    for level in [b"[NOTICE]".as_slice(), b"[WARNING]", b"[ALERT]"] {
        if line.starts_with(level)
            && let Some(at) = crate::bytes::find(line, b") : ")
        {
            return &line[at + 4..];
        }
    }
    line
}

/// `Server be/s1 is DOWN, reason: Layer4 connection problem, …`
fn server_state<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> (Level, Option<Fault>) {
    let name_at = crate::bytes::find(text, b"Server ").map_or(0, |at| at + 7);
    let name = text[name_at..].split(|b| *b == b' ').next().unwrap_or_default();
    if let Some(slash) = memchr::memchr(b'/', name) {
        entry.upstream.group = &name[..slash];
        entry.upstream.addr = &name[slash + 1..];
    }
    let has = |part: &str| crate::bytes::find(text, part.as_bytes()).is_some();
    if has(" is DOWN") || has(" is going DOWN") || has("for maintenance") || has(" is stopping") {
        (Level::Critical, Some(Fault::ServerDown))
    } else if has(" is UP") || has(" is READY") || has(" is going UP") {
        (Level::Info, Some(Fault::ServerUp))
    } else {
        (Level::Info, None)
    }
}

/// `Connect from 10.0.1.2:33312 to 10.0.3.31:8012 (www/HTTP)`, what a proxy without log option writes.
fn connect_from<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let mut words = text["Connect from ".len()..].split(|b| *b == b' ');
    let client = words.next().unwrap_or_default();
    if words.next() != Some(b"to") || !Slot::ClientAndPort.write(client, entry) {
        return false;
    }
    entry.server = words.next().unwrap_or_default();
    entry.kind = Kind::Note;
    entry.level = Level::Info;
    true
}
