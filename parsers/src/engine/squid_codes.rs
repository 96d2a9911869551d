//! What Squid's error codes and result codes say.

use crate::bytes::memmem;

use crate::bytes::number;
use crate::engine::errno;
use crate::engine::slot::split_origin;
use crate::entry::{Entry, Fault, Phase, Signal};

/// Error codes and what they mean before an answer began. Source: Squid's `err_type.h` and `FwdState.cc`.
const ERRORS: [(&str, Phase, Fault); 17] = [
    ("ERR_READ_TIMEOUT", Phase::Header, Fault::TimedOut),
    ("ERR_ZERO_SIZE_OBJECT", Phase::Header, Fault::Closed),
    ("ERR_READ_ERROR", Phase::Header, Fault::Reset),
    ("ERR_WRITE_ERROR", Phase::Send, Fault::Other),
    ("ERR_CONNECT_FAIL", Phase::Connect, Fault::Other),
    ("ERR_SECURE_CONNECT_FAIL", Phase::Tls, Fault::TlsRejected),
    ("ERR_SOCKET_FAILURE", Phase::Connect, Fault::ResourceExhausted),
    ("ERR_CANNOT_FORWARD", Phase::Queue, Fault::NoLiveUpstream),
    ("ERR_DNS_FAIL", Phase::Resolve, Fault::NameNotFound),
    ("ERR_INVALID_RESP", Phase::Header, Fault::InvalidResponse),
    ("ERR_TOO_BIG", Phase::Header, Fault::HeaderTooBig),
    ("ERR_LIFETIME_EXP", Phase::Unknown, Fault::TimedOut),
    ("ERR_GATEWAY_FAILURE", Phase::Unknown, Fault::Other),
    ("ERR_ACCESS_DENIED", Phase::Unknown, Fault::PolicyBlocked),
    ("ERR_CLIENT_GONE", Phase::Client, Fault::ClientGone),
    ("ERR_REQUEST_START_TIMEOUT", Phase::Client, Fault::TimedOut),
    ("ERR_REQUEST_PARSE_TIMEOUT", Phase::Client, Fault::TimedOut),
];

/// Parts host and path of the URL and draws the signal from error code, result code and status.
pub fn finish(entry: &mut Entry<'_>) {
    split_origin(entry);
    let ends = |suffix: &[u8]| entry.termination.ends_with(suffix);
    let (code, detail) = match memchr::memchr(b'/', entry.error) {
        Some(slash) => (&entry.error[..slash], &entry.error[slash + 1..]),
        None => (entry.error, &entry.error[..0]),
    };
    entry.signal = if ends(b"_ABORTED") || ends(b"_ABORTED_HIT") {
        Some(Signal::new(Phase::Client, Fault::ClientGone))
    } else if ends(b"_TIMEDOUT") {
        Some(Signal::new(Phase::Client, Fault::TimedOut))
    } else if code.is_empty() {
        None
    } else {
        Some(error_signal(code, detail, entry))
    };
}

fn error_signal(code: &[u8], detail: &[u8], entry: &Entry<'_>) -> Signal {
    let found = ERRORS.iter().find(|(name, ..)| name.as_bytes() == code);
    let (_, phase, fault) = found.copied().unwrap_or(("", Phase::Unknown, Fault::Other));
    let number = memmem::find(detail, b"errno=").and_then(|at| {
        let digits = &detail[at + 6..];
        let len = digits.iter().take_while(|b| b.is_ascii_digit()).count();
        number(&digits[..len]).and_then(|n| u32::try_from(n).ok())
    });
    let fault = match (fault, number.and_then(errno::fault)) {
        (Fault::Other, Some(exact)) => exact,
        _ => fault,
    };
    let answered = entry.status.is_some_and(|status| status < 400);
    match (phase, fault) {
        // The number of a failed connect is often lost on the way here; the time it took is not.
        (Phase::Connect, Fault::Other) => Signal::new(phase, connect_fault(entry.duration_us)),
        (Phase::Tls, _) if detail.ends_with(b"_TIMEOUT") => Signal::new(phase, Fault::TimedOut),
        // "Nothing was read" is also what Squid says when it knows no living parent to ask.
        (Phase::Header, Fault::Reset) if entry.upstream.addr.is_empty() => {
            Signal::new(Phase::Queue, Fault::NoLiveUpstream)
        }
        (Phase::Header, _) if answered => Signal::new(Phase::Body, fault),
        _ => Signal::new(phase, fault),
    }
}

/// What became of a connect that took `duration_us` in all: Squid's timers are of whole seconds, and looked at so seldom
/// that they may seem to end early; what failed sooner was refused, perhaps after an attempt that was cut.
fn connect_fault(duration_us: Option<u64>) -> Fault {
    match duration_us {
        Some(..1_000_000) => Fault::Refused,
        Some(_) => Fault::TimedOut,
        None => Fault::Other,
    }
}
