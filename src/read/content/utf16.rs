//! UTF-16, as PowerShell's `>` and `Out-File` write it, to UTF-8. Lone surrogates become U+FFFD.

use std::io::{self, BufRead, Read};

use super::Made;

/// Bytes transcoded at once.
const AT_ONCE: usize = 64 * 1024;

/// The text in UTF-8, without its byte order mark.
pub(super) struct ToUtf8<R> {
    below: R,
    big_endian: bool,
    /// The first byte of a unit whose second one has not been read.
    half: Option<u8>,
    /// A high surrogate whose low one has not been read.
    high: Option<u16>,
    started: bool,
    ahead: Vec<u8>,
    made: Made,
}

impl<R: BufRead> ToUtf8<R> {
    /// Transcodes `below`.
    pub(super) fn new(below: R, big_endian: bool) -> Self {
        Self {
            below,
            big_endian,
            half: None,
            high: None,
            started: false,
            ahead: Vec::new(),
            made: Made::default(),
        }
    }

    fn unit(&mut self, unit: u16) {
        let first = !std::mem::replace(&mut self.started, true);
        if first && unit == 0xfeff {
            return;
        }
        let high = self.high.take();
        if let (Some(high), 0xdc00..=0xdfff) = (high, unit) {
            let code = 0x10000 + ((u32::from(high) - 0xd800) << 10) + (u32::from(unit) - 0xdc00);
            return self.put(char::from_u32(code));
        }
        if high.is_some() {
            self.put(None);
        }
        match unit {
            0xd800..=0xdbff => self.high = Some(unit),
            _ => self.put(char::from_u32(u32::from(unit))),
        }
    }

    /// Appends a character; `None` stands for one that is broken.
    fn put(&mut self, character: Option<char>) {
        let mut buffer = [0; 4];
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        self.made
            .bytes
            .extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }

    /// Transcodes what is ahead; whether there was anything.
    fn more(&mut self) -> io::Result<bool> {
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.clear();
        ahead.extend(self.half.take());
        let read = self.below.fill_buf()?;
        let taken = read.len().min(AT_ONCE);
        ahead.extend_from_slice(&read[..taken]);
        self.below.consume(taken);
        let mut units = ahead.chunks_exact(2);
        for unit in &mut units {
            let unit = [unit[0], unit[1]];
            self.unit(match self.big_endian {
                true => u16::from_be_bytes(unit),
                false => u16::from_le_bytes(unit),
            });
        }
        let odd = units.remainder().first().copied();
        if taken == 0 && (odd.is_some() || self.high.take().is_some()) {
            self.put(None); // The text ends in the middle of a character.
        } else {
            self.half = odd;
        }
        self.ahead = ahead;
        Ok(taken > 0)
    }
}

impl<R: BufRead> Read for ToUtf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let given = self.made.give(buffer);
            if given > 0 || buffer.is_empty() {
                return Ok(given);
            }
            if !self.more()? && self.made.bytes.is_empty() {
                return Ok(0);
            }
        }
    }
}
