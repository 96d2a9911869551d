use super::*;
use crate::entry::{Fault, Phase, Signal};

fn read(line: &[u8]) -> Entry<'_> {
    let mut entry = Entry::default();
    let read = Parser::default().parse(line, &mut entry);
    assert_eq!(read, Ok(Line::Entry), "{}", String::from_utf8_lossy(line));
    entry
}

fn crash() -> Option<Signal> {
    Some(Signal::new(Phase::Process, Fault::WorkerCrashed))
}

#[test]
fn a_worker_s_death_as_xml_names_its_pool_and_process() {
    let line = b"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-WAS' Guid='{524B5D04}' EventSourceName='WAS'/><EventID Qualifiers='32768'>5011</EventID><Level>3</Level><TimeCreated SystemTime='2026-11-20T10:00:05.123456700Z'/><Execution ProcessID='0' ThreadID='0'/><Channel>System</Channel></System><EventData><Data>shop</Data><Data>29492</Data><Binary>6D000780</Binary></EventData></Event>";
    let entry = read(line);
    assert_eq!((entry.kind, entry.signal), (Kind::Event, crash()));
    assert_eq!((entry.upstream.group, entry.pid), (&b"shop"[..], Some(29_492)));
    assert_eq!(entry.level, Level::Warning);
    let time = entry.time.unwrap();
    assert_eq!((time.us, time.zone), (1_795_168_805_123_456, Zone::Known));
}

#[test]
fn recycling_names_the_process_before_the_pool() {
    let line = b"<Event><System><Provider Name=\"WAS\"/><EventID>5074</EventID><TimeCreated SystemTime=\"2026-11-20T10:00:05Z\"/></System><EventData><Data>4711</Data><Data>shop</Data></EventData></Event>";
    let entry = read(line);
    assert_eq!(entry.signal, Some(Signal::new(Phase::Process, Fault::Recycled)));
    assert_eq!((entry.upstream.group, entry.pid), (&b"shop"[..], Some(4_711)));
}

#[test]
fn a_request_that_iis_logged_as_an_event_is_a_request() {
    let line = b"- <Event><System><Provider Name=\"Microsoft-Windows-IIS-Logging\" /> <EventID>6200</EventID></System><EventData><Data Name=\"date\">2026-11-20</Data> <Data Name=\"time\">10:00:05</Data> <Data Name=\"c-ip\">10.0.0.9</Data> <Data Name=\"cs-method\">GET</Data> <Data Name=\"cs-uri-stem\">/orders</Data> <Data Name=\"cs-uri-query\">a=1&amp;b=2</Data> <Data Name=\"sc-status\">502</Data> <Data Name=\"sc-substatus\">3</Data> <Data Name=\"sc-win32-status\">12002</Data> <Data Name=\"time-taken\">49</Data> <Data Name=\"CustomFields\" /></EventData></Event>";
    let entry = read(line);
    assert_eq!((entry.kind, entry.status), (Kind::Request, Some(502)));
    assert_eq!((entry.path, entry.duration_us), (&b"/orders"[..], Some(49_000)));
    assert_eq!(entry.text(entry.query), "a=1&b=2");
    assert_eq!(entry.signal, Some(Signal::new(Phase::Unknown, Fault::TimedOut)));
}

#[test]
fn text_records_are_read_whole() {
    let viewer = b"Log Name:      System\nSource:        Microsoft-Windows-WAS\nDate:          1/2/2026 12:00:05 PM\nEvent ID:      5011\nLevel:         Warning\nDescription:\nA process serving application pool 'shop' suffered a fatal communication error with the Windows Process Activation Service. The process id was '29492'. The data field contains the error number.\n";
    let entry = read(viewer);
    assert_eq!((entry.kind, entry.signal), (Kind::Event, crash()));
    assert_eq!((entry.upstream.group, entry.pid), (&b"shop"[..], Some(29_492)));
    let time = entry.time.unwrap();
    assert_eq!((time.us, time.zone), (1_767_355_205_000_000, Zone::Local));
    let wevtutil = b"Event[0]\n  Log Name: Application\n  Source: .NET Runtime\n  Date: 2026-11-20T10:00:05.1230000Z\n  Event ID: 1026\n  Level: Error\n  Description: \nApplication: w3wp.exe\nDescription: The process was terminated due to an unhandled exception.\n";
    let entry = read(wevtutil);
    assert_eq!(entry.signal, crash());
    assert_eq!(entry.time.map(|time| time.us), Some(1_795_168_805_123_000));
}

#[test]
fn lines_of_a_text_record_go_on_with_it() {
    let mut parser = Parser::default();
    let mut kinds = Vec::new();
    for line in ["Log Name:      System", "Source:        WAS", "", "Some text."] {
        kinds.push(parser.parse(line.as_bytes(), &mut Entry::default()).unwrap());
    }
    assert_eq!(
        kinds,
        [
            Line::Entry,
            Line::Continuation,
            Line::Directive,
            Line::Continuation
        ]
    );
    assert_eq!(parser.begins(b"Source: WAS"), Some(false));
}

#[test]
fn json_of_every_collector_is_read() {
    for line in [
        r#"{"@timestamp":"2026-11-20T10:00:05.123Z","event":{"code":"5011","provider":"Microsoft-Windows-WAS"},"winlog":{"event_id":5011,"provider_name":"Microsoft-Windows-WAS","channel":"System","process":{"pid":0}},"log":{"level":"warning"},"message":"A process serving application pool 'shop' suffered a fatal communication error. The process id was '29492'."}"#,
        r#"{"EventTime":"2026-11-20T10:00:05.123+00:00","EventID":5011,"SourceName":"Microsoft-Windows-WAS","Channel":"System","Severity":"WARNING","Message":"A process serving application pool 'shop' suffered a fatal communication error. The process id was '29492'."}"#,
        r#"{"Message":"A process serving application pool 'shop' suffered a fatal communication error. The process id was '29492'.","Id":5011,"ProviderName":"Microsoft-Windows-WAS","LogName":"System","TimeCreated":"\/Date(1795168805123)\/","LevelDisplayName":"Warning"}"#,
    ] {
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        assert_eq!(WindowsEventLog.sniff(&head).score, Score::Mark, "{line}");
        let entry = read(line.as_bytes());
        assert_eq!((entry.signal, entry.pid), (crash(), Some(29_492)), "{line}");
        assert_eq!(
            (entry.upstream.group, entry.level),
            (&b"shop"[..], Level::Warning)
        );
        assert_eq!(
            entry.time.map(|time| time.us),
            Some(1_795_168_805_123_000),
            "{line}"
        );
    }
}

#[test]
fn an_event_of_no_concern_is_a_note_and_one_cut_off_an_error() {
    let line = b"<Event><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4625</EventID><TimeCreated SystemTime='2026-11-20T10:00:05Z'/></System><EventData><Data Name='ProcessID'>7</Data></EventData></Event>";
    let entry = read(line);
    assert_eq!((entry.kind, entry.signal, entry.pid), (Kind::Note, None, None));
    let cut = Parser::default().parse(&line[..120], &mut Entry::default());
    assert!(cut.is_err());
}
