//! Ids made comparable: the same request id or trace id gives the same key, however a hop wrote it.

use std::hash::Hasher;

/// A normalised id.
pub type IdKey = u64;

/// Shortest id worth joining by. Shorter ones are counters that start again in every process (pino's `req.id`).
const SHORTEST: usize = 8;

/// Longest id that is normalised; a longer one is compared as it stands.
const LONGEST: usize = 96;

/// The key of an id as logged, or `None` if it is too weak to join by.
///
/// Trace headers are reduced to their trace id (W3C `traceparent`, `X-Amzn-Trace-Id`, Jaeger's `uber-trace-id`,
/// B3), a Cloudflare ray loses its data-centre suffix, and hexadecimal ids and GUIDs are compared without
/// case, dashes and braces. Everything else is compared byte by byte.
pub fn key(id: &[u8]) -> Option<IdKey> {
    let id = core(id.trim_ascii());
    if id.len() < SHORTEST || (id.len() < 12 && id.iter().all(u8::is_ascii_digit)) {
        return None;
    }
    if id.iter().all(|&byte| byte == id[0]) {
        return None; // "00000000-..." and the like are placeholders.
    }
    let hexadecimal = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'-' | b'{' | b'}');
    if id.len() > LONGEST || !id.iter().all(hexadecimal) {
        return Some(hash(id));
    }
    let mut buffer = [0u8; LONGEST];
    let mut len = 0;
    for &byte in id.iter().filter(|byte| byte.is_ascii_hexdigit()) {
        buffer[len] = byte.to_ascii_lowercase();
        len += 1;
    }
    Some(hash(&buffer[..len]))
}

/// The part of a composite id that stays the same from hop to hop.
fn core(id: &[u8]) -> &[u8] {
    if let Some(at) = memchr::memmem::find(id, b"Root=") {
        let rest = &id[at + 5..];
        return &rest[..memchr::memchr(b';', rest).unwrap_or(rest.len())];
    }
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

/// The key by which requests without ids are recognised on both sides of a hop: method and path without query.
pub fn request_key(method: &[u8], path: &[u8]) -> u64 {
    let end = path
        .iter()
        .position(|&byte| byte == b'?' || byte == b'#')
        .unwrap_or(path.len());
    mix(hash(method).rotate_left(17) ^ hash(&path[..end]))
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
        assert_eq!(id, key(b"Self=1-1-1;Root=1-67891233-abcdef012345678912345678"));
    }

    #[test]
    fn counters_and_placeholders_join_nothing() {
        assert_eq!(key(b"1"), None);
        assert_eq!(key(b"req-17"), None);
        assert_eq!(key(b"1234567890"), None);
        assert_eq!(key(b"0000000000000000"), None);
    }

    #[test]
    fn the_query_does_not_matter_to_the_request_key() {
        assert_eq!(request_key(b"GET", b"/a?b=1"), request_key(b"GET", b"/a"));
        assert_ne!(request_key(b"GET", b"/a"), request_key(b"POST", b"/a"));
    }
}
