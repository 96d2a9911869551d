//! Options that several commands share, and what they mean for the [`Plan`].

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::values::{self, color, hop_name, is_set, length, limit, list, log_format, rules};
use super::{flag, now_us};
use crate::error::Error;
use crate::plan::window::{self, AROUND_US};
use crate::plan::{Moment, Plan, Rule, WindowSpec, Zone, duration};

/// Which time is looked at.
#[derive(Debug, Args)]
pub struct WindowArgs {
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

    /// Only what happened before TIME; a clock time alone is of the day that --since names, or the next
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
}

/// How stamps are read and shown.
#[derive(Debug, Args)]
pub struct ClockArgs {
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
}

/// What the files are.
#[derive(Debug, Args)]
pub struct SourceArgs {
    /// Names of the hops, outermost first, as in 'edge=nginx*,app=orders*' [default: inferred]
    #[arg(long, value_name = "NAME=GLOB,...", help_heading = "What is there")]
    #[arg(env = "WHY502_HOPS", hide_env = true)]
    pub hops: Vec<String>,

    /// Configuration of a server (nginx.conf, haproxy.cfg, ...); beside the logs it is found by itself
    #[arg(long, value_name = "PATH", help_heading = "What is there")]
    #[arg(env = "WHY502_SERVER_CONFIG", hide_env = true)]
    pub server_config: Vec<PathBuf>,

    /// A timer that no configuration says, as in app.idle=5s: also connect, response, upstream_idle, worker_kill, ...
    #[arg(long, value_name = "HOP.LIMIT=LENGTH", help_heading = "What is there")]
    #[arg(env = "WHY502_LIMIT", hide_env = true)]
    pub limit: Vec<String>,

    /// Format of files, by name [default: recognised]
    #[arg(long, value_name = "[GLOB=]NAME", help_heading = "What is there")]
    #[arg(env = "WHY502_INPUT_FORMAT", hide_env = true)]
    pub input_format: Vec<String>,

    /// Format of files in the server's own words, after nginx:, apache: or haproxy:
    #[arg(long, value_name = "[GLOB=]SERVER:FORMAT", help_heading = "What is there")]
    #[arg(env = "WHY502_LOG_FORMAT", hide_env = true)]
    pub log_format: Vec<String>,

    /// Format definitions: a directory of TOML files, or one [also read: why502/formats in the user's configuration]
    #[arg(long, value_name = "DIR", help_heading = "What is there")]
    #[arg(env = "WHY502_FORMATS", hide_env = true)]
    pub formats: Vec<PathBuf>,
}

/// How much is said, and how it looks.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// When to colour: auto, always, never
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    #[arg(env = "WHY502_COLOR", hide_env = true)]
    pub color: String,

    /// Only the report and errors, no warnings
    #[arg(short, long, help_heading = "Output", conflicts_with = "verbose", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_QUIET", hide_env = true)]
    pub quiet: bool,

    /// More about what was read and inferred; twice for all of it, with the time each stage took
    #[arg(short, long, help_heading = "Output", action = ArgAction::Count)]
    #[arg(env = "WHY502_VERBOSE", hide_env = true)]
    pub verbose: u8,

    /// No progress while reading
    #[arg(long, help_heading = "Output", value_parser = flag())]
    #[arg(action = ArgAction::SetTrue, env = "WHY502_NO_PROGRESS", hide_env = true)]
    pub no_progress: bool,
}

impl WindowArgs {
    /// The window, relative times not yet resolved.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option and the valid values.
    pub(super) fn spec(&self, zone: Zone) -> Result<WindowSpec, Error> {
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
}

impl ClockArgs {
    /// The zone of the window and of what is shown.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn zone_shown(&self) -> Result<Zone, Error> {
        match &self.time_zone {
            _ if self.local => Ok(Zone::Local),
            Some(text) => {
                Zone::parse(text).map_err(|what| Error::usage("--time-zone", what, "-L shows local time"))
            }
            None => Ok(Zone::Utc),
        }
    }

    /// Puts zones and corrections into `plan`.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn put(&self, plan: &mut Plan) -> Result<(), Error> {
        plan.zone_shown = self.zone_shown()?;
        plan.zones = rules("--tz", &self.tz, |text| {
            Zone::parse(text).map_err(|what| (what, "an IANA name, an offset such as +02:00, UTC, or local"))
        })?;
        plan.offsets = self.offsets()?;
        Ok(())
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

impl SourceArgs {
    /// Puts formats and hops into `plan`.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn put(self, plan: &mut Plan) -> Result<(), Error> {
        plan.hop_names = list(&self.hops).map(hop_name).collect::<Result<_, _>>()?;
        plan.input_formats = rules("--input-format", &self.input_format, |text| Ok(text.to_owned()))?;
        plan.log_formats = self
            .log_format
            .iter()
            .map(|text| log_format(text))
            .collect::<Result<_, _>>()?;
        plan.server_configs = self.server_config;
        plan.given = list(&self.limit).map(limit).collect::<Result<_, _>>()?;
        plan.formats = self.formats;
        plan.formats.extend(values::user_formats());
        Ok(())
    }
}

impl LookArgs {
    /// Puts colour and verbosity into `plan`.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub(super) fn put(&self, plan: &mut Plan) -> Result<(), Error> {
        plan.color = color(&self.color)?.with_environment(is_set("NO_COLOR"), is_set("CLICOLOR_FORCE"));
        plan.quiet = self.quiet;
        plan.verbose = self.verbose;
        plan.progress = !self.no_progress && !self.quiet;
        Ok(())
    }
}
