//! The command line: what may be typed, and the [`Plan`] it means.
//!
//! `why502 PATH...` without a subcommand is the main job, [`Diagnose`]. A subcommand is added as a field
//! of [`Cli`] beside it.

mod deliver;
pub mod say;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser};

use crate::error::Error;
use crate::plan::window::{self, AROUND_US};
use crate::plan::{Moment, Plan, Rule, Statuses, WindowSpec, Zone, duration};

pub use deliver::deliver;
use values::{cause, color, fail_on, hop_name, is_set, length, list, log_format, outputs, rules, threads};

const EXAMPLES: &str = "\
Examples:
  why502 logs/                                  every log below logs/, every 502
  why502 'edge/*.log' gw/ --since 10:00         since ten o'clock today (UTC)
  why502 logs/ --around '20/Nov/2026:10:00:05 +0000' --window 2m
  why502 archive/ -S -15m --relative-to-end     the last quarter of an hour of an archive
  why502 logs/ --log-format 'edge*=nginx:$remote_addr [$time_local] \"$request\" $status $request_time'
  why502 logs/ -o findings.json -o -            JSON to a file, the report to the terminal
  zcat app.log.gz | why502 edge.log -           standard input is one more log

Times:      2026-11-20T10:00:05Z, '2026-11-20 10:00', 10:00, today, yesterday, now, -1h, '1h ago',
            @1795168805, or a stamp as a log has it. Lengths: 90s, 10m, 1h30m, 2d.
Globs:      * stays within a directory, ** does not; a part is enough: edge* fits logs/edge/a.log.
Causes:     proxy_timeout, dropped_connection, queueing_delay, keep_alive_race,
            invalid_response, upstream_502, unexplained.
Exit codes: 0 the run came to its end; 1 --fail-on was met; 2 wrong usage, unreadable input,
            unwritable output, or --strict was not met.
Every option may be set in the environment too: --time-zone as WHY502_TIME_ZONE, and so on.";

/// Says why requests ended in 502: reads the logs of every hop, joins them, names the cause.
#[derive(Debug, Parser)]
#[command(name = "why502", version, about, after_help = EXAMPLES, max_term_width = 110, arg_required_else_help = true)]
pub struct Cli {
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

    /// Only what happened at TIME or later
    #[arg(
        short = 'S',
        long,
        value_name = "TIME",
        help_heading = "Time",
        allow_hyphen_values = true
    )]
    #[arg(env = "WHY502_SINCE", hide_env = true)]
    pub since: Option<String>,

    /// Only what happened before TIME
    #[arg(
        short = 'U',
        long,
        value_name = "TIME",
        help_heading = "Time",
        allow_hyphen_values = true
    )]
    #[arg(env = "WHY502_UNTIL", hide_env = true)]
    pub until: Option<String>,

    /// Only what happened near TIME: see --window
    #[arg(long, value_name = "TIME", help_heading = "Time", allow_hyphen_values = true)]
    #[arg(conflicts_with_all = ["since", "until"], env = "WHY502_AROUND", hide_env = true)]
    pub around: Option<String>,

    /// How far --around reaches to both sides [default: 5m]
    #[arg(long, value_name = "LENGTH", help_heading = "Time", requires = "around")]
    #[arg(env = "WHY502_WINDOW", hide_env = true)]
    pub window: Option<String>,

    /// Count relative times back from the last entry instead of now
    #[arg(long, help_heading = "Time", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_RELATIVE_TO_END", hide_env = true)]
    pub relative_to_end: bool,

    /// Zone of stamps that carry none [default: UTC]
    #[arg(
        long,
        value_name = "[GLOB=]ZONE",
        help_heading = "Time",
        allow_hyphen_values = true
    )]
    #[arg(env = "WHY502_TZ", hide_env = true)]
    pub tz: Vec<String>,

    /// Zone in which times are shown and read [default: UTC]
    #[arg(
        short = 'Z',
        long,
        value_name = "ZONE",
        help_heading = "Time",
        allow_hyphen_values = true
    )]
    #[arg(env = "WHY502_TIME_ZONE", hide_env = true)]
    pub time_zone: Option<String>,

    /// The same with the zone of this machine
    #[arg(short = 'L', long, help_heading = "Time", conflicts_with = "time_zone", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_LOCAL", hide_env = true)]
    pub local: bool,

    /// Add a length to the stamps of some files, as in 'edge*=+2.3s'
    #[arg(
        long,
        value_name = "GLOB=LENGTH",
        help_heading = "Time",
        allow_hyphen_values = true
    )]
    #[arg(env = "WHY502_OFFSET", hide_env = true)]
    pub offset: Vec<String>,

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

    /// Names of the hops, outermost first, as in 'edge=nginx*,app=orders*' [default: inferred]
    #[arg(long, value_name = "NAME=GLOB,...", help_heading = "What is there")]
    #[arg(env = "WHY502_HOPS", hide_env = true)]
    pub hops: Vec<String>,

    /// Configuration of a server (nginx.conf, haproxy.cfg, ...); beside the logs it is found by itself
    #[arg(long, value_name = "PATH", help_heading = "What is there")]
    #[arg(env = "WHY502_SERVER_CONFIG", hide_env = true)]
    pub server_config: Vec<PathBuf>,

    /// Format of files, by name [default: recognised]
    #[arg(long, value_name = "[GLOB=]NAME", help_heading = "What is there")]
    #[arg(env = "WHY502_INPUT_FORMAT", hide_env = true)]
    pub input_format: Vec<String>,

    /// Format of files in the server's own words, after nginx:, apache: or haproxy:
    #[arg(long, value_name = "[GLOB=]SERVER:FORMAT", help_heading = "What is there")]
    #[arg(env = "WHY502_LOG_FORMAT", hide_env = true)]
    pub log_format: Vec<String>,

    /// Write the report to FILE (- is standard output), in the format of its extension
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    #[arg(env = "WHY502_OUTPUT", hide_env = true)]
    pub output: Vec<PathBuf>,

    /// text or json, where no extension says [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    #[arg(env = "WHY502_FORMAT", hide_env = true)]
    pub format: Option<String>,

    /// When to colour: auto, always, never
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    #[arg(env = "WHY502_COLOR", hide_env = true)]
    pub color: String,

    /// Only the report and errors, no warnings
    #[arg(short, long, help_heading = "Output", conflicts_with = "verbose", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_QUIET", hide_env = true)]
    pub quiet: bool,

    /// More about what was read and inferred; twice for all of it
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count)]
    #[arg(env = "WHY502_VERBOSE", hide_env = true)]
    pub verbose: u8,

    /// No progress while reading
    #[arg(long, help_heading = "Output", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_NO_PROGRESS", hide_env = true)]
    pub no_progress: bool,

    /// Exit with 1 if there are N such findings [default N: 1]
    #[arg(long, value_name = "CAUSE|any[:N]", help_heading = "Run")]
    #[arg(env = "WHY502_FAIL_ON", hide_env = true)]
    pub fail_on: Vec<String>,

    /// Exit with 2 if anything could not be read or parsed
    #[arg(long, help_heading = "Run", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_STRICT", hide_env = true)]
    pub strict: bool,

    /// Threads [default: one per core]
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
pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Plan, Stop> {
    let cli = Cli::try_parse_from(args).map_err(Stop::Clap)?;
    cli.diagnose.plan().map_err(Stop::Error)
}

impl Diagnose {
    /// The plan that these options mean.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option and the valid values.
    pub fn plan(self) -> Result<Plan, Error> {
        let zone_shown = self.zone_shown()?;
        let color = color(&self.color)?;
        Ok(Plan {
            window: self.window(zone_shown)?,
            zone_shown,
            zones: rules("--tz", &self.tz, |text| {
                Zone::parse(text)
                    .map_err(|what| (what, "an IANA name, an offset such as +02:00, UTC, or local"))
            })?,
            offsets: self.offsets()?,
            no_skew: self.no_skew,
            statuses: Statuses::parse(&self.status).map_err(|what| {
                Error::usage(
                    "--status",
                    what,
                    "valid: 502, a class such as 5xx, or a list of them",
                )
            })?,
            causes: list(&self.cause)
                .map(|name| cause("--cause", name))
                .collect::<Result<_, _>>()?,
            hops: list(&self.hop).map(str::to_owned).collect(),
            hop_names: list(&self.hops).map(hop_name).collect::<Result<_, _>>()?,
            input_formats: rules("--input-format", &self.input_format, |text| Ok(text.to_owned()))?,
            log_formats: self
                .log_format
                .iter()
                .map(|text| log_format(text))
                .collect::<Result<_, _>>()?,
            outputs: outputs(&self.output, self.format.as_deref())?,
            fail_on: list(&self.fail_on).map(fail_on).collect::<Result<_, _>>()?,
            strict: self.strict,
            threads: threads(self.threads.as_deref())?,
            block_bytes: Plan::BLOCK_BYTES,
            color: color.with_environment(is_set("NO_COLOR"), is_set("CLICOLOR_FORCE")),
            quiet: self.quiet,
            verbose: self.verbose,
            progress: !self.no_progress && !self.quiet,
            server_configs: self.server_config,
            paths: self.paths,
        })
    }

    fn zone_shown(&self) -> Result<Zone, Error> {
        match &self.time_zone {
            _ if self.local => Ok(Zone::Local),
            Some(text) => {
                Zone::parse(text).map_err(|what| Error::usage("--time-zone", what, "-L shows local time"))
            }
            None => Ok(Zone::Utc),
        }
    }

    fn window(&self, zone: Zone) -> Result<WindowSpec, Error> {
        let moment = |option: &str, text: &Option<String>| {
            let text = text.as_deref();
            let read = |text| Moment::parse(text).map_err(|what| Error::usage(option, what, window::FORMS));
            text.map(read).transpose()
        };
        let half_us = match &self.window {
            None => AROUND_US,
            Some(text) => length("--window", text)?,
        };
        let spec = WindowSpec {
            since: moment("--since", &self.since)?,
            until: moment("--until", &self.until)?,
            around: moment("--around", &self.around)?.map(|center| (center, half_us)),
            relative_to_end: self.relative_to_end,
            zone,
        };
        if !spec.needs_last_entry() {
            let now_us = now_us();
            spec.resolve(now_us, None)
                .map_err(|what| Error::usage("--until", what, "let --since be earlier than --until"))?;
        }
        Ok(spec)
    }

    fn offsets(&self) -> Result<Vec<Rule<i64>>, Error> {
        let forms = "write GLOB=+LENGTH or GLOB=-LENGTH, as in 'edge*=+2.3s'";
        let rules = rules("--offset", &self.offset, |text| {
            duration::parse_signed(text).ok_or((format!("'{text}' is not a length of time"), forms))
        })?;
        match rules.iter().any(|rule| rule.pattern.is_none()) {
            true => Err(Error::usage(
                "--offset",
                "no glob says which files it is for",
                forms,
            )),
            false => Ok(rules),
        }
    }
}

/// Flags may come from the environment, where `0`, `false`, `no` and nothing mean no.
fn flag() -> clap::builder::FalseyValueParser {
    clap::builder::FalseyValueParser::new()
}

#[cfg(test)]
mod tests;
