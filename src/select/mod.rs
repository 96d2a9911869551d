//! Select: from all entries to the few that matter, with counts over the rest.
//!
//! A map over blocks. Two passes with the same scanner: [`survey`] counts everything and keeps failures;
//! [`gather`] keeps what belongs to those failures. All partial results merge in any order.

pub mod gather;
pub mod locus;
mod needles;
pub mod own;
pub mod packed;
pub mod recent;
pub mod scan;
pub mod sketch;
pub mod survey;
mod wrapped;

pub use gather::{Gathered, Search, Wanted};
pub use needles::Needles;
pub use scan::{LineRef, Scanner};
pub use sketch::Sketch;
pub use survey::{InputSurvey, Survey};
