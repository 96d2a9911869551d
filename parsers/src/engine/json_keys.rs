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
const NO_NODE: u16 = u16::MAX;
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
        let known = self
            .keys
            .iter()
            .position(|key| key.name.eq_ignore_ascii_case(name));
        let at = known.unwrap_or_else(|| {
            let head = &mut self.heads[bucket(name)];
            self.keys.push(Key {
                name: name.into(),
                next: *head,
                target: NOWHERE,
            });
            *head = u16::try_from(self.keys.len()).unwrap_or(0);
            self.keys.len() - 1
        });
        &mut self.keys[at].target
    }

    fn find(&self, name: &[u8]) -> Target {
        let mut at = self.heads[bucket(name)];
        while at != 0 {
            let key = &self.keys[usize::from(at) - 1];
            if key.name.len() == name.len() && key.name.eq_ignore_ascii_case(name) {
                return key.target;
            }
            at = key.next;
        }
        NOWHERE
    }
}

/// A hash that costs next to nothing: length, first, middle and last byte, case folded.
fn bucket(name: &[u8]) -> usize {
    let byte = |at: usize| name.get(at).map_or(0, |byte| u32::from(byte | 0x20));
    let (middle, last) = (byte(name.len() / 2), byte(name.len().wrapping_sub(1)));
    let mixed = byte(0) | middle << 8 | last << 16 | (name.len() as u32) << 24;
    (mixed.wrapping_mul(0x9E37_79B1) >> (32 - BUCKETS.ilog2())) as usize
}
