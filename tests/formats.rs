//! No format claims another's logs: what every log of `samples/` and of the parsers' test data is recognised as, by
//! its content and its name alone (no server configuration beside it).
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use program::root;
use why502::discover::discover;
use why502::model::Input;
use why502::plan::Plan;
use why502::sniff::{self, Detected, Forced, Part, Surroundings};
use why502::{Error, read};
use why502_parsers::format::{Head, Score};
use why502_parsers::registry;

/// Endings of paths and the format that wrote such logs; the first that fits holds.
const WRITTEN_BY: &[(&str, &str)] = &[
    ("edge-nginx/access.log", "nginx"),
    ("web-nginx/access.log", "nginx"),
    ("nginx/error.log", "nginx-error"),
    ("edge-apache/access.log", "apache"),
    ("edge-apache/error.log", "apache-error"),
    ("lb-haproxy/haproxy.log", "haproxy"),
    ("edge-caddy/access.log", "caddy"),
    ("edge-caddy/caddy.log", "caddy"),
    ("edge-squid/access.log", "squid"),
    ("edge-squid/cache.log", "squid"),
    ("cache-varnish/access.log", "varnish"),
    ("cache-varnish/backend.log", "varnish"),
    ("cache-varnish/fetch-errors.log", "varnishlog"),
    ("edge-express/access.log", "morgan-combined"),
    ("edge-express/app.log", "app-json"),
    ("shop-app/access.log", "gunicorn"),
    ("exports-app/access.log", "gunicorn"),
    ("shop-app/error.log", "gunicorn-error"),
    ("exports-app/error.log", "gunicorn-error"),
    ("-app/app.log", "node-json"),
    ("-api.log", "edgemicro"),
    ("data/edgemicro.log", "edgemicro"),
    ("data/bunyan.log", "node-json"),
    ("data/pino-http.log", "node-json"),
    ("data/winston.log", "app-json"),
    ("data/caddy.log", "caddy"),
    ("data/caddy-console.log", "caddy"),
    ("data/gunicorn-error.log", "gunicorn-error"),
    ("data/nginx-json-bare.log", "nginx-json"),
    ("data/nginx-json-hex.log", "nginx-json"),
    ("data/nginx-json-quoted.log", "nginx-json"),
    ("data/node-crash.log", "node-text"),
    ("data/node-heap.log", "node-text"),
    ("data/morgan-combined.log", "morgan-combined"),
    ("data/morgan-dev.log", "morgan"),
    ("data/morgan-short.log", "morgan"),
    ("data/morgan-tiny.log", "morgan"),
    ("data/php-errors.log", "php-fpm"),
    ("data/php-fpm-access.log", "php-fpm-access"),
    ("data/php-fpm-slow.log", "php-fpm"),
    ("data/php-fpm.log", "php-fpm"),
    ("data/tomcat-access.log", "tomcat"),
    ("data/tomcat-catalina.log", "catalina"),
    ("data/uwsgi.log", "uwsgi"),
    ("data/apigee-router.log", "apigee-router"),
    ("data/clf-untimed.log", "clf-untimed"),
    ("data/jetty-access.log", "jetty"),
    ("data/jetty-custom.log", "jetty"),
    ("data/jetty-server.log", "java-text"),
    ("data/kestrel-json.log", "dotnet"),
    ("data/kestrel-simple.log", "dotnet"),
    ("data/kestrel-single.log", "dotnet"),
    ("data/kestrel-systemd.log", "dotnet"),
    ("data/kestrel-timed.log", "dotnet"),
    ("data/logback-json.log", "java-json"),
    ("data/logback.log", "java-text"),
    ("data/puma.log", "ruby-workers"),
    ("data/puma-single.log", "ruby-workers"),
    ("data/syslog.log", "linux"),
    ("data/unicorn.log", "ruby-workers"),
    ("data/lighttpd-access.log", "lighttpd"),
    ("data/lighttpd-error.log", "lighttpd"),
    ("data/trafficserver-error.log", "trafficserver"),
    ("data/trafficserver-extended2.log", "trafficserver"),
    ("data/varnishlog.log", "varnishlog"),
];

/// Formats of which no log can be captured here and none may be shipped, with what stands in the way: their lines come
/// from what their vendors document, in the tests of their own modules, and from foreign logs where those are at hand.
const UNTRIED: &[(&str, &str)] = &[
    ("api-gateway-csv", "Amazon writes it, and nobody else can"),
    ("api-gateway-xml", "as above"),
    (
        "openig-audit",
        "the gateway is in no registry of packages that can be had without an account",
    ),
    (
        "yarp",
        "it is a library of .NET, which needs NuGet; the same parser is tried as dotnet on Kestrel's logs",
    ),
    (
        "windows-eventlog-csv",
        "it is made on Windows; the events are those of the XML and text exports",
    ),
    (
        "undertow",
        "it is a library in Maven's repository, not in Debian's; its lines are the common log format",
    ),
    (
        "iis-ncsa",
        "it runs on Windows; its lines are the common log format",
    ),
];

/// A log with what it was recognised as.
struct Recognised {
    input: Input,
    detected: Option<Detected>,
}

fn look(input: &Input, part: Part) -> Result<Vec<u8>, Error> {
    match part {
        Part::Head => read::head(input, sniff::HEAD),
        Part::Middle => read::middle(input, sniff::HEAD),
    }
}

/// The logs below `directory`, recognised together as in a run.
fn recognised(directory: &Path) -> Vec<Recognised> {
    let inputs = discover(&[directory.to_owned()]).unwrap().inputs;
    let forced = Forced::new(&Plan::default(), &[]).unwrap();
    let sniffed = sniff::detect(&inputs, Surroundings::default(), &forced, &look);
    assert!(sniffed.problems.is_empty(), "{:?}", sniffed.problems);
    let pairs = inputs.into_iter().zip(sniffed.formats);
    pairs
        .map(|(input, detected)| Recognised { input, detected })
        .collect()
}

/// Every log that has a line.
fn all() -> Vec<Recognised> {
    let mut directories: Vec<PathBuf> = program::samples()
        .iter()
        .map(|name| root().join("samples").join(name).join("logs"))
        .collect();
    directories.push(root().join("parsers/tests/data"));
    let mut all: Vec<Recognised> = directories.iter().flat_map(|one| recognised(one)).collect();
    all.retain(|log| log.input.bytes_on_disk > 0);
    assert!(all.len() > 30);
    all
}

fn written_by(stream: &str) -> Option<&'static str> {
    WRITTEN_BY
        .iter()
        .find(|(ending, _)| stream.ends_with(ending))
        .map(|(_, format)| *format)
}

#[test]
fn every_log_is_recognised_as_what_wrote_it() {
    let mut wrong = Vec::new();
    for Recognised { input, detected } in all() {
        let found = detected.as_ref().map(|detected| detected.format_name.as_str());
        if found.is_none() || found != written_by(&input.stream) {
            wrong.push(format!(
                "{}: {found:?}, wanted {:?}",
                input.shown,
                written_by(&input.stream)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The score of every format that claims `log`, and how many of its lines it reads.
fn claims(log: &Recognised) -> Vec<(Score, u32, &'static str)> {
    let bytes = look(&log.input, Part::Head).unwrap();
    let head = Head {
        bytes: &bytes,
        hints: &[],
        date_hint: None,
    };
    let sniffs = registry::builtin()
        .iter()
        .map(|format| (format.sniff(&head), format.name()));
    sniffs
        .filter(|(sniff, _)| sniff.score > Score::No)
        .map(|(sniff, name)| (sniff.score, sniff.parsed, name))
        .collect()
}

#[test]
fn a_format_that_would_have_done_as_well_is_named() {
    let mut silent = Vec::new();
    for log in all() {
        let detected = log.detected.as_ref().unwrap();
        if !detected.wrapper.is_empty() {
            continue; // What the formats see is inside; `claims` looks at the outside.
        }
        let claims = claims(&log);
        let Some(own) = claims.iter().find(|claim| claim.2 == detected.format_name) else {
            // A format that claims nothing unless it is hinted at, as the reason says.
            assert!(
                detected.reason.contains("taken for"),
                "{}: {detected:?}",
                log.input.shown
            );
            continue;
        };
        for (score, parsed, rival) in &claims {
            let is_equal = (*score, *parsed) >= (own.0, own.1) && *rival != own.2;
            // A shape that several products share is told by its surroundings, and the reason says by which.
            let is_told =
                detected.rivals.iter().any(|name| name == rival) || detected.reason.contains("taken for");
            if is_equal && !is_told {
                silent.push(format!("{}: {rival} as well as {}", log.input.shown, own.2));
            }
        }
    }
    assert!(silent.is_empty(), "{}", silent.join("\n"));
}

#[test]
fn every_format_is_tried_on_real_lines() {
    let recognised: BTreeSet<String> = all()
        .into_iter()
        .filter_map(|log| Some(log.detected?.format_name))
        .collect();
    // What cannot be captured here (IIS runs on Windows) is read by name in the tests of the parsers, and in foreign logs.
    let tests: String = fs::read_dir(root().join("parsers/tests"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .chain([root().join("tests/corpus.rs")])
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let untried: Vec<&str> = registry::builtin()
        .iter()
        .map(|format| format.name())
        .filter(|name| !recognised.contains(*name) && !tests.contains(&format!("\"{name}\"")))
        .collect();
    let mut listed: Vec<&str> = UNTRIED.iter().map(|(name, _)| *name).collect();
    listed.sort_by_key(|name| untried.iter().position(|other| other == name));
    assert_eq!(
        untried, listed,
        "formats without a log here, and those known to have none"
    );
    println!("with a captured log: {recognised:?}");
    for (name, reason) in UNTRIED {
        println!("without: {name}: {reason}");
    }
}
