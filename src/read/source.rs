//! Reading an input from a given byte on, without disturbing other readers of the same file.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::error::Error;
use crate::model::Input;

/// A reader that begins at some byte and keeps its own position.
pub struct At {
    file: Arc<File>,
    /// Where the input begins in the file, and how long it is if it is only a part.
    start: u64,
    len: Option<u64>,
    position: u64,
}

impl At {
    /// Opens what `input` is on disk (or shares the copy of a pipe) for reading from byte `position` on.
    ///
    /// # Errors
    /// [`Error::Read`].
    pub fn open(input: &Input, position: u64) -> Result<Self, Error> {
        let file = match &input.spool {
            Some(file) => Arc::clone(file),
            None => File::open(&input.path)
                .map(Arc::new)
                .map_err(|source| super::read_error(input, source))?,
        };
        let (start, len) = match input.window().0 {
            Some((start, len)) => (start, Some(len)),
            None => (0, None),
        };
        Ok(Self {
            file,
            start,
            len,
            position,
        })
    }

    /// Goes to byte `position`.
    pub(super) fn go_to(&mut self, position: u64) {
        self.position = position;
    }
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.len.map_or(u64::MAX, |len| len.saturating_sub(self.position));
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let from = self.start.saturating_add(self.position);
        let read = read_at(&self.file, &mut buffer[..most], from)?;
        if read == 0 && most > 0 && self.len.is_some() {
            return Err(super::content::ended_early());
        }
        self.position += read as u64;
        Ok(read)
    }
}

impl Seek for At {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let from = |base: u64, by: i64| base.checked_add_signed(by);
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => from(self.position, by),
            SeekFrom::End(by) => match self.len {
                Some(len) => from(len, by),
                None => from(self.file.metadata()?.len(), by),
            },
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
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
