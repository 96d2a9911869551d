//! How fast wrappers are taken off lines, in bytes per second of one thread.

#![allow(missing_docs)] // The macros make public functions.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use why502_parsers::bytes;
use why502_parsers::wrap::{
    Layers, Peeled, Peeler, Wrapper, cri, docker, envelope, journald, prefix, syslog,
};

const LINE: &str = r#"203.0.113.7 - - [20/Nov/2026:16:23:19 +0000] "GET /api/orders/7f3a9c/items?page=2&size=50&sort=created HTTP/1.1" 504 167 "https://shop.example.com/orders" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)""#;
const STAMP: &str = "2026-11-20T16:23:19.123456789Z";

fn measure(c: &mut Criterion, wrappers: &[&'static dyn Wrapper], line: &str) {
    let layers = wrappers
        .iter()
        .try_fold(Layers::default(), |layers, wrapper| layers.with(*wrapper));
    let Some(layers) = layers else { return };
    let mut block = Vec::new();
    while block.len() < 1 << 20 {
        block.extend_from_slice(line.as_bytes());
        block.push(b'\n');
    }
    let mut group = c.benchmark_group("wrap");
    group.throughput(Throughput::Bytes(block.len() as u64));
    group.bench_function(layers.name(), |b| {
        let mut peeler = Peeler::new(layers);
        b.iter(|| {
            let mut good = 0u32;
            for line in bytes::lines(&block) {
                if let Peeled::Whole { inner, .. } = peeler.peel(line, ()) {
                    good += u32::from(inner.len() == LINE.len());
                    black_box(inner);
                }
            }
            assert!(good > 0);
            good
        });
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    let json = serde_json::Value::from(LINE).to_string();
    let escaped = &json[1..json.len() - 1];
    let docker = format!(r#"{{"log":"{escaped}\n","stream":"stdout","time":"{STAMP}"}}"#);
    let beat = format!(r#"{{"@timestamp":"{STAMP}","message":"{escaped}","agent":{{"type":"filebeat"}}}}"#);
    let journal = format!(
        r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795168805123456","_HOSTNAME":"h","_PID":"7","MESSAGE":"{escaped}"}}"#
    );
    measure(c, &[&cri::Cri], &format!("{STAMP} stdout F {LINE}"));
    measure(c, &[&prefix::Compose], &format!("web-1  | {LINE}"));
    measure(
        c,
        &[&syslog::Rfc3164],
        &format!("<190>Nov 20 16:23:19 edge nginx: {LINE}"),
    );
    measure(
        c,
        &[&syslog::Rfc5424],
        &format!("<190>1 {STAMP} edge nginx 7 - - {LINE}"),
    );
    measure(c, &[&docker::JsonFile], &docker);
    measure(c, &[&envelope::Envelope], &beat);
    measure(c, &[&journald::Json], &journal);
    measure(
        c,
        &[&cri::Cri, &envelope::Envelope],
        &format!("{STAMP} stdout F {beat}"),
    );
}

criterion_group!(benches, all);
criterion_main!(benches);
