use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, KeepAliveRace, ProxyTimeout, Unexplained};
use crate::model::{Certainty, LimitKind, Record, Subtype};

fn closed_line() -> Vec<Record> {
    vec![error_line(EDGE, Phase::Header, Fault::Closed)]
}

/// A POST that was cut at `end_us` after `age_us`.
fn cut(end_us: i64, age_us: i64) -> Vec<crate::model::Link> {
    let line = post_cut(end_us).ended(end_us, age_us).with(|r| {
        r.attempts[0].response_us = Some(age_us as u64).into();
    });
    vec![first(line, closed_line())]
}

fn refused(end_us: i64) -> Vec<crate::model::Link> {
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .ended(end_us, 0)
        .tried(ADDR, 502, None, None, 0);
    vec![first(
        line,
        vec![error_line(EDGE, Phase::Connect, Fault::Refused)],
    )]
}

#[test]
fn requests_of_all_ages_dying_together_before_refusals_are_a_crash() {
    let scene = Scene::new()
        .trace(cut(T0, 30 * MS))
        .trace(cut(T0 + 2 * MS, 900 * MS))
        .trace(cut(T0 + 5 * MS, 2_400 * MS))
        .trace(refused(T0 + 300 * MS));
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (DroppedConnection, Subtype::WorkerCrash)
    );
    assert_eq!(finding.certainty, Certainty::Proven);
    insta::assert_json_snapshot!((&finding.evidence, &finding.rivals, &finding.missing));
}

#[test]
fn a_burst_without_an_aftermath_is_a_likely_crash() {
    let scene = Scene::new()
        .trace(cut(T0, 30 * MS))
        .trace(cut(T0 + 2 * MS, 900 * MS))
        .trace(cut(T0 + 5 * MS, 2_400 * MS));
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::WorkerCrash, Certainty::Likely)
    );
}

#[test]
fn a_fresh_request_on_a_used_connection_died_with_many_others() {
    let reused = |age: i64| {
        let mut links = cut(T0, age);
        links[0].outcome.as_mut().unwrap().reused = Some(true);
        links
    };
    let scene = |others: i64| {
        let old = (1..=others).map(|n| cut(T0 + n * MS, n * 600 * MS));
        old.fold(Scene::new().trace(reused(80 * MS)), Scene::trace)
    };
    assert_eq!(scene(4).finding().subtype, Subtype::WorkerCrash);
    assert_ne!(
        scene(1).finding().cause,
        DroppedConnection,
        "one other is no crowd"
    );
}

#[test]
fn of_two_lines_of_one_failure_the_finer_one_dates_it() {
    let told_twice = |at: i64, age: i64| {
        let mut links = cut(T0, age);
        let mut coarse = links[0].details[0].clone();
        links[0].outcome.as_mut().unwrap().resolution_us = 1_000_000;
        links[0].details[0].start_us = None;
        links[0].details[0].end_us = Some(at);
        coarse.resolution_us = 1_000_000;
        (coarse.start_us, coarse.end_us) = (Some(at - age), Some(at + 500 * MS));
        links[0].details.push(coarse);
        links
    };
    let scene = Scene::new()
        .trace(told_twice(T0, 300 * MS))
        .trace(told_twice(T0 + 2 * MS, 900 * MS))
        .trace(told_twice(T0 + 4 * MS, 2_400 * MS));
    assert_eq!(scene.finding().subtype, Subtype::WorkerCrash);
}

#[test]
fn in_stamps_of_a_second_a_burst_alone_is_no_crash() {
    let coarse = |age: i64| {
        let mut links = cut(T0, age);
        links[0].outcome.as_mut().unwrap().resolution_us = 1_000_000;
        links[0].details[0].resolution_us = 1_000_000;
        links
    };
    let scene = Scene::new()
        .trace(coarse(300 * MS))
        .trace(coarse(900 * MS))
        .trace(coarse(2_400 * MS));
    assert_eq!(scene.finding().subtype, Subtype::PrematureClose);
}

#[test]
fn a_burst_is_dated_by_the_finer_stamps_of_the_error_log() {
    let cut_at = |at: i64, age: i64| {
        let mut links = cut(T0, age);
        links[0].outcome.as_mut().unwrap().resolution_us = 1_000_000;
        links[0].details[0].start_us = None;
        links[0].details[0].end_us = Some(at);
        links
    };
    let scene = |apart: i64| {
        Scene::new()
            .trace(cut_at(T0, 300 * MS))
            .trace(cut_at(T0 + apart, 900 * MS))
            .trace(cut_at(T0 + 2 * apart, 2_400 * MS))
    };
    assert_eq!(scene(2 * MS).finding().subtype, Subtype::WorkerCrash);
    assert_eq!(scene(200 * MS).finding().subtype, Subtype::PrematureClose);
}

#[test]
fn a_worker_that_its_server_killed_is_a_proven_crash() {
    let scene = Scene::of(Product::Nginx, Product::Gunicorn)
        .event(event(APP, Fault::WorkerTimedOut, T0 - 500 * MS))
        .trace(cut(T0, 30_100 * MS));
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::WorkerCrash, Certainty::Proven)
    );
}

#[test]
fn a_stop_in_good_order_is_a_restart() {
    let scene = Scene::of(Product::Nginx, Product::Gunicorn)
        .event(event(APP, Fault::Stopping, T0 - S))
        .trace(cut(T0, 700 * MS))
        .trace(refused(T0 + S));
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::BackendRestart, Certainty::Proven)
    );
}

#[test]
fn an_event_of_another_minute_explains_nothing() {
    let scene = Scene::of(Product::Nginx, Product::Gunicorn)
        .event(event(APP, Fault::WorkerCrashed, T0 - 60 * S))
        .trace(cut(T0, 700 * MS));
    assert_eq!(scene.finding().subtype, Subtype::PrematureClose);
}

#[test]
fn cuts_at_the_servers_own_limit_for_workers_are_likely_kills() {
    let scene = Scene::of(Product::Nginx, Product::Gunicorn)
        .default_limit(APP, LimitKind::WorkerKill, 30 * S)
        .trace(cut(T0, 30_050 * MS));
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::WorkerCrash, Certainty::Likely)
    );
}

#[test]
fn a_second_attempt_that_was_refused_after_a_cut_one_is_a_crash() {
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .ended(T0, 400 * MS)
        .tried(ADDR, 502, Some(0), None, 400_000)
        .tried(ADDR, 502, None, None, 0);
    let details = vec![
        error_line(EDGE, Phase::Header, Fault::Closed),
        error_line(EDGE, Phase::Connect, Fault::Refused),
    ];
    let scene = Scene::new().trace(vec![first(line, details)]);
    let finding = scene.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::WorkerCrash, Certainty::Likely)
    );
    assert_eq!(finding.contributing.map(|c| c.subtype), Some(Subtype::Refused));
}

#[test]
fn refused_in_words_is_proven_and_from_fields_likely() {
    assert_eq!(
        Scene::new().trace(refused(T0)).verdict(),
        (DroppedConnection, Subtype::Refused, Certainty::Proven)
    );
    let mut bare = refused(T0);
    bare[0].details.clear();
    // Another record shows that connect times are logged, so that their absence means something.
    let scene = Scene::new().trace(bare.clone()).trace(cut(T0 + 60 * S, MS));
    let finding = scene.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::Refused, Certainty::Likely)
    );
    assert!(rivals(&finding, Subtype::TlsRejected));
    let finding = Scene::alone(Product::Nginx).trace(bare).finding();
    assert_eq!(finding.cause, Unexplained);
    assert!(misses(&finding, "$upstream_connect_time"));
}

#[test]
fn haproxys_sc_with_a_retry_pause_is_refused_and_no_timeout() {
    let line = |status| {
        record(EDGE, Product::Haproxy)
            .status(status)
            .ended(T0, 1_003 * MS)
            .tried("s1", status, None, None, 1_003_000)
            .says(Phase::ConnectOrTls, Fault::Refused)
            .with(|r| r.retries = 1)
    };
    let mut scene = Scene::of(Product::Haproxy, Product::Node).trace(vec![first(line(503), vec![])]);
    scene.limits.tls = Some(false);
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::Refused, Certainty::Proven)
    );
    scene.limits.tls = Some(true);
    let finding = scene.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::TlsRejected, Certainty::Possible)
    );
    assert!(rivals(&finding, Subtype::Refused));
}

#[test]
fn no_live_upstream_names_the_failure_before_it() {
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .ended(T0 + 3 * S, 0)
        .tried("backend", 502, None, None, 0);
    let error = error_line(EDGE, Phase::Queue, Fault::NoLiveUpstream);
    let scene = Scene::new()
        .trace(vec![first(line, vec![error])])
        .trace(refused(T0));
    let finding = scene.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::NoLiveUpstream, Certainty::Proven)
    );
    assert_eq!(finding.contributing.map(|c| c.subtype), Some(Subtype::Refused));
}

#[test]
fn a_request_that_used_up_its_servers_failed_for_the_first_reason() {
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .ended(T0, 103 * MS)
        .tried(ADDR, 502, Some(0), None, 51_000)
        .tried("10.0.0.4:8080", 502, Some(0), None, 52_000)
        .tried("backend", 502, None, None, 0);
    let details = vec![
        error_line(EDGE, Phase::Header, Fault::Closed),
        error_line(EDGE, Phase::Header, Fault::Closed),
        error_line(EDGE, Phase::Queue, Fault::NoLiveUpstream),
    ];
    let finding = Scene::new().trace(vec![first(line, details)]).finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (DroppedConnection, Subtype::PrematureClose)
    );
    assert_eq!(finding.issuer.upstream, "10.0.0.4:8080");
}

#[test]
fn a_handshake_that_was_refused_is_no_timeout() {
    let error = error_line(EDGE, Phase::Tls, Fault::TlsRejected);
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .tried(ADDR, 502, None, None, 2_000);
    let scene = Scene::new().trace(vec![first(line, vec![error])]);
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::TlsRejected, Certainty::Proven)
    );
}

#[test]
fn bytes_of_a_header_make_it_a_premature_close_and_no_race() {
    let line = post_cut(T0).with(|r| r.attempts[0].bytes_received = 57.into());
    let scene = Scene::new()
        .covered()
        .trace_after(5 * S, vec![first(line, closed_line())]);
    let finding = scene.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::PrematureClose, Certainty::Proven)
    );
    assert!(finding.rivals.iter().any(|r| r.cause == KeepAliveRace));
}

#[test]
fn cuts_that_pile_up_at_a_round_time_are_an_idle_limit_in_flight() {
    let mut scene = Scene::new();
    for n in 0..4 {
        scene = scene.trace(cut(T0 + n * 90 * S, 60_010 * MS + n));
    }
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (DroppedConnection, Subtype::IdleCutInFlight)
    );
    assert_ne!(finding.cause, ProxyTimeout);
}
