//! Findings as a reader wants to see them: the incidents of one trouble between two hops together.

use std::collections::BTreeMap;

use super::summary::{Key, key_of, ranked};
use crate::model::finding::{CauseCount, Finding, Incident};
use crate::model::{Cause, Report, Subtype};

/// The findings of a group with the leading label, the most telling first.
pub(super) fn ranked_leading<'a>(group: &Group<'a>) -> Vec<&'a Finding> {
    ranked(&group.leading())
}

/// What a reader need not tell apart: how a lost race ended is chance, and the fix is the same.
pub(super) const fn shown_as(subtype: Subtype) -> Subtype {
    match subtype {
        Subtype::RstOnReuse => Subtype::FinBeforeRequest,
        other => other,
    }
}

/// What is shown as one: the incidents of one trouble between two hops, or findings that are of no incident.
pub(super) struct Group<'a> {
    /// The leading label with its counts, of all its findings.
    pub(super) count: CauseCount,
    /// Its findings, in the order of the report.
    pub(super) findings: Vec<&'a Finding>,
    /// Its incidents, by onset.
    pub(super) incidents: Vec<&'a Incident>,
}

/// The groups of `report`, the most frequent first.
pub(super) fn of(report: &Report) -> Vec<Group<'_>> {
    let incident_of: BTreeMap<&str, &Incident> = report
        .incidents
        .iter()
        .flat_map(|incident| incident.findings.iter().map(move |id| (id.as_str(), incident)))
        .collect();
    let mut groups: BTreeMap<Key<'_>, (Vec<&Finding>, Vec<&Incident>)> = BTreeMap::new();
    for finding in &report.findings {
        let incident = incident_of.get(finding.id.as_str()).copied();
        let (cause, subtype, issuer, upstream) = key_of(finding);
        let key = match incident {
            Some(one) => (one.cause, shown_as(one.subtype), issuer, upstream),
            None => (cause, shown_as(subtype), issuer, upstream),
        };
        let (findings, incidents) = groups.entry(key).or_default();
        findings.push(finding);
        if let Some(one) = incident
            && !incidents.iter().any(|known| known.id == one.id)
        {
            incidents.push(one);
        }
    }
    let mut all: Vec<Group<'_>> = groups
        .into_iter()
        .filter_map(|(key, (findings, incidents))| group(key, findings, incidents))
        .collect();
    all.sort_by_key(|group| std::cmp::Reverse(group.count.count));
    all
}

fn group<'a>(
    (cause, subtype, issuer, upstream): Key<'_>,
    findings: Vec<&'a Finding>,
    incidents: Vec<&'a Incident>,
) -> Option<Group<'a>> {
    let leads = |finding: &&Finding| finding.cause == cause && shown_as(finding.subtype) == subtype;
    let leading: Vec<&Finding> = findings.iter().copied().filter(leads).collect();
    let fixes = |group: &[&Finding]| ranked(group).into_iter().find_map(|finding| finding.fix.clone());
    Some(Group {
        count: CauseCount {
            cause,
            subtype,
            count: findings.len() as u64,
            issuer: issuer.to_owned(),
            upstream: upstream.to_owned(),
            first: findings.iter().filter_map(|f| f.time).min(),
            last: findings.iter().filter_map(|f| f.time).max(),
            certainty: findings.iter().map(|f| f.certainty).min()?,
            fix: fixes(&leading).or_else(|| fixes(&findings)),
        },
        findings,
        incidents,
    })
}

impl<'a> Group<'a> {
    /// Its labels with their counts, the leading one first, if there are several.
    pub(super) fn labels(&self) -> Vec<(Cause, Subtype, u64)> {
        let mut counts: BTreeMap<(Cause, Subtype), u64> = BTreeMap::new();
        for finding in &self.findings {
            *counts
                .entry((finding.cause, shown_as(finding.subtype)))
                .or_default() += 1;
        }
        let lead = (self.count.cause, self.count.subtype);
        let mut all: Vec<(Cause, Subtype, u64)> = counts.into_iter().map(|((c, s), n)| (c, s, n)).collect();
        all.sort_by_key(|&(cause, subtype, n)| ((cause, subtype) != lead, std::cmp::Reverse(n)));
        all
    }

    /// What happened, with its counts where it is several things in one.
    pub(super) fn what(&self) -> String {
        let labels = self.labels();
        if labels.len() < 2 {
            return self.count.subtype.plain().to_owned();
        }
        let parts: Vec<String> = labels
            .iter()
            .map(|(_, subtype, count)| format!("{} ({count})", subtype.plain()))
            .collect();
        parts.join(", then ")
    }

    /// The findings with the leading label.
    pub(super) fn leading(&self) -> Vec<&'a Finding> {
        let leads = |finding: &&&Finding| {
            (finding.cause, shown_as(finding.subtype)) == (self.count.cause, self.count.subtype)
        };
        self.findings.iter().filter(leads).copied().collect()
    }

    /// `edge-nginx -> orders-app`.
    pub(super) fn hops(&self) -> String {
        let issuer = match self.count.issuer.as_str() {
            "" => "unknown hop",
            issuer => issuer,
        };
        match self.count.upstream.as_str() {
            "" => issuer.to_owned(),
            upstream => format!("{issuer} -> {upstream}"),
        }
    }

    /// `edge-nginx -> orders-app (10.0.0.3:8080)`.
    pub(super) fn pair(&self) -> String {
        let mut addresses: Vec<&str> = self.findings.iter().map(|f| f.issuer.upstream.as_str()).collect();
        addresses.retain(|address| !address.is_empty() && *address != self.count.upstream);
        addresses.sort_unstable();
        addresses.dedup();
        let hops = self.hops();
        match addresses.as_slice() {
            [] => hops,
            [one] => format!("{hops} ({one})"),
            [one, rest @ ..] => format!("{hops} ({one} and {} more)", rest.len()),
        }
    }
}
