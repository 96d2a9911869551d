//! IIS: `applicationHost.config` (sites, application pools, server farms of Application Request Routing) and
//! `web.config` (the ASP.NET Core module, rewrites to other servers).
//!
//! Times are `hh:mm:ss`, but for the seconds of `httpRuntime` and the module's `shutdownTimeLimit`. Source: IIS
//! configuration reference (`limits`, `periodicRestart`, `processModel`, `webFarms`), "ASP.NET Core Module: attributes".

use std::path::Path;

use why502_parsers::Product;

use super::doc::Doc;
use super::include::Reading;
use super::text::{LimitMap, Target, clock, seconds};
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
        let mut config = ServerConfig::new(Product::Iis, shown);
        let mut general = LimitMap::new();
        let mut set = |kind, element: Option<Element<'_>>, name: &str, unit| {
            if let Some((text, line)) = element.and_then(|element| element.attribute(name)) {
                doc.put_or_off(&mut general, kind, name, line, text, unit);
            }
        };
        let host = root.child("system.applicationHost");
        let sites = host.and_then(|host| host.child("sites"));
        set(
            LimitKind::ClientIdle,
            below(sites, &["siteDefaults", "limits"]),
            "connectionTimeout",
            clock,
        );
        set(LimitKind::Read, root.all("proxy").next(), "timeout", clock);
        let module = root.all("aspNetCore").next();
        set(LimitKind::Read, module, "requestTimeout", clock);
        set(LimitKind::Drain, module, "shutdownTimeLimit", seconds);
        set(
            LimitKind::WorkerKill,
            root.all("httpRuntime").next(),
            "executionTimeout",
            seconds,
        );
        let pools = host.and_then(|host| host.child("applicationPools"));
        let defaults = below(pools, &["applicationPoolDefaults"]);
        // The first pool speaks for the server; most have one, and the defaults come before it.
        for pool in [defaults, pools.and_then(|pools| pools.child("add"))]
            .into_iter()
            .flatten()
        {
            set(
                LimitKind::Recycle,
                below(Some(pool), &["recycling", "periodicRestart"]),
                "time",
                clock,
            );
            let process = pool.child("processModel");
            set(LimitKind::Drain, process, "shutdownTimeLimit", clock);
            for (kind, element, name) in [
                (CountKind::Backlog, Some(pool), "queueLength"),
                (CountKind::Workers, process, "maxProcesses"),
            ] {
                let found = element.and_then(|element| element.attribute(name));
                config
                    .counts
                    .extend(found.and_then(|(text, line)| doc.count(kind, name, line, text)));
            }
        }
        for site in sites.into_iter().flat_map(|sites| sites.children("site")) {
            config.routes.extend(of_site(doc, site, &mut config.listens));
        }
        farms(doc, root, &mut config);
        rewrites(root, &mut config);
        config.routes.insert(
            0,
            Route {
                limits: general,
                ..Route::default()
            },
        );
        config
    })
}

/// The element at the end of a path of names.
fn below<'a>(from: Option<Element<'a>>, names: &[&str]) -> Option<Element<'a>> {
    names.iter().try_fold(from?, |element, name| element.child(name))
}

/// What a site says of its clients' connections, for the hosts of its bindings.
fn of_site(doc: &Doc, site: Element<'_>, listens: &mut Vec<String>) -> Option<Route> {
    let mut route = Route::default();
    for binding in site
        .child("bindings")
        .into_iter()
        .flat_map(|all| all.children("binding"))
    {
        // address:port:host, where the address may be an IPv6 one in brackets.
        let mut parts = binding.text_of("bindingInformation").rsplitn(3, ':');
        let (Some(host), Some(port), Some(address)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        listens.push(format!("{}:{port}", address.trim_start_matches('*')));
        route
            .hosts
            .extend(Some(host.to_owned()).filter(|host| !host.is_empty()));
    }
    let (text, line) = site.child("limits")?.attribute("connectionTimeout")?;
    doc.put(
        &mut route.limits,
        LimitKind::ClientIdle,
        "connectionTimeout",
        line,
        text,
        clock,
    );
    Some(route)
}

/// Server farms of Application Request Routing.
fn farms(doc: &Doc, root: Element<'_>, config: &mut ServerConfig) {
    for farm in root.all("webFarm") {
        let mut route = Route {
            group: farm.text_of("name").to_owned(),
            pooled: Some(true),
            ..Route::default()
        };
        if let Some((text, line)) = below(Some(farm), &["applicationRequestRouting", "protocol"])
            .and_then(|protocol| protocol.attribute("timeout"))
        {
            let setting = "timeout of the server farm's proxy";
            doc.put(&mut route.limits, LimitKind::Read, setting, line, text, clock);
        }
        for server in farm.children("server") {
            let port = server
                .child("applicationRequestRouting")
                .map_or("", |own| own.text_of("httpPort"));
            let port = if port.is_empty() { "80" } else { port };
            let address = format!("{}:{port}", server.text_of("address"));
            route.upstreams.push((String::new(), address));
        }
        config.routes.push(route);
    }
}

/// Rules that rewrite to another server; those that rewrite to a farm by its name are known from the farm.
fn rewrites(root: Element<'_>, config: &mut ServerConfig) {
    for action in root
        .all("action")
        .filter(|action| action.text_of("type") == "Rewrite")
    {
        let url = action.text_of("url");
        let target = Target::parse(url);
        let is_farm = config.routes.iter().any(|route| route.group == target.address);
        if target.scheme.is_empty() || is_farm || target.address.contains('{') {
            continue;
        }
        config.routes.push(Route {
            tls: target.is_tls(),
            upstreams: vec![(String::new(), target.with_port())],
            pooled: Some(true),
            ..Route::default()
        });
    }
}
