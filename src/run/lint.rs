//! From paths to servers with their limits, for `lint`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use why502_parsers::Product;

use crate::discover;
use crate::error::Error;
use crate::limits::{self, Limits, ServerConfig};
use crate::lint::{self, Given, Server};
use crate::model::HopId;
use crate::model::finding::Problem;
use crate::model::lint::LintReport;
use crate::plan::Plan;

/// Directories whose name says nothing about the server.
const GENERIC: [&str; 11] = [
    "configs", "config", "conf", "etc", "conf.d", "routes", "dynamic", "start.d", "src", ".", "..",
];

/// Reads the configurations that `plan` names and holds them against each other.
///
/// # Errors
/// Nothing there to read, or no configuration of a known server and nothing given by the user.
pub fn lint(plan: &Plan) -> Result<LintReport, Error> {
    let mut problems: Vec<Problem> = Vec::new();
    let all: Vec<PathBuf> = plan.paths.iter().chain(&plan.server_configs).cloned().collect();
    for path in &all {
        if let Err(source) = std::fs::metadata(path) {
            let shown = discover::shown(path);
            let error = Error::Read {
                path: PathBuf::from(&shown),
                source,
            };
            problems.push(error.problem(&shown));
        }
    }
    let mut files: Vec<(PathBuf, String)> = limits::discover(&all)
        .into_iter()
        .map(|path| (path.clone(), discover::shown(&path)))
        .collect();
    files.sort_by(|a, b| a.1.cmp(&b.1));
    let (configs, found) = limits::read_all(&files);
    problems.extend(found);
    if configs.is_empty() && plan.given.is_empty() {
        let first = problems.first().cloned().unwrap_or_else(|| nothing(&all));
        return Err(Error::NothingToRead {
            first,
            others: problems.into_iter().skip(1).collect(),
        });
    }
    let (servers, limits) = servers(plan, configs);
    let given = Given {
        servers: &servers,
        limits: &limits,
    };
    Ok(lint::lint(&given, problems))
}

fn nothing(paths: &[PathBuf]) -> Problem {
    let shown = paths
        .first()
        .map(|path| discover::shown(path))
        .unwrap_or_default();
    Problem {
        message: format!("no configuration of a known server in {shown}"),
        hint: "name the directory of nginx.conf, haproxy.cfg and their like, or describe the hops in a why502.toml"
            .to_owned(),
        path: shown,
    }
}

/// The servers of the configurations, and those that the user alone knows of.
fn servers(plan: &Plan, configs: Vec<ServerConfig>) -> (Vec<Server>, Limits) {
    let names = names(plan, &configs);
    let mut servers: Vec<Server> = Vec::new();
    let mut of: BTreeMap<HopId, Vec<ServerConfig>> = BTreeMap::new();
    for (config, (name, rank)) in configs.into_iter().zip(names) {
        let known = servers.iter().position(|server| server.name == name);
        let at = known.unwrap_or(servers.len());
        if known.is_none() {
            servers.push(Server {
                name,
                product: config.product,
                file: config.file.clone(),
                rank,
                upstreams: Vec::new(),
            });
        }
        of.entry(HopId(at as u16)).or_default().push(config);
    }
    for given in &plan.given {
        let known = servers.iter().position(|server| server.name == given.name);
        let rank = plan.hop_names.iter().position(|hop| hop.name == given.name);
        let at = known.unwrap_or(servers.len());
        if known.is_none() {
            servers.push(Server {
                name: given.name.clone(),
                product: Product::Unknown,
                file: String::new(),
                rank,
                upstreams: Vec::new(),
            });
        }
        let server = &mut servers[at];
        server.product = given.product.unwrap_or(server.product);
        server.upstreams.extend(given.upstreams.iter().cloned());
    }
    let products = servers
        .iter()
        .enumerate()
        .map(|(at, server)| (HopId(at as u16), server.product))
        .collect();
    let mut limits = Limits::new(products, of);
    for given in &plan.given {
        if let Some(at) = servers.iter().position(|server| server.name == given.name) {
            limits.give(HopId(at as u16), given);
        }
    }
    (servers, limits)
}

/// A name for each configuration, and its place in the order that the user gave: the user's name, else that of its
/// directory, else its program's where several programs lie in one directory, else its file's.
fn names(plan: &Plan, configs: &[ServerConfig]) -> Vec<(String, Option<usize>)> {
    let beside = |config: &ServerConfig| -> Vec<&ServerConfig> {
        configs
            .iter()
            .filter(|other| directory(&other.file) == directory(&config.file))
            .collect()
    };
    let name = |config: &ServerConfig| {
        let together = beside(config);
        let alike = together
            .iter()
            .filter(|other| other.product == config.product)
            .count();
        match directory(&config.file) {
            Some(name) if together.len() == 1 => name,
            _ if alike == 1 => config.product.name().to_owned(),
            _ => stem(&config.file),
        }
    };
    configs
        .iter()
        .map(|config| match plan.hop_of(&config.file) {
            Some((rank, given)) => (given.to_owned(), Some(rank)),
            None => (name(config), None),
        })
        .collect()
}

/// The nearest directory whose name tells something.
fn directory(file: &str) -> Option<String> {
    let parents = Path::new(file).parent()?.iter().rev();
    let mut names = parents.map(|part| part.to_string_lossy().into_owned());
    names.find(|name| !GENERIC.contains(&name.as_str()) && !name.contains('/'))
}

fn stem(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests;
