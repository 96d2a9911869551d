//! Which header names carry a request id, which part of a value is the id, and what an id looks like.

use crate::bytes::lanes;
use crate::entry::Ids;

/// How the id stands in a header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// The whole value.
    Whole,
    /// W3C `traceparent`: `00-<32 hex>-<16 hex>-<flags>`; the trace id is taken.
    Traceparent,
    /// The part before the first of these bytes: B3 `-`, Jaeger `:`, Google `/`, Cloudflare `-`.
    Before(u8),
    /// `X-Amzn-Trace-Id`: `Root=1-…;Parent=…`; the root is taken.
    Amazon,
}

/// What a header is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// It carries an id.
    Id(IdKind),
    /// `Host`.
    Host,
    /// `X-Forwarded-For`.
    ForwardedFor,
    /// Nothing that is kept.
    Other,
}

/// Words whose presence in a header's name makes its value an id.
const ID_WORDS: [&[u8]; 10] = [
    b"request-id",
    b"requestid",
    b"req-id",
    b"correlation",
    b"trace-id",
    b"traceid",
    b"transaction",
    b"unique-id",
    b"message-id",
    b"arr-log-id",
];

/// What the header called `name` (any case, `-` or `_`) is to us.
pub fn header(name: &[u8]) -> Header {
    let mut buffer = [0u8; 48];
    let Some(lower) = buffer.get_mut(..name.len()) else {
        return Header::Other;
    };
    for (to, from) in lower.iter_mut().zip(name) {
        *to = match from {
            b'_' => b'-',
            other => other.to_ascii_lowercase(),
        };
    }
    match &*lower {
        b"host" | b"x-forwarded-host" => Header::Host,
        b"x-forwarded-for" => Header::ForwardedFor,
        b"traceparent" => Header::Id(IdKind::Traceparent),
        b"b3" | b"cf-ray" => Header::Id(IdKind::Before(b'-')),
        b"uber-trace-id" => Header::Id(IdKind::Before(b':')),
        b"x-cloud-trace-context" => Header::Id(IdKind::Before(b'/')),
        b"x-amzn-trace-id" => Header::Id(IdKind::Amazon),
        b"x-azure-ref" | b"x-amz-cf-id" | b"rid" | b"reqid" => Header::Id(IdKind::Whole),
        name if ID_WORDS
            .iter()
            .any(|word| crate::bytes::find(name, word).is_some()) =>
        {
            Header::Id(IdKind::Whole)
        }
        _ => Header::Other,
    }
}

/// Adds the id in `value` to `ids`.
pub fn push<'a>(ids: &mut Ids<'a>, kind: IdKind, value: &'a [u8]) {
    let value = match kind {
        IdKind::Whole => value,
        IdKind::Traceparent => match value.get(3..35) {
            Some(trace) if value[2] == b'-' => trace,
            _ => value,
        },
        IdKind::Before(b'-') if looks_like_id(value) && is_uuid(value) => value,
        IdKind::Before(mark) => memchr::memchr(mark, value).map_or(value, |at| &value[..at]),
        IdKind::Amazon => match crate::bytes::find(value, b"Root=") {
            Some(at) => {
                let root = &value[at + 5..];
                memchr::memchr(b';', root).map_or(root, |end| &root[..end])
            }
            None => value,
        },
    };
    ids.push(value);
}

/// Whether `text` has a shape that only ids have: a UUID, 32 (or 16) hex digits, HAProxy's
/// `7F000001:8296_7F00001E:1F90_4F7B0A69_0003:790E`, Apache's 27 characters of mod_unique_id,
/// a `traceparent`, or Amazon's `Root=1-…`.
#[inline]
pub fn looks_like_id(text: &[u8]) -> bool {
    match text.first_chunk() {
        // Most words have a point, a slash or a space near their start, which only trace headers may have.
        Some(start) if lanes::has_early_sign(start) => is_trace_header(text),
        Some(_) => is_id(text),
        // There is none that is shorter.
        None => false,
    }
}

fn is_id(text: &[u8]) -> bool {
    match text.len() {
        16 | 32 if is_hexadecimal(text) => text.iter().any(|b| !b.is_ascii_digit()),
        24 | 27 if is_unique_id(text) => true,
        36 if is_uuid(text) => true,
        20..=80 => is_trace_header(text) || is_haproxy_unique_id(text),
        _ => false,
    }
}

/// A `traceparent`, or Amazon's `Root=1-…`, whatever stands in the rest of it.
fn is_trace_header(text: &[u8]) -> bool {
    match text.len() {
        55 if text.starts_with(b"00-") && text[35] == b'-' => true,
        20..=80 => text.starts_with(b"Root=1-"),
        _ => false,
    }
}

/// Adds `value` to `ids` if it looks like an id; says whether it does.
pub fn push_if_id<'a>(ids: &mut Ids<'a>, value: &'a [u8]) -> bool {
    if !looks_like_id(value) {
        return false;
    }
    let kind = match value {
        [b'0', b'0', b'-', ..] if value.len() == 55 => IdKind::Traceparent,
        [b'R', b'o', b'o', b't', b'=', ..] => IdKind::Amazon,
        _ => IdKind::Whole,
    };
    push(ids, kind, value);
    true
}

fn is_uuid(text: &[u8]) -> bool {
    /// Where the dashes are.
    const DASHES: [usize; 4] = [8, 13, 18, 23];
    /// The digits and the dashes of sixteen bytes each.
    const PARTS: [(usize, u32); 3] = [
        (0, !(1 << 8 | 1 << 13)),
        (16, !(1 << 2 | 1 << 7)),
        (20, !(1 << 3)),
    ];
    let is_part = |&(at, digits): &(usize, u32)| {
        let part = text.get(at..).and_then(<[u8]>::first_chunk);
        part.is_some_and(|part| lanes::hexadecimals(part) == digits & 0xffff)
    };
    text.len() == 36 && DASHES.iter().all(|&at| text[at] == b'-') && PARTS.iter().all(is_part)
}

/// Whether `text`, sixteen bytes or a multiple of that, is all hexadecimal digits.
fn is_hexadecimal(text: &[u8]) -> bool {
    let (parts, rest) = text.as_chunks();
    rest.is_empty() && parts.iter().all(|part| lanes::hexadecimals(part) == 0xffff)
}

/// mod_unique_id: letters, digits, `@`, `_` or `-`, of more than one case.
fn is_unique_id(text: &[u8]) -> bool {
    text.iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'@' | b'_' | b'-'))
        && text.iter().any(u8::is_ascii_uppercase)
        && text.iter().any(u8::is_ascii_lowercase)
        && !text.contains(&b'.')
}

/// Hex groups joined by `:`, `_` or `-`, with at least one `_` between them.
fn is_haproxy_unique_id(text: &[u8]) -> bool {
    let (mut joined, mut digit) = (false, false);
    for byte in text {
        match byte {
            b'0'..=b'9' => digit = true,
            b'_' => joined = true,
            b'a'..=b'f' | b'A'..=b'F' | b':' | b'-' => {}
            _ => return false,
        }
    }
    joined && digit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_names_say_what_they_carry() {
        assert_eq!(header(b"X-Request-ID"), Header::Id(IdKind::Whole));
        assert_eq!(header(b"x_correlation_id"), Header::Id(IdKind::Whole));
        assert_eq!(header(b"traceparent"), Header::Id(IdKind::Traceparent));
        assert_eq!(header(b"host"), Header::Host);
        assert_eq!(header(b"user_agent"), Header::Other);
        assert_eq!(header(&[b'a'; 100]), Header::Other);
    }

    #[test]
    fn ids_are_told_from_other_words_by_their_shape() {
        for id in [
            "4ad36c1d2060844c74439ca62bfb3e0e",
            "e805351b-1c36-4c15-8a74-93babaf16d46",
            "7F000001:8296_7F00001E:1F90_4F7B0A69_0003:790E",
            "7F00000193EA_7F00000123F0_6B0074A8_0001427C",
            "awB2Eyh2zuvLav8Mhf_EWAAAAAA",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f35.7b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "Root=1-67891233-abcdef012345678912345678",
            "Root=1-67891233,abcdef",
        ] {
            assert!(looks_like_id(id.as_bytes()), "{id}");
        }
        for other in [
            "-",
            "",
            "12345678901234567890",
            "Mozilla/5.0",
            "docs.example.internal",
            "01-4bf92f35.7b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "Root=1-6789.1233,a",
        ] {
            assert!(!looks_like_id(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn the_shared_part_of_a_trace_header_is_the_id() {
        let mut ids = Ids::default();
        let trace = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        push(&mut ids, IdKind::Traceparent, trace);
        push(&mut ids, IdKind::Amazon, b"Root=1-67891233-abcdef;Sampled=0");
        push(
            &mut ids,
            IdKind::Before(b'/'),
            b"105445aa7843bc8bf206b12000100000/1;o=1",
        );
        assert_eq!(
            ids.as_slice(),
            [
                b"4bf92f3577b34da6a3ce929d0e0e4736".as_slice(),
                b"1-67891233-abcdef",
                b"105445aa7843bc8bf206b12000100000"
            ]
        );
    }
}
