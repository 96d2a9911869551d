//! gzip of one or several members, as `gzip`, `logrotate` and concatenation leave it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Bytes decompressed at once. When the decoder meets damage, what the same call had decompressed before is lost, so
/// this is also the most that is missing before the damage.
const DECOMPRESSED: usize = 16 * 1024;

/// The decompressed content of all members, one after the other.
pub(super) struct Members<R> {
    state: State<R>,
}

enum State<R> {
    Inside(Box<GzDecoder<R>>),
    End,
}

impl<R: BufRead> Members<R> {
    /// Begins at the first member.
    pub(super) fn new(compressed: R) -> Self {
        Self {
            state: State::Inside(Box::new(GzDecoder::new(compressed))),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let State::Inside(decoder) = &mut self.state else {
                return Ok(0);
            };
            let most = buffer.len().min(DECOMPRESSED);
            let read = decoder.read(&mut buffer[..most])?;
            if read > 0 {
                return Ok(read);
            }
            self.state = next_member(std::mem::replace(&mut self.state, State::End))?;
        }
    }
}

/// Whatever follows a member that ended well: another one, padding with NULs (tapes, block devices), or nothing.
fn next_member<R: BufRead>(state: State<R>) -> io::Result<State<R>> {
    let State::Inside(decoder) = state else {
        return Ok(State::End);
    };
    let mut rest = decoder.into_inner();
    loop {
        let ahead = rest.fill_buf()?;
        match ahead {
            [] => return Ok(State::End),
            [0x1f, ..] => return Ok(State::Inside(Box::new(GzDecoder::new(rest)))),
            [0, ..] => {
                let nuls = ahead.iter().take_while(|byte| **byte == 0).count();
                rest.consume(nuls);
            }
            _ => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "bytes that are not gzip follow the end",
                ));
            }
        }
    }
}
