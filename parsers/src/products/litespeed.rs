//! LiteSpeed and OpenLiteSpeed: the server log, and the access lines that some write to the same file.
//!
//! `2022-06-08 22:49:20.774649 [NOTICE] [1226033] [1.2.3.4:45164:HTTP2-41#shop] text`: local time, level, process,
//! then what the line is about: client, its port, the stream and the virtual host. Access lines have the combined
//! format; their time is when the request was received (settled in `accesslog.cpp`: `getReqTime`). They are
//! claimed only beside server lines or where the surroundings name LiteSpeed.
//! Source: OpenLiteSpeed's `extconn.cpp` and `extworker.cpp` for the texts about upstreams.

use crate::bytes::memmem;

use crate::bytes::number;
use crate::entry::{Entry, Fault, Kind, Level, Marks, Phase, Signal};
use crate::error::LineError;
use crate::format::{Head, Line, LineParser, Plain, Product, RecordKind, Score, Sniff};
use crate::products::clf::{self, ClfParser, Style};
use crate::time::{self, DayCache};

/// The format `litespeed`.
#[derive(Debug, Clone, Copy)]
pub struct LiteSpeed;

impl Plain for LiteSpeed {
    const NAME: &'static str = "litespeed";
    const PRODUCT: Product = Product::LiteSpeed;
    const KIND: RecordKind = RecordKind::Mixed;

    fn lines(&self) -> Box<dyn LineParser> {
        Box::new(Parser::new())
    }

    fn claim(&self, head: &Head<'_>) -> Sniff {
        let mut day = DayCache::default();
        let mut is_own = |line: &[u8]| server_line(line, &mut Entry::default(), &mut day).is_some();
        if head.lines().take(Head::LINES).any(&mut is_own) {
            return super::by_entries(
                head,
                &mut Parser::new(),
                Score::Own,
                "lines of LiteSpeed's server log",
            );
        }
        clf::by_hint(head, Product::LiteSpeed, Style::AT_START)
    }
}

struct Parser {
    clf: ClfParser,
    day: DayCache,
}

impl Parser {
    fn new() -> Self {
        Self {
            clf: ClfParser::new(Style::AT_START),
            day: DayCache::default(),
        }
    }
}

impl LineParser for Parser {
    fn parse<'a>(&mut self, line: &'a [u8], entry: &mut Entry<'a>) -> Result<Line, LineError> {
        if line.is_empty() {
            return Ok(Line::Directive);
        }
        if let Some(text) = server_line(line, entry, &mut self.day) {
            message(text, entry);
            return Ok(Line::Entry);
        }
        entry.clear();
        self.clf.parse(line, entry)
    }
}

/// Time, level, process and client of a server line; returns the text.
fn server_line<'a>(line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> Option<&'a [u8]> {
    let (stamp, used) = time::iso_prefix(line, day)?;
    let (level, rest) = bracket(&line[used..])?;
    entry.level = match level {
        b"DEBUG" => Level::Debug,
        b"INFO" | b"NOTICE" => Level::Info,
        b"WARN" => Level::Warning,
        b"ERROR" => Level::Error,
        b"CRIT" | b"ALERT" | b"EMERG" => Level::Critical,
        _ => return None,
    };
    let mut rest = rest;
    if let Some((pid, after)) = bracket(rest)
        && let Some(pid) = number(pid)
    {
        entry.pid = u32::try_from(pid).ok();
        rest = after;
    }
    if let Some((about, after)) = bracket(rest)
        && let Some(hash) = memchr::memchr(b'#', about)
    {
        // `1.2.3.4:45164:HTTP2-41`, `192.168.9.163:61120-5`
        let connection = &about[..hash];
        let colon = memchr::memchr(b':', connection).unwrap_or(connection.len());
        let port = connection.get(colon + 1..).unwrap_or_default();
        let digits = port.iter().take_while(|byte| byte.is_ascii_digit()).count();
        entry.client = &connection[..colon];
        entry.client_port = number(&port[..digits]).and_then(|n| u16::try_from(n).ok());
        rest = after;
    }
    entry.time = Some(stamp.marking(Marks::Event));
    Some(rest.trim_ascii_start())
}

/// ` [inner] rest`
fn bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b" [")?;
    let end = memchr::memchr(b']', inner)?;
    Some((&inner[..end], &inner[end + 1..]))
}

fn message<'a>(text: &'a [u8], entry: &mut Entry<'a>) {
    let has = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    let (kind, phase, fault) = match () {
        () if has("timed out while connecting") => (Kind::Failure, Phase::Connect, Fault::TimedOut),
        () if has("timed out while processing") => (Kind::Failure, Phase::Header, Fault::TimedOut),
        () if has("onnection to [") && has("refused") => (Kind::Failure, Phase::Connect, Fault::Refused),
        () if has("onnection to [") && has("reset by peer") => (Kind::Failure, Phase::Header, Fault::Reset),
        () if has("onnection to [") && has("roken pipe") => (Kind::Failure, Phase::Send, Fault::BrokenPipe),
        () if has("onnection to [") && has("timed out") => (Kind::Failure, Phase::Unknown, Fault::TimedOut),
        () if has("Reached max children process limit") => {
            (Kind::Event, Phase::Process, Fault::WorkersExhausted)
        }
        () if has("possible dead lock") => (Kind::Failure, Phase::Header, Fault::TimedOut),
        () if has("segmentation fault") || has("core dumped") => {
            (Kind::Event, Phase::Process, Fault::WorkerCrashed)
        }
        () if has("Stop listening") || has("graceful shutdown") => {
            (Kind::Event, Phase::Process, Fault::Stopping)
        }
        () if has("Instance uptime") || has("Server is started") => {
            (Kind::Event, Phase::Process, Fault::Started)
        }
        () => {
            entry.kind = Kind::Note;
            entry.error = if entry.level >= Level::Warning { text } else { b"" };
            return;
        }
    };
    (entry.kind, entry.error) = (kind, text);
    entry.signal = Some(Signal::new(phase, fault));
    if let Some(at) = memmem::find(text, b"onnection to [") {
        let rest = &text[at + b"onnection to [".len()..];
        entry.upstream.addr = &rest[..memchr::memchr(b']', rest).unwrap_or(rest.len())];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Zone;

    fn read(line: &str) -> Entry<'_> {
        let mut entry = Entry::default();
        assert_eq!(
            Parser::new().parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{line}"
        );
        entry
    }

    #[test]
    fn server_lines_name_client_and_process() {
        let entry = read(
            "2022-06-08 22:49:20.774649 [NOTICE] [1226033] [1.2.3.4:45164:HTTP2-41#_AdminVHost] [STDERR] Failed Login Attempt",
        );
        assert_eq!(
            (entry.client, entry.client_port),
            (b"1.2.3.4".as_slice(), Some(45_164))
        );
        assert_eq!((entry.pid, entry.kind), (Some(1_226_033), Kind::Note));
        assert_eq!(
            entry.time.map(|t| (t.zone, t.resolution_us)),
            Some((Zone::Local, 1))
        );
        let short = read(
            "2022-06-09 12:22:07.353044 [INFO] [1226038] [192.168.9.163:61120-5#Example] User 'a' failed to authenticate.",
        );
        assert_eq!(short.client_port, Some(61_120));
    }

    #[test]
    fn failures_of_upstreams_have_their_signals() {
        let of = |text: &str| {
            let line =
                format!("2022-06-09 12:22:07.353044 [NOTICE] [7] [192.168.9.163:61120-5#Example] {text}");
            read(&line).signal
        };
        let is = |phase, fault| Some(Signal::new(phase, fault));
        assert_eq!(
            of("ExtConn timed out while connecting."),
            is(Phase::Connect, Fault::TimedOut)
        );
        assert_eq!(
            of("ExtConn timed out while processing."),
            is(Phase::Header, Fault::TimedOut)
        );
        assert_eq!(
            of("Connection to [127.0.0.1:9000] on request #0, confirmed 0, error: Connection refused!"),
            is(Phase::Connect, Fault::Refused)
        );
        assert_eq!(
            of("Reached max children process limit: 35, extra: 0, current: 35, busy: 35"),
            is(Phase::Process, Fault::WorkersExhausted)
        );
        assert_eq!(of("all is well"), None);
    }

    #[test]
    fn access_lines_beside_them_tell_when_the_request_came() {
        let entry = read(
            r#"1.2.3.4 - - [08/Jun/2022:22:44:57 +0200] "GET /foo.php HTTP/1.1" 404 195 "-" "Mozilla/5.0""#,
        );
        assert_eq!(
            (entry.status, entry.time.map(|t| t.marks)),
            (Some(404), Some(Marks::Start))
        );
    }
}
