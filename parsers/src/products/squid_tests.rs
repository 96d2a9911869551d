use super::*;
use crate::entry::Zone;

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
fn a_native_line_is_cut_at_any_number_of_spaces() {
    let entry = read(
        "1795193733.126   3266 127.0.0.1 TCP_MISS/504 3472 GET http://shop.example.com/ok/slow?a=1 - FIRSTUP_PARENT/127.0.0.1 text/html ERR_READ_TIMEOUT/WITH_SERVER 0 3266 7f6c72832c0d116cb6a6e800a7783a4f",
    );
    assert_eq!(
        entry.time.map(|t| (t.us, t.marks)),
        Some((1_795_193_733_126_000, Marks::End))
    );
    assert_eq!(
        (entry.duration_us, entry.status, entry.bytes_sent),
        (Some(3_266_000), Some(504), Some(3472))
    );
    assert_eq!(
        (entry.host, entry.path),
        (b"shop.example.com".as_slice(), b"/ok/slow?a=1".as_slice())
    );
    assert_eq!(
        (entry.upstream.addr, entry.termination),
        (b"127.0.0.1".as_slice(), b"TCP_MISS".as_slice())
    );
    assert_eq!(entry.error, b"ERR_READ_TIMEOUT/WITH_SERVER");
    assert_eq!(entry.ids.as_slice().len(), 1);
    let tunnel = read(
        "1525344856.899  16867 10.170.72.111 TCP_TUNNEL/200 6256 CONNECT logs.example.com:443 - HIER_DIRECT/53.140.206.134 -",
    );
    assert_eq!(
        (tunnel.path, tunnel.signal),
        (b"logs.example.com:443".as_slice(), None)
    );
}

/// Lines of version 5.7 as an accelerator with `%err_code/%err_detail` appended, one fault each.
#[test]
fn every_failure_seen_has_its_signal() {
    let of = |result: &str, peer: &str, error: &str| {
        let line = format!(
            "1795203488.323     51 127.0.0.1 {result} 3334 GET http://shop.example.com/fin - {peer} text/html {error}"
        );
        read(&line).signal
    };
    let parent = "FIRSTUP_PARENT/127.0.0.1";
    for (result, peer, error, phase, fault) in [
        (
            "TCP_MISS/504",
            parent,
            "ERR_READ_TIMEOUT/WITH_SERVER",
            Phase::Header,
            Fault::TimedOut,
        ),
        (
            "TCP_MISS/200",
            parent,
            "ERR_READ_TIMEOUT/WITH_SERVER",
            Phase::Body,
            Fault::TimedOut,
        ),
        (
            "TCP_MISS/502",
            parent,
            "ERR_ZERO_SIZE_OBJECT/WITH_SERVER",
            Phase::Header,
            Fault::Closed,
        ),
        (
            "TCP_MISS/502",
            parent,
            "ERR_READ_ERROR/WITH_SERVER",
            Phase::Header,
            Fault::Reset,
        ),
        (
            "TCP_MISS/502",
            "HIER_NONE/-",
            "ERR_READ_ERROR/WITH_SERVER",
            Phase::Queue,
            Fault::NoLiveUpstream,
        ),
        (
            "TCP_MISS/502",
            parent,
            "ERR_TOO_BIG/WITH_SERVER",
            Phase::Header,
            Fault::HeaderTooBig,
        ),
        (
            "TCP_MISS/503",
            parent,
            "ERR_CONNECT_FAIL/WITH_SERVER",
            Phase::Connect,
            Fault::Refused,
        ),
        (
            "TCP_MISS/503",
            parent,
            "ERR_CONNECT_FAIL/errno=111",
            Phase::Connect,
            Fault::Refused,
        ),
        (
            "TCP_MISS/502",
            parent,
            "-/-",
            Phase::Header,
            Fault::UpstreamStatus,
        ),
        (
            "TCP_MISS_ABORTED/000",
            parent,
            "ERR_CLIENT_GONE/WITH_CLIENT",
            Phase::Client,
            Fault::ClientGone,
        ),
    ] {
        assert_eq!(
            of(result, peer, error),
            is(phase, fault),
            "{result} {peer} {error}"
        );
    }
    assert_eq!(of("TCP_MISS/502", parent, ""), None);
    assert_eq!(of("TCP_MISS/200", parent, "-/-"), None);
}

#[test]
fn common_and_combined_lines_end_with_the_result() {
    let entry = read(
        r#"127.0.0.1 - - [20/Nov/2026:19:38:08 +0000] "GET http://shop.example.com/slow HTTP/1.1" 504 3473 "-" "curl/7.88.1" TCP_MISS:FIRSTUP_PARENT"#,
    );
    assert_eq!(
        (entry.path, entry.termination),
        (b"/slow".as_slice(), b"TCP_MISS".as_slice())
    );
    assert_eq!(entry.time.map(|t| t.marks), Some(Marks::End));
    let aborted = read(
        r#"127.0.0.1 - - [20/Nov/2026:19:38:09 +0000] "GET http://shop.example.com/slow HTTP/1.1" 0 0 TCP_MISS_ABORTED:FIRSTUP_PARENT"#,
    );
    assert_eq!(
        (aborted.status, aborted.signal),
        (None, is(Phase::Client, Fault::ClientGone))
    );
}

#[test]
fn messages_of_the_cache_log_are_read() {
    let dead = read("2026/11/20 16:55:48 kid1| Detected DEAD Parent: app");
    assert_eq!(
        (dead.kind, dead.signal),
        (Kind::Event, is(Phase::Connect, Fault::ServerDown))
    );
    assert_eq!(dead.upstream.addr, b"app");
    assert_eq!(dead.time.map(|t| t.zone), Some(Zone::Local));
    let failed = read("2026/11/20 16:55:48| TCP connection to 127.0.0.1/9102 failed");
    assert_eq!(
        (failed.kind, failed.upstream.addr),
        (Kind::Failure, b"127.0.0.1/9102".as_slice())
    );
    let warning = read(
        "2026/11/20 19:38:08| WARNING: HTTP: Invalid Response: No object data received for http://a/fin AKA http://a/fin",
    );
    assert_eq!((warning.kind, warning.level), (Kind::Note, Level::Warning));
    let mut entry = Entry::default();
    let rest = Parser::new().parse(b"    current master transaction: master62", &mut entry);
    assert_eq!(rest, Ok(Line::Continuation));
    assert!(
        Parser::new()
            .parse(b"2026/11/20 16:23:19 [error] 1#1: *4 a | b", &mut entry)
            .is_err()
    );
}

/// Lines of version 5.7 with `connect_timeout 2 seconds`: its timers may seem to end early.
#[test]
fn a_connect_that_failed_without_an_error_number_is_told_by_its_time() {
    let of = |line: &str| read(line).signal;
    assert_eq!(
        of(
            "1795210820.033   1628 127.0.0.1 TCP_MISS/503 3455 GET http://shop.example.com/r - FIRSTUP_PARENT/127.0.0.1 text/html ERR_CONNECT_FAIL/WITH_SERVER"
        ),
        is(Phase::Connect, Fault::TimedOut)
    );
    assert_eq!(
        of(
            "1795210820.036   1784 127.0.0.1 TCP_MISS/504 3766 POST http://shop.example.com/p - HIER_NONE/- text/html ERR_SECURE_CONNECT_FAIL/TLS_CONNECT_TIMEOUT"
        ),
        is(Phase::Tls, Fault::TimedOut)
    );
}
