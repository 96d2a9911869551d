//! Lines that real servers wrote, one fault at a time, and what they are read as.
//! Observed on nginx 1.22.1, HAProxy 2.6.12 and Apache httpd 2.4.71.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use why502_parsers::entry::{Fault, Kind, Level, Marks, Phase, Signal, Zone};
use why502_parsers::format::{Head, Line, Product, Score};
use why502_parsers::{Entry, registry};

/// 2026-11-20T00:00:00Z in microseconds.
const DAY_US: i64 = 1_795_132_800_000_000;

fn read<'a>(format: &str, line: &'a str) -> Entry<'a> {
    let format = registry::by_name(format).unwrap();
    let head = Head {
        bytes: line.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    let mut parser = format.prepare(&head).open(b"");
    let mut entry = Entry::default();
    match parser.parse(line.as_bytes(), &mut entry) {
        Ok(Line::Entry) => entry,
        other => panic!("{other:?}: {line}"),
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

const fn at(hour: i64, minute: i64, second: i64) -> i64 {
    DAY_US + ((hour * 60 + minute) * 60 + second) * 1_000_000
}

#[test]
fn an_nginx_line_with_upstream_pairs_gives_every_attempt() {
    let entry = read(
        "nginx",
        r#"127.0.0.1 - - [20/Nov/2026:16:26:00 +0000] "GET /ff/b HTTP/1.1" 502 157 "-" rt=0.103 uct="0.000, 0.000, -" uht="-, -, -" urt="0.051, 0.052, 0.000" us="502, 502, 502" ua="127.0.0.1:9101, 127.0.0.1:9106, ff" rid=c72b832c0d116cb6a6e800a7783a4f82"#,
    );
    let time = entry.time.unwrap();
    assert_eq!(
        (time.us, time.resolution_us, time.marks),
        (at(16, 26, 0), 1_000_000, Marks::End)
    );
    assert_eq!((entry.status, entry.bytes_sent), (Some(502), Some(157)));
    assert_eq!(entry.duration_us, Some(103_000));
    assert_eq!((text(entry.method), text(entry.path)), ("GET", "/ff/b"));
    assert_eq!(entry.ids.as_slice(), [b"c72b832c0d116cb6a6e800a7783a4f82"]);
    let attempts: Vec<_> = entry.upstream.attempts().collect();
    assert_eq!(attempts.len(), 3);
    assert_eq!(attempts[0].connect_us, Some(0));
    assert_eq!(attempts[1].response_us, Some(52_000));
    assert_eq!((text(attempts[2].addr), attempts[2].connect_us), ("ff", None));
    assert_eq!((entry.connect_us, entry.header_us), (None, None));
}

#[test]
fn an_answer_without_a_status_line_has_status_nine() {
    let entry = read(
        "nginx",
        r#"127.0.0.1 - - [20/Nov/2026:16:23:50 +0000] "GET /ok/gb HTTP/1.1" 009 30 "-" rt=0.065 uct="0.000" uht="0.025" urt="0.065" us="200" ua="127.0.0.1:9101" rid=4352014e1111ae6acb399ffedb2b3a5c"#,
    );
    assert_eq!(entry.status, Some(9));
    assert_eq!((entry.header_us, entry.response_us), (Some(25_000), Some(65_000)));
}

#[test]
fn a_client_that_went_away_is_a_signal_of_the_access_log() {
    let entry = read(
        "nginx",
        r#"127.0.0.1 - - [20/Nov/2026:16:23:53 +0000] "GET /ok/abort HTTP/1.1" 499 0 "-" rt=0.505 uct="0.000" uht="-" urt="0.505" us="-" ua="127.0.0.1:9101" rid=3a0533946e999f1d734c6433eb661d22"#,
    );
    assert_eq!(entry.signal, Some(Signal::new(Phase::Client, Fault::ClientGone)));
    assert_eq!(entry.upstream.attempts().count(), 1);
}

#[test]
fn garbage_requests_and_odd_addresses_are_read() {
    for (line, client, host, forwarded) in [
        (
            r#"127.0.0.1 - - [12/Apr/2018:09:48:40 +0200] "" 400 0 "-" "-""#,
            "127.0.0.1",
            "",
            "",
        ),
        (
            r#"10.0.0.1 - - [15/Feb/2013:06:00:31 +0000] "-" 400 0 "-" "-""#,
            "10.0.0.1",
            "",
            "",
        ),
        (
            r#"10.0.0.1 - - [15/Feb/2013:06:00:31 +0000] "\x16\x03\x01\x02 \x22 200" 400 157 "-" "-""#,
            "10.0.0.1",
            "",
            "",
        ),
        (
            r#"shop.example.com:80 "10.5.102.222, 175.16.199.1" 10.2.1.185 - - [22/Jan/2016:13:18:29 +0000] "GET /a HTTP/1.1" 200 1 "-" "x""#,
            "10.2.1.185",
            "shop.example.com:80",
            "10.5.102.222, 175.16.199.1",
        ),
        (
            r#"10.0.0.2, 10.0.0.1 - - [07/Dec/2016:11:05:07 +0100] "GET /a HTTP/1.1" 200 571 "-" "x""#,
            "",
            "",
            "10.0.0.2, 10.0.0.1",
        ),
        (
            r#"10.0.0.2 - a b [07/Dec/2016:11:05:07 +0100] "GET /a HTTP/1.1" 200 571"#,
            "10.0.0.2",
            "",
            "",
        ),
        (
            r#"10.0.0.2 - - [07/Dec/2016:11:05:07 +0100] "GET /a HTTP/1.1" 200 571 "-" "x" "10.9.9.9, 10.8.8.8""#,
            "10.0.0.2",
            "",
            "10.9.9.9, 10.8.8.8",
        ),
    ] {
        let entry = read("nginx", line);
        assert_eq!(
            (text(entry.client), text(entry.host), text(entry.forwarded_for)),
            (client, host, forwarded),
            "{line}"
        );
    }
}

#[test]
fn the_fields_of_the_ingress_controller_are_read() {
    let entry = read(
        "nginx",
        r#"192.168.64.1 - - [07/Feb/2020:11:48:51 +0000] "POST /products HTTP/1.1" 502 59 "-" "curl/7.54.0" 89 3.001 [default-web-8080] [] 172.17.0.5:8080, 172.17.0.6:8080 0, 59 3.000, 0.001 504, 502 529a007902362a5f51385a5fa7049884"#,
    );
    assert_eq!(text(entry.upstream.group), "default-web-8080");
    assert_eq!(entry.duration_us, Some(3_001_000));
    let attempts: Vec<_> = entry.upstream.attempts().collect();
    assert_eq!(attempts[1].bytes_received, Some(59));
    assert_eq!(
        (attempts[0].status, attempts[1].response_us),
        (Some(504), Some(1000))
    );
    assert_eq!(entry.ids.as_slice(), [b"529a007902362a5f51385a5fa7049884"]);
}

/// An nginx error line with `message`, about a request.
fn nginx_error(level: &str, message: &str) -> String {
    format!(
        "2026/11/20 16:23:19 [{level}] 14357#14357: *4 {message}, client: 127.0.0.1, server: , request: \"GET /ok/slow HTTP/1.1\", upstream: \"http://127.0.0.1:9101/ok/slow\", host: \"shop.example.com\""
    )
}

#[test]
fn an_nginx_error_line_names_connection_request_and_upstream() {
    let line = nginx_error(
        "error",
        "upstream timed out (110: Connection timed out) while reading response header from upstream",
    );
    let entry = read("nginx-error", &line);
    let time = entry.time.unwrap();
    assert_eq!(
        (time.us, time.zone, time.marks),
        (at(16, 23, 19), Zone::Local, Marks::Event)
    );
    assert_eq!((entry.pid, entry.connection), (Some(14_357), Some(4)));
    assert_eq!((entry.kind, entry.level), (Kind::Failure, Level::Error));
    assert_eq!(text(entry.client), "127.0.0.1");
    assert_eq!(text(entry.server), "");
    assert_eq!((text(entry.method), text(entry.path)), ("GET", "/ok/slow"));
    assert_eq!(text(entry.upstream.addr), "127.0.0.1:9101");
    assert_eq!(text(entry.host), "shop.example.com");
    assert!(text(entry.error).starts_with("upstream timed out (110"));
}

#[test]
fn every_nginx_message_has_its_signal() {
    use Fault as F;
    use Phase as P;
    for (message, phase, fault) in [
        (
            "upstream timed out (110: Operation timed out) while connecting to upstream",
            P::Connect,
            F::TimedOut,
        ),
        (
            "upstream timed out (110: Connection timed out) while SSL handshaking to upstream",
            P::Tls,
            F::TimedOut,
        ),
        (
            "upstream timed out (110: Connection timed out) while sending request to upstream",
            P::Send,
            F::TimedOut,
        ),
        (
            "upstream timed out (110: Connection timed out) while reading upstream",
            P::Body,
            F::TimedOut,
        ),
        (
            "connect() failed (111: Connection refused) while connecting to upstream",
            P::Connect,
            F::Refused,
        ),
        (
            "connect() failed (113: No route to host) while connecting to upstream",
            P::Connect,
            F::Unreachable,
        ),
        (
            "connect() failed (110: Connection timed out) while connecting to upstream",
            P::Connect,
            F::TimedOut,
        ),
        (
            "connect() to unix:/run/a.sock failed (11: Resource temporarily unavailable) while connecting to upstream",
            P::Connect,
            F::BacklogFull,
        ),
        (
            "connect() to unix:/run/a.sock failed (2: No such file or directory) while connecting to upstream",
            P::Connect,
            F::Refused,
        ),
        (
            "connect() to 172.17.0.19:5000 failed (99: Cannot assign requested address) while connecting to upstream",
            P::Connect,
            F::ResourceExhausted,
        ),
        (
            "no live upstreams while connecting to upstream",
            P::Connect,
            F::NoLiveUpstream,
        ),
        (
            "upstream prematurely closed connection while reading response header from upstream",
            P::Header,
            F::Closed,
        ),
        (
            "upstream prematurely closed connection while reading upstream",
            P::Body,
            F::Closed,
        ),
        (
            "recv() failed (104: Connection reset by peer) while reading response header from upstream",
            P::Header,
            F::Reset,
        ),
        (
            "readv() failed (104: Connection reset by peer) while reading upstream",
            P::Body,
            F::Reset,
        ),
        (
            "writev() failed (32: Broken pipe) while sending request to upstream",
            P::Send,
            F::BrokenPipe,
        ),
        (
            "peer closed connection in SSL handshake while SSL handshaking to upstream",
            P::Tls,
            F::TlsRejected,
        ),
        (
            "SSL_do_handshake() failed (SSL: error:1408F10B:SSL routines:ssl3_get_record:wrong version number) while SSL handshaking to upstream",
            P::Tls,
            F::ProtocolMismatch,
        ),
        (
            "upstream SSL certificate verify error: (20:unable to get local issuer certificate) while SSL handshaking to upstream",
            P::Tls,
            F::CertificateRejected,
        ),
        (
            "upstream sent too big header while reading response header from upstream",
            P::Header,
            F::HeaderTooBig,
        ),
        (
            "upstream sent no valid HTTP/1.0 header while reading response header from upstream",
            P::Header,
            F::MalformedHeader,
        ),
        (
            "upstream sent \"Content-Length\" and \"Transfer-Encoding\" headers at the same time while reading response header from upstream",
            P::Header,
            F::BadFraming,
        ),
        (
            "epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while sending request to upstream",
            P::Client,
            F::ClientGone,
        ),
        (
            "app.internal could not be resolved (3: Host not found)",
            P::Resolve,
            F::NameNotFound,
        ),
        (
            "app.internal could not be resolved (110: Operation timed out)",
            P::Resolve,
            F::TimedOut,
        ),
        (
            "upstream server temporarily disabled while connecting to upstream",
            P::Connect,
            F::ServerDown,
        ),
    ] {
        let line = nginx_error("error", message);
        assert_eq!(
            read("nginx-error", &line).signal,
            Some(Signal::new(phase, fault)),
            "{message}"
        );
    }
}

#[test]
fn nginx_errors_that_concern_no_upstream_carry_no_signal() {
    let line = nginx_error(
        "error",
        r#"open() "/usr/share/nginx/html/a" failed (2: No such file or directory)"#,
    );
    let entry = read("nginx-error", &line);
    assert_eq!((entry.signal, entry.kind), (None, Kind::Failure));
    let line = nginx_error(
        "info",
        "recv() failed (104: Connection reset by peer) while reading client request line",
    );
    let gone = Some(Signal::new(Phase::Client, Fault::ClientGone));
    assert_eq!(read("nginx-error", &line).signal, gone);
}

#[test]
fn events_of_the_nginx_process_are_events() {
    for (line, fault) in [
        (
            "2026/11/20 16:23:19 [alert] 1#1: worker process 29 exited on signal 9",
            Fault::WorkerCrashed,
        ),
        (
            "2026/11/20 16:23:19 [notice] 1#1: signal 1 (SIGHUP) received from 7, reconfiguring",
            Fault::Stopping,
        ),
        (
            "2026/11/20 16:23:19 [notice] 29#29: gracefully shutting down",
            Fault::Stopping,
        ),
        (
            "2026/11/20 16:23:19 [notice] 1#1: start worker process 31",
            Fault::Started,
        ),
    ] {
        let entry = read("nginx-error", line);
        assert_eq!(entry.kind, Kind::Event, "{line}");
        assert_eq!(entry.signal, Some(Signal::new(Phase::Process, fault)), "{line}");
    }
}

#[test]
fn an_id_after_the_host_and_a_hostile_request_are_read() {
    let entry = read(
        "nginx-error",
        r#"2024/11/28 18:04:05 [error] 1280#0: *20004 upstream prematurely closed connection while reading upstream, client: 192.168.194.1, server: kong, request: "GET /a", host: "x" HTTP/1.1", upstream: "uwsgi://unix:///run/a.sock:", host: "kong.example", request_id: "e2b3182856c96c23d61e880d0a28012f""#,
    );
    assert_eq!(entry.ids.as_slice(), [b"e2b3182856c96c23d61e880d0a28012f"]);
    assert_eq!(text(entry.upstream.addr), "unix:///run/a.sock");
    assert_eq!(text(entry.host), "kong.example");
}

#[test]
fn an_haproxy_line_gives_timers_server_and_unique_id() {
    let entry = read(
        "haproxy",
        r#"127.0.0.1:37874 [20/Nov/2026:16:26:16.721] fe be_app/app1 0/53/1/-1/3001 504 253 - - sH-- 1/1/0/0/+2 0/0 "GET /ok/slow HTTP/1.1" 7F00000193F2_7F00000123F0_6B0074A8_0002427C"#,
    );
    let time = entry.time.unwrap();
    assert_eq!((time.us, time.zone), (at(16, 26, 16) + 721_000, Zone::Local));
    assert_eq!((time.marks, time.resolution_us), (Marks::Start, 1000));
    assert_eq!(
        (text(entry.client), entry.client_port),
        ("127.0.0.1", Some(37_874))
    );
    assert_eq!((entry.queue_us, entry.connect_us), (Some(53_000), Some(1000)));
    assert_eq!((entry.header_us, entry.duration_us), (None, Some(3_001_000)));
    assert_eq!(
        (text(entry.upstream.group), text(entry.upstream.addr)),
        ("be_app", "app1")
    );
    assert_eq!(entry.upstream.retries, 2);
    assert_eq!(text(entry.termination), "sH--");
    assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
    assert_eq!(
        entry.ids.as_slice(),
        [b"7F00000193F2_7F00000123F0_6B0074A8_0002427C"]
    );
}

#[test]
fn every_termination_state_has_its_signal() {
    use Fault as F;
    use Phase as P;
    for (server, timers, status, state, phase, fault) in [
        ("s1", "0/0/-1/-1/2001", 503, "sC--", P::ConnectOrTls, F::TimedOut),
        ("s1", "0/0/-1/-1/0", 503, "SC--", P::ConnectOrTls, F::Refused),
        (
            "<NOSRV>",
            "0/-1/-1/-1/0",
            503,
            "SC--",
            P::Connect,
            F::NoLiveUpstream,
        ),
        ("s1", "0/0/0/-1/104", 502, "SH--", P::Header, F::ResetOrClosed),
        ("s1", "0/0/0/55/115", 200, "SD--", P::Body, F::ResetOrClosed),
        ("s1", "0/0/0/1/3002", 200, "sD--", P::Body, F::TimedOut),
        (
            "<NOSRV>",
            "0/2002/-1/-1/2002",
            503,
            "sQ--",
            P::Queue,
            F::QueueTimedOut,
        ),
        ("s1", "0/0/0/-1/21", 502, "PH--", P::Header, F::InvalidResponse),
        (
            "s1",
            "0/0/0/-1/21",
            503,
            "RC--",
            P::ConnectOrTls,
            F::ResourceExhausted,
        ),
        ("s1", "0/0/0/-1/21", -1, "CH--", P::Client, F::ClientGone),
        ("s1", "0/0/0/-1/21", 503, "DH--", P::Header, F::ServerDown),
        ("s1", "0/0/0/13/13", 502, "----", P::Header, F::UpstreamStatus),
    ] {
        let line = format!(
            "127.0.0.1:48578 [20/Nov/2026:16:26:36.341] fe be/{server} {timers} {status} 272 - - {state} 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\""
        );
        assert_eq!(
            read("haproxy", &line).signal,
            Some(Signal::new(phase, fault)),
            "{line}"
        );
    }
}

#[test]
fn captures_cut_requests_and_other_layouts_are_read() {
    let entry = read(
        "haproxy",
        r#"2001:db8::7:38862 [30/Jul/2018:09:03:52.726] incoming~ docs/docs 0/0/1/0/+2 304 +168 - - ---- 6/6/0/0/0 0/0 {docs.example.internal||e805351b-1c36-4c15-8a74-93babaf16d46} {a b} "GET /component---src-pages-in"#,
    );
    assert_eq!(text(entry.client), "2001:db8::7");
    assert_eq!(text(entry.host), "docs.example.internal");
    assert_eq!(entry.ids.as_slice(), [b"e805351b-1c36-4c15-8a74-93babaf16d46"]);
    assert_eq!(
        (text(entry.method), text(entry.path)),
        ("GET", "/component---src-pages-in")
    );
    assert_eq!((entry.bytes_sent, entry.duration_us), (Some(168), Some(2000)));
    let tcp = read(
        "haproxy",
        "127.0.0.1:48578 [20/Nov/2026:16:26:36.341] fe be/s1 0/-1/5007 0 SC 0/0/0/0/3 0/0",
    );
    assert_eq!(tcp.signal, Some(Signal::new(Phase::ConnectOrTls, Fault::Refused)));
    assert_eq!((tcp.duration_us, tcp.upstream.retries), (Some(5_007_000), 3));
    let tagged = read(
        "haproxy",
        r#"haproxy[12653]: 127.0.0.1:59828 [10/Nov/2011:16:12:26.122] http_proxy p/p 54/0/0/-1/200 502 426 - - SH-- 0/0/0/0/0 0/0 "GET /favicon.ico HTTP/1.1""#,
    );
    assert_eq!((text(tagged.client), tagged.status), ("127.0.0.1", Some(502)));
    let bad = read(
        "haproxy",
        r#"127.0.0.1:48578 [20/Nov/2026:16:26:36.341] fe fe/<NOSRV> -1/-1/-1/-1/0 400 0 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>""#,
    );
    assert_eq!((bad.status, text(bad.path)), (Some(400), "<BADREQ>"));
    let clf = read(
        "haproxy",
        r#"127.0.0.1 - - [20/Nov/2026:16:26:36 +0000] "GET /a HTTP/1.1" 502 272 "" "" 48578 341 "fe" "be" "s1" 0 0 0 -1 104 "SH--" 1 1 0 0 0 0 0 "-" "-" "" """#,
    );
    assert_eq!((text(clf.client), text(clf.upstream.addr)), ("127.0.0.1", "s1"));
    assert_eq!(clf.signal, Some(Signal::new(Phase::Header, Fault::ResetOrClosed)));
}

#[test]
fn haproxy_tells_of_its_servers() {
    let down = read(
        "haproxy",
        r#"Server be_checked/s1 is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue."#,
    );
    assert_eq!(down.kind, Kind::Event);
    assert_eq!(down.signal.map(|s| s.fault), Some(Fault::ServerDown));
    assert_eq!(
        (text(down.upstream.group), text(down.upstream.addr)),
        ("be_checked", "s1")
    );
    let none = read("haproxy", "backend be_checked has no server available!");
    assert_eq!(none.signal.map(|s| s.fault), Some(Fault::NoLiveUpstream));
    assert_eq!(text(none.upstream.group), "be_checked");
    let started = read("haproxy", "Proxy prod_http_in started.");
    assert_eq!(started.signal.map(|s| s.fault), Some(Fault::Started));
    let tls = read(
        "haproxy",
        "127.0.0.1:56059 [03/Dec/2012:17:35:10.380] frt/f1: Connection error during SSL handshake",
    );
    assert_eq!((tls.kind, tls.client_port), (Kind::Failure, Some(56_059)));
}

#[test]
fn an_apache_line_gives_microseconds_ids_and_worker() {
    let entry = read(
        "apache",
        r#"127.0.0.1 - - [20/Nov/2026:16:34:26 +0000] "POST /ff/c HTTP/1.1" 502 381 "-" "UA" 51863 awB2kpJ6k4pxmabpFhBItgAAAJU http://127.0.0.1:9101 -"#,
    );
    assert_eq!(
        entry.time.map(|t| (t.us, t.marks)),
        Some((at(16, 34, 26), Marks::Start))
    );
    assert_eq!(entry.duration_us, Some(51_863));
    assert_eq!(entry.ids.as_slice(), [b"awB2kpJ6k4pxmabpFhBItgAAAJU"]);
    assert_eq!(text(entry.upstream.addr), "127.0.0.1:9101");
    let silent = read("apache", r#"::1 - - [26/Dec/2016:16:16:48 +0200] "-" 408 -"#);
    assert_eq!((silent.status, silent.bytes_sent), (Some(408), None));
}

#[test]
fn every_apache_error_line_has_its_signal() {
    use Fault as F;
    use Phase as P;
    for (rest, phase, fault, addr, path) in [
        (
            "(70007)The timeout specified has expired: [client 127.0.0.1:40170] AH01102: error reading status line from remote server 127.0.0.1:9101",
            P::Header,
            F::TimedOut,
            "127.0.0.1:9101",
            "",
        ),
        (
            "(20014)Internal error (specific information not available): [client 127.0.0.1:40170] AH01102: error reading status line from remote server 127.0.0.1:9101",
            P::Header,
            F::Closed,
            "127.0.0.1:9101",
            "",
        ),
        (
            "(104)Connection reset by peer: [client 127.0.0.1:40170] AH01102: error reading status line from remote server 127.0.0.1:9101",
            P::Header,
            F::Reset,
            "127.0.0.1:9101",
            "",
        ),
        (
            "(22)Invalid argument: [client 127.0.0.1:40170] AH01102: error reading status line from remote server 127.0.0.1:9101",
            P::Header,
            F::MalformedHeader,
            "127.0.0.1:9101",
            "",
        ),
        (
            "[client 127.0.0.1:40170] AH00898: Error reading from remote server returned by /ok/slow",
            P::Header,
            F::Other,
            "",
            "/ok/slow",
        ),
        (
            "[client 127.0.0.1:40170] AH00898: Error during SSL Handshake with remote server returned by /tls/a",
            P::Tls,
            F::Other,
            "",
            "/tls/a",
        ),
        (
            "(111)Connection refused: AH00957: http: attempt to connect to 127.0.0.1:9102 (127.0.0.1:9102) failed",
            P::Connect,
            F::Refused,
            "127.0.0.1:9102",
            "",
        ),
        (
            "(70007)The timeout specified has expired: AH00957: http: attempt to connect to 127.0.0.1:9103 (127.0.0.1:9103) failed",
            P::Connect,
            F::TimedOut,
            "127.0.0.1:9103",
            "",
        ),
        (
            "[client 127.0.0.1:40170] AH01114: HTTP: failed to make connection to backend: 127.0.0.1",
            P::Connect,
            F::Other,
            "127.0.0.1",
            "",
        ),
        (
            "AH00959: ap_proxy_connect_backend disabling worker for (127.0.0.1:9102) for 60s",
            P::Connect,
            F::ServerDown,
            "127.0.0.1:9102",
            "",
        ),
        (
            "(70014)End of file found: [client 127.0.0.1:40170] AH10404: Error reading headers from backend",
            P::Header,
            F::ClosedPartial,
            "",
            "",
        ),
        (
            "[client 127.0.0.1:40170] AH01106: bad HTTP/1.1 header returned by /ok/bh (GET)",
            P::Header,
            F::InvalidResponse,
            "",
            "/ok/bh",
        ),
        (
            "(28)No space left on device: [client 127.0.0.1:40170] AH10124: header size is over the limit allowed by ResponseFieldSize (8192 bytes). Bad response header: 'Set-Cookie: sid=A'",
            P::Header,
            F::HeaderTooBig,
            "",
            "",
        ),
        (
            "(70008)Partial results are valid but processing is incomplete: [client 127.0.0.1:40170] AH01110: error reading response",
            P::Body,
            F::Closed,
            "",
            "",
        ),
        (
            "(20014)Internal error (specific information not available): [client 127.0.0.1:40170] AH01084: pass request body failed to 127.0.0.1:9104 (127.0.0.1)",
            P::Send,
            F::Other,
            "127.0.0.1:9104",
            "",
        ),
    ] {
        let line =
            format!("[Fri Nov 20 16:32:23.169355 2026] [proxy_http:error] [pid 21203:tid 21215] {rest}");
        let entry = read("apache-error", &line);
        assert_eq!(entry.signal, Some(Signal::new(phase, fault)), "{line}");
        assert_eq!(
            (text(entry.upstream.addr), text(entry.path)),
            (addr, path),
            "{line}"
        );
        assert_eq!(entry.pid, Some(21_203));
        let time = entry.time.unwrap();
        assert_eq!((time.us, time.zone), (at(16, 32, 23) + 169_355, Zone::Local));
        if rest.contains("[client") {
            assert_eq!(
                (text(entry.client), entry.client_port),
                ("127.0.0.1", Some(40_170)),
                "{line}"
            );
        }
    }
}

#[test]
fn apache_lines_of_other_layouts_are_read() {
    let old = read(
        "apache-error",
        "[Mon Dec 26 16:22:08 2016] [error] [client 192.168.33.1] File does not exist: /var/www/favicon.ico",
    );
    assert_eq!((old.level, text(old.client)), (Level::Error, "192.168.33.1"));
    let busy = read(
        "apache-error",
        "[Fri Nov 20 16:32:23.1 2026] [mpm_event:error] [pid 7:tid 8] AH00484: server reached MaxRequestWorkers setting, consider raising the MaxRequestWorkers setting",
    );
    assert_eq!(
        busy.signal,
        Some(Signal::new(Phase::Process, Fault::WorkersExhausted))
    );
    let crash = read(
        "apache-error",
        "[Fri Nov 20 16:32:23.1 2026] [core:notice] [pid 7:tid 8] AH00052: child pid 21203 exit signal Segmentation fault (11)",
    );
    assert_eq!(
        crash.signal,
        Some(Signal::new(Phase::Process, Fault::WorkerCrashed))
    );
    let with_id = read(
        "apache-error",
        "[Fri Nov 20 16:32:23.1 2026] [proxy:error] [pid 7:tid 8] [R:awB2FJJ6k4o] [client [2001:db8::7]:40170] AH00898: Error reading from remote server returned by /a, referer: http://x/",
    );
    assert_eq!(with_id.ids.as_slice(), [b"awB2FJJ6k4o"]);
    assert_eq!((text(with_id.client), text(with_id.path)), ("2001:db8::7", "/a"));
}

#[test]
fn lines_of_the_samples_are_told_apart_and_read() {
    let apache = r#"127.13.100.3 - - [20/Nov/2026:18:29:33 +0000] "GET /a HTTP/1.1" 200 1607 "-" "x" 34427 awCRjeg0B1AXhCsVW8r_ogAAAAA + 2 -"#;
    let gunicorn = r#"127.13.10.1 - - [20/Nov/2026:18:29:33 +0000] "GET /a HTTP/1.1" 200 1607 "-" "x" 32211 awCRjeg0B1AXhCsVW8r_ogAAAAA <24879>"#;
    for (line, name) in [(apache, "apache"), (gunicorn, "gunicorn")] {
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let sure: Vec<_> = registry::builtin()
            .iter()
            .filter(|format| format.sniff(&head).score >= Score::Own)
            .map(|format| format.name())
            .collect();
        assert_eq!(sure, [name]);
    }
    let entry = read("apache", apache);
    assert_eq!(
        (entry.duration_us, entry.connection_requests),
        (Some(34_427), Some(3))
    );
    let entry = read("gunicorn", gunicorn);
    assert_eq!((entry.duration_us, entry.pid), (Some(32_211), Some(24_879)));
    assert_eq!(entry.time.map(|t| t.marks), Some(Marks::End));
    let entry = read(
        "nginx",
        r#"127.0.0.1 - - [20/Nov/2026:16:23:16 +0000] "GET /a HTTP/1.1" 502 157 "x" msec=1795191796.147 rt=0.013 uct="0.000" uht="-" urt="0.013" us="502" ua="127.0.0.1:9101" ub="0" conn=17:3 rid=4ad36c1d2060844c74439ca62bfb3e0e"#,
    );
    assert_eq!(
        entry.time.map(|t| (t.us, t.resolution_us)),
        Some((at(16, 23, 16) + 147_000, 1000))
    );
    assert_eq!((entry.connection, entry.connection_requests), (Some(17), Some(3)));
    assert_eq!(entry.upstream.last().and_then(|a| a.bytes_received), Some(0));
}

#[test]
fn uvicorn_lines_are_read_with_and_without_colours() {
    for line in [
        "INFO:     127.0.0.1:52782 - \"GET /a?b HTTP/1.1\" 502 Bad Gateway",
        "\x1b[32mINFO\x1b[0m:     127.0.0.1:52782 - \"\x1b[1mGET /a?b HTTP/1.1\x1b[0m\" \x1b[31m502 Bad Gateway\x1b[0m",
    ] {
        let entry = read("uvicorn", line);
        assert_eq!((text(entry.method), text(entry.path)), ("GET", "/a?b"));
        assert_eq!((entry.status, entry.client_port), (Some(502), Some(52_782)));
        assert!(entry.time.is_none());
    }
}

#[test]
fn the_shared_shape_belongs_to_whom_the_surroundings_suggest() {
    let line = b"10.0.0.1 - - [15/Feb/2013:06:00:31 +0000] \"GET / HTTP/1.1\" 200 0 \"-\" \"-\"\n";
    for (hints, expected) in [
        (&[][..], "clf"),
        (&[Product::Nginx][..], "nginx"),
        (&[Product::Apache, Product::Apache][..], "apache"),
        (&[Product::Gunicorn][..], "gunicorn"),
        (&[Product::Nginx, Product::Gunicorn][..], "clf"),
    ] {
        let head = Head {
            bytes: line,
            hints,
            date_hint: None,
        };
        let claims: Vec<_> = registry::builtin()
            .iter()
            .filter(|format| format.sniff(&head).score > Score::No)
            .map(|format| format.name())
            .collect();
        assert_eq!(claims, [expected], "{hints:?}");
    }
}
