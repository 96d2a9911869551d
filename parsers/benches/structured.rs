//! How fast lines become entries: `cargo bench -p why502-parsers --bench structured`.

#![allow(missing_docs)] // The macros make public functions.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use why502_parsers::engine::json::{self, Keys, Value};
use why502_parsers::{Entry, Head, Line, registry};

const CADDY: &str = r#"{"level":"info","ts":1761019828.6153953,"logger":"http.log.access","msg":"handled request","request":{"remote_ip":"172.19.0.1","remote_port":"46628","client_ip":"172.19.0.1","proto":"HTTP/1.1","method":"GET","host":"shop.example.com","uri":"/orders?id=7","headers":{"Accept-Encoding":["gzip, deflate, br, zstd"],"X-Request-Id":["0f8fad5b-d9cb-469f-a165-70867728950e"],"Accept":["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],"Accept-Language":["en-US,en;q=0.5"],"Cookie":["REDACTED"],"User-Agent":["Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"],"Connection":["keep-alive"]}},"bytes_read":0,"user_id":"","duration":0.001674508,"size":4547,"status":200,"resp_headers":{"Etag":["\"ddnp8sh5vg3i58\""],"Server":["Caddy"],"Vary":["Accept-Encoding"]}}"#;
const PINO: &str = r#"{"level":30,"time":1745532517537,"pid":17,"hostname":"7d82d3f28bad","req":{"id":"0f8fad5b-d9cb-469f-a165-70867728950e","method":"GET","url":"/orders?id=7","query":{"id":"7"},"params":{},"headers":{"host":"shop.example.com","x-forwarded-for":"10.0.0.9","user-agent":"Mozilla/5.0 (X11; Linux x86_64)","accept":"*/*"},"remoteAddress":"::ffff:10.0.0.1","remotePort":50110},"res":{"statusCode":200,"headers":{"content-type":"application/json; charset=utf-8","content-length":"512"}},"responseTime":12,"msg":"request completed"}"#;
const IIS: &str = "2026-11-20 18:42:11 10.0.0.4 GET /orders/list.aspx id=7&page=2 443 - 10.0.0.9 Mozilla/5.0+(Windows+NT+10.0;+Win64;+x64)+AppleWebKit/537.36+(KHTML,+like+Gecko)+Chrome/120.0.0.0+Safari/537.36 https://shop.example.com/ 200 0 0 46";
const EDGEMICRO: &str = "2026-11-20T16:40:28.188Z [info][shop.example.com][28386][acme][prod][orders/list?id=7][10.0.0.9][][85bb060e-eaec-407c-9f4e-7e087136dc8a][plugins-middleware][sourceResponse][GET][200][][][32]";

/// About a megabyte of copies of `line`.
fn block(line: &str) -> String {
    format!("{line}\n").repeat((1 << 20) / line.len())
}

fn formats(criterion: &mut Criterion) {
    let cases = [
        ("caddy", "caddy", CADDY),
        ("pino", "node-json", PINO),
        ("iis", "iis", IIS),
        ("edgemicro", "edgemicro", EDGEMICRO),
    ];
    let mut group = criterion.benchmark_group("parse");
    for (name, format, line) in cases {
        let Some(format) = registry::by_name(format) else {
            continue;
        };
        let text = block(line);
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let mut parser = format.prepare(&head).open(b"");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut entries = 0;
                for line in why502_parsers::bytes::lines(text.as_bytes()) {
                    let mut entry = Entry::default();
                    let read = parser.parse(line, &mut entry);
                    entries += usize::from(read == Ok(Line::Entry) && black_box(&entry).time.is_some());
                }
                assert_eq!(entries, text.len() / (line.len() + 1));
            });
        });
    }
    group.finish();
}

fn scan(criterion: &mut Criterion) {
    let mut keys = Keys::new();
    for (slot, path) in [
        "ts",
        "request.method",
        "request.uri",
        "request.headers.x-request-id",
        "duration",
        "status",
    ]
    .iter()
    .enumerate()
    {
        keys.add(path, slot as u8, 0);
    }
    let text = block(CADDY);
    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("json", |bencher| {
        bencher.iter(|| {
            for line in why502_parsers::bytes::lines(text.as_bytes()) {
                let mut values = [Value::default(); 6];
                assert!(json::scan(line, &keys, &mut values).is_ok());
                black_box(&values);
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = formats, scan
}
criterion_main!(benches);
