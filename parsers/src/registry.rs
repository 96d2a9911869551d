//! The list of built-in formats. A new format is one line here.

use crate::define::definition;
use crate::format::Format;
use crate::products::{
    apache, apache_error, api_gateway, apigee_mp, apigee_router, app_json, aws_alb, aws_elb, aws_nlb,
    azure_appgw, azure_frontdoor, bitbucket, caddy, clf, clf_untimed, cloudflare, cloudfront, dotnet,
    edgemicro, envoy, fastly, forgerock_audit, gcp_lb, gunicorn_error, haproxy, httperr, iis, iis_fixed,
    java_text, kong, lighttpd, linux, litespeed, morgan, ncsa, nginx, nginx_error, openig, php_fpm,
    process_text, ruby, squid, tomcat, traefik, trafficserver, uvicorn, uwsgi, varnish, varnishlog,
    windows_eventlog, windows_eventlog_csv,
};

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    static ALL: &[&dyn Format] = &[
        &caddy::Caddy,
        &aws_alb::AwsAlb,
        &aws_nlb::AwsNlb,
        &cloudfront::CloudFront,
        &gcp_lb::GcpLb,
        &azure_appgw::AzureAppGateway,
        &azure_frontdoor::AzureFrontDoor,
        &cloudflare::Cloudflare,
        &fastly::Fastly,
        &bitbucket::Bitbucket,
        &api_gateway::ApiGateway,
        definition!("api-gateway-csv.toml"),
        definition!("api-gateway-xml.toml"),
        &aws_elb::AwsElb,
        &edgemicro::EdgeMicro,
        &openig::OpenIg,
        &forgerock_audit::ForgeRockAudit::GATEWAY,
        &forgerock_audit::ForgeRockAudit::PLATFORM,
        &apigee_mp::ApigeeMp,
        &apigee_router::ApigeeRouter,
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
        &windows_eventlog::WindowsEventLog,
        &windows_eventlog_csv::WindowsEventLogCsv,
        &iis::Iis,
        &iis_fixed::IisFixed,
        &gunicorn_error::GunicornError,
        &uwsgi::Uwsgi,
        definition!("php-fpm-access.toml"),
        &php_fpm::PhpFpm,
        &ruby::RubyWorkers,
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
        &morgan::Morgan,
        &java_text::Catalina,
        &java_text::JavaText,
        &nginx::Nginx,
        &apache::Apache,
        &tomcat::Tomcat,
        &ncsa::Ncsa::JETTY,
        &ncsa::Ncsa::UNDERTOW,
        &ncsa::Ncsa::IIS,
        &ncsa::Ncsa::MORGAN,
        &clf::Gunicorn,
        &clf::Clf,
        &clf_untimed::ClfUntimed,
        &linux::Linux,
        &linux::Messages,
    ];
    ALL
}

/// The built-in format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    builtin().iter().copied().find(|format| format.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Product;

    #[test]
    fn every_product_can_be_named_in_a_definition() {
        for format in builtin() {
            let product = format.product();
            assert_eq!(
                Product::by_name(product.name()),
                Some(product),
                "{}",
                format.name()
            );
        }
    }
}
