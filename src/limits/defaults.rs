//! What holds where nobody configured anything: one row per product and limit.

use why502_parsers::Product;

use crate::model::{Limit, LimitKind, Origin};

/// One default.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Whose.
    pub product: Product,
    /// Which limit.
    pub kind: LimitKind,
    /// Its value in microseconds; `None` means that there is no limit.
    pub value_us: Option<u64>,
    /// The setting that would change it.
    pub setting: &'static str,
    /// Where the value is known from.
    pub source: &'static str,
}

const fn row(
    product: Product,
    kind: LimitKind,
    value_us: Option<u64>,
    setting: &'static str,
    source: &'static str,
) -> Row {
    Row {
        product,
        kind,
        value_us,
        setting,
        source,
    }
}

const fn ms(n: u64) -> Option<u64> {
    Some(n * 1_000)
}

const fn seconds(n: u64) -> Option<u64> {
    ms(n * 1_000)
}

const NONE: Option<u64> = None;

use LimitKind::{ClientIdle, Connect, Queue, Read, Send, TlsHandshake, Total, UpstreamIdle, WorkerKill};
use Product::{
    Apache, ApigeeMp, ApigeeRouter, AwsAlb, AwsElb, Caddy, DotNet, EdgeMicro, Envoy, Gunicorn, Haproxy,
    HttpSys, Iis, Jetty, Kong, Lighttpd, Nginx, Node, OpenIg, Ruby, Squid, Tomcat, Traefik, TrafficServer,
    Undertow, Uvicorn, Varnish, Yarp,
};

/// Every known default.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row(Nginx, Connect, seconds(60), "proxy_connect_timeout", "nginx documentation, ngx_http_proxy_module; the TLS handshake falls under it too"),
    row(Nginx, Read, seconds(60), "proxy_read_timeout", "nginx documentation, ngx_http_proxy_module: between two reads"),
    row(Nginx, Send, seconds(60), "proxy_send_timeout", "nginx documentation, ngx_http_proxy_module: between two writes"),
    row(Nginx, UpstreamIdle, seconds(60), "keepalive_timeout in the upstream block", "nginx documentation, ngx_http_upstream_module, since 1.15.3"),
    row(Nginx, ClientIdle, seconds(75), "keepalive_timeout", "nginx documentation, ngx_http_core_module"),

    row(Haproxy, Connect, NONE, "timeout connect", "HAProxy configuration manual: no default, a warning at start"),
    row(Haproxy, Read, NONE, "timeout server", "HAProxy configuration manual: no default, a warning at start"),
    row(Haproxy, Send, NONE, "timeout server", "HAProxy configuration manual: no default, a warning at start"),
    row(Haproxy, Queue, NONE, "timeout queue", "HAProxy configuration manual: as timeout connect, which has no default"),
    row(Haproxy, UpstreamIdle, NONE, "pool-purge-delay", "HAProxy configuration manual: half of the surplus idle connections are closed every 5 s, so no single idle time is the limit"),
    row(Haproxy, ClientIdle, NONE, "timeout http-keep-alive", "HAProxy configuration manual: as timeout http-request, else timeout client, which has no default"),

    row(Apache, Connect, seconds(60), "connectiontimeout=", "Apache documentation, mod_proxy: as the response timeout"),
    row(Apache, Read, seconds(60), "ProxyTimeout", "Apache documentation, mod_proxy: as Timeout, 60 s"),
    row(Apache, Send, seconds(60), "ProxyTimeout", "Apache documentation, mod_proxy: as Timeout, 60 s"),
    row(Apache, UpstreamIdle, NONE, "ttl=", "Apache documentation, mod_proxy: idle connections are kept without limit"),
    row(Apache, Queue, NONE, "acquire=", "Apache documentation, mod_proxy: waits for a free connection without limit"),
    row(Apache, ClientIdle, seconds(5), "KeepAliveTimeout", "Apache documentation, core; observed on 2.4 to close at 5.000 to 5.003 s"),

    row(Caddy, Connect, seconds(3), "dial_timeout", "Caddy documentation, reverse_proxy, HTTP transport"),
    row(Caddy, TlsHandshake, seconds(10), "tls_timeout", "Go standard library, net/http default transport"),
    row(Caddy, Read, NONE, "response_header_timeout", "Caddy documentation, reverse_proxy, HTTP transport"),
    row(Caddy, Send, NONE, "write_timeout", "Caddy documentation, reverse_proxy, HTTP transport"),
    row(Caddy, UpstreamIdle, seconds(120), "keepalive", "Caddy documentation, reverse_proxy, HTTP transport"),
    row(Caddy, ClientIdle, seconds(300), "timeouts idle", "Caddy documentation, global options, servers"),

    row(Iis, ClientIdle, seconds(120), "connectionTimeout", "IIS configuration reference, site limits"),
    row(Iis, Read, seconds(30), "timeout of the server farm's proxy", "Application Request Routing documentation: 30 s for a farm"),
    row(HttpSys, ClientIdle, seconds(120), "connectionTimeout", "IIS configuration reference, site limits"),

    row(Envoy, Total, seconds(15), "route timeout", "Envoy documentation, \"How do I configure timeouts?\": from the end of the request to the end of the response"),
    row(Envoy, Connect, seconds(5), "connect_timeout", "Envoy documentation, config.cluster.v3: with the TLS handshake"),
    row(Envoy, UpstreamIdle, seconds(3_600), "common_http_protocol_options.idle_timeout", "Envoy documentation, core.v3.HttpProtocolOptions: 1 h, to both sides"),
    row(Envoy, ClientIdle, seconds(3_600), "common_http_protocol_options.idle_timeout", "Envoy documentation, core.v3.HttpProtocolOptions: 1 h, to both sides"),

    row(Traefik, Connect, seconds(30), "forwardingTimeouts.dialTimeout", "Traefik documentation, ServersTransport"),
    row(Traefik, Read, NONE, "forwardingTimeouts.responseHeaderTimeout", "Traefik documentation, ServersTransport: 0 s is none"),
    row(Traefik, UpstreamIdle, seconds(90), "forwardingTimeouts.idleConnTimeout", "Traefik documentation, ServersTransport"),
    row(Traefik, ClientIdle, seconds(180), "respondingTimeouts.idleTimeout", "Traefik documentation, EntryPoints"),

    row(Kong, Connect, seconds(60), "connect_timeout", "Kong documentation, service object: 60000 ms"),
    row(Kong, Read, seconds(60), "read_timeout", "Kong documentation, service object: 60000 ms"),
    row(Kong, Send, seconds(60), "write_timeout", "Kong documentation, service object: 60000 ms"),
    row(Kong, UpstreamIdle, seconds(60), "upstream_keepalive_idle_timeout", "Kong documentation, configuration reference"),

    row(Varnish, Connect, ms(3_500), "connect_timeout", "Varnish source, params: 3.5 s"),
    row(Varnish, Read, seconds(60), "first_byte_timeout", "Varnish source, params"),
    row(Varnish, UpstreamIdle, seconds(60), "backend_idle_timeout", "Varnish source, params"),
    row(Varnish, ClientIdle, seconds(5), "timeout_idle", "Varnish source, params"),

    row(Squid, Connect, seconds(60), "connect_timeout", "Squid source, cf.data.pre; peers: peer_connect_timeout, 30 s"),
    row(Squid, Read, seconds(900), "read_timeout", "Squid source, cf.data.pre: 15 minutes"),
    row(Squid, UpstreamIdle, seconds(60), "server_idle_pconn_timeout", "Squid source, cf.data.pre"),
    row(Squid, ClientIdle, seconds(120), "client_idle_pconn_timeout", "Squid source, cf.data.pre"),

    row(Lighttpd, ClientIdle, seconds(5), "server.max-keep-alive-idle", "lighttpd source, configfile.c"),

    row(TrafficServer, Connect, seconds(30), "proxy.config.http.connect_attempts_timeout", "Traffic Server source, RecordsConfig"),
    row(TrafficServer, Read, seconds(30), "proxy.config.http.transaction_no_activity_timeout_out", "Traffic Server source, RecordsConfig"),
    row(TrafficServer, UpstreamIdle, seconds(120), "proxy.config.http.keep_alive_no_activity_timeout_out", "Traffic Server source, RecordsConfig"),
    row(TrafficServer, ClientIdle, seconds(120), "proxy.config.http.keep_alive_no_activity_timeout_in", "Traffic Server source, RecordsConfig"),

    row(Yarp, Read, seconds(100), "HttpRequest.ActivityTimeout", "YARP source, ForwarderRequestConfig: between two activities"),
    row(Yarp, ClientIdle, seconds(130), "Kestrel.Limits.KeepAliveTimeout", "ASP.NET Core documentation, KestrelServerLimits"),
    row(DotNet, ClientIdle, seconds(130), "Kestrel.Limits.KeepAliveTimeout", "ASP.NET Core documentation, KestrelServerLimits"),

    row(AwsAlb, Connect, seconds(10), "", "Elastic Load Balancing documentation, \"Troubleshoot\": fixed"),
    row(AwsAlb, Read, seconds(60), "idle_timeout.timeout_seconds", "Elastic Load Balancing documentation: one idle timer for both sides and for the wait"),
    row(AwsAlb, UpstreamIdle, seconds(60), "idle_timeout.timeout_seconds", "Elastic Load Balancing documentation: one idle timer for both sides"),
    row(AwsAlb, ClientIdle, seconds(60), "idle_timeout.timeout_seconds", "Elastic Load Balancing documentation: one idle timer for both sides"),
    row(AwsElb, Read, seconds(60), "ConnectionSettings.IdleTimeout", "Elastic Load Balancing documentation, classic: one idle timer for both sides"),
    row(AwsElb, UpstreamIdle, seconds(60), "ConnectionSettings.IdleTimeout", "Elastic Load Balancing documentation, classic: one idle timer for both sides"),
    row(AwsElb, ClientIdle, seconds(60), "ConnectionSettings.IdleTimeout", "Elastic Load Balancing documentation, classic: one idle timer for both sides"),

    row(OpenIg, Connect, seconds(10), "connectionTimeout", "IG documentation, ClientHandler: 10 seconds"),
    row(OpenIg, Read, seconds(10), "soTimeout", "IG documentation, ClientHandler: 10 seconds"),

    row(ApigeeMp, Read, seconds(55), "io.timeout.millis", "Apigee documentation, endpoint properties: 55000; the TLS handshake falls under it too"),
    row(ApigeeMp, TlsHandshake, seconds(55), "io.timeout.millis", "Apigee documentation, \"502 Bad Gateway\": a handshake that ended after 55 s"),
    row(ApigeeMp, UpstreamIdle, seconds(60), "keepalive.timeout.millis", "Apigee documentation, endpoint properties: 60000"),
    row(ApigeeRouter, Read, seconds(57), "load.balancing.driver.proxy.read.timeout", "Apigee documentation, \"Configuring I/O timeout on Routers\""),

    row(EdgeMicro, ClientIdle, seconds(5), "edgemicro.keep_alive_timeout", "Node documentation, server.keepAliveTimeout, unless the gateway's configuration sets it"),
    row(EdgeMicro, Read, NONE, "edgemicro.request_timeout", "Edge Microgateway source: not set"),
    row(EdgeMicro, Connect, NONE, "edgemicro.request_timeout", "Edge Microgateway source: no timer of its own"),

    row(Node, ClientIdle, seconds(5), "server.keepAliveTimeout", "Node documentation, since 8"),
    row(Node, Total, seconds(300), "server.requestTimeout", "Node documentation, since 18: for receiving the whole request"),
    row(Gunicorn, ClientIdle, seconds(2), "keepalive", "gunicorn documentation, settings; synchronous workers close after every response"),
    row(Gunicorn, WorkerKill, seconds(30), "timeout", "gunicorn documentation, settings"),
    row(Uvicorn, ClientIdle, seconds(5), "--timeout-keep-alive", "uvicorn documentation, settings"),
    row(Tomcat, ClientIdle, seconds(60), "keepAliveTimeout", "Tomcat documentation, HTTP connector: as connectionTimeout, 60000; the file it ships with says 20000"),
    row(Jetty, ClientIdle, seconds(30), "jetty.http.idleTimeout", "Jetty source, AbstractConnector: 30000"),
    row(Undertow, ClientIdle, seconds(60), "no-request-timeout", "Undertow source, UndertowOptions.NO_REQUEST_TIMEOUT"),
    row(Ruby, ClientIdle, seconds(65), "persistent_timeout", "Puma source, configuration.rb; 20 s before release 7"),
    row(Uvicorn, WorkerKill, NONE, "--timeout-worker-healthcheck", "uvicorn documentation: a busy worker is not killed"),
];

/// How much later than its setting Node closes an idle connection.
///
/// Observed on Node 20.20.2: a `keepAliveTimeout` of 5000 closes at 6.000 s, one of 1000 at 2.000 s, so that a
/// client that obeys the advertised time is never cut. Older releases close on time.
const NODE_SLACK_US: u64 = 1_000_000;

/// How much later than its setting `product` may close an idle connection, in microseconds.
pub fn idle_slack_us(product: Product) -> u64 {
    match product {
        Product::Node | Product::EdgeMicro => NODE_SLACK_US,
        _ => 0,
    }
}

/// The default limit of `kind`; `None` if the product has none that is known.
pub fn limit(product: Product, kind: LimitKind) -> Option<Limit> {
    let row = TABLE
        .iter()
        .find(|row| row.product == product && row.kind == kind)?;
    Some(Limit {
        kind,
        value_us: row.value_us,
        setting: row.setting.to_owned(),
        origin: Origin::Default { product },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_product_has_two_defaults_for_one_limit() {
        for (n, row) in TABLE.iter().enumerate() {
            let again = TABLE
                .iter()
                .skip(n + 1)
                .any(|other| (other.product, other.kind) == (row.product, row.kind));
            assert!(!again, "{:?} {:?}", row.product, row.kind);
            // What cannot be set has no setting; everything has a source.
            assert!(!row.source.is_empty(), "{:?} {:?}", row.product, row.kind);
        }
    }

    #[test]
    fn nodes_keep_alive_is_five_seconds_and_a_second_late() {
        let limit = limit(Product::Node, LimitKind::ClientIdle).unwrap();
        assert_eq!(
            (limit.value_us, idle_slack_us(Product::Node)),
            (Some(5_000_000), 1_000_000)
        );
        assert!(!limit.origin.is_configured());
    }
}
