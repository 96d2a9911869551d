//! Numbers of failed system calls, as Linux, BSD, macOS, Windows and the Apache runtime give them.

use crate::bytes::number;
use crate::entry::Fault;

/// The number in the first `(123: text)` of `message`.
pub(crate) fn in_parentheses(message: &[u8]) -> Option<u32> {
    for at in memchr::memchr_iter(b'(', message) {
        let rest = &message[at + 1..];
        let len = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if len > 0 && rest.get(len) == Some(&b':') {
            return number(&rest[..len]).and_then(|n| u32::try_from(n).ok());
        }
    }
    None
}

/// What a number means on a connection; `None` if it is not about connections.
pub(crate) fn fault(number: u32) -> Option<Fault> {
    Some(match number {
        // ECONNREFUSED on Linux, BSD and Windows.
        111 | 61 | 10_061 => Fault::Refused,
        // ENETUNREACH, EHOSTDOWN, EHOSTUNREACH.
        101 | 112 | 113 | 51 | 64 | 65 | 10_051 | 10_064 | 10_065 => Fault::Unreachable,
        // ECONNRESET, ECONNABORTED.
        103 | 104 | 53 | 54 | 10_053 | 10_054 => Fault::Reset,
        32 => Fault::BrokenPipe,
        // ETIMEDOUT, and the Apache runtime's APR_TIMEUP.
        110 | 60 | 10_060 | 70_007 => Fault::TimedOut,
        // EADDRNOTAVAIL, ENFILE, EMFILE, ENOBUFS.
        99 | 49 | 23 | 24 | 105 | 10_049 | 10_055 => Fault::ResourceExhausted,
        12 => Fault::OutOfMemory,
        // The Apache runtime's "partial results", "end of file" and "internal error".
        70_008 | 70_014 | 20_014 => Fault::Closed,
        _ => return None,
    })
}
