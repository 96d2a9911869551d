//! Whole sets of configurations through `lint`: the cases of the vendors' articles, good ones, and the samples'.

use std::fs;
use std::path::Path;

use crate::model::lint::{Level, LintFinding, LintReport};
use crate::plan::{Plan, given};

/// Lints files written into a fresh directory.
fn linted(files: &[(&str, &str)], limits: &[&str]) -> LintReport {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let plan = Plan {
        paths: vec![dir.path().to_path_buf()],
        given: limits.iter().map(|text| given::limit(text).unwrap()).collect(),
        ..Plan::default()
    };
    super::lint(&super::super::settle(&plan).unwrap()).unwrap()
}

fn found<'a>(report: &'a LintReport, rule: &str) -> Vec<&'a LintFinding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.rule == rule)
        .collect()
}

/// nginx in front of one server, with `directives` in the location and `upstream` in the group.
fn nginx(upstream: &str, directives: &str) -> String {
    format!(
        "events {{}}\nhttp {{\n upstream app {{ server 10.0.0.3:3000; keepalive 16; {upstream} }}\n server {{ listen 8080;\n  location / {{\n   proxy_http_version 1.1; proxy_set_header Connection \"\";\n   proxy_connect_timeout 3s; {directives}\n   proxy_pass http://app;\n  }} }}\n}}\n"
    )
}

const NODE: &str =
    "[[hop]]\nname = \"app\"\nproduct = \"node\"\nlisten = [\"10.0.0.3:3000\"]\n[hop.limits]\n";

#[test]
fn seventy_five_seconds_against_five_is_an_error_and_seventy_six_is_the_least() {
    let edge = nginx("keepalive_timeout 75s;", "");
    let report = linted(&[("edge/nginx.conf", &edge), ("why502.toml", NODE)], &[]);
    let [finding] = found(&report, "idle_order")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(finding.level, Level::Error);
    assert_eq!(
        (finding.downstream.as_str(), finding.upstream.as_str()),
        ("edge", "app")
    );
    let origins: Vec<&str> = finding.values.iter().map(|value| value.origin.as_str()).collect();
    assert!(
        origins[0].ends_with("edge/nginx.conf:3") && origins[1] == "node default",
        "{origins:?}"
    );
    assert_eq!(finding.changes[0].proposed, "80000 (80 s)");
    assert!(
        finding.cost.contains("the least for app is 76 s"),
        "{}",
        finding.cost
    );
    assert_eq!(
        finding.changes[1].setting,
        "keepalive_timeout in the upstream block"
    );
    assert_eq!(finding.changes[1].proposed, "4s");
}

#[test]
fn a_second_more_is_enough_and_five_leave_nothing_to_say() {
    let edge = nginx("keepalive_timeout 75s;", "");
    let with = |idle: &str| {
        let limits = format!("{NODE}idle = \"{idle}\"\nresponse = \"30s\"\n");
        linted(&[("edge/nginx.conf", &edge), ("why502.toml", &limits)], &[])
    };
    let levels =
        |report: &LintReport| -> Vec<Level> { report.findings.iter().map(|finding| finding.level).collect() };
    assert_eq!(levels(&with("75s")), [Level::Error]);
    assert_eq!(levels(&with("75500ms")), [Level::Warning]);
    assert_eq!(levels(&with("76s")), [Level::Note]);
    assert_eq!(levels(&with("80s")), []);
}

#[test]
fn defaults_that_do_not_fit_are_found_without_a_word_about_them() {
    let edge = nginx("", "");
    let report = linted(&[("edge/nginx.conf", &edge)], &["10.0.0.3:3000.idle=5s"]);
    let [finding] = found(&report, "idle_order")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(
        (finding.level, finding.values[0].origin.as_str()),
        (Level::Error, "nginx default")
    );
    // Without pooled connections there is nothing to lose.
    let closing = edge.replace("Connection \"\"", "Connection close");
    let report = linted(&[("edge/nginx.conf", &closing)], &["10.0.0.3:3000.idle=5s"]);
    assert!(found(&report, "idle_order").is_empty(), "{report:#?}");
}

#[test]
fn a_proxy_that_gives_up_before_the_server_behind_it_is_told() {
    // Three minutes in front of a gateway that waits five.
    let edge = nginx("keepalive_timeout 10s;", "proxy_read_timeout 3m;");
    let gateway = nginx("keepalive_timeout 10s;", "proxy_read_timeout 5m;")
        .replace("listen 8080", "listen 10.0.0.3:3000")
        .replace("server 10.0.0.3:3000", "server 10.0.0.4:3000");
    let report = linted(
        &[("edge/nginx.conf", &edge), ("gateway/nginx.conf", &gateway)],
        &[],
    );
    let [finding] = found(&report, "response_order")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(finding.level, Level::Warning);
    assert_eq!(
        (
            finding.changes[0].setting.as_str(),
            finding.changes[0].proposed.as_str()
        ),
        ("proxy_read_timeout", "305s")
    );
    assert_eq!(finding.changes[1].proposed, "179s");
    let names: Vec<&str> = report.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["edge", "gateway"]);
    assert_eq!(report.servers[1].unknown, ["10.0.0.4:3000"]);
}

#[test]
fn attempts_that_outlast_the_server_in_front_are_told() {
    let edge = nginx("keepalive_timeout 10s;", "proxy_read_timeout 25s;");
    let gateway = nginx(
        "server 10.0.0.5:3000; server 10.0.0.6:3000; keepalive_timeout 10s;",
        "proxy_read_timeout 10s;",
    )
    .replace("listen 8080", "listen 10.0.0.3:3000")
    .replace("server 10.0.0.3:3000", "server 10.0.0.4:3000");
    let files = [
        ("edge/nginx.conf", edge.as_str()),
        ("gateway/nginx.conf", gateway.as_str()),
    ];
    let report = linted(&files, &[]);
    let [finding] = found(&report, "retries")[..] else {
        panic!("{report:#?}")
    };
    assert!(
        finding
            .summary
            .contains("3 times for 10 s each, 30 s together, but edge waits only 25 s"),
        "{}",
        finding.summary
    );
    let limited = gateway.replace(
        "proxy_pass",
        "proxy_next_upstream_timeout 12s; proxy_next_upstream_tries 2; proxy_pass",
    );
    let report = linted(&[files[0], ("gateway/nginx.conf", &limited)], &[]);
    assert!(found(&report, "retries").is_empty(), "{report:#?}");
}

#[test]
fn workers_that_are_killed_before_the_proxy_gives_up_are_told() {
    let edge = nginx("keepalive_timeout 1s;", "proxy_read_timeout 60s;");
    let app = "bind = '10.0.0.3:3000'\nworker_class = 'gthread'\nkeepalive = 75\ntimeout = 30\ngraceful_timeout = 90\n";
    let report = linted(&[("edge/nginx.conf", &edge), ("app/gunicorn.conf.py", app)], &[]);
    let rules: Vec<&str> = report
        .findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .collect();
    assert_eq!(rules, ["worker_kill"]);
    assert_eq!(report.findings[0].changes[0].proposed, "61");
}

#[test]
fn haproxy_without_timeouts_is_told_once_for_each() {
    let cfg =
        "frontend f\n  bind :80\n  default_backend b\nbackend b\n  mode http\n  server s 10.0.0.3:3000\n";
    let report = linted(&[("lb/haproxy.cfg", cfg)], &[]);
    let said: Vec<&str> = found(&report, "missing")
        .iter()
        .map(|finding| finding.summary.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "lb has no timeout connect: it waits without limit",
            "lb has no timeout server: it waits without limit"
        ]
    );
}

#[test]
fn a_good_chain_of_three_gives_no_finding() {
    let lb = "defaults\n  mode http\n  timeout connect 3s\n  timeout client 60s\n  timeout server 40s\n  timeout http-keep-alive 65s\nfrontend f\n  bind :80\n  default_backend b\nbackend b\n  http-reuse never\n  server web 10.0.0.1:8080\n";
    let edge = nginx("keepalive_timeout 20s;", "proxy_read_timeout 30s;")
        .replace("listen 8080", "keepalive_timeout 90s; listen 10.0.0.1:8080");
    let app = "[[hop]]\nname = \"app\"\nproduct = \"node\"\nlisten = [\"10.0.0.3:3000\"]\n[hop.limits]\nidle = \"25s\"\n";
    let report = linted(
        &[
            ("lb/haproxy.cfg", lb),
            ("edge/nginx.conf", &edge),
            ("why502.toml", app),
        ],
        &[],
    );
    let worse: Vec<&LintFinding> = report
        .findings
        .iter()
        .filter(|finding| finding.level < Level::Note)
        .collect();
    assert!(worse.is_empty(), "{report:#?}");
    let names: Vec<&str> = report.servers.iter().map(|server| server.name.as_str()).collect();
    assert_eq!(names, ["lb", "edge", "app"]);
}

#[test]
fn an_order_given_by_the_user_stands_in_for_addresses() {
    let alb = r#"{"Attributes": [{"Key": "idle_timeout.timeout_seconds", "Value": "60"}]}"#;
    let toml = "[[hop]]\nname = \"alb\"\n[[hop]]\nname = \"app\"\nproduct = \"node\"\n";
    let report = linted(&[("alb/attributes.json", alb), ("why502.toml", toml)], &[]);
    let [finding] = found(&report, "idle_order")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(
        (
            finding.downstream.as_str(),
            finding.upstream.as_str(),
            finding.level
        ),
        ("alb", "app", Level::Error)
    );
    assert!(finding.values[0].origin.ends_with("alb/attributes.json:1"));
}

#[test]
fn the_samples_are_linted_as_they_are_known_to_be_set() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let of = |name: &str, limits: &[&str]| {
        let plan = Plan {
            paths: vec![samples.join(name).join("configs")],
            given: limits.iter().map(|text| given::limit(text).unwrap()).collect(),
            ..Plan::default()
        };
        super::lint(&plan).unwrap()
    };
    // Node's 1 s behind nginx's 60 s is what loses the races of this sample.
    let report = of("nginx-node", &["127.10.30.2:3001.idle=1s"]);
    let [finding] = found(&report, "idle_order")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(
        (finding.level, finding.places.as_slice()),
        (Level::Error, ["shop.example.com/orders/".to_owned()].as_slice())
    );
    // gunicorn's worker_class is sync, which closes after every answer: no race is possible.
    let report = of("apache-gunicorn", &[]);
    assert!(found(&report, "idle_order").is_empty(), "{report:#?}");
    let killed: Vec<&str> = found(&report, "worker_kill")
        .iter()
        .map(|finding| finding.upstream.as_str())
        .collect();
    assert_eq!(killed, ["exports-app"]);
    // The load balancer waits 6 s and less, the web server 10 s for some paths.
    let report = of("haproxy-nginx-node", &[]);
    assert!(!found(&report, "response_order").is_empty(), "{report:#?}");
}

#[test]
fn connections_that_outlast_what_a_device_between_remembers_are_noted() {
    let with = |own: &str, theirs: &str| {
        let edge = nginx(&format!("keepalive_timeout {own};"), "");
        let app = format!("{NODE}idle = \"{theirs}\"\nresponse = \"30s\"\n");
        linted(&[("edge/nginx.conf", &edge), ("why502.toml", &app)], &[])
    };
    let report = with("300s", "310s");
    let [finding] = found(&report, "middlebox")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(finding.level, Level::Note);
    assert!(finding.summary.contains("300 s") && finding.summary.contains("240 s"));
    assert!(!finding.summary.contains("350 s"));
    // Shorter than any remembers, or the other side closes first, or there is no way between.
    assert!(found(&with("200s", "310s"), "middlebox").is_empty());
    assert!(found(&with("300s", "100s"), "middlebox").is_empty());
    let here = nginx("keepalive_timeout 300s;", "").replace("10.0.0.3", "127.0.0.1");
    let app = format!("{NODE}idle = \"310s\"\n").replace("10.0.0.3", "127.0.0.1");
    let report = linted(&[("edge/nginx.conf", &here), ("why502.toml", &app)], &[]);
    assert!(found(&report, "middlebox").is_empty());
}

/// A gateway in front of the server at `to`, listening on `own`, for requests of `path`.
fn gateway(own: &str, to: &str, path: &str) -> String {
    nginx("keepalive_timeout 10s;", "")
        .replace("listen 8080", &format!("listen {own}"))
        .replace("10.0.0.3:3000", to)
        .replace("location /", &format!("location {path}"))
}

#[test]
fn servers_that_send_everything_to_each_other_are_a_loop_and_nothing_is_proposed_for_their_order() {
    let (edge, gw) = ("10.0.0.1:80", "10.0.0.2:80");
    let lint = |edge_path: &str, gw_path: &str| {
        let files = [
            ("edge/nginx.conf", gateway(edge, gw, edge_path)),
            ("gw/nginx.conf", gateway(gw, edge, gw_path)),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        linted(&files, &[])
    };
    let report = lint("/", "/");
    let [finding] = found(&report, "loop")[..] else {
        panic!("{report:#?}")
    };
    assert_eq!(finding.level, Level::Error);
    assert_eq!(
        finding.summary,
        "requests go round in a circle: edge to gw (10.0.0.2:80, path /), gw to edge (10.0.0.1:80, path /)"
    );
    assert!(found(&report, "response_order").is_empty(), "{report:#?}");
    let apart = lint("/api/", "/web/");
    assert!(found(&apart, "loop").is_empty(), "{apart:#?}");
}

#[test]
fn a_loop_of_three_is_told_once_and_one_with_another_way_out_is_a_warning() {
    let (a, b, c) = ("10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80");
    let lint = |last: &str| {
        let files = [
            ("a/nginx.conf", gateway(a, b, "/")),
            ("b/nginx.conf", gateway(b, c, "/")),
            ("c/nginx.conf", last.to_owned()),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        linted(&files, &[])
    };
    let levels = |report: &LintReport| -> Vec<Level> {
        found(report, "loop")
            .iter()
            .map(|finding| finding.level)
            .collect()
    };
    let back = gateway(c, a, "/");
    assert_eq!(levels(&lint(&back)), [Level::Error]);
    let backup = back.replace(
        "server 10.0.0.1:80;",
        "server 10.0.0.9:80; server 10.0.0.1:80 backup;",
    );
    assert_eq!(levels(&lint(&backup)), [Level::Warning]);
    assert_eq!(levels(&lint(&gateway(c, "10.0.0.9:80", "/"))), []);
}

#[test]
fn a_connect_timer_as_long_as_the_whole_answer_is_not_called_longer() {
    let edge = gateway("10.0.0.1:80", "10.0.0.2:80", "/")
        .replace("proxy_connect_timeout 3s;", "proxy_read_timeout 60s;");
    let gw = gateway("10.0.0.2:80", "10.0.0.9:80", "/").replace("proxy_connect_timeout 3s;", "");
    let summary = |connect: &str| {
        let gw = gw.replace(
            "proxy_http_version 1.1;",
            &format!("proxy_http_version 1.1; proxy_connect_timeout {connect};"),
        );
        let report = linted(&[("edge/nginx.conf", &edge), ("gw/nginx.conf", &gw)], &[]);
        let of_gw = found(&report, "connect");
        let finding = of_gw.iter().find(|finding| finding.downstream == "gw");
        finding.map(|finding| finding.summary.clone()).unwrap_or_default()
    };
    assert_eq!(
        summary("60s"),
        "gw waits up to 60 s for a connection, as long as edge waits for the whole answer (60 s)"
    );
    assert!(
        summary("70s").contains(", longer than edge waits"),
        "{}",
        summary("70s")
    );
}
