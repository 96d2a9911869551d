//! Many texts looked for at once: what one of them in a line means.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Texts and what they mean. Of several that a line has, the first in the list counts.
pub(crate) struct Needles<T: 'static> {
    list: &'static [(&'static str, T)],
    /// All of them in one automaton, made when the first line is looked at; `None` inside if it could not be made.
    index: OnceLock<Option<AhoCorasick>>,
}

impl<T: Copy> Needles<T> {
    /// The texts of `list`. An empty one at its end stands for any text.
    pub(crate) const fn new(list: &'static [(&'static str, T)]) -> Self {
        Self {
            list,
            index: OnceLock::new(),
        }
    }

    /// What the first of the list that stands in `text` means; nothing stands in an empty text.
    pub(crate) fn first_in(&self, text: &[u8]) -> Option<T> {
        if text.is_empty() {
            return None;
        }
        let place = match self.index.get_or_init(|| self.index()) {
            Some(index) => index
                .find_overlapping_iter(text)
                .map(|found| found.pattern().as_usize())
                .min(),
            None => self.list.iter().position(|(needle, _)| {
                !needle.is_empty() && crate::bytes::find(text, needle.as_bytes()).is_some()
            }),
        };
        let any = || {
            self.list
                .iter()
                .find(|(needle, _)| needle.is_empty())
                .map(|(_, meaning)| *meaning)
        };
        place.map(|at| self.list[at].1).or_else(any)
    }

    /// The texts, without an empty one at the end.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'static str> + use<T> {
        let texts = self.list.iter().map(|(needle, _)| *needle);
        texts.take_while(|needle| !needle.is_empty())
    }

    fn index(&self) -> Option<AhoCorasick> {
        // Empty ones are last, so places in the automaton are places in the list.
        AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .build(self.texts())
            .ok()
    }
}

/// Whether a text has one of many words: one look that spares all tables where it has none.
pub(crate) struct Gate {
    words: fn() -> Vec<&'static str>,
    /// Made when the first text is looked at; `None` inside if it could not be made.
    index: OnceLock<Option<AhoCorasick>>,
}

impl Gate {
    /// A gate for texts with one of `words`.
    pub(crate) const fn new(words: fn() -> Vec<&'static str>) -> Self {
        Self {
            words,
            index: OnceLock::new(),
        }
    }

    /// Whether one of the words may stand in `text`.
    pub(crate) fn lets(&self, text: &[u8]) -> bool {
        let make = || {
            AhoCorasick::builder()
                .kind(Some(AhoCorasickKind::DFA))
                .build((self.words)())
                .ok()
        };
        self.index
            .get_or_init(make)
            .as_ref()
            .is_none_or(|index| index.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_lets_texts_with_one_of_its_words() {
        let gate = Gate::new(|| vec!["refused", "reset by peer"]);
        assert!(gate.lets(b"connect: connection refused"));
        assert!(gate.lets(b"read: connection reset by peer"));
        assert!(!gate.lets(b"Failed to scan a jar"));
        assert!(!gate.lets(b""));
    }

    #[test]
    fn the_first_in_the_list_counts_wherever_it_stands() {
        static LIST: Needles<u8> = Needles::new(&[("reset by peer", 1), ("reset", 2), ("peer", 3), ("", 4)]);
        assert_eq!(LIST.first_in(b"peer: connection reset by peer"), Some(1));
        assert_eq!(LIST.first_in(b"peer, then a reset"), Some(2));
        assert_eq!(LIST.first_in(b"something else"), Some(4));
        assert_eq!(LIST.first_in(b""), None);
        static BARE: Needles<u8> = Needles::new(&[("a", 1)]);
        assert_eq!(BARE.first_in(b"b"), None);
    }
}
