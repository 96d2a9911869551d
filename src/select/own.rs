//! From a borrowed entry to a record that may outlive its block.

use std::cell::RefCell;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use why502_parsers::Glance;
use why502_parsers::entry::{Entry, Upstream};

use super::scan::{LineRef, interval};
use crate::model::record::{Attempt, Particulars, Place, Record, SourceId};
use crate::model::{HopId, Shift, ids};
use why502_parsers::Product;

/// Which input and hop an entry comes from.
#[derive(Debug, Clone, Copy)]
pub struct Whence {
    /// The input.
    pub source: SourceId,
    /// Its hop.
    pub hop: HopId,
    /// That hop's program.
    pub product: Product,
    /// What brings its stamps to the common clock.
    pub shift: Shift,
    /// Lines of the input before the scanned part.
    pub lines_before: u64,
}

/// An owned copy of `entry`. An entry without any time has stamps of `None` and a raw time of zero.
pub fn record(entry: &Entry<'_>, line: LineRef, whence: &Whence) -> Record {
    let times = interval(entry);
    let (start, end) = times.map_or((None, None), |(start, end, _)| (start, end));
    let stamp = times.map(|(_, _, stamp)| stamp);
    let text = |slice| Box::<str>::from(entry.text(slice));
    let correction_us = stamp.map_or(0, |stamp| whence.shift.at(stamp.us, line.offset));
    let corrected = |us: i64| us.saturating_add(correction_us);
    Record::from(Particulars {
        place: Place {
            source: whence.source,
            offset: line.offset,
            len: line.len,
            line: whence.lines_before + line.index + 1,
        },
        hop: whence.hop,
        product: whence.product,
        kind: entry.kind,
        start_us: start.map(corrected),
        end_us: end.map(corrected),
        raw_us: stamp.map_or(0, |stamp| stamp.us),
        resolution_us: stamp.map_or(0, |stamp| stamp.resolution_us),
        marks: stamp.map(|stamp| stamp.marks).unwrap_or_default(),
        duration_us: entry.duration_us,
        queue_us: entry.queue_us.into(),
        connect_us: entry.connect_us.into(),
        header_us: entry.header_us.into(),
        response_us: entry.response_us.into(),
        ids: exactly(entry.ids.as_slice().iter().map(|id| text(id))),
        method: shared(&entry.text(entry.method)),
        host: shared(&entry.text(entry.host)),
        path: target(entry),
        client: text(entry.client),
        client_port: entry.client_port,
        forwarded_for: text(entry.forwarded_for),
        server: shared(&entry.text(entry.server)),
        status: entry.status,
        substatus: entry.substatus,
        win32_status: entry.win32_status,
        attempts: attempts(entry, &entry.upstream),
        group: shared(&entry.text(entry.upstream.group)),
        retries: entry.upstream.retries,
        reused: entry.upstream.reused,
        local: shared(&entry.text(entry.upstream.local)),
        bytes_sent: entry.bytes_sent.into(),
        termination: shared(&entry.text(entry.termination)),
        signal: entry.signal,
        error: text(entry.error),
        level: entry.level,
        connection: entry.connection.into(),
        connection_requests: entry.connection_requests,
        pid: entry.pid,
        thread: entry.thread.into(),
    })
}

/// The key by which the entry's request is recognised on both sides of a hop.
pub fn request_key(entry: &Entry<'_>) -> u64 {
    if entry.path_base.is_empty() {
        return ids::request_key(entry.method, entry.path);
    }
    ids::request_key(entry.method, &entry.target())
}

/// The same of a request that was only glanced at.
#[inline]
pub fn glanced_key(glance: &Glance<'_>) -> u64 {
    if glance.path_base.is_empty() {
        return ids::request_key(glance.method, glance.path);
    }
    ids::request_key(glance.method, &[glance.path_base, glance.path].concat())
}

/// The target as the client sent it, base and query included.
fn target(entry: &Entry<'_>) -> Box<str> {
    Box::from(entry.escape.decode(&entry.target()))
}

fn attempts<'a>(entry: &Entry<'a>, upstream: &Upstream<'a>) -> Vec<Attempt> {
    exactly(upstream.attempts().map(|attempt| Attempt {
        addr: shared(&entry.text(attempt.addr)),
        status: attempt.status,
        connect_us: attempt.connect_us.into(),
        header_us: attempt.header_us.into(),
        response_us: attempt.response_us.into(),
        bytes_received: attempt.bytes_received.into(),
    }))
}

/// So many names are shared by the records that one thread keeps.
const SHARED: usize = 4_096;

thread_local! {
    static NAMES: RefCell<FxHashSet<Arc<str>>> = RefCell::default();
}

/// `name`, of which there are few: most records have it from one before.
fn shared(name: &str) -> Arc<str> {
    NAMES.with_borrow_mut(|names| {
        if let Some(known) = names.get(name) {
            return Arc::clone(known);
        }
        let new = Arc::from(name);
        if names.len() < SHARED {
            names.insert(Arc::clone(&new));
        }
        new
    })
}

/// The items in a list without room for more: it is kept long, and seldom has two.
fn exactly<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = items.collect();
    list.shrink_to_fit();
    list
}
