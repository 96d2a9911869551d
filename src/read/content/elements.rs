//! A JSON document as lines: the elements of an array (`[{…},{…}]`), of the array under [`LISTS`] in an object
//! (CloudWatch's `logEvents`, Azure's `records`), or objects over several lines, one to a line.
//!
//! Documents may follow one another with or without blanks between them. White space outside of strings is
//! left out. What surrounds a list (the names of a log group) is not kept.

use std::io::{self, BufRead, Read};

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
            for &byte in ahead {
                self.state.byte(byte, &mut self.made.bytes);
            }
            self.below.consume(len);
        }
    }
}

impl State {
    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.string {
            self.give(byte, out);
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
                self.give(byte, out);
            }
            b'[' | b'{' => self.open(byte, out),
            b']' | b'}' => self.close(byte, out),
            b',' if self.list == Some(self.depth) => self.end(out),
            _ => self.give(byte, out),
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
        self.give(byte, out);
    }

    fn close(&mut self, byte: u8, out: &mut Vec<u8>) {
        if self.list == Some(self.depth) {
            self.end(out);
            // What follows the list in its object is not a record.
            self.list = if self.depth > 1 { Some(usize::MAX) } else { None };
            self.depth = self.depth.saturating_sub(1);
            return;
        }
        self.give(byte, out);
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 0 {
            out.append(&mut self.object);
            self.end(out);
            self.list = None;
        }
    }

    /// Keeps a byte of an element, or of an object that may have a list in it yet.
    fn give(&mut self, byte: u8, out: &mut Vec<u8>) {
        match self.list {
            Some(depth) if self.depth >= depth => out.push(byte),
            // A list's own object is left out, and so is what grows beyond any record.
            None if self.depth > 0 && self.object.len() < super::super::LINE_MOST => self.object.push(byte),
            _ => return,
        }
        self.begun = true;
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.begun) {
            out.push(b'\n');
        }
    }
}
