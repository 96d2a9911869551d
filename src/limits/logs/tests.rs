use super::*;

/// The logs that `text` declares, as a file with no others beside it.
fn of(product: Product, text: &str) -> Vec<LogDeclaration> {
    let mut reading = Reading::default();
    super::of(
        product,
        text,
        &mut Files::new(Path::new("no-such-directory/x"), "x", &mut reading),
    )
}

fn only(product: Product, text: &str) -> LogDeclaration {
    let mut logs = of(product, text);
    assert_eq!(logs.len(), 1, "{logs:?}");
    logs.remove(0)
}

#[test]
fn envoys_logs_are_found_wherever_they_stand() {
    let text = r#"
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 9901}}}
static_resources:
  listeners:
  - name: l
    access_log:
    - name: envoy.access_loggers.file
      typed_config:
        "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
        path: /var/log/envoy/listener.log
        log_format:
          json_format: {when: "%START_TIME%", http: {code: "%RESPONSE_CODE%"}}
    filter_chains:
    - filters:
      - typed_config:
          access_log:
          - typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format:
                text_format_source:
                  inline_string: "[%START_TIME%] %RESPONSE_CODE% %DURATION%\n"
          - typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
          - typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /var/log/envoy/plain.log
"#;
    let logs = of(Product::Envoy, text);
    let found: Vec<(&str, &str)> = logs
        .iter()
        .map(|log| (log.path.as_str(), log.text.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (
                "/var/log/envoy/listener.log",
                r#"{"when":"%START_TIME%","http":{"code":"%RESPONSE_CODE%"}}"#
            ),
            ("/dev/stdout", "[%START_TIME%] %RESPONSE_CODE% %DURATION%\n"),
            ("/var/log/envoy/plain.log", ""),
        ]
    );
    let json = r#"{"static_resources":{"listeners":[{"access_log":[{"typed_config":{"path":"/a","format":"%START_TIME% x"}}]}]}}"#;
    assert_eq!(only(Product::Envoy, json).text, "%START_TIME% x");
    let mesh = "data:\n  mesh: |-\n    accessLogFile: /dev/stdout\n    accessLogFormat: |\n      [%START_TIME%] %RESPONSE_CODE%\n";
    assert_eq!(only(Product::Envoy, mesh).text, "[%START_TIME%] %RESPONSE_CODE%");
}

#[test]
fn tomcats_valve_is_found_and_one_in_a_comment_is_not() {
    let text = include_str!("../../../tests/declared/tomcat/conf/server.xml");
    let log = only(Product::Tomcat, text);
    assert_eq!(log.path, "logs/localhost_access_log.txt");
    assert!(
        log.text.starts_with("%h %{begin:") && log.text.contains("\"%r\""),
        "{}",
        log.text
    );
}

#[test]
fn columns_of_iis_stand_in_its_own_order() {
    let text = r#"<configuration><system.applicationHost><sites>
  <site name="shop" id="1"><logFile logFormat="W3C" logExtFileFlags="TimeTaken, HttpStatus, ClientIP, Time, Date, UriStem, Method">
    <customFields><add logFieldName="X-Request-ID" sourceName="X-Request-ID" sourceType="RequestHeader" /></customFields></logFile></site>
  <siteDefaults><logFile directory="%SystemDrive%\inetpub\logs\LogFiles" /></siteDefaults>
</sites></system.applicationHost></configuration>"#;
    let log = only(Product::Iis, text);
    assert_eq!(
        (log.name.as_str(), log.text.as_str()),
        (
            "shop",
            "#Fields: date time cs-method cs-uri-stem c-ip sc-status time-taken X-Request-ID"
        )
    );
}

#[test]
fn squids_and_lighttpds_logs_have_their_formats() {
    let text = "logformat a %tg %>a\naccess_log none\naccess_log daemon:/var/log/squid/a.log a !local\naccess_log stdio:/b logformat=combined\naccess_log /c\n";
    let found: Vec<(String, String)> = of(Product::Squid, text)
        .into_iter()
        .map(|log| (log.path, log.text))
        .collect();
    let wanted = [
        ("/var/log/squid/a.log", "%tg %>a"),
        ("/b", "combined"),
        ("/c", "squid"),
    ];
    assert_eq!(
        found,
        wanted.map(|(path, text)| (path.to_owned(), text.to_owned()))
    );
    let text = "accesslog.filename = \"/a\"\naccesslog.format = \"%h \\\"%r\\\"\" + \" %s\" # all\n$HTTP[\"host\"] == \"x\" {\n  accesslog.filename = \"/b\"\n}\n";
    let found: Vec<(String, String)> = of(Product::Lighttpd, text)
        .into_iter()
        .map(|log| (log.path, log.text))
        .collect();
    assert_eq!(
        found,
        [("/a", "%h \"%r\" %s"), ("/b", "%h \"%r\" %s")]
            .map(|(path, text)| (path.to_owned(), text.to_owned()))
    );
}

#[test]
fn the_others_say_it_in_their_own_places() {
    let unit = "[Service]\nExecStart=/usr/bin/varnishncsa -a -w /v.log \\\n  -F '%%h \"%%r\" %%s'\n";
    let log = only(Product::Varnish, unit);
    assert_eq!((log.path.as_str(), log.text.as_str()), ("/v.log", "%h \"%r\" %s"));
    let log = only(
        Product::Uwsgi,
        "[uwsgi]\nlog-format = %(addr) \"%(uri)\"\nreq-logger = file:/u.log\nlogto = /x\n",
    );
    assert_eq!(
        (log.path.as_str(), log.text.as_str()),
        ("/u.log", "%(addr) \"%(uri)\"")
    );
    let log = only(
        Product::PhpFpm,
        "[global]\nerror_log = /e\n[www]\naccess.log = /p/$pool.log\naccess.format = \"%R \\\"%m %r\\\" %s\"\n",
    );
    assert_eq!(
        (log.path.as_str(), log.text.as_str()),
        ("/p/www.log", "%R \"%m %r\" %s")
    );
    let log = only(
        Product::TrafficServer,
        "logging:\n  formats:\n    - name: t\n      format: '%<cqtq> %<pssc>'\n  logs:\n    - filename: t\n      format: t\n",
    );
    assert_eq!(
        (log.path.as_str(), log.text.as_str()),
        ("t.log", "%<cqtq> %<pssc>")
    );
    let log = only(
        Product::LiteSpeed,
        "accesslog /l.log {\n  useServer 0\n  logFormat \"%h %t \\\"%r\\\" %>s\"\n}\n",
    );
    assert_eq!(
        (log.path.as_str(), log.text.as_str()),
        ("/l.log", "%h %t \"%r\" %>s")
    );
    let log = only(
        Product::Nginx,
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  log-format-escape-json: \"true\"\n  log-format-upstream: '{\"t\":\"$time_iso8601\"}'\n",
    );
    assert_eq!(log.text, "escape=json {\"t\":\"$time_iso8601\"}");
    let log = only(
        Product::Traefik,
        "accessLog:\n  filePath: /t.log\n  format: json\n",
    );
    assert_eq!(log.path, "/t.log");
}

#[test]
fn jettys_and_undertows_formats_stand_in_ini_and_xml() {
    let format =
        "%{client}a - %u %{dd/MMM/yyyy:HH:mm:ss ZZZ|GMT}t \"%r\" %s %O \"%{Referer}i\" \"%{User-Agent}i\" %D";
    let ini = format!(
        "--module=requestlog\njetty.requestlog.filePath=logs/yyyy_mm_dd.request.log\njetty.requestlog.formatString={format}\n"
    );
    let log = only(Product::Jetty, &ini);
    assert_eq!(
        (log.path.as_str(), log.text.as_str()),
        ("logs/request.log", format)
    );
    let escaped = format.replace('"', "&quot;");
    for argument in [
        format!("<Arg>{escaped}</Arg>"),
        format!("<Arg><Property name=\"jetty.requestlog.formatString\" default=\"{escaped}\"/></Arg>"),
    ] {
        let text = format!(
            "<Configure id=\"Server\" class=\"org.eclipse.jetty.server.Server\"><Set name=\"requestLog\"><New id=\"RequestLog\" class=\"org.eclipse.jetty.server.CustomRequestLog\"><Arg><Ref refid=\"w\"/></Arg>{argument}</New></Set></Configure>"
        );
        assert_eq!(only(Product::Jetty, &text).text, format);
    }
    let text = "<server><profile><subsystem xmlns=\"urn:jboss:domain:undertow:12.0\"><server name=\"s\"><host name=\"h\"><access-log pattern=\"%h %t &quot;%r&quot; %s %D\" prefix=\"shop.\"/></host></server></subsystem></profile></server>";
    let log = only(Product::Undertow, text);
    assert_eq!(
        (log.path.as_str(), log.text.as_str()),
        ("shop.log", "%h %t \"%r\" %s %D")
    );
}

#[test]
fn formats_in_files_that_a_configuration_names_are_found() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    at("conf.d/log.conf", "logformat mine %tg %>a\n");
    at("conf-enabled/10.conf", "accesslog.format = \"%h %t\"\n");
    at("ncsa.format", "%h %t \"%r\" %s\nanother line\n");
    for (product, name, text, wanted) in [
        (
            Product::Squid,
            "squid.conf",
            "include /etc/squid/conf.d/*.conf\naccess_log /a mine\n",
            ("/a", "%tg %>a", 1),
        ),
        (
            Product::Lighttpd,
            "lighttpd.conf",
            "accesslog.filename = \"/a\"\ninclude \"conf-enabled/*.conf\"\n",
            ("/a", "%h %t", 2),
        ),
        (
            Product::Lighttpd,
            "debian.conf",
            "accesslog.filename = \"/a\"\ninclude_shell \"/usr/share/lighttpd/include-conf-enabled.pl\"\n",
            ("/a", "%h %t", 2),
        ),
        (
            Product::Varnish,
            "varnishncsa.service",
            "[Service]\nExecStart=/usr/bin/varnishncsa -w /a -f /etc/varnish/ncsa.format\n",
            ("/a", "%h %t \"%r\" %s", 2),
        ),
    ] {
        let path = at(name, text);
        let mut reading = Reading::default();
        reading.main(&path, name).unwrap();
        let logs = super::of(product, text, &mut Files::new(&path, name, &mut reading));
        let found: Vec<_> = logs
            .iter()
            .map(|log| (log.path.as_str(), log.text.as_str(), log.line))
            .collect();
        assert_eq!(found, [wanted], "{name}");
        assert!(reading.problems.is_empty(), "{:?}", reading.problems);
    }
}

#[test]
fn an_included_file_that_is_not_there_is_said_and_one_that_includes_itself_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("squid.conf");
    let text = "include squid.conf\ninclude gone.conf\ninclude none.d/*.conf\naccess_log /a squid\n";
    std::fs::write(&path, text).unwrap();
    let mut reading = Reading::default();
    reading.main(&path, "squid.conf").unwrap();
    let logs = super::of(
        Product::Squid,
        text,
        &mut Files::new(&path, "squid.conf", &mut reading),
    );
    assert_eq!(logs.len(), 1);
    let said: Vec<&str> = reading
        .problems
        .iter()
        .map(|problem| problem.message.as_str())
        .collect();
    assert_eq!(
        said,
        [
            "line 1: the file includes itself",
            "line 2: included file not found: gone.conf"
        ]
    );
}
