//! Archives as directories: each regular file in them becomes an input of its own, a range of the archive's bytes.
//!
//! A compressed tar archive is decompressed once into a file without a name, so that its members can be read
//! side by side; one that is larger than [`SPOOL_MOST`] is decompressed again for each reading of a member.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;

use zip::CompressionMethod;

use super::{LOOK, content::Archive};
use crate::model::finding::Problem;
use crate::model::{Coding, Input};
use crate::read::{At, Content};

/// Decompressed bytes that are kept on disk.
const SPOOL_MOST: u64 = 1 << 30;

/// How many members are looked at.
const MEMBERS_MOST: usize = 20_000;

const HINT: &str = "copy the archive again from its origin, or unpack what can be had and name the directory";

/// What an archive holds.
#[derive(Default)]
pub(super) struct Listed {
    /// Its files, in its order.
    pub(super) members: Vec<Member>,
    /// What is wrong with it.
    pub(super) problems: Vec<Problem>,
}

/// A file in an archive.
pub(super) struct Member {
    /// As an input, its own codings not yet known.
    pub(super) input: Input,
    /// Its first bytes, if they were at hand.
    pub(super) head: Option<Vec<u8>>,
}

/// The members of `archive`, which is kept decompressed from here on if it can be.
pub(super) fn members(kind: Archive, archive: &mut Input) -> Listed {
    let mut listed = Listed::default();
    if !archive.is_plain() {
        match spooled(archive) {
            Ok(Some(damage)) => listed.problem(archive, &damage),
            Ok(None) => {}
            Err(what) if kind == Archive::Zip => {
                listed.problem(archive, &what);
                return listed;
            }
            // It will be read as a stream.
            Err(_) => {}
        }
    }
    let result = match kind {
        Archive::Tar => tar(archive, &mut listed),
        Archive::Zip => zip(archive, &mut listed),
    };
    if let Err(error) = result {
        listed.problem(archive, &error.to_string());
    }
    listed
}

/// Puts the content of `archive` into a file without a name. What broke on the way, if the content is damaged.
///
/// # Errors
/// In words, why it stays as it is: too large, no space.
fn spooled(archive: &mut Input) -> Result<Option<String>, String> {
    let mut content = Content::open(archive).map_err(|error| error.to_string())?;
    let mut file = tempfile::tempfile().map_err(|error| error.to_string())?;
    let mut buffer = vec![0; 256 * 1024];
    let (mut size, mut damage) = (0u64, None);
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                size += read as u64;
                if size > SPOOL_MOST {
                    return Err("it is too large to be unpacked in passing".to_owned());
                }
                file.write_all(&buffer[..read])
                    .map_err(|error| error.to_string())?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                damage = Some(error.to_string());
                break;
            }
        }
    }
    keep(archive, file, size);
    Ok(damage)
}

fn keep(archive: &mut Input, file: File, size: u64) {
    archive.spool = Some(Arc::new(file));
    archive.codings = Vec::new();
    archive.bytes_on_disk = size;
}

fn tar(archive: &Input, listed: &mut Listed) -> io::Result<()> {
    let stop = |error: crate::error::Error| io::Error::other(error.to_string());
    if archive.is_plain() {
        let mut tar = tar::Archive::new(At::open(archive, 0).map_err(stop)?);
        return entries(archive, tar.entries_with_seek()?, listed);
    }
    let mut tar = tar::Archive::new(Content::open(archive).map_err(stop)?);
    entries(archive, tar.entries()?, listed)
}

fn entries<R: Read>(archive: &Input, entries: tar::Entries<'_, R>, listed: &mut Listed) -> io::Result<()> {
    for entry in entries {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(shown) = shown(archive, &name) else {
            continue;
        };
        if kind.is_gnu_sparse() {
            listed.skipped(&shown, "it is a sparse file");
        }
        if !kind.is_file() && !kind.is_contiguous() {
            continue;
        }
        if listed.is_full(archive) {
            break;
        }
        let part = Coding::Part {
            offset: entry.raw_file_position(),
            len: entry.size(),
        };
        let changed = entry.header().mtime().ok();
        let mut head = Vec::new();
        // A member that is cut short is read as far as it goes.
        let _ = (&mut entry).take(LOOK as u64).read_to_end(&mut head);
        let mut input = member(archive, shown, part, entry.size());
        input.changed_us = changed
            .and_then(|seconds| i64::try_from(seconds).ok())
            .and_then(|seconds| seconds.checked_mul(1_000_000));
        listed.members.push(Member {
            input,
            head: Some(head),
        });
    }
    Ok(())
}

fn zip(archive: &Input, listed: &mut Listed) -> io::Result<()> {
    let file = At::open(archive, 0).map_err(|error| io::Error::other(error.to_string()))?;
    let mut zip = zip::ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
    for at in 0..zip.len() {
        let file = zip.by_index_raw(at).map_err(io::Error::other)?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let shown = shown(archive, &name).filter(|_| !file.is_dir() && !file.is_symlink());
        let (Some(shown), Some(offset)) = (shown, file.data_start()) else {
            continue;
        };
        if listed.is_full(archive) {
            break;
        }
        if file.encrypted() {
            listed.skipped(&shown, "it is encrypted");
            continue;
        }
        let Some(codings) = codings(file.compression(), file.crc32(), file.size()) else {
            listed.skipped(&shown, "it is packed in a way that is not read");
            continue;
        };
        let part = Coding::Part {
            offset,
            len: file.compressed_size(),
        };
        let mut input = member(archive, shown, part, file.compressed_size());
        input.codings.extend(codings);
        listed.members.push(Member { input, head: None });
    }
    Ok(())
}

/// How a member of a zip archive is packed; `None` if it cannot be read.
fn codings(method: CompressionMethod, crc: u32, len: u64) -> Option<Vec<Coding>> {
    Some(match method {
        CompressionMethod::STORE => Vec::new(),
        CompressionMethod::DEFLATE => vec![Coding::Deflate { crc, len }],
        CompressionMethod::BZIP2 => vec![Coding::Bzip2],
        CompressionMethod::ZSTD => vec![Coding::Zstd],
        CompressionMethod::XZ => vec![Coding::Xz],
        _ => return None,
    })
}

fn member(archive: &Input, shown: String, part: Coding, bytes_on_disk: u64) -> Input {
    let mut input = archive.clone();
    input.shown = shown;
    input.codings.push(part);
    input.bytes_on_disk = bytes_on_disk;
    input
}

/// A member's name as reports name it; `None` for hidden ones, which directories leave out as well.
fn shown(archive: &Input, name: &str) -> Option<String> {
    let parts = || {
        name.split(['/', '\\'])
            .filter(|part| !matches!(*part, "" | "." | ".."))
    };
    if parts().next().is_none() || parts().any(|part| part.starts_with('.')) {
        return None;
    }
    let parts: Vec<&str> = parts().collect();
    Some(format!("{}/{}", archive.shown, parts.join("/")))
}

impl Listed {
    fn problem(&mut self, archive: &Input, what: &str) {
        self.problems.push(Problem {
            path: archive.shown.clone(),
            message: format!("cannot read all of archive {}: {what}", archive.shown),
            hint: HINT.to_owned(),
        });
    }

    fn skipped(&mut self, shown: &str, what: &str) {
        self.problems.push(Problem {
            path: shown.to_owned(),
            message: format!("skipped {shown}: {what}"),
            hint: "unpack the archive and name the directory".to_owned(),
        });
    }

    /// Whether no more members are taken; says so once.
    fn is_full(&mut self, archive: &Input) -> bool {
        let full = self.members.len() >= MEMBERS_MOST;
        if full {
            self.problem(archive, &format!("it has more than {MEMBERS_MOST} files"));
        }
        full
    }
}
