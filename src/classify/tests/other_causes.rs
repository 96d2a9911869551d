use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, InvalidResponse, ProxyTimeout, Unexplained, Upstream502};
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
    let bytes = quick(Product::Nginx).with(|r| r.attempts[0].bytes_received = 4096.into());
    let finding = Scene::new().trace(vec![first(bytes, vec![])]).finding();
    assert!(rivals(&finding, Subtype::MalformedHeader));
}

#[test]
fn a_502_that_haproxy_passed_on_through_nginx_is_the_apps() {
    let edge = record(EDGE, Product::Haproxy)
        .status(502)
        .with(|r| r.header_us = 8_000.into());
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
        .with(|r| r.header_us = 2_000.into());
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
    let edge = quick(Product::Nginx).with(|r| r.attempts[0].header_us = 25_000.into());
    let finding = Scene::of(Product::Nginx, Product::EdgeMicro)
        .trace(vec![first(edge, vec![])])
        .finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (Upstream502, Certainty::Likely)
    );
    assert!(misses(&finding, "the record of this request in the log of app"));
}

/// A failure of a proxy that says `phase` and `fault`.
fn said(product: Product, status: u16, phase: Phase, fault: Fault) -> (crate::model::Cause, Subtype) {
    let line = record(EDGE, product)
        .status(status)
        .ended(T0, 5_000 * MS)
        .says(phase, fault);
    let finding = Scene::alone(product).trace(vec![first(line, vec![])]).finding();
    (finding.cause, finding.subtype)
}

#[test]
fn what_a_product_names_in_words_has_the_subtype_of_that_name() {
    use crate::model::Cause::{ProxyTimeout, QueueingDelay};
    for (phase, fault, cause, subtype) in [
        (
            Phase::Body,
            Fault::TimedOut,
            ProxyTimeout,
            Subtype::ResponseBodyTimeout,
        ),
        (
            Phase::Send,
            Fault::TimedOut,
            ProxyTimeout,
            Subtype::RequestSendTimeout,
        ),
        (
            Phase::Resolve,
            Fault::TimedOut,
            ProxyTimeout,
            Subtype::NameResolutionTimeout,
        ),
        (
            Phase::Connect,
            Fault::Unreachable,
            DroppedConnection,
            Subtype::Unreachable,
        ),
        (
            Phase::Queue,
            Fault::QueueFull,
            QueueingDelay,
            Subtype::ProxyQueueOverflow,
        ),
        (
            Phase::Header,
            Fault::BadFraming,
            InvalidResponse,
            Subtype::BadFraming,
        ),
        (
            Phase::Tls,
            Fault::ProtocolMismatch,
            InvalidResponse,
            Subtype::ProtocolMismatch,
        ),
        (
            Phase::Header,
            Fault::PolicyBlocked,
            InvalidResponse,
            Subtype::PolicyBlocked,
        ),
        (
            Phase::Process,
            Fault::WorkerCrashed,
            DroppedConnection,
            Subtype::WorkerCrash,
        ),
        (
            Phase::Process,
            Fault::Stopping,
            DroppedConnection,
            Subtype::BackendRestart,
        ),
    ] {
        let status = if fault == Fault::TimedOut { 504 } else { 502 };
        // A stop is about a request only where its line gives the status.
        if fault == Fault::Stopping {
            let line = record(EDGE, Product::HttpSys)
                .status(503)
                .says(phase, fault)
                .with(|r| r.kind = Kind::Failure);
            let link = crate::model::Link {
                outcome: None,
                details: vec![line],
                ..first(record(EDGE, Product::HttpSys), vec![])
            };
            let finding = Scene::alone(Product::HttpSys).trace(vec![link]).finding();
            assert_eq!((finding.cause, finding.subtype), (cause, subtype));
            continue;
        }
        assert_eq!(
            said(Product::Nginx, status, phase, fault),
            (cause, subtype),
            "{phase:?} {fault:?}"
        );
    }
}

#[test]
fn a_full_queue_of_a_server_turned_it_away_and_one_of_a_proxy_overflowed() {
    assert_eq!(
        said(Product::Iis, 503, Phase::Queue, Fault::QueueFull).1,
        Subtype::ServerQueueRejected
    );
    assert_eq!(
        said(Product::Haproxy, 503, Phase::Queue, Fault::QueueFull).1,
        Subtype::ProxyQueueOverflow
    );
}

#[test]
fn envoys_timer_is_one_for_the_whole_exchange_unless_it_is_of_a_try() {
    assert_eq!(
        said(Product::Envoy, 504, Phase::Header, Fault::TimedOut).1,
        Subtype::TotalTimeout
    );
    let line = record(EDGE, Product::Envoy)
        .status(504)
        .ended(T0, 5_000 * MS)
        .says(Phase::Header, Fault::TimedOut)
        .with(|r| r.error = "upstream_per_try_timeout".into());
    let finding = Scene::alone(Product::Envoy)
        .trace(vec![first(line, vec![])])
        .finding();
    assert_eq!(finding.subtype, Subtype::ResponseHeaderTimeout);
}

#[test]
fn a_bare_status_is_not_enough_evidence() {
    let line = record(EDGE, Product::Unknown).status(502);
    let finding = Scene::alone(Product::Unknown)
        .trace(vec![first(line, vec![])])
        .finding();
    assert_eq!(finding.subtype, Subtype::NotEnoughEvidence);
    assert!(finding.fix.is_none() && !finding.missing.is_empty());
}

/// An nginx request that could not be read, by an error line that names no request of its own.
fn malformed(unsure: bool) -> crate::model::Link {
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .tried(ADDR, 502, Some(0), None, 20_000);
    let error = error_line(EDGE, Phase::Header, Fault::MalformedHeader);
    crate::model::Link {
        unsure,
        ..first(line, vec![error])
    }
}

#[test]
fn an_error_line_that_may_be_another_requests_proves_nothing() {
    let finding = Scene::new().trace(vec![malformed(true)]).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (InvalidResponse, Certainty::Likely)
    );
    assert!(misses(&finding, "error lines of other requests fit as well"));
}

#[test]
fn an_error_line_that_can_be_no_other_requests_proves() {
    let finding = Scene::new().trace(vec![malformed(false)]).finding();
    assert_eq!(finding.certainty, Certainty::Proven);
}

#[test]
fn what_the_access_line_itself_says_is_not_doubted_for_its_error_lines() {
    let mut link = malformed(true);
    let outcome = link
        .outcome
        .take()
        .map(|r| r.says(Phase::Header, Fault::TimedOut));
    link.outcome = outcome;
    let finding = Scene::new().trace(vec![link]).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (ProxyTimeout, Certainty::Proven)
    );
}

#[test]
fn a_status_is_not_called_passed_on_where_a_stray_error_line_may_explain_it() {
    let line = || record(EDGE, Product::Nginx).status(502);
    let failed = || {
        let other = line().with(|r| r.path = "/other".into());
        first(other, vec![error_line(EDGE, Phase::Header, Fault::Closed)])
    };
    let mut scene = Scene::alone(Product::Nginx)
        .trace(vec![first(line(), vec![])])
        .trace(vec![failed()]);
    assert_eq!(scene.finding().cause, Upstream502);
    scene.stray.insert(crate::model::HopId(EDGE), vec![T0]);
    assert_ne!(scene.finding().cause, Upstream502);
}
