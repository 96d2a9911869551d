//! Parts of inputs whose writers cut long lines, or whose records go on over several: no part begins in the middle of
//! such a line or record.

use why502_parsers::bytes;
use why502_parsers::wrap::{Layers, Peeler};

use crate::error::Error;
use crate::model::Input;
use crate::read::{self, Begins, Chunk, Span};

/// How far before and behind a boundary unfinished lines are looked for, in bytes.
const AROUND: u64 = 64 * 1024;

/// `spans` of a plain `input` with each boundary moved on to where no line in pieces is unfinished and a record `begins`,
/// if there is something that tells. One that has no such place near it is given up. The same for the same file, however
/// often it is asked.
///
/// # Errors
/// As [`read::read_span`].
pub(super) fn aligned(
    input: &Input,
    layers: Layers,
    begins: Option<&Begins<'_>>,
    spans: Vec<Span>,
) -> Result<Vec<Span>, Error> {
    let Some(first) = spans.first().copied() else {
        return Ok(spans);
    };
    if !layers.cut() && begins.is_none() {
        return Ok(spans);
    }
    let mut aligned = vec![first];
    let mut buffer = Vec::new();
    for span in &spans[1..] {
        let boundary = boundary(input, layers, begins, span.offset, &mut buffer)?;
        let end = span.offset + span.len;
        let Some(last) = aligned.last_mut() else { break };
        match boundary.filter(|&at| at < end) {
            Some(at) => {
                last.len = at - last.offset;
                aligned.push(Span {
                    offset: at,
                    len: end - at,
                });
            }
            None => last.len = end - last.offset,
        }
    }
    Ok(aligned)
}

/// `wanted`, moved on to where no line in pieces is unfinished; `None` if there is no such place near it.
///
/// # Errors
/// As [`read::read_span`].
pub(super) fn start_near(input: &Input, layers: Layers, wanted: u64) -> Result<Option<u64>, Error> {
    if wanted == 0 || wanted >= input.bytes_on_disk || !layers.cut() {
        return Ok(Some(wanted));
    }
    boundary(input, layers, None, wanted, &mut Vec::new())
}

/// The first line end at or after `wanted` with no line unfinished and a record behind it.
fn boundary(
    input: &Input,
    layers: Layers,
    begins: Option<&Begins<'_>>,
    wanted: u64,
    buffer: &mut Vec<u8>,
) -> Result<Option<u64>, Error> {
    let around = Span {
        offset: wanted.saturating_sub(AROUND),
        len: 2 * AROUND,
    };
    let mut peeler = Peeler::new(layers);
    let mut found = None;
    read::read_span(input, &around, buffer, &mut |chunk: Chunk<'_>| {
        let mut at = chunk.offset;
        for line in chunk.bytes.split_inclusive(|&byte| byte == b'\n') {
            let bare = bytes::trim_cr(line.strip_suffix(b"\n").unwrap_or(line));
            let is_end = found.is_none() && at >= wanted && !peeler.is_inside();
            if is_end && begins.is_none_or(|begins| begins(bare)) {
                found = Some(at);
            }
            peeler.peel(bare, ());
            at += line.len() as u64;
        }
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::discover;
    use why502_parsers::wrap::cri::Cri;

    #[test]
    fn no_part_begins_within_a_line_in_pieces() {
        let lines: Vec<String> = (0..300)
            .map(|n| {
                let (stream, tag) = (
                    ["stdout", "stderr"][n / 7 % 2],
                    if n % 5 == 4 { "F" } else { "P" },
                );
                format!("2026-11-20T10:00:05.413656027Z {stream} {tag} {n}\n")
            })
            .collect();
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a.log");
        std::fs::write(&path, lines.concat()).unwrap();
        let input = discover(&[path]).unwrap().inputs.remove(0);
        let layers = Layers::default().with(&Cri).unwrap();
        for block in [100, 1_000, 5_000] {
            let spans = read::spans(&input, block).unwrap();
            let aligned = aligned(&input, layers, None, spans).unwrap();
            let mut next = 0;
            for span in &aligned {
                assert_eq!(span.offset, next);
                next += span.len;
                let mut peeler = Peeler::new(layers);
                let mut at = 0;
                for line in lines.iter().take_while(|line| {
                    let before = at;
                    at += line.len() as u64;
                    before < span.offset
                }) {
                    peeler.peel(line.trim_end().as_bytes(), ());
                }
                assert!(!peeler.is_inside(), "{span:?}");
            }
            assert_eq!(next, input.bytes_on_disk);
            assert!(aligned.len() > 1);
        }
    }
}
