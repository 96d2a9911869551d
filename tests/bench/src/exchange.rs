//! What became of one request, hop by hop.

use crate::rng::Rng;

/// How long the gateway waits for a response header (`proxy_read_timeout` of the configuration written).
pub const READ_LIMIT_US: u64 = 30_000_000;
/// How long the application server keeps an idle connection: the default of IIS (`connectionTimeout`).
pub const IDLE_LIMIT_US: u64 = 120_000_000;
/// Added to the application server's clock.
pub const APP_CLOCK_US: i64 = 2_300_000;

/// A request as the client sent it.
#[derive(Debug, Clone)]
pub struct Request {
    /// When the edge had read it, in microseconds since the Unix epoch.
    pub start_us: i64,
    /// The id that the edge gave it: a UUID.
    pub id: [u8; 36],
    /// Index of the client's address.
    pub client: usize,
    /// The client's port.
    pub port: u16,
    /// Method.
    pub method: &'static str,
    /// Where its path comes from.
    pub target: Target,
    /// Index of the user agent.
    pub agent: usize,
    /// Index of the referer.
    pub referer: usize,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A page of the shop, by index.
    Page(u16),
    /// A sale at the till with this number.
    Till(u16),
}

/// What happened to it. Durations are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// How it went between gateway and application.
    pub outcome: Outcome,
    /// From the gateway's choice of a server to the end of the response, the last attempt only.
    pub response_us: u64,
    /// Connecting; zero on a connection that was kept. `None` if it never came about.
    pub connect_us: Option<u64>,
    /// Bytes of the response's body.
    pub bytes: u64,
    /// The application server's record, if it has one.
    pub app: Option<App>,
    /// Attempts before the last that were refused.
    pub refused_before: bool,
}

/// How the last attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The application answered with this status.
    Answered(u16),
    /// The client went away first.
    ClientGone,
    /// No response header within the limit.
    TimedOut,
    /// Nothing listened.
    Refused,
    /// The connection was closed before any byte.
    Closed,
    /// The same, by reset.
    Reset,
}

impl Outcome {
    /// Status that the gateway gave, or would have given, the edge.
    pub fn gateway_status(self) -> u16 {
        match self {
            Self::Answered(status) => status,
            Self::ClientGone => 499,
            Self::TimedOut => 504,
            Self::Refused | Self::Closed | Self::Reset => 502,
        }
    }

    /// Whether the gateway had a response header.
    pub fn answered(self) -> bool {
        matches!(self, Self::Answered(_))
    }
}

/// What the application server noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct App {
    /// When it began to work on the request, after the gateway sent it, in microseconds.
    pub wait_us: u64,
    /// How long it says it worked.
    pub taken_us: u64,
    /// Status it gave.
    pub status: u16,
    /// Windows status: 64 when nobody was there any more to take the answer.
    pub win32: u32,
}

impl Exchange {
    /// Everything worked.
    pub fn ordinary(work_us: f64, rng: &mut Rng) -> Self {
        let taken_us = 2_000 + (rng.exponential(work_us) as u64).min(2_500_000);
        let status = match rng.below(1000) {
            0..880 => 200,
            880..920 => 304,
            920..950 => 302,
            950..985 => 404,
            985..998 => 401,
            998 => 500,
            _ => 503,
        };
        let bytes = match rng.below(250) {
            0 => 502, // To be mistaken for a status.
            _ if status == 304 => 0,
            n => 180 + n * n * 7 % 48_000,
        };
        let connect_us = if rng.chance(0.02) {
            rng.between(300, 1_900)
        } else {
            0
        };
        Self {
            outcome: Outcome::Answered(status),
            response_us: taken_us + connect_us + rng.between(100, 900),
            connect_us: Some(connect_us),
            bytes,
            app: Some(App {
                wait_us: connect_us,
                taken_us,
                status,
                win32: 0,
            }),
            refused_before: false,
        }
    }

    /// The gateway's time ran out. The application's record says why: it worked longer than that, or it
    /// began too late.
    pub fn timed_out(wait_us: u64, taken_us: u64, connect_us: u64, rng: &mut Rng) -> Self {
        Self {
            outcome: Outcome::TimedOut,
            response_us: READ_LIMIT_US + rng.between(200, 4_000),
            connect_us: Some(connect_us),
            bytes: 160,
            app: Some(App {
                wait_us,
                taken_us,
                status: 200,
                win32: 64,
            }),
            refused_before: false,
        }
    }

    /// The gateway found no application to answer it.
    pub fn cut(outcome: Outcome, after_us: u64, connect_us: Option<u64>) -> Self {
        Self {
            outcome,
            response_us: after_us,
            connect_us,
            bytes: 150,
            app: None,
            refused_before: false,
        }
    }

    /// When the gateway was done, after it chose a server.
    pub fn gateway_us(&self) -> u64 {
        self.response_us + u64::from(self.refused_before) * 300
    }
}
