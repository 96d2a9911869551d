use std::collections::BTreeSet;

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::{Certainty, Link, Subtype};

#[test]
fn requests_that_are_alike_to_the_last_field_get_ids_of_their_own() {
    let twin = |_| {
        vec![first(
            post_cut(T0),
            vec![error_line(EDGE, Phase::Header, Fault::Closed)],
        )]
    };
    let scene = (0..5).map(twin).fold(Scene::new(), Scene::trace);
    let ids: BTreeSet<String> = scene.run().findings.into_iter().map(|f| f.id).collect();
    assert_eq!(ids.len(), 5);
    assert!(ids.iter().all(|id| id.len() == 18 && id.starts_with("f-")));
}

#[test]
fn the_order_of_the_traces_changes_nothing() {
    let mut scene = Scene::new();
    for n in 0..6_i64 {
        let line = post_cut(T0 + n % 3 * S);
        scene = scene.trace(vec![first(
            line,
            vec![error_line(EDGE, Phase::Header, Fault::Closed)],
        )]);
    }
    let forward = serde_json::to_string(&scene.run().findings).unwrap();
    scene.traces.reverse();
    assert_eq!(serde_json::to_string(&scene.run().findings).unwrap(), forward);
}

#[test]
fn judging_few_traces_at_a_time_changes_nothing() {
    let mut scene = Scene::new();
    for n in 0..1_200_i64 {
        let at = T0 + n / 3 * 700_000 + n % 3;
        let fault = if n % 7 == 0 { Fault::Refused } else { Fault::Closed };
        let phase = if n % 7 == 0 { Phase::Connect } else { Phase::Header };
        scene = scene.trace(vec![first(post_cut(at), vec![error_line(EDGE, phase, fault)])]);
    }
    let said = |blocks| {
        let outcome = scene.outcome_in_parts(blocks);
        let findings: Vec<_> = outcome.findings.iter().collect();
        serde_json::to_string(&(findings, outcome.near_misses, outcome.inferences)).unwrap()
    };
    let whole = said(usize::MAX);
    assert!(said(1) == whole && said(3) == whole);
}

#[test]
fn an_error_log_alone_gives_findings_that_ask_for_the_access_log() {
    let error = error_line(EDGE, Phase::Connect, Fault::Refused);
    let link = Link {
        outcome: None,
        details: vec![error],
        ..first(post_cut(T0), vec![])
    };
    let finding = Scene::alone(Product::Nginx).trace(vec![link]).finding();
    assert_eq!((finding.status, finding.subtype), (502, Subtype::Refused));
    assert!(misses(&finding, "the access log of edge"));
}

#[test]
fn nothing_is_called_proven_without_proof() {
    let cut = || {
        vec![first(
            post_cut(T0),
            vec![error_line(EDGE, Phase::Header, Fault::Closed)],
        )]
    };
    let scene = Scene::alone(Product::Nginx)
        .trace_after(5 * S, cut())
        .trace(cut());
    assert!(
        scene
            .run()
            .findings
            .iter()
            .all(|f| f.certainty < Certainty::Proven)
    );
}

#[test]
fn a_status_that_was_not_asked_for_gives_nothing() {
    let line = record(EDGE, Product::Nginx).status(404);
    let outcome = Scene::new().trace(vec![first(line, vec![])]).run();
    assert!(outcome.findings.is_empty() && outcome.near_misses.is_empty());
}

#[test]
fn ten_thousand_failures_on_one_upstream_are_judged_in_no_time() {
    let mut scene = Scene::new().covered();
    for n in 0..10_000 {
        scene = scene.trace_after(
            5 * S,
            vec![first(
                post_cut(T0 + n * MS),
                vec![error_line(EDGE, Phase::Header, Fault::Closed)],
            )],
        );
    }
    let before = std::time::Instant::now();
    assert_eq!(scene.run().findings.len(), 10_000);
    assert!(before.elapsed().as_secs() < 20, "{:?}", before.elapsed());
}

#[test]
fn a_hop_without_a_known_address_is_named_by_the_requests_that_reached_it() {
    let edge = |end: i64| record(EDGE, Product::Nginx).status(502).ended(end, 9 * MS);
    let answered = edge(T0 + 5 * S).tried(ADDR, 502, Some(0), Some(8_000), 8_000);
    let mut scene = Scene::new()
        .trace(vec![first(
            post_cut(T0),
            vec![error_line(EDGE, Phase::Header, Fault::Closed)],
        )])
        .trace(vec![
            first(answered, vec![]),
            behind(0, served(502, T0 + 5 * S, 5 * MS)),
        ]);
    scene.hops[1].addresses.clear();
    scene.hops[0].upstreams.clear();
    assert_eq!(scene.finding().issuer.upstream_hop.as_deref(), Some("app"));
}
