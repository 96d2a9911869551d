//! Which keys of a JSON object are wanted, and the slots their values go to.

/// A table of key paths and the slots their values go to.
#[derive(Debug, Clone)]
pub struct Keys {
    nodes: Vec<Node>,
}

/// The keys wanted in one object.
#[derive(Debug, Clone)]
struct Node {
    /// Index + 1 of the first key in each bucket.
    heads: [u16; BUCKETS],
    keys: Vec<Key>,
}

#[derive(Debug, Clone)]
struct Key {
    name: Box<[u8]>,
    folded: Folded,
    /// Index + 1 of the next key in the same bucket.
    next: u16,
    target: Target,
}

/// Where the value of a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) slot: u8,
    pub(super) rank: u8,
    /// The node that is asked if the value is an object.
    pub(super) node: u16,
}

/// A power of two, some times the number of keys of the largest table.
const BUCKETS: usize = 512;
const NO_SLOT: u8 = u8::MAX;
pub(super) const NO_NODE: u16 = u16::MAX;
pub(super) const NOWHERE: Target = Target {
    slot: NO_SLOT,
    rank: 0,
    node: NO_NODE,
};

impl Keys {
    /// A table that wants nothing yet.
    pub fn new() -> Self {
        Self {
            nodes: vec![Node::new()],
        }
    }

    /// Sends the value at `path` to `slot`.
    ///
    /// Dots in `path` separate keys, `request.headers.x-request-id`; the same path is also found where a
    /// logger writes it as one flat key (`"log.level"`), or nested only in part. Where several paths share a
    /// slot, the one with the lowest `rank` wins, whatever the order in the line.
    pub fn add(&mut self, path: &str, slot: u8, rank: u8) {
        self.add_below(0, path.as_bytes(), slot, rank);
    }

    /// Adds `path` in the spellings that loggers use for the same words: `request_id` also as
    /// `request-id` and `requestId`.
    pub fn add_spelt(&mut self, path: &str, slot: u8, rank: u8) {
        self.add(path, slot, rank);
        if path.contains('_') {
            self.add(&path.replace('_', "-"), slot, rank);
            self.add(&path.replace('_', ""), slot, rank);
        }
    }

    /// Where the value of the key `name` of the object that `node` stands for goes.
    #[inline]
    pub(super) fn find(&self, node: u16, name: &[u8]) -> Target {
        match self.nodes.get(usize::from(node)) {
            Some(node) => node.find(name),
            None => NOWHERE,
        }
    }

    fn add_below(&mut self, node: usize, path: &[u8], slot: u8, rank: u8) {
        let target = self.nodes[node].key_mut(path);
        if target.slot == NO_SLOT {
            target.slot = slot;
            target.rank = rank;
        }
        let Some(dot) = memchr::memchr(b'.', path) else {
            return;
        };
        let next = u16::try_from(self.nodes.len()).unwrap_or(NO_NODE);
        let target = self.nodes[node].key_mut(&path[..dot]);
        if target.node == NO_NODE {
            target.node = next;
            if next == NO_NODE {
                return;
            }
            self.nodes.push(Node::new());
        }
        let below = usize::from(self.nodes[node].key_mut(&path[..dot]).node);
        self.add_below(below, &path[dot + 1..], slot, rank);
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Node {
    fn new() -> Self {
        Self {
            heads: [0; BUCKETS],
            keys: Vec::new(),
        }
    }

    fn key_mut(&mut self, name: &[u8]) -> &mut Target {
        let folded = Folded::of(name);
        let known = self.keys.iter().position(|key| key.is(name, folded));
        let at = known.unwrap_or_else(|| {
            let head = &mut self.heads[folded.bucket()];
            self.keys.push(Key {
                name: name.into(),
                folded,
                next: *head,
                target: NOWHERE,
            });
            *head = u16::try_from(self.keys.len()).unwrap_or(0);
            self.keys.len() - 1
        });
        &mut self.keys[at].target
    }

    #[inline]
    fn find(&self, name: &[u8]) -> Target {
        let folded = Folded::of(name);
        let mut at = self.heads[folded.bucket()];
        while at != 0 {
            let key = &self.keys[usize::from(at) - 1];
            if key.is(name, folded) {
                return key.target;
            }
            at = key.next;
        }
        NOWHERE
    }
}

impl Key {
    /// Whether this is the key `name`, whose ends are `folded`, in any case.
    #[inline]
    fn is(&self, name: &[u8], folded: Folded) -> bool {
        let reach = 2 * size_of::<u64>();
        self.folded == folded && (name.len() <= reach || self.name.eq_ignore_ascii_case(name))
    }
}

/// The length of a name and its first and last eight bytes in lower case: all of it if it has no more than sixteen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Folded {
    first: u64,
    last: u64,
    len: usize,
}

impl Folded {
    #[inline]
    fn of(name: &[u8]) -> Self {
        let (first, last) = match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => (short(name), 0),
        };
        Self {
            first: lower(first),
            last: lower(last),
            len: name.len(),
        }
    }

    /// A hash that costs next to nothing.
    #[inline]
    fn bucket(self) -> usize {
        let mixed = self.first ^ self.last.rotate_left(29) ^ self.len as u64;
        (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BUCKETS.ilog2())) as usize
    }
}

/// Up to seven bytes in one number, told apart by it together with their length.
#[inline]
fn short(name: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32;
    }
    let byte = |at: usize| name.get(at).map_or(0, |byte| u64::from(*byte));
    byte(0) | byte(1) << 8 | byte(2) << 16
}

/// ASCII letters in lower case, all other bytes as they are.
#[inline]
const fn lower(bytes: u64) -> u64 {
    const EACH: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = 0x80 * EACH;
    let seven = bytes & !HIGH;
    let from_a = seven + (0x80 - b'A' as u64) * EACH;
    let past_z = seven + (0x7F - b'Z' as u64) * EACH;
    let upper = from_a & !past_z & !bytes & HIGH;
    bytes | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case_and_no_other_name_is() {
        let names = [
            "a",
            "id",
            "url",
            "path",
            "method",
            "x-request-id",
            "X-B3-TraceId",
            "a_name_of_many_words",
        ];
        let mut keys = Keys::new();
        for (slot, name) in names.iter().enumerate() {
            keys.add(name, slot as u8, 0);
        }
        for (slot, name) in names.iter().enumerate() {
            for spelt in [name.to_lowercase(), name.to_uppercase(), (*name).to_owned()] {
                assert_eq!(keys.find(0, spelt.as_bytes()).slot, slot as u8, "{spelt}");
            }
            for at in 0..name.len() {
                let mut other = name.as_bytes().to_vec();
                other[at] ^= 0x81;
                assert_eq!(
                    keys.find(0, &other).slot,
                    NO_SLOT,
                    "{name} with another byte {at}"
                );
            }
            assert_eq!(keys.find(0, &name.as_bytes()[1..]).slot, NO_SLOT, "{name}");
        }
        assert_eq!(keys.find(0, b"").slot, NO_SLOT);
    }

    #[test]
    fn letters_are_folded_and_all_other_bytes_are_kept() {
        for byte in 0..=u8::MAX {
            let folded = lower(u64::from_le_bytes([
                byte, b'Z', byte, 0xff, byte, b'@', b'[', byte,
            ]));
            let want = byte.to_ascii_lowercase();
            assert_eq!(
                folded.to_le_bytes(),
                [want, b'z', want, 0xff, want, b'@', b'[', want]
            );
        }
    }
}
