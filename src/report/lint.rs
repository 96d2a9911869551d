//! What `why502 lint` found, as text and as JSON.

use std::io;

use super::{Style, json, text};
use crate::model::lint::LintReport;

/// Writes it as one pretty-printed object.
///
/// # Errors
/// Whatever `out` fails with.
pub fn json(report: &LintReport, out: &mut dyn io::Write) -> io::Result<()> {
    json::pretty(report, out)
}

/// Writes it for the terminal.
///
/// # Errors
/// Whatever `out` fails with.
pub fn text(report: &LintReport, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
    text::lint::write(report, style, out)
}

/// The JSON Schema of [`json()`], made from the types themselves.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(LintReport).to_value()
}
