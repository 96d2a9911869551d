//! A glance at a line by its template: the fields that are counted, the others only measured.
//!
//! The steps are those of [`super::template`] with every doubt taken out: a field that is not written in the plainest
//! way ends the glance, and the line is read in full.

use crate::bytes::{self, decimal_scaled, filled};
use crate::engine::id::{self, IdKind};
use crate::engine::slot::{Slot, address_and_port, captured_ids, request_line, small, tail_ids};
use crate::engine::template::{Op, Shape, TimeShape, Until, groups};
use crate::entry::Marks;
use crate::glance::Glance;
use crate::time::DayCache;

/// The steps of a glance.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    steps: Box<[Step]>,
    /// What parts the values of a list; zero for nginx's `, ` and ` : `.
    separator: u8,
}

#[derive(Debug, Clone)]
struct Step {
    take: Take,
    until: Until,
}

/// What is done with a field.
#[derive(Debug, Clone, Copy)]
enum Take {
    /// Any text.
    Over,
    /// A list that a space ends.
    OverList,
    /// Any time, or `-1`.
    OverTime,
    /// Any count.
    OverCount,
    OverAddressAndPort,
    Time(TimeShape, Marks),
    /// A number of a unit of so many microseconds.
    Duration(u32),
    /// The same, unless there is one already.
    OtherDuration(u32),
    Status,
    OtherStatus,
    PassedStatus,
    UpstreamStatus,
    UpstreamAddr,
    UpstreamServer,
    /// HAProxy's termination state, which must be an orderly one.
    Orderly,
    Pid,
    ConnectionRequests,
    EarlierRequests,
    /// Exactly these bytes, or those.
    Either(&'static [u8], &'static [u8]),
    Request,
    BareRequest,
    Method,
    Path,
    Id(IdKind),
    MaybeId,
    Groups,
    Tail,
}

impl Plan {
    /// The plan for the fields of `ops`; `None` if one of them has to be read in full.
    pub(super) fn of(ops: &[Op], separator: u8) -> Option<Self> {
        let step = |op: &Op| {
            let take = take(op)?;
            // A number ends where its digits end, so nothing that numbers are made of may follow.
            let of_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
            let is_clear = op.until.first().is_none_or(|byte| !of_number(byte));
            let until = op.until.clone();
            is_clear.then_some(Step { take, until })
        };
        let steps = ops.iter().map(step).collect::<Option<_>>()?;
        Some(Self { steps, separator })
    }

    /// Takes a glance at a line behind its first fixed bytes.
    #[inline]
    pub(super) fn take<'a>(&self, line: &'a [u8], glance: &mut Glance<'a>, day: &mut DayCache) -> bool {
        *glance = Glance::default();
        let mut rest = line;
        for step in &self.steps {
            let Some(len) = step.len(rest, glance, self.separator, day) else {
                return false;
            };
            let Some(next) = rest.get(len + step.until.len()..) else {
                return false;
            };
            rest = next;
        }
        glance.names_upstream = !glance.upstream.is_empty();
        if glance.upstream.is_empty() {
            glance.upstream_status = None;
        }
        true
    }
}

/// What a glance does with the field of `op`.
fn take(op: &Op) -> Option<Take> {
    let slot = op.field.slot;
    match op.field.shape {
        Shape::Time(shape, marks) if !matches!(marks, Marks::Event) => return Some(Take::Time(shape, marks)),
        Shape::Groups if slot == Slot::Captures => return Some(Take::Groups),
        Shape::BareRequest if slot == Slot::Request => return Some(Take::BareRequest),
        Shape::MayBeCut if slot == Slot::Request => return Some(Take::Request),
        Shape::List if op.until.first() == Some(b' ') && slot != Slot::UpstreamAddr => {
            return over_list(slot);
        }
        Shape::Until | Shape::List => {}
        _ => return None,
    }
    Some(match slot {
        Slot::Duration(unit) => Take::Duration(unit),
        Slot::OtherDuration(unit) => Take::OtherDuration(unit),
        Slot::Queue(_) | Slot::Connect(_) | Slot::Header(_) | Slot::OtherHeader(_) | Slot::Response(_) => {
            Take::OverTime
        }
        Slot::BytesSent => Take::OverCount,
        Slot::ClientAndPort => Take::OverAddressAndPort,
        Slot::Status => Take::Status,
        Slot::OtherStatus => Take::OtherStatus,
        Slot::PassedStatus => Take::PassedStatus,
        Slot::UpstreamStatus => Take::UpstreamStatus,
        Slot::UpstreamAddr => Take::UpstreamAddr,
        Slot::UpstreamServer => Take::UpstreamServer,
        Slot::Termination => Take::Orderly,
        Slot::Pid => Take::Pid,
        Slot::ConnectionRequests => Take::ConnectionRequests,
        Slot::EarlierRequests => Take::EarlierRequests,
        Slot::Retries => Take::Either(b"0", b"+0"),
        Slot::Attempts => Take::Either(b"1", b"0"),
        Slot::Request => Take::Request,
        Slot::Method => Take::Method,
        Slot::Path => Take::Path,
        Slot::Id(kind) => Take::Id(kind),
        Slot::MaybeId => Take::MaybeId,
        Slot::Captures => Take::Groups,
        Slot::Tail => Take::Tail,
        _ => Take::Over,
    })
}

/// A list of no interest.
fn over_list(slot: Slot) -> Option<Take> {
    match slot {
        Slot::UpstreamStatus => Some(Take::UpstreamStatus),
        Slot::UpstreamConnect(_)
        | Slot::UpstreamHeader(_)
        | Slot::UpstreamResponse(_)
        | Slot::UpstreamBytes
        | Slot::ForwardedFor => Some(Take::OverList),
        _ => None,
    }
}

impl Step {
    /// Length of the field at the start of `rest`, its value taken; `None` if it is not of the plainest kind.
    #[inline]
    fn len<'a>(
        &self,
        rest: &'a [u8],
        glance: &mut Glance<'a>,
        separator: u8,
        day: &mut DayCache,
    ) -> Option<usize> {
        match self.take {
            Take::Over => self.until.find_in(rest),
            Take::OverList => self.single(rest),
            Take::OverTime => self.number(rest).or_else(|| self.fixed(rest, b"-1")),
            Take::OverCount => self.number(rest).filter(|&len| !rest[..len].contains(&b'.')),
            Take::OverAddressAndPort => {
                let len = self.until.find_in(rest)?;
                address_and_port(&rest[..len]).map(|_| len)
            }
            Take::Time(shape, marks) => self.time(rest, shape, marks, glance, day),
            Take::Duration(unit) => {
                let len = self.number(rest)?;
                glance.duration_us = Some(decimal_scaled(&rest[..len], u64::from(unit))?);
                Some(len)
            }
            Take::OtherDuration(unit) => {
                let len = self.number(rest)?;
                let other = decimal_scaled(&rest[..len], u64::from(unit))?;
                glance.duration_us.get_or_insert(other);
                Some(len)
            }
            Take::Status | Take::OtherStatus | Take::PassedStatus | Take::UpstreamStatus => {
                self.status(rest, glance)
            }
            Take::UpstreamAddr | Take::UpstreamServer => self.upstream(rest, glance, separator),
            Take::Either(one, other) => self.fixed(rest, one).or_else(|| self.fixed(rest, other)),
            _ => self.text(rest, glance),
        }
    }

    /// The rest of [`Step::len`]: fields of free text.
    #[inline]
    fn text<'a>(&self, rest: &'a [u8], glance: &mut Glance<'a>) -> Option<usize> {
        let len = match self.take {
            Take::BareRequest => {
                let from = memchr::memmem::find(rest, b" HTTP/")? + 6;
                from + self.until.find_in(&rest[from..])?
            }
            Take::Groups => {
                let len = groups(rest);
                self.until.begins(&rest[len..]).then_some(len)?
            }
            _ => self.until.find_in(rest)?,
        };
        let value = &rest[..len];
        match self.take {
            Take::Request | Take::BareRequest => {
                let (method, path) = request_line(value);
                glance.method = method.unwrap_or(glance.method);
                glance.path = path;
            }
            Take::Method => glance.method = filled(value),
            Take::Orderly if value.first() != Some(&b'-') => return None,
            Take::Pid => glance.pid = small(value),
            Take::ConnectionRequests => glance.connection_requests = small(value),
            Take::EarlierRequests => {
                glance.connection_requests = small(value).and_then(|n: u32| n.checked_add(1));
            }
            Take::Path if glance.path.is_empty() => glance.path = filled(value),
            Take::Id(kind) => id::push(&mut glance.ids, kind, filled(value)),
            Take::MaybeId => {
                id::push_if_id(&mut glance.ids, value);
            }
            Take::Groups => captured_ids(value, &mut glance.ids),
            Take::Tail => tail_ids(value, &mut glance.ids),
            _ => {}
        }
        Some(len)
    }

    /// Length of a decimal number of a sensible size.
    #[inline]
    fn number(&self, rest: &[u8]) -> Option<usize> {
        let whole = bytes::digits(rest);
        let len = match rest.get(whole) {
            Some(b'.') => whole + 1 + bytes::digits(&rest[whole + 1..]),
            _ => whole,
        };
        ((1..=12).contains(&whole) && self.until_at(rest, len)).then_some(len)
    }

    /// The length of `bytes` if the field is exactly those.
    #[inline]
    fn fixed(&self, rest: &[u8], bytes: &[u8]) -> Option<usize> {
        (rest.starts_with(bytes) && self.until_at(rest, bytes.len())).then_some(bytes.len())
    }

    /// Whether the field may end at `len`: the bytes that follow it stand there, or it ends the line.
    #[inline]
    fn until_at(&self, rest: &[u8], len: usize) -> bool {
        if self.until.len() == 0 {
            return rest.len() == len;
        }
        self.until.begins(&rest[len..])
    }

    /// The length of a list of one value, which a space ends.
    #[inline]
    fn single(&self, rest: &[u8]) -> Option<usize> {
        let len = self.until.find_in(rest)?;
        let goes_on = rest[..len].ends_with(b",") || rest[len..].starts_with(b" : ");
        (!goes_on).then_some(len)
    }

    /// A stamp; of two the finer one is kept.
    #[inline]
    fn time(
        &self,
        rest: &[u8],
        shape: TimeShape,
        marks: Marks,
        glance: &mut Glance<'_>,
        day: &mut DayCache,
    ) -> Option<usize> {
        let text = match shape.is_number() {
            true => &rest[..self.until.find_in(rest)?],
            false => rest,
        };
        let (stamp, used) = shape.read(text, day)?;
        if !self.until.begins(&rest[used..]) || shape.is_number() && used != text.len() {
            return None;
        }
        if glance
            .time
            .is_none_or(|old| stamp.resolution_us < old.resolution_us)
        {
            glance.time = Some(stamp.marking(marks));
        }
        Some(used)
    }

    /// Three digits; of an attempt also `-`.
    #[inline]
    fn status(&self, rest: &[u8], glance: &mut Glance<'_>) -> Option<usize> {
        let is_attempt = matches!(self.take, Take::UpstreamStatus);
        if is_attempt && let Some(len) = self.fixed(rest, b"-") {
            glance.upstream_status = None;
            return Some(len);
        }
        let digits: &[u8; 3] = rest.first_chunk()?;
        if !(digits.iter().all(u8::is_ascii_digit) && digits[0] != b'0' && self.until_at(rest, 3)) {
            return None;
        }
        let status = digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        match self.take {
            Take::UpstreamStatus => glance.upstream_status = Some(status),
            Take::OtherStatus => _ = glance.status.get_or_insert(status),
            Take::PassedStatus => (glance.status, glance.upstream_status) = (Some(status), Some(status)),
            _ => glance.status = Some(status),
        }
        Some(3)
    }

    /// The address or the name of the only server that was asked.
    #[inline]
    fn upstream<'a>(&self, rest: &'a [u8], glance: &mut Glance<'a>, separator: u8) -> Option<usize> {
        let len = self.until.find_in(rest)?;
        let text = &rest[..len];
        if matches!(self.take, Take::UpstreamServer) {
            if !text.starts_with(b"<") && glance.upstream.is_empty() {
                glance.upstream = filled(text);
            }
        } else {
            let has_scheme = text.first().is_some_and(u8::is_ascii_lowercase)
                && memchr::memmem::find(text, b"://").is_some();
            if has_scheme || rest[len..].starts_with(b" : ") {
                return None;
            }
            glance.upstream = filled(text);
        }
        let is_list = |byte: &u8| matches!(byte, b' ' | b',') || *byte == separator;
        (!glance.upstream.iter().any(is_list)).then_some(len)
    }
}
