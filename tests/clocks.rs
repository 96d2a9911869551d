//! Clocks that are off, that drift, and zones that are not logged, put into the captured logs at random: what is
//! learnt must be what was put in.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::Read;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime};
use program::root;
use regex::{Captures, Regex};
use serde_json::Value;
use tempfile::TempDir;

/// How far a learnt offset may be from the true one, in milliseconds, where stamps are fine and where they are coarse.
const FINE_MS: f64 = 20.0;
const COARSE_MS: f64 = 300.0;

/// Pairs from which on that holds.
const PAIRS: u64 = 20;

/// What is put into a log: its clock goes wrong by this much, and its stamps are in this zone.
#[derive(Debug, Clone, Copy)]
struct Wrong {
    shift_us: i64,
    drift_ppm: i64,
    zone_minutes: i64,
}

impl Wrong {
    /// What is added to an instant, zone left out; the drift counts from `from_us`.
    fn at(self, us: i64, from_us: i64) -> i64 {
        self.shift_us + (us - from_us) * self.drift_ppm / 1_000_000
    }
}

/// Numbers that look random and are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, most: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most
    }

    /// A clock that is off by up to `most_s` either way and drifts by up to 600 ppm.
    fn wrong(&mut self, most_s: i64) -> Wrong {
        Wrong {
            shift_us: self.below(2 * most_s * 1_000_000) - most_s * 1_000_000,
            drift_ppm: [0, 0, self.below(1_200) - 600][usize::try_from(self.below(3)).unwrap()],
            zone_minutes: 0,
        }
    }
}

fn copy(from: &Path, to: &Path, change: &dyn Fn(&Path, String) -> String) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let name = from.file_name().unwrap().to_str().unwrap();
        if from.is_dir() {
            copy(&from, &to.join(name), change);
            continue;
        }
        let bytes = fs::read(&from).unwrap();
        let mut text = String::new();
        if name.ends_with(".gz") {
            flate2::read::MultiGzDecoder::new(bytes.as_slice())
                .read_to_string(&mut text)
                .unwrap();
        } else {
            text = String::from_utf8(bytes).unwrap();
        }
        fs::write(to.join(name.trim_end_matches(".gz")), change(&from, text)).unwrap();
    }
}

/// `sample` with the stamps of the logs of `hop` moved by `moved`, which is given instants as logged.
fn moved(sample: &str, hop: &str, moved: &dyn Fn(i64) -> i64) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let change = |path: &Path, text: String| {
        let is_of_hop = path
            .parent()
            .is_some_and(|parent| parent.ends_with(Path::new("logs").join(hop)));
        if is_of_hop { restamp(&text, moved) } else { text }
    };
    copy(
        &root().join("samples").join(sample),
        &directory.path().join("s"),
        &change,
    );
    directory
}

/// `text` with every stamp of pino (epoch), HAProxy, syslog and nginx's error log (civil time without zone) moved.
fn restamp(text: &str, moved: &dyn Fn(i64) -> i64) -> String {
    let epoch = Regex::new(r#""time":(\d{13})"#).unwrap();
    let text = epoch.replace_all(text, |found: &Captures<'_>| {
        let ms: i64 = found[1].parse().unwrap();
        format!("\"time\":{}", moved(ms * 1_000).div_euclid(1_000))
    });
    let civil = |text: &str, read: &str, write: &str| -> String {
        let us = NaiveDateTime::parse_from_str(text, read)
            .unwrap()
            .and_utc()
            .timestamp_micros();
        DateTime::from_timestamp_micros(moved(us))
            .unwrap()
            .format(write)
            .to_string()
    };
    let accepted = Regex::new(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d\.\d{3})\]").unwrap();
    let text = accepted.replace_all(&text, |found: &Captures<'_>| {
        format!(
            "[{}]",
            civil(&found[1], "%d/%b/%Y:%H:%M:%S%.3f", "%d/%b/%Y:%H:%M:%S%.3f")
        )
    });
    let slashed = Regex::new(r"(?m)^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)").unwrap();
    let text = slashed.replace_all(&text, |found: &Captures<'_>| {
        civil(&found[1], "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M:%S")
    });
    let syslog = Regex::new(r"(?m)^(\w{3} +\d+ \d\d:\d\d:\d\d) (\S+ haproxy)").unwrap();
    let text = syslog.replace_all(&text, |found: &Captures<'_>| {
        let year = format!("2026 {}", &found[1]);
        format!(
            "{} {}",
            civil(&year, "%Y %b %d %H:%M:%S", "%b %e %H:%M:%S"),
            &found[2]
        )
    });
    text.into_owned()
}

fn report(directory: &TempDir) -> Value {
    program::report(directory.path(), &["--status", "5xx", "s"])
}

fn input<'a>(report: &'a Value, hop: &str) -> &'a Value {
    let inputs = report["inputs"].as_array().unwrap().iter();
    inputs
        .filter(|input| input["hop"] == hop)
        .max_by_key(|input| input["entries"].as_u64())
        .unwrap()
}

/// The correction learnt for `hop` at the stamp `us`, in milliseconds, with the pairs it was learnt from.
fn learnt(report: &Value, hop: &str, us: i64) -> (f64, u64) {
    let clock = &input(report, hop)["clock"];
    let at = clock["offset_at"].as_str().map_or(us, |at| {
        DateTime::parse_from_rfc3339(at).unwrap().timestamp_micros()
    });
    let drift = clock["drift_ppm"].as_f64().unwrap_or(0.0) * (us - at) as f64 / 1e9;
    (
        clock["offset_ms"].as_f64().unwrap_or(0.0) + drift,
        clock["pairs"].as_u64().unwrap_or(PAIRS),
    )
}

/// First and last stamp of `hop` in the sample as it is.
fn span(report: &Value, hop: &str) -> (i64, i64) {
    let at = |key: &str| {
        DateTime::parse_from_rfc3339(input(report, hop)[key].as_str().unwrap())
            .unwrap()
            .timestamp_micros()
    };
    (at("first"), at("last"))
}

/// Moves the clock of `hop` at random `times` times and compares. Returns what is wrong, in words.
fn measure(sample: &str, hop: &str, allowed_ms: f64, times: u32, seed: u64) -> Vec<String> {
    let plain = report(&moved(sample, hop, &|us| us));
    let (first, last) = span(&plain, hop);
    let mut random = Random(seed);
    let mut wrong = Vec::new();
    for _ in 0..times {
        let put_in = random.wrong(400);
        let found = report(&moved(sample, hop, &|us| us + put_in.at(us, first)));
        let mut worst = 0.0f64;
        let mut pairs = 0;
        for us in [first, first.midpoint(last), last] {
            let off = put_in.at(us, first);
            let (before, _) = learnt(&plain, hop, us);
            let (after, count) = learnt(&found, hop, us + off);
            pairs = count;
            let error = after - (before - off as f64 / 1e3);
            worst = if error.abs() > worst.abs() { error } else { worst };
        }
        println!(
            "{sample:<22} {hop:<12} {:>10} {:>5} {pairs:>6} {worst:>9.2}",
            put_in.shift_us / 1_000,
            put_in.drift_ppm
        );
        if pairs < PAIRS || worst.abs() > allowed_ms {
            wrong.push(format!(
                "{sample}/{hop} {put_in:?}: off by {worst:.1} ms with {pairs} pairs"
            ));
        }
    }
    wrong
}

#[test]
fn shifts_and_drifts_at_random_are_learnt() {
    println!(
        "{:<22} {:<12} {:>10} {:>5} {:>6} {:>9}",
        "sample", "hop", "shift ms", "ppm", "pairs", "error ms"
    );
    let mut wrong = measure("nginx-node", "shop-app", FINE_MS, 6, 1);
    wrong.extend(measure("caddy-node", "shop-app", FINE_MS, 6, 2));
    wrong.extend(measure("caddy-node", "orders-app", FINE_MS, 6, 3));
    wrong.extend(measure("haproxy-nginx-node", "shop-app", FINE_MS, 8, 4));
    wrong.extend(measure("nginx-edgemicro-node", "api-app", COARSE_MS, 6, 5));
    wrong.extend(measure("clean-control", "shop-app", COARSE_MS, 4, 6));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn zones_that_are_not_logged_are_learnt_with_the_clock_error() {
    // HAProxy logs civil time, in the sample that of Berlin, an hour before UTC.
    let mut random = Random(7);
    let mut wrong = Vec::new();
    for (zone_minutes, name) in [
        (330, "+05:30"),
        (345, "+05:45"),
        (-210, "-03:30"),
        (765, "+12:45"),
        (-570, "-09:30"),
        (0, "+00:00"),
        (840, "+14:00"),
    ] {
        let put_in = Wrong {
            zone_minutes,
            ..random.wrong(200)
        };
        let away = (put_in.zone_minutes - 60) * 60_000_000;
        let plain = report(&moved("haproxy-nginx-node", "lb-haproxy", &|us| us));
        let (first, _) = span(&plain, "lb-haproxy");
        let found = report(&moved("haproxy-nginx-node", "lb-haproxy", &|us| {
            us + away + put_in.shift_us
        }));
        let zone = input(&found, "lb-haproxy")["zone"].as_str().unwrap().to_owned();
        // The outermost clock is taken for right: the others are moved to it.
        let (before, _) = learnt(&plain, "shop-app", first);
        let (after, pairs) = learnt(&found, "shop-app", first);
        let error = after - (before + put_in.shift_us as f64 / 1e3);
        println!(
            "{name} {zone} {:>10} {pairs:>6} {error:>9.2}",
            put_in.shift_us / 1_000
        );
        if zone != name || error.abs() > FINE_MS || pairs < PAIRS {
            wrong.push(format!(
                "{name}: {zone}, {put_in:?}, off by {error:.1} ms with {pairs} pairs"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_clock_that_was_set_while_it_logged_is_said_and_not_corrected() {
    let plain = report(&moved("nginx-node", "shop-app", &|us| us));
    let (first, last) = span(&plain, "shop-app");
    let middle = first.midpoint(last);
    let set = |us: i64| if us < middle { us } else { us - 7_300_000 };
    let found = report(&moved("nginx-node", "shop-app", &set));
    assert!(input(&found, "shop-app")["clock"].is_null());
    let problems = found["problems"].as_array().unwrap();
    let said = problems
        .iter()
        .filter(|problem| problem["path"] == "shop-app")
        .count();
    assert_eq!(said, 1, "{problems:#?}");
}

/// What was found, request by request, and when.
fn told(report: &Value) -> Vec<[String; 4]> {
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |finding: &Value, pointer: &str| finding.pointer(pointer).unwrap().to_string();
    findings
        .map(|finding| ["/time", "/request/path", "/subtype", "/certainty"].map(|at| text(finding, at)))
        .collect()
}

/// The changes of zone that a report tells of, in milliseconds.
fn zone_changes(report: &Value) -> Vec<f64> {
    let inferences = report["inferences"].as_array().unwrap().iter();
    inferences
        .filter(|inference| inference["what"] == "zone_change")
        .map(|inference| inference["value_ms"].as_f64().unwrap())
        .collect()
}

/// Puts the clocks of `hop` by an hour in the middle of its log, back or forward: the answer must stay the same.
fn put_by_an_hour(sample: &str, hop: &str, hour_us: i64) {
    let plain = report(&moved(sample, hop, &|us| us));
    let mut inputs = plain["inputs"].as_array().unwrap().iter();
    let log = inputs
        .find(|input| input["hop"] == hop && input["zone"] != "logged")
        .unwrap();
    let at = |key: &str| {
        DateTime::parse_from_rfc3339(log[key].as_str().unwrap())
            .unwrap()
            .timestamp_micros()
    };
    let (first, last) = (at("first"), at("last"));
    // They are corrected; the log is in its own zone.
    let zone: chrono::FixedOffset = log["zone"].as_str().unwrap().parse().unwrap();
    let zone_us = i64::from(zone.local_minus_utc()) * 1_000_000;
    let middle = first.midpoint(last) + zone_us;
    let set = |us: i64| if us < middle { us } else { us + hour_us };
    let found = report(&moved(sample, hop, &set));
    let (changed, unchanged) = (told(&found), told(&plain));
    let only = |of: &[[String; 4]], other: &[[String; 4]]| -> Vec<[String; 4]> {
        of.iter().filter(|one| !other.contains(one)).cloned().collect()
    };
    let (new, gone) = (only(&changed, &unchanged), only(&unchanged, &changed));
    assert!(
        new.is_empty() && gone.is_empty(),
        "{sample}/{hop}: {new:#?} for {gone:#?}"
    );
    assert_eq!(zone_changes(&found), [-(hour_us as f64) / 1e3], "{sample}/{hop}");
    assert_eq!(zone_changes(&plain), [0.0; 0]);
}

#[test]
fn clocks_of_an_access_log_that_are_put_back_or_forward_change_nothing() {
    put_by_an_hour("haproxy-nginx-node", "lb-haproxy", -3_600_000_000);
    put_by_an_hour("haproxy-nginx-node", "lb-haproxy", 3_600_000_000);
}

#[test]
fn clocks_of_an_error_log_that_are_put_back_or_forward_change_nothing() {
    put_by_an_hour("nginx-node", "edge-nginx", -3_600_000_000);
    put_by_an_hour("haproxy-nginx-node", "web-nginx", 3_600_000_000);
}

#[test]
fn an_offset_that_is_given_is_used_and_no_other() {
    let directory = moved("caddy-node", "shop-app", &|us| us);
    let args = ["--status", "5xx", "--offset", "*shop-app*=+1.5s", "s"];
    let given = program::report(directory.path(), &args);
    assert_eq!(input(&given, "shop-app")["clock"]["offset_ms"], 1_500.0);
    let none = program::report(directory.path(), &["--status", "5xx", "--no-skew", "s"]);
    assert!(input(&none, "shop-app")["clock"].is_null());
}
