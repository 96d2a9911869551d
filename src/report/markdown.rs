//! The report as Markdown, for tickets and post-mortems: what, since when, what coincided, what to change, then one
//! request of each with its lines.
//!
//! Everything from logs is escaped; lines stand in fenced blocks whose fence is longer than any run of backticks in
//! them.

use std::fmt::Write as _;
use std::io;

use super::groups::{self, Group};
use super::{Renderer, Style, escape};
use crate::model::Report;
use crate::model::finding::{Change, Finding, Weight};
use crate::model::time::told;

/// The whole report as Markdown.
pub struct Markdown;

impl Renderer for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["md", "markdown"]
    }

    fn render(&self, report: &Report, _: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        let groups = groups::of(report);
        let mut text = String::new();
        answer(&mut text, report, &groups);
        for group in &groups {
            details(&mut text, group);
        }
        near_misses(&mut text, report);
        inputs(&mut text, report);
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

// Writing to a string does not fail; `let _` says so.
fn answer(text: &mut String, report: &Report, groups: &[Group<'_>]) {
    let _ = writeln!(text, "# Why requests failed\n");
    let _ = writeln!(
        text,
        "{} of {} requests failed ({}).\n",
        report.summary.failed,
        report.summary.requests,
        plain(&report.statuses.join(", "))
    );
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(text, "| requests | cause | between | since | last | certainty |");
    let _ = writeln!(text, "| ---: | --- | --- | --- | --- | --- |");
    for group in groups {
        let count = &group.count;
        let _ = writeln!(
            text,
            "| {} | {}: {} | {} | {} | {} | {} |",
            count.count,
            plain(count.cause.name()),
            plain(&group.what()),
            plain(&group.hops()),
            plain(&told(count.first)),
            plain(&told(count.last)),
            count.certainty.name()
        );
    }
}

fn details(text: &mut String, group: &Group<'_>) {
    let count = &group.count;
    let _ = writeln!(
        text,
        "\n## {}: {}\n",
        plain(count.cause.name()),
        plain(&group.what())
    );
    let _ = writeln!(text, "{}, {} requests.\n", plain(&group.pair()), count.count);
    for one in group.incidents.iter().flat_map(|incident| &incident.coincided) {
        let _ = writeln!(
            text,
            "- At that time ({}): {}",
            plain(&one.time.to_string()),
            plain(&one.what)
        );
    }
    if let Some(fix) = &count.fix {
        let _ = writeln!(text, "\n**Fix:** {}\n", plain(&fix.summary));
        for change in &fix.changes {
            changed(text, change);
        }
    }
    if let Some(finding) = groups::ranked_leading(group).first() {
        example(text, finding);
    }
}

fn changed(text: &mut String, change: &Change) {
    let _ = writeln!(
        text,
        "- {} ({}): {} → {} (now {})",
        plain(&change.hop),
        plain(&change.product),
        plain(&change.setting),
        plain(&change.proposed),
        plain(&change.current)
    );
}

fn example(text: &mut String, finding: &Finding) {
    let request = &finding.request;
    let _ = writeln!(
        text,
        "\nExample: {} {}{} at {} answered {}, {} ({:.2}), finding {}.\n",
        plain(&request.method),
        plain(&request.host),
        plain(&request.path),
        plain(&told(finding.time)),
        finding.status,
        finding.certainty.name(),
        finding.score,
        plain(&finding.id)
    );
    for evidence in &finding.evidence {
        let weight = match evidence.weight {
            Weight::Proof => "proof",
            Weight::Strong => "strong",
            Weight::Weak => "weak",
            Weight::Counter => "against",
            Weight::Context => "context",
        };
        let _ = writeln!(text, "- *{weight}*: {}", plain(&evidence.fact));
        if !evidence.text.is_empty() {
            let _ = writeln!(text, "  {}:{}\n", plain(&evidence.file), evidence.line);
            let line = escape::terminal(&evidence.text);
            let fence = fence(&line);
            let _ = writeln!(text, "  {fence}text\n  {line}\n  {fence}\n");
        }
    }
    for rival in &finding.rivals {
        let name = format!("{}/{}", rival.cause.name(), rival.subtype.name());
        let _ = writeln!(
            text,
            "- *ruled out* {}: {}",
            plain(&name),
            plain(&rival.rejected_because)
        );
    }
    for missing in &finding.missing {
        let _ = writeln!(text, "- *missing*: {}", plain(missing));
    }
}

fn near_misses(text: &mut String, report: &Report) {
    if report.near_misses.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n## Near misses: saved by a retry\n");
    let _ = writeln!(
        text,
        "| requests | hop | upstream | cause |\n| ---: | --- | --- | --- |"
    );
    for miss in &report.near_misses {
        let cause = format!("{}/{}", miss.cause.name(), miss.subtype.name());
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            miss.count,
            plain(&miss.hop),
            plain(&miss.upstream),
            plain(&cause)
        );
    }
}

fn inputs(text: &mut String, report: &Report) {
    let _ = writeln!(text, "\n## What was read\n");
    let _ = writeln!(
        text,
        "| file | format | hop | lines | unparsed |\n| --- | --- | --- | ---: | ---: |"
    );
    for input in &report.inputs {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} |",
            plain(&input.path),
            plain(input.format.as_deref().unwrap_or("not known")),
            plain(input.hop.as_deref().unwrap_or("")),
            input.lines,
            input.unparsed
        );
    }
    for problem in &report.problems {
        let _ = writeln!(text, "\n- {}: {}", plain(&problem.message), plain(&problem.hint));
    }
}

/// A fence longer than any run of backticks in `line`.
fn fence(line: &str) -> String {
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(3))
}

/// `text` with everything escaped that Markdown, HTML or a terminal would act on.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in escape::terminal(text).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' => {
                out.push('\\');
                out.push(c);
            }
            // An address of the web would become a link.
            ':' if out.ends_with("http") || out.ends_with("https") => out.push_str("&#58;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn rendered(report: &Report) -> String {
        let mut out = Vec::new();
        Markdown.render(report, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_report_as_markdown() {
        let mut report = sample::report();
        let mut seen = std::collections::BTreeSet::new();
        report.findings.retain(|finding| seen.insert(finding.cause));
        insta::assert_snapshot!(rendered(&report));
    }

    #[test]
    fn nothing_from_a_log_is_markup() {
        assert_eq!(
            plain("<b>`x` *y* [a](http://e) | #"),
            "&lt;b&gt;\\`x\\` \\*y\\* \\[a\\](http&#58;//e) \\| \\#"
        );
        let mut report = sample::hostile();
        for finding in &mut report.findings {
            finding.request.path = "/<script>alert(1)</script>|```".to_owned();
            for evidence in &mut finding.evidence {
                evidence.text = "x ``` \n# y <script>".to_owned();
            }
        }
        let text = rendered(&report);
        assert!(!text.chars().any(|c| c != '\n' && escape::acts(c)));
        let outside: String = text.lines().filter(|line| !line.starts_with("  ")).collect();
        assert!(!outside.contains("<script"), "{outside}");
        assert!(text.contains("  ````text"));
    }
}
