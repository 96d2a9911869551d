//! The records that this program makes of other projects' logs, compared field by field with the parses that those
//! projects keep beside them: documents in the Elastic Common Schema, assertions of crowdsec, a table of loghub.
//!
//! At least 99.5 % of the fields must agree, and every one that does not is written down in [`KNOWN`] with who is right
//! and why. Looks for the logs in `$WHY502_FIXTURES`, else in `../shared/fixtures`; without them it says so and passes.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use why502_parsers::time;

/// A field of theirs, the field of ours that says the same, and how many of our units one of theirs is (0: text).
type Key = (&'static str, &'static str, f64);

/// A field of theirs that says something else than what it is called says here.
const NOT_COMPARED: &str = "";

const TEXT: f64 = 0.0;
const NS_TO_US: f64 = 1e-3;
const MS_TO_US: f64 = 1e3;
const S_TO_US: f64 = 1e6;

/// What the fields of the Elastic Common Schema are called here.
const ECS: &[Key] = &[
    ("@timestamp", "time", TEXT),
    ("http.response.status_code", "status", TEXT),
    ("http.request.method", "method", TEXT),
    ("url.path", "path only", TEXT),
    ("url.query", "query", TEXT),
    ("url.domain", "host only", TEXT),
    ("http.response.body.bytes", "bytes_sent", TEXT),
    ("http.response.bytes", "bytes_sent", TEXT),
    ("event.duration", "duration_us", NS_TO_US),
    ("event.start", "start", TEXT),
    ("event.end", "end", TEXT),
    ("source.ip", "client", TEXT),
    ("client.ip", "client", TEXT),
    ("source.port", "client_port", TEXT),
    ("client.port", "client_port", TEXT),
    ("http.request.id", "id", TEXT),
    ("transaction.id", "id", TEXT),
    ("trace.id", "id", TEXT),
    ("process.pid", "pid", TEXT),
    ("log.level", "level", TEXT),
];

/// What the captures of crowdsec's patterns are called here.
const CROWDSEC: &[Key] = &[
    ("verb", "method", TEXT),
    ("method", "method", TEXT),
    ("http_verb", "method", TEXT),
    ("http_method", "method", TEXT),
    ("request", "path", TEXT),
    ("status", "status", TEXT),
    ("response", "status", TEXT),
    ("http_status_code", "status", TEXT),
    ("elb_status_code", "status", TEXT),
    ("body_bytes_sent", "bytes_sent", TEXT),
    ("bytes", "bytes_sent", TEXT),
    ("sent_bytes", "bytes_sent", TEXT),
    ("bytes_read", "bytes_sent", TEXT),
    ("remote_addr", "client", TEXT),
    ("remote_ip", "client", TEXT),
    ("clientip", "client", TEXT),
    ("client", "client", TEXT),
    ("client_ip", "client", TEXT),
    ("source_ip", "client", TEXT),
    ("remote_port", "client_port", TEXT),
    ("client_port", "client_port", TEXT),
    ("clientport", "client_port", TEXT),
    ("time_local", "time", TEXT),
    ("time", "time", TEXT),
    ("timestamp", "time", TEXT),
    ("accept_date", "time", TEXT),
    ("fastly_timestamp", "time", TEXT),
    ("target_fqdn", "host only", TEXT),
    ("host", "host only", TEXT),
    ("pid", "pid", TEXT),
    ("cid", "connection", TEXT),
    ("loglevel", "level", TEXT),
    ("request_time", "duration_us", S_TO_US),
    ("upstream_status", "upstream_status", TEXT),
    ("target_status_code", "upstream_status", TEXT),
    ("target_server", "upstream host", TEXT),
    ("target_addr", "upstream host", TEXT),
    ("target_port", "upstream port", TEXT),
    ("target_processing_time", "header_us", S_TO_US),
    ("trace_id", "id", TEXT),
    ("request_id", "id", TEXT),
    ("duration", "duration_us", MS_TO_US),
    ("upstream_service_time", "header_us", MS_TO_US),
    ("upstream_host", "upstream", TEXT),
    ("response_flags", "termination", TEXT),
    ("termination_state", "termination", TEXT),
    ("x_forwarded_for", "forwarded_for", TEXT),
    ("backend_name", "upstream_group", TEXT),
    ("server_name", "upstream", TEXT),
    ("retries", "retries", TEXT),
    ("time_queue", "queue_us", MS_TO_US),
    ("time_backend_connect", "connect_us", MS_TO_US),
    ("time_backend_response", "header_us", MS_TO_US),
    ("time_duration", "duration_us", MS_TO_US),
    ("http_path", "path only", TEXT),
    ("http_args", "query", TEXT),
];

/// Fields of one product: the start of the paths of its logs, and their names.
const PRODUCTS: &[(&str, &[Key])] = &[
    (
        "nginx-ingress",
        &[
            ("nginx.ingress_controller.http.request.id", "id", TEXT),
            (
                "nginx.ingress_controller.http.request.time",
                "duration_us",
                S_TO_US,
            ),
            ("nginx.ingress_controller.upstream.ip", "last upstream host", TEXT),
            (
                "nginx.ingress_controller.upstream.port",
                "last upstream port",
                TEXT,
            ),
            ("nginx.ingress_controller.upstream.name", "upstream_group", TEXT),
            (
                "nginx.ingress_controller.upstream.response.status_code_list",
                "upstream_status",
                TEXT,
            ),
            ("nginx.ingress_controller.upstream_address_list", "upstream", TEXT),
        ],
    ),
    (
        "nginx-error",
        &[("nginx.error.connection_id", "connection", TEXT)],
    ),
    (
        "aws-",
        &[
            ("aws.elb.backend.ip", "upstream host", TEXT),
            ("aws.elb.backend.port", "upstream port", TEXT),
            (
                "aws.elb.backend.http.response.status_code",
                "upstream_status",
                TEXT,
            ),
            ("aws.elb.backend_processing_time.sec", "header_us", S_TO_US),
            ("aws.elb.connection_time.ms", "duration_us", MS_TO_US),
            ("aws.apigateway.http_method", "method", TEXT),
            ("aws.apigateway.status", "status", TEXT),
            ("aws.apigateway.ip_address", "client", TEXT),
            ("aws.apigateway.request_id", "id", TEXT),
            ("aws.apigateway.request_time", "time", TEXT),
            ("aws.apigateway.response_length", "bytes_sent", TEXT),
        ],
    ),
    (
        "azure-frontdoor",
        &[
            ("azure.frontdoor.access.time_taken", "duration_us", S_TO_US),
            ("azure.frontdoor.access.backend_hostname", "upstream", TEXT),
            ("azure.frontdoor.tracking_reference", "id", TEXT),
        ],
    ),
    (
        "cloudflare",
        &[
            ("@timestamp", "start", TEXT), // Of two stamps they took the start.
            ("cloudflare.ray_id", "id", TEXT),
            ("cloudflare.origin.response.status_code", "upstream_status", TEXT),
        ],
    ),
    (
        "envoy/",
        &[
            ("bytes_sent", "bytes_sent", TEXT),
            ("envoyproxy.upstream_service_time", "header_us", NS_TO_US),
            // They have Envoy's bytes received for those of the response and the bytes sent for those of the request, the
            // wrong way round (Envoy documentation: `%BYTES_SENT%` is the response's body).
            ("http.response.body.bytes", NOT_COMPARED, TEXT),
            ("http.request.body.bytes", "bytes_sent", TEXT),
            ("source.bytes", "bytes_sent", TEXT),
            // The address that Envoy was told, not the one that connected; of several, one.
            ("source.ip", "forwarded_for", TEXT),
            ("remote_addr", NOT_COMPARED, TEXT),
            ("envoyproxy.request_id", "id", TEXT),
            ("envoyproxy.authority", "host", TEXT),
            ("destination.address", "upstream host", TEXT),
            ("destination.port", "upstream port", TEXT),
        ],
    ),
    (
        "envoy-istio",
        &[
            // The wrong way round as well; and the time of the upstream, where here it is the whole.
            ("http.response.body.bytes", NOT_COMPARED, TEXT),
            ("event.duration", NOT_COMPARED, TEXT),
            ("istio.access.authority", "host", TEXT),
            ("istio.access.bytes.sent", "bytes_sent", TEXT),
            ("istio.access.downstream.local_address", "server", TEXT),
            ("istio.access.duration", "duration_us", MS_TO_US),
            ("istio.access.upstream.cluster", "upstream_group", TEXT),
            ("istio.access.upstream.host", "upstream", TEXT),
            ("istio.access.upstream.local_address", "upstream_local", TEXT),
            ("istio.access.upstream.service_time", "header_us", MS_TO_US),
            ("istio.access.response.flags", "termination", TEXT),
        ],
    ),
    (
        "haproxy",
        &[
            ("url.original", "path", TEXT),
            ("haproxy.backend_name", "upstream_group", TEXT),
            ("haproxy.server_name", "upstream", TEXT),
            ("haproxy.connection_wait_time_ms", "connect_us", MS_TO_US),
            ("haproxy.total_waiting_time_ms", "queue_us", MS_TO_US),
            (
                "haproxy.http.request.time_wait_without_data_ms",
                "header_us",
                MS_TO_US,
            ),
            ("haproxy.termination_state", "termination", TEXT),
            ("haproxy.connections.retries", "retries", TEXT),
            ("haproxy.error_message", "error", TEXT),
        ],
    ),
    (
        "traefik",
        &[
            ("url.original", "path", TEXT),
            ("traefik.access.backend_url", "upstream", TEXT),
        ],
    ),
    ("httperr", &[("iis.error.reason_phrase", "error", TEXT)]),
    (
        "iis-w3c",
        &[
            ("iis.access.sub_status", "substatus", TEXT),
            ("iis.access.win32_status", "win32_status", TEXT),
            ("destination.ip", "server", TEXT),
        ],
    ),
    (
        "squid",
        &[
            ("rsa.misc.result_code", "status", TEXT),
            ("event.code", "method", TEXT),
            ("event.action", "termination", TEXT),
            ("source.bytes", "bytes_sent", TEXT),
            ("destination.ip", "upstream", TEXT),
            ("rsa.time.duration_time", "duration_us", MS_TO_US),
        ],
    ),
    (
        "apache-",
        &[("process.thread.id", "thread", TEXT), ("tid", "thread", TEXT)],
    ),
    (
        "tomcat",
        &[
            ("client.ip", "forwarded_for", TEXT),
            ("url.original", "path", TEXT),
            ("destination.bytes", "bytes_sent", TEXT),
            ("apache_tomcat.access.ip.local", "server", TEXT),
            ("apache_tomcat.access.response_time", "duration_us", MS_TO_US),
            ("apache_tomcat.access.connection_status", "termination", TEXT),
        ],
    ),
    // An address in the text of a message.
    ("litespeed", &[("client_ip", NOT_COMPARED, TEXT)]),
    // The body alone; here it is all that was sent, which they have as `http.response.bytes`.
    (
        "aws-cloudfront",
        &[("http.response.body.bytes", NOT_COMPARED, TEXT)],
    ),
    // One address of a list, the first public one.
    (
        "nginx-access/beats",
        &[
            ("source.ip", NOT_COMPARED, TEXT),
            ("nginx.access.remote_ip_list", "addresses", TEXT),
        ],
    ),
    ("nginx-access/crowdsec", &[("target_server", "upstream", TEXT)]),
    (
        "apache-error/loghub",
        &[
            ("Time", "time", TEXT),
            ("Level", "level", TEXT),
            ("Content", "content", TEXT),
        ],
    ),
];

/// The log with most fields, by far.
const LONGEST: &str = "apache-error/loghub";

/// Fields that differ: the start of the log's path, their field, and who is right and why.
const KNOWN: &[(&str, &str, &str)] = &[
    (
        "aws-elb-classic",
        "event.end",
        "ours: the stamp of a classic balancer is when the request came in, so the end is later by what it lasted",
    ),
    (
        "aws-nlb",
        "aws.elb.backend.ip",
        "ours: AWS calls the field the destination, the listener that the client reached, not a server behind it",
    ),
    ("aws-nlb", "aws.elb.backend.port", "as above"),
    (
        "caddy",
        "remote_ip",
        "ours: the peer; they have `client_ip` under this name, which a trusted proxy told Caddy",
    ),
    (
        "cloudflare",
        "event.duration",
        "ours: two stamps in the same whole second do not say that the request took no time",
    ),
    (
        "nginx-access/crowdsec/nginx_http-catch-npm.log",
        "request",
        "both: bytes of a TLS handshake, which they leave escaped",
    ),
    (
        "nginx-access/crowdsec/nginx_http-catch-npm.log",
        "target_fqdn",
        "ours: `_` is nginx's word for no name",
    ),
    (
        "nginx-error/crowdsec",
        "request",
        "ours: the target as it was sent; their pattern takes the scheme of an absolute one away",
    ),
];

fn fixtures() -> Option<PathBuf> {
    let root = match std::env::var_os("WHY502_FIXTURES") {
        Some(path) => PathBuf::from(path),
        None => program::root().join("../shared/fixtures"),
    };
    if root.is_dir() {
        return Some(root);
    }
    println!(
        "skipped: no logs of other projects at {} (set WHY502_FIXTURES)",
        root.display()
    );
    None
}

/// The logs that have a parse beside them, and the file of that parse, both relative to `root`.
fn pairs(root: &Path, folder: &Path, out: &mut Vec<(String, String)>) {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            pairs(root, &path, out);
            continue;
        }
        let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
        let endings = ["-expected.json", ".parser.assert", "_structured.csv"];
        if let Some(log) = endings.iter().find_map(|ending| name.strip_suffix(ending)) {
            out.push((log.to_owned(), name.clone()));
        }
    }
}

/// A parse as flat keys.
type Fields = BTreeMap<String, String>;

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn flatten(value: &Value, path: &str, out: &mut Fields) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flatten(value, &name, out);
            }
        }
        Value::Array(list) => {
            let joined: Vec<String> = list.iter().map(plain).collect();
            out.insert(path.to_owned(), joined.join(","));
        }
        other => {
            out.insert(path.to_owned(), plain(other));
        }
    }
}

/// The documents of an `*-expected.json`: a bare list (beats), or one under `expected` (integrations).
fn documents(path: &Path) -> Vec<Fields> {
    let mut parsed: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let list = if parsed.is_array() {
        parsed
    } else {
        parsed["expected"].take()
    };
    let documents = list
        .as_array()
        .unwrap()
        .iter()
        .filter(|document| !document.is_null());
    documents
        .map(|document| {
            let mut fields = Fields::new();
            flatten(document, "", &mut fields);
            fields
        })
        .collect()
}

/// The captures that a `*.parser.assert` lists of its parsing stage, event by event.
fn assertions(path: &Path) -> Vec<Fields> {
    let mut events: BTreeMap<(String, usize), Fields> = BTreeMap::new();
    let capture = |line: &str| -> Option<((String, usize), String, String)> {
        let rest = line.strip_prefix("results[\"s01-parse\"][\"")?;
        let (parser, rest) = rest.split_once("\"][")?;
        let (number, rest) = rest.split_once("].Evt.Parsed[\"")?;
        let (key, value) = rest.split_once("\"] == ")?;
        let value: String = serde_json::from_str(value).ok()?;
        Some(((parser.to_owned(), number.parse().ok()?), key.to_owned(), value))
    };
    for (event, key, value) in fs::read_to_string(path).unwrap().lines().filter_map(capture) {
        events.entry(event).or_default().insert(key, value);
    }
    events.into_values().collect()
}

/// The rows of a table whose last columns may have commas in them.
fn table(path: &Path) -> Vec<Fields> {
    let text = fs::read_to_string(path).unwrap();
    let mut rows = text
        .lines()
        .map(|line| line.splitn(4, ',').map(str::to_owned).collect::<Vec<_>>());
    let heads = rows.next().unwrap();
    rows.map(|row| {
        let mut fields: Fields = heads.iter().cloned().zip(row).collect();
        // The content, in quotes where it has a comma; event and template follow.
        let rest = fields.remove(&heads[3]).unwrap_or_default();
        let content = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => rest.split(',').next().unwrap_or_default(),
        };
        fields.insert("Content".to_owned(), content.to_owned());
        fields
    })
    .collect()
}

/// The records of a log, as `why502 parse` gives them, stamps without zone in that of the other project's run.
fn records(root: &Path, log: &str, zone: Option<&String>) -> Vec<Value> {
    let zone = zone
        .filter(|zone| zone.starts_with(['+', '-']))
        .map_or("UTC", String::as_str);
    let output = program::run(
        root,
        &["parse", "--format", "ndjson", &format!("--tz={zone}"), log],
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Which record a parse is of: those of documents and tables stand in the order of the records, crowdsec's events say
/// the line.
fn align<'r>(
    records: &'r [Value],
    lines: &[String],
    parses: Vec<Fields>,
    log: &str,
) -> Vec<(&'r Value, Fields)> {
    if parses
        .iter()
        .all(|fields| !fields.contains_key("message") || fields.contains_key("@timestamp"))
    {
        assert_eq!(records.len(), parses.len(), "{log}");
        return records.iter().zip(parses).collect();
    }
    if records.len() == parses.len() {
        return records.iter().zip(parses).collect();
    }
    let line_of = |record: &Value| {
        record["line"]
            .as_u64()
            .and_then(|line| lines.get(line as usize - 1))
    };
    let mut left: Vec<&Value> = records.iter().collect();
    let mut pairs = Vec::new();
    for fields in parses {
        let Some(message) = fields.get("message").map(|message| message.trim_end()) else {
            continue;
        };
        let is_its = |record: &&Value| line_of(record).is_some_and(|line| line.contains(message));
        if let Some(at) = left.iter().position(is_its) {
            pairs.push((left.remove(at), fields));
        }
    }
    pairs
}

/// Microseconds of an instant as either side writes it.
fn instant_us(text: &str) -> Option<i64> {
    time::any(text.as_bytes()).map(|stamp| stamp.us)
}

/// What this program found, in the words of the comparison; instants in milliseconds, which the others keep.
fn ours(what: &str, record: &Value) -> String {
    let text = |name: &str| match &record[name] {
        Value::Null => String::new(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(","),
        value => plain(value),
    };
    let first = |name: &str| text(name).split(',').next().unwrap_or_default().to_owned();
    let last = |name: &str| text(name).rsplit(',').next().unwrap_or_default().to_owned();
    let host = |address: String| without_port(&address).to_owned();
    let port = |address: String| {
        address
            .rsplit_once(':')
            .map_or(String::new(), |(_, port)| port.to_owned())
    };
    let path = text("path");
    let (path_only, query) = path.split_once('?').unwrap_or((&path, ""));
    let edge = |wanted: &str| {
        let at = instant_us(&text("time"));
        let lasted = record["duration_us"].as_i64().unwrap_or(0);
        let us = match (record["time_marks"].as_str(), wanted) {
            (Some("end"), "start") => at.map(|us| us - lasted),
            (Some("start"), "end") => at.map(|us| us + lasted),
            _ => at,
        };
        us.map_or(String::new(), |us| us.div_euclid(1_000).to_string())
    };
    match what {
        "time" => instant_us(&text("time")).map_or(String::new(), |us| us.div_euclid(1_000).to_string()),
        "start" | "end" => edge(what),
        "path only" => path_only.to_owned(),
        "query" => query.to_owned(),
        "host only" => host(text("host")),
        "content" if record["client"].is_string() => format!("[client {}] {}", text("client"), text("error")),
        "content" => text("error"),
        "termination" => text(what).trim_matches('-').to_owned(),
        "addresses" => {
            let listed = text("forwarded_for").replace(", ", ",");
            let client = text("client");
            let mut all: Vec<&str> = listed.split(',').chain([client.as_str()]).collect();
            all.retain(|one| !one.is_empty());
            all.sort_unstable();
            all.join(",")
        }
        // Zero is not written.
        "retries" | "substatus" | "win32_status" if record[what].is_null() => "0".to_owned(),
        "id" => first("ids"),
        "forwarded_for" => text(what).replace(", ", ","),
        "upstream" => text("upstream_addr"),
        "upstream host" => host(first("upstream_addr")),
        "upstream port" => port(first("upstream_addr")),
        "last upstream host" => host(last("upstream_addr")),
        "last upstream port" => port(last("upstream_addr")),
        "header_us" => first("upstream_header_us"),
        "connect_us" => first("upstream_connect_us"),
        name => text(name),
    }
}

fn without_port(address: &str) -> &str {
    match address.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => address,
    }
}

/// Their value in our words; nothing where they write a mark for none.
fn theirs(what: &str, value: &str, factor: f64) -> String {
    if matches!(value, "-" | "null" | "") {
        return String::new();
    }
    if factor != TEXT {
        let number: f64 = value.parse().unwrap_or(f64::NAN);
        return if number < 0.0 {
            String::new()
        } else {
            format!("{:.0}", number * factor)
        };
    }
    match what {
        "time" | "start" | "end" => {
            instant_us(value).map_or_else(|| value.to_owned(), |us| us.div_euclid(1_000).to_string())
        }
        "level" => match value.to_ascii_lowercase().as_str() {
            "warn" => "warning",
            "crit" | "alert" | "emerg" => "critical",
            "notice" => "info",
            "severe" => "error",
            other => return other.to_owned(),
        }
        .to_owned(),
        "upstream" => {
            let bare = value.trim_start_matches("http://").trim_start_matches("tcp://");
            if bare == "/" {
                String::new()
            } else {
                bare.to_owned()
            }
        }
        "host only" => without_port(value).to_owned(),
        // Zero is how some write that there is none.
        "status" | "client_port" | "upstream_status" if value == "0" => String::new(),
        "termination" => value.trim_matches('-').to_owned(),
        "addresses" => {
            let mut all: Vec<&str> = value.split(',').collect();
            all.sort_unstable();
            all.join(",")
        }
        "id" => value.trim_start_matches("Root=").to_owned(),
        "forwarded_for" => value.replace(", ", ","),
        _ => value.to_owned(),
    }
}

/// Whether two values say the same: numbers that were scaled may differ by one, of a stamp for which they keep whole seconds
/// only these are compared, and they undo the escapes of paths and queries.
fn agree(what: &str, want: &str, got: &str, factor: f64) -> bool {
    let Some((theirs, ours)) = want.parse::<i64>().ok().zip(got.parse::<i64>().ok()) else {
        return want == got || matches!(what, "path only" | "query") && unescaped(want) == unescaped(got);
    };
    match what {
        "time" | "start" | "end" if theirs % 1_000 == 0 => ours.div_euclid(1_000) == theirs / 1_000,
        _ => theirs == ours || factor != TEXT && theirs.abs_diff(ours) <= 1,
    }
}

/// `text` without the escapes of a URL.
fn unescaped(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = after
            .get(..2)
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        (rest, _) = match (byte, escaped) {
            (b'%', Some(byte)) => (&after[2..], out.push(byte)),
            (b'+', _) => (after, out.push(b' ')),
            _ => (after, out.push(byte)),
        };
    }
    out
}

#[derive(Default)]
struct Tally {
    /// Per field of ours: compared, agreeing.
    fields: BTreeMap<&'static str, (u32, u32)>,
    /// The same without the one long table, which must not hide what the others say.
    others: (u32, u32),
    known: BTreeMap<usize, u32>,
    wrong: Vec<String>,
}

impl Tally {
    fn compare(&mut self, log: &str, record: &Value, fields: &Fields, keys: &[Key]) {
        for &(key, what, factor) in keys {
            if what == NOT_COMPARED {
                continue;
            }
            let Some(want) = fields.get(key).map(|value| theirs(what, value, factor)) else {
                continue;
            };
            let got = ours(what, record);
            let count = self.fields.entry(what).or_default();
            let other = u32::from(!log.starts_with(LONGEST));
            let same = u32::from(agree(what, &want, &got, factor));
            (count.0, count.1) = (count.0 + 1, count.1 + same);
            (self.others.0, self.others.1) = (self.others.0 + other, self.others.1 + same * other);
            if same == 1 {
                continue;
            }
            let known = KNOWN
                .iter()
                .position(|(start, field, _)| log.starts_with(start) && *field == key);
            match known {
                Some(at) => *self.known.entry(at).or_default() += 1,
                None => self.wrong.push(format!(
                    "{log}:{} {key}: {what} is {got:?}, theirs {want:?}",
                    record["line"]
                )),
            }
        }
    }
}

#[test]
fn records_agree_with_the_parses_beside_the_logs() {
    let Some(root) = fixtures() else { return };
    let mut all = Vec::new();
    pairs(&root, &root, &mut all);
    let mut tally = Tally::default();
    for (log, beside) in &all {
        let path = root.join(beside);
        let (parses, common) = match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => (documents(&path), ECS),
            Some("csv") => (table(&path), &[][..]),
            _ => (assertions(&path), CROWDSEC),
        };
        if parses.is_empty() {
            continue; // The assertions of a wrapper say nothing of the line in it.
        }
        let records = records(&root, log, parses[0].get("event.timezone"));
        let text = String::from_utf8_lossy(&fs::read(root.join(log)).unwrap()).into_owned();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut keys: Vec<Key> = PRODUCTS
            .iter()
            .filter(|(start, _)| log.starts_with(start))
            .flat_map(|(_, keys)| keys.iter().copied())
            .collect();
        // What a product says of a field goes before what all say.
        let general = common
            .iter()
            .filter(|(key, ..)| !keys.iter().any(|(own, ..)| own == key));
        let general: Vec<Key> = general.copied().collect();
        keys.extend(general);
        for (record, fields) in align(&records, &lines, parses, log) {
            tally.compare(log, record, &fields, &keys);
        }
    }
    println!("field                     compared  agreeing");
    let (mut compared, mut agreeing) = (0, 0);
    for (field, (all, same)) in &tally.fields {
        println!("{field:24}{all:10}{same:10}");
        (compared, agreeing) = (compared + all, agreeing + same);
    }
    println!("{:24}{compared:10}{agreeing:10}", "all");
    let (others, same) = tally.others;
    println!("all but {LONGEST}: {same} of {others}");
    for (at, count) in &tally.known {
        let (log, field, why) = KNOWN[*at];
        println!("{count} of {log} {field}: {why}");
    }
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert_eq!(
        tally.known.len(),
        KNOWN.len(),
        "a disagreement that is none any more is no exception"
    );
    assert!(
        agreeing * 1_000 >= compared * 995,
        "{agreeing} of {compared} agree"
    );
}
