//! Where the logs leave two answers, both are given.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, KeepAliveRace, ProxyTimeout, Unexplained};
use crate::model::{Certainty, LimitKind, Link, Subtype};

/// A POST whose connection ended without a byte after `lasted_us`, at an address of which there is no log.
fn cut(lasted_us: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Nginx)
        .method("POST")
        .status(502)
        .ended(T0, lasted_us)
        .tried(ADDR, 502, Some(0), None, lasted_us as u64);
    vec![first(line, vec![error_line(EDGE, Phase::Header, Fault::Closed)])]
}

#[test]
fn a_quick_cut_of_which_only_the_proxy_tells_is_ambiguous() {
    let finding = Scene::alone(Product::Nginx).trace(cut(2 * MS)).finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (Unexplained, Subtype::Ambiguous)
    );
    assert_eq!(finding.certainty, Certainty::Unknown);
    assert!(rivals(&finding, Subtype::PrematureClose) && rivals(&finding, Subtype::FinBeforeRequest));
    assert!(misses(&finding, "whether the connection had been used before"));
    assert!(finding.fix.unwrap().summary.contains("keep-alive"));
}

#[test]
fn a_cut_after_a_while_is_no_race_even_if_only_the_proxy_tells() {
    let finding = Scene::alone(Product::Nginx).trace(cut(700 * MS)).finding();
    assert_eq!(finding.cause, DroppedConnection);
}

#[test]
fn a_quick_cut_is_a_race_where_idle_time_and_keep_alive_agree() {
    let scene = Scene::of(Product::Nginx, Product::Node)
        .configured(APP, LimitKind::ClientIdle, 2 * S)
        .trace_after(2 * S, cut(2 * MS));
    assert_eq!(scene.finding().cause, KeepAliveRace);
}

/// What Squid writes of a connection that was not made in `lasted_us`.
fn not_connected(lasted_us: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Squid)
        .status(503)
        .ended(T0, lasted_us)
        .says(Phase::Connect, Fault::TimedOut)
        .with(|r| {
            r.attempts.push(crate::model::Attempt {
                addr: ADDR.into(),
                ..Default::default()
            });
        });
    vec![first(line, vec![])]
}

fn squid() -> Scene {
    Scene::of(Product::Squid, Product::Node).configured(EDGE, LimitKind::Connect, 2 * S)
}

/// A request to the same upstream that Squid saw cut at `end_us`.
fn cut_off(end_us: i64) -> Vec<Link> {
    let died = record(EDGE, Product::Squid)
        .status(502)
        .ended(end_us, 900 * MS)
        .says(Phase::Header, Fault::Reset)
        .with(|r| r.attempts = not_connected(MS)[0].outcome.as_ref().unwrap().attempts.clone());
    vec![first(died, vec![])]
}

#[test]
fn a_connection_not_made_as_others_were_cut_did_not_time_out() {
    let scene = squid().trace(not_connected(1_106 * MS)).trace(cut_off(T0));
    assert_eq!(scene.verdict().1, Subtype::WorkerCrash);
    let scene = squid()
        .trace(not_connected(1_106 * MS))
        .trace(cut_off(T0 + 5 * S));
    assert_eq!(scene.verdict().1, Subtype::ConnectTimeout);
}

#[test]
fn a_connection_not_made_long_before_squids_timer_did_not_time_out() {
    let scene = Scene::of(Product::Squid, Product::Node)
        .configured(EDGE, LimitKind::Connect, 60 * S)
        .trace(not_connected(1_106 * MS));
    assert_eq!(scene.verdict().0, DroppedConnection);
}

#[test]
fn a_connection_not_made_when_squids_timer_was_over_timed_out() {
    let (cause, subtype, _) = squid().trace(not_connected(2_050 * MS)).verdict();
    assert_eq!((cause, subtype), (ProxyTimeout, Subtype::ConnectTimeout));
}

#[test]
fn a_connection_not_made_in_time_is_a_timeout_where_squids_timer_is_not_known() {
    let scene = Scene::of(Product::Squid, Product::Node).trace(not_connected(1_106 * MS));
    assert_eq!(scene.verdict().1, Subtype::ConnectTimeout);
}

/// A request that ran out of time `at_us` after `T0`.
fn timed_out(at_us: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Nginx)
        .status(504)
        .ended(T0 + at_us, 3 * S)
        .tried(ADDR, 504, Some(0), None, 3_000_000);
    let error = error_line(EDGE, Phase::Header, Fault::TimedOut).with(|r| r.start_us = Some(T0 + at_us));
    vec![first(line, vec![error])]
}

#[test]
fn a_timeout_among_others_may_have_stood_in_a_queue() {
    let scene = Scene::alone(Product::Nginx)
        .trace(timed_out(0))
        .trace(timed_out(100 * MS))
        .trace(timed_out(300 * MS));
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (ProxyTimeout, Certainty::Likely)
    );
    assert!(rivals(&finding, Subtype::AppQueue));
}

#[test]
fn a_timeout_by_itself_stood_in_no_queue() {
    let finding = Scene::alone(Product::Nginx).trace(timed_out(0)).finding();
    assert_eq!(finding.certainty, Certainty::Proven);
}

#[test]
fn a_timeout_among_others_is_slow_work_where_the_upstream_says_so() {
    let mut links = timed_out(0);
    links.push(behind(0, served(200, T0 + S, 4 * S)));
    let finding = Scene::new()
        .trace(links)
        .trace(timed_out(100 * MS))
        .trace(timed_out(300 * MS))
        .finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::ResponseHeaderTimeout, Certainty::Proven)
    );
}

#[test]
fn a_stream_that_the_upstream_reset_was_on_a_connection_that_stood() {
    let reset = |error: &str| {
        let line = record(EDGE, Product::Envoy)
            .method("POST")
            .status(503)
            .ended(T0, 2 * MS)
            .says(Phase::Header, Fault::Reset)
            .with(|r| r.error = error.into());
        Scene::alone(Product::Envoy)
            .trace(vec![first(line, vec![])])
            .finding()
    };
    let of_stream = reset("upstream_reset_before_response_started{remote_reset}");
    assert_eq!(
        (of_stream.cause, of_stream.subtype),
        (DroppedConnection, Subtype::ResetBeforeResponse)
    );
    let of_connection = reset("upstream_reset_before_response_started{connection_termination}");
    assert_eq!(of_connection.subtype, Subtype::Ambiguous);
}
