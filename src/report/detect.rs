//! What `why502 detect` found, as text and as JSON.

use std::io;

use super::{Style, json, text};
use crate::model::detect::Detection;

/// Writes it as one pretty-printed object.
///
/// # Errors
/// Whatever `out` fails with.
pub fn json(detection: &Detection, out: &mut dyn io::Write) -> io::Result<()> {
    json::pretty(detection, out)
}

/// Writes it for the terminal.
///
/// # Errors
/// Whatever `out` fails with.
pub fn text(detection: &Detection, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    text::detect::write(detection, style, out)
}

/// The JSON Schema of [`json()`], made from the types themselves.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Detection).to_value()
}
