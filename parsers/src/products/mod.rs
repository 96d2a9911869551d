//! One file per product whose lines need more than a template.

pub mod apache;
pub mod apache_error;
pub mod api_gateway;
pub mod apigee_mp;
pub mod apigee_router;
pub mod app_json;
mod app_json_keys;
pub(crate) mod aws;
pub mod aws_alb;
pub mod aws_elb;
pub mod aws_nlb;
pub mod azure_appgw;
pub mod azure_frontdoor;
pub mod bitbucket;
pub mod caddy;
pub mod clf;
mod clf_tail;
pub mod clf_untimed;
pub mod cloudflare;
pub mod cloudfront;
pub mod dotnet;
pub mod edgemicro;
pub mod envoy;
pub mod fastly;
pub mod forgerock_audit;
pub mod gcp_lb;
pub mod gunicorn_error;
pub mod haproxy;
mod haproxy_json;
pub mod httperr;
pub mod iis;
pub mod iis_fixed;
pub mod java_text;
pub(crate) mod jvm;
pub mod kong;
pub mod lighttpd;
pub mod linux;
pub mod litespeed;
pub mod morgan;
pub mod ncsa;
pub mod nginx;
pub mod nginx_error;
pub mod openig;
pub mod php_fpm;
pub mod process_text;
pub mod ruby;
pub mod squid;
pub mod tomcat;
pub mod traefik;
pub mod trafficserver;
pub mod uvicorn;
pub mod uwsgi;
pub mod varnish;
pub mod varnishlog;
mod windows_event;
pub mod windows_eventlog;
pub mod windows_eventlog_csv;

use crate::entry::Entry;
use crate::format::{Head, Line, LineParser, Score, Sniff};

/// As [`Sniff::by_parsing`], for formats whose records may go on over several lines: continuations
/// count, but at least one line in eight must begin a record, and fewer than half may be unreadable.
pub(crate) fn by_entries(head: &Head<'_>, parser: &mut dyn LineParser, full: Score, reason: &str) -> Sniff {
    let (mut entries, mut parsed, mut looked_at) = (0u32, 0u32, 0u32);
    let mut entry = Entry::default();
    for line in head.lines().take(Head::LINES) {
        looked_at += 1;
        entry.clear();
        match parser.parse(line, &mut entry) {
            Ok(Line::Entry) => {
                entries += 1;
                parsed += 1;
            }
            Ok(_) => parsed += 1,
            Err(_) => {}
        }
    }
    if entries == 0 || entries * 8 < looked_at || parsed * 2 < looked_at {
        return Sniff {
            parsed,
            looked_at,
            ..Sniff::no()
        };
    }
    Sniff {
        score: full,
        parsed,
        looked_at,
        reason: reason.to_owned(),
    }
}
