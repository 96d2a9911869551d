//! Packed values block by block, each block compressed once it is full.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// Blocks of bytes, by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Blocks {
    /// Those that are full, compressed.
    closed: Vec<Box<[u8]>>,
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

    /// Compresses the one that is being filled too.
    pub(super) fn settle(&mut self) {
        if !self.open.is_empty() {
            self.close();
        }
        self.open = Vec::new();
        self.closed.shrink_to_fit();
    }

    fn close(&mut self) {
        self.most = self.most.max(self.open.len());
        self.closed.push(deflated(&self.open));
        self.open.clear();
    }

    /// Gives up what the blocks before `block` hold.
    pub(super) fn forget(&mut self, block: usize) {
        for block in self.closed.iter_mut().take(block) {
            *block = Box::default();
        }
    }

    /// Puts what the block `at` holds into `to`, in place of what was there.
    pub(super) fn read(&self, at: usize, to: &mut Vec<u8>) {
        to.clear();
        match self.closed.get(at) {
            Some(block) => {
                to.reserve_exact(self.most);
                inflate(block, to);
            }
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
    fn blocks_are_read_as_they_were_filled() {
        let mut blocks = Blocks::default();
        let chunk = |n: usize| vec![n as u8; n * 7 % 90];
        let mut wanted: Vec<Vec<u8>> = Vec::new();
        for n in 0..100 {
            let to = blocks.open(300);
            to.extend_from_slice(&chunk(n));
            let at = blocks.filling();
            wanted.resize(at + 1, Vec::new());
            wanted[at].extend_from_slice(&chunk(n));
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
        assert!(read(&blocks)[..2].iter().all(Vec::is_empty));
        assert_eq!(read(&blocks)[2..], wanted[2..]);
    }
}
