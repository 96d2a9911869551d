//! The truth about failures: one JSON object a line.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::clock::rfc3339;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The application worked longer than the gateway waits.
    Slow,
    /// The application began too late: its workers were busy.
    Queued,
    /// Nothing listened on the application's port.
    Refused,
    /// Sent on a connection that the application was closing as idle.
    Race,
    /// The application closed the connection while it worked on the request.
    Closed,
    /// The same, by reset.
    Reset,
    /// The application itself answered 502.
    Passed,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 7] = [
        Self::Slow,
        Self::Queued,
        Self::Refused,
        Self::Race,
        Self::Closed,
        Self::Reset,
        Self::Passed,
    ];

    /// Cause, subtype, and subtypes just as right, in the words of the findings.
    ///
    /// `with_error_log` tells FIN from RST, which the access log alone cannot.
    pub fn label(self, with_error_log: bool) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Slow => ("proxy_timeout", "response_header_timeout", &[]),
            Self::Queued => ("queueing_delay", "app_queue", &[]),
            Self::Refused => ("dropped_connection", "refused", &[]),
            Self::Race => ("keep_alive_race", "fin_before_request", &["rst_on_reuse"]),
            Self::Closed if with_error_log => ("dropped_connection", "premature_close", &[]),
            Self::Reset if with_error_log => ("dropped_connection", "reset_before_response", &[]),
            Self::Closed | Self::Reset => (
                "dropped_connection",
                "premature_close",
                &["reset_before_response"],
            ),
            Self::Passed => ("upstream_502", "passed_through", &[]),
        }
    }
}

/// One failed request.
#[derive(Debug)]
pub struct Row<'a> {
    /// Its id.
    pub id: &'a [u8],
    /// Why.
    pub cause: Cause,
    /// When the edge answered, in microseconds since the Unix epoch.
    pub end_us: i64,
    /// What it answered.
    pub status: u16,
    /// Method.
    pub method: &'a str,
    /// Path with query.
    pub path: &'a str,
    /// Client's address and port.
    pub client: &'a str,
    /// A retry hid it.
    pub near_miss: bool,
}

/// Writes `truth.jsonl`.
#[derive(Debug)]
pub struct Truth {
    out: BufWriter<File>,
    with_error_log: bool,
    /// Failures written, near misses not counted.
    pub failed: u64,
}

impl Truth {
    /// Makes the file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(path: &Path, with_error_log: bool) -> io::Result<Self> {
        Ok(Self {
            out: BufWriter::new(File::create(path)?),
            with_error_log,
            failed: 0,
        })
    }

    /// Writes one row. Nothing in a row needs escaping: the generator made it all.
    ///
    /// # Errors
    /// What the file system says.
    pub fn row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.failed += u64::from(!row.near_miss);
        let (cause, subtype, alternatives) = row.cause.label(self.with_error_log);
        let alternatives: Vec<String> = alternatives.iter().map(|name| format!("\"{name}\"")).collect();
        writeln!(
            self.out,
            "{{\"id\":\"{}\",\"cause\":\"{cause}\",\"subtype\":\"{subtype}\",\"alternatives\":[{}],\
             \"end\":\"{}\",\"status\":{},\"method\":\"{}\",\"path\":\"{}\",\"client\":\"{}\",\"near_miss\":{}}}",
            String::from_utf8_lossy(row.id),
            alternatives.join(","),
            rfc3339(row.end_us),
            row.status,
            row.method,
            row.path,
            row.client,
            row.near_miss,
        )
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
