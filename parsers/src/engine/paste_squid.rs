//! Squid `logformat`: text with `%` codes, each with flags, a width and an argument in braces.
//!
//! Source: Squid documentation, `logformat`. `%ts`, `%tl` and `%tg` are when the line was written, `%tS` when the request
//! began; `%tg` carries no offset (seen on version 5.7); times are milliseconds. A width pads with spaces, which do not belong to the value.

use crate::engine::id::{self, Header};
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::squid_codes::finish;
use crate::engine::template::{Builder, Field, Shape, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Marks, Zone};
use crate::error::FormatError;
use crate::format::Product;

/// The formats that Squid defines itself, by name.
pub const NAMED: [(&str, &str); 3] = [
    (
        "squid",
        "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt",
    ),
    (
        "common",
        r#"%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st %Ss:%Sh"#,
    ),
    (
        "combined",
        r#"%>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st "%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh"#,
    ),
];

/// The format called `name` whose lines `text` describes.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(name, Product::Squid, template(text)?))
}

/// The template of a format string, or of a whole `logformat name …` directive.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn template(text: &str) -> Result<Template, FormatError> {
    let text = text.trim();
    let text = match text.strip_prefix("logformat ") {
        // The name comes first, then the format without quotes.
        Some(rest) => rest
            .trim_start()
            .split_once(char::is_whitespace)
            .map_or(rest, |(_, format)| format),
        None => text,
    };
    let (_, text) = unquote(text.trim(), "logformat");
    let text = NAMED
        .iter()
        .find(|(name, _)| *name == text)
        .map_or(text.as_str(), |(_, format)| *format);
    // Two codes make one time.
    let text = ["%ts.%03tu", "%ts.%tu"]
        .iter()
        .fold(text.to_owned(), |text, pair| text.replace(pair, "%{}tsms"));
    let text = text.replace("%<a:%<p", "%{}peer").replace("%>a:%>p", "%{}client");
    // The error number stands in the detail, and what the code means may rest on it.
    let text = text.replace("%err_code/%err_detail", "%{}failure");
    let mut builder = Builder::new("squid", Escape::None);
    // `%tg` is Greenwich time and does not say so.
    let is_utc = text.contains("tg") && !text.contains("tl");
    builder.finish_with(if is_utc { finish_utc } else { finish });
    let mut at = 0;
    while let Some(percent) = text[at..].find('%').map(|found| at + found) {
        builder.literal(&text.as_bytes()[at..percent]);
        if text[percent + 1..].starts_with('%') {
            builder.literal(b"%");
            at = percent + 2;
            continue;
        }
        let (code, used) = code(&text[percent..]).ok_or_else(|| FormatError::Syntax {
            dialect: "squid",
            what: "'%' without a code".to_owned(),
            at: percent,
        })?;
        builder.field(code.field(), &text[percent..percent + used]);
        at = percent + used;
    }
    builder.literal(&text.as_bytes()[at..]);
    builder.build()
}

fn finish_utc(entry: &mut Entry<'_>) {
    if let Some(stamp) = &mut entry.time {
        stamp.zone = Zone::Known;
    }
    finish(entry);
}

/// The names of the codes.
pub(crate) fn variables(text: &str) -> Vec<String> {
    let text = text.replace("%%", "");
    text.match_indices('%')
        .filter_map(|(at, _)| code(&text[at..]))
        .map(|(code, _)| code.name.to_owned())
        .collect()
}

/// The codes that Squid has. Source: its documentation, `logformat`.
pub(crate) const KNOWN: &[&str] = &[
    "sn",
    ">a",
    ">A",
    ">p",
    ">eui",
    ">la",
    ">lp",
    ">qos",
    ">nfmark",
    ">handshake",
    "la",
    "lp",
    "<a",
    "<A",
    "<p",
    "<la",
    "<lp",
    "<qos",
    "<nfmark",
    "transport::>connection_id",
    "ts",
    "tu",
    "tl",
    "tg",
    "tr",
    "dt",
    "tS",
    "busy_time",
    "un",
    "ul",
    "ue",
    "ui",
    "us",
    "un",
    "credentials",
    "Hs",
    ">Hs",
    "<Hs",
    "<h",
    ">h",
    ">ha",
    "mt",
    "rm",
    ">rm",
    "<rm",
    "ru",
    ">ru",
    "<ru",
    ">rs",
    "<rs",
    ">rd",
    "<rd",
    ">rP",
    "<rP",
    "rp",
    ">rp",
    "<rp",
    "rd",
    "rs",
    "rP",
    "rv",
    ">rv",
    "<rv",
    "rG",
    "<rh",
    ">st",
    ">sh",
    "<st",
    "<sH",
    "<sS",
    "sH",
    "sS",
    "st",
    ">bs",
    "<bs",
    "<pt",
    "<tt",
    "Ss",
    "Sh",
    "err_code",
    "err_detail",
    "note",
    "external_acl_name",
    "et",
    "ea",
    "icap::tt",
    "icap::<last_h",
    "icap::tr",
    "icap::tio",
    "icap::to",
    "icap::Hs",
    "icap::ru",
    "icap::rm",
    "icap::<st",
    "icap::>st",
    "icap::<bs",
    "icap::>h",
    "icap::<h",
    "adapt::all_trs",
    "adapt::sum_trs",
    "adapt::<last_h",
    "ssl::>sni",
    "ssl::bump_mode",
    "ssl::>cert_subject",
    "ssl::>cert_issuer",
    "ssl::<cert_subject",
    "ssl::<cert_issuer",
    "ssl::<cert_errors",
    "ssl::<cert",
    "ssl::>negotiated_version",
    "ssl::<negotiated_version",
    "ssl::>received_hello_version",
    "ssl::<received_hello_version",
    "ssl::>received_supported_version",
    "ssl::<received_supported_version",
    "ssl::>negotiated_cipher",
    "ssl::<negotiated_cipher",
    "master_xaction",
    "request_attempts",
    "proxy_protocol::>h",
];

/// One code of a format string.
struct Code<'t> {
    name: &'t str,
    argument: &'t str,
}

/// The code at the start of `text`, after its `%`, and how long it is with that.
fn code(text: &str) -> Option<(Code<'_>, usize)> {
    // Quoting, then alignment, width and precision.
    let is_flag = |c: char| matches!(c, '"' | '\'' | '[' | '#' | '/' | '-' | '.') || c.is_ascii_digit();
    let mut used = 1 + text[1..].find(|c| !is_flag(c))?;
    let mut argument = "";
    let mut take_argument = |used: &mut usize| {
        if let Some(rest) = text[*used..].strip_prefix('{')
            && let Some(end) = rest.find('}')
        {
            argument = &rest[..end];
            *used += end + 2;
        }
    };
    take_argument(&mut used);
    let start = used;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '<' | '>' | '_' | ':');
    let mut len = text[start..].find(|c| !is_name(c)).unwrap_or(text.len() - start);
    // A colon belongs to a name only between its words (`ssl::>sni`).
    if let Some(colon) = text[start..start + len].find(':')
        && !text[start + colon..].starts_with("::")
    {
        len = colon;
    }
    used += len;
    take_argument(&mut used);
    (len > 0).then(|| {
        (
            Code {
                name: &text[start..start + len],
                argument,
            },
            used,
        )
    })
}

impl Code<'_> {
    fn field(&self) -> Field {
        let slot = match self.name {
            "tsms" | "ts" => return Field::time(TimeShape::EpochSeconds, Marks::End),
            "tS" => return Field::time(TimeShape::EpochSeconds, Marks::Start),
            "tl" | "tg" if self.argument.is_empty() => return Field::time(TimeShape::Clf, Marks::End),
            ">a" | ">A" => Slot::Client,
            ">p" => Slot::ClientPort,
            "client" => Slot::ClientAndPort,
            "la" | ">la" => Slot::Server,
            "<a" | "peer" => Slot::UpstreamAddr,
            "<A" => Slot::UpstreamServer,
            "<la" => Slot::UpstreamLocal,
            "tr" => Slot::Duration(unit::MS),
            "<tt" => Slot::Response(unit::MS),
            "Ss" => Slot::Termination,
            ">Hs" => Slot::Status,
            "Hs" => Slot::OtherStatus,
            "<Hs" => Slot::UpstreamStatus,
            "<st" => Slot::BytesSent,
            "rm" | ">rm" => Slot::Method,
            "ru" | ">ru" | "rp" | ">rp" => Slot::Path,
            "rd" | ">rd" => Slot::ServerName,
            "err_code" | "failure" => Slot::Error,
            "ssl::>sni" => Slot::ServerName,
            ">h" | "<h" | "note" => {
                match id::header(self.argument.split(':').next().unwrap_or_default().as_bytes()) {
                    Header::Id(kind) => Slot::Id(kind),
                    Header::Host if self.name == ">h" => Slot::Host,
                    Header::ForwardedFor if self.name == ">h" => Slot::ForwardedFor,
                    _ => Slot::Skip,
                }
            }
            _ => Slot::Skip,
        };
        let field = Field::new(slot, wanted(slot));
        if slot == Slot::ForwardedFor {
            field
        } else {
            field.shaped(Shape::Padded)
        }
    }
}
