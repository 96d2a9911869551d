//! Which log a server writes where, and in which format: the strings as the configuration has them.
//!
//! nginx, HAProxy, Apache, Caddy and gunicorn say it among directives that depend on includes and blocks; their readers
//! collect it on the way. For everyone else one file here knows the place, with one line in [`READERS`].

mod envoy;
mod files;
mod iis;
mod ingress_nginx;
mod jetty;
mod lighttpd;
mod litespeed;
mod php_fpm;
mod squid;
#[cfg(test)]
mod tests;
mod tomcat;
mod traefik;
mod trafficserver;
mod undertow;
mod uwsgi;
mod varnish;

use std::path::Path;

use why502_parsers::Product;

use self::files::Files;
use super::include::{FILE_CAP_BYTES, Reading};
use super::{LogDeclaration, ServerConfig};
use crate::model::finding::Problem;

/// Finds the declarations in the text of a configuration file.
#[derive(Clone, Copy)]
enum Reader {
    /// All is in the one file.
    Alone(fn(&str) -> Vec<LogDeclaration>),
    /// It may name others.
    WithFiles(fn(&str, &mut Files<'_>) -> Vec<LogDeclaration>),
}

/// Every reader, by whose configuration it reads.
const READERS: [(Product, Reader); 14] = [
    (Product::Envoy, Reader::Alone(envoy::logs)),
    (Product::Iis, Reader::Alone(iis::logs)),
    (Product::Jetty, Reader::Alone(jetty::logs)),
    (Product::Lighttpd, Reader::WithFiles(lighttpd::logs)),
    (Product::LiteSpeed, Reader::Alone(litespeed::logs)),
    (Product::Nginx, Reader::Alone(ingress_nginx::logs)),
    (Product::PhpFpm, Reader::Alone(php_fpm::logs)),
    (Product::Squid, Reader::WithFiles(squid::logs)),
    (Product::Tomcat, Reader::Alone(tomcat::logs)),
    (Product::Traefik, Reader::Alone(traefik::logs)),
    (Product::TrafficServer, Reader::Alone(trafficserver::logs)),
    (Product::Undertow, Reader::Alone(undertow::logs)),
    (Product::Uwsgi, Reader::Alone(uwsgi::logs)),
    (Product::Varnish, Reader::WithFiles(varnish::logs)),
];

/// Adds the logs that `file` declares to what else was read of it.
pub(super) fn add(config: &mut ServerConfig, file: &Path, reading: &mut Reading) {
    let is_small = std::fs::metadata(file).is_ok_and(|meta| meta.len() <= FILE_CAP_BYTES);
    let Some(bytes) = is_small.then(|| std::fs::read(file).ok()).flatten() else {
        return;
    };
    let mut files = Files::new(file, &config.file, reading);
    let logs = of(config.product, &String::from_utf8_lossy(&bytes), &mut files);
    config.logs.extend(logs);
}

/// Reads a file that says nothing but which log varnishncsa writes, and how.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_varnish(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    bare(Product::Varnish, file, shown, reading)
}

/// The same of Traffic Server's `logging.yaml`.
///
/// # Errors
/// As [`read_varnish`].
pub(super) fn read_trafficserver(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    bare(Product::TrafficServer, file, shown, reading)
}

/// The same of LiteSpeed's configuration.
///
/// # Errors
/// As [`read_varnish`].
pub(super) fn read_litespeed(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    bare(Product::LiteSpeed, file, shown, reading)
}

/// The same of ingress-nginx's settings.
///
/// # Errors
/// As [`read_varnish`].
pub(super) fn read_ingress(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    bare(Product::Nginx, file, shown, reading)
}

/// A configuration of which only the logs are read, which is done by [`add`].
fn bare(product: Product, file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    reading.main(file, shown)?;
    Ok(ServerConfig::new(product, shown))
}

/// The logs that `text`, configuration of `product`, declares.
fn of(product: Product, text: &str, files: &mut Files<'_>) -> Vec<LogDeclaration> {
    match READERS.iter().find(|(own, _)| *own == product) {
        Some((_, Reader::Alone(logs))) => logs(text),
        Some((_, Reader::WithFiles(logs))) => logs(text, files),
        None => Vec::new(),
    }
}

fn log(path: &str, name: &str, text: &str, line: u32) -> LogDeclaration {
    LogDeclaration {
        path: path.to_owned(),
        name: name.to_owned(),
        text: text.to_owned(),
        line,
    }
}

/// The lines of `text` with their numbers, from 1, those that end in a backslash joined with the next.
fn lines(text: &str) -> Vec<(u32, String)> {
    let mut joined: Vec<(u32, String)> = Vec::new();
    let mut goes_on = false;
    for (line, number) in text.lines().zip(1..) {
        let (piece, more) = match line.strip_suffix('\\') {
            Some(piece) => (piece, true),
            None => (line, false),
        };
        match joined.last_mut() {
            Some((_, last)) if goes_on => last.push_str(piece.trim_start()),
            _ => joined.push((number, piece.to_owned())),
        }
        goes_on = more;
    }
    joined
}

/// A configured value without the quotes around it, `\"` undone.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    for quote in ['"', '\''] {
        if let Some(inner) = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote))
        {
            return inner.replace(&format!("\\{quote}"), &quote.to_string());
        }
    }
    value.to_owned()
}

/// The words of a command line as a shell parts them; quotes are taken off.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some('"'), '\\') => {
                let next = chars.next().unwrap_or('\\');
                let word = word.get_or_insert_default();
                if !matches!(next, '"' | '\\' | '$' | '`') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
