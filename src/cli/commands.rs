//! The jobs beside the main one, each a subcommand.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, CommandFactory, Subcommand};

use super::args::{ClockArgs, LookArgs, SourceArgs, WindowArgs};
use super::formats::{self, FormatsJob};
use super::lint::{self, LintArgs, LintJob};
use super::values::{list, outputs, statuses, threads};
use super::{Cli, deliver, say};
use crate::error::Error;
use crate::plan::{Output, Plan, Statuses};
use crate::report::entries::EntryFormat;
use crate::report::{self, Progress};
use crate::run;

/// A subcommand, as typed.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show one request hop by hop, and why each cause was or was not the one
    Explain(ExplainArgs),
    /// Say what each file is, which fields it lacks, and the line of configuration that adds them
    Detect(DetectArgs),
    /// Hold the timers of servers that follow each other against one another, from their configuration alone
    Lint(LintArgs),
    /// Write the normalised records of logs as NDJSON or CSV
    Parse(ParseArgs),
    /// List, show and check log formats, built-in and defined in TOML
    Formats(FormatsArgs),
    /// Write completions for a shell to standard output
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write the manual page to standard output
    Man,
}

/// Options of `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub struct ExplainArgs {
    /// An id as a log writes it, the id of a finding (f-...), or FILE:LINE
    #[arg(value_name = "REQUEST")]
    pub request: String,

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
    #[arg(long, help_heading = "Time", action = ArgAction::SetTrue)]
    pub no_skew: bool,

    /// What the files are.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Write to FILE (- is standard output), as text or JSON by its extension
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,

    /// text or json, where no extension says [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub format: Option<String>,

    /// Mask client addresses, values in queries, and names of users
    #[arg(long, help_heading = "Output", action = ArgAction::SetTrue)]
    pub redact: bool,

    /// How much is said, and how it looks.
    #[command(flatten)]
    pub look: LookArgs,

    /// Threads, at most 256 or four per core [default: one per core]
    #[arg(short = 'j', long, value_name = "N", help_heading = "Run")]
    pub threads: Option<String>,
}

const EXPLAIN_HELP: &str = "\
Shows one request, failed or not: every hop with its times (as logged and corrected), durations drawn to scale, \
the lines themselves, and what each rule said of the failure and why.

Examples:
  why502 explain f-9bee1535a7a693d7 logs/    the request of a finding
  why502 explain 460882a92e9165a465f314b2cf47144f logs/
  why502 explain edge/error.log:812 logs/    the request that a line is about";

/// Options of `detect`.
#[derive(Debug, Args)]
pub struct DetectArgs {
    /// Log file, directory, quoted glob, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// How stamps are read and shown.
    #[command(flatten)]
    pub clock: ClockArgs,

    /// What the files are.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Write to FILE (- is standard output), as text or JSON by its extension
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Vec<PathBuf>,

    /// text or json, where no extension says [default: text]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub format: Option<String>,

    /// How much is said, and how it looks.
    #[command(flatten)]
    pub look: LookArgs,

    /// Threads, at most 256 or four per core [default: one per core]
    #[arg(short = 'j', long, value_name = "N", help_heading = "Run")]
    pub threads: Option<String>,
}

/// Options of `parse`.
#[derive(Debug, Args)]
#[command(after_help = PARSE_HELP)]
pub struct ParseArgs {
    /// Log file, directory, quoted glob, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Which time is written.
    #[command(flatten)]
    pub window: WindowArgs,

    /// How stamps are read.
    #[command(flatten)]
    pub clock: ClockArgs,

    /// Only requests with these statuses: 502, 5xx, or several [default: every record]
    #[arg(long, value_name = "LIST", help_heading = "What to show")]
    pub status: Option<String>,

    /// Only records of these hops
    #[arg(long, value_name = "LIST", help_heading = "What to show")]
    pub hop: Vec<String>,

    /// What the files are.
    #[command(flatten)]
    pub source: SourceArgs,

    /// Write to FILE (- is standard output), as NDJSON or CSV by its extension
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub output: Option<PathBuf>,

    /// ndjson or csv, where no extension says [default: ndjson]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub format: Option<String>,

    /// How much is said.
    #[command(flatten)]
    pub look: LookArgs,
}

const PARSE_HELP: &str = "\
Records are written by file, then by line. 'why502 formats fields' explains every field and its unit, and \
'why502 formats schema entries' is the JSON Schema of a record.

Stamps are written as the logs have them, in UTC: clock errors are corrected only by --offset, and stamps that do \
not say their zone are taken to be UTC unless --tz says otherwise (their time_zone is 'local').

With a window, a record lies in it if its end does (its start where no end is known).

What clients sent is hostile: control characters are escaped in NDJSON and written out in CSV (\\x1b). A cell may \
begin with =, so let a spreadsheet import the columns as text, or it takes the cell for a formula.";

/// Options of `formats`.
#[derive(Debug, Args)]
pub struct FormatsArgs {
    /// What to do [default: list]
    #[command(subcommand)]
    pub action: Option<FormatsAction>,
}

/// What `formats` does.
#[derive(Debug, Subcommand)]
pub enum FormatsAction {
    /// List the formats
    List {
        /// Format definitions: a directory of TOML files, or one
        #[arg(long, value_name = "DIR")]
        formats: Vec<PathBuf>,
    },
    /// Explain one format; a definition is printed as it stands
    Show {
        /// Its name
        name: String,
        /// Format definitions: a directory of TOML files, or one
        #[arg(long, value_name = "DIR")]
        formats: Vec<PathBuf>,
    },
    /// Explain the fields of records and of templates
    Fields,
    /// Print the JSON Schema of a report
    Schema {
        /// findings, detect, or explain
        #[arg(default_value = "findings")]
        name: String,
    },
    /// Check definitions and their samples
    Check {
        /// Files, or directories of *.toml
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Say nothing of those that are right
        #[arg(short, long, action = ArgAction::SetTrue)]
        quiet: bool,
    },
}

/// What is to be done.
#[derive(Debug)]
pub enum Job {
    /// The main job.
    Diagnose(Plan),
    /// Explain one request.
    Explain {
        /// Which: an id, a finding's id, or `FILE:LINE`.
        request: String,
        /// Where to look.
        plan: Plan,
    },
    /// Say what the files are.
    Detect(Plan),
    /// Hold timers against each other.
    Lint(LintJob),
    /// Write their records.
    Parse(ParseJob),
    /// About formats.
    Formats(FormatsJob),
    /// Completions for a shell.
    Completions(clap_complete::Shell),
    /// The manual page.
    Man,
}

/// What `parse` is to do.
#[derive(Debug)]
pub struct ParseJob {
    plan: Plan,
    statuses: Option<Statuses>,
    format: EntryFormat,
    output: Option<PathBuf>,
}

impl Command {
    /// The job that this command means.
    ///
    /// # Errors
    /// [`Error::Usage`] names the option and the valid values.
    pub(super) fn job(self) -> Result<Job, Error> {
        match self {
            Self::Explain(args) => args.job(),
            Self::Detect(args) => args.plan().map(Job::Detect),
            Self::Lint(args) => args.job().map(Job::Lint),
            Self::Parse(args) => args.job().map(Job::Parse),
            Self::Formats(args) => Ok(Job::Formats(FormatsJob::new(args.action))),
            Self::Completions { shell } => Ok(Job::Completions(shell)),
            Self::Man => Ok(Job::Man),
        }
    }
}

/// The outputs of a command that writes text and JSON only.
fn text_or_json(command: &str, files: &[PathBuf], format: Option<&str>) -> Result<Vec<Output>, Error> {
    let outputs = outputs(files, format)?;
    if outputs
        .iter()
        .any(|output| !matches!(output.format, "text" | "json"))
    {
        let what = format!("{command} writes text and JSON only");
        return Err(Error::usage("--format", what, "valid: text, json"));
    }
    Ok(outputs)
}

impl ExplainArgs {
    fn job(self) -> Result<Job, Error> {
        let mut plan = Plan::default();
        self.clock.put(&mut plan)?;
        self.look.put(&mut plan)?;
        plan.window = self.window.spec(plan.zone_shown)?;
        plan.no_skew = self.no_skew;
        plan.redact = self.redact;
        self.source.put(&mut plan)?;
        plan.outputs = text_or_json("explain", &self.output, self.format.as_deref())?;
        plan.threads = threads(self.threads.as_deref())?;
        plan.paths = self.paths;
        Ok(Job::Explain {
            request: self.request,
            plan,
        })
    }
}

impl DetectArgs {
    fn plan(self) -> Result<Plan, Error> {
        let mut plan = Plan::default();
        self.clock.put(&mut plan)?;
        self.look.put(&mut plan)?;
        self.source.put(&mut plan)?;
        plan.outputs = text_or_json("detect", &self.output, self.format.as_deref())?;
        plan.threads = threads(self.threads.as_deref())?;
        plan.paths = self.paths;
        Ok(plan)
    }
}

impl ParseArgs {
    fn job(self) -> Result<ParseJob, Error> {
        let mut plan = Plan::default();
        self.clock.put(&mut plan)?;
        self.look.put(&mut plan)?;
        plan.window = self.window.spec(plan.zone_shown)?;
        plan.hops = list(&self.hop).map(str::to_owned).collect();
        self.source.put(&mut plan)?;
        plan.paths = self.paths;
        let output = self.output.filter(|path| path != Path::new("-"));
        let by_extension = output.as_deref().and_then(EntryFormat::by_extension);
        let named = match self.format.as_deref() {
            None => None,
            Some(name) => Some(EntryFormat::by_name(name).ok_or_else(|| {
                Error::usage(
                    "--format",
                    format!("unknown format '{name}'"),
                    "valid: ndjson, csv",
                )
            })?),
        };
        let format = match (by_extension, named, &output) {
            (Some(format), _, _) | (None, Some(format), _) => format,
            (None, None, None) => EntryFormat::NdJson,
            (None, None, Some(path)) => {
                let what = format!("the extension says no format: {}", path.display());
                return Err(Error::usage("--output", what, "add --format, one of ndjson, csv"));
            }
        };
        Ok(ParseJob {
            plan,
            statuses: self.status.as_deref().map(statuses).transpose()?,
            format,
            output,
        })
    }
}

/// Does `job`; the exit code.
///
/// # Errors
/// What ended it.
pub fn perform(job: &Job, now_us: i64) -> Result<u8, Error> {
    match job {
        Job::Diagnose(plan) => {
            let plan = &run::settle(plan)?;
            warn_of_formats(plan);
            let progress = progress(plan);
            let diagnosis = run::diagnosis(plan, now_us, &progress)?;
            progress.phase("writing");
            progress.finish();
            let code = if plan.redact {
                let mut report = diagnosis.whole();
                report::redact::report(&mut report);
                deliver(plan, &report, None)?
            } else {
                deliver(plan, &diagnosis.report, Some(&diagnosis))?
            };
            // The last stage is what the report itself took.
            eprint!("{}", progress.timings());
            Ok(code)
        }
        Job::Explain { request, plan } => explain(&run::settle(plan)?, request, now_us),
        Job::Detect(plan) => detect(&run::settle(plan)?, now_us),
        Job::Lint(job) => lint::perform(job),
        Job::Parse(job) => parse(job, now_us),
        Job::Formats(job) => formats::perform(job),
        Job::Completions(shell) => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "why502", &mut text);
            to_stdout(&text)
        }
        Job::Man => man(),
    }
}

fn progress(plan: &Plan) -> Progress {
    Progress::new(0, plan.progress && io::stderr().is_terminal()).timed(plan.verbose > 1)
}

/// Says which variables of pasted format strings are not known to their servers.
fn warn_of_formats(plan: &Plan) {
    if plan.quiet {
        return;
    }
    for rule in &plan.log_formats {
        for note in formats::unknown_variables(&rule.value.dialect, &rule.value.text) {
            say::warning(&format!("--log-format: {note}"), "");
        }
    }
}

fn explain(plan: &Plan, request: &str, now_us: i64) -> Result<u8, Error> {
    warn_of_formats(plan);
    let progress = progress(plan);
    let mut explanation = run::explain(plan, request, now_us, &progress)?;
    progress.finish();
    if plan.redact {
        report::redact::explanation(&mut explanation);
    }
    for output in &plan.outputs {
        deliver::to(plan, output, &mut |style, out| {
            if output.format == "json" {
                report::explain::json(&explanation, out)
            } else {
                report::explain::text(&explanation, style, out)
            }
        })?;
    }
    Ok(0)
}

fn detect(plan: &Plan, now_us: i64) -> Result<u8, Error> {
    warn_of_formats(plan);
    let progress = progress(plan);
    let detection = run::detect(plan, now_us, &progress)?;
    progress.finish();
    for output in &plan.outputs {
        deliver::to(plan, output, &mut |style, out| {
            if output.format == "json" {
                report::detect::json(&detection, out)
            } else {
                report::detect::text(&detection, style, out)
            }
        })?;
    }
    Ok(0)
}

fn parse(job: &ParseJob, now_us: i64) -> Result<u8, Error> {
    let plan = &run::settle(&job.plan)?;
    warn_of_formats(plan);
    let progress = progress(plan);
    let name = job
        .output
        .clone()
        .unwrap_or_else(|| PathBuf::from("standard output"));
    let failed = |source| Error::Write {
        path: name.clone(),
        source,
    };
    let wanted = run::Filter {
        statuses: job.statuses,
        format: job.format,
    };
    let parsed = match &job.output {
        Some(path) => {
            let mut out = BufWriter::new(File::create(path).map_err(failed)?);
            run::parse(plan, now_us, &wanted, &mut out, &name, &progress)?
        }
        None => run::parse(plan, now_us, &wanted, &mut io::stdout().lock(), &name, &progress)?,
    };
    progress.finish();
    if !plan.quiet {
        say::warnings(&parsed.problems);
        let _ = writeln!(io::stderr(), "{}", parsed.summary());
    }
    Ok(0)
}

fn man() -> Result<u8, Error> {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut text)
        .map_err(write_failed)?;
    to_stdout(&text)
}

/// Writes `text` to standard output.
///
/// # Errors
/// [`Error::Write`].
pub(super) fn to_stdout(text: &[u8]) -> Result<u8, Error> {
    let mut out = io::stdout().lock();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(write_failed)?;
    Ok(0)
}

fn write_failed(source: io::Error) -> Error {
    Error::Write {
        path: PathBuf::from("standard output"),
        source,
    }
}
