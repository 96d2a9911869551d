//! Records of several lines, and lines that are understood by what stood before them, are read the same whatever parts a
//! file is cut into.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

use std::fmt::Write as _;
use std::path::Path;

use why502::report::progress::Progress;
use why502::{cli, run};

/// The report on the logs at `path`, read in parts of `block_bytes`, `marked_most` lines being marked.
fn report(path: &Path, block_bytes: u64, marked_most: u64) -> String {
    let args = [
        "why502",
        path.to_str().unwrap(),
        "--status",
        "5xx",
        "--threads",
        "2",
    ]
    .map(Into::into);
    let Ok(cli::Job::Diagnose(mut plan)) = cli::read(args) else {
        panic!("the command line is wrong")
    };
    plan.block_bytes = block_bytes;
    plan.marked_most = marked_most;
    let report = run::diagnose(&plan, 0, &Progress::new(0, false)).unwrap();
    serde_json::to_string_pretty(&report).unwrap()
}

/// Reports on `text` in parts of several sizes are the same; that report.
fn same_in_parts(name: &str, text: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    same_on(&path)
}

/// The same of the logs at `path`.
fn same_on(path: &Path) -> String {
    let whole = report(path, u64::MAX, 0);
    for block_bytes in [3_001, 40_000, 300_000] {
        let parts = report(path, block_bytes, u64::MAX);
        assert!(
            parts == whole,
            "{} in parts of {block_bytes} bytes",
            path.display()
        );
    }
    whole
}

#[test]
fn an_exception_below_its_record_is_told_whatever_part_it_begins_in() {
    let mut text = String::new();
    // More than is read at once, so that records lie across the ends of what is read as well.
    for n in 0..9_000 {
        let at = format!(
            "2026-11-20 10:{:02}:{:02}.{:03}",
            n / 600 % 60,
            n / 10 % 60,
            n % 10 * 100
        );
        writeln!(text, "{at} ERROR 1 --- [nio-{}] c.e.Orders : no answer", n % 7).unwrap();
        writeln!(text, "java.net.ConnectException: Connection refused").unwrap();
        for frame in 0..n % 5 {
            writeln!(text, "\tat a.B.c{frame}(B.java:{n})").unwrap();
        }
        writeln!(text, "{at}  INFO 1 --- [nio-{}] c.e.Orders : yes", n % 7).unwrap();
    }
    assert!(text.len() > 1 << 20);
    let whole: serde_json::Value = serde_json::from_str(&same_in_parts("shop.log", &text)).unwrap();
    let input = &whole["inputs"][0];
    assert_eq!(
        (input["format"].as_str(), input["unparsed"].as_u64()),
        (Some("java-text"), Some(0))
    );
    assert_eq!(input["entries"], 18_000);
    assert_eq!(input["continuations"], 27_000);
}

#[test]
fn a_worker_killed_after_its_timeout_is_known_by_it_whatever_part_it_dies_in() {
    let mut text = String::new();
    for n in 0..3_000 {
        let at = format!("2026-11-20 10:{:02}:{:02} +0000", n / 60, n % 60);
        writeln!(text, "[{at}] [9] [CRITICAL] WORKER TIMEOUT (pid:{n})").unwrap();
        writeln!(
            text,
            "[{at}] [9] [ERROR] Worker (pid:{n}) was sent SIGKILL! Perhaps out of memory?"
        )
        .unwrap();
        writeln!(text, "[{at}] [{n}] [INFO] Booting worker with pid: {}", n + 1).unwrap();
    }
    same_in_parts("error.log", &text);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("error.log");
    std::fs::write(&path, &text).unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_why502"))
        .args(["parse", "--format", "ndjson"])
        .arg(&path)
        .output()
        .unwrap();
    let records = String::from_utf8(output.stdout).unwrap();
    assert_eq!(records.matches("\"fault\":\"out_of_memory\"").count(), 0);
    assert_eq!(
        records.lines().filter(|line| line.contains("SIGKILL")).count(),
        3_000
    );
}

#[test]
fn a_message_that_goes_on_is_told_from_lines_that_are_no_part_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let lines = [
        "2026/11/20 10:00:00 [error] 1#1: *1 FastCGI sent in stderr: \"PHP message: one",
        "two",
        "three\" while reading response header from upstream, client: 10.0.0.9, server: a, request: \"GET / HTTP/1.1\", upstream: \"fastcgi://unix:/a.sock:\"",
        "neither this",
        "2026/11/20 10:00:01 [notice] 1#1: signal process started",
        "nor that",
    ];
    let text = format!("{}\n", lines.join("\n"));
    let path = directory.path().join("error.log");
    std::fs::write(&path, &text).unwrap();
    let report = report(&path, u64::MAX, 0);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let input = &report["inputs"][0];
    assert_eq!(
        (input["entries"].as_u64(), input["continuations"].as_u64()),
        (Some(2), Some(2)),
        "{input:#}"
    );
    assert_eq!(input["unparsed"], 2);
}

#[test]
fn a_line_behind_a_run_of_nuls_is_found_by_its_id_whatever_part_it_begins_in() {
    let id = |n: u32| format!("{:08x}-1111-4222-8333-444455556666", n + 4_096);
    let at = |n: u32| format!("10:00:{:02}.{:03}", n / 100, n % 100 * 10);
    let edge = |n: u32| {
        let (status, flags) = if n == 150 { (502, "SH--") } else { (200, "----") };
        let (at, id, port) = (at(n), id(n), 40_000 + n);
        let timers = "0/0/1/20/21";
        format!(
            "10.0.0.9:{port} [20/Nov/2026:{at}] shop shop/app1 {timers} {status} 1500 - - {flags} 1/1/0/0/0 0/0 \
             \"GET /orders/{n} HTTP/1.1\" {id}\n"
        )
    };
    let app = |n: u32| {
        let (at, id) = (at(n + 2), id(n));
        format!(
            "{{\"time\":\"2026-11-20T{at}Z\",\"level\":\"info\",\"msg\":\"done\",\"method\":\"GET\",\
             \"path\":\"/orders/{n}\",\"status\":200,\"duration_ms\":19,\"request_id\":\"{id}\"}}\n"
        )
    };
    // What the application wrote of the request that failed stands behind what `copytruncate` left of the log before.
    let mut log: String = (0..150).map(app).collect();
    log.push_str(&"\0".repeat(45_000 - log.len()));
    log.extend((150..400).map(app));
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("haproxy.log"),
        (0..400).map(edge).collect::<String>(),
    )
    .unwrap();
    std::fs::write(directory.path().join("app.json"), log).unwrap();
    let whole: serde_json::Value = serde_json::from_str(&same_on(directory.path())).unwrap();
    let hops = whole["findings"][0]["hops"].to_string();
    assert!(
        hops.contains("app.json") && hops.contains(r#""line":151"#),
        "{hops}"
    );
}
