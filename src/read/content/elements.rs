//! A JSON document as lines: the elements of an array (`[{…},{…}]`), of the array under [`LISTS`] in an object
//! (CloudWatch's `logEvents`, Azure's `records`), or objects over several lines, one to a line.
//!
//! An element is handed on while it is read, so that its size costs no memory; an object that is one record is kept up
//! to [`LINE_MOST`] bytes, the longest line that is read, and cut there.
//!
//! Documents may follow one another with or without blanks between them. White space outside of strings is
//! left out. What surrounds a list (the names of a log group) is not kept.

use std::io::{self, BufRead, Read};

use super::super::LINE_MOST;
use super::Made;

/// Keys of an object's member that is a list of records.
const LISTS: [&[u8]; 3] = [b"logEvents", b"records", b"Records"];

/// The longest of [`LISTS`].
const KEY_MOST: usize = 9;

/// Whether `head` begins a document that has its records in a list, spread over several lines each, or several on a line.
pub fn is_document(head: &[u8]) -> bool {
    let mut state = State::default();
    let mut several_lines = false;
    let next_is_object = |at: usize| head[at + 1..].trim_ascii_start().first() == Some(&b'{');
    // Objects with nothing between them, as delivery streams store them.
    let is_followed = |at: usize| head.get(at + 1) == Some(&b'{');
    for (at, &byte) in head.iter().enumerate() {
        let before = state.depth;
        if before == 0 && !matches!(byte, b'[' | b'{') && !byte.is_ascii_whitespace() {
            return false;
        }
        several_lines |= byte == b'\n' && before > 0;
        state.byte(byte, &mut Vec::new());
        if state.list == Some(state.depth) && before < state.depth {
            return next_is_object(at);
        }
        if before > 0 && state.depth == 0 {
            return is_followed(at) || several_lines && next_is_object(at);
        }
    }
    false
}

/// The lines.
pub(super) struct Lines<R> {
    below: R,
    state: State,
    made: Made,
}

/// Where in the document reading has come to.
#[derive(Default)]
struct State {
    depth: usize,
    /// In a string; after a backslash in it.
    string: bool,
    escaped: bool,
    /// The depth within which elements stand, while in a list.
    list: Option<usize>,
    /// The last string at depth one, up to one byte more than a key of a list has.
    key: Vec<u8>,
    /// The object that is being read, as long as it has not shown a list.
    object: Vec<u8>,
    /// Something of the present element was given.
    begun: bool,
}

impl<R: BufRead> Lines<R> {
    /// The elements of `below`.
    pub(super) fn new(below: R) -> Self {
        Self {
            below,
            state: State::default(),
            made: Made::default(),
        }
    }
}

impl<R: BufRead> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let given = self.made.give(buffer);
            if given > 0 || buffer.is_empty() {
                return Ok(given);
            }
            let ahead = self.below.fill_buf()?;
            if ahead.is_empty() {
                return Ok(0);
            }
            let len = ahead.len();
            self.state.bytes(ahead, &mut self.made.bytes);
            self.below.consume(len);
        }
    }
}

impl State {
    /// Takes in `bytes`: what is inside a string in one go, which most of a record is.
    fn bytes(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            if self.string && !self.escaped {
                let end = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                self.inside_string(&rest[..end], out);
                rest = &rest[end..];
                if let Some((&byte, after)) = rest.split_first() {
                    self.byte(byte, out);
                    rest = after;
                }
                continue;
            }
            self.byte(byte, out);
            rest = after;
        }
    }

    /// Takes in a part of a string without quotes and escapes.
    fn inside_string(&mut self, text: &[u8], out: &mut Vec<u8>) {
        self.give(text, out);
        if self.depth == 1 {
            let room = (KEY_MOST + 1).saturating_sub(self.key.len());
            self.key.extend_from_slice(&text[..text.len().min(room)]);
        }
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.string {
            self.give(&[byte], out);
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.string = false,
                _ => {}
            }
            if self.string && self.depth == 1 && self.key.len() <= KEY_MOST {
                self.key.push(byte);
            }
            return;
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'"' => {
                self.string = true;
                if self.depth == 1 {
                    self.key.clear();
                }
                self.give(&[byte], out);
            }
            b'[' | b'{' => self.open(byte, out),
            b']' | b'}' => self.close(byte, out),
            b',' if self.list == Some(self.depth) => self.end(out),
            _ => self.give(&[byte], out),
        }
    }

    fn open(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.depth += 1;
        let is_list = byte == b'[' && self.list.is_none();
        let named = self.depth == 2 && LISTS.contains(&self.key.as_slice());
        if is_list && (self.depth == 1 || named) {
            self.list = Some(self.depth);
            self.object.clear();
            self.begun = false;
            return;
        }
        self.give(&[byte], out);
    }

    fn close(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.list == Some(self.depth) {
            self.end(out);
            // What follows the list in its object is not a record.
            self.list = if self.depth > 1 { Some(usize::MAX) } else { None };
            self.depth = self.depth.saturating_sub(1);
            return;
        }
        self.give(&[byte], out);
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            out.append(&mut self.object);
            self.end(out);
            self.list = None;
        }
    }

    /// Keeps bytes of an element, or of an object that may have a list in it yet.
    fn give(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        match self.list {
            Some(depth) if self.depth >= depth => out.extend_from_slice(bytes),
            // A list's own object is left out, and so is what grows beyond any record.
            None if self.depth > 0 && self.object.len() < LINE_MOST => {
                let room = LINE_MOST - self.object.len();
                self.object.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            _ => return,
        }
        self.begun |= !bytes.is_empty();
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.begun) {
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Pieces of a document over and over, as a reader.
    struct Repeated {
        parts: Vec<(Vec<u8>, usize)>,
        at: usize,
    }

    impl Read for Repeated {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            while let Some((part, left)) = self.parts.first_mut() {
                if *left == 0 {
                    self.parts.remove(0);
                    continue;
                }
                let len = buffer.len().min(part.len() - self.at);
                buffer[..len].copy_from_slice(&part[self.at..self.at + len]);
                self.at += len;
                if self.at == part.len() {
                    (self.at, *left) = (0, *left - 1);
                }
                return Ok(len);
            }
            Ok(0)
        }
    }

    fn lines(parts: &[(&str, usize)]) -> Lines<BufReader<Repeated>> {
        let parts = parts
            .iter()
            .map(|(part, count)| (part.as_bytes().to_vec(), *count))
            .collect();
        Lines::new(BufReader::with_capacity(64 << 10, Repeated { parts, at: 0 }))
    }

    /// How many bytes and line ends come, and the most memory that is held meanwhile.
    fn run(mut lines: Lines<BufReader<Repeated>>) -> (usize, usize, usize) {
        let mut buffer = vec![0; 100_000];
        let (mut bytes, mut ends, mut most) = (0, 0, 0);
        loop {
            let read = lines.read(&mut buffer).unwrap();
            if read == 0 {
                return (bytes, ends, most);
            }
            bytes += read;
            ends += memchr::memchr_iter(b'\n', &buffer[..read]).count();
            most = most.max(
                lines.made.bytes.capacity() + lines.state.object.capacity() + lines.state.key.capacity(),
            );
        }
    }

    #[test]
    fn an_export_of_any_size_takes_no_memory_worth_speaking_of() {
        let record = "  {\n    \"insertId\": \"1 \\\" 2\",\n    \"a\": [ 1, 2 ]\n  },\n";
        let plain = r#"{"insertId":"1 \" 2","a":[1,2]}"#;
        let (bytes, ends, most) = run(lines(&[("[\n", 1), (record, 200_000), ("{}]\n", 1)]));
        assert_eq!((bytes, ends), (200_000 * (plain.len() + 1) + 3, 200_001));
        assert!(most < 1 << 20, "{most} bytes are held");
    }

    #[test]
    fn an_element_longer_than_any_line_takes_none_either_and_the_next_one_is_read() {
        let big = [
            ("[{\"a\":\"", 1),
            ("0123456789abcdef", 2 * LINE_MOST / 16),
            ("\"},{\"b\":1}]", 1),
        ];
        let (bytes, ends, most) = run(lines(&big));
        assert_eq!((bytes, ends), (2 * LINE_MOST + 9 + 8, 2));
        assert!(most < 1 << 20, "{most} bytes are held");
    }

    #[test]
    fn an_object_longer_than_any_line_is_cut_there_and_the_next_one_is_read() {
        let big = [
            ("{\n\"a\":\"", 1),
            ("0123456789abcdef", 2 * LINE_MOST / 16),
            ("\"}\n{\"b\":1}\n", 1),
        ];
        let (bytes, ends, most) = run(lines(&big));
        assert_eq!((bytes, ends), (LINE_MOST + 1 + 8, 2));
        assert!(most <= 4 * LINE_MOST, "{most} bytes are held");
    }
}
