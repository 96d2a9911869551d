//! The report for the terminal: the answer first, then what proves it, then what was read.

mod answer;
mod bars;
mod coverage;
pub(super) mod detect;
mod evidence;
pub(super) mod explain;
pub(super) mod lint;
mod page;
mod words;

use std::io::{self, Write};

use super::groups::{self, Group};
use super::{Renderer, Style};
use crate::model::{Micros, Report};
use page::Page;
use words::Clock;

/// Groups listed unless `-v` is given.
const GROUPS_SHOWN: usize = 8;

/// The report for the terminal.
pub struct Text;

impl Renderer for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["txt", "text"]
    }

    fn render(&self, report: &Report, style: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        let mut out = io::BufWriter::new(out);
        let view = View::new(report, style);
        let mut page = Page::new(&mut out, style);
        answer::write(&mut page, &view)?;
        if !style.quiet {
            evidence::write(&mut page, &view)?;
            coverage::write(&mut page, &view)?;
        }
        out.flush()
    }
}

/// What all sections look at.
struct View<'a> {
    report: &'a Report,
    verbose: bool,
    clock: Clock,
    /// First and last finding.
    span: Option<(Micros, Micros)>,
    /// What is shown as one, the most frequent first.
    groups: Vec<Group<'a>>,
}

impl<'a> View<'a> {
    fn new(report: &'a Report, style: &Style) -> Self {
        let times = || report.findings.iter().filter_map(|f| f.time);
        let span = times().min().zip(times().max());
        Self {
            report,
            verbose: style.verbose > 0,
            clock: Clock::new(style.zone, span.or_else(|| read_span(report))),
            span,
            groups: groups::of(report),
        }
    }

    /// The groups to list.
    fn groups(&self) -> &[Group<'a>] {
        if self.verbose {
            return &self.groups;
        }
        &self.groups[..self.groups.len().min(GROUPS_SHOWN)]
    }
}

/// First and last stamp of all inputs.
fn read_span(report: &Report) -> Option<(Micros, Micros)> {
    let first = report.inputs.iter().filter_map(|input| input.first).min();
    first.zip(report.inputs.iter().filter_map(|input| input.last).max())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Zone;
    use crate::report::escape::{acts, columns};
    use crate::report::sample;

    fn rendered(report: &Report, style: &Style) -> String {
        let mut out = Vec::new();
        Text.render(report, style, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn wide(width: usize) -> Style {
        Style {
            width,
            ..Style::default()
        }
    }

    #[test]
    fn the_report_at_120_columns() {
        insta::assert_snapshot!(rendered(&sample::report(), &wide(120)));
    }

    #[test]
    fn the_report_at_80_columns() {
        insta::assert_snapshot!(rendered(&sample::report(), &wide(80)));
    }

    #[test]
    fn nothing_found_says_what_was_searched() {
        insta::assert_snapshot!(rendered(&sample::nothing_found(), &wide(80)));
    }

    #[test]
    fn logs_that_could_not_be_read_are_not_taken_for_logs_without_failures() {
        let mut report = sample::nothing_found();
        report.inputs.retain(|input| input.format.is_none());
        report.summary = crate::report::summarise(
            &crate::model::Findings::default(),
            &[],
            &std::collections::BTreeMap::new(),
            0,
        );
        let text = rendered(&report, &wide(80));
        assert!(
            text.starts_with("No request was searched: no log entry could be read\n"),
            "{text}"
        );
        assert!(text.contains("hint: "));
    }

    #[test]
    fn quiet_is_the_answer_alone_and_verbose_every_finding() {
        let report = sample::report();
        let quiet = rendered(
            &report,
            &Style {
                quiet: true,
                ..wide(120)
            },
        );
        assert!(quiet.contains("server.keepAliveTimeout") && !quiet.contains("Evidence"));
        let verbose = rendered(
            &report,
            &Style {
                verbose: 1,
                ..wide(120)
            },
        );
        assert!(
            report
                .findings
                .iter()
                .all(|finding| verbose.contains(&finding.id))
        );
        assert!(!verbose.contains('…'));
    }

    #[test]
    fn no_row_is_wider_than_the_page() {
        for report in [sample::report(), sample::hostile(), sample::nothing_found()] {
            for width in [60, 80, 100, 120, 200] {
                let text = rendered(&report, &wide(width));
                let over: Vec<&str> = text.lines().filter(|row| columns(row) > width).collect();
                assert!(over.is_empty(), "{width}: {over:#?}");
            }
        }
    }

    #[test]
    fn hostile_logs_reach_the_terminal_as_plain_text() {
        let report = sample::hostile();
        for width in [0, 80] {
            let plain = rendered(&report, &wide(width));
            assert!(!plain.chars().any(|c| c != '\n' && acts(c)));
            let colored = rendered(
                &report,
                &Style {
                    color: true,
                    ..wide(width)
                },
            );
            assert!(colored.len() > plain.len());
            assert_eq!(without_own_colors(&colored), plain);
        }
    }

    /// Takes out the sequences that the page itself writes, and no others.
    fn without_own_colors(text: &str) -> String {
        ["0", "1", "1;36", "2", "32", "1;31", "33"]
            .iter()
            .fold(text.to_owned(), |text, code| {
                text.replace(&format!("\x1b[{code}m"), "")
            })
    }

    #[test]
    fn what_a_filter_hides_is_counted() {
        let mut report = sample::nothing_found();
        report.filtered = 127;
        let text = rendered(&report, &wide(80));
        assert!(text.starts_with("No request ended in 502 for the cause and hop asked for\n"));
        assert!(text.contains("\nLeft out: 127 requests with another cause or hop\n"));
    }

    #[test]
    fn a_long_target_is_cut_unless_all_is_to_be_shown() {
        let mut report = sample::report();
        for finding in &mut report.findings {
            finding.request.path = "/x".repeat(4_000);
        }
        let rows = rendered(&report, &wide(80)).lines().count();
        assert!(rows < 200, "{rows} rows");
        let style = Style {
            verbose: 1,
            ..wide(0)
        };
        assert!(rendered(&report, &style).contains(&"/x".repeat(4_000)));
    }

    #[test]
    fn times_are_shown_in_the_zone_asked_for() {
        let style = Style {
            zone: Zone::Named(chrono_tz::Asia::Tokyo),
            ..wide(0)
        };
        let text = rendered(&sample::report(), &style);
        let headline = text.lines().next().unwrap();
        assert!(
            headline.ends_with("between 19:00:05 and 19:14:29 Asia/Tokyo on 2026-11-20"),
            "{headline}"
        );
    }
}
