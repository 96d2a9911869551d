//! A glance shows what reading the line would have shown, or nothing: on every line at hand, whole and damaged.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use why502_parsers::format::{Head, Prepared};
use why502_parsers::paste::{Dialect, compile};
use why502_parsers::{Entry, Glance, Line, bytes, registry, wrap};

/// Format strings whose lines are in the samples, or stand below.
const STRINGS: [(Dialect, &str); 6] = [
    (Dialect::Nginx, NGINX),
    (Dialect::Nginx, "combined"),
    (
        Dialect::Nginx,
        "$msec $host $upstream_addr $upstream_status $upstream_response_time $request $status $bytes_sent",
    ),
    (Dialect::Haproxy, "httplog"),
    (Dialect::Haproxy, HAPROXY),
    (
        Dialect::Apache,
        r#"%h %l %u %t "%r" %>s %O "%{Referer}i" %D %{X-Request-ID}i"#,
    ),
];

const NGINX: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" rid=$http_x_request_id rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubr="$upstream_bytes_received" us="$upstream_status" ua="$upstream_addr" cn=$connection/$connection_requests t=$msec"#;

const HAPROXY: &str = "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %ID";

/// Healthy lines and odd ones, of the format strings above and of formats whose columns a header names.
const LINES: [&str; 14] = [
    r#"10.0.1.10 - - [20/Nov/2026:00:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 43243 "-" "Mozilla/5.0 (X) \" y" "192.0.2.41" rid=2a0e6821-7b60-4c3b-8844-a44a630d31a6 rt=0.026 uct="0.000" uht="0.026" urt="0.026" ubr="43474" us="200" ua="10.0.3.10:8085" cn=27/1 t=1795132800.100"#,
    r#"10.0.1.10 - - [20/Nov/2026:00:00:01 +0000] "GET /b HTTP/1.1" 200 3 "-" "M" "-" rid=- rt=0.126 uct="0.000, 0.001" uht="-, 0.026" urt="0.100, 0.026" ubr="0, 4" us="502, 200" ua="10.0.3.10:8085, 10.0.3.11:8085" cn=27/1 t=1795132801.100"#,
    r#"10.0.1.10 - - [20/Nov/2026:00:00:01 +0000] "" 400 0 "-" "-" "-" rid=- rt=0.000 uct="-" uht="-" urt="-" ubr="-" us="-" ua="-" cn=27/1 t=1795132801.100"#,
    r#"192.0.2.41:23121 [20/Nov/2026:00:00:00.073] shop~ gateway/gw1 0/0/0/27/27 200 43474 - - ---- 21/21/8/8/0 0/0 {shop.example.com|Mozilla/5.0 (iPhone; CPU} "GET /a HTTP/1.1" 2a0e6821-7b60-4c3b-8844-a44a630d31a6"#,
    r#"192.0.2.41:23121 [20/Nov/2026:00:00:00.073] shop~ gateway/<NOSRV> 0/-1/-1/-1/27 503 43474 - - SC-- 21/21/8/8/3 0/0 {} "GET /a HTTP/1.1" x"#,
    r#"fe80::1:23121 [20/Nov/2026:00:00:00.073] shop~ gateway/gw1 0/0/0/27/+27 200 +43474 - - ---- 21/21/8/8/0 0/0 "GET /a b HTTP/1.1""#,
    "#Fields: date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version cs(User-Agent) cs(Referer) cs-host sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For X-Request-ID",
    "2026-11-20 00:00:02 W3SVC1 10.0.3.10 GET /a q=1 8085 - 10.0.2.10 HTTP/1.1 M - shop 200 0 0 26 192.0.2.41 2a0e6821-7b60-4c3b-8844-a44a630d31a6",
    "2026-11-20 00:00:02 W3SVC1 10.0.3.10 GET /a q=1&X-ARR-LOG-ID=1a0e6821-7b60-4c3b-8844-a44a630d31a6 8085 - 10.0.2.10 HTTP/1.1 M - shop 200 0 0 26 - 2a0e6821-7b60-4c3b-8844-a44a630d31a6",
    "2026-11-20 00:00:03 W3SVC1 10.0.3.10 GET - - 8085  10.0.2.10 HTTP/1.1 M x - shop 502 3 12002 - 192.0.2.41 -",
    r#"10.0.0.1 - - [20/Nov/2026:16:34:26 +0000] "POST /ff/c HTTP/1.1" 201 381 "-" 51863 awB2kpJ6k4pxmabpFhBItgAAAJU"#,
    r#"1795132800.100 shop 10.0.3.10:80 200 0.010 GET /a HTTP/1.1 200 17"#,
    r#"1795132800.100 shop 10.0.3.10:80, 10.0.3.11:80 502, 200 0.010, 0.020 GET /a HTTP/1.1 200 17"#,
    r#"1795132800.1 shop unix:/a.sock : http://b:80/c 502 : 200 - GET /a b 200 -"#,
];

fn files(path: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else {
        return;
    };
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, out);
        } else {
            out.push(entry);
        }
    }
}

/// Some lines of every file at hand, syslog headers taken off.
fn lines() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&root.join("../samples"), &mut paths);
    files(&root.join("tests/data"), &mut paths);
    match std::env::var_os("WHY502_FIXTURES") {
        Some(path) => files(Path::new(&path), &mut paths),
        None => files(&root.join("../../shared/fixtures"), &mut paths),
    }
    let mut lines: Vec<Vec<u8>> = LINES.iter().map(|line| line.as_bytes().to_vec()).collect();
    for path in paths {
        let bytes = std::fs::read(path).unwrap();
        lines.extend(
            bytes::lines(&bytes)
                .filter(|line| line.len() < 4_096)
                .take(12)
                .map(|line| {
                    let syslog = wrap::all()
                        .iter()
                        .filter(|wrapper| wrapper.name().starts_with("syslog"));
                    let inner = syslog.copied().find_map(|wrapper| wrapper.inside(line));
                    inner.map_or(line, |inside| inside.text).to_vec()
                }),
        );
    }
    lines
}

/// Every format that may give glances, made ready for lines of any kind.
fn formats() -> Vec<(String, Arc<dyn Prepared>)> {
    let head = Head {
        bytes: b"",
        hints: &[],
        date_hint: None,
    };
    let fields = Head {
        bytes: LINES[6].as_bytes(),
        ..head
    };
    let builtin = registry::builtin()
        .iter()
        .flat_map(|format| [&head, &fields].map(|head| (format.name().to_owned(), format.prepare(head))));
    let pasted = STRINGS.iter().map(|(dialect, text)| {
        let format = compile(*dialect, "pasted", text).unwrap();
        ((*text).to_owned(), format.prepare(&head))
    });
    builtin.chain(pasted).collect()
}

/// A sequence of numbers that looks random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most.max(1)
    }
}

/// `line` with one or two places changed to what parsers stumble over.
fn damaged(line: &[u8], dice: &mut Dice) -> Vec<u8> {
    const PIECES: [&[u8]; 20] = [
        b" ",
        b"\"",
        b"-",
        b"0",
        b"9",
        b", ",
        b" : ",
        b"\\",
        b"{",
        b"|",
        b"}",
        b"/",
        b":",
        b"",
        b"+",
        b".",
        b"x",
        b"[",
        b"20/Nov/2026:00:00:60",
        b"1234567890123456789012",
    ];
    let mut line = line.to_vec();
    for _ in 0..=dice.below(2) {
        let from = dice.below(line.len() + 1);
        let len = [0, 0, 1, 1, 2, 5, 40][dice.below(7)].min(line.len() - from);
        line.splice(from..from + len, PIECES[dice.below(PIECES.len())].iter().copied());
    }
    if dice.below(12) == 0 {
        line.truncate(dice.below(line.len() + 1));
    }
    line
}

/// Compares both ways of reading; whether a glance was enough.
fn compared(name: &str, prepared: &dyn Prepared, line: &[u8]) -> bool {
    let (mut one, mut other) = (prepared.open(b""), prepared.open(b""));
    let mut glance = Glance::default();
    if line.first().is_none_or(|&byte| byte <= b' ') || !one.glance(line, &mut glance) {
        return false;
    }
    let mut entry = Entry::default();
    let read = other.parse(line, &mut entry);
    let shown = String::from_utf8_lossy(line);
    assert_eq!(read, Ok(Line::Entry), "{name}: {shown}");
    assert!(Glance::may_show(&entry), "{name}: {shown}");
    let full = Glance::of(&entry);
    assert_eq!(format!("{glance:?}"), format!("{full:?}"), "{name}: {shown}");
    true
}

#[test]
fn a_glance_shows_what_reading_shows() {
    let (lines, formats) = (lines(), formats());
    let mut dice = Dice(7);
    let (mut shown, mut damaged_shown) = (0, 0);
    for (name, prepared) in &formats {
        for line in &lines {
            shown += usize::from(compared(name, prepared.as_ref(), line));
            for _ in 0..12 {
                let line = damaged(line, &mut dice);
                damaged_shown += usize::from(compared(name, prepared.as_ref(), &line));
            }
        }
    }
    assert!(
        shown >= 60 && damaged_shown >= 300,
        "{shown} and {damaged_shown} glances"
    );
}

#[test]
fn healthy_lines_need_no_more_than_a_glance() {
    let formats = formats();
    let glances = |format: &str, line: &str| {
        formats
            .iter()
            .filter(|(name, _)| name == format)
            .any(|(name, prepared)| compared(name, prepared.as_ref(), line.as_bytes()))
    };
    for (format, line) in [
        (NGINX, LINES[0]),
        (HAPROXY, LINES[3]),
        ("haproxy", LINES[3]),
        ("iis", LINES[7]),
        ("iis", LINES[8]),
    ] {
        assert!(glances(format, line), "{format}: {line}");
    }
    assert!(!glances(NGINX, LINES[1]), "a retry is read in full");
}
