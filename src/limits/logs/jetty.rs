//! Jetty: `jetty.requestlog.formatString` in `start.d/requestlog.ini` or `start.ini`, and the arguments of a
//! `CustomRequestLog` in an XML file.
//!
//! Source: Jetty documentation, "Module requestlog"; `requestlog.mod`. The file's name has its date in front
//! (`yyyy_mm_dd.request.log`).

use super::super::LogDeclaration;
use super::super::xml;
use super::{lines, log};

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    match text.trim_start().starts_with('<') {
        true => of_xml(text),
        false => of_ini(text),
    }
}

fn of_ini(text: &str) -> Vec<LogDeclaration> {
    let (mut format, mut path) = (None, String::new());
    for (number, line) in lines(text) {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        // `?=` sets a value unless there is one.
        match name.trim().trim_end_matches('?') {
            "jetty.requestlog.formatString" => format = Some((value.trim().to_owned(), number)),
            "jetty.requestlog.filePath" => path = undated(value),
            _ => {}
        }
    }
    let declared = format.map(|(format, line)| log(&path, "requestlog", &format, line));
    declared.into_iter().collect()
}

fn of_xml(text: &str) -> Vec<LogDeclaration> {
    xml::parsed(text, |root| {
        let made = root
            .all("New")
            .chain(root.all("Configure"))
            .chain(root.all("Set"));
        let request_logs = made.filter(|element| element.text_of("class").ends_with(".CustomRequestLog"));
        let formats = request_logs.flat_map(|request_log| {
            let arguments = request_log.children("Arg").map(|argument| {
                let property = argument.child("Property");
                let default = property.and_then(|property| property.attribute("default"));
                (default.map_or(argument.text(), |(text, _)| text), argument.line())
            });
            arguments
                .filter(|(text, _)| text.contains('%'))
                .collect::<Vec<_>>()
        });
        formats
            .map(|(format, line)| log("", "requestlog", format, line))
            .collect()
    })
}

/// The path of a log without the date that stands for the day in its name.
fn undated(path: &str) -> String {
    let path = path.trim();
    path.replace("yyyy_mm_dd.", "").replace("yyyy_MM_dd.", "")
}
