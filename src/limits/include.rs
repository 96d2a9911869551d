//! Reads configuration files and those they include, with bounds on how much.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use super::text::{At, DEPTH_CAP};
use crate::model::finding::Problem;

/// A configuration file larger than this is not read: real ones are a few hundred kilobytes at most.
pub(super) const FILE_CAP_BYTES: u64 = 4 << 20;
/// All files of one server together; includes that fan out stop here.
const TOTAL_CAP_BYTES: u64 = 32 << 20;
/// Files of one server, for the same reason.
const FILES_CAP: usize = 4_000;
/// Notes about one server; a broken file would otherwise fill the report.
const PROBLEMS_CAP: usize = 20;

/// What a reader keeps while it follows includes: the files read so far and what was wrong with them.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// What could not be used.
    pub(super) problems: Vec<Problem>,
    /// Every file read so far, the main file first, links resolved.
    pub(super) files: Vec<PathBuf>,
    bytes: u64,
    main_dir: PathBuf,
    main_shown: String,
}

impl Reading {
    /// Reads the main file as text; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// A problem that names the file if it cannot be read, is not a regular file or is too large.
    pub(super) fn main(&mut self, file: &Path, shown: &str) -> Result<String, Problem> {
        self.main_dir = file.parent().map(Path::to_path_buf).unwrap_or_default();
        self.main_shown = shown.to_owned();
        self.load(file)
            .map_err(|message| problem(shown, message, "check its path and permissions"))
    }

    fn load(&mut self, file: &Path) -> Result<String, String> {
        let text = load(file)?;
        self.bytes += text.len() as u64;
        self.files.push(canonical(file));
        Ok(text)
    }

    /// Notes that something at `at` could not be used.
    pub(super) fn note(&mut self, at: &At, message: &str, hint: &str) {
        if self.problems.len() < PROBLEMS_CAP {
            self.problems
                .push(problem(&at.file, format!("line {}: {message}", at.line), hint));
        }
    }

    /// Reads the files an include directive names, sorted. `open` are the files being read at this moment:
    /// one of them is not entered again. Nothing found is a note, unless an empty directory explains it.
    pub(super) fn include(
        &mut self,
        pattern: &str,
        at: &At,
        open: &[PathBuf],
    ) -> Vec<(PathBuf, Rc<str>, String)> {
        let mut texts = Vec::new();
        if self.is_full(open) {
            self.note(at, "too many included files, the rest is left out", "");
            return texts;
        }
        let Some(files) = self.resolve(pattern) else {
            let message = format!("included file not found: {pattern}");
            self.note(
                at,
                &message,
                "put the included files beside the main file to have their settings used",
            );
            return texts;
        };
        for file in files {
            if self.is_full(open) {
                self.note(at, "too many included files, the rest is left out", "");
                break;
            }
            let real = canonical(&file);
            if open.contains(&real) {
                self.note(at, "the file includes itself", "remove the circular include");
                continue;
            }
            match self.load(&file) {
                Ok(text) => texts.push((real, self.shown(&file), text)),
                Err(message) => self.note(
                    at,
                    &format!("included file {pattern}: {message}"),
                    "check its permissions",
                ),
            }
        }
        texts
    }

    fn is_full(&self, open: &[PathBuf]) -> bool {
        self.files.len() >= FILES_CAP || self.bytes >= TOTAL_CAP_BYTES || open.len() >= DEPTH_CAP
    }

    /// The name under which reports show an included file: beside the main file's own name where it lies there.
    fn shown(&self, file: &Path) -> Rc<str> {
        let shown_dir = Path::new(&self.main_shown).parent().unwrap_or(Path::new(""));
        let below = |dir: &Path, shown: &Path| file.strip_prefix(dir).ok().map(|rest| shown.join(rest));
        let name = below(&self.main_dir, shown_dir)
            .or_else(|| below(self.main_dir.parent()?, shown_dir.parent()?))
            .unwrap_or_else(|| file.to_path_buf());
        name.to_string_lossy().into()
    }

    /// The files that `pattern` names. Configuration is often copied away from its machine, so an absolute
    /// path is looked for below the main file first (`/etc/nginx/conf.d/*` as `conf.d/*`), and as written
    /// only if it lies in the main file's own tree: another machine's path must not read this machine's file.
    fn resolve(&self, pattern: &str) -> Option<Vec<PathBuf>> {
        let path = Path::new(pattern);
        let parts: Vec<&std::ffi::OsStr> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                Component::ParentDir => Some(std::ffi::OsStr::new("..")),
                _ => None,
            })
            .collect();
        let bases = [Some(self.main_dir.as_path()), self.main_dir.parent()];
        let own_tree = bases
            .iter()
            .flatten()
            .any(|base| !base.as_os_str().is_empty() && path.starts_with(base));
        let mut seen_directory = false;
        let mut look = |candidate: &Path| {
            let (files, directory) = expand(candidate);
            seen_directory |= directory;
            (!files.is_empty()).then_some(files)
        };
        if path.is_absolute() && own_tree {
            return look(path).or_else(|| (seen_directory && is_glob(pattern)).then(Vec::new));
        }
        // A relative path is meant as written; only an absolute one may have lost its head.
        let tails = if path.is_absolute() { parts.len() } else { 1 };
        for skip in 0..tails {
            let tail: PathBuf = parts.iter().skip(skip).collect();
            // A bare pattern would take in whatever lies beside the main file.
            if skip > 0 && skip + 1 == parts.len() && is_glob(pattern) {
                break;
            }
            for base in bases.iter().flatten() {
                if let Some(files) = look(&base.join(&tail)) {
                    return Some(files);
                }
            }
        }
        (seen_directory && is_glob(pattern)).then(Vec::new)
    }
}

/// A note for the report.
pub(super) fn problem(path: &str, message: String, hint: &str) -> Problem {
    Problem {
        path: path.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}

/// The file with links resolved, or as it is if that fails.
pub(super) fn canonical(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf())
}

/// Reads a whole file as text.
fn load(file: &Path) -> Result<String, String> {
    // Checked before opening: opening a pipe would wait for a writer.
    let meta = fs::metadata(file).map_err(|error| format!("cannot read: {error}"))?;
    if !meta.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|error| format!("cannot read: {error}"))?;
    opened
        .take(FILE_CAP_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read: {error}"))?;
    if bytes.len() as u64 > FILE_CAP_BYTES {
        return Err(format!(
            "larger than {} MiB, not read as configuration",
            FILE_CAP_BYTES >> 20
        ));
    }
    Ok(String::from_utf8_lossy(&bytes)
        .trim_start_matches('\u{feff}')
        .to_owned())
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The regular files that match `pattern`, sorted, and whether the directory of the last part exists.
/// A directory stands for the files in it.
fn expand(pattern: &Path) -> (Vec<PathBuf>, bool) {
    let mut found: BTreeSet<PathBuf> = BTreeSet::new();
    found.insert(PathBuf::new());
    let mut directory = false;
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        directory = found.iter().any(|base| base.is_dir());
        if !is_glob(&name) {
            found = found.into_iter().map(|base| base.join(part)).collect();
            continue;
        }
        let Ok(glob) = globset::Glob::new(&name) else {
            return (Vec::new(), directory);
        };
        let matcher = glob.compile_matcher();
        let hidden = name.starts_with('.');
        found = found
            .iter()
            .flat_map(|base| entries(base))
            .filter(|path| {
                let name = path
                    .file_name()
                    .map(|name| name.to_string_lossy())
                    .unwrap_or_default();
                (hidden || !name.starts_with('.')) && matcher.is_match(name.as_ref())
            })
            .take(FILES_CAP)
            .collect();
    }
    let mut files = BTreeSet::new();
    for path in found {
        if path.is_dir() {
            files.extend(entries(&path).into_iter().filter(|path| path.is_file()));
        } else if path.is_file() {
            files.insert(path);
        }
    }
    (files.into_iter().collect(), directory)
}

/// What a directory holds, sorted; nothing if it cannot be read.
pub(super) fn entries(dir: &Path) -> Vec<PathBuf> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    let Ok(list) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = list
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}
