//! Formats that the user forces on files.

use std::sync::Arc;

use why502_parsers::FormatError;
use why502_parsers::format::Format;
use why502_parsers::paste::{self, Dialect};
use why502_parsers::registry;

use super::DeclaredFormat;
use super::choose::AnyFormat;
use crate::error::Error;
use crate::plan::{Plan, Rule, pick};

/// The formats of `--log-format` and `--input-format`, ready to use.
#[derive(Clone, Default)]
pub struct Forced {
    pasted: Vec<Rule<Arc<dyn Format>>>,
    named: Vec<Rule<AnyFormat>>,
}

impl Forced {
    /// Compiles and looks up what `plan` forces. Names may be those of `declared` formats too.
    ///
    /// # Errors
    /// [`Error::Usage`]: a name or dialect is not known (the known ones are listed), or a format string
    /// does not compile.
    pub fn new(plan: &Plan, declared: &[DeclaredFormat]) -> Result<Self, Error> {
        let pasted = plan.log_formats.iter().map(|rule| {
            let given = &rule.value;
            let format = Dialect::by_name(&given.dialect)
                .and_then(|dialect| {
                    paste::compile(dialect, &format!("{} (given)", dialect.name()), &given.text)
                })
                .map_err(|error| Error::usage("--log-format", &error, paste_hint(&error)))?;
            Ok(Rule {
                pattern: rule.pattern.clone(),
                value: format,
            })
        });
        let named = plan.input_formats.iter().map(|rule| {
            Ok(Rule {
                pattern: rule.pattern.clone(),
                value: by_name(&rule.value, declared)?,
            })
        });
        Ok(Self {
            pasted: pasted.collect::<Result<_, Error>>()?,
            named: named.collect::<Result<_, Error>>()?,
        })
    }

    /// The format forced on the file `shown`, and by what.
    pub(super) fn format_for(&self, shown: &str) -> Option<(AnyFormat, String)> {
        if let Some(format) = pick(&self.pasted, shown) {
            return Some((
                AnyFormat::Compiled(Arc::clone(format)),
                "given by --log-format".to_owned(),
            ));
        }
        pick(&self.named, shown).map(|format| (format.clone(), "given by --input-format".to_owned()))
    }
}

fn by_name(name: &str, declared: &[DeclaredFormat]) -> Result<AnyFormat, Error> {
    if let Some(format) = registry::by_name(name) {
        return Ok(AnyFormat::Builtin(format));
    }
    if let Some(declared) = declared.iter().find(|declared| declared.format.name() == name) {
        return Ok(AnyFormat::Compiled(Arc::clone(&declared.format)));
    }
    let known: Vec<_> = registry::builtin().iter().map(|format| format.name()).collect();
    Err(Error::usage(
        "--input-format",
        format!("unknown format '{name}'"),
        format!("valid: {}", known.join(", ")),
    ))
}

fn paste_hint(error: &FormatError) -> String {
    match error {
        FormatError::UnknownDialect(_) => {
            let known: Vec<_> = Dialect::ALL
                .iter()
                .map(|dialect| format!("{}:", dialect.name()))
                .collect();
            format!("begin it with one of {}", known.join(", "))
        }
        _ => "paste the format string as the server's configuration has it, in single quotes".to_owned(),
    }
}
