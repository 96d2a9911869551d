//! What happens around a connection that was cut: other cuts, refusals, processes that live on, load.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase};

use super::testing::*;
use crate::model::Cause::{DroppedConnection, InvalidResponse, KeepAliveRace, ProxyTimeout, QueueingDelay};
use crate::model::stats::Second;
use crate::model::{Certainty, HopId, LimitKind, Link, Record, Subtype};

fn closed_line(at: i64) -> Record {
    error_line(EDGE, Phase::Header, Fault::Closed).with(|r| (r.start_us, r.end_us) = (Some(at), Some(at)))
}

/// A request for `path` on `addr` that was cut at `end_us` after `age_us`.
fn cut(method: &str, path: &str, addr: &str, end_us: i64, age_us: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Nginx)
        .method(method)
        .status(502)
        .ended(end_us, age_us)
        .tried(addr, 502, Some(0), None, age_us as u64)
        .with(|r| r.path = path.into());
    vec![first(line, vec![closed_line(end_us)])]
}

fn burst() -> Scene {
    Scene::new()
        .trace(cut("GET", "/a", ADDR, T0, 30 * MS))
        .trace(cut("GET", "/b", ADDR, T0 + 2 * MS, 900 * MS))
        .trace(cut("GET", "/c", ADDR, T0 + 5 * MS, 2_400 * MS))
}

/// The process of the application served from `from` to `to` seconds around `T0`.
fn served_by(mut scene: Scene, pid: u32, from: i64, to: i64) -> Scene {
    let mut lives = scene.stats.lives.remove(&HopId(APP)).unwrap_or_default();
    lives.widen(pid, (T0 + from * S, T0 + to * S));
    scene.stats.lives.insert(HopId(APP), lives);
    scene
}

#[test]
fn a_burst_that_the_process_survived_is_no_crash() {
    assert_eq!(burst().verdict().1, Subtype::WorkerCrash);
    let finding = served_by(burst(), 7, -60, 60).finding();
    assert_eq!(finding.subtype, Subtype::PrematureClose);
    assert!(
        finding.evidence.iter().any(|e| e.fact.contains("none died")),
        "{finding:#?}"
    );
}

#[test]
fn a_burst_after_which_one_of_the_processes_was_silent_is_still_a_crash() {
    let scene = served_by(served_by(burst(), 7, -60, 60), 8, -60, 0);
    assert_eq!(scene.verdict().1, Subtype::WorkerCrash);
}

#[test]
fn requests_cut_a_tenth_of_a_second_apart_did_not_die_together() {
    let scene = Scene::new()
        .trace(cut("GET", "/a", ADDR, T0, 30 * MS))
        .trace(cut("GET", "/b", ADDR, T0 + 60 * MS, 900 * MS))
        .trace(cut("GET", "/c", ADDR, T0 + 90 * MS, 2_400 * MS));
    assert_eq!(scene.verdict().1, Subtype::PrematureClose);
}

#[test]
fn a_burst_on_several_upstreams_at_once_is_a_stall_of_the_proxy() {
    let scene = burst()
        .trace(cut("POST", "/d", "10.0.0.4:8080", T0 + MS, 20 * MS))
        .trace(cut("POST", "/e", "10.0.0.5:8080", T0 + MS, 400 * MS));
    let finding = scene.finding();
    assert_ne!(finding.subtype, Subtype::WorkerCrash);
    assert!(
        finding.evidence.iter().any(|e| e.fact.contains("it had stalled")),
        "{finding:#?}"
    );
}

fn refused(end_us: i64) -> Vec<Link> {
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
fn refusals_after_the_upstream_had_served_again_are_of_a_later_death() {
    let scene = Scene::new()
        .trace(cut("GET", "/a", ADDR, T0, 400 * MS))
        .trace(refused(T0 + 8 * S));
    assert_eq!(scene.verdict().1, Subtype::WorkerCrash);
    assert_eq!(scene.covered().verdict().1, Subtype::PrematureClose);
}

/// A stock log: no times, no upstream; the error lines name it.
fn stock(method: &str, path: &str, status: u16, at: i64) -> Vec<Link> {
    let line = record(EDGE, Product::Nginx)
        .method(method)
        .status(status)
        .with(|r| {
            (r.start_us, r.end_us, r.duration_us, r.resolution_us) = (None, Some(at), None, 1_000_000);
            r.path = path.into();
        });
    let error = closed_line(at).with(|r| {
        r.attempts.push(crate::model::Attempt {
            addr: ADDR.into(),
            ..Default::default()
        });
    });
    vec![first(line, vec![error])]
}

#[test]
fn in_a_stock_log_reads_that_a_retry_saved_show_that_the_writes_lost_races() {
    let mut scene = Scene::new()
        .covered()
        .default_limit(EDGE, LimitKind::UpstreamIdle, 60 * S)
        .default_limit(APP, LimitKind::ClientIdle, 5 * S)
        .trace(stock("POST", "/orders", 502, T0));
    assert_eq!(scene.finding().cause, KeepAliveRace);
    for n in 1..4 {
        scene = scene.trace(stock("GET", "/products", 200, T0 + n * 40 * S));
    }
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.certainty),
        (KeepAliveRace, Certainty::Likely)
    );
    assert!(
        finding
            .evidence
            .iter()
            .any(|e| e.fact.contains("saved by a retry")),
        "{finding:#?}"
    );
}

#[test]
fn writes_alone_show_a_race_only_if_they_are_many_on_several_paths_and_no_read_was_cut() {
    let posts = |paths: &[&str]| {
        let mut scene = Scene::alone(Product::Nginx);
        for (n, path) in (0..).zip(paths) {
            scene = scene.trace(cut("POST", path, ADDR, T0 + n * 20 * S, 3 * MS));
        }
        scene
    };
    let many = [
        "/orders/1",
        "/orders/2/pay",
        "/orders/3",
        "/cart",
        "/orders/4/pay",
        "/orders/5",
    ];
    assert_eq!(posts(&many).finding().cause, KeepAliveRace);
    assert_eq!(posts(&["/checkout"; 6]).finding().subtype, Subtype::Ambiguous);
    assert_eq!(posts(&many[..2]).finding().subtype, Subtype::Ambiguous);
    let and_a_read = posts(&many).trace(cut("GET", "/cart", ADDR, T0 + 200 * S, 3 * MS));
    assert_eq!(and_a_read.finding().subtype, Subtype::Ambiguous);
}

/// An edge before an application whose connections end after so many requests.
fn retiring(text: &str, at: i64) -> Scene {
    Scene::of(Product::Nginx, Product::Gunicorn)
        .covered()
        .event(event(APP, Fault::Stopping, at).with(|r| r.error = text.into()))
        .trace(cut("POST", "/orders", ADDR, T0, MS))
}

#[test]
fn a_worker_that_retires_after_its_last_request_takes_idle_connections_along() {
    let finding = retiring("Autorestarting worker after current request.", T0 - 300 * MS).finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (KeepAliveRace, Subtype::MaxRequestsClose)
    );
    assert_eq!(finding.certainty, Certainty::Likely);
    assert!(rivals(&finding, Subtype::FinBeforeRequest));
}

#[test]
fn a_worker_that_stops_for_another_reason_is_a_restart() {
    let scene = retiring("Handling signal: term", T0 - 300 * MS);
    assert_eq!(
        (scene.verdict().0, scene.verdict().1),
        (DroppedConnection, Subtype::BackendRestart)
    );
}

#[test]
fn a_connection_that_had_carried_the_most_requests_of_all_was_closed_for_that() {
    let mut scene = Scene::new().covered().trace(cut("POST", "/orders", ADDR, T0, MS));
    let place = scene.traces[0].links[0].outcome.as_ref().unwrap().place;
    assert_ne!(scene.verdict().1, Subtype::MaxRequestsClose);
    scene.used_up.insert(place, 100);
    let finding = scene.finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (KeepAliveRace, Subtype::MaxRequestsClose)
    );
    assert!(finding.evidence.iter().any(|e| e.fact.contains("100 requests")));
    // Requests of all ages dying with it: the process went, not the connection.
    scene = scene
        .trace(cut("GET", "/b", ADDR, T0 + 2 * MS, 900 * MS))
        .trace(cut("GET", "/c", ADDR, T0 + 5 * MS, 2_400 * MS));
    assert_eq!(scene.verdict().1, Subtype::WorkerCrash);
}

/// The application answered so many requests in each second around `T0`, and 80 in one a minute before.
fn loaded(scene: Scene, rate: u32) -> Scene {
    let mut scene = scene;
    let load = scene.stats.load.entry(HopId(APP)).or_default();
    load.add(T0 / S - 60, requests(80));
    (-10..10).for_each(|second| load.add(T0 / S + second, requests(rate)));
    scene
}

#[test]
fn a_load_below_what_was_served_at_other_times_speaks_against_a_queue() {
    let race = |rate| {
        let scene = Scene::new()
            .configured(EDGE, LimitKind::UpstreamIdle, 75 * S)
            .configured(APP, LimitKind::ClientIdle, 5 * S)
            .trace_after(5 * S, cut("POST", "/orders", ADDR, T0, MS));
        loaded(scene, rate).finding()
    };
    let quiet = race(16);
    assert_eq!((quiet.cause, quiet.certainty), (KeepAliveRace, Certainty::Proven));
    let rival = quiet.rivals.iter().find(|r| r.cause == QueueingDelay).unwrap();
    assert!(
        rival
            .rejected_because
            .contains("16 requests a second then; it answered 80"),
        "{rival:?}"
    );
    assert!(quiet.fix.unwrap().summary.contains("76 s"));
    let busy = race(70);
    let said = busy.rivals.iter().find(|r| r.cause == QueueingDelay);
    assert!(said.is_none_or(|r| !r.rejected_because.contains("below what can be served")));
}

#[test]
fn a_timer_that_ran_out_on_a_quiet_upstream_was_no_queue_and_on_a_full_one_perhaps() {
    let stuck = |rate: u32, busy_us: u64| {
        let line = record(EDGE, Product::Nginx)
            .status(504)
            .ended(T0, 3_001 * MS)
            .tried(ADDR, 504, Some(0), None, 3_001_000);
        let error = error_line(EDGE, Phase::Header, Fault::TimedOut);
        let mut scene = loaded(Scene::new().trace(vec![first(line, vec![error])]), rate);
        let load = scene.stats.load.get_mut(&HopId(APP)).unwrap();
        *load = load
            .iter()
            .map(|(at, second)| (at, Second { busy_us, ..second }))
            .collect();
        scene.finding()
    };
    let quiet = stuck(10, 200_000);
    assert_eq!(
        (quiet.cause, quiet.subtype),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout)
    );
    let rival = quiet.rivals.iter().find(|r| r.cause == QueueingDelay).unwrap();
    assert!(
        rival.rejected_because.contains("below what can be served"),
        "{rival:?}"
    );
    let full = stuck(70, 5_000_000);
    assert_eq!(full.contributing.map(|l| l.subtype), Some(Subtype::AppQueue));
    assert!(
        full.evidence
            .iter()
            .any(|e| e.fact.contains("5.0 requests in service"))
    );
}

#[test]
fn an_error_line_that_the_status_contradicts_is_another_requests() {
    let line = record(EDGE, Product::Nginx)
        .status(504)
        .ended(T0, 3_001 * MS)
        .tried(ADDR, 504, Some(0), None, 3_001_000);
    let garbage = error_line(EDGE, Phase::Header, Fault::MalformedHeader);
    // Another request shows that header times are logged.
    let answered = record(EDGE, Product::Nginx)
        .status(502)
        .ended(T0 + 60 * S, 5 * MS)
        .tried(ADDR, 502, Some(0), Some(5_000), 5_000);
    let later = |scene: Scene| scene.trace(vec![first(answered.clone(), vec![])]);
    let scene = Scene::new().configured(EDGE, LimitKind::Read, 3 * S);
    let finding = later(scene.trace(vec![first(line.clone(), vec![garbage.clone()])])).finding();
    assert_eq!(
        (finding.cause, finding.subtype),
        (ProxyTimeout, Subtype::ResponseHeaderTimeout)
    );
    let right = Scene::new()
        .trace(vec![first(line.status(502), vec![garbage])])
        .finding();
    assert_eq!(right.cause, InvalidResponse);
}

#[test]
fn handshakes_that_apache_lost_after_one_and_the_same_time_ran_out_of_it() {
    let handshake = |at: i64, lasted: i64| {
        let line = record(EDGE, Product::Apache).status(500).ended(at, lasted);
        let error = error_line(EDGE, Phase::Tls, Fault::TlsRejected).with(|r| r.product = Product::Apache);
        vec![first(line, vec![error])]
    };
    let mut scene = Scene::alone(Product::Apache).default_limit(EDGE, LimitKind::Read, 60 * S);
    for n in 0..3 {
        scene = scene.trace(handshake(T0 + n * 10 * S, 3_002 * MS + n * MS));
    }
    let (cause, subtype, certainty) = scene.verdict();
    assert_eq!((cause, subtype), (ProxyTimeout, Subtype::TlsHandshakeTimeout));
    assert_eq!(certainty, Certainty::Likely);
    let quick = Scene::alone(Product::Apache).trace(handshake(T0, 4 * MS));
    assert_eq!(quick.verdict().1, Subtype::TlsRejected);
}

/// An answer that broke off after its header.
fn truncated() -> Scene {
    let line = record(EDGE, Product::Nginx).status(200).ended(T0, 30 * MS).tried(
        ADDR,
        200,
        Some(0),
        Some(4_000),
        30_000,
    );
    Scene::new().trace(vec![first(
        line,
        vec![error_line(EDGE, Phase::Body, Fault::Closed)],
    )])
}

#[test]
fn an_answer_that_broke_off_is_found_if_it_is_asked_for_and_else_counted() {
    let mut scene = truncated();
    let outcome = scene.run();
    assert_eq!((outcome.findings.len(), outcome.truncated.len()), (0, 1));
    scene.truncated = true;
    assert_eq!(
        scene.verdict(),
        (DroppedConnection, Subtype::ResetMidResponse, Certainty::Proven)
    );
    assert_eq!(scene.finding().status, 200);
    assert!(scene.run().truncated.is_empty());
}

#[test]
fn a_client_that_left_in_the_middle_of_an_answer_broke_nothing_off() {
    let mut scene = truncated();
    scene.truncated = true;
    scene.traces[0].links[0].details[0] = error_line(EDGE, Phase::Client, Fault::ClientGone);
    let outcome = scene.run();
    assert_eq!((outcome.findings.len(), outcome.truncated.len()), (0, 0));
}

#[test]
fn apaches_own_words_for_a_lost_handshake_are_a_timer_only_if_it_took_that_long() {
    let verdict = |lasted: i64| {
        let line = record(EDGE, Product::Apache).status(500).ended(T0, lasted);
        let error = error_line(EDGE, Phase::Tls, Fault::Other).with(|r| r.product = Product::Apache);
        let scene = Scene::alone(Product::Apache).trace(vec![first(line, vec![error])]);
        scene.verdict()
    };
    assert_eq!(
        verdict(3_016 * MS),
        (ProxyTimeout, Subtype::TlsHandshakeTimeout, Certainty::Possible)
    );
    assert_eq!(verdict(4 * MS).1, Subtype::TlsRejected);
}

#[test]
fn a_death_at_a_hop_of_unknown_address_is_of_the_upstream_that_was_cut_next_to_it() {
    let mut scene = Scene::of(Product::Nginx, Product::Gunicorn)
        .event(event(APP, Fault::WorkerCrashed, T0 + 2_600 * MS))
        .trace(cut("GET", "/a", "10.0.0.9:7000", T0, 350 * MS));
    scene.hops[APP as usize].addresses.clear();
    scene.hops[EDGE as usize].upstreams.clear();
    assert_eq!(scene.verdict().1, Subtype::WorkerCrash);
    let scene = scene.trace(cut("GET", "/b", ADDR, T0 + 2_500 * MS, 900 * MS));
    assert_eq!(scene.verdict().1, Subtype::PrematureClose);
}

/// A GET through Squid that ended without a byte after `lasted_us`; its upstream keeps connections for a shorter time.
fn lost_by_squid(lasted_us: i64) -> Scene {
    let line = record(EDGE, Product::Squid)
        .status(502)
        .ended(T0, lasted_us)
        .says(Phase::Header, Fault::Reset)
        .with(|r| {
            r.attempts.push(crate::model::Attempt {
                addr: ADDR.into(),
                ..Default::default()
            });
        });
    Scene::of(Product::Squid, Product::Node)
        .configured(EDGE, LimitKind::UpstreamIdle, 60 * S)
        .default_limit(APP, LimitKind::ClientIdle, 5 * S)
        .covered()
        .trace(vec![first(line, vec![])])
}

#[test]
fn a_request_that_was_never_taken_up_by_processes_that_lived_on_was_lost_to_a_race() {
    let scene = served_by(lost_by_squid(131 * MS), 7, -60, 60);
    assert_eq!(
        scene.verdict(),
        (KeepAliveRace, Subtype::RstOnReuse, Certainty::Likely)
    );
}

#[test]
fn it_is_not_where_a_process_was_not_heard_of_again_or_no_log_says() {
    let scene = served_by(lost_by_squid(131 * MS), 7, -60, 0);
    assert_ne!(scene.finding().cause, KeepAliveRace);
    assert_ne!(lost_by_squid(131 * MS).finding().cause, KeepAliveRace);
}
