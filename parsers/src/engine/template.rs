//! A line format compiled to byte operations: fields, each with its shape, between fixed bytes.
//!
//! Reading a line walks the fields once from left to right, finds each field's end by the bytes
//! that follow it and puts the slice where the field's [`Slot`] says. Nothing is allocated.

use crate::bytes::lanes::{self, Seek};
use crate::engine::slot::Slot;
use crate::engine::template_glance::Plan;
use crate::engine::time_layout::Layout;
use crate::entry::{Entry, Escape, Marks, Stamp, Zone};
use crate::error::LineError;
use crate::glance::Glance;
use crate::time::{self, DayCache};

pub use crate::engine::template_build::Builder;
pub use crate::engine::template_format::{TemplateFormat, TemplateParser};

/// How a time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are those of the functions in `time`.
pub enum TimeShape {
    Clf,
    Iso,
    Slashed,
    Asctime,
    EpochSeconds,
    EpochMs,
    EpochUs,
    Layout(Layout),
}

impl TimeShape {
    /// The stamp at the start of `text` and its length; for numbers `text` is the whole field.
    #[inline(always)]
    pub(super) fn read(self, text: &[u8], day: &mut DayCache) -> time::Found {
        let whole = |stamp: Option<Stamp>| stamp.map(|s| (s, text.len()));
        match self {
            Self::Clf => time::clf_prefix(text, day),
            Self::Iso => time::iso_prefix(text, day),
            Self::Slashed => time::slashed_prefix(text, day),
            Self::Asctime => time::asctime_prefix(text, day),
            Self::Layout(layout) => layout.read(text),
            Self::EpochSeconds => whole(time::epoch_seconds(text)),
            Self::EpochMs => whole(time::epoch_ms(text)),
            Self::EpochUs => {
                let us = crate::bytes::number(text).and_then(|n| i64::try_from(n).ok());
                whole(us.map(|us| Stamp {
                    us,
                    resolution_us: 1,
                    zone: Zone::Known,
                    marks: Marks::End,
                }))
            }
        }
    }

    /// The stamp that `text` is as a whole.
    pub(super) fn whole(self, text: &[u8], day: &mut DayCache) -> Option<Stamp> {
        self.read(text, day)
            .filter(|(_, used)| *used == text.len())
            .map(|(stamp, _)| stamp)
    }

    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::EpochSeconds | Self::EpochMs | Self::EpochUs)
    }
}

/// How far a field reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// To the fixed bytes that follow it, or to the end of the line if nothing follows. If those begin
    /// with a quote, a quote behind an odd number of backslashes does not count.
    Until,
    /// As `Until`, but a list: `, ` and ` : ` do not end it though a space does.
    List,
    /// As `Until`, but what stands in a pair of braces does not end it.
    Braced,
    /// As `Until`; spaces in front of the value, to which it was padded, do not count.
    Padded,
    /// As `Until`; quotes around the value, if there are any, are taken off.
    MaybeQuoted,
    /// As `Until`, but the line may have been cut inside the field.
    MayBeCut,
    /// A request line without quotes: spaces in it are told from the end by ` HTTP/`.
    BareRequest,
    /// As far as the time reaches.
    Time(TimeShape, Marks),
    /// Any number of `{…}` groups, each followed by a space; possibly none.
    Groups,
}

/// A field as a format's author names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Where the value goes.
    pub slot: Slot,
    /// How far it reaches.
    pub shape: Shape,
    /// What a [`LineError`] calls it.
    pub want: &'static str,
}

impl Field {
    /// A field that ends where the bytes after it begin.
    pub const fn new(slot: Slot, want: &'static str) -> Self {
        let shape = if slot.is_list() { Shape::List } else { Shape::Until };
        Self { slot, shape, want }
    }

    /// A field that is read over.
    pub const fn skip() -> Self {
        Self::new(Slot::Skip, "field")
    }

    /// A time.
    pub const fn time(shape: TimeShape, marks: Marks) -> Self {
        Self {
            slot: Slot::Skip,
            shape: Shape::Time(shape, marks),
            want: "time",
        }
    }

    /// The same field with another shape.
    #[must_use]
    pub const fn shaped(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }
}

/// A field and the bytes that must follow it.
#[derive(Debug, Clone)]
pub(super) struct Op {
    pub(super) field: Field,
    pub(super) until: Until,
}

/// Fixed bytes, compared eight at a time: a call of `memcmp` for two or three bytes costs more than
/// all the rest of reading a field.
#[derive(Debug, Clone)]
pub(crate) struct Until {
    bytes: Box<[u8]>,
    seek: Seek,
    word: u64,
    mask: u64,
    /// There is nothing to compare behind the first of them.
    is_one: bool,
    /// They are not compared at once: there are too many, or none.
    is_apart: bool,
    /// Whether a backslash before them makes them part of the value: a quote, unless nothing is escaped.
    is_escapable: bool,
}

impl Until {
    pub(crate) fn new(bytes: &[u8], is_raw: bool) -> Self {
        let (mut word, mut mask) = ([0; 8], [0; 8]);
        for ((to, mask), from) in word.iter_mut().zip(&mut mask).zip(bytes) {
            (*to, *mask) = (*from, 0xff);
        }
        Self {
            seek: Seek::new(bytes.first().copied().unwrap_or(0)),
            word: u64::from_le_bytes(word),
            mask: u64::from_le_bytes(mask),
            is_one: bytes.len() == 1,
            is_apart: !(1..=8).contains(&bytes.len()),
            is_escapable: bytes.first() == Some(&b'"') && !is_raw,
            bytes: bytes.into(),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn first(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(super) fn quotes(&self) -> usize {
        memchr::memchr_iter(b'"', &self.bytes).count()
    }

    pub(super) fn ends_with_space(&self) -> bool {
        self.bytes.last() == Some(&b' ')
    }

    /// Whether `text` begins with these bytes.
    #[inline]
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        match text.first_chunk::<8>() {
            Some(start) if self.bytes.len() <= 8 => (u64::from_le_bytes(*start) & self.mask) == self.word,
            _ => self.begins_compared(text),
        }
    }

    /// The same for many bytes, and near the end of a line.
    #[cold]
    fn begins_compared(&self, text: &[u8]) -> bool {
        // To compare no bytes at an address that is none takes some processors as long as to read all the line.
        self.bytes.is_empty() || text.starts_with(&self.bytes)
    }

    /// Where these bytes begin in the next few. `None` where a closer look is needed.
    #[inline(always)]
    pub(super) fn nearby(&self, text: &[u8]) -> Option<usize> {
        let at = self.seek.find_near(text)?;
        self.ends_at(text, at).then_some(at)
    }

    /// Where these bytes begin in `text`, near or far. `None` where a closer look is needed.
    #[inline]
    pub(super) fn anywhere(&self, text: &[u8]) -> Option<usize> {
        let at = self.seek.find_far(text, 0)?;
        self.ends_at(text, at).then_some(at)
    }

    /// Whether these bytes, the first of which is at `at`, are there, and surely end a field.
    #[inline(always)]
    pub(super) fn ends_at(&self, text: &[u8], at: usize) -> bool {
        if self.is_escapable && text.get(at.wrapping_sub(1)) == Some(&b'\\') {
            return false;
        }
        self.is_one
            || text
                .get(at..)
                .and_then(<[u8]>::first_chunk::<8>)
                .is_some_and(|start| (u64::from_le_bytes(*start) & self.mask) == self.word && !self.is_apart)
    }

    /// Where these bytes begin in `text`; its length if there are none. A quote behind an odd number
    /// of backslashes does not count, where quotes are escaped.
    #[inline]
    pub(crate) fn find_in(&self, text: &[u8]) -> Option<usize> {
        if self.bytes.is_empty() {
            return Some(text.len());
        }
        let mut from = 0;
        loop {
            let at = self.seek.find(text, from)?;
            let is_here = self.bytes.len() == 1 || self.begins(&text[at..]);
            if is_here && !(self.is_escapable && is_escaped(text, 0, at)) {
                return Some(at);
            }
            from = at + 1;
        }
    }
}

/// A compiled line format.
#[derive(Debug, Clone)]
pub struct Template {
    pub(super) lead: Until,
    pub(super) ops: Box<[Op]>,
    /// After this many fields a line may end.
    pub(super) required: usize,
    pub(super) escape: Escape,
    /// Between fields, one space of the format stands for any number in the line.
    pub(super) padded: bool,
    /// What stands between the values of a list; zero for nginx's `, ` and ` : `.
    pub(super) separator: u8,
    /// Draws conclusions from several fields, once all are read.
    pub(super) finish: fn(&mut Entry<'_>),
    /// How many quotes a line has; `None` where quotes in values are escaped, or there are none around them.
    pub(super) quotes: Option<usize>,
    /// How a glance is taken; `None` where only reading the whole line tells.
    pub(super) glance: Option<Plan>,
}

impl Template {
    /// Reads `line` into `entry`.
    ///
    /// # Errors
    /// [`LineError`] with the field that was not there or not of its kind.
    #[inline]
    pub fn read<'a>(
        &self,
        line: &'a [u8],
        entry: &mut Entry<'a>,
        day: &mut DayCache,
    ) -> Result<(), LineError> {
        if !self.lead.begins(line) {
            return Err(LineError::new(0, "start of the line"));
        }
        if self.is_torn(line) && self.read_torn(line, entry, day) {
            return Ok(());
        }
        entry.escape = self.escape;
        entry.upstream.separator = self.separator;
        let mut at = self.lead.len();
        for (n, op) in self.ops.iter().enumerate() {
            let want = op.field.want;
            let rest = &line[at..];
            let (len, next) = match op.extent(rest, entry, day) {
                Some(found) => found,
                None if n + 1 >= self.required && n + 1 < self.ops.len() => {
                    op.last(rest, entry, day).ok_or(LineError::new(at, want))?;
                    break;
                }
                None => return Err(LineError::new(at, want)),
            };
            if !matches!(op.field.slot, Slot::Skip) && !op.write(&rest[..len], entry) {
                return Err(LineError::new(at, want));
            }
            at += next;
            if self.padded && op.until.ends_with_space() {
                at += line[at..].iter().take_while(|byte| **byte == b' ').count();
            }
        }
        (self.finish)(entry);
        Ok(())
    }

    /// Takes a glance at `line`, see [`crate::LineParser::glance`].
    #[inline]
    pub fn glance<'a>(&self, line: &'a [u8], glance: &mut Glance<'a>, day: &mut DayCache) -> bool {
        let Some(plan) = &self.glance else {
            return false;
        };
        self.lead.begins(line) && !self.is_torn(line) && plan.take(line, self.lead.len(), glance, day)
    }

    /// Whether `line` has other quotes than those of the format, and no escapes that tell which.
    #[inline]
    fn is_torn(&self, line: &[u8]) -> bool {
        self.quotes
            .is_some_and(|quotes| lanes::count(b'"', line) != quotes)
    }

    /// Whether no field of the format gives a time.
    pub fn is_timeless(&self) -> bool {
        !self
            .ops
            .iter()
            .any(|op| matches!(op.field.shape, Shape::Time(..)))
    }
}

impl Op {
    /// Length of the field at the start of `rest`, and where the next one starts. A time is set here.
    #[inline]
    pub(super) fn extent<'a>(
        &self,
        rest: &'a [u8],
        entry: &mut Entry<'a>,
        day: &mut DayCache,
    ) -> Option<(usize, usize)> {
        let until = &self.until;
        let len = match self.field.shape {
            Shape::Until => until.find_in(rest)?,
            Shape::List => end_of_list(rest, until)?,
            Shape::Braced => {
                let open = until.find_in(rest)?;
                match (memchr::memchr(b'{', &rest[..open]), memchr::memchr(b'}', rest)) {
                    (Some(from), Some(to)) if to > open && from < open => to + until.find_in(&rest[to..])?,
                    _ => open,
                }
            }
            Shape::Padded => {
                let lead = rest.iter().take_while(|byte| **byte == b' ').count();
                lead + until.find_in(&rest[lead..])?
            }
            Shape::MaybeQuoted => return maybe_quoted(rest, until),
            Shape::MayBeCut => {
                return Some(
                    until
                        .find_in(rest)
                        .map_or_else(|| (rest.len(), rest.len()), |len| (len, len + until.len())),
                );
            }
            Shape::BareRequest => {
                let from = memchr::memmem::find(rest, b" HTTP/").map_or(0, |at| at + 6);
                from + until.find_in(&rest[from..])?
            }
            Shape::Time(shape, marks) if shape.is_number() => {
                let len = until.find_in(rest)?;
                set_time(shape, marks, &rest[..len], entry, day)?;
                len
            }
            Shape::Time(shape, marks) => set_time(shape, marks, rest, entry, day)?,
            Shape::Groups => groups(rest),
        };
        let follows = match self.field.shape {
            Shape::Time(..) | Shape::Groups => until.begins(&rest[len..]),
            _ => true,
        };
        follows.then_some((len, len + until.len()))
    }

    /// The field as the last one of a line that ends early.
    pub(super) fn last<'a>(&self, rest: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<()> {
        if let Shape::Time(shape, marks) = self.field.shape {
            return (set_time(shape, marks, rest, entry, day)? == rest.len()).then_some(());
        }
        self.write(rest, entry).then_some(())
    }

    #[inline]
    pub(super) fn write<'a>(&self, mut value: &'a [u8], entry: &mut Entry<'a>) -> bool {
        if self.field.shape == Shape::MaybeQuoted
            && let [b'"', inner @ .., b'"'] = value
        {
            value = inner;
        }
        if self.field.shape == Shape::Padded {
            value = value.trim_ascii_start();
        }
        self.field.slot.write(value, entry)
    }
}

/// Reads a time; of two times in a line the finer one is kept.
fn set_time(
    shape: TimeShape,
    marks: Marks,
    text: &[u8],
    entry: &mut Entry<'_>,
    day: &mut DayCache,
) -> Option<usize> {
    let (stamp, used) = shape.read(text, day)?;
    if entry
        .time
        .is_none_or(|old| stamp.resolution_us < old.resolution_us)
    {
        entry.time = Some(stamp.marking(marks));
    }
    Some(used)
}

/// Where `until` begins in `text`; its length if `until` is empty.
#[inline]
pub(crate) fn end_of(text: &[u8], until: &[u8]) -> Option<usize> {
    let Some(&first) = until.first() else {
        return Some(text.len());
    };
    let seek = Seek::new(first);
    let mut from = 0;
    loop {
        let at = seek.find(text, from)?;
        if (until.len() == 1 || text[at..].starts_with(until)) && !(first == b'"' && is_escaped(text, 0, at))
        {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether an odd number of backslashes stands between `start` and `at`, right before `at`.
#[inline]
fn is_escaped(text: &[u8], start: usize, at: usize) -> bool {
    let before = &text[start..at];
    before.last() == Some(&b'\\') && before.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1
}

/// As [`end_of`], where a space inside `, ` or ` : ` does not end the list.
fn end_of_list(text: &[u8], until: &Until) -> Option<usize> {
    if until.first() != Some(b' ') {
        return until.find_in(text);
    }
    let mut from = 0;
    loop {
        let at = from + until.find_in(text.get(from..)?)?;
        if text[at..].starts_with(b" : ") {
            from = at + 3;
        } else if at > 0 && text[at - 1] == b',' {
            from = at + 1;
        } else {
            return Some(at);
        }
    }
}

/// The extent of a value that may stand in quotes, which belong to it here.
fn maybe_quoted(text: &[u8], until: &Until) -> Option<(usize, usize)> {
    let mut from = 0;
    if text.first() == Some(&b'"') {
        from = 2 + end_of(&text[1..], b"\"")?;
    }
    let len = from + until.find_in(&text[from..])?;
    Some((len, len + until.len()))
}

/// The length of `{…} {…} ` at the start of `text`.
pub(super) fn groups(text: &[u8]) -> usize {
    let close = Seek::new(b'}');
    let mut at = 0;
    while text.get(at) == Some(&b'{') {
        let Some(mut end) = close.find_far(text, at) else {
            break;
        };
        if end + 1 == text.len() {
            return text.len();
        }
        // A brace that no space follows is part of a value.
        while text.get(end + 1) != Some(&b' ') {
            match close.find_far(text, end + 1) {
                Some(next) => end = next,
                None => return at,
            }
        }
        at = end + 2;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_end_with_a_brace_and_a_space() {
        for (text, want) in [
            ("{a|b} {c} rest", "{a|b} {c} "),
            ("{a}b} \"GET", "{a}b} "),
            ("{a} {b", "{a} "),
            ("{a} {b}", "{a} {b}"),
            ("{a} {b}c}", "{a} "),
            ("{} x", "{} "),
            ("{", ""),
            ("a} ", ""),
            ("", ""),
        ] {
            let padded = format!("{text}{}", " and what follows it".repeat(4));
            assert_eq!(groups(text.as_bytes()), want.len(), "{text}");
            if !text.ends_with('}') && !text.ends_with("{b") {
                assert_eq!(groups(padded.as_bytes()), want.len(), "{padded}");
            }
        }
    }
}
