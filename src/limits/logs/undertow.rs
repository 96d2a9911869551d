//! Undertow: the `access-log` of each host in WildFly's `standalone.xml` or `domain.xml`.
//!
//! Source: WildFly documentation, "Undertow subsystem". Without a pattern it is `common`; the file is
//! `directory/prefix<suffix>`, `access_log.log` by default.

use super::super::LogDeclaration;
use super::super::xml;
use super::log;

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    xml::parsed(text, |root| {
        let logs = root.all("access-log");
        logs.map(|element| {
            let or = |name: &str, default: &'static str| match element.text_of(name) {
                "" => default,
                text => text,
            };
            let path = format!("{}{}", or("prefix", "access_log."), or("suffix", "log"));
            log(&path, "access-log", or("pattern", "common"), element.line())
        })
        .collect()
    })
}
