//! No line, head or preamble makes a parser panic, whatever bytes it holds.

use proptest::prelude::*;
use why502_parsers::{Entry, Head, registry};

/// One good line of each shape; the properties cut and change them.
const LINES: [&str; 24] = [
    r#"{"level":"error","ts":1795194026.6341133,"logger":"http.log.error.log0","msg":"read tcp 127.0.0.1:56050->127.0.0.1:9105: read: connection reset by peer","request":{"remote_ip":"127.0.0.1","remote_port":"42724","method":"POST","host":"shop","uri":"/p","headers":{"X-Request-Id":["r-1"]}},"duration":0.00029512,"status":502}"#,
    r#"{"level":"error","ts":1795194011.4920318,"logger":"http.handlers.reverse_proxy","msg":"aborting with incomplete response","error":"dial tcp: lookup a on 1.1.1.1:53: no such host"}"#,
    "2024/05/26 11:42:52.601\tINFO\thttp.log.access\thandled request\t{\"request\":{\"remote_addr\":\"[::1]:5000\"},\"duration\":\"2m1.5s\"}",
    "2021-06-23T03:52:24.109Z [warn][10.1.1.1:8080][3][myorg][test][a?x[0][1]=2][][][6b08][plugins-middleware][targetRequest error][GET][][socket hang up][ECONNRESET][395]",
    "2021-06-23T03:52:24.110Z [error][0:8000][3][myorg][test][a][][][6b08][microgateway-core][][GET][502][socket hang up][ECONNRESET][]",
    "2026-11-20T16:41:27.113Z stats 28386 treqErrors=2, statusCodes={1=0, 2=2}",
    "2018-01-01 08:09:10 172.31.77.6 2094 172.31.77.7 80 HTTP/1.1 GET /qos/1kbfile.txt 503 - ConnLimit orders",
    "#Fields: date time cs-method cs-uri-stem c-ip cs(Cookie) sc-status time-taken X-Request-ID",
    "2022-01-01 18:42:11 10.0.0.4 GET /orders id=7&X-ARR-LOG-ID=2ec4 443 - 10.0.0.9 Mozilla/5.0 - 502 3 12002 29889",
    r#"{"level":50,"time":1745532517537,"pid":17,"hostname":"a","req":{"id":1,"method":"GET","url":"/x"},"res":{"statusCode":502},"responseTime":3,"err":{"message":"socket hang up","code":"ECONNRESET"},"msg":"request errored"}"#,
    r#"{"time_local":"20/Nov/2026:16:23:16 +0000","request":"POST /orders?id=7 HTTP/1.1","status":"502","request_time":3.004,"upstream_status":502, 200,"upstream_response_time":"0.001, 3.002"}"#,
    "[2024-01-01 00:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:123)",
    "[2024-01-01 00:00:00 +0000] [7] [ERROR] Worker (pid:123) was sent SIGKILL! Perhaps out of memory?",
    "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    r#"https 2026-11-20T16:23:16.376735Z app/shop/c86a 198.51.100.7:56398 10.0.0.192:80 0.001 -1 -1 502 - 125 308 "- http://host:80- -" "a"b" - - arn:x:targetgroup/t/8f "Root=1-5da09932-2c34" "-" "-" 0 2026-11-20T16:23:16.275000Z "forward" "-" "LambdaUnhandled""#,
    r#"2015-05-13T23:39:43.945958Z lb 192.168.131.39:2817 - -1 -1 -1 - - 82 305 "- - - " "-" - -"#,
    r#"tls 2.0 2020-04-01T08:51:42 net/lb/c6 g3 72.21.218.154:51341 172.100.100.185:443 5 2 98 246 42 arn:x - - - - - - - "h2""#,
    "2019-12-13\t22:36:27\tSEA19-C1\t900\t192.0.2.200\tGET\td1.cloudfront.net\t/\t502\t-\tM\ta=1\t-\tError\t1pkp==\tshop\thttp\t675\t0.102",
    r#"198.51.100.7 - - [09/Jun/2023:12:54:08 +0000]"GET /pets HTTP/1.1" 502 47 c6af GQI="#,
    r#"[{"httpRequest":{"requestUrl":"https://a?b","status":502,"latency":"0.1s","remoteIp":"[::1]:5"},"jsonPayload":{"statusDetails":"backend_timeout","proxyStatus":"error=\"x"},"timestamp":"2020-06-08T23:41:30Z","trace":"a/b"},"#,
    r#"{"records":[{"time":"2017-04-26T19:27:38Z","category":"ApplicationGatewayAccessLog","properties":{"clientPort":-,"requestQuery":"SERVER-ROUTED=1&X-AzureApplicationGateway-LOG-ID=8&SERVER-STATUS=","httpStatus":502,"timeTaken":205}}]}"#,
    r#"{"EdgeStartTimestamp":1712790000100000000,"EdgeEndTimestamp":"2026-11-20T16:23:16Z","EdgeResponseStatus":522,"OriginTCPHandshakeDurationMs":0,"RayID":"8"}"#,
    r#"x {"timestamp":"2021-11-12T16:59:45+0000","url":"https://a:443","response_status":503,"response_reason":"first byte timeout","fastly_server":"c"}"#,
    r#"1.1.1.1,2.2.2.2 | https | i@9K | @5X | a | 2012-10-29 00:06:26,838 | "GET / HTTP/1.1" | "" | - | - | - | - | - | - |"#,
];

/// Sniffs `bytes` with every format and reads them with every parser, twice, as the second block of a file would be.
fn read_with_all(bytes: &[u8], preamble: &[u8]) {
    let head = Head {
        bytes,
        hints: &[],
        date_hint: None,
    };
    for format in registry::builtin() {
        format.sniff(&head);
        let prepared = format.prepare(&head);
        for start in [b"".as_slice(), preamble] {
            let mut parser = prepared.open(start);
            for line in bytes.split(|&byte| byte == b'\n') {
                let mut entry = Entry::default();
                if let Err(error) = parser.parse(line, &mut entry) {
                    assert!(error.at <= line.len(), "{}: {error}", format.name());
                }
                let _ = (
                    entry.target(),
                    entry.text(entry.error),
                    entry.upstream.attempts().count(),
                );
            }
        }
    }
}

fn bent_line() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        prop::option::of(any::<u8>()),
        any::<prop::sample::Index>(),
    );
    (
        prop::sample::select(LINES.to_vec()),
        prop::collection::vec(change, 0..6),
    )
        .prop_map(|(line, changes)| {
            let mut line = line.as_bytes().to_vec();
            for (at, byte, other) in changes {
                if line.is_empty() {
                    break;
                }
                let (at, other) = (at.index(line.len()), other.index(line.len()));
                match byte {
                    // Writes a byte, repeats one from elsewhere, or cuts a piece out.
                    Some(byte) if byte % 2 == 0 => line[at] = byte,
                    Some(_) => line.insert(at, line[other]),
                    None => drop(line.drain(at.min(other)..at.max(other))),
                }
            }
            line
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn bent_lines_never_make_a_parser_panic(lines in prop::collection::vec(bent_line(), 1..6)) {
        let bytes = lines.join(&b'\n');
        read_with_all(&bytes, &lines[0]);
    }

    #[test]
    fn arbitrary_bytes_never_make_a_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_with_all(&bytes, &bytes);
    }
}

#[test]
fn a_very_long_line_is_read_or_refused() {
    for filler in [b' ', b'[', b']', b'{', b'"', b'\\', b'\t', b'0'] {
        for line in ["", LINES[0], LINES[3], LINES[8]] {
            let mut long = line.as_bytes().to_vec();
            long.extend(std::iter::repeat_n(filler, 1 << 17));
            read_with_all(&long, b"");
        }
    }
}
