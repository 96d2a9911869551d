//! Windows' event log, exported: the recycling and dying of IIS's workers, crashes of .NET, and IIS's own requests where
//! they are logged as events.
//!
//! - XML, one `<Event …>…</Event>` a record: `wevtutil qe System /f:xml`, Event Viewer's "Save as", forwarders;
//! - text, a record of `Key: value` lines: `wevtutil /f:text` (`Event[0]`), Event Viewer's "Copy as text";
//! - JSON, one object a record: Winlogbeat, NXLog, Fluent Bit, `Get-WinEvent | ConvertTo-Json`, `evtx_dump`.
//!
//! Tables (CSV) are a format of their own, see [`super::windows_eventlog_csv`].
//!
//! `SystemTime` is UTC to 100 ns; the text forms give the local time of the machine that exported. The number of the
//! event says what happened only together with its provider. Data of classic providers has no names: the number is the
//! process, the other text the pool. `Microsoft-IIS-Logging/Logs` carries one request an event (6200), in the columns of
//! IIS's own log.
//! Source: Microsoft, "Event schema"; `iis-xml-logs.log` of crowdsec's tests; Elastic, "Winlogbeat exported fields"; NXLog,
//! `im_msvistalog` fields; the layout of `wevtutil` as published in Microsoft's articles on WAS events.

use std::sync::{Arc, LazyLock};

use crate::bytes::memmem;

use crate::bytes;
use crate::engine::json::{self, Keys, Value};
use crate::engine::w3c::{Column, Row};
use crate::entry::{Entry, Escape, Kind, Level, Marks, Stamp, Zone};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::{iis, iis_fixed, windows_event};
use crate::time::{self, DayCache};

/// The format `windows-eventlog`.
#[derive(Debug, Clone, Copy)]
pub struct WindowsEventLog;

impl Format for WindowsEventLog {
    fn name(&self) -> &str {
        "windows-eventlog"
    }

    fn product(&self) -> Product {
        Product::Iis
    }

    fn kind(&self) -> RecordKind {
        RecordKind::Mixed
    }

    fn about(&self) -> String {
        "Windows' event log as XML, text or JSON: workers of IIS, crashes".to_owned()
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let has = |words: &[&str]| {
            words
                .iter()
                .all(|word| memmem::find(head.bytes, word.as_bytes()).is_some())
        };
        let marks: [&[&str]; 6] = [
            &["<Event", "<System>", "<EventID"],
            &["Log Name:", "Source:", "Event ID:"],
            &["\"winlog\"", "\"event_id\""],
            &["\"EventID\"", "\"Channel\""],
            &["\"ProviderName\"", "\"LogName\"", "\"Id\""],
            &["\"Event\"", "\"System\"", "\"EventID\""],
        ];
        if !marks.iter().any(|words| has(words)) {
            return Sniff::no();
        }
        // A text record has a dozen lines, so there may be few that begin one.
        let reason = "records of Windows' event log";
        Sniff::by_parsing(head, &mut Parser::default(), Score::Mark, reason)
    }

    fn prepare(&self, _head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(*self)
    }
}

impl Prepared for WindowsEventLog {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser::default())
    }
}

#[derive(Default)]
struct Parser {
    day: DayCache,
    /// The line read last was part of a text record.
    in_record: bool,
}

/// What a record tells before it is an entry.
#[derive(Default)]
pub(super) struct Event<'a> {
    pub(super) provider: &'a [u8],
    pub(super) id: u32,
    pub(super) time: Option<Stamp>,
    pub(super) level: &'a [u8],
    /// The message, or what stands for it.
    pub(super) text: &'a [u8],
    pid: Option<u32>,
    pool: &'a [u8],
}

impl<'a> Event<'a> {
    /// Takes in a `<Data>` element: the process or the pool, by its name or, where it has none, by its shape.
    fn take(&mut self, tag: &Tag<'a>) {
        let (name, value) = (tag.attribute(b"Name="), tag.text);
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let of_pool = |name: &[u8]| memmem::find(name, b"Pool").is_some();
        if is_number && (name.is_empty() || name == b"ProcessID") && self.pid.is_none() {
            self.pid = bytes::number(value).and_then(|pid| u32::try_from(pid).ok());
        } else if (name.is_empty() || of_pool(name)) && self.pool.is_empty() {
            self.pool = value;
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let start = line.trim_ascii_start();
        let event = match start.first() {
            None => return Ok(Line::Directive),
            Some(b'{') => self.json(start, entry)?,
            Some(_) if is_text_start(line) => {
                self.in_record = true;
                self.text(line)
            }
            Some(_) => match memmem::find(start, b"<Event").filter(|at| *at < 8) {
                Some(_) => {
                    self.in_record = false;
                    return self.xml(start, entry);
                }
                None if self.in_record => return Ok(Line::Continuation),
                None if start.starts_with(b"<?xml") || start.ends_with(b"Events>") => {
                    return Ok(Line::Directive);
                }
                None => return Err(LineError::new(0, "event")),
            },
        };
        self.in_record &= is_text_start(line);
        fill(&event, entry);
        Ok(Line::Entry)
    }

    fn begins(&self, line: &[u8]) -> Option<bool> {
        let start = line.trim_ascii_start();
        Some(
            is_text_start(line)
                || start.starts_with(b"{")
                || start.starts_with(b"<")
                || start.starts_with(b"- <"),
        )
    }
}

/// Whether a text record begins: `Event[0]` of `wevtutil`, else its first key. Indented, that key is the second line.
fn is_text_start(line: &[u8]) -> bool {
    line.starts_with(b"Log Name:") || line.starts_with(b"Event[")
}

pub(super) fn fill<'a>(event: &Event<'a>, entry: &mut Entry<'a>) {
    entry.signal = windows_event::signal(event.provider, event.id);
    entry.kind = match entry.signal {
        _ if windows_event::is_of_request(event.provider, event.id) => Kind::Failure,
        Some(_) => Kind::Event,
        None => Kind::Note,
    };
    entry.time = event.time.map(|stamp| stamp.marking(Marks::Event));
    entry.level = match event.level {
        b"1" | b"Critical" | b"CRITICAL" | b"critical" => Level::Critical,
        b"2" | b"Error" | b"ERROR" | b"error" => Level::Error,
        b"3" | b"Warning" | b"WARNING" | b"warning" => Level::Warning,
        b"5" | b"Verbose" | b"DEBUG" => Level::Debug,
        _ => Level::Info,
    };
    entry.error = event.text;
    entry.pid = event.pid.or_else(|| pid_in(event.text));
    entry.upstream.group = match event.pool {
        [] => pool_in(event.text),
        pool => pool,
    };
}

/// The process that a message names: `The process id was '29492'`, `worker process with process id of '4711'`.
fn pid_in(text: &[u8]) -> Option<u32> {
    let at = memmem::find(text, b"process id")?;
    let rest = &text[at..text.len().min(at + 40)];
    let start = rest.iter().position(u8::is_ascii_digit)?;
    let len = rest[start..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    bytes::number(&rest[start..start + len]).and_then(|pid| u32::try_from(pid).ok())
}

/// The pool that a message names: `application pool 'shop'`.
fn pool_in(text: &[u8]) -> &[u8] {
    let name = memmem::find(text, b"pplication pool '").and_then(|at| {
        let name = &text[at + 17..];
        Some(&name[..memchr::memchr(b'\'', name)?])
    });
    name.unwrap_or_default()
}

/// A tag of a document that opens an element, and the text up to the next tag.
struct Tag<'a> {
    name: &'a [u8],
    attributes: &'a [u8],
    text: &'a [u8],
    /// What follows the tag.
    rest: &'a [u8],
}

/// The tags of `xml` that open an element, in order.
fn tags(xml: &[u8]) -> impl Iterator<Item = Tag<'_>> {
    let mut rest = xml;
    std::iter::from_fn(move || {
        loop {
            let inside = &rest[bytes::find_near(b'<', rest)? + 1..];
            let end = bytes::find_near(b'>', inside)?;
            rest = &inside[end + 1..];
            if inside.first() == Some(&b'/') {
                continue;
            }
            let tag = &inside[..end];
            let name_len = bytes::find_near(b' ', tag).unwrap_or(tag.len());
            let text_len = match tag.last() {
                Some(b'/') => 0,
                _ => bytes::find_near(b'<', rest).unwrap_or(rest.len()),
            };
            return Some(Tag {
                name: &tag[..name_len],
                attributes: &tag[name_len..],
                text: &rest[..text_len],
                rest,
            });
        }
    })
}

impl<'a> Tag<'a> {
    /// The value of the attribute that `key`, a name with its equals sign, begins; in either kind of quotes.
    fn attribute(&self, key: &[u8]) -> &'a [u8] {
        let value = memmem::find(self.attributes, key).and_then(|at| {
            let (quote, value) = self.attributes[at + key.len()..].split_first()?;
            let end = bytes::find_near(*quote, value)?;
            matches!(quote, b'"' | b'\'').then(|| &value[..end])
        });
        value.unwrap_or_default()
    }
}

/// Who reported an event, and what it is.
#[derive(Default)]
struct System<'a> {
    provider: &'a [u8],
    id: &'a [u8],
    level: &'a [u8],
    time: &'a [u8],
    /// What follows these.
    rest: &'a [u8],
}

impl<'a> System<'a> {
    /// The first of each in `xml`, up to the data of the event.
    fn of(xml: &'a [u8]) -> Self {
        let mut system = Self {
            rest: &xml[xml.len()..],
            ..Self::default()
        };
        for tag in tags(xml) {
            match tag.name {
                b"Provider" => system.provider = tag.attribute(b"Name="),
                b"EventID" => system.id = tag.text.trim_ascii(),
                b"Level" => system.level = tag.text,
                b"TimeCreated" => system.time = tag.attribute(b"SystemTime="),
                b"EventData" | b"UserData" | b"RenderingInfo" => {
                    system.rest = tag.rest;
                    break;
                }
                _ => {}
            }
        }
        system
    }

    /// Whether the event is a request of IIS.
    fn is_request(&self) -> bool {
        self.provider == b"Microsoft-Windows-IIS-Logging" && self.id == b"6200"
    }
}

impl Parser {
    fn xml<'a>(&mut self, xml: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let system = System::of(xml);
        if system.is_request() {
            return self.request(system.rest, entry);
        }
        if memmem::rfind(xml, b"</Event>").is_none() {
            return Err(LineError::new(xml.len(), "end of the event"));
        }
        entry.escape = Escape::Xml;
        let id = bytes::number(system.id).and_then(|id| u32::try_from(id).ok());
        let mut event = Event {
            provider: system.provider,
            id: id.ok_or(LineError::new(0, "EventID"))?,
            time: time::iso(system.time, &mut self.day),
            level: system.level,
            ..Event::default()
        };
        for tag in tags(system.rest) {
            match tag.name {
                b"Data" => event.take(&tag),
                b"Message" if event.text.is_empty() => event.text = tag.text,
                _ => {}
            }
        }
        if windows_event::signal(event.provider, event.id).is_none() {
            (event.pid, event.pool) = (None, &[]);
        }
        if event.text.is_empty()
            && let Some(at) = memmem::find(xml, b"<EventData")
        {
            let data = &xml[at..];
            event.text = &data[..memmem::find(data, b"</EventData>").unwrap_or(data.len())];
        }
        fill(&event, entry);
        Ok(Line::Entry)
    }

    /// A request that IIS logged as an event, in the columns of its own log.
    fn request<'a>(&mut self, data: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let mut row = Row::default();
        for tag in tags(data).filter(|tag| tag.name == b"Data") {
            // Headers lose the brackets of their column's name.
            let column = match tag.attribute(b"Name=") {
                b"csUser-Agent" | b"csCookie" | b"csReferer" => Column::Other,
                name => Column::named(name),
            };
            if column != Column::Other && column != Column::Loose {
                row.set(column, tag.text);
            }
        }
        let time = time::date_and_clock(row.get(Column::Date), row.get(Column::Time), &mut self.day);
        row.time = time.map(|stamp| Stamp {
            zone: Zone::Known,
            ..stamp
        });
        iis::fill(&row, entry);
        entry.escape = Escape::Xml;
        match entry.status {
            Some(_) => Ok(Line::Entry),
            None => Err(LineError::new(0, "sc-status")),
        }
    }

    /// A record of `Key: value` lines.
    fn text<'a>(&mut self, record: &'a [u8]) -> Event<'a> {
        let mut event = Event::default();
        let mut at = 0;
        for line in record.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let Some(colon) = memchr::memchr(b':', line) else {
                continue;
            };
            let (key, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            match key {
                b"Source" => event.provider = value,
                b"Event ID" => {
                    event.id = bytes::number(value)
                        .and_then(|id| u32::try_from(id).ok())
                        .unwrap_or(0);
                }
                b"Level" => event.level = value,
                b"Date" => event.time = event_time(value, &mut self.day),
                b"Description" => {
                    event.text = match value {
                        [] => record[at..].trim_ascii(),
                        value => value,
                    };
                    break;
                }
                _ => {}
            }
        }
        event
    }

    fn json<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Event<'a>, LineError> {
        let mut values = [Value::default(); PATHS.len()];
        json::scan(line, &KEYS, &mut values)?;
        let text = |key: Key| values[key as usize].text();
        entry.escape = Escape::Json;
        let event = Event {
            provider: text(Key::Provider),
            id: values[Key::Id as usize]
                .small()
                .ok_or(LineError::new(0, "event id"))?,
            time: values[Key::Time as usize]
                .stamp(&mut self.day)
                .or_else(|| dotnet_date(text(Key::Time))),
            level: text(Key::Level),
            text: text(Key::Message),
            pid: values[Key::Pid as usize].small(),
            pool: text(Key::Pool),
        };
        match event.provider {
            [] => Err(LineError::new(0, "provider")),
            _ => Ok(event),
        }
    }
}

/// `2026-11-20T10:00:05.123` with or without zone, or the `11/20/2026 10:00:05 AM` of an English Event Viewer.
pub(super) fn event_time(text: &[u8], day: &mut DayCache) -> Option<Stamp> {
    if let Some((stamp, _)) = time::iso_prefix(text, day) {
        return Some(stamp);
    }
    let mut words = text.split(|byte| *byte == b' ');
    let (date, clock, half) = (words.next()?, words.next()?, words.next());
    let mut stamp = iis_fixed::stamp(date, clock, false)?;
    let hour = stamp.us.rem_euclid(time::DAY_US) / (3_600 * time::SECOND_US);
    match (half, hour) {
        (Some(b"PM"), ..12) => stamp.us += time::DAY_US / 2,
        (Some(b"AM"), 12) => stamp.us -= time::DAY_US / 2,
        _ => {}
    }
    Some(stamp)
}

/// `\/Date(1795168805123)\/`, as Windows PowerShell's `ConvertTo-Json` writes times.
fn dotnet_date(text: &[u8]) -> Option<Stamp> {
    let at = memmem::find(text, b"/Date(")? + 6;
    let len = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    time::epoch_ms(&text[at..at + len])
}

/// What is looked for in JSON.
#[derive(Debug, Clone, Copy)]
enum Key {
    Provider,
    Id,
    Time,
    Level,
    Message,
    Pid,
    Pool,
}

/// The paths of each, best first.
const PATHS: [(Key, &[&str]); 7] = [
    (
        Key::Provider,
        &[
            "winlog.provider_name",
            "event.provider",
            "ProviderName",
            "SourceName",
            "Event.System.Provider.#attributes.Name",
        ],
    ),
    (
        Key::Id,
        &[
            "winlog.event_id",
            "EventID",
            "Id",
            "Event.System.EventID",
            "Event.System.EventID.#text",
        ],
    ),
    (
        Key::Time,
        &[
            "@timestamp",
            "TimeCreated",
            "EventTime",
            "Event.System.TimeCreated.#attributes.SystemTime",
        ],
    ),
    (
        Key::Level,
        &[
            "log.level",
            "LevelDisplayName",
            "Severity",
            "Level",
            "Event.System.Level",
        ],
    ),
    (Key::Message, &["message", "Message"]),
    (
        Key::Pid,
        &["winlog.event_data.ProcessID", "Event.EventData.ProcessID"],
    ),
    (
        Key::Pool,
        &["winlog.event_data.AppPoolID", "Event.EventData.AppPoolID"],
    ),
];

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    for (key, paths) in PATHS {
        for (rank, path) in (0..).zip(paths) {
            keys.add(path, key as u8, rank);
        }
    }
    keys
});

#[cfg(test)]
#[path = "windows_eventlog_tests.rs"]
mod tests;
