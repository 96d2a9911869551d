//! What configurations append to the common log format: the fields of ingress-nginx, and pairs.

use crate::bytes::{find_near, number};
use crate::engine::id::{self, Header};
use crate::engine::slot::{Slot, unit};
use crate::engine::template::end_of;
use crate::entry::Entry;
use crate::products::clf::{Tail, quoted_end, word};
use crate::time;

/// The fields that ingress-nginx appends: request length and time, `[upstream] [alternative]`, address,
/// length, time and status of the attempts, and the request id.
pub(super) fn ingress<'a>(text: &'a [u8], entry: &mut Entry<'a>) -> Option<Tail> {
    let (length, rest) = word(text);
    let (seconds, rest) = word(rest);
    if rest.first() != Some(&b'[') || number(length).is_none() {
        return None;
    }
    let mut rest = rest;
    let mut brackets = 0;
    while rest.first() == Some(&b'[') {
        let end = end_of(rest, b"] ")?;
        if brackets == 0 {
            entry.upstream.group = &rest[1..end];
        }
        brackets += 1;
        rest = &rest[end + 2..];
    }
    for slot in [
        Slot::UpstreamAddr,
        Slot::UpstreamBytes,
        Slot::UpstreamResponse(unit::S),
        Slot::UpstreamStatus,
    ] {
        let len = list_len(rest);
        slot.write(&rest[..len], entry);
        rest = rest.get(len + 1..).unwrap_or_default();
    }
    entry.ids.push(word(rest).0);
    Slot::Duration(unit::S).write(seconds, entry);
    Some(Tail::Upstream)
}

/// The length of a list of attempts at the start of `text`.
fn list_len(text: &[u8]) -> usize {
    let mut from = 0;
    while let Some(space) = find_near(b' ', &text[from..]) {
        let at = from + space;
        if text[at..].starts_with(b" : ") {
            from = at + 3;
        } else if at > 0 && text[at - 1] == b',' {
            from = at + 1;
        } else {
            return at;
        }
    }
    text.len()
}

/// The keys of the pairs of the line read last, in their order: those of the next line are nearly always the same.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Keys([Key; Keys::MOST]);

/// A key with the sign behind it, and what it is if that does not depend on the value.
#[derive(Debug, Clone, Copy, Default)]
struct Key {
    text: [u8; Keys::LONGEST],
    /// 0 if there is none.
    len: usize,
    slot: Option<Slot>,
}

impl Keys {
    const MOST: usize = 24;
    const LONGEST: usize = 32;

    /// The length of the key at the start of `rest`, the `nth` pair of its line, and what it is if that is known.
    #[inline]
    fn find(&mut self, nth: usize, rest: &[u8]) -> (usize, Option<Slot>) {
        if let Some(known) = self.0.get(nth)
            && known.len > 0
            && rest.starts_with(&known.text[..known.len])
        {
            return (known.len - 1, known.slot);
        }
        let len = memchr::memchr3(b'=', b':', b' ', rest).unwrap_or(rest.len());
        let (Some(key), Some(with_sign)) = (self.0.get_mut(nth), rest.get(..len + 1)) else {
            return (len, None);
        };
        *key = Key::of(with_sign);
        (len, key.slot)
    }
}

impl Key {
    fn of(with_sign: &[u8]) -> Self {
        let mut key = Self::default();
        if let (Some(text), Some((sign, name))) =
            (key.text.get_mut(..with_sign.len()), with_sign.split_last())
        {
            text.copy_from_slice(with_sign);
            key.len = with_sign.len();
            key.slot = (*sign != b' ' && name != b"ua").then(|| key_slot(name, b""));
        }
        key
    }
}

/// `key=value`, `key="value"` and `key: "value"` to the end of the line.
pub(super) fn pairs<'a>(text: &'a [u8], entry: &mut Entry<'a>, keys: &mut Keys) -> Tail {
    let mut rest = text;
    let mut tail = Tail::Other;
    let mut nth = 0;
    while !rest.is_empty() {
        let (key_len, known) = keys.find(nth, rest);
        nth += 1;
        let key = &rest[..key_len];
        let mut after = rest.get(key_len + 1..).unwrap_or_default();
        if rest.get(key_len) == Some(&b' ') || after.is_empty() {
            id::push_if_id(&mut entry.ids, key);
            rest = after;
            continue;
        }
        after = after.trim_ascii_start();
        let (value, used) = if after.first() == Some(&b'"') {
            let len = quoted_end(&after[1..]).unwrap_or(after.len() - 1);
            (&after[1..1 + len], len + 3)
        } else {
            let len = list_len(after);
            (&after[..len], len + 1)
        };
        let slot = known.unwrap_or_else(|| key_slot(key, value));
        match slot {
            Slot::Connection => connection(value, entry),
            Slot::Skip if key == b"msec" => finer_time(value, entry),
            _ => {
                slot.write(value, entry);
            }
        }
        if is_upstream(slot) {
            tail = Tail::Upstream;
        }
        rest = after.get(used..).unwrap_or_default();
    }
    tail
}

/// `17` or `17:3`, the serial and how many requests it has carried.
fn connection<'a>(value: &'a [u8], entry: &mut Entry<'a>) {
    let colon = memchr::memchr2(b':', b'/', value).unwrap_or(value.len());
    Slot::Connection.write(&value[..colon], entry);
    Slot::ConnectionRequests.write(value.get(colon + 1..).unwrap_or_default(), entry);
}

/// nginx's `$msec`: the same instant as the time in brackets, to the millisecond.
pub(super) fn finer_time(value: &[u8], entry: &mut Entry<'_>) {
    if let (Some(coarse), Some(fine)) = (entry.time, time::epoch_seconds(value)) {
        entry.time = Some(fine.marking(coarse.marks));
    }
}

fn is_upstream(slot: Slot) -> bool {
    matches!(
        slot,
        Slot::UpstreamAddr
            | Slot::UpstreamStatus
            | Slot::UpstreamConnect(_)
            | Slot::UpstreamHeader(_)
            | Slot::UpstreamResponse(_)
    )
}

/// What a key of a pair is: nginx's variable names and the usual short forms of them.
fn key_slot(key: &[u8], value: &[u8]) -> Slot {
    match key {
        b"rt" | b"request_time" | b"req_time" => Slot::Duration(unit::S),
        b"uct" | b"upstream_connect_time" => Slot::UpstreamConnect(unit::S),
        b"uht" | b"upstream_header_time" => Slot::UpstreamHeader(unit::S),
        b"urt" | b"ut" | b"upstream_response_time" => Slot::UpstreamResponse(unit::S),
        b"us" | b"upstream_status" => Slot::UpstreamStatus,
        // `ua` is a user agent as often as an upstream address; only the former has a slash in its first word.
        b"ua" if memchr::memchr(b'/', value).is_some() && !value.starts_with(b"unix:") => Slot::Skip,
        b"ua" | b"uaddr" | b"upstream" | b"upstream_addr" => Slot::UpstreamAddr,
        b"ul" | b"ub" | b"ubr" | b"upstream_bytes_received" | b"upstream_response_length" => {
            Slot::UpstreamBytes
        }
        b"host" | b"http_host" => Slot::Host,
        b"sn" | b"server_name" => Slot::ServerName,
        b"cn" | b"conn" | b"connection" => Slot::Connection,
        b"cr" | b"connection_requests" => Slot::ConnectionRequests,
        b"xff" => Slot::ForwardedFor,
        b"pid" => Slot::Pid,
        b"upstream_name" | b"proxy_host" => Slot::Group,
        _ => match id::header(key) {
            Header::Id(kind) => Slot::Id(kind),
            Header::ForwardedFor => Slot::ForwardedFor,
            _ => Slot::Skip,
        },
    }
}
