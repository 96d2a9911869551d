//! How a report is to look: colour, width, detail and the time zone shown.

use chrono::{DateTime, FixedOffset, Local, NaiveDateTime, Utc};

use crate::model::Micros;

/// What the user wants the output to look like. Renderers for files take from it what fits them.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Write colours. The caller decides, from `--color`, `NO_COLOR`, `CLICOLOR_FORCE` and the terminal.
    pub color: bool,
    /// Columns to fill; zero is no limit: nothing is wrapped and nothing truncated, as fits a pipe.
    pub width: usize,
    /// How often `-v` was given: from one, every finding and every file is listed.
    pub verbose: u8,
    /// The answer alone, without evidence and coverage.
    pub quiet: bool,
    /// Zone in which times are shown.
    pub zone: Zone,
}

/// A time zone to show times in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Zone {
    /// Coordinated universal time.
    #[default]
    Utc,
    /// A zone of the time zone database, with its daylight saving time.
    Named(chrono_tz::Tz),
    /// A fixed offset.
    Fixed(FixedOffset),
    /// The zone of this machine.
    Local,
}

impl Zone {
    /// Date and time of day in this zone; `None` beyond the years that the calendar holds.
    pub fn civil(self, time: Micros) -> Option<NaiveDateTime> {
        let utc = DateTime::<Utc>::from_timestamp_micros(time.0)?;
        Some(match self {
            Self::Utc => utc.naive_utc(),
            Self::Named(zone) => utc.with_timezone(&zone).naive_local(),
            Self::Fixed(offset) => utc.with_timezone(&offset).naive_local(),
            Self::Local => utc.with_timezone(&Local).naive_local(),
        })
    }

    /// The zone in words, to stand behind a time.
    pub fn label(self) -> String {
        match self {
            Self::Utc => "UTC".into(),
            Self::Named(zone) => zone.name().into(),
            Self::Fixed(offset) => offset.to_string(),
            Self::Local => "local time".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_zone_asked_for() {
        let time = Micros(1_795_168_805_123_000);
        let shown = |zone: Zone| {
            format!(
                "{} {}",
                zone.civil(time).unwrap().format("%F %T%.3f"),
                zone.label()
            )
        };
        assert_eq!(shown(Zone::Utc), "2026-11-20 10:00:05.123 UTC");
        assert_eq!(
            shown(Zone::Named(chrono_tz::Asia::Kolkata)),
            "2026-11-20 15:30:05.123 Asia/Kolkata"
        );
        let offset = FixedOffset::east_opt(-3 * 3600).unwrap();
        assert_eq!(shown(Zone::Fixed(offset)), "2026-11-20 07:00:05.123 -03:00");
        assert_eq!(Zone::Utc.civil(Micros(i64::MAX)), None);
    }
}
