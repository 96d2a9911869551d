//! Says why requests ended in 502: reads the logs of every hop, joins them, names the cause.
//!
//! Data flows one way: discover, sniff, read and parse, select, correlate, classify, report.
//! Only [`run`] knows all stages.

pub mod classify;
pub mod cli;
pub mod correlate;
pub mod discover;
pub mod error;
pub mod limits;
pub mod lint;
pub mod model;
pub mod plan;
pub mod read;
pub mod report;
pub mod run;
pub mod select;
pub mod sniff;

pub use error::Error;
