//! The report for the terminal: the answer first, then what proves it, then what was read.

mod answer;
mod coverage;
pub(super) mod detect;
mod evidence;
mod page;
mod words;

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::summary::{Key, key_of, key_of_count};
use super::{Renderer, Style};
use crate::model::finding::{CauseCount, Finding};
use crate::model::{Micros, Report, Subtype};
use page::Page;
use words::Clock;

/// Causes listed unless `-v` is given.
const CAUSES_SHOWN: usize = 8;

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
    causes: Vec<CauseCount>,
    groups: BTreeMap<Key<'a>, Vec<&'a Finding>>,
}

/// What a reader need not tell apart: how a lost race ended is chance, and the fix is the same.
const fn shown_as(subtype: Subtype) -> Subtype {
    match subtype {
        Subtype::RstOnReuse => Subtype::FinBeforeRequest,
        other => other,
    }
}

/// The findings by what is shown as one, each group in the order of `findings`.
fn groups(findings: &[Finding]) -> BTreeMap<Key<'_>, Vec<&Finding>> {
    let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for finding in findings {
        let (cause, subtype, issuer, upstream) = key_of(finding);
        let key = (cause, shown_as(subtype), issuer, upstream);
        groups.entry(key).or_default().push(finding);
    }
    groups
}

/// The counts of what is shown as one, the most frequent first.
fn merged(counts: &[CauseCount]) -> Vec<CauseCount> {
    let mut all: Vec<CauseCount> = Vec::with_capacity(counts.len());
    for count in counts {
        let count = CauseCount {
            subtype: shown_as(count.subtype),
            ..count.clone()
        };
        match all
            .iter_mut()
            .find(|known| key_of_count(known) == key_of_count(&count))
        {
            Some(known) => {
                known.count += count.count;
                known.first = known.first.min(count.first);
                known.last = known.last.max(count.last);
                known.certainty = known.certainty.min(count.certainty);
                known.fix = known.fix.take().or(count.fix);
            }
            None => all.push(count),
        }
    }
    all.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    all
}

impl<'a> View<'a> {
    fn new(report: &'a Report, style: &Style) -> Self {
        let times = || report.findings.iter().map(|f| f.time);
        let span = times().min().zip(times().max());
        Self {
            report,
            verbose: style.verbose > 0,
            clock: Clock::new(style.zone, span.or_else(|| read_span(report))),
            span,
            causes: merged(&report.summary.causes),
            groups: groups(&report.findings),
        }
    }

    /// The causes to list.
    fn causes(&self) -> &[CauseCount] {
        let causes = self.causes.as_slice();
        if self.verbose {
            return causes;
        }
        &causes[..causes.len().min(CAUSES_SHOWN)]
    }

    fn findings<'s>(&'s self, count: &'s CauseCount) -> &'s [&'a Finding] {
        let groups: &BTreeMap<Key<'s>, Vec<&'a Finding>> = &self.groups;
        groups.get(&key_of_count(count)).map_or(&[], Vec::as_slice)
    }

    /// `edge-nginx -> orders-app`.
    fn hops(count: &CauseCount) -> String {
        let issuer = match count.issuer.as_str() {
            "" => "unknown hop",
            issuer => issuer,
        };
        match count.upstream.as_str() {
            "" => issuer.to_owned(),
            upstream => format!("{issuer} -> {upstream}"),
        }
    }

    /// `edge-nginx -> orders-app (10.0.0.3:8080)`.
    fn pair(&self, count: &CauseCount) -> String {
        let findings = self.findings(count).iter();
        let mut addresses: Vec<&str> = findings.map(|f| f.issuer.upstream.as_str()).collect();
        addresses.retain(|address| !address.is_empty() && *address != count.upstream);
        addresses.sort_unstable();
        addresses.dedup();
        let hops = Self::hops(count);
        match addresses.as_slice() {
            [] => hops,
            [one] => format!("{hops} ({one})"),
            [one, rest @ ..] => format!("{hops} ({one} and {} more)", rest.len()),
        }
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
        report.summary = crate::report::summarise(&[], &[], &BTreeMap::new(), 0);
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
