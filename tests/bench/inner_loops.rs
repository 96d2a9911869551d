//! The loops that every line goes through, one at a time: `cargo bench --bench inner_loops`. Those of the parsers
//! (templates, JSON, wrappers) are in `parsers/benches/`.

#![allow(missing_docs)] // The macros make public functions.

use std::hint::black_box;
use std::io::Write;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rustc_hash::FxHashSet;
use why502::discover;
use why502::model::ids;
use why502::read;
use why502::select::locus::Loci;
use why502_parsers::{bytes, time};

/// Lines of nginx, each with an id of its own.
fn lines() -> Vec<u8> {
    (0..20_000u64)
        .flat_map(|n| {
            let id = format!("{:016x}{:016x}", ids::mix(n), ids::mix(n + 1_000_000));
            format!(
                "203.0.113.7 - - [20/Nov/2026:16:23:19 +0000] \"GET /orders/{n}/items?page=2 HTTP/1.1\" 200 5167 \
                 \"-\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36\" rt=0.002 us=\"200\" rid={id}\n"
            )
            .into_bytes()
        })
        .collect()
}

fn cutting(c: &mut Criterion) {
    let text = lines();
    let mut file = match tempfile::NamedTempFile::with_suffix(".log") {
        Ok(file) => file,
        Err(error) => return eprintln!("{error}"),
    };
    if let Err(error) = file.write_all(&text) {
        return eprintln!("{error}");
    }
    let mut group = c.benchmark_group("cut");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("lines in memory", |b| {
        b.iter(|| bytes::lines(black_box(&text)).map(|line| line.len()).max());
    });
    let Ok(found) = discover::discover(&[file.path().to_owned()]) else {
        return;
    };
    let (input, mut buffer) = (&found.inputs[0], Vec::new());
    group.bench_function("file into chunks", |b| {
        b.iter(|| {
            let mut sum = 0;
            let result = read::read_span(input, &read::whole(input), &mut buffer, &mut |chunk| {
                sum += chunk.bytes.len();
            });
            assert!(result.is_ok() && sum == text.len());
        });
    });
    group.finish();
}

fn id_probe(c: &mut Criterion) {
    let text = lines();
    let all: Vec<&[u8]> = bytes::lines(&text).collect();
    let id = |line: &[u8]| line.len() - 32..line.len();
    let mut loci = Loci::default();
    all.iter()
        .take(300)
        .for_each(|line| loci.learn(line, &[&line[id(line)]]));
    let Some(probe) = loci.places() else {
        return eprintln!("ids are not found where they stand");
    };
    let wanted: FxHashSet<u64> = all
        .iter()
        .step_by(300)
        .filter_map(|line| ids::key(&line[id(line)]))
        .collect();
    let mut group = c.benchmark_group("ids");
    group.throughput(Throughput::Elements(all.len() as u64));
    group.bench_function("key", |b| {
        b.iter(|| {
            all.iter()
                .filter_map(|line| ids::key(&line[id(line)]))
                .fold(0, |sum, key| sum ^ key)
        });
    });
    group.bench_function("probe of a line", |b| {
        let is_wanted = |id: &[u8]| ids::key(id).is_some_and(|key| wanted.contains(&key));
        b.iter(|| {
            all.iter()
                .filter(|line| probe.may_want(line, |_| false, is_wanted))
                .count()
        });
    });
    group.finish();
}

fn times(c: &mut Criterion) {
    let mut group = c.benchmark_group("times");
    for (name, text) in [
        ("rfc 3339", "2026-11-20T10:00:05.123456Z"),
        ("common log", "20/Nov/2026:16:23:19 +0000"),
        ("nginx error", "2026/11/20 16:23:19"),
        ("epoch", "1795203914.950"),
    ] {
        group.bench_function(name, |b| b.iter(|| time::any(black_box(text.as_bytes()))));
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(200))
        .measurement_time(std::time::Duration::from_millis(800));
    targets = cutting, id_probe, times
}
criterion_main!(benches);
