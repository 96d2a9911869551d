use crate::model::Particulars;
use why502_parsers::Product;
use why502_parsers::entry::{Fault, Marks, Phase, Signal};

use super::super::testing::*;
use super::*;

/// By the line number of the access line, the faults of its error lines.
fn faults(records: Vec<Record>) -> BTreeMap<u64, Vec<Fault>> {
    faults_in(records, &Logs::default())
}

/// The same, where the inputs hang together like this.
fn faults_in(records: Vec<Record>, logs: &Logs) -> BTreeMap<u64, Vec<Fault>> {
    let fault = |record: &Record| record.signal.map(|signal| signal.fault);
    visits(records, logs)
        .iter()
        .map(|visit| {
            let line = visit.outcome.as_ref().map_or(0, |outcome| outcome.place.line);
            (line, visit.details.iter().filter_map(fault).collect())
        })
        .collect()
}

#[test]
fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_upstream() {
    let (one, other) = ("10.0.0.7:3000", "10.0.0.8:3000");
    let found = faults(vec![
        outcome(1, vec![attempt(one, None)]),
        outcome(2, vec![attempt(other, None)]),
        line(1, Fault::Reset, other),
        line(2, Fault::Closed, one),
    ]);
    assert_eq!(
        found,
        BTreeMap::from([(1, vec![Fault::Closed]), (2, vec![Fault::Reset])])
    );
}

#[test]
fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_bytes() {
    let addr = "10.0.0.7:3000";
    let found = faults(vec![
        outcome(1, vec![attempt(addr, Some(0))]),
        outcome(2, vec![attempt(addr, Some(70))]),
        line(1, Fault::MalformedHeader, addr),
        line(2, Fault::Closed, addr),
    ]);
    let expected = [(1, vec![Fault::Closed]), (2, vec![Fault::MalformedHeader])];
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_status() {
    let answered = |mut record: Record, status: u16| {
        record.status = Some(status);
        record
    };
    let found = faults(vec![
        answered(outcome(1, Vec::new()), 502),
        answered(outcome(2, Vec::new()), 503),
        answered(line(1, Fault::Reset, ""), 503),
        answered(line(2, Fault::Closed, ""), 502),
    ]);
    assert_eq!(
        found,
        BTreeMap::from([(1, vec![Fault::Closed]), (2, vec![Fault::Reset])])
    );
}

#[test]
fn two_failures_of_one_path_in_one_second_keep_their_error_lines_by_order() {
    let addr = "10.0.0.7:3000";
    let found = faults(vec![
        outcome(1, vec![attempt(addr, None)]),
        outcome(2, vec![attempt(addr, None)]),
        outcome(3, vec![attempt(addr, None)]),
        line(1, Fault::Closed, addr),
        line(2, Fault::MalformedHeader, addr),
        line(3, Fault::Reset, addr),
    ]);
    let expected = [
        (1, vec![Fault::Closed]),
        (2, vec![Fault::MalformedHeader]),
        (3, vec![Fault::Reset]),
    ];
    assert_eq!(found, BTreeMap::from(expected));
}

#[test]
fn error_lines_of_one_second_keep_their_order_where_the_log_was_rotated_within_it() {
    let addr = "10.0.0.7:3000";
    let records = || {
        let mut newest = line(1, Fault::Reset, addr);
        newest.place.source = SourceId(2);
        vec![
            outcome(1, vec![attempt(addr, None)]),
            outcome(2, vec![attempt(addr, None)]),
            outcome(3, vec![attempt(addr, None)]),
            line(1, Fault::Closed, addr),
            line(2, Fault::MalformedHeader, addr),
            newest,
        ]
    };
    let rotated = Logs {
        oldest_parts: BTreeMap::from([(SourceId(2), SourceId(1))]),
        ..Logs::default()
    };
    let expected = [
        (1, vec![Fault::Closed]),
        (2, vec![Fault::MalformedHeader]),
        (3, vec![Fault::Reset]),
    ];
    assert_eq!(faults_in(records(), &rotated), BTreeMap::from(expected));
}

/// The input `source` is a copy.
fn copied(source: u32) -> Logs {
    Logs {
        copies: vec![SourceId(source)],
        ..Logs::default()
    }
}

#[test]
fn a_request_of_two_logs_of_one_server_is_one_visit() {
    let second = |n: u64| {
        Record::from(Particulars {
            place: Place {
                source: SourceId(7),
                ..outcome(n, Vec::new()).place
            },
            ..outcome(n, Vec::new()).particulars()
        })
    };
    let both = || {
        vec![
            outcome(1, Vec::new()),
            outcome(2, Vec::new()),
            second(1),
            second(2),
        ]
    };
    assert_eq!(visits(both(), &copied(7)).len(), 2);
    assert_eq!(visits(both(), &Logs::default()).len(), 4);
}

/// How many visits three requests of one id make that began 10 ms apart and lasted `lengths_ms`, each changed by
/// `change`.
fn visits_of_one_id(lengths_ms: [i64; 3], change: impl Fn(&mut Record, u64)) -> usize {
    let one = |n: u64| {
        let mut record = request(
            0,
            n,
            (n as i64 * 10, lengths_ms[n as usize]),
            &["0af7651916cd43dd8448eb211c80319c"],
        );
        change(&mut record, n);
        record
    };
    visits((0..3).map(one).collect(), &Logs::default()).len()
}

#[test]
fn overlapping_requests_of_one_id_are_one_only_where_one_lies_within_the_other() {
    assert_eq!(visits_of_one_id([50, 50, 50], |_, _| ()), 3);
    assert_eq!(visits_of_one_id([50, 50, 10], |_, _| ()), 2);
    // A line that says again what another says.
    let again = |record: &mut Record, _| {
        (record.start_us, record.end_us, record.raw_us) = (Some(0), Some(50_000), 50_000);
    };
    assert_eq!(visits_of_one_id([50, 50, 50], again), 1);
    // Stamps of whole seconds do not tell whether it was within.
    let coarse = |record: &mut Record, _| record.resolution_us = 1_000_000;
    assert_eq!(visits_of_one_id([50, 50, 10], coarse), 3);
    // Two logs may say of one request what one log says of two.
    let of_two_logs = |record: &mut Record, n| record.place.source = SourceId(n as u32);
    assert_eq!(visits_of_one_id([50, 50, 50], of_two_logs), 1);
}

#[test]
fn requests_of_one_id_that_another_client_connection_or_method_tells_apart_are_several() {
    let within = [50, 30, 10];
    assert_eq!(visits_of_one_id(within, |_, _| ()), 1);
    assert_eq!(
        visits_of_one_id(within, |record, n| record.connection = Some(n).into()),
        3
    );
    assert_eq!(
        visits_of_one_id(within, |record, n| record.connection_requests = Some(n as u32)),
        3
    );
    assert_eq!(
        visits_of_one_id(within, |record, n| record.client_port = Some(n as u16)),
        3
    );
    assert_eq!(
        visits_of_one_id(within, |record, n| record.client = format!("10.0.0.{n}").into()),
        3
    );
    assert_eq!(
        visits_of_one_id(within, |record, n| record.method = format!("M{n}").into()),
        3
    );
    // What only one of two lines says tells nothing.
    let once = |record: &mut Record, n| record.client_port = (n == 0).then_some(7);
    assert_eq!(visits_of_one_id(within, once), 1);
}

#[test]
fn a_copy_with_finer_stamps_is_recognised_and_kept_for_them() {
    let mut fine = outcome(9, Vec::new());
    fine.place.source = SourceId(7);
    fine.end_us = fine.end_us.map(|us| us + 486_000);
    fine.resolution_us = 1;
    let all = visits(vec![outcome(1, Vec::new()), fine], &copied(7));
    assert_eq!(all.len(), 1);
    assert_eq!(
        all[0].outcome.as_ref().map(|outcome| outcome.resolution_us),
        Some(1)
    );
}

#[test]
fn a_line_that_names_its_client_only_belongs_to_the_failure_that_ended_then() {
    let mut apache = line(1, Fault::Refused, "10.0.0.7:3000");
    apache.path = "".into();
    apache.signal = Some(Signal {
        phase: Phase::Connect,
        fault: Fault::Refused,
    });
    let mut own = outcome(1, Vec::new());
    let mut refused = outcome(2, Vec::new());
    (own.product, refused.product, apache.product) = (Product::Apache, Product::Apache, Product::Apache);
    refused.status = Some(503);
    let found = faults(vec![own, refused, apache]);
    assert_eq!(found, BTreeMap::from([(1, vec![]), (2, vec![Fault::Refused])]));
}

#[test]
fn two_failures_of_one_path_keep_their_error_lines_by_duration() {
    let lasted = |n: u64, us: u64| {
        Record::from(Particulars {
            duration_us: Some(us),
            start_us: Some(1_000_000_000_000 - us as i64),
            ..outcome(n, Vec::new()).particulars()
        })
    };
    let mut first = line(1, Fault::Closed, "");
    let mut second = line(2, Fault::Reset, "");
    (first.attempts, second.attempts) = (Vec::new(), Vec::new());
    (first.duration_us, second.duration_us) = (Some(35_400), Some(279_000));
    let found = faults(vec![lasted(1, 278_857), lasted(2, 35_375), first, second]);
    assert_eq!(
        found,
        BTreeMap::from([(1, vec![Fault::Reset]), (2, vec![Fault::Closed])])
    );
}

#[test]
fn every_log_of_the_hop_may_tell_of_the_same_failure() {
    let addr = "10.0.0.7:3000";
    let mut second = line(1, Fault::Closed, addr);
    second.place.source = SourceId(7);
    let found = faults(vec![
        outcome(1, vec![attempt(addr, None)]),
        line(1, Fault::Closed, addr),
        second,
    ]);
    assert_eq!(found, BTreeMap::from([(1, vec![Fault::Closed, Fault::Closed])]));
}

#[test]
fn a_line_of_an_answer_without_header_is_not_given_to_a_request_that_timed_out_later() {
    let addr = "10.0.0.7:3000";
    let mut garbled = outcome(1, vec![attempt(addr, None)]);
    garbled.status = Some(9);
    let mut late = outcome(2, vec![attempt(addr, None)]);
    late.end_us = late.end_us.map(|us| us + 3_000_000);
    (late.start_us, late.duration_us) = (Some(1_000_000_000_000), Some(3_000_000));
    let found = faults(vec![garbled, late, line(1, Fault::MalformedHeader, addr)]);
    assert_eq!(
        found,
        BTreeMap::from([(1, vec![Fault::MalformedHeader]), (2, vec![])])
    );
}

/// By the line number of the access line, whether it is sure whose error lines it has.
fn sure(records: Vec<Record>) -> BTreeMap<u64, bool> {
    let line = |visit: &Visit| visit.outcome.as_ref().map_or(0, |outcome| outcome.place.line);
    visits(records, &Logs::default())
        .iter()
        .map(|visit| (line(visit), !visit.unsure))
        .collect()
}

#[test]
fn lines_that_tell_of_different_things_and_fit_two_requests_alike_are_unsure() {
    let addr = "10.0.0.7:3000";
    let two = |second: Fault| {
        vec![
            outcome(1, vec![attempt(addr, None)]),
            outcome(2, vec![attempt(addr, None)]),
            line(1, Fault::Closed, addr),
            line(2, second, addr),
        ]
    };
    assert_eq!(
        sure(two(Fault::MalformedHeader)),
        BTreeMap::from([(1, false), (2, false)])
    );
    // If both say the same it does not matter whose line is whose.
    assert_eq!(sure(two(Fault::Closed)), BTreeMap::from([(1, true), (2, true)]));
}

#[test]
fn a_line_that_fits_a_request_without_one_as_well_is_unsure_unless_the_upstream_tells() {
    let (one, other) = ("10.0.0.7:3000", "10.0.0.8:3000");
    let with = |addr: &str| {
        vec![
            outcome(1, vec![attempt(one, None)]),
            outcome(2, vec![attempt(addr, None)]),
            line(1, Fault::Closed, one),
        ]
    };
    assert_eq!(sure(with(one)), BTreeMap::from([(1, false), (2, false)]));
    assert_eq!(sure(with(other)), BTreeMap::from([(1, true), (2, true)]));
}

#[test]
fn the_serial_of_the_connection_makes_it_sure_whose_line_it_is() {
    let addr = "10.0.0.7:3000";
    let on = |serial: u64, record: Record| {
        Record::from(Particulars {
            connection: Some(serial).into(),
            ..record.particulars()
        })
    };
    let records = vec![
        on(7, outcome(1, vec![attempt(addr, None)])),
        on(8, outcome(2, vec![attempt(addr, None)])),
        on(7, line(1, Fault::Closed, addr)),
        on(8, line(2, Fault::MalformedHeader, addr)),
    ];
    assert_eq!(sure(records), BTreeMap::from([(1, true), (2, true)]));
}

#[test]
fn the_thread_that_served_a_request_wrote_its_lines() {
    let by = |thread: u64, record: Record| {
        Record::from(Particulars {
            pid: Some(17),
            thread: Some(thread).into(),
            product: Product::Apache,
            ..record.particulars()
        })
    };
    let records = || {
        vec![
            by(1, outcome(1, Vec::new())),
            by(2, outcome(2, Vec::new())),
            by(2, line(1, Fault::Closed, "")),
            by(1, line(2, Fault::MalformedHeader, "")),
        ]
    };
    assert_eq!(sure(records()), BTreeMap::from([(1, true), (2, true)]));
    assert_eq!(
        faults(records()),
        BTreeMap::from([(1, vec![Fault::MalformedHeader]), (2, vec![Fault::Closed])])
    );
}

#[test]
fn a_request_of_which_only_the_start_is_logged_has_the_line_of_its_timeout() {
    let begun = |n: u64, second: i64| {
        Record::from(Particulars {
            start_us: Some(1_000_000_000_000 + second * 1_000_000),
            end_us: None,
            marks: Marks::Start,
            product: Product::Apache,
            ..outcome(n, Vec::new()).particulars()
        })
    };
    let mut late = line(1, Fault::TimedOut, "");
    late.product = Product::Apache;
    late.end_us = late.end_us.map(|us| us + 3_000_000);
    let found = faults(vec![begun(1, 0), late.clone()]);
    assert_eq!(found, BTreeMap::from([(1, vec![Fault::TimedOut])]));
    // One that was answered well is not meant, and one that began later neither.
    let mut well = begun(1, 0);
    well.status = Some(200);
    assert_eq!(faults(vec![well, late.clone()])[&1], vec![]);
    assert_eq!(faults(vec![begun(1, 9), late])[&1], vec![]);
}
