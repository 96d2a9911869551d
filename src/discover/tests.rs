use super::*;
use std::fs;

fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    root
}

fn names(root: &Path, found: &Inputs) -> Vec<String> {
    let prefix = format!("{}/", shown(root));
    found
        .inputs
        .iter()
        .map(|input| input.shown.replace(&prefix, ""))
        .collect()
}

const LINE: &[u8] = b"10.0.0.1 - - [20/Nov/2026:10:00:05 +0000] \"GET / HTTP/1.1\" 502 1\n";

#[test]
fn a_directory_is_walked_and_hidden_files_are_left_out() {
    let root = tree(&[
        ("b/access.log", LINE),
        ("a.log", LINE),
        ("b/.hidden.log", LINE),
        ("b/access.log.1", LINE),
        (".git/x", LINE),
    ]);
    let found = discover(&[root.path().to_owned()]).unwrap();
    assert_eq!(
        names(root.path(), &found),
        ["a.log", "b/access.log.1", "b/access.log"]
    );
    assert_eq!(found.inputs[1].stream, found.inputs[2].stream);
    assert_eq!(found.inputs[2].id, SourceId(2));
    assert!(found.problems.is_empty());
}

#[test]
fn the_same_file_is_read_once_and_the_order_of_paths_does_not_matter() {
    let root = tree(&[("a.log", LINE), ("b.log", LINE)]);
    let (a, b) = (root.path().join("a.log"), root.path().join("b.log"));
    let one = discover(&[b.clone(), root.path().to_owned(), a.clone()]).unwrap();
    let other = discover(&[a, b]).unwrap();
    assert_eq!(names(root.path(), &one), ["a.log", "b.log"]);
    assert_eq!(names(root.path(), &one), names(root.path(), &other));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_loops_end() {
    use std::os::unix::fs::symlink;
    let root = tree(&[("real/a.log", LINE)]);
    symlink(root.path(), root.path().join("real/loop")).unwrap();
    symlink(root.path().join("real/a.log"), root.path().join("real/z.log")).unwrap();
    symlink(root.path().join("gone"), root.path().join("broken.log")).unwrap();
    let found = discover(&[root.path().to_owned()]).unwrap();
    assert_eq!(names(root.path(), &found), ["real/a.log"]);
    assert_eq!(found.problems.len(), 1);
    assert!(
        found.problems[0].message.contains("broken.log: no such file"),
        "{:?}",
        found.problems
    );
}

#[test]
fn what_cannot_be_read_is_a_problem_and_the_rest_goes_on() {
    let root = tree(&[
        ("a.log", LINE),
        ("x.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0"),
        ("e.evtx", b"ElfFile\0\0"),
        ("b.bin", &[1, 2, 3, 0, 5, 6]),
    ]);
    fs::create_dir(root.path().join("empty")).unwrap();
    let missing = root.path().join("missing.log");
    let found = discover(&[root.path().to_owned(), missing, root.path().join("empty")]).unwrap();
    assert_eq!(names(root.path(), &found), ["a.log"]);
    let said: Vec<_> = found
        .problems
        .iter()
        .map(|p| p.message.replace(&shown(root.path()), "R"))
        .collect();
    assert_eq!(
        said,
        [
            "skipped R/b.bin: it is binary, not text",
            "skipped R/e.evtx: it is a Windows event log, not text",
            "no files in directory R/empty",
            "cannot read R/missing.log: no such file or directory",
            "skipped R/x.pcap: it is a packet capture, not a log",
        ]
    );
    assert!(found.problems.iter().all(|p| !p.hint.is_empty()));
}

#[test]
fn nothing_left_to_read_ends_the_run_with_the_reason() {
    let root = tree(&[]);
    let error = discover(&[root.path().to_owned()]).unwrap_err();
    assert!(error.to_string().contains("no files in directory"), "{error}");
    let error = discover(&[root.path().join("gone")]).unwrap_err();
    assert!(error.hint().starts_with("check the path"), "{}", error.hint());
}

#[test]
fn a_glob_matches_within_one_directory_unless_it_has_two_stars() {
    let root = tree(&[("a.log", LINE), ("d/b.log", LINE), ("d/c.txt", LINE)]);
    let glob = |text: &str| discover(&[root.path().join(text)]).map(|found| names(root.path(), &found));
    assert_eq!(glob("*.log").unwrap(), ["a.log"]);
    assert_eq!(glob("**/*.log").unwrap(), ["a.log", "d/b.log"]);
    assert_eq!(glob("[d]").unwrap(), ["d/b.log", "d/c.txt"]);
    assert!(
        glob("*.nothing")
            .unwrap_err()
            .to_string()
            .contains("no file matches")
    );
}

#[test]
fn compression_and_configuration_are_known_by_content() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    io::Write::write_all(&mut gz, LINE).unwrap();
    let root = tree(&[
        ("plain.log.gz", LINE),
        ("zipped.log", &gz.finish().unwrap()),
        ("nginx.conf", b"events {}\n"),
        ("empty.log", b""),
    ]);
    let found = discover(&[root.path().to_owned()]).unwrap();
    let kinds: Vec<_> = found.inputs.iter().map(|input| input.codings.clone()).collect();
    assert_eq!(
        names(root.path(), &found),
        ["empty.log", "nginx.conf", "plain.log.gz", "zipped.log"]
    );
    assert_eq!(kinds, [vec![], vec![], vec![], vec![Coding::Gzip]]);
    assert_eq!(found.configs, [root.path().join("nginx.conf")]);
}

#[test]
fn a_numbered_log_joins_its_stream_only_if_the_stream_is_there() {
    let root = tree(&[("app.log", LINE), ("app.1.log", LINE), ("gw.1.log", LINE)]);
    let found = discover(&[root.path().to_owned()]).unwrap();
    let streams: BTreeSet<_> = found.inputs.iter().map(|input| input.stream.clone()).collect();
    assert_eq!(streams.len(), 2);
    assert!(streams.iter().any(|stream| stream.ends_with("/gw.1.log")));
}

#[test]
fn shown_paths_are_plain() {
    assert_eq!(shown(Path::new("./logs//edge/a.log")), "logs/edge/a.log");
    assert_eq!(shown(Path::new(".//././a.log")), "a.log");
}

#[test]
fn a_pipe_is_kept_so_that_it_can_be_read_twice() {
    let (mut file, bytes, head) = copy_to_temporary(LINE).unwrap();
    assert_eq!((bytes, head.as_slice()), (LINE.len() as u64, LINE));
    for _ in 0..2 {
        let mut again = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut again).unwrap();
        assert_eq!(again, LINE);
    }
}

proptest::proptest! {
    #[test]
    fn any_name_has_a_stream_in_its_own_directory_and_the_stream_s_stream_is_itself(name in "[a-z0-9._é-]{1,30}(\\.log)?(\\.gz)?") {
        let stream = stream_name(&format!("d.1/{name}"));
        proptest::prop_assert!(stream.starts_with("d.1/") && stream.len() > 4, "{stream}");
        proptest::prop_assert_eq!(stream_name(&stream), stream);
    }
}

/// Runs a program in `directory`; whether it is there.
fn run(directory: &Path, program: &str, arguments: &[&str]) -> bool {
    match std::process::Command::new(program)
        .args(arguments)
        .current_dir(directory)
        .output()
    {
        Ok(output) => {
            assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
            true
        }
        Err(_) => {
            eprintln!("skipped: no {program}");
            false
        }
    }
}

#[test]
fn archives_are_directories_and_may_lie_in_each_other() {
    let root = tree(&[
        ("w/edge/access.log", LINE),
        ("w/edge/access.log.1", LINE),
        ("w/edge/.hidden", LINE),
        ("w/app/x.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0"),
        ("w/app/error.log", LINE),
    ]);
    let d = root.path();
    let made = run(d, "gzip", &["w/edge/access.log.1"])
        && run(d, "tar", &["czf", "w/app/inner.tgz", "-C", "w/app", "error.log"])
        && run(d, "zip", &["-qr", "w/app/inner.zip", "w/edge", "w/app/inner.tgz"])
        && run(d, "tar", &["czf", "support.tar.gz", "-C", "w", "."])
        && run(d, "tar", &["cf", "support.tar", "-C", "w", "./edge"]);
    if !made {
        return;
    }
    fs::remove_dir_all(d.join("w")).unwrap();
    let found = discover(&[d.to_owned()]).unwrap();
    assert_eq!(
        names(d, &found),
        [
            "support.tar.gz/app/error.log",
            "support.tar.gz/app/inner.tgz/error.log",
            "support.tar.gz/app/inner.zip/w/app/inner.tgz/error.log",
            "support.tar.gz/app/inner.zip/w/edge/access.log.1.gz",
            "support.tar.gz/app/inner.zip/w/edge/access.log",
            "support.tar.gz/edge/access.log.1.gz",
            "support.tar.gz/edge/access.log",
            "support.tar/edge/access.log.1.gz",
            "support.tar/edge/access.log",
        ]
    );
    assert_eq!(found.inputs[5].stream, found.inputs[6].stream);
    for input in &found.inputs {
        assert_eq!(crate::read::head(input, 1_000).unwrap(), LINE, "{}", input.shown);
        assert_eq!(
            crate::read::line_at(input, 3, 5).unwrap(),
            &LINE[3..8],
            "{}",
            input.shown
        );
    }
    assert!(
        found
            .inputs
            .iter()
            .skip(7)
            .all(|input| input.changed_us.is_some())
    );
    let said: Vec<_> = found
        .problems
        .iter()
        .map(|problem| problem.path.replace(&shown(d), "R"))
        .collect();
    assert_eq!(said, ["R/support.tar.gz/app/x.pcap"]);
}

#[test]
fn of_a_broken_archive_what_can_be_had_is_read_and_the_rest_is_a_problem() {
    let long: Vec<u8> = (0..20_000u64)
        .flat_map(|n| format!("{:x} {n}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes())
        .collect();
    let root = tree(&[("a.log", LINE), ("b.log", &long), ("fine.log", LINE)]);
    let d = root.path();
    let made = run(d, "tar", &["cf", "x.tar", "a.log", "b.log"])
        && run(d, "tar", &["czf", "y.tgz", "a.log", "b.log"])
        && run(d, "zip", &["-q", "z.zip", "a.log", "b.log"])
        && run(d, "xz", &["-k", "b.log"]);
    if !made {
        return;
    }
    for name in ["x.tar", "y.tgz", "z.zip", "b.log.xz"] {
        let mut bytes = fs::read(d.join(name)).unwrap();
        if name == "z.zip" {
            let middle = bytes.len() / 2; // The directory stays whole, the content does not.
            bytes[middle] ^= 0x55;
        } else {
            bytes.truncate(bytes.len() / 2);
        }
        fs::write(d.join(name), bytes).unwrap();
    }
    let found = discover(&[d.to_owned()]).unwrap();
    let all = names(d, &found);
    for name in [
        "fine.log",
        "x.tar/a.log",
        "x.tar/b.log",
        "y.tgz/a.log",
        "y.tgz/b.log",
        "z.zip/b.log",
    ] {
        assert!(all.iter().any(|known| known == name), "{name} of {all:?}");
    }
    let mut broken = Vec::new();
    for input in &found.inputs {
        let (mut read, mut buffer) = (0, Vec::new());
        for span in crate::read::spans(input, 1 << 20).unwrap() {
            let result =
                crate::read::read_span(input, &span, &mut buffer, &mut |chunk| read += chunk.bytes.len());
            if let Err(error) = result {
                let problem = error.problem(&input.shown);
                assert!(problem.hint.contains("copy the file again"), "{problem:?}");
                broken.push((input.shown.replace(&format!("{}/", shown(d)), ""), read > 1_000));
            }
        }
    }
    let want = ["b.log.xz", "x.tar/b.log", "y.tgz/b.log", "z.zip/b.log"];
    assert_eq!(broken, want.map(|name| (name.to_owned(), true)));
    assert!(
        found
            .problems
            .iter()
            .any(|problem| problem.path.ends_with("y.tgz")),
        "{:?}",
        found.problems
    );
}

#[test]
fn hostile_archives_end() {
    let mut bomb = vec![0; 600];
    bomb[257..262].copy_from_slice(b"ustar");
    let root = tree(&[
        ("a.log", LINE),
        ("bad.tar", &bomb),
        ("bad.zip", b"PK\x03\x04garbage"),
        ("bad.zst", b"\x28\xb5\x2f\xfd\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("bad.xz", b"\xfd7zXZ\0garbage"),
        ("bad.bz2", b"BZh9garbage"),
        (
            "bad.export",
            b"__CURSOR=x\nMESSAGE\n\xff\xff\xff\xff\xff\xff\xff\xffx",
        ),
        ("bad.json", b"[{\"a\":[[[[\"\\"),
        ("bad.utf16", b"\xff\xfe\x00\xd8\x41"),
    ]);
    let found = discover(&[root.path().to_owned()]).unwrap();
    assert!(found.problems.len() >= 2, "{:?}", found.problems);
    assert!(found.problems.iter().all(|problem| !problem.hint.is_empty()));
    for input in &found.inputs {
        let _ = crate::read::head(input, 1_000);
        let _ = crate::read::lines_at(input, &[(0, 10), (1 << 40, 10)]);
    }
}

#[test]
fn the_parts_of_a_log_come_in_the_order_in_which_they_were_written() {
    let root = tempfile::tempdir().unwrap();
    let oldest_first = [
        "a/access.log-20261118.gz",
        "a/access.log-20261119",
        "a/access.log.10",
        "a/access.log.2.gz",
        "a/access.log.1",
        "a/access.log",
        "a/app.2.log",
        "a/app.1.log",
        "a/app.log",
        "a/error.log.old",
        "a/error.log",
    ];
    std::fs::create_dir(root.path().join("a")).unwrap();
    for name in oldest_first {
        let bytes: &[u8] = if name.ends_with(".gz") {
            b"\x1f\x8b\x08"
        } else {
            b"x\n"
        };
        std::fs::write(root.path().join(name), bytes).unwrap();
    }
    let found = discover(&[root.path().to_owned()]).unwrap();
    let prefix = format!("{}/", shown(root.path()));
    let names: Vec<String> = found
        .inputs
        .iter()
        .map(|input| input.shown.replace(&prefix, ""))
        .collect();
    assert_eq!(names, oldest_first);
}
