//! One JSON object on one line: the values of wanted key paths as raw slices, everything else passed over.
//!
//! No tree is built and nothing is allocated: a table of key paths ([`Keys`]) sends each scalar to a
//! slot. Strings come without their quotes and with their escapes left in place
//! ([`Escape::Json`](crate::entry::Escape::Json)). Keys are compared without regard to ASCII case,
//! because header names come in any.
//!
//! Three things that JSON forbids are read all the same, because servers that print JSON from a
//! template write them when a request fails: a missing value (`"urt":,`), a bare dash (`"urt":-`), and a bare list
//! of attempts (`"urt":0.001, 0.204`). Backslash escapes that JSON does not know (`\x22`) are kept as they are.

pub use super::json_keys::Keys;
use super::json_keys::{NO_NODE, NOWHERE, Target};
use crate::entry::Stamp;
use crate::error::LineError;
use crate::time::{self, DayCache};

/// How deep objects and arrays may be nested before a line counts as broken.
pub const MAX_DEPTH: usize = 32;

/// What was found for a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Value<'a> {
    /// The bytes as they stand in the line, a string without its quotes.
    pub raw: &'a [u8],
    /// What kind of scalar.
    pub shape: Shape,
    /// The rank of the path it was found under, see [`Keys::add`].
    pub rank: u8,
}

/// Kinds of scalars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Shape {
    /// The line has no such key.
    #[default]
    Absent,
    Null,
    False,
    True,
    Number,
    String,
}

impl<'a> Value<'a> {
    /// The bytes of a string or number that says something; empty for all else, and for `-`.
    pub fn text(&self) -> &'a [u8] {
        match self.shape {
            Shape::String | Shape::Number => crate::bytes::filled(self.raw),
            _ => &[],
        }
    }

    /// A whole number, quoted or not.
    pub fn number(&self) -> Option<u64> {
        crate::bytes::number(self.text())
    }

    /// A whole number that fits `T`.
    pub fn small<T: TryFrom<u64>>(&self) -> Option<T> {
        T::try_from(self.number()?).ok()
    }

    /// A decimal number, quoted or not, with or without exponent, times `unit`, rounded down.
    /// `None` if negative or no number.
    pub fn scaled(&self, unit: u64) -> Option<u64> {
        let text = self.text();
        crate::bytes::decimal_scaled(text, unit).or_else(|| exponent_scaled(text, unit))
    }

    /// A time stamp: ISO 8601, any other stamp that logs write, or a number since the epoch whose
    /// unit follows from its size.
    pub fn stamp(&self, cache: &mut DayCache) -> Option<Stamp> {
        let text = self.text();
        time::iso(text, cache).or_else(|| time::any(text))
    }

    /// Whether there is something to read.
    pub fn is_filled(&self) -> bool {
        !self.raw.is_empty() && self.shape != Shape::Null
    }
}

/// `1.5e-05` times `unit`; the path for numbers so small or large that a runtime wrote them with an exponent.
fn exponent_scaled(text: &[u8], unit: u64) -> Option<u64> {
    if !text.iter().any(|byte| matches!(byte, b'e' | b'E')) {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let scaled = value * unit as f64;
    // Larger than any duration or epoch, yet exact in an f64.
    (scaled.is_finite() && (0.0..9.0e18).contains(&scaled)).then_some(scaled as u64)
}

/// Reads the object on `line` and puts what `keys` wants into `out`, which the caller has reset.
/// A value whose slot is beyond `out` is dropped.
///
/// The first element of an array stands for the array. Of a key that is written twice the last one counts; a null or an empty
/// string never replaces a value.
///
/// # Errors
/// [`LineError`] if `line` is not one JSON object, save for the liberties named in the module's documentation.
pub fn scan<'a>(line: &'a [u8], keys: &Keys, out: &mut [Value<'a>]) -> Result<(), LineError> {
    let end = scan_from(line, 0, keys, out)?;
    if end < line.len() {
        return Err(LineError::new(end, "end of the JSON object"));
    }
    Ok(())
}

/// As [`scan`], for an object that starts at byte `at` of `line`: where it and the blanks behind it end.
///
/// # Errors
/// As [`scan`], save that anything may follow the object.
pub fn scan_from<'a>(
    line: &'a [u8],
    at: usize,
    keys: &Keys,
    out: &mut [Value<'a>],
) -> Result<usize, LineError> {
    let mut cursor = Cursor { line, at, keys, out };
    cursor.blanks();
    if cursor.peek() != b'{' {
        return Err(cursor.wants("JSON object"));
    }
    cursor.object(0, 1)?;
    cursor.blanks();
    Ok(cursor.at)
}

struct Cursor<'a, 'k, 'o> {
    line: &'a [u8],
    at: usize,
    keys: &'k Keys,
    out: &'o mut [Value<'a>],
}

impl<'a> Cursor<'a, '_, '_> {
    /// The next byte, zero at the end: no token starts with it.
    #[inline]
    fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    #[cold]
    fn wants(&self, want: &'static str) -> LineError {
        LineError::new(self.at, want)
    }

    fn object(&mut self, node: u16, depth: usize) -> Result<(), LineError> {
        if depth > MAX_DEPTH {
            return Err(self.wants("end of the nesting"));
        }
        self.at += 1;
        self.blanks();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek() != b'"' {
                return Err(self.wants("JSON key"));
            }
            let name = self.string()?;
            self.blanks();
            if self.peek() != b':' {
                return Err(self.wants("colon"));
            }
            self.at += 1;
            self.blanks();
            let target = self.keys.find(node, name);
            self.value(target, depth)?;
            self.blanks();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wants("comma or closing brace")),
            }
            self.blanks();
        }
    }

    fn value(&mut self, target: Target, depth: usize) -> Result<(), LineError> {
        let start = self.at;
        match self.peek() {
            b'"' => {
                let raw = self.string()?;
                self.put(target, raw, Shape::String);
            }
            b'0'..=b'9' | b'-' => {
                self.number_or_list();
                let line = self.line;
                self.put(target, &line[start..self.at], Shape::Number);
            }
            b'{' if target.node == NO_NODE => self.pass_by(depth + 1)?,
            b'[' if target == NOWHERE => self.pass_by(depth + 1)?,
            b'{' => self.object(target.node, depth + 1)?,
            b'[' => self.array(target, depth + 1)?,
            b't' => self.word(target, b"true", Shape::True)?,
            b'f' => self.word(target, b"false", Shape::False)?,
            b'n' => self.word(target, b"null", Shape::Null)?,
            b',' | b'}' => {}
            _ => return Err(self.wants("JSON value")),
        }
        Ok(())
    }

    /// Over an object or an array of which nothing is wanted, to the bracket that closes it. What stands between
    /// strings and brackets is not judged.
    fn pass_by(&mut self, depth: usize) -> Result<(), LineError> {
        let mut depth = depth;
        let mut open = 0usize;
        loop {
            match self.peek() {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => {
                    if depth > MAX_DEPTH {
                        return Err(self.wants("end of the nesting"));
                    }
                    depth += 1;
                    open += 1;
                }
                b'}' | b']' => {
                    depth -= 1;
                    open -= 1;
                    if open == 0 {
                        self.at += 1;
                        return Ok(());
                    }
                }
                0 if self.at >= self.line.len() => return Err(self.wants("closing bracket")),
                _ => {}
            }
            self.at += 1;
        }
    }

    fn array(&mut self, target: Target, depth: usize) -> Result<(), LineError> {
        if depth > MAX_DEPTH {
            return Err(self.wants("end of the nesting"));
        }
        self.at += 1;
        self.blanks();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        let mut target = target;
        loop {
            // A missing element is not one of the liberties: it could not be told from a broken line.
            if matches!(self.peek(), b',' | b'}') {
                return Err(self.wants("JSON value"));
            }
            if matches!(self.peek(), b'0'..=b'9' | b'-') {
                let start = self.at;
                self.number();
                let line = self.line;
                self.put(target, &line[start..self.at], Shape::Number);
            } else {
                self.value(target, depth)?;
            }
            target = NOWHERE;
            self.blanks();
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.wants("comma or closing bracket")),
            }
            self.blanks();
        }
    }

    /// The string that starts at the cursor, without its quotes.
    #[inline]
    fn string(&mut self) -> Result<&'a [u8], LineError> {
        let start = self.at + 1;
        let mut at = start;
        loop {
            at = quote_or_backslash(self.line, at);
            match self.line.get(at) {
                Some(b'"') => break,
                Some(_) => at += 2,
                None => {
                    self.at = self.line.len();
                    return Err(self.wants("closing quote"));
                }
            }
        }
        self.at = at + 1;
        Ok(&self.line[start..at])
    }

    #[inline]
    fn number(&mut self) {
        while matches!(self.peek(), b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E') {
            self.at += 1;
        }
    }

    /// A number, or numbers and dashes parted by `, ` or ` : ` where a key would have to follow.
    #[inline]
    fn number_or_list(&mut self) {
        self.number();
        while let Some([b',' | b' ', ..]) = self.line.get(self.at..) {
            let rest = &self.line[self.at..];
            let gap = match rest {
                [b',', b' ', b'0'..=b'9' | b'-', ..] => 2,
                [b',', b'0'..=b'9' | b'-', ..] => 1,
                [b' ', b':', b' ', b'0'..=b'9' | b'-', ..] => 3,
                _ => return,
            };
            self.at += gap;
            self.number();
        }
    }

    fn word(&mut self, target: Target, word: &'static [u8], shape: Shape) -> Result<(), LineError> {
        let line = self.line;
        let Some(raw) = line.get(self.at..self.at + word.len()).filter(|raw| *raw == word) else {
            return Err(self.wants("JSON value"));
        };
        self.at += word.len();
        self.put(target, raw, shape);
        Ok(())
    }

    #[inline]
    fn put(&mut self, target: Target, raw: &'a [u8], shape: Shape) {
        let Some(old) = self.out.get_mut(usize::from(target.slot)) else {
            return;
        };
        let says_something = shape != Shape::Null && !raw.is_empty();
        let replaces = match (old.is_filled(), says_something) {
            (true, true) => target.rank <= old.rank,
            (true, false) => false,
            (false, _) => true,
        };
        if replaces {
            *old = Value {
                raw,
                shape,
                rank: target.rank,
            };
        }
    }
}

/// Where the next `"` or `\` stands at or after `at`, else the length of `line`. Most strings in logs are short, and
/// for those eight bytes at a time beat the call of a search in wider registers.
#[inline]
fn quote_or_backslash(line: &[u8], mut at: usize) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    const QUOTES: u64 = u64::from_ne_bytes([b'"'; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let zeros = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let near = at + 32;
    while let Some(chunk) = line.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let hits = zeros(word ^ QUOTES) | zeros(word ^ BACKSLASHES);
        if hits != 0 {
            return at + (hits.trailing_zeros() / 8) as usize;
        }
        at += 8;
        if at >= near {
            let rest = &line[at..];
            return at + memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
        }
    }
    while at < line.len() && !matches!(line[at], b'"' | b'\\') {
        at += 1;
    }
    at.min(line.len())
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
