//! What the error texts of common runtimes mean: Go's `net/http`, Node, the JVM, Python, .NET.
//!
//! The first entry that matches wins; specific ones stand before general ones.

use crate::bytes::memmem;

use crate::engine::needles::{Hits, Lists, Needles};
use crate::entry::{Fault, Phase, Signal};

/// What an error text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// What happened.
    pub signal: Signal,
    /// `host:port` of the other side, if the text has it.
    pub upstream: &'a [u8],
    /// `host:port` of this side of the connection, if the text has it.
    pub local: &'a [u8],
}

const fn signal(phase: Phase, fault: Fault) -> Signal {
    Signal::new(phase, fault)
}

/// Go, after `dial …: `: the connection was never made.
static GO_DIAL: Needles<Signal> = Needles::new(&[
    ("no such host", signal(Phase::Resolve, Fault::NameNotFound)),
    ("lookup ", signal(Phase::Resolve, Fault::TimedOut)),
    ("connection refused", signal(Phase::Connect, Fault::Refused)),
    (
        "no such file or directory",
        signal(Phase::Connect, Fault::Refused),
    ),
    ("i/o timeout", signal(Phase::Connect, Fault::TimedOut)),
    ("connection timed out", signal(Phase::Connect, Fault::TimedOut)),
    ("deadline exceeded", signal(Phase::Connect, Fault::TimedOut)),
    ("no route to host", signal(Phase::Connect, Fault::Unreachable)),
    ("host is down", signal(Phase::Connect, Fault::Unreachable)),
    (
        "network is unreachable",
        signal(Phase::Connect, Fault::Unreachable),
    ),
    ("reset by peer", signal(Phase::Connect, Fault::Reset)),
    (
        "cannot assign requested address",
        signal(Phase::Connect, Fault::ResourceExhausted),
    ),
    (
        "too many open files",
        signal(Phase::Connect, Fault::ResourceExhausted),
    ),
    (
        "resource temporarily unavailable",
        signal(Phase::Connect, Fault::BacklogFull),
    ),
    ("canceled", signal(Phase::Client, Fault::ClientGone)),
    ("", signal(Phase::Connect, Fault::Other)),
]);

/// Go, on a connection that was made or about to be.
static GO: Needles<Signal> = Needles::new(&[
    ("TLS handshake timeout", signal(Phase::Tls, Fault::TimedOut)),
    ("x509:", signal(Phase::Tls, Fault::CertificateRejected)),
    (
        "does not look like a TLS handshake",
        signal(Phase::Tls, Fault::ProtocolMismatch),
    ),
    (
        "gave HTTP response to HTTPS client",
        signal(Phase::Tls, Fault::ProtocolMismatch),
    ),
    ("tls: ", signal(Phase::Tls, Fault::TlsRejected)),
    (
        "timeout awaiting response headers",
        signal(Phase::Header, Fault::TimedOut),
    ),
    (
        "server closed idle connection",
        signal(Phase::Send, Fault::IdleClosed),
    ),
    (
        "no upstreams available",
        signal(Phase::Queue, Fault::NoLiveUpstream),
    ),
    (
        "response headers exceeded",
        signal(Phase::Header, Fault::HeaderTooBig),
    ),
    ("malformed HTTP", signal(Phase::Header, Fault::MalformedHeader)),
    (
        "malformed MIME header",
        signal(Phase::Header, Fault::MalformedHeader),
    ),
    (
        "malformed chunked encoding",
        signal(Phase::Body, Fault::BadFraming),
    ),
    ("bad Content-Length", signal(Phase::Header, Fault::BadFraming)),
    (
        "transport connection broken: unexpected EOF",
        signal(Phase::Header, Fault::ClosedPartial),
    ),
    (
        "write: connection reset by peer",
        signal(Phase::Send, Fault::Reset),
    ),
    ("connection reset by peer", signal(Phase::Header, Fault::Reset)),
    ("broken pipe", signal(Phase::Send, Fault::BrokenPipe)),
    (
        "transport connection broken",
        signal(Phase::Header, Fault::InvalidResponse),
    ),
    ("unexpected EOF", signal(Phase::Body, Fault::Closed)),
    ("context canceled", signal(Phase::Client, Fault::ClientGone)),
    ("client disconnected", signal(Phase::Client, Fault::ClientGone)),
    (
        "context deadline exceeded",
        signal(Phase::Unknown, Fault::TimedOut),
    ),
    ("Client.Timeout exceeded", signal(Phase::Unknown, Fault::TimedOut)),
    (
        "http2: client connection lost",
        signal(Phase::Header, Fault::ResetOrClosed),
    ),
    ("server sent GOAWAY", signal(Phase::Header, Fault::Closed)),
    ("write: ", signal(Phase::Send, Fault::Other)),
    ("i/o timeout", signal(Phase::Header, Fault::TimedOut)),
]);

/// What an error text of a Go program says: `dial tcp 10.0.0.1:80: connect: connection refused`, `EOF`.
pub fn go(text: &[u8]) -> Option<Found<'_>> {
    go_where(text, || GO.first_in(text))
}

/// As [`go`]; `sentence` is what the first text of the table that stands in `text` means.
fn go_where(text: &[u8], sentence: impl FnOnce() -> Option<Signal>) -> Option<Found<'_>> {
    if let Some(at) = memmem::find(text, b"dial ") {
        let rest = &text[at + 5..];
        return Some(Found {
            signal: GO_DIAL.first_in(rest)?,
            upstream: go_dialled(rest),
            local: &text[..0],
        });
    }
    let ended = || {
        let ended = text == b"EOF" || text.ends_with(b": EOF");
        ended.then_some(signal(Phase::Header, Fault::Closed))
    };
    let signal = sentence().or_else(ended)?;
    let (upstream, local) = go_peers(text);
    Some(Found {
        signal,
        upstream,
        local,
    })
}

/// The address in `tcp 10.0.0.1:80: connect: …`; of a name that was not found, the name.
fn go_dialled(rest: &[u8]) -> &[u8] {
    let Some(space) = memchr::memchr(b' ', rest) else {
        return &[];
    };
    let address = &rest[space + 1..];
    let address = address.strip_prefix(b"lookup ").unwrap_or(address);
    let end = memmem::find(address, b": ").unwrap_or(address.len());
    let end = memchr::memchr(b' ', &address[..end]).unwrap_or(end);
    &address[..end]
}

/// Upstream and local address of `read tcp 127.0.0.1:56050->127.0.0.1:9105: read: …`.
fn go_peers(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(arrow) = memmem::find(text, b"->") else {
        return (&[], &[]);
    };
    let local_at = memchr::memrchr(b' ', &text[..arrow]).map_or(0, |at| at + 1);
    let remote = &text[arrow + 2..];
    let end = memmem::find(remote, b": ").unwrap_or(remote.len());
    (&remote[..end], &text[local_at..arrow])
}

/// Node error codes that mean the same whatever the message.
static NODE_CODES: Needles<Signal> = Needles::new(&[
    ("ECONNREFUSED", signal(Phase::Connect, Fault::Refused)),
    ("EHOSTUNREACH", signal(Phase::Connect, Fault::Unreachable)),
    ("ENETUNREACH", signal(Phase::Connect, Fault::Unreachable)),
    ("EHOSTDOWN", signal(Phase::Connect, Fault::Unreachable)),
    ("ENOTFOUND", signal(Phase::Resolve, Fault::NameNotFound)),
    ("EAI_AGAIN", signal(Phase::Resolve, Fault::TimedOut)),
    ("EADDRNOTAVAIL", signal(Phase::Connect, Fault::ResourceExhausted)),
    ("EMFILE", signal(Phase::Connect, Fault::ResourceExhausted)),
    ("ENFILE", signal(Phase::Connect, Fault::ResourceExhausted)),
    ("ENOBUFS", signal(Phase::Connect, Fault::ResourceExhausted)),
    ("EAGAIN", signal(Phase::Connect, Fault::BacklogFull)),
    ("EPIPE", signal(Phase::Send, Fault::BrokenPipe)),
    ("ESOCKETTIMEDOUT", signal(Phase::Header, Fault::TimedOut)),
    ("UND_ERR_CONNECT_TIMEOUT", signal(Phase::Connect, Fault::TimedOut)),
    ("UND_ERR_HEADERS_TIMEOUT", signal(Phase::Header, Fault::TimedOut)),
    ("UND_ERR_BODY_TIMEOUT", signal(Phase::Body, Fault::TimedOut)),
    ("UND_ERR_SOCKET", signal(Phase::Header, Fault::ResetOrClosed)),
    ("ERR_STREAM_PREMATURE_CLOSE", signal(Phase::Body, Fault::Closed)),
    ("TargetResponseAborted", signal(Phase::Body, Fault::ResetOrClosed)),
    ("HPE_HEADER_OVERFLOW", signal(Phase::Header, Fault::HeaderTooBig)),
    ("HPE_INVALID_CHUNK", signal(Phase::Header, Fault::BadFraming)),
    (
        "HPE_INVALID_CONTENT_LENGTH",
        signal(Phase::Header, Fault::BadFraming),
    ),
    (
        "HPE_UNEXPECTED_CONTENT_LENGTH",
        signal(Phase::Header, Fault::BadFraming),
    ),
    (
        "HPE_INVALID_TRANSFER_ENCODING",
        signal(Phase::Header, Fault::BadFraming),
    ),
    (
        "HPE_INVALID_EOF_STATE",
        signal(Phase::Header, Fault::ClosedPartial),
    ),
    ("HPE_", signal(Phase::Header, Fault::MalformedHeader)),
    (
        "ERR_SSL_WRONG_VERSION_NUMBER",
        signal(Phase::Tls, Fault::ProtocolMismatch),
    ),
    ("CERT", signal(Phase::Tls, Fault::CertificateRejected)),
    (
        "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
        signal(Phase::Tls, Fault::CertificateRejected),
    ),
    ("ERR_TLS", signal(Phase::Tls, Fault::TlsRejected)),
    ("ERR_SSL", signal(Phase::Tls, Fault::TlsRejected)),
    (
        "ERR_WORKER_OUT_OF_MEMORY",
        signal(Phase::Process, Fault::OutOfMemory),
    ),
]);

/// What a Node error says: its `code`, which may be empty, and its message.
///
/// `socket hang up` is a FIN (or the caller's own timer, which the code does not tell), `read ECONNRESET` an RST.
pub fn node(code: &[u8], message: &[u8]) -> Option<Signal> {
    let has = |needle: &str| memmem::find(message, needle.as_bytes()).is_some();
    // Some applications have codes of their own (`"code":502`); the message then tells more.
    let is_node = code.first().is_some_and(u8::is_ascii_uppercase);
    let code = if is_node { code } else { code_in(message) };
    if has(BEFORE_TLS) {
        return Some(signal(Phase::Tls, Fault::TlsRejected));
    }
    match code {
        b"ECONNRESET" => Some(match () {
            () if has("socket hang up") => signal(Phase::Header, Fault::Closed),
            () if has("write ") => signal(Phase::Send, Fault::Reset),
            () if has("read ") => signal(Phase::Header, Fault::Reset),
            () if message == b"aborted" => signal(Phase::Body, Fault::ResetOrClosed),
            () => signal(Phase::Header, Fault::ResetOrClosed),
        }),
        b"ETIMEDOUT" if has("read ") => Some(signal(Phase::Header, Fault::TimedOut)),
        b"ETIMEDOUT" if has("write ") => Some(signal(Phase::Send, Fault::TimedOut)),
        b"ETIMEDOUT" if has("connect") => Some(signal(Phase::Connect, Fault::TimedOut)),
        b"ETIMEDOUT" => Some(signal(Phase::Unknown, Fault::TimedOut)),
        b"ECONNABORTED" if has("timeout") => Some(signal(Phase::Unknown, Fault::TimedOut)),
        b"EPROTO" if has("wrong version number") || has("http request") || has("packet length too long") => {
            Some(signal(Phase::Tls, Fault::ProtocolMismatch))
        }
        b"EPROTO" => Some(signal(Phase::Tls, Fault::TlsRejected)),
        // Of a socket; a file that is not there is no failure of an upstream.
        b"ENOENT" if has("connect ") => Some(signal(Phase::Connect, Fault::Refused)),
        b"" if message == b"socket hang up" => Some(signal(Phase::Header, Fault::Closed)),
        b"" => None,
        code => NODE_CODES.first_in(code),
    }
}

/// What Node says when the connection ends during the handshake.
const BEFORE_TLS: &str = "before secure TLS connection was established";

/// Codes of which the rest of the message tells what they mean.
const CODES_BY_MESSAGE: [&str; 4] = ["ECONNRESET", "ETIMEDOUT", "ECONNABORTED", "EPROTO"];

/// The first word of `message` that looks like an error code: `connect ECONNREFUSED 127.0.0.1:80`.
pub fn code_in(message: &[u8]) -> &[u8] {
    let is_code = |word: &&[u8]| {
        let starts = [b"E".as_slice(), b"HPE_", b"CERT_", b"UND_ERR_"];
        let by_message = CODES_BY_MESSAGE.map(str::as_bytes);
        word.len() >= 5
            && starts.iter().any(|start| word.starts_with(start))
            && (by_message.contains(word) || NODE_CODES.first_in(word).is_some())
    };
    let mut words = message.split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    words.find(is_code).unwrap_or_default()
}

/// Names and sentences of exceptions: the JVM, Python, .NET, and what kills a process anywhere.
static EXCEPTIONS: Needles<Signal> = Needles::new(&[
    ("OutOfMemory", signal(Phase::Process, Fault::OutOfMemory)),
    ("heap out of memory", signal(Phase::Process, Fault::OutOfMemory)),
    ("MemoryError", signal(Phase::Process, Fault::OutOfMemory)),
    ("ClientAbortException", signal(Phase::Client, Fault::ClientGone)),
    ("EofException", signal(Phase::Client, Fault::ClientGone)),
    (
        "ConnectionPoolTimeoutException",
        signal(Phase::Queue, Fault::QueueTimedOut),
    ),
    (
        "ConnectionRequestTimeoutException",
        signal(Phase::Queue, Fault::QueueTimedOut),
    ),
    (
        "Timeout waiting for connection from pool",
        signal(Phase::Queue, Fault::QueueTimedOut),
    ),
    (
        "PoolAcquireTimeoutException",
        signal(Phase::Queue, Fault::QueueTimedOut),
    ),
    (
        "PoolAcquirePendingLimitException",
        signal(Phase::Queue, Fault::QueueFull),
    ),
    (
        "Connection is not available, request timed out",
        signal(Phase::Queue, Fault::QueueTimedOut),
    ),
    (
        "RejectedExecutionException",
        signal(Phase::Queue, Fault::QueueFull),
    ),
    ("NoHttpResponseException", signal(Phase::Header, Fault::Closed)),
    ("failed to respond", signal(Phase::Header, Fault::Closed)),
    ("PrematureCloseException", signal(Phase::Header, Fault::Closed)),
    ("RemoteDisconnected", signal(Phase::Header, Fault::Closed)),
    ("Server disconnected", signal(Phase::Header, Fault::Closed)),
    (
        "The response ended prematurely",
        signal(Phase::Header, Fault::Closed),
    ),
    (
        "Unexpected end of file from server",
        signal(Phase::Header, Fault::Closed),
    ),
    ("ConnectTimeout", signal(Phase::Connect, Fault::TimedOut)),
    (
        "HttpConnectTimeoutException",
        signal(Phase::Connect, Fault::TimedOut),
    ),
    ("onnect timed out", signal(Phase::Connect, Fault::TimedOut)),
    ("onnection timed out", signal(Phase::Connect, Fault::TimedOut)),
    ("ReadTimeout", signal(Phase::Header, Fault::TimedOut)),
    ("Read timed out", signal(Phase::Header, Fault::TimedOut)),
    ("SocketTimeoutException", signal(Phase::Header, Fault::TimedOut)),
    ("HttpTimeoutException", signal(Phase::Unknown, Fault::TimedOut)),
    ("HttpClient.Timeout", signal(Phase::Unknown, Fault::TimedOut)),
    (
        "UnknownHostException",
        signal(Phase::Resolve, Fault::NameNotFound),
    ),
    (
        "Name or service not known",
        signal(Phase::Resolve, Fault::NameNotFound),
    ),
    (
        "No such host is known",
        signal(Phase::Resolve, Fault::NameNotFound),
    ),
    (
        "NoRouteToHostException",
        signal(Phase::Connect, Fault::Unreachable),
    ),
    ("onnection refused", signal(Phase::Connect, Fault::Refused)),
    ("ConnectionRefusedError", signal(Phase::Connect, Fault::Refused)),
    ("actively refused", signal(Phase::Connect, Fault::Refused)),
    (
        "Unsupported or unrecognized SSL message",
        signal(Phase::Tls, Fault::ProtocolMismatch),
    ),
    (
        "CertificateException",
        signal(Phase::Tls, Fault::CertificateRejected),
    ),
    ("PKIX path", signal(Phase::Tls, Fault::CertificateRejected)),
    (
        "CERTIFICATE_VERIFY_FAILED",
        signal(Phase::Tls, Fault::CertificateRejected),
    ),
    ("SSLHandshakeException", signal(Phase::Tls, Fault::TlsRejected)),
    (
        "The SSL connection could not be established",
        signal(Phase::Tls, Fault::TlsRejected),
    ),
    // The client of the JDK says of a service that is not there `ConnectException: null`, of a name, this.
    (
        "UnresolvedAddressException",
        signal(Phase::Resolve, Fault::NameNotFound),
    ),
    ("Connection reset", signal(Phase::Header, Fault::Reset)),
    ("ConnectionResetError", signal(Phase::Header, Fault::Reset)),
    (
        "forcibly closed by the remote host",
        signal(Phase::Header, Fault::Reset),
    ),
    ("BrokenPipeError", signal(Phase::Send, Fault::BrokenPipe)),
    ("Broken pipe", signal(Phase::Send, Fault::BrokenPipe)),
    ("net.ConnectException", signal(Phase::Connect, Fault::Refused)),
    // A reset, which the same client wraps in these words, stands above.
    (
        "header parser received no bytes",
        signal(Phase::Header, Fault::Closed),
    ),
    (
        "Invalid status line",
        signal(Phase::Header, Fault::MalformedHeader),
    ),
    ("uncaughtException", signal(Phase::Process, Fault::WorkerCrashed)),
    ("Uncaught exception", signal(Phase::Process, Fault::WorkerCrashed)),
    ("uncaught exception", signal(Phase::Process, Fault::WorkerCrashed)),
]);

/// The tables of which a message has a text if [`application`] knows what it says, in one pass.
static LISTS: Lists<4> = Lists::new(lists);

/// Places in [`lists`].
const CODES: usize = 0;
const SENTENCES: usize = 1;
const NAMES: usize = 2;
const BY_MESSAGE: usize = 3;

/// Error codes, Go's sentences, exceptions, and texts that are looked at more closely.
pub(crate) fn lists() -> [Vec<&'static str>; 4] {
    let by_message = ["dial ", "EOF", "socket hang up", BEFORE_TLS];
    [
        NODE_CODES.texts().chain(CODES_BY_MESSAGE).collect(),
        GO.texts().collect(),
        EXCEPTIONS.texts().collect(),
        by_message.to_vec(),
    ]
}

/// What an error says that some application logged: an error code, an exception's name, a message, in any runtime.
pub fn application<'a>(code: &'a [u8], class: &'a [u8], message: &'a [u8]) -> Option<Found<'a>> {
    told(code, class, message, &LISTS.hits(message))
}

/// As [`application`]; `hits` are what of [`lists`] stands in `message`.
pub(crate) fn told<'a, const N: usize>(
    code: &'a [u8],
    class: &'a [u8],
    message: &'a [u8],
    hits: &Hits<N>,
) -> Option<Found<'a>> {
    let bare = |signal| Found {
        signal,
        upstream: &message[..0],
        local: &message[..0],
    };
    let by_class = || EXCEPTIONS.first_in(class).map(bare);
    let is_node = hits.of(CODES).or(hits.of(BY_MESSAGE)).is_some();
    let by_code = if is_node || code.first().is_some_and(u8::is_ascii_uppercase) {
        node(code, message).map(bare)
    } else {
        None
    };
    let by_sentence = || {
        hits.of(SENTENCES).or(hits.of(BY_MESSAGE))?;
        go_where(message, || GO.at(hits.of(SENTENCES)))
    };
    by_code
        .or_else(by_class)
        .or_else(by_sentence)
        .or_else(|| EXCEPTIONS.at(hits.of(NAMES)).map(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn go_is(text: &str, phase: Phase, fault: Fault) {
        let found = go(text.as_bytes()).unwrap_or_else(|| panic!("{text} says nothing"));
        assert_eq!(found.signal, Signal::new(phase, fault), "{text}");
    }

    #[test]
    fn go_errors_seen_on_caddy_2_6_are_told_apart() {
        go_is(
            "dial tcp 127.0.0.1:9102: connect: connection refused",
            Phase::Connect,
            Fault::Refused,
        );
        go_is(
            "dial tcp 127.0.0.1:9103: i/o timeout",
            Phase::Connect,
            Fault::TimedOut,
        );
        go_is(
            "dial tcp 10.9.9.9:80: connect: no route to host",
            Phase::Connect,
            Fault::Unreachable,
        );
        go_is(
            "dial tcp: lookup app on 127.0.0.11:53: no such host",
            Phase::Resolve,
            Fault::NameNotFound,
        );
        go_is("net/http: TLS handshake timeout", Phase::Tls, Fault::TimedOut);
        go_is(
            "net/http: timeout awaiting response headers",
            Phase::Header,
            Fault::TimedOut,
        );
        go_is("EOF", Phase::Header, Fault::Closed);
        go_is("unexpected EOF", Phase::Body, Fault::Closed);
        go_is(
            "net/http: HTTP/1.x transport connection broken: unexpected EOF",
            Phase::Header,
            Fault::ClosedPartial,
        );
        go_is(
            r#"net/http: HTTP/1.x transport connection broken: malformed HTTP status code \"99\""#,
            Phase::Header,
            Fault::MalformedHeader,
        );
        go_is(
            "http: server closed idle connection",
            Phase::Send,
            Fault::IdleClosed,
        );
        go_is(
            "write tcp 10.0.0.1:5->10.0.0.2:80: write: broken pipe",
            Phase::Send,
            Fault::BrokenPipe,
        );
        go_is("no upstreams available", Phase::Queue, Fault::NoLiveUpstream);
        go_is("context canceled", Phase::Client, Fault::ClientGone);
        go_is("context deadline exceeded", Phase::Unknown, Fault::TimedOut);
        go_is(
            "x509: certificate has expired or is not yet valid",
            Phase::Tls,
            Fault::CertificateRejected,
        );
        go_is(
            "tls: first record does not look like a TLS handshake",
            Phase::Tls,
            Fault::ProtocolMismatch,
        );
        assert_eq!(go(b"handled request"), None);
    }

    #[test]
    fn a_reset_names_both_ends_of_its_connection() {
        let found = go(b"read tcp 127.0.0.1:56050->127.0.0.1:9105: read: connection reset by peer").unwrap();
        assert_eq!(found.signal, Signal::new(Phase::Header, Fault::Reset));
        assert_eq!(found.upstream, b"127.0.0.1:9105");
        assert_eq!(found.local, b"127.0.0.1:56050");
        let found = go(b"dial tcp [::1]:9102: connect: connection refused").unwrap();
        assert_eq!(found.upstream, b"[::1]:9102");
    }

    #[test]
    fn node_tells_a_fin_from_a_reset_by_the_message() {
        let of = |code: &str, message: &str| node(code.as_bytes(), message.as_bytes());
        let is = |phase, fault| Some(Signal::new(phase, fault));
        assert_eq!(
            of("ECONNRESET", "socket hang up"),
            is(Phase::Header, Fault::Closed)
        );
        assert_eq!(
            of("ECONNRESET", "read ECONNRESET"),
            is(Phase::Header, Fault::Reset)
        );
        assert_eq!(
            of("ECONNRESET", "write ECONNRESET"),
            is(Phase::Send, Fault::Reset)
        );
        assert_eq!(
            of("", "connect ECONNREFUSED 127.0.0.1:1"),
            is(Phase::Connect, Fault::Refused)
        );
        assert_eq!(
            of("", "connect ETIMEDOUT 10.0.0.1:443"),
            is(Phase::Connect, Fault::TimedOut)
        );
        assert_eq!(
            of(
                "ECONNRESET",
                "Client network socket disconnected before secure TLS connection was established"
            ),
            is(Phase::Tls, Fault::TlsRejected)
        );
        assert_eq!(
            of("HPE_HEADER_OVERFLOW", "Parse Error"),
            is(Phase::Header, Fault::HeaderTooBig)
        );
        assert_eq!(
            of("HPE_INVALID_CONSTANT", "Parse Error"),
            is(Phase::Header, Fault::MalformedHeader)
        );
        assert_eq!(of("", "all is well"), None);
    }

    #[test]
    fn exceptions_of_other_runtimes_are_known() {
        let of = |text: &str| application(b"", b"", text.as_bytes()).map(|found| found.signal);
        let is = |phase, fault| Some(Signal::new(phase, fault));
        assert_eq!(
            of("java.net.SocketTimeoutException: Read timed out"),
            is(Phase::Header, Fault::TimedOut)
        );
        assert_eq!(
            of("java.lang.OutOfMemoryError: Java heap space"),
            is(Phase::Process, Fault::OutOfMemory)
        );
        assert_eq!(
            of("org.apache.http.NoHttpResponseException: x:80 failed to respond"),
            is(Phase::Header, Fault::Closed)
        );
        let refused = "java.net.ConnectException: null\n\tat java.net.http/jdk.internal.net.http.HttpClientImpl.send(HttpClientImpl.java:574)";
        assert_eq!(of(refused), is(Phase::Connect, Fault::Refused));
        let closed = "java.io.IOException: HTTP/1.1 header parser received no bytes";
        assert_eq!(of(closed), is(Phase::Header, Fault::Closed));
        assert_eq!(
            of(&format!(
                "{closed}\nCaused by: java.net.SocketException: Connection reset"
            )),
            is(Phase::Header, Fault::Reset)
        );
        assert_eq!(
            of("java.net.ProtocolException: Invalid status line: \"READY\""),
            is(Phase::Header, Fault::MalformedHeader)
        );
        assert_eq!(of("order 7 stored"), None);
    }
}
