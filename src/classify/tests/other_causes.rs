use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, InvalidResponse, Unexplained, Upstream502};
use crate::model::{Certainty, Subtype};

fn quick(product: Product) -> crate::model::Record {
    record(EDGE, product)
        .status(502)
        .ended(T0, 25 * MS)
        .tried(ADDR, 502, Some(0), None, 25_000)
}

#[test]
fn too_big_a_header_is_proven_by_the_error_line() {
    let error = error_line(EDGE, Phase::Header, Fault::HeaderTooBig);
    let scene = Scene::new().trace(vec![first(quick(Product::Nginx), vec![error])]);
    assert_eq!(
        scene.verdict(),
        (InvalidResponse, Subtype::HeaderTooBig, Certainty::Proven)
    );
    assert_eq!(
        scene.finding().fix.unwrap().changes[0].setting,
        "proxy_buffer_size"
    );
}

#[test]
fn a_malformed_header_of_caddys_may_be_one_that_broke_off() {
    let line = |text: &str| {
        quick(Product::Caddy)
            .says(Phase::Header, Fault::MalformedHeader)
            .with(|r| r.error = text.into())
    };
    let scene = |text| Scene::alone(Product::Caddy).trace(vec![first(line(text), vec![])]);
    let finding = scene("malformed MIME header: missing colon").finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (InvalidResponse, Certainty::Likely)
    );
    assert!(rivals(&finding, Subtype::PrematureClose));
    let finding = scene("malformed MIME header: unexpected EOF").finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (DroppedConnection, Subtype::PrematureClose)
    );
}

#[test]
fn without_the_error_line_an_invalid_answer_is_a_close_at_most() {
    let finding = Scene::new()
        .trace(vec![first(quick(Product::Nginx), vec![])])
        .finding();
    assert_eq!(finding.cause, DroppedConnection);
    assert_ne!(finding.certainty, Certainty::Proven);
    let bytes = quick(Product::Nginx).with(|r| r.attempts[0].bytes_received = Some(4096));
    let finding = Scene::new().trace(vec![first(bytes, vec![])]).finding();
    assert!(rivals(&finding, Subtype::MalformedHeader));
}

#[test]
fn a_502_that_haproxy_passed_on_through_nginx_is_the_apps() {
    let edge = record(EDGE, Product::Haproxy)
        .status(502)
        .with(|r| r.header_us = Some(8_000));
    let scene = Scene::of(Product::Haproxy, Product::Node)
        .trace(vec![first(edge, vec![]), behind(0, served(502, T0, 7 * MS))]);
    assert_eq!(
        scene.verdict(),
        (Upstream502, Subtype::PassedThrough, Certainty::Proven)
    );
    assert_eq!(scene.finding().issuer.hop, "app");
}

#[test]
fn a_proxy_that_logs_its_failures_and_logged_none_passed_the_502_on() {
    let other = vec![first(
        quick(Product::Apache),
        vec![error_line(EDGE, Phase::Header, Fault::Reset)],
    )];
    let plain = record(EDGE, Product::Apache).status(502);
    let scene = Scene::alone(Product::Apache)
        .trace(vec![first(plain.clone(), vec![])])
        .trace(other);
    assert_eq!(
        scene.verdict(),
        (Upstream502, Subtype::PassedThrough, Certainty::Likely)
    );
    let blind = Scene::alone(Product::Apache).trace(vec![first(plain, vec![])]);
    assert_eq!(blind.finding().cause, Unexplained);
    assert!(misses(&blind.finding(), "the error log of edge"));
}

#[test]
fn an_inner_proxys_failure_is_found_behind_one_that_passed_it_on() {
    let edge = record(EDGE, Product::Haproxy)
        .status(502)
        .with(|r| r.header_us = Some(2_000));
    let mut inner = behind(
        0,
        quick(Product::Nginx).with(|r| r.hop = crate::model::HopId(APP)),
    );
    inner
        .details
        .push(error_line(APP, Phase::Header, Fault::HeaderTooBig));
    let finding = Scene::of(Product::Haproxy, Product::Nginx)
        .trace(vec![first(edge, vec![]), inner])
        .finding();
    assert_eq!((finding.cause, &*finding.issuer.hop), (InvalidResponse, "app"));
}

#[test]
fn an_app_that_answered_200_is_not_the_issuer_of_a_502() {
    let edge = quick(Product::Nginx).ended(T0, 3_000 * MS);
    let links = vec![first(edge, vec![]), behind(0, served(200, T0, 20 * MS))];
    assert_eq!(Scene::new().trace(links).finding().issuer.hop, "edge");
}

#[test]
fn a_502_received_from_a_hop_whose_record_was_not_found_is_not_proven_to_be_its_own() {
    let edge = quick(Product::Nginx).with(|r| r.attempts[0].header_us = Some(25_000));
    let finding = Scene::of(Product::Nginx, Product::EdgeMicro)
        .trace(vec![first(edge, vec![])])
        .finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (Upstream502, Certainty::Likely)
    );
    assert!(misses(&finding, "the record of this request in the log of app"));
}
