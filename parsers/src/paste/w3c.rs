//! `#Fields:` lines for files that lost theirs: the rows of IIS, HTTP.sys or CloudFront, by the columns named.

use std::sync::Arc;

use crate::error::FormatError;
use crate::fields::closest;
use crate::format::{Format, Head, LineParser, Prepared, Product, RecordKind, Score, Sniff};
use crate::products::{cloudfront, httperr, iis};

/// The columns of IIS and HTTP.sys.
const KNOWN: &[&str] = &[
    "date",
    "time",
    "s-sitename",
    "s-computername",
    "s-ip",
    "cs-method",
    "cs-uri-stem",
    "cs-uri-query",
    "cs-uri",
    "s-port",
    "cs-username",
    "c-ip",
    "c-port",
    "cs-version",
    "cs(User-Agent)",
    "cs(Cookie)",
    "cs(Referer)",
    "cs-host",
    "cs(Host)",
    "sc-status",
    "sc-substatus",
    "sc-win32-status",
    "sc-bytes",
    "cs-bytes",
    "time-taken",
    "streamid",
    "streamid_ex",
    "s-event",
    "s-process-type",
    "s-user-time",
    "s-kernel-time",
    "s-page-faults",
    "s-siteid",
    "s-reason",
    "s-queuename",
    "X-Forwarded-For",
    "OriginalIP",
    "transport",
];

/// The format called `name` whose rows have the columns of `text`: a `#Fields:` line, or the names alone.
///
/// # Errors
/// [`FormatError::NoTime`] if no column gives the time of a row.
pub(super) fn format(name: &str, text: &str) -> Result<Arc<dyn Format>, FormatError> {
    let columns: Vec<&str> = names(text).collect();
    if !columns.iter().any(|column| column.eq_ignore_ascii_case("time")) {
        return Err(FormatError::NoTime { dialect: "w3c" });
    }
    let has = |part: &str| columns.iter().any(|column| column.contains(part));
    let builtin: &'static dyn Format = if has("x-edge-") {
        &cloudfront::CloudFront
    } else if has("s-reason") {
        &httperr::HttpErr
    } else {
        &iis::Iis
    };
    Ok(Arc::new(Given {
        name: name.to_owned(),
        builtin,
        directive: format!("#Fields: {}", columns.join(" ")),
    }))
}

/// What is to be said of columns that look misspelt. Others are of the administrator's own.
pub(super) fn unknown(text: &str) -> Vec<String> {
    let is_known = |name: &str| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(name));
    let note = |name: &str| {
        let near = closest(name, KNOWN.iter().copied().filter(|known| known.len() > 4))?;
        Some(format!(
            "w3c has no column {name} of its own: did you mean {near}? As it is, its value is read over"
        ))
    };
    names(text)
        .filter(|name| !is_known(name))
        .filter_map(note)
        .collect()
}

fn names(text: &str) -> impl Iterator<Item = &str> {
    let text = text.trim().trim_matches(['"', '\'']);
    text.strip_prefix("#Fields:")
        .unwrap_or(text)
        .split([' ', '\t', ','])
        .filter(|name| !name.is_empty())
}

/// A built-in format that is told its columns.
struct Given {
    name: String,
    builtin: &'static dyn Format,
    directive: String,
}

impl Given {
    /// The head as it would be with the line of columns.
    fn completed(&self, head: &Head<'_>) -> Vec<u8> {
        [self.directive.as_bytes(), b"\n", head.bytes].concat()
    }
}

impl Format for Given {
    fn name(&self) -> &str {
        &self.name
    }

    fn product(&self) -> Product {
        self.builtin.product()
    }

    fn kind(&self) -> RecordKind {
        self.builtin.kind()
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        let bytes = self.completed(head);
        let mut sniff = self.builtin.sniff(&Head {
            bytes: &bytes,
            ..*head
        });
        if sniff.score > Score::No {
            sniff.score = Score::Mark;
            sniff.reason = "rows fit the columns given".to_owned();
            sniff.parsed = sniff.parsed.saturating_sub(1);
            sniff.looked_at = sniff.looked_at.saturating_sub(1);
        }
        sniff
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        let bytes = self.completed(head);
        Arc::new(GivenColumns {
            inner: self.builtin.prepare(&Head {
                bytes: &bytes,
                ..*head
            }),
            directive: self.directive.clone(),
        })
    }
}

struct GivenColumns {
    inner: Arc<dyn Prepared>,
    directive: String,
}

impl Prepared for GivenColumns {
    fn open(&self, preamble: &[u8]) -> Box<dyn LineParser> {
        // A line of columns in the file goes before the one given.
        let preamble = if preamble.is_empty() {
            self.directive.as_bytes()
        } else {
            preamble
        };
        self.inner.open(preamble)
    }

    fn directive(&self) -> Option<&'static [u8]> {
        self.inner.directive()
    }
}
