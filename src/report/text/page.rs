//! The page that the terminal report is set on: rows of a width, hanging indents, tables, colour.
//!
//! All text passes [`escape::terminal`] here, so no section can forget it; colour is added here alone.

use std::io::{self, Write};

use crate::report::Style;
use crate::report::escape::{columns, fitting, terminal, truncate};

/// The narrowest page that is set; narrower terminals wrap by themselves.
const NARROWEST: usize = 40;

/// What a piece of text is, from which its colour follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    Title,
    Name,
    Dim,
    Good,
    Bad,
    Warn,
}

impl Role {
    const fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Title => "\x1b[1m",
            Self::Name => "\x1b[1;36m",
            Self::Dim => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Bad => "\x1b[1;31m",
            Self::Warn => "\x1b[33m",
        }
    }
}

/// A piece of text in one role.
pub(super) type Span<'a> = (Role, &'a str);

/// Rows going out.
pub(super) struct Page<'a> {
    out: &'a mut dyn Write,
    color: bool,
    /// Columns of a row; `usize::MAX` where there is no limit.
    width: usize,
}

impl<'a> Page<'a> {
    pub(super) fn new(out: &'a mut dyn Write, style: &Style) -> Self {
        let width = match style.width {
            0 => usize::MAX,
            width => width.max(NARROWEST),
        };
        Self {
            out,
            color: style.color,
            width,
        }
    }

    /// Columns left of `indent`.
    pub(super) fn room(&self, indent: usize) -> usize {
        self.width.saturating_sub(indent)
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        self.out.write_all(b"\n")
    }

    pub(super) fn title(&mut self, text: &str) -> io::Result<()> {
        self.blank()?;
        self.block(0, (Role::Plain, ""), &[(Role::Title, text)])
    }

    /// `label`, then the spans one after another, wrapped between words under the end of the label.
    pub(super) fn block(&mut self, indent: usize, label: Span<'_>, spans: &[Span<'_>]) -> io::Result<()> {
        let label_text = terminal(label.1);
        let hang = indent + columns(&label_text);
        let words = words(spans);
        let rows = wrap(&words, self.room(hang).max(NARROWEST / 2));
        for (at, row) in rows.iter().enumerate() {
            if at == 0 {
                self.spaces(indent)?;
                self.paint(label.0, &label_text)?;
            } else {
                self.spaces(hang)?;
            }
            self.row(row)?;
        }
        Ok(())
    }

    /// `text` as it is, cut between any two characters into at most `rows` rows, the last one truncated.
    pub(super) fn verbatim(&mut self, indent: usize, role: Role, text: &str, rows: usize) -> io::Result<()> {
        let text = terminal(text);
        let room = self.room(indent).max(NARROWEST / 2);
        let mut rest: &str = &text;
        for row in 1..=rows {
            let cut = if row == rows {
                rest.len()
            } else {
                fitting(rest, room)
            };
            self.spaces(indent)?;
            let limit = if room > rest.len() * 2 { 0 } else { room };
            self.paint(role, &truncate(&rest[..cut], limit))?;
            self.blank()?;
            rest = &rest[cut..];
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Rows of cells in columns. If they do not fit the page, the first column gets a row of its own.
    pub(super) fn table(&mut self, indent: usize, table: &Table) -> io::Result<()> {
        let mut widths = table.widths();
        let gaps = 2 * widths.len().saturating_sub(1);
        let fits = indent + gaps + widths.iter().sum::<usize>() <= self.width;
        let first = if fits { 0 } else { 1 };
        if !fits && let Some(width) = widths.first_mut() {
            *width = 0;
        }
        for row in &table.rows {
            if let (false, Some((role, cell))) = (fits, row.first()) {
                self.verbatim(indent, *role, cell, 1)?;
            }
            let indent = indent + 4 * first;
            self.spaces(indent)?;
            self.cells(&row[first.min(row.len())..], &widths[first.min(widths.len())..])?;
        }
        Ok(())
    }

    fn cells(&mut self, cells: &[(Role, String)], widths: &[usize]) -> io::Result<()> {
        let last = cells.iter().rposition(|(_, cell)| !cell.is_empty());
        for (at, (role, cell)) in cells.iter().enumerate() {
            if last.is_none_or(|last| at > last) {
                break;
            }
            let cell = terminal(cell);
            self.paint(*role, &cell)?;
            if Some(at) != last {
                self.spaces(widths[at] + 2 - columns(&cell))?;
            }
        }
        self.blank()
    }

    fn row(&mut self, words: &[Span<'_>]) -> io::Result<()> {
        let mut at = 0;
        while at < words.len() {
            let role = words[at].0;
            let run = words[at..].iter().take_while(|word| word.0 == role).count();
            let text: Vec<&str> = words[at..at + run].iter().map(|word| word.1).collect();
            if at > 0 {
                self.spaces(1)?;
            }
            self.paint(role, &text.join(" "))?;
            at += run;
        }
        self.blank()
    }

    fn paint(&mut self, role: Role, text: &str) -> io::Result<()> {
        let sgr = role.sgr();
        if !self.color || sgr.is_empty() || text.is_empty() {
            return self.out.write_all(text.as_bytes());
        }
        write!(self.out, "{sgr}{text}\x1b[0m")
    }

    fn spaces(&mut self, count: usize) -> io::Result<()> {
        write!(self.out, "{:count$}", "")
    }
}

/// Rows of cells; all rows have the same number of cells.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<Vec<(Role, String)>>,
}

impl Table {
    pub(super) fn push(&mut self, row: Vec<(Role, String)>) {
        self.rows.push(row);
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = Vec::new();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(&terminal(cell)));
            }
        }
        widths
    }
}

/// The escaped words of the spans, each with its role.
fn words<'a>(spans: &[Span<'a>]) -> Vec<(Role, String)> {
    let mut words = Vec::new();
    for &(role, text) in spans {
        let text = terminal(text);
        words.extend(
            text.split(' ')
                .filter(|word| !word.is_empty())
                .map(|word| (role, word.to_owned())),
        );
    }
    words
}

/// Rows of at most `room` columns; a word that is longer alone is cut.
fn wrap(words: &[(Role, String)], room: usize) -> Vec<Vec<Span<'_>>> {
    let mut rows = vec![Vec::new()];
    let mut used = 0;
    for (role, word) in words {
        let mut rest = word.as_str();
        let wide = columns(rest);
        if used > 0 && used + 1 + wide > room {
            rows.push(Vec::new());
            used = 0;
        }
        while columns(rest) > room {
            let cut = fitting(rest, room).max(rest.chars().next().map_or(0, char::len_utf8));
            push(&mut rows, (*role, &rest[..cut]));
            rows.push(Vec::new());
            rest = &rest[cut..];
        }
        push(&mut rows, (*role, rest));
        used += columns(rest) + usize::from(used > 0);
    }
    rows
}

fn push<'a>(rows: &mut [Vec<Span<'a>>], word: Span<'a>) {
    if let Some(row) = rows.last_mut() {
        row.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(width: usize, write: impl Fn(&mut Page<'_>) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        let style = Style {
            width,
            ..Style::default()
        };
        write(&mut Page::new(&mut out, &style)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_is_wrapped_under_the_end_of_its_label() {
        let text = "the upstream closed the idle connection as the request was sent on it";
        let shown = set(40, |page| {
            page.block(2, (Role::Plain, "why: "), &[(Role::Plain, text)])
        });
        insta::assert_snapshot!(shown, @r"
        why: the upstream closed the idle
             connection as the request was
             sent on it
        ");
    }

    #[test]
    fn a_long_word_is_cut_and_a_wide_one_counted() {
        let shown = set(40, |page| {
            page.block(0, (Role::Plain, ""), &[(Role::Plain, &"日".repeat(30))])
        });
        let rows: Vec<usize> = shown.lines().map(columns).collect();
        assert_eq!(rows, [40, 20]);
    }

    #[test]
    fn verbatim_text_keeps_its_spaces_and_ends_in_an_ellipsis() {
        let text = "x  y".repeat(30);
        let shown = set(40, |page| page.verbatim(4, Role::Plain, &text, 2));
        let rows: Vec<&str> = shown.lines().collect();
        assert_eq!(rows.len(), 2);
        assert!(rows[1].ends_with('…') && rows.iter().all(|row| columns(row) == 40));
        assert_eq!(
            set(0, |page| page.verbatim(0, Role::Plain, &text, 2)),
            text.clone() + "\n"
        );
    }

    #[test]
    fn a_table_that_does_not_fit_gives_its_first_column_a_row() {
        let mut table = Table::default();
        for name in ["a", "edge/a-rather-long-name.log"] {
            table.push(
                [name, "nginx", "10:00:00"]
                    .map(|c| (Role::Plain, c.to_owned()))
                    .into(),
            );
        }
        insta::assert_snapshot!(set(60, |page| page.table(1, &table)), @r"
         a                            nginx  10:00:00
         edge/a-rather-long-name.log  nginx  10:00:00
        ");
        insta::assert_snapshot!(set(40, |page| page.table(1, &table)), @r"
         a
             nginx  10:00:00
         edge/a-rather-long-name.log
             nginx  10:00:00
        ");
    }
}
