//! A record that is kept: a failure, or what belongs to one. Owned, compact, corrected to the common clock.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use why502_parsers::Product;
use why502_parsers::entry::{Kind, Level, Marks, Signal};

use super::{HopId, OptionU64};

/// Stamps coarser than this (microseconds) say nothing about idle gaps of seconds.
pub const FINE_US: u32 = 100_000;

/// Longest record of several lines that is read whole, in bytes beyond its first line; what goes on beyond is read line
/// by line.
pub const RECORD_MOST: usize = 64 << 10;

/// Index of an input file in the run's list of inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u32);

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Input file.
    pub source: SourceId,
    /// Byte offset of the line in the (decompressed) file.
    pub offset: u64,
    /// Its length in bytes, line end excluded.
    pub len: u32,
    /// Line number, from 1.
    pub line: u64,
}

/// One kept record of one hop. It is passed from hand to hand, so that what it tells stays in its place.
#[derive(Debug, Clone)]
pub struct Record(Box<Particulars>);

impl Record {
    /// What it tells, given up.
    pub fn particulars(self) -> Particulars {
        *self.0
    }
}

impl From<Particulars> for Record {
    fn from(particulars: Particulars) -> Self {
        Self(Box::new(particulars))
    }
}

impl Deref for Record {
    type Target = Particulars;

    #[inline]
    fn deref(&self) -> &Particulars {
        &self.0
    }
}

impl DerefMut for Record {
    #[inline]
    fn deref_mut(&mut self) -> &mut Particulars {
        &mut self.0
    }
}

/// What a record tells.
#[derive(Debug, Clone)]
pub struct Particulars {
    /// Where it stands. Unique: the identity of a record.
    pub place: Place,
    /// The hop that wrote it.
    pub hop: HopId,
    /// That hop's program.
    pub product: Product,
    /// Outcome of a request, failure, event or step.
    pub kind: Kind,
    /// Start of the request, corrected clock, if known. The true start is within `[start_us, start_us + resolution_us)`.
    pub start_us: Option<i64>,
    /// End of the request or the instant of the event, corrected clock, if known; same uncertainty.
    pub end_us: Option<i64>,
    /// The stamp as logged (civil time read as UTC where the zone was unknown), for display.
    pub raw_us: i64,
    /// Resolution of the stamp.
    pub resolution_us: u32,
    /// Which instant the stamp marks.
    pub marks: Marks,
    /// See the fields of the same names of [`why502_parsers::Entry`].
    pub duration_us: Option<u64>,
    /// Wait for a connection slot.
    pub queue_us: OptionU64,
    /// Connect time of the last attempt.
    pub connect_us: OptionU64,
    /// Time to the response header.
    pub header_us: OptionU64,
    /// Time to the end of the upstream exchange.
    pub response_us: OptionU64,
    /// Ids as written, escapes undone.
    pub ids: Vec<Box<str>>,
    /// Method, empty if not logged.
    pub method: Arc<str>,
    /// Host, empty if not logged.
    pub host: Arc<str>,
    /// Request target, query joined to it with `?` where it is logged apart; empty if not logged.
    pub path: Box<str>,
    /// Peer address without port, empty if not logged.
    pub client: Box<str>,
    /// Peer port.
    pub client_port: Option<u16>,
    /// `X-Forwarded-For`, empty if not logged.
    pub forwarded_for: Box<str>,
    /// Address this hop listened on, empty if not logged.
    pub server: Arc<str>,
    /// Status sent.
    pub status: Option<u16>,
    /// IIS substatus.
    pub substatus: u16,
    /// IIS `sc-win32-status`.
    pub win32_status: u32,
    /// Upstream attempts in order.
    pub attempts: Vec<Attempt>,
    /// Backend or upstream group, empty if not logged.
    pub group: Arc<str>,
    /// Retries as counted by the product, attempts not listed.
    pub retries: u16,
    /// Whether the upstream connection had been used before, if the product says.
    pub reused: Option<bool>,
    /// Local address of the connection to the upstream, empty if not logged.
    pub local: Arc<str>,
    /// Bytes sent to the peer.
    pub bytes_sent: OptionU64,
    /// Termination state as written.
    pub termination: Arc<str>,
    /// What went wrong.
    pub signal: Option<Signal>,
    /// Error text.
    pub error: Box<str>,
    /// Severity.
    pub level: Level,
    /// Serial of the client connection.
    pub connection: OptionU64,
    /// Requests carried by it.
    pub connection_requests: Option<u32>,
    /// Process id.
    pub pid: Option<u32>,
    /// Thread within the process.
    pub thread: OptionU64,
}

/// One upstream attempt, owned. See [`why502_parsers::entry::Attempt`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Address, name, or group name as written.
    pub addr: Arc<str>,
    /// Status the attempt ended with.
    pub status: Option<u16>,
    /// Connect time; `None` where never connected.
    pub connect_us: OptionU64,
    /// Time to the header; `None` where none came.
    pub header_us: OptionU64,
    /// Length of the attempt.
    pub response_us: OptionU64,
    /// Bytes received.
    pub bytes_received: OptionU64,
}

impl Record {
    /// The interval of the request as far as it is known; a missing end is filled from the other.
    #[inline]
    pub fn interval(&self) -> Option<(i64, i64)> {
        let start = self.start_us.or(self.end_us)?;
        let end = self.end_us.or(self.start_us)?;
        Some((start, end.max(start)))
    }

    /// The end, also where it only follows from the start and how long the exchange took.
    pub fn ended_us(&self) -> Option<i64> {
        let later = || {
            let lasted = i64::try_from(self.response_us.get().or(self.duration_us)?).ok()?;
            self.start_us?.checked_add(lasted)
        };
        self.end_us.or_else(later)
    }

    /// The path without its query.
    pub fn bare_path(&self) -> &str {
        self.path.split(['?', '#']).next().unwrap_or_default()
    }

    /// The last upstream attempt.
    pub fn last_attempt(&self) -> Option<&Attempt> {
        self.attempts.last()
    }
}
