use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::classify::incidents;
use crate::model::finding::Incident;
use crate::model::{Cause, HopId, LimitKind, Subtype};

fn of(scene: &Scene) -> Vec<Incident> {
    incidents(
        &scene.outcome().findings,
        &scene.hops,
        &scene.events,
        &scene.stats,
    )
}

fn cut(end_us: i64, age_us: i64) -> Vec<crate::model::Link> {
    let line = post_cut(end_us).ended(end_us, age_us).with(|r| {
        r.attempts[0].response_us = Some(age_us as u64).into();
    });
    vec![first(line, vec![error_line(EDGE, Phase::Header, Fault::Closed)])]
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

/// A process that dies with three requests and refuses two more.
fn outage(scene: Scene, at: i64) -> Scene {
    scene
        .trace(cut(at, 30 * MS))
        .trace(cut(at + 2 * MS, 900 * MS))
        .trace(cut(at + 5 * MS, 2_400 * MS))
        .trace(refused(at + 300 * MS))
        .trace(refused(at + 900 * MS))
}

#[test]
fn a_crash_and_the_refusals_after_it_are_one_incident() {
    let all = of(&outage(Scene::new(), T0));
    assert_eq!(all.len(), 1, "{all:#?}");
    let one = &all[0];
    assert_eq!(
        (one.cause, one.subtype),
        (Cause::DroppedConnection, Subtype::WorkerCrash)
    );
    assert_eq!((one.count, one.labels.len()), (5, 2));
    assert_eq!((one.onset.0, one.end.0), (T0, T0 + 900 * MS));
    assert_eq!((one.issuer.as_str(), one.upstream.as_str()), ("edge", "app"));
    assert!(one.id.starts_with("i-") && one.findings[0].ends_with(&one.id[2..]));
}

#[test]
fn an_outage_a_minute_later_is_another_incident() {
    let all = of(&outage(outage(Scene::new(), T0), T0 + 60 * S));
    assert_eq!(all.len(), 2);
    assert!(all[0].onset < all[1].onset);
}

#[test]
fn a_race_now_and_one_an_hour_later_are_two_incidents_and_two_within_minutes_are_one() {
    let race = |scene: Scene, at: i64| {
        scene.trace_after(
            4_997 * MS,
            vec![first(
                post_cut(at),
                vec![error_line(EDGE, Phase::Header, Fault::Reset).with(|r| {
                    (r.start_us, r.end_us) = (Some(at), Some(at));
                })],
            )],
        )
    };
    let scene = || {
        Scene::new()
            .configured(EDGE, LimitKind::UpstreamIdle, 60 * S)
            .configured(APP, LimitKind::ClientIdle, 5 * S)
    };
    assert_eq!(of(&race(race(scene(), T0), T0 + 120 * S)).len(), 1);
    let apart = of(&race(race(scene(), T0), T0 + 3_600 * S));
    assert_eq!(apart.len(), 2);
    assert!(
        apart
            .iter()
            .all(|one| one.cause == Cause::KeepAliveRace && one.fix.is_some())
    );
}

#[test]
fn what_the_upstream_logged_at_that_time_coincided_and_what_others_logged_did_not() {
    let scene = outage(Scene::of(Product::Nginx, Product::Gunicorn), T0)
        .event(event(APP, Fault::OutOfMemory, T0 - S))
        .event(event(APP, Fault::Started, T0 + 2 * S))
        .event(event(APP, Fault::Started, T0 + 3 * S))
        .event(event(APP, Fault::Started, T0 + 600 * S))
        .event(event(7, Fault::Recycled, T0));
    let all = of(&scene);
    let what: Vec<(&str, u64)> = all[0]
        .coincided
        .iter()
        .map(|c| (c.what.as_str(), c.count))
        .collect();
    assert_eq!(what, [("app ran out of memory", 1), ("app was starting", 2)]);
    assert!(
        all[0]
            .coincided
            .iter()
            .all(|c| c.evidence.as_ref().is_some_and(|e| e.place.is_some()))
    );
}

#[test]
fn a_load_that_rose_coincided_with_a_queue() {
    let mut scene = Scene::alone(Product::Haproxy);
    let line = record(EDGE, Product::Haproxy)
        .status(503)
        .ended(T0, 1_000 * MS)
        .says(Phase::Queue, Fault::QueueTimedOut);
    scene = scene.trace(vec![first(line, vec![])]);
    let load = scene.stats.load.entry(HopId(EDGE)).or_default();
    for second in -60..4 {
        load.add(T0 / S + second, requests(if second < -2 { 4 } else { 40 }));
    }
    let all = of(&scene);
    assert!(
        all[0].coincided[0]
            .what
            .contains("rose to 40 requests a second, from 4.0"),
        "{all:#?}"
    );
    let even = (-60..4).map(|second| (T0 / S + second, requests(40))).collect();
    scene.stats.load.insert(HopId(EDGE), even);
    assert!(of(&scene)[0].coincided.is_empty());
}
