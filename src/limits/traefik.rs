//! Traefik: its static configuration (entry points, default transport) and its dynamic one (routers, services), YAML
//! or TOML, in one file or in several.
//!
//! Source: Traefik documentation, "EntryPoints: Transport", "ServersTransport", "Retry middleware".

use std::collections::BTreeMap;
use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, trees};
use super::include::Reading;
use super::text::{LimitMap, Target, seconds};
use super::tree::Tree;
use super::{Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one file.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let is_toml = file
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("toml"));
    let (doc, trees) = if is_toml {
        let text = reading.main(file, shown)?;
        let doc = Doc::new(shown);
        let tree = Tree::toml(&text);
        let tree =
            tree.map_err(|fault| doc.broken(fault, "its limits are not known until that is mended"))?;
        (doc, vec![tree])
    } else {
        trees(file, shown, reading)?
    };
    let mut config = ServerConfig::new(Product::Traefik, shown);
    for root in &trees {
        fixed(&doc, root, &mut config);
        if let Some(http) = root.get("http") {
            moving(&doc, http, &mut config);
        }
    }
    Ok(config)
}

/// The static part.
fn fixed(doc: &Doc, root: &Tree, config: &mut ServerConfig) {
    let mut limits = LimitMap::new();
    for (_, point) in root.get("entryPoints").into_iter().flat_map(Tree::entries) {
        let address = point.text_of("address").split('/').next().unwrap_or_default();
        config.listens.push(address.to_owned());
        if let Some(timeouts) = point.at(&["transport", "respondingTimeouts"]) {
            doc.key_or_off(
                &mut limits,
                LimitKind::ClientIdle,
                timeouts,
                "idleTimeout",
                seconds,
            );
        }
    }
    if let Some(timeouts) = root.at(&["serversTransport", "forwardingTimeouts"]) {
        forwarding(doc, timeouts, &mut limits);
    }
    if !limits.is_empty() {
        config.routes.push(Route {
            limits,
            ..Route::default()
        });
    }
}

fn forwarding(doc: &Doc, timeouts: &Tree, limits: &mut LimitMap) {
    doc.key_or_off(limits, LimitKind::Connect, timeouts, "dialTimeout", seconds);
    doc.key_or_off(
        limits,
        LimitKind::Read,
        timeouts,
        "responseHeaderTimeout",
        seconds,
    );
    doc.key_or_off(
        limits,
        LimitKind::UpstreamIdle,
        timeouts,
        "idleConnTimeout",
        seconds,
    );
}

/// The dynamic part: a route for each router, and one for each service that no router of this file names.
fn moving(doc: &Doc, http: &Tree, config: &mut ServerConfig) {
    let named = |section: &'static str| -> BTreeMap<&str, &Tree> {
        http.get(section).into_iter().flat_map(Tree::entries).collect()
    };
    let (services, transports, middlewares) = (
        named("services"),
        named("serversTransports"),
        named("middlewares"),
    );
    let made: BTreeMap<&str, Route> = services
        .iter()
        .map(|(name, tree)| (*name, service(doc, name, tree, &transports)))
        .collect();
    let mut reached = Vec::new();
    for (_, router) in named("routers") {
        let name = bare(router.text_of("service"));
        let Some(route) = made.get(name) else { continue };
        reached.push(name);
        let retry = router
            .list("middlewares")
            .iter()
            .filter_map(|tree| middlewares.get(bare(tree.text()))?.get("retry"))
            .find_map(|tree| tree.number("attempts"));
        let (hosts, path, matching) = rule(router.text_of("rule"));
        config.routes.push(Route {
            hosts,
            path,
            matching,
            retry: retry.map(|attempts| Retry {
                policy: format!("retry.attempts {attempts}"),
                tries: Some(attempts),
                timeout_us: None,
            }),
            ..route.clone()
        });
    }
    let alone = made.into_iter().filter(|(name, _)| !reached.contains(name));
    config.routes.extend(alone.map(|(_, route)| route));
}

/// A name without the provider it comes from (`api@file`).
fn bare(name: &str) -> &str {
    name.split('@').next().unwrap_or_default()
}

fn service(doc: &Doc, name: &str, tree: &Tree, transports: &BTreeMap<&str, &Tree>) -> Route {
    let mut route = Route {
        group: name.to_owned(),
        pooled: Some(true),
        ..Route::default()
    };
    let Some(balancer) = tree.get("loadBalancer") else {
        return route;
    };
    for server in balancer.list("servers") {
        let target = Target::parse(server.text_of("url"));
        route.tls |= target.is_tls();
        route.upstreams.push((String::new(), target.with_port()));
    }
    if let Some(transport) = transports.get(bare(balancer.text_of("serversTransport"))) {
        if let Some(timeouts) = transport.get("forwardingTimeouts") {
            forwarding(doc, timeouts, &mut route.limits);
        }
        if transport.text_of("maxIdleConnsPerHost").starts_with('-') {
            route.pooled = Some(false);
        }
    }
    route
}

/// Hosts and path of a rule. One with alternatives or negations is taken to be for everything.
fn rule(text: &str) -> (Vec<String>, String, Matching) {
    if text.contains("||") || text.contains('!') {
        return Default::default();
    }
    let called = |name: &str| -> Vec<String> {
        let after = text
            .split("&&")
            .map(str::trim)
            .find_map(|part| part.strip_prefix(name));
        let quoted = after.unwrap_or_default().split(['`', '"']).skip(1).step_by(2);
        quoted.map(str::to_owned).collect()
    };
    let first = |name: &str| called(name).into_iter().next();
    let (path, matching) = match (first("Path("), first("PathPrefix(")) {
        (Some(path), _) => (path, Matching::Exact),
        (None, Some(path)) => (path, Matching::Prefix),
        (None, None) => Default::default(),
    };
    (called("Host("), path, matching)
}
