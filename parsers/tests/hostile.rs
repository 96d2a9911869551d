//! No input makes a parser panic: random bytes, and real lines with random damage.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use proptest::prelude::*;
use why502_parsers::format::Head;
use why502_parsers::paste::{Dialect, compile};
use why502_parsers::{Entry, Format, registry, time, wrap};

/// One real line of each shape.
const LINES: [&str; 42] = [
    r#"127.0.0.1 - - [20/Nov/2026:16:26:00 +0000] "GET /ff/b HTTP/1.1" 502 157 "-" rt=0.103 uct="0.000, 0.000, -" uht="-, -, -" urt="0.051, 0.052, 0.000" us="502, 502, 502" ua="127.0.0.1:9101, 127.0.0.1:9106, ff" rid=c72b832c0d116cb6a6e800a7783a4f82"#,
    r#"a.example:80 "10.5.102.222, 175.16.199.1" 10.2.1.185 - - [22/Jan/2016:13:18:29 +0000] "GET /a HTTP/1.1" 200 1 "-" "x""#,
    r#"192.168.64.1 - - [07/Feb/2020:11:48:51 +0000] "POST /p HTTP/1.1" 502 59 "-" "curl" 89 3.001 [a-b-80] [] 172.17.0.5:80, 172.17.0.6:80 0, 59 3.000, 0.001 504, 502 529a007902362a5f51385a5fa7049884"#,
    r#"[24/Jan/2022:16:51:02 +0000] - 404 404 - GET http x.local "/s" [Client 1.2.3.4] [Length 192] [Gzip 3.10] [Sent-to x] "M" "-""#,
    r#"2026/11/20 16:23:19 [error] 14357#14357: *4 connect() to unix:/a failed (11: x) while connecting to upstream, client: 127.0.0.1, server: , request: "GET /ok/slow HTTP/1.1", upstream: "http://unix:/a:/ok/slow", host: "shop.example.com", request_id: "e2b3""#,
    r#"127.0.0.1:37874 [20/Nov/2026:16:26:16.721] fe be_app/app1 0/53/1/-1/3001 504 253 - - sH-- 1/1/0/0/+2 0/0 {a.example|b} {} "GET /ok/slow HTTP/1.1" 7F00000193F2_7F00000123F0_6B0074A8_0002427C"#,
    "127.0.0.1:48578 [20/Nov/2026:16:26:36.341] fe be/s1 0/-1/5007 0 SC 0/0/0/0/3 0/0",
    "Server be_checked/s1 is DOWN, reason: Layer4 connection problem",
    "Connect from 10.0.1.2:33312 to 10.0.3.31:8012 (www/HTTP)",
    r#"127.0.0.1 - - [20/Nov/2026:16:34:26 +0000] "POST /ff/c HTTP/1.1" 502 381 "-" "UA" 51863 awB2kpJ6k4pxmabpFhBItgAAAJU http://127.0.0.1:9101 -"#,
    "[Fri Nov 20 16:32:23.169355 2026] [proxy_http:error] [pid 21203:tid 21215] (70007)The timeout specified has expired: [client [::1]:40170] AH01102: error reading status line from remote server 127.0.0.1:9101 returned by /a (GET)",
    "\x1b[32mINFO\x1b[0m:     127.0.0.1:52782 - \"\x1b[1mGET /a?b HTTP/1.1\x1b[0m\" \x1b[31m502 Bad Gateway\x1b[0m",
    "14:38:59:667 | WARN  | I/O dispatcher 11 | o.f.o.f.LogAttachedExceptionFilter | Response [Status: 502 Bad Gateway] to `http://a/b` carries an exception [txId:aa167dcf-735/0]\njava.net.SocketTimeoutException: null\n\tat a.B.c(B.java:1)",
    "[I/O dispatcher 12] \x1b[31mWARN \x1b[0;39m \x1b[1;37mo.f.openig.X\x1b[0;39m - \n\n<--- (response) id:c383f337-1 ---\n\nHTTP/1.1 502 Bad Gateway",
    r#"{"payload":{"eventName":"AM-ACCESS-OUTCOME","timestamp":"2022-10-05T18:21:48.270Z","transactionId":"1-2/0","http":{"request":{"method":"GET","path":"https://a/b"}},"response":{"statusCode":"502","elapsedTime":22,"elapsedTimeUnits":"MILLISECONDS"}}}"#,
    "2026-11-20 16:23:16,123 org:a env:b messageid:m NIOThread@1 ERROR HTTP.CLIENT - HTTPClient$Context.onTimeout() : SSLClientChannel[Connected: Remote:1.2.3.4:443 Local:1.2.3.5:4]@7 useCount=2 bytesRead=0 bytesWritten=3 age=60000ms lastIO=55001ms",
    "2026-11-20T16:23:16+00:00\trouter\t192.0.2.3:38132\t10.2.2.5:8998\t10.034\t10.030\t-\t502\t502\t229\t310\tGET /a HTTP/1.1\tcurl\tapi.example.com\trrt-0-c-sy-7180-75981-1\tmessaging.adaptors.http.flow.X",
    r#"10.0.0.1 - admin [02/Mar/2023:18:58:17 +0530] "POST /a HTTP/1.1" 200 20486 10.0.0.9 + 40 "http://x/" "M 1.2" http-nio-8080-exec-1 X-Forwarded-For="127.0.0.1, 127.0.0.3""#,
    "06-Mar-2023 18:34:17.383 SEVERE [main] a.B.c text\n\tjava.lang.Exception: x",
    "2026-11-20 16:23:16.139  INFO [shop,803b448a0489f84084905d3093480352,3425f23bb2432450] 1 --- [main] c.e.Orders : x",
    "[pid: 88185|app: 0|req: 3/3] 127.0.0.1 () {34 vars in 617 bytes} [Fri Nov 20 16:23:16 2026] POST /a => generated 215 bytes in 68 micros (HTTP/1.1 502) 9 headers in 373 bytes (1 switches on core 8)",
    "[20-Nov-2026 16:23:16] WARNING: [pool www] child 155, script '/a.php' (request: \"GET /a.php?x=1\") execution timed out (30.176006 sec), terminating",
    "E, [2026-11-20T16:23:16.123456 #1] ERROR -- : worker=0 PID:77 timeout (61s > 60s), killing",
    "\x1b[0mGET /a?b=1 \x1b[31m502\x1b[0m 1.234 ms - 12\x1b[0m",
    "info: A.B[2]\n      Request finished HTTP/1.1 GET http://localhost:5000/a - - - 502 12 text/plain 12.3456ms",
    "192.168.1.109, -, 11/20/2026, 7:55:20, W3SVC1, WEB1, 192.168.1.110, 4502, 379, 336, 502, 64, GET, /a, -, ",
    "<134>1 2026-11-20T16:26:16.005Z lb1 haproxy 17020 - [a b=\"]\\\"\"] x y",
    "<134>Nov 20 16:26:16 lb1 haproxy[17020]: x y",
    r#"[2026-10-09T06:52:32.147Z] "GET /get HTTP/1.1" 503 UF,URX upstream_reset_before_response_started{connection_failure|delayed_connect_error:_111} - "TLS_error:_1" 0 95 7 - "-" "c" "a5a01e0f-dff5-44d0-b61a-72732d1659ce" "a:80" "[::1]:8080" outbound|80||a 10.0.0.1:1 - [fe80::1]:2 - default"#,
    r#"10.0.0.9 - frank [02/Oct/2026:20:22:07 +0200] "GET /a HTTP/1.1" 502 11 "http://x/ \"y" "M" 262 "shop@docker" "http://172.19.0.3:5601" 247ms"#,
    "2026-05-26T11:42:52Z DBG proxy.go:113 > 502 Bad Gateway error=\"dial tcp 10.0.0.1:80: connect: connection refused\"",
    "1795193733.126   3266 127.0.0.1 TCP_MISS_ABORTED/504 3472 GET http://shop.example.com/ok/slow?a=1 - FIRSTUP_PARENT/127.0.0.1 text/html ERR_READ_TIMEOUT/errno=110 0",
    "2026/11/20 16:55:48 kid1| Detected DEAD Parent: app",
    "20261120.19h39m03s CONNECT: attempt fail [CONNECTION_ERROR] to 127.0.0.1:19102 for host='a' connection_result=Connection refused [111] url='http://127.0.0.1:19102/x'",
    r#"127.0.0.1 - - [20/Nov/2026:19:38:57 -0000] "GET http://127.0.0.1:19101/slow HTTP/1.1" 504 265 000 0 0 0 153 210 277 17 5 TIMEOUT_DIRECT FIN TIMEOUT ERR_READ_TIMEOUT"#,
    r#"127.0.0.1 - - [20/Nov/2026:19:38:08 +0000] "GET http://a:19200/fin HTTP/1.1" 503 0 "-" "c" 0 0.051020 - b 32773 backend x: fail errno 111 (Connection refused)"#,
    "**  << BeReq    >> 32771\n--  Timestamp      Start: 1795203483.334777 0.000000 0.000000\n--  BackendOpen    21 app 127.0.0.1 9101 127.0.0.1 35766 reuse\n--  FetchError     backend x: fail errno 9",
    "2026-11-20 17:02:06: (gw_backend.c.2389) response not received, request sent: 288 on socket: tcp:127.0.0.1:9101 for /ok/rst?, closing connection",
    "2022-06-08 22:49:20.774649 [NOTICE] [1226033] [1.2.3.4:45164:HTTP2-41#_AdminVHost] Connection to [127.0.0.1:9000] refused",
    r#"{"latencies":{"request":6043,"proxy":-1},"request":{"uri":"/a"},"tries":[{"ip":"10.1.0.4","state":"failed","code":504},{"ip":"10.1.0.5"}],"upstream_status":"504, 504","response":{"status":504},"started_at":1795193733118}"#,
    "2026-11-20T16:36:54.123Z warn: Yarp.ReverseProxy.Forwarder.HttpForwarder[48]\n      Request: An error.\n      System.X: Connection refused (a:1)\n         at X",
    r#"{"termination_state":"sH--","backend":"b","status":504,"time":"20/Nov/2026:16:26:16.721","captured_request_headers":"{a|b}"}"#,
];

/// Every way a line can be read.
fn read_in_every_way(line: &[u8]) {
    let hints = [why502_parsers::Product::Nginx];
    let head = Head {
        bytes: line,
        hints: &hints,
        date_hint: Some(*b"2026-11-20"),
    };
    let given = [
        (
            Dialect::Nginx,
            "$msec $request $upstream_addr $http_x_forwarded_for [$time_local] \"$request\"",
        ),
        (Dialect::Nginx, "combined"),
        (Dialect::Apache, "combinedio"),
        (Dialect::Haproxy, "httplog"),
        (Dialect::Haproxy, "clf"),
        (Dialect::Haproxy, "%{+json}o %(a)tr %(b)Ta %(c)r %(d)tsc"),
        (Dialect::Envoy, "istio"),
        (Dialect::Envoy, "default"),
        (Dialect::Squid, "squid"),
        (Dialect::Squid, "combined"),
        (
            Dialect::Varnish,
            "%t \"%r\" %s %D %{Varnish:handling}x %{VSL:FetchError}x",
        ),
        (Dialect::Tomcat, "combined"),
        (Dialect::Gunicorn, "default"),
    ];
    let given: Vec<_> = given
        .iter()
        .map(|(dialect, text)| compile(*dialect, "given", text).unwrap())
        .collect();
    let formats = registry::builtin()
        .iter()
        .copied()
        .chain(given.iter().map(|format| &**format as &dyn Format));
    for format in formats {
        let _ = format.sniff(&head);
        let mut entry = Entry::default();
        let mut parser = format.prepare(&head).open(b"");
        let _ = parser.begins(line);
        if parser.parse(line, &mut entry).is_ok() {
            let _ = entry.upstream.attempts().count();
            let _ = entry.text(entry.path);
            let _ = entry.text(entry.error);
        }
    }
    for wrapper in wrap::all() {
        let _ = wrapper.inside(line);
        for inner in wrap::all() {
            let layers = wrap::Layers::default().with(*wrapper);
            if let Some(layers) = layers.and_then(|layers| layers.with(*inner)) {
                let mut peeler = wrap::Peeler::new(layers);
                let _ = peeler.peel(line, ());
                while peeler.left().is_some() {}
            }
        }
    }
    let _ = time::any(line);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_in_every_way(&line);
    }

    #[test]
    fn the_bytes_that_formats_are_made_of_never_panic(line in r#"[\[\]{}"' ,:;=/\\.|<>#*()0-9ATx-]{0,80}"#) {
        read_in_every_way(line.as_bytes());
    }

    #[test]
    fn damaged_real_lines_never_panic(
        which in 0..LINES.len(),
        cut in any::<prop::sample::Index>(),
        until in any::<prop::sample::Index>(),
        put in proptest::collection::vec(any::<u8>(), 0..6),
    ) {
        let line = LINES[which].as_bytes();
        let (a, b) = (cut.index(line.len() + 1), until.index(line.len() + 1));
        let damaged = [&line[..a.min(b)], &put, &line[a.max(b)..]].concat();
        read_in_every_way(&damaged);
        let swapped = [&line[a.min(b)..], &line[..a.max(b)]].concat();
        read_in_every_way(&swapped);
        read_in_every_way(&line[..a]);
    }

    #[test]
    fn no_format_string_panics(text in r#"[%$\[\]{}()"a-zA-Z_:+,>. \\^!0-9Ұé→]{0,60}"#) {
        for dialect in Dialect::ALL {
            let _ = compile(dialect, "given", &text);
        }
    }
}
