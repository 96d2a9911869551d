//! Report values for the tests of the renderers.

use std::collections::BTreeMap;

use super::summarise;
use crate::model::Findings;
use crate::model::finding::*;
use crate::model::{JoinedBy, Micros};

/// 2026-11-20, 10:00:00 UTC.
const TEN: i64 = 1_795_168_800_000_000;

fn at(seconds: f64) -> Micros {
    Micros(TEN + (seconds * 1e6).round() as i64)
}

/// 127 failures of three causes behind two proxies, with near misses and one file that is of no use.
pub(super) fn report() -> Report {
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend((0..96).map(|n| race(n, 5.123 + f64::from(n) * 9.1)));
    findings.extend((0..24).map(|n| slow(n, 61.0 + f64::from(n) * 4.5)));
    findings.extend((0..7).map(|n| unexplained(n, 300.5 + f64::from(n) * 17.0)));
    findings.sort_by(|a, b| (a.time, &a.id).cmp(&(b.time, &b.id)));
    let near_misses = vec![near_miss()];
    let statuses = BTreeMap::from([(503, 3), (504, 12)]);
    Report {
        schema: Report::SCHEMA.into(),
        generated_at: at(3_600.0),
        window: Window {
            since: Some(at(0.0)),
            until: Some(at(900.0)),
        },
        statuses: vec!["502".into()],
        filtered: 0,
        inputs: inputs(),
        hops: hops(),
        summary: summarise(&findings.iter().collect(), &near_misses, &statuses, 48_210),
        incidents: Vec::new(),
        findings,
        inferences: vec![Inference {
            hop: "orders-app".into(),
            what: "upstream_keep_alive".into(),
            value_ms: 5_003.0,
            support: 412,
            note: "closes connections that were idle for five seconds".into(),
        }],
        near_misses,
        problems: vec![Problem {
            path: "old/app.log.1".into(),
            message: "no known format fits its first 64 lines".into(),
            hint: "name the format with --input-format 'old/app.log.1=NAME'".into(),
        }],
    }
}

/// Logs in which nothing failed with the wanted status.
pub(super) fn nothing_found() -> Report {
    let mut report = report();
    report.findings.clear();
    report.near_misses.clear();
    report.inferences.clear();
    report.summary = summarise(&Findings::default(), &[], &BTreeMap::from([(504, 12)]), 48_210);
    report
}

/// A report whose every text from the logs attacks the terminal.
pub(super) fn hostile() -> Report {
    const ATTACK: &str =
        "\x1b[2J\x1b]0;owned\x07\u{9b}31m\u{202e}gpj\u{2066}\r\n\t\0\u{200b}\u{feff}\u{2028}日本\u{301}";
    let mut report = report();
    report.findings.truncate(12);
    let attack = |text: &mut String| text.push_str(ATTACK);
    for finding in &mut report.findings {
        let request = &mut finding.request;
        [
            &mut request.method,
            &mut request.host,
            &mut request.path,
            &mut request.client,
        ]
        .into_iter()
        .for_each(attack);
        [
            &mut finding.id,
            &mut finding.issuer.hop,
            &mut finding.issuer.product,
            &mut finding.issuer.upstream,
        ]
        .into_iter()
        .for_each(attack);
        request
            .ids
            .iter_mut()
            .chain(&mut finding.missing)
            .for_each(attack);
        for evidence in &mut finding.evidence {
            [
                &mut evidence.fact,
                &mut evidence.file,
                &mut evidence.text,
                &mut evidence.hop,
            ]
            .into_iter()
            .for_each(attack);
        }
        for hop in &mut finding.hops {
            [&mut hop.hop, &mut hop.product, &mut hop.file]
                .into_iter()
                .for_each(attack);
        }
        finding
            .rivals
            .iter_mut()
            .for_each(|rival| attack(&mut rival.rejected_because));
        for change in finding.fix.iter_mut().flat_map(|fix| &mut fix.changes) {
            [
                &mut change.hop,
                &mut change.product,
                &mut change.setting,
                &mut change.current,
                &mut change.proposed,
            ]
            .into_iter()
            .for_each(attack);
        }
    }
    for input in &mut report.inputs {
        [&mut input.path, &mut input.zone, &mut input.format_reason]
            .into_iter()
            .for_each(attack);
        input.hop.iter_mut().chain(&mut input.format).for_each(attack);
        input
            .unparsed_lines
            .iter_mut()
            .for_each(|line| attack(&mut line.reason));
    }
    for problem in &mut report.problems {
        [&mut problem.path, &mut problem.message, &mut problem.hint]
            .into_iter()
            .for_each(attack);
    }
    for inference in &mut report.inferences {
        [&mut inference.hop, &mut inference.what, &mut inference.note]
            .into_iter()
            .for_each(attack);
    }
    for miss in &mut report.near_misses {
        [&mut miss.hop, &mut miss.upstream].into_iter().for_each(attack);
    }
    report.statuses.iter_mut().for_each(attack);
    report.summary = summarise(
        &report.findings.iter().collect(),
        &report.near_misses,
        &BTreeMap::new(),
        48_210,
    );
    report
}

fn finding(id: String, seconds: f64, cause: Cause, subtype: Subtype, score: f64) -> Finding {
    Finding {
        id,
        time: Some(at(seconds)),
        request: RequestInfo::default(),
        status: 502,
        issuer: Issuer {
            hop: "edge-nginx".into(),
            product: "nginx".into(),
            upstream: "10.0.0.3:8080".into(),
            upstream_hop: Some("orders-app".into()),
        },
        cause,
        subtype,
        contributing: None,
        certainty: Certainty::of(score),
        score,
        evidence: Vec::new(),
        rivals: Vec::new(),
        missing: Vec::new(),
        hops: Vec::new(),
        fix: None,
    }
}

fn race(n: u32, seconds: f64) -> Finding {
    let score = match n {
        77 => 0.5,
        n if n % 19 == 18 => 0.8,
        _ => 0.96,
    };
    let id = format!("f-3c9a{n:08x}");
    let mut finding = finding(
        id,
        seconds,
        Cause::KeepAliveRace,
        Subtype::FinBeforeRequest,
        score,
    );
    let request_id = format!("49b028268de7ad56639692374b{n:06x}");
    finding.request = request("POST", "/orders?id=7&currency=EUR", &request_id);
    finding.hops = vec![
        hop(
            "lb",
            "haproxy",
            (seconds - 0.0031, 3.1),
            JoinedBy::Origin,
            "lb/haproxy.log",
            4_700 + u64::from(n),
        ),
        hop(
            "edge-nginx",
            "nginx",
            (seconds - 0.0016, 0.8),
            JoinedBy::Id,
            "edge/access.log",
            4_711 + u64::from(n),
        ),
    ];
    let line = 812 + u64::from(n);
    finding.evidence = vec![
        evidence(
            Weight::Proof,
            "the connection had been idle for 5.003 s when the request was sent; orders-app closes idle connections after 5 s",
            line,
            &format!(
                "2026/11/20 10:00:05 [error] 14357#14357: *{n} recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 10.1.2.3, server: , request: \"POST /orders?id=7&currency=EUR HTTP/1.1\", upstream: \"http://10.0.0.3:8080/orders?id=7&currency=EUR\", host: \"shop.example.com\""
            ),
        ),
        evidence(
            Weight::Strong,
            "reset 0.8 ms after sending, no answer byte",
            4_711 + u64::from(n),
            &format!(
                "10.1.2.3 - - [20/Nov/2026:10:00:05 +0000] \"POST /orders?id=7&currency=EUR HTTP/1.1\" 502 157 \"-\" rt=0.001 uct=\"0.000\" uht=\"-\" urt=\"0.001\" us=\"502\" ua=\"10.0.0.3:8080\" rid={request_id}"
            ),
        ),
        evidence(
            Weight::Strong,
            "orders-app logged other requests in that second, but not this one",
            0,
            "",
        ),
    ];
    finding.evidence[1].file = "edge/access.log".into();
    finding.rivals = vec![
        rival(
            Cause::DroppedConnection,
            Subtype::ResetBeforeResponse,
            "a crash would have ended other requests at the same instant; none failed",
        ),
        rival(
            Cause::ProxyTimeout,
            Subtype::ResponseHeaderTimeout,
            "0.8 ms is far below the timeout of 60 s",
        ),
    ];
    if score < 0.9 {
        finding.missing =
            vec!["whether the connection was reused: log $connection_requests at edge-nginx".into()];
    }
    finding.fix = Some(Fix {
        summary: "let orders-app keep idle connections longer than edge-nginx does".into(),
        changes: vec![Change {
            hop: "orders-app".into(),
            product: "node".into(),
            setting: "server.keepAliveTimeout".into(),
            current: "5 s, product default".into(),
            proposed: "76 s".into(),
        }],
        what_if: None,
    });
    finding
}

fn slow(n: u32, seconds: f64) -> Finding {
    let mut finding = finding(
        format!("f-81d2{n:08x}"),
        seconds,
        Cause::ProxyTimeout,
        Subtype::ResponseHeaderTimeout,
        0.93,
    );
    finding.issuer = Issuer {
        hop: "reports-apache".into(),
        product: "httpd".into(),
        upstream: format!("10.0.0.{}:9000", 7 + n % 3),
        upstream_hop: Some("reports-app".into()),
    };
    finding.contributing = Some(Label {
        cause: Cause::QueueingDelay,
        subtype: Subtype::AppQueue,
    });
    finding.request = request("GET", "/reports/monthly/größe.pdf", "Zz1");
    let mut app = hop(
        "reports-app",
        "gunicorn",
        (seconds - 0.4, 61_250.0),
        JoinedBy::Time,
        "reports/access.log",
        90 + u64::from(n),
    );
    app.status = Some(200);
    app.ambiguous = true;
    finding.hops = vec![
        hop(
            "reports-apache",
            "httpd",
            (seconds - 60.002, 60_002.0),
            JoinedBy::Origin,
            "reports/httpd_access.log",
            77 + u64::from(n),
        ),
        app,
    ];
    let mut proof = evidence(
        Weight::Proof,
        "the wait ended after 60.002 s; ProxyTimeout is 60 s",
        301,
        "[Fri Nov 20 10:01:01.002113 2026] [proxy_http:error] [pid 77:tid 88] (70007)The timeout specified has expired: [client 10.1.2.3:51234] AH01102: error reading status line from remote server 10.0.0.7:9000",
    );
    proof.file = "reports/error_log".into();
    finding.evidence = vec![proof];
    finding.fix = Some(Fix {
        summary: "answer before the proxy gives up, or give the application longer".into(),
        changes: vec![Change {
            hop: "reports-apache".into(),
            product: "httpd".into(),
            setting: "ProxyTimeout".into(),
            current: "60 s, reports/httpd.conf:12".into(),
            proposed: "90 s".into(),
        }],
        what_if: None,
    });
    finding
}

fn unexplained(n: u32, seconds: f64) -> Finding {
    let id = format!("f-e07b{n:08x}");
    let mut finding = finding(id, seconds, Cause::Unexplained, Subtype::NotEnoughEvidence, 0.2);
    finding.issuer.upstream = "10.0.0.9:8443".into();
    finding.issuer.upstream_hop = None;
    finding.request = request("GET", "/cart", "");
    finding.request.ids.clear();
    finding.hops = vec![hop(
        "edge-nginx",
        "nginx",
        (seconds - 0.2, 200.0),
        JoinedBy::Origin,
        "edge/access.log",
        30_000 + u64::from(n),
    )];
    finding.missing = vec!["the error log of edge-nginx for 10:05 to 10:07, level error or finer".into()];
    finding
}

fn request(method: &str, path: &str, id: &str) -> RequestInfo {
    RequestInfo {
        ids: vec![id.into()],
        method: method.into(),
        host: "shop.example.com".into(),
        path: path.into(),
        client: "10.1.2.3:51234".into(),
    }
}

fn hop(
    name: &str,
    product: &str,
    (start, took_ms): (f64, f64),
    by: JoinedBy,
    file: &str,
    line: u64,
) -> HopRecord {
    HopRecord {
        hop: name.into(),
        product: product.into(),
        start: Some(at(start)),
        end: Some(at(start + took_ms / 1e3)),
        logged: None,
        duration_ms: Some(took_ms),
        status: Some(502),
        joined_by: by,
        ambiguous: false,
        file: file.into(),
        line,
        offset: line * 120,
        place: None,
    }
}

fn evidence(weight: Weight, fact: &str, line: u64, text: &str) -> Evidence {
    let file = if text.is_empty() { "" } else { "edge/error.log" };
    Evidence {
        fact: fact.into(),
        weight,
        hop: "edge-nginx".into(),
        file: file.into(),
        line,
        offset: (line > 0).then_some(line * 300),
        text: text.into(),
        place: None,
    }
}

fn rival(cause: Cause, subtype: Subtype, why: &str) -> Rival {
    Rival {
        cause,
        subtype,
        rejected_because: why.into(),
    }
}

fn near_miss() -> NearMiss {
    NearMiss {
        hop: "edge-nginx".into(),
        upstream: "orders-app".into(),
        cause: Cause::KeepAliveRace,
        subtype: Subtype::RstOnReuse,
        count: 31,
        first: at(12.0),
        last: at(866.0),
        example: None,
    }
}

fn hops() -> Vec<HopInfo> {
    let hop = |name: &str, product: &str, upstreams: &[&str], requests| HopInfo {
        name: name.into(),
        product: product.into(),
        upstreams: upstreams.iter().map(|&name| name.into()).collect(),
        requests,
    };
    vec![
        hop("lb", "haproxy", &["edge-nginx", "reports-apache"], 48_210),
        hop("edge-nginx", "nginx", &["orders-app"], 40_100),
        hop("reports-apache", "httpd", &["reports-app"], 8_110),
        hop("orders-app", "node", &[], 39_997),
        hop("reports-app", "gunicorn", &[], 8_110),
    ]
}

fn inputs() -> Vec<Input> {
    let input = |path: &str, format: Option<&str>, hop: &str, lines: u64| Input {
        path: path.into(),
        format: format.map(Into::into),
        format_reason: "every line of the head fits; no other format does".into(),
        hop: (!hop.is_empty()).then(|| hop.into()),
        bytes: lines * 120,
        lines,
        entries: if format.is_some() { lines } else { 0 },
        continuations: 0,
        directives: 0,
        unparsed: 0,
        unparsed_reasons: Vec::new(),
        skipped_bytes: 0,
        read_whole: None,
        unparsed_lines: Vec::new(),
        first: format.map(|_| at(-60.0)),
        last: format.map(|_| at(960.25)),
        zone: "+00:00".into(),
        zone_origin: "logged".into(),
        clock: None,
    };
    let mut all = vec![
        input("lb/haproxy.log", Some("haproxy_http"), "lb", 48_210),
        input(
            "edge/access.log",
            Some("nginx:log_format main"),
            "edge-nginx",
            40_100,
        ),
        input("edge/error.log", Some("nginx_error"), "edge-nginx", 1_127),
        input("reports/error_log", Some("apache_error"), "reports-apache", 51),
        input("orders/app.log", Some("pino"), "orders-app", 39_997),
        input("old/app.log.1", None, "", 64),
    ];
    all[0].unparsed = 4;
    all[0].entries -= 4;
    all[0].unparsed_lines = (1..=4)
        .map(|n| UnparsedLine {
            line: n * 17,
            offset: n * 2_040,
            reason: "no status at byte 131".into(),
            class: "unknown".into(),
            read_by: None,
        })
        .collect();
    all[2].zone = "Europe/Berlin".into();
    all[2].zone_origin = "learnt".into();
    all[3].zone = "UTC".into();
    all[3].zone_origin = "assumed".into();
    all[4].clock = Some(Clock {
        offset_ms: -2_300.4,
        pairs: 412,
        spread_ms: 0.4,
        drift_ppm: None,
        offset_at: None,
    });
    all[5].unparsed = 64;
    all
}
