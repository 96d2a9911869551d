//! Envoy access-log format strings: text with `%OPERATORS(arguments):length%`, or a `json_format` object of such.
//!
//! Source: Envoy documentation, "Access logging" and "Substitution formatter"; flag letters from Envoy's
//! `stream_info/utility.h`, reset reasons from its `router.cc`. Durations are milliseconds unless an
//! operator says otherwise; `%START_TIME%` is when the request began, UTC.

use std::sync::Arc;

use crate::engine::envoy_flags::finish;
use crate::engine::id::{self, Header, IdKind};
use crate::engine::json_fields::{JsonFields, Meaning};
use crate::engine::json_format::JsonFormat;
use crate::engine::json_strings;
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Shape, Template, TemplateFormat, TimeShape};
use crate::entry::{Escape, Marks};
use crate::error::FormatError;
use crate::format::{Format, Product};

/// Envoy's format where none is configured.
pub const DEFAULT: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%""#;

/// The format with the details of the response after its flags, which Envoy's own examples use.
pub const DETAILED: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%""#;

/// Istio's format where none is configured.
pub const ISTIO: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%"#;

/// Istio's format before release 1.9: a status of its mixer in place of the details.
pub const ISTIO_OLD: &str = r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% "%DYNAMIC_METADATA(istio.mixer:status)%" "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%"#;

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<Arc<dyn Format>, FormatError> {
    if text.trim_start().starts_with('{') {
        let fields = json_fields(text)?;
        return Ok(Arc::new(JsonFormat::new(name, Product::Envoy, fields)));
    }
    Ok(Arc::new(TemplateFormat::new(
        name,
        Product::Envoy,
        template(text)?,
    )))
}

/// The template of a text format.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    compile(text, false)
}

/// As [`template`]; anything may follow the known fields, and ids in it are found by their shape.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn open_ended(text: &str) -> Result<Template, FormatError> {
    compile(text, true)
}

fn compile(text: &str, open_ended: bool) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "inline_string:");
    let text = match text.trim() {
        "default" => DEFAULT,
        "istio" => ISTIO,
        other => other,
    };
    // A format ends with the line end that Envoy does not add by itself.
    let text = text.strip_suffix("\\n").unwrap_or(text).trim_end_matches('\n');
    let mut builder = Builder::new("envoy", Escape::None);
    if !open_ended {
        builder.raw_quotes();
    }
    builder.finish_with(finish);
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|found| at + found) {
        builder.literal(&text.as_bytes()[at..percent]);
        if text[percent + 1..].starts_with('%') {
            builder.literal(b"%");
            at = percent + 2;
            continue;
        }
        let len = operator_len(&text[percent..]).ok_or_else(|| unclosed(percent))?;
        let operator = &text[percent + 1..percent + len - 1];
        builder.field(field(operator), &format!("%{operator}%"));
        at = percent + len;
    }
    builder.literal(&text.as_bytes()[at..]);
    if open_ended && builder.open_field().is_some() {
        builder.optional_from_here();
        builder.literal(b" ");
        builder.field(Field::new(Slot::Tail, "rest of the line"), "rest");
    } else if open_ended {
        builder.optional_from_here();
        builder.field(Field::new(Slot::Tail, "rest of the line"), "rest");
    }
    builder.build()
}

/// The names of the operators.
pub(crate) fn variables(text: &str) -> Vec<String> {
    let (mut names, mut at) = (Vec::new(), 0);
    while let Some(percent) = text[at..].find('%').map(|found| at + found) {
        match operator_len(&text[percent..]) {
            Some(len) => {
                names.push(parts(&text[percent + 1..percent + len - 1]).0.to_owned());
                at = percent + len;
            }
            None => at = percent + 1,
        }
    }
    names
}

/// The operators that Envoy has. Source: its documentation, "Substitution formatter".
pub(crate) const KNOWN: &[&str] = &[
    "ACCESS_LOG_TYPE",
    "BYTES_RECEIVED",
    "BYTES_RETRANSMITTED",
    "BYTES_SENT",
    "CEL",
    "COMMON_DURATION",
    "CONNECTION_ID",
    "CONNECTION_TERMINATION_DETAILS",
    "COALESCE",
    "CUSTOM_FLAGS",
    "DOWNSTREAM_DETECTED_CLOSE_TYPE",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS",
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_LOCAL_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_DIRECT_REMOTE_PORT",
    "DOWNSTREAM_HANDSHAKE_DURATION",
    "DOWNSTREAM_HEADER_BYTES_RECEIVED",
    "DOWNSTREAM_HEADER_BYTES_SENT",
    "DOWNSTREAM_LOCAL_ADDRESS",
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_LOCAL_CLOSE_REASON",
    "DOWNSTREAM_LOCAL_DNS_SAN",
    "DOWNSTREAM_LOCAL_EMAIL_SAN",
    "DOWNSTREAM_LOCAL_PORT",
    "DOWNSTREAM_LOCAL_SUBJECT",
    "DOWNSTREAM_LOCAL_URI_SAN",
    "DOWNSTREAM_PEER_CERT",
    "DOWNSTREAM_PEER_CERT_V_END",
    "DOWNSTREAM_PEER_CERT_V_START",
    "DOWNSTREAM_PEER_DNS_SAN",
    "DOWNSTREAM_PEER_FINGERPRINT_1",
    "DOWNSTREAM_PEER_FINGERPRINT_256",
    "DOWNSTREAM_PEER_ISSUER",
    "DOWNSTREAM_PEER_SERIAL",
    "DOWNSTREAM_PEER_SUBJECT",
    "DOWNSTREAM_PEER_URI_SAN",
    "DOWNSTREAM_REMOTE_ADDRESS",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "DOWNSTREAM_REMOTE_PORT",
    "DOWNSTREAM_TLS_CIPHER",
    "DOWNSTREAM_TLS_SESSION_ID",
    "DOWNSTREAM_TLS_VERSION",
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON",
    "DOWNSTREAM_WIRE_BYTES_RECEIVED",
    "DOWNSTREAM_WIRE_BYTES_SENT",
    "DURATION",
    "DYNAMIC_METADATA",
    "CLUSTER_METADATA",
    "UPSTREAM_METADATA",
    "EMIT_TIME",
    "ENVIRONMENT",
    "FILTER_CHAIN_NAME",
    "FILTER_STATE",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "HOSTNAME",
    "LOCAL_REPLY_BODY",
    "METADATA",
    "PATH",
    "PROTOCOL",
    "QUERY_PARAM",
    "QUERY_PARAMS",
    "REQ",
    "REQ_WITHOUT_QUERY",
    "REQUESTED_SERVER_NAME",
    "REQUEST_DURATION",
    "REQUEST_HEADERS_BYTES",
    "REQUEST_HEADER_BYTES",
    "REQUEST_TX_DURATION",
    "RESP",
    "RESPONSE_CODE",
    "RESPONSE_CODE_DETAILS",
    "RESPONSE_DURATION",
    "RESPONSE_FLAGS",
    "RESPONSE_FLAGS_LONG",
    "RESPONSE_HEADERS_BYTES",
    "RESPONSE_TRAILERS_BYTES",
    "RESPONSE_TX_DURATION",
    "ROUNDTRIP_DURATION",
    "ROUTE_NAME",
    "START_TIME",
    "START_TIME_LOCAL",
    "EMIT_TIME_LOCAL",
    "STREAM_ID",
    "TLS_JA3_FINGERPRINT",
    "TLS_JA4_FINGERPRINT",
    "TRACE_ID",
    "TRAILER",
    "UNIQUE_ID",
    "UPSTREAM_CLUSTER",
    "UPSTREAM_CLUSTER_RAW",
    "UPSTREAM_CONNECTION_ID",
    "UPSTREAM_CONNECTION_POOL_READY_DURATION",
    "UPSTREAM_DETECTED_CLOSE_TYPE",
    "UPSTREAM_FILTER_STATE",
    "UPSTREAM_HEADER_BYTES_RECEIVED",
    "UPSTREAM_HEADER_BYTES_SENT",
    "UPSTREAM_HOST",
    "UPSTREAM_HOSTS_ATTEMPTED",
    "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
    "UPSTREAM_HOST_NAMES_ATTEMPTED",
    "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
    "UPSTREAM_HOST_NAME",
    "UPSTREAM_HOST_NAME_WITHOUT_PORT",
    "UPSTREAM_LOCAL_ADDRESS",
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_LOCAL_CLOSE_REASON",
    "UPSTREAM_LOCAL_DNS_SAN",
    "UPSTREAM_LOCAL_PORT",
    "UPSTREAM_LOCAL_SUBJECT",
    "UPSTREAM_LOCAL_URI_SAN",
    "UPSTREAM_PEER_CERT",
    "UPSTREAM_PEER_CERT_V_END",
    "UPSTREAM_PEER_CERT_V_START",
    "UPSTREAM_PEER_DNS_SAN",
    "UPSTREAM_PEER_ISSUER",
    "UPSTREAM_PEER_SUBJECT",
    "UPSTREAM_PEER_URI_SAN",
    "UPSTREAM_PROTOCOL",
    "UPSTREAM_REMOTE_ADDRESS",
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT",
    "UPSTREAM_REMOTE_PORT",
    "UPSTREAM_REQUEST_ATTEMPT_COUNT",
    "UPSTREAM_TLS_CIPHER",
    "UPSTREAM_TLS_SESSION_ID",
    "UPSTREAM_TLS_VERSION",
    "UPSTREAM_TRANSPORT_FAILURE_REASON",
    "UPSTREAM_WIRE_BYTES_RECEIVED",
    "UPSTREAM_WIRE_BYTES_SENT",
    "VIRTUAL_CLUSTER_NAME",
];

fn unclosed(at: usize) -> FormatError {
    FormatError::Syntax {
        dialect: "envoy",
        what: "'%' that no '%' closes".to_owned(),
        at,
    }
}

/// The length of `%OPERATOR(arguments):length%` at the start of `text`; the arguments may hold percent signs.
fn operator_len(text: &str) -> Option<usize> {
    let name = 1 + text[1..].find(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))?;
    let mut at = name;
    if text[at..].starts_with('(') {
        at += text[at..].find(')')? + 1;
    }
    if text[at..].starts_with(':') {
        at += 1 + text[at + 1..].find('%')?;
    }
    (name > 1 && text[at..].starts_with('%')).then_some(at + 1)
}

/// Name and arguments of an operator without its percent signs.
fn parts(operator: &str) -> (&str, &str) {
    match operator.split_once('(') {
        Some((name, rest)) => (name, rest.rsplit_once(')').map_or(rest, |(inner, _)| inner)),
        None => (operator.split(':').next().unwrap_or_default(), ""),
    }
}

/// What an operator of a text format is.
fn field(operator: &str) -> Field {
    match meaning(operator) {
        Some(Meaning::TimeAs(shape, marks)) => Field::time(shape, marks),
        Some(Meaning::Time(marks)) => Field::time(TimeShape::Iso, marks),
        Some(Meaning::Field(slot)) => {
            let field = Field::new(slot, wanted(slot));
            // Envoy's lists have no spaces; only what a client sent as X-Forwarded-For may.
            if slot == Slot::ForwardedFor {
                field
            } else if slot == Slot::Error {
                field.shaped(Shape::Braced)
            } else {
                field.shaped(Shape::Until)
            }
        }
        None => Field::skip(),
    }
}

/// What an operator yields; `None` if it is nothing that is kept.
fn meaning(operator: &str) -> Option<Meaning> {
    let (name, argument) = parts(operator);
    let slot = match name {
        "START_TIME" => return Some(start_time(argument)),
        "REQ" | "REQ_WITHOUT_QUERY" => return request_header(argument).map(Meaning::Field),
        "RESP" => return response_header(argument).map(Meaning::Field),
        "COMMON_DURATION" => return common_duration(argument).map(Meaning::Field),
        "PATH" => Slot::Path,
        "RESPONSE_CODE" => Slot::PassedStatus,
        "RESPONSE_FLAGS" | "RESPONSE_FLAGS_LONG" => Slot::Termination,
        "RESPONSE_CODE_DETAILS" => Slot::Error,
        "UPSTREAM_TRANSPORT_FAILURE_REASON" => Slot::Reason,
        "DURATION" => Slot::Duration(unit::MS),
        "RESPONSE_DURATION" => Slot::OtherHeader(unit::MS),
        // Waiting for a connection: mostly the time to make one.
        "UPSTREAM_CONNECTION_POOL_READY_DURATION" => Slot::Connect(unit::MS),
        "BYTES_SENT" => Slot::BytesSent,
        "UPSTREAM_WIRE_BYTES_RECEIVED" => Slot::UpstreamBytes,
        "UPSTREAM_HOST" | "UPSTREAM_REMOTE_ADDRESS" => Slot::UpstreamAddr,
        "UPSTREAM_CLUSTER" | "UPSTREAM_CLUSTER_RAW" => Slot::Group,
        "UPSTREAM_LOCAL_ADDRESS" => Slot::UpstreamLocal,
        "UPSTREAM_REQUEST_ATTEMPT_COUNT" => Slot::Attempts,
        "DOWNSTREAM_LOCAL_ADDRESS" => Slot::Server,
        "DOWNSTREAM_REMOTE_ADDRESS" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS" => Slot::ClientAndPort,
        "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT" | "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT" => {
            Slot::Client
        }
        "DOWNSTREAM_REMOTE_PORT" | "DOWNSTREAM_DIRECT_REMOTE_PORT" => Slot::ClientPort,
        "REQUESTED_SERVER_NAME" => Slot::ServerName,
        "CONNECTION_ID" => Slot::Connection,
        "STREAM_ID" | "TRACE_ID" => Slot::Id(IdKind::Whole),
        _ => return None,
    };
    Some(Meaning::Field(slot))
}

/// How `%START_TIME(format)%` is written; without format ISO with milliseconds.
fn start_time(format: &str) -> Meaning {
    let shape = match format {
        "" => TimeShape::Iso,
        _ if format.starts_with("%s%3f") => TimeShape::EpochMs,
        _ if format.starts_with("%s%6f") => TimeShape::EpochUs,
        _ if format.starts_with("%s") => TimeShape::EpochSeconds,
        _ if format.starts_with("%Y/%m/%d") => TimeShape::Slashed,
        _ if format.starts_with("%d/%b/%Y") => TimeShape::Clf,
        _ => TimeShape::Iso,
    };
    Meaning::TimeAs(shape, Marks::Start)
}

/// `X-ENVOY-ORIGINAL-PATH?:PATH`: the header, else the one after the question mark.
fn request_header(argument: &str) -> Option<Slot> {
    argument.split('?').find_map(|name| {
        Some(match name.to_ascii_lowercase().as_str() {
            ":method" => Slot::Method,
            ":path" | "x-envoy-original-path" => Slot::Path,
            ":authority" | "host" => Slot::Host,
            other => match id::header(other.as_bytes()) {
                Header::Id(kind) => Slot::Id(kind),
                Header::ForwardedFor => Slot::ForwardedFor,
                _ => return None,
            },
        })
    })
}

fn response_header(argument: &str) -> Option<Slot> {
    argument.split('?').find_map(|name| {
        if name.eq_ignore_ascii_case("x-envoy-upstream-service-time") {
            return Some(Slot::Header(unit::MS));
        }
        match id::header(name.as_bytes()) {
            Header::Id(kind) => Some(Slot::Id(kind)),
            _ => None,
        }
    })
}

/// `START:END:PRECISION` of two instants; only pairs that bound a known span are kept.
fn common_duration(argument: &str) -> Option<Slot> {
    let mut parts = argument.split(':');
    let (from, to) = (parts.next()?, parts.next()?);
    let unit = match parts.next() {
        Some("us") => unit::US,
        None | Some("ms") => unit::MS,
        // Nanoseconds are finer than what is kept.
        Some(_) => return None,
    };
    Some(match (from, to) {
        ("DS_RX_BEG", "DS_TX_END") => Slot::Duration(unit),
        ("US_CX_BEG", "US_CX_END" | "US_HS_END") => Slot::Connect(unit),
        ("US_TX_BEG" | "US_CX_BEG", "US_RX_BEG") => Slot::Header(unit),
        ("US_TX_BEG" | "US_CX_BEG", "US_RX_END") => Slot::Response(unit),
        _ => return None,
    })
}

/// The keys of a `json_format`, whose values are operators; what is not one operator alone is not kept.
fn json_fields(text: &str) -> Result<JsonFields, FormatError> {
    let mut fields = JsonFields::new(finish);
    for (path, value, at) in json_strings::flat(text, "envoy")? {
        let Some(operator) = value.strip_prefix('%').and_then(|v| v.strip_suffix('%')) else {
            continue;
        };
        if let Some(meaning) = meaning(operator)
            && !fields.add(&[&path], meaning)
        {
            return Err(syntax("more fields than are read", at));
        }
    }
    if fields.is_timeless() {
        return Err(FormatError::NoTime { dialect: "envoy" });
    }
    Ok(fields)
}

fn syntax(what: &str, at: usize) -> FormatError {
    FormatError::Syntax {
        dialect: "envoy",
        what: what.to_owned(),
        at,
    }
}
