//! How fast every format is read that there is a log of, with one thread and in memory: one table.
//!
//! Each log of `samples/` and `parsers/tests/data/` is recognised as the program does it, repeated to some megabytes,
//! cut into lines, unwrapped and parsed. `cargo bench --bench formats [-- part-of-a-path]`.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use why502::discover;
use why502::model::Input;
use why502::plan::Plan;
use why502::read;
use why502::select::Scanner;
use why502::select::scan::Scanned;
use why502::sniff::{self, Detected, Forced, Part, Surroundings};

/// Text that is read over and over.
const BYTES: usize = 4 << 20;

/// Each log is read for this long.
const LONG: Duration = Duration::from_millis(250);

/// What was measured of a log.
struct Row {
    line_bytes: f64,
    bytes_per_s: f64,
    lines_per_s: f64,
    /// Share of the lines that were understood.
    read: f64,
    path: String,
}

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let only = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let paths: Vec<PathBuf> = ["samples", "parsers/tests/data"]
        .iter()
        .map(|path| root.join(path))
        .collect();
    let found = match discover::discover(&paths) {
        Ok(found) => found,
        Err(error) => return eprintln!("{error}"),
    };
    let Ok(forced) = Forced::new(&Plan::default(), &[]) else {
        return eprintln!("no format can be forced");
    };
    let inputs: Vec<Input> = found
        .inputs
        .into_iter()
        .filter(|input| {
            only.as_ref()
                .is_none_or(|only| input.shown.contains(only.as_str()))
        })
        .collect();
    let sniffed = sniff::detect(
        &inputs,
        Surroundings::default(),
        &forced,
        &|input, part| match part {
            Part::Head => read::head(input, sniff::HEAD),
            Part::Middle => read::middle(input, sniff::HEAD),
        },
    );
    // Of several logs of one format the longest tells most.
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (input, detected) in inputs.iter().zip(&sniffed.formats) {
        let Some(detected) = detected else { continue };
        let Some(row) = measure(input, detected) else {
            continue;
        };
        let kept = rows.get(&detected.format_name);
        if kept.is_none_or(|kept| kept.read < row.read) {
            rows.insert(detected.format_name.clone(), row);
        }
    }
    println!(
        "{:24} {:>6} {:>8} {:>10} {:>6}  log",
        "format", "bytes", "MB/s", "lines/s", "read"
    );
    for (name, row) in rows {
        println!(
            "{name:24} {:6.0} {:8.0} {:10.0} {:5.1}%  {}",
            row.line_bytes,
            row.bytes_per_s / 1e6,
            row.lines_per_s,
            row.read * 100.0,
            row.path
                .rsplit_once("why502/")
                .map_or(&*row.path, |(_, path)| path),
        );
    }
}

/// Reads the content of `input` over and over; `None` if it has none.
fn measure(input: &Input, detected: &Detected) -> Option<Row> {
    let content = read::head(input, BYTES).ok()?;
    if content.last() != Some(&b'\n') {
        return None;
    }
    let text = content.repeat((BYTES / content.len()).max(1));
    let (mut lines, mut unread, mut bytes, begun) = (0u64, 0u64, 0u64, Instant::now());
    while begun.elapsed() < LONG {
        let parser = detected.prepared.open(&[]);
        let mut scanner = Scanner::new(parser, detected.wrapper, None, 1_795_132_800_000_000);
        scanner.scan(&text, 0, |scanned, _, _| {
            unread += u64::from(matches!(scanned, Scanned::Unparsed(_)));
            if let Scanned::Entry(entry) = scanned {
                black_box(entry);
            }
        });
        lines += scanner.lines();
        bytes += text.len() as u64;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Some(Row {
        line_bytes: bytes as f64 / lines as f64,
        bytes_per_s: bytes as f64 / seconds,
        lines_per_s: lines as f64 / seconds,
        read: 1.0 - unread as f64 / lines as f64,
        path: input.shown.clone(),
    })
}
