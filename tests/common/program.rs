//! Runs the built program as a user would, from the repository's root, free of what the environment says.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// The present, for every run that is compared with another: 2026-11-21T00:00:00Z in seconds since the epoch.
pub(crate) const NOW: &str = "1795219200";

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program with a fixed present, in `directory`, with no option set by the environment.
pub(crate) fn program(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_why502"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WHY502_") {
            command.env_remove(name);
        }
    }
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
        .env("SOURCE_DATE_EPOCH", NOW)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(directory);
    command
}

/// Runs the program, which must succeed.
pub(crate) fn run(directory: &Path, args: &[&str]) -> Output {
    let output = program(directory).args(args).output().unwrap();
    assert!(
        output.status.success(),
        "why502 {}: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// The report as JSON on `args`.
#[allow(dead_code)] // Not every test that shares this file compares reports.
pub(crate) fn report(directory: &Path, args: &[&str]) -> Value {
    let args = [args, &["--format", "json"]].concat();
    serde_json::from_slice(&run(directory, &args).stdout).unwrap()
}

/// The directories of `samples/`, by name, in order.
#[allow(dead_code)] // Not every test that shares this file reads the samples.
pub(crate) fn samples() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(root().join("samples"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.len() >= 6, "samples are missing: {names:?}");
    names
}
