//! What the readers share: directives with their places, durations, addresses, and files that include others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use crate::model::finding::Problem;
use crate::model::{Limit, LimitKind, Origin};

/// A configuration file larger than this is not read: real ones are a few hundred kilobytes at most.
pub(super) const FILE_CAP_BYTES: u64 = 4 << 20;
/// All files of one server together; includes that fan out stop here.
const TOTAL_CAP_BYTES: u64 = 32 << 20;
/// Files of one server, for the same reason.
const FILES_CAP: usize = 4_000;
/// Blocks within blocks, and includes within includes. Servers themselves stop at less.
pub(super) const DEPTH_CAP: usize = 40;
/// Notes about one server; a broken file would otherwise fill the report.
const PROBLEMS_CAP: usize = 20;

/// Where a directive stands.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// The file as reports name it.
    pub(super) file: Rc<str>,
    /// Line number, from 1.
    pub(super) line: u32,
}

impl At {
    /// A limit that was written here.
    pub(super) fn limit(&self, kind: LimitKind, setting: &str, value_us: Option<u64>) -> Limit {
        Limit {
            kind,
            value_us,
            setting: setting.to_owned(),
            origin: Origin::File {
                file: self.file.to_string(),
                line: self.line,
            },
        }
    }
}

/// One directive with its arguments and, if it opens one, its block.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// The name and the arguments, quotes removed.
    pub(super) words: Vec<String>,
    /// Where it stands.
    pub(super) at: At,
    /// The directives inside it; empty if it has no block.
    pub(super) block: Vec<Directive>,
}

impl Directive {
    /// The directive's name; empty for a nameless block.
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The arguments.
    pub(super) fn args(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Argument `n`, from 0; empty if there is none.
    pub(super) fn arg(&self, n: usize) -> &str {
        self.args().get(n).map_or("", String::as_str)
    }
}

/// Limits by kind, as routes carry them.
pub(super) type LimitMap = BTreeMap<LimitKind, Limit>;

/// Puts a limit in its place.
pub(super) fn put(limits: &mut LimitMap, limit: Limit) {
    limits.insert(limit.kind, limit);
}

/// A duration in microseconds: numbers with units one after the other (`1m30s`, `1.5s`, `500ms`, `2min`).
/// `bare_us` is the unit of a number without one. `None` if it is not a duration.
pub(super) fn duration_us(text: &str, bare_us: u64) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0_f64;
    while !rest.is_empty() {
        let digits = rest
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b'.')
            .count();
        let number: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let letters = rest
            .bytes()
            .take_while(|b| !b.is_ascii_digit() && *b != b' ')
            .count();
        total += number * unit_us(rest.get(..letters)?, bare_us)?;
        rest = rest.get(letters..)?.trim_start();
    }
    // Beyond a thousand years it is a typing error or an attack, and sums would overflow.
    (total < 3.2e16).then_some(total.round() as u64)
}

fn unit_us(unit: &str, bare_us: u64) -> Option<f64> {
    const SECOND: f64 = 1e6;
    Some(match unit {
        "" => bare_us as f64,
        "ns" => 1e-3,
        "us" | "µs" | "μs" => 1.0,
        "ms" => 1e3,
        "s" | "sec" => SECOND,
        "m" | "min" | "mi" => 60.0 * SECOND,
        "h" => 3_600.0 * SECOND,
        "d" => 86_400.0 * SECOND,
        "w" => 7.0 * 86_400.0 * SECOND,
        "M" => 30.0 * 86_400.0 * SECOND,
        "y" => 365.0 * 86_400.0 * SECOND,
        _ => return None,
    })
}

/// The upstream an URL or address points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// `http`, `https`, `fcgi`, …; empty if none is written.
    pub(super) scheme: String,
    /// `host:port`, `host` or `unix:/path`.
    pub(super) address: String,
    /// Path after the address; empty if there is none.
    pub(super) path: String,
}

impl Target {
    /// Takes `scheme://host:port/path` apart; each part may be absent.
    pub(super) fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        if let Some(socket) = rest.strip_prefix("unix:") {
            let socket = socket.split([':', '|']).next().unwrap_or_default();
            return Self {
                scheme: scheme.to_ascii_lowercase(),
                address: format!("unix:{socket}"),
                path: String::new(),
            };
        }
        let end = rest.find('/').unwrap_or(rest.len());
        let (address, path) = rest.split_at(end);
        Self {
            scheme: scheme.to_ascii_lowercase(),
            address: address.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Whether the scheme means TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(
            self.scheme.as_str(),
            "https" | "grpcs" | "wss" | "uwsgis" | "suwsgi" | "h2"
        )
    }

    /// The address with the scheme's usual port if none is written.
    pub(super) fn with_port(&self) -> String {
        let port = match self.scheme.as_str() {
            _ if self.address.starts_with("unix:") || has_port(&self.address) => return self.address.clone(),
            "ajp" => 8009,
            "fcgi" => 8000,
            "scgi" => 4000,
            _ if self.is_tls() => 443,
            _ => 80,
        };
        format!("{}:{port}", self.address)
    }
}

/// Whether `address` ends in a port; an IPv6 address has one only after its bracket.
pub(super) fn has_port(address: &str) -> bool {
    port_of(address).is_some()
}

/// The port at the end of `address`.
pub(super) fn port_of(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    let plain = !host.contains(':') || host.ends_with(']');
    (plain && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())).then_some(port)
}

/// The address without its port and brackets.
pub(super) fn host_of(address: &str) -> &str {
    let host = match port_of(address) {
        Some(port) => address.get(..address.len() - port.len() - 1).unwrap_or_default(),
        None => address,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

/// What a reader keeps while it follows includes: the files read so far and what was wrong with them.
#[derive(Debug, Default)]
pub struct Reading {
    /// What could not be used.
    pub problems: Vec<Problem>,
    /// Every file read so far, the main file first, links resolved.
    pub files: Vec<PathBuf>,
    bytes: u64,
    main_dir: PathBuf,
    main_shown: String,
}

impl Reading {
    /// Reads the main file as text; bytes that are not UTF-8 are replaced.
    ///
    /// # Errors
    /// A problem that names the file if it cannot be read, is not a regular file or is too large.
    pub(super) fn main(&mut self, file: &Path, shown: &str) -> Result<String, Problem> {
        self.main_dir = file.parent().map(Path::to_path_buf).unwrap_or_default();
        self.main_shown = shown.to_owned();
        self.load(file)
            .map_err(|message| problem(shown, message, "check its path and permissions"))
    }

    fn load(&mut self, file: &Path) -> Result<String, String> {
        let text = load(file)?;
        self.bytes += text.len() as u64;
        self.files.push(canonical(file));
        Ok(text)
    }

    /// Notes that something at `at` could not be used.
    pub(super) fn note(&mut self, at: &At, message: &str, hint: &str) {
        if self.problems.len() < PROBLEMS_CAP {
            self.problems
                .push(problem(&at.file, format!("line {}: {message}", at.line), hint));
        }
    }

    /// Reads the files an include directive names, sorted. `open` are the files being read at this moment:
    /// one of them is not entered again. Nothing found is a note, unless an empty directory explains it.
    pub(super) fn include(
        &mut self,
        pattern: &str,
        at: &At,
        open: &[PathBuf],
    ) -> Vec<(PathBuf, Rc<str>, String)> {
        let mut texts = Vec::new();
        let Some(files) = self.resolve(pattern) else {
            let message = format!("included file not found: {pattern}");
            self.note(
                at,
                &message,
                "put the included files beside the main file to have their settings used",
            );
            return texts;
        };
        for file in files {
            if self.files.len() >= FILES_CAP || self.bytes >= TOTAL_CAP_BYTES || open.len() >= DEPTH_CAP {
                self.note(at, "too many included files, the rest is left out", "");
                break;
            }
            let real = canonical(&file);
            if open.contains(&real) {
                self.note(at, "the file includes itself", "remove the circular include");
                continue;
            }
            match self.load(&file) {
                Ok(text) => texts.push((real, self.shown(&file), text)),
                Err(message) => self.note(
                    at,
                    &format!("included file {pattern}: {message}"),
                    "check its permissions",
                ),
            }
        }
        texts
    }

    /// The name under which reports show an included file: beside the main file's own name where it lies there.
    fn shown(&self, file: &Path) -> Rc<str> {
        let shown_dir = Path::new(&self.main_shown).parent().unwrap_or(Path::new(""));
        let below = |dir: &Path, shown: &Path| file.strip_prefix(dir).ok().map(|rest| shown.join(rest));
        let name = below(&self.main_dir, shown_dir)
            .or_else(|| below(self.main_dir.parent()?, shown_dir.parent()?))
            .unwrap_or_else(|| file.to_path_buf());
        name.to_string_lossy().into()
    }

    /// The files that `pattern` names. Configuration is often copied away from its machine, so an absolute
    /// path is looked for below the main file first (`/etc/nginx/conf.d/*` as `conf.d/*`), and as written
    /// only if it lies in the main file's own tree: another machine's path must not read this machine's file.
    fn resolve(&self, pattern: &str) -> Option<Vec<PathBuf>> {
        let path = Path::new(pattern);
        let parts: Vec<&std::ffi::OsStr> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name),
                Component::ParentDir => Some(std::ffi::OsStr::new("..")),
                _ => None,
            })
            .collect();
        let bases = [Some(self.main_dir.as_path()), self.main_dir.parent()];
        let own_tree = bases
            .iter()
            .flatten()
            .any(|base| !base.as_os_str().is_empty() && path.starts_with(base));
        let mut seen_directory = false;
        let mut look = |candidate: &Path| {
            let (files, directory) = expand(candidate);
            seen_directory |= directory;
            (!files.is_empty()).then_some(files)
        };
        if path.is_absolute() && own_tree {
            if let Some(files) = look(path) {
                return Some(files);
            }
        }
        // A relative path is meant as written; only an absolute one may have lost its head.
        let tails = if path.is_absolute() { parts.len() } else { 1 };
        for skip in 0..tails {
            let tail: PathBuf = parts.iter().skip(skip).collect();
            for base in bases.iter().flatten() {
                if let Some(files) = look(&base.join(&tail)) {
                    return Some(files);
                }
            }
        }
        (seen_directory && is_glob(pattern)).then(Vec::new)
    }
}

/// A note for the report.
pub(super) fn problem(path: &str, message: String, hint: &str) -> Problem {
    Problem {
        path: path.to_owned(),
        message,
        hint: hint.to_owned(),
    }
}

/// The file with links resolved, or as it is if that fails.
pub(super) fn canonical(file: &Path) -> PathBuf {
    fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf())
}

/// Reads a whole file as text.
fn load(file: &Path) -> Result<String, String> {
    // Checked before opening: opening a pipe would wait for a writer.
    let meta = fs::metadata(file).map_err(|error| format!("cannot read: {error}"))?;
    if !meta.is_file() {
        return Err("not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(file).map_err(|error| format!("cannot read: {error}"))?;
    opened
        .take(FILE_CAP_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot read: {error}"))?;
    if bytes.len() as u64 > FILE_CAP_BYTES {
        return Err(format!(
            "larger than {} MiB, not read as configuration",
            FILE_CAP_BYTES >> 20
        ));
    }
    Ok(String::from_utf8_lossy(&bytes)
        .trim_start_matches('\u{feff}')
        .to_owned())
}

fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The regular files that match `pattern`, sorted, and whether the directory of the last part exists.
/// A directory stands for the files in it.
fn expand(pattern: &Path) -> (Vec<PathBuf>, bool) {
    let mut found: BTreeSet<PathBuf> = BTreeSet::new();
    found.insert(PathBuf::new());
    let mut directory = false;
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        directory = found.iter().any(|base| base.is_dir());
        if !is_glob(&name) {
            found = found.into_iter().map(|base| base.join(part)).collect();
            continue;
        }
        let Ok(glob) = globset::Glob::new(&name) else {
            return (Vec::new(), directory);
        };
        let matcher = glob.compile_matcher();
        let hidden = name.starts_with('.');
        found = found
            .iter()
            .flat_map(|base| entries(base))
            .filter(|path| {
                let name = path
                    .file_name()
                    .map(|name| name.to_string_lossy())
                    .unwrap_or_default();
                (hidden || !name.starts_with('.')) && matcher.is_match(name.as_ref())
            })
            .take(FILES_CAP)
            .collect();
    }
    let mut files = BTreeSet::new();
    for path in found {
        if path.is_dir() {
            files.extend(entries(&path).into_iter().filter(|path| path.is_file()));
        } else if path.is_file() {
            files.insert(path);
        }
    }
    (files.into_iter().collect(), directory)
}

/// What a directory holds, sorted; nothing if it cannot be read.
pub(super) fn entries(dir: &Path) -> Vec<PathBuf> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    let Ok(list) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = list
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .collect();
    paths.sort();
    paths
}

/// Splits a line into words: quotes and backslashes as HAProxy, Apache and shells use them, `#` as a comment
/// where `comments` is set. The second value says whether a quote stayed open.
pub(super) fn split_words(line: &str, comments: bool) -> (Vec<String>, bool) {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('"') | None, '\\') => {
                let next = chars.next().unwrap_or('\\');
                let word = word.get_or_insert_default();
                // Only what needs escaping is unescaped: `\d` in a pattern keeps its backslash.
                if !matches!(next, '"' | '\'' | '\\' | ' ' | '#') {
                    word.push('\\');
                }
                word.push(next);
            }
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if comments => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    (words, quote.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_spelling_the_products_use() {
        for (text, bare, want) in [
            ("60", 1_000_000, Some(60_000_000)),
            ("5000", 1_000, Some(5_000_000)),
            ("1m30s", 1_000_000, Some(90_000_000)),
            ("1h 30m", 1_000_000, Some(5_400_000_000)),
            ("1.5s", 1, Some(1_500_000)),
            ("250ms", 1, Some(250_000)),
            ("2min", 1, Some(120_000_000)),
            ("", 1, None),
            ("soon", 1, None),
            ("1parsec", 1, None),
            ("99999999999999999999999y", 1, None),
            ("1..2s", 1, None),
        ] {
            assert_eq!(duration_us(text, bare), want, "{text}");
        }
    }

    #[test]
    fn an_url_is_taken_apart_and_given_its_usual_port() {
        assert_eq!(Target::parse("https://api.test/v1").with_port(), "api.test:443");
        assert_eq!(Target::parse("http://[::1]:8080/").with_port(), "[::1]:8080");
        assert_eq!(Target::parse("http://[::1]/").with_port(), "[::1]:80");
        assert_eq!(
            Target::parse("http://unix:/run/app.sock:/x").with_port(),
            "unix:/run/app.sock"
        );
        assert_eq!(host_of("[::1]:8080"), "::1");
        assert_eq!(host_of("app"), "app");
    }

    #[test]
    fn an_open_quote_is_reported() {
        assert_eq!(
            split_words(r#"a "b c" 'd "e'  f\ g # h"#, true),
            (
                vec!["a".into(), "b c".into(), "d \"e".into(), "f g".into()],
                false
            )
        );
        assert!(split_words("a \"b", true).1);
    }
}
