use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, KeepAliveRace};
use crate::model::{Certainty, LimitKind, Record, Subtype, Weight};

fn reset_line() -> Vec<Record> {
    vec![error_line(EDGE, Phase::Header, Fault::Reset)]
}

/// An edge that keeps idle connections 60 s before an app that closes them after 5 s.
fn misconfigured() -> Scene {
    Scene::new()
        .configured(EDGE, LimitKind::UpstreamIdle, 60 * S)
        .configured(APP, LimitKind::ClientIdle, 5 * S)
}

#[test]
fn a_reset_post_at_the_keep_alive_that_the_app_never_saw_is_proven() {
    let scene = misconfigured()
        .covered()
        .trace_after(4_997 * MS, vec![first(post_cut(T0), reset_line())]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (KeepAliveRace, Subtype::RstOnReuse)
    );
    assert_eq!(finding.certainty, Certainty::Proven);
    assert!(rivals(&finding, Subtype::PrematureClose));
    insta::assert_json_snapshot!((&finding.evidence, &finding.rivals, &finding.missing, &finding.fix));
}

#[test]
fn node_closes_a_second_later_than_its_setting_says() {
    let scene = misconfigured()
        .covered()
        .trace_after(5_998 * MS, vec![first(post_cut(T0), reset_line())]);
    assert_eq!(
        scene.verdict(),
        (KeepAliveRace, Subtype::RstOnReuse, Certainty::Proven)
    );
}

#[test]
fn without_the_logs_of_the_app_a_race_is_likely_at_most() {
    let scene = misconfigured().trace_after(4_997 * MS, vec![first(post_cut(T0), reset_line())]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (KeepAliveRace, Certainty::Likely)
    );
    assert!(misses(&finding, "the log of app"));
}

#[test]
fn without_the_idle_time_and_the_keep_alives_a_close_stays_open() {
    let finding = Scene::alone(Product::Nginx)
        .trace(vec![first(post_cut(T0), reset_line())])
        .finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::Ambiguous, Certainty::Unknown)
    );
    assert!(rivals(&finding, Subtype::FinBeforeRequest));
    assert!(misses(&finding, "whether the connection had been used before"));
}

#[test]
fn a_connection_that_took_time_to_make_is_new_and_cannot_lose_a_race() {
    let line = post_cut(T0).with(|r| r.attempts[0].connect_us = 1_000.into());
    let scene = misconfigured()
        .covered()
        .trace_after(4_997 * MS, vec![first(line, reset_line())]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (DroppedConnection, Subtype::ResetBeforeResponse)
    );
    let rival = finding.rivals.iter().find(|r| r.cause == KeepAliveRace).unwrap();
    assert!(
        rival.rejected_because.contains("the connection was new"),
        "{rival:?}"
    );
}

#[test]
fn a_get_that_nginx_did_not_repeat_was_on_a_new_connection() {
    let line = post_cut(T0).method("GET");
    let scene = misconfigured()
        .covered()
        .trace_after(4_997 * MS, vec![first(line, reset_line())]);
    assert_eq!(scene.finding().cause, DroppedConnection);
}

#[test]
fn a_hop_that_keeps_no_connections_loses_no_races() {
    let mut scene = misconfigured()
        .covered()
        .trace_after(4_997 * MS, vec![first(post_cut(T0), reset_line())]);
    scene.limits.pooled = Some(false);
    assert_eq!(scene.finding().cause, DroppedConnection);
}

#[test]
fn a_request_that_the_app_worked_on_was_not_lost_to_a_race() {
    let links = vec![first(post_cut(T0), reset_line()), behind(0, served(200, T0, MS))];
    let finding = misconfigured().covered().trace_after(4_997 * MS, links).finding();
    assert_eq!(finding.cause, DroppedConnection);
    assert!(
        finding
            .evidence
            .iter()
            .any(|e| e.weight == Weight::Counter && e.fact.contains("it had arrived"))
    );
}

#[test]
fn a_safe_margin_between_the_keep_alives_speaks_against_a_race() {
    let scene = Scene::new()
        .covered()
        .configured(EDGE, LimitKind::UpstreamIdle, 4 * S)
        .configured(APP, LimitKind::ClientIdle, 65 * S)
        .trace_after(S, vec![first(post_cut(T0), reset_line())]);
    assert_eq!(scene.finding().cause, DroppedConnection);
}

#[test]
fn three_posts_cut_together_at_the_same_age_are_races_of_one_stall() {
    let mut scene = misconfigured().covered();
    for n in 0..3 {
        let line = post_cut(T0 + n * MS).with(|r| {
            r.attempts[0].response_us = 139_000.into();
            r.start_us = Some(T0 - 139 * MS);
        });
        scene = scene.trace_after(5_900 * MS, vec![first(line, reset_line())]);
    }
    assert_eq!(scene.finding().cause, KeepAliveRace);
}

#[test]
fn a_keep_alive_is_learnt_from_attempts_that_were_saved() {
    let mut scene = Scene::new()
        .covered()
        .trace_after(1_998 * MS, vec![first(post_cut(T0), reset_line())]);
    for n in 1..=4 {
        let saved = record(EDGE, Product::Nginx)
            .status(200)
            .ended(T0 + n * 3 * S, 2 * MS)
            .tried(ADDR, 502, Some(0), None, 1_000)
            .tried(ADDR, 200, Some(0), Some(1_000), 1_000);
        scene = scene.trace_after((1_990 + n) * MS, vec![first(saved, reset_line())]);
    }
    let outcome = scene.run();
    let learnt = outcome
        .inferences
        .iter()
        .find(|i| i.what == "upstream_keep_alive")
        .unwrap();
    assert_eq!((learnt.value_ms, learnt.support), (2_000.0, 5));
    assert_eq!(
        scene.verdict(),
        (KeepAliveRace, Subtype::RstOnReuse, Certainty::Proven)
    );
    assert_eq!(outcome.near_misses[0].count, 4);
}

#[test]
fn go_says_itself_that_the_idle_connection_was_closed() {
    let line = record(EDGE, Product::Caddy)
        .method("POST")
        .status(502)
        .says(Phase::Send, Fault::IdleClosed);
    let scene = Scene::alone(Product::Caddy).trace(vec![first(line, vec![])]);
    assert_eq!(
        scene.verdict(),
        (KeepAliveRace, Subtype::FinBeforeRequest, Certainty::Proven)
    );
}

fn haproxy_sh(lasted_us: i64) -> Record {
    record(EDGE, Product::Haproxy)
        .method("POST")
        .status(502)
        .ended(T0, lasted_us)
        .tried("s1", 502, Some(0), None, lasted_us as u64)
        .says(Phase::Header, Fault::ResetOrClosed)
}

#[test]
fn a_logged_sh_of_haproxy_is_a_close_unless_the_idle_time_fits() {
    let plain = Scene::of(Product::Haproxy, Product::Node)
        .covered()
        .trace(vec![first(haproxy_sh(MS), vec![])]);
    assert_eq!(plain.finding().cause, DroppedConnection);
    let idle = Scene::of(Product::Haproxy, Product::Node)
        .covered()
        .configured(EDGE, LimitKind::UpstreamIdle, 60 * S)
        .configured(APP, LimitKind::ClientIdle, 5 * S)
        .trace_after(5 * S, vec![first(haproxy_sh(MS), vec![])]);
    assert_eq!(idle.finding().cause, KeepAliveRace);
}

#[test]
fn a_request_into_the_void_after_350_idle_seconds_is_a_middlebox() {
    let line = record(EDGE, Product::Nginx).status(504).ended(T0, 60 * S).tried(
        ADDR,
        504,
        Some(0),
        None,
        60_000_000,
    );
    let error = vec![error_line(EDGE, Phase::Header, Fault::TimedOut)];
    let scene = Scene::new()
        .covered()
        .trace_after(355 * S, vec![first(line.clone(), error.clone())]);
    assert_eq!(
        scene.verdict(),
        (KeepAliveRace, Subtype::SilentMiddleboxDrop, Certainty::Likely)
    );
    let seen = behind(0, served(200, T0 + S, 61 * S));
    let busy = Scene::new()
        .covered()
        .trace_after(355 * S, vec![first(line, error), seen]);
    assert_eq!(busy.finding().subtype, Subtype::ResponseHeaderTimeout);
}

#[test]
fn an_idle_time_that_may_be_another_upstreams_is_not_used() {
    let line = record(EDGE, Product::Caddy)
        .method("POST")
        .status(502)
        .says(Phase::Header, Fault::Reset);
    let mut scene = Scene::of(Product::Caddy, Product::Node)
        .configured(APP, LimitKind::ClientIdle, 5 * S)
        .trace_after(5 * S, vec![first(line, vec![])]);
    assert!(
        scene
            .finding()
            .evidence
            .iter()
            .any(|e| e.fact.contains("had been idle"))
    );
    scene.hops[0].upstreams.push(crate::model::HopId(2));
    assert!(
        !scene
            .finding()
            .evidence
            .iter()
            .any(|e| e.fact.contains("had been idle"))
    );
}

#[test]
fn an_app_that_logs_requests_that_were_cut_off_would_have_logged_this_one() {
    let reset = |end: i64| {
        let line = record(EDGE, Product::EdgeMicro).status(502).ended(end, 100 * MS);
        first(line.says(Phase::Header, Fault::Reset), vec![])
    };
    let plain = Scene::of(Product::EdgeMicro, Product::Node)
        .covered()
        .trace(vec![reset(T0)]);
    assert_eq!(plain.finding().cause, DroppedConnection);
    let aborted = served(200, T0 - 2 * S, 90 * MS).with(|r| r.status = None);
    let scene = plain.trace(vec![reset(T0 - 2 * S), behind(0, aborted)]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (KeepAliveRace, Certainty::Likely)
    );
}
