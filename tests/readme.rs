//! What the README shows is what the program does: every command with an output is run from the repository's root.
//!
//! In a `console` block a line that begins with `$ ` is a command, and what follows it is its output; a line `[...]`
//! stands for lines left out.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests stand outside test functions.

#[path = "common/program.rs"]
mod program;

use std::fs;

use program::{program, root};

/// The line that stands for others.
const LEFT_OUT: &str = "[...]";

/// A command and the lines shown as its output.
struct Shown {
    command: String,
    output: Vec<String>,
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The commands in the blocks that are marked `console`.
fn shown(text: &str) -> Vec<Shown> {
    let mut all: Vec<Shown> = Vec::new();
    let mut is_inside = false;
    for line in text.lines() {
        match (is_inside, line) {
            (false, "```console") => is_inside = true,
            (true, "```") => is_inside = false,
            (true, line) => match (line.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => all.push(Shown {
                    command: command.to_owned(),
                    output: Vec::new(),
                }),
                (None, Some(last)) => last.output.push(line.to_owned()),
                (None, None) => panic!("output without a command: {line}"),
            },
            _ => {}
        }
    }
    all
}

/// The words of a command line; single quotes hold spaces.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for letter in command.chars() {
        match letter {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            other => words.last_mut().unwrap().push(other),
        }
    }
    assert!(!is_quoted, "a quote is open: {command}");
    words
}

/// What `command` says, standard error first: warnings come before the report.
fn said(command: &str) -> Vec<String> {
    let words = words(command);
    assert_eq!(words[0], "why502", "{command}");
    let output = program(root()).args(&words[1..]).output().unwrap();
    let text = [output.stderr, output.stdout].concat();
    let text = String::from_utf8(text).unwrap();
    text.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Where `shown` departs from `said`; `None` if it does not.
fn departure(shown: &[String], said: &[String]) -> Option<String> {
    let mut rest = said;
    let mut may_skip = false;
    for part in shown.split_inclusive(|line| line == LEFT_OUT) {
        let (lines, ends_open) = match part.split_last() {
            Some((last, lines)) if last == LEFT_OUT => (lines, true),
            _ => (part, false),
        };
        let start = if may_skip {
            (0..=rest.len()).find(|&at| rest[at..].starts_with(lines))
        } else {
            rest.starts_with(lines).then_some(0)
        };
        let Some(start) = start else {
            let wrong = |(at, line): (usize, &String)| (rest.get(at) != Some(line)).then(|| line.clone());
            let line = lines.iter().enumerate().find_map(wrong).unwrap_or_default();
            return Some(format!("not said, or not there: {line}"));
        };
        rest = &rest[start + lines.len()..];
        may_skip = ends_open;
    }
    (!may_skip && !rest.is_empty()).then(|| format!("more is said: {}", rest[0]))
}

#[test]
fn every_command_of_the_readme_says_what_is_shown() {
    let with_output: Vec<Shown> = shown(&readme())
        .into_iter()
        .filter(|one| !one.output.is_empty())
        .collect();
    assert!(!with_output.is_empty(), "the README shows nothing");
    for Shown { command, output } in with_output {
        let said = said(&command);
        if let Some(what) = departure(&output, &said) {
            panic!("$ {command}\n{what}\n--- said:\n{}", said.join("\n"));
        }
    }
}

#[test]
fn the_readme_opens_with_a_real_incident() {
    let text = readme();
    let shown = shown(&text);
    assert!(shown[0].command.contains("samples/") && shown[0].output.len() > 10);
    let at = text.find("```console").unwrap();
    let lines_before = text[..at].lines().count();
    assert!(
        lines_before < 10,
        "the incident begins after {lines_before} lines"
    );
}

#[test]
fn two_commands_are_enough_on_a_fresh_machine() {
    let text = readme();
    for command in ["cargo run -- samples/nginx-node", "cargo test --workspace"] {
        assert!(
            text.lines().any(|line| line.trim_start_matches("$ ") == command),
            "{command}"
        );
    }
}

#[test]
fn every_option_that_the_readme_names_exists() {
    let help: String = [&["--help"][..], &["lint", "--help"]]
        .map(|args| String::from_utf8(program(root()).args(args).output().unwrap().stdout).unwrap())
        .concat();
    let text = readme();
    let cargo = ["--release", "--workspace", "--path", "--bin", "--test"];
    let names = text
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .filter(|word| {
            word.strip_prefix("--")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
        });
    let unknown: Vec<&str> = names
        .filter(|name| !cargo.contains(name) && !help.contains(name))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn a_departure_is_found_and_what_is_left_out_is_passed_over() {
    let lines = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
    let said = lines("a b c d");
    for right in ["a b c d", "a [...]", "[...] d", "a [...] c [...]", "a [...] d"] {
        assert_eq!(departure(&lines(right), &said), None, "{right}");
    }
    for wrong in [
        "a b c",
        "b [...]",
        "a x [...]",
        "[...] x [...]",
        "a [...] c",
        "a b c d e",
    ] {
        assert!(departure(&lines(wrong), &said).is_some(), "{wrong}");
    }
}
