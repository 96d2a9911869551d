//! The content of an input as one stream, every coding undone. Memory is bounded by the codings' own windows.

mod deflate;
mod elements;
mod framed;
mod gzip;
mod journal;
mod utf16;
mod zstd;

use std::io::{self, BufReader, Read};

pub use elements::is_document as is_json_document;
pub use framed::{is_events, is_forwarded};

use super::source::At;
use crate::error::Error;
use crate::model::{Coding, Input};

/// Bytes read at once below a coding.
const BELOW: usize = 128 * 1024;

/// The most memory that an xz file may ask for, in KiB: its largest preset needs 65 MiB.
const XZ_MOST_KIB: u32 = 256 * 1024;

/// A stream of bytes.
pub(super) type Bytes = Box<dyn Read>;

/// The content, with a count of what was read of it.
pub struct Content {
    inner: Bytes,
    delivered: u64,
}

impl Content {
    /// Begins at the start of `input`.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn open(input: &Input) -> Result<Self, Error> {
        let mut inner: Bytes = Box::new(At::open(input, 0)?);
        for coding in input.window().1 {
            inner = undo(*coding, inner);
        }
        Ok(Self { inner, delivered: 0 })
    }

    /// How many bytes were read so far.
    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.delivered += read as u64;
        Ok(read)
    }
}

/// `below` with `coding` undone.
fn undo(coding: Coding, below: Bytes) -> Bytes {
    let buffered = BufReader::with_capacity(BELOW, below);
    match coding {
        Coding::Part { offset, len } => Box::new(Range {
            below: buffered,
            skip: offset,
            left: len,
        }),
        Coding::Gzip => Box::new(gzip::Members::new(buffered)),
        Coding::Zstd => Box::new(zstd::Frames::new(buffered)),
        Coding::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(buffered)),
        Coding::Xz => Box::new(Bites(lzma_rust2::XzReader::new_mem_limit(
            buffered,
            true,
            XZ_MOST_KIB,
        ))),
        Coding::Deflate { crc, len } => Box::new(deflate::Checked::new(buffered, crc, len)),
        Coding::Utf16 { big_endian } => Box::new(utf16::ToUtf8::new(buffered, big_endian)),
        Coding::Journal => Box::new(journal::Lines::new(buffered)),
        Coding::Elements => Box::new(elements::Lines::new(buffered)),
        Coding::Events => Box::new(framed::Lines::new(buffered, framed::Framing::Events)),
        Coding::Forwarded => Box::new(framed::Lines::new(buffered, framed::Framing::Syslog)),
    }
}

/// Reads little at once: the reader below loses what it has put into the buffer when it comes upon damage.
struct Bites<R>(R);

/// Bytes of one bite.
const BITE: usize = 8 * 1024;

impl<R: Read> Read for Bites<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(BITE);
        self.0.read(&mut buffer[..most])
    }
}

/// A range of a stream.
struct Range<R> {
    below: R,
    skip: u64,
    left: u64,
}

impl<R: Read> Read for Range<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.skip > 0 {
            let skipped = io::copy(&mut (&mut self.below).take(self.skip), &mut io::sink())?;
            if skipped < self.skip {
                return Err(ended_early());
            }
            self.skip = 0;
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.below.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(ended_early());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// The archive is shorter than its directory says.
pub(super) fn ended_early() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the archive ends before it")
}

/// Hands out what was made, piece by piece.
#[derive(Default)]
struct Made {
    bytes: Vec<u8>,
    given: usize,
}

impl Made {
    /// Copies to `buffer` what it holds; zero if nothing is left.
    fn give(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.bytes[self.given..];
        let given = left.len().min(buffer.len());
        buffer[..given].copy_from_slice(&left[..given]);
        self.given += given;
        if self.given == self.bytes.len() {
            self.bytes.clear();
            self.given = 0;
        }
        given
    }
}
