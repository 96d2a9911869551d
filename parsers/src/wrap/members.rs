//! The members of a JSON object, key by key, their values left as they stand.

/// Reads one object: of each member the key, then the value as written, a string
/// with its quotes. Stops at what is not JSON; [`Members::is_whole`] tells.
pub(super) struct Members<'a> {
    text: &'a [u8],
    at: usize,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Inside,
    Ended,
    Broken,
}

impl<'a> Members<'a> {
    /// The members of the object that `text` is, blanks around it allowed.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let at = text.iter().position(|byte| !byte.is_ascii_whitespace())?;
        (text[at] == b'{').then_some(Self {
            text,
            at: at + 1,
            state: State::Inside,
        })
    }

    /// Whether the object was read to its end, with nothing behind it but blanks and a comma (an array's element).
    pub(super) fn is_whole(&self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default().trim_ascii();
        self.state == State::Ended && matches!(rest, b"" | b",")
    }

    fn blanks(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    /// Passes over `byte`, if it is next.
    fn take(&mut self, byte: u8) -> Option<()> {
        self.blanks();
        (self.text.get(self.at) == Some(&byte)).then(|| self.at += 1)
    }

    fn member(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        self.blanks();
        let key = string(self.text, self.at)?;
        self.at = key;
        let name = self.text.get(self.name_start(key)..key - 1)?;
        self.take(b':')?;
        self.blanks();
        let start = self.at;
        self.at = value(self.text, start)?;
        let raw = &self.text[start..self.at];
        self.blanks();
        if self.take(b',').is_none() {
            self.take(b'}')?;
            self.state = State::Ended;
        }
        Some((name, raw))
    }

    /// Where the key that ends before `end` begins.
    fn name_start(&self, end: usize) -> usize {
        // Keys of interest have no escapes; one that has is cut at its last quote and matches nothing.
        let quote = memchr::memrchr(b'"', &self.text[..end - 1]);
        quote.map_or(end - 1, |at| at + 1)
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.state != State::Inside {
            return None;
        }
        self.blanks();
        if self.take(b'}').is_some() {
            self.state = State::Ended;
            return None;
        }
        let member = self.member();
        if member.is_none() {
            self.state = State::Broken;
        }
        member
    }
}

/// The end of the string that begins at `at`, behind its closing quote.
fn string(text: &[u8], at: usize) -> Option<usize> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        match text[at] {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// The end of the value that begins at `at`.
fn value(text: &[u8], at: usize) -> Option<usize> {
    match *text.get(at)? {
        b'"' => string(text, at),
        b'{' | b'[' => nested(text, at),
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
            let len = text[at..].iter().position(ends)?;
            (len > 0).then_some(at + len)
        }
    }
}

/// The end of the object or array that begins at `at`.
fn nested(text: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0usize;
    loop {
        match *text.get(at)? {
            b'"' => {
                at = string(text, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// What stands between the quotes of `raw`, if it is a string.
pub(super) fn quoted(raw: &[u8]) -> Option<&[u8]> {
    raw.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// A string without its quotes, anything else as it is.
pub(super) fn scalar(raw: &[u8]) -> &[u8] {
    quoted(raw).unwrap_or(raw)
}
