//! What Varnish says of a fetch that failed, and what its handling of a request tells.

use crate::bytes::memmem;

use crate::bytes::number;
use crate::engine::errno;
use crate::engine::slot::split_origin;
use crate::entry::{Entry, Fault, Phase, Signal};

/// What the text of a `FetchError` says. Source: Varnish's `cache_backend.c`, `cache_fetch.c` and `cache_http1_fetch.c`.
pub fn fetch_error(text: &[u8]) -> Option<Signal> {
    const TEXTS: [(&str, Phase, Fault); 19] = [
        ("first byte timeout", Phase::Header, Fault::TimedOut),
        ("between bytes timeout", Phase::Body, Fault::TimedOut),
        ("Resource temporarily unavailable", Phase::Body, Fault::TimedOut),
        ("HTC eof", Phase::Header, Fault::ResetOrClosed),
        ("http first read error", Phase::Header, Fault::ResetOrClosed),
        ("backend closed", Phase::Header, Fault::ResetOrClosed),
        ("backend write error", Phase::Send, Fault::ResetOrClosed),
        ("req.body read error", Phase::Client, Fault::ClientGone),
        ("Connection reset by peer", Phase::Body, Fault::Reset),
        ("straight insufficient bytes", Phase::Body, Fault::ResetOrClosed),
        ("chunked read err", Phase::Body, Fault::ResetOrClosed),
        ("eof socket fail", Phase::Body, Fault::ResetOrClosed),
        ("http format error", Phase::Header, Fault::MalformedHeader),
        ("Received junk", Phase::Header, Fault::MalformedHeader),
        ("HTC junk", Phase::Header, Fault::MalformedHeader),
        ("overflow", Phase::Header, Fault::HeaderTooBig),
        ("HTC overflow", Phase::Header, Fault::HeaderTooBig),
        ("Illegal ", Phase::Header, Fault::InvalidResponse),
        ("No backend", Phase::Queue, Fault::NoLiveUpstream),
    ];
    let starts = |start: &str| text.starts_with(start.as_bytes());
    if let Some((_, phase, fault)) = TEXTS.iter().find(|(start, ..)| starts(start)) {
        return Some(Signal::new(*phase, *fault));
    }
    let what = &text[memmem::find(text.strip_prefix(b"backend ").map(|_| text)?, b": ")? + 2..];
    let (phase, fault) = match what {
        [b'u', b'n', b'h', b'e', b'a', b'l', ..] => (Phase::Queue, Fault::NoLiveUpstream),
        [b'b', b'u', b's', b'y', ..] => (Phase::Queue, Fault::QueueFull),
        _ => {
            let digits = memmem::find(what, b"errno ").map(|at| &what[at + 6..])?;
            let len = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let errno = number(&digits[..len]).and_then(|n| u32::try_from(n).ok())?;
            // "errno 0" is the time after a failure in which Varnish does not try again.
            let unknown = if errno == 0 {
                Fault::NoLiveUpstream
            } else {
                Fault::Other
            };
            (Phase::Connect, errno::fault(errno).unwrap_or(unknown))
        }
    };
    Some(Signal::new(phase, fault))
}

/// Draws the signal that the handling alone gives: an answer made in the configuration is nobody's failure.
pub fn finish(entry: &mut Entry<'_>) {
    split_origin(entry);
    if entry.signal.is_none()
        && !entry.error.is_empty()
        && let Some(signal) = fetch_error(entry.error)
    {
        entry.signal = Some(signal);
    }
    // A fetch that failed has no end of its own: `%D` is 0, and the time to the first byte that to the failure.
    if entry.signal.is_some() && entry.duration_us == Some(0) {
        entry.duration_us = entry.header_us.or(entry.duration_us);
    }
    // Varnish itself only ever says 503.
    let passed_on = entry.status.is_some_and(|status| status >= 500 && status != 503);
    if entry.signal.is_none() && passed_on && matches!(entry.termination, b"miss" | b"pass") {
        entry.signal = Some(Signal::new(Phase::Header, Fault::UpstreamStatus));
    }
}
