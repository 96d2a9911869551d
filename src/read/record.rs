//! Records of several lines kept whole: the chunks given end where a record does.
//!
//! A record (a stack trace, a captured response) begins at a line that its format knows and goes on until the next such
//! line. What of a chunk belongs to a record that may go on in the next one is held back, at most [`RECORD_MOST`] bytes
//! beyond the record's first line; that much memory a reading takes beside its buffer. Longer records are given in parts.

use super::{Chunk, Span, read_span};
use crate::error::Error;
use crate::model::{Input, RECORD_MOST};

/// Whether a line begins a record.
pub type Begins<'f> = dyn Fn(&[u8]) -> bool + 'f;

/// As [`read_span`], with records kept whole if there is something that tells where one `begins`.
///
/// # Errors
/// As [`read_span`]; what was held back is given before.
pub fn read_records(
    input: &Input,
    span: &Span,
    buffer: &mut Vec<u8>,
    begins: Option<&Begins<'_>>,
    visit: &mut dyn FnMut(Chunk<'_>),
) -> Result<(), Error> {
    let Some(begins) = begins else {
        return read_span(input, span, buffer, visit);
    };
    let mut cutter = Cutter::default();
    let result = read_span(input, span, buffer, &mut |chunk| {
        cutter.push(chunk, begins, visit)
    });
    cutter.give(visit);
    result
}

/// Holds back the record that the last chunk ended in.
#[derive(Default)]
struct Cutter {
    held: Vec<u8>,
    /// Where it begins in the input.
    offset: u64,
    /// Length of its first line.
    first: usize,
}

impl Cutter {
    fn push(&mut self, chunk: Chunk<'_>, begins: &Begins<'_>, visit: &mut dyn FnMut(Chunk<'_>)) {
        // What does not follow it, or was cut, does not belong to it.
        if chunk.cut || self.offset + self.held.len() as u64 != chunk.offset {
            self.give(visit);
        }
        let mut from = 0;
        if !self.held.is_empty() {
            from = self.fill(chunk.bytes, begins);
            if from == chunk.bytes.len() && self.held.len() <= self.first + RECORD_MOST {
                return;
            }
            self.give(visit);
        }
        let bytes = &chunk.bytes[from..];
        let last = if chunk.cut {
            None
        } else {
            last_record(bytes, begins)
        };
        let to = last.map_or(bytes.len(), |(start, _)| start);
        if to > 0 {
            visit(Chunk {
                bytes: &bytes[..to],
                offset: chunk.offset + from as u64,
                cut: chunk.cut,
            });
        }
        if let Some((start, first)) = last {
            self.held.extend_from_slice(&bytes[start..]);
            self.offset = chunk.offset + (from + start) as u64;
            self.first = first;
        }
    }

    /// Adds the lines of `bytes` that belong to what is held; where the others begin.
    fn fill(&mut self, bytes: &[u8], begins: &Begins<'_>) -> usize {
        let mut at = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if begins(bare(line)) || self.held.len() > self.first + RECORD_MOST {
                break;
            }
            self.held.extend_from_slice(line);
            at += line.len();
        }
        at
    }

    /// Gives what is held.
    fn give(&mut self, visit: &mut dyn FnMut(Chunk<'_>)) {
        if !self.held.is_empty() {
            visit(Chunk {
                bytes: &self.held,
                offset: self.offset,
                cut: false,
            });
            self.held.clear();
        }
    }
}

/// Where the last record of `bytes` begins and how long its first line is, if it may go on behind them.
fn last_record(bytes: &[u8], begins: &Begins<'_>) -> Option<(usize, usize)> {
    let mut end = bytes.len();
    while end > 0 {
        let start = memchr::memrchr(b'\n', &bytes[..end - 1]).map_or(0, |at| at + 1);
        if begins(bare(&bytes[start..end])) {
            return Some((start, end - start));
        }
        if bytes.len() - start > RECORD_MOST {
            return None; // It is longer than is read whole, so it ends within these bytes.
        }
        end = start;
    }
    None
}

/// `line` without its line end.
fn bare(line: &[u8]) -> &[u8] {
    why502_parsers::bytes::trim_cr(line.strip_suffix(b"\n").unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of `text` given in chunks of whole lines of about `size` bytes.
    fn cut(text: &str, size: usize) -> Vec<(u64, String)> {
        let begins = |line: &[u8]| line.starts_with(b">");
        let mut cutter = Cutter::default();
        let mut out = Vec::new();
        let mut visit = |chunk: Chunk<'_>| {
            out.push((chunk.offset, String::from_utf8_lossy(chunk.bytes).into_owned()));
        };
        let (mut chunk, mut offset) = (String::new(), 0);
        for line in text.split_inclusive('\n') {
            chunk.push_str(line);
            if chunk.len() >= size {
                let bytes = chunk.as_bytes();
                cutter.push(
                    Chunk {
                        bytes,
                        offset,
                        cut: false,
                    },
                    &begins,
                    &mut visit,
                );
                offset += chunk.len() as u64;
                chunk.clear();
            }
        }
        let bytes = chunk.as_bytes();
        cutter.push(
            Chunk {
                bytes,
                offset,
                cut: false,
            },
            &begins,
            &mut visit,
        );
        cutter.give(&mut visit);
        out
    }

    #[test]
    fn chunks_end_where_records_do() {
        let text = "x\n>a\n1\n2\n>b\n>c\n3\n4\n5\n6\n>d\n7";
        for size in 1..text.len() {
            let chunks = cut(text, size);
            let mut at = 0;
            for (offset, chunk) in &chunks {
                assert_eq!(*offset, at, "{size}");
                assert!(at == 0 || at == 2 || chunk.starts_with('>'), "{size}: {chunks:?}");
                at += chunk.len() as u64;
            }
            assert_eq!(
                chunks.iter().map(|(_, chunk)| chunk.as_str()).collect::<String>(),
                text
            );
        }
    }

    #[test]
    fn a_record_without_end_takes_bounded_memory() {
        let text = format!(">a\n{}", "1234567\n".repeat(RECORD_MOST));
        let chunks = cut(&text, 1_000);
        assert!(chunks.iter().all(|(_, chunk)| chunk.len() <= RECORD_MOST + 2_000));
        assert_eq!(
            chunks.iter().map(|(_, chunk)| chunk.len()).sum::<usize>(),
            text.len()
        );
    }
}
