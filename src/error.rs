//! What ends a run. A line that does not parse, or one bad file among good ones, never does.

use std::io;
use std::path::PathBuf;

use crate::model::finding::Problem;

/// Ends the run, with exit code 2. A line that does not parse is never one of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be opened or read.
    #[error("cannot read {}: {}", path.display(), plain(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A compressed file or an archive is damaged. What came before the damage has been delivered.
    #[error("cannot decompress {shown} beyond {read} bytes: {}", plain(source))]
    Damaged {
        /// Which, as reports name it.
        shown: String,
        /// The file on disk: the archive, if it is a member.
        path: PathBuf,
        /// The command that shows the damage, without the path.
        check: &'static str,
        /// Bytes of its content that could be read.
        read: u64,
        /// Why.
        source: io::Error,
    },
    /// Standard input or a pipe could not be kept for the second reading.
    #[error("cannot keep the input from {} in a temporary file: {}", path.display(), plain(source))]
    Spool {
        /// Which input.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No path led to anything that can be read.
    #[error("nothing to read: {}", first.message)]
    NothingToRead {
        /// What was wrong with the first path.
        first: Problem,
        /// What was wrong with the others.
        others: Vec<Problem>,
    },
    /// Files were read, but no format fits any of them.
    #[error("no known log format in {files} {}: {shown}", if *files == 1 { "file" } else { "files" })]
    NothingKnown {
        /// The first of them, as reports name it.
        shown: String,
        /// How many were looked at.
        files: usize,
        /// What was wrong with those that could not even be looked at.
        problems: Vec<Problem>,
    },
    /// A report could not be written.
    #[error("cannot write {}: {}", path.display(), plain(source))]
    Write {
        /// Where to.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An option has a value that means nothing.
    #[error("{message}")]
    Usage {
        /// What is wrong, with the option and its value.
        message: String,
        /// What would be right.
        hint: String,
    },
}

impl Error {
    /// An option with a value that means nothing: `what` about `option`, and what would be right.
    pub fn usage(option: &str, what: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self::Usage {
            message: format!("{option}: {what}"),
            hint: hint.into(),
        }
    }

    /// What to do about it, in one line.
    pub fn hint(&self) -> String {
        match self {
            Self::Read { source, .. } => read_hint(source).to_owned(),
            Self::Damaged { path, check, .. } => {
                format!(
                    "copy the file again from its origin; {check} {} shows the damage",
                    path.display()
                )
            }
            Self::Spool { .. } => "free some space, or set TMPDIR to a directory that has it".to_owned(),
            Self::NothingToRead { first, .. } => first.hint.clone(),
            Self::NothingKnown { .. } => {
                "name the format with --input-format, or paste the server's own with --log-format 'nginx:…'"
                    .to_owned()
            }
            Self::Write { .. } => "name another file with -o, or - for standard output".to_owned(),
            Self::Usage { hint, .. } => hint.clone(),
        }
    }

    /// What led to it, file by file; to be told as warnings before it.
    pub fn warnings(&self) -> &[Problem] {
        match self {
            Self::NothingToRead { others, .. } => others,
            Self::NothingKnown { problems, .. } => problems,
            _ => &[],
        }
    }

    /// Whether standard output was closed by whoever read it (`why502 … | head`): the end, but no failure.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The same as a problem of one file, for a run that goes on without it.
    pub fn problem(&self, shown: &str) -> Problem {
        Problem {
            path: shown.to_owned(),
            message: self.to_string(),
            hint: self.hint(),
        }
    }
}

/// What to do about a file that cannot be read.
pub fn read_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path; a glob must be quoted or match something",
        io::ErrorKind::PermissionDenied => "run as a user who may read it, or copy it",
        _ => "check the file and the disk it lies on",
    }
}

/// The operating system's words without their number, lower case.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => error.kind().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_file_and_the_remedy_in_one_line_each() {
        let error = Error::Read {
            path: "logs/access.log".into(),
            source: io::Error::from_raw_os_error(13),
        };
        assert_eq!(
            error.to_string(),
            "cannot read logs/access.log: permission denied"
        );
        assert_eq!(error.hint(), "run as a user who may read it, or copy it");
    }

    #[test]
    fn an_error_about_one_file_becomes_a_problem_of_the_run() {
        let error = Error::Damaged {
            shown: "a.gz".into(),
            path: "a.gz".into(),
            check: "gzip -t",
            read: 12,
            source: io::Error::other("Corrupt deflate stream"),
        };
        let problem = error.problem("logs/a.gz");
        assert_eq!(problem.path, "logs/a.gz");
        assert_eq!(
            problem.message,
            "cannot decompress a.gz beyond 12 bytes: corrupt deflate stream"
        );
        assert!(problem.hint.contains("gzip -t a.gz"));
    }
}
