//! Timeouts and keep-alives of a hop, with where each value comes from.

use why502_parsers::Product;

/// Which of a hop's timers or limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LimitKind {
    /// Connecting to the upstream.
    Connect,
    /// TLS handshake with the upstream, where the product has a timer of its own for it.
    TlsHandshake,
    /// Waiting for the response header, or between two reads of the response.
    Read,
    /// Sending the request, between two writes.
    Send,
    /// The whole exchange.
    Total,
    /// Waiting in the hop's own queue.
    Queue,
    /// How long an idle connection to the upstream is kept for reuse (`K_d`).
    UpstreamIdle,
    /// How long an idle connection from the client (or the hop before) is kept open (`K_u`).
    ClientIdle,
    /// A worker busy for longer is killed.
    WorkerKill,
    /// How long requests in flight may go on when their worker is told to stop.
    Drain,
    /// The age at which a worker is replaced, whatever it does.
    Recycle,
}

/// One limit of one hop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Which.
    pub kind: LimitKind,
    /// Its value in microseconds; `None` means no limit.
    pub value_us: Option<u64>,
    /// The setting's name as the product spells it (`proxy_read_timeout`).
    pub setting: String,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Where a limit's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A server's configuration file.
    File {
        /// The file as reports name it.
        file: String,
        /// Line number, from 1.
        line: u32,
    },
    /// The product's documented default.
    Default {
        /// Whose.
        product: Product,
    },
    /// Learnt from a pile-up of durations or idle gaps.
    Learnt {
        /// How many records support it.
        support: u32,
    },
    /// Given by the user.
    Given,
}

impl Origin {
    /// Whether someone wrote the value down (as against a default or an inference).
    pub fn is_configured(&self) -> bool {
        matches!(self, Self::File { .. } | Self::Given)
    }
}
