//! The first line as a format string of each dialect; the lines after it through what came of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use why502_parsers::paste::{self, Dialect};
use why502_parsers::{Entry, Head, bytes};

fuzz_target!(|text: &str| {
    let (format, log) = text.split_once('\n').unwrap_or((text, ""));
    let _ = paste::compile_spec(format);
    for dialect in Dialect::ALL {
        let Ok(compiled) = paste::compile(dialect, "pasted", format) else {
            continue;
        };
        let head = Head {
            bytes: log.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let _ = compiled.sniff(&head);
        let mut parser = compiled.prepare(&head).open(b"");
        let mut entry = Entry::default();
        for line in bytes::lines(log.as_bytes()) {
            entry.clear();
            if parser.parse(line, &mut entry).is_ok() {
                let _ = entry.upstream.attempts().count();
            }
        }
    }
});
