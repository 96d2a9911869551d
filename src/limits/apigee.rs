//! Apigee Edge: the properties of Message Processor and Router, and the endpoints of API proxies (XML).
//!
//! Properties stand in `customer/application/*.properties` with a `conf_<file>_` prefix and in `conf/*.properties`
//! without; those of an endpoint hold for its target alone. Source: Apigee Edge documentation, "Endpoint properties
//! reference", "Configuring I/O timeout on Message Processors", "Configuring I/O timeout on Routers".

use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, pairs};
use super::include::Reading;
use super::text::{LimitMap, Target, millis, seconds};
use super::xml;
use super::{Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads a file of properties.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_properties(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let mut config = ServerConfig::new(Product::ApigeeMp, shown);
    let mut limits = LimitMap::new();
    for pair in pairs(&text) {
        let key = [
            "conf_http_",
            "conf/http.properties+",
            "conf_load_balancing_",
            "conf/load_balancing.properties+",
        ]
        .iter()
        .find_map(|prefix| pair.key.strip_prefix(prefix))
        .unwrap_or(pair.key);
        let mut put = |kind, unit| doc.put(&mut limits, kind, key, pair.line, pair.value, unit);
        match key {
            "HTTPTransport.io.timeout.millis" | "HTTPClient.io.timeout.millis" => {
                put(LimitKind::Read, millis)
            }
            "HTTPClient.connect.timeout.millis" => put(LimitKind::Connect, millis),
            "HTTPClient.keepalive.timeout.millis" => put(LimitKind::UpstreamIdle, millis),
            "HTTPServer.keepalive.timeout.millis" => put(LimitKind::ClientIdle, millis),
            "load.balancing.driver.proxy.read.timeout" => {
                put(LimitKind::Read, seconds);
                config.product = Product::ApigeeRouter;
            }
            "load.balancing.driver.proxy.connect.timeout" => {
                put(LimitKind::Connect, seconds);
                config.product = Product::ApigeeRouter;
            }
            _ => {}
        }
    }
    config.routes.push(Route {
        limits,
        ..Route::default()
    });
    Ok(config)
}

/// Reads an endpoint of an API proxy.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read_endpoint(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    xml::read(file, shown, reading, |doc, root| {
        let mut config = ServerConfig::new(Product::ApigeeMp, shown);
        let mut route = Route {
            group: root.text_of("name").to_owned(),
            ..Route::default()
        };
        for property in root.all("Property") {
            let mut put = |kind| {
                doc.put(
                    &mut route.limits,
                    kind,
                    property.text_of("name"),
                    property.line(),
                    property.text(),
                    millis,
                )
            };
            match property.text_of("name") {
                "io.timeout.millis" => put(LimitKind::Read),
                "connect.timeout.millis" => put(LimitKind::Connect),
                "keepalive.timeout.millis" => put(LimitKind::UpstreamIdle),
                "api.timeout" => put(LimitKind::Total),
                _ => {}
            }
        }
        if let Some(connection) = root.all("HTTPTargetConnection").next() {
            route.pooled = Some(true);
            if let Some(url) = connection.child("URL") {
                let target = Target::parse(url.text());
                route.tls = target.is_tls();
                route.upstreams.push((String::new(), target.with_port()));
            }
            for server in connection.all("Server") {
                route
                    .upstreams
                    .push((server.text_of("name").to_owned(), String::new()));
            }
        } else {
            // A proxy endpoint is where requests come in; its properties hold for all targets.
            route.group.clear();
        }
        config.routes.push(route);
        config
    })
}
