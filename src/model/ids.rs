//! Ids made comparable: the same request id or trace id gives the same key, however a hop wrote it.

use std::borrow::Cow;
use std::hash::Hasher;

use why502_parsers::bytes::lanes;

/// A normalised id.
pub type IdKey = u64;

/// Shortest id worth joining by. Shorter ones are counters that start again in every process (pino's `req.id`).
const SHORTEST: usize = 8;

/// The key of an id as logged, or `None` if it is too weak to join by.
///
/// Trace headers are reduced to their trace id (W3C `traceparent`, `X-Amzn-Trace-Id`, Jaeger's `uber-trace-id`,
/// B3), a Cloudflare ray loses its data-centre suffix, and hexadecimal ids and GUIDs are compared without
/// case, dashes and braces. Everything else is compared byte by byte.
pub fn key(id: &[u8]) -> Option<IdKey> {
    if let Some(hash) = usual(id) {
        return hash;
    }
    let whole = id.trim_ascii();
    if let Some(hash) = hexadecimal(whole) {
        return hash;
    }
    let id = core(whole);
    if id.len() != whole.len()
        && let Some(hash) = hexadecimal(id)
    {
        return hash;
    }
    if id.len() < SHORTEST || id.iter().all(|&byte| byte == id[0]) {
        return None; // Counters and placeholders.
    }
    Some(hash(id))
}

/// The key of 32 hexadecimal digits, with the dashes of a GUID or without, as [`hexadecimal`] gives it; `None` for
/// everything else. Nearly every id is of this kind, and is read without a look at each digit.
#[allow(clippy::option_option)]
#[inline]
fn usual(id: &[u8]) -> Option<Option<IdKey>> {
    let (high, low) = usual_halves(id)?;
    let alike = (low & 0xf) * 0x1111_1111_1111_1111;
    if high == alike && low == alike {
        return Some(None);
    }
    Some(Some(mix(low ^ high.rotate_left(29) ^ 32 << 57)))
}

/// The last eight digits of an id of 32, as a number: two ids of that kind that have the same [`key`] have the same
/// end. `None` for every other id.
#[inline]
pub fn usual_end(id: &[u8]) -> Option<u32> {
    usual_halves(id).map(|(_, low)| low as u32)
}

/// The [`usual_end`] of the ids that have the same key as `id`, which may be written in any way.
pub fn end(id: &[u8]) -> Option<u32> {
    let id = id.trim_ascii();
    [id, core(id)].into_iter().find_map(|id| {
        let is_digit = |byte: &&u8| !matches!(byte, b'-' | b'{' | b'}');
        let digits: Vec<u8> = id.iter().filter(is_digit).copied().collect();
        usual_end(&digits).filter(|_| digits.len() == 32)
    })
}

/// What the first and the second half of an id of 32 digits are worth, with the dashes of a GUID or without; `None` for
/// every other id.
#[inline]
fn usual_halves(id: &[u8]) -> Option<(u64, u64)> {
    const HALF: u64 = 0xffff_ffff;
    let word = |at: usize| Some(u64::from_le_bytes(*id.get(at..)?.first_chunk()?));
    let halves = match id.len() {
        32 => [word(0)?, word(8)?, word(16)?, word(24)?],
        // Two groups of four digits, the dash between them left out.
        36 if (id[8], id[13], id[18], id[23]) == (b'-', b'-', b'-', b'-') => [
            word(0)?,
            word(9)? & HALF | word(10)? & !HALF,
            word(19)? & HALF | word(20)? & !HALF,
            word(28)?,
        ],
        _ => return None,
    };
    let [a, b, c, d] = halves.map(u128::from);
    lanes::hexadecimal((a | b << 64).to_le_bytes(), (c | d << 64).to_le_bytes())
}

/// What a byte is worth in a hexadecimal id: its digit, [`SKIPPED`] for dashes and braces, [`FOREIGN`] for the rest.
const DIGITS: [u8; 256] = {
    let mut digits = [FOREIGN; 256];
    let mut digit = 0;
    while digit < 10 {
        digits[b'0' as usize + digit as usize] = digit;
        digit += 1;
    }
    while digit < 16 {
        digits[b'a' as usize + digit as usize - 10] = digit;
        digits[b'A' as usize + digit as usize - 10] = digit;
        digit += 1;
    }
    digits[b'-' as usize] = SKIPPED;
    digits[b'{' as usize] = SKIPPED;
    digits[b'}' as usize] = SKIPPED;
    digits
};

const SKIPPED: u8 = 16;
const FOREIGN: u8 = 17;

/// The key of an id of hexadecimal digits, dashes and braces: the outer `None` if it is no such id (or a composite
/// one), the inner if it is one but too weak.
#[allow(clippy::option_option)] // Both answers are needed in the one pass over the bytes.
fn hexadecimal(id: &[u8]) -> Option<Option<IdKey>> {
    // 16 or 32 digits and a dash begin a composite id (B3, a Cloudflare ray); a traceparent is 55 bytes.
    if id.len() > 38
        || (id.len() > 17 && id.len() < 36 && id[16] == b'-')
        || (id.len() > 33 && id[32] == b'-')
    {
        return None;
    }
    let (mut value, mut count) = (0u128, 0u32);
    let (mut letters, mut varied) = (false, false);
    let mut first = FOREIGN;
    for &byte in id {
        let digit = DIGITS[byte as usize];
        if digit >= SKIPPED {
            if digit == FOREIGN {
                return None;
            }
            continue;
        }
        first = if count == 0 { digit } else { first };
        varied |= digit != first;
        letters |= digit > 9;
        value = value << 4 | u128::from(digit);
        count += 1;
    }
    if count > 32 {
        return None;
    }
    if (count as usize) < SHORTEST || (!letters && count < 12) || !varied {
        return Some(None);
    }
    let folded = (value as u64) ^ ((value >> 64) as u64).rotate_left(29) ^ u64::from(count) << 57;
    Some(Some(mix(folded)))
}

/// The part of a composite id that stays the same from hop to hop.
pub fn core(id: &[u8]) -> &[u8] {
    if let Some(at) = memchr::memmem::find(id, b"Root=") {
        let rest = &id[at + 5..];
        return without_version(&rest[..memchr::memchr(b';', rest).unwrap_or(rest.len())]);
    }
    let id = without_version(id);
    let part_is_hex = |from: usize, to: usize| {
        id.get(from..to)
            .is_some_and(|p| p.iter().all(u8::is_ascii_hexdigit))
    };
    if id.len() >= 55 && id[2] == b'-' && id[35] == b'-' && part_is_hex(3, 35) {
        return &id[3..35];
    }
    for separator in [b':', b'-'] {
        if let Some(at) = memchr::memchr(separator, id)
            && (at == 32 || at == 16)
            && part_is_hex(0, at)
        {
            return &id[..at];
        }
    }
    id
}

/// An Amazon trace id (version, time, 96 random bits) without its version, so that time and randomness are left.
fn without_version(id: &[u8]) -> &[u8] {
    match id {
        [b'1', b'-', rest @ ..] if rest.len() == 33 && rest[8] == b'-' => rest,
        _ => id,
    }
}

/// A 64-bit hash that is the same on every run and machine.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(bytes);
    hasher.write_usize(bytes.len());
    mix(hasher.finish())
}

/// Spreads the bits of `value`, so that the lowest hashes are a fair sample.
pub const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let value = (value ^ (value >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value ^ (value >> 32)
}

/// The key by which requests without ids are recognised on both sides of a hop: method and path without query, as
/// [`plain_path`] gives it.
pub fn request_key(method: &[u8], path: &[u8]) -> u64 {
    let (path, is_plain) = bare(path);
    let path = if is_plain { hash(path) } else { hash(&plain(path)) };
    mix(hash(method).rotate_left(17) ^ path)
}

/// A path in the one spelling in which paths are compared: without scheme, host and query, percent-encoding undone,
/// in small letters. Hops on the way may change any of these.
pub fn plain_path(path: &str) -> Cow<'_, str> {
    let (bare, is_plain) = bare(path.as_bytes());
    if is_plain {
        return String::from_utf8_lossy(bare);
    }
    Cow::Owned(String::from_utf8_lossy(&plain(bare)).into_owned())
}

/// The path of a target that has a query, or is a whole URL, and whether it is in the one spelling already.
fn bare(target: &[u8]) -> (&[u8], bool) {
    let (end, is_odd) = lanes::path_end(target);
    let path = &target[..end];
    if path.first().is_none_or(|&first| first == b'/') {
        return (path, !is_odd);
    }
    let Some(at) = memchr::memmem::find(path, b"://").filter(|at| *at <= 5) else {
        return (path, !is_odd);
    };
    let host = &path[at + 3..];
    let path = memchr::memchr(b'/', host).map_or(&b"/"[..], |slash| &host[slash..]);
    (path, !lanes::path_end(path).1)
}

fn plain(path: &[u8]) -> Vec<u8> {
    let digit = |at: usize| path.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut plain = Vec::with_capacity(path.len());
    let mut at = 0;
    while let Some(&byte) = path.get(at) {
        let encoded = digit(at + 1).zip(digit(at + 2)).filter(|_| byte == b'%');
        let (byte, width) = encoded.map_or((byte, 1), |(high, low)| ((high * 16 + low) as u8, 3));
        plain.push(byte.to_ascii_lowercase());
        at += width;
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_the_same_with_and_without_dashes_and_case() {
        let plain = key(b"4c5e9f6684f3297806650969d075d15f");
        assert_eq!(plain, key(b"4C5E9F66-84F3-2978-0665-0969D075D15F"));
        assert!(plain.is_some());
    }

    #[test]
    fn the_usual_ids_have_the_key_of_all_others() {
        for id in [
            "4c5e9f6684f3297806650969d075d15f",
            "00000000000000000000000000000001",
            "4C5E9F66-84F3-2978-0665-0969D075D15F",
            "12345678901234567890123456789012",
            "11111111111111111111111111111111",
            "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
        ] {
            assert_eq!(usual(id.as_bytes()), hexadecimal(id.as_bytes()), "{id}");
        }
        for id in [
            "4c5e9f6684f3297806650969d075d15g",
            "{c5e9f6684f3297806650969d075d15}",
            "4c5e9f66",
        ] {
            assert_eq!(usual(id.as_bytes()), None, "{id}");
        }
    }

    #[test]
    fn a_traceparent_keeps_its_trace_when_the_span_changes() {
        let first = key(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        assert_eq!(
            first,
            key(b"00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01")
        );
        assert_eq!(first, key(b"4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn an_amazon_trace_keeps_its_root() {
        let id = key(b"Root=1-67891233-abcdef012345678912345678;Self=1-67891234-12456789abcdef012345678");
        assert!(id.is_some());
        assert_eq!(id, key(b"Self=1-1-1;Root=1-67891233-abcdef012345678912345678"));
        assert_eq!(id, key(b"1-67891233-abcdef012345678912345678"));
        assert_ne!(id, key(b"Root=1-67891233-abcdef012345678912345679"));
    }

    #[test]
    fn counters_and_placeholders_join_nothing() {
        assert_eq!(key(b"1"), None);
        assert_eq!(key(b"req-17"), None);
        assert_eq!(key(b"1234567890"), None);
        assert_eq!(key(b"0000000000000000"), None);
    }

    #[test]
    fn a_path_has_one_spelling_whatever_a_hop_makes_of_it() {
        let key = request_key(b"GET", b"/Caf%C3%A9/a%20b");
        for spelt in ["/caf\u{e9}/a b", "http://shop.example.com/caf%c3%a9/A%20B?x=1"] {
            assert_eq!(request_key(b"GET", spelt.as_bytes()), key, "{spelt}");
            assert_eq!(plain_path(spelt), "/caf\u{e9}/a b");
        }
        assert_eq!(plain_path("http://shop.example.com"), "/");
        assert_eq!(plain_path("/100%"), "/100%");
        assert_eq!(plain_path("*"), "*");
    }

    #[test]
    fn the_query_does_not_matter_to_the_request_key() {
        assert_eq!(request_key(b"GET", b"/a?b=1"), request_key(b"GET", b"/a"));
        assert_ne!(request_key(b"GET", b"/a"), request_key(b"POST", b"/a"));
    }
}
