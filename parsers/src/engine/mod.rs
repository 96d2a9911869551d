//! The engines that formats are built from: templates of fields between fixed bytes, JSON keys, W3C field lists.

pub mod faults;
pub mod json;
pub mod w3c;
