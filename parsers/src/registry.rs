//! The list of built-in formats. A new format is one line here.

use crate::format::Format;

/// Every built-in format, most specific first.
pub fn builtin() -> &'static [&'static dyn Format] {
    &[]
}

/// The built-in format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    builtin().iter().copied().find(|format| format.name() == name)
}
