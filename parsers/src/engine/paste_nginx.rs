//! nginx `log_format`: text with `$variables`.
//!
//! Source: nginx documentation, `ngx_http_log_module`, `ngx_http_upstream_module` and the list of
//! embedded variables. Times are seconds with milliseconds; the time of a line is when it was written.

use crate::engine::id::{self, Header};
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Shape, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Fault, Marks, Phase, Signal};
use crate::error::FormatError;
use crate::format::Product;

/// nginx's built-in format.
pub const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Nginx, template(text)?))
}

/// The template of a format string.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    let (options, mut text) = unquote(text, "log_format");
    if text.trim() == "combined" {
        COMBINED.clone_into(&mut text);
    }
    let (escape, text) = escape(&options, &text);
    let mut builder = Builder::new("nginx", escape);
    if escape == Escape::None {
        builder.raw_quotes();
    }
    builder.signal_with(finish);
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let dollar = memchr::memchr(b'$', &bytes[at..]).map_or(bytes.len(), |n| at + n);
        builder.literal(&bytes[at..dollar]);
        if dollar == bytes.len() {
            break;
        }
        let (name, next) = variable(text, dollar)?;
        match name {
            Some(name) => builder.field(field(name), &format!("${name}")),
            None => builder.literal(b"$"),
        }
        at = next;
    }
    builder.build()
}

/// The escaping asked for, by the directive's option or by a leading `escape=json`.
fn escape<'t>(options: &str, text: &'t str) -> (Escape, &'t str) {
    let mut text = text.trim();
    let mut named = options
        .split_whitespace()
        .find_map(|word| word.strip_prefix("escape="));
    if let Some(rest) = text.strip_prefix("escape=") {
        let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        named = Some(word);
        text = after.trim_start();
    }
    let escape = match named {
        Some("json") => Escape::Json,
        Some("none") => Escape::None,
        _ => Escape::Backslash,
    };
    (escape, text)
}

/// The name of the variable at `dollar` (`$name` or `${name}`) and where the text goes on. A lone `$` has none.
fn variable(text: &str, dollar: usize) -> Result<(Option<&str>, usize), FormatError> {
    let rest = &text[dollar + 1..];
    if let Some(braced) = rest.strip_prefix('{') {
        let Some(end) = braced.find('}') else {
            return Err(FormatError::Syntax {
                dialect: "nginx",
                what: "'${' without '}'".to_owned(),
                at: dollar,
            });
        };
        return Ok((Some(&braced[..end]), dollar + 2 + end + 1));
    }
    let len = rest
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
        .count();
    Ok(((len > 0).then(|| &rest[..len]), dollar + 1 + len))
}

/// What a variable is.
fn field(name: &str) -> Field {
    let slot = match name {
        "time_local" => return Field::time(TimeShape::Clf, Marks::End),
        "time_iso8601" => return Field::time(TimeShape::Iso, Marks::End),
        "msec" => return Field::time(TimeShape::EpochSeconds, Marks::End),
        "remote_addr" | "binary_remote_addr" | "realip_remote_addr" => Slot::Client,
        "remote_port" | "realip_remote_port" => Slot::ClientPort,
        "proxy_add_x_forwarded_for" => Slot::ForwardedFor,
        "request" => Slot::Request,
        "request_method" => Slot::Method,
        "request_uri" | "uri" | "document_uri" => Slot::Path,
        "args" | "query_string" => Slot::Query,
        "host" => Slot::Host,
        "server_name" => Slot::ServerName,
        "server_addr" => Slot::Server,
        "status" => Slot::Status,
        "bytes_sent" | "body_bytes_sent" => Slot::BytesSent,
        "request_time" => Slot::Duration(unit::S),
        "upstream_addr" => Slot::UpstreamAddr,
        "upstream_status" => Slot::UpstreamStatus,
        "upstream_connect_time" => Slot::UpstreamConnect(unit::S),
        "upstream_header_time" => Slot::UpstreamHeader(unit::S),
        "upstream_response_time" => Slot::UpstreamResponse(unit::S),
        "upstream_bytes_received" | "upstream_response_length" => Slot::UpstreamBytes,
        "proxy_host" | "upstream_name" | "proxy_upstream_name" => Slot::Group,
        "connection" => Slot::Connection,
        "connection_requests" => Slot::ConnectionRequests,
        "pid" => Slot::Pid,
        "request_id" | "req_id" | "kong_request_id" => Slot::Id(id::IdKind::Whole),
        _ => return header_field(name),
    };
    Field::new(slot, wanted(slot))
}

/// `$http_x`, `$sent_http_x`, `$upstream_http_x`, or a variable of the configuration's own.
fn header_field(name: &str) -> Field {
    let response = name
        .strip_prefix("sent_http_")
        .or_else(|| name.strip_prefix("upstream_http_"));
    let slot = match (name.strip_prefix("http_"), response) {
        (Some(header), _) => match id::header(header.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            Header::Host => Slot::Host,
            Header::ForwardedFor => Slot::ForwardedFor,
            Header::Other => Slot::Skip,
        },
        (None, Some(header)) => match id::header(header.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            _ => Slot::Skip,
        },
        (None, None) => match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            _ => Slot::Skip,
        },
    };
    let field = Field::new(slot, wanted(slot));
    // Upstream response headers come as lists too, one value per attempt.
    if name.starts_with("upstream_") {
        field.shaped(Shape::List)
    } else {
        field
    }
}

/// What an error calls a field of this meaning.
pub(crate) const fn wanted(slot: Slot) -> &'static str {
    match slot {
        Slot::Duration(_) | Slot::OtherDuration(_) => "duration",
        Slot::Request => "request line",
        Slot::Status | Slot::OtherStatus | Slot::PassedStatus => "status",
        Slot::BytesSent => "byte count",
        Slot::Client | Slot::ClientAndPort | Slot::ClientPort => "client",
        Slot::Queue(_) => "queue time",
        Slot::Connect(_) | Slot::UpstreamConnect(_) => "connect time",
        Slot::Header(_) | Slot::OtherHeader(_) | Slot::UpstreamHeader(_) => "header time",
        Slot::Response(_) | Slot::UpstreamResponse(_) => "response time",
        Slot::UpstreamAddr | Slot::UpstreamServer => "upstream address",
        Slot::UpstreamStatus => "upstream status",
        Slot::UpstreamBytes => "upstream byte count",
        Slot::Group => "upstream group",
        Slot::Id(_) => "id",
        Slot::Host | Slot::ServerName => "host",
        Slot::Termination => "termination state",
        Slot::Captures => "captured headers",
        _ => "field",
    }
}

/// 499 is nginx's own number for a client that went away.
pub(crate) fn finish(entry: &mut Entry<'_>) {
    if entry.status == Some(499) {
        entry.signal = Some(Signal::new(Phase::Client, Fault::ClientGone));
    }
}
