//! Generates the logs of three hops (HAProxy, nginx, IIS) with known failures.
//!
//! The same seed and size give the same bytes. Requests are made in order of arrival and written as
//! they end, so memory does not grow with the size asked for.

pub mod cast;
pub mod clock;
pub mod configs;
pub mod exchange;
pub mod generate;
pub mod lines;
pub mod rng;
pub mod scenario;
pub mod sink;
pub mod truth;
