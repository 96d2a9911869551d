//! The hops of one request, joined.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HopId, Record};

/// Everything known of one request that failed (or nearly did): its records, hop by hop.
#[derive(Debug, Clone)]
pub struct Trace {
    /// One link per hop visited, outermost first. A hop visited twice (a retry on the same hop) has two links.
    pub links: Vec<Link>,
}

/// What one hop recorded of the request.
#[derive(Debug, Clone)]
pub struct Link {
    /// The hop.
    pub hop: HopId,
    /// The request's outcome at this hop; `None` if only error lines or steps were found.
    pub outcome: Option<Record>,
    /// Error lines, failures and steps of the same request at this hop, by time.
    pub details: Vec<Record>,
    /// Of the error lines, others would fit (nearly) as well that tell of something else.
    pub unsure: bool,
    /// Index in [`Trace::links`] of the hop that sent the request here; `None` for the outermost.
    pub parent: Option<usize>,
    /// How this link was joined to its parent.
    pub joined_by: JoinedBy,
    /// Another record would have fitted (nearly) as well.
    pub ambiguous: bool,
}

/// By what two records were recognised as the same request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinedBy {
    /// The first record of the request; nothing was joined.
    Origin,
    /// A shared id, or a chain of shared ids.
    Id,
    /// Address and port of the connection between the two hops.
    Address,
    /// Nested intervals with the same method and path.
    Time,
}

impl Link {
    /// The outcome and the details, the outcome first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.outcome.iter().chain(&self.details)
    }

    /// The outcome and the details, given up.
    pub fn into_records(self) -> impl Iterator<Item = Record> {
        self.outcome.into_iter().chain(self.details)
    }

    /// Start and end of the request at this hop: the outcome's if it knows its length, else what all records span.
    pub fn interval(&self) -> Option<(i64, i64)> {
        if let Some(outcome) = self
            .outcome
            .as_ref()
            .filter(|outcome| outcome.duration_us.is_some())
        {
            return outcome.interval();
        }
        let all = || self.records().filter_map(Record::interval);
        Some((all().map(|i| i.0).min()?, all().map(|i| i.1).max()?))
    }
}
