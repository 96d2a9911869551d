//! One log, many files: the name that all rotations of a log share.

use std::cmp::Reverse;

use crate::model::Input;

/// `shown` without compression and rotation suffixes: `a/access.log.2.gz` and `a/access-20261120.log`
/// are both `a/access.log`.
pub fn stream_name(shown: &str) -> String {
    let (directory, name) = match shown.rfind('/') {
        Some(at) => shown.split_at(at + 1),
        None => ("", shown),
    };
    let bare = without_end_suffixes(name);
    let (stem, extension) = split_extension(bare);
    let stem = without_date_in_stem(stem);
    let stem = without_iis_date(stem);
    format!("{directory}{stem}{extension}")
}

/// Gives `app.1.log` the stream of `app.log` where that file is there too; alone it could be another server's.
pub(super) fn merge_numbered(inputs: &mut [Input]) {
    let streams: std::collections::BTreeSet<String> =
        inputs.iter().map(|input| input.stream.clone()).collect();
    for input in inputs {
        let (stem, extension) = split_extension(&input.stream);
        let Some((base, digits)) = stem.rsplit_once('.') else {
            continue;
        };
        let whole = format!("{base}{extension}");
        if is_number(digits, 1..=3) && streams.contains(&whole) {
            input.stream = whole;
        }
    }
}

/// Where a file stands among the parts of its log, the oldest first: parts with a date (their names tell the rest),
/// then numbered ones from the highest number down, then the one that is written to.
pub(super) fn age(input: &Input) -> (u8, Reverse<u32>) {
    let name = [".gz", ".gzip"]
        .iter()
        .find_map(|suffix| input.shown.strip_suffix(suffix))
        .unwrap_or(&input.shown);
    if name == input.stream {
        return (2, Reverse(0));
    }
    if [".old", ".bak"]
        .iter()
        .any(|suffix| name.strip_suffix(suffix) == Some(&input.stream))
    {
        return (1, Reverse(1));
    }
    let (stem, extension) = split_extension(name);
    let numbers = [
        name.rsplit_once('.')
            .map(|(base, digits)| (base.to_owned(), digits)),
        {
            stem.rsplit_once('.')
                .map(|(base, digits)| (format!("{base}{extension}"), digits))
        },
    ];
    let mut of_stream = numbers
        .into_iter()
        .flatten()
        .filter(|(base, _)| *base == input.stream);
    match of_stream.find_map(|(_, digits)| digits.parse().ok()) {
        Some(number) => (1, Reverse(number)),
        None => (0, Reverse(0)),
    }
}

/// Takes `.gz`, `.1`, `-20261120`, `.2026-11-20-10`, `.old` and the like off the end, as often as they come.
fn without_end_suffixes(name: &str) -> &str {
    let mut rest = name;
    loop {
        let shorter = [".gz", ".gzip", ".zst", ".zstd", ".bz2", ".xz", ".old", ".bak"]
            .iter()
            .find_map(|suffix| rest.strip_suffix(suffix))
            .or_else(|| numbered(rest))
            .or_else(|| dated(rest));
        match shorter {
            Some(shorter) if !shorter.is_empty() => rest = shorter,
            _ => return rest,
        }
    }
}

/// `access.log.12` without the number.
fn numbered(name: &str) -> Option<&str> {
    let (base, digits) = name.rsplit_once('.')?;
    is_number(digits, 1..=4).then_some(base)
}

/// `access.log-20261120` and its like without the date, an hour or time after it included.
fn dated(name: &str) -> Option<&str> {
    // From the longest tail to the shortest, so that the hour goes with its date.
    name.match_indices(['-', '.', '_'])
        .map(|(at, _)| (&name[..at], &name[at + 1..]))
        .find(|(base, tail)| !base.is_empty() && is_date(tail))
        .map(|(base, _)| base)
}

/// `app-2026-11-20.0` without date and count.
fn without_date_in_stem(stem: &str) -> &str {
    if let Some(base) = dated(stem) {
        return base;
    }
    numbered(stem).and_then(dated).unwrap_or(stem)
}

/// `u_ex261120` as `u_ex`, `httperr12` as `httperr`: how IIS and http.sys number their files.
fn without_iis_date(stem: &str) -> &str {
    let base = stem
        .trim_end_matches("_x")
        .trim_end_matches(|c: char| c.is_ascii_digit());
    let known = ["u_ex", "u_in", "u_nc", "ex", "in", "nc", "httperr"];
    if known.contains(&base.to_ascii_lowercase().as_str()) {
        return base;
    }
    stem
}

/// `YYYYMMDD` or `YYYY-MM-DD` (also with `_` or `.`), with hour, minute or second after it or not.
fn is_date(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.' | b'T' | b'h'));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number = |range| digits.get(range).and_then(|part: &str| part.parse::<u32>().ok());
    let (year, month, day) = (number(0..4), number(4..6), number(6..8));
    let dashed = text.len() == digits.len() || text.as_bytes().get(4).is_some_and(|b| !b.is_ascii_digit());
    plain
        && (dashed || text.as_bytes().get(8).is_some_and(|b| !b.is_ascii_digit()))
        && (8..=14).contains(&digits.len())
        && year.is_some_and(|y| (1990..2100).contains(&y))
        && month.is_some_and(|m| (1..=12).contains(&m))
        && day.is_some_and(|d| (1..=31).contains(&d))
}

fn is_number(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Stem and extension (with its dot); the extension begins with a letter.
fn split_extension(name: &str) -> (&str, &str) {
    let start = name.rfind('/').map_or(0, |at| at + 1);
    match name.rfind('.') {
        Some(at) if at > start && name[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()) => {
            name.split_at(at)
        }
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_rotations_of_a_log_share_one_name() {
        for name in [
            "access.log",
            "access.log.1",
            "access.log.2.gz",
            "access.log-20261120",
            "access.log-20261120.gz",
            "access.log.3.zst",
            "access.log-20261120.xz",
            "access-20261120.log.bz2",
            "access-20261120.log.gz",
            "access.2026-11-20.log",
            "access.log.2026-11-20",
            "access.log.2026-11-20-10",
            "access-2026-11-20.0.log",
            "access-2026-11-20.12.log.gz",
            "access_20261120T101500.log",
            "access.log.old",
            "access.log-2026112010",
        ] {
            assert_eq!(stream_name(&format!("edge/{name}")), "edge/access.log", "{name}");
        }
        assert_eq!(stream_name("W3SVC1/u_ex261120.log"), "W3SVC1/u_ex.log");
        assert_eq!(stream_name("W3SVC1/u_ex26112010_x.log"), "W3SVC1/u_ex.log");
        assert_eq!(stream_name("HTTPERR/httperr1.log"), "HTTPERR/httperr.log");
        assert_eq!(stream_name("haproxy.gz"), "haproxy");
    }

    #[test]
    fn numbers_that_name_a_server_stay() {
        for name in [
            "node-1.log",
            "node1.log",
            "app.1.log",
            "10.0.0.3.log",
            "-",
            "gw-8080.log",
            "port.99999.log",
            "edgemicro-host-123-api.log",
        ] {
            assert_eq!(stream_name(name), name);
        }
    }
}
