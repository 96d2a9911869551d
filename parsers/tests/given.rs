//! Format strings of configurations, and the lines that real servers wrote with them: `tests/declared` of the project.

#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests too.

use std::path::{Path, PathBuf};

use why502_parsers::entry::Marks;
use why502_parsers::format::{Head, Score};
use why502_parsers::paste::{Dialect, compile, compile_spec, unknown};
use why502_parsers::{Entry, Line};

fn captured(path: &str) -> String {
    let root: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/declared")
        .join(path);
    std::fs::read_to_string(&root).unwrap_or_else(|error| panic!("{}: {error}", root.display()))
}

/// Reads every line of a captured log by `spec`, with `check` for each entry; only those that begin with `only`.
fn each(spec: &str, path: &str, only: &str, check: impl Fn(usize, &Entry<'_>)) {
    let format = compile_spec(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let log = captured(path);
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with(only)).collect();
    assert!(lines.len() > 2, "{path}");
    let joined = lines.join("\n");
    let head = Head {
        bytes: joined.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    assert_eq!(format.sniff(&head).score, Score::Mark, "{spec} on {path}");
    let mut parser = format.prepare(&head).open(b"");
    for (at, line) in lines.into_iter().enumerate() {
        let mut entry = Entry::default();
        assert_eq!(
            parser.parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry),
            "{spec} on {line}"
        );
        assert!(
            entry.time.is_some_and(|time| time.us / 86_400_000_000 == 20_777),
            "{line}"
        );
        assert!(
            entry.duration_us.is_some() || entry.error.starts_with(b"ERR"),
            "{line}"
        );
        check(at, &entry);
    }
}

/// What the same requests look like in every log: a query, a slow answer, a failure.
fn as_driven(slow_us: u64) -> impl Fn(usize, &Entry<'_>) {
    move |at, entry| match at {
        0 => assert_eq!((entry.method, entry.status), (b"GET".as_slice(), Some(200))),
        1 => assert!(entry.duration_us.unwrap() > slow_us, "{entry:?}"),
        2 => assert_eq!(entry.status, Some(500)),
        _ => {}
    }
}

#[test]
fn squids_own_codes_read_what_squid_wrote() {
    let spec = r#"squid:%tg %>a:%>p %6tr %<tt "%rm %ru HTTP/%rv" %>Hs %<Hs %<st %Ss:%Sh %<a:%<p "%{User-Agent}>h" rid=%{X-Request-Id}>h err=%err_code"#;
    each(spec, "squid/access.log", "", |at, entry| {
        as_driven(200_000)(at, entry);
        assert_eq!(entry.time.unwrap().zone, why502_parsers::entry::Zone::Known);
        assert_eq!(entry.host, b"shop.example.com");
        assert_eq!(entry.ids.as_slice().len(), 1);
        assert_eq!(entry.upstream.addr, b"127.0.0.1:18801");
    });
}

#[test]
fn lighttpds_directives_read_what_lighttpd_wrote() {
    let spec = r#"lighttpd:accesslog.format = "%h %V %u %t \"%r\" %>s %b %D \"%{User-Agent}i\" rid=%{X-Request-Id}i""#;
    each(spec, "lighttpd/access.log", "", |at, entry| {
        if at < 2 {
            as_driven(200_000)(at, entry);
        }
        assert_eq!(entry.time.unwrap().marks, Marks::End);
        assert_eq!(
            (entry.host, entry.ids.as_slice().len()),
            (b"127.0.0.1:18812".as_slice(), 1)
        );
    });
}

#[test]
fn php_fpms_letters_read_what_php_fpm_wrote() {
    let spec = r#"php-fpm:"%R - %u [%t] \"%m %r%Q%q\" %s pid=%p took=%{milli}d mem=%{kilo}M rid=%{HTTP_X_REQUEST_ID}e""#;
    each(spec, "php-fpm/www.access.log", "", |at, entry| {
        as_driven(200_000)(at, entry);
        assert_eq!(entry.time.unwrap().marks, Marks::Start);
        assert!(entry.path.starts_with(b"/index.php?") && entry.pid.is_some());
        assert_eq!(entry.ids.as_slice().len(), 1);
    });
}

#[test]
fn uwsgis_variables_read_what_uwsgi_wrote() {
    let spec = r#"uwsgi:log-format = %(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(size) "%(uagent)" %(msecs)ms %(micros)us pid=%(pid) at=%(tmsecs) rid=%(var.HTTP_X_REQUEST_ID)"#;
    each(spec, "uwsgi/uwsgi.log", "127.0.0.1 - -", |at, entry| {
        as_driven(200_000)(at, entry);
        // Of two times the finer one is kept.
        assert_eq!(
            entry.time.map(|t| (t.resolution_us, t.marks)),
            Some((1_000, Marks::Start))
        );
        assert_eq!(entry.ids.as_slice().len(), 1);
    });
}

#[test]
fn traffic_servers_fields_read_what_it_wrote() {
    let spec = r#"trafficserver:%<cqtq> %<ttms> %<chi>:%<chp> "%<cqhm> %<cquuc>" %<pssc> %<sssc> %<crc> %<nhi>:%<nhp> %<stms> %<psql> sca=%<sca> rid=%<{X-Request-Id}cqh> "%<{User-Agent}cqh>""#;
    each(spec, "trafficserver/timed.log", "", |at, entry| {
        as_driven(200_000)(at, entry);
        assert_eq!(
            (entry.upstream.addr, entry.host),
            (b"127.0.0.1:18801".as_slice(), b"127.0.0.1:18822".as_slice())
        );
        let is_cut = entry.termination == b"ERR_CLIENT_READ_ERROR";
        assert_eq!(
            (entry.ids.as_slice().len(), entry.signal.is_some()),
            (1, is_cut || at == 2),
            "{entry:?}"
        );
    });
}

#[test]
fn varnishncsas_directives_read_what_it_wrote() {
    let spec =
        r#"varnish:%h [%t] "%r" %s %b %D %{Varnish:time_firstbyte}x %{Varnish:handling}x %{X-Request-Id}i"#;
    each(spec, "varnish/varnishncsa.log", "", as_driven(200_000));
}

#[test]
fn tomcats_pattern_reads_what_tomcat_wrote() {
    let spec = r#"tomcat:%h %{begin:yyyy-MM-dd'T'HH:mm:ss.SSSZ}t &quot;%r&quot; %s %b %D %F %I &quot;%{User-Agent}i&quot; rid=%{X-Request-Id}i"#;
    each(
        spec,
        "tomcat/logs/localhost_access_log.2026-11-20.txt",
        "",
        |_, entry| {
            assert_eq!(
                entry.time.map(|t| (t.resolution_us, t.marks)),
                Some((1_000, Marks::Start))
            );
            assert_eq!(entry.ids.as_slice().len(), 1);
        },
    );
}

#[test]
fn caddys_encoders_read_what_caddy_wrote() {
    let spec = "caddy:filter {\n wrap json {\n time_key when\n time_format rfc3339_nano\n duration_format string\n message_key what\n }\n fields {\n request>uri rename url\n }\n}";
    each(spec, "caddy/access.log", "", |at, entry| {
        as_driven(200_000)(at, entry);
        assert!(entry.path.starts_with(b"/") && entry.ids.as_slice().len() == 1);
    });
    let spec = "caddy:console {\n time_format \"02/Jan/2006:15:04:05.000 -0700\"\n}";
    each(spec, "caddy/console.log", "", as_driven(200_000));
}

#[test]
fn caddys_templates_are_read_by_their_placeholders() {
    // From the plugin's README and its own test of the common log.
    let line = r#"127.0.0.1 - - [04/Dec/2023:10:26:33 +0100] "GET /a?b=\"c\" HTTP/1.1" 200 42"#;
    for spec in [
        "caddy:transform \"{common_log}\"",
        "caddy:{common_log}",
        r#"caddy:{"format":"transform","template":"{common_log}"}"#,
        "caddy:format transform `{request>remote_ip} - {user_id} [{ts}] \"{request>method} {request>uri} {request>proto}\" {status} {size}` {\n time_format \"02/Jan/2006:15:04:05 -0700\"\n}",
    ] {
        let format = compile_spec(spec).unwrap();
        let head = Head {
            bytes: line.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let mut entry = Entry::default();
        let read = format.prepare(&head).open(b"").parse(line.as_bytes(), &mut entry);
        assert_eq!(read, Ok(Line::Entry), "{spec}");
        assert_eq!((entry.status, entry.bytes_sent), (Some(200), Some(42)), "{spec}");
        assert_eq!(entry.time.unwrap().us, 1_701_681_993_000_000, "{spec}");
    }
    assert!(
        compile(Dialect::Caddy, "x", "transform \"{status}\"").is_err(),
        "a line needs a time"
    );
}

#[test]
fn rows_without_their_columns_line_are_read_by_the_one_given() {
    let rows = "2022-01-01 18:42:11 10.0.0.4 GET /orders id=7 443 10.0.0.9 502 3 12002 29889 abc\n2022-01-01 18:42:12 10.0.0.4 GET /orders id=8 443 10.0.0.9 200 0 0 12 def\n";
    for spec in [
        "w3c:#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip sc-status sc-substatus sc-win32-status time-taken X-Request-ID",
        "iis:date time s-ip cs-method cs-uri-stem cs-uri-query s-port c-ip sc-status sc-substatus sc-win32-status time-taken X-Request-ID",
    ] {
        let format = compile_spec(spec).unwrap();
        let head = Head {
            bytes: rows.as_bytes(),
            hints: &[],
            date_hint: None,
        };
        let sniff = format.sniff(&head);
        assert_eq!((sniff.score, sniff.parsed, sniff.looked_at), (Score::Mark, 2, 2));
        let mut entry = Entry::default();
        let line = rows.lines().next().unwrap();
        assert_eq!(
            format.prepare(&head).open(b"").parse(line.as_bytes(), &mut entry),
            Ok(Line::Entry)
        );
        assert_eq!(
            (entry.status, entry.substatus, entry.win32_status),
            (Some(502), 3, 12002)
        );
        assert_eq!(
            (entry.duration_us, entry.ids.as_slice()),
            (Some(29_889_000), [b"abc".as_slice()].as_slice())
        );
    }
    assert!(compile_spec("w3c:date cs-method").is_err(), "rows need a time");
}

#[test]
fn every_language_names_the_variables_it_does_not_know() {
    for (dialect, text, wanted) in [
        (
            Dialect::Envoy,
            "%START_TIME% %RESPONSE_CODES% %REQ(X)%",
            "did you mean %RESPONSE_CODE%?",
        ),
        (
            Dialect::Caddy,
            "transform \"{ts} {requets>uri} {request>headers>A>[0]}\"",
            "{requets>uri}",
        ),
        (Dialect::Tomcat, "%t %D %Y %{X}i", "%Y"),
        (
            Dialect::Varnish,
            "%t %s %{Varnisch:hitmiss}x %{VSL:Timestamp}x",
            "Varnish",
        ),
        (Dialect::Squid, "%ts.%03tu %err_cod %>Hs %{X}>h", "%err_code"),
        (Dialect::Gunicorn, "%(t)s %(z)s %({x}i)s", "%(z)s"),
        (Dialect::W3c, "date time sc-statsu X-Own", "sc-status"),
        (Dialect::Lighttpd, "%t %s %Z", "%Z"),
        (Dialect::TrafficServer, "%<cqtq> %<ttmss> %<{X}cqh>", "%<ttms>"),
        (Dialect::Uwsgi, "%(ltime) %(mescs) %(var.X)", "%(msecs)"),
        (Dialect::PhpFpm, "%t %s %z %{X}e", "%z"),
    ] {
        let notes = unknown::unknown(dialect, text);
        assert_eq!(notes.len(), 1, "{}: {notes:?}", dialect.name());
        assert!(
            notes[0].contains(wanted) && notes[0].contains("read over"),
            "{notes:?}"
        );
    }
    for dialect in Dialect::ALL {
        let default = dialect.default_format();
        assert_eq!(
            unknown::unknown(dialect, default),
            Vec::<String>::new(),
            "{}",
            dialect.name()
        );
        assert!(
            default.is_empty() || compile(dialect, "default", default).is_ok(),
            "{}",
            dialect.name()
        );
    }
}
