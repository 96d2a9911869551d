//! One log record, normalised: the same fields with the same units for every product.

use std::borrow::Cow;

/// One record of one hop, borrowed from the line it was read from.
///
/// Text fields are slices of the line as it was written (still escaped: see [`Entry::escape`] and
/// [`Entry::text`]); an empty slice means the line does not say. Durations are microseconds.
#[derive(Debug, Clone, Default)]
pub struct Entry<'a> {
    /// Request, failure or event.
    pub kind: Kind,
    /// When, if the line says.
    pub time: Option<Stamp>,
    /// From the first byte of the request to the end of the response, as this hop measured it.
    pub duration_us: Option<u64>,
    /// Waiting for a connection slot (HAProxy `Tw`).
    pub queue_us: Option<u64>,
    /// Connecting to the upstream, TLS included where the product includes it. The last attempt's, if several.
    pub connect_us: Option<u64>,
    /// From the start of the upstream exchange to its response header.
    pub header_us: Option<u64>,
    /// From the start of the upstream exchange to its end.
    pub response_us: Option<u64>,
    /// Request, trace and message ids.
    pub ids: Ids<'a>,
    /// Request method.
    pub method: &'a [u8],
    /// `Host` header or server name, port included if written.
    pub host: &'a [u8],
    /// Request target as logged: path, with the query if the log has it.
    pub path: &'a [u8],
    /// What stands before [`Entry::path`] in the request although the line leaves it out: `/` for Edge Microgateway, else empty.
    pub path_base: &'static [u8],
    /// Query, where the product logs it apart from the path (IIS).
    pub query: &'a [u8],
    /// Peer address of the connection the request came in on.
    pub client: &'a [u8],
    /// Peer port of that connection.
    pub client_port: Option<u16>,
    /// `X-Forwarded-For`, if logged.
    pub forwarded_for: &'a [u8],
    /// Address (and `:port`) this hop listened on, if logged.
    pub server: &'a [u8],
    /// Status sent to the peer. `None` if nothing was sent or the record is not of a request.
    pub status: Option<u16>,
    /// Substatus and Windows status (IIS), zero otherwise.
    pub substatus: u16,
    /// `sc-win32-status` (IIS), zero otherwise.
    pub win32_status: u32,
    /// What the upstream did, attempt by attempt.
    pub upstream: Upstream<'a>,
    /// Bytes sent to the peer.
    pub bytes_sent: Option<u64>,
    /// HAProxy's termination state and the like, as written.
    pub termination: &'a [u8],
    /// What went wrong, in the model's terms, if the line says.
    pub signal: Option<Signal>,
    /// Error text as written.
    pub error: &'a [u8],
    /// Severity.
    pub level: Level,
    /// Serial of the connection the request came in on, unique within one server process's life (nginx `*N`, `$connection`).
    pub connection: Option<u64>,
    /// How many requests that connection had carried, this one included.
    pub connection_requests: Option<u32>,
    /// Operating-system process that wrote the line.
    pub pid: Option<u32>,
    /// Thread within it, where one thread works on one request at a time (Apache).
    pub thread: Option<u64>,
    /// How the text fields are escaped.
    pub escape: Escape,
}

impl<'a> Entry<'a> {
    /// Makes the entry empty again, for the next line.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The request target as the client sent it, still escaped: what the line leaves out or logs apart put back.
    pub fn target(&self) -> Cow<'a, [u8]> {
        if self.path_base.is_empty() && self.query.is_empty() {
            return Cow::Borrowed(self.path);
        }
        let mark: &[u8] = if self.query.is_empty() { b"" } else { b"?" };
        Cow::Owned([self.path_base, self.path, mark, self.query].concat())
    }

    /// `slice` (one of this entry's text fields) with the format's escapes undone, invalid UTF-8 replaced.
    pub fn text(&self, slice: &'a [u8]) -> Cow<'a, str> {
        self.escape.decode(slice)
    }
}

/// What kind of thing a record tells of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A request that was answered or given up, with its outcome.
    #[default]
    Request,
    /// A failure that belongs to a request (an error-log line, a step of a request).
    Failure,
    /// Something about the server as a whole: a worker died, a reload, a server marked down.
    Event,
    /// A step of a request that is neither its outcome nor a failure (Edge Microgateway `targetRequest`),
    /// or a log line that is about no request.
    Note,
}

/// A point in time as a log line gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Microseconds since the Unix epoch. Where [`Stamp::zone`] is not `Known`, the civil time read as if it were UTC.
    pub us: i64,
    /// How far `us` may be off because of the stamp's resolution: the true time is in `[us, us + resolution_us)`.
    pub resolution_us: u32,
    /// Whether the line says its zone.
    pub zone: Zone,
    /// Which instant of the request it is.
    pub marks: Marks,
}

/// What a stamp says about its time zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Zone {
    /// The offset is in the line, or the format is always UTC.
    #[default]
    Known,
    /// Local time of the server, offset not logged.
    Local,
    /// Local time without offset and without year (RFC 3164); the year of `us` is a guess.
    LocalNoYear,
}

/// Which instant of a request a stamp marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Marks {
    /// When the request began; the end is that plus the duration.
    Start,
    /// When the line was written, at the end of the request.
    #[default]
    End,
    /// When something happened that has no duration.
    Event,
}

/// Ids found in one record, at most [`Ids::MOST`]; further ones are dropped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ids<'a> {
    len: u8,
    values: [&'a [u8]; 4],
}

impl<'a> Ids<'a> {
    /// How many ids a record keeps.
    pub const MOST: usize = 4;

    /// Adds an id unless it is empty, `-`, already there or one too many.
    #[inline]
    pub fn push(&mut self, id: &'a [u8]) {
        let n = self.len as usize;
        if id.is_empty() || id == b"-" || n == Self::MOST || self.as_slice().contains(&id) {
            return;
        }
        self.values[n] = id;
        self.len += 1;
    }

    /// The ids, in the order in which the line gives them.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        &self.values[..self.len as usize]
    }
}

/// What a record says of the upstream side. Lists as written: one value per attempt.
#[derive(Debug, Clone, Copy, Default)]
pub struct Upstream<'a> {
    /// Addresses (`host:port`), a server's name, or a group's name where no server was chosen.
    pub addr: &'a [u8],
    /// Status per attempt; `-` where none came.
    pub status: &'a [u8],
    /// Connect time per attempt.
    pub connect: &'a [u8],
    /// Time to the response header per attempt.
    pub header: &'a [u8],
    /// Time to the end of the response per attempt.
    pub response: &'a [u8],
    /// Bytes received per attempt.
    pub bytes_received: &'a [u8],
    /// Name of the backend or upstream group.
    pub group: &'a [u8],
    /// How many microseconds one unit of the times in the lists is (nginx: a second, with decimals).
    pub unit_us: u32,
    /// What stands between the values of the lists; zero for nginx's `, ` and ` : `.
    pub separator: u8,
    /// Retries the product counts instead of listing attempts (HAProxy `rc`).
    pub retries: u16,
    /// Whether the upstream connection had been used before, if the product says.
    pub reused: Option<bool>,
    /// The local address and port of the connection to the upstream, if logged.
    pub local: &'a [u8],
}

/// One attempt at one upstream server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// Address as written.
    pub addr: &'a [u8],
    /// Status the attempt ended with, as the product counts it (nginx writes 502 for a failed one).
    pub status: Option<u16>,
    /// Connect time; `None` where the connection was never made.
    pub connect_us: Option<u64>,
    /// Time to the response header; `None` where none came.
    pub header_us: Option<u64>,
    /// Length of the attempt.
    pub response_us: Option<u64>,
    /// Bytes received from the upstream.
    pub bytes_received: Option<u64>,
}

impl<'a> Upstream<'a> {
    /// The attempts in order. Empty if the record names no upstream at all.
    pub fn attempts(&self) -> impl Iterator<Item = Attempt<'a>> + use<'a> {
        let unit = u64::from(self.unit_us);
        let list = |text| list(text, self.separator);
        let mut connect = list(self.connect);
        let mut header = list(self.header);
        let mut response = list(self.response);
        let mut bytes = list(self.bytes_received);
        self.answers().map(move |(addr, status)| {
            let time = |v: Option<&[u8]>| v.and_then(|v| crate::bytes::decimal_scaled(v, unit));
            Attempt {
                addr,
                status,
                connect_us: time(connect.next()),
                header_us: time(header.next()),
                response_us: time(response.next()),
                bytes_received: bytes.next().and_then(crate::bytes::number),
            }
        })
    }

    /// Address and status of the attempts, in order.
    pub fn answers(&self) -> impl Iterator<Item = (&'a [u8], Option<u16>)> + use<'a> {
        let mut addr = list(self.addr, self.separator);
        let mut status = list(self.status, self.separator);
        std::iter::from_fn(move || {
            let (a, s) = (addr.next(), status.next());
            if a.is_none() && s.is_none() {
                return None;
            }
            let status = s
                .and_then(crate::bytes::number)
                .and_then(|n| u16::try_from(n).ok());
            Some((a.unwrap_or_default(), status))
        })
    }

    /// The last attempt, the one that decided the outcome.
    pub fn last(&self) -> Option<Attempt<'a>> {
        self.attempts().last()
    }
}

/// Splits a list of attempts at `separator`; at zero nginx's: `, ` between servers, ` : ` between internal redirects.
fn list(mut text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        if text.is_empty() {
            return None;
        }
        let cut = match separator {
            0 => nginx_cut(text),
            byte => memchr::memchr(byte, text).map(|at| (at, 1)),
        };
        let (item, rest) = match cut {
            Some((at, len)) => (&text[..at], &text[at + len..]),
            None => (text, &text[text.len()..]),
        };
        text = rest;
        Some(item)
    })
}

/// Where the first value of nginx's list ends, and how many bytes part it from the next.
fn nginx_cut(text: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        // Most lists have one value, and no space.
        let space = from + crate::bytes::find_near(b' ', &text[from..])?;
        if space > 0 && text[space - 1] == b',' {
            return Some((space - 1, 2));
        }
        if text[space..].starts_with(b" : ") {
            return Some((space, 3));
        }
        from = space + 1;
    }
}

/// A failure or event, in terms that hold for every product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signal {
    /// In which part of the exchange.
    pub phase: Phase,
    /// What happened.
    pub fault: Fault,
}

impl Signal {
    /// The signal "`fault` in `phase`".
    pub const fn new(phase: Phase, fault: Fault) -> Self {
        Self { phase, fault }
    }
}

/// Part of an exchange in which something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Phase {
    /// Choosing a server, or waiting in the hop's own queue.
    Queue,
    Resolve,
    Connect,
    /// TLS handshake with the upstream.
    Tls,
    /// Connecting, TLS included: the product does not tell them apart.
    ConnectOrTls,
    /// Sending the request.
    Send,
    /// Waiting for the response header.
    Header,
    /// Receiving the response body.
    Body,
    /// On the client's side.
    Client,
    /// The server process itself.
    Process,
    /// The product does not say.
    Unknown,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Fault {
    /// This hop's own timer expired.
    TimedOut,
    Refused,
    Unreachable,
    /// RST.
    Reset,
    /// FIN, or an end of file where more was due, with no byte of the answer received or none known.
    Closed,
    /// FIN after part of the response header.
    ClosedPartial,
    /// RST or FIN: the product does not tell which.
    ResetOrClosed,
    BrokenPipe,
    /// The handshake was refused: alert, RST or FIN during it.
    TlsRejected,
    CertificateRejected,
    /// Another protocol was spoken (TLS to a plain port, HTTP/2 mismatch).
    ProtocolMismatch,
    HeaderTooBig,
    MalformedHeader,
    BadFraming,
    /// The hop's own rules rejected the answer.
    PolicyBlocked,
    /// Some invalid response; the product does not say which kind.
    InvalidResponse,
    /// Name resolution failed with an answer (no such host).
    NameNotFound,
    /// No server was available to try.
    NoLiveUpstream,
    /// Waited too long in a queue.
    QueueTimedOut,
    /// A queue or pool was full.
    QueueFull,
    /// The kernel's accept queue of a local socket was full (EAGAIN).
    BacklogFull,
    /// Ports, memory or descriptors of this hop ran out.
    ResourceExhausted,
    /// The client (or the hop before) went away first.
    ClientGone,
    /// The upstream closed a connection while it was idle and this hop noticed before or while sending.
    IdleClosed,
    /// A complete error response came from the upstream.
    UpstreamStatus,
    /// A worker exceeded its server's own time limit and was killed.
    WorkerTimedOut,
    /// A worker process died or was killed.
    WorkerCrashed,
    /// A worker or server began to stop in an orderly way (reload, recycle, deploy).
    Stopping,
    /// A worker or server started.
    Started,
    OutOfMemory,
    /// A health check or failure count took an upstream server out of rotation.
    ServerDown,
    /// An upstream server came back into rotation.
    ServerUp,
    /// The application pool's worker was recycled.
    Recycled,
    /// All workers or threads are busy; the limit was reached.
    WorkersExhausted,
    /// Something else; the text says what.
    Other,
}

/// Severity of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Level {
    #[default]
    None,
    Debug,
    Info,
    Warning,
    Error,
    Critical,
}

/// How a format escapes its text fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Escape {
    /// Not at all.
    #[default]
    None,
    /// `\xHH`, `\"`, `\\`, `\n` and kin (nginx, Apache).
    Backslash,
    /// JSON string escapes.
    Json,
    /// `#HH` (HAProxy).
    HashHex,
    /// XML's entities: `&amp;`, `&#10;`.
    Xml,
}

impl Escape {
    /// `slice` with escapes undone and invalid UTF-8 replaced. Borrowed when there was nothing to undo.
    pub fn decode(self, slice: &[u8]) -> Cow<'_, str> {
        let mark = match self {
            Self::None => return String::from_utf8_lossy(slice),
            Self::Backslash | Self::Json => b'\\',
            Self::HashHex => b'#',
            Self::Xml => b'&',
        };
        if memchr::memchr(mark, slice).is_none() {
            return String::from_utf8_lossy(slice);
        }
        let bytes = match self {
            Self::Json => crate::bytes::unescape_json(slice),
            Self::HashHex => crate::bytes::unescape_hash(slice),
            Self::Xml => crate::bytes::unescape_xml(slice),
            Self::None | Self::Backslash => crate::bytes::unescape_backslash(slice),
        };
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempt_lists_are_taken_apart_with_their_gaps() {
        let upstream = Upstream {
            addr: b"10.0.0.1:80, 10.0.0.2:80 : unix:/a.sock",
            status: b"502, 504 : 200",
            connect: b"-, 0.001 : 0.000",
            header: b"-, - : 0.020",
            response: b"0.000, 3.002 : 0.021",
            unit_us: 1_000_000,
            ..Upstream::default()
        };
        let attempts: Vec<_> = upstream.attempts().collect();
        assert_eq!(attempts.len(), 3);
        assert_eq!(attempts[0].connect_us, None);
        assert_eq!(attempts[1].response_us, Some(3_002_000));
        assert_eq!(attempts[2].addr, b"unix:/a.sock");
        assert_eq!(attempts[2].header_us, Some(20_000));
    }

    #[test]
    fn a_list_is_cut_at_its_first_comma_or_colon_with_its_spaces() {
        for (text, want) in [
            (&b"0.026"[..], None),
            (b"a b", None),
            (b"a,b", None),
            (b"a, b", Some((1, 2))),
            (b"a : b, c", Some((1, 3))),
            (b"a b, c : d", Some((3, 2))),
            (b", : ", Some((0, 2))),
            (b" : ", Some((0, 3))),
            (b"a  : b", Some((2, 3))),
            (b"a :", None),
            (b"", None),
        ] {
            assert_eq!(nginx_cut(text), want, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn an_id_is_kept_once_and_a_dash_never() {
        let mut ids = Ids::default();
        ids.push(b"-");
        ids.push(b"a");
        ids.push(b"a");
        assert_eq!(ids.as_slice(), [b"a".as_slice()]);
    }
}
