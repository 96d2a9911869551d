//! How Caddy was told to write its log: the `format` of a `log` directive, or the encoder of its JSON configuration.
//!
//! `json { time_format rfc3339  time_key when }`, `console`, `filter { wrap json  fields { request>uri rename url } }`, `append`,
//! `transform "{common_log}"` (plugin; `formatted` before), `single_field common_log` (before 2.5), and the same as
//! `{"format": "json", "time_key": "when"}`.
//! Source: Caddy documentation, "log"; Caddy's `modules/logging/encoders.go` and `filterencoder.go`; the README of
//! caddyserver/transform-encoder.

use crate::engine::json_strings;
use crate::error::FormatError;

/// What lines look like.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Layout {
    /// One object a line.
    #[default]
    Json,
    /// Tabs between time, level, logger and message, then an object.
    Console,
    /// Text with `{key>key}` placeholders.
    Template(String),
}

/// An encoder and those of its options that change what can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoder {
    /// The layout of lines.
    pub layout: Layout,
    /// How times are written, in Caddy's words or as a Go layout; empty if not said.
    pub time_format: String,
    /// Whether times are local instead of UTC.
    pub time_local: bool,
    /// Whether strings of a template are written without JSON's escapes.
    pub unescape: bool,
    /// Keys that are written under another name: where the value stands by default, and where it stands now, dots between.
    pub renamed: Vec<(String, String)>,
}

/// Blocks within blocks; Caddy needs three.
const DEPTH_MOST: usize = 16;

/// The encoder that `text` describes.
///
/// # Errors
/// [`FormatError::Syntax`] if it is no encoder that is read.
pub fn read(text: &str) -> Result<Encoder, FormatError> {
    let text = text.trim();
    if text.starts_with('{') && text.contains("\"format\"") || text.contains("\"encoder\"") {
        return of_json(text);
    }
    let nodes = parse(&mut tokens(text)?.into_iter().peekable(), 0)?;
    let mut node = nodes.into_iter().next().unwrap_or_default();
    // A whole `log { … format … }` directive.
    if node.name() == "log" {
        node = node
            .block
            .into_iter()
            .find(|inner| inner.name() == "format")
            .unwrap_or_default();
    }
    if node.name() == "format" {
        node.words.remove(0);
    }
    if node.name().is_empty() {
        return Err(syntax("no encoder and no template"));
    }
    let mut encoder = Encoder::default();
    match node.name() {
        _ if is_template(&node, text) => encoder.layout = Layout::Template(text.to_owned()),
        _ => encoder.take(&node)?,
    }
    Ok(encoder)
}

/// Whether `text` is a bare template: words in braces, and no encoder's name before.
fn is_template(node: &Node, text: &str) -> bool {
    let is_encoder = ENCODERS.contains(&node.name());
    !is_encoder && text.contains('{') && text.contains('}')
}

const ENCODERS: [&str; 8] = [
    "json",
    "console",
    "filter",
    "append",
    "transform",
    "formatted",
    "single_field",
    "logfmt",
];

fn syntax(what: &str) -> FormatError {
    FormatError::Syntax {
        dialect: "caddy",
        what: what.to_owned(),
        at: 0,
    }
}

impl Encoder {
    fn take(&mut self, node: &Node) -> Result<(), FormatError> {
        match node.name() {
            "json" => self.layout = Layout::Json,
            "console" => self.layout = Layout::Console,
            "transform" | "formatted" => {
                let template = node.words.get(1).map_or("{common_log}", String::as_str);
                self.layout = Layout::Template(template.to_owned());
            }
            "single_field" if node.words.get(1).is_some_and(|field| field == "common_log") => {
                self.layout = Layout::Template("{common_log}".to_owned());
            }
            "common_log" => self.layout = Layout::Template("{common_log}".to_owned()),
            "filter" | "append" => return self.wrapping(node),
            other => return Err(syntax(&format!("the encoder '{other}' is not read"))),
        }
        for option in &node.block {
            let value = option.words.get(1).map_or("", String::as_str);
            self.option(option.name(), value);
        }
        Ok(())
    }

    /// An option of an encoder, by its name in the Caddyfile or in JSON.
    fn option(&mut self, name: &str, value: &str) {
        let default = match name {
            "time_format" => return value.clone_into(&mut self.time_format),
            "time_local" => return self.time_local = value != "false",
            "unescape_strings" => return self.unescape = value != "false",
            "time_key" => "ts",
            "level_key" => "level",
            "message_key" => "msg",
            "name_key" => "logger",
            _ => return,
        };
        if !value.is_empty() {
            self.renamed.push((default.to_owned(), value.to_owned()));
        }
    }

    /// `filter` and `append` put another encoder's lines out, some fields changed.
    fn wrapping(&mut self, node: &Node) -> Result<(), FormatError> {
        for inner in &node.block {
            match inner.name() {
                "wrap" => self.take(&Node {
                    words: inner.words[1..].to_vec(),
                    block: inner.block.clone(),
                })?,
                "fields" => inner.block.iter().for_each(|field| self.filter(&field.words)),
                _ => self.filter(&inner.words),
            }
        }
        Ok(())
    }

    /// `request>uri rename url`; filters that change a value leave it where it is.
    fn filter(&mut self, words: &[String]) {
        if let [field, filter, name, ..] = words
            && filter == "rename"
        {
            self.rename(field, name);
        }
    }

    fn rename(&mut self, field: &str, name: &str) {
        let path = field.replace('>', ".");
        let new = match path.rsplit_once('.') {
            Some((parent, _)) => format!("{parent}.{name}"),
            None => name.to_owned(),
        };
        self.renamed.push((path, new));
    }
}

/// `{"format": "filter", "wrap": {…}, "fields": {"request>uri": {"filter": "rename", "name": "url"}}}`.
fn of_json(text: &str) -> Result<Encoder, FormatError> {
    let strings = json_strings::flat(text, "caddy")?;
    let get = |path: &str| {
        strings
            .iter()
            .find(|(own, ..)| own == path)
            .map_or("", |(_, value, _)| value.as_str())
    };
    // The plugin's README calls the format `encoder`.
    let format = [get("format"), get("encoder")]
        .into_iter()
        .find(|name| !name.is_empty());
    let mut encoder = Encoder::default();
    let wraps = matches!(format, Some("filter" | "append"));
    let prefix = if wraps { "wrap." } else { "" };
    let of_inner = |name: &str| get(&format!("{prefix}{name}"));
    let mut words = vec![
        if wraps {
            of_inner("format")
        } else {
            format.unwrap_or_default()
        }
        .to_owned(),
    ];
    let argument = [of_inner("template"), of_inner("field")]
        .into_iter()
        .find(|text| !text.is_empty());
    words.extend(argument.map(str::to_owned));
    encoder.take(&Node {
        words,
        block: Vec::new(),
    })?;
    for (path, value, _) in &strings {
        if let Some(name) = path.strip_prefix(prefix) {
            encoder.option(name, value);
        }
        if let Some(field) = path
            .strip_prefix("fields.")
            .and_then(|rest| rest.strip_suffix(".name"))
            && get(&format!("fields.{field}.filter")) == "rename"
        {
            encoder.rename(field, value);
        }
    }
    Ok(encoder)
}

/// A directive with its block.
#[derive(Debug, Clone, Default)]
struct Node {
    words: Vec<String>,
    block: Vec<Node>,
}

impl Node {
    fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    LineEnd,
}

/// Words in the Caddyfile's sense: parted by blanks, or in quotes or backticks; braces that stand alone open and close.
fn tokens(text: &str) -> Result<Vec<Token>, FormatError> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' => tokens.push(Token::LineEnd),
            c if c.is_whitespace() => {}
            '#' => while chars.next_if(|c| *c != '\n').is_some() {},
            '"' | '`' => {
                let mut word = String::new();
                loop {
                    match chars.next() {
                        None => return Err(syntax("a quote is not closed")),
                        Some('\\') if c == '"' && chars.peek() == Some(&'"') => word.extend(chars.next()),
                        Some(end) if end == c => break,
                        Some(other) => word.push(other),
                    }
                }
                tokens.push(Token::Word(word));
            }
            first => {
                let mut word = String::from(first);
                while let Some(next) = chars.next_if(|c| !c.is_whitespace()) {
                    word.push(next);
                }
                tokens.push(match word.as_str() {
                    "{" => Token::Open,
                    "}" => Token::Close,
                    _ => Token::Word(word),
                });
            }
        }
    }
    Ok(tokens)
}

fn parse(
    tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
) -> Result<Vec<Node>, FormatError> {
    if depth > DEPTH_MOST {
        return Err(syntax("too many blocks, one in the other"));
    }
    let (mut nodes, mut node) = (Vec::new(), Node::default());
    let mut flush = |node: &mut Node| {
        if !node.words.is_empty() {
            nodes.push(std::mem::take(node));
        }
    };
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => node.words.push(word),
            Token::LineEnd => flush(&mut node),
            Token::Open => {
                node.block = parse(tokens, depth + 1)?;
                flush(&mut node);
            }
            Token::Close => break,
        }
    }
    flush(&mut node);
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoder_is_read_from_a_caddyfile_and_from_json_alike() {
        let wanted = Encoder {
            time_format: "rfc3339".to_owned(),
            renamed: vec![
                ("ts".to_owned(), "when".to_owned()),
                ("request.uri".to_owned(), "request.url".to_owned()),
            ],
            ..Encoder::default()
        };
        let caddyfile = "format filter {\n  wrap json {\n    time_format rfc3339\n    time_key when\n  }\n  fields {\n    request>uri rename url\n    request>headers>Cookie delete\n  }\n}";
        assert_eq!(read(caddyfile).unwrap(), wanted);
        let json = r#"{"format":"filter","wrap":{"format":"json","time_format":"rfc3339","time_key":"when"},"fields":{"request>uri":{"filter":"rename","name":"url"},"request>headers>Cookie":{"filter":"delete"}}}"#;
        assert_eq!(read(json).unwrap(), wanted);
    }

    #[test]
    fn a_template_may_stand_alone_or_with_its_encoder() {
        let template = "{request>remote_ip} [{ts}] \"{request>method}\" {status}";
        for text in [
            template.to_owned(),
            format!("transform `{template}`"),
            format!(
                "log {{\n output file /x\n format transform `{template}` {{\n  unescape_strings\n }}\n}}"
            ),
        ] {
            assert_eq!(
                read(&text).unwrap().layout,
                Layout::Template(template.to_owned()),
                "{text}"
            );
        }
        assert_eq!(read("console").unwrap().layout, Layout::Console);
        assert!(read("logfmt").is_err());
        assert!(read("transform \"{").is_err());
    }
}
