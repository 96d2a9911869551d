//! The result of a run, whose findings are completed with the lines behind them only as they are written.

use std::io;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::evidence::Lines;
use crate::error::Error;
use crate::model::{Finding, Findings, Report};
use crate::plan::Plan;
use crate::report::{self, Supply};

/// Findings that are completed and written in one task.
const TOGETHER: usize = 32;

/// Tasks per thread whose texts wait to be written.
const AHEAD: usize = 2;

/// What a run found.
pub struct Diagnosis {
    /// The report, without its findings.
    pub report: Report,
    pub(super) findings: Findings,
    pub(super) lines: Lines,
    pub(super) threads: Threads,
}

impl Diagnosis {
    /// The report with its findings.
    pub fn whole(self) -> Report {
        let findings = self.all();
        Report {
            findings,
            ..self.report
        }
    }

    /// The findings of the `chunk`-th task, complete.
    fn chunk(&self, chunk: usize) -> Vec<Finding> {
        let from = chunk * TOGETHER;
        let to = (from + TOGETHER).min(self.findings.len());
        let mut all = self.findings.opened();
        let mut findings: Vec<Finding> = (from..to).filter_map(|at| all.get(at)).collect();
        self.lines.complete(&mut findings);
        findings
    }

    fn chunks(&self) -> usize {
        self.findings.len().div_ceil(TOGETHER)
    }
}

impl Supply for Diagnosis {
    fn all(&self) -> Vec<Finding> {
        let chunk = |chunk: usize| self.chunk(chunk);
        self.threads
            .run(|| (0..self.chunks()).into_par_iter().flat_map_iter(chunk).collect())
    }

    fn each(&self, write: &report::Write, between: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        let text = |chunk: usize| {
            let mut text = Vec::new();
            for (at, finding) in self.chunk(chunk).iter().enumerate() {
                if chunk + at > 0 {
                    text.extend_from_slice(between);
                }
                write(finding, &mut text);
            }
            text
        };
        let at_once = self.threads.count() * AHEAD;
        for first in (0..self.chunks()).step_by(at_once) {
            let last = (first + at_once).min(self.chunks());
            let texts: Vec<Vec<u8>> = self
                .threads
                .run(|| (first..last).into_par_iter().map(text).collect());
            texts.iter().try_for_each(|text| out.write_all(text))?;
        }
        Ok(())
    }
}

/// The threads of a run.
pub(super) struct Threads(Option<ThreadPool>);

impl Threads {
    /// As many as `plan` says. Where the system gives no more, the answer is the same on fewer.
    pub(super) fn of(plan: &Plan) -> Self {
        let threads = || ThreadPoolBuilder::new().num_threads(plan.threads);
        // This thread is one of them: what is done one after the other needs no second one, nor memory of its own. A
        // thread can be so once only, which is all that the program needs; others that call it twice have threads beside.
        let pool = threads().use_current_thread().build();
        Self(pool.or_else(|_| threads().build()).ok())
    }

    /// Does `work` on them.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.0 {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }

    fn count(&self) -> usize {
        self.0.as_ref().map_or(1, ThreadPool::current_num_threads)
    }
}

/// Runs `work` on as many threads as `plan` says.
pub(super) fn on_threads<T: Send>(
    plan: &Plan,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    Threads::of(plan).run(work)
}
