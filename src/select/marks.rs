//! Marks of the ids that the lines of an input carry, a few bytes a line, so that what has a wanted id is found without
//! reading the input again.
//!
//! While the hop whose logs are read first is read, it is not known yet which ids will be wanted. Its marks are kept as
//! long as there is room for those of all its lines; where there is not, all are given up and the input is read once more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashSet;

use super::packed::Keys;
use super::scan::LineRef;
use super::sieve::Bits;
use super::spots::Spot;

/// How much room there is for marks, for all threads together.
#[derive(Debug)]
pub struct Room {
    most: u64,
    taken: AtomicU64,
}

impl Room {
    /// Room is taken for so many lines at a time.
    const STEP: usize = 4_096;

    /// Room for the marks of `most` lines.
    pub fn of(most: u64) -> Self {
        Self {
            most,
            taken: AtomicU64::new(0),
        }
    }

    /// Whether there is room for any marks at all.
    pub fn is_there(&self) -> bool {
        self.most > 0
    }

    fn take(&self, lines: usize) {
        self.taken.fetch_add(lines as u64, Ordering::Relaxed);
    }

    fn is_exceeded(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.most
    }
}

/// The marks of an input's lines.
#[derive(Debug)]
pub struct Marks {
    room: Arc<Room>,
    /// By where the part begins.
    parts: BTreeMap<u64, Part>,
}

impl Marks {
    /// Takes in those of other parts.
    pub(super) fn merge(&mut self, other: Self) {
        self.parts.extend(other.parts);
        if self.room.is_exceeded() {
            self.parts.clear();
        }
    }

    /// The lines of the part that begins at `part` that may carry one of the ids `wanted`, all of those that do among
    /// them; `None` if that is not known.
    pub fn find(&self, part: u64, wanted: &Sought) -> Option<Vec<Spot>> {
        Some(self.parts.get(&part)?.find(wanted))
    }
}

/// The marks that are looked for.
#[derive(Debug)]
pub struct Sought {
    marks: FxHashSet<u32>,
    bits: Bits,
}

impl Sought {
    /// Those of the ids `wanted`.
    pub fn new(wanted: &Keys) -> Self {
        let marks: Vec<u32> = wanted.iter().map(|&key| mark(key)).collect();
        Self {
            bits: Bits::of(&marks),
            marks: marks.into_iter().collect(),
        }
    }

    #[inline]
    fn has(&self, mark: u32) -> bool {
        self.bits.may_have(mark) && self.marks.contains(&mark)
    }
}

/// The mark of an id.
fn mark(key: u64) -> u32 {
    key as u32
}

/// The marks of one part of an input: of its lines that have an id, in order.
#[derive(Debug, Default)]
struct Part {
    /// The mark of each line's first id.
    marks: Vec<u32>,
    /// The lengths of the lines.
    lens: Vec<u16>,
    /// Where the lines stand, by the first of those that follow each other.
    runs: Vec<Run>,
    /// The marks of further ids, each with the place of its line in these lists.
    further: Vec<(u32, u32)>,
}

/// Lines that follow each other.
#[derive(Debug, Clone, Copy)]
struct Run {
    /// The place of the first of them in the lists.
    first: usize,
    /// Its number in the part, counted from 0.
    number: u64,
    /// Where it begins.
    offset: u64,
    /// Bytes between one line and the next.
    between: u8,
}

impl Part {
    fn find(&self, wanted: &Sought) -> Vec<Spot> {
        let first = self
            .marks
            .iter()
            .enumerate()
            .filter(|(_, mark)| wanted.has(**mark));
        let further = self.further.iter().filter(|(_, mark)| wanted.has(*mark));
        let mut lines: Vec<usize> = first.map(|(at, _)| at).collect();
        lines.extend(further.map(|&(at, _)| at as usize));
        lines.sort_unstable();
        lines.dedup();
        let mut from: Option<(&Run, usize, u64)> = None;
        let mut runs = self.runs.iter().peekable();
        let spot = |line: usize| {
            while let Some(run) = runs.next_if(|run| run.first <= line) {
                from = Some((run, run.first, run.offset));
            }
            let (run, at, offset) = from.as_mut()?;
            let between = u64::from(run.between);
            let passed = self.lens.get(*at..line)?.iter();
            *offset += passed.map(|&len| u64::from(len) + between).sum::<u64>();
            *at = line;
            Some(Spot {
                offset: *offset,
                len: u32::from(*self.lens.get(line)?),
                number: run.number + (line - run.first) as u64,
            })
        };
        lines.into_iter().filter_map(spot).collect()
    }
}

/// Marks lines while they are surveyed.
#[derive(Debug)]
pub(super) struct Marker {
    room: Arc<Room>,
    part: Part,
    last: Option<LineRef>,
    /// The lines are not such that marks do.
    gave_up: bool,
}

/// So many runs of few lines show that lines do not follow each other.
const RUNS_MOST: usize = 1_024;

impl Marker {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            room,
            part: Part::default(),
            last: None,
            gave_up: false,
        }
    }

    /// Marks `line`, whose ids have these keys.
    #[inline]
    pub(super) fn note(&mut self, keys: &[u64], line: LineRef) {
        let Some((&key, further)) = keys.split_first() else {
            return;
        };
        if self.gave_up {
            return;
        }
        let Ok(len) = u16::try_from(line.len) else {
            return self.give_up();
        };
        if !self.follows(line) {
            self.begin(line);
        }
        self.last = Some(line);
        let at = self.part.marks.len() as u32;
        self.part.marks.push(mark(key));
        self.part.lens.push(len);
        for &key in further {
            self.part.further.push((at, mark(key)));
        }
        if self.part.marks.len().is_multiple_of(Room::STEP) {
            self.room.take(Room::STEP);
            if self.room.is_exceeded() {
                self.give_up();
            }
        }
    }

    /// Whether `line` goes on with the last run.
    #[inline]
    fn follows(&mut self, line: LineRef) -> bool {
        let (Some(last), Some(run)) = (self.last, self.part.runs.last_mut()) else {
            return false;
        };
        let between = line.offset.wrapping_sub(last.offset + u64::from(last.len));
        if line.index != last.index + 1 || between > u64::from(u8::MAX) {
            return false;
        }
        if run.first + 1 == self.part.marks.len() {
            run.between = between as u8;
        }
        between == u64::from(run.between)
    }

    fn begin(&mut self, line: LineRef) {
        let first = self.part.marks.len();
        self.part.runs.push(Run {
            first,
            number: line.index,
            offset: line.offset,
            between: 0,
        });
        if self.part.runs.len() > RUNS_MOST.max(first / 8) {
            self.give_up();
        }
    }

    fn give_up(&mut self) {
        self.gave_up = true;
        self.part = Part::default();
    }

    /// The marks of the part that begins at `part`.
    pub(super) fn finish(mut self, part: u64) -> Option<Marks> {
        self.room.take(self.part.marks.len() % Room::STEP);
        self.part.marks.shrink_to_fit();
        self.part.lens.shrink_to_fit();
        (!self.gave_up).then(|| Marks {
            room: self.room,
            parts: BTreeMap::from([(part, self.part)]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids;

    /// Lines with `between` bytes between them, every seventh without an id, every fifth with two.
    fn lines(count: u64, between: u64) -> Vec<(LineRef, Vec<u64>)> {
        let mut offset = 40;
        let line = |index: u64| {
            let len = (index * 37 % 300) as u32;
            let line = LineRef { offset, len, index };
            // Now and then something is left out.
            offset += u64::from(len) + between + if index.is_multiple_of(97) { 1_000 } else { 0 };
            let ids = match index {
                index if index.is_multiple_of(7) => 0,
                index if index.is_multiple_of(5) => 2,
                _ => 1,
            };
            (line, (0..ids).map(|id| ids::mix(index * 10 + id + 1)).collect())
        };
        (0..count).map(line).collect()
    }

    fn marks(lines: &[(LineRef, Vec<u64>)]) -> Option<Marks> {
        let mut marker = Marker::new(Arc::new(Room::of(1_000_000)));
        lines.iter().for_each(|(line, keys)| marker.note(keys, *line));
        marker.finish(40)
    }

    #[test]
    fn lines_are_found_by_any_of_their_ids() {
        for between in [1, 2] {
            let lines = lines(2_000, between);
            let marks = marks(&lines).unwrap();
            let is_wanted = |index: u64| index % 11 == 3 || index == 0;
            let wanted = lines.iter().filter(|(line, _)| is_wanted(line.index));
            let wanted: Keys = wanted.filter_map(|(_, keys)| keys.last()).copied().collect();
            let found = marks.find(40, &Sought::new(&wanted)).unwrap();
            let expected: Vec<Spot> = lines
                .iter()
                .filter(|(_, keys)| keys.iter().any(|key| wanted.contains(key)))
                .map(|(line, _)| Spot {
                    offset: line.offset,
                    len: line.len,
                    number: line.index,
                })
                .collect();
            assert!(expected.len() > 100);
            assert_eq!(found, expected);
            assert!(marks.find(40, &Sought::new(&Keys::default())).unwrap().is_empty());
            assert!(marks.find(41, &Sought::new(&wanted)).is_none());
        }
    }

    #[test]
    fn marks_are_given_up_where_they_do_not_do() {
        let mut long = lines(10, 1);
        long[4].0.len = 70_000;
        assert!(marks(&long).is_none(), "a line is too long");
        let scattered: Vec<_> = lines(50_000, 1)
            .into_iter()
            .filter(|(line, _)| line.index % 3 == 1)
            .collect();
        assert!(marks(&scattered).is_none(), "no line follows another");
        let room = Arc::new(Room::of(7));
        let mut marker = Marker::new(Arc::clone(&room));
        let lines = lines(10, 1);
        lines.iter().for_each(|(line, keys)| marker.note(keys, *line));
        let late = marker.finish(0).unwrap();
        let mut early = marks(&lines).unwrap();
        early.room = room;
        early.merge(late);
        assert!(
            early.parts.is_empty(),
            "what was marked before has to be given up"
        );
    }
}
