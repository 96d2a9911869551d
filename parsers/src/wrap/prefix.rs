//! Short prefixes: Docker Compose's service names, `kubectl logs --prefix`, `docker logs -t`, and a stamp with
//! a host before a JSON object.

use crate::entry::{Marks, Stamp, Zone};
use crate::time::{self, DayCache};
use crate::wrap::{Inside, Outer, Wrapper};

/// Docker Compose: `service-1  | line`, coloured or not, with the stamp of `-t` or without.
#[derive(Debug)]
pub struct Compose;

/// `kubectl logs --prefix`: `[pod/name/container] line`, with the stamp of `--timestamps` or without.
#[derive(Debug)]
pub struct Kubectl;

/// `docker logs -t` and `kubectl logs --timestamps`: a stamp with nine decimals, a space, the line.
#[derive(Debug)]
pub struct Stamped;

/// Log streaming of content networks: an ISO stamp, a host, perhaps a tag, then one JSON object.
#[derive(Debug)]
pub struct BeforeJson;

impl Wrapper for Compose {
    fn name(&self) -> &'static str {
        "docker compose"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let start = without_colours(line);
        let name_len = start
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            .count();
        let (name, rest) = start.split_at(name_len);
        let padded = without_colours(rest);
        let rest = padded.trim_ascii_start();
        let rest = without_colours(without_colours(rest).strip_prefix(b"|")?);
        // A name without a letter is an address: Atlassian's access logs begin with one and part fields likewise.
        let is_name = name.iter().any(u8::is_ascii_alphabetic);
        if !is_name || padded.len() == rest.len() + 1 {
            return None;
        }
        let text = match rest {
            [] => rest,
            [b' ', text @ ..] => text,
            _ => return None,
        };
        Some(stamped(name, text))
    }

    fn names_programs(&self) -> bool {
        true
    }
}

impl Wrapper for Kubectl {
    fn name(&self) -> &'static str {
        "kubectl prefix"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let rest = line.strip_prefix(b"[pod/")?;
        let end = memchr::memchr(b']', rest)?;
        let slash = memchr::memchr(b'/', &rest[..end])?;
        let text = match &rest[end + 1..] {
            [b' ', text @ ..] => text,
            [] => &[],
            _ => return None,
        };
        let mut inside = stamped(&rest[slash + 1..end], text);
        inside.outer.host = &rest[..slash];
        Some(inside)
    }
}

impl Wrapper for Stamped {
    fn name(&self) -> &'static str {
        "docker time stamps"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let (time, text) = nano_stamp(line)?;
        Some(inside(Some(time), b"", text))
    }

    /// Some programs write such stamps themselves.
    fn is_unsure(&self) -> bool {
        true
    }
}

impl Wrapper for BeforeJson {
    fn name(&self) -> &'static str {
        "stamp before json"
    }

    fn inside<'a>(&self, line: &'a [u8]) -> Option<Inside<'a>> {
        let (stamp, used) = time::iso_prefix(line, &mut DayCache::default())?;
        if stamp.zone != Zone::Known || line.get(used) != Some(&b' ') || line.last() != Some(&b'}') {
            return None;
        }
        let rest = &line[used..];
        let open = memchr::memchr(b'{', &rest[..rest.len().min(256)])?;
        let words = rest[..open].trim_ascii();
        let plain = |b: &u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'=' | b'[' | b'(') || *b == b' ';
        if words.is_empty() || !words.iter().all(plain) {
            return None;
        }
        let host_len = memchr::memchr(b' ', words).unwrap_or(words.len());
        let mut inside = inside(Some(stamp.marking(Marks::Event)), b"", &rest[open..]);
        inside.outer.host = &words[..host_len];
        Some(inside)
    }

    fn is_unsure(&self) -> bool {
        true
    }
}

fn inside<'a>(time: Option<Stamp>, program: &'a [u8], text: &'a [u8]) -> Inside<'a> {
    Inside {
        outer: Outer {
            time,
            program,
            ..Outer::default()
        },
        text,
        ..Inside::default()
    }
}

/// `text` of `program`, a stamp at its start taken off.
fn stamped<'a>(program: &'a [u8], text: &'a [u8]) -> Inside<'a> {
    match nano_stamp(text) {
        Some((time, text)) => inside(Some(time), program, text),
        None => inside(None, program, text),
    }
}

/// `2024-04-25T05:32:35.584725130Z `: container runtimes always write nine decimals, few programs do.
fn nano_stamp(text: &[u8]) -> Option<(Stamp, &[u8])> {
    if text.get(19) != Some(&b'.') || text.get(10) != Some(&b'T') {
        return None;
    }
    let (stamp, used) = time::iso_prefix(text, &mut DayCache::default())?;
    let decimals = text[20..].iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = &text[used..];
    let rest = if rest.is_empty() {
        rest
    } else {
        rest.strip_prefix(b" ")?
    };
    (decimals == 9 && stamp.zone == Zone::Known).then(|| (stamp.marking(Marks::Event), rest))
}

/// `text` without the terminal's control sequences (`ESC [ … letter`) at its start.
fn without_colours(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_prefix(b"\x1b[") {
        let Some(end) = rest.iter().position(u8::is_ascii_alphabetic) else {
            return text;
        };
        text = &rest[end + 1..];
    }
    text
}
