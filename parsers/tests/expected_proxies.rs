//! Logs of Envoy, Istio, Traefik, Squid, LiteSpeed, Kong, HAProxy and Caddy that other projects wrote, and the parses that
//! stand beside them, field by field.
//!
//! Looks for the logs in `$WHY502_FIXTURES`, else beside the repository; without them there is nothing to test.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // Helpers of tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use why502_parsers::entry::Entry;
use why502_parsers::{Format, Head, Line, Score, bytes, registry, time, wrap};

fn root() -> Option<PathBuf> {
    let root = match std::env::var_os("WHY502_FIXTURES") {
        Some(path) => PathBuf::from(path),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
    };
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no fixtures at {} (set WHY502_FIXTURES)", root.display());
    None
}

/// The lines with what stands around them in these files taken off: syslog headers, CRI, Compose and its times.
fn unwrapped(bytes: &[u8]) -> Vec<u8> {
    let known = ["syslog", "kubernetes cri", "docker compose", "docker time stamps"];
    let wrappers: Vec<_> = wrap::all()
        .iter()
        .filter(|wrapper| known.iter().any(|name| wrapper.name().starts_with(name)))
        .collect();
    let mut out = Vec::new();
    for mut line in bytes::lines(bytes) {
        while let Some(inside) = wrappers.iter().find_map(|wrapper| wrapper.unwrap(line)) {
            line = inside.text;
        }
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out
}

fn detect(bytes: &[u8]) -> Option<&'static dyn Format> {
    let head = Head {
        bytes,
        hints: &[],
        date_hint: None,
    };
    let mut best: Option<(Score, u32, &'static dyn Format)> = None;
    for &format in registry::builtin() {
        let sniff = format.sniff(&head);
        let better = best.is_none_or(|(score, parsed, _)| (sniff.score, sniff.parsed) > (score, parsed));
        if sniff.score > Score::No && better {
            best = Some((sniff.score, sniff.parsed, format));
        }
    }
    best.map(|(_, _, format)| format)
}

/// Entries of `bytes`, and the lines that were not read.
fn parse<'a>(format: &dyn Format, bytes: &'a [u8]) -> (Vec<Entry<'a>>, Vec<String>) {
    let head = Head {
        bytes,
        hints: &[],
        date_hint: None,
    };
    let mut parser = format.prepare(&head).open(b"");
    let (mut entries, mut broken) = (Vec::new(), Vec::new());
    for line in head.lines() {
        let mut entry = Entry::default();
        match parser.parse(line, &mut entry) {
            Ok(Line::Entry) => entries.push(entry),
            Ok(_) => {}
            Err(error) => broken.push(format!("{error}: {}", String::from_utf8_lossy(line))),
        }
    }
    (entries, broken)
}

/// Every log in the folders of these products, the format that must win, and how many entries it has.
const FILES: [(&str, &str, usize); 26] = [
    ("envoy/beats/envoy.log", "envoy", 4),
    ("envoy/crowdsec/envoy-logs.log", "envoy", 10),
    ("envoy/public-lines/envoy_flags_1.log", "envoy", 4),
    ("envoy-istio/integ/test-access-json-logs.log", "envoy", 3),
    ("envoy-istio/integ/test-access-logs.log", "envoy", 10),
    ("envoy-istio/public-lines/istio_uc_1.log", "envoy", 2),
    ("traefik/beats/test.log", "traefik", 7),
    ("traefik/crowdsec/traefik_base-http-scenario.log", "traefik", 80),
    ("traefik/integ/test-format-json.log", "traefik", 2),
    ("kong/public-lines/kong_tls_verify.log", "kong", 2),
    ("squid/beats/access1.log", "squid", 100),
    ("squid/logstash-patterns/squid_even.log", "squid", 2),
    ("litespeed/crowdsec/litespeed-logs.log", "litespeed", 3),
    ("haproxy/beats/default.log", "haproxy", 1),
    ("haproxy/beats/haproxy.log", "haproxy", 10),
    ("haproxy/crowdsec/haproxy-nextcloud-whitelist.log", "haproxy", 1),
    ("haproxy/hla/small.log", "haproxy", 9),
    ("haproxy/integ/test-error.log", "haproxy", 1),
    ("haproxy/integ/test-https.log", "haproxy", 1),
    ("haproxy/lnav/logfile_haproxy.0", "haproxy", 17),
    ("haproxy/logstash-patterns/haproxy_even.log", "haproxy", 4),
    ("haproxy/public-lines/haproxy_5xx_1.log", "haproxy", 2),
    ("caddy/crowdsec/caddy-logs.log", "caddy", 11),
    ("caddy/lnav/logfile_caddy_log.0", "caddy", 39),
    ("nginx-access/crowdsec/nginx-proxy-manager-logs.log", "nginx", 14),
    ("nginx-ingress/beats/test.log", "nginx", 24),
];

#[test]
fn every_line_of_these_folders_is_read() {
    let Some(root) = root() else { return };
    let mut wrong = Vec::new();
    for (file, want, count) in FILES {
        let bytes = unwrapped(&std::fs::read(root.join(file)).unwrap());
        let Some(format) = detect(&bytes) else {
            wrong.push(format!("{file}: not detected"));
            continue;
        };
        let (entries, broken) = parse(format, &bytes);
        if format.name() != want || entries.len() != count || !broken.is_empty() {
            wrong.push(format!(
                "{file}: {} instead of {want}, {} entries, {broken:?}",
                format.name(),
                entries.len()
            ));
        }
        // HAProxy's events have the time of their syslog header.
        if want != "haproxy" && entries.iter().any(|entry| entry.time.is_none()) {
            wrong.push(format!("{file}: an entry without time"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A parse as flat keys.
type Fields = BTreeMap<String, String>;

fn flatten(value: &Value, path: &str, out: &mut Fields) {
    let name = |key: &str| {
        if path.is_empty() {
            key.to_owned()
        } else {
            format!("{path}.{key}")
        }
    };
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| flatten(value, &name(key), out)),
        Value::Array(list) => {
            let joined: Vec<_> = list.iter().map(plain).collect();
            out.insert(path.to_owned(), joined.join(","));
        }
        other => {
            out.insert(path.to_owned(), plain(other));
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The documents of `*-expected.json`: a bare list, or one under `expected`.
fn documents(path: &Path) -> Vec<Fields> {
    let mut parsed: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let list = if parsed.is_array() {
        parsed
    } else {
        parsed["expected"].take()
    };
    let flat = |value: &Value| {
        let mut fields = Fields::new();
        flatten(value, "", &mut fields);
        fields
    };
    list.as_array().unwrap().iter().map(flat).collect()
}

/// The captures of the parsing stage of `*.parser.assert`, line by line.
fn assertions(path: &Path) -> Vec<Fields> {
    let mut out: BTreeMap<usize, Fields> = BTreeMap::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let Some((place, value)) = line.split_once(" == ") else {
            continue;
        };
        let (Some(rest), Some((_, key))) = (
            place.strip_prefix("results[\"s01-parse\"][\""),
            place.split_once("Evt.Parsed[\""),
        ) else {
            continue;
        };
        let Some(number) = rest
            .split("[")
            .nth(1)
            .and_then(|n| n.split(']').next()?.parse().ok())
        else {
            continue;
        };
        let value: String = serde_json::from_str(value).unwrap_or_default();
        out.entry(number)
            .or_default()
            .insert(key.trim_end_matches("\"]").to_owned(), value);
    }
    out.into_values().collect()
}

/// What this crate found, in the words of the comparison.
fn ours(what: &str, entry: &Entry<'_>) -> String {
    let text = |slice: &[u8]| String::from_utf8_lossy(slice).into_owned();
    let ms = |us: Option<u64>| us.map(|us| (us / 1000).to_string()).unwrap_or_default();
    let count = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
    match what {
        "time" => entry
            .time
            .map(|stamp| (stamp.us / 1000).to_string())
            .unwrap_or_default(),
        "status" => entry.status.map(|n| n.to_string()).unwrap_or_default(),
        "method" => text(entry.method),
        "path" => entry.text(entry.path).into_owned(),
        "path only" => text(entry.path.split(|b| *b == b'?').next().unwrap_or_default()),
        "time s" => entry
            .time
            .map(|stamp| (stamp.us / 1_000_000).to_string())
            .unwrap_or_default(),
        // Of a tunnel the line has host and port only.
        "url" if entry.host.is_empty() => text(entry.path),
        "url" => format!("http://{}{}", text(entry.host), text(entry.path)),
        "host" => text(entry.host),
        "client" => text(entry.client),
        "port" => entry.client_port.map(|n| n.to_string()).unwrap_or_default(),
        "forwarded" => text(entry.forwarded_for),
        "bytes" => count(entry.bytes_sent),
        "ns" => count(entry.duration_us.map(|us| us * 1000)),
        "ms" => ms(entry.duration_us),
        "header ns" => count(entry.header_us.map(|us| us * 1000)),
        "header ms" => ms(entry.header_us),
        "connect ms" => ms(entry.connect_us),
        "queue ms" => ms(entry.queue_us),
        "upstream" => text(entry.upstream.addr),
        "upstream host" => text(
            entry
                .upstream
                .addr
                .split(|b| *b == b':')
                .next()
                .unwrap_or_default(),
        ),
        "upstream port" => text(
            entry
                .upstream
                .addr
                .rsplit(|b| *b == b':')
                .next()
                .unwrap_or_default(),
        ),
        "local" => text(entry.upstream.local),
        "group" => text(entry.upstream.group),
        "server" => text(entry.server),
        "id" => entry
            .ids
            .as_slice()
            .first()
            .map(|id| text(id))
            .unwrap_or_default(),
        "termination" => text(bytes::filled(entry.termination)),
        "retries" => entry.upstream.retries.to_string(),
        "error" => text(entry.error),
        "pid" => entry.pid.map(|n| n.to_string()).unwrap_or_default(),
        _ => panic!("unknown field {what}"),
    }
}

/// Their value in our words: a time as milliseconds, `-` as nothing, a URL without its scheme.
fn theirs(what: &str, value: &str) -> String {
    match what {
        _ if value == "-" || value == "null" => String::new(),
        "time" => {
            let stamp = time::any(value.as_bytes());
            stamp.map_or_else(|| value.to_owned(), |stamp| (stamp.us / 1000).to_string())
        }
        "time s" => {
            let stamp = time::any(value.as_bytes());
            stamp.map_or_else(|| value.to_owned(), |stamp| (stamp.us / 1_000_000).to_string())
        }
        // Versions 1 of Traefik write this for no server at all.
        "upstream" if value == "/" => String::new(),
        "upstream" => value
            .trim_start_matches("http://")
            .trim_start_matches("tcp://")
            .to_owned(),
        // They keep nanoseconds where this crate keeps microseconds.
        "ns" => value.parse::<f64>().map_or_else(
            |_| value.to_owned(),
            |ns| format!("{:.0}", (ns / 1000.0).floor() * 1000.0),
        ),
        _ => value.to_owned(),
    }
}

/// A log, and which of their keys is which of our fields.
struct Pair {
    log: &'static str,
    keys: &'static [(&'static str, &'static str)],
}

const PAIRS: [Pair; 11] = [
    Pair {
        // Theirs calls Envoy's bytes received those of the response and the bytes sent those of the request, the wrong
        // way round (Envoy documentation: `%BYTES_SENT%` is the response's body); compared the right way round.
        log: "envoy/beats/envoy.log",
        keys: &[
            ("@timestamp", "time"),
            ("http.response.status_code", "status"),
            ("http.request.method", "method"),
            ("url.path", "path"),
            ("event.duration", "ns"),
            ("envoyproxy.upstream_service_time", "header ns"),
            ("envoyproxy.request_id", "id"),
            ("envoyproxy.authority", "host"),
            ("http.request.body.bytes", "bytes"),
            ("source.bytes", "bytes"),
            ("destination.address", "upstream host"),
            ("destination.port", "upstream port"),
        ],
    },
    Pair {
        log: "envoy/crowdsec/envoy-logs.log",
        keys: &[
            ("time", "time"),
            ("status", "status"),
            ("verb", "method"),
            ("request", "path"),
            ("target_fqdn", "host"),
            ("duration", "ms"),
            ("upstream_service_time", "header ms"),
            ("request_id", "id"),
            ("response_flags", "termination"),
            ("bytes_sent", "bytes"),
            ("upstream_host", "upstream"),
            ("x_forwarded_for", "forwarded"),
        ],
    },
    Pair {
        // `event.duration` there is the upstream's service time; ours is Envoy's own, which they have as `duration`.
        log: "envoy-istio/integ/test-access-logs.log",
        keys: ISTIO,
    },
    Pair {
        log: "envoy-istio/integ/test-access-json-logs.log",
        keys: ISTIO,
    },
    Pair {
        log: "traefik/beats/test.log",
        keys: &[
            ("@timestamp", "time"),
            ("http.response.status_code", "status"),
            ("http.request.method", "method"),
            ("url.original", "path"),
            ("http.response.body.bytes", "bytes"),
            ("event.duration", "ns"),
            ("source.address", "client"),
            ("traefik.access.backend_url", "upstream"),
            ("traefik.access.frontend_name", "group"),
        ],
    },
    Pair {
        log: "traefik/integ/test-format-json.log",
        keys: &[
            ("@timestamp", "time"),
            ("http.response.status_code", "status"),
            ("http.request.method", "method"),
            ("url.original", "path"),
            ("url.domain", "host"),
            ("http.response.body.bytes", "bytes"),
            ("event.duration", "ns"),
            ("source.ip", "client"),
            ("source.port", "port"),
            ("traefik.access.backend_url", "upstream"),
        ],
    },
    Pair {
        log: "squid/beats/access1.log",
        keys: &[
            ("@timestamp", "time s"),
            ("rsa.misc.result_code", "status"),
            ("event.code", "method"),
            ("event.action", "termination"),
            ("url.original", "url"),
            ("source.bytes", "bytes"),
            ("source.ip", "client"),
            ("destination.ip", "upstream"),
            ("rsa.time.duration_time", "ms"),
        ],
    },
    Pair {
        log: "haproxy/beats/haproxy.log",
        keys: HAPROXY,
    },
    Pair {
        log: "haproxy/integ/test-https.log",
        keys: HAPROXY,
    },
    Pair {
        log: "haproxy/integ/test-error.log",
        keys: &[
            ("@timestamp", "time"),
            ("haproxy.error_message", "error"),
            ("source.address", "client"),
            ("source.port", "port"),
        ],
    },
    Pair {
        log: "haproxy/crowdsec/haproxy-nextcloud-whitelist.log",
        keys: &[
            ("accept_date", "time"),
            ("http_status_code", "status"),
            ("http_verb", "method"),
            ("http_request", "path"),
            ("bytes_read", "bytes"),
            ("client_ip", "client"),
            ("client_port", "port"),
            ("backend_name", "group"),
            ("server_name", "upstream"),
            ("termination_state", "termination"),
            ("retries", "retries"),
            ("time_queue", "queue ms"),
            ("time_backend_connect", "connect ms"),
            ("time_backend_response", "header ms"),
            ("time_duration", "ms"),
        ],
    },
];

const ISTIO: &[(&str, &str)] = &[
    ("@timestamp", "time"),
    ("http.response.status_code", "status"),
    ("http.request.method", "method"),
    ("http.request.id", "id"),
    ("url.original", "path"),
    ("istio.access.authority", "host"),
    ("istio.access.bytes.sent", "bytes"),
    ("istio.access.downstream.local_address", "server"),
    ("istio.access.duration", "ms"),
    ("istio.access.upstream.cluster", "group"),
    ("istio.access.upstream.host", "upstream"),
    ("istio.access.upstream.local_address", "local"),
    ("istio.access.upstream.service_time", "header ms"),
    ("istio.access.response.flags", "termination"),
    ("source.ip", "client"),
    ("source.port", "port"),
];

const HAPROXY: &[(&str, &str)] = &[
    ("@timestamp", "time"),
    ("http.response.status_code", "status"),
    ("http.request.method", "method"),
    ("url.original", "path"),
    ("http.response.bytes", "bytes"),
    ("event.duration", "ns"),
    ("haproxy.backend_name", "group"),
    ("haproxy.server_name", "upstream"),
    ("haproxy.connection_wait_time_ms", "connect ms"),
    ("haproxy.total_waiting_time_ms", "queue ms"),
    ("haproxy.http.request.time_wait_without_data_ms", "header ms"),
    ("haproxy.termination_state", "termination"),
    ("haproxy.connections.retries", "retries"),
    ("source.address", "client"),
    ("source.port", "port"),
];

/// Disagreements that are known: the log, the field, and who is right and why.
const KNOWN: &[(&str, &str, &str)] = &[(
    "traefik/integ/test-format-json.log",
    "time",
    "ours: they take `time`, when the line was written, for when the request began",
)];

#[test]
fn entries_agree_with_the_parses_beside_the_logs() {
    let Some(root) = root() else { return };
    let (mut compared, mut known, mut wrong) = (0usize, 0usize, Vec::new());
    for Pair { log, keys } in PAIRS {
        let bytes = unwrapped(&std::fs::read(root.join(log)).unwrap());
        let (entries, _) = parse(detect(&bytes).unwrap(), &bytes);
        let asserted = root.join(format!("{log}.parser.assert"));
        let parses = if asserted.exists() {
            assertions(&asserted)
        } else {
            documents(&root.join(format!("{log}-expected.json")))
        };
        assert_eq!(entries.len(), parses.len(), "{log}");
        for (number, (entry, fields)) in entries.iter().zip(&parses).enumerate() {
            for (key, what) in keys {
                let Some(want) = fields.get(*key).map(|value| theirs(what, value)) else {
                    continue;
                };
                compared += 1;
                let got = ours(what, entry);
                if want == got {
                    continue;
                }
                if KNOWN.iter().any(|(file, field, _)| *file == log && field == what) {
                    known += 1;
                } else {
                    wrong.push(format!(
                        "{log} entry {}: {what}: {got:?} instead of {want:?}",
                        number + 1
                    ));
                }
            }
        }
    }
    println!(
        "{compared} fields compared, {known} known disagreements, {} others",
        wrong.len()
    );
    assert!(wrong.len() * 200 <= compared, "{}", wrong.join("\n"));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
