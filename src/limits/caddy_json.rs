//! Caddy configuration in its JSON form. Source: Caddy documentation, "JSON Config Structure".

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value;
use why502_parsers::Product;

use super::caddy::path_of;
use super::include::problem;
use super::text::{At, LimitMap, duration_us, put};
use super::{LogDeclaration, Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads a JSON configuration.
///
/// # Errors
/// A problem with file and line if it is not valid JSON: unlike the other formats it has no part that can
/// be used alone.
pub(super) fn read(text: &str, shown: &str) -> Result<ServerConfig, Problem> {
    let root: Value = serde_json::from_str(text).map_err(|error| {
        let message = format!("line {}: not valid JSON: {error}", error.line());
        problem(shown, message, "`caddy validate` shows the place")
    })?;
    let mut walk = Walk {
        config: ServerConfig::new(Product::Caddy, shown),
        file: Rc::from(shown),
        lines: key_lines(text),
    };
    if let Some(servers) = root.pointer("/apps/http/servers").and_then(Value::as_object) {
        for (name, server) in servers {
            walk.server(server, &format!("/apps/http/servers/{name}"));
        }
    }
    if let Some(logs) = root.pointer("/logging/logs").and_then(Value::as_object) {
        for (name, log) in logs {
            walk.log(log, &format!("/logging/logs/{name}"));
        }
    }
    Ok(walk.config)
}

struct Walk {
    config: ServerConfig,
    file: Rc<str>,
    /// Line of each key, by its path (`/apps/http/servers/srv0/listen`).
    lines: BTreeMap<String, u32>,
}

impl Walk {
    fn at(&self, path: &str) -> At {
        At {
            file: Rc::clone(&self.file),
            line: self.lines.get(path).copied().unwrap_or(1),
        }
    }

    fn limit(
        &self,
        limits: &mut LimitMap,
        kind: LimitKind,
        (value, path): (&Value, &str),
        key: &str,
        setting: &str,
    ) {
        let Some(us) = value.get(key).and_then(time_us) else {
            return;
        };
        let at = self.at(&format!("{path}/{key}"));
        put(limits, at.limit(kind, setting, Some(us).filter(|us| *us > 0)));
    }

    fn server(&mut self, server: &Value, path: &str) {
        self.config.listens.extend(strings(server.get("listen")));
        let mut front = LimitMap::new();
        self.limit(
            &mut front,
            LimitKind::ClientIdle,
            (server, path),
            "idle_timeout",
            "idle_timeout",
        );
        if !front.is_empty() {
            self.config.routes.push(Route {
                limits: front.clone(),
                ..Route::default()
            });
        }
        self.routes(
            server,
            path,
            &Route {
                limits: front,
                ..Route::default()
            },
        );
    }

    fn routes(&mut self, holder: &Value, path: &str, outer: &Route) {
        for (n, route) in items(holder.get("routes")).enumerate() {
            let path = format!("{path}/routes/{n}");
            for place in matched(route, outer) {
                for (n, handler) in items(route.get("handle")).enumerate() {
                    self.handler(handler, &format!("{path}/handle/{n}"), &place);
                }
            }
        }
    }

    fn handler(&mut self, handler: &Value, path: &str, place: &Route) {
        match handler.get("handler").and_then(Value::as_str) {
            Some("subroute") => self.routes(handler, path, place),
            Some("reverse_proxy") => self.proxy(handler, path, place),
            _ => {}
        }
    }

    fn proxy(&mut self, handler: &Value, path: &str, place: &Route) {
        let mut route = place.clone();
        let dials = items(handler.get("upstreams")).filter_map(|upstream| upstream.get("dial")?.as_str());
        route.upstreams = dials
            .filter(|dial| !dial.contains('{'))
            .map(|dial| (String::new(), address(dial)))
            .collect();
        route.pooled = Some(true);
        if let Some(transport) = handler.get("transport") {
            let base = format!("{path}/transport");
            let from = (transport, base.as_str());
            let limits = &mut route.limits;
            self.limit(limits, LimitKind::Connect, from, "dial_timeout", "dial_timeout");
            self.limit(limits, LimitKind::Read, from, "read_timeout", "read_timeout");
            self.limit(
                limits,
                LimitKind::Read,
                from,
                "response_header_timeout",
                "response_header_timeout",
            );
            self.limit(limits, LimitKind::Send, from, "write_timeout", "write_timeout");
            if let Some(tls) = transport.get("tls") {
                route.tls = true;
                let base = format!("{base}/tls");
                self.limit(
                    limits,
                    LimitKind::TlsHandshake,
                    (tls, &base),
                    "handshake_timeout",
                    "handshake_timeout",
                );
            }
            if let Some(keep) = transport.get("keep_alive") {
                let base = format!("{base}/keep_alive");
                self.limit(
                    limits,
                    LimitKind::UpstreamIdle,
                    (keep, &base),
                    "idle_timeout",
                    "keep_alive idle_timeout",
                );
                route.pooled = keep.get("enabled").and_then(Value::as_bool).or(Some(true));
            }
            if transport.get("protocol").and_then(Value::as_str) == Some("fastcgi") {
                route.pooled = Some(false);
            }
            route.slots = number(transport.get("max_conns_per_host"));
        }
        if let Some(balancing) = handler.get("load_balancing") {
            let tries = number(balancing.get("retries")).and_then(|n| n.checked_add(1));
            let timeout_us = balancing.get("try_duration").and_then(time_us);
            route.retry = Some(Retry {
                policy: "load_balancing".to_owned(),
                tries,
                timeout_us,
            });
        }
        self.config.routes.push(route);
    }

    fn log(&mut self, log: &Value, path: &str) {
        let Some(file) = log.pointer("/writer/filename").and_then(Value::as_str) else {
            return;
        };
        let format = log
            .pointer("/encoder/format")
            .and_then(Value::as_str)
            .unwrap_or("json");
        let line = self.at(&format!("{path}/writer/filename")).line;
        // Without options the encoder says all.
        let told = log
            .get("encoder")
            .filter(|encoder| encoder.as_object().is_some_and(|own| own.len() > 1));
        self.config.logs.push(LogDeclaration {
            path: file.to_owned(),
            name: format.to_owned(),
            text: told.map_or(String::new(), Value::to_string),
            line,
        });
    }
}

/// The places a route's matchers lead to; sets of matchers are alternatives.
fn matched(route: &Value, outer: &Route) -> Vec<Route> {
    let mut places = Vec::new();
    for set in items(route.get("match")) {
        let hosts: Vec<String> = strings(set.get("host")).collect();
        let hosts = if hosts.is_empty() {
            outer.hosts.clone()
        } else {
            hosts
        };
        let base = Route {
            hosts,
            ..outer.clone()
        };
        let before = places.len();
        for pattern in strings(set.get("path")) {
            let (path, matching) = path_of(&pattern);
            places.push(if path.starts_with(&outer.path) {
                Route {
                    path,
                    matching,
                    ..base.clone()
                }
            } else {
                base.clone()
            });
        }
        if places.len() == before {
            places.push(
                match set.pointer("/path_regexp/pattern").and_then(Value::as_str) {
                    Some(text) => Route {
                        path: text.to_owned(),
                        matching: Matching::Regex,
                        ..base
                    },
                    None => base,
                },
            );
        }
    }
    if places.is_empty() {
        vec![outer.clone()]
    } else {
        places
    }
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = String> {
    items(value).filter_map(|item| item.as_str().map(str::to_owned))
}

fn number(value: Option<&Value>) -> Option<u32> {
    value
        .and_then(Value::as_u64)
        .and_then(|n| u32::try_from(n).ok())
        .filter(|n| *n > 0)
}

/// A duration: a number of nanoseconds, or text with units.
fn time_us(value: &Value) -> Option<u64> {
    match value {
        Value::Number(nanoseconds) => nanoseconds.as_u64().map(|ns| ns / 1_000),
        Value::String(text) => duration_us(text, 0),
        _ => None,
    }
}

fn address(dial: &str) -> String {
    match dial.split_once('/') {
        Some(("unix", path)) => format!("unix:/{}", path.trim_start_matches('/')),
        Some(("tcp" | "tcp4" | "tcp6", rest)) => address(rest),
        _ if dial.starts_with(':') => format!("localhost{dial}"),
        _ => dial.to_owned(),
    }
}

/// The line of every key, by its path. The text is known to be valid JSON.
fn key_lines(text: &str) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    // For each open object or array: its path, and the index of the item an array is at.
    let mut open: Vec<(String, Option<usize>)> = Vec::new();
    let mut current = String::new();
    let mut line = 1_u32;
    let mut string: Option<(String, u32)> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '"' {
            let mut word = String::new();
            loop {
                match chars.next() {
                    None | Some('"') => break,
                    Some('\\') => word.extend(chars.next()),
                    Some(other) => word.push(other),
                }
            }
            string = Some((word, line));
            continue;
        }
        match c {
            '\n' => line += 1,
            ':' => {
                if let (Some((key, at)), Some((base, None))) = (string.take(), open.last()) {
                    current = format!("{base}/{key}");
                    lines.insert(current.clone(), at);
                }
            }
            '{' => open.push((std::mem::take(&mut current), None)),
            '[' => {
                open.push((std::mem::take(&mut current), Some(0)));
                current = open
                    .last()
                    .map(|(base, _)| format!("{base}/0"))
                    .unwrap_or_default();
            }
            ',' => {
                if let Some((base, Some(n))) = open.last_mut() {
                    *n += 1;
                    current = format!("{base}/{n}");
                }
            }
            '}' | ']' => {
                open.pop();
            }
            _ => {}
        }
    }
    lines
}
