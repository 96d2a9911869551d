//! Kong: `kong.conf` (or its settings as `KONG_` variables), and the declarative configuration of services and routes.
//!
//! Timers of services are in milliseconds, those of `kong.conf` in seconds. Source: Kong documentation, "Configuration
//! Reference" and "Admin API: Service Object".

use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, pairs, trees};
use super::include::Reading;
use super::text::{LimitMap, Target, has_port, millis, seconds};
use super::tree::Tree;
use super::{CountKind, Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// What Kong does without a number of retries at the service.
const RETRIES: u32 = 5;

/// Reads `kong.conf`, or a file of variables.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_conf(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let mut config = ServerConfig::new(Product::Kong, shown);
    let mut route = Route::default();
    for pair in pairs(&text) {
        let key = pair.key.to_ascii_lowercase();
        let key = key.strip_prefix("kong_").unwrap_or(&key);
        let mut put = |kind, unit| doc.put_or_off(&mut route.limits, kind, key, pair.line, pair.value, unit);
        match key {
            "upstream_keepalive_idle_timeout" => put(LimitKind::UpstreamIdle, seconds),
            "nginx_proxy_keepalive_timeout" | "nginx_http_keepalive_timeout" => {
                put(LimitKind::ClientIdle, seconds)
            }
            "upstream_keepalive_pool_size" if pair.value == "0" => route.pooled = Some(false),
            "upstream_keepalive_max_requests" => route.max_requests = pair.value.parse().ok(),
            "nginx_worker_processes" => {
                config
                    .counts
                    .extend(doc.count(CountKind::Workers, key, pair.line, pair.value));
            }
            "proxy_listen" => config.listens.extend(pair.value.split(',').map(listen)),
            _ => {}
        }
    }
    config.routes.push(route);
    Ok(config)
}

fn listen(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

/// Reads a declarative configuration.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read_declared(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let mut config = ServerConfig::new(Product::Kong, shown);
    for root in &trees {
        for service in root.list("services") {
            let route = of_service(&doc, service, root);
            // Routes stand inside their service, or beside it with its name.
            let apart = root.list("routes").iter().filter(|tree| {
                let owner = tree.get("service");
                let name = owner.map_or("", |owner| match owner.text() {
                    "" => owner.text_of("name"),
                    name => name,
                });
                !name.is_empty() && name == service.text_of("name")
            });
            let before = config.routes.len();
            for entry in service.list("routes").iter().chain(apart) {
                config.routes.extend(places(entry).into_iter().map(|place| Route {
                    hosts: place.hosts,
                    path: place.path,
                    matching: place.matching,
                    ..route.clone()
                }));
            }
            if config.routes.len() == before {
                config.routes.push(route);
            }
        }
    }
    Ok(config)
}

fn of_service(doc: &Doc, service: &Tree, root: &Tree) -> Route {
    let mut limits = LimitMap::new();
    doc.key(
        &mut limits,
        LimitKind::Connect,
        service,
        "connect_timeout",
        millis,
    );
    doc.key(&mut limits, LimitKind::Read, service, "read_timeout", millis);
    doc.key(&mut limits, LimitKind::Send, service, "write_timeout", millis);
    let target = match service.text_of("url") {
        "" => Target {
            scheme: service.text_of("protocol").to_owned(),
            address: match service.text_of("port") {
                "" => service.text_of("host").to_owned(),
                port => format!("{}:{port}", service.text_of("host")),
            },
            path: String::new(),
        },
        url => Target::parse(url),
    };
    let upstreams = root.list("upstreams").iter();
    let balanced = upstreams
        .filter(|tree| tree.text_of("name") == target.address.split(':').next().unwrap_or_default())
        .flat_map(|tree| tree.list("targets"))
        .map(|tree| tree.text_of("target"));
    let mut servers: Vec<(String, String)> = balanced
        .map(|address| {
            let port = if has_port(address) { "" } else { ":8000" };
            (String::new(), format!("{address}{port}"))
        })
        .collect();
    if servers.is_empty() {
        servers.push((String::new(), target.with_port()));
    }
    let retries = service.number("retries").unwrap_or(RETRIES);
    Route {
        group: service.text_of("name").to_owned(),
        tls: target.is_tls(),
        pooled: None,
        limits,
        retry: Some(Retry {
            policy: format!("retries {retries}: error timeout"),
            tries: retries.checked_add(1),
            timeout_us: None,
        }),
        upstreams: servers,
        ..Route::default()
    }
}

/// One place for each path of a route.
fn places(entry: &Tree) -> Vec<Route> {
    let hosts: Vec<String> = entry
        .list("hosts")
        .iter()
        .map(|tree| tree.text().to_owned())
        .collect();
    let place = |path: &str| {
        let (path, matching) = match path.strip_prefix('~') {
            Some(regex) => (format!("^{regex}"), Matching::Regex),
            None if path == "/" => Default::default(),
            None => (path.to_owned(), Matching::Prefix),
        };
        Route {
            hosts: hosts.clone(),
            path,
            matching,
            ..Route::default()
        }
    };
    match entry.list("paths") {
        [] => vec![place("/")],
        paths => paths.iter().map(|tree| place(tree.text())).collect(),
    }
}
