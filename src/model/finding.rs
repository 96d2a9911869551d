//! Findings, and the report that carries them: the JSON contract `why502.findings.v1`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::Place;
use super::{JoinedBy, Micros};

/// The whole result of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Always [`Report::SCHEMA`].
    pub schema: String,
    /// When the report was made.
    pub generated_at: Micros,
    /// The time window that was asked for.
    pub window: Window,
    /// The statuses that were asked for, as they were given: `502`, `5xx`.
    #[serde(default)]
    pub statuses: Vec<String>,
    /// Failed requests that were left out of this report because another cause or hop was asked for.
    #[serde(default)]
    pub filtered: u64,
    /// Every file read, and how well.
    pub inputs: Vec<Input>,
    /// The hops, outermost first.
    pub hops: Vec<HopInfo>,
    /// Counts.
    pub summary: Summary,
    /// Findings that belong together, by onset.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// One per failed request, by time.
    pub findings: Vec<Finding>,
    /// Timeouts, idle limits and clock facts learnt from the logs.
    pub inferences: Vec<Inference>,
    /// Failures that a retry hid from the client.
    pub near_misses: Vec<NearMiss>,
    /// What could not be used, and what to do about it.
    pub problems: Vec<Problem>,
}

impl Report {
    /// Name and version of the JSON contract.
    pub const SCHEMA: &'static str = "why502.findings.v1";
}

/// Half-open time window; an open side is `null`.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// First instant inside.
    pub since: Option<Micros>,
    /// First instant after.
    pub until: Option<Micros>,
}

/// One input file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Input {
    /// Path as given or found.
    pub path: String,
    /// Format it was read as; `null` if none fitted.
    pub format: Option<String>,
    /// Why that format, and which others would have done.
    pub format_reason: String,
    /// Hop it belongs to.
    pub hop: Option<String>,
    /// Size in bytes, decompressed.
    pub bytes: u64,
    /// Bytes that were not read since they lie outside the time window; of a compressed file that was left out, its
    /// size on disk. What is said of lines and entries holds for the rest.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub skipped_bytes: u64,
    /// Why all of it was read although a time window was given and it is large; `null` if nothing kept it from being
    /// searched.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub read_whole: Option<String>,
    /// Lines read.
    pub lines: u64,
    /// Lines that are entries.
    pub entries: u64,
    /// Lines that go on with the record above them.
    #[serde(default)]
    pub continuations: u64,
    /// Comments, directives and blank lines.
    #[serde(default)]
    pub directives: u64,
    /// Lines that could not be read.
    pub unparsed: u64,
    /// The same by reason, the reasons that occur.
    #[serde(default)]
    pub unparsed_reasons: Vec<UnparsedReason>,
    /// The first few of them.
    pub unparsed_lines: Vec<UnparsedLine>,
    /// First stamp, corrected clock.
    pub first: Option<Micros>,
    /// Last stamp, corrected clock.
    pub last: Option<Micros>,
    /// Time zone of its stamps.
    pub zone: String,
    /// How the zone is known: `logged`, `configured`, `given`, `learnt`, `assumed`.
    pub zone_origin: String,
    /// Correction added to its stamps, if its clock was found to be off.
    pub clock: Option<Clock>,
}

/// Lines of one input that could not be read for the same reason.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnparsedReason {
    /// `comment`, `empty` (no letter and no digit), `other_program` (by its tag), `cut_off`, `broken_json`, `not_text`,
    /// `unknown`.
    pub reason: String,
    /// How many.
    pub lines: u64,
}

/// A line that could not be read.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct UnparsedLine {
    /// Line number, from 1; zero where the lines before it were not read.
    pub line: u64,
    /// Byte offset.
    pub offset: u64,
    /// What was wrong.
    pub reason: String,
    /// Which kind of line it is: as [`UnparsedReason::reason`]; `other_program` too where another format reads it.
    #[serde(default)]
    pub class: String,
    /// The format that reads it, if another one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_by: Option<String>,
}

/// A clock correction.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Added to the stamps, in milliseconds.
    pub offset_ms: f64,
    /// Pairs of records it was learnt from; zero if given by the user.
    pub pairs: u32,
    /// Half the width of the interval that the pairs allow, in milliseconds.
    pub spread_ms: f64,
    /// Change of the correction, in milliseconds per thousand seconds of the log; absent if it is constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// The stamp, as logged, at which the correction is `offset_ms`; absent if it is constant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset_at: Option<Micros>,
}

/// One hop.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HopInfo {
    /// Name.
    pub name: String,
    /// Program.
    pub product: String,
    /// Hops it sends requests to.
    pub upstreams: Vec<String>,
    /// Requests it logged.
    pub requests: u64,
}

/// Counts of the findings.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Requests at the outermost hop.
    pub requests: u64,
    /// Failed requests (findings).
    pub failed: u64,
    /// Per cause, most frequent first.
    pub causes: Vec<CauseCount>,
    /// Gateway errors that were seen but not asked for, per status, at the outermost hop that logged them.
    pub other_statuses: Vec<StatusCount>,
    /// Requests saved by a retry.
    pub near_misses: u64,
    /// Answers that broke off although their status says nothing of it, if they are not among the findings.
    #[serde(default)]
    pub truncated: u64,
}

/// Findings with the same cause, subtype and place.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CauseCount {
    /// Cause.
    pub cause: Cause,
    /// Subtype.
    pub subtype: Subtype,
    /// How many.
    pub count: u64,
    /// Between which hops: issuer.
    pub issuer: String,
    /// And its upstream: a hop's name, else an address; empty if unknown.
    pub upstream: String,
    /// First of them.
    pub first: Option<Micros>,
    /// Last of them.
    pub last: Option<Micros>,
    /// The least certain of them.
    pub certainty: Certainty,
    /// What to change, from the most certain of them.
    pub fix: Option<Fix>,
}

/// Requests with one status.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct StatusCount {
    /// Status.
    pub status: u16,
    /// How many.
    pub count: u64,
}

/// Why one request failed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable id: the same for the same logs, whatever the thread count or file order.
    pub id: String,
    /// When the client was answered, corrected clock; none if no line of it carries a time.
    pub time: Option<Micros>,
    /// The request.
    pub request: RequestInfo,
    /// What the outermost hop with a record answered. Zero if it closed without an answer.
    pub status: u16,
    /// Who made that status.
    pub issuer: Issuer,
    /// Why.
    pub cause: Cause,
    /// More exactly.
    pub subtype: Subtype,
    /// A second cause that contributed, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contributing: Option<Label>,
    /// How sure.
    pub certainty: Certainty,
    /// The same as a number, 0 to 1.
    pub score: f64,
    /// The lines and facts that say so.
    pub evidence: Vec<Evidence>,
    /// What else it could have been, and why it was not.
    pub rivals: Vec<Rival>,
    /// Fields or logs that would make it more certain.
    pub missing: Vec<String>,
    /// The request, hop by hop, outermost first.
    pub hops: Vec<HopRecord>,
    /// What to change.
    pub fix: Option<Fix>,
}

/// A cause with its subtype.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Label {
    /// Cause.
    pub cause: Cause,
    /// Subtype.
    pub subtype: Subtype,
}

/// The request as its outermost record names it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct RequestInfo {
    /// All ids found along the way.
    pub ids: Vec<String>,
    /// Method.
    pub method: String,
    /// Host.
    pub host: String,
    /// Path with query.
    pub path: String,
    /// Client address and port.
    pub client: String,
}

/// The hop that made the status.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Issuer {
    /// Hop.
    pub hop: String,
    /// Program.
    pub product: String,
    /// Whom it had asked: address as logged; empty if unknown.
    pub upstream: String,
    /// The same as a hop's name, if that upstream's logs are there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub upstream_hop: Option<String>,
}

/// A fact and the line it stands on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The fact, in words.
    pub fact: String,
    /// What it is worth.
    pub weight: Weight,
    /// Hop that recorded it; empty for facts about several.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub hop: String,
    /// File; empty for facts that stand in no single line.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub file: String,
    /// Line number, from 1; zero where there is no file, or where the lines before it were not read (a time window
    /// in large files): then [`Evidence::offset`] says where it is.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub line: u64,
    /// Byte offset of the line.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
    /// The line itself.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub text: String,
    /// Where the line stands, until file and text are filled in.
    #[serde(skip)]
    #[schemars(skip)]
    pub place: Option<Place>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A cause that was considered and rejected.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Rival {
    /// Cause.
    pub cause: Cause,
    /// Subtype.
    pub subtype: Subtype,
    /// Why not.
    pub rejected_because: String,
}

/// One hop's part of the request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct HopRecord {
    /// Hop.
    pub hop: String,
    /// Program.
    pub product: String,
    /// Start, corrected clock.
    pub start: Option<Micros>,
    /// End, corrected clock.
    pub end: Option<Micros>,
    /// The stamp as logged, before any correction; civil time is read as UTC where the log does not say its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged: Option<Micros>,
    /// Duration as logged.
    pub duration_ms: Option<f64>,
    /// Status.
    pub status: Option<u16>,
    /// How it was joined to the hop before.
    pub joined_by: JoinedBy,
    /// Another record would have fitted as well.
    pub ambiguous: bool,
    /// File.
    pub file: String,
    /// Line number, from 1; zero where the lines before it were not read: then the offset says where it is.
    pub line: u64,
    /// Byte offset.
    pub offset: u64,
    /// Where it stands, until the file is filled in.
    #[serde(skip)]
    #[schemars(skip)]
    pub place: Option<Place>,
}

/// What to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// In one sentence.
    pub summary: String,
    /// Setting by setting.
    pub changes: Vec<Change>,
    /// How many failures of this kind the value proposed would have saved; absent where the logs do not show it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub what_if: Option<WhatIf>,
}

/// What a value would have saved, from what the logs show of the failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhatIf {
    /// The value, in words.
    pub value: String,
    /// The same in milliseconds.
    pub value_ms: u64,
    /// Failures that it would have saved.
    pub saved: u64,
    /// Failures of this kind between these hops.
    pub total: u64,
    /// Those of them of which the logs show what they needed; the others are not counted as saved.
    pub known: u64,
    /// What has to hold for that.
    pub assumption: String,
}

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Hop.
    pub hop: String,
    /// Program.
    pub product: String,
    /// Setting as the program spells it.
    pub setting: String,
    /// Its value now, and where that is known from (`5 s, product default`).
    pub current: String,
    /// The value proposed.
    pub proposed: String,
}

/// Findings that belong together: the same two hops, the same trouble, without a long pause between them. What a
/// process that died left behind (cut requests, then refused ones) is one incident.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Stable id, made from that of its first finding.
    pub id: String,
    /// The cause that leads: where one explains the others, that one, else the most frequent.
    pub cause: Cause,
    /// Its subtype.
    pub subtype: Subtype,
    /// All labels of its findings, the most frequent first.
    pub labels: Vec<LabelCount>,
    /// Between which hops: issuer.
    pub issuer: String,
    /// And its upstream: a hop's name, else an address; empty if unknown.
    pub upstream: String,
    /// First of its findings.
    pub onset: Micros,
    /// Last of them.
    pub end: Micros,
    /// How many findings.
    pub count: u64,
    /// The least certain of them.
    pub certainty: Certainty,
    /// What happened at these hops at that time, by time.
    pub coincided: Vec<Coincidence>,
    /// What to change, from the most certain of its findings.
    pub fix: Option<Fix>,
    /// Ids of the findings, by time.
    pub findings: Vec<String>,
}

/// How many findings have a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabelCount {
    /// Cause.
    pub cause: Cause,
    /// Subtype.
    pub subtype: Subtype,
    /// How many.
    pub count: u64,
}

/// Something that happened while an incident began or lasted: a restart, a recycle, a change of load.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Coincidence {
    /// What, in words.
    pub what: String,
    /// When, the first time.
    pub time: Micros,
    /// How often.
    pub count: u64,
    /// The first line that says so; `null` for what is concluded from counts.
    pub evidence: Option<Evidence>,
}

/// Something learnt from the logs as a whole.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Inference {
    /// Hop it is about.
    pub hop: String,
    /// What: `read_timeout`, `upstream_keep_alive`, `clock_offset`, `zone`.
    pub what: String,
    /// Value in milliseconds.
    pub value_ms: f64,
    /// Records that support it.
    pub support: u32,
    /// In words.
    pub note: String,
}

/// Failures that a retry hid, per hop pair.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct NearMiss {
    /// Hop that retried.
    pub hop: String,
    /// Upstream of the failed attempt.
    pub upstream: String,
    /// The cause the failed attempt would have had.
    pub cause: Cause,
    /// Subtype.
    pub subtype: Subtype,
    /// How many requests.
    pub count: u64,
    /// First.
    pub first: Micros,
    /// Last.
    pub last: Micros,
    /// One of the lines.
    pub example: Option<Evidence>,
}

/// Something that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// File it is about; empty if none.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)] // Named and explained in the documentation of the causes.
pub enum Cause {
    ProxyTimeout,
    DroppedConnection,
    QueueingDelay,
    KeepAliveRace,
    InvalidResponse,
    #[serde(rename = "upstream_502")]
    Upstream502,
    Unexplained,
}

impl Cause {
    /// All causes, in the order in which reports list equals.
    pub const ALL: [Self; 7] = [
        Self::ProxyTimeout,
        Self::DroppedConnection,
        Self::QueueingDelay,
        Self::KeepAliveRace,
        Self::InvalidResponse,
        Self::Upstream502,
        Self::Unexplained,
    ];

    /// The name as users type it and as the JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProxyTimeout => "proxy_timeout",
            Self::DroppedConnection => "dropped_connection",
            Self::QueueingDelay => "queueing_delay",
            Self::KeepAliveRace => "keep_alive_race",
            Self::InvalidResponse => "invalid_response",
            Self::Upstream502 => "upstream_502",
            Self::Unexplained => "unexplained",
        }
    }

    /// The cause called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

macro_rules! subtypes {
    ($($variant:ident $name:literal $plain:literal),* $(,)?) => {
        /// Why exactly. Which subtypes a cause has is fixed by the rules.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum Subtype { $($variant),* }

        impl Subtype {
            /// All subtypes, in the order of their causes.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name as the JSON writes it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The same in plain words, for the terminal.
            pub const fn plain(self) -> &'static str {
                match self { $(Self::$variant => $plain),* }
            }
        }
    };
}

subtypes! {
    ConnectTimeout "connect_timeout" "the upstream did not accept the connection in time",
    TlsHandshakeTimeout "tls_handshake_timeout" "the upstream did not finish the TLS handshake in time",
    ResponseHeaderTimeout "response_header_timeout" "the upstream did not answer in time",
    ResponseBodyTimeout "response_body_timeout" "the upstream stalled in the middle of its answer",
    RequestSendTimeout "request_send_timeout" "the upstream did not take the request in time",
    TotalTimeout "total_timeout" "the exchange as a whole took too long",
    NameResolutionTimeout "name_resolution_timeout" "the upstream's name was not resolved",
    ClientTimeout "client_timeout" "the client gave up first",
    Refused "refused" "nothing was listening at the upstream",
    Unreachable "unreachable" "there was no way to the upstream",
    TlsRejected "tls_rejected" "the TLS handshake was refused",
    ResetBeforeResponse "reset_before_response" "the upstream reset the connection before answering",
    PrematureClose "premature_close" "the upstream closed the connection before answering",
    ResetMidResponse "reset_mid_response" "the upstream broke off in the middle of its answer",
    WorkerCrash "worker_crash" "the upstream's process died",
    BackendRestart "backend_restart" "the upstream was restarted",
    AppPoolRecycle "app_pool_recycle" "the application pool was recycled",
    NoLiveUpstream "no_live_upstream" "every upstream was marked down",
    IdleCutInFlight "idle_cut_in_flight" "something cut the connection while the request was being worked on",
    ProxyQueueTimeout "proxy_queue_timeout" "it waited too long in the proxy's queue",
    ProxyQueueOverflow "proxy_queue_overflow" "the proxy's queue was full",
    ListenBacklog "listen_backlog" "the upstream's accept queue was full",
    AppQueue "app_queue" "it waited in the application for a free worker",
    ServerQueueRejected "server_queue_rejected" "the server's request queue turned it away",
    FinBeforeRequest "fin_before_request" "the upstream closed the idle connection as the request was sent on it",
    RstOnReuse "rst_on_reuse" "the idle connection was already closed when the request was sent on it",
    MaxRequestsClose "max_requests_close" "the upstream closed the connection after its last allowed request",
    SilentMiddleboxDrop "silent_middlebox_drop" "something between forgot the idle connection",
    HeaderTooBig "header_too_big" "the answer's header did not fit the proxy's buffer",
    MalformedHeader "malformed_header" "the answer was not valid HTTP",
    BadFraming "bad_framing" "the answer's length was not as announced",
    ProtocolMismatch "protocol_mismatch" "the upstream spoke another protocol",
    PolicyBlocked "policy_blocked" "the proxy's own rule rejected the answer",
    PassedThrough "passed_through" "the upstream itself answered so",
    NotEnoughEvidence "not_enough_evidence" "the logs do not say",
    Ambiguous "ambiguous" "a keep-alive race or a dropped connection, and the logs do not tell which",
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// Below 0.4, or contradictory.
    Unknown,
    /// 0.4 to 0.7: weak signs, or two causes that the logs cannot tell apart.
    Possible,
    /// 0.7 to 0.9: one strong sign and nothing against it.
    Likely,
    /// From 0.9: a sign that only this cause leaves, and nothing against it.
    Proven,
}

impl Certainty {
    /// The word for `score`.
    pub fn of(score: f64) -> Self {
        match score {
            s if s >= 0.9 => Self::Proven,
            s if s >= 0.7 => Self::Likely,
            s if s >= 0.4 => Self::Possible,
            _ => Self::Unknown,
        }
    }

    /// The word as the JSON writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Proven => "proven",
        }
    }
}

/// What a fact is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// Fixes cause and subtype alone.
    Proof,
    /// Fixes the cause unless contradicted.
    Strong,
    /// Shifts belief.
    Weak,
    /// Speaks against.
    Counter,
    /// Says what happened, for neither side.
    Context,
}
