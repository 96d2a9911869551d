//! What the first pass kept, put on the common clock and parted by time: what happened at one time of the day has nothing
//! to do with what happened hours later, and need not be held in memory with it.

use std::ops::Range;

use rustc_hash::FxHashSet;
use why502_parsers::entry::Kind;

use super::kept::Kept;
use super::{Map, is_around};
use crate::model::{Place, Record, Records};
use crate::plan::Window;
use crate::select::Survey;

/// So many failures make a stretch.
const TOGETHER: usize = 8_192;

/// What is further apart has nothing to do with each other: longer than usual timeouts, an id that comes again and a late
/// start taken together.
const AROUND_US: i64 = 900_000_000;

/// What the first pass kept, on the common clock and under its final hops.
pub(super) struct Seeds {
    /// The failures, stretch by stretch.
    pub(super) stretches: Vec<Stretch>,
    /// Server events, by time.
    pub(super) events: Vec<Record>,
}

/// The failures, hidden failures and error lines of some time and around it.
#[derive(Default)]
pub(super) struct Stretch {
    /// The time whose failures are explained here; `None` if it is all of the time.
    pub(super) own: Option<Range<i64>>,
    records: Records,
    /// The only stretch is not packed.
    unpacked: Vec<(Record, Vec<i64>)>,
}

impl Stretch {
    fn add(&mut self, record: &Record, ends: &[i64]) {
        let Some(own) = &self.own else { return };
        let is_near = record.interval().is_none_or(|(start, end)| {
            start < own.end.saturating_add(AROUND_US) && end >= own.start.saturating_sub(AROUND_US)
        });
        if is_near {
            self.records.push(record, ends);
        }
    }

    /// The records by place, each with the ends of exchanges with its upstream before it.
    pub(super) fn into_list(self) -> Vec<(Record, Vec<i64>)> {
        let mut list = self.unpacked;
        list.extend(self.records);
        list.sort_unstable_by_key(|(record, _)| record.place);
        list
    }
}

/// When a failure is counted to have been, if that is known.
pub(super) fn instant(record: &Record) -> Option<i64> {
    record.end_us.or(record.start_us)
}

/// The times whose failures are looked at together, if not all are: each has many, and is longer than what is to be
/// looked at around it.
fn parted(mut instants: Vec<i64>) -> Vec<Range<i64>> {
    instants.sort_unstable();
    let mut cuts = vec![i64::MIN];
    let (mut last, mut from) = (instants.first().copied().unwrap_or_default(), 0);
    for (at, &instant) in instants.iter().enumerate() {
        let is_long = instant.saturating_sub(last) >= 2 * AROUND_US;
        if at - from >= TOGETHER && instants.len() - at >= TOGETHER / 2 && is_long {
            cuts.push(instant);
            (last, from) = (instant, at);
        }
    }
    let ends = cuts.iter().skip(1).copied().chain([i64::MAX]);
    cuts.iter()
        .copied()
        .zip(ends)
        .map(|(from, to)| from..to)
        .collect()
}

impl Map {
    /// Puts the kept records in order that lie around the window, with what else is in `survey` of them. Those `asked`
    /// about are added; they may be among them already. All are one stretch unless they may be parted.
    pub(super) fn seeds(
        &self,
        (survey, kept): (&mut Survey, Kept),
        window: &Window,
        asked: Vec<Record>,
        may_be_parted: bool,
    ) -> Seeds {
        let mut stretches = self.stretches(&kept, may_be_parted && asked.is_empty());
        let places: FxHashSet<Place> = asked.iter().map(|record| record.place).collect();
        let mut known: FxHashSet<Place> = FxHashSet::default();
        let mut events = Vec::new();
        let mut add = |record: Record, ends: Vec<i64>| match stretches.as_mut_slice() {
            [only] => only.unpacked.push((record, ends)),
            several => several.iter_mut().for_each(|stretch| stretch.add(&record, &ends)),
        };
        for (mut record, mut ends) in kept.into_records(survey) {
            let source = record.place.source;
            let Some(input) = survey.inputs.get_mut(&source) else {
                continue;
            };
            let prior = input.prior.remove(&record.place.offset);
            ends.extend(prior.into_iter().flat_map(|prior| prior.ends));
            record.hop = self.hop_of.get(&source).copied().unwrap_or(record.hop);
            let correction = self.shift(source).at(record.raw_us, record.place.offset);
            record.start_us = record.start_us.map(|us| us + correction);
            record.end_us = record.end_us.map(|us| us + correction);
            if !is_around(&record, window) {
                continue;
            }
            if record.kind == Kind::Event {
                events.push(record);
                continue;
            }
            ends.iter_mut().for_each(|end| *end += correction);
            known.extend(places.get(&record.place));
            add(record, ends);
        }
        for record in asked {
            if !known.contains(&record.place) && record.kind != Kind::Event {
                add(record, Vec::new());
            }
        }
        stretches.iter_mut().for_each(|stretch| stretch.records.settle());
        events.sort_unstable_by_key(|record| (record.end_us.or(record.start_us), record.place));
        Seeds { stretches, events }
    }

    fn stretches(&self, kept: &Kept, may_be_parted: bool) -> Vec<Stretch> {
        let mut times = vec![i64::MIN..i64::MAX];
        if may_be_parted && kept.len() > TOGETHER {
            let failures = kept.iter().filter(|(record, _)| record.kind != Kind::Event);
            let instants = failures.map(|(record, _)| {
                let shift = self.shift(record.place.source);
                Some(instant(&record)? + shift.at(record.raw_us, record.place.offset))
            });
            // What has no time may belong anywhere.
            let instants: Option<Vec<i64>> = instants.collect();
            times = instants.map(parted).unwrap_or(times);
        }
        let is_only = times.len() == 1;
        let stretch = |own| Stretch {
            own: Some(own).filter(|_| !is_only),
            ..Stretch::default()
        };
        times.into_iter().map(stretch).collect()
    }
}
