//! nginx configuration: what each location passes on, to whom, and with which timers.
//!
//! A directive holds for the block it stands in and the blocks inside, unless one of them has its own.
//! Source: nginx documentation, "ngx_http_proxy_module", "ngx_http_upstream_module", "ngx_http_core_module".

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::include::{Reading, canonical};
use super::nginx_tokens::directives;
use super::text::{At, Directive, LimitMap, Target, duration_us, has_port, put};
use super::{CountKind, LogDeclaration, Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

const SECOND_US: u64 = 1_000_000;

/// The format nginx has without being told.
const COMBINED: &str = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent""#;

/// Modules that send requests on. Their directives differ in the prefix only.
const MODULES: [&str; 6] = ["proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached"];

/// Reads one nginx configuration with its includes.
///
/// # Errors
/// A problem that names the file if the main file cannot be read. Syntax errors are notes in `reading`.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let list = directives(&text, Rc::from(shown), &mut vec![canonical(file)], reading);
    let mut walk = Walk {
        config: ServerConfig::new(Product::Nginx, shown),
        upstreams: BTreeMap::new(),
        formats: BTreeMap::new(),
        used: Vec::new(),
    };
    walk.definitions(&list);
    walk.formats
        .entry("combined".to_owned())
        .or_insert_with(|| (COMBINED.to_owned(), 0));
    walk.level(&list, &Context::default(), &Route::default());
    walk.logs();
    // The surrounding blocks come first, so that the most general route is first.
    walk.config.routes.sort_by_key(|route| {
        (
            !route.upstreams.is_empty(),
            !route.group.is_empty() && route.path.is_empty(),
            !route.hosts.is_empty(),
        )
    });
    Ok(walk.config)
}

/// Directives that hold at some place, by name.
#[derive(Debug, Clone, Default)]
struct Context {
    values: BTreeMap<String, (Vec<String>, At)>,
    /// Value of the `Connection` header sent on, if set.
    connection: Option<String>,
}

impl Context {
    /// The context inside a block: its own directives over the inherited ones.
    fn inside(&self, list: &[Directive]) -> Self {
        let mut inner = self.clone();
        // Headers are inherited only by a block that sets none itself.
        if list.iter().any(|d| is_header(d.name())) {
            inner.connection = None;
        }
        for directive in list.iter().filter(|d| d.block.is_empty()) {
            if is_header(directive.name()) {
                if directive.arg(0).eq_ignore_ascii_case("connection") {
                    inner.connection = Some(directive.arg(1).to_ascii_lowercase());
                }
            } else {
                inner.values.insert(
                    directive.name().to_owned(),
                    (directive.args().to_vec(), directive.at.clone()),
                );
            }
        }
        inner
    }

    fn arg(&self, name: &str) -> &str {
        self.values
            .get(name)
            .and_then(|(args, _)| args.first())
            .map_or("", String::as_str)
    }

    fn limit(&self, limits: &mut LimitMap, kind: LimitKind, name: &str) {
        let Some((args, at)) = self.values.get(name) else {
            return;
        };
        let Some(value) = args.first().and_then(|text| duration_us(text, SECOND_US)) else {
            return;
        };
        put(limits, at.limit(kind, name, Some(value)));
    }

    /// The limits that hold here for requests passed on by `module`.
    fn limits(&self, module: &str) -> LimitMap {
        let mut limits = LimitMap::new();
        self.limit(&mut limits, LimitKind::ClientIdle, "keepalive_timeout");
        self.limit(
            &mut limits,
            LimitKind::Connect,
            &format!("{module}_connect_timeout"),
        );
        self.limit(&mut limits, LimitKind::Read, &format!("{module}_read_timeout"));
        self.limit(&mut limits, LimitKind::Send, &format!("{module}_send_timeout"));
        limits
    }

    fn retry(&self, module: &str) -> Option<Retry> {
        let name = format!("{module}_next_upstream");
        let number = |suffix: &str| self.arg(&format!("{name}_{suffix}")).to_owned();
        let tries = number("tries").parse().ok().filter(|n| *n > 0);
        let timeout_us = duration_us(&number("timeout"), SECOND_US).filter(|us| *us > 0);
        let policy = self
            .values
            .get(&name)
            .map(|(args, _)| format!("{name} {}", args.join(" ")));
        (policy.is_some() || tries.is_some() || timeout_us.is_some()).then(|| Retry {
            policy: policy.unwrap_or(name),
            tries,
            timeout_us,
        })
    }
}

fn is_header(name: &str) -> bool {
    matches!(name, "proxy_set_header" | "grpc_set_header")
}

/// An `upstream` block.
#[derive(Debug, Default)]
struct Upstream {
    servers: Vec<(String, String)>,
    /// `keepalive N`; the pool is off without it before 1.29.7.
    keepalive: Option<u32>,
    idle: LimitMap,
    requests: Option<u32>,
    slots: Option<u32>,
}

struct Walk {
    config: ServerConfig,
    upstreams: BTreeMap<String, Upstream>,
    formats: BTreeMap<String, (String, u32)>,
    /// Access logs seen: path, format name, line.
    used: Vec<(String, String, u32)>,
}

impl Walk {
    /// Collects upstream groups and log formats first: they may be used before they are declared.
    fn definitions(&mut self, list: &[Directive]) {
        for directive in list {
            match directive.name() {
                "upstream" => {
                    self.upstreams
                        .insert(directive.arg(0).to_owned(), upstream(&directive.block));
                }
                "log_format" => {
                    // How values are escaped stands before the format's pieces.
                    let (escape, parts): (Vec<&String>, Vec<&String>) = directive
                        .args()
                        .iter()
                        .skip(1)
                        .partition(|part| part.starts_with("escape="));
                    let escape = escape
                        .first()
                        .map_or(String::new(), |escape| format!("{escape} "));
                    let text: String = std::iter::once(escape.as_str())
                        .chain(parts.into_iter().map(String::as_str))
                        .collect();
                    self.formats
                        .insert(directive.arg(0).to_owned(), (text, directive.at.line));
                }
                "stream" | "mail" => {}
                _ => self.definitions(&directive.block),
            }
        }
    }

    /// One block and those inside. `route` says for which hosts and paths it is.
    fn level(&mut self, list: &[Directive], outer: &Context, route: &Route) {
        let context = outer.inside(list);
        self.own(list, &context, route);
        for directive in list.iter().filter(|d| !d.block.is_empty()) {
            match directive.name() {
                "server" => {
                    let route = Route {
                        hosts: hosts(&directive.block),
                        ..Route::default()
                    };
                    self.level(&directive.block, &context, &route);
                }
                "location" => {
                    let (path, matching) = location(directive.args());
                    let route = Route {
                        hosts: route.hosts.clone(),
                        path,
                        matching,
                        ..Route::default()
                    };
                    self.level(&directive.block, &context, &route);
                }
                "http" | "if" | "limit_except" => self.level(&directive.block, &context, route),
                _ => {}
            }
        }
    }

    /// What a block itself says: its logs, what it listens on, where it sends requests.
    fn own(&mut self, list: &[Directive], context: &Context, route: &Route) {
        let mut passes = false;
        for directive in list {
            match directive.name() {
                "listen" => self.config.listens.push(listen(directive.arg(0))),
                "access_log" if directive.arg(0) != "off" => {
                    let name = Some(directive.arg(1)).filter(|name| !name.is_empty() && !name.contains('='));
                    let entry = (
                        directive.arg(0).to_owned(),
                        name.unwrap_or("combined").to_owned(),
                        directive.at.line,
                    );
                    self.used.push(entry);
                }
                "error_log" => self.config.error_logs.push(LogDeclaration {
                    path: directive.arg(0).to_owned(),
                    name: directive.args().get(1).map_or("error", String::as_str).to_owned(),
                    text: String::new(),
                    line: directive.at.line,
                }),
                "worker_processes" => {
                    let at = &directive.at;
                    self.config.counts.extend(at.count(
                        CountKind::Workers,
                        "worker_processes",
                        directive.arg(0),
                    ));
                }
                name => {
                    if let Some(module) = name
                        .strip_suffix("_pass")
                        .filter(|module| MODULES.contains(module))
                    {
                        passes = true;
                        self.pass(module, directive.arg(0), context, route);
                    }
                }
            }
        }
        let says_more = route.path.is_empty() || list.iter().any(|d| d.name() == "keepalive_timeout");
        let limits = context.limits("proxy");
        if !passes && says_more && !limits.is_empty() {
            self.config.routes.push(Route {
                limits,
                retry: context.retry("proxy"),
                ..route.clone()
            });
        }
    }

    fn pass(&mut self, module: &str, target: &str, context: &Context, route: &Route) {
        let target = Target::parse(target);
        let mut made = Route {
            tls: target.is_tls(),
            limits: context.limits(module),
            retry: context.retry(module),
            // Without a path, the request's own is sent on as it is.
            sent_path: Some(target.path.clone())
                .filter(|path| module == "proxy" && !path.is_empty() && !path.contains('$')),
            ..route.clone()
        };
        let known = self.upstreams.get(&target.address);
        if let Some(upstream) = known {
            made.group.clone_from(&target.address);
            made.upstreams.clone_from(&upstream.servers);
            made.limits.extend(upstream.idle.clone());
            made.max_requests = upstream.requests;
            made.slots = upstream.slots;
        } else if !target.address.contains('$') {
            made.upstreams.push((String::new(), target.with_port()));
        }
        made.pooled = pooled(module, known, context);
        self.config.routes.push(made);
    }

    /// Joins access logs with their formats; formats that no log uses follow without a path.
    fn logs(&mut self) {
        for (path, name, line) in std::mem::take(&mut self.used) {
            let Some((text, declared)) = self.formats.get(&name) else {
                continue;
            };
            let line = if *declared == 0 { line } else { *declared };
            self.config.logs.push(LogDeclaration {
                path,
                text: text.clone(),
                name,
                line,
            });
        }
        for (name, (text, line)) in &self.formats {
            if *line > 0 && !self.config.logs.iter().any(|log| log.name == *name) {
                let log = LogDeclaration {
                    path: String::new(),
                    name: name.clone(),
                    text: text.clone(),
                    line: *line,
                };
                self.config.logs.push(log);
            }
        }
        self.config.listens.sort();
        self.config.listens.dedup();
    }
}

/// Whether connections are kept. Without `keepalive` that depends on the release (on from 1.29.7), so the
/// configuration does not say.
fn pooled(module: &str, upstream: Option<&Upstream>, context: &Context) -> Option<bool> {
    let keepalive = upstream.and_then(|upstream| upstream.keepalive);
    if keepalive == Some(0) {
        return Some(false);
    }
    match module {
        "proxy" => {
            let version = context.arg("proxy_http_version");
            let connection = context.connection.as_deref();
            if version == "1.0" || connection.is_some_and(|value| value == "close") {
                return Some(false);
            }
            (keepalive.is_some()
                && matches!(version, "1.1" | "2")
                && matches!(connection, Some("" | "keep-alive")))
            .then_some(true)
        }
        "fastcgi" if context.arg("fastcgi_keep_conn") != "on" => Some(false),
        "uwsgi" | "scgi" => Some(false),
        _ => keepalive.map(|_| true),
    }
}

fn upstream(list: &[Directive]) -> Upstream {
    let mut made = Upstream::default();
    for directive in list {
        match directive.name() {
            "server" => {
                let address = directive.arg(0);
                let port = if has_port(address) || address.starts_with("unix:") {
                    ""
                } else {
                    ":80"
                };
                made.servers.push((String::new(), format!("{address}{port}")));
                let limit = directive
                    .args()
                    .iter()
                    .find_map(|arg| arg.strip_prefix("max_conns="));
                made.slots = made
                    .slots
                    .or(limit.and_then(|n| n.parse().ok()).filter(|n| *n > 0));
            }
            "keepalive" => made.keepalive = directive.arg(0).parse().ok(),
            "keepalive_requests" => made.requests = directive.arg(0).parse().ok(),
            "keepalive_timeout" => {
                if let Some(value) = duration_us(directive.arg(0), SECOND_US) {
                    let setting = "keepalive_timeout in the upstream block";
                    put(
                        &mut made.idle,
                        directive.at.limit(LimitKind::UpstreamIdle, setting, Some(value)),
                    );
                }
            }
            _ => {}
        }
    }
    made
}

/// The names of a server; none if it is for all (`_`, or no name at all).
fn hosts(list: &[Directive]) -> Vec<String> {
    let names = list
        .iter()
        .filter(|d| d.name() == "server_name")
        .flat_map(Directive::args);
    names
        .filter(|name| !matches!(name.as_str(), "_" | ""))
        .cloned()
        .collect()
}

fn location(args: &[String]) -> (String, Matching) {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["=", path] => ((*path).to_owned(), Matching::Exact),
        ["~", path] => ((*path).to_owned(), Matching::Regex),
        ["~*", path] => (format!("(?i){path}"), Matching::Regex),
        ["^~", path] | [path] => ((*path).to_owned(), Matching::Prefix),
        _ => (String::new(), Matching::Prefix),
    }
}

/// `listen` takes a port, an address or both.
fn listen(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return format!(":{text}");
    }
    let text = text.strip_prefix('*').unwrap_or(text);
    if has_port(text) || text.starts_with("unix:") {
        text.to_owned()
    } else {
        format!("{text}:80")
    }
}
