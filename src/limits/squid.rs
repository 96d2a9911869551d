//! Squid's `squid.conf`: where it listens, its peers, its timers.
//!
//! Times are a number and a word (`1 minute`, `30 seconds`). Source: Squid documentation, "Squid configuration
//! directives"; Squid source, `src/cf.data.pre`.

use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::include::Reading;
use super::text::{At, LimitMap, put, seconds, split_words};
use super::{CountKind, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Directives that are timers, and what they limit.
const TIMERS: [(&str, LimitKind); 7] = [
    ("read_timeout", LimitKind::Read),
    ("write_timeout", LimitKind::Send),
    ("server_idle_pconn_timeout", LimitKind::UpstreamIdle),
    ("pconn_timeout", LimitKind::UpstreamIdle),
    ("client_idle_pconn_timeout", LimitKind::ClientIdle),
    ("persistent_request_timeout", LimitKind::ClientIdle),
    ("shutdown_lifetime", LimitKind::Drain),
];

/// Reads one file with its includes left out: they hold access rules as a rule.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let name: Rc<str> = Rc::from(shown);
    let mut config = ServerConfig::new(Product::Squid, shown);
    let mut limits = LimitMap::new();
    let mut connect = None;
    let (mut pooled, mut retry) = (true, None);
    let mut peers: Vec<(Route, At)> = Vec::new();
    for (line, row) in (1_u32..).zip(text.lines()) {
        let at = At {
            file: Rc::clone(&name),
            line,
        };
        let (words, _) = split_words(row, true);
        let Some((directive, args)) = words.split_first() else {
            continue;
        };
        let first = args.first().map_or("", String::as_str);
        let value = || seconds(&args.join(" "));
        if let Some((name, kind)) = TIMERS.iter().find(|(name, _)| name == directive) {
            if let Some(us) = value() {
                put(&mut limits, at.limit(*kind, name, Some(us)));
            }
            continue;
        }
        match directive.as_str() {
            "http_port" | "https_port" => config.listens.push(listen(first)),
            "connect_timeout" => {
                let own = value().map(|us| at.limit(LimitKind::Connect, "connect_timeout", Some(us)));
                limits.extend(own.map(|limit| (limit.kind, limit)));
            }
            "peer_connect_timeout" => {
                connect = value().map(|us| at.limit(LimitKind::Connect, "peer_connect_timeout", Some(us)));
            }
            "server_persistent_connections" => pooled = first != "off",
            "forward_max_tries" => {
                retry = first.parse().ok().map(|tries| Retry {
                    policy: format!("forward_max_tries {tries}"),
                    tries: Some(tries),
                    timeout_us: None,
                });
            }
            "workers" => config
                .counts
                .extend(at.count(CountKind::Workers, "workers", first)),
            "cache_peer" => peers.extend(peer(args, &at).map(|route| (route, at))),
            _ => {}
        }
    }
    let general = Route {
        limits: limits.clone(),
        ..Route::default()
    };
    config.routes.push(general);
    for (peer, _) in peers {
        let mut all = limits.clone();
        // A peer has a connect timer of its own, set for all of them or for this one.
        all.remove(&LimitKind::Connect);
        all.extend(connect.clone().map(|limit| (limit.kind, limit)));
        all.extend(peer.limits);
        config.routes.push(Route {
            limits: all,
            pooled: Some(pooled),
            retry: retry.clone(),
            ..peer
        });
    }
    Ok(config)
}

fn listen(text: &str) -> String {
    if text.contains(':') {
        text.to_owned()
    } else {
        format!(":{text}")
    }
}

/// `cache_peer HOST TYPE HTTP-PORT ICP-PORT OPTIONS`.
fn peer(args: &[String], at: &At) -> Option<Route> {
    let [host, _, port, ..] = args else { return None };
    let option = |name: &str| {
        args.iter()
            .find_map(|arg| arg.strip_prefix(name)?.strip_prefix('='))
    };
    let mut route = Route {
        upstreams: vec![(
            option("name").unwrap_or_default().to_owned(),
            format!("{host}:{port}"),
        )],
        slots: option("max-conn").and_then(|n| n.parse().ok()),
        tls: args.iter().any(|arg| arg == "tls" || arg == "ssl"),
        ..Route::default()
    };
    if let Some(us) = option("connect-timeout").and_then(seconds) {
        put(
            &mut route.limits,
            at.limit(LimitKind::Connect, "connect-timeout= of cache_peer", Some(us)),
        );
    }
    Some(route)
}
