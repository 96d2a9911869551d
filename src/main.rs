//! The command-line program; everything it does is in the library.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use why502::cli::{self, Stop};
use why502::plan::Plan;
use why502::sniff::{Forced, HEAD, Part, Surroundings};
use why502::{Error, discover, read, sniff};

/// Wrong usage, input or output that failed.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let outcome = match cli::read(std::env::args_os()) {
        Ok(plan) => survey(&plan),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Clap(message)) => {
            // Help on a closed pipe is no failure; there is nobody left to tell otherwise.
            let _ = message.print();
            return ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(FAILED));
        }
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            let _ = io::stderr().write_all(error.lines().as_bytes());
            ExitCode::from(FAILED)
        }
    }
}

/// Says what each file below the paths is, and what cannot be used.
fn survey(plan: &Plan) -> Result<u8, Error> {
    let forced = Forced::new(plan, &[])?;
    let found = discover::discover(&plan.paths)?;
    let sniffed = sniff::detect(
        &found.inputs,
        Surroundings::default(),
        &forced,
        &|input, part| match part {
            Part::Head => read::head(input, HEAD),
            Part::Middle => read::middle(input, HEAD),
        },
    );
    let mut out = io::stdout().lock();
    for (input, detected) in found.inputs.iter().zip(&sniffed.formats) {
        let Some(detected) = detected else { continue };
        let wrapper = detected.wrapper.map_or("", |wrapper| wrapper.name());
        let line = format!(
            "{}\t{}\t{wrapper}\t{}",
            input.shown, detected.format_name, detected.reason
        );
        writeln!(out, "{}", line.trim_end()).map_err(cannot_write)?;
    }
    let mut errors = io::stderr().lock();
    for problem in found
        .problems
        .iter()
        .chain(&sniffed.problems)
        .filter(|_| !plan.quiet)
    {
        let _ = writeln!(errors, "warning: {}\nhint: {}", problem.message, problem.hint);
    }
    match sniffed.formats.iter().any(Option::is_some) {
        true => Ok(0),
        false => Err(Error::NothingKnown {
            shown: found
                .inputs
                .first()
                .map(|input| input.shown.clone())
                .unwrap_or_default(),
            files: found.inputs.len(),
        }),
    }
}

fn cannot_write(source: io::Error) -> Error {
    Error::Write {
        path: PathBuf::from("standard output"),
        source,
    }
}
