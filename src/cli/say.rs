//! What is said on standard error: one line for what is wrong, one for what to do.
//!
//! Names of files come from outside, so they are made safe to print here. A standard error that is closed is
//! nobody's business.

use std::io::{self, Write};

use crate::error::Error;
use crate::model::finding::Problem;
use crate::report::escape;

/// So many problems are told one by one; a directory of the wrong files would fill the screen otherwise.
const TOLD: usize = 20;

/// An error, after what led to it.
pub fn error(error: &Error) {
    warnings(error.warnings());
    say("error", &error.to_string(), &error.hint());
}

/// A failure that is not an [`Error`]: a report was written, but it is not what was asked for.
pub(super) fn failure(message: &str, hint: &str) {
    say("error", message, hint);
}

/// What could not be used, and that the run goes on without it.
pub(super) fn warnings(problems: &[Problem]) {
    for problem in problems.iter().take(TOLD) {
        say("warning", &problem.message, &problem.hint);
    }
    if let Some(more) = problems.len().checked_sub(TOLD).filter(|more| *more > 0) {
        say(
            "warning",
            &format!("{more} more such files"),
            "-o - shows them all",
        );
    }
}

/// One warning.
pub(super) fn warning(message: &str, hint: &str) {
    say("warning", message, hint);
}

fn say(kind: &str, message: &str, hint: &str) {
    let mut out = format!("{kind}: {}\n", escape::terminal(message));
    if !hint.is_empty() {
        out.push_str(&format!("hint: {}\n", escape::terminal(hint)));
    }
    let _ = io::stderr().write_all(out.as_bytes());
}
