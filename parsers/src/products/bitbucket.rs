//! Atlassian Bitbucket Data Center: `atlassian-bitbucket-access.log`.
//!
//! `63.246.22.199,172.16.1.187 | https | o@9K7Z3NNx6x3112x1 | user | 2012-10-29 00:06:26,838 | "GET /git/a.git/info/refs HTTP/1.1" | "" "git/1.7.4.1" | 200 | 13 | 0 | refs, cache:hit | 101 | tmpqqw |`
//! Two lines a request: `i@` or `i*` when it comes in, a note; `o@` or `o*` when it is done, with status, bytes read, bytes
//! written, labels, milliseconds and session. Both carry the same id behind the mark. The time is the server's local time. Lines of `ssh` and
//! `grpc` are about no HTTP request: notes.
//! Of several addresses the first ones are those of `X-Forwarded-For`, the last one is the peer's.
//! The first of the two sizes is what was read from the client, the second what was written: so the document's own example, a
//! `GET` with 0 and 19. That the nearest address is the last is how proxies write the list; the documents do not say, but
//! in their examples of two addresses a public one stands before a private one.
//! Source: Atlassian, "How to read the Bitbucket Data Center log formats", "How to get summary statistics from access logs".

use crate::bytes::memmem;

use crate::bytes::filled;
use crate::engine::slot::{self, Slot, unit};
use crate::entry::{Entry, Kind, Marks};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `bitbucket`.
#[derive(Debug, Clone, Copy)]
pub struct Bitbucket;

const SEPARATOR: &[u8] = b" | ";

impl Plain for Bitbucket {
    const NAME: &'static str = "bitbucket";
    const PRODUCT: Product = Product::Application;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let marks: [&[u8]; 4] = [b" | i@", b" | o@", b" | i*", b" | o*"];
        if !marks.iter().any(|mark| memmem::find(head.bytes, mark).is_some()) {
            return Sniff::no();
        }
        let reason = "request ids of Bitbucket";
        Sniff::by_parsing(head, &mut Parser::default(), Score::Mark, reason)
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        let mut rest = line;
        let mut next = || {
            let (field, after) = match memmem::find(rest, SEPARATOR) {
                Some(at) => (&rest[..at], &rest[at + SEPARATOR.len()..]),
                None => (rest.strip_suffix(b" |").unwrap_or(rest), &rest[rest.len()..]),
            };
            rest = after;
            field
        };
        let (addresses, protocol, id) = (next(), next(), next());
        // Calls between the parts of the server name the request they belong to before the user.
        let parent = next();
        if parent.first() == Some(&b'@') {
            next();
        }
        let stamp = time::iso(next(), &mut self.day).ok_or(LineError::new(0, "time"))?;
        let is_input = matches!(id, [b'i', b'@' | b'*', ..]);
        entry.time = Some(stamp.marking(if is_input { Marks::Start } else { Marks::End }));
        let (forwarded_for, peer) = match memchr::memrchr(b',', addresses) {
            Some(at) => (&addresses[..at], &addresses[at + 1..]),
            None => (&addresses[..0], addresses),
        };
        (entry.forwarded_for, entry.client) = (forwarded_for, filled(peer.trim_ascii()));
        entry.ids.push(match id {
            [b'i' | b'o', b'@' | b'*', id @ ..] => id,
            other => other,
        });
        let request = next();
        let is_http = matches!(protocol, b"http" | b"https");
        if !is_http {
            entry.kind = Kind::Note;
            return Ok(Line::Entry);
        }
        slot::request(unquoted(request), entry);
        next(); // Referrer and user agent.
        for (slot, want) in [
            (Slot::Status, "status"),
            (Slot::Skip, "bytes read"),
            (Slot::BytesSent, "bytes written"),
            (Slot::Skip, "labels"),
            (Slot::Duration(unit::MS), "duration"),
        ] {
            if !slot.write(next(), entry) {
                return Err(LineError::new(0, want));
            }
        }
        entry.kind = if is_input { Kind::Note } else { Kind::Request };
        Ok(Line::Entry)
    }
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Zone;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::default().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn the_line_at_the_end_of_a_request_has_its_outcome() {
        let entry = read(
            r#"63.246.22.199,172.16.1.187 | https | o@9K7Z3NNx6x3112x1 | eaccru | 2012-10-29 00:06:26,838 | "GET /git/STASH/mina-sshd-fork.git/info/refs HTTP/1.1" | "" "git/1.7.4.1" | 200 | 13 | 7 | refs, cache:hit | 101 | tmpqqw | "#,
        );
        let time = entry.time.unwrap();
        assert_eq!(
            (time.us, time.zone, time.marks),
            (1_351_469_186_838_000, Zone::Local, Marks::End)
        );
        assert_eq!(
            (entry.kind, entry.status, entry.duration_us, entry.bytes_sent),
            (Kind::Request, Some(200), Some(101_000), Some(7))
        );
        assert_eq!(
            (entry.client, entry.forwarded_for),
            (b"172.16.1.187".as_slice(), b"63.246.22.199".as_slice())
        );
        assert_eq!(entry.ids.as_slice(), [b"9K7Z3NNx6x3112x1".as_slice()]);
    }

    #[test]
    fn the_line_at_its_start_is_a_note_with_the_same_id() {
        let entry = read(
            r#"63.246.22.199 | https | i@9K7Z3NNx6x3112x1 | - | 2012-10-29 00:06:26,723 | "GET /git/x HTTP/1.1" | "" "git/1.7.4.1" | - | - | - | - | - | - | "#,
        );
        assert_eq!((entry.kind, entry.status), (Kind::Note, None));
        assert_eq!(entry.time.unwrap().marks, Marks::Start);
        assert_eq!(entry.ids.as_slice(), [b"9K7Z3NNx6x3112x1".as_slice()]);
    }

    #[test]
    fn an_asterisk_behind_the_mark_is_no_part_of_the_id() {
        let entry = read(
            r#"172.24.12.146 | https | o*1Y8NA7Ox764x406x0 | - | 2015-09-10 12:44:32,523 | "GET /status HTTP/1.1" | "" "" | 200 | 0 | 19 | - | 7 | 1hpn738 |"#,
        );
        assert_eq!((entry.kind, entry.duration_us), (Kind::Request, Some(7_000)));
        assert_eq!(entry.ids.as_slice(), [b"1Y8NA7Ox764x406x0".as_slice()]);
    }

    #[test]
    fn other_protocols_are_notes() {
        for line in [
            r#"0:0:0:0:0:0:0:1 | ssh | o@1APC3V1x930x168705816x2 | acarlton | 2020-08-13 10:26:37,907 | "SSH - git-upload-pack '/stash/stash.git'" | "" "git/2.38.1" | 200 | 0 | 9812 | push | 47 | abc123 | "#,
            r#"10.229.31.65 | grpc | o@1GGG0Q5Kx420x106x2 | @5XDWX5x420x2768x0 | admin | 2022-04-12 07:09:18,086 | "HostingService/HttpBackend" | - | 0 | 2 | 141583 | 18951 | 3826461940 | - | 508028 | "#,
        ] {
            assert_eq!(read(line).kind, Kind::Note);
        }
    }
}
