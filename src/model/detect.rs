//! What `why502 detect` finds: the JSON contract `why502.detect.v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Micros;
use super::finding::{HopInfo, Input, Problem};

/// The whole result.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Detection {
    /// Always [`Detection::SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Micros,
    /// Every log, by path.
    pub files: Vec<DetectedFile>,
    /// The hops, outermost first.
    pub hops: Vec<HopInfo>,
    /// Files that are no logs and were passed over.
    pub passed_over: Vec<String>,
    /// What could not be used, logs of unknown format among it.
    pub problems: Vec<Problem>,
}

impl Detection {
    /// Name and version of the JSON contract.
    pub const SCHEMA: &'static str = "why502.detect.v1";
}

/// One log.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct DetectedFile {
    /// What was read of it, and how well: as in a report of findings.
    #[serde(flatten)]
    pub input: Input,
    /// Program that wrote it.
    pub product: String,
    /// `access`, `error` or `mixed`.
    pub kind: String,
    /// How sure the format is: `shape` (others write such lines too), `own` (only this format), `mark` (a mark or a
    /// format string proves it), `none` (forced on lines that it does not read).
    pub certainty: String,
    /// Formats that would have done as well.
    pub rivals: Vec<String>,
    /// What stood around each line and was taken off.
    pub wrapper: Option<String>,
    /// Requests among the entries.
    pub requests: u64,
    /// Failures and events among the entries.
    pub failures: u64,
    /// The ids that join its requests with those of other hops.
    pub ids: IdsFound,
    /// The fields that its entries have, in the order of `why502 formats fields`.
    pub fields: Vec<FieldFound>,
    /// Fields that would decide more, the most telling first.
    pub missing: Vec<MissingField>,
    /// How to have them logged.
    pub advice: Option<Advice>,
}

/// The ids of one log.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct IdsFound {
    /// Requests with an id.
    pub requests: u64,
    /// The shapes of the ids, the most frequent first: `uuid`, `hex32`, `hex16`, `digits`, `other`.
    pub shapes: Vec<String>,
    /// Hops that log the same ids.
    pub shared_with: Vec<String>,
}

/// How many entries have a field.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FieldFound {
    /// Its name.
    pub name: String,
    /// Entries that have it.
    pub entries: u64,
    /// The same as a share of all entries, from 0 to 1.
    pub share: f64,
}

/// A field that no request of a log has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct MissingField {
    /// What it is.
    pub what: String,
    /// What it would decide.
    pub decides: String,
    /// How the server's configuration writes it; empty where the server cannot log it.
    pub written: String,
}

/// What to change so that a server logs more.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Advice {
    /// Where it goes.
    pub place: String,
    /// The lines of configuration, complete.
    pub line: String,
    /// What else is to be done.
    pub note: String,
}
