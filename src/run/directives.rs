//! Lines that change how later ones are read (`#Fields:`), so that a part of a file is read as in the whole file.
//!
//! A file rarely changes its columns. So the first pass reads every part as the directives at the head of the file say,
//! and collects what other ones it meets; only an input in which that was wrong is surveyed again.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::Error;
use crate::model::{Input, SourceId};
use crate::read::{self, Span};
use crate::sniff::Detected;

/// How far into a file the directives at its head may stand, in bytes.
const WITHIN: u64 = 16 << 10;

/// Lines that change how later ones are read, with their offsets.
pub(super) type DirectiveLines = Vec<(u64, Vec<u8>)>;

/// The directives of parts of inputs, each part read only once for them.
#[derive(Debug, Default)]
pub(super) struct Directives(Mutex<BTreeMap<(SourceId, Span), DirectiveLines>>);

impl Directives {
    /// The lines of `part` of `input` that start with `mark`.
    ///
    /// # Errors
    /// As [`read::directives`].
    pub(super) fn look_up(&self, input: &Input, part: Span, mark: &[u8]) -> Result<DirectiveLines, Error> {
        if let Some(lines) = self.known(input.id, part) {
            return Ok(lines);
        }
        let lines = read::directives(input, &part, mark)?;
        self.remember(input.id, part, lines.clone());
        Ok(lines)
    }

    /// The directives of `part` of `source`, if they have been looked up.
    pub(super) fn known(&self, source: SourceId, part: Span) -> Option<DirectiveLines> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(source, part)).cloned()
    }

    /// Remembers `lines` as the directives of `part` of `source`.
    pub(super) fn remember(&self, source: SourceId, part: Span, lines: DirectiveLines) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((source, part), lines);
    }
}

/// The directives among the first lines of `input`.
pub(super) fn at_head(input: &Input, detected: &Detected) -> DirectiveLines {
    let Some(mark) = detected.prepared.directive().filter(|_| input.is_plain()) else {
        return Vec::new();
    };
    let head = Span {
        offset: 0,
        len: WITHIN,
    };
    // What cannot be read now cannot be read later either, and is told then.
    read::directives(input, &head, mark).unwrap_or_default()
}

/// Directives that several readers `found`, in order; of equal ones in a row only the first.
pub(super) fn in_order(mut found: DirectiveLines) -> DirectiveLines {
    found.sort_unstable();
    found.dedup_by(|next, last| next.1 == last.1);
    found
}

/// The directive that holds for the lines from `offset` on; empty if there is none.
pub(super) fn in_force(lines: &[(u64, Vec<u8>)], offset: u64) -> &[u8] {
    let before = lines.iter().take_while(|(at, _)| *at < offset).last();
    before.map_or(&[], |(_, line)| line)
}

/// The directives `known` from before a part that begins at `offset`, and those `found` in it.
///
/// Of a part, the directive at the head holds until another comes; probing found its lines understood.
pub(super) fn with_part(mut known: DirectiveLines, offset: u64, found: DirectiveLines) -> DirectiveLines {
    known.retain(|(at, _)| *at < offset);
    known.extend(found);
    known
}

/// Whether every line behind the directives `all` is read as `assumed` says.
pub(super) fn agree(assumed: &[(u64, Vec<u8>)], all: &[(u64, Vec<u8>)]) -> bool {
    let places = assumed.iter().chain(all).map(|(at, _)| at + 1);
    places
        .into_iter()
        .all(|at| in_force(assumed, at) == in_force(all, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(all: &[(u64, &str)]) -> DirectiveLines {
        all.iter()
            .map(|(at, line)| (*at, line.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn only_a_directive_that_says_something_else_changes_how_lines_are_read() {
        let head = lines(&[(9, "a")]);
        assert!(agree(&head, &lines(&[(9, "a")])));
        assert!(agree(&head, &lines(&[(9, "a"), (50, "a")])));
        assert!(!agree(&head, &lines(&[(9, "a"), (50, "b")])));
        assert!(!agree(&head, &lines(&[(50, "b")])));
        assert!(!agree(&[], &head));
    }

    #[test]
    fn what_holds_is_the_nearest_directive_before() {
        let all = with_part(lines(&[(0, "a"), (70, "x")]), 60, lines(&[(80, "b")]));
        assert_eq!(in_force(&all, 0), b"");
        assert_eq!(in_force(&all, 80), b"a");
        assert_eq!(in_force(&all, 81), b"b");
    }
}
