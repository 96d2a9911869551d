//! Lines with something around them: wrappers taken off, pieces put together, each entry at its first line.

use why502_parsers::entry::Kind;
use why502_parsers::wrap::{Outer, Peeled};
use why502_parsers::{Entry, bytes};

use super::scan::{LineRef, Reader, Scanned, Scanner};

/// What takes the lines.
type Sink<'s> = dyn FnMut(Scanned<'_, '_>, LineRef, &[u8]) + 's;

/// Which lines are read, by what is inside them.
type Wanted<'s> = dyn Fn(&[u8]) -> bool + 's;

impl Scanner {
    /// As [`Scanner::scan_where`], for wrapped lines. Of a line in pieces, the first is given as what the whole
    /// was, once the last has come; the others as continuations.
    pub(super) fn scan_wrapped(
        &mut self,
        chunk: &[u8],
        offset: u64,
        wanted: &Wanted<'_>,
        sink: &mut Sink<'_>,
    ) {
        let Some(peeler) = &mut self.peeler else { return };
        let mut at = offset;
        for taken in chunk.split_inclusive(|&byte| byte == b'\n') {
            let line = bytes::trim_cr(taken.strip_suffix(b"\n").unwrap_or(taken));
            let place = LineRef {
                offset: at,
                len: u32::try_from(line.len()).unwrap_or(u32::MAX),
                index: self.index,
            };
            at += taken.len() as u64;
            self.index += 1;
            match peeler.peel(line, place) {
                Peeled::Bare if wanted(line) => self.reader.give(line, None, place, sink),
                Peeled::Bare | Peeled::Held { is_first: true } => {}
                Peeled::Held { is_first: false } => sink(Scanned::Continuation, place, line),
                Peeled::Whole {
                    outer,
                    inner,
                    place: first,
                    is_joined,
                } => {
                    if wanted(inner) {
                        self.reader.give(inner, Some(&outer), first, sink);
                    }
                    if is_joined {
                        sink(Scanned::Continuation, place, line);
                    }
                }
            }
        }
    }

    /// Gives the lines whose last piece never came, as far as they go. To be called at the end of a part.
    pub fn finish(&mut self, mut sink: impl FnMut(Scanned<'_, '_>, LineRef, &[u8])) {
        let Some(peeler) = &mut self.peeler else { return };
        while let Some(left) = peeler.left() {
            if let Peeled::Whole {
                outer, inner, place, ..
            } = left
            {
                self.reader.give(inner, Some(&outer), place, &mut sink);
            }
        }
    }
}

impl Reader {
    /// Reads one line. A record of several lines in one message (its trace, a captured response) is read by
    /// its first line if it cannot be read as a whole.
    fn give(&mut self, line: &[u8], outer: Option<&Outer<'_>>, place: LineRef, sink: &mut Sink<'_>) {
        let mut entry = Entry::default();
        let mut scanned = self.line(line, &mut entry, outer);
        if let (Scanned::Entry(entry), None) = (&scanned, outer)
            && entry.kind == Kind::Note
            && entry.time.is_none()
        {
            // Where lines are wrapped, one that is not and tells nothing goes on with the message above.
            scanned = Scanned::Continuation;
        }
        let mut again = Entry::default();
        let mut read = line;
        if let (Scanned::Unparsed(_), Some(end)) = (&scanned, memchr::memchr(b'\n', line)) {
            read = bytes::trim_cr(&line[..end]);
            scanned = self.line(read, &mut again, outer);
        }
        sink(scanned, place, read);
    }
}

#[cfg(test)]
#[path = "wrapped_tests.rs"]
mod tests;
