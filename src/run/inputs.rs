//! From paths to inputs with formats, hops and configuration.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use why502_parsers::Product;
use why502_parsers::unread::Why;

use super::clocks::{Correction, Facts};
use super::declared;
use super::directives::Directives;
use super::focus::{Extent, Focuses};
use super::hops::{self, Named};
use super::kept::Kept;
use super::lines_before::LinesBefore;
use super::passes::Reading;
use crate::correlate::topology::{Node, Place, Topology};
use crate::discover;
use crate::error::Error;
use crate::limits::{self, Limits, ServerConfig};
use crate::model::finding::{self, Problem, UnparsedLine, UnparsedReason};
use crate::model::stats::{Coverage, Unparsed};
use crate::model::{Hop, HopId, Input, Logs, Micros, SourceId};
use crate::plan::{GivenHop, Plan};
use crate::read;
use crate::select::Survey;
use crate::select::own::Whence;
use crate::select::sketch::Sketches;
use crate::sniff::{self, Detected, Forced, Part, Surroundings};

/// The inputs of a run and what is known of them before they are read.
pub(super) struct Sources {
    /// Every file found, by id.
    pub inputs: Vec<Input>,
    /// What could not be used.
    pub problems: Vec<Problem>,
    detected: BTreeMap<SourceId, Detected>,
    hop_of: BTreeMap<SourceId, HopId>,
    names: Vec<(String, Product)>,
    ranks: BTreeMap<HopId, usize>,
    configs: Vec<ServerConfig>,
    given: Vec<GivenHop>,
    directives: Directives,
}

/// Readings that could be opened, and what was wrong with the others.
pub(super) struct Readings<'a> {
    /// The readings, by input.
    pub list: Vec<Reading<'a>>,
    /// Inputs whose directives could not be read.
    pub problems: Vec<Problem>,
}

/// Finds, recognises and names the inputs of `plan`.
///
/// # Errors
/// Nothing to read, or not one file of a known format.
pub(super) fn open(plan: &Plan) -> Result<Sources, Error> {
    let found = discover::discover(&plan.paths)?;
    let (configs, config_problems) = read_configs(plan, &found);
    let mut problems = found.problems;
    problems.extend(config_problems);
    let (mut declared, format_problems) = declared::formats(&configs);
    problems.extend(format_problems);
    let (definitions, format_problems) = sniff::definitions(&plan.formats)?;
    declared.splice(0..0, definitions);
    problems.extend(format_problems);
    let forced = Forced::new(plan, &declared)?;
    let beside: Vec<(String, Product)> = configs
        .iter()
        .map(|config| (config.file.clone(), config.product))
        .collect();
    let surroundings = Surroundings {
        declared: &declared,
        configs: &beside,
        has_configuration_words: Some(discover::has_configuration_words),
    };
    let sniffed = sniff::detect(&found.inputs, surroundings, &forced, &|input, part| match part {
        Part::Head => read::head(input, sniff::HEAD),
        Part::Middle => read::middle(input, sniff::HEAD),
    });
    problems.extend(sniffed.problems);
    let detected: BTreeMap<SourceId, Detected> = found
        .inputs
        .iter()
        .zip(sniffed.formats)
        .filter_map(|(input, detected)| Some((input.id, detected?)))
        .collect();
    if detected.is_empty() {
        return Err(nothing_known(&found.inputs, problems));
    }
    problems.extend(unrecognised(&found.inputs, &sniffed.unrecognised, &configs));
    let mut sources = Sources {
        inputs: found.inputs,
        problems,
        detected,
        hop_of: BTreeMap::new(),
        names: Vec::new(),
        ranks: BTreeMap::new(),
        configs,
        given: plan.given.clone(),
        directives: Directives::default(),
    };
    sources.name_hops(plan);
    Ok(sources)
}

/// The error of inputs none of which is a log that can be read. The problem of the only input says it better than
/// a count would.
fn nothing_known(inputs: &[Input], mut problems: Vec<Problem>) -> Error {
    problems.sort();
    problems.dedup();
    let shown = inputs
        .first()
        .map(|input| input.shown.clone())
        .unwrap_or_default();
    if let ([input], true) = (inputs, problems.is_empty())
        && input.bytes_on_disk == 0
    {
        problems.push(Problem {
            message: format!("{shown} is empty"),
            hint: "name the logs of the time in question, rotated ones too".to_owned(),
            path: shown.clone(),
        });
    }
    match (inputs, problems.as_slice()) {
        ([input], [problem]) if problem.path == input.shown => Error::NothingToRead {
            first: problems.remove(0),
            others: Vec::new(),
        },
        _ => Error::NothingKnown {
            shown,
            files: inputs.len(),
            problems,
        },
    }
}

/// Files that are named where several are not recognised; of the others it is said how many they are.
const NAMED_MOST: usize = 5;

/// What is said of files of which it is not known what they are, those of a server's configuration apart.
fn unrecognised(inputs: &[Input], ids: &[SourceId], configs: &[ServerConfig]) -> Option<Problem> {
    let is_config = |shown: &str| configs.iter().any(|config| config.file == shown);
    let shown: Vec<&str> = inputs
        .iter()
        .filter(|input| ids.binary_search(&input.id).is_ok() && !is_config(&input.shown))
        .map(|input| input.shown.as_str())
        .collect();
    let path = (*shown.first()?).to_owned();
    let named = shown[..shown.len().min(NAMED_MOST)].join(", ");
    let more = match shown.len().saturating_sub(NAMED_MOST) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(Problem {
        message: format!("no known log format in {named}{more}: not read"),
        hint: "if it is a log, name its format with --input-format or --log-format; else name the logs only"
            .to_owned(),
        path,
    })
}

/// Configurations beside the logs, in archives or not, and those that the user named.
fn read_configs(plan: &Plan, found: &discover::Inputs) -> (Vec<ServerConfig>, Vec<Problem>) {
    let mut paths = limits::discover(&plan.server_configs);
    paths.extend(limits::discover(&found.configs));
    paths.extend(limits::discover(found.unpacked.directory().as_slice()));
    paths.sort();
    paths.dedup();
    let name = |path: &PathBuf| match found.unpacked.shown(path) {
        Some(shown) => shown.to_owned(),
        None => discover::shown(path),
    };
    let files: Vec<(PathBuf, String)> = paths
        .into_iter()
        .map(|path| (path.clone(), name(&path)))
        .collect();
    let (configs, mut problems) = limits::read_all(&files);
    problems.extend(plan.server_configs.iter().filter_map(|path| missing(path)));
    (configs, problems)
}

/// The problem of a configuration that the user named and that is not there.
fn missing(path: &Path) -> Option<Problem> {
    let source = std::fs::metadata(path).err()?;
    let shown = discover::shown(path);
    let error = Error::Read {
        path: PathBuf::from(&shown),
        source,
    };
    Some(error.problem(&shown))
}

impl Sources {
    fn name_hops(&mut self, plan: &Plan) {
        let known: Vec<&Input> = self
            .inputs
            .iter()
            .filter(|input| self.detected.contains_key(&input.id))
            .collect();
        let common = common(&plan.paths);
        let relative: Vec<String> = known
            .iter()
            .map(|input| relative(&input.stream, &common))
            .collect();
        let named: Vec<Named<'_>> = known
            .iter()
            .zip(&relative)
            .map(|(input, relative)| Named {
                relative,
                product: self.detected[&input.id].product,
                given: plan.hop_of(&input.shown).map(|(_, name)| name),
            })
            .collect();
        let names = hops::names(&named);
        let distinct: BTreeSet<&String> = names.iter().collect();
        let order: Vec<&String> = distinct.into_iter().collect();
        for (input, name) in known.iter().zip(&names) {
            let at = order.binary_search(&name).unwrap_or_default();
            let hop = HopId(at as u16);
            self.hop_of.insert(input.id, hop);
            if let Some((rank, _)) = plan.hop_of(&input.shown) {
                self.ranks.insert(hop, rank);
            }
        }
        self.names = order
            .into_iter()
            .map(|name| (name.clone(), Product::Unknown))
            .collect();
        for (source, hop) in &self.hop_of {
            let product = self.detected[source].product;
            let known = &mut self.names[hop.0 as usize].1;
            *known = main_product(*known, product);
        }
        for (name, product) in &mut self.names {
            let given = plan.given.iter().rev().filter(|hop| hop.name == *name);
            *product = given.into_iter().find_map(|hop| hop.product).unwrap_or(*product);
        }
    }

    /// What the user says of the hop called `name`.
    fn given(&self, name: &str) -> impl Iterator<Item = &GivenHop> {
        self.given.iter().filter(move |hop| hop.name == name)
    }

    /// Every input that is read, in order, and what it was recognised as.
    pub(super) fn detected(&self) -> impl Iterator<Item = (SourceId, &Detected)> {
        self.inputs
            .iter()
            .filter_map(|input| Some((input.id, self.detected.get(&input.id)?)))
    }

    /// The name of the hop of every input that is read.
    pub(super) fn names_by_input(&self) -> BTreeMap<SourceId, String> {
        let name = |hop: &HopId| self.names[hop.0 as usize].0.clone();
        self.hop_of
            .iter()
            .map(|(source, hop)| (*source, name(hop)))
            .collect()
    }

    /// The hop of every input that is read.
    pub(super) fn hop_of(&self) -> BTreeMap<SourceId, HopId> {
        self.hop_of.clone()
    }

    /// Everything needed to read the inputs, their stamps corrected as given.
    pub(super) fn readings(&self, plan: &Plan, corrections: &BTreeMap<SourceId, Correction>) -> Readings<'_> {
        self.focused(plan, corrections, &Focuses::default())
    }

    /// The same for the parts of the inputs that `focuses` name.
    pub(super) fn focused(
        &self,
        plan: &Plan,
        corrections: &BTreeMap<SourceId, Correction>,
        focuses: &Focuses,
    ) -> Readings<'_> {
        let mut readings = Readings {
            list: Vec::new(),
            problems: Vec::new(),
        };
        for glance in self.glances(plan, corrections) {
            let input = glance.input;
            match glance.focused(focuses.get(input.id), &self.directives) {
                Ok(reading) => readings.list.push(reading),
                Err(error) => readings.problems.push(error.problem(&input.shown)),
            }
        }
        readings
    }

    /// The same for the first pass, stamps as they stand: it finds out about directives by itself.
    pub(super) fn to_survey(&self, plan: &Plan, focuses: &Focuses) -> Vec<Reading<'_>> {
        let glances = self.glances(plan, &BTreeMap::new()).into_iter();
        glances
            .map(|glance| {
                let focus = focuses.get(glance.input.id);
                glance.surveying(focus, &self.directives)
            })
            .collect()
    }

    /// Readings of the inputs that serve for a look here and there: nothing has been read of them but their heads.
    pub(super) fn glances(
        &self,
        plan: &Plan,
        corrections: &BTreeMap<SourceId, Correction>,
    ) -> Vec<Reading<'_>> {
        let glance = |(source, detected)| {
            let input = self.inputs.iter().find(|input| input.id == source)?;
            let hop = self.hop_of[&source];
            let whence = Whence {
                source,
                hop,
                product: self.names[hop.0 as usize].1,
                shift: corrections
                    .get(&source)
                    .map(|correction| correction.shift)
                    .unwrap_or_default(),
                lines_before: 0,
            };
            let zone = plan.zone_of(&input.shown);
            Some(Reading::new(input, detected, zone, whence, plan.block_bytes))
        };
        self.detected().filter_map(glance).collect()
    }

    /// The log that an input is a part of, and the program that wrote it.
    pub(super) fn stream_of(&self, source: SourceId) -> (String, Product) {
        let input = self.inputs.iter().find(|input| input.id == source);
        let detected = self.detected.get(&source);
        (
            input.map(|input| input.stream.clone()).unwrap_or_default(),
            detected.map_or(Product::Unknown, |detected| detected.product),
        )
    }

    /// Inputs that are later parts of a rotated log, each with its oldest part.
    pub(super) fn oldest_parts(&self) -> BTreeMap<SourceId, SourceId> {
        let mut oldest: BTreeMap<&str, SourceId> = BTreeMap::new();
        let mut parts = BTreeMap::new();
        // Inputs stand in the order in which they were written.
        for input in &self.inputs {
            let first = *oldest.entry(&input.stream).or_insert(input.id);
            if first != input.id && self.hop_of.get(&first) == self.hop_of.get(&input.id) {
                parts.insert(input.id, first);
            }
        }
        parts
    }

    /// The path of an input as reports name it.
    pub(super) fn shown(&self, source: SourceId) -> &str {
        self.inputs
            .iter()
            .find(|input| input.id == source)
            .map_or("", |input| &input.shown)
    }

    /// Puts copies under the hop of their original, and forgets the hops that are left without a log.
    pub(super) fn unify(&mut self, copies: &BTreeMap<SourceId, SourceId>) {
        for (copy, original) in copies {
            if let Some(&hop) = self.hop_of.get(original) {
                self.hop_of.insert(*copy, hop);
            }
        }
        let left: BTreeSet<HopId> = self.hop_of.values().copied().collect();
        let rank: BTreeMap<HopId, HopId> = left
            .iter()
            .enumerate()
            .map(|(at, &hop)| (hop, HopId(at as u16)))
            .collect();
        self.names = left
            .iter()
            .map(|hop| self.names[hop.0 as usize].clone())
            .collect();
        self.hop_of.values_mut().for_each(|hop| *hop = rank[hop]);
        self.ranks = std::mem::take(&mut self.ranks)
            .into_iter()
            .filter_map(|(hop, at)| Some((*rank.get(&hop)?, at)))
            .collect();
    }

    /// Renumbers the hops.
    pub(super) fn renumber(&mut self, rank: &BTreeMap<HopId, HopId>) {
        self.hop_of
            .values_mut()
            .for_each(|hop| *hop = rank.get(hop).copied().unwrap_or(*hop));
        let mut names = self.names.clone();
        for (at, name) in self.names.drain(..).enumerate() {
            let to = rank.get(&HopId(at as u16)).map_or(at, |hop| hop.0 as usize);
            names[to] = name;
        }
        self.names = names;
        self.ranks = std::mem::take(&mut self.ranks)
            .into_iter()
            .map(|(hop, at)| (rank[&hop], at))
            .collect();
    }

    fn plain_hops(&self) -> Vec<Hop> {
        self.names
            .iter()
            .map(|(name, product)| Hop {
                name: name.clone(),
                product: *product,
                upstreams: Vec::new(),
                addresses: Vec::new(),
                logs: Logs::default(),
                rewrites: Vec::new(),
            })
            .collect()
    }

    /// The limits of the hops as they are numbered now.
    pub(super) fn limits(&self) -> Limits {
        let hops = self.plain_hops();
        let products = hops
            .iter()
            .enumerate()
            .map(|(at, hop)| (HopId(at as u16), hop.product))
            .collect();
        let mut limits = Limits::new(products, limits::assign(self.configs.clone(), &hops));
        for given in &self.given {
            match hops.iter().position(|hop| hop.name == given.name) {
                Some(at) => limits.give(HopId(at as u16), given),
                None => limits.give_behind(given),
            }
        }
        limits.know_behind(limits::unclaimed(&self.configs, &hops));
        limits
    }

    /// Where a hop sends requests: by configuration and as the user says.
    fn routes_to(&self, limits: &Limits, hop: HopId) -> Vec<String> {
        let mut all = limits.routes_to(hop);
        let given = self.given(&self.names[hop.0 as usize].0);
        all.extend(given.flat_map(|hop| hop.upstreams.iter().cloned()));
        all
    }

    /// Under what a hop is reached. One that the user names as an upstream is reached under its name.
    fn addresses(&self, limits: &Limits, hop: HopId) -> Vec<String> {
        let name = &self.names[hop.0 as usize].0;
        let mut all = limits.addresses(hop).to_vec();
        let is_named = self.given.iter().any(|given| given.upstreams.contains(name));
        all.extend(is_named.then(|| name.clone()));
        all
    }

    /// Whether `hop` runs a program that answers requests itself.
    pub(super) fn only_serves(&self, hop: HopId) -> bool {
        let named = self.names.get(hop.0 as usize);
        named.is_some_and(|(name, product)| Place::of(*product, name) == Place::Inner)
    }

    /// The hops for working out the topology.
    pub(super) fn nodes<'a>(
        &'a self,
        plan: &Plan,
        limits: &Limits,
        sketches: &'a Sketches<'_>,
        (survey, kept): (&Survey, &Kept),
    ) -> Vec<Node<'a>> {
        let clients = |hop: HopId| {
            let of_hop = self.hop_of.iter().filter(|(_, of)| **of == hop);
            of_hop.flat_map(|(&source, _)| kept.clients_of(source)).collect()
        };
        let zone_unknown = |hop: HopId| {
            self.hop_of
                .iter()
                .filter(|(_, of)| **of == hop)
                .any(|(source, _)| {
                    survey
                        .inputs
                        .get(source)
                        .is_some_and(|input| input.zone_unknown && input.requests > 0)
                })
        };
        let given_us = |hop: HopId| {
            let of_hop = self
                .inputs
                .iter()
                .filter(|input| self.hop_of.get(&input.id) == Some(&hop));
            let logs_requests = |id| survey.inputs.get(id).is_some_and(|input| input.requests > 0);
            let mut given = of_hop.filter(|input| logs_requests(&input.id));
            given.find_map(|input| plan.offset_of(&input.shown))
        };
        (0..self.names.len() as u16)
            .map(HopId)
            .map(|hop| Node {
                hop,
                name: &self.names[hop.0 as usize].0,
                sketch: sketches.get(&hop).map(Cow::as_ref),
                zone_unknown: zone_unknown(hop),
                place: Place::of(self.names[hop.0 as usize].1, &self.names[hop.0 as usize].0),
                routes_to: self.routes_to(limits, hop),
                addresses: self.addresses(limits, hop),
                clients: clients(hop),
                given_rank: self.ranks.get(&hop).copied(),
                given_us: given_us(hop),
            })
            .collect()
    }

    /// What is said of clocks whose difference is not constant (hops of `topology` in the old numbering).
    pub(super) fn unsteady(&self, topology: &Topology, plan: &Plan) -> Vec<Problem> {
        let name = |hop: &HopId| &self.names[hop.0 as usize].0;
        let is_given = |hop: &HopId| {
            let mut of_hop = self
                .inputs
                .iter()
                .filter(|input| self.hop_of.get(&input.id) == Some(hop));
            of_hop.any(|input| plan.offset_of(&input.shown).is_some())
        };
        let learnt = topology.unsteady.iter().filter(|(_, inner)| !is_given(inner));
        learnt
            .map(|(outer, inner)| Problem {
                path: name(inner).clone(),
                message: format!(
                    "the clocks of {} and {} do not differ by the same time throughout, so that none is corrected",
                    name(outer),
                    name(inner)
                ),
                hint: "one of them was set while it logged: read the time before and the time after apart, with \
                       --since and --until, or give the correction with --offset"
                    .to_owned(),
            })
            .collect()
    }

    /// What clocks are settled from.
    pub(super) fn clock_facts(&self, plan: &Plan) -> BTreeMap<SourceId, Facts> {
        self.inputs
            .iter()
            .filter_map(|input| {
                let facts = Facts {
                    hop: *self.hop_of.get(&input.id)?,
                    given_zone: plan.zone_of(&input.shown).map(|zone| zone.name()),
                    given_us: plan.offset_of(&input.shown),
                };
                Some((input.id, facts))
            })
            .collect()
    }

    /// The hops in their final order, with their upstreams and addresses (`topology` in the old numbering).
    pub(super) fn hops(&self, topology: &Topology, rank: &BTreeMap<HopId, HopId>) -> Vec<Hop> {
        let mut hops = self.plain_hops();
        for (outer, inner) in &topology.edges {
            let mut upstreams: Vec<HopId> = inner.iter().map(|hop| rank[hop]).collect();
            upstreams.sort_unstable();
            hops[rank[outer].0 as usize].upstreams = upstreams;
        }
        let limits = self.limits();
        for (at, hop) in hops.iter_mut().enumerate() {
            hop.addresses = limits.addresses(HopId(at as u16)).to_vec();
        }
        for (hop, addresses) in &topology.addresses {
            hops[rank[hop].0 as usize]
                .addresses
                .extend(addresses.iter().cloned());
        }
        hops
    }

    /// The coverage table.
    pub(super) fn coverage(
        &self,
        survey: &Survey,
        corrections: &BTreeMap<SourceId, Correction>,
        hops: &[Hop],
        focuses: &Focuses,
        lines: &LinesBefore,
    ) -> Vec<finding::Input> {
        let row = |(source, detected): (SourceId, &Detected)| {
            let input = self.inputs.iter().find(|input| input.id == source)?;
            let coverage = survey
                .inputs
                .get(&source)
                .map(|survey| survey.coverage.clone())
                .unwrap_or_default();
            let correction = corrections.get(&source);
            let shift = correction.map(|correction| correction.shift).unwrap_or_default();
            let (skipped_bytes, read_whole) = left_out(input, focuses, coverage.bytes);
            Some(finding::Input {
                path: input.shown.clone(),
                format: Some(detected.format_name.clone()),
                format_reason: detected.reason.clone(),
                hop: self
                    .hop_of
                    .get(&source)
                    .map(|hop| hops[hop.0 as usize].name.clone()),
                bytes: coverage.bytes + if input.is_plain() { skipped_bytes } else { 0 },
                skipped_bytes,
                read_whole,
                lines: coverage.lines,
                entries: coverage.entries,
                continuations: coverage.continuations,
                directives: coverage.directives,
                unparsed: coverage.unparsed,
                unparsed_reasons: unparsed_reasons(&coverage),
                unparsed_lines: coverage
                    .unparsed_at
                    .into_iter()
                    .map(|line| UnparsedLine {
                        line: lines.number(source, line.line),
                        ..unparsed_line(line)
                    })
                    .collect(),
                first: coverage.first_us.map(|us| Micros(shift.span(us, us).0)),
                last: coverage.last_us.map(|us| Micros(shift.span(us, us).1)),
                zone: correction.map_or_else(String::new, |correction| correction.zone.clone()),
                zone_origin: correction
                    .map_or("", |correction| correction.zone_origin)
                    .to_owned(),
                clock: correction.and_then(|correction| correction.clock),
            })
        };
        self.detected().filter_map(row).collect()
    }
}

/// How many bytes of `input` were left out because of the time window (`read` were read), and why none could be.
fn left_out(input: &Input, focuses: &Focuses, read: u64) -> (u64, Option<String>) {
    match focuses.get(input.id).map(|focus| &focus.part) {
        None => (0, None),
        Some(Extent::Whole(why)) => (0, why.map(str::to_owned)),
        Some(Extent::Lines(_)) => (input.bytes_on_disk.saturating_sub(read), None),
        Some(Extent::Nothing) => (input.bytes_on_disk, None),
    }
}

/// The reasons for which lines could not be read, those that occur.
fn unparsed_reasons(coverage: &Coverage) -> Vec<UnparsedReason> {
    let counted = Why::ALL.into_iter().zip(coverage.unparsed_why);
    counted
        .filter(|(_, lines)| *lines > 0)
        .map(|(why, lines)| UnparsedReason {
            reason: why.name().to_owned(),
            lines,
        })
        .collect()
}

fn unparsed_line(line: Unparsed) -> UnparsedLine {
    let why = if line.read_by.is_some() {
        Why::OtherProgram
    } else {
        line.why
    };
    UnparsedLine {
        line: line.line,
        offset: line.offset,
        reason: line.reason,
        class: why.name().to_owned(),
        read_by: line.read_by.map(str::to_owned),
    }
}

/// The parts of a path as shown; an absolute one begins with `/`.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    let root = path.starts_with('/').then_some("/");
    let names = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    root.into_iter().chain(names)
}

/// What the paths that the user gave have in common: a path, or where several are given the way to all of them, so that
/// `logs/edge logs/app` are two hops.
fn common(paths: &[PathBuf]) -> Vec<String> {
    let given = paths.iter().filter(|path| path.as_os_str() != "-");
    let fixed = given.map(|path| {
        let shown = discover::shown(path);
        let fixed = parts(&shown).take_while(|part| !part.contains(['*', '?', '[', '{']));
        fixed.map(str::to_owned).collect::<Vec<_>>()
    });
    let shared = |left: Vec<String>, right: Vec<String>| {
        let both = left.into_iter().zip(right);
        both.take_while(|(left, right)| left == right)
            .map(|(part, _)| part)
            .collect()
    };
    fixed.reduce(shared).unwrap_or_default()
}

/// The path of `stream` below what all paths have in common; of a single file, its name.
fn relative(stream: &str, common: &[String]) -> String {
    let all: Vec<&str> = parts(stream).collect();
    let is_below = all.len() > common.len() && all.iter().zip(common).all(|(left, right)| left == right);
    let below = match (is_below, all.last()) {
        (true, _) => &all[common.len()..],
        (false, Some(_)) if common.len() >= all.len() => &all[all.len() - 1..],
        _ => &all[..],
    };
    let names: Vec<&str> = below
        .iter()
        .copied()
        .filter(|part| !matches!(*part, "/" | ".."))
        .collect();
    names.join("/")
}

/// The program of a hop of which several programs' files were found: the one that serves requests.
const fn main_product(known: Product, new: Product) -> Product {
    match (known, new) {
        (Product::Unknown, new) | (Product::HttpSys | Product::Application, new) => new,
        (known, _) => known,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str], stream: &str) -> String {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        relative(stream, &common(&paths))
    }

    #[test]
    fn below_one_directory_its_own_name_says_nothing() {
        assert_eq!(of(&["logs"], "logs/edge/access.log"), "edge/access.log");
        assert_eq!(of(&["./logs/"], "logs/edge/access.log"), "edge/access.log");
        assert_eq!(of(&["."], "edge/access.log"), "edge/access.log");
        assert_eq!(of(&["../x"], "../x/edge/access.log"), "edge/access.log");
        assert_eq!(of(&["x.tar"], "x.tar/edge/access.log"), "edge/access.log");
    }

    #[test]
    fn of_several_paths_the_parts_in_which_they_differ_are_kept() {
        let directories = ["/srv/logs/edge", "/srv/logs/app"];
        assert_eq!(of(&directories, "/srv/logs/edge/access.log"), "edge/access.log");
        let files = ["logs/edge/access.log", "logs/app/app.log"];
        assert_eq!(of(&files, "logs/app/app.log"), "app/app.log");
        let apart = ["/var/log/nginx/access.log", "app.log"];
        assert_eq!(
            of(&apart, "/var/log/nginx/access.log"),
            "var/log/nginx/access.log"
        );
        assert_eq!(of(&["logs/edge", "-"], "-"), "-");
    }

    #[test]
    fn a_single_file_has_only_its_name_and_a_pattern_the_way_to_its_first_sign() {
        assert_eq!(
            of(&["logs/edge/access.log"], "logs/edge/access.log"),
            "access.log"
        );
        assert_eq!(of(&["logs/*/*.log"], "logs/edge/access.log"), "edge/access.log");
    }
}
