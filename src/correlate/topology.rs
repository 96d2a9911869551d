//! Which hop sends requests to which, and how far each log's clock is off.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use why502_parsers::Product;

use super::clocks::{self, Fit};
use crate::model::{HopId, Shift, ids};
use crate::select::sketch::{Group, Sample, Sketch};

/// What is known of one hop's request logs before topology is worked out.
#[derive(Debug)]
pub struct Node<'a> {
    /// The hop.
    pub hop: HopId,
    /// Its name.
    pub name: &'a str,
    /// Sample of its requests; `None` if it logs none.
    pub sketch: Option<&'a Sketch>,
    /// Whether the stamps in that sample carry no zone.
    pub zone_unknown: bool,
    /// Where its kind of program stands.
    pub place: Place,
    /// Upstream addresses in its configuration.
    pub routes_to: Vec<String>,
    /// Addresses it listens on.
    pub addresses: Vec<String>,
    /// Hashes of addresses of some of its clients, and of those that it was told of: of all hops the lowest.
    pub clients: BTreeSet<u64>,
    /// Place in an order given by the user.
    pub given_rank: Option<usize>,
    /// Clock correction given by the user.
    pub given_us: Option<i64>,
}

/// Where a kind of program usually stands on a request's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It sends requests on.
    Outer,
    /// Its log does not say which program it is.
    Unknown,
    /// It answers requests itself.
    Inner,
}

impl Place {
    /// The place of `product`; of an unknown one by the words of the hop's name.
    pub fn of(product: Product, name: &str) -> Self {
        const OUTER: [&str; 10] = [
            "proxy",
            "edge",
            "lb",
            "loadbalancer",
            "balancer",
            "gateway",
            "gw",
            "ingress",
            "front",
            "frontend",
        ];
        const INNER: [&str; 6] = ["app", "application", "backend", "upstream", "origin", "worker"];
        if product != Product::Unknown {
            return if product.is_proxy() {
                Self::Outer
            } else {
                Self::Inner
            };
        }
        let name = name.to_ascii_lowercase();
        let has = |words: &[&str]| {
            name.split(|c: char| !c.is_ascii_alphabetic())
                .any(|word| words.contains(&word))
        };
        match (has(&OUTER), has(&INNER)) {
            (true, false) => Self::Outer,
            (false, true) => Self::Inner,
            _ => Self::Unknown,
        }
    }
}

/// How the hops hang together.
#[derive(Debug, Default)]
pub struct Topology {
    /// Hops, outermost first.
    pub order: Vec<HopId>,
    /// For each hop, the hops it sends requests to.
    pub edges: BTreeMap<HopId, BTreeSet<HopId>>,
    /// How each hop's clock compares with the outermost hop it is connected to: `(correction, fit)`.
    pub clocks: BTreeMap<HopId, (Shift, Fit)>,
    /// Pairs of hops, the outer one first, whose clocks were set against each other while they logged.
    pub unsteady: BTreeSet<(HopId, HopId)>,
    /// Pairs of hops whose records carry the same ids, both ways.
    pub by_id: BTreeSet<(HopId, HopId)>,
    /// Addresses (or names) by which outer hops' records were seen to mean a hop.
    pub addresses: BTreeMap<HopId, BTreeSet<String>>,
}

/// The upstream address to which a hop's configuration sends requests for a path, if it is one only.
pub type RouteOf<'a> = dyn Fn(HopId, &str) -> Option<String> + 'a;

/// Works out the hops' order, clocks and addresses.
pub fn work_out(nodes: &[Node<'_>], route_of: &RouteOf<'_>) -> Topology {
    let fits = all_fits(nodes);
    let mut edges = directed(nodes, &fits);
    let order = order(nodes, &edges);
    drop_shortcuts(&mut edges);
    let clocks = settle_clocks(nodes, &order, &fits);
    let unsteady = fits.iter().filter(|(_, fit)| !fit.steady).map(|(&pair, _)| pair);
    let unsteady = unsteady
        .filter(|(outer, inner)| edges.get(outer).is_some_and(|of_outer| of_outer.contains(inner)))
        .collect();
    let by_id = fits
        .iter()
        .filter(|(_, fit)| fit.by_id)
        .flat_map(|(&(a, b), _)| [(a, b), (b, a)])
        .collect();
    let addresses = addresses(nodes, &edges, &fits, route_of);
    Topology {
        order,
        edges,
        clocks,
        unsteady,
        by_id,
        addresses,
    }
}

/// How each pair of hops fits, with the first as the outer one.
fn all_fits(nodes: &[Node<'_>]) -> BTreeMap<(HopId, HopId), Fit> {
    let pairs: Vec<(&Node<'_>, &Node<'_>)> = nodes
        .iter()
        .flat_map(|outer| nodes.iter().map(move |inner| (outer, inner)))
        .filter(|(outer, inner)| outer.hop != inner.hop)
        .collect();
    let fits = pairs.into_par_iter().filter_map(|(outer, inner)| {
        let fit = clocks::fit(outer.sketch?, inner.sketch?)?;
        let is_sure = fit.by_id || !fit.coarse || sends(outer, inner) || sends(inner, outer);
        (is_sure || !are_strangers(outer, inner)).then_some(((outer.hop, inner.hop), fit))
    });
    fits.collect()
}

/// Whether two hops serve different clients: then they stand side by side, and whole seconds that fit each other do so by
/// accident. Behind a proxy a hop has few clients, or is told the proxy's.
fn are_strangers(one: &Node<'_>, other: &Node<'_>) -> bool {
    let least = one.clients.len().min(other.clients.len());
    least >= MANY_CLIENTS && one.clients.intersection(&other.clients).count() * 4 < least
}

/// So many clients are not the few addresses of a proxy.
const MANY_CLIENTS: usize = 12;

/// Whether `from` is known to send requests to `to`: by its configuration, or since its lines speak of it.
fn sends(from: &Node<'_>, to: &Node<'_>) -> bool {
    let listens = |route: &String| {
        let mut addresses = to.addresses.iter();
        addresses.any(|address| same_address(route, address))
    };
    from.routes_to.iter().any(listens) || name_used(from, to).is_some()
}

/// An edge for every pair that shares requests, from the outer to the inner hop.
fn directed(nodes: &[Node<'_>], fits: &BTreeMap<(HopId, HopId), Fit>) -> BTreeMap<HopId, BTreeSet<HopId>> {
    let mut edges: BTreeMap<HopId, BTreeSet<HopId>> = BTreeMap::new();
    for (at, a) in nodes.iter().enumerate() {
        for b in &nodes[at + 1..] {
            match direction(a, b, fits) {
                Some(true) => edges.entry(a.hop).or_default().insert(b.hop),
                Some(false) => edges.entry(b.hop).or_default().insert(a.hop),
                None => false,
            };
        }
    }
    edges
}

/// Whether requests go from `a` to `b` (`true`), from `b` to `a` (`false`), or not between them at all.
fn direction(a: &Node<'_>, b: &Node<'_>, fits: &BTreeMap<(HopId, HopId), Fit>) -> Option<bool> {
    match (sends(a, b), sends(b, a)) {
        (true, false) => return Some(true),
        (false, true) => return Some(false),
        _ => {}
    }
    if let (Some(first), Some(second)) = (a.given_rank, b.given_rank)
        && first != second
    {
        return Some(first < second);
    }
    let (there, back) = (fits.get(&(a.hop, b.hop)), fits.get(&(b.hop, a.hop)));
    if there.is_none() && back.is_none() {
        return None;
    }
    // A program that only serves is the inner one, whatever the stamps seem to say.
    if a.place != b.place {
        return Some(a.place < b.place);
    }
    let longer = there.map_or(0, |fit| fit.longer) - back.map_or(0, |fit| fit.longer);
    let agreeing = |fit: Option<&Fit>| fit.map_or(0, |fit| fit.agreeing);
    Some(if longer == 0 {
        agreeing(there) >= agreeing(back)
    } else {
        longer > 0
    })
}

/// An address as every spelling of it comes out: without scheme and path, in lower case, IPv4 in IPv6 as IPv4, and
/// this machine by one name.
pub fn canonical(address: &str) -> String {
    let bare = address.split_once("://").map_or(address, |(_, rest)| rest);
    let bare = bare.split('/').next().unwrap_or_default().to_ascii_lowercase();
    let (host, port) = match bare.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => {
            (host, Some(port))
        }
        _ => (bare.as_str(), None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = match host.strip_prefix("::ffff:").unwrap_or(host) {
        "localhost" | "::1" | "ip6-localhost" => "127.0.0.1",
        host => host,
    };
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    port.map_or(host.clone(), |port| format!("{host}:{port}"))
}

/// Whether a configured upstream address and a listen address mean the same socket. A listener on all
/// addresses (`:8080`, `*:8080`, `0.0.0.0:8080`) is recognised by its port.
pub fn same_address(route: &str, address: &str) -> bool {
    let (route, address) = (canonical(route), canonical(address));
    if route == address {
        return true;
    }
    let (Some((_, port)), Some((host, listen_port))) = (route.rsplit_once(':'), address.rsplit_once(':'))
    else {
        return false;
    };
    port == listen_port && matches!(host, "" | "*" | "0.0.0.0" | "[::]" | "::")
}

/// Hops with everything that sends to them first; ties by the given order, then their places, then the order of the list.
fn order(nodes: &[Node<'_>], edges: &BTreeMap<HopId, BTreeSet<HopId>>) -> Vec<HopId> {
    let mut left: Vec<&Node<'_>> = nodes.iter().collect();
    left.sort_by_key(|node| (node.given_rank.unwrap_or(usize::MAX), node.place, node.hop));
    let mut order = Vec::with_capacity(nodes.len());
    while !left.is_empty() {
        let is_free = |node: &&Node<'_>| {
            !left.iter().any(|other| {
                edges
                    .get(&other.hop)
                    .is_some_and(|inner| inner.contains(&node.hop))
            })
        };
        // In a cycle (a hop that calls itself back) the first of the list goes first.
        let next = left.iter().position(is_free).unwrap_or(0);
        order.push(left.remove(next).hop);
    }
    order
}

/// Which hop each upstream address means: the one whose records fit the requests that were sent there.
fn addresses(
    nodes: &[Node<'_>],
    edges: &BTreeMap<HopId, BTreeSet<HopId>>,
    fits: &BTreeMap<(HopId, HopId), Fit>,
    route_of: &RouteOf<'_>,
) -> BTreeMap<HopId, BTreeSet<String>> {
    let sketch = |hop: HopId| {
        nodes
            .iter()
            .find(|node| node.hop == hop)
            .and_then(|node| node.sketch)
    };
    let mut votes: BTreeMap<(HopId, String), BTreeMap<HopId, u32>> = BTreeMap::new();
    for (&outer, inner) in edges {
        for &inner in inner {
            let (Some(a), Some(b), Some(fit)) = (sketch(outer), sketch(inner), fits.get(&(outer, inner)))
            else {
                continue;
            };
            let (a, b) = if fit.by_id {
                (a.ids(), b.ids())
            } else {
                (a.requests(), b.requests())
            };
            for (key, outside) in a {
                let Some(inside) = b.get(key) else { continue };
                for a in outside.samples() {
                    let agrees = inside.samples().any(|b| clocks::agree(a, b, fit.shift));
                    if let Some(address) = address_of(outer, outside, a, route_of).filter(|_| agrees) {
                        *votes
                            .entry((outer, address))
                            .or_default()
                            .entry(inner)
                            .or_default() += 1;
                    }
                }
            }
        }
    }
    let mut addresses: BTreeMap<HopId, BTreeSet<String>> = BTreeMap::new();
    for ((outer, address), hops) in votes {
        let all: u32 = hops.values().sum();
        // Ids lead from one address to several hops where a server without logs stands between them.
        let by_id = |hop: &HopId| fits.get(&(outer, *hop)).is_some_and(|fit| fit.by_id);
        let reached = hops
            .iter()
            .filter(|(hop, count)| **count >= FEWEST_VOTES && by_id(hop));
        if reached.count() > 1 {
            continue;
        }
        if let Some((&hop, &most)) = hops.iter().max_by_key(|(hop, count)| (**count, Reverse(**hop)))
            && most >= FEWEST_VOTES
            && most * 3 > all * 2
        {
            addresses.entry(hop).or_default().insert(address);
        }
    }
    for (outer, inner) in edges {
        let named = |hop: HopId| nodes.iter().find(|node| node.hop == hop);
        for to in inner.iter().filter_map(|&hop| named(hop)) {
            if let Some(name) = named(*outer).and_then(|from| name_used(from, to)) {
                addresses.entry(to.hop).or_default().insert(name.to_owned());
            }
        }
    }
    addresses
}

/// Fewer fitting requests than this say nothing about where an address leads.
const FEWEST_VOTES: u32 = 3;

/// Where a sample of a group was sent: as its own line says, else all of the group, else by configuration.
fn address_of(outer: HopId, group: &Group, sample: &Sample, route_of: &RouteOf<'_>) -> Option<String> {
    if group.upstreams.is_empty() {
        return route_of(outer, &group.path);
    }
    let addresses = || group.upstreams.iter().map(|address| &**address);
    let its_own = |address: &&str| ids::hash(address.as_bytes()) == sample.upstream;
    let alone = || {
        addresses()
            .next()
            .filter(|_| group.upstreams.len() == 1 && sample.upstream == 0)
    };
    addresses().find(its_own).or_else(alone).map(str::to_owned)
}

/// The name under which the lines of `from` speak of `to`: a proxy's name of a server is often the name of its log.
fn name_used<'a>(from: &Node<'_>, to: &Node<'a>) -> Option<&'a str> {
    let name = to.name.rsplit('/').next().filter(|name| !name.is_empty())?;
    let speaks = |group: &Group| group.upstreams.contains(name);
    let sketch = from.sketch.filter(|_| from.hop != to.hop)?;
    sketch
        .requests()
        .values()
        .chain(sketch.ids().values())
        .any(speaks)
        .then_some(name)
}

/// A hop that is reached by way of another is not reached directly.
fn drop_shortcuts(edges: &mut BTreeMap<HopId, BTreeSet<HopId>>) {
    let all = edges.clone();
    for inner in edges.values_mut() {
        let direct = inner.clone();
        inner.retain(|hop| {
            !direct
                .iter()
                .any(|via| via != hop && all.get(via).is_some_and(|further| further.contains(hop)))
        });
    }
}

/// The correction of every hop's clock: along the best-supported pairs, from the outermost hop inwards. What the user
/// gave is where the others start from.
fn settle_clocks(
    nodes: &[Node<'_>],
    order: &[HopId],
    fits: &BTreeMap<(HopId, HopId), Fit>,
) -> BTreeMap<HopId, (Shift, Fit)> {
    let given = nodes
        .iter()
        .filter_map(|node| Some((node.hop, Shift::of(node.given_us?))));
    let mut settled: BTreeMap<HopId, Shift> = given.collect();
    let mut clocks = BTreeMap::new();
    let tree = tree(order, fits);
    grow(&tree, &mut settled, &mut clocks);
    for &root in order {
        if settled.contains_key(&root) {
            continue;
        }
        let mut own = BTreeMap::from([(root, Shift::default())]);
        let mut learnt = BTreeMap::new();
        grow(&tree, &mut own, &mut learnt);
        let known = |hop: &HopId| nodes.iter().any(|node| node.hop == *hop && !node.zone_unknown);
        // The outermost hop's clock is taken for right, but not its zone if its stamps do not say it.
        let reference = order.iter().find(|hop| known(hop) && learnt.contains_key(hop));
        if let Some((shift, fit)) = reference
            .filter(|_| !known(&root))
            .and_then(|hop| learnt.get(hop))
            .copied()
        {
            let (zone, _) = clocks::zone_and_skew(shift.us);
            learnt.insert(root, (Shift::default(), fit));
            learnt.values_mut().for_each(|(shift, _)| shift.us -= zone);
        }
        settled.extend(own);
        clocks.extend(learnt);
    }
    clocks
}

/// The pairs by which the hops' clocks hang together: no two ways between two hops, the best pairs before others.
fn tree(order: &[HopId], fits: &BTreeMap<(HopId, HopId), Fit>) -> Vec<(HopId, HopId, Fit)> {
    let mut pairs: Vec<(HopId, HopId, Fit)> = Vec::new();
    for (at, &outer) in order.iter().enumerate() {
        let inner = order[at + 1..].iter();
        pairs.extend(inner.filter_map(|&inner| Some((outer, inner, *fits.get(&(outer, inner))?))));
    }
    pairs.retain(|(_, _, fit)| fit.steady && fit.alone);
    pairs.sort_by_key(|(_, _, fit)| (left_open(fit), Reverse(fit.pairs)));
    let mut part_of: BTreeMap<HopId, HopId> = order.iter().map(|&hop| (hop, hop)).collect();
    pairs.retain(|(outer, inner, _)| {
        let (a, b) = (part_of[outer], part_of[inner]);
        part_of
            .values_mut()
            .filter(|part| **part == b)
            .for_each(|part| *part = a);
        a != b
    });
    pairs
}

/// Pairs that are enough to prefer fine stamps to more pairs.
const ENOUGH: u32 = 20;

/// What a fit leaves open of the clocks' difference, in steps; less is better. Of stamps of whole seconds without durations
/// many pairs agree by accident, so that how many do says less than how narrow the offsets are that they leave.
fn left_open(fit: &Fit) -> i64 {
    match (fit.pairs >= ENOUGH, fit.coarse) {
        (true, false) => 0,
        (true, true) => 1 + fit.spread_us / SAME_SPREAD_US,
        (false, _) => i64::MAX,
    }
}

/// Spreads below this are as good as each other: what is left of them depends on single pairs.
const SAME_SPREAD_US: i64 = 100_000;

/// Settles every hop that is connected to a settled one.
fn grow(
    tree: &[(HopId, HopId, Fit)],
    settled: &mut BTreeMap<HopId, Shift>,
    clocks: &mut BTreeMap<HopId, (Shift, Fit)>,
) {
    loop {
        let next =
            tree.iter().find_map(
                |&(outer, inner, fit)| match (settled.get(&outer), settled.get(&inner)) {
                    (Some(&known), None) => Some((inner, fit.shift.then(known), fit)),
                    (None, Some(&known)) => Some((outer, fit.shift.inverse().then(known), fit)),
                    _ => None,
                },
            );
        let Some((hop, correction, fit)) = next else {
            return;
        };
        settled.insert(hop, correction);
        clocks.insert(hop, (correction, fit));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::mix;
    use crate::select::sketch::{Sample, Told};

    fn fit(pairs: u32, spread_us: i64, coarse: bool) -> Fit {
        Fit {
            shift: Shift::default(),
            spread_us,
            pairs,
            compared: pairs,
            coarse,
            steady: true,
            alone: true,
            ..Fit::default()
        }
    }

    #[test]
    fn a_coarse_clock_is_compared_where_least_is_left_open() {
        let [outer, middle, inner] = [HopId(0), HopId(1), HopId(2)];
        let fits = BTreeMap::from([
            ((outer, inner), fit(620, 1, false)),
            ((outer, middle), fit(618, 1_000, true)),
            ((middle, inner), fit(636, 500_000, true)),
        ]);
        let pairs = |fits| {
            tree(&[outer, middle, inner], fits)
                .into_iter()
                .map(|(a, b, _)| (a, b))
        };
        assert!(pairs(&fits).eq([(outer, inner), (outer, middle)]));
        // Few pairs leave little open by accident.
        let fits = BTreeMap::from([
            ((outer, middle), fit(6, 1, true)),
            ((outer, inner), fit(7, 1, false)),
            ((middle, inner), fit(40, 300_000, true)),
        ]);
        assert!(pairs(&fits).eq([(middle, inner), (outer, inner)]));
        // Of fits that leave about the same open the one with the most pairs counts.
        let fits = BTreeMap::from([
            ((outer, middle), fit(730, 2_500, true)),
            ((outer, inner), fit(512, 142, false)),
            ((middle, inner), fit(654, 1, true)),
        ]);
        assert!(pairs(&fits).eq([(outer, inner), (outer, middle)]));
    }

    /// Three hops, each 1 ms further in; the middle one's clock is half a second fast.
    fn sketches() -> [Sketch; 3] {
        let mut hops = [Sketch::default(), Sketch::default(), Sketch::default()];
        for n in 0..200u64 {
            let start = 5_000_000_000 + n as i64 * 41_017;
            let length = 10_000 + (mix(n) % 40_000) as i64;
            for (depth, sketch) in hops.iter_mut().enumerate() {
                let inset = depth as i64 * 1_000;
                let shift = if depth == 1 { 500_000 } else { 0 };
                sketch.offer_id(
                    mix(n),
                    Some(Sample {
                        start_us: start + inset + shift,
                        end_us: start + length - inset + shift,
                        resolution_us: 1,
                        whole: true,
                        upstream: 0,
                    }),
                    Told {
                        path: b"/a",
                        upstream: if depth == 1 { b"10.0.0.7:3000" } else { b"" },
                    },
                );
            }
        }
        hops
    }

    fn node(hop: u16, sketch: &Sketch) -> Node<'_> {
        Node {
            hop: HopId(hop),
            name: "",
            sketch: Some(sketch),
            zone_unknown: false,
            place: if hop == 2 { Place::Inner } else { Place::Outer },
            routes_to: Vec::new(),
            addresses: Vec::new(),
            clients: BTreeSet::new(),
            given_rank: None,
            given_us: None,
        }
    }

    #[test]
    fn three_nested_hops_are_put_in_order_and_in_time() {
        let [a, b, c] = sketches();
        let topology = work_out(&[node(2, &c), node(1, &b), node(0, &a)], &|_, _| None);
        assert_eq!(topology.order, [HopId(0), HopId(1), HopId(2)]);
        assert_eq!(topology.edges[&HopId(0)], BTreeSet::from([HopId(1)]));
        assert_eq!(topology.edges[&HopId(1)], BTreeSet::from([HopId(2)]));
        assert!((topology.clocks[&HopId(1)].0.us + 500_000).abs() < 3_000);
        assert!(topology.clocks[&HopId(2)].0.us.abs() < 3_000);
        assert!(topology.by_id.contains(&(HopId(2), HopId(0))));
        assert_eq!(
            topology.addresses[&HopId(2)],
            BTreeSet::from(["10.0.0.7:3000".to_owned()])
        );
    }

    #[test]
    fn an_address_behind_which_several_hops_are_reached_is_none_of_theirs() {
        let mut hops = [Sketch::default(), Sketch::default(), Sketch::default()];
        for n in 0..200u64 {
            let sample = |inset: i64| Sample {
                start_us: n as i64 * 41_017 + inset,
                end_us: n as i64 * 41_017 + 30_000 - inset,
                resolution_us: 1,
                whole: true,
                upstream: 0,
            };
            let told = |upstream: &'static [u8]| Told {
                path: b"/a",
                upstream,
            };
            hops[0].offer_id(mix(n), Some(sample(0)), told(b"10.0.0.7:8000"));
            hops[1 + usize::from(n % 4 == 0)].offer_id(mix(n), Some(sample(1_000)), told(b""));
        }
        let [edge, one, other] = hops;
        let mut one = node(1, &one);
        one.place = Place::Inner;
        let topology = work_out(&[node(0, &edge), one, node(2, &other)], &|_, _| None);
        assert_eq!(topology.edges[&HopId(0)], BTreeSet::from([HopId(1), HopId(2)]));
        assert_eq!(topology.addresses, BTreeMap::new());
    }

    #[test]
    fn servers_with_clients_of_their_own_stand_side_by_side() {
        let mut hops = [Sketch::default(), Sketch::default()];
        for n in 0..40u64 {
            let at = n as i64 * 7_000_000;
            let sample = Sample {
                start_us: at,
                end_us: at,
                resolution_us: 1_000_000,
                whole: false,
                upstream: 0,
            };
            let told = Told {
                path: b"/a",
                upstream: b"",
            };
            hops.iter_mut()
                .for_each(|hop| hop.offer_request(mix(n), Some(sample), told));
        }
        let [a, b] = &hops;
        let clients = |from: u64, count: u64| (from..from + count).map(mix).collect();
        let edges = |clients: [BTreeSet<u64>; 2], address: &str| {
            let [mut one, mut other] = [node(0, a), node(1, b)];
            [one.clients, other.clients] = clients;
            one.routes_to = vec!["10.0.0.2:80".to_owned()];
            other.addresses = vec![address.to_owned()];
            work_out(&[one, other], &|_, _| None).edges.len()
        };
        let elsewhere = "10.0.0.9:80";
        assert_eq!(edges([clients(0, 40), clients(100, 40)], elsewhere), 0);
        // Few are the addresses of a proxy; some of the outer hop's are passed on; a configuration says more.
        assert_eq!(edges([clients(0, 40), clients(100, 3)], elsewhere), 1);
        assert_eq!(edges([clients(0, 40), clients(20, 40)], elsewhere), 1);
        assert_eq!(edges([clients(0, 40), clients(100, 40)], "10.0.0.2:80"), 1);
    }

    #[test]
    fn an_address_is_the_same_however_it_is_spelt() {
        for spelt in [
            "localhost:3000",
            "[::1]:3000",
            "http://127.0.0.1:3000/x",
            "[::ffff:127.0.0.1]:3000",
        ] {
            assert_eq!(canonical(spelt), "127.0.0.1:3000", "{spelt}");
        }
        assert_eq!(canonical("[2001:DB8::7]:80"), "[2001:db8::7]:80");
        assert_eq!(canonical("shop.example.com:80"), "shop.example.com:80");
        assert!(same_address("localhost:3000", "127.0.0.1:3000"));
    }

    #[test]
    fn a_configured_route_decides_the_direction() {
        let empty = Sketch::default();
        let mut front = node(1, &empty);
        front.routes_to = vec!["10.0.0.3:8080".into()];
        let mut back = node(0, &empty);
        back.addresses = vec![":8080".into()];
        let topology = work_out(&[back, front], &|_, _| None);
        assert_eq!(topology.order, [HopId(1), HopId(0)]);
    }
}
