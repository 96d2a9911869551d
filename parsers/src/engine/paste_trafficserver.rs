//! Traffic Server log formats: text with `%<field>` and `%<{Header}field>`.
//!
//! `cqtq`, `cqts` and `cqtn` are when the request began; `ttms` and `ttmsf` how long it took, `stms` the time with the server; `crc` is
//! the result code, `pssc` the status sent, `sssc` the server's; `cqtx` the request line as it was remapped.
//! Source: Traffic Server documentation, "Log fields" and "logging.yaml".

use crate::engine::id::{self, Header, IdKind};
use crate::engine::paste_nginx::wanted;
use crate::engine::quoted::unquote;
use crate::engine::slot::{Slot, unit};
use crate::engine::template::{Builder, Field, Template, TemplateFormat, TimeShape};
use crate::entry::{Entry, Escape, Marks};
use crate::error::FormatError;
use crate::format::Product;

/// The formats that Traffic Server's own configuration defines, by name.
pub const NAMED: [(&str, &str); 4] = [
    (
        "squid",
        "%<cqtq> %<ttms> %<chi> %<crc>/%<pssc> %<psql> %<cqhm> %<pquc> %<caun> %<phr>/%<shn> %<psct>",
    ),
    (
        "common",
        r#"%<chi> - %<caun> [%<cqtn>] "%<cqtx>" %<pssc> %<pscl>"#,
    ),
    (
        "extended",
        r#"%<chi> - %<caun> [%<cqtn>] "%<cqtx>" %<pssc> %<pscl> %<sssc> %<sscl> %<cqcl> %<pqcl> %<cqhl> %<pshl> %<pqhl> %<sshl> %<tts>"#,
    ),
    (
        "extended2",
        r#"%<chi> - %<caun> [%<cqtn>] "%<cqtx>" %<pssc> %<pscl> %<sssc> %<sscl> %<cqcl> %<pqcl> %<cqhl> %<pshl> %<pqhl> %<sshl> %<tts> %<phr> %<cfsc> %<pfsc> %<crc>"#,
    ),
];

/// The fields that Traffic Server has, those with a header's name before them included.
pub const KNOWN: &[&str] = &[
    "caun", "ccid", "cfsc", "chi", "chih", "chm", "chp", "cqah", "cqcl", "cqh", "cqhl", "cqhm", "cqhv",
    "cqint", "cqpv", "cqql", "cqssa", "cqssc", "cqssl", "cqssr", "cqssv", "cqtd", "cqth", "cqtn", "cqtq",
    "cqtr", "cqts", "cqtt", "cqtx", "cqu", "cquc", "cqup", "cqus", "cquuc", "cquuh", "cquup", "crat", "crc",
    "crec", "crid", "crsc", "cruuid", "csscl", "cssah", "cssh", "csshl", "csshv", "cssql", "csssc", "ctec",
    "ctid", "ctpd", "ctpw", "cwr", "cwtr", "ecqh", "ecssh", "epqh", "epsh", "essh", "fsiz", "hii", "hiih",
    "ms", "msdms", "nhi", "nhp", "pfsc", "phn", "phi", "php", "phr", "piid", "pitag", "ppd", "pps", "ppv",
    "pqah", "pqcl", "pqh", "pqhl", "pqql", "pqsi", "pqsn", "pqsp", "pqssl", "pscert", "pqu", "pquc", "pqup",
    "pqus", "pquuc", "pquuh", "pquup", "prcb", "prrp", "psah", "pscl", "psct", "psh", "pshl", "psql", "pssc",
    "puuid", "sca", "shi", "shn", "sqpv", "ssah", "sscl", "ssh", "sshl", "sshv", "ssql", "sssc", "sstc",
    "stms", "stmsf", "stmsh", "sts", "ttms", "ttmsf", "ttmsh", "tts",
];

/// The format called `name` whose lines `text` describes; `finish` is called on each entry.
///
/// # Errors
/// See [`crate::paste::compile`].
pub fn format(name: &str, text: &str, finish: fn(&mut Entry<'_>)) -> Result<TemplateFormat, FormatError> {
    Ok(TemplateFormat::new(
        name,
        Product::TrafficServer,
        template(text, finish)?,
    ))
}

/// The names of the fields.
pub(crate) fn variables(text: &str) -> Vec<String> {
    text.split("%<")
        .skip(1)
        .filter_map(|rest| rest.split_once('>'))
        .map(|(field, _)| parts(field).1.to_owned())
        .collect()
}

fn template(text: &str, finish: fn(&mut Entry<'_>)) -> Result<Template, FormatError> {
    let (_, text) = unquote(text, "format:");
    let text = text.trim();
    let text = NAMED
        .iter()
        .find(|(name, _)| *name == text)
        .map_or(text, |(_, format)| *format);
    let text = text.replace("%<nhi>:%<nhp>", "%<next_hop>");
    let mut builder = Builder::new("trafficserver", Escape::None);
    builder.raw_quotes();
    builder.finish_with(finish);
    let mut rest = text.as_str();
    while let Some(open) = rest.find("%<") {
        builder.literal(&rest.as_bytes()[..open]);
        let inner = &rest[open + 2..];
        let Some(end) = inner.find('>') else {
            return Err(FormatError::Syntax {
                dialect: "trafficserver",
                what: "'%<' without '>'".to_owned(),
                at: text.len() - rest.len() + open,
            });
        };
        builder.field(field(&inner[..end]), &rest[open..open + end + 3]);
        rest = &inner[end + 1..];
    }
    builder.literal(rest.as_bytes());
    builder.build()
}

/// Header and name of a field, aggregates and slices taken off.
fn parts(field: &str) -> (&str, &str) {
    let (header, name) = match field.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
        Some((header, name)) => (header, name),
        None => ("", field),
    };
    (header, name.split('[').next().unwrap_or_default())
}

fn field(written: &str) -> Field {
    let (header, name) = parts(written);
    let slot = match name {
        "cqtq" | "cqts" => return Field::time(TimeShape::EpochSeconds, Marks::Start),
        "cqtn" => return Field::time(TimeShape::Clf, Marks::Start),
        "chi" => Slot::Client,
        "chp" => Slot::ClientPort,
        "hii" => Slot::Server,
        "cqtx" => Slot::Request,
        "cqhm" => Slot::Method,
        // What the client asked for goes before what was made of it.
        "cqu" | "cquc" | "cquuc" | "pqu" | "pquc" | "cqup" | "cquup" => Slot::Path,
        "cquuh" => Slot::ServerName,
        "pssc" => Slot::Status,
        "sssc" => Slot::UpstreamStatus,
        "psql" | "pscl" => Slot::BytesSent,
        "ttms" => Slot::Duration(unit::MS),
        "ttmsf" | "tts" => Slot::OtherDuration(unit::S),
        "stms" => Slot::Response(unit::MS),
        "crc" => Slot::Termination,
        "next_hop" | "nhi" | "shi" => Slot::UpstreamAddr,
        "shn" => Slot::UpstreamServer,
        "sca" => Slot::Attempts,
        "cruuid" => Slot::Id(IdKind::Whole),
        "ccid" => Slot::Connection,
        "cqh" | "ecqh" | "pqh" | "epqh" => match id::header(header.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            Header::Host => Slot::Host,
            Header::ForwardedFor => Slot::ForwardedFor,
            Header::Other => Slot::Skip,
        },
        "psh" | "epsh" | "ssh" | "essh" => match id::header(header.as_bytes()) {
            Header::Id(kind) => Slot::Id(kind),
            _ => Slot::Skip,
        },
        _ => Slot::Skip,
    };
    Field::new(slot, wanted(slot))
}
