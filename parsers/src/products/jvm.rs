//! What records of programs on the JVM have in common: stack traces below the line that tells of an exception.

use crate::bytes::memmem;

use crate::bytes::lines;
use crate::engine::faults::{self, Found};
use crate::engine::needles::{Lists, Needles};
use crate::entry::{Fault, Level, Phase, Signal};

/// Longest record that is searched for exceptions, in bytes; a trace is longer only where it repeats itself.
const SEARCHED: usize = 64 * 1024;

/// The first line of a record and the lines below it.
pub(crate) fn split(record: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', record) {
        Some(at) => (crate::bytes::trim_cr(&record[..at]), &record[at + 1..]),
        None => (record, &record[record.len()..]),
    }
}

/// Whether `line` is a line of a stack trace: a frame, the count of frames left out, or an exception named in full.
pub(crate) fn is_trace(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let starts: [&[u8]; 7] = [
        b"at ",
        b"... ",
        b"Caused by: ",
        b"Wrapped by: ",
        b"Suppressed: ",
        b"- locked <",
        b"- waiting ",
    ];
    starts.iter().any(|start| text.starts_with(start)) || is_exception(text)
}

/// `java.net.SocketTimeoutException: Read timed out`: a class name with its package, then the message.
fn is_exception(text: &[u8]) -> bool {
    let class = &text[..memchr::memchr2(b':', b' ', text).unwrap_or(text.len())];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$');
    let ends: [&[u8]; 3] = [b"Exception", b"Error", b"Throwable"];
    class.contains(&b'.') && class.iter().all(is_name) && ends.iter().any(|end| class.ends_with(end))
}

/// What the exceptions in `trace` say. The root cause decides: the last `Caused by:`, or the first line where the
/// trace is written root first (`Wrapped by:` below it).
pub(crate) fn exception(trace: &[u8]) -> Option<Found<'_>> {
    let trace = &trace[..trace.len().min(SEARCHED)];
    let (mut found, mut by_frame) = (None, None);
    for line in lines(trace) {
        let text = line.trim_ascii();
        if text.starts_with(b"at ") {
            by_frame = by_frame.or_else(|| frame(text));
        } else if text.starts_with(b"Wrapped by:") || text.is_empty() {
        } else if found.is_none() || text.starts_with(b"Caused by:") {
            // That a channel was closed is what any failure comes to in the end.
            let says_more = |new: &Found<'_>| found.is_none() || new.signal.fault != Fault::ResetOrClosed;
            found = message(text).filter(says_more).or(found);
        }
    }
    found.or(by_frame)
}

/// A frame that only one fault leads through.
fn frame(text: &[u8]) -> Option<Found<'_>> {
    // Apache HttpAsyncClient: no byte came within the socket timeout; the exception often has no message.
    memmem::find(text, b"HttpAsyncRequestExecutor.timeout(")
        .map(|_| bare(Phase::Header, Fault::TimedOut, text))
}

const fn bare(phase: Phase, fault: Fault, text: &[u8]) -> Found<'_> {
    let empty = text.split_at(0).0;
    Found {
        signal: Signal::new(phase, fault),
        upstream: empty,
        local: empty,
    }
}

/// Exceptions whose names mean more on the JVM than the general table knows.
static NAMED: Needles<(Phase, Fault)> = Needles::new(&[
    ("ConnectionClosedException", (Phase::Header, Fault::Closed)),
    (
        "ConnectionRequestTimeoutException",
        (Phase::Queue, Fault::QueueTimedOut),
    ),
    ("ClosedChannelException", (Phase::Header, Fault::ResetOrClosed)),
    ("eof unexpected", (Phase::Header, Fault::Closed)),
    ("onnection reset by peer", (Phase::Header, Fault::Reset)),
    ("TruncatedChunkException", (Phase::Body, Fault::Closed)),
    ("Remotely closed", (Phase::Header, Fault::Closed)),
    // Undertow's client: the server ended the connection it had sent a request on.
    ("UT001000", (Phase::Header, Fault::Closed)),
    ("ReadTimeoutException", (Phase::Header, Fault::TimedOut)),
]);

/// What only says that TLS was spoken.
const TLS: (&str, (Phase, Fault)) = ("SSLException", (Phase::Tls, Fault::TlsRejected));

/// The tables of which a text has a word if it says something of a failure: the general ones first.
static LISTS: Lists<6> = Lists::new(|| {
    let [codes, sentences, names, by_message] = faults::lists();
    let named = NAMED.texts().collect();
    [codes, sentences, names, by_message, named, vec![TLS.0]]
});

/// What a line that tells of an exception says.
pub(crate) fn message(text: &[u8]) -> Option<Found<'_>> {
    let hits = LISTS.hits(text);
    if hits.is_empty() {
        return None;
    }
    let found = |(phase, fault)| bare(phase, fault, text);
    // That TLS was spoken says less than any other word of the message.
    NAMED
        .at(hits.of(4))
        .map(found)
        .or_else(|| faults::told(b"", b"", text, &hits))
        .or_else(|| hits.of(5).map(|_| found(TLS.1)))
}

/// The level that `word` names, as the loggers of the JVM write them.
pub(crate) fn level(word: &[u8]) -> Option<Level> {
    Some(match word {
        b"TRACE" | b"DEBUG" | b"FINE" | b"FINER" | b"FINEST" | b"CONFIG" => Level::Debug,
        b"INFO" | b"NOTICE" => Level::Info,
        b"WARN" | b"WARNING" => Level::Warning,
        b"ERROR" | b"SEVERE" => Level::Error,
        b"FATAL" | b"CRITICAL" => Level::Critical,
        _ => return None,
    })
}

/// The position after ANSI sequences (`ESC [ … m`) at `at`.
pub(crate) fn skip_colour(text: &[u8], mut at: usize) -> usize {
    while text.get(at..).is_some_and(|rest| rest.starts_with(b"\x1b[")) {
        match memchr::memchr(b'm', &text[at..]) {
            Some(end) => at += end + 1,
            None => break,
        }
    }
    at
}

/// A number that stands for the thread called `name`: the same name, the same number.
pub(crate) fn thread(name: &[u8]) -> Option<u64> {
    if name.is_empty() {
        return None;
    }
    // FNV-1a; names are short and few.
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Some(name.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(trace: &str) -> Option<Signal> {
        exception(trace.as_bytes()).map(|found| found.signal)
    }

    #[test]
    fn the_root_cause_decides_in_either_order() {
        let normal = "java.lang.RuntimeException: no\n\tat a.B.c(B.java:1)\nCaused by: java.net.ConnectException: Connection refused\n\tat d\n";
        let root_first = "java.net.ConnectException: Connection refused\n\tat d\nWrapped by: java.net.SocketTimeoutException: Read timed out\n";
        for trace in [normal, root_first] {
            assert_eq!(
                of(trace),
                Some(Signal::new(Phase::Connect, Fault::Refused)),
                "{trace}"
            );
        }
    }

    #[test]
    fn an_exception_without_message_is_told_by_its_class_or_its_frame() {
        let timed_out = Some(Signal::new(Phase::Header, Fault::TimedOut));
        assert_eq!(of("java.net.SocketTimeoutException: null"), timed_out);
        assert_eq!(
            of("   at org.apache.http.nio.protocol.HttpAsyncRequestExecutor.timeout("),
            timed_out
        );
        assert_eq!(
            of("org.apache.http.ConnectionClosedException: Connection closed"),
            Some(Signal::new(Phase::Header, Fault::Closed))
        );
        assert_eq!(
            of("java.io.IOException: UT001000: Connection closed"),
            Some(Signal::new(Phase::Header, Fault::Closed))
        );
        assert_eq!(of("\tat java.lang.Thread.run(Thread.java:748)"), None);
    }

    #[test]
    fn trace_lines_are_told_from_records() {
        for line in [
            "\tat a.B.c(B.java:1)",
            "Caused by: java.net.BindException: Address already in use",
            "java.io.EOFException: eof unexpected",
            "\t... 49 common frames omitted",
        ] {
            assert!(is_trace(line.as_bytes()), "{line}");
        }
        for line in ["GET /at HTTP/1.1", "Error: x", "attach"] {
            assert!(!is_trace(line.as_bytes()), "{line}");
        }
    }
}
