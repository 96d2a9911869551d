//! How fast lines become entries, in bytes per second of one thread.

#![allow(missing_docs)] // The macros make public functions.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use why502_parsers::format::{Format, Head};
use why502_parsers::paste::{Dialect, compile};
use why502_parsers::{Entry, registry};

const NGINX: &str = r#"203.0.113.7 - - [20/Nov/2026:16:23:19 +0000] "GET /api/orders/7f3a9c/items?page=2&size=50&sort=created HTTP/1.1" 504 167 "https://shop.example.com/orders" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)" rt=3.002 uct="0.000" uht="-" urt="3.002" us="504" ua="127.0.0.1:9101" rid=013e6e633bae9d4a34a44c9a50b29dee"#;
const NGINX_FORMAT: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" us="$upstream_status" ua="$upstream_addr" rid=$request_id"#;
const COMBINED: &str = r#"203.0.113.7 - - [20/Nov/2026:16:23:19 +0000] "GET /api/orders/7f3a9c/items?page=2&size=50&sort=created HTTP/1.1" 504 167 "https://shop.example.com/orders" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)""#;
const HAPROXY: &str = r#"203.0.113.7:37874 [20/Nov/2026:16:26:16.721] fe be_app/app1 0/0/0/-1/3001 504 253 - - sH-- 1/1/0/0/0 0/0 {shop.example.com|Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)} {} "GET /api/orders/7f3a9c/items?page=2&size=50&sort=created HTTP/1.1" 7F00000193F2_7F00000123F0_6B0074A8_0002427C"#;
const APACHE: &str = r#"203.0.113.7 - - [20/Nov/2026:16:32:20 +0000] "GET /api/orders/7f3a9c/items?page=2&size=50&sort=created HTTP/1.1" 502 381 "https://shop.example.com/orders" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)" 3001094 awB2FJJ6k4pxmabpFhBIhAAAAIE - -"#;
const APACHE_FORMAT: &str =
    r#"%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i" %D %{UNIQUE_ID}e %{BALANCER_WORKER_NAME}e %L"#;
const NGINX_ERROR: &str = r#"2026/11/20 16:23:19 [error] 14357#14357: *4 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 203.0.113.7, server: shop.example.com, request: "GET /api/orders/7f3a9c/items?page=2&size=50 HTTP/1.1", upstream: "http://127.0.0.1:9101/api/orders/7f3a9c/items?page=2&size=50", host: "shop.example.com""#;
const APACHE_ERROR: &str = r#"[Fri Nov 20 16:32:23.169355 2026] [proxy_http:error] [pid 21203:tid 21215] (70007)The timeout specified has expired: [client 203.0.113.7:40170] AH01102: error reading status line from remote server 127.0.0.1:9101"#;

/// About a megabyte of `line`.
fn block(line: &str) -> Vec<u8> {
    let mut block = Vec::new();
    while block.len() < 1 << 20 {
        block.extend_from_slice(line.as_bytes());
        block.push(b'\n');
    }
    block
}

fn measure(c: &mut Criterion, name: &str, format: &dyn Format, line: &str) {
    let block = block(line);
    let head = Head {
        bytes: &block[..line.len() + 1],
        hints: &[],
        date_hint: None,
    };
    let prepared = format.prepare(&head);
    let mut group = c.benchmark_group("lines");
    group.throughput(Throughput::Bytes(block.len() as u64));
    group.bench_function(name, |b| {
        b.iter(|| {
            let mut parser = prepared.open(b"");
            let mut entry = Entry::default();
            let mut good = 0u32;
            for line in why502_parsers::bytes::lines(&block) {
                entry.clear();
                good += u32::from(parser.parse(line, &mut entry).is_ok());
                black_box(&entry);
            }
            assert!(good > 0);
            good
        });
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    for (name, line) in [
        ("nginx", NGINX),
        ("clf", COMBINED),
        ("haproxy", HAPROXY),
        ("apache", APACHE),
        ("nginx-error", NGINX_ERROR),
        ("apache-error", APACHE_ERROR),
    ] {
        if let Some(format) = registry::by_name(name) {
            measure(c, name, format, line);
        }
    }
    for (dialect, text, line) in [
        (Dialect::Nginx, NGINX_FORMAT, NGINX),
        (Dialect::Nginx, "combined", COMBINED),
        (Dialect::Apache, APACHE_FORMAT, APACHE),
    ] {
        match compile(dialect, "given", text) {
            Ok(format) => measure(
                c,
                &format!("template {} {}", dialect.name(), line.len()),
                &*format,
                line,
            ),
            Err(error) => eprintln!("{error}"),
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = all
}
criterion_main!(benches);
