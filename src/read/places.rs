//! Fetching lines by their place, for evidence.

use std::io::{self, Read};

use super::source::At;
use super::{broken, content::Content};
use crate::error::Error;
use crate::model::Input;

/// Bytes for which room is made before they are read.
const ROOM: usize = 64 << 10;

/// The `len` bytes at `offset` of the (decompressed) content; fewer if it ends before.
///
/// # Errors
/// [`Error::Read`] or [`Error::Damaged`].
pub fn line_at(input: &Input, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
    Ok(lines_at(input, &[(offset, len)])?.pop().unwrap_or_default())
}

/// The bytes at each of `places` (offset and length), in the order of `places`. An input that is not
/// plain is read once, from its start to the last place.
///
/// # Errors
/// [`Error::Read`] or [`Error::Damaged`].
pub fn lines_at(input: &Input, places: &[(u64, u32)]) -> Result<Vec<Vec<u8>>, Error> {
    if input.is_plain() {
        let mut source = At::open(input, 0)?;
        return places
            .iter()
            .map(|&(offset, len)| {
                source.go_to(offset);
                take(&mut source, u64::from(len))
            })
            .collect::<io::Result<_>>()
            .map_err(|source| broken(input, 0, source));
    }
    let mut content = Content::open(input)?;
    in_one_pass(&mut content, places).map_err(|source| broken(input, content.delivered(), source))
}

/// Reads a stream once and picks `places` out of it, wherever they overlap.
fn in_one_pass(source: &mut dyn Read, places: &[(u64, u32)]) -> io::Result<Vec<Vec<u8>>> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|&at| places[at]);
    let mut found = vec![Vec::new(); places.len()];
    let mut position = 0u64;
    let mut last: Option<usize> = None;
    for at in order {
        let (offset, len) = places[at];
        let mut line = match last {
            // What an earlier place has read already is copied from there.
            Some(before) if offset < position => {
                let skip = usize::try_from(offset - places[before].0).unwrap_or(usize::MAX);
                let known = found[before].get(skip..).unwrap_or_default();
                known[..known.len().min(len as usize)].to_vec()
            }
            _ => {
                position += io::copy(&mut source.take(offset - position), &mut io::sink())?;
                Vec::new()
            }
        };
        let missing = u64::from(len) - line.len() as u64;
        let more = take(source, if position < offset { 0 } else { missing })?;
        position += more.len() as u64;
        line.extend_from_slice(&more);
        let reaches = |place: usize| places[place].0 + found_len(&found, place);
        if last.is_none_or(|before| offset + line.len() as u64 >= reaches(before)) {
            last = Some(at);
        }
        found[at] = line;
    }
    Ok(found)
}

fn found_len(found: &[Vec<u8>], place: usize) -> u64 {
    found[place].len() as u64
}

fn take(source: &mut dyn Read, most: u64) -> io::Result<Vec<u8>> {
    // With the room at hand a line is read by one call; a length that is no line's is not believed.
    let room = usize::try_from(most).unwrap_or(ROOM).min(ROOM);
    let mut bytes = Vec::with_capacity(room);
    source.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}
