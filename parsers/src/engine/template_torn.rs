//! Lines with quotes inside their values, by servers that escape nothing.
//!
//! `"curl "quoted" agent" 12ms`: where a quoted value ends is told by what must follow. Each value is tried with the
//! nearest end first; one that leaves a later field without a value of its kind, leaves a quote in a value that has no
//! quotes around it, or does not come out at the end of the line, is given up for the next. This is the slow way: a line
//! goes it only if it has another number of quotes than its format.

use crate::engine::slot::Slot;
use crate::engine::template::{Op, Shape, Template};
use crate::entry::Entry;
use crate::time::DayCache;

/// Fields of the longest format whose torn lines are mended.
const MOST_FIELDS: usize = 64;

/// Ends that are tried in one line before it is given up.
const MOST_TRIES: u32 = 2_000;

/// Looks for the ends of the fields of one line.
struct Search<'t, 'a> {
    template: &'t Template,
    line: &'a [u8],
    /// Start and length of each field.
    extents: [(usize, usize); MOST_FIELDS],
    /// How many fields the line has.
    count: usize,
    tries: u32,
    /// Where values are written to see whether they are of their kind.
    scratch: Entry<'a>,
}

impl Template {
    /// Reads a line whose quotes are not those of the format; `false` if they cannot be made out.
    #[cold]
    pub(super) fn read_torn<'a>(&self, line: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> bool {
        if self.ops.len() > MOST_FIELDS || !self.lead.begins(line) {
            return false;
        }
        let mut search = Search {
            template: self,
            line,
            extents: [(0, 0); MOST_FIELDS],
            count: 0,
            tries: 0,
            scratch: Entry::default(),
        };
        if !search.place(0, self.lead.len(), day) {
            return false;
        }
        entry.clear();
        entry.escape = self.escape;
        entry.upstream.separator = self.separator;
        let written = self
            .ops
            .iter()
            .zip(&search.extents[..search.count])
            .all(|(op, &(from, len))| op.set(&line[from..from + len], entry, day));
        (self.finish)(entry);
        written
    }
}

impl Search<'_, '_> {
    /// Finds the extents of the fields from the `n`th on, which starts at `at`.
    fn place(&mut self, n: usize, at: usize, day: &mut DayCache) -> bool {
        let template = self.template;
        if n == template.ops.len() {
            self.count = n;
            return at == self.line.len();
        }
        if self.place_before_others(n, at, day) {
            return true;
        }
        // The line may end behind this field.
        let rest = &self.line[at..];
        let may_end = n + 1 >= template.required && n + 1 < template.ops.len();
        let ends = may_end && self.is_value(n, rest, day);
        if ends {
            self.extents[n] = (at, rest.len());
            self.count = n + 1;
        }
        ends
    }

    /// As [`Search::place`], where what must follow the field does.
    fn place_before_others(&mut self, n: usize, at: usize, day: &mut DayCache) -> bool {
        let (template, line) = (self.template, self.line);
        let (op, rest) = (&template.ops[n], &line[at..]);
        let Some((mut len, mut next)) = op.extent(rest, &mut self.scratch, day) else {
            return false;
        };
        loop {
            self.tries += 1;
            if self.tries > MOST_TRIES {
                return false;
            }
            let mut after = at + next;
            if template.padded && op.until.ends_with_space() {
                after += line[after..].iter().take_while(|byte| **byte == b' ').count();
            }
            if self.is_value(n, &rest[..len], day) && self.place(n + 1, after, day) {
                self.extents[n] = (at, len);
                return true;
            }
            let further = rest.get(len + 1..).filter(|_| op.is_quoted());
            let Some(further) = further.and_then(|rest| op.until.find_in(rest)) else {
                return false;
            };
            len += 1 + further;
            next = len + op.until.len();
        }
    }
}

impl<'a> Search<'_, 'a> {
    /// Whether `text` can be the value of the `n`th field.
    fn is_value(&mut self, n: usize, text: &'a [u8], day: &mut DayCache) -> bool {
        let op = &self.template.ops[n];
        let may_have_quotes =
            self.is_within_quotes(n) || matches!(op.field.shape, Shape::MaybeQuoted | Shape::Groups);
        (may_have_quotes || memchr::memchr(b'"', text).is_none()) && op.set(text, &mut self.scratch, day)
    }

    /// Whether the `n`th field stands between quotes of the format.
    fn is_within_quotes(&self, n: usize) -> bool {
        let before = self.template.ops[..n].iter().map(|op| op.until.quotes());
        (self.template.lead.quotes() + before.sum::<usize>()) % 2 == 1
    }
}

impl Op {
    /// Whether a quote ends the value, which may have others in it.
    fn is_quoted(&self) -> bool {
        self.until.first() == Some(b'"') && matches!(self.field.shape, Shape::Until | Shape::List)
    }

    /// Puts `text`, which is the whole field, where it belongs; `false` if it cannot be a value of it.
    fn set<'a>(&self, text: &'a [u8], entry: &mut Entry<'a>, day: &mut DayCache) -> bool {
        match self.field.shape {
            Shape::Time(..) => self.last(text, entry, day).is_some(),
            _ => matches!(self.field.slot, Slot::Skip) || self.write(text, entry),
        }
    }
}
