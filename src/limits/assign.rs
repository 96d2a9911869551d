//! Which configuration is which hop's.

use std::collections::BTreeMap;
use std::path::Path;

use why502_parsers::Product;

use super::text::{host_of, port_of};
use super::{Assigned, ServerConfig};
use crate::model::{Hop, HopId};

/// Gives each configuration to its hop: the one it is named like; else the only one of its product; else the
/// one reached under an address it listens on; else all of its product, marked as a guess.
/// A configuration of a product that no hop has is left to [`unclaimed`].
pub fn assign(configs: Vec<ServerConfig>, hops: &[Hop]) -> BTreeMap<HopId, Vec<ServerConfig>> {
    let mut assigned: BTreeMap<HopId, Vec<ServerConfig>> = BTreeMap::new();
    for config in configs {
        let (how, owners) = owners(&config, hops);
        for owner in owners {
            let config = ServerConfig {
                assigned: how,
                ..config.clone()
            };
            assigned.entry(owner).or_default().push(config);
        }
    }
    // A guess adds nothing where a configuration is known to be the hop's own.
    for configs in assigned.values_mut() {
        if configs.iter().any(|config| config.assigned < Assigned::Guessed) {
            configs.retain(|config| config.assigned < Assigned::Guessed);
        }
    }
    assigned
}

/// The configurations of servers that left no log: no hop is of their product.
pub fn unclaimed(configs: &[ServerConfig], hops: &[Hop]) -> Vec<ServerConfig> {
    let is_nobodys = |config: &&ServerConfig| owners(config, hops).1.is_empty();
    configs.iter().filter(is_nobodys).cloned().collect()
}

fn owners(config: &ServerConfig, hops: &[Hop]) -> (Assigned, Vec<HopId>) {
    let pick = |test: &dyn Fn(&Hop) -> bool| -> Vec<HopId> {
        let fitting = hops
            .iter()
            .enumerate()
            .filter(|(_, hop)| is_of(config.product, hop.product) && test(hop));
        fitting
            .filter_map(|(index, _)| u16::try_from(index).ok().map(HopId))
            .collect()
    };
    let named = pick(&|hop| is_named(&config.file, &hop.name));
    if !named.is_empty() {
        return (Assigned::Named, named);
    }
    let exact = pick(&|hop| hop.product == config.product);
    let all = if exact.is_empty() { pick(&|_| true) } else { exact };
    if all.len() == 1 {
        return (Assigned::Only, all);
    }
    let reached = pick(&|hop| {
        hop.addresses
            .iter()
            .any(|address| listens_on(&config.listens, address))
    });
    if !reached.is_empty() {
        return (Assigned::Address, reached);
    }
    (Assigned::Guessed, all)
}

/// Whether a configuration of `config` can be that of a hop seen as `hop`: an application's own log lines do
/// not say which server it runs under.
fn is_of(config: Product, hop: Product) -> bool {
    let under_a_server = matches!(
        config,
        Product::Gunicorn
            | Product::Uvicorn
            | Product::Uwsgi
            | Product::PhpFpm
            | Product::Ruby
            | Product::Tomcat
            | Product::Jetty
            | Product::Undertow
            | Product::Java
            | Product::DotNet
    );
    // Spring's properties do not say which server runs inside; its lines may.
    let is_java = |product| {
        matches!(
            product,
            Product::Tomcat | Product::Jetty | Product::Undertow | Product::Java
        )
    };
    config == hop
        || hop == Product::Unknown
        || (under_a_server && hop == Product::Application)
        || (is_java(config) && is_java(hop))
}

/// Whether a directory of the path, or the file itself without its ending, is called `name`.
fn is_named(file: &str, name: &str) -> bool {
    let path = Path::new(file);
    let stem = path
        .file_stem()
        .is_some_and(|stem| stem.eq_ignore_ascii_case(name));
    stem || path
        .parent()
        .is_some_and(|dir| dir.iter().any(|part| part.eq_ignore_ascii_case(name)))
}

/// Whether a server that listens on `listens` is reached under `address`. A listener without a host, or with
/// the unspecified address, takes every host.
fn listens_on(listens: &[String], address: &str) -> bool {
    listens.iter().any(|listen| {
        let any = matches!(host_of(listen), "" | "0.0.0.0" | "::");
        listen == address || (any && port_of(listen).is_some() && port_of(listen) == port_of(address))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::model::{LimitKind, Logs};

    fn hop(name: &str, product: Product, addresses: &[&str]) -> Hop {
        let addresses = addresses.iter().map(|text| (*text).to_owned()).collect();
        Hop {
            name: name.to_owned(),
            product,
            upstreams: Vec::new(),
            addresses,
            logs: Logs::default(),
            rewrites: Vec::new(),
        }
    }

    fn config(file: &str, listen: &str) -> ServerConfig {
        ServerConfig {
            listens: vec![listen.to_owned()],
            ..ServerConfig::new(Product::Nginx, file)
        }
    }

    fn outcome(config: ServerConfig, hops: &[Hop]) -> Vec<(u16, Assigned)> {
        assign(vec![config], hops)
            .into_iter()
            .map(|(hop, configs)| (hop.0, configs[0].assigned))
            .collect()
    }

    #[test]
    fn a_directory_named_like_the_hop_decides_before_an_address() {
        let hops = [
            hop("edge", Product::Nginx, &["10.0.0.1:80"]),
            hop("inner", Product::Nginx, &["10.0.0.2:81"]),
        ];
        assert_eq!(
            outcome(config("logs/edge/nginx.conf", ":81"), &hops),
            [(0, Assigned::Named)]
        );
        assert_eq!(
            outcome(config("configs/inner.conf", ":80"), &hops),
            [(1, Assigned::Named)]
        );
        assert_eq!(
            outcome(config("nginx.conf", ":81"), &hops),
            [(1, Assigned::Address)]
        );
        assert_eq!(
            outcome(config("nginx.conf", ":99"), &hops),
            [(0, Assigned::Guessed), (1, Assigned::Guessed)]
        );
    }

    #[test]
    fn the_only_hop_of_the_product_is_the_owner_and_others_never_are() {
        let hops = [hop("lb", Product::Haproxy, &[]), hop("web", Product::Nginx, &[])];
        assert_eq!(outcome(config("nginx.conf", ":80"), &hops), [(1, Assigned::Only)]);
        assert_eq!(
            outcome(config("lb/nginx.conf", ":80"), &hops),
            [(1, Assigned::Only)]
        );
        assert_eq!(outcome(config("nginx.conf", ":80"), &hops[..1]), []);
    }

    #[test]
    fn a_configuration_without_a_hop_is_known_by_its_address() {
        let hops = [hop("edge", Product::Haproxy, &[])];
        let configs = [
            config("app/nginx.conf", ":3000"),
            ServerConfig::new(Product::Haproxy, "h.cfg"),
        ];
        let left = unclaimed(&configs, &hops);
        assert_eq!(left.len(), 1);
        let mut limits = Limits::default();
        limits.know_behind(left);
        let idle = |address| {
            limits
                .behind(address, LimitKind::ClientIdle)
                .and_then(|limit| limit.value_us)
        };
        assert_eq!(idle("10.0.0.7:3000"), Some(75_000_000));
        assert_eq!(idle("10.0.0.7:3001"), None);
    }

    #[test]
    fn a_guess_gives_way_to_a_configuration_known_to_be_the_hops_own() {
        let hops = [hop("a", Product::Nginx, &[]), hop("b", Product::Nginx, &[])];
        let assigned = assign(vec![config("a/nginx.conf", ":1"), config("x.conf", ":2")], &hops);
        assert_eq!(assigned[&HopId(0)].len(), 1);
        assert_eq!(assigned[&HopId(1)][0].assigned, Assigned::Guessed);
    }
}
