//! A file to read, as discovery leaves it and as every later stage names it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::SourceId;

/// One file to read, or one member of an archive.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its index in the run's list of inputs.
    pub id: SourceId,
    /// The path to open; of a member, that of its archive.
    pub path: PathBuf,
    /// The path as reports name it: as given, `/` between its parts, no leading `./`. The members of an archive
    /// stand below it as if it were a directory.
    pub shown: String,
    /// [`Input::shown`] without rotation and compression suffixes; the same for all parts of one log.
    pub stream: String,
    /// What has to be undone to come from the bytes on disk to lines, in this order.
    pub codings: Vec<Coding>,
    /// Size when it was found; of a member, its size in the archive.
    pub bytes_on_disk: u64,
    /// The copy of standard input, of a pipe or of an archive's decompressed content; `None` for a file.
    pub spool: Option<Arc<File>>,
    /// When it was last changed, in microseconds since the Unix epoch, where the path does not tell: members.
    pub changed_us: Option<i64>,
}

/// How bytes are kept. All offsets into an input are those of its content, every coding undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// A range of bytes: a member of an archive.
    Part {
        /// First byte.
        offset: u64,
        /// Length in bytes.
        len: u64,
    },
    /// gzip, of one or several members.
    Gzip,
    /// Zstandard, of one or several frames.
    Zstd,
    /// bzip2, of one or several streams.
    Bzip2,
    /// xz, of one or several streams.
    Xz,
    /// A compressed member of a zip archive, with the sum and the length that its directory states.
    Deflate {
        /// CRC-32 of the content.
        crc: u32,
        /// Length of the content.
        len: u64,
    },
    /// Text in UTF-16, with a byte order mark; the content is UTF-8.
    Utf16 {
        /// High byte first.
        big_endian: bool,
    },
    /// `journalctl -o export`; the content is what `-o short-iso-precise` prints.
    Journal,
    /// A JSON document whose records are elements of an array, or objects over several lines; the content has
    /// one of them per line.
    Elements,
    /// Windows events as XML, not one to a line; the content has one of them per line.
    Events,
    /// Syslog records with nothing between them; the content has one of them per line.
    Forwarded,
}

impl Input {
    /// Whether any byte can be read without those before it: the content is the file, or a part of it.
    pub fn is_plain(&self) -> bool {
        self.window().1.is_empty()
    }

    /// The range of bytes on disk that holds the input (`None`: all), and the codings to be undone in it.
    pub fn window(&self) -> (Option<(u64, u64)>, &[Coding]) {
        let mut window: Option<(u64, u64)> = None;
        for (at, coding) in self.codings.iter().enumerate() {
            let Coding::Part { offset, len } = *coding else {
                return (window, &self.codings[at..]);
            };
            window = Some(match window {
                None => (offset, len),
                Some((start, most)) => (start.saturating_add(offset), len.min(most.saturating_sub(offset))),
            });
        }
        (window, &[])
    }

    /// Whether it is a document, which may have records in it but need not be a log.
    pub fn is_document(&self) -> bool {
        self.codings.contains(&Coding::Elements)
    }
}
