//! Reading an input from a given byte on, without disturbing other readers of the same file.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use crate::error::Error;
use crate::model::Input;

/// A reader that begins at some byte and keeps its own position.
pub(super) struct At {
    file: Arc<File>,
    position: u64,
}

impl At {
    /// Opens `input` (or shares the copy of a pipe) for reading from byte `position` on.
    pub(super) fn open(input: &Input, position: u64) -> Result<Self, Error> {
        let file = match &input.spool {
            Some(file) => Arc::clone(file),
            None => File::open(&input.path)
                .map(Arc::new)
                .map_err(|source| super::read_error(input, source))?,
        };
        Ok(Self { file, position })
    }

    /// Goes to byte `position`.
    pub(super) fn seek(&mut self, position: u64) {
        self.position = position;
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = read_at(&self.file, buffer, self.position)?;
        self.position += read as u64;
        Ok(read)
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

/// Where the system has no positioned read, seeking and reading must not be interleaved by two threads.
#[cfg(not(any(unix, windows)))]
fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    file.read(buffer)
}
