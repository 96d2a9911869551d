//! The language of Apache configuration: lines, continuations, variables, sections, and included files in place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use super::include::Reading;
use super::text::{At, DEPTH_CAP, Directive, split_words};
use crate::model::finding::Problem;

/// Lines to directives: continuations, variables, sections and includes.
pub(super) struct Source<'a> {
    reading: &'a mut Reading,
    defines: BTreeMap<String, String>,
    open: Vec<PathBuf>,
}

impl<'a> Source<'a> {
    /// Reads on behalf of the main file `main`.
    pub(super) fn new(reading: &'a mut Reading, main: PathBuf) -> Self {
        Self {
            reading,
            defines: BTreeMap::new(),
            open: vec![main],
        }
    }

    /// The directives of one file, those of included files in their place. Lines that are not understood are noted.
    pub(super) fn directives(&mut self, text: &str, file: &Rc<str>) -> Vec<Directive> {
        // The blocks that are open, with the outermost list at the bottom.
        let mut stack: Vec<(Option<Directive>, Vec<Directive>)> = vec![(None, Vec::new())];
        for (line, text) in logical_lines(text) {
            let at = At {
                file: Rc::clone(file),
                line,
            };
            let text = self.substituted(&text);
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            if let Some(name) = text.strip_prefix("</") {
                self.close(&mut stack, name.trim_end_matches('>').trim(), &at);
                continue;
            }
            let section = text
                .strip_prefix('<')
                .map(|inner| inner.strip_suffix('>').unwrap_or(inner));
            let (mut words, broken) = split_words(section.unwrap_or(text), false);
            if broken {
                self.reading.note(
                    &at,
                    "a quote is not closed",
                    "this line is not used; `apachectl configtest` shows the place",
                );
                continue;
            }
            if let Some(name) = words.first_mut() {
                name.make_ascii_lowercase();
            }
            let directive = Directive {
                words,
                at,
                block: Vec::new(),
            };
            if section.is_none() {
                if let Some((_, list)) = stack.last_mut() {
                    self.plain(directive, list);
                }
            } else if stack.len() < DEPTH_CAP {
                stack.push((Some(directive), Vec::new()));
            } else {
                self.reading
                    .note(&directive.at, "sections are nested too deep", "");
            }
        }
        while stack.len() > 1 {
            let at = stack
                .last()
                .and_then(|(head, _)| head.as_ref())
                .map(|head| head.at.clone());
            if let Some(at) = at {
                self.reading.note(
                    &at,
                    "a section is not closed",
                    "`apachectl configtest` shows the place",
                );
            }
            pop(&mut stack);
        }
        stack.pop().map(|(_, list)| list).unwrap_or_default()
    }

    fn close(&mut self, stack: &mut Vec<(Option<Directive>, Vec<Directive>)>, name: &str, at: &At) {
        let open = stack.last().and_then(|(head, _)| head.as_ref());
        if open.is_some_and(|head| head.name().eq_ignore_ascii_case(name)) {
            pop(stack);
        } else {
            self.reading.note(
                at,
                "a section is closed that is not open",
                "`apachectl configtest` shows the place",
            );
        }
    }

    /// A directive that is no section: variables and includes take effect here.
    fn plain(&mut self, directive: Directive, list: &mut Vec<Directive>) {
        match directive.name() {
            "define" => {
                self.defines
                    .insert(directive.arg(0).to_owned(), directive.arg(1).to_owned());
            }
            "include" | "includeoptional" => {
                let notes = self.reading.problems.len();
                for (file, shown, text) in self.reading.include(directive.arg(0), &directive.at, &self.open) {
                    self.open.push(file);
                    list.extend(self.directives(&text, &shown));
                    self.open.pop();
                }
                // An optional file that is not there is what the administrator allowed for.
                if directive.name() == "includeoptional" {
                    let missing = |problem: &Problem| problem.message.contains("included file not found");
                    let fresh = self
                        .reading
                        .problems
                        .split_off(notes.min(self.reading.problems.len()));
                    self.reading
                        .problems
                        .extend(fresh.into_iter().filter(|problem| !missing(problem)));
                }
            }
            _ => list.push(directive),
        }
    }

    /// The line with `${NAME}` replaced where it is defined; the environment of another machine is not known.
    fn substituted(&self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        while let Some(start) = rest.find("${") {
            let Some(end) = rest.get(start..).and_then(|tail| tail.find('}')) else {
                break;
            };
            let (before, tail) = rest.split_at(start);
            let (variable, after) = tail.split_at(end + 1);
            out.push_str(before);
            let name = variable.trim_start_matches("${").trim_end_matches('}');
            out.push_str(self.defines.get(name).map_or(variable, String::as_str));
            rest = after;
        }
        out + rest
    }
}

/// Closes the innermost section. Conditions are taken as met, so what they hold stands in their place.
fn pop(stack: &mut Vec<(Option<Directive>, Vec<Directive>)>) {
    let Some((Some(mut head), list)) = stack.pop() else {
        return;
    };
    let Some((_, outer)) = stack.last_mut() else {
        return;
    };
    match head.name() {
        "ifmodule" | "ifdefine" | "ifversion" | "ifdirective" | "ifsection" | "iffile" => {
            // A negated condition holds the fallback for what is missing.
            if !head.arg(0).starts_with('!') {
                outer.extend(list);
            }
        }
        _ => {
            head.block = list;
            outer.push(head);
        }
    }
}

/// Lines with their numbers, those that end in a backslash joined with the next.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut joined = false;
    for (index, line) in text.lines().enumerate() {
        let (body, goes_on) = match line.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| joined) {
            Some((_, last)) => last.push_str(body),
            None => lines.push((u32::try_from(index + 1).unwrap_or(u32::MAX), body.to_owned())),
        }
        joined = goes_on;
    }
    lines
}
