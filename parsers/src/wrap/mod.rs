//! What stands around a line: syslog headers and the like, taken off before the format sees it.

pub mod syslog;

use crate::entry::Stamp;

/// What a wrapper said about the line inside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outer<'a> {
    /// When the line was written, for lines that carry no time of their own.
    pub time: Option<Stamp>,
    /// The machine that wrote it.
    pub host: &'a [u8],
    /// The program that wrote it (syslog tag).
    pub program: &'a [u8],
    /// Its process.
    pub pid: Option<u32>,
}

/// A way of wrapping lines.
pub trait Wrapper: Send + Sync {
    /// Its name, for the coverage table.
    fn name(&self) -> &'static str;

    /// The line inside, with what was said around it; `None` if this line is not wrapped so.
    fn unwrap<'a>(&self, line: &'a [u8]) -> Option<(Outer<'a>, &'a [u8])>;
}

/// Every wrapper, most specific first.
pub fn all() -> &'static [&'static dyn Wrapper] {
    &[&syslog::Rfc5424, &syslog::Rfc3164, &syslog::Iso]
}
