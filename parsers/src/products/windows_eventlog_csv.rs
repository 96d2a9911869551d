//! Windows' event log exported as a table: Event Viewer's "Save as" CSV, and PowerShell's `Export-Csv`.
//!
//! ```text
//! Level,Date and Time,Source,Event ID,Task Category
//! Error,11/20/2026 10:00:05 AM,Microsoft-Windows-WAS,5011,None,"A process serving application pool 'shop' …"
//! ```
//! Event Viewer gives the message no name: it is the value behind the last column. PowerShell names all columns
//! (`TimeCreated`, `Id`, `ProviderName`, `LevelDisplayName`, `Message`), in the order that was asked for, all in quotes, and
//! older releases write a line `#TYPE` first. Messages go on over lines; a quote in a value is written twice. Times are the
//! local time of the machine that exported, in the layout of its language: the English one and ISO are read.
//! What an event means is as in the other exports, see [`super::windows_eventlog`].
//! Source: Microsoft, "Export-Csv", "Get-WinEvent"; Event Viewer's export as seen in public reports.

use std::sync::Arc;

use super::windows_eventlog::{Event, event_time, fill};
use crate::bytes;
use crate::entry::Entry;
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::time::DayCache;

/// The format `windows-eventlog-csv`.
#[derive(Debug, Clone, Copy)]
pub struct WindowsEventLogCsv;

impl Format for WindowsEventLogCsv {
    fn name(&self) -> &str {
        "windows-eventlog-csv"
    }

    fn product(&self) -> Product {
        Product::Iis
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn about(&self) -> String {
        "Windows' event log as CSV: workers of IIS, crashes".to_owned()
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let Some(columns) = Columns::of_head(head) else {
            return Sniff::no();
        };
        let reader = Reader::new(columns);
        let lines = head.lines().take(Head::LINES);
        let (mut looked_at, mut begun) = (0, 0);
        for line in lines {
            looked_at += 1;
            begun += u32::from(reader.begins(line) == Some(true));
        }
        // Messages go on over lines, so there may be few that begin a record.
        Sniff {
            score: if begun > 0 { Score::Own } else { Score::No },
            parsed: looked_at,
            looked_at,
            reason: "columns of Windows' event log".to_owned(),
        }
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(Columns::of_head(head).unwrap_or(Columns::VIEWER))
    }
}

/// Places of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    level: usize,
    time: usize,
    provider: usize,
    id: usize,
    message: usize,
}

impl Columns {
    /// As Event Viewer has them.
    const VIEWER: Self = Self {
        level: 0,
        time: 1,
        provider: 2,
        id: 3,
        message: 5,
    };

    /// The columns that the header in `head` names, which is among its first lines.
    fn of_head(head: &Head<'_>) -> Option<Self> {
        head.lines().take(3).find_map(Self::of)
    }

    /// Whether `row` has the names of these columns.
    fn is_header(&self, row: &[u8]) -> bool {
        let name = values(row).nth(self.id).unwrap_or_default();
        ID.iter().any(|id| name.eq_ignore_ascii_case(id.as_bytes()))
    }

    fn of(header: &[u8]) -> Option<Self> {
        let names: Vec<&[u8]> = values(header.strip_prefix(b"\xef\xbb\xbf").unwrap_or(header)).collect();
        let place = |wanted: [&str; 2]| {
            names.iter().position(|name| {
                wanted
                    .iter()
                    .any(|wanted| name.eq_ignore_ascii_case(wanted.as_bytes()))
            })
        };
        Some(Self {
            level: place(["Level", "LevelDisplayName"]).unwrap_or(usize::MAX),
            time: place(["Date and Time", "TimeCreated"])?,
            provider: place(["Source", "ProviderName"])?,
            id: place(ID)?,
            message: place(["Message", "Description"]).unwrap_or(names.len()),
        })
    }
}

/// What the number of an event is called.
const ID: [&str; 2] = ["Event ID", "Id"];

impl Prepared for Columns {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Reader::new(*self))
    }
}

struct Reader {
    columns: Columns,
    day: DayCache,
}

impl Reader {
    fn new(columns: Columns) -> Self {
        Self {
            columns,
            day: DayCache::default(),
        }
    }
}

impl LineParser for Reader {
    fn parse<'a>(&mut self, record: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if record.is_empty() || record.starts_with(b"#TYPE") || self.columns.is_header(record) {
            return Ok(Line::Directive);
        }
        let mut event = Event::default();
        let mut id = None;
        for (at, value) in values(record).enumerate() {
            match at {
                at if at == self.columns.level => event.level = value,
                at if at == self.columns.time => event.time = event_time(value, &mut self.day),
                at if at == self.columns.provider => event.provider = value,
                at if at == self.columns.id => {
                    id = bytes::number(value).and_then(|id| u32::try_from(id).ok())
                }
                at if at == self.columns.message => event.text = value.trim_ascii(),
                _ => {}
            }
        }
        let Some(id) = id else {
            // A message that goes on, where records are given line by line.
            return Ok(Line::Continuation);
        };
        event.id = id;
        event.time.ok_or(LineError::new(0, "time"))?;
        fill(&event, entry);
        Ok(Line::Entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        let columns = &self.columns;
        // The number stands behind the message's last line.
        if columns.message < columns.id {
            return Some(line.starts_with(b"\""));
        }
        let number = values(line).nth(columns.id).and_then(bytes::number);
        Some(number.is_some() || columns.is_header(line))
    }
}

/// The values of a row, without the quotes around them; quotes inside stay doubled.
fn values(row: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(inner) = text.strip_prefix(b"\"") else {
            let end = memchr::memchr(b',', text);
            rest = end.map(|end| &text[end + 1..]);
            return Some(&text[..end.unwrap_or(text.len())]);
        };
        let mut end = 0;
        while let Some(quote) = memchr::memchr(b'"', &inner[end..]) {
            end += quote;
            match inner.get(end + 1) {
                Some(b'"') => end += 2,
                after => {
                    rest = after.map(|_| inner.get(end + 2..).unwrap_or_default());
                    return Some(&inner[..end]);
                }
            }
        }
        // The quote that closes it is on a later line.
        rest = None;
        Some(inner)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Fault, Kind, Level, Phase, Signal, Zone};

    const VIEWER: &str = "Level,Date and Time,Source,Event ID,Task Category\n\
        Warning,11/20/2026 10:00:05 AM,Microsoft-Windows-WAS,5011,None,\"A process serving application pool 'shop' suffered a fatal communication error.\n\
        The process id was '29492'. \"\"Quoted\"\".\"\n\
        Information,11/20/2026 10:00:06 AM,Service Control Manager,7036,None,The service entered the running state.\n";

    const POWERSHELL: &str = "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\n\
        \"TimeCreated\",\"Id\",\"ProviderName\",\"LevelDisplayName\",\"Message\"\n\
        \"11/20/2026 10:00:05 AM\",\"5011\",\"Microsoft-Windows-WAS\",\"Warning\",\"A process serving application pool 'shop' suffered a fatal communication error. The process id was '29492'.\"\n";

    fn head(text: &str) -> Head<'_> {
        Head {
            bytes: text.as_bytes(),
            hints: &[],
            date_hint: None,
        }
    }

    /// The records of `text`, put together as [`LineParser::begins`] says.
    fn records(text: &str) -> Vec<String> {
        let parser = WindowsEventLogCsv.prepare(&head(text)).open(b"");
        let mut records: Vec<String> = Vec::new();
        for line in text.lines() {
            match records.last_mut() {
                Some(last) if parser.begins(line.as_bytes()) == Some(false) && !line.starts_with('#') => {
                    last.push('\n');
                    last.push_str(line);
                }
                _ => records.push(line.to_owned()),
            }
        }
        records
    }

    #[test]
    fn a_worker_s_death_is_read_from_either_table() {
        for text in [VIEWER, POWERSHELL] {
            assert_eq!(WindowsEventLogCsv.sniff(&head(text)).score, Score::Own);
            let mut parser = WindowsEventLogCsv.prepare(&head(text)).open(b"");
            let records = records(text);
            let mut told = Vec::new();
            for record in &records {
                let mut entry = Entry::default();
                if parser.parse(record.as_bytes(), &mut entry) == Ok(Line::Entry) {
                    told.push(entry);
                }
            }
            let first = &told[0];
            let crash = Signal::new(Phase::Process, Fault::WorkerCrashed);
            assert_eq!((first.kind, first.signal), (Kind::Event, Some(crash)));
            assert_eq!((first.upstream.group, first.pid), (&b"shop"[..], Some(29_492)));
            assert_eq!(first.level, Level::Warning);
            assert_eq!(
                first.time.map(|time| (time.us, time.zone)),
                Some((1_795_168_805_000_000, Zone::Local))
            );
            assert!(told[1..].iter().all(|entry| entry.kind == Kind::Note));
        }
        assert_eq!(records(VIEWER).len(), 3);
    }

    #[test]
    fn a_table_of_something_else_is_refused() {
        for text in [
            "time,status,path\n1,2,3\n",
            "Level,Message\nError,x\n",
            "",
            "a,b\n",
        ] {
            assert_eq!(WindowsEventLogCsv.sniff(&head(text)).score, Score::No, "{text}");
        }
    }
}
