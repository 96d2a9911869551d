//! Lengths of time drawn to scale, in rows of one width.

/// What passed in a part of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Waiting in the hop's own queue.
    Queued,
    /// Connecting.
    Connecting,
    /// Anything else, above all waiting for an answer.
    Busy,
    /// Receiving the answer.
    Receiving,
}

impl Part {
    /// All of them, in the order of a legend.
    pub(super) const ALL: [Self; 4] = [Self::Queued, Self::Connecting, Self::Busy, Self::Receiving];

    /// The sign that fills a column.
    pub(super) const fn sign(self, ascii: bool) -> char {
        match (self, ascii) {
            (Self::Queued, false) => '░',
            (Self::Connecting, false) => '▒',
            (Self::Busy, false) => '█',
            (Self::Receiving, false) => '▓',
            (Self::Queued, true) => '.',
            (Self::Connecting, true) => '-',
            (Self::Busy, true) => '#',
            (Self::Receiving, true) => '=',
        }
    }

    /// What a legend calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Queued => "in its queue",
            Self::Connecting => "connecting",
            Self::Busy => "waiting or working",
            Self::Receiving => "receiving",
        }
    }
}

/// The instants at both ends of every row, in microseconds, and the columns between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from_us: i64,
    pub(super) to_us: i64,
    pub(super) columns: usize,
    pub(super) ascii: bool,
}

/// Eighths of a column, from one to seven.
const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

impl Scale {
    /// The column in which `us` lies, with its fraction.
    fn at(&self, us: i64) -> f64 {
        let whole = (self.to_us - self.from_us).max(1) as f64;
        let share = (us - self.from_us) as f64 / whole;
        (share * self.columns as f64).clamp(0.0, self.columns as f64)
    }

    /// One row. `parts` follow each other, each with its end. What is too short for a column is drawn as thin as
    /// can be, since it was there.
    pub(super) fn row(&self, from_us: i64, parts: &[(Part, i64)]) -> String {
        let first = (self.at(from_us).floor() as usize).min(self.columns.saturating_sub(1));
        let end = parts.last().map_or(from_us, |(_, end)| *end);
        let whole = self.at(end) - self.at(from_us);
        if whole < 1.0 {
            let eighths = (whole * 8.0).round().clamp(1.0, 8.0) as usize;
            let part = longest(from_us, parts);
            let sign = match EIGHTHS.get(eighths - 1) {
                Some(&sign) if !self.ascii => sign,
                _ if self.ascii => '|',
                _ => part.sign(false),
            };
            return " ".repeat(first) + &sign.to_string();
        }
        let last = (self.at(end).round() as usize).clamp(first + 1, self.columns.max(first + 1));
        let mut row = " ".repeat(first);
        for column in first..last {
            let middle = column as f64 + 0.5;
            let part = parts
                .iter()
                .find(|(_, end)| self.at(*end) > middle)
                .or(parts.last());
            row.push(part.map_or(Part::Busy, |(part, _)| *part).sign(self.ascii));
        }
        row
    }
}

/// The part that took longest, the first of equals.
fn longest(from_us: i64, parts: &[(Part, i64)]) -> Part {
    let starts = std::iter::once(from_us).chain(parts.iter().map(|(_, end)| *end));
    let lengths = starts.zip(parts).map(|(start, (part, end))| (end - start, *part));
    let best = lengths.fold(None, |best: Option<(i64, Part)>, one| match best {
        Some(best) if best.0 >= one.0 => Some(best),
        _ => Some(one),
    });
    best.map_or(Part::Busy, |(_, part)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale {
        from_us: 1_000,
        to_us: 11_000,
        columns: 10,
        ascii: false,
    };

    #[test]
    fn the_length_of_a_bar_is_its_share_of_the_whole() {
        assert_eq!(SCALE.row(1_000, &[(Part::Busy, 11_000)]), "██████████");
        assert_eq!(SCALE.row(3_000, &[(Part::Busy, 6_000)]), "  ███");
        let parts = [
            (Part::Queued, 3_000),
            (Part::Connecting, 5_000),
            (Part::Busy, 9_000),
        ];
        assert_eq!(SCALE.row(1_000, &parts), "░░▒▒████");
    }

    #[test]
    fn what_is_shorter_than_a_column_is_still_seen() {
        assert_eq!(SCALE.row(2_000, &[(Part::Busy, 2_500)]), " ▌");
        assert_eq!(SCALE.row(2_000, &[(Part::Busy, 2_000)]), " ▏");
        // At the very end it stays inside.
        assert_eq!(SCALE.row(11_000, &[(Part::Busy, 11_000)]), "         ▏");
    }

    #[test]
    fn a_bar_without_unicode_has_the_same_length() {
        let ascii = Scale { ascii: true, ..SCALE };
        assert_eq!(ascii.row(3_000, &[(Part::Busy, 6_000)]), "  ###");
        assert_eq!(ascii.row(2_000, &[(Part::Busy, 2_500)]), " |");
    }

    #[test]
    fn times_outside_the_scale_are_cut_to_it() {
        assert_eq!(SCALE.row(-50_000, &[(Part::Busy, 90_000)]), "██████████");
        let nothing = Scale {
            to_us: 1_000,
            ..SCALE
        };
        assert_eq!(nothing.row(1_000, &[(Part::Busy, 1_000)]).chars().count(), 1);
    }
}
