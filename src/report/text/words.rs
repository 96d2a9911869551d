//! Numbers, lengths of time and instants as the terminal report writes them.

use chrono::NaiveDate;

use crate::model::Micros;
use crate::model::time::NO_TIME;
use crate::plan::Zone;

/// `1234567` as `1,234,567`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `number` of `noun`, which takes an `s` for more than one.
pub(super) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// `part` of `whole` in percent, with as many digits as tell it from none and from all.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let share = part as f64 * 100.0 / whole.max(1) as f64;
    match share {
        _ if part == 0 || part == whole => format!("{share:.0} %"),
        s if s < 0.01 => "<0.01 %".into(),
        s if s < 1.0 => format!("{s:.2} %"),
        s if s > 99.9 => ">99.9 %".into(),
        s => format!("{s:.1} %"),
    }
}

/// A length of time given in milliseconds, in the unit that reads best.
pub(super) fn duration(ms: f64) -> String {
    let size = ms.abs();
    if size < 1.0 {
        let digits = format!("{ms:.3}");
        format!("{} ms", digits.trim_end_matches('0').trim_end_matches('.'))
    } else if size < 100.0 {
        format!("{ms:.1} ms")
    } else if size < 1_000.0 {
        format!("{ms:.0} ms")
    } else if size < 1_000_000.0 {
        format!("{:.3} s", ms / 1e3)
    } else {
        format!("{:.0} s", ms / 1e3)
    }
}

/// Writes instants in one zone; the date is left out where it is that of the report.
pub(super) struct Clock {
    zone: Zone,
    day: Option<NaiveDate>,
}

impl Clock {
    /// A clock for a report whose findings lie between `span`'s ends.
    pub(super) fn new(zone: Zone, span: Option<(Micros, Micros)>) -> Self {
        let day_of = |time: Micros| Some(zone.civil(time.0)?.date());
        let day = span.and_then(|(first, last)| day_of(first).filter(|day| day_of(last) == Some(*day)));
        Self { zone, day }
    }

    /// To the second; says so if the time is not known.
    pub(super) fn second(&self, time: impl Into<Option<Micros>>) -> String {
        self.written(time.into(), "%T")
    }

    /// To the millisecond.
    pub(super) fn milli(&self, time: impl Into<Option<Micros>>) -> String {
        self.written(time.into(), "%T%.3f")
    }

    /// `between 10:00:05 and 10:14:31 UTC on 2026-11-20`, or `at …` if both ends are one.
    pub(super) fn span(&self, (first, last): (Micros, Micros)) -> String {
        let (from, to) = (self.second(first), self.second(last));
        let day = self.day.map_or(String::new(), |day| format!(" on {day}"));
        let zone = self.zone.name();
        if from == to {
            format!("at {from} {zone}{day}")
        } else {
            format!("between {from} and {to} {zone}{day}")
        }
    }

    fn written(&self, time: Option<Micros>, format: &str) -> String {
        let Some(time) = time else {
            return NO_TIME.to_owned();
        };
        let Some(civil) = self.zone.civil(time.0) else {
            return time.to_string();
        };
        if self.day == Some(civil.date()) {
            return civil.format(format).to_string();
        }
        civil.format(&format!("%F {format}")).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let shown = [0, 999, 1_000, 48_210, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "48,210", "1,234,567"]);
        assert_eq!(counted(1, "line"), "1 line");
        assert_eq!(counted(2_000, "line"), "2,000 lines");
    }

    #[test]
    fn a_share_is_never_rounded_to_none_or_to_all() {
        let shown = [
            (0, 7),
            (7, 7),
            (1, 1_000_000),
            (127, 48_210),
            (1, 3),
            (9_999, 10_000),
        ]
        .map(|(part, whole)| percent(part, whole));
        assert_eq!(shown, ["0 %", "100 %", "<0.01 %", "0.26 %", "33.3 %", ">99.9 %"]);
    }

    #[test]
    fn a_duration_has_the_unit_that_reads_best() {
        let shown = [0.8, 3.25, 320.4, 60_001.0, 5_400_000.0].map(duration);
        assert_eq!(shown, ["0.8 ms", "3.2 ms", "320 ms", "60.001 s", "5400 s"]);
    }

    #[test]
    fn the_date_is_written_once_if_it_is_one() {
        let (morning, later, next_day) = (
            Micros(1_795_168_805_123_000),
            Micros(1_795_169_671_000_000),
            Micros(1_795_255_205_000_000),
        );
        let one = Clock::new(Zone::Utc, Some((morning, later)));
        assert_eq!(
            one.span((morning, later)),
            "between 10:00:05 and 10:14:31 UTC on 2026-11-20"
        );
        assert_eq!(one.second(next_day), "2026-11-21 10:00:05");
        let two = Clock::new(Zone::Utc, Some((morning, next_day)));
        assert_eq!(
            two.span((morning, next_day)),
            "between 2026-11-20 10:00:05 and 2026-11-21 10:00:05 UTC"
        );
    }
}
