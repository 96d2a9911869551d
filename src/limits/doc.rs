//! What readers of trees, XML and `key = value` files share: putting a value with its line in its place.

use std::path::Path;
use std::rc::Rc;

use super::include::{Reading, problem};
use super::text::{At, LimitMap, put};
use super::tree::{Fault, Tree};
use super::{Count, CountKind};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// How a setting's text is read: to microseconds.
pub(super) type Unit = fn(&str) -> Option<u64>;

/// A configuration file that is being read.
#[derive(Debug, Clone)]
pub(super) struct Doc {
    file: Rc<str>,
}

impl Doc {
    /// The file as reports name it.
    pub(super) fn new(shown: &str) -> Self {
        Self {
            file: Rc::from(shown),
        }
    }

    /// A line of it.
    pub(super) fn at(&self, line: u32) -> At {
        At {
            file: Rc::clone(&self.file),
            line,
        }
    }

    /// Puts the limit that stands in `line` as `text`; text that is no duration is left out.
    pub(super) fn put(
        &self,
        limits: &mut LimitMap,
        kind: LimitKind,
        setting: &str,
        line: u32,
        text: &str,
        unit: Unit,
    ) {
        if let Some(us) = unit(text) {
            put(limits, self.at(line).limit(kind, setting, Some(us)));
        }
    }

    /// The same for timers that zero switches off.
    pub(super) fn put_or_off(
        &self,
        limits: &mut LimitMap,
        kind: LimitKind,
        setting: &str,
        line: u32,
        text: &str,
        unit: Unit,
    ) {
        if let Some(us) = unit(text) {
            put(
                limits,
                self.at(line).limit(kind, setting, Some(us).filter(|us| *us > 0)),
            );
        }
    }

    /// Puts the limit that stands under `key` in `tree`, if it does.
    pub(super) fn key(&self, limits: &mut LimitMap, kind: LimitKind, tree: &Tree, key: &str, unit: Unit) {
        if let Some(value) = tree.get(key) {
            self.put(limits, kind, key, value.line, value.text(), unit);
        }
    }

    /// The same for timers that zero switches off.
    pub(super) fn key_or_off(
        &self,
        limits: &mut LimitMap,
        kind: LimitKind,
        tree: &Tree,
        key: &str,
        unit: Unit,
    ) {
        if let Some(value) = tree.get(key) {
            self.put_or_off(limits, kind, key, value.line, value.text(), unit);
        }
    }

    /// A count that stands in `line` as `text`.
    pub(super) fn count(&self, kind: CountKind, setting: &str, line: u32, text: &str) -> Option<Count> {
        self.at(line).count(kind, setting, text)
    }

    /// The problem of a file that is not what it seems.
    pub(super) fn broken(&self, (line, what): Fault, hint: &str) -> Problem {
        problem(&self.file, format!("line {line}: {what}"), hint)
    }
}

/// The documents of a YAML or JSON file, by how it begins.
///
/// # Errors
/// A problem that names the file and the line.
pub(super) fn trees(file: &Path, shown: &str, reading: &mut Reading) -> Result<(Doc, Vec<Tree>), Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let trees = if text.trim_start().starts_with(['{', '/']) {
        Tree::json(&text).map(|tree| vec![tree])
    } else {
        Tree::yaml(&text)
    };
    match trees {
        Ok(trees) => Ok((doc, trees)),
        Err(fault) => Err(doc.broken(fault, "its limits are not known until that is mended")),
    }
}

/// A `key = value` line of an ini or properties file.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    /// The section it stands in, without brackets; empty before the first.
    pub(super) section: &'a str,
    /// What stands before the sign.
    pub(super) key: &'a str,
    /// What stands after it, quotes removed.
    pub(super) value: &'a str,
    /// Line number, from 1.
    pub(super) line: u32,
}

/// `value` without the quotes around it; what only begins and ends with a quoted word stays as it is.
fn unquoted(value: &str) -> &str {
    let inner = |quote: char| value.strip_prefix(quote)?.strip_suffix(quote);
    let whole = |quote: char| inner(quote).filter(|inner| !inner.contains(quote));
    whole('"').or_else(|| whole('\'')).unwrap_or(value)
}

/// The `key = value` lines of a text. Lines that begin with `#`, `;` or `!` are comments.
pub(super) fn pairs(text: &str) -> Vec<Pair<'_>> {
    let mut section = "";
    let mut found = Vec::new();
    for (line, row) in (1_u32..).zip(text.lines()) {
        let row = row.trim();
        if row.is_empty() || row.starts_with(['#', ';', '!']) {
            continue;
        }
        if let Some(name) = row.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = row.split_once(['=', ':']) {
            let value = value.trim();
            let comment = value
                .find(" #")
                .or_else(|| value.find(" ;"))
                .unwrap_or(value.len());
            let value = unquoted(value.get(..comment).unwrap_or(value).trim());
            found.push(Pair {
                section,
                key: key.trim(),
                value,
                line,
            });
        }
    }
    found
}
