//! Reading numbers, lines and escapes from raw bytes. No UTF-8 check, no allocation but for undone escapes.

pub mod lanes;

pub use lanes::each;

/// The lines of `block`, without `\n` or `\r\n`. A last line without line end is a line; an empty tail is not.
pub fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest);
        let (line, after) = match end {
            Some(at) => (&rest[..at], &rest[at + 1..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        Some(trim_cr(line))
    })
}

/// Texts up to this length are searched without building a searcher first.
const SHORT: usize = 1024;

/// Where `needle` begins in `text`.
///
/// In a line of a log the search itself takes less time than to build a searcher for it; so the rarest byte of the
/// needle is looked for, and the rest compared where it stands.
#[inline]
pub fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let last = text.len().checked_sub(needle.len())?;
    if text.len() > SHORT {
        return memchr::memmem::find(text, needle);
    }
    let Some(rare) = rarest(needle) else {
        return Some(0);
    };
    let mut from = 0;
    while from <= last {
        let at = from + memchr::memchr(needle[rare], &text[from + rare..=last + rare])?;
        if text[at..at + needle.len()] == *needle {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// Where `needle` begins last in `text`.
#[inline]
pub fn rfind(text: &[u8], needle: &[u8]) -> Option<usize> {
    let mut end = text.len().checked_sub(needle.len())? + 1;
    if text.len() > SHORT {
        return memchr::memmem::rfind(text, needle);
    }
    let Some(rare) = rarest(needle) else {
        return Some(text.len());
    };
    while end > 0 {
        let at = memchr::memrchr(needle[rare], &text[rare..end + rare])?;
        if text[at..at + needle.len()] == *needle {
            return Some(at);
        }
        end = at;
    }
    None
}

/// The place of a byte of `needle` that is seldom met in logs.
#[inline]
fn rarest(needle: &[u8]) -> Option<usize> {
    let mut best = 0;
    let mut least = OFTEN[usize::from(*needle.first()?)];
    for (at, byte) in needle.iter().enumerate().take(6).skip(1) {
        if least <= SELDOM {
            break;
        }
        let rank = OFTEN[usize::from(*byte)];
        if rank < least {
            (best, least) = (at, rank);
        }
    }
    Some(best)
}

/// Bytes of this rank are seldom enough.
const SELDOM: u8 = 60;

/// How often bytes are met in logs, compared with each other.
static OFTEN: [u8; 256] = {
    let often = [20; 256];
    let often = ranked(often, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", 40);
    let often = ranked(often, b"jqxzkv", 50);
    let often = ranked(often, b"()[]{}<>=,;'_&?", 60);
    let often = ranked(often, b"bwyfgh", 80);
    let often = ranked(often, b"\"-:", 90);
    let often = ranked(often, b"mpulcd", 100);
    let often = ranked(often, b"0123456789./", 120);
    let often = ranked(often, b"aeinorst", 140);
    ranked(often, b" ", 200)
};

const fn ranked(mut often: [u8; 256], bytes: &[u8], rank: u8) -> [u8; 256] {
    let mut at = 0;
    while at < bytes.len() {
        often[bytes[at] as usize] = rank;
        at += 1;
    }
    often
}

/// [`find`] and its kin under the names of the crate that searches long texts.
pub mod memmem {
    pub use super::{find, rfind};
    pub use memchr::memmem::find_iter;
}

/// `line` without one `\r` at its end.
#[inline]
pub fn trim_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Where `byte` is in `text`, expected to be near its start: the fields of a line are mostly a few bytes long, and for
/// those sixteen bytes at a time in a register beat the call of `memchr`.
#[inline]
pub fn find_near(byte: u8, text: &[u8]) -> Option<usize> {
    lanes::Seek::new(byte).find(text, 0)
}

/// How many bytes at the start of `text` are decimal digits.
#[inline]
pub fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// A whole slice of decimal digits as a number; `None` if it is empty, has another byte, or overflows.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 {
        return None;
    }
    let mut value: u64 = 0;
    let (sure, rest) = text.split_at(text.len().min(18));
    for &byte in sure {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Eighteen digits cannot overflow.
        value = value * 10 + u64::from(digit);
    }
    for &byte in rest {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    Some(value)
}

/// A decimal number with an optional fraction, times `unit`, rounded down: `0.120` in seconds with
/// `unit` 1 000 000 gives 120 000. `None` for `-`, a negative number, or anything else.
pub fn decimal_scaled(text: &[u8], unit: u64) -> Option<u64> {
    // Milliseconds of less than ten seconds, the usual case.
    if let ([d, b'.', a, b, c], 1_000_000) = (text, unit) {
        let [d, a, b, c] = [d, a, b, c].map(|digit| digit.wrapping_sub(b'0'));
        if d.max(a).max(b).max(c) <= 9 {
            let ms = u64::from(d) * 1_000 + u64::from(a) * 100 + u64::from(b) * 10 + u64::from(c);
            return Some(ms * 1_000);
        }
    }
    let whole_len = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let value = number(&text[..whole_len])?.checked_mul(unit)?;
    let fraction = text.get(whole_len + 1..).unwrap_or_default();
    let mut digits = 0u64;
    let mut divisor = 1u64;
    for &byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Twelve digits are finer than a microsecond in any unit.
        if divisor < 1_000_000_000_000 {
            divisor *= 10;
            digits = digits * 10 + u64::from(digit);
        }
    }
    let part = match divisor {
        1 => 0,
        // Milliseconds of a second, the usual case, without a division.
        1_000 if unit == 1_000_000 => digits * 1_000,
        1_000_000 if unit == 1_000_000 => digits,
        _ => match digits.checked_mul(unit) {
            Some(scaled) => scaled / divisor,
            None => u64::try_from(u128::from(digits) * u128::from(unit) / u128::from(divisor)).ok()?,
        },
    };
    value.checked_add(part)
}

/// `text`, or an empty slice if it is one of the marks for "no value": `-` or `"-"`.
#[inline]
pub fn filled(text: &[u8]) -> &[u8] {
    if text == b"-" || text == b"\"-\"" {
        &text[..0]
    } else {
        text
    }
}

/// Value of a hexadecimal digit.
pub fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Undoes `\xHH`, `\n`, `\t`, `\r`, `\b`, `\v`, `\"` and `\\`; an unknown escape stays as it is.
pub fn unescape_backslash(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        if byte != b'\\' || at + 1 == text.len() {
            out.push(byte);
            at += 1;
            continue;
        }
        let (decoded, used) = match text[at + 1] {
            b'x' => match (
                text.get(at + 2).copied().and_then(hex),
                text.get(at + 3).copied().and_then(hex),
            ) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (b'\\', 1),
            },
            b'n' => (b'\n', 2),
            b't' => (b'\t', 2),
            b'r' => (b'\r', 2),
            b'b' => (8, 2),
            b'v' => (11, 2),
            b'"' => (b'"', 2),
            b'\\' => (b'\\', 2),
            _ => (b'\\', 1),
        };
        out.push(decoded);
        at += used;
    }
    out
}

/// Undoes HAProxy's `#HH`.
pub fn unescape_hash(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'#'
            && let (Some(high), Some(low)) = (
                text.get(at + 1).copied().and_then(hex),
                text.get(at + 2).copied().and_then(hex),
            )
        {
            out.push(high << 4 | low);
            at += 3;
            continue;
        }
        out.push(text[at]);
        at += 1;
    }
    out
}

/// Undoes XML's predefined entities and numeric references; an unknown one stays as it is.
pub fn unescape_xml(text: &[u8]) -> Vec<u8> {
    const NAMED: [(&[u8], u8); 5] = [
        (b"&amp;", b'&'),
        (b"&lt;", b'<'),
        (b"&gt;", b'>'),
        (b"&quot;", b'"'),
        (b"&apos;", b'\''),
    ];
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let named = NAMED.iter().find(|(name, _)| rest.starts_with(name));
        let used = match (named, xml_reference(rest)) {
            (Some((name, byte)), _) => {
                out.push(*byte);
                name.len()
            }
            (None, Some((character, used))) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                used
            }
            (None, None) => {
                out.push(b'&');
                1
            }
        };
        rest = &rest[used..];
    }
    out.extend_from_slice(rest);
    out
}

/// `&#10;` or `&#xA;` at the start of `text`, and how long it is.
fn xml_reference(text: &[u8]) -> Option<(char, usize)> {
    let end = memchr::memchr(b';', &text[..text.len().min(10)])?;
    let digits = std::str::from_utf8(text.get(2..end)?)
        .ok()
        .filter(|_| text[1] == b'#')?;
    let code = match digits.strip_prefix('x') {
        Some(hex) => u32::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    Some((char::from_u32(code.ok()?)?, end + 1))
}

/// Undoes JSON string escapes, surrogate pairs included; a broken escape stays as it is.
pub fn unescape_json(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    unescape_json_into(text, &mut out);
    out
}

/// As [`unescape_json`], appended to `out`.
pub fn unescape_json_into(text: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &text[at..]) {
        out.extend_from_slice(&text[at..at + found]);
        at += found + 2;
        if at > text.len() {
            out.push(b'\\');
            return;
        }
        match text[at - 1] {
            b'n' => out.push(b'\n'),
            b't' => out.push(b'\t'),
            b'r' => out.push(b'\r'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => {
                let (character, used) = json_unicode(&text[at..]);
                at += used;
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
            other => out.push(other),
        }
    }
    out.extend_from_slice(&text[at..]);
}

/// The character of `HHHH` or `HHHH\uHHHH` and how many bytes it took.
fn json_unicode(text: &[u8]) -> (char, usize) {
    let unit = |at: usize| -> Option<u32> {
        let digits = text.get(at..at + 4)?;
        digits
            .iter()
            .try_fold(0, |sum, &digit| Some(sum << 4 | u32::from(hex(digit)?)))
    };
    let Some(first) = unit(0) else {
        return (char::REPLACEMENT_CHARACTER, 0);
    };
    if let Some(character) = char::from_u32(first) {
        return (character, 4);
    }
    if text.get(4..6) == Some(b"\\u")
        && let Some(second @ 0xDC00..=0xDFFF) = unit(6)
        && first < 0xDC00
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 10);
    }
    (char::REPLACEMENT_CHARACTER, 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_where_a_searcher_finds_it() {
        let texts: [&[u8]; 6] = [
            b"",
            b"a",
            b"aaab",
            b"upstream timed out (110: x) while reading",
            b"  ]: [] : ",
            &[b'x'; 2000],
        ];
        let needles: [&[u8]; 9] = [
            b"",
            b"a",
            b"ab",
            b"aab",
            b"timed out",
            b"]: ",
            b" ",
            b"reading",
            b"xx",
        ];
        for text in texts {
            for needle in needles {
                assert_eq!(
                    find(text, needle),
                    memchr::memmem::find(text, needle),
                    "{text:?} {needle:?}"
                );
                assert_eq!(
                    rfind(text, needle),
                    memchr::memmem::rfind(text, needle),
                    "{text:?} {needle:?}"
                );
            }
        }
    }

    #[test]
    fn entities_of_xml_are_undone() {
        assert_eq!(unescape_xml(b"a=1&amp;b=&#x41;&#66;&nope;&"), b"a=1&b=AB&nope;&");
    }

    #[test]
    fn seconds_with_decimals_become_microseconds() {
        assert_eq!(decimal_scaled(b"3.002", 1_000_000), Some(3_002_000));
        assert_eq!(decimal_scaled(b"0.000012", 1_000_000), Some(12));
        assert_eq!(decimal_scaled(b"17", 1_000), Some(17_000));
        assert_eq!(decimal_scaled(b"-", 1_000), None);
        assert_eq!(decimal_scaled(b"-1", 1_000), None);
        assert_eq!(decimal_scaled(b"", 1_000), None);
    }

    #[test]
    fn escapes_are_undone_and_broken_ones_kept() {
        assert_eq!(unescape_backslash(br#"a\x22b\q"#), br#"a"b\q"#);
        assert_eq!(unescape_hash(b"a#7Cb#"), b"a|b#");
        assert_eq!(unescape_json(br"\ud83d\ude00 \u00e9\n"), "😀 é\n".as_bytes());
    }

    #[test]
    fn a_block_is_cut_into_lines_without_their_ends() {
        let all: Vec<_> = lines(b"a\r\nb\n\nc").collect();
        assert_eq!(all, [b"a".as_slice(), b"b", b"", b"c"]);
    }
}
