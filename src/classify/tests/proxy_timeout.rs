use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, ProxyTimeout, QueueingDelay, Unexplained};
use crate::model::{Certainty, LimitKind, Record, Subtype};

fn late(status: u16, lasted_us: i64, connect: Option<u64>) -> Record {
    record(EDGE, Product::Nginx)
        .status(status)
        .ended(T0, lasted_us)
        .tried(ADDR, status, connect, None, lasted_us as u64)
}

fn timer_line(phase: Phase) -> Vec<Record> {
    vec![error_line(EDGE, phase, Fault::TimedOut)]
}

#[test]
fn nginx_in_words_with_an_app_that_was_still_at_it_is_proven() {
    let links = vec![
        first(late(504, 3_002 * MS, Some(0)), timer_line(Phase::Header)),
        behind(0, served(200, T0 + 2 * S, 5 * S)),
    ];
    let scene = Scene::new().configured(EDGE, LimitKind::Read, 3 * S).trace(links);
    let finding = scene.finding();
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout, Certainty::Proven)
    );
    assert!(rivals(&finding, Subtype::AppQueue));
    insta::assert_json_snapshot!((&finding.evidence, &finding.rivals, &finding.missing, &finding.fix));
}

#[test]
fn without_the_app_the_timer_is_a_fact_and_its_reason_is_missing() {
    let links = vec![first(late(504, 3_002 * MS, Some(0)), timer_line(Phase::Header))];
    let finding = Scene::alone(Product::Nginx).trace(links).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (ProxyTimeout, Certainty::Proven)
    );
    assert!(misses(&finding, "to separate slow work from queueing"));
}

#[test]
fn fields_alone_make_a_timeout_likely_unless_the_timer_is_configured() {
    let links = vec![first(late(504, 60_001 * MS, Some(0)), vec![])];
    let default = Scene::new()
        .default_limit(EDGE, LimitKind::Read, 60 * S)
        .trace(links.clone());
    assert_eq!(
        default.verdict(),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout, Certainty::Likely)
    );
    assert!(misses(&default.finding(), "the error log of edge"));
    let configured = Scene::new()
        .configured(EDGE, LimitKind::Read, 60 * S)
        .trace(links);
    assert_eq!(configured.finding().certainty, Certainty::Proven);
}

#[test]
fn connect_and_tls_are_told_apart_by_words_and_not_by_fields() {
    let words = Scene::new().trace(vec![first(
        late(504, 2_001 * MS, None),
        timer_line(Phase::Connect),
    )]);
    assert_eq!(
        words.verdict(),
        (ProxyTimeout, Subtype::ConnectTimeout, Certainty::Proven)
    );
    let words = Scene::new().trace(vec![first(late(504, 2_001 * MS, None), timer_line(Phase::Tls))]);
    assert_eq!(
        words.verdict(),
        (ProxyTimeout, Subtype::TlsHandshakeTimeout, Certainty::Proven)
    );
    let fields = Scene::new()
        .trace(vec![first(late(504, 2_001 * MS, None), vec![])])
        .trace(vec![first(late(504, 3_001 * MS, Some(0)), vec![])]);
    let finding = fields.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::ConnectTimeout, Certainty::Likely)
    );
    assert!(rivals(&finding, Subtype::TlsHandshakeTimeout));
}

#[test]
fn haproxys_sc_timer_on_a_tls_server_is_ambiguous_and_says_so() {
    let line = record(EDGE, Product::Haproxy)
        .status(503)
        .ended(T0, 2_002 * MS)
        .tried("s1", 503, None, None, 2_002_000)
        .says(Phase::ConnectOrTls, Fault::TimedOut);
    let mut scene = Scene::of(Product::Haproxy, Product::Node)
        .configured(EDGE, LimitKind::Connect, 2 * S)
        .trace(vec![first(line, vec![])]);
    scene.limits.tls = Some(false);
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::ConnectTimeout, Certainty::Proven)
    );
    scene.limits.tls = Some(true);
    let finding = scene.finding();
    assert_eq!(
        (finding.subtype, finding.certainty),
        (Subtype::TlsHandshakeTimeout, Certainty::Possible)
    );
    assert!(rivals(&finding, Subtype::ConnectTimeout));
}

#[test]
fn apaches_handshake_error_is_a_timeout_only_after_its_timer() {
    let links = |lasted: i64| {
        let error = error_line(EDGE, Phase::Tls, Fault::Other).with(|r| r.product = Product::Apache);
        let line = record(EDGE, Product::Apache).status(500).ended(T0, lasted);
        vec![first(line, vec![error])]
    };
    let scene = |lasted| {
        Scene::of(Product::Apache, Product::Node)
            .configured(EDGE, LimitKind::Read, 3 * S)
            .trace(links(lasted))
    };
    assert_eq!(scene(3_003 * MS).finding().subtype, Subtype::TlsHandshakeTimeout);
    assert_eq!(
        scene(2 * MS).verdict(),
        (DroppedConnection, Subtype::TlsRejected, Certainty::Proven)
    );
}

#[test]
fn a_client_that_left_is_no_fault_of_the_upstream() {
    let line = late(499, 505 * MS, Some(0)).with(|r| r.attempts[0].status = None);
    let scene = Scene::new().trace(vec![first(
        line,
        vec![error_line(EDGE, Phase::Client, Fault::ClientGone)],
    )]);
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::ClientTimeout, Certainty::Proven)
    );
}

#[test]
fn an_answer_that_stalled_was_not_saved_by_a_retry() {
    let line = record(EDGE, Product::Nginx)
        .status(200)
        .ended(T0, 3_003 * MS)
        .tried(ADDR, 200, Some(0), Some(4_000), 3_003_000);
    let outcome = Scene::new()
        .trace(vec![first(line, timer_line(Phase::Body))])
        .run();
    assert!(outcome.findings.is_empty());
    assert!(outcome.near_misses.is_empty());
}

#[test]
fn http_proxys_socket_hang_up_at_its_own_timer_is_a_timeout() {
    let line = |n: i64| {
        record(EDGE, Product::Node)
            .status(502)
            .ended(T0 + n * 20 * S, 3_004 * MS)
            .says(Phase::Header, Fault::Closed)
    };
    let mut scene = Scene::of(Product::Node, Product::Node).trace(vec![
        first(line(0), vec![]),
        behind(0, served(200, T0 + 2 * S, 5 * S)),
    ]);
    for n in 1..4 {
        scene = scene.trace(vec![first(line(n), vec![])]);
    }
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout)
    );
    assert_eq!(finding.certainty, Certainty::Likely);
    let alone = Scene::of(Product::Node, Product::Node).trace(vec![first(line(0), vec![])]);
    assert_eq!(alone.finding().cause, DroppedConnection);
}

#[test]
fn a_single_hang_up_just_past_a_round_value_is_possibly_a_timeout_if_the_upstream_was_still_at_it() {
    let after = |lasted_us: i64| {
        let line = record(EDGE, Product::Node)
            .status(502)
            .ended(T0, lasted_us)
            .says(Phase::Header, Fault::Closed);
        let scene = Scene::of(Product::Node, Product::Node).trace(vec![
            first(line, vec![]),
            behind(0, served(200, T0 + 2 * S, 5 * S)),
        ]);
        scene.finding()
    };
    let finding = after(3_001 * MS);
    assert_eq!(
        (finding.cause, finding.certainty),
        (ProxyTimeout, Certainty::Possible)
    );
    assert_ne!(after(2_700 * MS).cause, ProxyTimeout);
    assert_ne!(after(2_999 * MS).cause, ProxyTimeout);
}

#[test]
fn statuses_without_reasons_that_pile_up_at_a_round_time_are_a_learnt_timeout() {
    let line = |n: i64| {
        record(EDGE, Product::Unknown)
            .status(502)
            .ended(T0 + n * S, 10_003 * MS)
    };
    let mut scene = Scene::alone(Product::Unknown);
    for n in 0..5 {
        scene = scene.trace(vec![first(line(n), vec![])]);
    }
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::TotalTimeout, Certainty::Likely)
    );
    assert_eq!(scene.run().inferences[0].value_ms, 10_000.0);
    let one = Scene::alone(Product::Unknown).trace(vec![first(line(0), vec![])]);
    assert_eq!(one.finding().cause, Unexplained);
}

#[test]
fn connects_that_hang_together_while_the_app_serves_others_hint_at_its_backlog() {
    let mut scene = Scene::new().covered();
    for _ in 0..3 {
        scene = scene.trace(vec![first(
            late(504, 2_001 * MS, None),
            timer_line(Phase::Connect),
        )]);
    }
    let finding = scene.finding();
    assert_eq!(finding.subtype, Subtype::ConnectTimeout);
    assert_eq!(
        finding.contributing.map(|c| c.subtype),
        Some(Subtype::ListenBacklog)
    );
    let said = scene.event(event(APP, Fault::QueueFull, T0 - S)).finding();
    assert_eq!(
        (said.cause, said.subtype),
        (QueueingDelay, Subtype::ListenBacklog)
    );
}

#[test]
fn haproxys_queue_before_a_header_timeout_contributes_but_a_retry_does_not() {
    let line = |retries: u16| {
        record(EDGE, Product::Haproxy)
            .status(504)
            .ended(T0, 5_000 * MS)
            .tried("s1", 504, Some(0), None, 3_000_000)
            .says(Phase::Header, Fault::TimedOut)
            .with(|r| (r.queue_us, r.retries) = (2_000_000.into(), retries))
    };
    let scene = |retries| {
        Scene::of(Product::Haproxy, Product::Node)
            .trace(vec![
                first(line(retries), vec![]),
                behind(0, served(200, T0 + S, 4 * S)),
            ])
            .finding()
    };
    assert_eq!(
        scene(0).contributing.map(|c| c.subtype),
        Some(Subtype::ProxyQueueTimeout)
    );
    assert_eq!(scene(1).contributing, None);
}
