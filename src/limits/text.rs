//! What the readers share: directives with their places, durations, addresses.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Count, CountKind};
use crate::model::{Limit, LimitKind, Origin};

/// Blocks within blocks, and includes within includes. Servers themselves stop at less.
pub(super) const DEPTH_CAP: usize = 40;

/// Where a directive stands.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// The file as reports name it.
    pub(super) file: Rc<str>,
    /// Line number, from 1.
    pub(super) line: u32,
}

impl At {
    /// A number of things that was written here; nothing if `text` is no number.
    pub(super) fn count(&self, kind: CountKind, setting: &str, text: &str) -> Option<Count> {
        Some(Count {
            kind,
            value: text.trim().parse().ok()?,
            setting: setting.to_owned(),
            origin: self.origin(),
        })
    }

    fn origin(&self) -> Origin {
        Origin::File {
            file: self.file.to_string(),
            line: self.line,
        }
    }

    /// A limit that was written here.
    pub(super) fn limit(&self, kind: LimitKind, setting: &str, value_us: Option<u64>) -> Limit {
        Limit {
            kind,
            value_us,
            setting: setting.to_owned(),
            origin: self.origin(),
        }
    }
}

/// One directive with its arguments and, if it opens one, its block.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// The name and the arguments, quotes removed.
    pub(super) words: Vec<String>,
    /// Where it stands.
    pub(super) at: At,
    /// The directives inside it; empty if it has no block.
    pub(super) block: Vec<Directive>,
}

impl Directive {
    /// The directive's name; empty for a nameless block.
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The arguments.
    pub(super) fn args(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Argument `n`, from 0; empty if there is none.
    pub(super) fn arg(&self, n: usize) -> &str {
        self.args().get(n).map_or("", String::as_str)
    }
}

/// Limits by kind, as routes carry them.
pub(super) type LimitMap = BTreeMap<LimitKind, Limit>;

/// Puts a limit in its place.
pub(super) fn put(limits: &mut LimitMap, limit: Limit) {
    limits.insert(limit.kind, limit);
}

/// A duration in microseconds: numbers with units one after the other (`1m30s`, `1.5s`, `500ms`, `2min`).
/// `bare_us` is the unit of a number without one. `None` if it is not a duration.
pub(super) fn duration_us(text: &str, bare_us: u64) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'.')
            .count();
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        // `30 seconds` has a space before its unit, `1h 30m` one after it.
        if rest.trim_start().starts_with(char::is_alphabetic) {
            rest = rest.trim_start();
        }
        let letters = rest
            .bytes()
            .take_while(|b| !b.is_ascii_digit() && *b != b' ')
            .count();
        total += number * unit_us(rest.get(..letters)?, bare_us)?;
        rest = rest.get(letters..)?.trim_start();
    }
    // Beyond a thousand years it is a typing error or an attack, and sums would overflow.
    (total < 3.2e16).then_some(total.round() as u64)
}

fn unit_us(unit: &str, bare_us: u64) -> Option<f64> {
    const SECOND: f64 = 1e6;
    Some(match unit {
        "" => bare_us as f64,
        "ns" => 1e-3,
        "us" | "µs" | "μs" => 1.0,
        "ms" | "millisecond" | "milliseconds" => 1e3,
        "s" | "sec" | "second" | "seconds" => SECOND,
        "m" | "min" | "mi" | "minute" | "minutes" => 60.0 * SECOND,
        "h" | "hour" | "hours" => 3_600.0 * SECOND,
        "d" | "day" | "days" => 86_400.0 * SECOND,
        "w" | "week" | "weeks" => 7.0 * 86_400.0 * SECOND,
        "M" => 30.0 * 86_400.0 * SECOND,
        "y" => 365.0 * 86_400.0 * SECOND,
        _ => return None,
    })
}

/// A number of seconds, or a duration with units.
pub(super) fn seconds(text: &str) -> Option<u64> {
    duration_us(text, 1_000_000)
}

/// A number of milliseconds, or a duration with units.
pub(super) fn millis(text: &str) -> Option<u64> {
    duration_us(text, 1_000)
}

/// A time span as .NET writes it: `hh:mm:ss`, with days before a dot and fractions after one.
pub(super) fn clock(text: &str) -> Option<u64> {
    let mut parts = text.trim().split(':').rev();
    let (seconds, minutes, hours) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    duration_us(&format!("{days}d{hours}h{minutes}m{seconds}s"), 0)
}

/// The upstream an URL or address points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// `http`, `https`, `fcgi`, …; empty if none is written.
    pub(super) scheme: String,
    /// `host:port`, `host` or `unix:/path`.
    pub(super) address: String,
    /// Path after the address; empty if there is none.
    pub(super) path: String,
}

impl Target {
    /// Takes `scheme://host:port/path` apart; each part may be absent.
    pub(super) fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if let Some(socket) = rest.strip_prefix("unix:") {
            let socket = socket.split([':', '|']).next().unwrap_or_default();
            return Self {
                scheme: scheme.to_ascii_lowercase(),
                address: format!("unix:{socket}"),
                path: String::new(),
            };
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let (address, path) = rest.split_at(end);
        Self {
            scheme: scheme.to_ascii_lowercase(),
            address: address.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Whether the scheme means TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(
            self.scheme.as_str(),
            "https" | "grpcs" | "wss" | "uwsgis" | "suwsgi" | "h2"
        )
    }

    /// The address with the scheme's usual port if none is written.
    pub(super) fn with_port(&self) -> String {
        let port = match self.scheme.as_str() {
            _ if self.address.starts_with("unix:") || has_port(&self.address) => return self.address.clone(),
            "ajp" => 8009,
            "fcgi" => 8000,
            "scgi" => 4000,
            _ if self.is_tls() => 443,
            _ => 80,
        };
        format!("{}:{port}", self.address)
    }
}

/// Whether `address` ends in a port; an IPv6 address has one only after its bracket.
pub(super) fn has_port(address: &str) -> bool {
    port_of(address).is_some()
}

/// The port at the end of `address`.
pub(super) fn port_of(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    let plain = !host.contains(':') || host.ends_with(']');
    (plain && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).then_some(port)
}

/// The address without its port and brackets.
pub(super) fn host_of(address: &str) -> &str {
    let host = match port_of(address) {
        Some(port) => address.get(..address.len() - port.len() - 1).unwrap_or_default(),
        None => address,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Splits a line into words: quotes and backslashes as HAProxy, Apache and shells use them, `#` as a comment
/// where `comments` is set. The second value says whether a quote stayed open.
pub(super) fn split_words(line: &str, comments: bool) -> (Vec<String>, bool) {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars.next().unwrap_or('\\');
                let word = word.get_or_insert_default();
                // Only what needs escaping is unescaped: `\d` in a pattern keeps its backslash.
                if !matches!(next, '"' | '\'' | '\\' | ' ' | '#') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if comments => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (words, quote.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_spelling_the_products_use() {
        for (text, bare, want) in [
            ("60", 1_000_000, Some(60_000_000)),
            ("5000", 1_000, Some(5_000_000)),
            ("1m30s", 1_000_000, Some(90_000_000)),
            ("1h 30m", 1_000_000, Some(5_400_000_000)),
            ("1.5s", 1, Some(1_500_000)),
            ("250ms", 1, Some(250_000)),
            ("2min", 1, Some(120_000_000)),
            ("30 seconds", 1, Some(30_000_000)),
            ("1 minute", 1, Some(60_000_000)),
            ("", 1, None),
            ("soon", 1, None),
            ("1parsec", 1, None),
            ("99999999999999999999999y", 1, None),
            ("1..2s", 1, None),
        ] {
            assert_eq!(duration_us(text, bare), want, "{text}");
        }
    }

    #[test]
    fn a_time_span_of_dotnet_is_read() {
        assert_eq!(clock("00:02:00"), Some(120_000_000));
        assert_eq!(clock("1.05:00:00"), Some(29 * 3_600_000_000));
        assert_eq!(clock("00:00:01.5"), Some(1_500_000));
        assert_eq!(clock("120"), None);
    }

    #[test]
    fn an_url_is_taken_apart_and_given_its_usual_port() {
        assert_eq!(Target::parse("https://api.test/v1").with_port(), "api.test:443");
        assert_eq!(Target::parse("http://[::1]:8080/").with_port(), "[::1]:8080");
        assert_eq!(Target::parse("http://[::1]/").with_port(), "[::1]:80");
        assert_eq!(
            Target::parse("http://unix:/run/app.sock:/x").with_port(),
            "unix:/run/app.sock"
        );
        assert_eq!(host_of("[::1]:8080"), "::1");
        assert_eq!(host_of("app"), "app");
    }

    #[test]
    fn an_open_quote_is_reported() {
        assert_eq!(
            split_words(r#"a "b c" 'd "e'  f\ g # h"#, true),
            (
                vec!["a".into(), "b c".into(), "d \"e".into(), "f g".into()],
                false
            )
        );
        assert!(split_words("a \"b", true).1);
    }
}
