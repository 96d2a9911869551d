//! The common log format and what servers put around it.
//!
//! `[host] [addresses] [ident user] [time] "request" status bytes ["referer"] ["agent"] [tail]`: nginx,
//! Apache and gunicorn write this shape alike, so who wrote a file is told by what stands beside it
//! ([`Head::hints`]) or by the tail, which is read here too: `key=value` pairs, the fields of
//! ingress-nginx, or single words of a recognisable shape.

use std::sync::Arc;

use crate::bytes::{filled, find_near, lanes, number};
use crate::engine::id;
use crate::engine::slot::{self, Slot, unit};
use crate::engine::template::end_of;
use crate::entry::{Entry, Escape, Marks};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::clf_tail::{Keys, finer_time, ingress, pairs};
use crate::time::{self, DayCache};

/// The common log format, whoever wrote it.
#[derive(Debug)]
pub struct Clf;

/// gunicorn's access log: the combined format, written at the end of the request.
#[derive(Debug)]
pub struct Gunicorn;

impl Format for Clf {
    fn name(&self) -> &'static str {
        "clf"
    }

    fn product(&self) -> Product {
        Product::Unknown
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        if hinted(head).is_some() {
            return Sniff::no();
        }
        let mut parser = ClfParser::new(Style::UNKNOWN);
        Sniff::by_parsing(head, &mut parser, Score::Shape, "common log format")
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(Style::UNKNOWN)
    }
}

impl Format for Gunicorn {
    fn name(&self) -> &'static str {
        "gunicorn"
    }

    fn product(&self) -> Product {
        Product::Gunicorn
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let mut parser = ClfParser::new(Style::GUNICORN);
        if parser.survey(head, Tail::Worker) > 0 {
            let reason = "common log format with gunicorn's worker process";
            return Sniff::by_parsing(head, &mut parser, Score::Own, reason);
        }
        by_hint(head, Product::Gunicorn, Style::GUNICORN)
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(Style::GUNICORN)
    }
}

/// The one product among those that write this shape that the surroundings suggest; `None` if none or several.
pub(crate) fn hinted(head: &Head<'_>) -> Option<Product> {
    let writes = |product: &Product| {
        matches!(
            product,
            Product::Nginx
                | Product::Apache
                | Product::Gunicorn
                | Product::Tomcat
                | Product::Jetty
                | Product::Undertow
                | Product::Iis
                | Product::Node
                | Product::Traefik
                | Product::Lighttpd
                | Product::LiteSpeed
                | Product::Varnish
                | Product::Squid
        )
    };
    let mut found = head.hints.iter().copied().filter(writes);
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// The opinion of a product whose lines have the shared shape: its own if the surroundings suggest it.
pub(crate) fn by_hint(head: &Head<'_>, product: Product, style: Style) -> Sniff {
    if hinted(head) != Some(product) {
        return Sniff::no();
    }
    let reason = format!("common log format beside other files of {}", product.name());
    Sniff::by_parsing(head, &mut ClfParser::new(style), Score::Shape, &reason)
}

/// How a product uses the shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    marks: Marks,
    /// Unit of a whole number that follows the user agent alone (Apache and gunicorn `%D`).
    number_unit: Option<u32>,
    /// Whether lines that begin with the time are read too (nginx).
    time_first: bool,
}

impl Style {
    pub(crate) const UNKNOWN: Self = Self {
        marks: Marks::End,
        number_unit: None,
        time_first: true,
    };
    pub(crate) const NGINX: Self = Self::UNKNOWN;
    pub(crate) const APACHE: Self = Self {
        marks: Marks::Start,
        number_unit: Some(unit::US),
        time_first: true,
    };
    /// Jetty stamps the arrival; its older log ends in the milliseconds spent.
    pub(crate) const JETTY: Self = Self {
        marks: Marks::Start,
        number_unit: Some(unit::MS),
        time_first: false,
    };
    /// Undertow's `%D` is milliseconds.
    pub(crate) const UNDERTOW: Self = Self {
        marks: Marks::End,
        number_unit: Some(unit::MS),
        time_first: false,
    };
    /// Servers that append nothing of their own: IIS in NCSA mode, morgan.
    pub(crate) const PLAIN: Self = Self {
        marks: Marks::End,
        number_unit: None,
        time_first: false,
    };
    /// The time is when the request began, and nothing after the user agent is known.
    pub(crate) const AT_START: Self = Self {
        marks: Marks::Start,
        number_unit: None,
        time_first: true,
    };
    /// A number after the user agent is microseconds.
    pub(crate) const LIGHTTPD: Self = Self::GUNICORN;
    pub(crate) const GUNICORN: Self = Self {
        marks: Marks::End,
        number_unit: Some(unit::US),
        time_first: false,
    };
}

impl Prepared for Style {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(ClfParser::new(*self))
    }
}

/// What was found after the user agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tail {
    #[default]
    Nothing,
    /// Pairs or fields about an upstream: nginx.
    Upstream,
    /// An id of mod_unique_id: Apache.
    UniqueId,
    /// A process in angle brackets: gunicorn's `%(p)s`.
    Worker,
    /// Something else.
    Other,
}

/// Reads lines of the shape.
#[derive(Debug)]
pub(crate) struct ClfParser {
    style: Style,
    day: DayCache,
    /// The tail of the line read last.
    pub(crate) tail: Tail,
    keys: Keys,
}

impl ClfParser {
    pub(crate) fn new(style: Style) -> Self {
        Self {
            style,
            day: DayCache::default(),
            tail: Tail::Nothing,
            keys: Keys::default(),
        }
    }

    /// How many lines of the head have the tail `wanted`, beside the plain opinion.
    pub(crate) fn survey(&mut self, head: &Head<'_>, wanted: Tail) -> u32 {
        let mut count = 0;
        let mut entry = Entry::default();
        for line in head.lines().take(Head::LINES) {
            entry.clear();
            if self.parse(line, &mut entry).is_ok() && self.tail == wanted {
                count += 1;
            }
        }
        count
    }

    fn line<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<(), LineError> {
        entry.escape = Escape::Backslash;
        self.tail = Tail::Nothing;
        let mut open = memchr::memchr(b'[', line);
        while let Some(at) = open {
            if let Some((stamp, used)) = time::clf_prefix(&line[at + 1..], &mut self.day) {
                entry.time = Some(stamp.marking(self.style.marks));
                let after = at + 1 + used;
                if !line[after..].starts_with(b"] ") {
                    return Err(LineError::new(after, "end of the time"));
                }
                if at > 0 {
                    addresses(&line[..at], entry);
                } else if !self.style.time_first {
                    return Err(LineError::new(0, "client"));
                }
                return self.after_time(line, after + 2, entry);
            }
            open = memchr::memchr(b'[', &line[at + 1..]).map(|n| at + 1 + n);
        }
        Err(LineError::new(0, "time"))
    }

    /// From the request line on, whose quote stands at `at`.
    pub(super) fn after_time<'a>(
        &mut self,
        line: &'a [u8],
        mut at: usize,
        entry: &mut Entry<'a>,
    ) -> Result<(), LineError> {
        if line.get(at) != Some(&b'"') {
            // Fields between the time and the request: only where nothing stands before the time.
            if !line.starts_with(b"[") {
                return Err(LineError::new(at, "request line"));
            }
            let quote = memchr::memchr(b'"', &line[at..]).ok_or(LineError::new(at, "request line"))?;
            let before = &line[at..at + quote];
            words_before_request(before, entry);
            at += quote;
            if names_cipher(before) {
                return tls_request(line, at, entry);
            }
        }
        let rest = &line[at + 1..];
        let len = request_end(rest).ok_or(LineError::new(at, "request line"))?;
        slot::request(&rest[..len], entry);
        let after = &rest[len + 2..];
        let (status, after) = word(after);
        if status.len() != 3 && !matches!(status, b"-" | b"0") || !Slot::Status.write(status, entry) {
            return Err(LineError::new(at + len + 3, "status"));
        }
        let (bytes, after) = word(after);
        if !Slot::BytesSent.write(bytes, entry) {
            return Err(LineError::new(line.len() - after.len(), "byte count"));
        }
        self.tail = self.after_bytes(after, entry);
        Ok(())
    }

    /// Referer, user agent, perhaps the forwarded addresses, and the tail.
    fn after_bytes<'a>(&mut self, mut rest: &'a [u8], entry: &mut Entry<'a>) -> Tail {
        let (mut quoted, mut quotes) = (0, quotes(rest));
        while rest.first() == Some(&b'"') {
            let Some((len, behind)) = value_end(&rest[1..], quotes.saturating_sub(1)) else {
                return Tail::Other;
            };
            quotes = behind;
            quoted += 1;
            let value = &rest[1..1 + len];
            if quoted > 2 && is_address_list(value) {
                entry.forwarded_for = value;
            }
            rest = rest.get(len + 3..).unwrap_or_default();
        }
        if rest.is_empty() {
            return Tail::Nothing;
        }
        if let Some(tail) = ingress(rest, entry) {
            return tail;
        }
        let (mut first, further) = word(rest);
        if is_millis(first) {
            finer_time(first, entry);
            rest = further;
            first = word(rest).0;
        }
        if memchr::memchr(b'=', first).is_some() || first.ends_with(b":") {
            return pairs(rest, entry, &mut self.keys);
        }
        self.words(rest, entry)
    }

    /// Single words whose shape says what they are.
    fn words<'a>(&self, rest: &'a [u8], entry: &mut Entry<'a>) -> Tail {
        let mut tail = Tail::Other;
        // Two numbers are bytes in and out (combinedio), one is a duration.
        let (first, further) = word(rest);
        if let Some(unit) = self.style.number_unit
            && number(first).is_some()
            && (further.is_empty() || number(word(further).0).is_none())
        {
            Slot::Duration(unit).write(first, entry);
        }
        let (mut earlier, mut rest): (&[u8], _) = (b"", rest);
        while !rest.is_empty() {
            let (word, further) = word(rest);
            rest = further;
            if matches!(earlier, b"+" | b"X") && self.style.marks == Marks::Start {
                // Apache's %X and %k: the connection's state and how many requests came before.
                entry.termination = earlier;
                Slot::EarlierRequests.write(word, entry);
            }
            earlier = word;
            if let [b'<', pid @ .., b'>'] = word
                && number(pid).is_some()
            {
                Slot::Pid.write(pid, entry);
                tail = Tail::Worker;
            } else if word.first().is_some_and(u8::is_ascii_digit) && word.contains(&b'.') {
                Slot::OtherDuration(unit_named(further)).write(word, entry);
            } else if id::push_if_id(&mut entry.ids, word) {
                if word.len() == 27 {
                    tail = Tail::UniqueId;
                }
            } else if word.starts_with(b"http://") || word.starts_with(b"https://") {
                Slot::UpstreamAddr.write(word, entry);
            }
        }
        tail
    }
}

impl LineParser for ClfParser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        self.line(line, entry)?;
        Ok(Line::Entry)
    }
}

/// The unit that `text` begins with, as behind morgan's `:response-time ms`; seconds if it does not.
fn unit_named(text: &[u8]) -> u32 {
    match word(text).0 {
        b"ms" => unit::MS,
        b"us" => unit::US,
        _ => unit::S,
    }
}

/// The word at the start of `text` and what follows the space after it.
pub(super) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match find_near(b' ', text) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &text[text.len()..]),
    }
}

/// Where the request line ends: at a quote that a status follows, so that a raw quote in it does no harm.
pub(super) fn request_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + end_of(text.get(from..)?, b"\" ")?;
        match text.get(at + 2) {
            Some(b'0'..=b'9' | b'-') => return Some(at),
            _ => from = at + 1,
        }
    }
}

/// Where a quoted value ends: at a quote before a space or the end of the line.
pub(super) fn quoted_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + end_of(text.get(from..)?, b"\"")?;
        if matches!(text.get(at + 1), None | Some(b' ')) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// As [`quoted_end`], for a value that may have quotes of its own, as servers that escape nothing write a user agent
/// (`"curl "quoted" agent"`): what follows it has quotes in pairs. `quotes` is how many stand in `text`; gives how many
/// stand behind the value too.
fn value_end(text: &[u8], count: usize) -> Option<(usize, usize)> {
    let behind = |at: usize| count.saturating_sub(quotes(&text[..at]) + 1);
    let nearest = quoted_end(text)?;
    let mut at = nearest;
    loop {
        let left = behind(at);
        if left % 2 == 0 {
            return Some((at, left));
        }
        match quoted_end(text.get(at + 1..).unwrap_or_default()) {
            Some(further) => at += 1 + further,
            None => return Some((nearest, behind(nearest))),
        }
    }
}

/// How many quotes stand in `text` that no backslash escapes.
fn quotes(text: &[u8]) -> usize {
    if memchr::memchr(b'\\', text).is_none() {
        return lanes::count(b'"', text);
    }
    let quotes = memchr::memchr_iter(b'"', text).filter(|&at| at == 0 || text[at - 1] != b'\\');
    quotes.count()
}

/// What stands before the time: `[host] addresses [ident user]`. Of several addresses the last group
/// is the peer's unless it is a list itself, which only a forwarded header is.
pub(super) fn addresses<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    let text = text.trim_ascii_end();
    let text = match text.strip_suffix(b" - -") {
        Some(rest) => rest,
        None => without_user(text),
    };
    if memchr::memchr(b' ', text).is_none() {
        entry.client = filled(text);
        return;
    }
    let mut groups = [&text[..0]; 3];
    let mut count = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let len = group_len(rest);
        groups[count.min(2)] = &rest[..len];
        count += 1;
        rest = rest[len..].trim_ascii_start();
    }
    let groups = &groups[..count.min(3)];
    for (n, &group) in groups.iter().enumerate() {
        let is_list = group.first() == Some(&b'"') || memchr::memchr(b',', group).is_some();
        if is_list {
            entry.forwarded_for = unquoted(group);
        } else if n + 1 == groups.len() {
            entry.client = group;
        } else if entry.host.is_empty() && n == 0 {
            entry.host = group;
        }
    }
}

/// `text` without ` ident user` at its end, whichever of the two there is.
fn without_user(text: &[u8]) -> &[u8] {
    if let Some(at) = crate::bytes::find(text, b" - ") {
        return &text[..at];
    }
    if let Some(rest) = text.strip_suffix(b" -") {
        return rest;
    }
    let words = text.iter().filter(|b| **b == b' ').count();
    if words != 2 || memchr::memchr(b',', text).is_some() {
        return text;
    }
    word(text).0
}

/// A word, a quoted value, or words joined by `, `.
fn group_len(text: &[u8]) -> usize {
    if text.first() == Some(&b'"') {
        return memchr::memchr(b'"', &text[1..]).map_or(text.len(), |end| end + 2);
    }
    let mut from = 0;
    while let Some(space) = memchr::memchr(b' ', &text[from..]) {
        let at = from + space;
        if at == 0 || text[at - 1] != b',' {
            return at.max(1);
        }
        from = at + 1;
    }
    text.len()
}

fn unquoted(text: &[u8]) -> &[u8] {
    match text {
        [b'"', inner @ .., b'"'] => inner,
        _ => text,
    }
}

/// Whether `word` looks like nginx's `$msec`: ten digits, a point, three digits.
fn is_millis(word: &[u8]) -> bool {
    word.len() == 14 && word[10] == b'.' && number(&word[..10]).is_some() && number(&word[11..]).is_some()
}

/// Words between a leading time and the request line: host, client, duration, by their shape.
fn words_before_request<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    for word in text.split(|b| *b == b' ').filter(|w| !w.is_empty()) {
        if is_address(word) {
            if entry.client.is_empty() {
                entry.client = word;
            }
        } else if word[0].is_ascii_digit() && memchr::memchr(b'.', word).is_some() {
            Slot::OtherDuration(unit::S).write(word, entry);
        } else if entry.host.is_empty() && slot::looks_like_host(word) {
            entry.host = word;
        }
    }
}

/// Whether one of the words is a version of TLS, as Apache's `ssl_request_log` has it before the request.
fn names_cipher(words: &[u8]) -> bool {
    words.contains(&b'v')
        && words
            .split(|b| *b == b' ')
            .any(|word| word.starts_with(b"TLSv") || word.starts_with(b"SSLv"))
}

/// `"GET /a HTTP/1.1" 1375`: the request and its bytes, from the quote at `at` to the end of the line; no status.
fn tls_request<'a>(line: &'a [u8], at: usize, entry: &mut Entry<'a>) -> Result<(), LineError> {
    let rest = &line[at + 1..];
    let len = crate::bytes::rfind(rest, b"\" ").ok_or(LineError::new(at, "request line"))?;
    slot::request(&rest[..len], entry);
    match Slot::BytesSent.write(&rest[len + 2..], entry) {
        true => Ok(()),
        false => Err(LineError::new(at + len + 3, "byte count")),
    }
}

/// An IPv4 address or something with two colons.
pub(crate) fn is_address(text: &[u8]) -> bool {
    let mut dots = 0;
    let mut colons = 0;
    for byte in text {
        match byte {
            b'.' => dots += 1,
            b':' => colons += 1,
            b'0'..=b'9' => {}
            b'a'..=b'f' | b'A'..=b'F' | b'%' => colons += usize::from(colons > 0),
            _ => return false,
        }
    }
    dots == 3 && colons == 0 || colons >= 2
}

pub(super) fn is_address_list(text: &[u8]) -> bool {
    !text.is_empty()
        && text
            .split(|b| *b == b',')
            .all(|part| is_address(part.trim_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_log_of_apache_has_bytes_and_no_status() {
        let line = br#"[10/Aug/2018:09:45:56 +0200] 172.30.0.119 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 "GET /a HTTP/1.1" 209"#;
        let mut entry = Entry::default();
        let mut parser = ClfParser::new(Style::APACHE);
        assert_eq!(parser.parse(line, &mut entry), Ok(Line::Entry));
        assert_eq!((entry.status, entry.bytes_sent), (None, Some(209)));
        assert_eq!((entry.client, entry.path), (&b"172.30.0.119"[..], &b"/a"[..]));
    }

    #[test]
    fn the_keys_of_one_line_are_not_taken_for_those_of_the_next() {
        let tails = [
            "rid=4ad36c1d2060844c74439ca62bfb3e0e rt=0.026 us=\"502\" ua=\"10.0.3.10:8085\"",
            "rid=4ad36c1d2060844c74439ca62bfb3e0e rt=0.027 us=\"502\" ua=\"curl/8.1 (x)\"",
            "rt=0.028 rid=5ad36c1d2060844c74439ca62bfb3e0e ua: \"10.0.3.10:8086\"",
            "rt: 0.029 urt=0.028 6ad36c1d2060844c74439ca62bfb3e0e us=200",
            "rt=0.030 ",
            "rtx=0.031 us=200 ri=d",
            &"a=1 ".repeat(30),
            &"b=1 rt=0.033 us=200 ".repeat(10),
            "4ad36c1d2060844c74439ca62bfb3e0e=0.032 a_key_that_is_longer_than_any_that_is_kept=1 us=200",
        ];
        let mut parser = ClfParser::new(Style::NGINX);
        for (first, second) in tails.iter().flat_map(|a| tails.iter().map(move |b| (a, b))) {
            for tail in [first, second] {
                let line = format!(
                    "10.0.1.10 - - [20/Nov/2026:00:00:00 +0000] \"GET /a HTTP/1.1\" 200 43 \"-\" \"x\" {tail}"
                );
                let (mut known, mut fresh) = (Entry::default(), Entry::default());
                let read = parser.parse(line.as_bytes(), &mut known);
                let mut fresh_parser = ClfParser::new(Style::NGINX);
                let alone = fresh_parser.parse(line.as_bytes(), &mut fresh);
                assert_eq!(read, alone);
                assert_eq!(parser.tail, fresh_parser.tail);
                assert_eq!(format!("{known:?}"), format!("{fresh:?}"), "{tail}");
            }
        }
    }
}
