//! AWS load balancers, as `aws elbv2 describe-load-balancer-attributes`, `describe-target-group-attributes`,
//! `describe-listener-attributes`, `describe-target-groups`, `describe-listeners` and `aws elb
//! describe-load-balancer-attributes` print them.
//!
//! One idle timer of an Application Load Balancer holds on both sides, and for the wait for an answer. Source: Elastic
//! Load Balancing documentation, "Application Load Balancers: connection idle timeout" and "Troubleshoot".

use std::path::Path;

use why502_parsers::Product;

use super::doc::{Doc, trees};
use super::include::Reading;
use super::text::{LimitMap, seconds};
use super::tree::Tree;
use super::{Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

/// Reads one printed answer.
///
/// # Errors
/// A problem that names the file if it cannot be read or parsed.
pub(super) fn read(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let (doc, trees) = trees(file, shown, reading)?;
    let mut config = ServerConfig::new(Product::AwsAlb, shown);
    let mut limits = LimitMap::new();
    for root in &trees {
        for pair in root.list("Attributes") {
            config.product = attribute(&doc, pair, &mut limits).unwrap_or(config.product);
        }
        if let Some(classic) = root.get("LoadBalancerAttributes") {
            config.product = Product::AwsElb;
            self::classic(&doc, classic, &mut limits);
        }
        for listener in root.list("Listeners") {
            config.listens.push(format!(":{}", listener.text_of("Port")));
        }
        for group in root.list("TargetGroups") {
            config.routes.push(Route {
                group: group.text_of("TargetGroupName").to_owned(),
                tls: group.text_of("Protocol") == "HTTPS",
                pooled: Some(true),
                ..Route::default()
            });
        }
    }
    // A balancer's own attributes come first, as the most general.
    config.routes.insert(
        0,
        Route {
            limits,
            ..Route::default()
        },
    );
    Ok(config)
}

/// Puts one attribute in its place; the product that has attributes of that name.
fn attribute(doc: &Doc, pair: &Tree, limits: &mut LimitMap) -> Option<Product> {
    let (key, value) = (pair.text_of("Key"), pair.get("Value")?);
    let mut put = |kind| doc.put(limits, kind, key, value.line, value.text(), seconds);
    match key {
        "idle_timeout.timeout_seconds" => {
            put(LimitKind::ClientIdle);
            put(LimitKind::UpstreamIdle);
            put(LimitKind::Read);
            Some(Product::AwsAlb)
        }
        "deregistration_delay.timeout_seconds" => {
            put(LimitKind::Drain);
            None
        }
        "tcp.idle_timeout.seconds" => {
            put(LimitKind::ClientIdle);
            put(LimitKind::UpstreamIdle);
            Some(Product::AwsNlb)
        }
        _ => None,
    }
}

fn classic(doc: &Doc, root: &Tree, limits: &mut LimitMap) {
    if let Some(value) = root.at(&["ConnectionSettings", "IdleTimeout"]) {
        for kind in [LimitKind::ClientIdle, LimitKind::UpstreamIdle, LimitKind::Read] {
            doc.put(
                limits,
                kind,
                "ConnectionSettings.IdleTimeout",
                value.line,
                value.text(),
                seconds,
            );
        }
    }
    if let Some(value) = root.at(&["ConnectionDraining", "Timeout"]) {
        doc.put(
            limits,
            LimitKind::Drain,
            "ConnectionDraining.Timeout",
            value.line,
            value.text(),
            seconds,
        );
    }
}
