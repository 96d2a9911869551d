//! Writing a [`Report`]: one file per output format, one line per format in [`RENDERERS`].
//!
//! A renderer sees findings and nothing of how they came about. What logs contain is hostile, so every
//! renderer neutralises it for its medium: [`escape`] for terminals.

pub mod csv;
pub mod detect;
pub mod entries;
pub mod escape;
pub mod explain;
mod groups;
pub mod html;
pub mod json;
pub mod lint;
pub mod markdown;
pub mod progress;
pub mod redact;
pub mod style;
pub mod summary;
pub mod text;
mod timings;

#[cfg(test)]
mod sample;

use std::io;
use std::path::Path;

use crate::model::{Finding, Report};

pub use progress::Progress;
pub use style::Style;
pub use summary::summarise;

/// One output format.
pub trait Renderer: Sync {
    /// The name as users type it: `--format NAME`.
    fn name(&self) -> &'static str;

    /// File extensions, without dot, that choose this format: `-o report.json`.
    fn extensions(&self) -> &'static [&'static str];

    /// Writes the whole report, and flushes.
    ///
    /// # Errors
    ///
    /// Whatever `out` fails with. A closed pipe arrives as [`io::ErrorKind::BrokenPipe`] like any other
    /// error; it is for the caller to take it for the end of a successful run.
    fn render(&self, report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()>;

    /// The same of a report whose findings are in `supply`. Formats that say one after the other what there is never hold
    /// all of them.
    ///
    /// # Errors
    ///
    /// As [`Renderer::render`].
    fn stream(
        &self,
        report: &Report,
        supply: &dyn Supply,
        style: &Style,
        out: &mut dyn io::Write,
    ) -> io::Result<()> {
        let mut whole = report.clone();
        whole.findings = supply.all();
        self.render(&whole, style, out)
    }
}

/// Findings that are made ready as they are written.
pub trait Supply {
    /// All of them, by time and id.
    fn all(&self) -> Vec<Finding>;

    /// Writes to `out` what `write` makes of each, in their order, with `between` between them. `write` runs on several
    /// threads.
    ///
    /// # Errors
    ///
    /// Whatever `out` fails with.
    fn each(&self, write: &Write, between: &[u8], out: &mut dyn io::Write) -> io::Result<()>;
}

/// Appends what is written of a finding.
pub type Write = dyn Fn(&Finding, &mut Vec<u8>) + Sync;

/// All output formats; the first is the default.
pub const RENDERERS: &[&dyn Renderer] = &[
    &text::Text,
    &json::Json,
    &json::NdJson,
    &csv::Csv,
    &markdown::Markdown,
    &html::Html,
];

/// The renderer called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Renderer> {
    RENDERERS.iter().copied().find(|renderer| renderer.name() == name)
}

/// The renderer for files named like `path`, by its extension in any case.
pub fn by_extension(path: &Path) -> Option<&'static dyn Renderer> {
    let wanted = path.extension()?.to_str()?.to_ascii_lowercase();
    let fits = |renderer: &&dyn Renderer| renderer.extensions().contains(&wanted.as_str());
    RENDERERS.iter().copied().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_and_extension_leads_to_one_renderer() {
        let mut extensions: Vec<&str> = Vec::new();
        for renderer in RENDERERS {
            assert_eq!(by_name(renderer.name()).unwrap().name(), renderer.name());
            extensions.extend(renderer.extensions());
        }
        let count = extensions.len();
        extensions.sort_unstable();
        extensions.dedup();
        assert_eq!(extensions.len(), count);
        assert_eq!(by_extension(Path::new("a/b.JSON")).unwrap().name(), "json");
        assert!(by_extension(Path::new("a/b.xyz")).is_none());
        assert!(by_extension(Path::new("json")).is_none());
    }

    #[test]
    fn the_same_report_is_written_to_the_same_bytes() {
        let report = sample::report();
        for renderer in RENDERERS {
            let (mut first, mut second) = (Vec::new(), Vec::new());
            renderer.render(&report, &Style::default(), &mut first).unwrap();
            renderer
                .render(&report.clone(), &Style::default(), &mut second)
                .unwrap();
            assert!(first == second, "{} differs", renderer.name());
            assert!(first.ends_with(b"\n"));
        }
    }

    /// Takes `left` bytes, then fails as a pipe does whose reader is gone.
    struct ClosedPipe {
        left: usize,
    }

    impl io::Write for ClosedPipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.left == 0 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            let taken = bytes.len().min(self.left);
            self.left -= taken;
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_closed_pipe_arrives_as_broken_pipe_and_nothing_else() {
        let report = sample::report();
        for renderer in RENDERERS {
            for left in [0, 1, 100] {
                let result = renderer.render(&report, &Style::default(), &mut ClosedPipe { left });
                assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            }
        }
    }
}
