//! uvicorn's access lines: `INFO:     127.0.0.1:52782 - "GET / HTTP/1.1" 200 OK`.
//!
//! They carry no time; a wrapper has to give it. On a terminal the level, the request and the status
//! are coloured by ANSI sequences, which are read over.

use crate::engine::slot::{self, Slot};
use crate::entry::Entry;
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};

/// uvicorn's access lines.
#[derive(Debug, Clone, Copy)]
pub struct Uvicorn;

impl Plain for Uvicorn {
    const NAME: &'static str = "uvicorn";
    const PRODUCT: Product = Product::Uvicorn;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(UvicornParser)
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let reason = "access lines of uvicorn, without time";
        Sniff::by_parsing(head, &mut UvicornParser, Score::Own, reason)
    }
}

struct UvicornParser;

impl LineParser for UvicornParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut at = skip_colour(line, 0);
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if !line[at..].starts_with(b"INFO") {
            return Err(LineError::new(at, "level"));
        }
        at = skip_colour(line, at + 4);
        if line.get(at) != Some(&b':') {
            return Err(LineError::new(at, "level"));
        }
        at += 1;
        at += line[at..].len() - line[at..].trim_ascii_start().len();
        let dash = crate::bytes::find(&line[at..], b" - ").ok_or(LineError::new(at, "client"))?;
        if !Slot::ClientAndPort.write(&line[at..at + dash], entry) {
            return Err(LineError::new(at, "client"));
        }
        at = skip_colour(line, at + dash + 3);
        let rest = line[at..]
            .strip_prefix(b"\"")
            .ok_or(LineError::new(at, "request line"))?;
        let rest = &rest[skip_colour(rest, 0)..];
        let end = memchr::memchr2(b'"', 0x1b, rest).ok_or(LineError::new(at, "request line"))?;
        slot::request(&rest[..end], entry);
        let mut after = &rest[skip_colour(rest, end)..];
        after = after.strip_prefix(b"\"").unwrap_or(after);
        after = after[skip_colour(after, 0)..].trim_ascii_start();
        after = &after[skip_colour(after, 0)..];
        if !after
            .get(..3)
            .is_some_and(|status| Slot::Status.write(status, entry))
        {
            return Err(LineError::new(line.len() - after.len(), "status"));
        }
        Ok(Line::Entry)
    }
}

/// The position after ANSI sequences (`ESC [ … m`) at `at`.
fn skip_colour(text: &[u8], mut at: usize) -> usize {
    while text[at.min(text.len())..].starts_with(b"\x1b[") {
        match memchr::memchr(b'm', &text[at..]) {
            Some(end) => at += end + 1,
            None => break,
        }
    }
    at
}
