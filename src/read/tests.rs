use std::io::Write;
use std::path::Path;

use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::model::SourceId;

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn input(directory: &Path, name: &str, bytes: &[u8]) -> Input {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    let codings = if bytes.starts_with(b"\x1f\x8b") {
        vec![Coding::Gzip]
    } else {
        Vec::new()
    };
    Input {
        id: SourceId(0),
        path,
        shown: name.to_owned(),
        stream: name.to_owned(),
        codings,
        bytes_on_disk: bytes.len() as u64,
        spool: None,
        changed_us: None,
    }
}

/// Every line with its offset, reading in blocks of `block` bytes.
fn all_lines(input: &Input, block: u64) -> Result<Vec<(u64, Vec<u8>)>, Error> {
    let mut found = Vec::new();
    let mut buffer = Vec::new();
    for span in spans(input, block)? {
        read_span(input, &span, &mut buffer, &mut |chunk| {
            let mut offset = chunk.offset;
            for line in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
                found.push((offset, line.to_vec()));
                offset += line.len() as u64;
            }
        })?;
    }
    Ok(found)
}

/// The same by the plainest means.
fn expected(content: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut offset = 0;
    content
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| {
            offset += line.len() as u64;
            (offset - line.len() as u64, line.to_vec())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_block_size_gives_each_line_once_at_its_place(
        lines in prop::collection::vec(("[a-z ]{0,40}", any::<bool>()), 1..40),
        final_end in any::<bool>(),
        block in 1u64..200,
    ) {
        let mut content: Vec<u8> = lines
            .iter()
            .flat_map(|(text, cr)| format!("{text}{}\n", if *cr { "\r" } else { "" }).into_bytes())
            .collect();
        if !final_end {
            content.pop();
        }
        let root = tempfile::tempdir().unwrap();
        let plain = input(root.path(), "a.log", &content);
        prop_assert_eq!(all_lines(&plain, block).unwrap(), expected(&content));
        let zipped = input(root.path(), "b.log.gz", &gz(&content));
        prop_assert_eq!(all_lines(&zipped, block).unwrap(), expected(&content));
    }

    #[test]
    fn places_of_any_order_and_overlap_are_the_same_in_plain_and_compressed_files(
        content in prop::collection::vec(b'a'..=b'z', 1..300),
        places in prop::collection::vec((0u64..320, 0u32..60), 0..12),
    ) {
        let root = tempfile::tempdir().unwrap();
        let plain = input(root.path(), "a.log", &content);
        let zipped = input(root.path(), "b.log.gz", &gz(&content));
        let wanted: Vec<Vec<u8>> = places
            .iter()
            .map(|&(offset, len)| {
                let from = content.len().min(offset as usize);
                content[from..content.len().min(from + len as usize)].to_vec()
            })
            .collect();
        prop_assert_eq!(&lines_at(&plain, &places).unwrap(), &wanted);
        prop_assert_eq!(&lines_at(&zipped, &places).unwrap(), &wanted);
    }
}

#[test]
fn lines_across_chunks_are_whole() {
    let root = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..60_000)
        .flat_map(|n| format!("{n} {}\n", "x".repeat(n % 97)).into_bytes())
        .collect();
    assert!(content.len() > 3 * CHUNK);
    let plain = input(root.path(), "a.log", &content);
    let zipped = input(root.path(), "a.log.gz", &gz(&content));
    for block in [700_001, 1 << 20, 10 << 20] {
        assert_eq!(all_lines(&plain, block).unwrap(), expected(&content));
    }
    assert_eq!(all_lines(&zipped, 1).unwrap(), expected(&content));
}

#[test]
fn a_line_beyond_the_limit_is_cut_and_said_to_be_and_the_next_is_read() {
    let root = tempfile::tempdir().unwrap();
    let mut content = b"first\n".to_vec();
    content.resize(content.len() + LINE_MOST + 3 * CHUNK, b'x');
    content.extend_from_slice(b"\nlast\n");
    let last_at = content.len() as u64 - 5;
    for (name, bytes, block) in [("a.log", content.clone(), 4 << 20), ("a.log.gz", gz(&content), 1)] {
        let file = input(root.path(), name, &bytes);
        let (mut seen, mut buffer) = (Vec::new(), Vec::new());
        for span in spans(&file, block).unwrap() {
            read_span(&file, &span, &mut buffer, &mut |c| {
                seen.push((c.offset, c.bytes.len(), c.cut))
            })
            .unwrap();
        }
        assert_eq!(
            seen,
            [(0, 6, false), (6, LINE_MOST, true), (last_at, 5, false)],
            "{name}"
        );
        assert!(buffer.len() <= LINE_MOST);
    }
}

#[test]
fn a_broken_gzip_delivers_what_it_had_and_then_the_error() {
    let root = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (0..50_000u64)
        .flat_map(|n| format!("{n} {:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes())
        .collect();
    let whole = gz(&content);
    let broken = input(root.path(), "a.log.gz", &whole[..whole.len() / 2]);
    let mut seen = Vec::new();
    let span = spans(&broken, 1).unwrap()[0];
    let error = read_span(&broken, &span, &mut Vec::new(), &mut |c| {
        seen.extend_from_slice(c.bytes)
    })
    .unwrap_err();
    assert!(
        matches!(error, Error::Damaged { read, .. } if read > 100_000),
        "{error}"
    );
    assert!(seen.len() > 100_000 && seen.ends_with(b"\n"));
    assert!(content.starts_with(&seen));
    assert!(head(&broken, 1000).unwrap().len() > 900);
}

#[test]
fn gzip_members_follow_one_another_and_padding_is_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let mut bytes = gz(b"one\ntw");
    bytes.extend(gz(b"o\nthree\n"));
    bytes.extend([0; 512]);
    let file = input(root.path(), "a.gz", &bytes);
    assert_eq!(all_lines(&file, 1).unwrap(), expected(b"one\ntwo\nthree\n"));
    bytes.extend(b"garbage");
    let file = input(root.path(), "b.gz", &bytes);
    assert!(matches!(
        all_lines(&file, 1),
        Err(Error::Damaged { read: 14, .. })
    ));
}

#[test]
fn the_byte_order_mark_and_runs_of_nul_are_left_out() {
    let root = tempfile::tempdir().unwrap();
    let file = input(root.path(), "a.log", b"\xef\xbb\xbfone\r\ntwo\n\0\0\0");
    for block in 1..9 {
        assert_eq!(
            all_lines(&file, block).unwrap(),
            [(3, b"one\r\n".to_vec()), (8, b"two\n".to_vec())],
            "blocks of {block} bytes"
        );
    }
    assert_eq!(head(&file, 100).unwrap(), b"one\r\ntwo\n\0\0\0");
    let mut hole = vec![0; 3 * CHUNK];
    hole.extend_from_slice(b"three\nfo\0ur\n\0\0five\n");
    let file = input(root.path(), "b.log", &hole);
    let at = 3 * CHUNK as u64;
    let want = [
        (at, b"three\n".to_vec()),
        (at + 6, b"fo\0ur\n".to_vec()),
        (at + 14, b"five\n".to_vec()),
    ];
    for block in [1 << 18, 16 << 20] {
        assert_eq!(all_lines(&file, block).unwrap(), want);
    }
}

#[test]
fn a_head_ends_with_a_line() {
    let root = tempfile::tempdir().unwrap();
    let file = input(root.path(), "a.log", b"one\ntwo\nthree");
    assert_eq!(head(&file, 9).unwrap(), b"one\ntwo\n");
    assert_eq!(head(&file, 99).unwrap(), b"one\ntwo\nthree");
    assert_eq!(head(&file, 2).unwrap(), b"on");
    let zipped = input(root.path(), "a.gz", &gz(b"one\ntwo\nthree"));
    assert_eq!(head(&zipped, 9).unwrap(), b"one\ntwo\n");
}

#[test]
fn a_head_begins_behind_the_hole_that_truncating_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let mut file = std::fs::File::create(&path).unwrap();
    let hole = 10_u64 << 30; // No room is taken on disk.
    file.set_len(hole).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).unwrap();
    std::io::Write::write_all(&mut file, b"first\nsecond\n").unwrap();
    let mut input = input(dir.path(), "b.log", b"");
    input.path = path;
    input.bytes_on_disk = hole + 13;
    assert_eq!(head(&input, 64 * 1024).unwrap(), b"first\nsecond\n");
}

#[test]
fn directives_are_found_with_their_places_and_repeats_left_out() {
    let root = tempfile::tempdir().unwrap();
    let content = b"#Fields: a\r\n1\n#Fields: a\r\n2 #Fields: no\n#Field: n\n#Fields: a b\r\n3\n#Fields: a";
    for (name, bytes) in [("a.log", content.to_vec()), ("a.log.gz", gz(content))] {
        let file = input(root.path(), name, &bytes);
        let found = directives(&file, &whole(&file), b"#Fields:").unwrap();
        let want: [(u64, &[u8]); 3] = [(0, b"#Fields: a"), (50, b"#Fields: a b"), (66, b"#Fields: a")];
        assert_eq!(found, want.map(|(at, text)| (at, text.to_vec())), "{name}");
    }
}

#[test]
fn an_empty_file_has_no_spans_and_a_file_that_is_gone_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let file = input(root.path(), "a.log", b"");
    assert!(spans(&file, 1).unwrap().is_empty());
    assert!(head(&file, 10).unwrap().is_empty());
    std::fs::remove_file(&file.path).unwrap();
    assert!(matches!(head(&file, 10), Err(Error::Read { .. })));
}

#[test]
fn the_middle_of_a_file_is_whole_lines() {
    let root = tempfile::tempdir().unwrap();
    let content: Vec<u8> = (1000..2000).flat_map(|n| format!("{n}\n").into_bytes()).collect();
    let file = input(root.path(), "a.log", &content);
    let sample = middle(&file, 50).unwrap();
    assert!(
        sample.starts_with(b"1500\n") && sample.ends_with(b"\n"),
        "{:?}",
        String::from_utf8_lossy(&sample)
    );
}
