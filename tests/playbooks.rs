//! The incidents of five published playbooks, from the servers' lines to findings: ForgeRock IG, Apigee Edge Message
//! Processor, Edge Microgateway, OutSystems on IIS, and a proxy before Node.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::fmt::Write as _;

use serde_json::Value;

/// The report on `files` (paths and texts).
fn report(files: &[(&str, &str)], args: &[&str]) -> Value {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join("logs").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    program::report(dir.path(), &[&["logs"], args].concat())
}

/// `cause/subtype certainty` of every finding.
fn labels(report: &Value) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap();
    let label = |f: &Value| {
        format!(
            "{}/{} {}",
            text(f, "cause"),
            text(f, "subtype"),
            text(f, "certainty")
        )
    };
    findings.iter().map(label).collect()
}

/// All that the fix of the first finding says.
fn fix(report: &Value) -> String {
    report["findings"][0]["fix"].to_string()
}

const IG: &str = "\
--- (response) id:0b1d0f5e-88a1-4a7c-9a30-5ce1c1f0a2d4-736 ---

HTTP/1.1 502 Bad Gateway
Context's content :
attributes: \"TLSv1.2\"

[I/O dispatcher 11] INFO - Elapsed time: 10025 ms
[I/O dispatcher 11] WARN o.f.o.f.LogAttachedExceptionFilter - Response [Status: 502 Bad Gateway] to '' carries an exception [txId:0b1d0f5e-88a1-4a7c-9a30-5ce1c1f0a2d4-735] null
   at org.apache.http.nio.protocol.HttpAsyncRequestExecutor.timeout(HttpAsyncRequestExecutor.java:381)
";

#[test]
fn ig_that_gave_up_after_ten_seconds_timed_out_and_the_setting_is_that_of_the_client_handler() {
    let report = report(&[("ig/catalina.out", IG)], &[]);
    assert_eq!(labels(&report), ["proxy_timeout/response_header_timeout proven"]);
    assert!(fix(&report).contains("soTimeout"), "{}", fix(&report));
    // No line has a date.
    assert_eq!(report["findings"][0]["time"], Value::Null);
    assert_eq!(report["summary"]["causes"][0]["first"], Value::Null);
}

const HANDSHAKE: &str = "org:acme env:prod api:orders rev:3 messageid:rrt-07-1 NIOThread@1 ERROR HTTP.CLIENT - \
HTTPClient$Context.handshakeTimeout() : SSLClientChannel[Connected: Remote:10.0.0.3:443 Local:10.0.0.2:40112]@739028 \
useCount=1 bytesRead=0 bytesWritten=0 age=55221ms lastIO=55221ms isOpen=true handshake timeout\n";

#[test]
fn a_message_processor_that_waited_for_a_handshake_timed_out_though_its_log_has_no_status() {
    let dated = format!("2026-11-20 16:23:16,123 {HANDSHAKE}");
    for text in [HANDSHAKE, &dated] {
        let report = report(&[("mp/system.log", text)], &[]);
        assert_eq!(labels(&report), ["proxy_timeout/tls_handshake_timeout proven"]);
        assert_eq!(report["findings"][0]["status"], 502);
        assert!(fix(&report).contains("firewall"), "{}", fix(&report));
    }
}

#[test]
fn a_microgateway_whose_target_hung_up_after_395_ms_met_a_premature_close() {
    let id = "6b089a00-d3d6-11eb-95aa-911f1ee6c684";
    let mut log = String::new();
    let _ = writeln!(
        log,
        "2021-06-23T03:52:24.109Z [warn][10.0.0.9:8080][3][myorg][test][flakey][][][{id}][plugins-middleware][targetRequest error][GET][][socket hang up][ECONNRESET][395]"
    );
    let _ = writeln!(
        log,
        "2021-06-23T03:52:24.110Z [error][0:8000][3][myorg][test][flakey][][][{id}][microgateway-core][][GET][502][socket hang up][ECONNRESET][]"
    );
    let report = report(&[("edgemicro-host-1-api.log", &log)], &[]);
    assert_eq!(labels(&report), ["dropped_connection/premature_close likely"]);
}

const IIS: &str = "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2024-03-05 00:00:00\n\
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip sc-status sc-substatus sc-win32-status time-taken\n";

/// The pages that IIS served: path, end in seconds after ten, duration in milliseconds, Windows status.
fn iis(pages: &[(&str, u32, u32, u32)]) -> String {
    let mut log = IIS.to_owned();
    for (path, second, took, windows) in pages {
        let (minute, second) = (second / 60, second % 60);
        let _ = writeln!(
            log,
            "2024-03-05 10:{minute:02}:{second:02} 10.0.0.5 GET {path} - 80 - 10.0.0.1 200 0 {windows} {took}"
        );
    }
    log
}

/// What a proxy before it wrote, in the common format with a duration: path, end, duration, status.
fn proxy(requests: &[(&str, u32, f64, u16)]) -> String {
    let mut log = String::new();
    for (path, second, took, status) in requests {
        let (minute, second) = (second / 60, second % 60);
        let _ = writeln!(
            log,
            "192.0.2.1 - - [05/Mar/2024:10:{minute:02}:{second:02} +0000] \"GET {path} HTTP/1.1\" {status} 512 \"-\" \"Mozilla/5.0\" {took:.3}"
        );
    }
    log
}

#[test]
fn a_proxy_that_answered_502_at_180_seconds_while_iis_worked_on_timed_out() {
    let edge = proxy(&[
        ("/app/home.aspx", 1, 0.121, 200),
        ("/app/report.aspx", 180, 180.001, 502),
        ("/app/home.aspx", 301, 0.112, 200),
    ]);
    let app = iis(&[
        ("/app/home.aspx", 1, 120, 0),
        ("/app/report.aspx", 241, 241_000, 64),
        ("/app/home.aspx", 301, 110, 0),
    ]);
    let report = report(&[("proxy/access.log", &edge), ("iis/u_ex240305.log", &app)], &[]);
    assert_eq!(labels(&report), ["proxy_timeout/response_header_timeout likely"]);
    assert_eq!(report["findings"][0]["issuer"]["hop"], "proxy");
}

#[test]
fn requests_that_iis_worked_on_for_a_moment_only_when_the_proxy_gave_up_had_queued() {
    let mut edge = vec![("/app/home.aspx", 1, 0.121, 200)];
    let mut app = vec![("/app/home.aspx", 1, 120, 0)];
    for n in 0..12 {
        edge.push(("/app/list.aspx", 120 + n, 60.002, 502));
        app.push(("/app/list.aspx", 121 + n, 300, 64));
    }
    edge.push(("/app/home.aspx", 301, 0.112, 200));
    app.push(("/app/home.aspx", 301, 110, 0));
    let report = report(
        &[
            ("proxy/access.log", &proxy(&edge)),
            ("iis/u_ex240305.log", &iis(&app)),
        ],
        &[],
    );
    let labels = labels(&report);
    assert_eq!(labels.len(), 12);
    for label in labels {
        assert!(label.starts_with("queueing_delay/app_queue"), "{label}");
    }
}

#[test]
fn a_request_that_a_recycled_pool_took_with_it_is_told_from_a_timeout() {
    let edge = proxy(&[
        ("/app/home.aspx", 1, 0.121, 200),
        ("/app/order.aspx", 130, 12.301, 502),
        ("/app/home.aspx", 301, 0.112, 200),
    ]);
    let app = iis(&[("/app/home.aspx", 1, 120, 0), ("/app/home.aspx", 301, 110, 0)]);
    let event = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-WAS'/><EventID Qualifiers='32768'>5011</EventID><Level>3</Level><TimeCreated SystemTime='2024-03-05T10:02:10.2000000Z'/><Channel>System</Channel><Computer>web1</Computer></System><EventData><Data Name='AppPoolID'>OutSystemsApplications</Data><Data Name='ProcessID'>4120</Data></EventData></Event>\n";
    let files = [
        ("proxy/access.log", edge.as_str()),
        ("iis/u_ex240305.log", app.as_str()),
        ("iis/system-events.xml", event),
    ];
    let report = report(&files, &[]);
    let labels = labels(&report);
    assert_eq!(labels.len(), 1);
    assert!(labels[0].starts_with("dropped_connection/"), "{labels:?}");
}

#[test]
fn a_quiet_proxy_with_75_seconds_before_an_application_with_5_loses_races() {
    let (mut edge, mut app) = (String::new(), String::new());
    // Pairs of sales, the second just as the application closes the connection after its five seconds.
    for n in 0..40u64 {
        let start = 1_767_261_600_000 + n * 47_000;
        let (late, id) = (start + 5_012, format!("c0ffee{n:026x}"));
        let lost = n % 4 == 3;
        for (at, post) in [(start, false), (late, true)] {
            let is_lost = lost && post;
            let id = if post {
                id.replace("c0f", "d1f")
            } else {
                id.clone()
            };
            let method = if post { "POST" } else { "GET" };
            let time = chrono::DateTime::from_timestamp_millis(at as i64).unwrap();
            let stamp = time.format("%d/%b/%Y:%H:%M:%S +0000");
            let (status, ustatus, took) = if is_lost {
                (502, "502", "0.001")
            } else {
                (201, "201", "0.012")
            };
            let millis = format!("{}.{:03}", at / 1000, at % 1000);
            let _ = writeln!(
                edge,
                "192.0.2.7 - - [{stamp}] \"{method} /orders HTTP/1.1\" {status} 157 \"-\" \"till/2\" {millis} rt={took} ua=\"10.0.0.8:3000\" us=\"{ustatus}\" uct=\"0.000\" urt=\"{took}\" rid={id}"
            );
            if !is_lost {
                let _ = writeln!(
                    app,
                    "{{\"level\":30,\"time\":{at},\"pid\":7,\"hostname\":\"app\",\"reqId\":\"{id}\",\"req\":{{\"method\":\"{method}\",\"url\":\"/orders\"}},\"res\":{{\"statusCode\":{status}}},\"responseTime\":11,\"msg\":\"request completed\"}}"
                );
            }
        }
    }
    let config = "events {}\nhttp { upstream app { server 10.0.0.8:3000; keepalive 32; keepalive_timeout 75s; } \
server { location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\"; } } }\n";
    let files = [
        ("proxy/access.log", edge.as_str()),
        ("proxy/nginx.conf", config),
        ("app/app.log", app.as_str()),
    ];
    let report = report(&files, &["--limit", "app.idle=5s"]);
    let labels = labels(&report);
    assert_eq!(labels.len(), 10, "{labels:?}");
    for label in labels {
        assert!(label.starts_with("keep_alive_race/"), "{label}");
    }
    assert!(fix(&report).contains("76"), "{}", fix(&report));
}
