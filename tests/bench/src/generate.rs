//! The loop: requests in order of arrival, lines in order of their end (with late writers).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::f64::consts::TAU;
use std::io;
use std::path::PathBuf;

use crate::cast::{self, Cast, SERVICES};
use crate::configs;
use crate::exchange::{App, Exchange, Outcome, Request, Target};
use crate::lines::{self, Lines, View};
use crate::rng::Rng;
use crate::scenario::{self, Fate, Scenario};
use crate::sink::{Layout, Naming, Sink};
use crate::truth::{Cause, Row, Truth};

/// When the corpus begins: 2026-11-20T00:00:00Z, in microseconds since the Unix epoch.
const BEGIN_US: i64 = 1_795_132_800_000_000;
/// Bytes that one request takes in all logs, nearly.
const REQUEST_BYTES: f64 = 916.0;
/// Share of each access log in the bytes.
const SHARES: [f64; 3] = [0.29, 0.40, 0.31];
/// How much the load swings over a day.
const SWING: f64 = 0.7;
/// Requests that take longer than this are written when they end, not when they arrive.
const PROMPT_US: i64 = 250_000;
/// Share of lines that are written late, and by how much at most.
const LATE: f64 = 0.005;
const LATE_US: u64 = 4_000_000;
/// Connections from the edge that the gateway keeps open.
const CONNECTIONS: usize = 64;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the corpus goes.
    pub out: PathBuf,
    /// Bytes of log text in all, before compression.
    pub size: u64,
    /// Seed of all chance.
    pub seed: u64,
    /// Share of requests that fail.
    pub fail_rate: f64,
    /// Time covered, in seconds.
    pub span_s: f64,
    /// Files for each hop's log.
    pub split: usize,
    /// Whether files are compressed.
    pub gzip: bool,
    /// Whether nginx's error log is written.
    pub error_log: bool,
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    /// Requests.
    pub requests: u64,
    /// Those that failed.
    pub failed: u64,
    /// Bytes of log text.
    pub bytes: u64,
    /// Bytes of log text per hop: edge, gateway, application, the gateway's error log.
    pub bytes_of: [u64; 4],
    /// Lines.
    pub lines: u64,
}

/// A line to be written later: time, serial (so that the order is fixed), hop, text.
type Pending = Reverse<(i64, u64, usize, Vec<u8>)>;

/// A sale to come at a till: time, till, how many come after it, whether the last is a race, the client.
type Sale = Reverse<(i64, u16, u32, bool, usize)>;

struct Generator {
    options: Options,
    rng: Rng,
    cast: Cast,
    scenario: Scenario,
    lines: Lines,
    sinks: Vec<Sink>,
    truth: Truth,
    pending: BinaryHeap<Pending>,
    sales: BinaryHeap<Sale>,
    serial: u64,
    connections: Vec<(u64, u32)>,
    next_connection: u64,
    requests: u64,
}

/// Generates a corpus.
///
/// # Errors
/// What the file system says.
pub fn generate(options: &Options) -> io::Result<Made> {
    let mut generator = Generator::new(options)?;
    generator.run()?;
    generator.finish()
}

impl Generator {
    fn new(options: &Options) -> io::Result<Self> {
        let mut rng = Rng::new(options.seed);
        let cast = Cast::new(&mut rng);
        let rate = options.size as f64 / REQUEST_BYTES / options.span_s;
        let scenario = Scenario::new(options.fail_rate, rate, options.span_s);
        configs::write(&options.out, scenario.tills())?;
        let truth = Truth::create(&options.out.join("truth.jsonl"), options.error_log)?;
        Ok(Self {
            sinks: sinks(options)?,
            options: options.clone(),
            connections: (1..=CONNECTIONS as u64).map(|serial| (serial, 0)).collect(),
            next_connection: CONNECTIONS as u64 + 1,
            rng,
            cast,
            scenario,
            truth,
            lines: Lines::default(),
            pending: BinaryHeap::new(),
            sales: BinaryHeap::new(),
            serial: 0,
            requests: 0,
        })
    }

    fn run(&mut self) -> io::Result<()> {
        let rate = self.options.size as f64 / REQUEST_BYTES / self.options.span_s;
        let scale = rate / mean_load(self.options.span_s);
        let mut now_s = 0.0;
        while self.total() < self.options.size {
            now_s += self.rng.exponential(1.0 / (scale * load(now_s)));
            let now_us = BEGIN_US + (now_s * 1e6) as i64;
            while let Some(&Reverse((at_us, till, after, race, client))) = self.sales.peek()
                && at_us <= now_us
            {
                self.sales.pop();
                self.sale(at_us, till, after, race, client, false)?;
            }
            self.write_due(now_us)?;
            self.arrival(now_us)?;
        }
        Ok(())
    }

    fn total(&self) -> u64 {
        self.sinks.iter().map(|sink| sink.total).sum()
    }

    /// One request of the busy services, or the first of some sales at a till.
    fn arrival(&mut self, now_us: i64) -> io::Result<()> {
        let (service, fate) = self.scenario.decide(now_us, &mut self.rng);
        if let Fate::Till(till, race) = fate {
            let client = self.rng.below(self.cast.clients.len() as u64) as usize;
            let after = 1 + self.rng.below(2) as u32;
            return self.sale(now_us, till, after, race, client, true);
        }
        let service = if fate == Fate::Hidden { Some(0) } else { service };
        let page = self.cast.page(service, &mut self.rng);
        let service = SERVICES[self.cast.pages[usize::from(page)].service];
        let method = *self.rng.pick(service.methods);
        let client = self.rng.below(self.cast.clients.len() as u64) as usize;
        let request = self.request(now_us, client, method, Target::Page(page));
        let work_us = self.cast.pages[usize::from(page)].work_us;
        let exchange = match fate {
            Fate::Fails(cause) => scenario::failure(cause, &mut self.rng),
            Fate::Hidden => Exchange {
                refused_before: true,
                connect_us: Some(0),
                ..Exchange::ordinary(work_us, &mut self.rng)
            },
            Fate::Aborted => aborted(&mut self.rng),
            Fate::Ordinary | Fate::Till(..) => Exchange::ordinary(work_us, &mut self.rng),
        };
        let cause = match fate {
            Fate::Fails(cause) => Some((cause, false)),
            Fate::Hidden => Some((Cause::Refused, true)),
            _ => None,
        };
        self.emit(&request, &exchange, cause)?;
        Ok(())
    }

    /// A sale at a till, the first one on a fresh connection; plans the next one, `after` more of which are to come.
    fn sale(
        &mut self,
        at_us: i64,
        till: u16,
        after: u32,
        race: bool,
        client: usize,
        fresh: bool,
    ) -> io::Result<()> {
        let request = self.request(at_us, client, "POST", Target::Till(till));
        let last = after == 0;
        if last && race {
            let exchange = scenario::failure(Cause::Race, &mut self.rng);
            let end_us = self.emit(&request, &exchange, Some((Cause::Race, false)))?;
            self.scenario.give_back(till, end_us);
            return Ok(());
        }
        let mut exchange = Exchange::ordinary(20_000.0, &mut self.rng);
        exchange.outcome = Outcome::Answered(200);
        exchange.app = exchange.app.map(|app| App { status: 200, ..app });
        exchange.connect_us = Some(if fresh { 1_200 } else { 0 });
        let end_us = self.emit(&request, &exchange, None)?;
        if last {
            self.scenario.give_back(till, end_us);
            return Ok(());
        }
        let gap_us = scenario::till_gap_us(race && after == 1, &mut self.rng);
        self.sales
            .push(Reverse((end_us + gap_us, till, after - 1, race, client)));
        Ok(())
    }

    fn request(&mut self, start_us: i64, client: usize, method: &'static str, target: Target) -> Request {
        self.requests += 1;
        Request {
            start_us,
            id: uuid(&mut self.rng),
            client,
            port: self.rng.between(1_024, 65_536) as u16,
            method,
            target,
            agent: self.rng.below(cast::AGENTS.len() as u64) as usize,
            referer: self.rng.below(cast::REFERERS.len() as u64) as usize,
        }
    }

    /// The connection from the edge that a request comes on; a failure's is its own, so that its lines can be told.
    fn connection(&mut self, fails: bool) -> (u64, u32) {
        let n = self.rng.below(CONNECTIONS as u64) as usize;
        if fails || self.connections[n].1 >= 1000 {
            self.next_connection += 1;
            let fresh = (self.next_connection, 1);
            if !fails {
                self.connections[n] = fresh;
            }
            return fresh;
        }
        self.connections[n].1 += 1;
        self.connections[n]
    }

    /// Writes one request to every hop that saw it; returns when the gateway was done.
    fn emit(
        &mut self,
        request: &Request,
        exchange: &Exchange,
        cause: Option<(Cause, bool)>,
    ) -> io::Result<i64> {
        let connection = self.connection(cause.is_some());
        let (stem, query);
        let till_text;
        let till_ports;
        let ports: &[u16] = match request.target {
            Target::Page(page) => {
                let page = &self.cast.pages[usize::from(page)];
                (stem, query) = (page.stem.as_str(), page.query.as_str());
                let all = SERVICES[page.service].ports;
                if exchange.refused_before { all } else { &all[..1] }
            }
            Target::Till(till) => {
                till_text = format!("/till/{till}/sales");
                (stem, query) = (till_text.as_str(), "");
                till_ports = [scenario::till_port(till)];
                &till_ports
            }
        };
        let client = self.cast.clients[request.client].as_str();
        let view = View {
            request,
            exchange,
            stem,
            query,
            client,
            ports,
            connection,
        };
        let edge_end_us = view.edge_end_us();
        let late = |rng: &mut Rng| {
            if rng.chance(LATE) {
                rng.below(LATE_US) as i64
            } else {
                0
            }
        };
        let (edge_late, app_late) = (late(&mut self.rng), late(&mut self.rng));
        let lines = &mut self.lines;
        let mut out = Out {
            sinks: &mut self.sinks,
            pending: &mut self.pending,
            serial: &mut self.serial,
        };
        let from_us = request.start_us;
        out.line(0, from_us, edge_end_us + edge_late, |text| {
            lines.edge(&view, text)
        })?;
        out.line(1, from_us, view.gateway_end_us(), |text| {
            lines.gateway(&view, text)
        })?;
        if let Some(end_us) = view.app_end_us() {
            let written_us = end_us - crate::exchange::APP_CLOCK_US + app_late;
            out.line(2, from_us, written_us, |text| lines.app(&view, end_us, text))?;
        }
        if let Some((cause, near_miss)) = cause {
            let complains = near_miss || !exchange.outcome.answered();
            if self.options.error_log && complains {
                out.line(3, from_us, view.gateway_end_us() + PROMPT_US, |text| {
                    lines.error(&view, near_miss, text)
                })?;
            }
            let target = if query.is_empty() {
                stem.to_owned()
            } else {
                format!("{stem}?{query}")
            };
            self.truth.row(&Row {
                id: &request.id,
                cause,
                end_us: edge_end_us,
                status: view.edge_status().unwrap_or_default(),
                method: request.method,
                path: &target,
                client: &format!("{client}:{}", request.port),
                near_miss,
            })?;
        }
        Ok(view.gateway_end_us())
    }

    /// Writes the lines that were to be written before `now_us`.
    fn write_due(&mut self, now_us: i64) -> io::Result<()> {
        while self.pending.peek().is_some_and(|Reverse(line)| line.0 <= now_us) {
            let Some(Reverse((_, _, hop, text))) = self.pending.pop() else {
                break;
            };
            self.sinks[hop].push(&text)?;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Made> {
        self.write_due(i64::MAX)?;
        let bytes_of = std::array::from_fn(|n| self.sinks.get(n).map_or(0, |sink| sink.total));
        let made = Made {
            requests: self.requests,
            failed: self.truth.failed,
            bytes: self.total(),
            bytes_of,
            lines: self.sinks.iter().map(|sink| sink.lines).sum(),
        };
        for sink in self.sinks {
            sink.finish()?;
        }
        self.truth.finish()?;
        Ok(made)
    }
}

/// Where lines go: to the log at once, or to the pile of those to be written later.
struct Out<'a> {
    sinks: &'a mut [Sink],
    pending: &'a mut BinaryHeap<Pending>,
    serial: &'a mut u64,
}

impl Out<'_> {
    fn line(
        &mut self,
        hop: usize,
        now_us: i64,
        written_us: i64,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<()> {
        if written_us - now_us < PROMPT_US {
            let sink = &mut self.sinks[hop];
            let start = sink.line().len();
            write(sink.line());
            return sink.end_line(start);
        }
        let mut text = Vec::with_capacity(512);
        write(&mut text);
        *self.serial += 1;
        self.pending.push(Reverse((written_us, *self.serial, hop, text)));
        Ok(())
    }
}

/// The client goes away while the application works.
fn aborted(rng: &mut Rng) -> Exchange {
    let waited_us = rng.between(200_000, 3_000_000);
    let app = App {
        wait_us: 0,
        taken_us: waited_us + rng.between(50_000, 900_000),
        status: 200,
        win32: 64,
    };
    Exchange {
        app: Some(app),
        ..Exchange::cut(Outcome::ClientGone, waited_us, Some(0))
    }
}

/// The load at `at_s` seconds into the corpus, 1 on average over a day: least at 3, most at 15 o'clock.
fn load(at_s: f64) -> f64 {
    1.0 - SWING * ((at_s / 86_400.0 - 0.125) * TAU).cos()
}

/// The average load over the span.
fn mean_load(span_s: f64) -> f64 {
    let steps = 10_000;
    (0..steps)
        .map(|n| load(span_s * (f64::from(n) + 0.5) / f64::from(steps)))
        .sum::<f64>()
        / f64::from(steps)
}

/// A random UUID (version 4).
fn uuid(rng: &mut Rng) -> [u8; 36] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut bits = u128::from(rng.bits()) << 64 | u128::from(rng.bits());
    bits = bits & !(0xF << 76) | 4 << 76;
    bits = bits & !(3 << 62) | 2 << 62;
    let mut out = [b'-'; 36];
    let mut shift = 128;
    for (at, place) in out.iter_mut().enumerate() {
        if !matches!(at, 8 | 13 | 18 | 23) {
            shift -= 4;
            *place = HEX[(bits >> shift) as usize & 15];
        }
    }
    out
}

/// The logs: edge, gateway, application, and the gateway's error log.
fn sinks(options: &Options) -> io::Result<Vec<Sink>> {
    let logs = options.out.join("logs");
    let layout = |hop: &str, name: &str, share: f64| Layout {
        dir: logs.join(hop),
        name: name.to_owned(),
        naming: Naming::Numbered,
        files: options.split.max(1),
        // A little less than an equal share, so that the last file exists in any case.
        file_bytes: (options.size as f64 * share * 0.97 / options.split.max(1) as f64) as u64,
        gzip: options.gzip,
        preamble: &[],
        crlf: false,
    };
    let mut all = vec![
        layout("edge-haproxy", "haproxy.log", SHARES[0]),
        layout("gateway-nginx", "access.log", SHARES[1]),
        Layout {
            naming: Naming::Extended,
            preamble: lines::IIS_HEAD,
            crlf: true,
            ..layout("app-iis", "u_ex261120.log", SHARES[2])
        },
    ];
    if options.error_log {
        all.push(Layout {
            files: 1,
            ..layout("gateway-nginx", "error.log", 1.0)
        });
    }
    all.into_iter().map(Sink::create).collect()
}

#[cfg(test)]
#[path = "generate_tests.rs"]
mod tests;
