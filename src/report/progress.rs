//! How far reading is, on standard error, for as long as it takes.
//!
//! Reading threads only add to a counter; one painter, ticking on its own thread, draws from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::timings::Timings;

/// Time between two paintings.
const TICK: Duration = Duration::from_millis(100);

/// Bytes and files read so far, painted if there is someone to see it.
///
/// Shared by reference between threads. Hidden when not enabled or when standard error is no terminal.
/// Disappears without a trace when finished or dropped.
pub struct Progress {
    bar: ProgressBar,
    counts: Arc<Counts>,
    timings: Timings,
}

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    files: AtomicU64,
}

impl Progress {
    /// Starts at nothing of `total_bytes`. `enabled` is false for `-q` and `--no-progress`.
    pub fn new(total_bytes: u64, enabled: bool) -> Self {
        let target = if enabled {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        Self::on(target, total_bytes)
    }

    fn on(target: ProgressDrawTarget, total_bytes: u64) -> Self {
        let counts = Arc::<Counts>::default();
        let bar = ProgressBar::with_draw_target(Some(total_bytes), target);
        bar.set_style(style(&counts));
        bar.set_message("reading");
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self {
            bar,
            counts,
            timings: Timings::new(false, ""),
        }
    }

    /// The same, and what each stage costs is noted if `timed`.
    pub fn timed(mut self, timed: bool) -> Self {
        self.timings = Timings::new(timed, "opening");
        self
    }

    /// What each stage cost so far, a line each.
    pub fn timings(&self) -> String {
        self.timings.lines()
    }

    /// `bytes` more were read. One relaxed addition: cheap enough to call for every block.
    pub fn add(&self, bytes: u64) {
        self.counts.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// One more file was read to its end.
    pub fn add_file(&self) {
        self.counts.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Starts counting anew, at nothing of `total_bytes`: for another reading of the same files.
    pub fn restart(&self, name: &'static str, total_bytes: u64) {
        self.counts.bytes.store(0, Ordering::Relaxed);
        self.counts.files.store(0, Ordering::Relaxed);
        self.bar.set_length(total_bytes);
        self.bar.reset_elapsed();
        self.phase(name);
    }

    /// Names what is being done now: `joining`.
    pub fn phase(&self, name: &'static str) {
        self.bar.set_message(name);
        self.timings.begin(name);
    }

    /// Writes a warning above the bar, or straight to standard error if there is no bar.
    pub fn warn(&self, message: &str) {
        let message = super::escape::terminal(message);
        self.bar.suspend(|| eprintln!("{message}"));
    }

    /// Clears the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The bar's look: `reading  [=====>    ] 1.20 GiB of 3.00 GiB, 480 MB/s, 7 files`.
///
/// The painter takes the position from the counters at each tick, so that threads need not touch the bar.
fn style(counts: &Arc<Counts>) -> ProgressStyle {
    let template = "{msg:>9} [{gauge:24}] {done}, {speed}, {files}";
    let Ok(style) = ProgressStyle::with_template(template) else {
        return ProgressStyle::default_bar();
    };
    let counted = |read: fn(&Counts, &ProgressState) -> String| {
        let counts = Arc::clone(counts);
        move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // A painting that fails is made good by the next.
            let _ = out.write_str(&read(&counts, state));
        }
    };
    style
        .with_key("gauge", counted(gauge))
        .with_key("done", counted(done))
        .with_key("speed", counted(speed))
        .with_key("files", counted(files))
}

fn gauge(counts: &Counts, state: &ProgressState) -> String {
    const CELLS: u64 = 24;
    let total = state.len().unwrap_or(0).max(1);
    let read = counts.bytes.load(Ordering::Relaxed).min(total);
    let full = u128::from(read) * u128::from(CELLS) / u128::from(total);
    (0..u128::from(CELLS))
        .map(|cell| match cell.cmp(&full) {
            std::cmp::Ordering::Less => '=',
            std::cmp::Ordering::Equal => '>',
            std::cmp::Ordering::Greater => ' ',
        })
        .collect()
}

/// The total is left out once it is exceeded, as compressed files do.
fn done(counts: &Counts, state: &ProgressState) -> String {
    let read = counts.bytes.load(Ordering::Relaxed);
    let total = state.len().unwrap_or(0);
    match indicatif::BinaryBytes(read) {
        done if read <= total => format!("{done} of {}", indicatif::BinaryBytes(total)),
        done => done.to_string(),
    }
}

fn speed(counts: &Counts, state: &ProgressState) -> String {
    let seconds = state.elapsed().as_secs_f64().max(0.001);
    let megabytes = counts.bytes.load(Ordering::Relaxed) as f64 / 1e6;
    format!("{:.0} MB/s", megabytes / seconds)
}

fn files(counts: &Counts, _: &ProgressState) -> String {
    match counts.files.load(Ordering::Relaxed) {
        1 => "1 file".into(),
        n => format!("{n} files"),
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    #[test]
    fn the_bar_shows_bytes_files_and_phase() {
        let term = InMemoryTerm::new(4, 100);
        let target = ProgressDrawTarget::term_like(Box::new(term.clone()));
        let progress = Progress::on(target, 4 << 20);
        progress.add(1 << 20);
        progress.add_file();
        progress.phase("joining");
        progress.bar.force_draw();
        let shown = term.contents();
        assert!(
            shown.contains("joining [======>                 ] 1.00 MiB of 4.00 MiB"),
            "{shown}"
        );
        assert!(shown.ends_with("MB/s, 1 file"), "{shown}");
        progress.restart("rereading", 2 << 20);
        progress.add(3 << 20);
        progress.bar.force_draw();
        let shown = term.contents();
        assert!(
            shown.contains("rereading [========================] 3.00 MiB, "),
            "{shown}"
        );
        progress.finish();
        assert_eq!(term.contents(), "");
    }

    #[test]
    fn many_threads_add_without_loss() {
        let progress = Progress::new(0, false);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1000).for_each(|_| progress.add(3)));
            }
        });
        assert_eq!(progress.bytes(), 24_000);
        assert!(progress.bar.is_hidden());
    }
}
