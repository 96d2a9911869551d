//! A file without a name for what memory has no room for. It is gone when it is closed, however the program ends.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

/// Bytes that were put away, piece by piece.
#[derive(Debug)]
pub(super) struct Spill {
    /// So many bytes at most are put away.
    most: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nothing was put away yet.
    New,
    /// So many bytes are in the file.
    Open(File, u64),
    /// There was no room for something.
    Full,
}

/// Where a piece is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    at: u64,
    len: usize,
}

impl Spill {
    /// Room for `most` bytes.
    pub(super) const fn of(most: u64) -> Self {
        Self {
            most,
            state: Mutex::new(State::New),
        }
    }

    /// Puts `bytes` away. `None` if there is no room for them; there is none from then on.
    pub(super) fn put(&self, bytes: &[u8]) -> Option<Extent> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::New) {
            *state = tempfile::tempfile().map_or(State::Full, |file| State::Open(file, 0));
        }
        let State::Open(file, end) = &mut *state else {
            return None;
        };
        let extent = Extent {
            at: *end,
            len: bytes.len(),
        };
        let has_room = end.saturating_add(bytes.len() as u64) <= self.most;
        if !has_room || file.seek(SeekFrom::Start(*end)).is_err() || file.write_all(bytes).is_err() {
            *state = State::Full;
            return None;
        }
        *end += bytes.len() as u64;
        Some(extent)
    }

    /// What was put at `extent`. `None` if it cannot be had any more.
    pub(super) fn get(&self, extent: Extent) -> Option<Vec<u8>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Open(file, _) = &mut *state else {
            return None;
        };
        let mut bytes = vec![0; extent.len];
        file.seek(SeekFrom::Start(extent.at)).ok()?;
        file.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Whether there was no room for something.
    pub(super) fn is_full(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        matches!(*state, State::Full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_away_is_had_again_until_there_is_no_room() {
        let spill = Spill::of(10);
        let first = spill.put(b"abcd").unwrap();
        let second = spill.put(b"efghij").unwrap();
        assert_eq!(spill.get(second).unwrap(), b"efghij");
        assert_eq!(spill.get(first).unwrap(), b"abcd");
        assert!(!spill.is_full());
        assert!(spill.put(b"k").is_none());
        assert!(spill.is_full());
        assert!(spill.put(b"").is_none() && spill.get(first).is_none());
    }
}
