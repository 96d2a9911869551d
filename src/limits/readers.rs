//! The one list of readers whose files carry a mark of their own, and how each mark is recognised.
//!
//! Files without a sure mark (nginx, HAProxy, Apache, Caddyfile, gunicorn) are recognised by how many of their lines
//! fit, in [`super::discover`].

use std::path::Path;

use why502_parsers::Product;

use super::include::Reading;
use super::{
    ServerConfig, apigee, aws, caddy, dotnet, envoy, iis, istio, java, kong, lighttpd, logs, openig, pools,
    squid, tomcat, traefik, varnish,
};
use crate::model::finding::Problem;

/// What reads a file: its path, its name in reports, and where notes about it go.
pub(super) type Read = fn(&Path, &str, &mut Reading) -> Result<ServerConfig, Problem>;

/// A kind of configuration file.
pub(super) struct Reader {
    /// What it configures, as far as the mark tells.
    pub(super) product: Product,
    /// Whether a file that begins so is one.
    claims: fn(&Head<'_>) -> bool,
    /// Reads it.
    pub(super) read: Read,
}

/// How a file begins.
pub(super) struct Head<'a> {
    /// Its name in lower case, without directories.
    pub(super) name: &'a str,
    /// Its first bytes.
    pub(super) text: &'a str,
    /// Lines of it that are neither empty nor comments.
    pub(super) lines: &'a [&'a str],
}

const fn reader(product: Product, claims: fn(&Head<'_>) -> bool, read: Read) -> Reader {
    Reader {
        product,
        claims,
        read,
    }
}

/// Every reader. The first that claims a file reads it.
pub(super) const READERS: &[Reader] = &[
    reader(
        Product::Caddy,
        |h| h.is_json(&["\"apps\"", "\"http\"", "\"servers\""]),
        caddy::read,
    ),
    reader(Product::Envoy, is_envoy, envoy::read),
    reader(Product::Envoy, is_istio, istio::read),
    reader(Product::Traefik, is_traefik, traefik::read),
    reader(
        Product::Kong,
        |h| h.any(&["_format_version", "\"_format_version\""]),
        kong::read_declared,
    ),
    reader(Product::Kong, is_kong_conf, kong::read_conf),
    reader(Product::OpenIg, is_openig, openig::read),
    reader(Product::AwsAlb, is_aws, aws::read),
    reader(
        Product::Yarp,
        |h| h.is_json(&["\"ReverseProxy\""]) || h.is_json(&["\"Kestrel\""]),
        dotnet::read,
    ),
    reader(Product::ApigeeMp, is_apigee, apigee::read_properties),
    reader(
        Product::ApigeeMp,
        |h| h.is_xml("<TargetEndpoint") || h.is_xml("<ProxyEndpoint"),
        apigee::read_endpoint,
    ),
    reader(
        Product::Tomcat,
        |h| h.is_xml("<Server") && h.is_xml("<Connector"),
        tomcat::read,
    ),
    reader(Product::Iis, is_iis, iis::read),
    reader(
        Product::Jetty,
        |h| h.is_xml("<Configure") && h.is_xml("org.eclipse.jetty"),
        java::read_jetty_xml,
    ),
    reader(
        Product::Undertow,
        |h| h.is_xml("urn:jboss:domain:undertow"),
        java::read_wildfly,
    ),
    reader(
        Product::Jetty,
        |h| h.any(&["jetty.http.", "jetty.requestlog.", "--module=http"]),
        java::read_jetty_ini,
    ),
    reader(Product::Java, is_spring, java::read_spring),
    reader(Product::Varnish, |h| h.any(&["vcl 4."]), varnish::read_vcl),
    reader(
        Product::Varnish,
        |h| super::discover::calls(h.lines, "varnishd"),
        varnish::read_command,
    ),
    reader(
        Product::Varnish,
        |h| super::discover::calls(h.lines, "varnishncsa"),
        logs::read_varnish,
    ),
    reader(
        Product::TrafficServer,
        |h| h.any(&["logging:", "formats:"]) && h.text.contains("%<"),
        logs::read_trafficserver,
    ),
    reader(
        Product::LiteSpeed,
        |h| h.any(&["accesslog "]) && h.text.contains("logFormat"),
        logs::read_litespeed,
    ),
    reader(
        Product::Nginx,
        |h| h.text.contains("log-format-upstream:"),
        logs::read_ingress,
    ),
    reader(Product::Squid, is_squid, squid::read),
    reader(Product::Lighttpd, is_lighttpd, lighttpd::read),
    reader(
        Product::Uwsgi,
        |h| h.lines.contains(&"[uwsgi]"),
        pools::read_uwsgi,
    ),
    reader(Product::PhpFpm, is_fpm, pools::read_fpm),
    reader(Product::Ruby, is_puma, pools::read_puma),
];

/// The reader that claims a file.
pub(super) fn claimant(head: &Head<'_>) -> Option<&'static Reader> {
    READERS.iter().find(|reader| (reader.claims)(head))
}

impl Head<'_> {
    /// Whether a line begins with one of `words`.
    fn any(&self, words: &[&str]) -> bool {
        self.lines
            .iter()
            .any(|line| words.iter().any(|word| line.starts_with(word)))
    }

    /// How many of `words` begin a line.
    fn many(&self, words: &[&str]) -> usize {
        words.iter().filter(|word| self.any(&[**word])).count()
    }

    /// Whether it is a JSON document with all of `marks` in it. Lines that are objects each are a log.
    fn is_json(&self, marks: &[&str]) -> bool {
        let text = self.text.trim_start();
        let first = text.lines().next().unwrap_or_default().trim_end();
        let is_log = first.len() > 1 && first.ends_with('}') && text.lines().nth(1).is_some();
        text.starts_with('{') && !is_log && marks.iter().all(|mark| text.contains(mark))
    }

    fn is_xml(&self, mark: &str) -> bool {
        self.text.trim_start().starts_with('<') && self.text.contains(mark)
    }

    fn ends(&self, ends: &[&str]) -> bool {
        ends.iter().any(|end| self.name.ends_with(end))
    }
}

fn is_envoy(head: &Head<'_>) -> bool {
    head.any(&["static_resources:", "staticResources:"])
        || head.is_json(&["\"static_resources\""])
        || head.is_json(&["\"staticResources\""])
}

fn is_istio(head: &Head<'_>) -> bool {
    let kind = |name: &str| head.text.contains(&format!("kind: {name}")) || head.is_json(&[name]);
    head.text.contains("networking.istio.io") && (kind("VirtualService") || kind("DestinationRule"))
}

fn is_traefik(head: &Head<'_>) -> bool {
    if head.ends(&[".toml"]) {
        return head.any(&["[entryPoints", "[http.", "[serversTransport"]);
    }
    let sections = ["routers:", "services:", "serversTransports:", "middlewares:"];
    let inside = head
        .lines
        .iter()
        .any(|line| line.starts_with(' ') && sections.contains(&line.trim()));
    head.any(&["entryPoints:", "serversTransport:"]) || (head.lines.contains(&"http:") && inside)
}

fn is_kong_conf(head: &Head<'_>) -> bool {
    let keys = [
        "upstream_keepalive_",
        "proxy_listen",
        "admin_listen",
        "KONG_UPSTREAM_KEEPALIVE",
        "KONG_PROXY_LISTEN",
    ];
    head.any(&keys) && !head.any(&["server {", "http {", "upstream "])
}

fn is_openig(head: &Head<'_>) -> bool {
    head.is_json(&["\"ClientHandler\""])
        || head.is_json(&["\"ReverseProxyHandler\""])
        || head.is_json(&["\"handler\"", "\"baseURI\""])
        || head.is_json(&["\"handler\"", "\"condition\""])
        || (head.name == "admin.json" && head.is_json(&["\"connectors\""]))
}

fn is_aws(head: &Head<'_>) -> bool {
    let keys = [
        "idle_timeout.timeout_seconds",
        "deregistration_delay.timeout_seconds",
        "tcp.idle_timeout.seconds",
    ];
    keys.iter().any(|key| head.is_json(&["\"Attributes\"", key]))
        || head.is_json(&["\"LoadBalancerAttributes\""])
        || head.is_json(&["\"TargetGroups\"", "\"TargetGroupArn\""])
        || head.is_json(&["\"Listeners\"", "\"ListenerArn\""])
}

fn is_apigee(head: &Head<'_>) -> bool {
    let keys = [
        "HTTPTransport.io.timeout.",
        "HTTPClient.",
        "load.balancing.driver.",
    ];
    let is_setting = |line: &&str| {
        line.split_once('=')
            .is_some_and(|(name, _)| keys.iter().any(|k| name.contains(k)))
    };
    head.ends(&[".properties"]) && head.lines.iter().any(is_setting)
}

fn is_iis(head: &Head<'_>) -> bool {
    let sections = [
        "system.applicationHost",
        "system.webServer",
        "<webFarms",
        "<aspNetCore",
    ];
    head.is_xml("<configuration") && sections.iter().any(|section| head.is_xml(section))
}

fn is_spring(head: &Head<'_>) -> bool {
    let named = head.name.starts_with("application") || head.name.starts_with("bootstrap");
    named
        && head.ends(&[".properties", ".yml", ".yaml"])
        && head.any(&["server.", "spring.", "server:", "spring:"])
}

fn is_squid(head: &Head<'_>) -> bool {
    let words = [
        "http_port ",
        "http_access ",
        "cache_peer ",
        "refresh_pattern ",
        "acl ",
        "cache_dir ",
        "visible_hostname ",
    ];
    let least = if head.name.contains("squid") { 1 } else { 2 };
    head.many(&words) >= least && !head.any(&["frontend ", "backend "])
}

fn is_lighttpd(head: &Head<'_>) -> bool {
    let words = [
        "server.port",
        "server.modules",
        "server.document-root",
        "server.bind",
        "server.errorlog",
        "proxy.server",
    ];
    let least = if head.name.contains("lighttpd") { 1 } else { 2 };
    head.many(&words) >= least
}

fn is_fpm(head: &Head<'_>) -> bool {
    head.any(&["pm = ", "pm="]) || head.any(&["pm.max_children"])
}

fn is_puma(head: &Head<'_>) -> bool {
    let words = [
        "workers ",
        "threads ",
        "port ",
        "bind ",
        "persistent_timeout ",
        "worker_timeout ",
    ];
    head.ends(&[".rb"]) && head.many(&words) >= if head.name.contains("puma") { 1 } else { 3 }
}
