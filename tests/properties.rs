//! What must not change the answer: threads, the order of the paths, compression, rotation, block size, and lines
//! that are no log lines.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use program::{root, samples};
use proptest::prelude::*;
use serde_json::Value;
use why502::report::Progress;
use why502::{cli, run};

/// The report on `args`, byte by byte, of the program run in `directory`.
fn bytes(directory: &Path, args: &[&str]) -> String {
    let args = [args, &["--status", "5xx", "--format", "json"]].concat();
    String::from_utf8(program::run(directory, &args).stdout).unwrap()
}

/// `left` and `right` are the same; shows where they part.
fn assert_same(left: &str, right: &str, what: &str) {
    if left == right {
        return;
    }
    let (at, pair) = left
        .lines()
        .zip(right.lines())
        .enumerate()
        .find(|(_, (left, right))| left != right)
        .unwrap_or((0, ("", "")));
    panic!(
        "{what}: line {} differs\n  {}\n  {}",
        at + 1,
        pair.0.trim(),
        pair.1.trim()
    );
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    for name in samples() {
        let path = format!("samples/{name}");
        let one = bytes(root(), &[&path, "--threads", "1"]);
        for threads in ["2", "7"] {
            let more = bytes(root(), &[&path, "--threads", threads]);
            assert_same(&one, &more, &format!("{name} with {threads} threads"));
        }
    }
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn the_order_of_the_paths_does_not_matter() {
    for name in samples() {
        let sample = root().join("samples").join(&name);
        let files: Vec<String> = ["logs", "configs"]
            .iter()
            .flat_map(|part| files_below(&sample.join(part)))
            .map(|path| path.strip_prefix(root()).unwrap().to_string_lossy().into_owned())
            .collect();
        let mut order: Vec<&str> = files.iter().map(String::as_str).collect();
        let sorted = bytes(root(), &order);
        order.reverse();
        // Every other one first.
        let (mut even, mut odd) = (Vec::new(), Vec::new());
        for (at, path) in order.into_iter().enumerate() {
            if at % 2 == 0 {
                even.push(path)
            } else {
                odd.push(path)
            }
        }
        odd.append(&mut even);
        assert_same(&sorted, &bytes(root(), &odd), &format!("{name} shuffled"));
    }
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut content).unwrap();
    content
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A copy of a sample's logs and configuration; `change` gets each log's path below `logs` and its content, and gives
/// the files to write for it.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(name: &str, change: impl Fn(&str, Vec<u8>) -> Vec<(String, Vec<u8>)>) -> Self {
        let copy = Self(tempfile::tempdir().unwrap());
        let sample = root().join("samples").join(name);
        for file in files_below(&sample) {
            let path = file.strip_prefix(&sample).unwrap().to_string_lossy().into_owned();
            let bytes = fs::read(&file).unwrap();
            if path.starts_with("configs/") {
                copy.write(&path, &bytes);
            } else if let Some(plain) = path.strip_suffix(".gz") {
                change(plain, unzipped(&bytes))
                    .iter()
                    .for_each(|(path, bytes)| copy.write(path, bytes));
            } else if path.starts_with("logs/") {
                change(&path, bytes)
                    .iter()
                    .for_each(|(path, bytes)| copy.write(path, bytes));
            }
        }
        copy
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn bytes(&self) -> String {
        bytes(self.0.path(), &["."])
    }

    fn report(&self) -> Value {
        serde_json::from_str(&self.bytes()).unwrap()
    }
}

#[test]
fn compression_does_not_matter() {
    for name in samples() {
        let plain = Copy::of(&name, |path, bytes| vec![(path.to_owned(), bytes)]).bytes();
        let packed = Copy::of(&name, |path, bytes| vec![(format!("{path}.gz"), zipped(&bytes))]).bytes();
        let renamed = packed.replace(".gz", "");
        assert_same(&plain, &renamed, &name);
    }
}

/// The first lines of each log of a sample, so that a run takes little time.
fn first_lines(bytes: &[u8], most: usize) -> Vec<u8> {
    bytes
        .split_inclusive(|byte| *byte == b'\n')
        .take(most)
        .collect::<Vec<_>>()
        .concat()
}

/// The sample that the random tests change, and how many lines of each log are taken.
const SMALL: (&str, usize) = ("nginx-node", 400);

/// What a report says of failures, less the places where it stands and the names that rest on them.
fn answer(mut report: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for key in ["file", "line", "offset", "id"] {
                    members.shift_remove(key);
                }
                members.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut findings: Vec<Value> = report["findings"].as_array_mut().unwrap().drain(..).collect();
    findings.iter_mut().for_each(strip);
    findings.sort_by_key(Value::to_string);
    let mut rest = serde_json::json!({"findings": findings});
    for key in ["summary", "hops", "inferences", "near_misses", "problems"] {
        rest[key] = report[key].take();
        strip(&mut rest[key]);
    }
    rest
}

fn assert_same_answer(left: &Value, right: &Value, what: &str) {
    let text = |value: &Value| serde_json::to_string_pretty(value).unwrap();
    assert_same(&text(left), &text(right), what);
}

/// The small sample; the log at `path` replaced by what `change` makes of it.
fn small(path: &str, change: impl Fn(Vec<u8>) -> Vec<(String, Vec<u8>)>) -> Copy {
    Copy::of(SMALL.0, |log, bytes| {
        if log.ends_with(".1") {
            return Vec::new(); // The older part: what is left is one file a log.
        }
        let bytes = first_lines(&bytes, SMALL.1);
        if log == path {
            change(bytes)
        } else {
            vec![(log.to_owned(), bytes)]
        }
    })
}

/// The answer on the small sample as it is.
static WHOLE: LazyLock<Value> =
    LazyLock::new(|| answer(small("", |bytes| vec![(String::new(), bytes)]).report()));

const LOGS: [&str; 3] = [
    "logs/edge-nginx/access.log",
    "logs/edge-nginx/error.log",
    "logs/shop-app/app.log",
];

/// The logs in which a line is a record or nothing. In an error log of nginx a line without stamp is the rest of
/// the message above it.
const LINE_BY_LINE: [&str; 2] = [LOGS[0], LOGS[2]];

/// The answer on `sample` with the newest part of `log` cut in so many, and without its older parts.
fn rotated(sample: &str, log: &str, parts: usize) -> Value {
    let older = format!("{log}.1");
    let copy = Copy::of(sample, |path, bytes| {
        if path == older {
            return Vec::new();
        }
        if path != log {
            return vec![(path.to_owned(), bytes)];
        }
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let part = |nth: usize| lines[nth * lines.len() / parts..(nth + 1) * lines.len() / parts].concat();
        let older = (1..parts).map(|age| (format!("{log}.{age}"), part(parts - 1 - age)));
        older.chain([(log.to_owned(), part(parts - 1))]).collect()
    });
    answer(copy.report())
}

fn assert_same_rotated(sample: &str, log: &str, all: &[usize]) {
    let whole = rotated(sample, log, 1);
    for &parts in all {
        let what = format!("{sample}, {log} in {parts} parts");
        assert_same_answer(&whole, &rotated(sample, log, parts), &what);
    }
}

/// It has seconds with many error lines.
#[test]
fn an_error_log_that_was_rotated_within_a_second_gives_the_same_answer() {
    assert_same_rotated("haproxy-nginx-node", "logs/web-nginx/error.log", &[2, 3]);
}

/// Right behind a cut a failure's upstream was used last by a request in the part before.
#[test]
fn what_is_known_of_upstreams_goes_on_across_rotated_parts() {
    assert_same_rotated("nginx-node", "logs/edge-nginx/access.log", &[9, 40]);
}

/// Lines that no server writes, hostile ones among them.
const GARBAGE: [&[u8]; 5] = [
    b"%%% not a log line %%%\n",
    b"\x1b[2J\x1b]0;gone\x07 \xff\xfe\x80\n",
    b"{\"unfinished\": [1, 2, {\n",
    b"}{}{}{}{\"\"\"\"\\\\\\\n",
    b"10.0.0.1 - - [99/Foo/2026:99:99:99 +9999] \"GET\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_that_was_rotated_anywhere_gives_the_same_answer(at in 0.0..1.0f64, log in 0..LOGS.len(), threads in 1..5u32) {
        let path = LOGS[log];
        let split = small(path, |bytes| {
            let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let (older, newer) = lines.split_at((lines.len() as f64 * at) as usize);
            vec![(format!("{path}.1"), older.concat()), (path.to_owned(), newer.concat())]
        });
        let parts = bytes(split.0.path(), &[".", "--threads", &threads.to_string()]);
        let parts: Value = serde_json::from_str(&parts).unwrap();
        assert_same_answer(&WHOLE, &answer(parts), &format!("{path} split at {at}"));
    }

    #[test]
    fn lines_of_garbage_are_counted_where_they_stand_and_change_nothing(
        log in 0..LINE_BY_LINE.len(),
        places in prop::collection::vec((0.0..1.0f64, 0..GARBAGE.len()), 1..9),
    ) {
        let path = LINE_BY_LINE[log];
        let wanted = std::cell::RefCell::new(Vec::new());
        let soiled = small(path, |bytes| {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            for (at, kind) in &places {
                // Never first: what a file is, its first line tells.
                let at = 1 + ((lines.len() - 1) as f64 * at) as usize;
                lines.insert(at, GARBAGE[*kind]);
            }
            let mut offset = 0;
            for (number, line) in lines.iter().enumerate() {
                if GARBAGE.contains(line) {
                    wanted.borrow_mut().push((number as u64 + 1, offset));
                }
                offset += line.len() as u64;
            }
            vec![(path.to_owned(), lines.concat())]
        })
        .report();
        let inputs = soiled["inputs"].as_array().unwrap();
        for input in inputs {
            let wanted = if input["path"] == path { wanted.borrow().clone() } else { Vec::new() };
            let lines = input["unparsed_lines"].as_array().unwrap().iter();
            let found: Vec<(u64, u64)> =
                lines.map(|line| (line["line"].as_u64().unwrap(), line["offset"].as_u64().unwrap())).collect();
            assert_eq!(input["unparsed"], wanted.len(), "{input:#}");
            assert_eq!(found, wanted[..found.len()], "{input:#}");
            assert_eq!(found.len(), wanted.len().min(5), "{input:#}");
        }
        assert_same_answer(&WHOLE, &answer(soiled), path);
    }

    #[test]
    fn any_block_size_gives_the_same_report(
        block_bytes in 2_000..200_000u64,
        marked_most in prop_oneof![Just(0), 0..3_000u64, Just(u64::MAX)],
    ) {
        let other = in_blocks(block_bytes, marked_most);
        assert_same(&BLOCKLESS, &other, &format!("blocks of {block_bytes} bytes, {marked_most} lines marked"));
    }
}

/// The report on the small sample's original, read in pieces of `block_bytes`, `marked_most` lines being marked.
fn in_blocks(block_bytes: u64, marked_most: u64) -> String {
    let sample = format!("samples/{}", SMALL.0);
    let args = ["why502", &sample, "--status", "5xx", "--threads", "2"].map(Into::into);
    let Ok(cli::Job::Diagnose(mut plan)) = cli::read(args) else {
        panic!("the command line is wrong")
    };
    plan.block_bytes = block_bytes;
    plan.marked_most = marked_most;
    let report = run::diagnose(&plan, 0, &Progress::new(0, false)).unwrap();
    serde_json::to_string_pretty(&report).unwrap()
}

/// The same, each log in one piece.
static BLOCKLESS: LazyLock<String> = LazyLock::new(|| in_blocks(u64::MAX, u64::MAX));
