use super::*;
use chrono_tz::Tz;

fn us(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

const BERLIN: Zone = Zone::Named(Tz::Europe__Berlin);

fn meant(text: &str, now: &str, zone: Zone) -> String {
    let moment = Moment::parse(text).unwrap();
    Zone::Utc.rfc3339(moment.resolve(us(now), zone, Fold::Earlier))
}

#[test]
fn every_form_means_the_instant_it_says() {
    let now = "2026-11-20T15:00:00Z";
    for (text, want) in [
        ("2026-11-20T10:00:05Z", "2026-11-20T10:00:05.000Z"),
        ("2026-11-20T10:00:05.123+02:00", "2026-11-20T08:00:05.123Z"),
        ("2026-11-20T10:00Z", "2026-11-20T10:00:00.000Z"),
        ("2026-11-20 10:00", "2026-11-20T10:00:00.000Z"),
        ("2026-11-20 10:00:05", "2026-11-20T10:00:05.000Z"),
        ("2026-11-20 10:00:05.123", "2026-11-20T10:00:05.123Z"),
        ("2026-11-20", "2026-11-20T00:00:00.000Z"),
        ("10:00", "2026-11-20T10:00:00.000Z"),
        ("9:05", "2026-11-20T09:05:00.000Z"),
        ("10:00:05", "2026-11-20T10:00:05.000Z"),
        ("10:00:05.250", "2026-11-20T10:00:05.250Z"),
        ("today", "2026-11-20T00:00:00.000Z"),
        ("yesterday", "2026-11-19T00:00:00.000Z"),
        ("yesterday 23:59", "2026-11-19T23:59:00.000Z"),
        ("now", "2026-11-20T15:00:00.000Z"),
        ("-1h", "2026-11-20T14:00:00.000Z"),
        ("-1h30m", "2026-11-20T13:30:00.000Z"),
        ("1h ago", "2026-11-20T14:00:00.000Z"),
        ("2d ago", "2026-11-18T15:00:00.000Z"),
        ("@1795168805", "2026-11-20T10:00:05.000Z"),
        ("@1795168805.5", "2026-11-20T10:00:05.500Z"),
        ("@0", "1970-01-01T00:00:00.000Z"),
    ] {
        assert_eq!(meant(text, now, Zone::Utc), want, "{text}");
    }
}

#[test]
fn a_stamp_pasted_from_a_log_is_a_time() {
    let now = "2026-11-20T15:00:00Z";
    for (text, want) in [
        ("20/Nov/2026:10:00:05 +0100", "2026-11-20T09:00:05.000Z"),
        ("[20/Nov/2026:10:00:05 +0000]", "2026-11-20T10:00:05.000Z"),
        ("20/Nov/2026:10:00:05.123", "2026-11-20T09:00:05.123Z"),
        ("2026/11/20 10:00:05", "2026-11-20T09:00:05.000Z"),
        ("Fri Nov 20 10:00:05.169355 2026", "2026-11-20T09:00:05.169355Z"),
        ("1795168805.147", "2026-11-20T10:00:05.147Z"),
        ("1795168805147", "2026-11-20T10:00:05.147Z"),
        ("Nov 20 10:00:05", "2026-11-20T09:00:05.000Z"),
    ] {
        assert_eq!(meant(text, now, BERLIN), want, "{text}");
    }
}

#[test]
fn a_stamp_without_year_is_of_the_year_that_ended_last() {
    let now = "2027-01-02T00:00:00Z";
    assert_eq!(
        meant("Dec 31 23:00:00", now, Zone::Utc),
        "2026-12-31T23:00:00.000Z"
    );
    assert_eq!(
        meant("Feb 29 12:00:00", now, Zone::Utc),
        "2024-02-29T12:00:00.000Z"
    );
}

#[test]
fn today_begins_at_midnight_of_the_zone_shown() {
    let now = "2026-11-20T23:30:00Z"; // Already the 21st in Berlin.
    assert_eq!(meant("today", now, BERLIN), "2026-11-20T23:00:00.000Z");
    assert_eq!(meant("10:00", now, BERLIN), "2026-11-21T09:00:00.000Z");
    assert_eq!(meant("yesterday", now, BERLIN), "2026-11-19T23:00:00.000Z");
}

#[test]
fn a_day_whose_midnight_was_skipped_begins_after_the_gap() {
    let beirut = Zone::Named(Tz::Asia__Beirut);
    let now = "2026-03-29T12:00:00Z"; // Clocks went from 00:00 to 01:00.
    assert_eq!(meant("today", now, beirut), "2026-03-28T22:00:00.000Z");
}

#[test]
fn an_hour_that_was_skipped_moves_forward_and_one_that_came_twice_is_kept_whole() {
    let spec = |since: &str, until: &str| WindowSpec {
        since: Some(Moment::parse(since).unwrap()),
        until: Some(Moment::parse(until).unwrap()),
        zone: BERLIN,
        ..WindowSpec::default()
    };
    let gap = spec("2026-03-29 02:30", "2026-03-29 03:45")
        .resolve(0, None)
        .unwrap();
    assert_eq!(gap.since, Some(us("2026-03-29T03:30:00+02:00")));
    let twice = spec("2026-10-25 02:00", "2026-10-25 02:59")
        .resolve(0, None)
        .unwrap();
    assert_eq!(twice.since, Some(us("2026-10-25T02:00:00+02:00")));
    assert_eq!(twice.until, Some(us("2026-10-25T02:59:00+01:00")));
}

#[test]
fn relative_times_count_back_from_the_last_entry_when_asked() {
    let mut spec = WindowSpec {
        since: Some(Moment::parse("-10m").unwrap()),
        until: Some(Moment::parse("now").unwrap()),
        relative_to_end: true,
        ..WindowSpec::default()
    };
    assert!(spec.needs_last_entry());
    let last = us("2020-01-01T10:00:00Z");
    let window = spec.resolve(us("2026-11-20T00:00:00Z"), Some(last)).unwrap();
    assert_eq!(window.since, Some(us("2020-01-01T09:50:00Z")));
    assert!(window.contains(last));
    spec.since = Some(Moment::parse("09:30").unwrap());
    let window = spec.resolve(us("2026-11-20T00:00:00Z"), Some(last)).unwrap();
    assert_eq!(window.since, Some(us("2020-01-01T09:30:00Z")));
    spec.relative_to_end = false;
    assert!(!spec.needs_last_entry());
}

#[test]
fn around_reaches_to_both_sides() {
    let spec = WindowSpec {
        around: Some((Moment::parse("2026-11-20T10:00:00Z").unwrap(), 90_000_000)),
        ..WindowSpec::default()
    };
    let window = spec.resolve(0, None).unwrap();
    assert_eq!(window.since, Some(us("2026-11-20T09:58:30Z")));
    assert_eq!(window.until, Some(us("2026-11-20T10:01:30Z")));
}

#[test]
fn the_window_is_half_open_and_never_empty() {
    let window = Window {
        since: Some(10),
        until: Some(20),
    };
    assert!(window.contains(10) && !window.contains(20) && !window.contains(9));
    let spec = WindowSpec {
        since: Some(Moment::Instant(20)),
        until: Some(Moment::Instant(20)),
        ..WindowSpec::default()
    };
    assert!(spec.resolve(0, None).unwrap_err().contains("empty"));
    assert!(WindowSpec::default().resolve(0, None).unwrap().is_open());
}

#[test]
fn what_is_no_time_is_refused() {
    for text in [
        "",
        "tomorrow",
        "25:00",
        "10:61",
        "2026-13-01",
        "2026-11-20 1",
        "-",
        "ago",
        "-5",
        "1h",
        "@x",
        "todayish",
        "日本語のログ時刻",
    ] {
        assert!(Moment::parse(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_reader_of_values_panic(text in "\\PC{0,30}", digits in "[@+-]?[0-9:./T -]{0,24}(Z|ago|s|h)?", now in proptest::num::i64::ANY) {
        for text in [text, digits] {
            let _ = (duration::parse_signed(&text), Zone::parse(&text), crate::plan::Statuses::parse(&text));
            let _ = (crate::plan::rule::split_list(&text), crate::plan::Pattern::new(&text).map(|p| p.matches(&text)));
            if let Ok(moment) = Moment::parse(&text) {
                for zone in [Zone::Utc, BERLIN, Zone::Fixed(-64_800)] {
                    let us = moment.resolve(now, zone, Fold::Later);
                    let _ = zone.rfc3339(us);
                }
            }
        }
    }
}

#[test]
fn a_clock_time_alone_is_of_the_day_that_the_other_end_names() {
    let now = us("2026-12-24T15:00:00Z");
    let resolved = |since: &str, until: &str| {
        let spec = WindowSpec {
            since: Some(Moment::parse(since).unwrap()),
            until: Some(Moment::parse(until).unwrap()),
            zone: BERLIN,
            ..WindowSpec::default()
        };
        let window = spec.resolve(now, None).unwrap();
        [window.since, window.until].map(|end| BERLIN.rfc3339(end.unwrap()))
    };
    for (since, until, want) in [
        (
            "2026-11-20 18:20",
            "18:20:30",
            ["11-20T18:20:00", "11-20T18:20:30"],
        ),
        ("2026-11-20 23:50", "00:10", ["11-20T23:50:00", "11-21T00:10:00"]),
        (
            "20/Nov/2026:18:20:00 +0100",
            "18:30",
            ["11-20T18:20:00", "11-20T18:30:00"],
        ),
        ("Nov 20 18:20:00", "18:30", ["11-20T18:20:00", "11-20T18:30:00"]),
        (
            "2026-11-20T23:30:00Z",
            "00:45",
            ["11-21T00:30:00", "11-21T00:45:00"],
        ),
        ("yesterday 23:00", "23:30", ["12-23T23:00:00", "12-23T23:30:00"]),
        (
            "18:20",
            "2026-11-20 18:20:30",
            ["11-20T18:20:00", "11-20T18:20:30"],
        ),
        ("23:50", "2026-11-20 00:10", ["11-19T23:50:00", "11-20T00:10:00"]),
        ("10:00", "11:00", ["12-24T10:00:00", "12-24T11:00:00"]),
        ("-1d", "11:00", ["12-23T16:00:00", "12-24T11:00:00"]),
    ] {
        let shown = |text: &str| format!("2026-{text}.000+01:00");
        assert_eq!(resolved(since, until), want.map(shown), "{since} to {until}");
    }
}
