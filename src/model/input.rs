//! A file to read, as discovery leaves it and as every later stage names it.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::SourceId;

/// One file to read.
#[derive(Debug, Clone)]
pub struct Input {
    /// Its index in the run's list of inputs.
    pub id: SourceId,
    /// The path to open.
    pub path: PathBuf,
    /// The path as reports name it: as given, `/` between its parts, no leading `./`.
    pub shown: String,
    /// [`Input::shown`] without rotation and compression suffixes; the same for all parts of one log.
    pub stream: String,
    /// Whether the bytes on disk are compressed.
    pub compression: Compression,
    /// Size of the file when it was found.
    pub bytes_on_disk: u64,
    /// The copy of standard input or of a pipe; `None` for a file.
    pub spool: Option<Arc<File>>,
}

/// How a file is compressed, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// gzip, of one or several members.
    Gzip,
}
