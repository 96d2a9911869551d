//! The string values of a configuration in JSON.

use crate::error::FormatError;

/// The string values of an object of objects and strings, with their dotted paths and places. `dialect` is whose
/// format language an error names.
///
/// # Errors
/// [`FormatError::Syntax`] if a string has no end.
pub(crate) fn flat(text: &str, dialect: &'static str) -> Result<Vec<(String, String, usize)>, FormatError> {
    let (mut out, mut path) = (Vec::new(), Vec::<String>::new());
    let mut key: Option<String> = None;
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        match byte {
            b'"' => {
                let (string, used) = string(&text[at..]).ok_or_else(|| FormatError::Syntax {
                    dialect,
                    what: "a string without end".to_owned(),
                    at,
                })?;
                match key.take() {
                    None => key = Some(string),
                    Some(name) => {
                        let full = path.iter().chain([&name]).cloned().collect::<Vec<_>>();
                        out.push((full.join("."), string, at));
                    }
                }
                at += used;
                continue;
            }
            b'{' => path.extend(key.take()),
            b'}' => {
                key = None;
                path.pop();
            }
            b',' => key = None,
            _ => {}
        }
        at += 1;
    }
    Ok(out)
}

/// The string at the start of `text` and how long it is with its quotes.
fn string(text: &str) -> Option<(String, usize)> {
    let mut end = 1;
    while *text.as_bytes().get(end)? != b'"' {
        end += if text.as_bytes()[end] == b'\\' { 2 } else { 1 };
    }
    let raw = text.as_bytes().get(1..end)?;
    let string = crate::bytes::unescape_json(raw);
    Some((String::from_utf8_lossy(&string).into_owned(), end + 1))
}
