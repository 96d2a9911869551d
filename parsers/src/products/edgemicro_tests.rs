use super::*;

fn read(line: &str) -> Entry<'_> {
    let mut entry = Entry::default();
    let mut parser = Parser::default();
    assert_eq!(
        parser.parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{line}"
    );
    entry
}

fn failed(text: &str, phase: Phase, fault: Fault) {
    let line = format!(
        "2026-11-20T16:41:55.596Z [error][127.0.0.1:9102][28386][acme][prod][down/a][127.0.0.1][]\
         [bc9b3904-2703-4d73-96ae-7cc6d34bd0f1][plugins-middleware][targetRequest error][GET][]{text}"
    );
    let entry = read(&line);
    assert_eq!(entry.kind, Kind::Failure, "{text}");
    assert_eq!(entry.signal, Some(Signal::new(phase, fault)), "{text}");
    assert_eq!(entry.upstream.addr, b"127.0.0.1:9102");
}

#[test]
fn the_two_lines_of_a_hang_up_are_a_failure_and_its_outcome() {
    let first = read(
        "2021-06-23T03:52:24.109Z [warn][10.1.1.1:8080][3][myorg][test][emg_badtarget/flakey/hangup][][][6b089a00-d3d6-11eb-95aa-911f1ee6c684][plugins-middleware][targetRequest error][GET][][socket hang up][ECONNRESET][395]",
    );
    assert_eq!((first.kind, first.status), (Kind::Failure, None));
    assert_eq!(first.response_us, Some(395_000));
    assert_eq!(first.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
    let second = read(
        "2021-06-23T03:52:24.110Z [error][0:8000][3][myorg][test][emg_badtarget/flakey/hangup][][][6b089a00-d3d6-11eb-95aa-911f1ee6c684][microgateway-core][][GET][502][socket hang up][ECONNRESET][]",
    );
    assert_eq!((second.kind, second.status), (Kind::Request, Some(502)));
    assert_eq!(second.time.unwrap().marks, Marks::End);
    assert_eq!(&*second.target(), b"/emg_badtarget/flakey/hangup");
    assert_eq!(first.ids.as_slice(), second.ids.as_slice());
    assert_eq!(second.host, b"0:8000");
}

#[test]
fn a_good_request_is_notes_and_one_outcome() {
    let tail = "[28386][acme][prod][ok/a?x[0]=1][127.0.0.1][][85bb060e][plugins-middleware]";
    let start =
        format!("2026-11-20T16:40:28.163Z [info][shop.example.com]{tail}[sourceRequest][GET][][][][]");
    assert_eq!(
        (read(&start).kind, read(&start).time.unwrap().marks),
        (Kind::Note, Marks::Start)
    );
    let header =
        format!("2026-11-20T16:40:28.187Z [info][127.0.0.1:9101]{tail}[targetResponse][GET][200][][][23]");
    assert_eq!(
        (read(&header).kind, read(&header).header_us),
        (Kind::Note, Some(23_000))
    );
    let end =
        format!("2026-11-20T16:40:28.188Z [info][shop.example.com]{tail}[sourceResponse][GET][200][][][32]");
    let entry = read(&end);
    assert_eq!((entry.kind, entry.status), (Kind::Request, Some(200)));
    assert_eq!(
        (entry.duration_us, entry.path),
        (Some(32_000), b"ok/a?x[0]=1".as_slice())
    );
}

#[test]
fn brackets_in_the_path_and_in_the_error_stay_there() {
    let entry = read(
        "2026-11-20T16:40:28.163Z [error][h][1][o][e][a?b][c][d]=1[x][1.2.3.4][k][id-1][microgateway-core][][GET][502][a][b][ECONNRESET][]",
    );
    assert_eq!(entry.path, b"a?b][c][d]=1[x");
    assert_eq!(
        (entry.client, entry.ids.as_slice()),
        (b"1.2.3.4".as_slice(), [b"id-1".as_slice()].as_slice())
    );
    assert_eq!((entry.error, entry.status), (b"a][b".as_slice(), Some(502)));
}

#[test]
fn each_error_code_has_its_signal() {
    failed("[read ECONNRESET][ECONNRESET][103]", Phase::Header, Fault::Reset);
    failed("[write ECONNRESET][ECONNRESET][7]", Phase::Send, Fault::Reset);
    failed(
        "[connect ECONNREFUSED 127.0.0.1:9102][ECONNREFUSED][1]",
        Phase::Connect,
        Fault::Refused,
    );
    failed(
        "[connect ETIMEDOUT 127.0.0.1:9102][ETIMEDOUT][1]",
        Phase::Connect,
        Fault::TimedOut,
    );
    failed(
        "[getaddrinfo ENOTFOUND x][ENOTFOUND][1]",
        Phase::Resolve,
        Fault::NameNotFound,
    );
    failed("[write EPIPE][EPIPE][1]", Phase::Send, Fault::BrokenPipe);
    failed(
        "[Parse Error: Header overflow][HPE_HEADER_OVERFLOW][22]",
        Phase::Header,
        Fault::HeaderTooBig,
    );
    failed(
        "[Parse Error: Expected HTTP/, RTSP/ or ICE/][HPE_INVALID_CONSTANT][22]",
        Phase::Header,
        Fault::MalformedHeader,
    );
    failed(
        "[certificate has expired][CERT_HAS_EXPIRED][22]",
        Phase::Tls,
        Fault::CertificateRejected,
    );
    failed(
        "[Client network socket disconnected before secure TLS connection was established][ECONNRESET][2]",
        Phase::Tls,
        Fault::TlsRejected,
    );
}

#[test]
fn the_gateways_own_timer_is_told_by_its_text() {
    let entry = read(
        "2026-11-20T16:40:31.900Z [error][shop.example.com][28386][acme][prod][ok/slow][127.0.0.1][][2cfe2419-2502-4f96-acb1-158dc369529d][microgateway-core][][GET][504][Gateway timed out trying to reach target][][]",
    );
    assert_eq!((entry.kind, entry.status), (Kind::Request, Some(504)));
    assert_eq!(entry.signal, Some(Signal::new(Phase::Unknown, Fault::TimedOut)));
}

#[test]
fn a_target_that_breaks_off_in_its_answer_is_a_failure() {
    let entry = read(
        "2026-11-20T16:40:42.517Z [error][127.0.0.1:9101][28386][acme][prod][ok/report][127.0.0.1][][ee8b0921][plugins-middleware][targetResponse error][GET][200][aborted][ECONNRESET][3003]",
    );
    assert_eq!((entry.kind, entry.status), (Kind::Failure, None));
    assert_eq!(entry.signal, Some(Signal::new(Phase::Body, Fault::ResetOrClosed)));
    assert_eq!(entry.upstream.status, b"200");
}

#[test]
fn stats_and_console_lines_are_notes_and_a_stack_is_a_continuation() {
    let stats = read(
        "2026-11-20T16:41:27.113Z stats 28386 treqErrors=2, tresErrors=0, statusCodes={1=0, 2=2}, requests=4, connections=undefined",
    );
    assert_eq!((stats.kind, stats.pid), (Kind::Note, Some(28_386)));
    let console = read("2026-11-20T16:41:27.113Z [28386] [microgateway] started");
    assert_eq!((console.kind, console.pid), (Kind::Note, Some(28_386)));
    let mut entry = Entry::default();
    let stack = Parser::default().parse(b"    at Socket.socketOnEnd (_http_client.js:498:9)", &mut entry);
    assert_eq!(stack, Ok(Line::Continuation));
}

#[test]
fn a_record_that_lost_its_start_is_an_error_and_no_stack_line() {
    let line = b"-096ad3df][plugins-middleware][targetRequest error][GET][][socket hang up][ECONNRESET][395]";
    let read = Parser::default().parse(line, &mut Entry::default());
    assert_eq!(read, Err(LineError::new(0, "time")));
}
