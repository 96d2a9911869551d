//! `journalctl -o export` as the lines that `-o short-iso-precise` prints:
//! `2020-07-22T13:17:10.012569+00:00 host ident[pid]: message`.
//!
//! An entry is a run of fields with an empty line behind it: `KEY=value`, or, where the value has line ends or
//! other control bytes, `KEY`, a line end, the length as 64 bits (low byte first), the value, a line end.
//! An entry without message gives no line. The lines of a longer message follow each other.

use std::io::{self, BufRead, Read};

use chrono::{DateTime, SecondsFormat};

use super::super::LINE_MOST;
use super::Made;

/// The lines.
pub(super) struct Lines<R> {
    below: R,
    entry: Entry,
    made: Made,
    ended: bool,
}

/// The fields of one entry that are of use.
#[derive(Default)]
struct Entry {
    written: Vec<u8>,
    source: Vec<u8>,
    host: Vec<u8>,
    identifier: Vec<u8>,
    command: Vec<u8>,
    pid: Vec<u8>,
    message: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The entries of `below`.
    pub(super) fn new(below: R) -> Self {
        Self {
            below,
            entry: Entry::default(),
            made: Made::default(),
            ended: false,
        }
    }

    /// Reads one field, or the end of an entry.
    fn field(&mut self) -> io::Result<()> {
        let mut line = Vec::new();
        let most = LINE_MOST as u64;
        let read = (&mut self.below).take(most).read_until(b'\n', &mut line)?;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if read as u64 == most {
            self.below.skip_until(b'\n')?;
        }
        self.ended = read == 0;
        if line.is_empty() {
            std::mem::take(&mut self.entry).print(&mut self.made.bytes);
            return Ok(());
        }
        match memchr::memchr(b'=', &line) {
            Some(at) => self
                .entry
                .set(&line[..at], line.get(at + 1..).unwrap_or_default()),
            None => {
                let value = self.binary()?;
                self.entry.set(&line, &value);
            }
        }
        Ok(())
    }

    /// The value of a field that has its length before it; of one that is too long, the start.
    fn binary(&mut self) -> io::Result<Vec<u8>> {
        let mut length = [0; 8];
        self.below.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        let kept = length.min(LINE_MOST as u64);
        let mut value = Vec::new();
        (&mut self.below).take(kept).read_to_end(&mut value)?;
        let rest = (length - kept).saturating_add(1); // With the line end behind the value.
        io::copy(&mut (&mut self.below).take(rest), &mut io::sink())?;
        Ok(value)
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let given = self.made.give(buffer);
            if given > 0 || self.ended || buffer.is_empty() {
                return Ok(given);
            }
            self.field()?;
        }
    }
}

impl Entry {
    /// Takes in a field; of one that is repeated, the first.
    fn set(&mut self, key: &[u8], value: &[u8]) {
        let field = match key {
            b"__REALTIME_TIMESTAMP" => &mut self.written,
            b"_SOURCE_REALTIME_TIMESTAMP" => &mut self.source,
            b"_HOSTNAME" => &mut self.host,
            b"SYSLOG_IDENTIFIER" => &mut self.identifier,
            b"_COMM" => &mut self.command,
            b"_PID" => &mut self.pid,
            b"MESSAGE" => &mut self.message,
            _ => return,
        };
        if field.is_empty() {
            field.extend_from_slice(value);
        }
    }

    fn print(self, out: &mut Vec<u8>) {
        let micros = |text: &[u8]| i64::try_from(why502_parsers::bytes::number(text)?).ok();
        let time = micros(&self.source)
            .or_else(|| micros(&self.written))
            .and_then(DateTime::from_timestamp_micros);
        let Some(time) = time.filter(|_| !self.message.is_empty()) else {
            return;
        };
        let stamp = time.to_rfc3339_opts(SecondsFormat::Micros, false);
        out.extend_from_slice(stamp.as_bytes());
        out.push(b' ');
        out.extend(word(&self.host, b"localhost"));
        out.push(b' ');
        let named = if self.identifier.is_empty() {
            &self.command
        } else {
            &self.identifier
        };
        out.extend(word(named, b"unknown"));
        if !self.pid.is_empty() {
            out.push(b'[');
            out.extend(word(&self.pid, b""));
            out.push(b']');
        }
        out.extend_from_slice(b": ");
        out.extend_from_slice(self.message.trim_ascii_end());
        out.push(b'\n');
    }
}

/// `text` as one word, `instead` if it is empty.
fn word<'a>(text: &'a [u8], instead: &'a [u8]) -> impl Iterator<Item = u8> + 'a {
    let text = if text.is_empty() { instead } else { text };
    text.iter().map(|byte| match byte {
        0..=b' ' | 0x7f => b'_',
        other => *other,
    })
}
