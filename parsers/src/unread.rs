//! Why a line could not be read, as far as the line itself and what stands around it tell.
//!
//! The answer depends on nothing but the line, so that counts of it are the same however a file is cut into parts.

use crate::format::{Format, Head, Product, Score};
use crate::registry;
use crate::wrap;

/// A reason for which a line could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Why {
    /// A remark for people: it begins with `#`, `;` or `//`.
    Comment,
    /// Nothing but marks of missing values: no letter and no digit.
    Empty,
    /// Another program wrote it: the tag around it says so, or another format reads it.
    OtherProgram,
    /// The line ends before its record does: the file was still being written, or the writer was stopped.
    CutOff,
    /// It looks like a JSON object and is none.
    BrokenJson,
    /// Bytes that are no text.
    NotText,
    /// None of these.
    Unknown,
}

impl Why {
    /// Every reason, in the order in which they are counted.
    pub const ALL: [Self; 7] = [
        Self::Comment,
        Self::Empty,
        Self::OtherProgram,
        Self::CutOff,
        Self::BrokenJson,
        Self::NotText,
        Self::Unknown,
    ];

    /// The name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Empty => "empty",
            Self::OtherProgram => "other_program",
            Self::CutOff => "cut_off",
            Self::BrokenJson => "broken_json",
            Self::NotText => "not_text",
            Self::Unknown => "unknown",
        }
    }

    /// The reason in words, of one line; nothing where it is not known.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Comment => "a comment",
            Self::Empty => "an empty value",
            Self::OtherProgram => "another program's line",
            Self::CutOff => "cut off",
            Self::BrokenJson => "broken JSON",
            Self::NotText => "no text",
            Self::Unknown => "",
        }
    }

    /// The reason called `name`.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.name() == name)
    }
}

/// What is known of a line beside its text.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The program that wrote it, by its syslog tag; empty if nothing says so.
    pub program: &'a [u8],
    /// Whose log it stands in.
    pub product: Product,
    /// Whether the line has an end: the last one of a file that is being written has none.
    pub is_ended: bool,
}

/// Why `line` could not be read.
pub fn why(line: &[u8], around: &Around<'_>) -> Why {
    let text = line.trim_ascii();
    if !text
        .iter()
        .any(|byte| byte.is_ascii_alphanumeric() || *byte > 0x7f)
    {
        return if text.iter().any(|&byte| is_no_text(byte)) {
            Why::NotText
        } else {
            Why::Empty
        };
    }
    if is_other(around) {
        return Why::OtherProgram;
    }
    if text.starts_with(b"//") || matches!(text[0], b'#' | b';') {
        return Why::Comment;
    }
    if text.iter().filter(|&&byte| is_no_text(byte)).count() * 10 > text.len() {
        return Why::NotText;
    }
    match text[0] {
        b'{' if wrap::is_json_object(text) => Why::Unknown,
        b'{' if is_unfinished(text) => Why::CutOff,
        b'{' => Why::BrokenJson,
        _ if !around.is_ended => Why::CutOff,
        _ => Why::Unknown,
    }
}

/// The format that reads `line` as its own, the surest one; `None` if none does.
pub fn read_by(line: &[u8]) -> Option<&'static str> {
    let head = Head {
        bytes: line,
        hints: &[],
        date_hint: None,
    };
    let mut best: Option<(Score, &'static dyn Format)> = None;
    for &format in registry::builtin() {
        let score = format.sniff(&head).score;
        if score > best.map_or(Score::No, |(score, _)| score) {
            best = Some((score, format));
        }
    }
    best.map(|(_, format)| format.name())
}

/// Control bytes that no log has, the terminal's escape aside.
const fn is_no_text(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n' | 0x1b)
}

/// Programs of the operating system that share the system's log with servers.
const SYSTEM: [&str; 26] = [
    "anacron",
    "audit",
    "auditd",
    "automount",
    "chronyd",
    "cron",
    "crond",
    "dbus-daemon",
    "dhclient",
    "dockerd",
    "init",
    "kernel",
    "kubelet",
    "logger",
    "login",
    "networkd",
    "networkmanager",
    "ntpd",
    "postfix",
    "rsyslogd",
    "sshd",
    "su",
    "sudo",
    "systemd",
    "systemd-journald",
    "systemd-logind",
];

/// Whether the tag names a program that is known and not the one whose log this is.
fn is_other(around: &Around<'_>) -> bool {
    let Ok(tag) = std::str::from_utf8(around.program) else {
        return false;
    };
    if tag.is_empty() {
        return false;
    }
    let lower = tag.to_ascii_lowercase();
    match Product::by_tag(&lower) {
        Some(product) => product != around.product,
        None => around.product != Product::Linux && SYSTEM.contains(&lower.as_str()),
    }
}

/// Whether a JSON value goes on beyond the end of `text`.
fn is_unfinished(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut is_escaped) = (0i64, false, false);
    for &byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth -= 1,
            _ => {}
        }
    }
    in_string || depth > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str, program: &str, is_ended: bool) -> Why {
        let around = Around {
            program: program.as_bytes(),
            product: Product::Nginx,
            is_ended,
        };
        why(line.as_bytes(), &around)
    }

    #[test]
    fn a_line_says_why_it_is_not_read() {
        for (line, want) in [
            ("# rotated", Why::Comment),
            ("-", Why::Empty),
            ("\"\"", Why::Empty),
            ("{\"a\":\"b", Why::CutOff),
            ("{\"a\":[1,2", Why::CutOff),
            ("{''\"a\"'':1}", Why::BrokenJson),
            ("{\"a\":1}", Why::Unknown),
            ("\u{1}\u{2}", Why::NotText),
            ("\u{16}\u{3}\u{1}\u{2}ab", Why::NotText),
            ("hello", Why::Unknown),
        ] {
            assert_eq!(of(line, "", true), want, "{line}");
        }
        assert_eq!(of("10.0.0.1 - - [20/Nov", "", false), Why::CutOff);
    }

    #[test]
    fn a_tag_tells_of_another_program_only_where_it_is_known() {
        assert_eq!(of("Accepted key", "sshd", true), Why::OtherProgram);
        assert_eq!(of("proxy x started", "haproxy", true), Why::OtherProgram);
        assert_eq!(of("hello", "nginx", true), Why::Unknown);
        assert_eq!(of("hello", "edge-7", true), Why::Unknown);
    }

    #[test]
    fn a_foreign_line_is_known_by_the_format_that_reads_it() {
        let line = b"2026/11/20 16:23:19 [error] 1#1: *7 recv() failed (104: Connection reset by peer) while reading response header from upstream";
        assert_eq!(read_by(line), Some("nginx-error"));
        assert_eq!(read_by(b"hello"), None);
    }

    #[test]
    fn every_reason_has_its_own_name() {
        for why in Why::ALL {
            assert_eq!(Why::by_name(why.name()), Some(why));
        }
    }
}
