//! Any bytes, as a file and line by line, through every built-in format and every wrapper.
#![no_main]

use libfuzzer_sys::fuzz_target;
use why502_parsers::wrap::{Layers, Peeled, Peeler};
use why502_parsers::{Entry, Head, Line, bytes, registry, wrap};

fuzz_target!(|data: &[u8]| {
    let head = Head {
        bytes: data,
        hints: &[],
        date_hint: None,
    };
    for wrapper in wrap::all() {
        let Some(layers) = Layers::default().with(*wrapper) else {
            continue;
        };
        let mut peeler = Peeler::new(layers);
        for line in bytes::lines(data) {
            if let Peeled::Whole { inner, is_joined: false, .. } = peeler.peel(line, ()) {
                assert!(inner.len() <= line.len(), "{} made a line longer", wrapper.name());
            }
        }
    }
    for format in registry::builtin() {
        let sniff = format.sniff(&head);
        assert!(
            sniff.parsed <= sniff.looked_at,
            "{} read more lines than there are",
            format.name()
        );
        let mut parser = format.prepare(&head).open(b"");
        let mut entry = Entry::default();
        for line in bytes::lines(data) {
            entry.clear();
            if let Ok(Line::Entry) = parser.parse(line, &mut entry) {
                use_up(&entry);
            }
        }
    }
});

/// Reads what a consumer of an entry reads.
fn use_up<'a>(entry: &Entry<'a>) {
    for slice in [
        entry.method,
        entry.path,
        entry.host,
        entry.client,
        entry.error,
        entry.termination,
    ] {
        let _ = entry.text(slice);
    }
    for attempt in entry.upstream.attempts() {
        let _ = entry.text(attempt.addr);
    }
    assert!(entry.ids.as_slice().len() <= why502_parsers::entry::Ids::MOST);
}
