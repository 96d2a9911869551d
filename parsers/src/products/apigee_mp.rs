//! Apigee Edge Message Processor, `system.log`, and the JSON lines of the hybrid runtime.
//!
//! `2026-11-20 16:23:16,123 org:acme env:prod api:orders rev:3 messageid:rrt-1-2-3 NIOThread@1 ERROR HTTP.CLIENT - HTTPClient$Context.handshakeTimeout() : SSLClientChannel[Connected: Remote:10.0.0.3:443 Local:10.0.0.2:40112]@739028 useCount=1 bytesRead=0 bytesWritten=0 age=55221ms lastIO=55221ms isOpen=true handshake timeout`
//! The time is local, milliseconds, the event's own; published extracts leave it out, and such lines have none. The block
//! of `key:value` words is missing on lines outside a message. `messageid` is the `X-Apigee.Message-ID` of the router's log.
//!
//! The dump of a channel tells of one connection: `Connected:` is one to a target, `Accepted:` one from the router;
//! `useCount` counts the exchanges on it, this one included, so that more than 1 means it was used before; `bytesRead` and
//! `bytesWritten` are those of the exchange; `age` and `lastIO` are milliseconds since it was opened and since the last byte.
//! An older dump writes `C:` and `Remote host:` for the two ends.
//! On a fresh connection the exchange is as old as the connection; on a used one the time since the last byte is all that
//! is known of it.
//! Source: Apigee, "502 Bad Gateway Timeout Error" (TLS handshake timeout), which has the dump. The layout of the time
//! (log4j's default with a comma), the other handlers (`onTimeout`, `onConnectTimeout`, `onException`) and the older dump
//! could not be confirmed in a public text: they are recognised by the words themselves, not by their place.
//! Traces follow on lines of their own.

use std::sync::LazyLock;

use crate::bytes::memmem;

use super::{java_text, jvm};
use crate::bytes::{self, filled};
use crate::engine::json::{self, Keys, Value};
use crate::engine::slot::unit;
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal, Stamp};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `apigee-mp`.
#[derive(Debug, Clone, Copy)]
pub struct ApigeeMp;

impl Plain for ApigeeMp {
    const NAME: &'static str = "apigee-mp";
    const PRODUCT: Product = Product::ApigeeMp;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 3] = [b" messageid:", b"HTTPClient$Context", b"NIOThread@"];
        if !marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        let reason = "threads and message ids of a Message Processor";
        Sniff::by_parsing(head, &mut Parser::default(), Score::Mark, reason)
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
    /// As in [`java_text::further`].
    pending: Option<(Option<Stamp>, Option<u64>)>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, record: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let (line, rest) = jvm::split(record);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if line.starts_with(b"{") {
            return self.hybrid(line, entry);
        }
        let Some(start) = Start::of(line, &mut self.day) else {
            return java_text::further(line, &mut self.pending, entry);
        };
        entry.time = start.time.map(|time| time.marking(Marks::Event));
        entry.level = start.level;
        entry.thread = jvm::thread(start.thread);
        entry.ids.push(filled(start.message_id));
        judge(start.logger, start.message, rest, entry);
        let awaits = entry.level >= Level::Warning && entry.signal.is_none();
        self.pending = awaits.then_some((entry.time, entry.thread));
        Ok(Line::Entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        let day = &mut DayCache::default();
        Some(line.starts_with(b"{") || Start::of(line, day).is_some() || java_text::foreign(line))
    }
}

/// Keys of the hybrid runtime's JSON.
const PATHS: [(&str, u8); 9] = [
    ("message", 0),
    ("logger", 1),
    ("thread", 2),
    ("level", 3),
    ("severity", 3),
    ("timestamp", 4),
    ("time", 4),
    ("messageid", 5),
    ("message_id", 5),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (path, slot) in PATHS {
        keys.add(path, slot, 0);
    }
    keys
});

impl Parser {
    /// `{"level":"INFO","thread":"NIOThread@4","message":"…","severity":"INFO","logger":"HTTP.SERVER"}`.
    fn hybrid<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut values = [Value::default(); 6];
        json::scan(line, &KEYS, &mut values)?;
        if values[0].text().is_empty() || values[1].text().is_empty() {
            return Err(LineError::new(0, "message and logger"));
        }
        entry.escape = Escape::Json;
        entry.level = jvm::level(values[3].text()).unwrap_or_default();
        entry.time = values[4]
            .stamp(&mut self.day)
            .map(|time| time.marking(Marks::Event));
        entry.thread = jvm::thread(values[2].text());
        entry.ids.push(values[5].text());
        judge(values[1].text(), values[0].text(), b"", entry);
        Ok(Line::Entry)
    }
}

/// What stands before the message.
#[derive(Default)]
struct Start<'a> {
    time: Option<Stamp>,
    message_id: &'a [u8],
    thread: &'a [u8],
    level: Level,
    logger: &'a [u8],
    message: &'a [u8],
}

impl<'a> Start<'a> {
    /// `None` if `line` begins no record: it needs a time or `org:` at its start, a level, and ` - `.
    fn of(line: &'a [u8], day: &mut DayCache) -> Option<Self> {
        let mut start = Self::default();
        let mut rest = line;
        if let Some((stamp, used)) = time::iso_prefix(line, day) {
            start.time = Some(stamp);
            rest = &line[used..];
        } else if !line.starts_with(b"org:") {
            return None;
        }
        let dash = memmem::find(rest, b" - ")?;
        let (words, message) = (&rest[..dash], &rest[dash + 3..]);
        start.message = message;
        let mut thread_from = None;
        let mut at = 0;
        while at < words.len() {
            let len = memchr::memchr(b' ', &words[at..]).unwrap_or(words.len() - at);
            let word = &words[at..at + len];
            if let Some(level) = jvm::level(word) {
                start.level = level;
                start.thread = words[thread_from.unwrap_or(at)..at].trim_ascii();
                start.logger = words.get(at + len..).unwrap_or_default().trim_ascii();
                return Some(start);
            }
            if let Some(id) = word.strip_prefix(b"messageid:") {
                start.message_id = id;
            } else if thread_from.is_none() && !word.is_empty() && !is_key(word) {
                thread_from = Some(at);
            }
            at += len + 1;
        }
        None
    }
}

/// `org:acme`, `rev:3`.
fn is_key(word: &[u8]) -> bool {
    memchr::memchr(b':', word).is_some_and(|at| at > 0 && word[..at].iter().all(u8::is_ascii_lowercase))
}

/// The dump of a connection.
#[derive(Debug, Default, PartialEq, Eq)]
struct Channel<'a> {
    /// From the router, not to a target.
    accepted: bool,
    remote: &'a [u8],
    local: &'a [u8],
    uses: Option<u64>,
    read: &'a [u8],
    written: Option<u64>,
    age_ms: &'a [u8],
    idle_ms: &'a [u8],
}

impl<'a> Channel<'a> {
    fn in_text(text: &'a [u8]) -> Option<Self> {
        let open = memmem::find(text, b"ClientChannel[")?;
        let inner = &text[open + 14..];
        let close = memchr::memchr(b']', inner).filter(|&at| at < 200)?;
        let (ends, counts) = (&inner[..close], &inner[close + 1..]);
        let field = |mark: &str| value(ends, mark);
        let count = |mark: &str| value(counts, mark).unwrap_or_default();
        Some(Self {
            accepted: ends.starts_with(b"Accepted:"),
            remote: field("Remote:").or_else(|| field("C:")).unwrap_or_default(),
            local: field("Local:")
                .or_else(|| field("Remote host:"))
                .unwrap_or_default(),
            uses: bytes::number(count("useCount=")),
            read: count("bytesRead="),
            written: bytes::number(count("bytesWritten=")),
            age_ms: digits(count("age=")),
            idle_ms: digits(count("lastIO=")),
        })
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        if self.accepted {
            let (client, port) = super::caddy::split_port(self.remote);
            (entry.client, entry.client_port) = (client, port);
            return;
        }
        let upstream = &mut entry.upstream;
        upstream.addr = self.remote;
        upstream.local = self.local;
        upstream.bytes_received = self.read;
        upstream.reused = self.uses.map(|uses| uses > 1);
        upstream.unit_us = unit::MS;
        upstream.response = if self.uses == Some(1) {
            self.age_ms
        } else {
            self.idle_ms
        };
        entry.response_us = bytes::number(upstream.response).and_then(|ms| ms.checked_mul(1000));
    }

    fn nothing_read(&self) -> bool {
        bytes::number(self.read).is_none_or(|read| read == 0)
    }
}

/// The word after `mark`.
fn value<'a>(text: &'a [u8], mark: &str) -> Option<&'a [u8]> {
    let at = memmem::find_iter(text, mark.as_bytes())
        .find(|&at| at == 0 || matches!(text[at - 1], b' ' | b'[' | b':'))?;
    let value = &text[at + mark.len()..];
    Some(&value[..memchr::memchr2(b' ', b')', value).unwrap_or(value.len())])
}

fn digits(text: &[u8]) -> &[u8] {
    &text[..text.iter().take_while(|byte| byte.is_ascii_digit()).count()]
}

fn judge<'a>(logger: &[u8], message: &'a [u8], rest: &'a [u8], entry: &mut Entry<'a>) {
    entry.error = message;
    entry.kind = Kind::Note;
    let channel = Channel::in_text(message);
    if let Some(channel) = &channel {
        channel.fill(entry);
    }
    // Broken pipes are told at INFO.
    let tells = entry.level >= Level::Warning || memmem::find(message, b"Exception").is_some();
    if !tells {
        return;
    }
    let channel = channel.unwrap_or_default();
    let mut signal = handler(message, &channel).or_else(|| fault_code(message));
    if signal.is_none()
        && let Some(found) = jvm::exception(rest).or_else(|| jvm::message(message))
    {
        signal = Some(found.signal);
    }
    let Some(mut signal) = signal else { return };
    if (channel.accepted || logger == b"HTTP.SERVER") && signal.phase != Phase::Process {
        // What happens on the router's side is the router's going away.
        signal = match signal.fault {
            Fault::Closed | Fault::Reset | Fault::BrokenPipe | Fault::ResetOrClosed => {
                Signal::new(Phase::Client, Fault::ClientGone)
            }
            fault => Signal::new(Phase::Client, fault),
        };
    } else if signal.phase == Phase::Header && !channel.nothing_read() {
        signal.phase = Phase::Body;
    }
    entry.signal = Some(signal);
    entry.kind = if signal.phase == Phase::Process {
        Kind::Event
    } else {
        Kind::Failure
    };
}

/// What the handler that was called says: its own timers.
fn handler(message: &[u8], channel: &Channel<'_>) -> Option<Signal> {
    let has = |needle: &str| memmem::find(message, needle.as_bytes()).is_some();
    let phase = if has("handshakeTimeout") || has("handshake timeout") {
        Phase::Tls
    } else if has("onConnectTimeout") || has("connectTimeout") || has("onnection timeout") {
        Phase::Connect
    } else if has(".onTimeout()") || has("onReadTimeout") {
        match channel.written {
            Some(0) => Phase::Send,
            _ => Phase::Header,
        }
    } else {
        return None;
    };
    Some(Signal::new(phase, Fault::TimedOut))
}

/// What a fault code (`messaging.adaptors.http.flow.GatewayTimeout`) or its text says, wherever it stands.
pub(super) fn fault_code(text: &[u8]) -> Option<Signal> {
    const CODES: [(&str, Phase, Fault); 10] = [
        ("GatewayTimeout", Phase::Header, Fault::TimedOut),
        ("Gateway Timeout", Phase::Header, Fault::TimedOut),
        ("UnexpectedEOFAtTarget", Phase::Header, Fault::Closed),
        ("Unexpected EOF at target", Phase::Header, Fault::Closed),
        ("NoActiveTargets", Phase::Queue, Fault::NoLiveUpstream),
        ("ServiceUnavailable", Phase::Connect, Fault::Other),
        ("SslHandshakeFailed", Phase::Tls, Fault::TlsRejected),
        ("TooBigHeaders", Phase::Header, Fault::HeaderTooBig),
        ("TooBigBody", Phase::Header, Fault::InvalidResponse),
        ("ErrorResponseCode", Phase::Header, Fault::UpstreamStatus),
    ];
    CODES
        .iter()
        .find(|(code, ..)| memmem::find(text, code.as_bytes()).is_some())
        .map(|&(_, phase, fault)| Signal::new(phase, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published record, with addresses in place of its masks.
    const HANDSHAKE: &str = "org:acme env:prod api:orders rev:3 messageid:rt-1-2-3 NIOThread@1 ERROR HTTP.CLIENT - HTTPClient$Context.handshakeTimeout() : SSLClientChannel[Connected: Remote:10.0.0.3:443 Local:10.0.0.2:40112]@739028 useCount=1 bytesRead=0 bytesWritten=0 age=55221ms lastIO=55221ms isOpen=true handshake timeout";

    fn read(record: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(record.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{record}"
        );
        entry
    }

    #[test]
    fn a_handshake_timeout_tells_its_connection() {
        let entry = read(HANDSHAKE);
        assert_eq!(
            (entry.kind, entry.signal),
            (Kind::Failure, Some(Signal::new(Phase::Tls, Fault::TimedOut)))
        );
        assert_eq!(
            (entry.time, entry.ids.as_slice()),
            (None, [b"rt-1-2-3".as_slice()].as_slice())
        );
        let upstream = &entry.upstream;
        assert_eq!(
            (upstream.addr, upstream.local),
            (b"10.0.0.3:443".as_slice(), b"10.0.0.2:40112".as_slice())
        );
        assert_eq!(
            (upstream.reused, entry.response_us),
            (Some(false), Some(55_221_000))
        );
        let attempt = upstream.last().unwrap();
        assert_eq!(
            (attempt.response_us, attempt.bytes_received),
            (Some(55_221_000), Some(0))
        );
        let timed = format!("2026-11-20 16:23:16,123  {HANDSHAKE}");
        let entry = read(&timed);
        assert_eq!(entry.time.map(|time| time.us), Some(1_795_191_796_123_000));
        assert_eq!(entry.thread, jvm::thread(b"NIOThread@1"));
    }

    #[test]
    fn an_end_on_a_used_connection_is_told_with_its_idle_time() {
        let record = "2026-11-20 16:23:16,123 org:acme env:prod api:orders rev:3 messageid:rt-1 NIOThread@0 ERROR HTTP.CLIENT - HTTPClient$Context$3.onException() : SSLClientChannel[C:10.0.0.3:443 Remote host:10.0.0.2:50100]@459069 useCount=6 bytesRead=0 bytesWritten=755 age=40107ms lastIO=12ms .onExceptionRead exception: {}\njava.io.EOFException: eof unexpected\n\tat com.example.A.b(A.java:45)\n";
        let entry = read(record);
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
        assert_eq!(
            (entry.upstream.reused, entry.response_us),
            (Some(true), Some(12_000))
        );
        assert_eq!(entry.upstream.addr, b"10.0.0.3:443");
    }

    #[test]
    fn a_timer_is_placed_by_what_was_read_and_written() {
        let of = |read_bytes: u32, written: u32| {
            let record = format!(
                "org:a env:b api:c rev:1 messageid:m NIOThread@1 ERROR HTTP.CLIENT - HTTPClient$Context.onTimeout() : ClientChannel[Connected: Remote:10.0.0.3:80 Local:10.0.0.2:4]@7 useCount=2 bytesRead={read_bytes} bytesWritten={written} age=60000ms lastIO=55001ms isOpen=true"
            );
            read(&record).signal.map(|signal| signal.phase)
        };
        assert_eq!(of(0, 400), Some(Phase::Header));
        assert_eq!(of(900, 400), Some(Phase::Body));
        assert_eq!(of(0, 0), Some(Phase::Send));
    }

    #[test]
    fn the_routers_side_is_the_clients_side() {
        let record = "2026-11-20 16:23:16,123 NIOThread@1 INFO HTTP.SERVICE - ExceptionHandler.handleException() : Exception java.io.IOException: Broken pipe occurred while writing to channel ClientOutputChannel(ClientChannel[Accepted: Remote:10.0.0.1:8998 Local:10.0.0.2:8998]@8380 useCount=1 bytesRead=0 bytesWritten=76295 age=2012ms lastIO=2ms isOpen=false)";
        let entry = read(record);
        assert_eq!(entry.signal, Some(Signal::new(Phase::Client, Fault::ClientGone)));
        assert!(entry.upstream.addr.is_empty());
    }

    #[test]
    fn the_hybrid_runtime_writes_json() {
        let entry = read(
            r#"{"level":"ERROR","thread":"NIOThread@4","message":"Unexpected EOF at target","severity":"ERROR","logger":"ADAPTORS.HTTP.FLOW"}"#,
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
        let note = read(
            r#"{"level":"INFO","thread":"NIOThread@4","message":"Keep alive is false","severity":"INFO","logger":"HTTP.SERVER"}"#,
        );
        assert_eq!((note.kind, note.signal), (Kind::Note, None));
    }
}
