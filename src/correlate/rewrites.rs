//! What hops do to paths, learnt from requests that both sides logged: the same end of a path behind two beginnings.
//!
//! Where both logs have an id, requests with the same one say it. Elsewhere a rule is believed if the requests that it
//! makes alike fall together in time, all at one offset of the clocks, and not by chance.

use std::collections::{BTreeMap, BTreeSet};

use super::clocks;
use crate::model::{HopId, Rewrite, ids};
use crate::select::sketch::{Sketch, Sketches};

/// Rules of one hop.
const MOST: usize = 8;

/// Beginnings that are tried for one pair of hops, those with most paths behind them first.
const TRIED: usize = 12;

/// Fewer paths than this that both logs have behind two beginnings say nothing; fewer pairs that a rule brings neither.
const FEWEST: u32 = 3;
const FEWEST_PAIRS: u32 = 20;

/// Clocks differ by the same for all requests of two hops, but for this much that their stamps leave open.
const SAME_CLOCK_US: i64 = 1_000_000;

/// What each hop does to paths, by the hop whose log shows it; `None` stands for the hop's own configuration.
pub type Rules = BTreeMap<(HopId, Option<HopId>), Vec<Rewrite>>;

/// The rules of every hop of which paths are sampled, those `known` from its configuration included. Which of two hops is
/// the outer one is not known yet: each may be, unless it surely `only_serves`.
pub fn learn(
    sketches: &Sketches<'_>,
    known: &dyn Fn(HopId) -> Vec<Rewrite>,
    only_serves: &dyn Fn(HopId) -> bool,
) -> Rules {
    let mut rules = Rules::new();
    for (&outer, outside) in sketches.iter().filter(|(hop, _)| !only_serves(**hop)) {
        let configured = known(outer);
        for (&inner, inside) in sketches.iter().filter(|(inner, _)| **inner != outer) {
            let learnt = between(&configured, outside, inside);
            if !learnt.is_empty() {
                rules.insert((outer, Some(inner)), learnt);
            }
        }
        if !configured.is_empty() {
            rules.insert((outer, None), configured);
        }
    }
    rules
}

/// The rules by which requests of `outside` come to `inside`, beside those that are `known`.
fn between(known: &[Rewrite], outside: &Sketch, inside: &Sketch) -> Vec<Rewrite> {
    let mut rules: Vec<Rewrite> = Vec::new();
    let is_new = |rules: &[Rewrite], rule: &Rewrite| {
        rules.len() < MOST && !known.iter().chain(rules).any(|known| known.from == rule.from)
    };
    let (by_id, kept) = same_ids(outside, inside);
    for (rule, count) in &by_id {
        if *count >= FEWEST && is_new(&rules, rule) {
            rules.push(rule.clone());
        }
    }
    if !by_id.is_empty() || kept >= FEWEST_PAIRS {
        return rules;
    }
    let fit = clocks::by_request(&outside.rewritten(known), inside).filter(|fit| fit.alone);
    let mut at: Option<i64> = fit.map(|fit| fit.shift.us);
    for rule in ends_alike(outside, inside) {
        if !is_new(&rules, &rule) {
            continue;
        }
        let sent = outside.sent_by(std::slice::from_ref(&rule));
        let fit = clocks::by_request(&sent, inside).filter(|fit| {
            let same_clock = at.is_none_or(|us| (us - fit.shift.us).abs() <= SAME_CLOCK_US + fit.spread_us);
            fit.pairs >= FEWEST_PAIRS
                && fit.pairs * 2 >= fit.compared
                && fit.steady
                && fit.alone
                && same_clock
        });
        if let Some(fit) = fit {
            at = at.or(Some(fit.shift.us));
            rules.push(rule);
        }
    }
    rules
}

/// The rules that requests with the same id in both logs speak for, and how many do; with how many surely kept their path.
fn same_ids(outside: &Sketch, inside: &Sketch) -> (Vec<(Rewrite, u32)>, u32) {
    let mut votes: BTreeMap<Rewrite, u32> = BTreeMap::new();
    let mut kept = 0;
    for (key, outer) in outside.ids() {
        let Some(inner) = inside.ids().get(key) else {
            continue;
        };
        if outer.path == inner.path {
            kept += u32::from(!outer.path.is_empty());
        } else if let Some(rule) = rule_between(&outer.path, &inner.path) {
            *votes.entry(rule).or_default() += 1;
        }
    }
    (ranked(votes), kept)
}

/// The beginnings behind which both logs have the same ends of paths, those with most such ends first.
fn ends_alike(outside: &Sketch, inside: &Sketch) -> Vec<Rewrite> {
    let paths = |sketch: &Sketch| -> BTreeSet<String> {
        let groups = sketch.requests().values();
        groups
            .map(|group| ids::plain_path(&group.path).into_owned())
            .collect()
    };
    let (outer, inner) = (paths(outside), paths(inside));
    let mut votes: BTreeMap<Rewrite, u32> = BTreeMap::new();
    for a in outer.iter().filter(|path| !inner.contains(*path)) {
        // A path counts once for a rule, however many of the other's paths end like it.
        let rules: BTreeSet<Rewrite> = inner.iter().filter_map(|b| rule_between(a, b)).collect();
        rules
            .into_iter()
            .for_each(|rule| *votes.entry(rule).or_default() += 1);
    }
    let mut found = ranked(votes);
    found.retain(|(_, count)| *count >= FEWEST);
    found.truncate(TRIED);
    found.into_iter().map(|(rule, _)| rule).collect()
}

/// Most votes first; of equals the shorter beginnings.
fn ranked(votes: BTreeMap<Rewrite, u32>) -> Vec<(Rewrite, u32)> {
    let mut all: Vec<(Rewrite, u32)> = votes.into_iter().collect();
    all.sort_by_key(|(rule, count)| {
        (
            std::cmp::Reverse(*count),
            rule.from.len() + rule.to.len(),
            rule.clone(),
        )
    });
    all
}

/// The rule that makes `inner` of `outer`: what is left of both before the parts that they have in common at their ends.
fn rule_between(outer: &str, inner: &str) -> Option<Rewrite> {
    let (outer, inner) = (ids::plain_path(outer), ids::plain_path(inner));
    let common: usize = outer
        .rsplit('/')
        .zip(inner.rsplit('/'))
        .take_while(|(a, b)| a == b)
        .map(|(part, _)| part.len() + 1)
        .sum();
    let common = common.min(outer.len()).min(inner.len());
    let (from, to) = (&outer[..outer.len() - common], &inner[..inner.len() - common]);
    // One slash in common is nothing in common.
    (common > 1 && from != to).then(|| Rewrite::new(from, to))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::model::ids::mix;
    use crate::select::sketch::{Sample, Told};

    /// Two logs of the same 400 requests; the inner one has them 1 ms further in, on the path that `sent` makes.
    fn logs(with_ids: bool, sent: impl Fn(&str) -> String) -> [Sketch; 2] {
        let (mut outer, mut inner) = (Sketch::default(), Sketch::default());
        for n in 0..400u64 {
            let path = format!("/api/v1/things/{}", n % 30);
            let start_us = 1_000_000_000_000 + n as i64 * 3_337_111;
            let length = 4_000 + (mix(n) % 900_000) as i64;
            for (sketch, path, inset) in [(&mut outer, path.clone(), 0), (&mut inner, sent(&path), 1_000)] {
                let sample = Some(Sample {
                    start_us: start_us + inset,
                    end_us: start_us + length - inset,
                    resolution_us: 1_000,
                    whole: true,
                    upstream: 0,
                });
                let told = Told {
                    path: path.as_bytes(),
                    upstream: b"",
                };
                sketch.offer_request(ids::request_key(b"GET", path.as_bytes()), sample, told);
                if with_ids {
                    sketch.offer_id(mix(n), sample, told);
                }
            }
        }
        [outer, inner]
    }

    fn learnt([outer, inner]: [Sketch; 2]) -> Vec<Rewrite> {
        let sketches = BTreeMap::from([(HopId(0), Cow::Owned(outer)), (HopId(1), Cow::Owned(inner))]);
        let mut rules = learn(&sketches, &|_| Vec::new(), &|hop| hop == HopId(1));
        rules.remove(&(HopId(0), Some(HopId(1)))).unwrap_or_default()
    }

    #[test]
    fn a_beginning_that_is_taken_away_put_before_or_replaced_is_learnt() {
        for with_ids in [false, true] {
            let stripped = logs(with_ids, |path| path.replace("/api/v1", ""));
            assert_eq!(learnt(stripped), [Rewrite::new("/api/v1", "")]);
            let added = logs(with_ids, |path| format!("/shop{path}"));
            assert_eq!(learnt(added), [Rewrite::new("", "/shop")]);
            let replaced = logs(with_ids, |path| path.replace("/api/v1", "/two"));
            assert_eq!(learnt(replaced), [Rewrite::new("/api/v1", "/two")]);
        }
    }

    #[test]
    fn paths_that_stay_teach_nothing() {
        assert_eq!(learnt(logs(false, str::to_owned)), []);
        assert_eq!(learnt(logs(true, str::to_owned)), []);
        let other_case = |path: &str| path.to_ascii_uppercase();
        assert_eq!(learnt(logs(false, other_case)), []);
    }

    #[test]
    fn like_ends_at_other_times_teach_nothing() {
        let [outer, inner] = logs(false, |path| path.replace("/api/v1", ""));
        // Other requests of the same kinds, at times of their own.
        let elsewhere = inner.moved(&|us| Some((mix(us as u64) % 3_000_000_000) as i64));
        assert_eq!(learnt([outer, elsewhere]), []);
    }
}
