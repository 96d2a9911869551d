//! Turns a trace and the rule that won into a finding.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Phase, Signal};

use super::case::{Case, Join};
use super::exchange::{self, Exchange};
use super::issuer::{self, How, Issued};
use super::rules::{self, Candidate};
use super::survey::Survey;
use super::what_if::{self, Knob};
use super::{fix, words};
use crate::model::finding::{Evidence, HopRecord, Issuer, RequestInfo};
use crate::model::{Cause, Certainty, Finding, Findings, Link, Micros, Place, Record, Trace, Weight};

/// A finding that has no id yet, with what orders and identifies it.
pub(super) struct Found {
    finding: Finding,
    trace: usize,
    knob: Option<Knob>,
    identity: u64,
    place: Place,
}

/// The finding of trace `trace_no`, if its outermost outcome has a status that was asked for.
pub(super) fn of_trace(survey: &Survey<'_>, trace_no: usize) -> Option<Found> {
    let trace = survey.trace(trace_no)?;
    let (outer, status) = outermost(trace)?;
    let asked = (survey.world.wanted)(if left(trace, outer) { 499 } else { status });
    // What is no HTTP is passed on under a status that none can have (nginx: 009).
    let garbled = survey.world.truncated && (1..100).contains(&status);
    let (issued, exchange) = if asked || garbled {
        failed_exchange(survey, trace_no, outer)?
    } else {
        broken_off(survey, trace_no, status).filter(|_| survey.world.truncated)?
    };
    let case = Case::new(survey, &exchange, issued.how)?;
    let mut winner = rules::decide(&case);
    walked(&mut winner, issued.join);
    Some(assemble(&case, winner, outer, status))
}

/// The client of link `outer` left before it was answered.
fn left(trace: &Trace, outer: usize) -> bool {
    let outcome = trace.links.get(outer).and_then(|link| link.outcome.as_ref());
    outcome.is_some_and(|r| {
        r.status.is_none_or(|s| s == 0) && r.signal.is_some_and(|s| s.fault == Fault::ClientGone)
    })
}

/// The exchange whose answer broke off after its header had been passed on, with the hop that saw it: of several the
/// innermost, since those before it merely pass it on.
pub(super) fn broken_off<'a>(
    survey: &Survey<'a>,
    trace_no: usize,
    status: u16,
) -> Option<(Issued, Exchange<'a>)> {
    if !(200..400).contains(&status) {
        return None;
    }
    let trace = survey.trace(trace_no)?;
    let links = trace.links.len();
    // Some products write such lines without a word about the request.
    let mut records = trace.links.iter().flat_map(Link::records);
    if records.all(|r| r.path.is_empty() && r.client.is_empty()) {
        return None;
    }
    let cut = |x: &&Exchange<'a>| {
        let timed_out = x.signal().is_some_and(|s| s.fault == Fault::TimedOut);
        x.signal().is_some_and(|s| s.phase == Phase::Body) && (x.is_cut() || timed_out)
    };
    let innermost = (0..links)
        .rev()
        .find_map(|link| survey.failed(trace_no, link).find(cut));
    innermost.map(|x| {
        let issued = Issued {
            link: x.link,
            how: How::Made,
            join: Join::Sure,
        };
        (issued, x.clone())
    })
}

/// When the answer of trace `trace_no` broke off, if it did and that was not asked for.
pub(super) fn truncated(survey: &Survey<'_>, trace_no: usize) -> Option<Micros> {
    let (_, status) = outermost(survey.trace(trace_no)?)?;
    let (_, exchange) = broken_off(survey, trace_no, status)?;
    exchange
        .end_us
        .filter(|&us| (survey.world.in_window)(us))
        .map(Micros)
}

/// The exchange that the rules are asked about for a trace whose status link `outer` sent, and how its hop came by it.
pub(super) fn failed_exchange<'a>(
    survey: &Survey<'a>,
    trace_no: usize,
    outer: usize,
) -> Option<(Issued, Exchange<'a>)> {
    let trace = survey.trace(trace_no)?;
    let issued = issuer::find(survey, trace, outer);
    Some((issued, exchange_of(survey, trace_no, trace, issued)?))
}

/// The outermost link with an outcome and its status; without any outcome, the outermost link with a
/// failure and the status that its product answers then.
pub(super) fn outermost(trace: &Trace) -> Option<(usize, u16)> {
    let with_outcome = trace
        .links
        .iter()
        .enumerate()
        .find_map(|(n, l)| Some((n, l.outcome.as_ref()?.status.unwrap_or(0))));
    with_outcome.or_else(|| {
        trace
            .links
            .iter()
            .enumerate()
            .find_map(|(n, l)| Some((n, implied_status(l)?)))
    })
}

/// What `link`'s product answers to the failure in its error log, where the access log is not there.
fn implied_status(link: &Link) -> Option<u16> {
    let facts = exchange::facts(link);
    let fact = exchange::decisive(link, &facts)?;
    if let Some(status) = fact.record.status.filter(|&s| s >= 500) {
        return Some(status);
    }
    let Signal { phase, fault } = fact.signal;
    match phase {
        Phase::Client | Phase::Process => return None,
        Phase::Body => return Some(200), // The header had been passed on.
        _ => {}
    }
    let timed_out = fault == Fault::TimedOut;
    match fact.record.product {
        Product::Nginx | Product::EdgeMicro => Some(if timed_out { 504 } else { 502 }),
        Product::Apache => Some(match phase {
            Phase::Connect | Phase::Queue => 503,
            Phase::Tls => 500,
            _ => 502,
        }),
        Product::Caddy => Some(match (phase, timed_out) {
            (Phase::Queue, _) => 503,
            (Phase::Connect, _) => 502,
            (_, true) => 504,
            _ => 502,
        }),
        // Fault codes ServiceUnavailable, SslHandshakeFailed, GatewayTimeout, BadGateway and UnexpectedEOFAtTarget.
        Product::ApigeeMp => Some(match (phase, timed_out) {
            (Phase::Connect | Phase::Queue, _) | (Phase::Tls, false) => 503,
            (Phase::Tls, true) => 502,
            (_, true) => 504,
            _ => 502,
        }),
        Product::OpenIg => Some(502),
        _ => None,
    }
}

/// The exchange that stands for the failure at the issuer.
fn exchange_of<'a>(
    survey: &Survey<'a>,
    trace_no: usize,
    trace: &'a Trace,
    issued: Issued,
) -> Option<Exchange<'a>> {
    let last = survey.failed(trace_no, issued.link).last().cloned();
    let mut x = match last {
        Some(x) => x,
        None => Exchange::whole(trace_no, issued.link, trace.links.get(issued.link)?)?,
    };
    // A request that found no server left after its own attempts failed: the attempts are the reason.
    if x.signal().is_some_and(|s| s.fault == Fault::NoLiveUpstream) {
        let tried = survey
            .failed(trace_no, issued.link)
            .filter(|o| o.signal().is_some_and(|s| s.fault != Fault::NoLiveUpstream))
            .last();
        if let Some(tried) = tried {
            x = tried.clone();
        }
    }
    Some(x)
}

fn assemble(case: &Case<'_, '_>, mut winner: Candidate, outer: usize, status: u16) -> Found {
    let outer_link = case.trace.links.get(outer);
    let outcome = outer_link.and_then(|l| l.outcome.as_ref());
    let record = outcome.or(case.x.record());
    cap(case, &mut winner);
    let mut evidence = winner.evidence;
    add_outcome(case, outer, &mut evidence);
    // Proof first; within a weight the order in which the rule gave the facts.
    evidence.sort_by_key(|e| e.weight);
    let request = request(case.trace, record);
    let time = record.and_then(|r| r.end_us.or(r.start_us)).or(case.x.end_us);
    if outcome.is_none() {
        let name = outer_link.map_or("", |l| case.survey.world.hop_name(l.hop));
        winner.missing.insert(
            0,
            format!("the access log of {name}: the status is concluded from the error"),
        );
    }
    dedup(&mut winner.missing);
    let score = (winner.score * 100.0).round() / 100.0;
    let (fix, knob) = fix::propose(case, winner.label).map_or((None, None), |p| (Some(p.fix), p.knob));
    let finding = Finding {
        id: String::new(),
        time: time.map(Micros),
        status,
        issuer: issuer_of(case),
        cause: winner.label.cause,
        subtype: winner.label.subtype,
        contributing: winner.contributing.filter(|c| *c != winner.label),
        certainty: Certainty::of(score),
        score,
        evidence,
        rivals: winner.rivals,
        missing: winner.missing,
        hops: hops(case),
        fix,
        request,
    };
    let fallback = Place {
        source: crate::model::SourceId(0),
        offset: 0,
        len: 0,
        line: 0,
    };
    Found {
        identity: identity(&finding, record),
        trace: case.x.trace,
        place: record.map_or(fallback, |r| r.place),
        knob,
        finding,
    }
}

/// The limits of certainty: `proven` needs proof, and a verdict is no surer than the join it rests on.
fn cap(case: &Case<'_, '_>, winner: &mut Candidate) {
    if !winner.proof {
        winner.score = winner.score.min(0.89);
    }
    doubt_lines(case, winner);
    if winner.joined && winner.label.cause != Cause::Upstream502 {
        match case.join() {
            Join::Sure => {}
            Join::ByTime => winner.score = winner.score.min(0.89),
            Join::Ambiguous => {
                winner.score = one_level_down(winner.score);
                winner
                    .missing
                    .push("an id that both logs share: another record fits as well".to_owned());
            }
        }
    }
}

/// Error lines that may be another request's prove nothing.
fn doubt_lines(case: &Case<'_, '_>, winner: &mut Candidate) {
    let own = |fact: &exchange::Fact<'_>| case.x.outcome.is_some_and(|o| o.place == fact.record.place);
    let said_itself = case.x.fact.as_ref().is_some_and(own) || case.how == How::Received(true);
    if !case.link.unsure || said_itself {
        return;
    }
    winner.score = winner.score.min(0.89);
    winner.missing.push(format!(
        "an id or the connection's serial in both logs of {}: error lines of other requests fit as well",
        case.name()
    ));
}

/// A verdict about a hop further in is no surer than the joins that led there.
fn walked(winner: &mut Candidate, join: Join) {
    match join {
        Join::Sure => {}
        Join::ByTime => winner.score = winner.score.min(0.89),
        Join::Ambiguous => {
            winner.score = one_level_down(winner.score.min(0.89));
            winner
                .missing
                .push("an id that all logs share: another record fits as well".to_owned());
        }
    }
}

/// The same score, one word less sure.
pub(super) fn one_level_down(score: f64) -> f64 {
    match score {
        s if s >= 0.9 => 0.8,
        s if s >= 0.7 => 0.55,
        s if s >= 0.4 => 0.35,
        s => s,
    }
}

/// The line of the issuer's outcome, and the outermost hop's if that is another.
fn add_outcome(case: &Case<'_, '_>, outer: usize, evidence: &mut Vec<Evidence>) {
    for link in [Some(case.link), case.trace.links.get(outer)]
        .into_iter()
        .flatten()
    {
        let Some(record) = link.outcome.as_ref() else {
            continue;
        };
        if evidence.iter().any(|e| e.place == Some(record.place)) {
            continue;
        }
        let name = case.survey.world.hop_name(link.hop);
        let answer = match record.status {
            Some(status) => format!("{name} answered {status}"),
            None => format!("{name} closed without an answer"),
        };
        let after = record.duration_us.map(|d| format!(" after {}", words::span(d)));
        let fact = answer + &after.unwrap_or_default();
        evidence.push(case.says(Weight::Context, Some(record), fact));
    }
}

fn dedup(list: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    list.retain(|item| seen.insert(item.clone()));
}

pub(super) fn request(trace: &Trace, outer: Option<&Record>) -> RequestInfo {
    let all = || {
        let others = trace.links.iter().flat_map(|l| l.records());
        outer.into_iter().chain(others)
    };
    let first = |field: fn(&Record) -> &str| {
        let found = all().map(field).find(|text| !text.is_empty());
        found.unwrap_or_default().to_owned()
    };
    let mut ids: Vec<String> = Vec::new();
    for id in all().flat_map(|r| &r.ids) {
        if !ids.iter().any(|known| **known == **id) {
            ids.push(id.to_string());
        }
    }
    let client = outer.map_or_else(String::new, |r| match r.client_port {
        Some(port) if !r.client.is_empty() && r.client.contains(':') => format!("[{}]:{port}", r.client),
        Some(port) if !r.client.is_empty() => format!("{}:{port}", r.client),
        _ => r.client.to_string(),
    });
    RequestInfo {
        ids,
        method: first(|r| &r.method),
        host: first(|r| &r.host),
        path: first(|r| &r.path),
        client,
    }
}

/// Who made the status. For one that was passed on by the last hop with a log, that is the upstream.
fn issuer_of(case: &Case<'_, '_>) -> Issuer {
    let world = case.survey.world;
    if matches!(case.how, How::Received(_)) {
        let product = case
            .sender()
            .and_then(|h| world.hops.get(h.0 as usize))
            .map_or(Product::Unknown, |h| h.product);
        return Issuer {
            hop: case.sender_name().to_owned(),
            product: product.name().to_owned(),
            upstream: String::new(),
            upstream_hop: None,
        };
    }
    Issuer {
        hop: case.name().to_owned(),
        product: case.x.product.name().to_owned(),
        upstream: case.x.upstream.to_owned(),
        upstream_hop: case.upstream_hop.map(|hop| world.hop_name(hop).to_owned()),
    }
}

fn hops(case: &Case<'_, '_>) -> Vec<HopRecord> {
    let world = case.survey.world;
    let links = case.trace.links.iter();
    let one = |link: &Link| {
        let record = link.records().next()?;
        let (start, end) = link.interval().unzip();
        Some(HopRecord {
            hop: world.hop_name(link.hop).to_owned(),
            product: record.product.name().to_owned(),
            start: start.map(Micros),
            end: end.map(Micros),
            logged: (record.raw_us != 0).then_some(Micros(record.raw_us)),
            duration_ms: record.duration_us.map(|us| us as f64 / 1e3),
            status: link.outcome.as_ref().and_then(|r| r.status),
            joined_by: link.joined_by,
            ambiguous: link.ambiguous,
            file: String::new(),
            line: record.place.line,
            offset: record.place.offset,
            place: Some(record.place),
        })
    };
    links.filter_map(one).collect()
}

/// A hash of what the request is, free of file names, offsets and clock corrections.
fn identity(finding: &Finding, record: Option<&Record>) -> u64 {
    let mut hash = Fnv::default();
    hash.text(&finding.issuer.hop);
    hash.text(&finding.request.method);
    hash.text(&finding.request.path);
    hash.text(&finding.request.client);
    for id in record.into_iter().flat_map(|r| &r.ids) {
        hash.text(id);
    }
    hash.number(
        record
            .map(|r| r.raw_us)
            .or(finding.time.map(|t| t.0))
            .unwrap_or_default() as u64,
    );
    hash.number(u64::from(finding.status));
    hash.0
}

/// The findings of a run as they come.
pub(super) struct Collected {
    findings: Findings,
    /// What orders and identifies each.
    marks: Vec<Mark>,
    knobs: Vec<(usize, Knob)>,
}

struct Mark {
    identity: u64,
    place: Place,
    trace: usize,
}

impl Collected {
    /// None yet, of `most` at most.
    pub(super) fn of(most: usize) -> Self {
        Self {
            findings: Findings::with_capacity(most),
            marks: Vec::with_capacity(most),
            knobs: Vec::new(),
        }
    }

    /// Takes in one more.
    pub(super) fn push(&mut self, found: &Found) {
        let at = self.findings.push(&found.finding);
        self.knobs.extend(found.knob.map(|knob| (at, knob)));
        self.marks.push(Mark {
            identity: found.identity,
            place: found.place,
            trace: found.trace,
        });
    }

    /// Gives each finding its id and puts them in order, with the number of the trace of each. Only those of the time
    /// that was asked for count in what a value would have saved.
    pub(super) fn identified(self, in_window: &dyn Fn(i64) -> bool) -> (Findings, Vec<usize>) {
        let Self {
            mut findings,
            marks,
            mut knobs,
        } = self;
        // Requests that are alike to the last byte are told apart by their number in order of place.
        let mut order: Vec<usize> = (0..marks.len()).collect();
        order.sort_by_key(|&at| {
            let Mark { identity, place, .. } = &marks[at];
            (*identity, place.source, place.offset)
        });
        let asked: Vec<bool> = findings
            .briefs()
            .map(|brief| brief.time.is_none_or(|time| in_window(time.0)))
            .collect();
        knobs.retain(|(at, _)| asked[*at]);
        what_if::fill(&mut findings, &knobs);
        let (mut last, mut nth) = (None, 0);
        for at in order {
            let identity = marks[at].identity;
            nth = if last == Some(identity) { nth + 1 } else { 0 };
            last = Some(identity);
            let mut hash = Fnv(identity);
            if nth > 0 {
                hash.number(nth);
            }
            findings.identify(at, hash.finish());
        }
        let order = findings.settle();
        let traces = order.into_iter().map(|at| marks[at].trace).collect();
        (findings, traces)
    }
}

/// Fowler–Noll–Vo, 64 bits, variant 1a: stable over releases and machines, unlike the standard library's.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    fn text(&mut self, text: &str) {
        text.bytes().for_each(|b| self.byte(b));
        self.byte(0xff); // No byte of UTF-8, so that "ab" + "c" differs from "a" + "bc".
    }

    fn number(&mut self, n: u64) {
        n.to_le_bytes().into_iter().for_each(|b| self.byte(b));
    }

    /// Mixes the high bits, which FNV leaves poorly stirred for short input.
    fn finish(&self) -> u64 {
        let mut h = self.0;
        h ^= h >> 32;
        h = h.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        h ^ (h >> 29)
    }
}
