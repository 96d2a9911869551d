//! JSON objects whose keys mean what a format says: the same slots as in a [`Template`](super::template::Template),
//! found by key instead of by place.

use crate::engine::json::{self, Keys, Value};
use crate::engine::slot::Slot;
use crate::engine::template::TimeShape;
use crate::entry::{Entry, Escape, Marks, Stamp};
use crate::error::LineError;
use crate::time::DayCache;

/// What the value under a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A stamp in any spelling that logs have, which marks this instant.
    Time(Marks),
    /// A stamp in this spelling.
    TimeAs(TimeShape, Marks),
    /// Any other field.
    Field(Slot),
}

/// How many keys a format may name.
pub const MOST: usize = 64;

/// The keys of a format and what their values are.
#[derive(Debug, Clone)]
pub struct JsonFields {
    keys: Keys,
    meanings: Vec<Meaning>,
    finish: fn(&mut Entry<'_>),
}

impl JsonFields {
    /// A format that wants nothing yet and calls `finish` on each entry that was read.
    pub fn new(finish: fn(&mut Entry<'_>)) -> Self {
        Self {
            keys: Keys::new(),
            meanings: Vec::new(),
            finish,
        }
    }

    /// The value under any of `paths` (dots part nested keys) is `meaning`; of several in one line the first listed
    /// counts. Fields are filled in the order in which they were added. `false` if there are [`MOST`] already.
    pub fn add(&mut self, paths: &[&str], meaning: Meaning) -> bool {
        if self.meanings.len() == MOST {
            return false;
        }
        let slot = u8::try_from(self.meanings.len()).unwrap_or(u8::MAX);
        for (rank, path) in paths.iter().enumerate() {
            self.keys.add(path, slot, u8::try_from(rank).unwrap_or(u8::MAX));
        }
        self.meanings.push(meaning);
        true
    }

    /// Whether no key gives a time.
    pub fn is_timeless(&self) -> bool {
        !self
            .meanings
            .iter()
            .any(|meaning| matches!(meaning, Meaning::Time(_) | Meaning::TimeAs(..)))
    }

    /// Reads `line` into `entry`; says how many of the keys had a value.
    ///
    /// # Errors
    /// [`LineError`] if the line is no JSON object, or if a value is not of its kind.
    pub fn read<'a>(
        &self,
        line: &'a [u8],
        entry: &mut Entry<'a>,
        day: &mut DayCache,
    ) -> Result<u32, LineError> {
        let mut values = [Value::default(); MOST];
        json::scan(line, &self.keys, &mut values[..self.meanings.len()])?;
        entry.escape = Escape::Json;
        let mut found = 0;
        for (value, meaning) in values.iter().zip(&self.meanings) {
            let text = value.text();
            if text.is_empty() {
                continue;
            }
            found += 1;
            match *meaning {
                Meaning::Time(marks) => set_time(value.stamp(day), marks, entry),
                Meaning::TimeAs(shape, marks) => set_time(shape.whole(text, day), marks, entry),
                Meaning::Field(slot) => {
                    if !slot.write(text, entry) {
                        let at = (text.as_ptr() as usize).saturating_sub(line.as_ptr() as usize);
                        return Err(LineError::new(at, "value of its kind"));
                    }
                }
            }
        }
        (self.finish)(entry);
        Ok(found)
    }
}

/// Of two times in a line the finer one is kept.
fn set_time(stamp: Option<Stamp>, marks: Marks, entry: &mut Entry<'_>) {
    if let Some(stamp) = stamp
        && entry
            .time
            .is_none_or(|old| stamp.resolution_us < old.resolution_us)
    {
        entry.time = Some(stamp.marking(marks));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::slot::unit;

    #[test]
    fn values_go_where_their_keys_say() {
        let mut fields = JsonFields::new(|_| {});
        fields.add(&["t.start", "time"], Meaning::Time(Marks::Start));
        fields.add(&["took"], Meaning::Field(Slot::Duration(unit::MS)));
        fields.add(&["code"], Meaning::Field(Slot::Status));
        let (mut entry, mut day) = (Entry::default(), DayCache::default());
        let line = br#"{"time":"2026-11-20T16:26:00Z","t":{"start":"2026-11-20T16:25:59.500Z"},"took":"7","code":503}"#;
        assert_eq!(fields.read(line, &mut entry, &mut day), Ok(3));
        assert_eq!(entry.duration_us, Some(7_000));
        assert_eq!(entry.status, Some(503));
        let stamp = entry.time.unwrap();
        assert_eq!((stamp.us % 1_000_000, stamp.marks), (500_000, Marks::Start));
        let wrong = br#"{"code":"GET"}"#;
        entry.clear();
        assert_eq!(fields.read(wrong, &mut entry, &mut day).map_err(|e| e.at), Err(9));
    }
}
