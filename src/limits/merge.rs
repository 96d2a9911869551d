//! Joins the files of one server where its product spreads them over several: static and dynamic, parameters and VCL,
//! attributes and target groups.

use std::path::{Path, PathBuf};

use why502_parsers::Product;

use super::{Route, ServerConfig};

/// Directories that hold parts of a configuration whose rest lies above them.
const PARTS: [&str; 4] = ["routes", "dynamic", "conf.d", "start.d"];

/// Joins what belongs together, in the order of the files. What a file says in general then holds for the routes of
/// the others that do not say it themselves.
pub(super) fn merge(configs: Vec<ServerConfig>) -> Vec<ServerConfig> {
    let mut merged: Vec<ServerConfig> = Vec::new();
    for config in configs {
        let same = |known: &&mut ServerConfig| {
            is_spread(config.product)
                && known.product == config.product
                && home(&known.file) == home(&config.file)
        };
        match merged.iter_mut().find(same) {
            Some(known) => {
                known.listens.extend(config.listens);
                known.routes.extend(config.routes);
                known.logs.extend(config.logs);
                known.error_logs.extend(config.error_logs);
                known.counts.extend(config.counts);
            }
            None => merged.push(config),
        }
    }
    merged
        .iter_mut()
        .filter(|config| is_spread(config.product))
        .for_each(inherit);
    merged
}

const fn is_spread(product: Product) -> bool {
    matches!(
        product,
        Product::Traefik
            | Product::Kong
            | Product::OpenIg
            | Product::Varnish
            | Product::AwsAlb
            | Product::Envoy
            | Product::ApigeeMp
            | Product::Jetty
            | Product::Iis
    )
}

/// The directory in which the server's files lie together.
fn home(file: &str) -> PathBuf {
    let dir = Path::new(file).parent().unwrap_or(Path::new(""));
    let is_part = dir
        .file_name()
        .is_some_and(|name| PARTS.iter().any(|part| name == *part));
    if is_part {
        dir.parent().unwrap_or(dir).to_path_buf()
    } else {
        dir.to_path_buf()
    }
}

/// Whether a route says something for all requests and leads nowhere itself.
fn is_general(route: &Route) -> bool {
    route.hosts.is_empty() && route.path.is_empty() && route.group.is_empty() && route.upstreams.is_empty()
}

fn inherit(config: &mut ServerConfig) {
    let (general, mut own): (Vec<Route>, Vec<Route>) = config.routes.drain(..).partition(is_general);
    let mut sum = Route::default();
    for route in general {
        sum.limits.extend(route.limits);
        sum.pooled = route.pooled.or(sum.pooled);
        sum.retry = route.retry.or(sum.retry);
        sum.slots = route.slots.or(sum.slots);
        sum.max_requests = route.max_requests.or(sum.max_requests);
    }
    for route in &mut own {
        for (kind, limit) in &sum.limits {
            route.limits.entry(*kind).or_insert_with(|| limit.clone());
        }
        // Connections that nobody keeps are not kept for one route either.
        route.pooled = sum
            .pooled
            .filter(|pooled| !pooled)
            .or(route.pooled)
            .or(sum.pooled);
        route.retry = route.retry.take().or(sum.retry.clone());
        route.slots = route.slots.or(sum.slots);
        route.max_requests = route.max_requests.or(sum.max_requests);
    }
    config.routes.push(sum);
    config.routes.extend(own);
}
