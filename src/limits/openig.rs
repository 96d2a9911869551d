//! ForgeRock IG and OpenIG: routes, `config.json` and `admin.json`.
//!
//! Durations are words (`"30 seconds"`, `"1 minute and 30 seconds"`, `"unlimited"`). Handlers may stand in the heap,
//! inline, or inside others, so every object that has a `type` is looked at. Source: IG documentation, "ClientHandler",
//! "ReverseProxyHandler", "Route", "AdminHttpApplication".

use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, trees};
use super::include::Reading;
use super::text::{LimitMap, Target, duration_us, put, seconds};
use super::tree::Tree;
use super::{Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// What IG does when retries are on and no number is given.
const RETRIES: u32 = 5;

/// Reads one file.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let mut config = ServerConfig::new(Product::OpenIg, shown);
    for root in &trees {
        connectors(&doc, root, &mut config);
        let place = Route {
            path: path(root.text_of("condition")),
            matching: Matching::Regex,
            upstreams: root.get("baseURI").map(upstream).into_iter().collect(),
            tls: root.text_of("baseURI").starts_with("https"),
            ..Route::default()
        };
        let before = config.routes.len();
        handlers(&doc, root, &place, &mut config);
        if config.routes.len() == before && !place.upstreams.is_empty() {
            // The handler is named only: it stands in config.json.
            config.routes.push(place);
        }
    }
    Ok(config)
}

fn upstream(tree: &Tree) -> (String, String) {
    (String::new(), Target::parse(tree.text()).with_port())
}

/// What the gateway listens on, and how long it keeps idle clients.
fn connectors(doc: &Doc, root: &Tree, config: &mut ServerConfig) {
    let mut limits = LimitMap::new();
    for connector in root.list("connectors") {
        if let Some(port) = connector.get("port") {
            config.listens.push(format!(":{}", port.text()));
        }
        if let Some(vertx) = connector.get("vertx") {
            doc.key_or_off(&mut limits, LimitKind::ClientIdle, vertx, "idleTimeout", seconds);
        }
    }
    if !limits.is_empty() {
        config.routes.push(Route {
            limits,
            ..Route::default()
        });
    }
}

/// A route for each handler that sends requests on. One of the heap without an upstream of its own holds for all.
fn handlers(doc: &Doc, root: &Tree, place: &Route, config: &mut ServerConfig) {
    let mut todo = vec![root];
    while let Some(tree) = todo.pop() {
        let inside = tree.entries().map(|(_, value)| value);
        // A plain value is a list of itself, which would never end.
        let items = tree.items().iter().filter(|item| !std::ptr::eq(*item, tree));
        todo.extend(inside.chain(items));
        if matches!(tree.text_of("type"), "ClientHandler" | "ReverseProxyHandler") {
            let mut route = place.clone();
            if let Some(settings) = tree.get("config") {
                client(doc, settings, &mut route);
            }
            // The heap of config.json is for routes that stand elsewhere.
            route.pooled = route.pooled.or((!route.upstreams.is_empty()).then_some(true));
            config.routes.push(route);
        }
    }
}

fn client(doc: &Doc, settings: &Tree, route: &mut Route) {
    let mut set = |kind, key| {
        let Some(value) = settings.get(key) else { return };
        if let Some(us) = words(value.text()) {
            put(&mut route.limits, doc.at(value.line).limit(kind, key, us));
        }
    };
    set(LimitKind::Connect, "connectionTimeout");
    set(LimitKind::Read, "soTimeout");
    if settings.text_of("disableReuseConnection") == "true" {
        route.pooled = Some(false);
    }
    route.slots = settings.number("connections");
    if let Some(retries) = settings.get("retries")
        && retries.text_of("enabled") != "false"
        && settings.text_of("disableRetries") != "true"
    {
        let count = retries.number("count").unwrap_or(RETRIES);
        route.retry = Some(Retry {
            policy: format!("retries.count {count}"),
            tries: count.checked_add(1),
            timeout_us: None,
        });
    }
}

/// A duration in words; the inner value is none where it is unlimited.
fn words(text: &str) -> Option<Option<u64>> {
    let text = text.trim().to_ascii_lowercase();
    if matches!(
        text.as_str(),
        "unlimited" | "indefinite" | "infinity" | "undefined" | "none"
    ) {
        return Some(None);
    }
    if matches!(text.as_str(), "zero" | "disabled") {
        return Some(Some(0));
    }
    let plain = text.replace(" and ", " ").replace(',', " ");
    duration_us(&plain, 1_000).map(Some)
}

/// The pattern that a condition holds the path of the request against; empty if it does not.
fn path(condition: &str) -> String {
    let Some((_, after)) = condition.split_once("request.uri.path") else {
        return String::new();
    };
    after.split('\'').nth(1).unwrap_or_default().to_owned()
}
