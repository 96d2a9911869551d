//! The report as JSON, pretty-printed, and its findings as NDJSON: the contract `why502.findings.v1`.
//!
//! Keys stand in the order of the types. Characters that would act on a terminal are written as
//! `\uXXXX`, which is the same text to every JSON reader.

use std::io;

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use super::{Renderer, Style, Supply, escape};
use crate::model::{Finding, Report};

/// The whole report as one pretty-printed object.
pub struct Json;

/// One finding per line.
pub struct NdJson;

impl Renderer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["json"]
    }

    fn render(&self, report: &Report, _: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        pretty(report, out)
    }

    fn stream(
        &self,
        report: &Report,
        supply: &dyn Supply,
        _: &Style,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut frame = Vec::new();
        pretty(report, &mut frame)?;
        // Within texts line ends are escaped, and what is inside a value stands further to the right.
        let place = memchr::memmem::find(&frame, NO_FINDINGS).filter(|_| report.summary.failed > 0);
        let Some(place) = place else {
            return out.write_all(&frame).and_then(|()| out.flush());
        };
        let (before, after) = frame.split_at(place + NO_FINDINGS.len() - 1);
        out.write_all(before)?;
        supply.each(&element, b",", out)?;
        out.write_all(b"\n  ")?;
        out.write_all(after)?;
        out.flush()
    }
}

impl Renderer for NdJson {
    fn name(&self) -> &'static str {
        "ndjson"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["ndjson", "jsonl"]
    }

    fn render(&self, report: &Report, _: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        let mut text = Vec::new();
        for finding in &report.findings {
            text.clear();
            line(finding, &mut text);
            out.write_all(&text)?;
        }
        out.flush()
    }

    fn stream(&self, _: &Report, supply: &dyn Supply, _: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        supply.each(&line, b"", out)?;
        out.flush()
    }
}

/// How the list of findings stands in a report that has none.
const NO_FINDINGS: &[u8] = b"\n  \"findings\": []";

/// What stands around a value that is the only one of the only list of a list.
const OPENED: &[u8] = b"[\n  [";
const CLOSED: &[u8] = b"\n  ]\n]";

/// Appends a finding as it stands in the list of a report.
fn element(finding: &Finding, out: &mut Vec<u8>) {
    let start = out.len();
    let serializer = &mut Serializer::with_formatter(&mut *out, Safe(PrettyFormatter::new()));
    // Writing to a vector does not fail.
    let _ = [[finding]].serialize(serializer);
    out.drain(start..start + OPENED.len());
    out.truncate(out.len() - CLOSED.len());
}

/// Appends a finding as a line.
fn line(finding: &Finding, out: &mut Vec<u8>) {
    let _ = finding.serialize(&mut Serializer::with_formatter(&mut *out, Safe(CompactFormatter)));
    out.push(b'\n');
}

/// The JSON Schema of a report, made from the types themselves.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Report).to_value()
}

/// Writes `value` as [`Json`] writes a report.
pub(super) fn pretty<T: Serialize>(value: &T, out: &mut dyn io::Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    value.serialize(&mut Serializer::with_formatter(
        &mut out,
        Safe(PrettyFormatter::new()),
    ))?;
    finish(&mut out)
}

/// Appends `text` as a JSON string.
pub(super) fn write_text(text: &str, out: &mut Vec<u8>) {
    let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    // Writing text to a vector does not fail.
    let _ = text.serialize(&mut Serializer::with_formatter(out, Safe(CompactFormatter)));
}

fn finish(out: &mut dyn io::Write) -> io::Result<()> {
    out.write_all(b"\n")?;
    out.flush()
}

/// Formats as `F` does, but for the characters that act on a terminal.
struct Safe<F>(F);

/// Passes methods of [`Formatter`] that take only the writer on to the inner one.
macro_rules! pass_on {
    ($($method:ident($($flag:ident)?)),* $(,)?) => {
        $(fn $method<W: ?Sized + io::Write>(&mut self, out: &mut W $(, $flag: bool)?) -> io::Result<()> {
            self.0.$method(out $(, $flag)?)
        })*
    };
}

impl<F: Formatter> Formatter for Safe<F> {
    pass_on! {
        begin_array(), end_array(), begin_array_value(first), end_array_value(),
        begin_object(), end_object(), begin_object_key(first), end_object_key(),
        begin_object_value(), end_object_value(),
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        // Most texts are plain, which is told at a glance.
        if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some(at) = rest.find(escape::acts) {
            out.write_all(&rest.as_bytes()[..at])?;
            let mut following = rest[at..].chars();
            for c in following.by_ref().take(1) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
            rest = following.as_str();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn rendered(renderer: &dyn Renderer, report: &Report) -> String {
        let mut out = Vec::new();
        renderer.render(report, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_schema_accepts_a_rendered_report_and_rejects_a_wrong_one() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for report in [sample::report(), sample::nothing_found(), sample::hostile()] {
            let mut value: serde_json::Value = serde_json::from_str(&rendered(&Json, &report)).unwrap();
            let errors: Vec<_> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new());
            value["summary"]["failed"] = "many".into();
            assert!(!validator.is_valid(&value));
        }
    }

    #[test]
    fn the_report_as_json() {
        let mut report = sample::report();
        let mut seen = std::collections::BTreeSet::new();
        report.findings.retain(|finding| seen.insert(finding.cause));
        insta::assert_snapshot!(rendered(&Json, &report));
    }

    #[test]
    fn a_report_that_was_read_back_is_written_to_the_same_bytes() {
        for report in [sample::report(), sample::hostile()] {
            let text = rendered(&Json, &report);
            let back: Report = serde_json::from_str(&text).unwrap();
            assert_eq!(rendered(&Json, &back), text);
        }
    }

    /// Findings that are there already.
    struct Ready(Vec<Finding>);

    impl Supply for Ready {
        fn all(&self) -> Vec<Finding> {
            self.0.clone()
        }

        fn each(
            &self,
            write: &crate::report::Write,
            between: &[u8],
            out: &mut dyn io::Write,
        ) -> io::Result<()> {
            let mut texts = Vec::new();
            for finding in &self.0 {
                let mut text = Vec::new();
                write(finding, &mut text);
                texts.push(text);
            }
            out.write_all(&texts.join(between))
        }
    }

    #[test]
    fn findings_that_are_supplied_one_by_one_are_written_to_the_same_bytes() {
        for mut report in [sample::report(), sample::nothing_found(), sample::hostile()] {
            for renderer in crate::report::RENDERERS {
                let whole = rendered(*renderer, &report);
                let supply = Ready(std::mem::take(&mut report.findings));
                let mut out = Vec::new();
                renderer
                    .stream(&report, &supply, &Style::default(), &mut out)
                    .unwrap();
                assert!(out == whole.as_bytes(), "{}", renderer.name());
                report.findings = supply.0;
            }
        }
    }

    #[test]
    fn each_ndjson_line_is_one_finding() {
        let report = sample::report();
        let text = rendered(&NdJson, &report);
        let ids: Vec<String> = text
            .lines()
            .map(|line| serde_json::from_str::<crate::model::Finding>(line).unwrap().id)
            .collect();
        let wanted: Vec<String> = report.findings.iter().map(|f| f.id.clone()).collect();
        assert_eq!(ids, wanted);
    }

    #[test]
    fn no_character_that_acts_on_a_terminal_is_written_raw() {
        let text = rendered(&Json, &sample::hostile());
        assert!(!text.chars().any(|c| c != '\n' && escape::acts(c)));
        assert!(text.contains("\\u202e") && text.contains("\\u009b"));
    }
}
