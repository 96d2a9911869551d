//! The common log format without its time: `10.0.0.7 - - "GET /cart HTTP/1.1" 200 65508 4.386`.
//!
//! Administrators leave the time out where the system's log puts one before every line. What follows the byte count is
//! read as in the common log format; a number with a point is seconds.
//! Source: `logfile_syslog_with_access_log.0` of lnav's tests; the directives are those of the common log format.

use std::sync::Arc;

use crate::entry::{Entry, Escape};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::clf::{ClfParser, Style, addresses};

/// The format `clf-untimed`.
#[derive(Debug, Clone, Copy)]
pub struct ClfUntimed;

impl Format for ClfUntimed {
    fn name(&self) -> &str {
        "clf-untimed"
    }

    fn product(&self) -> Product {
        Product::Unknown
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let reason = "common log format, the time left out";
        Sniff::by_parsing(head, self.open(b"").as_mut(), Score::Shape, reason)
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for ClfUntimed {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser(ClfParser::new(Style::PLAIN)))
    }
}

struct Parser(ClfParser);

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let quote = memchr::memchr(b'"', line).ok_or(LineError::new(0, "request line"))?;
        let before = line[..quote]
            .strip_suffix(b" ")
            .ok_or(LineError::new(quote, "blank before the request line"))?;
        // Address, identity and user: a time, or any other word, would make it another format.
        let (mut words, mut is_timed) = (1, false);
        for byte in before {
            words += u32::from(*byte == b' ');
            is_timed |= *byte == b'[';
        }
        let is_client = before.first().is_some_and(u8::is_ascii_alphanumeric);
        if words != 3 || is_timed || !is_client {
            return Err(LineError::new(0, "client, identity and user"));
        }
        entry.escape = Escape::Backslash;
        addresses(before, entry);
        self.0.after_time(line, quote, entry)?;
        if entry.method.is_empty() {
            return Err(LineError::new(quote + 1, "request line"));
        }
        Ok(Line::Entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_time_is_read() {
        let mut entry = Entry::default();
        let line = b"10.0.0.7 - ann \"GET /cart?x=1 HTTP/1.1\" 502 65508 4.386";
        assert_eq!(ClfUntimed.open(b"").parse(line, &mut entry), Ok(Line::Entry));
        assert_eq!((entry.client, entry.status), (&b"10.0.0.7"[..], Some(502)));
        assert_eq!((entry.path, entry.bytes_sent), (&b"/cart?x=1"[..], Some(65_508)));
        assert_eq!((entry.time, entry.duration_us), (None, Some(4_386_000)));
    }

    #[test]
    fn lines_with_a_time_are_the_other_formats() {
        for line in [
            "10.0.0.7 - - [20/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 1",
            "10.0.0.7 [20/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 1",
            "INFO:     10.0.0.7:5 - \"GET / HTTP/1.1\" 200 OK",
            "say \"GET\" 200 1",
        ] {
            let read = ClfUntimed.open(b"").parse(line.as_bytes(), &mut Entry::default());
            assert!(read.is_err(), "{line}");
        }
    }
}
