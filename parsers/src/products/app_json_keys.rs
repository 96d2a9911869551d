//! What applications call things in their JSON logs. Dots part nested keys; `a_b` also stands for `a-b`
//! and `aB`, and case does not matter. In each list the surer name stands first.

use std::sync::LazyLock;

use crate::engine::json::Keys;
use crate::entry::Level;

/// Slots of the values wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Msec,
    Time,
    TimeSpare,
    Level,
    Message,
    Method,
    Path,
    Query,
    RequestLine,
    Host,
    PlainHost,
    Status,
    Substatus,
    Win32Status,
    Duration,
    Client,
    ClientPort,
    ForwardedFor,
    UpstreamAddr,
    UpstreamStatus,
    UpstreamConnect,
    UpstreamHeader,
    UpstreamResponse,
    UpstreamBytes,
    Reused,
    BytesSent,
    Connection,
    ConnectionRequests,
    ErrorCode,
    ErrorClass,
    ErrorMessage,
    Pid,
    FirstId,
    // The slots of further ids follow.
}

pub(super) const SLOTS: usize = Slot::FirstId as usize + IDS.len();

/// Unit of a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    /// The name does not say; the values have to.
    Judged,
}

/// Names of the duration of a request.
pub(super) const DURATIONS: [(&str, Unit); 34] = [
    ("duration_ms", Unit::Millisecond),
    ("response_time_ms", Unit::Millisecond),
    ("request_time_ms", Unit::Millisecond),
    ("elapsed_ms", Unit::Millisecond),
    ("latency_ms", Unit::Millisecond),
    ("took_ms", Unit::Millisecond),
    ("elapsed_milliseconds", Unit::Millisecond),
    ("state.elapsed_milliseconds", Unit::Millisecond),
    ("properties.elapsed_milliseconds", Unit::Millisecond),
    ("properties.time_taken", Unit::Millisecond),
    ("duration_us", Unit::Microsecond),
    ("latency_us", Unit::Microsecond),
    ("elapsed_us", Unit::Microsecond),
    ("duration_ns", Unit::Nanosecond),
    ("event.duration", Unit::Nanosecond),
    ("duration_sec", Unit::Second),
    ("duration_seconds", Unit::Second),
    ("duration_s", Unit::Second),
    ("elapsed_sec", Unit::Second),
    ("elapsed_seconds", Unit::Second),
    ("latency_seconds", Unit::Second),
    ("response_time", Unit::Millisecond),
    ("time_taken", Unit::Millisecond),
    ("elapsed_time", Unit::Millisecond),
    ("properties.elapsed", Unit::Millisecond),
    ("request_time", Unit::Judged),
    ("duration", Unit::Judged),
    ("latency", Unit::Judged),
    ("elapsed", Unit::Judged),
    ("request_duration", Unit::Judged),
    ("http_request.latency", Unit::Judged),
    ("process_time", Unit::Judged),
    ("took", Unit::Judged),
    ("rt", Unit::Judged),
];

/// Names of ids, one list a slot.
pub(super) const IDS: [&[&str]; 5] = [
    &[
        "req.id",
        "request_id",
        "req_id",
        "request.id",
        "http.request.id",
        "http.request_id",
        "properties.request_id",
    ],
    &[
        "req.headers.x-request-id",
        "request.headers.x-request-id",
        "headers.x-request-id",
        "http_x_request_id",
        "x_request_id",
        "res.headers.x-request-id",
    ],
    &[
        "trace_id",
        "trace.id",
        "traceparent",
        "req.headers.traceparent",
        "request.headers.traceparent",
        "http_traceparent",
        "dd.trace_id",
        "properties.trace_id",
        "@tr",
    ],
    &[
        "correlation_id",
        "x_correlation_id",
        "req.headers.x-correlation-id",
        "http_x_correlation_id",
        "transaction_id",
        "transaction.id",
        "operation_id",
        "message_id",
    ],
    &["span_id", "span.id", "dd.span_id", "@sp"],
];

/// Starts of level names.
pub(super) const LEVEL_WORDS: [(&str, Level); 17] = [
    ("info", Level::Info),
    ("err", Level::Error),
    ("warn", Level::Warning),
    ("debug", Level::Debug),
    ("trace", Level::Debug),
    ("verbose", Level::Debug),
    ("silly", Level::Debug),
    ("fine", Level::Debug),
    ("notice", Level::Info),
    ("http", Level::Info),
    ("severe", Level::Error),
    ("crit", Level::Critical),
    ("fatal", Level::Critical),
    ("alert", Level::Critical),
    ("emerg", Level::Critical),
    ("panic", Level::Critical),
    ("dpanic", Level::Critical),
];

const NAMES: [(Slot, &[&str]); 31] = [
    (Slot::Msec, &["msec"]),
    (
        Slot::Time,
        &[
            "@timestamp",
            "timestamp",
            "@t",
            "ts",
            "time_iso8601",
            "datetime",
            "asctime",
            "time_local",
        ],
    ),
    (Slot::TimeSpare, &["time", "date", "event_time", "logged_at", "t"]),
    (
        Slot::Level,
        &[
            "level",
            "log.level",
            "severity",
            "levelname",
            "log_level",
            "lvl",
            "@l",
            "level_name",
        ],
    ),
    (Slot::Message, &["msg", "message", "@m", "@mt", "event", "text"]),
    (
        Slot::Method,
        &[
            "method",
            "request_method",
            "req.method",
            "request.method",
            "http.request.method",
            "http.method",
            "http_method",
            "http_request.request_method",
            "state.method",
            "properties.request_method",
            "properties.method",
            "properties.cs_method",
            "verb",
        ],
    ),
    (
        Slot::Path,
        &[
            "request_uri",
            "req.url",
            "req.original_url",
            "original_url",
            "request.url",
            "request.uri",
            "request.path",
            "req.path",
            "url.path",
            "url.original",
            "request_path",
            "http.target",
            "http.path",
            "http.url",
            "http_request.request_url",
            "path",
            "url",
            "uri",
            "state.path",
            "properties.request_path",
            "properties.path",
            "properties.cs_uri_stem",
            "document_uri",
        ],
    ),
    (
        Slot::Query,
        &[
            "query_string",
            "url.query",
            "properties.cs_uri_query",
            "state.query_string",
        ],
    ),
    (
        Slot::RequestLine,
        &["request", "request_line", "http.request_line"],
    ),
    (
        Slot::Host,
        &[
            "http_host",
            "req.headers.host",
            "request.headers.host",
            "request.host",
            "http.host",
            "url.domain",
            "vhost",
            "properties.cs_host",
            "server_name",
        ],
    ),
    (Slot::PlainHost, &["host"]),
    (
        Slot::Status,
        &[
            "status_code",
            "res.status_code",
            "response.status_code",
            "http.response.status_code",
            "http.status_code",
            "response.status",
            "res.status",
            "http.status",
            "response_status",
            "response_code",
            "http_status",
            "http_request.status",
            "state.status_code",
            "properties.status_code",
            "properties.sc_status",
            "sc_status",
            "status",
        ],
    ),
    (Slot::Substatus, &["properties.sc_sub_status"]),
    (Slot::Win32Status, &["properties.sc_win32_status"]),
    (
        Slot::Client,
        &[
            "remote_addr",
            "req.remote_address",
            "remote_address",
            "client_ip",
            "remote_ip",
            "client.ip",
            "source.ip",
            "client.address",
            "source.address",
            "client_addr",
            "req.ip",
            "http_request.remote_ip",
            "properties.c_ip",
            "ip",
            "client",
        ],
    ),
    (
        Slot::ClientPort,
        &[
            "remote_port",
            "req.remote_port",
            "client.port",
            "source.port",
            "client_port",
        ],
    ),
    (
        Slot::ForwardedFor,
        &[
            "http_x_forwarded_for",
            "x_forwarded_for",
            "req.headers.x-forwarded-for",
            "request.headers.x-forwarded-for",
            "forwarded_for",
            "xff",
        ],
    ),
    (
        Slot::UpstreamAddr,
        &[
            "upstream_addr",
            "upstream.addr",
            "upstream.address",
            "upstream_host",
            "upstream",
            "target",
        ],
    ),
    (Slot::UpstreamStatus, &["upstream_status", "upstream.status"]),
    (
        Slot::UpstreamConnect,
        &["upstream_connect_time", "upstream.connect_time"],
    ),
    (
        Slot::UpstreamHeader,
        &["upstream_header_time", "upstream.header_time"],
    ),
    (
        Slot::UpstreamResponse,
        &[
            "upstream_response_time",
            "upstream.response_time",
            "upstream_time",
        ],
    ),
    (
        Slot::UpstreamBytes,
        &["upstream_bytes_received", "upstream_response_length"],
    ),
    (
        Slot::Reused,
        &[
            "reused_socket",
            "req.reused_socket",
            "request.reused_socket",
            "err.reused_socket",
            "connection_reused",
        ],
    ),
    (
        Slot::BytesSent,
        &[
            "body_bytes_sent",
            "bytes_sent",
            "res.content_length",
            "http.response.body.bytes",
            "properties.sc_bytes",
        ],
    ),
    (Slot::Connection, &["connection"]),
    (Slot::ConnectionRequests, &["connection_requests"]),
    (
        Slot::ErrorCode,
        &[
            "err.code",
            "error.code",
            "err.cause.code",
            "error.cause.code",
            "exception.code",
            "error_code",
            "err_code",
            "code",
        ],
    ),
    (
        Slot::ErrorClass,
        &[
            "err.type",
            "error.type",
            "err.name",
            "error.name",
            "exception.type",
            "exception.class",
            "exception.exception_class",
            "exception_class",
            "exc_type",
            "error_type",
        ],
    ),
    (
        Slot::ErrorMessage,
        &[
            "err.message",
            "error.message",
            "exception.message",
            "exception.exception_message",
            "err",
            "error",
            "error_message",
            "exception",
            "exc_info",
            "@x",
            "stack_trace",
            "err.stack",
            "error.stack_trace",
            "error.stack",
            "stack",
        ],
    ),
    (Slot::Pid, &["pid", "process.pid", "process_id"]),
];

/// The table of all names.
pub(super) static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let mut keys = Keys::new();
    let mut add = |slot: u8, names: &mut dyn Iterator<Item = &str>| {
        for (rank, name) in names.enumerate() {
            keys.add_spelt(name, slot, rank as u8);
        }
    };
    for (slot, names) in NAMES {
        add(slot as u8, &mut names.iter().copied());
    }
    for (at, names) in IDS.iter().enumerate() {
        add(Slot::FirstId as u8 + at as u8, &mut names.iter().copied());
    }
    add(Slot::Duration as u8, &mut DURATIONS.iter().map(|(name, _)| *name));
    keys
});
