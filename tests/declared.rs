//! Logs of real servers beside the configuration that made them, in formats of their own: read by what the configuration
//! says, as they lie, in an archive, and with a format wherever the product has one.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::path::Path;

use program::{root, run};
use serde_json::Value;

/// Directory, file, its format, lines that are records, and how many of them have a duration and an id.
const LOGS: &[(&str, &str, &str, usize, usize, usize)] = &[
    ("caddy", "access.log", "caddy filter", 6, 6, 6),
    ("caddy", "console.log", "caddy console", 6, 6, 6),
    (
        "haproxy",
        "haproxy.log",
        "haproxy log-format or haproxy httplog or haproxy error-log-format",
        8,
        7,
        6,
    ),
    ("lighttpd", "access.log", "lighttpd accesslog", 6, 6, 6),
    ("nginx", "kv.log", "nginx kv", 9, 9, 0),
    ("nginx", "requests.json.log", "nginx j", 3, 3, 3),
    ("php-fpm", "www.access.log", "php-fpm www", 3, 3, 3),
    ("squid", "access.log", "squid timed", 6, 6, 6),
    (
        "tomcat",
        "localhost_access_log.2026-11-20.txt",
        "tomcat AccessLogValve",
        9,
        9,
        9,
    ),
    ("trafficserver", "timed.log", "trafficserver timed", 6, 6, 6),
    ("varnish", "varnishncsa.log", "varnish varnishncsa", 5, 5, 5),
];

/// The records that `why502 parse` writes of `path`, by the end of the file's name.
fn records(path: &Path) -> BTreeMap<String, Vec<Value>> {
    let out = run(root(), &["parse", "--quiet", path.to_str().unwrap()]);
    let mut by_file: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in out
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let record: Value = serde_json::from_slice(line).unwrap();
        let file = record["file"].as_str().unwrap();
        by_file
            .entry(file.rsplit('/').next().unwrap().to_owned())
            .or_default()
            .push(record);
    }
    by_file
}

fn check(directory: &Path, name: &str) {
    let records = records(directory);
    for (_, file, format, count, timed, with_id) in LOGS.iter().filter(|(own, ..)| *own == name) {
        let records = &records[*file];
        let has = |key: &str| records.iter().filter(|record| !record[key].is_null()).count();
        assert_eq!(records[0]["format"], *format, "{name}/{file}");
        assert_eq!(
            (records.len(), has("duration_us"), has("ids"), has("time")),
            (*count, *timed, *with_id, *count),
            "{name}/{file}"
        );
    }
}

#[test]
fn what_the_configuration_declares_is_read_so() {
    let mut names: Vec<&str> = LOGS.iter().map(|(name, ..)| *name).collect();
    names.dedup();
    for name in names {
        check(&root().join("tests/declared").join(name), name);
    }
}

#[test]
fn a_configuration_in_an_archive_is_used_with_what_it_includes() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("incident.tar");
    let mut tar = tar::Builder::new(std::fs::File::create(&path).unwrap());
    tar.append_dir_all("edge", root().join("tests/declared/nginx"))
        .unwrap();
    tar.finish().unwrap();
    check(&path, "nginx");
}

#[test]
fn a_line_of_haproxys_error_format_tells_of_a_failure() {
    let records = records(&root().join("tests/declared/haproxy"));
    let kinds: Vec<&str> = records["haproxy.log"]
        .iter()
        .map(|record| record["kind"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds.iter().filter(|kind| **kind == "failure").count(),
        1,
        "{kinds:?}"
    );
}
