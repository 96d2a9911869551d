//! What the first pass kept, put on the common clock and parted by time: what happened at one time of the day has nothing
//! to do with what happened hours later, and need not be held in memory with it.

use std::ops::Range;

use rustc_hash::FxHashSet;
use why502_parsers::entry::Kind;

use super::kept::Kept;
use super::{Map, is_around};
use crate::model::{Place, Record, Records};
use crate::plan::{Parting, Window};
use crate::select::Survey;

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
    /// Adds a record if it is of its time, or within `around_us` of it.
    fn add(&mut self, record: &Record, ends: &[i64], around_us: i64) {
        let Some(own) = &self.own else { return };
        let is_near = record.interval().is_none_or(|(start, end)| {
            start < own.end.saturating_add(around_us) && end >= own.start.saturating_sub(around_us)
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
fn parted(mut instants: Vec<i64>, parting: Parting) -> Vec<Range<i64>> {
    let Parting { failures, around_us } = parting;
    instants.sort_unstable();
    let mut cuts = vec![i64::MIN];
    let (mut last, mut from) = (instants.first().copied().unwrap_or_default(), 0);
    for (at, &instant) in instants.iter().enumerate() {
        let is_long = instant.saturating_sub(last) >= 2 * around_us;
        if at - from >= failures && instants.len() - at >= failures / 2 && is_long {
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
    /// about are added; they may be among them already. All are one stretch unless they are to be parted.
    pub(super) fn seeds(
        &self,
        (survey, kept): (&mut Survey, Kept),
        window: &Window,
        asked: Vec<Record>,
        parting: Option<Parting>,
    ) -> Seeds {
        let mut stretches = self.stretches(&kept, parting.filter(|_| asked.is_empty()));
        let around_us = parting.map_or(0, |parting| parting.around_us);
        let places: FxHashSet<Place> = asked.iter().map(|record| record.place).collect();
        let mut known: FxHashSet<Place> = FxHashSet::default();
        let mut events = Vec::new();
        let mut add = |record: Record, ends: Vec<i64>| match stretches.as_mut_slice() {
            [only] => only.unpacked.push((record, ends)),
            several => several
                .iter_mut()
                .for_each(|stretch| stretch.add(&record, &ends, around_us)),
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
        events.sort_unstable_by_key(|record| (instant(record), record.place));
        Seeds { stretches, events }
    }

    fn stretches(&self, kept: &Kept, parting: Option<Parting>) -> Vec<Stretch> {
        let mut times = Vec::new();
        if let Some(parting) = parting.filter(|parting| kept.len() / 2 > parting.failures) {
            let mut instants = Vec::with_capacity(kept.len());
            let mut have_times = true;
            kept.each(|record| {
                let shift = self.shift(record.place.source);
                let corrected = |us: i64| us + shift.at(record.raw_us, record.place.offset);
                if record.kind != Kind::Event {
                    have_times &= instant(record).is_some();
                    instants.extend(instant(record).map(corrected));
                }
            });
            // What has no time may belong anywhere.
            if have_times {
                times = parted(instants, parting);
            }
        }
        if times.len() < 2 {
            return vec![Stretch::default()];
        }
        let stretch = |own| Stretch {
            own: Some(own),
            ..Stretch::default()
        };
        times.into_iter().map(stretch).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARTING: Parting = Parting {
        failures: 10,
        around_us: 100,
    };

    #[test]
    fn every_instant_is_of_one_time() {
        let instants: Vec<i64> = (0..95).map(|n| n * 37).rev().collect();
        let times = parted(instants.clone(), PARTING);
        assert!(times.len() > 5, "{times:?}");
        assert_eq!((times[0].start, times[times.len() - 1].end), (i64::MIN, i64::MAX));
        assert!(times.windows(2).all(|pair| pair[0].end == pair[1].start));
        for time in &times {
            assert!(instants.iter().filter(|at| time.contains(at)).count() >= 5);
        }
    }

    #[test]
    fn a_storm_is_not_parted() {
        assert_eq!(parted(vec![7; 1_000], PARTING).len(), 1);
        assert_eq!(parted((0..199).collect(), PARTING).len(), 1);
        assert_eq!(parted(Vec::new(), PARTING).len(), 1);
    }
}
