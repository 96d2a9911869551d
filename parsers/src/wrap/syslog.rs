//! Syslog headers: RFC 5424, RFC 3164 with or without `<PRI>`, and rsyslog's ISO form.
//!
//! `<134>1 2026-11-20T16:26:16.005Z lb1 haproxy 17020 - - message`,
//! `<134>Nov 20 16:26:16 lb1 haproxy[17020]: message` and `2026-11-20T16:26:16.005+00:00 lb1 haproxy[17020]: message`.
//! An RFC 3164 stamp has neither year nor zone: it is read in [`time::ASSUMED_YEAR`] and says so.

use crate::bytes::{filled, number};
use crate::entry::{Marks, Zone};
use crate::time::{self, DayCache};
use crate::wrap::{Inside, Outer, Wrapper};

/// RFC 5424.
#[derive(Debug)]
pub struct Rfc5424;

/// RFC 3164, the host possibly missing.
#[derive(Debug)]
pub struct Rfc3164;

/// As RFC 3164, with an ISO stamp.
#[derive(Debug)]
pub struct Iso;

impl Wrapper for Rfc5424 {
    fn name(&self) -> &'static str {
        "syslog (rfc 5424)"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let rest = without_pri(line)?.strip_prefix(b"1 ")?;
        let mut words = rest.splitn(6, |b| *b == b' ');
        let (stamp, host, program) = (words.next()?, words.next()?, words.next()?);
        let (pid, _message_id, tail) = (words.next()?, words.next()?, words.next()?);
        let time = match stamp {
            b"-" => None,
            stamp => Some(time::iso(stamp, &mut DayCache::default())?.marking(Marks::Event)),
        };
        let message = after_structured_data(tail)?;
        let outer = Outer {
            time,
            host: filled(host),
            program: filled(program),
            pid: number(pid).and_then(|n| u32::try_from(n).ok()),
        };
        Some(inside(
            outer,
            message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message),
        ))
    }

    fn names_programs(&self) -> bool {
        true
    }
}

impl Wrapper for Rfc3164 {
    fn name(&self) -> &'static str {
        "syslog (rfc 3164)"
    }

    fn is_prefix(&self) -> bool {
        true
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let rest = without_pri(line).unwrap_or(line);
        let (stamp, used) = time::rfc3164_prefix(rest, time::ASSUMED_YEAR)?;
        let rest = rest[used..].strip_prefix(b" ")?;
        let (mut outer, message) = host_and_tag(rest, false)?;
        outer.time = Some(stamp.marking(Marks::Event));
        Some(tagged(outer, message))
    }

    fn names_programs(&self) -> bool {
        true
    }
}

impl Wrapper for Iso {
    fn name(&self) -> &'static str {
        "syslog (iso time)"
    }

    fn is_prefix(&self) -> bool {
        true
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let pri = without_pri(line);
        let rest = pri.unwrap_or(line);
        let (stamp, used) = time::iso_prefix(rest, &mut DayCache::default())?;
        if stamp.zone != Zone::Known || rest.get(10) != Some(&b'T') {
            return None;
        }
        let rest = rest[used..].strip_prefix(b" ")?;
        let (mut outer, message) = host_and_tag(rest, pri.is_none())?;
        outer.time = Some(stamp.marking(Marks::Event));
        Some(tagged(outer, message))
    }

    fn names_programs(&self) -> bool {
        true
    }
}

fn inside<'a>(outer: Outer<'a>, text: &'a [u8]) -> Inside<'a> {
    Inside {
        outer,
        text,
        ..Inside::default()
    }
}

/// A line behind a tag, or in its place. With a tag, the header ends where that does, whatever the line is.
fn tagged<'a>(outer: Outer<'a>, text: &'a [u8]) -> Inside<'a> {
    Inside {
        is_known_by_prefix: !outer.program.is_empty(),
        ..inside(outer, text)
    }
}

/// What follows `<PRI>`, if there is one; a length before it (octet counting) is read over.
fn without_pri(line: &[u8]) -> Option<&[u8]> {
    let digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
    let counted = line.get(digits).filter(|_| digits > 0) == Some(&b' ');
    let line = if counted { &line[digits + 1..] } else { line };
    let rest = line.strip_prefix(b"<")?;
    let end = memchr::memchr(b'>', rest).filter(|at| (1..=3).contains(at))?;
    number(&rest[..end])?;
    Some(&rest[end + 1..])
}

/// What follows the structured data of RFC 5424: `-` or `[id key="value" …]…`.
fn after_structured_data(text: &[u8]) -> Option<&[u8]> {
    if let Some(rest) = text.strip_prefix(b"-") {
        return match rest {
            [] => Some(rest),
            [b' ', message @ ..] => Some(message.strip_prefix(b" ").unwrap_or(message)),
            _ => None,
        };
    }
    let mut rest = text;
    while rest.first() == Some(&b'[') {
        let (mut quoted, mut at) = (false, 1);
        loop {
            match *rest.get(at)? {
                b'\\' if quoted => at += 1,
                b'"' => quoted = !quoted,
                b']' if !quoted => break,
                _ => {}
            }
            at += 1;
        }
        rest = &rest[at + 1..];
    }
    (rest.len() < text.len()).then(|| rest.strip_prefix(b" ").unwrap_or(rest))
}

/// `[host] tag[pid]: message`. With `strict` there must be a host and a tag, and the host must not be
/// the level word of an application's own log.
pub(super) fn host_and_tag(text: &[u8], strict: bool) -> Option<(Outer<'_>, &[u8])> {
    let first_len = memchr::memchr(b' ', text)?;
    if let Some((program, pid)) = tag(&text[..first_len]) {
        if strict {
            return None;
        }
        let outer = Outer {
            program,
            pid,
            ..Outer::default()
        };
        return Some((outer, &text[first_len + 1..]));
    }
    let host = &text[..first_len];
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
    if host.is_empty() || !host.iter().all(plain) || strict && is_level(host) {
        return None;
    }
    let rest = &text[first_len + 1..];
    let second_len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let (program, pid, message) = match tag(&rest[..second_len]) {
        Some((program, pid)) => (program, pid, rest.get(second_len + 1..).unwrap_or_default()),
        None if strict => return None,
        None => (&rest[..0], None, rest),
    };
    let outer = Outer {
        time: None,
        host,
        program,
        pid,
    };
    Some((outer, message))
}

/// `haproxy[17020]:` or `nginx:` as program and process.
fn tag(word: &[u8]) -> Option<(&[u8], Option<u32>)> {
    let name = word.strip_suffix(b":")?;
    let Some(open) = memchr::memchr(b'[', name) else {
        return (!name.is_empty()).then_some((name, None));
    };
    let pid = name[open + 1..].strip_suffix(b"]")?;
    Some((&name[..open], number(pid).and_then(|n| u32::try_from(n).ok())))
}

fn is_level(word: &[u8]) -> bool {
    const LEVELS: [&[u8]; 11] = [
        b"TRACE", b"DEBUG", b"INFO", b"NOTICE", b"WARN", b"WARNING", b"ERROR", b"SEVERE", b"FATAL",
        b"stdout", b"stderr",
    ];
    LEVELS.iter().any(|level| word.eq_ignore_ascii_case(level))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(line: &str) -> (String, String, Option<u32>, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let inside = crate::wrap::all()
            .iter()
            .find_map(|wrapper| wrapper.inside(line.as_bytes()))
            .unwrap_or_else(|| panic!("{line} was not unwrapped"));
        let outer = inside.outer;
        (
            text(outer.host),
            text(outer.program),
            outer.pid,
            text(inside.text),
        )
    }

    #[test]
    fn every_header_is_taken_off() {
        let expected = |host: &str, pid| (host.to_owned(), "haproxy".to_owned(), pid, "x y".to_owned());
        for line in [
            "<134>1 2026-11-20T16:26:16.005Z lb1 haproxy 17020 - - x y",
            "<134>1 2026-11-20T16:26:16.005Z lb1 haproxy 17020 id [a b=\"]\\\"\"][c] x y",
            "<134>Nov 20 16:26:16 lb1 haproxy[17020]: x y",
            "Nov 20 16:26:16 lb1 haproxy[17020]: x y",
            "2026-11-20T16:26:16.005+00:00 lb1 haproxy[17020]: x y",
            "<134>2026-11-20T16:26:16.005+00:00 lb1 haproxy[17020]: x y",
            "61 <134>1 2026-11-20T16:26:16.005Z lb1 haproxy 17020 - - x y",
        ] {
            assert_eq!(outer(line), expected("lb1", Some(17_020)), "{line}");
        }
        assert_eq!(
            outer("<134>Nov 20 16:26:16 haproxy[17020]: x y"),
            expected("", Some(17_020))
        );
        assert_eq!(outer("Nov  7 16:26:16 haproxy: x y"), expected("", None));
    }

    #[test]
    fn lines_with_a_time_of_their_own_are_left_alone() {
        for line in [
            "2022-01-28T16:04:05.413656027Z stdout F {}",
            "2026-11-20T16:42:10.684Z [error][127.0.0.1:9101][1][a][b][c][d][][e][f][g h][GET][][][][]",
            "2025-01-24T07:00:30.139Z  INFO 1 --- [app] [main] a.b.C : text",
            "2026-11-20T16:42:10Z INFO main: text",
            "2026/11/20 16:23:19 [error] 1#1: x",
        ] {
            let wrappers: [&dyn Wrapper; 3] = [&Rfc5424, &Rfc3164, &Iso];
            assert!(
                wrappers.iter().all(|w| w.inside(line.as_bytes()).is_none()),
                "{line}"
            );
        }
    }
}
