//! lighttpd: `accesslog.filename` and `accesslog.format`, in conditions and included files too.
//!
//! Source: lighttpd documentation, `mod_accesslog`. A condition without a format of its own has that of the file's
//! top level.

use super::super::LogDeclaration;
use super::files::Files;
use super::log;

/// What a block says: the file, and the format with its line.
type Block = (Option<String>, Option<(String, u32)>);

pub(super) fn logs(text: &str, files: &mut Files<'_>) -> Vec<LogDeclaration> {
    // What each open block says: the first is the top level.
    let mut open: Vec<Block> = vec![(None, None)];
    let (mut done, mut top_format) = (Vec::new(), None);
    for (number, line) in files.inlined(text, included) {
        let line = line.trim();
        if line.starts_with('#') {
            continue;
        }
        if let Some((name, value)) = line.split_once('=')
            && let Some(block) = open.last_mut()
        {
            match name.trim_end_matches(['+', ':', ' ']) {
                "accesslog.filename" => block.0 = Some(string(value)),
                "accesslog.format" => block.1 = Some((string(value), number)),
                _ => {}
            }
        }
        if line.ends_with('{') && !line.starts_with('}') {
            open.push((None, None));
        }
        if line == "}" && open.len() > 1 {
            done.extend(open.pop());
        }
    }
    if let Some(top) = open.into_iter().next() {
        top_format.clone_from(&top.1);
        done.insert(0, top);
    }
    done.into_iter()
        .filter(|(path, format)| path.is_some() || format.is_some())
        .map(|(path, format)| {
            let (text, line) = format.or_else(|| top_format.clone()).unwrap_or_default();
            log(&path.unwrap_or_default(), "accesslog", &text, line)
        })
        .collect()
}

/// A string, or several that `+` joins; `\"` undone.
fn string(value: &str) -> String {
    let (mut out, mut inside) = (String::new(), false);
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => inside = !inside,
            '\\' if inside => match chars.next() {
                Some('"') => out.push('"'),
                Some('\\') => out.push('\\'),
                Some(other) => out.extend(['\\', other]),
                None => {}
            },
            '#' if !inside => break,
            _ if inside => out.push(c),
            _ => {}
        }
    }
    out
}

/// The file of `include "FILE"`. Debian has a program print the files of `conf-enabled`.
fn included(line: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with("include_shell") && line.contains("include-conf-enabled") {
        return Some("conf-enabled/*.conf".to_owned());
    }
    let name = line.strip_prefix("include")?;
    let is_word = name.starts_with([' ', '\t', '"']);
    is_word.then(|| string(name)).filter(|name| !name.is_empty())
}
