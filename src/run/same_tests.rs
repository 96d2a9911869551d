//! However lines are wrapped and packed, the same entries come out.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::discover::discover;
use crate::model::Input;
use crate::plan::Plan;
use crate::read;
use crate::select::scan::{LineRef, Scanned, Scanner};
use crate::sniff::{self, Forced, Part, Surroundings};

const STAMP: &str = "2026-11-20T10:00:05.123456789Z";

/// What is compared of an entry, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    what: String,
    place: (u64, u32),
}

/// The entries of the only log at `path`, and how many lines could not be read.
fn entries(path: &Path) -> (Input, Vec<Seen>, usize) {
    let found = discover(&[path.to_owned()]).unwrap();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let forced = Forced::new(&Plan::default(), &[]).unwrap();
    let sniffed = sniff::detect(
        &found.inputs,
        Surroundings::default(),
        &forced,
        &|input, part| match part {
            Part::Head => read::head(input, sniff::HEAD),
            Part::Middle => read::middle(input, sniff::HEAD),
        },
    );
    assert!(sniffed.problems.is_empty(), "{:?}", sniffed.problems);
    let input = found.inputs.into_iter().next().unwrap();
    let detected = sniffed.formats[0]
        .as_ref()
        .unwrap_or_else(|| panic!("{} is of no format", input.shown));
    let mut scanner = Scanner::new(detected.prepared.open(b""), detected.wrapper, None, 0);
    let (mut seen, mut unread) = (Vec::new(), 0);
    let mut keep = |scanned: Scanned<'_, '_>, line: LineRef, _: &[u8]| match scanned {
        Scanned::Entry(entry) => seen.push(Seen {
            what: format!(
                "{:?} {:?} {} {} {:?} {}",
                entry.status,
                entry.time.map(|stamp| stamp.us),
                entry.text(entry.path),
                entry.text(entry.client),
                entry.bytes_sent,
                entry.text(entry.error),
            ),
            place: (line.offset, line.len),
        }),
        Scanned::Unparsed(_) => unread += 1,
        _ => {}
    };
    let mut buffer = Vec::new();
    for span in read::spans(&input, 1 << 20).unwrap() {
        read::read_span(&input, &span, &mut buffer, &mut |chunk| {
            scanner.scan(chunk.bytes, chunk.offset, &mut keep);
        })
        .unwrap();
    }
    scanner.finish(&mut keep);
    (input, seen, unread)
}

/// A way of wrapping lines, and whether places in the result are those of its bytes.
type Wrap = (&'static str, bool, fn(&[String]) -> Vec<u8>);

fn each(lines: &[String], wrap: impl Fn(&str) -> String) -> Vec<u8> {
    lines
        .iter()
        .map(|line| wrap(line) + "\n")
        .collect::<String>()
        .into_bytes()
}

/// `line` in pieces of at most 30 bytes.
fn pieces(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > 30 {
        let at = (0..=30).rev().find(|&at| rest.is_char_boundary(at)).unwrap();
        pieces.push(&rest[..at]);
        rest = &rest[at..];
    }
    pieces.push(rest);
    pieces
}

fn docker(log: &str) -> String {
    json!({"log": log, "stream": "stdout", "time": STAMP}).to_string()
}

fn records(lines: &[String]) -> Value {
    lines
        .iter()
        .map(|line| json!({"textPayload": line, "timestamp": STAMP, "resource": {"type": "k8s_container"}}))
        .collect()
}

const WRAPS: [Wrap; 24] = [
    ("plain", true, |lines| each(lines, str::to_owned)),
    ("docker", true, |lines| {
        each(lines, |line| docker(&format!("{line}\n")))
    }),
    ("docker in pieces", true, |lines| {
        lines.iter().fold(Vec::new(), |mut all, line| {
            let pieces = pieces(line);
            for (at, piece) in pieces.iter().enumerate() {
                let end = if at + 1 == pieces.len() { "\n" } else { "" };
                all.extend(docker(&format!("{piece}{end}")).bytes().chain(*b"\n"));
            }
            all
        })
    }),
    ("cri", true, |lines| {
        each(lines, |line| format!("{STAMP} stdout F {line}"))
    }),
    ("cri in pieces", true, |lines| {
        each(lines, |line| {
            let pieces = pieces(line);
            let tag = |at: usize| if at + 1 == pieces.len() { "F" } else { "P" };
            let tagged = pieces.iter().enumerate();
            let all: Vec<_> = tagged
                .map(|(at, piece)| format!("{STAMP} stderr {} {piece}", tag(at)))
                .collect();
            all.join("\n")
        })
    }),
    ("compose", true, |lines| {
        each(lines, |line| format!("\x1b[36mweb-1    |\x1b[0m {line}"))
    }),
    ("compose -t", true, |lines| {
        each(lines, |line| format!("web-1  | {STAMP} {line}"))
    }),
    ("docker -t", true, |lines| {
        each(lines, |line| format!("{STAMP} {line}"))
    }),
    ("kubectl", true, |lines| {
        each(lines, |line| format!("[pod/web-7d9f/nginx] {line}"))
    }),
    ("journald json", true, |lines| {
        each(lines, |line| {
            json!({"__CURSOR": "s=1;i=2", "__REALTIME_TIMESTAMP": "1795168805123456", "_HOSTNAME": "h", "_PID": "7", "MESSAGE": line}).to_string()
        })
    }),
    ("journald json of bytes", true, |lines| {
        each(lines, |line| {
            json!({"MESSAGE": line.as_bytes(), "__REALTIME_TIMESTAMP": "1795168805123456", "_HOSTNAME": "h"})
                .to_string()
        })
    }),
    ("journald export", false, |lines| {
        lines.iter().enumerate().fold(Vec::new(), |mut all, (at, line)| {
            all.extend(b"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795168805123456\n_HOSTNAME=h\n_PID=7\n");
            if at % 2 == 0 {
                all.extend(format!("MESSAGE={line}\n").bytes());
            } else {
                all.extend(b"MESSAGE\n");
                all.extend((line.len() as u64).to_le_bytes());
                all.extend(line.bytes());
                all.push(b'\n');
            }
            all.extend(b"_COMM=nginx\n\n");
            all
        })
    }),
    ("journald short", true, |lines| {
        each(lines, |line| format!("Nov 20 10:00:05 h nginx[7]: {line}"))
    }),
    ("journald short-full", true, |lines| {
        each(lines, |line| {
            format!("Fri 2026-11-20 10:00:05 UTC h nginx[7]: {line}")
        })
    }),
    ("syslog 5424", true, |lines| {
        each(lines, |line| {
            format!("<190>1 2026-11-20T10:00:05.123Z h nginx 7 - - {line}")
        })
    }),
    ("syslog 3164", true, |lines| {
        each(lines, |line| format!("<190>Nov 20 10:00:05 h nginx: {line}"))
    }),
    ("fluent bit", true, |lines| {
        each(lines, |line| {
            json!({"date": 1795168805.123, "log": line, "stream": "stdout"}).to_string()
        })
    }),
    ("filebeat", true, |lines| {
        each(lines, |line| {
            json!({"@timestamp": "2026-11-20T10:00:05.123Z", "message": line, "agent": {"type": "filebeat"}})
                .to_string()
        })
    }),
    ("cloud logging", true, |lines| {
        each(lines, |line| {
            json!({"jsonPayload": {"message": line}, "timestamp": STAMP}).to_string()
        })
    }),
    ("array", false, |lines| records(lines).to_string().into_bytes()),
    ("array over lines", false, |lines| {
        serde_json::to_vec_pretty(&records(lines)).unwrap()
    }),
    ("cloudwatch", false, |lines| {
        let events: Value = lines
            .iter()
            .map(|line| json!({"id": "1", "timestamp": 1795168805123u64, "message": line}))
            .collect();
        json!({"messageType": "DATA_MESSAGE", "logGroup": "g", "logEvents": events})
            .to_string()
            .into_bytes()
    }),
    ("filebeat in docker", true, |lines| {
        each(lines, |line| {
            let inner = json!({"@timestamp": "2026-11-20T10:00:05.123Z", "message": line});
            docker(&format!("{inner}\n"))
        })
    }),
    ("syslog in an envelope in cri", true, |lines| {
        each(lines, |line| {
            let inner = json!({"message": format!("<190>Nov 20 10:00:05 h nginx: {line}"), "time": STAMP});
            format!("{STAMP} stdout F {inner}")
        })
    }),
];

/// A way of packing a file, with the program that does it: from the file's directory and name to what is read.
type Pack = (&'static str, &'static str, fn(&Path) -> PathBuf);

/// Runs `program` in `directory`, `a.log` on its standard input, its standard output into `to`.
fn run(directory: &Path, program: &str, arguments: &[&str], to: &str) -> PathBuf {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .stdin(std::fs::File::open(directory.join("a.log")).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    let path = directory.join(to);
    if !path.exists() {
        std::fs::write(&path, output.stdout).unwrap();
    }
    path
}

const PACKS: [Pack; 13] = [
    ("none", "true", |d| d.join("a.log")),
    ("gzip", "gzip", |d| run(d, "gzip", &["-c"], "packed")),
    ("zstd", "zstd", |d| run(d, "zstd", &["-q", "-c"], "packed")),
    ("bzip2", "bzip2", |d| run(d, "bzip2", &["-c"], "packed")),
    ("xz", "xz", |d| run(d, "xz", &["-c"], "packed")),
    ("zip", "zip", |d| {
        run(d, "zip", &["-q", "packed.zip", "a.log"], "packed.zip")
    }),
    ("zip, stored", "zip", |d| {
        run(d, "zip", &["-q", "-0", "packed.zip", "a.log"], "packed.zip")
    }),
    ("tar", "tar", |d| {
        run(d, "tar", &["cf", "packed", "a.log"], "packed")
    }),
    ("tar.gz", "tar", |d| {
        run(d, "tar", &["czf", "packed", "a.log"], "packed")
    }),
    ("tar.xz", "xz", |d| {
        run(d, "tar", &["cJf", "packed", "a.log"], "packed")
    }),
    ("gzip in tar", "gzip", |d| {
        run(d, "gzip", &["-c"], "a.gz");
        run(d, "tar", &["cf", "packed", "a.gz"], "packed")
    }),
    ("UTF-16", "iconv", |d| {
        run(d, "iconv", &["-f", "UTF-8", "-t", "UTF-16"], "packed")
    }),
    ("UTF-16 in zstd", "iconv", |d| {
        let big = [
            vec![0xfe, 0xff],
            utf16be(&std::fs::read_to_string(d.join("a.log")).unwrap()),
        ]
        .concat();
        let path = d.join("packed");
        let mut zstd = Command::new("zstd")
            .args(["-q", "-o", "packed"])
            .current_dir(d)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        zstd.stdin.take().unwrap().write_all(&big).unwrap();
        assert!(zstd.wait().unwrap().success());
        path
    }),
];

fn utf16be(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

fn is_there(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Checks one way of wrapping and one of packing against the bare lines.
fn check(lines: &[String], wrap: &Wrap, pack: &Pack) {
    let (wrapping, places, wrap) = wrap;
    let (packing, program, pack) = pack;
    if !is_there(program) || packing.contains("zstd") && !is_there("zstd") {
        return eprintln!("skipped {packing}: no {program}");
    }
    let root = tempfile::tempdir().unwrap();
    let bare = root.path().join("bare.log");
    std::fs::write(&bare, each(lines, str::to_owned)).unwrap();
    let (_, wanted, unread) = entries(&bare);
    assert_eq!((wanted.len(), unread), (lines.len(), 0), "{lines:?}");
    let text = wrap(lines);
    if packing.contains("UTF-16") && std::str::from_utf8(&text).is_err() {
        return; // The lengths in a journal's export are no text.
    }
    std::fs::write(root.path().join("a.log"), &text).unwrap();
    let (input, seen, unread) = entries(&pack(root.path()));
    let what = |all: &[Seen]| all.iter().map(|seen| seen.what.clone()).collect::<Vec<_>>();
    assert_eq!(what(&seen), what(&wanted), "{wrapping}, {packing}");
    assert_eq!(unread, 0, "{wrapping}, {packing}");
    if *places {
        let spots: Vec<_> = seen.iter().map(|seen| seen.place).collect();
        for (line, (offset, len)) in read::lines_at(&input, &spots).unwrap().iter().zip(&spots) {
            let from = *offset as usize;
            assert_eq!(line, &text[from..from + *len as usize], "{wrapping}, {packing}");
        }
    }
}

fn line(second: u32, status: u16, path: &str, agent: &str) -> String {
    format!(
        "10.0.0.{} - - [20/Nov/2026:10:00:{second:02} +0000] \"GET /{path} HTTP/1.1\" {status} {second} \"-\" \"{agent}\"",
        second % 9
    )
}

fn some_lines() -> Vec<String> {
    (1..40)
        .map(|n| {
            line(
                n,
                200 + 10 * n as u16,
                "a/é\\x22?q=\\x5C",
                "curl/8 \\x22x\\x22 {\\x0A} ü€😀",
            )
        })
        .collect()
}

#[test]
fn every_wrapper_gives_the_same_entries() {
    for wrap in &WRAPS {
        check(&some_lines(), wrap, &PACKS[0]);
    }
}

#[test]
fn every_packing_gives_the_same_entries() {
    for pack in &PACKS {
        check(&some_lines(), &WRAPS[0], pack);
        check(&some_lines(), &WRAPS[11], pack);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_lines_wrapped_and_packed_in_any_way_give_the_same_entries(
        drawn in prop::collection::vec((0u32..60, 200u16..600, "[a-z0-9/._é€-]{0,60}", "[a-zA-Z0-9 (){}:,;/\\[\\]|é€😀-]{1,60}"), 3..30),
        wrap in 0..WRAPS.len(),
        pack in 0..PACKS.len(),
    ) {
        let lines: Vec<String> = drawn.iter().map(|(second, status, path, agent)| line(*second, *status, path, agent)).collect();
        check(&lines, &WRAPS[wrap], &PACKS[pack]);
    }
}
