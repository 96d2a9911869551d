//! Tests of [`super`]: the same bytes for a seed, the shares asked for, truth and logs in agreement.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;

fn options(out: &Path, seed: u64) -> Options {
    Options {
        out: out.to_owned(),
        size: 8_000_000,
        seed,
        fail_rate: 0.02,
        span_s: 3600.0,
        split: 1,
        gzip: false,
        error_log: true,
    }
}

/// The files below `dir` by name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(
                files(&path)
                    .into_iter()
                    .map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)),
            );
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let made = [1, 1, 2].map(|seed| {
        let dir = tempfile::tempdir().unwrap();
        generate(&options(dir.path(), seed)).unwrap();
        files(dir.path())
    });
    assert!(made[0] == made[1]);
    assert!(made[0] != made[2]);
}

#[test]
fn sizes_shares_and_failures_are_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let made = generate(&options(dir.path(), 5)).unwrap();
    let share = |n: usize| made.bytes_of[n] as f64 / made.bytes as f64;
    assert!((made.bytes as f64 / 8e6 - 1.0).abs() < 0.03, "{made:?}");
    assert!(
        (made.bytes as f64 / made.requests as f64 / REQUEST_BYTES - 1.0).abs() < 0.03,
        "{made:?}"
    );
    for (n, wanted) in SHARES.iter().enumerate() {
        assert!((share(n) - wanted).abs() < 0.02, "{n} {}", share(n));
    }
    let failed = made.failed as f64 / made.requests as f64;
    assert!((0.017..0.023).contains(&failed), "{failed}");
}

#[test]
fn every_failure_is_logged_once_by_edge_and_gateway_and_nothing_else_fails() {
    let dir = tempfile::tempdir().unwrap();
    let made = generate(&options(dir.path(), 9)).unwrap();
    let files = files(dir.path());
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let mut truth: Vec<String> = text("truth.jsonl")
        .lines()
        .filter(|line| line.ends_with("\"near_miss\":false}"))
        .map(|line| line[7..43].to_owned())
        .collect();
    let edge = text("logs/edge-haproxy/haproxy.log");
    let mut edge: Vec<String> = edge
        .lines()
        .filter(|line| matches!(line.split(' ').nth(10), Some("502" | "504")))
        .map(|line| line[line.len() - 36..].to_owned())
        .collect();
    let gateway = text("logs/gateway-nginx/access.log");
    let mut gateway: Vec<String> = gateway
        .lines()
        .filter(|line| matches!(line.split(' ').nth(8), Some("502" | "504")))
        .map(|line| line.split(" rid=").nth(1).unwrap()[..36].to_owned())
        .collect();
    for ids in [&mut truth, &mut edge, &mut gateway] {
        ids.sort();
    }
    assert_eq!(truth.len() as u64, made.failed);
    assert_eq!(edge, truth);
    assert_eq!(gateway, truth);
}

#[test]
fn all_causes_and_all_traps_are_there() {
    let dir = tempfile::tempdir().unwrap();
    generate(&options(dir.path(), 11)).unwrap();
    let files = files(dir.path());
    let text = |name: &str| String::from_utf8(files[name].clone()).unwrap();
    let truth = text("truth.jsonl");
    for cause in Cause::ALL {
        let (_, subtype, _) = cause.label(true);
        assert!(truth.contains(&format!("\"subtype\":\"{subtype}\"")), "{subtype}");
    }
    let gateway = text("logs/gateway-nginx/access.log");
    for trap in [" 200 502 ", "us=\"502, 200\"", "/502", "Probe 502 checker"] {
        assert!(gateway.contains(trap), "{trap}");
    }
    assert!(text("logs/app-iis/u_ex261120.log").contains("\r\n"));
    assert!(text("logs/edge-haproxy/haproxy.log").contains(" -1 0 - - CH-- "));
}

#[test]
fn compressed_and_rotated_logs_have_the_same_lines() {
    let plain = tempfile::tempdir().unwrap();
    generate(&options(plain.path(), 4)).unwrap();
    let packed = tempfile::tempdir().unwrap();
    generate(&Options {
        split: 3,
        gzip: true,
        ..options(packed.path(), 4)
    })
    .unwrap();
    let files = files(packed.path());
    let mut text = String::new();
    for name in ["access.log.2.gz", "access.log.1.gz", "access.log.gz"] {
        let file = files[&format!("logs/gateway-nginx/{name}")].as_slice();
        io::Read::read_to_string(&mut flate2::read::GzDecoder::new(file), &mut text).unwrap();
    }
    // The preambles of more files make the corpus end a little sooner.
    let whole = fs::read_to_string(plain.path().join("logs/gateway-nginx/access.log")).unwrap();
    assert!(text.len() > whole.len() * 99 / 100);
    let prompt = text.lines().take(1000).eq(whole.lines().take(1000));
    assert!(prompt, "the first lines differ");
}
