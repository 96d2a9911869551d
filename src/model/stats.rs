//! Counts over everything that was read. All of them merge associatively and commutatively, so that
//! blocks can be read in any order, on any number of threads or machines.

use std::collections::BTreeMap;

use why502_parsers::LineError;
use why502_parsers::unread::{self, Around, Why};

use super::{HopId, SourceId};

/// Counts per input and per hop.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Coverage of each input.
    pub inputs: BTreeMap<SourceId, Coverage>,
    /// Load of each hop, second by second (corrected clock, request ends).
    pub load: BTreeMap<HopId, BTreeMap<i64, Second>>,
    /// Requests answered with 499 or more, per hop, by status and second of their end.
    pub failures: BTreeMap<HopId, BTreeMap<(u16, i64), u64>>,
}

/// What was read of one input.
#[derive(Debug, Clone, Default)]
pub struct Coverage {
    /// Bytes read, decompressed.
    pub bytes: u64,
    /// Lines, of whatever kind.
    pub lines: u64,
    /// Lines that became entries.
    pub entries: u64,
    /// Comments, directives, blank lines.
    pub directives: u64,
    /// Lines that belong to the record above.
    pub continuations: u64,
    /// Lines that no parser could read.
    pub unparsed: u64,
    /// How many of them for which reason, in the order of [`Why::ALL`].
    pub unparsed_why: [u64; Why::ALL.len()],
    /// The first few of them.
    pub unparsed_at: Vec<Unparsed>,
    /// Earliest stamp, corrected clock.
    pub first_us: Option<i64>,
    /// Latest stamp, corrected clock.
    pub last_us: Option<i64>,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unparsed {
    /// Byte offset of the line.
    pub offset: u64,
    /// Line number, from 1.
    pub line: u64,
    /// What was wrong.
    pub reason: String,
    /// Which kind of line it is.
    pub why: Why,
    /// The format that reads it, if another one does.
    pub read_by: Option<&'static str>,
}

/// One second of one hop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that ended in it.
    pub requests: u32,
    /// Of those, the ones answered with 500 or more.
    pub failed: u32,
    /// Sum of the time its requests were in service, in microseconds, counted in the second of their end.
    pub busy_us: u64,
}

impl Coverage {
    /// How many unparsed lines are kept with their position.
    pub const UNPARSED_SHOWN: usize = 5;

    /// Counts a line that could not be read and, if it is one of the first, keeps its `place`: byte offset and number.
    pub fn unread(&mut self, line: &[u8], around: &Around<'_>, error: LineError, place: (u64, u64)) {
        let why = unread::why(line, around);
        self.unparsed += 1;
        if let Some(count) = self.unparsed_why.get_mut(why as usize) {
            *count += 1;
        }
        if self.unparsed_at.len() < Self::UNPARSED_SHOWN {
            self.unparsed_at.push(Unparsed {
                offset: place.0,
                line: place.1,
                reason: error.to_string(),
                why,
                read_by: unread::read_by(line),
            });
        }
    }

    /// Takes in what another part counted of lines that could not be read.
    pub fn merge_unread(&mut self, other: Self) {
        self.unparsed += other.unparsed;
        for (sum, more) in self.unparsed_why.iter_mut().zip(other.unparsed_why) {
            *sum += more;
        }
        self.unparsed_at.extend(other.unparsed_at);
        self.unparsed_at.sort_unstable();
        self.unparsed_at.truncate(Self::UNPARSED_SHOWN);
    }
}

impl Stats {
    /// Whether `hop` logged a request within `slack_us` of `at_us`, so that silence about one means something.
    pub fn covers(&self, hop: HopId, at_us: i64, slack_us: i64) -> bool {
        let Some(load) = self.load.get(&hop) else {
            return false;
        };
        let (from, to) = (
            (at_us - slack_us).div_euclid(1_000_000),
            (at_us + slack_us).div_euclid(1_000_000),
        );
        load.range(from..=to).any(|(_, second)| second.requests > 0)
    }

    /// Requests that ended at `hop` in the second of `at_us`.
    pub fn requests_at(&self, hop: HopId, at_us: i64) -> u32 {
        let second = at_us.div_euclid(1_000_000);
        self.load
            .get(&hop)
            .and_then(|load| load.get(&second))
            .map_or(0, |s| s.requests)
    }
}
