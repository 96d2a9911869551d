//! Every sample with the logs of one hop taken away: what is said of the rest must be right or `unexplained`.
//!
//! A server whose logs nobody has is the usual case. Less is known then; nothing wrong may be said with certainty.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;
#[path = "common/score.rs"]
mod score;

use std::path::Path;

use program::{root, samples};
use score::Score;
use serde_json::Value;

/// The least share of requests, averaged over the faults, that must be right or honestly unexplained.
const LEAST: f64 = 0.90;

/// The directories below `samples/<sample>/logs`.
fn hops(sample: &str) -> Vec<String> {
    let logs = root().join("samples").join(sample).join("logs");
    let mut hops: Vec<String> = std::fs::read_dir(logs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    hops.sort();
    hops
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The report on `sample` without the logs of `hop`, its configuration left in place.
fn without(sample: &str, hop: &str) -> Value {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join(sample);
    copy(&root().join("samples").join(sample), &place);
    std::fs::remove_dir_all(place.join("logs").join(hop)).unwrap();
    program::report(directory.path(), &["--status", "5xx", sample])
}

/// Whether the first hop of the requests is still there: only what it answered is in the truth.
fn is_edge(hop: &str) -> bool {
    hop.starts_with("edge") || hop.starts_with("lb")
}

/// The truth as far as it can be known without the logs of `hop`: of a status that it made, whoever is left can but say
/// that it came from there, in a complete answer.
fn known_without(truth: &Value, hop: &str) -> Value {
    let mut truth = truth.clone();
    for request in truth["requests"].as_array_mut().unwrap() {
        if request["issuer"] == hop {
            request["alternatives"]
                .as_array_mut()
                .unwrap()
                .push("passed_through".into());
        }
    }
    truth
}

/// What is wrong with what was said, in words; a request that nothing was said of counts where its own hop is there.
fn wrong(score: &Score) -> Vec<String> {
    score
        .confusion
        .iter()
        .filter(|((truth, said), _)| truth != said && !said.starts_with("unexplained") && said != "nothing")
        .map(|((truth, said), count)| format!("{count} x {truth} taken for {said}"))
        .collect()
}

#[test]
fn with_any_one_hop_missing_what_is_said_is_right_or_unexplained() {
    let mut short = Vec::new();
    println!(
        "{:<22} {:<14} {:>9} {:>9} {:>9} {:>7}",
        "sample", "without", "requests", "right", "or unex.", "proven!"
    );
    for sample in samples() {
        let truth = std::fs::read(root().join("samples").join(&sample).join("truth.json")).unwrap();
        let truth: Value = serde_json::from_slice(&truth).unwrap();
        for hop in hops(&sample) {
            let report = without(&sample, &hop);
            let score = score::score(&known_without(&truth, &hop), &report, |status| {
                (500..600).contains(&status)
            });
            let requests: u32 = score.per_fault.values().map(|fault| fault.injected).sum();
            let (right, honest) = (score.macro_right_cause(), score.macro_honest());
            println!(
                "{sample:<22} {hop:<14} {requests:>9} {right:>9.3} {honest:>9.3} {:>7}",
                score.proven_but_wrong.len()
            );
            wrong(&score).iter().for_each(|line| println!("    {line}"));
            short.extend(
                score
                    .proven_but_wrong
                    .iter()
                    .map(|one| format!("{sample} without {hop}: proven but wrong: {one}")),
            );
            if !is_edge(&hop) {
                short.extend(
                    score
                        .missed
                        .iter()
                        .map(|one| format!("{sample} without {hop}: missed: {one}")),
                );
            }
            if honest < LEAST {
                short.push(format!(
                    "{sample} without {hop}: right or unexplained: {honest:.3}, wanted {LEAST}"
                ));
            }
        }
    }
    assert!(short.is_empty(), "{}", short.join("\n"));
}
