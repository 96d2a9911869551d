//! One hop's log files: buffered, rotated, compressed on the way.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Bytes gathered before they are written.
const BLOCK: usize = 1 << 20;

/// How a hop's files are called when there are several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// `access.log`, before it `access.log.1`, `access.log.2`: the highest number is the oldest.
    Numbered,
    /// `u_extend1.log`, `u_extend2.log`: the highest number is the newest (IIS, files limited in size).
    Extended,
}

/// What every file of a hop is made with.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Directory of the hop.
    pub dir: PathBuf,
    /// Name of the current file (without `.gz`).
    pub name: String,
    /// How rotated ones are called.
    pub naming: Naming,
    /// How many files the log is spread over.
    pub files: usize,
    /// Bytes after which the next file begins.
    pub file_bytes: u64,
    /// Whether the files are compressed.
    pub gzip: bool,
    /// First lines of every file.
    pub preamble: &'static [&'static str],
    /// Whether lines end in CRLF.
    pub crlf: bool,
}

enum Out {
    Plain(File),
    Gzip(Box<GzEncoder<File>>),
}

impl Out {
    fn open(path: &Path, gzip: bool) -> io::Result<Self> {
        let file = File::create(path)?;
        Ok(if gzip {
            Self::Gzip(Box::new(GzEncoder::new(file, Compression::new(6))))
        } else {
            Self::Plain(file)
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Gzip(encoder) => encoder.finish().map(drop),
        }
    }
}

/// A log being written.
pub struct Sink {
    layout: Layout,
    out: Out,
    /// Files finished.
    done: usize,
    in_file: u64,
    /// Bytes of log text accepted so far, compressed or not.
    pub total: u64,
    /// Lines accepted so far.
    pub lines: u64,
    end: &'static [u8],
    buffer: Vec<u8>,
}

impl Sink {
    /// Makes the directory and the first file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn create(layout: Layout) -> io::Result<Self> {
        fs::create_dir_all(&layout.dir)?;
        let out = Out::open(&path(&layout, 0), layout.gzip)?;
        let mut sink = Self {
            layout,
            out,
            done: 0,
            in_file: 0,
            total: 0,
            lines: 0,
            end: b"\n",
            buffer: Vec::with_capacity(BLOCK + 4096),
        };
        sink.begin();
        Ok(sink)
    }

    fn begin(&mut self) {
        // Every third file went through a system that changed the line ends.
        self.end = if self.layout.crlf && self.done % 3 != 2 {
            b"\r\n"
        } else {
            b"\n"
        };
        let start = self.buffer.len();
        for line in self.layout.preamble {
            self.buffer.extend_from_slice(line.as_bytes());
            self.buffer.extend_from_slice(self.end);
        }
        self.in_file = (self.buffer.len() - start) as u64;
        self.total += self.in_file;
    }

    /// The buffer that the next line is to be appended to, without line end. [`Sink::end_line`] must follow.
    pub fn line(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Ends the line appended since `start` (the buffer's length before it).
    ///
    /// # Errors
    /// What the file system says.
    pub fn end_line(&mut self, start: usize) -> io::Result<()> {
        self.buffer.extend_from_slice(self.end);
        let added = (self.buffer.len() - start) as u64;
        self.in_file += added;
        self.total += added;
        self.lines += 1;
        if self.buffer.len() >= BLOCK {
            self.flush()?;
        }
        if self.in_file >= self.layout.file_bytes && self.done + 1 < self.layout.files {
            self.flush()?;
            self.done += 1;
            let next = Out::open(&path(&self.layout, self.done), self.layout.gzip)?;
            std::mem::replace(&mut self.out, next).finish()?;
            self.begin();
        }
        Ok(())
    }

    /// Adds one whole line, given without line end.
    ///
    /// # Errors
    /// What the file system says.
    pub fn push(&mut self, line: &[u8]) -> io::Result<()> {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(line);
        self.end_line(start)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    /// Writes what is left and closes the file.
    ///
    /// # Errors
    /// What the file system says.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.finish()
    }
}

/// The path of the `n`th file in order of time.
fn path(layout: &Layout, n: usize) -> PathBuf {
    let name = match layout.naming {
        _ if layout.files == 1 => layout.name.clone(),
        Naming::Extended => format!("u_extend{}.log", n + 1),
        Naming::Numbered if n + 1 == layout.files => layout.name.clone(),
        Naming::Numbered => format!("{}.{}", layout.name, layout.files - 1 - n),
    };
    let end = if layout.gzip { ".gz" } else { "" };
    layout.dir.join(format!("{name}{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_spread_over_rotated_files_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout {
            dir: dir.path().to_owned(),
            name: "access.log".to_owned(),
            naming: Naming::Numbered,
            files: 3,
            file_bytes: 8,
            gzip: false,
            preamble: &[],
            crlf: false,
        };
        let mut sink = Sink::create(layout).unwrap();
        for line in ["one 1", "two 2", "three", "four", "five", "six"] {
            sink.push(line.as_bytes()).unwrap();
        }
        sink.finish().unwrap();
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!(read("access.log.2"), "one 1\ntwo 2\n");
        assert_eq!(read("access.log.1"), "three\nfour\n");
        assert_eq!(read("access.log"), "five\nsix\n");
    }
}
