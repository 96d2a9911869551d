//! Time stamps as logs write them, from bytes to microseconds: no allocation, no regex, the day cached.
//!
//! Every shape comes twice: `shape(text)` wants the whole slice to be the stamp, `shape_prefix(text)`
//! says how many bytes the stamp took. The resolution is that of the digits present. Whether a stamp
//! marks a start or an end is the format's knowledge: see [`Stamp::marking`].

use crate::bytes::lanes;
use crate::entry::{Marks, Stamp, Zone};

/// Microseconds in a second.
pub const SECOND_US: i64 = 1_000_000;

/// Microseconds in a day.
pub const DAY_US: i64 = 86_400 * SECOND_US;

/// The year [`any`] assumes where a stamp has none; a leap year, so that 29 February can be read.
pub const ASSUMED_YEAR: i32 = 1972;

/// A stamp and the number of bytes it took.
pub type Found = Option<(Stamp, usize)>;

impl Stamp {
    /// The same stamp, said to mark `marks`.
    #[must_use]
    pub const fn marking(mut self, marks: Marks) -> Self {
        self.marks = marks;
        self
    }
}

/// The day and the second read last, so that a run of lines of one day converts its date once, and a run of one
/// second its clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct DayCache {
    date: [u8; 11],
    day_us: i64,
    second: [u8; 20],
    second_us: i64,
    /// What was read last behind a clock: as many bytes as tell of an offset, and the offset that they tell of.
    behind: [u8; 8],
    offset: Option<(i64, usize)>,
}

impl DayCache {
    /// Midnight of `date` in microseconds, computed by `read` unless it is the date asked for last.
    fn midnight(&mut self, date: &[u8; 11], read: impl FnOnce(&[u8; 11]) -> Option<i64>) -> Option<i64> {
        if self.date != *date {
            self.day_us = read(date)?.checked_mul(DAY_US)?;
            self.date = *date;
        }
        Some(self.day_us)
    }

    /// The civil time of a date and a clock in whole seconds, computed by `read` unless it is the one asked for last.
    #[inline]
    fn second(&mut self, text: &[u8; 20], read: impl FnOnce(&mut Self) -> Option<i64>) -> Option<i64> {
        if self.second != *text {
            self.second_us = read(self)?;
            self.second = *text;
        }
        Some(self.second_us)
    }

    /// The offset at the start of `text`, as [`offset`] reads it.
    #[inline]
    fn offset(&mut self, text: &[u8]) -> Option<(i64, usize)> {
        let Some(behind) = text.first_chunk::<8>() else {
            return offset(text);
        };
        if self.behind != *behind {
            self.offset = offset(text);
            self.behind = *behind;
        }
        self.offset
    }
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
pub fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// `20/Nov/2026:16:23:16 +0000` (common log format) and `20/Nov/2026:16:23:16.123` (HAProxy, local time).
pub fn clf(text: &[u8], cache: &mut DayCache) -> Option<Stamp> {
    whole(text, clf_prefix(text, cache))
}

/// As [`clf`], at the start of `text`.
#[inline]
pub fn clf_prefix(text: &[u8], cache: &mut DayCache) -> Found {
    let whole: &[u8; 20] = text.first_chunk()?;
    if whole[11] != b':' {
        return None;
    }
    let second = cache.second(whole, |cache| clf_second(whole, cache))?;
    finish_second(text, 20, second, cache)
}

#[inline(never)]
fn clf_second(whole: &[u8; 20], cache: &mut DayCache) -> Option<i64> {
    let midnight = cache.midnight(whole.first_chunk()?, |d| {
        if d[2] != b'/' || d[6] != b'/' {
            return None;
        }
        let month = month_by_name([d[3], d[4], d[5]])?;
        days_checked(four([d[7], d[8], d[9], d[10]])?, month, two([d[0], d[1]]))
    })?;
    let (since_midnight, ..) = clock(whole, 12)?;
    Some(midnight + since_midnight)
}

/// ISO 8601 and RFC 3339: `2026-11-20T16:23:16.123456789Z`, a space for the `T`, a comma for the dot,
/// `+02:00`, `+0200`, `+02`, ` +0200` or no offset.
pub fn iso(text: &[u8], cache: &mut DayCache) -> Option<Stamp> {
    whole(text, iso_prefix(text, cache))
}

/// As [`iso`], at the start of `text`.
pub fn iso_prefix(text: &[u8], cache: &mut DayCache) -> Found {
    let start: &[u8; 11] = text.first_chunk()?;
    if !matches!(start[10], b'T' | b't' | b' ' | b'_') {
        return None;
    }
    finish(text, 11, midnight_year_first(start, b'-', cache)?)
}

/// `2026/11/20 16:23:16`, as nginx's error log has it: local time, one second.
pub fn slashed(text: &[u8], cache: &mut DayCache) -> Option<Stamp> {
    whole(text, slashed_prefix(text, cache))
}

/// As [`slashed`], at the start of `text`.
pub fn slashed_prefix(text: &[u8], cache: &mut DayCache) -> Found {
    let start: &[u8; 11] = text.first_chunk()?;
    if start[10] != b' ' {
        return None;
    }
    finish(text, 11, midnight_year_first(start, b'/', cache)?)
}

/// A date and a clock in two slices (`2026-11-20` and `16:23:16`), as W3C logs have them; without zone.
pub fn date_and_clock(date: &[u8], clock: &[u8], cache: &mut DayCache) -> Option<Stamp> {
    let date: &[u8; 10] = date.try_into().ok()?;
    let mut padded = [b' '; 11];
    padded[..10].copy_from_slice(date);
    let Ok(whole_seconds) = <&[u8; 8]>::try_from(clock) else {
        let midnight = midnight_year_first(&padded, b'-', cache)?;
        return whole(clock, finish(clock, 0, midnight));
    };
    let mut key = [b' '; 20];
    key[..10].copy_from_slice(date);
    key[11..19].copy_from_slice(whole_seconds);
    let second = cache.second(&key, |cache| {
        let midnight = midnight_year_first(&padded, b'-', cache)?;
        let (since_midnight, ..) = self::clock(whole_seconds, 0)?;
        Some(midnight + since_midnight)
    })?;
    Some(stamp(second, 1_000_000, Zone::Local))
}

/// `Fri Nov 20 16:32:23.169355 2026`, as Apache's error log has it: local time.
pub fn asctime(text: &[u8], cache: &mut DayCache) -> Option<Stamp> {
    whole(text, asctime_prefix(text, cache))
}

/// As [`asctime`], at the start of `text`.
pub fn asctime_prefix(text: &[u8], cache: &mut DayCache) -> Found {
    let start: &[u8; 11] = text.first_chunk()?;
    if start[3] != b' ' || start[7] != b' ' || *text.get(10)? != b' ' {
        return None;
    }
    let (since_midnight, resolution_us, at) = clock(text, 11)?;
    let year: &[u8; 5] = text.get(at..)?.first_chunk()?;
    if year[0] != b' ' {
        return None;
    }
    // The key is the month, the day and the year; the weekday follows from them.
    let mut date = [b' '; 11];
    date[..6].copy_from_slice(&start[4..10]);
    date[6..11].copy_from_slice(year);
    let midnight = cache.midnight(&date, |d| {
        let month = month_by_name([d[0], d[1], d[2]])?;
        days_checked(four([d[7], d[8], d[9], d[10]])?, month, padded_two([d[4], d[5]]))
    })?;
    let stamp = stamp(midnight + since_midnight, resolution_us, Zone::Local);
    Some((stamp, at + 5))
}

/// `20-Nov-2026 16:23:16.123`, as Tomcat's own log and PHP-FPM have it: local time unless an offset follows.
/// At the start of `text`.
pub fn dashed_prefix(text: &[u8], cache: &mut DayCache) -> Found {
    let date: &[u8; 11] = text.first_chunk()?;
    let midnight = cache.midnight(date, |d| {
        if d[2] != b'-' || d[6] != b'-' {
            return None;
        }
        let month = month_by_name([d[3], d[4], d[5]])?;
        days_checked(four([d[7], d[8], d[9], d[10]])?, month, two([d[0], d[1]]))
    })?;
    if *text.get(11)? != b' ' {
        return None;
    }
    finish(text, 12, midnight)
}

/// `Nov 20, 2026 4:23:16 PM`, as Java's own logging has it in English: local time. At the start of `text`.
pub fn java_prefix(text: &[u8]) -> Found {
    let month = month_by_name(*text.first_chunk()?)?;
    let rest = text.get(3..)?.strip_prefix(b" ")?;
    let comma = memchr::memchr(b',', rest).filter(|at| (1..=2).contains(at))?;
    let day = u32::try_from(crate::bytes::number(&rest[..comma])?).ok()?;
    let rest = rest[comma + 1..].strip_prefix(b" ")?;
    let year = four(*rest.first_chunk()?)?;
    let rest = rest.get(4..)?;
    let rest = rest.strip_prefix(b",").unwrap_or(rest).strip_prefix(b" ")?;
    let hour_len = memchr::memchr(b':', rest).filter(|at| (1..=2).contains(at))?;
    let hour = i64::try_from(crate::bytes::number(&rest[..hour_len])?).ok()?;
    let tail: &[u8; 9] = rest.get(hour_len..)?.first_chunk()?;
    let (minute, second) = (two([tail[1], tail[2]]), two([tail[4], tail[5]]));
    let half = match &tail[7..] {
        b"AM" => 0,
        b"PM" => 12,
        _ => return None,
    };
    if tail[3] != b':' || minute > 59 || second > 60 || !(1..=12).contains(&hour) {
        return None;
    }
    let seconds = (hour % 12 + half) * 3600 + i64::from(minute * 60 + second);
    let us = days_checked(year, month, day)? * DAY_US + seconds * SECOND_US;
    let used = text.len() - rest.len() + hour_len + 9;
    Some((stamp(us, 1_000_000, Zone::Local), used))
}

/// A time of day, `16:23:16.123` with `.`, `,` or `:` before the fraction, as microseconds since midnight, its
/// resolution and its length.
pub fn clock_prefix(text: &[u8]) -> Option<(i64, u32, usize)> {
    let (us, resolution_us, end) = clock(text, 0)?;
    if text.get(end) == Some(&b':') {
        let (part_us, resolution_us, used) = fraction_us(&text[end + 1..]);
        if used > 0 {
            return Some((us + part_us, resolution_us, end + 1 + used));
        }
    }
    Some((us, resolution_us, end))
}

/// Midnight at the start of `date` (`2026-11-20`), in microseconds since the epoch, without zone.
pub fn midnight_us(date: &[u8; 10]) -> Option<i64> {
    let mut padded = [b' '; 11];
    padded[..10].copy_from_slice(date);
    midnight_year_first(&padded, b'-', &mut DayCache::default())
}

/// `Nov 20 16:26:16`, as RFC 3164 has it: local time, the year taken to be `year`.
pub fn rfc3164(text: &[u8], year: i32) -> Option<Stamp> {
    whole(text, rfc3164_prefix(text, year))
}

/// As [`rfc3164`], at the start of `text`.
pub fn rfc3164_prefix(text: &[u8], year: i32) -> Found {
    let start: &[u8; 7] = text.first_chunk()?;
    if start[3] != b' ' || start[6] != b' ' {
        return None;
    }
    let month = month_by_name([start[0], start[1], start[2]])?;
    let day = padded_two([start[4], start[5]]);
    let (since_midnight, resolution_us, at) = clock(text, 7)?;
    let us = days_checked(year, month, day)? * DAY_US + since_midnight;
    Some((stamp(us, resolution_us, Zone::LocalNoYear), at))
}

/// Seconds since the epoch with an optional fraction: `1787042097.147`.
#[inline]
pub fn epoch_seconds(text: &[u8]) -> Option<Stamp> {
    epoch_thousandths(text).or_else(|| epoch_of_any_length(text))
}

fn epoch_of_any_length(text: &[u8]) -> Option<Stamp> {
    let (whole_part, fraction) = match memchr::memchr2(b'.', b',', text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let seconds = i64::try_from(crate::bytes::number(whole_part)?).ok()?;
    let (fraction_us, resolution_us) = match fraction {
        None => (0, 1_000_000),
        Some(digits) => {
            let (us, resolution_us, used) = fraction_us(digits);
            if used == 0 || used != digits.len() {
                return None;
            }
            (us, resolution_us)
        }
    };
    let us = seconds.checked_mul(SECOND_US)?.checked_add(fraction_us)?;
    Some(stamp(us, resolution_us, Zone::Known))
}

/// [`epoch_seconds`] of ten digits with three decimals, as every log of these years has them.
#[inline]
fn epoch_thousandths(text: &[u8]) -> Option<Stamp> {
    if text.len() != 14 || text[10] != b'.' {
        return None;
    }
    let high = i64::from(two([text[0], text[1]]));
    let low = i64::try_from(lanes::number(text, 2, 10)?).ok()?;
    let ms = i64::try_from(lanes::number(text, 11, 14)?).ok()?;
    let us = (high * 100_000_000 + low) * SECOND_US + ms * 1_000;
    (high != i64::from(WRONG)).then(|| stamp(us, 1_000, Zone::Known))
}

/// Milliseconds since the epoch: `1745532517537`.
pub fn epoch_ms(text: &[u8]) -> Option<Stamp> {
    let ms = i64::try_from(crate::bytes::number(text)?).ok()?;
    Some(stamp(ms.checked_mul(1000)?, 1000, Zone::Known))
}

/// Any stamp that a supported log writes, brackets or quotes around it allowed. A number is read as
/// seconds, milliseconds, microseconds or nanoseconds since the epoch by its count of digits.
/// Where the year is missing it is taken to be [`ASSUMED_YEAR`] and the zone says so.
pub fn any(text: &[u8]) -> Option<Stamp> {
    any_in_year(text, ASSUMED_YEAR)
}

/// As [`any`], with the year to take where a stamp has none.
pub fn any_in_year(text: &[u8], year: i32) -> Option<Stamp> {
    let text = strip(text.trim_ascii());
    let cache = &mut DayCache::default();
    match *text.first()? {
        b'@' => any_epoch(&text[1..]),
        b'0'..=b'9' => match (text.get(2), text.get(4)) {
            (Some(b'/'), _) => clf(text, cache),
            (_, Some(b'-')) => iso(text, cache),
            (_, Some(b'/')) => slashed(text, cache),
            _ => any_epoch(text),
        },
        b'A'..=b'Z' => asctime(text, cache).or_else(|| rfc3164(text, year)),
        _ => None,
    }
}

/// A number since the epoch whose unit follows from its size: years 2001 to 2286 have ten digits of seconds.
fn any_epoch(text: &[u8]) -> Option<Stamp> {
    let digits = memchr::memchr2(b'.', b',', text).unwrap_or(text.len());
    match digits {
        9 | 10 => epoch_seconds(text),
        13 => epoch_ms(&text[..digits]),
        16 => {
            let us = i64::try_from(crate::bytes::number(text)?).ok()?;
            Some(stamp(us, 1, Zone::Known))
        }
        19 => {
            let ns = i64::try_from(crate::bytes::number(text)?).ok()?;
            Some(stamp(ns / 1000, 1, Zone::Known))
        }
        _ => None,
    }
}

/// `text` without one pair of brackets or quotes around it.
fn strip(text: &[u8]) -> &[u8] {
    match text {
        [b'[', inner @ .., b']'] | [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => text,
    }
}

fn whole(text: &[u8], found: Found) -> Option<Stamp> {
    found
        .filter(|(_, used)| *used == text.len())
        .map(|(stamp, _)| stamp)
}

const fn stamp(us: i64, resolution_us: u32, zone: Zone) -> Stamp {
    Stamp {
        us,
        resolution_us,
        zone,
        marks: Marks::End,
    }
}

/// Midnight of `YYYY-MM-DD` with `separator` between the numbers; the eleventh byte does not matter.
fn midnight_year_first(start: &[u8; 11], separator: u8, cache: &mut DayCache) -> Option<i64> {
    let mut date = *start;
    date[10] = b' ';
    cache.midnight(&date, |d| {
        if d[4] != separator || d[7] != separator {
            return None;
        }
        days_checked(
            four([d[0], d[1], d[2], d[3]])?,
            two([d[5], d[6]]),
            two([d[8], d[9]]),
        )
    })
}

/// The clock at `at`, its fraction and its offset, added to `midnight`.
fn finish(text: &[u8], at: usize, midnight: i64) -> Found {
    let (since_midnight, resolution_us, at) = clock(text, at)?;
    Some(with_offset(text, at, midnight + since_midnight, resolution_us))
}

/// The fraction at `at` and the offset after it, added to a time of whole seconds.
#[inline]
fn finish_second(text: &[u8], at: usize, second_us: i64, cache: &mut DayCache) -> Found {
    let (mut at, mut us, mut resolution_us) = (at, second_us, 1_000_000);
    if matches!(text.get(at), Some(b'.' | b',')) {
        let (part_us, part, used) = fraction_us(&text[at + 1..]);
        if used > 0 {
            (at, us, resolution_us) = (at + 1 + used, us + part_us, part);
        }
    }
    let offset = cache.offset(text.get(at..).unwrap_or_default());
    Some(offset_by(offset, at, us, resolution_us))
}

/// The civil time `civil` with the offset that stands at `at`, if one does.
#[inline]
fn with_offset(text: &[u8], at: usize, civil: i64, resolution_us: u32) -> (Stamp, usize) {
    offset_by(
        offset(text.get(at..).unwrap_or_default()),
        at,
        civil,
        resolution_us,
    )
}

/// The same with the offset that was found there.
#[inline]
fn offset_by(offset: Option<(i64, usize)>, at: usize, civil: i64, resolution_us: u32) -> (Stamp, usize) {
    match offset {
        Some((offset_us, used)) => (stamp(civil - offset_us, resolution_us, Zone::Known), at + used),
        None => (stamp(civil, resolution_us, Zone::Local), at),
    }
}

/// `HH:MM:SS` with an optional fraction: microseconds since midnight, resolution, end. A second 60 is allowed.
fn clock(text: &[u8], at: usize) -> Option<(i64, u32, usize)> {
    let c: &[u8; 8] = text.get(at..)?.first_chunk()?;
    let (hour, minute, second) = (two([c[0], c[1]]), two([c[3], c[4]]), two([c[6], c[7]]));
    if c[2] != b':' || c[5] != b':' || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    let end = at + 8;
    if matches!(text.get(end), Some(b'.' | b',')) {
        let (us, resolution_us, used) = fraction_us(&text[end + 1..]);
        if used > 0 {
            return Some((seconds * SECOND_US + us, resolution_us, end + 1 + used));
        }
    }
    Some((seconds * SECOND_US, 1_000_000, end))
}

/// Leading digits as a fraction of a second: microseconds (rounded down), resolution, digits used.
#[inline]
fn fraction_us(digits: &[u8]) -> (i64, u32, usize) {
    // Milliseconds, as nearly all stamps have them, without a loop.
    if let Some((digits, rest)) = digits.split_first_chunk()
        && !rest.first().is_some_and(u8::is_ascii_digit)
    {
        let [a, b, c] = digits.map(|digit| digit.wrapping_sub(b'0'));
        if a.max(b).max(c) <= 9 {
            let ms = i64::from(a) * 100 + i64::from(b) * 10 + i64::from(c);
            return (ms * 1_000, 1_000, 3);
        }
    }
    fraction_of_any_length(digits)
}

#[inline(never)]
fn fraction_of_any_length(digits: &[u8]) -> (i64, u32, usize) {
    let mut us = 0i64;
    let mut unit = 1_000_000u32;
    let mut used = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        used += 1;
        if used <= 6 {
            unit /= 10;
            us += i64::from(digit) * i64::from(unit);
        }
    }
    (us, unit.max(1), used)
}

/// `Z`, `UTC`, `GMT`, `+hh:mm`, `+hhmm` or `+hh`, after an optional space: microseconds east of UTC, bytes used.
fn offset(text: &[u8]) -> Option<(i64, usize)> {
    let space = usize::from(text.first() == Some(&b' '));
    let text = &text[space..];
    let east = match *text.first()? {
        b'+' => 1,
        b'-' => -1,
        b'Z' | b'z' if space == 0 => return Some((0, 1)),
        b'U' if text.starts_with(b"UTC") => return Some((0, space + 3)),
        b'G' if text.starts_with(b"GMT") => return Some((0, space + 3)),
        _ => return None,
    };
    let hour = two([*text.get(1)?, *text.get(2)?]);
    let minute_at = 3 + usize::from(text.get(3) == Some(&b':'));
    let minute = match (text.get(minute_at), text.get(minute_at + 1)) {
        (Some(&a), Some(&b)) => two([a, b]),
        _ => WRONG,
    };
    if hour > 23 {
        return None;
    }
    let (minute, used) = if minute > 59 {
        (0, 3)
    } else {
        (minute, minute_at + 2)
    };
    let seconds = i64::from(hour * 3600 + minute * 60);
    Some((east * seconds * SECOND_US, space + used))
}

/// What [`two`] gives for anything but two digits: beyond every range that callers check.
const WRONG: u32 = 1000;

const fn two(digits: [u8; 2]) -> u32 {
    let (tens, ones) = (digits[0].wrapping_sub(b'0'), digits[1].wrapping_sub(b'0'));
    if tens > 9 || ones > 9 {
        return WRONG;
    }
    tens as u32 * 10 + ones as u32
}

/// Two digits of which the first may be a space.
const fn padded_two(digits: [u8; 2]) -> u32 {
    if digits[0] == b' ' {
        two([b'0', digits[1]])
    } else {
        two(digits)
    }
}

fn four(digits: [u8; 4]) -> Option<i32> {
    let (high, low) = (two([digits[0], digits[1]]), two([digits[2], digits[3]]));
    if high == WRONG || low == WRONG {
        return None;
    }
    i32::try_from(high * 100 + low).ok()
}

fn days_checked(year: i32, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let most = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=most)
        .contains(&day)
        .then(|| days_from_civil(year, month, day))
}

const fn month_by_name(name: [u8; 3]) -> Option<u32> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-20T16:23:16Z.
    const WHEN: i64 = 1_795_191_796 * SECOND_US;

    fn read(text: &str) -> (i64, u32, Zone) {
        let stamp = any(text.as_bytes()).unwrap_or_else(|| panic!("{text} was not read"));
        (stamp.us - WHEN, stamp.resolution_us, stamp.zone)
    }

    #[test]
    fn every_shape_gives_the_same_instant() {
        for (text, us, resolution, zone) in [
            ("20/Nov/2026:16:23:16 +0000", 0, 1_000_000, Zone::Known),
            ("[20/Nov/2026:18:23:16 +0200]", 0, 1_000_000, Zone::Known),
            ("20/Nov/2026:16:23:16.123", 123_000, 1000, Zone::Local),
            ("20/Nov/2026:10:53:16.5 -0530", 500_000, 100_000, Zone::Known),
            ("2026-11-20T16:23:16Z", 0, 1_000_000, Zone::Known),
            ("2026-11-20 16:23:16,123", 123_000, 1000, Zone::Local),
            ("2026-11-20T16:23:16.123456789+00:00", 123_456, 1, Zone::Known),
            ("2026-11-20 16:23:16 +0000", 0, 1_000_000, Zone::Known),
            ("2026-11-20T14:23:16-02", 0, 1_000_000, Zone::Known),
            ("2026/11/20 16:23:16", 0, 1_000_000, Zone::Local),
            ("Fri Nov 20 16:23:16.169355 2026", 169_355, 1, Zone::Local),
            ("Fri Nov 20 16:23:16 2026", 0, 1_000_000, Zone::Local),
            ("1795191796", 0, 1_000_000, Zone::Known),
            ("1795191796.147", 147_000, 1000, Zone::Known),
            ("@1795191796.1", 100_000, 100_000, Zone::Known),
            ("1795191796147", 147_000, 1000, Zone::Known),
            ("1795191796147000", 147_000, 1, Zone::Known),
            ("1795191796147000999", 147_000, 1, Zone::Known),
        ] {
            assert_eq!(read(text), (us, resolution, zone), "{text}");
        }
    }

    #[test]
    fn a_stamp_without_year_takes_the_one_given() {
        let stamp = rfc3164(b"Nov 20 16:23:16", 2026).unwrap();
        assert_eq!((stamp.us, stamp.zone), (WHEN, Zone::LocalNoYear));
        let padded = any_in_year(b"Nov  7 16:23:16", 2026).unwrap();
        assert_eq!(padded.us, WHEN - 13 * DAY_US);
        assert!(any(b"Feb 29 00:00:00").is_some());
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        for text in [
            "",
            "-",
            "0",
            "20/Nov/2026",
            "31/Nov/2026:16:23:16 +0000",
            "20/Nox/2026:16:23:16 +0000",
            "2026-13-20T16:23:16Z",
            "2026-02-29T16:23:16Z",
            "2026-11-20T24:23:16Z",
            "2026-11-20T16:23:16Zz",
            "Nov 20 16:23",
            "1795191796.",
            "[]",
        ] {
            assert_eq!(any(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_cached_day_is_not_taken_for_another() {
        let cache = &mut DayCache::default();
        let first = clf(b"20/Nov/2026:00:00:00 +0000", cache).unwrap();
        let next = clf(b"21/Nov/2026:00:00:00 +0000", cache).unwrap();
        assert_eq!(next.us - first.us, DAY_US);
        assert_eq!(clf(b"32/Nov/2026:00:00:00 +0000", cache), None);
        assert_eq!(clf(b"21/Nov/2026:00:00:00 +0000", cache), Some(next));
        assert_eq!(iso(b"2026-11-20T00:00:00Z", cache), Some(first));
        assert_eq!(
            slashed(b"2026/11/20 00:00:00", cache).map(|s| s.us),
            Some(first.us)
        );
    }

    #[test]
    fn shapes_of_java_and_php_give_the_same_instant() {
        let cache = &mut DayCache::default();
        let (stamp, used) = dashed_prefix(b"20-Nov-2026 16:23:16.123 SEVERE", cache).unwrap();
        assert_eq!((stamp.us, stamp.zone, used), (WHEN + 123_000, Zone::Local, 24));
        let (stamp, used) = dashed_prefix(b"20-Nov-2026 16:23:16 UTC] x", cache).unwrap();
        assert_eq!((stamp.us, stamp.zone, used), (WHEN, Zone::Known, 24));
        let (stamp, used) = java_prefix(b"Nov 20, 2026 4:23:16 PM org.apache").unwrap();
        assert_eq!((stamp.us, used), (WHEN, 23));
        assert_eq!(
            java_prefix(b"Nov 20, 2026 12:23:16 AM x").unwrap().0.us,
            WHEN - 16 * 3_600 * SECOND_US
        );
        for wrong in [
            "Nov 20 2026 4:23:16 PM",
            "Nov 20, 2026 4:23:16",
            "Nov 31, 2026 4:23:16 PM",
            "Nov 20, 2026 13:23:16 PM",
        ] {
            assert_eq!(java_prefix(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(
            clock_prefix(b"14:38:59:667 | WARN"),
            Some((52_739_667_000, 1000, 12))
        );
        assert_eq!(midnight_us(b"2026-11-20"), Some(WHEN - 58_996 * SECOND_US));
    }

    #[test]
    fn a_prefix_says_where_it_ends() {
        let cache = &mut DayCache::default();
        let line = b"2026/11/20 16:23:16 [error] 1#1: x";
        assert_eq!(slashed_prefix(line, cache).map(|(_, used)| used), Some(19));
        let line = b"2026-11-20T16:23:16.1Z stdout";
        assert_eq!(iso_prefix(line, cache).map(|(_, used)| used), Some(22));
        assert_eq!(
            date_and_clock(b"2026-11-20", b"16:23:16", cache).map(|s| s.us),
            Some(WHEN)
        );
    }
}
