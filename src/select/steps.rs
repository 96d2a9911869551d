//! Where the stamps of a log jump from one line to the next, as they do when the clocks of its zone are put back or
//! forward. Only stamps that do not say their zone can.

use std::collections::BTreeMap;

/// Two lines, one after the other, whose stamps are far apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// Byte offset of the second line.
    pub offset: u64,
    /// Stamp of the first line, as logged.
    pub from_us: i64,
    /// Stamp of the second.
    pub to_us: i64,
}

/// Zones change by half an hour at least, less what passed between the two lines.
const LEAST_US: i64 = 25 * 60_000_000;

/// More jumps than this are not those of a zone.
const MOST: usize = 4_096;

/// The jumps within one part of an input.
#[derive(Debug, Clone, Default)]
pub(super) struct Jumps {
    /// Offset and stamp of the first line.
    first: Option<(u64, i64)>,
    /// Stamp of the last line.
    last_us: i64,
    found: Vec<Step>,
}

impl Jumps {
    /// Takes in the stamp of the next line.
    #[inline]
    pub(super) fn note(&mut self, us: i64, offset: u64) {
        if self.first.is_none() {
            self.first = Some((offset, us));
        } else if (us - self.last_us).abs() >= LEAST_US && self.found.len() <= MOST {
            self.found.push(Step {
                offset,
                from_us: self.last_us,
                to_us: us,
            });
        }
        self.last_us = us;
    }
}

/// The stamps of the first and the last line.
pub(super) fn ends(parts: &BTreeMap<u64, Jumps>) -> Option<(i64, i64)> {
    let known = || {
        parts
            .values()
            .filter_map(|jumps| Some((jumps.first?.1, jumps.last_us)))
    };
    Some((known().next()?.0, known().next_back()?.1))
}

/// The jumps of a whole input, those between its parts included, in order; none if there are too many to mean something.
pub(super) fn whole(parts: &BTreeMap<u64, Jumps>) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    let mut before: Option<i64> = None;
    for jumps in parts.values() {
        let Some((offset, us)) = jumps.first else { continue };
        let between = before.filter(|last| (us - last).abs() >= LEAST_US);
        all.extend(between.map(|from_us| Step {
            offset,
            from_us,
            to_us: us,
        }));
        all.extend(&jumps.found);
        before = Some(jumps.last_us);
    }
    if all.len() > MOST { Vec::new() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    #[test]
    fn the_jumps_are_the_same_however_the_log_is_cut() {
        let stamps: Vec<i64> = [0, 10, 12, 90, 91, 31, 32, 33, 100].map(|m| m * MINUTE).into();
        let cut_at = |sizes: &[usize]| {
            let mut parts = BTreeMap::new();
            let mut from = 0;
            for size in sizes {
                let mut jumps = Jumps::default();
                for (n, &stamp) in stamps.iter().enumerate().skip(from).take(*size) {
                    jumps.note(stamp, n as u64 * 100);
                }
                parts.insert(from as u64 * 100, jumps);
                from += size;
            }
            whole(&parts)
        };
        let all = cut_at(&[9]);
        assert_eq!(
            all.iter().map(|step| step.offset).collect::<Vec<_>>(),
            [300, 500, 800]
        );
        assert_eq!((all[1].from_us, all[1].to_us), (91 * MINUTE, 31 * MINUTE));
        for sizes in [&[3, 6][..], &[5, 4], &[1, 2, 3, 3], &[8, 0, 1]] {
            assert_eq!(cut_at(sizes), all, "{sizes:?}");
        }
    }

    #[test]
    fn a_log_that_jumps_all_the_time_tells_nothing() {
        let mut jumps = Jumps::default();
        (0..10_000).for_each(|n| jumps.note(n % 2 * 60 * MINUTE, n as u64));
        assert_eq!(whole(&BTreeMap::from([(0, jumps)])), []);
    }
}
