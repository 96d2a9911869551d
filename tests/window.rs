//! A time window found by searching gives what reading everything gives, and leaves out what it should.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;
use why502::plan::{Moment, Plan, Seek, Statuses, WindowSpec};
use why502::report::Progress;
use why502::run;
use why502_bench::generate::{Options, generate};

/// When the generated day begins, and how long it is.
const BEGIN_US: i64 = 1_795_132_800_000_000;
const SPAN_S: i64 = 6 * 3600;

const EDGE: &str = "edge-haproxy/haproxy.log";
const GATEWAY: &str = "gateway-nginx/access.log";
const APP: &str = "app-iis/u_ex261120.log";

/// Six megabytes of three hops over six hours.
struct Corpus(tempfile::TempDir);

impl Corpus {
    fn new(seed: u64, split: usize, gzip: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let options = Options {
            out: root.path().to_owned(),
            size: 6_000_000,
            seed,
            fail_rate: 0.03,
            span_s: SPAN_S as f64,
            split,
            gzip,
            error_log: true,
        };
        generate(&options).unwrap();
        Self(root)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.0.path().join("logs").join(name)
    }

    /// Rewrites a log's lines (those of its head, which begin with `#`, excepted).
    fn rewrite(&self, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
        let bytes = fs::read(self.log(name)).unwrap();
        let all = bytes.split_inclusive(|&byte| byte == b'\n').map(<[u8]>::to_vec);
        let (mut head, mut lines): (Vec<_>, Vec<_>) = all.partition(|line| line.starts_with(b"#"));
        change(&mut lines);
        head.append(&mut lines);
        fs::write(self.log(name), head.concat()).unwrap();
    }

    /// Ids of the requests that failed and ended within the window, with a second to spare at its edges.
    fn failed(&self, window: (i64, i64), spare_us: i64) -> Vec<String> {
        let rows = fs::read_to_string(self.0.path().join("truth.jsonl")).unwrap();
        let rows = rows
            .lines()
            .map(|row| serde_json::from_str::<Value>(row).unwrap());
        let end = |row: &Value| match Moment::parse(row["end"].as_str().unwrap()).unwrap() {
            Moment::Instant(us) => us,
            other => panic!("{other:?}"),
        };
        rows.filter(|row| row["near_miss"] == false)
            .filter(|row| (window.0 + spare_us..window.1 - spare_us).contains(&end(row)))
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn plan(&self, window: WindowSpec, seek: Seek) -> Plan {
        Plan {
            paths: vec![self.0.path().join("logs")],
            server_configs: vec![self.0.path().join("configs")],
            statuses: Statuses::parse("502,504").unwrap(),
            window,
            seek,
            threads: 2,
            block_bytes: 200_000,
            ..Plan::default()
        }
    }

    fn report(&self, window: WindowSpec, seek: Seek) -> Value {
        let plan = self.plan(window, seek);
        let report = run::diagnose(&plan, BEGIN_US + SPAN_S * 1_000_000, &Progress::new(0, false)).unwrap();
        serde_json::to_value(report).unwrap()
    }
}

fn spec((since, until): (i64, i64)) -> WindowSpec {
    WindowSpec {
        since: Some(Moment::Instant(since)),
        until: Some(Moment::Instant(until)),
        ..WindowSpec::default()
    }
}

const SEARCHED: Seek = Seek {
    from_bytes: 1,
    grid_bytes: 32 << 10,
    search: true,
};

const READ: Seek = Seek {
    search: false,
    ..SEARCHED
};

/// What a report says about requests: all but what was read for it, line by line.
fn said(report: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    for name in [
        "window",
        "problems",
        "hops",
        "summary",
        "inferences",
        "near_misses",
        "findings",
    ] {
        let text = serde_json::to_string_pretty(&report[name]).unwrap();
        lines.extend(text.lines().map(|line| format!("{name}: {}", line.trim())));
    }
    let inputs = report["inputs"].as_array().unwrap().iter();
    lines.extend(inputs.map(|input| format!("{} {} {}", input["path"], input["clock"], input["zone"])));
    lines
}

/// Both reports say the same; shows the first line in which they differ.
fn assert_same(one: &Value, other: &Value) {
    let (one, other) = (said(one), said(other));
    if let Some((left, right)) = one.iter().zip(&other).find(|(left, right)| left != right) {
        assert_eq!(left, right);
    }
    assert_eq!(one.len(), other.len());
}

fn skipped(report: &Value, name: &str) -> u64 {
    input(report, name)["skipped_bytes"].as_u64().unwrap_or(0)
}

fn input<'r>(report: &'r Value, name: &str) -> &'r Value {
    let inputs = report["inputs"].as_array().unwrap();
    inputs
        .iter()
        .find(|input| input["path"].as_str().unwrap().ends_with(name))
        .unwrap()
}

fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["request"]["ids"][0].as_str().unwrap().to_owned())
        .collect()
}

/// Every failure in the window is found, and none outside it.
fn assert_right(corpus: &Corpus, report: &Value, window: (i64, i64)) {
    let found = found(report);
    let lacks: Vec<_> = corpus
        .failed(window, 5_000)
        .into_iter()
        .filter(|id| !found.contains(id))
        .collect();
    assert!(lacks.is_empty(), "not found: {lacks:?}");
    let all = corpus.failed(window, -5_000);
    assert!(found.iter().all(|id| all.contains(id)));
}

/// Three hops in which one line in twenty was written up to nine minutes late.
static LATE: LazyLock<Corpus> = LazyLock::new(|| {
    let corpus = Corpus::new(31, 1, false);
    for (name, prime) in [(EDGE, 7_919usize), (GATEWAY, 6_101), (APP, 5_003)] {
        corpus.rewrite(name, |lines| {
            // The load swings, so that nine minutes are at least this many lines.
            let most = lines.len() * 9 / (SPAN_S as usize / 60) / 4;
            let mut order: Vec<(usize, Vec<u8>)> = std::mem::take(lines)
                .into_iter()
                .enumerate()
                .map(|(at, line)| (if at % 20 == 3 { at + at * prime % most } else { at }, line))
                .collect();
            order.sort_by_key(|(at, _)| *at);
            lines.extend(order.into_iter().map(|(_, line)| line));
        });
    }
    corpus
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_window_that_is_searched_says_what_one_says_that_is_read(
        from_s in 0..SPAN_S,
        length_s in 30..3_000i64,
    ) {
        let window = (BEGIN_US + from_s * 1_000_000, BEGIN_US + (from_s + length_s) * 1_000_000);
        let searched = LATE.report(spec(window), SEARCHED);
        let read = LATE.report(spec(window), READ);
        assert_same(&searched, &read);
        assert_right(&LATE, &searched, window);
        for name in [EDGE, GATEWAY, APP] {
            let (part, all) = (input(&searched, name), input(&read, name));
            prop_assert!(skipped(&searched, name) > 1_000_000, "{part}");
            prop_assert_eq!(&part["bytes"], &all["bytes"]);
            prop_assert!(part["lines"].as_u64() < all["lines"].as_u64());
            prop_assert_eq!(skipped(&read, name), 0);
        }
    }
}

/// Twenty minutes in the middle.
const WINDOW: (i64, i64) = (BEGIN_US + 10_000_000_000, BEGIN_US + 11_200_000_000);

#[test]
fn logs_that_are_small_are_read_whole_and_say_the_same_of_the_window() {
    let corpus = Corpus::new(32, 1, false);
    let default = corpus.report(spec(WINDOW), Seek::default());
    let searched = corpus.report(spec(WINDOW), SEARCHED);
    assert_eq!(skipped(&default, EDGE), 0);
    assert!(skipped(&searched, EDGE) > 0);
    assert_eq!(found(&default), found(&searched));
    assert_right(&corpus, &default, WINDOW);
}

#[test]
fn logs_without_order_are_read_whole_and_say_why() {
    let corpus = Corpus::new(33, 1, false);
    corpus.rewrite(EDGE, |lines| lines.reverse());
    corpus.rewrite(GATEWAY, |lines| {
        lines.sort_by_key(|line| line.iter().rev().copied().collect::<Vec<_>>())
    });
    let searched = corpus.report(spec(WINDOW), SEARCHED);
    assert_eq!(
        input(&searched, EDGE)["read_whole"],
        "its newest entries come first"
    );
    assert_eq!(
        input(&searched, GATEWAY)["read_whole"],
        "its entries are not in order"
    );
    assert!(skipped(&searched, APP) > 0);
    assert_same(&searched, &corpus.report(spec(WINDOW), READ));
    assert_right(&corpus, &searched, WINDOW);
}

#[test]
fn lines_that_are_written_nine_minutes_late_are_found() {
    let corpus = Corpus::new(13, 1, false);
    // Two writers, of which one writes late.
    corpus.rewrite(GATEWAY, |lines| {
        let ended = |line: &[u8]| -> f64 {
            let line = std::str::from_utf8(line).unwrap();
            line.trim_end().rsplit_once("t=").unwrap().1.parse().unwrap()
        };
        let mut written: Vec<(f64, Vec<u8>)> = lines
            .drain(..)
            .enumerate()
            .map(|(n, line)| (ended(&line) + if n % 2 == 0 { 0.0 } else { 540.0 }, line))
            .collect();
        written.sort_by(|a, b| a.0.total_cmp(&b.0));
        lines.extend(written.into_iter().map(|(_, line)| line));
    });
    let window = (BEGIN_US + 9_000 * 1_000_000, BEGIN_US + 9_600 * 1_000_000);
    let searched = corpus.report(spec(window), SEARCHED);
    assert!(skipped(&searched, GATEWAY) > 0);
    assert_right(&corpus, &searched, window);
    assert_same(&searched, &corpus.report(spec(window), READ));
}

#[test]
fn a_zone_that_the_window_does_not_show_is_learnt_from_the_whole() {
    let corpus = Corpus::new(34, 1, false);
    corpus.rewrite(EDGE, |lines| {
        for line in lines.iter_mut() {
            let at = line.windows(6).position(|part| part == b"/2026:").unwrap() + 6;
            let hour: u8 = std::str::from_utf8(&line[at..at + 2]).unwrap().parse().unwrap();
            line[at..at + 2].copy_from_slice(format!("{:02}", hour + 5).as_bytes());
        }
    });
    let searched = corpus.report(spec(WINDOW), SEARCHED);
    assert_eq!(input(&searched, EDGE)["zone"], "+05:00");
    assert!(skipped(&searched, EDGE) > 0);
    assert_same(&searched, &corpus.report(spec(WINDOW), READ));
    assert_right(&corpus, &searched, WINDOW);
}

#[test]
fn rotated_files_outside_the_window_are_not_read() {
    for packed in [false, true] {
        let corpus = Corpus::new(35, 8, packed);
        let searched = corpus.report(spec(WINDOW), SEARCHED);
        assert_right(&corpus, &searched, WINDOW);
        assert_same(&searched, &corpus.report(spec(WINDOW), READ));
        let inputs = searched["inputs"].as_array().unwrap();
        let unread = inputs
            .iter()
            .filter(|input| input["lines"] == 0 && input["skipped_bytes"].is_u64());
        assert!(unread.count() >= 12, "{inputs:#?}");
    }
}

#[test]
fn a_window_counted_back_from_the_last_entry_is_found_at_the_files_ends() {
    let corpus = Corpus::new(36, 1, false);
    let window = WindowSpec {
        since: Some(Moment::Ago(900_000_000)),
        relative_to_end: true,
        ..WindowSpec::default()
    };
    let searched = corpus.report(window.clone(), SEARCHED);
    assert!(skipped(&searched, EDGE) > 0);
    assert_same(&searched, &corpus.report(window.clone(), READ));
    let whole = corpus.report(window, Seek::default());
    assert_eq!(found(&searched), found(&whole));
    assert_eq!(searched["window"], whole["window"]);
    assert!(!found(&whole).is_empty());
}

#[test]
fn one_request_of_large_logs_is_explained_from_its_surroundings() {
    let corpus = Corpus::new(37, 1, false);
    let id = corpus.failed(WINDOW, 0).swap_remove(0);
    let explained = |seek: Seek| {
        let plan = corpus.plan(WindowSpec::default(), seek);
        let explanation = run::explain(&plan, &id, BEGIN_US, &Progress::new(0, false)).unwrap();
        serde_json::to_value(explanation).unwrap()["requests"][0].clone()
    };
    let (near, whole) = (explained(SEARCHED), explained(Seek::default()));
    for what in ["cause", "subtype", "issuer", "id"] {
        assert_eq!(near["finding"][what], whole["finding"][what]);
    }
    let places = |request: &Value| {
        let hops = request["hops"].as_array().unwrap().clone();
        let lines = hops.iter().flat_map(|hop| hop["lines"].as_array().unwrap());
        lines
            .map(|line| (line["file"].clone(), line["line"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&near), places(&whole));
    assert!(places(&near).len() >= 2);
    let guess = run::explain(
        &corpus.plan(WindowSpec::default(), SEARCHED),
        "ffffffff-0000-4000-8000-123456789abc",
        BEGIN_US,
        &Progress::new(0, false),
    );
    assert!(guess.is_err());
}
