//! Built-in formats that are data: the definitions in `formats/*.toml`.

use std::sync::{Arc, OnceLock};

use crate::engine::define::Defined;
use crate::format::{Format, Head, Prepared, Product, RecordKind, Sniff};

/// A built-in format that is a definition; read when it is first asked for.
pub struct Definition {
    name: &'static str,
    text: &'static str,
    read: OnceLock<Option<Defined>>,
}

/// Bitbucket Data Center.
pub static BITBUCKET: Definition = Definition::new("bitbucket", include_str!("../../formats/bitbucket.toml"));

/// Every one of them.
pub static ALL: &[&Definition] = &[&BITBUCKET];

impl Definition {
    const fn new(name: &'static str, text: &'static str) -> Self {
        Self {
            name,
            text,
            read: OnceLock::new(),
        }
    }

    /// Its name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The definition as it stands in the file.
    pub const fn source(&self) -> &'static str {
        self.text
    }

    /// The compiled definition. That each compiles is tested, so `None` is never met.
    fn get(&self) -> Option<&Defined> {
        self.read
            .get_or_init(|| Defined::read(self.name, self.text).ok())
            .as_ref()
    }
}

impl Format for Definition {
    fn name(&self) -> &str {
        self.name
    }

    fn product(&self) -> Product {
        self.get().map_or(Product::Unknown, Defined::product)
    }

    fn kind(&self) -> RecordKind {
        self.get().map_or(RecordKind::Access, Defined::kind)
    }

    fn about(&self) -> String {
        self.get().map(Defined::about).unwrap_or_default()
    }

    fn sniff(&self, head: &Head<'_>) -> Sniff {
        self.get().map_or_else(Sniff::no, |defined| defined.sniff(head))
    }

    fn prepare(&self, head: &Head<'_>) -> Arc<dyn Prepared> {
        match self.get() {
            Some(defined) => defined.prepare(head),
            None => crate::products::clf::Clf.prepare(head),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_definition_is_right_and_called_what_it_says() {
        for definition in ALL {
            let defined = Defined::read(definition.name, definition.text).unwrap();
            assert_eq!(defined.name(), definition.name);
            assert!(!defined.about().is_empty());
        }
        Defined::read("example.toml", include_str!("../../formats/example.toml")).unwrap();
    }
}
