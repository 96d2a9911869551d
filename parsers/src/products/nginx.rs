//! nginx access logs: the combined format, alone or with what configurations append to it.
//!
//! Appended `rt= uct= uht= urt= us= ua= rid=` pairs, the fields of ingress-nginx and the layout of
//! Nginx Proxy Manager are nginx's own; the bare shape is shared with others (see [`super::clf`]).
//! The time is when the line was written, at the end of the request. Containers write the error log to
//! the same stream, so its lines are read here too.

use crate::engine::paste_nginx;
use crate::engine::slot::Slot;
use crate::entry::{Entry, Escape, Marks};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::clf::{self, ClfParser, Style, Tail};
use crate::products::nginx_error;
use crate::time::{self, DayCache};

/// nginx access logs.
#[derive(Debug, Clone, Copy)]
pub struct Nginx;

impl Plain for Nginx {
    const NAME: &'static str = "nginx";
    const PRODUCT: Product = Product::Nginx;
    const KIND: RecordKind = RecordKind::Access;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(NginxParser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut parser = NginxParser::new();
        if parser.clf.survey(head, Tail::Upstream) > 0 {
            let reason = "common log format with upstream fields";
            return Sniff::by_parsing(head, &mut parser, Score::Own, reason);
        }
        if head
            .lines()
            .take(Head::LINES)
            .any(|line| parser.manager(line, &mut Entry::default()).is_some())
        {
            let reason = "layout of nginx proxy manager";
            return Sniff::by_parsing(head, &mut parser, Score::Own, reason);
        }
        clf::by_hint(head, Product::Nginx, Style::NGINX)
    }
}

pub(crate) struct NginxParser {
    clf: ClfParser,
    day: DayCache,
}

impl NginxParser {
    pub(crate) fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::NGINX),
            day: DayCache::default(),
        }
    }

    /// Nginx Proxy Manager: `[time] [cache] [upstream status] status - METHOD scheme host "path"
    /// [Client a] [Length n] [Gzip r] [Sent-to s] "agent" "referer"`.
    fn manager<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Option<()> {
        let rest = line.strip_prefix(b"[")?;
        let (stamp, used) = time::clf_prefix(rest, &mut self.day)?;
        let rest = rest[used..].strip_prefix(b"] ")?;
        let client = crate::bytes::find(rest, b"\" [Client ")?;
        let quote = memchr::memchr(b'"', &rest[..client])?;
        let before = &rest[..quote];
        // The dash before the method is the last one that stands alone.
        let dash = crate::bytes::rfind(before, b" - ")?;
        let mut statuses = before[..dash].rsplit(|b| *b == b' ');
        Slot::Status.write(statuses.next()?, entry).then_some(())?;
        entry.upstream.status = crate::bytes::filled(statuses.next().unwrap_or_default());
        let mut words = before[dash + 3..].split(|b| *b == b' ');
        entry.method = words.next()?;
        words.next()?;
        entry.host = words.next()?;
        entry.path = &rest[quote + 1..client];
        entry.time = Some(stamp.marking(Marks::End));
        entry.escape = Escape::Backslash;
        for bracket in rest[client + 2..].split(|b| *b == b']') {
            let bracket = bracket.trim_ascii_start();
            if let Some(value) = bracket.strip_prefix(b"[Client ") {
                entry.client = value;
            } else if let Some(value) = bracket.strip_prefix(b"[Length ") {
                Slot::BytesSent.write(value, entry);
            } else if let Some(value) = bracket.strip_prefix(b"[Sent-to ") {
                entry.upstream.addr = value;
            }
        }
        Some(())
    }
}

impl LineParser for NginxParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.first() == Some(&b'[') {
            if self.manager(line, entry).is_some() {
                return Ok(Line::Entry);
            }
            entry.clear();
        }
        match self.clf.parse(line, entry) {
            Ok(read) => {
                paste_nginx::finish(entry);
                Ok(read)
            }
            Err(error) => {
                entry.clear();
                match nginx_error::read(line, entry, &mut self.day) {
                    Some(read) => read,
                    None => Err(error),
                }
            }
        }
    }
}
