//! Real servers, one fault injected per request, and the program's diagnosis of what they logged.
//!
//! Runs `tests/live/capture.py`, which needs the servers that its README names. An incident whose servers
//! are not installed is left out with a reason; with `WHY502_LIVE=required` that is a failure instead. The same
//! captures, rewritten as other installations would have logged them, are then measured by `tests/live/evaluate.py`.
//! Servers that no incident has log some lines for `tests/live/lines.py`, which must be read as those in the test data.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

#[path = "common/score.rs"]
mod score;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// Exit code of the capture when a server is not installed; its output names the package.
const MISSING: i32 = 77;

/// The share of what `evaluate.py` requires that short captures must reach: of most faults they have one request only.
const FLOOR: &str = "0.93";

/// The share of right causes in one short capture, averaged over its faults: two that are not right in fifteen.
const WANTED: f64 = 0.85;

/// Held by the test that has servers running: what others do at the same time would show in what is measured.
static MACHINE: Mutex<()> = Mutex::new(());

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_required() -> bool {
    std::env::var("WHY502_LIVE").is_ok_and(|value| value == "required")
}

/// Runs a script of `tests/live` with `arguments`; `None` if there is no Python here.
fn python(script: &str, arguments: &[&str]) -> Option<Output> {
    Command::new("python3")
        .arg(root().join("tests/live").join(script))
        .args(arguments)
        .output()
        .ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// What came of a capture.
enum Captured {
    /// It lies in this directory.
    Done(PathBuf),
    /// It cannot be done here, for this reason.
    LeftOut(String),
    /// It ended in something else than was planned.
    Failed(String),
}

/// Captures an incident below `out`.
fn captured(incident: &str, out: &Path) -> Captured {
    let seed = std::env::var("WHY502_LIVE_SEED").unwrap_or_else(|_| "1".to_owned());
    let arguments = [
        incident,
        "--small",
        "--out",
        &out.to_string_lossy(),
        "--seed",
        &seed,
    ];
    let Some(output) = python("capture.py", &arguments) else {
        return Captured::LeftOut("python3 is not installed".to_owned());
    };
    match output.status.code() {
        Some(0) => Captured::Done(out.join(incident)),
        Some(MISSING) => Captured::LeftOut(text(&output.stdout)),
        _ => Captured::Failed(format!(
            "{}\n{}\n{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        )),
    }
}

/// The program's report on a captured incident.
fn diagnosed(incident: &Path) -> Value {
    let report = incident.with_extension("findings.json");
    let output = Command::new(env!("CARGO_BIN_EXE_why502"))
        .args(["--status", "5xx", "-o"])
        .arg(&report)
        .arg("--server-config")
        .arg(incident.join("configs"))
        .arg(incident.join("logs"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        incident.display(),
        text(&output.stderr)
    );
    serde_json::from_slice(&fs::read(&report).unwrap()).unwrap()
}

/// What falls short in one incident; prints the score.
fn complaints(name: &str, incident: &Path) -> Vec<String> {
    let truth: Value = serde_json::from_slice(&fs::read(incident.join("truth.json")).unwrap()).unwrap();
    let score = score::score(&truth, &diagnosed(incident), |status| {
        (500..600).contains(&status)
    });
    println!("{name}\n{score}");
    score
        .complaints(WANTED)
        .into_iter()
        .map(|one| format!("{name}: {one}"))
        .collect()
}

/// What falls short in the variants of the captures below `out`; prints the tables.
fn variants_complaints(out: &Path) -> Vec<String> {
    let work = out.with_extension("variants");
    let arguments = [
        "--binary",
        env!("CARGO_BIN_EXE_why502"),
        "--captures",
        &out.to_string_lossy(),
        "--out",
        &work.to_string_lossy(),
        "--floor",
        FLOOR,
        "--misses",
    ];
    let output = python("evaluate.py", &arguments).unwrap();
    println!("{}", text(&output.stdout));
    match output.status.code() {
        Some(0) => Vec::new(),
        _ => vec![format!(
            "variants of the captures: {}\n{}",
            output.status,
            text(&output.stderr)
        )],
    }
}

#[test]
fn every_fault_injected_into_real_servers_is_diagnosed() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(list) = python("capture.py", &["--list"]) else {
        assert!(!is_required(), "python3 is not installed");
        println!("left out: python3 is not installed");
        return;
    };
    assert!(list.status.success(), "{}", text(&list.stderr));
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live");
    // What an earlier run left must not be taken for this one's.
    let _ = fs::remove_dir_all(&out);
    let names = text(&list.stdout);
    assert!(!names.is_empty(), "no incident to capture");
    let (mut short, mut left_out) = (Vec::new(), Vec::new());
    // One after the other: timers of seconds are measured to the millisecond.
    for name in names.lines() {
        match captured(name, &out) {
            Captured::Done(incident) => short.extend(complaints(name, &incident)),
            Captured::LeftOut(reason) => left_out.push(format!("{name}: left out: {reason}")),
            Captured::Failed(reason) => short.push(format!("{name}: the capture ended with {reason}")),
        }
    }
    println!("{}", left_out.join("\n"));
    short.extend(variants_complaints(&out));
    assert!(short.is_empty(), "{}", short.join("\n"));
    assert!(left_out.is_empty() || !is_required(), "{}", left_out.join("\n"));
}

/// The format of every log below `directory` by the name of the file, and the lines of it that are not read.
fn formats(directory: &Path) -> BTreeMap<String, (String, Value)> {
    let output = Command::new(env!("CARGO_BIN_EXE_why502"))
        .args(["detect", "--format", "json"])
        .arg(directory)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let logs = report["files"].as_array().unwrap();
    logs.iter()
        .map(|log| {
            let path = log["path"].as_str().unwrap();
            let name = path.rsplit('/').next().unwrap().to_owned();
            let format = log["format"].as_str().unwrap_or("unknown").to_owned();
            (name, (format, log["unparsed_lines"].clone()))
        })
        .collect()
}

#[test]
fn lines_that_servers_log_now_are_read_as_those_in_the_test_data() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lines");
    let _ = fs::remove_dir_all(&out);
    let Some(output) = python("lines.py", &["--out", &out.to_string_lossy()]) else {
        assert!(!is_required(), "python3 is not installed");
        println!("left out: python3 is not installed");
        return;
    };
    let said = text(&output.stdout);
    println!("{said}");
    let is_done = matches!(output.status.code(), Some(0 | MISSING));
    assert!(is_done, "{}: {}", output.status, text(&output.stderr));
    let left_out: Vec<&str> = said
        .lines()
        .filter(|line| line.contains(": left out: "))
        .collect();
    // A kernel that may be tried, as root and outside a container, is not to be had everywhere.
    let is_excused = |line: &&&str| line.starts_with("system: ");
    assert!(
        !is_required() || left_out.iter().all(|line| is_excused(&line)),
        "{left_out:?}"
    );
    let stored = formats(&root().join("parsers/tests/data"));
    let now = formats(&out);
    let captured: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!captured.is_empty() || !left_out.is_empty());
    let mut short = Vec::new();
    for name in captured {
        let wanted = stored
            .get(&name)
            .map(|(format, _)| (format.clone(), Value::Array(Vec::new())));
        let found = now.get(&name);
        if found.is_none() || found != wanted.as_ref() {
            let lines = fs::read_to_string(out.join(&name)).unwrap_or_default();
            short.push(format!("{name}: {found:?} instead of {wanted:?}:\n{lines}"));
        }
    }
    assert!(short.is_empty(), "{}", short.join("\n"));
}
