//! Every incident of `samples/`, diagnosed by the program and held against what was injected, against the report
//! that was accepted before, against the logs themselves, and against the published schema.
//!
//! `WHY502_BLESS=1 cargo test --test samples` rewrites the accepted reports, `samples/<incident>/expected.json`.
//! Each of them is the whole report, less what can be had from elsewhere (see [`reduced`]).
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;
#[path = "common/score.rs"]
mod score;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use program::{root, samples};
use serde_json::Value;

/// What all samples together may take, in bytes.
const SAMPLES_MOST: u64 = 8_000_000;

/// How many differences are shown.
const SHOWN: usize = 15;

/// The reports on all samples, every gateway error explained.
static REPORTS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| reports("5xx"));

fn reports(status: &str) -> BTreeMap<String, Value> {
    samples()
        .into_iter()
        .map(|name| {
            let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{status}.json"));
            let path = format!("samples/{name}");
            let file_name = file.to_string_lossy().into_owned();
            program::run(root(), &["--status", status, "-o", &file_name, &path]);
            (name, json(&file))
        })
        .collect()
}

fn json(file: &Path) -> Value {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&bytes).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

/// The share of right causes that each sample must reach, averaged over its faults.
const WANTED: f64 = 0.95;

/// What falls short in any sample; prints the scores.
fn complaints(reports: &BTreeMap<String, Value>, diagnosed: impl Fn(u16) -> bool) -> Vec<String> {
    let mut all = Vec::new();
    for (name, report) in reports {
        let truth = json(&root().join("samples").join(name).join("truth.json"));
        let score = score::score(&truth, report, &diagnosed);
        println!("{name}\n{score}");
        all.extend(
            score
                .complaints(WANTED)
                .into_iter()
                .map(|one| format!("{name}: {one}")),
        );
        if name.starts_with("clean") && !list(report, "findings").is_empty() {
            all.push(format!("{name}: findings where nothing failed"));
        }
    }
    all
}

#[test]
fn every_injected_gateway_error_is_found_with_the_right_cause() {
    let short = complaints(&REPORTS, |status| (500..600).contains(&status));
    assert!(short.is_empty(), "{}", short.join("\n"));
}

#[test]
fn every_injected_502_is_found_with_the_right_cause_when_nothing_else_is_asked_for() {
    let short = complaints(&reports("502"), |status| status == 502);
    assert!(short.is_empty(), "{}", short.join("\n"));
}

#[test]
fn every_line_of_the_samples_is_read_and_nothing_is_in_the_way() {
    for (name, report) in REPORTS.iter() {
        assert_eq!(list(report, "problems"), [] as [Value; 0], "{name}");
        for input in list(report, "inputs") {
            assert_eq!(input["unparsed"], 0, "{name}: {input:#}");
        }
    }
}

#[test]
fn the_reports_fit_the_published_schema() {
    let validator = jsonschema::validator_for(&why502::report::json::schema()).unwrap();
    for (name, report) in REPORTS.iter() {
        let errors: Vec<String> = validator
            .iter_errors(report)
            .take(SHOWN)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, Vec::<String>::new(), "{name}");
    }
}

/// The content of a log, decompressed.
fn log(path: &str) -> Vec<u8> {
    let bytes = fs::read(root().join(path)).unwrap();
    if !path.ends_with(".gz") {
        return bytes;
    }
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut content)
        .unwrap();
    content
}

/// Where the lines of a log begin, for looking up the number of the line at an offset.
struct Lines {
    content: Vec<u8>,
    starts: Vec<usize>,
}

impl Lines {
    fn of(path: &str) -> Self {
        let content = log(path);
        let ends = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { content, starts }
    }

    /// The line with number `line`, and its offset.
    fn line(&self, line: u64) -> (usize, &[u8]) {
        let start = self.starts[usize::try_from(line).unwrap() - 1];
        let rest = &self.content[start..];
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        (start, &rest[..end])
    }
}

#[test]
fn every_piece_of_evidence_is_the_line_of_the_log_that_it_names() {
    let mut looked_at = 0;
    for (name, report) in REPORTS.iter() {
        let mut logs: BTreeMap<String, Lines> = BTreeMap::new();
        let findings = list(report, "findings").iter();
        let pieces = findings.flat_map(|finding| {
            let evidence = list(finding, "evidence")
                .iter()
                .filter(|piece| piece.get("text").is_some());
            evidence.chain(list(finding, "hops").iter().filter(|hop| hop["line"].is_u64()))
        });
        for piece in pieces {
            let file = piece["file"].as_str().unwrap();
            let lines = logs.entry(file.to_owned()).or_insert_with(|| Lines::of(file));
            let (offset, line) = lines.line(piece["line"].as_u64().unwrap());
            assert_eq!(piece["offset"].as_u64(), Some(offset as u64), "{name}: {piece:#}");
            if let Some(text) = piece["text"].as_str() {
                assert_eq!(text, String::from_utf8_lossy(line), "{name}: {piece:#}");
                looked_at += 1;
            }
        }
    }
    assert!(
        looked_at > 1_000,
        "only {looked_at} pieces of evidence have a text"
    );
}

#[test]
fn the_report_is_the_one_that_was_accepted() {
    let is_blessed = std::env::var_os("WHY502_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (name, report) in REPORTS.iter() {
        let file = root().join("samples").join(name).join("expected.json");
        let report = reduced(report.clone());
        let text = written(&report);
        if is_blessed {
            fs::write(&file, &text).unwrap();
            continue;
        }
        let accepted =
            fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if accepted != text {
            let before: Value = serde_json::from_str(&accepted).unwrap();
            wrong.push(format!("{name}:\n{}", differences(&before, &report)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nIf that is right: WHY502_BLESS=1 cargo test --test samples",
        wrong.join("\n")
    );
}

#[test]
fn all_samples_together_stay_small() {
    // What git has: a checkout may hold other files.
    let listed = Command::new("git")
        .args(["ls-files", "-z", "samples"])
        .current_dir(root())
        .output();
    let names = match &listed {
        Ok(listed) if listed.status.success() => String::from_utf8(listed.stdout.clone()).unwrap(),
        _ => return println!("left out: this is no git checkout"),
    };
    let sizes = names
        .split_terminator('\0')
        .filter_map(|name| fs::metadata(root().join(name)).ok());
    let sum: u64 = sizes.map(|meta| meta.len()).sum();
    println!("the samples take {sum} bytes");
    assert!(sum < SAMPLES_MOST, "{sum} bytes");
}

/// A report without what would only be there twice: the `text` of evidence is the line of the log (tested above), and
/// the `fix` of a finding is left out where it is that of its group in the summary.
fn reduced(mut report: Value) -> Value {
    let groups: Vec<Value> = list(&report["summary"], "causes").to_vec();
    let of_group = |finding: &Value| {
        let issuer = &finding["issuer"];
        let upstream = issuer.get("upstream_hop").unwrap_or(&issuer["upstream"]);
        groups.iter().find(|group| {
            group["cause"] == finding["cause"]
                && group["subtype"] == finding["subtype"]
                && group["issuer"] == issuer["hop"]
                && group["upstream"] == *upstream
        })
    };
    for key in ["findings", "near_misses"] {
        for finding in report[key].as_array_mut().unwrap() {
            let fix = of_group(finding).map(|group| group["fix"].clone());
            let finding = finding.as_object_mut().unwrap();
            if fix.is_some() && fix.as_ref() == finding.get("fix") {
                finding.shift_remove("fix");
            }
            for piece in finding
                .get_mut("evidence")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                piece.as_object_mut().unwrap().shift_remove("text");
            }
        }
    }
    report
}

/// `report` with one line for each member of its lists, so that what changed is seen line by line.
fn written(report: &Value) -> String {
    let mut text = "{\n".to_owned();
    let members = report.as_object().unwrap();
    for (at, (key, value)) in members.iter().enumerate() {
        let end = if at + 1 < members.len() { "," } else { "" };
        match value.as_array() {
            Some(items) if !items.is_empty() => {
                let lines: Vec<String> = items.iter().map(Value::to_string).collect();
                writeln!(text, "\"{key}\": [\n{}\n]{end}", lines.join(",\n")).unwrap();
            }
            _ => writeln!(text, "\"{key}\": {value}{end}").unwrap(),
        }
    }
    text + "}\n"
}

/// The first differences between two reports, one a line.
fn differences(before: &Value, after: &Value) -> String {
    let mut all = Vec::new();
    compare("", before, after, &mut all);
    let more = all.len().saturating_sub(SHOWN);
    all.truncate(SHOWN);
    if all.is_empty() {
        all.push("  the same content in another order".to_owned());
    }
    if more > 0 {
        all.push(format!("  and {more} more differences"));
    }
    all.join("\n")
}

fn compare(path: &str, before: &Value, after: &Value, all: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                compare(&format!("{path}.{key}"), &before[key], &after[key], all);
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let (a, b) = (by_name(a), by_name(b));
            let new = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(new) {
                let find = |list: &BTreeMap<String, Value>| list.get(key).cloned().unwrap_or_default();
                compare(&format!("{path}[{key}]"), &find(&a), &find(&b), all);
            }
        }
        (a, b) if a != b => all.push(format!("  {}: {} -> {}", &path[1..], short(a), short(b))),
        _ => {}
    }
}

/// The members of a list by id or path, else by number.
fn by_name(list: &[Value]) -> BTreeMap<String, Value> {
    let name = |value: &Value| {
        ["id", "path"]
            .iter()
            .find_map(|key| value[*key].as_str().map(str::to_owned))
    };
    list.iter()
        .enumerate()
        .map(|(at, value)| (name(value).unwrap_or_else(|| at.to_string()), value.clone()))
        .collect()
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "nothing".to_owned(),
        Value::Object(members) if members.contains_key("cause") => {
            format!(
                "{}/{} {} {}",
                value["cause"], value["subtype"], value["certainty"], value["time"]
            )
        }
        other => other.to_string(),
    };
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[test]
fn a_difference_is_shown_in_one_line_with_its_place() {
    let before =
        serde_json::json!({"findings": [{"id": "f-1", "cause": "a"}, {"id": "f-2", "cause": "b"}], "n": 1});
    let after = serde_json::json!({"findings": [{"id": "f-2", "cause": "c"}], "n": 1});
    let lines = differences(&before, &after);
    assert_eq!(
        lines,
        "  findings[f-1]: \"a\"/null null null -> nothing\n  findings[f-2].cause: \"b\" -> \"c\""
    );
}
