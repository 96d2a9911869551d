//! Counting findings by cause and place.

use std::collections::BTreeMap;

use crate::model::finding::{
    Cause, CauseCount, Certainty, Finding, Fix, NearMiss, StatusCount, Subtype, Summary,
};
use crate::model::{Brief, Findings};

/// What findings are counted by: cause, subtype, issuer, and the issuer's upstream.
pub type Key<'a> = (Cause, Subtype, &'a str, &'a str);

/// The group that `finding` is counted in.
pub fn key_of(finding: &Finding) -> Key<'_> {
    let issuer = &finding.issuer;
    let upstream = issuer.upstream_hop.as_deref().unwrap_or(&issuer.upstream);
    (finding.cause, finding.subtype, &issuer.hop, upstream)
}

/// The group that `count` counts.
pub fn key_of_count(count: &CauseCount) -> Key<'_> {
    (count.cause, count.subtype, &count.issuer, &count.upstream)
}

/// Counts of a run, the same whatever the order of `findings`.
///
/// `other_statuses` are the gateway errors that were seen but not asked for, with their counts;
/// `requests` is the number of requests at the outermost hop. Causes come most frequent first, equals in
/// the order of [`Cause::ALL`], then by subtype and place.
pub fn summarise(
    findings: &Findings,
    near_misses: &[NearMiss],
    other_statuses: &BTreeMap<u16, u64>,
    requests: u64,
) -> Summary {
    let mut groups: BTreeMap<Key<'_>, Vec<Brief<'_>>> = BTreeMap::new();
    for brief in findings.briefs() {
        let key = (brief.cause, brief.subtype, brief.issuer, brief.upstream);
        groups.entry(key).or_default().push(brief);
    }
    let mut causes: Vec<CauseCount> = groups
        .into_iter()
        .map(|(key, group)| count(key, &group, findings))
        .collect();
    // Stable, so that equals stay in the order of their keys.
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    Summary {
        requests,
        failed: findings.len() as u64,
        causes,
        other_statuses: other_statuses
            .iter()
            .filter(|&(_, &count)| count > 0)
            .map(|(&status, &count)| StatusCount { status, count })
            .collect(),
        near_misses: near_misses.iter().map(|miss| miss.count).sum(),
        truncated: 0,
    }
}

fn count(
    (cause, subtype, issuer, upstream): Key<'_>,
    group: &[Brief<'_>],
    findings: &Findings,
) -> CauseCount {
    CauseCount {
        cause,
        subtype,
        count: group.len() as u64,
        issuer: issuer.to_owned(),
        upstream: upstream.to_owned(),
        first: group.iter().filter_map(|f| f.time).min(),
        last: group.iter().filter_map(|f| f.time).max(),
        certainty: group
            .iter()
            .map(|f| f.certainty)
            .min()
            .unwrap_or(Certainty::Unknown),
        fix: fix(group, findings),
    }
}

/// The fix of the most certain finding that has one; among equals, of the earliest.
fn fix(group: &[Brief<'_>], findings: &Findings) -> Option<Fix> {
    let with_fix = group.iter().filter(|finding| finding.has_fix);
    let best = with_fix.min_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| (a.time, a.id).cmp(&(b.time, b.id)))
    })?;
    findings.fix(best.at)
}

/// The findings of a group, the most telling first: by score, then by time and id.
pub fn ranked<'a>(group: &[&'a Finding]) -> Vec<&'a Finding> {
    let mut ranked = group.to_vec();
    ranked.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then_with(|| (a.time, &a.id).cmp(&(b.time, &b.id)))
    });
    ranked
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::report::sample;

    #[test]
    fn the_order_of_the_findings_does_not_matter() {
        let report = sample::report();
        let statuses = BTreeMap::from([(504, 12), (503, 0)]);
        let mut findings = report.findings.clone();
        let summary = |findings: &[Finding]| {
            let packed: Findings = findings.iter().collect();
            summarise(&packed, &report.near_misses, &statuses, 48_210)
        };
        let forward = summary(&findings);
        findings.reverse();
        let backward = summary(&findings);
        insta::assert_json_snapshot!(forward);
        assert_eq!(
            serde_json::to_string(&forward).unwrap(),
            serde_json::to_string(&backward).unwrap()
        );
    }

    #[test]
    fn the_counts_add_up_to_the_findings() {
        let report = sample::report();
        let packed: Findings = report.findings.iter().collect();
        let summary = summarise(&packed, &[], &BTreeMap::new(), 0);
        let sum: u64 = summary.causes.iter().map(|c| c.count).sum();
        assert_eq!((sum, summary.failed), (127, 127));
        let keys: BTreeSet<Key<'_>> = report.findings.iter().map(key_of).collect();
        assert_eq!(keys.len(), summary.causes.len());
    }

    #[test]
    fn the_fix_is_that_of_the_most_certain_finding() {
        let mut findings = sample::report().findings;
        findings.retain(|f| f.cause == Cause::KeepAliveRace);
        for (at, finding) in findings.iter_mut().enumerate() {
            finding.score = if at == 7 { 0.99 } else { 0.5 };
            finding.fix = Some(Fix {
                summary: at.to_string(),
                changes: Vec::new(),
                what_if: None,
            });
        }
        let packed: Findings = findings.iter().collect();
        let summary = summarise(&packed, &[], &BTreeMap::new(), 0);
        assert_eq!(summary.causes[0].fix.as_ref().unwrap().summary, "7");
    }
}
