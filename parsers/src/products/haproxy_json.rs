//! HAProxy lines as JSON, by `%{+json}o` or by a format string that looks like JSON: the names are the
//! configuration's own, so the ones in common use are known. Names that are aliases are, save for those that
//! differ from another alias in case only (`%Tr` and `%tr`). Any other name is read with the format string itself.

use std::sync::LazyLock;

use crate::bytes::memmem;

use crate::engine::id::IdKind;
use crate::engine::json_fields::{JsonFields, Meaning};
use crate::engine::paste_haproxy::finish;
use crate::engine::slot::{Slot, unit};
use crate::entry::{Entry, Marks};
use crate::error::LineError;
use crate::time::DayCache;

static KEYS: LazyLock<JsonFields> = LazyLock::new(|| {
    let mut fields = JsonFields::new(finish);
    let mut add = |paths: &[&str], slot: Slot| fields.add(paths, Meaning::Field(slot));
    add(
        &["client_ip", "client_addr", "remote_addr", "src", "ci", "client"],
        Slot::Client,
    );
    add(
        &["client_port", "remote_port", "src_port", "cp"],
        Slot::ClientPort,
    );
    add(&["backend", "backend_name", "be_name"], Slot::Group);
    add(
        &["server_addr", "upstream_addr", "server_ip", "si"],
        Slot::UpstreamAddr,
    );
    add(&["server", "server_name", "srv_name"], Slot::UpstreamServer);
    add(
        &[
            "time_queue",
            "queue_time",
            "time_wait",
            "wait_time",
            "queue_wait",
            "tw",
        ],
        Slot::Queue(unit::MS),
    );
    add(
        &[
            "time_backend_connect",
            "time_connect",
            "connect_time",
            "upstream_connect_time",
            "backend_connect_time",
            "tc",
        ],
        Slot::Connect(unit::MS),
    );
    add(
        &[
            "time_backend_response",
            "response_time",
            "server_response_time",
            "upstream_response_time",
            "time_response",
        ],
        Slot::Header(unit::MS),
    );
    add(
        &[
            "time_active",
            "active_time",
            "time_duration",
            "time_total",
            "total_time",
            "session_duration",
            "duration",
            "ta",
            "tt",
        ],
        Slot::Duration(unit::MS),
    );
    add(
        &[
            "status",
            "status_code",
            "http_status",
            "http_status_code",
            "response_code",
            "st",
        ],
        Slot::Status,
    );
    add(&["bytes_read", "bytes_sent", "bytes"], Slot::BytesSent);
    add(
        &["termination_state", "term_state", "termination", "tsc"],
        Slot::Termination,
    );
    add(&["retries", "retry_count", "rc"], Slot::Retries);
    add(
        &[
            "method",
            "http_method",
            "http_request_method",
            "request_method",
            "hm",
        ],
        Slot::Method,
    );
    add(
        &[
            "uri",
            "path",
            "http_uri",
            "http_path",
            "http_request_path",
            "request_uri",
            "url",
            "hu",
            "hp",
        ],
        Slot::Path,
    );
    add(
        &["query", "http_query", "http_request_query", "query_string", "hq"],
        Slot::Query,
    );
    add(
        &["request", "http_request", "http_request_line", "request_line"],
        Slot::Request,
    );
    add(&["host", "http_host", "request_host", "hdr_host"], Slot::Host);
    add(&["x_forwarded_for", "x-forwarded-for"], Slot::ForwardedFor);
    add(
        &[
            "unique_id",
            "unique-id",
            "uniq_id",
            "request_id",
            "x_request_id",
            "x-request-id",
            "id",
        ],
        Slot::MaybeId,
    );
    add(&["traceparent", "trace_id"], Slot::Id(IdKind::Traceparent));
    add(&["captured_request_headers", "request_headers"], Slot::Captures);
    add(&["pid"], Slot::Pid);
    fields.add(
        &[
            "request_date",
            "accept_date",
            "timestamp",
            "time",
            "date",
            "@timestamp",
            "date_time",
            "tr",
            "trg",
            "trl",
        ],
        Meaning::Time(Marks::Start),
    );
    fields
});

/// Reads a line if it is an object with a termination state, which only HAProxy has; `None` if it is not.
pub(super) fn read<'a>(
    line: &'a [u8],
    entry: &mut Entry<'a>,
    day: &mut DayCache,
) -> Option<Result<(), LineError>> {
    if line.first() != Some(&b'{') {
        return None;
    }
    let has = |key: &str| memmem::find(line, key.as_bytes()).is_some();
    if !(has("\"term") || has("\"tsc\"")) {
        return None;
    }
    if let Err(error) = KEYS.read(line, entry, day) {
        return Some(Err(error));
    }
    if !is_state(entry.termination) {
        entry.clear();
        return None;
    }
    Some(Ok(()))
}

/// Two or four letters and dashes: who ended it, in which part, and what became of cookies.
fn is_state(text: &[u8]) -> bool {
    matches!(text.len(), 2 | 4)
        && text
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || *byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Fault, Phase, Signal};

    #[test]
    fn names_in_common_use_are_known() {
        let line = br#"{"type":"haproxy","timestamp":1795193776.721,"http_status":504,"http_request":"GET /ok/slow HTTP/1.1","remote_addr":"127.0.0.1","bytes_read":253,"upstream_addr":"10.0.0.7","backend_name":"be_app","retries":0,"upstream_response_time":-1,"upstream_connect_time":1,"session_duration":3001,"termination_state":"sH"}"#;
        let (mut entry, mut day) = (Entry::default(), DayCache::default());
        assert_eq!(read(line, &mut entry, &mut day), Some(Ok(())));
        assert_eq!((entry.status, entry.duration_us), (Some(504), Some(3_001_000)));
        assert_eq!((entry.connect_us, entry.header_us), (Some(1_000), None));
        assert_eq!(
            (entry.method, entry.path),
            (b"GET".as_slice(), b"/ok/slow".as_slice())
        );
        assert_eq!(
            (entry.upstream.addr, entry.upstream.group),
            (b"10.0.0.7".as_slice(), b"be_app".as_slice())
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(entry.time.map(|t| t.marks), Some(Marks::Start));
    }

    #[test]
    fn other_objects_are_nobodys_here() {
        let (mut entry, mut day) = (Entry::default(), DayCache::default());
        assert_eq!(
            read(br#"{"terms":"x","termination":"because"}"#, &mut entry, &mut day),
            None
        );
        assert_eq!(read(br#"{"status":200}"#, &mut entry, &mut day), None);
    }
}
