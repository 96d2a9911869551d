//! Paths to inputs: walks directories, expands globs, tells logs from what cannot be read as text.

mod archive;
mod content;
mod stream;
mod unpacked;
mod walk;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, read_hint};
use crate::model::SourceId;
use crate::model::finding::Problem;
use crate::model::input::{Coding, Input};
use crate::read::Content as Bytes;

pub use content::{has_configuration_words, looks_like_configuration};
pub use stream::stream_name;
pub use unpacked::Unpacked;

/// Bytes looked at to tell text from anything else.
const LOOK: usize = 8 * 1024;

/// A configuration is never larger than this many bytes.
const CONFIG_MOST: u64 = 4 * 1024 * 1024;

/// How many codings may lie one over the other.
const CODINGS_MOST: usize = 8;

/// How many archives may lie one in the other.
const ARCHIVES_MOST: usize = 3;

/// What the paths led to.
#[derive(Debug, Default)]
pub struct Inputs {
    /// Text files and members of archives, compressed or not, in the order of their streams, the oldest part of each
    /// first: a log that was rotated is then read in the order in which it was written. [`SourceId`] is the index.
    pub inputs: Vec<Input>,
    /// Those of them that may be server configuration, as paths to open; their content decides.
    pub configs: Vec<PathBuf>,
    /// The same of members of archives, copied.
    pub unpacked: Unpacked,
    /// What could not be used.
    pub problems: Vec<Problem>,
}

/// Finds the inputs behind `paths` (files, directories, globs, `-`). What cannot be used becomes a
/// problem and the rest goes on. The result does not depend on the order of `paths`.
///
/// # Errors
/// [`Error::NothingToRead`] if not one file is left, [`Error::Spool`] if standard input cannot be kept.
pub fn discover(paths: &[PathBuf]) -> Result<Inputs, Error> {
    let mut finder = Finder::default();
    for path in paths {
        finder.add(path)?;
    }
    let mut found = finder.found;
    if found.inputs.is_empty() {
        return Err(nothing(found.problems));
    }
    stream::merge_numbered(&mut found.inputs);
    found
        .inputs
        .sort_by_cached_key(|input| (input.stream.clone(), stream::age(input), input.shown.clone()));
    for (at, input) in found.inputs.iter_mut().enumerate() {
        input.id = SourceId(u32::try_from(at).unwrap_or(u32::MAX));
    }
    found.configs.sort();
    found.problems.sort();
    Ok(found)
}

/// The error of paths that led nowhere.
fn nothing(mut problems: Vec<Problem>) -> Error {
    problems.sort();
    if problems.is_empty() {
        problems.push(Problem {
            path: String::new(),
            message: "no path was given".to_owned(),
            hint: "name a directory of logs, a file, or - for standard input".to_owned(),
        });
    }
    let first = problems.remove(0);
    Error::NothingToRead {
        first,
        others: problems,
    }
}

/// `path` as reports name it.
pub fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.into_owned()
    };
    let mut rest = text.as_str();
    while let Some(shorter) = rest.strip_prefix("./") {
        rest = shorter.trim_start_matches('/');
    }
    let mut out = String::with_capacity(rest.len());
    for letter in rest.chars() {
        if letter != '/' || !out.ends_with('/') {
            out.push(letter);
        }
    }
    out
}

#[derive(Default)]
struct Finder {
    seen: BTreeSet<walk::Identity>,
    found: Inputs,
}

impl Finder {
    fn add(&mut self, path: &Path) -> Result<(), Error> {
        if path == Path::new("-") {
            return self.spool(path, io::stdin().lock());
        }
        match std::fs::metadata(path) {
            Ok(meta) if meta.is_dir() => self.directory(path),
            Ok(meta) if meta.is_file() => self.file(path),
            Ok(_) => match File::open(path) {
                Ok(pipe) => return self.spool(path, pipe),
                Err(error) => self.unreadable(path, &error),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && walk::is_glob(path) => self.glob(path),
            Err(error) => self.unreadable(path, &error),
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path) {
        let items = walk::files(path);
        if items.is_empty() {
            return self.problem(
                &shown(path),
                format!("no files in directory {}", shown(path)),
                "name the directory that holds the logs",
            );
        }
        for item in items {
            match item {
                Ok(file) => self.file(&file),
                Err((file, error)) => self.unreadable(&file, &error),
            }
        }
    }

    fn glob(&mut self, path: &Path) {
        match walk::glob(path) {
            Ok(files) if files.is_empty() => self.problem(
                &shown(path),
                format!("no file matches {}", shown(path)),
                "* stays within one directory, ** goes through all below",
            ),
            Ok(files) => files.iter().for_each(|file| self.file(file)),
            Err(what) => self.problem(&shown(path), what, "quote the glob, close its brackets"),
        }
    }

    /// Looks at a regular file; one that was reached before is passed over.
    fn file(&mut self, path: &Path) {
        match walk::identity(path) {
            Ok(identity) => {
                if !self.seen.insert(identity) {
                    return;
                }
            }
            Err(error) => return self.unreadable(path, &error),
        }
        match look(path) {
            Ok((bytes_on_disk, head)) => self.start(path, bytes_on_disk, head, None),
            Err(error) => self.unreadable(path, &error),
        }
    }

    fn spool(&mut self, path: &Path, from: impl Read) -> Result<(), Error> {
        let keep = |source| Error::Spool {
            path: path.to_owned(),
            source,
        };
        let (file, bytes, head) = copy_to_temporary(from).map_err(keep)?;
        self.start(path, bytes, head, Some(Arc::new(file)));
        Ok(())
    }

    fn start(&mut self, path: &Path, bytes_on_disk: u64, head: Vec<u8>, spool: Option<Arc<File>>) {
        let input = Input {
            id: SourceId(0),
            path: path.to_owned(),
            stream: String::new(),
            shown: shown(path),
            codings: Vec::new(),
            bytes_on_disk,
            spool,
            changed_us: None,
        };
        self.settle(input, head, 0);
    }

    /// Finds out what `input`, which begins with `head`, is at its core. `depth` counts the archives it is in.
    fn settle(&mut self, mut input: Input, mut head: Vec<u8>, depth: usize) {
        let shown = input.shown.clone();
        loop {
            match content::look_at(&head) {
                content::Content::Text => break,
                content::Content::Coded(Coding::Elements) => {
                    input.codings.push(Coding::Elements);
                    break;
                }
                content::Content::Coded(coding) if input.codings.len() < CODINGS_MOST => {
                    input.codings.push(coding);
                    head = look_inside(&input);
                }
                content::Content::Archive(kind) if depth < ARCHIVES_MOST => {
                    return self.archive(kind, input, depth);
                }
                content::Content::Coded(_) | content::Content::Archive(_) => {
                    let what = format!("skipped {shown}: it is packed too many times over");
                    return self.problem(&shown, what, "unpack it and name the directory");
                }
                content::Content::Other { what, hint } => {
                    return self.problem(&shown, format!("skipped {shown}: {what}"), hint);
                }
            }
        }
        let is_file = matches!(input.codings[..], [] | [Coding::Elements]) && input.spool.is_none();
        if input.bytes_on_disk <= CONFIG_MOST && looks_like_configuration(&shown, &head) {
            if depth > 0 {
                self.found.unpacked.add(&input, CONFIG_MOST);
            } else if is_file {
                self.found.configs.push(input.path.clone());
            }
        }
        input.stream = stream_name(&shown);
        self.found.inputs.push(input);
    }

    /// Settles every member of an archive.
    fn archive(&mut self, kind: content::Archive, mut input: Input, depth: usize) {
        let listed = archive::members(kind, &mut input);
        if listed.members.is_empty() && listed.problems.is_empty() {
            let what = format!("no files in archive {}", input.shown);
            self.problem(&input.shown, what, "name the archive that holds the logs");
        }
        self.found.problems.extend(listed.problems);
        for member in listed.members {
            let head = match member.head {
                Some(head) => head,
                None => look_inside(&member.input),
            };
            self.settle(member.input, head, depth + 1);
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let hint = read_hint(error);
        let error = Error::Read {
            path: PathBuf::from(shown(path)),
            source: io::Error::new(error.kind(), error.to_string()),
        };
        self.problem(&shown(path), error.to_string(), hint);
    }

    fn problem(&mut self, path: &str, message: String, hint: &str) {
        self.found.problems.push(Problem {
            path: path.to_owned(),
            message,
            hint: hint.to_owned(),
        });
    }
}

/// First bytes of the content, as far as they can be had: what is wrong with it will be said when it is read.
fn look_inside(input: &Input) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(content) = Bytes::open(input) {
        let _ = content.take(LOOK as u64).read_to_end(&mut head);
    }
    head
}

/// Size and first bytes of a file.
fn look(path: &Path) -> io::Result<(u64, Vec<u8>)> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    let mut head = Vec::with_capacity(LOOK);
    file.take(LOOK as u64).read_to_end(&mut head)?;
    Ok((bytes, head))
}

/// Copies a stream to a file without a name, so that it can be read twice: the file, its size, its first bytes.
fn copy_to_temporary(mut from: impl Read) -> io::Result<(File, u64, Vec<u8>)> {
    let mut file = tempfile::tempfile()?;
    let bytes = io::copy(&mut from, &mut file)?;
    file.rewind()?;
    let mut head = Vec::with_capacity(LOOK);
    file.by_ref().take(LOOK as u64).read_to_end(&mut head)?;
    Ok((file, bytes, head))
}

#[cfg(test)]
mod tests;
