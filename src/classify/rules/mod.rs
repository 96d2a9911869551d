//! The rules, one file per cause, and the one list of them in the order in which they are asked.

use super::case::Case;
use crate::model::finding::{Evidence, Label, Rival};
use crate::model::{Cause, Subtype};

pub(crate) mod dropped_connection;
pub(crate) mod invalid_response;
pub(crate) mod keep_alive_race;
pub(crate) mod proxy_timeout;
pub(crate) mod queueing_delay;
pub(crate) mod unexplained;
pub(crate) mod upstream_502;

/// One step of the decision.
pub(crate) trait Rule: Sync {
    /// The label it would give, for the list of rivals; a rule that fires may choose a nearer subtype.
    fn label(&self) -> Label;
    /// Looks at a case.
    fn check(&self, case: &Case<'_, '_>) -> Verdict;
}

/// What a rule says of a case.
pub(crate) enum Verdict {
    /// It applies.
    Fires(Box<Candidate>),
    /// It does not.
    Not {
        /// Why not, in words.
        why: String,
        /// How much of its conditions held; zero if it is not worth mentioning.
        near: u8,
    },
}

impl Verdict {
    /// It has nothing to do with the case.
    pub(crate) fn far(why: &str) -> Self {
        Self::Not {
            why: why.to_owned(),
            near: 0,
        }
    }

    /// It might have been, but for `why`.
    pub(crate) fn near(near: u8, why: impl Into<String>) -> Self {
        Self::Not {
            why: why.into(),
            near,
        }
    }
}

/// A label with what supports it.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Cause and subtype.
    pub(crate) label: Label,
    /// A second cause that contributed.
    pub(crate) contributing: Option<Label>,
    /// How sure, 0 to 1, before the caps.
    pub(crate) score: f64,
    /// A signal that only this cause leaves, or two independent strong ones, and nothing against it.
    pub(crate) proof: bool,
    /// The verdict rests on the record of another hop.
    pub(crate) joined: bool,
    /// Facts.
    pub(crate) evidence: Vec<Evidence>,
    /// Causes that the rule itself weighed and rejected.
    pub(crate) rivals: Vec<Rival>,
    /// Fields or logs that would make it more certain.
    pub(crate) missing: Vec<String>,
}

impl Candidate {
    /// A candidate without any evidence yet.
    pub(crate) fn new(cause: Cause, subtype: Subtype, score: f64) -> Self {
        Self {
            label: Label { cause, subtype },
            contributing: None,
            score,
            proof: false,
            joined: false,
            evidence: Vec::new(),
            rivals: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Marks it as resting on proof.
    pub(crate) fn proven(mut self) -> Self {
        self.proof = true;
        self
    }

    /// Adds a fact.
    pub(crate) fn with(mut self, evidence: Evidence) -> Self {
        self.evidence.push(evidence);
        self
    }

    /// Adds something that would help.
    pub(crate) fn lacking(mut self, what: impl Into<String>) -> Self {
        self.missing.push(what.into());
        self
    }

    /// Adds a rejected cause.
    pub(crate) fn over(mut self, cause: Cause, subtype: Subtype, why: impl Into<String>) -> Self {
        self.rivals.push(Rival {
            cause,
            subtype,
            rejected_because: why.into(),
        });
        self
    }

    /// It fires.
    pub(crate) fn fires(self) -> Verdict {
        Verdict::Fires(Box::new(self))
    }
}

/// The rules in their order: explicit signals first, the ambiguous close late, "unexplained" last.
pub(crate) static RULES: [&dyn Rule; 20] = [
    &upstream_502::Passed,
    &proxy_timeout::Client,
    &invalid_response::Explicit,
    &queueing_delay::Explicit,
    &dropped_connection::NoLive,
    &proxy_timeout::Tls,
    &dropped_connection::Tls,
    &dropped_connection::Refused,
    &proxy_timeout::Connect,
    &keep_alive_race::SilentDrop,
    &queueing_delay::AppQueue,
    &proxy_timeout::Header,
    &proxy_timeout::Body,
    &dropped_connection::MidResponse,
    &dropped_connection::Partial,
    &proxy_timeout::Disguised,
    &keep_alive_race::Race,
    &dropped_connection::Closed,
    &proxy_timeout::Learnt,
    &unexplained::Rest,
];

/// The winner with its rivals.
pub(crate) fn decide(case: &Case<'_, '_>) -> Candidate {
    let mut losers: Vec<(u8, Rival)> = Vec::new();
    for rule in RULES {
        match rule.check(case) {
            Verdict::Fires(mut winner) => {
                losers.sort_by_key(|(near, _)| std::cmp::Reverse(*near));
                let label = winner.label;
                winner.rivals.extend(losers.into_iter().map(|(_, rival)| rival));
                let mut seen = vec![(label.cause, label.subtype)];
                winner.rivals.retain(|r| {
                    let key = (r.cause, r.subtype);
                    let new = !seen.contains(&key);
                    seen.push(key);
                    new
                });
                winner.rivals.truncate(MOST_RIVALS);
                return *winner;
            }
            Verdict::Not { near: 0, .. } => {}
            Verdict::Not { why, near } => losers.push((
                near,
                Rival {
                    cause: rule.label().cause,
                    subtype: rule.label().subtype,
                    rejected_because: why,
                },
            )),
        }
    }
    Candidate::new(Cause::Unexplained, Subtype::NotEnoughEvidence, 0.0)
}

/// More rivals than this help nobody.
const MOST_RIVALS: usize = 4;

/// Shorthand.
pub(crate) const fn label(cause: Cause, subtype: Subtype) -> Label {
    Label { cause, subtype }
}
