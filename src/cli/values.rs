//! Reading the values of options, with what is valid in every complaint.

use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::model::Cause;
use crate::plan::{
    Color, FailOn, FormatText, GivenHop, HopName, Output, Pattern, Rule, Statuses, duration, given, rule,
};
use crate::report::{self, RENDERERS};

/// Whether an environment variable is set to anything but nothing and `0`.
pub(super) fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

/// The parts of all occurrences of an option that takes a list.
pub(super) fn list(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().flat_map(|value| rule::split_list(value))
}

/// `[GLOB=]VALUE`, several with commas between, each value read by `read` (which says what is wrong, and
/// what would be right).
pub(super) fn rules<T>(
    option: &str,
    values: &[String],
    read: impl Fn(&str) -> Result<T, (String, &'static str)>,
) -> Result<Vec<Rule<T>>, Error> {
    list(values)
        .map(|part| {
            let (glob, value) = match part.rsplit_once('=') {
                Some((glob, value)) => (Some(glob), value),
                None => (None, part),
            };
            Ok(Rule {
                pattern: glob.map(|glob| pattern(option, glob)).transpose()?,
                value: read(value.trim()).map_err(|(what, hint)| Error::usage(option, what, hint))?,
            })
        })
        .collect()
}

/// A glob of the option.
fn pattern(option: &str, glob: &str) -> Result<Pattern, Error> {
    Pattern::new(glob.trim()).map_err(|what| Error::usage(option, what, "close every bracket and brace"))
}

/// A length of time above zero.
pub(super) fn length(option: &str, text: &str) -> Result<i64, Error> {
    duration::parse(text).filter(|us| *us > 0).ok_or_else(|| {
        Error::usage(
            option,
            format!("'{text}' is not a length of time"),
            format!("valid: {}", duration::FORMS),
        )
    })
}

/// A cause by its name.
pub(super) fn cause(option: &str, name: &str) -> Result<Cause, Error> {
    Cause::by_name(name).ok_or_else(|| {
        let names = Cause::ALL.map(Cause::name).join(", ");
        let any = if option == "--fail-on" { "any, " } else { "" };
        Error::usage(
            option,
            format!("unknown cause '{name}'"),
            format!("valid: {any}{names}"),
        )
    })
}

/// `NAME=GLOB`.
pub(super) fn hop_name(text: &str) -> Result<HopName, Error> {
    let hint = "write NAME=GLOB, several with commas between, as in 'edge=nginx*,app=orders*'";
    match text.split_once('=') {
        Some((name, glob)) if !name.trim().is_empty() && !glob.trim().is_empty() => Ok(HopName {
            name: name.trim().to_owned(),
            pattern: pattern("--hops", glob)?,
        }),
        _ => Err(Error::usage(
            "--hops",
            format!("'{text}' does not name the files of a hop"),
            hint,
        )),
    }
}

/// `HOP.LIMIT=LENGTH`.
pub(super) fn limit(text: &str) -> Result<GivenHop, Error> {
    given::limit(text).map_err(|(what, hint)| Error::usage("--limit", what, hint))
}

/// `[GLOB=]SERVER:FORMAT`. The format may hold any sign, so the glob ends at the first `=` that a server's
/// name and a colon follow.
pub(super) fn log_format(text: &str) -> Result<Rule<FormatText>, Error> {
    let after_server = |text: &str| -> Option<(String, String)> {
        let (server, format) = text.split_once(':')?;
        let of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let is_name = !server.trim().is_empty() && server.trim().chars().all(of_name);
        is_name.then(|| (server.trim().to_owned(), format.to_owned()))
    };
    let glob_ends = text
        .match_indices('=')
        .map(|(at, _)| (Some(&text[..at]), &text[at + 1..]));
    for (glob, rest) in std::iter::once((None, text)).chain(glob_ends) {
        if let Some((dialect, text)) = after_server(rest) {
            return Ok(Rule {
                pattern: glob.map(|glob| pattern("--log-format", glob)).transpose()?,
                value: FormatText { dialect, text },
            });
        }
    }
    Err(Error::usage(
        "--log-format",
        format!("no server is named in '{text}'"),
        "write nginx:, apache: or haproxy: before the format string",
    ))
}

/// A list of statuses.
pub(super) fn statuses(text: &str) -> Result<Statuses, Error> {
    Statuses::parse(text).map_err(|what| {
        let hint = "valid: 502, a class such as 5xx, or a list of them";
        Error::usage("--status", what, hint)
    })
}

/// The directory of the user's own format definitions, if there is one.
pub(super) fn user_formats() -> Option<PathBuf> {
    let set = |variable: &str| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = if cfg!(windows) {
        set("APPDATA")
    } else {
        set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))
    };
    base.map(|base| base.join("why502").join("formats"))
        .filter(|directory| directory.is_dir())
}

/// `CAUSE|any[:N]`.
pub(super) fn fail_on(text: &str) -> Result<FailOn, Error> {
    let (name, at_least) = match text.split_once(':') {
        None => (text, Some(1)),
        Some((name, number)) => (name, number.parse().ok().filter(|n| *n > 0)),
    };
    let Some(at_least) = at_least else {
        let what = format!("what follows the colon in '{text}' is not a number above zero");
        return Err(Error::usage(
            "--fail-on",
            what,
            "write any:5, or a cause and a number",
        ));
    };
    let cause = match name {
        "any" => None,
        name => Some(cause("--fail-on", name)?),
    };
    Ok(FailOn { cause, at_least })
}

/// The report for people.
const TEXT: &str = "text";

/// Where reports go. An extension decides; `--format` holds for the rest, and for standard output.
pub(super) fn outputs(files: &[PathBuf], format: Option<&str>) -> Result<Vec<Output>, Error> {
    let names = RENDERERS
        .iter()
        .map(|renderer| renderer.name())
        .collect::<Vec<_>>()
        .join(", ");
    let unknown = |name| {
        Error::usage(
            "--format",
            format!("unknown format '{name}'"),
            format!("valid: {names}"),
        )
    };
    let named = |name| {
        report::by_name(name)
            .map(|r| r.name())
            .ok_or_else(|| unknown(name))
    };
    let given = format.map(named).transpose()?;
    let mut is_used = files.is_empty();
    let mut outputs = Vec::new();
    for file in files {
        let by_extension = report::by_extension(file).map(|renderer| renderer.name());
        let is_stdout = file == Path::new("-");
        is_used |= by_extension.is_none();
        let format = by_extension.or(given).or(is_stdout.then_some(TEXT));
        let Some(format) = format else {
            let what = format!("the extension says no format: {}", file.display());
            return Err(Error::usage(
                "--output",
                what,
                format!("add --format, one of {names}"),
            ));
        };
        outputs.push(Output {
            file: (!is_stdout).then(|| file.clone()),
            format,
        });
    }
    if let (Some(name), false) = (format, is_used) {
        let what = format!("nothing is left to be written as {name}: each file's extension says its format");
        return Err(Error::usage("--format", what, "leave it out, or add -o -"));
    }
    if files.is_empty() {
        outputs.push(Output {
            file: None,
            format: given.unwrap_or(TEXT),
        });
    }
    Ok(outputs)
}

/// `auto`, `always` or `never`.
pub(super) fn color(text: &str) -> Result<Color, Error> {
    match text {
        "auto" => Ok(Color::Auto),
        "always" => Ok(Color::Always),
        "never" => Ok(Color::Never),
        other => Err(Error::usage(
            "--color",
            format!("unknown choice '{other}'"),
            "valid: auto, always, never",
        )),
    }
}

/// More threads than this do no good, and to start them takes time that grows with the square of their number; a
/// machine that has the cores for more may have [`THREADS_PER_CORE`] times as many.
const THREADS_MOST: usize = 256;
/// See [`THREADS_MOST`]: reading waits for disks, so that more threads than cores can be of use.
const THREADS_PER_CORE: usize = 4;

/// How many threads; one per core if nothing (or 0) is said, and no more than are of use.
pub(super) fn threads(text: Option<&str>) -> Result<usize, Error> {
    let wanted: usize = match text {
        None => 0,
        Some(text) => text.trim().parse().map_err(|_| {
            Error::usage(
                "--threads",
                format!("'{text}' is not a number"),
                "valid: 1, 2, ...; 0 is one per core",
            )
        })?,
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = cores.saturating_mul(THREADS_PER_CORE).max(THREADS_MOST);
    Ok(match wanted {
        0 => cores,
        n => n.min(most),
    })
}
