//! Format strings as servers' configurations have them, and lines that they describe.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use why502_parsers::entry::{Escape, Marks, Zone};
use why502_parsers::format::{Head, Line};
use why502_parsers::paste::{Dialect, compile, compile_spec};
use why502_parsers::{Entry, FormatError, LineError};

fn parse<'a>(dialect: Dialect, format: &str, line: &'a str) -> Result<Entry<'a>, LineError> {
    let format = compile(dialect, "given", format).unwrap_or_else(|error| panic!("{error}: {format}"));
    let head = Head {
        bytes: line.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    let mut entry = Entry::default();
    let mut parser = format.prepare(&head).open(b"");
    parser.parse(line.as_bytes(), &mut entry).map(|read| {
        assert_eq!(read, Line::Entry);
        entry
    })
}

fn read<'a>(dialect: Dialect, format: &str, line: &'a str) -> Entry<'a> {
    parse(dialect, format, line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn an_unquoted_list_of_attempts_is_told_from_the_next_field() {
    let entry = read(
        Dialect::Nginx,
        "$msec $status $request_time $upstream_addr $upstream_status $request",
        "1787042097.147 200 0.002 127.0.0.1:8081, 127.0.0.1:8081 : unix:/a.sock 502, 502 : 200 GET /a b HTTP/1.0",
    );
    assert_eq!(
        text(entry.upstream.addr),
        "127.0.0.1:8081, 127.0.0.1:8081 : unix:/a.sock"
    );
    assert_eq!(text(entry.upstream.status), "502, 502 : 200");
    assert_eq!(text(entry.path), "/a b");
    assert_eq!(
        entry.time.map(|t| (t.us, t.resolution_us)),
        Some((1_787_042_097_147_000, 1000))
    );
}

#[test]
fn a_whole_directive_in_pieces_is_taken() {
    let entry = read(
        Dialect::Nginx,
        r#"log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                            '$status $body_bytes_sent c=$connection/$connection_requests '
                            '"${upstream_connect_time}" $http_x_request_id $http_traceparent $foo';"#,
        r#"127.0.0.1 - a b [20/Nov/2026:16:23:19 +0000] "GET / HTTP/1.1" 502 157 c=17/3 "-, 0.001" abc 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 what ever"#,
    );
    assert_eq!((entry.connection, entry.connection_requests), (Some(17), Some(3)));
    assert_eq!(entry.connect_us, Some(1000));
    assert_eq!(
        entry.ids.as_slice(),
        [b"abc".as_slice(), b"4bf92f3577b34da6a3ce929d0e0e4736"]
    );
}

#[test]
fn a_json_format_is_a_template_too() {
    let entry = read(
        Dialect::Nginx,
        r#"log_format j escape=json '{"t":"$time_iso8601","ms":$msec,"st":"$status","rt":"$request_time","ua":"$upstream_addr","uri":"$request_uri","agent":"$http_user_agent","id":"$request_id"}';"#,
        r#"{"t":"2026-11-20T16:23:19+00:00","ms":1795191799.123,"st":"502","rt":"0.001","ua":"10.0.0.1:80, 10.0.0.2:80","uri":"/a?q=\"x\",","agent":"a \\","id":"4ad36c1d2060844c74439ca62bfb3e0e"}"#,
    );
    assert_eq!(entry.escape, Escape::Json);
    assert_eq!(entry.time.map(|t| t.us), Some(1_795_191_799_123_000));
    assert_eq!((entry.status, entry.duration_us), (Some(502), Some(1000)));
    assert_eq!(entry.text(entry.path), r#"/a?q="x","#);
    assert_eq!(entry.ids.as_slice(), [b"4ad36c1d2060844c74439ca62bfb3e0e"]);
    assert_eq!(entry.upstream.attempts().count(), 2);
}

#[test]
fn apache_directives_are_read_with_their_variants() {
    let entry = read(
        Dialect::Apache,
        r#"LogFormat "%v:%p %{c}a %a %l %u %t \"%r\" %s %>s %b \"%!200,304{Referer}i\" %D %T %{ms}T %X %k %L \"%{X-Request-ID}i\" %{UNIQUE_ID}e %{BALANCER_WORKER_NAME}e" proxy"#,
        r#"shop.example.com:443 10.0.0.9 203.0.113.7 - - [20/Nov/2026:16:23:19 +0000] "GET /a \"b HTTP/1.1" 200 502 - "-" 3001094 3 3001 X 4 awB2FJ "id-1" awB2FJJ6k4pxmabpFhBIhAAAAIE http://10.0.0.3:8080"#,
    );
    assert_eq!(
        (text(entry.client), text(entry.forwarded_for)),
        ("10.0.0.9", "203.0.113.7")
    );
    assert_eq!((entry.status, entry.bytes_sent), (Some(502), None));
    assert_eq!(entry.duration_us, Some(3_001_000));
    assert_eq!(
        (entry.connection_requests, text(entry.termination)),
        (Some(5), "X")
    );
    assert_eq!(text(entry.upstream.addr), "10.0.0.3:8080");
    assert_eq!(entry.ids.as_slice().len(), 3);
    assert_eq!(entry.time.map(|t| t.marks), Some(Marks::Start));
    assert_eq!(entry.text(entry.path), "/a \"b");
}

#[test]
fn apache_times_in_parts_are_one_time() {
    for (format, line, us, marks) in [
        (
            r#"[%{%d/%b/%Y:%H:%M:%S}t.%{usec_frac}t %{%z}t] %>s"#,
            "[20/Nov/2026:16:23:16.250000 +0000] 502",
            1_795_191_796_250_000,
            Marks::Start,
        ),
        (
            "%{end:%Y-%m-%dT%T}t.%{end:msec_frac}t %>s",
            "2026-11-20T16:23:16.250 502",
            1_795_191_796_250_000,
            Marks::End,
        ),
        (
            "%{usec}t %>s",
            "1795191796250000 502",
            1_795_191_796_250_000,
            Marks::Start,
        ),
        (
            "%{sec}t.%{msec_frac}t %>s",
            "1795191796.250 502",
            1_795_191_796_250_000,
            Marks::Start,
        ),
        (
            "%{[%d/%b/%Y:%T %z]}t %>s",
            "[20/Nov/2026:16:23:16 +0000] 502",
            1_795_191_796_000_000,
            Marks::Start,
        ),
    ] {
        let entry = read(Dialect::Apache, format, line);
        assert_eq!(entry.time.map(|t| (t.us, t.marks)), Some((us, marks)), "{format}");
        assert_eq!(entry.status, Some(502));
    }
}

#[test]
fn haproxy_aliases_expressions_and_flags_are_read() {
    let entry = read(
        Dialect::Haproxy,
        r#"log-format "%ci:%cp [%trl] %ft %b/%s %si:%sp %TR/%Tw/%Tc/%Tr/%Ta %ST %B %tsc %rc %hr %hs %{+Q}r %[unique-id] %[capture.req.hdr(0)] %{+Q}[req.hdr(x-request-id)] %[src,map(/a[b])] %HM %HU""#,
        r#"203.0.113.7:51234 [20/Nov/2026:16:26:16 +0100] fe~ be/s1 10.0.0.3:8080 0/0/0/-1/104 502 264 SH-- +1 {a|b} "GET /#22 HTTP/1.1" u-1 e805351b-1c36-4c15-8a74-93babaf16d46 "r-1" - GET /x"#,
    );
    assert_eq!(
        (text(entry.upstream.addr), text(entry.upstream.group)),
        ("10.0.0.3:8080", "be")
    );
    assert_eq!(entry.time.map(|t| t.zone), Some(Zone::Known));
    assert_eq!(entry.ids.as_slice().len(), 3);
    assert_eq!(entry.text(entry.path), "/\"");
    assert_eq!((entry.status, entry.upstream.retries), (Some(502), 1));
}

#[test]
fn captures_may_be_missing_altogether() {
    for line in [
        r#"1.1.1.1:1 [20/Nov/2026:16:26:16.005] fe be/s 0/0/0/6/6 200 8291 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1""#,
        r#"1.1.1.1:1 [20/Nov/2026:16:26:16.005] fe be/s 0/0/0/6/6 200 8291 - - ---- 1/1/0/0/0 0/0 {x} "GET / HTTP/1.1""#,
        r#"1.1.1.1:1 [20/Nov/2026:16:26:16.005] fe be/s 0/0/0/6/6 200 8291 - - ---- 1/1/0/0/0 0/0 {x "} {y|} "GET / HTTP/1.1""#,
    ] {
        assert_eq!(
            text(read(Dialect::Haproxy, "httplog", line).method),
            "GET",
            "{line}"
        );
    }
}

#[test]
fn a_line_that_does_not_fit_names_the_field() {
    for (line, at, want) in [
        ("x", 0, "client"),
        (
            "1.1.1.1 - - [20/Nov/2026] \"GET /\" 200 1 \"-\" \"-\"",
            13,
            "time",
        ),
        (
            "1.1.1.1 - - [20/Nov/2026:16:26:16 +0000] \"GET /\" abc 1 \"-\" \"-\"",
            49,
            "status",
        ),
        (
            "1.1.1.1 - - [20/Nov/2026:16:26:16 +0000] \"GET /\" 200 1 \"-\"",
            56,
            "field",
        ),
    ] {
        let error = parse(Dialect::Nginx, "combined", line).unwrap_err();
        assert_eq!((error.at, error.want), (at, want), "{line}");
    }
}

#[test]
fn formats_that_cannot_work_are_refused_with_the_reason() {
    let error = |spec: &str| match compile_spec(spec) {
        Ok(_) => panic!("{spec} was accepted"),
        Err(error) => error,
    };
    assert!(matches!(error("sphinx:x"), FormatError::UnknownDialect(_)));
    assert!(matches!(
        error("nginx:$status $request"),
        FormatError::NoTime { .. }
    ));
    assert!(matches!(
        error("nginx:[$time_local] $status$request"),
        FormatError::Unseparated { .. }
    ));
    assert!(matches!(
        error("apache:%t %{x"),
        FormatError::Syntax { at: 3, .. }
    ));
    assert!(matches!(
        error("haproxy:%tr %[src"),
        FormatError::Syntax { at: 4, .. }
    ));
    assert!(matches!(
        error("nginx:$time_local ${a"),
        FormatError::Syntax { .. }
    ));
    assert_eq!(
        error("haproxy:%tr %b%s").to_string(),
        "haproxy format: nothing separates %b from %s"
    );
}

/// The text of the repository's file `path`.
fn sample(path: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_samples_lines_are_what_their_servers_configuration_says() {
    for (dialect, config, start, end, log) in [
        (
            Dialect::Nginx,
            "nginx-node/configs/edge-nginx/nginx.conf",
            "log_format",
            ";",
            "nginx-node/logs/edge-nginx/access.log",
        ),
        (
            Dialect::Nginx,
            "haproxy-nginx-node/configs/web-nginx/nginx.conf",
            "log_format",
            ";",
            "haproxy-nginx-node/logs/web-nginx/access.log",
        ),
        (
            Dialect::Apache,
            "apache-gunicorn/configs/edge-apache/apache2.conf",
            "LogFormat \"%h",
            "\n",
            "apache-gunicorn/logs/edge-apache/access.log",
        ),
    ] {
        let config = sample(config);
        let directive = &config[config.find(start).unwrap()..];
        let directive = &directive[..directive.find(end).unwrap()];
        let format = compile(dialect, "configured", directive).unwrap_or_else(|error| panic!("{error}"));
        let text = sample(log);
        let head = Head {
            bytes: text.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let mut parser = format.prepare(&head).open(b"");
        let mut failed = 0;
        for line in text.lines() {
            let mut entry = Entry::default();
            parser
                .parse(line.as_bytes(), &mut entry)
                .unwrap_or_else(|error| panic!("{error}: {line}"));
            assert!(entry.duration_us.is_some() && entry.status.is_some(), "{line}");
            failed += u32::from(entry.status >= Some(500));
        }
        assert!(failed > 0, "{log} holds no failure");
    }
}

#[test]
fn tomcats_patterns_have_their_own_units_and_times() {
    let line = r#"10.0.0.1 - - [20/Nov/2026:16:23:16 +0000] "GET /a?b HTTP/1.1" 502 12 2400 http-nio-8080-exec-1 r-77"#;
    let text = r#"%h %l %u %t "%r" %s %b %D %I %{X-Request-ID}i"#;
    for (dialect, us) in [(Dialect::Tomcat, 2_400), (Dialect::Tomcat9, 2_400_000)] {
        let format = compile(dialect, "t", text).unwrap();
        let mut entry = Entry::default();
        let mut parser = format.prepare(&no_head()).open(b"");
        assert_eq!(parser.parse(line.as_bytes(), &mut entry), Ok(Line::Entry));
        assert_eq!((entry.duration_us, entry.status), (Some(us), Some(502)));
        assert_eq!(entry.ids.as_slice(), [b"r-77".as_slice()]);
        assert_eq!(entry.time.map(|time| time.marks), Some(Marks::End));
    }
    let text = r"%{begin:yyyy-MM-dd'T'HH:mm:ss.SSSXXX}t %m %U%q %s %{ms}T";
    let format = compile(Dialect::Tomcat, "t", text).unwrap();
    let mut entry = Entry::default();
    let mut parser = format.prepare(&no_head()).open(b"");
    let line = "2026-11-20T16:23:16.123Z GET /a?b 502 17";
    assert_eq!(parser.parse(line.as_bytes(), &mut entry), Ok(Line::Entry));
    assert_eq!(
        entry.time.map(|time| (time.us, time.marks)),
        Some((1_795_191_796_123_000, Marks::Start))
    );
    assert_eq!(
        (entry.duration_us, entry.path),
        (Some(17_000), b"/a?b".as_slice())
    );
}

#[test]
fn jettys_codes_and_undertows_attributes_are_read() {
    let jetty = r#"%{client}a - %u %{dd/MMM/yyyy:HH:mm:ss ZZZ|GMT}t "%r" %s %IB/%OB %{ms}Tms "%{Referer}i" "%{User-Agent}i" %X %k %{X-Request-ID}i"#;
    let line = r#"10.0.0.9 - - [20/Nov/2026:16:23:16 +0000] "GET /a?b=1 HTTP/1.1" 502 0B/36B 3004ms "-" "curl "x" 8" + 3 0f8fad5b"#;
    let entry = read(Dialect::Jetty, jetty, line);
    assert_eq!(
        (entry.status, entry.duration_us, entry.bytes_sent),
        (Some(502), Some(3_004_000), Some(36))
    );
    assert_eq!((text(entry.client), text(entry.path)), ("10.0.0.9", "/a?b=1"));
    assert_eq!(
        (text(entry.termination), entry.connection_requests),
        ("+", Some(3))
    );
    assert_eq!(entry.ids.as_slice(), [b"0f8fad5b"]);
    assert_eq!(
        entry.time.map(|time| (time.us, time.marks)),
        Some((1_795_191_796_000_000, Marks::Start))
    );
    let undertow = r#"%a %{time,yyyy-MM-dd'T'HH:mm:ss.SSSZ} "%m %U%q" %{RESPONSE_CODE} %{RESPONSE_TIME_MICROS} %T %{i,X-Forwarded-For} %{o,X-Request-ID} %I"#;
    let line = r#"10.0.0.9 2026-11-20T17:23:16.500+0100 "GET /a?b=1" 502 3004123 3.004 10.1.1.1, 10.1.1.2 0f8fad5b default task-1"#;
    let entry = read(Dialect::Undertow, undertow, line);
    assert_eq!((entry.status, entry.duration_us), (Some(502), Some(3_004_123)));
    assert_eq!(
        (text(entry.path), text(entry.forwarded_for)),
        ("/a?b=1", "10.1.1.1, 10.1.1.2")
    );
    assert_eq!(entry.time.map(|time| time.us), Some(1_795_191_796_500_000));
}

#[test]
fn codes_that_jetty_and_undertow_do_not_have_are_named() {
    let of = |dialect, format| why502_parsers::paste::unknown::unknown(dialect, format);
    let jetty = of(Dialect::Jetty, "%{client}a %t %b \"%r\" %s");
    assert_eq!(jetty.len(), 1);
    assert!(jetty[0].contains("jetty has no variable %b"), "{jetty:?}");
    let undertow = of(Dialect::Undertow, "%a %t %{RESPONSE_TIM} \"%r\" %s %{i,Host}");
    assert_eq!(undertow.len(), 1);
    assert!(
        undertow[0].contains("did you mean %{RESPONSE_TIME}?"),
        "{undertow:?}"
    );
    for (dialect, wrong) in [
        (Dialect::Jetty, "%{client"),
        (Dialect::Jetty, "%"),
        (Dialect::Undertow, "%{i,Host"),
    ] {
        assert!(
            why502_parsers::paste::compile(dialect, "x", wrong).is_err(),
            "{wrong}"
        );
    }
}

#[test]
fn gunicorns_atoms_are_read() {
    let text = r#"access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s %(p)s %({x-request-id}i)s'"#;
    let line = r#"10.0.0.1 - - [20/Nov/2026:16:23:16 +0000] "GET /a HTTP/1.1" 500 0 "-" "x" 31000 <77> r-1"#;
    let format = compile(Dialect::Gunicorn, "g", text).unwrap();
    let mut entry = Entry::default();
    let mut parser = format.prepare(&no_head()).open(b"");
    assert_eq!(parser.parse(line.as_bytes(), &mut entry), Ok(Line::Entry));
    assert_eq!(
        (entry.duration_us, entry.pid, entry.status),
        (Some(31_000), Some(77), Some(500))
    );
    assert_eq!(entry.ids.as_slice(), [b"r-1".as_slice()]);
    for wrong in ["%(h", "%h", "%(h)", "%(h)s"] {
        assert!(compile(Dialect::Gunicorn, "g", wrong).is_err(), "{wrong}");
    }
}

fn no_head() -> Head<'static> {
    Head {
        bytes: b"",
        hints: &[],
        date_hint: None,
    }
}
