//! Many findings in little memory: packed, with what they are counted, ordered and grouped by beside them.

use std::collections::BTreeSet;

use super::blocks::Blocks;
use super::finding::{Cause, Certainty, Finding, Subtype, WhatIf};
use super::pack::{Common, Packed, Reader, Words, Writer};
use super::{Fix, Micros, SourceId};

/// A list of findings, each of about a hundred bytes.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    entries: Vec<Entry>,
    blocks: Blocks,
    common: Common,
    names: Words,
    advice: Vec<Advice>,
    /// Inputs with lines that are named.
    sources: BTreeSet<SourceId>,
}

/// A block has so many bytes, before it is compressed, and besides as many as its last finding needs: few enough to be
/// unpacked for one finding.
const BLOCK: usize = 12 << 10;

/// What is known of a finding without unpacking it.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// In which block it is, where it begins there, and where it ends.
    block: u32,
    span: (u32, u32),
    time: Option<Micros>,
    /// The digits of its id.
    id: u64,
    score: f64,
    /// Numbers of names.
    issuer: u32,
    upstream: u32,
    /// Its place in the list of advice.
    advice: Option<u32>,
    cause: Cause,
    subtype: Subtype,
    certainty: Certainty,
    has_fix: bool,
}

/// What findings are counted, ordered and grouped by.
#[derive(Debug, Clone, Copy)]
pub struct Brief<'a> {
    /// Its place in the list.
    pub at: usize,
    /// See the fields of the same names of [`Finding`]; the id without its `f-`.
    pub id: u64,
    /// When; `None` if no line says it.
    pub time: Option<Micros>,
    /// Why.
    pub cause: Cause,
    /// More exactly.
    pub subtype: Subtype,
    /// How sure.
    pub certainty: Certainty,
    /// The same as a number.
    pub score: f64,
    /// The hop that made the status.
    pub issuer: &'a str,
    /// Its upstream: a hop's name, else an address; empty if unknown.
    pub upstream: &'a str,
    /// Whether there is something to change.
    pub has_fix: bool,
}

/// What findings that are alike say together in their fixes.
#[derive(Debug, Clone)]
pub struct Advice {
    /// Which of the changes has another value ...
    pub change: usize,
    /// ... and which; `None` if it stays.
    pub proposed: Option<String>,
    /// What that would have saved.
    pub what_if: WhatIf,
}

impl Brief<'_> {
    /// The id as reports write it.
    pub fn id(&self) -> String {
        id_text(self.id)
    }
}

fn id_text(id: u64) -> String {
    format!("f-{id:016x}")
}

/// The number that an id stands for; zero if it is none.
fn id_number(id: &str) -> u64 {
    let digits = id.strip_prefix("f-").unwrap_or_default();
    u64::from_str_radix(digits, 16).unwrap_or_default()
}

/// The inputs with lines that `finding` names.
fn sources_of(finding: &Finding) -> Vec<SourceId> {
    let evidence = finding.evidence.iter().filter_map(|evidence| evidence.place);
    let hops = finding.hops.iter().filter_map(|hop| hop.place);
    evidence.chain(hops).map(|place| place.source).collect()
}

impl Findings {
    /// An empty list with room for `most` findings.
    pub fn with_capacity(most: usize) -> Self {
        Self {
            entries: Vec::with_capacity(most),
            ..Self::default()
        }
    }

    /// Adds a finding; its place. One without an id can be given one by [`Findings::identify`].
    pub fn push(&mut self, finding: &Finding) -> usize {
        let open = self.blocks.open(BLOCK);
        let start = open.len();
        finding.pack(&mut Writer::new(open, &mut self.common));
        let span = (start as u32, open.len() as u32);
        self.sources.extend(sources_of(finding));
        let issuer = &finding.issuer;
        let upstream = issuer.upstream_hop.as_ref().unwrap_or(&issuer.upstream);
        self.entries.push(Entry {
            block: self.blocks.filling() as u32,
            span,
            time: finding.time,
            id: id_number(&finding.id),
            score: finding.score,
            issuer: self.names.number(&issuer.hop),
            upstream: self.names.number(upstream),
            advice: None,
            cause: finding.cause,
            subtype: finding.subtype,
            certainty: finding.certainty,
            has_fix: finding.fix.is_some(),
        });
        self.entries.len() - 1
    }

    /// Gives the finding at `at` its id.
    pub fn identify(&mut self, at: usize, id: u64) {
        if let Some(entry) = self.entries.get_mut(at) {
            entry.id = id;
        }
    }

    /// Gives the findings at `places` the same advice.
    pub fn advise(&mut self, places: &[usize], advice: Advice) {
        let number = u32::try_from(self.advice.len()).ok();
        self.advice.push(advice);
        for &at in places {
            if let Some(entry) = self.entries.get_mut(at) {
                entry.advice = number;
            }
        }
    }

    /// Puts the findings in order of time and id, once all are there; the place that each had before.
    pub fn settle(&mut self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.entries.len()).collect();
        order.sort_by_key(|&at| (self.entries[at].time, self.entries[at].id));
        self.entries = order.iter().map(|&at| self.entries[at]).collect();
        self.common.settle();
        self.names.settle();
        self.blocks.settle();
        order
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The finding at `at`, as it was packed, with its id and its advice. Several are had faster from [`Self::opened`].
    pub fn get(&self, at: usize) -> Option<Finding> {
        self.opened().get(at)
    }

    /// The list, to get several findings from that lie near each other.
    pub fn opened(&self) -> Opened<'_> {
        Opened {
            findings: self,
            blocks: Default::default(),
        }
    }

    fn unpacked(&self, entry: &Entry, block: &[u8]) -> Option<Finding> {
        let bytes = block.get(entry.span.0 as usize..entry.span.1 as usize)?;
        let mut finding = Finding::unpack(&mut Reader::new(bytes, &self.common));
        if finding.id.is_empty() {
            finding.id = id_text(entry.id);
        }
        let advice = entry.advice.and_then(|at| self.advice.get(at as usize));
        if let (Some(fix), Some(advice)) = (&mut finding.fix, advice) {
            if let (Some(change), Some(proposed)) = (fix.changes.get_mut(advice.change), &advice.proposed) {
                change.proposed.clone_from(proposed);
            }
            fix.what_if = Some(advice.what_if.clone());
        }
        Some(finding)
    }

    /// What the finding at `at` says is to be changed.
    pub fn fix(&self, at: usize) -> Option<Fix> {
        self.get(at)?.fix
    }

    /// All of them, unpacked one by one.
    pub fn iter(&self) -> impl Iterator<Item = Finding> + '_ {
        let mut opened = self.opened();
        (0..self.len()).filter_map(move |at| opened.get(at))
    }

    /// What is known of each without unpacking it.
    pub fn briefs(&self) -> impl Iterator<Item = Brief<'_>> {
        self.entries.iter().enumerate().map(|(at, entry)| Brief {
            at,
            id: entry.id,
            time: entry.time,
            cause: entry.cause,
            subtype: entry.subtype,
            certainty: entry.certainty,
            score: entry.score,
            issuer: self.names.text(entry.issuer),
            upstream: self.names.text(entry.upstream),
            has_fix: entry.has_fix,
        })
    }

    /// Leaves out those of which `keep` does not say so.
    pub fn retain(&mut self, keep: impl Fn(&mut Opened<'_>, Brief<'_>) -> bool) {
        let mut opened = self.opened();
        let kept: Vec<bool> = self.briefs().map(|brief| keep(&mut opened, brief)).collect();
        if kept.iter().all(|&kept| kept) {
            return;
        }
        let mut kept = kept.into_iter();
        self.entries.retain(|_| kept.next().unwrap_or(true));
        let left = self.iter().flat_map(|finding| sources_of(&finding));
        self.sources = left.collect();
    }

    /// The inputs with lines that they name.
    pub fn sources(&self) -> impl Iterator<Item = SourceId> + '_ {
        self.sources.iter().copied()
    }
}

/// Findings with the two blocks unpacked that were looked at last: in order of time they take turns now and then.
pub struct Opened<'f> {
    findings: &'f Findings,
    /// Their numbers and what is in them, the last first.
    blocks: [(Option<u32>, Vec<u8>); 2],
}

impl Opened<'_> {
    /// See [`Findings::get`].
    pub fn get(&mut self, at: usize) -> Option<Finding> {
        let entry = self.findings.entries.get(at)?;
        let wanted = Some(entry.block);
        if self.blocks[0].0 != wanted {
            self.blocks.swap(0, 1);
        }
        let (number, unpacked) = &mut self.blocks[0];
        if *number != wanted {
            *number = wanted;
            self.findings.blocks.read(entry.block as usize, unpacked);
        }
        self.findings.unpacked(entry, unpacked)
    }
}

impl<'a> FromIterator<&'a Finding> for Findings {
    fn from_iter<T: IntoIterator<Item = &'a Finding>>(all: T) -> Self {
        let mut findings = Self::default();
        for finding in all {
            findings.push(finding);
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Place, SourceId};

    /// Findings as the report's tests have them, with places.
    fn some() -> Vec<Finding> {
        let text = include_str!("../report/snapshots/why502__report__json__tests__the_report_as_json.snap");
        let json = text.splitn(3, "---\n").nth(2).unwrap();
        let report: crate::model::Report = serde_json::from_str(json).unwrap();
        let mut findings = report.findings;
        for (at, evidence) in findings.iter_mut().flat_map(|f| &mut f.evidence).enumerate() {
            evidence.place = (at % 3 > 0).then_some(Place {
                source: SourceId(at as u32),
                offset: 1 << (3 * at),
                len: 300,
                line: 7 * at as u64,
            });
        }
        findings
    }

    #[test]
    fn a_finding_is_unpacked_as_it_was_packed() {
        let some = some();
        // Twice, so that texts come again.
        let packed: Findings = some.iter().chain(&some).collect();
        assert!(some.len() > 1);
        let unpacked: Vec<String> = packed.iter().map(|finding| format!("{finding:?}")).collect();
        let wanted: Vec<String> = some
            .iter()
            .chain(&some)
            .map(|finding| format!("{finding:?}"))
            .collect();
        assert_eq!(unpacked, wanted);
        assert!(packed.get(2 * some.len()).is_none());
    }

    #[test]
    fn findings_are_put_in_order_of_time_and_id_and_keep_their_advice() {
        let mut some = some();
        some.truncate(2);
        some.iter_mut().for_each(|finding| {
            finding.time = Some(Micros(5));
            finding.id.clear();
        });
        let with_fix = some.iter().position(|finding| finding.fix.is_some()).unwrap();
        let mut packed: Findings = some.iter().collect();
        packed.identify(0, 9);
        packed.identify(1, 8);
        let what_if = WhatIf {
            value: "7 s".into(),
            value_ms: 7_000,
            saved: 1,
            total: 2,
            known: 2,
            assumption: "none".into(),
        };
        let advice = Advice {
            change: 0,
            proposed: Some("7".into()),
            what_if,
        };
        packed.advise(&[with_fix], advice);
        assert_eq!(packed.settle(), [1, 0]);
        assert_eq!(packed.get(0).unwrap().id, "f-0000000000000008");
        let fix = packed.fix(1 - with_fix).unwrap();
        assert_eq!((&*fix.changes[0].proposed, fix.what_if.unwrap().saved), ("7", 1));
        packed.retain(|_, brief| brief.id == 9);
        assert_eq!(
            packed.iter().map(|f| f.id).collect::<Vec<_>>(),
            ["f-0000000000000009"]
        );
    }
}
