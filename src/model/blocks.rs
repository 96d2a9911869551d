//! Packed values block by block, compressed where they are many.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// So many bytes are kept as they are: few logs have more, and to compress them takes longer than to judge them.
const PLAIN_MOST: usize = 4 << 20;

/// Blocks of bytes, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    /// Those that are full.
    closed: Vec<Box<[u8]>>,
    /// Whether they are compressed.
    deflated: bool,
    /// Bytes in them, if not.
    plain: usize,
    /// How long the longest of them was.
    most: usize,
    /// The one that is being filled.
    open: Vec<u8>,
}

impl Blocks {
    /// Where more is to be added: to a block that has less than `size` bytes, which may be a new one.
    pub(super) fn open(&mut self, size: usize) -> &mut Vec<u8> {
        if self.open.len() >= size {
            self.close();
        }
        if self.open.capacity() == 0 {
            self.open.reserve_exact(size + size / 4);
        }
        &mut self.open
    }

    /// The number of the block that is being filled.
    pub(super) fn filling(&self) -> usize {
        self.closed.len()
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.closed.len() + usize::from(!self.open.is_empty())
    }

    /// Closes the one that is being filled too.
    pub(super) fn settle(&mut self) {
        if !self.open.is_empty() {
            self.close();
        }
        self.open = Vec::new();
        self.closed.shrink_to_fit();
    }

    fn close(&mut self) {
        self.most = self.most.max(self.open.len());
        let block = if self.deflated {
            deflated(&self.open)
        } else {
            self.plain += self.open.len();
            Box::from(self.open.as_slice())
        };
        self.closed.push(block);
        self.open.clear();
        if self.plain > PLAIN_MOST {
            self.deflate();
        }
    }

    /// Compresses the blocks that are full, and all that will be.
    fn deflate(&mut self) {
        self.plain = 0;
        if !std::mem::replace(&mut self.deflated, true) {
            let held = self.closed.iter_mut().filter(|block| !block.is_empty());
            held.for_each(|block| *block = deflated(block));
        }
    }

    /// Gives up what the blocks before `block` hold.
    pub(super) fn forget(&mut self, block: usize) {
        for block in self.closed.iter_mut().take(block) {
            self.plain = self.plain.saturating_sub(block.len());
            *block = Box::default();
        }
    }

    /// Puts what the block `at` holds into `to`, in place of what was there.
    pub(super) fn read(&self, at: usize, to: &mut Vec<u8>) {
        to.clear();
        match self.closed.get(at) {
            Some(block) if self.deflated => {
                to.reserve_exact(self.most);
                inflate(block, to);
            }
            Some(block) => to.extend_from_slice(block),
            None => to.extend_from_slice(&self.open),
        }
    }
}

thread_local! {
    // Made once for each thread: their tables are larger than a block.
    static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
    static INFLATE: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// `bytes` in fewer of them.
fn deflated(bytes: &[u8]) -> Box<[u8]> {
    // Room for what cannot be compressed, so that it is written in one go.
    let mut to = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 64);
    DEFLATE.with_borrow_mut(|deflate| {
        deflate.reset();
        // From memory to memory nothing can fail.
        let _ = deflate.compress_vec(bytes, &mut to, FlushCompress::Finish);
    });
    Box::from(to.as_slice())
}

/// Puts into `to` what was deflated to `bytes`, which was at most as much as `to` has room for.
fn inflate(bytes: &[u8], to: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    INFLATE.with_borrow_mut(|inflate| {
        inflate.reset(false);
        let _ = inflate.decompress_vec(bytes, to, FlushDecompress::Finish);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_as_they_were_filled_compressed_or_not() {
        for deflated_from in [0, 3, 1_000] {
            let mut blocks = Blocks::default();
            let chunk = |n: usize| vec![n as u8; n * 7 % 90];
            let mut wanted: Vec<Vec<u8>> = Vec::new();
            for n in 0..100 {
                let to = blocks.open(300);
                to.extend_from_slice(&chunk(n));
                let at = blocks.filling();
                wanted.resize(at + 1, Vec::new());
                wanted[at].extend_from_slice(&chunk(n));
                if at == deflated_from {
                    blocks.deflate();
                }
            }
            let read = |blocks: &Blocks| -> Vec<Vec<u8>> {
                let mut to = vec![1];
                (0..blocks.len())
                    .map(|at| {
                        blocks.read(at, &mut to);
                        to.clone()
                    })
                    .collect()
            };
            assert!(blocks.len() > 5);
            assert_eq!(read(&blocks), wanted);
            blocks.settle();
            assert_eq!(read(&blocks), wanted);
            blocks.forget(2);
            blocks.deflate();
            assert!(read(&blocks)[..2].iter().all(Vec::is_empty));
            assert_eq!(read(&blocks)[2..], wanted[2..]);
        }
    }

    #[test]
    fn many_blocks_are_compressed() {
        let mut blocks = Blocks::default();
        let chunk = [7; 1 << 16];
        for _ in 0..=PLAIN_MOST / chunk.len() {
            assert!(!blocks.deflated);
            blocks.open(chunk.len()).extend_from_slice(&chunk);
            blocks.settle();
        }
        assert!(blocks.deflated);
        let mut to = Vec::new();
        blocks.read(3, &mut to);
        assert_eq!(to, chunk);
    }
}
