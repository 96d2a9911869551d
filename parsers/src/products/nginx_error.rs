//! nginx error logs.
//!
//! `2026/11/20 16:23:19 [error] 14357#14357: *4 message, client: …, server: …, request: "…", upstream: "…", host: "…"`:
//! local time without zone; `*4` is the connection's serial, `$connection` in the access log. A line
//! that does not begin with a time goes on with the record above it (FastCGI and Lua write such).
//! Source: nginx's `ngx_http_upstream.c` for the texts; error numbers rather than their words are
//! read, since those are the C library's.

use crate::bytes::{filled, number};
use crate::engine::errno;
use crate::engine::memory::{self, Memory};
use crate::engine::slot;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::nginx::NginxParser;
use crate::time::{self, DayCache};

/// nginx error logs.
#[derive(Debug, Clone, Copy)]
pub struct NginxError;

impl Plain for NginxError {
    const NAME: &'static str = "nginx-error";
    const PRODUCT: Product = Product::Nginx;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(NginxErrorParser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut parser = NginxErrorParser {
            alone: true,
            ..NginxErrorParser::default()
        };
        super::by_entries(head, &mut parser, Score::Own, "nginx error lines")
    }
}

#[derive(Default)]
struct NginxErrorParser {
    day: DayCache,
    /// Reads access lines, which containers write to the same stream; made when the first one comes.
    access: Option<NginxParser>,
    /// Whether other lines than the error log's own are refused.
    alone: bool,
    /// The message of the record above has not ended yet: it belongs to a connection and does not say whose.
    open: Memory<()>,
}

impl LineParser for NginxErrorParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        self.open.pass(line);
        if let Some(read) = read(line, entry, &mut self.day) {
            let is_open = entry.connection.is_some() && !has_client(line);
            self.open.set(is_open.then_some(()));
            return read;
        }
        if !looks_foreign(line) && self.goes_on(line) {
            return Ok(Line::Continuation);
        }
        if self.alone {
            return Err(LineError::new(0, "time"));
        }
        self.access
            .get_or_insert_with(NginxParser::new)
            .parse(line, entry)
    }

    fn lead_in(&self) -> usize {
        memory::LEAD_IN
    }
}

impl NginxErrorParser {
    /// Whether a line without time belongs to the message above it: what a script wrote, up to the line that names the
    /// client, or the trace of a script.
    fn goes_on(&mut self, line: &[u8]) -> bool {
        let was_open = self.open.get().is_some();
        if was_open && has_client(line) {
            self.open.set(None);
        }
        was_open || is_trace(line)
    }
}

/// Whether the context of a message begins in `line`.
fn has_client(line: &[u8]) -> bool {
    crate::bytes::find(line, b", client: ").is_some()
}

/// A line of a trace of Lua or PHP.
fn is_trace(line: &[u8]) -> bool {
    let starts = [
        "\t",
        " ",
        "#",
        "stack traceback:",
        "Stack trace:",
        "coroutine ",
        "PHP ",
        "thrown in ",
    ];
    starts.iter().any(|start| line.starts_with(start.as_bytes())) || has_client(line)
}

/// Reads a line of the error log; `None` if it does not begin with a time as the error log has it.
pub(crate) fn read<'a>(
    line: &'a [u8],
    entry: &mut Entry<'a>,
    day: &mut DayCache,
) -> Option<Result<Line, LineError>> {
    let (stamp, at) = time::slashed_prefix(line, day)?;
    entry.time = Some(stamp.marking(Marks::Event));
    let message_at = match head(line, at, entry) {
        Ok(at) => at,
        Err(error) => return Some(Err(error)),
    };
    let rest = &line[message_at..];
    let end = crate::bytes::find(rest, b", client: ")
        .or_else(|| crate::bytes::find(rest, b", server: "))
        .unwrap_or(rest.len());
    let message = &rest[..end];
    entry.error = message;
    let context = &rest[end..];
    if !context.is_empty() {
        fields(&context[2..], entry);
    }
    judge(message, !context.is_empty() || entry.connection.is_some(), entry);
    Some(Ok(Line::Entry))
}

/// `[level] pid#tid: *connection ` from `at`; where the message begins.
fn head(line: &[u8], at: usize, entry: &mut Entry<'_>) -> Result<usize, LineError> {
    let error = |want| LineError::new(at, want);
    let rest = line[at..].strip_prefix(b" [").ok_or(error("level"))?;
    let end = memchr::memchr(b']', rest).ok_or(error("level"))?;
    entry.level = level(&rest[..end]).ok_or(error("level"))?;
    let rest = rest[end + 1..].strip_prefix(b" ").ok_or(error("process"))?;
    let hash = memchr::memchr(b'#', rest).ok_or(error("process"))?;
    let pid = number(&rest[..hash]).ok_or(error("process"))?;
    entry.pid = u32::try_from(pid).ok();
    let colon = memchr::memchr(b':', rest).ok_or(error("thread"))?;
    let rest = rest[colon + 1..].strip_prefix(b" ").ok_or(error("message"))?;
    let mut message = rest;
    if let Some(serial) = rest.strip_prefix(b"*") {
        let len = memchr::memchr(b' ', serial).ok_or(error("connection"))?;
        entry.connection = number(&serial[..len]);
        message = &serial[len + 1..];
    }
    Ok(line.len() - message.len())
}

fn level(word: &[u8]) -> Option<Level> {
    Some(match word {
        b"debug" => Level::Debug,
        b"info" | b"notice" => Level::Info,
        b"warn" => Level::Warning,
        b"error" => Level::Error,
        b"crit" | b"alert" | b"emerg" => Level::Critical,
        _ => return None,
    })
}

/// A line of an access log or of the ingress controller itself.
fn looks_foreign(line: &[u8]) -> bool {
    let clf = memchr::memchr(b'[', line)
        .is_some_and(|at| time::clf_prefix(&line[at + 1..], &mut DayCache::default()).is_some());
    let klog = matches!(line, [b'I' | b'W' | b'E' | b'F', d @ ..]
        if d.len() > 5 && d[..4].iter().all(u8::is_ascii_digit) && d[4] == b' ');
    clf || klog
}

/// `client: a, server: b, request: "c", upstream: "d", host: "e"`.
fn fields<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    let mut rest = text;
    while let Some(colon) = crate::bytes::find(rest, b": ") {
        let key = &rest[..colon];
        let after = &rest[colon + 2..];
        let (value, used) = match after.strip_prefix(b"\"") {
            Some(quoted) => {
                let len = quoted_end(quoted);
                (&quoted[..len], len + 4)
            }
            // An empty value stands right before the comma: `server: , `.
            None => {
                let len = crate::bytes::find(after, b", ").unwrap_or(after.len());
                (&after[..len], len + 2)
            }
        };
        match key {
            b"client" => entry.client = filled(value),
            b"server" => entry.server = filled(value),
            b"request" => slot::request(value, entry),
            b"upstream" => entry.upstream.addr = slot::without_scheme(value),
            b"host" => entry.host = value,
            b"request_id" => entry.ids.push(value),
            _ => {}
        }
        rest = after.get(used..).unwrap_or_default();
    }
}

/// A quoted value ends at a quote that the end of the line or a known field follows: nginx does not
/// escape quotes here.
fn quoted_end(text: &[u8]) -> usize {
    const NEXT: [&[u8]; 7] = [
        b", request: \"",
        b", subrequest: \"",
        b", upstream: \"",
        b", host: \"",
        b", referrer: \"",
        b", request_id: \"",
        b", login: \"",
    ];
    memchr::memchr_iter(b'"', text)
        .find(|at| {
            let after = &text[at + 1..];
            after.is_empty() || NEXT.iter().any(|next| after.starts_with(next))
        })
        .unwrap_or(text.len())
}

/// Sets kind and signal.
fn judge(message: &[u8], of_request: bool, entry: &mut Entry<'_>) {
    if !of_request {
        entry.signal = process_signal(message);
        entry.kind = if entry.signal.is_some() || entry.level >= Level::Warning {
            Kind::Event
        } else {
            Kind::Note
        };
        return;
    }
    entry.signal = signal(message);
    entry.kind = match entry.signal {
        Some(Signal {
            fault: Fault::ServerDown,
            ..
        }) => Kind::Event,
        None if entry.level <= Level::Info => Kind::Note,
        _ => Kind::Failure,
    };
}

fn has(text: &[u8], part: &str) -> bool {
    crate::bytes::find(text, part.as_bytes()).is_some()
}

/// What a message of the server as a whole says.
fn process_signal(message: &[u8]) -> Option<Signal> {
    let fault = if has(message, "exited on signal") || has(message, "exited with fatal code") {
        Fault::WorkerCrashed
    } else if has(message, "worker_connections are not enough") {
        Fault::WorkersExhausted
    } else if has(message, "host not found in upstream") {
        return Some(Signal::new(Phase::Resolve, Fault::NameNotFound));
    } else if has(message, "start worker process") || has(message, "start cache ") {
        Fault::Started
    } else if [
        "reconfiguring",
        "shutting down",
        "exiting",
        "exited with code",
        "signal process started",
    ]
    .iter()
    .any(|text| has(message, text))
        || message.starts_with(b"signal ")
    {
        Fault::Stopping
    } else if errno::in_parentheses(message).is_some_and(|n| n == 12) {
        Fault::OutOfMemory
    } else {
        return None;
    };
    Some(Signal::new(Phase::Process, fault))
}

/// What nginx was doing: the words after the last ` while `.
fn phase(message: &[u8]) -> Phase {
    let Some(at) = crate::bytes::rfind(message, b" while ") else {
        return Phase::Unknown;
    };
    let doing = &message[at + 7..];
    match doing {
        b"connecting to upstream" => Phase::Connect,
        b"SSL handshaking to upstream" => Phase::Tls,
        b"sending request to upstream" | b"sending to upstream" => Phase::Send,
        b"reading response header from upstream" => Phase::Header,
        b"reading upstream"
        | b"reading from upstream"
        | b"proxying upgraded connection"
        | b"proxying and reading from upstream" => Phase::Body,
        b"sending to client" if message.starts_with(b"upstream ") => Phase::Body,
        _ if has(doing, "client") || has(doing, "request") || has(doing, "keepalive") => Phase::Client,
        _ => Phase::Unknown,
    }
}

/// What a message about a request says.
fn signal(message: &[u8]) -> Option<Signal> {
    let phase = phase(message);
    let number = errno::in_parentheses(message);
    if has(message, "client prematurely closed") || message.starts_with(b"client closed") {
        return Some(Signal::new(Phase::Client, Fault::ClientGone));
    }
    if message.starts_with(b"client timed out") {
        return Some(Signal::new(Phase::Client, Fault::TimedOut));
    }
    if message.starts_with(b"no live upstreams") {
        return Some(Signal::new(Phase::Connect, Fault::NoLiveUpstream));
    }
    if has(message, "could not be resolved (") {
        let fault = if number == Some(110) {
            Fault::TimedOut
        } else {
            Fault::NameNotFound
        };
        return Some(Signal::new(Phase::Resolve, fault));
    }
    if has(message, "worker_connections are not enough") {
        return Some(Signal::new(Phase::Process, Fault::WorkersExhausted));
    }
    if message.starts_with(b"upstream ") {
        return upstream_fault(message).map(|(fault, own)| Signal::new(own.unwrap_or(phase), fault));
    }
    if message.starts_with(b"peer closed connection in SSL handshake") && phase == Phase::Tls {
        return Some(Signal::new(Phase::Tls, Fault::TlsRejected));
    }
    if message.starts_with(b"SSL_do_handshake() failed") && phase == Phase::Tls {
        return Some(Signal::new(Phase::Tls, handshake_fault(message)));
    }
    if has(message, "() failed (") || has(message, " failed (") {
        return system_fault(message, phase, number?);
    }
    None
}

/// Messages that begin with `upstream`; with the phase where the text fixes it.
fn upstream_fault(message: &[u8]) -> Option<(Fault, Option<Phase>)> {
    let rest = message.strip_prefix(b"upstream ")?;
    let fault = if rest.starts_with(b"timed out") {
        Fault::TimedOut
    } else if rest.starts_with(b"prematurely closed") {
        Fault::Closed
    } else if rest.starts_with(b"server temporarily disabled") {
        Fault::ServerDown
    } else if rest.starts_with(b"SSL certificate") {
        return Some((Fault::CertificateRejected, Some(Phase::Tls)));
    } else if rest.starts_with(b"sent too big header") {
        Fault::HeaderTooBig
    } else if rest.starts_with(b"sent unsupported FastCGI") || rest.starts_with(b"sent unexpected FastCGI") {
        Fault::ProtocolMismatch
    } else if rest.starts_with(b"rejected request") || rest.starts_with(b"sent goaway") {
        Fault::Reset
    } else if has(rest, "Transfer-Encoding") || has(rest, "Content-Length") || has(rest, "chunked") {
        Fault::BadFraming
    } else if rest.starts_with(b"sent duplicate header line") && has(rest, "ignored") {
        return None;
    } else if rest.starts_with(b"sent ") {
        Fault::MalformedHeader
    } else {
        return None;
    };
    Some((fault, None))
}

fn handshake_fault(message: &[u8]) -> Fault {
    if has(message, "wrong version number")
        || has(message, "unknown protocol")
        || has(message, "http request")
    {
        Fault::ProtocolMismatch
    } else if has(message, "certificate verify failed") {
        Fault::CertificateRejected
    } else if errno::in_parentheses(message) == Some(110) {
        Fault::TimedOut
    } else {
        Fault::TlsRejected
    }
}

/// A failed system call. On the client's side a reset is only a client that went away.
fn system_fault(message: &[u8], phase: Phase, number: u32) -> Option<Signal> {
    let connecting = message.starts_with(b"connect()") || phase == Phase::Connect;
    let fault = match errno::fault(number) {
        // A connect() to a local socket: EAGAIN is a full accept queue, ENOENT and EACCES are no listener.
        Some(Fault::Other) | None if connecting && number == 11 => Fault::BacklogFull,
        None if connecting && matches!(number, 2 | 13) => Fault::Refused,
        Some(fault) => fault,
        None if matches!(phase, Phase::Connect | Phase::Send | Phase::Header | Phase::Body) => Fault::Other,
        None => return None,
    };
    if phase == Phase::Client {
        let gone = matches!(fault, Fault::Reset | Fault::BrokenPipe);
        return gone.then_some(Signal::new(Phase::Client, Fault::ClientGone));
    }
    Some(Signal::new(phase, fault))
}
