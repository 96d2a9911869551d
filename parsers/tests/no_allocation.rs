//! Reading a line allocates nothing, whatever the format: every row of `lines.tsv`.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use why502_parsers::format::{Head, Line};
use why502_parsers::paste::compile_spec;
use why502_parsers::{Entry, registry};

const LINES: &str = include_str!("lines.tsv");

/// How often `line` makes its parser allocate, once the parser has seen it.
fn allocations(name: &str, line: &str) -> u64 {
    let head = Head {
        bytes: line.as_bytes(),
        hints: &[],
        date_hint: Some(*b"2026-11-20"),
    };
    let prepared = match registry::by_name(name) {
        Some(format) => format.prepare(&head),
        None => compile_spec(name)
            .unwrap_or_else(|error| panic!("{name}: {error}"))
            .prepare(&head),
    };
    let mut parser = prepared.open(b"");
    let mut entry = Entry::default();
    assert_eq!(
        parser.parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{name}: {line}"
    );
    let info = allocation_counter::measure(|| {
        for _ in 0..10 {
            entry.clear();
            let _ = parser.parse(line.as_bytes(), &mut entry);
        }
    });
    info.count_total
}

#[test]
fn no_line_of_any_format_allocates() {
    let rows: Vec<(&str, &str)> = LINES.lines().filter_map(|row| row.split_once('\t')).collect();
    let made: Vec<String> = rows
        .iter()
        .map(|(name, line)| (*name, allocations(name, line)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name}: {count} in ten lines"))
        .collect();
    assert!(made.is_empty(), "{made:#?}");
    for format in registry::builtin() {
        assert!(
            rows.iter().any(|(name, _)| *name == format.name()),
            "{} has no line",
            format.name()
        );
    }
}

#[test]
fn an_allocation_would_be_counted() {
    assert_eq!(
        allocation_counter::measure(|| drop(String::from("x"))).count_total,
        1
    );
}
