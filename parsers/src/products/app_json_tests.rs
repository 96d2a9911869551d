use super::*;

fn head(bytes: &[u8]) -> Head<'_> {
    Head {
        bytes,
        hints: &[],
        date_hint: None,
    }
}

/// Reads `line` with the format that its own head leads to.
fn read(line: &str) -> (Product, Entry<'_>) {
    let product = writer(&head(line.as_bytes()));
    let format = AppJson(product);
    assert_eq!(format.sniff(&head(line.as_bytes())).score, Score::Own, "{line}");
    let mut parser = format.prepare(&head(line.as_bytes())).open(b"");
    let mut entry = Entry::default();
    assert_eq!(
        parser.parse(line.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{line}"
    );
    (product, entry)
}

#[test]
fn pino_http_lines_are_requests_of_node() {
    let (product, entry) = read(
        r#"{"level":30,"time":1745532517537,"pid":17,"hostname":"a","req":{"id":"0f8fad5b-d9cb","method":"GET","url":"/x?a=1","headers":{"host":"shop","X-Request-Id":"edge-0001"},"remoteAddress":"::ffff:10.0.0.9","remotePort":50110},"res":{"statusCode":200,"headers":{}},"responseTime":12,"msg":"request completed"}"#,
    );
    assert_eq!(product, Product::Node);
    assert_eq!((entry.kind, entry.status), (Kind::Request, Some(200)));
    assert_eq!(
        (entry.method, entry.path),
        (b"GET".as_slice(), b"/x?a=1".as_slice())
    );
    assert_eq!(entry.duration_us, Some(12_000));
    assert_eq!(
        (entry.client, entry.client_port),
        (b"::ffff:10.0.0.9".as_slice(), Some(50_110))
    );
    assert_eq!(entry.ids.as_slice(), [b"0f8fad5b-d9cb".as_slice(), b"edge-0001"]);
    assert_eq!((entry.level, entry.pid), (Level::Info, Some(17)));
    let time = entry.time.unwrap();
    assert_eq!((time.us, time.marks), (1_745_532_517_537_000, Marks::End));
}

#[test]
fn an_aborted_request_is_the_clients_and_an_errored_one_says_why() {
    let start = r#"{"level":50,"time":1745532517537,"pid":17,"hostname":"a","req":{"id":1,"method":"GET","url":"/x"},"res":{"statusCode":502},"responseTime":3,"#;
    let line = format!(r#"{start}"msg":"request aborted"}}"#);
    let entry = read(&line).1;
    assert_eq!(entry.signal, Some(Signal::new(Phase::Client, Fault::ClientGone)));
    assert!(entry.ids.as_slice().is_empty(), "a counter is no id");
    let line = format!(
        r#"{start}"err":{{"type":"Error","message":"socket hang up","stack":"Error: socket hang up\n    at x","code":"ECONNRESET"}},"reusedSocket":true,"msg":"request errored"}}"#
    );
    let entry = read(&line).1;
    assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
    assert_eq!(
        (entry.upstream.reused, entry.error),
        (Some(true), b"socket hang up".as_slice())
    );
}

#[test]
fn bunyan_has_iso_times_and_a_version() {
    let (product, entry) = read(
        r#"{"name":"api","hostname":"a","pid":9,"level":50,"err":{"message":"connect ECONNREFUSED 10.0.0.1:80","name":"Error"},"req_id":"0f8fad5b","msg":"upstream failed","time":"2026-11-20T16:23:16.123Z","v":0}"#,
    );
    assert_eq!(product, Product::Node);
    assert_eq!(entry.kind, Kind::Failure);
    assert_eq!(entry.signal, Some(Signal::new(Phase::Connect, Fault::Refused)));
    assert_eq!(entry.time.unwrap().marks, Marks::Event);
}

#[test]
fn nginx_json_lists_its_attempts_in_seconds() {
    let line = r#"{"time_local":"20/Nov/2026:16:23:16 +0000","msec":"1795191796.123","remote_addr":"10.0.0.9","request":"POST /orders?id=7 HTTP/1.1","status":"502","request_time":"3.004","upstream_addr":"10.0.0.1:80, 10.0.0.2:80","upstream_status":"502, 502","upstream_connect_time":"-, 0.001","upstream_response_time":"0.001, 3.002","request_id":"4ad36c1d2060844c74439ca62bfb3e0e","host":"shop"}"#;
    let (product, entry) = read(line);
    assert_eq!(product, Product::Nginx);
    assert_eq!(
        (entry.kind, entry.status, entry.duration_us),
        (Kind::Request, Some(502), Some(3_004_000))
    );
    assert_eq!(
        (entry.method, entry.path),
        (b"POST".as_slice(), b"/orders?id=7".as_slice())
    );
    assert_eq!(entry.upstream.attempts().count(), 2);
    assert_eq!(
        (entry.connect_us, entry.response_us),
        (Some(1_000), Some(3_002_000))
    );
    assert_eq!(entry.time.unwrap().us, 1_795_191_796_123_000);
    assert_eq!(entry.host, b"shop");
}

#[test]
fn nginx_json_with_bare_values_is_read_when_requests_fail() {
    let line = r#"{"time_iso8601":"2026-11-20T16:23:16+00:00","request_method":"GET","request_uri":"/","status":502,"request_time":3.004,"upstream_response_time":0.001, 3.002,"upstream_status":502, 200,"upstream_header_time":}"#;
    let entry = read(line).1;
    assert_eq!(
        (entry.status, entry.upstream.status),
        (Some(502), b"502, 200".as_slice())
    );
    assert_eq!(entry.upstream.attempts().count(), 2);
}

#[test]
fn logstash_lines_are_of_java_and_keep_their_trace_id() {
    let (product, entry) = read(
        r#"{"@timestamp":"2026-11-20T17:23:16.5+01:00","@version":"1","message":"call failed","logger_name":"c.e.Orders","thread_name":"http-1","level":"ERROR","level_value":40000,"stack_trace":"java.net.SocketTimeoutException: Read timed out\n\tat x","traceId":"c759f29f5f1e2162be56f32dd1e77fce"}"#,
    );
    assert_eq!(product, Product::Java);
    assert_eq!((entry.kind, entry.level), (Kind::Failure, Level::Error));
    assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
    assert_eq!(
        entry.ids.as_slice(),
        [b"c759f29f5f1e2162be56f32dd1e77fce".as_slice()]
    );
    assert_eq!(entry.time.unwrap().us, 1_795_191_796_500_000);
}

#[test]
fn what_kills_a_process_is_an_event() {
    let line = r#"{"level":60,"time":1745532517537,"pid":17,"hostname":"a","err":{"type":"RangeError","message":"x"},"msg":"uncaughtException"}"#;
    let entry = read(line).1;
    assert_eq!(entry.kind, Kind::Event);
    assert_eq!(
        entry.signal,
        Some(Signal::new(Phase::Process, Fault::WorkerCrashed))
    );
    let line = r#"{"level":"error","ts":1795191796.5,"msg":"java.lang.OutOfMemoryError: Java heap space"}"#;
    assert_eq!(
        read(line).1.signal,
        Some(Signal::new(Phase::Process, Fault::OutOfMemory))
    );
}

#[test]
fn durations_without_unit_are_judged_by_the_file() {
    let seconds =
        r#"{"level":"info","ts":1795191796.5,"method":"GET","path":"/","status":200,"duration":0.0123}"#;
    assert_eq!(read(seconds).1.duration_us, Some(12_300));
    let ms = r#"{"level":"info","time":"2026-11-20T16:23:16Z","method":"GET","path":"/","status":200,"latency":37}"#;
    assert_eq!(read(ms).1.duration_us, Some(37_000));
    let ns = r#"{"level":"info","time":"2026-11-20T16:23:16Z","method":"GET","path":"/","status":200,"latency":37000000}"#;
    assert_eq!(read(ns).1.duration_us, Some(37_000));
    let go = r#"{"level":"info","time":"2026-11-20T16:23:16Z","method":"GET","path":"/","status":200,"latency":"1.5ms"}"#;
    assert_eq!(read(go).1.duration_us, Some(1_500));
    let ecs = r#"{"@timestamp":"2026-11-20T16:23:16Z","http":{"request":{"method":"GET"},"response":{"status_code":502}},"url":{"path":"/","query":"a=1"},"event":{"duration":37000000}}"#;
    let entry = read(ecs).1;
    assert_eq!((entry.status, entry.duration_us), (Some(502), Some(37_000)));
    assert_eq!(&*entry.target(), b"/?a=1");
}

#[test]
fn serilog_and_the_net_console_are_known() {
    let serilog = r#"{"@t":"2026-11-20T16:23:16.5Z","@mt":"HTTP {RequestMethod} …","RequestMethod":"GET","RequestPath":"/x","StatusCode":502,"Elapsed":0.5421,"RequestId":"0HM:00000001"}"#;
    let entry = read(serilog).1;
    assert_eq!((entry.status, entry.duration_us), (Some(502), Some(542)));
    let console = r#"{"Timestamp":"2026-11-20T16:23:16Z","EventId":2,"LogLevel":"Information","Category":"X","Message":"Request finished","State":{"Method":"GET","Path":"/x","StatusCode":502,"ElapsedMilliseconds":12.5}}"#;
    let entry = read(console).1;
    assert_eq!(
        (entry.status, entry.duration_us, entry.level),
        (Some(502), Some(12_500), Level::Info)
    );
}

#[test]
fn app_service_lines_are_of_iis() {
    let (product, entry) = read(
        r#"{"time": "2022-12-14T12:18:26.4843064Z", "category": "AppServiceHTTPLogs", "properties": {"CsMethod":"POST","CsUriStem":"/api/command","SPort":"443","CIp":"81.2.69.142","CsHost":"h","ScStatus":502,"ScSubStatus":"3","ScWin32Status":"12002","TimeTaken":1793,"CsUriQuery":"X-ARR-LOG-ID=820d6db3"}}"#,
    );
    assert_eq!((product, entry.status), (Product::Iis, Some(502)));
    assert_eq!(
        (entry.path, entry.duration_us),
        (b"/api/command".as_slice(), Some(1_793_000))
    );
    assert_eq!(entry.ids.as_slice(), [b"820d6db3".as_slice()]);
    assert_eq!(entry.signal, Some(Signal::new(Phase::Unknown, Fault::TimedOut)));
}

#[test]
fn lines_about_no_request_are_notes_and_data_is_no_log() {
    let line = r#"{"level":"info","time":1745532517537,"pid":17,"hostname":"7d82d3f28bad","trace_id":"c759f29f5f1e2162be56f32dd1e77fce","msg":"Charge request received."}"#;
    assert_eq!(read(line).1.kind, Kind::Note);
    let data = head(br#"{"id":7,"name":"x"}"#);
    assert_eq!(AppJson::APPLICATION.sniff(&data).score, Score::No);
}

#[test]
fn wrappers_are_left_to_what_they_wrap() {
    let docker = head(br#"{"log":"GET / 200\n","stream":"stdout","time":"2026-11-20T16:23:16.1Z"}"#);
    assert_eq!(AppJson::APPLICATION.sniff(&docker).score, Score::No);
}

#[test]
fn records_of_an_array_are_read_one_a_line() {
    let text = "[\n{\"level\":30,\"time\":1745532517537,\"pid\":1,\"hostname\":\"a\",\"msg\":\"a\"},\n{\"level\":30,\"time\":1745532517538,\"pid\":1,\"hostname\":\"a\",\"msg\":\"b\"}]\n";
    let head = Head {
        bytes: text.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    assert_eq!(AppJson::NODE.sniff(&head).score, Score::Own);
    let mut parser = AppJson::NODE.prepare(&head).open(b"");
    let kinds: Vec<_> = head
        .lines()
        .map(|line| parser.parse(line, &mut Entry::default()))
        .collect();
    assert_eq!(kinds, [Ok(Line::Directive), Ok(Line::Entry), Ok(Line::Entry)]);
}

#[test]
fn a_document_spread_over_lines_is_no_log() {
    for text in [
        "{\n  \"routes\": [\n    {\"method\":\"GET\",\"path\":\"/\",\"status\":200}\n  ]\n}\n",
        "[\n  {\n    \"last\": {\"time\":1745532517537,\"message\":\"a\"}\n  }\n]\n",
    ] {
        let head = Head {
            bytes: text.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        assert_eq!(AppJson::APPLICATION.sniff(&head).score, Score::No, "{text}");
    }
}

/// As winston writes what an Express proxy says in its error handler.
#[test]
fn an_error_about_a_request_is_a_failure_though_it_says_how_long_it_took() {
    let (_, entry) = read(
        r#"{"code":"ECONNRESET","elapsed":272,"error":"socket hang up","level":"error","message":"proxy error","method":"POST","requestId":"e4c9ea48-87a3-46aa-83b3-7f2ee833b1e6","reusedSocket":true,"target":"http://10.0.3.1:3000","timestamp":"2026-11-20T21:36:17.045Z","url":"/checkout"}"#,
    );
    assert_eq!(entry.kind, Kind::Failure);
    assert_eq!(entry.signal, Some(Signal::new(Phase::Header, Fault::Closed)));
    assert_eq!(
        (entry.upstream.reused, entry.duration_us),
        (Some(true), Some(272_000))
    );
    assert_eq!(entry.ids.as_slice(), [b"e4c9ea48-87a3-46aa-83b3-7f2ee833b1e6"]);
}
