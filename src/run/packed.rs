//! Which compressed inputs are read first, and what is kept of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// The hop whose compressed logs are to be read before those of others: the one that is likeliest to know most failures,
/// since it logs how its upstreams answered; of several, the one with the least to read. `None` if no two hops have
/// compressed logs.
pub(super) fn lead(readings: &[Reading<'_>]) -> Option<HopId> {
    let packed = || readings.iter().filter(|reading| !reading.input.is_plain());
    let first = packed().next()?.whence.hop;
    if packed().all(|reading| reading.whence.hop == first) {
        return None;
    }
    let bytes = |hop: HopId| -> u64 {
        let of_hop = packed().filter(|reading| reading.whence.hop == hop);
        of_hop.map(|reading| reading.input.bytes_on_disk).sum()
    };
    packed()
        .map(|reading| {
            let hop = reading.whence.hop;
            (
                logs_upstreams(reading),
                reading.whence.product.is_proxy(),
                std::cmp::Reverse((bytes(hop), hop)),
            )
        })
        .max()
        .map(|(_, _, std::cmp::Reverse((_, hop)))| hop)
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
