//! IIS, W3C extended log files (`u_ex*.log`), ARR and the ASP.NET Core module included.
//!
//! `2022-01-01 18:42:11 10.0.0.4 GET /orders id=7 443 - 10.0.0.9 Mozilla/5.0 - 502 3 12002 29889`
//! UTC whatever the roll-over setting; one second; written when the response ended. `time-taken` is
//! milliseconds. Requests that never reached a worker are in the HTTPERR log instead.
//! Source: Microsoft, "W3C Logging", "Troubleshooting 502 errors in ARR".

use std::sync::Arc;

use crate::bytes::memmem;

use crate::bytes;
use crate::engine::w3c::{Column, PreparedRows, Row, Rows};
use crate::entry::{Entry, Fault, Kind, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::glance::Glance;

/// The format `iis`.
#[derive(Debug, Clone, Copy)]
pub struct Iis;

/// Layouts tried where a file has no `#Fields:` line (cut by rotation or collected by a forwarder): the
/// defaults of the versions, the latest first, and common additions to them.
const LAYOUTS: [&str; 5] = [
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
     sc-status sc-substatus sc-win32-status time-taken",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     sc-status sc-substatus sc-win32-status time-taken",
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) \
     sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For",
    "date time s-sitename s-computername s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
     cs-version cs(User-Agent) cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status \
     sc-bytes cs-bytes time-taken",
    "date time s-sitename cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
     cs(Cookie) cs(Referer) cs-host sc-status sc-substatus sc-win32-status sc-bytes cs-bytes time-taken",
];

impl Format for Iis {
    fn name(&self) -> &str {
        "iis"
    }

    fn product(&self) -> Product {
        Product::Iis
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Access
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let fields = head.lines().find(|line| line.starts_with(b"#Fields:"));
        let of_another = |fields: &[u8]| {
            // The first belongs to HTTPERR, the second to a CDN.
            memmem::find(fields, b"s-reason").is_some() || memmem::find(fields, b"x-edge-").is_some()
        };
        if fields.is_some_and(of_another) {
            return Sniff::no();
        }
        let mut parser = self.prepare(head).open(b"");
        match fields {
            Some(_) => Sniff::by_parsing(head, parser.as_mut(), Score::Mark, "#Fields line"),
            None => Sniff::by_parsing(head, parser.as_mut(), Score::Own, "rows of a default IIS layout"),
        }
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        PreparedRows::of(head, &LAYOUTS, |rows| Box::new(Parser { rows }))
    }
}

struct Parser {
    rows: Rows,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if is_directive(line) {
            self.rows.directive(line);
            return Ok(Line::Directive);
        }
        let mut row = Row::default();
        self.rows.read(line, &mut row)?;
        fill(&row, entry);
        Ok(Line::Entry)
    }

    fn glance<'a>(&mut self, line: &'a [u8], glance: &mut Glance<'a>) -> bool {
        let Some((target, query)) = self.rows.glance(line, glance) else {
            return false;
        };
        glance.path = target;
        glance.time = glance.time.map(|time| time.marking(Marks::End));
        if memchr::memchr(b'X', query).is_some() {
            glance.ids.push(arr_query(query).1);
        }
        true
    }
}

/// Whether `line` is a comment, blank, or the padding of a file that was allocated in advance.
pub(crate) fn is_directive(line: &[u8]) -> bool {
    match line.first() {
        None | Some(b'#') => true,
        Some(0) => line.iter().all(|&byte| byte == 0),
        Some(_) => false,
    }
}

pub(super) fn fill<'a>(row: &Row<'a>, entry: &mut Entry<'a>) {
    entry.kind = Kind::Request;
    entry.time = row.time.map(|time| time.marking(Marks::End));
    entry.duration_us = row
        .number::<u64>(Column::TimeTaken)
        .and_then(|ms| ms.checked_mul(1000));
    entry.ids = row.ids;
    entry.method = row.get(Column::Method);
    entry.host = row.get(Column::Host);
    entry.path = match row.get(Column::Stem) {
        [] => row.get(Column::Uri),
        stem => stem,
    };
    let (query, log_id) = arr_query(row.get(Column::Query));
    entry.query = query;
    entry.ids.push(log_id);
    entry.client = without_zone(row.get(Column::ClientIp));
    entry.client_port = row.number(Column::ClientPort);
    entry.forwarded_for = row.get(Column::ForwardedFor);
    entry.server = without_zone(row.get(Column::ServerIp));
    entry.status = row.number(Column::Status);
    entry.substatus = row.number(Column::Substatus).unwrap_or(0);
    entry.win32_status = win32_status(row.get(Column::Win32Status));
    entry.bytes_sent = row.number(Column::BytesSent);
    entry.signal = signal(entry.status.unwrap_or(0), entry.substatus, entry.win32_status);
}

/// An address without its scope, which only that machine can tell: `fe80::1%4`.
pub(crate) fn without_zone(address: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'%', address).unwrap_or(address.len());
    &address[..end]
}

/// A number too large for a Windows status is kept as the largest: it was not zero.
fn win32_status(text: &[u8]) -> u32 {
    bytes::number(text).map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// The query as the client sent it, and the id that ARR appended to it
/// (`id=7&X-ARR-CACHE-HIT=0&X-ARR-LOG-ID=2ec4b8ad-…&SERVER-STATUS=200`).
pub(crate) fn arr_query(query: &[u8]) -> (&[u8], &[u8]) {
    const LOG_ID: &[u8] = b"X-ARR-LOG-ID=";
    let Some(first) = memmem::find(query, b"X-ARR-") else {
        return (query, &[]);
    };
    let id = memmem::find(query, LOG_ID).map_or(&query[..0], |at| {
        let id = &query[at + LOG_ID.len()..];
        &id[..memchr::memchr2(b'&', b'+', id).unwrap_or(id.len())]
    });
    let own = &query[..first];
    (own.strip_suffix(b"&").unwrap_or(own), id)
}

/// What the three status columns say beyond the status itself.
pub(crate) fn signal(status: u16, substatus: u16, win32: u32) -> Option<Signal> {
    // Some components log the HRESULT (0x8007….) that wraps the Windows error.
    let win32 = if win32 >> 16 == 0x8007 {
        win32 & 0xFFFF
    } else {
        win32
    };
    let (phase, fault) = match (status, substatus, win32) {
        (502, 3, 12002) => (Phase::Unknown, Fault::TimedOut),
        (502, 3, 12007) => (Phase::Resolve, Fault::NameNotFound),
        (502, 3, 12029) => (Phase::Connect, Fault::Refused),
        (502, 3, 12030) => (Phase::Header, Fault::ResetOrClosed),
        (502, 3, 12031) => (Phase::Header, Fault::Reset),
        (502, 3, 12152) => (Phase::Header, Fault::InvalidResponse),
        (502, 3, 12175) => (Phase::Tls, Fault::TlsRejected),
        (502, 3, _) => (Phase::Unknown, Fault::Other),
        (502, 4, _) => (Phase::Queue, Fault::NoLiveUpstream),
        (502, 5, _) => (Phase::Process, Fault::WorkerCrashed),
        (502, 1, _) => (Phase::Header, Fault::TimedOut),
        (502, 2, _) => (Phase::Header, Fault::InvalidResponse),
        (503, 2..=4, _) => (Phase::Queue, Fault::QueueFull),
        (_, _, 64 | 1236) => (Phase::Client, Fault::ClientGone),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: &str = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip \
        cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken";

    fn head(bytes: &[u8]) -> Head<'_> {
        Head {
            bytes,
            hints: &[],
            date_hint: None,
        }
    }

    fn read<'a>(fields: &str, line: &'a str) -> Result<Entry<'a>, LineError> {
        let mut parser = Iis.prepare(&head(b"")).open(fields.as_bytes());
        let mut entry = Entry::default();
        parser.parse(line.as_bytes(), &mut entry).map(|_| entry)
    }

    #[test]
    fn an_arr_timeout_is_read_with_its_three_statuses() {
        let line =
            "2022-01-01 18:42:11 10.0.0.4 GET /orders id=7 443 - 10.0.0.9 Mozilla/5.0 - 502 3 12002 29889";
        let entry = read(DEFAULT, line).unwrap();
        assert_eq!(
            (entry.status, entry.substatus, entry.win32_status),
            (Some(502), 3, 12002)
        );
        assert_eq!(entry.duration_us, Some(29_889_000));
        assert_eq!(entry.signal, Some(Signal::new(Phase::Unknown, Fault::TimedOut)));
        assert_eq!(
            (entry.path, entry.query),
            (b"/orders".as_slice(), b"id=7".as_slice())
        );
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.resolution_us), (1_641_062_531_000_000, 1_000_000));
        assert_eq!((time.zone, time.marks), (crate::entry::Zone::Known, Marks::End));
    }

    #[test]
    fn an_id_that_arr_appended_leaves_the_query() {
        assert_eq!(
            arr_query(b"a=1&X-ARR-CACHE-HIT=0&X-ARR-LOG-ID=2ec4&SERVER-STATUS=200"),
            (b"a=1".as_slice(), b"2ec4".as_slice())
        );
        assert_eq!(
            arr_query(b"X-ARR-LOG-ID=2ec4b8ad"),
            (b"".as_slice(), b"2ec4b8ad".as_slice())
        );
        assert_eq!(arr_query(b"a=1"), (b"a=1".as_slice(), b"".as_slice()));
    }

    #[test]
    fn a_user_with_a_leading_space_does_not_shift_the_columns() {
        let line = r"2022-01-01 00:01:24 ::1 POST /powershell a=b 444  random\ranuser1 ::1 Microsoft+WinRM - 200 0 0 15";
        let entry = read(DEFAULT, line).unwrap();
        assert_eq!((entry.client, entry.status), (b"::1".as_slice(), Some(200)));
        assert_eq!(entry.duration_us, Some(15_000));
    }

    #[test]
    fn an_empty_user_is_a_column_of_its_own() {
        let line = "2022-01-01 00:01:24 ::1 POST /x - 444  10.0.0.1 agent - 200 0 64 15";
        let entry = read(DEFAULT, line).unwrap();
        assert_eq!(entry.client, b"10.0.0.1");
        assert_eq!(entry.signal, Some(Signal::new(Phase::Client, Fault::ClientGone)));
    }

    #[test]
    fn spaces_in_a_cookie_are_taken_up_by_the_cookie() {
        let fields =
            "#Fields: date time cs-method cs-uri-stem c-ip cs(Cookie) sc-status time-taken X-Request-ID";
        let entry = read(
            fields,
            "2022-01-01 00:01:24 GET /x 10.0.0.1 a=b; c=d e 502 12 r-1",
        )
        .unwrap();
        assert_eq!((entry.status, entry.duration_us), (Some(502), Some(12_000)));
        assert_eq!(entry.ids.as_slice(), [b"r-1".as_slice()]);
    }

    #[test]
    fn fields_may_change_in_mid_file_and_the_date_column_may_be_missing() {
        let mut parser = Iis.prepare(&head(b"")).open(b"");
        let mut entry = Entry::default();
        for line in [
            "#Date: 2013-07-30 00:00:00",
            "#Fields: time cs-method cs-uri-stem sc-status ",
        ] {
            assert_eq!(parser.parse(line.as_bytes(), &mut entry), Ok(Line::Directive));
        }
        let mut times = Vec::new();
        for line in ["23:59:59 GET /a 200", "00:00:01 GET /b 502 "] {
            entry.clear();
            assert_eq!(parser.parse(line.as_bytes(), &mut entry), Ok(Line::Entry));
            times.push(entry.time.unwrap().us);
        }
        assert_eq!(times[1] - times[0], 2_000_000);
        assert_eq!((entry.path, entry.status), (b"/b".as_slice(), Some(502)));
        parser.parse(b"#Fields: date time sc-status", &mut entry).unwrap();
        entry.clear();
        parser.parse(b"2013-08-01 00:00:01 404", &mut entry).unwrap();
        assert_eq!(entry.status, Some(404));
    }

    #[test]
    fn a_file_without_header_is_read_by_the_layout_that_fits() {
        let line = b"2019-08-14 00:09:32 W3SVC1 SE1 ::1 GET /help area= 80 - ::1 HTTP/1.1 Mozilla/5.0 - - localhost 403 4 5 5279 160 15";
        let head = head(line);
        assert_eq!(Iis.sniff(&head).score, Score::Own);
        let mut entry = Entry::default();
        Iis.prepare(&head).open(b"").parse(line, &mut entry).unwrap();
        assert_eq!(
            (entry.status, entry.substatus, entry.duration_us),
            (Some(403), 4, Some(15_000))
        );
        assert_eq!(
            (entry.host, entry.bytes_sent),
            (b"localhost".as_slice(), Some(5279))
        );
    }

    #[test]
    fn a_row_that_breaks_off_is_an_error_at_its_end() {
        let line = "2022-01-01 00:01:24 ::1 POST";
        assert_eq!(
            read(DEFAULT, line).unwrap_err(),
            LineError::new(line.len(), "further column")
        );
    }

    #[test]
    fn padding_is_no_entry() {
        assert!(is_directive(&[0; 64]));
    }

    #[test]
    fn each_windows_error_behind_a_502_has_its_meaning() {
        let of = |sub, win32| signal(502, sub, win32).map(|signal| (signal.phase, signal.fault));
        assert_eq!(of(3, 12029), Some((Phase::Connect, Fault::Refused)));
        assert_eq!(of(3, 12030), Some((Phase::Header, Fault::ResetOrClosed)));
        assert_eq!(of(3, 0x8007_2EE2), Some((Phase::Unknown, Fault::TimedOut)));
        assert_eq!(of(4, 0), Some((Phase::Queue, Fault::NoLiveUpstream)));
        assert_eq!(of(0, 0), None);
    }
}
