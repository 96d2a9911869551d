//! Cutting a stream of bytes at line ends, in a buffer that grows only for long lines.

use std::io::{self, Read};

use super::{CHUNK, Chunk, LINE_MOST, PIECE, Span};

/// UTF-8's byte order mark.
pub(super) const BOM: &[u8] = b"\xef\xbb\xbf";

/// How much is read beyond the end of a span at once, looking for the end of its last line.
const BEYOND: usize = 64 * 1024;

/// Which lines of a stream are wanted, and where reading begins.
pub(super) struct Bounds {
    /// Offset of the first byte that is read.
    pub(super) read_from: u64,
    /// Whether a line that began before must be passed over first.
    skip_first: bool,
    /// Lines that begin here or later are not wanted.
    end: u64,
    /// How much is read at once.
    piece: usize,
    /// Runs of NUL are not looked for.
    keeps_nuls: bool,
}

impl Bounds {
    /// The lines that begin in `span`. Reading begins one byte earlier, to see whether a line begins there.
    pub(super) fn of(span: &Span) -> Self {
        Self {
            read_from: span.offset.saturating_sub(1),
            skip_first: span.offset > 0,
            end: span.offset.saturating_add(span.len),
            piece: PIECE,
            keeps_nuls: false,
        }
    }

    /// The same lines, whatever NULs stand in them.
    pub(super) fn with_nuls(self) -> Self {
        Self {
            keeps_nuls: true,
            ..self
        }
    }

    /// The lines of a stream that begin before byte `end`.
    pub(super) fn until(end: u64) -> Self {
        Self {
            read_from: 0,
            skip_first: false,
            end,
            piece: CHUNK,
            keeps_nuls: false,
        }
    }
}

/// What is in the buffer.
struct Filled<'b> {
    buffer: &'b mut Vec<u8>,
    /// Bytes of it that are used, more for a long line.
    room: usize,
    /// Bytes of `buffer` that hold content.
    len: usize,
    /// Offset in the stream of the first of them.
    offset: u64,
    /// Offset at which the first line begins: before `offset` if NULs or a mark at its start were dropped.
    line_from: u64,
    /// The line in progress is not wanted; drop everything up to the next line end.
    skipping: bool,
    keeps_nuls: bool,
}

/// Reads `source` and gives its wanted lines to `visit`. If reading fails, the whole lines read before are
/// given first.
pub(super) fn deliver(
    source: &mut dyn Read,
    bounds: &Bounds,
    buffer: &mut Vec<u8>,
    visit: &mut dyn FnMut(Chunk<'_>),
) -> io::Result<()> {
    // Memory that is not written to need not be had: for a look at a few lines a little is enough.
    let wanted = bounds.end.saturating_sub(bounds.read_from);
    let room = usize::try_from(wanted)
        .unwrap_or(bounds.piece)
        .saturating_add(BEYOND)
        .min(bounds.piece);
    if buffer.len() < room {
        buffer.resize(room, 0);
    }
    let mut filled = Filled {
        buffer,
        room,
        len: 0,
        offset: bounds.read_from,
        line_from: bounds.read_from,
        skipping: bounds.skip_first,
        keeps_nuls: bounds.keeps_nuls,
    };
    let mut started = false;
    loop {
        let (ended, failed) = match filled.fill(source, bounds.end) {
            Ok(ended) => (ended, None),
            Err(error) => (false, Some(error)),
        };
        if !std::mem::replace(&mut started, true) && filled.offset == 0 {
            filled.drop_mark();
        }
        let done = filled.give(bounds.end, ended, visit);
        if let Some(error) = failed {
            return Err(error);
        }
        if done || ended {
            return Ok(());
        }
    }
}

impl Filled<'_> {
    /// Reads until the buffer is full or, beyond `end`, a little more. Whether the source has ended.
    fn fill(&mut self, source: &mut dyn Read, end: u64) -> io::Result<bool> {
        let wanted = end.saturating_sub(self.offset + self.len as u64);
        let most = usize::try_from(wanted).unwrap_or(usize::MAX).max(BEYOND);
        let until = self.room.min(self.len.saturating_add(most));
        while self.len < until {
            match source.read(&mut self.buffer[self.len..until]) {
                Ok(0) => return Ok(true),
                Ok(read) => self.len += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Drops a byte order mark, with which the first line begins all the same.
    fn drop_mark(&mut self) {
        if self.buffer[..self.len].starts_with(BOM) {
            let from = self.line_from;
            self.consume(BOM.len());
            self.line_from = from;
        }
    }

    /// Gives what is whole (everything, if the source has `ended`). Whether no wanted line can follow.
    fn give(&mut self, end: u64, ended: bool, visit: &mut dyn FnMut(Chunk<'_>)) -> bool {
        if self.skipping && !self.skip() {
            return self.offset >= end;
        }
        if self.line_from >= end {
            return true;
        }
        let content = &self.buffer[..self.len];
        // A line that ends at or after the last byte before `end` is the last one wanted.
        let last = usize::try_from((end - 1).saturating_sub(self.offset)).unwrap_or(usize::MAX);
        if let Some(tail) = content.get(last..)
            && let Some(at) = memchr::memchr(b'\n', tail)
        {
            emit(&content[..=last + at], self.offset, self.keeps_nuls, visit);
            return true;
        }
        let whole = match memchr::memrchr(b'\n', content) {
            _ if ended => content.len(),
            Some(at) => at + 1,
            None => 0,
        };
        if whole > 0 {
            emit(&content[..whole], self.offset, self.keeps_nuls, visit);
            self.consume(whole);
        } else {
            self.make_room(visit);
        }
        false
    }

    /// Drops the rest of an unwanted line; whether its end was found.
    fn skip(&mut self) -> bool {
        match memchr::memchr(b'\n', &self.buffer[..self.len]) {
            Some(at) => {
                self.consume(at + 1);
                self.skipping = false;
            }
            None => self.consume(self.len),
        }
        !self.skipping
    }

    /// The buffer is full of one line (or the last piece before a failure): grow, or cut the line.
    fn make_room(&mut self, visit: &mut dyn FnMut(Chunk<'_>)) {
        let nuls = self.buffer[..self.len]
            .iter()
            .take_while(|byte| **byte == 0)
            .count();
        if nuls > 0 {
            // The hole that truncating a log in use leaves may be as large as the log was.
            let line_from = self.line_from;
            self.consume(nuls);
            self.line_from = line_from;
            return;
        }
        if self.len < self.room {
            return;
        }
        if self.room < LINE_MOST {
            self.room = (self.room * 2).min(LINE_MOST);
            let grown = self.buffer.len().max(self.room);
            return self.buffer.resize(grown, 0);
        }
        visit(Chunk {
            bytes: &self.buffer[..self.len],
            offset: self.offset,
            cut: true,
        });
        self.consume(self.len);
        self.skipping = true;
    }

    fn consume(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.len, 0);
        self.len -= bytes;
        self.offset += bytes as u64;
        self.line_from = self.offset;
    }
}

/// Gives whole lines, runs of NUL at the start of a line left out, but for those that are known to be none or `kept`.
fn emit(lines: &[u8], offset: u64, kept: bool, visit: &mut dyn FnMut(Chunk<'_>)) {
    let mut give = |from: usize, to: usize| {
        if from < to {
            visit(Chunk {
                bytes: &lines[from..to],
                offset: offset + from as u64,
                cut: false,
            });
        }
    };
    if kept && lines.first() != Some(&0) {
        return give(0, lines.len());
    }
    let (mut start, mut at) = (0, 0);
    while let Some(found) = memchr::memchr(0, &lines[at..]) {
        let nul = at + found;
        let run = lines[nul..].iter().take_while(|byte| **byte == 0).count();
        at = nul + run;
        if nul == start || lines[nul - 1] == b'\n' {
            give(start, nul);
            start = at;
        }
    }
    give(start, lines.len());
}
