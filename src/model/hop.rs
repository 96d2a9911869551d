//! A hop: one server (or one group of equal servers) on the way of a request.

use std::collections::BTreeMap;

use why502_parsers::Product;

use super::{Rewrite, SourceId};

/// Index of a hop in the run's list of hops; outermost (nearest the client) first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HopId(pub u16);

/// One hop.
#[derive(Debug, Clone)]
pub struct Hop {
    /// Its name: given by the user, else taken from the directory or file name of its logs.
    pub name: String,
    /// The program.
    pub product: Product,
    /// The hops it was seen to send requests to, in ascending order.
    pub upstreams: Vec<HopId>,
    /// Addresses (`host:port`) under which other hops reach it, if known.
    pub addresses: Vec<String>,
    /// What it does to paths before it sends requests on, as far as that is configured or was learnt.
    pub rewrites: Vec<Rewrite>,
    /// How its inputs hang together.
    pub logs: Logs,
}

/// How the inputs of a hop hang together.
#[derive(Debug, Clone, Default)]
pub struct Logs {
    /// Inputs whose requests another input of the hop has too, so that they do not count.
    pub copies: Vec<SourceId>,
    /// By input, the oldest part of the rotated log that it is a later part of.
    pub oldest_parts: BTreeMap<SourceId, SourceId>,
}

impl Logs {
    /// The log that `source` is a part of, by its oldest part.
    pub fn log_of(&self, source: SourceId) -> SourceId {
        self.oldest_parts.get(&source).copied().unwrap_or(source)
    }
}
