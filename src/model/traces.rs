//! Many traces or records in little memory: packed, block by block, so that those of some time can be had alone.

use std::collections::BTreeSet;
use std::ops::Range;

use super::pack::{Common, Packed as _, Reader, Writer};
use super::pack_record::{pack, pack_trace, unpack, unpack_trace};
use super::record::Record;
use super::trace::{Link, Trace};

/// So many bytes make a block.
const BLOCK: usize = 16 << 10;

/// What is known of the connection to a link's upstream before the request was sent to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gap {
    /// How long the upstream had been idle, in microseconds; a lower bound for the connection that was used.
    pub idle_us: Option<i64>,
    /// How many requests the connection had carried that it used last, where that is the most that any carried.
    pub used_up: Option<u32>,
}

/// Traces in order, packed, each with what is known of its links' upstreams.
#[derive(Debug, Clone, Default)]
pub struct Traces {
    blocks: Vec<Block>,
    common: Common,
    len: usize,
}

/// Traces that are packed together.
#[derive(Debug, Clone)]
struct Block {
    bytes: Vec<u8>,
    /// The numbers of its traces.
    numbers: Range<usize>,
    /// What the times of all records in it span; `None` if one has none.
    span: Option<(i64, i64)>,
}

impl Traces {
    /// Adds a trace with the gaps of its links.
    pub fn push(&mut self, trace: &Trace, gaps: &[Gap]) {
        let is_full = |block: &Block| block.bytes.len() >= BLOCK;
        if self.blocks.last().is_none_or(is_full) {
            self.settle_last();
            self.blocks.push(Block {
                bytes: Vec::with_capacity(BLOCK + BLOCK / 4),
                numbers: self.len..self.len,
                span: Some((i64::MAX, i64::MIN)),
            });
        }
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        let to = &mut Writer::new(&mut block.bytes, &mut self.common);
        pack_trace(trace, to);
        for at in 0..trace.links.len() {
            let gap = gaps.get(at).copied().unwrap_or_default();
            gap.idle_us.pack(to);
            gap.used_up.pack(to);
        }
        for record in trace.links.iter().flat_map(Link::records) {
            block.span = block
                .span
                .zip(record.interval())
                .map(|(all, one)| (all.0.min(one.0), all.1.max(one.1)));
        }
        self.len += 1;
        block.numbers.end = self.len;
    }

    /// All but those with these numbers; the others get new ones.
    pub fn without(&self, numbers: &BTreeSet<usize>) -> Self {
        let mut left = Self::default();
        for (number, (trace, gaps)) in self.iter().enumerate() {
            if !numbers.contains(&number) {
                left.push(&trace, &gaps);
            }
        }
        left
    }

    /// Forgets what is only needed to take in more.
    pub fn settle(&mut self) {
        self.settle_last();
        self.blocks.shrink_to_fit();
        self.common.settle();
    }

    fn settle_last(&mut self) {
        self.blocks.last_mut().map(|block| block.bytes.shrink_to_fit());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many blocks they are in.
    pub fn blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The numbers of the traces in `blocks`.
    pub fn numbers(&self, blocks: Range<usize>) -> Range<usize> {
        let some = self.blocks.get(blocks).unwrap_or_default();
        match (some.first(), some.last()) {
            (Some(first), Some(last)) => first.numbers.start..last.numbers.end,
            _ => self.len..self.len,
        }
    }

    /// The blocks around `blocks` with every trace that has a record within `around_us` of any record in these.
    pub fn around(&self, blocks: Range<usize>, around_us: i64) -> Range<usize> {
        let own = self.blocks.get(blocks.clone()).unwrap_or_default();
        let span = own
            .iter()
            .map(|block| block.span)
            .reduce(|a, b| a.zip(b).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))));
        let Some(Some((from, to))) = span else {
            return 0..self.blocks.len();
        };
        let (from, to) = (from.saturating_sub(around_us), to.saturating_add(around_us));
        let is_near = |block: &Block| block.span.is_none_or(|span| span.0 <= to && span.1 >= from);
        let first = self.blocks.iter().position(is_near);
        let last = self.blocks.iter().rposition(is_near);
        match (first, last) {
            (Some(first), Some(last)) => first.min(blocks.start)..(last + 1).max(blocks.end),
            _ => blocks,
        }
    }

    /// The trace with this number.
    pub fn get(&self, number: usize) -> Option<Trace> {
        let at = self
            .blocks
            .iter()
            .position(|block| block.numbers.contains(&number))?;
        let nth = number - self.blocks[at].numbers.start;
        let (trace, _) = self.unpacked(at..at + 1).into_iter().nth(nth)?;
        Some(trace)
    }

    /// All of them in order, unpacked block by block.
    pub fn iter(&self) -> impl Iterator<Item = (Trace, Vec<Gap>)> + '_ {
        (0..self.blocks.len()).flat_map(|at| self.unpacked(at..at + 1))
    }

    /// The traces of `blocks`, unpacked, with the gaps of their links.
    pub fn unpacked(&self, blocks: Range<usize>) -> Vec<(Trace, Vec<Gap>)> {
        let some = self.blocks.get(blocks.clone()).unwrap_or_default();
        let mut all = Vec::with_capacity(self.numbers(blocks).len());
        for block in some {
            let mut bytes = &block.bytes[..];
            for _ in block.numbers.clone() {
                // Instants are written as differences, anew for each trace.
                let mut from = Reader::new(bytes, &self.common);
                let trace = unpack_trace(&mut from);
                let gap = |_: &Link| Gap {
                    idle_us: Option::unpack(&mut from),
                    used_up: Option::unpack(&mut from),
                };
                let gaps = trace.links.iter().map(gap).collect();
                bytes = from.rest();
                all.push((trace, gaps));
            }
        }
        all
    }
}

/// Records in order, packed, each with the ends of exchanges with its upstream before it.
#[derive(Debug, Clone, Default)]
pub struct Records {
    blocks: Vec<Vec<u8>>,
    common: Common,
    len: usize,
}

impl Records {
    /// Adds a record.
    pub fn push(&mut self, record: &Record, ends: &[i64]) {
        if self.blocks.last().is_none_or(|block| block.len() >= BLOCK) {
            self.blocks.last_mut().map(Vec::shrink_to_fit);
            self.blocks.push(Vec::with_capacity(BLOCK + BLOCK / 4));
        }
        let Some(block) = self.blocks.last_mut() else {
            return;
        };
        let to = &mut Writer::new(block, &mut self.common);
        pack(record, None, to);
        to.number(ends.len() as u64);
        ends.iter().for_each(|end| end.pack(to));
        self.len += 1;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forgets what is only needed to take in more.
    pub fn settle(&mut self) {
        self.blocks.last_mut().map(Vec::shrink_to_fit);
        self.blocks.shrink_to_fit();
        self.common.settle();
    }

    /// All of them, unpacked block by block.
    pub fn iter(&self) -> impl Iterator<Item = (Record, Vec<i64>)> + '_ {
        self.blocks
            .iter()
            .flat_map(|block| unpacked(block, &self.common))
    }
}

/// All of them; each block is given up as it is done with.
impl IntoIterator for Records {
    type Item = (Record, Vec<i64>);
    type IntoIter = Box<dyn Iterator<Item = Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        let common = self.common;
        let blocks = self.blocks.into_iter();
        Box::new(blocks.flat_map(move |block| unpacked(&block, &common)))
    }
}

fn unpacked<'b>(mut bytes: &'b [u8], common: &'b Common) -> Vec<(Record, Vec<i64>)> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let mut from = Reader::new(bytes, common);
        let Some(record) = unpack(None, &mut from) else { break };
        let count = from.number();
        let ends = (0..count).map(|_| i64::unpack(&mut from)).collect();
        bytes = from.rest();
        all.push((record, ends));
    }
    all
}
