//! lighttpd: `server.*` settings and the backends of `proxy.server`, `fastcgi.server` and their like.
//!
//! A backend list may span lines; its timers are in seconds. Source: lighttpd documentation, "Configuration options",
//! "mod_proxy".

use std::path::Path;

use why502_parsers::Product;

use super::doc::Doc;
use super::include::Reading;
use super::text::{LimitMap, seconds};
use super::{CountKind, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one file.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let mut config = ServerConfig::new(Product::Lighttpd, shown);
    let mut general = LimitMap::new();
    let (mut host, mut port) = (String::new(), String::from("80"));
    for (line, key, value) in settings(&text) {
        let plain = value.trim_matches('"');
        match key {
            "server.port" => plain.clone_into(&mut port),
            "server.bind" => plain.clone_into(&mut host),
            "server.max-keep-alive-idle" => {
                doc.put(&mut general, LimitKind::ClientIdle, key, line, plain, seconds);
            }
            "server.max-worker" => config
                .counts
                .extend(doc.count(CountKind::Workers, key, line, plain)),
            "server.listen-backlog" => config
                .counts
                .extend(doc.count(CountKind::Backlog, key, line, plain)),
            _ if key.ends_with(".server") => config.routes.extend(backends(&doc, line, &value)),
            _ => {}
        }
    }
    config.listens.push(format!("{host}:{port}"));
    for route in &mut config.routes {
        let own = std::mem::replace(&mut route.limits, general.clone());
        route.limits.extend(own);
    }
    config.routes.insert(
        0,
        Route {
            limits: general,
            ..Route::default()
        },
    );
    Ok(config)
}

/// `key = value` with values in parentheses joined over lines, line ends kept.
fn settings(text: &str) -> Vec<(u32, &str, String)> {
    let mut found: Vec<(u32, &str, String)> = Vec::new();
    let mut open = 0_i32;
    for (line, row) in (1_u32..).zip(text.lines()) {
        let row = row.split('#').next().unwrap_or_default().trim();
        let depth = i32::try_from(row.matches('(').count()).unwrap_or(0)
            - i32::try_from(row.matches(')').count()).unwrap_or(0);
        if open > 0 {
            if let Some((_, _, value)) = found.last_mut() {
                value.push('\n');
                value.push_str(row);
            }
        } else if let Some((key, value)) = row.split_once('=') {
            let key = key.trim_end_matches(['+', ':']).trim();
            found.push((line, key, value.trim_start_matches('>').trim().to_owned()));
        }
        open = (open + depth).max(0);
    }
    found
}

/// The hosts of a list, with their ports and timers: `( "/api" => ( ( "host" => "10.0.0.1", "port" => 80 ) ) )`.
fn backends(doc: &Doc, first_line: u32, value: &str) -> Vec<Route> {
    let mut made: Vec<Route> = Vec::new();
    let mut path = String::new();
    let mut waiting: Option<&str> = None;
    for (line, row) in (first_line..).zip(value.lines()) {
        for piece in row
            .split([',', '(', ')'])
            .map(str::trim)
            .filter(|piece| !piece.is_empty())
        {
            let Some((key, text)) = piece.split_once("=>") else {
                continue;
            };
            let (key, text) = (key.trim().trim_matches('"'), text.trim().trim_matches('"'));
            if text.is_empty() {
                // What a list stands under: a path, or the name of a host among several.
                if key.is_empty() || key.starts_with('/') {
                    key.trim_end_matches('/').clone_into(&mut path);
                }
                continue;
            }
            match (key, made.last_mut()) {
                ("host", _) => {
                    made.push(Route {
                        path: path.clone(),
                        upstreams: vec![(String::new(), text.to_owned())],
                        // lighttpd opens a connection for each request to a proxied server.
                        pooled: Some(false),
                        ..Route::default()
                    });
                    if let (Some(port), Some(route)) = (waiting.take(), made.last_mut()) {
                        add_port(route, port);
                    }
                }
                ("port", Some(route)) if route.upstreams.iter().any(|(_, own)| !own.contains(':')) => {
                    add_port(route, text);
                }
                ("port", _) => waiting = Some(text),
                ("connect-timeout", Some(route)) => {
                    doc.put_or_off(&mut route.limits, LimitKind::Connect, key, line, text, seconds);
                }
                ("read-timeout", Some(route)) => {
                    doc.put_or_off(&mut route.limits, LimitKind::Read, key, line, text, seconds);
                }
                ("write-timeout", Some(route)) => {
                    doc.put_or_off(&mut route.limits, LimitKind::Send, key, line, text, seconds);
                }
                _ => {}
            }
        }
    }
    made
}

fn add_port(route: &mut Route, port: &str) {
    for (_, address) in &mut route.upstreams {
        address.push(':');
        address.push_str(port);
    }
}
