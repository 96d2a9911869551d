//! Varnish: the command line of varnishncsa, `-F FORMAT` or `-f FILE` and `-w FILE`, in a systemd unit, a script or a
//! compose file.
//!
//! Source: varnishncsa(1). In a systemd unit a percent sign is written twice; of the file with the format the first line
//! counts.

use super::super::LogDeclaration;
use super::files::Files;
use super::{lines, log, words};

pub(super) fn logs(text: &str, files: &mut Files<'_>) -> Vec<LogDeclaration> {
    let mut logs = Vec::new();
    let command_lines = lines(text)
        .into_iter()
        .filter(|(_, line)| line.contains("varnishncsa") && !line.trim_start().starts_with(['#', ';']));
    for (number, line) in command_lines {
        let is_unit = line.trim_start().starts_with("Exec");
        // A list of words as compose files have it.
        let line = line
            .replace("[\"", " \"")
            .replace("\"]", "\" ")
            .replace("\", \"", "\" \"");
        let words: Vec<String> = words(&line);
        let value = |short: &str, long: &str| {
            let mut after = words.iter().enumerate();
            after.find_map(|(at, word)| {
                if word == short || word == long {
                    return words.get(at + 1).cloned();
                }
                word.strip_prefix(&format!("{long}=")).map(str::to_owned)
            })
        };
        let path = value("-w", "--output").unwrap_or_default();
        let mut format = value("-F", "--format").unwrap_or_default();
        if is_unit {
            format = format.replace("%%", "%");
        }
        if format.is_empty()
            && let Some(file) = value("-f", "--formatfile")
        {
            format = files.first_line(&file, number).unwrap_or_default();
        }
        let is_call = words.iter().any(|word| word.ends_with("varnishncsa"));
        if is_call && (!path.is_empty() || !format.is_empty()) {
            logs.push(log(&path, "varnishncsa", &format, number));
        }
    }
    logs
}
