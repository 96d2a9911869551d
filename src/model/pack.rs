//! Values of the report in few bytes: numbers in as many as they need, instants as differences, and texts that come again
//! as the number of the first.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::finding::{
    Cause, Certainty, Change, Evidence, Finding, Fix, HopRecord, Issuer, Label, RequestInfo, Rival, Subtype,
    Weight, WhatIf,
};
use super::pack_record::Shapes;
use super::record::{Attempt, Place, SourceId};
use super::{JoinedBy, Micros, ids};

/// So many texts at most are kept as words; others are written where they stand.
const MOST_WORDS: usize = 8_192;

/// Longer texts are written where they stand.
const LONGEST_WORD: usize = 512;

/// Of so many texts it is known that they came once.
const SEEN: usize = 1 << 14;

/// Texts that come again, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    list: Vec<Arc<str>>,
    numbers: FxHashMap<Arc<str>, u32>,
    /// Hashes of texts that came once, by their low bits.
    seen: Vec<u32>,
}

impl Words {
    /// The text with this number; empty if there is none.
    pub(super) fn text(&self, number: u32) -> &str {
        self.list.get(number as usize).map_or("", |text| text)
    }

    /// The number of `text`, which it has from now on.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.list.len() as u32;
        let text: Arc<str> = Arc::from(text);
        self.list.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    /// The number of `text`, if it came before.
    fn known(&mut self, text: &str) -> Option<u32> {
        if text.is_empty() || text.len() > LONGEST_WORD {
            return None;
        }
        if let Some(&number) = self.numbers.get(text) {
            return Some(number);
        }
        if self.list.len() >= MOST_WORDS {
            return None;
        }
        let hash = ids::mix(rustc_hash::FxBuildHasher.hash_one(text));
        if self.seen.is_empty() {
            self.seen = vec![0; SEEN];
        }
        let (slot, mark) = (&mut self.seen[hash as usize % SEEN], (hash >> 32) as u32 | 1);
        if *slot == mark {
            return Some(self.number(text));
        }
        *slot = mark;
        None
    }

    /// Forgets what is only needed to take in more.
    pub(super) fn settle(&mut self) {
        self.numbers = FxHashMap::default();
        self.seen = Vec::new();
        self.list.shrink_to_fit();
    }
}

/// What packed values have in common, beside their bytes.
#[derive(Debug, Clone, Default)]
pub(super) struct Common {
    pub(super) words: Words,
    pub(super) shapes: Shapes,
}

impl Common {
    /// Forgets what is only needed to take in more.
    pub(super) fn settle(&mut self) {
        self.words.settle();
        self.shapes.settle();
    }
}

/// Where values are packed.
pub(super) struct Writer<'w> {
    bytes: &'w mut Vec<u8>,
    words: &'w mut Words,
    pub(super) shapes: &'w mut Shapes,
    /// The instant written last.
    last_us: i64,
}

impl<'w> Writer<'w> {
    pub(super) fn new(bytes: &'w mut Vec<u8>, common: &'w mut Common) -> Self {
        Self {
            bytes,
            words: &mut common.words,
            shapes: &mut common.shapes,
            last_us: 0,
        }
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    /// A text, as a word if it came before.
    fn text(&mut self, text: &str) {
        match self.words.known(text) {
            Some(word) => self.number(u64::from(word) << 1 | 1),
            None => self.rare_text(text),
        }
    }

    /// A text that will hardly come again elsewhere, so that it is no word.
    pub(super) fn rare_text(&mut self, text: &str) {
        self.number((text.len() as u64) << 1);
        self.bytes.extend_from_slice(text.as_bytes());
    }
}

/// A text as it was written.
enum Text<'r> {
    Word(&'r Arc<str>),
    Bytes(&'r [u8]),
}

/// Where values are unpacked from.
pub(super) struct Reader<'r> {
    bytes: &'r [u8],
    words: &'r Words,
    pub(super) shapes: &'r Shapes,
    last_us: i64,
}

impl<'r> Reader<'r> {
    pub(super) fn new(bytes: &'r [u8], common: &'r Common) -> Self {
        Self {
            bytes,
            words: &common.words,
            shapes: &common.shapes,
            last_us: 0,
        }
    }

    /// What was not unpacked yet.
    pub(super) fn rest(&self) -> &'r [u8] {
        self.bytes
    }

    /// The next `count` bytes; none if there are fewer.
    fn take(&mut self, count: usize) -> &'r [u8] {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return &[];
        };
        self.bytes = rest;
        taken
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let Some((&byte, rest)) = self.bytes.split_first() else {
                break;
            };
            self.bytes = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn text(&mut self) -> Text<'r> {
        let number = self.number();
        let known = || self.words.list.get((number >> 1) as usize);
        match (number & 1 == 1).then(known) {
            Some(word) => word.map_or(Text::Bytes(&[]), Text::Word),
            None => Text::Bytes(self.take((number >> 1) as usize)),
        }
    }
}

/// What can be packed, and is the same when it is unpacked.
pub(super) trait Packed {
    fn pack(&self, to: &mut Writer<'_>);
    fn unpack(from: &mut Reader<'_>) -> Self;
}

impl Packed for u64 {
    fn pack(&self, to: &mut Writer<'_>) {
        to.number(*self);
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        from.number()
    }
}

macro_rules! small_numbers {
    ($($type:ident)*) => {
        $(impl Packed for $type {
            fn pack(&self, to: &mut Writer<'_>) {
                to.number(u64::from(*self));
            }

            fn unpack(from: &mut Reader<'_>) -> Self {
                from.number() as Self
            }
        })*
    };
}

small_numbers! { u8 u16 u32 }

impl Packed for bool {
    fn pack(&self, to: &mut Writer<'_>) {
        to.bytes.push(u8::from(*self));
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        from.take(1) == [1]
    }
}

impl Packed for f64 {
    fn pack(&self, to: &mut Writer<'_>) {
        to.bytes.extend_from_slice(&self.to_le_bytes());
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        from.take(8).try_into().map_or(0.0, Self::from_le_bytes)
    }
}

impl Packed for Micros {
    fn pack(&self, to: &mut Writer<'_>) {
        let apart = self.0.wrapping_sub(to.last_us);
        to.number(((apart << 1) ^ (apart >> 63)) as u64);
        to.last_us = self.0;
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        let folded = from.number();
        let apart = (folded >> 1) as i64 ^ -((folded & 1) as i64);
        from.last_us = from.last_us.wrapping_add(apart);
        Self(from.last_us)
    }
}

impl Packed for String {
    fn pack(&self, to: &mut Writer<'_>) {
        to.text(self);
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        match from.text() {
            Text::Word(word) => Self::from(&**word),
            Text::Bytes(bytes) => Self::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

impl Packed for Box<str> {
    fn pack(&self, to: &mut Writer<'_>) {
        to.text(self);
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        match from.text() {
            Text::Word(word) => Self::from(&**word),
            Text::Bytes(bytes) => Self::from(String::from_utf8_lossy(bytes)),
        }
    }
}

/// Of what is shared by many, one that is a word is shared again.
impl Packed for Arc<str> {
    fn pack(&self, to: &mut Writer<'_>) {
        to.text(self);
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        match from.text() {
            Text::Word(word) => Self::clone(word),
            Text::Bytes([]) => Self::default(),
            Text::Bytes(bytes) => Self::from(String::from_utf8_lossy(bytes)),
        }
    }
}

impl<T: Packed> Packed for Option<T> {
    fn pack(&self, to: &mut Writer<'_>) {
        self.is_some().pack(to);
        if let Some(value) = self {
            value.pack(to);
        }
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        bool::unpack(from).then(|| T::unpack(from))
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn pack(&self, to: &mut Writer<'_>) {
        to.number(self.len() as u64);
        self.iter().for_each(|value| value.pack(to));
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        (0..from.number()).map(|_| T::unpack(from)).collect()
    }
}

macro_rules! by_place_in {
    ($($type:ident $all:expr;)*) => {
        $(impl Packed for $type {
            fn pack(&self, to: &mut Writer<'_>) {
                to.number(*self as u64);
            }

            fn unpack(from: &mut Reader<'_>) -> Self {
                let number = from.number() as usize;
                $all.get(number).copied().unwrap_or($all[0])
            }
        })*
    };
}

by_place_in! {
    Cause Cause::ALL;
    Subtype Subtype::ALL;
    Certainty [Certainty::Unknown, Certainty::Possible, Certainty::Likely, Certainty::Proven];
    Weight [Weight::Proof, Weight::Strong, Weight::Weak, Weight::Counter, Weight::Context];
    JoinedBy [JoinedBy::Origin, JoinedBy::Id, JoinedBy::Address, JoinedBy::Time];
}

impl Packed for SourceId {
    fn pack(&self, to: &mut Writer<'_>) {
        self.0.pack(to);
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        Self(u32::unpack(from))
    }
}

macro_rules! field_by_field {
    ($($type:ident { $($field:ident)* })*) => {
        $(impl Packed for $type {
            fn pack(&self, to: &mut Writer<'_>) {
                let Self { $($field),* } = self;
                $($field.pack(to);)*
            }

            fn unpack(from: &mut Reader<'_>) -> Self {
                // In the order in which they were packed.
                $(let $field = Packed::unpack(from);)*
                Self { $($field),* }
            }
        })*
    };
}

field_by_field! {
    Finding {
        time id request status issuer cause subtype contributing certainty score evidence rivals missing hops fix
    }
    Label { cause subtype }
    RequestInfo { ids method host path client }
    Issuer { hop product upstream upstream_hop }
    Evidence { fact weight hop file line offset text place }
    Rival { cause subtype rejected_because }
    HopRecord {
        hop product start end logged duration_ms status joined_by ambiguous file line offset place
    }
    Fix { summary changes what_if }
    Change { hop product setting current proposed }
    WhatIf { value value_ms saved total known assumption }
    Attempt { addr status connect_us header_us response_us bytes_received }
    Place { source offset len line }
}
