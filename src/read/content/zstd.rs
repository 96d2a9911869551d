//! Zstandard of one or several frames, as `zstd`, `pzstd` and concatenation leave it.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

/// The decompressed content of all frames, one after the other.
pub(super) struct Frames<R: Read> {
    state: State<R>,
}

enum State<R: Read> {
    Between(R),
    Inside(Box<StreamingDecoder<R, FrameDecoder>>),
    End,
}

impl<R: BufRead> Frames<R> {
    /// Begins at the first frame.
    pub(super) fn new(compressed: R) -> Self {
        Self {
            state: State::Between(compressed),
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.state = match std::mem::replace(&mut self.state, State::End) {
                State::End => return Ok(0),
                State::Between(rest) => next_frame(rest)?,
                State::Inside(mut decoder) => {
                    let read = decoder.read(buffer)?;
                    if read > 0 {
                        self.state = State::Inside(decoder);
                        return Ok(read);
                    }
                    State::Between(decoder.into_inner())
                }
            };
        }
    }
}

/// The frame that `rest` begins with; frames that hold no content are passed over.
fn next_frame<R: BufRead>(mut rest: R) -> io::Result<State<R>> {
    loop {
        let ahead = rest.fill_buf()?;
        match ahead {
            [] => return Ok(State::End),
            [0x50..=0x5f, ..] => skip_frame(&mut rest)?,
            _ => {
                let decoder = StreamingDecoder::new(rest).map_err(io::Error::other)?;
                return Ok(State::Inside(Box::new(decoder)));
            }
        }
    }
}

/// Passes over a skippable frame: magic, length, that many bytes.
fn skip_frame(rest: &mut impl BufRead) -> io::Result<()> {
    let mut header = [0; 8];
    rest.read_exact(&mut header)?;
    let [_, a, b, c, length @ ..] = header;
    if [a, b, c] != [0x2a, 0x4d, 0x18] {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "bytes that are not zstd follow the end",
        ));
    }
    let length = u64::from(u32::from_le_bytes(length));
    io::copy(&mut rest.take(length), &mut io::sink()).map(|_| ())
}
