//! Which server sends to which: by the addresses in their configurations, by what the user says, by a given order.

use std::collections::{BTreeMap, BTreeSet};

use why502_parsers::Product;

use super::{Given, hop};
use crate::limits::Route;

/// A way from one server to another.
pub(super) struct Link<'a> {
    pub(super) down: usize,
    pub(super) route: &'a Route,
    pub(super) up: Option<usize>,
}

/// All ways.
pub(super) struct Links<'a> {
    pub(super) pairs: Vec<Link<'a>>,
    /// Addresses of which nothing is known, by the server that sends there.
    pub(super) unknown: BTreeMap<usize, Vec<String>>,
    /// The servers, outermost first.
    pub(super) order: Vec<usize>,
}

/// Follows every route of every server.
pub(super) fn links<'a>(given: &'a Given<'a>) -> Links<'a> {
    let mut pairs: Vec<Link<'a>> = Vec::new();
    let mut unknown: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (down, server) in given.servers.iter().enumerate() {
        let mut seen: BTreeSet<(*const Route, Option<usize>)> = BTreeSet::new();
        for route in given.limits.routes(hop(down)).filter(|route| route.leads_on()) {
            let mut found = BTreeSet::new();
            for (name, address) in &route.upstreams {
                let up = [address.as_str(), name.as_str()]
                    .into_iter()
                    .find_map(|known| target(given, down, known));
                if up.is_none() && !address.is_empty() {
                    let list = unknown.entry(down).or_default();
                    if !list.contains(address) {
                        list.push(address.clone());
                    }
                }
                found.insert(up);
            }
            if found.is_empty() {
                found.insert(None);
            }
            for up in found {
                if seen.insert((std::ptr::from_ref(route), up)) {
                    pairs.push(Link { down, route, up });
                }
            }
        }
        let said = server
            .upstreams
            .iter()
            .filter_map(|name| target(given, down, name));
        let next = next_in_order(given, down)
            .filter(|_| !pairs.iter().any(|link| link.down == down && link.up.is_some()));
        for up in said.chain(next) {
            if !pairs.iter().any(|link| (link.down, link.up) == (down, Some(up))) {
                let route = general(given, down);
                pairs.push(Link {
                    down,
                    route,
                    up: Some(up),
                });
            }
        }
    }
    let order = order(given, &pairs);
    Links {
        pairs,
        unknown,
        order,
    }
}

/// The most general route of a server, for ways that its configuration does not name.
fn general<'a>(given: &'a Given<'a>, at: usize) -> &'a Route {
    static NOTHING: Route = Route::NOTHING;
    let routes = || given.limits.routes(hop(at));
    let found = routes()
        .find(|route| !route.leads_on())
        .or_else(|| routes().next());
    found.unwrap_or(&NOTHING)
}

/// The server that an address or name means. Listeners on every address are told apart by their port, if it is the
/// only one, or by the host being called like the server.
pub(super) fn target(given: &Given<'_>, from: usize, address: &str) -> Option<usize> {
    if address.is_empty() {
        return None;
    }
    let others = || (0..given.servers.len()).filter(move |at| *at != from);
    let listens = |at: &usize| given.limits.addresses(hop(*at));
    let named = |name: &str| others().find(|at| given.servers[*at].name.eq_ignore_ascii_case(name));
    if let Some(exact) =
        named(address).or_else(|| others().find(|at| listens(at).iter().any(|own| own == address)))
    {
        return Some(exact);
    }
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    if let Some(called) = named(host).or_else(|| named(host.split('.').next().unwrap_or_default())) {
        return Some(called);
    }
    let everywhere = |own: &String| {
        let (host, own_port) = own.rsplit_once(':').unwrap_or((own, ""));
        own_port == port && matches!(host, "" | "*" | "0.0.0.0" | "[::]" | "::")
    };
    let mut open = others().filter(|at| listens(at).iter().any(everywhere));
    match (open.next(), open.next()) {
        (Some(only), None) if !port.is_empty() => Some(only),
        _ => None,
    }
}

/// The server after this one in the order that the user gave.
fn next_in_order(given: &Given<'_>, at: usize) -> Option<usize> {
    let own = given.servers[at].rank?;
    let later = given.servers.iter().enumerate();
    later
        .filter_map(|(at, server)| Some((server.rank?, at)))
        .filter(|(rank, _)| *rank > own)
        .min()
        .map(|(_, at)| at)
}

/// Senders before receivers; the rest by rank, then proxies, then by name.
fn order(given: &Given<'_>, pairs: &[Link<'_>]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..given.servers.len()).collect();
    let key = |at: &usize| {
        let server = &given.servers[*at];
        let is_proxy = server.product.is_proxy() && server.product != Product::Unknown;
        (server.rank.unwrap_or(usize::MAX), !is_proxy, server.name.clone())
    };
    left.sort_by_key(key);
    let mut order = Vec::new();
    while !left.is_empty() {
        let is_free = |at: &usize| {
            !pairs
                .iter()
                .any(|link| link.up == Some(*at) && link.down != *at && left.contains(&link.down))
        };
        // In a ring the first of the list goes first.
        let next = left.iter().position(is_free).unwrap_or(0);
        order.push(left.remove(next));
    }
    order
}
