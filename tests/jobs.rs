//! Formats as a user meets them: the README followed to the letter, `detect`, `parse`, `formats`.
#![allow(clippy::unwrap_used)] // Helpers of tests stand outside test functions.

use std::path::Path;
use std::process::{Command, Output};

fn why502(args: &[&str], directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_why502"))
        .args(args)
        .current_dir(directory)
        .env("XDG_CONFIG_HOME", directory.join("none"))
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The fenced blocks of `language` in `markdown`.
fn blocks<'m>(markdown: &'m str, language: &str) -> Vec<&'m str> {
    let open = format!("```{language}\n");
    markdown
        .split(open.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

#[test]
fn the_readme_followed_literally_works() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let section = readme.split("## A format of one's own").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("formats")).unwrap();
    std::fs::write(root.path().join("gate.log"), blocks(section, "log")[0]).unwrap();
    std::fs::write(root.path().join("formats/gate.toml"), blocks(section, "toml")[0]).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_why502")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let consoles = blocks(section, "console");
    assert_eq!(consoles.len(), 3);
    for console in consoles {
        let (command, wanted) = console.split_once('\n').unwrap();
        let output = Command::new("sh")
            .args(["-c", &format!("( {} ) 2>&1", command.strip_prefix("$ ").unwrap())])
            .current_dir(root.path())
            .env("PATH", &path)
            .env("XDG_CONFIG_HOME", root.path().join("none"))
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout).replace('\r', ""), wanted, "{command}");
    }
}

const NGINX: &str = r#"10.0.0.1 - - [20/Nov/2026:10:00:05 +0000] "GET /a HTTP/1.1" 502 157 "-" "curl" rt=0.061 us="502" urt="0.061" ua="10.0.0.3:80"
10.0.0.1 - - [20/Nov/2026:10:00:06 +0000] "GET /b HTTP/1.1" 200 15 "-" "curl" rt=0.003 us="200" urt="0.003" ua="10.0.0.3:80"
nonsense
"#;

#[test]
fn detect_says_what_a_log_lacks_and_the_line_that_adds_it() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("detect")).unwrap();
    std::fs::write(root.path().join("detect/access.log"), NGINX).unwrap();
    let output = why502(&["detect", "./detect", "-o", "d.json", "-o", "-"], root.path());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let page = text(&output.stdout);
    assert!(
        page.contains("request id ($request_id)") && page.contains("log_format why502 '$remote_addr"),
        "{page}"
    );
    assert!(page.contains("line 3 (no "), "{page}");
    let json: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.path().join("d.json")).unwrap()).unwrap();
    let file = &json["files"][0];
    assert_eq!(
        (
            &json["schema"],
            &file["format"],
            &file["requests"],
            &file["unparsed"]
        ),
        (&"why502.detect.v1".into(), &"nginx".into(), &2.into(), &1.into())
    );
    let missing: Vec<&str> = file["missing"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["what"].as_str().unwrap())
        .collect();
    assert_eq!(missing[..2], ["request id", "connect time"]);
    assert!(!missing.contains(&"upstream status") && missing.contains(&"time finer than a second"));
    let schema = why502(&["formats", "schema", "detect"], root.path());
    let schema: serde_json::Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&json));
    // The directory of that name is reached by its path, and after an option.
    for args in [&["./detect"][..], &["-q", "detect"]] {
        let page = text(&why502(args, root.path()).stdout);
        assert!(page.contains("ended in 502"), "{args:?}: {page}");
    }
}

#[test]
fn the_line_that_detect_advises_leaves_nothing_to_ask_for() {
    // Written by nginx 1.22.1 with that line, three hops deep.
    let root = tempfile::tempdir().unwrap();
    let line = r#"127.0.0.1 - - [20/Nov/2026:19:45:14 +0000] "GET /a?x=1 HTTP/1.1" 502 157 "-" "curl/7.88.1" msec=1795203914.950 rt=0.001 request_id=301e21c0132fa4bafd88901049eb3f68 upstream_addr="127.0.0.1:18432" upstream_status="502" uct="-" uht="-" urt="0.001" ubr="0" conn=1:1 pid=10545"#;
    std::fs::write(root.path().join("access.log"), format!("{line}\n")).unwrap();
    let page = text(&why502(&["detect", "access.log"], root.path()).stdout);
    assert!(
        page.contains("nothing that would decide more") && !page.contains("To add"),
        "{page}"
    );
}

#[test]
fn parse_writes_records_in_order_within_the_window_and_the_filters() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("access.log"), NGINX).unwrap();
    let run = |args: &[&str]| why502(&[&["parse", "access.log"], args].concat(), root.path());
    let all = run(&[]);
    let lines: Vec<serde_json::Value> = text(&all.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        (lines.len(), &lines[1]["line"], &lines[1]["path"]),
        (2, &2.into(), &"/b".into())
    );
    assert_eq!(lines[0]["upstream_status"], serde_json::json!([502]));
    assert!(
        text(&all.stderr).contains("1 line unparsed, the first at access.log:3"),
        "{}",
        text(&all.stderr)
    );
    for (args, wanted) in [
        (&["--status", "5xx"][..], "/a"),
        (&["-S", "2026-11-20T10:00:06Z"], "/b"),
        (&["-S", "-1s", "--relative-to-end"], "/a"),
    ] {
        let output = text(&run(args).stdout);
        let first: serde_json::Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
        assert_eq!(first["path"], wanted, "{args:?}");
    }
    let shifted = text(&run(&["--offset", "*=+1h", "--status", "502"]).stdout);
    assert!(shifted.contains("2026-11-20T11:00:05.000000Z"), "{shifted}");
    let wrong = run(&["--hop", "nope"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("hint: hops found: "));
    let csv = run(&["-o", "out.csv"]);
    assert_eq!(csv.status.code(), Some(0));
    let rows = std::fs::read_to_string(root.path().join("out.csv")).unwrap();
    assert_eq!(rows.lines().count(), 3);
}

#[test]
fn a_reader_that_goes_away_is_no_failure_of_parse() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("access.log"), NGINX.repeat(5_000)).unwrap();
    let program = env!("CARGO_BIN_EXE_why502");
    let script = format!("{program} parse -q access.log | head -n 1; echo ${{PIPESTATUS[0]}}");
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(root.path())
        .output()
        .unwrap();
    assert!(
        text(&output.stdout).ends_with("\n0\n"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_definition_is_chosen_for_its_lines_and_a_wrong_one_is_a_problem() {
    let root = tempfile::tempdir().unwrap();
    let formats = root.path().join("none/why502/formats");
    std::fs::create_dir_all(&formats).unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("parsers/formats/example.toml");
    let example = std::fs::read_to_string(example).unwrap();
    std::fs::write(formats.join("shop.toml"), &example).unwrap();
    std::fs::write(formats.join("wrong.toml"), example.replace("{status}", "{stat}")).unwrap();
    let line = example
        .lines()
        .find_map(|line| line.strip_prefix("line = '"))
        .unwrap();
    let line = line.strip_suffix('\'').unwrap();
    std::fs::write(root.path().join("edge.log"), format!("{line}\n")).unwrap();
    let output = why502(&["edge.log"], root.path());
    let page = text(&output.stdout);
    assert!(
        page.contains("shop-edge") && page.contains("ended in 502"),
        "{page}"
    );
    assert!(
        page.contains("wrong.toml:") && page.contains("unknown field 'stat'"),
        "{page}"
    );
    let forced = why502(
        &["parse", "-q", "edge.log", "--input-format", "shop-edge"],
        root.path(),
    );
    assert!(text(&forced.stdout).contains("\"duration_us\":61000"));
    let list = text(&why502(&["formats"], root.path()).stdout);
    assert!(list.lines().nth(1).unwrap().starts_with("shop-edge "), "{list}");
}

#[test]
fn a_pasted_format_with_an_unknown_variable_says_which_and_what_becomes_of_it() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(
        root.path().join("a.log"),
        "10.0.0.1 [20/Nov/2026:10:00:05 +0000] 502 x\n",
    )
    .unwrap();
    let format = "nginx:$remote_addr [$time_local] $status $upstream_adr";
    let output = why502(&["a.log", "--log-format", format], root.path());
    assert_eq!(output.status.code(), Some(0));
    let said = text(&output.stderr);
    assert!(
        said.contains("$upstream_adr")
            && said.contains("did you mean $upstream_addr")
            && said.contains("read over"),
        "{said}"
    );
    assert!(
        why502(&["a.log", "-q", "--log-format", format], root.path())
            .stderr
            .is_empty()
    );
}

#[test]
fn completions_and_the_manual_name_every_job() {
    let root = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = text(&why502(&["completions", shell], root.path()).stdout);
        assert!(
            script.contains("detect") && script.contains("relative-to-end"),
            "{shell}"
        );
    }
    assert!(text(&why502(&["man"], root.path()).stdout).contains("detect"));
}

#[test]
fn every_record_of_parse_fits_its_schema_and_the_rows_of_csv_have_its_columns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema: serde_json::Value =
        serde_json::from_slice(&why502(&["formats", "schema", "entries"], root).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut count = 0;
    for place in [
        "samples/nginx-node/logs",
        "samples/haproxy-nginx-node/logs",
        "samples/caddy-node/logs",
        "tests/declared/haproxy",
    ] {
        let written = why502(&["parse", "-q", place], root).stdout;
        for line in text(&written).lines() {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(validator.is_valid(&record), "{line}");
            count += 1;
        }
        let rows = text(&why502(&["parse", "-q", "--format", "csv", place], root).stdout);
        let head = rows.split("\r\n").next().unwrap();
        let names: Vec<&str> = schema["properties"]
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(head.split(',').collect::<Vec<_>>(), names);
    }
    assert!(count > 500, "{count} records");
}
