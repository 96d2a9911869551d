//! The report as one HTML page: no script, nothing loaded from anywhere, so that it can be kept and sent.

use std::fmt::Write as _;
use std::io;

use super::groups::{self, Group};
use super::{Renderer, Style, escape};
use crate::model::Report;
use crate::model::finding::{Finding, Weight};
use crate::model::time::told;

/// The whole report as one page.
pub struct Html;

/// How the page looks. Colours follow the reader's light or dark setting.
const STYLE: &str = "\
:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:72em;margin:2em auto;padding:0 1em}\
h1,h2{line-height:1.2}table{border-collapse:collapse}th,td{text-align:left;padding:.25em .75em;\
border-bottom:1px solid #8886;vertical-align:top}td.n{text-align:right}pre{white-space:pre-wrap;\
overflow-wrap:anywhere;background:#8882;padding:.5em}summary{cursor:pointer}.sure{font-weight:600}";

impl Renderer for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["html", "htm"]
    }

    fn render(&self, report: &Report, _: &Style, out: &mut dyn io::Write) -> io::Result<()> {
        let groups = groups::of(report);
        let mut page = String::new();
        head(&mut page, report, &groups);
        for (at, group) in groups.iter().enumerate() {
            section(&mut page, at, group);
        }
        inputs(&mut page, report);
        page.push_str("</body>\n</html>\n");
        out.write_all(page.as_bytes())?;
        out.flush()
    }
}

// Writing to a string does not fail; `let _` says so.
fn head(page: &mut String, report: &Report, groups: &[Group<'_>]) {
    let _ = writeln!(
        page,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Why requests failed</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<h1>{} of {} requests failed</h1>",
        report.summary.failed, report.summary.requests
    );
    page.push_str("<table>\n<tr><th>requests<th>cause<th>between<th>since<th>last<th>certainty</tr>\n");
    for (at, group) in groups.iter().enumerate() {
        let count = &group.count;
        let _ = writeln!(
            page,
            "<tr><td class=\"n\">{}<td><a href=\"#g{at}\">{}</a>: {}<td>{}<td>{}<td>{}<td>{}</tr>",
            count.count,
            count.cause.name(),
            text(&group.what()),
            text(&group.hops()),
            text(&told(count.first)),
            text(&told(count.last)),
            count.certainty.name()
        );
    }
    page.push_str("</table>\n");
}

fn section(page: &mut String, at: usize, group: &Group<'_>) {
    let count = &group.count;
    let _ = writeln!(
        page,
        "<h2 id=\"g{at}\">{}: {}</h2>",
        count.cause.name(),
        text(&group.what())
    );
    let _ = writeln!(page, "<p>{}, {} requests.</p>", text(&group.pair()), count.count);
    for one in group.incidents.iter().flat_map(|incident| &incident.coincided) {
        let _ = writeln!(
            page,
            "<p>At that time ({}): {}</p>",
            text(&one.time.to_string()),
            text(&one.what)
        );
    }
    if let Some(fix) = &count.fix {
        let _ = writeln!(page, "<p><b>Fix:</b> {}</p>\n<ul>", text(&fix.summary));
        for change in &fix.changes {
            let _ = writeln!(
                page,
                "<li>{} ({}): <code>{}</code> &rarr; <code>{}</code> (now {})",
                text(&change.hop),
                text(&change.product),
                text(&change.setting),
                text(&change.proposed),
                text(&change.current)
            );
        }
        page.push_str("</ul>\n");
    }
    for finding in groups::ranked_leading(group) {
        one(page, finding);
    }
}

fn one(page: &mut String, finding: &Finding) {
    let request = &finding.request;
    let _ = writeln!(
        page,
        "<details>\n<summary>{} {} {}{} answered {}, <span class=\"sure\">{}</span> ({:.2}), {}</summary>\n<ul>",
        text(&told(finding.time)),
        text(&request.method),
        text(&request.host),
        text(&request.path),
        finding.status,
        finding.certainty.name(),
        finding.score,
        text(&finding.id)
    );
    for evidence in &finding.evidence {
        let weight = match evidence.weight {
            Weight::Proof => "proof",
            Weight::Strong => "strong",
            Weight::Weak => "weak",
            Weight::Counter => "against",
            Weight::Context => "context",
        };
        let _ = writeln!(page, "<li><i>{weight}</i>: {}", text(&evidence.fact));
        if !evidence.text.is_empty() {
            let _ = writeln!(
                page,
                "<br>{}:{}<pre>{}</pre>",
                text(&evidence.file),
                evidence.line,
                text(&evidence.text)
            );
        }
    }
    for rival in &finding.rivals {
        let _ = writeln!(
            page,
            "<li><i>ruled out</i> {}/{}: {}",
            rival.cause.name(),
            rival.subtype.name(),
            text(&rival.rejected_because)
        );
    }
    for missing in &finding.missing {
        let _ = writeln!(page, "<li><i>missing</i>: {}", text(missing));
    }
    page.push_str("</ul>\n</details>\n");
}

fn inputs(page: &mut String, report: &Report) {
    page.push_str(
        "<h2>What was read</h2>\n<table>\n<tr><th>file<th>format<th>hop<th>lines<th>unparsed</tr>\n",
    );
    for input in &report.inputs {
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td>{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
            text(&input.path),
            text(input.format.as_deref().unwrap_or("not known")),
            text(input.hop.as_deref().unwrap_or("")),
            input.lines,
            input.unparsed
        );
    }
    page.push_str("</table>\n");
    for problem in &report.problems {
        let _ = writeln!(page, "<p>{}: {}</p>", text(&problem.message), text(&problem.hint));
    }
}

/// `raw` as text of a page.
fn text(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for c in escape::terminal(raw).chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
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
        Html.render(report, &Style::default(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn nothing_from_a_log_is_markup_and_nothing_is_loaded() {
        let mut report = sample::hostile();
        for finding in &mut report.findings {
            finding.request.path = "/\"><script>alert('x')</script>".to_owned();
            for evidence in &mut finding.evidence {
                evidence.text = "</pre><img src=x onerror=alert(1)>".to_owned();
            }
        }
        let page = rendered(&report);
        assert!(!page.contains("<script") && !page.contains("<img"));
        assert!(!page.chars().any(|c| c != '\n' && escape::acts(c)));
        assert!(
            page.contains("default-src 'none'") && !page.contains("http://") && !page.contains("https://")
        );
    }

    #[test]
    fn every_finding_is_on_the_page() {
        let report = sample::report();
        let page = rendered(&report);
        assert!(report.findings.iter().all(|finding| page.contains(&finding.id)));
        assert_eq!(
            page.matches("<details>").count(),
            page.matches("</details>").count()
        );
    }
}
