//! Built-in formats that are data: the definitions in `formats/`, compiled when the first file is looked at.

use std::sync::{Arc, OnceLock};

use crate::define::Defined;
use crate::format::{Format, Head, Prepared, Product, RecordKind, Sniff};

/// A definition that the program carries with it.
pub struct Builtin {
    file: &'static str,
    text: &'static str,
    defined: OnceLock<Option<Defined>>,
}

impl Builtin {
    /// The definition `text` of `file`.
    pub const fn new(file: &'static str, text: &'static str) -> Self {
        Self {
            file,
            text,
            defined: OnceLock::new(),
        }
    }

    /// The file's name and its text.
    pub const fn source(&self) -> (&'static str, &'static str) {
        (self.file, self.text)
    }

    /// The format. `None` if the definition is wrong, which a test rules out.
    fn get(&self) -> Option<&Defined> {
        self.defined
            .get_or_init(|| Defined::compiled(self.file, self.text).ok())
            .as_ref()
    }
}

/// The definition in the file of this name in `formats/`, as a format of the registry.
macro_rules! definition {
    ($file:literal) => {{
        static DEFINITION: $crate::define::Builtin =
            $crate::define::Builtin::new($file, include_str!(concat!("../formats/", $file)));
        &DEFINITION
    }};
}

pub(crate) use definition;

impl Format for Builtin {
    fn name(&self) -> &str {
        self.get().map_or(self.file, Format::name)
    }

    fn product(&self) -> Product {
        self.get().map_or(Product::Unknown, Format::product)
    }

    fn kind(&self) -> RecordKind {
        self.get().map_or(RecordKind::Access, Format::kind)
    }

    fn about(&self) -> String {
        self.get().map_or_else(String::new, Format::about)
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        self.get().map_or_else(Sniff::no, |defined| defined.sniff(head))
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        match self.get() {
            Some(defined) => defined.prepare(head),
            None => Arc::new(Unread),
        }
    }
}

/// What a wrong definition reads: nothing.
struct Unread;

impl Prepared for Unread {
    fn open(&self, _preamble: &[u8]) -> Box<dyn crate::format::LineParser> {
        Box::new(Self)
    }
}

impl crate::format::LineParser for Unread {
    fn parse<'a>(
        &mut self,
        _line: &'a [u8],
        _entry: &mut crate::entry::Entry<'a>,
    ) -> Result<crate::format::Line, crate::error::LineError> {
        Err(crate::error::LineError::new(0, "definition"))
    }
}
