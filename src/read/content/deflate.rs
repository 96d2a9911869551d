//! A compressed member of a zip archive, checked against what the archive's directory states.

use std::io::{self, BufRead, Read};

use crc32fast::Hasher;
use flate2::bufread::DeflateDecoder;

/// The decompressed member. Its last bytes are followed by an error if it is not what was packed.
pub(super) struct Checked<R> {
    inner: DeflateDecoder<R>,
    sum: Hasher,
    read: u64,
    wanted: (u32, u64),
}

impl<R: BufRead> Checked<R> {
    /// The member that begins here, of `len` bytes whose CRC-32 is `crc`.
    pub(super) fn new(compressed: R, crc: u32, len: u64) -> Self {
        Self {
            inner: DeflateDecoder::new(compressed),
            sum: Hasher::new(),
            read: 0,
            wanted: (crc, len),
        }
    }
}

impl<R: BufRead> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.sum.update(&buffer[..read]);
        self.read += read as u64;
        if read == 0 && !buffer.is_empty() && (self.sum.clone().finalize(), self.read) != self.wanted {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its checksum is not the one in the archive",
            ));
        }
        Ok(read)
    }
}
