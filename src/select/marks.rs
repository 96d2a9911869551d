//! Marks of the ids that the lines of an input carry, a few bytes a line, so that what has a wanted id is found without
//! reading the input again.
//!
//! While the hop whose logs are read first is read, it is not known yet which ids will be wanted. Its marks are kept in
//! memory as long as there is room for those of all its lines; where there is not, all are put into a file without a name.
//! If there is no room for that either, all are given up and the input is read once more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashSet;

use super::packed::Keys;
use super::scan::LineRef;
use super::sieve::Bits;
use super::spill::{Extent, Spill};
use super::spots::Spot;

/// How much room there is for marks, for all threads together.
#[derive(Debug)]
pub struct Room {
    most: u64,
    taken: AtomicU64,
    spill: Spill,
}

impl Room {
    /// Room is taken for so many lines at a time.
    const STEP: usize = 4_096;

    /// So many bytes of marks at most are put into a file: those of 40 million lines. Where files without a name are kept
    /// may be in memory, or nearly full.
    const SPILLED_MOST: u64 = 256 << 20;

    /// Room in memory for the marks of `most` lines, or of fewer if these have more than one id or do not follow each
    /// other.
    pub fn of(most: u64) -> Self {
        Self {
            most,
            taken: AtomicU64::new(0),
            spill: Spill::of(Self::SPILLED_MOST),
        }
    }

    /// Whether there is room for any marks at all.
    pub fn is_there(&self) -> bool {
        self.most > 0
    }

    fn take(&self, lines: usize) {
        self.taken.fetch_add(lines as u64, Ordering::Relaxed);
    }

    /// Whether more was marked than memory has room for: then no marks are held there, whichever came first.
    fn is_exceeded(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.most
    }

    /// Whether there was no room for some marks anywhere.
    fn is_lost(&self) -> bool {
        self.is_exceeded() && self.spill.is_full()
    }
}

/// The marks of an input's lines.
#[derive(Debug)]
pub struct Marks {
    room: Arc<Room>,
    /// By where the part begins.
    parts: BTreeMap<u64, Kept>,
}

/// The marks of a part of an input.
#[derive(Debug)]
enum Kept {
    Held(Part),
    Away(Extent),
}

impl Marks {
    /// Takes in those of other parts.
    pub(super) fn merge(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.settle();
    }

    /// Puts them away if there was no room for all, or lets go of them if there is no room for that either.
    pub(super) fn settle(&mut self) {
        if !self.room.is_exceeded() {
            return;
        }
        for kept in self.parts.values_mut() {
            if let Kept::Held(part) = kept {
                let Some(away) = self.room.spill.put(&part.to_bytes()) else {
                    break;
                };
                *kept = Kept::Away(away);
            }
        }
        if self.room.is_lost() {
            self.parts.clear();
        }
    }

    /// The lines of the part that begins at `part` that may carry one of the ids `wanted`, all of those that do among
    /// them, in order; `None` if that is not known. To be asked when all inputs have been read.
    pub fn find(&self, part: u64, wanted: &Sought) -> Option<Vec<Spot>> {
        match self.parts.get(&part).filter(|_| !self.room.is_lost())? {
            Kept::Held(part) => Some(part.find(wanted)),
            Kept::Away(away) => Some(Part::from_bytes(&self.room.spill.get(*away)?)?.find(wanted)),
        }
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
    /// The lengths of the lines, [`LONG`] for those that are as long or longer.
    lens: Vec<u16>,
    /// The lengths of these, each with the place of its line.
    long: Vec<(u32, u32)>,
    /// Where the lines stand, by the first of those that follow each other.
    runs: Vec<Run>,
    /// The marks of further ids, each with the place of its line in these lists.
    further: Vec<(u32, u32)>,
}

/// A length that has to be looked up.
const LONG: u16 = u16::MAX;

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
    /// What [`Part::from_bytes`] makes the same of.
    fn to_bytes(&self) -> Vec<u8> {
        let counts = [
            self.marks.len(),
            self.long.len(),
            self.runs.len(),
            self.further.len(),
        ];
        let mut bytes = Vec::with_capacity(6 * self.marks.len() + 4_096);
        let mut put = |value: &[u8]| bytes.extend_from_slice(value);
        counts
            .iter()
            .for_each(|count| put(&(*count as u64).to_le_bytes()));
        self.marks.iter().for_each(|mark| put(&mark.to_le_bytes()));
        self.lens.iter().for_each(|len| put(&len.to_le_bytes()));
        for (one, other) in self.long.iter().chain(&self.further) {
            put(&one.to_le_bytes());
            put(&other.to_le_bytes());
        }
        for run in &self.runs {
            let numbers = [run.first as u64, run.number, run.offset, u64::from(run.between)];
            numbers.iter().for_each(|number| put(&number.to_le_bytes()));
        }
        bytes
    }

    /// `None` if the bytes are no part's.
    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let mut counts = [0; 4];
        for (count, bytes) in counts.iter_mut().zip(chunks::<8>(rest, 4)?) {
            *count = usize::try_from(u64::from_le_bytes(*bytes)).ok()?;
        }
        let [marks, long, runs, further] = counts;
        let pairs = |bytes: &[[u8; 8]]| {
            let pair = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes);
            let pairs = bytes.iter().map(pair);
            pairs.map(|pair| (pair as u32, (pair >> 32) as u32)).collect()
        };
        let part = Self {
            marks: chunks(rest, marks)?
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes))
                .collect(),
            lens: chunks(rest, marks)?
                .iter()
                .map(|bytes| u16::from_le_bytes(*bytes))
                .collect(),
            long: pairs(chunks(rest, long)?),
            further: pairs(chunks(rest, further)?),
            runs: (0..runs)
                .map(|_| {
                    let mut numbers = chunks(rest, 4)?.iter().map(|bytes| u64::from_le_bytes(*bytes));
                    Some(Run {
                        first: usize::try_from(numbers.next()?).ok()?,
                        number: numbers.next()?,
                        offset: numbers.next()?,
                        between: u8::try_from(numbers.next()?).ok()?,
                    })
                })
                .collect::<Option<_>>()?,
        };
        rest.is_empty().then_some(part)
    }

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
            *offset += (*at..line)
                .map(|at| u64::from(self.len(at)) + between)
                .sum::<u64>();
            *at = line;
            Some(Spot {
                offset: *offset,
                len: self.len(line),
                number: run.number + (line - run.first) as u64,
            })
        };
        lines.into_iter().filter_map(spot).collect()
    }

    /// The length of the line at this place of the lists.
    fn len(&self, at: usize) -> u32 {
        match self.lens.get(at) {
            Some(&LONG) => {
                let found = self.long.binary_search_by_key(&at, |&(place, _)| place as usize);
                found
                    .ok()
                    .and_then(|found| self.long.get(found))
                    .map_or(0, |&(_, len)| len)
            }
            len => len.copied().map_or(0, u32::from),
        }
    }
}

/// The first `count` times `N` bytes of `rest`, which is what is behind them then; `None` if it has fewer.
fn chunks<'b, const N: usize>(rest: &mut &'b [u8], count: usize) -> Option<&'b [[u8; N]]> {
    let (taken, left) = rest.split_at_checked(count.checked_mul(N)?)?;
    *rest = left;
    Some(taken.as_chunks().0)
}

/// Marks lines while they are surveyed.
#[derive(Debug)]
pub(super) struct Marker {
    room: Arc<Room>,
    part: Part,
    last: Option<LineRef>,
    /// The room of so many lines was used, but not taken yet.
    untaken: usize,
    /// There was no room for more.
    gave_up: bool,
}

impl Marker {
    /// A run takes the room of so many lines.
    const OF_RUN: usize = 5;

    pub(super) fn new(room: Arc<Room>) -> Self {
        Self {
            room,
            part: Part::default(),
            last: None,
            untaken: 0,
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
        if !self.follows(line) {
            self.part.runs.push(Run {
                first: self.part.marks.len(),
                number: line.index,
                offset: line.offset,
                between: 0,
            });
            self.untaken += Self::OF_RUN;
        }
        self.last = Some(line);
        let at = self.part.marks.len() as u32;
        let len = u16::try_from(line.len).unwrap_or(LONG);
        if len == LONG {
            self.part.long.push((at, line.len));
        }
        self.part.marks.push(mark(key));
        self.part.lens.push(len);
        for &key in further {
            self.part.further.push((at, mark(key)));
        }
        self.untaken += keys.len();
        if self.untaken >= Room::STEP {
            self.take();
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

    /// Takes the room that was used; gives up if there is none.
    fn take(&mut self) {
        self.room.take(std::mem::take(&mut self.untaken));
        if self.room.is_lost() {
            self.gave_up = true;
            self.part = Part::default();
        }
    }

    /// The marks of the part that begins at `part`.
    pub(super) fn finish(mut self, part: u64) -> Option<Marks> {
        self.take();
        if self.gave_up {
            return None;
        }
        self.part.marks.shrink_to_fit();
        self.part.lens.shrink_to_fit();
        self.part.runs.shrink_to_fit();
        self.part.further.shrink_to_fit();
        let mut marks = Marks {
            room: self.room,
            parts: BTreeMap::from([(part, Kept::Held(self.part))]),
        };
        marks.settle();
        Some(marks)
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
            let len = (index * 37 % 300 + if index % 501 == 4 { 70_000 } else { 0 }) as u32;
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

    fn in_room(room: &Arc<Room>, lines: &[(LineRef, Vec<u64>)], part: u64) -> Option<Marks> {
        let mut marker = Marker::new(Arc::clone(room));
        lines.iter().for_each(|(line, keys)| marker.note(keys, *line));
        marker.finish(part)
    }

    #[test]
    fn marks_that_memory_has_no_room_for_are_put_away_and_found_again() {
        let lines = lines(2_000, 1);
        let room = Arc::new(Room::of(5_000));
        let wanted: Keys = lines
            .iter()
            .step_by(9)
            .flat_map(|(_, keys)| keys)
            .copied()
            .collect();
        let sought = Sought::new(&wanted);
        let mut all = in_room(&room, &lines, 0).unwrap();
        let held = all.find(0, &sought).unwrap();
        assert!(held.len() > 100 && matches!(all.parts[&0], Kept::Held(_)));
        all.merge(in_room(&room, &lines, 7).unwrap());
        assert!(all.parts.values().all(|kept| matches!(kept, Kept::Away(_))));
        assert_eq!(all.find(0, &sought).unwrap(), held);
        assert_eq!(all.find(7, &sought).unwrap(), held);
    }

    #[test]
    fn all_marks_are_given_up_where_there_is_no_room_anywhere() {
        let lines = lines(100, 1);
        let room = Arc::new(Room {
            spill: Spill::of(600),
            ..Room::of(300)
        });
        let sought = Sought::new(&Keys::default());
        let mut early = in_room(&room, &lines, 0).unwrap();
        assert!(early.find(0, &sought).is_some());
        let late = in_room(&room, &lines, 7).unwrap();
        assert!(late.find(7, &sought).is_none() && late.parts.is_empty());
        assert!(
            early.find(0, &sought).is_none(),
            "what was marked before does not count any more"
        );
        early.settle();
        assert!(early.parts.is_empty());
        assert!(in_room(&room, &lines, 9).is_none());
    }

    #[test]
    fn what_is_no_part_is_none() {
        let mut part = Part::default();
        part.further.push((1, 2));
        let bytes = part.to_bytes();
        assert_eq!(Part::from_bytes(&bytes).unwrap().further, [(1, 2)]);
        assert!(Part::from_bytes(&bytes[1..]).is_none());
        assert!(Part::from_bytes(&[&bytes[..], b"x"].concat()).is_none());
        assert!(Part::from_bytes(&u64::MAX.to_le_bytes().repeat(4)).is_none());
    }

    #[test]
    fn lines_that_do_not_follow_each_other_and_further_ids_take_room_too() {
        let taken = |lines: Vec<(LineRef, Vec<u64>)>| {
            let room = Arc::new(Room::of(u64::MAX));
            let mut marker = Marker::new(Arc::clone(&room));
            lines.iter().for_each(|(line, keys)| marker.note(keys, *line));
            marker.finish(0);
            room.taken.load(Ordering::Relaxed)
        };
        let all = lines(9_000, 1);
        let scattered: Vec<_> = all
            .iter()
            .filter(|(line, _)| line.index % 3 == 1)
            .cloned()
            .collect();
        let ids: usize = scattered.iter().map(|(_, keys)| keys.len()).sum();
        let runs = scattered.iter().filter(|(_, keys)| !keys.is_empty()).count();
        assert_eq!(taken(scattered), (ids + Marker::OF_RUN * runs) as u64);
    }
}
