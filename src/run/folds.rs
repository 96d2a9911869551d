//! Which logs were written while the clocks of their zone were put back or forward.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::clocks::Facts;
use crate::correlate::folds;
use crate::model::{Fold, HopId, SourceId};
use crate::select::sketch::{Sketch, Sketches};
use crate::select::{InputSurvey, Survey};

/// The samples of every hop's request logs in one zone each, and what had to be undone for that, by input.
pub(super) struct Unfolded<'s> {
    /// By hop.
    pub(super) sketches: Sketches<'s>,
    /// By input of which a part, or all, is in another zone than the rest of its hop's.
    pub(super) folds: BTreeMap<SourceId, Fold>,
}

/// Undoes changes of zone in the samples of all request logs.
pub(super) fn undo<'s>(facts: &BTreeMap<SourceId, Facts>, survey: &'s Survey) -> Unfolded<'s> {
    let mut of_source: OfSource<'s> = BTreeMap::new();
    for (&source, &Facts { hop, .. }) in facts {
        if let Some(input) = survey.inputs.get(&source).filter(|input| input.requests > 0) {
            of_source.insert(source, (hop, Cow::Borrowed(&input.sketch)));
        }
    }
    let mut found = BTreeMap::new();
    for (source, hop, input) in changeable(facts, survey) {
        let Some(ends) = input.ends.filter(|_| !input.steps.is_empty()) else {
            continue;
        };
        let others = merged(of_others(&of_source, hop));
        let others: Vec<&Sketch> = others.values().map(Cow::as_ref).collect();
        if let Some((fold, sketch)) = folds::of_requests(&input.steps, &input.sketch, ends, &others) {
            found.insert(source, fold);
            of_source.insert(source, (hop, Cow::Owned(sketch)));
        }
    }
    let whole = rotated(facts, survey, &of_source);
    for (&source, fold) in &whole {
        if let Some((_, sketch)) = of_source.get_mut(&source) {
            *sketch = Cow::Owned(sketch.moved(&|_| Some(fold.us)));
        }
    }
    // One that changed half-way is in the zone of its beginning, or of its end if the others are.
    for (source, fold) in whole {
        let known = found.entry(source).or_insert(fold);
        if *known != fold && known.us == -fold.us {
            *known = Fold {
                from: 0,
                to: known.from,
                us: fold.us,
                after_us: i64::MAX,
                mixed_to: 0,
                between_us: 0,
            };
        }
    }
    Unfolded {
        sketches: merged(of_source.into_values()),
        folds: found,
    }
}

/// The request logs whose stamps do not say their zone. A zone that was given knows when its clocks change.
fn changeable<'s>(
    facts: &BTreeMap<SourceId, Facts>,
    survey: &'s Survey,
) -> Vec<(SourceId, HopId, &'s InputSurvey)> {
    let one = |(&source, fact): (&SourceId, &Facts)| {
        let input = survey.inputs.get(&source)?;
        let open = input.zone_unknown && input.requests > 0 && fact.given_zone.is_none();
        open.then_some((source, fact.hop, input))
    };
    facts.iter().filter_map(one).collect()
}

/// The samples of inputs, each with its hop.
type OfSource<'s> = BTreeMap<SourceId, (HopId, Cow<'s, Sketch>)>;

/// The samples of all hops but one.
fn of_others<'a>(of_source: &'a OfSource<'_>, hop: HopId) -> impl Iterator<Item = (HopId, Cow<'a, Sketch>)> {
    let others = of_source.values().filter(move |(other, _)| *other != hop);
    others.map(|(hop, sketch)| (*hop, Cow::Borrowed(sketch.as_ref())))
}

/// One sample per hop. Nothing is copied where a hop has one log.
fn merged<'s>(of_logs: impl Iterator<Item = (HopId, Cow<'s, Sketch>)>) -> Sketches<'s> {
    let mut sketches = Sketches::new();
    for (hop, sketch) in of_logs {
        match sketches.entry(hop) {
            Entry::Vacant(place) => {
                place.insert(sketch);
            }
            Entry::Occupied(mut known) => known.get_mut().to_mut().merge(sketch.into_owned()),
        }
    }
    sketches
}

/// Logs that are in another zone than the greatest one of their hop: the clocks were changed between two of them.
fn rotated(
    facts: &BTreeMap<SourceId, Facts>,
    survey: &Survey,
    of_source: &OfSource<'_>,
) -> BTreeMap<SourceId, Fold> {
    let mut of_hop: BTreeMap<HopId, Vec<(u64, SourceId)>> = BTreeMap::new();
    for (source, hop, input) in changeable(facts, survey) {
        of_hop.entry(hop).or_default().push((input.requests, source));
    }
    let mut found = BTreeMap::new();
    for (hop, sources) in of_hop.iter().filter(|(_, sources)| sources.len() > 1) {
        let Some(&(_, reference)) = sources
            .iter()
            .max_by_key(|(n, source)| (*n, std::cmp::Reverse(*source)))
        else {
            continue;
        };
        let others = merged(of_others(of_source, *hop));
        for &(_, source) in sources.iter().filter(|(_, source)| *source != reference) {
            let fold = others
                .values()
                .find_map(|other| folds::between(&of_source[&reference].1, &of_source[&source].1, other));
            found.extend(fold.map(|fold| (source, fold)));
        }
    }
    found
}
