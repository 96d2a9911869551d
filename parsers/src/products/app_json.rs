//! Application logs as JSON lines, whoever wrote them: keys are known by their meaning, not by their product.
//!
//! pino and pino-http, bunyan, winston, logback with the Logstash encoder, ECS, zap, zerolog, logrus, Serilog, the .NET console,
//! App Service HTTP logs, and access logs that nginx prints as JSON (`escape=json`).
//! `{"level":30,"time":1745532517537,"pid":17,"hostname":"a","req":{"id":"…","method":"GET","url":"/x"},"res":{"statusCode":200},"responseTime":12,"msg":"request completed"}`
//! A line with a method, a path, and a status or duration is a request that ended there; a line at error level with
//! an id or a known error is a failure. The head decides who wrote the file and what unit durations without one in their name have.
//! Source: the loggers' own documentation; key names are listed in `app_json_keys.rs`.

use std::sync::Arc;

use crate::bytes::memmem;

use super::app_json_keys::{DURATIONS, IDS, KEYS, LEVEL_WORDS, SLOTS, Slot, Unit};
use crate::bytes;
use crate::engine::faults;
use crate::engine::json::{self, Shape, Value};
use crate::engine::json_record;
use crate::entry::{Entry, Escape, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::{by_entries, caddy, iis, process_text};
use crate::time::DayCache;

/// The formats `app-json`, `node-json`, `java-json`, `nginx-json` and `iis-json`: one parser, told apart by who wrote the file.
#[derive(Debug, Clone, Copy)]
pub struct AppJson(Product);

impl AppJson {
    /// Any application.
    pub const APPLICATION: Self = Self(Product::Application);
    /// pino, pino-http and bunyan.
    pub const NODE: Self = Self(Product::Node);
    /// Logstash encoder and ECS of a JVM.
    pub const JAVA: Self = Self(Product::Java);
    /// nginx with a JSON `log_format`.
    pub const NGINX: Self = Self(Product::Nginx);
    /// Azure App Service HTTP logs.
    pub const IIS: Self = Self(Product::Iis);
}

impl Format for AppJson {
    fn name(&self) -> &str {
        match self.0 {
            Product::Node => "node-json",
            Product::Java => "java-json",
            Product::Nginx => "nginx-json",
            Product::Iis => "iis-json",
            _ => "app-json",
        }
    }

    fn product(&self) -> Product {
        self.0
    }

    fn kind(&self) -> RecordKind {
        match self.0 {
            Product::Nginx | Product::Iis => RecordKind::Access,
            _ => RecordKind::Mixed,
        }
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        // One document spread over lines is no log, whatever single lines of it look like.
        let mut lines = head
            .lines()
            .map(<[u8]>::trim_ascii)
            .skip_while(|line| *line == b"[");
        let is_document = lines.next() == Some(b"{");
        if is_document || memchr::memchr(b'{', head.bytes).is_none() || writer(head) != self.0 {
            return Sniff::no();
        }
        let mut parser = self.prepare(head).open(b"");
        let reason = match self.0 {
            Product::Application => "JSON lines with the keys of a log",
            _ => "JSON lines with key names of this writer",
        };
        by_entries(head, parser.as_mut(), Score::Own, reason)
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        Arc::new(PreparedJson {
            product: self.0,
            unit: judge_unit(self.0, head),
        })
    }
}

struct PreparedJson {
    product: Product,
    /// Of durations whose name does not say.
    unit: Unit,
}

impl Prepared for PreparedJson {
    fn open(&self, _preamble: &[u8]) -> Box<dyn LineParser> {
        Box::new(Parser {
            product: self.product,
            unit: self.unit,
            cache: DayCache::default(),
        })
    }
}

/// Who wrote `head`, by key names that only they use; the first line that tells decides. `Unknown` if the
/// lines are wrappers around the lines of something else.
fn writer(head: &Head<'_>) -> Product {
    // Other lines are not read as JSON, whatever stands in them.
    let is_piece = |line: &&[u8]| matches!(line.trim_ascii_start().first(), Some(b'{' | b'[' | b']' | b','));
    for line in head.lines().take(Head::LINES).filter(is_piece) {
        let has = |needle: &str| memmem::find(line, needle.as_bytes()).is_some();
        let all = |needles: &[&str]| needles.iter().all(|needle| has(needle));
        if all(&["\"log\":\"", "\"stream\":\"", "\"time\":\""]) || has("\"__REALTIME_TIMESTAMP\"") {
            return Product::Unknown;
        }
        let nginx = [
            "\"upstream_addr\"",
            "\"upstream_status\"",
            "\"upstream_response_time\"",
            "\"time_local\"",
            "\"time_iso8601\"",
        ];
        // Envoy has some of the same names, and flags beside them.
        if nginx.iter().any(|key| has(key)) && !has("\"response_flags\"") {
            return Product::Nginx;
        }
        if has("\"CsUriStem\"") {
            return Product::Iis;
        }
        if all(&["\"pid\":", "\"hostname\":", "\"time\":", "\"level\":"]) {
            return Product::Node;
        }
        // The ECS encoders of other languages name the source file, with another ending.
        let of_ecs = has("\"ecs.version\"") && (has("\"process.thread.name\"") || has(".java\""));
        if of_ecs || all(&["\"logger_name\"", "\"thread_name\""]) {
            return Product::Java;
        }
    }
    Product::Application
}

/// The unit of durations called just `duration`, `latency` or the like.
fn judge_unit(product: Product, head: &Head<'_>) -> Unit {
    match product {
        Product::Nginx => return Unit::Second,
        Product::Node | Product::Java | Product::Iis => return Unit::Millisecond,
        _ => {}
    }
    let mut values = Vec::new();
    let mut decimals = 0;
    // The table of names is not made for a log without any.
    let is_object = |line: &&[u8]| line.trim_ascii_start().first() == Some(&b'{');
    for line in head.lines().take(Head::LINES).filter(is_object) {
        // Serilog counts milliseconds.
        if line.starts_with(b"{\"@t\"") {
            return Unit::Millisecond;
        }
        let mut slots = [Value::default(); SLOTS];
        if json::scan(line, &KEYS, &mut slots).is_err() {
            continue;
        }
        let duration = slots[Slot::Duration as usize];
        if let Some(value) = duration.scaled(1_000_000) {
            decimals += usize::from(duration.raw.contains(&b'.'));
            values.push(value);
        }
    }
    values.sort_unstable();
    let Some(&median) = values.get(values.len() / 2) else {
        return Unit::Millisecond;
    };
    // Most requests take between a tenth of a millisecond and a minute, whatever the unit they are counted in.
    match median {
        _ if decimals * 2 > values.len() && median < 2_000_000 => Unit::Second,
        m if m >= 20_000_000 * 1_000_000 => Unit::Nanosecond,
        m if m >= 20_000 * 1_000_000 => Unit::Microsecond,
        _ => Unit::Millisecond,
    }
}

struct Parser {
    product: Product,
    unit: Unit,
    cache: DayCache,
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        let trimmed = line.trim_ascii_start();
        match trimmed.first() {
            None => return Ok(Line::Directive),
            Some(b'{' | b'[' | b']' | b',') if json_record::is_piece(trimmed) => {}
            // Indented lines are stack traces that were printed instead of logged.
            Some(_) if trimmed.len() < line.len() => return Ok(Line::Continuation),
            Some(_) => return process_text::crash(line, entry),
        }
        let mut values = [Value::default(); SLOTS];
        if !json_record::scan(line, &KEYS, &mut values)? {
            return Ok(Line::Directive);
        }
        let slots = Slots {
            values: &values,
            product: self.product,
        };
        entry.time = [Slot::Msec, Slot::Time, Slot::TimeSpare]
            .iter()
            .find_map(|&slot| slots.get(slot).stamp(&mut self.cache));
        slots.fill(entry, self.unit);
        // nginx without `escape=json` writes `\x22` into its JSON.
        if self.product == Product::Nginx && memmem::find(line, b"\\x").is_some() {
            entry.escape = Escape::Backslash;
        }
        let says_something = entry.time.is_some() || !slots.text(Slot::Message).is_empty();
        if !says_something && entry.kind != Kind::Request {
            return Err(LineError::new(0, "time, message or request"));
        }
        Ok(Line::Entry)
    }
}

struct Slots<'v, 'a> {
    values: &'v [Value<'a>; SLOTS],
    product: Product,
}

impl<'a> Slots<'_, 'a> {
    fn get(&self, slot: Slot) -> Value<'a> {
        self.values[slot as usize]
    }

    fn text(&self, slot: Slot) -> &'a [u8] {
        self.get(slot).text()
    }

    fn fill(&self, entry: &mut Entry<'a>, unit: Unit) {
        entry.escape = Escape::Json;
        entry.level = level(&self.get(Slot::Level));
        entry.pid = self.get(Slot::Pid).small();
        self.fill_ids(entry);
        self.fill_request(entry);
        self.fill_upstream(entry);
        entry.duration_us = self.duration_us(unit);
        let is_request = !entry.method.is_empty()
            && !entry.path.is_empty()
            && (entry.status.is_some() || entry.duration_us.is_some());
        self.fill_error(is_request, entry);
        let marks = match entry.kind {
            Kind::Request => Marks::End,
            _ => Marks::Event,
        };
        entry.time = entry.time.map(|time| time.marking(marks));
    }

    fn fill_ids(&self, entry: &mut Entry<'a>) {
        for id in &self.values[Slot::FirstId as usize..Slot::FirstId as usize + IDS.len()] {
            // Small counters start anew with each process and would join strangers.
            let is_counter = id.raw.len() < 8 && id.raw.iter().all(u8::is_ascii_digit);
            if !is_counter {
                entry.ids.push(id.text());
            }
        }
    }

    fn fill_request(&self, entry: &mut Entry<'a>) {
        entry.method = self.text(Slot::Method);
        entry.path = without_origin(self.text(Slot::Path));
        if entry.method.is_empty() || entry.path.is_empty() {
            let mut words = self.text(Slot::RequestLine).split(|&byte| byte == b' ');
            if let (Some(method), Some(path)) = (words.next(), words.next())
                && method.iter().all(u8::is_ascii_uppercase)
            {
                (entry.method, entry.path) = (method, path);
            }
        }
        entry.host = match self.text(Slot::Host) {
            // A plain `host` is the machine's name in most logs; nginx means the header.
            [] if self.product == Product::Nginx => self.text(Slot::PlainHost),
            host => host,
        };
        let query = self.text(Slot::Query);
        if self.product == Product::Iis {
            let (own, log_id) = iis::arr_query(query);
            entry.query = own;
            entry.ids.push(log_id);
        } else if !query.is_empty() && memchr::memchr(b'?', entry.path).is_none() {
            entry.query = query.strip_prefix(b"?").unwrap_or(query);
        }
        let (client, port) = caddy::split_port(self.text(Slot::Client));
        entry.client = client;
        entry.client_port = self.get(Slot::ClientPort).small().or(port);
        entry.forwarded_for = self.text(Slot::ForwardedFor);
        entry.status = self
            .get(Slot::Status)
            .small::<u16>()
            .filter(|status| (100..1000).contains(status));
        entry.bytes_sent = self.get(Slot::BytesSent).number();
        entry.connection = self.get(Slot::Connection).number();
        entry.connection_requests = self.get(Slot::ConnectionRequests).small();
        if self.product == Product::Iis {
            entry.substatus = self.get(Slot::Substatus).small().unwrap_or(0);
            entry.win32_status = self.get(Slot::Win32Status).small().unwrap_or(0);
        }
    }

    fn fill_upstream(&self, entry: &mut Entry<'a>) {
        let upstream = &mut entry.upstream;
        upstream.addr = self.text(Slot::UpstreamAddr);
        upstream.status = self.text(Slot::UpstreamStatus);
        upstream.connect = self.text(Slot::UpstreamConnect);
        upstream.header = self.text(Slot::UpstreamHeader);
        upstream.response = self.text(Slot::UpstreamResponse);
        upstream.bytes_received = self.text(Slot::UpstreamBytes);
        upstream.unit_us = 1_000_000;
        upstream.reused = match self.get(Slot::Reused).shape {
            Shape::True => Some(true),
            Shape::False => Some(false),
            _ => None,
        };
        if let Some(last) = entry.upstream.last() {
            entry.connect_us = last.connect_us;
            entry.header_us = last.header_us;
            entry.response_us = last.response_us;
        }
    }

    fn duration_us(&self, judged: Unit) -> Option<u64> {
        let value = self.get(Slot::Duration);
        let text = value.text();
        let named = DURATIONS
            .get(usize::from(value.rank))
            .map_or(Unit::Judged, |(_, unit)| *unit);
        let unit = match (named, self.product) {
            (Unit::Judged, _) => judged,
            // A name without unit that loggers agree on, but nginx only knows seconds.
            (Unit::Millisecond, Product::Nginx) if !value_names_ms(value.rank) => Unit::Second,
            (unit, _) => unit,
        };
        match unit {
            Unit::Second => value.scaled(1_000_000),
            Unit::Millisecond | Unit::Judged => value.scaled(1_000),
            Unit::Microsecond => value.scaled(1),
            Unit::Nanosecond => value.scaled(1).map(|ns| ns / 1000),
        }
        .or_else(|| caddy::go_duration_us(text))
        .or_else(|| bytes::decimal_scaled(text.strip_suffix(b" ms")?, 1000))
    }

    /// The error, what it means, and with that the kind of the record.
    fn fill_error(&self, is_request: bool, entry: &mut Entry<'a>) {
        let message = self.text(Slot::Message);
        let class = self.text(Slot::ErrorClass);
        let code = self.text(Slot::ErrorCode);
        let error = self.text(Slot::ErrorMessage);
        let is_error = entry.level >= Level::Error;
        let text = if error.is_empty() && (is_error || !class.is_empty()) {
            message
        } else {
            error
        };
        let has_error = !(code.is_empty() && class.is_empty() && text.is_empty());
        let found = has_error
            .then(|| faults::application(code, class, text))
            .flatten()
            .or_else(|| is_error.then(|| faults::application(b"", b"", message)).flatten());
        let mut signal = found.map(|found| found.signal);
        entry.error = text;
        // An error told about a request, with its method and how long it took, is no access log's line.
        let is_told = is_error && entry.status.is_none() && signal.is_some();
        if is_request && !is_told {
            entry.kind = Kind::Request;
            if message == b"request aborted" {
                signal = Some(Signal::new(Phase::Client, Fault::ClientGone));
            } else if self.product == Product::Iis {
                signal = iis::signal(entry.status.unwrap_or(0), entry.substatus, entry.win32_status);
            }
        } else if signal.is_some_and(|signal| signal.phase == Phase::Process) {
            entry.kind = Kind::Event;
        } else if is_error && (signal.is_some() || !entry.ids.as_slice().is_empty()) {
            entry.kind = Kind::Failure;
        } else {
            entry.kind = Kind::Note;
            signal = None;
        }
        entry.signal = signal;
        if let Some(found) = found
            && signal.is_some()
        {
            entry.upstream.local = found.local;
            if entry.upstream.addr.is_empty() {
                entry.upstream.addr = found.upstream;
            }
        }
    }
}

/// Whether the duration name of this rank has its milliseconds written into it.
fn value_names_ms(rank: u8) -> bool {
    DURATIONS
        .get(usize::from(rank))
        .is_some_and(|(name, _)| name.contains("ms") || name.contains("milli"))
}

/// `https://shop.example.com/cart?x=1` without scheme and host.
fn without_origin(url: &[u8]) -> &[u8] {
    let Some(scheme) = memmem::find(url, b"://").filter(|at| *at <= 5) else {
        return url;
    };
    match memchr::memchr(b'/', &url[scheme + 3..]) {
        Some(slash) => &url[scheme + 3 + slash..],
        None => url,
    }
}

/// pino and bunyan count levels in tens, everybody else has words.
fn level(value: &Value<'_>) -> Level {
    if let Some(number) = value.number() {
        return match number {
            0..10 => Level::None,
            10..30 => Level::Debug,
            30..40 => Level::Info,
            40..50 => Level::Warning,
            50..60 => Level::Error,
            _ => Level::Critical,
        };
    }
    let word = value.text();
    let starts = |start: &str| {
        word.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
    };
    let known = LEVEL_WORDS.iter().find(|(start, _)| starts(start));
    known.map_or(Level::None, |(_, level)| *level)
}

#[cfg(test)]
#[path = "app_json_tests.rs"]
mod tests;
