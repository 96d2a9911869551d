//! Whether a definition reads its samples as they expect.

use toml::{Spanned, Value as Toml};

use crate::define::{Defined, DefinitionError, Placed, RawSample};
use crate::entry::Entry;
use crate::fields::{self, FIELDS, Value, closest, write_rfc3339};
use crate::format::{Format, Head, Line};
use crate::time;

/// Whether `line` is an entry.
pub(super) fn reads(defined: &Defined, line: &[u8]) -> bool {
    let head = Head {
        bytes: line,
        hints: &[],
        date_hint: None,
    };
    let mut entry = Entry::default();
    let mut parser = defined.prepare(&head).open(b"");
    parser.parse(line, &mut entry) == Ok(Line::Entry)
}

/// Reads a sample and compares what it expects.
pub(super) fn sample(
    place: &Placed<'_>,
    sample: &RawSample,
    defined: &Defined,
) -> Result<(), DefinitionError> {
    let line = sample.line.get_ref().as_bytes();
    let head = Head {
        bytes: line,
        hints: &[],
        date_hint: None,
    };
    let mut parser = defined.prepare(&head).open(b"");
    let mut entry = Entry::default();
    let outcome = parser.parse(line, &mut entry);
    if outcome != Ok(Line::Entry) {
        let why = outcome
            .err()
            .map_or_else(String::new, |error| format!(": {error}"));
        let hint = "compare the line with the template, byte by byte";
        return Err(place.error(
            sample.line.span().start,
            &format!("the sample does not match{why}"),
            hint,
        ));
    }
    for (name, wanted) in &sample.expect {
        expect(place, name, wanted, &entry)?;
    }
    Ok(())
}

fn expect(
    place: &Placed<'_>,
    name: &Spanned<String>,
    wanted: &Spanned<Toml>,
    entry: &Entry<'_>,
) -> Result<(), DefinitionError> {
    let Some(at) = fields::position(name.get_ref()) else {
        let hint = match closest(name.get_ref(), FIELDS.iter().map(|field| field.name)) {
            Some(near) => format!("did you mean {near}?"),
            None => "'why502 formats fields' lists them".to_owned(),
        };
        let message = format!("unknown field '{}'", name.get_ref());
        return Err(place.error(name.span().start, &message, &hint));
    };
    let value = (FIELDS[at].get)(entry);
    if equals(&value, wanted.get_ref(), entry) {
        return Ok(());
    }
    let found = shown(&value, entry);
    let message = format!("{} is {found}, not {}", name.get_ref(), wanted.get_ref());
    Err(place.error(
        wanted.span().start,
        &message,
        &format!("{} is {}", FIELDS[at].name, FIELDS[at].holds),
    ))
}

fn equals(value: &Value<'_>, wanted: &Toml, entry: &Entry<'_>) -> bool {
    match (value, wanted) {
        (Value::None, Toml::String(text)) => text.is_empty(),
        (Value::None, Toml::Array(list)) => list.is_empty(),
        (Value::Text(text), Toml::String(wanted)) => entry.escape.decode(text) == wanted.as_str(),
        (Value::Word(word), Toml::String(wanted)) => word == wanted,
        (Value::One(number), Toml::Array(wanted)) => {
            wanted.len() == 1 && wanted.first().is_some_and(|own| plain(own) == number.to_string())
        }
        (Value::Number(number) | Value::One(number), Toml::Integer(wanted)) => {
            i64::try_from(*number) == Ok(*wanted)
        }
        (Value::Flag(flag), Toml::Boolean(wanted)) => flag == wanted,
        (Value::Time(us), Toml::String(wanted)) => is_instant(*us, wanted),
        (Value::Time(us), Toml::Datetime(wanted)) => is_instant(*us, &wanted.to_string()),
        (Value::Ids(_) | Value::Attempts(..), Toml::Array(wanted)) => {
            let list = list(value, entry);
            list.len() == wanted.len() && list.iter().zip(wanted).all(|(own, wanted)| *own == plain(wanted))
        }
        _ => false,
    }
}

fn is_instant(us: i64, wanted: &str) -> bool {
    time::any(wanted.as_bytes()).is_some_and(|stamp| stamp.us == us)
}

fn plain(value: &Toml) -> String {
    match value {
        Toml::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The values of a list; a dash for an attempt that has none.
fn list(value: &Value<'_>, entry: &Entry<'_>) -> Vec<String> {
    match value {
        Value::Ids(ids) => ids
            .as_slice()
            .iter()
            .map(|id| entry.escape.decode(id).into_owned())
            .collect(),
        Value::Attempts(upstream, fields::AttemptPart::Addr) => upstream
            .attempts()
            .map(|attempt| entry.escape.decode(attempt.addr).into_owned())
            .collect(),
        Value::Attempts(upstream, part) => part
            .numbers(upstream)
            .map(|number| number.map_or_else(|| "-".to_owned(), |n| n.to_string()))
            .collect(),
        _ => Vec::new(),
    }
}

fn shown(value: &Value<'_>, entry: &Entry<'_>) -> String {
    match value {
        Value::None => "missing".to_owned(),
        Value::Text(text) => format!("\"{}\"", entry.escape.decode(text)),
        Value::Word(word) => format!("\"{word}\""),
        Value::Number(number) | Value::One(number) => number.to_string(),
        Value::Flag(flag) => flag.to_string(),
        Value::Time(us) => {
            let mut out = Vec::new();
            write_rfc3339(*us, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
        Value::Ids(_) | Value::Attempts(..) => format!("[{}]", list(value, entry).join(", ")),
    }
}
