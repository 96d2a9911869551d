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

    /// `text` as it is, cut at spaces where there are some into at most `rows` rows, the last one truncated.
    pub(super) fn verbatim(&mut self, indent: usize, role: Role, text: &str, rows: usize) -> io::Result<()> {
        let text = terminal(text);
        let room = self.room(indent).max(NARROWEST / 2);
        let mut rest: &str = &text;
        for row in 1..=rows {
            let cut = if row == rows {
                rest.len()
            } else {
                row_end(rest, room)
            };
            self.spaces(indent)?;
            let limit = if room > rest.len() * 2 { 0 } else { room };
            self.paint(role, &truncate(&rest[..cut], limit))?;
            self.blank()?;
            rest = rest[cut..].trim_start_matches(' ');
            if rest.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// One row of spans, one right after the other, spaces kept.
    pub(super) fn raw(&mut self, indent: usize, spans: &[Span<'_>]) -> io::Result<()> {
        self.spaces(indent)?;
        let end = spans.len().saturating_sub(1);
        for (at, (role, text)) in spans.iter().enumerate() {
            let text = terminal(text);
            let text = if at == end { text.trim_end() } else { &text };
            self.paint(*role, text)?;
        }
        self.blank()
    }

    /// `text` on one row however long it is: it is there to be copied. A tab is written as such.
    pub(super) fn unbroken(&mut self, indent: usize, role: Role, text: &str) -> io::Result<()> {
        self.spaces(indent)?;
        let parts: Vec<String> = text.split('\t').map(|part| terminal(part).into_owned()).collect();
        self.paint(role, &parts.join("\t"))?;
        self.blank()
    }

    /// Rows of cells in columns. Columns that do not fit the page follow each row as `head cell, head cell`.
    pub(super) fn table(&mut self, indent: usize, table: &Table) -> io::Result<()> {
        let widths = table.widths();
        let fit = table.fitting(&widths, self.room(indent));
        let heads = table.heads.iter().map(|head| (Role::Dim, (*head).to_owned()));
        self.cells(
            indent,
            table,
            &heads.take(fit.max(1)).collect::<Vec<_>>(),
            &widths,
        )?;
        for row in &table.rows {
            if fit == 0 {
                let (role, cell) = &row[0];
                self.verbatim(indent, *role, cell, 1)?;
            } else {
                self.cells(indent, table, &row[..fit], &widths)?;
            }
            self.overflow(indent + 4, &table.heads[fit.max(1)..], &row[fit.max(1)..])?;
        }
        Ok(())
    }

    fn cells(&mut self, indent: usize, table: &Table, row: &[Cell], widths: &[usize]) -> io::Result<()> {
        let end = row
            .iter()
            .rposition(|cell| !cell.1.is_empty())
            .map_or(0, |at| at + 1);
        self.spaces(indent)?;
        for (at, (role, cell)) in row[..end].iter().enumerate() {
            let cell = terminal(cell);
            let pad = widths[at].saturating_sub(columns(&cell));
            let right = table.right.contains(&at);
            self.spaces(if right { pad } else { 0 } + if at > 0 { 2 } else { 0 })?;
            self.paint(*role, &cell)?;
            self.spaces(if right || at + 1 == end { 0 } else { pad })?;
        }
        self.blank()
    }

    /// The cells that have no column, with their heads; those without a value are left out.
    fn overflow(&mut self, indent: usize, heads: &[&str], cells: &[Cell]) -> io::Result<()> {
        let filled: Vec<_> = heads
            .iter()
            .zip(cells)
            .filter(|(_, cell)| !cell.1.is_empty() && cell.1 != "-")
            .collect();
        if filled.is_empty() {
            return Ok(());
        }
        let ended: Vec<String> = (1..=filled.len())
            .map(|at| {
                format!(
                    "{}{}",
                    filled[at - 1].1.1,
                    if at < filled.len() { "," } else { "" }
                )
            })
            .collect();
        let spans: Vec<Span<'_>> = filled
            .iter()
            .zip(&ended)
            .flat_map(|((head, (role, _)), text)| [(Role::Dim, **head), (*role, text.as_str())])
            .collect();
        self.block(indent, (Role::Plain, ""), &spans)
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

/// One cell of a table.
pub(super) type Cell = (Role, String);

/// Rows of cells under heads; every row has as many cells as there are heads, and at least one.
pub(super) struct Table {
    heads: &'static [&'static str],
    /// Columns that are set flush right.
    right: &'static [usize],
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(super) fn new(heads: &'static [&'static str], right: &'static [usize]) -> Self {
        Self {
            heads,
            right,
            rows: Vec::new(),
        }
    }

    /// Adds a row, brought to the number of the heads.
    pub(super) fn push(&mut self, mut row: Vec<Cell>) {
        row.resize(self.heads.len(), (Role::Plain, String::new()));
        self.rows.push(row);
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heads.iter().map(|head| columns(head)).collect();
        for row in &self.rows {
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = (*width).max(columns(&terminal(cell)));
            }
        }
        widths
    }

    /// How many of the columns have room side by side.
    fn fitting(&self, widths: &[usize], room: usize) -> usize {
        let mut used = 0;
        let fits = |width: &&usize| {
            used += **width + if used > 0 { 2 } else { 0 };
            used <= room
        };
        widths.iter().take_while(fits).count()
    }
}

/// Where to end a row of at most `room` columns: after the last space in its second half, else in a word.
fn row_end(text: &str, room: usize) -> usize {
    let end = fitting(text, room);
    if end == text.len() {
        return end;
    }
    match text[..end].rfind(' ') {
        Some(space) if space > end / 2 => space,
        _ => end,
    }
}

/// The escaped words of the spans, each with its role. A number and its unit are one word.
fn words(spans: &[Span<'_>]) -> Vec<(Role, String)> {
    let mut words: Vec<(Role, String)> = Vec::new();
    for &(role, text) in spans {
        let start = words.len();
        for word in terminal(text).split(' ').filter(|word| !word.is_empty()) {
            match words[start..].last_mut() {
                Some((_, number)) if is_number(number) && is_unit(word) => {
                    number.push(' ');
                    number.push_str(word);
                }
                _ => words.push((role, word.to_owned())),
            }
        }
    }
    words
}

fn is_number(word: &str) -> bool {
    word.ends_with(|c: char| c.is_ascii_digit())
        && word.bytes().all(|b| b.is_ascii_digit() || b"+-.,".contains(&b))
}

fn is_unit(word: &str) -> bool {
    let unit = word.trim_end_matches([',', ';', '.', ')', ':']);
    ["us", "ms", "s", "min", "h", "%", "MB"].contains(&unit)
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
    fn verbatim_text_fills_its_rows_and_ends_in_an_ellipsis() {
        let text = "x__y".repeat(30);
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
    fn columns_that_do_not_fit_follow_their_row() {
        let mut table = Table::new(&["file", "lines", "hop", "zone"], &[1]);
        for (file, lines) in [("a", "7"), ("edge/a-rather-long-name.log", "1,234")] {
            table.push(
                [file, lines, "-", "UTC"]
                    .map(|c| (Role::Plain, c.to_owned()))
                    .into(),
            );
        }
        insta::assert_snapshot!(set(60, |page| page.table(1, &table)), @r"
        file                         lines  hop  zone
        a                                7  -    UTC
        edge/a-rather-long-name.log  1,234  -    UTC
        ");
        insta::assert_snapshot!(set(40, |page| page.table(1, &table)), @r"
        file                         lines  hop
        a                                7  -
            zone UTC
        edge/a-rather-long-name.log  1,234  -
            zone UTC
        ");
        table.push(vec![(Role::Plain, "x".repeat(50))]);
        insta::assert_snapshot!(set(40, |page| page.table(1, &table)), @r"
        file
        a
            lines 7, zone UTC
        edge/a-rather-long-name.log
            lines 1,234, zone UTC
        xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…
        ");
    }
}
