//! Variables of a pasted format string that the server which is to write it does not know.
//!
//! They do no harm: their values are read over. But a misspelt `$upstream_adr` would quietly cost the field,
//! so it is said. Sources: nginx's alphabetical index of variables, httpd's `mod_log_config`, HAProxy's
//! "Custom log format", Tomcat's "Access Log Valve", lighttpd's `mod_accesslog`, varnishncsa(1), gunicorn's settings.

use crate::engine::{
    caddy_encoder, paste_caddy, paste_envoy, paste_jetty, paste_php_fpm, paste_squid, paste_trafficserver,
    paste_undertow, paste_uwsgi,
};
use crate::fields::closest;
use crate::paste::{Dialect, w3c};

/// What is to be said of `text`, one sentence for each variable that `dialect` does not know.
pub fn unknown(dialect: Dialect, text: &str) -> Vec<String> {
    let (names, known, (open, close)): (Vec<String>, &[&str], (&str, &str)) = match dialect {
        Dialect::Nginx => (nginx(text), NGINX, ("$", "")),
        Dialect::Apache | Dialect::LiteSpeed => (apache(text), APACHE, ("%", "")),
        Dialect::Lighttpd => (apache(text), LIGHTTPD, ("%", "")),
        Dialect::Haproxy => (haproxy(text), HAPROXY, ("%", "")),
        Dialect::Envoy => (paste_envoy::variables(text), paste_envoy::KNOWN, ("%", "%")),
        Dialect::Caddy => (caddy(text), paste_caddy::KNOWN, ("{", "}")),
        Dialect::Tomcat | Dialect::Tomcat9 => (apache(text), TOMCAT, ("%", "")),
        Dialect::Varnish => (varnish(text), VARNISH, ("%", "")),
        Dialect::Squid => (paste_squid::variables(text), paste_squid::KNOWN, ("%", "")),
        Dialect::Gunicorn => (gunicorn(text), GUNICORN, ("%(", ")s")),
        Dialect::TrafficServer => (
            paste_trafficserver::variables(text),
            paste_trafficserver::KNOWN,
            ("%<", ">"),
        ),
        Dialect::Uwsgi => (paste_uwsgi::variables(text), paste_uwsgi::KNOWN, ("%(", ")")),
        Dialect::PhpFpm => (apache(text), paste_php_fpm::KNOWN, ("%", "")),
        Dialect::Jetty => (paste_jetty::variables(text), paste_jetty::KNOWN, ("%", "")),
        Dialect::Undertow => (
            paste_undertow::variables(text),
            paste_undertow::KNOWN,
            ("%{", "}"),
        ),
        Dialect::W3c => return w3c::unknown(text),
    };
    let mut seen: Vec<&str> = Vec::new();
    let mut notes = Vec::new();
    for name in &names {
        if known.contains(&name.as_str()) || seen.contains(&name.as_str()) || is_id(name) {
            continue;
        }
        seen.push(name);
        let near = match closest(
            name,
            known
                .iter()
                .copied()
                .filter(|known| known.len().min(name.len()) > 2),
        ) {
            Some(near) => format!("did you mean {open}{near}{close}? As it is, "),
            None => String::new(),
        };
        notes.push(format!(
            "{} has no variable {open}{name}{close} of its own: {near}its value is read over",
            dialect.name()
        ));
    }
    notes
}

/// Whether a variable of the configuration's own is kept, because its name says that it holds an id.
fn is_id(name: &str) -> bool {
    crate::engine::id::header(name.as_bytes()) != crate::engine::id::Header::Other
}

/// The keys of a template; the encoders that write JSON have no variables.
fn caddy(text: &str) -> Vec<String> {
    match caddy_encoder::read(text) {
        Ok(encoder) => match encoder.layout {
            caddy_encoder::Layout::Template(template) => paste_caddy::variables(&template),
            _ => Vec::new(),
        },
        Err(_) => Vec::new(),
    }
}

/// The letters, and what stands before the colon in `%{…}x`.
fn varnish(text: &str) -> Vec<String> {
    let kind = |rest: &str| {
        let (parameter, after) = rest.split_once('}')?;
        after
            .starts_with('x')
            .then(|| parameter.split(':').next().unwrap_or_default().to_owned())
    };
    let mut names = apache(text);
    names.extend(text.split("%{").skip(1).filter_map(kind));
    names
}

const VARNISH: &[&str] = &[
    "b", "D", "H", "h", "I", "i", "l", "m", "o", "O", "q", "r", "s", "t", "T", "U", "u", "x", "Varnish",
    "VCL_Log", "VSL",
];

const LIGHTTPD: &[&str] = &[
    "a", "A", "b", "B", "C", "D", "e", "f", "h", "H", "i", "I", "k", "l", "m", "n", "o", "O", "p", "P", "q",
    "r", "s", "t", "T", "u", "U", "v", "V", "X", "x",
];

const TOMCAT: &[&str] = &[
    "a", "A", "b", "B", "D", "F", "h", "H", "I", "i", "l", "m", "o", "p", "q", "r", "s", "S", "t", "T", "u",
    "U", "v", "X", "c",
];

/// The names in `%(…)`, those of headers and of the environment left out.
fn gunicorn(text: &str) -> Vec<String> {
    text.split("%(")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.starts_with('{'))
        .collect()
}

const GUNICORN: &[&str] = &[
    "h", "l", "u", "t", "r", "m", "U", "q", "H", "s", "B", "b", "f", "a", "T", "M", "D", "L", "p",
];

/// Prefixes of nginx's variables whose rest is a name of the user's.
const NGINX_FAMILIES: [&str; 13] = [
    "http_",
    "sent_http_",
    "sent_trailer_",
    "upstream_http_",
    "upstream_trailer_",
    "upstream_cookie_",
    "cookie_",
    "arg_",
    "jwt_",
    "date_",
    "geoip_",
    "geoip2_",
    "ssl_",
];

fn nginx(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices('$') {
        let rest = text[at + 1..].trim_start_matches('{');
        let len = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        let name = &rest[..len];
        let header_id = crate::engine::id::header(name.as_bytes()) != crate::engine::id::Header::Other;
        let in_family = NGINX_FAMILIES.iter().any(|family| name.starts_with(family));
        let is_capture = name.bytes().all(|b| b.is_ascii_digit());
        if len > 0 && !in_family && !is_capture && !header_id {
            names.push(name.to_owned());
        }
    }
    names
}

const NGINX: &[&str] = &[
    "args",
    "binary_remote_addr",
    "body_bytes_sent",
    "bytes_received",
    "bytes_sent",
    "connection",
    "connection_requests",
    "connection_time",
    "connections_active",
    "connections_reading",
    "connections_waiting",
    "connections_writing",
    "content_length",
    "content_type",
    "document_root",
    "document_uri",
    "fastcgi_path_info",
    "fastcgi_script_name",
    "gzip_ratio",
    "host",
    "hostname",
    "http2",
    "http3",
    "https",
    "invalid_referer",
    "is_args",
    "limit_conn_status",
    "limit_rate",
    "limit_req_status",
    "memcached_key",
    "modern_browser",
    "msec",
    "nginx_version",
    "pid",
    "pipe",
    "protocol",
    "proxy_add_x_forwarded_for",
    "proxy_host",
    "proxy_port",
    "proxy_protocol_addr",
    "proxy_protocol_port",
    "proxy_protocol_server_addr",
    "proxy_protocol_server_port",
    "query_string",
    "quic",
    "realip_remote_addr",
    "realip_remote_port",
    "realpath_root",
    "remote_addr",
    "remote_port",
    "remote_user",
    "request",
    "request_body",
    "request_body_file",
    "request_completion",
    "request_filename",
    "request_id",
    "request_length",
    "request_method",
    "request_port",
    "request_time",
    "request_uri",
    "scheme",
    "secure_link",
    "secure_link_expires",
    "server_addr",
    "server_name",
    "server_port",
    "server_protocol",
    "session_time",
    "slice_range",
    "spdy",
    "status",
    "tcpinfo_rtt",
    "tcpinfo_rttvar",
    "tcpinfo_snd_cwnd",
    "tcpinfo_rcv_space",
    "time_iso8601",
    "time_local",
    "uid_got",
    "uid_reset",
    "uid_set",
    "upstream_addr",
    "upstream_bytes_received",
    "upstream_bytes_sent",
    "upstream_cache_last_modified",
    "upstream_cache_status",
    "upstream_connect_time",
    "upstream_first_byte_time",
    "upstream_header_time",
    "upstream_last_addr",
    "upstream_last_server_name",
    "upstream_queue_time",
    "upstream_response_length",
    "upstream_response_time",
    "upstream_session_time",
    "upstream_status",
    "uri",
    // Set by ingress-nginx and Kong.
    "proxy_upstream_name",
    "proxy_alternative_upstream_name",
    "req_id",
    "kong_request_id",
    "namespace",
    "ingress_name",
    "service_name",
    "service_port",
    "the_real_ip",
];

/// The letters after `%`, modifiers and parameters taken off.
fn apache(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        rest = &rest[percent + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            rest = after;
            continue;
        }
        let modifier = |c: char| matches!(c, '!' | '<' | '>' | ',') || c.is_ascii_digit();
        rest = rest.trim_start_matches(modifier);
        if rest.starts_with('{') {
            rest = rest
                .find('}')
                .map_or("", |end| &rest[end + 1..])
                .trim_start_matches(modifier);
        }
        let len = if rest.starts_with('^') { 3 } else { 1 };
        if let Some(name) = rest.get(..len) {
            names.push(name.to_owned());
        }
    }
    names
}

const APACHE: &[&str] = &[
    "a", "A", "b", "B", "C", "D", "e", "f", "h", "H", "i", "k", "l", "L", "m", "n", "o", "p", "P", "q", "r",
    "R", "s", "t", "T", "u", "U", "v", "V", "X", "c", "x", "I", "O", "S", "^ti", "^to", "^FB", "^FU",
];

/// The aliases after `%`, flags and names taken off.
fn haproxy(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(percent) = rest.find('%') {
        rest = &rest[percent + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            rest = after;
            continue;
        }
        for (open, close) in [('{', '}'), ('(', ')'), ('{', '}')] {
            if rest.starts_with(open) {
                rest = rest.find(close).map_or("", |end| &rest[end + 1..]);
            }
        }
        let len = rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        if len > 0 {
            names.push(rest[..len].to_owned());
        }
    }
    names
}

const HAPROXY: &[&str] = &[
    "o", "B", "CC", "CS", "H", "HM", "HP", "HPO", "HQ", "HU", "HV", "HUPATH", "ID", "OG", "ST", "T", "Ta",
    "Tc", "Td", "Th", "Ti", "Tl", "Tq", "Tr", "TR", "Ts", "Tt", "Tu", "Tw", "U", "ac", "b", "bc", "bi", "bp",
    "bq", "ci", "cp", "f", "fc", "fi", "fp", "ft", "hr", "hrl", "hs", "hsl", "lc", "ms", "pid", "r", "rc",
    "rt", "s", "sc", "si", "sp", "sq", "sslc", "sslv", "t", "tr", "trg", "trl", "ts", "tsc", "E",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_variable_is_named_with_what_it_was_meant_to_be() {
        let notes = unknown(
            Dialect::Nginx,
            "$remote_addr [$time_local] ${upstream_adr} $upstream_adr $trace $http_x",
        );
        assert_eq!(
            notes,
            [
                "nginx has no variable $upstream_adr of its own: did you mean $upstream_addr? As it is, its value is read over",
                "nginx has no variable $trace of its own: its value is read over"
            ]
        );
        assert_eq!(
            unknown(Dialect::Apache, r#"%h %>s %{X}i %200{ms}T %Q %% %^ti"#).len(),
            1
        );
        assert_eq!(
            unknown(Dialect::Haproxy, "%ci:%cp %{+Q}r %[src] %(x)ST %zz").len(),
            1
        );
    }

    #[test]
    fn the_formats_that_servers_ship_have_only_variables_they_know() {
        use crate::engine::{paste_apache, paste_haproxy, paste_nginx};
        assert_eq!(
            unknown(Dialect::Nginx, paste_nginx::COMBINED),
            Vec::<String>::new()
        );
        for (_, text) in paste_apache::NAMED {
            assert_eq!(unknown(Dialect::Apache, text), Vec::<String>::new());
        }
        assert_eq!(
            unknown(Dialect::Haproxy, paste_haproxy::HTTPLOG),
            Vec::<String>::new()
        );
    }
}
