//! Counts over everything that was read. All of them merge associatively and commutatively, so that
//! blocks can be read in any order, on any number of threads or machines.

use std::collections::BTreeMap;

use why502_parsers::LineError;
use why502_parsers::unread::{self, Around, Why};

use super::{HopId, Seconds, SourceId};

/// Counts per input and per hop.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Coverage of each input.
    pub inputs: BTreeMap<SourceId, Coverage>,
    /// Load of each hop, second by second (corrected clock, request ends).
    pub load: BTreeMap<HopId, Seconds>,
    /// Requests answered with 499 or more, per hop, by status and second of their end.
    pub failures: BTreeMap<HopId, BTreeMap<(u16, i64), u64>>,
    /// When each process of a hop served requests, where its logs say which one did (corrected clock, request ends).
    pub lives: BTreeMap<HopId, Lives>,
}

/// When each process of one input, or of one hop, was first and last heard of.
#[derive(Debug, Clone, Default)]
pub struct Lives {
    spans: BTreeMap<u32, (i64, i64)>,
    /// There were more processes than are worth following: one each request, or the field means something else.
    too_many: bool,
}

impl Lives {
    /// Processes that are followed in one input.
    const MOST: usize = 4_096;

    /// Process `pid` served requests that ended from `first` to `last`.
    pub fn widen(&mut self, pid: u32, (first, last): (i64, i64)) {
        if self.too_many {
            return;
        }
        let span = self.spans.entry(pid).or_insert((first, last));
        *span = (span.0.min(first), span.1.max(last));
        if self.spans.len() > Self::MOST {
            self.too_many = true;
            self.spans.clear();
        }
    }

    /// Adds what another part of the input says.
    pub fn merge(&mut self, other: Self) {
        if other.too_many {
            self.too_many = true;
            self.spans.clear();
        }
        for (pid, span) in other.spans {
            self.widen(pid, span);
        }
    }

    /// Each process with its first and last instant.
    pub fn spans(&self) -> impl Iterator<Item = (u32, (i64, i64))> {
        self.spans.iter().map(|(&pid, &span)| (pid, span))
    }
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

impl Second {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.failed += other.failed;
        self.busy_us += other.busy_us;
    }
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

    /// Whether the processes of `hop` lived on across `at_us`: every one that had served shortly before served again
    /// later than `slack_us` after. `Some(false)` if one of them was not heard of again, `None` if none is known.
    pub fn lived_on(&self, hop: HopId, at_us: i64, slack_us: i64) -> Option<bool> {
        const SHORTLY_US: i64 = 60_000_000;
        let spans = self.lives.get(&hop)?.spans().map(|(_, span)| span);
        let recent = |&(first, last): &(i64, i64)| first < at_us && last >= at_us - SHORTLY_US;
        let mut lived_on = None;
        for (_, last) in spans.filter(recent) {
            lived_on = Some(lived_on.unwrap_or(true) && last > at_us + slack_us);
        }
        lived_on
    }

    /// Whether `hop` answered requests, and not only with failures, in a whole second between the two instants.
    pub fn served_between(&self, hop: HopId, from_us: i64, to_us: i64) -> bool {
        let (from, to) = (from_us.div_euclid(1_000_000) + 1, to_us.div_euclid(1_000_000));
        let Some(load) = self.load.get(&hop).filter(|_| from < to) else {
            return false;
        };
        load.range(from..to)
            .any(|(_, second)| second.requests > second.failed)
    }

    /// Requests that ended at `hop` in the second of `at_us`.
    pub fn requests_at(&self, hop: HopId, at_us: i64) -> u32 {
        let second = at_us.div_euclid(1_000_000);
        self.load
            .get(&hop)
            .and_then(|load| load.get(second))
            .map_or(0, |s| s.requests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000;

    #[test]
    fn a_hop_lived_on_if_all_who_served_before_served_after() {
        let hop = HopId(1);
        let of = |spans: Vec<(i64, i64)>| {
            let mut lives = Lives::default();
            (0..).zip(spans).for_each(|(pid, span)| lives.widen(pid, span));
            Stats {
                lives: BTreeMap::from([(hop, lives)]),
                ..Stats::default()
            }
        };
        assert_eq!(of(vec![(0, 90 * S)]).lived_on(hop, 50 * S, S), Some(true));
        assert_eq!(
            of(vec![(0, 90 * S), (10 * S, 50 * S)]).lived_on(hop, 50 * S, S),
            Some(false)
        );
        // Long gone, or not yet born.
        assert_eq!(
            of(vec![(0, 10 * S), (120 * S, 300 * S)]).lived_on(hop, 100 * S, S),
            None
        );
        assert_eq!(Stats::default().lived_on(hop, 50 * S, S), None);
    }

    #[test]
    fn the_lives_of_processes_merge_in_any_order() {
        let (mut a, mut b) = (Lives::default(), Lives::default());
        a.widen(7, (5, 5));
        b.widen(7, (2, 2));
        b.widen(8, (9, 9));
        let mut other = b.clone();
        other.merge(a.clone());
        a.merge(b);
        assert!(a.spans().eq(other.spans()) && a.spans().eq([(7, (2, 5)), (8, (9, 9))]));
    }

    #[test]
    fn with_more_processes_than_can_be_followed_none_is() {
        let mut lives = Lives::default();
        (0..=Lives::MOST as u32).for_each(|pid| lives.widen(pid, (1, 1)));
        assert_eq!(lives.spans().count(), 0);
        let mut whole = Lives::default();
        whole.widen(1, (1, 1));
        whole.merge(lives);
        assert_eq!(whole.spans().count(), 0);
    }

    #[test]
    fn only_a_whole_second_with_answers_lies_between() {
        let hop = HopId(1);
        let mut stats = Stats::default();
        let second = |requests, failed| Second {
            requests,
            failed,
            ..Second::default()
        };
        stats
            .load
            .insert(hop, Seconds::from_iter([(3, second(2, 0)), (5, second(1, 1))]));
        assert!(stats.served_between(hop, 2 * S, 4 * S));
        assert!(!stats.served_between(hop, 3 * S + 1, 4 * S));
        assert!(
            !stats.served_between(hop, 4 * S, 9 * S),
            "it answered with failures only"
        );
    }
}
