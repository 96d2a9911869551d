//! Where a field of a line goes in the [`Entry`], and how its text becomes a value there.

use crate::bytes::{decimal_scaled, filled, lanes, number};
use crate::engine::id::{self, IdKind};
use crate::entry::{Entry, Ids, Level};

/// Microseconds in a unit of time that logs use.
pub mod unit {
    /// One second.
    pub const S: u32 = 1_000_000;
    /// One millisecond.
    pub const MS: u32 = 1_000;
    /// One microsecond.
    pub const US: u32 = 1;
}

/// The meaning of a field. Durations carry how many microseconds one unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // Each variant is named after the field of the entry it fills.
pub enum Slot {
    /// Read over, not kept.
    Skip,
    Duration(u32),
    /// Like `Duration`, but gives way to one already there.
    OtherDuration(u32),
    Queue(u32),
    Connect(u32),
    Header(u32),
    /// Like `Header`, but gives way to one already there.
    OtherHeader(u32),
    Response(u32),
    /// `METHOD target PROTOCOL`, or any garbage.
    Request,
    Method,
    Path,
    Query,
    Host,
    /// A server name: the host, unless the line also has a `Host` header.
    ServerName,
    Client,
    ClientPort,
    /// `address:port`, the address possibly an IPv6 one without brackets.
    ClientAndPort,
    ForwardedFor,
    Server,
    Status,
    /// A status that gives way to one already there (Apache `%s` beside `%>s`).
    OtherStatus,
    /// The status sent, which is the upstream's own unless the format's last step finds otherwise.
    PassedStatus,
    BytesSent,
    UpstreamAddr,
    /// A server's name, unless the line also has its address. `<NOSRV>` and `<STATS>` are no names.
    UpstreamServer,
    UpstreamStatus,
    UpstreamConnect(u32),
    UpstreamHeader(u32),
    UpstreamResponse(u32),
    UpstreamBytes,
    UpstreamLocal,
    Group,
    Retries,
    /// How often the request was sent: one more than the retries.
    Attempts,
    Termination,
    /// What went wrong, in the product's words.
    Error,
    /// The same in surer words: replaces [`Slot::Error`] if there is something.
    Reason,
    Connection,
    ConnectionRequests,
    /// Requests the connection had carried before this one (Apache `%k`).
    EarlierRequests,
    Pid,
    Id(IdKind),
    /// An id if it looks like one.
    MaybeId,
    /// HAProxy's `{a|b} {c}`: ids by their shape, the host by its.
    Captures,
    /// Words after the known fields: ids by their shape.
    Tail,
    /// Severity, by its name.
    Level,
}

impl Slot {
    /// Whether the value is a list of attempts or addresses with `, ` in it.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::UpstreamAddr
                | Self::UpstreamStatus
                | Self::UpstreamConnect(_)
                | Self::UpstreamHeader(_)
                | Self::UpstreamResponse(_)
                | Self::UpstreamBytes
                | Self::ForwardedFor
        )
    }

    /// Puts `text` where it belongs. `false` if it cannot be a value of this field.
    #[inline]
    pub fn write<'a>(self, text: &'a [u8], entry: &mut Entry<'a>) -> bool {
        match self {
            Self::Skip => {}
            Self::Duration(unit) => return time(text, unit, &mut entry.duration_us),
            Self::OtherDuration(unit) => {
                if entry.duration_us.is_none() {
                    return time(text, unit, &mut entry.duration_us);
                }
            }
            Self::Queue(unit) => return time(text, unit, &mut entry.queue_us),
            Self::Connect(unit) => return time(text, unit, &mut entry.connect_us),
            Self::Header(unit) => return time(text, unit, &mut entry.header_us),
            Self::OtherHeader(unit) => {
                if entry.header_us.is_none() {
                    return time(text, unit, &mut entry.header_us);
                }
            }
            Self::Response(unit) => return time(text, unit, &mut entry.response_us),
            Self::Request => request(text, entry),
            Self::Method => entry.method = filled(text),
            Self::Path => first(&mut entry.path, text),
            Self::Query => entry.query = filled(text),
            Self::Host => {
                if !missing(text) {
                    entry.host = text;
                }
            }
            Self::ServerName => first(&mut entry.host, text),
            Self::Client => entry.client = filled(text),
            Self::ClientPort => entry.client_port = small(text),
            Self::ClientAndPort => return client_and_port(text, entry),
            Self::ForwardedFor => entry.forwarded_for = filled(text),
            Self::Server => entry.server = filled(text),
            Self::Status => return status(text, entry),
            Self::OtherStatus => {
                if entry.status.is_none() {
                    return status(text, entry);
                }
            }
            Self::PassedStatus => {
                entry.upstream.status = filled(text);
                return status(text, entry);
            }
            Self::BytesSent => return count(text, &mut entry.bytes_sent),
            _ => return self.write_upstream(text, entry),
        }
        true
    }

    /// The rest of [`Slot::write`]: what the upstream did, and what belongs to the connection.
    fn write_upstream<'a>(self, text: &'a [u8], entry: &mut Entry<'a>) -> bool {
        let upstream = &mut entry.upstream;
        match self {
            Self::UpstreamAddr => upstream.addr = filled(without_scheme(text)),
            Self::UpstreamServer if text.starts_with(b"<") => {}
            Self::UpstreamServer => first(&mut upstream.addr, text),
            Self::UpstreamStatus => upstream.status = filled(text),
            Self::UpstreamConnect(unit) => {
                (upstream.connect, upstream.unit_us) = (text, unit);
                entry.connect_us = last_time(text, unit, upstream.separator);
            }
            Self::UpstreamHeader(unit) => {
                (upstream.header, upstream.unit_us) = (text, unit);
                entry.header_us = last_time(text, unit, upstream.separator);
            }
            Self::UpstreamResponse(unit) => {
                (upstream.response, upstream.unit_us) = (text, unit);
                entry.response_us = last_time(text, unit, upstream.separator);
            }
            Self::UpstreamBytes => upstream.bytes_received = filled(text),
            Self::UpstreamLocal => upstream.local = filled(text),
            Self::Group => upstream.group = filled(without_scheme(text)),
            Self::Retries => {
                let digits = text.strip_prefix(b"+").unwrap_or(text);
                upstream.retries = small(digits).unwrap_or(0);
            }
            Self::Attempts => {
                let attempts = small::<u16>(text).unwrap_or(0);
                upstream.retries = attempts.saturating_sub(1);
            }
            Self::Termination => entry.termination = text,
            Self::Error => first(&mut entry.error, text),
            Self::Reason if !missing(text) => entry.error = text,
            Self::Connection => entry.connection = number(text),
            Self::ConnectionRequests => entry.connection_requests = small(text),
            Self::EarlierRequests => {
                entry.connection_requests = small(text).and_then(|n: u32| n.checked_add(1));
            }
            Self::Pid => entry.pid = small(text),
            Self::Id(kind) => id::push(&mut entry.ids, kind, filled(text)),
            Self::MaybeId => {
                id::push_if_id(&mut entry.ids, text);
            }
            Self::Captures => captures(text, entry),
            Self::Tail => tail(text, entry),
            Self::Level => entry.level = level(text),
            _ => {}
        }
        true
    }
}

/// Sets `field` unless the line already gave a better value.
fn first<'a>(field: &mut &'a [u8], text: &'a [u8]) {
    if field.is_empty() {
        *field = filled(text);
    }
}

/// `host:port` of `http://host:port/path`, the name of `balancer://name`; anything else as it is.
pub fn without_scheme(text: &[u8]) -> &[u8] {
    if !text.first().is_some_and(u8::is_ascii_lowercase) {
        return text;
    }
    let Some(at) = memchr::memmem::find(text, b"://") else {
        return text;
    };
    let rest = &text[at + 3..];
    if let Some(path) = rest.strip_prefix(b"unix:") {
        return memchr::memchr(b':', path).map_or(rest, |end| &rest[..5 + end]);
    }
    memchr::memchr2(b'/', b' ', rest).map_or(rest, |end| &rest[..end])
}

/// Parts `http://host:port/path` in the place of the path: proxies that log absolute targets say the host there.
/// The authority `host:443` of a `CONNECT` is a host without path.
pub fn split_origin(entry: &mut Entry<'_>) {
    let Some(rest) = (match entry.path {
        [b'h', b't', b't', b'p', b':', b'/', b'/', rest @ ..]
        | [b'h', b't', b't', b'p', b's', b':', b'/', b'/', rest @ ..] => Some(rest),
        _ => None,
    }) else {
        return;
    };
    let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
    if entry.host.is_empty() {
        entry.host = &rest[..end];
    }
    entry.path = if end == rest.len() { b"/" } else { &rest[end..] };
}

pub(crate) fn small<T: TryFrom<u64>>(text: &[u8]) -> Option<T> {
    number(text).and_then(|n| T::try_from(n).ok())
}

/// Whether `text` is one of the ways to say that there is no value.
fn missing(text: &[u8]) -> bool {
    matches!(text, b"" | b"-" | b"-1")
}

/// A duration; HAProxy's `+` (logged before the end) is read over.
fn time(text: &[u8], unit: u32, field: &mut Option<u64>) -> bool {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    *field = decimal_scaled(digits, u64::from(unit));
    field.is_some() || missing(text)
}

fn count(text: &[u8], field: &mut Option<u64>) -> bool {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    *field = number(digits);
    field.is_some() || missing(text)
}

/// Three digits; nginx writes `009` for an answer without a status line, HAProxy `-1` where none was sent.
fn status(text: &[u8], entry: &mut Entry<'_>) -> bool {
    entry.status = match number(text) {
        Some(0) => return text.len() <= 3,
        Some(n @ 1..=999) => u16::try_from(n).ok(),
        Some(_) => return false,
        None => return missing(text),
    };
    true
}

/// The time of the last attempt in a list.
fn last_time(list: &[u8], unit: u32, separator: u8) -> Option<u64> {
    let parts = if separator == 0 { b' ' } else { separator };
    let last = match list.iter().rposition(|b| *b == parts) {
        Some(at) => &list[at + 1..],
        None => list,
    };
    decimal_scaled(last, u64::from(unit))
}

/// A severity by the names that servers and logging libraries give it.
fn level(text: &[u8]) -> Level {
    let lower = text.trim_ascii().to_ascii_lowercase();
    match lower.as_slice() {
        b"trace" | b"debug" | b"fine" | b"finer" | b"finest" | b"verbose" => Level::Debug,
        b"info" | b"information" | b"notice" | b"config" => Level::Info,
        b"warn" | b"warning" => Level::Warning,
        b"err" | b"error" | b"severe" => Level::Error,
        b"crit" | b"critical" | b"alert" | b"emerg" | b"emergency" | b"fatal" | b"panic" => Level::Critical,
        _ => Level::None,
    }
}

/// Takes a request line apart. What has no method (TLS on a plain port, an empty line) is all path.
pub fn request<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    let (method, path) = request_line(text);
    entry.path = path;
    entry.method = method.unwrap_or(entry.method);
}

/// Method and target of a request line.
#[inline]
pub(crate) fn request_line(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let text = filled(text);
    let method_end = match text {
        [b'G', b'E', b'T', b' ', ..] => 3,
        [b'P', b'O', b'S', b'T', b' ', ..] => 4,
        _ => text.iter().take(24).position(|b| !is_method_byte(b)).unwrap_or(0),
    };
    if method_end == 0 || text[method_end] != b' ' {
        return (None, text);
    }
    let method = Some(&text[..method_end]);
    let target = &text[method_end + 1..];
    if let [path @ .., b' ', b'H', b'T', b'T', b'P', b'/', _, b'.', _] = target {
        return (method, path);
    }
    let path = match memchr::memrchr(b' ', target) {
        Some(at) if target[at + 1..].starts_with(b"HTTP/") => &target[..at],
        _ => target,
    };
    (method, path)
}

fn is_method_byte(byte: &u8) -> bool {
    byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_')
}

fn client_and_port<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> bool {
    let Some((client, port)) = address_and_port(text) else {
        return false;
    };
    (entry.client, entry.client_port) = (client, port);
    true
}

/// The parts of `address:port`; `None` if `text` can be no such thing.
#[inline]
pub(crate) fn address_and_port(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let Some(colon) = text.iter().rposition(|b| *b == b':') else {
        return (!text.contains(&b' ')).then(|| (filled(text), None));
    };
    let (address, port) = (&text[..colon], &text[colon + 1..]);
    let number = small(port);
    if address.contains(&b' ') || number.is_none() && !missing(port) {
        return None;
    }
    let address = match address {
        [b'[', inner @ .., b']'] => inner,
        _ => filled(address),
    };
    Some((address, number))
}

/// HAProxy's captured headers. Which header a value is of only the configuration knows, so ids and
/// the host are told by their shape.
fn captures<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    captured(text, |value| {
        if !id::push_if_id(&mut entry.ids, value) && entry.host.is_empty() && looks_like_host(value) {
            entry.host = value;
        }
    });
}

/// Gives the values in captures that are long enough to be something.
#[inline]
fn captured<'a>(text: &'a [u8], mut give: impl FnMut(&'a [u8])) {
    let mut from = 0;
    lanes::each_of([b'|', b'{', b'}'], text, |at| {
        let value = &text[from..at];
        from = at + 1;
        if value.len() >= 4 {
            give(value);
        }
    });
}

/// The ids in captures.
#[inline]
pub(crate) fn captured_ids<'a>(text: &'a [u8], ids: &mut Ids<'a>) {
    captured(text, |value| {
        id::push_if_id(ids, value);
    });
}

fn tail<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    tail_ids(text, &mut entry.ids);
}

/// The ids among words.
#[inline]
pub(crate) fn tail_ids<'a>(text: &'a [u8], ids: &mut Ids<'a>) {
    let mut from = 0;
    let mut give = |to: usize| {
        let word = &text[from..to];
        from = to + 1;
        let word = word.strip_prefix(b"\"").unwrap_or(word);
        id::push_if_id(ids, word.strip_suffix(b"\"").unwrap_or(word));
    };
    lanes::each(b' ', text, &mut give);
    give(text.len());
}

/// A domain name with an optional port; not an IPv4 address.
pub fn looks_like_host(text: &[u8]) -> bool {
    let name = match memchr::memrchr(b':', text) {
        Some(at) if number(&text[at + 1..]).is_some() => &text[..at],
        _ => text,
    };
    let Some(dot) = memchr::memrchr(b'.', name) else {
        return false;
    };
    dot > 0
        && name.len() > dot + 1
        && name[dot + 1..].iter().all(u8::is_ascii_alphabetic)
        && name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(slot: Slot, text: &[u8]) -> Entry<'_> {
        let mut entry = Entry::default();
        assert!(slot.write(text, &mut entry), "{}", text.escape_ascii());
        entry
    }

    #[test]
    fn garbage_in_place_of_a_request_line_is_kept_as_path() {
        for garbage in [b"-".as_slice(), b"", br"\x16\x03\x01 \x00", b"hello"] {
            let entry = of(Slot::Request, garbage);
            assert!(entry.method.is_empty());
        }
        let entry = of(Slot::Request, b"GET /a b?c HTTP/1.1");
        assert_eq!(
            (entry.method, entry.path),
            (b"GET".as_slice(), b"/a b?c".as_slice())
        );
        assert_eq!(of(Slot::Request, b"GET /old").path, b"/old");
    }

    #[test]
    fn a_client_address_may_hold_colons() {
        let entry = of(Slot::ClientAndPort, b"2001:db8::7:51234");
        assert_eq!(entry.client, b"2001:db8::7");
        assert_eq!(entry.client_port, Some(51_234));
        assert_eq!(of(Slot::ClientAndPort, b"-:22222").client, b"");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let mut entry = Entry::default();
        assert!(!Slot::Status.write(b"GET", &mut entry));
        assert!(!Slot::Status.write(b"1234", &mut entry));
        assert!(!Slot::Duration(1000).write(b"x", &mut entry));
        assert!(Slot::Duration(1000).write(b"-1", &mut entry));
        assert_eq!(entry.duration_us, None);
    }

    #[test]
    fn the_last_attempt_gives_the_time() {
        let entry = of(Slot::UpstreamConnect(unit::S), b"-, 0.001");
        assert_eq!(entry.connect_us, Some(1000));
        assert_eq!(of(Slot::UpstreamHeader(unit::S), b"0.1 : -").header_us, None);
    }
}
