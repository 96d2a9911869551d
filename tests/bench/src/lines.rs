//! One request as each hop writes it.

use crate::cast;
use crate::clock::{Stamps, Style};
use crate::exchange::{APP_CLOCK_US, Exchange, Outcome, Request};

/// From the edge's stamp to the gateway's, in microseconds.
const TO_GATEWAY_US: i64 = 400;
/// From the end of the upstream exchange to the end of the gateway's request.
const FROM_UPSTREAM_US: u64 = 200;
/// From there to the end of the edge's.
const FROM_GATEWAY_US: i64 = 300;

/// First lines of an IIS file.
pub const IIS_HEAD: &[&str] = &[
    "#Software: Microsoft Internet Information Services 10.0",
    "#Version: 1.0",
    "#Date: 2026-11-20 00:00:00",
    "#Fields: date time s-sitename s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs-version \
     cs(User-Agent) cs(Referer) cs-host sc-status sc-substatus sc-win32-status time-taken X-Forwarded-For X-Request-ID",
];

/// Everything that the lines of one request are made of.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The request.
    pub request: &'a Request,
    /// What became of it.
    pub exchange: &'a Exchange,
    /// Path without query.
    pub stem: &'a str,
    /// Query; may be empty.
    pub query: &'a str,
    /// The client's address.
    pub client: &'a str,
    /// Ports of the servers it may go to.
    pub ports: &'a [u16],
    /// Serial of the gateway's client connection, and its requests so far.
    pub connection: (u64, u32),
}

impl View<'_> {
    /// When the gateway chose a server.
    fn gateway_start_us(&self) -> i64 {
        self.request.start_us + TO_GATEWAY_US
    }

    /// When the gateway had answered.
    pub fn gateway_end_us(&self) -> i64 {
        self.gateway_start_us() + (self.exchange.gateway_us() + FROM_UPSTREAM_US) as i64
    }

    /// When the edge had answered.
    pub fn edge_end_us(&self) -> i64 {
        self.gateway_end_us() + FROM_GATEWAY_US
    }

    /// When the application server had answered, by its own clock.
    pub fn app_end_us(&self) -> Option<i64> {
        let app = self.exchange.app?;
        Some(self.gateway_start_us() + (app.wait_us + app.taken_us) as i64 + APP_CLOCK_US)
    }

    /// What the client was told; `None` if it did not wait.
    pub fn edge_status(&self) -> Option<u16> {
        match self.exchange.outcome {
            Outcome::ClientGone => None,
            outcome => Some(outcome.gateway_status()),
        }
    }

    fn push_target(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.stem.as_bytes());
        if !self.query.is_empty() {
            out.push(b'?');
            out.extend_from_slice(self.query.as_bytes());
        }
    }

    fn agent(&self) -> &'static str {
        cast::AGENTS[self.request.agent]
    }
}

/// Writes lines; keeps the stamps of the last second.
#[derive(Debug)]
pub struct Lines {
    syslog: Stamps,
    edge: Stamps,
    gateway: Stamps,
    app: Stamps,
    error: Stamps,
    /// User agents with `+` for spaces, as IIS writes them.
    plus_agents: Vec<String>,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            syslog: Stamps::new(Style::Syslog),
            edge: Stamps::new(Style::Clf),
            gateway: Stamps::new(Style::Clf),
            app: Stamps::new(Style::W3c),
            error: Stamps::new(Style::NginxError),
            plus_agents: cast::AGENTS.iter().map(|agent| agent.replace(' ', "+")).collect(),
        }
    }
}

impl Lines {
    /// HAProxy: syslog header, `option httplog`, the unique id appended.
    pub fn edge(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let request = view.request;
        let total_ms = (view.edge_end_us() - request.start_us) as u64 / 1000;
        out.extend_from_slice(self.syslog.text(view.edge_end_us()));
        out.extend_from_slice(b" lb1 haproxy[2213]: ");
        out.extend_from_slice(view.client.as_bytes());
        out.push(b':');
        push_number(out, u64::from(request.port));
        out.extend_from_slice(b" [");
        out.extend_from_slice(self.edge.text(request.start_us));
        out.push(b'.');
        push_padded(out, (request.start_us.rem_euclid(1_000_000) / 1000) as u64);
        out.extend_from_slice(b"] shop~ gateway/gw1 0/0/0/");
        match view.edge_status() {
            Some(status) => {
                push_number(out, total_ms);
                out.push(b'/');
                push_number(out, total_ms);
                out.push(b' ');
                push_number(out, u64::from(status));
                out.push(b' ');
                // The head of the response counts as well; a body of 502 bytes stays as it is.
                let head = if view.exchange.bytes == 502 { 0 } else { 231 };
                push_number(out, view.exchange.bytes + head);
                out.extend_from_slice(b" - - ---- ");
            }
            None => {
                out.extend_from_slice(b"-1/");
                push_number(out, total_ms);
                out.extend_from_slice(b" -1 0 - - CH-- ");
            }
        }
        let open = 20 + u64::from(request.port % 40);
        push_number(out, open);
        out.push(b'/');
        push_number(out, open);
        out.extend_from_slice(b"/8/8/0 0/0 {");
        out.extend_from_slice(cast::HOST.as_bytes());
        out.push(b'|');
        let agent = view.agent().as_bytes();
        out.extend_from_slice(&agent[..agent.len().min(24)]); // `len 24` of the configuration.
        out.extend_from_slice(b"} \"");
        out.extend_from_slice(request.method.as_bytes());
        out.push(b' ');
        view.push_target(out);
        out.extend_from_slice(b" HTTP/1.1\" ");
        out.extend_from_slice(&request.id);
    }

    /// nginx: the `log_format gateway` of the configuration written beside the logs.
    pub fn gateway(&mut self, view: &View<'_>, out: &mut Vec<u8>) {
        let (request, exchange) = (view.request, view.exchange);
        out.extend_from_slice(cast::EDGE.as_bytes());
        out.extend_from_slice(b" - - [");
        out.extend_from_slice(self.gateway.text(view.gateway_end_us()));
        out.extend_from_slice(b" +0000] \"");
        out.extend_from_slice(request.method.as_bytes());
        out.push(b' ');
        view.push_target(out);
        out.extend_from_slice(b" HTTP/1.1\" ");
        push_number(out, u64::from(exchange.outcome.gateway_status()));
        out.push(b' ');
        push_number(
            out,
            if exchange.outcome == Outcome::ClientGone {
                0
            } else {
                exchange.bytes
            },
        );
        out.extend_from_slice(b" \"");
        out.extend_from_slice(cast::REFERERS[request.referer].as_bytes());
        out.extend_from_slice(b"\" \"");
        out.extend_from_slice(view.agent().as_bytes());
        out.extend_from_slice(b"\" \"");
        out.extend_from_slice(view.client.as_bytes());
        out.extend_from_slice(b"\" rid=");
        out.extend_from_slice(&request.id);
        out.extend_from_slice(b" rt=");
        push_seconds(out, exchange.gateway_us() + FROM_UPSTREAM_US);
        push_upstream(view, out);
        out.extend_from_slice(b" cn=");
        push_number(out, view.connection.0);
        out.push(b'/');
        push_number(out, u64::from(view.connection.1));
        out.extend_from_slice(b" t=");
        push_seconds(out, view.gateway_end_us().unsigned_abs());
    }

    /// IIS: W3C, the client and the request id in fields of their own. The caller checks that there is a record.
    pub fn app(&mut self, view: &View<'_>, end_us: i64, out: &mut Vec<u8>) {
        let (request, Some(app)) = (view.request, view.exchange.app) else {
            return;
        };
        out.extend_from_slice(self.app.text(end_us));
        out.extend_from_slice(b" W3SVC1 ");
        out.extend_from_slice(cast::APP.as_bytes());
        out.push(b' ');
        out.extend_from_slice(request.method.as_bytes());
        out.push(b' ');
        out.extend_from_slice(view.stem.as_bytes());
        out.push(b' ');
        out.extend_from_slice(if view.query.is_empty() {
            b"-"
        } else {
            view.query.as_bytes()
        });
        out.push(b' ');
        push_number(out, u64::from(view.ports.last().copied().unwrap_or_default()));
        out.extend_from_slice(b" - ");
        out.extend_from_slice(cast::GATEWAY.as_bytes());
        out.extend_from_slice(b" HTTP/1.1 ");
        out.extend_from_slice(self.plus_agents[request.agent].as_bytes());
        out.push(b' ');
        out.extend_from_slice(cast::REFERERS[request.referer].as_bytes());
        out.push(b' ');
        out.extend_from_slice(cast::HOST.as_bytes());
        out.push(b' ');
        push_number(out, u64::from(app.status));
        out.extend_from_slice(b" 0 ");
        push_number(out, u64::from(app.win32));
        out.push(b' ');
        push_number(out, app.taken_us / 1000);
        out.push(b' ');
        out.extend_from_slice(view.client.as_bytes());
        out.push(b' ');
        out.extend_from_slice(&request.id);
    }

    /// nginx's error log; nothing if it had no reason to complain.
    pub fn error(&mut self, view: &View<'_>, refused_attempt: bool, out: &mut Vec<u8>) {
        let text = match view.exchange.outcome {
            _ if refused_attempt => "connect() failed (111: Connection refused) while connecting to upstream",
            Outcome::Refused => "connect() failed (111: Connection refused) while connecting to upstream",
            Outcome::TimedOut => {
                "upstream timed out (110: Connection timed out) while reading response header from upstream"
            }
            Outcome::Closed => {
                "upstream prematurely closed connection while reading response header from upstream"
            }
            Outcome::Reset => {
                "recv() failed (104: Connection reset by peer) while reading response header from upstream"
            }
            Outcome::Answered(_) | Outcome::ClientGone => return,
        };
        out.extend_from_slice(self.error.text(view.gateway_end_us()));
        out.extend_from_slice(b" [error] 1207#1207: *");
        push_number(out, view.connection.0);
        out.push(b' ');
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b", client: ");
        out.extend_from_slice(cast::EDGE.as_bytes());
        out.extend_from_slice(b", server: shop.example.com, request: \"");
        out.extend_from_slice(view.request.method.as_bytes());
        out.push(b' ');
        view.push_target(out);
        out.extend_from_slice(b" HTTP/1.1\", upstream: \"http://");
        out.extend_from_slice(cast::APP.as_bytes());
        out.push(b':');
        push_number(out, u64::from(view.ports.first().copied().unwrap_or_default()));
        view.push_target(out);
        out.extend_from_slice(b"\", host: \"shop.example.com\"");
    }
}

/// ` uct="…" uht="…" urt="…" ubr="…" us="…" ua="…"`: one value an attempt.
fn push_upstream(view: &View<'_>, out: &mut Vec<u8>) {
    let exchange = view.exchange;
    let retried = exchange.refused_before;
    out.extend_from_slice(if retried { b" uct=\"-, " } else { b" uct=\"" });
    push_seconds_or_dash(out, exchange.connect_us);
    out.extend_from_slice(if retried { b"\" uht=\"-, " } else { b"\" uht=\"" });
    push_seconds_or_dash(out, exchange.outcome.answered().then_some(exchange.response_us));
    out.extend_from_slice(if retried {
        b"\" urt=\"0.000, "
    } else {
        b"\" urt=\""
    });
    push_seconds(out, exchange.response_us);
    out.extend_from_slice(if retried { b"\" ubr=\"0, " } else { b"\" ubr=\"" });
    push_number(
        out,
        if exchange.outcome.answered() {
            exchange.bytes + 231
        } else {
            0
        },
    );
    out.extend_from_slice(if retried { b"\" us=\"502, " } else { b"\" us=\"" });
    match exchange.outcome {
        Outcome::ClientGone => out.push(b'-'),
        outcome => push_number(out, u64::from(outcome.gateway_status())),
    }
    out.extend_from_slice(b"\" ua=\"");
    for (n, &port) in view.ports.iter().enumerate() {
        out.extend_from_slice(if n == 0 { b"" } else { b", " });
        out.extend_from_slice(cast::APP.as_bytes());
        out.push(b':');
        push_number(out, u64::from(port));
    }
    out.push(b'"');
}

fn push_number(out: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Three digits.
fn push_padded(out: &mut Vec<u8>, value: u64) {
    out.extend([100, 10, 1].map(|unit| b'0' + (value / unit % 10) as u8));
}

/// `0.123`: seconds with milliseconds, rounded down as nginx does.
fn push_seconds(out: &mut Vec<u8>, us: u64) {
    push_number(out, us / 1_000_000);
    out.push(b'.');
    push_padded(out, us / 1000 % 1000);
}

fn push_seconds_or_dash(out: &mut Vec<u8>, us: Option<u64>) {
    match us {
        Some(us) => push_seconds(out, us),
        None => out.push(b'-'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{App, Target};

    fn request() -> Request {
        Request {
            start_us: 1_795_168_805_123_000,
            id: *b"0f8fad5b-d9cb-469f-a165-70867728950e",
            client: 0,
            port: 51_234,
            method: "POST",
            target: Target::Till(3),
            agent: 9,
            referer: 0,
        }
    }

    fn written(exchange: &Exchange, write: impl Fn(&mut Lines, &View<'_>, &mut Vec<u8>)) -> String {
        let request = request();
        let view = View {
            request: &request,
            exchange,
            stem: "/till/3/sales",
            query: "n=1",
            client: "192.0.2.7",
            ports: &[8104],
            connection: (71, 4),
        };
        let mut out = Vec::new();
        write(&mut Lines::default(), &view, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_refused_request_is_written_by_edge_and_gateway_only() {
        let refused = Exchange::cut(Outcome::Refused, 300, None);
        assert_eq!(
            written(&refused, |lines, view, out| lines.edge(view, out)),
            "Nov 20 10:00:05 lb1 haproxy[2213]: 192.0.2.7:51234 [20/Nov/2026:10:00:05.123] shop~ gateway/gw1 \
             0/0/0/1/1 502 381 - - ---- 54/54/8/8/0 0/0 {shop.example.com|curl/8.5.0} \
             \"POST /till/3/sales?n=1 HTTP/1.1\" 0f8fad5b-d9cb-469f-a165-70867728950e"
        );
        assert_eq!(
            written(&refused, |lines, view, out| lines.gateway(view, out)),
            "10.0.1.10 - - [20/Nov/2026:10:00:05 +0000] \"POST /till/3/sales?n=1 HTTP/1.1\" 502 150 \"-\" \
             \"curl/8.5.0\" \"192.0.2.7\" rid=0f8fad5b-d9cb-469f-a165-70867728950e rt=0.000 uct=\"-\" uht=\"-\" \
             urt=\"0.000\" ubr=\"0\" us=\"502\" ua=\"10.0.3.10:8104\" cn=71/4 t=1795168805.123"
        );
        assert!(refused.app.is_none());
    }

    #[test]
    fn an_application_that_is_too_slow_ends_after_the_gateway_gave_up() {
        let app = App {
            wait_us: 0,
            taken_us: 41_000_000,
            status: 200,
            win32: 64,
        };
        let slow = Exchange {
            app: Some(app),
            ..Exchange::cut(Outcome::TimedOut, 30_001_000, Some(0))
        };
        let line = written(&slow, |lines, view, out| {
            lines.app(view, view.app_end_us().unwrap(), out)
        });
        assert_eq!(
            line,
            "2026-11-20 10:00:48 W3SVC1 10.0.3.10 POST /till/3/sales n=1 8104 - 10.0.2.10 HTTP/1.1 curl/8.5.0 - shop.example.com 200 0 64 41000 \
             192.0.2.7 0f8fad5b-d9cb-469f-a165-70867728950e"
        );
    }
}
