//! Known incidents and measured behaviour of real servers, as records, with the verdict they must get.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Phase};

use super::testing::*;
use crate::model::Cause::{
    DroppedConnection, InvalidResponse, KeepAliveRace, ProxyTimeout, QueueingDelay, Unexplained, Upstream502,
};
use crate::model::{Certainty, JoinedBy, LimitKind, Record, Subtype};

fn lone(product: Product, status: u16, lasted_us: i64) -> Record {
    record(EDGE, product).status(status).ended(T0, lasted_us)
}

#[test]
fn a_java_gateway_that_gives_up_after_its_ten_seconds_is_a_header_timeout() {
    let line = lone(Product::Java, 502, 10_025 * MS).says(Phase::Header, Fault::TimedOut);
    let scene = Scene::alone(Product::Java)
        .default_limit(EDGE, LimitKind::Read, 10 * S)
        .trace(vec![first(line, vec![])]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout)
    );
    assert!(
        finding
            .evidence
            .iter()
            .any(|e| e.fact.contains("10 s (java default)")),
        "{finding:#?}"
    );
}

#[test]
fn a_handshake_that_a_gateway_waited_55_seconds_for_is_a_tls_timeout() {
    let line = lone(Product::Java, 502, 55_221 * MS).says(Phase::Tls, Fault::TimedOut);
    let scene = Scene::alone(Product::Java).trace(vec![first(line, vec![])]);
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::TlsHandshakeTimeout, Certainty::Proven)
    );
}

fn microgateway(method: &str, lasted_us: i64) -> Vec<crate::model::Link> {
    let step = record(EDGE, Product::EdgeMicro)
        .says(Phase::Header, Fault::Closed)
        .with(|r| {
            r.kind = Kind::Failure;
            r.duration_us = Some(lasted_us as u64);
            r.attempts.push(crate::model::Attempt {
                addr: ADDR.into(),
                ..Default::default()
            });
        });
    let line = lone(Product::EdgeMicro, 502, lasted_us)
        .method(method)
        .says(Phase::Header, Fault::Closed);
    vec![first(line, vec![step])]
}

#[test]
fn a_microgateway_post_after_five_idle_seconds_is_a_race() {
    let scene = Scene::of(Product::EdgeMicro, Product::Node)
        .covered()
        .configured(APP, LimitKind::ClientIdle, 5 * S)
        .trace_after(5 * S, microgateway("POST", 2 * MS));
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (KeepAliveRace, Subtype::FinBeforeRequest)
    );
    assert_eq!(finding.certainty, Certainty::Proven, "{finding:#?}");
}

#[test]
fn a_microgateway_get_that_hangs_up_after_395_ms_is_a_premature_close() {
    let scene = Scene::alone(Product::EdgeMicro).trace(microgateway("GET", 395 * MS));
    let (cause, subtype, certainty) = scene.verdict();
    assert_eq!((cause, subtype), (DroppedConnection, Subtype::PrematureClose));
    assert_eq!(certainty, Certainty::Likely);
}

#[test]
fn a_microgateway_that_writes_econnreset_for_its_own_timer_timed_out() {
    let mut links = microgateway("GET", 3_006 * MS);
    links[0].outcome = Some(lone(Product::EdgeMicro, 504, 3_007 * MS).says(Phase::Unknown, Fault::TimedOut));
    let scene = Scene::of(Product::EdgeMicro, Product::Node).trace(links);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout)
    );
    assert!(rivals(&finding, Subtype::ConnectTimeout));
}

#[test]
fn a_proxy_that_gave_up_at_180_seconds_on_a_page_that_iis_served_longer_timed_out() {
    let line = lone(Product::Unknown, 502, 180_004 * MS).says(Phase::Header, Fault::TimedOut);
    let page = record(APP, Product::Iis).status(200).ended(T0 + 45 * S, 225 * S);
    let scene = Scene::of(Product::Unknown, Product::Iis)
        .configured(EDGE, LimitKind::Read, 180 * S)
        .trace(vec![first(line, vec![]), behind(0, page)]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout)
    );
    assert_eq!(finding.certainty, Certainty::Proven);
    assert_eq!(finding.issuer.hop, "edge");
}

#[test]
fn no_iis_entry_and_a_recycled_pool_is_an_app_pool_recycle() {
    let line = lone(Product::Iis, 502, 2_000 * MS).with(|r| {
        (r.substatus, r.win32_status) = (3, 12030);
    });
    let scene = Scene::of(Product::Iis, Product::Iis)
        .covered()
        .event(event(APP, Fault::Recycled, T0 - S))
        .trace(vec![first(line, vec![])]);
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::AppPoolRecycle, Certainty::Proven)
    );
}

#[test]
fn a_timeout_on_a_page_that_took_a_moment_but_began_late_is_queueing() {
    let line = lone(Product::Apache, 502, 3_002 * MS);
    let error = error_line(EDGE, Phase::Header, Fault::TimedOut).with(|r| r.product = Product::Apache);
    let page = record(APP, Product::Gunicorn)
        .status(200)
        .ended(T0 + 2 * S, 40 * MS);
    let scene =
        Scene::of(Product::Apache, Product::Gunicorn).trace(vec![first(line, vec![error]), behind(0, page)]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (QueueingDelay, Subtype::AppQueue)
    );
    assert_eq!(finding.certainty, Certainty::Proven);
    assert!(rivals(&finding, Subtype::ResponseHeaderTimeout));
    assert!(finding.fix.unwrap().summary.contains("make the queue longer"));
}

#[test]
fn a_quiet_gateway_with_75_seconds_before_an_app_with_5_loses_races() {
    let mut line = post_cut(T0);
    line.ids.push("a-1".into());
    let scene = Scene::new()
        .covered()
        .configured(EDGE, LimitKind::UpstreamIdle, 75 * S)
        .configured(APP, LimitKind::ClientIdle, 5 * S)
        .trace_after(
            5 * S,
            vec![first(line, vec![error_line(EDGE, Phase::Header, Fault::Closed)])],
        );
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (KeepAliveRace, Certainty::Proven)
    );
    assert!(finding.fix.unwrap().summary.contains("76 s"));
}

/// Behind a gateway with 75 s, an application with 5 s, at 15 requests a second.
fn quiet_gateway(elsewhere: u32) -> Scene {
    let mut line = post_cut(T0);
    line.ids.push("a-1".into());
    Scene::new()
        .load(15, 300, elsewhere)
        .configured(EDGE, LimitKind::UpstreamIdle, 75 * S)
        .configured(APP, LimitKind::ClientIdle, 5 * S)
        .trace_after(
            5 * S,
            vec![first(line, vec![error_line(EDGE, Phase::Header, Fault::Closed)])],
        )
}

#[test]
fn less_load_than_is_served_at_other_times_speaks_against_a_queue() {
    // Less than 1000 a minute, where 5000 a minute go well.
    let finding = quiet_gateway(84).finding();
    assert_eq!(finding.cause, KeepAliveRace);
    let queue = finding.rivals.iter().find(|r| r.subtype == Subtype::AppQueue);
    assert!(
        queue.is_some_and(|r| r.rejected_because.contains("84 in a second at other times")),
        "{finding:#?}"
    );
    // As much as ever says nothing.
    assert!(!rivals(&quiet_gateway(16).finding(), Subtype::AppQueue));
}

#[test]
fn less_load_than_the_known_capacity_speaks_against_a_queue() {
    let finding = quiet_gateway(16).capacity(8).finding();
    let queue = finding.rivals.iter().find(|r| r.subtype == Subtype::AppQueue);
    assert!(
        queue.is_some_and(|r| r.rejected_because.contains("it can have 8 at once")),
        "{finding:#?}"
    );
}

#[test]
fn a_get_that_nginx_saved_by_a_second_attempt_is_a_near_miss() {
    let line = record(EDGE, Product::Nginx)
        .status(200)
        .tried(ADDR, 502, Some(0), None, 1_000)
        .tried(ADDR, 200, Some(0), Some(1_000), 1_000);
    let error = error_line(EDGE, Phase::Header, Fault::Reset);
    let outcome = Scene::new().covered().trace(vec![first(line, vec![error])]).run();
    assert!(outcome.findings.is_empty());
    let miss = &outcome.near_misses[0];
    assert_eq!(
        (miss.cause, miss.subtype, miss.count),
        (KeepAliveRace, Subtype::RstOnReuse, 1)
    );
}

#[test]
fn an_nginx_that_got_no_header_from_a_silent_haproxy_points_to_a_race_behind_it() {
    let scene = Scene::of(Product::Nginx, Product::Haproxy)
        .covered()
        .trace(vec![first(
            post_cut(T0),
            vec![error_line(EDGE, Phase::Header, Fault::Closed)],
        )]);
    let finding = scene.finding();
    assert_eq!(finding.cause, KeepAliveRace);
    assert!(
        finding
            .evidence
            .iter()
            .any(|e| e.fact.contains("neither answers nor logs"))
    );
}

#[test]
fn an_apache_that_drops_its_client_is_the_hop_whose_exchange_failed() {
    let edge = post_cut(T0);
    let apache = record(APP, Product::Apache)
        .method("POST")
        .status(502)
        .ended(T0, MS);
    let mut inner = behind(0, apache);
    let error = error_line(APP, Phase::Header, Fault::Closed).with(|r| r.product = Product::Apache);
    inner.details.push(error);
    let scene = Scene::of(Product::Nginx, Product::Apache).trace(vec![
        first(edge, vec![error_line(EDGE, Phase::Header, Fault::Closed)]),
        inner,
    ]);
    assert_eq!(scene.finding().issuer.hop, "app");
}

#[test]
fn an_apache_502_with_70007_is_a_timeout() {
    let error = error_line(EDGE, Phase::Header, Fault::TimedOut).with(|r| r.product = Product::Apache);
    let scene =
        Scene::alone(Product::Apache).trace(vec![first(lone(Product::Apache, 502, 3_001 * MS), vec![error])]);
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout, Certainty::Proven)
    );
}

#[test]
fn a_caddy_502_with_a_dial_timeout_is_a_connect_timeout() {
    let line = lone(Product::Caddy, 502, 2_001 * MS).says(Phase::Connect, Fault::TimedOut);
    let scene = Scene::alone(Product::Caddy).trace(vec![first(line, vec![])]);
    assert_eq!(
        scene.verdict(),
        (ProxyTimeout, Subtype::ConnectTimeout, Certainty::Proven)
    );
}

#[test]
fn a_504_with_econnreset_at_once_is_no_timeout() {
    let line = lone(Product::Node, 504, 3 * MS).says(Phase::Header, Fault::Reset);
    let scene = Scene::alone(Product::Node).trace(vec![first(line, vec![])]);
    assert_ne!(scene.finding().cause, ProxyTimeout);
}

#[test]
fn the_status_009_of_nginx_is_an_answer_that_was_no_http() {
    let line = record(EDGE, Product::Nginx)
        .status(9)
        .tried(ADDR, 200, Some(0), Some(25_000), 65_000);
    let error = error_line(EDGE, Phase::Header, Fault::MalformedHeader);
    let scene = Scene::new().trace(vec![first(line, vec![error])]);
    assert_eq!(
        scene.verdict(),
        (InvalidResponse, Subtype::MalformedHeader, Certainty::Proven)
    );
}

#[test]
fn an_application_that_answers_502_is_the_issuer() {
    let edge = record(EDGE, Product::Nginx)
        .status(502)
        .tried(ADDR, 502, Some(0), Some(8_000), 8_000);
    let scene = Scene::new().trace(vec![first(edge, vec![]), behind(0, served(502, T0, 5 * MS))]);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (Upstream502, Certainty::Proven)
    );
    assert_eq!(finding.issuer.hop, "app");
}

#[test]
fn a_502_from_a_server_without_logs_names_its_address() {
    let edge = record(EDGE, Product::Nginx)
        .status(502)
        .tried(ADDR, 502, Some(0), Some(8_000), 8_000);
    let finding = Scene::alone(Product::Nginx)
        .trace(vec![first(edge, vec![])])
        .finding();
    assert_eq!((finding.cause, &*finding.issuer.hop), (Upstream502, ADDR));
    assert!(misses(&finding, ADDR));
}

#[test]
fn a_bare_502_of_nobody_knows_which_server_is_unexplained() {
    let line = lone(Product::Unknown, 502, 17 * MS);
    let finding = Scene::alone(Product::Unknown)
        .trace(vec![first(line, vec![])])
        .finding();
    assert_eq!(finding.cause, Unexplained);
    assert!(misses(&finding, "the error log of edge"));
}

#[test]
fn an_ambiguous_join_makes_queueing_a_level_less_sure() {
    let error = error_line(EDGE, Phase::Header, Fault::TimedOut);
    let line = lone(Product::Nginx, 504, 3_002 * MS).tried(ADDR, 504, Some(0), None, 3_002_000);
    let mut app = behind(0, served(200, T0 + 2 * S, 40 * MS));
    (app.joined_by, app.ambiguous) = (JoinedBy::Time, true);
    let finding = Scene::new().trace(vec![first(line, vec![error]), app]).finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (QueueingDelay, Certainty::Likely)
    );
    assert!(misses(&finding, "an id that both logs share"));
}

#[test]
fn an_answer_that_the_proxy_before_iis_could_not_accept_is_invalid() {
    let line = lone(Product::Iis, 502, 40 * MS).with(|r| (r.substatus, r.win32_status) = (3, 12152));
    let page = record(APP, Product::Iis).status(200).ended(T0, 30 * MS);
    let scene = Scene::of(Product::Iis, Product::Iis).trace(vec![first(line, vec![]), behind(0, page)]);
    let (cause, subtype, _) = scene.verdict();
    assert_eq!((cause, subtype), (InvalidResponse, Subtype::MalformedHeader));
}

#[test]
fn a_post_that_nginx_lost_in_no_time_is_a_race_if_its_connection_was_an_old_one() {
    let lost = |reused: Option<bool>| {
        let line = post_cut(T0).with(|r| r.reused = reused);
        let error = error_line(EDGE, Phase::Header, Fault::Closed);
        Scene::new()
            .covered()
            .trace(vec![first(line, vec![error])])
            .finding()
    };
    assert_eq!(lost(Some(true)).cause, KeepAliveRace);
    assert_eq!(lost(Some(false)).cause, DroppedConnection);
}
