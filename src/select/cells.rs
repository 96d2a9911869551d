//! Which stretches of an input hold entries of which time, so that the second pass looks at those near failures only.

use super::survey::{Part, earliest};

/// Bytes of a stretch at least.
const LEAST: u64 = 256 << 10;

/// Stretches of one input, of all its parts together, at most about so many.
const MOST: u64 = 4_096;

/// Whole lines that follow each other, up to the next stretch or the end of the part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cell {
    /// Where it begins. The line that begins there, or after it, is its first.
    pub offset: u64,
    /// What is in it.
    pub part: Part,
}

/// The stretches of one part of an input, while it is read.
#[derive(Debug)]
pub(super) struct Cells {
    bytes: u64,
    done: Vec<Cell>,
    /// The one that is read now.
    open: Cell,
    /// Lines and entries before it.
    before: (u64, u64),
    /// Where the lines ended that were read last, if some were.
    end: u64,
    begun: bool,
}

impl Cells {
    /// None so far, for the part of an input of `input_bytes` that begins at `part_offset`.
    pub(super) fn new((part_offset, input_bytes): (u64, u64)) -> Self {
        Self {
            bytes: (input_bytes / MOST).max(LEAST),
            done: Vec::new(),
            open: Cell {
                offset: part_offset,
                ..Cell::default()
            },
            before: (0, 0),
            end: part_offset,
            begun: false,
        }
    }

    /// Lines in the bytes from `offset` up to `end` follow; `lines` and `entries` came before them in the part.
    pub(super) fn reach(&mut self, (offset, end): (u64, u64), (lines, entries): (u64, u64)) {
        if offset.saturating_sub(self.open.offset) >= self.bytes {
            self.close((lines, entries));
            // What was left out between the lines before and these belongs to these.
            self.open.offset = self.end;
        }
        // Before the first lines may stand the end of one that is not of this part.
        self.open.part.has_holes |= self.begun && offset != self.end;
        self.begun = true;
        self.end = end;
    }

    /// Widens the time of the stretch that is read now.
    #[inline]
    pub(super) fn cover(&mut self, first_us: i64, last_us: i64) {
        let part = &mut self.open.part;
        part.first_us = earliest(part.first_us, Some(first_us));
        part.last_us = part.last_us.max(Some(last_us));
    }

    fn close(&mut self, (lines, entries): (u64, u64)) {
        let before = std::mem::replace(&mut self.before, (lines, entries));
        let mut cell = std::mem::take(&mut self.open);
        cell.part.lines = lines - before.0;
        cell.part.entries = entries - before.1;
        self.done.push(cell);
    }

    /// All of them, with what they hold together, `lines` and `entries` having been read of the part in all.
    pub(super) fn finish(mut self, (lines, entries): (u64, u64)) -> (Part, Vec<Cell>) {
        self.close((lines, entries));
        let mut whole = Part {
            lines,
            entries,
            ..Part::default()
        };
        for Cell { part, .. } in &self.done {
            whole.first_us = earliest(whole.first_us, part.first_us);
            whole.last_us = whole.last_us.max(part.last_us);
            whole.has_holes |= part.has_holes;
        }
        (whole, self.done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_add_up_to_their_part() {
        let mut cells = Cells::new((50, 1 << 30));
        for at in 0..10u64 {
            cells.reach((at * 100_000 + 70, (at + 1) * 100_000), (at * 7, at * 6));
            cells.cover(at as i64 * 10, at as i64 * 10 + 15);
        }
        let (whole, all) = cells.finish((70, 60));
        assert_eq!((whole.lines, whole.entries), (70, 60));
        assert_eq!((whole.first_us, whole.last_us), (Some(0), Some(105)));
        let offsets: Vec<u64> = all.iter().map(|cell| cell.offset).collect();
        assert_eq!(offsets, [50, 300_000, 600_000, 900_000]);
        assert_eq!(all.iter().map(|cell| cell.part.lines).sum::<u64>(), 70);
        assert_eq!(all[1].part.first_us, Some(30));
        assert_eq!(all[1].part.last_us, Some(65));
    }
}
