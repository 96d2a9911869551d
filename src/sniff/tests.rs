use super::*;
use crate::discover::discover;
use crate::plan::{FormatText, Pattern, Plan, Rule};
use why502_parsers::paste::{Dialect, compile};

const CLF: &str = "10.0.0.1 - - [20/Nov/2026:10:00:05 +0000] \"GET /a HTTP/1.1\" 502 157 \"-\" \"curl/8\"\n";
const NGINX_ERROR: &str = "2026/11/20 10:00:05 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: _, request: \"GET /a HTTP/1.1\", upstream: \"http://10.0.0.3:80/a\", host: \"h\"\n";
const HAPROXY: &str = "10.0.0.1:5000 [20/Nov/2026:10:00:05.123] fe be/s1 0/0/1/2/3 200 100 - - ---- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"\n";

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(root)
    }

    fn sniff(&self, declared: &[DeclaredFormat], configs: &[(&str, Product)], plan: &Plan) -> Vec<String> {
        let inputs = discover(&[self.0.path().to_owned()]).unwrap().inputs;
        let root = format!("{}/", crate::discover::shown(self.0.path()));
        let configs: Vec<_> = configs
            .iter()
            .map(|(path, product)| (format!("{root}{path}"), *product))
            .collect();
        let surroundings = Surroundings {
            declared,
            configs: &configs,
            has_configuration_words: Some(crate::discover::has_configuration_words),
        };
        let forced = Forced::new(plan, declared).unwrap();
        let sniffed = detect(&inputs, surroundings, &forced, &|input, part| match part {
            Part::Head => crate::read::head(input, HEAD),
            Part::Middle => crate::read::middle(input, HEAD),
        });
        let name = |input: &Input| input.shown.replace(&root, "");
        let known = inputs.iter().filter_map(|input| {
            let detected = sniffed.formats[input.id.0 as usize].as_ref()?;
            let wrapper = match detected.wrapper.name() {
                name if name.is_empty() => name,
                name => format!(" in {name}"),
            };
            Some(format!(
                "{}: {}/{}{wrapper}",
                name(input),
                detected.product.name(),
                detected.format_name
            ))
        });
        let passed = sniffed
            .passed_over
            .iter()
            .map(|id| format!("{}: passed over", name(&inputs[id.0 as usize])));
        let problems = sniffed.problems.iter().map(|p| p.message.replace(&root, ""));
        let not_known = sniffed
            .unrecognised
            .iter()
            .map(|id| format!("{}: not recognised", name(&inputs[id.0 as usize])));
        known.chain(passed).chain(not_known).chain(problems).collect()
    }

    fn plain(&self) -> Vec<String> {
        self.sniff(&[], &[], &Plan::default())
    }
}

fn nginx(name: &str, text: &str, log_path: &str, config: &str) -> DeclaredFormat {
    DeclaredFormat {
        format: compile(Dialect::Nginx, name, text).unwrap(),
        log_path: log_path.into(),
        config: config.into(),
        is_definition: false,
    }
}

#[test]
fn a_shared_shape_is_of_nobody_without_hints() {
    assert_eq!(Tree::new(&[("x.log", CLF)]).plain(), ["x.log: unknown/clf"]);
}

#[test]
fn a_shared_shape_is_told_by_its_name_its_neighbours_or_its_directory() {
    let tree = Tree::new(&[
        ("a/access.log", CLF),
        ("a/error.log", NGINX_ERROR),
        ("b/apache-access.log", CLF),
        ("httpd/x.log", CLF),
        ("flat/app-access.log", CLF),
        ("flat/edge-access.log", CLF),
        ("flat/edge-error.log", NGINX_ERROR),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "a/access.log: nginx/nginx",
            "a/error.log: nginx/nginx-error",
            "b/apache-access.log: apache/apache",
            "flat/app-access.log: unknown/clf",
            "flat/edge-access.log: nginx/nginx",
            "flat/edge-error.log: nginx/nginx-error",
            "httpd/x.log: apache/apache",
        ]
    );
}

#[test]
fn a_configuration_beside_a_log_tells_whose_it_is() {
    let tree = Tree::new(&[("gw/x.log", CLF), ("app/x.log", CLF)]);
    let said = tree.sniff(&[], &[("gw/site.conf", Product::Nginx)], &Plan::default());
    assert_eq!(said, ["app/x.log: unknown/clf", "gw/x.log: nginx/nginx"]);
}

#[test]
fn a_declared_format_takes_its_own_log_and_not_that_of_another_product() {
    let tree = Tree::new(&[
        ("logs/access.log", CLF),
        ("logs/edge-access.log.1", CLF),
        ("logs/app-access.log", CLF),
    ]);
    let combined = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";
    let declared = [nginx(
        "main",
        combined,
        "/var/log/nginx/access.log",
        "configs/edge/nginx.conf",
    )];
    assert_eq!(
        tree.sniff(&declared, &[], &Plan::default()),
        [
            "logs/access.log: nginx/main",
            "logs/app-access.log: unknown/clf",
            "logs/edge-access.log.1: nginx/main"
        ]
    );
}

#[test]
fn a_declared_format_leaves_a_log_of_the_same_name_beside_another_servers_configuration() {
    let absolute = CLF.replace("GET /a", "GET http://shop.example.com/a");
    let tree = Tree::new(&[
        ("logs/edge-nginx/access.log", CLF),
        ("logs/cache-varnish/access.log", &absolute),
        ("logs/node-1/access.log", CLF),
    ]);
    let combined = "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"";
    let config = "configs/edge-nginx/nginx.conf";
    let shown = format!("{}/{config}", crate::discover::shown(tree.0.path()));
    let declared = [nginx("main", combined, "logs/access.log", &shown)];
    let all = |varnish: &str| {
        [
            format!("logs/cache-varnish/access.log: {varnish}"),
            "logs/edge-nginx/access.log: nginx/main".to_owned(),
            "logs/node-1/access.log: nginx/main".to_owned(),
        ]
    };
    let configs = [
        (config, Product::Nginx),
        ("configs/cache-varnish/default.vcl", Product::Varnish),
    ];
    assert_eq!(
        tree.sniff(&declared, &configs, &Plan::default()),
        all("varnish/varnish")
    );
    // Nothing else may have written it.
    assert_eq!(
        tree.sniff(&declared, &configs[..1], &Plan::default()),
        all("nginx/main")
    );
}

#[test]
fn of_two_formats_declared_for_one_file_name_the_one_that_parses_wins_then_the_nearer() {
    let custom = "$msec $status $request_time $upstream_addr $request";
    let other = "$time_iso8601 $status $request_time $request";
    let tree = Tree::new(&[
        (
            "logs/edge/access.log",
            "1795168805.123 502 0.001 10.0.0.3:80 GET /a HTTP/1.1\n",
        ),
        (
            "logs/gw/access.log",
            "2026-11-20T10:00:05+00:00 502 0.001 GET /a HTTP/1.1\n",
        ),
    ]);
    let declared = [
        nginx(
            "far",
            custom,
            "/var/log/nginx/access.log",
            "configs/gw/nginx.conf",
        ),
        nginx(
            "near",
            custom,
            "/var/log/nginx/access.log",
            "configs/edge/nginx.conf",
        ),
        nginx("gw", other, "/var/log/nginx/access.log", "configs/gw/nginx.conf"),
    ];
    assert_eq!(
        tree.sniff(&declared, &[], &Plan::default()),
        ["logs/edge/access.log: nginx/near", "logs/gw/access.log: nginx/gw"]
    );
}

#[test]
fn a_custom_format_fits_a_renamed_log_too() {
    let tree = Tree::new(&[("x.log", "1795168805.123 502 0.001 10.0.0.3:80 GET /a HTTP/1.1\n")]);
    let declared = [nginx(
        "t",
        "$msec $status $request_time $upstream_addr $request",
        "/l/access.log",
        "n.conf",
    )];
    assert_eq!(tree.sniff(&declared, &[], &Plan::default()), ["x.log: nginx/t"]);
}

#[test]
fn lines_that_a_declared_format_does_not_describe_are_read_by_the_product_s_own() {
    let state = "Server be/s1 is DOWN, reason: Layer4 connection problem, check duration: 0ms. 0 active and 0 backup servers left.\n";
    let tree = Tree::new(&[(
        "lb.log",
        &(state.repeat(9) + "1/GET /a/502/20/Nov/2026:10:00:05.123\n" + HAPROXY),
    )]);
    let declared = [DeclaredFormat {
        format: compile(Dialect::Haproxy, "short", "%ci %ST %tr %r").unwrap(),
        log_path: "/dev/log".into(),
        config: "haproxy.cfg".into(),
        is_definition: false,
    }];
    // The declared format reads no line here, so it takes no part.
    assert_eq!(
        tree.sniff(&declared, &[], &Plan::default()),
        ["lb.log: haproxy/haproxy"]
    );
    let own = "10.0.0.1 502 20/Nov/2026:10:00:05.123 GET /a HTTP/1.1\n";
    std::fs::write(tree.0.path().join("lb.log"), state.repeat(9) + own).unwrap();
    assert_eq!(
        tree.sniff(&declared, &[], &Plan::default()),
        ["lb.log: haproxy/short"]
    );
}

#[test]
fn an_id_that_another_server_made_does_not_make_a_log_its_own() {
    let passed_on = "127.13.10.1 - - [20/Nov/2026:18:29:33 +0000] \"GET / HTTP/1.1\" 200 7396 \"-\" \"curl/8\" 8690 awCRjeg0B1AXhCsVW8r_pAAAAAI <24849>\n";
    let logger = "[2026-11-20 18:29:31 +0000] [24847] [INFO] Starting gunicorn 23.0.0\n[2026-11-20 18:29:31 +0000] [24847] [INFO] Listening at: http://127.13.30.1:8000 (24847)\n";
    let tree = Tree::new(&[("shop/access.log", passed_on), ("shop/error.log", logger)]);
    assert_eq!(
        tree.plain(),
        [
            "shop/access.log: gunicorn/gunicorn",
            "shop/error.log: gunicorn/gunicorn-error"
        ]
    );
}

#[test]
fn a_wrapper_is_taken_off_first() {
    let tree = Tree::new(&[
        ("lb.log", &format!("Nov 20 10:00:05 lb1 haproxy[7]: {HAPROXY}")),
        ("plain.log", HAPROXY),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "lb.log: haproxy/haproxy in syslog (rfc 3164)",
            "plain.log: haproxy/haproxy"
        ]
    );
}

#[test]
fn the_tag_of_its_lines_tells_whose_a_shared_shape_is() {
    let tagged = |tag: &str| format!("<190>Nov 20 10:00:05 web1 {tag}: {CLF}");
    let tree = Tree::new(&[
        ("a.log", &tagged("nginx").repeat(3)),
        ("b.log", &tagged("httpd").repeat(3)),
        ("c.log", &tagged("edge").repeat(3)),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "a.log: nginx/nginx in syslog (rfc 3164)",
            "b.log: apache/apache in syslog (rfc 3164)",
            "c.log: unknown/clf in syslog (rfc 3164)"
        ]
    );
}

#[test]
fn messages_of_the_system_are_read_but_not_those_of_a_server_whose_format_is_unknown() {
    let cron = "Nov 20 10:00:05 web1 CRON[7]: (root) CMD (run-parts)\n";
    let odd = "Nov 20 10:00:05 web1 haproxy[7]: something of its own\n";
    let table = "name   | value\n-------+------\nalpha  | 1\nbeta   | 2\n";
    let tree = Tree::new(&[
        ("a.log", &cron.repeat(3)),
        ("b.log", &odd.repeat(3)),
        ("c.txt", table),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "a.log: linux/messages in syslog (rfc 3164)",
            "c.txt: not recognised",
            "no known log format in b.log, inside syslog (rfc 3164)"
        ]
    );
}

#[test]
fn rotations_share_a_format_unless_they_do_not_parse_so() {
    let tree = Tree::new(&[
        ("a.log", ""),
        ("a.log.1", NGINX_ERROR),
        ("a.log.2", HAPROXY),
        ("a.log.3", NGINX_ERROR),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "a.log.3: nginx/nginx-error",
            "a.log.2: haproxy/haproxy",
            "a.log.1: nginx/nginx-error",
            "a.log: passed over"
        ]
    );
}

#[test]
fn noise_at_the_start_does_not_hide_a_log() {
    let text = "starting up, please wait\n".repeat(3000) + &NGINX_ERROR.repeat(1000);
    assert_eq!(
        Tree::new(&[("a.log", &text)]).plain(),
        ["a.log: nginx/nginx-error"]
    );
}

#[test]
fn what_is_no_log_is_passed_over_and_an_unknown_log_is_a_problem() {
    let tree = Tree::new(&[
        ("README.md", "# 10:00:05\n10:00:06 it broke\n"),
        ("truth.json", "{\n  \"at\": \"2026-11-20T10:00:05Z\"\n}\n"),
        (
            "expected.json",
            "{\"schema\":\"why502.findings.v1\",\"generated_at\":\"2026-11-20T10:00:05Z\"}\n",
        ),
        ("list.json", "[{\"name\":\"oak chair\",\"price\":502}]\n"),
        ("nginx.conf", "events {}\nhttp {\n}\n"),
        ("odd.log", "10:00:05 <> frobnicated\n10:00:06 <> frobnicated\n"),
        ("odd.log.1", "10:00:05 <> frobnicated\n"),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "README.md: passed over",
            "expected.json: passed over",
            "list.json: passed over",
            "nginx.conf: passed over",
            "truth.json: passed over",
            "no known log format in odd.log and 1 more of the same log",
        ]
    );
}

#[test]
fn what_is_neither_a_log_nor_plainly_something_else_is_not_passed_over_in_silence() {
    let one_line = "x".repeat(100_000);
    let nuls = "\0".repeat(200_000) + CLF;
    let tree = Tree::new(&[
        ("app.log", &one_line),
        ("b/hello.3", "hello 3\n"),
        ("c.gz", "no gzip at all\n"),
        ("d/Dockerfile", "FROM scratch\n"),
        ("e/app.properties", "a=b\n"),
        ("f/start", "#!/bin/sh\nexec app\n"),
        ("g/access.log", &nuls),
        ("h.log", ""),
    ]);
    assert_eq!(
        tree.plain(),
        [
            "g/access.log: unknown/clf",
            "d/Dockerfile: passed over",
            "e/app.properties: passed over",
            "f/start: passed over",
            "h.log: passed over",
            "app.log: not recognised",
            "b/hello.3: not recognised",
            "c.gz: not recognised",
        ]
    );
}

#[test]
fn what_the_user_forces_goes_before_everything() {
    let tree = Tree::new(&[("a.log", CLF), ("b.log", CLF), ("c.log", "10:00:05 x\n")]);
    let plan = Plan {
        input_formats: vec![Rule {
            pattern: Some(Pattern::new("{b,c}.log").unwrap()),
            value: "apache".into(),
        }],
        log_formats: vec![Rule {
            pattern: Some(Pattern::new("a.log").unwrap()),
            value: FormatText {
                dialect: "nginx".into(),
                text: "$remote_addr - - [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"".into(),
            },
        }],
        ..Plan::default()
    };
    assert_eq!(
        tree.sniff(&[], &[], &plan),
        [
            "a.log: nginx/nginx (given)",
            "b.log: apache/apache",
            "c.log: apache/apache",
            "no line of c.log is of the format apache",
        ]
    );
}

/// The error of what `plan` forces, and its hint.
fn told(plan: &Plan) -> String {
    let error = Forced::new(plan, &[]).err().unwrap();
    format!("{error}\n{}", error.hint())
}

#[test]
fn a_format_that_does_not_exist_is_answered_with_those_that_do() {
    let plan = Plan {
        input_formats: vec![Rule {
            pattern: None,
            value: "nginks".into(),
        }],
        ..Plan::default()
    };
    let error = told(&plan);
    assert!(
        error.contains("unknown format 'nginks'") && error.contains("haproxy"),
        "{error}"
    );
    let plan = Plan {
        log_formats: vec![Rule {
            pattern: None,
            value: FormatText {
                dialect: "ngin".into(),
                text: "$status".into(),
            },
        }],
        ..Plan::default()
    };
    let error = told(&plan);
    assert!(
        error.contains("'ngin'") && error.contains("nginx:, apache:, haproxy:"),
        "{error}"
    );
}

#[test]
fn wrappers_are_taken_off_one_after_the_other() {
    let wrapped = |line: &str| {
        let syslog = format!("<134>Nov 20 10:00:05 lb1 haproxy[7]: {}", line.trim_end());
        let envelope = serde_json::json!({"message": syslog, "@timestamp": "2026-11-20T10:00:05Z"});
        format!("2026-11-20T10:00:05.123456789Z stdout F {envelope}\n")
    };
    let tree = Tree::new(&[("pod.log", &wrapped(HAPROXY).repeat(3))]);
    assert_eq!(
        tree.plain(),
        ["pod.log: haproxy/haproxy in syslog (rfc 3164) in json envelope in kubernetes cri"]
    );
}

#[test]
fn json_with_a_message_is_a_record_of_its_own_if_it_says_more_than_the_message() {
    let own = r#"{"time":"2026-11-20T10:00:05.123Z","level":"info","message":"GET /a took 3 ms","method":"GET","url":"/a","status":502,"duration_ms":3}"#;
    let line =
        serde_json::json!({"time": "2026-11-20T10:00:05.123Z", "level": "info", "message": CLF.trim_end()});
    let tree = Tree::new(&[
        ("own.log", &format!("{own}\n").repeat(3)),
        ("in.log", &format!("{line}\n").repeat(3)),
    ]);
    let said = tree.plain();
    assert_eq!(said[0], "in.log: unknown/clf in json envelope");
    assert!(
        said[1].starts_with("own.log: ") && !said[1].contains("envelope"),
        "{said:?}"
    );
}

#[test]
fn lines_of_several_formats_in_one_stream_are_all_read() {
    let text = format!("{CLF}{NGINX_ERROR}{CLF}{CLF}{HAPROXY}{HAPROXY}{CLF}");
    let tree = Tree::new(&[("nginx/stdout.log", &text)]);
    let inputs = discover(&[tree.0.path().to_owned()]).unwrap().inputs;
    let forced = Forced::new(&Plan::default(), &[]).unwrap();
    let sniffed = detect(&inputs, Surroundings::default(), &forced, &|input, _| {
        crate::read::head(input, HEAD)
    });
    let detected = sniffed.formats[0].as_ref().unwrap();
    assert!(
        detected.reason.contains("lines of haproxy among them"),
        "{detected:?}"
    );
    assert_eq!((detected.parsed, detected.looked_at), (7, 7), "{detected:?}");
    assert_eq!(detected.kind, RecordKind::Mixed);
    let mut parser = detected.prepared.open(b"");
    let mut entry = why502_parsers::Entry::default();
    parser
        .parse(NGINX_ERROR.trim_end().as_bytes(), &mut entry)
        .unwrap();
    assert!(entry.signal.is_some());
    assert!(sniffed.problems.is_empty(), "{:?}", sniffed.problems);
}

#[test]
fn a_format_that_leaves_many_lines_is_said_to() {
    let text = CLF.repeat(8) + &"what is this\n".repeat(2);
    let said = Tree::new(&[("x.log", &text)]).plain();
    assert_eq!(
        said,
        [
            "x.log: unknown/clf",
            "only 8 of the first 10 lines of x.log are read as clf"
        ]
    );
}

#[test]
fn a_tie_between_formats_that_read_a_log_otherwise_is_said() {
    let declared = [
        nginx(
            "first",
            "$remote_addr $request_time $upstream_response_time $msec $status",
            "/l/a.log",
            "a.conf",
        ),
        nginx(
            "second",
            "$remote_addr $upstream_response_time $request_time $msec $status",
            "/l/b.log",
            "b.conf",
        ),
        nginx(
            "third",
            "$remote_addr $request_time $upstream_response_time $msec $status",
            "/l/c.log",
            "c.conf",
        ),
    ];
    let tree = Tree::new(&[("x.log", "10.0.0.1 0.010 0.003 1795168805.123 502\n")]);
    let said = tree.sniff(&declared, &[], &Plan::default());
    assert_eq!(
        said,
        [
            "x.log: nginx/first",
            "x.log is read as first, but may as well be second"
        ]
    );
}
