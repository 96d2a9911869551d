//! A table of how fast each built-in format and each format language reads its line, one thread, in memory:
//! `cargo bench -p why502-parsers --bench table [-- WORD…]`.
//!
//! Wanted are 1 GB/s of templates and text, 0.6 GB/s of JSON, 0.5 GB/s of error logs, on lines of some 300 bytes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use why502_parsers::format::{Head, Prepared, RecordKind};
use why502_parsers::paste::compile_spec;
use why502_parsers::{Entry, registry};

/// Format (or format string), tab, line.
const LINES: &str = include_str!("../tests/lines.tsv");

/// Lines of fewer bytes are not what the speeds are wanted on: what each line costs, whatever its length, tells more there.
const USUAL: usize = 200;

/// Bytes read in one go: more than fits into the fastest caches, as blocks of a file are.
const BLOCK: usize = 1 << 20;

/// How long a format is measured; the best pass counts.
const SPAN: Duration = Duration::from_millis(400);

fn main() {
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    println!(
        "{:32} {:>6} {:>7} {:>9} {:>7}",
        "format", "bytes", "GB/s", "Mlines/s", "wanted"
    );
    for (name, line) in LINES.lines().filter_map(|row| row.split_once('\t')) {
        if !words.is_empty() && !words.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let Some((prepared, kind)) = prepared(name, line) else {
            println!("{name:32} is not known");
            continue;
        };
        let wanted = match kind {
            _ if line.starts_with('{') => 0.6,
            RecordKind::Error => 0.5,
            _ => 1.0,
        };
        let seconds = measured(prepared.as_ref(), line);
        let (bytes, lines) = (
            BLOCK / (line.len() + 1) * (line.len() + 1),
            BLOCK / (line.len() + 1),
        );
        let speed = bytes as f64 / seconds / 1e9;
        let shown: String = name.chars().take(32).collect();
        let note = match speed < wanted {
            true if line.len() < USUAL => "below, but a short line",
            true => "below",
            false => "",
        };
        let rate = lines as f64 / seconds / 1e6;
        println!(
            "{shown:32} {:6} {speed:7.2} {rate:9.2} {wanted:7.1} {note}",
            line.len()
        );
    }
}

fn prepared(name: &str, line: &str) -> Option<(Arc<dyn Prepared>, RecordKind)> {
    let head = Head {
        bytes: line.as_bytes(),
        hints: &[],
        date_hint: Some(*b"2026-11-20"),
    };
    if let Some(format) = registry::by_name(name) {
        return Some((format.prepare(&head), format.kind()));
    }
    let format = compile_spec(name).ok()?;
    Some((format.prepare(&head), format.kind()))
}

/// Seconds for one block of copies of `line`.
fn measured(prepared: &dyn Prepared, line: &str) -> f64 {
    let block = format!("{line}\n").repeat(BLOCK / (line.len() + 1));
    let started = Instant::now();
    let mut best = f64::MAX;
    while started.elapsed() < SPAN {
        let mut parser = prepared.open(b"");
        let mut entry = Entry::default();
        let mut read = 0u32;
        let pass = Instant::now();
        for line in why502_parsers::bytes::lines(block.as_bytes()) {
            entry.clear();
            read += u32::from(parser.parse(line, &mut entry).is_ok());
            black_box(&entry);
        }
        best = best.min(pass.elapsed().as_secs_f64());
        assert!(read > 0, "the line is not read");
    }
    best
}
