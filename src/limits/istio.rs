//! Istio: `VirtualService` (routes, timeouts, retries) and `DestinationRule` (connection pools), any number in a file.
//!
//! The proxies are Envoys, but Istio switches their route timeout off unless one is written. Source: Istio
//! documentation, "Virtual Service" and "Destination Rule".

use std::collections::BTreeMap;
use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, trees};
use super::include::Reading;
use super::text::{put, seconds};
use super::tree::Tree;
use super::{Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one file of resources.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let mut config = ServerConfig::new(Product::Envoy, shown);
    // What `kubectl get -o yaml` prints is a list.
    let all = || {
        trees
            .iter()
            .flat_map(|tree| [tree].into_iter().chain(tree.list("items")))
    };
    let of_kind = |kind: &'static str| {
        all()
            .filter(move |tree| tree.text_of("kind") == kind)
            .filter_map(|tree| tree.get("spec"))
    };
    let rules: BTreeMap<&str, Route> = of_kind("DestinationRule")
        .map(|spec| (spec.text_of("host"), pool(&doc, spec)))
        .collect();
    for spec in of_kind("VirtualService") {
        for http in spec.list("http") {
            config.routes.extend(routes(&doc, spec, http, &rules));
        }
    }
    let reached = |name: &str| config.routes.iter().any(|route| route.group == name);
    let alone: Vec<Route> = rules
        .iter()
        .filter(|(name, _)| !reached(name))
        .map(|(_, route)| route.clone())
        .collect();
    config.routes.extend(alone);
    Ok(config)
}

fn pool(doc: &Doc, spec: &Tree) -> Route {
    let host = spec.text_of("host");
    let mut route = Route {
        group: host.to_owned(),
        upstreams: vec![(String::new(), host.to_owned())],
        pooled: Some(true),
        ..Route::default()
    };
    let Some(pool) = spec.at(&["trafficPolicy", "connectionPool"]) else {
        return route;
    };
    if let Some(tcp) = pool.get("tcp") {
        doc.key(
            &mut route.limits,
            LimitKind::Connect,
            tcp,
            "connectTimeout",
            seconds,
        );
        route.slots = tcp.number("maxConnections");
    }
    if let Some(http) = pool.get("http") {
        doc.key_or_off(
            &mut route.limits,
            LimitKind::UpstreamIdle,
            http,
            "idleTimeout",
            seconds,
        );
        route.max_requests = http.number("maxRequestsPerConnection").filter(|n| *n > 0);
        if route.max_requests == Some(1) {
            route.pooled = Some(false);
        }
    }
    route
}

fn routes(doc: &Doc, spec: &Tree, http: &Tree, rules: &BTreeMap<&str, Route>) -> Vec<Route> {
    let hosts: Vec<String> = spec
        .list("hosts")
        .iter()
        .map(Tree::text)
        .filter(|host| *host != "*")
        .map(str::to_owned)
        .collect();
    let paths: Vec<(String, Matching)> = match http.list("match") {
        [] => vec![Default::default()],
        all => all
            .iter()
            .map(|one| one.get("uri").map(uri).unwrap_or_default())
            .collect(),
    };
    let mut made = Vec::new();
    for destination in http
        .list("route")
        .iter()
        .filter_map(|route| route.get("destination"))
    {
        let host = destination.text_of("host");
        let mut route = rules.get(host).cloned().unwrap_or_else(|| Route {
            group: host.to_owned(),
            pooled: Some(true),
            ..Route::default()
        });
        let port = destination.at(&["port", "number"]).map(Tree::text);
        let address = port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        route.upstreams = vec![(String::new(), address)];
        match http.get("timeout") {
            Some(value) => {
                doc.put_or_off(
                    &mut route.limits,
                    LimitKind::Total,
                    "timeout",
                    value.line,
                    value.text(),
                    seconds,
                );
            }
            None => put(
                &mut route.limits,
                doc.at(destination.line).limit(LimitKind::Total, "timeout", None),
            ),
        }
        if let Some(retries) = http.get("retries") {
            doc.key_or_off(
                &mut route.limits,
                LimitKind::Read,
                retries,
                "perTryTimeout",
                seconds,
            );
            route.retry = Some(retry(retries));
        }
        route.hosts.clone_from(&hosts);
        for (path, matching) in &paths {
            made.push(Route {
                path: path.clone(),
                matching: *matching,
                ..route.clone()
            });
        }
    }
    made
}

fn uri(tree: &Tree) -> (String, Matching) {
    match (
        tree.text_of("exact"),
        tree.text_of("regex"),
        tree.text_of("prefix"),
    ) {
        ("", "", "/") => Default::default(),
        ("", "", prefix) => (prefix.to_owned(), Matching::Prefix),
        ("", regex, _) => (format!("^(?:{regex})$"), Matching::Regex),
        (exact, ..) => (exact.to_owned(), Matching::Exact),
    }
}

fn retry(tree: &Tree) -> Retry {
    let attempts = tree.number("attempts").unwrap_or(2);
    Retry {
        policy: format!("retries.attempts {attempts}, retryOn {}", tree.text_of("retryOn")),
        tries: attempts.checked_add(1),
        timeout_us: None,
    }
}
