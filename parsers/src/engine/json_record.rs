//! JSON records that stand in an array: what the exports of cloud providers put around each line.
//!
//! `[{…},` / `{…},` / `{…}]` (Cloud Logging export), `{"records":[{…},` … `]}` (Azure, storage account and
//! event hub), and the brackets on lines of their own. One record a line: a record that goes on over
//! several lines (pretty-printed) is no line of a log, and the error says so.

use crate::bytes::memmem;

use super::json::{self, Keys, Value};
use crate::error::LineError;
use crate::format::{Head, LineParser, Score, Sniff};

/// What a file with one record over several lines lacks.
const WHOLE_RECORD: &str = "whole record on one line (pretty-printed)";

/// What a line with several records lacks.
const ONE_RECORD: &str = "line end between two records";

/// Reads the one record on `line`, as [`json::scan`] does; `false` if the line only opens or closes an array.
///
/// # Errors
/// [`LineError`] if the line holds part of a record, or several.
pub fn scan<'a>(line: &'a [u8], keys: &Keys, out: &mut [Value<'a>]) -> Result<bool, LineError> {
    let at = opener(line);
    match line.get(at) {
        None => return Ok(false),
        Some(b'{') if blank_len(line, at + 1) == line.len() => return Ok(false),
        Some(b'{') => {}
        Some(b']' | b'}') => return closers(line, at).map(|()| false),
        Some(b'"') => return Err(LineError::new(at, WHOLE_RECORD)),
        Some(_) => return Err(LineError::new(at, "JSON object")),
    }
    let end = json::scan_from(line, at, keys, out)?;
    if end < line.len() {
        closers(line, end)?;
    }
    Ok(true)
}

/// Whether `line`, which begins with no blank, begins as a record or as a bracket of an array does, and not as
/// a text in brackets.
pub fn is_piece(line: &[u8]) -> bool {
    match line.first() {
        Some(b'{') => true,
        Some(b'[' | b']' | b',') => {
            let at = line
                .iter()
                .position(|byte| !matches!(byte, b'[' | b']' | b',' | b' ' | b'\t' | b'}'));
            at.is_none_or(|at| line[at] == b'{')
        }
        _ => false,
    }
}

/// Where the first record starts: behind a comma, a bracket, `{"records":[`, and blanks.
fn opener(line: &[u8]) -> usize {
    let mut at = blank_len(line, 0);
    if line.get(at) == Some(&b',') {
        at = blank_len(line, at + 1);
    }
    if let Some(records) = records_wrapper(line, at) {
        return records;
    }
    if line.get(at) == Some(&b'[') {
        at = blank_len(line, at + 1);
    }
    at
}

/// Behind `{"records":[` or `"records":[` at `at`.
fn records_wrapper(line: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    if line.get(at) == Some(&b'{') {
        at = blank_len(line, at + 1);
    }
    if !line.get(at..)?.starts_with(b"\"records\"") {
        return None;
    }
    at = blank_len(line, at + b"\"records\"".len());
    if line.get(at) != Some(&b':') {
        return None;
    }
    at = blank_len(line, at + 1);
    (line.get(at) == Some(&b'[')).then(|| blank_len(line, at + 1))
}

/// Only brackets, commas and blanks may follow a record.
fn closers(line: &[u8], from: usize) -> Result<(), LineError> {
    let after = line[from..]
        .iter()
        .position(|byte| !matches!(byte, b',' | b']' | b'}' | b' ' | b'\t'));
    match after.map(|length| from + length) {
        None => Ok(()),
        Some(at) if line[at] == b'{' => Err(LineError::new(at, ONE_RECORD)),
        Some(at) => Err(LineError::new(at, "end of the JSON object")),
    }
}

fn blank_len(line: &[u8], from: usize) -> usize {
    let rest = line.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'))
        .count()
}

/// The opinion of a format whose records have one of `marks` in them, which `parser` reads; or whose records are
/// pretty-printed and have a line for each of `keys`.
pub fn claim(
    head: &Head<'_>,
    marks: &[&str],
    parser: &mut dyn LineParser,
    reason: &str,
    keys: &[&str],
) -> Sniff {
    if !has_any(head.bytes, marks) {
        return Sniff::no();
    }
    let sniff = Sniff::by_parsing(head, parser, Score::Mark, reason);
    if sniff.score > Score::No {
        return sniff;
    }
    pretty_printed(head, keys)
}

/// The opinion on a head none of whose lines is a record, although it has lines that begin with each of `keys`:
/// a pretty-printed export. It is claimed, so that the report can say why nothing of it is read.
pub fn pretty_printed(head: &Head<'_>, keys: &[&str]) -> Sniff {
    let starts_so = |key: &&str| {
        head.lines().any(|line| {
            let line = line.trim_ascii_start();
            let key_len = key.len();
            line.first() == Some(&b'"')
                && line.get(1..=key_len) == Some(key.as_bytes())
                && line.get(key_len + 1..key_len + 3) == Some(b"\":")
        })
    };
    let opens = matches!(head.bytes.trim_ascii_start().first(), Some(b'[' | b'{'));
    if !opens || !keys.iter().all(starts_so) {
        return Sniff::no();
    }
    Sniff {
        score: Score::Own,
        parsed: 0,
        looked_at: u32::try_from(head.lines().take(Head::LINES).count()).unwrap_or(0),
        reason: "pretty-printed records, which are not read: write one record a line".to_owned(),
    }
}

/// Whether any of `needles` is somewhere in `bytes`.
pub fn has_any(bytes: &[u8], needles: &[&str]) -> bool {
    needles
        .iter()
        .any(|needle| memmem::find(bytes, needle.as_bytes()).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<(bool, String), LineError> {
        let mut keys = Keys::new();
        keys.add("a", 0, 0);
        let mut out = [Value::default()];
        let is_record = scan(line.as_bytes(), &keys, &mut out)?;
        Ok((is_record, String::from_utf8_lossy(out[0].text()).into_owned()))
    }

    #[test]
    fn a_record_is_read_whatever_part_of_an_array_stands_around_it() {
        for line in [
            r#"{"a":"1"}"#,
            r#"  {"a":"1"},  "#,
            r#"[{"a":"1"},"#,
            r#",{"a":"1"}"#,
            r#"{"a":"1"}]"#,
            r#"{"records":[{"a":"1"},"#,
            r#"{ "records" : [ {"a":"1"} ] }"#,
            r#"{"a":"1","b":[{"c":[1]}]}]}"#,
        ] {
            assert_eq!(read(line), Ok((true, "1".to_owned())), "{line}");
        }
    }

    #[test]
    fn brackets_alone_are_no_record() {
        for line in ["[", "]", "]}", "{\"records\": [", "{", "},", "", "  "] {
            assert_eq!(read(line).map(|(is_record, _)| is_record), Ok(false), "{line}");
        }
    }

    #[test]
    fn what_is_no_single_record_says_why() {
        let want = |line: &str| read(line).map_err(|error| error.want);
        assert_eq!(want(r#"  "a": "1","#), Err(WHOLE_RECORD));
        assert_eq!(want(r#"[{"a":"1"},{"a":"2"}]"#), Err(ONE_RECORD));
        assert_eq!(want(r#"{"a":"1"} x"#), Err("end of the JSON object"));
        assert_eq!(want(r#"{''a'':1}"#), Err("JSON key"));
    }

    #[test]
    fn a_pretty_printed_export_is_known_by_its_keys() {
        let head = Head {
            bytes: b"[\n  {\n    \"insertId\": \"x\",\n    \"httpRequest\": {\n",
            hints: &[],
            date_hint: None,
        };
        assert_eq!(
            pretty_printed(&head, &["insertId", "httpRequest"]).score,
            Score::Own
        );
        assert_eq!(pretty_printed(&head, &["insertId", "category"]).score, Score::No);
    }
}
