//! What `why502 lint` finds: the JSON contract `why502.lint.v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::finding::{Change, Problem};

/// The whole result.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LintReport {
    /// Always [`LintReport::SCHEMA`].
    pub schema: String,
    /// The servers, outermost first.
    pub servers: Vec<LintServer>,
    /// What is wrong between them, the worst first.
    pub findings: Vec<LintFinding>,
    /// Files that could not be used.
    pub problems: Vec<Problem>,
}

impl LintReport {
    /// Name and version of the JSON contract.
    pub const SCHEMA: &'static str = "why502.lint.v1";
}

/// A server and where it stands on the way.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LintServer {
    /// Its name: as given, else that of its directory or file.
    pub name: String,
    /// Its program.
    pub product: String,
    /// Its main configuration file; empty if it is known from the user alone.
    pub file: String,
    /// Addresses it listens on.
    pub listens: Vec<String>,
    /// Servers it sends requests to.
    pub upstreams: Vec<String>,
    /// Addresses it sends requests to of which nothing is known.
    pub unknown: Vec<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It makes requests fail.
    Error,
    /// It makes requests fail when something else is amiss.
    Warning,
    /// Worth knowing.
    Note,
}

impl Level {
    /// All levels, the worst first.
    pub const ALL: [Self; 3] = [Self::Error, Self::Warning, Self::Note];

    /// The name as users type it and as the JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// Something that is wrong, and what to change.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct LintFinding {
    /// How bad.
    pub level: Level,
    /// Which rule: `idle_order`, `response_order`, `retries`, `connect`, `missing`, `worker_kill`, `drain`, `loop`.
    pub rule: String,
    /// The server that sends.
    pub downstream: String,
    /// The server it sends to, or its address; empty where only one is concerned.
    pub upstream: String,
    /// Paths or groups it holds for; empty if for all.
    pub places: Vec<String>,
    /// What is wrong.
    pub summary: String,
    /// What comes of it.
    pub why: String,
    /// The values it follows from.
    pub values: Vec<LintValue>,
    /// What to change; one of them is enough.
    pub changes: Vec<Change>,
    /// What the change costs; empty if nothing.
    pub cost: String,
}

/// A value and where it is known from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LintValue {
    /// Server.
    pub server: String,
    /// Setting as the program spells it.
    pub setting: String,
    /// Value in milliseconds; `null` for no limit.
    pub value_ms: Option<f64>,
    /// Where it is known from: `nginx.conf:12`, `nginx default`, `given`.
    pub origin: String,
}
