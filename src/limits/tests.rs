//! Whole configurations, read from files and asked as the rest of the program asks.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::model::Origin;
use crate::model::finding::Problem;

/// Writes files into a fresh directory.
fn dir(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn found(dir: &TempDir) -> Vec<(PathBuf, String)> {
    let shown = |path: &Path| {
        path.strip_prefix(dir.path())
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    discover(&[dir.path().to_path_buf()])
        .into_iter()
        .map(|path| (path.clone(), shown(&path)))
        .collect()
}

fn read(files: &[(&str, &str)]) -> (Vec<ServerConfig>, Vec<Problem>) {
    let dir = dir(files);
    read_all(&found(&dir))
}

/// The limits of one hop whose configuration these files are.
fn limits(files: &[(&str, &str)]) -> Limits {
    let (configs, problems) = read(files);
    assert_eq!(problems, []);
    assert_eq!(configs.len(), 1, "{configs:#?}");
    let products = BTreeMap::from([(HOP, configs[0].product)]);
    Limits::new(products, BTreeMap::from([(HOP, configs)]))
}

const HOP: HopId = HopId(0);
const ANY: Scope<'static> = Scope {
    host: "",
    path: "",
    upstream: "",
    group: "",
};

fn ms(limits: &Limits, kind: LimitKind, scope: Scope<'_>) -> Option<u64> {
    limits
        .get(HOP, kind, &scope)
        .unwrap()
        .value_us
        .map(|us| us / 1_000)
}

fn line(limits: &Limits, kind: LimitKind, scope: Scope<'_>) -> (String, u32) {
    match limits.get(HOP, kind, &scope).unwrap().origin {
        Origin::File { file, line } => (file, line),
        other => panic!("not configured: {other:?}"),
    }
}

const NGINX: &str = r#"
worker_processes 4;
error_log logs/error.log warn;
events { worker_connections 1024; }
http {
    log_format main '$remote_addr "$request" '
                    '$status';   # two parts
    log_format json escape=json '{"t":"$msec"}';
    access_log logs/access.log main;
    keepalive_timeout 65 60;
    proxy_read_timeout 90s;
    upstream app {
        server 10.0.0.1:8080 max_conns=50;
        server 10.0.0.2:8080 backup;
        keepalive 16;
        keepalive_timeout 4s;
        keepalive_requests 500;
    }
    include conf.d/*.conf;
    server {
        listen 8080; listen [::]:8443 ssl;
        server_name shop.test *.shop.test;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        location / { proxy_pass http://app; }
        location /slow/ { proxy_pass http://app/x/; proxy_read_timeout 5m; proxy_next_upstream error; proxy_next_upstream_tries 2; }
        location /close/ { proxy_set_header Host x; proxy_pass http://app; }
        location ~ ^/v[0-9]+/ { proxy_pass https://10.0.0.9; proxy_connect_timeout 250ms; }
        location = /exact { fastcgi_pass unix:/run/php.sock; fastcgi_read_timeout 7; }
    }
}
"#;

const EXTRA: &str = "server { listen 81; server_name extra.test; keepalive_timeout 0; location / { proxy_pass http://127.0.0.1:9000; } }";

#[test]
fn nginx_locations_inherit_and_override() {
    let limits = limits(&[("edge/nginx.conf", NGINX), ("edge/conf.d/extra.conf", EXTRA)]);
    let at = |path| Scope {
        host: "shop.test:8080",
        path,
        ..ANY
    };
    assert_eq!(ms(&limits, LimitKind::Read, at("/cart?x=1")), Some(90_000));
    assert_eq!(
        line(&limits, LimitKind::Read, at("/cart")),
        ("edge/nginx.conf".to_owned(), 11)
    );
    assert_eq!(ms(&limits, LimitKind::Read, at("/slow/report")), Some(300_000));
    assert_eq!(ms(&limits, LimitKind::Connect, at("/v2/x")), Some(250));
    assert_eq!(ms(&limits, LimitKind::Read, at("/exact")), Some(7_000));
    assert_eq!(ms(&limits, LimitKind::ClientIdle, at("/cart")), Some(65_000));
    assert_eq!(ms(&limits, LimitKind::UpstreamIdle, at("/cart")), Some(4_000));
    // What nobody wrote down is the product's default, and says so.
    let send = limits.get(HOP, LimitKind::Send, &at("/cart")).unwrap();
    assert_eq!(
        (send.value_us, send.origin),
        (
            Some(60_000_000),
            Origin::Default {
                product: Product::Nginx
            }
        )
    );
    assert_eq!(limits.pooled(HOP, &at("/cart")), Some(true));
    assert_eq!(
        limits.pooled(HOP, &at("/close/")),
        None,
        "its own headers replace the inherited ones"
    );
    assert_eq!(limits.upstream_tls(HOP, &at("/v1/")), Some(true));
    assert_eq!(limits.upstream_tls(HOP, &at("/cart")), Some(false));
    assert_eq!(limits.addresses(HOP), [":8080", ":81", "[::]:8443"]);
    let slow = limits.route(HOP, &at("/slow/")).unwrap();
    assert_eq!(
        slow.retry,
        Some(Retry {
            policy: "proxy_next_upstream error".to_owned(),
            tries: Some(2),
            timeout_us: None
        })
    );
    assert_eq!((slow.max_requests, slow.slots), (Some(500), Some(50)));
}

#[test]
fn nginx_includes_belong_to_the_file_that_includes_them() {
    let limits = limits(&[("edge/nginx.conf", NGINX), ("edge/conf.d/extra.conf", EXTRA)]);
    let extra = Scope {
        host: "extra.test",
        path: "/",
        ..ANY
    };
    assert_eq!(ms(&limits, LimitKind::ClientIdle, extra), Some(0));
    assert_eq!(
        line(&limits, LimitKind::ClientIdle, extra).0,
        "edge/conf.d/extra.conf"
    );
    assert_eq!(ms(&limits, LimitKind::Read, extra), Some(90_000));
    let to = [
        "10.0.0.1:8080",
        "10.0.0.2:8080",
        "10.0.0.9:443",
        "127.0.0.1:9000",
        "unix:/run/php.sock",
    ];
    assert_eq!(limits.routes_to(HOP), to);
}

#[test]
fn an_upstream_address_tells_routes_apart_when_the_path_is_not_known() {
    let limits = limits(&[("edge/nginx.conf", NGINX), ("edge/conf.d/extra.conf", EXTRA)]);
    let of = |upstream| Scope { upstream, ..ANY };
    assert_eq!(ms(&limits, LimitKind::Connect, of("10.0.0.9:443")), Some(250));
    assert_eq!(
        ms(&limits, LimitKind::UpstreamIdle, of("10.0.0.2:8080")),
        Some(4_000)
    );
    // The default, because no pool is declared for it.
    assert_eq!(
        ms(&limits, LimitKind::UpstreamIdle, of("127.0.0.1:9000")),
        Some(60_000)
    );
    assert_eq!(
        ms(&limits, LimitKind::UpstreamIdle, Scope { group: "app", ..ANY }),
        Some(4_000)
    );
    // Two timers are set for this upstream: the general one holds.
    assert_eq!(ms(&limits, LimitKind::Read, of("10.0.0.1:8080")), Some(90_000));
}

#[test]
fn nginx_log_formats_are_joined_and_found_by_their_logs() {
    let (configs, _) = read(&[("nginx.conf", NGINX)]);
    let logs: Vec<(&str, &str, &str, u32)> = configs[0]
        .logs
        .iter()
        .map(|log| (log.path.as_str(), log.name.as_str(), log.text.as_str(), log.line))
        .collect();
    assert_eq!(
        logs,
        [
            ("logs/access.log", "main", "$remote_addr \"$request\" $status", 6),
            ("", "json", "escape=json {\"t\":\"$msec\"}", 8)
        ]
    );
    assert_eq!(
        (
            configs[0].error_logs[0].path.as_str(),
            configs[0].error_logs[0].name.as_str()
        ),
        ("logs/error.log", "warn")
    );
    assert_eq!(configs[0].counts[0].value, 4);
}

#[test]
fn an_absolute_include_is_looked_for_beside_the_copied_file_only() {
    let main =
        "http { include /etc/nginx/conf.d/*.conf; include /etc/nginx/mime.types; include /etc/hostname; }";
    let dir = dir(&[("edge/nginx.conf", main), ("edge/conf.d/a.conf", EXTRA)]);
    let (configs, problems) = read_all(&[(dir.path().join("edge/nginx.conf"), "edge/nginx.conf".to_owned())]);
    assert_eq!(configs[0].listens, [":81"]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].message.contains("line 1") && problems[0].message.contains("/etc/hostname"));
}

#[test]
fn a_broken_file_is_named_with_its_line_and_the_others_are_read() {
    let files = [
        (
            "a/nginx.conf",
            "events {}\nhttp {\n  server {\n    listen 80;\n    location / { proxy_pass http://b:1; }\n",
        ),
        ("b/nginx.conf", "events {}\nhttp { server { listen 81; } }\n"),
        (
            "c/haproxy.cfg",
            "defaults\n  timeout server 5s\n  errorfile \"x\nlisten l\n  bind :82\n  timeout connect 1s\n",
        ),
        (
            "d/httpd.conf",
            "Listen 83\nKeepAlive On\n<VirtualHost *:83>\nProxyPass / http://x/\n</Proxy>\n",
        ),
        (
            "e/Caddyfile",
            ":84 {\n  reverse_proxy localhost:1\n  handle {\n}\n",
        ),
    ];
    let (configs, problems) = read(&files);
    let at: Vec<String> = problems
        .iter()
        .map(|p| format!("{} {}", p.path, p.message))
        .collect();
    assert_eq!(configs.len(), 5, "{at:#?}");
    assert_eq!(
        at,
        [
            "a/nginx.conf line 6: a block is not closed",
            "c/haproxy.cfg line 3: a quote is not closed",
            "d/httpd.conf line 5: a section is closed that is not open",
            "d/httpd.conf line 3: a section is not closed",
            "e/Caddyfile line 1: a block is not closed",
        ]
    );
    let listens: Vec<&str> = configs
        .iter()
        .flat_map(|c| &c.listens)
        .map(String::as_str)
        .collect();
    assert_eq!(listens, [":80", ":81", ":82", ":83", ":84"]);
}

#[test]
fn includes_that_go_in_circles_end() {
    let (configs, problems) = read(&[
        (
            "nginx.conf",
            "http { include a.conf; include a.conf; server { listen 80; } }",
        ),
        ("a.conf", "server { listen 81; } include b.conf;"),
        (
            "b.conf",
            "server { listen 82; } include a.conf; include nginx.conf;",
        ),
        (
            "x/Caddyfile",
            "(s) {\n import s\n import s\n reverse_proxy localhost:1\n}\n:80 {\n import s\n}\n",
        ),
    ]);
    let nginx = configs.iter().find(|config| config.file == "nginx.conf").unwrap();
    assert_eq!(nginx.listens, [":80", ":81", ":82"]);
    assert!(
        problems
            .iter()
            .any(|problem| problem.message.contains("includes itself"))
    );
}

const HAPROXY: &str = r#"
global
    log /dev/log local0
    maxconn 2000
defaults base
    mode http
    option httplog
    timeout connect 2000
    timeout client 30s
    timeout server 3s
defaults slow from base
    timeout server 5m
    timeout queue 250ms
frontend web from base
    bind *:80,:8080
    bind 10.0.0.1:443 ssl crt /x.pem
    timeout http-keep-alive 4s
    log-format "%ci [%tr] %{+Q}r"
    use_backend slow_be if { path_beg /slow }
    default_backend app_be
backend app_be from base
    retries 0
    http-reuse always
    server a1 10.0.0.5:8000 maxconn 5
    server a2 10.0.0.6:8000
backend slow_be from slow
    option http-server-close
    default-server ssl verify none
    server s1 10.0.0.7:8443
"#;

#[test]
fn haproxy_sections_take_what_they_do_not_say_from_their_defaults() {
    let limits = limits(&[("haproxy.cfg", HAPROXY)]);
    let app = Scope {
        group: "app_be",
        ..ANY
    };
    let slow = Scope {
        upstream: "s1",
        group: "slow_be",
        ..ANY
    };
    assert_eq!(ms(&limits, LimitKind::Connect, app), Some(2_000));
    assert_eq!(ms(&limits, LimitKind::Read, app), Some(3_000));
    assert_eq!(
        ms(&limits, LimitKind::Queue, app),
        Some(2_000),
        "as timeout connect"
    );
    assert_eq!(
        limits.get(HOP, LimitKind::Queue, &app).unwrap().setting,
        "timeout connect"
    );
    assert_eq!(ms(&limits, LimitKind::ClientIdle, app), Some(4_000));
    assert_eq!(ms(&limits, LimitKind::Read, slow), Some(300_000));
    assert_eq!(
        line(&limits, LimitKind::Read, slow),
        ("haproxy.cfg".to_owned(), 12)
    );
    assert_eq!(ms(&limits, LimitKind::Queue, slow), Some(250));
    assert_eq!(
        (limits.pooled(HOP, &app), limits.pooled(HOP, &slow)),
        (Some(true), Some(false))
    );
    assert_eq!(
        (limits.upstream_tls(HOP, &app), limits.upstream_tls(HOP, &slow)),
        (Some(false), Some(true))
    );
    let route = limits.route(HOP, &app).unwrap();
    assert_eq!(
        (route.slots, route.retry.as_ref().unwrap().tries),
        (Some(5), Some(1))
    );
    assert_eq!(limits.addresses(HOP), [":80", ":8080", "10.0.0.1:443"]);
    assert_eq!(limits.pooled(HOP, &ANY), None, "the backends differ");
    // By the server's name alone, and by its address.
    assert_eq!(
        ms(
            &limits,
            LimitKind::Read,
            Scope {
                upstream: "slow_be/s1",
                ..ANY
            }
        ),
        Some(300_000)
    );
    assert_eq!(
        ms(
            &limits,
            LimitKind::Read,
            Scope {
                upstream: "10.0.0.6:8000",
                ..ANY
            }
        ),
        Some(3_000)
    );
}

#[test]
fn haproxy_log_formats_are_custom_or_stock() {
    let (configs, _) = read(&[
        ("a.cfg", HAPROXY),
        ("b.cfg", &HAPROXY.replace("    log-format", "    # log-format")),
    ]);
    assert_eq!(
        (configs[0].logs[0].name.as_str(), configs[0].logs[0].text.as_str()),
        ("log-format", "%ci [%tr] %{+Q}r")
    );
    assert_eq!(
        (configs[1].logs[0].name.as_str(), configs[1].logs[0].line),
        ("httplog", 7)
    );
    assert!(configs[1].logs[0].text.ends_with("%hs %{+Q}r"));
}

#[test]
fn a_timer_nobody_set_in_haproxy_is_no_limit() {
    let limits = limits(&[(
        "haproxy.cfg",
        "defaults\n  mode http\nlisten l\n  bind :80\n  server s 127.0.0.1:1\n  timeout connect 0\n",
    )]);
    assert_eq!(ms(&limits, LimitKind::Read, ANY), None);
    let connect = limits.get(HOP, LimitKind::Connect, &ANY).unwrap();
    assert!(connect.origin.is_configured() && connect.value_us.is_none());
}

const APACHE: &str = r#"
Define BACK 10.0.1.1:9000
Listen 8081
Timeout 45
KeepAliveTimeout 1500ms
LogFormat "%h %t \"%r\" %>s %D \
%{UNIQUE_ID}e" timed
ErrorLogFormat "[%t] %M"
<IfModule !mpm_event_module>
  Timeout 1
</IfModule>
IncludeOptional sites-enabled/*.conf
IncludeOptional nowhere/*.conf
<IfModule mod_proxy.c>
  ProxyTimeout 20
</IfModule>
"#;

const SITE: &str = r#"
<VirtualHost *:8081>
  ServerName www.api.test:8081
  ServerAlias api.test *.api.test
  CustomLog logs/access.log timed
  ErrorLog logs/error.log
  ProxyPass /static !
  ProxyPass /app http://${BACK}/ connectiontimeout=500ms timeout=7 ttl=4 max=10 retry=0
  ProxyPass /plain http://10.0.1.2:9001 disablereuse=On
  ProxyPassMatch ^/img/(.*\.png)$ https://10.0.1.3/$1
  <Location "/loc">
    ProxyPass balancer://pool
  </Location>
  RewriteRule ^/rw/(.*)$ http://10.0.1.6:8080/$1 [P,L]
</VirtualHost>
<Proxy balancer://pool>
  BalancerMember http://10.0.1.4:9002 timeout=11 route=m1
  BalancerMember http://10.0.1.5:9002 route=m2
  ProxySet lbmethod=byrequests timeout=3
</Proxy>
"#;

#[test]
fn apache_passes_take_parameters_virtual_host_and_main_server_in_this_order() {
    let limits = limits(&[
        ("web/conf/httpd.conf", APACHE),
        ("web/sites-enabled/site.conf", SITE),
    ]);
    let at = |path| Scope {
        host: "api.test",
        path,
        ..ANY
    };
    assert_eq!(ms(&limits, LimitKind::Connect, at("/app/x")), Some(500));
    assert_eq!(ms(&limits, LimitKind::Read, at("/app/x")), Some(7_000));
    assert_eq!(
        line(&limits, LimitKind::Read, at("/app/x")),
        ("web/sites-enabled/site.conf".to_owned(), 8)
    );
    assert_eq!(ms(&limits, LimitKind::UpstreamIdle, at("/app/x")), Some(4_000));
    assert_eq!(
        ms(&limits, LimitKind::UpstreamIdle, at("/plain")),
        None,
        "unlimited by default"
    );
    assert_eq!(ms(&limits, LimitKind::Read, at("/plain")), Some(20_000));
    assert_eq!(line(&limits, LimitKind::Read, at("/plain")).1, 15);
    assert_eq!(ms(&limits, LimitKind::Connect, at("/plain")), Some(20_000));
    assert_eq!(ms(&limits, LimitKind::ClientIdle, at("/plain")), Some(1_500));
    assert_eq!(
        (limits.pooled(HOP, &at("/app")), limits.pooled(HOP, &at("/plain"))),
        (Some(true), Some(false))
    );
    assert_eq!(limits.pooled(HOP, &at("/rw/x")), Some(false));
    assert_eq!(limits.upstream_tls(HOP, &at("/img/a.png")), Some(true));
    let member = |upstream| Scope {
        upstream,
        ..at("/loc/x")
    };
    assert_eq!(
        ms(&limits, LimitKind::Read, member("10.0.1.4:9002")),
        Some(11_000)
    );
    assert_eq!(
        ms(&limits, LimitKind::Read, member("http://10.0.1.5:9002")),
        Some(20_000)
    );
    assert_eq!(
        ms(
            &limits,
            LimitKind::Read,
            Scope {
                group: "pool",
                upstream: "m1",
                ..ANY
            }
        ),
        Some(11_000)
    );
    assert_eq!(limits.addresses(HOP), [":8081"]);
}

#[test]
fn apache_log_formats_are_found_by_name_across_files() {
    let (configs, _) = read(&[("conf/httpd.conf", APACHE), ("sites-enabled/site.conf", SITE)]);
    let log = &configs[0].logs[0];
    assert_eq!(
        (log.path.as_str(), log.name.as_str(), log.line),
        ("logs/access.log", "timed", 6)
    );
    assert_eq!(log.text, "%h %t \"%r\" %>s %D %{UNIQUE_ID}e");
    assert_eq!(configs[0].error_logs[0].text, "[%t] %M");
}

const CADDY: &str = r#"{
    http_port 8085
    servers {
        timeouts {
            idle 2m
        }
    }
}
(upstream) {
    reverse_proxy {args[0]} {
        transport http {
            dial_timeout 2s
            response_header_timeout 3s
            read_timeout 9s
            keepalive {$IDLE:4s}
        }
    }
}
http://shop.test, :8086 {
    bind 127.0.0.1
    log {
        output file /var/log/caddy/access.log
    }
    @api path /api/* /v2/*
    handle @api {
        import upstream 127.0.0.1:9001
    }
    handle_path /tls/* {
        reverse_proxy https://10.0.2.2 {
            transport http {
                tls_timeout 1500ms
                keepalive off
            }
        }
    }
    handle {
        reverse_proxy * localhost:9003 localhost:9004 {
            lb_try_duration 5s
        }
    }
}
other.test {
}
"#;

#[test]
fn caddy_sites_matchers_snippets_and_transports_are_read() {
    let limits = limits(&[("Caddyfile", CADDY)]);
    let at = |path| Scope { path, ..ANY };
    for path in ["/api/x", "/v2/x"] {
        assert_eq!(ms(&limits, LimitKind::Connect, at(path)), Some(2_000));
        assert_eq!(ms(&limits, LimitKind::Read, at(path)), Some(3_000));
        assert_eq!(ms(&limits, LimitKind::UpstreamIdle, at(path)), Some(4_000));
    }
    assert_eq!(
        line(&limits, LimitKind::Read, at("/api/x")),
        ("Caddyfile".to_owned(), 13)
    );
    assert_eq!(ms(&limits, LimitKind::TlsHandshake, at("/tls/x")), Some(1_500));
    assert_eq!(
        (
            limits.pooled(HOP, &at("/tls/x")),
            limits.upstream_tls(HOP, &at("/tls/x"))
        ),
        (Some(false), Some(true))
    );
    assert_eq!(ms(&limits, LimitKind::Read, at("/")), None);
    assert_eq!(ms(&limits, LimitKind::Connect, at("/")), Some(3_000), "default");
    assert_eq!(ms(&limits, LimitKind::ClientIdle, at("/")), Some(120_000));
    assert_eq!(
        limits
            .route(HOP, &at("/"))
            .unwrap()
            .retry
            .as_ref()
            .unwrap()
            .timeout_us,
        Some(5_000_000)
    );
    assert_eq!(
        limits.addresses(HOP),
        ["127.0.0.1:8085", "127.0.0.1:8086", ":443"]
    );
    assert_eq!(
        limits.routes_to(HOP),
        [
            "10.0.2.2:443",
            "127.0.0.1:9001",
            "localhost:9003",
            "localhost:9004"
        ]
    );
    assert_eq!(
        ms(
            &limits,
            LimitKind::Read,
            Scope {
                upstream: "127.0.0.1:9001",
                ..ANY
            }
        ),
        Some(3_000)
    );
}

#[test]
fn a_caddyfile_without_braces_is_one_site() {
    let limits = limits(&[(
        "Caddyfile",
        "shop.test:8087\nreverse_proxy /api* :9000 {\n  transport http {\n    response_header_timeout 1m30s\n  }\n}\n",
    )]);
    assert_eq!(
        ms(
            &limits,
            LimitKind::Read,
            Scope {
                host: "shop.test",
                path: "/apix",
                ..ANY
            }
        ),
        Some(90_000)
    );
    assert_eq!(limits.routes_to(HOP), ["localhost:9000"]);
}

#[test]
fn caddys_json_is_read_with_the_lines_of_its_keys() {
    let json = r#"{
  "logging": {"logs": {"a": {"writer": {"output": "file",
    "filename": "/logs/a.json"}}}},
  "apps": {"http": {"servers": {"s": {
    "listen": [":8088"],
    "idle_timeout": 60000000000,
    "routes": [{"handle": []}, {
      "match": [{"path": ["/a/*"]}],
      "handle": [{"handler": "subroute", "routes": [{"handle": [{
        "handler": "reverse_proxy",
        "transport": {"protocol": "http",
          "dial_timeout": "1s",
          "response_header_timeout": 2000000000,
          "keep_alive": {"idle_timeout": "4s"}},
        "upstreams": [{"dial": "10.0.3.1:80"}]}]}]}]}]}}}}
}"#;
    let limits = limits(&[("caddy.json", json)]);
    let at = Scope { path: "/a/b", ..ANY };
    assert_eq!(ms(&limits, LimitKind::Connect, at), Some(1_000));
    assert_eq!(line(&limits, LimitKind::Connect, at).1, 12);
    assert_eq!(
        (
            ms(&limits, LimitKind::Read, at),
            line(&limits, LimitKind::Read, at).1
        ),
        (Some(2_000), 13)
    );
    assert_eq!(
        (
            ms(&limits, LimitKind::UpstreamIdle, at),
            ms(&limits, LimitKind::ClientIdle, at)
        ),
        (Some(4_000), Some(60_000))
    );
    let (configs, _) = read(&[("caddy.json", json)]);
    assert_eq!(
        (configs[0].logs[0].path.as_str(), configs[0].logs[0].line),
        ("/logs/a.json", 3)
    );
}

#[test]
fn application_servers_are_read_from_python_and_command_lines() {
    let python = "import os\nbind = ['0.0.0.0:8000', 'unix:/run/a.sock']\nworkers = 3\ntimeout = 45  # s\nkeepalive = int(os.environ['K'])\n";
    let (configs, _) = read(&[
        ("a/gunicorn.conf.py", python),
        (
            "b/start.sh",
            "#!/bin/sh\nexec /opt/bin/gunicorn --timeout=20 \\\n  --keep-alive 65 -w 2 -b :8001 app:app\n",
        ),
        (
            "c/Dockerfile",
            "FROM python\nCMD [\"uvicorn\", \"--port\", \"8002\", \"--timeout-keep-alive\", \"75\", \"app:app\"]\n",
        ),
        (
            "d/org-test-config.yaml",
            "edge_config:\n  port: 1\nedgemicro:\n  port: 8003\n  logging:\n    keep_alive_timeout: 1\n  keep_alive_timeout: 65000\n",
        ),
    ]);
    let of = |n: usize, kind| {
        configs[n].routes[0]
            .limits
            .get(&kind)
            .map(|limit| limit.value_us.unwrap() / 1_000)
    };
    assert_eq!(
        configs.iter().map(|c| c.product).collect::<Vec<_>>(),
        [
            Product::Gunicorn,
            Product::Gunicorn,
            Product::Uvicorn,
            Product::EdgeMicro
        ]
    );
    assert_eq!(
        (
            of(0, LimitKind::WorkerKill),
            of(0, LimitKind::ClientIdle),
            Some(configs[0].counts[0].value)
        ),
        (Some(45_000), None, Some(3))
    );
    assert_eq!(configs[0].listens, ["0.0.0.0:8000", "unix:/run/a.sock"]);
    assert_eq!(
        (
            of(1, LimitKind::WorkerKill),
            of(1, LimitKind::ClientIdle),
            Some(configs[1].counts[0].value)
        ),
        (Some(20_000), Some(65_000), Some(2))
    );
    assert_eq!(
        (of(2, LimitKind::ClientIdle), configs[2].listens[0].as_str()),
        (Some(75_000), "127.0.0.1:8002")
    );
    assert_eq!(
        (of(3, LimitKind::ClientIdle), configs[3].listens[0].as_str()),
        (Some(65_000), ":8003")
    );
}

#[test]
fn logs_and_documents_are_not_taken_for_configuration() {
    let no = |name: &str, text: &str| assert_eq!(sniff(Path::new(name), text.as_bytes()), None, "{text}");
    no(
        "nginx.log",
        "10.0.0.1 - - [20/Nov/2026:10:00:05 +0000] \"GET / HTTP/1.1\" 502 157\n",
    );
    no(
        "nginx-error.log",
        "2026/11/20 16:23:42 [error] 1#1: *17 upstream timed out, server: , upstream: \"http://x\"\n",
    );
    no(
        "haproxy.log",
        "Nov 20 10:00:05 lb haproxy[12]: 10.0.0.1:5 [20/Nov/2026:10:00:05.1] web app/a1 0/0/1/2/3 200 1 - - ---- 1/1/1/1/0 0/0 \"GET / HTTP/1.1\"\n",
    );
    no(
        "caddy.log",
        "{\"level\":\"info\",\"logger\":\"http.log.access\",\"request\":{\"uri\":\"/\"}}\n",
    );
    no("README.md", "server {\n listen 80;\n proxy_pass http://x;\n}\n");
    no(
        "app.js",
        "server.keepAliveTimeout = 5000;\nserver.listen(80);\nconst timeout = 3;\n",
    );
    no("empty", "");
    no("binary", "server {\n listen 80;\0");
}

#[test]
fn a_learnt_limit_stands_behind_the_default_and_can_be_asked_for() {
    let mut limits = Limits::new(
        BTreeMap::from([(HOP, Product::Node), (HopId(1), Product::Java)]),
        BTreeMap::new(),
    );
    let learnt = Limit {
        kind: LimitKind::ClientIdle,
        value_us: Some(7_000_000),
        setting: String::new(),
        origin: Origin::Learnt { support: 9 },
    };
    limits.learn(HOP, learnt.clone());
    limits.learn(HopId(1), learnt.clone());
    assert_eq!(ms(&limits, LimitKind::ClientIdle, ANY), Some(5_000));
    assert_eq!(limits.learnt(HOP, LimitKind::ClientIdle), Some(&learnt));
    assert_eq!(limits.get(HopId(1), LimitKind::ClientIdle, &ANY), Some(learnt));
    assert_eq!(limits.get(HopId(1), LimitKind::Read, &ANY), None);
}

/// Text made of the words that mean something to the readers, so that it gets past the first line.
fn hostile() -> impl Strategy<Value = String> {
    let words = [
        "http",
        "server",
        "location",
        "{",
        "}",
        ";",
        "\n",
        "\"",
        "'",
        "\\",
        "#",
        "include *;",
        "import *\n",
        "(s) {\n",
        "import s\n",
        "upstream a",
        "proxy_pass http://a",
        "keepalive 99999999999",
        "defaults\n",
        "from x",
        "listen l\n",
        "  timeout server ",
        "9e9",
        "99999999999999d",
        "<VirtualHost *:1>\n",
        "</VirtualHost>\n",
        "ProxyPass / ",
        "balancer://a",
        "ttl=",
        "BalancerMember",
        "Include *\n",
        "${",
        "}",
        "{$A:",
        "<<EOF\n",
        "reverse_proxy",
        "transport http {\n",
        "@m path /x*\n",
        "é",
        "\u{0}",
        " ",
        "[::",
        "bind = ['",
        "gunicorn -",
        "edgemicro:\n",
        "~ (((((",
        "%",
        "{args[0]}",
    ];
    let piece =
        prop_oneof![4 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,6}"];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.join(" "))
}

type Reader = fn(&Path, &str, &mut include::Reading) -> Result<ServerConfig, Problem>;
const READERS: [Reader; 7] = [
    nginx::read,
    haproxy::read,
    apache::read,
    caddy::read,
    edgemicro::read,
    app::read_gunicorn,
    app::read_uvicorn,
];

/// Those, and every one that recognises its files by a mark.
fn all_readers() -> impl Iterator<Item = Reader> {
    let marked = readers::READERS.iter().map(|reader| reader.read);
    READERS.into_iter().chain(marked)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_text_makes_a_reader_fail_or_run_without_end(text in hostile(), path in ".{0,12}") {
        let dir = dir(&[("main", &text)]);
        for reader in all_readers() {
            let mut reading = include::Reading::default();
            let config = reader(&dir.path().join("main"), "main", &mut reading);
            prop_assert!(reading.problems.len() <= 20);
            let Ok(config) = config else { continue };
            let limits = Limits::new(BTreeMap::from([(HOP, config.product)]), BTreeMap::from([(HOP, vec![config])]));
            let scope = Scope { host: &path, path: &path, upstream: &path, group: "" };
            for scope in [ANY, scope] {
                limits.get(HOP, LimitKind::Read, &scope);
                limits.pooled(HOP, &scope);
            }
        }
        sniff(Path::new("main"), text.as_bytes());
    }
}

#[test]
fn deep_nesting_and_fan_out_end() {
    let deep = "a {\n".repeat(100_000);
    let sections = "<Location /a>\n".repeat(100_000);
    // Each snippet imports the one before it ten times: 10^12 directives if nothing stopped it.
    let mut fan = String::from("(s0) {\n reverse_proxy localhost:1\n}\n");
    for n in 1..=12 {
        let body = format!(" import s{}\n", n - 1).repeat(10);
        fan.push_str(&format!("(s{n}) {{\n{body}}}\n"));
    }
    fan.push_str(":80 {\n import s12\n}\n");
    let dir = dir(&[("deep", &deep), ("sections", &sections), ("fan", &fan)]);
    for name in ["deep", "sections", "fan"] {
        for reader in all_readers() {
            let mut reading = include::Reading::default();
            let _ = reader(&dir.path().join(name), name, &mut reading);
            assert!(reading.problems.len() <= 20);
        }
    }
}

#[test]
fn a_synchronous_gunicorn_worker_keeps_no_connection() {
    let python = "worker_class = \"sync\"\nkeepalive = 5\ntimeout = 60\naccesslog = \"a.log\"\naccess_log_format = '%(h)s %(D)s'\n";
    let limits = limits(&[("gunicorn.conf.py", python)]);
    assert_eq!(ms(&limits, LimitKind::ClientIdle, ANY), Some(0));
    assert_eq!(ms(&limits, LimitKind::WorkerKill, ANY), Some(60_000));
    let log = &read(&[("gunicorn.conf.py", python)]).0[0].logs[0];
    assert_eq!(
        (log.path.as_str(), log.text.as_str(), log.line),
        ("a.log", "%(h)s %(D)s", 5)
    );
}

#[test]
fn a_fragment_and_a_bare_pattern_beside_the_main_file_add_nothing() {
    let (configs, problems) = read(&[
        (
            "nginx.conf",
            "events {}\nhttp { include /etc/nginx/*.conf; server { listen 80; } }",
        ),
        ("other.conf", "events {}\nhttp { server { listen 81; } }"),
        (
            "proxy_params",
            "proxy_set_header Host $host;\nproxy_set_header X-A 1;\n",
        ),
    ]);
    let listens: Vec<&[String]> = configs.iter().map(|config| config.listens.as_slice()).collect();
    assert_eq!(listens, [[":80"], [":81"]]);
    assert_eq!(problems.len(), 1);
}

#[test]
fn a_timer_of_one_module_does_not_hold_for_another() {
    let text = "events {}\nhttp { proxy_read_timeout 5s;\n server { listen 80;\n location / { proxy_pass http://a:1; }\n location /php { fastcgi_pass 127.0.0.1:9000; }\n} }";
    let limits = limits(&[("nginx.conf", text)]);
    assert_eq!(
        ms(&limits, LimitKind::Read, Scope { path: "/x", ..ANY }),
        Some(5_000)
    );
    assert_eq!(
        ms(
            &limits,
            LimitKind::Read,
            Scope {
                path: "/php/x",
                ..ANY
            }
        ),
        Some(60_000)
    );
}
