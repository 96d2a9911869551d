//! The files that a configuration names: those that it includes, and one that holds a format.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::super::include::{Reading, canonical};
use super::super::text::At;
use super::lines;

/// Reads the files that one configuration names.
pub(super) struct Files<'r> {
    shown: Rc<str>,
    /// The files that are being read: one that includes itself is not entered again.
    open: Vec<PathBuf>,
    reading: &'r mut Reading,
}

impl<'r> Files<'r> {
    /// For the configuration `file`, which reports call `shown`.
    pub(super) fn new(file: &Path, shown: &str, reading: &'r mut Reading) -> Self {
        Self {
            shown: Rc::from(shown),
            open: vec![canonical(file)],
            reading,
        }
    }

    /// The first line of the file `name`, which line `line` of the configuration names.
    pub(super) fn first_line(&mut self, name: &str, line: u32) -> Option<String> {
        let (.., text) = self.texts(name, line).into_iter().next()?;
        text.lines().next().map(str::to_owned)
    }

    /// The lines of `text`, and in the places where `included` finds the name of a file in one, the lines of that file
    /// under the number of the line that names it.
    pub(super) fn inlined(&mut self, text: &str, included: fn(&str) -> Option<String>) -> Vec<(u32, String)> {
        let mut all = Vec::new();
        for (number, line) in lines(text) {
            let Some(name) = included(&line) else {
                all.push((number, line));
                continue;
            };
            for (file, text) in self.texts(&name, number) {
                self.open.push(file);
                let inner = self.inlined(&text, included);
                self.open.pop();
                all.extend(inner.into_iter().map(|(_, line)| (number, line)));
            }
        }
        all
    }

    /// The files that `pattern` names. Only of one that is named in full it is said that it is not there: a pattern
    /// may have no files.
    fn texts(&mut self, pattern: &str, line: u32) -> Vec<(PathBuf, String)> {
        let at = At {
            file: Rc::clone(&self.shown),
            line,
        };
        let noted = self.reading.problems.len();
        let texts = self.reading.include(pattern, &at, &self.open);
        if texts.is_empty() && pattern.contains(['*', '?', '[']) {
            self.reading.problems.truncate(noted);
        }
        texts.into_iter().map(|(file, _, text)| (file, text)).collect()
    }
}
