//! Failures that a retry hid: an attempt failed, but the client got a good answer.

use std::collections::BTreeMap;

use super::World;
use super::case::Case;
use super::issuer::How;
use super::rules;
use super::survey::Survey;
use crate::model::finding::{Evidence, NearMiss};
use crate::model::{Cause, HopId, Micros, Place, Subtype, Trace};

/// Near misses, counted per hop, upstream and label.
#[derive(Default)]
pub(super) struct Misses {
    all: BTreeMap<(HopId, String, Cause, Subtype), Group>,
}

struct Group {
    count: u64,
    first: i64,
    last: i64,
    example: (Option<(i64, Place)>, Option<Evidence>),
}

impl Misses {
    /// Adds the failed attempts of a trace that ended well.
    pub(super) fn add(&mut self, survey: &Survey<'_>, trace_no: usize) {
        let Some(trace) = survey.trace(trace_no) else {
            return;
        };
        if !ended_well(trace) {
            return;
        }
        for link_no in 0..trace.links.len() {
            // Many attempts of one request that fail alike are one near miss.
            let mut seen = Vec::new();
            for x in survey.failed(trace_no, link_no) {
                let Some(case) = Case::new(survey, x, How::Made) else {
                    continue;
                };
                let label = rules::decide(&case).label;
                let key = (x.hop, x.upstream.to_owned(), label.cause, label.subtype);
                // "Unexplained" is no cause to count.
                if label.cause == Cause::Unexplained || !is_saved(label.subtype) || seen.contains(&key) {
                    continue;
                }
                let at = x.end_us.or(x.start_us).unwrap_or_default();
                if !(survey.world.in_window)(at) {
                    continue;
                }
                seen.push(key.clone());
                let record = x.record();
                let fact = format!("{}, and the request was saved", label.subtype.plain());
                let evidence = case.says(crate::model::Weight::Context, record, fact);
                self.count(key, at, record.map(|r| (at, r.place)), evidence);
            }
        }
    }

    fn count(
        &mut self,
        key: (HopId, String, Cause, Subtype),
        at: i64,
        order: Option<(i64, Place)>,
        evidence: Evidence,
    ) {
        let group = self.all.entry(key).or_insert(Group {
            count: 0,
            first: at,
            last: at,
            example: (None, None),
        });
        group.count += 1;
        group.first = group.first.min(at);
        group.last = group.last.max(at);
        // The earliest one, whatever the order of the traces.
        if group.example.0.is_none() || order.is_some() && order < group.example.0 {
            group.example = (order, Some(evidence));
        }
    }

    /// The list, in order of hop, upstream and cause.
    pub(super) fn into_list(self, world: &World<'_>) -> Vec<NearMiss> {
        self.all
            .into_iter()
            .map(|((hop, upstream, cause, subtype), group)| NearMiss {
                hop: world.hop_name(hop).to_owned(),
                upstream,
                cause,
                subtype,
                count: group.count,
                first: Micros(group.first),
                last: Micros(group.last),
                example: group.example.1,
            })
            .collect()
    }
}

/// Whether a retry can hide such a failure. A client that left is not saved, nor is one that had part of the answer
/// already.
const fn is_saved(subtype: Subtype) -> bool {
    !matches!(
        subtype,
        Subtype::ClientTimeout
            | Subtype::ResetMidResponse
            | Subtype::ResponseBodyTimeout
            | Subtype::BadFraming
    )
}

/// The client got an answer that is no failure of the way to it.
fn ended_well(trace: &Trace) -> bool {
    let status = trace
        .links
        .iter()
        .find_map(|l| l.outcome.as_ref())
        .and_then(|r| r.status);
    status.is_some_and(|s| (100..500).contains(&s) && !matches!(s, 408 | 460 | 499))
}
