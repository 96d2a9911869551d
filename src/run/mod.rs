//! The run: the only place that knows every stage.

mod advice;
mod clocks;
mod copies;
mod declared;
mod detect;
mod diagnosis;
mod directives;
mod evidence;
mod explain;
mod focus;
mod folds;
mod hops;
mod idle;
mod inputs;
mod join;
mod kept;
mod lines_before;
mod lint;
mod look;
mod near;
mod packed;
mod parse;
mod passes;
mod pieces;
mod probe;
mod search;
mod second;
mod seeds;
mod settle;
mod unmatched;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashSet;

use crate::classify::{self, World};
use crate::correlate::{rewrites, topology};
use crate::discover;
use crate::error::Error;
use crate::limits::{Limits, Scope};
use crate::model::finding::{HopInfo, Inference, Problem, Report};
use crate::model::stats::Stats;
use crate::model::{Brief, Findings, Hop, HopId, Micros, Opened, Place, Record, Shift, SourceId, finding};
use crate::plan::{Plan, Window};
use crate::report::progress::Progress;
use crate::report::summary;
use crate::select::{self, InputSurvey, Survey};
use clocks::Correction;
use diagnosis::{Threads, on_threads};
use evidence::Lines;
use focus::Focuses;
use inputs::Sources;
use join::Joined;
use kept::Kept;
use lines_before::LinesBefore;
use passes::Reading;
use seeds::Seeds;
use unmatched::Unmatched;

pub use crate::sniff::definition_files;
pub use detect::detect;
pub use diagnosis::Diagnosis;
pub use explain::explain;
pub use lint::lint;
pub use parse::{Filter, Parsed, parse};
pub use settle::settle;

/// A request that began this long before the window may have failed in it, and its connection may have been idle as
/// long.
const BEFORE_US: i64 = 600_000_000;

/// What a failure leads to shows within this time of it: refused connections, a start, an application that answers late.
const AFTER_US: i64 = 300_000_000;

/// Reads what `plan` names and explains the failures in it. `now_us` is the present, for relative times and for
/// the report's own stamp.
///
/// # Errors
/// What ends a run: nothing to read, no known format anywhere, an empty window.
pub fn diagnose(plan: &Plan, now_us: i64, progress: &Progress) -> Result<Report, Error> {
    Ok(diagnosis(plan, now_us, progress)?.whole())
}

/// The same, with findings that take little memory until they are written.
///
/// # Errors
/// As [`diagnose`].
pub fn diagnosis(plan: &Plan, now_us: i64, progress: &Progress) -> Result<Diagnosis, Error> {
    let threads = Threads::of(plan);
    let (report, findings, lines) = threads.run(|| on_this_pool(plan, now_us, progress))?;
    Ok(Diagnosis {
        report,
        findings,
        lines,
        threads,
    })
}

/// Everything that was read and joined, ready to be explained.
struct Joint {
    sources: Sources,
    survey: Survey,
    map: Map,
    focuses: Focuses,
    window: Window,
    events: Vec<Record>,
    joined: Joined,
}

impl Joint {
    /// What the explanation rests on. `stats` are those of [`Map::stats`].
    fn world<'a>(
        &'a self,
        stats: &'a Stats,
        wanted: &'a (dyn Fn(u16) -> bool + Sync),
        in_window: &'a (dyn Fn(i64) -> bool + Sync),
    ) -> World<'a> {
        World {
            hops: &self.map.hops,
            stats,
            limits: &self.map.limits,
            events: &self.events,
            stray: &self.joined.stray,
            wanted,
            truncated: [500, 502, 503, 504].into_iter().all(wanted),
            in_window,
        }
    }
}

/// Records to be joined beside the failures.
type Extra<'f> = dyn Fn(&[Reading<'_>], &Survey, &Progress) -> Result<Vec<Record>, Error> + 'f;

/// Reads what `plan` names and joins the requests whose statuses are `wanted`, and those of the records that `extra`
/// finds. May take out error lines that belong to no request.
///
/// # Errors
/// As [`diagnose`].
fn joint(
    plan: &Plan,
    mut sources: Sources,
    now_us: i64,
    progress: &Progress,
    wanted: &(dyn Fn(u16) -> bool + Sync),
    extra: &Extra<'_>,
    takes_unmatched: bool,
) -> Result<Joint, Error> {
    let look::Looked {
        mut survey,
        kept,
        map,
        focuses,
    } = look::look(plan, &mut sources, now_us, wanted, progress)?;
    map.check_names(plan)?;
    let window = map.window(plan, &survey, now_us)?;
    sources.problems.extend(map.outside(plan, &survey, &window));
    let mut readings = sources.focused(plan, &map.corrections, &focuses);
    let asked = extra(&readings.list, &survey, progress)?;
    readings
        .list
        .retain(|reading| !map.copies.contains_key(&reading.input.id));
    // What can only be read from its start is not read several times.
    let is_plain = readings.list.iter().all(|reading| reading.input.is_plain());
    let parting = is_plain.then_some(plan.parting);
    let Seeds { stretches, events } = map.seeds((&mut survey, kept), &window, asked, parting);
    let spans: BTreeMap<HopId, (i64, i64)> = (0..map.hops.len() as u16)
        .filter_map(|hop| Some((HopId(hop), map.requests_span(&survey, HopId(hop))?)))
        .collect();
    let span = |hop: HopId| spans.get(&hop).copied();
    let shown = |source| sources.shown(source).to_owned();
    let is_asked_for = |line: &Record| {
        line.signal
            .is_none_or(|signal| search::may_end_in(signal.fault, wanted))
    };
    let unmatched = takes_unmatched.then(|| {
        Unmatched::of(unmatched::Requests {
            span: &span,
            is_asked_for: &is_asked_for,
            shown: &shown,
        })
    });
    let joined = join::join(
        &join::Run {
            readings: &readings.list,
            survey: &survey,
            map: &map,
            wanted,
            progress,
        },
        stretches,
        unmatched,
    )?;
    drop(readings);
    sources.problems.extend(joined.problems.iter().cloned());
    Ok(Joint {
        sources,
        survey,
        map,
        focuses,
        window,
        events,
        joined,
    })
}

fn on_this_pool(plan: &Plan, now_us: i64, progress: &Progress) -> Result<(Report, Findings, Lines), Error> {
    let wanted = |status: u16| plan.statuses.contains(status);
    let mut joint = joint(
        plan,
        inputs::open(plan)?,
        now_us,
        progress,
        &wanted,
        &|_, _, _| Ok(Vec::new()),
        true,
    )?;
    progress.phase("explaining");
    let stats = joint.map.stats(&mut joint.survey);
    let traces = std::mem::take(&mut joint.joined.traces);
    let outcome = classify::classify(
        &joint.world(&stats, &wanted, &|us| joint.window.contains(us)),
        traces,
    );
    let Joint {
        mut sources,
        mut survey,
        map,
        focuses,
        window,
        events,
        ..
    } = joint;
    let mut findings = outcome.findings;
    findings.retain(|_, finding| finding.time.is_none_or(|time| window.contains(time.0)));
    let in_window = findings.len();
    if !plan.causes.is_empty() || !plan.hops.is_empty() {
        findings.retain(|all, finding| is_shown(plan, all, &finding));
    }
    let filtered = (in_window - findings.len()) as u64;
    let mut near_misses = outcome.near_misses;
    progress.phase("fetching");
    let mut incidents = classify::incidents(&findings, &map.hops, &events, &stats);
    let single: BTreeSet<Place> = evidence_of(&mut near_misses, &mut incidents)
        .iter()
        .filter_map(|evidence| evidence.place)
        .collect();
    let shown = sources_shown(&findings, &near_misses, &survey);
    let before = LinesBefore::count(&sources.inputs, &focuses, &shown);
    let inputs = sources.coverage(&survey, &map.corrections, &map.hops, &focuses, &before);
    let mut lines = Lines::of(sources.inputs.clone(), before, std::mem::take(&mut survey.packed));
    let with_evidence = findings.sources().chain(single.iter().map(|place| place.source));
    let with_evidence: BTreeSet<SourceId> = with_evidence.collect();
    let once = with_evidence.iter().any(|&source| lines.is_read_once(source));
    let of_findings = once.then(|| findings.iter()).into_iter().flatten();
    let of_findings = of_findings.flat_map(|finding| finding.evidence);
    let places = of_findings.filter_map(|evidence| evidence.place).chain(single);
    lines.prepare(
        &with_evidence,
        places.collect::<Vec<_>>().into_iter(),
        &mut sources.problems,
    );
    lines.complete_all(evidence_of(&mut near_misses, &mut incidents));
    let (requests, statuses) = map.edge_counts(&stats, &window, plan);
    let mut inferences = outcome.inferences;
    inferences.extend(map.clock_inferences());
    inferences.extend(map.zone_changes(&sources));
    inferences.extend(map.copy_inferences(&survey, &sources));
    sources.problems.sort();
    sources.problems.dedup();
    let report = Report {
        schema: Report::SCHEMA.to_owned(),
        generated_at: Micros(now_us),
        window: finding::Window {
            since: window.since.map(Micros),
            until: window.until.map(Micros),
        },
        statuses: plan.statuses.to_string().split(',').map(str::to_owned).collect(),
        filtered,
        inputs,
        hops: map.hop_infos(&survey),
        summary: finding::Summary {
            truncated: outcome.truncated.len() as u64,
            ..summary::summarise(&findings, &near_misses, &statuses, requests)
        },
        incidents,
        findings: Vec::new(),
        inferences,
        near_misses,
        problems: sources.problems,
    };
    Ok((report, findings, lines))
}

/// The evidence that belongs to no finding.
fn evidence_of<'a>(
    near_misses: &'a mut [finding::NearMiss],
    incidents: &'a mut [finding::Incident],
) -> Vec<&'a mut finding::Evidence> {
    let examples = near_misses
        .iter_mut()
        .filter_map(|near_miss| near_miss.example.as_mut());
    let coincided = incidents.iter_mut().flat_map(|incident| &mut incident.coincided);
    examples
        .chain(coincided.filter_map(|one| one.evidence.as_mut()))
        .collect()
}

/// The inputs of which lines are named in the report.
fn sources_shown(
    findings: &Findings,
    near_misses: &[finding::NearMiss],
    survey: &Survey,
) -> BTreeSet<SourceId> {
    let examples = near_misses
        .iter()
        .filter_map(|near_miss| near_miss.example.as_ref()?.place);
    let unparsed = survey
        .inputs
        .iter()
        .filter(|(_, input)| input.coverage.unparsed > 0);
    findings
        .sources()
        .chain(examples.map(|place| place.source))
        .chain(unparsed.map(|(source, _)| *source))
        .collect()
}

fn is_shown(plan: &Plan, findings: &mut Opened<'_>, brief: &Brief<'_>) -> bool {
    let is_asked = |hop: &str| plan.hops.iter().any(|asked| asked == hop);
    let by_cause = plan.causes.is_empty() || plan.causes.contains(&brief.cause);
    let mut visited = || {
        let finding = findings.get(brief.at);
        finding.is_some_and(|finding| finding.hops.iter().any(|record| is_asked(&record.hop)))
    };
    by_cause && (plan.hops.is_empty() || is_asked(brief.issuer) || visited())
}

/// Everything that holds for the run as a whole.
struct Map {
    hops: Vec<Hop>,
    limits: Limits,
    corrections: BTreeMap<SourceId, Correction>,
    by_id: FxHashSet<(HopId, HopId)>,
    /// Inputs that say again what another says, with that one.
    copies: BTreeMap<SourceId, SourceId>,
    /// Hop of each input, in the final order.
    hop_of: BTreeMap<SourceId, HopId>,
}

impl Map {
    /// Puts the hops in order and the clocks in step; renumbers the hops of `sources`.
    fn draw(plan: &Plan, sources: &mut Sources, survey: &Survey, kept: &Kept) -> Self {
        let copies = copies::find(survey, kept, &sources.hop_of(), &|source| {
            sources.stream_of(source)
        });
        sources.unify(&copies);
        let limits = sources.limits();
        let facts = sources.clock_facts(plan);
        let folds::Unfolded { mut sketches, folds } = folds::undo(&facts, survey);
        let rewrites = rewrites::learn(&sketches, &|hop| limits.rewrites(hop), &|hop| {
            sources.only_serves(hop)
        });
        for ((hop, _), rules) in &rewrites {
            if let Some(sketch) = sketches.get_mut(hop) {
                *sketch = Cow::Owned(sketch.rewritten(rules));
            }
        }
        let nodes: Vec<topology::Node<'_>> = sources.nodes(plan, &limits, &sketches, (survey, kept));
        let route_of = |hop: HopId, path: &str| {
            let route = limits.route(
                hop,
                &Scope {
                    path,
                    ..Scope::default()
                },
            )?;
            match route.upstreams.as_slice() {
                [(_, address)] => Some(address.clone()),
                _ => None,
            }
        };
        let topology = topology::work_out(&nodes, &route_of);
        drop(nodes);
        let unsteady = sources.unsteady(&topology, plan);
        sources.problems.extend(unsteady);
        let corrections = clocks::settle(&facts, (survey, kept), &topology, &folds, !plan.no_skew);
        let rank: BTreeMap<HopId, HopId> = topology
            .order
            .iter()
            .enumerate()
            .map(|(at, &hop)| (hop, HopId(at as u16)))
            .collect();
        sources.renumber(&rank);
        let mut hops = sources.hops(&topology, &rank);
        for ((outer, inner), rules) in rewrites {
            // Of two hops, only the one that sends requests to the other does anything to their paths.
            if inner.is_none_or(|inner| rank[&outer] < rank[&inner]) {
                hops[rank[&outer].0 as usize].rewrites.extend(rules);
            }
        }
        add_spellings(&mut hops, kept);
        let hop_of = sources.hop_of();
        for copy in copies.keys() {
            hops[hop_of[copy].0 as usize].logs.copies.push(*copy);
        }
        for (part, oldest) in sources.oldest_parts() {
            if let Some(hop) = hop_of.get(&part) {
                hops[hop.0 as usize].logs.oldest_parts.insert(part, oldest);
            }
        }
        let limits = sources.limits();
        let by_id = topology.by_id.iter().map(|(a, b)| (rank[a], rank[b])).collect();
        Self {
            hops,
            limits,
            corrections,
            by_id,
            hop_of,
            copies,
        }
    }

    fn shift(&self, source: SourceId) -> Shift {
        self.corrections
            .get(&source)
            .map(|correction| correction.shift)
            .unwrap_or_default()
    }

    /// The window, relative times resolved.
    fn window(&self, plan: &Plan, survey: &Survey, now_us: i64) -> Result<Window, Error> {
        let last = survey
            .inputs
            .iter()
            .filter_map(|(&source, input)| {
                let last_us = input.coverage.last_us?;
                Some(self.shift(source).span(last_us, last_us).1)
            })
            .max();
        plan.window
            .resolve(now_us, last)
            .map_err(|what| Error::usage("--since/--until", what, "name a later end"))
    }

    /// Says so if `--hop` names a hop that is not there.
    fn check_names(&self, plan: &Plan) -> Result<(), Error> {
        let is_known = |name: &String| self.hops.iter().any(|hop| hop.name == *name);
        let Some(unknown) = plan.hops.iter().find(|name| !is_known(name)) else {
            return Ok(());
        };
        let names: Vec<&str> = self.hops.iter().map(|hop| hop.name.as_str()).collect();
        let what = format!("no hop is called '{unknown}'");
        Err(Error::usage(
            "--hop",
            what,
            format!("there are {}", names.join(", ")),
        ))
    }

    /// The problem of logs that all lie outside the window, which looks like good news otherwise.
    fn outside(&self, plan: &Plan, survey: &Survey, window: &Window) -> Option<Problem> {
        let spans = || {
            survey.inputs.iter().filter_map(|(&source, input)| {
                let shift = self.shift(source);
                Some(shift.span(input.coverage.first_us?, input.coverage.last_us?))
            })
        };
        let (first, last) = (
            spans().map(|span| span.0).min()?,
            spans().map(|span| span.1).max()?,
        );
        let overlaps = |(first, last): (i64, i64)| {
            window.since.is_none_or(|since| last >= since) && window.until.is_none_or(|until| first < until)
        };
        if spans().any(overlaps) {
            return None;
        }
        let shown = plan
            .paths
            .first()
            .map(|path| discover::shown(path))
            .unwrap_or_default();
        Some(Problem {
            message: format!(
                "nothing in {shown} lies in the time window: its entries go from {} to {}",
                Micros(first),
                Micros(last)
            ),
            hint: "move --since and --until there, or count back from the last entry with --relative-to-end"
                .to_owned(),
            path: shown,
        })
    }

    /// What is known of the logs of `hop`.
    fn known(&self, survey: &Survey, hop: HopId) -> search::Known {
        /// A limit on the requests of a connection is not lower than that, and reached more than once.
        const FEWEST_CARRIED: u32 = 10;
        const OFTEN: u32 = 3;
        let mut known = search::Known::default();
        let mut most = (0, 0);
        let of_hop = survey
            .inputs
            .iter()
            .filter(|(source, _)| self.hop_of.get(source) == Some(&hop));
        for (_, input) in of_hop {
            known.logs_requests |= input.requests > 0;
            known.names_upstreams |= input.names_upstreams;
            most = select::survey::most(most, input.most_carried);
        }
        known.most_carried = (most.0 >= FEWEST_CARRIED && most.1 >= OFTEN).then_some(most.0);
        known
    }

    /// The span of the access logs of `hop`, if it has any, on the common clock.
    fn requests_span(&self, survey: &Survey, hop: HopId) -> Option<(i64, i64)> {
        let of_hop = survey
            .inputs
            .iter()
            .filter(|(source, input)| input.requests > 0 && self.hop_of.get(source) == Some(&hop));
        of_hop
            .filter_map(|(&source, input)| {
                let coverage = &input.coverage;
                Some(self.shift(source).span(coverage.first_us?, coverage.last_us?))
            })
            .reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// The inputs whose requests count.
    fn originals<'s>(&self, survey: &'s Survey) -> impl Iterator<Item = (&'s SourceId, &'s InputSurvey)> {
        survey
            .inputs
            .iter()
            .filter(|(source, _)| !self.copies.contains_key(source))
    }

    /// What is said of inputs whose requests do not count.
    fn copy_inferences(&self, survey: &Survey, sources: &Sources) -> Vec<Inference> {
        let one = |(copy, original): (&SourceId, &SourceId)| {
            let hop = self.hop_of.get(copy)?;
            let requests = survey.inputs.get(copy)?.requests;
            Some(Inference {
                hop: self.hops[hop.0 as usize].name.clone(),
                what: "copy".to_owned(),
                value_ms: 0.0,
                support: u32::try_from(requests).unwrap_or(u32::MAX),
                note: format!(
                    "{} has the requests of {} again: they are counted once",
                    sources.shown(*copy),
                    sources.shown(*original)
                ),
            })
        };
        self.copies.iter().filter_map(one).collect()
    }

    /// The counts of all inputs, by hop, on the common clock; taken out of `survey`, with what only joining needed.
    fn stats(&self, survey: &mut Survey) -> Stats {
        let mut stats = Stats::default();
        for (&source, input) in &mut survey.inputs {
            input.forget_samples();
            let hop = self
                .hop_of
                .get(&source)
                .filter(|_| !self.copies.contains_key(&source));
            let Some(&hop) = hop else {
                continue;
            };
            let shift = self.shift(source);
            let corrected =
                |second: i64| second + (shift.likely(second * 1_000_000) as f64 / 1e6).round() as i64;
            let load = stats.load.entry(hop).or_default();
            load.merge(std::mem::take(&mut input.seconds).moved(corrected));
            let failures = stats.failures.entry(hop).or_default();
            for ((status, second), count) in std::mem::take(&mut input.failures) {
                *failures.entry((status, corrected(second))).or_default() += count;
            }
            let lives = stats.lives.entry(hop).or_default();
            for (pid, (first, last)) in input.lives.spans() {
                lives.widen(pid, (first + shift.likely(first), last + shift.likely(last)));
            }
        }
        stats
    }

    /// Requests in the window at the outermost hops, and gateway errors there that were not asked for.
    fn edge_counts(&self, stats: &Stats, window: &Window, plan: &Plan) -> (u64, BTreeMap<u16, u64>) {
        let inner: BTreeSet<HopId> = self
            .hops
            .iter()
            .flat_map(|hop| hop.upstreams.iter().copied())
            .collect();
        let within = |second: i64| {
            window.is_open()
                || window.contains(second * 1_000_000)
                || window.contains(second * 1_000_000 + 999_999)
        };
        let (mut requests, mut statuses) = (0, BTreeMap::new());
        for (hop, load) in stats.load.iter().filter(|(hop, _)| !inner.contains(hop)) {
            requests += load
                .iter()
                .filter(|(second, _)| within(*second))
                .map(|(_, s)| u64::from(s.requests))
                .sum::<u64>();
            for (&(status, second), &count) in stats.failures.get(hop).into_iter().flatten() {
                if within(second) && status >= 500 && !plan.statuses.contains(status) {
                    *statuses.entry(status).or_default() += count;
                }
            }
        }
        (requests, statuses)
    }

    fn hop_infos(&self, survey: &Survey) -> Vec<HopInfo> {
        let mut requests: BTreeMap<HopId, u64> = BTreeMap::new();
        for (source, input) in self.originals(survey) {
            if let Some(&hop) = self.hop_of.get(source) {
                *requests.entry(hop).or_default() += input.requests;
            }
        }
        let name = |hop: &HopId| self.hops[hop.0 as usize].name.clone();
        self.hops
            .iter()
            .enumerate()
            .map(|(at, hop)| HopInfo {
                name: hop.name.clone(),
                product: hop.product.name().to_owned(),
                upstreams: hop.upstreams.iter().map(name).collect(),
                requests: requests.get(&HopId(at as u16)).copied().unwrap_or(0),
            })
            .collect()
    }

    /// Logs whose zone changed while they were written, or before.
    fn zone_changes(&self, sources: &Sources) -> Vec<Inference> {
        let one = |(source, correction): (&SourceId, &Correction)| {
            let fold = correction.shift.fold?;
            let hop = self.hop_of.get(source)?;
            let path = sources.shown(*source);
            let way = if fold.us > 0 { "back" } else { "forward" };
            let minutes = fold.us.abs() / 60_000_000;
            let where_ = match (fold.from, fold.to) {
                (0, u64::MAX) => "before it begins, and not in the other logs of its hop".to_owned(),
                (0, to) => format!("at byte {to}; what stands before it is corrected"),
                (from, _) => format!("at byte {from}; what follows is corrected"),
            };
            Some(Inference {
                hop: self.hops[hop.0 as usize].name.clone(),
                what: "zone_change".to_owned(),
                value_ms: fold.us as f64 / 1_000.0,
                support: 0,
                note: format!("the clocks of {path} were put {way} by {minutes} min {where_}"),
            })
        };
        self.corrections.iter().filter_map(one).collect()
    }

    /// Clock errors and zones that were learnt, one per hop.
    fn clock_inferences(&self) -> Vec<Inference> {
        let mut seen = BTreeSet::new();
        let mut all = Vec::new();
        for (source, correction) in &self.corrections {
            let Some(hop) = self.hop_of.get(source) else {
                continue;
            };
            let name = &self.hops[hop.0 as usize].name;
            if let Some(clock) = correction.clock.filter(|clock| clock.pairs > 0)
                && seen.insert((*hop, "clock_offset"))
            {
                all.push(Inference {
                    hop: name.clone(),
                    what: "clock_offset".to_owned(),
                    value_ms: clock.offset_ms,
                    support: clock.pairs,
                    note: format!(
                        "clock of {name} is off: {:+.3} s added to its stamps (± {:.3} s){}",
                        clock.offset_ms / 1_000.0,
                        clock.spread_ms / 1_000.0,
                        drift(&clock)
                    ),
                });
            }
            if correction.zone_origin == "learnt" && seen.insert((*hop, "zone")) {
                all.push(Inference {
                    hop: name.clone(),
                    what: "zone".to_owned(),
                    value_ms: -correction.zone_us as f64 / 1_000.0,
                    support: correction.clock.map_or(0, |clock| clock.pairs),
                    note: format!("stamps of {name} without zone are in {}", correction.zone),
                });
            }
        }
        all
    }
}

/// Adds to each hop's addresses the other spellings of them that failures name.
fn add_spellings(hops: &mut [Hop], kept: &Kept) {
    let spelt: BTreeSet<&str> = kept.addresses().collect();
    for hop in hops {
        let known: BTreeSet<String> = hop.addresses.iter().map(|own| topology::canonical(own)).collect();
        let others = spelt
            .iter()
            .filter(|addr| known.contains(&topology::canonical(addr)));
        let others: Vec<String> = others
            .map(|addr| (*addr).to_owned())
            .filter(|addr| !hop.addresses.contains(addr))
            .collect();
        hop.addresses.extend(others);
    }
}

/// How a correction changes, in words; empty if it does not.
fn drift(clock: &finding::Clock) -> String {
    match (clock.drift_ppm, clock.offset_at) {
        (Some(ppm), Some(at)) => format!(" at {at}, and {:+.1} ms more every hour", ppm * 3.6),
        _ => String::new(),
    }
}

fn is_around(record: &Record, window: &Window) -> bool {
    let Some((start, end)) = record.interval() else {
        return window.is_open();
    };
    window.since.is_none_or(|since| end >= since - BEFORE_US)
        && window.until.is_none_or(|until| start < until + AFTER_US)
}

/// What a run that had to be complete lacks: files that could not be used, then lines that were not understood.
pub fn shortfalls(report: &Report) -> Vec<Problem> {
    let unparsed = report
        .inputs
        .iter()
        .filter(|input| input.unparsed > 0)
        .map(|input| {
            let noun = if input.lines == 1 { "line" } else { "lines" };
            let first = input.unparsed_lines.first();
            Problem {
                path: input.path.clone(),
                message: format!(
                    "{} of {} {noun} of {} not understood{}",
                    input.unparsed,
                    input.lines,
                    input.path,
                    first.map_or_else(String::new, |first| format!(", the first is line {}", first.line))
                ),
                hint: "give the file's format with --log-format or --input-format, or leave the file out"
                    .to_owned(),
            }
        });
    report.problems.iter().cloned().chain(unparsed).collect()
}

#[cfg(test)]
mod same_tests;
