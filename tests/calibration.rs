//! Whether a score means what it says: of the findings that are scored 0.9, nine in ten must be right.
//!
//! Judged are all samples, whole and with the logs of one hop taken away. `WHY502_CAPTURES=DIR` adds live captures:
//! directories below `DIR` with a `truth.json`.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;
#[path = "common/score.rs"]
#[allow(dead_code)] // Of the judgement only the scores are looked at.
mod score;

use std::fs;
use std::path::{Path, PathBuf};

use program::{root, samples};
use serde_json::Value;

/// Where bins begin; the last ends at one.
const BINS: [f64; 6] = [0.0, 0.4, 0.7, 0.8, 0.9, 0.95];

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// The directories that hold a capture and its truth.
fn captures() -> Vec<PathBuf> {
    let own = samples()
        .into_iter()
        .map(|name| root().join("samples").join(name));
    let live = std::env::var_os("WHY502_CAPTURES").map(PathBuf::from);
    let live = live
        .into_iter()
        .flat_map(|dir| fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()));
    let mut all: Vec<PathBuf> = own
        .chain(live)
        .filter(|dir| dir.join("truth.json").exists())
        .collect();
    all.sort();
    all
}

/// Scores on `capture`, without the logs of `hop` if one is named.
fn scores(capture: &Path, hop: Option<&str>) -> Vec<(f64, bool, bool)> {
    let mut truth = json(&capture.join("truth.json"));
    if let Some(hop) = hop {
        // Of a status that the missing hop made, the others can but say that it came from there.
        let requests = truth["requests"].as_array_mut().unwrap();
        requests.retain(|request| request["issuer"] != hop);
    }
    let logs = capture.join("logs");
    let kept = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<String> = kept
        .filter(|path| hop.is_none_or(|hop| !path.ends_with(hop)))
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    paths.sort();
    let configs = capture.join("configs").to_string_lossy().into_owned();
    let mut args = vec!["--status", "5xx", "--server-config", &configs];
    args.extend(paths.iter().map(String::as_str));
    let report = program::report(root(), &args);
    score::score(&truth, &report, |status| (500..600).contains(&status)).scores
}

fn hops(capture: &Path) -> Vec<String> {
    let names = fs::read_dir(capture.join("logs")).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// One line per bin: findings, right causes, right subtypes. What falls short is returned.
fn table(title: &str, all: &[(f64, bool, bool)]) -> Vec<String> {
    println!("{title:<24} {:>8} {:>8} {:>8}", "findings", "cause", "subtype");
    let mut short = Vec::new();
    for (n, &from) in BINS.iter().enumerate() {
        let to = BINS.get(n + 1).copied().unwrap_or(1.01);
        let bin: Vec<_> = all.iter().filter(|one| one.0 >= from && one.0 < to).collect();
        let share = |right: usize| right as f64 / bin.len().max(1) as f64;
        let cause = share(bin.iter().filter(|one| one.1).count());
        let subtype = share(bin.iter().filter(|one| one.2).count());
        println!(
            "{:<24} {:>8} {cause:>8.3} {subtype:>8.3}",
            format!("{from:.2} to {:.2}", to.min(1.0)),
            bin.len()
        );
        // A few findings make no share.
        if bin.len() >= 10 && cause < from.min(0.9) {
            short.push(format!(
                "{title}: scored {from:.2} and more, right {cause:.3} of {}",
                bin.len()
            ));
        }
        if from >= 0.9 && cause < 0.9 && bin.len() >= 10 {
            short.push(format!(
                "{title}: called proven, right {cause:.3} of {}",
                bin.len()
            ));
        }
    }
    short
}

#[test]
fn of_the_findings_with_a_score_at_least_that_share_is_right() {
    let mut whole = Vec::new();
    let mut partial = Vec::new();
    for capture in captures() {
        whole.extend(scores(&capture, None));
        let hops = hops(&capture);
        // What only an outer hop knows cannot be judged without it: its status is the truth's.
        for hop in hops
            .iter()
            .filter(|hop| !hop.starts_with("edge") && !hop.starts_with("lb"))
        {
            partial.extend(scores(&capture, Some(hop)));
        }
    }
    let mut short = table("all hops", &whole);
    short.extend(table("one hop missing", &partial));
    assert!(whole.len() > 500, "only {} findings", whole.len());
    assert!(short.is_empty(), "{}", short.join("\n"));
}
