//! Envoy: `static_resources` of a bootstrap file, YAML or JSON (with `snake_case` or `camelCase` keys).
//!
//! Routes lead to clusters, and the timers stand at both. A timer of `0s` is switched off. Source: Envoy documentation,
//! `config.route.v3`, `config.cluster.v3`, `http_connection_manager.v3`, and "How do I configure timeouts?".

use std::collections::BTreeMap;
use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, trees};
use super::include::Reading;
use super::text::{LimitMap, seconds};
use super::tree::Tree;
use super::{Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one bootstrap file.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let mut config = ServerConfig::new(Product::Envoy, shown);
    for root in &trees {
        let resources = root.get("static_resources").unwrap_or(root);
        let clusters: BTreeMap<&str, Route> = resources
            .list("clusters")
            .iter()
            .map(|tree| (tree.text_of("name"), cluster(&doc, tree)))
            .collect();
        for listener in resources.list("listeners") {
            listen(&doc, listener, &clusters, &mut config);
        }
        let reached = |name: &str| config.routes.iter().any(|route| route.group == name);
        let alone: Vec<Route> = clusters
            .iter()
            .filter(|(name, _)| !reached(name))
            .map(|(_, route)| route.clone())
            .collect();
        config.routes.extend(alone);
    }
    Ok(config)
}

/// What a cluster says: its servers and the timers towards them.
fn cluster(doc: &Doc, tree: &Tree) -> Route {
    let mut route = Route {
        group: tree.text_of("name").to_owned(),
        pooled: Some(true),
        ..Route::default()
    };
    doc.key(
        &mut route.limits,
        LimitKind::Connect,
        tree,
        "connect_timeout",
        seconds,
    );
    let extension = tree.get("typed_extension_protocol_options").into_iter();
    let typed = extension.flat_map(Tree::entries).map(|(_, options)| options);
    for holder in typed.chain([tree]) {
        let Some(options) = holder.get("common_http_protocol_options") else {
            continue;
        };
        put_idle(doc, &mut route.limits, LimitKind::UpstreamIdle, options);
        route.max_requests = options
            .number("max_requests_per_connection")
            .or(route.max_requests);
    }
    route.max_requests = tree.number("max_requests_per_connection").or(route.max_requests);
    let thresholds = tree
        .get("circuit_breakers")
        .map_or(&[][..], |tree| tree.list("thresholds"));
    let usual = thresholds
        .iter()
        .find(|tree| !tree.text_of("priority").eq_ignore_ascii_case("HIGH"));
    route.slots = usual.and_then(|tree| tree.number("max_connections"));
    route.tls = tree
        .at(&["transport_socket", "name"])
        .is_some_and(|name| name.text().contains("tls"));
    let groups = tree
        .get("load_assignment")
        .map_or(&[][..], |tree| tree.list("endpoints"));
    let endpoints = groups.iter().flat_map(|group| group.list("lb_endpoints"));
    route.upstreams = endpoints
        .filter_map(|endpoint| address(endpoint.at(&["endpoint", "address"])?))
        .map(|address| (String::new(), address))
        .collect();
    route
}

fn put_idle(doc: &Doc, limits: &mut LimitMap, kind: LimitKind, options: &Tree) {
    if let Some(value) = options.get("idle_timeout") {
        let setting = "common_http_protocol_options.idle_timeout";
        doc.put_or_off(limits, kind, setting, value.line, value.text(), seconds);
    }
}

/// `host:port` of an address, or the path of its socket.
fn address(tree: &Tree) -> Option<String> {
    if let Some(socket) = tree.get("socket_address") {
        return Some(format!(
            "{}:{}",
            socket.text_of("address"),
            socket.text_of("port_value")
        ));
    }
    let path = tree.at(&["pipe", "path"])?;
    Some(format!("unix:{}", path.text()))
}

fn listen(doc: &Doc, listener: &Tree, clusters: &BTreeMap<&str, Route>, config: &mut ServerConfig) {
    config.listens.extend(listener.get("address").and_then(address));
    let chains = listener
        .list("filter_chains")
        .iter()
        .chain(listener.get("default_filter_chain"));
    for filter in chains.flat_map(|chain| chain.list("filters")) {
        let Some(manager) = filter.get("typed_config") else {
            continue;
        };
        let mut front = LimitMap::new();
        if let Some(options) = manager.get("common_http_protocol_options") {
            put_idle(doc, &mut front, LimitKind::ClientIdle, options);
        }
        if !front.is_empty() {
            config.routes.push(Route {
                limits: front.clone(),
                ..Route::default()
            });
        }
        let hosts = manager
            .get("route_config")
            .map_or(&[][..], |routes| routes.list("virtual_hosts"));
        for host in hosts {
            for entry in host.list("routes") {
                config.routes.extend(routes(doc, entry, host, clusters, &front));
            }
        }
    }
}

/// The routes of one entry: one for each cluster it may lead to.
fn routes(
    doc: &Doc,
    entry: &Tree,
    host: &Tree,
    clusters: &BTreeMap<&str, Route>,
    front: &LimitMap,
) -> Vec<Route> {
    let Some(action) = entry.get("route") else {
        return Vec::new();
    };
    let weighted = action
        .get("weighted_clusters")
        .map_or(&[][..], |tree| tree.list("clusters"));
    let names = [action.text_of("cluster")]
        .into_iter()
        .filter(|name| !name.is_empty());
    let names = names.chain(weighted.iter().map(|tree| tree.text_of("name")));
    let (path, matching) = entry.get("match").map(matched).unwrap_or_default();
    let hosts: Vec<String> = host
        .list("domains")
        .iter()
        .map(Tree::text)
        .filter(|domain| *domain != "*")
        .map(str::to_owned)
        .collect();
    let policy = action.get("retry_policy").or_else(|| host.get("retry_policy"));
    let mut made = Vec::new();
    for name in names {
        let mut route = clusters.get(name).cloned().unwrap_or_else(|| Route {
            group: name.to_owned(),
            pooled: Some(true),
            ..Route::default()
        });
        route.limits.extend(front.clone());
        if let Some(value) = action.get("timeout") {
            doc.put_or_off(
                &mut route.limits,
                LimitKind::Total,
                "route timeout",
                value.line,
                value.text(),
                seconds,
            );
        }
        if let Some(value) = policy.and_then(|tree| tree.get("per_try_timeout")) {
            doc.put_or_off(
                &mut route.limits,
                LimitKind::Read,
                "per_try_timeout",
                value.line,
                value.text(),
                seconds,
            );
        }
        route.retry = policy.map(retry);
        (route.hosts, route.path, route.matching) = (hosts.clone(), path.clone(), matching);
        made.push(route);
    }
    made
}

fn matched(tree: &Tree) -> (String, Matching) {
    if let Some(regex) = tree.at(&["safe_regex", "regex"]) {
        // The whole path has to match.
        return (format!("^(?:{})$", regex.text()), Matching::Regex);
    }
    match (
        tree.text_of("path"),
        tree.text_of("path_separated_prefix"),
        tree.text_of("prefix"),
    ) {
        ("", "", "/") => (String::new(), Matching::Prefix),
        ("", "", prefix) | ("", prefix, _) => (prefix.to_owned(), Matching::Prefix),
        (path, ..) => (path.to_owned(), Matching::Exact),
    }
}

/// A policy without a number of retries allows one.
fn retry(policy: &Tree) -> Retry {
    let retries = policy.number("num_retries").unwrap_or(1);
    Retry {
        policy: format!("retry_on {}, num_retries {retries}", policy.text_of("retry_on")),
        tries: retries.checked_add(1),
        timeout_us: None,
    }
}
