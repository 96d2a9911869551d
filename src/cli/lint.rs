//! The command `lint`.

use std::path::PathBuf;

use clap::Args;

use super::args::LookArgs;
use super::values::{hop_name, limit, list, outputs};
use super::{deliver, say};
use crate::error::Error;
use crate::model::lint::{Level, LintReport};
use crate::plan::Plan;
use crate::report;
use crate::run;

/// `--fail-on` was met.
const MET: u8 = 1;

const HELP: &str = "\
Servers are found by their configuration; who sends to whom, by the addresses in it. What cannot be read (the \
keep-alive time of a Node application, say) is given with --limit or in a why502.toml beside the configurations.

Limits: idle, upstream_idle, connect, tls, response, send, total, queue, worker_kill, drain, recycle.";

/// Options of `lint`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub struct LintArgs {
    /// Configuration file of a server, or a directory that holds some
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Names of the servers, outermost first, as in 'edge=nginx*,app=orders*' [default: their directories]
    #[arg(long, value_name = "NAME=GLOB,...", help_heading = "What is there")]
    pub hops: Vec<String>,

    /// A timer that no configuration says, as in app.idle=5s or 10.0.0.3:3000.idle=5s
    #[arg(long, value_name = "HOP.LIMIT=LENGTH", help_heading = "What is there")]
    pub limit: Vec<String>,

    /// The least that is shown: error, warning or note [default: note]
    #[arg(long, value_name = "LEVEL", help_heading = "What to show")]
    pub level: Option<String>,

    /// Exit with 1 if there are N findings of that level or a worse one [default N: 1]
    #[arg(long, value_name = "LEVEL[:N]", help_heading = "Run")]
    pub fail_on: Vec<String>,

    /// Write to FILE (- is standard output), as text or JSON by its extension
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,

    /// text or json, where no extension says [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub format: Option<String>,

    /// How much is said, and how it looks.
    #[command(flatten)]
    pub look: LookArgs,
}

/// What `lint` is to do.
#[derive(Debug)]
pub struct LintJob {
    plan: Plan,
    least: Level,
    fail_on: Vec<(Level, usize)>,
}

impl LintArgs {
    /// The job that these options mean.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option and the valid values.
    pub(super) fn job(self) -> Result<LintJob, Error> {
        let mut plan = Plan::default();
        self.look.put(&mut plan)?;
        plan.hop_names = list(&self.hops).map(hop_name).collect::<Result<_, _>>()?;
        plan.given = list(&self.limit).map(limit).collect::<Result<_, _>>()?;
        plan.outputs = outputs(&self.output, self.format.as_deref())?;
        if plan
            .outputs
            .iter()
            .any(|output| !matches!(output.format, "text" | "json"))
        {
            let what = "lint writes text and JSON only";
            return Err(Error::usage("--format", what, "valid: text, json"));
        }
        plan.paths = self.paths;
        let least = self
            .level
            .as_deref()
            .map(|name| level("--level", name))
            .transpose()?;
        Ok(LintJob {
            plan,
            least: least.unwrap_or(Level::Note),
            fail_on: list(&self.fail_on).map(fail_on).collect::<Result<_, _>>()?,
        })
    }
}

fn level(option: &str, name: &str) -> Result<Level, Error> {
    let known = Level::ALL.into_iter().find(|level| level.name() == name);
    known.ok_or_else(|| {
        Error::usage(
            option,
            format!("unknown level '{name}'"),
            "valid: error, warning, note",
        )
    })
}

fn fail_on(text: &str) -> Result<(Level, usize), Error> {
    let (name, number) = text.split_once(':').unwrap_or((text, "1"));
    let number = number.parse().ok().filter(|n| *n > 0).ok_or_else(|| {
        let what = format!("what follows the colon in '{text}' is not a number above zero");
        Error::usage("--fail-on", what, "write warning:5, or a level alone")
    })?;
    Ok((level("--fail-on", name)?, number))
}

/// Does `job`; the exit code.
///
/// # Errors
/// What ended it.
pub(super) fn perform(job: &LintJob) -> Result<u8, Error> {
    let plan = run::settle(&job.plan)?;
    let mut report = run::lint(&plan)?;
    let code = if fails(job, &report) { MET } else { 0 };
    report.findings.retain(|finding| finding.level <= job.least);
    if !plan.quiet && plan.outputs.iter().all(|output| output.format != "text") {
        say::warnings(&report.problems);
    }
    for output in &plan.outputs {
        deliver::to(&plan, output, &mut |style, out| {
            if output.format == "json" {
                report::lint::json(&report, out)
            } else {
                report::lint::text(&report, style, out)
            }
        })?;
    }
    Ok(code)
}

fn fails(job: &LintJob, report: &LintReport) -> bool {
    let count = |least: Level| {
        report
            .findings
            .iter()
            .filter(|finding| finding.level <= least)
            .count()
    };
    job.fail_on.iter().any(|(level, number)| count(*level) >= *number)
}
