//! Lines with something around them: wrappers taken off, pieces put together, each entry at its first line.

use why502_parsers::entry::Kind;
use why502_parsers::wrap::{Outer, Peeled};
use why502_parsers::{Entry, Glance, bytes};

use super::scan::{LineRef, Reader, Scanned, Scanner, Taker};

impl Scanner {
    /// As [`Scanner::scan_for`], for wrapped lines. Of a line in pieces, the first is given as what the whole
    /// was, once the last has come; the others as continuations.
    pub(super) fn scan_wrapped(&mut self, chunk: &[u8], offset: u64, taker: &mut impl Taker) {
        let Some(peeler) = &mut self.peeler else { return };
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', chunk).chain(std::iter::once(chunk.len())) {
            if start >= chunk.len() {
                break;
            }
            let line = bytes::trim_cr(&chunk[start..end]);
            let place = LineRef {
                offset: offset + start as u64,
                len: u32::try_from(line.len()).unwrap_or(u32::MAX),
                index: self.index,
            };
            start = end + 1;
            self.index += 1;
            match peeler.peel(line, place) {
                Peeled::Bare => self.reader.offer(line, None, place, self.glances, taker),
                Peeled::Held { is_first: true } => {}
                Peeled::Held { is_first: false } => taker.take(Scanned::Continuation, place, line),
                Peeled::Whole {
                    outer,
                    inner,
                    place: first,
                    is_joined,
                } => {
                    self.reader.offer(inner, Some(&outer), first, self.glances, taker);
                    if is_joined {
                        taker.take(Scanned::Continuation, place, line);
                    }
                }
            }
        }
    }

    /// Gives the lines whose last piece never came, as far as they go. To be called at the end of a part.
    pub fn finish(&mut self, taker: &mut impl Taker) {
        let Some(peeler) = &mut self.peeler else { return };
        while let Some(left) = peeler.left() {
            if let Peeled::Whole {
                outer, inner, place, ..
            } = left
            {
                self.reader.give(inner, Some(&outer), place, taker);
            }
        }
    }
}

impl Reader {
    /// Gives one line if `taker` wants it, by a glance if that is enough.
    fn offer(
        &mut self,
        line: &[u8],
        outer: Option<&Outer<'_>>,
        place: LineRef,
        glances: bool,
        taker: &mut impl Taker,
    ) {
        let mut glance = Glance::default();
        let pid = outer.and_then(|outer| outer.pid);
        if glances && self.takes(line, &mut glance, pid, place, taker) {
            return;
        }
        if taker.wants(line) {
            self.give(line, outer, place, taker);
        }
    }

    /// Reads one line. A record of several lines in one message (its trace, a captured response) is read by
    /// its first line if it cannot be read as a whole.
    fn give(&mut self, line: &[u8], outer: Option<&Outer<'_>>, place: LineRef, taker: &mut impl Taker) {
        let mut entry = Entry::default();
        let mut scanned = self.line(line, &mut entry, outer);
        if let (Scanned::Entry(entry), None) = (&scanned, outer)
            && entry.kind == Kind::Note
            && entry.time.is_none()
        {
            // Where lines are wrapped, one that is not and tells nothing goes on with the message above.
            scanned = Scanned::Continuation;
        }
        let Some(end) = memchr::memchr(b'\n', line).filter(|_| matches!(scanned, Scanned::Unparsed(_)))
        else {
            return taker.take(scanned, place, line);
        };
        let first = bytes::trim_cr(&line[..end]);
        let mut entry = Entry::default();
        let scanned = self.line(first, &mut entry, outer);
        taker.take(scanned, place, first);
    }
}

#[cfg(test)]
#[path = "wrapped_tests.rs"]
mod tests;
