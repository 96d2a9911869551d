//! Amazon CloudFront: standard logs, W3C and JSON.
//!
//! `#Fields: date time x-edge-location sc-bytes c-ip …`, then rows parted by TABs (spaces in copies):
//! `2026-11-20<TAB>16:23:16<TAB>LAX1<TAB>900<TAB>198.51.100.7<TAB>GET<TAB>d1.cloudfront.net<TAB>/<TAB>502<TAB>…<TAB>OriginDnsError<TAB>…`
//! Date and time are UTC, when the response had been sent; `time-taken` is seconds. Status `000`: the viewer left before an
//! answer. `x-edge-detailed-result-type` is CloudFront's own word for what failed. Logs of the second version may be
//! JSON lines with the same names, and may carry `timestamp(ms)` and the origin's latencies (`origin-fbl`, `origin-lbl`, seconds).
//! `r-host` is a field of the logs in real time. A column of another name is passed over.
//! Values are URL-encoded, and left so; `-` is a missing value.
//! Source: Amazon CloudFront Developer Guide, "Standard logging reference" (result types, units, end of the response),
//! "Configure standard logging (v2)" (the additions, both in seconds), "Use real-time access logs".

use std::sync::{Arc, LazyLock};

use crate::bytes::memmem;

use crate::bytes::{filled, number};
use crate::engine::json::{Keys, Value};
use crate::engine::json_record;
use crate::engine::slot::{Slot, unit};
use crate::entry::{Entry, Escape, Fault, Kind, Marks, Phase, Signal, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::iis::is_directive;
use crate::time::{self, DayCache};

/// The format `cloudfront`.
#[derive(Debug, Clone, Copy)]
pub struct CloudFront;

/// The columns of a file that has lost its header.
const LAYOUT: &str = "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status \
    cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header \
    cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type \
    cs-protocol-version fle-status fle-encrypted-fields c-port time-to-first-byte \
    x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start sc-range-end";

const DIRECTIVE: &[u8] = b"#Fields:";

/// The columns that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Date,
    Time,
    Milliseconds,
    BytesSent,
    Client,
    ClientPort,
    Method,
    Domain,
    Host,
    Stem,
    Query,
    Status,
    Result,
    DetailedResult,
    Id,
    TimeTaken,
    ForwardedFor,
    OriginHeader,
    OriginResponse,
    OriginHost,
    Other,
}

const COLUMNS: usize = Column::Other as usize + 1;

/// Names and what they stand for.
const NAMES: [(&str, Column); 20] = [
    ("date", Column::Date),
    ("time", Column::Time),
    ("timestamp(ms)", Column::Milliseconds),
    ("sc-bytes", Column::BytesSent),
    ("c-ip", Column::Client),
    ("c-port", Column::ClientPort),
    ("cs-method", Column::Method),
    ("cs(Host)", Column::Domain),
    ("x-host-header", Column::Host),
    ("cs-uri-stem", Column::Stem),
    ("cs-uri-query", Column::Query),
    ("sc-status", Column::Status),
    ("x-edge-result-type", Column::Result),
    ("x-edge-detailed-result-type", Column::DetailedResult),
    ("x-edge-request-id", Column::Id),
    ("time-taken", Column::TimeTaken),
    ("x-forwarded-for", Column::ForwardedFor),
    ("origin-fbl", Column::OriginHeader),
    ("origin-lbl", Column::OriginResponse),
    ("r-host", Column::OriginHost),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (name, column) in NAMES {
        keys.add(name, column as u8, 0);
    }
    keys
});

impl Format for CloudFront {
    fn name(&self) -> &str {
        "cloudfront"
    }

    fn product(&self) -> Product {
        Product::CloudFront
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let is_named = memmem::find(head.bytes, b"x-edge-").is_some();
        let has_rows = memmem::find(head.bytes, b"==").is_some();
        if !is_named && !has_rows {
            return Sniff::no();
        }
        let mut parser = self.prepare(head).open(b"");
        let (score, reason) = if is_named {
            (Score::Mark, "columns of CloudFront")
        } else {
            (Score::Own, "rows of the standard layout of CloudFront")
        };
        Sniff::by_parsing(head, parser.as_mut(), score, reason)
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        let columns = head.lines().find_map(columns_of_directive);
        Arc::new(PreparedCloudFront {
            columns: columns.unwrap_or_else(|| columns_of(LAYOUT.as_bytes())),
        })
    }
}

struct PreparedCloudFront {
    columns: Vec<Column>,
}

impl Prepared for PreparedCloudFront {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser {
            columns: columns_of_directive(preamble).unwrap_or_else(|| self.columns.clone()),
            day: DayCache::default(),
        })
    }

    fn directive(&self) -> Option<&'static [u8]> {
        Some(DIRECTIVE)
    }
}

fn columns_of_directive(line: &[u8]) -> Option<Vec<Column>> {
    let columns = columns_of(line.strip_prefix(DIRECTIVE)?);
    (!columns.is_empty()).then_some(columns)
}

fn columns_of(names: &[u8]) -> Vec<Column> {
    let known = |name: &[u8]| {
        let found = NAMES.iter().find(|(known, _)| known.as_bytes() == name);
        found.map_or(Column::Other, |(_, column)| *column)
    };
    names
        .split(u8::is_ascii_whitespace)
        .filter(|name| !name.is_empty())
        .map(known)
        .collect()
}

struct Parser {
    columns: Vec<Column>,
    day: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if is_directive(line) {
            if let Some(columns) = columns_of_directive(line) {
                self.columns = columns;
            }
            return Ok(Line::Directive);
        }
        let mut row = Row([&[]; COLUMNS]);
        if matches!(line.first(), Some(b'{' | b'[' | b']')) {
            let mut values = [Value::default(); COLUMNS];
            if !json_record::scan(line, &KEYS, &mut values)? {
                return Ok(Line::Directive);
            }
            for (to, value) in row.0.iter_mut().zip(&values) {
                *to = value.text();
            }
            entry.escape = Escape::Json;
        } else {
            self.cut(line, &mut row)?;
        }
        let stamp = row
            .stamp(&mut self.day)
            .ok_or(LineError::new(0, "date and time"))?;
        entry.time = Some(stamp);
        row.fill(entry);
        match row.status_fits() {
            true => Ok(Line::Entry),
            false => Err(LineError::new(0, "sc-status")),
        }
    }
}

impl Parser {
    /// Cuts a row at its TABs, or at its spaces where it has none.
    fn cut<'a>(&self, line: &'a [u8], row: &mut Row<'a>) -> Result<(), LineError> {
        let tab = memchr::memchr(b'\t', line);
        let separator = if tab.is_some() { b'\t' } else { b' ' };
        let (mut start, mut seen) = (0, 0);
        for &column in &self.columns {
            let Some(rest) = line.get(start..) else {
                break;
            };
            let len = memchr::memchr(separator, rest).unwrap_or(rest.len());
            row.0[column as usize] = filled(&rest[..len]);
            start += len + 1;
            seen += 1;
        }
        // A row may be cut by whoever copied it, but not before what makes it one.
        let needed = self.columns.iter().position(|column| *column == Column::Status);
        if needed.is_none_or(|needed| seen <= needed) {
            return Err(LineError::new(line.len(), "sc-status"));
        }
        Ok(())
    }
}

struct Row<'a>([&'a [u8]; COLUMNS]);

impl<'a> Row<'a> {
    fn get(&self, column: Column) -> &'a [u8] {
        self.0[column as usize]
    }

    fn stamp(&self, day: &mut DayCache) -> Option<Stamp> {
        let fine = time::epoch_ms(self.get(Column::Milliseconds));
        let mut stamp =
            fine.or_else(|| time::date_and_clock(self.get(Column::Date), self.get(Column::Time), day))?;
        stamp.zone = Zone::Known;
        Some(stamp.marking(Marks::End))
    }

    /// Empty, or three digits; anything else is another column.
    fn status_fits(&self) -> bool {
        let status = self.get(Column::Status);
        status.is_empty() || status.len() == 3 && number(status).is_some()
    }

    fn fill(&self, entry: &mut Entry<'a>) {
        entry.kind = Kind::Request;
        entry.status = number(self.get(Column::Status))
            .and_then(|status| u16::try_from(status).ok())
            .filter(|status| *status != 0);
        entry.method = self.get(Column::Method);
        entry.host = match self.get(Column::Host) {
            [] => self.get(Column::Domain),
            host => host,
        };
        entry.path = self.get(Column::Stem);
        entry.query = self.get(Column::Query);
        entry.client = self.get(Column::Client);
        entry.forwarded_for = self.get(Column::ForwardedFor);
        entry.upstream.addr = self.get(Column::OriginHost);
        entry.ids.push(self.get(Column::Id));
        for (slot, column) in [
            (Slot::ClientPort, Column::ClientPort),
            (Slot::BytesSent, Column::BytesSent),
            (Slot::Duration(unit::S), Column::TimeTaken),
            (Slot::UpstreamHeader(unit::S), Column::OriginHeader),
            (Slot::UpstreamResponse(unit::S), Column::OriginResponse),
        ] {
            let text = self.get(column);
            if !text.is_empty() {
                slot.write(text, entry);
            }
        }
        let result = match self.get(Column::DetailedResult) {
            [] => self.get(Column::Result),
            detailed => detailed,
        };
        if let Some((phase, fault)) = fault(result, entry.status) {
            entry.signal = Some(Signal::new(phase, fault));
            entry.error = result;
        }
    }
}

/// What a result type says.
fn fault(result: &[u8], status: Option<u16>) -> Option<(Phase, Fault)> {
    Some(match result {
        b"OriginDnsError" => (Phase::Resolve, Fault::NameNotFound),
        // The status tells a connection that was not made in time from one that could not be made.
        b"OriginConnectError" if status == Some(504) => (Phase::ConnectOrTls, Fault::TimedOut),
        b"OriginConnectError" => (Phase::ConnectOrTls, Fault::Other),
        // Connecting or reading timed out.
        b"OriginCommError" => (Phase::Unknown, Fault::TimedOut),
        b"OriginReadError" => (Phase::Header, Fault::ResetOrClosed),
        b"OriginWriteError" => (Phase::Send, Fault::ResetOrClosed),
        b"OriginZeroSizeObjectError" => (Phase::Header, Fault::Closed),
        b"OriginHeaderTooBigError" => (Phase::Header, Fault::HeaderTooBig),
        b"OriginInvalidResponseError" | b"OriginError" => (Phase::Header, Fault::InvalidResponse),
        b"OriginContentRangeLengthError" => (Phase::Body, Fault::BadFraming),
        b"AbortedOrigin" => (Phase::Unknown, Fault::Other),
        b"ClientCommError" | b"ClientHungUpRequest" => (Phase::Client, Fault::ClientGone),
        b"SlowReaderOriginError" => (Phase::Client, Fault::Other),
        b"CapacityExceeded" | b"LimitExceeded" => (Phase::Queue, Fault::QueueFull),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = "2019-12-13\t22:36:27\tSEA19-C1\t900\t192.0.2.200\tGET\td111111abcdef8.cloudfront.net\t/favicon.ico\t502\thttp://www.example.com/\tMozilla/5.0%20(Windows)\ta=1\t-\tError\t1pkpNfBQ39sYMnjjUQjmH2w1wdJnbHYTbag21o_3OfcQgPzdL2RSSQ==\twww.example.com\thttp\t675\t0.102\t203.0.113.9\t-\t-\tError\tHTTP/1.1\t-\t-\t25260\t0.102\tOriginDnsError\ttext/html\t507\t-\t-";

    fn read<'a>(fields: &str, line: &'a str) -> Entry<'a> {
        let head = Head {
            bytes: b"",
            hints: &[],
            date_hint: None,
        };
        let mut parser = CloudFront.prepare(&head).open(fields.as_bytes());
        let mut entry = Entry::default();
        assert_eq!(
            parser.parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn a_row_without_header_is_read_in_the_standard_layout() {
        let entry = read("", ROW);
        let time = entry.time.unwrap();
        assert_eq!(
            (time.us, time.zone, time.marks, time.resolution_us),
            (1_576_276_587_000_000, Zone::Known, Marks::End, 1_000_000)
        );
        assert_eq!((entry.status, entry.duration_us), (Some(502), Some(102_000)));
        assert_eq!(
            (entry.host, entry.path, entry.query),
            (
                b"www.example.com".as_slice(),
                b"/favicon.ico".as_slice(),
                b"a=1".as_slice()
            )
        );
        assert_eq!(
            (entry.client, entry.client_port, entry.forwarded_for),
            (b"192.0.2.200".as_slice(), Some(25_260), b"203.0.113.9".as_slice())
        );
        assert_eq!(entry.bytes_sent, Some(900));
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Resolve, Fault::NameNotFound))
        );
        assert_eq!(entry.error, b"OriginDnsError");
        assert_eq!(entry.ids.as_slice().len(), 1);
    }

    #[test]
    fn the_header_says_which_columns_there_are() {
        let fields = "#Fields: timestamp(ms) sc-status origin-fbl origin-lbl r-host";
        let entry = read(fields, "1795191796147\t504\t29.9\t-\torigin.example.com");
        assert_eq!(entry.time.unwrap().us, 1_795_191_796_147_000);
        assert_eq!((entry.status, entry.header_us), (Some(504), Some(29_900_000)));
        assert_eq!(entry.upstream.addr, b"origin.example.com");
    }

    #[test]
    fn json_lines_have_the_same_names() {
        let line = r#"{"date":"2026-11-20","time":"16:23:16","sc-status":"000","cs(Host)":"d1.cloudfront.net","cs-method":"GET","x-edge-detailed-result-type":"ClientCommError","time-taken":"0.238"}"#;
        let entry = read("", line);
        assert_eq!((entry.status, entry.duration_us), (None, Some(238_000)));
        assert_eq!(entry.host, b"d1.cloudfront.net");
        assert_eq!(entry.signal, Some(Signal::new(Phase::Client, Fault::ClientGone)));
    }

    #[test]
    fn a_row_that_breaks_off_or_is_shifted_is_an_error() {
        let head = Head {
            bytes: b"",
            hints: &[],
            date_hint: None,
        };
        let mut parser = CloudFront.prepare(&head).open(b"");
        let mut entry = Entry::default();
        assert!(parser.parse(b"2019-12-13\t22:36:27\tSEA19", &mut entry).is_err());
        let shifted = ROW.replace("\t502\t", "\tx\t502\t");
        entry.clear();
        assert!(parser.parse(shifted.as_bytes(), &mut entry).is_err());
        entry.clear();
        assert_eq!(parser.parse(b"#Version: 1.0", &mut entry), Ok(Line::Directive));
    }
}
