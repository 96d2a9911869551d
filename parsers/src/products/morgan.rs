//! morgan, the request logger of Express: `tiny`, `short` and `dev`, which carry no time.
//!
//! ```text
//! GET /a 502 12 - 1.234 ms                       tiny
//! ::1 - GET /a HTTP/1.1 502 12 - 1.234 ms        short
//! GET /a 502 1.234 ms - 12                       dev, coloured on a terminal
//! ```
//! Written when the response has ended; the wrapper has to give the time. `-` stands for the status and the time of a
//! response that never began. `common` and `combined` are the common log format, see [`super::ncsa`].
//! Observed on morgan 1.10 behind Express. Source: morgan, `index.js`.

use super::jvm::skip_colour;
use crate::bytes::{decimal_scaled, number};
use crate::engine::slot::Slot;
use crate::entry::{Entry, Fault, Kind, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};

/// The format `morgan`.
#[derive(Debug, Clone, Copy)]
pub struct Morgan;

impl Plain for Morgan {
    const NAME: &'static str = "morgan";
    const PRODUCT: Product = Product::Node;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser)
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        Sniff::by_parsing(
            head,
            &mut Parser,
            Score::Own,
            "request lines of morgan, without time",
        )
    }
}

struct Parser;

/// Words from the end of a line: the unit, the time and so on.
struct Words<'a>(&'a [u8]);

impl<'a> Words<'a> {
    fn last(&mut self) -> Option<&'a [u8]> {
        let text = uncoloured_end(self.0.trim_ascii_end());
        let at = memchr::memrchr(b' ', text).map_or(0, |at| at + 1);
        let word = &text[at..];
        self.0 = &text[..at];
        let word = &word[skip_colour(word, 0)..];
        (!word.is_empty()).then_some(word)
    }
}

/// `text` without colours at its end.
fn uncoloured_end(mut text: &[u8]) -> &[u8] {
    while let Some(inner) = text.strip_suffix(b"m")
        && let Some(escape) = memchr::memrchr(0x1b, inner)
        && inner[escape + 1..]
            .iter()
            .all(|byte| matches!(byte, b'[' | b';') || byte.is_ascii_digit())
    {
        text = text[..escape].trim_ascii_end();
    }
    text
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let mut words = Words(line);
        let mut word = |want| words.last().ok_or(LineError::new(0, want));
        let (status, bytes, ms) = if word("unit or length")? == b"ms" {
            // … status length - time ms
            let (ms, dash, bytes) = (word("time")?, word("dash")?, word("length")?);
            (word("status")?, bytes, if dash == b"-" { ms } else { b"x" })
        } else {
            // … status time ms - length
            words = Words(line);
            let mut word = |want| words.last().ok_or(LineError::new(0, want));
            let (bytes, dash, unit) = (word("length")?, word("dash")?, word("unit")?);
            let ms = word("time")?;
            let is_dev = dash == b"-" && unit == b"ms";
            (word("status")?, bytes, if is_dev { ms } else { b"x" })
        };
        let at = words.0.len();
        if ms != b"-" && decimal_scaled(ms, 1_000).is_none() {
            return Err(LineError::new(at, "time"));
        }
        let is_status = status == b"-" || status.len() == 3 && Slot::Status.write(status, entry);
        if !is_status || bytes != b"-" && number(bytes).is_none() {
            return Err(LineError::new(at, "status"));
        }
        request(words.0.trim_ascii_end(), entry)?;
        entry.kind = Kind::Request;
        entry.duration_us = decimal_scaled(ms, 1_000);
        entry.bytes_sent = number(bytes);
        if status == b"-" {
            // The connection was closed before a response began.
            entry.signal = Some(Signal::new(Phase::Client, Fault::ClientGone));
        }
        Ok(Line::Entry)
    }
}

/// `GET /a`, or `::1 - GET /a HTTP/1.1`.
fn request<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> Result<(), LineError> {
    let text = uncoloured_end(text);
    let text = &text[skip_colour(text, 0)..];
    let is_method = |word: &[u8]| (3..=8).contains(&word.len()) && word.iter().all(u8::is_ascii_uppercase);
    let mut parts = text.split(|byte| *byte == b' ');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if is_method(first) && parts.next().is_none() && second.starts_with(b"/") {
        (entry.method, entry.path) = (first, second);
        return Ok(());
    }
    let mut parts = text.split(|byte| *byte == b' ');
    let (client, _user) = (parts.next().unwrap_or_default(), parts.next());
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let protocol = parts.next().unwrap_or_default();
    let fits = is_method(method) && path.starts_with(b"/") && protocol.starts_with(b"HTTP/");
    if !fits || parts.next().is_some() {
        return Err(LineError::new(0, "method and path"));
    }
    entry.client = client.strip_prefix(b"::ffff:").unwrap_or(client);
    (entry.method, entry.path) = (method, path);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_gives_the_same_request() {
        for line in [
            "GET /a?b=1 502 12 - 1.234 ms",
            "::1 - GET /a?b=1 HTTP/1.1 502 12 - 1.234 ms",
            "GET /a?b=1 502 1.234 ms - 12",
            "\x1b[0mGET /a?b=1 \x1b[31m502\x1b[0m 1.234 ms - 12\x1b[0m",
        ] {
            let mut entry = Entry::default();
            assert_eq!(
                Parser.parse(line.as_bytes(), &mut entry),
                Ok(Line::Entry),
                "{line}"
            );
            assert_eq!(
                (entry.method, entry.path),
                (b"GET".as_slice(), b"/a?b=1".as_slice()),
                "{line}"
            );
            assert_eq!(
                (entry.status, entry.duration_us, entry.bytes_sent),
                (Some(502), Some(1_234), Some(12)),
                "{line}"
            );
            assert!(entry.time.is_none());
        }
    }

    #[test]
    fn a_response_that_never_began_has_dashes() {
        for line in ["GET /a - - - - ms", "GET /a - - ms - -"] {
            let mut entry = Entry::default();
            assert_eq!(
                Parser.parse(line.as_bytes(), &mut entry),
                Ok(Line::Entry),
                "{line}"
            );
            assert_eq!((entry.status, entry.duration_us), (None, None));
            assert!(entry.signal.is_some());
        }
    }

    #[test]
    fn other_lines_that_end_in_milliseconds_are_refused() {
        for line in [
            "done in 12 ms",
            "listening on 3000 - 12 ms",
            "a b c d - 1 ms",
            "ms",
            "- - - -",
        ] {
            assert!(
                Parser.parse(line.as_bytes(), &mut Entry::default()).is_err(),
                "{line}"
            );
        }
    }
}
