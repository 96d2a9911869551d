//! Edge Microgateway configuration: the `edgemicro` section of `<org>-<env>-config.yaml`, and the proxies of the copy
//! that the gateway keeps (`<org>-<env>-cache-config.yaml`).
//!
//! The keep-alive and header timers are in milliseconds, the request timer in seconds. Source: Apigee Edge Microgateway
//! documentation.

use std::path::Path;

use why502_parsers::Product;

use super::doc::trees;
use super::include::Reading;
use super::text::{Target, millis, seconds};
use super::tree::Tree;
use super::{Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one configuration file.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let mut config = ServerConfig::new(Product::EdgeMicro, shown);
    let mut general = Route::default();
    for section in trees.iter().filter_map(|tree| tree.get("edgemicro")) {
        let port = section.text_of("port");
        if !port.is_empty() {
            config
                .listens
                .push(format!("{}:{port}", section.text_of("address")));
        }
        for (key, kind, unit) in [
            (
                "keep_alive_timeout",
                LimitKind::ClientIdle,
                millis as fn(&str) -> Option<u64>,
            ),
            ("request_timeout", LimitKind::Read, seconds),
        ] {
            if let Some(value) = section.get(key) {
                let setting = format!("edgemicro.{key}");
                doc.put(
                    &mut general.limits,
                    kind,
                    &setting,
                    value.line,
                    value.text(),
                    unit,
                );
            }
        }
    }
    let proxies = trees.iter().flat_map(|tree| tree.list("proxies"));
    let routes: Vec<Route> = proxies.map(|proxy| route(proxy, &general)).collect();
    config.routes.push(general);
    config.routes.extend(routes);
    Ok(config)
}

/// A proxy's base path and target, with the gateway's own timers.
fn route(proxy: &Tree, general: &Route) -> Route {
    let target = Target::parse(proxy.text_of("url"));
    let path = proxy.text_of("base_path");
    Route {
        path: if path == "/" {
            String::new()
        } else {
            path.to_owned()
        },
        tls: target.is_tls(),
        upstreams: vec![(String::new(), target.with_port())],
        limits: general.limits.clone(),
        ..Route::default()
    }
}
