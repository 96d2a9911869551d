use super::*;

/// What is inside `line`, how it was found, and the outer host and program.
/// The line inside, and the time, host and program said around it.
type PeeledLine = (Vec<u8>, Option<i64>, Vec<u8>, Vec<u8>);

fn peeled(wrapper: &'static dyn Wrapper, line: &[u8]) -> Option<PeeledLine> {
    let mut peeler = Peeler::new(Layers::default().with(wrapper).unwrap());
    match peeler.peel(line, ()) {
        Peeled::Whole { outer, inner, .. } => Some((
            inner.to_vec(),
            outer.time.map(|stamp| stamp.us),
            outer.host.to_vec(),
            outer.program.to_vec(),
        )),
        _ => None,
    }
}

fn inner(wrapper: &'static dyn Wrapper, line: &str) -> String {
    let (inner, ..) = peeled(wrapper, line.as_bytes()).unwrap_or_else(|| panic!("not unwrapped: {line}"));
    String::from_utf8_lossy(&inner).into_owned()
}

#[test]
fn docker_lines_lose_their_escapes_and_their_line_end() {
    let line = r#"{"log":"a \"b\" \\n\r\n","stream":"stdout","attrs":{"x":"}"},"time":"2021-08-24T09:52:13.20764059Z"}"#;
    assert_eq!(inner(&docker::JsonFile, line), r#"a "b" \n"#);
    assert!(peeled(&docker::JsonFile, br#"{"log":"a\n","stream":"stdout"}"#).is_none());
    assert!(
        peeled(
            &docker::JsonFile,
            br#"{"log":"a\n","time":"2021-08-24T09:52:13Z","level":"x"}"#
        )
        .is_none()
    );
}

#[test]
fn cri_tags_and_streams_are_taken_off() {
    for (line, want) in [
        ("2022-01-28T16:04:05.413656027Z stdout F a b", "a b"),
        ("2022-01-28T16:04:05.413656027+02:00 stderr F:x:y a", "a"),
        ("2022-01-28T16:04:05.413656027Z stderr F", ""),
    ] {
        assert_eq!(inner(&cri::Cri, line), want);
    }
    assert!(peeled(&cri::Cri, b"2022-01-28T16:04:05.4Z stdout X a").is_none());
}

#[test]
fn prefixes_of_compose_and_kubectl_are_taken_off() {
    for (line, want) in [
        ("\x1b[2Kweb-1  |  * Serving", " * Serving"),
        ("\x1b[36mweb-1   |\x1b[0m a|b", "a|b"),
        ("web-1  | 2024-04-25T05:32:35.584725130Z a", "a"),
        (
            "web-1  | 2024-04-25T05:32:35.584Z a",
            "2024-04-25T05:32:35.584Z a",
        ),
        ("web-1  |", ""),
    ] {
        assert_eq!(inner(&prefix::Compose, line), want, "{line}");
    }
    for other in [
        "10.0.0.7 | https | o@1 | \"GET\"",
        "a|b",
        "10.0.0.1 - - [x] | y",
        "web-1 x | y",
        "| a",
    ] {
        assert!(peeled(&prefix::Compose, other.as_bytes()).is_none(), "{other}");
    }
    let (text, _, host, program) = peeled(&prefix::Kubectl, b"[pod/web-7d/nginx] a").unwrap();
    assert_eq!(
        (&text[..], &host[..], &program[..]),
        (&b"a"[..], &b"web-7d"[..], &b"nginx"[..])
    );
    assert_eq!(inner(&prefix::Stamped, "2024-04-25T05:32:35.584725130Z a"), "a");
    assert_eq!(
        inner(
            &prefix::BeforeJson,
            r#"2021-11-12T16:59:46.613304+00:00 1.1.1.1  { "a": 1 }"#
        ),
        r#"{ "a": 1 }"#
    );
}

#[test]
fn a_journal_s_message_is_text_or_bytes() {
    let line = r#"{ "__REALTIME_TIMESTAMP" : "1534860261221373", "_HOSTNAME" : "h", "_COMM" : "c", "_PID" : "184", "MESSAGE" : "a\tb" }"#;
    let (text, time, host, program) = peeled(&journald::Json, line.as_bytes()).unwrap();
    assert_eq!((&text[..], time), (&b"a\tb"[..], Some(1_534_860_261_221_373)));
    assert_eq!((&host[..], &program[..]), (&b"h"[..], &b"c"[..]));
    let bytes = r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":[97, 255,98]}"#;
    assert_eq!(peeled(&journald::Json, bytes.as_bytes()).unwrap().0, b"a\xffb");
    let repeated = r#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":["one","two"],"_PID":["7","8"]}"#;
    assert_eq!(inner(&journald::Json, repeated), "one");
    assert!(peeled(&journald::Json, br#"{"__REALTIME_TIMESTAMP":"1","MESSAGE":null}"#).is_none());
    for line in [
        "1534860261.221373 h haproxy[7]: a",
        "Fri 2026-11-20 16:26:16 UTC h haproxy[7]: a",
        "Fri 2026-11-20 16:26:16.005123 CET h haproxy: a",
    ] {
        assert_eq!(inner(&journald::Short, line), "a");
    }
}

#[test]
fn envelopes_of_collectors_hold_the_line_under_any_of_their_keys() {
    for line in [
        r#"{"date":1795168805.123,"log":"a \"b\"\n","stream":"stderr","logtag":"F"}"#,
        r#"{"@timestamp":"2026-11-20T10:00:05.123Z","message":"a \"b\"","host":{"name":"x"},"agent":{"message":"no"}}"#,
        r#"{"textPayload":"a \"b\"","timestamp":"2026-11-20T10:00:05.123Z","resource":{}},"#,
        r#"[{"jsonPayload":{"message":"a \"b\"","pid":7},"timestamp":"2026-11-20T10:00:05.123Z"},"#,
        r#"{"id":"3","timestamp":1795168805123,"message":"a \"b\""}"#,
        r#"{"preview":false,"result":{"_raw":"a \"b\"","time":"1795168805.123"}}"#,
        r#"{"_source":{"message":"a \"b\"","@timestamp":"2026-11-20T10:00:05.123Z"}}"#,
        r#"{"@timestamp":"2026-11-20T10:00:05.123Z","log":{"offset":1,"file":{"path":"/x"}},"message":"a \"b\""}"#,
        r#"{"@timestamp":"2026-11-20T10:00:05.123Z","message":"a \"b\"","log":{"offset":1},"event":{"dataset":"x"}}"#,
    ] {
        let (text, time, ..) =
            peeled(&envelope::Envelope, line.as_bytes()).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(text, br#"a "b""#, "{line}");
        assert_eq!(time.map(|us| us / 1_000), Some(1_795_168_805_123), "{line}");
    }
    let structured = r#"{"jsonPayload":{"status":502,"message":"x"},"timestamp":"2026-11-20T10:00:05.123Z"}"#;
    assert_eq!(
        inner(&envelope::Envelope, structured),
        r#"{"status":502,"message":"x"}"#
    );
    for other in ["{\"a\":1}", "{\"message\":\"a\"", "{\"message\":7}", "x"] {
        assert!(peeled(&envelope::Envelope, other.as_bytes()).is_none(), "{other}");
    }
}

#[test]
fn pieces_are_joined_by_stream_and_stand_where_the_first_one_stood() {
    let mut peeler = Peeler::new(Layers::default().with(&cri::Cri).unwrap());
    let time = "2022-01-28T16:04:05.413656027Z";
    let mut seen = Vec::new();
    for (at, rest) in [
        "stdout P a",
        "stderr P x",
        "stdout P b",
        "stderr F y",
        "stdout F c",
        "stdout F d",
    ]
    .iter()
    .enumerate()
    {
        let line = format!("{time} {rest}");
        seen.push(match peeler.peel(line.as_bytes(), at) {
            Peeled::Held { is_first } => format!("held {is_first}"),
            Peeled::Whole {
                inner,
                place,
                is_joined,
                ..
            } => {
                format!("{} {place} {is_joined}", String::from_utf8_lossy(inner))
            }
            Peeled::Bare => "bare".to_owned(),
        });
    }
    assert_eq!(
        seen,
        [
            "held true",
            "held true",
            "held false",
            "xy 1 true",
            "abc 0 true",
            "d 5 false"
        ]
    );
    assert!(!peeler.is_inside());
}

#[test]
fn what_was_never_finished_is_given_up_at_the_end() {
    let mut peeler = Peeler::new(Layers::default().with(&cri::Cri).unwrap());
    peeler.peel(b"2022-01-28T16:04:05.413656027Z stderr P x", 3);
    assert!(peeler.is_inside());
    let Some(Peeled::Whole { inner, place, .. }) = peeler.left() else {
        panic!("nothing left");
    };
    assert_eq!((inner, place), (&b"x"[..], 3));
    assert!(peeler.left().is_none());
}

#[test]
fn wrappers_nest_and_the_inner_one_knows_the_program() {
    let layers = Layers::default().with(&cri::Cri).unwrap();
    let layers = layers
        .with(&envelope::Envelope)
        .unwrap()
        .with(&syslog::Rfc3164)
        .unwrap();
    assert!(layers.with(&cri::Cri).is_none());
    assert_eq!(
        layers.name(),
        "syslog (rfc 3164) in json envelope in kubernetes cri"
    );
    let mut peeler = Peeler::new(layers);
    let line = br#"2026-11-20T10:00:05.413656027Z stdout F {"message":"Nov 20 10:00:05 h haproxy[7]: \"a\"","ts":"2026-11-20T10:00:05Z"}"#;
    let Peeled::Whole { outer, inner, .. } = peeler.peel(line, ()) else {
        panic!("not whole");
    };
    assert_eq!(
        (inner, outer.program, outer.pid),
        (&b"\"a\""[..], &b"haproxy"[..], Some(7))
    );
    // The syslog stamp has neither year nor zone; the one around it has both.
    assert_eq!(outer.time.map(|stamp| stamp.zone), Some(Zone::Known));
}

#[test]
fn a_joined_line_has_a_bound() {
    let mut peeler = Peeler::new(Layers::default().with(&cri::Cri).unwrap());
    let mut line = b"2022-01-28T16:04:05.413656027Z stdout P ".to_vec();
    line.resize(line.len() + (1 << 20), b'x');
    for _ in 0..9 {
        peeler.peel(&line, ());
    }
    let Some(Peeled::Whole { inner, .. }) = peeler.left() else {
        panic!("nothing left");
    };
    assert_eq!(inner.len(), JOINED_MOST);
}

#[test]
fn a_header_like_the_last_one_says_the_same() {
    let lines = [
        "Nov 20 16:26:16 lb1 haproxy[17020]: a b",
        "Nov 20 16:26:16 lb1 haproxy[17020]: ",
        "Nov 20 16:26:16 lb1 haproxy[17020]:",
        "Nov 20 16:26:16 lb1 haproxy[17021]: c",
        "Nov 20 16:26:17 lb1 haproxy[17021]: c",
        "Nov 20 16:26:17 haproxy[17021]: c",
        "Nov 20 16:26:17 haproxy[17021]: haproxy[17022]: d",
        "Nov 20 16:26:17 lb1 no tag",
        "Nov 20 16:26:17 lb1 a[1]: no tag",
        "Nov 20 16:26:17 lb1 a[1]: no tag",
        "no header",
        "2026-11-20T16:26:16.005+00:00 lb1 haproxy[17020]: x",
        "2026-11-20T16:26:16.005+00:00 lb1 haproxy[17020]: y",
    ];
    for wrapper in [&syslog::Rfc3164 as &'static dyn Wrapper, &syslog::Iso] {
        let mut peeler = Peeler::new(Layers::default().with(wrapper).unwrap());
        for line in lines.iter().chain(&lines) {
            let anew = wrapper.inside(line.as_bytes());
            match peeler.peel(line.as_bytes(), ()) {
                Peeled::Whole { outer, inner, .. } => {
                    let anew = anew.unwrap();
                    assert_eq!(
                        (inner, format!("{outer:?}")),
                        (anew.text, format!("{:?}", anew.outer)),
                        "{line}"
                    );
                }
                _ => assert!(anew.is_none(), "{line}"),
            }
        }
    }
}
