//! One request, explained: the JSON contract `why502.explain.v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Finding, Problem, RequestInfo};
use super::record::Place;
use super::{Cause, JoinedBy, Micros, Subtype};

/// What is known of the requests that were asked about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// Always [`Explanation::SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Micros,
    /// What was asked about, as it was asked: an id, a finding's id, or `FILE:LINE`.
    pub asked: String,
    /// The requests, by time. An id that a client used for several attempts of its own gives several.
    pub requests: Vec<Explained>,
    /// What could not be used, and what to do about it.
    pub problems: Vec<Problem>,
}

impl Explanation {
    /// Name and version of the JSON contract.
    pub const SCHEMA: &'static str = "why502.explain.v1";
}

/// One request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The request as its outermost record names it.
    pub request: RequestInfo,
    /// What the outermost hop with a record answered; `null` if it closed without an answer or logged none.
    pub status: Option<u16>,
    /// The hops, outermost first.
    pub hops: Vec<Rung>,
    /// Why it failed; `null` if it did not.
    pub finding: Option<Finding>,
    /// Which exchange the rules were asked about, in words; empty if none failed.
    pub judged: String,
    /// What every rule said of that exchange, in the order in which they are asked; empty if none failed.
    pub verdicts: Vec<RuleVerdict>,
}

/// One hop's part of the request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Rung {
    /// Hop.
    pub hop: String,
    /// Program.
    pub product: String,
    /// Which of the hops sent the request here, counted from zero; `null` for the outermost.
    pub parent: Option<usize>,
    /// How it was joined to that hop.
    pub joined_by: JoinedBy,
    /// Another record would have fitted as well.
    pub ambiguous: bool,
    /// Start by the hop's own clock.
    pub logged_start: Option<Micros>,
    /// End by the hop's own clock.
    pub logged_end: Option<Micros>,
    /// What was added to its clock, in milliseconds.
    pub correction_ms: f64,
    /// Start, corrected clock.
    pub start: Option<Micros>,
    /// End, corrected clock.
    pub end: Option<Micros>,
    /// How far both may be off because of the resolution of the stamps, in milliseconds.
    pub resolution_ms: f64,
    /// Duration as logged.
    pub duration_ms: Option<f64>,
    /// Status sent; `null` if none is logged.
    pub status: Option<u16>,
    /// It is the hop that made the failing status.
    pub issuer: bool,
    /// How long it waited in the hop's own queue.
    pub queue_ms: Option<f64>,
    /// The attempts at its upstream, in order.
    pub attempts: Vec<Try>,
    /// What it wrote, the outcome first.
    pub lines: Vec<LoggedLine>,
}

/// One attempt at an upstream, on the corrected clock.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Try {
    /// Address or name of the upstream; empty if unknown.
    pub upstream: String,
    /// Start.
    pub start: Option<Micros>,
    /// End.
    pub end: Option<Micros>,
    /// Status it ended with.
    pub status: Option<u16>,
    /// Time to connect.
    pub connect_ms: Option<f64>,
    /// Time to the response header.
    pub header_ms: Option<f64>,
    /// Length of the attempt.
    pub response_ms: Option<f64>,
}

/// A line that a hop wrote about the request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LoggedLine {
    /// What the line says went wrong, as `phase/fault`; empty if nothing.
    pub says: String,
    /// File.
    pub file: String,
    /// Line number, from 1.
    pub line: u64,
    /// Byte offset.
    pub offset: u64,
    /// The line itself.
    pub text: String,
    /// Where it stands, until file and text are filled in.
    #[serde(skip)]
    #[schemars(skip)]
    pub place: Option<Place>,
}

/// What one rule said.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RuleVerdict {
    /// What the rule asks.
    pub question: String,
    /// The cause it gives, or would have given.
    pub cause: Cause,
    /// Subtype.
    pub subtype: Subtype,
    /// What it said.
    pub verdict: Said,
    /// How sure it was, from 0 to 1, if it fired; before the limits that joins and missing logs set.
    pub score: Option<f64>,
    /// Why it won or lost; for a field that is missing, which.
    pub reason: String,
}

/// What a rule can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It fired, as the first one.
    Won,
    /// It fired, after another one.
    FitsToo,
    /// It does not apply.
    Rejected,
    /// It cannot tell: something is not in the logs.
    Lacks,
}

impl Said {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::FitsToo => "fits too",
            Self::Rejected => "rejected",
            Self::Lacks => "lacks",
        }
    }
}
