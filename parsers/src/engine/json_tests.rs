use super::*;
use proptest::prelude::*;

const SLOTS: usize = 8;

fn keys(paths: &[&str]) -> Keys {
    let mut keys = Keys::new();
    for (slot, path) in paths.iter().enumerate() {
        keys.add(path, slot as u8, 0);
    }
    keys
}

fn read<'a>(line: &'a str, paths: &[&str]) -> Result<[Value<'a>; SLOTS], LineError> {
    let mut out = [Value::default(); SLOTS];
    scan(line.as_bytes(), &keys(paths), &mut out).map(|()| out)
}

fn texts<'a>(line: &'a str, paths: &[&str]) -> Vec<&'a str> {
    let out = read(line, paths).unwrap();
    let texts = out[..paths.len()].iter();
    texts
        .map(|value| std::str::from_utf8(value.text()).unwrap())
        .collect()
}

#[test]
fn nested_flat_and_half_flat_paths_are_the_same_path() {
    let path = ["http.request.method"];
    for line in [
        r#"{"http":{"request":{"method":"GET"}}}"#,
        r#"{"http.request.method":"GET"}"#,
        r#"{"http":{"request.method":"GET"}}"#,
    ] {
        assert_eq!(texts(line, &path), ["GET"], "{line}");
    }
}

#[test]
fn the_first_element_stands_for_an_array_and_header_names_come_in_any_case() {
    let line =
        r#"{"request":{"headers":{"Accept":["*/*","x"],"X-Request-ID":["abc","def"]},"host":"h"},"n":[]}"#;
    let found = texts(line, &["request.headers.x-request-id", "request.host", "n"]);
    assert_eq!(found, ["abc", "h", ""]);
}

#[test]
fn escapes_stay_and_an_escaped_quote_does_not_end_a_string() {
    let line = r#"{"a":"x\"y\\","b":"z"}"#;
    assert_eq!(texts(line, &["a", "b"]), [r#"x\"y\\"#, "z"]);
}

#[test]
fn the_lowest_rank_wins_in_either_order_and_an_empty_value_never_does() {
    let mut keys = Keys::new();
    keys.add("best", 0, 0);
    keys.add("second", 0, 1);
    for (line, want) in [
        (r#"{"best":"1","second":"2"}"#, "1"),
        (r#"{"second":"2","best":"1"}"#, "1"),
        (r#"{"second":"2","best":null}"#, "2"),
        (r#"{"best":"","second":"2"}"#, "2"),
    ] {
        let mut out = [Value::default(); 1];
        scan(line.as_bytes(), &keys, &mut out).unwrap();
        assert_eq!(out[0].text(), want.as_bytes(), "{line}");
    }
}

#[test]
fn what_templates_write_for_missing_and_repeated_values_is_read() {
    let line = r#"{"a":,"b":-,"c":0.001, 0.204,"d":502, 200 : 200,"e":}"#;
    assert_eq!(
        texts(line, &["a", "b", "c", "d", "e"]),
        ["", "", "0.001, 0.204", "502, 200 : 200", ""]
    );
}

#[test]
fn a_broken_line_names_the_byte_and_what_was_wanted() {
    for (line, at, want) in [
        ("plain", 0, "JSON object"),
        (r#"{"a":1"#, 6, "comma or closing brace"),
        (r#"{"a":"b"#, 7, "closing quote"),
        (r#"{"a" 1}"#, 5, "colon"),
        (r#"{"a":1} x"#, 8, "end of the JSON object"),
        (r#"{"a":tru}"#, 5, "JSON value"),
        (r#"{"a":[1,]}"#, 8, "JSON value"),
        (r#"{a:1}"#, 1, "JSON key"),
    ] {
        assert_eq!(read(line, &["a"]), Err(LineError::new(at, want)), "{line}");
    }
}

#[test]
fn nesting_without_end_is_an_error_and_not_a_crash() {
    let line = format!(r#"{{"a":{}"#, "[".repeat(100_000));
    assert_eq!(read(&line, &["a"]).unwrap_err().want, "end of the nesting");
}

#[test]
fn numbers_scale_with_and_without_exponent() {
    let of = |raw: &'static str| Value {
        raw: raw.as_bytes(),
        shape: Shape::Number,
        rank: 0,
    };
    assert_eq!(of("0.000002701").scaled(1_000_000), Some(2));
    assert_eq!(of("1.5e-05").scaled(1_000_000), Some(15));
    assert_eq!(of("3.003478142").scaled(1_000_000), Some(3_003_478));
    assert_eq!(of("-1").scaled(1_000), None);
    assert_eq!(of("1e999").scaled(1_000), None);
}

fn scalar() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e9f64..1e9).prop_map(Into::into),
        ".{0,20}".prop_map(Into::into),
    ]
}

fn object() -> impl Strategy<Value = serde_json::Value> {
    let node = scalar().prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-z]{1,9}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::btree_map("[a-z_-]{1,9}", node, 1..8)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}

/// Every path of `value` that leads to a scalar, the first element standing for an array.
fn paths(value: &serde_json::Value, prefix: &str, into: &mut Vec<(String, serde_json::Value)>) {
    match value {
        serde_json::Value::Object(map) => {
            for (key, value) in map {
                let path = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                paths(value, &path, into);
            }
        }
        serde_json::Value::Array(items) => {
            if let Some(first) = items.first() {
                paths(first, prefix, into);
            }
        }
        scalar => into.push((prefix.to_owned(), scalar.clone())),
    }
}

/// Whether `found` spells the scalar `value`. Numbers are compared as text: `serde_json` rounds them when it reads.
fn spells(found: &Value<'_>, value: &serde_json::Value) -> bool {
    let quoted = [b"\"", found.raw, b"\""].concat();
    match found.shape {
        Shape::String => serde_json::from_slice::<serde_json::Value>(&quoted).ok().as_ref() == Some(value),
        Shape::Absent => false,
        _ => value.to_string().as_bytes() == found.raw,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_scalar_is_what_serde_json_finds(object in object(), pretty in any::<bool>()) {
        let line = if pretty {
            serde_json::to_string_pretty(&object).unwrap()
        } else {
            object.to_string()
        };
        let mut expected = Vec::new();
        paths(&object, "", &mut expected);
        let mut keys = Keys::new();
        for (slot, (path, _)) in expected.iter().take(200).enumerate() {
            keys.add(path, slot as u8, 0);
        }
        let mut out = [Value::default(); 200];
        scan(line.as_bytes(), &keys, &mut out).unwrap();
        for ((path, value), found) in expected.iter().zip(&out) {
            prop_assert!(spells(found, value), "{} in {}", path, line);
            if let (Shape::String, serde_json::Value::String(text)) = (found.shape, value) {
                let decoded = crate::entry::Escape::Json.decode(found.raw);
                prop_assert_eq!(&*decoded, text.as_str());
            }
        }
    }

    #[test]
    fn what_serde_json_reads_is_read_and_no_bytes_make_it_panic(line in prop::collection::vec(
        prop::sample::select(br#"{}[]":,\0a-. trnul1e"#.to_vec()), 0..60)
    ) {
        let wanted = keys(&["a", "0", "a.a"]);
        let mut out = [Value::default(); SLOTS];
        let ours = scan(&line, &wanted, &mut out);
        if let Ok(serde_json::Value::Object(_)) = serde_json::from_slice(&line) {
            prop_assert!(ours.is_ok());
        }
    }
}
