//! Which fields decide what, and how each server is told to log them: one table per question.
//!
//! Sources: nginx `ngx_http_log_module` and `ngx_http_upstream_module`; httpd `mod_log_config` and `mod_unique_id`;
//! HAProxy configuration manual, "Custom log format"; Envoy, "Access logging: command operators"; IIS, "Enhanced logging";
//! gunicorn settings, `access_log_format`; Caddy, `log` and `log_append`; Traefik, "Access logs"; Tomcat, "Access Log
//! Valve"; Squid, `logformat`; uWSGI, "Formatting uWSGI requests logs"; Varnish, `varnishncsa`.

use why502_parsers::Product;

/// Something that a log should say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Id,
    UpstreamStatus,
    HeaderTime,
    ConnectTime,
    UpstreamAddr,
    Termination,
    Duration,
    FineTime,
    UpstreamBytes,
    Connection,
    UpstreamLocal,
    Queue,
    Pid,
    Substatus,
}

/// A need, what it decides, and the fields of a record that meet it.
pub(super) struct Question {
    pub(super) need: Need,
    pub(super) what: &'static str,
    pub(super) decides: &'static str,
    /// Any one of them is enough.
    pub(super) fields: &'static [&'static str],
}

const fn question(
    need: Need,
    what: &'static str,
    decides: &'static str,
    fields: &'static [&'static str],
) -> Question {
    Question {
        need,
        what,
        decides,
        fields,
    }
}

/// Every need, the one that decides most first.
pub(super) const QUESTIONS: &[Question] = &[
    question(
        Need::Id,
        "request id",
        "which record of the next hop is the same request: without it, time and path have to do",
        &["ids"],
    ),
    question(
        Need::UpstreamStatus,
        "upstream status",
        "whether the upstream answered so itself (upstream_502) or this hop did",
        &["upstream_status"],
    ),
    question(
        Need::Termination,
        "termination state",
        "which side ended it, and in which phase: all causes",
        &["termination"],
    ),
    question(
        Need::HeaderTime,
        "time to the response header",
        "whether a timer ran out (proxy_timeout) or the connection was lost (dropped_connection, keep_alive_race)",
        &["upstream_header_us", "upstream_response_us"],
    ),
    question(
        Need::ConnectTime,
        "connect time",
        "whether the connection was made at all, and whether it was a kept one (keep_alive_race)",
        &["upstream_connect_us", "upstream_reused"],
    ),
    question(
        Need::UpstreamAddr,
        "upstream address",
        "which server failed, and which log to look into",
        &["upstream_addr"],
    ),
    question(
        Need::Duration,
        "duration",
        "which timer ran out (proxy_timeout), and slow work from waiting (queueing_delay)",
        &["duration_us"],
    ),
    question(
        Need::Substatus,
        "substatus and Windows status",
        "which module failed, and with which error of the network",
        &["substatus", "win32_status"],
    ),
    question(
        Need::Queue,
        "queue time",
        "waiting for a connection slot (queueing_delay)",
        &["queue_us"],
    ),
    question(
        Need::FineTime,
        "time finer than a second",
        "what came first: races and queues are decided by milliseconds",
        &["time_resolution_us"],
    ),
    question(
        Need::UpstreamBytes,
        "bytes received from the upstream",
        "whether part of an answer came (dropped_connection) or none (keep_alive_race)",
        &["upstream_bytes_received"],
    ),
    question(
        Need::UpstreamLocal,
        "local address of the upstream connection",
        "which connection it was and how long it had been idle: the proof of keep_alive_race",
        &["upstream_local"],
    ),
    question(
        Need::Connection,
        "connection serial",
        "which lines of the error log belong to the request",
        &["connection"],
    ),
    question(
        Need::Pid,
        "worker process",
        "whether the worker that had the request died (dropped_connection)",
        &["pid"],
    ),
];

/// How a server is told to log more.
pub(super) struct Setting {
    pub(super) product: Product,
    pub(super) place: &'static str,
    /// All of it, ready to be pasted.
    pub(super) line: &'static str,
    /// What the line gives, and how it writes each.
    pub(super) gives: &'static [(Need, &'static str)],
    pub(super) note: &'static str,
}

/// One entry per product that can be told.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        product: Product::Nginx,
        place: "nginx.conf, in http { }",
        line: r#"log_format why502 '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" msec=$msec rt=$request_time request_id=$request_id upstream_addr="$upstream_addr" upstream_status="$upstream_status" uct="$upstream_connect_time" uht="$upstream_header_time" urt="$upstream_response_time" ubr="$upstream_bytes_received" conn=$connection:$connection_requests pid=$pid';
access_log /var/log/nginx/access.log why502;"#,
        gives: &[
            (Need::Id, "$request_id"),
            (Need::UpstreamStatus, "$upstream_status"),
            (Need::HeaderTime, "$upstream_header_time $upstream_response_time"),
            (Need::ConnectTime, "$upstream_connect_time"),
            (Need::UpstreamAddr, "$upstream_addr"),
            (Need::Duration, "$request_time"),
            (Need::FineTime, "$msec"),
            (Need::UpstreamBytes, "$upstream_bytes_received"),
            (Need::Connection, "$connection"),
            (Need::Pid, "$pid"),
        ],
        note: "hand the id on with 'proxy_set_header X-Request-ID $request_id;', and have the next hop log it",
    },
    Setting {
        product: Product::Haproxy,
        place: "haproxy.cfg, in the frontend",
        line: r#"unique-id-format %{+X}o\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
unique-id-header X-Request-ID
log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %ID %si:%sp %bi:%bp""#,
        gives: &[
            (Need::Id, "%ID"),
            (Need::Termination, "%tsc"),
            (Need::HeaderTime, "%Tr"),
            (Need::ConnectTime, "%Tc"),
            (Need::UpstreamAddr, "%b/%s %si:%sp"),
            (Need::Duration, "%Ta"),
            (Need::Queue, "%Tw"),
            (Need::FineTime, "%tr"),
            (Need::UpstreamLocal, "%bi:%bp"),
        ],
        note: "%tr is local time without its zone: run HAProxy with TZ=UTC, or give --tz; %trl says the zone but has whole \
               seconds only",
    },
    Setting {
        product: Product::Apache,
        place: "httpd.conf, in the server or the virtual host",
        line: r#"LogFormat "%h %l %u [%{begin:%d/%b/%Y:%T}t.%{begin:msec_frac}t %{%z}t] \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %D %{UNIQUE_ID}e %X %k %L %{BALANCER_WORKER_NAME}e %P" why502
CustomLog logs/access_log why502"#,
        gives: &[
            (Need::Id, "%{UNIQUE_ID}e"),
            (Need::UpstreamAddr, "%{BALANCER_WORKER_NAME}e"),
            (Need::Duration, "%D"),
            (Need::FineTime, "%{begin:msec_frac}t"),
            (Need::Pid, "%P"),
        ],
        note: "load mod_unique_id, hand the id on with 'RequestHeader set X-Request-ID %{UNIQUE_ID}e', and let the error log \
               name the request: ErrorLogFormat \"[%{u}t] [%-m:%l] [pid %P:tid %T] [R:%L] %E: [client\\ %a] %M\"",
    },
    Setting {
        product: Product::Caddy,
        place: "Caddyfile, in the site",
        line: "log {\n\tformat json\n}\nlog_append upstream {http.reverse_proxy.upstream.hostport}",
        gives: &[
            (Need::Id, "request header X-Request-Id, logged with all others"),
            (Need::UpstreamAddr, "log_append upstream"),
            (Need::Duration, "format json"),
            (Need::FineTime, "format json"),
        ],
        note: "log_append needs Caddy 2.8; give requests an id with 'request_header X-Request-Id {http.request.uuid}', and the \
               error log names it too",
    },
    Setting {
        product: Product::Envoy,
        place: "envoy.yaml, access_log of the HTTP connection manager (log_format: text_format_source: inline_string)",
        line: r#"[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"#,
        gives: &[
            (Need::Id, "%REQ(X-REQUEST-ID)%"),
            (Need::Termination, "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%"),
            (Need::HeaderTime, "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
            (Need::UpstreamAddr, "%UPSTREAM_HOST%"),
            (Need::Duration, "%DURATION%"),
            (Need::FineTime, "%START_TIME%"),
            (Need::UpstreamLocal, "%UPSTREAM_LOCAL_ADDRESS%"),
        ],
        note: "this is the order of Istio's own format; the transport failure reason tells a refused connection from a failed handshake",
    },
    Setting {
        product: Product::Iis,
        place: "applicationHost.config, <site> of the server (or 'Logging' in IIS Manager)",
        line: r#"<logFile logFormat="W3C" logTargetW3C="File" logExtFileFlags="Date, Time, ClientIP, ServerIP, ServerPort, Method, UriStem, UriQuery, HttpStatus, HttpSubStatus, Win32Status, BytesSent, BytesRecv, TimeTaken, Host, UserAgent">
  <customFields>
    <add logFieldName="X-Request-ID" sourceName="X-Request-ID" sourceType="RequestHeader" />
    <add logFieldName="X-ARR-LOG-ID" sourceName="X-ARR-LOG-ID" sourceType="RequestHeader" />
  </customFields>
</logFile>"#,
        gives: &[
            (Need::Id, "<add logFieldName=\"X-Request-ID\" ... />"),
            (Need::Duration, "TimeTaken"),
            (Need::Substatus, "HttpSubStatus, Win32Status"),
        ],
        note: "W3C logs have whole seconds only; keep HTTPERR (%windir%\\System32\\LogFiles\\HTTPERR) beside them for what never \
               reached the application",
    },
    Setting {
        product: Product::Gunicorn,
        place: "gunicorn.conf.py",
        line: r#"access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s %({x-request-id}i)s %(p)s'"#,
        gives: &[
            (Need::Id, "%({x-request-id}i)s"),
            (Need::Duration, "%(D)s"),
            (Need::Pid, "%(p)s"),
        ],
        note: "the error log beside it (--error-logfile) has the deaths of workers",
    },
    Setting {
        product: Product::Traefik,
        place: "traefik.yml",
        line: "accessLog:\n  format: json\n  fields:\n    headers:\n      names:\n        X-Request-Id: keep\n        Traceparent: keep",
        gives: &[
            (Need::Id, "fields.headers.names.X-Request-Id: keep"),
            (Need::UpstreamStatus, "format: json (OriginStatus)"),
            (Need::HeaderTime, "format: json (OriginDuration)"),
            (Need::UpstreamAddr, "format: json (ServiceAddr)"),
            (Need::Duration, "format: json (Duration)"),
            (Need::FineTime, "format: json (StartUTC)"),
        ],
        note: "the reason of a 502 is logged at level DEBUG only: log.level: DEBUG for as long as it takes",
    },
    Setting {
        product: Product::Tomcat,
        place: "server.xml, in <Host>",
        line: r#"<Valve className="org.apache.catalina.valves.AccessLogValve" directory="logs" prefix="access" suffix=".log" pattern="%h %l %u [%{begin:dd/MMM/yyyy:HH:mm:ss.SSS Z}t] &quot;%r&quot; %s %b %D %{X-Request-ID}i %I" />"#,
        gives: &[
            (Need::Id, "%{X-Request-ID}i"),
            (Need::Duration, "%D"),
            (Need::FineTime, "%{begin:...SSS Z}t"),
        ],
        note: "%D is milliseconds before Tomcat 10.1 and microseconds from then on",
    },
    Setting {
        product: Product::Squid,
        place: "squid.conf",
        line: "logformat why502 %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt %err_code/%err_detail %<lp %{X-Request-ID}>h\naccess_log daemon:/var/log/squid/access.log why502",
        gives: &[
            (Need::Id, "%{X-Request-ID}>h"),
            (Need::Termination, "%Ss %err_code/%err_detail"),
            (Need::UpstreamAddr, "%<a"),
            (Need::Duration, "%tr"),
            (Need::FineTime, "%ts.%03tu"),
            (Need::UpstreamLocal, "%<lp"),
        ],
        note: "",
    },
    Setting {
        product: Product::Varnish,
        place: "varnishncsa, as a second service for the side of the backends",
        line: r#"varnishncsa -b -a -w /var/log/varnish/backend.log -F '%h %l %u %t "%r" %s %b %D "%{Varnish:vxid}x" "%{X-Varnish}i" "%{VSL:FetchError}x" "%{VSL:BackendOpen}x"'"#,
        gives: &[
            (Need::Id, "%{Varnish:vxid}x %{X-Varnish}i"),
            (Need::Duration, "%D"),
            (Need::UpstreamAddr, "%{VSL:BackendOpen}x"),
            (Need::Termination, "%{VSL:FetchError}x"),
        ],
        note: "the FetchError is the reason of a 503 and stands nowhere else",
    },
    Setting {
        product: Product::Uwsgi,
        place: "uwsgi.ini",
        line: r#"log-format = %(addr) - %(user) [%(ltime)] "%(method) %(uri) %(proto)" %(status) %(size) "%(referer)" "%(uagent)" %(micros) %(var.HTTP_X_REQUEST_ID) pid=%(pid)"#,
        gives: &[
            (Need::Id, "%(var.HTTP_X_REQUEST_ID)"),
            (Need::Duration, "%(micros)"),
            (Need::Pid, "%(pid)"),
        ],
        note: "",
    },
];

/// How `product` is told to log more, if it can be told.
pub(super) fn setting(product: Product) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.product == product)
}

/// Whether a log of `product` should say `need`, though no setting for the product is known.
pub(super) fn applies(need: Need, product: Product) -> bool {
    match setting(product) {
        Some(setting) => setting.gives.iter().any(|(given, _)| *given == need),
        None if product.is_proxy() => matches!(
            need,
            Need::Id
                | Need::UpstreamStatus
                | Need::HeaderTime
                | Need::UpstreamAddr
                | Need::Duration
                | Need::FineTime
        ),
        None => matches!(need, Need::Id | Need::Duration | Need::FineTime),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use why502_parsers::fields;
    use why502_parsers::paste::unknown;
    use why502_parsers::paste::{self, Dialect};

    #[test]
    fn every_question_asks_for_fields_that_there_are() {
        for question in QUESTIONS {
            for field in question.fields {
                assert!(fields::position(field).is_some(), "{field}");
            }
        }
        for setting in SETTINGS {
            for (need, _) in setting.gives {
                assert!(QUESTIONS.iter().any(|question| question.need == *need));
            }
        }
    }

    #[test]
    fn the_lines_that_are_advised_are_of_a_dialect_that_is_read_and_have_no_unknown_variable() {
        for (dialect, directive) in [
            (Dialect::Nginx, "log_format"),
            (Dialect::Apache, "LogFormat"),
            (Dialect::Haproxy, "log-format"),
            (Dialect::Gunicorn, "access_log_format = "),
            (Dialect::Envoy, ""),
        ] {
            let product = why502_parsers::Product::by_name(dialect.name()).unwrap();
            let line = setting(product).unwrap().line;
            let line = line.lines().find(|line| line.starts_with(directive)).unwrap();
            let line = line.strip_suffix(" why502").unwrap_or(line);
            let text = match dialect {
                Dialect::Gunicorn => line[directive.len()..].trim_matches('\''),
                _ => line,
            };
            paste::compile(dialect, "advice", text).unwrap_or_else(|error| panic!("{error}: {line}"));
            let quoted = text.split_once(['"', '\'']).unwrap().1;
            assert_eq!(unknown::unknown(dialect, quoted), Vec::<String>::new());
        }
    }
}
