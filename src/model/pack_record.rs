//! Records and traces in few bytes. What most records of a log have in common is written once for all, as their shape.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use why502_parsers::Product;
use why502_parsers::entry::{Kind, Level, Marks, Signal};

use super::pack::{Packed, Reader, Writer};
use super::record::{Attempt, Particulars, Place, Record, SourceId};
use super::{HopId, JoinedBy, Link, Micros, OptionU64, Trace};

/// What records have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    source: SourceId,
    hop: HopId,
    product: Product,
    kind: Kind,
    marks: Marks,
    level: Level,
    signal: Option<Signal>,
    status: Option<u16>,
    reused: Option<bool>,
    resolution_us: u32,
    /// Which of the fields are there that not all records have, a bit for each.
    has: u32,
}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // These tell nearly all shapes apart.
        (self.source, self.has, self.status, self.signal).hash(state);
    }
}

/// The shapes of packed records, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Shapes {
    list: Vec<Shape>,
    numbers: FxHashMap<Shape, u32>,
}

impl Shapes {
    fn number(&mut self, shape: Shape) -> u32 {
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(shape).or_insert(next);
        if number == next {
            self.list.push(shape);
        }
        number
    }

    /// Forgets what is only needed to take in more.
    pub(super) fn settle(&mut self) {
        self.numbers = FxHashMap::default();
    }
}

/// A value that may be lacking, which then takes no room.
trait Lacking: Sized {
    fn none() -> Self;
    fn is_there(&self) -> bool;
    fn pack_there(&self, to: &mut Writer<'_>);
    fn unpack_there(from: &mut Reader<'_>) -> Self;
}

impl<T: Packed> Lacking for Option<T> {
    fn none() -> Self {
        None
    }

    fn is_there(&self) -> bool {
        self.is_some()
    }

    fn pack_there(&self, to: &mut Writer<'_>) {
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack_there(from: &mut Reader<'_>) -> Self {
        Some(T::unpack(from))
    }
}

macro_rules! lacking_by_value {
    ($($type:ty, $none:expr, $is_there:expr;)*) => {
        $(impl Lacking for $type {
            fn none() -> Self {
                $none
            }

            fn is_there(&self) -> bool {
                $is_there(self)
            }

            fn pack_there(&self, to: &mut Writer<'_>) {
                self.pack(to);
            }

            fn unpack_there(from: &mut Reader<'_>) -> Self {
                Self::unpack(from)
            }
        })*
    };
}

lacking_by_value! {
    u16, 0, |number: &Self| *number != 0;
    u32, 0, |number: &Self| *number != 0;
    OptionU64, Self::NONE, |number: &Self| number.get().is_some();
    Box<str>, Self::default(), |text: &Self| !text.is_empty();
    Arc<str>, Self::default(), |text: &Self| !text.is_empty();
    Vec<Attempt>, Self::new(), |list: &Self| !list.is_empty();
}

impl Packed for OptionU64 {
    fn pack(&self, to: &mut Writer<'_>) {
        to.number(self.get().map_or(0, |number| number + 1));
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        from.number().checked_sub(1).into()
    }
}

impl Packed for i64 {
    fn pack(&self, to: &mut Writer<'_>) {
        Micros(*self).pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        Micros::unpack(from).0
    }
}

/// Bits of [`Shape::has`] beside those of the fields that may be lacking: whether there is a path, and whether path and
/// ids are those of the record before.
const PATH: u32 = 1 << 29;
const SAME_PATH: u32 = 1 << 30;
const SAME_IDS: u32 = 1 << 31;

macro_rules! fields_that_may_be_lacking {
    ($($field:ident)*) => {
        /// Which of the fields are there.
        fn fields_there(record: &Particulars) -> u32 {
            let (mut has, mut bit) = (0, 1);
            $(
                has |= if record.$field.is_there() { bit } else { 0 };
                bit <<= 1;
            )*
            debug_assert!(bit <= PATH);
            has
        }

        fn pack_fields(record: &Particulars, to: &mut Writer<'_>) {
            $(if record.$field.is_there() {
                record.$field.pack_there(to);
            })*
        }

        /// Reads the fields that `shape` has, in the order in which they were written.
        fn unpack_fields(shape: &Shape, (place, raw_us): (Place, i64), from: &mut Reader<'_>) -> Particulars {
            let mut has = shape.has;
            $(
                let $field = if has & 1 == 1 {
                    Lacking::unpack_there(from)
                } else {
                    Lacking::none()
                };
                has >>= 1;
            )*
            let _ = has;
            let &Shape { hop, product, kind, marks, level, signal, status, reused, resolution_us, .. } = shape;
            Particulars {
                place, hop, product, kind, raw_us, resolution_us, marks, status, reused, signal, level,
                ids: Vec::new(),
                path: Box::default(),
                $($field,)*
            }
        }
    };
}

fields_that_may_be_lacking! {
    start_us end_us duration_us queue_us connect_us header_us response_us method host client client_port forwarded_for
    server substatus win32_status attempts group retries local bytes_sent termination error connection
    connection_requests pid thread
}

/// A record in its turn: one of the same request often has the ids and the path of the one before.
pub(super) fn pack(record: &Record, before: Option<&Record>, to: &mut Writer<'_>) {
    let has_path = !record.path.is_empty();
    let same_path = has_path && before.is_some_and(|before| before.path == record.path);
    let same_ids = before.is_some_and(|before| before.ids == record.ids);
    let shape = Shape {
        source: record.place.source,
        hop: record.hop,
        product: record.product,
        kind: record.kind,
        marks: record.marks,
        level: record.level,
        signal: record.signal,
        status: record.status,
        reused: record.reused,
        resolution_us: record.resolution_us,
        has: fields_there(record)
            | if has_path { PATH } else { 0 }
            | if same_path { SAME_PATH } else { 0 }
            | if same_ids { SAME_IDS } else { 0 },
    };
    let number = to.shapes.number(shape);
    number.pack(to);
    record.place.offset.pack(to);
    record.place.len.pack(to);
    record.place.line.pack(to);
    record.raw_us.pack(to);
    pack_fields(record, to);
    if has_path && !same_path {
        record.path.pack(to);
    }
    if !same_ids {
        to.number(record.ids.len() as u64);
        record.ids.iter().for_each(|id| to.rare_text(id));
    }
}

/// The same record again. `None` if there is none.
pub(super) fn unpack(before: Option<&Record>, from: &mut Reader<'_>) -> Option<Record> {
    let number = u32::unpack(from);
    let shape = from.shapes.list.get(number as usize)?;
    let place = Place {
        source: shape.source,
        offset: u64::unpack(from),
        len: u32::unpack(from),
        line: u64::unpack(from),
    };
    let raw_us = i64::unpack(from);
    let mut record = unpack_fields(shape, (place, raw_us), from);
    if shape.has & SAME_PATH != 0 {
        record.path = before.map(|before| before.path.clone()).unwrap_or_default();
    } else if shape.has & PATH != 0 {
        record.path = Packed::unpack(from);
    }
    if shape.has & SAME_IDS != 0 {
        record.ids = before.map(|before| before.ids.clone()).unwrap_or_default();
    } else {
        record.ids = Packed::unpack(from);
    }
    Some(Record::from(record))
}

/// A trace, its links in order, and in each the records in order.
pub(super) fn pack_trace(trace: &Trace, to: &mut Writer<'_>) {
    let mut before = None;
    to.number(trace.links.len() as u64);
    for link in &trace.links {
        link.hop.0.pack(to);
        let parent = link.parent.map_or(0, |parent| parent as u64 + 1);
        to.number(parent);
        link.joined_by.pack(to);
        (u8::from(link.unsure) << 1 | u8::from(link.ambiguous)).pack(to);
        to.number((link.details.len() as u64) << 1 | u64::from(link.outcome.is_some()));
        for record in link.records() {
            pack(record, before, to);
            before = Some(record);
        }
    }
}

/// The same trace again.
pub(super) fn unpack_trace(from: &mut Reader<'_>) -> Trace {
    let count = from.number() as usize;
    let mut links: Vec<Link> = Vec::with_capacity(count.min(MOST_AT_ONCE));
    for _ in 0..count {
        let hop = HopId(u16::unpack(from));
        let parent = from.number().checked_sub(1).map(|parent| parent as usize);
        let joined_by = JoinedBy::unpack(from);
        let flags = u8::unpack(from);
        let records = from.number();
        let mut link = Link {
            hop,
            outcome: None,
            details: Vec::with_capacity((records as usize >> 1).min(MOST_AT_ONCE)),
            unsure: flags & 2 != 0,
            parent,
            joined_by,
            ambiguous: flags & 1 != 0,
        };
        let last = links.last().and_then(|link| link.records().last());
        if records & 1 == 1 {
            link.outcome = unpack(last, from);
        }
        for _ in 0..records >> 1 {
            let before = link.records().last().or(last);
            let Some(record) = unpack(before, from) else { break };
            link.details.push(record);
        }
        links.push(link);
    }
    Trace { links }
}

/// Lists are not made larger than this before their items were seen.
const MOST_AT_ONCE: usize = 64;
