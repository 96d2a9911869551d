//! How a report is to look: colour, width, detail and the time zone shown.

use crate::plan::Zone;

/// What the user wants the output to look like. Renderers for files take from it what fits them.
#[derive(Debug, Clone, Default)]
pub struct Style {
    /// Write colours. The caller decides, from `--color`, `NO_COLOR`, `CLICOLOR_FORCE` and the terminal.
    pub color: bool,
    /// Draw with ASCII only: colour was refused, or the locale is not UTF-8.
    pub ascii: bool,
    /// Columns to fill; zero is no limit: nothing is wrapped and nothing truncated, as fits a pipe.
    pub width: usize,
    /// How often `-v` was given: from one, every finding and every file is listed.
    pub verbose: u8,
    /// The answer alone, without evidence and coverage.
    pub quiet: bool,
    /// Zone in which times are shown.
    pub zone: Zone,
}
