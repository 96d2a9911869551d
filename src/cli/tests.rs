use super::*;
use crate::model::Cause;
use crate::plan::{FailOn, Moment, Output, Zone, rule};
use clap::CommandFactory;

fn plan(args: &[&str]) -> Result<Plan, String> {
    let args = std::iter::once("why502").chain(args.iter().copied());
    match read(args.map(OsString::from)) {
        Ok(Job::Diagnose(plan)) => Ok(plan),
        Ok(other) => Err(format!("{other:?}")),
        Err(Stop::Error(error)) => Err(format!("error: {error}\nhint: {}\n", error.hint())),
        Err(Stop::Clap(error)) => Err(error.to_string()),
    }
}

#[test]
fn the_definition_of_the_command_line_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_option_can_be_set_in_the_environment_under_its_name() {
    for arg in Cli::command().get_arguments() {
        let Some(long) = arg.get_long() else { continue };
        if matches!(long, "help" | "version") {
            continue;
        }
        let want = format!("WHY502_{}", long.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env().and_then(|name| name.to_str()), Some(want.as_str()));
    }
}

#[test]
fn help_names_every_cause_and_fits_a_terminal() {
    let help = Cli::command().render_help().to_string();
    for cause in Cause::ALL {
        assert!(help.contains(cause.name()), "{}", cause.name());
    }
    for line in help.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

#[test]
fn what_stands_below_the_options_is_not_broken_twice() {
    let mut cli = Cli::command();
    cli.build();
    let of_subcommands = cli.get_subcommands().cloned();
    for command in std::iter::once(cli.clone()).chain(of_subcommands.collect::<Vec<_>>()) {
        let Some(epilogue) = command.get_after_help() else {
            continue;
        };
        let first_word = epilogue.to_string().split(' ').next().unwrap().to_owned();
        for width in [80, 100] {
            let help = command.clone().term_width(width).render_help().to_string();
            let (_, below) = help.rsplit_once(&format!("\n\n{first_word}")).unwrap();
            let below = first_word.clone() + below;
            let lines: Vec<&str> = below.lines().collect();
            for pair in lines.windows(2) {
                // A line may end early before a blank one, at the end of a sentence, and in a table or an example.
                let goes_on = !pair[1].starts_with(' ') && !pair[1].is_empty();
                if !goes_on
                    || pair[0].is_empty()
                    || pair[0].ends_with(['.', ':'])
                    || pair[0].starts_with("  ")
                {
                    continue;
                }
                let next_word = pair[1].split(' ').next().unwrap();
                let joined = pair[0].chars().count() + 1 + next_word.chars().count();
                assert!(joined > width, "{} at {width}: {pair:?}", command.get_name());
            }
            // Of examples and tables no line is wrapped at all.
            let wrapped = lines.windows(2).find(|pair| {
                pair[0].starts_with("  ")
                    && !pair[1].is_empty()
                    && pair[1].starts_with(|c: char| c.is_lowercase())
            });
            assert_eq!(wrapped, None, "{} at {width}", command.get_name());
        }
    }
}

#[test]
fn more_threads_than_are_of_use_are_not_started() {
    let threads = |number: &str| plan(&["logs", "--threads", number]).unwrap().threads;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    assert_eq!(threads("3"), 3);
    assert_eq!(threads("9999"), 256.max(4 * cores));
}

#[test]
fn a_path_alone_is_the_main_job_with_its_defaults() {
    let plan = plan(&["logs"]).unwrap();
    assert_eq!(plan.paths, [PathBuf::from("logs")]);
    assert_eq!(plan.statuses.to_string(), "502");
    assert!(plan.window.is_open() && plan.progress && plan.threads >= 1);
    assert_eq!(
        plan.outputs,
        [Output {
            file: None,
            format: "text"
        }]
    );
}

#[test]
fn values_with_a_leading_hyphen_and_standard_input_are_understood() {
    let plan = plan(&["-", "-S", "-1h", "-U", "now", "--tz", "-05:00"]).unwrap();
    assert_eq!(plan.window.since, Some(Moment::Ago(3_600_000_000)));
    assert_eq!(plan.paths, [PathBuf::from("-")]);
    assert_eq!(plan.zone_of("any.log"), Some(Zone::Fixed(-18_000)));
}

#[test]
fn rules_hold_for_the_files_of_their_globs() {
    let plan = plan(&[
        "logs",
        "--tz",
        "edge*=Europe/Berlin,UTC",
        "--offset",
        "gw/*.log=-2.3s",
        "--input-format",
        "{a,b}.log=haproxy",
        "--hops",
        "edge=nginx*,app=orders*",
        "--log-format",
        "x=1.log=nginx:$status rt=$request_time a:b",
    ])
    .unwrap();
    assert_eq!(plan.zone_of("logs/edge1/a.log").unwrap().name(), "Europe/Berlin");
    assert_eq!(plan.zone_of("logs/gw/a.log"), Some(Zone::Utc));
    assert_eq!(plan.offset_of("logs/gw/a.log"), Some(-2_300_000));
    assert_eq!(plan.offset_of("logs/edge/a.log"), None);
    assert_eq!(
        rule::pick(&plan.input_formats, "logs/b.log").map(String::as_str),
        Some("haproxy")
    );
    assert_eq!(plan.hop_of("logs/orders/app.log"), Some((1, "app")));
    let format = &plan.log_formats[0];
    assert_eq!(format.pattern.as_ref().unwrap().as_str(), "x=1.log");
    assert_eq!(format.value.text, "$status rt=$request_time a:b");
}

#[test]
fn a_log_format_without_a_glob_holds_for_all_files() {
    let plan = plan(&["logs", "--log-format", "nginx:a=$status"]).unwrap();
    assert!(plan.log_formats[0].pattern.is_none());
    assert_eq!(plan.log_formats[0].value.text, "a=$status");
}

#[test]
fn the_name_of_a_language_may_have_a_dash() {
    let plan = plan(&["logs", "--log-format", "a=php-fpm:%R [%t] %s"]).unwrap();
    assert_eq!(plan.log_formats[0].value.dialect, "php-fpm");
    assert_eq!(plan.log_formats[0].pattern.as_ref().unwrap().as_str(), "a");
}

#[test]
fn filters_and_limits_are_read() {
    let plan = plan(&[
        "l",
        "--cause",
        "proxy_timeout,upstream_502",
        "--hop",
        "edge",
        "--fail-on",
        "any:5,queueing_delay",
        "--status",
        "5xx",
    ])
    .unwrap();
    assert_eq!(plan.causes, [Cause::ProxyTimeout, Cause::Upstream502]);
    assert_eq!(plan.hops, ["edge"]);
    let wanted = [
        FailOn {
            cause: None,
            at_least: 5,
        },
        FailOn {
            cause: Some(Cause::QueueingDelay),
            at_least: 1,
        },
    ];
    assert_eq!(plan.fail_on, wanted);
    assert!(plan.statuses.contains(504));
}

#[test]
fn outputs_follow_their_extension_then_the_format_given() {
    let formats = |args: &[&str]| plan(args).map(|plan| plan.outputs);
    let json = |file: &str| Output {
        file: Some(file.into()),
        format: "json",
    };
    let text = Output {
        file: None,
        format: "text",
    };
    assert_eq!(
        formats(&["l", "-o", "a.json", "-o", "-"]).unwrap(),
        [json("a.json"), text]
    );
    assert_eq!(
        formats(&["l", "-o", "a.out", "--format", "json"]).unwrap(),
        [json("a.out")]
    );
    assert_eq!(
        formats(&["l", "--format", "json"]).unwrap(),
        [Output {
            file: None,
            format: "json"
        }]
    );
    assert!(formats(&["l", "-o", "a.out"]).unwrap_err().contains("text, json"));
    assert!(
        formats(&["l", "-o", "a.json", "--format", "text"])
            .unwrap_err()
            .contains("nothing is left")
    );
}

#[test]
fn a_wrong_value_is_one_line_that_names_the_option_and_one_with_what_is_valid() {
    for (args, error, hint) in [
        (
            vec!["--cause", "timeout"],
            "error: --cause: unknown cause 'timeout'",
            "proxy_timeout, dropped_connection",
        ),
        (
            vec!["--fail-on", "some"],
            "error: --fail-on: unknown cause 'some'",
            "valid: any, proxy_timeout",
        ),
        (
            vec!["--fail-on", "any:x"],
            "error: --fail-on: what follows the colon in 'any:x'",
            "any:5",
        ),
        (
            vec!["--format", "yaml"],
            "error: --format: unknown format 'yaml'",
            "valid: text, json",
        ),
        (
            vec!["--color", "blue"],
            "error: --color: unknown choice 'blue'",
            "auto, always, never",
        ),
        (
            vec!["--status", "bad"],
            "error: --status: unknown status 'bad'",
            "5xx",
        ),
        (
            vec!["--since", "tomorrow"],
            "error: --since: 'tomorrow' is not a time",
            "yesterday, now",
        ),
        (
            vec!["--tz", "Mars/Base"],
            "error: --tz: unknown time zone 'Mars/Base'",
            "IANA",
        ),
        (
            vec!["--around", "now", "--window", "5"],
            "error: --window: '5' is not a length",
            "10m",
        ),
        (
            vec!["--offset", "+2s"],
            "error: --offset: no glob",
            "GLOB=+LENGTH",
        ),
        (
            vec!["--hops", "edge"],
            "error: --hops: 'edge' does not name",
            "NAME=GLOB",
        ),
        (
            vec!["--log-format", "$status"],
            "error: --log-format: no server is named",
            "nginx:",
        ),
        (
            vec!["-j", "many"],
            "error: --threads: 'many' is not a number",
            "one per core",
        ),
        (
            vec!["-S", "2026-11-21", "-U", "2026-11-20"],
            "error: --until: the time window is empty",
            "earlier",
        ),
        (
            vec!["--tz", "a[=UTC"],
            "error: --tz: 'a[' is not a glob",
            "bracket",
        ),
    ] {
        let said = plan(&[&["logs"], args.as_slice()].concat()).unwrap_err();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].starts_with(error), "{said}");
        assert!(
            lines[1].starts_with("hint: ") && lines[1].contains(hint),
            "{said}"
        );
    }
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    assert!(plan(&["l", "--around", "now", "--since", "now"]).is_err());
    assert!(plan(&["l", "--window", "5m"]).is_err());
    assert!(plan(&["l", "-L", "-Z", "UTC"]).is_err());
    assert!(plan(&["l", "-q", "-v"]).is_err());
}
