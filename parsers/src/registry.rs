//! The list of built-in formats. A new format is one line here.

use crate::format::Format;
use crate::products::{
    apache, apache_error, api_gateway, app_json, aws_alb, aws_elb, aws_nlb, azure_appgw, azure_frontdoor,
    bitbucket, caddy, clf, cloudflare, cloudfront, edgemicro, fastly, gcp_lb, gunicorn_error, haproxy,
    httperr, iis, nginx, nginx_error, process_text, uvicorn,
};

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    &[
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
        &aws_elb::AwsElb,
        &edgemicro::EdgeMicro,
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
