//! Stamps in the spelling of each product, with the last second kept: most lines share it.

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Spelling of a stamp. All are UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// `20/Nov/2026:10:00:05`, the day as HAProxy and nginx write it.
    Clf,
    /// `Nov 20 10:00:05`, a syslog header.
    Syslog,
    /// `2026-11-20 10:00:05`, W3C.
    W3c,
    /// `2026/11/20 10:00:05`, nginx's error log.
    NginxError,
}

/// Writes stamps of one style.
#[derive(Debug)]
pub struct Stamps {
    style: Style,
    second: i64,
    text: Vec<u8>,
}

impl Stamps {
    /// Stamps of one style.
    pub fn new(style: Style) -> Self {
        Self {
            style,
            second: i64::MIN,
            text: Vec::with_capacity(24),
        }
    }

    /// The second of `time_us` (microseconds since the Unix epoch).
    pub fn text(&mut self, time_us: i64) -> &[u8] {
        let second = time_us.div_euclid(1_000_000);
        if second != self.second {
            self.second = second;
            self.spell(second);
        }
        &self.text
    }

    fn spell(&mut self, second: i64) {
        let (year, month, day) = civil(second.div_euclid(86_400));
        let of_day = second.rem_euclid(86_400);
        let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        let name = MONTHS[month as usize - 1];
        self.text.clear();
        let text = match self.style {
            Style::Clf => format!("{day:02}/{name}/{year}:{h:02}:{m:02}:{s:02}"),
            Style::Syslog => format!("{name} {day:2} {h:02}:{m:02}:{s:02}"),
            Style::W3c => format!("{year}-{month:02}-{day:02} {h:02}:{m:02}:{s:02}"),
            Style::NginxError => format!("{year}/{month:02}/{day:02} {h:02}:{m:02}:{s:02}"),
        };
        self.text.extend_from_slice(text.as_bytes());
    }
}

/// Year, month (1 to 12) and day of a day counted from 1970-01-01 in the Gregorian calendar.
pub fn civil(days: i64) -> (i64, u8, u8) {
    let (mut year, mut rest) = (1970 + days.div_euclid(146_097) * 400, days.rem_euclid(146_097));
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    while rest >= if leap(year) { 366 } else { 365 } {
        rest -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let lengths = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let mut month = 0;
    while rest >= lengths[month] {
        rest -= lengths[month];
        month += 1;
    }
    (year, month as u8 + 1, rest as u8 + 1)
}

/// `2026-11-20T10:00:05.123456Z`, for the truth.
pub fn rfc3339(time_us: i64) -> String {
    let second = time_us.div_euclid(1_000_000);
    let (year, month, day) = civil(second.div_euclid(86_400));
    let of_day = second.rem_euclid(86_400);
    let micros = time_us.rem_euclid(1_000_000);
    let (h, m, s) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates_across_leap_years() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_777), (2026, 11, 20));
        assert_eq!(rfc3339(1_795_168_805_123_000), "2026-11-20T10:00:05.123000Z");
    }

    #[test]
    fn each_product_gets_its_own_spelling() {
        let spell =
            |style| String::from_utf8(Stamps::new(style).text(1_795_168_805_123_000).to_vec()).unwrap();
        assert_eq!(spell(Style::Clf), "20/Nov/2026:10:00:05");
        assert_eq!(spell(Style::Syslog), "Nov 20 10:00:05");
        assert_eq!(spell(Style::W3c), "2026-11-20 10:00:05");
        assert_eq!(spell(Style::NginxError), "2026/11/20 10:00:05");
    }
}
