//! A glance at a line by its template: the fields that are counted, the others only measured.
//!
//! The steps are those of [`super::template`] with every doubt taken out: a field that is not written in the plainest
//! way ends the glance, and the line is read in full. Most fields are short and of the usual kind: those are read in one
//! go, from the next few bytes, and what that does not settle is read with care.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::bytes::lanes::{self, Ahead, STEP, Seek};
use crate::bytes::{self, decimal_scaled, filled};
use crate::engine::id::{self, IdKind};
use crate::engine::slot::{Slot, address_and_port, captured_ids, request_line, small, tail_ids, unit};
use crate::engine::template::{Op, Shape, TimeShape, Until, groups};
use crate::entry::Marks;
use crate::glance::Glance;
use crate::time::DayCache;

/// The steps of a glance.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    steps: Box<[Step]>,
    /// The bytes that begin most of what stands between short fields.
    pair: [Seek; 2],
    /// What parts the values of a list; zero for nginx's `, ` and ` : `.
    separator: u8,
}

#[derive(Debug, Clone)]
struct Step {
    take: Take,
    until: Until,
    /// Where a look ahead shows the end of the field: whether it is the second byte of the pair that begins what follows.
    ahead: Option<bool>,
}

/// What is done with a field.
#[derive(Debug, Clone, Copy)]
#[repr(u8)] // So that what is done is told from one byte, without a look at what it is done with.
enum Take {
    /// Any text, mostly a short one.
    Over,
    /// Any text in quotes, of any length.
    OverQuoted,
    /// A list that a space ends.
    OverList,
    /// Any time, or `-1`.
    OverTime,
    /// The same, mostly with three decimals.
    OverSeconds,
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
        let takes: Vec<Take> = ops.iter().map(take).collect::<Option<_>>()?;
        let in_run = runs(&takes);
        let of_runs = ops.iter().zip(&in_run).filter(|(_, in_run)| **in_run);
        let pair = commonest(of_runs.filter_map(|(op, _)| op.until.first()));
        let step = |((op, take), in_run): ((&Op, Take), bool)| {
            // A number ends where its digits end, so nothing that numbers are made of may follow.
            let of_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+');
            let is_clear = op.until.first().is_none_or(|byte| !of_number(byte));
            let until = op.until.clone();
            let first = until.first().filter(|_| in_run);
            let is_second = first.and_then(|first| pair.iter().position(|&byte| byte == first));
            is_clear.then_some(Step {
                take,
                until,
                ahead: is_second.map(|at| at == 1),
            })
        };
        let steps = ops
            .iter()
            .zip(takes)
            .zip(in_run)
            .map(step)
            .collect::<Option<_>>()?;
        Some(Self {
            steps,
            pair: pair.map(Seek::new),
            separator,
        })
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
        let Some(mut rest) = line.get(start..) else {
            return false;
        };
        let mut ahead = Ahead::new(&self.pair, line);
        for step in &self.steps {
            let len = match step.quickly(rest, &mut ahead, glance, self.separator, day) {
                Some(len) => len,
                None => match step.carefully(rest, glance, self.separator, day) {
                    Some(len) => len,
                    None => return false,
                },
            };
            let Some(behind) = rest.get(len + step.until.len()..) else {
                return false;
            };
            rest = behind;
        }
        glance.names_upstream = !glance.upstream.is_empty();
        if glance.upstream.is_empty() {
            glance.upstream_status = None;
        }
        true
    }
}

/// So many short fields in a row are worth a look ahead.
const RUN: usize = 4;

/// Which fields stand among several short ones.
fn runs(takes: &[Take]) -> Vec<bool> {
    let is_short = |take: &Take| {
        !matches!(
            take,
            Take::Time(..)
                | Take::BareRequest
                | Take::Groups
                | Take::OverQuoted
                | Take::Request
                | Take::Path
                | Take::Id(_)
                | Take::MaybeId
                | Take::Tail
        )
    };
    let mut in_run = Vec::new();
    for run in takes.chunk_by(|one, next| is_short(one) == is_short(next)) {
        let is_long = run.len() >= RUN && run.iter().all(is_short);
        in_run.resize(in_run.len() + run.len(), is_long);
    }
    in_run
}

/// The two of `bytes` that occur most.
fn commonest(bytes: impl Iterator<Item = u8>) -> [u8; 2] {
    let mut counts = BTreeMap::new();
    bytes.for_each(|byte| *counts.entry(byte).or_insert(0) += 1);
    let mut all: Vec<(u8, i32)> = counts.into_iter().collect();
    all.sort_by_key(|&(byte, count)| (Reverse(count), byte));
    [0, 1].map(|at: usize| all.get(at).map_or(b' ', |&(byte, _)| byte))
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
        Slot::Queue(unit::S)
        | Slot::Connect(unit::S)
        | Slot::Header(unit::S)
        | Slot::OtherHeader(unit::S)
        | Slot::Response(unit::S) => Take::OverSeconds,
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
    /// The length of the field at the start of `rest`, its value taken, if it is of the usual length and kind; `None`,
    /// nothing taken, if that needs more care.
    #[inline(always)]
    fn quickly<'a>(
        &self,
        rest: &'a [u8],
        ahead: &mut Ahead<'_, '_>,
        glance: &mut Glance<'a>,
        separator: u8,
        day: &mut DayCache,
    ) -> Option<usize> {
        match self.take {
            Take::Time(shape, marks) => self.time(rest, shape, marks, glance, day),
            Take::Over => self.near(rest, ahead),
            Take::OverQuoted => self.until.anywhere(rest),
            Take::OverTime | Take::OverCount => {
                let (short, len) = self.short(rest, ahead)?;
                lanes::is_number_in(short, len).then_some(len)
            }
            Take::OverSeconds => {
                let (short, len) = self.short(rest, ahead)?;
                lanes::are_thousandths_in(short, len).then_some(len)
            }
            Take::OverAddressAndPort => {
                let len = self.near(rest, ahead)?;
                is_plain_address_and_port(rest, len).then_some(len)
            }
            Take::Duration(unit) => {
                let (short, len) = self.short(rest, ahead)?;
                glance.duration_us = Some(usual_duration(short, len, unit)?);
                Some(len)
            }
            Take::OtherDuration(unit) => {
                let (short, len) = self.short(rest, ahead)?;
                let other = usual_duration(short, len, unit)?;
                glance.duration_us.get_or_insert(other);
                Some(len)
            }
            Take::UpstreamAddr | Take::UpstreamServer => {
                let len = self.near(rest, ahead)?;
                self.upstream(rest, len, glance, separator).then_some(len)
            }
            Take::Either(one, other) => {
                let (short, len) = self.short(rest, ahead)?;
                let is = |known: &[u8]| matches!(known, [byte] if len == 1 && *byte == short[0]);
                (is(one) || is(other)).then_some(len)
            }
            Take::Status | Take::OtherStatus | Take::PassedStatus => {
                let (short, len) = self.short(rest, ahead)?;
                self.status(short.get(..len)?, glance).then_some(len)
            }
            Take::UpstreamStatus => {
                let (short, len) = self.short(rest, ahead)?;
                (!goes_on(rest, len) && self.status(short.get(..len)?, glance)).then_some(len)
            }
            Take::OverList => {
                let len = self.near(rest, ahead)?;
                (!goes_on(rest, len)).then_some(len)
            }
            Take::ConnectionRequests => {
                let (short, len) = self.short(rest, ahead)?;
                glance.connection_requests = Some(u32::try_from(lanes::number_in(short, len)?).ok()?);
                Some(len)
            }
            Take::Orderly => {
                let (short, len) = self.short(rest, ahead)?;
                (len > 0 && short[0] == b'-').then_some(len)
            }
            Take::Request | Take::Path | Take::Id(_) => {
                let len = self.until.anywhere(rest)?;
                self.text(rest.get(..len)?, glance).then_some(len)
            }
            Take::Groups => {
                let len = groups(rest);
                if !self.until.begins(&rest[len..]) {
                    return None;
                }
                captured_ids(&rest[..len], &mut glance.ids);
                Some(len)
            }
            Take::Tail if self.until.len() == 0 => {
                tail_ids(rest, &mut glance.ids);
                Some(rest.len())
            }
            _ => None,
        }
    }

    /// The length of a field that is mostly short. `None` where a closer look is needed.
    #[inline(always)]
    fn near(&self, rest: &[u8], ahead: &mut Ahead<'_, '_>) -> Option<usize> {
        let seen = self.ahead.and_then(|is_second| ahead.find(is_second, rest.len()));
        match seen {
            Some(len) => self.until.ends_at(rest, len).then_some(len),
            None => self.until.nearby(rest),
        }
    }

    /// The same with the bytes in which a very short one stands.
    #[inline(always)]
    fn short<'a>(&self, rest: &'a [u8], ahead: &mut Ahead<'_, '_>) -> Option<(&'a [u8; STEP], usize)> {
        let len = self.near(rest, ahead)?;
        Some((rest.first_chunk()?, len))
    }

    /// The same for every field; `None` if it is not of the plainest kind.
    #[inline(never)]
    fn carefully<'a>(
        &self,
        rest: &'a [u8],
        glance: &mut Glance<'a>,
        separator: u8,
        day: &mut DayCache,
    ) -> Option<usize> {
        let len = match self.take {
            Take::Time(shape, marks) => return self.time(rest, shape, marks, glance, day),
            Take::BareRequest => {
                let from = memchr::memmem::find(rest, b" HTTP/")? + 6;
                from + self.until.find_in(&rest[from..])?
            }
            Take::Groups => return None,
            _ => self.until.find_in(rest)?,
        };
        let text = &rest[..len];
        let is_fit = match self.take {
            Take::Over | Take::OverQuoted => true,
            Take::OverTime | Take::OverSeconds => text == b"-1" || is_decimal(text),
            Take::OverCount => is_decimal(text) && !text.contains(&b'.'),
            Take::Duration(unit) => {
                glance.duration_us = Some(duration(text, unit)?);
                true
            }
            Take::OtherDuration(unit) => {
                let other = duration(text, unit)?;
                glance.duration_us.get_or_insert(other);
                true
            }
            Take::Status | Take::OtherStatus | Take::PassedStatus => self.status(text, glance),
            Take::UpstreamStatus => !goes_on(rest, len) && self.status(text, glance),
            Take::UpstreamAddr | Take::UpstreamServer => self.upstream(rest, len, glance, separator),
            Take::OverList => !goes_on(rest, len),
            Take::OverAddressAndPort => address_and_port(text).is_some(),
            Take::ConnectionRequests => {
                glance.connection_requests = small(text);
                true
            }
            Take::Either(one, other) => text == one || text == other,
            _ => self.text(text, glance),
        };
        is_fit.then_some(len)
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
            Take::Tail => tail_ids(value, &mut glance.ids),
            _ => {}
        }
        true
    }

    /// The length of a stamp; of two the finer one is kept.
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
        let [a, b, c] = digits.map(|digit| u16::from(digit.wrapping_sub(b'0')));
        if !(1..=9).contains(&a) || b > 9 || c > 9 {
            return false;
        }
        let status = a * 100 + b * 10 + c;
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
    fn upstream<'a>(&self, rest: &'a [u8], len: usize, glance: &mut Glance<'a>, separator: u8) -> bool {
        let text = &rest[..len];
        if matches!(self.take, Take::UpstreamAddr) {
            let has_scheme = text.first().is_some_and(u8::is_ascii_lowercase)
                && memchr::memmem::find(text, b"://").is_some();
            if has_scheme || rest[len..].starts_with(b" : ") {
                return false;
            }
        } else if text.starts_with(b"<") || !glance.upstream.is_empty() {
            return true;
        }
        let name = filled(text);
        let is_only = name.is_empty() || !lanes::has_any(rest, 0, len, [b' ', b',', separator]);
        if is_only {
            glance.upstream = name;
        }
        is_only
    }
}

/// Whether the list of `len` bytes, which a space ends, has more than one value.
#[inline(always)]
fn goes_on(rest: &[u8], len: usize) -> bool {
    rest.get(len.wrapping_sub(1)) == Some(&b',')
        || rest.get(len..).is_some_and(|rest| rest.starts_with(b" : "))
}

/// Whether the first `len` bytes of `rest` are an address with its port: one of one to five digits is behind the only or
/// last colon, and there is no space.
#[inline(always)]
fn is_plain_address_and_port(rest: &[u8], len: usize) -> bool {
    lanes::last_colon(rest, len)
        .and_then(|colon| lanes::number(rest, colon + 1, len))
        .is_some_and(|port| port <= u64::from(u16::MAX))
}

/// Microseconds that a number of the usual length is, of a unit of so many of them. Seconds nearly always have three
/// decimals, and nothing else has.
#[inline(always)]
fn usual_duration(short: &[u8; STEP], len: usize, unit: u32) -> Option<u64> {
    match unit {
        unit::S => Some(lanes::thousandths_in(short, len)? * u64::from(unit::MS)),
        _ => Some(lanes::number_in(short, len)? * u64::from(unit)),
    }
}

/// The same of any number.
fn duration(text: &[u8], unit: u32) -> Option<u64> {
    is_decimal(text)
        .then(|| decimal_scaled(text, u64::from(unit)))
        .flatten()
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
