//! Varnish: the backends of a VCL file, and the parameters on the command line of `varnishd`.
//!
//! A backend's own timer goes before the parameter. Bare numbers are seconds. Source: Varnish documentation, "VCL
//! backend definition" and "varnishd: Run Time Parameters".

use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::app::command_line;
use super::include::Reading;
use super::text::{At, LimitMap, put, seconds};
use super::{Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

fn kind(name: &str) -> Option<LimitKind> {
    Some(match name {
        "connect_timeout" => LimitKind::Connect,
        "first_byte_timeout" => LimitKind::Read,
        "backend_idle_timeout" => LimitKind::UpstreamIdle,
        "timeout_idle" => LimitKind::ClientIdle,
        _ => return None,
    })
}

/// Reads one VCL file.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_vcl(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let name: Rc<str> = Rc::from(shown);
    let mut config = ServerConfig::new(Product::Varnish, shown);
    let mut backend: Option<(Route, String, String)> = None;
    let (mut depth, mut in_fetch) = (0_usize, false);
    let mut fetched = LimitMap::new();
    for (line, row) in rows(&text) {
        let at = At {
            file: Rc::clone(&name),
            line,
        };
        for statement in statements(&row) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            match (words.as_slice(), &mut backend) {
                (["backend", name, ..], _) if depth == 0 => {
                    let route = Route {
                        group: (*name).to_owned(),
                        pooled: Some(true),
                        ..Route::default()
                    };
                    backend = Some((route, String::new(), "80".to_owned()));
                }
                (["sub", name, ..], _) => in_fetch = name.starts_with("vcl_backend_fetch"),
                (["set", what, "=", value], _) if in_fetch && depth == 1 => {
                    let known = what.strip_prefix("bereq.").and_then(kind);
                    if let Some((kind, us)) = known.zip(seconds(value)) {
                        put(&mut fetched, at.limit(kind, what, Some(us)));
                    }
                }
                ([key, "=", value], Some(open)) if depth == 1 && key.starts_with('.') => {
                    field(key.trim_start_matches('.'), value.trim_matches('"'), open, &at);
                }
                _ => {}
            }
            depth += statement.matches('{').count();
            let closed = statement.matches('}').count();
            depth = depth.saturating_sub(closed);
            if depth == 0 && closed > 0 {
                in_fetch = false;
                if let Some((mut route, host, port)) = backend.take() {
                    route
                        .upstreams
                        .push((route.group.clone(), format!("{host}:{port}")));
                    config.routes.push(route);
                }
            }
        }
    }
    for route in &mut config.routes {
        route.limits.extend(fetched.clone());
    }
    Ok(config)
}

/// One field of a backend.
fn field(key: &str, value: &str, (route, host, port): &mut (Route, String, String), at: &At) {
    match key {
        "host" => value.clone_into(host),
        "port" => value.clone_into(port),
        "max_connections" => route.slots = value.parse().ok(),
        _ => {
            if let Some((kind, us)) = kind(key).zip(seconds(value)) {
                put(&mut route.limits, at.limit(kind, &format!(".{key}"), Some(us)));
            }
        }
    }
}

/// The lines without comments.
fn rows(text: &str) -> Vec<(u32, String)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (line, row) in (1_u32..).zip(text.lines()) {
        let mut kept = String::new();
        let mut rest = row;
        while !rest.is_empty() {
            if inside {
                let Some((_, after)) = rest.split_once("*/") else {
                    break;
                };
                (rest, inside) = (after, false);
                continue;
            }
            let end = ["/*", "//", "#"]
                .iter()
                .filter_map(|mark| rest.find(mark))
                .min()
                .unwrap_or(rest.len());
            kept.push_str(rest.get(..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
            if !rest.starts_with("/*") {
                break;
            }
            rest = rest.get(2..).unwrap_or_default();
            inside = true;
        }
        found.push((line, kept));
    }
    found
}

/// A line cut behind every `;` and bracket, with spaces around `=`. Each piece keeps its bracket.
fn statements(row: &str) -> Vec<String> {
    let pieces = row.split_inclusive([';', '{', '}']);
    pieces
        .map(|piece| {
            piece
                .trim_end_matches(';')
                .replacen('=', " = ", 1)
                .trim()
                .to_owned()
        })
        .filter(|piece| !piece.is_empty())
        .collect()
}

/// Reads a file that holds a command line of `varnishd`.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_command(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let mut config = ServerConfig::new(Product::Varnish, shown);
    let mut route = Route::default();
    for (option, value, at) in command_line(&text, shown, "varnishd") {
        match option.as_str() {
            "a" => {
                let address = value.split(',').next().unwrap_or_default();
                config
                    .listens
                    .push(address.rsplit('=').next().unwrap_or_default().to_owned());
            }
            "b" => {
                route.upstreams.push((String::new(), value));
                route.pooled = Some(true);
            }
            "p" => {
                let (name, value) = value.split_once('=').unwrap_or_default();
                if let Some((kind, us)) = kind(name).zip(seconds(value)) {
                    put(&mut route.limits, at.limit(kind, &format!("-p {name}"), Some(us)));
                }
            }
            _ => {}
        }
    }
    config.routes.push(route);
    Ok(config)
}
