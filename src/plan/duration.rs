//! Lengths of time as users write them: `90s`, `10m`, `1h30m`, `2d`, `2.3s`, `500ms`.

/// The units, longest first, with the names they go by.
const UNITS: [(&[&str], i64); 7] = [
    (&["w", "week", "weeks"], 7 * 86_400_000_000),
    (&["d", "day", "days"], 86_400_000_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000_000),
    (&["ms", "millisecond", "milliseconds"], 1_000),
    (&["us", "µs", "microsecond", "microseconds"], 1),
];

/// The forms, for error messages.
pub const FORMS: &str = "90s, 10m, 1h30m, 2d, 500ms";

/// Reads a length without sign, in microseconds. `None` if any part has no unit or no number.
pub fn parse(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total_us = 0i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (name, next) = after.split_at(end);
        let unit_us = unit(name)?;
        let part = why502_parsers::bytes::decimal_scaled(number.as_bytes(), unit_us.unsigned_abs())?;
        total_us = total_us.checked_add(i64::try_from(part).ok()?)?;
        rest = next.trim_start();
    }
    Some(total_us)
}

/// Reads a length with a sign before it, or without.
pub fn parse_signed(text: &str) -> Option<i64> {
    let text = text.trim();
    match text.split_at_checked(1)? {
        ("+", rest) => parse(rest),
        ("-", rest) => parse(rest).map(|us| -us),
        _ => parse(text),
    }
}

fn unit(name: &str) -> Option<i64> {
    UNITS
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, us)| *us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_form_are_read() {
        for (text, us) in [
            ("90s", 90_000_000),
            ("10m", 600_000_000),
            ("1h30m", 5_400_000_000),
            ("2d", 172_800_000_000),
            ("1w", 604_800_000_000),
            ("2.3s", 2_300_000),
            ("500ms", 500_000),
            ("7us", 7),
            ("1 hour 5 minutes", 3_900_000_000),
        ] {
            assert_eq!(parse(text), Some(us), "{text}");
        }
        assert_eq!(parse_signed("-2.3s"), Some(-2_300_000));
        assert_eq!(parse_signed("+1m"), Some(60_000_000));
    }

    #[test]
    fn what_is_no_length_is_refused() {
        for text in ["", "10", "m", "10x", "1h30", "-5m", "1..2s", "99999999999999w"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
