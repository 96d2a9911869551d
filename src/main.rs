//! The command-line program; everything it does is in the library.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use why502::cli::{self, Stop};
use why502::plan::Plan;
use why502::report::Progress;
use why502::{Error, run};

/// Wrong usage, input or output that failed.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let outcome = match cli::read(std::env::args_os()) {
        Ok(plan) => diagnose(&plan),
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
            cli::say::error(&error);
            ExitCode::from(FAILED)
        }
    }
}

fn diagnose(plan: &Plan) -> Result<u8, Error> {
    let now_us = cli::now_us();
    let progress = Progress::new(0, plan.progress && io::stderr().is_terminal());
    let report = run::diagnose(plan, now_us, &progress)?;
    progress.finish();
    cli::deliver(plan, &report)
}
