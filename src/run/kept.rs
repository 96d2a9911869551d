//! The failures that the first pass kept, packed as it goes: there may be many more of them than are looked at together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashSet;
use why502_parsers::entry::Kind;

use crate::correlate::folds;
use crate::correlate::zones::{PathKey, Seen};
use crate::model::{Record, Records, SourceId, ids};
use crate::select::packed::Keys;
use crate::select::survey::Starts;
use crate::select::{InputSurvey, Survey};

/// What the first pass learnt, its failures packed.
#[derive(Default)]
pub(super) struct Surveyed {
    pub(super) survey: Survey,
    pub(super) kept: Kept,
}

impl Surveyed {
    /// Takes in what another task learnt.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.kept.take(&mut other.survey);
        self.kept.merge(other.kept);
        self.survey.merge(other.survey);
    }
}

/// What tells when failures were, by input.
pub(super) struct AllSeen {
    pub(super) failures: BTreeMap<SourceId, Vec<Seen>>,
    pub(super) requests: BTreeMap<SourceId, Vec<Seen>>,
}

/// So many wait before they are packed, in all threads together: few logs have more, and need no packing at all.
const UNPACKED: usize = 12_288;

/// So many wait of a thread that has packed some before.
const UNPACKED_MORE: usize = 512;

/// Failures, hidden failures and events in no order, packed where they are many.
#[derive(Default)]
pub(super) struct Kept {
    /// What each thread packed.
    packs: Vec<Records>,
    /// What it did not pack yet.
    unpacked: Vec<(Record, Vec<i64>)>,
    /// The ids of some, as far as they were asked for.
    pub(super) ids: Keys,
    /// The addresses of upstreams that they name.
    addresses: FxHashSet<Arc<str>>,
    /// The clients of requests among them, by input; the lowest few hashes of their addresses.
    clients: BTreeMap<SourceId, BTreeSet<u64>>,
}

/// Clients that are remembered of one input.
const CLIENTS: usize = 64;

/// Adds the hashes `more` of clients, of which the lowest few are remembered.
fn remember(clients: &mut BTreeSet<u64>, more: impl IntoIterator<Item = u64>) {
    clients.extend(more);
    while clients.len() > CLIENTS {
        clients.pop_last();
    }
}

impl Kept {
    /// Takes the failures out of `survey`, with what is known of the connections to their upstreams if no more can be.
    fn take(&mut self, survey: &mut Survey) {
        for (&source, input) in &mut survey.inputs {
            for record in std::mem::take(&mut input.kept) {
                let offset = record.place.offset;
                let is_whole = input.prior.get(&offset).is_some_and(|prior| !prior.is_short());
                let prior = is_whole.then(|| input.prior.remove(&offset)).flatten();
                self.add(record, prior.unwrap_or_default().ends, source);
            }
        }
    }

    fn add(&mut self, record: Record, ends: Vec<i64>, source: SourceId) {
        for attempt in &record.attempts {
            if !attempt.addr.is_empty() && !self.addresses.contains(&attempt.addr) {
                self.addresses.insert(Arc::clone(&attempt.addr));
            }
        }
        if record.kind == Kind::Request {
            let clients = self.clients.entry(source).or_default();
            let told = record.forwarded_for.split(',').map(str::trim);
            let all = told.chain([&*record.client]).filter(|client| !client.is_empty());
            remember(clients, all.map(|client| ids::hash(client.as_bytes())));
        }
        self.unpacked.push((record, ends));
        let most = match self.packs.as_slice() {
            [] => UNPACKED / rayon::current_num_threads().max(1),
            _ => UNPACKED_MORE,
        };
        if self.unpacked.len() >= most {
            self.pack();
        }
    }

    fn pack(&mut self) {
        if self.packs.is_empty() {
            self.packs.push(Records::default());
        }
        if let Some(pack) = self.packs.first_mut() {
            self.unpacked
                .drain(..)
                .for_each(|(record, ends)| pack.push(&record, &ends));
        }
    }

    /// Takes in what another thread packed.
    pub(super) fn merge(&mut self, other: Self) {
        self.packs.extend(other.packs);
        self.unpacked.extend(other.unpacked);
        if self.unpacked.len() > UNPACKED {
            self.pack();
        }
        self.ids.extend(other.ids);
        self.addresses.extend(other.addresses);
        for (source, clients) in other.clients {
            remember(self.clients.entry(source).or_default(), clients);
        }
    }

    /// Ends the first pass.
    pub(super) fn settle(&mut self) {
        self.ids = Keys::default();
        self.packs.iter_mut().for_each(Records::settle);
    }

    /// Leaves out the failures of the inputs `wrong`.
    pub(super) fn forget(&mut self, wrong: &BTreeSet<SourceId>) {
        let old = std::mem::take(self);
        let all = old.packs.into_iter().flatten().chain(old.unpacked);
        for (record, ends) in all {
            let source = record.place.source;
            if !wrong.contains(&source) {
                self.add(record, ends, source);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.unpacked.len() + self.packs.iter().map(Records::len).sum::<usize>()
    }

    /// The addresses of upstreams that they name.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(|address| &**address)
    }

    /// Whether some request of `source` is among them.
    pub(super) fn has_request_of(&self, source: SourceId) -> bool {
        self.clients.contains_key(&source)
    }

    /// The clients of requests of `source` among them, those that it was told of too: the lowest few hashes of addresses,
    /// as [`ids::hash`] gives them.
    pub(super) fn clients_of(&self, source: SourceId) -> impl Iterator<Item = u64> {
        self.clients.get(&source).into_iter().flatten().copied()
    }

    /// Shows all of them to `look`, one by one. Lines are counted within their parts.
    pub(super) fn each(&self, mut look: impl FnMut(&Record)) {
        let packed = self.packs.iter().flat_map(Records::iter);
        packed.for_each(|(record, _)| look(&record));
        self.unpacked.iter().for_each(|(record, _)| look(record));
    }

    /// All of them, given up as they are taken, with the ends of exchanges with their upstreams as far as they are here,
    /// and lines counted as `survey` tells.
    pub(super) fn into_records(self, survey: &Survey) -> impl Iterator<Item = (Record, Vec<i64>)> + use<> {
        let starts = |(&source, input): (&SourceId, &InputSurvey)| (source, input.starts());
        let starts: BTreeMap<SourceId, Starts> = survey.inputs.iter().map(starts).collect();
        let all = self.packs.into_iter().flatten().chain(self.unpacked);
        all.map(move |(mut record, ends)| {
            let of_input = starts.get(&record.place.source);
            record.place.line += of_input.map_or(0, |starts| starts.lines_before(record.place.offset));
            (record, ends)
        })
    }

    /// What tells when the failures of the inputs `failing` were that name their path, in order of their places and no
    /// more than are looked at, and the requests of the inputs `requested` for the same paths.
    pub(super) fn seen(&self, failing: &BTreeSet<SourceId>, requested: &BTreeSet<SourceId>) -> AllSeen {
        let mut failures: BTreeMap<SourceId, BTreeMap<u64, Seen>> = BTreeMap::new();
        self.each(|record| {
            let source = record.place.source;
            if !record.path.is_empty() && failing.contains(&source) {
                let of_source = failures.entry(source).or_default();
                of_source.insert(record.place.offset, Seen::from(record));
                if of_source.len() > folds::LOOKED_AT {
                    of_source.pop_last();
                }
            }
        });
        let mut requests: BTreeMap<SourceId, Vec<Seen>> = BTreeMap::new();
        let seen = failures.values().flat_map(BTreeMap::values);
        let paths: FxHashSet<PathKey> = seen.filter_map(Seen::path).collect();
        self.each(|record| {
            let source = record.place.source;
            if record.kind != Kind::Request || !requested.contains(&source) {
                return;
            }
            let request = Seen::from(record);
            if request.path().is_some_and(|path| paths.contains(&path)) {
                requests.entry(source).or_default().push(request);
            }
        });
        let in_order = |of_source: BTreeMap<u64, Seen>| of_source.into_values().collect();
        AllSeen {
            failures: failures
                .into_iter()
                .map(|(source, all)| (source, in_order(all)))
                .collect(),
            requests,
        }
    }
}
