//! Every log that other projects wrote and published, read by the program: each file is recognised as what its folder
//! says, and every line of it is an entry, part of one, said to be nothing that happened, or listed with the reason for
//! which it is not read.
//!
//! The files are not part of this repository. Set `WHY502_FIXTURES` to a folder of `<format>/<origin>/<file>`; without it,
//! and without `../shared/fixtures`, the test says so and passes.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Folders, and the formats of the logs in them; the first is the one that the folder is named after.
const FOLDERS: &[(&str, &[&str])] = &[
    ("apache-access", &["apache", "apache-error"]), // One file holds what the other project's pattern for errors reads.
    ("apache-error", &["apache-error"]),
    ("apigee-edge", &["apigee-mp"]),
    ("atlassian-access", &["bitbucket"]),
    ("aws-alb", &["aws-alb"]),
    ("aws-apigateway", &["aws-apigateway"]),
    ("aws-cloudfront", &["cloudfront"]),
    ("aws-elb-classic", &["aws-elb"]),
    ("aws-nlb", &["aws-nlb"]),
    ("azure-appgw", &["azure-appgw"]),
    ("azure-appservice-http", &["iis-json"]),
    ("azure-frontdoor", &["azure-frontdoor"]),
    ("caddy", &["caddy"]),
    ("cloudflare", &["cloudflare"]),
    ("edgemicro", &["edgemicro"]),
    ("envoy", &["envoy"]),
    ("envoy-istio", &["envoy"]),
    ("fastly", &["fastly"]),
    ("forgerock-audit", &["forgerock-audit"]),
    ("gcp-lb", &["gcp-lb"]),
    ("haproxy", &["haproxy"]),
    ("httperr", &["httperr"]),
    ("iis-fixed", &["iis-fixed"]),
    ("iis-w3c", &["iis"]),
    ("java-app", &["java-text", "app-json"]), // Text and JSON of the Elastic Common Schema.
    ("kong", &["kong"]),
    ("litespeed", &["litespeed"]),
    ("nginx-access", &["nginx"]),
    ("nginx-error", &["nginx-error", "nginx"]), // The access logs of the same servers lie beside their error logs.
    ("nginx-ingress", &["nginx"]),
    ("node-json", &["node-json"]),
    ("openig", &["openig"]),
    ("squid", &["squid"]),
    ("tomcat", &["tomcat", "catalina"]),
    ("traefik", &["traefik"]),
    ("uvicorn", &["uvicorn"]),
    ("uwsgi", &["uwsgi"]),
    ("windows-eventlog", &["windows-eventlog"]),
    ("wrap-cri", &["nginx"]),
    ("wrap-docker-compose", &["messages"]),
    ("wrap-docker-json", &["nginx"]),
    ("wrap-journald", &["messages"]),
    ("wrap-syslog", &["messages", "nginx-error"]),
];

/// Folders of files that are no logs, with what the program says of them.
const NO_LOGS: &[(&str, &str)] = &[("pcap", "it is a packet capture, not a log")];

/// Endings of files that stand beside logs and are none.
const BESIDE: &[(&str, &str)] = &[
    ("ORIGIN.md", "where the files come from"),
    (
        "-expected.json",
        "another project's parse of the log beside it, as one JSON document",
    ),
    (
        ".parser.assert",
        "another project's assertions on the log beside it",
    ),
    ("_structured.csv", "another project's parse of the log beside it"),
];

/// Files that are not read although they hold what a log holds, and what the program says instead.
const NOT_READ: &[(&str, &str)] = &[(
    "windows-eventlog/evtx/system.evtx",
    "it is a Windows event log, not text",
)];

/// Folders that are wrapped, and in what.
const WRAPPED: &[(&str, &[&str])] = &[
    ("wrap-cri", &["kubernetes cri"]),
    ("wrap-docker-compose", &["docker compose"]),
    ("wrap-docker-json", &["docker json-file"]),
    ("wrap-journald", &["journald json", "syslog (iso time)"]),
    (
        "wrap-syslog",
        &["syslog (rfc 3164)", "syslog (rfc 5424)", "syslog (iso time)"],
    ),
];

/// Lines that are not read, each with the reason that the program gives: `file:line`, the class.
const UNPARSED: &[(&str, &str)] = &[
    // The quotes of the one record that was cut out of its array are doubled and single ones.
    ("azure-frontdoor/integ/test-fdaccess.log:4", "broken_json"),
];

/// Of the lines of the whole corpus, this share at most may be unparsed.
const UNPARSED_MOST: f64 = 0.002;

fn fixtures() -> Option<PathBuf> {
    let root = match std::env::var_os("WHY502_FIXTURES") {
        Some(path) => PathBuf::from(path),
        None => program::root().join("../shared/fixtures"),
    };
    if root.is_dir() {
        return Some(root);
    }
    println!(
        "skipped: no logs of other projects at {} (set WHY502_FIXTURES)",
        root.display()
    );
    None
}

/// Whether a file stands beside logs without being one.
fn is_beside(path: &str) -> bool {
    BESIDE.iter().any(|(ending, _)| path.ends_with(ending))
}

fn files_below(folder: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, out),
            false => out.push(path.to_string_lossy().into_owned()),
        }
    }
    out.sort();
}

/// What the program says of the logs in `folder`, and what on standard error if it reads none.
fn detect(root: &Path, folder: &str) -> Result<Value, String> {
    let args = ["detect", "--format", "json", "-o", "-", folder];
    let output = program::program(root).args(args).output().unwrap();
    serde_json::from_slice(&output.stdout).map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[derive(Default)]
struct Sum {
    files: usize,
    lines: u64,
    entries: u64,
    part: u64,
    nothing: u64,
    unparsed: u64,
    reasons: BTreeMap<String, u64>,
}

impl Sum {
    fn add(&mut self, file: &Value) {
        let count = |name: &str| file[name].as_u64().unwrap();
        self.files += 1;
        self.lines += count("lines");
        self.entries += count("entries");
        self.part += count("continuations");
        self.nothing += count("directives");
        self.unparsed += count("unparsed");
        for reason in file["unparsed_reasons"].as_array().unwrap() {
            let name = reason["reason"].as_str().unwrap().to_owned();
            *self.reasons.entry(name).or_default() += reason["lines"].as_u64().unwrap();
        }
    }

    fn print(&self, name: &str) {
        let reasons: Vec<String> = self
            .reasons
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        println!(
            "{name:24}{:6}{:7}{:9}{:9}{:9}{:9}  {}",
            self.files,
            self.lines,
            self.entries,
            self.part,
            self.nothing,
            self.unparsed,
            reasons.join(", ")
        );
    }
}

/// What is wrong with how one log was read.
fn complaints(folder: &str, file: &Value, formats: &[&str]) -> Vec<String> {
    let path = file["path"].as_str().unwrap();
    let mut wrong = Vec::new();
    let format = file["format"].as_str().unwrap_or("none");
    if !formats.contains(&format) {
        wrong.push(format!("{path}: taken for {format}, wanted {formats:?}"));
    }
    if let Some((_, wrappers)) = WRAPPED.iter().find(|(name, _)| *name == folder) {
        let wrapper = file["wrapper"].as_str().unwrap_or("none");
        if !wrappers.contains(&wrapper) {
            wrong.push(format!("{path}: inside {wrapper}, wanted {wrappers:?}"));
        }
    }
    let rivals = file["rivals"].as_array().unwrap();
    if !rivals.is_empty() {
        wrong.push(format!("{path}: claimed by {rivals:?} as well"));
    }
    let count = |name: &str| file[name].as_u64().unwrap();
    let told = count("entries") + count("continuations") + count("directives") + count("unparsed");
    if told != count("lines") || count("entries") == 0 {
        wrong.push(format!(
            "{path}: {told} of {} lines are accounted for",
            count("lines")
        ));
    }
    for line in file["unparsed_lines"].as_array().unwrap() {
        let place = format!("{path}:{}", line["line"]);
        let class = line["class"].as_str().unwrap();
        if !UNPARSED.contains(&(place.as_str(), class)) {
            wrong.push(format!("{place} is not read: {class} ({})", line["reason"]));
        }
    }
    wrong
}

#[test]
fn every_log_of_other_projects_is_recognised_and_every_line_accounted_for() {
    let Some(root) = fixtures() else { return };
    let mut wrong = Vec::new();
    let mut all = Sum::default();
    println!("folder                   files  lines  entries     part  nothing unparsed");
    for (folder, formats) in FOLDERS {
        let mut sum = Sum::default();
        let detection = match detect(&root, folder) {
            Ok(detection) => detection,
            Err(said) => {
                wrong.push(format!("{folder}: nothing is read: {said}"));
                continue;
            }
        };
        let mut left: Vec<String> = Vec::new();
        files_below(&root.join(folder), &mut left);
        left.retain(|path| !is_beside(path) && !NOT_READ.iter().any(|(name, _)| path.ends_with(name)));
        for file in detection["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            if is_beside(path) {
                continue;
            }
            left.retain(|other| !other.ends_with(path));
            wrong.extend(complaints(folder, file, formats));
            sum.add(file);
        }
        wrong.extend(left.iter().map(|path| format!("{path}: not recognised")));
        sum.print(folder);
        for file in detection["files"].as_array().unwrap() {
            if !is_beside(file["path"].as_str().unwrap()) {
                all.add(file);
            }
        }
    }
    all.print("all");
    let share = all.unparsed as f64 / all.lines as f64;
    println!("unparsed: {:.3} %", share * 100.0);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(share < UNPARSED_MOST);
    assert_eq!(
        all.unparsed as usize,
        UNPARSED.len(),
        "a line that is read now is no exception"
    );
}

#[test]
fn what_is_no_log_is_said_to_be_none() {
    let Some(root) = fixtures() else { return };
    for (folder, words) in NO_LOGS {
        let said = detect(&root, folder).unwrap_err();
        let mut files = Vec::new();
        files_below(&root.join(folder), &mut files);
        let captures = files.iter().filter(|path| !is_beside(path)).count();
        assert_eq!(said.matches(words).count(), captures, "{said}");
    }
    for (path, words) in NOT_READ {
        let said = detect(&root, path).unwrap_err();
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn every_folder_of_the_corpus_is_tested() {
    let Some(root) = fixtures() else { return };
    let known: Vec<&str> = FOLDERS
        .iter()
        .map(|(name, _)| *name)
        .chain(NO_LOGS.iter().map(|(name, _)| *name))
        .collect();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(
            !path.is_dir() || known.contains(&name.as_str()),
            "{name} is not in the table"
        );
    }
}
