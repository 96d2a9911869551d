//! Apache httpd configuration: what each virtual host passes on, and with which timers.
//!
//! A virtual host takes from the main server what it does not say itself, wherever that stands in the file.
//! Source: Apache httpd documentation, "mod_proxy", "core", "mod_log_config".

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::apache_source::Source;
use super::include::{Reading, canonical};
use super::text::{At, Directive, LimitMap, Target, duration_us, has_port, put};
use super::{LogDeclaration, Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

const SECOND_US: u64 = 1_000_000;
const MILLISECOND_US: u64 = 1_000;

/// Reads one Apache configuration with its includes.
///
/// # Errors
/// A problem that names the file if the main file cannot be read. Syntax errors are notes in `reading`.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let list = Source::new(reading, canonical(file)).directives(&text, &Rc::from(shown));
    let mut config = ServerConfig::new(Product::Apache, shown);
    let mut main = Server::default();
    let mut hosts = Vec::new();
    main.collect(&list, &mut hosts);
    let mut routes = Vec::new();
    main.routes(&Server::default(), &mut routes);
    for block in hosts {
        let mut host = Server::default();
        host.collect(&block.block, &mut Vec::new());
        // The main server's passes hold in a virtual host only if inherited, which is the default for none.
        host.inherit(&main);
        host.routes(&main, &mut routes);
        config.error_logs.extend(host.error_logs(&main));
        config.logs.extend(host.logs(&main));
    }
    config.error_logs.extend(main.error_logs(&main));
    config.logs.extend(main.logs(&main));
    config.logs.extend(main.unused_formats(&config.logs));
    config.listens = main.listens;
    config.listens.sort();
    config.listens.dedup();
    routes.sort_by_key(|route| (!route.upstreams.is_empty(), !route.hosts.is_empty()));
    config.routes = routes;
    Ok(config)
}

/// Somewhere requests are passed on.
#[derive(Debug, Clone)]
struct Pass {
    path: String,
    matching: Matching,
    url: String,
    params: Vec<(String, String)>,
    at: At,
    /// A rewrite's proxying has no pool of its own.
    rewrite: bool,
}

/// The main server or one virtual host.
#[derive(Debug, Clone, Default)]
struct Server {
    values: BTreeMap<String, Directive>,
    aliases: Vec<String>,
    listens: Vec<String>,
    passes: Vec<Pass>,
    /// `<Proxy URL>` blocks and `ProxySet URL`: members and parameters by URL.
    workers: BTreeMap<String, Worker>,
    formats: BTreeMap<String, (String, u32)>,
    access: Vec<Directive>,
}

/// What is said of a balancer or of one upstream.
#[derive(Debug, Clone, Default)]
struct Worker {
    members: Vec<(String, Vec<(String, String)>)>,
    params: Vec<(String, String)>,
}

impl Server {
    /// Takes in a block's directives; virtual hosts are handed back.
    fn collect<'a>(&mut self, list: &'a [Directive], hosts: &mut Vec<&'a Directive>) {
        for directive in list {
            match directive.name() {
                "virtualhost" => hosts.push(directive),
                "location" | "locationmatch" => {
                    let tilde = directive.arg(0) == "~";
                    let matching = if tilde || directive.name() == "locationmatch" {
                        Matching::Regex
                    } else {
                        Matching::Prefix
                    };
                    self.location(&directive.block, directive.arg(usize::from(tilde)), matching);
                }
                "proxy" => self.proxy(directive),
                "listen" => self.listens.push(listen(directive.arg(0))),
                "serveralias" => self.aliases.extend(directive.args().iter().cloned()),
                "proxypass" | "proxypassmatch" if directive.args().len() >= 2 => {
                    let matching = if directive.name() == "proxypass" {
                        Matching::Prefix
                    } else {
                        Matching::Regex
                    };
                    self.pass(directive, directive.arg(0), matching, 1);
                }
                "proxyset" if directive.args().len() >= 2 => {
                    let worker = self.workers.entry(url_key(directive.arg(0))).or_default();
                    worker.params.extend(params(directive.args().iter().skip(1)));
                }
                "balancermember" if directive.args().len() >= 2 => {
                    let member = (
                        directive.arg(1).to_owned(),
                        params(directive.args().iter().skip(2)),
                    );
                    self.workers
                        .entry(url_key(directive.arg(0)))
                        .or_default()
                        .members
                        .push(member);
                }
                "rewriterule" => self.rewrite(directive),
                "logformat" => {
                    let name = directive.args().get(1).map_or("", String::as_str);
                    self.formats
                        .insert(name.to_owned(), (directive.arg(0).to_owned(), directive.at.line));
                }
                "customlog" | "globallog" | "transferlog" => self.access.push(directive.clone()),
                "if" | "elseif" | "else" | "directory" => self.collect(&directive.block, hosts),
                "setenv" => {
                    self.values.insert(
                        format!("setenv {}", directive.arg(0).to_ascii_lowercase()),
                        directive.clone(),
                    );
                }
                name => {
                    self.values.insert(name.to_owned(), directive.clone());
                }
            }
        }
    }

    fn location(&mut self, list: &[Directive], path: &str, matching: Matching) {
        for directive in list {
            match directive.name() {
                "proxypass" | "proxypassmatch" => self.pass(directive, path, matching, 0),
                "if" | "limitexcept" | "limit" => self.location(&directive.block, path, matching),
                _ => {}
            }
        }
    }

    fn pass(&mut self, directive: &Directive, path: &str, matching: Matching, url_at: usize) {
        let url = directive.arg(url_at);
        if url == "!" {
            return;
        }
        self.passes.push(Pass {
            path: path.to_owned(),
            matching,
            url: url.to_owned(),
            params: params(directive.args().iter().skip(url_at + 1)),
            at: directive.at.clone(),
            rewrite: false,
        });
    }

    fn rewrite(&mut self, directive: &Directive) {
        let flags = directive.arg(2).trim_start_matches('[').trim_end_matches(']');
        let proxies = flags
            .split(',')
            .any(|flag| matches!(flag.trim().to_ascii_lowercase().as_str(), "p" | "proxy"));
        if proxies && directive.arg(1).contains("://") {
            self.pass(directive, directive.arg(0), Matching::Regex, 1);
            if let Some(pass) = self.passes.last_mut() {
                pass.params.clear();
                pass.rewrite = true;
            }
        }
    }

    fn proxy(&mut self, block: &Directive) {
        let worker = self.workers.entry(url_key(block.arg(0))).or_default();
        for directive in &block.block {
            match directive.name() {
                "balancermember" => {
                    worker.members.push((
                        directive.arg(0).to_owned(),
                        params(directive.args().iter().skip(1)),
                    ));
                }
                "proxyset" => worker.params.extend(params(directive.args().iter())),
                _ => {}
            }
        }
    }

    /// Takes from the main server what this virtual host does not say.
    fn inherit(&mut self, main: &Self) {
        for (name, directive) in &main.values {
            if !matches!(name.as_str(), "servername" | "errorlog" | "errorlogformat") {
                self.values
                    .entry(name.clone())
                    .or_insert_with(|| directive.clone());
            }
        }
        for (url, worker) in &main.workers {
            self.workers.entry(url.clone()).or_insert_with(|| worker.clone());
        }
    }

    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |directive| directive.arg(0))
    }

    fn hosts(&self) -> Vec<String> {
        let name = self.value("servername");
        let name = name.split_once("://").map_or(name, |(_, rest)| rest);
        let name = super::text::host_of(name);
        let named = (!name.is_empty()).then(|| name.to_owned());
        // Aliases alone do not say what the host is called, but they say what it is for.
        named.into_iter().chain(self.aliases.iter().cloned()).collect()
    }

    /// Limits that hold whatever the upstream.
    fn limits(&self) -> LimitMap {
        let mut limits = LimitMap::new();
        for (name, setting) in [("timeout", "Timeout"), ("proxytimeout", "ProxyTimeout")] {
            let Some(directive) = self.values.get(name) else {
                continue;
            };
            let Some(value) = duration_us(directive.arg(0), SECOND_US) else {
                continue;
            };
            for kind in [LimitKind::Connect, LimitKind::Read, LimitKind::Send] {
                put(&mut limits, directive.at.limit(kind, setting, Some(value)));
            }
        }
        let idle = self.values.get("keepalivetimeout");
        if let Some((directive, value)) = idle.and_then(|d| Some((d, duration_us(d.arg(0), SECOND_US)?))) {
            put(
                &mut limits,
                directive
                    .at
                    .limit(LimitKind::ClientIdle, "KeepAliveTimeout", Some(value)),
            );
        }
        if let Some(directive) = self
            .values
            .get("keepalive")
            .filter(|d| d.arg(0).eq_ignore_ascii_case("off"))
        {
            put(
                &mut limits,
                directive.at.limit(LimitKind::ClientIdle, "KeepAlive", Some(0)),
            );
        }
        limits
    }

    fn routes(&self, main: &Self, routes: &mut Vec<Route>) {
        let hosts = self.hosts();
        let limits = self.limits();
        if !limits.is_empty() && limits != main.limits() {
            routes.push(Route {
                hosts: hosts.clone(),
                limits,
                ..Route::default()
            });
        }
        for pass in &self.passes {
            self.route(pass, &hosts, routes);
        }
    }

    /// The route of one pass; for a balancer whose members differ in their limits, one for each member.
    fn route(&self, pass: &Pass, hosts: &[String], routes: &mut Vec<Route>) {
        let target = Target::parse(&pass.url);
        let base = Route {
            hosts: hosts.to_vec(),
            path: pass.path.clone(),
            matching: pass.matching,
            sent_path: Some(target.path.clone()).filter(|path| !path.contains('$')),
            ..Route::default()
        };
        let worker = self.workers.get(&url_key(&pass.url)).cloned().unwrap_or_default();
        let params: Vec<(String, String)> = worker.params.iter().chain(&pass.params).cloned().collect();
        if target.scheme != "balancer" {
            let upstreams = if target.address.contains('$') {
                Vec::new()
            } else {
                vec![(String::new(), target.with_port())]
            };
            let route = Route {
                upstreams,
                tls: target.is_tls(),
                ..base
            };
            routes.push(self.with_params(route, &params, pass, &target));
            return;
        }
        let group = Route {
            group: target.address.clone(),
            ..base
        };
        // The balancer's own `timeout` is the wait for a free member, not for an answer.
        let shared: Vec<(String, String)> = params
            .iter()
            .filter(|(name, _)| name != "timeout")
            .cloned()
            .collect();
        for (url, own) in &worker.members {
            let member = Target::parse(url);
            let extra = self
                .workers
                .get(&url_key(url))
                .map(|worker| worker.params.clone())
                .unwrap_or_default();
            let params: Vec<(String, String)> = shared.iter().chain(&extra).chain(own).cloned().collect();
            let name = own
                .iter()
                .find(|(name, _)| name == "route")
                .map(|(_, value)| value.clone());
            let upstreams = vec![(name.unwrap_or_default(), member.with_port())];
            let route = Route {
                upstreams,
                tls: member.is_tls(),
                ..group.clone()
            };
            let route = self.with_params(route, &params, pass, &member);
            let same = |known: &&mut Route| {
                (&known.hosts, &known.path, &known.group, &known.limits, known.tls)
                    == (&route.hosts, &route.path, &route.group, &route.limits, route.tls)
            };
            match routes.iter_mut().rev().find(same) {
                Some(known) => known.upstreams.extend(route.upstreams),
                None => routes.push(route),
            }
        }
        if worker.members.is_empty() {
            routes.push(self.with_params(group, &shared, pass, &target));
        }
    }

    /// The route with the limits that hold here and those its parameters name.
    fn with_params(
        &self,
        mut route: Route,
        params: &[(String, String)],
        pass: &Pass,
        target: &Target,
    ) -> Route {
        let mut limits = self.limits();
        let mut set = |kind, setting: &str, text: &str, bare_us| {
            if let Some(value) = duration_us(text, bare_us) {
                put(&mut limits, pass.at.limit(kind, setting, Some(value)));
            }
        };
        // Kept by default, but FastCGI connections only on demand, and a rewrite has no worker to keep them.
        let mut pooled = !pass.rewrite && target.scheme != "fcgi";
        for (name, value) in params {
            match name.as_str() {
                "timeout" => {
                    set(LimitKind::Read, "timeout=", value, SECOND_US);
                    set(LimitKind::Send, "timeout=", value, SECOND_US);
                    if !params.iter().any(|(name, _)| name == "connectiontimeout") {
                        set(LimitKind::Connect, "timeout=", value, SECOND_US);
                    }
                }
                "connectiontimeout" => set(LimitKind::Connect, "connectiontimeout=", value, SECOND_US),
                "ttl" => set(LimitKind::UpstreamIdle, "ttl=", value, SECOND_US),
                "acquire" => set(LimitKind::Queue, "acquire=", value, MILLISECOND_US),
                "disablereuse" => pooled = !value.eq_ignore_ascii_case("on"),
                "enablereuse" => pooled = value.eq_ignore_ascii_case("on"),
                "max" => route.slots = value.parse().ok(),
                "maxattempts" => {
                    let tries = value.parse::<u32>().ok().and_then(|n| n.checked_add(1));
                    route.retry = Some(Retry {
                        policy: format!("maxattempts={value}"),
                        tries,
                        timeout_us: None,
                    });
                }
                _ => {}
            }
        }
        let no_keep_alive = self.values.contains_key("setenv proxy-nokeepalive");
        route.pooled = Some(pooled && !no_keep_alive);
        route.limits = limits;
        route
    }

    fn logs(&self, main: &Self) -> Vec<LogDeclaration> {
        let mut logs = Vec::new();
        for directive in &self.access {
            let format = directive.args().get(1).map_or("", String::as_str);
            let known = self.formats.get(format).or_else(|| main.formats.get(format));
            let (name, text, line) = match known {
                Some((text, line)) => (format, text.clone(), *line),
                // A format may stand in the place of its name; without any, the common one is meant.
                None if format.contains('%') => ("", format.to_owned(), directive.at.line),
                None if format.is_empty() => (
                    "common",
                    "%h %l %u %t \"%r\" %>s %b".to_owned(),
                    directive.at.line,
                ),
                None => continue,
            };
            logs.push(LogDeclaration {
                path: directive.arg(0).to_owned(),
                name: name.to_owned(),
                text,
                line,
            });
        }
        logs
    }

    fn unused_formats(&self, logs: &[LogDeclaration]) -> Vec<LogDeclaration> {
        let unused = self
            .formats
            .iter()
            .filter(|(name, _)| !logs.iter().any(|log| log.name == **name));
        let declared = |(name, (text, line)): (&String, &(String, u32))| LogDeclaration {
            path: String::new(),
            name: name.clone(),
            text: text.clone(),
            line: *line,
        };
        unused.map(declared).collect()
    }

    fn error_logs(&self, main: &Self) -> Option<LogDeclaration> {
        let log = self.values.get("errorlog")?;
        let format = self
            .values
            .get("errorlogformat")
            .or_else(|| main.values.get("errorlogformat"));
        Some(LogDeclaration {
            path: log.arg(0).to_owned(),
            name: self.value("loglevel").to_owned(),
            text: format.map_or("", |format| format.arg(0)).to_owned(),
            line: log.at.line,
        })
    }
}

/// `name=value` words, names in lower case.
fn params<'a>(words: impl Iterator<Item = &'a String>) -> Vec<(String, String)> {
    words
        .filter_map(|word| word.split_once('='))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect()
}

/// An URL as workers are found by: without the slash at its end.
fn url_key(url: &str) -> String {
    url.trim_end_matches('/').to_ascii_lowercase()
}

/// `Listen` takes a port, or an address with one.
fn listen(text: &str) -> String {
    if has_port(text) {
        text.trim_start_matches('*').to_owned()
    } else {
        format!(":{text}")
    }
}
