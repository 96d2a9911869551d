//! Failures of many hours are joined and judged stretch by stretch, and what comes out is what comes of all at once.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

use std::path::Path;

use why502::plan::{Parting, Plan, Statuses};
use why502::report::Progress;
use why502::run;
use why502_bench::generate::{Options, generate};

fn report(root: &Path, parting: Parting, threads: usize) -> String {
    let plan = Plan {
        paths: vec![root.join("logs")],
        server_configs: vec![root.join("configs")],
        statuses: Statuses::parse("5xx").unwrap(),
        parting,
        threads,
        ..Plan::default()
    };
    let report = run::diagnose(&plan, 0, &Progress::new(0, false)).unwrap();
    assert!(report.findings.len() > 100, "{}", report.findings.len());
    serde_json::to_string_pretty(&report).unwrap()
}

#[test]
fn failures_are_explained_stretch_by_stretch_as_all_at_once() {
    for seed in [3, 11] {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            out: root.path().to_owned(),
            size: 5_000_000,
            seed,
            fail_rate: 0.05,
            span_s: 43_200.0,
            split: 1,
            gzip: false,
            error_log: true,
        };
        generate(&options).unwrap();
        let whole = report(root.path(), Parting::default(), 1);
        for (failures, threads) in [(20, 1), (150, 2)] {
            let parting = Parting {
                failures,
                ..Parting::default()
            };
            assert!(
                report(root.path(), parting, threads) == whole,
                "{seed} {failures}"
            );
        }
    }
}
