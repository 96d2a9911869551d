//! Caddy configuration: the Caddyfile. Its JSON form is in `caddy_json`.
//!
//! Source: Caddy documentation, "Caddyfile Concepts", "reverse_proxy", "Global options".

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::caddy_source::directives;
use super::include::{Reading, canonical};
use super::text::{Directive, LimitMap, Target, duration_us, has_port, put};
use super::{LogDeclaration, Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// A bare number in a Caddyfile duration is in nanoseconds, as Go counts.
const BARE_US: u64 = 0;

/// Reads one Caddyfile with its imports, or a JSON configuration.
///
/// # Errors
/// A problem that names the file if the main file cannot be read. Syntax errors are notes in `reading`.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    if text.trim_start().starts_with('{') && text.contains("\"apps\"") {
        return super::caddy_json::read(&text, shown);
    }
    let shown: Rc<str> = Rc::from(shown);
    let list = directives(&text, &shown, canonical(file), reading);
    let mut walk = Walk::new(&shown);
    walk.sites(&list);
    Ok(walk.config)
}

/// An address line that opens no block and is not continued on the next line.
fn is_lone_address(head: &Directive) -> bool {
    head.block.is_empty() && !head.words.last().is_some_and(|word| word.ends_with(','))
}

/// What a path of the configuration tree is for.
#[derive(Debug, Clone, Default)]
struct Place {
    hosts: Vec<String>,
    path: String,
    matching: Matching,
    /// Named matchers: their paths and hosts.
    matchers: BTreeMap<String, (Vec<String>, Vec<String>)>,
}

struct Walk {
    config: ServerConfig,
    http_port: String,
    https_port: String,
    front: LimitMap,
}

impl Walk {
    fn new(shown: &str) -> Self {
        Self {
            config: ServerConfig::new(Product::Caddy, shown),
            http_port: "80".to_owned(),
            https_port: "443".to_owned(),
            front: LimitMap::new(),
        }
    }

    fn sites(&mut self, list: &[Directive]) {
        for options in list.iter().filter(|d| d.words.is_empty()) {
            self.options(&options.block);
        }
        if !self.front.is_empty() {
            self.config.routes.push(Route {
                limits: self.front.clone(),
                ..Route::default()
            });
        }
        let mut sites: Vec<&Directive> = list.iter().filter(|d| !d.words.is_empty()).collect();
        // A file with a single site may go without braces: its first line is the address.
        if let Some((head, rest)) = sites.split_first().filter(|(head, _)| is_lone_address(head)) {
            let body: Vec<Directive> = rest.iter().map(|d| (*d).clone()).collect();
            self.site(&head.words, &body);
            return;
        }
        sites.retain(|d| !d.name().starts_with("&("));
        // Addresses separated by commas may run over several lines before the block opens.
        let mut pending: Vec<String> = Vec::new();
        for site in sites {
            pending.extend(site.words.iter().cloned());
            if !site.block.is_empty() {
                self.site(&std::mem::take(&mut pending), &site.block);
            }
        }
    }

    fn options(&mut self, list: &[Directive]) {
        for directive in list {
            match directive.name() {
                "http_port" => directive.arg(0).clone_into(&mut self.http_port),
                "https_port" => directive.arg(0).clone_into(&mut self.https_port),
                // The program's own log, not that of requests.
                "log" => self.config.error_logs.extend(log(directive)),
                "servers" => {
                    let timeouts = directive
                        .block
                        .iter()
                        .filter(|d| d.name() == "timeouts")
                        .flat_map(|d| &d.block);
                    for timer in timeouts.filter(|d| d.name() == "idle") {
                        if let Some(value) = duration_us(timer.arg(0), BARE_US) {
                            put(
                                &mut self.front,
                                timer
                                    .at
                                    .limit(LimitKind::ClientIdle, "timeouts idle", Some(value)),
                            );
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn site(&mut self, words: &[String], body: &[Directive]) {
        let mut place = Place::default();
        for address in words
            .iter()
            .flat_map(|word| word.split(','))
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            let target = Target::parse(address);
            let host = super::text::host_of(&target.address).trim_start_matches(':');
            if !host.is_empty() && !host.bytes().all(|b| b.is_ascii_digit()) {
                place.hosts.push(host.to_owned());
            }
            let usual = if target.scheme == "http" {
                &self.http_port
            } else {
                &self.https_port
            };
            let port = super::text::port_of(&target.address).unwrap_or(usual);
            let bound: Vec<&str> = body
                .iter()
                .filter(|d| d.name() == "bind")
                .flat_map(Directive::args)
                .map(String::as_str)
                .collect();
            let bound = if bound.is_empty() { vec![""] } else { bound };
            self.config
                .listens
                .extend(bound.iter().map(|host| format!("{host}:{port}")));
            if target.path.len() > 1 {
                (place.path, place.matching) = path_of(&target.path);
            }
        }
        self.config.listens.sort();
        self.config.listens.dedup();
        let bare = words
            .iter()
            .any(|word| word.trim_start_matches("http://").starts_with(':'));
        if bare {
            place.hosts.clear();
        }
        self.level(body, &place);
    }

    fn level(&mut self, list: &[Directive], place: &Place) {
        let mut place = place.clone();
        for matcher in list.iter().filter(|d| d.name().starts_with('@')) {
            let found = place.matchers.entry(matcher.name().to_owned()).or_default();
            let inline = Directive {
                words: matcher.args().to_vec(),
                at: matcher.at.clone(),
                block: Vec::new(),
            };
            for condition in std::iter::once(&inline).chain(&matcher.block) {
                match condition.name() {
                    "path" => found.0.extend(condition.args().iter().cloned()),
                    "host" => found.1.extend(condition.args().iter().cloned()),
                    _ => {}
                }
            }
        }
        for directive in list {
            match directive.name() {
                "handle" | "handle_path" | "route" => {
                    for place in matched(&place, directive.arg(0)) {
                        self.level(&directive.block, &place);
                    }
                }
                "reverse_proxy" | "php_fastcgi" => self.proxy(directive, &place),
                "log" => self.config.logs.extend(log(directive)),
                _ => {}
            }
        }
    }

    fn proxy(&mut self, directive: &Directive, place: &Place) {
        let matcher = directive
            .args()
            .first()
            .filter(|word| is_matcher(word))
            .map_or("", String::as_str);
        let skip = usize::from(!matcher.is_empty());
        let mut proxy = Proxy {
            limits: self.front.clone(),
            ..Proxy::default()
        };
        proxy.targets.extend(directive.args().iter().skip(skip).cloned());
        for line in &directive.block {
            match line.name() {
                "to" => proxy.targets.extend(line.args().iter().cloned()),
                "transport" => line.block.iter().for_each(|timer| proxy.transport(timer)),
                // `php_fastcgi` takes the timers of its transport directly.
                "dial_timeout" | "read_timeout" | "write_timeout" => proxy.transport(line),
                "lb_try_duration" => proxy.try_us = duration_us(line.arg(0), BARE_US),
                "lb_retries" => proxy.retries = line.arg(0).parse().ok(),
                _ => {}
            }
        }
        let fcgi = directive.name() == "php_fastcgi";
        for place in matched(place, matcher) {
            let route = Route {
                hosts: place.hosts,
                path: place.path,
                matching: place.matching,
                ..Route::default()
            };
            self.config.routes.push(proxy.route(route, fcgi));
        }
    }
}

/// The file a `log` directive writes to.
fn log(directive: &Directive) -> Option<LogDeclaration> {
    let output = directive
        .block
        .iter()
        .find(|d| d.name() == "output" && d.arg(0) == "file")?;
    let format = directive.block.iter().find(|d| d.name() == "format");
    // Without options the encoder says all.
    let told = format.filter(|d| d.args().len() > 1 || !d.block.is_empty());
    Some(LogDeclaration {
        path: output.arg(1).to_owned(),
        name: format.map_or("json", |d| d.arg(0)).to_owned(),
        text: told.map_or(String::new(), written),
        line: told.map_or(output.at.line, |format| format.at.line),
    })
}

/// A directive as it would stand in a Caddyfile.
fn written(directive: &Directive) -> String {
    let words: Vec<String> = directive.words.iter().map(|word| format!("`{word}`")).collect();
    let mut text = words.join(" ");
    if !directive.block.is_empty() {
        text.push_str(" {\n");
        directive
            .block
            .iter()
            .for_each(|inner| text.push_str(&written(inner)));
        text.push('}');
    }
    text.push('\n');
    text
}

/// A `reverse_proxy` directive.
#[derive(Debug, Default)]
struct Proxy {
    targets: Vec<String>,
    limits: LimitMap,
    tls: bool,
    kept: Option<bool>,
    slots: Option<u32>,
    try_us: Option<u64>,
    retries: Option<u32>,
}

impl Proxy {
    fn transport(&mut self, line: &Directive) {
        let kind = match line.name() {
            "dial_timeout" => LimitKind::Connect,
            "response_header_timeout" => LimitKind::Read,
            // Both bound the wait for an answer; the header's own timer is the one that ends it.
            "read_timeout" => {
                let named = self
                    .limits
                    .get(&LimitKind::Read)
                    .is_some_and(|limit| limit.setting == "response_header_timeout");
                if named {
                    return;
                }
                LimitKind::Read
            }
            "write_timeout" => LimitKind::Send,
            "tls_timeout" => LimitKind::TlsHandshake,
            "keepalive" => {
                self.kept = Some(line.arg(0) != "off");
                LimitKind::UpstreamIdle
            }
            "max_conns_per_host" => {
                self.slots = line.arg(0).parse().ok().filter(|n| *n > 0);
                return;
            }
            name => {
                self.tls |= name == "tls" || name.starts_with("tls_");
                return;
            }
        };
        self.tls |= kind == LimitKind::TlsHandshake;
        if let Some(value) = duration_us(line.arg(0), BARE_US) {
            put(
                &mut self.limits,
                line.at.limit(kind, line.name(), Some(value).filter(|us| *us > 0)),
            );
        }
    }

    fn route(&self, base: Route, fcgi: bool) -> Route {
        let retry = (self.try_us.is_some() || self.retries.is_some()).then(|| Retry {
            policy: if self.retries.is_some() {
                "lb_retries"
            } else {
                "lb_try_duration"
            }
            .to_owned(),
            tries: self.retries.and_then(|n| n.checked_add(1)),
            timeout_us: self.try_us,
        });
        let targets: Vec<Target> = self.targets.iter().map(|text| Target::parse(text)).collect();
        Route {
            upstreams: self
                .targets
                .iter()
                .zip(&targets)
                .filter_map(|(text, target)| dial(text, target))
                .collect(),
            tls: self.tls || targets.iter().any(Target::is_tls),
            pooled: if fcgi {
                Some(false)
            } else {
                self.kept.or(Some(true))
            },
            limits: self.limits.clone(),
            retry,
            slots: self.slots,
            ..base
        }
    }
}

/// An upstream's address; none if it is computed for each request.
fn dial(text: &str, target: &Target) -> Option<(String, String)> {
    if text.contains('{') {
        return None;
    }
    if let Some(socket) = text.strip_prefix("unix/") {
        return Some((
            String::new(),
            format!("unix:{}", socket.trim_start_matches("/unix")),
        ));
    }
    let address = if target.address.starts_with(':') {
        format!("localhost{}", target.address)
    } else {
        target.address.clone()
    };
    Some((
        String::new(),
        if has_port(&address) {
            address
        } else {
            target.with_port()
        },
    ))
}

fn is_matcher(word: &str) -> bool {
    word.starts_with(['@', '/']) || word == "*"
}

/// `/api/*` is a prefix, `/api` that path alone.
pub(super) fn path_of(pattern: &str) -> (String, Matching) {
    match pattern.strip_suffix('*') {
        Some(prefix) => (prefix.to_owned(), Matching::Prefix),
        None => (pattern.to_owned(), Matching::Exact),
    }
}

/// The places a matcher leads to, one for each of its paths. A path inside a matched block narrows it only
/// if it is no shorter: `handle_path` has taken the prefix away.
fn matched(place: &Place, matcher: &str) -> Vec<Place> {
    let (paths, hosts) = match place.matchers.get(matcher) {
        Some((paths, hosts)) => (paths.clone(), hosts.clone()),
        None if matcher.starts_with('/') => (vec![matcher.to_owned()], Vec::new()),
        None => (Vec::new(), Vec::new()),
    };
    let mut base = place.clone();
    if !hosts.is_empty() {
        base.hosts = hosts;
    }
    if paths.is_empty() {
        return vec![base];
    }
    let narrowed = |pattern: &String| {
        let (path, matching) = path_of(pattern);
        if path.starts_with(&base.path) {
            Place {
                path,
                matching,
                ..base.clone()
            }
        } else {
            base.clone()
        }
    };
    paths.iter().map(narrowed).collect()
}
