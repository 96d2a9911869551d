use crate::model::Particulars;
use why502_parsers::Product;

use super::super::testing::*;
use super::*;
use crate::model::{Logs, Rewrite};

/// Proxies in a row, and an application at the end.
fn hops(count: u16) -> Vec<Hop> {
    let hop = |n: u16| Hop {
        name: format!("hop{n}"),
        product: if n + 1 == count {
            Product::Node
        } else {
            Product::Nginx
        },
        upstreams: (n + 1 < count).then_some(HopId(n + 1)).into_iter().collect(),
        addresses: Vec::new(),
        logs: Logs::default(),
        rewrites: Vec::new(),
    };
    (0..count).map(hop).collect()
}

/// Which lines are of one request: hop and line number of each record, request by request, and whether sure.
fn joined(records: Vec<Record>, count: u16) -> Vec<Vec<(u16, u64, JoinedBy, bool)>> {
    let of = |trace: &Trace| {
        let link = |link: &Link| {
            let line = link.records().next().map_or(0, |record| record.place.line);
            (link.hop.0, line, link.joined_by, link.ambiguous)
        };
        trace.links.iter().map(link).collect()
    };
    join(records, &hops(count)).iter().map(of).collect()
}

#[test]
fn an_id_that_a_gateway_replaces_by_its_own_joins_by_way_of_the_gateway() {
    let (given, own) = (
        "4c5e9f6684f3297806650969d075d15f",
        "0b0f2bd2-7d0e-4b1d-9ac6-1f2d3c4b5a69",
    );
    let records = vec![
        request(0, 1, (0, 90), &[given]),
        request(1, 1, (1, 88), &[given, own]),
        request(2, 1, (2, 80), &[&own.to_uppercase()]),
        request(0, 2, (5, 90), &["95b5b2f0e9e7f40c2f42d7d5d5a1b6aa"]),
    ];
    let found = joined(records, 3);
    assert_eq!(found.len(), 2);
    let ids: Vec<_> = found[0].iter().map(|link| (link.0, link.1)).collect();
    assert_eq!(ids, [(0, 1), (1, 1), (2, 1)]);
    assert!(found[0][1..].iter().all(|link| link.2 == JoinedBy::Id));
}

#[test]
fn ids_of_every_kind_join_across_the_ways_they_are_written() {
    for (outer, inner) in [
        (
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "4bf92f3577b34da6a3ce929d0e0e4736",
        ),
        (
            "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1-05e3ac9a4f6e3b90",
            "80f198ee56343ba864fe8b2a57d3eff7",
        ),
        ("a3ce929d0e0e4736-00f067aa0ba902b7-1", "a3ce929d0e0e4736"),
        (
            "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678",
            "Root=1-67891233-abcdef012345678912345678;Parent=53995c3f42cd8ad8;Sampled=1",
        ),
        (
            "7F000001:C1B4_7F000001:1F90_691F6A0C_0007:5BC5",
            "7F000001:C1B4_7F000001:1F90_691F6A0C_0007:5BC5",
        ),
        ("awC4B9T9lfEjviav5lpAeAAAAAA", "awC4B9T9lfEjviav5lpAeAAAAAA"),
    ] {
        let records = vec![
            request(0, 1, (0, 90), &[outer]),
            request(0, 2, (1, 90), &["95b5b2f0e9e7f40c2f42d7d5d5a1b6aa"]),
            request(1, 1, (2, 87), &[inner]),
        ];
        let found = joined(records, 2);
        assert_eq!(found[0].get(1), Some(&(1, 1, JoinedBy::Id, false)), "{outer}");
    }
}

#[test]
fn placeholders_and_ids_of_probes_join_nothing() {
    for constant in [
        "-",
        "0",
        "00000000-0000-0000-0000-000000000000",
        "unknown",
        "health-check-probe",
    ] {
        let mut records = Vec::new();
        for n in 1..=3 {
            let mut outer = request(0, n, (n as i64 * 1_000, 50), &[constant]);
            outer.path = format!("/{n}").into();
            let mut inner = request(1, n, (n as i64 * 1_000 + 400, 50), &[constant]);
            inner.path = format!("/inner/{n}").into();
            records.extend([outer, inner]);
        }
        let found = joined(records, 2);
        assert!(
            found.iter().flatten().all(|link| link.2 != JoinedBy::Id),
            "{constant}: {found:?}"
        );
    }
}

#[test]
fn of_two_requests_with_one_id_the_one_for_the_same_thing_is_joined() {
    let id = "4c5e9f6684f3297806650969d075d15f";
    let mut other = request(0, 2, (0, 400), &[id]);
    other.path = "/other".into();
    let records = vec![
        request(0, 1, (10, 90), &[id]),
        other,
        request(1, 1, (95, 10), &[id]),
    ];
    let found = joined(records, 2);
    let trace = found.iter().find(|trace| trace.len() == 2).unwrap();
    assert_eq!((trace[0].1, trace[1].1), (1, 1));
}

#[test]
fn without_ids_the_whole_is_matched_and_not_the_first_pair() {
    // Line 1 of hop 1 fits both requests of hop 0; line 2 fits the first only.
    let records = vec![
        request(0, 1, (0, 100), &[]),
        request(0, 2, (30, 100), &[]),
        request(1, 1, (28, 100), &[]),
        request(1, 2, (2, 100), &[]),
    ];
    let found = joined(records, 2);
    let pairs: Vec<_> = found
        .iter()
        .map(|trace| (trace[0].1, trace[1].1, trace[1].3))
        .collect();
    assert_eq!(pairs, [(1, 2, false), (2, 1, false)]);
}

#[test]
fn requests_that_are_alike_to_the_last_field_are_ambiguous() {
    let records = vec![
        request(0, 1, (0, 100), &[]),
        request(0, 2, (1, 100), &[]),
        request(1, 1, (2, 97), &[]),
        request(1, 2, (2, 97), &[]),
    ];
    let found = joined(records, 2);
    assert!(
        found.iter().all(|trace| trace.len() == 2 && trace[1].3),
        "{found:?}"
    );
}

#[test]
fn a_counter_that_both_logs_have_decides_between_neighbours() {
    let records = vec![
        request(0, 1, (0, 100), &["98342"]),
        request(0, 2, (1, 100), &["98345"]),
        request(1, 1, (2, 97), &["98345"]),
        request(1, 2, (2, 97), &["98342"]),
    ];
    let found = joined(records, 2);
    let pairs: Vec<_> = found
        .iter()
        .map(|trace| (trace[0].1, trace[1].1, trace[1].3))
        .collect();
    assert_eq!(pairs, [(1, 2, false), (2, 1, false)]);
}

#[test]
fn every_attempt_of_a_retried_request_is_a_record_of_its_own() {
    let id = "4c5e9f6684f3297806650969d075d15f";
    for ids in [&[id][..], &[]] {
        let mut outer = request(0, 1, (0, 300), ids);
        outer.status = Some(502);
        outer.attempts = (0..3).map(|n| attempt(&format!("10.0.0.{n}:80"), None)).collect();
        let cut = |n: u64, at: i64| {
            Record::from(Particulars {
                status: None,
                ..request(1, n, (at, 90), ids).particulars()
            })
        };
        let found = joined(vec![outer, cut(1, 1), cut(2, 100), cut(3, 200)], 2);
        assert_eq!(found.len(), 1, "{ids:?}");
        let lines: Vec<_> = found[0].iter().map(|link| (link.0, link.1)).collect();
        assert_eq!(lines, [(0, 1), (1, 1), (1, 2), (1, 3)], "{ids:?}");
    }
}

/// The rows that are joined by time if the outer hop logs `asked` and the inner one `sent`.
fn joined_by_path(rules: &[Rewrite], asked: &str, sent: &str) -> bool {
    let mut hops = hops(2);
    hops[0].rewrites = rules.to_vec();
    let on = |path: &str, mut record: Record| {
        record.path = path.into();
        record
    };
    let records = vec![
        on(asked, request(0, 1, (0, 90), &[])),
        on(sent, request(1, 1, (1, 88), &[])),
    ];
    join(records, &hops).len() == 1
}

#[test]
fn a_request_is_recognised_behind_a_hop_that_changes_its_path() {
    let strip = [Rewrite::new("/api", "")];
    assert!(joined_by_path(&strip, "/api/orders/7?full=1", "/orders/7"));
    assert!(!joined_by_path(&[], "/api/orders/7", "/orders/7"));
    assert!(!joined_by_path(&strip, "/api/orders/7", "/orders/8"));
    let replace = [Rewrite::new("/api", "/v2"), Rewrite::new("/api/old", "/v1")];
    assert!(joined_by_path(&replace, "/api/old/a", "/v1/a"));
    assert!(joined_by_path(&replace, "/api/new/a", "/v2/new/a"));
}

#[test]
fn a_request_is_recognised_in_another_spelling_of_its_path() {
    assert!(joined_by_path(&[], "/a%20b/C?x=1", "/a b/c"));
    assert!(joined_by_path(&[], "http://shop.example.com/a", "/a"));
    assert!(!joined_by_path(&[], "/a?x=1", "/a?x=2"));
}

#[test]
fn the_spellings_of_a_path_are_those_of_all_hops() {
    let mut hops = hops(3);
    hops[0].rewrites = vec![Rewrite::new("/api", "")];
    hops[1].rewrites = vec![Rewrite::new("", "/shop")];
    let all = |hop: u16, path: &str| spellings(&hops, HopId(hop), path);
    assert_eq!(all(0, "/api/a"), ["/a", "/api/a", "/shop/a"]);
    for spelt in ["/a", "/api/a", "/shop/a"] {
        assert!(all(1, "/a").contains(&spelt.to_owned()), "{spelt}");
    }
    assert!(all(2, "/shop/a").contains(&"/api/a".to_owned()));
    assert_eq!(all(2, ""), [""; 0]);
}

#[test]
fn hops_that_call_each_other_are_followed_inwards() {
    let mut hops = hops(3);
    hops[0].upstreams = Vec::new();
    hops[1].upstreams = vec![HopId(1), HopId(2)];
    hops[2].upstreams = vec![HopId(0), HopId(1)];
    let (first, second) = (
        "4c5e9f6684f3297806650969d075d15f",
        "95b5b2f0e9e7f40c2f42d7d5d5a1b6aa",
    );
    for ids in [[first, second], [first, first], ["-", "-"]] {
        let records = vec![
            request(0, 1, (0, 90), &ids),
            request(1, 1, (1, 88), &ids[..1]),
            request(2, 1, (2, 86), &ids[1..]),
        ];
        let traces = join(records, &hops);
        let along: Vec<Vec<HopId>> = traces
            .iter()
            .map(|trace| trace.links.iter().map(|link| link.hop).collect())
            .collect();
        let whole = vec![HopId(0), HopId(1), HopId(2)];
        let expected = if ids[0] == "-" {
            vec![whole[..1].to_vec(), whole[1..].to_vec()]
        } else {
            vec![whole]
        };
        assert_eq!(along, expected, "{ids:?}");
    }
}

#[test]
fn of_a_request_whose_start_is_not_logged_the_ends_are_compared() {
    let ended = |n: u64, end_ms: i64, status: u16| {
        let whole = request(0, n, (end_ms, 0), &[]);
        let end_us = whole.end_us.map(|us| us - us % 1_000_000);
        Record::from(Particulars {
            start_us: None,
            duration_us: None,
            end_us,
            resolution_us: 1_000_000,
            status: Some(status),
            ..whole.particulars()
        })
    };
    let inner = |n: u64, span: (i64, i64), status: u16| {
        Record::from(Particulars {
            status: Some(status),
            ..request(1, n, span, &[]).particulars()
        })
    };
    let pairs = |records: Vec<Record>| -> Vec<Vec<(u16, u64)>> {
        let lines = |trace: Vec<(u16, u64, JoinedBy, bool)>| trace.iter().map(|l| (l.0, l.1)).collect();
        joined(records, 2).into_iter().map(lines).collect()
    };
    // Long ones end together; one that began when the outer one ended is another.
    for status in [200, 504] {
        let records = vec![
            ended(1, 9_400, status),
            inner(1, (3_000, 6_350), status),
            inner(2, (9_100, 4_000), 200),
        ];
        let found = pairs(records);
        assert!(found.contains(&vec![(0, 1), (1, 1)]), "{status}: {found:?}");
    }
    // Which ended long before is not waited for, and what is answered has ended.
    for (span, status, is_joined) in [
        ((3_000, 500), 504, false),
        ((3_000, 9_000), 200, false),
        ((3_000, 9_000), 504, true),
    ] {
        let found = pairs(vec![ended(1, 9_400, status), inner(1, span, status)]);
        assert_eq!(found.len() == 1, is_joined, "{span:?} {status}: {found:?}");
    }
}
