//! HAProxy configuration: which frontend sends to which backend, and with which timers.
//!
//! A proxy section takes what it does not say itself from the `defaults` section before it, or from the one
//! it names (`from NAME`). Bare numbers are milliseconds. Source: HAProxy configuration manual, sections 2 to 5.

use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::include::Reading;
use super::text::{At, Directive, LimitMap, duration_us, put, split_words};
use super::{LogDeclaration, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

const MILLISECOND_US: u64 = 1_000;

/// Words that begin a section.
pub(super) const SECTIONS: [&str; 22] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "userlist",
    "mailers",
    "cache",
    "program",
    "http-errors",
    "ring",
    "log-forward",
    "log-profile",
    "fcgi-app",
    "crt-store",
    "traces",
    "acme",
    "dynamic-update",
    "crt-list",
    "healthcheck",
];

/// What `option httplog`, `tcplog` and `httpslog` stand for.
const STOCK_FORMATS: [(&str, &str); 3] = [
    (
        "httplog",
        "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r",
    ),
    (
        "tcplog",
        "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq",
    ),
    (
        "httpslog",
        "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r \
         %[fc_err]/%[ssl_fc_err,hex]/%[ssl_c_err]/%[ssl_c_ca_err]/%[ssl_fc_is_resumed] %[ssl_fc_sni]/%sslv/%sslc",
    ),
];

/// Reads one HAProxy configuration file.
///
/// # Errors
/// A problem that names the file if it cannot be read. Syntax errors are notes in `reading`.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let sections = sections(&text, shown, reading);
    let mut config = ServerConfig::new(Product::Haproxy, shown);
    config.routes.extend(general(&sections));
    let mut used = BTreeSet::new();
    for front in sections.iter().filter(|s| s.is("frontend") || s.is("listen")) {
        config
            .listens
            .extend(front.all("bind").flat_map(|d| d.arg(0).split(',').map(bind)));
        // The older way: the address after the section's name.
        config.listens.extend(
            front
                .head
                .words
                .get(2)
                .filter(|word| word.contains(':'))
                .map(|word| bind(word)),
        );
        log(front, &mut config);
        for name in front.backends() {
            let Some(back) = sections
                .iter()
                .find(|s| s.name() == name && (s.is("backend") || s.is("listen")))
            else {
                continue;
            };
            used.insert(name.to_owned());
            config.routes.push(route(Some(front), back));
        }
        if front.is("listen") {
            used.insert(front.name().to_owned());
            config.routes.push(route(Some(front), front));
        }
    }
    let unused = sections
        .iter()
        .filter(|s| s.is("backend") && !used.contains(s.name()));
    config.routes.extend(unused.map(|back| route(None, back)));
    Ok(config)
}

/// One section with everything it inherits.
#[derive(Debug, Clone)]
struct Section {
    head: Directive,
    lines: Vec<Directive>,
    /// Lines of the defaults it rests on, the nearest last.
    inherited: Vec<Directive>,
}

impl Section {
    fn is(&self, kind: &str) -> bool {
        self.head.name() == kind
    }

    fn name(&self) -> &str {
        self.head.arg(0)
    }

    /// Its own lines of that name.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Directive> {
        self.lines.iter().filter(move |line| line.name() == name)
    }

    /// Everything that holds here; what comes later overrides.
    fn holding(&self) -> impl DoubleEndedIterator<Item = &Directive> {
        self.inherited.iter().chain(&self.lines)
    }

    fn last(&self, name: &str) -> Option<&Directive> {
        self.holding().rfind(|line| line.name() == name)
    }

    /// Whether `option NAME` holds: the last word on it decides.
    fn option(&self, name: &str) -> bool {
        let on = |line: &&Directive| line.name() == "option" && line.arg(0) == name;
        let off = |line: &&Directive| line.name() == "no" && line.arg(0) == "option" && line.arg(1) == name;
        self.holding()
            .rfind(|line| on(line) || off(line))
            .is_some_and(|line| on(&line))
    }

    fn timeout(&self, names: &[&str], kind: LimitKind, limits: &mut LimitMap) {
        for name in names {
            let found = self
                .holding()
                .rfind(|line| line.name() == "timeout" && line.arg(0) == *name);
            let Some(line) = found else { continue };
            // Zero means no limit.
            if let Some(value) = duration_us(line.arg(1), MILLISECOND_US) {
                let value = Some(value).filter(|us| *us > 0);
                put(limits, line.at.limit(kind, &format!("timeout {name}"), value));
            }
            return;
        }
    }

    /// Backends this frontend names; names computed per request cannot be known.
    fn backends(&self) -> BTreeSet<&str> {
        let default = self.last("default_backend").into_iter();
        default
            .chain(self.all("use_backend"))
            .map(|line| line.arg(0))
            .filter(|name| !name.contains('%'))
            .collect()
    }
}

/// Cuts the file into its sections and resolves what they inherit.
fn sections(text: &str, shown: &str, reading: &mut Reading) -> Vec<Section> {
    let file: Rc<str> = Rc::from(shown);
    let mut list: Vec<Section> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let at = At {
            file: Rc::clone(&file),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        };
        let (words, open) = split_words(line, true);
        if open {
            reading.note(
                &at,
                "a quote is not closed",
                "this line is not used; `haproxy -c -f` shows the place",
            );
            continue;
        }
        let Some(first) = words.first() else { continue };
        let is_section = SECTIONS.contains(&first.as_str());
        let directive = Directive {
            words,
            at,
            block: Vec::new(),
        };
        if is_section && !(directive.name() == "cache" && line.starts_with(char::is_whitespace)) {
            let inherited = inherited(&directive, &list);
            list.push(Section {
                head: directive,
                lines: Vec::new(),
                inherited,
            });
        } else if let Some(section) = list.last_mut() {
            section.lines.push(directive);
        } else if !directive.name().starts_with('.') {
            reading.note(
                &directive.at,
                "a setting outside of any section",
                "this line is not used",
            );
        }
    }
    list
}

/// What a section that begins now takes from the defaults before it.
fn inherited(head: &Directive, before: &[Section]) -> Vec<Directive> {
    let named = head
        .words
        .iter()
        .position(|word| word == "from")
        .and_then(|n| head.words.get(n + 1));
    let base = match named {
        Some(name) => before.iter().rfind(|s| s.is("defaults") && s.name() == name),
        None if head.name() == "defaults" => None,
        None => before.iter().rfind(|s| s.is("defaults")),
    };
    base.map(|base| base.holding().cloned().collect())
        .unwrap_or_default()
}

/// What holds for everything: the defaults, if there is only one such section.
fn general(sections: &[Section]) -> Option<Route> {
    let mut defaults = sections.iter().filter(|s| s.is("defaults"));
    let only = defaults.next().filter(|_| defaults.next().is_none())?;
    let limits = limits(Some(only), only);
    (!limits.is_empty()).then(|| Route {
        limits,
        retry: retry(only),
        ..Route::default()
    })
}

fn limits(front: Option<&Section>, back: &Section) -> LimitMap {
    let mut limits = LimitMap::new();
    back.timeout(&["connect"], LimitKind::Connect, &mut limits);
    back.timeout(&["server"], LimitKind::Read, &mut limits);
    back.timeout(&["server"], LimitKind::Send, &mut limits);
    back.timeout(&["queue", "connect"], LimitKind::Queue, &mut limits);
    if let Some(front) = front {
        front.timeout(
            &["http-keep-alive", "http-request", "client"],
            LimitKind::ClientIdle,
            &mut limits,
        );
    }
    limits
}

fn route(front: Option<&Section>, back: &Section) -> Route {
    let mut made = Route {
        group: back.name().to_owned(),
        limits: limits(front, back),
        retry: retry(back),
        pooled: pooled(back),
        ..Route::default()
    };
    // `default-server` holds for the servers after it.
    let mut base: Vec<String> = Vec::new();
    for line in back.inherited.iter().chain(&back.lines) {
        match line.name() {
            "default-server" => base.extend(line.args().iter().cloned()),
            "server" if line.args().len() >= 2 => {
                let words: Vec<&str> = base
                    .iter()
                    .map(String::as_str)
                    .chain(line.args().iter().skip(2).map(String::as_str))
                    .collect();
                made.upstreams
                    .push((line.arg(0).to_owned(), address(line.arg(1))));
                made.tls |= words.iter().rfind(|word| matches!(**word, "ssl" | "no-ssl")) == Some(&"ssl");
                let after = |name: &str| {
                    words
                        .iter()
                        .rposition(|word| *word == name)
                        .and_then(|n| words.get(n + 1))
                };
                made.slots = made
                    .slots
                    .or(after("maxconn").and_then(|n| n.parse().ok()).filter(|n| *n > 0));
                made.max_requests = made
                    .max_requests
                    .or(after("max-reuse").and_then(|n| n.parse().ok()));
                if after("pool-max-conn") == Some(&"0") {
                    made.pooled = Some(false);
                }
            }
            "server-template" if line.args().len() >= 3 => {
                made.upstreams.push((String::new(), address(line.arg(2))));
                made.tls |= line.args().iter().any(|word| word == "ssl");
            }
            _ => {}
        }
    }
    made
}

fn retry(back: &Section) -> Option<Retry> {
    let line = back.last("retries")?;
    let retries: u32 = line.arg(0).parse().ok()?;
    let on = back
        .last("retry-on")
        .map(|line| format!(", retry-on {}", line.args().join(" ")))
        .unwrap_or_default();
    Some(Retry {
        policy: format!("retries {retries}{on}"),
        tries: retries.checked_add(1),
        timeout_us: None,
    })
}

/// Whether server connections are kept: they are in HTTP mode, unless a closing mode is asked for. Even
/// `http-reuse never` keeps a connection for its own client.
fn pooled(back: &Section) -> Option<bool> {
    if back.last("mode").is_none_or(|line| line.arg(0) != "http") {
        return None;
    }
    Some(
        !["httpclose", "http-server-close", "forceclose"]
            .iter()
            .any(|name| back.option(name)),
    )
}

fn log(front: &Section, config: &mut ServerConfig) {
    let stock = STOCK_FORMATS.iter().find(|(name, _)| front.option(name));
    let (name, text, line) = match (front.last("log-format"), stock) {
        (Some(line), _) => ("log-format", line.arg(0).to_owned(), line.at.line),
        (None, Some((name, text))) => {
            let line = front
                .holding()
                .rfind(|line| line.name() == "option" && line.arg(0) == *name);
            (*name, (*text).to_owned(), line.map_or(0, |line| line.at.line))
        }
        (None, None) => return,
    };
    let log = LogDeclaration {
        path: String::new(),
        name: name.to_owned(),
        text,
        line,
    };
    if !config
        .logs
        .iter()
        .any(|known| known.name == log.name && known.text == log.text)
    {
        config.logs.push(log);
    }
    if let Some(line) = front.last("error-log-format") {
        let name = "error-log-format".to_owned();
        config.error_logs.push(LogDeclaration {
            path: String::new(),
            name,
            text: line.arg(0).to_owned(),
            line: line.at.line,
        });
    }
}

/// `bind` address: a star stands for all.
fn bind(text: &str) -> String {
    address(text.strip_prefix('*').unwrap_or(text))
}

/// Address without the family prefix (`ipv4@`).
fn address(text: &str) -> String {
    match text.split_once('@') {
        Some(("unix", path)) => format!("unix:{path}"),
        Some((_, rest)) => rest.to_owned(),
        None if text.starts_with('/') => format!("unix:{text}"),
        None => text.to_owned(),
    }
}
