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
    /// A clock time (microseconds since midnight) some days before the reference's day.
    Clock {
        /// Days before.
        days: i64,
        /// Microseconds since midnight.
        since_midnight_us: i64,
    },
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
            .or_else(|| clock(text).map(|us| Self::at_clock(0, us)))
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
            Self::Clock {
                days,
                since_midnight_us,
            } => {
                let civil_us = reference_us.saturating_add(zone.offset_us(reference_us));
                let midnight_us = (civil_us.div_euclid(DAY_US) - days).saturating_mul(DAY_US);
                zone.instant(midnight_us.saturating_add(since_midnight_us), fold)
            }
        }
    }

    /// Whether it means something else when "now" is another time.
    const fn is_relative(self) -> bool {
        matches!(self, Self::Ago(_) | Self::Clock { .. } | Self::Yearless(_))
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
        let window = Window {
            since: self
                .since
                .map(|moment| moment.resolve(reference_us, self.zone, Fold::Earlier)),
            until: self.until.map(|moment| self.end(moment, reference_us)),
        };
        match (window.since, window.until) {
            (Some(since), Some(until)) if since >= until => Err(format!(
                "the time window is empty: it begins at {} and ends at {}",
                self.zone.rfc3339(since),
                self.zone.rfc3339(until)
            )),
            _ => Ok(window),
        }
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

/// Puts a civil time of [`ASSUMED_YEAR`] into the latest year in which it exists and is not more than
/// a day after `reference_us`.
fn with_year(civil_us: i64, reference_us: i64) -> i64 {
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
mod tests {
    use super::*;
    use chrono_tz::Tz;

    fn us(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    const BERLIN: Zone = Zone::Named(Tz::Europe__Berlin);

    fn meant(text: &str, now: &str, zone: Zone) -> String {
        let moment = Moment::parse(text).unwrap();
        Zone::Utc.rfc3339(moment.resolve(us(now), zone, Fold::Earlier))
    }

    #[test]
    fn every_form_means_the_instant_it_says() {
        let now = "2026-11-20T15:00:00Z";
        for (text, want) in [
            ("2026-11-20T10:00:05Z", "2026-11-20T10:00:05.000Z"),
            ("2026-11-20T10:00:05.123+02:00", "2026-11-20T08:00:05.123Z"),
            ("2026-11-20T10:00Z", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20 10:00", "2026-11-20T10:00:00.000Z"),
            ("2026-11-20 10:00:05", "2026-11-20T10:00:05.000Z"),
            ("2026-11-20 10:00:05.123", "2026-11-20T10:00:05.123Z"),
            ("2026-11-20", "2026-11-20T00:00:00.000Z"),
            ("10:00", "2026-11-20T10:00:00.000Z"),
            ("9:05", "2026-11-20T09:05:00.000Z"),
            ("10:00:05", "2026-11-20T10:00:05.000Z"),
            ("10:00:05.250", "2026-11-20T10:00:05.250Z"),
            ("today", "2026-11-20T00:00:00.000Z"),
            ("yesterday", "2026-11-19T00:00:00.000Z"),
            ("yesterday 23:59", "2026-11-19T23:59:00.000Z"),
            ("now", "2026-11-20T15:00:00.000Z"),
            ("-1h", "2026-11-20T14:00:00.000Z"),
            ("-1h30m", "2026-11-20T13:30:00.000Z"),
            ("1h ago", "2026-11-20T14:00:00.000Z"),
            ("2d ago", "2026-11-18T15:00:00.000Z"),
            ("@1795168805", "2026-11-20T10:00:05.000Z"),
            ("@1795168805.5", "2026-11-20T10:00:05.500Z"),
            ("@0", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(meant(text, now, Zone::Utc), want, "{text}");
        }
    }

    #[test]
    fn a_stamp_pasted_from_a_log_is_a_time() {
        let now = "2026-11-20T15:00:00Z";
        for (text, want) in [
            ("20/Nov/2026:10:00:05 +0100", "2026-11-20T09:00:05.000Z"),
            ("[20/Nov/2026:10:00:05 +0000]", "2026-11-20T10:00:05.000Z"),
            ("20/Nov/2026:10:00:05.123", "2026-11-20T09:00:05.123Z"),
            ("2026/11/20 10:00:05", "2026-11-20T09:00:05.000Z"),
            ("Fri Nov 20 10:00:05.169355 2026", "2026-11-20T09:00:05.169355Z"),
            ("1795168805.147", "2026-11-20T10:00:05.147Z"),
            ("1795168805147", "2026-11-20T10:00:05.147Z"),
            ("Nov 20 10:00:05", "2026-11-20T09:00:05.000Z"),
        ] {
            assert_eq!(meant(text, now, BERLIN), want, "{text}");
        }
    }

    #[test]
    fn a_stamp_without_year_is_of_the_year_that_ended_last() {
        let now = "2027-01-02T00:00:00Z";
        assert_eq!(
            meant("Dec 31 23:00:00", now, Zone::Utc),
            "2026-12-31T23:00:00.000Z"
        );
        assert_eq!(
            meant("Feb 29 12:00:00", now, Zone::Utc),
            "2024-02-29T12:00:00.000Z"
        );
    }

    #[test]
    fn today_begins_at_midnight_of_the_zone_shown() {
        let now = "2026-11-20T23:30:00Z"; // Already the 21st in Berlin.
        assert_eq!(meant("today", now, BERLIN), "2026-11-20T23:00:00.000Z");
        assert_eq!(meant("10:00", now, BERLIN), "2026-11-21T09:00:00.000Z");
        assert_eq!(meant("yesterday", now, BERLIN), "2026-11-19T23:00:00.000Z");
    }

    #[test]
    fn a_day_whose_midnight_was_skipped_begins_after_the_gap() {
        let beirut = Zone::Named(Tz::Asia__Beirut);
        let now = "2026-03-29T12:00:00Z"; // Clocks went from 00:00 to 01:00.
        assert_eq!(meant("today", now, beirut), "2026-03-28T22:00:00.000Z");
    }

    #[test]
    fn an_hour_that_was_skipped_moves_forward_and_one_that_came_twice_is_kept_whole() {
        let spec = |since: &str, until: &str| WindowSpec {
            since: Some(Moment::parse(since).unwrap()),
            until: Some(Moment::parse(until).unwrap()),
            zone: BERLIN,
            ..WindowSpec::default()
        };
        let gap = spec("2026-03-29 02:30", "2026-03-29 03:45")
            .resolve(0, None)
            .unwrap();
        assert_eq!(gap.since, Some(us("2026-03-29T03:30:00+02:00")));
        let twice = spec("2026-10-25 02:00", "2026-10-25 02:59")
            .resolve(0, None)
            .unwrap();
        assert_eq!(twice.since, Some(us("2026-10-25T02:00:00+02:00")));
        assert_eq!(twice.until, Some(us("2026-10-25T02:59:00+01:00")));
    }

    #[test]
    fn relative_times_count_back_from_the_last_entry_when_asked() {
        let mut spec = WindowSpec {
            since: Some(Moment::parse("-10m").unwrap()),
            until: Some(Moment::parse("now").unwrap()),
            relative_to_end: true,
            ..WindowSpec::default()
        };
        assert!(spec.needs_last_entry());
        let last = us("2020-01-01T10:00:00Z");
        let window = spec.resolve(us("2026-11-20T00:00:00Z"), Some(last)).unwrap();
        assert_eq!(window.since, Some(us("2020-01-01T09:50:00Z")));
        assert!(window.contains(last));
        spec.since = Some(Moment::parse("09:30").unwrap());
        let window = spec.resolve(us("2026-11-20T00:00:00Z"), Some(last)).unwrap();
        assert_eq!(window.since, Some(us("2020-01-01T09:30:00Z")));
        spec.relative_to_end = false;
        assert!(!spec.needs_last_entry());
    }

    #[test]
    fn around_reaches_to_both_sides() {
        let spec = WindowSpec {
            around: Some((Moment::parse("2026-11-20T10:00:00Z").unwrap(), 90_000_000)),
            ..WindowSpec::default()
        };
        let window = spec.resolve(0, None).unwrap();
        assert_eq!(window.since, Some(us("2026-11-20T09:58:30Z")));
        assert_eq!(window.until, Some(us("2026-11-20T10:01:30Z")));
    }

    #[test]
    fn the_window_is_half_open_and_never_empty() {
        let window = Window {
            since: Some(10),
            until: Some(20),
        };
        assert!(window.contains(10) && !window.contains(20) && !window.contains(9));
        let spec = WindowSpec {
            since: Some(Moment::Instant(20)),
            until: Some(Moment::Instant(20)),
            ..WindowSpec::default()
        };
        assert!(spec.resolve(0, None).unwrap_err().contains("empty"));
        assert!(WindowSpec::default().resolve(0, None).unwrap().is_open());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "tomorrow",
            "25:00",
            "10:61",
            "2026-13-01",
            "2026-11-20 1",
            "-",
            "ago",
            "-5",
            "1h",
            "@x",
            "todayish",
            "日本語のログ時刻",
        ] {
            assert!(Moment::parse(text).is_err(), "{text}");
        }
    }
}
