//! Time layouts that a definition declares: `%d/%b/%Y %H:%M:%S%.f %z`.

use crate::entry::{Marks, Stamp, Zone};
use crate::time::{DAY_US, days_from_civil};

/// The most pieces a layout has.
const MOST: usize = 32;

/// A layout, compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pieces: [Piece; MOST],
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    Year,
    ShortYear,
    Month,
    MonthName,
    Day,
    PaddedDay,
    Weekday,
    Hour,
    Minute,
    Second,
    /// Digits of a fraction, as many as there are.
    Fraction,
    /// The same with the dot or comma before it, if there is one.
    DottedFraction,
    Offset,
}

/// What may stand in a layout.
pub const LETTERS: &str = "%Y %y %m %b %d %e %a %H %M %S %f (digits of a fraction) %.f (the same, with its dot, or nothing) \
                           %z (offset or Z) %F (%Y-%m-%d) %T (%H:%M:%S) %%";

impl Layout {
    /// Compiles a layout.
    ///
    /// # Errors
    /// What is wrong, and at which byte.
    pub fn new(text: &str) -> Result<Self, (String, usize)> {
        let mut layout = Self {
            pieces: [Piece::Byte(0); MOST],
            len: 0,
        };
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let (pieces, used) = match &bytes[at..] {
                [b'%', b'.', b'f', ..] => (&[Piece::DottedFraction][..], 3),
                [b'%', letter, ..] => (
                    pieces(*letter).ok_or_else(|| {
                        (
                            format!("%{} is no part of a time layout", char::from(*letter)),
                            at,
                        )
                    })?,
                    2,
                ),
                [b'%'] => return Err(("a lone % at the end".to_owned(), at)),
                [byte, ..] => {
                    layout.push(Piece::Byte(*byte), at)?;
                    at += 1;
                    continue;
                }
                [] => break,
            };
            for piece in pieces {
                layout.push(*piece, at)?;
            }
            at += used;
        }
        let has = |wanted: &[Piece]| layout.pieces[..layout.len].iter().any(|p| wanted.contains(p));
        for (wanted, what) in [
            (&[Piece::Year, Piece::ShortYear][..], "year (%Y or %y)"),
            (&[Piece::Month, Piece::MonthName], "month (%m or %b)"),
            (&[Piece::Day, Piece::PaddedDay], "day (%d or %e)"),
            (&[Piece::Hour], "hour (%H)"),
            (&[Piece::Minute], "minute (%M)"),
        ] {
            if !has(wanted) {
                return Err((format!("the layout has no {what}"), 0));
            }
        }
        Ok(layout)
    }

    fn push(&mut self, piece: Piece, at: usize) -> Result<(), (String, usize)> {
        let Some(slot) = self.pieces.get_mut(self.len) else {
            return Err((format!("a time layout has at most {MOST} pieces"), at));
        };
        *slot = piece;
        self.len += 1;
        Ok(())
    }

    /// The stamp at the start of `text` and its length. Without `%z` it is in the zone of the server.
    pub fn read(&self, text: &[u8]) -> Option<(Stamp, usize)> {
        let mut read = Reading {
            text,
            at: 0,
            resolution_us: 60_000_000,
        };
        let (mut year, mut month, mut day) = (0, 0, 0);
        let (mut in_day_us, mut offset_us) = (0, None);
        for piece in &self.pieces[..self.len] {
            match piece {
                Piece::Byte(byte) => read.byte(*byte)?,
                Piece::Year => year = read.digits(4)?,
                Piece::ShortYear => year = 2000 + read.digits(2)?,
                Piece::Month => month = read.digits(2)?,
                Piece::MonthName => month = read.month_name()?,
                Piece::Day => day = read.digits(2)?,
                Piece::PaddedDay => day = read.padded_day()?,
                Piece::Weekday => read.letters(3)?,
                Piece::Hour => in_day_us += read.below(24)? * 3_600_000_000,
                Piece::Minute => in_day_us += read.below(60)? * 60_000_000,
                Piece::Second => {
                    in_day_us += read.below(61)? * 1_000_000;
                    read.resolution_us = read.resolution_us.min(1_000_000);
                }
                Piece::Fraction => in_day_us += read.fraction()?,
                Piece::DottedFraction => {
                    if matches!(text.get(read.at), Some(b'.' | b',')) {
                        read.at += 1;
                        in_day_us += read.fraction()?;
                    }
                }
                Piece::Offset => offset_us = Some(read.offset()?),
            }
        }
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let days = days_from_civil(
            i32::try_from(year).ok()?,
            u32::try_from(month).ok()?,
            u32::try_from(day).ok()?,
        );
        let stamp = Stamp {
            us: days * DAY_US + in_day_us - offset_us.unwrap_or(0),
            resolution_us: read.resolution_us,
            zone: if offset_us.is_some() {
                Zone::Known
            } else {
                Zone::Local
            },
            marks: Marks::End,
        };
        Some((stamp, read.at))
    }
}

fn pieces(letter: u8) -> Option<&'static [Piece]> {
    Some(match letter {
        b'Y' => &[Piece::Year],
        b'y' => &[Piece::ShortYear],
        b'm' => &[Piece::Month],
        b'b' => &[Piece::MonthName],
        b'd' => &[Piece::Day],
        b'e' => &[Piece::PaddedDay],
        b'a' => &[Piece::Weekday],
        b'H' => &[Piece::Hour],
        b'M' => &[Piece::Minute],
        b'S' => &[Piece::Second],
        b'f' => &[Piece::Fraction],
        b'z' => &[Piece::Offset],
        b'%' => &[Piece::Byte(b'%')],
        b'F' => &[
            Piece::Year,
            Piece::Byte(b'-'),
            Piece::Month,
            Piece::Byte(b'-'),
            Piece::Day,
        ],
        b'T' => &[
            Piece::Hour,
            Piece::Byte(b':'),
            Piece::Minute,
            Piece::Byte(b':'),
            Piece::Second,
        ],
        _ => return None,
    })
}

struct Reading<'a> {
    text: &'a [u8],
    at: usize,
    resolution_us: u32,
}

impl Reading<'_> {
    fn byte(&mut self, wanted: u8) -> Option<()> {
        (*self.text.get(self.at)? == wanted).then(|| self.at += 1)
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let digits = self.text.get(self.at..self.at + count)?;
        self.at += count;
        digits.iter().try_fold(0, |sum, byte| {
            byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0'))
        })
    }

    fn below(&mut self, limit: i64) -> Option<i64> {
        self.digits(2).filter(|value| *value < limit)
    }

    fn padded_day(&mut self) -> Option<i64> {
        if self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
            return self.digits(1);
        }
        self.digits(2)
    }

    fn letters(&mut self, count: usize) -> Option<()> {
        let letters = self.text.get(self.at..self.at + count)?;
        self.at += count;
        letters.iter().all(u8::is_ascii_alphabetic).then_some(())
    }

    fn month_name(&mut self) -> Option<i64> {
        const MONTHS: &[u8] = b"janfebmaraprmayjunjulaugsepoctnovdec";
        let name = self.text.get(self.at..self.at + 3)?.to_ascii_lowercase();
        self.at += 3;
        let place = MONTHS.chunks(3).position(|month| month == name)?;
        i64::try_from(place + 1).ok()
    }

    fn fraction(&mut self) -> Option<i64> {
        let rest = self.text.get(self.at..)?;
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (mut us, mut unit) = (0, 1_000_000);
        for digit in &rest[..count.min(6)] {
            unit /= 10;
            us += i64::from(digit - b'0') * unit;
        }
        self.at += count;
        self.resolution_us = u32::try_from(unit).ok()?;
        (count > 0).then_some(us)
    }

    /// `Z`, `+02:00`, `+0200`, with a space before it or not.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.text.get(self.at)? {
            b'Z' => {
                self.at += 1;
                return Some(0);
            }
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.at += 1;
        let hours = self.digits(2)?;
        if self.text.get(self.at) == Some(&b':') {
            self.at += 1;
        }
        let minutes = self.digits(2)?;
        Some(sign * (hours * 60 + minutes) * 60_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{self, DayCache};

    #[test]
    fn a_layout_reads_what_the_fixed_shapes_read() {
        let mut day = DayCache::default();
        for (layout, text) in [
            ("%d/%b/%Y:%T %z", "20/Nov/2026:10:00:05 +0130"),
            ("%FT%T.%f%z", "2026-11-20T10:00:05.123Z"),
            ("%Y/%m/%d %T", "2026/11/20 10:00:05"),
        ] {
            let (stamp, used) = Layout::new(layout).unwrap().read(text.as_bytes()).unwrap();
            assert_eq!(used, text.len());
            let known = [time::clf(text.as_bytes(), &mut day), time::any(text.as_bytes())];
            assert!(known.contains(&Some(stamp)), "{text}: {stamp:?}");
        }
        let odd = Layout::new("%a %e %b %y %H.%M%.f").unwrap();
        let (stamp, used) = odd.read(b"Fri  6 Nov 26 10.07 rest").unwrap();
        assert_eq!(
            (stamp.us % DAY_US, stamp.resolution_us, used),
            (36_420_000_000, 60_000_000, 19)
        );
    }

    #[test]
    fn a_layout_that_leaves_the_instant_open_is_refused() {
        assert_eq!(
            Layout::new("%H:%M:%S").unwrap_err().0,
            "the layout has no year (%Y or %y)"
        );
        assert_eq!(
            Layout::new("%F %Q").unwrap_err(),
            ("%Q is no part of a time layout".to_owned(), 3)
        );
        assert!(
            Layout::new("%F %T")
                .unwrap()
                .read(b"2026-13-01 10:00:00")
                .is_none()
        );
        assert!(Layout::new("%F %T").unwrap().read(b"2026-12-01 10:0").is_none());
    }
}
