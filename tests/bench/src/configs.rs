//! The configuration of edge and gateway, as it would have to be for these logs.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::cast::{APP, EDGE, GATEWAY, SERVICES};
use crate::exchange::READ_LIMIT_US;
use crate::scenario::till_port;

/// Writes `configs/` below `out`, for so many tills.
///
/// # Errors
/// What the file system says.
pub fn write(out: &Path, tills: usize) -> io::Result<()> {
    let file = |hop: &str, name: &str, text: &str| {
        let dir = out.join("configs").join(hop);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(name), text)
    };
    file("edge-haproxy", "haproxy.cfg", &haproxy())?;
    file("gateway-nginx", "nginx.conf", &nginx(tills))
}

fn haproxy() -> String {
    format!(
        r#"global
    log 127.0.0.1:514 local0
    log-send-hostname lb1
    maxconn 20000

defaults
    mode http
    log global
    option httplog
    option forwardfor
    timeout connect 3s
    timeout client 75s
    timeout server 75s
    timeout http-keep-alive 30s

frontend shop
    bind {EDGE}:443 ssl crt shop.pem
    unique-id-format %[uuid()]
    unique-id-header X-Request-ID
    capture request header Host len 64
    capture request header User-Agent len 24
    log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{{+Q}}r %ID"
    default_backend gateway

backend gateway
    server gw1 {GATEWAY}:8080
"#
    )
}

fn nginx(tills: usize) -> String {
    let (mut upstreams, mut locations) = (String::new(), String::new());
    let mut add = |name: &str, path: &str, ports: &[u16]| {
        let servers: Vec<String> = ports.iter().map(|port| format!("server {APP}:{port};")).collect();
        let servers = servers.join(" ");
        // Writing to a String cannot fail.
        let _ = writeln!(
            upstreams,
            "    upstream {name} {{ {servers} keepalive 32; keepalive_timeout 3m; }}"
        );
        let _ = writeln!(
            locations,
            "        location {path} {{ proxy_pass http://{name}; }}"
        );
    };
    for service in SERVICES {
        add(service.name, &format!("/{}", service.name), service.ports);
    }
    for till in 0..tills as u16 {
        add(
            &format!("till{till}"),
            &format!("/till/{till}/"),
            &[till_port(till)],
        );
    }
    let read_s = READ_LIMIT_US / 1_000_000;
    format!(
        r#"worker_processes 1;
error_log logs/error.log error;

events {{ worker_connections 4096; }}

http {{
    log_format gateway '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
                       '"$http_referer" "$http_user_agent" "$http_x_forwarded_for" rid=$http_x_request_id '
                       'rt=$request_time uct="$upstream_connect_time" uht="$upstream_header_time" '
                       'urt="$upstream_response_time" ubr="$upstream_bytes_received" us="$upstream_status" '
                       'ua="$upstream_addr" cn=$connection/$connection_requests t=$msec';
    access_log logs/access.log gateway;

{upstreams}
    server {{
        listen {GATEWAY}:8080;
        server_name shop.example.com;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $http_x_forwarded_for;
        proxy_connect_timeout 3s;
        proxy_read_timeout {read_s}s;

{locations}    }}
}}
"#
    )
}
