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
}

/// The setting of `product` that controls `kind`, and `value_us` written as that setting takes it
/// (`("keepalive_timeout in the upstream block", "4s")`). `None` if the product has no such setting.
pub fn setting(product: Product, kind: LimitKind, value_us: u64) -> Option<(&'static str, String)> {
    let (name, unit) = name(product, kind)?;
    Some((name, unit.write(value_us)))
}

fn name(product: Product, kind: LimitKind) -> Option<(&'static str, Unit)> {
    use LimitKind::{ClientIdle, Connect, Queue, Read, Send, TlsHandshake, Total, UpstreamIdle, WorkerKill};
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
        assert_eq!(of(Product::Application, LimitKind::Read, 1), None);
    }
}
