//! No input makes a parser panic: random bytes, and real lines with random damage.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use proptest::prelude::*;
use why502_parsers::engine::paste::{Dialect, compile};
use why502_parsers::format::Head;
use why502_parsers::{Entry, Format, registry, time, wrap};

/// One real line of each shape.
const LINES: [&str; 14] = [
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
    "<134>1 2026-11-20T16:26:16.005Z lb1 haproxy 17020 - [a b=\"]\\\"\"] x y",
    "<134>Nov 20 16:26:16 lb1 haproxy[17020]: x y",
];

/// Every way a line can be read.
fn read_in_every_way(line: &[u8]) {
    let hints = [why502_parsers::Product::Nginx];
    let head = Head {
        bytes: line,
        hints: &hints,
        date_hint: None,
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
        if parser.parse(line, &mut entry).is_ok() {
            let _ = entry.upstream.attempts().count();
            let _ = entry.text(entry.path);
            let _ = entry.text(entry.error);
        }
    }
    for wrapper in wrap::all() {
        let _ = wrapper.unwrap(line);
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
    fn no_format_string_panics(text in r#"[%$\[\]{}()"a-zA-Z_:+,>. \\^!0-9]{0,60}"#) {
        for dialect in Dialect::ALL {
            let _ = compile(dialect, "given", &text);
        }
    }
}
