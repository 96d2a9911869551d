use super::*;
use crate::entry::Zone;

fn read(line: &str) -> Entry<'_> {
    let mut entry = Entry::default();
    let mut parser = Parser::new();
    assert_eq!(
        parser.parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{line}"
    );
    entry
}

fn signal(line: &str) -> Option<Signal> {
    read(line).signal
}

const ISTIO_UC: &str = r#"[2026-10-09T06:52:32.147Z] "GET /get?a=1 HTTP/1.1" 503 UC upstream_reset_before_response_started{connection_termination} - "-" 0 95 7 - "10.1.0.9" "curl/8.11.1" "a5a01e0f-dff5-44d0-b61a-72732d1659ce" "probe.shop:8000" "10.244.0.13:8080" outbound|8000||probe.shop.svc.cluster.local 10.244.0.12:48664 10.96.109.223:8000 10.244.0.12:33298 - default"#;

#[test]
fn an_istio_line_fills_every_field() {
    let entry = read(ISTIO_UC);
    let time = entry.time.unwrap();
    assert_eq!((time.us, time.resolution_us), (1_791_528_752_147_000, 1_000));
    assert_eq!((time.zone, time.marks), (Zone::Known, Marks::Start));
    assert_eq!(
        (entry.method, entry.path),
        (b"GET".as_slice(), b"/get?a=1".as_slice())
    );
    assert_eq!(entry.status, Some(503));
    assert_eq!(entry.duration_us, Some(7_000));
    assert_eq!(entry.header_us, None);
    assert_eq!(entry.bytes_sent, Some(95));
    assert_eq!(entry.host, b"probe.shop:8000");
    assert_eq!(entry.forwarded_for, b"10.1.0.9");
    assert_eq!(entry.ids.as_slice(), [b"a5a01e0f-dff5-44d0-b61a-72732d1659ce"]);
    assert_eq!(
        (entry.client, entry.client_port),
        (b"10.244.0.12".as_slice(), Some(33_298))
    );
    assert_eq!(entry.server, b"10.96.109.223:8000");
    assert_eq!(entry.upstream.addr, b"10.244.0.13:8080");
    assert_eq!(entry.upstream.local, b"10.244.0.12:48664");
    assert_eq!(
        entry.upstream.group,
        b"outbound|8000||probe.shop.svc.cluster.local"
    );
    assert_eq!(entry.upstream.status, b"");
    assert_eq!(entry.termination, b"UC");
    assert_eq!(
        entry.error,
        b"upstream_reset_before_response_started{connection_termination}"
    );
    assert_eq!(
        entry.signal,
        Some(Signal::new(Phase::Header, Fault::ResetOrClosed))
    );
}

#[test]
fn the_three_layouts_are_told_apart_in_one_stream() {
    let plain = r#"[2019-04-08T16:16:55.931Z] "GET /service/1 HTTP/1.1" 200 - 0 89 5 4 "-" "curl" "c219f6da-2b7f-483e-9ced-ec323d9330a9" "localhost:8000" "172.27.0.3:80""#;
    let detailed = r#"[2024-07-20T07:06:24.729Z] "GET /a HTTP/1.1" 503 UH no_healthy_upstream 0 19 3 - "-" "curl" "2f22e5c6-2387-49b8-96c4-7b3a1678dbb0" "localhost:8000" "-""#;
    let old = r#"[2020-04-08T16:16:55.931Z] "GET /a HTTP/1.1" 503 UF "-" "TLS error: 268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER" 0 91 5 - "-" "curl" "c219f6da-2b7f-483e-9ced-ec323d9330a9" "a:80" "10.0.0.3:80" outbound|80||a.b - 10.0.0.1:80 10.0.0.2:5000 - default"#;
    let mut parser = Parser::new();
    let mut seen = Vec::new();
    for line in [plain, ISTIO_UC, detailed, old, plain] {
        let mut entry = Entry::default();
        parser.parse(line.as_bytes(), &mut entry).unwrap();
        seen.push((entry.bytes_sent, entry.duration_us, entry.header_us, entry.signal));
    }
    let is = |phase, fault| Some(Signal::new(phase, fault));
    assert_eq!(seen[0], (Some(89), Some(5_000), Some(4_000), None));
    assert_eq!(
        seen[2],
        (
            Some(19),
            Some(3_000),
            None,
            is(Phase::Queue, Fault::NoLiveUpstream)
        )
    );
    assert_eq!(
        seen[3],
        (
            Some(91),
            Some(5_000),
            None,
            is(Phase::Tls, Fault::ProtocolMismatch)
        )
    );
    assert_eq!(seen[4], seen[0]);
}

#[test]
fn flags_and_details_have_their_signals() {
    let of = |status: &str, flags: &str, details: &str, reason: &str| {
        let line = format!(
            r#"[2026-10-09T06:52:32.147Z] "POST /p HTTP/1.1" {status} {flags} {details} - "{reason}" 0 95 15000 - "-" "c" "-" "a" "10.0.0.1:80" outbound|80||a - 10.0.0.3:80 10.0.0.2:33 - default"#
        );
        signal(&line).map(|signal| (signal.phase, signal.fault))
    };
    let before = |what: &str| format!("upstream_reset_before_response_started{{{what}}}");
    let after = |what: &str| format!("upstream_reset_after_response_started{{{what}}}");
    let cases = [
        (
            "504",
            "UT",
            "response_timeout".to_owned(),
            "-",
            Phase::Header,
            Fault::TimedOut,
        ),
        (
            "504",
            "UT,URX",
            "upstream_per_try_timeout".to_owned(),
            "-",
            Phase::Header,
            Fault::TimedOut,
        ),
        (
            "503",
            "UF",
            before("connection_failure"),
            "delayed_connect_error:_111",
            Phase::Connect,
            Fault::Refused,
        ),
        (
            "503",
            "UF,URX",
            before("remote_connection_failure|delayed_connect_error:_111"),
            "-",
            Phase::Connect,
            Fault::Refused,
        ),
        (
            "503",
            "UF",
            before("remote_connection_failure,delayed connect error: 113"),
            "-",
            Phase::Connect,
            Fault::Unreachable,
        ),
        (
            "503",
            "UF",
            before("connection_timeout"),
            "-",
            Phase::ConnectOrTls,
            Fault::TimedOut,
        ),
        (
            "503",
            "UF",
            before("connection_failure"),
            "TLS_error:_268435581:SSL_routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED",
            Phase::Tls,
            Fault::CertificateRejected,
        ),
        (
            "503",
            "UF",
            before("connection_failure"),
            "-",
            Phase::ConnectOrTls,
            Fault::Other,
        ),
        (
            "503",
            "UpstreamConnectionTermination",
            before("connection_termination"),
            "-",
            Phase::Header,
            Fault::ResetOrClosed,
        ),
        (
            "200",
            "UC",
            after("connection_termination"),
            "-",
            Phase::Body,
            Fault::ResetOrClosed,
        ),
        (
            "503",
            "UR",
            before("remote_reset"),
            "-",
            Phase::Header,
            Fault::Reset,
        ),
        (
            "503",
            "UO",
            before("overflow"),
            "-",
            Phase::Queue,
            Fault::QueueFull,
        ),
        (
            "502",
            "UPE",
            before("protocol_error"),
            "-",
            Phase::Header,
            Fault::InvalidResponse,
        ),
        (
            "0",
            "DC",
            "downstream_remote_disconnect".to_owned(),
            "-",
            Phase::Client,
            Fault::ClientGone,
        ),
        (
            "503",
            "DF",
            "dns_resolution_failed".to_owned(),
            "-",
            Phase::Resolve,
            Fault::NameNotFound,
        ),
        (
            "404",
            "NR",
            "route_not_found".to_owned(),
            "-",
            Phase::Queue,
            Fault::Other,
        ),
        (
            "502",
            "-",
            "via_upstream".to_owned(),
            "-",
            Phase::Header,
            Fault::UpstreamStatus,
        ),
    ];
    for (status, flags, details, reason, phase, fault) in cases {
        assert_eq!(
            of(status, flags, &details, reason),
            Some((phase, fault)),
            "{flags} {details} {reason}"
        );
    }
    assert_eq!(of("200", "-", "via_upstream", "-"), None);
    assert_eq!(of("200", "DI", "via_upstream", "-"), None);
    assert_eq!(of("301", "-", "direct_response", "-"), None);
}

#[test]
fn a_passed_on_status_is_the_upstreams() {
    let own = r#"[2026-10-09T06:52:32.147Z] "GET /a HTTP/1.1" 502 - via_upstream - "-" 0 95 15 14 "-" "c" "-" "a" "10.0.0.1:80" c - 10.0.0.3:80 10.0.0.2:33 - default"#;
    assert_eq!(read(own).upstream.status, b"502");
    assert_eq!(read(own).error, b"");
    assert_eq!(
        read(ISTIO_UC).upstream.last().map(|attempt| attempt.status),
        Some(None)
    );
}

#[test]
fn a_tcp_record_has_no_request() {
    let entry = read(r#"[2019-04-08T16:50:12.533Z] "- - -" 0 - 87 254 4 - "-" "-" "-" "-" "172.27.0.2:80""#);
    assert_eq!(
        (entry.method, entry.path, entry.status),
        (b"".as_slice(), b"".as_slice(), None)
    );
    assert_eq!(entry.bytes_sent, Some(254));
    assert_eq!(entry.duration_us, Some(4_000));
}

#[test]
fn json_is_read_under_the_names_in_use() {
    let istio = r#"{"authority":"reviews:9080","bytes_received":0,"bytes_sent":358,"downstream_remote_address":"[2a02:cf40::4e36]:5000","duration":15,"method":"GET","path":"/reviews/0","protocol":"HTTP/1.1","request_id":"9fcc7101-13bd-9753-98d6-820806088d9d","response_code":200,"response_code_details":"via_upstream","response_flags":"-","start_time":"2022-09-08T12:51:05.656Z","upstream_cluster":"inbound|9080||","upstream_host":"10.124.1.5:9080","upstream_local_address":"127.0.0.6:37685","upstream_service_time":"14","upstream_transport_failure_reason":null,"x_forwarded_for":null}"#;
    let entry = read(istio);
    assert_eq!(
        (entry.client, entry.client_port),
        (b"2a02:cf40::4e36".as_slice(), Some(5_000))
    );
    assert_eq!((entry.duration_us, entry.header_us), (Some(15_000), Some(14_000)));
    assert_eq!(entry.upstream.status, b"200");
    let gateway = r#"{":authority":"www.example.com","bytes_sent":0,"duration":1000,"method":"GET","response_code":503,"response_code_details":"upstream_reset_before_response_started{connection_timeout}","response_flags":"UF","start_time":"2025-12-31T17:30:03.228Z","upstream_host":"10.42.0.88:1337","x-envoy-origin-path":"/slow","x-envoy-upstream-service-time":null,"x-request-id":"a9864e02-c6f5-4375-a27d-3ffd7f312811"}"#;
    let entry = read(gateway);
    assert_eq!(
        (entry.host, entry.path),
        (b"www.example.com".as_slice(), b"/slow".as_slice())
    );
    assert_eq!(
        entry.signal,
        Some(Signal::new(Phase::ConnectOrTls, Fault::TimedOut))
    );
    assert_eq!(entry.ids.as_slice().len(), 1);
}

#[test]
fn messages_of_the_server_are_read_beside() {
    let started = read(
        "[2024-07-20 07:06:24.756][1][info][main] [source/server/server.cc:876] starting main dispatch loop",
    );
    assert_eq!(started.signal, Some(Signal::new(Phase::Process, Fault::Started)));
    assert_eq!(started.time.unwrap().zone, Zone::Local);
    let note = read("2022-07-20T09:52:24.955123Z\twarn\tca\tca request failed, starting attempt 1");
    assert_eq!((note.kind, note.level), (Kind::Note, Level::Warning));
    let mut entry = Entry::default();
    assert!(
        Parser::new()
            .parse(br#"{"level":"info","time":"2026-01-01T00:00:00Z"}"#, &mut entry)
            .is_err()
    );
}
