//! Pools of workers: uWSGI's ini files, pools of PHP-FPM, and `puma.rb`.
//!
//! Source: uWSGI documentation, "Options", and its source `plugins/http/http.c`; PHP manual, "FPM configuration";
//! Puma's `lib/puma/dsl.rb`.

use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::doc::{Doc, pairs};
use super::include::Reading;
use super::text::{At, put, seconds, split_words};
use super::{CountKind, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads a uWSGI ini file. Its HTTP router closes after every response unless it is told to keep connections.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_uwsgi(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let mut config = ServerConfig::new(Product::Uwsgi, shown);
    let mut route = Route::default();
    let (mut router_line, mut keep) = (None, None);
    for pair in pairs(&text).iter().filter(|pair| pair.section == "uwsgi") {
        let count = |kind| doc.count(kind, pair.key, pair.line, pair.value);
        match pair.key {
            "http" | "http-socket" | "https" | "socket" | "uwsgi-socket" | "fastcgi-socket" => {
                config.listens.push(socket(pair.value));
                router_line = router_line.or((pair.key == "http").then_some(pair.line));
            }
            "harakiri" => {
                doc.put_or_off(
                    &mut route.limits,
                    LimitKind::WorkerKill,
                    pair.key,
                    pair.line,
                    pair.value,
                    seconds,
                );
            }
            "http-keepalive" => keep = Some((pair.value, pair.line)),
            "http-timeout" => {
                doc.put(
                    &mut route.limits,
                    LimitKind::Read,
                    pair.key,
                    pair.line,
                    pair.value,
                    seconds,
                );
            }
            "worker-reload-mercy" => {
                doc.put(
                    &mut route.limits,
                    LimitKind::Drain,
                    pair.key,
                    pair.line,
                    pair.value,
                    seconds,
                );
            }
            "processes" | "workers" => config.counts.extend(count(CountKind::Workers)),
            "threads" => config.counts.extend(count(CountKind::Threads)),
            "listen" => config.counts.extend(count(CountKind::Backlog)),
            _ => {}
        }
    }
    match (keep, router_line) {
        // A value of 1 switches it on, with the router's timeout; a larger one is a time of its own.
        (Some(("1" | "true", line)), _) => {
            let timeout = route
                .limits
                .get(&LimitKind::Read)
                .map_or(Some(60_000_000), |limit| limit.value_us);
            put(
                &mut route.limits,
                doc.at(line).limit(LimitKind::ClientIdle, "http-timeout", timeout),
            );
        }
        (Some((text, line)), _) => {
            doc.put(
                &mut route.limits,
                LimitKind::ClientIdle,
                "http-keepalive",
                line,
                text,
                seconds,
            );
        }
        (None, Some(line)) => put(
            &mut route.limits,
            doc.at(line)
                .limit(LimitKind::ClientIdle, "http-keepalive", Some(0)),
        ),
        (None, None) => {}
    }
    config.routes.push(route);
    Ok(config)
}

fn socket(text: &str) -> String {
    if text.starts_with('/') {
        format!("unix:{text}")
    } else {
        text.to_owned()
    }
}

/// Reads a pool of PHP-FPM.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_fpm(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let mut config = ServerConfig::new(Product::PhpFpm, shown);
    let mut route = Route::default();
    for pair in pairs(&text) {
        let count = |kind| doc.count(kind, pair.key, pair.line, pair.value);
        match pair.key {
            "listen" if pair.value.bytes().all(|b| b.is_ascii_digit()) => {
                config.listens.push(format!(":{}", pair.value));
            }
            "listen" => config.listens.push(socket(pair.value)),
            "request_terminate_timeout" => {
                doc.put_or_off(
                    &mut route.limits,
                    LimitKind::WorkerKill,
                    pair.key,
                    pair.line,
                    pair.value,
                    seconds,
                );
            }
            "process_control_timeout" => {
                doc.put(
                    &mut route.limits,
                    LimitKind::Drain,
                    pair.key,
                    pair.line,
                    pair.value,
                    seconds,
                );
            }
            "pm.max_children" => config.counts.extend(count(CountKind::Workers)),
            "listen.backlog" => config.counts.extend(count(CountKind::Backlog)),
            _ => {}
        }
    }
    config.routes.push(route);
    Ok(config)
}

/// Reads `puma.rb`. Only literal values and defaults of `ENV.fetch` are read: the rest is known to Ruby alone.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_puma(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let name: Rc<str> = Rc::from(shown);
    let mut config = ServerConfig::new(Product::Ruby, shown);
    let mut route = Route::default();
    for (line, row) in (1_u32..).zip(text.lines()) {
        let at = At {
            file: Rc::clone(&name),
            line,
        };
        let (words, _) = split_words(row, true);
        let Some((method, rest)) = words.split_first() else {
            continue;
        };
        let literal = literal(rest);
        let mut set = |kind| {
            if let Some(us) = literal.as_deref().and_then(seconds) {
                put(&mut route.limits, at.limit(kind, method, Some(us)));
            }
        };
        let count = |kind| at.count(kind, method, literal.as_deref().unwrap_or_default());
        match method.as_str() {
            "port" => config
                .listens
                .extend(literal.as_ref().map(|port| format!(":{port}"))),
            "bind" => config.listens.extend(literal.as_deref().and_then(bound)),
            "persistent_timeout" => set(LimitKind::ClientIdle),
            "worker_timeout" => set(LimitKind::WorkerKill),
            "worker_shutdown_timeout" => set(LimitKind::Drain),
            "workers" => config.counts.extend(count(CountKind::Workers)),
            "threads" => config.counts.extend(count(CountKind::Threads)),
            _ => {}
        }
    }
    config.routes.push(route);
    Ok(config)
}

/// The last literal of a call's arguments: for `threads 1, 5` the most, for `ENV.fetch("PORT", 3000)` the default.
fn literal(words: &[String]) -> Option<String> {
    let plain = words
        .iter()
        .rev()
        .map(|word| word.trim_matches(['(', ')', ',', '{', '}', ' ']));
    let is_literal = |word: &&str| {
        word.contains("://") || (!word.is_empty() && word.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    plain.into_iter().find(is_literal).map(str::to_owned)
}

/// `tcp://0.0.0.0:9292` or `unix:///run/puma.sock`.
fn bound(url: &str) -> Option<String> {
    let url = url.split('?').next()?;
    match url.split_once("://")? {
        ("unix", path) => Some(format!("unix:{path}")),
        ("tcp" | "ssl", address) => Some(address.to_owned()),
        _ => None,
    }
}
