//! Logs that say again what another log of the same server says: one by way of syslog, or a second `access_log`.

use std::collections::{BTreeMap, BTreeSet};

use why502_parsers::Product;
use why502_parsers::entry::Kind;

use super::kept::Kept;
use crate::correlate::details;
use crate::model::{HopId, Record, SourceId};
use crate::select::sketch::{Group, Sample, Sketch};
use crate::select::{InputSurvey, Survey};

/// Fewer requests than this that both logs have are chance.
const FEWEST: u32 = 5;

/// Failures that are looked for in the other log.
const LOOKED_AT: usize = 200;

/// Durations of one request that two formats round differently.
const ROUNDING_US: i64 = 2_000;

/// One log with all its rotated parts.
struct Log<'s> {
    sources: Vec<SourceId>,
    hop: HopId,
    product: Product,
    inputs: Vec<&'s InputSurvey>,
    sketch: Sketch,
    requests: u64,
    /// Its requests that failed, in order of their places.
    failures: Vec<Record>,
}

/// The inputs whose requests another log has too, with the first part of that log. Logs of one hop are compared, and logs
/// of one program that name their upstreams.
pub(super) fn find(
    survey: &Survey,
    kept: &Kept,
    hop_of: &BTreeMap<SourceId, HopId>,
    stream_of: &dyn Fn(SourceId) -> (String, Product),
) -> BTreeMap<SourceId, SourceId> {
    let logs = logs(survey, kept, hop_of, stream_of);
    let mut copies = BTreeMap::new();
    for copy in &logs {
        let original = logs.iter().filter(|log| {
            let may_be = log.hop == copy.hop || log.product == copy.product;
            may_be && log.is_before(copy) && log.has_all_of(copy)
        });
        if let Some(original) = original.reduce(|a, b| if b.is_before(a) { b } else { a }) {
            copies.extend(copy.sources.iter().map(|&source| (source, original.sources[0])));
        }
    }
    copies
}

fn logs<'s>(
    survey: &'s Survey,
    kept: &Kept,
    hop_of: &BTreeMap<SourceId, HopId>,
    stream_of: &dyn Fn(SourceId) -> (String, Product),
) -> Vec<Log<'s>> {
    let mut logs: BTreeMap<(HopId, String), Log<'s>> = BTreeMap::new();
    for (&source, input) in survey.inputs.iter().filter(|(_, input)| input.requests > 0) {
        let Some(&hop) = hop_of.get(&source) else { continue };
        let (stream, product) = stream_of(source);
        let log = logs.entry((hop, stream)).or_insert_with(|| Log {
            sources: Vec::new(),
            hop,
            product,
            inputs: Vec::new(),
            sketch: Sketch::default(),
            requests: 0,
            failures: Vec::new(),
        });
        log.sources.push(source);
        log.inputs.push(input);
        log.requests += input.requests;
    }
    // Most runs have one log a hop, and no two of one program; nothing is merged for them.
    let has_rival = |log: &Log<'_>, all: &[(HopId, Product)]| {
        let rivals = all
            .iter()
            .filter(|(hop, product)| *hop == log.hop || *product == log.product);
        rivals.count() > 1
    };
    let all: Vec<(HopId, Product)> = logs.values().map(|log| (log.hop, log.product)).collect();
    let mut logs: Vec<Log<'s>> = logs.into_values().filter(|log| has_rival(log, &all)).collect();
    for log in &mut logs {
        log.inputs
            .iter()
            .for_each(|input| log.sketch.merge(input.sketch.clone()));
    }
    if !logs.is_empty() {
        kept.each(|record| {
            let is_of = |log: &&mut Log<'_>| log.sources.contains(&record.place.source);
            let log = logs.iter_mut().find(is_of);
            if let Some(log) = log.filter(|_| record.kind == Kind::Request) {
                log.failures.push(record.clone());
            }
        });
    }
    for log in &mut logs {
        log.failures.sort_unstable_by_key(|record| record.place);
    }
    logs
}

impl Log<'_> {
    /// Whether it is the original if the two are alike: the one with clearly more requests, else the one that says more
    /// of them, else the first.
    fn is_before(&self, other: &Self) -> bool {
        if self.requests.abs_diff(other.requests) * 20 > self.requests.max(other.requests) {
            return self.requests > other.requests;
        }
        let says = |log: &Self| {
            let names_upstreams = log.inputs.iter().any(|input| input.names_upstreams);
            let is_whole = log
                .sketch
                .requests()
                .values()
                .flat_map(Group::samples)
                .any(|sample| sample.whole);
            (names_upstreams, is_whole, !log.sketch.ids().is_empty())
        };
        (says(self), std::cmp::Reverse(&self.sources)) > (says(other), std::cmp::Reverse(&other.sources))
    }

    /// Whether `other` has nothing but what this log has.
    fn has_all_of(&self, other: &Self) -> bool {
        let mut count = Count::default();
        count.sketches(&self.sketch, &other.sketch);
        count.failures(&self.failures, &other.failures);
        let enough = count.compared >= FEWEST && count.same * 100 >= count.compared * 95;
        // Logs of two servers that get the same kind of traffic have other counts from second to second.
        enough
            && (self.hop == other.hop || count.same_upstream >= FEWEST)
            && counts_agree(&self.inputs, &other.inputs)
    }
}

/// Whether no second has more requests in `again` than in `all`. A log of whole seconds that mark starts puts an end up
/// to a second early, so that next to it the seconds on either side count as well.
fn counts_agree(all: &[&InputSurvey], again: &[&InputSurvey]) -> bool {
    let is_early = all.iter().chain(again).any(|input| input.has_early_ends());
    let slack = i64::from(is_early);
    let at = |inputs: &[&InputSurvey], second: i64| -> u32 {
        let counts = inputs.iter().filter_map(|input| input.seconds.get(second));
        counts.map(|count| count.requests).sum()
    };
    let about = |second: i64| -> u32 { (second - slack..=second + slack).map(|near| at(all, near)).sum() };
    let seconds: BTreeSet<i64> = again
        .iter()
        .flat_map(|input| input.seconds.iter().map(|(second, _)| second))
        .collect();
    let fewer = seconds
        .iter()
        .filter(|&&second| at(again, second) <= about(second))
        .count();
    fewer * 100 >= seconds.len() * 95
}

/// How many requests of one log were looked for in the other.
#[derive(Debug, Default)]
struct Count {
    compared: u32,
    same: u32,
    same_upstream: u32,
}

impl Count {
    fn add(&mut self, is_same: bool, same_upstream: bool) {
        self.compared += 1;
        self.same += u32::from(is_same);
        self.same_upstream += u32::from(is_same && same_upstream);
    }

    fn sketches(&mut self, input: &Sketch, again: &Sketch) {
        for (all, others) in [(input.ids(), again.ids()), (input.requests(), again.requests())] {
            let last = all.keys().next_back().copied().unwrap_or(0);
            for (key, group) in others.range(..=last) {
                for sample in group.samples() {
                    let Some(known) = all.get(key) else {
                        self.add(false, false);
                        continue;
                    };
                    let twin = known.samples().find(|other| is_twin(other, sample));
                    let upstream =
                        twin.is_some_and(|twin| twin.upstream != 0 && twin.upstream == sample.upstream);
                    // What is not among the samples kept may be there all the same.
                    if twin.is_some() || known.has_all_until(sample) {
                        self.add(twin.is_some(), upstream);
                    }
                }
            }
        }
    }

    fn failures(&mut self, all: &[Record], again: &[Record]) {
        let mut all: Vec<&Record> = all.iter().collect();
        all.sort_by_key(|record| record.end_us);
        for record in again.iter().take(LOOKED_AT) {
            let coarse_us = 1_000_000.max(i64::from(record.resolution_us));
            let from = all.partition_point(|other| other.end_us < record.end_us.map(|us| us - coarse_us));
            let near = all[from..]
                .iter()
                .take_while(|other| other.end_us <= record.end_us.map(|us| us + coarse_us));
            let twin = near.copied().find(|other| details::is_copy_of(other, record));
            let upstream = |record: &Record| record.last_attempt().map(|attempt| attempt.addr.clone());
            let same_upstream =
                twin.is_some_and(|twin| upstream(twin).is_some() && upstream(twin) == upstream(record));
            self.add(twin.is_some(), same_upstream);
        }
    }
}

fn is_twin(one: &Sample, other: &Sample) -> bool {
    let resolution_us = i64::from(one.resolution_us.max(other.resolution_us));
    let lengths = (one.end_us - one.start_us, other.end_us - other.start_us);
    (one.end_us - other.end_us).abs() <= resolution_us
        && (!(one.whole && other.whole) || (lengths.0 - lengths.1).abs() <= ROUNDING_US)
        && (one.upstream == other.upstream || one.upstream == 0 || other.upstream == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::stats::Second;

    fn log(requests: &[(i64, u32)], ends_are_finer: bool) -> InputSurvey {
        let mut log = InputSurvey::default();
        (log.resolution_us, log.ends_are_finer) = (1_000_000, ends_are_finer);
        for &(second, requests) in requests {
            log.seconds.add(
                second,
                Second {
                    requests,
                    ..Second::default()
                },
            );
        }
        log
    }

    #[test]
    fn an_end_may_be_filed_a_second_early_where_whole_seconds_mark_starts() {
        let again = log(&[(10, 3), (11, 5)], false);
        let all = [(9, 4), (10, 4), (11, 1)];
        assert!(counts_agree(&[&log(&all, true)], &[&again]));
        assert!(
            !counts_agree(&[&log(&all, false)], &[&again]),
            "these ends are as they say"
        );
        assert!(
            !counts_agree(&[&log(&[(10, 1), (11, 1)], true)], &[&again]),
            "too few all the same"
        );
    }
}
