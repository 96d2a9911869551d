//! varnishncsa: Varnish's access log in the combined format, alone or with what `-F` appends.
//!
//! `127.0.0.1 - - [20/Nov/2026:16:36:54 +0000] "GET http://shop.example.com/a HTTP/1.1" 503 282 "-" "curl" 3001863 3.001429 pass xid=32770`:
//! the request line is put together from the `Host` header and the URL, so the target is always absolute; that,
//! on every line, is what tells the bare format from those of servers that write it alike. The time is when the
//! request was received. Of what follows the user agent a whole number is `%D` (microseconds), a decimal
//! `%{Varnish:time_firstbyte}x` (seconds), `hit`, `miss`, `pass` and so on the handling, `b` or `c` the side. Lines of
//! the backend side (`-b`) are steps of the request whose client side is logged apart: their time is when the request was
//! sent, the first word is the backend's address. A failed fetch is 503; why is in varnishlog
//! (see [`super::varnishlog`]) or in `%{VSL:FetchError}x`. Source: varnishncsa(1); lines observed on version 7.1.1.

use crate::bytes::memmem;

use crate::bytes::number;
use crate::engine::fetch_error::{fetch_error, finish};
use crate::engine::slot::{Slot, split_origin, unit};
use crate::entry::{Entry, Kind};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::clf::{self, ClfParser, Style, quoted_end};

/// The format `varnish`.
#[derive(Debug, Clone, Copy)]
pub struct Varnish;

impl Plain for Varnish {
    const NAME: &'static str = "varnish";
    const PRODUCT: Product = Product::Varnish;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let (mut lines, mut absolute, mut own) = (0u32, 0u32, 0u32);
        for line in head.lines().take(Head::LINES) {
            lines += 1;
            // Squid and Traffic Server write absolute targets too, but end the line with something else.
            let is_combined = line.ends_with(b"\"") || after_agent(line).is_some();
            absolute += u32::from(has_absolute_target(line) && is_combined);
            own += u32::from(after_agent(line).is_some_and(names_handling));
        }
        if absolute == 0 || absolute * 10 < lines * 9 {
            return Sniff::no();
        }
        let mut parser = Parser::new();
        if own > 0 {
            let reason = "common log format with how Varnish handled the request";
            return Sniff::by_parsing(head, &mut parser, Score::Own, reason);
        }
        // Another product that is named by the surroundings has the better claim.
        if clf::hinted(head).is_some_and(|product| product != Product::Varnish) {
            return Sniff::no();
        }
        let reason = "common log format with an absolute target on every line, as varnishncsa writes it";
        Sniff::by_parsing(head, &mut parser, Score::Shape, reason)
    }
}

struct Parser {
    clf: ClfParser,
}

impl Parser {
    fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::AT_START),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let tail = after_agent(line).unwrap_or_default();
        let front = line[..line.len() - tail.len()].trim_ascii_end();
        self.clf.parse(front, entry)?;
        split_origin(entry);
        let side = words(tail, entry);
        if side == Side::Backend {
            entry.kind = Kind::Note;
            entry.upstream.addr = entry.client;
            entry.client = b"";
            if entry.signal.is_some() {
                entry.kind = Kind::Failure;
            }
        }
        Ok(Line::Entry)
    }
}

/// Whether the request line has `http://` or `https://` for its target.
fn has_absolute_target(line: &[u8]) -> bool {
    memmem::find(line, b"] \"").is_some_and(|at| {
        let request = &line[at + 3..];
        let target = memchr::memchr(b' ', request).map_or(&request[..0], |space| &request[space + 1..]);
        target.starts_with(b"http://") || target.starts_with(b"https://")
    })
}

/// What follows the user agent; `None` if nothing does.
fn after_agent(line: &[u8]) -> Option<&[u8]> {
    let mut at = memmem::find(line, b"] \"")? + 3;
    // The request, the referer and the user agent.
    at += quoted_end(&line[at..])? + 1;
    for _ in 0..2 {
        let open = memmem::find(&line[at..], b" \"")?;
        at += open + 2;
        at += quoted_end(&line[at..])? + 1;
    }
    line.get(at + 1..).filter(|tail| !tail.is_empty())
}

const HANDLINGS: [&[u8]; 7] = [
    b"hit", b"miss", b"pass", b"pipe", b"synth", b"hitmiss", b"hitpass",
];

fn names_handling(tail: &[u8]) -> bool {
    tail.split(|byte| *byte == b' ')
        .any(|word| HANDLINGS.contains(&word))
}

/// Which exchange a line is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Backend,
}

/// Reads the words after the user agent by their shape; a fetch error is the rest of the line from where it begins.
fn words<'a>(tail: &'a [u8], entry: &mut Entry<'a>) -> Side {
    let mut side = Side::Client;
    let mut at = 0;
    for word in tail.split(|byte| *byte == b' ') {
        let rest = &tail[at..];
        at += word.len() + 1;
        if HANDLINGS.contains(&word) {
            entry.termination = word;
        } else if word == b"b" {
            side = Side::Backend;
        } else if let Some(signal) = fetch_error(rest) {
            entry.signal = Some(signal);
            entry.error = rest;
            break;
        } else if number(word).is_some() && entry.duration_us.is_none() && entry.termination.is_empty() {
            Slot::Duration(unit::US).write(word, entry);
        } else if memchr::memchr(b'.', word).is_some() && word.first().is_some_and(u8::is_ascii_digit) {
            Slot::OtherHeader(unit::S).write(word, entry);
        } else {
            let value = memchr::memchr(b'=', word).map_or(word, |equals| &word[equals + 1..]);
            crate::engine::id::push_if_id(&mut entry.ids, value);
        }
    }
    finish(entry);
    side
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Fault, Marks, Phase, Signal};
    use crate::format::Format;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::new().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn the_bare_format_gives_host_and_path_of_the_absolute_target() {
        let entry = read(
            r#"127.0.0.1 - - [20/Nov/2026:19:38:03 +0000] "GET http://shop.example.com:8080/slow?a=1 HTTP/1.1" 503 278 "-" "curl/7.88.1""#,
        );
        assert_eq!(
            (entry.host, entry.path),
            (b"shop.example.com:8080".as_slice(), b"/slow?a=1".as_slice())
        );
        assert_eq!(entry.time.map(|t| t.marks), Some(Marks::Start));
        assert_eq!((entry.status, entry.signal), (Some(503), None));
    }

    #[test]
    fn appended_fields_are_known_by_their_shape() {
        let entry = read(
            r#"127.0.0.1 - - [20/Nov/2026:16:36:54 +0000] "GET http://shop.example.com/ok/slow HTTP/1.1" 503 282 "-" "UA" 3001863 3.001429 pass xid=32770"#,
        );
        assert_eq!(
            (entry.duration_us, entry.header_us),
            (Some(3_001_863), Some(3_001_429))
        );
        assert_eq!(entry.termination, b"pass");
        let own = read(
            r#"127.0.0.1 - - [20/Nov/2026:19:38:08 +0000] "GET http://127.0.0.1:19200/a502 HTTP/1.1" 502 3 "-" "curl/7.88.1" 1672 0.001610 miss c 14 -"#,
        );
        assert_eq!(
            own.signal,
            Some(Signal::new(Phase::Header, Fault::UpstreamStatus))
        );
        assert_eq!(own.duration_us, Some(1_672));
    }

    #[test]
    fn a_line_of_the_backend_side_is_a_step() {
        let failed = read(
            r#"127.0.0.1 - - [20/Nov/2026:19:38:08 +0000] "GET http://127.0.0.1:19200/fin HTTP/1.1" 503 0 "-" "curl/7.88.1" 0 0.051020 - b 32773 HTC eof (-1)"#,
        );
        assert_eq!(
            (failed.kind, failed.signal),
            (
                Kind::Failure,
                Some(Signal::new(Phase::Header, Fault::ResetOrClosed))
            )
        );
        assert_eq!(
            (failed.upstream.addr, failed.client),
            (b"127.0.0.1".as_slice(), b"".as_slice())
        );
        assert_eq!(failed.error, b"HTC eof (-1)");
        assert_eq!(failed.duration_us, Some(51_020), "how long it took to fail");
        let went_well = read(
            r#"127.0.0.1 - - [20/Nov/2026:19:38:08 +0000] "GET http://127.0.0.1:19200/pass HTTP/1.1" 200 3 "-" "curl/7.88.1" 671 0.000602 - b 32785 -"#,
        );
        assert_eq!(went_well.kind, Kind::Note);
        let refused = read(
            r#"- - - [20/Nov/2026:19:38:08 +0000] "GET http://127.0.0.1:19200/down/x HTTP/1.1" 503 0 "-" "curl/7.88.1" 0 0.000173 - b 32782 backend down: fail errno 111 (Connection refused)"#,
        );
        assert_eq!(refused.signal, Some(Signal::new(Phase::Connect, Fault::Refused)));
    }

    #[test]
    fn the_bare_format_is_claimed_only_where_every_target_is_absolute() {
        let absolute =
            br#"127.0.0.1 - - [20/Nov/2026:19:38:03 +0000] "GET http://a/ HTTP/1.1" 200 3 "-" "c""#;
        let plain = br#"127.0.0.1 - - [20/Nov/2026:19:38:03 +0000] "GET / HTTP/1.1" 200 3 "-" "c""#;
        let of = |lines: &[&[u8]], hints: &[Product]| {
            let bytes = lines.join(&b'\n');
            Varnish
                .sniff(&Head {
                    bytes: &bytes,
                    hints,
                    date_hint: None,
                })
                .score
        };
        assert_eq!(of(&[absolute, absolute], &[]), Score::Shape);
        assert_eq!(of(&[absolute, plain], &[]), Score::No);
        assert_eq!(of(&[absolute], &[Product::Nginx]), Score::No);
    }
}
