//! Correlate: which records are of the same request.

mod assignment;
pub mod clocks;
pub mod details;
mod drift;
pub mod folds;
pub mod join;
mod owners;
mod pairs;
pub mod rewrites;
#[cfg(test)]
mod testing;
pub mod topology;
pub mod zones;

pub use join::join;
