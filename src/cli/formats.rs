//! `why502 formats`: what formats there are, what their fields mean, and whether definitions are right.

use std::fmt::Write;
use std::path::PathBuf;

use why502_parsers::define::{Defined, SLOTS};
use why502_parsers::fields::FIELDS;
use why502_parsers::format::{Format, Head, RecordKind, Score};
use why502_parsers::paste::Dialect;
use why502_parsers::paste::unknown;
use why502_parsers::registry;

use super::commands::{FormatsAction, to_stdout};
use super::{say, values};
use crate::error::Error;
use crate::report::entries::PLACE_FIELDS;
use crate::report::{detect, entries, explain, json, lint};
use crate::run;

/// A definition is wrong.
const WRONG: u8 = 2;

/// What is to be done about formats.
#[derive(Debug)]
pub struct FormatsJob(FormatsAction);

impl FormatsJob {
    pub(super) fn new(action: Option<FormatsAction>) -> Self {
        Self(action.unwrap_or(FormatsAction::List { formats: Vec::new() }))
    }
}

/// Does it; the exit code.
///
/// # Errors
/// Wrong usage, or output that failed.
pub(super) fn perform(job: &FormatsJob) -> Result<u8, Error> {
    match &job.0 {
        FormatsAction::List { formats } => to_stdout(list(&own(formats)?).as_bytes()),
        FormatsAction::Show { name, formats } => to_stdout(show(name, &own(formats)?)?.as_bytes()),
        FormatsAction::Fields => to_stdout(fields().as_bytes()),
        FormatsAction::Schema { name } => {
            let schema = match name.as_str() {
                "findings" => json::schema(),
                "detect" => detect::schema(),
                "lint" => lint::schema(),
                "entries" => entries::schema(),
                "explain" => explain::schema(),
                other => {
                    let what = format!("no schema is called '{other}'");
                    return Err(Error::usage(
                        "formats schema",
                        what,
                        "valid: findings, detect, explain, lint, entries",
                    ));
                }
            };
            to_stdout(format!("{schema:#}\n").as_bytes())
        }
        FormatsAction::Check { files, quiet } => check(files, *quiet),
    }
}

/// Definitions of the user's own that are right; the others are warned of.
fn own(places: &[PathBuf]) -> Result<Vec<Defined>, Error> {
    let mut places = places.to_vec();
    places.extend(values::user_formats());
    let mut all: Vec<Defined> = Vec::new();
    for place in &places {
        for path in run::definition_files(place)? {
            match read(&path)? {
                Ok(defined) if all.iter().any(|known| known.name() == defined.name()) => {}
                Ok(defined) => all.push(defined),
                Err((message, hint)) => say::warning(&message, &hint),
            }
        }
    }
    Ok(all)
}

/// A definition, or what is wrong with it and what would be right.
type Read = Result<Defined, (String, String)>;

fn read(path: &std::path::Path) -> Result<Read, Error> {
    let bytes = std::fs::read(path).map_err(|source| Error::Read {
        path: path.to_path_buf(),
        source,
    })?;
    let shown = path.display().to_string();
    let Ok(text) = String::from_utf8(bytes) else {
        let hint = "save it as UTF-8".to_owned();
        return Ok(Err((format!("{shown}: the file is not UTF-8"), hint)));
    };
    Ok(Defined::read(&shown, &text).map_err(|error| (error.to_string(), error.hint)))
}

const fn kind(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Access => "access",
        RecordKind::Error => "error",
        RecordKind::Mixed => "mixed",
    }
}

fn list(own: &[Defined]) -> String {
    let row = |format: &dyn Format| {
        [
            format.name().to_owned(),
            format.product().name().to_owned(),
            kind(format.kind()).to_owned(),
            format.about(),
        ]
    };
    let mut rows: Vec<[String; 4]> = own.iter().map(|format| row(format)).collect();
    let mut builtin: Vec<[String; 4]> = registry::builtin().iter().map(|format| row(*format)).collect();
    builtin.sort();
    rows.append(&mut builtin);
    table(&["name", "product", "kind", "what it is"], &rows)
}

/// Rows under heads, columns two spaces apart.
fn table<const N: usize>(heads: &[&str; N], rows: &[[String; N]]) -> String {
    let mut widths: Vec<usize> = heads.iter().map(|head| head.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = String::new();
    let mut put = |cells: &[&str]| {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    };
    put(heads);
    for row in rows {
        put(&row.each_ref().map(String::as_str));
    }
    out
}

fn show(name: &str, own: &[Defined]) -> Result<String, Error> {
    if let Some(defined) = own.iter().find(|defined| defined.name() == name) {
        return Ok(defined.source().to_owned());
    }
    let Some(format) = registry::by_name(name) else {
        let known: Vec<&str> = registry::builtin()
            .iter()
            .map(|format| format.name())
            .chain(own.iter().map(|defined| defined.name()))
            .collect();
        let hint = format!("valid: {}", known.join(", "));
        return Err(Error::usage(
            "formats show",
            format!("unknown format '{name}'"),
            hint,
        ));
    };
    Ok(format!(
        "name     {}\nproduct  {}\nkind     {}\nwhat     {}\n\n\
         It is built in. A definition of one's own starts from this:\n\n{EXAMPLE}",
        format.name(),
        format.product().name(),
        kind(format.kind()),
        format.about()
    ))
}

/// A definition to start from.
const EXAMPLE: &str = include_str!("../../parsers/formats/example.toml");

fn fields() -> String {
    let mut out =
        String::from("Fields of a record, as 'why502 parse' writes them and samples expect them:\n\n");
    let record: Vec<[String; 3]> = PLACE_FIELDS
        .iter()
        .map(|(name, holds, what)| [*name, *holds, *what])
        .chain(FIELDS.iter().map(|field| [field.name, field.holds, field.what]))
        .map(|row| row.map(str::to_owned))
        .collect();
    out.push_str(&table(&["name", "holds", "what it says"], &record));
    out.push_str("\nFields of a template, written {name} or {name:argument}:\n\n");
    let slots: Vec<[String; 3]> = SLOTS
        .iter()
        .map(|slot| [slot.name, slot.what, slot.arguments()].map(str::to_owned))
        .collect();
    out.push_str(&table(&["name", "what it says", "argument"], &slots));
    out.push_str(
        "\nAny of them may end with :quoted (quotes around the value are taken off), :cut (the line may end\n\
         inside it), :list or :one. {-} is read over, {?} lets the line end before the next field, {{ and }} are braces.\n",
    );
    out
}

fn check(places: &[PathBuf], quiet: bool) -> Result<u8, Error> {
    let (mut out, mut code) = (String::new(), 0);
    for place in places {
        for path in run::definition_files(place)? {
            match read(&path)? {
                Ok(defined) => {
                    if !quiet {
                        let samples = defined.samples();
                        let noun = if samples == 1 { "sample" } else { "samples" };
                        let _ = writeln!(
                            out,
                            "ok  {}: {}, {samples} {noun}",
                            path.display(),
                            defined.name()
                        );
                    }
                    warn(&path.display().to_string(), &defined);
                }
                Err((message, hint)) => {
                    say::failure(&message, &hint);
                    code = WRONG;
                }
            }
        }
    }
    to_stdout(out.as_bytes())?;
    Ok(code)
}

/// Says what is odd about a definition that is right in itself.
fn warn(path: &str, defined: &Defined) {
    if registry::by_name(defined.name()).is_some() {
        let message = format!(
            "{path}: '{}' is the name of a built-in format, which goes before",
            defined.name()
        );
        say::warning(&message, "choose another name");
    }
    for note in defined.unknown_variables() {
        say::warning(&format!("{path}: {note}"), "");
    }
    let lines = defined.sample_lines();
    let head = Head {
        bytes: lines.as_bytes(),
        hints: &[],
        date_hint: None,
    };
    let own = defined.sniff(&head);
    let rival = registry::builtin().iter().find(|format| {
        let sniff = format.sniff(&head);
        sniff.score > own.score && sniff.score > Score::No
    });
    if let Some(format) = rival {
        let message = format!(
            "{path}: the built-in format {} knows these lines more surely",
            format.name()
        );
        let hint = "give mark = '…', a text that every such file has, or force it with --input-format";
        say::warning(&message, hint);
    }
}

/// What to say of the variables in a pasted format string that its server does not know.
pub(super) fn unknown_variables(dialect: &str, text: &str) -> Vec<String> {
    Dialect::by_name(dialect).map_or_else(|_| Vec::new(), |dialect| unknown::unknown(dialect, text))
}
