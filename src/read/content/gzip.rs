//! gzip of one or several members, as `gzip`, `logrotate` and concatenation leave it.
//!
//! Large pieces are decompressed at once: with each piece the decoder copies its window, so small ones cost a fifth more.
//! The checksum is summed by the processor's own instructions where it has them, at a tenth of what tables cost.
//! What was decompressed before damage is given before the error.

use std::io::{self, BufRead, ErrorKind, Read};

use crc32fast::Hasher;
use flate2::{Decompress, FlushDecompress, Status};

/// The decompressed content of all members, one after the other.
pub(super) struct Members<R> {
    below: R,
    inflate: Decompress,
    sum: Hasher,
    /// Bytes of the member so far, modulo 2^32.
    made: u32,
    state: State,
}

enum State {
    /// A member begins here.
    Header,
    /// In its compressed data.
    Body,
    /// Behind them: checksum and length.
    Trailer,
    /// Behind a member that ended well.
    Between,
    /// Nothing follows.
    End,
    /// This is to be told next.
    Broken(ErrorKind, &'static str),
}

const NOT_GZIP: State = State::Broken(ErrorKind::InvalidInput, "invalid gzip header");

impl<R: BufRead> Members<R> {
    /// Begins at the first member.
    pub(super) fn new(compressed: R) -> Self {
        Self {
            below: compressed,
            inflate: Decompress::new(false),
            sum: Hasher::new(),
            made: 0,
            state: State::Header,
        }
    }

    /// Decompresses into `buffer` until it is full or the member ends; how many bytes.
    fn body(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut made = 0;
        while made < buffer.len() {
            let ahead = self.below.fill_buf()?;
            let (ins, outs) = (self.inflate.total_in(), self.inflate.total_out());
            let is_over = ahead.is_empty();
            let result = self
                .inflate
                .decompress(ahead, &mut buffer[made..], FlushDecompress::None);
            let used = (self.inflate.total_in() - ins) as usize;
            let new = (self.inflate.total_out() - outs) as usize;
            self.below.consume(used);
            made += new;
            self.state = match result {
                Err(_) => State::Broken(ErrorKind::InvalidData, "corrupt deflate stream"),
                Ok(Status::StreamEnd) => State::Trailer,
                Ok(_) if is_over && new == 0 => {
                    State::Broken(ErrorKind::UnexpectedEof, "unexpected end of file")
                }
                Ok(_) => continue,
            };
            break;
        }
        self.sum.update(&buffer[..made]);
        self.made = self.made.wrapping_add(made as u32);
        Ok(made)
    }

    /// Passes over a member's header.
    fn header(&mut self) -> io::Result<State> {
        let mut fixed = [0; 10];
        self.below.read_exact(&mut fixed)?;
        let [0x1f, 0x8b, 8, flags, ..] = fixed else {
            return Ok(NOT_GZIP);
        };
        if flags & 4 != 0 {
            let mut length = [0; 2];
            self.below.read_exact(&mut length)?;
            let length = u64::from(u16::from_le_bytes(length));
            io::copy(&mut (&mut self.below).take(length), &mut io::sink())?;
        }
        // Name and comment, each ended by NUL.
        for flag in [8, 16] {
            if flags & flag != 0 {
                self.below.skip_until(0)?;
            }
        }
        if flags & 2 != 0 {
            self.below.read_exact(&mut [0; 2])?;
        }
        self.inflate.reset(false);
        self.sum.reset();
        self.made = 0;
        Ok(State::Body)
    }

    fn trailer(&mut self) -> io::Result<State> {
        let mut trailer = [0; 8];
        self.below.read_exact(&mut trailer)?;
        let [a, b, c, d, length @ ..] = trailer;
        let is_right = u32::from_le_bytes([a, b, c, d]) == self.sum.clone().finalize()
            && u32::from_le_bytes(length) == self.made;
        Ok(if is_right {
            State::Between
        } else {
            State::Broken(
                ErrorKind::InvalidInput,
                "corrupt gzip stream does not have a matching checksum",
            )
        })
    }

    /// Whatever follows a member that ended well: another one, padding with NULs (tapes, block devices), or nothing.
    fn between(&mut self) -> io::Result<State> {
        loop {
            let ahead = self.below.fill_buf()?;
            match ahead {
                [] => return Ok(State::End),
                [0x1f, ..] => return Ok(State::Header),
                [0, ..] => {
                    let nuls = ahead.iter().take_while(|byte| **byte == 0).count();
                    self.below.consume(nuls);
                }
                _ => {
                    return Ok(State::Broken(
                        ErrorKind::InvalidData,
                        "bytes that are not gzip follow the end",
                    ));
                }
            }
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.state = match self.state {
                State::Header => self.header()?,
                State::Trailer => self.trailer()?,
                State::Between => self.between()?,
                State::End => return Ok(0),
                State::Broken(kind, what) => return Err(io::Error::new(kind, what)),
                State::Body => match self.body(buffer)? {
                    0 => continue,
                    made => return Ok(made),
                },
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::{Compression, GzBuilder};

    use super::*;

    fn member(bytes: &[u8], named: bool) -> Vec<u8> {
        let builder = GzBuilder::new();
        let builder = if named {
            builder.filename("a.log").comment("all").extra([1, 2, 3])
        } else {
            builder
        };
        let mut encoder = builder.write(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// What is read in pieces of `piece` bytes, and the error that ends it.
    fn read(packed: &[u8], piece: usize) -> (Vec<u8>, Option<String>) {
        let mut members = Members::new(BufReader::with_capacity(7, packed));
        let (mut all, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            match members.read(&mut buffer) {
                Ok(0) => return (all, None),
                Ok(read) => all.extend_from_slice(&buffer[..read]),
                Err(error) => return (all, Some(error.to_string())),
            }
        }
    }

    fn content() -> Vec<u8> {
        (0..40_000u32)
            .flat_map(|n| format!("{} line\n", n.wrapping_mul(2_654_435_761)).into_bytes())
            .collect()
    }

    #[test]
    fn all_members_are_read_whatever_their_headers_hold() {
        let content = content();
        let packed = [
            member(&content, true),
            member(b"", false),
            member(b"end", false),
            vec![0; 30],
        ]
        .concat();
        for piece in [1_000, 1 << 20] {
            let (read, error) = read(&packed, piece);
            assert_eq!(error, None);
            assert!(read == [&content[..], b"end"].concat());
        }
    }

    #[test]
    fn what_stands_before_damage_is_given_first() {
        let content = content();
        let packed = member(&content, false);
        let cut = read(&packed[..packed.len() / 2], 1 << 20);
        assert!(cut.0.len() > content.len() / 3 && content.starts_with(&cut.0));
        assert_eq!(cut.1.unwrap(), "unexpected end of file");
        let mut wrong = packed.clone();
        let last = wrong.len() - 6;
        wrong[last] ^= 1;
        let (whole, error) = read(&wrong, 1 << 20);
        assert!(whole == content && error.unwrap().contains("checksum"));
        let (none, error) = read(b"no gzip at all", 100);
        assert!(none.is_empty() && error.is_some());
        let (first, error) = read(&[packed, b"rest".to_vec()].concat(), 1 << 20);
        assert!(first == content && error.unwrap().contains("not gzip"));
    }

    #[test]
    fn damage_within_the_data_is_told_after_the_data_before_it() {
        let content = content();
        let mut packed = member(&content, false);
        let middle = packed.len() / 2;
        packed[middle..middle + 40].fill(0xff);
        let (read, error) = read(&packed, 1 << 20);
        let same = read.iter().zip(&content).take_while(|(a, b)| a == b).count();
        assert!(same > content.len() / 3, "{same} of {}", content.len());
        assert!(error.is_some());
    }
}
