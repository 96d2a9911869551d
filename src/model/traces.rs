//! Many traces or records in little memory: packed, block by block, so that those of some time can be had alone.

use std::collections::BTreeSet;
use std::ops::Range;

use super::blocks::Blocks;
use super::pack::{Common, Packed as _, Reader, Writer};
use super::pack_record::{pack, pack_trace, unpack, unpack_trace};
use super::record::Record;
use super::trace::{Link, Trace};

/// So many bytes make a block, before it is compressed.
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
    blocks: Blocks,
    /// What is in each block.
    contents: Vec<Content>,
    common: Common,
    len: usize,
}

/// What is in a block.
#[derive(Debug, Clone)]
struct Content {
    /// The numbers of its traces.
    numbers: Range<usize>,
    /// What the times of all records in it span; `None` if one has none.
    span: Option<(i64, i64)>,
}

impl Traces {
    /// Adds a trace with the gaps of its links.
    pub fn push(&mut self, trace: &Trace, gaps: &[Gap]) {
        let to = &mut Writer::new(self.blocks.open(BLOCK), &mut self.common);
        pack_trace(trace, to);
        for at in 0..trace.links.len() {
            let gap = gaps.get(at).copied().unwrap_or_default();
            gap.idle_us.pack(to);
            gap.used_up.pack(to);
        }
        let at = self.blocks.filling();
        if at == self.contents.len() {
            self.contents.push(Content {
                numbers: self.len..self.len,
                span: Some((i64::MAX, i64::MIN)),
            });
        }
        self.len += 1;
        let Some(content) = self.contents.get_mut(at) else {
            return;
        };
        content.numbers.end = self.len;
        for record in trace.links.iter().flat_map(Link::records) {
            content.span = content
                .span
                .zip(record.interval())
                .map(|(all, one)| (all.0.min(one.0), all.1.max(one.1)));
        }
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
        self.blocks.settle();
        self.common.settle();
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
        let some = self.contents.get(blocks).unwrap_or_default();
        match (some.first(), some.last()) {
            (Some(first), Some(last)) => first.numbers.start..last.numbers.end,
            _ => self.len..self.len,
        }
    }

    /// The blocks around `blocks` with every trace that has a record within `around_us` of any record in these.
    pub fn around(&self, blocks: Range<usize>, around_us: i64) -> Range<usize> {
        let own = self.contents.get(blocks.clone()).unwrap_or_default();
        let span = own
            .iter()
            .map(|content| content.span)
            .reduce(|a, b| a.zip(b).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1))));
        let Some(Some((from, to))) = span else {
            return 0..self.blocks.len();
        };
        let (from, to) = (from.saturating_sub(around_us), to.saturating_add(around_us));
        let is_near = |content: &Content| content.span.is_none_or(|span| span.0 <= to && span.1 >= from);
        let first = self.contents.iter().position(is_near);
        let last = self.contents.iter().rposition(is_near);
        match (first, last) {
            (Some(first), Some(last)) => first.min(blocks.start)..(last + 1).max(blocks.end),
            _ => blocks,
        }
    }

    /// Gives up the contents of the blocks before `block`.
    pub fn forget(&mut self, block: usize) {
        self.blocks.forget(block);
    }

    /// The trace with this number.
    pub fn get(&self, number: usize) -> Option<Trace> {
        let at = self
            .contents
            .iter()
            .position(|content| content.numbers.contains(&number))?;
        let nth = number - self.contents[at].numbers.start;
        let (trace, _) = self.unpacked(at..at + 1).into_iter().nth(nth)?;
        Some(trace)
    }

    /// All of them in order, unpacked block by block.
    pub fn iter(&self) -> impl Iterator<Item = (Trace, Vec<Gap>)> + '_ {
        (0..self.blocks.len()).flat_map(|at| self.unpacked(at..at + 1))
    }

    /// The traces of `blocks`, unpacked, with the gaps of their links.
    pub fn unpacked(&self, blocks: Range<usize>) -> Vec<(Trace, Vec<Gap>)> {
        let mut all = Vec::with_capacity(self.numbers(blocks.clone()).len());
        let mut block = Vec::new();
        for at in blocks {
            self.blocks.read(at, &mut block);
            let mut bytes = &block[..];
            let numbers = self.contents.get(at).map(|content| content.numbers.clone());
            for _ in numbers.into_iter().flatten() {
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
    blocks: Blocks,
    common: Common,
    len: usize,
}

impl Records {
    /// Adds a record.
    pub fn push(&mut self, record: &Record, ends: &[i64]) {
        let to = &mut Writer::new(self.blocks.open(BLOCK), &mut self.common);
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
        self.blocks.settle();
        self.common.settle();
    }

    /// The records of a block.
    fn unpacked(&self, block: usize) -> Vec<(Record, Vec<i64>)> {
        let (mut all, mut unpacked) = (Vec::new(), Vec::new());
        self.blocks.read(block, &mut unpacked);
        let mut bytes = &unpacked[..];
        while !bytes.is_empty() {
            let mut from = Reader::new(bytes, &self.common);
            let Some(record) = unpack(None, &mut from) else {
                break;
            };
            let count = from.number();
            let ends = (0..count).map(|_| i64::unpack(&mut from)).collect();
            bytes = from.rest();
            all.push((record, ends));
        }
        all
    }

    /// All of them, unpacked block by block.
    pub fn iter(&self) -> impl Iterator<Item = (Record, Vec<i64>)> + '_ {
        (0..self.blocks.len()).flat_map(|at| self.unpacked(at))
    }
}

/// All of them; each block is given up as it is done with.
impl IntoIterator for Records {
    type Item = (Record, Vec<i64>);
    type IntoIter = Box<dyn Iterator<Item = Self::Item>>;

    fn into_iter(self) -> Self::IntoIter {
        let mut records = self;
        let all = (0..records.blocks.len()).flat_map(move |at| {
            let some = records.unpacked(at);
            records.blocks.forget(at + 1);
            some
        });
        Box::new(all)
    }
}

#[cfg(test)]
mod tests {
    use why502_parsers::Product;
    use why502_parsers::entry::{Fault, Kind, Level, Marks, Phase, Signal};

    use super::*;
    use crate::model::{Attempt, HopId, JoinedBy, Particulars, Place, SourceId};

    /// A record with most fields, or with few.
    fn record(n: u64, is_full: bool) -> Record {
        let number = |number: u64| is_full.then_some(number * n).into();
        let text = |text: &str| {
            if is_full {
                format!("{text}{}", n % 3)
            } else {
                String::new()
            }
        };
        let attempt = Attempt {
            addr: text("10.0.0.1:80").into(),
            status: is_full.then_some(502),
            connect_us: number(3),
            bytes_received: Some(0).into(),
            ..Attempt::default()
        };
        Record::from(Particulars {
            place: Place {
                source: SourceId(n as u32 % 3),
                offset: n << (n % 40),
                len: n as u32,
                line: n * 5,
            },
            hop: HopId(n as u16 % 2),
            product: if is_full { Product::Nginx } else { Product::Iis },
            kind: if is_full { Kind::Request } else { Kind::Failure },
            start_us: is_full.then_some(-(n as i64)),
            end_us: Some(n as i64 * 1_000_000),
            raw_us: i64::MAX - n as i64,
            resolution_us: 1_000,
            marks: Marks::Event,
            duration_us: is_full.then_some(n),
            queue_us: number(1),
            connect_us: number(0),
            header_us: number(4),
            response_us: number(u64::from(u32::MAX)),
            ids: vec![format!("id-{}", n / 2).into(); usize::from(is_full) * 2],
            method: text("GET").into(),
            host: text("host").into(),
            path: text("/path").into(),
            client: text("10.1.1.1").into(),
            client_port: is_full.then_some(n as u16),
            forwarded_for: text("10.2.2.2").into(),
            server: text("10.3.3.3").into(),
            status: is_full.then_some(500 + n as u16 % 5),
            substatus: n as u16 % 2,
            win32_status: n as u32 % 7,
            attempts: vec![attempt; n as usize % 3],
            group: text("group").into(),
            retries: n as u16 % 4,
            reused: is_full.then_some(n.is_multiple_of(2)),
            local: text("10.4.4.4:5").into(),
            bytes_sent: number(9),
            termination: text("SH--").into(),
            signal: (!is_full).then_some(Signal::new(Phase::Header, Fault::Closed)),
            error: text("upstream prematurely closed \u{2013} ").into(),
            level: Level::Error,
            connection: number(77),
            connection_requests: is_full.then_some(3),
            pid: is_full.then_some(7),
            thread: number(8),
        })
    }

    fn trace(n: u64) -> Trace {
        let link = |at: u64| Link {
            hop: HopId(at as u16),
            outcome: (!n.is_multiple_of(4) || at > 0).then(|| record(n, !n.is_multiple_of(5))),
            details: (0..(n + at) % 3)
                .map(|more| record(n + more, more.is_multiple_of(2)))
                .collect(),
            unsure: n.is_multiple_of(2),
            parent: at.checked_sub(1).map(|parent| parent as usize),
            joined_by: JoinedBy::Time,
            ambiguous: n.is_multiple_of(3),
        };
        Trace {
            links: (0..n % 4).map(link).collect(),
        }
    }

    fn gaps(n: u64) -> Vec<Gap> {
        let gap = Gap {
            idle_us: (n.is_multiple_of(2)).then_some(5 - n as i64),
            used_up: (n.is_multiple_of(3)).then_some(n as u32),
        };
        vec![gap; n as usize % 4]
    }

    fn packed(count: u64) -> Traces {
        let mut traces = Traces::default();
        (0..count).for_each(|n| traces.push(&trace(n), &gaps(n)));
        traces.settle();
        traces
    }

    #[test]
    fn traces_are_unpacked_as_they_were_packed() {
        let traces = packed(400);
        assert!(traces.blocks() > 2);
        let wanted = |n: u64| format!("{:?}", (trace(n), gaps(n)));
        let found: Vec<String> = traces.iter().map(|one| format!("{one:?}")).collect();
        assert_eq!(found, (0..400).map(wanted).collect::<Vec<_>>());
        let one = traces.get(333).map(|one| format!("{one:?}"));
        assert_eq!(one, Some(format!("{:?}", trace(333))));
        assert!(traces.get(400).is_none());
        let left: Vec<String> = traces
            .without(&BTreeSet::from([1, 399]))
            .iter()
            .map(|one| format!("{one:?}"))
            .collect();
        let kept = (0..399).filter(|&n| n != 1).map(wanted);
        assert_eq!(left, kept.collect::<Vec<_>>());
    }

    #[test]
    fn records_are_unpacked_as_they_were_packed() {
        let all: Vec<(Record, Vec<i64>)> = (0..500)
            .map(|n| (record(n, !n.is_multiple_of(3)), vec![n as i64; n as usize % 4]))
            .collect();
        let mut records = Records::default();
        all.iter().for_each(|(record, ends)| records.push(record, ends));
        records.settle();
        assert_eq!(records.len(), 500);
        assert_eq!(
            format!("{:?}", records.iter().collect::<Vec<_>>()),
            format!("{all:?}")
        );
        assert_eq!(
            format!("{:?}", records.into_iter().collect::<Vec<_>>()),
            format!("{all:?}")
        );
    }

    #[test]
    fn blocks_around_some_have_every_record_of_that_time() {
        let mut traces = Traces::default();
        for n in 0..2_000 {
            // Every hundredth request began long before.
            let mut one = record(n, true);
            one.start_us = Some(n as i64 * 1_000 - if n.is_multiple_of(100) { 400_000 } else { 0 });
            one.end_us = Some(n as i64 * 1_000);
            let link = Link {
                outcome: Some(one),
                details: Vec::new(),
                ..trace(1).links.remove(0)
            };
            traces.push(&Trace { links: vec![link] }, &[]);
        }
        assert!(traces.blocks() > 6);
        let own = 3..4;
        let near = traces.numbers(traces.around(own.clone(), 5_000));
        let of = |n: usize| n as i64 * 1_000;
        let (first, last) = (
            traces.numbers(own.clone()).start,
            traces.numbers(own.clone()).end - 1,
        );
        for (n, (trace, _)) in traces.iter().enumerate() {
            let (start, end) = trace.links[0].interval().unwrap();
            let is_near = start <= of(last) + 5_000 && end >= of(first) - 5_000;
            assert!(!is_near || near.contains(&n), "{n}");
        }
        assert!(near.len() < 2_000 && near.start < first && near.end > last + 1);
    }
}
