//! Definitions that are right, and what is said of those that are not.

use super::*;

const GOOD: &str = r#"
name = 'shop-edge'
product = 'nginx'
template = '{start:%d.%m.%Y %T%.f %z}|{client}|"{request}"|{status}|{duration:ms}|{upstream_status}|{upstream_connect:ms}|{id}{?}|{tail}'
escape = 'backslash'
list_separator = '/'

[[sample]]
line = '20.11.2026 10:00:05.123 +0100|10.0.0.1|"GET /a?b=1 HTTP/1.1"|502|61|502/200|-/3|4ad36c1d2060844c74439ca62bfb3e0e'
expect = { time = 2026-11-20T09:00:05.123Z, time_marks = 'start', path = '/a?b=1', status = 502, duration_us = 61000, upstream_status = [502, 200], upstream_connect_us = ['-', 3000], ids = ['4ad36c1d2060844c74439ca62bfb3e0e'] }

[[counter_sample]]
line = '10.0.0.1 - - [20/Nov/2026:10:00:05 +0000] "GET / HTTP/1.1" 200 5'
"#;

#[test]
fn the_example_to_start_from_is_right() {
    Defined::read("example.toml", include_str!("../../formats/example.toml")).unwrap();
}

fn error(text: &str) -> String {
    let error = Defined::read("shop.toml", text).unwrap_err();
    assert!(!error.hint.is_empty(), "{error}");
    format!("{error} ({})", error.hint)
}

#[test]
fn a_definition_reads_what_its_samples_expect() {
    let defined = Defined::read("shop.toml", GOOD).unwrap();
    assert_eq!(
        (defined.name(), defined.product(), defined.samples()),
        ("shop-edge", Product::Nginx, 2)
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place_and_a_hint() {
    for (from, to, wanted) in [
        (
            "{status}",
            "{statsu}",
            "shop.toml:4:60: unknown field 'statsu' (did you mean {status}?)",
        ),
        (
            "{duration:ms}",
            "{duration}",
            "shop.toml:4:69: {duration} does not say its unit",
        ),
        (
            "{duration:ms}",
            "{duration:h}",
            "shop.toml:4:69: 'h' means nothing to {duration}",
        ),
        (
            "|{status}|",
            "|{status}",
            "shop.toml:4:60: nothing separates {status} from {duration:ms}",
        ),
        (
            "{start:%d.%m.%Y",
            "{start:%d.%m.%Q",
            "shop.toml:4:26: %Q is no part of a time layout",
        ),
        (
            "'nginx'",
            "'nginks'",
            "shop.toml:3:11: unknown product 'nginks' (did you mean nginx?)",
        ),
        ("product =", "prodct =", "shop.toml:3:1: unknown field `prodct`"),
        ("status = 502", "status = 503", "status is 502, not 503"),
        (
            "status = 502",
            "stats = 502",
            "unknown field 'stats' (did you mean status?)",
        ),
        (
            "|502|61|",
            "|5o2|61|",
            "the sample does not match: no status at byte",
        ),
        ("escape = 'backslash'", "escape = \"back", "shop.toml:5:"),
        ("name = 'shop-edge'", "", "missing field `name`"),
        ("[[sample]]", "[[counter_sample]]", "unknown field `expect`"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = error(&GOOD.replacen(from, to, 1));
        assert!(found.contains(wanted), "{from} -> {to}: {found}");
    }
}

#[test]
fn a_counter_sample_that_matches_is_refused() {
    let line = GOOD
        .lines()
        .find(|line| line.starts_with("line = '20.11."))
        .unwrap();
    let found = error(&format!("{GOOD}\n[[counter_sample]]\n{line}\n"));
    assert!(found.contains("this line must not match, but does"), "{found}");
}

#[test]
fn a_servers_own_format_string_is_a_definition_too() {
    let text = r#"
name = 'edge'
dialect = 'nginx'
format = '$remote_addr [$time_local] "$request" $status $request_time'
zone = 'utc'
[[sample]]
line = '10.0.0.1 [20/Nov/2026:10:00:05 +0000] "GET / HTTP/1.1" 502 0.003'
expect = { duration_us = 3000, time = '2026-11-20T10:00:05Z' }
"#;
    Defined::read("edge.toml", text).unwrap();
    let found = error(&text.replace("$request_time", "${request_time"));
    assert!(
        found.contains("shop.toml:4:57: nginx format: '${' without '}'"),
        "{found}"
    );
    let found = error(&text.replace("'nginx'", "'ngnix'"));
    assert!(
        found.contains("unknown dialect 'ngnix' (did you mean nginx?)"),
        "{found}"
    );
}

#[test]
fn an_error_log_tells_failures_by_their_text() {
    let text = r#"
name = 'gate-error'
product = 'application'
kind = 'error'
template = '{time:%F %T} {level} {error}'
zone = '+02:00'
padded = true
[[signal]]
text = 'connection refused'
phase = 'connect'
fault = 'refused'
[[signal]]
text = 'worker died'
phase = 'process'
fault = 'worker_crashed'
event = true
[[sample]]
line = '2026-11-20 12:00:05   ERROR  backend: connection refused'
expect = { time = '2026-11-20T10:00:05Z', kind = 'failure', phase = 'connect', fault = 'refused', level = 'error' }
[[sample]]
line = '2026-11-20 12:00:05 CRIT worker died'
expect = { kind = 'event', time_marks = 'event' }
[[sample]]
line = '2026-11-20 12:00:05 INFO hello'
expect = { kind = 'note', fault = '' }
"#;
    Defined::read("gate.toml", text).unwrap();
    let found = error(&text.replace("'refused'\n", "'refusd'\n"));
    assert!(
        found.contains("unknown fault 'refusd' (did you mean refused?)"),
        "{found}"
    );
}

#[test]
fn every_definition_that_the_program_carries_reads_its_samples_and_is_registered() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("formats");
    let mut count = 0;
    for file in std::fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let defined = Defined::read(&name, &text).unwrap();
        if name == "example.toml" {
            continue;
        }
        count += 1;
        let format = crate::registry::by_name(defined.name()).unwrap();
        assert_eq!(format!("{}.toml", format.name()), name);
        let head = Head {
            bytes: defined.sample_lines().as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let own = format.sniff(&head);
        assert!(own.score > Score::Shape, "{name}");
        for rival in crate::registry::builtin() {
            let rivals = rival.sniff(&head);
            assert!(
                rival.name() == format.name() || rivals.score < own.score,
                "{name}: {}",
                rival.name()
            );
        }
    }
    assert!(count >= 3, "{count} definitions");
}
