//! Records that are not one to a line, as lines: what parts them is in the records themselves.
//!
//! - Windows events as XML (`<Event …>…</Event>`), all on one line as Event Viewer saves them, or over several: one to a
//!   line, line ends within them as blanks, what stands around them left out.
//! - Syslog records sent over a stream with nothing, or with NUL, between them (`<14>2026-… a<30>2026-… b`): each `<PRI>`
//!   that a stamp follows begins a line. A line end within a record stays.
//!
//! A record of more than [`LINE_MOST`] bytes is cut there.

use std::io::{self, BufRead, Read};

use super::super::LINE_MOST;
use super::Made;

/// How records are framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// XML elements.
    Events,
    /// Syslog records.
    Syslog,
}

/// How much is looked at once, in bytes.
const BITE: usize = 64 * 1024;

/// The lines.
pub(super) struct Lines<R> {
    below: R,
    framing: Framing,
    /// What was read and not yet given.
    pending: Vec<u8>,
    /// How much of it has been searched in vain.
    searched: usize,
    made: Made,
    ended: bool,
}

impl<R: BufRead> Lines<R> {
    /// The records of `below`.
    pub(super) fn new(below: R, framing: Framing) -> Self {
        Self {
            below,
            framing,
            pending: Vec::new(),
            searched: 0,
            made: Made::default(),
            ended: false,
        }
    }

    /// Reads on and gives the records that are whole.
    fn fill(&mut self) -> io::Result<()> {
        let read = (&mut self.below)
            .take(BITE as u64)
            .read_to_end(&mut self.pending)?;
        self.ended = read == 0;
        match self.framing {
            Framing::Events => self.events(),
            Framing::Syslog => self.syslog(),
        }
        if self.ended || self.pending.len() > LINE_MOST {
            self.rest();
        }
        Ok(())
    }

    fn events(&mut self) {
        const END: &[u8] = b"</Event>";
        let mut given = 0;
        while let Some(at) = memchr::memmem::find(&self.pending[self.searched..], END) {
            let end = self.searched + at + END.len();
            let record = &self.pending[given..end];
            if let Some(start) = event_start(record) {
                let flat = record[start..].iter().map(|byte| match byte {
                    b'\r' | b'\n' | b'\t' => b' ',
                    byte => *byte,
                });
                self.made.bytes.extend(flat);
                self.made.bytes.push(b'\n');
            }
            (given, self.searched) = (end, end);
        }
        self.pending.drain(..given);
        self.searched = self.pending.len().saturating_sub(END.len() - 1);
    }

    fn syslog(&mut self) {
        let mut given = 0;
        let mut at = self.searched.max(1);
        // A mark needs the bytes behind it to be known as one.
        let until = self.pending.len().saturating_sub(MARK_MOST);
        while let Some(found) = self
            .pending
            .get(at..until)
            .and_then(|text| memchr::memchr(b'<', text))
        {
            at += found;
            if is_mark(&self.pending[at..]) {
                self.record(given, at);
                given = at;
            }
            at += 1;
        }
        self.pending.drain(..given);
        self.searched = until.max(at.min(until)).saturating_sub(given);
    }

    /// Gives the syslog record of these bytes as a line.
    fn record(&mut self, from: usize, to: usize) {
        let record = self.pending[from..to].trim_ascii_end();
        let record = record.strip_suffix(b"\0").unwrap_or(record);
        self.made.bytes.extend_from_slice(record);
        self.made.bytes.push(b'\n');
    }

    /// Gives what is left although it has no end.
    fn rest(&mut self) {
        if self.framing == Framing::Syslog && self.ended {
            let marks: Vec<usize> = (1..self.pending.len())
                .filter(|&at| is_mark(&self.pending[at..]))
                .collect();
            let mut from = 0;
            for to in marks.into_iter().chain([self.pending.len()]) {
                self.record(from, to);
                from = to;
            }
        } else if self.framing == Framing::Syslog || event_start(&self.pending).is_some() {
            let flat = self
                .pending
                .iter()
                .map(|byte| if *byte == b'\n' { b' ' } else { *byte });
            self.made.bytes.extend(flat);
            self.made.bytes.push(b'\n');
        }
        self.pending.clear();
        self.searched = 0;
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let given = self.made.give(buffer);
            if given > 0 || buffer.is_empty() || self.ended {
                return Ok(given);
            }
            self.fill()?;
        }
    }
}

/// Where the last `<Event>` of `text` begins; the document's own `<Events>` is none.
fn event_start(text: &[u8]) -> Option<usize> {
    const START: &[u8] = b"<Event";
    let mut starts = memchr::memmem::find_iter(text, START);
    starts.find(|at| matches!(text.get(at + START.len()), Some(b' ' | b'>' | b'\r' | b'\n')))
}

/// Whether `head` holds Windows events as XML that are not one to a line.
pub fn is_events(head: &[u8]) -> bool {
    let text = head
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(head)
        .trim_ascii_start();
    let is_xml = [&b"<?xml"[..], b"<Events", b"<Event ", b"<Event>"]
        .iter()
        .any(|start| text.starts_with(start));
    if !is_xml || event_start(text).is_none() {
        return false;
    }
    let is_whole = |line: &[u8]| {
        let line = line.trim_ascii();
        let ends = memchr::memmem::find_iter(line, b"</Event>").count();
        line.is_empty() || event_start(line) == Some(0) && ends == 1 && line.ends_with(b"</Event>")
    };
    let last = memchr::memrchr(b'\n', text).unwrap_or(text.len());
    !text[..last].split(|byte| *byte == b'\n').all(is_whole)
}

/// The longest mark that has to be seen whole: `<191>1 2026-11-20T`.
const MARK_MOST: usize = 20;

/// Whether `text` begins with `<PRI>` and a stamp, that of RFC 5424 with its version before it, or that of RFC 3164.
fn is_mark(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"<") else {
        return false;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=3).contains(&digits) || rest.get(digits) != Some(&b'>') {
        return false;
    }
    let stamp = &rest[digits + 1..];
    let stamp = stamp.strip_prefix(b"1 ").unwrap_or(stamp);
    let is_iso = stamp
        .get(..11)
        .is_some_and(|s| s[4] == b'-' && s[7] == b'-' && s[10] == b'T');
    let is_bsd = stamp.get(..7).is_some_and(|s| {
        s[3] == b' '
            && s[6] == b' '
            && s[0].is_ascii_uppercase()
            && s[1..3].iter().all(u8::is_ascii_lowercase)
    });
    is_iso || is_bsd
}

/// Whether `head` holds syslog records with nothing between most of them. Not between a few: a request may have the
/// text of a mark in it.
pub fn is_forwarded(head: &[u8]) -> bool {
    if !is_mark(head) {
        return false;
    }
    let marks = memchr::memchr_iter(b'<', head).filter(|at| is_mark(&head[*at..]));
    let (mut joined, mut parted) = (0, 0);
    for at in marks {
        match at.checked_sub(1).map(|before| head[before]) {
            None | Some(b'\n') => parted += 1,
            Some(_) => joined += 1,
        }
    }
    joined > parted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], framing: Framing) -> String {
        let mut out = String::new();
        Lines::new(io::BufReader::with_capacity(7, text), framing)
            .read_to_string(&mut out)
            .unwrap();
        out
    }

    #[test]
    fn events_of_a_document_are_one_to_a_line() {
        let document = b"<?xml version=\"1.0\"?>\r\n<Events><Event xmlns='x'>\r\n <System/>\r\n</Event><Event>b</Event>\r\n</Events>\r\n";
        assert!(is_events(document));
        assert_eq!(
            lines(document, Framing::Events),
            "<Event xmlns='x'>   <System/>  </Event>\n<Event>b</Event>\n"
        );
        assert!(!is_events(b"<Event>a</Event>\n<Event>b</Event>\n"));
        assert!(!is_events(b"<?xml version=\"1.0\"?><project/>"));
    }

    #[test]
    fn forwarded_records_are_one_to_a_line_and_their_own_line_ends_stay() {
        let stream = b"<15>2026-11-20T10:00:00.1+00:00 h t a<14>2026-11-20T10:00:00.2+00:00 h t b\nc<9><14>Nov 20 10:00:00 h t: d\0<14>1 2026-11-20T10:00:00Z h t - - - e";
        assert!(is_forwarded(stream));
        assert_eq!(
            lines(stream, Framing::Syslog),
            "<15>2026-11-20T10:00:00.1+00:00 h t a\n<14>2026-11-20T10:00:00.2+00:00 h t b\nc<9>\n<14>Nov 20 10:00:00 h t: d\n<14>1 2026-11-20T10:00:00Z h t - - - e\n"
        );
        assert!(!is_forwarded(
            b"<14>Nov 20 10:00:00 h t: d\n<14>Nov 20 10:00:00 h t: e\n<14>Nov"
        ));
    }

    #[test]
    fn a_record_without_end_is_given_as_far_as_it_goes() {
        assert_eq!(lines(b"<Events><Event>a", Framing::Events), "<Events><Event>a\n");
    }
}
