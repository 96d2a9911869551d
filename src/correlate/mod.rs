//! Correlate: which records are of the same request.

pub mod clocks;
pub mod details;
mod drift;
pub mod join;
pub mod topology;
pub mod zones;

pub use join::join;
