//! IIS: the columns of each site's log in `applicationHost.config`, for files that lost their `#Fields:` line.
//!
//! Columns stand in IIS's own order, whatever the order of the flags; custom fields follow.
//! Source: Microsoft, "Log Files for a Web Site `<logFile>`".

use super::super::LogDeclaration;
use super::super::xml::{self, Element};
use super::log;

/// The flags in the order of the columns they turn on.
const COLUMNS: [(&str, &str); 22] = [
    ("Date", "date"),
    ("Time", "time"),
    ("SiteName", "s-sitename"),
    ("ComputerName", "s-computername"),
    ("ServerIP", "s-ip"),
    ("Method", "cs-method"),
    ("UriStem", "cs-uri-stem"),
    ("UriQuery", "cs-uri-query"),
    ("ServerPort", "s-port"),
    ("UserName", "cs-username"),
    ("ClientIP", "c-ip"),
    ("ProtocolVersion", "cs-version"),
    ("UserAgent", "cs(User-Agent)"),
    ("Cookie", "cs(Cookie)"),
    ("Referer", "cs(Referer)"),
    ("Host", "cs-host"),
    ("HttpStatus", "sc-status"),
    ("HttpSubStatus", "sc-substatus"),
    ("Win32Status", "sc-win32-status"),
    ("BytesSent", "sc-bytes"),
    ("BytesRecv", "cs-bytes"),
    ("TimeTaken", "time-taken"),
];

/// What is logged unless the flags say otherwise.
const DEFAULT: &str = "Date, Time, ClientIP, UserName, ServerIP, Method, UriStem, UriQuery, HttpStatus, Win32Status, \
                       TimeTaken, ServerPort, UserAgent, Referer, HttpSubStatus";

pub(super) fn logs(text: &str) -> Vec<LogDeclaration> {
    xml::parsed(text, |root| {
        let defaults = root
            .all("siteDefaults")
            .flat_map(|site| site.children("logFile"))
            .next();
        let mut logs = Vec::new();
        for site in root.all("site") {
            let own = site.children("logFile").next();
            logs.extend(
                own.or(defaults)
                    .and_then(|file| of_file(file, defaults, site.text_of("name"))),
            );
        }
        if logs.is_empty() {
            logs.extend(defaults.and_then(|file| of_file(file, None, "site defaults")));
        }
        logs
    })
}

/// The columns of a `logFile`, what it does not say taken from `defaults`; `None` if it is not W3C.
fn of_file(file: Element<'_>, defaults: Option<Element<'_>>, name: &str) -> Option<LogDeclaration> {
    let say = |attribute: &str| match (file.text_of(attribute), defaults) {
        ("", Some(defaults)) => defaults.text_of(attribute),
        (text, _) => text,
    };
    if !matches!(say("logFormat"), "" | "W3C") {
        return None;
    }
    let flags = match say("logExtFileFlags") {
        "" => DEFAULT,
        flags => flags,
    };
    let has = |flag: &str| flags.split(',').any(|own| own.trim().eq_ignore_ascii_case(flag));
    let mut columns: Vec<&str> = COLUMNS
        .iter()
        .filter(|(flag, _)| has(flag))
        .map(|(_, column)| *column)
        .collect();
    let custom = file
        .children("customFields")
        .next()
        .or_else(|| defaults?.children("customFields").next());
    let added: Vec<Element<'_>> = custom.map_or_else(Vec::new, |fields| fields.children("add").collect());
    columns.extend(added.iter().map(|field| field.text_of("logFieldName")));
    Some(log(
        "",
        name,
        &format!("#Fields: {}", columns.join(" ")),
        file.line(),
    ))
}
