//! What the load-balancer logs of Amazon share: words and quoted values parted by single spaces, and
//! requests written with their full URL.

use crate::bytes::{decimal_scaled, filled};
use crate::engine::slot;
use crate::entry::Entry;
use crate::error::LineError;

/// Reads the fields of a line one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    /// Where the next field starts.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The field up to the next space.
    pub(crate) fn word(&mut self, want: &'static str) -> Result<&'a [u8], LineError> {
        let rest = self.rest();
        if rest.is_empty() {
            return Err(LineError::new(self.line.len(), want));
        }
        let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        self.at += len + 1;
        Ok(&rest[..len])
    }

    /// The field in quotes. It ends at a quote before a space or before the end of the line; of quotes
    /// inside the value nothing is known.
    pub(crate) fn quoted(&mut self, want: &'static str) -> Result<&'a [u8], LineError> {
        let error = LineError::new(self.at.min(self.line.len()), want);
        let [b'"', rest @ ..] = self.rest() else {
            return Err(error);
        };
        let closes = |at: &usize| matches!(rest.get(at + 1), None | Some(b' '));
        let len = memchr::memchr_iter(b'"', rest).find(closes).ok_or(error)?;
        self.at += len + 3;
        Ok(&rest[..len])
    }

    /// The field in quotes or up to the next space; empty behind the end of the line.
    pub(crate) fn any(&mut self) -> &'a [u8] {
        let quoted = self.rest().first() == Some(&b'"');
        let value = if quoted { self.quoted("") } else { self.word("") };
        value.unwrap_or_default()
    }

    fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }
}

/// A duration in seconds; `None` for `-1` and `-`.
pub(crate) fn seconds(text: &[u8]) -> Option<u64> {
    decimal_scaled(text, 1_000_000)
}

/// Whether `text` can stand where a duration or a status has to: a number, `-1` or `-`.
pub(crate) fn is_number_or_missing(text: &[u8]) -> bool {
    matches!(text, b"-1" | b"-") || seconds(text).is_some()
}

/// Takes `GET https://shop.example.com:443/cart?id=7 HTTP/1.1` apart. The balancer writes the port even where it is the
/// scheme's own and the client did not; then it is left out. What has no method is written `- http://host:80- -`.
pub(crate) fn request<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    slot::request(text, entry);
    if entry.method == b"-" {
        entry.method = &[];
    }
    let target = entry.path.trim_ascii_end();
    let (host, path) = origin_and_path(target.strip_suffix(b" -").unwrap_or(target));
    entry.path = filled(path);
    entry.host = host;
}

/// Host and path of a URL; what is no URL is all path.
pub(crate) fn origin_and_path(url: &[u8]) -> (&[u8], &[u8]) {
    let none = &url[..0];
    let scheme_len = url
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    if scheme_len == 0 || !url[scheme_len..].starts_with(b"://") {
        return (none, url);
    }
    let (scheme, rest) = (&url[..scheme_len], &url[scheme_len + 3..]);
    let host_len = memchr::memchr2(b'/', b'?', rest).unwrap_or_else(|| {
        // `http://host:80-`, as written for a request without target.
        rest.len() - usize::from(rest.ends_with(b"-"))
    });
    let (host, path) = rest.split_at(host_len);
    let own_port: &[u8] = match scheme {
        b"http" | b"ws" => b":80",
        b"https" | b"wss" => b":443",
        _ => b"",
    };
    (host.strip_suffix(own_port).unwrap_or(host), path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_gives_the_host_that_the_client_named() {
        let of = |url: &'static str| {
            let (host, path) = origin_and_path(url.as_bytes());
            [host, path].map(|part| String::from_utf8_lossy(part).into_owned())
        };
        assert_eq!(of("https://shop:443/a?b"), ["shop", "/a?b"]);
        assert_eq!(of("http://shop:8080/"), ["shop:8080", "/"]);
        assert_eq!(of("/a://b"), ["", "/a://b"]);
        assert_eq!(of("http://shop:80-"), ["shop", "-"]);
        assert_eq!(of("http://"), ["", ""]);
    }

    #[test]
    fn a_quote_inside_a_value_does_not_end_it() {
        let mut words = Words::new(br#""a"b" c "d"#);
        assert_eq!(words.quoted("x").unwrap(), br#"a"b"#);
        assert_eq!(words.word("x").unwrap(), b"c");
        assert!(words.quoted("x").is_err());
    }
}
