//! What a file is, by its first bytes.

use crate::model::Coding;
use crate::read::{is_events, is_forwarded, is_json_document};

/// What the first bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Text, or nothing at all.
    Text,
    /// Something that can be undone, with more behind it.
    Coded(Coding),
    /// An archive.
    Archive(Archive),
    /// Something that is not read.
    Other {
        /// What it is.
        what: &'static str,
        /// How to make text of it.
        hint: &'static str,
    },
}

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archive {
    /// tar, with a header of the last decades.
    Tar,
    /// zip.
    Zip,
}

/// First bytes of what can be undone.
const CODED: [(&[u8], Coding); 8] = [
    (b"\x1f\x8b", Coding::Gzip),
    (b"\x28\xb5\x2f\xfd", Coding::Zstd),
    (b"\xfd7zXZ\0", Coding::Xz),
    (b"BZh", Coding::Bzip2),
    (b"\xff\xfe", Coding::Utf16 { big_endian: false }),
    (b"\xfe\xff", Coding::Utf16 { big_endian: true }),
    (b"__CURSOR=", Coding::Journal),
    (b"__REALTIME_TIMESTAMP=", Coding::Journal),
];

/// First bytes, what they announce, and how to make text of it.
const MAGIC: [(&[u8], &str, &str); 11] = [
    (b"\xd4\xc3\xb2\xa1", PCAP, PCAP_HINT),
    (b"\xa1\xb2\xc3\xd4", PCAP, PCAP_HINT),
    (b"\x4d\x3c\xb2\xa1", PCAP, PCAP_HINT),
    (b"\xa1\xb2\x3c\x4d", PCAP, PCAP_HINT),
    (b"\x0a\x0d\x0d\x0a", PCAP, PCAP_HINT),
    (
        b"ElfFile\0",
        "it is a Windows event log, not text",
        "export it as text: wevtutil qe FILE /lf:true /f:text",
    ),
    (
        b"LPKSHHRH",
        "it is a systemd journal, not text",
        "export it: journalctl --file FILE -o short-iso-precise",
    ),
    (
        b"\x04\x22\x4d\x18",
        "it is compressed with lz4",
        "decompress it: lz4 -d FILE",
    ),
    (
        b"7z\xbc\xaf\x27\x1c",
        "it is a 7z archive",
        "unpack it and name the directory",
    ),
    (b"\x7fELF", BINARY, BINARY_HINT),
    (b"SQLite format 3\0", BINARY, BINARY_HINT),
];

const PCAP: &str = "it is a packet capture, not a log";
const PCAP_HINT: &str = "name the logs of the same time";
const BINARY: &str = "it is binary, not text";
const BINARY_HINT: &str = "name the log files only, or a glob that leaves it out";

/// What `head`, the first bytes of a file, announces.
pub(super) fn look_at(head: &[u8]) -> Content {
    if let Some((_, coding)) = CODED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Content::Coded(*coding);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Content::Archive(Archive::Zip);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Content::Archive(Archive::Tar);
    }
    if let Some((_, what, hint)) = MAGIC.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Content::Other { what, hint };
    }
    if is_binary(head) {
        return Content::Other {
            what: BINARY,
            hint: BINARY_HINT,
        };
    }
    if is_json_document(head) {
        return Content::Coded(Coding::Elements);
    }
    if is_events(head) {
        return Content::Coded(Coding::Events);
    }
    if is_forwarded(head) {
        return Content::Coded(Coding::Forwarded);
    }
    Content::Text
}

/// Whether there are more control bytes than any log has. Long runs of NUL are no sign: truncated and
/// pre-allocated logs have them.
fn is_binary(head: &[u8]) -> bool {
    let mut controls = 0;
    for (at, &byte) in head.iter().enumerate() {
        let counts = match byte {
            0 => at == 0 || head[at - 1] != 0,
            b'\t' | b'\n' | b'\r' | 0x0c | 0x1b => false,
            other => other < 0x20,
        };
        controls += usize::from(counts);
    }
    controls > 2 && controls * 50 > head.len()
}

/// Endings of documentation, which may quote configuration.
const DOCUMENTS: [&str; 5] = [".md", ".rst", ".adoc", ".html", ".htm"];

/// Parts of file names that logs have and configuration has not.
const LOG_NAMES: [&str; 6] = ["log", "access", "error", "trace", "stdout", "stderr"];

/// Starts of lines that only server configuration has.
const CONFIG_WORDS: [&str; 22] = [
    "http {",
    "server {",
    "events {",
    "upstream ",
    "location ",
    "proxy_pass",
    "proxy_read_timeout",
    "log_format ",
    "frontend ",
    "backend ",
    "listen ",
    "defaults",
    "global",
    "timeout ",
    "<VirtualHost",
    "LoadModule",
    "LogFormat ",
    "CustomLog ",
    "ProxyPass",
    "ServerName ",
    "reverse_proxy ",
    "static_resources:",
];

/// Whether the file may be a server's configuration: it is not named like a log, or its `head`
/// [has words of configuration](has_configuration_words).
pub fn looks_like_configuration(shown: &str, head: &[u8]) -> bool {
    let name = shown.rsplit('/').next().unwrap_or(shown).to_ascii_lowercase();
    if DOCUMENTS.iter().any(|ending| name.ends_with(ending)) {
        return false;
    }
    // Traffic Server's `logging.yaml` is no log.
    if [".yaml", ".yml", ".toml"]
        .iter()
        .any(|ending| name.ends_with(ending))
    {
        return true;
    }
    let ends_in_digit = name.ends_with(|c: char| c.is_ascii_digit());
    if !ends_in_digit && !LOG_NAMES.iter().any(|part| name.contains(part)) {
        return true;
    }
    has_configuration_words(head)
}

/// Whether two different words of server configuration stand at the start of lines of `head`.
pub fn has_configuration_words(head: &[u8]) -> bool {
    let words = CONFIG_WORDS.iter().filter(|word| {
        why502_parsers::bytes::lines(head).any(|line| line.trim_ascii_start().starts_with(word.as_bytes()))
    });
    words.count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_what_is_not_read() {
        assert_eq!(look_at(b""), Content::Text);
        assert_eq!(look_at(b"10.0.0.1 - - [20/Nov/2026]\n"), Content::Text);
        assert_eq!(look_at(b"\xef\xbb\xbf#Software: IIS\r\n"), Content::Text);
        assert_eq!(look_at(b"\x1f\x8b\x08\0"), Content::Coded(Coding::Gzip));
        assert_eq!(look_at(b"PK\x03\x04\x14\0"), Content::Archive(Archive::Zip));
        assert_eq!(look_at(b"{\"a\":1}\n{\"a\":2}\n"), Content::Text);
        for document in [
            "[\n {\"a\":",
            "{\"x\":1,\"records\": [ {",
            "{\n \"a\": [1]\n}\n{\n",
            "{\"a\":1}{\"a\":2}{\"a\":3}\n",
        ] {
            assert_eq!(
                look_at(document.as_bytes()),
                Content::Coded(Coding::Elements),
                "{document}"
            );
        }
        assert!(matches!(
            look_at(b"\xd4\xc3\xb2\xa1\x02\0"),
            Content::Other { what: PCAP, .. }
        ));
        assert!(matches!(
            look_at(b"\0\x01\0\x02\0\x03\0\x04"),
            Content::Other { what: BINARY, .. }
        ));
    }

    #[test]
    fn runs_of_nul_do_not_make_a_log_binary() {
        let mut head = vec![0; 4000];
        head.extend_from_slice(b"10.0.0.1 - - [20/Nov/2026]\n");
        head.resize(8000, 0);
        assert_eq!(look_at(&head), Content::Text);
        assert_eq!(look_at(&[0; 8000]), Content::Text);
    }

    #[test]
    fn configuration_is_what_is_not_named_like_a_log_or_has_its_words() {
        assert!(looks_like_configuration("etc/nginx.conf", b""));
        assert!(looks_like_configuration("etc/Caddyfile", b""));
        assert!(looks_like_configuration("logs/gunicorn.conf.py", b""));
        assert!(!looks_like_configuration("logs/haproxy-20261120", b""));
        assert!(looks_like_configuration(
            "site",
            b"upstream app {\n}\nserver {\n  listen 80;\n}\n"
        ));
        assert!(!looks_like_configuration(
            "README.md",
            b"upstream app {\n}\nserver {\n"
        ));
        assert!(!looks_like_configuration("access.log", b"10.0.0.1 - - [..]\n"));
        assert!(!looks_like_configuration(
            "app.log",
            b"listen EADDRINUSE\nlisten again\n"
        ));
    }
}
