//! What `why502 explain` found, as text and as JSON.

use std::io;

use super::{Style, json, text};
use crate::model::explain::Explanation;

/// Writes it as one pretty-printed object.
///
/// # Errors
/// Whatever `out` fails with.
pub fn json(explanation: &Explanation, out: &mut dyn io::Write) -> io::Result<()> {
    json::pretty(explanation, out)
}

/// Writes it for the terminal.
///
/// # Errors
/// Whatever `out` fails with.
pub fn text(explanation: &Explanation, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    text::explain::write(explanation, style, out)
}

/// The JSON Schema of [`json()`], made from the types themselves.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Explanation).to_value()
}
