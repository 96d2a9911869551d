//! `generate --size 1G --out DIR`: writes a corpus of logs with known failures.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use why502_bench::generate::{Options, generate};

/// Generates the logs of three hops with known failures; the same seed and size give the same bytes.
#[derive(Debug, Parser)]
struct Arguments {
    /// Bytes of log text in all: a number, with K, M, G or T for powers of 1000
    #[arg(long, default_value = "100M", value_parser = size)]
    size: u64,
    /// Directory to write to; made if it is not there
    #[arg(long)]
    out: PathBuf,
    /// Seed of all chance
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Failing requests: a share (0.003) or per cent (0.3%)
    #[arg(long, default_value = "0.3%", value_parser = share)]
    fail_rate: f64,
    /// Time covered: a number with s, m, h or d
    #[arg(long, default_value = "24h", value_parser = span)]
    span: f64,
    /// Files each log is spread over
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    split: u16,
    /// Compress the files
    #[arg(long)]
    gzip: bool,
    /// Leave nginx's error log out: less to go by
    #[arg(long)]
    no_error_log: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let options = Options {
        out: arguments.out,
        size: arguments.size,
        seed: arguments.seed,
        fail_rate: arguments.fail_rate,
        span_s: arguments.span,
        split: usize::from(arguments.split),
        gzip: arguments.gzip,
        error_log: !arguments.no_error_log,
    };
    match generate(&options) {
        Ok(made) => {
            let seconds = begun.elapsed().as_secs_f64();
            let megabytes = made.bytes as f64 / 1e6;
            println!(
                "{:.1} MB, {} lines, {} requests, {} failed, {seconds:.2} s, {:.0} MB/s",
                megabytes,
                made.lines,
                made.requests,
                made.failed,
                megabytes / seconds
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("cannot write below {}: {error}", options.out.display());
            ExitCode::from(2)
        }
    }
}

/// A number with one of some units after it.
fn scaled(text: &str, units: &[(&str, f64)]) -> Result<f64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit() && c != '.');
    let unit = &text[digits.len()..];
    let number: f64 = digits.parse().map_err(|_| format!("not a number: {text}"))?;
    let factor = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, factor)| *factor);
    let value = number * factor.ok_or_else(|| format!("unknown unit: {unit}"))?;
    if value > 0.0 {
        Ok(value)
    } else {
        Err(format!("not above zero: {text}"))
    }
}

fn size(text: &str) -> Result<u64, String> {
    Ok(scaled(
        text,
        &[("", 1.0), ("K", 1e3), ("M", 1e6), ("G", 1e9), ("T", 1e12)],
    )? as u64)
}

fn share(text: &str) -> Result<f64, String> {
    let share = scaled(text, &[("", 1.0), ("%", 0.01)])?;
    if share <= 0.2 {
        Ok(share)
    } else {
        Err("more than one in five cannot fail".to_owned())
    }
}

fn span(text: &str) -> Result<f64, String> {
    scaled(
        text,
        &[("", 1.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)],
    )
}
