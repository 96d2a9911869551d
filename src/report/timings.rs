//! How long each stage took, for those who measure: wall time, and processor time where the system tells it.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Notes when stages begin. Does nothing unless enabled.
pub(super) struct Timings {
    stages: Option<Mutex<Vec<Stage>>>,
}

/// The beginning of a stage.
struct Stage {
    name: &'static str,
    at: Instant,
    cpu: Option<Duration>,
}

impl Timings {
    /// Begins with the stage `first`.
    pub(super) fn new(enabled: bool, first: &'static str) -> Self {
        let timings = Self {
            stages: enabled.then(Mutex::default),
        };
        timings.begin(first);
        timings
    }

    /// The stage before ends, `name` begins.
    pub(super) fn begin(&self, name: &'static str) {
        let Some(stages) = &self.stages else { return };
        let stage = Stage {
            name,
            at: Instant::now(),
            cpu: cpu_time(),
        };
        stages.lock().unwrap_or_else(PoisonError::into_inner).push(stage);
    }

    /// One line for each stage so far, in order; empty if not enabled.
    pub(super) fn lines(&self) -> String {
        let mut text = String::new();
        self.begin("");
        let Some(stages) = &self.stages else { return text };
        let stages = stages.lock().unwrap_or_else(PoisonError::into_inner);
        for pair in stages.windows(2) {
            let [stage, next] = pair else { continue };
            let wall = next.at.saturating_duration_since(stage.at).as_secs_f64();
            // Threads that have ended are no longer counted, so a difference may be less than nothing.
            let cpu = stage
                .cpu
                .zip(next.cpu)
                .map(|(from, to)| to.saturating_sub(from).as_secs_f64());
            let cpu = cpu.map_or_else(String::new, |cpu| format!(", {cpu:.3} s CPU"));
            // Writing to a string does not fail.
            let _ = writeln!(text, "timing: {:<10} {wall:.3} s{cpu}", stage.name);
        }
        text
    }
}

/// Processor time of all threads that run, where Linux tells it.
fn cpu_time() -> Option<Duration> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let mut nanoseconds = 0;
    for task in tasks.flatten() {
        // A thread may end between being listed and being read.
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        nanoseconds += text.split(' ').next()?.parse::<u64>().unwrap_or(0);
    }
    Some(Duration::from_nanos(nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_a_line_in_order() {
        let timings = Timings::new(true, "opening");
        timings.begin("reading");
        std::thread::sleep(Duration::from_millis(2));
        let lines = timings.lines();
        let names: Vec<&str> = lines
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(names, ["opening", "reading"]);
        assert!(!lines.contains("reading    0.000"), "{lines}");
    }

    #[test]
    fn nothing_is_noted_unless_asked_for() {
        let timings = Timings::new(false, "opening");
        timings.begin("reading");
        assert_eq!(timings.lines(), "");
    }
}
