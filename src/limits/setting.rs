//! How a limit is written in a product's own configuration, for the fixes that reports propose.

use why502_parsers::Product;

use crate::model::LimitKind;

/// How a product writes a time.
#[derive(Debug, Clone, Copy)]
enum Unit {
    /// `75s`, or `1500ms` where it is no whole second.
    Suffix,
    /// `75`: whole seconds only, rounded up.
    Seconds,
    /// `76000 (76 s)`: milliseconds, with the seconds for the reader.
    Milliseconds,
    /// `00:02:00`.
    Clock,
    /// `30 seconds`.
    Words,
}

/// The setting of `product` that controls `kind`, and `value_us` written as that setting takes it
/// (`("keepalive_timeout in the upstream block", "4s")`). `None` if the product has no such setting.
pub fn setting(product: Product, kind: LimitKind, value_us: u64) -> Option<(&'static str, String)> {
    let (name, unit) = name(product, kind)?;
    Some((name, unit.write(value_us)))
}

fn name(product: Product, kind: LimitKind) -> Option<(&'static str, Unit)> {
    use LimitKind::{
        ClientIdle, Connect, Drain, Queue, Read, Send, TlsHandshake, Total, UpstreamIdle, WorkerKill,
    };
    Some(match (product, kind) {
        (Product::Nginx, Connect | TlsHandshake) => ("proxy_connect_timeout", Unit::Suffix),
        (Product::Nginx, Read) => ("proxy_read_timeout", Unit::Suffix),
        (Product::Nginx, Send) => ("proxy_send_timeout", Unit::Suffix),
        (Product::Nginx, Total) => ("proxy_next_upstream_timeout", Unit::Suffix),
        (Product::Nginx, UpstreamIdle) => ("keepalive_timeout in the upstream block", Unit::Suffix),
        (Product::Nginx, ClientIdle) => ("keepalive_timeout", Unit::Suffix),
        (Product::Haproxy, Connect | TlsHandshake) => ("timeout connect", Unit::Suffix),
        (Product::Haproxy, Read | Send) => ("timeout server", Unit::Suffix),
        (Product::Haproxy, Queue) => ("timeout queue", Unit::Suffix),
        (Product::Haproxy, ClientIdle) => ("timeout http-keep-alive", Unit::Suffix),
        (Product::Haproxy, UpstreamIdle) => ("pool-purge-delay", Unit::Suffix),
        (Product::Apache, Connect) => ("connectiontimeout= of ProxyPass", Unit::Seconds),
        (Product::Apache, Read | Send | TlsHandshake) => ("ProxyTimeout", Unit::Seconds),
        (Product::Apache, UpstreamIdle) => ("ttl= of ProxyPass", Unit::Seconds),
        (Product::Apache, ClientIdle) => ("KeepAliveTimeout", Unit::Seconds),
        (Product::Apache, Queue) => ("acquire= of ProxyPass", Unit::Milliseconds),
        (Product::Caddy, Connect) => ("dial_timeout", Unit::Suffix),
        (Product::Caddy, TlsHandshake) => ("tls_timeout", Unit::Suffix),
        (Product::Caddy, Read) => ("response_header_timeout", Unit::Suffix),
        (Product::Caddy, Send) => ("write_timeout", Unit::Suffix),
        (Product::Caddy, UpstreamIdle) => ("keepalive", Unit::Suffix),
        (Product::Caddy, ClientIdle) => ("timeouts idle", Unit::Suffix),
        (Product::Envoy, Connect | TlsHandshake) => ("connect_timeout of the cluster", Unit::Suffix),
        (Product::Envoy, Read) => ("per_try_timeout", Unit::Suffix),
        (Product::Envoy, Total) => ("timeout of the route", Unit::Suffix),
        (Product::Envoy, UpstreamIdle) => (
            "common_http_protocol_options.idle_timeout of the cluster",
            Unit::Suffix,
        ),
        (Product::Envoy, ClientIdle) => (
            "common_http_protocol_options.idle_timeout of the listener",
            Unit::Suffix,
        ),
        (Product::Traefik, Connect) => ("forwardingTimeouts.dialTimeout", Unit::Suffix),
        (Product::Traefik, Read) => ("forwardingTimeouts.responseHeaderTimeout", Unit::Suffix),
        (Product::Traefik, UpstreamIdle) => ("forwardingTimeouts.idleConnTimeout", Unit::Suffix),
        (Product::Traefik, ClientIdle) => ("respondingTimeouts.idleTimeout", Unit::Suffix),
        (Product::Kong, Connect | TlsHandshake) => ("connect_timeout of the service", Unit::Milliseconds),
        (Product::Kong, Read) => ("read_timeout of the service", Unit::Milliseconds),
        (Product::Kong, Send) => ("write_timeout of the service", Unit::Milliseconds),
        (Product::Kong, UpstreamIdle) => ("upstream_keepalive_idle_timeout", Unit::Seconds),
        (Product::Kong, ClientIdle) => ("nginx_proxy_keepalive_timeout", Unit::Suffix),
        (Product::Varnish, Connect) => ("connect_timeout", Unit::Suffix),
        (Product::Varnish, Read) => ("first_byte_timeout", Unit::Suffix),
        (Product::Varnish, UpstreamIdle) => ("-p backend_idle_timeout", Unit::Seconds),
        (Product::Varnish, ClientIdle) => ("-p timeout_idle", Unit::Seconds),
        (Product::Squid, Connect) => ("connect_timeout", Unit::Words),
        (Product::Squid, Read) => ("read_timeout", Unit::Words),
        (Product::Squid, Send) => ("write_timeout", Unit::Words),
        (Product::Squid, UpstreamIdle) => ("server_idle_pconn_timeout", Unit::Words),
        (Product::Squid, ClientIdle) => ("client_idle_pconn_timeout", Unit::Words),
        (Product::Lighttpd, Connect) => ("connect-timeout of proxy.server", Unit::Seconds),
        (Product::Lighttpd, Read) => ("read-timeout of proxy.server", Unit::Seconds),
        (Product::Lighttpd, ClientIdle) => ("server.max-keep-alive-idle", Unit::Seconds),
        (Product::TrafficServer, Connect) => ("proxy.config.http.connect_attempts_timeout", Unit::Seconds),
        (Product::TrafficServer, Read) => (
            "proxy.config.http.transaction_no_activity_timeout_out",
            Unit::Seconds,
        ),
        (Product::TrafficServer, UpstreamIdle) => (
            "proxy.config.http.keep_alive_no_activity_timeout_out",
            Unit::Seconds,
        ),
        (Product::TrafficServer, ClientIdle) => (
            "proxy.config.http.keep_alive_no_activity_timeout_in",
            Unit::Seconds,
        ),
        (Product::Yarp, Read) => ("HttpRequest.ActivityTimeout of the cluster", Unit::Clock),
        (Product::Yarp, Total) => ("Timeout of the route", Unit::Clock),
        (Product::Yarp | Product::DotNet, ClientIdle) => ("Kestrel.Limits.KeepAliveTimeout", Unit::Clock),
        (Product::AwsAlb, Read | UpstreamIdle | ClientIdle) => {
            ("idle_timeout.timeout_seconds", Unit::Seconds)
        }
        (Product::AwsAlb, Drain) => ("deregistration_delay.timeout_seconds", Unit::Seconds),
        (Product::AwsElb, Read | UpstreamIdle | ClientIdle) => {
            ("ConnectionSettings.IdleTimeout", Unit::Seconds)
        }
        (Product::GcpLb, Read | Total) => ("timeoutSec of the backend service", Unit::Seconds),
        (Product::AzureAppGateway, Read | Total) => ("requestTimeout of the backend setting", Unit::Seconds),
        (Product::OpenIg, Connect) => ("connectionTimeout of the ClientHandler", Unit::Words),
        (Product::OpenIg, Read | TlsHandshake) => ("soTimeout of the ClientHandler", Unit::Words),
        (Product::ApigeeMp, Read | TlsHandshake) => ("io.timeout.millis", Unit::Milliseconds),
        (Product::ApigeeMp, Connect) => ("connect.timeout.millis", Unit::Milliseconds),
        (Product::ApigeeMp, UpstreamIdle) => ("keepalive.timeout.millis", Unit::Milliseconds),
        (Product::ApigeeRouter, Read) => ("load.balancing.driver.proxy.read.timeout", Unit::Seconds),
        (Product::Tomcat, ClientIdle) => ("keepAliveTimeout", Unit::Milliseconds),
        (Product::Jetty, ClientIdle) => ("jetty.http.idleTimeout", Unit::Milliseconds),
        (Product::Undertow, ClientIdle) => ("no-request-timeout", Unit::Milliseconds),
        (Product::Ruby, ClientIdle) => ("persistent_timeout", Unit::Seconds),
        (Product::Ruby, WorkerKill) => ("worker_timeout", Unit::Seconds),
        (Product::Uwsgi, ClientIdle) => ("http-keepalive", Unit::Seconds),
        (Product::Uwsgi, WorkerKill) => ("harakiri", Unit::Seconds),
        (Product::PhpFpm, WorkerKill) => ("request_terminate_timeout", Unit::Suffix),
        (Product::Gunicorn, Drain) => ("graceful_timeout", Unit::Seconds),
        (Product::Iis, WorkerKill) => ("executionTimeout", Unit::Seconds),
        (Product::Iis, Drain) => ("shutdownTimeLimit", Unit::Clock),
        (Product::Iis, Read) => ("timeout of the server farm's proxy", Unit::Clock),
        (Product::Iis | Product::HttpSys, ClientIdle) => ("connectionTimeout", Unit::Clock),
        (Product::EdgeMicro, ClientIdle) => ("edgemicro.keep_alive_timeout", Unit::Milliseconds),
        (Product::EdgeMicro, Read | Connect | TlsHandshake | Total) => {
            ("edgemicro.request_timeout", Unit::Seconds)
        }
        (Product::Node, ClientIdle) => ("server.keepAliveTimeout", Unit::Milliseconds),
        (Product::Node, Total) => ("server.requestTimeout", Unit::Milliseconds),
        (Product::Gunicorn, ClientIdle) => ("keepalive", Unit::Seconds),
        (Product::Gunicorn, WorkerKill) => ("timeout", Unit::Seconds),
        (Product::Uvicorn, ClientIdle) => ("--timeout-keep-alive", Unit::Seconds),
        _ => return None,
    })
}

impl Unit {
    fn write(self, value_us: u64) -> String {
        let ms = value_us.div_ceil(1_000);
        match self {
            Self::Suffix if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
            Self::Suffix => format!("{ms}ms"),
            Self::Seconds => ms.div_ceil(1_000).to_string(),
            Self::Milliseconds if ms.is_multiple_of(1_000) => format!("{ms} ({} s)", ms / 1_000),
            Self::Milliseconds => format!("{ms} ({ms} ms)"),
            Self::Words => format!("{} seconds", ms.div_ceil(1_000)),
            Self::Clock => {
                let s = ms.div_ceil(1_000);
                format!("{:02}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::defaults;

    #[test]
    fn every_limit_that_has_a_default_and_can_be_set_has_a_setting() {
        for row in defaults::TABLE {
            let fixed = row.setting.is_empty();
            // A second worker timer that only says that there is none, and timers that stand for another.
            let other = matches!(row.kind, LimitKind::WorkerKill) && row.value_us.is_none();
            let known = setting(row.product, row.kind, 5_000_000).is_some();
            assert!(known || fixed || other, "{:?} {:?}", row.product, row.kind);
        }
    }

    #[test]
    fn each_product_gets_its_own_spelling() {
        let of =
            |product, kind, us| setting(product, kind, us).map(|(name, value)| format!("{name} {value}"));
        let want = |text: &str| Some(text.to_owned());
        assert_eq!(
            of(Product::Nginx, LimitKind::Read, 75_000_000),
            want("proxy_read_timeout 75s")
        );
        assert_eq!(
            of(Product::Nginx, LimitKind::UpstreamIdle, 4_500_000),
            want("keepalive_timeout in the upstream block 4500ms")
        );
        assert_eq!(
            of(Product::Haproxy, LimitKind::Read, 75_000_000),
            want("timeout server 75s")
        );
        assert_eq!(
            of(Product::Apache, LimitKind::Read, 74_200_000),
            want("ProxyTimeout 75")
        );
        assert_eq!(
            of(Product::Caddy, LimitKind::Read, 75_000_000),
            want("response_header_timeout 75s")
        );
        assert_eq!(
            of(Product::Node, LimitKind::ClientIdle, 76_000_000),
            want("server.keepAliveTimeout 76000 (76 s)")
        );
        assert_eq!(
            of(Product::Gunicorn, LimitKind::ClientIdle, 65_000_000),
            want("keepalive 65")
        );
        assert_eq!(
            of(Product::Iis, LimitKind::ClientIdle, 130_000_000),
            want("connectionTimeout 00:02:10")
        );
        assert_eq!(
            of(Product::OpenIg, LimitKind::Read, 30_000_000),
            want("soTimeout of the ClientHandler 30 seconds")
        );
        assert_eq!(
            of(Product::Envoy, LimitKind::Total, 20_000_000),
            want("timeout of the route 20s")
        );
        assert_eq!(of(Product::Application, LimitKind::Read, 1), None);
    }
}
