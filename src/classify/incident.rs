//! Incidents: findings that belong together, and what happened at the same time.
//!
//! Two findings belong together if they concern the same two hops and the same trouble, and no long pause
//! lies between them. A process that dies cuts requests and then refuses connections: that is one trouble.

use std::collections::BTreeMap;

use why502_parsers::entry::Fault;

use super::words::count;
use crate::model::finding::{Coincidence, Evidence, Fix, Incident, LabelCount};
use crate::model::{Brief, Cause, Certainty, Findings, Hop, HopId, Micros, Record, Stats, Subtype, Weight};

/// After a pause of this length the same trouble is another incident.
const PAUSE_US: i64 = 300_000_000;
/// An outage is over sooner: what is refused later is another one.
const OUTAGE_PAUSE_US: i64 = 30_000_000;
/// What happened this long before the first failure may have led to it ...
const BEFORE_US: i64 = 30_000_000;
/// ... and what happened this long after the last one may have ended it.
const AFTER_US: i64 = 10_000_000;
/// What happened further inside a long incident neither began nor ended it.
const INSIDE_US: i64 = 2_000_000;
/// More coincidences than this help nobody.
const MOST: usize = 6;

/// What findings of one incident have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    /// The upstream was not there, or on its way out.
    Down,
    /// It closes idle connections that the hop before still uses.
    Race,
    /// Any other label.
    Other(Cause, Subtype),
}

impl Trouble {
    const fn of(finding: &Brief<'_>) -> Self {
        match (finding.cause, finding.subtype) {
            (Cause::DroppedConnection, subtype) if is_down(subtype) => Self::Down,
            (Cause::KeepAliveRace, Subtype::FinBeforeRequest | Subtype::RstOnReuse) => Self::Race,
            (cause, subtype) => Self::Other(cause, subtype),
        }
    }

    const fn pause_us(self) -> i64 {
        match self {
            Self::Down => OUTAGE_PAUSE_US,
            _ => PAUSE_US,
        }
    }
}

const fn is_down(subtype: Subtype) -> bool {
    matches!(
        subtype,
        Subtype::WorkerCrash
            | Subtype::BackendRestart
            | Subtype::AppPoolRecycle
            | Subtype::Refused
            | Subtype::NoLiveUpstream
    )
}

/// The incidents of `findings` (by time), by onset; what has no time belongs to none. `events` are the servers' own, by time.
pub fn incidents(findings: &Findings, hops: &[Hop], events: &[Record], stats: &Stats) -> Vec<Incident> {
    let mut groups: Vec<(Trouble, Vec<(Micros, Brief<'_>)>)> = Vec::new();
    let mut open: BTreeMap<(Trouble, &str, &str), usize> = BTreeMap::new();
    for (time, finding) in findings.briefs().filter_map(|f| Some((f.time?, f))) {
        let trouble = Trouble::of(&finding);
        let key = (trouble, finding.issuer, finding.upstream);
        let latest = open.get(&key).copied().filter(|&at| {
            let last = groups[at].1.last().map_or(time, |&(last, _)| last);
            time.0 - last.0 <= trouble.pause_us()
        });
        let at = latest.unwrap_or_else(|| {
            groups.push((trouble, Vec::new()));
            groups.len() - 1
        });
        open.insert(key, at);
        groups[at].1.push((time, finding));
    }
    let around = Around {
        findings,
        hops,
        events,
        stats,
    };
    let mut all: Vec<Incident> = groups
        .iter()
        .filter_map(|(trouble, group)| incident(*trouble, group, &around))
        .collect();
    all.sort_by(|a, b| (a.onset, &a.id).cmp(&(b.onset, &b.id)));
    all
}

/// The findings, and what may have coincided with them.
struct Around<'a> {
    findings: &'a Findings,
    hops: &'a [Hop],
    events: &'a [Record],
    stats: &'a Stats,
}

fn incident(trouble: Trouble, group: &[(Micros, Brief<'_>)], around: &Around<'_>) -> Option<Incident> {
    let (&(onset, first), &(end, _)) = (group.first()?, group.last()?);
    let group: Vec<Brief<'_>> = group.iter().map(|&(_, finding)| finding).collect();
    let group = group.as_slice();
    let labels = labels(group);
    let lead = lead(trouble, &labels)?;
    Some(Incident {
        id: first.id().replacen("f-", "i-", 1),
        cause: lead.cause,
        subtype: lead.subtype,
        issuer: first.issuer.to_owned(),
        upstream: first.upstream.to_owned(),
        onset,
        end,
        count: group.len() as u64,
        certainty: group
            .iter()
            .map(|f| f.certainty)
            .min()
            .unwrap_or(Certainty::Unknown),
        coincided: around.coincided(trouble, group, (onset.0, end.0)),
        fix: fix(group, lead, around.findings),
        findings: group.iter().map(Brief::id).collect(),
        labels,
    })
}

/// The labels with their counts, the most frequent first.
fn labels(group: &[Brief<'_>]) -> Vec<LabelCount> {
    let mut counts: BTreeMap<(Cause, Subtype), u64> = BTreeMap::new();
    for finding in group {
        *counts.entry((finding.cause, finding.subtype)).or_default() += 1;
    }
    let mut labels: Vec<LabelCount> = counts
        .into_iter()
        .map(|((cause, subtype), count)| LabelCount {
            cause,
            subtype,
            count,
        })
        .collect();
    labels.sort_by_key(|label| std::cmp::Reverse(label.count));
    labels
}

/// The label that explains the others: a death before the refusals that follow it.
fn lead(trouble: Trouble, labels: &[LabelCount]) -> Option<LabelCount> {
    let follows = |label: &&LabelCount| matches!(label.subtype, Subtype::Refused | Subtype::NoLiveUpstream);
    let leading = labels
        .iter()
        .find(|label| trouble != Trouble::Down || !follows(label));
    leading.or(labels.first()).copied()
}

/// The fix of the most certain finding with the leading label; among equals, of the earliest.
fn fix(group: &[Brief<'_>], lead: LabelCount, findings: &Findings) -> Option<Fix> {
    let leading = group.iter().filter(|f| f.subtype == lead.subtype && f.has_fix);
    let best = leading.max_by(|a, b| {
        a.score
            .total_cmp(&b.score)
            .then_with(|| (b.time, b.id).cmp(&(a.time, a.id)))
    });
    best.and_then(|f| findings.fix(f.at))
}

impl Around<'_> {
    fn coincided(&self, trouble: Trouble, group: &[Brief<'_>], (onset, end): (i64, i64)) -> Vec<Coincidence> {
        let hops = self.hops_of(group);
        let mut all: Vec<Coincidence> = Vec::new();
        let at = |event: &Record| event.end_us.or(event.start_us);
        let from = self
            .events
            .partition_point(|e| at(e).is_none_or(|us| us < onset - BEFORE_US));
        for event in &self.events[from..] {
            let Some(us) = at(event).filter(|&us| us <= end + AFTER_US) else {
                break;
            };
            let is_near = us <= onset + INSIDE_US || us >= end - INSIDE_US;
            if !hops.contains(&event.hop) || trouble != Trouble::Down && !is_near {
                continue;
            }
            // A start explains failures only of connections that were not accepted.
            let is_start = event.signal.is_some_and(|s| s.fault == Fault::Started);
            if is_start && trouble != Trouble::Down {
                continue;
            }
            let Some(what) = self.what(event) else { continue };
            match all.iter_mut().find(|known| known.what == what) {
                Some(known) => known.count += 1,
                None => all.push(Coincidence {
                    evidence: Some(self.says(event, &what)),
                    what,
                    time: Micros(us),
                    count: 1,
                }),
            }
        }
        all.extend(self.load(trouble, group, onset));
        all.sort_by(|a, b| (a.time, &a.what).cmp(&(b.time, &b.what)));
        all.truncate(MOST);
        all
    }

    /// The hops that the findings are about: the issuer and its upstream, if the logs of both are there.
    fn hops_of(&self, group: &[Brief<'_>]) -> Vec<HopId> {
        let named = |name: &str| self.hops.iter().position(|hop| hop.name == name);
        let issuer = group.first().and_then(|f| named(f.issuer));
        let behind = group.first().and_then(|f| named(f.upstream));
        issuer
            .into_iter()
            .chain(behind)
            .map(|n| HopId(n as u16))
            .collect()
    }

    fn what(&self, event: &Record) -> Option<String> {
        let name = &self.hops.get(event.hop.0 as usize)?.name;
        Some(match event.signal?.fault {
            Fault::WorkerCrashed => format!("a process of {name} died"),
            Fault::WorkerTimedOut => format!("{name} killed a worker that was too slow"),
            Fault::OutOfMemory => format!("{name} ran out of memory"),
            Fault::Recycled => format!("the application pool of {name} was recycled"),
            Fault::Stopping => format!("{name} was stopping or reloading"),
            Fault::Started => format!("{name} was starting"),
            Fault::ServerDown => format!("{name} took a server out of rotation"),
            Fault::ServerUp => format!("{name} took a server back into rotation"),
            Fault::WorkersExhausted => format!("{name} had no free worker left"),
            Fault::QueueFull | Fault::BacklogFull => format!("a queue of {name} was full"),
            _ => return None,
        })
    }

    fn says(&self, event: &Record, what: &str) -> Evidence {
        let hop = self.hops.get(event.hop.0 as usize);
        Evidence {
            fact: what.to_owned(),
            weight: Weight::Context,
            hop: hop.map_or_else(String::new, |hop| hop.name.clone()),
            file: String::new(),
            line: 0,
            offset: None,
            text: String::new(),
            place: Some(event.place),
        }
    }

    /// Where time was the matter: the load at the onset, if it was much higher than before.
    fn load(&self, trouble: Trouble, group: &[Brief<'_>], onset: i64) -> Option<Coincidence> {
        let Trouble::Other(Cause::QueueingDelay | Cause::ProxyTimeout, _) = trouble else {
            return None;
        };
        let issuer = group.first()?.issuer;
        let hop = self.hops.iter().position(|hop| hop.name == issuer)?;
        let load = self.stats.load.get(&HopId(hop as u16))?;
        let second = onset.div_euclid(1_000_000);
        let first = load.first()?;
        // A shorter past says nothing about what was usual.
        if second - first < 10 {
            return None;
        }
        let mean = |from: i64, to: i64| {
            let sum: u64 = load.range(from..to).map(|(_, s)| u64::from(s.requests)).sum();
            sum as f64 / (to - from) as f64
        };
        let (now, before) = (
            mean(second - 2, second + 3),
            mean((second - 60).max(first), second - 2),
        );
        let rose = now >= 5.0 && now >= 2.0 * before;
        rose.then(|| Coincidence {
            what: format!(
                "the load of {issuer} rose to {} a second, from {before:.1} in the minute before",
                count(now.round() as usize, "request")
            ),
            time: Micros(onset),
            count: 1,
            evidence: None,
        })
    }
}
