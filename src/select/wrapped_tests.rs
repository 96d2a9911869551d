use why502_parsers::registry;
use why502_parsers::wrap::{Layers, Wrapper, cri, docker, envelope};

use super::*;

const REQUEST: &str = r#"10.0.0.1 - - [20/Nov/2026:10:00:05 +0000] "GET /a HTTP/1.1" 502 157 "-" "curl/8""#;

/// Each line as it was given: what it was, with status and time, its offset, length and number.
fn scanned(format: &str, wrappers: &[&'static dyn Wrapper], text: &str) -> Vec<String> {
    let mut layers = Layers::default();
    for wrapper in wrappers {
        layers = layers.with(*wrapper).unwrap();
    }
    let head = why502_parsers::Head {
        bytes: REQUEST.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    let prepared = registry::by_name(format).unwrap().prepare(&head);
    let mut scanner = Scanner::new(prepared.open(b""), layers, None, 0);
    let mut seen = Vec::new();
    let mut keep = |scanned: Scanned<'_, '_>, line: LineRef, _: &[u8]| {
        let what = match scanned {
            Scanned::Entry(entry) => {
                let second = entry.time.map_or(0, |stamp| stamp.us / 1_000_000 % 86_400);
                format!("{} at {second}", entry.status.unwrap_or(0))
            }
            Scanned::Outside(_) => "outside".to_owned(),
            Scanned::Continuation => "more".to_owned(),
            Scanned::Directive => "directive".to_owned(),
            Scanned::Unparsed(_) => "unparsed".to_owned(),
        };
        seen.push(format!("{} {} {}: {what}", line.offset, line.len, line.index));
    };
    scanner.scan(text.as_bytes(), 0, &mut keep);
    scanner.finish(&mut keep);
    assert_eq!(scanner.lines(), text.lines().count() as u64);
    seen
}

#[test]
fn an_entry_in_pieces_stands_where_it_begins_and_every_line_is_counted() {
    let (left, right) = REQUEST.split_at(40);
    let time = "2026-11-20T10:00:06.413656027Z";
    let text = format!("{time} stdout P {left}\n{time} stderr F x\n{time} stdout F {right}\n");
    let first = 40 + left.len();
    let second = first + 1 + 41;
    assert_eq!(
        scanned("clf", &[&cri::Cri], &text),
        [
            format!("{} 41 1: unparsed", first + 1),
            format!("0 {first} 0: 502 at 36005"),
            format!("{} {} 2: more", second + 1, 40 + right.len()),
        ]
    );
}

#[test]
fn an_entry_whose_end_never_came_is_read_as_far_as_it_goes() {
    let time = "2026-11-20T10:00:06.413656027Z";
    let text = format!("{time} stdout P {REQUEST}\n");
    assert_eq!(
        scanned("clf", &[&cri::Cri], &text),
        [format!("0 {} 0: 502 at 36005", text.len() - 1)]
    );
}

#[test]
fn a_record_with_its_trace_in_one_message_is_read_by_its_first_line() {
    let message = serde_json::to_string(&format!("{REQUEST}\n\tat a.b.C\n")).unwrap();
    let text = format!("{{\"log\":{message},\"stream\":\"stdout\",\"time\":\"2026-11-20T10:00:06Z\"}}\n");
    let seen = scanned("clf", &[&docker::JsonFile], &text);
    assert_eq!(seen, [format!("0 {} 0: 502 at 36005", text.len() - 1)]);
}

#[test]
fn a_line_without_a_time_of_its_own_has_that_of_its_wrapper() {
    let plain =
        r#"{"message":"10.0.0.1:5000 - \"GET /a HTTP/1.1\" 502","@timestamp":"2026-11-20T10:00:07.5Z"}"#;
    let text = format!("{plain}\n");
    assert_eq!(
        scanned(
            "uvicorn",
            &[&envelope::Envelope],
            &text.replace("10.0.0.1", "INFO:     10.0.0.1")
        ),
        [format!("0 {} 0: 502 at 36007", plain.len() + 10)]
    );
}
