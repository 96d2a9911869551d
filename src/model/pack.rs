//! Values of the report in few bytes: numbers in as many as they need, instants as differences, and texts that come again
//! as the number of the first.

use std::hash::BuildHasher as _;

use rustc_hash::FxHashMap;

use super::finding::{
    Cause, Certainty, Change, Evidence, Finding, Fix, HopRecord, Issuer, Label, RequestInfo, Rival, Subtype,
    Weight, WhatIf,
};
use super::record::{Place, SourceId};
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
    list: Vec<Box<str>>,
    numbers: FxHashMap<Box<str>, u32>,
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
        self.list.push(Box::from(text));
        self.numbers.insert(Box::from(text), number);
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

/// Where values are packed.
pub(super) struct Writer<'w> {
    bytes: &'w mut Vec<u8>,
    words: &'w mut Words,
    /// The instant written last.
    last_us: i64,
}

impl<'w> Writer<'w> {
    pub(super) fn new(bytes: &'w mut Vec<u8>, words: &'w mut Words) -> Self {
        Self {
            bytes,
            words,
            last_us: 0,
        }
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

/// Where values are unpacked from.
pub(super) struct Reader<'r> {
    bytes: &'r [u8],
    words: &'r Words,
    last_us: i64,
}

impl<'r> Reader<'r> {
    pub(super) fn new(bytes: &'r [u8], words: &'r Words) -> Self {
        Self {
            bytes,
            words,
            last_us: 0,
        }
    }

    /// The next `count` bytes; none if there are fewer.
    fn take(&mut self, count: usize) -> &'r [u8] {
        let Some((taken, rest)) = self.bytes.split_at_checked(count) else {
            return &[];
        };
        self.bytes = rest;
        taken
    }

    fn number(&mut self) -> u64 {
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

small_numbers! { u16 u32 }

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
        if let Some(word) = to.words.known(self) {
            to.number(u64::from(word) << 1 | 1);
            return;
        }
        to.number((self.len() as u64) << 1);
        to.bytes.extend_from_slice(self.as_bytes());
    }

    fn unpack(from: &mut Reader<'_>) -> Self {
        let number = from.number();
        if number & 1 == 1 {
            return from.words.text((number >> 1) as u32).to_owned();
        }
        let bytes = from.take((number >> 1) as usize);
        Self::from_utf8_lossy(bytes).into_owned()
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
    Place { source offset len line }
}
