//! The log formats that servers' configurations declare, compiled.

use std::sync::Arc;

use why502_parsers::format::{Format, Product};
use why502_parsers::paste::{self, Dialect};

use crate::limits::{LogDeclaration, ServerConfig};
use crate::model::finding::Problem;
use crate::sniff::DeclaredFormat;

/// The formats of `configs`, and those that do not compile. Formats that are written to one log are one.
pub(super) fn formats(configs: &[ServerConfig]) -> (Vec<DeclaredFormat>, Vec<Problem>) {
    let (mut formats, mut problems) = (Vec::new(), Vec::new());
    for config in configs {
        // Only products whose format language is known declare formats that can be compiled.
        let Some(dialect) = dialect(config) else {
            continue;
        };
        for (path, logs) in by_place(config) {
            let mut compiled = Vec::new();
            for (log, tells_failures) in logs {
                match compile(config, dialect, log) {
                    Ok(Some(format)) if tells_failures => compiled.push(paste::of_failures(format)),
                    Ok(format) => compiled.extend(format),
                    Err(problem) => problems.push(problem),
                }
            }
            if let Some(format) = paste::any_of(compiled) {
                formats.push(DeclaredFormat {
                    format,
                    log_path: path.to_owned(),
                    config: config.file.clone(),
                    is_definition: false,
                });
            }
        }
    }
    (formats, problems)
}

/// In which language `config` has its formats.
fn dialect(config: &ServerConfig) -> Option<Dialect> {
    let dialect = Dialect::by_name(config.product.name()).ok()?;
    let is_old = || {
        ["tomcat9", "tomcat8", "tomcat7", "tomcat-9", "tomcat-8"]
            .iter()
            .any(|word| config.file.contains(word))
    };
    Some(match dialect {
        Dialect::Tomcat if is_old() => Dialect::Tomcat9,
        other => other,
    })
}

/// The logs of `config` by where they are written, each with whether its lines tell of failures only. What HAProxy
/// logs goes to one place whatever its format; elsewhere a format without a place is one that no log is known to have.
fn by_place(config: &ServerConfig) -> Vec<(&str, Vec<(&LogDeclaration, bool)>)> {
    let is_shared = config.product == Product::Haproxy;
    let failures = config
        .error_logs
        .iter()
        .filter(|log| is_shared && !log.text.is_empty());
    let mut places: Vec<(&str, Vec<(&LogDeclaration, bool)>)> = Vec::new();
    for (log, tells_failures) in config
        .logs
        .iter()
        .map(|log| (log, false))
        .chain(failures.map(|log| (log, true)))
    {
        let can_join = is_shared || !log.path.is_empty();
        let place = places.iter_mut().find(|(path, _)| can_join && *path == log.path);
        match place {
            Some((_, logs)) if logs.iter().any(|(known, _)| known.text == log.text) => {}
            Some((_, logs)) => logs.push((log, tells_failures)),
            None => places.push((&log.path, vec![(log, tells_failures)])),
        }
    }
    places
}

/// The format of `log`; `None` if it is one that needs no telling.
fn compile(
    config: &ServerConfig,
    dialect: Dialect,
    log: &LogDeclaration,
) -> Result<Option<Arc<dyn Format>>, Problem> {
    let text = match log.text.trim() {
        // Caddy's own encoders are recognised by themselves.
        "" if dialect == Dialect::Caddy => return Ok(None),
        "" => dialect.default_format(),
        _ => &log.text,
    };
    if text.is_empty() {
        return Ok(None);
    }
    let name = format!("{} {}", config.product.name(), log.name);
    paste::compile(dialect, name.trim_end(), text)
        .map(Some)
        .map_err(|error| Problem {
            path: format!("{}:{}", config.file, log.line),
            message: format!("log format '{}' is not understood: {error}", log.name),
            hint: "its logs are recognised by shape instead; --log-format overrides".to_owned(),
        })
}
