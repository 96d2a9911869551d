//! YAML, JSON and TOML as one kind of tree that knows on which line each value stands.
//!
//! Every reader of such a configuration walks this tree, so that none of them depends on a library of its own.

use std::collections::BTreeMap;

use jsonc_parser::ast;
use saphyr_parser::{Event, Parser};
use toml::de::{DeTable, DeValue};

/// Values within values. Real configuration has a dozen; more is a mistake or an attack.
const DEPTH_CAP: usize = 100;
/// Values of one file, aliases resolved: aliases of aliases multiply.
const VALUES_CAP: usize = 200_000;

/// A value and where it stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    /// Line number, from 1: of the key for a value that has one.
    pub(super) line: u32,
    node: Node,
}

#[derive(Debug, Clone, Default)]
enum Node {
    /// Nothing, as YAML's empty value and JSON's `null`.
    #[default]
    Nothing,
    Text(String),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// Why a text is no tree: the line, and what is wrong there.
pub(super) type Fault = (u32, String);

impl Tree {
    /// The documents of a YAML file.
    ///
    /// # Errors
    /// The first place that is not YAML.
    pub(super) fn yaml(text: &str) -> Result<Vec<Self>, Fault> {
        let mut builder = Builder::default();
        for event in Parser::new_from_str(text) {
            let (event, span) =
                event.map_err(|error| (line(error.marker().line()), error.info().to_owned()))?;
            builder.take(event, line(span.start.line()))?;
        }
        Ok(builder.documents)
    }

    /// A JSON text; comments and trailing commas are let pass, as .NET and VS Code do.
    ///
    /// # Errors
    /// The first place that is not JSON.
    pub(super) fn json(text: &str) -> Result<Self, Fault> {
        let lines = Lines::of(text);
        let parsed = jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default())
            .map_err(|error| (lines.at(error.range().start), error.kind().to_string()))?;
        Ok(parsed
            .value
            .map(|value| of_json(&value, &lines))
            .unwrap_or_default())
    }

    /// A TOML text.
    ///
    /// # Errors
    /// The first place that is not TOML.
    pub(super) fn toml(text: &str) -> Result<Self, Fault> {
        let lines = Lines::of(text);
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(1, |span| lines.at(span.start));
            (at, error.message().to_owned())
        })?;
        Ok(of_table(table.get_ref(), &lines, 1, 0))
    }

    /// The value under `key`. How a key is written does not matter (`keep-alive`, `keep_alive`, `keepAlive`):
    /// most programs that read such files take several spellings.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()
            .find(|(own, _)| same_key(own, key))
            .map(|(_, value)| value)
    }

    /// The value at the end of `keys`; numbers are places in lists.
    pub(super) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter()
            .try_fold(self, |tree, key| match (&tree.node, key.parse::<usize>()) {
                (Node::List(items), Ok(n)) => items.get(n),
                _ => tree.get(key),
            })
    }

    /// The text of a plain value; empty for anything else.
    pub(super) fn text(&self) -> &str {
        match &self.node {
            Node::Text(text) => text,
            _ => "",
        }
    }

    /// The text under `key`; empty if there is none.
    pub(super) fn text_of(&self, key: &str) -> &str {
        self.get(key).map_or("", Self::text)
    }

    /// The number under `key`.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        self.text_of(key).parse().ok()
    }

    /// The items of a list; a single value stands for a list of one.
    pub(super) fn items(&self) -> &[Self] {
        match &self.node {
            Node::List(items) => items,
            Node::Nothing => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// The items of the list under `key`.
    pub(super) fn list(&self, key: &str) -> &[Self] {
        self.get(key).map_or(&[], Self::items)
    }

    /// Keys and values, in the order of the file.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Self)> {
        let entries = match &self.node {
            Node::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Every value in the tree with the keys that lead to it joined by dots, as property files write them.
    pub(super) fn flat(&self) -> Vec<(String, &Self)> {
        let mut found = Vec::new();
        let mut todo = vec![(String::new(), self)];
        while let Some((path, tree)) = todo.pop() {
            let below = |key: &str| match path.as_str() {
                "" => key.to_owned(),
                path => format!("{path}.{key}"),
            };
            match &tree.node {
                Node::Map(entries) => {
                    todo.extend(entries.iter().rev().map(|(key, value)| (below(key), value)))
                }
                Node::List(items) => {
                    let numbered = items.iter().enumerate().rev();
                    todo.extend(numbered.map(|(n, item)| (format!("{path}[{n}]"), item)));
                }
                Node::Text(_) => found.push((path, tree)),
                Node::Nothing => {}
            }
        }
        found
    }
}

/// Whether two spellings mean one key.
pub(super) fn same_key(a: &str, b: &str) -> bool {
    let letters = |text: &'_ str| -> Vec<u8> {
        let kept = text.bytes().filter(|byte| !matches!(byte, b'_' | b'-'));
        kept.map(|byte| byte.to_ascii_lowercase()).collect()
    };
    a == b || letters(a) == letters(b)
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// From byte offsets to line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn at(&self, offset: usize) -> u32 {
        line(self.0.partition_point(|&end| end < offset) + 1)
    }
}

fn of_json(value: &ast::Value<'_>, lines: &Lines) -> Tree {
    use jsonc_parser::common::Ranged;
    let node = match value {
        ast::Value::StringLit(text) => Node::Text(text.value.to_string()),
        ast::Value::NumberLit(number) => Node::Text(number.value.to_owned()),
        ast::Value::BooleanLit(truth) => Node::Text(truth.value.to_string()),
        ast::Value::NullKeyword(_) => Node::Nothing,
        ast::Value::Array(array) => {
            Node::List(array.elements.iter().map(|item| of_json(item, lines)).collect())
        }
        ast::Value::Object(object) => {
            let entry = |prop: &ast::ObjectProp<'_>| {
                let mut tree = of_json(&prop.value, lines);
                tree.line = lines.at(prop.range.start);
                (prop.name.as_str().to_owned(), tree)
            };
            Node::Map(object.properties.iter().map(entry).collect())
        }
    };
    Tree {
        line: lines.at(value.range().start),
        node,
    }
}

fn of_table(table: &DeTable<'_>, lines: &Lines, line: u32, depth: usize) -> Tree {
    let mut entries: Vec<(usize, String, Tree)> = Vec::new();
    for (key, value) in table {
        let start = key.span().start;
        let tree = of_toml(value.get_ref(), lines, lines.at(start), depth + 1);
        entries.push((start, key.get_ref().to_string(), tree));
    }
    entries.sort_by_key(|(start, ..)| *start);
    Tree {
        line,
        node: Node::Map(entries.into_iter().map(|(_, key, tree)| (key, tree)).collect()),
    }
}

fn of_toml(value: &DeValue<'_>, lines: &Lines, line: u32, depth: usize) -> Tree {
    if depth > DEPTH_CAP {
        return Tree::default();
    }
    let node = match value {
        DeValue::Table(table) => return of_table(table, lines, line, depth),
        DeValue::Array(array) => {
            let item = |item: &toml::Spanned<DeValue<'_>>| {
                of_toml(item.get_ref(), lines, lines.at(item.span().start), depth + 1)
            };
            Node::List(array.iter().map(item).collect())
        }
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Integer(number) => Node::Text(number.as_str().to_owned()),
        DeValue::Float(number) => Node::Text(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Node::Text(truth.to_string()),
        DeValue::Datetime(time) => Node::Text(time.to_string()),
    };
    Tree { line, node }
}

/// Puts the events of a YAML parser together.
#[derive(Default)]
struct Builder {
    documents: Vec<Tree>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Tree>,
    values: usize,
}

/// A list or map that is not complete.
struct Open {
    anchor: usize,
    tree: Tree,
    /// The key that waits for its value, in a map.
    key: Option<(String, u32)>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, line: u32) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(_) => self.documents.push(Tree::default()),
            Event::Scalar(text, style, anchor, _) => {
                let is_plain = style == saphyr_parser::ScalarStyle::Plain;
                let node = match &*text {
                    "" | "~" | "null" if is_plain => Node::Nothing,
                    text => Node::Text(text.to_owned()),
                };
                self.put(Tree { line, node }, anchor, line)?;
            }
            Event::SequenceStart(anchor, _) => self.begin(Node::List(Vec::new()), anchor, line)?,
            Event::MappingStart(anchor, _) => self.begin(Node::Map(Vec::new()), anchor, line)?,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { anchor, tree, .. }) = self.open.pop() {
                    self.put(tree, anchor, line)?;
                }
            }
            Event::Alias(anchor) => {
                let tree = self.anchors.get(&anchor).cloned().unwrap_or_default();
                self.values += tree.flat().len();
                self.put(tree, 0, line)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn begin(&mut self, node: Node, anchor: usize, line: u32) -> Result<(), Fault> {
        if self.open.len() >= DEPTH_CAP {
            return Err((line, "too many values within values".to_owned()));
        }
        self.open.push(Open {
            anchor,
            tree: Tree { line, node },
            key: None,
        });
        Ok(())
    }

    fn put(&mut self, tree: Tree, anchor: usize, line: u32) -> Result<(), Fault> {
        self.values += 1;
        if self.values > VALUES_CAP {
            return Err((line, "too many values".to_owned()));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, tree.clone());
        }
        let Some(Open { tree: outer, key, .. }) = self.open.last_mut() else {
            if let Some(document) = self.documents.last_mut() {
                *document = tree;
            }
            return Ok(());
        };
        match (&mut outer.node, key.take()) {
            (Node::List(items), _) => items.push(tree),
            (Node::Map(_), None) => *key = Some((tree.text().to_owned(), tree.line)),
            // `<<` takes over the entries of another map.
            (Node::Map(entries), Some((name, _))) if name == "<<" => {
                for map in tree.items() {
                    entries.extend(map.entries().map(|(key, value)| (key.to_owned(), value.clone())));
                }
            }
            (Node::Map(entries), Some((name, line))) => entries.push((name, Tree { line, ..tree })),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tree: &Tree) -> Vec<String> {
        let values = tree.flat();
        values
            .iter()
            .map(|(path, value)| format!("{path}={} @{}", value.text(), value.line))
            .collect()
    }

    const WANT: [&str; 4] = [
        "server.port=8080 @2",
        "server.keep-alive=5s @3",
        "on=true @4",
        "list[0].a=1 @6",
    ];

    #[test]
    fn yaml_json_and_toml_give_one_tree_with_lines() {
        let yaml = "server:\n  port: 8080\n  keep-alive: \"5s\"\non: true\nlist:\n  - a: 1\n    b: ~\n";
        assert_eq!(shown(&Tree::yaml(yaml).unwrap()[0]), WANT);
        let json = "{\"server\": {\n\"port\": 8080, // said\n\t\"keep-alive\": \"5s\"},\n\"on\": true,\n\"list\":\n[{\"a\": 1,}]}";
        assert_eq!(shown(&Tree::json(json).unwrap()), WANT);
        let toml = "[server]\nport = 8080\nkeep-alive = \"5s\"\n[x]\n[[list]]\na = 1\n";
        assert_eq!(shown(&Tree::toml(toml).unwrap()), [WANT[0], WANT[1], WANT[3]]);
    }

    #[test]
    fn aliases_and_merges_are_resolved() {
        let text =
            "base: &b {timeout: 3s, retries: 1}\nroute:\n  <<: *b\n  retries: 2\nother: *b\n---\nx: 1\n";
        let documents = Tree::yaml(text).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].at(&["route", "timeout"]).unwrap().text(), "3s");
        assert_eq!(documents[0].at(&["other", "retries"]).unwrap().text(), "1");
    }

    #[test]
    fn spellings_of_a_key_do_not_matter() {
        assert!(same_key("connectTimeout", "connect_timeout") && same_key("keep-alive", "KeepAlive"));
        assert!(!same_key("timeout", "timeouts"));
    }

    #[test]
    fn a_broken_file_names_its_line_and_a_bomb_is_refused() {
        assert_eq!(Tree::json("{\n\"a\": }").unwrap_err().0, 2);
        assert_eq!(Tree::toml("a = 1\nb = = 2\n").unwrap_err().0, 2);
        assert_eq!(
            Tree::yaml("a: 1\nb: [1, 2\nc: 3\n")
                .map(|_| ())
                .map_err(|e| e.0 >= 2),
            Err(true)
        );
        assert!(Tree::yaml(&"[".repeat(100_000)).is_err());
        assert!(Tree::json(&"[".repeat(100_000)).is_err());
        let bomb: String = (1..10)
            .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", ")))
            .collect();
        assert!(Tree::yaml(&format!("a0: &a0 [1,1,1,1,1,1,1,1,1]\n{bomb}")).is_err());
    }
}
