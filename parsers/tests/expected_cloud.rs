//! The logs of cloud balancers and content networks that other projects wrote: recognised, read, and compared field by field
//! with the parse that stands beside them.
//!
//! Looks for the logs in `$WHY502_FIXTURES`, else beside the repository; without them there is nothing to test.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use why502_parsers::entry::{Kind, Marks};
use why502_parsers::{Entry, Format, Head, Line, Score, registry, wrap};

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

/// The format that is surest of `head`, then the one that reads more, then the first.
fn detect(head: &Head<'_>) -> Option<&'static dyn Format> {
    let mut best: Option<(Score, u32, &'static dyn Format)> = None;
    for &format in registry::builtin() {
        let sniff = format.sniff(head);
        let better = best.is_none_or(|(score, parsed, _)| (sniff.score, sniff.parsed) > (score, parsed));
        if sniff.score > Score::No && better {
            best = Some((sniff.score, sniff.parsed, format));
        }
    }
    best.map(|(_, _, format)| format)
}

/// As the program reads them: syslog headers taken off.
fn unwrapped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in why502_parsers::bytes::lines(bytes) {
        let mut syslog = wrap::all()
            .iter()
            .filter(|wrapper| wrapper.name().starts_with("syslog"));
        let inner = syslog.find_map(|wrapper| wrapper.unwrap(line));
        out.extend_from_slice(inner.map_or(line, |inside| inside.text));
        out.push(b'\n');
    }
    out
}

/// The entries of every line, `None` for lines that could not be read, and why not.
fn parse<'a>(format: &dyn Format, bytes: &'a [u8]) -> (Vec<Option<Entry<'a>>>, Vec<String>) {
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
            Ok(Line::Entry) => entries.push(Some(entry)),
            Ok(_) => {}
            Err(error) => {
                entries.push(None);
                broken.push(format!(
                    "{error}: {}",
                    String::from_utf8_lossy(&line[..line.len().min(90)])
                ));
            }
        }
    }
    (entries, broken)
}

/// Files, the format that must win, their entries, and the lines that are left for a true reason.
const FILES: [(&str, &str, usize, usize); 16] = [
    ("aws-alb/beats/application-lb-http.log", "aws-alb", 11, 0),
    ("aws-alb/crowdsec/aws-alb-logs.log", "aws-alb", 14, 0),
    (
        "aws-apigateway/integ/test-apigateway-http.log",
        "aws-apigateway",
        5,
        0,
    ),
    ("aws-cloudfront/integ/test-cloudfront.log", "cloudfront", 9, 0),
    ("aws-elb-classic/beats/elb-http.log", "aws-elb", 5, 0),
    ("aws-elb-classic/beats/example-https.log", "aws-elb", 1, 0),
    ("aws-elb-classic/logstash-patterns/aws_even.log", "aws-elb", 3, 0),
    ("aws-nlb/beats/example-nlb-tcp.log", "aws-nlb", 1, 0),
    ("gcp-lb/integ/test-load-balancer.log", "gcp-lb", 3, 0),
    (
        "azure-appgw/plaso/azure_application_gateway_access.json",
        "azure-appgw",
        2,
        0,
    ),
    // Its last line is no JSON: whoever wrote it doubled the quotes of the wrapper to test for that.
    ("azure-frontdoor/integ/test-fdaccess.log", "azure-frontdoor", 3, 1),
    (
        "azure-appservice-http/integ/test-appservicehttplogs-raw.log",
        "iis-json",
        2,
        0,
    ),
    ("cloudflare/integ/test-http-json.log", "cloudflare", 4, 0),
    ("cloudflare/lnav/logfile_cloudflare.1", "cloudflare", 15, 0),
    ("fastly/crowdsec/fastly-logs.log", "fastly", 4, 0),
    (
        "atlassian-access/plaso/atlassian-bitbucket-access.log",
        "bitbucket",
        8,
        0,
    ),
];

#[test]
fn logs_of_cloud_products_are_recognised_and_read() {
    let Some(root) = root() else { return };
    let mut wrong = Vec::new();
    for (file, want, entries, left) in FILES {
        let raw = fs::read(root.join(file)).unwrap();
        for bytes in [unwrapped(&raw), raw] {
            let head = Head {
                bytes: &bytes,
                hints: &[],
                date_hint: None,
            };
            let Some(format) = detect(&head) else {
                wrong.push(format!("{file}: not recognised"));
                continue;
            };
            if format.name() != want {
                wrong.push(format!("{file}: {} instead of {want}", format.name()));
                continue;
            }
            let (found, broken) = parse(format, &bytes);
            let read = found.iter().flatten().count();
            if read != entries || broken.len() != left {
                wrong.push(format!("{file}: {read} entries, left: {broken:#?}"));
            }
            if found.iter().flatten().any(|entry| entry.time.is_none()) {
                wrong.push(format!("{file}: an entry without time"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The formats of this group.
const OURS: [&str; 11] = [
    "aws-alb",
    "aws-apigateway",
    "cloudfront",
    "aws-elb",
    "aws-nlb",
    "gcp-lb",
    "azure-appgw",
    "azure-frontdoor",
    "cloudflare",
    "fastly",
    "bitbucket",
];

fn files_below(path: &Path, out: &mut Vec<PathBuf>) {
    let mut paths: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files_below(&path, out);
        } else {
            out.push(path);
        }
    }
}

#[test]
fn no_format_of_the_cloud_claims_another_file() {
    let Some(root) = root() else { return };
    let mut files = Vec::new();
    files_below(&root, &mut files);
    let mut wrong = Vec::new();
    for path in files {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        let own = FILES.iter().find(|(file, ..)| *file == name).map(|file| file.1);
        let mut bytes = fs::read(&path).unwrap();
        bytes.truncate(64 * 1024);
        for bytes in [unwrapped(&bytes), bytes] {
            let head = Head {
                bytes: &bytes,
                hints: &[],
                date_hint: None,
            };
            for format in registry::builtin().iter().filter(|f| OURS.contains(&f.name())) {
                let sniff = format.sniff(&head);
                if sniff.score > Score::No && own != Some(format.name()) {
                    wrong.push(format!("{} claims {name}: {sniff:?}", format.name()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The value at `path`, whether its keys are nested or one flat key.
fn at<'j>(document: &'j Json, path: &str) -> Option<&'j Json> {
    let nested = path.split('.').try_fold(document, |value, key| value.get(key));
    nested
        .or_else(|| document.get(path))
        .filter(|value| !value.is_null())
}

fn text(document: &Json, path: &str) -> Option<String> {
    let value = at(document, path)?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Microseconds of a stamp of the other project, which keeps milliseconds; cut to them.
fn ms_of(stamp: Option<String>) -> Option<String> {
    let stamp = why502_parsers::time::any(stamp?.as_bytes())?;
    Some((stamp.us / 1000).to_string())
}

/// Tally of one comparison.
#[derive(Default)]
struct Tally {
    compared: u32,
    wrong: Vec<String>,
}

impl Tally {
    /// A field; what the document does not say is not compared.
    fn check(&mut self, place: &str, field: &str, want: Option<String>, got: Option<String>) {
        let Some(want) = want else { return };
        self.compared += 1;
        let got = got.unwrap_or_default();
        if want != got {
            self.wrong
                .push(format!("{place} {field}: {got:?} instead of {want:?}"));
        }
    }
}

fn show(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn without_port(host: &[u8]) -> Option<String> {
    let host = show(host)?;
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => Some(name.to_owned()),
        _ => Some(host),
    }
}

/// An entry's start or end in milliseconds.
fn edge_ms(entry: &Entry<'_>, want: Marks) -> Option<String> {
    let stamp = entry.time?;
    let lasted = i64::try_from(entry.duration_us.unwrap_or(0)).ok()?;
    let us = match (stamp.marks, want) {
        (Marks::End, Marks::Start) => stamp.us - lasted,
        (Marks::Start, Marks::End) => stamp.us + lasted,
        _ => stamp.us,
    };
    Some((us / 1000).to_string())
}

/// Compares an entry with a document in the Elastic Common Schema.
fn compare_ecs(tally: &mut Tally, file: &str, number: usize, entry: &Entry<'_>, document: &Json) {
    let place = format!("{file}:{}", number + 1);
    let mut check =
        |field: &str, want: Option<String>, got: Option<String>| tally.check(&place, field, want, got);
    compare_times(&mut check, entry, document);
    compare_request(&mut check, entry, document);
    compare_ids(&mut check, file, entry, document);
    compare_upstream(&mut check, entry, document);
}

type Check<'c> = dyn FnMut(&str, Option<String>, Option<String>) + 'c;

fn compare_times(check: &mut Check<'_>, entry: &Entry<'_>, document: &Json) {
    // The pipeline of API Gateway leaves `@timestamp` to be filled in later.
    let time = text(document, "@timestamp").or_else(|| text(document, "aws.apigateway.request_time"));
    let start = text(document, "event.start");
    if time.is_some() && start == time {
        // Of two stamps the pipeline made the start its own, this crate the end.
        let end = text(document, "event.end");
        check("end", ms_of(end), edge_ms(entry, Marks::End));
    } else {
        let stamp = entry.time.map(|stamp| (stamp.us / 1000).to_string());
        check("time", ms_of(time), stamp);
    }
    check("start", ms_of(start), edge_ms(entry, Marks::Start));
    let lasted = || entry.duration_us.map(|us| us.to_string());
    for (field, to_us) in [
        ("event.duration", 1e-3),
        ("aws.elb.connection_time.ms", 1e3),
        ("azure.frontdoor.access.time_taken", 1e6),
    ] {
        check(field, scaled(document, field, to_us), lasted());
    }
}

/// A number, quoted or not, times `factor`, rounded.
fn scaled(document: &Json, field: &str, factor: f64) -> Option<String> {
    let number: f64 = text(document, field)?.parse().ok()?;
    Some(((number * factor).round() as i64).to_string())
}

fn compare_request(check: &mut Check<'_>, entry: &Entry<'_>, document: &Json) {
    let either = |field: &str, other: &str| text(document, field).or_else(|| text(document, other));
    // `000`, which is no status, became 0.
    let status = either("http.response.status_code", "aws.apigateway.status").filter(|status| status != "0");
    check("status", status, entry.status.map(|status| status.to_string()));
    let method = either("http.request.method", "aws.apigateway.http_method");
    check("method", method, show(entry.method));
    let target = String::from_utf8_lossy(&entry.target()).into_owned();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target, None),
    };
    check("path", text(document, "url.path"), Some(path));
    check("query", text(document, "url.query"), query);
    check("host", text(document, "url.domain"), without_port(entry.host));
    for field in ["source.ip", "client.ip", "aws.apigateway.ip_address"] {
        check(field, text(document, field), show(entry.client));
    }
    // A port of 0 is Cloudflare's mark for none.
    let port = either("source.port", "client.port").filter(|port| port != "0");
    check("port", port, entry.client_port.map(|port| port.to_string()));
    let bytes = either("http.response.bytes", "http.response.body.bytes")
        .or_else(|| either("aws.apigateway.response_length", "destination.bytes"));
    check("bytes", bytes, entry.bytes_sent.map(|bytes| bytes.to_string()));
}

fn compare_ids(check: &mut Check<'_>, file: &str, entry: &Entry<'_>, document: &Json) {
    let first = entry.ids.as_slice().first().copied().unwrap_or_default();
    for field in [
        "aws.apigateway.request_id",
        "http.request.id",
        "azure.frontdoor.tracking_reference",
        "cloudflare.ray_id",
        "trace.id",
    ] {
        let want = text(document, field).map(|id| id.trim_start_matches("Root=").to_owned());
        check(field, want, show(first));
    }
    // That of a Google log is the record's, not the request's.
    if file.starts_with("aws-cloudfront") {
        check("event.id", text(document, "event.id"), show(first));
    }
}

fn compare_upstream(check: &mut Check<'_>, entry: &Entry<'_>, document: &Json) {
    let ip = text(document, "aws.elb.backend.ip");
    let port = text(document, "aws.elb.backend.port");
    let address = ip.zip(port).map(|(ip, port)| format!("{ip}:{port}"));
    let address = address.or_else(|| text(document, "azure.frontdoor.access.backend_hostname"));
    check("upstream", address, show(entry.upstream.addr));
    // A status of 0 is Cloudflare's mark for none.
    let status = text(document, "aws.elb.backend.http.response.status_code")
        .or_else(|| text(document, "cloudflare.origin.response.status_code"))
        .filter(|status| status != "0");
    check("upstream status", status, show(entry.upstream.status));
    let group = text(document, "aws.elb.target_group.arn");
    let group = group.and_then(|arn| arn.split('/').nth(1).map(str::to_owned));
    check("group", group, show(entry.upstream.group));
    let field = "aws.elb.backend_processing_time.sec";
    let header_us = entry.header_us.map(|us| us.to_string());
    check(field, scaled(document, field, 1e6), header_us);
}

/// The documents of an Elastic `*-expected.json`: a bare list (beats) or one under `expected` (integrations).
fn documents(path: &Path) -> Vec<Json> {
    let mut parsed: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let list = if parsed.is_array() {
        parsed
    } else {
        parsed["expected"].take()
    };
    list.as_array()
        .unwrap()
        .iter()
        .filter(|document| !document.is_null())
        .cloned()
        .collect()
}

/// Disagreements in which this crate is right, by how they are written, and why.
const OURS_IS_RIGHT: [(&str, &str); 3] = [
    (
        "aws-nlb/beats/example-nlb-tcp.log:1 upstream: \"\"",
        "AWS calls the field the destination: the listener that the client reached, not a server behind the balancer",
    ),
    (
        "cloudflare/integ/test-http-json.log:1 event.duration: \"\"",
        "two stamps in the same whole second do not say that the request took no time",
    ),
    (
        "cloudflare/integ/test-http-json.log:4 event.duration: \"\"",
        "as above",
    ),
];

#[test]
fn entries_agree_with_the_parses_beside_the_logs() {
    let Some(root) = root() else { return };
    let mut tally = Tally::default();
    compare_documents(&root, &mut tally);
    compare_assertions(&root, &mut tally);
    let is_known = |wrong: &&String| OURS_IS_RIGHT.iter().any(|(part, _)| wrong.contains(part));
    let (known, unknown): (Vec<_>, Vec<_>) = tally.wrong.iter().partition(is_known);
    println!(
        "{} fields compared, {} disagree: {known:#?}",
        tally.compared,
        tally.wrong.len()
    );
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(tally.wrong.len() as u32 * 200 <= tally.compared);
}

fn compare_documents(root: &Path, tally: &mut Tally) {
    for (file, ..) in FILES {
        let path = root.join(file);
        let beside = PathBuf::from(format!("{}-expected.json", path.display()));
        if !beside.is_file() || file.starts_with("azure-appservice") {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        let head = Head {
            bytes: &bytes,
            hints: &[],
            date_hint: None,
        };
        let format = detect(&head).unwrap();
        let (entries, _) = parse(format, &bytes);
        let documents = documents(&beside);
        // A line that could not be read here could not be read there: it has no document.
        let entries: Vec<_> = entries.iter().flatten().collect();
        assert_eq!(entries.len(), documents.len(), "{file}");
        for (number, (entry, document)) in entries.iter().zip(&documents).enumerate() {
            compare_ecs(tally, file, number, entry, document);
        }
    }
}

/// The value of `results["s01-parse"]["…"][n].Evt.Parsed["key"]` in an assertion of crowdsec.
fn assertion(line: &str) -> Option<(usize, &str, String)> {
    let rest = line.strip_prefix("results[\"s01-parse\"][")?;
    let (_, rest) = rest.split_once("][")?;
    let (number, rest) = rest.split_once("].Evt.Parsed[\"")?;
    let (key, rest) = rest.split_once("\"] == ")?;
    Some((number.parse().ok()?, key, serde_json::from_str(rest).ok()?))
}

fn compare_assertions(root: &Path, tally: &mut Tally) {
    let files = [
        "aws-alb/crowdsec/aws-alb-logs.log",
        "fastly/crowdsec/fastly-logs.log",
    ];
    for file in files {
        let path = root.join(file);
        let bytes = fs::read(&path).unwrap();
        let head = Head {
            bytes: &bytes,
            hints: &[],
            date_hint: None,
        };
        let (entries, _) = parse(detect(&head).unwrap(), &bytes);
        let asserted = fs::read_to_string(format!("{}.parser.assert", path.display())).unwrap();
        let of_product =
            |line: &&str| line.contains("crowdsecurity/aws-alb") || line.contains("crowdsecurity/fastly");
        for (number, key, want) in asserted.lines().filter(of_product).filter_map(assertion) {
            let Some(Some(entry)) = entries.get(number) else {
                continue;
            };
            if want == "-" {
                continue;
            }
            let upstream = show(entry.upstream.addr).unwrap_or_default();
            let (target, target_port) = upstream.rsplit_once(':').unwrap_or_default();
            let stamp = entry.time.map(|stamp| (stamp.us / 1000).to_string());
            let got = match key {
                "verb" | "http_method" => show(entry.method),
                "host" => without_port(entry.host),
                "elb_status_code" => entry.status.map(|status| status.to_string()),
                "target_status_code" => show(entry.upstream.status),
                "sent_bytes" | "body_bytes_sent" => entry.bytes_sent.map(|bytes| bytes.to_string()),
                "remote_addr" => show(entry.client),
                "remote_port" => entry.client_port.map(|port| port.to_string()),
                "request" => show(&entry.target()),
                "target_addr" => Some(target.to_owned()),
                "target_port" => Some(target_port.to_owned()),
                "target_processing_time" if want == "-1" => {
                    Some(entry.header_us.map_or("-1".to_owned(), |us| us.to_string()))
                }
                "target_processing_time" => {
                    let us = entry.header_us.unwrap_or(u64::MAX);
                    Some(format!("{:.3}", us as f64 / 1e6))
                }
                "time" | "fastly_timestamp" => {
                    let asked = ms_of(Some(want.clone()));
                    Some(want.clone()).filter(|_| asked == stamp)
                }
                "trace_id" => {
                    let id = entry.ids.as_slice().first().copied().unwrap_or_default();
                    show(id).map(|id| format!("Root={id}"))
                }
                _ => continue,
            };
            tally.check(&format!("{file}:{}", number + 1), key, Some(want), got);
        }
    }
}

#[test]
fn requests_and_notes_are_told_apart() {
    let Some(root) = root() else { return };
    let bytes = fs::read(root.join("atlassian-access/plaso/atlassian-bitbucket-access.log")).unwrap();
    let format = registry::by_name("bitbucket").unwrap();
    let (entries, _) = parse(format, &bytes);
    let requests = entries
        .iter()
        .flatten()
        .filter(|entry| entry.kind == Kind::Request);
    assert_eq!(requests.count(), 5);
}
