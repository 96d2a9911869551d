//! `upstream_502`: this hop received a complete answer with the failing status and passed it on.
//!
//! Proven when a header time stands beside the status, when the proxy's own state says that the
//! exchange ended well, or when the application's own record shows the status. Likely when the
//! proxy, which writes a line for every failure of its own, wrote none.
//! Not this: a proxy that made the status because its exchange with the upstream failed.

use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::classify::issuer::How;
use crate::classify::words::span;
use crate::model::Weight;
use crate::model::finding::Label;

/// Step 1.
pub(crate) struct Passed;

impl Rule for Passed {
    fn question(&self) -> &'static str {
        "did a complete answer come from the upstream?"
    }

    fn label(&self) -> Label {
        label(Cause::Upstream502, Subtype::PassedThrough)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let status = case.x.outcome.and_then(|r| r.status).unwrap_or_default();
        let outcome = case.x.outcome;
        let new = |score| Candidate::new(Cause::Upstream502, Subtype::PassedThrough, score);
        match case.how {
            How::Made => {
                let why = "no header time and no record of the upstream's shows that it answered";
                Verdict::near(u8::from(status == 502), why)
            }
            How::Answered(false) => {
                let fact = format!(
                    "{} answered {status} and logged no failure; nothing is known behind it",
                    case.name()
                );
                new(0.8)
                    .with(case.says(Weight::Strong, outcome, fact))
                    .lacking(format!("the error log of {}", case.name()))
                    .fires()
            }
            // What sends on may have made the status of a failure of which the line was not found.
            How::Answered(true) if case.sends_on() => {
                let fact = format!(
                    "{} answered {status}, and no failure of its own was found for it; it also sends requests on",
                    case.name()
                );
                new(0.6)
                    .with(case.says(Weight::Strong, outcome, fact))
                    .lacking("an id of the request in each of its logs".to_owned())
                    .fires()
            }
            How::Answered(true) => {
                let fact = format!("{} answered {status} itself", case.name());
                new(0.95)
                    .proven()
                    .with(case.says(Weight::Proof, outcome, fact))
                    .fires()
            }
            How::Received(true) => {
                // Where the sender's log is there, or may be, it should show the answer; that it was not
                // found is odd, and the sender may itself have made the status of something else.
                let unknown = !case.survey.unclaimed_behind(case.x).is_empty();
                let odd = case.sender().is_some() || case.sender() != case.upstream_hop || unknown;
                let header = case.x.header_us().map(|us| format!(" after {}", span(us)));
                let fact = format!(
                    "{} received the header of a complete {status} from {}{}",
                    case.name(),
                    case.sender_name(),
                    header.unwrap_or_default()
                );
                let mut found = new(if odd { 0.75 } else { 0.95 })
                    .with(case.says(Weight::Proof, outcome, fact))
                    .lacking(format!(
                        "the record of this request in the log of {}",
                        case.sender_name()
                    ));
                found.proof = !odd;
                found.fires()
            }
            How::Received(false) => {
                let fact = format!(
                    "{} wrote no failure of its own for this request, as it does for every status it makes",
                    case.name()
                );
                new(0.8)
                    .with(case.says(Weight::Strong, outcome, fact))
                    .lacking(format!("the log of {}", case.sender_name()))
                    .fires()
            }
        }
    }
}
