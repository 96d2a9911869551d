//! The program's answer on generated logs of three hops, with every trap in them, against what the generator knows.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use why502_bench::generate::{Options, generate};

/// Share of failures whose cause must be right, in per cent.
const LEAST_RIGHT: usize = 97;

/// Failures and near misses by id, as the generator planned them.
type Truth = BTreeMap<String, Value>;

/// Five megabytes with all kinds of failures; returns the requests that failed and those that a retry saved.
fn corpus(out: &Path, seed: u64, packed: bool) -> (Truth, Truth) {
    let options = Options {
        out: out.to_owned(),
        size: 5_000_000,
        seed,
        fail_rate: 0.03,
        span_s: 14_400.0,
        split: if packed { 3 } else { 1 },
        gzip: packed,
        error_log: true,
    };
    generate(&options).unwrap();
    let rows = std::fs::read_to_string(out.join("truth.jsonl")).unwrap();
    let rows = rows
        .lines()
        .map(|row| serde_json::from_str::<Value>(row).unwrap());
    let (hidden, failed): (Vec<Value>, Vec<Value>) = rows.partition(|row| row["near_miss"] == true);
    let by_id = |rows: Vec<Value>| {
        rows.into_iter()
            .map(|row| (row["id"].as_str().unwrap().to_owned(), row))
            .collect()
    };
    (by_id(failed), by_id(hidden))
}

fn report(root: &Path, options: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_why502"))
        .args([
            "logs",
            "--server-config",
            "configs",
            "--status",
            "502,504",
            "--format",
            "json",
            "-q",
        ])
        .args(options)
        .current_dir(root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What is wrong with `findings`.
fn complaints(failed: &Truth, findings: &[Value]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut seen = BTreeMap::new();
    for finding in findings {
        let ids = finding["request"]["ids"].as_array().unwrap();
        match ids.iter().find_map(|id| failed.get_key_value(id.as_str()?)) {
            Some((id, row)) if seen.insert(id, finding["cause"] == row["cause"]).is_none() => {
                if finding["status"] != row["status"] {
                    complaints.push(format!("{id}: status {}", finding["status"]));
                }
                complaints.extend(unlike(id, row, finding));
            }
            _ => complaints.push(format!("{ids:?} did not fail, or was found before")),
        }
    }
    complaints.extend(
        failed
            .keys()
            .filter(|id| !seen.contains_key(id))
            .map(|id| format!("{id} was missed")),
    );
    let right = seen.values().filter(|right| **right).count();
    if right * 100 < failed.len() * LEAST_RIGHT {
        complaints.push(format!("the cause is right for {right} of {}", failed.len()));
    }
    complaints
}

/// Whether the hops that have a record of the request are the ones that saw it.
fn unlike(id: &str, row: &Value, finding: &Value) -> Option<String> {
    let recorded = |name: &str| {
        let hops = finding["hops"].as_array().into_iter().flatten();
        hops.clone()
            .any(|hop| hop["hop"] == name && hop["status"].is_u64())
    };
    // The application has a record of what it worked on, and of nothing else.
    let worked = ["response_header_timeout", "app_queue", "passed_through"];
    let saw = worked.iter().any(|subtype| row["subtype"] == *subtype);
    let (edge, gateway, app) = (
        recorded("edge-haproxy"),
        recorded("gateway-nginx"),
        recorded("app-iis"),
    );
    let joined = edge && gateway && app == saw;
    (!joined).then(|| {
        format!(
            "{id} ({}): edge {edge}, gateway {gateway}, app {app}",
            row["subtype"]
        )
    })
}

#[test]
fn every_failure_is_found_once_joined_over_its_hops_and_explained() {
    for (seed, packed) in [(21, false), (22, true)] {
        let root = tempfile::tempdir().unwrap();
        let (failed, hidden) = corpus(root.path(), seed, packed);
        assert!(
            failed.len() > 60 && hidden.len() > 10,
            "{} {}",
            failed.len(),
            hidden.len()
        );
        let report = report(root.path(), &[]);
        let wrong = complaints(&failed, report["findings"].as_array().unwrap());
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        assert_eq!(report["summary"]["near_misses"], hidden.len());
        let inputs = report["inputs"].as_array().unwrap();
        assert!(inputs.iter().all(|input| input["unparsed"] == 0));
        let skew = inputs
            .iter()
            .find_map(|input| input["clock"]["offset_ms"].as_f64());
        assert!(skew.is_some_and(|ms| (ms + 2_300.0).abs() < 50.0), "{skew:?}");
    }
}

#[test]
fn an_answer_that_is_wrong_in_any_way_is_told_from_a_right_one() {
    let root = tempfile::tempdir().unwrap();
    let (failed, _) = corpus(root.path(), 23, false);
    let report = report(root.path(), &[]);
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(complaints(&failed, findings), [""; 0]);
    assert_eq!(complaints(&failed, &findings[1..]).len(), 1);
    let twice = [findings.as_slice(), &findings[..1]].concat();
    assert_eq!(complaints(&failed, &twice).len(), 1);
    let altered = |alter: fn(&mut Value)| {
        let mut findings = findings.clone();
        findings.iter_mut().for_each(alter);
        !complaints(&failed, &findings).is_empty()
    };
    assert!(altered(|finding| finding["cause"] = "proxy_timeout".into()));
    assert!(altered(|finding| finding["status"] = 503.into()));
    assert!(altered(|finding| finding["hops"] = Value::Array(Vec::new())));
    assert!(altered(
        |finding| finding["request"]["ids"][0] = "someone-else".into()
    ));
}

/// Every file below `directory` that is no configuration, compressed in its place.
fn compress(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            compress(&path);
            continue;
        }
        let name = format!("{}.gz", path.file_name().unwrap().to_str().unwrap());
        let out = std::fs::File::create(path.with_file_name(name)).unwrap();
        let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::fast());
        encoder.write_all(&std::fs::read(&path).unwrap()).unwrap();
        encoder.finish().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_is_compressed_is_explained_line_for_line_like_what_is_not() {
    let root = tempfile::tempdir().unwrap();
    corpus(root.path(), 24, false);
    let plain = report(root.path(), &[]);
    compress(&root.path().join("logs"));
    let packed = report(root.path(), &[]);
    for what in ["findings", "near_misses", "summary", "hops", "inferences"] {
        let text = |report: &Value| serde_json::to_string_pretty(&report[what]).unwrap();
        let (plain, packed) = (text(&plain), text(&packed).replace(".log.gz", ".log"));
        // The ids of findings are made from the names of files.
        let same = |line: &&str| !line.contains("\"id\": \"f-");
        let differs = plain
            .lines()
            .filter(same)
            .zip(packed.lines().filter(same))
            .find(|(a, b)| a != b);
        assert_eq!(differs, None, "{what}");
    }
}
