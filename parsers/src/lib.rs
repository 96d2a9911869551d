//! Parsers for the logs of everything that stands between a browser and an application.
//!
//! One line in, one borrowed [`Entry`] out: times in microseconds since the Unix epoch, text as
//! slices of the line. The crate knows lines and fields; it has never heard of a joined request
//! or of a cause. `parsers/README.md` shows how a format is added.

pub mod bytes;
pub mod define;
pub mod engine;
pub mod entry;
pub mod error;
pub mod fields;
pub mod format;
pub mod glance;
pub mod paste;
pub mod products;
pub mod registry;
pub mod time;
pub mod unread;
pub mod wrap;

pub use entry::Entry;
pub use error::{FormatError, LineError};
pub use format::{Format, Head, Line, LineParser, Prepared, Product, RecordKind, Score, Sniff};
pub use glance::Glance;
