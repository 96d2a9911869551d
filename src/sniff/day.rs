//! The day a file was written on, for logs whose lines have a time of day only.

use chrono::DateTime;

use super::hints::file_name;
use crate::model::Input;

/// The date in the file's name (`route-7-2026-11-20.0.log`), or else that of its last change, UTC.
pub(super) fn of(input: &Input) -> Option<[u8; 10]> {
    in_name(file_name(&input.shown)).or_else(|| changed(input))
}

fn in_name(name: &str) -> Option<[u8; 10]> {
    name.as_bytes().windows(10).find_map(|window| {
        let date: [u8; 10] = window.try_into().ok()?;
        why502_parsers::time::midnight_us(&date).map(|_| date)
    })
}

fn changed(input: &Input) -> Option<[u8; 10]> {
    let on_disk = || {
        let modified = std::fs::metadata(&input.path).ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_secs()).ok()
    };
    let seconds = match input.changed_us {
        Some(us) => us.div_euclid(1_000_000),
        None => on_disk()?,
    };
    let date = DateTime::from_timestamp(seconds, 0)?;
    date.format("%Y-%m-%d").to_string().into_bytes().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_gives_the_day() {
        assert_eq!(in_name("route-orders-2026-11-20.3.log"), Some(*b"2026-11-20"));
        for name in ["route-orders.log", "a-2026-13-20.log", "20261120.log"] {
            assert_eq!(in_name(name), None, "{name}");
        }
    }
}
