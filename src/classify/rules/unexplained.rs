//! `unexplained`: the logs do not say. Always with what would decide it.

use why502_parsers::Product;

use super::{Candidate, Case, Cause, Rule, Subtype, Verdict, label};
use crate::model::Weight;
use crate::model::finding::Label;

/// Step 13.
pub(crate) struct Rest;

impl Rule for Rest {
    fn question(&self) -> &'static str {
        "does nothing else fit?"
    }

    fn label(&self) -> Label {
        label(Cause::Unexplained, Subtype::NotEnoughEvidence)
    }

    fn check(&self, case: &Case<'_, '_>) -> Verdict {
        let fact = match case.x.fact {
            Some(f) => format!(
                "{} names a failure that fits no cause: {:?} while in phase {:?}",
                case.name(),
                f.signal.fault,
                f.signal.phase
            ),
            None => format!("{} gives the status and not the reason", case.name()),
        };
        let mut found = Candidate::new(Cause::Unexplained, Subtype::NotEnoughEvidence, 0.2).with(case.says(
            Weight::Context,
            case.x.record(),
            fact,
        ));
        for what in would_help(case) {
            found = found.lacking(what);
        }
        found.fires()
    }
}

/// The logs and fields that would decide it.
fn would_help(case: &Case<'_, '_>) -> Vec<String> {
    let name = case.name();
    let fields = case.survey.fields(case.x.hop);
    let mut help = Vec::new();
    if !fields.failures && case.x.product != Product::Haproxy {
        help.push(format!("the error log of {name}"));
    }
    if let Some(wanted) = wanted_fields(case.x.product).filter(|_| !(fields.connect && fields.header)) {
        help.push(format!("{wanted} in the log format of {name}"));
    }
    if case.x.lasted_us.is_none() {
        help.push(format!("the duration of requests in the log of {name}"));
    }
    if !case.upstream_saw_it() && !case.upstream_covered(5_000_000) {
        help.push(format!("the log of {}", case.upstream_name()));
    }
    if !fields.outcomes {
        help.push(format!("the access log of {name}"));
    }
    help
}

fn wanted_fields(product: Product) -> Option<&'static str> {
    Some(match product {
        Product::Nginx => {
            "$upstream_addr, $upstream_status, $upstream_connect_time, $upstream_header_time, \
             $upstream_response_time and $upstream_bytes_received"
        }
        Product::Haproxy => "option httplog (timers and termination state)",
        Product::Apache => "%D, %X, %L and %{UNIQUE_ID}e",
        Product::Iis => "sc-substatus, sc-win32-status and time-taken",
        _ => return None,
    })
}
