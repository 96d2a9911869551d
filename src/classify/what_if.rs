//! How many of the failures of one kind a value would have saved, from what the logs themselves show: how long the
//! upstream needed for its answers, how long connections had been idle.

use std::collections::BTreeMap;

use why502_parsers::Product;

use super::words::span;
use crate::limits::setting;
use crate::model::finding::WhatIf;
use crate::model::findings::Advice;
use crate::model::{Cause, Findings, LimitKind};

/// What a failed request would have needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// That the sender waits this long; `None` if the upstream's log does not say.
    Patience(Option<u64>),
    /// That the upstream keeps a connection that was idle for this long; `None` if that is not known.
    Kept(Option<u64>),
    /// That the sender lets go of a connection before it was idle for this long.
    LetGo(Option<u64>),
}

/// The change of a fix that a number decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Knob {
    /// Its place among the changes.
    pub(crate) at: usize,
    /// Whose setting it is.
    pub(crate) product: Product,
    /// Which.
    pub(crate) kind: LimitKind,
    /// The value proposed, in microseconds.
    pub(crate) us: u64,
    /// What the request needed.
    pub(crate) need: Need,
}

/// A request needs more than it took: a fifth more, in whole seconds.
pub(crate) fn with_room(us: u64) -> u64 {
    (us + us / 5).div_ceil(1_000_000) * 1_000_000
}

/// What failures have in common that one value is for.
type Alike<'a> = (Cause, LimitKind, &'a str, &'a str);

/// Gives the fixes of failures that are alike one value, and says how many of them it would have saved. `knobs` are of
/// some of `findings`, by their places.
pub(super) fn fill(findings: &mut Findings, knobs: &[(usize, Knob)]) {
    let knob_of: BTreeMap<usize, &Knob> = knobs.iter().map(|(at, knob)| (*at, knob)).collect();
    let mut groups: BTreeMap<Alike<'_>, Vec<(usize, Knob)>> = BTreeMap::new();
    for brief in findings.briefs() {
        if let Some(&&knob) = knob_of.get(&brief.at) {
            let key = (brief.cause, knob.kind, brief.issuer, brief.upstream);
            groups.entry(key).or_default().push((brief.at, knob));
        }
    }
    let groups: Vec<Vec<(usize, Knob)>> = groups.into_values().collect();
    for members in groups {
        let knobs: Vec<Knob> = members.iter().map(|(_, knob)| *knob).collect();
        if let Some((us, what_if)) = weigh(&knobs) {
            advise(findings, &members, us, &what_if);
        }
    }
}

/// Gives each of `members` the value `us`, in the words of its product.
fn advise(findings: &mut Findings, members: &[(usize, Knob)], us: u64, what_if: &WhatIf) {
    let mut alike: BTreeMap<(usize, Option<String>), Vec<usize>> = BTreeMap::new();
    for (at, knob) in members {
        let proposed = setting(knob.product, knob.kind, us).map(|(_, text)| text);
        alike.entry((knob.at, proposed)).or_default().push(*at);
    }
    for ((change, proposed), places) in alike {
        let what_if = what_if.clone();
        findings.advise(
            &places,
            Advice {
                change,
                proposed,
                what_if,
            },
        );
    }
}

/// The value for failures that are alike, and what it would have saved. Nothing if the logs do not show what any of
/// them needed.
fn weigh(knobs: &[Knob]) -> Option<(u64, WhatIf)> {
    let first = knobs.first()?;
    let needs: Vec<u64> = knobs.iter().filter_map(|knob| knob.need.us()).collect();
    if needs.is_empty() {
        return None;
    }
    let us = match first.need {
        Need::Patience(_) => with_room(most(&needs)),
        // What the limits of both sides imply; the largest of several routes.
        Need::Kept(_) => knobs.iter().map(|knob| knob.us).max()?,
        Need::LetGo(_) => knobs.iter().map(|knob| knob.us).min()?,
    };
    let saves = |need: u64| match first.need {
        Need::LetGo(_) => need > us,
        _ => need < us,
    };
    let saved = needs.iter().filter(|need| saves(**need)).count() as u64;
    Some((
        us,
        WhatIf {
            value: span(us),
            value_ms: us / 1_000,
            saved,
            total: knobs.len() as u64,
            known: needs.len() as u64,
            assumption: assumption(first.need).to_owned(),
        },
    ))
}

const fn assumption(need: Need) -> &'static str {
    match need {
        Need::Patience(_) => {
            "they take as long as the upstream's log says, and no more of them come at once: where requests queue, \
             waiting longer makes the queue longer"
        }
        Need::Kept(_) => {
            "the connection had been idle since the last answer from that address, and the side that sends lets go of \
             it first"
        }
        Need::LetGo(_) => {
            "the connection had been idle since the last answer from that address; a request then costs a new one"
        }
    }
}

/// What nine in ten of the needs do not exceed: one request that took an hour is no reason to let all wait for one.
fn most(needs: &[u64]) -> u64 {
    let mut sorted = needs.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * 9).div_ceil(10).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

impl Need {
    const fn us(self) -> Option<u64> {
        match self {
            Self::Patience(us) | Self::Kept(us) | Self::LetGo(us) => us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knob(need: Need, us: u64) -> Knob {
        Knob {
            at: 0,
            product: Product::Nginx,
            kind: LimitKind::Read,
            us,
            need,
        }
    }

    #[test]
    fn a_timeout_is_chosen_for_nine_in_ten_and_counts_what_it_saves() {
        let mut knobs: Vec<Knob> = (1..=10)
            .map(|n| knob(Need::Patience(Some(n * 1_000_000)), 0))
            .collect();
        knobs.push(knob(Need::Patience(Some(3_600_000_000)), 0));
        knobs.push(knob(Need::Patience(None), 0));
        let (us, what_if) = weigh(&knobs).unwrap();
        assert_eq!(us, 12_000_000, "a fifth more than 10 s");
        assert_eq!((what_if.saved, what_if.known, what_if.total), (10, 11, 12));
        assert!(what_if.assumption.contains("queue"));
    }

    #[test]
    fn an_idle_time_saves_the_requests_whose_connection_it_would_have_kept() {
        let gaps = [Some(1_990_000), Some(2_010_000), Some(70_000_000), None];
        let knobs: Vec<Knob> = gaps
            .iter()
            .map(|gap| knob(Need::Kept(*gap), 61_000_000))
            .collect();
        let (us, what_if) = weigh(&knobs).unwrap();
        assert_eq!(
            (us, what_if.saved, what_if.known, what_if.total),
            (61_000_000, 2, 3, 4)
        );
        let shorter: Vec<Knob> = gaps
            .iter()
            .map(|gap| knob(Need::LetGo(*gap), 1_000_000))
            .collect();
        assert_eq!(weigh(&shorter).unwrap().1.saved, 3);
    }

    #[test]
    fn nothing_is_said_where_the_logs_do_not_show_what_was_needed() {
        assert!(weigh(&[knob(Need::Patience(None), 0)]).is_none());
    }
}
