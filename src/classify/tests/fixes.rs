//! What is proposed: the product's own setting, computed from the values at hand, and what it would have saved.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::finding::Change;
use crate::model::{LimitKind, Link};

fn reset() -> Vec<crate::model::Record> {
    vec![error_line(EDGE, Phase::Header, Fault::Reset)]
}

fn proposed(changes: &[Change]) -> Vec<(&str, &str, &str)> {
    changes
        .iter()
        .map(|change| {
            (
                change.setting.as_str(),
                change.current.as_str(),
                change.proposed.as_str(),
            )
        })
        .collect()
}

/// nginx that keeps connections for `own_s` in front of Node that keeps them for `their_s`.
fn race(own_s: i64, their_s: i64) -> Scene {
    Scene::new()
        .configured(EDGE, LimitKind::UpstreamIdle, own_s * S)
        .configured(APP, LimitKind::ClientIdle, their_s * S)
        .covered()
}

#[test]
fn seventy_five_seconds_against_five_asks_for_seventy_six() {
    let scene = race(75, 5)
        .trace_after(4_998 * MS, vec![first(post_cut(T0), reset())])
        .trace_after(4_999 * MS, vec![first(post_cut(T0 + 7 * S), reset())]);
    let fix = scene.run().findings.remove(0).fix.unwrap();
    let changes = proposed(&fix.changes);
    assert_eq!(changes[0].0, "server.keepAliveTimeout");
    assert_eq!(changes[0].2, "76000 (76 s)");
    let what_if = fix.what_if.unwrap();
    assert_eq!(
        (what_if.value_ms, what_if.saved, what_if.total, what_if.known),
        (76_000, 2, 2, 2)
    );
    assert!(what_if.assumption.contains("lets go of it first"));
}

/// A request that nginx gave up on after 3 s while the application went on for `worked` ms.
fn slow(at_us: i64, worked: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Nginx)
        .status(504)
        .method("GET")
        .ended(at_us, 3_001 * MS)
        .tried(ADDR, 504, Some(0), None, 3_001_000);
    vec![
        first(line, vec![error_line(EDGE, Phase::Header, Fault::TimedOut)]),
        behind(0, served(200, at_us - 3_001 * MS + worked * MS, worked * MS)),
    ]
}

#[test]
fn a_timeout_is_proposed_from_what_the_application_needed() {
    let scene = Scene::new()
        .configured(EDGE, LimitKind::Read, 3 * S)
        .trace(slow(T0, 4_100))
        .trace(slow(T0 + 10 * S, 5_200))
        .trace(slow(T0 + 20 * S, 3_400));
    let findings = scene.run().findings;
    assert_eq!(findings.len(), 3);
    for finding in findings {
        let fix = finding.fix.unwrap();
        assert_eq!(proposed(&fix.changes)[0].2, "7s", "one value for all");
        let what_if = fix.what_if.unwrap();
        assert_eq!((what_if.saved, what_if.total), (3, 3));
        assert!(what_if.assumption.contains("makes the queue longer"));
    }
}

#[test]
fn a_worker_that_was_killed_gets_a_limit_above_the_proxys_timeout() {
    let cut = |at: i64, lasted: i64| {
        let line = record(EDGE, Product::Nginx).status(502).ended(at, lasted).tried(
            ADDR,
            502,
            Some(0),
            None,
            lasted as u64,
        );
        vec![first(line, vec![error_line(EDGE, Phase::Header, Fault::Closed)])]
    };
    let scene = Scene::of(Product::Nginx, Product::Gunicorn)
        .configured(EDGE, LimitKind::Read, 60 * S)
        .default_limit(APP, LimitKind::WorkerKill, 30 * S)
        .trace(cut(T0, 30_050 * MS));
    let fix = scene.finding().fix.unwrap();
    assert_eq!(
        proposed(&fix.changes),
        [("timeout", "30 s, gunicorn default", "61")]
    );
}
