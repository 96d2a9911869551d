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

/// Rewrites the plain text of every log of `hop`.
fn edit(copy: &Copy, hop: &str, change: &dyn Fn(&str) -> String) {
    for entry in fs::read_dir(copy.path("logs").join(hop)).unwrap() {
        let path = entry.unwrap().path();
        let text = change(&content(&path));
        fs::remove_file(&path).unwrap();
        fs::write(path.with_extension("log"), text).unwrap();
    }
}

/// `nginx-node` without ids and configurations, one file a log, the paths in the logs of the proxy and of the
/// applications made by `asked` and `sent`.
fn repathed(asked: &dyn Fn(&str) -> String, sent: &dyn Fn(&str) -> String) -> Copy {
    let copy = Copy::of("nginx-node");
    fs::remove_dir_all(copy.path("configs")).unwrap();
    let ids = regex::Regex::new(r#" rid=\S+|"(id|reqId)":("[^"]*"|\d+),"#).unwrap();
    let target = regex::Regex::new(r#""(GET|POST|PUT|DELETE|PATCH|HEAD) (/\S*) HTTP"#).unwrap();
    let url = regex::Regex::new(r#""url":"([^"]*)""#).unwrap();
    let named = |text: &str| {
        let whole = |found: &regex::Captures<'_>| format!("\"{} {} HTTP", &found[1], asked(&found[2]));
        target.replace_all(&ids.replace_all(text, ""), whole).into_owned()
    };
    edit(&copy, "edge-nginx", &named);
    for app in ["shop-app", "orders-app"] {
        edit(&copy, app, &|text| {
            let whole = |found: &regex::Captures<'_>| format!("\"url\":\"{}\"", sent(&found[1]));
            url.replace_all(&ids.replace_all(text, ""), whole).into_owned()
        });
    }
    copy
}

/// Of each finding: when, why, and how many hops had a record of it.
fn told(copy: &Copy) -> Vec<(String, String, usize)> {
    let report = copy.report(&[]);
    let one = |finding: &Value| {
        let text = |key: &str| finding[key].to_string();
        (text("time"), text("subtype"), list(finding, "hops").len())
    };
    list(&report, "findings").iter().map(one).collect()
}

#[test]
fn requests_without_ids_are_recognised_behind_a_proxy_that_changes_their_paths() {
    let same = |path: &str| path.to_owned();
    let plain = told(&repathed(&same, &same));
    let joined = plain.iter().filter(|(_, _, hops)| *hops > 1).count();
    assert!(joined > 40, "{joined} of {}", plain.len());
    let before = |begin: &'static str| move |path: &str| format!("{begin}{path}");
    let bare = |path: &str| path.split('?').next().unwrap_or_default().to_owned();
    let shouted = |path: &str| path.to_ascii_uppercase().replace('-', "%2D");
    for (what, copy) in [
        ("a beginning is taken away", repathed(&before("/api/v1"), &same)),
        ("a beginning is put before", repathed(&same, &before("/backend"))),
        (
            "a beginning is replaced",
            repathed(&before("/public"), &before("/internal/shop")),
        ),
        ("the query is taken away", repathed(&same, &bare)),
        ("letters and encoding are changed", repathed(&same, &shouted)),
    ] {
        let found = told(&copy);
        let kept = plain.iter().filter(|one| found.contains(one)).count();
        assert!(
            kept * 100 >= plain.len() * 97,
            "{what}: {kept} of {} findings are as before",
            plain.len()
        );
    }
}
