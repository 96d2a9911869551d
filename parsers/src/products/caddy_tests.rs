use super::*;

const REQUEST: &str = r#""request":{"remote_ip":"127.0.0.1","remote_port":"42724","proto":"HTTP/1.1","method":"POST","host":"shop.example.com","uri":"/kas/p","headers":{"X-Request-Id":["r-1"],"User-Agent":["curl \"x\""]}},"user_id":"","duration":0.00029512,"#;

fn read(line: &str) -> Entry<'_> {
    let mut entry = Entry::default();
    assert_eq!(
        Parser::default().parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{line}"
    );
    entry
}

fn error_line(message: &str) -> String {
    format!(
        r#"{{"level":"error","ts":1795194026.6341133,"logger":"http.log.error.log0","msg":"{message}",{REQUEST}"status":502,"err_id":"bva5v9z8e","err_trace":"reverseproxy.statusError (reverseproxy.go:1272)"}}"#
    )
}

#[test]
fn an_access_line_is_a_request_that_ends_at_its_stamp() {
    let line = format!(
        r#"{{"level":"error","ts":1795194026.6341372,"logger":"http.log.access.log0","msg":"handled request",{REQUEST}"size":0,"status":502,"resp_headers":{{"Server":["Caddy"]}}}}"#
    );
    let entry = read(&line);
    assert_eq!(
        (entry.kind, entry.status, entry.signal),
        (Kind::Request, Some(502), None)
    );
    assert_eq!(entry.duration_us, Some(295));
    assert_eq!(
        (entry.client, entry.client_port),
        (b"127.0.0.1".as_slice(), Some(42_724))
    );
    assert_eq!(
        (entry.method, entry.path),
        (b"POST".as_slice(), b"/kas/p".as_slice())
    );
    assert_eq!(entry.ids.as_slice(), [b"r-1".as_slice()]);
    let time = entry.time.unwrap();
    assert_eq!(
        (time.us, time.marks, time.zone),
        (1_795_194_026_634_137, Marks::End, Zone::Known)
    );
}

#[test]
fn an_error_line_says_what_failed_and_on_which_connection() {
    let line = error_line("read tcp 127.0.0.1:56050->127.0.0.1:9105: read: connection reset by peer");
    let entry = read(&line);
    assert_eq!((entry.kind, entry.status), (Kind::Failure, Some(502)));
    assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Reset)));
    assert_eq!(entry.upstream.local, b"127.0.0.1:56050");
    assert_eq!(entry.upstream.addr, b"127.0.0.1:9105");
    let line = error_line("dial tcp 127.0.0.1:9102: connect: connection refused");
    assert_eq!(read(&line).upstream.addr, b"127.0.0.1:9102");
}

#[test]
fn a_body_that_breaks_off_is_a_failure_in_the_body() {
    let entry = read(
        r#"{"level":"error","ts":1795194011.4920318,"logger":"http.handlers.reverse_proxy","msg":"aborting with incomplete response","error":"read tcp 127.0.0.1:34958->127.0.0.1:9101: read: connection reset by peer"}"#,
    );
    assert_eq!(entry.signal, Some(Signal::new(Phase::Body, Fault::Reset)));
    assert_eq!((entry.kind, entry.status), (Kind::Failure, None));
}

#[test]
fn an_attempt_at_debug_level_is_a_note_with_its_server() {
    let line = format!(
        r#"{{"level":"debug","ts":1795194011.49,"logger":"http.handlers.reverse_proxy","msg":"upstream roundtrip","upstream":"127.0.0.1:9101",{REQUEST}"headers":{{}},"status":200}}"#
    );
    let entry = read(&line);
    assert_eq!((entry.kind, entry.status), (Kind::Note, None));
    assert_eq!(
        (entry.upstream.addr, entry.upstream.status),
        (b"127.0.0.1:9101".as_slice(), b"200".as_slice())
    );
    assert_eq!(entry.header_us, Some(295));
}

#[test]
fn the_console_encoder_says_the_same_with_tabs() {
    let line = "2024/05/26 11:42:52.601\t\u{1b}[34mINFO\u{1b}[0m\thttp.log.access\thandled request\t{\"request\":{\"remote_addr\":\"[::1]:5000\",\"method\":\"GET\",\"uri\":\"/\"},\"duration\":1.5,\"status\":0}";
    let entry = read(line);
    assert_eq!(
        (entry.kind, entry.level, entry.status),
        (Kind::Request, Level::Info, None)
    );
    assert_eq!((entry.client, entry.client_port), (b"::1".as_slice(), Some(5000)));
    assert_eq!(entry.duration_us, Some(1_500_000));
    assert_eq!(entry.time.unwrap().us, 1_716_723_772_601_000);
    let line = "2024/05/26 11:42:52.601\tINFO\tserving initial configuration";
    assert_eq!(
        read(line).signal,
        Some(Signal::new(Phase::Process, Fault::Started))
    );
}

#[test]
fn durations_may_be_written_as_go_writes_them() {
    assert_eq!(go_duration_us(b"2m3.5s"), Some(123_500_000));
    assert_eq!(go_duration_us("870.5µs".as_bytes()), Some(870));
    assert_eq!(go_duration_us(b"12"), None);
}

#[test]
fn other_loggers_are_notes() {
    let entry = read(
        r#"{"level":"info","ts":1761019822.316192,"logger":"admin","msg":"admin endpoint started","address":"localhost:2019"}"#,
    );
    assert_eq!((entry.kind, entry.signal), (Kind::Note, None));
}
