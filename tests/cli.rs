//! The program as a shell sees it: exit codes, streams, and what is said about bad input.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const NGINX: &str = "2026/11/20 10:00:05 [error] 7#7: *1 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: _, request: \"GET /a HTTP/1.1\", upstream: \"http://10.0.0.3:80/a\", host: \"h\"\n";

fn why502(args: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_why502"))
        .args(args)
        .current_dir(directory)
        .output()
        .unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_and_version_go_to_standard_output_and_succeed() {
    let root = tempfile::tempdir().unwrap();
    let help = why502(&["--help"], root.path());
    assert_eq!(help.status.code(), Some(0));
    assert!(
        String::from_utf8(help.stdout)
            .unwrap()
            .contains("--relative-to-end")
    );
    assert_eq!(
        why502(&["-V"], root.path()).stdout,
        format!("why502 {}\n", env!("CARGO_PKG_VERSION")).into_bytes()
    );
}

#[test]
fn bad_input_is_one_line_with_the_file_and_one_with_the_remedy_and_exit_code_two() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("empty")).unwrap();
    std::fs::write(root.path().join("odd.log"), "10:00:05 <> x\n".repeat(9)).unwrap();
    std::fs::write(
        root.path().join("broken.gz"),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03garbage!",
    )
    .unwrap();
    for (args, names) in [
        (&["missing.log"][..], "missing.log"),
        (&["*.nothing"], "*.nothing"),
        (&["empty"], "empty"),
        (&["odd.log"], "odd.log"),
        (&["broken.gz"], "broken.gz"),
        (&["empty", "--color", "blue"], "--color"),
        (&["odd.log", "--input-format", "nginks"], "nginks"),
    ] {
        let output = why502(args, root.path());
        let said = error(&output);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(
            said.contains("error: ") && said.contains("hint: ") && said.contains(names),
            "{args:?}: {said}"
        );
        assert!(output.stdout.is_empty());
    }
    assert_eq!(why502(&["--no-such-option"], root.path()).status.code(), Some(2));
}

#[test]
fn one_bad_file_does_not_stop_the_rest() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("error.log"), NGINX).unwrap();
    std::fs::write(root.path().join("x.pcap"), b"\xd4\xc3\xb2\xa1\x02\0\x04\0").unwrap();
    let output = why502(&[".", "gone.log"], root.path());
    assert_eq!(output.status.code(), Some(0));
    assert!(
        String::from_utf8(output.stdout.clone())
            .unwrap()
            .contains("error.log")
    );
    assert!(
        error(&output).contains("x.pcap") && error(&output).contains("gone.log"),
        "{}",
        error(&output)
    );
}

#[test]
fn standard_input_is_one_more_log() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_why502"))
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(NGINX.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("nginx"));
}

#[test]
fn options_come_from_the_environment_and_the_command_line_goes_before_it() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("error.log"), NGINX).unwrap();
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_why502"))
            .args(args)
            .env("WHY502_COLOR", "blue")
            .env("WHY502_STRICT", "0")
            .current_dir(root.path())
            .output()
            .unwrap()
    };
    assert!(error(&run(&["error.log"])).contains("unknown choice 'blue'"));
    assert_eq!(run(&["error.log", "--color", "never"]).status.code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("error.log"), NGINX).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_why502"))
        .arg("error.log")
        .current_dir(root.path())
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    assert_eq!(error(&output), "");
}
