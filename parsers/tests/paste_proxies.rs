//! Format strings of Envoy, Squid, Varnish and HAProxy's JSON, compiled and read back.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use why502_parsers::entry::{Fault, Marks, Phase, Signal};
use why502_parsers::format::{Head, Score};
use why502_parsers::paste::{Dialect, compile_spec};
use why502_parsers::{Entry, FormatError, Line};

/// Compiles `spec`, reads `line` with it and hands the entry to `check`.
fn with(spec: &str, line: &str, check: impl Fn(&Entry<'_>)) {
    let format = compile_spec(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let head = Head {
        bytes: line.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    assert_eq!(format.sniff(&head).score, Score::Mark, "{spec} on {line}");
    let mut parser = format.prepare(&head).open(b"");
    let mut entry = Entry::default();
    let read = parser.parse(line.as_bytes(), &mut entry);
    assert_eq!(read, Ok(Line::Entry), "{spec} on {line}");
    check(&entry);
}

#[test]
fn envoys_operators_arguments_and_lengths_are_read() {
    let spec = r#"envoy:%START_TIME(%s.%3f)% %REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH):256% %RESPONSE_CODE% f=%RESPONSE_FLAGS% d="%RESPONSE_CODE_DETAILS%" %COMMON_DURATION(DS_RX_BEG:DS_TX_END:us)% %RESPONSE_DURATION% n=%UPSTREAM_REQUEST_ATTEMPT_COUNT% %UPSTREAM_HOST% 100%% %REQ(TRACEPARENT)%\n"#;
    let line = "1795193776.721 GET /a 503 f=UC,URX d=\"upstream_reset_before_response_started{connection_termination}\" 51234 - n=3 10.0.0.7:80 100% 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    with(spec, line, |entry| {
        assert_eq!(
            entry.time.map(|t| (t.us, t.marks)),
            Some((1_795_193_776_721_000, Marks::Start))
        );
        assert_eq!(entry.duration_us, Some(51_234));
        assert_eq!(entry.upstream.retries, 2);
        assert_eq!(entry.upstream.addr, b"10.0.0.7:80");
        assert_eq!(
            entry.signal,
            Some(Signal::new(Phase::Header, Fault::ResetOrClosed))
        );
        assert_eq!(entry.ids.as_slice(), [b"4bf92f3577b34da6a3ce929d0e0e4736"]);
    });
}

#[test]
fn an_envoy_json_format_names_its_keys() {
    let spec = r#"envoy:{"when":"%START_TIME%","http":{"verb":"%REQ(:METHOD)%","code":"%RESPONSE_CODE%"},"why":"%RESPONSE_FLAGS%","took":"%DURATION%","mixed":"%PROTOCOL% %ROUTE_NAME%"}"#;
    let line = r#"{"http":{"code":504,"verb":"POST"},"mixed":"HTTP/1.1 default","took":15000,"when":"2026-10-09T06:52:32.147Z","why":"UT"}"#;
    with(spec, line, |entry| {
        assert_eq!((entry.method, entry.status), (b"POST".as_slice(), Some(504)));
        assert_eq!(entry.duration_us, Some(15_000_000));
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
    });
}

#[test]
fn named_formats_of_envoy_and_istio_read_their_lines() {
    let line = r#"[2019-04-08T16:16:55.931Z] "GET /service/1 HTTP/1.1" 200 - 0 89 5 4 "-" "curl/7.54.0" "c219f6da-2b7f-483e-9ced-ec323d9330a9" "localhost:8000" "172.27.0.3:80""#;
    with("envoy:default", line, |entry| {
        assert_eq!((entry.duration_us, entry.header_us), (Some(5_000), Some(4_000)));
    });
    let line = r#"[2026-10-09T06:52:32.147Z] "GET /get HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 0 - "-" "curl/8.11.1" "a5a01e0f-dff5-44d0-b61a-72732d1659ce" "probe:8000" "10.244.0.13:8080" outbound|8000||probe 10.244.0.12:48664 10.96.109.223:8000 10.244.0.12:33298 - default"#;
    with("envoy:istio", line, |entry| {
        assert_eq!(entry.upstream.local, b"10.244.0.12:48664");
    });
}

#[test]
fn squids_own_formats_and_a_directive_are_read() {
    let line = "1795193733.126   3266 127.0.0.1 TCP_MISS/504 3472 GET http://shop.example.com/ok/slow - FIRSTUP_PARENT/127.0.0.1 text/html";
    with("squid:squid", line, |entry| {
        assert_eq!(
            entry.time.map(|t| (t.us, t.marks)),
            Some((1_795_193_733_126_000, Marks::End))
        );
        assert_eq!((entry.duration_us, entry.status), (Some(3_266_000), Some(504)));
        assert_eq!(
            (entry.host, entry.path),
            (b"shop.example.com".as_slice(), b"/ok/slow".as_slice())
        );
        assert_eq!(entry.upstream.addr, b"127.0.0.1");
    });
    let spec = r#"squid:logformat mine %tg %>a:%>p %6tr %<tt %rm %ru %03>Hs %03<Hs %Ss %err_code/%err_detail %<a:%<p "%{X-Request-Id}>h""#;
    let line = r#"20/Nov/2026:19:38:08 +0000 10.0.0.9:40222   2832 2830 GET http://a.example/x 504 - TCP_MISS ERR_READ_TIMEOUT/WITH_SERVER 10.0.0.7:80 "7f6c72832c0d116cb6a6e800a7783a4f""#;
    with(spec, line, |entry| {
        assert_eq!(
            (entry.client, entry.client_port),
            (b"10.0.0.9".as_slice(), Some(40_222))
        );
        assert_eq!(
            (entry.duration_us, entry.response_us),
            (Some(2_832_000), Some(2_830_000))
        );
        assert_eq!(entry.upstream.addr, b"10.0.0.7:80");
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(entry.ids.as_slice().len(), 1);
    });
    let line = r#"127.0.0.1 - - [20/Nov/2026:19:38:03 +0000] "GET http://shop.example.com/a HTTP/1.1" 200 212 "-" "curl/7.88.1" TCP_MISS:FIRSTUP_PARENT"#;
    with("squid:combined", line, |entry| {
        assert_eq!((entry.path, entry.bytes_sent), (b"/a".as_slice(), Some(212)));
    });
}

#[test]
fn the_detail_of_squids_error_decides_what_its_code_means() {
    let spec = "squid:%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt %err_code/%err_detail rid=%{X-Request-ID}>h";
    let line = "1795212593.134   1373 127.18.100.6 TCP_MISS/504 3766 POST http://shop.example.com/partner/price - HIER_NONE/- text/html ERR_SECURE_CONNECT_FAIL/TLS_CONNECT_TIMEOUT rid=95ce8fd6-6a5d-58d5-b00b-40834e7b177b";
    with(spec, line, |entry| {
        assert_eq!(entry.signal, Some(Signal::new(Phase::Tls, Fault::TimedOut)));
        assert_eq!(entry.ids.as_slice().len(), 1);
    });
    let line = "1795193733.126     20 127.0.0.1 TCP_MISS/503 3472 GET http://shop.example.com/gone - HIER_DIRECT/127.0.0.1 text/html ERR_CONNECT_FAIL/errno=111 rid=-";
    with(spec, line, |entry| {
        assert_eq!(entry.signal, Some(Signal::new(Phase::Connect, Fault::Refused)));
    });
}

#[test]
fn varnishs_extended_variables_are_read() {
    let spec = r#"varnish:%h %t "%r" %s %b %D %{Varnish:time_firstbyte}x %{Varnish:handling}x "%{VSL:FetchError}x" %{X-Request-Id}i"#;
    let line = r#"127.0.0.1 [20/Nov/2026:16:36:54 +0000] "GET http://shop.example.com/ok/slow HTTP/1.1" 503 282 3001863 3.001429 pass "first byte timeout" 7f6c72832c0d116cb6a6e800a7783a4f"#;
    with(spec, line, |entry| {
        assert_eq!(
            (entry.host, entry.path),
            (b"shop.example.com".as_slice(), b"/ok/slow".as_slice())
        );
        assert_eq!(
            (entry.duration_us, entry.header_us),
            (Some(3_001_863), Some(3_001_429))
        );
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(entry.time.map(|t| t.marks), Some(Marks::Start));
        assert_eq!(entry.ids.as_slice().len(), 1);
    });
    let line = r#"127.0.0.1 - - [20/Nov/2026:19:38:03 +0000] "GET http://127.0.0.1:19200/slow HTTP/1.1" 503 278 "-" "curl/7.88.1""#;
    with("varnish:default", line, |entry| {
        assert_eq!(entry.status, Some(503))
    });
}

#[test]
fn haproxys_json_takes_its_names_from_the_format() {
    let spec = r#"haproxy:log-format "%{+json}o %(who)ci %(when)tr %(to:sint)Tr %(verb)HM %(how)tsc %(answer)ST %(all)Ta %(rid)[capture.req.hdr(0)]""#;
    let line = r#"{"who":"10.0.0.9","when":"20/Nov/2026:16:26:16.721","to":-1,"verb":"GET","how":"sH--","answer":504,"all":3001,"rid":"7f6c72832c0d116cb6a6e800a7783a4f"}"#;
    with(spec, line, |entry| {
        assert_eq!((entry.client, entry.status), (b"10.0.0.9".as_slice(), Some(504)));
        assert_eq!((entry.duration_us, entry.header_us), (Some(3_001_000), None));
        assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
        assert_eq!(entry.ids.as_slice().len(), 1);
    });
}

#[test]
fn what_cannot_work_is_refused_with_the_place() {
    let error = |spec: &str| compile_spec(spec).err();
    assert!(matches!(
        error("envoy:%START_TIME% %REQ(:METHOD"),
        Some(FormatError::Syntax { at: 13, .. })
    ));
    assert!(matches!(
        error("envoy:%DURATION%"),
        Some(FormatError::NoTime { .. })
    ));
    assert!(matches!(
        error("envoy:%START_TIME% %DURATION%%RESPONSE_CODE%"),
        Some(FormatError::Unseparated { .. })
    ));
    assert!(matches!(
        error(r#"envoy:{"a":"%DURATION%"}"#),
        Some(FormatError::NoTime { .. })
    ));
    assert!(matches!(
        error(r#"envoy:{"a":"%START_TIME%"#),
        Some(FormatError::Syntax { .. })
    ));
    assert!(matches!(error("squid:%ts %"), Some(FormatError::Syntax { .. })));
    assert!(matches!(
        error("squid:%>a %>Hs"),
        Some(FormatError::NoTime { .. })
    ));
    assert!(matches!(
        error("varnish:%h %s"),
        Some(FormatError::NoTime { dialect: "varnish" })
    ));
    assert!(matches!(
        error("haproxy:%{+json}o %(a)ci"),
        Some(FormatError::NoTime { .. })
    ));
    for dialect in Dialect::ALL {
        assert_eq!(Dialect::by_name(dialect.name()).unwrap(), dialect);
    }
}
