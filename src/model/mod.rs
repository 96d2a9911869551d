//! The types that pass from stage to stage. No stage's logic lives here.

mod blocks;
pub mod detect;
pub mod explain;
pub mod finding;
pub mod findings;
pub mod hop;
pub mod ids;
pub mod input;
pub mod limit;
pub mod lint;
mod option_u64;
mod pack;
mod pack_record;
pub mod record;
pub mod rewrite;
pub mod seconds;
pub mod shift;
pub mod stats;
pub mod time;
pub mod trace;
pub mod traces;

pub use finding::{Cause, Certainty, Finding, Fix, Report, Subtype, Weight};
pub use findings::{Brief, Findings, Opened};
pub use hop::{Hop, HopId, Logs};
pub use input::{Coding, Input};
pub use limit::{Limit, LimitKind, Origin};
pub use option_u64::OptionU64;
pub use record::{Attempt, FINE_US, Particulars, Place, RECORD_MOST, Record, SourceId};
pub use rewrite::Rewrite;
pub use seconds::Seconds;
pub use shift::{Fold, Shift};
pub use stats::Stats;
pub use time::Micros;
pub use trace::{JoinedBy, Link, Trace};
pub use traces::{Gap, Records, Traces};
