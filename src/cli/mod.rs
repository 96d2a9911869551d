//! The command line: what may be typed, and the [`Plan`] it means.
//!
//! `why502 PATH...` without a subcommand is the main job, [`Diagnose`]. A subcommand is added as a field
//! of [`Cli`] beside it.

mod args;
mod commands;
mod deliver;
mod formats;
mod lint;
pub mod say;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};

use crate::error::Error;
use crate::plan::Plan;

use args::{ClockArgs, LookArgs, SourceArgs, WindowArgs};
pub use commands::{Command, Job, perform};
pub use deliver::deliver;
use values::{cause, fail_on, list, outputs, statuses, threads};

const USAGE: &str = "why502 [OPTIONS] PATH...\n       why502 COMMAND ...";

const EXAMPLES: &str = "\
Examples:
  why502 logs/                                  every log below logs/, every 502
  why502 'edge/*.log' gw/ --since 10:00         since ten o'clock today (UTC)
  why502 logs/ --around '20/Nov/2026:10:00:05 +0000' --window 2m
  why502 archive/ -S -15m --relative-to-end     its last quarter of an hour
  why502 logs/ --log-format 'edge*=nginx:$remote_addr [$time_local] $status'
  why502 logs/ -o findings.json -o -            JSON to a file, text to stdout
  zcat app.log.gz | why502 edge.log -           standard input is one more log

Times:      2026-11-20T10:00:05Z, '2026-11-20 10:00', 10:00, today, yesterday,
            now, -1h, '1h ago', @1795168805, or a stamp as a log has it.
            Lengths: 90s, 10m, 1h30m, 2d.
Globs:      * stays within a directory, ** does not; a part is enough: edge*
            fits logs/edge/a.log.
Causes:     proxy_timeout, dropped_connection, queueing_delay, keep_alive_race,
            invalid_response, upstream_502, unexplained.
Exit codes: 0 the run came to its end; 1 --fail-on was met; 2 wrong usage,
            unreadable input, unwritable output, or --strict was not met.
Every option may be set in the environment too: --time-zone as WHY502_TIME_ZONE, and so on.";

/// Says why requests ended in 502: reads the logs of every hop, joins them, names the cause.
#[derive(Debug, Parser)]
#[command(name = "why502", version, about, after_help = EXAMPLES, max_term_width = 110)]
#[command(
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
#[command(disable_help_subcommand = true, subcommand_help_heading = "Other jobs", override_usage = USAGE)]
pub struct Cli {
    /// Another job than the main one.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The main job.
    #[command(flatten)]
    pub diagnose: Diagnose,
}

/// Options of the main job, as typed.
#[derive(Debug, Args)]
pub struct Diagnose {
    /// Log file, directory, quoted glob, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Which time is looked at.
    #[command(flatten)]
    pub window: WindowArgs,

    /// How stamps are read and shown.
    #[command(flatten)]
    pub clock: ClockArgs,

    /// Take all clocks as they are
    #[arg(long, help_heading = "Time", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_NO_SKEW", hide_env = true)]
    pub no_skew: bool,

    /// Statuses to diagnose: 502, 5xx, or several
    #[arg(
        long,
        value_name = "LIST",
        default_value = "502",
        help_heading = "What to show"
    )]
    #[arg(env = "WHY502_STATUS", hide_env = true)]
    pub status: String,

    /// Only findings with these causes
    #[arg(long, value_name = "LIST", help_heading = "What to show")]
    #[arg(env = "WHY502_CAUSE", hide_env = true)]
    pub cause: Vec<String>,

    /// Only findings whose issuer is one of these hops
    #[arg(long, value_name = "LIST", help_heading = "What to show")]
    #[arg(env = "WHY502_HOP", hide_env = true)]
    pub hop: Vec<String>,

    /// What the files are.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Write the report to FILE (- is standard output), in the format of its extension
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    #[arg(env = "WHY502_OUTPUT", hide_env = true)]
    pub output: Vec<PathBuf>,

    /// text, json, ndjson, csv, markdown or html, where no extension says [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    #[arg(env = "WHY502_FORMAT", hide_env = true)]
    pub format: Option<String>,

    /// Mask client addresses, values in queries, and names of users, in every output
    #[arg(long, help_heading = "Output", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_REDACT", hide_env = true)]
    pub redact: bool,

    /// How much is said, and how it looks.
    #[command(flatten)]
    pub look: LookArgs,

    /// Exit with 1 if there are N such findings [default N: 1]
    #[arg(long, value_name = "CAUSE|any[:N]", help_heading = "Run")]
    #[arg(env = "WHY502_FAIL_ON", hide_env = true)]
    pub fail_on: Vec<String>,

    /// Exit with 2 if anything could not be read or parsed
    #[arg(long, help_heading = "Run", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_STRICT", hide_env = true)]
    pub strict: bool,

    /// Threads, at most 256 or four per core [default: one per core]
    #[arg(short = 'j', long, value_name = "N", help_heading = "Run")]
    #[arg(env = "WHY502_THREADS", hide_env = true)]
    pub threads: Option<String>,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum Stop {
    /// Help or version was asked for, or an option does not exist; clap words it.
    Clap(clap::Error),
    /// An option has a wrong value.
    Error(Error),
}

/// The present in microseconds since the epoch. `SOURCE_DATE_EPOCH` (seconds) stands in for it, so that two runs can
/// be compared byte by byte.
pub fn now_us() -> i64 {
    let fixed = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    fixed.map_or_else(
        || chrono::Utc::now().timestamp_micros(),
        |seconds| seconds.saturating_mul(1_000_000),
    )
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// [`Stop`] if there is nothing to run.
pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Job, Stop> {
    let cli = Cli::try_parse_from(args).map_err(Stop::Clap)?;
    match cli.command {
        Some(command) => command.job(),
        None => cli.diagnose.plan().map(Job::Diagnose),
    }
    .map_err(Stop::Error)
}

impl Diagnose {
    /// The plan that these options mean.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option and the valid values.
    pub fn plan(self) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        self.clock.put(&mut plan)?;
        self.look.put(&mut plan)?;
        plan.window = self.window.spec(plan.zone_shown)?;
        plan.no_skew = self.no_skew;
        plan.redact = self.redact;
        plan.statuses = statuses(&self.status)?;
        plan.causes = list(&self.cause)
            .map(|name| cause("--cause", name))
            .collect::<Result<_, _>>()?;
        plan.hops = list(&self.hop).map(str::to_owned).collect();
        self.source.put(&mut plan)?;
        plan.outputs = outputs(&self.output, self.format.as_deref())?;
        plan.fail_on = list(&self.fail_on).map(fail_on).collect::<Result<_, _>>()?;
        plan.strict = self.strict;
        plan.threads = threads(self.threads.as_deref())?;
        plan.paths = self.paths;
        Ok(plan)
    }
}

/// Flags may come from the environment, where `0`, `false`, `no` and nothing mean no.
fn flag() -> clap::builder::FalseyValueParser {
    clap::builder::FalseyValueParser::new()
}

#[cfg(test)]
mod tests;
