//! What goes wrong, and when.

use std::collections::BTreeMap;

use crate::cast::{FIRST_TILL_PORT, SERVICES};
use crate::exchange::{App, Exchange, IDLE_LIMIT_US, Outcome};
use crate::rng::Rng;
use crate::truth::Cause;

/// Share of each cause among the failures, and whether it comes in bursts.
const SHARES: [(Cause, f64, bool); 7] = [
    (Cause::Slow, 0.25, false),
    (Cause::Queued, 0.20, true),
    (Cause::Refused, 0.15, true),
    (Cause::Race, 0.15, false),
    (Cause::Closed, 0.08, false),
    (Cause::Reset, 0.07, false),
    (Cause::Passed, 0.10, false),
];

/// Requests whose first attempt is refused and whose second one is answered, for each request that fails.
const HIDDEN: f64 = 0.3;
/// Share of requests whose client goes away.
const ABORTED: f64 = 0.0005;
/// How much of the traffic goes to the service that is in trouble: its clients try again.
const PULL: f64 = 0.6;
/// How long a burst may last, in microseconds.
const BURST_US: i64 = 60_000_000;
/// A till is left alone so long after its connection was closed.
const REST_US: i64 = IDLE_LIMIT_US as i64 + 3_000_000;

/// What is to happen to an arriving request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Nothing special.
    Ordinary,
    /// It fails.
    Fails(Cause),
    /// The first of two servers refuses it, the second answers.
    Hidden,
    /// The client does not wait.
    Aborted,
    /// The first of some sales at this till; with a race at the end of them or without.
    Till(u16, bool),
}

/// Trouble that strikes all requests to one service for a while.
#[derive(Debug)]
struct Burst {
    cause: Cause,
    service: usize,
    left: u64,
    until_us: i64,
}

/// Decides about each request in order of arrival.
#[derive(Debug)]
pub struct Scenario {
    fail_rate: f64,
    burst_mean: u64,
    burst: Option<Burst>,
    /// Size of the burst to come.
    next_burst: u64,
    /// Failures due, by cause, that wait for a burst.
    saved: BTreeMap<Cause, u64>,
    /// When each till may be used again.
    tills: Vec<i64>,
    next_till: usize,
}

impl Scenario {
    /// `fail_rate` is the share of requests to fail, `rate` the requests per second, `span_s` the seconds covered.
    pub fn new(fail_rate: f64, rate: f64, span_s: f64) -> Self {
        let races_per_s = rate * fail_rate * 0.15;
        // Four sequences for each race, as long as one can be with its rest, and room for chance.
        let sequence_s = 2.0 * (IDLE_LIMIT_US as f64 / 1e6) + 30.0;
        let tills = (races_per_s * 4.0 * sequence_s * 1.5).ceil().clamp(4.0, 4000.0) as usize;
        // A few seconds of one service's trouble, and enough bursts for their number to matter.
        let burst_mean = (rate * 3.0)
            .min(rate * span_s * fail_rate / 60.0)
            .clamp(1.0, 400.0) as u64;
        Self {
            fail_rate,
            burst_mean,
            burst: None,
            next_burst: burst_mean,
            saved: BTreeMap::new(),
            tills: vec![i64::MIN; tills],
            next_till: 0,
        }
    }

    /// How many tills there are.
    pub fn tills(&self) -> usize {
        self.tills.len()
    }

    /// The service (`None`: any) and the fate of the request that arrives at `now_us`.
    pub fn decide(&mut self, now_us: i64, rng: &mut Rng) -> (Option<usize>, Fate) {
        if let Some(struck) = self.struck(now_us, rng) {
            return struck;
        }
        let mut draw = rng.unit();
        if draw >= self.fail_rate {
            return (None, self.uneventful(now_us, rng));
        }
        draw /= self.fail_rate;
        for (cause, share, bursts) in SHARES {
            if draw >= share {
                draw -= share;
                continue;
            }
            return match (cause, bursts) {
                (Cause::Race, _) => self.race(now_us, rng),
                (_, true) => self.begin_burst(cause, now_us, rng),
                (_, false) => (Some(single(rng)), Fate::Fails(cause)),
            };
        }
        (None, Fate::Ordinary)
    }

    /// A request that does not fail by itself.
    fn uneventful(&mut self, now_us: i64, rng: &mut Rng) -> Fate {
        let draw = rng.unit();
        let hidden = self.fail_rate * HIDDEN;
        let sales = self.fail_rate * 0.15 * 3.0;
        if draw < ABORTED {
            return Fate::Aborted;
        }
        if draw < ABORTED + hidden {
            return Fate::Hidden;
        }
        if draw < ABORTED + hidden + sales {
            return self
                .free_till(now_us)
                .map_or(Fate::Ordinary, |till| Fate::Till(till, false));
        }
        Fate::Ordinary
    }

    fn struck(&mut self, now_us: i64, rng: &mut Rng) -> Option<(Option<usize>, Fate)> {
        let burst = self.burst.as_mut()?;
        if burst.left == 0 || now_us >= burst.until_us {
            *self.saved.entry(burst.cause).or_insert(0) += burst.left;
            self.burst = None;
            return None;
        }
        if !rng.chance(PULL) {
            // Some other service's request, so that the one in trouble has no success meanwhile.
            return Some((Some((burst.service + 1) % SERVICES.len()), Fate::Ordinary));
        }
        burst.left -= 1;
        Some((Some(burst.service), Fate::Fails(burst.cause)))
    }

    /// Failures that come in bursts are saved up until there are enough for one.
    fn begin_burst(&mut self, cause: Cause, now_us: i64, rng: &mut Rng) -> (Option<usize>, Fate) {
        let saved = self.saved.entry(cause).or_insert(0);
        *saved += 1;
        if *saved < self.next_burst || self.burst.is_some() {
            return (None, Fate::Ordinary);
        }
        let service = single(rng);
        let left = *saved - 1;
        *saved = 0;
        self.next_burst = rng.between(1, 2 * self.burst_mean);
        self.burst = Some(Burst {
            cause,
            service,
            left,
            until_us: now_us + BURST_US,
        });
        (Some(service), Fate::Fails(cause))
    }

    fn race(&mut self, now_us: i64, rng: &mut Rng) -> (Option<usize>, Fate) {
        match self.free_till(now_us) {
            Some(till) => (None, Fate::Till(till, true)),
            None => (Some(single(rng)), Fate::Fails(Cause::Closed)),
        }
    }

    /// A till whose last connection has been closed, taken until it is given back.
    fn free_till(&mut self, now_us: i64) -> Option<u16> {
        self.next_till = (self.next_till + 1) % self.tills.len();
        let free_from = self.tills.get_mut(self.next_till)?;
        if now_us < *free_from {
            return None;
        }
        *free_from = i64::MAX;
        Some(self.next_till as u16)
    }

    /// Gives a till back whose last sale ended at `end_us`.
    pub fn give_back(&mut self, till: u16, end_us: i64) {
        if let Some(free_from) = self.tills.get_mut(usize::from(till)) {
            *free_from = end_us + REST_US;
        }
    }
}

/// A service with one server.
fn single(rng: &mut Rng) -> usize {
    rng.between(1, SERVICES.len() as u64) as usize
}

/// Port of a till's upstream.
pub fn till_port(till: u16) -> u16 {
    FIRST_TILL_PORT + till
}

/// What happens on the wire when a request fails for `cause`.
pub fn failure(cause: Cause, rng: &mut Rng) -> Exchange {
    let connect_us = if rng.chance(0.5) {
        0
    } else {
        rng.between(300, 1_900)
    };
    match cause {
        Cause::Slow => Exchange::timed_out(connect_us, rng.between(30_500_000, 58_000_000), connect_us, rng),
        Cause::Queued => Exchange::timed_out(
            rng.between(31_000_000, 45_000_000),
            rng.between(50_000, 400_000),
            connect_us,
            rng,
        ),
        Cause::Refused => Exchange::cut(Outcome::Refused, rng.between(100, 900), None),
        Cause::Race => {
            let outcome = if rng.chance(0.5) {
                Outcome::Closed
            } else {
                Outcome::Reset
            };
            Exchange::cut(outcome, rng.between(100, 1_900), Some(0))
        }
        Cause::Closed => Exchange::cut(Outcome::Closed, rng.between(100_000, 900_000), Some(connect_us)),
        Cause::Reset => Exchange::cut(Outcome::Reset, rng.between(100_000, 900_000), Some(connect_us)),
        Cause::Passed => {
            let taken_us = rng.between(5_000, 400_000);
            let app = App {
                wait_us: connect_us,
                taken_us,
                status: 502,
                win32: 0,
            };
            Exchange {
                outcome: Outcome::Answered(502),
                app: Some(app),
                bytes: 1_245,
                ..Exchange::cut(Outcome::Refused, taken_us + connect_us + 400, Some(connect_us))
            }
        }
    }
}

/// Time between the end of one sale at a till and the start of the next, in microseconds: well below
/// the idle limit, or, for a race, within the moment in which the close is on its way.
pub fn till_gap_us(race: bool, rng: &mut Rng) -> i64 {
    if race {
        IDLE_LIMIT_US as i64 + rng.between(0, 2_500) as i64 - 1_500
    } else {
        rng.between(2_000_000, 8_000_000) as i64
    }
}
