//! Where ids stand in the lines of an input, learnt from parsed entries, so that the second pass can look at the id
//! alone and leave the rest of the line unread.

use std::collections::BTreeMap;

use memchr::memmem;

/// Entries learnt from, per part of an input.
pub const LEARNT_FROM: u32 = 256;

/// Places that are tried per line; ids in more places than this are not worth looking for.
const PLACES: usize = 3;

/// Bytes that stand before an id and lead to it.
const LEAD: usize = 8;

/// Fewer bytes than this occur everywhere.
const SHORTEST_LEAD: usize = 4;

/// A place in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Locus {
    /// In the `back`-th last of the line's space-separated words, `skip` bytes from its start and `keep` from its end.
    Word {
        /// Words after it.
        back: u8,
        /// Bytes of the word before the id.
        skip: u8,
        /// Bytes of the word after the id.
        keep: u8,
    },
    /// After the first occurrence of these bytes (the first `usize` of them), up to the next quote or space.
    After([u8; LEAD], u8),
}

/// What was seen of the places of ids.
#[derive(Debug, Clone, Default)]
pub struct Loci {
    seen: BTreeMap<Locus, u32>,
    entries: u32,
    lost: u32,
}

impl Loci {
    /// Whether more entries are to be learnt from.
    pub fn is_open(&self) -> bool {
        self.entries < LEARNT_FROM
    }

    /// Learns from one line and the ids that a parser found in it.
    pub fn learn(&mut self, line: &[u8], ids: &[&[u8]]) {
        self.entries += 1;
        for id in ids {
            match locate(line, id) {
                Some(locus) => *self.seen.entry(locus).or_default() += 1,
                None => self.lost += 1,
            }
        }
    }

    /// Takes in what was learnt from another part.
    pub fn merge(&mut self, other: Self) {
        for (locus, count) in other.seen {
            *self.seen.entry(locus).or_default() += count;
        }
        self.entries += other.entries;
        self.lost += other.lost;
    }

    /// Whether no entry has an id.
    pub fn are_none(&self) -> bool {
        self.entries == 0
    }

    /// The places to look at, or `None` if looking there would miss ids.
    pub fn places(&self) -> Option<Probe> {
        if self.lost > 0 || self.seen.is_empty() || self.seen.len() > PLACES {
            return None;
        }
        let places = self.seen.keys().map(|locus| match locus {
            Locus::After(lead, len) => (
                *locus,
                Some(memmem::Finder::new(&lead[..usize::from(*len)]).into_owned()),
            ),
            Locus::Word { .. } => (*locus, None),
        });
        Some(Probe {
            places: places.collect(),
        })
    }
}

/// Looks for ids where they were seen to stand.
#[derive(Debug, Clone)]
pub struct Probe {
    places: Vec<(Locus, Option<memmem::Finder<'static>>)>,
}

impl Probe {
    /// Whether any id in `line` is wanted, or the line is unlike those that were learnt from. What `rules_out` says no
    /// to may still be wanted.
    #[inline]
    pub fn may_want(
        &self,
        line: &[u8],
        rules_out: impl Fn(&[u8]) -> bool,
        is_wanted: impl Fn(&[u8]) -> bool,
    ) -> bool {
        self.places.iter().any(|(locus, finder)| {
            let Some(place) = place(line, locus, finder.as_ref()) else {
                return true;
            };
            let usual = USUAL.iter().any(|&len| place.guess(len).is_some_and(&rules_out));
            !usual && place.id().is_none_or(&is_wanted)
        })
    }

    /// Whether every id is the last word of its line, whatever stands before it.
    pub fn is_at_end(&self) -> bool {
        let is_last = |locus: &Locus| matches!(locus, Locus::Word { back: 0, .. });
        self.places.iter().all(|(locus, _)| is_last(locus))
    }
}

/// Lengths of the ids that are met most: with the dashes of a GUID, and without.
const USUAL: [usize; 2] = [36, 32];

/// Where an id stands, one of its ends being still unknown.
enum Place<'a> {
    /// It ends `keep` bytes before the end of these, and begins `skip` bytes after a space.
    Before(&'a [u8], usize, usize),
    /// It begins here, and ends before a quote or a space.
    From(&'a [u8]),
}

impl<'a> Place<'a> {
    /// The id.
    fn id(&self) -> Option<&'a [u8]> {
        match *self {
            Self::Before(text, skip, keep) => {
                let start = memchr::memrchr(b' ', text).map_or(0, |at| at + 1);
                text.get(start + skip..text.len().checked_sub(keep)?)
            }
            Self::From(text) => Some(&text[..memchr::memchr2(b'"', b' ', text).unwrap_or(text.len())]),
        }
    }

    /// What the id is if it has `len` bytes and no space or quote in it: nothing is searched for.
    #[inline]
    fn guess(&self, len: usize) -> Option<&'a [u8]> {
        match *self {
            Self::Before(text, skip, keep) => {
                let end = text.len().checked_sub(keep)?;
                let start = end.checked_sub(len)?;
                let word = start.checked_sub(skip)?;
                let is_word = word == 0 || text[word - 1] == b' ';
                let around = text[word..start].iter().chain(&text[end..]);
                (is_word && !around.into_iter().any(|&byte| byte == b' ')).then(|| &text[start..end])
            }
            Self::From(text) => {
                let id = text.get(..len)?;
                matches!(text.get(len), None | Some(b' ' | b'"')).then_some(id)
            }
        }
    }
}

/// Where in `line` the slice `id`, which is part of it, stands.
fn locate(line: &[u8], id: &[u8]) -> Option<Locus> {
    let start = (id.as_ptr() as usize).checked_sub(line.as_ptr() as usize)?;
    let end = start + id.len();
    if end > line.len() {
        return None; // An unescaped copy.
    }
    let words_after = line[end..].iter().filter(|&&byte| byte == b' ').count();
    let word_start = memchr::memrchr(b' ', &line[..start]).map_or(0, |at| at + 1);
    let word_end = memchr::memchr(b' ', &line[end..]).map_or(line.len(), |at| end + at);
    if words_after <= 3 && !id.contains(&b' ') && start - word_start <= LEAD && word_end - end <= LEAD {
        let word = Locus::Word {
            back: words_after as u8,
            skip: (start - word_start) as u8,
            keep: (word_end - end) as u8,
        };
        return Some(word);
    }
    // What leads to an id begins where the field before it ends.
    let near = &line[start.saturating_sub(LEAD)..start];
    let is_edge = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b'{' | b'[' | b';');
    let len = near
        .iter()
        .rev()
        .position(is_edge)
        .map_or(near.len(), |back| back + 1);
    if len < SHORTEST_LEAD {
        return None;
    }
    let mut lead = [0; LEAD];
    lead[..len].copy_from_slice(&line[start - len..start]);
    let after = Locus::After(lead, len as u8);
    let finder = memmem::Finder::new(&lead[..len]);
    (at(line, &after, Some(&finder)) == Some(id)).then_some(after)
}

/// The bytes at a place of `line`; `None` if the line has no such place.
fn at<'a>(line: &'a [u8], locus: &Locus, finder: Option<&memmem::Finder<'_>>) -> Option<&'a [u8]> {
    place(line, locus, finder)?.id()
}

/// The place that `locus` means in `line`; `None` if the line has no such place.
#[inline]
fn place<'a>(line: &'a [u8], locus: &Locus, finder: Option<&memmem::Finder<'_>>) -> Option<Place<'a>> {
    match *locus {
        Locus::Word { back, skip, keep } => {
            let mut end = line.len();
            for _ in 0..back {
                end = memchr::memrchr(b' ', &line[..end])?;
            }
            Some(Place::Before(&line[..end], usize::from(skip), usize::from(keep)))
        }
        Locus::After(_, len) => {
            let start = finder?.find(line)? + usize::from(len);
            Some(Place::From(&line[start..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(lines: &[(&[u8], std::ops::Range<usize>)]) -> Option<Probe> {
        let mut loci = Loci::default();
        lines
            .iter()
            .for_each(|(line, range)| loci.learn(line, &[&line[range.clone()]]));
        loci.places()
    }

    #[test]
    fn an_id_is_found_again_in_another_line_of_the_same_kind() {
        let line = b"a b \"GET / HTTP/1.1\" 200 rid=0123456789abcdef 12";
        let probe = probe(&[(line, 29..45)]).unwrap();
        let other = b"ccc dd \"POST /x y HTTP/1.1\" 502 rid=fedcba9876543210 7";
        assert!(probe.may_want(other, |_| false, |id| id == b"fedcba9876543210"));
        assert!(!probe.may_want(other, |_| false, |id| id == b"0123456789abcdef"));
    }

    #[test]
    fn an_id_in_json_is_found_after_its_key() {
        let line = br#"{"time":1,"req":{"id":"0123456789abcdef","method":"GET"},"a":"b c d e f g"}"#;
        let probe = probe(&[(line, 23..39)]).unwrap();
        let other = br#"{"time":22,"req":{"id":"aaaabbbbccccdddd","method":"PUT"},"a":"b c d e f g"}"#;
        assert!(probe.may_want(other, |_| false, |id| id == b"aaaabbbbccccdddd"));
        assert!(
            probe.may_want(br#"{"other":"line"}"#, |_| false, |_| false),
            "a line of another kind is read"
        );
    }

    #[test]
    fn ids_all_over_the_place_are_not_looked_for() {
        let lines: Vec<Vec<u8>> = (0..5)
            .map(|n| format!("{} 0123456789abcdef{}", "x".repeat(n), " y".repeat(n)).into_bytes())
            .collect();
        let mut loci = Loci::default();
        for (n, line) in lines.iter().enumerate() {
            loci.learn(line, &[&line[n + 1..n + 17]]);
        }
        assert!(loci.places().is_none());
    }
}
