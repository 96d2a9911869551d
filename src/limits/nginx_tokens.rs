//! The language of nginx configuration: words, quotes, comments, blocks, and included files in place.

use std::path::PathBuf;
use std::rc::Rc;

use super::include::Reading;
use super::text::{At, DEPTH_CAP, Directive};

/// Included files that hold no timers and are rarely copied along.
const NO_TIMERS: [&str; 7] = [
    "mime.types",
    "fastcgi_params",
    "fastcgi.conf",
    "uwsgi_params",
    "scgi_params",
    "koi-utf",
    "modules",
];

enum Token {
    Word(String),
    Open,
    Close,
    End,
}

/// The directives of one file, those of included files in their place. After a syntax error the rest of
/// that file is left out and noted.
pub(super) fn directives(
    text: &str,
    shown: Rc<str>,
    open: &mut Vec<PathBuf>,
    reading: &mut Reading,
) -> Vec<Directive> {
    let mut tokens = Tokens {
        text: text.as_bytes(),
        pos: 0,
        line: 1,
    };
    let parsed = block(&mut tokens, &shown, 0);
    if let Some((line, message)) = parsed.1 {
        reading.note(
            &At { file: shown, line },
            message,
            "what follows in this file is not used; `nginx -t` shows the place",
        );
    }
    included(parsed.0, open, reading)
}

/// Replaces `include` directives by what they include, at every depth.
fn included(list: Vec<Directive>, open: &mut Vec<PathBuf>, reading: &mut Reading) -> Vec<Directive> {
    let mut out = Vec::with_capacity(list.len());
    for mut directive in list {
        if directive.name() != "include" {
            directive.block = included(directive.block, open, reading);
            out.push(directive);
            continue;
        }
        let pattern = directive.arg(0);
        if NO_TIMERS.iter().any(|name| pattern.contains(name)) {
            continue;
        }
        for (file, shown, text) in reading.include(pattern, &directive.at, open) {
            open.push(file);
            out.extend(directives(&text, shown, open, reading));
            open.pop();
        }
    }
    out
}

type Parsed = (Vec<Directive>, Option<(u32, &'static str)>);

/// Directives up to the end of the block or file, and the first error.
fn block(tokens: &mut Tokens<'_>, file: &Rc<str>, depth: usize) -> Parsed {
    let mut list = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut line = tokens.line;
    loop {
        let token = match tokens.next() {
            Ok(Some(token)) => token,
            Ok(None) if depth > 0 => return (list, Some((tokens.line, "a block is not closed"))),
            Ok(None) if !words.is_empty() => return (list, Some((line, "a directive is not ended by `;`"))),
            Ok(None) => return (list, None),
            Err(message) => return (list, Some((tokens.line, message))),
        };
        match token {
            Token::Word(word) => {
                if words.is_empty() {
                    line = tokens.line;
                }
                words.push(word);
            }
            Token::End if words.is_empty() => {}
            Token::End => {
                let at = At {
                    file: Rc::clone(file),
                    line,
                };
                list.push(Directive {
                    words: std::mem::take(&mut words),
                    at,
                    block: Vec::new(),
                });
            }
            Token::Open => {
                if depth >= DEPTH_CAP {
                    return (list, Some((tokens.line, "blocks are nested too deep")));
                }
                if words.first().is_some_and(|name| name.ends_with("_by_lua_block")) {
                    tokens.skip_code();
                    words.clear();
                    continue;
                }
                let at = At {
                    file: Rc::clone(file),
                    line,
                };
                let (inner, error) = block(tokens, file, depth + 1);
                list.push(Directive {
                    words: std::mem::take(&mut words),
                    at,
                    block: inner,
                });
                if error.is_some() {
                    return (list, error);
                }
            }
            Token::Close if depth == 0 => return (list, Some((tokens.line, "a `}` closes nothing"))),
            Token::Close if !words.is_empty() => {
                return (list, Some((line, "a directive is not ended by `;`")));
            }
            Token::Close => return (list, None),
        }
    }
}

struct Tokens<'a> {
    text: &'a [u8],
    pos: usize,
    line: u32,
}

impl Tokens<'_> {
    fn next(&mut self) -> Result<Option<Token>, &'static str> {
        loop {
            let Some(&byte) = self.text.get(self.pos) else {
                return Ok(None);
            };
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.pos += 1;
                }
                b if b.is_ascii_whitespace() => self.pos += 1,
                b'#' => self.pos += self.rest().iter().take_while(|b| **b != b'\n').count(),
                b';' => return Ok(Some(self.single(Token::End))),
                b'{' => return Ok(Some(self.single(Token::Open))),
                b'}' => return Ok(Some(self.single(Token::Close))),
                b'"' | b'\'' => return self.quoted(byte).map(|word| Some(Token::Word(word))),
                _ => return Ok(Some(Token::Word(self.bare()))),
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.pos..).unwrap_or_default()
    }

    fn single(&mut self, token: Token) -> Token {
        self.pos += 1;
        token
    }

    fn quoted(&mut self, quote: u8) -> Result<String, &'static str> {
        self.pos += 1;
        let mut word = Vec::new();
        while let Some(&byte) = self.text.get(self.pos) {
            self.pos += 1;
            match byte {
                b if b == quote => return Ok(String::from_utf8_lossy(&word).into_owned()),
                b'\\' => self.escaped(&mut word),
                b => {
                    self.line += u32::from(b == b'\n');
                    word.push(b);
                }
            }
        }
        Err("a quote is not closed")
    }

    /// After a backslash: quotes and backslashes lose it, `t`, `r`, `n` become what they mean, all else keeps it.
    fn escaped(&mut self, word: &mut Vec<u8>) {
        let Some(&byte) = self.text.get(self.pos) else {
            return word.push(b'\\');
        };
        self.pos += 1;
        self.line += u32::from(byte == b'\n');
        match byte {
            b'"' | b'\'' | b'\\' => word.push(byte),
            b't' => word.push(b'\t'),
            b'r' => word.push(b'\r'),
            b'n' => word.push(b'\n'),
            _ => word.extend([b'\\', byte]),
        }
    }

    fn bare(&mut self) -> String {
        let mut word = Vec::new();
        while let Some(&byte) = self.text.get(self.pos) {
            match byte {
                b'\\' => {
                    self.pos += 1;
                    self.escaped(&mut word);
                    continue;
                }
                // `${name}` is part of the word; any other brace opens a block.
                b'{' if word.last() == Some(&b'$') => {
                    let name = self.rest().iter().take_while(|b| !b"}\n;".contains(b)).count();
                    word.extend(self.rest().iter().take(name));
                    self.pos += name;
                    if self.text.get(self.pos) == Some(&b'}') {
                        word.push(b'}');
                        self.pos += 1;
                    }
                    continue;
                }
                b';' | b'{' => break,
                b if b.is_ascii_whitespace() => break,
                b => word.push(b),
            }
            self.pos += 1;
        }
        String::from_utf8_lossy(&word).into_owned()
    }

    /// Leaves a block of Lua code, whose quotes and semicolons are not ours to read.
    fn skip_code(&mut self) {
        let mut depth = 1_u32;
        while let Some(&byte) = self.text.get(self.pos) {
            self.pos += 1;
            match byte {
                b'\n' => self.line += 1,
                b'{' => depth += 1,
                b'}' if depth == 1 => return,
                b'}' => depth -= 1,
                _ => {}
            }
        }
    }
}
