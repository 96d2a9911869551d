//! Time zones: IANA names, fixed offsets and the machine's own; civil time to UTC and back.

use chrono::{DateTime, FixedOffset, Local, LocalResult, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zone {
    /// UTC.
    #[default]
    Utc,
    /// An IANA zone.
    Named(Tz),
    /// Seconds east of UTC, always the same.
    Fixed(i32),
    /// The zone of this machine.
    Local,
}

/// Which of two instants a civil time means where clocks were put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    /// The first of them.
    Earlier,
    /// The second.
    Later,
}

impl Zone {
    /// Reads `UTC`, `Z`, `local`, `+02:00`, `+0200`, `+2` or an IANA name in any case.
    ///
    /// # Errors
    /// Says which known zones resemble `text`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text.to_ascii_lowercase().as_str() {
            "utc" | "z" | "gmt" | "etc/utc" => return Ok(Self::Utc),
            "local" => return Ok(Self::Local),
            _ => {}
        }
        if let Some(seconds) = fixed(text) {
            return Ok(Self::Fixed(seconds));
        }
        chrono_tz::TZ_VARIANTS
            .iter()
            .find(|tz| tz.name().eq_ignore_ascii_case(text))
            .map(|tz| Self::Named(*tz))
            .ok_or_else(|| format!("unknown time zone '{text}'; {}", resembling(text)))
    }

    /// The instant of a civil time, both in microseconds (`civil_us` as if it were UTC).
    ///
    /// A civil time that clocks skipped is read with the offset that held before the gap, so it moves
    /// forward by the length of the gap.
    pub fn instant(&self, civil_us: i64, fold: Fold) -> i64 {
        civil_us.saturating_sub(self.offset_of_civil(civil_us, fold))
    }

    /// Microseconds east of UTC at the instant `us`.
    pub fn offset_us(&self, us: i64) -> i64 {
        let Some(time) = DateTime::<Utc>::from_timestamp_micros(us) else {
            return 0;
        };
        let naive = time.naive_utc();
        let seconds = match self {
            Self::Utc => 0,
            Self::Fixed(seconds) => *seconds,
            Self::Named(tz) => tz.offset_from_utc_datetime(&naive).fix().local_minus_utc(),
            Self::Local => Local.offset_from_utc_datetime(&naive).local_minus_utc(),
        };
        i64::from(seconds) * 1_000_000
    }

    /// RFC 3339 with this zone's offset, to the millisecond (microseconds where they are not zero).
    pub fn rfc3339(&self, us: i64) -> String {
        let seconds = i32::try_from(self.offset_us(us) / 1_000_000).unwrap_or(0);
        let Some((time, zone)) =
            DateTime::<Utc>::from_timestamp_micros(us).zip(FixedOffset::east_opt(seconds))
        else {
            return format!("@{us}us");
        };
        let format = if us.rem_euclid(1000) == 0 {
            chrono::SecondsFormat::Millis
        } else {
            chrono::SecondsFormat::Micros
        };
        time.with_timezone(&zone).to_rfc3339_opts(format, true)
    }

    /// Date and time of day in this zone at the instant `us`; `None` beyond the years that the calendar holds.
    pub fn civil(&self, us: i64) -> Option<NaiveDateTime> {
        let local_us = us.checked_add(self.offset_us(us))?;
        DateTime::<Utc>::from_timestamp_micros(local_us).map(|time| time.naive_utc())
    }

    /// The zone's name as reports print it.
    pub fn name(&self) -> String {
        match self {
            Self::Utc => "UTC".to_owned(),
            Self::Named(tz) => tz.name().to_owned(),
            Self::Fixed(seconds) => {
                let (sign, total) = (if *seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
                format!("{sign}{:02}:{:02}", total / 3600, total / 60 % 60)
            }
            Self::Local => "local".to_owned(),
        }
    }

    fn offset_of_civil(&self, civil_us: i64, fold: Fold) -> i64 {
        let Some(civil) = DateTime::<Utc>::from_timestamp_micros(civil_us).map(|t| t.naive_utc()) else {
            return 0;
        };
        let seconds = match self {
            Self::Utc => 0,
            Self::Fixed(seconds) => *seconds,
            Self::Named(tz) => seconds_east(tz, &civil, fold),
            Self::Local => seconds_east(&Local, &civil, fold),
        };
        i64::from(seconds) * 1_000_000
    }
}

/// Reads civil times of one zone, one after the other, looking the offset up once per quarter of an hour
/// (no zone changes its offset anywhere else).
#[derive(Debug, Clone)]
pub struct CivilClock {
    zone: Zone,
    quarter: i64,
    offset_us: i64,
}

impl CivilClock {
    /// A clock of `zone`.
    pub fn new(zone: Zone) -> Self {
        Self {
            zone,
            quarter: i64::MIN,
            offset_us: 0,
        }
    }

    /// The instant of a civil time, the earlier of two: see [`Zone::instant`].
    pub fn instant(&mut self, civil_us: i64) -> i64 {
        const QUARTER_US: i64 = 15 * 60 * 1_000_000;
        let quarter = civil_us.div_euclid(QUARTER_US);
        if quarter != self.quarter {
            self.quarter = quarter;
            self.offset_us = self
                .zone
                .offset_of_civil(quarter.saturating_mul(QUARTER_US), Fold::Earlier);
        }
        civil_us.saturating_sub(self.offset_us)
    }
}

fn seconds_east<Z: TimeZone>(zone: &Z, civil: &NaiveDateTime, fold: Fold) -> i32 {
    match (zone.offset_from_local_datetime(civil), fold) {
        (LocalResult::Single(offset), _)
        | (LocalResult::Ambiguous(offset, _), Fold::Earlier)
        | (LocalResult::Ambiguous(_, offset), Fold::Later) => offset.fix().local_minus_utc(),
        // No gap is longer than a day, so a day earlier the offset of before the gap held.
        (LocalResult::None, _) => zone
            .offset_from_local_datetime(&(*civil - chrono::Duration::days(1)))
            .earliest()
            .map_or(0, |offset| offset.fix().local_minus_utc()),
    }
}

/// `+02:00`, `-0530`, `+2`, with `UTC` before it or not: seconds east.
fn fixed(text: &str) -> Option<i32> {
    let text = text.strip_prefix("UTC").unwrap_or(text);
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() == 4 => digits.split_at_checked(2)?,
        None => (digits, "0"),
    };
    let number = |part: &str| -> Option<i32> {
        let plain = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| part.parse().ok())?
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// A few known zones whose names contain `text`, or examples.
fn resembling(text: &str) -> String {
    let wanted = text.to_ascii_lowercase().replace(' ', "_");
    let city = wanted.rsplit('/').next().unwrap_or(&wanted);
    let start = city.get(..4).unwrap_or(city);
    let near: Vec<_> = chrono_tz::TZ_VARIANTS
        .iter()
        .map(|tz| tz.name())
        .filter(|name| start.len() > 2 && name.to_ascii_lowercase().contains(start))
        .take(5)
        .collect();
    if near.is_empty() {
        return "valid: an IANA name such as Europe/Berlin, an offset such as +02:00, UTC, local".to_owned();
    }
    format!("nearest: {}", near.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[test]
    fn zones_are_read_by_name_and_by_offset() {
        assert_eq!(Zone::parse("utc"), Ok(Zone::Utc));
        assert_eq!(Zone::parse("europe/berlin"), Ok(Zone::Named(Tz::Europe__Berlin)));
        assert_eq!(Zone::parse("+02:00"), Ok(Zone::Fixed(7200)));
        assert_eq!(Zone::parse("-0530"), Ok(Zone::Fixed(-19_800)));
        assert_eq!(Zone::parse("UTC+2"), Ok(Zone::Fixed(7200)));
        assert_eq!(Zone::parse("local"), Ok(Zone::Local));
    }

    #[test]
    fn an_unknown_zone_is_answered_with_the_nearest_ones() {
        assert!(Zone::parse("Europe/Berln").unwrap_err().contains("Europe/Berlin"));
        assert!(Zone::parse("+99:00").unwrap_err().contains("IANA name"));
    }

    #[test]
    fn a_skipped_civil_time_moves_forward_by_the_gap() {
        let zone = Zone::Named(Tz::Europe__Berlin);
        let skipped = us("2026-03-29T02:30:00Z");
        assert_eq!(
            zone.instant(skipped, Fold::Earlier),
            us("2026-03-29T03:30:00+02:00")
        );
        assert_eq!(
            zone.instant(skipped, Fold::Later),
            us("2026-03-29T03:30:00+02:00")
        );
    }

    #[test]
    fn a_repeated_civil_time_means_either_instant() {
        let zone = Zone::Named(Tz::Europe__Berlin);
        let twice = us("2026-10-25T02:30:00Z");
        assert_eq!(
            zone.instant(twice, Fold::Earlier),
            us("2026-10-25T02:30:00+02:00")
        );
        assert_eq!(zone.instant(twice, Fold::Later), us("2026-10-25T02:30:00+01:00"));
    }

    #[test]
    fn the_cached_clock_agrees_with_the_zone_across_a_change() {
        let zone = Zone::Named(Tz::Australia__Lord_Howe); // Half an hour of summer time.
        let mut clock = CivilClock::new(zone);
        let start = us("2026-10-03T14:00:00Z");
        for minute in 0..48 * 60 {
            let civil = start + minute * 60_000_000;
            assert_eq!(
                clock.instant(civil),
                zone.instant(civil, Fold::Earlier),
                "{minute}"
            );
        }
    }

    #[test]
    fn instants_are_written_with_the_offset_of_their_day() {
        let zone = Zone::Named(Tz::America__New_York);
        assert_eq!(
            zone.rfc3339(us("2026-07-01T12:00:00Z")),
            "2026-07-01T08:00:00.000-04:00"
        );
        assert_eq!(
            zone.rfc3339(us("2026-12-01T12:00:00.000001Z")),
            "2026-12-01T07:00:00.000001-05:00"
        );
        assert_eq!(Zone::Utc.rfc3339(0), "1970-01-01T00:00:00.000Z");
    }
}
