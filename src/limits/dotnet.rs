//! `appsettings.json` of ASP.NET Core: YARP's routes and clusters, and Kestrel's limits.
//!
//! Time spans are written `hh:mm:ss`. Source: YARP documentation, "Configuration Files", "HTTP Client Configuration",
//! "Request Timeouts"; ASP.NET Core documentation, "Configure options for Kestrel".

use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, trees};
use super::include::Reading;
use super::text::{LimitMap, Target, clock};
use super::tree::Tree;
use super::{Matching, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one file.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let proxy = trees.iter().find_map(|root| root.get("ReverseProxy"));
    let product = if proxy.is_some() {
        Product::Yarp
    } else {
        Product::DotNet
    };
    let mut config = ServerConfig::new(product, shown);
    let mut front = LimitMap::new();
    for root in &trees {
        let urls = root.text_of("urls").split(';').filter(|url| !url.is_empty());
        config.listens.extend(urls.map(listen));
        let Some(kestrel) = root.get("Kestrel") else {
            continue;
        };
        if let Some(limits) = kestrel.get("Limits") {
            doc.key(
                &mut front,
                LimitKind::ClientIdle,
                limits,
                "KeepAliveTimeout",
                clock,
            );
        }
        let endpoints = kestrel.get("Endpoints").into_iter().flat_map(Tree::entries);
        config
            .listens
            .extend(endpoints.map(|(_, endpoint)| listen(endpoint.text_of("Url"))));
    }
    config.routes.push(Route {
        limits: front.clone(),
        ..Route::default()
    });
    for cluster in proxy
        .and_then(|proxy| proxy.get("Clusters"))
        .into_iter()
        .flat_map(Tree::entries)
    {
        let route = of_cluster(&doc, cluster, &front);
        let routes = proxy
            .and_then(|proxy| proxy.get("Routes"))
            .into_iter()
            .flat_map(Tree::entries);
        let before = config.routes.len();
        for (_, entry) in routes.filter(|(_, entry)| entry.text_of("ClusterId") == cluster.0) {
            config.routes.push(place(&doc, entry, &route));
        }
        if config.routes.len() == before {
            config.routes.push(route);
        }
    }
    Ok(config)
}

/// `http://*:8080` and `http://+:8080` mean every address.
fn listen(url: &str) -> String {
    let address = Target::parse(url).with_port();
    match address.strip_prefix(['*', '+']) {
        Some(port) => port.to_owned(),
        None => address,
    }
}

fn of_cluster(doc: &Doc, (name, cluster): (&str, &Tree), front: &LimitMap) -> Route {
    let mut route = Route {
        group: name.to_owned(),
        pooled: Some(true),
        limits: front.clone(),
        ..Route::default()
    };
    if let Some(request) = cluster.get("HttpRequest") {
        doc.key(
            &mut route.limits,
            LimitKind::Read,
            request,
            "ActivityTimeout",
            clock,
        );
    }
    if let Some(client) = cluster.get("HttpClient") {
        route.slots = client.number("MaxConnectionsPerServer");
    }
    for (name, destination) in cluster.get("Destinations").into_iter().flat_map(Tree::entries) {
        let target = Target::parse(destination.text_of("Address"));
        route.tls |= target.is_tls();
        route.upstreams.push((name.to_owned(), target.with_port()));
    }
    route
}

fn place(doc: &Doc, entry: &Tree, cluster: &Route) -> Route {
    let mut route = cluster.clone();
    doc.key(&mut route.limits, LimitKind::Total, entry, "Timeout", clock);
    if let Some(matched) = entry.get("Match") {
        let hosts = matched.list("Hosts").iter();
        route.hosts = hosts.map(|host| host.text().to_owned()).collect();
        let pattern = matched.text_of("Path");
        // What follows the first parameter may be anything.
        let fixed = pattern.split('{').next().unwrap_or_default();
        route.matching = if fixed == pattern && !fixed.is_empty() {
            Matching::Exact
        } else {
            Matching::Prefix
        };
        route.path = match fixed {
            "/" => String::new(),
            fixed => fixed.to_owned(),
        };
    }
    route
}
