//! Directories and globs to files: sorted, hidden names left out, symbolic links followed once.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

/// What makes two paths the same file: device and inode, or the canonical path where there are none.
pub(super) type Identity = (u64, u64, PathBuf);

/// A file, or a path that could not be looked at.
pub(super) type Item = Result<PathBuf, (PathBuf, io::Error)>;

/// The identity of the file behind `path`, links followed.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::metadata(path)?;
    Ok((meta.dev(), meta.ino(), PathBuf::new()))
}

/// The identity of the file behind `path`, links followed.
#[cfg(not(unix))]
pub(super) fn identity(path: &Path) -> io::Result<Identity> {
    Ok((0, 0, path.canonicalize()?))
}

/// The regular files below `directory`, in the order of their names, depth first.
pub(super) fn files(directory: &Path) -> Vec<Item> {
    let mut walk = Walk::default();
    walk.enter(directory);
    walk.items
}

#[derive(Default)]
struct Walk {
    directories: BTreeSet<Identity>,
    items: Vec<Item>,
}

impl Walk {
    fn enter(&mut self, directory: &Path) {
        match identity(directory) {
            Ok(identity) => {
                if !self.directories.insert(identity) {
                    return;
                }
            }
            Err(error) => return self.items.push(Err((directory.to_owned(), error))),
        }
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.items.push(Err((directory.to_owned(), error))),
        };
        let mut names: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name())
            .filter(|name| !name.to_string_lossy().starts_with('.'))
            .collect();
        names.sort();
        for name in names {
            self.visit(directory.join(name));
        }
    }

    fn visit(&mut self, path: PathBuf) {
        match std::fs::metadata(&path) {
            Ok(meta) if meta.is_dir() => self.enter(&path),
            Ok(meta) if meta.is_file() => self.items.push(Ok(path)),
            Ok(_) => {} // Sockets, pipes and devices: opening one might wait for ever.
            Err(error) => self.items.push(Err((path, error))),
        }
    }
}

/// Whether `path` has a sign that only globs have.
pub(super) fn is_glob(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?', '[', '{'])
}

/// The files that `pattern` matches; those below a directory that it matches as well.
pub(super) fn glob(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let text = super::shown(pattern);
    let matcher = GlobBuilder::new(&text)
        .literal_separator(true)
        .build()
        .map_err(|error| format!("'{text}' is not a glob: {}", error.kind()))?
        .compile_matcher();
    let base: PathBuf = pattern
        .components()
        .take_while(|part| !is_glob(Path::new(part)))
        .collect();
    let base = if base.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        base
    };
    let found = files(&base).into_iter().filter_map(Result::ok);
    Ok(found.filter(|file| fits(&matcher, &super::shown(file))).collect())
}

/// Whether the glob matches `shown` or a directory above it.
fn fits(matcher: &GlobMatcher, shown: &str) -> bool {
    let ends = shown.match_indices('/').map(|(at, _)| at).chain([shown.len()]);
    ends.map(|end| &shown[..end]).any(|part| matcher.is_match(part))
}
