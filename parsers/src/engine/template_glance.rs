//! A glance at a line by its template: the fields that are counted, the others only measured.
//!
//! The steps are those of [`super::template`] with every doubt taken out: a field that is not written in the plainest
//! way ends the glance, and the line is read in full.

use crate::bytes::{self, decimal_scaled, filled, lanes};
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
    /// Any text, mostly a short one.
    Over,
    /// Any text in quotes, of any length.
    OverQuoted,
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

    /// Takes a glance at a line whose fields begin at `start`, into an empty `glance`.
    #[inline]
    pub(super) fn take<'a>(
        &self,
        line: &'a [u8],
        start: usize,
        glance: &mut Glance<'a>,
        day: &mut DayCache,
    ) -> bool {
        let mut at = start;
        for step in &self.steps {
            let Some(end) = step.end(line, at, glance, self.separator, day) else {
                return false;
            };
            at = end + step.until.len();
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
        Slot::Skip | Slot::Query | Slot::ForwardedFor if op.until.first() == Some(b'"') => Take::OverQuoted,
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
    /// Where the field that begins at `at` ends, its value taken; `None` if it is not of the plainest kind.
    #[inline]
    fn end<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        glance: &mut Glance<'a>,
        separator: u8,
        day: &mut DayCache,
    ) -> Option<usize> {
        let end = match self.take {
            Take::Time(shape, marks) => return self.time(line, at, shape, marks, glance, day),
            Take::BareRequest => {
                let from = at + memchr::memmem::find(&line[at..], b" HTTP/")? + 6;
                self.until.find_from(line, from)?
            }
            Take::Groups => {
                let end = at + groups(&line[at..]);
                self.until.begins(&line[end..]).then_some(end)?
            }
            Take::OverQuoted | Take::Request | Take::Path | Take::Id(_) | Take::MaybeId => {
                self.until.find_far(line, at)?
            }
            _ => self.until.find_from(line, at)?,
        };
        let is_fit = match self.take {
            Take::Over | Take::OverQuoted => true,
            Take::OverTime => self.is_number(line, at, end, true),
            Take::OverCount => self.is_number(line, at, end, false),
            Take::Duration(unit) => {
                glance.duration_us = Some(self.duration(line, at, end, unit)?);
                true
            }
            Take::OtherDuration(unit) => {
                let other = self.duration(line, at, end, unit)?;
                glance.duration_us.get_or_insert(other);
                true
            }
            Take::Status | Take::OtherStatus | Take::PassedStatus => self.status(&line[at..end], glance),
            Take::UpstreamStatus => !goes_on(line, at, end) && self.status(&line[at..end], glance),
            Take::UpstreamAddr | Take::UpstreamServer => self.upstream(line, at, end, glance, separator),
            Take::OverList => !goes_on(line, at, end),
            Take::OverAddressAndPort => self.is_address_and_port(line, at, end),
            Take::ConnectionRequests => {
                let number = lanes::number(line, at, end).and_then(|n| u32::try_from(n).ok());
                glance.connection_requests = number.or_else(|| small(&line[at..end]));
                true
            }
            Take::Either(one, other) => line[at..end] == *one || line[at..end] == *other,
            _ => self.text(&line[at..end], glance),
        };
        is_fit.then_some(end)
    }

    /// Takes a field of free text.
    #[inline]
    fn text<'a>(&self, value: &'a [u8], glance: &mut Glance<'a>) -> bool {
        match self.take {
            Take::Request | Take::BareRequest => {
                let (method, path) = request_line(value);
                glance.method = method.unwrap_or(glance.method);
                glance.path = path;
            }
            Take::Method => glance.method = filled(value),
            Take::Orderly => return value.first() == Some(&b'-'),
            Take::Pid => glance.pid = small(value),
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
        true
    }

    /// Whether there is a time, or a count that has no decimals.
    #[inline]
    fn is_number(&self, line: &[u8], at: usize, end: usize, is_time: bool) -> bool {
        lanes::number(line, at, end).is_some()
            || is_time && lanes::thousandths(line, at, end).is_some()
            || is_odd_number(&line[at..end], is_time)
    }

    /// Microseconds that a number of a unit of so many of them is.
    #[inline]
    fn duration(&self, line: &[u8], at: usize, end: usize, unit: u32) -> Option<u64> {
        let unit = u64::from(unit);
        if let Some(number) = lanes::number(line, at, end) {
            return Some(number * unit);
        }
        if unit % 1_000 == 0
            && let Some(thousandths) = lanes::thousandths(line, at, end)
        {
            return Some(thousandths * (unit / 1_000));
        }
        let text = &line[at..end];
        is_decimal(text).then(|| decimal_scaled(text, unit)).flatten()
    }

    /// Whether there is an address with its port.
    #[inline]
    fn is_address_and_port(&self, line: &[u8], at: usize, end: usize) -> bool {
        let text = &line[at..end];
        // A port of one to five digits is behind the only or last colon; an address holds no space.
        let is_plain = self.until.find_first(b' ', line, at) == Some(end)
            && text
                .iter()
                .rposition(|&byte| byte == b':')
                .and_then(|colon| lanes::number(line, at + colon + 1, end))
                .is_some_and(|port| port <= u64::from(u16::MAX));
        is_plain || address_and_port(text).is_some()
    }

    /// A stamp; of two the finer one is kept.
    #[inline]
    fn time(
        &self,
        line: &[u8],
        at: usize,
        shape: TimeShape,
        marks: Marks,
        glance: &mut Glance<'_>,
        day: &mut DayCache,
    ) -> Option<usize> {
        let text = match shape.is_number() {
            true => &line[at..self.until.find_from(line, at)?],
            false => line.get(at..)?,
        };
        let (stamp, used) = shape.read(text, day)?;
        if !self.until.begins(&line[at + used..]) || shape.is_number() && used != text.len() {
            return None;
        }
        if glance
            .time
            .is_none_or(|old| stamp.resolution_us < old.resolution_us)
        {
            glance.time = Some(stamp.marking(marks));
        }
        Some(at + used)
    }

    /// Takes three digits; of an attempt also `-`.
    #[inline]
    fn status(&self, text: &[u8], glance: &mut Glance<'_>) -> bool {
        if text == b"-" && matches!(self.take, Take::UpstreamStatus) {
            glance.upstream_status = None;
            return true;
        }
        let Ok(digits) = <&[u8; 3]>::try_from(text) else {
            return false;
        };
        if !digits.iter().all(u8::is_ascii_digit) || digits[0] == b'0' {
            return false;
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
        true
    }

    /// Takes the address or the name of the only server that was asked.
    #[inline]
    fn upstream<'a>(
        &self,
        line: &'a [u8],
        at: usize,
        end: usize,
        glance: &mut Glance<'a>,
        separator: u8,
    ) -> bool {
        let text = &line[at..end];
        if matches!(self.take, Take::UpstreamAddr) {
            let has_scheme = text.first().is_some_and(u8::is_ascii_lowercase)
                && memchr::memmem::find(text, b"://").is_some();
            if has_scheme || line[end..].starts_with(b" : ") {
                return false;
            }
        } else if text.starts_with(b"<") || !glance.upstream.is_empty() {
            return true;
        }
        glance.upstream = filled(text);
        glance.upstream.is_empty() || !lanes::has_any(line, at, end, [b' ', b',', separator])
    }
}

/// Whether the list from `at` to `end`, which a space ends, has more than one value.
#[inline]
fn goes_on(line: &[u8], at: usize, end: usize) -> bool {
    line[at..end].ends_with(b",") || line[end..].starts_with(b" : ")
}

/// Whether `text` is a decimal number of a sensible size.
fn is_decimal(text: &[u8]) -> bool {
    let whole = bytes::digits(text);
    let len = match text.get(whole) {
        Some(b'.') => whole + 1 + bytes::digits(&text[whole + 1..]),
        _ => whole,
    };
    (1..=12).contains(&whole) && len == text.len()
}

/// Whether `text` is a time, or a count that has no decimals; for those that are not of the usual length.
#[cold]
fn is_odd_number(text: &[u8], is_time: bool) -> bool {
    match is_time {
        true => text == b"-1" || is_decimal(text),
        false => is_decimal(text) && !text.contains(&b'.'),
    }
}
