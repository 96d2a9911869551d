//! Tomcat: the `pattern` of each access log valve in `server.xml` or a context file.
//!
//! Source: Tomcat documentation, "Access Log Valve". The file is `directory/prefix<date>suffix`. The extended valve writes a
//! `#Fields:` line of its own, the JSON valve names its keys.

use super::super::LogDeclaration;
use super::super::xml;
use super::log;

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    xml::parsed(text, |root| {
        let valves = root.all("Valve");
        valves
            .filter(|valve| valve.text_of("className").ends_with(".AccessLogValve"))
            .map(|valve| {
                let or = |name: &str, default: &'static str| match valve.text_of(name) {
                    "" => default,
                    text => text,
                };
                let path = format!(
                    "{}/{}{}",
                    or("directory", "logs"),
                    or("prefix", "access_log").trim_end_matches('.'),
                    or("suffix", "")
                );
                log(&path, "AccessLogValve", valve.text_of("pattern"), valve.line())
            })
            .collect()
    })
}
