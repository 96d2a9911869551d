use super::*;
use crate::entry::Fault;

fn head(bytes: &[u8]) -> Head<'_> {
    Head {
        bytes,
        hints: &[],
        date_hint: Some(*b"2026-11-20"),
    }
}

const TIMED_OUT: Option<Signal> = Some(Signal::new(Phase::Header, Fault::TimedOut));

#[test]
fn a_timeout_in_a_route_log_is_a_request_with_its_cause_and_duration() {
    let mut parser = OpenIg.prepare(&head(b"")).open(b"");
    let mut timer = Entry::default();
    let line = b"14:38:59:666 | INFO  | I/O dispatcher 11 | o.f.o.d.t.T.t.app | Elapsed time: 10025 ms";
    assert_eq!(parser.parse(line, &mut timer), Ok(Line::Entry));
    assert_eq!((timer.kind, timer.duration_us), (Kind::Note, Some(10_025_000)));
    let record = b"14:38:59:667 | WARN  | I/O dispatcher 11 | o.f.o.f.LogAttachedExceptionFilter | Response [Status: 502 Bad Gateway] to `http://app.example.com:8081/orders?id=7` carries an exception [txId:aa167dcf-503b-461d-a745-9285bad726fb-735/0]\njava.net.SocketTimeoutException: null\n\tat org.apache.http.nio.protocol.HttpAsyncRequestExecutor.timeout(HttpAsyncRequestExecutor.java:375)\n";
    let mut entry = Entry::default();
    assert_eq!(parser.parse(record, &mut entry), Ok(Line::Entry));
    assert_eq!(
        (entry.kind, entry.status, entry.signal),
        (Kind::Request, Some(502), TIMED_OUT)
    );
    assert_eq!(entry.duration_us, Some(10_025_000));
    assert_eq!(
        (entry.host, entry.path),
        (b"app.example.com:8081".as_slice(), b"/orders?id=7".as_slice())
    );
    assert_eq!(
        entry.ids.as_slice(),
        [
            b"aa167dcf-503b-461d-a745-9285bad726fb-735/0".as_slice(),
            b"aa167dcf-503b-461d-a745-9285bad726fb-735"
        ]
    );
    let time = entry.time.unwrap();
    assert_eq!(
        (time.us, time.resolution_us, time.marks),
        (1_795_185_539_667_000, 1_000, Marks::End)
    );
    assert_eq!(time.zone, crate::entry::Zone::Local);
}

#[test]
fn a_coloured_console_is_read_without_time() {
    let mut parser = OpenIg.prepare(&head(b"")).open(b"");
    let record = b"[I/O dispatcher 12] \x1b[31mWARN \x1b[0;39m \x1b[1;37mo.f.openig.handler.ClientHandler\x1b[0;39m - An error occurred while processing the request\norg.apache.http.ConnectionClosedException: Connection closed\n";
    let mut entry = Entry::default();
    assert_eq!(parser.parse(record, &mut entry), Ok(Line::Entry));
    assert_eq!(
        (entry.kind, entry.level, entry.time),
        (Kind::Failure, Level::Warning, None)
    );
    assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
}

#[test]
fn line_by_line_the_exception_is_told_by_the_line_that_has_it() {
    let mut parser = OpenIg.prepare(&head(b"")).open(b"");
    let mut entry = Entry::default();
    let line = b"[I/O dispatcher 11] WARN mo.f.o.f.LogAttachedExceptionFilter - Response [Status: 502 Bad Gateway] to '' carries an exception [txId:aa167dcf-735] null    ";
    assert_eq!(parser.parse(line, &mut entry), Ok(Line::Entry));
    assert_eq!(
        (entry.kind, entry.status, entry.signal),
        (Kind::Request, Some(502), None)
    );
    assert_eq!(entry.path, b"");
    let mut further = Entry::default();
    let trace = b"   at org.apache.http.nio.protocol.HttpAsyncRequestExecutor.timeout(";
    assert_eq!(parser.parse(trace, &mut further), Ok(Line::Entry));
    assert_eq!(
        (further.kind, further.signal, further.thread),
        (Kind::Failure, TIMED_OUT, entry.thread)
    );
}

#[test]
fn captured_messages_are_notes_with_their_id() {
    let mut parser = OpenIg.prepare(&head(b"")).open(b"");
    let request = b"14443 [I/O dispatcher 1] INFO  c.e.app.capturetop-level-handler -\n\n--- (request) id:c383f337-1 --->\n\nGET http://app.example.com:8081/logging HTTP/1.1\naccept: */*\n";
    let mut entry = Entry::default();
    assert_eq!(parser.parse(request, &mut entry), Ok(Line::Entry));
    assert_eq!(
        (entry.kind, entry.method, entry.path),
        (Kind::Note, b"GET".as_slice(), b"/logging".as_slice())
    );
    assert_eq!(entry.ids.as_slice(), [b"c383f337-1".as_slice()]);
    let response =
        b"[x] INFO  c.e.app.capture.y - \n\n<--- (response) id:c383f337-1 ---\n\nHTTP/1.1 502 Bad Gateway\n";
    entry.clear();
    assert_eq!(parser.parse(response, &mut entry), Ok(Line::Entry));
    assert_eq!((entry.kind, entry.status), (Kind::Note, Some(502)));
    assert_eq!(parser.begins(b"HTTP/1.1 502 Bad Gateway"), Some(false));
    assert_eq!(
        parser.begins(b"[http-bio-] INFO mo.f.o.d.c.C.c.myClientHandler"),
        Some(true)
    );
}

#[test]
fn the_timer_may_count_in_other_units() {
    assert_eq!(
        elapsed_us(b"Elapsed time: 12 ms (internal: 2 ms, downstream: 10 ms)"),
        Some(12_000)
    );
    assert_eq!(elapsed_us("Elapsed time: 12 µs".as_bytes()), Some(12));
    assert_eq!(elapsed_us(b"Elapsed time: soon"), None);
}
