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
use Product::{Apache, Caddy, EdgeMicro, Gunicorn, Haproxy, HttpSys, Iis, Nginx, Node, Uvicorn};

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

    row(EdgeMicro, ClientIdle, seconds(5), "edgemicro.keep_alive_timeout", "Node documentation, server.keepAliveTimeout, unless the gateway's configuration sets it"),
    row(EdgeMicro, Read, NONE, "edgemicro.request_timeout", "Edge Microgateway source: not set"),
    row(EdgeMicro, Connect, NONE, "edgemicro.request_timeout", "Edge Microgateway source: no timer of its own"),

    row(Node, ClientIdle, seconds(5), "server.keepAliveTimeout", "Node documentation, since 8"),
    row(Node, Total, seconds(300), "server.requestTimeout", "Node documentation, since 18: for receiving the whole request"),
    row(Gunicorn, ClientIdle, seconds(2), "keepalive", "gunicorn documentation, settings; synchronous workers close after every response"),
    row(Gunicorn, WorkerKill, seconds(30), "timeout", "gunicorn documentation, settings"),
    row(Uvicorn, ClientIdle, seconds(5), "--timeout-keep-alive", "uvicorn documentation, settings"),
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
            assert!(!row.source.is_empty() && !row.setting.is_empty());
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
