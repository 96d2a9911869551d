//! Quotes inside a user agent, a referrer or a target, as each server writes them: some escape nothing at all.
//!
//! The lines are what uWSGI 2.0.21 and Traffic Server 9.2.9 wrote for the same four requests.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use why502_parsers::format::Head;
use why502_parsers::paste::compile_spec;
use why502_parsers::{Entry, Glance, Line, registry};

const UWSGI: &str = r#"uwsgi:log-format = %(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(size) "%(referer)" "%(uagent)" %(msecs)ms %(micros)us pid=%(pid) rid=%(var.HTTP_X_REQUEST_ID)"#;

const UWSGI_LINES: [&str; 4] = [
    r#"127.0.0.1 - - [21/Nov/2026:00:43:49 +0000] "GET /ok?id=7 HTTP/1.1" 200 50 "-" "curl "quoted" agent" 0ms 188us pid=22418 rid=r-1"#,
    r#"127.0.0.1 - - [21/Nov/2026:00:43:49 +0000] "GET /ok?id="7" HTTP/1.1" 200 50 "http://a/"b" c" "x" 0ms y" z" 0ms 128us pid=22418 rid=r-2"#,
    r#"127.0.0.1 - - [21/Nov/2026:00:43:49 +0000] "GET /ok HTTP/1.1" 200 50 "-" "ends with \" 0ms 127us pid=22418 rid=r-3"#,
    r#"127.0.0.1 - - [21/Nov/2026:00:43:49 +0000] "GET /ok HTTP/1.1" 200 50 "-" """ 0ms 115us pid=22418 rid=r-4"#,
];

const TRAFFIC_SERVER: &str = r#"trafficserver:%<cqtq> %<ttms> %<chi>:%<chp> "%<cqhm> %<cquuc>" "%<{Referer}cqh>" "%<{User-Agent}cqh>" %<pssc> %<sssc> %<crc> %<nhi>:%<nhp> %<stms> rid=%<{X-Request-Id}cqh>"#;

const TRAFFIC_SERVER_LINES: [&str; 4] = [
    r#"1795221904.933 8 127.0.0.1:51252 "GET http://127.0.0.1:18932/u.ini?id=7" "-" "curl "quoted" agent" 200 200 TCP_MISS 127.0.0.1:18933 7 rid=r-1"#,
    r#"1795221904.965 1 127.0.0.1:51256 "GET http://127.0.0.1:18932/u.ini?id=%227%22" "http://a/"b" c" "x" 0ms y" z" 200 200 TCP_MISS 127.0.0.1:18933 0 rid=r-2"#,
    r#"1795221905.002 1 127.0.0.1:51260 "GET http://127.0.0.1:18932/u.ini" "-" "ends with \" 200 200 TCP_MISS 127.0.0.1:18933 0 rid=r-3"#,
    r#"1795221905.028 1 127.0.0.1:51264 "GET http://127.0.0.1:18932/u.ini" "-" """ 200 200 TCP_MISS 127.0.0.1:18933 0 rid=r-4"#,
];

fn head(line: &str) -> Head<'_> {
    Head {
        bytes: line.as_bytes(),
        hints: &[],
        date_hint: None,
    }
}

/// The entry of `line`, which the format called or written `spec` reads.
fn read<'a>(spec: &str, line: &'a str) -> Entry<'a> {
    let prepared = match registry::by_name(spec) {
        Some(format) => format.prepare(&head(line)),
        None => compile_spec(spec).unwrap().prepare(&head(line)),
    };
    let mut parser = prepared.open(b"");
    let mut entry = Entry::default();
    assert_eq!(
        parser.parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{line}"
    );
    let mut glance = Glance::default();
    if parser.glance(line.as_bytes(), &mut glance) {
        assert_eq!(
            (glance.status, glance.duration_us),
            (entry.status, entry.duration_us),
            "{line}"
        );
        assert_eq!(glance.ids.as_slice(), entry.ids.as_slice(), "{line}");
    }
    entry
}

#[test]
fn quotes_in_values_of_uwsgi_leave_the_fields_behind_them_right() {
    for (n, line) in UWSGI_LINES.iter().enumerate() {
        let entry = read(UWSGI, line);
        assert_eq!((entry.status, entry.pid), (Some(200), Some(22_418)), "{line}");
        assert_eq!(
            entry.ids.as_slice(),
            [format!("r-{}", n + 1).as_bytes()],
            "{line}"
        );
        assert_eq!(entry.method, b"GET", "{line}");
    }
    assert_eq!(read(UWSGI, UWSGI_LINES[0]).duration_us, Some(188));
    assert_eq!(read(UWSGI, UWSGI_LINES[1]).path, br#"/ok?id="7""#);
}

#[test]
fn quotes_in_values_of_traffic_server_leave_the_fields_behind_them_right() {
    for (n, line) in TRAFFIC_SERVER_LINES.iter().enumerate() {
        let entry = read(TRAFFIC_SERVER, line);
        assert_eq!(
            (entry.status, entry.termination),
            (Some(200), &b"TCP_MISS"[..]),
            "{line}"
        );
        assert_eq!(entry.upstream.addr, b"127.0.0.1:18933", "{line}");
        assert_eq!(
            entry.ids.as_slice(),
            [format!("r-{}", n + 1).as_bytes()],
            "{line}"
        );
    }
}

#[test]
fn a_value_with_quotes_that_no_later_field_tells_from_its_end_is_read_to_the_last() {
    let format = r#"uwsgi:%(addr) [%(ltime)] "%(uagent)" %(user) %(host)"#;
    let line = r#"10.0.0.9 [21/Nov/2026:00:43:49 +0000] "a" b" bob shop.example.com"#;
    assert_eq!(read(format, line).host, b"shop.example.com");
}

#[test]
fn an_agent_with_quotes_in_a_common_log_leaves_its_tail_right() {
    let id = "4ad36c1d2060844c74439ca62bfb3e0e";
    let line = format!(
        r#"10.0.0.9 - - [21/Nov/2026:00:43:49 +0000] "GET /a HTTP/1.1" 502 5 "-" "curl "{id}" agent" 0.120"#
    );
    let entry = read("clf", &line);
    assert_eq!((entry.status, entry.duration_us), (Some(502), Some(120_000)));
    assert!(
        entry.ids.as_slice().is_empty(),
        "an id that the client wrote into its name"
    );
}

#[test]
fn escaped_quotes_are_part_of_their_value() {
    for (spec, line) in [
        (
            r#"nginx:$remote_addr [$time_local] "$request" $status "$http_user_agent" rt=$request_time"#,
            r#"10.0.0.9 [21/Nov/2026:00:43:49 +0000] "GET /a HTTP/1.1" 502 "curl \x22quoted\x22 agent" rt=0.120"#,
        ),
        (
            r#"apache:%h %t "%r" %>s "%{User-Agent}i" %D"#,
            r#"10.0.0.9 [21/Nov/2026:00:43:49 +0000] "GET /a HTTP/1.1" 502 "curl \"quoted\" agent" 120000"#,
        ),
        (
            r#"lighttpd:%h %t "%r" %>s "%{User-Agent}i" %D"#,
            r#"10.0.0.9 [21/Nov/2026:00:43:49 +0000] "GET /a HTTP/1.1" 502 "curl \"quoted\" agent" 120000"#,
        ),
        (
            r#"haproxy:%ci [%tr] %ST %{+Q}[capture.req.hdr(0)] %Ta"#,
            r#"10.0.0.9 [21/Nov/2026:00:43:49.000] 502 "curl #22quoted#22 agent" 120"#,
        ),
    ] {
        let entry = read(spec, line);
        assert_eq!(
            (entry.status, entry.duration_us),
            (Some(502), Some(120_000)),
            "{line}"
        );
    }
}
