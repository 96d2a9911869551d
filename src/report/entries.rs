//! Records of `why502 parse`: NDJSON and CSV, the fields in the order of [`FIELDS`].

use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

use why502_parsers::Entry;
use why502_parsers::fields::{AttemptPart, FIELDS, Value, write_rfc3339};

use super::{escape, json};

/// The fields that say where a record stands; they go before [`FIELDS`].
pub const PLACE_FIELDS: &[(&str, &str, &str)] = &[
    ("file", "text", "path of the file, as reports name it"),
    ("line", "number", "line of the record, from 1"),
    (
        "offset",
        "bytes",
        "where that line begins, in the decompressed file",
    ),
    ("hop", "text", "name of the hop"),
    ("format", "text", "format that the file was read as"),
    ("product", "text", "program that wrote it"),
];

/// How records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryFormat {
    /// One object a line; fields of which a record says nothing are left out.
    NdJson,
    /// One row a record under a row of names (RFC 4180); lists are parted by spaces. Control characters are written out, so
    /// that a row is a line.
    Csv,
}

/// A record and where it stands.
pub struct Row<'r, 'a> {
    /// Path of the file as reports name it.
    pub file: &'r str,
    /// Line, from 1.
    pub line: u64,
    /// Byte offset of the line.
    pub offset: u64,
    /// Name of the hop.
    pub hop: &'r str,
    /// Name of the format.
    pub format: &'r str,
    /// Program that wrote it.
    pub product: &'r str,
    /// The record, its stamp as it is to be written.
    pub entry: &'r Entry<'a>,
}

impl EntryFormat {
    /// The format called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "ndjson" | "jsonl" | "json" => Some(Self::NdJson),
            "csv" => Some(Self::Csv),
            _ => None,
        }
    }

    /// The format of files named like `path`.
    pub fn by_extension(path: &Path) -> Option<Self> {
        Self::by_name(&path.extension()?.to_str()?.to_ascii_lowercase())
    }

    /// Appends what stands before the first record.
    pub fn begin(self, out: &mut Vec<u8>) {
        if self == Self::Csv {
            let places = PLACE_FIELDS.iter().map(|(name, _, _)| *name);
            let names: Vec<&str> = places.chain(FIELDS.iter().map(|field| field.name)).collect();
            out.extend_from_slice(names.join(",").as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Appends a record.
    pub fn row(self, row: &Row<'_, '_>, out: &mut Vec<u8>) {
        match self {
            Self::NdJson => object(row, out),
            Self::Csv => cells(row, out),
        }
    }
}

/// The JSON Schema of a record as NDJSON: every field with its kind and what it says. Nothing is required but the place:
/// a field of which a record says nothing is left out.
pub fn schema() -> serde_json::Value {
    let fields = FIELDS.iter().map(|field| (field.name, field.holds, field.what));
    let mut properties = serde_json::Map::new();
    for (name, holds, what) in PLACE_FIELDS.iter().copied().chain(fields) {
        let mut property = kind(holds);
        property["description"] = format!("{what} ({holds})").into();
        properties.insert(name.to_owned(), property);
    }
    let places: Vec<&str> = PLACE_FIELDS.iter().map(|(name, ..)| *name).collect();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "why502.entry.v1",
        "type": "object",
        "properties": properties,
        "required": places,
        "additionalProperties": false,
    })
}

/// The JSON type of what a field is said to hold.
fn kind(holds: &str) -> serde_json::Value {
    let count = serde_json::json!({"type": "integer", "minimum": 0});
    match holds {
        "list of texts" => serde_json::json!({"type": "array", "items": {"type": "string"}}),
        _ if holds.starts_with("list of ") => {
            serde_json::json!({"type": "array", "items": {"type": ["integer", "null"], "minimum": 0}})
        }
        "number" | "bytes" | "microseconds" => count,
        "true or false" => serde_json::json!({"type": "boolean"}),
        _ if holds.starts_with("instant") => serde_json::json!({"type": "string", "format": "date-time"}),
        _ => serde_json::json!({"type": "string"}),
    }
}

fn number(n: impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector does not fail.
    let _ = write!(out, "{n}");
}

fn object(row: &Row<'_, '_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"file\":");
    json::write_text(row.file, out);
    out.extend_from_slice(b",\"line\":");
    number(row.line, out);
    out.extend_from_slice(b",\"offset\":");
    number(row.offset, out);
    for (key, text) in [("hop", row.hop), ("format", row.format), ("product", row.product)] {
        key_of(key, out);
        json::write_text(text, out);
    }
    for field in FIELDS {
        let value = (field.get)(row.entry);
        if value.is_filled() {
            key_of(field.name, out);
            json_value(&value, row.entry, out);
        }
    }
    out.extend_from_slice(b"}\n");
}

fn key_of(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn json_value(value: &Value<'_>, entry: &Entry<'_>, out: &mut Vec<u8>) {
    match value {
        Value::None => out.extend_from_slice(b"null"),
        Value::Text(text) => json::write_text(&entry.escape.decode(text), out),
        Value::Word(word) => json::write_text(word, out),
        Value::Number(n) => number(n, out),
        Value::One(n) => list(std::iter::once(n), out, number),
        Value::Flag(flag) => number(flag, out),
        Value::Time(us) => {
            out.push(b'"');
            write_rfc3339(*us, out);
            out.push(b'"');
        }
        Value::Ids(ids) => {
            let texts = ids.as_slice().iter().map(|id| entry.escape.decode(id));
            list(texts, out, |text, out| json::write_text(&text, out));
        }
        Value::Attempts(upstream, AttemptPart::Addr) => {
            let texts = upstream
                .attempts()
                .map(|attempt| entry.escape.decode(attempt.addr));
            list(texts, out, |text, out| json::write_text(&text, out));
        }
        Value::Attempts(upstream, part) => list(part.numbers(upstream), out, |n, out| match n {
            Some(n) => number(n, out),
            None => out.extend_from_slice(b"null"),
        }),
    }
}

fn list<T>(items: impl Iterator<Item = T>, out: &mut Vec<u8>, mut put: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        put(item, out);
    }
    out.push(b']');
}

fn cells(row: &Row<'_, '_>, out: &mut Vec<u8>) {
    cell(row.file, out);
    out.push(b',');
    number(row.line, out);
    out.push(b',');
    number(row.offset, out);
    for text in [row.hop, row.format, row.product] {
        out.push(b',');
        cell(text, out);
    }
    for field in FIELDS {
        out.push(b',');
        csv_value(&(field.get)(row.entry), row.entry, out);
    }
    out.extend_from_slice(b"\r\n");
}

fn csv_value(value: &Value<'_>, entry: &Entry<'_>, out: &mut Vec<u8>) {
    match value {
        Value::None => {}
        Value::Text(text) => cell(&entry.escape.decode(text), out),
        Value::Word(word) => cell(word, out),
        Value::Number(n) | Value::One(n) => number(n, out),
        Value::Flag(flag) => number(flag, out),
        Value::Time(us) => write_rfc3339(*us, out),
        Value::Ids(ids) => {
            let texts: Vec<Cow<'_, str>> = ids.as_slice().iter().map(|id| entry.escape.decode(id)).collect();
            cell(&texts.join(" "), out);
        }
        Value::Attempts(upstream, AttemptPart::Addr) => {
            let texts: Vec<Cow<'_, str>> = upstream
                .attempts()
                .map(|attempt| entry.escape.decode(attempt.addr))
                .collect();
            cell(&texts.join(" "), out);
        }
        Value::Attempts(upstream, part) => {
            for (at, n) in part.numbers(upstream).enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                match n {
                    Some(n) => number(n, out),
                    None => out.push(b'-'),
                }
            }
        }
    }
}

/// Text as a cell: in quotes where it holds what parts cells; what would act on a terminal or begin a line is written out.
fn cell(text: &str, out: &mut Vec<u8>) {
    let text = escape::terminal(text);
    if !text.bytes().any(|byte| matches!(byte, b',' | b'"')) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use why502_parsers::entry::{Escape, Stamp};

    fn written(format: EntryFormat) -> String {
        let mut entry = Entry {
            time: Some(Stamp {
                us: 1_795_168_805_123_000,
                resolution_us: 1000,
                zone: Default::default(),
                marks: Default::default(),
            }),
            path: br#"/a,\x22b\x1b"#,
            status: Some(502),
            escape: Escape::Backslash,
            ..Entry::default()
        };
        entry.upstream.addr = b"10.0.0.3:80, 10.0.0.4:80";
        entry.upstream.connect = b"-, 0.001";
        entry.upstream.unit_us = 1_000_000;
        entry.ids.push(b"i1");
        let row = Row {
            file: "logs/a.log",
            line: 7,
            offset: 99,
            hop: "edge",
            format: "nginx",
            product: "nginx",
            entry: &entry,
        };
        let mut out = Vec::new();
        format.row(&row, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_as_json_has_the_fields_it_says_and_no_raw_control_character() {
        let text = written(EntryFormat::NdJson);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["time"], "2026-11-20T10:00:05.123000Z");
        assert_eq!(value["path"], "/a,\"b\u{1b}");
        assert_eq!(value["upstream_connect_us"], serde_json::json!([null, 1000]));
        assert_eq!((&value["line"], value.get("method")), (&7.into(), None));
        assert!(!text.trim_end().chars().any(char::is_control));
    }

    #[test]
    fn a_record_as_csv_has_a_cell_for_every_name() {
        let mut head = Vec::new();
        EntryFormat::Csv.begin(&mut head);
        let names = String::from_utf8(head).unwrap();
        let row = written(EntryFormat::Csv).replace("\"/a,\"\"b\\x1b\"", "path");
        assert!(row.contains("path") && !row.trim_end().chars().any(char::is_control));
        assert_eq!(row.matches(',').count(), names.matches(',').count());
        assert!(row.contains(",10.0.0.3:80 10.0.0.4:80,,- 1000,"), "{row}");
    }
}
