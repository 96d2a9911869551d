//! Which route, and so which limit, a request falls under.

use std::borrow::Cow;
use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use why502_parsers::Product;

use super::text::{host_of, port_of};
use super::{Count, CountKind, Limits, Matching, Route, Scope, ServerConfig, defaults};
use crate::model::{HopId, Limit, LimitKind, Origin, Rewrite};
use crate::plan::GivenHop;

/// A pattern may come from a hostile file; a larger automaton than this is not built.
const REGEX_CAP_BYTES: usize = 1 << 20;

/// The limits of a server that those in front of it feel.
const BEHIND: [LimitKind; 2] = [LimitKind::ClientIdle, LimitKind::WorkerKill];

/// How well a route fits a request; the larger the better.
type Fit = (u32, u32, bool, bool);

/// A route with its patterns made ready.
#[derive(Debug, Clone)]
pub(super) struct Compiled {
    route: Route,
    path: PathPattern,
    hosts: Vec<HostPattern>,
    /// Its upstreams.
    servers: Box<[Server]>,
}

#[derive(Debug, Clone)]
enum PathPattern {
    Any,
    Prefix(String),
    Exact(String),
    Regex(Regex),
}

#[derive(Debug, Clone)]
enum HostPattern {
    Exact(String),
    /// `*.example.com`, kept with its dot.
    Suffix(String),
    /// `www.*`, kept with its dot.
    Prefix(String),
    Regex(Regex),
}

impl Limits {
    /// Limits of hops of the given products, from the configurations that were found for them.
    pub fn new(products: BTreeMap<HopId, Product>, configs: BTreeMap<HopId, Vec<ServerConfig>>) -> Self {
        let mut limits = Self {
            products,
            ..Self::default()
        };
        for (hop, mut configs) in configs {
            // A surer assignment goes before a guess, where both say something.
            configs.sort_by_key(|config| config.assigned);
            for config in configs {
                limits
                    .routes
                    .entry(hop)
                    .or_default()
                    .extend(config.routes.into_iter().map(Compiled::new));
                limits.listens.entry(hop).or_default().extend(config.listens);
                limits.counts.entry(hop).or_default().extend(config.counts);
            }
        }
        limits
    }

    /// The limit of `kind` at `hop` for a request of `scope`: given by the user, else configured, else the product's
    /// default, else learnt. `None` if none of them is known.
    pub fn get(&self, hop: HopId, kind: LimitKind, scope: &Scope<'_>) -> Option<Limit> {
        self.given
            .get(&(hop, kind))
            .or_else(|| self.configured(hop, kind, scope))
            .cloned()
            .or_else(|| defaults::limit(*self.products.get(&hop)?, kind))
            .or_else(|| self.learnt(hop, kind).cloned())
    }

    /// Whether `hop` keeps connections to this upstream for reuse; `None` if that is not known.
    pub fn pooled(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool> {
        self.agreed(hop, scope, |route| route.pooled)
    }

    /// Whether `hop` speaks TLS to this upstream; `None` if that is not known.
    pub fn upstream_tls(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool> {
        self.agreed(hop, scope, |route| Some(route.tls))
    }

    /// The route a request of `scope` takes: the one that fits best, the more general of equals.
    pub fn route(&self, hop: HopId, scope: &Scope<'_>) -> Option<&Route> {
        let fits = self.fitting(hop, scope);
        let best = fits.iter().map(|(fit, _)| *fit).max()?;
        let tied = fits
            .iter()
            .filter(|(fit, _)| *fit == best)
            .map(|(_, route)| *route);
        tied.min_by_key(|route| (!route.leads_on(), route.path.len()))
    }

    /// Addresses `hop` listens on, as `host:port` or `:port`, as far as its configuration is known.
    pub fn addresses(&self, hop: HopId) -> &[String] {
        self.listens.get(&hop).map(Vec::as_slice).unwrap_or_default()
    }

    /// Addresses `hop` sends requests to, in ascending order, as far as its configuration is known.
    pub fn routes_to(&self, hop: HopId) -> Vec<String> {
        let routes = self.routes.get(&hop).map(Vec::as_slice).unwrap_or_default();
        let all = routes.iter().flat_map(|compiled| &compiled.route.upstreams);
        let mut addresses: Vec<String> = all.map(|(_, address)| address.clone()).collect();
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// What the configuration of `hop` says it does to paths. A rule that holds for some hosts only is left out: which
    /// host a request was for is not always logged.
    pub fn rewrites(&self, hop: HopId) -> Vec<Rewrite> {
        let rule = |route: &Route| {
            let to = route
                .sent_path
                .as_ref()
                .filter(|_| route.matching != Matching::Regex)?;
            let rule = Rewrite::new(&route.path, to);
            (route.leads_on() && rule.from != rule.to).then_some(rule)
        };
        let mut rules: Vec<Rewrite> = self.routes(hop).filter_map(rule).collect();
        rules.sort();
        rules.dedup();
        // Two rules for one beginning are for different hosts.
        let all = rules.clone();
        rules.retain(|rule| all.iter().filter(|other| other.from == rule.from).count() == 1);
        rules
    }

    /// The limit of `kind` on one of the routes of `hop`: given, else the route's own, else what holds for all routes,
    /// else the product's default.
    pub fn of_route(&self, hop: HopId, route: &Route, kind: LimitKind) -> Option<Limit> {
        let general = || {
            let for_all = |own: &&Route| own.hosts.is_empty() && own.path.is_empty() && own.group.is_empty();
            let mut routes = self.routes(hop).filter(|own| !own.leads_on()).filter(for_all);
            routes.find_map(|own| own.limits.get(&kind))
        };
        self.given
            .get(&(hop, kind))
            .or_else(|| route.limits.get(&kind))
            .or_else(general)
            .cloned()
            .or_else(|| defaults::limit(*self.products.get(&hop)?, kind))
    }

    /// The limit of `kind` of `hop` towards those that send to it.
    pub fn front(&self, hop: HopId, kind: LimitKind) -> Option<Limit> {
        self.get(hop, kind, &Scope::default())
    }

    /// Every route of `hop`, in the order of its configuration.
    pub fn routes(&self, hop: HopId) -> impl Iterator<Item = &Route> {
        let routes = self.routes.get(&hop).map(Vec::as_slice).unwrap_or_default();
        routes.iter().map(|compiled| &compiled.route)
    }

    /// Workers, threads and places in queues of `hop`, as far as its configuration says.
    pub fn counts(&self, hop: HopId) -> &[Count] {
        self.counts.get(&hop).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes what the user says of `hop`; what is said last holds.
    pub fn give(&mut self, hop: HopId, given: &GivenHop) {
        for limit in &given.limits {
            self.given.insert((hop, limit.kind), limit.clone());
        }
        self.listens
            .entry(hop)
            .or_default()
            .extend(given.listens.iter().cloned());
        let counts = [
            (CountKind::Workers, "workers", given.workers),
            (CountKind::Slots, "capacity", given.capacity),
        ];
        for (kind, setting, value) in counts {
            let Some(value) = value else { continue };
            self.counts.entry(hop).or_default().insert(
                0,
                Count {
                    kind,
                    value,
                    setting: setting.to_owned(),
                    origin: Origin::Given,
                },
            );
        }
    }

    /// Takes what the user says of a server of which there are no logs: it is known by its addresses.
    pub fn give_behind(&mut self, given: &GivenHop) {
        for address in given.listens.iter().chain([&given.name]) {
            let limits = given.limits.iter();
            let default = |kind| defaults::limit(given.product?, kind);
            let defaults = [LimitKind::ClientIdle, LimitKind::WorkerKill]
                .into_iter()
                .filter_map(default);
            for limit in defaults.chain(limits.cloned()) {
                self.behind.insert((address.clone(), limit.kind), limit);
            }
        }
    }

    /// Takes the configurations of servers of which there are no logs: they are known by what they listen on.
    pub fn know_behind(&mut self, configs: Vec<ServerConfig>) {
        for config in configs {
            let server = Self::new(
                BTreeMap::from([(HopId(0), config.product)]),
                BTreeMap::from([(HopId(0), vec![config.clone()])]),
            );
            for (listen, kind) in config
                .listens
                .iter()
                .flat_map(|listen| BEHIND.map(|kind| (listen, kind)))
            {
                let everywhere = matches!(host_of(listen), "" | "*" | "0.0.0.0" | "::");
                let address = match port_of(listen).filter(|_| everywhere) {
                    Some(port) => format!(":{port}"),
                    None => listen.clone(),
                };
                // What the user says is there already, and stays.
                if let Some(limit) = server.front(HopId(0), kind) {
                    self.behind.entry((address, kind)).or_insert(limit);
                }
            }
        }
    }

    /// The limit of a server that has no logs, by the address under which it is reached: its own, else that of a
    /// server that listens on the port on every address.
    pub fn behind(&self, address: &str, kind: LimitKind) -> Option<Limit> {
        let everywhere = || Some((format!(":{}", port_of(address)?), kind));
        let exact = self.behind.get(&(address.to_owned(), kind));
        exact.or_else(|| self.behind.get(&everywhere()?)).cloned()
    }

    /// Notes a limit that the logs themselves showed. [`Limits::get`] returns it only where nothing is
    /// configured and the product has no default.
    pub fn learn(&mut self, hop: HopId, limit: Limit) {
        self.learnt.insert((hop, limit.kind), limit);
    }

    /// The limit of `kind` that the logs themselves showed at `hop`, to be held against what [`Limits::get`] says.
    pub fn learnt(&self, hop: HopId, kind: LimitKind) -> Option<&Limit> {
        self.learnt.get(&(hop, kind))
    }

    /// The limit as someone wrote it down.
    fn configured(&self, hop: HopId, kind: LimitKind, scope: &Scope<'_>) -> Option<&Limit> {
        let fits = self.fitting(hop, scope);
        let best = fits.iter().map(|(fit, _)| *fit).max()?;
        let tied = || {
            fits.iter()
                .filter(|(fit, _)| *fit == best)
                .map(|(_, route)| *route)
        };
        let says = |route: &&Route| route.limits.contains_key(&kind);
        // Nothing tells the tied routes apart: what all that lead on agree on holds, else the most general.
        let mut on = tied().filter(|route| route.leads_on());
        if let Some(limit) = on.next().and_then(|route| route.limits.get(&kind))
            && on.all(|route| {
                route
                    .limits
                    .get(&kind)
                    .is_some_and(|other| other.value_us == limit.value_us)
            })
        {
            return Some(limit);
        }
        let nearest = tied()
            .filter(says)
            .min_by_key(|route| (route.leads_on(), route.path.len()));
        // A route that leads on holds what it inherits already; what is said for others is not for it.
        let inherits = tied().any(|route| route.leads_on());
        let mut general = fits
            .iter()
            .map(|(_, route)| *route)
            .filter(|route| !inherits && !route.leads_on());
        nearest
            .or_else(|| general.rfind(says))
            .and_then(|route| route.limits.get(&kind))
    }

    /// What all routes say that fit best and lead to an upstream; `None` if they disagree.
    fn agreed(&self, hop: HopId, scope: &Scope<'_>, ask: impl Fn(&Route) -> Option<bool>) -> Option<bool> {
        let mut fits = self.fitting(hop, scope);
        fits.retain(|(_, route)| route.leads_on());
        let best = fits.iter().map(|(fit, _)| *fit).max()?;
        let mut answers = fits
            .iter()
            .filter(|(fit, _)| *fit == best)
            .map(|(_, route)| ask(route));
        let first = answers.next()??;
        answers.all(|answer| answer == Some(first)).then_some(first)
    }

    /// Routes that the request may have taken, in the order of the configuration. A host that no route names
    /// falls to a default server, and which one that is depends on the address, so all of them stay.
    fn fitting(&self, hop: HopId, scope: &Scope<'_>) -> Vec<(Fit, &Route)> {
        let routes = self.routes.get(&hop).map(Vec::as_slice).unwrap_or_default();
        let (host, named) = (plain_host(scope.host), Named::of(scope.upstream));
        let fits = |scope: &Scope<'_>| -> Vec<(Fit, &Route)> {
            // Asked for every finding many times: nearly all routes fit, and a list that grows costs more than it holds.
            let mut all = Vec::with_capacity(routes.len());
            let fitting = routes
                .iter()
                .filter_map(|one| Some((one.fit(scope, &host, &named)?, &one.route)));
            all.extend(fitting);
            all
        };
        let found = fits(scope);
        if scope.host.is_empty() || found.iter().any(|(_, route)| route.leads_on()) {
            return found;
        }
        fits(&Scope { host: "", ..*scope })
    }
}

impl Route {
    /// Whether it leads to an upstream, as against holding settings for others.
    pub fn leads_on(&self) -> bool {
        !self.upstreams.is_empty() || !self.group.is_empty() || self.pooled.is_some()
    }
}

impl Compiled {
    fn new(route: Route) -> Self {
        let path = match (route.path.as_str(), route.matching) {
            ("", _) => PathPattern::Any,
            (path, Matching::Prefix) => PathPattern::Prefix(path.to_owned()),
            (path, Matching::Exact) => PathPattern::Exact(path.to_owned()),
            (path, Matching::Regex) => match regex(path) {
                Some(regex) => PathPattern::Regex(regex),
                // Look-around is not supported; the fixed text in front is better than nothing.
                None => PathPattern::Prefix(literal_prefix(path)),
            },
        };
        let hosts = route
            .hosts
            .iter()
            .filter_map(|host| HostPattern::new(host))
            .collect();
        let servers = route.upstreams.iter().map(Server::new).collect();
        Self {
            route,
            path,
            hosts,
            servers,
        }
    }

    /// How well the route fits, `host` and `named` being the host and the upstream of `scope`; `None` if it cannot be the
    /// request's. What is not known rules nothing out.
    fn fit(&self, scope: &Scope<'_>, host: &str, named: &Named<'_>) -> Option<Fit> {
        let host = if scope.host.is_empty() {
            0
        } else {
            self.host_fit(host)?
        };
        let path = if scope.path.is_empty() {
            0
        } else {
            self.path.fit(scope.path)?
        };
        let group = match (scope.group, self.route.group.as_str()) {
            ("", _) | (_, "") => false,
            (wanted, own) => (wanted == own).then_some(true)?,
        };
        let upstream = match &*self.servers {
            _ if scope.upstream.is_empty() => false,
            [] => false,
            all => {
                let mut answers = all.iter().map(|server| server.is(named));
                // The upstream itself is enough; else one of which it cannot be told.
                if answers.clone().any(|answer| answer == Some(true)) {
                    true
                } else if answers.any(|answer| answer.is_none()) {
                    false
                } else {
                    return None;
                }
            }
        };
        Some((host, path, group, upstream))
    }

    fn host_fit(&self, host: &str) -> Option<u32> {
        if self.hosts.is_empty() {
            return Some(0);
        }
        self.hosts.iter().filter_map(|pattern| pattern.fit(host)).max()
    }
}

/// A host as patterns are held against it: without its port, in small letters.
fn plain_host(host: &str) -> Cow<'_, str> {
    let host = host_of(host);
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

impl PathPattern {
    /// Longer prefixes fit better, an expression better than any prefix, the exact path best.
    fn fit(&self, path: &str) -> Option<u32> {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        match self {
            Self::Any => Some(0),
            Self::Prefix(prefix) => path
                .starts_with(prefix.as_str())
                .then(|| 1 + u32::try_from(prefix.len().min(60_000)).unwrap_or(0)),
            Self::Regex(regex) => regex.is_match(path).then_some(100_000),
            Self::Exact(exact) => (path == exact).then_some(200_000),
        }
    }
}

impl HostPattern {
    fn new(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        Some(match text.strip_prefix('~') {
            Some(pattern) => Self::Regex(regex(&format!("(?i){pattern}"))?),
            None if lower.starts_with("*.") => Self::Suffix(lower.trim_start_matches('*').to_owned()),
            None if lower.starts_with('.') => Self::Suffix(lower),
            None if lower.ends_with(".*") => Self::Prefix(lower.trim_end_matches('*').to_owned()),
            None => Self::Exact(lower),
        })
    }

    fn fit(&self, host: &str) -> Option<u32> {
        match self {
            Self::Exact(own) => (host == own).then_some(4),
            // `.example.com` stands for the bare domain too.
            Self::Suffix(own) => {
                (host.ends_with(own.as_str()) || Some(host) == own.strip_prefix('.')).then_some(3)
            }
            Self::Prefix(own) => host.starts_with(own.as_str()).then_some(2),
            Self::Regex(regex) => regex.is_match(host).then_some(1),
        }
    }
}

fn regex(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .size_limit(REGEX_CAP_BYTES)
        .build()
        .ok()
}

/// The fixed text at the start of an expression.
fn literal_prefix(pattern: &str) -> String {
    let text = pattern.trim_start_matches("(?i)").trim_start_matches('^');
    text.chars()
        .take_while(|c| !"\\.[](){}*+?|$".contains(*c))
        .collect()
}

/// An address of which it is asked over and over whether it is another one.
#[derive(Debug, Clone, Copy)]
struct Address<T> {
    text: T,
    /// Without its port and brackets.
    host: T,
    port: Option<T>,
    is_ip: bool,
}

impl<'t> Address<&'t str> {
    fn of(text: &'t str) -> Self {
        let host = host_of(text);
        Self {
            text,
            host,
            port: port_of(text),
            is_ip: host.parse::<std::net::IpAddr>().is_ok(),
        }
    }

    fn owned(self) -> Address<Box<str>> {
        Address {
            text: self.text.into(),
            host: self.host.into(),
            port: self.port.map(Into::into),
            is_ip: self.is_ip,
        }
    }
}

/// An upstream as a log names it: an address, a name, or both with a `/` between them.
struct Named<'t> {
    first: Address<&'t str>,
    last: Address<&'t str>,
    is_socket: bool,
}

impl<'t> Named<'t> {
    fn of(text: &'t str) -> Self {
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        if text.starts_with("unix:") {
            let socket = Address::of(text.trim_end_matches(':'));
            return Self {
                first: socket,
                last: socket,
                is_socket: socket.text.starts_with("unix:"),
            };
        }
        let first = Address::of(text.split('/').next().unwrap_or_default());
        let last = text.rsplit_once('/').map(|(_, last)| Address::of(last));
        Self {
            first,
            last: last.unwrap_or(first),
            is_socket: false,
        }
    }
}

/// A server of an upstream group.
#[derive(Debug, Clone)]
struct Server {
    name: Box<str>,
    address: Address<Box<str>>,
    is_socket: bool,
}

impl Server {
    fn new((name, address): &(String, String)) -> Self {
        Self {
            name: name.as_str().into(),
            address: Address::of(address).owned(),
            is_socket: address.starts_with("unix:"),
        }
    }

    /// Whether `named` is this server. `None` if that cannot be told: a name in the configuration is not resolved here.
    fn is(&self, named: &Named<'_>) -> Option<bool> {
        let (own, name) = (&self.address, &*self.name);
        let is_last = named.last.text == name;
        let wanted = if is_last { named.last } else { named.first };
        if wanted.text == &*own.text || (!name.is_empty() && wanted.text == name) {
            return Some(true);
        }
        if named.is_socket || self.is_socket {
            return Some(false);
        }
        let Some(port) = wanted.port else {
            // A name: known names are complete, an address alone may be any port's.
            let is_other = !name.is_empty() || wanted.text.parse::<std::net::IpAddr>().is_ok();
            return match &*own.host == wanted.text {
                true => Some(true),
                false => is_other.then_some(false),
            };
        };
        if own.port.as_deref().is_some_and(|own| own != port) {
            return Some(false);
        }
        let (host, other) = (&*own.host, wanted.host);
        match (own.is_ip, wanted.is_ip) {
            (true, true) => Some(host == other),
            // The one name every machine resolves alike.
            _ if host == "localhost" || other == "localhost" => {
                let rest = if host == "localhost" { other } else { host };
                Some(matches!(rest, "localhost" | "127.0.0.1" | "::1"))
            }
            _ if host == other => Some(true),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_by_its_name_or_by_its_address() {
        let is = |name: &str, address: &str, logged: &str| {
            Server::new(&(name.to_owned(), address.to_owned())).is(&Named::of(logged))
        };
        for (name, address, logged, want) in [
            ("", "10.0.0.1:80", "10.0.0.1:80", Some(true)),
            ("", "10.0.0.1:80", "http://10.0.0.1:80/path", Some(true)),
            ("", "10.0.0.1:80", "10.0.0.1:81", Some(false)),
            ("", "10.0.0.1:80", "10.0.0.2:80", Some(false)),
            ("", "10.0.0.1", "10.0.0.1:80", Some(true)),
            ("", "[::1]:80", "[::1]:80", Some(true)),
            ("", "app.example:80", "10.0.0.1:80", None),
            ("", "app.example:80", "app.example:80", Some(true)),
            ("", "app.example:80", "app.example", Some(true)),
            ("", "localhost:80", "127.0.0.1:80", Some(true)),
            ("", "localhost:80", "10.0.0.1:80", Some(false)),
            ("", "10.0.0.1:80", "app", None),
            ("", "10.0.0.1:80", "10.0.0.2", Some(false)),
            ("app1", "10.0.0.1:80", "app1", Some(true)),
            ("app1", "10.0.0.1:80", "app2", Some(false)),
            ("app1", "10.0.0.1:80", "back/app1", Some(true)),
            ("app1", "10.0.0.1:80", "10.0.0.1:80/app2", Some(true)),
            ("", "unix:/run/a.sock", "unix:/run/a.sock:", Some(true)),
            ("", "unix:/run/a.sock", "unix:/run/b.sock", Some(false)),
            ("", "unix:/run/a.sock", "10.0.0.1:80", Some(false)),
            ("", "10.0.0.1:80", "unix:/run/a.sock", Some(false)),
            ("", "10.0.0.1:80", "unix:", None),
        ] {
            assert_eq!(is(name, address, logged), want, "{name} {address} {logged}");
        }
    }
}
