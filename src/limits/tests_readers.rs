//! Each reader on configuration in its server's own documented syntax, asked as the rest of the program asks.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::model::finding::Problem;

const HOP: HopId = HopId(0);

fn read_files(files: &[(&str, &str)]) -> (Vec<ServerConfig>, Vec<Problem>) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let found: Vec<(PathBuf, String)> = discover(&[dir.path().to_path_buf()])
        .into_iter()
        .map(|path| {
            let shown = path
                .strip_prefix(dir.path())
                .unwrap()
                .to_string_lossy()
                .into_owned();
            (path, shown)
        })
        .collect();
    read_all(&found)
}

/// The one server that these files configure.
fn server(files: &[(&str, &str)], product: Product) -> (ServerConfig, Limits) {
    let (configs, problems) = read_files(files);
    assert_eq!(problems, []);
    let [config] = configs.as_slice() else {
        panic!("{configs:#?}")
    };
    assert_eq!(config.product, product);
    let limits = Limits::new(
        BTreeMap::from([(HOP, product)]),
        BTreeMap::from([(HOP, configs.clone())]),
    );
    (config.clone(), limits)
}

/// Value in milliseconds, and line in its file, as configured for `path` on the way to `upstream`.
fn at(limits: &Limits, kind: LimitKind, path: &str, upstream: &str) -> (Option<u64>, u32) {
    let scope = Scope {
        path,
        upstream,
        ..Scope::default()
    };
    let limit = limits.get(HOP, kind, &scope).unwrap();
    let line = match limit.origin {
        Origin::File { line, .. } => line,
        _ => 0,
    };
    (limit.value_us.map(|us| us / 1_000), line)
}

/// Whether limits of the kinds, under the paths, at the upstreams, are so many milliseconds and stand in these lines.
fn are(limits: &Limits, wanted: &[(LimitKind, &str, &str, Option<u64>, u32)]) {
    for &(kind, path, upstream, ms, line) in wanted {
        assert_eq!(
            at(limits, kind, path, upstream),
            (ms, line),
            "{kind:?} {path} {upstream}"
        );
    }
}

fn counts(config: &ServerConfig) -> Vec<(CountKind, u32)> {
    config
        .counts
        .iter()
        .map(|count| (count.kind, count.value))
        .collect()
}

const ENVOY: &str = r#"static_resources:
  listeners:
  - name: front
    address:
      socket_address: { address: 0.0.0.0, port_value: 10000 }
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          common_http_protocol_options:
            idle_timeout: 300s
          route_config:
            virtual_hosts:
            - name: shop
              domains: ["shop.example.com", "*"]
              retry_policy: { retry_on: "5xx,reset", num_retries: 2 }
              routes:
              - match: { prefix: "/reports/" }
                route: { cluster: orders, timeout: 0s }
              - match: { prefix: "/" }
                route:
                  cluster: orders
                  timeout: 25s
                  retry_policy: { retry_on: connect-failure, per_try_timeout: 8s }
  clusters:
  - name: orders
    connect_timeout: 0.25s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        common_http_protocol_options:
          idle_timeout: 4s
        explicit_http_config: { http_protocol_options: {} }
    circuit_breakers:
      thresholds:
      - max_connections: 64
    load_assignment:
      cluster_name: orders
      endpoints:
      - lb_endpoints:
        - endpoint:
            address:
              socket_address: { address: 10.0.0.3, port_value: 3000 }
"#;

#[test]
fn envoy_routes_take_their_clusters_limits() {
    let (config, limits) = server(&[("envoy.yaml", ENVOY)], Product::Envoy);
    assert_eq!(config.listens, ["0.0.0.0:10000"]);
    let to = "10.0.0.3:3000";
    are(
        &limits,
        &[
            (LimitKind::Total, "/cart", to, Some(25_000), 25),
            (LimitKind::Total, "/reports/7", to, None, 21),
            (LimitKind::Read, "/cart", to, Some(8_000), 26),
            (LimitKind::Connect, "/cart", to, Some(250), 29),
            (LimitKind::UpstreamIdle, "/cart", to, Some(4_000), 34),
            (LimitKind::ClientIdle, "/cart", to, Some(300_000), 13),
        ],
    );
    let reports = limits
        .route(
            HOP,
            &Scope {
                path: "/reports/7",
                ..Scope::default()
            },
        )
        .unwrap();
    let retry = reports.retry.as_ref().unwrap();
    assert_eq!(
        (retry.tries, retry.covers_timeouts(), reports.slots),
        (Some(3), true, Some(64))
    );
}

#[test]
fn envoy_in_json_with_camel_case_keys_is_the_same() {
    let json = r#"{"staticResources": {"clusters": [
        {"name": "a", "connectTimeout": "1s", "loadAssignment": {"endpoints": [{"lbEndpoints": [
          {"endpoint": {"address": {"socketAddress": {"address": "10.0.0.4", "portValue": 80}}}}]}]}}]}}"#;
    let (_, limits) = server(&[("envoy.json", json)], Product::Envoy);
    assert_eq!(
        at(&limits, LimitKind::Connect, "", "10.0.0.4:80"),
        (Some(1_000), 2)
    );
    // Nobody wrote a route timeout: Envoy's own holds.
    assert_eq!(
        at(&limits, LimitKind::Total, "", "10.0.0.4:80"),
        (Some(15_000), 0)
    );
}

const ISTIO: &str = r#"apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews.prod.svc.cluster.local]
  http:
  - match:
    - uri: { prefix: /slow }
    route:
    - destination: { host: reviews, port: { number: 9080 } }
    timeout: 10s
    retries: { attempts: 3, perTryTimeout: 2s, retryOn: "gateway-error,connect-failure" }
  - route:
    - destination: { host: reviews, port: { number: 9080 } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  trafficPolicy:
    connectionPool:
      tcp: { maxConnections: 100, connectTimeout: 30ms }
      http: { idleTimeout: 55s, maxRequestsPerConnection: 10 }
"#;

#[test]
fn istio_has_no_route_timeout_unless_one_is_written() {
    let (_, limits) = server(&[("reviews.yaml", ISTIO)], Product::Envoy);
    let to = "reviews:9080";
    are(
        &limits,
        &[
            (LimitKind::Total, "/slow/x", to, Some(10_000), 11),
            (LimitKind::Read, "/slow/x", to, Some(2_000), 12),
            (LimitKind::Total, "/x", to, None, 14),
            (LimitKind::UpstreamIdle, "/x", to, Some(55_000), 24),
            (LimitKind::Connect, "/x", to, Some(30), 23),
        ],
    );
}

const TRAEFIK_STATIC: &str = "entryPoints:\n  web:\n    address: \":8080\"\n    transport:\n      respondingTimeouts:\n        idleTimeout: 70s\nserversTransport:\n  forwardingTimeouts:\n    idleConnTimeout: 45s\n    responseHeaderTimeout: 20s\n";
const TRAEFIK_DYNAMIC: &str = r#"[http.routers.shop]
  rule = "Host(`shop.example.com`) && PathPrefix(`/orders`)"
  service = "orders@file"
  middlewares = ["again"]
[http.middlewares.again.retry]
  attempts = 4
[http.services.orders.loadBalancer]
  serversTransport = "patient"
  [[http.services.orders.loadBalancer.servers]]
    url = "http://10.0.0.3:3000"
[http.serversTransports.patient.forwardingTimeouts]
  responseHeaderTimeout = "90s"
"#;

#[test]
fn traefiks_static_file_holds_for_the_services_of_its_dynamic_one() {
    let files = [
        ("traefik.yml", TRAEFIK_STATIC),
        ("dynamic/shop.toml", TRAEFIK_DYNAMIC),
    ];
    let (config, limits) = server(&files, Product::Traefik);
    assert_eq!(config.listens, [":8080"]);
    let to = "10.0.0.3:3000";
    are(
        &limits,
        &[
            (LimitKind::UpstreamIdle, "/orders/1", to, Some(45_000), 9),
            (LimitKind::Read, "/orders/1", to, Some(90_000), 12),
            (LimitKind::ClientIdle, "/orders/1", to, Some(70_000), 6),
        ],
    );
    let route = limits
        .route(
            HOP,
            &Scope {
                path: "/orders/1",
                ..Scope::default()
            },
        )
        .unwrap();
    assert_eq!(
        (route.retry.as_ref().unwrap().tries, route.hosts.len()),
        (Some(4), 1)
    );
}

const KONG: &str = "_format_version: \"3.0\"\nservices:\n- name: orders\n  url: http://orders.internal:3000/v1\n  read_timeout: 8000\n  retries: 2\n  routes:\n  - paths: [/orders, '~/v[0-9]+/x$']\n- name: pool\n  host: pool.upstream\n  routes: []\nupstreams:\n- name: pool.upstream\n  targets:\n  - target: 10.0.0.8:9000\n";
const KONG_CONF: &str = "# /etc/kong/kong.conf\nproxy_listen = 0.0.0.0:8000 reuseport backlog=16384, 0.0.0.0:8443 http2 ssl\nupstream_keepalive_idle_timeout = 30   # seconds\nupstream_keepalive_max_requests=500\n";

#[test]
fn kong_takes_pools_from_its_conf_and_timers_from_its_services() {
    let (config, limits) = server(&[("kong.conf", KONG_CONF), ("kong.yml", KONG)], Product::Kong);
    assert_eq!(config.listens, ["0.0.0.0:8000", "0.0.0.0:8443"]);
    let to = "orders.internal:3000";
    are(
        &limits,
        &[
            (LimitKind::Read, "/orders/1", to, Some(8_000), 5),
            (LimitKind::Connect, "/orders/1", to, Some(60_000), 0),
            (LimitKind::UpstreamIdle, "/orders/1", to, Some(30_000), 3),
        ],
    );
    let regex = limits
        .route(
            HOP,
            &Scope {
                path: "/v2/x",
                ..Scope::default()
            },
        )
        .unwrap();
    assert_eq!(regex.retry.as_ref().unwrap().tries, Some(3));
    assert_eq!(limits.routes_to(HOP), ["10.0.0.8:9000", "orders.internal:3000"]);
}

const IG_ROUTE: &str = r##"{
  "name": "orders",
  "baseURI": "https://app.example.com:8443",
  "condition": "${find(request.uri.path, '^/orders')}",
  "handler": {
    "type": "Chain",
    "config": { "filters": [], "handler": {
      "name": "myClientHandler",
      "type": "ClientHandler",
      "config": {
        "connectionTimeout": "30 seconds",
        "soTimeout": "1 minute and 30 seconds",
        "disableReuseConnection": true
      } } }
  }
}"##;
const IG_CONFIG: &str = r#"{"heap": [{"name": "ClientHandler", "type": "ClientHandler", "config": {"soTimeout": "unlimited", "connections": 32}}],
 "handler": {"type": "Router"}}"#;
const IG_ADMIN: &str = r#"{"connectors": [{"port": 8080, "vertx": {"idleTimeout": 90}}]}"#;

#[test]
fn ig_reads_handlers_wherever_they_stand() {
    let files = [
        ("ig/config/config.json", IG_CONFIG),
        ("ig/config/admin.json", IG_ADMIN),
        ("ig/config/routes/orders.json", IG_ROUTE),
    ];
    let (config, limits) = server(&files, Product::OpenIg);
    assert_eq!(config.listens, [":8080"]);
    let to = "app.example.com:8443";
    are(
        &limits,
        &[
            (LimitKind::Connect, "/orders/1", to, Some(30_000), 11),
            (LimitKind::Read, "/orders/1", to, Some(90_000), 12),
            (LimitKind::ClientIdle, "/orders/1", to, Some(90_000), 1),
        ],
    );
    let scope = Scope {
        path: "/orders/1",
        ..Scope::default()
    };
    assert_eq!(
        (limits.pooled(HOP, &scope), limits.upstream_tls(HOP, &scope)),
        (Some(false), Some(true))
    );
    assert_eq!(limits.route(HOP, &scope).unwrap().slots, Some(32));
}

#[test]
fn igs_default_is_ten_seconds() {
    let route =
        r#"{"handler": {"type": "ReverseProxyHandler"}, "baseURI": "http://app:80", "condition": "${true}"}"#;
    let (_, limits) = server(&[("route.json", route)], Product::OpenIg);
    assert_eq!(at(&limits, LimitKind::Read, "/", "app:80"), (Some(10_000), 0));
}

#[test]
fn attributes_of_aws_balancers_are_read_as_they_are_printed() {
    let alb = "{\n    \"Attributes\": [\n        {\n            \"Key\": \"deletion_protection.enabled\",\n            \"Value\": \"false\"\n        },\n        {\n            \"Key\": \"idle_timeout.timeout_seconds\",\n            \"Value\": \"75\"\n        }\n    ]\n}\n";
    let group = "{\n    \"Attributes\": [\n        {\n            \"Value\": \"300\",\n            \"Key\": \"deregistration_delay.timeout_seconds\"\n        }\n    ]\n}\n";
    let (_, limits) = server(&[("alb.json", alb), ("targets.json", group)], Product::AwsAlb);
    for kind in [LimitKind::ClientIdle, LimitKind::UpstreamIdle, LimitKind::Read] {
        assert_eq!(at(&limits, kind, "", ""), (Some(75_000), 9));
    }
    are(
        &limits,
        &[
            (LimitKind::Drain, "", "", Some(300_000), 4),
            (LimitKind::Connect, "", "", Some(10_000), 0),
        ],
    );
    let classic = r#"{"LoadBalancerAttributes": {"ConnectionSettings": {"IdleTimeout": 60}, "ConnectionDraining": {"Enabled": true, "Timeout": 120}}}"#;
    let (_, limits) = server(&[("elb.json", classic)], Product::AwsElb);
    assert_eq!(at(&limits, LimitKind::UpstreamIdle, "", ""), (Some(60_000), 1));
}

const YARP: &str = r#"{
  // comments are allowed
  "Kestrel": { "Limits": { "KeepAliveTimeout": "00:01:15" }, "Endpoints": { "Http": { "Url": "http://*:5000" } } },
  "ReverseProxy": {
    "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/api/{**rest}" }, "Timeout": "00:00:20" } },
    "Clusters": { "c": {
      "HttpRequest": { "ActivityTimeout": "00:00:45" },
      "Destinations": { "d1": { "Address": "https://10.0.0.5:7001/" } } } }
  }
}"#;

#[test]
fn yarp_reads_time_spans_and_destinations() {
    let (config, limits) = server(&[("appsettings.json", YARP)], Product::Yarp);
    assert_eq!(config.listens, [":5000"]);
    let to = "10.0.0.5:7001";
    are(
        &limits,
        &[
            (LimitKind::Read, "/api/x", to, Some(45_000), 7),
            (LimitKind::Total, "/api/x", to, Some(20_000), 5),
            (LimitKind::ClientIdle, "/api/x", to, Some(75_000), 3),
        ],
    );
}

const IIS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<configuration>
  <system.applicationHost>
    <applicationPools>
      <add name="shop" queueLength="500">
        <recycling><periodicRestart time="1.05:00:00" /></recycling>
        <processModel shutdownTimeLimit="00:01:30" idleTimeout="00:20:00" maxProcesses="2" />
      </add>
    </applicationPools>
    <sites>
      <site name="shop" id="1">
        <bindings><binding protocol="http" bindingInformation="*:80:shop.example.com" /></bindings>
        <limits connectionTimeout="00:03:00" />
      </site>
      <siteDefaults><limits connectionTimeout="00:02:10" /></siteDefaults>
    </sites>
  </system.applicationHost>
  <webFarms>
    <webFarm name="farm" enabled="true">
      <server address="10.0.0.7" enabled="true"><applicationRequestRouting httpPort="8080" /></server>
      <applicationRequestRouting><protocol timeout="00:00:45" /></applicationRequestRouting>
    </webFarm>
  </webFarms>
</configuration>
"#;

#[test]
fn iis_gives_sites_pools_and_farms() {
    let (config, limits) = server(&[("applicationHost.config", IIS)], Product::Iis);
    assert_eq!(config.listens, [":80"]);
    assert_eq!(
        at(&limits, LimitKind::Read, "/", "10.0.0.7:8080"),
        (Some(45_000), 21)
    );
    assert_eq!(
        counts(&config),
        [(CountKind::Backlog, 500), (CountKind::Workers, 2)]
    );
    let general = &config.routes[0].limits;
    let us = |kind| general[&kind].value_us.unwrap() / 1_000_000;
    assert_eq!(
        (
            us(LimitKind::ClientIdle),
            us(LimitKind::Drain),
            us(LimitKind::Recycle)
        ),
        (130, 90, 104_400)
    );
    let module = "<configuration><system.webServer>\n<aspNetCore processPath=\"dotnet\" requestTimeout=\"00:04:00\" shutdownTimeLimit=\"30\"/></system.webServer></configuration>";
    let (_, limits) = server(&[("web.config", module)], Product::Iis);
    are(
        &limits,
        &[
            (LimitKind::Read, "", "", Some(240_000), 2),
            (LimitKind::Drain, "", "", Some(30_000), 2),
        ],
    );
}

const TOMCAT: &str = "<?xml version=\"1.0\"?>\n<Server port=\"8005\">\n <Service name=\"Catalina\">\n  <Executor name=\"tomcatThreadPool\" maxThreads=\"150\"/>\n  <Connector port=\"8080\" protocol=\"HTTP/1.1\"\n     connectionTimeout=\"20000\" acceptCount=\"50\" />\n  <Connector port=\"8443\" keepAliveTimeout=\"65000\" connectionTimeout=\"20000\"/>\n </Service>\n</Server>\n";

#[test]
fn tomcats_idle_time_is_its_connection_timeout_unless_set() {
    let (config, limits) = server(&[("conf/server.xml", TOMCAT)], Product::Tomcat);
    assert_eq!(config.listens, [":8080", ":8443"]);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(20_000), 6));
    assert_eq!(
        counts(&config),
        [(CountKind::Backlog, 50), (CountKind::Threads, 150)]
    );
    let one = TOMCAT.replace("acceptCount=\"50\"", "maxKeepAliveRequests=\"1\"");
    let (_, limits) = server(&[("server.xml", &one)], Product::Tomcat);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(0), 6));
}

#[test]
fn springs_access_log_patterns_are_those_of_the_server_inside() {
    let pattern = "%h %t \"%r\" %s \"%{User-Agent}i\"";
    let properties = format!(
        "server.port=8082\nserver.tomcat.accesslog.pattern={pattern}\nserver.tomcat.accesslog.prefix=shop\n"
    );
    let yaml = format!("server:\n  undertow:\n    accesslog:\n      pattern: '{pattern}'\n");
    for (name, text, product, path) in [
        ("application.properties", properties, Product::Tomcat, "shop.log"),
        ("application.yaml", yaml, Product::Undertow, "access_log.log"),
    ] {
        let (configs, _) = read_files(&[(name, &text)]);
        assert_eq!(configs[0].product, product, "{name}");
        let log = &configs[0].logs[0];
        assert_eq!((log.text.as_str(), log.path.as_str()), (pattern, path), "{name}");
    }
}

#[test]
fn spring_is_read_as_properties_and_as_yaml() {
    let properties = "server.port=${PORT:8081}\nserver.tomcat.keep-alive-timeout=75s\nserver.tomcat.connection-timeout=5s\nserver.tomcat.threads.max=50\n";
    let (config, limits) = server(&[("application.properties", properties)], Product::Tomcat);
    assert_eq!(config.listens, [":8081"]);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(75_000), 2));
    assert_eq!(counts(&config), [(CountKind::Threads, 50)]);
    let yaml = "server:\n  port: 8082\n  netty:\n    idle-timeout: PT20S\nspring:\n  cloud:\n    gateway:\n      httpclient:\n        connect-timeout: 1000\n        response-timeout: 5s\n        pool:\n          max-idle-time: 15s\n      routes:\n      - id: a\n        uri: https://example.org\n";
    let (config, limits) = server(&[("application.yml", yaml)], Product::Java);
    assert_eq!(config.listens, [":8082"]);
    let to = "example.org:443";
    are(
        &limits,
        &[
            (LimitKind::Connect, "", to, Some(1_000), 9),
            (LimitKind::Read, "", to, Some(5_000), 10),
            (LimitKind::UpstreamIdle, "", to, Some(15_000), 12),
            (LimitKind::ClientIdle, "", to, Some(20_000), 4),
        ],
    );
}

#[test]
fn jetty_and_wildfly_say_how_long_they_keep_connections() {
    let ini = "--module=http\njetty.http.port=8080\njetty.http.idleTimeout=30000\njetty.threadPool.maxThreads=200\n";
    let (config, limits) = server(&[("start.d/http.ini", ini)], Product::Jetty);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(30_000), 3));
    assert_eq!(config.listens, [":8080"]);
    let xml = "<?xml version=\"1.0\"?>\n<!DOCTYPE Configure PUBLIC \"-//Jetty//Configure//EN\" \"https://jetty.org/configure_10_0.dtd\">\n<Configure id=\"Server\" class=\"org.eclipse.jetty.server.Server\">\n <Set name=\"port\"><Property name=\"jetty.http.port\" default=\"8080\" /></Set>\n <Set name=\"idleTimeout\"><Property name=\"jetty.http.idleTimeout\" default=\"45000\"/></Set>\n</Configure>";
    let (_, limits) = server(&[("jetty-http.xml", xml)], Product::Jetty);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(45_000), 5));
    let wildfly = "<server xmlns=\"urn:jboss:domain:20.0\">\n<profile><subsystem xmlns=\"urn:jboss:domain:undertow:14.0\"><server name=\"default-server\">\n<http-listener name=\"default\" socket-binding=\"http\" no-request-timeout=\"75000\"/></server></subsystem></profile>\n<socket-binding-group><socket-binding name=\"http\" port=\"${jboss.http.port:8080}\"/></socket-binding-group></server>";
    let (config, limits) = server(&[("standalone.xml", wildfly)], Product::Undertow);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(75_000), 3));
    assert_eq!(config.listens, [":8080"]);
}

#[test]
fn apigee_properties_and_targets_are_one_server() {
    let properties = "# customer/application\nconf_http_HTTPTransport.io.timeout.millis=55000\nconf_http_HTTPClient.keepalive.timeout.millis=60000\n";
    let target = "<TargetEndpoint name=\"default\">\n <HTTPTargetConnection>\n  <Properties>\n   <Property name=\"keepalive.timeout.millis\">4000</Property>\n  </Properties>\n  <URL>https://mocktarget.apigee.net/x</URL>\n </HTTPTargetConnection>\n</TargetEndpoint>";
    let (_, limits) = server(
        &[
            ("mp/message-processor.properties", properties),
            ("mp/default.xml", target),
        ],
        Product::ApigeeMp,
    );
    let to = "mocktarget.apigee.net:443";
    are(
        &limits,
        &[
            (LimitKind::Read, "", to, Some(55_000), 2),
            (LimitKind::UpstreamIdle, "", to, Some(4_000), 4),
        ],
    );
    let router = "conf_load_balancing_load.balancing.driver.proxy.read.timeout=57\n";
    let (_, limits) = server(&[("router.properties", router)], Product::ApigeeRouter);
    assert_eq!(at(&limits, LimitKind::Read, "", ""), (Some(57_000), 1));
}

pub(super) const SQUID: &str = "http_port 3128 accel defaultsite=shop.example.com\ncache_peer 10.0.0.3 parent 3000 0 no-query originserver name=orders connect-timeout=3 max-conn=20\ncache_peer 10.0.0.4 parent 3000 0 no-query originserver\nread_timeout 2 minutes\npeer_connect_timeout 10 seconds\nserver_idle_pconn_timeout 30 seconds\nclient_idle_pconn_timeout 1 minute\nforward_max_tries 5\nhttp_access allow all\n";

#[test]
fn squids_peers_have_connect_timers_of_their_own() {
    let (config, limits) = server(&[("squid.conf", SQUID)], Product::Squid);
    assert_eq!(config.listens, [":3128"]);
    are(
        &limits,
        &[
            (LimitKind::Connect, "", "10.0.0.3:3000", Some(3_000), 2),
            (LimitKind::Connect, "", "10.0.0.4:3000", Some(10_000), 5),
            (LimitKind::Read, "", "10.0.0.3:3000", Some(120_000), 4),
            (LimitKind::UpstreamIdle, "", "10.0.0.3:3000", Some(30_000), 6),
            (LimitKind::ClientIdle, "", "", Some(60_000), 7),
        ],
    );
    let route = limits
        .route(
            HOP,
            &Scope {
                upstream: "orders",
                ..Scope::default()
            },
        )
        .unwrap();
    assert_eq!(
        (route.slots, route.retry.as_ref().unwrap().tries),
        (Some(20), Some(5))
    );
}

pub(super) const VCL: &str = "vcl 4.1;\n# front of the shop\nbackend orders {\n    .host = \"127.0.0.1\"; /* one\n    line */ .port = \"3000\";\n    .first_byte_timeout = 90s;\n    .max_connections = 100;\n}\nbackend slow { .host = \"127.0.0.2\"; .between_bytes_timeout = 5s; }\nsub vcl_backend_fetch {\n    set bereq.connect_timeout = 2s;\n    if (bereq.url ~ \"^/x\") { set bereq.first_byte_timeout = 1s; set bereq.backend = slow; }\n}\n";

#[test]
fn varnish_takes_parameters_where_a_backend_says_nothing() {
    let unit = "[Service]\nExecStart=/usr/sbin/varnishd -a :6081 -f /etc/varnish/default.vcl -p backend_idle_timeout=30 -p first_byte_timeout=20s\n";
    let (config, limits) = server(
        &[("default.vcl", VCL), ("varnish.service", unit)],
        Product::Varnish,
    );
    assert_eq!(config.listens, [":6081"]);
    are(
        &limits,
        &[
            (LimitKind::Read, "", "127.0.0.1:3000", Some(90_000), 6),
            (LimitKind::Read, "", "127.0.0.2:80", Some(20_000), 2),
            (LimitKind::Connect, "", "127.0.0.2:80", Some(2_000), 11),
            (LimitKind::UpstreamIdle, "", "127.0.0.1:3000", Some(30_000), 2),
            (LimitKind::ClientIdle, "", "", Some(5_000), 0),
        ],
    );
    let route = limits
        .route(
            HOP,
            &Scope {
                upstream: "orders",
                ..Scope::default()
            },
        )
        .unwrap();
    assert_eq!(route.slots, Some(100));
}

pub(super) const LIGHTTPD: &str = "server.modules = ( \"mod_proxy\" )\nserver.document-root = \"/var/www\"\nserver.port = 8089\nserver.bind = \"127.0.0.1\"\nserver.max-keep-alive-idle = 30\nproxy.server = ( \"/api/\" => (\n    ( \"host\" => \"127.0.0.3\", \"port\" => 3000,\n      \"read-timeout\" => 25 ),\n    ( \"host\" => \"127.0.0.4\", \"port\" => 3001 ) ) )\n";

#[test]
fn lighttpd_reads_lists_over_several_lines() {
    let (config, limits) = server(&[("lighttpd.conf", LIGHTTPD)], Product::Lighttpd);
    assert_eq!(config.listens, ["127.0.0.1:8089"]);
    assert_eq!(limits.routes_to(HOP), ["127.0.0.3:3000", "127.0.0.4:3001"]);
    are(
        &limits,
        &[
            (LimitKind::Read, "/api/x", "127.0.0.3:3000", Some(25_000), 8),
            (LimitKind::ClientIdle, "/api/x", "127.0.0.4:3001", Some(30_000), 5),
        ],
    );
}

#[test]
fn pools_of_workers_say_when_they_kill() {
    let uwsgi = "[uwsgi]\nhttp = :9090\nharakiri = 45\nprocesses = 4\nlisten = 100\n";
    let (config, limits) = server(&[("app.ini", uwsgi)], Product::Uwsgi);
    are(
        &limits,
        &[
            (LimitKind::WorkerKill, "", "", Some(45_000), 3),
            (LimitKind::ClientIdle, "", "", Some(0), 2),
        ],
    );
    assert_eq!(
        counts(&config),
        [(CountKind::Workers, 4), (CountKind::Backlog, 100)]
    );
    let fpm = "[www]\nlisten = /run/php/php8.2-fpm.sock\npm = dynamic\npm.max_children = 5\nrequest_terminate_timeout = 2m\n";
    let (config, limits) = server(&[("www.conf", fpm)], Product::PhpFpm);
    assert_eq!(config.listens, ["unix:/run/php/php8.2-fpm.sock"]);
    assert_eq!(at(&limits, LimitKind::WorkerKill, "", ""), (Some(120_000), 5));
    let puma = "workers ENV.fetch(\"WEB_CONCURRENCY\") { 2 }\nthreads 1, 5\nport ENV.fetch(\"PORT\", 3000)\npersistent_timeout 75\n";
    let (config, limits) = server(&[("config/puma.rb", puma)], Product::Ruby);
    assert_eq!(config.listens, [":3000"]);
    assert_eq!(at(&limits, LimitKind::ClientIdle, "", ""), (Some(75_000), 4));
    assert_eq!(
        counts(&config),
        [(CountKind::Workers, 2), (CountKind::Threads, 5)]
    );
}

#[test]
fn an_error_in_one_file_does_not_stop_the_others() {
    let (configs, problems) = read_files(&[
        ("a/envoy.yaml", "static_resources:\n  clusters: [\n"),
        ("b/server.xml", "<Server>\n<Connector port=\"1\"></Server>"),
        ("c/squid.conf", SQUID),
        ("d/kong.yml", "_format_version: \"3.0\"\n\tservices: []\n"),
    ]);
    assert_eq!(configs.len(), 1);
    let said: Vec<&str> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(said, ["a/envoy.yaml", "b/server.xml", "d/kong.yml"]);
    assert!(
        problems
            .iter()
            .all(|problem| problem.message.starts_with("line ")),
        "{problems:?}"
    );
}

#[test]
fn logs_and_other_documents_are_not_taken_for_configuration() {
    for (name, text) in [
        (
            "app.json",
            "{\"msg\":\"ClientHandler failed\",\"handler\":\"x\",\"baseURI\":\"y\"}\n{\"msg\":\"2\"}\n",
        ),
        (
            "settings.json",
            "{\n  \"port\": 3000,\n  \"keepAliveTimeout\": 1000\n}\n",
        ),
        (
            "docker-compose.yml",
            "services:\n  web:\n    image: nginx\n    ports: [\"80:80\"]\n",
        ),
        (
            "access.log",
            "10.0.0.1 - - [20/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 502 0\n",
        ),
        ("package.json", "{\n  \"name\": \"http\",\n  \"apps\": 1\n}\n"),
        ("pom.xml", "<project><build/></project>"),
    ] {
        assert_eq!(sniff(std::path::Path::new(name), text.as_bytes()), None, "{name}");
    }
}

#[test]
fn what_is_put_in_place_of_the_beginnings_of_paths_is_read() {
    let rules = |name: &str, text: &str| -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        let (configs, problems) = read_all(&[(file, name.to_owned())]);
        assert_eq!(problems, []);
        let hop = HopId(0);
        let products = BTreeMap::from([(hop, configs[0].product)]);
        let limits = Limits::new(products, BTreeMap::from([(hop, configs)]));
        let rules = limits.rewrites(hop);
        rules
            .iter()
            .map(|rule| format!("{} -> {}", rule.from, rule.to))
            .collect()
    };
    let nginx = "events {}\nhttp { upstream app { server 10.0.0.7:3000; }\n server { listen 80;\n\
        location / { proxy_pass http://app; }\n\
        location /same/ { proxy_pass http://app/same/; }\n\
        location /api/ { proxy_pass http://app/; }\n\
        location /old/ { proxy_pass http://10.0.0.8/v1/; }\n\
        location /any/ { proxy_pass http://app/$request_uri; }\n\
        location ~ ^/v[0-9]/ { proxy_pass http://10.0.0.9; }\n} }\n";
    assert_eq!(rules("nginx.conf", nginx), ["/api -> ", "/old -> /v1"]);
    let apache = "Listen 80\nProxyPass /api http://10.0.0.7:3000/v2\nProxyPass /shop http://10.0.0.7:3000\n\
        ProxyPass / http://10.0.0.7:3000/\nProxyPassMatch ^/img/(.*)$ http://10.0.0.8/$1\n";
    assert_eq!(rules("httpd.conf", apache), ["/api -> /v2", "/shop -> "]);
}
