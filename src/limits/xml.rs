//! XML, with the line of every attribute and element. Names are compared without prefixes of namespaces.

use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};

use super::doc::Doc;
use super::include::Reading;
use crate::model::finding::Problem;

/// Elements and texts of one file: real ones have some thousands.
const NODES_CAP: u32 = 200_000;

/// An element.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    node: Node<'a, 'a>,
}

/// Reads a file and hands its root to `look`.
///
/// # Errors
/// A problem that names the file, and the line if it is no XML.
pub(super) fn read<T>(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
    look: impl FnOnce(&Doc, Element<'_>) -> T,
) -> Result<T, Problem> {
    let text = reading.main(file, shown)?;
    let doc = Doc::new(shown);
    let parsed = Document::parse_with_options(&text, options()).map_err(|error| {
        let fault = (error.pos().row, error.to_string());
        doc.broken(fault, "its limits are not known until that is mended")
    })?;
    Ok(look(
        &doc,
        Element {
            node: parsed.root_element(),
        },
    ))
}

/// Hands the root of `text` to `look`; nothing comes of a text that is no XML.
pub(super) fn parsed<T: Default>(text: &str, look: impl FnOnce(Element<'_>) -> T) -> T {
    let parsed = Document::parse_with_options(text, options());
    parsed.map_or_else(
        |_| T::default(),
        |parsed| {
            look(Element {
                node: parsed.root_element(),
            })
        },
    )
}

fn options<'i>() -> ParsingOptions<'i> {
    ParsingOptions {
        // A document type may be declared; what it would load from elsewhere never is.
        allow_dtd: true,
        nodes_limit: NODES_CAP,
        ..ParsingOptions::default()
    }
}

impl<'a> Element<'a> {
    /// Its name.
    pub(super) fn name(self) -> &'a str {
        self.node.tag_name().name()
    }

    /// Line number, from 1.
    pub(super) fn line(self) -> u32 {
        self.node.document().text_pos_at(self.node.range().start).row
    }

    /// The attribute `name` and its line.
    pub(super) fn attribute(self, name: &str) -> Option<(&'a str, u32)> {
        let attribute = self
            .node
            .attributes()
            .find(|own| own.name().eq_ignore_ascii_case(name))?;
        let line = self.node.document().text_pos_at(attribute.range().start).row;
        Some((attribute.value(), line))
    }

    /// The text of the attribute `name`; empty if there is none.
    pub(super) fn text_of(self, name: &str) -> &'a str {
        self.attribute(name).map_or("", |(text, _)| text)
    }

    /// The text inside, trimmed.
    pub(super) fn text(self) -> &'a str {
        self.node.text().unwrap_or_default().trim()
    }

    /// The elements directly inside that are called `name`.
    pub(super) fn children(self, name: &str) -> impl Iterator<Item = Element<'a>> {
        let inside = self
            .node
            .children()
            .filter(Node::is_element)
            .map(|node| Element { node });
        let name = name.to_owned();
        inside.filter(move |element| element.name().eq_ignore_ascii_case(&name))
    }

    /// The first element directly inside that is called `name`.
    pub(super) fn child(self, name: &str) -> Option<Element<'a>> {
        self.children(name).next()
    }

    /// The elements anywhere inside that are called `name`, in the order of the file.
    pub(super) fn all(self, name: &str) -> impl Iterator<Item = Element<'a>> {
        let inside = self
            .node
            .descendants()
            .filter(Node::is_element)
            .map(|node| Element { node });
        let name = name.to_owned();
        inside.filter(move |element| element.name().eq_ignore_ascii_case(&name))
    }
}
