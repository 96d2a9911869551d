use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{ProxyTimeout, QueueingDelay};
use crate::model::{Certainty, Link, Record, Subtype};

fn timed_out(end_us: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Nginx)
        .status(504)
        .ended(end_us, 3_001 * MS)
        .tried(ADDR, 504, Some(0), None, 3_001_000);
    vec![first(
        line,
        vec![error_line(EDGE, Phase::Header, Fault::TimedOut)],
    )]
}

fn gunicorn(end_us: i64, lasted_us: i64) -> Record {
    record(APP, Product::Gunicorn)
        .status(200)
        .ended(end_us, lasted_us)
}

fn scene() -> Scene {
    Scene::of(Product::Nginx, Product::Gunicorn)
}

#[test]
fn short_work_that_began_after_the_proxy_gave_up_is_queueing() {
    let mut links = timed_out(T0);
    links.push(behind(0, gunicorn(T0 + 2 * S, 60 * MS)));
    let scene = scene().trace(links);
    assert_eq!(
        scene.verdict(),
        (QueueingDelay, Subtype::AppQueue, Certainty::Proven)
    );
    let finding = scene.finding();
    insta::assert_json_snapshot!((&finding.evidence, &finding.rivals, &finding.missing, &finding.fix));
}

#[test]
fn half_waiting_half_working_names_both() {
    let mut links = timed_out(T0);
    links.push(behind(0, gunicorn(T0 + 100 * MS, 1_300 * MS)));
    let finding = scene().trace(links).finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (QueueingDelay, Subtype::AppQueue)
    );
    assert_eq!(finding.contributing.map(|c| c.cause), Some(ProxyTimeout));
    let mut links = timed_out(T0);
    links.push(behind(0, gunicorn(T0 + 100 * MS, 2_000 * MS)));
    let finding = scene().trace(links).finding();
    assert_eq!(finding.cause, ProxyTimeout);
    assert_eq!(finding.contributing.map(|c| c.subtype), Some(Subtype::AppQueue));
}

#[test]
fn an_entry_without_a_duration_leaves_the_timeout_and_names_the_field() {
    let mut links = timed_out(T0);
    links.push(behind(0, gunicorn(T0 + 2 * S, MS).with(|r| r.duration_us = None)));
    let finding = scene().trace(links).finding();
    assert_eq!(finding.cause, ProxyTimeout);
    assert!(misses(&finding, "the duration of requests in the log of app"));
}

#[test]
fn an_answer_that_was_ready_long_before_was_lost_and_not_queued() {
    let mut links = timed_out(T0);
    links.push(behind(0, gunicorn(T0 - 2_900 * MS, 60 * MS)));
    let finding = scene().trace(links).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (ProxyTimeout, Certainty::Likely)
    );
}

#[test]
fn no_entry_among_others_that_were_stuck_is_likely_queueing() {
    let scene = scene()
        .covered()
        .trace(timed_out(T0))
        .trace(timed_out(T0 + 200 * MS))
        .trace(timed_out(T0 + 400 * MS));
    assert_eq!(
        scene.verdict(),
        (QueueingDelay, Subtype::AppQueue, Certainty::Likely)
    );
}

#[test]
fn no_entry_and_nobody_else_stuck_is_a_timeout_of_open_reason() {
    let scene = scene().covered().trace(timed_out(T0));
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout, Certainty::Likely)
    );
}

#[test]
fn haproxys_queue_timer_is_proven_and_its_retry_is_no_queue() {
    let line = record(EDGE, Product::Haproxy)
        .status(503)
        .ended(T0, 2_002 * MS)
        .says(Phase::Queue, Fault::QueueTimedOut)
        .with(|r| r.queue_us = 2_002_000.into());
    let scene = Scene::of(Product::Haproxy, Product::Node).trace(vec![first(line, vec![])]);
    assert_eq!(
        scene.verdict(),
        (QueueingDelay, Subtype::ProxyQueueTimeout, Certainty::Proven)
    );
}

#[test]
fn a_full_backlog_of_a_local_socket_is_proven() {
    let line = record(EDGE, Product::Nginx)
        .status(502)
        .tried("unix:/run/app.sock", 502, None, None, 0);
    let scene = Scene::new().trace(vec![first(
        line,
        vec![error_line(EDGE, Phase::Connect, Fault::BacklogFull)],
    )]);
    assert_eq!(
        scene.verdict(),
        (QueueingDelay, Subtype::ListenBacklog, Certainty::Proven)
    );
}

#[test]
fn a_queue_in_a_proxy_further_in_is_found() {
    let mut links = timed_out(T0);
    links.push(behind(
        0,
        record(APP, Product::Haproxy)
            .status(503)
            .ended(T0, 3_000 * MS)
            .with(|r| r.queue_us = 2_900_000.into()),
    ));
    let scene = Scene::of(Product::Nginx, Product::Haproxy).trace(links);
    assert_eq!(
        scene.verdict(),
        (QueueingDelay, Subtype::ProxyQueueTimeout, Certainty::Proven)
    );
}

/// Three requests that ran out of time together, of which the application has no record.
fn stuck() -> Scene {
    let mut scene = scene();
    for n in 0..3 {
        scene = scene.trace(timed_out(T0 + n * 100 * MS));
    }
    scene
}

#[test]
fn a_queue_is_likely_where_the_server_had_as_many_in_service_as_it_can() {
    let finding = stuck().load(5, 3_900, 6).capacity(4).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (QueueingDelay, Certainty::Likely)
    );
    assert!(
        finding
            .evidence
            .iter()
            .any(|e| e.fact.contains("can have 4 at once")),
        "{finding:#?}"
    );
}

#[test]
fn a_queue_is_only_possible_far_below_the_known_capacity() {
    let finding = stuck().load(5, 3_900, 6).capacity(64).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (QueueingDelay, Certainty::Possible)
    );
    assert!(
        finding
            .evidence
            .iter()
            .any(|e| e.fact.contains("can have 64 at once")),
        "{finding:#?}"
    );
}

#[test]
fn without_a_known_capacity_a_queue_is_judged_by_what_was_served_at_other_times() {
    let finding = stuck().load(5, 3_900, 6).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (QueueingDelay, Certainty::Likely)
    );
    assert!(!finding.evidence.iter().any(|e| e.fact.contains("at once")));
}
