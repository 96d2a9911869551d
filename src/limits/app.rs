//! Application servers: `gunicorn.conf.py`, and files that hold a gunicorn or uvicorn command line.
//!
//! Only literal values are read: what a Python file computes cannot be known without running it.
//! Source: gunicorn documentation, "Settings"; uvicorn documentation, "Settings".

use std::path::Path;
use std::rc::Rc;

use why502_parsers::Product;

use super::include::Reading;
use super::text::{At, LimitMap, duration_us, has_port, put, split_words};
use super::{CountKind, LogDeclaration, Route, ServerConfig};
use crate::model::LimitKind;
use crate::model::finding::Problem;

const SECOND_US: u64 = 1_000_000;

/// Reads a gunicorn configuration: a Python file of assignments, or a command line in any file.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_gunicorn(
    file: &Path,
    shown: &str,
    reading: &mut Reading,
) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let mut settings = assignments(&text, shown);
    // The command line overrides the file.
    settings.extend(command_line(&text, shown, "gunicorn"));
    let mut config = ServerConfig::new(Product::Gunicorn, shown);
    let mut limits = LimitMap::new();
    let (mut sync, mut access): (Option<At>, Option<LogDeclaration>) = (None, None);
    for (name, value, at) in settings {
        let seconds = duration_us(&value, SECOND_US);
        match name.as_str() {
            "timeout" | "t" => {
                if let Some(us) = seconds {
                    put(
                        &mut limits,
                        at.limit(LimitKind::WorkerKill, "timeout", Some(us).filter(|us| *us > 0)),
                    );
                }
            }
            "keepalive" | "keep_alive" => {
                if let Some(us) = seconds {
                    put(
                        &mut limits,
                        at.limit(LimitKind::ClientIdle, "keepalive", Some(us)),
                    );
                }
            }
            "workers" | "w" => config
                .counts
                .extend(at.count(CountKind::Workers, "workers", &value)),
            "threads" => config
                .counts
                .extend(at.count(CountKind::Threads, "threads", &value)),
            "backlog" => config
                .counts
                .extend(at.count(CountKind::Backlog, "backlog", &value)),
            "graceful_timeout" => {
                if let Some(us) = seconds {
                    put(
                        &mut limits,
                        at.limit(LimitKind::Drain, "graceful_timeout", Some(us)),
                    );
                }
            }
            "bind" | "b" => config.listens.push(address(&value)),
            "worker_class" | "k" => sync = (value == "sync").then_some(at),
            "accesslog" | "access_logfile" => {
                access.get_or_insert_with(|| log("", "accesslog", &at)).path = value
            }
            "access_log_format" | "access_logformat" => {
                let log = access.get_or_insert_with(|| log("", "accesslog", &at));
                (log.text, log.line) = (value, at.line);
            }
            "errorlog" | "error_logfile" | "log_file" => config.error_logs.push(log(&value, "errorlog", &at)),
            _ => {}
        }
    }
    if let Some(at) = sync {
        // A synchronous worker closes after every response, whatever `keepalive` says.
        put(
            &mut limits,
            at.limit(LimitKind::ClientIdle, "worker_class", Some(0)),
        );
    }
    config.logs.extend(access);
    config.routes.push(Route {
        limits,
        ..Route::default()
    });
    Ok(config)
}

/// Reads a file that holds a uvicorn command line.
///
/// # Errors
/// A problem that names the file if it cannot be read.
pub(super) fn read_uvicorn(file: &Path, shown: &str, reading: &mut Reading) -> Result<ServerConfig, Problem> {
    let text = reading.main(file, shown)?;
    let mut config = ServerConfig::new(Product::Uvicorn, shown);
    let mut limits = LimitMap::new();
    let (mut host, mut port) = (String::from("127.0.0.1"), String::from("8000"));
    for (name, value, at) in command_line(&text, shown, "uvicorn") {
        match name.as_str() {
            "timeout_keep_alive" => {
                if let Some(us) = duration_us(&value, SECOND_US) {
                    put(
                        &mut limits,
                        at.limit(LimitKind::ClientIdle, "--timeout-keep-alive", Some(us)),
                    );
                }
            }
            "workers" => config
                .counts
                .extend(at.count(CountKind::Workers, "--workers", &value)),
            "backlog" => config
                .counts
                .extend(at.count(CountKind::Backlog, "--backlog", &value)),
            "host" => host = value,
            "port" => port = value,
            _ => {}
        }
    }
    config.listens.push(format!("{host}:{port}"));
    config.routes.push(Route {
        limits,
        ..Route::default()
    });
    Ok(config)
}

fn log(path: &str, name: &str, at: &At) -> LogDeclaration {
    LogDeclaration {
        path: path.to_owned(),
        name: name.to_owned(),
        text: String::new(),
        line: at.line,
    }
}

type Setting = (String, String, At);

/// `name = literal` lines at the left margin.
fn assignments(text: &str, shown: &str) -> Vec<Setting> {
    let file: Rc<str> = Rc::from(shown);
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let name = name.trim_end().split(':').next().unwrap_or_default().trim_end();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let at = At {
            file: Rc::clone(&file),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        };
        let value = value.trim().trim_start_matches(['[', '(']);
        found.extend(
            literals(value)
                .into_iter()
                .map(|literal| (name.to_owned(), literal, at.clone())),
        );
    }
    found
}

/// The number, or the quoted strings, that a value consists of; nothing if it is computed.
fn literals(value: &str) -> Vec<String> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let word = value.split(['#', ' ', '\t']).next().unwrap_or_default();
        let is_number = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let rest = value.get(word.len()..).unwrap_or_default().trim_start();
        return if is_number && (rest.is_empty() || rest.starts_with('#')) {
            vec![word.to_owned()]
        } else {
            Vec::new()
        };
    };
    value
        .split(quote)
        .skip(1)
        .step_by(2)
        .take(16)
        .map(str::to_owned)
        .collect()
}

/// Options after the program's name, in any line that calls it: a shell script, a unit file, a list in JSON.
/// Leading dashes are dropped, inner ones become underscores.
pub(super) fn command_line(text: &str, shown: &str, program: &str) -> Vec<Setting> {
    let file: Rc<str> = Rc::from(shown);
    let mut found = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        // In a list (`CMD ["gunicorn", "-w", "4"]`) commas and brackets stand between the words.
        let line = if line.contains("\",") {
            line.replace(['[', ']', ','], " ")
        } else {
            line.to_owned()
        };
        let (words, _) = split_words(&line, true);
        let is_program = |word: &String| word.rsplit(['/', '=']).next() == Some(program);
        let start = if goes_on {
            Some(0)
        } else {
            words.iter().position(is_program).map(|n| n + 1)
        };
        goes_on = start.is_some() && line.trim_end().ends_with('\\');
        let Some(start) = start else { continue };
        let at = At {
            file: Rc::clone(&file),
            line: u32::try_from(index + 1).unwrap_or(u32::MAX),
        };
        let mut words = words.into_iter().skip(start).peekable();
        while let Some(word) = words.next() {
            let Some(option) = word.strip_prefix('-') else {
                continue;
            };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (option.to_owned(), words.next_if(|next| !next.starts_with('-'))),
            };
            let name = name.trim_start_matches('-').replace('-', "_");
            found.push((name, value.unwrap_or_default(), at.clone()));
        }
    }
    found
}

fn address(text: &str) -> String {
    if text.starts_with("unix:") || has_port(text) {
        text.to_owned()
    } else {
        format!("{text}:8000")
    }
}
