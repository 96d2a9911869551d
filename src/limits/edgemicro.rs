//! Edge Microgateway configuration: the `edgemicro` section of `<org>-<env>-config.yaml`.
//!
//! Only the section's own scalar keys are read, which needs no YAML library. The keep-alive and header timers
//! are in milliseconds, the request timer in seconds. Source: Apigee Edge Microgateway documentation.

use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::include::Reading;
use super::text::{At, LimitMap, duration_us, put};
use super::{Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one configuration file.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let name: Rc<str> = Rc::from(shown);
    let mut config = ServerConfig::new(Product::EdgeMicro, shown);
    let mut limits = LimitMap::new();
    let mut inside = false;
    let mut margin = None;
    for (index, line) in text.lines().enumerate() {
        let body = line.trim_start();
        if body.is_empty() || body.starts_with('#') {
            continue;
        }
        let indent = line.len() - body.len();
        if indent == 0 {
            inside = body.trim_end() == "edgemicro:";
            margin = None;
            continue;
        }
        // Deeper keys belong to sections within (`logging:`), which have keys of the same names.
        if !inside || indent != *margin.get_or_insert(indent) {
            continue;
        }
        let Some((key, value)) = body.split_once(':') else {
            continue;
        };
        let value = value.split(" #").next().unwrap_or_default().trim();
        let at = At {
            file: Rc::clone(&name),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        };
        let (kind, bare_us) = match key {
            "port" => {
                config.listens.push(format!(":{value}"));
                continue;
            }
            "keep_alive_timeout" => (LimitKind::ClientIdle, 1_000),
            "request_timeout" => (LimitKind::Read, 1_000_000),
            _ => continue,
        };
        if let Some(us) = duration_us(value, bare_us) {
            put(&mut limits, at.limit(kind, &format!("edgemicro.{key}"), Some(us)));
        }
    }
    config.routes.push(Route {
        limits,
        ..Route::default()
    });
    Ok(config)
}
