//! What counting needs of a line about a request: taken without reading the rest of the line.
//!
//! Nearly every line of a log tells of a request that went well. Such a line is counted and sampled, and of that only
//! a few values are needed; finding out how it is to be read takes longer than reading them. A parser that can do with
//! a glance gives those values exactly as [`crate::Entry`] would have them; wherever it is not sure it gives none, and
//! the line is parsed.

use crate::entry::{Entry, Fault, Ids, Kind, Signal, Stamp};

/// The values of one request that are counted. Each is what [`Entry`] has under the same name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glance<'a> {
    /// When, with the instant it marks.
    pub time: Option<Stamp>,
    /// Microseconds from start to end.
    pub duration_us: Option<u64>,
    /// Status sent to the peer.
    pub status: Option<u16>,
    /// Ids, in the order of the line.
    pub ids: Ids<'a>,
    /// Method.
    pub method: &'a [u8],
    /// Target as logged.
    pub path: &'a [u8],
    /// What stands before the path although the line leaves it out.
    pub path_base: &'static [u8],
    /// Address of the last attempt at an upstream; empty if it names none.
    pub upstream: &'a [u8],
    /// How that attempt ended.
    pub upstream_status: Option<u16>,
    /// Whether the line names an upstream at all.
    pub names_upstream: bool,
    /// Requests that the client's connection had carried, this one included.
    pub connection_requests: Option<u32>,
    /// The process that served it.
    pub pid: Option<u32>,
}

impl<'a> Glance<'a> {
    /// What a glance at the line of `entry`, a request, shows if it shows anything.
    pub fn of(entry: &Entry<'a>) -> Self {
        let names_upstream = !entry.upstream.addr.is_empty();
        let last = names_upstream.then(|| entry.upstream.answers().last()).flatten();
        let (upstream, upstream_status) = last.unwrap_or_default();
        Self {
            time: entry.time,
            duration_us: entry.duration_us,
            status: entry.status,
            ids: entry.ids,
            method: entry.method,
            path: entry.path,
            path_base: entry.path_base,
            upstream,
            upstream_status,
            names_upstream,
            connection_requests: entry.connection_requests,
            pid: entry.pid,
        }
    }

    /// Whether a glance may show `entry`: a request for which one attempt at most was made, and of which the line does
    /// not say that anything went wrong but what its status and a client that went away tell.
    pub fn may_show(entry: &Entry<'_>) -> bool {
        let tells = |signal: Signal| !matches!(signal.fault, Fault::ClientGone | Fault::UpstreamStatus);
        let is_retried = entry.upstream.retries > 0 || entry.upstream.attempts().nth(1).is_some();
        entry.kind == Kind::Request && !is_retried && !entry.signal.is_some_and(tells)
    }
}
