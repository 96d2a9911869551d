//! Spans of time as findings write them.

/// `us` microseconds in the largest unit that keeps it readable: `76 s`, `1.5 s`, `395 ms`, `0.8 ms`.
pub(crate) fn span(us: u64) -> String {
    let (value, unit) = match us {
        0 => return "0 ms".to_owned(),
        1..1_000_000 => (us as f64 / 1e3, "ms"),
        1_000_000..120_000_000 => (us as f64 / 1e6, "s"),
        _ if us.is_multiple_of(60_000_000) => (us as f64 / 60e6, "min"),
        _ => (us as f64 / 1e6, "s"),
    };
    format!("{} {unit}", trimmed(value))
}

/// At most three decimals, trailing zeros dropped.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `1 request`, `2 requests`.
pub(crate) fn count(n: usize, thing: &str) -> String {
    match n {
        1 => format!("1 {thing}"),
        _ => format!("{n} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_written_in_the_unit_a_person_would_use() {
        let written = [0, 800, 395_000, 1_500_000, 76_000_000, 120_000_000, 180_000_000].map(span);
        assert_eq!(
            written,
            ["0 ms", "0.8 ms", "395 ms", "1.5 s", "76 s", "2 min", "3 min"]
        );
    }
}
