//! Logs as they lie about in the field: the same requests twice, error lines without requests, one address by two
//! names. Made from the samples, so that what is expected is known.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use program::root;
use serde_json::Value;
use tempfile::TempDir;

/// A sample that can be changed.
struct Copy {
    directory: TempDir,
}

impl Copy {
    fn of(sample: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        copy(&root().join("samples").join(sample), &directory.path().join("s"));
        Self { directory }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join("s").join(below)
    }

    fn report(&self, options: &[&str]) -> Value {
        program::report(
            self.directory.path(),
            &[options, &["--status", "5xx", "s"]].concat(),
        )
    }

    /// The content of all logs of a hop whose names begin so, oldest first.
    fn logs(&self, hop: &str, begin: &str) -> String {
        let mut files: Vec<PathBuf> = fs::read_dir(self.path("logs").join(hop))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(begin))
            .collect();
        files.sort_by_key(|path| std::cmp::Reverse(path.clone()));
        files.iter().map(|path| content(path)).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn content(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "gz") {
        flate2::read::MultiGzDecoder::new(bytes.as_slice())
            .read_to_string(&mut text)
            .unwrap();
        return text;
    }
    String::from_utf8(bytes).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

/// Requests, failures and causes: what must not change.
fn counted(report: &Value) -> Value {
    let causes: Vec<Value> = list(&report["summary"], "causes")
        .iter()
        .map(|cause| serde_json::json!([cause["cause"], cause["subtype"], cause["issuer"], cause["count"]]))
        .collect();
    serde_json::json!([report["summary"]["requests"], report["summary"]["failed"], causes])
}

fn says_copy(report: &Value) -> bool {
    list(report, "inferences")
        .iter()
        .any(|inference| inference["what"] == "copy")
}

#[test]
fn requests_that_came_by_way_of_syslog_too_count_once() {
    for sample in ["nginx-node", "nginx-edgemicro-node"] {
        let copy = Copy::of(sample);
        let before = copy.report(&[]);
        let lines = copy.logs("edge-nginx", "access");
        let wrapped = lines
            .lines()
            .map(|line| format!("<190>Nov 20 18:18:24 edge1 nginx: {line}\n"));
        fs::write(
            copy.path("logs/edge-nginx/from-syslog.log"),
            wrapped.collect::<String>(),
        )
        .unwrap();
        let after = copy.report(&[]);
        assert_eq!(counted(&after), counted(&before), "{sample}");
        assert!(says_copy(&after) && !says_copy(&before), "{sample}");
    }
}

#[test]
fn requests_of_a_second_access_log_count_once() {
    for sample in ["nginx-node", "haproxy-nginx-node"] {
        let copy = Copy::of(sample);
        let hop = if sample == "nginx-node" {
            "edge-nginx"
        } else {
            "web-nginx"
        };
        let before = copy.report(&[]);
        // The combined format ends with the user agent, the second quoted field after the request.
        let combined = |line: &str| -> Option<String> {
            let quotes: Vec<usize> = line.match_indices('"').map(|(at, _)| at).collect();
            Some(format!("{}\n", &line[..=*quotes.get(5)?]))
        };
        let second: String = copy.logs(hop, "access").lines().filter_map(combined).collect();
        assert!(second.lines().count() > 500, "{sample}");
        fs::write(copy.path("logs").join(hop).join("access_combined.log"), second).unwrap();
        let after = copy.report(&[]);
        assert_eq!(counted(&after), counted(&before), "{sample}");
        assert!(says_copy(&after), "{sample}");
    }
}

#[test]
fn two_servers_with_the_same_traffic_are_not_copies_of_each_other() {
    let copy = Copy::of("nginx-node");
    let lines = copy.logs("edge-nginx", "access");
    let hop = copy.path("logs/edge-nginx");
    for entry in fs::read_dir(&hop).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("access") {
            fs::remove_file(path).unwrap();
        }
    }
    let of = |wanted: usize| -> String {
        let mine = lines.lines().enumerate().filter(|(n, _)| n * 7 % 3 % 2 == wanted);
        mine.map(|(_, line)| format!("{line}\n")).collect()
    };
    fs::write(hop.join("access.web1.log"), of(0)).unwrap();
    fs::write(hop.join("access.web2.log"), of(1)).unwrap();
    let report = copy.report(&[]);
    assert!(!says_copy(&report));
    assert_eq!(report["summary"]["requests"], lines.lines().count());
}

#[test]
fn error_lines_in_a_wrong_zone_are_one_problem_and_no_requests() {
    for sample in ["nginx-node", "haproxy-nginx-node", "apache-gunicorn"] {
        let copy = Copy::of(sample);
        let before = copy.report(&[]);
        let after = copy.report(&["--tz", "*error*=Asia/Tokyo"]);
        assert_eq!(
            after["summary"]["requests"], before["summary"]["requests"],
            "{sample}"
        );
        // A good answer that was cut short is known from its error line only.
        let failed = |report: &Value| -> usize {
            let statuses = list(report, "findings")
                .iter()
                .map(|finding| finding["status"].as_u64());
            statuses.filter(|status| *status >= Some(500)).count()
        };
        assert_eq!(failed(&after), failed(&before), "{sample}");
        let about: Vec<&Value> = list(&after, "problems")
            .iter()
            .filter(|problem| problem["path"].as_str().unwrap().contains("error"))
            .collect();
        assert_eq!(about.len(), 1, "{sample}: {about:#?}");
        assert!(about[0]["hint"].as_str().unwrap().contains("--tz"), "{sample}");
        assert_eq!(list(&before, "problems").len(), 0, "{sample}");
    }
}
