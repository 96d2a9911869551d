//! Windows HTTP.sys error log (`httperr*.log`): what ended before a worker answered it, and idle connections closed.
//!
//! `2018-01-01 08:09:10 172.31.77.6 2094 172.31.77.6 80 HTTP/1.1 GET /qos/1kbfile.txt 503 - ConnLimit -`
//! UTC, one second, no duration and no id: the client's address and port (those of the proxy in front) are what
//! a line can be joined by. The queue name is the application pool.
//! Source: Microsoft, "Error logging in HTTP APIs".

use std::sync::Arc;

use crate::bytes::memmem;

use crate::engine::w3c::{Column, PreparedRows, Row, Rows};
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::iis::{is_directive, without_zone};

/// The format `httperr`.
#[derive(Debug, Clone, Copy)]
pub struct HttpErr;

/// The columns of files without header, older and newer.
const LAYOUTS: [&str; 2] = [
    "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status s-siteid s-reason s-queuename",
    "date time c-ip c-port s-ip s-port cs-version cs-method cs-uri streamid sc-status s-siteid s-reason s-queuename",
];

impl Format for HttpErr {
    fn name(&self) -> &str {
        "httperr"
    }

    fn product(&self) -> Product {
        Product::HttpSys
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Error
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let fields = head.lines().find(|line| line.starts_with(b"#Fields:"));
        let mut parser = self.prepare(head).open(b"");
        match fields {
            Some(fields) if memmem::find(fields, b"s-reason").is_none() => Sniff::no(),
            Some(_) => Sniff::by_parsing(head, parser.as_mut(), Score::Mark, "#Fields line with s-reason"),
            None => Sniff::by_parsing(head, parser.as_mut(), Score::Own, "rows of the HTTPERR layout"),
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
        let reason = row.get(Column::Reason);
        if reason.is_empty() || row.number::<u16>(Column::ClientPort).is_none() {
            return Err(LineError::new(line.len(), "s-reason"));
        }
        fill(&row, entry);
        Ok(Line::Entry)
    }
}

fn fill<'a>(row: &Row<'a>, entry: &mut Entry<'a>) {
    entry.kind = Kind::Failure;
    entry.time = row.time.map(|time| time.marking(Marks::Event));
    entry.method = row.get(Column::Method);
    entry.path = row.get(Column::Uri);
    entry.client = without_zone(row.get(Column::ClientIp));
    entry.client_port = row.number(Column::ClientPort);
    entry.server = without_zone(row.get(Column::ServerIp));
    entry.status = row.number(Column::Status);
    entry.error = row.get(Column::Reason);
    entry.upstream.group = row.get(Column::Queue);
    entry.signal = signal(entry.error);
    // An idle connection closed on time is housekeeping, the rest are failures.
    entry.level = match entry.error {
        b"Timer_ConnectionIdle" => Level::Info,
        _ => Level::Error,
    };
}

/// What a reason phrase says; `None` for one that is not known.
fn signal(reason: &[u8]) -> Option<Signal> {
    let (phase, fault) = match reason {
        b"Timer_ConnectionIdle" => (Phase::Unknown, Fault::IdleClosed),
        // The worker died or let go of a request it had taken.
        b"Connection_Abandoned_By_AppPool" | b"Connection_Abandoned_By_ReqQueue" => {
            (Phase::Process, Fault::WorkerCrashed)
        }
        // The pool was switched off because its workers kept crashing.
        b"AppOffline" => (Phase::Process, Fault::WorkerCrashed),
        b"AppShutdown" | b"Disabled" => (Phase::Process, Fault::Stopping),
        b"QueueFull" | b"ConnLimit" => (Phase::Queue, Fault::QueueFull),
        b"AppPoolTimer" | b"Timer_AppPool" | b"Timer_ReqQueue" => (Phase::Queue, Fault::QueueTimedOut),
        b"Connection_Dropped" | b"Connection_Dropped_List_Full" | b"Client_Reset" | b"Request_Cancelled" => {
            (Phase::Client, Fault::ClientGone)
        }
        b"Timer_HeaderWait"
        | b"Timer_EntityBody"
        | b"Timer_MinBytesPerSecond"
        | b"Timer_SslRenegotiation" => (Phase::Client, Fault::TimedOut),
        b"Timer_Response" => (Phase::Unknown, Fault::TimedOut),
        b"Connections_Refused" => (Phase::Unknown, Fault::ResourceExhausted),
        b"N/A" | b"Internal" => (Phase::Unknown, Fault::Other),
        // What the client sent was refused.
        b"BadRequest" | b"FieldLength" | b"Forbidden" | b"Header" | b"Hostname" | b"Invalid_CR/LF"
        | b"LengthRequired" | b"N/I" | b"Number" | b"Precondition" | b"RequestLength" | b"EntityTooLarge"
        | b"URL" | b"URL_Length" | b"Verb" | b"Version_N/S" => (Phase::Client, Fault::Other),
        _ => return None,
    };
    Some(Signal::new(phase, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Entry<'_> {
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        assert_eq!(HttpErr.sniff(&head).score, Score::Own);
        let mut entry = Entry::default();
        let mut parser = HttpErr.prepare(&head).open(b"");
        parser.parse(line.as_bytes(), &mut entry).unwrap();
        entry
    }

    #[test]
    fn a_line_without_header_is_read_by_the_fixed_order() {
        let entry = read(
            "2018-01-01 08:09:10 172.31.77.6 2094 172.31.77.7 80 HTTP/1.1 GET /qos/1kbfile.txt 503 - ConnLimit orders",
        );
        assert_eq!(
            (entry.client, entry.client_port),
            (b"172.31.77.6".as_slice(), Some(2094))
        );
        assert_eq!(
            (entry.server, entry.status),
            (b"172.31.77.7".as_slice(), Some(503))
        );
        assert_eq!(
            (entry.error, entry.upstream.group),
            (b"ConnLimit".as_slice(), b"orders".as_slice())
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Queue, Fault::QueueFull)));
        assert_eq!(entry.time.unwrap().marks, Marks::Event);
    }

    #[test]
    fn an_idle_close_keeps_the_port_of_its_connection() {
        let entry = read("2018-12-30 14:22:07 ::1%0 49958 ::1%0 80 - - - - - - Timer_ConnectionIdle -");
        assert_eq!(
            (entry.client, entry.client_port),
            (b"::1".as_slice(), Some(49_958))
        );
        assert_eq!((entry.status, entry.method), (None, b"".as_slice()));
        assert_eq!(entry.signal, Some(Signal::new(Phase::Unknown, Fault::IdleClosed)));
    }

    #[test]
    fn an_iis_file_is_not_claimed() {
        let bytes = b"#Fields: date time cs-method sc-status\n2018-12-30 14:22:07 GET 200\n";
        assert_eq!(
            HttpErr
                .sniff(&Head {
                    bytes,
                    hints: &[],
                    date_hint: None,
                })
                .score,
            Score::No
        );
    }
}
