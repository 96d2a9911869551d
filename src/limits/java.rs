//! Java servers other than Tomcat's own file: Spring Boot's `application.properties` and `application.yaml`, Jetty's
//! `start.d/*.ini` and `jetty*.xml`, WildFly's `standalone.xml`.
//!
//! Source: Spring Boot documentation, "Common Application Properties"; Spring Cloud Gateway documentation, "Http
//! timeouts configuration"; Jetty documentation, "Module http"; WildFly documentation, "Undertow subsystem".

use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, pairs, trees};
use super::include::Reading;
use super::text::{Target, duration_us, millis, put};
use super::tree::{Tree, same_key};
use super::xml;
use super::{CountKind, LogDeclaration, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// What a key of Spring's means: its name without dashes and capitals, the server it is for, the limit.
const SPRING: [(&str, Product, LimitKind); 9] = [
    (
        "server.tomcat.connection-timeout",
        Product::Tomcat,
        LimitKind::ClientIdle,
    ),
    (
        "server.tomcat.keep-alive-timeout",
        Product::Tomcat,
        LimitKind::ClientIdle,
    ),
    (
        "server.jetty.connection-idle-timeout",
        Product::Jetty,
        LimitKind::ClientIdle,
    ),
    (
        "server.undertow.no-request-timeout",
        Product::Undertow,
        LimitKind::ClientIdle,
    ),
    ("server.netty.idle-timeout", Product::Java, LimitKind::ClientIdle),
    (
        "spring.cloud.gateway.httpclient.connect-timeout",
        Product::Java,
        LimitKind::Connect,
    ),
    (
        "spring.cloud.gateway.httpclient.response-timeout",
        Product::Java,
        LimitKind::Read,
    ),
    (
        "spring.cloud.gateway.httpclient.pool.max-idle-time",
        Product::Java,
        LimitKind::UpstreamIdle,
    ),
    (
        "spring.lifecycle.timeout-per-shutdown-phase",
        Product::Java,
        LimitKind::Drain,
    ),
];

/// Reads Spring Boot's properties, in either form.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read_spring(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let is_properties = file.extension().is_some_and(|end| end == "properties");
    if is_properties {
        let text = reading.main(file, shown)?;
        let pairs = pairs(&text);
        let settings = pairs
            .iter()
            .map(|pair| (pair.key.to_owned(), pair.value, pair.line));
        return Ok(spring(&Doc::new(shown), shown, settings.collect()));
    }
    let (doc, trees) = trees(file, shown, reading)?;
    let flat: Vec<(String, &Tree)> = trees.iter().flat_map(Tree::flat).collect();
    let settings = flat
        .iter()
        .map(|(key, tree)| (key.clone(), tree.text(), tree.line));
    Ok(spring(&doc, shown, settings.collect()))
}

fn spring(doc: &Doc, shown: &str, settings: Vec<(String, &str, u32)>) -> ServerConfig {
    let mut config = ServerConfig::new(Product::Java, shown);
    let mut route = Route::default();
    access_log(&settings, &mut config);
    for (key, text, line) in settings {
        // Newer releases of the gateway moved its keys one level down.
        let key = key.replace("gateway.server.webflux.", "gateway.");
        let value = plain(text);
        if let Some(&(name, product, kind)) = SPRING.iter().find(|(name, ..)| same_key(name, &key)) {
            let is_fallback = name.ends_with("connection-timeout") && route.limits.contains_key(&kind);
            if config.product == Product::Java {
                config.product = product;
            }
            if !is_fallback {
                doc.put(&mut route.limits, kind, name, line, value, millis_or_iso);
            }
            continue;
        }
        let count = |kind, name: &str| doc.count(kind, name, line, value);
        match key.as_str() {
            "server.port" => config.listens.push(format!(":{value}")),
            "server.address" => config.listens.insert(0, value.to_owned()),
            "server.tomcat.threads.max" | "server.jetty.threads.max" | "server.undertow.threads.worker" => {
                config.counts.extend(count(CountKind::Threads, &key));
            }
            "server.tomcat.accept-count" => config.counts.extend(count(CountKind::Backlog, &key)),
            key if key.starts_with("spring.cloud.gateway.routes") && key.ends_with(".uri") => {
                let target = Target::parse(value);
                if !matches!(target.scheme.as_str(), "lb" | "no" | "forward") {
                    route.tls |= target.is_tls();
                    route.upstreams.push((String::new(), target.with_port()));
                    route.pooled = Some(true);
                }
            }
            _ => {}
        }
    }
    join_address(&mut config);
    config.routes.push(route);
    config
}

/// The access log of the server inside, if it has a pattern: `server.tomcat.accesslog.pattern` and its like.
fn access_log(settings: &[(String, &str, u32)], config: &mut ServerConfig) {
    for (server, product, suffix) in [
        ("tomcat", Product::Tomcat, ".log"),
        ("undertow", Product::Undertow, "log"),
    ] {
        let of = |name: &str| {
            let key = format!("server.{server}.accesslog.{name}");
            settings.iter().find(|(own, ..)| same_key(&key, own))
        };
        let Some((_, pattern, line)) = of("pattern") else {
            continue;
        };
        let or = |name: &str, default: &'static str| of(name).map_or(default, |(_, text, _)| text).to_owned();
        let prefix = or("prefix", "access_log").trim_end_matches('.').to_owned();
        config.product = product;
        config.logs.push(LogDeclaration {
            path: format!("{prefix}.{}", or("suffix", suffix).trim_start_matches('.')),
            name: "accesslog".to_owned(),
            text: (*pattern).to_owned(),
            line: *line,
        });
    }
}

/// `server.address` holds for the ports.
fn join_address(config: &mut ServerConfig) {
    if config.listens.first().is_some_and(|first| !first.contains(':')) {
        let address = config.listens.remove(0);
        for listen in &mut config.listens {
            listen.insert_str(0, &address);
        }
    }
}

/// The default of a placeholder (`${PORT:8080}`), or the text itself.
fn plain(text: &str) -> &str {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.map_or(text, |inner| {
        inner.split_once(':').map_or("", |(_, default)| default)
    })
}

/// A number of milliseconds, a number with a unit, or the ISO form (`PT20S`).
fn millis_or_iso(text: &str) -> Option<u64> {
    match text.strip_prefix("PT") {
        Some(iso) => duration_us(&iso.to_ascii_lowercase(), 0),
        None => millis(text),
    }
}

/// Reads Jetty's `start.d/http.ini` or `start.ini`.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_jetty_ini(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let mut config = ServerConfig::new(Product::Jetty, shown);
    let mut route = Route::default();
    for pair in pairs(&text) {
        let count = |kind| doc.count(kind, pair.key, pair.line, pair.value);
        match pair.key {
            "jetty.http.port" | "jetty.ssl.port" => config.listens.push(format!(":{}", pair.value)),
            "jetty.http.idleTimeout" => {
                doc.put(
                    &mut route.limits,
                    LimitKind::ClientIdle,
                    pair.key,
                    pair.line,
                    pair.value,
                    millis,
                );
            }
            "jetty.threadPool.maxThreads" => config.counts.extend(count(CountKind::Threads)),
            "jetty.http.acceptQueueSize" => config.counts.extend(count(CountKind::Backlog)),
            _ => {}
        }
    }
    config.routes.push(route);
    Ok(config)
}

/// Reads a Jetty XML file: `<Set name="idleTimeout">` of a connector, plain or as a property with a default.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read_jetty_xml(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    xml::read(file, shown, reading, |doc, root| {
        let mut config = ServerConfig::new(Product::Jetty, shown);
        let mut route = Route::default();
        for set in root.all("Set") {
            let property = set.all("Property").chain(set.all("SystemProperty")).next();
            let value = property.map_or(set.text(), |property| property.text_of("default"));
            match set.text_of("name") {
                "port" => config.listens.push(format!(":{value}")),
                "idleTimeout" => {
                    doc.put(
                        &mut route.limits,
                        LimitKind::ClientIdle,
                        "idleTimeout",
                        set.line(),
                        value,
                        millis,
                    );
                }
                "maxThreads" => {
                    config
                        .counts
                        .extend(doc.count(CountKind::Threads, "maxThreads", set.line(), value));
                }
                _ => {}
            }
        }
        config.routes.push(route);
        config
    })
}

/// Reads WildFly's `standalone.xml` or `domain.xml`: the listeners of the Undertow subsystem.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read_wildfly(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    xml::read(file, shown, reading, |doc, root| {
        let mut config = ServerConfig::new(Product::Undertow, shown);
        let mut route = Route::default();
        for listener in root.all("http-listener").chain(root.all("https-listener")) {
            let name = "no-request-timeout";
            if let Some((text, line)) = listener.attribute(name) {
                match text {
                    "0" | "-1" => put(
                        &mut route.limits,
                        doc.at(line).limit(LimitKind::ClientIdle, name, None),
                    ),
                    text => doc.put(&mut route.limits, LimitKind::ClientIdle, name, line, text, millis),
                }
            }
            let bound = listener.text_of("socket-binding");
            let sockets = root
                .all("socket-binding")
                .filter(|socket| socket.text_of("name") == bound);
            config
                .listens
                .extend(sockets.map(|socket| format!(":{}", plain(socket.text_of("port")))));
        }
        config.routes.push(route);
        config
    })
}
