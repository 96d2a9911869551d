//! Select: from all entries to the few that matter, with counts over the rest.
//!
//! A map over blocks. Two passes with the same scanner: [`survey`] counts everything and keeps failures;
//! [`gather`] keeps what belongs to those failures. All partial results merge in any order.
//!
//! What a line costs:
//!
//! 1. [`scan`] finds its end and takes off what stands around it; a header like that of the line before is known by one
//!    comparison.
//! 2. In the first pass its parser is asked for a [`why502_parsers::Glance`]: the stamp, the duration, the status, the
//!    ids, the path and the upstream, all of a request that went well. With that it is counted (seconds are summed up
//!    until the second changes), offered to the [`sketch`] (which turns down all but the lowest keys of all parts of the
//!    input) and noted as the latest use of its upstream ([`recent`]). Nothing is allocated.
//! 3. A line that is not of that plain kind, or whose status is asked for, is parsed in full; so is every line of a
//!    format that gives no glances. A failure becomes a record of its own.
//! 4. The ids of the hop that is read first are marked ([`marks`]), since it is not known yet which will be wanted; of the
//!    other hops the places of lines with ids that are wanted are noted ([`spots`]). In the second pass only those lines
//!    are read. Marks that memory has no room for are put into a file without a name; where there is none for that
//!    either, a line is looked at where ids stand in its kind of line ([`locus`]),
//!    and left if that id is not wanted; at the end of a line even what is around it stays where it is. Where hops do not
//!    write the same ids, a glance tells whether the line is near a failure of the same method and path, or shows when
//!    its hop had served a request.

pub mod cells;
pub mod gather;
pub mod locus;
pub mod marks;
mod needles;
pub mod own;
pub mod packed;
pub mod recent;
pub mod scan;
mod sieve;
pub mod sketch;
mod spill;
pub mod spots;
pub mod steps;
pub mod survey;
mod wrapped;

pub use gather::{Gathered, Search, Wanted};
pub use needles::Needles;
pub use scan::{LineRef, Scanner};
pub use sketch::Sketch;
pub use survey::{InputSurvey, Survey};
