//! Takes the `why502.toml` files that lie beside the logs into the plan.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::discover;
use crate::error::Error;
use crate::plan::{Plan, given};

/// Directories below a given one that are looked into: the file lies beside the logs, not deep among them.
const DEPTH_MOST: usize = 4;
/// Entries looked at; a home directory given by mistake should not be searched for hours.
const ENTRIES_MOST: usize = 50_000;
/// The file is written by hand.
const BYTES_MOST: u64 = 1 << 20;

/// `plan` with what every `why502.toml` says: below its paths and named configurations, beside the files among them,
/// and in the current directory.
///
/// # Errors
/// [`Error::Usage`] names file and line of what is wrong in one; [`Error::Read`] if one cannot be read.
pub fn settle(plan: &Plan) -> Result<Plan, Error> {
    let mut settled = plan.clone();
    for path in found(plan) {
        let failed = |source| Error::Read {
            path: path.clone(),
            source,
        };
        if fs::metadata(&path).map_err(failed)?.len() > BYTES_MOST {
            continue;
        }
        let text = fs::read_to_string(&path).map_err(failed)?;
        given::apply(&mut settled, &text, &discover::shown(&path))?;
    }
    Ok(settled)
}

/// The files, in ascending order of their paths, each once.
fn found(plan: &Plan) -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    let mut looked_at = 0;
    let mut todo: Vec<(PathBuf, usize)> = Vec::new();
    for path in plan.paths.iter().chain(&plan.server_configs) {
        if path.is_dir() {
            todo.push((path.clone(), 0));
        } else if path.is_file() {
            let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty());
            files.insert(beside.unwrap_or(Path::new(".")).join(given::FILE_NAME));
        }
    }
    files.insert(PathBuf::from(given::FILE_NAME));
    while let Some((dir, depth)) = todo.pop() {
        files.insert(dir.join(given::FILE_NAME));
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        for entry in entries {
            looked_at += 1;
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_dir && depth < DEPTH_MOST && looked_at < ENTRIES_MOST {
                todo.push((entry.path(), depth + 1));
            }
        }
    }
    let mut seen = BTreeSet::new();
    files
        .into_iter()
        .filter(|file| file.is_file() && fs::canonicalize(file).is_ok_and(|real| seen.insert(real)))
        .collect()
}
