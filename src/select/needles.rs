//! Lines with some id, found in raw blocks before anything is parsed.
//!
//! What is found is a candidate: the bytes of the id stand somewhere in the line. Whether they are an id there, the
//! line's parser says. Nothing that a parser would confirm is missed as long as the id is written in one of the
//! [`Needles::spellings`].

use memchr::memmem::Finder;

use crate::model::ids;

/// More bytes than this make no id.
const LONGEST: usize = 1_024;

/// Bytes of an end by which spellings are searched for: the last group of a GUID, the same with dashes and without.
const END: usize = 12;

/// Up to eight byte strings. Of those with the same end, that is searched for, and the rest looked at where it is found.
/// Each end is searched for by itself: an id of hexadecimal digits among others of that kind makes a search for several
/// at once ten times as slow.
pub struct Needles {
    spellings: Vec<String>,
    finders: Vec<Finder<'static>>,
    ends: Vec<Finder<'static>>,
}

impl Needles {
    /// What to look for to find the id `text`, as the user gave it: the id itself, as JSON writes it, and a hexadecimal
    /// one with the dashes of a GUID and without, in small letters and in capitals. `None` if it is no id.
    pub fn of_id(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > LONGEST {
            return None;
        }
        let core = ids::core(text.as_bytes());
        let core = std::str::from_utf8(core).unwrap_or(text);
        let mut spellings = vec![text.to_owned()];
        match core
            .chars()
            .filter(|c| !matches!(c, '-' | '{' | '}'))
            .collect::<String>()
        {
            digits if digits.len() >= 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                let small = digits.to_ascii_lowercase();
                for plain in [small.clone(), small.to_ascii_uppercase()] {
                    spellings.extend(guid(&plain));
                    spellings.push(plain);
                }
                spellings.push(core.to_ascii_lowercase());
                spellings.push(core.to_ascii_uppercase());
            }
            _ => spellings.extend([core.to_owned(), in_json(text), in_json(text).replace('/', "\\/")]),
        }
        spellings.sort();
        spellings.dedup();
        // What contains another spelling is found with that one.
        let all = spellings.clone();
        spellings.retain(|one| {
            !all.iter()
                .any(|other| other != one && one.contains(other.as_str()))
        });
        let mut ends: Vec<&[u8]> = spellings.iter().map(|one| end(one.as_bytes())).collect();
        ends.sort_unstable();
        ends.dedup();
        let finder = |bytes: &[u8]| Finder::new(bytes).into_owned();
        Some(Self {
            finders: spellings.iter().map(|one| finder(one.as_bytes())).collect(),
            ends: ends.into_iter().map(finder).collect(),
            spellings,
        })
    }

    /// What is looked for.
    pub fn spellings(&self) -> &[String] {
        &self.spellings
    }

    /// Gives every line of `lines` that has one of the spellings, without its line end, and its place in `lines`. Lines
    /// without cost a search at memory speed and nothing else.
    pub fn find(&self, lines: &[u8], mut visit: impl FnMut(usize, &[u8])) {
        let mut hits: Vec<usize> = self.ends.iter().flat_map(|one| one.find_iter(lines)).collect();
        hits.sort_unstable();
        let mut from = 0;
        for at in hits {
            if at < from {
                continue; // In the line before.
            }
            let start = memchr::memrchr(b'\n', &lines[..at]).map_or(0, |end| end + 1);
            let end = memchr::memchr(b'\n', &lines[at..]).map_or(lines.len(), |end| at + end);
            let line = &lines[start..end];
            if self.finders.iter().any(|one| one.find(line).is_some()) {
                visit(start, why502_parsers::bytes::trim_cr(line));
            }
            from = end;
        }
    }
}

/// What is searched for to find `spelling`.
fn end(spelling: &[u8]) -> &[u8] {
    &spelling[spelling.len().saturating_sub(END)..]
}

/// 32 digits with the dashes of a GUID.
fn guid(digits: &str) -> Option<String> {
    if digits.len() != 32 {
        return None;
    }
    let (a, b, c, d, e) = (
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    );
    Some([a, b, c, d, e].join("-"))
}

/// `text` as it stands in a JSON string.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(id: &str, text: &str) -> Vec<(usize, String)> {
        let mut all = Vec::new();
        Needles::of_id(id).unwrap().find(text.as_bytes(), |at, line| {
            all.push((at, String::from_utf8_lossy(line).into_owned()));
        });
        all
    }

    #[test]
    fn lines_with_the_id_are_found_once_with_their_places() {
        let text = "a order-77f x order-77f\r\nb\norder-77\nc order-77f";
        let want = [(0, "a order-77f x order-77f"), (36, "c order-77f")];
        assert_eq!(
            found("order-77f", text),
            want.map(|(at, line)| (at, line.to_owned()))
        );
        assert_eq!(found("order-77f", ""), []);
    }

    #[test]
    fn a_hexadecimal_id_is_found_however_a_server_writes_it() {
        let ways = [
            "4c5e9f6684f3297806650969d075d15f",
            "4C5E9F66-84F3-2978-0665-0969D075D15F",
            "{4c5e9f66-84f3-2978-0665-0969d075d15f}",
            "00-4c5e9f6684f3297806650969d075d15f-00f067aa0ba902b7-01",
        ];
        let text = ways.join("\n");
        for way in ways {
            assert_eq!(found(way, &text).len(), ways.len(), "{way}");
            assert!(
                ways.iter()
                    .all(|other| ids::key(way.as_bytes()) == ids::key(other.as_bytes()))
            );
        }
        assert!(Needles::of_id(ways[0]).unwrap().spellings().len() <= 8);
    }

    #[test]
    fn an_id_in_json_is_found_behind_its_escapes() {
        let text = "{\"id\":\"a\\\"b\\/c-1234\"}\n{\"id\":\"a\\\"b/c-1234\"}\nplain a\"b/c-1234\n";
        assert_eq!(found("a\"b/c-1234", text).len(), 3);
    }

    #[test]
    fn an_id_with_the_same_end_is_another_one() {
        let id = "4c5e9f66-84f3-2978-0665-0969d075d15f";
        let text = "5c5e9f66-84f3-2978-0665-0969d075d15f\n0969d075d15f 4c5e9f6684f3297806650969d075d15f\n";
        assert_eq!(
            found(id, text).iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [37]
        );
        assert_eq!(Needles::of_id(id).unwrap().ends.len(), 2);
    }

    #[test]
    fn nothing_is_no_id() {
        assert!(Needles::of_id("  ").is_none());
        assert!(Needles::of_id(&"x".repeat(2_000)).is_none());
    }
}
