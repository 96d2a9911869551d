//! Caddy configuration: the Caddyfile. Its JSON form is in `caddy_json`.
//!
//! Source: Caddy documentation, "Caddyfile Concepts", "reverse_proxy", "Global options".

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use why502_parsers::Product;

use super::text::{
    At, DEPTH_CAP, Directive, LimitMap, Reading, Target, canonical, duration_us, has_port, put,
};
use super::{LogDeclaration, Matching, Retry, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// A bare number in a Caddyfile duration is in nanoseconds, as Go counts.
const BARE_US: u64 = 0;

/// Directives after all imports; a snippet that imports itself would never end.
const DIRECTIVES_CAP: usize = 200_000;

/// Reads one Caddyfile with its imports, or a JSON configuration.
///
/// # Errors
/// A problem that names the file if the main file cannot be read. Syntax errors are notes in `reading`.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    if text.trim_start().starts_with('{') && text.contains("\"apps\"") {
        return super::caddy_json::read(&text, shown);
    }
    let shown: Rc<str> = Rc::from(shown);
    let list = blocks(&text, &shown, reading);
    let mut imports = Imports {
        reading,
        snippets: BTreeMap::new(),
        open: vec![canonical(file)],
        budget: DIRECTIVES_CAP,
        depth: 0,
    };
    let list = imports.expand(list);
    let mut walk = Walk::new(&shown);
    walk.sites(&list);
    Ok(walk.config)
}

/// The file as nested directives. After a syntax error the rest is closed as it stands.
fn blocks(text: &str, file: &Rc<str>, reading: &mut Reading) -> Vec<Directive> {
    let mut stack: Vec<(Option<Directive>, Vec<Directive>)> = vec![(None, Vec::new())];
    let lines = match tokens(text) {
        Ok(lines) => lines,
        Err((line, lines)) => {
            reading.note(
                &At {
                    file: Rc::clone(file),
                    line,
                },
                "a quote is not closed",
                "`caddy validate` shows the place",
            );
            lines
        }
    };
    for (line, mut words) in lines {
        let at = At {
            file: Rc::clone(file),
            line,
        };
        if words.len() == 1 && words.first().is_some_and(|word| word == "}") {
            if stack.len() > 1 {
                pop(&mut stack);
            } else {
                reading.note(&at, "a `}` closes nothing", "`caddy validate` shows the place");
            }
            continue;
        }
        let opens = words.last().is_some_and(|word| word == "{");
        if opens {
            words.pop();
        }
        let directive = Directive {
            words,
            at,
            block: Vec::new(),
        };
        if opens && stack.len() < DEPTH_CAP {
            stack.push((Some(directive), Vec::new()));
        } else if let Some((_, list)) = stack.last_mut() {
            list.push(directive);
        }
    }
    if let Some((Some(head), _)) = stack.last() {
        reading.note(
            &head.at,
            "a block is not closed",
            "`caddy validate` shows the place",
        );
    }
    while stack.len() > 1 {
        pop(&mut stack);
    }
    stack.pop().map(|(_, list)| list).unwrap_or_default()
}

fn pop(stack: &mut Vec<(Option<Directive>, Vec<Directive>)>) {
    let Some((Some(mut head), mut list)) = stack.pop() else {
        return;
    };
    if list.is_empty() {
        // Tells an empty block from no block.
        list.push(Directive {
            words: Vec::new(),
            at: head.at.clone(),
            block: Vec::new(),
        });
    }
    head.block = list;
    if let Some((_, outer)) = stack.last_mut() {
        outer.push(head);
    }
}

type Lines = Vec<(u32, Vec<String>)>;

/// Words by line. A quote that stays open is an error with what came before it.
fn tokens(text: &str) -> Result<Lines, (u32, Lines)> {
    let mut lines: Lines = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let (mut line, mut first) = (1_u32, 1_u32);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => {
                if !words.is_empty() {
                    lines.push((first, std::mem::take(&mut words)));
                }
                line += 1;
                first = line;
            }
            _ if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '\\' if chars.peek() == Some(&'\n') => {
                chars.next();
                line += 1;
            }
            '"' | '`' => {
                let mut word = String::new();
                let opened = line;
                loop {
                    match chars.next() {
                        None => return Err((opened, lines)),
                        Some(end) if end == c => break,
                        Some('\\') if c == '"' && chars.peek() == Some(&'"') => word.extend(chars.next()),
                        Some(other) => {
                            line += u32::from(other == '\n');
                            word.push(other);
                        }
                    }
                }
                words.push(word);
            }
            _ => {
                let mut word = String::from(c);
                while let Some(next) = chars.next_if(|c| !c.is_whitespace()) {
                    word.push(next);
                }
                // A heredoc runs to the line that holds its marker; none of its kind holds a timer.
                if let Some(marker) = word.strip_prefix("<<").filter(|marker| !marker.is_empty()) {
                    line += skip_heredoc(&mut chars, marker);
                }
                words.push(with_defaults(&word));
            }
        }
    }
    if !words.is_empty() {
        lines.push((first, words));
    }
    Ok(lines)
}

fn skip_heredoc(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, marker: &str) -> u32 {
    let mut skipped = 0;
    let mut current = String::new();
    while let Some(c) = chars.next_if(|c| *c != '\n' || current.trim() != marker) {
        if c == '\n' {
            skipped += 1;
            current.clear();
        } else {
            current.push(c);
        }
    }
    skipped
}

/// `{$NAME:default}` as its default: the environment of another machine is not known.
fn with_defaults(word: &str) -> String {
    let Some(start) = word.find("{$") else {
        return word.to_owned();
    };
    let (before, tail) = word.split_at(start);
    let Some((inside, after)) = tail.split_once('}') else {
        return word.to_owned();
    };
    match inside.split_once(':') {
        Some((_, default)) => format!("{before}{default}{}", with_defaults(after)),
        None => word.to_owned(),
    }
}

/// Replaces `import` by snippets and files.
struct Imports<'a> {
    reading: &'a mut Reading,
    snippets: BTreeMap<String, Vec<Directive>>,
    open: Vec<PathBuf>,
    budget: usize,
    depth: usize,
}

impl Imports<'_> {
    fn expand(&mut self, list: Vec<Directive>) -> Vec<Directive> {
        let mut out = Vec::with_capacity(list.len().min(1_024));
        for mut directive in list {
            if self.budget == 0 {
                break;
            }
            self.budget -= 1;
            let snippet = directive
                .name()
                .strip_prefix('(')
                .and_then(|name| name.strip_suffix(')'));
            if let Some(name) = snippet.map(str::to_owned) {
                self.snippets.insert(name, directive.block);
            } else if directive.name() == "import" {
                let imported = self.import(&directive);
                out.extend(imported);
            } else {
                directive.block = self.expand(directive.block);
                out.push(directive);
            }
        }
        out
    }

    fn import(&mut self, directive: &Directive) -> Vec<Directive> {
        if self.depth >= DEPTH_CAP {
            self.reading.note(
                &directive.at,
                "imports are nested too deep",
                "remove the circular import",
            );
            return Vec::new();
        }
        self.depth += 1;
        let mut out = Vec::new();
        if let Some(mut body) = self.snippets.get(directive.arg(0)).cloned() {
            fill(&mut body, directive.args().get(1..).unwrap_or_default());
            out = self.expand(body);
        } else {
            for (file, shown, text) in
                self.reading
                    .include(directive.arg(0), &directive.at, &self.open.clone())
            {
                self.open.push(file);
                let list = blocks(&text, &shown, self.reading);
                out.extend(self.expand(list));
                self.open.pop();
            }
        }
        self.depth -= 1;
        out
    }
}

/// Puts the arguments of an import in the place of `{args[0]}` (or `{args.0}`).
fn fill(list: &mut [Directive], args: &[String]) {
    for directive in list {
        for word in &mut directive.words {
            for (n, arg) in args
                .iter()
                .enumerate()
                .filter(|_| word.contains("{args"))
                .collect::<Vec<_>>()
            {
                *word = word
                    .replace(&format!("{{args[{n}]}}"), arg)
                    .replace(&format!("{{args.{n}}}"), arg);
                // An argument is put in once: one that names itself must not grow without end.
                if word.len() > 4_096 {
                    word.clear();
                }
            }
        }
        fill(&mut directive.block, args);
    }
}

/// An address line that opens no block and is not continued on the next line.
fn is_lone_address(head: &Directive) -> bool {
    head.block.is_empty() && !head.words.last().is_some_and(|word| word.ends_with(','))
}

/// What a path of the configuration tree is for.
#[derive(Debug, Clone, Default)]
struct Place {
    hosts: Vec<String>,
    path: String,
    matching: Matching,
    /// Named matchers: their paths and hosts.
    matchers: BTreeMap<String, (Vec<String>, Vec<String>)>,
}

struct Walk {
    config: ServerConfig,
    http_port: String,
    https_port: String,
    front: LimitMap,
}

impl Walk {
    fn new(shown: &str) -> Self {
        Self {
            config: ServerConfig::new(Product::Caddy, shown),
            http_port: "80".to_owned(),
            https_port: "443".to_owned(),
            front: LimitMap::new(),
        }
    }

    fn sites(&mut self, list: &[Directive]) {
        for options in list.iter().filter(|d| d.words.is_empty()) {
            self.options(&options.block);
        }
        if !self.front.is_empty() {
            self.config.routes.push(Route {
                limits: self.front.clone(),
                ..Route::default()
            });
        }
        let mut sites: Vec<&Directive> = list.iter().filter(|d| !d.words.is_empty()).collect();
        // A file with a single site may go without braces: its first line is the address.
        if let Some((head, rest)) = sites.split_first().filter(|(head, _)| is_lone_address(head)) {
            let body: Vec<Directive> = rest.iter().map(|d| (*d).clone()).collect();
            self.site(&head.words, &body);
            return;
        }
        sites.retain(|d| !d.name().starts_with("&("));
        // Addresses separated by commas may run over several lines before the block opens.
        let mut pending: Vec<String> = Vec::new();
        for site in sites {
            pending.extend(site.words.iter().cloned());
            if !site.block.is_empty() {
                self.site(&std::mem::take(&mut pending), &site.block);
            }
        }
    }

    fn options(&mut self, list: &[Directive]) {
        for directive in list {
            match directive.name() {
                "http_port" => directive.arg(0).clone_into(&mut self.http_port),
                "https_port" => directive.arg(0).clone_into(&mut self.https_port),
                "log" => self.log(directive),
                "servers" => {
                    let timeouts = directive
                        .block
                        .iter()
                        .filter(|d| d.name() == "timeouts")
                        .flat_map(|d| &d.block);
                    for timer in timeouts.filter(|d| d.name() == "idle") {
                        if let Some(value) = duration_us(timer.arg(0), BARE_US) {
                            put(
                                &mut self.front,
                                timer
                                    .at
                                    .limit(LimitKind::ClientIdle, "timeouts idle", Some(value)),
                            );
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn site(&mut self, words: &[String], body: &[Directive]) {
        let mut place = Place::default();
        for address in words
            .iter()
            .flat_map(|word| word.split(','))
            .map(str::trim)
            .filter(|word| !word.is_empty())
        {
            let target = Target::parse(address);
            let host = super::text::host_of(&target.address).trim_start_matches(':');
            if !host.is_empty() && !host.bytes().all(|b| b.is_ascii_digit()) {
                place.hosts.push(host.to_owned());
            }
            let usual = if target.scheme == "http" {
                &self.http_port
            } else {
                &self.https_port
            };
            let port = super::text::port_of(&target.address).unwrap_or(usual);
            self.config.listens.push(format!(":{port}"));
            if target.path.len() > 1 {
                (place.path, place.matching) = path_of(&target.path);
            }
        }
        self.config.listens.sort();
        self.config.listens.dedup();
        let bare = words
            .iter()
            .any(|word| word.trim_start_matches("http://").starts_with(':'));
        if bare {
            place.hosts.clear();
        }
        self.level(body, &place);
    }

    fn level(&mut self, list: &[Directive], place: &Place) {
        let mut place = place.clone();
        for matcher in list.iter().filter(|d| d.name().starts_with('@')) {
            let found = place.matchers.entry(matcher.name().to_owned()).or_default();
            let inline = Directive {
                words: matcher.args().to_vec(),
                at: matcher.at.clone(),
                block: Vec::new(),
            };
            for condition in std::iter::once(&inline).chain(&matcher.block) {
                match condition.name() {
                    "path" => found.0.extend(condition.args().iter().cloned()),
                    "host" => found.1.extend(condition.args().iter().cloned()),
                    _ => {}
                }
            }
        }
        for directive in list {
            match directive.name() {
                "handle" | "handle_path" | "route" => {
                    for place in matched(&place, directive.arg(0)) {
                        self.level(&directive.block, &place);
                    }
                }
                "reverse_proxy" | "php_fastcgi" => self.proxy(directive, &place),
                "log" => self.log(directive),
                _ => {}
            }
        }
    }

    fn proxy(&mut self, directive: &Directive, place: &Place) {
        let matcher = directive
            .args()
            .first()
            .filter(|word| is_matcher(word))
            .map_or("", String::as_str);
        let skip = usize::from(!matcher.is_empty());
        let mut proxy = Proxy {
            limits: self.front.clone(),
            ..Proxy::default()
        };
        proxy.targets.extend(directive.args().iter().skip(skip).cloned());
        for line in &directive.block {
            match line.name() {
                "to" => proxy.targets.extend(line.args().iter().cloned()),
                "transport" => line.block.iter().for_each(|timer| proxy.transport(timer)),
                // `php_fastcgi` takes the timers of its transport directly.
                "dial_timeout" | "read_timeout" | "write_timeout" => proxy.transport(line),
                "lb_try_duration" => proxy.try_us = duration_us(line.arg(0), BARE_US),
                "lb_retries" => proxy.retries = line.arg(0).parse().ok(),
                _ => {}
            }
        }
        let fcgi = directive.name() == "php_fastcgi";
        for place in matched(place, matcher) {
            let route = Route {
                hosts: place.hosts,
                path: place.path,
                matching: place.matching,
                ..Route::default()
            };
            self.config.routes.push(proxy.route(route, fcgi));
        }
    }

    fn log(&mut self, directive: &Directive) {
        let output = directive
            .block
            .iter()
            .find(|d| d.name() == "output" && d.arg(0) == "file");
        let format = directive
            .block
            .iter()
            .find(|d| d.name() == "format")
            .map_or("json", |d| d.arg(0));
        if let Some(output) = output {
            self.config.logs.push(LogDeclaration {
                path: output.arg(1).to_owned(),
                name: format.to_owned(),
                text: String::new(),
                line: output.at.line,
            });
        }
    }
}

/// A `reverse_proxy` directive.
#[derive(Debug, Default)]
struct Proxy {
    targets: Vec<String>,
    limits: LimitMap,
    tls: bool,
    kept: Option<bool>,
    slots: Option<u32>,
    try_us: Option<u64>,
    retries: Option<u32>,
}

impl Proxy {
    fn transport(&mut self, line: &Directive) {
        let kind = match line.name() {
            "dial_timeout" => LimitKind::Connect,
            "response_header_timeout" => LimitKind::Read,
            // Both bound the wait for an answer; the header's own timer is the one that ends it.
            "read_timeout" => {
                let named = self
                    .limits
                    .get(&LimitKind::Read)
                    .is_some_and(|limit| limit.setting == "response_header_timeout");
                if named {
                    return;
                }
                LimitKind::Read
            }
            "write_timeout" => LimitKind::Send,
            "tls_timeout" => LimitKind::TlsHandshake,
            "keepalive" => {
                self.kept = Some(line.arg(0) != "off");
                LimitKind::UpstreamIdle
            }
            "max_conns_per_host" => {
                self.slots = line.arg(0).parse().ok().filter(|n| *n > 0);
                return;
            }
            name => {
                self.tls |= name == "tls" || name.starts_with("tls_");
                return;
            }
        };
        self.tls |= kind == LimitKind::TlsHandshake;
        if let Some(value) = duration_us(line.arg(0), BARE_US) {
            put(
                &mut self.limits,
                line.at.limit(kind, line.name(), Some(value).filter(|us| *us > 0)),
            );
        }
    }

    fn route(&self, base: Route, fcgi: bool) -> Route {
        let retry = (self.try_us.is_some() || self.retries.is_some()).then(|| Retry {
            policy: if self.retries.is_some() {
                "lb_retries"
            } else {
                "lb_try_duration"
            }
            .to_owned(),
            tries: self.retries.and_then(|n| n.checked_add(1)),
            timeout_us: self.try_us,
        });
        let targets: Vec<Target> = self.targets.iter().map(|text| Target::parse(text)).collect();
        Route {
            upstreams: self
                .targets
                .iter()
                .zip(&targets)
                .filter_map(|(text, target)| dial(text, target))
                .collect(),
            tls: self.tls || targets.iter().any(Target::is_tls),
            pooled: if fcgi {
                Some(false)
            } else {
                self.kept.or(Some(true))
            },
            limits: self.limits.clone(),
            retry,
            slots: self.slots,
            ..base
        }
    }
}

/// An upstream's address; none if it is computed for each request.
fn dial(text: &str, target: &Target) -> Option<(String, String)> {
    if text.contains('{') {
        return None;
    }
    if let Some(socket) = text.strip_prefix("unix/") {
        return Some((
            String::new(),
            format!("unix:{}", socket.trim_start_matches("/unix")),
        ));
    }
    let address = if target.address.starts_with(':') {
        format!("localhost{}", target.address)
    } else {
        target.address.clone()
    };
    Some((
        String::new(),
        if has_port(&address) {
            address
        } else {
            target.with_port()
        },
    ))
}

fn is_matcher(word: &str) -> bool {
    word.starts_with(['@', '/']) || word == "*"
}

/// `/api/*` is a prefix, `/api` that path alone.
pub(super) fn path_of(pattern: &str) -> (String, Matching) {
    match pattern.strip_suffix('*') {
        Some(prefix) => (prefix.to_owned(), Matching::Prefix),
        None => (pattern.to_owned(), Matching::Exact),
    }
}

/// The places a matcher leads to, one for each of its paths. A path inside a matched block narrows it only
/// if it is no shorter: `handle_path` has taken the prefix away.
fn matched(place: &Place, matcher: &str) -> Vec<Place> {
    let (paths, hosts) = match place.matchers.get(matcher) {
        Some((paths, hosts)) => (paths.clone(), hosts.clone()),
        None if matcher.starts_with('/') => (vec![matcher.to_owned()], Vec::new()),
        None => (Vec::new(), Vec::new()),
    };
    let mut base = place.clone();
    if !hosts.is_empty() {
        base.hosts = hosts;
    }
    if paths.is_empty() {
        return vec![base];
    }
    let narrowed = |pattern: &String| {
        let (path, matching) = path_of(pattern);
        if path.starts_with(&base.path) {
            Place {
                path,
                matching,
                ..base.clone()
            }
        } else {
            base.clone()
        }
    };
    paths.iter().map(narrowed).collect()
}
