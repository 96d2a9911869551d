//! Many texts looked for at once: what one of them in a line means.

use std::sync::OnceLock;

use aho_corasick::automaton::Automaton;
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, StartKind};

/// Texts and what they mean. Of several that a line has, the first in the list counts.
pub(crate) struct Needles<T: 'static> {
    list: &'static [(&'static str, T)],
    /// All of them in one automaton, made when the first line is looked at; `None` inside if it could not be made.
    index: OnceLock<Option<DFA>>,
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
        let mut place = None;
        match self.index.get_or_init(|| automaton(self.texts())) {
            Some(index) => each_match(index, text, |found| {
                place = Some(place.map_or(found, |first: usize| first.min(found)));
            }),
            None => {
                place = self.list.iter().position(|(needle, _)| {
                    !needle.is_empty() && crate::bytes::find(text, needle.as_bytes()).is_some()
                });
            }
        }
        let any = || {
            self.list
                .iter()
                .find(|(needle, _)| needle.is_empty())
                .map(|(_, meaning)| *meaning)
        };
        self.at(place).or_else(any)
    }

    /// What the text at `place` of the list means.
    pub(crate) fn at(&self, place: Option<usize>) -> Option<T> {
        self.list.get(place?).map(|(_, meaning)| *meaning)
    }

    /// The texts, without an empty one at the end.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &'static str> + use<T> {
        let texts = self.list.iter().map(|(needle, _)| *needle);
        texts.take_while(|needle| !needle.is_empty())
    }
}

/// Several lists of texts looked for in one pass, which most messages leave without a hit.
pub(crate) struct Lists<const N: usize> {
    texts: fn() -> [Vec<&'static str>; N],
    /// Made when the first text is looked at; `None` inside if it could not be made.
    index: OnceLock<Option<Index>>,
}

struct Index {
    automaton: DFA,
    /// For each text of all lists, the list and its place there.
    places: Vec<(usize, usize)>,
}

/// Of each list, the place of the first of its texts that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hits<const N: usize>([Option<usize>; N]);

impl<const N: usize> Lists<N> {
    /// The lists that `texts` gives.
    pub(crate) const fn new(texts: fn() -> [Vec<&'static str>; N]) -> Self {
        Self {
            texts,
            index: OnceLock::new(),
        }
    }

    /// What of the lists stands in `text`.
    pub(crate) fn hits(&self, text: &[u8]) -> Hits<N> {
        let mut hits = Hits([None; N]);
        let Some(index) = self.index.get_or_init(|| Index::new((self.texts)())) else {
            for (hit, texts) in hits.0.iter_mut().zip((self.texts)()) {
                *hit = texts
                    .iter()
                    .position(|needle| crate::bytes::find(text, needle.as_bytes()).is_some());
            }
            return hits;
        };
        each_match(&index.automaton, text, |found| {
            let (list, place) = index.places[found];
            let hit = &mut hits.0[list];
            *hit = Some(hit.map_or(place, |first| first.min(place)));
        });
        hits
    }
}

impl<const N: usize> Hits<N> {
    /// The place of the first text of `list` that was found.
    pub(crate) fn of(&self, list: usize) -> Option<usize> {
        self.0.get(list).copied().flatten()
    }

    /// Whether nothing of any list was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

impl Index {
    fn new<const N: usize>(lists: [Vec<&'static str>; N]) -> Option<Self> {
        let places = lists
            .iter()
            .enumerate()
            .flat_map(|(list, texts)| (0..texts.len()).map(move |place| (list, place)))
            .collect();
        Some(Self {
            automaton: automaton(lists.into_iter().flatten())?,
            places,
        })
    }
}

fn automaton(texts: impl Iterator<Item = &'static str>) -> Option<DFA> {
    DFA::builder()
        .start_kind(StartKind::Unanchored)
        .prefilter(false)
        .build(texts)
        .ok()
}

/// Calls `found` with the place of each text of `automaton` wherever it ends in `text`.
#[inline]
fn each_match(automaton: &DFA, text: &[u8], mut found: impl FnMut(usize)) {
    let Ok(mut state) = automaton.start_state(Anchored::No) else {
        return;
    };
    for &byte in text {
        state = automaton.next_state(Anchored::No, state, byte);
        if automaton.is_special(state) && automaton.is_match(state) {
            for nth in 0..automaton.match_len(state) {
                found(automaton.match_pattern(state, nth).as_usize());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pass_finds_the_first_of_each_list() {
        static LISTS: Lists<2> = Lists::new(|| [vec!["reset by peer", "reset"], vec!["refused", "peer"]]);
        let of = |text: &str| {
            [
                LISTS.hits(text.as_bytes()).of(0),
                LISTS.hits(text.as_bytes()).of(1),
            ]
        };
        assert_eq!(of("connect: connection refused"), [None, Some(0)]);
        assert_eq!(of("read: connection reset by peer"), [Some(0), Some(1)]);
        assert_eq!(of("a reset"), [Some(1), None]);
        assert!(LISTS.hits(b"Failed to scan a jar").is_empty());
        assert!(LISTS.hits(b"").is_empty());
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
