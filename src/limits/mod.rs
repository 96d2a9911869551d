//! Timeouts and keep-alives of each hop: read from server configuration, else the product's default, else learnt.

use std::collections::BTreeMap;

use why502_parsers::Product;

use crate::model::{HopId, Limit, LimitKind};

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
}

/// The limits for some of a server's requests.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// Host names it is for; empty means all.
    pub hosts: Vec<String>,
    /// Path prefix it is for; empty means all.
    pub path: String,
    /// Name of the upstream group, backend or listen section; empty if there is none.
    pub group: String,
    /// Upstream servers as `(name or empty, host:port)`.
    pub upstreams: Vec<(String, String)>,
    /// Whether the upstream is spoken to over TLS.
    pub tls: bool,
    /// Whether connections to the upstream are kept and reused; `None` if the configuration does not say.
    pub pooled: Option<bool>,
    /// The limits.
    pub limits: BTreeMap<LimitKind, Limit>,
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
    configs: BTreeMap<HopId, Vec<ServerConfig>>,
    products: BTreeMap<HopId, Product>,
}

impl Limits {
    /// Limits of hops of the given products, from the configurations that were found for them.
    pub fn new(products: BTreeMap<HopId, Product>, configs: BTreeMap<HopId, Vec<ServerConfig>>) -> Self {
        Self { configs, products }
    }

    /// The limit of `kind` at `hop` for a request of `scope`: configured, else the product's default.
    /// `None` if neither is known.
    pub fn get(&self, hop: HopId, kind: LimitKind, scope: &Scope<'_>) -> Option<Limit> {
        let _ = (&self.configs, &self.products, hop, kind, scope);
        None
    }

    /// Whether `hop` keeps connections to this upstream for reuse; `None` if that is not known.
    pub fn pooled(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool> {
        let _ = (hop, scope);
        None
    }

    /// Whether `hop` speaks TLS to this upstream; `None` if that is not known.
    pub fn upstream_tls(&self, hop: HopId, scope: &Scope<'_>) -> Option<bool> {
        let _ = (hop, scope);
        None
    }
}

/// The setting of `product` that controls `kind`, and `value_us` written as that setting takes it
/// (`("keepalive_timeout in the upstream block", "4s")`). `None` if the product has no such setting.
pub fn setting(product: Product, kind: LimitKind, value_us: u64) -> Option<(&'static str, String)> {
    let _ = (product, kind, value_us);
    None
}
