//! Templates of Caddy's `transform` encoder: text with `{key>key}` placeholders, alternatives parted by colons.
//!
//! Keys are those of the JSON log; `[0]` is the first element of a list. A value that is missing is a dash unless `placeholder`
//! says otherwise. Strings keep JSON's escapes unless `unescape_strings` is set. `{common_log}` is the common log format.
//! Times are UTC unless `time_local` is set. Source: see [`super::caddy_encoder`].

use crate::engine::caddy_encoder::Encoder;
use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TimeShape};
use crate::engine::time_layout::Layout;
use crate::entry::{Entry, Escape, Marks, Zone};
use crate::error::FormatError;

const COMMON_LOG: &str = r#"{request>remote_ip} - {user_id} [{ts}] "{request>method} {request>uri} {request>proto}" {status} {size}"#;

/// Keys of the JSON log of requests, as placeholders name them.
pub const KNOWN: &[&str] = &[
    "level",
    "ts",
    "logger",
    "msg",
    "common_log",
    "request>remote_ip",
    "request>remote_port",
    "request>client_ip",
    "request>proto",
    "request>method",
    "request>host",
    "request>uri",
    "bytes_read",
    "user_id",
    "duration",
    "size",
    "status",
    "err_id",
    "err_trace",
    "uuid",
];

/// The template of `text`, with the options of `encoder`.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str, encoder: &Encoder) -> Result<Template, FormatError> {
    let is_common = text.contains("{common_log}");
    let mut text = text.replace("{common_log}", COMMON_LOG);
    if !text.contains("request>remote_ip") {
        // Where only the address behind trusted proxies is logged, it is the only one there is.
        text = text.replace("{request>client_ip}", "{request>remote_ip}");
    }
    let common = is_common && encoder.time_format.is_empty();
    let time_format = if common {
        "common_log"
    } else {
        &encoder.time_format
    };
    let escape = if encoder.unescape {
        Escape::None
    } else {
        Escape::Json
    };
    let mut builder = Builder::new("caddy", escape);
    if escape == Escape::None {
        builder.raw_quotes();
    }
    builder.finish_with(if encoder.time_local { |_| {} } else { in_utc });
    let mut rest = text.as_str();
    while let Some(open) = rest.find('{') {
        builder.literal(&rest.as_bytes()[..open]);
        let inner = &rest[open + 1..];
        let end = inner.find('}').ok_or_else(|| FormatError::Syntax {
            dialect: "caddy",
            what: "'{' without '}'".to_owned(),
            at: text.len() - rest.len() + open,
        })?;
        let name = &inner[..end];
        builder.field(field(name, time_format)?, &format!("{{{name}}}"));
        rest = &inner[end + 1..];
    }
    builder.literal(rest.as_bytes());
    builder.build()
}

/// The keys in placeholders, those of headers left out.
pub(crate) fn variables(text: &str) -> Vec<String> {
    let of_header = |name: &&str| name.contains("headers>") || name.starts_with("request>tls>");
    text.split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .flat_map(|(name, _)| name.split(':'))
        .filter(|name| !name.is_empty() && !name.contains(['\n', '"', ' ']))
        .filter(|name| !of_header(name))
        .map(str::to_owned)
        .collect()
}

fn in_utc(entry: &mut Entry<'_>) {
    if let Some(stamp) = &mut entry.time {
        stamp.zone = Zone::Known;
    }
}

/// The field of a placeholder: that of the first alternative that is kept.
fn field(placeholder: &str, time_format: &str) -> Result<Field, FormatError> {
    for name in placeholder.split(':') {
        if name == "ts" {
            return Ok(Field::time(time_shape(time_format)?, Marks::End));
        }
        let slot = slot(name);
        if slot != Slot::Skip {
            return Ok(Field::new(slot, wanted(slot)));
        }
    }
    Ok(Field::skip())
}

fn slot(name: &str) -> Slot {
    let header = |name: &str, of_request: bool| {
        // Without the index the whole list is written, brackets and all.
        let Some(name) = name.strip_suffix(">[0]") else {
            return Slot::Skip;
        };
        match id::header(name.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            Header::Host if of_request => Slot::Host,
            Header::ForwardedFor if of_request => Slot::ForwardedFor,
            _ => Slot::Skip,
        }
    };
    match name {
        "request>remote_ip" => Slot::Client,
        "request>remote_port" => Slot::ClientPort,
        "request>remote_addr" => Slot::ClientAndPort,
        "request>method" => Slot::Method,
        "request>host" => Slot::Host,
        "request>uri" => Slot::Path,
        "duration" => Slot::Duration(unit::S),
        "size" => Slot::BytesSent,
        "status" => Slot::Status,
        "level" => Slot::Level,
        "error" => Slot::Error,
        "uuid" | "traceID" => Slot::Id(id::IdKind::Whole),
        _ => match (
            name.strip_prefix("request>headers>"),
            name.strip_prefix("resp_headers>"),
        ) {
            (Some(name), _) => header(name, true),
            (_, Some(name)) => header(name, false),
            _ => Slot::Skip,
        },
    }
}

/// How a time is written, by Caddy's name for it or a Go layout.
fn time_shape(format: &str) -> Result<TimeShape, FormatError> {
    Ok(match format {
        "" | "unix_seconds_float" => TimeShape::EpochSeconds,
        "iso8601" | "rfc3339" | "rfc3339_nano" => TimeShape::Iso,
        "wall" | "wall_milli" | "wall_nano" => TimeShape::Slashed,
        "common_log" => TimeShape::Clf,
        other => {
            let error = || FormatError::Syntax {
                dialect: "caddy",
                what: format!("the time_format '{other}' is not read"),
                at: 0,
            };
            let layout = of_go(other).ok_or_else(error)?;
            match layout.as_str() {
                "%d/%b/%Y:%H:%M:%S %z" => TimeShape::Clf,
                layout => TimeShape::Layout(Layout::new(layout).map_err(|_| error())?),
            }
        }
    })
}

/// A layout of Go, where a certain instant shows how times are written, in strftime's letters. `None` if a digit is left
/// that stands for nothing.
fn of_go(layout: &str) -> Option<String> {
    const PARTS: [(&str, &str); 19] = [
        ("2006", "%Y"),
        ("Jan", "%b"),
        ("Mon", "%a"),
        ("Z07:00", "%z"),
        ("-07:00", "%z"),
        ("Z0700", "%z"),
        ("-0700", "%z"),
        ("01", "%m"),
        ("02", "%d"),
        ("_2", "%e"),
        ("15", "%H"),
        ("04", "%M"),
        ("05", "%S"),
        (".000000000", "%.f"),
        (".000000", "%.f"),
        (".000", "%.f"),
        (".999999999", "%.f"),
        (".999999", "%.f"),
        (".999", "%.f"),
    ];
    let (mut out, mut rest) = (String::new(), layout);
    while let Some(first) = rest.chars().next() {
        if let Some((go, strftime)) = PARTS.iter().find(|(go, _)| rest.starts_with(go)) {
            out.push_str(strftime);
            rest = &rest[go.len()..];
            continue;
        }
        if first.is_ascii_digit() || first == '%' {
            return None;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_of_go_become_strftimes() {
        assert_eq!(
            of_go("02/Jan/2006:15:04:05 -0700").as_deref(),
            Some("%d/%b/%Y:%H:%M:%S %z")
        );
        assert_eq!(
            of_go("2006-01-02 15:04:05.000").as_deref(),
            Some("%Y-%m-%d %H:%M:%S%.f")
        );
        assert_eq!(of_go("3:04PM"), None);
    }
}
