//! varnishlog: what happened in each transaction, tag by tag, grouped by request, session or transaction.
//!
//! ```text
//! **  << BeReq    >> 32771
//! --  Begin          bereq 32770 fetch
//! --  Timestamp      Start: 1795193811.101479 0.000000 0.000000
//! --  BereqURL       /ok/slow
//! --  BackendOpen    21 app 127.0.0.1 9101 127.0.0.1 35766 reuse
//! --  FetchError     first byte timeout (reused connection)
//! --  BerespStatus   503
//! --  End
//! ```
//! A record is a transaction: a `Request` of a client becomes a request, a `BeReq` a step of one with what the backend did,
//! a failure if it has a `FetchError`. Transactions are handed over whole by readers that can; a reader of single lines
//! gets the failures all the same, from the lines with a `FetchError`, with their time but without request.
//! Ungrouped (`-g raw`), each line says its transaction and side, `     32771 BereqURL       b /ok/slow`; a transaction's
//! lines stand together from its `Begin` on, because they are buffered until it ends, and lines of others
//! among them are left to those. `Timestamp` lines give seconds since the epoch, since the start and since the line before. `BackendOpen` says whether the
//! connection had been used before; two of them in one transaction are a retry. Ids of transactions count up
//! from the start of the server; they are kept as ids only where a request carries none of its own.
//! Source: vsl(7) and varnishlog(1); lines observed on version 7.1.1.

use crate::bytes::memmem;

use crate::bytes::{decimal_scaled, filled, number};
use crate::engine::fetch_error::fetch_error;
use crate::engine::id::{self, Header};
use crate::entry::{Entry, Fault, Kind, Marks, Phase, Stamp};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time;

/// The format `varnishlog`.
#[derive(Debug, Clone, Copy)]
pub struct Varnishlog;

impl Plain for Varnishlog {
    const NAME: &'static str = "varnishlog";
    const PRODUCT: Product = Product::Varnish;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let (mut begun, mut read, mut lines) = (0u32, 0u32, 0u32);
        for line in head.lines().take(Head::LINES) {
            lines += 1;
            begun += u32::from(Transaction::of(line).is_some());
            read += u32::from(Transaction::of(line).is_some() || Record::of(line).is_some());
        }
        if begun == 0 || read * 2 < lines {
            return Sniff::no();
        }
        Sniff {
            score: Score::Mark,
            parsed: read,
            looked_at: lines,
            reason: "transactions of varnishlog".to_owned(),
        }
    }
}

#[derive(Default)]
struct Parser {
    /// The last time seen, for failures read line by line.
    last: Option<Stamp>,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let (first, rest) = match memchr::memchr(b'\n', line) {
            Some(end) => (&line[..end], &line[end + 1..]),
            None => (line, &line[..0]),
        };
        if first.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some(transaction) = Transaction::of(first) {
            if rest.is_empty() {
                return Ok(Line::Directive);
            }
            return Ok(transaction.read(rest, entry));
        }
        let record = Record::of(first).ok_or(LineError::new(0, "transaction or tag"))?;
        match record.tag {
            b"Timestamp" => {
                self.last = record.stamp().map(|(stamp, _)| stamp).or(self.last);
                Ok(Line::Continuation)
            }
            b"FetchError" => {
                entry.kind = Kind::Failure;
                entry.error = record.value;
                entry.signal = fetch_error(record.value);
                entry.time = self.last;
                Ok(Line::Entry)
            }
            _ => Ok(Line::Continuation),
        }
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        Some(Transaction::of(line).is_some())
    }
}

/// `**  << BeReq    >> 32771`
struct Transaction<'a> {
    kind: &'a [u8],
    vxid: &'a [u8],
}

impl<'a> Transaction<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let stars = line.iter().take_while(|byte| **byte == b'*').count();
        if stars == 0 {
            return Self::of_raw(line);
        }
        let rest = line[stars..].trim_ascii_start().strip_prefix(b"<< ")?;
        let end = memmem::find(rest, b">>")?;
        let vxid = rest[end + 2..].trim_ascii();
        number(vxid)?;
        Some(Self {
            kind: rest[..end].trim_ascii(),
            vxid,
        })
    }

    /// `     32771 Begin          b bereq 32770 fetch`.
    fn of_raw(line: &'a [u8]) -> Option<Self> {
        let record = Record::of_raw(line).filter(|record| record.tag == b"Begin")?;
        let kind: &[u8] = match record.value.split(|byte| *byte == b' ').next()? {
            b"bereq" => b"BeReq",
            b"req" => b"Request",
            _ => b"Session",
        };
        Some(Self {
            kind,
            vxid: record.vxid,
        })
    }

    /// Reads the records of the transaction.
    fn read(&self, records: &'a [u8], entry: &mut Entry<'a>) -> Line {
        let of_backend = self.kind == b"BeReq";
        if !of_backend && self.kind != b"Request" {
            return Line::Directive;
        }
        let mut times = Times::default();
        for line in crate::bytes::lines(records) {
            let own = |record: &Record<'_>| record.vxid.is_empty() || record.vxid == self.vxid;
            if let Some(record) = Record::of(line).filter(own) {
                if record.tag == b"Timestamp" {
                    times.add(&record);
                } else {
                    record.fill(entry);
                }
            }
        }
        entry.time = times.start.map(|stamp| stamp.marking(Marks::Start));
        if of_backend {
            entry.kind = if entry.error.is_empty() {
                Kind::Note
            } else {
                Kind::Failure
            };
            entry.connect_us = times.connected_us;
            // A failed fetch is stamped too where the header should have come.
            let has_header = entry.error.is_empty() || !entry.upstream.status.is_empty();
            entry.header_us = times.header_us.filter(|_| has_header);
            entry.response_us = times.body_us.or(times.error_us);
            // What was sent to the client is not this transaction's to say.
            entry.status = None;
        } else {
            entry.duration_us = times.sent_us;
            entry.signal = None;
        }
        if entry.ids.as_slice().is_empty() && self.vxid.len() >= 5 {
            entry.ids.push(self.vxid);
        }
        Line::Entry
    }
}

/// The instants of a transaction, in microseconds since it began.
#[derive(Default)]
struct Times {
    start: Option<Stamp>,
    connected_us: Option<u64>,
    header_us: Option<u64>,
    body_us: Option<u64>,
    error_us: Option<u64>,
    sent_us: Option<u64>,
}

impl Times {
    fn add(&mut self, record: &Record<'_>) {
        let Some((stamp, since_us)) = record.stamp() else {
            return;
        };
        match record.label() {
            b"Start" => self.start = Some(stamp),
            b"Connected" => self.connected_us = Some(since_us),
            b"Beresp" => self.header_us = Some(since_us),
            b"BerespBody" => self.body_us = Some(since_us),
            b"Error" => self.error_us = Some(since_us),
            b"Resp" | b"PipeSess" => self.sent_us = Some(since_us),
            _ => {}
        }
    }
}

/// `--  BereqURL       /ok/slow`
struct Record<'a> {
    /// Its transaction, where the line says.
    vxid: &'a [u8],
    tag: &'a [u8],
    value: &'a [u8],
}

impl<'a> Record<'a> {
    fn of(line: &'a [u8]) -> Option<Self> {
        let dashes = line.iter().take_while(|byte| **byte == b'-').count();
        if dashes == 0 {
            return Self::of_raw(line);
        }
        // Deep transactions are marked `-4- `, by their depth.
        let marks = match line.get(dashes..) {
            Some([b'0'..=b'9', b'-', ..]) => dashes + 2,
            _ => dashes,
        };
        let rest = line.get(marks..)?.strip_prefix(b" ")?.trim_ascii_start();
        let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        is_tag(&rest[..len]).then(|| Self {
            vxid: &[],
            tag: &rest[..len],
            value: rest[len..].trim_ascii(),
        })
    }

    /// `     32771 BereqURL       b /ok/slow`: transaction, tag, side.
    fn of_raw(line: &'a [u8]) -> Option<Self> {
        let line = line.trim_ascii_start();
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let rest = line[digits..].strip_prefix(b" ").filter(|_| digits > 0)?;
        let len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        let value = rest[len..].trim_ascii_start();
        let has_side = matches!(value, [b'c' | b'b' | b'-'] | [b'c' | b'b' | b'-', b' ', ..]);
        (has_side && is_tag(&rest[..len])).then(|| Self {
            vxid: &line[..digits],
            tag: &rest[..len],
            value: value[1..].trim_ascii(),
        })
    }

    /// The word before the colon.
    fn label(&self) -> &'a [u8] {
        &self.value[..memchr::memchr(b':', self.value).unwrap_or(0)]
    }

    /// Of `Start: 1795203483.245270 0.000000 0.000000` when it was, and how many microseconds after the start.
    fn stamp(&self) -> Option<(Stamp, u64)> {
        let mut words = self.value.split(|byte| *byte == b' ');
        words.next()?;
        let stamp = time::epoch_seconds(words.next()?)?;
        let since_us = decimal_scaled(words.next()?, 1_000_000)?;
        Some((stamp.marking(Marks::Event), since_us))
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        match self.tag {
            b"ReqMethod" | b"BereqMethod" => entry.method = self.value,
            // The configuration may rewrite the URL; the client's comes first.
            b"ReqURL" | b"BereqURL" if entry.path.is_empty() => entry.path = self.value,
            b"ReqHeader" | b"BereqHeader" => self.header(entry),
            b"ReqStart" => {
                let mut words = self.value.split(|byte| *byte == b' ');
                entry.client = words.next().unwrap_or_default();
                entry.client_port = words.next().and_then(number).and_then(|n| u16::try_from(n).ok());
            }
            b"RespStatus" => entry.status = number(self.value).and_then(|n| u16::try_from(n).ok()),
            b"BerespStatus" if entry.error.is_empty() => entry.upstream.status = filled(self.value),
            b"BackendOpen" => self.backend(entry),
            b"ReqAcct" => {
                let sent = self.value.split(|byte| *byte == b' ').nth(4);
                entry.bytes_sent = sent.and_then(number);
            }
            b"FetchError" => {
                // The first of several is the cause, the others its consequences.
                if entry.error.is_empty() {
                    entry.error = self.value;
                    entry.signal = fetch_error(self.value);
                    if !entry.upstream.status.is_empty()
                        && let Some(signal) = &mut entry.signal
                        && signal.phase == Phase::Header
                        // Varnish logs a status also where it could not read the header.
                        && signal.fault != Fault::MalformedHeader
                    {
                        signal.phase = Phase::Body;
                    }
                }
                if entry.upstream.group.is_empty() {
                    entry.upstream.group = backend_name(self.value);
                }
            }
            _ => {}
        }
    }

    fn header(&self, entry: &mut Entry<'a>) {
        let Some(colon) = memchr::memchr(b':', self.value) else {
            return;
        };
        let value = self.value[colon + 1..].trim_ascii_start();
        match id::header(&self.value[..colon]) {
            Header::Id(kind) => id::push(&mut entry.ids, kind, value),
            Header::Host => entry.host = value,
            Header::ForwardedFor => entry.forwarded_for = value,
            Header::Other => {}
        }
    }

    /// `21 app 127.0.0.1 9101 127.0.0.1 35766 reuse`: descriptor, backend, its address and port, ours, and whether
    /// the connection is an old one (not said before version 6).
    fn backend(&self, entry: &mut Entry<'a>) {
        let mut words = self.value.split(|byte| *byte == b' ');
        words.next();
        let upstream = &mut entry.upstream;
        upstream.group = words.next().unwrap_or_default();
        if !upstream.addr.is_empty() {
            upstream.retries += 1;
        }
        upstream.addr = words.next().unwrap_or_default();
        upstream.reused = match self.value.rsplit(|byte| *byte == b' ').next() {
            Some(b"reuse") => Some(true),
            Some(b"connect") => Some(false),
            _ => None,
        };
    }
}

/// Whether `word` looks like the name of a tag.
fn is_tag(word: &[u8]) -> bool {
    word.len() > 1
        && word[0].is_ascii_uppercase()
        && word
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// `app` of `backend app: fail errno 111 (Connection refused)`.
fn backend_name(error: &[u8]) -> &[u8] {
    let Some(rest) = error.strip_prefix(b"backend ") else {
        return &error[..0];
    };
    let rest = rest.strip_prefix(b"default.").unwrap_or(rest);
    &rest[..memchr::memchr(b':', rest).unwrap_or(0)]
}

#[cfg(test)]
#[path = "varnishlog_tests.rs"]
mod tests;
