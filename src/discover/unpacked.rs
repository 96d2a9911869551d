//! Configuration in archives, copied beside each other into a directory of their own: their readers follow includes by path.

use std::fs;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::model::Input;
use crate::read::Content;

/// Copies of configuration files, gone with the last clone of this.
#[derive(Debug, Default, Clone)]
pub struct Unpacked {
    directory: Option<Arc<TempDir>>,
    /// The copy and the name that reports show.
    files: Vec<(PathBuf, String)>,
}

impl Unpacked {
    /// The directory that holds the copies, if there are any.
    pub fn directory(&self) -> Option<PathBuf> {
        self.directory
            .as_ref()
            .map(|directory| directory.path().to_path_buf())
    }

    /// The name of a copy for reports; `None` if `path` is none.
    pub fn shown(&self, path: &Path) -> Option<&str> {
        let own = self.files.iter().find(|(copy, _)| copy == path);
        own.map(|(_, shown)| shown.as_str())
    }

    /// Copies the content of `input`, at most `most` bytes. What is larger or cannot be read is left out: it is still
    /// an input, and what is wrong with it is said there.
    pub(super) fn add(&mut self, input: &Input, most: u64) {
        let _ = self.copy(input, most);
    }

    fn copy(&mut self, input: &Input, most: u64) -> io::Result<()> {
        let mut content = Vec::new();
        let from = Content::open(input).map_err(|error| io::Error::other(error.to_string()))?;
        from.take(most + 1).read_to_end(&mut content)?;
        if content.len() as u64 > most {
            return Ok(());
        }
        let directory = match &self.directory {
            Some(directory) => Arc::clone(directory),
            None => Arc::clone(self.directory.insert(Arc::new(tempfile::tempdir()?))),
        };
        let copy = directory.path().join(below(&input.shown));
        if let Some(parent) = copy.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&copy, content)?;
        self.files.push((copy, input.shown.clone()));
        Ok(())
    }
}

/// A relative path for the file called `shown`. Hidden directories would be passed over, and the archive may lie in one.
fn below(shown: &str) -> PathBuf {
    let parts = Path::new(shown).components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    parts
        .map(|name| name.trim_start_matches('.').to_owned())
        .collect()
}
