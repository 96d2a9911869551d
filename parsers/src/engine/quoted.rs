//! Quotes and backslashes around format strings, as configuration files have them.

/// The format string in `text`: its quotes taken off, pieces joined, `\"` and `\'` undone; what stands
/// before the first quote is returned too (directive, name, options). Text without quotes around it
/// is returned as it is.
pub(crate) fn unquote(text: &str, directive: &str) -> (String, String) {
    let trimmed = text.trim().trim_end_matches(';').trim_end();
    let is_directive = trimmed
        .get(..directive.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(directive));
    let quoted = |q: char| trimmed.len() > 1 && trimmed.starts_with(q) && trimmed.ends_with(q);
    if !is_directive && !quoted('"') && !quoted('\'') {
        return (String::new(), text.to_owned());
    }
    let (mut options, mut out) = (String::new(), String::new());
    let mut chars = trimmed.chars();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (None, _) => options.push(c),
            (Some(q), _) if c == q => quote = None,
            (Some(_), '\\') => match chars.next() {
                Some(next @ ('"' | '\'' | '\\')) => out.push(next),
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => {
                    out.push('\\');
                    out.push(other);
                }
                None => out.push('\\'),
            },
            (Some(_), _) => out.push(c),
        }
    }
    if out.is_empty() && is_directive {
        // A directive whose format stands without quotes, spaces escaped by backslashes.
        let bare = trimmed[directive.len()..].trim_start();
        return (String::new(), bare.replace("\\ ", " ").replace("\\\"", "\""));
    }
    (options, out)
}
