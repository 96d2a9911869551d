//! Formats that the user defined, one TOML file each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use why502_parsers::define::Defined;
use why502_parsers::{Format, registry};

use super::DeclaredFormat;
use crate::error::Error;
use crate::model::finding::Problem;

/// Reads the definitions in `places`: files, and directories of `*.toml`. What is wrong with one of them is a
/// problem, and the rest holds.
///
/// # Errors
/// [`Error::Read`] if one of `places` cannot be read at all.
pub fn definitions(places: &[PathBuf]) -> Result<(Vec<DeclaredFormat>, Vec<Problem>), Error> {
    let (mut formats, mut problems) = (Vec::<DeclaredFormat>::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for place in places {
        for path in files(place)? {
            let shown = path.to_string_lossy().into_owned();
            let problem = |message: String, hint: String| Problem {
                path: shown.clone(),
                message,
                hint,
            };
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(source) => {
                    let error = Error::Read { path, source };
                    problems.push(error.problem(&shown));
                    continue;
                }
            };
            match Defined::read(&shown, &text) {
                Ok(defined) if registry::by_name(defined.name()).is_some() => problems.push(problem(
                    format!("{shown}: '{}' is the name of a built-in format", defined.name()),
                    "choose another name".to_owned(),
                )),
                // The first definition of a name holds, so that a directory given goes before the user's own.
                Ok(defined) if !seen.insert(defined.name().to_owned()) => {}
                Ok(defined) => formats.push(DeclaredFormat {
                    format: Arc::new(defined),
                    log_path: String::new(),
                    config: shown,
                    is_definition: true,
                }),
                Err(error) => problems.push(problem(error.to_string(), error.hint.clone())),
            }
        }
    }
    Ok((formats, problems))
}

/// The definitions at `place`, by name.
///
/// # Errors
/// [`Error::Read`].
pub fn files(place: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: place.to_path_buf(),
        source,
    };
    if !std::fs::metadata(place).map_err(failed)?.is_dir() {
        return Ok(vec![place.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
