//! The fields of an [`Entry`] by name: what a record can say, in which unit, and whether it does.
//!
//! The names are those that `why502 parse` writes and that the samples of a definition expect.

use std::borrow::Cow;

use crate::entry::{Entry, Fault, Ids, Kind, Level, Marks, Phase, Upstream, Zone};

/// One field.
pub struct FieldDef {
    /// Its name; a unit, if it has one, is the last part.
    pub name: &'static str,
    /// What kind of value it holds.
    pub holds: &'static str,
    /// What it says.
    pub what: &'static str,
    /// Takes it from an entry.
    pub get: for<'a> fn(&Entry<'a>) -> Value<'a>,
}

/// The value of a field.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    /// The record does not say.
    None,
    /// Text, escaped as the line has it: see [`Entry::escape`].
    Text(Cow<'a, [u8]>),
    /// One of a few words.
    Word(&'static str),
    /// A count, a status, or microseconds.
    Number(u64),
    /// A list of one: of the only or last attempt, where the product lists none.
    One(u64),
    /// Yes or no.
    Flag(bool),
    /// Microseconds since the Unix epoch.
    Time(i64),
    /// Ids, escaped as the line has them.
    Ids(Ids<'a>),
    /// One value per upstream attempt.
    Attempts(Upstream<'a>, AttemptPart),
}

/// Which value of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Named after the fields of `Attempt`.
pub enum AttemptPart {
    Addr,
    Status,
    Connect,
    Header,
    Response,
    BytesReceived,
}

impl Value<'_> {
    /// Whether the record says anything here. A list of dashes says nothing.
    pub fn is_filled(&self) -> bool {
        match self {
            Self::None => false,
            Self::Text(text) => !text.is_empty(),
            Self::Ids(ids) => !ids.as_slice().is_empty(),
            Self::Attempts(upstream, part) => part.is_filled(upstream),
            _ => true,
        }
    }
}

impl AttemptPart {
    fn list<'a>(self, upstream: &Upstream<'a>) -> &'a [u8] {
        match self {
            Self::Addr => upstream.addr,
            Self::Status => upstream.status,
            Self::Connect => upstream.connect,
            Self::Header => upstream.header,
            Self::Response => upstream.response,
            Self::BytesReceived => upstream.bytes_received,
        }
    }

    fn is_filled(self, upstream: &Upstream<'_>) -> bool {
        let list = self.list(upstream);
        match self {
            Self::Addr => !list.is_empty() && list != b"-",
            _ => list.iter().any(u8::is_ascii_digit),
        }
    }

    /// The number of each attempt, durations in microseconds; nothing of [`AttemptPart::Addr`].
    pub fn numbers<'a>(self, upstream: &Upstream<'a>) -> impl Iterator<Item = Option<u64>> + use<'a> {
        upstream.attempts().map(move |attempt| match self {
            Self::Addr => None,
            Self::Status => attempt.status.map(u64::from),
            Self::Connect => attempt.connect_us,
            Self::Header => attempt.header_us,
            Self::Response => attempt.response_us,
            Self::BytesReceived => attempt.bytes_received,
        })
    }
}

fn text(slice: &[u8]) -> Value<'_> {
    match slice {
        b"" => Value::None,
        slice => Value::Text(Cow::Borrowed(slice)),
    }
}

fn number<T: Into<u64>>(value: Option<T>) -> Value<'static> {
    value.map_or(Value::None, |n| Value::Number(n.into()))
}

fn above_zero<T: Into<u64>>(value: T) -> Value<'static> {
    match value.into() {
        0 => Value::None,
        n => Value::Number(n),
    }
}

fn attempts<'a>(entry: &Entry<'a>, part: AttemptPart) -> Value<'a> {
    if part.is_filled(&entry.upstream) {
        Value::Attempts(entry.upstream, part)
    } else {
        Value::None
    }
}

/// Time of the only or last attempt: the entry's own where the product logs no list.
fn attempt_time<'a>(entry: &Entry<'a>, part: AttemptPart, own: Option<u64>) -> Value<'a> {
    // Without an address or a status there are no attempts to put the times beside.
    let one = own.map_or(Value::None, Value::One);
    if entry.upstream.addr.is_empty() && entry.upstream.status.is_empty() {
        return one;
    }
    match attempts(entry, part) {
        Value::None => one,
        list => list,
    }
}

/// Shorthand for the table below.
macro_rules! field {
    ($name:literal, $holds:literal, $what:literal, $get:expr) => {
        FieldDef {
            name: $name,
            holds: $holds,
            what: $what,
            get: $get,
        }
    };
}

/// Every field, in the order in which they are written.
pub const FIELDS: &[FieldDef] = &[
    field!(
        "kind",
        "request, failure, event or note",
        "what the record tells of",
        |e| { Value::Word(e.kind.name()) }
    ),
    field!("time", "instant, RFC 3339", "the line's stamp", |e| {
        e.time.map_or(Value::None, |stamp| Value::Time(stamp.us))
    }),
    field!(
        "time_resolution_us",
        "microseconds",
        "how far the true time may lie after the stamp",
        |e| { number(e.time.map(|stamp| stamp.resolution_us)) }
    ),
    field!(
        "time_marks",
        "start, end or event",
        "which instant of the request the stamp is",
        |e| {
            e.time
                .map_or(Value::None, |stamp| Value::Word(stamp.marks.name()))
        }
    ),
    field!(
        "time_zone",
        "logged, local or local-no-year",
        "what the line says of the stamp's zone",
        |e| { e.time.map_or(Value::None, |stamp| Value::Word(stamp.zone.name())) }
    ),
    field!(
        "duration_us",
        "microseconds",
        "the whole request, as this hop measured it",
        |e| { number(e.duration_us) }
    ),
    field!("queue_us", "microseconds", "waiting for a connection slot", |e| {
        number(e.queue_us)
    }),
    field!(
        "ids",
        "list of texts",
        "request, trace and message ids",
        |e| match e.ids.as_slice() {
            [] => Value::None,
            _ => Value::Ids(e.ids),
        }
    ),
    field!("method", "text", "request method", |e| text(e.method)),
    field!("host", "text", "Host header or server name", |e| text(e.host)),
    field!("path", "text", "request target, query included if logged", |e| {
        if e.path.is_empty() && e.query.is_empty() {
            return Value::None;
        }
        Value::Text(e.target())
    }),
    field!("client", "text", "address the request came from", |e| text(
        e.client
    )),
    field!("client_port", "number", "port the request came from", |e| number(
        e.client_port
    )),
    field!("forwarded_for", "text", "X-Forwarded-For", |e| text(
        e.forwarded_for
    )),
    field!("server", "text", "address the request came in on", |e| text(
        e.server
    )),
    field!("status", "number", "status sent to the peer", |e| number(
        e.status
    )),
    field!("substatus", "number", "IIS substatus", |e| above_zero(
        e.substatus
    )),
    field!("win32_status", "number", "IIS Windows status", |e| above_zero(
        e.win32_status
    )),
    field!("bytes_sent", "bytes", "sent to the peer", |e| number(
        e.bytes_sent
    )),
    field!(
        "upstream_addr",
        "list of texts",
        "address or name of the upstream, per attempt",
        |e| { attempts(e, AttemptPart::Addr) }
    ),
    field!(
        "upstream_status",
        "list of numbers",
        "status of each attempt",
        |e| { attempts(e, AttemptPart::Status) }
    ),
    field!(
        "upstream_connect_us",
        "list of microseconds",
        "connecting, per attempt",
        |e| { attempt_time(e, AttemptPart::Connect, e.connect_us) }
    ),
    field!(
        "upstream_header_us",
        "list of microseconds",
        "to the response header, per attempt",
        |e| { attempt_time(e, AttemptPart::Header, e.header_us) }
    ),
    field!(
        "upstream_response_us",
        "list of microseconds",
        "to the end of the response, per attempt",
        |e| { attempt_time(e, AttemptPart::Response, e.response_us) }
    ),
    field!(
        "upstream_bytes_received",
        "list of bytes",
        "received from the upstream, per attempt",
        |e| { attempts(e, AttemptPart::BytesReceived) }
    ),
    field!("upstream_group", "text", "backend or upstream group", |e| text(
        e.upstream.group
    )),
    field!(
        "upstream_local",
        "text",
        "local address of the upstream connection",
        |e| text(e.upstream.local)
    ),
    field!(
        "upstream_reused",
        "true or false",
        "whether that connection had been used before",
        |e| { e.upstream.reused.map_or(Value::None, Value::Flag) }
    ),
    field!(
        "retries",
        "number",
        "retries, where they are counted and not listed",
        |e| { above_zero(e.upstream.retries) }
    ),
    field!(
        "termination",
        "text",
        "termination state or response flags, as written",
        |e| text(e.termination)
    ),
    field!("phase", "word", "part of the exchange in which it failed", |e| {
        e.signal
            .map_or(Value::None, |signal| Value::Word(signal.phase.name()))
    }),
    field!("fault", "word", "what failed", |e| {
        e.signal
            .map_or(Value::None, |signal| Value::Word(signal.fault.name()))
    }),
    field!("error", "text", "error text as written", |e| text(e.error)),
    field!("level", "word", "severity", |e| match e.level {
        Level::None => Value::None,
        level => Value::Word(level.name()),
    }),
    field!("connection", "number", "serial of the client connection", |e| {
        number(e.connection)
    }),
    field!(
        "connection_requests",
        "number",
        "requests it had carried, this one included",
        |e| { number(e.connection_requests) }
    ),
    field!("pid", "number", "process that wrote the line", |e| number(e.pid)),
    field!("thread", "number", "thread that wrote the line", |e| number(
        e.thread
    )),
];

/// The place of the field called `name` in [`FIELDS`].
pub fn position(name: &str) -> Option<usize> {
    FIELDS.iter().position(|field| field.name == name)
}

/// The one of `known` that `name` was probably meant to be: at most two letters away.
pub fn closest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    known
        .into_iter()
        .map(|other| (distance(name.as_bytes(), other.as_bytes()), other))
        .filter(|(distance, other)| *distance <= 2 && *distance < other.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, other)| other)
}

/// Letters to add, drop or change to get from `a` to `b`.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = before + usize::from(x != y);
            before = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(before + 1);
        }
    }
    row[b.len()]
}

/// Gives an enum's variants their names in snake case, both ways.
macro_rules! names {
    ($type:ty { $($variant:ident = $name:literal),* $(,)? }) => {
        impl $type {
            /// All of them, with their names.
            pub const NAMED: &'static [(&'static str, Self)] = &[$(($name, Self::$variant)),*];

            /// Its name, as `why502 parse` writes it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name),*
                }
            }

            /// The one called `name`.
            pub fn by_name(name: &str) -> Option<Self> {
                Self::NAMED.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
            }
        }
    };
}

names!(Kind { Request = "request", Failure = "failure", Event = "event", Note = "note" });
names!(Marks { Start = "start", End = "end", Event = "event" });
names!(Zone { Known = "logged", Local = "local", LocalNoYear = "local-no-year" });
names!(Level {
    None = "none",
    Debug = "debug",
    Info = "info",
    Warning = "warning",
    Error = "error",
    Critical = "critical",
});
names!(Phase {
    Queue = "queue",
    Resolve = "resolve",
    Connect = "connect",
    Tls = "tls",
    ConnectOrTls = "connect_or_tls",
    Send = "send",
    Header = "header",
    Body = "body",
    Client = "client",
    Process = "process",
    Unknown = "unknown",
});
names!(Fault {
    TimedOut = "timed_out",
    Refused = "refused",
    Unreachable = "unreachable",
    Reset = "reset",
    Closed = "closed",
    ClosedPartial = "closed_partial",
    ResetOrClosed = "reset_or_closed",
    BrokenPipe = "broken_pipe",
    TlsRejected = "tls_rejected",
    CertificateRejected = "certificate_rejected",
    ProtocolMismatch = "protocol_mismatch",
    HeaderTooBig = "header_too_big",
    MalformedHeader = "malformed_header",
    BadFraming = "bad_framing",
    PolicyBlocked = "policy_blocked",
    InvalidResponse = "invalid_response",
    NameNotFound = "name_not_found",
    NoLiveUpstream = "no_live_upstream",
    QueueTimedOut = "queue_timed_out",
    QueueFull = "queue_full",
    BacklogFull = "backlog_full",
    ResourceExhausted = "resource_exhausted",
    ClientGone = "client_gone",
    IdleClosed = "idle_closed",
    UpstreamStatus = "upstream_status",
    WorkerTimedOut = "worker_timed_out",
    WorkerCrashed = "worker_crashed",
    Stopping = "stopping",
    Started = "started",
    OutOfMemory = "out_of_memory",
    ServerDown = "server_down",
    ServerUp = "server_up",
    Recycled = "recycled",
    WorkersExhausted = "workers_exhausted",
    Other = "other",
});

/// Writes an instant as RFC 3339 in UTC with six decimals: `2026-11-20T10:00:05.123456Z`.
pub fn write_rfc3339(us: i64, out: &mut Vec<u8>) {
    let (days, in_day) = (us.div_euclid(86_400_000_000), us.rem_euclid(86_400_000_000));
    let (year, month, day) = civil_from_days(days);
    let seconds = in_day / 1_000_000;
    let digits = |value: i64, width: usize, out: &mut Vec<u8>| {
        let from = out.len();
        let mut rest = value;
        for _ in 0..width {
            out.push(b'0' + (rest % 10) as u8);
            rest /= 10;
        }
        out[from..].reverse();
    };
    if !(0..=9_999).contains(&year) {
        out.push(if year < 0 { b'-' } else { b'+' });
    }
    digits(year.abs(), if year.abs() > 9_999 { 6 } else { 4 }, out);
    for (mark, value) in [
        (b'-', month),
        (b'-', day),
        (b'T', seconds / 3_600),
        (b':', seconds / 60 % 60),
        (b':', seconds % 60),
    ] {
        out.push(mark);
        digits(value, 2, out);
    }
    out.push(b'.');
    digits(in_day % 1_000_000, 6, out);
    out.push(b'Z');
}

/// Year, month and day of a number of days since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time;

    #[test]
    fn instants_are_written_as_they_are_read() {
        for us in [
            0,
            1_795_168_805_123_456,
            -1,
            951_782_400_000_000,
            4_102_444_799_999_999,
        ] {
            let mut out = Vec::new();
            write_rfc3339(us, &mut out);
            let stamp = time::iso(&out, &mut time::DayCache::default()).unwrap();
            assert_eq!(stamp.us, us, "{}", out.escape_ascii());
        }
    }

    #[test]
    fn a_list_of_dashes_says_nothing() {
        let mut entry = Entry::default();
        entry.upstream.status = b"-, -";
        entry.upstream.addr = b"10.0.0.1:80, 10.0.0.2:80";
        let filled = |name: &str| (FIELDS[position(name).unwrap()].get)(&entry).is_filled();
        assert!(!filled("upstream_status"));
        assert!(filled("upstream_addr"));
        assert!(!filled("ids"));
    }

    #[test]
    fn names_lead_back_to_what_they_name() {
        for (name, fault) in Fault::NAMED {
            assert_eq!((fault.name(), Fault::by_name(name)), (*name, Some(*fault)));
        }
        assert_eq!(closest("statsu", FIELDS.iter().map(|f| f.name)), Some("status"));
        assert_eq!(closest("xyzzy", FIELDS.iter().map(|f| f.name)), None);
    }
}
