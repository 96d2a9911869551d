//! The program as a shell sees it: exit codes, streams, and what is said about bad input.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use program::{program, report, root};
use serde_json::Value;

const SAMPLE: &str = "samples/nginx-node/logs/edge-nginx";

/// A directory with the access log of a sample, and ways to run the program in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("access.log", &Self::log());
        place
    }

    fn log() -> Vec<u8> {
        fs::read(root().join(SAMPLE).join("access.log")).unwrap()
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&program(self.path()).args(args).output().unwrap())
    }

    /// The report that `args` wrote to `name`.
    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(name)).unwrap()).unwrap()
    }
}

/// What a run left behind.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gzip file with a good start and damage after it.
fn corrupted() -> Vec<u8> {
    let mut bytes = zipped(&Place::log());
    let half = bytes.len() / 2;
    bytes[half..half + 400].fill(0xff);
    bytes
}

fn truncated() -> Vec<u8> {
    let bytes = zipped(&Place::log());
    bytes[..bytes.len() / 2].to_vec()
}

#[test]
fn help_and_version_go_to_standard_output_and_succeed() {
    let place = Place::new();
    let help = place.run(&["--help"]);
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert!(help.out.contains("--relative-to-end"));
    let version = place.run(&["-V"]);
    assert_eq!(version.out, format!("why502 {}\n", env!("CARGO_PKG_VERSION")));
}

/// Ends with 2, says nothing on standard output, and one `error:` line with `names` and one `hint:` line.
fn assert_error(ran: &Ran, args: &[&str], names: &str) {
    let lines: Vec<&str> = ran.err.lines().collect();
    let is_right = ran.code == Some(2) && ran.out.is_empty() && lines.len() == 2;
    assert!(is_right, "{args:?}: {ran:?}");
    assert!(
        lines[0].starts_with("error: ") && lines[0].contains(names),
        "{args:?}: {}",
        ran.err
    );
    assert!(
        lines[1].starts_with("hint: ") && lines[1].len() > 12,
        "{args:?}: {}",
        ran.err
    );
}

#[test]
fn input_that_leaves_nothing_to_read_is_an_error_with_the_file_and_the_remedy() {
    let place = Place::new();
    fs::create_dir(place.path().join("empty")).unwrap();
    fs::create_dir(place.path().join("directory.log")).unwrap();
    place.write("odd.log", "10:00:05 <> x\n".repeat(9).as_bytes());
    place.write("zero.log", b"");
    place.write("broken.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03garbage!");
    place.write("cut.gz", &truncated()[..30]);
    place.write("x.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0");
    for (path, said) in [
        ("missing.log", "cannot read missing.log: no such file"),
        ("*.nothing", "no file matches *.nothing"),
        ("empty", "no files in directory empty"),
        ("directory.log", "no files in directory directory.log"),
        ("odd.log", "no known log format in odd.log"),
        ("zero.log", "zero.log is empty"),
        ("broken.gz", "cannot decompress broken.gz"),
        ("cut.gz", "cannot decompress cut.gz"),
        ("x.pcap", "x.pcap: it is a packet capture"),
    ] {
        assert_error(&place.run(&[path]), &[path], said);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_nowhere_and_a_file_that_may_not_be_read_are_named() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    symlink("nowhere", place.path().join("dangling.log")).unwrap();
    assert_error(&place.run(&["dangling.log"]), &[], "cannot read dangling.log");
    place.write("secret.log", b"x\n");
    let secret = place.path().join("secret.log");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&secret).is_ok() {
        return println!("left out: this user may read everything");
    }
    assert_error(
        &place.run(&["secret.log"]),
        &[],
        "cannot read secret.log: permission denied",
    );
}

#[test]
fn a_wrong_option_is_an_error_with_the_option_and_what_would_be_right() {
    let place = Place::new();
    for (option, value) in [
        ("--since", "noonish"),
        ("--until", "25:99"),
        ("--around", "x"),
        ("--tz", "Mars/Olympus"),
        ("--time-zone", "Mars/Olympus"),
        ("--offset", "edge=soon"),
        ("--status", "5yy"),
        ("--cause", "gremlins"),
        ("--hop", "gremlins"),
        ("--hops", "x"),
        ("--input-format", "nginks"),
        ("--log-format", "$remote_addr"),
        ("--log-format", "nginx:$remote_addr $status"),
        ("--output", "report.odd"),
        ("--format", "odt"),
        ("--color", "blue"),
        ("--fail-on", "any:0"),
        ("--fail-on", "gremlins"),
        ("--threads", "many"),
    ] {
        let args = ["access.log", option, value];
        assert_error(&place.run(&args), &args, option);
    }
    let empty = ["access.log", "--since", "10:00", "--until", "09:00"];
    assert_error(&place.run(&empty), &empty, "the time window is empty");
    assert_eq!(place.run(&["access.log", "--no-such-option"]).code, Some(2));
}

#[test]
fn what_led_to_an_error_is_told_before_it() {
    let place = Place::new();
    place.write("broken.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03garbage!");
    let ran = place.run(&["broken.gz", "gone.log"]);
    assert_eq!((ran.code, ran.err.lines().count()), (Some(2), 6));
    let at = |text: &str| ran.err.find(text).unwrap();
    assert!(at("warning: cannot decompress broken.gz") < at("warning: cannot read gone.log"));
    assert!(at("warning: cannot read gone.log") < at("error: no known log format"));
}

/// A directory with a good log and one of every kind of bad file.
fn mixed() -> Place {
    let place = Place::new();
    place.write("x.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0");
    place.write("cut.log.gz", &truncated());
    place.write("damaged.log.gz", &corrupted());
    place.write("odd.log", "10:00:05 <> x\n".repeat(9).as_bytes());
    place
}

const BAD: [&str; 5] = ["x.pcap", "cut.log.gz", "damaged.log.gz", "odd.log", "gone.log"];

#[test]
fn bad_files_are_problems_of_the_report_and_the_rest_is_read() {
    let place = mixed();
    let ran = place.run(&[".", "gone.log"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let (_, problems) = ran.out.split_once("\nProblems\n").unwrap();
    for file in BAD {
        assert!(problems.contains(file), "{file}: {problems}");
    }
    let alone = report(place.path(), &["access.log"]);
    let beside = report(place.path(), &["access.log", "odd.log", "x.pcap", "gone.log"]);
    assert_eq!(alone["findings"], beside["findings"]);
    assert!(!alone["findings"].as_array().unwrap().is_empty());
}

#[test]
fn a_damaged_gzip_file_is_read_up_to_the_damage() {
    let place = mixed();
    let json = report(place.path(), &["."]);
    for name in ["cut.log.gz", "damaged.log.gz"] {
        let inputs = json["inputs"].as_array().unwrap();
        let input = inputs.iter().find(|input| input["path"] == name).unwrap();
        let entries = input["entries"].as_u64().unwrap();
        assert!((100..1_077).contains(&entries), "{input:#}");
    }
}

#[test]
fn where_no_text_report_is_shown_problems_are_warnings_on_standard_error() {
    let place = mixed();
    for output in [
        &["-o", "x.json"][..],
        &["--format", "json"],
        &["--format", "ndjson"],
    ] {
        let ran = place.run(&[&[".", "gone.log"], output].concat());
        assert_eq!(ran.code, Some(0), "{output:?}");
        for file in BAD {
            let is_warned = |line: &str| line.starts_with("warning: ") && line.contains(file);
            assert!(ran.err.lines().any(is_warned), "{file}, {output:?}: {}", ran.err);
        }
        let count = |start: &str| ran.err.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(
            (count("warning: "), count("hint: ")),
            (BAD.len(), BAD.len()),
            "{}",
            ran.err
        );
    }
    assert_eq!(place.run(&[".", "-q", "-o", "x.json"]).err, "");
}

#[test]
fn logs_that_lie_outside_the_window_are_told_from_good_news() {
    let place = Place::new();
    let window = ["--since", "2020-01-01", "--until", "2020-01-02"];
    let ran = place.run(&[&["."], &window[..]].concat());
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.starts_with("No request ended in 502"), "{}", ran.out);
    assert!(
        ran.out.contains("nothing in . lies in the time window"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("2026-11-20T18:19:53.603Z") && ran.out.contains("--relative-to-end"));
    let strict = place.run(&[&[".", "--strict", "-o", "x.json"], &window[..]].concat());
    assert_eq!(strict.code, Some(2));
    let inside = place.run(&[".", "--since", "-1m", "--relative-to-end"]);
    assert!(
        !inside.out.contains("Problems") && inside.out.contains("ended in 502 between"),
        "{}",
        inside.out
    );
}

#[test]
fn a_server_configuration_that_is_not_there_is_said() {
    let ran = Place::new().run(&["access.log", "--server-config", "gone.conf"]);
    assert_eq!(ran.code, Some(0));
    assert!(ran.out.contains("cannot read gone.conf"), "{}", ran.out);
}

#[test]
fn fail_on_decides_the_exit_code_by_count_and_cause() {
    let place = Place::new();
    for (rule, code) in [
        ("any", 1),
        ("any:51", 1),
        ("any:52", 0),
        ("dropped_connection", 1),
        ("queueing_delay", 0),
        ("queueing_delay,any", 1),
    ] {
        let ran = place.run(&["access.log", "--fail-on", rule]);
        assert_eq!(ran.code, Some(code), "{rule}");
        assert!(ran.out.starts_with("51 of 1,077 requests"), "{}", ran.out);
    }
}

#[test]
fn strict_ends_with_two_and_says_what_was_not_read() {
    let place = Place::new();
    assert_eq!(place.run(&["access.log", "--strict"]).code, Some(0));
    place.write("odd.log", "10:00:05 <> x\n".repeat(9).as_bytes());
    let ran = place.run(&["access.log", "odd.log", "--strict"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.out.contains("51 of 1,077 requests"),
        "the report comes all the same"
    );
    assert!(
        ran.err
            .contains("error: --strict: no known log format in odd.log\nhint: "),
        "{}",
        ran.err
    );
    let mut soiled = Place::log();
    soiled.extend_from_slice(b"??\n");
    place.write("access.log", &soiled);
    let ran = place.run(&["access.log", "--strict"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .contains("1 of 1078 lines of access.log not understood, the first is line 1078")
    );
}

#[test]
fn an_output_that_cannot_be_written_does_not_keep_the_others_from_it() {
    let place = Place::new();
    let ran = place.run(&[
        "access.log",
        "-o",
        "no/such/place.json",
        "-o",
        "x.json",
        "-o",
        "-",
    ]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err
            .contains("error: cannot write no/such/place.json: no such file or directory\nhint: ")
    );
    assert!(ran.err.contains("wrote 51 findings to x.json"), "{}", ran.err);
    assert!(ran.out.starts_with("51 of 1,077 requests"), "{}", ran.out);
    assert_eq!(place.json("x.json")["summary"]["failed"], 51);
}

#[test]
fn each_line_of_ndjson_is_a_finding() {
    let place = Place::new();
    let ran = place.run(&["access.log", "--format", "ndjson"]);
    let ids: Vec<Value> = ran
        .out
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone())
        .collect();
    let json = report(place.path(), &["access.log"]);
    let wanted: Vec<Value> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["id"].clone())
        .collect();
    assert_eq!((ran.code, ids), (Some(0), wanted));
}

#[test]
fn hostile_bytes_in_logs_and_names_reach_no_terminal() {
    let place = Place::new();
    let mut log = Place::log();
    let failure = String::from_utf8(log.clone()).unwrap();
    let failure = failure.lines().find(|line| line.contains("\" 502 ")).unwrap();
    // A record whose request carries what would clear the screen, and lines that are no records.
    log.extend_from_slice(failure.replace("ShopApp", "\x1b[2J\u{202e}\u{9b}31m").as_bytes());
    log.extend_from_slice(b"\n\x1b]0;owned\x07\n\xff\xfe\x00\n");
    place.write("access.log", &log);
    #[cfg(unix)]
    place.write("bad\x1b[31m.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0");
    for args in [
        &[".", "-v"][..],
        &[".", "--format", "json"],
        &[".", "--format", "ndjson"],
    ] {
        let ran = place.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}");
        for text in [&ran.out, &ran.err] {
            let acts = |c: char| c != '\n' && why502::report::escape::acts(c);
            assert!(!text.contains(acts), "{args:?}: {text:?}");
        }
    }
    assert_eq!(report(place.path(), &["access.log"])["inputs"][0]["unparsed"], 2);
}

#[test]
fn standard_input_is_one_more_log() {
    let place = Place::new();
    let mut child = program(place.path())
        .args(["-", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&Place::log()).unwrap();
    let ran = Ran::of(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0));
    let piped: Value = serde_json::from_str(&ran.out).unwrap();
    let read = report(place.path(), &["access.log"]);
    assert_eq!(piped["summary"]["failed"], read["summary"]["failed"]);
    assert_eq!(piped["inputs"][0]["path"], "-");
    assert_eq!(piped["inputs"][0]["lines"], 1_077);
}

#[test]
fn the_hops_of_the_current_directory_are_those_of_the_directory_by_its_name() {
    let names = |directory: &Path, path: &str| -> Vec<Value> {
        let json = report(directory, &[path]);
        json["hops"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hop| hop["name"].clone())
            .collect()
    };
    let logs = root().join("samples/nginx-node/logs");
    let named = names(root(), "samples/nginx-node/logs");
    assert_eq!(names(&logs, "."), named);
    assert_eq!(names(&logs, "./"), named);
    assert_eq!(names(&logs, "../logs"), named);
    assert_eq!(named, ["edge-nginx", "orders-app", "shop-app"]);
}

#[test]
fn options_come_from_the_environment_and_the_command_line_goes_before_it() {
    let place = Place::new();
    let run = |args: &[&str]| {
        let mut command = program(place.path());
        let command = command.env("WHY502_COLOR", "blue").env("WHY502_STRICT", "0");
        Ran::of(&command.args(args).output().unwrap())
    };
    assert!(run(&["access.log"]).err.contains("unknown choice 'blue'"));
    assert_eq!(run(&["access.log", "--color", "never"]).code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error_and_other_outputs_are_written() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = program(place.path())
        .args(["access.log", "-o", "-", "-o", "x.json", "-q"])
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let ran = Ran::of(&output);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(place.json("x.json")["summary"]["failed"], 51);
}

/// nginx that keeps connections for 75 s in front of something at 10.0.0.3:3000.
const EDGE: &str = "events {}\nhttp {\n upstream app { server 10.0.0.3:3000; keepalive 8; keepalive_timeout 75s; }\n server { listen 80; location / { proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_connect_timeout 2s; proxy_pass http://app; } }\n}\n";

#[test]
fn lint_exits_with_one_when_its_level_is_met_and_writes_json() {
    let place = Place::new();
    place.write("configs/edge/nginx.conf", EDGE.as_bytes());
    let limit = "--limit=10.0.0.3:3000.idle=5s";
    assert_eq!(place.run(&["lint", "configs"]).code, Some(0));
    assert_eq!(place.run(&["lint", "configs", limit]).code, Some(0));
    assert_eq!(
        place.run(&["lint", "configs", limit, "--fail-on", "error"]).code,
        Some(1)
    );
    assert_eq!(
        place
            .run(&["lint", "configs", limit, "--fail-on", "error:2"])
            .code,
        Some(0)
    );
    let ran = place.run(&["lint", "configs", limit, "--format", "json"]);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["schema"], "why502.lint.v1");
    assert_eq!(json["findings"][0]["rule"], "idle_order");
    assert_eq!(
        json["findings"][0]["values"][0]["origin"],
        "configs/edge/nginx.conf:3"
    );
    let schema: Value = serde_json::from_str(&place.run(&["formats", "schema", "lint"]).out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&json));
}

#[test]
fn lint_says_what_is_wrong_with_its_input() {
    let place = Place::new();
    place.write("empty/x.txt", b"nothing\n");
    place.write("bad/why502.toml", b"[[hop]]\nname = \"a\"\nzone = \"Nowhere\"\n");
    for (args, said) in [
        (&["lint", "missing"][..], "cannot read missing"),
        (&["lint", "empty"], "no configuration of a known server in empty"),
        (&["lint", "bad"], "bad/why502.toml:3: "),
        (&["lint", "empty", "--limit", "a.b"], "--limit: 'a.b'"),
        (&["lint", "empty", "--fail-on", "bad"], "unknown level 'bad'"),
        (&["access.log", "--limit", "edge.idel=5s"], "unknown limit 'idel'"),
    ] {
        assert_error(&place.run(args), args, said);
    }
}
