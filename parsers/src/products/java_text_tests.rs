use super::*;

fn head(bytes: &[u8]) -> Head<'_> {
    Head {
        bytes,
        hints: &[],
        date_hint: Some(*b"2026-11-20"),
    }
}

fn read(record: &str) -> Entry<'_> {
    let mut entry = Entry::default();
    let mut parser = JavaText.prepare(&head(b"")).open(b"");
    assert_eq!(
        parser.parse(record.as_bytes(), &mut entry),
        Ok(Line::Entry),
        "{record}"
    );
    entry
}

#[test]
fn every_layout_gives_time_level_and_text() {
    for (line, level) in [
        (
            "2026-11-20T16:23:16.139Z  INFO 1 --- [shop] [nio-8080-exec-1] c.e.Orders                        : stored",
            Level::Info,
        ),
        (
            "2026-11-20 16:23:16.139  WARN 4711 --- [           main] c.e.Orders : stored",
            Level::Warning,
        ),
        (
            "2026-11-20 16:23:16,139 [main] ERROR com.example.Orders - stored",
            Level::Error,
        ),
        (
            "2026-11-20T16:23:16,139 INFO [main                     ] Orders          : stored",
            Level::Info,
        ),
        ("16:23:16.139 [main] DEBUG c.e.Orders - stored", Level::Debug),
        (
            "2026-11-20 16:23:16,139 INFO  [com.example.Orders] (default task-1) stored",
            Level::Info,
        ),
        (
            "20-Nov-2026 16:23:16.139 SEVERE [main] com.example.Orders.store stored",
            Level::Error,
        ),
        (
            "\x1b[2m2026-11-20T16:23:16.139Z\x1b[0;39m \x1b[32m INFO\x1b[0;39m \x1b[35m1\x1b[0;39m \x1b[2m---\x1b[0;39m \x1b[2m[main]\x1b[0;39m \x1b[36mc.e.Orders \x1b[0;39m \x1b[2m:\x1b[0;39m stored",
            Level::Info,
        ),
    ] {
        let entry = read(line);
        assert_eq!(entry.level, level, "{line}");
        assert_eq!(
            entry.time.map(|time| time.us),
            Some(1_795_191_796_139_000),
            "{line}"
        );
        assert!(entry.error.ends_with(b"stored"), "{line}");
        assert_eq!(entry.kind, Kind::Note, "{line}");
    }
}

#[test]
fn trace_ids_in_brackets_are_taken_in_both_generations() {
    let three = read(
        "2026-11-20T16:23:16.139Z  INFO 1 --- [shop] [nio-8080-exec-1] [803b448a0489f84084905d3093480352-3425f23bb2432450] c.e.Orders : x",
    );
    assert_eq!(
        three.ids.as_slice(),
        [b"803b448a0489f84084905d3093480352".as_slice()]
    );
    assert_eq!(three.thread, jvm::thread(b"nio-8080-exec-1"));
    let sleuth = read(
        "2026-11-20 16:23:16.139  INFO [shop,803b448a0489f84084905d3093480352,3425f23bb2432450] 1 --- [main] c.e.Orders : x",
    );
    assert_eq!(sleuth.ids.as_slice().len(), 2);
    assert_eq!(sleuth.pid, Some(1));
}

#[test]
fn the_exception_below_a_record_decides_whole_or_line_by_line() {
    let first = "2026-11-20T16:23:16.139Z ERROR 1 --- [nio-1] c.e.Orders : no answer";
    let trace = "java.net.ConnectException: Connection refused";
    let expected = Some(Signal::new(Phase::Connect, Fault::Refused));
    let whole = format!("{first}\n\n{trace}\n\tat a.B.c(B.java:1)");
    let entry = read(&whole);
    assert_eq!((entry.kind, entry.signal), (Kind::Failure, expected));

    let mut parser = JavaText.prepare(&head(b"")).open(b"");
    let mut entry = Entry::default();
    assert_eq!(parser.parse(first.as_bytes(), &mut entry), Ok(Line::Entry));
    assert_eq!(entry.kind, Kind::Note);
    let mut second = Entry::default();
    assert_eq!(parser.parse(trace.as_bytes(), &mut second), Ok(Line::Entry));
    assert_eq!(
        (second.kind, second.signal, second.time),
        (Kind::Failure, expected, entry.time)
    );
    let mut third = Entry::default();
    assert_eq!(
        parser.parse(b"\tat a.B.c(B.java:1)", &mut third),
        Ok(Line::Continuation)
    );
}

#[test]
fn the_life_of_the_server_is_told() {
    for (text, fault) in [
        (
            "Started Shop in 13.531 seconds (process running for 16.066)",
            Fault::Started,
        ),
        (
            "Commencing graceful shutdown. Waiting for active requests to complete",
            Fault::Stopping,
        ),
        (
            "Maximum number of threads (200) created for connector with address [null] and port [8080]",
            Fault::WorkersExhausted,
        ),
    ] {
        let line = format!("2026-11-20 16:23:16.139  INFO 1 --- [main] c.e.Shop : {text}");
        assert_eq!(
            read(&line).signal,
            Some(Signal::new(Phase::Process, fault)),
            "{text}"
        );
    }
    let two_lines =
        "Nov 20, 2026 4:23:16 PM org.apache.catalina.startup.Catalina start\nINFO: Server startup in 2141 ms";
    let entry = read(two_lines);
    assert_eq!(entry.signal, Some(Signal::new(Phase::Process, Fault::Started)));
    assert_eq!(entry.time.map(|time| time.us), Some(1_795_191_796_000_000));
}

#[test]
fn lines_of_others_are_no_continuations() {
    let mut parser = JavaText.prepare(&head(b"")).open(b"");
    for line in [
        "127.0.0.1 - - [20/Nov/2026:16:23:16 +0000] \"GET / HTTP/1.1\" 200 1",
        "{\"level\":\"info\"}",
        "[2026-11-20 16:23:16 +0000] [7] [INFO] Booting worker with pid: 8",
        "2026-11-20T16:23:16.139Z something else",
    ] {
        assert!(
            parser.parse(line.as_bytes(), &mut Entry::default()).is_err(),
            "{line}"
        );
        assert_eq!(parser.begins(line.as_bytes()), Some(true), "{line}");
    }
    assert_eq!(parser.begins(b"\tat a.B.c(B.java:1)"), Some(false));
}

#[test]
fn tomcats_layout_is_told_from_the_others() {
    let bytes = b"20-Nov-2026 16:23:16.139 SEVERE [main] a.B.c text\n\tjava.lang.Exception: x\n\t\tat a\n";
    assert_eq!(Catalina.sniff(&head(bytes)).score, Score::Own);
    assert_eq!(JavaText.sniff(&head(bytes)).score, Score::No);
    let boot = b"2026-11-20 16:23:16.139  INFO 1 --- [main] c.e.Shop : x\n";
    assert_eq!(Catalina.sniff(&head(boot)).score, Score::No);
    assert_eq!(JavaText.sniff(&head(boot)).score, Score::Own);
    let plain = b"2026-11-20 16:23:16,139 [main] INFO  c.e.Shop - x\n";
    assert_eq!(JavaText.sniff(&head(plain)).score, Score::Shape);
}
