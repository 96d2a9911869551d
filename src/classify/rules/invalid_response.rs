//! `invalid_response`: the upstream answered in time, but the proxy could not accept the answer.
//!
//! Fires on the product's own words only: too big a header, malformed status line or header, bad
//! framing, another protocol, a rule of the proxy's.
//! Not this: a header that broke off because the connection ended (that is `premature_close`).

use why502_parsers::Product;
use why502_parsers::entry::Fault;

use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::model::Weight;
use crate::model::finding::Label;

/// Step 3.
pub(crate) struct Explicit;

impl Rule for Explicit {
    fn question(&self) -> &'static str {
        "was the answer one that the proxy could not accept?"
    }

    fn label(&self) -> Label {
        label(Cause::InvalidResponse, Subtype::MalformedHeader)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let Some(signal) = case.x.signal() else {
            return case.unnamed(1);
        };
        let subtype = match signal.fault {
            Fault::HeaderTooBig => Subtype::HeaderTooBig,
            Fault::MalformedHeader | Fault::InvalidResponse => Subtype::MalformedHeader,
            Fault::BadFraming => Subtype::BadFraming,
            Fault::ProtocolMismatch => Subtype::ProtocolMismatch,
            Fault::PolicyBlocked => Subtype::PolicyBlocked,
            _ => {
                let near = u8::from(case.x.is_cut()) * 2;
                return Verdict::near(near, "no answer was there to be judged");
            }
        };
        let record = case.x.record();
        let text = record.map_or("", |r| &r.error);
        if signal.fault == Fault::MalformedHeader && text.contains("EOF") {
            return Verdict::near(3, "the header is malformed because it broke off");
        }
        let fact = format!(
            "{} could not accept the answer of {}",
            case.name(),
            case.upstream_name()
        );
        let mut found = Candidate::new(Cause::InvalidResponse, subtype, 0.95).with(case.says(
            Weight::Proof,
            record,
            fact,
        ));
        if ambiguous(case, signal.fault, text) {
            found.score = 0.75;
            found = found.over(
                Cause::DroppedConnection,
                Subtype::PrematureClose,
                "the text also fits a header that broke off, which is rarer",
            );
            return found.lacking("a capture of the answer").fires();
        }
        if signal.fault == Fault::InvalidResponse {
            // The product says "invalid" and no more: the cause is proven, the subtype a guess.
            found = found.lacking(format!(
                "the error log of {} for the kind of invalidity",
                case.name()
            ));
        }
        found.proven().fires()
    }
}

/// Go reports a header that was cut off as a malformed one.
fn ambiguous(case: &Case<'_, '_>, fault: Fault, text: &str) -> bool {
    case.x.product == Product::Caddy && fault == Fault::MalformedHeader && text.contains("MIME")
}
