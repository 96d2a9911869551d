//! Envoy and Istio: access log as text or JSON, and the server's own messages in the same stream.
//!
//! `[2024-07-20T07:09:48.470Z] "GET /a HTTP/1.1" 503 UF upstream_reset_before_response_started{…} 0 145 0 - "-" "ua" "id" "authority" "172.28.0.2:801"`:
//! the time is when the request began, UTC; durations are milliseconds; `-` means nothing. The details and
//! what Istio adds are optional. JSON has the keys of Istio, of Contour and of Envoy Gateway, or the names of
//! the headers. Envoy and Istio answer 503 where other proxies say 502: see the flags in `engine::envoy_flags`.
//! The server's messages: `[2024-07-20 07:06:24.756][1][info][main] [source/server/server.cc:404] text`, local
//! time, or `2024-07-20T07:06:24.756Z<TAB>info<TAB>text` in Istio's sidecars.
//! Source: Envoy documentation, "Access logging"; Istio documentation, "Envoy access logs".

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::engine::envoy_flags::finish;
use crate::engine::id::IdKind;
use crate::engine::json_fields::{JsonFields, Meaning};
use crate::engine::paste_envoy::{DEFAULT, DETAILED, ISTIO, ISTIO_OLD, open_ended};
use crate::engine::slot::{Slot, unit};
use crate::engine::template::Template;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::time::{self, DayCache};

/// The format `envoy`.
#[derive(Debug, Clone, Copy)]
pub struct Envoy;

impl Plain for Envoy {
    const NAME: &'static str = "envoy";
    const PRODUCT: Product = Product::Envoy;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut parser = Parser::new();
        let mut own = 0;
        for line in head.lines().take(Head::LINES) {
            let mut entry = Entry::default();
            let read = parser.parse(line, &mut entry) == Ok(Line::Entry);
            own += u32::from(read && entry.kind == Kind::Request);
        }
        if own == 0 {
            return Sniff::no();
        }
        super::by_entries(
            head,
            &mut Parser::new(),
            Score::Mark,
            "access log lines with Envoy's response flags",
        )
    }
}

/// The layouts that lines are tried against, the longest first: each is told from the others by its third number.
static LAYOUTS: LazyLock<Vec<Template>> = LazyLock::new(|| {
    [ISTIO, DETAILED, DEFAULT, ISTIO_OLD]
        .into_iter()
        .filter_map(|format| open_ended(format).ok())
        .collect()
});

/// Key names in use. Headers come under their names, in any case.
static KEYS: LazyLock<JsonFields> = LazyLock::new(|| {
    let mut fields = JsonFields::new(finish);
    let mut add = |paths: &[&str], slot: Slot| fields.add(paths, Meaning::Field(slot));
    add(&["method", ":method", "request_method"], Slot::Method);
    add(
        &[
            "x-envoy-original-path",
            "x-envoy-origin-path",
            "original_path",
            "path",
            ":path",
            "request_path",
        ],
        Slot::Path,
    );
    add(&["authority", ":authority", "host"], Slot::Host);
    add(&["requested_server_name"], Slot::ServerName);
    add(&["response_code", "status", "code"], Slot::PassedStatus);
    add(&["response_flags", "response_flags_long"], Slot::Termination);
    add(&["response_code_details", "details"], Slot::Error);
    add(&["upstream_transport_failure_reason"], Slot::Reason);
    add(&["duration", "total_duration"], Slot::Duration(unit::MS));
    add(
        &[
            "upstream_service_time",
            "x-envoy-upstream-service-time",
            "resp_x_envoy_upstream_service_time",
        ],
        Slot::Header(unit::MS),
    );
    add(&["response_duration"], Slot::OtherHeader(unit::MS));
    add(&["bytes_sent"], Slot::BytesSent);
    add(&["upstream_host", "upstream_remote_address"], Slot::UpstreamAddr);
    add(&["upstream_cluster", "upstream_cluster_raw"], Slot::Group);
    add(&["upstream_local_address"], Slot::UpstreamLocal);
    add(&["upstream_request_attempt_count"], Slot::Attempts);
    add(&["upstream_wire_bytes_received"], Slot::UpstreamBytes);
    add(&["downstream_local_address"], Slot::Server);
    add(
        &["downstream_direct_remote_address", "downstream_remote_address"],
        Slot::ClientAndPort,
    );
    add(&["x_forwarded_for", "x-forwarded-for"], Slot::ForwardedFor);
    add(&["connection_id"], Slot::Connection);
    add(
        &["request_id", "x-request-id", "x_request_id"],
        Slot::Id(IdKind::Whole),
    );
    add(&["traceparent"], Slot::Id(IdKind::Traceparent));
    add(
        &["trace_id", "traceid", "x-b3-traceid", "x_b3_traceid"],
        Slot::Id(IdKind::Whole),
    );
    fields.add(
        &["start_time", "@timestamp", "timestamp", "time"],
        Meaning::Time(Marks::Start),
    );
    fields
});

struct Parser {
    /// The layout that read the last line.
    likely: usize,
    day: DayCache,
}

impl Parser {
    fn new() -> Self {
        Self {
            likely: 0,
            day: DayCache::default(),
        }
    }

    /// Tries the layout of the last line, then the others; the error is that of the first tried.
    fn text<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<(), LineError> {
        let layouts = &*LAYOUTS;
        let order = std::iter::once(self.likely).chain((0..layouts.len()).filter(|n| *n != self.likely));
        let mut first = None;
        for n in order {
            entry.clear();
            match layouts[n].read(line, entry, &mut self.day) {
                Ok(()) if are_flags(entry.termination) => {
                    self.likely = n;
                    return Ok(());
                }
                Ok(()) => {}
                Err(error) => {
                    first.get_or_insert(error);
                }
            }
        }
        entry.clear();
        Err(first.unwrap_or(LineError::new(0, "response flags")))
    }
}

/// `-`, or letters and commas.
fn are_flags(text: &[u8]) -> bool {
    text == b"-" || !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || *b == b',')
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        match line.first() {
            None => Ok(Line::Directive),
            Some(b'{') => {
                KEYS.read(line, entry, &mut self.day)?;
                if entry.time.is_none() || memmem::find(line, b"response_flags").is_none() {
                    entry.clear();
                    return Err(LineError::new(0, "response flags and start time"));
                }
                Ok(Line::Entry)
            }
            Some(b'[') if line.get(11) == Some(&b'T') => self.text(line, entry).map(|()| Line::Entry),
            Some(_) => message(line, entry, &mut self.day),
        }
    }
}

/// A message of the server itself.
fn message<'a>(line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Result<Line, LineError> {
    let (level, text) = match line.strip_prefix(b"[") {
        Some(rest) => bracketed(rest, entry, day).ok_or(LineError::new(0, "time"))?,
        None => tabbed(line, entry, day).ok_or(LineError::new(0, "time"))?,
    };
    entry.level = level;
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    let fault = if has("starting main dispatch loop") || has("Envoy proxy is ready") {
        Some(Fault::Started)
    } else if has("shutting down server instance")
        || has("main dispatch loop exited")
        || has("caught ENVOY_SIGTERM")
        || has("Epoch 0 terminated")
    {
        Some(Fault::Stopping)
    } else if has("Caught Segmentation fault") || has("Caught Aborted") {
        Some(Fault::WorkerCrashed)
    } else {
        None
    };
    entry.signal = fault.map(|fault| Signal::new(Phase::Process, fault));
    entry.kind = if fault.is_some() { Kind::Event } else { Kind::Note };
    if fault.is_some() || level >= Level::Warning {
        entry.error = text;
    }
    Ok(Line::Entry)
}

/// `2024-07-20 07:06:24.756][1][info][main] [source/server/server.cc:404] text` after its first bracket.
fn bracketed<'a>(rest: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<(Level, &'a [u8])> {
    let (stamp, used) = time::iso_prefix(rest, day)?;
    let mut parts = rest[used..].strip_prefix(b"][")?.splitn(3, |byte| *byte == b'[');
    parts.next()?;
    let level = parts.next()?.strip_suffix(b"]")?;
    let text = parts.next()?;
    entry.time = Some(stamp.marking(Marks::Event));
    let text_at = memmem::find(text, b"] [").map_or(0, |at| at + 3);
    let text = &text[memmem::find(&text[text_at..], b"] ").map_or(0, |at| text_at + at + 2)..];
    Some((self::level(level)?, text))
}

/// `2022-07-20T09:52:24.955123Z<TAB>info<TAB>text`
fn tabbed<'a>(line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<(Level, &'a [u8])> {
    let (stamp, used) = time::iso_prefix(line, day)?;
    let mut parts = line[used..].strip_prefix(b"\t")?.splitn(2, |byte| *byte == b'\t');
    let level = self::level(parts.next()?)?;
    entry.time = Some(stamp.marking(Marks::Event));
    Some((level, parts.next()?))
}

fn level(name: &[u8]) -> Option<Level> {
    Some(match name {
        b"trace" | b"debug" => Level::Debug,
        b"info" => Level::Info,
        b"warning" | b"warn" => Level::Warning,
        b"error" => Level::Error,
        b"critical" | b"fatal" => Level::Critical,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "envoy_tests.rs"]
mod tests;
