//! Which inputs are read first, and what is kept of compressed ones.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use why502_parsers::format::RecordKind;

use super::passes::Reading;
use crate::model::HopId;
use crate::read;
use crate::select::packed::{Catcher, Keys, OTHERS_MOST};
use crate::select::scan::Scanned;

/// Bytes of the head of a log that are looked at.
const HEAD: usize = 64 << 10;

/// How many more ids may be remembered, for all threads together.
#[derive(Debug, Default)]
pub(super) struct Room(AtomicU64);

impl Room {
    /// Takes room for so many ids; whether there was some.
    pub(super) fn take(&self, ids: u64) -> bool {
        self.0.fetch_add(ids, Ordering::Relaxed) + ids <= OTHERS_MOST
    }
}

/// Plain logs smaller than this all together are read again sooner than their hops are put in order.
const PLAIN_FROM: u64 = 64 << 20;

/// The hop whose logs are to be read before those of others, so that these need not be read again: the one that is
/// likeliest to know most failures, since it logs how its upstreams answered; of several, the one with the least to
/// read. `None` if there is one hop only, or too little to read.
///
/// Where logs are compressed only those count.
pub(super) fn lead(readings: &[Reading<'_>]) -> Option<HopId> {
    let has_packed = readings.iter().any(|reading| !reading.input.is_plain());
    let counts = |reading: &&Reading<'_>| {
        reading.input.is_plain() != has_packed && reading.detected.kind != RecordKind::Error
    };
    let mut hops: BTreeMap<HopId, (u64, &Reading<'_>)> = BTreeMap::new();
    for reading in readings.iter().filter(counts) {
        let bytes = reading.part.map_or(0, |part| part.len);
        let (sum, largest) = hops.entry(reading.whence.hop).or_insert((0, reading));
        *sum += bytes;
        if largest.input.bytes_on_disk < reading.input.bytes_on_disk {
            *largest = reading;
        }
    }
    let all: u64 = hops.values().map(|(bytes, _)| bytes).sum();
    if hops.len() < 2 || !has_packed && all < PLAIN_FROM {
        return None;
    }
    let rank = |(&hop, &(bytes, reading)): (&HopId, &(u64, &Reading<'_>))| {
        let is_proxy = reading.whence.product.is_proxy();
        (logs_upstreams(reading), is_proxy, Reverse((bytes, hop)))
    };
    let first = hops.iter().map(rank).max();
    first.map(|(_, _, Reverse((_, hop)))| hop)
}

/// Whether `reading` is to be read before others, `lead` being the hop that goes first: plain ones beside compressed
/// ones too, and what failures say of themselves.
pub(super) fn goes_first(reading: &Reading<'_>, lead: HopId, has_packed: bool) -> bool {
    let is_early = reading.input.is_plain() && has_packed || reading.detected.kind == RecordKind::Error;
    is_early || reading.whence.hop == lead
}

/// Whether the places of lines with known ids are noted in `reading`, since they tell all about those lines.
pub(super) fn spots(reading: &Reading<'_>) -> bool {
    reading.input.is_plain() && !reading.goes_on()
}

/// Whether the first lines say how upstreams answered.
fn logs_upstreams(reading: &Reading<'_>) -> bool {
    let head = read::head(reading.input, HEAD).unwrap_or_default();
    let mut does = false;
    reading.scanner(0).scan(&head, 0, |scanned, _, _| {
        if let Scanned::Entry(entry) | Scanned::Outside(entry) = scanned {
            does |= !entry.upstream.status.is_empty();
        }
    });
    does
}

/// What keeps lines of `reading` while it is surveyed: `None` if it can be read again cheaply, or if its records are not
/// single lines.
pub(super) fn catcher(reading: &Reading<'_>, known: Arc<Keys>) -> Option<Catcher> {
    let layers = reading.detected.wrapper;
    if reading.input.is_plain() || reading.joins() || layers.cut() {
        return None;
    }
    Some(Catcher::new(known))
}
