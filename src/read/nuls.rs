//! Where the NULs end that a log begins with: truncating it while a server writes to it (logrotate's `copytruncate`)
//! leaves a hole as large as the log was, many gigabytes maybe, that takes no room on disk.

use std::io::{self, Read, Seek, SeekFrom};

/// Bytes looked at in one place.
const BLOCK: u64 = 4 * 1024;

/// A byte at or before the first that is not NUL, and near it; `source` has NULs in its first `known` bytes. If it has
/// nothing else, its end.
///
/// Steps are doubled until something else is found and then halved, so that the largest hole costs some dozens of reads.
/// NULs that come again later may be taken for those at the start: what is found is good for a look, not for reading.
pub(super) fn end(source: &mut (impl Read + Seek), known: u64) -> io::Result<u64> {
    let len = source.seek(SeekFrom::End(0))?;
    let last = len.saturating_sub(BLOCK);
    let mut nul_at = known.saturating_sub(BLOCK);
    let mut step = known.max(BLOCK);
    let mut text_at = loop {
        let at = nul_at.saturating_add(step).min(last);
        if !is_nul(source, at)? {
            break at;
        }
        if at == last {
            return Ok(len);
        }
        nul_at = at;
        step = step.saturating_mul(2);
    };
    while text_at - nul_at > BLOCK {
        let middle = nul_at + (text_at - nul_at) / 2;
        if is_nul(source, middle)? {
            nul_at = middle;
        } else {
            text_at = middle;
        }
    }
    Ok(nul_at)
}

/// Whether nothing but NULs stands at `offset`.
fn is_nul(source: &mut (impl Read + Seek), offset: u64) -> io::Result<bool> {
    source.seek(SeekFrom::Start(offset))?;
    let mut block = Vec::new();
    source.by_ref().take(BLOCK).read_to_end(&mut block)?;
    Ok(super::is_nul(&block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_behind_nuls_is_found_within_two_blocks() {
        for hole in [4096, 5000, 65_536, 65_537, 1_000_000, 8 << 20] {
            for text in [1, 100, 4096, 3 << 20] {
                let mut content = vec![0; hole];
                content.resize(hole + text, b'x');
                let from = end(&mut io::Cursor::new(content), 4096).unwrap();
                let hole = hole as u64;
                assert!(from <= hole && hole - from <= 2 * BLOCK, "{hole} {text}: {from}");
            }
        }
        assert_eq!(end(&mut io::Cursor::new(vec![0; 70_000]), 4096).unwrap(), 70_000);
    }
}
