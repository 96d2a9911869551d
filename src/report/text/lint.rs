//! `why502 lint` for the terminal: the count, the servers in their order, then what is wrong and what to change.

use std::io::{self, Write};

use super::coverage;
use super::page::{Page, Role, Table};
use super::words::{counted, duration};
use crate::model::lint::{Level, LintFinding, LintReport, LintServer};
use crate::report::Style;

pub(in crate::report) fn write(report: &LintReport, style: &Style, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    let mut page = Page::new(&mut out, style);
    page.block(0, (Role::Plain, ""), &[(Role::Title, &headline(report))])?;
    if !style.quiet {
        page.blank()?;
        servers(&mut page, &report.servers)?;
    }
    for finding in &report.findings {
        page.blank()?;
        write_finding(&mut page, finding)?;
    }
    unknown(&mut page, &report.servers)?;
    coverage::problems(&mut page, &report.problems)?;
    out.flush()
}

fn headline(report: &LintReport) -> String {
    let servers = counted(report.servers.len() as u64, "server");
    let count = |level| {
        report
            .findings
            .iter()
            .filter(|finding| finding.level == level)
            .count() as u64
    };
    let parts: Vec<String> = Level::ALL
        .iter()
        .filter(|level| count(**level) > 0)
        .map(|level| counted(count(*level), level.name()))
        .collect();
    match parts.as_slice() {
        [] => format!("{servers}, nothing wrong between them"),
        parts => format!("{servers}: {}", parts.join(", ")),
    }
}

fn servers(page: &mut Page<'_>, servers: &[LintServer]) -> io::Result<()> {
    let mut table = Table::new(
        &["server", "product", "listens on", "sends to", "configuration"],
        &[],
    );
    for server in servers {
        let listed = |all: &[String]| match all {
            [] => "-".to_owned(),
            all => all.join(", "),
        };
        let mut to = server.upstreams.clone();
        if !server.unknown.is_empty() {
            to.push(format!("{} unknown", server.unknown.len()));
        }
        let file = if server.file.is_empty() {
            "-".to_owned()
        } else {
            server.file.clone()
        };
        table.push(vec![
            (Role::Name, server.name.clone()),
            (Role::Plain, server.product.clone()),
            (Role::Plain, listed(&server.listens)),
            (Role::Plain, listed(&to)),
            (Role::Dim, file),
        ]);
    }
    page.table(2, &table)
}

fn write_finding(page: &mut Page<'_>, finding: &LintFinding) -> io::Result<()> {
    let role = match finding.level {
        Level::Error => Role::Bad,
        Level::Warning => Role::Warn,
        Level::Note => Role::Dim,
    };
    let label = format!("{}: ", finding.level.name());
    page.block(0, (role, &label), &[(Role::Title, &finding.summary)])?;
    let pair = match finding.upstream.as_str() {
        "" => finding.downstream.clone(),
        upstream => format!("{} -> {upstream}", finding.downstream),
    };
    let places = match finding.places.as_slice() {
        [] => String::new(),
        places => format!(", for {}", places.join(", ")),
    };
    page.block(
        4,
        (Role::Dim, "where  "),
        &[(Role::Plain, &format!("{pair}{places} ({})", finding.rule))],
    )?;
    for value in &finding.values {
        let length = value.value_ms.map_or_else(|| "no limit".to_owned(), length);
        let text = match value.setting.as_str() {
            "" => format!("{}: {length} ({})", value.server, value.origin),
            setting => {
                let setting = setting.trim_end_matches('=');
                format!("{}: {setting} = {length} ({})", value.server, value.origin)
            }
        };
        page.block(4, (Role::Dim, "       "), &[(Role::Plain, &text)])?;
    }
    page.block(4, (Role::Dim, "why    "), &[(Role::Plain, &finding.why)])?;
    for (at, change) in finding.changes.iter().enumerate() {
        let label = if at == 0 { "fix    " } else { "or     " };
        let text = format!(
            "{} ({}): {} -> {} (now {})",
            change.hop, change.product, change.setting, change.proposed, change.current
        );
        page.block(4, (Role::Good, label), &[(Role::Plain, &text)])?;
    }
    if !finding.cost.is_empty() {
        let label = if finding.changes.is_empty() {
            "fix    "
        } else {
            "note   "
        };
        page.block(4, (Role::Dim, label), &[(Role::Plain, &finding.cost)])?;
    }
    Ok(())
}

/// Whole seconds need no decimals.
fn length(ms: f64) -> String {
    if ms >= 1_000.0 && ms % 1_000.0 == 0.0 {
        format!("{:.0} s", ms / 1_000.0)
    } else {
        duration(ms)
    }
}

/// Names the addresses of which nothing is known, so that silence about them is not taken for their health.
fn unknown(page: &mut Page<'_>, servers: &[LintServer]) -> io::Result<()> {
    for server in servers.iter().filter(|server| !server.unknown.is_empty()) {
        page.blank()?;
        let first = server.unknown.first().map_or("", String::as_str);
        page.block(
            0,
            (Role::Warn, "Not known: "),
            &[(
                Role::Plain,
                &format!("what {} sends to at {}", server.name, server.unknown.join(", ")),
            )],
        )?;
        let hint = format!(
            "add that server's configuration, or say its keep-alive time: --limit {first}.idle=5s, or a why502.toml"
        );
        page.block(2, (Role::Good, "hint: "), &[(Role::Plain, &hint)])?;
    }
    Ok(())
}
