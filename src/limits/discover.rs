//! Finds configuration files beside the logs and reads them. What a file is, its content says.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use why502_parsers::Product;

use super::include::{FILE_CAP_BYTES, Reading, canonical, entries, problem};
use super::merge::merge;
use super::readers::{Head, Read as ReadConfig, claimant};
use super::text::DEPTH_CAP;
use super::{ServerConfig, apache, app, caddy, edgemicro, haproxy, logs, nginx};
use crate::model::finding::Problem;

/// Bytes of a file that decide what it is.
const HEAD_BYTES: u64 = 64 << 10;
/// Files looked at below the given paths; a home directory given by mistake should not be searched for hours.
const LOOKED_AT_CAP: usize = 50_000;

/// Configuration files among `paths` and below those that are directories, in ascending order. Links to
/// directories are not followed, hidden directories are left out.
pub fn discover(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut found = BTreeSet::new();
    let mut todo: Vec<(PathBuf, usize)> = paths.iter().map(|path| (path.clone(), 0)).collect();
    let mut looked_at = 0;
    while let Some((path, depth)) = todo.pop() {
        looked_at += 1;
        if looked_at > LOOKED_AT_CAP {
            break;
        }
        // A path given by the user may be a link; one found below may lead anywhere.
        let meta = if depth == 0 {
            fs::metadata(&path)
        } else {
            fs::symlink_metadata(&path)
        };
        let Ok(meta) = meta else { continue };
        if meta.is_dir() && depth < DEPTH_CAP {
            let below = entries(&path).into_iter().filter(|path| !is_hidden(path));
            todo.extend(below.map(|path| (path, depth + 1)));
        } else if fs::metadata(&path).is_ok_and(|meta| meta.is_file() && meta.len() <= FILE_CAP_BYTES)
            && head(&path).is_some_and(|head| sniff(&path, &head).is_some())
        {
            found.insert(path);
        }
    }
    found.into_iter().collect()
}

fn is_hidden(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

fn head(path: &Path) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    fs::File::open(path)
        .ok()?
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .ok()?;
    Some(head)
}

/// Reads each file (with the name reports are to show) as the configuration it is. A file that another
/// includes is part of that one and not read for itself.
pub fn read_all(files: &[(PathBuf, String)]) -> (Vec<ServerConfig>, Vec<Problem>) {
    let mut read: Vec<(PathBuf, Option<ServerConfig>, Reading)> = Vec::new();
    for (file, shown) in files {
        let mut reading = Reading::default();
        let config = match one(file, shown, &mut reading) {
            Ok(config) => Some(config),
            Err(problem) => {
                reading.problems.push(problem);
                None
            }
        };
        read.push((canonical(file), config, reading));
    }
    let included = |main: &PathBuf| -> bool {
        let others = read.iter().filter(|(file, ..)| file != main);
        // Two files that include each other are both read.
        others.into_iter().any(|(file, _, reading)| {
            reading.files.contains(main)
                && !read
                    .iter()
                    .any(|(own, _, back)| own == main && back.files.contains(file))
        })
    };
    let mains: Vec<bool> = read.iter().map(|(file, ..)| !included(file)).collect();
    let mut configs = Vec::new();
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    for ((file, config, reading), is_main) in read.into_iter().zip(mains) {
        if is_main && seen.insert(file) {
            configs.extend(config.filter(says_something));
            problems.extend(reading.problems);
        }
    }
    (merge(configs), problems)
}

/// A fragment such as a list of headers says nothing that is asked for here.
fn says_something(config: &ServerConfig) -> bool {
    let ServerConfig {
        listens,
        routes,
        logs,
        error_logs,
        ..
    } = config;
    !(listens.is_empty() && routes.is_empty() && logs.is_empty() && error_logs.is_empty())
}

fn one(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    if !file.is_file() {
        return Err(problem(
            shown,
            "cannot read: no such file".to_owned(),
            "check its path",
        ));
    }
    let Some(head) = head(file) else {
        return Err(problem(
            shown,
            "cannot read the file".to_owned(),
            "check its permissions",
        ));
    };
    match reader(file, &head) {
        Some((_, read)) => read(file, shown, reading).map(|mut config| {
            logs::add(&mut config, file, reading);
            config
        }),
        None => {
            let hint = "the list of those that are known is in the README; give the values with --limit or in a why502.toml";
            Err(problem(
                shown,
                "not a known server configuration".to_owned(),
                hint,
            ))
        }
    }
}

/// What program a file configures, from the start of its content; `None` if it is no configuration.
/// The name of the file only lowers the bar where it speaks for the same program.
pub fn sniff(path: &Path, head: &[u8]) -> Option<Product> {
    reader(path, head).map(|(product, _)| product)
}

/// The same with what reads such a file.
fn reader(path: &Path, head: &[u8]) -> Option<(Product, ReadConfig)> {
    if head.contains(&0) {
        return None;
    }
    let text = String::from_utf8_lossy(head);
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default();
    // Documents quote configuration.
    if [".md", ".rst", ".html", ".adoc"]
        .iter()
        .any(|end| name.ends_with(end))
        || text.contains("\n```")
    {
        return None;
    }
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| is_content(line))
        .take(2_000)
        .collect();
    let marked = claimant(&Head {
        name: &name,
        text: &text,
        lines: &lines,
    });
    if let Some(reader) = marked {
        return Some((reader.product, reader.read));
    }
    let named = |word: &str| usize::from(name.contains(word));
    let enough =
        |score: usize, hint: usize| score + hint >= 2 && score > 0 && (score + hint) * 4 >= lines.len();
    let count = |test: &dyn Fn(&str) -> bool| lines.iter().filter(|line| test(line)).count();
    let scores = [
        (Product::EdgeMicro, count(&is_edgemicro) * 2, lines.len()),
        (Product::Nginx, count(&is_nginx), named("nginx")),
        (Product::Haproxy, count(&is_haproxy), named("haproxy")),
        (
            Product::Apache,
            count(&is_apache),
            named("httpd") + named("apache"),
        ),
        (Product::Caddy, count(&is_caddy), named("caddy")),
        (Product::Gunicorn, count(&is_gunicorn), named("gunicorn")),
    ];
    let best = scores
        .into_iter()
        .filter(|(_, score, hint)| enough(*score, *hint))
        .max_by_key(|(_, score, _)| *score);
    let product = best.map(|(product, ..)| product).or_else(|| command(&lines))?;
    let read: ReadConfig = match product {
        Product::Nginx => nginx::read,
        Product::Haproxy => haproxy::read,
        Product::Apache => apache::read,
        Product::Caddy => caddy::read,
        Product::EdgeMicro => edgemicro::read,
        Product::Gunicorn => app::read_gunicorn,
        Product::Uvicorn => app::read_uvicorn,
        _ => return None,
    };
    Some((product, read))
}

fn is_content(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

fn first_word(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

/// A line that ends as nginx's do and starts with one of its words.
fn is_nginx(line: &str) -> bool {
    const WORDS: [&str; 28] = [
        "http",
        "server",
        "location",
        "upstream",
        "events",
        "listen",
        "server_name",
        "proxy_pass",
        "include",
        "root",
        "worker_processes",
        "worker_connections",
        "error_log",
        "access_log",
        "log_format",
        "keepalive_timeout",
        "keepalive",
        "proxy_set_header",
        "proxy_http_version",
        "proxy_read_timeout",
        "proxy_connect_timeout",
        "proxy_send_timeout",
        "fastcgi_pass",
        "return",
        "pid",
        "user",
        "daemon",
        "proxy_next_upstream",
    ];
    let code = line.split(" #").next().unwrap_or_default().trim_end();
    WORDS.contains(&first_word(line).trim_end_matches([';', '{'])) && code.ends_with([';', '{', '}', '\''])
}

fn is_haproxy(line: &str) -> bool {
    const WORDS: [&str; 16] = [
        "bind",
        "server",
        "mode",
        "timeout",
        "default_backend",
        "use_backend",
        "balance",
        "option",
        "maxconn",
        "log",
        "log-format",
        "retries",
        "http-reuse",
        "stats",
        "acl",
        "daemon",
    ];
    const HEADS: [&str; 5] = ["global", "defaults", "frontend", "backend", "listen"];
    let word = first_word(line);
    let inner = line.starts_with([' ', '\t']) && WORDS.contains(&word);
    (inner || (HEADS.contains(&word) && line.split_whitespace().count() <= 4))
        && !line.ends_with([';', '{', ':'])
}

fn is_apache(line: &str) -> bool {
    const WORDS: [&str; 30] = [
        "serverroot",
        "listen",
        "loadmodule",
        "proxypass",
        "proxypassreverse",
        "proxypassmatch",
        "customlog",
        "logformat",
        "errorlog",
        "errorlogformat",
        "servername",
        "serveralias",
        "keepalive",
        "keepalivetimeout",
        "timeout",
        "proxytimeout",
        "includeoptional",
        "include",
        "balancermember",
        "documentroot",
        "proxyset",
        "sslproxyengine",
        "maxkeepaliverequests",
        "pidfile",
        "loglevel",
        "serveradmin",
        "proxypreservehost",
        "rewriterule",
        "rewriteengine",
        "requestheader",
    ];
    const BLOCKS: [&str; 7] = [
        "<virtualhost",
        "<location",
        "<proxy",
        "<ifmodule",
        "<directory",
        "</virtualhost>",
        "<locationmatch",
    ];
    let word = first_word(line).to_ascii_lowercase();
    (WORDS.contains(&word.as_str()) || BLOCKS.iter().any(|block| word.starts_with(block)))
        && !line.ends_with([';', '{', ':'])
}

fn is_caddy(line: &str) -> bool {
    const WORDS: [&str; 20] = [
        "reverse_proxy",
        "file_server",
        "php_fastcgi",
        "handle",
        "handle_path",
        "dial_timeout",
        "transport",
        "encode",
        "response_header_timeout",
        "lb_policy",
        "respond",
        "admin",
        "auto_https",
        "root",
        // Of `log`, whose blocks are long.
        "output",
        "format",
        "wrap",
        "time_format",
        "request>uri",
        "log",
    ];
    let word = first_word(line);
    let is_address = word.starts_with(':') || word.starts_with("http://") || word.starts_with("https://");
    (WORDS.contains(&word) || (is_address && line.ends_with('{'))) && !line.ends_with(';')
}

fn is_gunicorn(line: &str) -> bool {
    const WORDS: [&str; 14] = [
        "bind",
        "workers",
        "worker_class",
        "timeout",
        "keepalive",
        "graceful_timeout",
        "threads",
        "max_requests",
        "accesslog",
        "errorlog",
        "access_log_format",
        "worker_connections",
        "preload_app",
        "loglevel",
    ];
    let Some((name, value)) = line.split_once('=') else {
        return false;
    };
    WORDS.contains(&name.trim_end()) && !value.is_empty() && !value.starts_with('=')
}

fn is_edgemicro(line: &str) -> bool {
    line == "edgemicro:"
}

/// A file that starts gunicorn or uvicorn with options.
fn command(lines: &[&str]) -> Option<Product> {
    if calls(lines, "gunicorn") {
        return Some(Product::Gunicorn);
    }
    calls(lines, "uvicorn").then_some(Product::Uvicorn)
}

/// Whether a line starts `program` with options: the program's own word, then a dash.
pub(super) fn calls(lines: &[&str], program: &str) -> bool {
    // A log of another program may quote a command line; a script that starts a server is short.
    lines.len() <= 200
        && lines.iter().any(|line| {
            let mut words = line
                .split([' ', '\t', '"', ',', '[', '\'', '='])
                .filter(|word| !word.is_empty())
                .take(12);
            words.any(|word| word.rsplit('/').next() == Some(program))
                && (line.contains(" -") || line.contains("\"-"))
        })
}
