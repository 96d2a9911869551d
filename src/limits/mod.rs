//! Timeouts and keep-alives of each hop: read from server configuration, else the product's default, else learnt.

mod apache;
mod apache_source;
mod apigee;
mod app;
mod assign;
mod aws;
mod caddy;
mod caddy_json;
mod caddy_source;
pub mod defaults;
mod discover;
mod doc;
mod dotnet;
mod edgemicro;
mod envoy;
mod haproxy;
mod iis;
mod include;
mod istio;
mod java;
mod kong;
mod lighttpd;
mod logs;
mod lookup;
mod merge;
mod nginx;
mod nginx_tokens;
mod openig;
mod pools;
mod readers;
mod setting;
mod squid;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_readers;
mod text;
mod tomcat;
mod traefik;
mod tree;
mod varnish;
mod xml;

use std::collections::BTreeMap;

use why502_parsers::Product;

use crate::model::{HopId, Limit, LimitKind, Origin};

pub use assign::{assign, unclaimed};
pub use defaults::idle_slack_us;
pub use discover::{discover, read_all, sniff};
pub use setting::setting;

/// What was read from one server's configuration file (with its includes).
#[derive(Debug, Clone)]
pub struct ServerConfig {
    /// The program it configures.
    pub product: Product,
    /// The main file, as reports name it.
    pub file: String,
    /// Addresses listened on, as `host:port` or `:port`.
    pub listens: Vec<String>,
    /// Where requests are sent, with the limits that hold there; the most general first.
    pub routes: Vec<Route>,
    /// Access-log formats declared in it.
    pub logs: Vec<LogDeclaration>,
    /// Error logs declared in it; `name` is the level, `text` the format string where the product has one.
    pub error_logs: Vec<LogDeclaration>,
    /// Workers, threads and places in queues, as far as it says.
    pub counts: Vec<Count>,
    /// How it was found to belong to its hop.
    pub assigned: Assigned,
}

impl ServerConfig {
    /// A configuration that says nothing yet.
    pub fn new(product: Product, file: &str) -> Self {
        Self {
            product,
            file: file.to_owned(),
            listens: Vec::new(),
            routes: Vec::new(),
            logs: Vec::new(),
            error_logs: Vec::new(),
            counts: Vec::new(),
            assigned: Assigned::Not,
        }
    }
}

/// A number of things that work, or of requests that may wait for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Of what.
    pub kind: CountKind,
    /// How many.
    pub value: u32,
    /// The setting's name as the product spells it.
    pub setting: String,
    /// Where the value comes from.
    pub origin: Origin,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CountKind {
    /// Processes that answer requests.
    Workers,
    /// Threads (of one process) that answer requests.
    Threads,
    /// Requests or connections that may wait to be accepted.
    Backlog,
    /// Requests in work at once.
    Slots,
}

/// How a configuration was found to belong to a hop, the surest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Assigned {
    /// Its directory or file is named like the hop.
    Named,
    /// The hop is the only one of its product.
    Only,
    /// The hop is reached under an address the configuration listens on.
    Address,
    /// Nothing told the hops of its product apart, so all of them were given it.
    Guessed,
    /// Not assigned yet.
    #[default]
    Not,
}

/// The limits for some of a server's requests.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Host names it is for; empty means all.
    pub hosts: Vec<String>,
    /// Path it is for, read as `matching` says; empty means all.
    pub path: String,
    /// How a request's path is compared with `path`.
    pub matching: Matching,
    /// Name of the upstream group, backend or listen section; empty if there is none.
    pub group: String,
    /// Upstream servers as `(name or empty, host:port)`.
    pub upstreams: Vec<(String, String)>,
    /// What the upstream is asked for instead of `path` at the beginning of a request's path, if the configuration says
    /// so and `matching` is no regular expression.
    pub sent_path: Option<String>,
    /// Whether the upstream is spoken to over TLS.
    pub tls: bool,
    /// Whether connections to the upstream are kept and reused; `None` if the configuration does not say.
    pub pooled: Option<bool>,
    /// The limits.
    pub limits: BTreeMap<LimitKind, Limit>,
    /// What is tried again after a failure, if the configuration says.
    pub retry: Option<Retry>,
    /// Requests after which a connection to the upstream is closed; `None` if the configuration does not say.
    pub max_requests: Option<u32>,
    /// Requests (or connections) at once per upstream server, beyond which others queue.
    pub slots: Option<u32>,
}

/// How a request's path is compared with a route's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Matching {
    /// The path starts with it.
    #[default]
    Prefix,
    /// The path is equal to it.
    Exact,
    /// It is a regular expression that the path matches.
    Regex,
}

/// What a proxy tries again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// The setting as written (`proxy_next_upstream error timeout`, `retries 3`).
    pub policy: String,
    /// Attempts in all, the first one included; `None` if not limited or not said.
    pub tries: Option<u32>,
    /// Time for all attempts, in microseconds; `None` if not limited or not said.
    pub timeout_us: Option<u64>,
}

impl Route {
    /// A route that says nothing.
    pub const NOTHING: Self = Self {
        hosts: Vec::new(),
        path: String::new(),
        matching: Matching::Prefix,
        group: String::new(),
        upstreams: Vec::new(),
        tls: false,
        pooled: None,
        limits: BTreeMap::new(),
        retry: None,
        max_requests: None,
        slots: None,
        sent_path: None,
    };
}

impl Retry {
    /// Whether an attempt that got no answer in time is made again, as against one that got no connection.
    pub fn covers_timeouts(&self) -> bool {
        let words = self
            .policy
            .split(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_'));
        words.into_iter().any(|word| {
            matches!(
                word,
                "timeout"
                    | "response-timeout"
                    | "http_504"
                    | "504"
                    | "5xx"
                    | "gateway-error"
                    | "all-retryable-errors"
            )
        })
    }
}

/// An access log as the configuration declares it.
#[derive(Debug, Clone)]
pub struct LogDeclaration {
    /// Path of the log as written in the configuration.
    pub path: String,
    /// Name of the format (`main`, `combined`).
    pub name: String,
    /// The format string in the product's own language.
    pub text: String,
    /// Line number of its definition.
    pub line: u32,
}

/// What a limit is asked for: whatever is known of the request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope<'a> {
    /// `Host` of the request.
    pub host: &'a str,
    /// Its path.
    pub path: &'a str,
    /// Address or name of the upstream server.
    pub upstream: &'a str,
    /// Upstream group or backend.
    pub group: &'a str,
}

/// The limits of every hop.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    products: BTreeMap<HopId, Product>,
    routes: BTreeMap<HopId, Vec<lookup::Compiled>>,
    listens: BTreeMap<HopId, Vec<String>>,
    learnt: BTreeMap<(HopId, LimitKind), Limit>,
    given: BTreeMap<(HopId, LimitKind), Limit>,
    counts: BTreeMap<HopId, Vec<Count>>,
    /// Limits of servers without logs, by address.
    behind: BTreeMap<(String, LimitKind), Limit>,
}
