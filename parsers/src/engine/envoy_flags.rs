//! What Envoy's response flags and details say.
//!
//! The flags are a list of letters (`UF,URX`) or long names, `-` if none; details say which reset it was
//! (`upstream_reset_before_response_started{connection_termination}`), and a reason of the transport which error.
//! Releases differ in spelling: braces hold words parted by spaces or underscores, and the reason stands in them
//! after `|` or `,`, or in a field of its own. Source: Envoy's `stream_info/utility.h` and `router.cc`, and its
//! documentation of `%RESPONSE_FLAGS%` and `%RESPONSE_CODE_DETAILS%`.

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::errno;
use crate::entry::{Entry, Fault, Phase, Signal};

/// Flags with their long names and what they mean, the surest cause first; `URX` only counts failures.
const FLAGS: [(&str, &str, Phase, Fault); 28] = [
    (
        "DC",
        "DownstreamConnectionTermination",
        Phase::Client,
        Fault::ClientGone,
    ),
    ("DR", "DownstreamRemoteReset", Phase::Client, Fault::ClientGone),
    ("UH", "NoHealthyUpstream", Phase::Queue, Fault::NoLiveUpstream),
    ("UO", "UpstreamOverflow", Phase::Queue, Fault::QueueFull),
    ("DO", "DropOverload", Phase::Queue, Fault::QueueFull),
    (
        "OM",
        "OverloadManagerTerminated",
        Phase::Queue,
        Fault::ResourceExhausted,
    ),
    ("DF", "DnsResolutionFailed", Phase::Resolve, Fault::NameNotFound),
    (
        "UF",
        "UpstreamConnectionFailure",
        Phase::ConnectOrTls,
        Fault::Other,
    ),
    (
        "UPE",
        "UpstreamProtocolError",
        Phase::Header,
        Fault::InvalidResponse,
    ),
    (
        "UC",
        "UpstreamConnectionTermination",
        Phase::Header,
        Fault::ResetOrClosed,
    ),
    ("UR", "UpstreamRemoteReset", Phase::Header, Fault::Reset),
    ("UT", "UpstreamRequestTimeout", Phase::Header, Fault::TimedOut),
    (
        "UMSDR",
        "UpstreamMaxStreamDurationReached",
        Phase::Unknown,
        Fault::TimedOut,
    ),
    ("DT", "DurationTimeout", Phase::Unknown, Fault::TimedOut),
    ("SI", "StreamIdleTimeout", Phase::Unknown, Fault::TimedOut),
    ("LR", "LocalReset", Phase::Unknown, Fault::Other),
    ("NR", "NoRouteFound", Phase::Queue, Fault::Other),
    ("NC", "NoClusterFound", Phase::Queue, Fault::Other),
    ("LH", "FailedLocalHealthCheck", Phase::Unknown, Fault::Other),
    ("FI", "FaultInjected", Phase::Unknown, Fault::Other),
    ("DI", "DelayInjected", Phase::Unknown, Fault::Other),
    ("RL", "RateLimited", Phase::Unknown, Fault::PolicyBlocked),
    (
        "RLSE",
        "RateLimitServiceError",
        Phase::Unknown,
        Fault::PolicyBlocked,
    ),
    (
        "UAEX",
        "UnauthorizedExternalService",
        Phase::Unknown,
        Fault::PolicyBlocked,
    ),
    ("NFCF", "NoFilterConfigFound", Phase::Unknown, Fault::Other),
    ("DPE", "DownstreamProtocolError", Phase::Client, Fault::Other),
    ("IH", "InvalidEnvoyRequestHeaders", Phase::Client, Fault::Other),
    ("URX", "UpstreamRetryLimitExceeded", Phase::Unknown, Fault::Other),
];

/// Draws the conclusions once all fields are read: the signal, and whether the status is the upstream's own.
pub(crate) fn finish(entry: &mut Entry<'_>) {
    if matches!(entry.method, b"-") {
        // A connection that was passed through, not a request.
        (entry.method, entry.path) = (b"", b"");
    }
    let flags = filled(entry.termination);
    let details = filled(entry.error);
    let has = |part: &str| memmem::find(details, part.as_bytes()).is_some();
    let passed_on = has("via_upstream")
        || flags.is_empty()
            && details.is_empty()
            && (entry.header_us.is_some() || !entry.upstream.addr.is_empty());
    if !passed_on {
        entry.upstream.status = b"";
    }
    entry.signal = match first_flag(flags) {
        Some((phase, fault)) => Some(refined(phase, fault, details, entry)),
        None if passed_on && entry.status.is_some_and(|status| status >= 500) => {
            Some(Signal::new(Phase::Header, Fault::UpstreamStatus))
        }
        None => None,
    };
    let fails = entry.status.is_none_or(|status| status >= 400);
    if !fails
        && entry
            .signal
            .is_some_and(|signal| matches!(signal.fault, Fault::Other | Fault::PolicyBlocked))
    {
        // A delayed or filtered request that went well.
        entry.signal = None;
    }
    if details.is_empty() || has("via_upstream") || entry.signal.is_none() && !fails {
        entry.error = b"";
    }
}

/// The flag that says most.
fn first_flag(flags: &[u8]) -> Option<(Phase, Fault)> {
    if flags.is_empty() {
        return None;
    }
    let named = |short: &str, long: &str| {
        flags
            .split(|byte| *byte == b',')
            .any(|flag| flag == short.as_bytes() || flag == long.as_bytes())
    };
    FLAGS
        .iter()
        .find(|(short, long, ..)| named(short, long))
        .map(|(.., phase, fault)| (*phase, *fault))
}

/// The signal of a flag, made more exact by the details.
fn refined(phase: Phase, fault: Fault, details: &[u8], entry: &Entry<'_>) -> Signal {
    let has = |part: &str| memmem::find(details, part.as_bytes()).is_some();
    let started = has("after_response_started") || entry.status.is_some_and(|status| status < 400);
    match (phase, fault) {
        (Phase::ConnectOrTls, Fault::Other) => connection_failure(details),
        (Phase::Header, Fault::InvalidResponse) if has("header") && (has("too_large") || has("overflow")) => {
            Signal::new(phase, Fault::HeaderTooBig)
        }
        (Phase::Header, Fault::InvalidResponse) if started => Signal::new(Phase::Body, Fault::BadFraming),
        (Phase::Header, _) if started => Signal::new(Phase::Body, fault),
        // A stream on which nothing moved is the client's doing if its request never ended.
        (Phase::Unknown, Fault::TimedOut) if entry.status == Some(408) => {
            Signal::new(Phase::Client, Fault::TimedOut)
        }
        _ => Signal::new(phase, fault),
    }
}

/// Why a connection could not be made: an error number, a TLS error, the connect timer (which covers TLS).
fn connection_failure(details: &[u8]) -> Signal {
    let has = |part: &str| memmem::find(details, part.as_bytes()).is_some();
    if has("TLS") || has("SSL") {
        return Signal::new(Phase::Tls, tls_fault(details));
    }
    if has("timeout") {
        return Signal::new(Phase::ConnectOrTls, Fault::TimedOut);
    }
    if let Some(fault) = error_number(details).and_then(errno::fault) {
        return Signal::new(Phase::Connect, fault);
    }
    if has("onnection refused") || has("onnection_refused") {
        return Signal::new(Phase::Connect, Fault::Refused);
    }
    Signal::new(Phase::ConnectOrTls, Fault::Other)
}

fn tls_fault(details: &[u8]) -> Fault {
    let has = |part: &str| memmem::find(details, part.as_bytes()).is_some();
    if has("CERTIFICATE_VERIFY_FAILED") || has("ertificate") {
        Fault::CertificateRejected
    } else if has("WRONG_VERSION_NUMBER") || has("HTTP_REQUEST") || has("PACKET_LENGTH") {
        Fault::ProtocolMismatch
    } else {
        Fault::TlsRejected
    }
}

/// The number in `delayed_connect_error:_111`, `delayed connect error: 111` or `immediate connect error: 99`.
fn error_number(details: &[u8]) -> Option<u32> {
    let at = memmem::find(details, b"connect_error:").or_else(|| memmem::find(details, b"connect error:"))?;
    let rest = &details[at + b"connect_error:".len()..];
    let start = rest.iter().position(u8::is_ascii_digit)?;
    let len = rest[start..].iter().take_while(|b| b.is_ascii_digit()).count();
    number(&rest[start..start + len]).and_then(|n| u32::try_from(n).ok())
}
