//! What a dying Node process prints: the trace of an uncaught exception, or V8's last words.
//!
//! ```text
//! Error: listen EADDRINUSE: address already in use :::3000
//!     at Server.setupListenHandle [as _listen2] (node:net:1817:16)
//!
//! Node.js v20.20.2
//! ```
//! The closing `Node.js v…` line (Node 17 and later) and `FATAL ERROR: … heap out of memory` are the marks. None
//! of it carries a time; the wrapper around the line has to.
//! Source: observed on Node 20.20.2.

use crate::bytes::memmem;

use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `node-text`.
#[derive(Debug, Clone, Copy)]
pub struct ProcessText;

impl Plain for ProcessText {
    const NAME: &'static str = "node-text";
    const PRODUCT: Product = Product::Node;
    const KIND: RecordKind = RecordKind::Error;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        if !head.lines().any(|line| death(line).is_some()) {
            return Sniff::no();
        }
        Sniff::by_parsing(
            head,
            &mut Parser::default(),
            Score::Mark,
            "last words of a Node process",
        )
    }
}

#[derive(Default)]
struct Parser {
    cache: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        match line.first() {
            None => return Ok(Line::Directive),
            Some(b' ' | b'\t' | b'<' | b'}') => return Ok(Line::Continuation),
            Some(_) if is_native_trace(line) => return Ok(Line::Continuation),
            Some(_) => {}
        }
        if death(line).is_some() {
            return crash(line, entry);
        }
        entry.kind = Kind::Note;
        entry.time = time::iso_prefix(line, &mut self.cache).map(|(stamp, _)| stamp.marking(Marks::Event));
        entry.error = line;
        Ok(Line::Entry)
    }
}

/// V8's frames (`10: 0x195e476  [node]`), its garbage collections (`[25887:0xd62ee20]  77 ms: …`) and the heading between them.
fn is_native_trace(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let is_frame = digits > 0 && line[digits..].starts_with(b": 0x");
    let is_collection = line.first() == Some(&b'[') && memmem::find(line, b":0x").is_some_and(|at| at < 12);
    is_frame || is_collection || line.starts_with(b"----- ")
}

/// What kind of death `line` tells of, if it does.
fn death(line: &[u8]) -> Option<Fault> {
    if let Some(version) = line.strip_prefix(b"Node.js v") {
        return version
            .first()
            .is_some_and(u8::is_ascii_digit)
            .then_some(Fault::WorkerCrashed);
    }
    let words = line.strip_prefix(b"FATAL ERROR: ")?;
    let is_heap =
        memmem::find(words, b"heap out of memory").is_some() || memmem::find(words, b"heap limit").is_some();
    is_heap.then_some(Fault::OutOfMemory)
}

/// Reads a line that only a dying process prints, in whatever log it stands.
///
/// # Errors
/// [`LineError`] for any other line.
pub(crate) fn crash<'a>(line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
    let Some(fault) = death(line) else {
        return Err(LineError::new(0, "JSON object"));
    };
    entry.kind = Kind::Event;
    entry.level = Level::Critical;
    entry.signal = Some(Signal::new(Phase::Process, fault));
    entry.error = line;
    Ok(Line::Entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Format;

    #[test]
    fn an_uncaught_exception_is_one_event() {
        let bytes = b"node:events:496\n      throw er; // Unhandled 'error' event\n      ^\n\nError: listen EADDRINUSE: address already in use :::3000\n    at Server.setupListenHandle [as _listen2] (node:net:1817:16) {\n  code: 'EADDRINUSE'\n}\n\nNode.js v20.20.2\n";
        let head = Head {
            bytes,
            hints: &[],
            date_hint: None,
        };
        assert_eq!(ProcessText.sniff(&head).score, Score::Mark);
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for line in head.lines() {
            let mut entry = Entry::default();
            if parser.parse(line, &mut entry) == Ok(Line::Entry) && entry.kind == Kind::Event {
                events.push(entry.signal);
            }
        }
        assert_eq!(events, [Some(Signal::new(Phase::Process, Fault::WorkerCrashed))]);
    }

    #[test]
    fn a_full_heap_is_out_of_memory() {
        let line = b"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory";
        assert_eq!(death(line), Some(Fault::OutOfMemory));
        assert_eq!(death(b"FATAL ERROR: something of another program"), None);
    }
}
