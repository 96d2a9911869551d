//! The time window: what the user wrote, and what it means once "now" and the last entry are known.

use chrono::{DateTime, Datelike, Utc};
use why502_parsers::entry::Zone as StampZone;
use why502_parsers::time::{self, ASSUMED_YEAR, DAY_US, SECOND_US};

use super::duration;
use super::zone::{Fold, Zone};

/// Length of the window on both sides of `--around` where `--window` is not given: five minutes.
pub const AROUND_US: i64 = 5 * 60 * SECOND_US;

/// The forms a time may have, for error messages.
pub const FORMS: &str = "valid: 2026-11-20T10:00:05Z, '2026-11-20 10:00[:05[.123]]', 10:00, today, yesterday, now, \
                         -1h, '1h ago', @epoch, or a stamp as a log has it";

/// A resolved half-open window in microseconds since the epoch, UTC; an open side is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// First instant inside.
    pub since: Option<i64>,
    /// First instant after.
    pub until: Option<i64>,
}

impl Window {
    /// Whether `us` lies in it.
    pub fn contains(&self, us: i64) -> bool {
        self.since.is_none_or(|since| us >= since) && self.until.is_none_or(|until| us < until)
    }

    /// Whether it is open on both sides, so that everything lies in it.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none()
    }
}

/// A point in time as the user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// An instant, microseconds since the epoch.
    Instant(i64),
    /// A civil time of the zone shown, in microseconds as if it were UTC.
    Civil(i64),
    /// The same without a year, read in [`ASSUMED_YEAR`].
    Yearless(i64),
    /// Microseconds before the reference: now, or the last entry.
    Ago(i64),
    /// A clock time of no day: of that of the other end of the window, else of the reference's.
    BareClock(i64),
    /// A clock time (microseconds since midnight) some days before the reference's day.
    Clock {
        /// Days before.
        days: i64,
        /// Microseconds since midnight.
        since_midnight_us: i64,
    },
}

/// The end of a window that a moment is given for.
#[derive(Debug, Clone, Copy)]
enum Side {
    Since,
    Until,
}

/// The window as the user wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WindowSpec {
    /// `--since`.
    pub since: Option<Moment>,
    /// `--until`.
    pub until: Option<Moment>,
    /// `--around`, with the length on both sides in microseconds.
    pub around: Option<(Moment, i64)>,
    /// Whether relative times count back from the last entry instead of now.
    pub relative_to_end: bool,
    /// The zone of civil times.
    pub zone: Zone,
}

impl Moment {
    /// Reads any of [`FORMS`].
    ///
    /// # Errors
    /// Says that `text` is not a time.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        named(text)
            .or_else(|| ago(text))
            .or_else(|| clock(text).map(Self::BareClock))
            .or_else(|| date(text))
            .or_else(|| stamp(text))
            .ok_or_else(|| format!("'{text}' is not a time"))
    }

    const fn at_clock(days: i64, since_midnight_us: i64) -> Self {
        Self::Clock {
            days,
            since_midnight_us,
        }
    }

    /// The instant it means, `reference_us` being now or the last entry.
    fn resolve(self, reference_us: i64, zone: Zone, fold: Fold) -> i64 {
        match self {
            Self::Instant(us) => us,
            Self::Civil(civil_us) => zone.instant(civil_us, fold),
            Self::Yearless(civil_us) => zone.instant(with_year(civil_us, reference_us), fold),
            Self::Ago(us) => reference_us.saturating_sub(us),
            Self::BareClock(since_midnight_us) => at_clock(reference_us, 0, since_midnight_us, zone, fold),
            Self::Clock {
                days,
                since_midnight_us,
            } => at_clock(reference_us, -days, since_midnight_us, zone, fold),
        }
    }

    /// The instant it means beside the `other` end of a window, which is dated: a bare clock time is the next one
    /// after a start, and the last one before an end.
    fn beside(self, other: i64, side: Side, zone: Zone, fold: Fold) -> Option<i64> {
        let Self::BareClock(since_midnight_us) = self else {
            return None;
        };
        let on_day = |days| at_clock(other, days, since_midnight_us, zone, fold);
        let same_day = on_day(0);
        Some(match side {
            Side::Until if same_day < other => on_day(1),
            Side::Since if same_day > other => on_day(-1),
            _ => same_day,
        })
    }

    /// Whether it names a day, so that a bare clock time beside it is of that day.
    const fn is_dated(self) -> bool {
        !matches!(self, Self::BareClock(_) | Self::Ago(_))
    }

    /// Whether it means something else when "now" is another time.
    const fn is_relative(self) -> bool {
        matches!(
            self,
            Self::Ago(_) | Self::BareClock(_) | Self::Clock { .. } | Self::Yearless(_)
        )
    }
}

impl WindowSpec {
    /// Whether nothing was asked for.
    pub fn is_open(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.around.is_none()
    }

    /// Whether it can be resolved only when the time of the last entry is known.
    pub fn needs_last_entry(&self) -> bool {
        let asked = [self.since, self.until, self.around.map(|(moment, _)| moment)];
        self.relative_to_end && asked.into_iter().flatten().any(|moment| moment.is_relative())
    }

    /// The window in microseconds since the epoch. Relative times count back from `now_us`, or from
    /// `last_entry_us` (now, if no entry is known) under `--relative-to-end`.
    ///
    /// Where clocks were put back, a civil `since` means the earlier of the two instants and an
    /// `until` the later, so that nothing falls out.
    ///
    /// # Errors
    /// Says that the window is empty: it ends before it begins.
    pub fn resolve(&self, now_us: i64, last_entry_us: Option<i64>) -> Result<Window, String> {
        let reference_us = match last_entry_us {
            Some(last_us) if self.relative_to_end => last_us,
            _ => now_us,
        };
        if let Some((center, half_us)) = self.around {
            let from = center.resolve(reference_us, self.zone, Fold::Earlier);
            let to = center.resolve(reference_us, self.zone, Fold::Later);
            return Ok(Window {
                since: Some(from.saturating_sub(half_us)),
                until: Some(to.saturating_add(half_us)),
            });
        }
        let window = self.ends(reference_us);
        match (window.since, window.until) {
            (Some(since), Some(until)) if since >= until => Err(format!(
                "the time window is empty: it begins at {} and ends at {}",
                self.zone.rfc3339(since),
                self.zone.rfc3339(until)
            )),
            _ => Ok(window),
        }
    }

    /// The window, empty ones too. A clock time alone is of the day that the other end names, if it names one.
    fn ends(&self, reference_us: i64) -> Window {
        let mut window = Window {
            since: self
                .since
                .map(|moment| moment.resolve(reference_us, self.zone, Fold::Earlier)),
            until: self.until.map(|moment| self.end(moment, reference_us)),
        };
        let (Some(since), Some(until)) = (self.since, self.until) else {
            return window;
        };
        if since.is_dated() {
            let start_us = window.since.unwrap_or_default();
            let end_us = until.beside(start_us, Side::Until, self.zone, Fold::Later);
            window.until = end_us.or(window.until);
        }
        if until.is_dated() {
            let end_us = window.until.unwrap_or_default();
            let start_us = since.beside(end_us, Side::Since, self.zone, Fold::Earlier);
            window.since = start_us.or(window.since);
        }
        window
    }

    /// The end of the window. `--until now --relative-to-end` keeps the last entry inside.
    fn end(&self, moment: Moment, reference_us: i64) -> i64 {
        let us = moment.resolve(reference_us, self.zone, Fold::Later);
        if self.relative_to_end && moment == Moment::Ago(0) {
            return us.saturating_add(1);
        }
        us
    }
}

/// `now`, `today`, `yesterday`, the latter two with a clock time or without.
fn named(text: &str) -> Option<Moment> {
    let lower = text.to_ascii_lowercase();
    if lower == "now" {
        return Some(Moment::Ago(0));
    }
    let (days, rest) = match (lower.strip_prefix("today"), lower.strip_prefix("yesterday")) {
        (Some(rest), _) => (0, rest),
        (_, Some(rest)) => (1, rest),
        _ => return None,
    };
    let since_midnight_us = if rest.is_empty() {
        0
    } else {
        clock(rest.strip_prefix(' ')?.trim_start())?
    };
    Some(Moment::at_clock(days, since_midnight_us))
}

/// `-1h` or `1h ago`.
fn ago(text: &str) -> Option<Moment> {
    let length = match (text.strip_prefix('-'), text.strip_suffix("ago")) {
        (Some(length), None) => length,
        (None, Some(length)) => length,
        _ => return None,
    };
    duration::parse(length).map(Moment::Ago)
}

/// `10:00`, `10:00:05`, `10:00:05.123`: microseconds since midnight.
fn clock(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let padded = match bytes.len() {
        4 | 7.. if bytes.get(1) == Some(&b':') => format!("0{text}"),
        _ => text.to_owned(),
    };
    let full = match padded.len() {
        5 => format!("1970-01-01 {padded}:00"),
        _ => format!("1970-01-01 {padded}"),
    };
    let stamp = time::any(full.as_bytes())?;
    (stamp.zone == StampZone::Local).then_some(stamp.us)
}

/// `2026-11-20` alone, or with a clock that has no seconds: `2026-11-20 10:00`, `2026-11-20T10:00+01:00`.
fn date(text: &str) -> Option<Moment> {
    let (day, rest) = text.split_at_checked(10)?;
    let full = match rest.len() {
        0 => format!("{day} 00:00:00"),
        6.. => {
            let (clock, zone) = rest.split_at_checked(6)?;
            if zone.starts_with(':') || zone.starts_with(|c: char| c.is_ascii_digit()) {
                return None; // The clock has seconds: a full stamp.
            }
            format!("{day}{clock}:00{zone}")
        }
        _ => return None,
    };
    let plausible = day
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'/'));
    plausible.then(|| stamp(&full))?
}

/// A stamp as a log writes it, or `@` and seconds since the epoch.
fn stamp(text: &str) -> Option<Moment> {
    let Some(stamp) = time::any(text.as_bytes()) else {
        return time::epoch_seconds(text.strip_prefix('@')?.as_bytes()).map(|s| Moment::Instant(s.us));
    };
    Some(match stamp.zone {
        StampZone::Known => Moment::Instant(stamp.us),
        StampZone::Local => Moment::Civil(stamp.us),
        StampZone::LocalNoYear => Moment::Yearless(stamp.us),
    })
}

/// The instant of a clock time on the day of `day_of_us`, or some `days` after it.
fn at_clock(day_of_us: i64, days: i64, since_midnight_us: i64, zone: Zone, fold: Fold) -> i64 {
    let civil_us = day_of_us.saturating_add(zone.offset_us(day_of_us));
    let midnight_us = (civil_us.div_euclid(DAY_US) + days).saturating_mul(DAY_US);
    zone.instant(midnight_us.saturating_add(since_midnight_us), fold)
}

/// Puts a civil time of [`ASSUMED_YEAR`] into the latest year in which it exists and is not more than
/// a day after `reference_us`.
pub fn with_year(civil_us: i64, reference_us: i64) -> i64 {
    let civil = DateTime::<Utc>::from_timestamp_micros(civil_us);
    let reference = DateTime::<Utc>::from_timestamp_micros(reference_us);
    let Some((civil, reference)) = civil.zip(reference) else {
        return civil_us;
    };
    debug_assert_eq!(civil.year(), ASSUMED_YEAR);
    let this_year = reference.year();
    (this_year - 8..=this_year + 1)
        .rev()
        .filter_map(|year| civil.with_year(year))
        .map(|time| time.timestamp_micros())
        .find(|us| *us <= reference_us.saturating_add(DAY_US))
        .unwrap_or(civil_us)
}

#[cfg(test)]
mod tests;
