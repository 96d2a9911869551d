//! Tomcat's `server.xml`: what its connectors listen on, how long they keep idle connections, how many threads answer.
//!
//! Times are in milliseconds, -1 is without limit; `keepAliveTimeout` is as `connectionTimeout` unless it is set.
//! Source: Tomcat documentation, "The HTTP Connector", "The AJP Connector", "The Executor".

use std::path::Path;

use why502_parsers::Product;

use super::doc::Doc;
use super::include::Reading;
use super::text::{millis, put};
use super::xml::{self, Element};
use super::{CountKind, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one file.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    xml::read(file, shown, reading, |doc, root| {
        let mut config = ServerConfig::new(Product::Tomcat, shown);
        for connector in root.all("Connector") {
            let address = connector.text_of("address");
            config
                .listens
                .push(format!("{address}:{}", connector.text_of("port")));
            // One answer is asked for: the shortest of its connectors is the one that loses a race.
            let own = limits(doc, connector);
            match config.routes.first_mut() {
                Some(first) => shortest(first, own),
                None => config.routes.push(own),
            }
            counts(doc, connector, &mut config);
        }
        for executor in root.all("Executor") {
            counts(doc, executor, &mut config);
        }
        config
    })
}

fn limits(doc: &Doc, connector: Element<'_>) -> Route {
    let mut route = Route::default();
    let idle = ["keepAliveTimeout", "connectionTimeout"]
        .into_iter()
        .find_map(|name| Some((name, connector.attribute(name)?)));
    if let Some((name, (text, line))) = idle {
        let at = doc.at(line);
        match text.trim() {
            "-1" => put(&mut route.limits, at.limit(LimitKind::ClientIdle, name, None)),
            text => doc.put(&mut route.limits, LimitKind::ClientIdle, name, line, text, millis),
        }
    }
    if let Some(("1", line)) = connector.attribute("maxKeepAliveRequests") {
        // One request a connection: it is never idle.
        put(
            &mut route.limits,
            doc.at(line)
                .limit(LimitKind::ClientIdle, "maxKeepAliveRequests", Some(0)),
        );
    }
    route
}

fn shortest(first: &mut Route, other: Route) {
    for (kind, limit) in other.limits {
        let shorter = first
            .limits
            .get(&kind)
            .is_none_or(|own| limit.value_us.unwrap_or(u64::MAX) < own.value_us.unwrap_or(u64::MAX));
        if shorter {
            first.limits.insert(kind, limit);
        }
    }
}

fn counts(doc: &Doc, element: Element<'_>, config: &mut ServerConfig) {
    for (kind, name) in [
        (CountKind::Threads, "maxThreads"),
        (CountKind::Backlog, "acceptCount"),
    ] {
        let found = element.attribute(name);
        config
            .counts
            .extend(found.and_then(|(text, line)| doc.count(kind, name, line, text)));
    }
}
