use super::*;
use crate::entry::Signal;
use crate::format::Format;

/// A request and its fetch on version 7.1.1, grouped by request; the backend never answered.
const SLOW: &str = "*   << Request  >> 32770     
-   Begin          req 4 rxreq
-   Timestamp      Start: 1795203483.334715 0.000000 0.000000
-   Timestamp      Req: 1795203483.334715 0.000000 0.000000
-   ReqStart       127.0.0.1 48628 a0
-   ReqMethod      GET
-   ReqURL         /slow
-   ReqProtocol    HTTP/1.1
-   ReqHeader      Host: shop.example.com
-   ReqHeader      X-Request-Id: 4ad36c1d2060844c74439ca62bfb3e0e
-   ReqHeader      X-Forwarded-For: 127.0.0.1
-   Link           bereq 32771 fetch
-   Timestamp      Fetch: 1795203485.336900 2.002185 2.002185
-   RespStatus     503
-   Timestamp      Resp: 1795203485.336910 2.002195 0.000009
-   ReqAcct        131 0 131 211 278 489
-   End            
**  << BeReq    >> 32771     
--  Begin          bereq 32770 fetch
--  Timestamp      Start: 1795203483.334777 0.000000 0.000000
--  BereqMethod    GET
--  BereqURL       /slow
--  BereqHeader    Host: shop.example.com
--  BereqHeader    X-Request-Id: 4ad36c1d2060844c74439ca62bfb3e0e
--  Timestamp      Connected: 1795203483.334900 0.000123 0.000100
--  BackendOpen    21 app 127.0.0.1 9101 127.0.0.1 35766 reuse
--  Timestamp      Bereq: 1795203483.335000 0.000223 0.000100
--  FetchError     first byte timeout (reused connection)
--  BackendClose   21 app close Receive timeout
--  Timestamp      Beresp: 1795203485.336652 2.001875 2.001652
--  Timestamp      Error: 1795203485.336653 2.001876 0.000001
--  BerespStatus   503
--  End            ";

/// The transactions of `text`, each as one record.
fn records(text: &str) -> Vec<&str> {
    let parser = Parser::default();
    let mut starts: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if parser.begins(line.trim_end().as_bytes()) == Some(true) {
            starts.push(at);
        }
        at += line.len();
    }
    starts.push(text.len());
    starts
        .windows(2)
        .map(|pair| text[pair[0]..pair[1]].trim_end())
        .collect()
}

#[test]
fn a_transaction_that_is_read_whole_tells_everything() {
    let records = records(SLOW);
    assert_eq!(records.len(), 2);
    let mut request = Entry::default();
    assert_eq!(
        Parser::default().parse(records[0].as_bytes(), &mut request),
        Ok(Line::Entry)
    );
    assert_eq!((request.kind, request.status), (Kind::Request, Some(503)));
    assert_eq!(
        request.time.map(|t| (t.us, t.marks)),
        Some((1_795_203_483_334_715, Marks::Start))
    );
    assert_eq!(
        (request.duration_us, request.bytes_sent),
        (Some(2_002_195), Some(278))
    );
    assert_eq!(
        (request.method, request.path, request.host),
        (
            b"GET".as_slice(),
            b"/slow".as_slice(),
            b"shop.example.com".as_slice()
        )
    );
    assert_eq!(
        (request.client, request.client_port),
        (b"127.0.0.1".as_slice(), Some(48_628))
    );
    assert_eq!(request.ids.as_slice(), [b"4ad36c1d2060844c74439ca62bfb3e0e"]);
    let mut fetch = Entry::default();
    assert_eq!(
        Parser::default().parse(records[1].as_bytes(), &mut fetch),
        Ok(Line::Entry)
    );
    assert_eq!((fetch.kind, fetch.status), (Kind::Failure, None));
    assert_eq!(fetch.signal, Some(Signal::new(Phase::Header, Fault::TimedOut)));
    assert_eq!(fetch.upstream.reused, Some(true));
    assert_eq!(
        (fetch.upstream.addr, fetch.upstream.group),
        (b"127.0.0.1".as_slice(), b"app".as_slice())
    );
    assert_eq!(
        (fetch.connect_us, fetch.response_us),
        (Some(123), Some(2_001_876))
    );
    assert_eq!((fetch.header_us, fetch.upstream.status), (None, b"".as_slice()));
    assert_eq!(fetch.ids.as_slice(), request.ids.as_slice());
}

#[test]
fn line_by_line_the_failure_keeps_its_time() {
    let mut parser = Parser::default();
    let mut entries = Vec::new();
    for line in SLOW.lines() {
        let mut entry = Entry::default();
        match parser.parse(line.as_bytes(), &mut entry) {
            Ok(Line::Entry) => entries.push(entry),
            other => assert!(other.is_ok(), "{line}"),
        }
    }
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].time.map(|t| t.us), Some(1_795_203_483_335_000));
    assert_eq!(entries[0].kind, Kind::Failure);
}

#[test]
fn every_fetch_error_seen_has_its_signal() {
    let is = |text: &str, phase, fault| {
        assert_eq!(
            fetch_error(text.as_bytes()),
            Some(Signal::new(phase, fault)),
            "{text}"
        );
    };
    is("first byte timeout", Phase::Header, Fault::TimedOut);
    is("HTC eof (-1)", Phase::Header, Fault::ResetOrClosed);
    is("straight insufficient bytes", Phase::Body, Fault::ResetOrClosed);
    is("Resource temporarily unavailable", Phase::Body, Fault::TimedOut);
    is("chunked read err", Phase::Body, Fault::ResetOrClosed);
    is("http format error", Phase::Header, Fault::MalformedHeader);
    is("overflow", Phase::Header, Fault::HeaderTooBig);
    is(
        "backend b_down: fail errno 111 (Connection refused)",
        Phase::Connect,
        Fault::Refused,
    );
    is(
        "backend b_black: fail errno 110 (Connection timed out)",
        Phase::Connect,
        Fault::TimedOut,
    );
    is(
        "backend b_down: fail errno 0 (Success)",
        Phase::Connect,
        Fault::NoLiveUpstream,
    );
    is("backend default: unhealthy", Phase::Queue, Fault::NoLiveUpstream);
    is("backend default: busy", Phase::Queue, Fault::QueueFull);
    is("No backend", Phase::Queue, Fault::NoLiveUpstream);
    assert_eq!(fetch_error(b"-"), None);
    assert_eq!(fetch_error(b"14 -"), None);
}

/// Two transactions of version 7.1.1 as `varnishlog -g raw` writes them, a session's lines among them.
const RAW: &str = "         0 CLI            - Rd ping
         1 Begin          c sess 0 HTTP/1
         1 SessOpen       c 127.0.0.1 58274 a0 127.0.0.1 18820 1795211196.426591 20
     32771 Begin          b bereq 32770 fetch
     32771 Timestamp      b Start: 1795203483.334777 0.000000 0.000000
     32771 BereqMethod    b GET
     32771 BereqURL       b /slow
     32771 BereqHeader    b X-Request-Id: 4ad36c1d2060844c74439ca62bfb3e0e
         1 Link           c req 2 rxreq
     32771 BackendOpen    b 21 app 127.0.0.1 9101 127.0.0.1 35766 reuse
     32771 FetchError     b first byte timeout (reused connection)
     32771 BerespStatus   b 503
     32771 End            b 
     32770 Begin          c req 1 rxreq
     32770 Timestamp      c Start: 1795203483.334715 0.000000 0.000000
     32770 ReqStart       c 127.0.0.1 48628 a0
     32770 ReqMethod      c GET
     32770 ReqURL         c /slow
     32770 RespStatus     c 503
     32770 Timestamp      c Resp: 1795203485.336910 2.002195 0.000009
     32770 End            c ";

#[test]
fn ungrouped_transactions_are_read_as_grouped_ones_are() {
    let head = Head {
        bytes: RAW.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    assert_eq!(Varnishlog.sniff(&head).score, Score::Mark);
    let mut read: Vec<(Kind, Vec<u8>, Option<u16>)> = Vec::new();
    for record in records(RAW) {
        let mut entry = Entry::default();
        if Parser::default().parse(record.as_bytes(), &mut entry) == Ok(Line::Entry) {
            read.push((entry.kind, entry.path.to_vec(), entry.status));
            assert!(entry.time.is_some());
            if entry.kind == Kind::Failure {
                assert_eq!(entry.upstream.reused, Some(true));
                assert_eq!(entry.signal.map(|signal| signal.fault), Some(Fault::TimedOut));
                assert_eq!(entry.ids.as_slice(), [b"4ad36c1d2060844c74439ca62bfb3e0e"]);
            }
        }
    }
    assert_eq!(
        read,
        [
            (Kind::Failure, b"/slow".to_vec(), None),
            (Kind::Request, b"/slow".to_vec(), Some(503))
        ]
    );
}
