//! Writing a finished report where the user wants it, and what the exit code says about it.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::say;
use crate::error::Error;
use crate::model::Report;
use crate::plan::{Color, Output, Plan};
use crate::report::{self, Renderer, Style, Supply};
use crate::run;

/// Columns assumed where the terminal does not say.
const COLUMNS: usize = 100;

/// `--fail-on` was met.
const MET: u8 = 1;

/// `--strict` was not met.
const INCOMPLETE: u8 = 2;

/// Writes `report`, of which `supply` has the findings if it has none itself, to every output of `plan`; the exit code. An output that fails does not keep the others from
/// being written, and a closed pipe is no failure.
///
/// # Errors
/// [`Error::Write`] for the first output that failed.
pub fn deliver(plan: &Plan, report: &Report, supply: Option<&dyn Supply>) -> Result<u8, Error> {
    if !plan.quiet && !shows_text(plan) {
        say::warnings(&report.problems);
    }
    let mut failed = None;
    for output in &plan.outputs {
        match write(plan, output, report, supply) {
            Err(error) if !error.is_closed_pipe() => failed = failed.or(Some(error)),
            _ => {}
        }
    }
    if let Some(error) = failed {
        return Err(error);
    }
    if plan.strict
        && let [first, more @ ..] = run::shortfalls(report).as_slice()
    {
        let more = match more.len() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        say::failure(&format!("--strict: {}{more}", first.message), &first.hint);
        return Ok(INCOMPLETE);
    }
    Ok(if fails(plan, report) { MET } else { 0 })
}

/// Whether the report that names the problems goes to where the user looks.
fn shows_text(plan: &Plan) -> bool {
    plan.outputs
        .iter()
        .any(|output| output.file.is_none() && output.format == report::text::Text.name())
}

fn write(plan: &Plan, output: &Output, report: &Report, supply: Option<&dyn Supply>) -> Result<(), Error> {
    let Some(renderer) = report::by_name(output.format) else {
        return Ok(());
    };
    to(plan, output, &mut |style, out| match supply {
        Some(supply) => renderer.stream(report, supply, style, out),
        None => renderer.render(report, style, out),
    })?;
    if let Some(path) = output.file.as_deref().filter(|_| !plan.quiet) {
        say_written(path, report);
    }
    Ok(())
}

/// Gives `render` what `output` is written to, and how it is to look there.
///
/// # Errors
/// [`Error::Write`].
pub(super) fn to(
    plan: &Plan,
    output: &Output,
    render: &mut dyn FnMut(&Style, &mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let name = output
        .file
        .clone()
        .unwrap_or_else(|| PathBuf::from("standard output"));
    let failed = |source| Error::Write {
        path: name.clone(),
        source,
    };
    let mut style = Style {
        color: false,
        ascii: plan.color == Color::Never || !is_utf8(),
        width: COLUMNS,
        verbose: plan.verbose,
        quiet: plan.quiet,
        zone: plan.zone_shown,
    };
    let Some(path) = &output.file else {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        style.color = plan.color.enabled(terminal);
        style.width = if terminal { columns() } else { COLUMNS };
        return render(&style, &mut BufWriter::new(stdout.lock())).map_err(failed);
    };
    // A file is UTF-8 wherever it is written.
    style.ascii = plan.color == Color::Never;
    let file = File::create(path).map_err(failed)?;
    render(&style, &mut BufWriter::new(file)).map_err(failed)
}

fn say_written(path: &Path, report: &Report) {
    let count = report.summary.failed;
    let noun = if count == 1 { "finding" } else { "findings" };
    let _ = writeln!(io::stderr(), "wrote {count} {noun} to {}", path.display());
}

/// Whether the locale's characters are UTF-8, by the first variable that says anything.
fn is_utf8() -> bool {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| said(name));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Width of the terminal: what the environment says, else what the terminal itself says.
fn columns() -> usize {
    let set = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let asked = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    set.or_else(asked).filter(|&width| width >= 40).unwrap_or(COLUMNS)
}

fn fails(plan: &Plan, report: &Report) -> bool {
    plan.fail_on.iter().any(|rule| {
        let asked = report
            .summary
            .causes
            .iter()
            .filter(|count| rule.cause.is_none_or(|cause| cause == count.cause));
        let count: u64 = asked.map(|count| count.count).sum();
        count >= rule.at_least
    })
}
