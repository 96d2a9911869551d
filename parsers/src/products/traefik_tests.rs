use super::*;

fn read(line: &str) -> Entry<'_> {
    let mut entry = Entry::default();
    assert_eq!(
        Parser::new().parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{line}"
    );
    entry
}

fn is(phase: Phase, fault: Fault) -> Option<Signal> {
    Some(Signal::new(phase, fault))
}

#[test]
fn the_end_of_an_access_line_names_router_server_and_duration() {
    let entry = read(
        r#"10.0.0.9 - frank [02/Oct/2026:20:22:07 +0200] "GET /a?b=1 HTTP/1.1" 304 0 "http://x/ \"y" "Mozilla/5.0 (X11)" 262 "shop@docker" "http://172.19.0.3:5601" 247ms"#,
    );
    let time = entry.time.unwrap();
    assert_eq!((time.us, time.marks), (1_790_965_327_000_000, Marks::Start));
    assert_eq!(
        (entry.client, entry.path),
        (b"10.0.0.9".as_slice(), b"/a?b=1".as_slice())
    );
    assert_eq!((entry.status, entry.duration_us), (Some(304), Some(247_000)));
    assert_eq!(entry.upstream.addr, b"172.19.0.3:5601");
    assert_eq!(entry.upstream.group, b"shop@docker");
    assert_eq!(entry.signal, None);
}

#[test]
fn the_length_of_the_body_tells_whose_failure_it_is() {
    let of = |status: &str, bytes: &str, url: &str| {
        let line = format!(
            r#"10.0.0.9 - - [02/Oct/2026:20:22:07 +0000] "GET /a HTTP/1.1" {status} {bytes} "-" "-" 9 "r@file" {url} 3ms"#
        );
        read(&line).signal
    };
    let url = r#""http://10.0.0.1:80""#;
    assert_eq!(of("502", "11", url), None);
    assert_eq!(of("502", "157", url), is(Phase::Header, Fault::UpstreamStatus));
    assert_eq!(of("504", "15", url), is(Phase::Unknown, Fault::TimedOut));
    assert_eq!(of("499", "21", url), is(Phase::Client, Fault::ClientGone));
    assert_eq!(of("503", "20", r#""-""#), is(Phase::Queue, Fault::NoLiveUpstream));
    assert_eq!(of("404", "19", r#""-""#), None);
}

#[test]
fn json_of_every_version_is_read() {
    let v3 = r#"{"ClientAddr":"172.17.0.1:39490","ClientHost":"172.17.0.1","DownstreamContentSize":11,"DownstreamStatus":502,"Duration":3034764,"OriginContentSize":11,"OriginDuration":2155389,"OriginStatus":502,"Overhead":10855,"RequestAddr":"test.localhost","RequestMethod":"POST","RequestPath":"/p?q=1","RetryAttempts":2,"RouterName":"test@docker","ServiceAddr":"172.17.0.3:80","ServiceName":"test@docker","ServiceURL":"http://172.17.0.3:80","StartUTC":"2026-12-08T14:02:43.464763557Z","level":"info","msg":"","time":"2026-12-08T14:02:43Z","request_X-Request-Id":"7f6c"}"#;
    let entry = read(v3);
    assert_eq!(
        entry.time.map(|t| (t.us % 1_000_000, t.marks)),
        Some((464_763, Marks::Start))
    );
    assert_eq!(
        (entry.client, entry.client_port),
        (b"172.17.0.1".as_slice(), Some(39_490))
    );
    assert_eq!((entry.duration_us, entry.response_us), (Some(3_034), Some(2_155)));
    assert_eq!(entry.upstream.addr, b"172.17.0.3:80");
    assert_eq!(
        (entry.upstream.retries, entry.upstream.status),
        (2, b"".as_slice())
    );
    assert_eq!(entry.ids.as_slice(), [b"7f6c".as_slice()]);
    assert_eq!(entry.signal, None);
    let v2 = v3.replace(
        r#""ServiceAddr":"172.17.0.3:80","ServiceName":"test@docker","ServiceURL":"http://172.17.0.3:80""#,
        r#""ServiceURL":{"Scheme":"http","Host":"172.17.0.4:80","Path":""}"#,
    );
    let v2 = v2.replace(r#""OriginContentSize":11"#, r#""OriginContentSize":512"#);
    let entry = read(&v2);
    assert_eq!(entry.upstream.addr, b"172.17.0.4:80");
    assert_eq!(entry.upstream.status, b"502");
    assert_eq!(entry.signal, is(Phase::Header, Fault::UpstreamStatus));
    let v1 = r#"{"BackendAddr":"","BackendName":"Traefik","BackendURL":{"Scheme":"","Host":"","Path":"/"},"ClientAddr":"127.0.0.1:48658","DownstreamContentSize":19,"DownstreamStatus":404,"Duration":40356,"FrontendName":"backend not found","OriginStatus":404,"RequestAddr":"b.localhost","RequestMethod":"GET","RequestPath":"/","StartUTC":"2021-03-16T18:56:54.735539596Z"}"#;
    let entry = read(v1);
    assert_eq!((entry.upstream.addr, entry.status), (b"".as_slice(), Some(404)));
}

#[test]
fn the_error_text_of_a_failure_is_in_the_proxys_log() {
    let refused = "dial tcp 10.0.0.1:80: connect: connection refused";
    let lines = [
        format!(
            r#"{{"level":"debug","error":"{refused}","time":"2026-05-26T11:42:52Z","message":"502 Bad Gateway"}}"#
        ),
        format!(
            r#"2026-05-26T11:42:52Z DBG github.com/traefik/traefik/v3/pkg/proxy/httputil/proxy.go:113 > 502 Bad Gateway error="{refused}""#
        ),
        format!(
            "\x1b[90m2026-05-26T11:42:52Z\x1b[0m \x1b[33mDBG\x1b[0m \x1b[1mproxy.go:113\x1b[0m\x1b[36m >\x1b[0m 502 Bad Gateway \x1b[36merror=\x1b[0m\x1b[31m\x1b[1m\"{refused}\"\x1b[0m\x1b[0m"
        ),
        format!(r#"time="2026-05-26T11:42:52Z" level=debug msg="'502 Bad Gateway' caused by: {refused}""#),
    ];
    for line in &lines {
        let entry = read(line);
        assert_eq!(entry.kind, Kind::Failure, "{line}");
        assert_eq!(entry.signal, is(Phase::Connect, Fault::Refused), "{line}");
        assert_eq!(entry.upstream.addr, b"10.0.0.1:80", "{line}");
        assert_eq!(entry.time.map(|t| t.marks), Some(Marks::Event));
    }
    let eof = read("2026-05-26T11:42:52Z DBG proxy.go:113 > 502 Bad Gateway error=EOF");
    assert_eq!(eof.signal, is(Phase::Header, Fault::Closed));
    let start = read(
        r#"{"level":"info","version":"3.1.0","time":"2026-05-26T11:42:52Z","message":"Traefik version 3.1.0 built on x"}"#,
    );
    assert_eq!(
        (start.kind, start.signal),
        (Kind::Event, is(Phase::Process, Fault::Started))
    );
}
