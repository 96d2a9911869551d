//! Content cut into blocks of any size gives the same lines at the same places.
#![no_main]

use std::cell::LazyCell;
use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use why502::{discover, model::Input, read};

thread_local! {
    static DIR: LazyCell<TempDir> = LazyCell::new(|| tempfile::tempdir().expect("a temporary directory"));
}

fuzz_target!(|data: &[u8]| {
    let Some((&block, content)) = data.split_first() else {
        return;
    };
    DIR.with(|dir| {
        let path = dir.path().join("access.log");
        fs::write(&path, content).expect("a written file");
        if let Some(input) = input(&path) {
            let whole = lines(&input, u64::MAX);
            let cut = lines(&input, u64::from(block).max(1));
            assert_eq!(whole, cut, "blocks of {block} bytes");
        }
    });
});

/// The file as an input, if it is taken for one.
fn input(path: &Path) -> Option<Input> {
    discover::discover(&[path.to_owned()])
        .ok()?
        .inputs
        .into_iter()
        .next()
}

/// Every line with its place.
fn lines(input: &Input, block: u64) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    for span in read::spans(input, block).expect("spans") {
        // Broken gzip ends in an error after what could be read.
        let _ = read::read_span(input, &span, &mut buffer, &mut |chunk| {
            let mut offset = chunk.offset;
            for line in chunk.bytes.split_inclusive(|&byte| byte == b'\n') {
                found.push((offset, line.to_vec()));
                offset += line.len() as u64;
            }
        });
    }
    found
}
