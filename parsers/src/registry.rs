//! The list of built-in formats. A new format is one line here.

use crate::format::Format;
use crate::products::{
    apache, apache_error, app_json, caddy, clf, dotnet, edgemicro, envoy, gunicorn_error, haproxy, httperr,
    iis, kong, lighttpd, litespeed, nginx, nginx_error, process_text, squid, traefik, trafficserver, uvicorn,
    varnish, varnishlog,
};

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    &[
        &caddy::Caddy,
        &edgemicro::EdgeMicro,
        &envoy::Envoy,
        &traefik::Traefik,
        &varnishlog::Varnishlog,
        &varnish::Varnish,
        &squid::Squid,
        &kong::Kong,
        &dotnet::DotNet::YARP,
        &dotnet::DotNet::DOTNET,
        &litespeed::LiteSpeed,
        &lighttpd::Lighttpd,
        &trafficserver::TrafficServer,
        &httperr::HttpErr,
        &iis::Iis,
        &gunicorn_error::GunicornError,
        &process_text::ProcessText,
        &app_json::AppJson::NGINX,
        &app_json::AppJson::IIS,
        &app_json::AppJson::NODE,
        &app_json::AppJson::JAVA,
        &app_json::AppJson::APPLICATION,
        &nginx_error::NginxError,
        &apache_error::ApacheError,
        &haproxy::Haproxy,
        &uvicorn::Uvicorn,
        &nginx::Nginx,
        &apache::Apache,
        &clf::Gunicorn,
        &clf::Clf,
    ]
}

/// The built-in format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    builtin().iter().copied().find(|format| format.name() == name)
}
