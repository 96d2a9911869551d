//! `why502 explain` on requests of the samples: what it writes, that it fits its schema, and what it says of a
//! request that is not there.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::path::PathBuf;

use program::{program, root, run};
use serde_json::Value;
use why502::model::explain::Explanation;
use why502::plan::Plan;
use why502::report::{Progress, Style};

/// A lost race: nginx has the only record.
const RACE: &str = "f-9bee1535a7a693d7";

fn explanation(sample: &str, asked: &str) -> Explanation {
    let plan = Plan {
        paths: vec![PathBuf::from(format!("samples/{sample}"))],
        ..Plan::default()
    };
    why502::run::explain(&plan, asked, 0, &Progress::new(0, false)).unwrap()
}

fn text(explanation: &Explanation, width: usize, ascii: bool) -> String {
    let style = Style {
        width,
        ascii,
        ..Style::default()
    };
    let mut out = Vec::new();
    why502::report::explain::text(explanation, &style, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_lost_race_is_explained_rule_by_rule() {
    insta::assert_snapshot!(text(&explanation("nginx-node", RACE), 100, false));
}

#[test]
fn a_request_that_succeeded_is_a_ladder_on_the_corrected_clock() {
    let line = "web-nginx/access.log:300";
    insta::assert_snapshot!(text(&explanation("haproxy-nginx-node", line), 120, false));
}

#[test]
fn an_attempt_that_a_retry_saved_is_judged_although_the_request_succeeded() {
    let report = program::report(root(), &["samples/nginx-node", "--status", "5xx"]);
    let misses = report["near_misses"].as_array().unwrap();
    let race = misses
        .iter()
        .find(|miss| miss["cause"] == "keep_alive_race")
        .unwrap();
    let line = format!(
        "{}:{}",
        race["example"]["file"].as_str().unwrap(),
        race["example"]["line"]
    );
    let explanation = explanation("nginx-node", &line);
    let request = &explanation.requests[0];
    assert_eq!(request.status, Some(200));
    assert!(request.finding.is_none() && request.hops[0].attempts.len() == 2);
    let won = request
        .verdicts
        .iter()
        .find(|one| one.verdict.word() == "won")
        .unwrap();
    assert_eq!(won.cause.name(), "keep_alive_race");
}

#[test]
fn every_way_of_naming_a_request_leads_to_the_same_one() {
    let by_finding = explanation("nginx-node", RACE);
    let id = &by_finding.requests[0].request.ids[0];
    let line = &by_finding.requests[0].hops[0].lines[0];
    let by_line = format!("{}:{}", line.file, line.line);
    let end_of_name = by_line.rsplit('/').take(2).collect::<Vec<_>>();
    let short = format!("{}/{}", end_of_name[1], end_of_name[0]);
    for asked in [id.as_str(), &by_line, &short, &id.to_uppercase()] {
        let other = explanation("nginx-node", asked);
        let finding = other.requests[0].finding.as_ref().unwrap();
        assert_eq!((other.requests.len(), finding.id.as_str()), (1, RACE), "{asked}");
    }
}

#[test]
fn every_finding_of_the_samples_is_explained_by_the_rule_that_made_it() {
    for sample in ["nginx-node", "haproxy-nginx-node"] {
        let report = program::report(root(), &[&format!("samples/{sample}"), "--status", "5xx"]);
        for finding in report["findings"].as_array().unwrap().iter().step_by(29) {
            let id = finding["id"].as_str().unwrap();
            let explanation = explanation(sample, id);
            let request = &explanation.requests[0];
            let own = serde_json::to_value(request.finding.as_ref().unwrap()).unwrap();
            assert_eq!(own, *finding, "{sample}");
            let won: Vec<_> = request
                .verdicts
                .iter()
                .filter(|v| v.verdict.word() == "won")
                .collect();
            assert_eq!(won.len(), 1, "{sample} {id}");
            assert_eq!(finding["subtype"], won[0].subtype.name(), "{sample} {id}");
            assert!(
                request.verdicts.iter().all(|one| !one.reason.is_empty()),
                "{sample} {id}"
            );
        }
    }
}

#[test]
fn no_row_but_a_rule_of_its_own_is_wider_than_the_page_and_ascii_is_ascii() {
    let explanation = explanation("haproxy-nginx-node", "web-nginx/access.log:300");
    for width in [80, 100, 120] {
        for ascii in [false, true] {
            let text = text(&explanation, width, ascii);
            let widest = text.lines().map(|row| row.chars().count()).max().unwrap();
            assert!(widest <= width, "{widest} columns on a page of {width}");
            assert!(!ascii || text.is_ascii());
        }
    }
}

#[test]
fn the_json_fits_its_schema() {
    let output = run(
        root(),
        &["explain", RACE, "samples/nginx-node", "--format", "json"],
    );
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let schema = run(root(), &["formats", "schema", "explain"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(value["schema"], "why502.explain.v1");
}

#[test]
fn a_request_that_is_not_there_is_an_error_with_a_remedy() {
    for (asked, says) in [
        ("no-such-request-id", "no record has the id"),
        ("f-0123456789abcdef", "no finding has the id"),
        ("edge-nginx/error.log:999999", "lines only"),
        ("edge-nginx/none.log:1", "no log that was read is called"),
        ("access.log:1", "is the end of several names"),
    ] {
        let output = program(root())
            .args([
                "explain",
                asked,
                "samples/haproxy-nginx-node",
                "samples/nginx-node",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{asked}: {said}");
        assert!(
            said.contains(says) && said.contains("\nhint: "),
            "{asked}: {said}"
        );
    }
}
