//! Makes text from logs safe to print: nothing in it can move the cursor, set a colour, ring, retitle
//! the window, reorder the line or hide.

use std::borrow::Cow;
use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Marks that may stand on one character; more would climb into the neighbouring rows.
const MARKS_PER_CHARACTER: usize = 4;

/// Whether `c` acts on a terminal or on the order of the text instead of being shown: control
/// characters (C0, DEL, C1), direction overrides, invisible and line-breaking characters.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` on one line, with everything that acts written out: ESC as `\x1b`, a direction override as
/// `\u{202e}`. A tab becomes one space. Safe text comes back as it is, so escaping twice does no harm.
pub fn terminal(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c == ' ' || c.is_ascii_graphic();
    if text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut marks = 0;
    for c in text.chars() {
        marks = if c.width() == Some(0) { marks + 1 } else { 0 };
        if c == '\t' {
            out.push(' ');
        } else if acts(c) || marks > MARKS_PER_CHARACTER {
            write_out(&mut out, c);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A line as logged, as text that can stand in a report: bytes that are not UTF-8 become `\xHH`, the
/// rest stays as it is (control characters too: each output format neutralises them in its own way).
pub fn line_text(line: &[u8]) -> String {
    let mut out = String::with_capacity(line.len());
    for chunk in line.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            // Writing to a string does not fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

fn write_out(out: &mut String, c: char) {
    let code = u32::from(c);
    // Writing to a string does not fail.
    let _ = match c {
        '\n' => write!(out, "\\n"),
        '\r' => write!(out, "\\r"),
        _ if code < 0x80 => write!(out, "\\x{code:02x}"),
        _ => write!(out, "\\u{{{code:x}}}"),
    };
}

/// Columns that (escaped) `text` takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// (Escaped) `text`, cut to `width` columns with `…` at the end if it was longer; zero is no limit.
pub fn truncate(text: &str, width: usize) -> Cow<'_, str> {
    if width == 0 || columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mut cut = text[..fitting(text, width - 1)].to_owned();
    cut.push('…');
    Cow::Owned(cut)
}

/// Length in bytes of the longest prefix of (escaped) `text` that takes at most `width` columns.
pub fn fitting(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_become_visible() {
        assert_eq!(terminal("\x1b[2J\x1b]0;owned\x07"), "\\x1b[2J\\x1b]0;owned\\x07");
        assert_eq!(terminal("a\u{9b}31mb"), "a\\u{9b}31mb");
        assert_eq!(terminal("a\r\nb\0\x7f\x08"), "a\\r\\nb\\x00\\x7f\\x08");
    }

    #[test]
    fn text_cannot_be_reordered_or_hidden() {
        assert_eq!(terminal("/a\u{202e}gpj.exe"), "/a\\u{202e}gpj.exe");
        assert_eq!(terminal("\u{2066}x\u{2069}"), "\\u{2066}x\\u{2069}");
        assert_eq!(terminal("ad\u{200b}min\u{feff}"), "ad\\u{200b}min\\u{feff}");
        assert_eq!(terminal("a\u{2028}b"), "a\\u{2028}b");
        assert_eq!(terminal("\u{e0041}"), "\\u{e0041}");
    }

    #[test]
    fn ordinary_text_of_any_language_stays_and_a_tab_is_one_space() {
        for text in ["GET /orders?id=7", "/größe/日本語/مرحبا", "\"-\" \\x22"] {
            assert_eq!(terminal(text), text);
        }
        assert_eq!(terminal("a\tb"), "a b");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let pile = format!("a{}", "\u{301}".repeat(200));
        let shown = terminal(&pile);
        assert_eq!(shown.matches('\u{301}').count(), MARKS_PER_CHARACTER);
        assert!(shown.contains("\\u{301}"));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_written_in_hex() {
        assert_eq!(line_text(b"a\xff\xfe\xc3"), "a\\xff\\xfe\\xc3");
        assert_eq!(line_text("é\u{1b}".as_bytes()), "é\u{1b}");
    }

    #[test]
    fn wide_characters_count_twice_when_cut() {
        assert_eq!(truncate("日本語", 6), "日本語");
        assert_eq!(truncate("日本語", 5), "日本…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("abc", 0), "abc");
        assert_eq!(truncate("abc", 1), "…");
    }

    proptest! {
        #[test]
        fn nothing_that_acts_survives(text in ".*|\\PC*|[\\x00-\\x1f\\x7f-\\u{9f}\\u{2000}-\\u{2070}]*") {
            let shown = terminal(&text).into_owned();
            prop_assert!(!shown.chars().any(acts), "{shown:?}");
            prop_assert_eq!(terminal(&shown), shown.as_str());
        }

        #[test]
        fn a_cut_text_fits(text in "\\PC*", width in 1usize..40) {
            let shown = terminal(&text);
            prop_assert!(columns(&truncate(&shown, width)) <= width);
        }

        #[test]
        fn any_bytes_make_a_text(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let text = line_text(&bytes);
            prop_assert!(text.len() >= bytes.len());
        }
    }
}
