//! One failed exchange between a hop and its upstream: what its own records say of it, and no more.

use why502_parsers::Product;
use why502_parsers::entry::{Fault, Kind, Phase, Signal};

use super::derive;
use super::survey::Fields;
use crate::model::{Attempt, HopId, Link, Record, Trace};

/// A signal and the record it stands in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fact<'a> {
    /// What the record says.
    pub(crate) signal: Signal,
    /// The record.
    pub(crate) record: &'a Record,
    /// Concluded from status and times; the product did not say it in words.
    pub(crate) derived: bool,
}

/// One attempt of one hop that did not end well.
#[derive(Debug, Clone)]
pub(crate) struct Exchange<'a> {
    /// Index of the trace in the run.
    pub(crate) trace: usize,
    /// Index of the link in the trace.
    pub(crate) link: usize,
    /// Which attempt, from zero; `None` if the record lists none.
    pub(crate) number: Option<usize>,
    /// Whether it is the attempt that decided the outcome.
    pub(crate) last: bool,
    /// The hop that made the attempt.
    pub(crate) hop: HopId,
    /// Its program.
    pub(crate) product: Product,
    /// The request's outcome at that hop.
    pub(crate) outcome: Option<&'a Record>,
    /// The attempt as listed.
    pub(crate) attempt: Option<&'a Attempt>,
    /// What went wrong, as far as anything says.
    pub(crate) fact: Option<Fact<'a>>,
    /// Address or name of the upstream; empty if unknown.
    pub(crate) upstream: &'a str,
    /// Start of the attempt, corrected clock.
    pub(crate) start_us: Option<i64>,
    /// End of the attempt, corrected clock.
    pub(crate) end_us: Option<i64>,
    /// How far the two may be off.
    pub(crate) resolution_us: i64,
    /// How far the stamps of the request's outcome may be off; what was worked out from them (idle times) is no sharper.
    pub(crate) logged_us: i64,
    /// Length of the attempt as measured by the hop: waiting in its own queue excluded.
    pub(crate) lasted_us: Option<u64>,
    /// The least that it lasted, where only its start and the line of its failure are logged.
    pub(crate) at_least_us: Option<u64>,
    /// Whether the connection was made, if that can be told.
    pub(crate) connected: Option<bool>,
    /// Bytes of the answer received, if logged.
    pub(crate) bytes: Option<u64>,
    /// Same address tried twice running: how the attempt stands to its twin.
    pub(crate) twin: Twin,
}

/// nginx tries the same server again only when the connection that failed came from its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twin {
    /// The next attempt went to the same address.
    First,
    /// The attempt before went to the same address.
    Second,
    /// Neither.
    None,
}

/// A server names a failure within this time of the end of the request.
const LINE_APART_US: i64 = 100_000;

impl<'a> Exchange<'a> {
    /// The failed attempts of one link, in order.
    pub(crate) fn of_link(trace_no: usize, trace: &'a Trace, link_no: usize, fields: Fields) -> Vec<Self> {
        let Some(link) = trace.links.get(link_no) else {
            return Vec::new();
        };
        let facts = facts(link);
        let attempts = link
            .outcome
            .as_ref()
            .map(|r| r.attempts.as_slice())
            .unwrap_or_default();
        let failed = failed_attempts(link, &facts);
        if attempts.is_empty() {
            let base = Self::base(trace_no, link_no, link);
            return base
                .filter(|_| !failed.is_empty())
                .map(|mut x| {
                    x.fact = decisive(link, &facts).or_else(|| derive::fact(&x, fields));
                    x.fill_connected(fields);
                    x.sharpen();
                    x
                })
                .into_iter()
                .collect();
        }
        let mut all = Vec::new();
        for (nth, &number) in failed.iter().enumerate() {
            let Some(mut x) = Self::base(trace_no, link_no, link) else {
                continue;
            };
            x.place_attempt(attempts, number);
            let from_end = failed.len() - 1 - nth;
            x.fact = fact_of_attempt(link, &facts, &x, from_end, failed.len())
                .or_else(|| derive::fact(&x, fields));
            x.fill_connected(fields);
            x.sharpen();
            all.push(x);
        }
        all
    }

    /// The request as a whole, for a link where no attempt is known to have failed.
    pub(crate) fn whole(trace: usize, link_no: usize, link: &'a Link) -> Option<Self> {
        Self::base(trace, link_no, link)
    }

    fn base(trace: usize, link_no: usize, link: &'a Link) -> Option<Self> {
        let any = link.records().next()?;
        let (start, end) = link.interval().unzip();
        let upstream = link.details.iter().rev().find_map(|r| r.attempts.last());
        Some(Self {
            trace,
            link: link_no,
            number: None,
            last: true,
            hop: link.hop,
            product: any.product,
            outcome: link.outcome.as_ref(),
            attempt: None,
            fact: None,
            upstream: upstream.map_or("", |a| &a.addr),
            start_us: start,
            end_us: end,
            resolution_us: i64::from(any.resolution_us),
            logged_us: i64::from(any.resolution_us),
            lasted_us: link.outcome.as_ref().and_then(own_time).or_else(|| elapsed(link)),
            at_least_us: at_least(link),
            connected: None,
            bytes: None,
            twin: Twin::None,
        })
    }

    /// Narrows the exchange from the whole request to attempt `number` of `attempts`.
    fn place_attempt(&mut self, attempts: &'a [Attempt], number: usize) {
        let Some(attempt) = attempts.get(number) else {
            return;
        };
        self.number = Some(number);
        self.last = number + 1 == attempts.len();
        self.attempt = Some(attempt);
        if !attempt.addr.is_empty() {
            self.upstream = &attempt.addr;
        }
        self.bytes = attempt.bytes_received.get();
        if attempts.len() > 1 || attempt.response_us.get().is_some() {
            self.lasted_us = attempt
                .response_us
                .get()
                .or(self.lasted_us.filter(|_| attempts.len() == 1));
        }
        let after: u64 = attempts[number + 1..]
            .iter()
            .filter_map(|a| a.response_us.get())
            .sum();
        self.end_us = self.end_us.map(|end| end - after as i64);
        if let (Some(end), Some(lasted)) = (self.end_us, self.lasted_us) {
            self.start_us = Some(end - lasted as i64);
        }
        let same = |other: Option<&Attempt>| other.is_some_and(|o| o.addr == attempt.addr);
        self.twin = if same(attempts.get(number + 1)) {
            Twin::First
        } else if number > 0 && same(attempts.get(number - 1)) {
            Twin::Second
        } else {
            Twin::None
        };
    }

    /// Takes the time of the line that names the failure, where that is finer than the request's own stamp.
    fn sharpen(&mut self) {
        let Some(line) = self.fact.filter(|fact| !fact.derived).map(|fact| fact.record) else {
            return;
        };
        let is_other = self
            .outcome
            .is_some_and(|outcome| outcome.place != line.place && outcome.end_us.is_some());
        let resolution = i64::from(line.resolution_us);
        let (Some(at), Some(end)) = (line.ended_us(), self.end_us) else {
            return;
        };
        let fits = (at - end).abs() <= self.resolution_us + LINE_APART_US;
        if !self.last || !is_other || !fits || resolution >= self.resolution_us {
            return;
        }
        self.end_us = Some(at);
        self.resolution_us = resolution;
        if let Some(lasted) = self.lasted_us.and_then(|us| i64::try_from(us).ok()) {
            self.start_us = Some(at - lasted);
        }
    }

    fn fill_connected(&mut self, fields: Fields) {
        let connect = self.attempt.and_then(|a| a.connect_us.get()).or_else(|| {
            self.outcome
                .filter(|_| self.last)
                .and_then(|r| r.connect_us.get())
        });
        self.connected = match self.fact.map(|f| f.signal.phase) {
            _ if connect.is_some() => Some(true),
            Some(Phase::Send | Phase::Header | Phase::Body) => Some(true),
            Some(Phase::Connect | Phase::ConnectOrTls | Phase::Queue | Phase::Resolve) => Some(false),
            _ if fields.connect => Some(false),
            _ => None,
        };
    }

    /// The record that stands for the exchange in evidence: the one that says most.
    pub(crate) fn record(&self) -> Option<&'a Record> {
        self.fact.map(|f| f.record).or(self.outcome)
    }

    /// Phase and fault, if anything says.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.fact.map(|f| f.signal)
    }

    /// Whether the product itself named the fault.
    pub(crate) fn in_words(&self) -> bool {
        self.fact.is_some_and(|f| !f.derived)
    }

    /// Connect time of this attempt.
    pub(crate) fn connect_us(&self) -> Option<u64> {
        self.attempt
            .and_then(|a| a.connect_us.get())
            .or_else(|| self.outcome.and_then(|r| r.connect_us.get()))
    }

    /// Time to the response header of this attempt; `None` if none came.
    pub(crate) fn header_us(&self) -> Option<u64> {
        match self.attempt {
            Some(attempt) => attempt.header_us.get().or_else(|| {
                let only = self.outcome.filter(|r| r.attempts.len() == 1)?;
                only.header_us.get()
            }),
            None => self.outcome.and_then(|r| r.header_us.get()),
        }
    }

    /// The connection ended by RST or FIN before the answer was complete, or could not be written to.
    pub(crate) fn is_cut(&self) -> bool {
        use Fault::{BrokenPipe, Closed, ClosedPartial, IdleClosed, Reset, ResetOrClosed};
        self.signal().is_some_and(|s| {
            matches!(
                s.fault,
                Closed | ClosedPartial | Reset | ResetOrClosed | BrokenPipe | IdleClosed
            ) && !matches!(
                s.phase,
                Phase::Tls | Phase::Connect | Phase::ConnectOrTls | Phase::Client
            )
        })
    }

    /// Cut before the first byte of the answer.
    pub(crate) fn is_cut_without_a_byte(&self) -> bool {
        let body = self.signal().is_some_and(|s| s.phase == Phase::Body);
        let partial = self.signal().is_some_and(|s| s.fault == Fault::ClosedPartial);
        self.is_cut() && !body && !partial && self.bytes.unwrap_or(0) == 0
    }

    /// The upstream refused the connection.
    pub(crate) fn is_refused(&self) -> bool {
        self.signal()
            .is_some_and(|s| s.fault == Fault::Refused || s.fault == Fault::NoLiveUpstream)
    }
}

/// Duration of the upstream side as the outcome gives it: without the wait in the hop's own queue.
fn own_time(record: &Record) -> Option<u64> {
    if let Some(response) = record.response_us.get() {
        return Some(response);
    }
    let waited = record.queue_us.get().filter(|_| record.retries == 0).unwrap_or(0);
    record.duration_us.map(|d| d.saturating_sub(waited))
}

/// From the start of a request whose end is not logged to the line of its failure, less what the stamps leave open.
fn at_least(link: &Link) -> Option<u64> {
    let outcome = link.outcome.as_ref().filter(|r| r.end_us.is_none())?;
    let start = outcome.start_us? + i64::from(outcome.resolution_us);
    let failed = link.details.iter().filter(|r| r.signal.is_some());
    let last = failed.filter_map(|r| r.end_us.or(r.start_us)).max()?;
    u64::try_from(last - start).ok()
}

/// Elapsed time that a failed step carries (Edge Microgateway `[targetRequest error]`).
fn elapsed(link: &Link) -> Option<u64> {
    link.details
        .iter()
        .rev()
        .filter(|r| r.signal.is_some())
        .find_map(|r| r.response_us.get().or(r.duration_us))
}

/// Everything at `link` that names a fault of an exchange, by time.
pub(crate) fn facts(link: &Link) -> Vec<Fact<'_>> {
    let mut facts: Vec<Fact<'_>> = link
        .details
        .iter()
        .filter(|r| r.kind != Kind::Event)
        .filter_map(|record| {
            let signal = record.signal.filter(|s| is_specific(s) || answers(record))?;
            Some(Fact {
                signal,
                record,
                derived: false,
            })
        })
        .filter(|fact| !contradicts(link, fact))
        .collect();
    facts.sort_by_key(|f| (f.record.end_us.or(f.record.start_us), f.record.place));
    facts
}

/// A failure whose line itself gives the status that was sent (HTTP.sys).
fn answers(record: &Record) -> bool {
    record.kind == Kind::Failure && record.status.is_some_and(|s| s >= 500)
}

/// nginx answers 504 to its own timers and to nothing else, and passes on as 009 what was no HTTP. An error line of
/// which the status says otherwise is that of another request, whose line looks the same.
fn contradicts(link: &Link, fact: &Fact<'_>) -> bool {
    let Some(outcome) = link
        .outcome
        .as_ref()
        .filter(|r| r.product == Product::Nginx && r.attempts.len() == 1)
    else {
        return false;
    };
    let timed_out = fact.signal.fault == Fault::TimedOut;
    let early = matches!(
        fact.signal.phase,
        Phase::Connect | Phase::Tls | Phase::ConnectOrTls | Phase::Header
    );
    early
        && match outcome.status {
            Some(504) => !timed_out,
            Some(502) => timed_out,
            _ => false,
        }
}

/// Faults that belong to an exchange, as against the state of a server or nothing in particular.
pub(crate) fn is_specific(signal: &Signal) -> bool {
    use Fault::{Other, Recycled, ServerDown, ServerUp, Started, Stopping, UpstreamStatus, WorkersExhausted};
    !matches!(
        signal.fault,
        Other | Recycled | ServerDown | ServerUp | Started | Stopping | UpstreamStatus | WorkersExhausted
    ) || signal.phase == Phase::Tls
}

/// The fact that decided the whole request at `link`.
///
/// The outcome's own signal goes first: Edge Microgateway writes ECONNRESET for its own timeout,
/// and only the line of the outcome tells the two apart. "No live upstream" goes last, because
/// the failure before it in the same request is the reason for it.
pub(crate) fn decisive<'a>(link: &'a Link, facts: &[Fact<'a>]) -> Option<Fact<'a>> {
    let own = link.outcome.as_ref().and_then(|record| {
        let phase = |s: &Signal| matches!(s.phase, Phase::Connect | Phase::ConnectOrTls);
        let signal = record.signal.filter(|s| is_specific(s) || phase(s))?;
        Some(Fact {
            signal,
            record,
            derived: false,
        })
    });
    let vague = own.is_some_and(|f| {
        matches!(
            f.signal.fault,
            Fault::InvalidResponse | Fault::ResetOrClosed | Fault::Other
        ) || f.signal.phase == Phase::Unknown && f.signal.fault != Fault::TimedOut
    });
    let said = facts
        .iter()
        .rev()
        .find(|f| f.signal.fault != Fault::NoLiveUpstream)
        .or(facts.last())
        .copied();
    match own {
        Some(own) if !vague => Some(own),
        own => said.map(|last| finest(reason_for(last, facts), facts)).or(own),
    }
}

/// Of two lines that say the same of one moment, the one with the finer stamp: Varnish tells of a failed fetch in its
/// access log, by whole seconds, and in its shared log to the microsecond.
fn finest<'a>(chosen: Fact<'a>, facts: &[Fact<'a>]) -> Fact<'a> {
    let Some((from, to)) = chosen.record.interval() else {
        return chosen;
    };
    let to = to + i64::from(chosen.record.resolution_us);
    let same = |other: &&Fact<'_>| {
        let at = other.record.end_us.or(other.record.start_us);
        let is_within = at.is_some_and(|at| (from..=to).contains(&at));
        is_within && (other.signal.phase, other.signal.fault) == (chosen.signal.phase, chosen.signal.fault)
    };
    let finer = facts.iter().rev().filter(same);
    finer
        .min_by_key(|fact| fact.record.resolution_us)
        .filter(|fact| fact.record.resolution_us < chosen.record.resolution_us)
        .copied()
        .unwrap_or(chosen)
}

/// Apache says why it could not read the header, then that the header was bad: the former counts.
fn reason_for<'a>(last: Fact<'a>, facts: &[Fact<'a>]) -> Fact<'a> {
    if !matches!(last.signal.fault, Fault::MalformedHeader | Fault::InvalidResponse) {
        return last;
    }
    let exact = |f: &&Fact<'_>| {
        matches!(
            f.signal.fault,
            Fault::ClosedPartial | Fault::HeaderTooBig | Fault::BadFraming | Fault::TimedOut | Fault::Reset
        ) && f.record.attempts.last().map(|a| &a.addr) == last.record.attempts.last().map(|a| &a.addr)
    };
    facts.iter().rev().find(exact).copied().unwrap_or(last)
}

/// Which attempts failed; `[0]` for a failed link that lists none.
fn failed_attempts(link: &Link, facts: &[Fact<'_>]) -> Vec<usize> {
    let Some(outcome) = &link.outcome else {
        return if facts.is_empty() { Vec::new() } else { vec![0] };
    };
    let bad_end = outcome
        .status
        .is_none_or(|s| s >= 500 || matches!(s, 499 | 460 | 408) || s < 100);
    let own = outcome.signal.is_some_and(|s| is_specific(&s));
    let in_body = facts
        .iter()
        .any(|f| matches!(f.signal.phase, Phase::Body | Phase::Client));
    if outcome.attempts.len() < 2 {
        let lone = outcome.attempts.is_empty() && !facts.is_empty();
        return if bad_end || own || in_body || lone {
            vec![0]
        } else {
            Vec::new()
        };
    }
    let most = outcome.attempts.len() - 1;
    let mut failed: Vec<usize> = (0..most)
        .filter(|&n| outcome.attempts[n].status.is_none_or(|s| s >= 500))
        .collect();
    if bad_end || own || in_body {
        failed.push(most);
    }
    failed
}

/// The fact that belongs to one of several attempts. Each failed attempt leaves one line, in order.
fn fact_of_attempt<'a>(
    link: &'a Link,
    facts: &[Fact<'a>],
    x: &Exchange<'a>,
    from_end: usize,
    failed: usize,
) -> Option<Fact<'a>> {
    if failed == 1 && x.last {
        return decisive(link, facts);
    }
    let late = |f: &&Fact<'_>| matches!(f.signal.phase, Phase::Body | Phase::Client);
    if x.last {
        let own = link.outcome.as_ref().and_then(|r| r.signal.filter(is_specific));
        if own.is_some() || facts.iter().any(|f| late(&f)) {
            return decisive(link, facts);
        }
    }
    let early: Vec<&Fact<'a>> = facts.iter().filter(|f| !late(f)).collect();
    let named: Vec<&Fact<'a>> = early
        .iter()
        .filter(|f| f.record.attempts.last().is_some_and(|a| *a.addr == *x.upstream))
        .copied()
        .collect();
    let in_order = || early.len().checked_sub(from_end + 1).map(|n| *early[n]);
    match named.as_slice() {
        [one] => Some(**one),
        _ if early.len() == failed => in_order(),
        [.., last] if x.last => Some(**last),
        _ => None,
    }
}
