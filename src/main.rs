//! The command-line program; everything it does is in the library.

use std::process::ExitCode;

use why502::Error;
use why502::cli::{self, Stop};

/// Safe to have: the crate does nothing but hand `GlobalAlloc`'s calls to mimalloc, and is used for nothing else.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong usage, input or output that failed.
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let outcome: Result<u8, Error> = match cli::read(std::env::args_os()) {
        Ok(job) => cli::perform(&job, cli::now_us()),
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
