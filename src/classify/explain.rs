//! What every rule says of one trace, for the user who wants to know how the verdict came about.

use super::case::Case;
use super::finding;
use super::issuer::How;
use super::rules::{self, Asked, Verdict};
use super::survey::Survey;
use super::words::span;
use crate::model::Cause;
use crate::model::explain::{RuleVerdict, Said};
use crate::model::finding::RequestInfo;

/// How one trace was judged.
#[derive(Debug, Clone, Default)]
pub struct Judgement {
    /// The request as its outermost record names it.
    pub request: RequestInfo,
    /// What the outermost hop with a record answered; zero if it closed without an answer, `None` if it logged none.
    pub status: Option<u16>,
    /// Which exchange the rules were asked about, in words; empty if none failed.
    pub exchange: String,
    /// The link whose hop made the failing status.
    pub issuer: Option<usize>,
    /// What they said, in the order in which they are asked.
    pub verdicts: Vec<RuleVerdict>,
}

/// Asks every rule about the exchange of trace `trace_no` that failed: the one that decided the request's status, or,
/// where a retry saved the request, the first one that failed.
pub(super) fn judge(survey: &Survey<'_>, trace_no: usize) -> Judgement {
    let Some(trace) = survey.trace(trace_no) else {
        return Judgement::default();
    };
    let outer = finding::outermost(trace);
    let outcome = outer.and_then(|(n, _)| trace.links.get(n)?.outcome.as_ref());
    let mut judgement = Judgement {
        request: finding::request(trace, outcome),
        status: outcome.and_then(|r| r.status),
        ..Judgement::default()
    };
    let failed = outer
        .filter(|&(_, status)| (survey.world.wanted)(status))
        .and_then(|(outer, _)| finding::failed_exchange(survey, trace_no, outer))
        .or_else(|| finding::broken_off(survey, trace_no, outer?.1));
    if let Some((issued, exchange)) = failed {
        judgement.issuer = Some(issued.link);
        if let Some(case) = Case::new(survey, &exchange, issued.how) {
            judgement.ask(&case);
        }
        return judgement;
    }
    let hidden = (0..trace.links.len()).find_map(|link| survey.failed(trace_no, link).next());
    if let Some(case) = hidden.and_then(|x| Case::new(survey, x, How::Made)) {
        judgement.ask(&case);
    }
    judgement
}

impl Judgement {
    fn ask(&mut self, case: &Case<'_, '_>) {
        let x = case.x;
        let number = match (x.number, x.outcome.map_or(0, |r| r.attempts.len())) {
            (Some(n), all) if all > 1 => format!(", attempt {} of {all}", n + 1),
            _ => String::new(),
        };
        let lasted = x
            .lasted_us
            .map_or_else(String::new, |us| format!(", {}", span(us)));
        self.exchange = format!("{} -> {}{number}{lasted}", case.name(), case.upstream_name());
        let asked = rules::ask_all(case);
        let winner = asked.iter().find(|a| a.wins).map(|a| a.label.subtype.plain());
        self.verdicts = rules::RULES
            .iter()
            .zip(asked)
            .map(|(rule, asked)| verdict(rule.question(), asked, winner))
            .collect();
    }
}

fn verdict(question: &str, asked: Asked, winner: Option<&str>) -> RuleVerdict {
    let (label, said, score, reason) = match asked.verdict {
        Verdict::Fired(candidate) if asked.wins => {
            let facts: Vec<&str> = candidate.evidence.iter().map(|e| &*e.fact).take(1).collect();
            (
                candidate.label,
                Said::Won,
                Some(candidate.score),
                facts.join("; "),
            )
        }
        Verdict::Fired(_) if asked.label.cause == Cause::Unexplained => {
            (asked.label, Said::Rejected, None, "a cause was found".to_owned())
        }
        Verdict::Fired(candidate) => {
            let before = winner.map_or_else(String::new, |w| format!("asked before it and fired: {w}"));
            (candidate.label, Said::FitsToo, Some(candidate.score), before)
        }
        Verdict::Rejected { why, .. } => (asked.label, Said::Rejected, None, why),
        Verdict::Lacks { what, .. } => (asked.label, Said::Lacks, None, what),
    };
    RuleVerdict {
        question: question.to_owned(),
        cause: label.cause,
        subtype: label.subtype,
        verdict: said,
        score: score.map(|s| (s * 100.0).round() / 100.0),
        reason,
    }
}
