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
    /// What it asks of a case, in words.
    fn question(&self) -> &'static str;
    /// The label it would give, for the list of rivals; a rule that fires may choose a nearer subtype.
    fn label(&self) -> Label;
    /// Looks at a case.
    fn check(&self, case: &Case<'_, '_>) -> Verdict;
}

/// What a rule says of a case.
pub(crate) enum Verdict {
    /// It applies.
    Fired(Box<Candidate>),
    /// It does not.
    Rejected {
        /// Why not, in words.
        why: String,
        /// How much of its conditions held; zero if it is not worth mentioning.
        near: u8,
    },
    /// It cannot tell, for want of something that is not in the logs.
    Lacks {
        /// What it would have to know.
        what: String,
        /// How much of its other conditions held; zero if it is not worth mentioning.
        near: u8,
    },
}

impl Verdict {
    /// It has nothing to do with the case.
    pub(crate) fn far(why: &str) -> Self {
        Self::near(0, why)
    }

    /// It might have been, but for `why`.
    pub(crate) fn near(near: u8, why: impl Into<String>) -> Self {
        Self::Rejected {
            why: why.into(),
            near,
        }
    }

    /// It might have been; only `what` would tell.
    pub(crate) fn lacks(near: u8, what: impl Into<String>) -> Self {
        Self::Lacks {
            what: what.into(),
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
        Verdict::Fired(Box::new(self))
    }
}

/// The rules in their order: explicit signals first, the ambiguous close late, "unexplained" last.
pub(crate) static RULES: [&dyn Rule; 22] = [
    &upstream_502::Passed,
    &proxy_timeout::Client,
    &invalid_response::Explicit,
    &queueing_delay::Explicit,
    &dropped_connection::NoLive,
    &proxy_timeout::Tls,
    &dropped_connection::Tls,
    &dropped_connection::Refused,
    &dropped_connection::Gone,
    &proxy_timeout::Connect,
    &keep_alive_race::SilentDrop,
    &queueing_delay::AppQueue,
    &proxy_timeout::Header,
    &proxy_timeout::Body,
    &dropped_connection::MidResponse,
    &dropped_connection::Partial,
    &proxy_timeout::Disguised,
    &keep_alive_race::MaxRequests,
    &keep_alive_race::Race,
    &dropped_connection::Closed,
    &proxy_timeout::Learnt,
    &unexplained::Rest,
];

/// What every rule says of `case`, in the order of [`RULES`]. Each is asked, whatever the others say.
pub(crate) fn ask_all(case: &Case<'_, '_>) -> Vec<Asked> {
    let mut asked: Vec<Asked> = RULES
        .iter()
        .map(|rule| Asked {
            label: rule.label(),
            verdict: rule.check(case),
            wins: false,
        })
        .collect();
    // The first that fires wins: explicit signs are asked before those that leave a choice.
    let first = asked.iter_mut().find(|a| matches!(a.verdict, Verdict::Fired(_)));
    if let Some(first) = first {
        first.wins = true;
    }
    asked
}

/// A rule that was asked.
pub(crate) struct Asked {
    /// What it would be, or, once it fired, what it is.
    pub(crate) label: Label,
    /// What it said.
    pub(crate) verdict: Verdict,
    /// It is the first that fired.
    pub(crate) wins: bool,
}

/// The winner with its rivals.
pub(crate) fn decide(case: &Case<'_, '_>) -> Candidate {
    let mut winner = None;
    let mut losers: Vec<(u8, Rival)> = Vec::new();
    for asked in ask_all(case) {
        let (near, label, why) = match asked.verdict {
            Verdict::Fired(candidate) if asked.wins => {
                winner = Some(*candidate);
                continue;
            }
            Verdict::Fired(candidate) => (FIRED_TOO, candidate.label, outdone(&candidate)),
            Verdict::Rejected { why, near } => (near, asked.label, why),
            Verdict::Lacks { what, near } => (near, asked.label, format!("not known: {what}")),
        };
        if near > 0 {
            losers.push((
                near,
                Rival {
                    cause: label.cause,
                    subtype: label.subtype,
                    rejected_because: why,
                },
            ));
        }
    }
    let mut winner =
        winner.unwrap_or_else(|| Candidate::new(Cause::Unexplained, Subtype::NotEnoughEvidence, 0.0));
    losers.retain(|(_, rival)| rival.cause != Cause::Unexplained);
    losers.sort_by_key(|(near, _)| std::cmp::Reverse(*near));
    winner.rivals.extend(losers.into_iter().map(|(_, rival)| rival));
    let mut seen = vec![(winner.label.cause, winner.label.subtype)];
    winner.rivals.retain(|r| {
        let key = (r.cause, r.subtype);
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
    winner.rivals.truncate(MOST_RIVALS);
    winner
}

/// How near a rule was that fired after the winner.
const FIRED_TOO: u8 = 6;

/// Why a rule lost that fires as well.
pub(crate) fn outdone(candidate: &Candidate) -> String {
    format!(
        "it fits as well ({:.2}), but a nearer reason was found before it",
        candidate.score
    )
}

/// More rivals than this help nobody.
const MOST_RIVALS: usize = 4;

/// Shorthand.
pub(crate) const fn label(cause: Cause, subtype: Subtype) -> Label {
    Label { cause, subtype }
}
