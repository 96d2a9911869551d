//! The language of Caddyfiles: words, quotes, blocks, snippets, and imported files in place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::include::Reading;
use super::text::{At, DEPTH_CAP, Directive};

/// Directives after all imports; a snippet that imports itself would never end.
const DIRECTIVES_CAP: usize = 200_000;

/// The directives of a Caddyfile, imports replaced by what they import.
pub(super) fn directives(
    text: &str,
    shown: &Rc<str>,
    main: PathBuf,
    reading: &mut Reading,
) -> Vec<Directive> {
    let list = blocks(text, shown, reading);
    let snippets = BTreeMap::new();
    Imports {
        reading,
        snippets,
        open: vec![main],
        budget: DIRECTIVES_CAP,
        depth: 0,
    }
    .expand(list)
}

/// The file as nested directives. After a syntax error the rest is closed as it stands.
fn blocks(text: &str, file: &Rc<str>, reading: &mut Reading) -> Vec<Directive> {
    let mut stack: Vec<(Option<Directive>, Vec<Directive>)> = vec![(None, Vec::new())];
    let lines = match tokens(text) {
        Ok(lines) => lines,
        Err((line, lines)) => {
            reading.note(
                &At {
                    file: Rc::clone(file),
                    line,
                },
                "a quote is not closed",
                "`caddy validate` shows the place",
            );
            lines
        }
    };
    for (line, mut words) in lines {
        let at = At {
            file: Rc::clone(file),
            line,
        };
        if words.len() == 1 && words.first().is_some_and(|word| word == "}") {
            if stack.len() > 1 {
                pop(&mut stack);
            } else {
                reading.note(&at, "a `}` closes nothing", "`caddy validate` shows the place");
            }
            continue;
        }
        let opens = words.last().is_some_and(|word| word == "{");
        if opens {
            words.pop();
        }
        let directive = Directive {
            words,
            at,
            block: Vec::new(),
        };
        if opens && stack.len() < DEPTH_CAP {
            stack.push((Some(directive), Vec::new()));
        } else if let Some((_, list)) = stack.last_mut() {
            list.push(directive);
        }
    }
    if let Some((Some(head), _)) = stack.last() {
        reading.note(
            &head.at,
            "a block is not closed",
            "`caddy validate` shows the place",
        );
    }
    while stack.len() > 1 {
        pop(&mut stack);
    }
    stack.pop().map(|(_, list)| list).unwrap_or_default()
}

fn pop(stack: &mut Vec<(Option<Directive>, Vec<Directive>)>) {
    let Some((Some(mut head), mut list)) = stack.pop() else {
        return;
    };
    if list.is_empty() {
        // Tells an empty block from no block.
        list.push(Directive {
            words: Vec::new(),
            at: head.at.clone(),
            block: Vec::new(),
        });
    }
    head.block = list;
    if let Some((_, outer)) = stack.last_mut() {
        outer.push(head);
    }
}

type Lines = Vec<(u32, Vec<String>)>;

/// Words by line. A quote that stays open is an error with what came before it.
fn tokens(text: &str) -> Result<Lines, (u32, Lines)> {
    let mut lines: Lines = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let (mut line, mut first) = (1_u32, 1_u32);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                if !words.is_empty() {
                    lines.push((first, std::mem::take(&mut words)));
                }
                line += 1;
                first = line;
            }
            _ if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '\\' if chars.peek() == Some(&'\n') => {
                chars.next();
                line += 1;
            }
            '"' | '`' => {
                let mut word = String::new();
                let opened = line;
                loop {
                    match chars.next() {
                        None => return Err((opened, lines)),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' && chars.peek() == Some(&'"') => word.extend(chars.next()),
                        Some(other) => {
                            line += u32::from(other == '\n');
                            word.push(other);
                        }
                    }
                }
                words.push(word);
            }
            _ => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|c| !c.is_whitespace()) {
                    word.push(next);
                }
                // A heredoc runs to the line that holds its marker; none of its kind holds a timer.
                if let Some(marker) = word.strip_prefix("<<").filter(|marker| !marker.is_empty()) {
                    line += skip_heredoc(&mut chars, marker);
                }
                words.push(with_defaults(&word));
            }
        }
    }
    if !words.is_empty() {
        lines.push((first, words));
    }
    Ok(lines)
}

fn skip_heredoc(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, marker: &str) -> u32 {
    let mut skipped = 0;
    let mut current = String::new();
    while let Some(c) = chars.next_if(|c| *c != '\n' || current.trim() != marker) {
        if c == '\n' {
            skipped += 1;
            current.clear();
        } else {
            current.push(c);
        }
    }
    skipped
}

/// `{$NAME:default}` as its default: the environment of another machine is not known.
fn with_defaults(word: &str) -> String {
    let Some(start) = word.find("{$") else {
        return word.to_owned();
    };
    let (before, tail) = word.split_at(start);
    let Some((inside, after)) = tail.split_once('}') else {
        return word.to_owned();
    };
    match inside.split_once(':') {
        Some((_, default)) => format!("{before}{default}{}", with_defaults(after)),
        None => word.to_owned(),
    }
}

/// Replaces `import` by snippets and files.
struct Imports<'a> {
    reading: &'a mut Reading,
    snippets: BTreeMap<String, Vec<Directive>>,
    open: Vec<PathBuf>,
    budget: usize,
    depth: usize,
}

impl Imports<'_> {
    fn expand(&mut self, list: Vec<Directive>) -> Vec<Directive> {
        let mut out = Vec::with_capacity(list.len().min(1_024));
        for mut directive in list {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            let snippet = directive
                .name()
                .strip_prefix('(')
                .and_then(|name| name.strip_suffix(')'));
            if let Some(name) = snippet.map(str::to_owned) {
                self.snippets.insert(name, directive.block);
            } else if directive.name() == "import" {
                let imported = self.import(&directive);
                out.extend(imported);
            } else {
                directive.block = self.expand(directive.block);
                out.push(directive);
            }
        }
        out
    }

    fn import(&mut self, directive: &Directive) -> Vec<Directive> {
        if self.depth >= DEPTH_CAP {
            self.reading.note(
                &directive.at,
                "imports are nested too deep",
                "remove the circular import",
            );
            return Vec::new();
        }
        self.depth += 1;
        let mut out = Vec::new();
        if let Some(mut body) = self.snippets.get(directive.arg(0)).cloned() {
            fill(&mut body, directive.args().get(1..).unwrap_or_default());
            out = self.expand(body);
        } else {
            for (file, shown, text) in
                self.reading
                    .include(directive.arg(0), &directive.at, &self.open.clone())
            {
                self.open.push(file);
                let list = blocks(&text, &shown, self.reading);
                out.extend(self.expand(list));
                self.open.pop();
            }
        }
        self.depth -= 1;
        out
    }
}

/// Puts the arguments of an import in the place of `{args[0]}` (or `{args.0}`).
fn fill(list: &mut [Directive], args: &[String]) {
    for directive in list {
        for word in &mut directive.words {
            for (n, arg) in args
                .iter()
                .enumerate()
                .filter(|_| word.contains("{args"))
                .collect::<Vec<_>>()
            {
                *word = word
                    .replace(&format!("{{args[{n}]}}"), arg)
                    .replace(&format!("{{args.{n}}}"), arg);
                // An argument is put in once: one that names itself must not grow without end.
                if word.len() > 4_096 {
                    word.clear();
                }
            }
        }
        fill(&mut directive.block, args);
    }
}
