//! Builders for the tests of the rules: records, links, and a small run around them.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Level, Marks, Phase, Signal};

use crate::classify::{BLOCKS, Judging, Outcome, Timers, World};
use crate::limits::{Count, CountKind, Scope};
use crate::model::finding::{Finding, Inference, NearMiss};
use crate::model::stats::Second;
use crate::model::{
    Attempt, Cause, Certainty, Gap, Hop, HopId, JoinedBy, Limit, LimitKind, Link, Logs, Micros, Origin,
    Particulars, Place, Record, SourceId, Stats, Subtype, Trace, Traces,
};

/// The instant around which the tests play, on a whole second.
pub(crate) const T0: i64 = 1_795_193_938_000_000;
/// A millisecond and a second.
pub(crate) const MS: i64 = 1_000;
pub(crate) const S: i64 = 1_000_000;
/// Hop numbers as the tests use them.
pub(crate) const EDGE: u16 = 0;
pub(crate) const APP: u16 = 1;
/// Address of the application.
pub(crate) const ADDR: &str = "10.0.0.3:8080";

thread_local! {
    static NEXT: Cell<u64> = const { Cell::new(1) };
}

fn place() -> Place {
    let line = NEXT.with(|n| n.replace(n.get() + 1));
    Place {
        source: SourceId(0),
        offset: line * 100,
        len: 99,
        line,
    }
}

/// A GET of `/orders` that ended at `T0` after one millisecond.
pub(crate) fn record(hop: u16, product: Product) -> Record {
    Record::from(Particulars {
        place: place(),
        hop: HopId(hop),
        product,
        kind: Kind::Request,
        start_us: Some(T0 - MS),
        end_us: Some(T0),
        raw_us: T0,
        resolution_us: 1_000,
        marks: Marks::End,
        duration_us: Some(1_000),
        queue_us: None.into(),
        connect_us: None.into(),
        header_us: None.into(),
        response_us: None.into(),
        ids: Vec::new(),
        method: "GET".into(),
        host: "shop.example.com".into(),
        path: "/orders".into(),
        client: "192.0.2.7".into(),
        client_port: None,
        forwarded_for: "".into(),
        server: "".into(),
        status: None,
        substatus: 0,
        win32_status: 0,
        attempts: Vec::new(),
        group: "".into(),
        retries: 0,
        reused: None,
        local: "".into(),
        bytes_sent: None.into(),
        termination: "".into(),
        signal: None,
        error: "".into(),
        level: Level::None,
        connection: None.into(),
        connection_requests: None,
        pid: None,
        thread: None.into(),
    })
}

/// Steps of a record's making.
pub(crate) trait Make: Sized {
    fn method(self, method: &str) -> Self;
    fn status(self, status: u16) -> Self;
    fn ended(self, end_us: i64, lasted_us: i64) -> Self;
    fn says(self, phase: Phase, fault: Fault) -> Self;
    fn tried(self, addr: &str, status: u16, connect: Option<u64>, header: Option<u64>, lasted: u64) -> Self;
    fn with(self, change: impl FnOnce(&mut Record)) -> Self;
}

impl Make for Record {
    fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    fn ended(mut self, end_us: i64, lasted_us: i64) -> Self {
        (self.start_us, self.end_us, self.raw_us) = (Some(end_us - lasted_us), Some(end_us), end_us);
        self.duration_us = Some(lasted_us as u64);
        self
    }

    fn says(mut self, phase: Phase, fault: Fault) -> Self {
        self.signal = Some(Signal::new(phase, fault));
        self
    }

    fn tried(
        mut self,
        addr: &str,
        status: u16,
        connect: Option<u64>,
        header: Option<u64>,
        lasted: u64,
    ) -> Self {
        self.attempts.push(Attempt {
            addr: addr.into(),
            status: Some(status),
            connect_us: connect.into(),
            header_us: header.into(),
            response_us: Some(lasted).into(),
            bytes_received: None.into(),
        });
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self);
        self
    }
}

/// A line of nginx's error log.
pub(crate) fn error_line(hop: u16, phase: Phase, fault: Fault) -> Record {
    let product = Product::Nginx;
    record(hop, product).says(phase, fault).with(|r| {
        r.kind = Kind::Failure;
        r.marks = Marks::Event;
        r.start_us = Some(T0);
        r.duration_us = None;
    })
}

/// A server event at `at_us`.
pub(crate) fn event(hop: u16, fault: Fault, at_us: i64) -> Record {
    record(hop, Product::Gunicorn)
        .says(Phase::Process, fault)
        .with(|r| {
            r.kind = Kind::Event;
            (r.start_us, r.end_us, r.duration_us) = (Some(at_us), Some(at_us), None);
        })
}

/// An nginx access line of a failed POST on `ADDR` that ended at once.
pub(crate) fn post_cut(end_us: i64) -> Record {
    record(EDGE, Product::Nginx)
        .method("POST")
        .status(502)
        .ended(end_us, MS)
        .tried(ADDR, 502, Some(0), None, 1_000)
}

/// An application's line.
pub(crate) fn served(status: u16, end_us: i64, lasted_us: i64) -> Record {
    record(APP, Product::Node).status(status).ended(end_us, lasted_us)
}

/// The first hop of a trace.
pub(crate) fn first(outcome: Record, details: Vec<Record>) -> Link {
    Link {
        hop: outcome.hop,
        outcome: Some(outcome),
        details,
        unsure: false,
        parent: None,
        joined_by: JoinedBy::Origin,
        ambiguous: false,
    }
}

/// The hop behind link `parent`.
pub(crate) fn behind(parent: usize, outcome: Record) -> Link {
    Link {
        parent: Some(parent),
        joined_by: JoinedBy::Id,
        ..first(outcome, Vec::new())
    }
}

/// A run: an nginx `edge` in front of a Node `app`.
pub(crate) struct Scene {
    pub(crate) hops: Vec<Hop>,
    pub(crate) stats: Stats,
    pub(crate) limits: Known,
    pub(crate) events: Vec<Record>,
    pub(crate) idle_us: BTreeMap<Place, i64>,
    pub(crate) used_up: BTreeMap<Place, u32>,
    pub(crate) truncated: bool,
    pub(crate) traces: Vec<Trace>,
    pub(crate) stray: BTreeMap<HopId, Vec<i64>>,
}

/// Limits as a test sets them.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) values: BTreeMap<(HopId, LimitKind), Limit>,
    pub(crate) pooled: Option<bool>,
    pub(crate) tls: Option<bool>,
    pub(crate) counts: BTreeMap<HopId, Vec<Count>>,
}

impl Timers for Known {
    fn get(&self, hop: HopId, kind: LimitKind, _: &Scope<'_>) -> Option<Limit> {
        self.values.get(&(hop, kind)).cloned()
    }

    fn pooled(&self, _: HopId, _: &Scope<'_>) -> Option<bool> {
        self.pooled
    }

    fn upstream_tls(&self, _: HopId, _: &Scope<'_>) -> Option<bool> {
        self.tls
    }

    fn counts(&self, hop: HopId) -> &[Count] {
        self.counts.get(&hop).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::of(Product::Nginx, Product::Node)
    }

    pub(crate) fn of(edge: Product, app: Product) -> Self {
        let hop = |name: &str, product, upstreams: Vec<HopId>| Hop {
            name: name.to_owned(),
            product,
            upstreams,
            logs: Logs::default(),
            rewrites: Vec::new(),
            addresses: if name == "app" {
                vec![ADDR.to_owned()]
            } else {
                Vec::new()
            },
        };
        Self {
            hops: vec![hop("edge", edge, vec![HopId(APP)]), hop("app", app, Vec::new())],
            stats: Stats::default(),
            limits: Known::default(),
            events: Vec::new(),
            idle_us: BTreeMap::new(),
            used_up: BTreeMap::new(),
            truncated: false,
            traces: Vec::new(),
            stray: BTreeMap::new(),
        }
    }

    /// Only the edge's logs are there.
    pub(crate) fn alone(product: Product) -> Self {
        let mut scene = Self::of(product, Product::Unknown);
        scene.hops.truncate(1);
        scene.hops[0].upstreams.clear();
        scene
    }

    pub(crate) fn trace(mut self, links: Vec<Link>) -> Self {
        self.traces.push(Trace { links });
        self
    }

    /// A trace whose first hop's upstream had been idle for `idle_us`.
    pub(crate) fn trace_after(mut self, idle_us: i64, links: Vec<Link>) -> Self {
        let outcome = links[0].outcome.as_ref().unwrap();
        self.idle_us.insert(outcome.place, idle_us);
        self.trace(links)
    }

    /// The application logged other requests around `T0`.
    pub(crate) fn covered(mut self) -> Self {
        let load = self.stats.load.entry(HopId(APP)).or_default();
        (-10..10).for_each(|second| load.add(T0 / S + second, requests(5)));
        self
    }

    /// So many requests the application can have in work at once.
    pub(crate) fn capacity(mut self, value: u32) -> Self {
        let count = Count {
            kind: CountKind::Slots,
            value,
            setting: "capacity".to_owned(),
            origin: Origin::Given,
        };
        self.limits.counts.entry(HopId(APP)).or_default().push(count);
        self
    }

    /// In each second around `T0` the application answered so many requests that took `busy_ms` together; long after
    /// `elsewhere` in a second, none of which failed.
    pub(crate) fn load(mut self, requests: u32, busy_ms: u64, elsewhere: u32) -> Self {
        let load = self.stats.load.entry(HopId(APP)).or_default();
        let counted = |requests: u32, busy_ms: u64| Second {
            requests,
            failed: 0,
            busy_us: busy_ms * 1_000,
        };
        for second in -10..10 {
            load.add(T0 / S + second, counted(requests, busy_ms));
        }
        load.add(T0 / S + 600, counted(elsewhere, busy_ms));
        self
    }

    pub(crate) fn event(mut self, event: Record) -> Self {
        self.events.push(event);
        self
    }

    pub(crate) fn configured(self, hop: u16, kind: LimitKind, us: i64) -> Self {
        let origin = Origin::File {
            file: "server.conf".to_owned(),
            line: 12,
        };
        self.limit(hop, kind, us, origin)
    }

    pub(crate) fn default_limit(self, hop: u16, kind: LimitKind, us: i64) -> Self {
        let product = self.hops[hop as usize].product;
        self.limit(hop, kind, us, Origin::Default { product })
    }

    fn limit(mut self, hop: u16, kind: LimitKind, us: i64, origin: Origin) -> Self {
        let limit = Limit {
            kind,
            value_us: Some(us as u64),
            setting: "setting".to_owned(),
            origin,
        };
        self.limits.values.insert((HopId(hop), kind), limit);
        self
    }

    /// What is said of its traces.
    pub(crate) fn run(&self) -> Ran {
        let outcome = self.outcome();
        Ran {
            findings: outcome.findings.iter().collect(),
            near_misses: outcome.near_misses,
            truncated: outcome.truncated,
            inferences: outcome.inferences,
        }
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome_in_parts(BLOCKS)
    }

    /// What is said of its traces if so many blocks of them are judged at a time.
    pub(crate) fn outcome_in_parts(&self, blocks: usize) -> Outcome {
        let mut traces = Traces::default();
        for trace in &self.traces {
            let gap = |link: &Link| {
                let place = link.outcome.as_ref().map(|outcome| outcome.place);
                Gap {
                    idle_us: place.and_then(|place| self.idle_us.get(&place).copied()),
                    used_up: place.and_then(|place| self.used_up.get(&place).copied()),
                }
            };
            let gaps: Vec<Gap> = trace.links.iter().map(gap).collect();
            traces.push(trace, &gaps);
        }
        traces.settle();
        let world = World {
            hops: &self.hops,
            stats: &self.stats,
            limits: &self.limits,
            events: &self.events,
            truncated: self.truncated,
            stray: &self.stray,
            wanted: &|status| status >= 500 || status == 499 || status == 9,
            in_window: &|_| true,
        };
        Judging::of(&world, Cow::Owned(traces), blocks).outcome(&[]).0
    }

    /// The finding of the trace that was added first.
    pub(crate) fn finding(&self) -> Finding {
        let place = self.traces[0].links[0].records().next().unwrap().place;
        let all = self.run().findings;
        let own = |f: &&Finding| f.hops.iter().any(|h| h.place == Some(place));
        all.iter().find(own).cloned().expect("the trace gives a finding")
    }

    /// Its label.
    pub(crate) fn verdict(&self) -> (Cause, Subtype, Certainty) {
        let finding = self.finding();
        (finding.cause, finding.subtype, finding.certainty)
    }
}

/// An [`Outcome`] with its findings unpacked.
pub(crate) struct Ran {
    pub(crate) findings: Vec<Finding>,
    pub(crate) near_misses: Vec<NearMiss>,
    pub(crate) truncated: Vec<Micros>,
    pub(crate) inferences: Vec<Inference>,
}

/// Whether `finding` names `subtype` among the rivals.
pub(crate) fn rivals(finding: &Finding, subtype: Subtype) -> bool {
    finding.rivals.iter().any(|r| r.subtype == subtype)
}

/// Whether something with `text` in it is named as missing.
pub(crate) fn misses(finding: &Finding, text: &str) -> bool {
    finding.missing.iter().any(|m| m.contains(text))
}

/// A second in which so many requests ended.
pub(crate) fn requests(requests: u32) -> Second {
    Second {
        requests,
        ..Second::default()
    }
}
