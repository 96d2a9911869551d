//! What can be wrong with a line, and what can be wrong with a format definition.

/// A line that its parser could not read. Counted and shown, never fatal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineError {
    /// Byte offset in the line at which reading stopped.
    pub at: usize,
    /// The field that was wanted there, in the words of the format.
    pub want: &'static str,
}

impl LineError {
    /// A line that broke at byte `at`, where `want` should stand.
    pub const fn new(at: usize, want: &'static str) -> Self {
        Self { at, want }
    }
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no {} at byte {}", self.want, self.at)
    }
}

impl std::error::Error for LineError {}

/// A format string that could not be compiled to a template.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The dialect's own grammar is violated.
    #[error("{dialect} format: {what} at byte {at}")]
    Syntax {
        /// Whose format language it is.
        dialect: &'static str,
        /// What is wrong, lower case.
        what: String,
        /// Byte offset in the format string.
        at: usize,
    },
    /// Two fields stand side by side with nothing between them that could end the first.
    #[error("{dialect} format: nothing separates {first} from {second}")]
    Unseparated {
        /// Whose format language it is.
        dialect: &'static str,
        /// The field on the left.
        first: String,
        /// The field on the right.
        second: String,
    },
    /// No time can be taken from a line of this format.
    #[error("{dialect} format: no field gives the time of a line")]
    NoTime {
        /// Whose format language it is.
        dialect: &'static str,
    },
    /// The dialect's name is not known.
    #[error("unknown format dialect '{0}'")]
    UnknownDialect(String),
}
